//! The ring tone on the ring device: two soft chimes and a pause, made once.

use std::f32::consts::TAU;
use std::sync::Arc;

use super::capture::Callbacks;
use super::cards::{self, CardStream, Direction, Source};
use super::device::{OpenError, Wake, key, open_card};
use super::name::Selector;
use super::pulse;
use super::pulse::connection::Connection;
use super::pulse::link::{Heard, Link};

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
/// The same for a sound server, which asks four periods ahead.
const SERVER_PERIOD_US: u32 = 250_000;

/// It rings while it lives.
pub struct Ringer(Bell);

/// What rings.
enum Bell {
    /// Nothing: a null device rings in silence.
    Silent,
    /// The sound server, which is given sound for a second at a time.
    Server { link: Link, sound: Vec<i16>, at: usize, piece: Vec<i16> },
    /// A card of ALSA's, by its callback.
    Card { callbacks: Arc<Callbacks>, _stream: CardStream },
}

impl Ringer {
    /// Opens the device and rings; blocks while it opens. It wakes `wake` when the server wants more.
    pub fn open(name: &str, wake: Wake) -> Result<Ringer, OpenError> {
        let (host, device) = match Selector::parse(name)? {
            Selector::Null => return Ok(Ringer(Bell::Silent)),
            Selector::Default => (None, None),
            Selector::Card { host, name } => (host, Some(name)),
            Selector::Tone(_) | Selector::Wav(_) => {
                return Err(OpenError::Unfit { name: name.to_owned(), purpose: "to ring" });
            }
        };
        let at_server = |name: Option<&str>| Bell::at_server(name, Arc::clone(&wake));
        open_card(host, device.as_deref(), at_server, Bell::by_alsa).map(Ringer)
    }

    /// Its socket woke the thread.
    pub fn woken(&mut self) {
        match &mut self.0 {
            Bell::Server { link, sound, at, piece } => {
                let mut wanted = 0;
                link.read(|heard| match heard {
                    Heard::Wanted(bytes) => wanted += bytes as usize,
                    Heard::Sound(_) | Heard::Dry | Heard::Moved(_) => (),
                });
                give(link, sound, at, piece, wanted);
                link.watch();
            }
            Bell::Silent | Bell::Card { .. } => (),
        }
    }

    /// Why it does not ring any more.
    pub fn failure(&self) -> Option<String> {
        match &self.0 {
            Bell::Silent => None,
            Bell::Server { link, .. } => link.failure().map(str::to_owned),
            Bell::Card { callbacks, .. } => callbacks.failure(),
        }
    }
}

impl Bell {
    fn at_server(name: Option<&str>, wake: Wake) -> Result<Bell, OpenError> {
        let open = |connection: &mut Connection, device: Option<&str>| connection.play(device, SERVER_PERIOD_US);
        let (connection, made) = pulse::find(Direction::Output, name, open)?;
        let refused = |source| OpenError::Pulse { name: made.device.clone(), source };
        let mut link = Link::new(connection, &made, wake, key::RING).map_err(refused)?;
        let (sound, mut at, mut piece) = (ring_tone(pulse::RATE), 0, Vec::new());
        give(&mut link, &sound, &mut at, &mut piece, made.wanted as usize);
        link.watch();
        Ok(Bell::Server { link, sound, at, piece })
    }

    fn by_alsa(device: &str) -> Result<Bell, OpenError> {
        let callbacks = Callbacks::new();
        let make_source = |rate: u32| -> Source {
            let sound = ring_tone(rate);
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
        assert!(Ringer::open("null", wake()).is_ok());
        assert!(Ringer::open("tone:440", wake()).is_err());
        assert!(Ringer::open("a.wav", wake()).is_err());
    }
}
