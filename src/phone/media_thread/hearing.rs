//! Sessions and tones to the speaker. A card is given sound the moment a packet brings it, and concealment only when the
//! card is about to run dry; everything else is paced by the tick.

use std::time::{Duration, Instant};

use crate::audio::Why;
use crate::media::levels;
use crate::media::resample::Resampler;
use crate::phone::command::Side;
use crate::ua::CallNo;

use super::engine::Engine;
use super::sending::samples;
use super::speaker::RTP_WINS;

/// A leader from which nothing comes for so long leads no more.
const LEADS: Duration = Duration::from_millis(100);
/// At most so much is taken from a session at once.
const MOST: Duration = Duration::from_millis(120);
/// Pieces that are made at once for a card that is about to run dry.
const PIECES: usize = 4;
/// After which a card that took nothing is offered more.
const PAUSE: Duration = Duration::from_millis(5);

impl Engine {
    /// When a card must be given more. `None` while there is none.
    pub(super) fn feed_deadline(&self, now: Instant) -> Option<Instant> {
        let dry = self.output.get()?.dry_at(now)?;
        Some(dry.max(self.feed_not_before))
    }

    /// A packet came: what it brings is played now, if this call leads.
    pub(super) fn sound_came(&mut self, now: Instant, number: CallNo) {
        if !self.output.get().is_some_and(|output| output.is_clocked()) {
            return;
        }
        let heard_lately = |leader| {
            self.calls.get(&leader).is_some_and(|call| {
                call.is_heard() && call.session.last_received().is_some_and(|last| now < last + LEADS)
            })
        };
        if self.leader.is_some_and(|leader| leader != number && heard_lately(leader)) {
            return;
        }
        let Some(call) = self.calls.get(&number).filter(|call| call.is_heard()) else { return };
        let rate = call.session.sample_rate();
        let ready = call.session.ready().min(samples(rate, MOST));
        self.leader = Some(number);
        if ready > 0 {
            self.play(now, ready, rate, Why::Arrived);
        }
    }

    /// A card that is about to run dry gets concealment, tones, silence.
    pub(super) fn feed_if_due(&mut self, now: Instant) {
        if !self.is_ticking() {
            return;
        }
        if let Some(output) = self.output.get_mut() {
            output.refresh(now);
        }
        for _ in 0..PIECES {
            if self.feed_deadline(now).is_none_or(|at| now < at) {
                return;
            }
            let Some(output) = self.output.get() else { return };
            let (lacks, rate) = (output.lacks(), output.rate());
            self.play(now, lacks, rate, Why::RunningDry);
        }
        self.feed_not_before = now + PAUSE;
    }

    /// Takes as much time from every call as `count` samples at `rate` Hz are, and plays it.
    fn play(&mut self, now: Instant, count: usize, rate: u32, why: Why) {
        let Some(output) = self.output.get() else { return };
        let (out_rate, correction) = (output.rate(), output.correction());
        let mut frames = 0;
        let rates = std::mem::take(&mut self.conference_rates);
        for call in self.calls.values_mut().filter(|call| call.is_heard()) {
            let own = call.session.sample_rate();
            let wanted = (count as u64 * u64::from(own)).div_ceil(u64::from(rate.max(1))) as usize;
            call.listen(now, wanted.next_multiple_of(Resampler::step(own)), &rates, &mut self.scratch);
            let correction = Some(call.session.correction().unwrap_or(correction));
            call.voice.push(&self.scratch, own, out_rate, correction);
            // A sample that the resampler keeps back would be missing in a period of the card.
            if why == Why::RunningDry && call.voice.waiting.len() < count {
                call.listen(now, Resampler::step(own), &rates, &mut self.scratch);
                call.voice.push(&self.scratch, own, out_rate, correction);
            }
            frames = frames.max(call.voice.waiting.len());
        }
        self.conference_rates = rates;
        if frames == 0 {
            frames = (count as u64 * u64::from(out_rate) / u64::from(rate.max(1))) as usize;
        }
        self.mix(now, frames, why);
    }

    /// At each tick, for speakers without a clock, and for none at all.
    pub(super) fn hear_by_tick(&mut self, now: Instant, tick: Duration) {
        let (out_rate, is_heard) = match self.output.get() {
            Some(output) if output.is_clocked() => return,
            Some(output) => (output.rate(), output.is_heard()),
            None => (8000, false),
        };
        let mut first = true;
        let rates = std::mem::take(&mut self.conference_rates);
        for call in self.calls.values_mut().filter(|call| call.is_heard()) {
            let own = call.session.sample_rate();
            call.listen(now, samples(own, tick), &rates, &mut self.scratch);
            if is_heard {
                call.voice.push(&self.scratch, own, out_rate, None);
            } else if std::mem::take(&mut first) {
                self.levels.set(Side::Output, levels::rms_dbfs(&self.scratch));
            }
        }
        self.conference_rates = rates;
        if is_heard || self.speaker.is_busy() {
            self.mix(now, samples(out_rate, tick), Why::Arrived);
        }
    }

    fn mix(&mut self, now: Instant, frames: usize, why: Why) {
        let sum = self.speaker.begin(frames);
        for call in self.calls.values_mut() {
            if call.is_heard() {
                call.voice.mix_into(sum);
            } else {
                call.voice.fall_into(sum);
            }
        }
        let calls = &self.calls;
        let rtp_flows = |number: CallNo| {
            let last = calls.get(&number).and_then(|call| call.session.last_received());
            last.is_some_and(|last| now < last + RTP_WINS)
        };
        let piece = self.speaker.finish(now, rtp_flows);
        let Some(output) = self.output.get_mut() else { return };
        if output.is_heard() {
            self.levels.set(Side::Output, levels::rms_dbfs(piece));
        }
        self.treatment.far(piece, output.rate());
        output.write(now, piece, why);
    }
}
