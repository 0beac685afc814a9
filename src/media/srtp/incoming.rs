//! What the peer sends under one key.

use crate::sdp::crypto::MasterKey;

use super::transform::{Place, Transform};
use super::window::{self, Window};
use super::{Kind, Rejected};

/// Streams (SSRCs) of the peer that are remembered: only authentic packets make one. When there are more the oldest is forgotten,
/// and what was recorded of it could be played to us again.
const MAX_STREAMS: usize = 64;

/// The peer's streams.
#[derive(Debug)]
pub(super) struct Incoming {
    rtp: Transform,
    rtcp: Transform,
    /// Bytes of the master key identifier.
    mki: usize,
    streams: Vec<Stream>,
}

/// One SSRC.
#[derive(Debug, Clone, Copy)]
struct Stream {
    ssrc: u32,
    rtp: Window,
    rtcp: Window,
    /// Its highest index under the key before this one.
    before: Option<u64>,
}

impl Incoming {
    pub fn new(key: &MasterKey, mki_length: u8) -> Incoming {
        Incoming {
            rtp: Transform::new(key, Kind::Rtp),
            rtcp: Transform::new(key, Kind::Rtcp),
            mki: mki_length.into(),
            streams: Vec::new(),
        }
    }

    /// Another key. RFC 3711 section 3.3.1: the roll-over counters go on; but some begin again at 0.
    pub fn with_key(&self, key: &MasterKey, mki_length: u8) -> Incoming {
        let fresh =
            |stream: &Stream| Stream { before: stream.rtp.highest().or(stream.before), ..Stream::new(stream.ssrc) };
        Incoming { streams: self.streams.iter().map(fresh).collect(), ..Incoming::new(key, mki_length) }
    }

    /// Puts a packet as it was before it was protected in `plain`. What is not authentic changes nothing.
    pub fn unprotect(&mut self, kind: Kind, packet: &[u8], plain: &mut Vec<u8>) -> Result<(), Rejected> {
        match kind {
            Kind::Rtp => self.unprotect_rtp(packet, plain),
            Kind::Rtcp => self.unprotect_rtcp(packet, plain),
        }
    }

    fn unprotect_rtp(&mut self, packet: &[u8], plain: &mut Vec<u8>) -> Result<(), Rejected> {
        let (header, ssrc, seq) = rtp_header(packet).ok_or(Rejected::Malformed)?;
        if packet.len() < header + self.rtp.tag_length() + self.mki {
            return Err(Rejected::Malformed);
        }
        let stream = self.stream(ssrc);
        let (first, second) = stream.indexes(seq);
        let mut result = Err(Rejected::Replayed);
        for index in first.into_iter().chain(second) {
            if !stream.rtp.is_new(index) {
                continue;
            }
            result = self.rtp.unprotect_rtp(packet, header, self.mki, Place { ssrc, index }, plain);
            if result.is_ok() {
                self.change(ssrc, |stream| stream.rtp.accept(index));
                break;
            }
        }
        result
    }

    fn unprotect_rtcp(&mut self, packet: &[u8], plain: &mut Vec<u8>) -> Result<(), Rejected> {
        let ssrc = ssrc_at(packet, 4).ok_or(Rejected::Malformed)?;
        let index = self.rtcp.rtcp_index(packet, self.mki)?;
        if !self.stream(ssrc).rtcp.is_new(index) {
            return Err(Rejected::Replayed);
        }
        self.rtcp.unprotect_rtcp(packet, self.mki, Place { ssrc, index }, plain)?;
        self.change(ssrc, |stream| stream.rtcp.accept(index));
        Ok(())
    }

    #[cfg(test)]
    pub fn streams(&self) -> usize {
        self.streams.len()
    }

    /// What is known of an SSRC.
    fn stream(&self, ssrc: u32) -> Stream {
        let known = self.streams.iter().find(|stream| stream.ssrc == ssrc);
        known.copied().unwrap_or_else(|| Stream::new(ssrc))
    }

    fn change(&mut self, ssrc: u32, change: impl FnOnce(&mut Stream)) {
        if let Some(stream) = self.streams.iter_mut().find(|stream| stream.ssrc == ssrc) {
            return change(stream);
        }
        if self.streams.len() == MAX_STREAMS {
            self.streams.remove(0);
        }
        let mut stream = Stream::new(ssrc);
        change(&mut stream);
        self.streams.push(stream);
    }
}

impl Stream {
    fn new(ssrc: u32) -> Stream {
        Stream { ssrc, rtp: Window::default(), rtcp: Window::default(), before: None }
    }

    /// The indexes that a packet with this sequence number may have, the likelier one first.
    fn indexes(&self, seq: u16) -> (Option<u64>, Option<u64>) {
        match (self.rtp.highest(), self.before) {
            (Some(highest), _) => (window::index(highest, seq), None),
            // RFC 4568 section 6.4: each begins with a roll-over counter of 0.
            (None, None) => (Some(u64::from(seq)), None),
            (None, Some(before)) => {
                let next = window::index(before, seq);
                (next, Some(u64::from(seq)).filter(|first| Some(*first) != next))
            }
        }
    }
}

/// The length of an RTP header with sources and extension (RFC 3550 section 5.1), SSRC and sequence number; `None`: it is none.
pub(super) fn rtp_header(packet: &[u8]) -> Option<(usize, u32, u16)> {
    let first = *packet.first()?;
    let seq = u16::from_be_bytes([*packet.get(2)?, *packet.get(3)?]);
    let ssrc = ssrc_at(packet, 8)?;
    let mut length = 12 + 4 * usize::from(first & 0x0f);
    if first & 0x10 != 0 {
        let words = u16::from_be_bytes([*packet.get(length + 2)?, *packet.get(length + 3)?]);
        length += 4 + 4 * usize::from(words);
    }
    (first >> 6 == 2 && length <= packet.len()).then_some((length, ssrc, seq))
}

/// The four bytes at a place.
pub(super) fn ssrc_at(packet: &[u8], at: usize) -> Option<u32> {
    packet.get(at..at + 4)?.try_into().ok().map(u32::from_be_bytes)
}
