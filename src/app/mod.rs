//! The terminal UI`s state, without I/O.
