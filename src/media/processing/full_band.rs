//! Echo cancellation at 48 kHz: the [`Canceller`] works on what is below 8 kHz, where nearly all of a voice and of its echo is.
//! What is above is made softer by as much as it made the upper half of that.
//!
//! What is below is not put together anew with the rest, but its change is added to the whole: while nothing is taken out, the
//! sound is what it was.

use std::f32::consts::PI;

use super::canceller::{Canceller, FRAME as LOW_FRAME, LATENCY};
use crate::media::levels::nearest;

/// Samples at 48 kHz for each at 16 kHz.
const TIMES: usize = 3;
/// Samples at 48 kHz of the filter between both rates: two of them delay by one less, 2 ms.
const TAPS: usize = 96;
/// For each of [`TIMES`] places between two samples at 16 kHz.
const PHASE_TAPS: usize = TAPS / TIMES;
/// Hz where the filter has damped by half: its slope is 1 kHz wide to either side.
const CUTOFF: f32 = 7_500.0;
/// Samples at 48 kHz by which all that is sent comes later.
const DELAY: usize = TAPS - 1 + TIMES * LATENCY;
/// The gain of what is above follows over so many samples at 16 kHz: as many as the filter from 16 to 48 kHz delays by.
const STEP: usize = TAPS / TIMES / 2;
/// By which part of the way it rises with each; it falls at once.
const RISE: f32 = 0.2;
/// Power of a sample from which on a ratio says something: less is the noise of rounding.
const NOISE: f32 = 40.0;

/// See the module's page.
#[derive(Debug)]
pub struct FullBand {
    canceller: Canceller,
    taps: [f32; TAPS],
    phases: [[f32; PHASE_TAPS]; TIMES],
    /// What the filters still need, then the frame: of the speaker, of the microphone, and of the change below 8 kHz.
    far: Vec<f32>,
    near: Vec<f32>,
    change: Vec<f32>,
    /// The microphone's sound of the last [`DELAY`], and what of it is below 8 kHz of the last [`LATENCY`].
    whole: Vec<i16>,
    low: Vec<i16>,
    clean: Vec<i16>,
    /// Of what is above, at the ends of the last two [`STEP`]s.
    gains: [f32; 2],
    before: Above,
}

/// The upper half of what is below 8 kHz: what a second difference leaves.
#[derive(Debug, Default)]
struct Above {
    low: [f32; 2],
    clean: [f32; 2],
}

impl FullBand {
    /// For frames of 10 ms.
    pub fn new() -> FullBand {
        let taps = taps();
        FullBand {
            canceller: Canceller::new(),
            taps,
            // Backwards, as they meet what comes one after the other.
            phases: std::array::from_fn(|phase| {
                std::array::from_fn(|n| taps[phase + TIMES * (PHASE_TAPS - 1 - n)] * TIMES as f32)
            }),
            far: vec![0.0; TAPS - 1],
            near: vec![0.0; TAPS - 1],
            change: vec![0.0; PHASE_TAPS - 1],
            whole: vec![0; DELAY],
            low: vec![0; LATENCY],
            clean: vec![0; LOW_FRAME],
            gains: [1.0; 2],
            before: Above::default(),
        }
    }

    /// What the speaker plays.
    pub fn far(&mut self, frame: &[i16]) {
        let mut low = [0; LOW_FRAME];
        lower(&self.taps, &mut self.far, frame, &mut low);
        self.canceller.far(&low);
    }

    /// What the microphone hears, which could not take it if it is `clipped`; its echo is taken out in `out`, which is as long.
    pub fn near(&mut self, frame: &[i16], clipped: bool, out: &mut [i16]) {
        let mut low = [0; LOW_FRAME];
        lower(&self.taps, &mut self.near, frame, &mut low);
        self.canceller.near(&low, clipped, &mut self.clean);
        self.low.extend_from_slice(&low);
        self.whole.extend_from_slice(frame);
        let mut place = 0;
        for (low, clean) in self.low.chunks_exact(STEP).zip(self.clean.chunks_exact(STEP)) {
            let [from, to] = self.gains;
            let next = follow(to, self.before.ratio(low, clean));
            self.gains = [to, next];
            for (n, (&low, &clean)) in (1..).zip(low.iter().zip(clean)) {
                let part = n as f32 / STEP as f32;
                self.change.push(f32::from(clean) - (to + (next - to) * part) * f32::from(low));
                let recent = &self.change[self.change.len() - PHASE_TAPS..];
                // The filter between both rates delays by a step: the whole meets the gain of then.
                let gain = from + (to - from) * part;
                for phase in &self.phases {
                    let sum = gain * f32::from(self.whole[place]) + dot(phase, recent);
                    out[place] = nearest(sum);
                    place += 1;
                }
            }
        }
        self.low.drain(..LOW_FRAME);
        self.whole.drain(..TIMES * LOW_FRAME);
        self.change.drain(..LOW_FRAME);
    }

