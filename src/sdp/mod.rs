//! Session descriptions (RFC 8866) and how two of them make a session (RFC 3264).

pub mod codec;
pub mod offer_answer;

pub use codec::Codec;
pub use offer_answer::{Capabilities, HoldStyle, Intent, LocalMedia, Negotiated, Refusal, Session};
