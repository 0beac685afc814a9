//! What offer and answer come to: a session, seen from our side, or a refusal.

use std::net::SocketAddr;

use super::super::crypto::{Srtp, SrtpRefusal};
use super::super::{Codec, ExtendedReports, OpusWishes, dtls, ice};

/// What offer and answer agreed on, seen from our side.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Negotiated {
    /// Where RTP goes. An unspecified address (`0.0.0.0`) never stands here: to a peer that gave none, and to which
    /// nothing is sent (see `send`), it is the last address that the peer gave, else that of its `o=` line, else ours.
    pub remote_rtp: SocketAddr,
    /// Where RTCP goes: `a=rtcp` or the RTP port + 1; with `rtcp_mux` where RTP does; `None` to a peer that sent `c=0.0.0.0`,
    /// or that has no such port.
    pub remote_rtcp: Option<SocketAddr>,
    /// RTP and RTCP share a port on both sides (RFC 5761).
    pub rtcp_mux: bool,
    /// The extended reports that the peer wants (RFC 3611).
    pub xr: ExtendedReports,
    /// ICE finds where packets go; then the two addresses above are only what the descriptions say.
    pub ice: Option<ice::Agreed>,
    /// The codec that we send.
    pub codec: Codec,
    /// The payload type with which the peer wants `codec`.
    pub send_payload_type: u8,
    /// The payload types that we accept, with their codecs.
    pub receive: Vec<(u8, Codec)>,
    /// The payload type with which the peer wants `telephone-event`, if it does, and its clock rate in Hz.
    pub send_telephone_event: Option<(u8, u32)>,
    /// The payload types with which we accept `telephone-event`, and their clock rates in Hz.
    pub receive_telephone_events: Vec<(u8, u32)>,
    /// How each side says what its silence sounds like.
    pub comfort_noise: ComfortNoise,
    /// What the peer asks of the Opus that we send.
    pub opus: OpusWishes,
    /// Milliseconds of sound a packet that the peer asked for, else ours.
    pub ptime_ms: u8,
    /// Whether we send RTP: both sides agree that we do, the peer gave an address, and we don't hold it (a hold of ours
    /// sends nothing, though `sendonly` would allow it, unless it is [`super::HoldStyle::Music`]).
    pub send: bool,
    /// Whether what the peer sends is played.
    pub receive_audio: bool,
    /// The other side holds us (`sendonly`, `inactive` or `c=0.0.0.0`). An answer that is not able to say so, because our
    /// offer was a hold, leaves it as it was.
    pub held_by_peer: bool,
    /// How packets are protected, both ways.
    pub protection: Protection,
}

/// Comfort noise (RFC 3389) in a session; by default there is none.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ComfortNoise {
    /// The payload type with which the peer takes it beside the codec that we send.
    pub send: Option<u8>,
    /// The payload types with which we accept it, and their clock rates in Hz.
    pub receive: Vec<(u8, u32)>,
}

/// How a stream's packets are protected.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Protection {
    /// Not at all.
    #[default]
    None,
    /// SRTP with these keys.
    Srtp(Box<Srtp>),
    /// SRTP with the keys that a handshake gives; nothing is sent or believed before that.
    Dtls(Box<dtls::Agreed>),
}

impl From<Srtp> for Protection {
    fn from(srtp: Srtp) -> Protection {
        Protection::Srtp(Box::new(srtp))
    }
}

impl Protection {
    /// The keys, where they are in the descriptions.
    pub fn srtp(&self) -> Option<&Srtp> {
        match self {
            Protection::None | Protection::Dtls(_) => None,
            Protection::Srtp(srtp) => Some(srtp),
        }
    }

    /// The handshake that gives the keys, where one does.
    pub fn dtls(&self) -> Option<&dtls::Agreed> {
        match self {
            Protection::None | Protection::Srtp(_) => None,
            Protection::Dtls(agreed) => Some(agreed),
        }
    }
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
    /// No SRTP, or SRTP, and one side does not want it so: 488.
    #[error("{0}")]
    Srtp(#[from] SrtpRefusal),
    /// An answer that does not fit its offer.
    #[error("the answer does not fit the offer: {0}")]
    BadAnswer(&'static str),
}
