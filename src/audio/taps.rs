//! What a microphone gave, at each sample rate that somebody reads.

use std::time::{Duration, Instant};

use super::pace::WindowMin;
use crate::media::resample::Resampler;

/// Milliseconds of sound that wait at most for a reader.
const LONGEST_MS: u32 = 200;
/// What stays unread for so long is surplus, and dropped.
const SURPLUS_SPAN: Duration = Duration::from_secs(1);

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
}

impl Taps {
    /// For a device that captures at this many Hz.
    pub(super) fn new(device_rate: u32) -> Taps {
        Taps { device_rate, taps: Vec::new() }
    }

    fn tap(&mut self, rate: u32) -> Option<&mut Tap> {
        if let Some(at) = self.taps.iter().position(|tap| tap.resampler.to_rate() == rate) {
            return self.taps.get_mut(at);
        }
        let resampler = Resampler::new(self.device_rate, rate)?;
        let left_over = WindowMin::new(Instant::now(), SURPLUS_SPAN);
        self.taps.push(Tap { resampler, samples: Vec::new(), left_over });
        self.taps.last_mut()
    }

    /// Samples of the device.
    pub(super) fn push(&mut self, samples: &[i16]) {
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
