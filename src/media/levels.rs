//! How loud a sound is, and gain.

/// The level of silence, in dBFS.
pub const SILENCE_DBFS: f32 = -100.0;

/// The RMS level of some samples in dBFS, where 0 is a square wave at full scale (a sine at full scale is -3); -100 for
/// silence and for no samples.
pub fn rms_dbfs(samples: &[i16]) -> f32 {
    if samples.is_empty() {
        return SILENCE_DBFS;
    }
    let energy: f64 = samples.iter().map(|&sample| f64::from(sample) * f64::from(sample)).sum();
    let rms = (energy / samples.len() as f64).sqrt() / 32768.0;
    if rms > 0.0 { (20.0 * rms.log10()).max(f64::from(SILENCE_DBFS)) as f32 } else { SILENCE_DBFS }
}

/// The factor of a gain in dB.
pub fn factor(db: f32) -> f32 {
    10f32.powf(db / 20.0)
}

/// Multiplies samples by a factor (see [`factor`]); what would exceed 16 bits is clipped softly.
pub fn amplify(samples: &mut [i16], factor: f32) {
    if factor == 1.0 {
        return;
    }
    for sample in samples {
        *sample = super::mixing::soft_clip((f32::from(*sample) * factor).round() as i32);
    }
}

/// The nearest sample of 16 bits; what exceeds them is clipped. (`round` would be a call of the C library for each.)
pub fn nearest(sample: f32) -> i16 {
    (sample + 0.5f32.copysign(sample)) as i16
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn samples_are_rounded_and_clipped() {
        let table = [
            (0.4, 0),
            (0.5, 1),
            (-0.4, 0),
            (-0.5, -1),
            (-7.6, -8),
            (32_766.6, 32_767),
            (1e9, i16::MAX),
            (-1e9, i16::MIN),
        ];
        for (sample, expected) in table {
            assert_eq!(nearest(sample), expected, "{sample}");
        }
    }

    #[test]
    fn silence_is_minus_100_and_a_full_square_wave_0() {
        assert_eq!(rms_dbfs(&[]), SILENCE_DBFS);
        assert_eq!(rms_dbfs(&[0; 160]), SILENCE_DBFS);
        assert!(rms_dbfs(&[i16::MIN, i16::MIN]).abs() < 0.001);
        assert!(rms_dbfs(&[1, 0, 0, 0]) > SILENCE_DBFS);
    }

    #[test]
    fn six_decibels_double() {
        let mut samples = [1000, -1000, 0];
        amplify(&mut samples, factor(6.0206));
        assert_eq!(samples, [2000, -2000, 0]);
        let mut loud = [30_000, -30_000];
        amplify(&mut loud, factor(40.0));
        assert!(loud[0] > 32_000 && loud[1] < -32_000);
    }
}
