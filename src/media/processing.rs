//! What is done to the voice between the microphone and the codec: echo taken out, noise held down, the level evened out.
//! The adaptive arithmetic is WebRTC's, by `sonora`; here stands when it runs and at which rate, what it is told of the echo's delay,
//! and how it comes and goes unheard.
//!
//! | file | what |
//! |---|---|
//! | `stage` | one of the three: begins, ends and begins anew without a click |
//! | `canceller` | echo cancellation at 16 kHz |
//! | `full_band` | and at 48 kHz |
//! | `alignment` | how late the echo comes |
//! | `high_pass` | what is lower than any voice |
//! | `softened` | by how much the echo is made softer |
//!
//! A frame is 10 ms. With nothing switched on the samples pass as they are, bit by bit and without delay.

mod alignment;
mod canceller;
mod full_band;
mod high_pass;
mod softened;
mod stage;
#[cfg(test)]
mod tests;

use std::fmt;

use serde::{Deserialize, Serialize};

use super::resample::Resampler;
use softened::{Softened, power};
use stage::Stage;

/// Hz that do for calls of telephone and wide band.
pub const WIDE: u32 = 16_000;
/// Hz for calls that carry more.
pub const FULL: u32 = 48_000;

/// When something is done to the voice.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Switch {
    /// Never.
    Off,
    /// Where it is of use: with sound cards. What comes from a file or a tone is sent as it is.
    On,
    /// Whatever the device.
    Always,
}

impl Switch {
    /// How each is written.
    pub const WORDS: [(&'static str, Switch); 3] =
        [("off", Switch::Off), ("on", Switch::On), ("always", Switch::Always)];

    /// Whether it is done with such devices.
    fn is_on(self, cards: bool) -> bool {
        match self {
            Switch::Off => false,
            Switch::On => cards,
            Switch::Always => true,
        }
    }
}

/// What can be done to the voice.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Step {
    /// What the speaker plays is taken out of what the microphone hears.
    Echo,
    /// What sounds all the time is held down.
    Noise,
    /// A soft voice is brought up, a loud one down.
    Gain,
}

impl Step {
    /// How each is written.
    pub const WORDS: [(&'static str, Step); 3] = [("echo", Step::Echo), ("noise", Step::Noise), ("gain", Step::Gain)];
}

/// What a person wants done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Settings {
    /// [`Step::Echo`].
    pub echo: Switch,
    /// [`Step::Noise`].
    pub noise: Switch,
    /// [`Step::Gain`].
    pub gain: Switch,
}

impl Default for Settings {
    fn default() -> Settings {
        Settings { echo: Switch::On, noise: Switch::On, gain: Switch::Off }
    }
}

impl Settings {
    /// These with one switch in another place.
    pub fn with(self, step: Step, switch: Switch) -> Settings {
        match step {
            Step::Echo => Settings { echo: switch, ..self },
            Step::Noise => Settings { noise: switch, ..self },
            Step::Gain => Settings { gain: switch, ..self },
        }
    }
}

impl fmt::Display for Settings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let word = |switch| Switch::WORDS.iter().find(|(_, known)| *known == switch).map_or("", |(word, _)| word);
        let (echo, noise, gain) = (word(self.echo), word(self.noise), word(self.gain));
        write!(f, "echo cancellation {echo}, noise suppression {noise}, automatic gain {gain}")
    }
}

/// The devices in use, as far as it matters here: a sound card, or a file, a tone, nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cards {
    /// The microphone.
    pub input: bool,
    /// The speaker.
    pub output: bool,
}

/// What is done now, and what it brings.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
pub struct Figures {
    /// Echo is being taken out.
    pub echo: bool,
    /// Noise is being held down.
    pub noise: bool,
    /// The level is being evened out.
    pub gain: bool,
    /// By how many dB what comes back while the other side speaks is sent softer than the microphone heard it: of the last five
    /// seconds in which it spoke the one with the most, for in others our side may have spoken too; none before there was one.
    pub erle_db: Option<f32>,
    /// How long after it was played an echo comes back, in ms; none before one was found.
    pub echo_delay_ms: Option<u32>,
    /// Processor time that 10 ms of sound take, in µs; measured by who drives this.
    pub us_per_10ms: f32,
}

