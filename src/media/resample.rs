//! From one sample rate to another, with 1 ms of delay or less.

use rubato::audioadapter_buffers::direct::SequentialSlice;
use rubato::{
    Adjustable, Async, FixedAsync, Resampler as _, Resizable as _, SincInterpolationParameters, SincInterpolationType,
    WindowFunction,
};

use super::levels::nearest;

/// The length of the filter in milliseconds, and in samples of the lower rate if those are fewer: its delay is half of this. At 8 kHz
/// this leaves 0 to 3.3 kHz as it is and damps from 4.5 kHz on, at 48 kHz 0 to 20 kHz.
const FILTER_MS: u32 = 2;
const FILTER_SAMPLES: u32 = 32;
/// Of half the lower sample rate: where the filter has damped by half.
const CUTOFF: f32 = 0.95;
/// How far [`Resampler::adjust`] may go.
const MAX_ADJUSTMENT: f64 = 0.005;
/// Steps that are worked on at a time, if they are there.
const MOST_STEPS: usize = 10;
/// Places between two samples at which the filter is known, where any place may be asked for.
const PLACES: usize = 256;

/// Changes the sample rate of a mono sound that comes in pieces of any length.
pub struct Resampler {
    inner: Option<Async<f32>>,
    from: u32,
    to: u32,
    adjustable: bool,
    waiting: Vec<f32>,
    out: Vec<f32>,
}

impl Resampler {
    /// From `from` Hz to `to` Hz; equal rates pass through without delay. `None` when a rate is absurd.
    pub fn new(from: u32, to: u32) -> Option<Resampler> {
        if from == to && is_sane(from) {
            return Some(Resampler { inner: None, from, to, adjustable: false, waiting: Vec::new(), out: Vec::new() });
        }
        let (low, high) = (from.min(to), from.max(to));
        if high.checked_rem(low) != Some(0) {
            return Resampler::with(from, to, None, SincInterpolationType::Linear, PLACES);
        }
        // Each new sample stands at one of few places between two old ones: nothing is to be interpolated.
        let places = (to / from).max(1) as usize;
        Resampler::with(from, to, None, SincInterpolationType::Nearest, places)
    }

    /// As [`Resampler::new`], but one that [`Resampler::adjust`] works on, when the rates are equal too.
    pub fn adjustable(from: u32, to: u32) -> Option<Resampler> {
        Resampler::with(from, to, Some(MAX_ADJUSTMENT), SincInterpolationType::Linear, PLACES)
    }

    fn with(from: u32, to: u32, most: Option<f64>, between: SincInterpolationType, places: usize) -> Option<Resampler> {
        if !is_sane(from) || !is_sane(to) {
            return None;
        }
        let lower = from.min(to);
        let taps = u64::from(from) * u64::from((lower * FILTER_MS / 1000).min(FILTER_SAMPLES)) / u64::from(lower);
        let parameters = SincInterpolationParameters::new(taps as usize, WindowFunction::Hann)
            .f_cutoff(CUTOFF)
            .interpolation(between)
            .oversampling_factor(places);
        let inner = Async::<f32>::new_sinc(
            f64::from(to) / f64::from(from),
            1.0 + 2.0 * most.unwrap_or(0.0),
            &parameters,
            Resampler::step(from) * MOST_STEPS,
            1,
            FixedAsync::Input,
        )
        .ok()?;
        let out = vec![0.0; inner.output_frames_max()];
        Some(Resampler { inner: Some(inner), from, to, adjustable: most.is_some(), waiting: Vec::new(), out })
    }

    /// Whether [`Resampler::adjust`] has an effect.
    pub fn is_adjustable(&self) -> bool {
        self.adjustable
    }

    /// Hz of what goes in.
    pub fn from_rate(&self) -> u32 {
        self.from
    }

    /// Hz of what comes out.
    pub fn to_rate(&self) -> u32 {
        self.to
    }

    /// Samples are worked on in steps of this many (1 ms) at `rate` Hz; a rest waits for its step to fill.
    pub fn step(rate: u32) -> usize {
        (rate / 1000).max(1) as usize
    }

    /// Makes the sound longer by this part (0.001: 0.1 % more samples, shorter when negative). Without effect unless made by
    /// [`Resampler::adjustable`].
    pub fn adjust(&mut self, longer: f64) {
        if let Some(inner) = self.inner.as_mut().filter(|_| self.adjustable) {
            let relative = 1.0 + longer.clamp(-MAX_ADJUSTMENT, MAX_ADJUSTMENT);
            // Within the limits given at construction: it can't fail.
            let _ = inner.set_resample_ratio_relative(relative, true);
        }
    }

