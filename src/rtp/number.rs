//! Numbers of RTP headers. They wrap around, so none of them is ordered: ask for a distance.

use std::fmt;

/// A sequence number (RFC 3550 section 5.1): one up for each packet, modulo 2^16.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, Hash)]
pub struct SeqNo(pub u16);

impl SeqNo {
    /// The one after.
    pub fn next(self) -> SeqNo {
        SeqNo(self.0.wrapping_add(1))
    }

    /// How many packets `self` is after `other` by the shorter way round; negative when it is before.
    pub fn distance_from(self, other: SeqNo) -> i16 {
        self.0.wrapping_sub(other.0) as i16
    }
}

/// A timestamp in units of the codec's clock rate (RFC 3550 section 5.1), modulo 2^32.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct RtpTimestamp(pub u32);

impl RtpTimestamp {
    /// Later by so many units.
    pub fn plus(self, units: u32) -> RtpTimestamp {
        RtpTimestamp(self.0.wrapping_add(units))
    }

    /// How many units `self` is after `other` by the shorter way round; negative when it is before.
    pub fn distance_from(self, other: RtpTimestamp) -> i32 {
        self.0.wrapping_sub(other.0) as i32
    }
}

/// A synchronisation source (RFC 3550 section 3): who sends a stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Ssrc(pub u32);

impl fmt::Display for Ssrc {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:08x}", self.0)
    }
}

/// What a payload is (RFC 3551 section 6), 0 to 127.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct PayloadType(pub u8);

impl PayloadType {
    /// Comfort noise (RFC 3389).
    pub const COMFORT_NOISE: PayloadType = PayloadType(13);
}

/// Gives sequence numbers the bits that they lack: which time round they are (RFC 3550 appendix A.1).
#[derive(Debug, Clone, Copy)]
pub struct SeqExtender {
    highest: u64,
}

impl SeqExtender {
    /// Starts one round up, so that packets from before the first one have a number too.
    pub fn new(first: SeqNo) -> SeqExtender {
        SeqExtender { highest: 0x1_0000 | u64::from(first.0) }
    }

    /// The highest so far.
    pub fn highest(&self) -> u64 {
        self.highest
    }

    /// The extended number nearest to the highest so far; does not move that.
    pub fn peek(&self, seq: SeqNo) -> u64 {
        let distance = seq.distance_from(SeqNo(self.highest as u16));
        self.highest.saturating_add_signed(i64::from(distance))
    }

    /// The extended number nearest to the highest so far, which it may become.
    pub fn extend(&mut self, seq: SeqNo) -> u64 {
        let extended = self.peek(seq);
        self.highest = self.highest.max(extended);
        extended
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn distances_take_the_shorter_way_round() {
        for (a, b, distance) in [(1u16, 0u16, 1i16), (0, 1, -1), (0, 65_535, 1), (65_535, 0, -1), (5, 65_530, 11)] {
            assert_eq!(SeqNo(a).distance_from(SeqNo(b)), distance, "{a} {b}");
        }
        assert_eq!(SeqNo(65_535).next(), SeqNo(0));
        assert_eq!(RtpTimestamp(3).distance_from(RtpTimestamp(u32::MAX)), 4);
        assert_eq!(RtpTimestamp(u32::MAX).distance_from(RtpTimestamp(3)), -4);
        assert_eq!(RtpTimestamp(u32::MAX).plus(2), RtpTimestamp(1));
    }

    #[test]
    fn extended_numbers_rise_over_the_wrap_and_reordering() {
        let mut extender = SeqExtender::new(SeqNo(65_534));
        let base = extender.highest();
        let order = [65_534, 65_535, 1, 0, 65_533, 2];
        let extended: Vec<i64> = order.iter().map(|&n| extender.extend(SeqNo(n)) as i64 - base as i64).collect();
        assert_eq!(extended, [0, 1, 3, 2, -1, 4]);
    }
}
