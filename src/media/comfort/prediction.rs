//! A sound's spectrum as an all-pole model (linear prediction): from its autocorrelation to the coefficients of the filter that
//! whitens it, and to the reflection coefficients that RFC 3389 sends.

/// Coefficients of the model.
pub(super) const ORDER: usize = 10;

/// The autocorrelation of a sound at lags of 0 to [`ORDER`] samples; the first is its power per sample.
pub(super) type Autocorrelation = [f32; ORDER + 1];

/// A model of a sound.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Model {
    /// A(z) without the leading one: what makes the sound white.
    pub(super) whitening: [f32; ORDER],
    /// The same as reflection coefficients, -1 to 1 (RFC 3389 section 3.2).
    pub(super) reflection: [f32; ORDER],
    /// What the whitened sound has left of the power.
    pub(super) residual: f32,
}

impl Model {
    /// The model that fits best (Levinson and Durbin).
    pub(super) fn of(sound: &Autocorrelation) -> Model {
        let mut model = Model { whitening: [0.0; ORDER], reflection: [0.0; ORDER], residual: sound[0] };
        for m in 0..ORDER {
            if model.residual <= f32::EPSILON * sound[0].max(f32::MIN_POSITIVE) {
                break;
            }
            let before = model.whitening;
            let wanted: f32 = sound[m + 1] + (0..m).map(|n| before[n] * sound[m - n]).sum::<f32>();
            // Rounding alone brings one beyond these bounds, where the filter would swing by itself.
            let k = (-wanted / model.residual).clamp(-0.999, 0.999);
            for n in 0..m {
                model.whitening[n] = before[n] + k * before[m - 1 - n];
            }
            model.whitening[m] = k;
            model.reflection[m] = k;
            model.residual *= 1.0 - k * k;
        }
        model
    }

    /// The power that a sound has left when it is whitened by this model: at least [`Model::residual`] of its own model.
    pub(super) fn left_of(&self, sound: &Autocorrelation) -> f32 {
        let coefficient = |n: usize| if n == 0 { 1.0 } else { self.whitening[n - 1] };
        let pairs = (0..=ORDER).flat_map(|n| (0..=ORDER).map(move |m| (n, m)));
        pairs.map(|(n, m)| coefficient(n) * coefficient(m) * sound[n.abs_diff(m)]).sum()
    }
}

/// The autocorrelation of some samples under a Hann window, their power unchanged.
pub(super) fn autocorrelation(samples: &[f32], windowed: &mut Vec<f32>) -> Autocorrelation {
    let count = samples.len().max(1) as f32;
    let window = |n: usize| 0.5 - 0.5 * (std::f32::consts::TAU * (n as f32 + 0.5) / count).cos();
    windowed.clear();
    windowed.extend(samples.iter().enumerate().map(|(n, sample)| sample * window(n)));
    let mut lags = [0.0; ORDER + 1];
    for (lag, sum) in lags.iter_mut().enumerate() {
        let later = windowed.get(lag..).unwrap_or_default();
        // The mean of the window's square is 3/8.
        *sum = windowed.iter().zip(later).map(|(x, y)| x * y).sum::<f32>() / (count * 0.375);
    }
    // White noise 40 dB below keeps the model tame where the sound has nothing at all.
    lags[0] *= 1.0001;
    lags
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Noise through 1/(1 + a z^-1).
    fn coloured(a: f32) -> Vec<f32> {
        let (mut state, mut last) = (1u32, 0.0f32);
        let mut next = || {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            last = (state >> 16) as f32 - 32_768.0 - a * last;
            last
        };
        (0..4000).map(|_| next()).collect()
    }

    #[test]
    fn the_model_is_the_filter_that_made_the_sound() {
        for a in [-0.9f32, -0.3, 0.0, 0.7] {
            let sound = autocorrelation(&coloured(a), &mut Vec::new());
            let model = Model::of(&sound);
            assert!((model.reflection[0] - a).abs() < 0.1, "{a}: {:?}", model.reflection);
            assert!(model.reflection[1..].iter().all(|k| k.abs() < 0.15), "{a}: {:?}", model.reflection);
            let left = model.left_of(&sound);
            assert!((left / model.residual - 1.0).abs() < 0.01, "{left} of {}", model.residual);
            // Another sound is not whitened by it.
            let other = autocorrelation(&coloured(-a - 0.2), &mut Vec::new());
            assert!(model.left_of(&other) > Model::of(&other).residual);
        }
    }

    #[test]
    fn silence_and_a_pure_tone_are_survived() {
        assert_eq!(Model::of(&[0.0; ORDER + 1]).residual, 0.0);
        let tone: Vec<f32> = (0..80).map(|n| 10_000.0 * (n as f32 * 0.5).sin()).collect();
        let model = Model::of(&autocorrelation(&tone, &mut Vec::new()));
        assert!(model.reflection.iter().all(|k| k.abs() < 1.0));
    }
}
