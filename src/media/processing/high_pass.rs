//! What is lower than any voice is taken out before echo or noise is looked for: hum, rumble, a microphone's offset.

use std::f64::consts::{PI, TAU};

/// Hz at which half the power is left: the fundamental of the lowest voices is not below.
const CORNER: f64 = 70.0;
/// Two make a Butterworth filter of the fourth order: 24 dB an octave, and flat above.
const SECTIONS: usize = 2;

/// A high-pass filter for a mono sound.
#[derive(Debug, Clone)]
pub struct HighPass {
    sections: [Section; SECTIONS],
}

impl HighPass {
    /// For sound at `rate` Hz.
    pub fn new(rate: u32) -> HighPass {
        // Butterworth's poles stand evenly on a half circle.
        let q = |section: usize| 0.5 / (PI * (2 * section + 1) as f64 / (4 * SECTIONS) as f64).cos();
        HighPass { sections: std::array::from_fn(|section| Section::new(rate, q(section))) }
    }

    /// Filters in place; goes on where it was.
    pub fn process(&mut self, sound: &mut [i16]) {
        for sample in sound {
            let filtered = self.sections.iter_mut().fold(f64::from(*sample), |sum, section| section.next(sum));
            *sample = filtered.round() as i16;
        }
    }
}

/// Two poles, two zeros at 0 Hz: by the bilinear transform, in the transposed direct form II.
#[derive(Debug, Clone, Default)]
struct Section {
    gain: f64,
    a1: f64,
    a2: f64,
    s1: f64,
    s2: f64,
}

impl Section {
    fn new(rate: u32, q: f64) -> Section {
        let w = TAU * CORNER / f64::from(rate);
        let alpha = w.sin() / (2.0 * q);
        let scale = 1.0 / (1.0 + alpha);
        Section {
            gain: (1.0 + w.cos()) / 2.0 * scale,
            a1: -2.0 * w.cos() * scale,
            a2: (1.0 - alpha) * scale,
            ..Section::default()
        }
    }

    fn next(&mut self, sample: f64) -> f64 {
        let x = sample * self.gain;
        let y = x + self.s1;
        self.s1 = -2.0 * x - self.a1 * y + self.s2;
        self.s2 = x - self.a2 * y;
        y
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::media::goertzel;
    use crate::media::processing::{FULL, WIDE};

    /// By how many dB a tone becomes louder.
    fn gain(rate: u32, hertz: f64) -> f32 {
        let tone = |n: u32| (8_000.0 * (TAU * hertz * f64::from(n) / f64::from(rate)).sin()) as i16;
        let mut sound: Vec<i16> = (0..2 * rate).map(tone).collect();
        let before = goertzel::level(&sound[rate as usize..], hertz as f32, rate);
        HighPass::new(rate).process(&mut sound);
        goertzel::level(&sound[rate as usize..], hertz as f32, rate) - before
    }

    #[test]
    fn hum_goes_and_voices_stay() {
        for rate in [WIDE, FULL] {
            assert!((gain(rate, 70.0) + 3.0).abs() < 0.1, "{}", gain(rate, 70.0));
            assert!(gain(rate, 35.0) < -23.0, "{}", gain(rate, 35.0));
            for hertz in [120.0, 300.0, 3_400.0, 7_000.0] {
                assert!((-0.4..0.05).contains(&gain(rate, hertz)), "{hertz}: {}", gain(rate, hertz));
            }
        }
    }

    #[test]
    fn an_offset_goes_and_nothing_grows() {
        let mut high_pass = HighPass::new(WIDE);
        let mut sound = vec![i16::MAX; 5 * WIDE as usize];
        high_pass.process(&mut sound);
        assert!(sound[WIDE as usize..].iter().all(|sample| sample.abs() <= 1));
        let mut steps: Vec<i16> = (0..WIDE).map(|n| if n / 50 % 2 == 0 { i16::MAX } else { i16::MIN }).collect();
        high_pass.process(&mut steps);
        high_pass.process(&mut sound);
        assert!(sound[WIDE as usize..].iter().all(|sample| sample.abs() <= 1), "it has settled again");
    }
}
