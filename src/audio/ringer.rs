//! The ring tone on the ring device: two soft chimes and a pause, made once and played by the audio callback alone.

use std::f32::consts::TAU;

use super::capture::Callbacks;
use super::cards::{self, CardStream, Source};
use super::device::OpenError;
use super::name::Selector;

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

/// It rings while it lives. A null device rings in silence.
pub struct Ringer {
    card: Option<(std::sync::Arc<Callbacks>, CardStream)>,
}

impl Ringer {
    /// Opens the device and rings; blocks while it opens.
    pub fn open(name: &str) -> Result<Ringer, OpenError> {
        let (host, device) = match Selector::parse(name)? {
            Selector::Null => return Ok(Ringer { card: None }),
            Selector::Default => (None, "default".to_owned()),
            Selector::Card { host, name } => (host, name),
            Selector::Tone(_) | Selector::Wav(_) => {
                return Err(OpenError::Unfit { name: name.to_owned(), purpose: "to ring" });
            }
        };
        let callbacks = Callbacks::new();
        let make_source = |rate: u32| -> Source {
            let sound = ring_tone(rate);
            let callbacks = std::sync::Arc::clone(&callbacks);
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
            let callbacks = std::sync::Arc::clone(&callbacks);
            move |why| callbacks.lost(why)
        };
        let opened = cards::open_output(host, &device, PERIOD_US, make_source, on_error)?;
        Ok(Ringer { card: Some((callbacks, opened.stream)) })
    }

    /// Why it does not ring any more.
    pub fn failure(&self) -> Option<String> {
        self.card.as_ref().and_then(|(callbacks, _)| callbacks.failure())
    }
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
        assert!(Ringer::open("null").is_ok());
        assert!(Ringer::open("tone:440").is_err());
        assert!(Ringer::open("a.wav").is_err());
    }
}
