//! After how long a sound comes back: what was said beside what was heard.

use super::levels;

/// Below this the side that speaks says nothing, in dBFS.
const SILENT: f32 = -55.0;
/// The longest way there and back that is looked for, in ms.
const LONGEST: usize = 1_500;
/// Milliseconds over which loudness is taken: a period of a low voice.
const WINDOW: usize = 12;
/// How alike both must be, 1 being the same.
const ALIKE: f64 = 0.5;

/// Above it a sample belongs to a tone and not to silence; a codec's noise stays below.
const AUDIBLE: u16 = 1_000;

/// What is said.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sound {
    /// Words and pauses: their course is looked for.
    Voice,
    /// A tone that never changes: its beginning is looked for.
    Tone,
}

/// What came back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Echo {
    /// The sound, so many ms later.
    After(u32),
    /// Nothing was said.
    Silence,
    /// Something was said, and it did not come back.
    Lost,
}

/// Looks for `said` in `heard`, both at `rate` Hz and begun at the same moment.
pub fn find(said: &[i16], heard: &[i16], rate: u32, sound: Sound) -> Echo {
    match sound {
        _ if levels::rms_dbfs(said) < SILENT => Echo::Silence,
        Sound::Voice => by_course(said, heard, rate),
        Sound::Tone => by_beginning(said, heard, rate),
    }
}

fn by_beginning(said: &[i16], heard: &[i16], rate: u32) -> Echo {
    let begins = |side: &[i16]| side.iter().position(|sample| sample.unsigned_abs() > AUDIBLE);
    match (begins(said), begins(heard)) {
        (None, _) => Echo::Silence,
        (Some(said), Some(heard)) if heard >= said => {
            let ms = (heard - said) as u64 * 1_000 / u64::from(rate.max(1));
            Echo::After(u32::try_from(ms).unwrap_or(u32::MAX))
        }
        (Some(_), Some(_) | None) => Echo::Lost,
    }
}

/// Loudness over time is compared, so that codecs and concealment do no harm.
fn by_course(said: &[i16], heard: &[i16], rate: u32) -> Echo {
    let (said, heard) = (loudness(said, rate), loudness(heard, rate));
    let best = (0..LONGEST.min(heard.len())).map(|lag| (alike(&said, heard.get(lag..).unwrap_or_default()), lag));
    match best.max_by(|(a, _), (b, _)| a.total_cmp(b)) {
        Some((alike, lag)) if alike > ALIKE => Echo::After(u32::try_from(lag).unwrap_or(u32::MAX)),
        Some(_) | None => Echo::Lost,
    }
}

/// Mean level around each millisecond.
fn loudness(samples: &[i16], rate: u32) -> Vec<f64> {
    let step = (rate as usize / 1000).max(1);
    let each: Vec<f64> = samples
        .chunks(step)
        .map(|chunk| chunk.iter().map(|sample| f64::from(sample.unsigned_abs())).sum::<f64>() / chunk.len() as f64)
        .collect();
    each.windows(WINDOW).map(|window| window.iter().sum::<f64>() / WINDOW as f64).collect()
}

/// How alike two courses are, as far as both go: -1 to 1.
fn alike(one: &[f64], other: &[f64]) -> f64 {
    let length = one.len().min(other.len());
    let (one, other) = (&one[..length], &other[..length]);
    let mean = |course: &[f64]| course.iter().sum::<f64>() / length.max(1) as f64;
    let (mean_one, mean_other) = (mean(one), mean(other));
    let (mut both, mut of_one, mut of_other) = (0.0, 0.0, 0.0);
    for (a, b) in one.iter().zip(other) {
        let (a, b) = (a - mean_one, b - mean_other);
        both += a * b;
        of_one += a * a;
        of_other += b * b;
    }
    let size = (of_one * of_other).sqrt();
    if size > 0.0 { both / size } else { 0.0 }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RATE: u32 = 8_000;

    /// Words and pauses of uneven length.
    fn speech() -> Vec<i16> {
        let mut sound = Vec::new();
        let mut seed = 7u32;
        for word in 0..24 {
            seed = seed.wrapping_mul(1_103_515_245).wrapping_add(12_345);
            let length = 400 + (seed >> 16) as usize % 2_000;
            let loud = if word % 3 == 2 { 0.0 } else { 2_000.0 + f64::from(seed >> 20) };
            sound.extend((0..length).map(|n| (loud * (n as f64 * 0.19).sin()) as i16));
        }
        sound
    }

    fn tone(length: usize) -> Vec<i16> {
        (0..length).map(|n| (8000.0 * (std::f64::consts::TAU * 440.0 * n as f64 / 8000.0).sin()) as i16).collect()
    }

    fn late(sound: &[i16], ms: usize, gain: f64) -> Vec<i16> {
        let mut heard = vec![0; ms * RATE as usize / 1000];
        heard.extend(sound.iter().map(|sample| (f64::from(*sample) * gain) as i16));
        heard.truncate(sound.len());
        heard
    }

    #[test]
    fn a_voice_is_found_to_the_millisecond() {
        for (ms, gain) in [(0, 1.0), (43, 0.3), (212, 1.0), (900, 0.5)] {
            assert_eq!(find(&speech(), &late(&speech(), ms, gain), RATE, Sound::Voice), Echo::After(ms as u32));
        }
    }

    #[test]
    fn a_tone_is_found_by_its_beginning() {
        // With silence before it and without: a tone has no course.
        for said in [[vec![0; 4_000], tone(16_000)].concat(), tone(16_000)] {
            let Echo::After(ms) = find(&said, &late(&said, 51, 0.7), RATE, Sound::Tone) else { panic!("not found") };
            assert!(ms.abs_diff(51) <= 1, "{ms}");
        }
        assert_eq!(find(&tone(8_000), &[0; 8_000], RATE, Sound::Tone), Echo::Lost);
        assert_eq!(find(&[0; 8_000], &tone(8_000), RATE, Sound::Tone), Echo::Silence);
    }

    #[test]
    fn silence_and_strange_sounds_are_told() {
        let quiet: Vec<i16> = speech().iter().map(|sample| sample / 2000).collect();
        assert_eq!(find(&quiet, &speech(), RATE, Sound::Voice), Echo::Silence);
        assert_eq!(find(&[], &[], RATE, Sound::Voice), Echo::Silence);
        assert_eq!(find(&speech(), &vec![0; 40_000], RATE, Sound::Voice), Echo::Lost);
        assert_eq!(find(&speech(), &[], RATE, Sound::Voice), Echo::Lost);
        let mut reversed = speech();
        reversed.reverse();
        assert_eq!(find(&speech(), &reversed, RATE, Sound::Voice), Echo::Lost);
    }
}
