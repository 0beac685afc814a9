//! Devices without a clock of their own: silence, a tone, a WAV file. Whoever reads or writes them paces them.

use std::path::PathBuf;
use std::time::Instant;

use super::device::{Input, Output, Why};
use super::wav::{Clip, Writer};
use crate::media::resample::Resampler;

/// Silence.
pub struct NullInput;

impl Input for NullInput {
    fn read(&mut self, _: u32, out: &mut [i16]) {
        out.fill(0);
    }
}

/// Peak of the tone: -12 dBFS.
const TONE_PEAK: f64 = 32_767.0 * 0.251_19;

/// A sine, made at whatever rate is asked for.
pub struct ToneInput {
    hertz: f32,
    /// Of each rate, as a part of the full circle.
    phases: Vec<(u32, f64)>,
}

impl ToneInput {
    /// Of this many Hz.
    pub fn new(hertz: f32) -> ToneInput {
        ToneInput { hertz, phases: Vec::new() }
    }
}

impl Input for ToneInput {
    fn read(&mut self, rate: u32, out: &mut [i16]) {
        let at = self.phases.iter().position(|(known, _)| *known == rate).unwrap_or_else(|| {
            self.phases.push((rate, 0.0));
            self.phases.len() - 1
        });
        let phase = &mut self.phases[at].1;
        let step = f64::from(self.hertz) / f64::from(rate.max(1));
        for sample in out {
            *sample = (TONE_PEAK * (*phase * std::f64::consts::TAU).sin()).round() as i16;
            *phase = (*phase + step).fract();
        }
    }
}

/// A clip that is played from its beginning, at one rate.
pub struct Player {
    clip: Clip,
    at: usize,
    resampler: Option<Resampler>,
    made: Vec<i16>,
    looped: bool,
}

impl Player {
    /// Once, or over and over.
    pub fn new(clip: Clip, looped: bool) -> Player {
        Player { clip, at: 0, resampler: None, made: Vec::new(), looped }
    }

    /// Fills `out` at `rate` Hz; silence after the end.
    pub fn read(&mut self, rate: u32, out: &mut [i16]) {
        if self.resampler.as_ref().is_none_or(|resampler| resampler.to_rate() != rate) {
            self.resampler = Resampler::new(self.clip.rate, rate);
            self.made.clear();
        }
        let step = (self.clip.rate / 50).max(1) as usize;
        while self.made.len() < out.len() && !self.is_over() {
            let Some(resampler) = &mut self.resampler else { break };
            let end = (self.at + step).min(self.clip.samples.len());
            resampler.process(&self.clip.samples[self.at..end], &mut self.made);
            self.at = if self.looped && end == self.clip.samples.len() { 0 } else { end };
        }
        let count = self.made.len().min(out.len());
        out[..count].copy_from_slice(&self.made[..count]);
        out[count..].fill(0);
        self.made.drain(..count);
    }

    /// Whether the end was reached.
    pub fn is_over(&self) -> bool {
        self.clip.samples.is_empty() || self.at >= self.clip.samples.len()
    }
}

/// A WAV file, looped. With sessions of several rates each hears it from its own beginning.
pub struct WavInput {
    clip: Clip,
    players: Vec<(u32, Player)>,
}

impl WavInput {
    /// Of this sound.
    pub fn new(clip: Clip) -> WavInput {
        WavInput { clip, players: Vec::new() }
    }
}

impl Input for WavInput {
    fn read(&mut self, rate: u32, out: &mut [i16]) {
        let at = self.players.iter().position(|(known, _)| *known == rate).unwrap_or_else(|| {
            self.players.push((rate, Player::new(self.clip.clone(), true)));
            self.players.len() - 1
        });
        self.players[at].1.read(rate, out);
    }
}

/// Nobody hears it.
pub struct NullOutput;

impl Output for NullOutput {
    fn rate(&self) -> u32 {
        8000
    }
    fn write(&mut self, _: Instant, _: &[i16], _: Why) {}
    fn lacks(&self) -> usize {
        160
    }
    fn is_heard(&self) -> bool {
        false
    }
}

/// A WAV file, written: mono, 16 bits, 16 kHz.
pub struct WavOutput {
    writer: Writer,
}

impl WavOutput {
    /// Hz of the file.
    pub const RATE: u32 = 16_000;

    /// Begins the file; whether that works shows in [`Output::failure`].
    pub fn create(path: PathBuf) -> WavOutput {
        WavOutput { writer: Writer::create(path, 1, WavOutput::RATE) }
    }
}

impl Output for WavOutput {
    fn rate(&self) -> u32 {
        WavOutput::RATE
    }
    fn write(&mut self, _: Instant, samples: &[i16], _: Why) {
        self.writer.write(samples);
    }
    fn lacks(&self) -> usize {
        WavOutput::RATE as usize / 50
    }
    fn is_heard(&self) -> bool {
        true
    }
    fn failure(&self) -> Option<String> {
        self.writer.failure()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::media::{goertzel, levels};
    use std::sync::Arc;

    #[test]
    fn the_tone_is_minus_12_dbfs_at_its_frequency_in_any_pieces() {
        for rate in [8000, 48_000] {
            let mut tone = ToneInput::new(440.0);
            let mut sound = vec![0; rate as usize];
            sound.chunks_mut(160).for_each(|piece| tone.read(rate, piece));
            assert!((goertzel::level(&sound, 440.0, rate) + 15.0).abs() < 0.1);
            assert!((levels::rms_dbfs(&sound) + 15.0).abs() < 0.1);
        }
    }

    #[test]
    fn a_clip_ends_or_loops() {
        let clip = Clip { rate: 8000, samples: Arc::from([1i16, 2, 3]) };
        let mut once = Player::new(clip.clone(), false);
        let mut out = [9; 5];
        once.read(8000, &mut out);
        assert_eq!(out, [1, 2, 3, 0, 0]);
        assert!(once.is_over());
        let mut out = [9; 5];
        WavInput::new(clip).read(8000, &mut out);
        assert_eq!(out, [1, 2, 3, 1, 2]);
        let mut empty = WavInput::new(Clip { rate: 8000, samples: Arc::from([]) });
        empty.read(8000, &mut out);
        assert_eq!(out, [0; 5]);
    }
}