    /// Takes samples and appends to `out` what they became.
    pub fn process(&mut self, samples: &[i16], out: &mut Vec<i16>) {
        let Some(inner) = &mut self.inner else {
            out.extend_from_slice(samples);
            return;
        };
        self.waiting.extend(samples.iter().map(|&sample| f32::from(sample)));
        let mut done = 0;
        let step = Resampler::step(self.from);
        loop {
            let steps = ((self.waiting.len() - done) / step).min(MOST_STEPS);
            let need = steps * step;
            if need == 0 || inner.set_chunk_size(need).is_err() {
                break;
            }
            let Some(chunk) = self.waiting.get(done..done + need) else { break };
            let room = self.out.len();
            let (Ok(input), Ok(mut output)) =
                (SequentialSlice::new(chunk, 1, need), SequentialSlice::new_mut(&mut self.out, 1, room))
            else {
                break;
            };
            let Ok((_, made)) = inner.process_into_buffer(&input, &mut output, None) else { break };
            out.extend(self.out.iter().take(made).map(|&sample| nearest(sample)));
            done += need;
        }
        self.waiting.drain(..done);
    }
}

fn is_sane(rate: u32) -> bool {
    (1000..=768_000).contains(&rate)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::media::{goertzel, levels};

    fn sine(rate: u32, hertz: f64, count: u32) -> Vec<i16> {
        let step = std::f64::consts::TAU * hertz / f64::from(rate);
        (0..count).map(|n| (8000.0 * (step * f64::from(n)).sin()) as i16).collect()
    }

    #[test]
    fn a_tone_keeps_its_frequency_and_level() {
        for (from, to) in [(48_000, 8000), (8000, 48_000), (44_100, 8000), (8000, 44_100), (16_000, 8000)] {
            let mut resampler = Resampler::new(from, to).unwrap();
            let mut out = Vec::new();
            for piece in sine(from, 1000.0, from).chunks(441) {
                resampler.process(piece, &mut out);
            }
            assert!(out.len().abs_diff(to as usize) <= to as usize / 250, "{from} to {to}: {}", out.len());
            let before = goertzel::level(&sine(from, 1000.0, from), 1000.0, from);
            let after = goertzel::level(&out[out.len() / 10..], 1000.0, to);
            assert!((before - after).abs() < 0.5, "{from} to {to}: {before} became {after} dB");
        }
    }

    #[test]
    fn a_sound_that_follows_another_clock_keeps_its_highest_tones() {
        for hertz in [300.0f32, 8000.0, 18_000.0] {
            let mut resampler = Resampler::adjustable(48_000, 48_000).unwrap();
            resampler.adjust(0.0002);
            let mut out = Vec::new();
            for piece in sine(48_000, f64::from(hertz), 48_000).chunks(960) {
                resampler.process(piece, &mut out);
            }
            let level = goertzel::level(&out[4800..9600], hertz / 1.0002, 48_000);
            let all = levels::rms_dbfs(&out[4800..9600]);
            let before = levels::rms_dbfs(&sine(48_000, f64::from(hertz), 4800));
            assert!((all - before).abs() < 0.5, "{hertz} Hz: {before} became {all} dB");
            assert!((all - level).abs() < 0.1, "{hertz} Hz: {level} of {all} dB");
        }
    }

    #[test]
    fn what_the_lower_rate_can_not_hold_is_damped() {
        let mut out = Vec::new();
        Resampler::new(48_000, 8000).unwrap().process(&sine(48_000, 5500.0, 48_000), &mut out);
        assert!(levels::rms_dbfs(&out) < -50.0);
    }

    #[test]
    fn the_delay_stays_below_one_and_a_half_milliseconds() {
        for (from, to) in [(48_000u32, 8000u32), (8000, 48_000), (44_100, 8000)] {
            let mut click = vec![0i16; from as usize / 10];
            let at = from as usize / 20 / Resampler::step(from) * Resampler::step(from);
            click[at] = 30_000;
            let mut out = Vec::new();
            Resampler::new(from, to).unwrap().process(&click, &mut out);
            let peak = (0..out.len()).max_by_key(|&n| out[n].unsigned_abs()).unwrap();
            let delay = peak as f64 / f64::from(to) - at as f64 / f64::from(from);
            assert!((0.0..=0.0015).contains(&delay), "{from} to {to}: {delay} s");
        }
    }

    #[test]
    fn an_adjustment_stretches() {
        for (from, to, expected) in [(8000, 48_000, 480_960usize), (48_000, 48_000, 480_960), (48_000, 8000, 80_160)] {
            let mut resampler = Resampler::adjustable(from, to).unwrap();
            resampler.adjust(0.002);
            let mut out = Vec::new();
            resampler.process(&vec![0; 10 * from as usize], &mut out);
            assert!(out.len().abs_diff(expected) < 120, "{from} to {to}: {}", out.len());
        }
    }

    #[test]
    fn equal_rates_pass_and_absurd_ones_are_refused() {
        let mut out = Vec::new();
        Resampler::new(8000, 8000).unwrap().process(&[1, 2, 3], &mut out);
        assert_eq!(out, [1, 2, 3]);
        assert!(Resampler::new(0, 8000).is_none());
        assert!(Resampler::new(8000, 2_000_000_000).is_none());
    }
}
