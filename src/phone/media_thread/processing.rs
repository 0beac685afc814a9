//! From the microphone to what is said at each sample rate, by way of the [`Processing`]: which rate is read, when that
//! changes, what it costs. With nothing switched on the microphone is read at the calls' own rates, and nothing stands here.

use std::time::Duration;

use crate::audio::Input;
use crate::media::levels;
use crate::media::processing::{Cards, Figures, Processing, Settings};
use crate::media::resample::Resampler;
use crate::phone::command::Side;

use super::engine::Engine;
use super::sending::samples;

/// Milliseconds in which the sound goes and comes when the microphone is read at another rate from now on.
const RAMP_MS: usize = 5;

/// What is done to the voice, for all calls.
pub(super) struct Treatment {
    settings: Settings,
    /// Once begun it lasts until there are no calls: switching off leaves it idle, so that nothing has to be read anew.
    one: Option<Processing>,
    /// One at another rate, from the next tick on.
    coming: Option<Processing>,
    /// Sound has been read since the first call began.
    begun: bool,
    ramp: Ramp,
    ways: Vec<Way>,
    frame: Vec<i16>,
    /// Of 10 ms of sound, smoothed, in ns; and what was spent since the last frame.
    cost_ns: f32,
    spent: Duration,
}

/// How this tick's sound begins or ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Ramp {
    None,
    Up,
    Down,
}

/// To the rate of a call.
struct Way {
    resampler: Resampler,
    waiting: Vec<i16>,
}

impl Treatment {
    pub(super) fn new(settings: Settings) -> Treatment {
        Treatment {
            settings,
            one: None,
            coming: None,
            begun: false,
            ramp: Ramp::None,
            ways: Vec::new(),
            frame: Vec::new(),
            cost_ns: 0.0,
            spent: Duration::ZERO,
        }
    }

    pub(super) fn set(&mut self, settings: Settings) {
        self.settings = settings;
    }

    /// The first call begins: nothing has been read yet.
    pub(super) fn reset(&mut self) {
        *self = Treatment::new(self.settings);
    }

    /// Another microphone or speaker has opened.
    pub(super) fn devices_changed(&mut self) {
        if let Some(one) = &mut self.one {
            one.devices_changed();
        }
    }

    /// Begins a tick for calls at `rates` Hz. Gives the one rate at which the microphone is to be read; `None`: the calls'
    /// own ones.
    pub(super) fn begin_tick(&mut self, rates: &[u32], cards: Cards) -> Option<u32> {
        self.ramp = Ramp::None;
        if let Some(coming) = self.coming.take() {
            self.one = Some(coming);
            self.ways.clear();
            self.ramp = Ramp::Up;
        }
        let enough = |one: &Processing| one.rate() >= Processing::rate_for(rates);
        let wanted = Processing::is_wanted(self.settings, cards);
        if wanted && !self.one.as_ref().is_some_and(enough) {
            let next = Processing::new(Processing::rate_for(rates));
            if self.begun {
                self.coming = Some(next);
                self.ramp = Ramp::Down;
            } else {
                self.one = Some(next);
            }
        }
        self.begun = true;
        let one = self.one.as_mut()?;
        one.set(self.settings, cards);
        Some(one.rate())
    }

    /// What the speaker is given, at `rate` Hz.
    pub(super) fn far(&mut self, piece: &[i16], rate: u32) {
        let Some(one) = &mut self.one else { return };
        let before = thread_time();
        one.far(piece, rate);
        self.spent += thread_time().saturating_sub(before);
    }

    /// Reads the microphone for this tick and improves it, if that is to be done: false, if not. `raw` gets what was read.
    fn read(&mut self, input: Option<&mut Box<dyn Input>>, tick: Duration, raw: &mut Vec<i16>) -> bool {
        let mut input = input;
        if let (Some(coming), Some(input)) = (&self.coming, &mut input) {
            // From now on it collects at this rate too.
            input.available(coming.rate());
        }
        let Some(one) = &mut self.one else { return false };
        self.frame.resize(samples(one.rate(), tick), 0);
        match input {
            Some(input) => input.read(one.rate(), &mut self.frame),
            None => self.frame.fill(0),
        }
        raw.clear();
        raw.extend_from_slice(&self.frame);
        let before = thread_time();
        one.near(&mut self.frame);
        let spent = std::mem::take(&mut self.spent) + thread_time().saturating_sub(before);
        let of_10_ms = spent.as_nanos() as f32 / (tick.as_millis() as f32 / 10.0).max(1.0);
        self.cost_ns += (of_10_ms - self.cost_ns) / if self.cost_ns == 0.0 { 1.0 } else { 64.0 };
        true
    }