    /// After how many milliseconds an echo came back, if one did.
    pub fn echo_delay_ms(&self) -> Option<u32> {
        self.canceller.echo_delay_ms()
    }
}

impl Above {
    /// The part of the power that is left.
    fn ratio(&mut self, low: &[i16], clean: &[i16]) -> f32 {
        let power = |[one, two]: &mut [f32; 2], samples: &[i16]| {
            let mut sum = 0.0;
            for &sample in samples {
                let sample = f32::from(sample);
                let bend = sample - 2.0 * *one + *two;
                (*two, *one) = (*one, sample);
                sum += bend * bend;
            }
            sum
        };
        let (was, is) = (power(&mut self.low, low), power(&mut self.clean, clean));
        let noise = NOISE * low.len() as f32;
        ((is + noise) / (was + noise)).min(1.0)
    }
}

/// The next gain, where this part of the power was left.
fn follow(gain: f32, ratio: f32) -> f32 {
    let wanted = ratio.sqrt();
    if wanted < gain { wanted } else { gain + (wanted - gain) * RISE }
}

/// A low-pass: a sinc under a Hann window. The sum is 1.
fn taps() -> [f32; TAPS] {
    let middle = (TAPS - 1) as f32 / 2.0;
    let each: [f32; TAPS] = std::array::from_fn(|n| {
        let at = n as f32 - middle;
        let x = 2.0 * CUTOFF / (TIMES * LOW_FRAME * 100) as f32 * at * PI;
        x.sin() / x * (0.5 + 0.5 * (at * PI / (middle + 1.0)).cos())
    });
    let sum: f32 = each.iter().sum();
    each.map(|tap| tap / sum)
}

/// The frame at 16 kHz; `waiting` is what came before, and will be.
fn lower(taps: &[f32; TAPS], waiting: &mut Vec<f32>, frame: &[i16], low: &mut [i16]) {
    waiting.extend(frame.iter().map(|&sample| f32::from(sample)));
    for (low, piece) in low.iter_mut().zip(waiting.windows(TAPS).step_by(TIMES)) {
        *low = nearest(dot(taps, piece));
    }
    waiting.drain(..frame.len());
}

