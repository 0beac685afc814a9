//! A sound card's output: the media thread fills a ring, the callback empties it. The ring is kept as empty as the network
//! allows: what is in it when sound arrives is delay.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::ahead::{AHEAD, Ahead};
use super::capture::Callbacks;
use super::cards::{self, CardStream, Source};
use super::device::{OpenError, Output, Why};
use super::slack::Trimmer;
use crate::config::Latency;

/// Milliseconds of sound that the ring holds.
const RING_MS: u32 = 400;
/// A packet that comes so long before more sound would be made is counted as if it came after that: both jitter.
pub(super) const MARGIN: Duration = Duration::from_micros(500);
/// So many periods wait at most before more is made for a device that may stand still: it would be delay afterwards.
pub(super) const PERIODS_AHEAD: usize = 2;
/// A card's output.
pub struct Card {
    ring: rtrb::Producer<i16>,
    callbacks: Arc<Callbacks>,
    rate: u32,
    trimmer: Trimmer,
    ahead: Ahead,
    /// How often it had run dry when it was last written to, and why that was.
    dry_then: u32,
    why: Why,
    _stream: CardStream,
}

impl Card {
    /// Opens it; blocks.
    pub fn open(name: &str, latency: Latency) -> Result<Card, OpenError> {
        let period_us = match latency {
            Latency::Low => 5_000,
            Latency::Safe => 20_000,
        };
        let callbacks = Callbacks::new();
        let mut ring = None;
        let make_source = |rate: u32| -> Source {
            let (producer, mut consumer) = rtrb::RingBuffer::<i16>::new((rate * RING_MS / 1000) as usize);
            ring = Some(producer);
            let callbacks = Arc::clone(&callbacks);
            Box::new(move |samples| {
                let (_, missing) = consumer.pop_partial_slice(samples);
                missing.fill(0);
                if !missing.is_empty() {
                    callbacks.found_none();
                }
                callbacks.came(samples.len());
            })
        };
        let on_error = {
            let callbacks = Arc::clone(&callbacks);
            move |why| callbacks.lost(why)
        };
        let opened = cards::open_output(name, period_us, make_source, on_error)?;
        let ring = ring.ok_or(OpenError::NoDevice("output"))?;
        let trimmer = Trimmer::new(Instant::now(), opened.rate);
        Ok(Card {
            ring,
            callbacks,
            rate: opened.rate,
            trimmer,
            ahead: Ahead::new(),
            dry_then: 0,
            why: Why::Arrived,
            _stream: opened.stream,
        })
    }

    fn level(&self) -> usize {
        self.ring.buffer().capacity() - self.ring.slots()
    }

    fn period(&self) -> usize {
        self.callbacks.period().max(self.rate as usize / 1000)
    }

    fn period_time(&self) -> Duration {
        Duration::from_secs_f64(self.period() as f64 / f64::from(self.rate))
    }

    /// Samples that wait besides whole periods, for a card whose callbacks are not all alike: as many as it was given too late.
    fn besides(&self) -> usize {
        ((self.ahead.time() - AHEAD).as_micros() * u128::from(self.rate) / 1_000_000) as usize
    }

    fn periods_waiting(&self) -> usize {
        self.level().saturating_sub(self.besides()) / self.period()
    }

    /// Learns whether what was written last came in time.
    fn learn(&mut self, why: Why) {
        let times = self.callbacks.times_dry();
        let was_dry = std::mem::replace(&mut self.dry_then, times) != times;
        match (was_dry, std::mem::replace(&mut self.why, why)) {
            (true, Why::RunningDry) => self.ahead.was_late(),
            (true, Why::Arrived) => {}
            (false, Why::RunningDry | Why::Arrived) => self.ahead.was_in_time(),
        }
    }
}

impl Output for Card {
    fn rate(&self) -> u32 {
        self.rate
    }

    fn write(&mut self, now: Instant, samples: &[i16], why: Why) {
        self.learn(why);
        let samples = match (why, self.callbacks.last()) {
            (Why::RunningDry, _) => {
                self.trimmer.ran_out();
                samples
            }
            (Why::Arrived, None) => samples,
            (Why::Arrived, Some(last)) => {
                let soon = (now + self.ahead.time() + MARGIN).saturating_duration_since(last);
                let periods = (soon.as_nanos() / self.period_time().as_nanos()) as usize;
                let level = self.level() as i64 - (periods * self.period() + self.besides()) as i64;
                self.trimmer.arrived(now, level, samples)
            }
        };
        // A full ring means that the card stands still: what does not fit is dropped.
        let _ = self.ring.push_partial_slice(samples);
    }

    fn dry_at(&self, now: Instant) -> Option<Instant> {
        let last = self.callbacks.last()?;
        let periods = self.periods_waiting();
        let dry = (last + self.period_time() * (periods as u32 + 1)).checked_sub(self.ahead.time())?;
        Some(if periods >= PERIODS_AHEAD { dry.max(now + AHEAD) } else { dry })
    }

    fn lacks(&self) -> usize {
        ((self.periods_waiting() + 1) * self.period() + self.besides()).saturating_sub(self.level())
    }

    fn is_clocked(&self) -> bool {
        true
    }

    fn correction(&self) -> f64 {
        self.trimmer.correction()
    }

    fn is_heard(&self) -> bool {
        true
    }

    fn ran_dry(&self) -> u64 {
        self.callbacks.times_dry().into()
    }

    fn failure(&self) -> Option<String> {
        self.callbacks.failure()
    }
}
