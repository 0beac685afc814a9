//! What a microphone gave, at each sample rate that somebody reads.

use std::time::{Duration, Instant};

use super::pace::WindowMin;
use crate::media::resample::Resampler;

/// Milliseconds of sound that wait at most for a reader.
const LONGEST_MS: u32 = 200;
/// What stays unread for so long is surplus, and dropped.
const SURPLUS_SPAN: Duration = Duration::from_secs(1);
/// Milliseconds of the device's own samples that are kept for a rate that is read later.
const RECENT_MS: u32 = 60;
/// So much waits for a reader at most.
const UNREAD_MS: u32 = 40;
/// Of the device's samples a new filter is fed so many first: it begins in the middle of the sound, and not with a step.
const RUN_UP_MS: u32 = 5;

/// Sound at one sample rate.
struct Tap {
    resampler: Resampler,
    samples: Vec<i16>,
    left_over: WindowMin,
}

/// Sound at all rates in use.
pub(super) struct Taps {
    device_rate: u32,
    taps: Vec<Tap>,
    recent: Vec<i16>,
}

impl Taps {
    /// For a device that captures at this many Hz.
    pub(super) fn new(device_rate: u32) -> Taps {
        Taps { device_rate, taps: Vec::new(), recent: Vec::new() }
    }

    fn tap(&mut self, rate: u32) -> Option<&mut Tap> {
        if let Some(at) = self.taps.iter().position(|tap| tap.resampler.to_rate() == rate) {
            return self.taps.get_mut(at);
        }
        let mut resampler = Resampler::new(self.device_rate, rate)?;
        let left_over = WindowMin::new(Instant::now(), SURPLUS_SPAN);
        // What the reader of another rate has not read yet: he may be the one who reads this from now on.
        let unread = |tap: &Tap| tap.samples.len() as u64 * u64::from(rate) / u64::from(tap.resampler.to_rate().max(1));
        let unread = self.taps.iter().map(unread).min().unwrap_or(0) as usize;
        // More waits where nobody reads.
        let unread = if unread > (rate * UNREAD_MS / 1000) as usize { 0 } else { unread };
        let of_device = unread as u64 * u64::from(self.device_rate) / u64::from(rate.max(1));
        let wanted = of_device as usize + self.device_samples(RUN_UP_MS);
        let mut samples = Vec::new();
        resampler.process(&self.recent[self.recent.len().saturating_sub(wanted)..], &mut samples);
        samples.drain(..samples.len().saturating_sub(unread));
        self.taps.push(Tap { resampler, samples, left_over });
        self.taps.last_mut()
    }

    fn device_samples(&self, milliseconds: u32) -> usize {
        (u64::from(self.device_rate) * u64::from(milliseconds) / 1000) as usize
    }

    /// Samples of the device.
    pub(super) fn push(&mut self, samples: &[i16]) {
        self.recent.extend_from_slice(samples);
        let most = self.device_samples(RECENT_MS);
        if self.recent.len() > 2 * most {
            self.recent.drain(..self.recent.len() - most);
        }
        for tap in &mut self.taps {
            tap.resampler.process(samples, &mut tap.samples);
            // A rate that nobody reads any more.
            let most = tap.resampler.to_rate() as usize * LONGEST_MS as usize / 1000;
            if tap.samples.len() > most {
                let surplus = tap.samples.len() - most;
                tap.samples.drain(..surplus);
            }
        }
    }

    pub(super) fn available(&mut self, rate: u32) -> usize {
        self.tap(rate).map_or(usize::MAX, |tap| tap.samples.len())
    }

    pub(super) fn read(&mut self, rate: u32, out: &mut [i16]) {
        out.fill(0);
        let Some(tap) = self.tap(rate) else { return };
        let count = tap.samples.len().min(out.len());
        out[..count].copy_from_slice(&tap.samples[..count]);
        tap.samples.drain(..count);
        // What was left over after every read for a second is nothing but delay.
        let now = Instant::now();
        if let Some(surplus) = tap.left_over.push(now, tap.samples.len() as i64)
            && surplus > i64::from(rate / 500)
        {
            tap.samples.drain(..(surplus as usize).min(tap.samples.len()));
            tap.left_over.lowered(surplus);
        }
    }

    pub(super) fn discard(&mut self) {
        for tap in &mut self.taps {
            tap.samples.clear();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rate_that_is_read_from_now_on_goes_on_where_the_one_before_was() {
        let mut at = 0;
        let mut more = |taps: &mut Taps, milliseconds: usize| {
            let tone = |n: usize| (8000.0 * (std::f64::consts::TAU * 300.0 * n as f64 / 48_000.0).sin()) as i16;
            taps.push(&(at..at + 48 * milliseconds).map(tone).collect::<Vec<i16>>());
            at += 48 * milliseconds;
        };
        for (before, after) in [(8000, 48_000), (48_000, 8000), (16_000, 48_000)] {
            let mut taps = Taps::new(48_000);
            let (mut first, mut second) = (vec![0; before / 50], vec![0; after / 50]);
            taps.available(before as u32);
            for _ in 0..5 {
                more(&mut taps, 20);
                taps.read(before as u32, &mut first);
            }
            // 20 ms and a bit wait when the rate changes.
            more(&mut taps, 23);
            let waits = taps.available(after as u32);
            assert!(waits.abs_diff(after * 23 / 1000) <= after / 250, "{before} to {after}: {waits}");
            taps.read(after as u32, &mut second);
            // The filters' delays differ by a millisecond at most: the tone's own way in that time, and no step.
            let seam = (i32::from(first[first.len() - 1]) - i32::from(second[0])).abs();
            let most = 8000.0 * std::f64::consts::TAU * 300.0 * (0.001 + 1.0 / before.min(after) as f64);
            assert!(f64::from(seam) <= most, "{before} to {after}: {seam} of {most}");
            let level = crate::media::goertzel::level(&second, 300.0, after as u32);
            assert!((level + 15.26).abs() < 0.5, "{before} to {after}: {level} dBFS");
        }
    }

    #[test]
    fn each_rate_hears_the_same_and_what_nobody_reads_is_forgotten() {
        let mut taps = Taps::new(48_000);
        assert_eq!((taps.available(48_000), taps.available(8000)), (0, 0));
        for _ in 0..100 {
            taps.push(&[1000; 480]);
        }
        assert_eq!(taps.available(48_000), 9600);
        let mut out = [0; 160];
        taps.read(8000, &mut out);
        assert!(out.iter().all(|&sample| sample.abs_diff(1000) < 10), "{out:?}");
        taps.discard();
        taps.read(48_000, &mut out);
        assert_eq!(out, [0; 160]);
    }
}
