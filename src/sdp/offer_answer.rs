//! Offer and answer (RFC 3264) for one audio stream: pure functions over our side's history.

use std::net::{IpAddr, SocketAddr};

use super::Codec;

/// What we can speak, in order of preference.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Capabilities {
    /// Codecs in our order of preference.
    pub codecs: Vec<Codec>,
    /// Milliseconds of sound a packet that we offer to receive (`a=ptime`), 10 to 60.
    pub ptime_ms: u8,
    /// Whether `telephone-event` (RFC 4733) is offered.
    pub telephone_event: bool,
}

/// Where this phone receives sound.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LocalMedia {
    /// The address for `c=` and `o=`.
    pub address: IpAddr,
    /// The RTP port.
    pub rtp_port: u16,
    /// The RTCP port; `a=rtcp` (RFC 3605) is written when it is not `rtp_port + 1`.
    pub rtcp_port: u16,
}

/// How a hold is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HoldStyle {
    /// `c=0.0.0.0` with `a=sendonly` (RFC 2543's way, still the one most PBXs know). With an IPv6 address it is written
    /// as [`HoldStyle::SendOnly`].
    Zero,
    /// The real address with `a=sendonly` (RFC 3264 section 8.4).
    SendOnly,
    /// The real address with `a=inactive`.
    Inactive,
}

/// What we want of the session. Every offer states it, never the last negotiated direction (RFC 6337 section 5.3).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Intent {
    /// Talk: `a=sendrecv`.
    Talk,
    /// We hold the other side.
    Hold(HoldStyle),
}

/// What offer and answer agreed on, seen from our side.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Negotiated {
    /// Where RTP goes. An unspecified address (`0.0.0.0`) never stands here: see `send`.
    pub remote_rtp: SocketAddr,
    /// Where RTCP goes: `a=rtcp` or the RTP port + 1; `None` to a peer that sent `c=0.0.0.0`.
    pub remote_rtcp: Option<SocketAddr>,
    /// The codec that we send.
    pub codec: Codec,
    /// The payload type with which the peer wants `codec`.
    pub send_payload_type: u8,
    /// The payload types that we accept, with their codecs.
    pub receive: Vec<(u8, Codec)>,
    /// The payload type with which the peer wants `telephone-event`, if it does.
    pub send_telephone_event: Option<u8>,
    /// The payload type with which we accept `telephone-event`.
    pub receive_telephone_event: Option<u8>,
    /// Milliseconds of sound a packet that the peer asked for, else ours.
    pub ptime_ms: u8,
    /// Whether we send RTP: both sides agree that we do, and the peer gave an address.
    pub send: bool,
    /// Whether what the peer sends is played.
    pub receive_audio: bool,
    /// The other side holds us (`sendonly`, `inactive` or `c=0.0.0.0`).
    pub held_by_peer: bool,
}

/// Why a description can't be accepted.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// It is not a session description: 400.
    #[error("the session description can't be read: {0}")]
    Malformed(String),
    /// It has no audio stream, or only rejected ones: 488.
    #[error("the session description has no audio that we can take")]
    NoAudio,
    /// No codec in common: 488.
    #[error("no codec in common (offered: {offered})")]
    NoCommonCodec {
        /// The encoding names offered.
        offered: String,
    },
    /// An answer that does not fit its offer.
    #[error("the answer does not fit the offer: {0}")]
    BadAnswer(&'static str),
}

/// Our side of the offers and answers of one dialog: the `o=` line and what is pending.
#[derive(Debug, Clone)]
pub struct Session {
    /// To be replaced: see the functions.
    pub capabilities: Capabilities,
}

impl Session {
    /// A new session; `session_id` is the `o=` line's session id and first version.
    pub fn new(capabilities: Capabilities, session_id: u64) -> Session {
        let _ = session_id;
        Session { capabilities }
    }

    /// Makes an offer. A second call before the answer replaces the first (it has failed or is sent again).
    pub fn offer(&mut self, local: &LocalMedia, intent: Intent) -> String {
        let _ = (local, intent);
        todo!()
    }

    /// Takes the peer's answer to the last [`Session::offer`].
    pub fn handle_answer(&mut self, answer: &str) -> Result<Negotiated, Refusal> {
        let _ = answer;
        todo!()
    }

    /// Answers the peer's offer: the answer to send and what it means.
    pub fn answer(&mut self, offer: &str, local: &LocalMedia, intent: Intent) -> Result<(String, Negotiated), Refusal> {
        let _ = (offer, local, intent);
        todo!()
    }

    /// The last offer was refused: the session is as it was before.
    pub fn rollback(&mut self) {
        todo!()
    }
}
