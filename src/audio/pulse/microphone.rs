//! An input: what the server captured waits in the socket until a packet is due.

use std::time::{Duration, Instant};

use super::RATE;
use super::connection::Connection;
use super::link::{Heard, Link};
use crate::audio::capture::STALLED;
use crate::audio::cards::Direction;
use crate::audio::device::{Input, OpenError, Wake, key};
use crate::audio::pulse::find;
use crate::audio::taps::Taps;
use crate::config::Latency;

/// After so many samples the arrival of a fragment is timed again: by then the device's clock is 0.1 ms off at most.
const TIMED_EVERY: u64 = RATE as u64 * 320 / 1000;
/// The same in the first second, in which the server settles.
const TIMED_AT_FIRST: u64 = RATE as u64 * 40 / 1000;

/// An input of the server.
pub struct Microphone {
    link: Link,
    taps: Taps,
    scratch: Vec<i16>,
    /// Samples that came.
    heard: u64,
    /// When a fragment came, and how many samples had come then.
    timed: Option<(Instant, u64)>,
    silent_since: Option<Instant>,
    stalled: bool,
    moved: Option<String>,
}

impl Microphone {
    /// Opens the device of this name, or for `None` the default one, wherever that moves; blocks.
    pub fn open(name: Option<&str>, latency: Latency, wake: Wake) -> Result<Microphone, OpenError> {
        let period_us = match latency {
            Latency::Low => 10_000,
            Latency::Safe => 20_000,
        };
        let open = |connection: &mut Connection, device: Option<&str>| connection.record(device, period_us);
        let (connection, made) = find(Direction::Input, name, open)?;
        let refused = |source| OpenError::Pulse { name: made.device.clone(), source };
        let link = Link::new(connection, &made, wake, key::INPUT).map_err(refused)?;
        link.watch();
        Ok(Microphone {
            link,
            taps: Taps::new(RATE),
            scratch: Vec::new(),
            heard: 0,
            timed: None,
            silent_since: None,
            stalled: false,
            moved: None,
        })
    }

    /// Takes what came; gives whether anything did.
    fn take(&mut self) -> bool {
        let Microphone { link, scratch, moved, .. } = self;
        scratch.clear();
        link.read(|heard| match heard {
            Heard::Sound(bytes) => {
                scratch.extend(bytes.chunks_exact(2).map(|pair| i16::from_le_bytes([pair[0], pair[1]])));
            }
            Heard::Moved(device) => *moved = Some(device),
            Heard::Wanted(_) | Heard::Dry => (),
        });
        self.heard += self.scratch.len() as u64;
        self.taps.push(&self.scratch);
        !self.scratch.is_empty()
    }
}

impl Input for Microphone {
    fn collect(&mut self) {
        if self.take() {
            self.silent_since = None;
            let again = if self.heard < u64::from(RATE) { TIMED_AT_FIRST } else { TIMED_EVERY };
            if self.timed.is_none_or(|(_, then)| self.heard - then >= again) {
                self.link.watch();
            }
            return;
        }
        let now = Instant::now();
        let since = *self.silent_since.get_or_insert(now);
        self.stalled |= now.saturating_duration_since(since) > STALLED;
    }

    fn woken(&mut self, now: Instant) {
        if self.take() {
            self.silent_since = None;
            self.timed = Some((now, self.heard));
        }
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
        let (at, then) = self.timed?;
        Some(at + Duration::from_nanos((self.heard - then) * 1_000_000_000 / u64::from(RATE)))
    }

    fn is_clocked(&self) -> bool {
        true
    }

    fn wake_by_next(&self) {
        self.link.watch();
    }

    fn take_move(&mut self) -> Option<String> {
        self.moved.take()
    }

    fn failure(&self) -> Option<String> {
        if self.stalled {
            return Some(format!("no sound for {} s", STALLED.as_secs()));
        }
        self.link.failure().map(str::to_owned)
    }
}
