//! Microphone to sessions, one tick for all calls. With a card the ticks follow its callbacks; without, or when it has
//! stopped, they follow the system's clock.

use std::ops::Bound;
use std::time::{Duration, Instant};

use crate::media::mixing;
use crate::phone::command::DeviceRole;
use crate::ua::CallNo;

use super::Report;
use super::engine::Engine;
use super::recording::Recording;
use super::watch::Change;

/// How long a tick waits for a card that is late.
const LATE: Duration = Duration::from_millis(40);
/// The rate at which a microphone is read that no call listens to.
const IDLE_RATE: u32 = 8000;

/// What the microphone has for a tick.
#[derive(PartialEq, Eq)]
enum Supply {
    /// Enough; when the newest samples came, for a card.
    Ready(Option<Instant>),
    /// Not yet.
    Short,
    /// No device, one without a clock, or a card that has stopped.
    Free,
}

impl Engine {
    /// The time between ticks, unless a call's packets have another length.
    pub(super) const TICK: Duration = Duration::from_millis(20);

    pub(super) fn tick_deadline(&self) -> Instant {
        self.short_since.map_or(self.pacer.deadline(), |since| since + LATE)
    }

    pub(super) fn tick_if_due(&mut self, now: Instant) {
        if !self.is_ticking() || now < self.pacer.deadline() {
            return;
        }
        let tick = self.tick_length();
        self.pacer.set_period(tick);
        let mut rates = std::mem::take(&mut self.rates);
        self.tick(now, tick, &mut rates);
        self.rates = rates;
    }

    fn tick(&mut self, now: Instant, tick: Duration, rates: &mut Vec<u32>) {
        self.note_rates(rates);
        let read = self.treatment.begin_tick(rates, self.cards());
        match self.supply(now, read.as_ref().map_or(rates.as_slice(), std::slice::from_ref), tick) {
            Supply::Short => return,
            Supply::Ready(_) if self.short_since.take().is_some() => self.pacer.sent_late(now),
            Supply::Ready(Some(newest)) => self.pacer.sent_with(now, now.saturating_duration_since(newest)),
            Supply::Ready(None) | Supply::Free => {
                self.short_since = None;
                self.pacer.sent(now);
            }
        }
        self.listen_to_microphone(rates, tick);
        self.watch_microphone(now);
        self.send(now, tick);
        self.hear_by_tick(now, tick);
        self.watch_speaker(now);
    }

    /// A call begins to send while none else does: its first packet leaves now, with what the microphone has, and the ticks
    /// begin anew from here. Else the other side would hear of us up to a tick later.
    pub(super) fn send_first(&mut self, now: Instant) {
        if !self.is_ticking() {
            return;
        }
        if let Some(input) = self.input.get_mut() {
            input.collect();
        }
        let tick = self.tick_length();
        self.pacer.set_period(tick);
        self.short_since = None;
        let mut rates = std::mem::take(&mut self.rates);
        self.note_rates(&mut rates);
        self.treatment.begin_tick(&rates, self.cards());
        self.pacer.sent_late(now);
        self.listen_to_microphone(&rates, tick);
        self.send(now, tick);
        self.rates = rates;
    }

    /// The sample rates at which the microphone is wanted.
    fn note_rates(&self, rates: &mut Vec<u32>) {
        rates.clear();
        for call in self.calls.values().filter(|call| call.session.sends()) {
            let rate = call.session.sample_rate();
            if !rates.contains(&rate) {
                rates.push(rate);
            }
        }
        if rates.is_empty() {
            rates.push(IDLE_RATE);
        }
    }

    /// 20 ms, or 10 when a call's packets are no multiple of that.
    fn tick_length(&self) -> Duration {
        let odd = |ptime: u8| !ptime.is_multiple_of(20);
        if self.calls.values().any(|call| call.media.as_ref().is_some_and(|media| odd(media.ptime_ms))) {
            return Engine::TICK / 2;
        }
        Engine::TICK
    }

    fn supply(&mut self, now: Instant, rates: &[u32], tick: Duration) -> Supply {
        let Some(input) = self.input.get_mut() else { return Supply::Free };
        input.collect();
        if !input.is_clocked() {
            return Supply::Free;
        }
        let mut is_short = || rates.iter().any(|&rate| input.available(rate) < samples(rate, tick));
        if !is_short() {
            if self.stalled {
                // What has gathered while it was thought to have stopped is old.
                self.stalled = false;
                input.discard();
                return Supply::Free;
            }
            return Supply::Ready(input.newest());
        }
        if self.stalled {
            return Supply::Free;
        }
        let since = *self.short_since.get_or_insert(now);
        if now.saturating_duration_since(since) >= LATE {
            self.stalled = true;
            return Supply::Free;
        }
        // It may have come between the look and the request.
        input.wake_by_next();
        input.collect();
        if rates.iter().all(|&rate| input.available(rate) >= samples(rate, tick)) {
            return Supply::Ready(input.newest());
        }
        Supply::Short
    }

