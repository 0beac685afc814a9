//! What we bring to a session: what we can speak, where we receive, whether we talk or hold.

use std::net::IpAddr;

use sipx_sdp::Direction;

use super::super::{Codec, ice};

/// What we can speak, in order of preference.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Capabilities {
    /// Codecs in our order of preference.
    pub codecs: Vec<Codec>,
    /// Milliseconds of sound a packet that we offer to receive (`a=ptime`), 10 to 60.
    pub ptime_ms: u8,
    /// Whether `telephone-event` (RFC 4733) is offered.
    pub telephone_event: bool,
    /// Whether we would rather be sent nothing than silence: comfort noise (RFC 3389) is offered, and of Opus `usedtx` is asked.
    /// Else comfort noise that is offered to us is not accepted either: who sends next to nothing looks like a lost call.
    pub dtx: bool,
    /// Whether RTCP at the RTP port (RFC 5761) is offered, and taken where it is offered.
    pub rtcp_mux: bool,
    /// When ICE is used.
    pub ice: ice::Policy,
}

impl Capabilities {
    /// Capabilities by the names of codecs, in order of preference, with `telephone-event`. Names that this build does not
    /// know are skipped and returned; when none is left the list of codecs is empty, and nothing can be agreed on.
    pub fn from_names(names: impl IntoIterator<Item = impl AsRef<str>>, ptime_ms: u8) -> (Capabilities, Vec<String>) {
        let mut codecs = Vec::new();
        let mut unknown = Vec::new();
        for name in names {
            match Codec::from_name(name.as_ref()) {
                Some(codec) if codecs.contains(&codec) => {}
                Some(codec) => codecs.push(codec),
                None => unknown.push(name.as_ref().to_owned()),
            }
        }
        (
            Capabilities {
                codecs,
                ptime_ms: ptime_ms.clamp(10, 60),
                telephone_event: true,
                dtx: false,
                rtcp_mux: true,
                ice: ice::Policy::Off,
            },
            unknown,
        )
    }
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
    /// How a STUN server sees these ports.
    pub reflexive: Option<ice::Reflexive>,
    /// Which of the two stands in `c=` and `m=` before ICE has found a way.
    pub destination: ice::Destination,
    /// The way that ICE has found.
    pub path: Option<ice::Path>,
}

impl LocalMedia {
    /// Ports of our own at an address of our own.
    pub fn new(address: IpAddr, rtp_port: u16, rtcp_port: u16) -> LocalMedia {
        let destination = ice::Destination::Host;
        LocalMedia { address, rtp_port, rtcp_port, reflexive: None, destination, path: None }
    }
}

/// How a hold is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HoldStyle {
    /// `c=0.0.0.0` with `a=sendonly` (RFC 2543's way, still the one most PBXs know). With an IPv6 address it is written
    /// as [`HoldStyle::SendOnly`].
    Zero,
    /// The real address with `a=sendonly` (RFC 3264 section 8.4).
    SendOnly,
    /// As [`HoldStyle::SendOnly`], and RTP goes on: the other side hears music.
    Music,
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

impl Intent {
    pub(super) fn direction(self) -> Direction {
        match self {
            Intent::Talk => Direction::SendRecv,
            Intent::Hold(HoldStyle::Zero | HoldStyle::SendOnly | HoldStyle::Music) => Direction::SendOnly,
            Intent::Hold(HoldStyle::Inactive) => Direction::Inactive,
        }
    }
}
