//! Session descriptions (RFC 8866) and how two of them make a session (RFC 3264).
//!
//! - [`crypto`]: the keys of SRTP in `a=crypto` (RFC 4568), and when they are offered and taken.
//! - [`dtls`]: keys of SRTP by a handshake (RFC 5763): fingerprints, who begins, which association.
//! - [`codec`]: the table of what this build can speak.
//! - [`offer_answer`]: the public face: [`Session`] makes offers, answers them and takes answers, [`Negotiated`] is the
//!   outcome.
//! - `describe`: what a description's audio stream says, and how ours is written; with `offer_answer`, `crypto`, `dtls` and `ice` the
//!   only places that name the SDP library.
//! - `opus`: what the other side asks of the Opus that it is sent.
//! - [`ice`]: what a description says of ICE (RFC 8839).
//! - `numbers`: which payload type stands for which codec, for as long as a dialog lives.

pub mod codec;
pub mod crypto;
mod describe;
pub mod dtls;
pub mod ice;
mod numbers;
pub mod offer_answer;
mod opus;
mod xr;

pub use codec::Codec;
pub use crypto::Keying;
pub use offer_answer::{
    Capabilities, ComfortNoise, HoldStyle, Intent, LocalMedia, Negotiated, Protection, Refusal, Session,
};
pub use opus::OpusWishes;
pub use xr::ExtendedReports;
