//! What every device can do, and opening one by its name. Opening may take long, or forever when a sound server hangs:
//! never on a thread that others wait for.

use std::sync::Arc;
use std::time::Instant;

use polling::Poller;

use super::name::{HostName, NameError};
use super::{Selector, capture, playback, pulse, simple, wav};
use crate::config::Latency;

/// What wakes the thread that reads and writes a device: callbacks notify it, which never waits; a socket is watched by it
/// under a key of [`key`].
pub type Wake = Arc<Poller>;

/// Keys of devices' sockets at the poller; no call has them.
pub mod key {
    /// The microphone's: [`super::Input::woken`].
    pub const INPUT: usize = usize::MAX - 1;
    /// The speaker's: [`super::Output::woken`].
    pub const OUTPUT: usize = usize::MAX - 2;
    /// The ring device's: [`crate::audio::ringer::Ringer::woken`].
    pub const RING: usize = usize::MAX - 3;
}

/// Where samples come from. What a device does not say itself is so for one without a clock, which has all at any time.
pub trait Input: Send {
    /// Takes over what was captured until now, for [`Input::available`] and [`Input::read`].
    fn collect(&mut self) {}
    /// Samples at `rate` Hz that can be read; everything, for a device without a clock.
    fn available(&mut self, _rate: u32) -> usize {
        usize::MAX
    }
    /// Fills `out` with sound at `rate` Hz, with silence where there is not enough.
    fn read(&mut self, rate: u32, out: &mut [i16]);
    /// Forgets what was captured until now.
    fn discard(&mut self) {}
    /// When the newest samples came; `None` when the device has no clock, or did not begin yet.
    fn newest(&self) -> Option<Instant> {
        None
    }
    /// Whether it has a clock of its own, else its reader's paces it.
    fn is_clocked(&self) -> bool {
        false
    }
    /// Asks to be woken by the next samples.
    fn wake_by_next(&self) {}
    /// Its socket woke the thread.
    fn woken(&mut self, _now: Instant) {}
    /// The device that the sound server moved it to, once for each move.
    fn take_move(&mut self) -> Option<String> {
        None
    }
    /// Why no more sound will come.
    fn failure(&self) -> Option<String> {
        None
    }
}

/// Why samples are written now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Why {
    /// They have come.
    Arrived,
    /// They were made up, for [`Output::dry_at`] came near.
    RunningDry,
}

/// Where samples go. What a device does not say itself is so for one without a clock, which takes all at any time.
pub trait Output: Send {
    /// Hz of the samples wanted.
    fn rate(&self) -> u32;
    /// Takes samples; what does not fit is dropped.
    fn write(&mut self, now: Instant, samples: &[i16], why: Why);
    /// Learns what the device has taken, if it may be about to have nothing left: what is known of one that is not written to for
    /// a while grows old.
    fn refresh(&mut self, _now: Instant) {}
    /// When the device will have nothing left to play. `None` when it has no clock: it takes everything at any time.
    fn dry_at(&self, _now: Instant) -> Option<Instant> {
        None
    }
    /// How many samples it lacks, at least, of what it takes next: whole periods.
    fn lacks(&self) -> usize;
    /// Whether it has a clock of its own, else its writer's paces it.
    fn is_clocked(&self) -> bool {
        false
    }
    /// By which part the sound should be longer to keep the device's slack steady ([`crate::media::resample::Resampler::adjust`]).
    fn correction(&self) -> f64 {
        0.0
    }
    /// Whether anything hears it: a null device does not.
    fn is_heard(&self) -> bool;
    /// How often it wanted sound and found none, since it was opened.
    fn ran_dry(&self) -> u64 {
        0
    }
    /// Its socket woke the thread.
    fn woken(&mut self, _now: Instant) {}
    /// The device that the sound server moved it to, once for each move.
    fn take_move(&mut self) -> Option<String> {
        None
    }
    /// Why no more sound will be played.
    fn failure(&self) -> Option<String> {
        None
    }
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
    /// The sound server does not give it.
    #[error("can't open {name}: {source}")]
    Pulse {
        /// As it was asked for, or its id.
        name: String,
        /// Why.
        source: pulse::PulseError,
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

/// Opens an input by its name. It wakes `wake` as [`Input::wake_by_next`] asks, and now and then by itself.
pub fn open_input(name: &str, latency: Latency, wake: Wake) -> Result<Box<dyn Input>, OpenError> {
    let card = |host, name: Option<&str>| {
        open_card::<Box<dyn Input>>(
            host,
            name,
            |name| Ok(Box::new(pulse::microphone::Microphone::open(name, latency, Arc::clone(&wake))?)),
            |name| Ok(Box::new(capture::Card::open(name, latency, Arc::clone(&wake))?)),
        )
    };
    Ok(match Selector::parse(name)? {
        Selector::Default => card(None, None)?,
        Selector::Card { host, name } => card(host, Some(&name))?,
        Selector::Null => Box::new(simple::NullInput),
        Selector::Tone(hertz) => Box::new(simple::ToneInput::new(hertz)),
        Selector::Wav(path) => Box::new(simple::WavInput::new(wav::load(&path)?)),
    })
}

/// Opens an output by its name. It wakes `wake` now and then.
pub fn open_output(name: &str, latency: Latency, wake: Wake) -> Result<Box<dyn Output>, OpenError> {
    let card = |host, name: Option<&str>| {
        open_card::<Box<dyn Output>>(
            host,
            name,
            |name| Ok(Box::new(pulse::speaker::Speaker::open(name, latency, Arc::clone(&wake))?)),
            |name| Ok(Box::new(playback::Card::open(name, latency)?)),
        )
    };
    Ok(match Selector::parse(name)? {
        Selector::Default => card(None, None)?,
        Selector::Card { host, name } => card(host, Some(&name))?,
        Selector::Null => Box::new(simple::NullOutput),
        Selector::Tone(_) => return Err(OpenError::Unfit { name: name.to_owned(), purpose: "as an output" }),
        Selector::Wav(path) => Box::new(simple::WavOutput::create(path)),
    })
}

/// Opens a sound card at the host that is named, else at the sound server, else by ALSA.
pub(super) fn open_card<D>(
    host: Option<HostName>,
    name: Option<&str>,
    at_server: impl Fn(Option<&str>) -> Result<D, OpenError>,
    by_alsa: impl Fn(&str) -> Result<D, OpenError>,
) -> Result<D, OpenError> {
    let alsa_name = name.unwrap_or("default");
    match host {
        Some(HostName::PulseAudio) => at_server(name),
        Some(HostName::Alsa) => by_alsa(alsa_name),
        None if !pulse::is_there() => by_alsa(alsa_name),
        None => match at_server(name) {
            Ok(device) => Ok(device),
            // What ALSA says of a name that the server does not know is of more use; what the server says of its own is.
            Err(OpenError::NotFound { .. }) => by_alsa(alsa_name),
            Err(at_server) => by_alsa(alsa_name).map_err(|_| at_server),
        },
    }
}
