//! The ring tone on the ring device: two soft chimes and a pause, or a file; made ready once.

use std::f32::consts::TAU;
use std::path::Path;
use std::sync::Arc;

use super::capture::Callbacks;
use super::cards::{self, CardStream, Direction, Source};
use super::device::{OpenError, Wake, key, open_card};
use super::name::Selector;
use super::pulse;
use super::pulse::connection::Connection;
use super::pulse::link::{Heard, Link};
use super::wav::{self, Clip};
use crate::media::resample::Resampler;

/// A period: two phrases, then silence, in seconds.
const PERIOD_S: f32 = 3.0;
/// When each chime begins, in seconds, and its note in Hz: E5 G#5 B5, twice.
const CHIMES: [(f32, f32); 6] =
    [(0.0, 659.26), (0.14, 830.61), (0.28, 987.77), (0.8, 659.26), (0.94, 830.61), (1.08, 987.77)];
/// Partials of a chime: times the note, level, seconds until it has fallen to 37 %.
const PARTIALS: [(f32, f32, f32); 3] = [(1.0, 1.0, 0.35), (2.76, 0.35, 0.12), (5.4, 0.12, 0.05)];
const PEAK: f32 = 0.35;
/// The device's period: nobody waits for a ring.
const PERIOD_US: u32 = 20_000;
/// The same for a sound server, which asks four periods ahead. It begins to play within that time: where another device is
/// chosen while it rings, that is heard as a gap.
const SERVER_PERIOD_US: u32 = 40_000;

/// It rings while it lives.
pub struct Ringer {
    bell: Bell,
    moved: Option<String>,
}

/// What rings.
enum Bell {
    /// Nothing: a null device rings in silence.
    Silent,
    /// The sound server, which is given sound for a moment at a time.
    Server { link: Link, sound: Vec<i16>, at: usize, piece: Vec<i16> },
    /// A card of ALSA's, by its callback.
    Card { callbacks: Arc<Callbacks>, _stream: CardStream },
}

impl Ringer {
    /// Opens the device and rings, with a WAV file if one is given and can be read; blocks meanwhile. It wakes `wake` when the
    /// server wants more.
    pub fn open(name: &str, file: Option<&Path>, wake: Wake) -> Result<Ringer, OpenError> {
        let (host, device) = match Selector::parse(name)? {
            Selector::Null => return Ok(Ringer::of(Bell::Silent)),
            Selector::Default => (None, None),
            Selector::Card { host, name } => (host, Some(name)),
            Selector::Tone(_) | Selector::Wav(_) => {
                return Err(OpenError::Unfit { name: name.to_owned(), purpose: "to ring" });
            }
        };
        let clip = file.and_then(|path| {
            // A phone that can't be heard would be worse than one that sounds otherwise.
            wav::load(path).inspect_err(|error| tracing::warn!(%error, "the ring tone is the built-in one")).ok()
        });
        let sound = |rate: u32| clip.as_ref().and_then(|clip| at_rate(clip, rate)).unwrap_or_else(|| ring_tone(rate));
        let at_server = |name: Option<&str>| Bell::at_server(name, sound(pulse::RATE), Arc::clone(&wake));
        open_card(host, device.as_deref(), at_server, |device| Bell::by_alsa(device, sound)).map(Ringer::of)
    }

    fn of(bell: Bell) -> Ringer {
        Ringer { bell, moved: None }
    }

    /// Its socket woke the thread.
    pub fn woken(&mut self) {
        let Ringer { bell, moved } = self;
        match bell {
            Bell::Server { link, sound, at, piece } => {
                let mut wanted = 0;
                link.read(|heard| match heard {
                    Heard::Wanted(bytes) => wanted += bytes as usize,
                    Heard::Moved(device) => *moved = Some(device),
                    Heard::Sound(_) | Heard::Dry => (),
                });
                give(link, sound, at, piece, wanted);
                link.watch();
            }
            Bell::Silent | Bell::Card { .. } => (),
        }
    }

    /// The device that the sound server moved it to, once for each move.
    pub fn take_move(&mut self) -> Option<String> {
        self.moved.take()
    }

    /// Why it does not ring any more.
    pub fn failure(&self) -> Option<String> {
        match &self.bell {
            Bell::Silent => None,
            Bell::Server { link, .. } => link.failure().map(str::to_owned),
            Bell::Card { callbacks, .. } => callbacks.failure(),
        }
    }
}