    /// What was read, at `rate` Hz: fills `said`.
    fn give(&mut self, rate: u32, said: &mut [i16]) {
        let Some(one) = &self.one else { return };
        if rate == one.rate() {
            said.copy_from_slice(&self.frame);
            return;
        }
        let place = match self.ways.iter().position(|way| way.resampler.to_rate() == rate) {
            Some(place) => place,
            None => {
                let Some(resampler) = Resampler::new(one.rate(), rate) else { return said.fill(0) };
                // What the filter holds back at its beginning, and a little for its pieces that are not all as long.
                let waiting = vec![0; Resampler::step(rate) + 2];
                self.ways.push(Way { resampler, waiting });
                self.ways.len() - 1
            }
        };
        let Some(way) = self.ways.get_mut(place) else { return };
        way.resampler.process(&self.frame, &mut way.waiting);
        let count = way.waiting.len().min(said.len());
        let (sound, missing) = said.split_at_mut(count);
        sound.copy_from_slice(&way.waiting[..count]);
        missing.fill(0);
        way.waiting.drain(..count);
    }

    fn ramp(&self, rate: u32, said: &mut [i16]) {
        let length = (rate as usize * RAMP_MS / 1000).min(said.len()).max(1);
        let factor = |at: usize| at as f32 / length as f32;
        let scale = |(at, sample): (usize, &mut i16)| *sample = (f32::from(*sample) * factor(at)) as i16;
        match self.ramp {
            Ramp::None => (),
            Ramp::Up => said.iter_mut().take(length).enumerate().for_each(scale),
            Ramp::Down => said.iter_mut().rev().take(length).enumerate().for_each(scale),
        }
    }

    /// What is done now, and what it costs; `None`: nothing, and it costs nothing.
    pub(super) fn figures(&self) -> Option<Figures> {
        let figures = self.one.as_ref()?.figures();
        let works = figures.echo || figures.noise || figures.gain;
        works.then_some(Figures { us_per_10ms: (self.cost_ns / 100.0).round() / 10.0, ..figures })
    }
}

impl Engine {
    /// Whether a microphone and a speaker are there that have a clock: sound cards.
    pub(super) fn cards(&self) -> Cards {
        Cards {
            input: self.input.get().is_some_and(|input| input.is_clocked()),
            output: self.output.get().is_some_and(|output| output.is_clocked()),
        }
    }

    /// What the microphone gives for this tick, at each of `rates`.
    pub(super) fn listen_to_microphone(&mut self, rates: &[u32], tick: Duration) {
        let treated = self.treatment.read(self.input.get_mut(), tick, &mut self.raw);
        self.said.retain(|(rate, _)| rates.contains(rate));
        for (place, &rate) in rates.iter().enumerate() {
            if !self.said.iter().any(|(known, _)| *known == rate) {
                self.said.push((rate, Vec::new()));
            }
            let Some((_, said)) = self.said.iter_mut().find(|(known, _)| *known == rate) else { continue };
            said.resize(samples(rate, tick), 0);
            match self.input.get_mut() {
                _ if treated => self.treatment.give(rate, said),
                Some(input) => input.read(rate, said),
                None => said.fill(0),
            }
            if place == 0 && !treated {
                self.raw.clear();
                self.raw.extend_from_slice(said);
            }
            self.treatment.ramp(rate, said);
            if self.muted {
                said.fill(0);
            }
            levels::amplify(said, self.input_gain);
            if place == 0 {
                self.levels.set(Side::Input, levels::rms_dbfs(said));
            }
        }
    }
}

/// Processor time of this thread.
fn thread_time() -> Duration {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: the kernel fills the struct that is given to it.
    let _ = unsafe { libc::clock_gettime(libc::CLOCK_THREAD_CPUTIME_ID, &mut time) };
    Duration::new(u64::try_from(time.tv_sec).unwrap_or(0), u32::try_from(time.tv_nsec).unwrap_or(0))
}