/// The three, for one microphone.
pub struct Processing {
    rate: u32,
    echo: Stage,
    noise: Stage,
    gain: Stage,
    far: Far,
    softened: Softened,
}

/// What the speaker plays, cut into frames.
#[derive(Default)]
struct Far {
    resampler: Option<Resampler>,
    waiting: Vec<i16>,
}

impl Processing {
    /// At `rate` Hz, [`WIDE`] or [`FULL`]; nothing is done before [`Processing::set`].
    pub fn new(rate: u32) -> Processing {
        Processing {
            rate,
            echo: Stage::new(Step::Echo, rate),
            noise: Stage::new(Step::Noise, rate),
            gain: Stage::new(Step::Gain, rate),
            far: Far::default(),
            softened: Softened::default(),
        }
    }

    /// The rate for calls at `rates` Hz.
    pub fn rate_for(rates: &[u32]) -> u32 {
        if rates.iter().any(|rate| *rate > WIDE) { FULL } else { WIDE }
    }

    /// Hz of the microphone's samples.
    pub fn rate(&self) -> u32 {
        self.rate
    }

    /// Samples of a frame.
    fn frame(&self) -> usize {
        self.rate as usize / 100
    }

    /// Whether these settings ask for anything with these devices.
    pub fn is_wanted(settings: Settings, cards: Cards) -> bool {
        settings.echo.is_on(cards.input && cards.output)
            || settings.noise.is_on(cards.input)
            || settings.gain.is_on(cards.input)
    }

    /// What is wanted, from the next frame on. Called again with the same values it changes nothing.
    pub fn set(&mut self, settings: Settings, cards: Cards) {
        self.echo.switch(settings.echo.is_on(cards.input && cards.output));
        self.noise.switch(settings.noise.is_on(cards.input));
        self.gain.switch(settings.gain.is_on(cards.input));
    }

    /// Another microphone or speaker: the way between them is looked for anew.
    pub fn devices_changed(&mut self) {
        self.far = Far::default();
        self.softened = Softened::default();
        self.echo.begin_anew();
    }

    /// What is given to the speaker now, at `rate` Hz.
    pub fn far(&mut self, samples: &[i16], rate: u32) {
        if !self.echo.is_on() {
            return;
        }
        let far = &mut self.far;
        if far.resampler.as_ref().is_none_or(|one| one.from_rate() != rate) {
            far.resampler = Resampler::new(rate, self.rate);
            far.waiting.clear();
        }
        let Some(resampler) = &mut far.resampler else { return };
        resampler.process(samples, &mut far.waiting);
        let frame = self.rate as usize / 100;
        let whole = far.waiting.len() / frame * frame;
        for piece in far.waiting[..whole].chunks_exact(frame) {
            self.echo.far(piece);
            self.softened.far(piece);
        }
        far.waiting.drain(..whole);
    }

    /// What the microphone heard: whole frames, made better in place. A rest of less than a frame is left as it is.
    pub fn near(&mut self, samples: &mut [i16]) {
        let frame = self.frame();
        for frame in samples.chunks_exact_mut(frame) {
            if self.echo.is_on() {
                let heard = power(frame);
                self.echo.near(frame);
                self.softened.near(heard, frame);
            } else {
                self.echo.near(frame);
                self.softened = Softened::default();
            }
            self.noise.near(frame);
            self.gain.near(frame);
        }
    }

    /// What is done now; the cost is left to who measures it.
    pub fn figures(&self) -> Figures {
        Figures {
            echo: self.echo.is_on(),
            noise: self.noise.is_on(),
            gain: self.gain.is_on(),
            erle_db: self.softened.db(),
            echo_delay_ms: self.echo.echo_delay_ms(),
            us_per_10ms: 0.0,
        }
    }
}