/// In several sums, which the processor makes at the same time.
fn dot(taps: &[f32], samples: &[f32]) -> f32 {
    const LANES: usize = 8;
    let mut sums = [0.0; LANES];
    for (taps, samples) in taps.chunks_exact(LANES).zip(samples.chunks_exact(LANES)) {
        for ((sum, tap), sample) in sums.iter_mut().zip(taps).zip(samples) {
            *sum += tap * sample;
        }
    }
    sums.iter().sum()
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use rand_chacha::ChaCha8Rng;
    use rand_core::{RngCore, SeedableRng};

    use super::*;
    use crate::audio::wav;
    use crate::media::levels::rms_dbfs;
    use crate::media::resample::Resampler;

    const RATE: usize = 48_000;
    const FRAME: usize = RATE / 100;

    /// A voice with what a microphone hears of it above 8 kHz: a hiss where it is loud between 4 and 8.
    fn voice(name: &str, seed: u64) -> Vec<i16> {
        let clip = wav::load(&Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data").join(name)).unwrap();
        let mut sound = Vec::new();
        Resampler::new(clip.rate, RATE as u32).unwrap().process(&clip.samples, &mut sound);
        let mut random = ChaCha8Rng::seed_from_u64(seed);
        let (mut one, mut two, mut loud, mut noise) = (0.0, 0.0, 0.0f32, [0.0; 3]);
        for sample in &mut sound {
            let now = f32::from(*sample);
            loud += ((now - 2.0 * one + two).abs() * 4.0 - loud) * 0.01;
            (two, one) = (one, now);
            noise = [(random.next_u32() >> 16) as f32 / 65_536.0 - 0.5, noise[0], noise[1]];
            *sample = (now + (noise[0] - 2.0 * noise[1] + noise[2]) * 0.5 * loud) as i16;
        }
        sound
    }

    /// What the filter leaves of a sound, and of its beginning as much as it needs.
    fn below(sound: &[f32]) -> Vec<f32> {
        let taps = taps();
        let padded: Vec<f32> = [0.0; TAPS - 1].iter().chain(sound).copied().collect();
        padded.windows(TAPS).map(|piece| dot(&taps, piece)).collect()
    }

    /// What is above 8 kHz: the sound less what the filter leaves of it, twice, for then its delay is a whole number.
    fn above(sound: &[i16]) -> Vec<i16> {
        let sound: Vec<f32> = sound.iter().map(|&sample| f32::from(sample)).collect();
        let below = below(&below(&sound));
        let then = |n: usize| n.checked_sub(TAPS - 1).map_or(0.0, |then| sound[then]);
        below.iter().enumerate().map(|(n, below)| nearest(then(n) - below)).collect()
    }

    fn call(far: &[i16], near: &[i16]) -> Vec<i16> {
        let mut canceller = FullBand::new();
        let mut sent = Vec::new();
        for (far, near) in far.chunks_exact(FRAME).zip(near.chunks_exact(FRAME)) {
            let mut out = [0; FRAME];
            canceller.far(far);
            canceller.near(near, false, &mut out);
            sent.extend(out);
        }
        sent
    }

    /// 30 ms later, a third as loud, with a reflection.
    fn echo(far: &[i16]) -> Vec<i16> {
        let then = |n: usize, later: usize| n.checked_sub(later).map_or(0, |n| far[n]);
        (0..far.len()).map(|n| then(n, 1_440) / 3 + then(n, 1_807) / 8).collect()
    }

    fn seconds(sound: &[i16], from: usize, to: usize) -> &[i16] {
        &sound[from * RATE..to * RATE]
    }

    #[test]
    fn while_the_other_side_is_silent_the_sound_is_what_it_was() {
        let near = voice("speech-near.wav", 1);
        let sent = call(&vec![0; near.len()], &near);
        let difference: Vec<i16> = sent[DELAY..].iter().zip(&near).map(|(&is, &was)| is - was).collect();
        println!("{:.1} dBFS differ by {:.1}", rms_dbfs(&near), rms_dbfs(&difference));
        assert!(rms_dbfs(&difference) < -85.0, "{}", rms_dbfs(&difference));
    }

    #[test]
    fn an_echo_is_taken_out_below_8_khz_and_above() {
        let far = voice("speech-far.wav", 2);
        let heard = echo(&far);
        let sent = call(&far, &heard);
        let softer = |heard: &[i16], sent: &[i16]| rms_dbfs(seconds(heard, 2, 4)) - rms_dbfs(seconds(sent, 2, 4));
        let (whole, high) = (softer(&heard, &sent), softer(&above(&heard), &above(&sent)));
        println!("softer by {whole:.1} dB, above 8 kHz by {high:.1} of {:.1} dBFS", rms_dbfs(&above(&heard)));
        assert!(whole > 30.0 && high > 20.0, "{whole}, {high}");
    }

    #[test]
    fn who_speaks_while_the_other_side_does_keeps_what_is_above() {
        let (far, near) = (voice("speech-far.wav", 3), voice("speech-near.wav", 4));
        let silence = vec![0; near.len()];
        let (far, said) = ([&far[..], &far].concat(), [&silence[..], &near].concat());
        let heard: Vec<i16> = echo(&far).iter().zip(&said).map(|(&echo, &said)| echo.saturating_add(said)).collect();
        let sent = call(&far, &heard);
        let from = silence.len() / RATE;
        let level = |sound: &[i16]| rms_dbfs(seconds(&above(sound), from, from + 4));
        let (is, was) = (level(&sent), level(&said));
        println!("above 8 kHz {is:.1} dBFS, said was {was:.1}, with its echo {:.1}", level(&heard));
        assert!((is - was).abs() < 5.0, "{is} for {was}");
    }

    #[test]
    fn below_8_khz_it_is_what_the_canceller_leaves() {
        let (far, near) = (voice("speech-far.wav", 3), voice("speech-near.wav", 4));
        let heard: Vec<i16> = echo(&far).iter().zip(&near).map(|(&echo, &near)| echo.saturating_add(near)).collect();
        let sent: Vec<f32> = call(&far, &heard).iter().map(|&sample| f32::from(sample)).collect();
        // The canceller's own, brought to 48 kHz.
        let mut canceller = Canceller::new();
        let full = FullBand::new();
        let (mut waiting, mut clean, mut expected) =
            ([vec![0.0; TAPS - 1], vec![0.0; TAPS - 1]], vec![0.0; PHASE_TAPS - 1], Vec::new());
        for (far, heard) in far.chunks_exact(FRAME).zip(heard.chunks_exact(FRAME)) {
            let [mut low, mut out] = [[0; LOW_FRAME]; 2];
            lower(&full.taps, &mut waiting[0], far, &mut low);
            canceller.far(&low);
            lower(&full.taps, &mut waiting[1], heard, &mut low);
            canceller.near(&low, false, &mut out);
            for sample in out {
                clean.push(f32::from(sample));
                let recent = &clean[clean.len() - PHASE_TAPS..];
                expected.extend(full.phases.iter().map(|phase| dot(phase, recent)));
            }
        }
        let (sent, expected) = (below(&sent), below(&expected));
        let difference: Vec<i16> = sent.iter().zip(&expected).map(|(a, b)| nearest(a - b)).collect();
        let expected: Vec<i16> = expected.iter().map(|&sample| nearest(sample)).collect();
        let (is, of) = (rms_dbfs(seconds(&difference, 2, 4)), rms_dbfs(seconds(&expected, 2, 4)));
        println!("below 8 kHz {of:.1} dBFS, off by {is:.1}");
        assert!(is < of - 30.0, "{is} of {of}");
    }
}
