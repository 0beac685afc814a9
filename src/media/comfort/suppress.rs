//! What is sent in the place of a packet: its sound, how the silence sounds, or nothing.

use super::activity::{Activity, Detector, dbfs};
use super::prediction::{Model, ORDER};

/// Bytes of a description: the level and the coefficients.
pub const MAX_PAYLOAD: usize = ORDER + 1;
/// The silence is described again after so many milliseconds: the last description may have been lost, and a router forgets
/// who sends nothing.
const EVERY_MS: usize = 1000;
/// Another description is worth a packet no sooner than so many milliseconds after the last one,
const SOONEST_MS: usize = 100;
/// when the level has changed by so many dB,
const LOUDER_DB: f32 = 3.0;
/// or the colour by so many.
const OTHER_DB: f32 = 2.0;

/// What becomes of a packet's samples.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Said {
    /// They are sent as they are.
    Sound,
    /// In their place goes a description of the silence, of so many bytes.
    Noise(usize),
    /// In their place goes nothing.
    Nothing,
}

/// Keeps back what need not be sent.
#[derive(Debug, Clone)]
pub struct Suppressor {
    detector: Detector,
    sample_rate: u32,
    /// The last description, while there is silence.
    described: Option<Described>,
}

#[derive(Debug, Clone)]
struct Described {
    level: f32,
    model: Model,
    /// Samples since it was sent.
    age: usize,
}

impl Suppressor {
    /// For sound of 8000 or 16000 Hz.
    pub fn new(sample_rate: u32) -> Suppressor {
        Suppressor { detector: Detector::new(sample_rate), sample_rate, described: None }
    }

    /// The sample rate, in Hz.
    pub fn sample_rate(&self) -> u32 {
        self.sample_rate
    }

    /// Takes the samples of a packet. A description (RFC 3389 section 3) is written to `out`.
    pub fn take(&mut self, samples: &[i16], out: &mut [u8; MAX_PAYLOAD]) -> Said {
        match self.detector.listen(samples) {
            Activity::Speech => {
                self.described = None;
                return Said::Sound;
            }
            Activity::Silence => {}
        }
        let sound = self.detector.silence();
        let level = dbfs(sound[0]);
        if let Some(last) = &mut self.described {
            last.age += samples.len();
            let ms = last.age * 1000 / self.sample_rate as usize;
            let changed = (level - last.level).abs() >= LOUDER_DB || {
                let own = Model::of(sound);
                10.0 * (last.model.left_of(sound) / own.residual.max(f32::MIN_POSITIVE)).log10() >= OTHER_DB
            };
            if ms < SOONEST_MS || (ms < EVERY_MS && !changed) {
                return Said::Nothing;
            }
        }
        let model = Model::of(sound);
        // Section 3.1: in -dBov, 0 to 127.
        out[0] = (-level).round().clamp(0.0, 127.0) as u8;
        for (byte, k) in out[1..].iter_mut().zip(&model.reflection) {
            *byte = index(*k);
        }
        self.described = Some(Described { level, model, age: 0 });
        Said::Noise(if level > SILENT { MAX_PAYLOAD } else { 1 })
    }
}

/// Silence below this level, in dBFS, has no colour.
const SILENT: f32 = -90.0;

/// Section 3.2: k = 258 (N - 127) / 32768 for N of 0 to 254.
fn index(k: f32) -> u8 {
    (k * 32_768.0 / 258.0 + 127.0).round().clamp(0.0, 254.0) as u8
}