impl Bell {
    fn at_server(name: Option<&str>, sound: Vec<i16>, wake: Wake) -> Result<Bell, OpenError> {
        let open = |connection: &mut Connection, device: Option<&str>| connection.play(device, SERVER_PERIOD_US);
        let (connection, made) = pulse::find(Direction::Output, name, open)?;
        let refused = |source| OpenError::Pulse { name: made.device.clone(), source };
        let mut link = Link::new(connection, &made, wake, key::RING).map_err(refused)?;
        let (mut at, mut piece) = (0, Vec::new());
        give(&mut link, &sound, &mut at, &mut piece, made.wanted as usize);
        link.watch();
        Ok(Bell::Server { link, sound, at, piece })
    }

    fn by_alsa(device: &str, sound: impl Fn(u32) -> Vec<i16>) -> Result<Bell, OpenError> {
        let callbacks = Callbacks::new();
        let make_source = |rate: u32| -> Source {
            let sound = sound(rate);
            let callbacks = Arc::clone(&callbacks);
            let mut at = 0;
            Box::new(move |samples| {
                for sample in samples.iter_mut() {
                    *sample = sound[at];
                    at = (at + 1) % sound.len();
                }
                callbacks.came(samples.len());
            })
        };
        let on_error = {
            let callbacks = Arc::clone(&callbacks);
            move |why| callbacks.lost(why)
        };
        let opened = cards::open_output(device, PERIOD_US, make_source, on_error)?;
        Ok(Bell::Card { callbacks, _stream: opened.stream })
    }
}

/// Gives the server the next `bytes` of the sound, which begins anew when it is over.
fn give(link: &mut Link, sound: &[i16], at: &mut usize, piece: &mut Vec<i16>, bytes: usize) {
    piece.clear();
    piece.extend(sound.iter().cycle().skip(*at).take(bytes / 2));
    *at = (*at + piece.len()) % sound.len().max(1);
    link.write(piece);
}

/// A file's sound at the device's rate; `None` when there is nothing in it.
fn at_rate(clip: &Clip, rate: u32) -> Option<Vec<i16>> {
    let mut sound = Vec::new();
    Resampler::new(clip.rate, rate)?.process(&clip.samples, &mut sound);
    (!sound.is_empty()).then_some(sound)
}

/// One period of the ring tone; at least one sample.
pub fn ring_tone(rate: u32) -> Vec<i16> {
    let rate = rate.max(1000) as f32;
    let mut sound = vec![0f32; (rate * PERIOD_S) as usize];
    for (begins, note) in CHIMES {
        let first = (begins * rate) as usize;
        for (n, sample) in sound.iter_mut().skip(first).enumerate() {
            let t = n as f32 / rate;
            let attack = (t / 0.004).min(1.0);
            let partial =
                |&(times, level, fall): &(f32, f32, f32)| level * (-t / fall).exp() * (TAU * note * times * t).sin();
            *sample += attack * PARTIALS.iter().map(partial).sum::<f32>();
        }
    }
    let fade = (rate * 0.05) as usize;
    let length = sound.len();
    for (n, sample) in sound.iter_mut().enumerate().skip(length - fade) {
        *sample *= (length - n) as f32 / fade as f32;
    }
    let loudest = sound.iter().fold(f32::EPSILON, |loudest, sample| loudest.max(sample.abs()));
    sound.iter().map(|sample| (sample / loudest * PEAK * 32_767.0) as i16).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::media::{goertzel, levels};

    #[test]
    fn it_rings_twice_and_pauses_without_a_click() {
        for rate in [8000, 44_100, 48_000] {
            let sound = ring_tone(rate);
            let second = rate as usize;
            assert_eq!(sound.len(), 3 * second);
            assert!(goertzel::level(&sound[..second / 2], 987.77, rate) > -30.0);
            assert!(goertzel::level(&sound[second * 8 / 10..second * 13 / 10], 987.77, rate) > -30.0);
            assert!(levels::rms_dbfs(&sound[second * 27 / 10..]) < -50.0);
            assert!(sound[0].abs() < 200 && sound[sound.len() - 1].abs() < 200);
        }
    }

    #[test]
    fn only_devices_ring() {
        let wake = || Arc::new(polling::Poller::new().unwrap());
        assert!(Ringer::open("null", None, wake()).is_ok());
        assert!(Ringer::open("tone:440", None, wake()).is_err());
        assert!(Ringer::open("a.wav", None, wake()).is_err());
    }

    #[test]
    fn a_file_rings_at_the_rate_of_the_device() {
        let clip = Clip { rate: 8000, samples: vec![1000; 8000].into() };
        let sound = at_rate(&clip, 48_000).unwrap();
        assert!(sound.len().abs_diff(48_000) < 200, "{}", sound.len());
        assert!(at_rate(&Clip { rate: 8000, samples: Vec::new().into() }, 48_000).is_none());
    }
}
