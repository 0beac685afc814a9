//! Speech made longer or shorter by a piece of itself, at the same pitch: waveform similarity overlap-add (WSOLA).
//!
//! A piece is cut out, or put in once more, where the sound before it and after it are most alike: in voiced speech that is a
//! whole number of pitch periods. Both ends are blended, so that there is no step.

/// Milliseconds of the shortest and of the longest piece.
const SHORTEST_MS: f32 = 2.5;
pub const LONGEST_MS: usize = 15;
/// Milliseconds over which sound is blended, and over which likeness is judged.
const BLEND_MS: usize = 5;
/// Likeness, from 0 to 1, that two places need.
const ALIKE: f32 = 0.75;
/// Sound softer than this (RMS) is a pause, in which any two places will do.
const PAUSE_RMS: f32 = 60.0;
/// The search looks at every so many samples first, at more than 8 kHz.
const COARSE_RATE: usize = 8000;

/// How much a change of the sound is worth.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Need {
    /// Only where it is not heard.
    Gentle,
    /// Even where it may be heard a little.
    Urgent,
}

/// Makes sound longer or shorter.
#[derive(Debug, Clone, Copy)]
pub struct TimeScale {
    samples_per_ms: usize,
    stride: usize,
}

impl TimeScale {
    /// For sound of `sample_rate` Hz.
    pub fn new(sample_rate: u32) -> TimeScale {
        let rate = sample_rate as usize;
        TimeScale { samples_per_ms: (rate / 1000).max(1), stride: (rate / COARSE_RATE).max(1) }
    }

    /// Cuts a piece of at most `most` samples out of `sound` after `from`, and gives its length; 0 when no piece fits.
    pub fn squeeze(&self, sound: &mut Vec<i16>, from: usize, most: usize, need: Need) -> usize {
        let blend = BLEND_MS * self.samples_per_ms;
        let room = sound.len().saturating_sub(from + blend);
        let longest = most.min(room).min(LONGEST_MS * self.samples_per_ms);
        let Some(lag) = self.best_lag(longest, need, |lag| {
            Some((sound.get(from..from + blend)?, sound.get(from + lag..from + lag + blend)?))
        }) else {
            return 0;
        };
        for n in 0..blend {
            sound[from + n] = mix(sound[from + n], sound[from + lag + n], n, blend);
        }
        sound.copy_within(from + lag + blend.., from + blend);
        sound.truncate(sound.len() - lag);
        lag
    }

    /// Puts a piece of at most `most` samples into `sound` at `from` once more, and gives its length; 0 when no piece fits.
    /// What is before `from` has been played: the piece is taken from its end.
    pub fn stretch(&self, sound: &mut Vec<i16>, from: usize, most: usize, need: Need) -> usize {
        let longest = most.min(from).min(LONGEST_MS * self.samples_per_ms);
        let blend = BLEND_MS * self.samples_per_ms;
        let Some(lag) = self.best_lag(longest, need, |lag| {
            Some((sound.get(from..from + blend)?, sound.get(from - lag..from - lag + blend)?))
        }) else {
            return 0;
        };
        let end = sound.len();
        sound.resize(end + lag, 0);
        sound.copy_within(from..end, from + lag);
        // [from - lag, from) once more; its beginning grows out of what would have come next.
        let blend = blend.min(lag);
        for n in 0..lag {
            let again = sound[from - lag + n];
            sound[from + n] = if n < blend { mix(sound[from + lag + n], again, n, blend) } else { again };
        }
        lag
    }

    /// The lag up to `longest` at which two places are most alike, if they are alike enough.
    fn best_lag<'a>(
        &self,
        longest: usize,
        need: Need,
        places: impl Fn(usize) -> Option<(&'a [i16], &'a [i16])>,
    ) -> Option<usize> {
        let shortest = (SHORTEST_MS * self.samples_per_ms as f32) as usize;
        if longest < shortest {
            return None;
        }
        let mut best = (f32::MIN, 0);
        for lag in (shortest..=longest).step_by(self.stride) {
            let (one, other) = places(lag)?;
            let likeness = likeness(one, other, self.stride);
            if likeness > best.0 {
                best = (likeness, lag);
            }
        }
        let near = best.1.saturating_sub(self.stride - 1).max(shortest)..=(best.1 + self.stride - 1).min(longest);
        best.0 = f32::MIN;
        for lag in near {
            let (one, other) = places(lag)?;
            let likeness = likeness(one, other, 1);
            if likeness > best.0 {
                best = (likeness, lag);
            }
        }
        let (one, other) = places(best.1)?;
        let pause = rms(one) < PAUSE_RMS && rms(other) < PAUSE_RMS;
        let enough = match need {
            Need::Gentle => ALIKE,
            Need::Urgent => ALIKE / 2.0,
        };
        if pause {
            // Nothing is heard of it: the longest piece is the best.
            return places(longest).filter(|(_, other)| rms(other) < PAUSE_RMS).map_or(Some(best.1), |_| Some(longest));
        }
        (best.0 >= enough).then_some(best.1)
    }
}

