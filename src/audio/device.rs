//! What every device can do, and opening one by its name. Opening may take long, or forever when a sound server hangs:
//! never on a thread that others wait for.

use std::sync::Arc;
use std::time::Instant;

use super::name::NameError;
use super::{Selector, capture, playback, simple, wav};
use crate::config::Latency;

/// Wakes the thread that reads a device; called from audio callbacks, so it never waits.
pub type Wake = Arc<dyn Fn() + Send + Sync>;

/// Where samples come from.
pub trait Input: Send {
    /// Takes over what was captured until now, for [`Input::available`] and [`Input::read`].
    fn collect(&mut self);
    /// Samples at `rate` Hz that can be read; everything, for a device without a clock.
    fn available(&mut self, rate: u32) -> usize;
    /// Fills `out` with sound at `rate` Hz, with silence where there is not enough.
    fn read(&mut self, rate: u32, out: &mut [i16]);
    /// Forgets what was captured until now.
    fn discard(&mut self);
    /// When the newest samples came; `None` when the device has no clock, or did not begin yet.
    fn newest(&self) -> Option<Instant>;
    /// Whether it has a clock of its own, else its reader's paces it.
    fn is_clocked(&self) -> bool;
    /// Asks to be woken by the next samples.
    fn wake_by_next(&self);
    /// Why no more sound will come.
    fn failure(&self) -> Option<String>;
}

/// Why samples are written now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Why {
    /// They have come.
    Arrived,
    /// They were made up, for [`Output::dry_at`] came near.
    RunningDry,
}

/// Where samples go.
pub trait Output: Send {
    /// Hz of the samples wanted.
    fn rate(&self) -> u32;
    /// Takes samples; what does not fit is dropped.
    fn write(&mut self, now: Instant, samples: &[i16], why: Why);
    /// When the device will have nothing left to play. `None` when it has no clock: it takes everything at any time.
    fn dry_at(&self, now: Instant) -> Option<Instant>;
    /// How many samples it takes at a time.
    fn period(&self) -> usize;
    /// Whether it has a clock of its own, else its writer's paces it.
    fn is_clocked(&self) -> bool;
    /// By which part the sound should be longer to keep the device's slack steady ([`crate::media::resample::Resampler::adjust`]).
    fn correction(&self) -> f64;
    /// Whether anything hears it: a null device does not.
    fn is_heard(&self) -> bool;
    /// Why no more sound will be played.
    fn failure(&self) -> Option<String>;
}

/// Why a device can't be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The name is not one.
    #[error(transparent)]
    Name(#[from] NameError),
    /// No host has such a device.
    #[error("there is no {direction} device '{name}' (see `offhook devices`)")]
    NotFound {
        /// `input` or `output`.
        direction: &'static str,
        /// As it was asked for.
        name: String,
    },
    /// There is no sound hardware, and no sound server.
    #[error("there is no {0} device, and no sound server")]
    NoDevice(&'static str),
    /// The device is there and refuses.
    #[error("can't open {name}: {source}")]
    Card {
        /// Its id.
        name: String,
        /// Why.
        source: cpal::Error,
    },
    /// It speaks no format that we know.
    #[error("can't open {0}: it has no sample format that this program knows")]
    NoFormat(String),
    /// The file can't be used.
    #[error(transparent)]
    File(#[from] wav::WavError),
    /// The kind of device does not fit the purpose.
    #[error("'{name}' can't be used {purpose}")]
    Unfit {
        /// As it was asked for.
        name: String,
        /// What it was asked for.
        purpose: &'static str,
    },
}

/// Opens an input by its name. `wake` is called as [`Input::wake_by_next`] asks.
pub fn open_input(name: &str, latency: Latency, wake: Wake) -> Result<Box<dyn Input>, OpenError> {
    Ok(match Selector::parse(name)? {
        Selector::Default => Box::new(capture::Card::open(None, "default", latency, wake)?),
        Selector::Card { host, name } => Box::new(capture::Card::open(host, &name, latency, wake)?),
        Selector::Null => Box::new(simple::NullInput),
        Selector::Tone(hertz) => Box::new(simple::ToneInput::new(hertz)),
        Selector::Wav(path) => Box::new(simple::WavInput::new(wav::load(&path)?)),
    })
}

/// Opens an output by its name.
pub fn open_output(name: &str, latency: Latency) -> Result<Box<dyn Output>, OpenError> {
    Ok(match Selector::parse(name)? {
        Selector::Default => Box::new(playback::Card::open(None, "default", latency)?),
        Selector::Card { host, name } => Box::new(playback::Card::open(host, &name, latency)?),
        Selector::Null => Box::new(simple::NullOutput),
        Selector::Tone(_) => return Err(OpenError::Unfit { name: name.to_owned(), purpose: "as an output" }),
        Selector::Wav(path) => Box::new(simple::WavOutput::create(path)),
    })
}
