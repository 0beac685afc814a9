//! Client and server transactions (RFC 3261 section 17, RFC 6026) in one map over the library's machines; no I/O.
