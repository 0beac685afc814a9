//! What is heard while the other side is silent and sends nothing.

/// Coefficients that are used at most; more are ignored, as section 3.1 allows.
const MOST_COEFFICIENTS: usize = 16;
/// Milliseconds over which the level comes to another one.
const SLOPE_MS: f32 = 20.0;

/// Makes noise of the level and the colour that the other side describes.
#[derive(Debug, Clone)]
pub struct Generator {
    sample_rate: u32,
    state: u32,
    order: usize,
    /// Of the synthesis filter 1/A(z), without the leading one.
    filter: [f32; MOST_COEFFICIENTS],
    memory: [f32; MOST_COEFFICIENTS],
    /// Of the white noise that the filter is fed, and what it is on its way to.
    level: f32,
    wanted: f32,
}

impl Generator {
    /// Noise at `sample_rate` Hz; silent until it is described.
    pub fn new(sample_rate: u32) -> Generator {
        Generator {
            sample_rate,
            state: 0x6d2b_79f5,
            order: 0,
            filter: [0.0; MOST_COEFFICIENTS],
            memory: [0.0; MOST_COEFFICIENTS],
            level: 0.0,
            wanted: 0.0,
        }
    }

    /// Takes a description: the level in -dBov, then reflection coefficients (section 3). An empty one changes nothing.
    pub fn describe(&mut self, payload: &[u8]) {
        let Some((&level, coefficients)) = payload.split_first() else { return };
        let rms = 32_768.0 * 10f32.powf(-f32::from(level & 0x7f) / 20.0);
        self.order = coefficients.len().min(MOST_COEFFICIENTS);
        self.filter = [0.0; MOST_COEFFICIENTS];
        // What the filter adds to the level of the noise it is fed.
        let mut gain = 1.0f32;
        for (m, &byte) in coefficients.iter().take(self.order).enumerate() {
            // Section 3.2: 0 to 254 for -1 to 1.
            let k = ((f32::from(byte) - 127.0) * 258.0 / 32_768.0).clamp(-0.97, 0.97);
            let before = self.filter;
            for n in 0..m {
                self.filter[n] = before[n] + k * before[m - 1 - n];
            }
            self.filter[m] = k;
            gain *= 1.0 - k * k;
        }
        self.wanted = rms * gain.sqrt();
    }

    /// Appends `count` samples.
    pub fn fill(&mut self, out: &mut Vec<i16>, count: usize) {
        let slope = 1000.0 / (SLOPE_MS * self.sample_rate.max(1) as f32);
        for _ in 0..count {
            self.level += (self.wanted - self.level) * slope;
            let sample = self.white() * self.level - self.fed_back();
            self.memory.copy_within(0..MOST_COEFFICIENTS - 1, 1);
            self.memory[0] = sample;
            out.push(sample.clamp(-32_768.0, 32_767.0) as i16);
        }
    }

    fn fed_back(&self) -> f32 {
        self.filter.iter().zip(&self.memory).take(self.order).map(|(a, x)| a * x).sum()
    }

    /// White noise of RMS 1: evenly spread over the square root of three to both sides.
    fn white(&mut self) -> f32 {
        // Xorshift (Marsaglia 2003).
        self.state ^= self.state << 13;
        self.state ^= self.state >> 17;
        self.state ^= self.state << 5;
        (self.state as f32 / u32::MAX as f32 * 2.0 - 1.0) * 3f32.sqrt()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::media::goertzel;
    use crate::media::levels::rms_dbfs;

    fn noise(payload: &[u8]) -> Vec<i16> {
        let mut generator = Generator::new(8000);
        generator.describe(payload);
        let mut out = Vec::new();
        generator.fill(&mut out, 16_000);
        out.split_off(8000)
    }

    #[test]
    fn the_level_is_the_one_described() {
        for level in [30u8, 45, 60] {
            for coefficients in [&[][..], &[200], &[40, 160, 100], &[127; 30]] {
                let payload = [&[level][..], coefficients].concat();
                let heard = rms_dbfs(&noise(&payload));
                assert!((heard + f32::from(level)).abs() < 1.0, "{heard} for -{level} with {coefficients:?}");
            }
        }
        assert_eq!(noise(&[]), vec![0; 8000]);
    }

    #[test]
    fn the_colour_is_the_one_described() {
        // A first coefficient near -1 is a low sound, near 1 a high one.
        let share = |byte: u8| {
            let sound = noise(&[30, byte]);
            let band = |from: u32| {
                (from..from + 400)
                    .step_by(8)
                    .map(|hz| 10f32.powf(goertzel::level(&sound, hz as f32, 8000) / 10.0))
                    .sum()
            };
            let (low, high): (f32, f32) = (band(200), band(3400));
            10.0 * (low / high).log10()
        };
        assert!(share(20) > 10.0 && share(234) < -10.0 && share(127).abs() < 3.0);
    }

    #[test]
    fn any_description_is_survived() {
        for first in 0..=255u8 {
            let payload: Vec<u8> = (0..20u8).map(|n| first.wrapping_mul(n).wrapping_add(n)).collect();
            assert!(noise(&payload).iter().any(|&sample| sample.unsigned_abs() < 32_000));
        }
    }
}