/// From `a` to `b` at step `n` of `all`.
fn mix(a: i16, b: i16, n: usize, all: usize) -> i16 {
    let (n, all) = (n as i32, all as i32);
    ((i32::from(a) * (all - n) + i32::from(b) * n) / all) as i16
}

/// Normalised correlation of two sounds, of every `stride`-th sample.
pub(super) fn likeness(one: &[i16], other: &[i16], stride: usize) -> f32 {
    let (mut product, mut energy, mut other_energy) = (0.0f32, 1.0f32, 1.0f32);
    for (&a, &b) in one.iter().zip(other).step_by(stride) {
        let (a, b) = (f32::from(a), f32::from(b));
        product += a * b;
        energy += a * a;
        other_energy += b * b;
    }
    product / (energy * other_energy).sqrt()
}

fn rms(sound: &[i16]) -> f32 {
    let energy: f32 = sound.iter().map(|&sample| f32::from(sample) * f32::from(sample)).sum();
    (energy / sound.len().max(1) as f32).sqrt()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::media::goertzel;

    /// A voiced sound: a pitch of `hertz` with overtones.
    fn voice(rate: u32, hertz: f64, count: usize) -> Vec<i16> {
        let step = std::f64::consts::TAU * hertz / f64::from(rate);
        (0..count)
            .map(|n| (1..8).map(|k| 3000.0 / f64::from(k) * (step * f64::from(k) * n as f64).sin()).sum::<f64>() as i16)
            .collect()
    }

    fn largest_step(sound: &[i16]) -> i32 {
        sound.windows(2).map(|two| (i32::from(two[1]) - i32::from(two[0])).abs()).max().unwrap_or(0)
    }

    #[test]
    fn a_voice_keeps_its_pitch_and_has_no_step() {
        for (rate, hertz) in [(8000, 100.0), (8000, 230.0), (16_000, 150.0), (48_000, 120.0), (48_000, 300.0)] {
            let scale = TimeScale::new(rate);
            let whole = voice(rate, hertz, rate as usize);
            let ms = rate as usize / 1000;
            for longer in [true, false] {
                let (mut sound, mut changed, mut at) = (whole.clone(), 0, 50 * ms);
                while at + 60 * ms < sound.len() {
                    changed += match longer {
                        true => scale.stretch(&mut sound, at, 15 * ms, Need::Gentle),
                        false => scale.squeeze(&mut sound, at, 15 * ms, Need::Gentle),
                    };
                    at += 40 * ms;
                }
                assert!(changed > 80 * ms, "{rate} {hertz}: {changed}");
                let length = if longer { whole.len() + changed } else { whole.len() - changed };
                assert_eq!(sound.len(), length);
                assert!(largest_step(&sound) <= largest_step(&whole) * 5 / 4, "{rate} {hertz} {longer}");
                let (before, after) =
                    (goertzel::level(&whole, hertz as f32, rate), goertzel::level(&sound, hertz as f32, rate));
                assert!((before - after).abs() < 1.0, "{rate} {hertz} {longer}: {before} {after}");
            }
        }
    }

    #[test]
    fn noise_is_left_alone_unless_it_is_urgent_and_a_pause_never() {
        let mut state = 1u32;
        let mut noise = |level: i32| -> Vec<i16> {
            (0..800)
                .map(|_| {
                    state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                    ((state >> 16) as i32 % level - level / 2) as i16
                })
                .collect()
        };
        let scale = TimeScale::new(8000);
        let mut loud = noise(8000);
        let before = loud.clone();
        assert_eq!(scale.squeeze(&mut loud, 300, 120, Need::Gentle), 0);
        assert_eq!(loud, before);
        let mut soft = noise(60);
        assert_eq!(scale.squeeze(&mut soft, 300, 120, Need::Gentle), 120);
        assert_eq!(scale.stretch(&mut soft, 300, 120, Need::Gentle), 120);
        assert_eq!(soft.len(), 800);
    }

    #[test]
    fn where_there_is_too_little_nothing_is_done() {
        let scale = TimeScale::new(8000);
        let mut sound = voice(8000, 200.0, 100);
        for most in 0..20 {
            assert_eq!(scale.squeeze(&mut sound, 50, most, Need::Urgent), 0);
            assert_eq!(scale.stretch(&mut sound, 80, most, Need::Urgent), 0);
        }
        assert_eq!(scale.squeeze(&mut sound, 100, 100, Need::Urgent), 0);
        assert_eq!(scale.stretch(&mut sound, 100, 100, Need::Urgent), 0);
        assert_eq!(scale.stretch(&mut sound, 0, 100, Need::Urgent), 0);
    }
}
