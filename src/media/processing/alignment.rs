//! How long after it was given to the speaker a sound comes back by the microphone, in blocks of 4 ms. Both sides are
//! compared by what rises and falls in each band of the spectrum: the way between them changes how loud a band is, but not
//! when it becomes louder, and a voice on this side is as often against as for any delay.

use sonora_fft::ooura_fft;

/// Samples of a block, at 16 kHz.
pub const BLOCK: usize = 64;
/// Of the Fourier transform: this block and the one before.
const WINDOW: usize = 2 * BLOCK;
/// Bands of 125 Hz, from 375 Hz on: what a telephone carries.
const BANDS: usize = 24;
const FIRST_BAND: usize = 3;
/// Delays that are looked for: 544 ms.
const LAGS: usize = 136;
/// Of the far side; more than [`LAGS`] and what one side may be ahead of the other.
const HISTORY: usize = 256;
/// A band's own mean, against which it rises and falls, follows it in so many blocks.
const MEAN_OVER: f32 = 24.0;
/// What is added to the power of a band: below (-78 dBFS in a band) nothing rises or falls.
const SILENCE: f32 = 250.0;
/// A band that rises without end is so much.
const FULL: f32 = 64.0;
/// Blocks over which likeness is averaged, at most.
const OVER: f32 = 300.0;
/// How often a delay is looked for, and in how many looks on end it must be the same, but for a block.
const EVERY: u32 = 8;
const LOOKS: u32 = 4;
/// How alike both sides must be (1: the same), by how much more while few blocks were compared (divided by the square root of
/// their number), and how much more than at any other delay (which is further away than [`NEAR`]).
const ALIKE: f32 = 0.12;
const UNSURE: f32 = 1.0;
const MORE: f32 = 1.5;
const NEAR: usize = 10;
/// So many blocks must have been compared.
const LEAST: f32 = 32.0;
/// Mean of [`power`] from which on the microphone hears something; it can be 98,304.
const HEARD: f32 = 150.0;
/// Blocks over which the lowest difference between both sides' counts is taken, and from which change of it on the delays that
/// are looked for are others: packets come early and late, and what they bring is played one after the other all the same.
const RELATION_OVER: u32 = 50;
const APART: u64 = 8;
/// From this change on a device has stood still, and what it had to play or has heard in that time is not there: the delay is as
/// long after that as it was before.
const STOOD_STILL: u64 = 35;

/// Looks for the delay.
#[derive(Debug)]
pub struct Alignment {
    far: Side,
    near: Side,
    /// What rose and fell lately, of the speaker.
    history: Box<[[i8; BANDS]; HISTORY]>,
    far_count: i64,
    near_count: i64,
    /// The microphone's block that comes as the speaker's block 0 is given, both counted from the first; about, for they come by
    /// several at a time. From here on delays are looked for.
    base: Option<i64>,
    lowest: i64,
    lowest_for: u32,
    /// How alike both sides are at each delay, and each side with itself.
    alike: [f32; LAGS],
    far_power: f32,
    near_power: f32,
    /// Blocks that were compared while the far side was heard.
    compared: f32,
    /// The microphone's blocks since the far side was heard.
    silent: usize,
    next_look: u32,
    /// The block of the microphone that is the echo of the speaker's block 0: in the last looks, and as it was found.
    candidate: Option<i64>,
    seen: u32,
    found: Option<i64>,
}

impl Default for Alignment {
    fn default() -> Alignment {
        Alignment {
            far: Side::default(),
            near: Side::default(),
            history: Box::new([[0; BANDS]; HISTORY]),
            far_count: 0,
            near_count: 0,
            base: None,
            lowest: i64::MAX,
            lowest_for: 0,
            alike: [0.0; LAGS],
            far_power: 0.0,
            near_power: 0.0,
            compared: 0.0,
            silent: HISTORY,
            next_look: EVERY,
            candidate: None,
            seen: 0,
            found: None,
        }
    }
}

impl Alignment {
    /// A block that the speaker plays.
    pub fn far(&mut self, block: &[f32]) {
        let changes = self.far.changes(block);
        if power(&changes) > 0.0 {
            self.silent = 0;
        }
        self.history[self.far_count as usize % HISTORY] = changes;
        self.far_count += 1;
    }

    /// A block of the microphone.
    pub fn near(&mut self, block: &[f32]) {
        self.keep_base();
        let changes = self.near.changes(block);
        self.near_count += 1;
        self.silent = (self.silent + 1).min(HISTORY);
        if self.silent >= LAGS || self.far_count == 0 {
            return;
        }
        self.compare(&changes);
        self.next_look -= 1;
        if self.next_look == 0 {
            self.next_look = EVERY;
            self.look();
        }
    }

