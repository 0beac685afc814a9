//! How much of one frequency a sound has: the yardstick of tests, and of checks that sound came back.

/// The RMS level in dBFS of what a sound has at `frequency` Hz (Goertzel's algorithm); the more samples, the narrower.
pub fn level(samples: &[i16], frequency: f32, sample_rate: u32) -> f32 {
    if samples.is_empty() || sample_rate == 0 {
        return super::levels::SILENCE_DBFS;
    }
    let omega = std::f64::consts::TAU * f64::from(frequency) / f64::from(sample_rate);
    let coefficient = 2.0 * omega.cos();
    let (mut last, mut before) = (0.0, 0.0);
    for &sample in samples {
        let next = f64::from(sample) / 32_768.0 + coefficient * last - before;
        before = last;
        last = next;
    }
    let power = last * last + before * before - coefficient * last * before;
    let rms = (power.max(0.0) * 2.0).sqrt() / samples.len() as f64;
    if rms > 0.0 { (20.0 * rms.log10()).max(-100.0) as f32 } else { super::levels::SILENCE_DBFS }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sine_is_found_at_its_frequency_and_level() {
        let sine: Vec<i16> = (0..8000)
            .map(|n| (16_384.0 * (std::f64::consts::TAU * 440.0 * f64::from(n) / 8000.0).sin()) as i16)
            .collect();
        assert!((level(&sine, 440.0, 8000) + 9.03).abs() < 0.05);
        assert!(level(&sine, 600.0, 8000) < -50.0);
        assert_eq!(level(&[0; 100], 440.0, 8000), -100.0);
        assert_eq!(level(&[], 440.0, 8000), -100.0);
    }
}
