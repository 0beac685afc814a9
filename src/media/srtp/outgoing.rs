//! What we send under one key.

use crate::sdp::crypto::MasterKey;

use super::Kind;
use super::incoming::rtp_header;
use super::transform::{Place, Transform};
use super::window;

/// The last index that SRTCP has room for; a call would have to stand for centuries.
const LAST_RTCP_INDEX: u32 = (1 << 31) - 1;

/// Our streams.
#[derive(Debug)]
pub(super) struct Outgoing {
    rtp: Transform,
    rtcp: Transform,
    /// The SSRC that we send with now, and the index of its last packet.
    stream: Option<Place>,
    /// The index of the next SRTCP packet, whatever its SSRC.
    next_rtcp: u32,
}

impl Outgoing {
    pub fn new(key: &MasterKey) -> Outgoing {
        Outgoing {
            rtp: Transform::new(key, Kind::Rtp),
            rtcp: Transform::new(key, Kind::Rtcp),
            stream: None,
            next_rtcp: 0,
        }
    }

    /// Another key from now on. RFC 3711 section 3.3.1: the roll-over counter goes on.
    pub fn with_key(&self, key: &MasterKey) -> Outgoing {
        Outgoing { stream: self.stream, next_rtcp: self.next_rtcp, ..Outgoing::new(key) }
    }

    /// Protects an RTP packet in place; false: it must not leave.
    pub fn rtp(&mut self, packet: &mut Vec<u8>) -> bool {
        let Some((header, ssrc, seq)) = rtp_header(packet) else { return false };
        let index = match &self.stream {
            Some(last) if last.ssrc == ssrc => window::index(last.index, seq),
            // RFC 4568 section 6.4: a new SSRC begins with a roll-over counter of 0.
            Some(_) | None => Some(u64::from(seq)),
        };
        // The same index would be the same keystream once more.
        let used = self.stream.filter(|last| last.ssrc == ssrc).map(|last| last.index);
        let Some(index) = index.filter(|index| used.is_none_or(|used| *index > used)) else { return false };
        let place = Place { ssrc, index };
        self.stream = Some(place);
        self.rtp.protect_rtp(packet, header, place)
    }

    /// Protects a compound RTCP packet in place; false: it must not leave.
    pub fn rtcp(&mut self, packet: &mut Vec<u8>) -> bool {
        let Some(ssrc) = super::incoming::ssrc_at(packet, 4) else { return false };
        if self.next_rtcp > LAST_RTCP_INDEX {
            return false;
        }
        let place = Place { ssrc, index: u64::from(self.next_rtcp) };
        self.next_rtcp += 1;
        self.rtcp.protect_rtcp(packet, place)
    }
}