    /// The microphone's block `n` is the echo of the speaker's block `n` less this, both counted from the first; none before that
    /// was found. It stays what it is while blocks come early or late.
    pub fn offset(&self) -> Option<i64> {
        self.found
    }

    /// That of a sound that comes back so many blocks after it was given to the speaker.
    pub fn offset_of(&self, delay: i64) -> i64 {
        self.base.unwrap_or(0) + delay
    }

    /// How many more blocks the speaker had than the microphone.
    pub fn ahead(&self) -> i64 {
        self.far_count - self.near_count
    }

    fn keep_base(&mut self) {
        let now = self.near_count + 1 - self.far_count;
        self.lowest = self.lowest.min(now);
        self.lowest_for += 1;
        let Some(base) = self.base else { return self.base = Some(now) };
        let jumped = now.abs_diff(base) > LAGS as u64;
        if !jumped && self.lowest_for < RELATION_OVER {
            return;
        }
        let next = if jumped { now } else { self.lowest };
        (self.lowest, self.lowest_for) = (i64::MAX, 0);
        if base.abs_diff(next) > APART {
            self.base = Some(next);
            self.moved(next - base);
        }
    }

    fn moved(&mut self, by: i64) {
        if by.unsigned_abs() >= STOOD_STILL {
            self.found = self.found.map(|found| found + by);
            self.candidate = self.candidate.map(|candidate| candidate + by);
        } else if by > 0 {
            // What was looked for at `lag + by` is at `lag` now.
            let by = by as usize;
            self.alike.copy_within(by.., 0);
            self.alike[LAGS - by..].fill(0.0);
        } else {
            let by = by.unsigned_abs() as usize;
            self.alike.copy_within(..LAGS - by, by);
            self.alike[..by].fill(0.0);
        }
    }

    fn compare(&mut self, near: &[i8; BANDS]) {
        let newest = self.near_count - 1 - self.base.unwrap_or(0);
        self.compared = (self.compared + 1.0).min(OVER);
        let weight = 1.0 / self.compared.max(LEAST / 2.0);
        for (lag, alike) in self.alike.iter_mut().enumerate() {
            let index = newest - lag as i64;
            if index >= self.far_count || index < 0 || self.far_count - index > HISTORY as i64 {
                continue;
            }
            let far = &self.history[index as usize % HISTORY];
            let product: i32 = far.iter().zip(near).map(|(&far, &near)| i32::from(far) * i32::from(near)).sum();
            *alike += (product as f32 - *alike) * weight;
        }
        let far = &self.history[(self.far_count - 1) as usize % HISTORY];
        self.far_power += (power(far) - self.far_power) * weight;
        self.near_power += (power(near) - self.near_power) * weight;
    }

    fn look(&mut self) {
        let scale = (self.far_power * self.near_power).sqrt();
        let Some((lag, &most)) = self.alike.iter().enumerate().max_by(|(_, a), (_, b)| a.total_cmp(b)) else { return };
        let others = self.alike.iter().enumerate().filter(|(other, _)| other.abs_diff(lag) > NEAR);
        let other = others.map(|(_, &alike)| alike).fold(0.0, f32::max);
        if self.compared < LEAST
            || self.near_power < HEARD
            || most < (ALIKE + UNSURE / self.compared.sqrt()) * scale
            || most < MORE * other
        {
            self.seen = 0;
            return;
        }
        let offset = self.offset_of(lag as i64);
        if self.candidate.is_some_and(|before| before.abs_diff(offset) <= 1) {
            self.seen += 1;
        } else {
            (self.candidate, self.seen) = (Some(offset), 1);
        }
        if self.seen >= LOOKS && self.found.is_none_or(|found| found.abs_diff(offset) > 1) {
            self.found = Some(offset);
        }
    }
}

/// What a side sounds like.
#[derive(Debug)]
struct Side {
    before: [f32; BLOCK],
    means: [f32; BANDS],
}

impl Default for Side {
    fn default() -> Side {
        Side { before: [0.0; BLOCK], means: [0.0; BANDS] }
    }
}

