//! What a receiver knows of one source: validity, loss and jitter (RFC 3550 appendix A.1, A.3, A.8).

use std::time::{Duration, Instant};

use super::{RtpTimestamp, SeqNo};

/// Appendix A.1: packets in order before a source is believed.
const MIN_SEQUENTIAL: u16 = 2;
/// Appendix A.1: a forward jump of more packets is a restart, or nonsense.
pub const MAX_DROPOUT: i32 = 3000;
/// Appendix A.1: as far back a packet is only reordered.
pub const MAX_MISORDER: i32 = 100;
/// A transit that changes by more seconds is a new timeline, not jitter.
const MAX_TRANSIT_JUMP: f64 = 2.0;

/// One source, from its first packet on.
#[derive(Debug, Clone)]
pub struct Reception {
    base_seq: u32,
    max_seq: SeqNo,
    cycles: u32,
    received: u64,
    probation: u16,
    /// The number after an unexpected one: if it comes next, the source has restarted.
    bad_next: Option<SeqNo>,
    start: Instant,
    transit: Option<f64>,
    jitter: f64,
    clock_rate: u32,
    /// Expected and received of the timelines before restarts.
    before: (u64, u64),
}

/// Expected and received packets up to a moment, for what was lost since then.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Mark {
    expected: u64,
    received: u64,
}

impl Reception {
    /// A source whose first packet has just come, but is not counted yet: see [`Reception::update`].
    pub fn new(now: Instant, first: SeqNo, clock_rate: u32) -> Reception {
        Reception {
            base_seq: u32::from(first.0),
            max_seq: SeqNo(first.0.wrapping_sub(1)),
            cycles: 0,
            received: 0,
            probation: MIN_SEQUENTIAL,
            bad_next: None,
            start: now,
            transit: None,
            jitter: 0.0,
            clock_rate: clock_rate.max(1),
            before: (0, 0),
        }
    }

    /// Counts a packet (A.1). `timestamp` only of packets whose timestamps follow the clock: not of telephone-events.
    pub fn update(&mut self, now: Instant, seq: SeqNo, timestamp: Option<RtpTimestamp>) {
        if let Some(timestamp) = timestamp {
            self.update_jitter(now, timestamp);
        }
        let distance = i32::from(seq.0.wrapping_sub(self.max_seq.0));
        if self.probation > 0 {
            if distance == 1 {
                self.probation -= 1;
                self.max_seq = seq;
                if self.probation == 0 {
                    self.start_at(seq);
                    self.received += 1;
                }
            } else {
                self.probation = MIN_SEQUENTIAL - 1;
                self.max_seq = seq;
            }
            return;
        }
        if distance < MAX_DROPOUT {
            if seq.0 < self.max_seq.0 {
                self.cycles = self.cycles.wrapping_add(0x1_0000);
            }
            self.max_seq = seq;
        } else if distance <= 0x1_0000 - MAX_MISORDER {
            if self.bad_next != Some(seq) {
                self.bad_next = Some(seq.next());
                return;
            }
            // Two in order: the source has restarted.
            self.before = (self.expected(), self.received());
            self.start_at(seq);
            self.transit = None;
        }
        self.received += 1;
    }

    fn start_at(&mut self, seq: SeqNo) {
        self.base_seq = u32::from(seq.0);
        self.max_seq = seq;
        self.cycles = 0;
        self.received = 0;
        self.bad_next = None;
    }

    /// A.8, in timestamp units.
    fn update_jitter(&mut self, now: Instant, timestamp: RtpTimestamp) {
        let rate = f64::from(self.clock_rate);
        let arrival = now.saturating_duration_since(self.start).as_secs_f64() * rate;
        let transit = arrival - f64::from(timestamp.0);
        if let Some(last) = self.transit.replace(transit) {
            // The timestamp's wrap is one more jump.
            let difference = (transit - last).abs();
            if difference < MAX_TRANSIT_JUMP * rate {
                self.jitter += (difference - self.jitter) / 16.0;
            }
        }
    }

    /// Whether enough packets came in order to believe in the source.
    pub fn is_valid(&self) -> bool {
        self.probation == 0
    }

    /// The highest sequence number, extended by the times it wrapped.
    pub fn highest_seq(&self) -> u32 {
        self.cycles.wrapping_add(u32::from(self.max_seq.0))
    }

    /// Packets that should have come.
    pub fn expected(&self) -> u64 {
        let this_timeline =
            if self.is_valid() { u64::from(self.highest_seq().wrapping_sub(self.base_seq)) + 1 } else { 0 };
        self.before.0 + this_timeline
    }

