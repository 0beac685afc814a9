//! Which packets came, in their order, for the bursts and gaps of the losses (RFC 3611 section 4.7.2).

use crate::rtp::xr::{BurstMetrics, Bursts, Fate};
use crate::rtp::{SeqNo, Ssrc, reception};

/// A packet is lost when so many after it have come: more than reordering ever does.
const PATIENCE: u16 = 32;

/// The packets of one source after the other.
#[derive(Debug, Default)]
pub(super) struct Track {
    source: Option<Ssrc>,
    /// The first that is not decided.
    next: SeqNo,
    /// Of it and those after it, who came.
    came: u64,
    bursts: Bursts,
}

impl Track {
    /// A packet came.
    pub fn count(&mut self, source: Ssrc, seq: SeqNo) {
        let ahead = seq.0.wrapping_sub(self.next.0);
        let back = self.next.0.wrapping_sub(seq.0);
        if self.source != Some(source)
            || (i32::from(ahead) > reception::MAX_DROPOUT && i32::from(back) > reception::MAX_MISORDER)
        {
            self.source = Some(source);
            self.next = seq;
            self.came = 1;
            return;
        }
        if i32::from(back) <= reception::MAX_MISORDER && back > 0 {
            return; // Too late: it is counted as lost.
        }
        let mut ahead = ahead;
        while ahead >= PATIENCE {
            self.bursts.count(if self.came & 1 == 1 { Fate::Received } else { Fate::Lost });
            self.came >>= 1;
            self.next = self.next.next();
            ahead -= 1;
        }
        self.came |= 1 << ahead;
    }

    pub fn metrics(&self) -> BurstMetrics {
        self.bursts.metrics()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn track(numbers: impl IntoIterator<Item = u16>) -> BurstMetrics {
        let mut track = Track::default();
        numbers.into_iter().for_each(|number| track.count(Ssrc(1), SeqNo(number)));
        track.metrics()
    }

    #[test]
    fn order_does_not_matter_within_reason_and_the_wrap_is_none() {
        let straight = track((0..200).map(|n: u16| n.wrapping_add(65_500)));
        assert_eq!((straight.loss, straight.burst_packets), (0.0, 0.0));
        let mut swapped: Vec<u16> = (0..200).collect();
        swapped.chunks_exact_mut(10).for_each(|ten| ten.reverse());
        // The first to come is not the first number: those before it are late.
        assert_eq!(track(swapped).loss, 0.0);
    }

    #[test]
    fn what_is_missing_makes_bursts() {
        let metrics = track((0..400).filter(|n| !(100..110).contains(n) && *n != 300));
        assert_eq!(metrics.burst_packets, 10.0);
        assert!((metrics.loss - 11.0 / 369.0).abs() < 0.001, "{metrics:?}");
        assert!(metrics.mean_loss_run > 5.0);
    }

    #[test]
    fn a_restart_is_no_loss() {
        let metrics = track((0..100).chain(30_000..30_100));
        assert_eq!(metrics.loss, 0.0);
    }
}