    /// Warns of a microphone from which nothing is heard, or too much.
    fn watch_microphone(&mut self, now: Instant) {
        let is_card = self.input.get().is_some_and(|input| input.is_clocked());
        let is_used = self.calls.values().any(|call| call.uses_microphone(now));
        if !is_card || !is_used || self.muted {
            return self.microphone_watch.rest(now);
        }
        if let Some(change) = self.microphone_watch.heard(now, &self.raw) {
            self.warn(DeviceRole::Input, change);
        }
    }

    /// Warns of a speaker that is not given enough.
    fn watch_speaker(&mut self, now: Instant) {
        let Some(output) = self.output.get().filter(|output| output.is_clocked()) else { return };
        let times = output.ran_dry();
        let plays = self.calls.values().any(|call| {
            call.is_heard() && call.session.last_received().is_some_and(|last| now < last + 2 * Engine::TICK)
        });
        if !plays {
            return self.speaker_watch.rest(times);
        }
        if let Some(change) = self.speaker_watch.plays(now, times) {
            self.warn(DeviceRole::Output, change);
        }
    }

    /// No call is left to be warned of.
    pub(super) fn warnings_end(&mut self, now: Instant) {
        for change in self.microphone_watch.end(now).into_iter().flatten() {
            self.warn(DeviceRole::Input, change);
        }
        if let Some(change) = self.speaker_watch.end() {
            self.warn(DeviceRole::Output, change);
        }
    }

    fn warn(&self, role: DeviceRole, change: Change) {
        let Change { warning, active } = change;
        (self.opener.reports)(Report::AudioWarning { role, warning, active });
    }

    fn send(&mut self, now: Instant, tick: Duration) {
        self.note_conference_rates();
        let has_conference = !self.conference_rates.is_empty();
        let mut numbers = std::mem::take(&mut self.numbers);
        numbers.clear();
        numbers.extend(self.calls.keys());
        for &number in &numbers {
            let mixed = has_conference && self.mix_for(number);
            let Some(call) = self.calls.get_mut(&number) else { continue };
            if !call.session.sends() {
                continue;
            }
            let rate = call.session.sample_rate();
            let Some((_, said)) = self.said.iter().find(|(known, _)| *known == rate) else { continue };
            let said = if mixed { &self.mixed } else { said };
            let ended = call.speak(now, said, &mut self.scratch);
            while let Some(digit) = call.poll_digit() {
                (self.opener.reports)(Report::DigitSent { call: number, digit });
            }
            if ended {
                (self.opener.reports)(Report::PlayEnded { call: number });
            }
            if call.recording.is_some() {
                self.check_recording(number);
            }
            self.settle(number);
        }
        self.numbers = numbers;
        if has_conference {
            self.record_conference();
            for member in self.calls.values_mut().filter_map(|call| call.member.as_mut()) {
                member.end_tick(tick.as_millis() as u32);
            }
        }
    }

    /// The call of the next higher number.
    pub(super) fn call_after(&self, number: CallNo) -> Option<CallNo> {
        self.calls.range((Bound::Excluded(number), Bound::Unbounded)).next().map(|(number, _)| *number)
    }

    /// The sample rates at which members of the conference are spoken to.
    fn note_conference_rates(&mut self) {
        self.conference_rates.clear();
        for call in self.calls.values().filter(|call| call.member.is_some()) {
            let recorded = call.recording.as_ref().map(Recording::rate);
            for rate in [Some(call.session.sample_rate()), recorded].into_iter().flatten() {
                if !self.conference_rates.contains(&rate) {
                    self.conference_rates.push(rate);
                }
            }
        }
    }

    /// Mixes for a member of the conference what we and the others say; false: the call is in none.
    fn mix_for(&mut self, number: CallNo) -> bool {
        let Some(call) = self.calls.get(&number).filter(|call| call.member.is_some()) else { return false };
        let rate = call.session.sample_rate();
        let Some((_, said)) = self.said.iter().find(|(known, _)| *known == rate) else { return false };
        self.sum.clear();
        self.sum.extend(said.iter().map(|&sample| i32::from(sample)));
        for (_, other) in self.calls.iter().filter(|(other, _)| **other != number) {
            if let Some(member) = &other.member {
                member.add_to(rate, &mut self.sum);
            }
        }
        self.mixed.clear();
        self.mixed.extend(self.sum.iter().map(|&sum| mixing::soft_clip(sum)));
        true
    }
}

/// How many samples at `rate` Hz a time holds.
pub(super) fn samples(rate: u32, time: Duration) -> usize {
    (u128::from(rate) * time.as_micros() / 1_000_000) as usize
}
