//! The media engine, without I/O: what is heard and said in a call.
//!
//! [`Session`] is one call's sound. The thread in [`crate::phone::media_thread`] gives it packets, samples and the time.

pub mod session;

pub use session::{Event, Session, Transmit};
