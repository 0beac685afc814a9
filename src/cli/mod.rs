//! Arguments, one-shot commands, NDJSON, exit codes.
