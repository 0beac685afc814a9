//! The drivers: UDP sockets and name resolution. The one place, with `phone` and `audio`, that reads a clock.