impl Side {
    /// By how much each band is louder or softer than it was, from `-FULL` to `FULL`.
    fn changes(&mut self, block: &[f32]) -> [i8; BANDS] {
        let mut spectrum = [0.0; WINDOW];
        spectrum[..BLOCK].copy_from_slice(&self.before);
        spectrum[BLOCK..].copy_from_slice(block);
        self.before.copy_from_slice(block);
        ooura_fft::forward(&mut spectrum);
        let mut each = [0.0; BANDS];
        let bins = spectrum[2 * FIRST_BAND..].chunks_exact(2);
        for ((bin, mean), change) in bins.zip(&mut self.means).zip(&mut each) {
            let power = (bin[0] * bin[0] + bin[1] * bin[1]) / (WINDOW * WINDOW) as f32 * 4.0;
            *change = (power - *mean) / (power + *mean + SILENCE);
            *mean += (power - *mean) / MEAN_OVER;
        }
        // What all bands do, two voices do at the same time too often.
        let common = each.iter().sum::<f32>() / BANDS as f32;
        each.map(|change| ((change - common) * FULL) as i8)
    }
}

fn power(changes: &[i8; BANDS]) -> f32 {
    changes.iter().map(|&change| i32::from(change) * i32::from(change)).sum::<i32>() as f32
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use rand_chacha::ChaCha8Rng;
    use rand_core::{RngCore, SeedableRng};

    use super::*;
    use crate::audio::wav;

    const RATE: usize = 16_000;
    const SECOND: usize = RATE / BLOCK;

    /// Speech, again and again.
    fn voice(name: &str, seconds: usize) -> Vec<f32> {
        let clip = wav::load(&Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data").join(name)).unwrap();
        assert_eq!(clip.rate as usize, RATE);
        clip.samples.iter().map(|&sample| f32::from(sample)).cycle().take(seconds * RATE).collect()
    }

    fn noise(seed: u64, loudness: f32, count: usize) -> Vec<f32> {
        let mut random = ChaCha8Rng::seed_from_u64(seed);
        (0..count).map(|_| (random.next_u32() as f32 / u32::MAX as f32 - 0.5) * loudness).collect()
    }

    /// What comes back after so long, a third as loud, with a reflection 7 ms after.
    fn echo(far: &[f32], milliseconds: usize) -> Vec<f32> {
        let before = |n: usize, later: usize| n.checked_sub(later).map_or(0.0, |then| far[then]);
        let first = milliseconds * RATE / 1000;
        (0..far.len()).map(|n| 0.3 * before(n, first) + 0.15 * before(n, first + 112)).collect()
    }

    fn sum(one: &[f32], other: &[f32]) -> Vec<f32> {
        one.iter().zip(other).map(|(a, b)| a + b).collect()
    }

    /// After how many milliseconds a delay was found, and which, each time that it changed.
    fn found(far: &[f32], near: &[f32]) -> Vec<(usize, usize)> {
        let mut alignment = Alignment::default();
        let mut changes = Vec::new();
        for (number, (far, near)) in far.chunks_exact(BLOCK).zip(near.chunks_exact(BLOCK)).enumerate() {
            let before = alignment.offset();
            alignment.far(far);
            alignment.near(near);
            if let Some(now) = alignment.offset().filter(|now| Some(*now) != before) {
                changes.push((number * 4, usize::try_from(now).unwrap() * 4));
            }
        }
        changes
    }

    #[test]
    fn a_delay_is_found_in_a_second_of_speech_and_stays() {
        let far = voice("speech-far.wav", 10);
        for milliseconds in [0, 20, 64, 180, 300, 480] {
            for loudness in [4.0, 600.0] {
                let near = sum(&echo(&far, milliseconds), &noise(1, loudness, far.len()));
                let found = found(&far, &near);
                let [(after, delay)] = found[..] else { panic!("{milliseconds} ms: {found:?}") };
                assert!(after < 1_000 + milliseconds && delay.abs_diff(milliseconds) <= 4, "{milliseconds}: {found:?}");
            }
        }
    }

    #[test]
    fn a_voice_on_this_side_hides_it_for_a_while_and_never_deceives() {
        let far = voice("speech-far.wav", 15);
        for milliseconds in [20, 180] {
            let near = sum(&echo(&far, milliseconds), &voice("speech-near.wav", 15));
            let found = found(&far, &near);
            assert!(found.iter().all(|(_, delay)| delay.abs_diff(milliseconds) <= 8), "{milliseconds}: {found:?}");
            assert!(found.first().is_some_and(|(after, _)| *after < 5_000), "{milliseconds}: {found:?}");
        }
    }

    #[test]
    fn nothing_is_found_where_nothing_comes_back() {
        let far = voice("speech-far.wav", 20);
        let tone: Vec<f32> = (0..far.len()).map(|n| 8_000.0 * (n as f32 * 0.17).sin()).collect();
        let silence = vec![0.0; far.len()];
        let near = [voice("speech-near.wav", 20), noise(2, 900.0, far.len()), tone, silence.clone()];
        for (number, near) in near.iter().enumerate() {
            assert_eq!(found(&far, near), [], "{number}");
        }
        assert_eq!(found(&silence, &echo(&far, 60)), []);
    }

    #[test]
    fn another_way_is_found_in_two_seconds() {
        let far = voice("speech-far.wav", 12);
        let half = 6 * RATE;
        for (before, after) in [(20, 120), (200, 40)] {
            let near = [&echo(&far, before)[..half], &echo(&far, after)[half..]].concat();
            let found = found(&far, &near);
            let changed = found.iter().find(|(_, delay)| delay.abs_diff(after) <= 4).expect("the new one");
            assert!((6_000..8_000).contains(&changed.0), "{found:?}");
        }
    }

    #[test]
    fn blocks_that_come_by_several_and_sides_that_stand_still_do_not_matter() {
        let far = voice("speech-far.wav", 30);
        let mut alignment = Alignment::default();
        // What the speaker has played so far, with the number of each block, and what is still to be given.
        let (mut played, mut given, mut heard) = (Vec::new(), 0, 0i64);
        for tick in 0..28 * SECOND / 5 {
            let at = tick * 5 / SECOND;
            let (speaker_stands, microphone_stands) = (at == 10, at == 18);
            for block in 0..5 {
                let samples = match speaker_stands {
                    true => vec![0.0; BLOCK],
                    false => {
                        let samples = far[given * BLOCK..(given + 1) * BLOCK].to_vec();
                        alignment.far(&samples);
                        given += 1;
                        samples
                    }
                };
                played.push((samples, tick * 5 + block));
            }
            for block in 0..5 {
                // It was played 15 blocks ago.
                let echo = played.get((tick * 5 + block).wrapping_sub(15)).map(|(samples, _)| samples);
                if !microphone_stands {
                    alignment.near(echo.unwrap_or(&vec![0.0; BLOCK]));
                    heard += 1;
                }
            }
            if [5, 9, 15, 17, 24].contains(&at) {
                // The block of the speaker that is heard now.
                let from = given as i64 - 1 - 15;
                let told = heard - 1 - alignment.offset().expect("a delay");
                assert!(told.abs_diff(from) <= 1, "in second {at}: {told} for {from}");
            }
        }
    }

    /// Packets that come early and late: what they bring stands in a queue before the speaker.
    #[test]
    fn jitter_does_not_move_it() {
        let far = voice("speech-far.wav", 30);
        let mut random = ChaCha8Rng::seed_from_u64(6);
        for packet in [5, 15] {
            for phase in [0, 2, 4] {
                for jitter in [0, 2, 5] {
                    let mut alignment = Alignment::default();
                    let (mut given, mut found) = (0, Vec::new());
                    let mut due = 0;
                    for heard in 0..28 * SECOND {
                        // The microphone's blocks come by five.
                        let now = heard / 5 * 5;
                        while due <= now {
                            for _ in 0..packet {
                                alignment.far(&far[given * BLOCK..(given + 1) * BLOCK]);
                                given += 1;
                            }
                            due = given + phase + (random.next_u32() % (2 * jitter + 1)) as usize;
                        }
                        // A steady 25 blocks after its place in the stream.
                        let from = heard.checked_sub(25).map(|from| &far[from * BLOCK..(from + 1) * BLOCK]);
                        let before = alignment.offset();
                        alignment.near(from.unwrap_or(&[0.0; BLOCK]));
                        found.extend(alignment.offset().filter(|now| Some(*now) != before));
                    }
                    assert_eq!(found, [25], "packets of {packet} blocks, {phase} after the tick, jitter {jitter}");
                }
            }
        }
    }

    #[test]
    fn clocks_that_run_apart_do_not_matter() {
        let far = voice("speech-far.wav", 62);
        for ppm in [-500.0, 500.0] {
            let mut alignment = Alignment::default();
            let mut given = 0;
            for heard in 0..60 * SECOND {
                let now = heard as f64 * (1.0 + ppm / 1e6);
                while given as f64 <= now {
                    alignment.far(&far[given * BLOCK..(given + 1) * BLOCK]);
                    given += 1;
                }
                // 60 ms ago.
                let from = (now - 15.0) * BLOCK as f64;
                let near: Vec<f32> =
                    (0..BLOCK).map(|n| far.get((from + n as f64) as usize).unwrap_or(&0.0) * 0.3).collect();
                alignment.near(&near);
                if heard > 5 * SECOND {
                    let told = heard as i64 - alignment.offset().expect("a delay");
                    assert!((told as f64 - (now - 15.0)).abs() <= 3.0, "{ppm} ppm, block {heard}: {told} for {now}");
                }
            }
        }
    }
}
