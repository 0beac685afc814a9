//! Whether a sound reaches above 8 kHz, what wide band does not carry: a voice before a microphone does with every "s", one that
//! came by telephone or from a headset by Bluetooth never.

/// An elliptic high-pass of the eighth order at 48 kHz: half a dB of ripple from 8.5 kHz on, 50 dB less at 7.5 kHz, 70 dB below.
/// Of each section the numerator, whose first and last are the same, and the denominator after its first, which is 1.
const SECTIONS: [([f32; 2], [f32; 2]); 4] = [
    ([1.0, -1.933_065], [0.528_665_7, 0.213_560_9]),
    ([1.0, -1.579_773_1], [-0.228_509_8, 0.600_555_8]),
    ([1.0, -1.294_873], [-0.691_015_4, 0.843_948_5]),
    ([1.0, -1.172_341_6], [-0.872_694_1, 0.959_612]),
];
const GAIN: f32 = 0.057_699_3;
/// The mean of squares from which on something is there: that of -70 dBFS. The noise of most microphones is above, unless it is
/// held down.
const AUDIBLE: f32 = 107.0;
/// State that is less is none: numbers that fall on towards zero become slow to count with.
const NOTHING: f32 = 1e-6;

/// Listens to a sound at 48 kHz.
#[derive(Debug, Default)]
pub(super) struct Highs {
    state: [[f32; 2]; SECTIONS.len()],
}

impl Highs {
    /// Whether there is something above 8 kHz in the next samples.
    pub(super) fn are_in(&mut self, samples: &[i16]) -> bool {
        let mut sum = 0.0;
        for &sample in samples {
            let mut x = f32::from(sample) * GAIN;
            for (([b0, b1], [a1, a2]), [s1, s2]) in SECTIONS.iter().zip(&mut self.state) {
                // Transposed direct form II.
                let y = b0 * x + *s1;
                *s1 = b1 * x - a1 * y + *s2;
                *s2 = b0 * x - a2 * y;
                x = y;
            }
            sum += x * x;
        }
        for value in self.state.iter_mut().flatten().filter(|value| value.abs() < NOTHING) {
            *value = 0.0;
        }
        sum > AUDIBLE * samples.len() as f32
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hears(hertz: f32, dbfs: f32) -> bool {
        let level = 32_768.0 * 10f32.powf(dbfs / 20.0) * std::f32::consts::SQRT_2;
        let tone: Vec<i16> =
            (0..9_600).map(|n| (level * (n as f32 * std::f32::consts::TAU * hertz / 48_000.0).sin()) as i16).collect();
        let mut highs = Highs::default();
        // The beginning of a tone is a click.
        highs.are_in(&tone[..4_800]);
        highs.are_in(&tone[4_800..])
    }

    #[test]
    fn what_wide_band_carries_is_not_heard_and_the_rest_is() {
        for hertz in [60.0, 1_000.0, 3_000.0, 6_000.0, 7_000.0] {
            assert!(!hears(hertz, -6.0), "{hertz}");
        }
        assert!(!hears(7_500.0, -22.0));
        for hertz in [8_500.0, 10_000.0, 14_000.0, 19_000.0] {
            assert!(hears(hertz, -66.0), "{hertz}");
            assert!(!hears(hertz, -74.0), "{hertz}");
        }
    }

    #[test]
    fn silence_comes_to_rest() {
        let mut highs = Highs::default();
        assert!(highs.are_in(&[20_000; 960]));
        for _ in 0..10 {
            highs.are_in(&[0; 960]);
        }
        assert_eq!(highs.state, [[0.0; 2]; 4]);
    }
}