    /// Packets that came, duplicates included.
    pub fn received(&self) -> u64 {
        self.before.1 + if self.is_valid() { self.received } else { 0 }
    }

    /// A.3: packets that never came. Duplicates make it smaller.
    pub fn lost(&self) -> i64 {
        self.expected() as i64 - self.received() as i64
    }

    /// Interarrival jitter in timestamp units.
    pub fn jitter(&self) -> u32 {
        self.jitter as u32
    }

    /// Interarrival jitter.
    pub fn jitter_time(&self) -> Duration {
        Duration::from_secs_f64(self.jitter / f64::from(self.clock_rate))
    }

    /// Where the count is now.
    pub fn mark(&self) -> Mark {
        Mark { expected: self.expected(), received: self.received() }
    }

    /// A.3: the share of packets lost since a mark, 0 to 1. More duplicates than losses are no loss.
    pub fn loss_since(&self, mark: Mark) -> f32 {
        self.loss_since_without(mark, 0)
    }

    /// The share lost since a mark, 0 to 1, if so many of the packets that came had not come: duplicates, late ones.
    pub fn loss_since_without(&self, mark: Mark, useless: u64) -> f32 {
        let expected = self.expected().saturating_sub(mark.expected);
        let received = self.received().saturating_sub(mark.received).saturating_sub(useless);
        if expected == 0 { 0.0 } else { expected.saturating_sub(received) as f32 / expected as f32 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn after(sequence: &[u16]) -> Reception {
        let now = Instant::now();
        let mut reception = Reception::new(now, SeqNo(sequence[0]), 8000);
        for &seq in sequence {
            reception.update(now, SeqNo(seq), None);
        }
        reception
    }

    #[test]
    fn two_packets_in_order_make_a_source() {
        assert!(!after(&[7]).is_valid());
        assert!(!after(&[7, 9, 20]).is_valid());
        assert!(after(&[7, 8]).is_valid());
        let late = after(&[7, 9, 20, 21, 22]);
        assert!(late.is_valid());
        assert_eq!((late.expected(), late.received(), late.lost()), (2, 2, 0));
    }

    #[test]
    fn losses_and_duplicates_are_counted_over_the_wrap() {
        let reception = after(&[65_533, 65_534, 65_535, 1, 2, 0, 5, 5]);
        // 65534 to 5: 65534, 65535, 0, 1, 2, 5, 5 came; 3 and 4 did not.
        assert_eq!((reception.expected(), reception.received(), reception.lost()), (8, 7, 1));
        assert_eq!(reception.highest_seq(), 0x1_0005);
    }

    #[test]
    fn the_share_lost_is_of_the_interval() {
        let now = Instant::now();
        let mut reception = after(&[1, 2, 3]);
        let mark = reception.mark();
        assert_eq!(reception.loss_since(mark), 0.0);
        for seq in [4, 5, 7] {
            reception.update(now, SeqNo(seq), None);
        }
        assert_eq!(reception.loss_since(mark), 0.25);
        assert_eq!(reception.loss_since_without(mark, 1), 0.5);
        let mark = reception.mark();
        reception.update(now, SeqNo(6), None);
        assert_eq!(reception.loss_since(mark), 0.0);
        assert_eq!(reception.lost(), 0);
    }

    #[test]
    fn a_restart_needs_two_packets_in_order_and_keeps_the_count() {
        let mut reception = after(&[1, 2, 3, 5]);
        let now = Instant::now();
        reception.update(now, SeqNo(40_000), None);
        assert_eq!(reception.highest_seq(), 5);
        reception.update(now, SeqNo(40_001), None);
        assert_eq!(reception.highest_seq(), 40_001);
        assert_eq!((reception.expected(), reception.received(), reception.lost()), (5, 4, 1));
    }

    #[test]
    fn jitter_is_zero_on_a_steady_stream_and_grows_with_delay() {
        let start = Instant::now();
        let mut steady = Reception::new(start, SeqNo(0), 8000);
        let mut shaky = steady.clone();
        for n in 0..500u32 {
            let due = start + Duration::from_millis(u64::from(n) * 20);
            let timestamp = Some(RtpTimestamp((u32::MAX - 5000).wrapping_add(n * 160)));
            steady.update(due, SeqNo(n as u16), timestamp);
            shaky.update(due + Duration::from_millis(u64::from(n % 2) * 10), SeqNo(n as u16), timestamp);
        }
        assert_eq!(steady.jitter(), 0);
        let jitter = shaky.jitter_time().as_secs_f64() * 1000.0;
        assert!((jitter - 10.0).abs() < 0.5, "{jitter} ms");
    }
}
