//! DTLS handshakes for the keys of SRTP (RFC 5764), by OpenSSL: it is what most peers have, and takes the RSA certificates that
//! theirs are.
//!
//! | file | what |
//! |---|---|
//! | `identity` | our certificate, made when the phone starts and forgotten when it ends |
//! | `association` | one handshake: datagrams in, datagrams and keys out; no socket |
//! | `raw` | what OpenSSL's Rust library does not reach, its timer above all: the only unsafe piece |
//! | `worker` | the thread that makes them |
//!
//! OpenSSL reads the system's clock for its retransmissions, so no handshake runs on simulated time. And it may take a
//! millisecond, so none is made by the media thread: [`Handshakes`] has a thread of its own from the first one on.

mod association;
mod identity;
mod raw;
mod worker;

pub use association::Association;
pub use identity::Identity;
pub use worker::Handshakes;
