//! Whether sound is played longer or shorter, or at once, so that the delay becomes what is wanted.

use super::least::Least;
use super::slots::Held;
use super::{ENOUGH_MS, JitterBuffer, MARGIN_MS, Pace};
use crate::rtp::number::SeqExtender;

/// In which time a small error of the delay is played away, in seconds, and the part of the rate that this may take.
const PLAYED_AWAY_S: f64 = 4.0;
const MAX_CORRECTION: f64 = 0.001;

impl JitterBuffer {
    /// How the sound that [`JitterBuffer::pull`] gave last is to be played, that the delay may become what is wanted.
    pub fn pace(&self) -> Pace {
        let wanted = self.wanted();
        // A part of a block may wait to be played before it: that takes from the tolerance, not from the delay.
        let (least, most) = (self.delay - wanted, self.tolerance - wanted);
        // The next packet's copy comes exactly then, or too late.
        let allowed = if self.look_ahead > 0 { 0 } else { self.in_samples(MARGIN_MS) };
        if self.waits() && least < -allowed {
            Pace::Longer(-least as usize)
        } else if most > self.block as i64 + self.in_samples(ENOUGH_MS) {
            Pace::Shorter(most as usize)
        } else {
            // Where the speaker's blocks and the packets stay in step, all of them wait for what is left of a block.
            let surplus = self.least.get().filter(|_| self.waits()).map_or(0, |least| least - wanted);
            if surplus > self.in_samples(2 * ENOUGH_MS) { Pace::Shorter(surplus as usize) } else { Pace::Right }
        }
    }

    /// Tells that the sound was made longer or shorter.
    pub fn scaled(&mut self) {
        self.least = Least::default();
    }

    /// Samples that are to be played at once, the moment they came, because packets need not wait. None where they do: the
    /// speaker takes what it needs when it needs it.
    pub fn ready(&self) -> usize {
        let Some(newest) = self.numbers.as_ref().map(SeqExtender::highest).filter(|_| !self.waits()) else { return 0 };
        let Some((first, _)) = self.first() else { return 0 };
        let Some(slot) = self.slots.get(first).filter(|slot| slot.held == Held::Voice) else { return 0 };
        if self.next.is_none() {
            return slot.samples;
        }
        let over = self.expected - slot.position;
        if over < 0 {
            return 0;
        }
        let had = self.short.unwrap_or_else(|| self.tolerance_now());
        let begin = self.expected - (self.wanted() - had).clamp(0, over);
        let mut end = begin;
        for seq in first..=newest {
            match self.slots.get(seq) {
                Some(slot) if slot.held == Held::Voice && slot.position <= end => {
                    end = end.max(slot.position + slot.samples as i64);
                }
                Some(slot) if slot.held == Held::Other => {}
                Some(_) | None => break,
            }
        }
        (end - begin) as usize
    }

    /// By which part the sound should be longer, to be played away slowly: what is left by [`JitterBuffer::pace`], and the
    /// drift of the clocks. `None` while packets do not wait: then the speaker's slack says it.
    pub fn correction(&self) -> Option<f64> {
        (self.waits() && self.next.is_some()).then_some(self.correction)
    }

    pub(super) fn correct(&mut self) {
        let Some(least) = self.least.get() else { return };
        // In the middle of what needs neither a stretch nor a squeeze.
        let error = least - self.wanted() - self.in_samples(ENOUGH_MS - MARGIN_MS);
        let seconds = error as f64 / f64::from(self.sample_rate.max(1));
        self.correction = (-seconds / PLAYED_AWAY_S).clamp(-MAX_CORRECTION, MAX_CORRECTION);
    }
}
