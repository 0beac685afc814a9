//! The media engine, without I/O: what is heard and said in a call.
//!
//! [`Session`] is one call's sound. The thread in [`crate::phone::media_thread`] gives it packets, samples and the time.
//! The rest is for that thread: [`tones`] to play, [`mixing`] of sounds, [`levels`] to show, and
//! [`processing`] of the voice.

pub mod codec;
pub mod comfort;
pub mod conceal;
pub mod dtls;
pub mod echo;
pub mod echo_delay;
pub mod emodel;
pub mod g711;
pub mod g722;
pub mod goertzel;
pub mod ice;
pub mod levels;
pub mod mixing;
pub mod processing;
pub mod resample;
pub mod session;
pub mod srtp;
pub mod timescale;
pub mod tones;

pub use session::{Event, Session, Stats, Transmit};
