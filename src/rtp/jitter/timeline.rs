//! Where a packet belongs: its timestamp in samples of the session's rate, without the wrap.

use crate::rtp::{RtpTimestamp, SeqNo};

/// So many packets in a row whose timestamps do not go with what they hold and when they come: they are not believed.
const ODD: u8 = 5;

/// A packet, as far as its place is concerned.
#[derive(Debug, Clone, Copy)]
pub(super) struct Stamp {
    pub(super) seq: SeqNo,
    pub(super) timestamp: RtpTimestamp,
    /// Samples that it holds, at the session's rate.
    pub(super) samples: usize,
    /// The clock of its timestamp, in Hz.
    pub(super) clock_rate: u32,
    /// When it came, in samples.
    pub(super) now: i64,
}

/// The newest packet with sound.
#[derive(Debug, Clone, Copy)]
struct Newest {
    stamp: Stamp,
    /// Its timestamp without the wrap.
    extended: i64,
    position: i64,
}

/// Gives every packet its place. Some senders count their timestamps wrongly (G.722 at 16000 for one, against RFC 3551
/// section 4.5.2); when these do not go with the packets, places are counted by sequence number.
#[derive(Debug, Clone)]
pub(super) struct Timeline {
    rate: u32,
    newest: Option<Newest>,
    odd: u8,
    by_number: bool,
}

impl Timeline {
    pub(super) fn new(rate: u32) -> Timeline {
        Timeline { rate, newest: None, odd: 0, by_number: false }
    }

    pub(super) fn clear(&mut self) {
        *self = Timeline::new(self.rate);
    }

    /// The place of a packet's first sample. A clock of another rate begins where the packet before ended.
    pub(super) fn place(&mut self, stamp: Stamp) -> i64 {
        let Some(newest) = self.newest else {
            let extended = i64::from(stamp.timestamp.0);
            let position = self.in_samples(extended, stamp.clock_rate);
            self.newest = Some(Newest { stamp, extended, position });
            return position;
        };
        let ahead = i64::from(stamp.seq.distance_from(newest.stamp.seq));
        let length = if stamp.samples > 0 { stamp.samples } else { newest.stamp.samples } as i64;
        let by_number = newest.position + ahead * length;
        if stamp.clock_rate != newest.stamp.clock_rate {
            return self.take(stamp, i64::from(stamp.timestamp.0), by_number, ahead);
        }
        let units = i64::from(stamp.timestamp.distance_from(newest.stamp.timestamp));
        let extended = newest.extended + units;
        let step = self.in_samples(extended, stamp.clock_rate) - self.in_samples(newest.extended, stamp.clock_rate);
        if ahead == 1 && stamp.samples > 0 {
            self.believe_or_not(&newest, &stamp, step);
        }
        let position = if self.by_number { by_number } else { newest.position + step };
        self.take(stamp, extended, position, ahead)
    }

    fn take(&mut self, stamp: Stamp, extended: i64, position: i64, ahead: i64) -> i64 {
        if ahead > 0 && stamp.samples > 0 {
            self.newest = Some(Newest { stamp, extended, position });
        }
        position
    }

    fn believe_or_not(&mut self, before: &Newest, stamp: &Stamp, step: i64) {
        let length = before.stamp.samples as i64;
        let came_after = stamp.now - before.stamp.now;
        let goes_with_sound = (step - length).abs() <= length / 4;
        let comes_steadily = (length / 2..=length * 3 / 2).contains(&came_after);
        if goes_with_sound {
            self.odd = 0;
        } else if comes_steadily {
            self.odd = self.odd.saturating_add(1);
            self.by_number |= self.odd >= ODD;
        }
    }

    fn in_samples(&self, extended: i64, clock_rate: u32) -> i64 {
        extended * i64::from(self.rate) / i64::from(clock_rate.max(1))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stamp(seq: u16, timestamp: u32, samples: usize, now: i64) -> Stamp {
        Stamp { seq: SeqNo(seq), timestamp: RtpTimestamp(timestamp), samples, clock_rate: 8000, now }
    }

    #[test]
    fn places_go_on_over_the_wrap_and_reordering() {
        let mut timeline = Timeline::new(16_000);
        let first = timeline.place(stamp(65_534, u32::MAX - 159, 320, 0));
        let places: Vec<i64> = [(65_535, 0u32), (1, 320), (0, 160), (2, 2000)]
            .iter()
            .map(|&(seq, timestamp)| timeline.place(stamp(seq, timestamp, 320, 0)) - first)
            .collect();
        assert_eq!(places, [320, 960, 640, 4320]);
    }

    #[test]
    fn timestamps_that_run_too_fast_are_not_believed() {
        for wrong in [0, 80, 320] {
            let mut timeline = Timeline::new(8000);
            let places: Vec<i64> =
                (0..20).map(|n| timeline.place(stamp(n, u32::from(n) * wrong, 160, i64::from(n) * 160))).collect();
            assert!(places[10..].windows(2).all(|two| two[1] - two[0] == 160), "{wrong}: {places:?}");
        }
    }

    #[test]
    fn pauses_are_believed() {
        let mut timeline = Timeline::new(8000);
        let mut last = 0;
        for n in 0..50u16 {
            let timestamp = u32::from(n) * 160 + u32::from(n / 2) * 8000;
            let place = timeline.place(stamp(n, timestamp, 160, i64::from(timestamp)));
            assert_eq!(place, i64::from(timestamp));
            last = place;
        }
        assert!(last > 8000 * 24);
    }

    #[test]
    fn another_clock_goes_on_where_the_last_one_ended() {
        let mut timeline = Timeline::new(8000);
        let first = timeline.place(stamp(1, 500, 160, 0));
        let opus = Stamp { clock_rate: 48_000, ..stamp(2, 77_777, 160, 160) };
        assert_eq!(timeline.place(opus) - first, 160);
        let opus = Stamp { clock_rate: 48_000, ..stamp(3, 77_777 + 960, 160, 320) };
        assert_eq!(timeline.place(opus) - first, 320);
    }
}
