//! The speaker takes sound: which packet is next, and what stands in for those that did not come.

use std::time::Instant;

use super::slots::{Held, SLOTS};
use super::{ENOUGH_MS, Frame, Gap, JitterBuffer};
use crate::rtp::PayloadType;

/// Tolerance beyond the wanted, in milliseconds, from which sound is dropped: squeezing it away would take seconds.
const FAR_TOO_MUCH_MS: i64 = 150;

impl JitterBuffer {
    /// Tells when the speaker takes sound, and how much at a time; call it before [`JitterBuffer::pull`].
    pub fn begin(&mut self, now: Instant, block: usize) {
        self.set_time(now);
        self.block = block;
        self.catch_up();
    }

    /// Tells how many samples will be played before those that are pulled next.
    pub fn set_queued(&mut self, samples: usize) {
        self.queued = samples;
    }

    /// What is to be played now.
    pub fn pull(&mut self) -> Frame<'_> {
        while let Some((seq, lost)) = self.first() {
            let Some(slot) = self.slots.get(seq) else { break };
            let (position, samples, held) = (slot.position, slot.samples, slot.held);
            let silent = slot.marker || lost == 0 && position > self.end + self.frame as i64 / 2;
            let gap_is = if silent { Gap::Silence } else { Gap::Lost };
            if self.next.is_none() {
                // What waited before the speaker ran is old.
                self.slots.free_before(seq);
                self.next = Some(seq);
                self.expected = position;
            }
            let gap = self.fit(position - self.expected, gap_is);
            if gap > 0 {
                return Frame::Missing { samples: gap as usize, gap: gap_is };
            }
            self.skip_to(seq);
            if held == Held::Noise {
                return self.take_noise(seq);
            }
            let skip = self.time_that_is_over(position);
            if skip < samples {
                self.lost = lost;
                return self.take_voice(seq, skip, gap_is);
            }
            self.skip_to(seq + 1);
        }
        Frame::Empty
    }

    /// Tells that so many samples were made up in place of those that [`JitterBuffer::pull`] did not give.
    pub fn advance(&mut self, samples: usize) {
        if self.next.is_none() {
            return;
        }
        if self.short.is_none() {
            self.short = Some(self.tolerance_now());
        }
        self.expected = self.expected.saturating_add(samples as i64);
    }

    /// The next packet with sound that waits, and its length in samples.
    pub fn peek(&self) -> Option<(PayloadType, &[u8], usize)> {
        let (seq, _) = self.first()?;
        let slot = self.slots.get(seq).filter(|slot| slot.held == Held::Voice)?;
        Some((slot.payload_type, &slot.payload, slot.samples))
    }

    /// Whether the next packet with sound waits, and follows the last one without a gap.
    pub fn goes_on(&self) -> bool {
        let first = self.first().filter(|(_, lost)| *lost == 0).and_then(|(seq, _)| self.slots.get(seq));
        first.is_some_and(|slot| slot.held == Held::Voice && slot.position == self.expected)
    }

    /// The first packet to be played, and how many before it did not come.
    pub(super) fn first(&self) -> Option<(u64, usize)> {
        let newest = self.numbers.as_ref()?.highest();
        let Some(next) = self.next else {
            let numbers = (0..SLOTS as u64).map_while(|back| newest.checked_sub(back));
            return numbers.into_iter().find(|&seq| self.slots.held(seq) == Held::Voice).map(|seq| (seq, 0));
        };
        let mut lost = 0;
        for seq in next..=newest {
            match self.slots.held(seq) {
                Held::Voice | Held::Noise => return Some((seq, lost)),
                Held::Other => {}
                Held::Nothing => lost += 1,
            }
        }
        None
    }

    /// Makes a gap longer or shorter for the sake of the delay, if there is one.
    fn fit(&mut self, gap: i64, gap_is: Gap) -> i64 {
        if gap <= 0 {
            return gap;
        }
        let surplus = self.tolerance_now() - self.wanted();
        let spare = self.block as i64 + self.in_samples(if gap_is == Gap::Silence { 1 } else { ENOUGH_MS });
        let by = if surplus > spare {
            surplus.min(gap)
        } else if gap_is == Gap::Silence && self.waits() {
            surplus.min(0)
        } else {
            0
        };
        self.expected += by;
        gap - by
    }

    /// Samples of a packet that belongs to `position` whose time is over. Some of them are played all the same, later,
    /// where packets need more time than this one had.
    fn time_that_is_over(&mut self, position: i64) -> usize {
        let over = (self.expected - position).max(0);
        let had = self.short.unwrap_or_else(|| self.tolerance_now());
        let later = (self.wanted() - had).clamp(0, over);
        self.expected -= later;
        self.short = self.short.map(|short| short + later);
        (over - later) as usize
    }

    fn take_voice(&mut self, seq: u64, skip: usize, after: Gap) -> Frame<'_> {
        self.tolerance = self.tolerance_now();
        self.delay = self.tolerance + self.queued as i64;
        self.least.push(self.delay);
        self.correct();
        self.short = None;
        self.next = Some(seq + 1);
        self.came = self.came << 1 | 1;
        match self.slots.release(seq) {
            Some(slot) => {
                self.end = slot.position + slot.samples as i64;
                self.expected = self.end;
                Frame::Voice { payload_type: slot.payload_type, payload: &slot.payload, skip, after }
            }
            None => Frame::Empty,
        }
    }

    fn take_noise(&mut self, seq: u64) -> Frame<'_> {
        self.next = Some(seq + 1);
        self.came = self.came << 1 | 1;
        self.slots.release(seq).map_or(Frame::Empty, |slot| Frame::Noise { payload: &slot.payload })
    }

    /// Leaps over sound when the delay has become absurd, after a standstill of the speaker say.
    fn catch_up(&mut self) {
        let surplus = self.tolerance_now() - self.wanted();
        if self.next.is_some() && surplus - self.block as i64 > self.in_samples(FAR_TOO_MUCH_MS) && self.depth() > 0 {
            self.expected += surplus;
            self.short = None;
        }
    }

    /// Gives up everything before a number.
    pub(super) fn skip_to(&mut self, seq: u64) {
        let Some(next) = self.next.filter(|next| *next < seq) else { return };
        for skipped in next..seq {
            let came = self.slots.held(skipped) != Held::Nothing;
            self.came = self.came << 1 | u64::from(came);
        }
        self.slots.free_before(seq);
        self.next = Some(seq);
    }
}
