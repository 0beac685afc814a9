//! A sound card's input: the callback fills a ring, the media thread empties it.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use super::cards::{self, CardStream, Sink};
use super::device::{Input, OpenError, Wake};
use super::taps::Taps;
use crate::config::Latency;

/// Milliseconds of sound that the ring holds.
const RING_MS: u32 = 200;
/// A card that has called, and then does not for this long, is lost.
pub(super) const STALLED: Duration = Duration::from_secs(2);

/// What a card's callbacks tell, without a lock.
pub(super) struct Callbacks {
    base: Instant,
    /// When the last one came, in ns since `base`; 0: none yet.
    last: AtomicU64,
    /// Frames that one brings or takes on average, times 256; 0: none yet.
    frames: AtomicU32,
    dry: AtomicU32,
    wanted: AtomicBool,
    failed: AtomicBool,
    error: std::sync::Mutex<Option<String>>,
}

impl Callbacks {
    pub(super) fn new() -> Arc<Callbacks> {
        Arc::new(Callbacks {
            base: Instant::now(),
            last: AtomicU64::new(0),
            frames: AtomicU32::new(0),
            dry: AtomicU32::new(0),
            wanted: AtomicBool::new(false),
            failed: AtomicBool::new(false),
            error: std::sync::Mutex::new(None),
        })
    }

    /// On the audio thread.
    pub(super) fn came(&self, frames: usize) {
        let frames = u32::try_from(frames).unwrap_or(u32::MAX).min(1 << 20) << 8;
        let average = match self.frames.load(Ordering::Relaxed) {
            0 => frames,
            average => average - average / 16 + frames / 16,
        };
        self.frames.store(average, Ordering::Relaxed);
        let nanos = self.base.elapsed().as_nanos() as u64;
        self.last.store(nanos.max(1), Ordering::Release);
    }

    /// On the audio thread: sound was wanted, and there was none.
    pub(super) fn found_none(&self) {
        self.dry.fetch_add(1, Ordering::Relaxed);
    }

    /// How often it was so.
    pub(super) fn times_dry(&self) -> u32 {
        self.dry.load(Ordering::Relaxed)
    }

    /// In the error callback.
    pub(super) fn lost(&self, why: String) {
        if let Ok(mut error) = self.error.try_lock() {
            error.get_or_insert(why);
        }
        self.failed.store(true, Ordering::Release);
    }

    pub(super) fn last(&self) -> Option<Instant> {
        match self.last.load(Ordering::Acquire) {
            0 => None,
            nanos => Some(self.base + Duration::from_nanos(nanos)),
        }
    }

    /// Frames that a callback brings or takes, on average lately.
    pub(super) fn period(&self) -> usize {
        (self.frames.load(Ordering::Relaxed) >> 8) as usize
    }

    pub(super) fn failure(&self) -> Option<String> {
        if self.failed.load(Ordering::Acquire) {
            let error = self.error.try_lock().ok().and_then(|error| error.clone());
            return Some(error.unwrap_or_else(|| "the stream ended".into()));
        }
        let silent = self.last().unwrap_or(self.base).elapsed();
        (silent > STALLED).then(|| format!("no sound for {} s", STALLED.as_secs()))
    }
}

/// A card's input.
pub struct Card {
    ring: rtrb::Consumer<i16>,
    callbacks: Arc<Callbacks>,
    taps: Taps,
    scratch: Vec<i16>,
    // Dropped last but for the ring: the callback lives on until then.
    _stream: CardStream,
}

impl Card {
    /// Opens it; blocks.
    pub fn open(name: &str, latency: Latency, wake: Wake) -> Result<Card, OpenError> {
        let period_us = match latency {
            Latency::Low => 10_000,
            Latency::Safe => 20_000,
        };
        let callbacks = Callbacks::new();
        let mut ring = None;
        let make_sink = |rate: u32| -> Sink {
            let (mut producer, consumer) = rtrb::RingBuffer::new((rate * RING_MS / 1000) as usize);
            ring = Some(consumer);
            let callbacks = Arc::clone(&callbacks);
            Box::new(move |samples| {
                // When the ring is full the newest is dropped: its reader has stopped reading.
                let _ = producer.push_partial_slice(samples);
                callbacks.came(samples.len());
                if callbacks.wanted.swap(false, Ordering::AcqRel) {
                    // An eventfd is written to: it never waits.
                    let _ = wake.notify();
                }
            })
        };
        let on_error = {
            let callbacks = Arc::clone(&callbacks);
            move |why| callbacks.lost(why)
        };
        let opened = cards::open_input(name, period_us, make_sink, on_error)?;
        let ring = ring.ok_or(OpenError::NoDevice("input"))?;
        Ok(Card { ring, callbacks, taps: Taps::new(opened.rate), scratch: Vec::new(), _stream: opened.stream })
    }
}

impl Input for Card {
    fn collect(&mut self) {
        let waiting = self.ring.slots();
        self.scratch.resize(waiting, 0);
        if self.ring.pop_entire_slice(&mut self.scratch).is_err() {
            return;
        }
        self.taps.push(&self.scratch);
    }

    fn available(&mut self, rate: u32) -> usize {
        self.taps.available(rate)
    }

    fn read(&mut self, rate: u32, out: &mut [i16]) {
        self.taps.read(rate, out);
    }

    fn discard(&mut self) {
        self.collect();
        self.taps.discard();
    }

    fn newest(&self) -> Option<Instant> {
        self.callbacks.last()
    }

    fn is_clocked(&self) -> bool {
        true
    }

    fn wake_by_next(&self) {
        self.callbacks.wanted.store(true, Ordering::Release);
    }

    fn failure(&self) -> Option<String> {
        self.callbacks.failure()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_period_is_what_callbacks_bring() {
        let callbacks = Callbacks::new();
        assert_eq!((callbacks.last(), callbacks.period()), (None, 0));
        callbacks.came(480);
        assert_eq!(callbacks.period(), 480);
        for _ in 0..100 {
            callbacks.came(240);
        }
        assert!((240..250).contains(&callbacks.period()), "{}", callbacks.period());
        assert!(callbacks.last().is_some());
    }

    #[test]
    fn the_first_error_is_told() {
        let callbacks = Callbacks::new();
        assert_eq!(callbacks.failure(), None);
        callbacks.lost("unplugged".into());
        callbacks.lost("and gone".into());
        assert_eq!(callbacks.failure().as_deref(), Some("unplugged"));
    }
}
