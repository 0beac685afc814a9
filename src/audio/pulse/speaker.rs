//! An output: sound is written when it comes. The server keeps it until its device wants it, and says what it took in messages
//! that wait in the socket until the next sound is written.

use std::time::{Duration, Instant};

use super::RATE;
use super::connection::{Connection, SAMPLE};
use super::find;
use super::link::{Heard, Link};
use crate::audio::capture::STALLED;
use crate::audio::cards::Direction;
use crate::audio::device::{OpenError, Output, Wake, Why, key};
use crate::audio::playback::{AHEAD, IMMINENT, PERIODS_AHEAD};
use crate::audio::slack::Trimmer;
use crate::config::Latency;

/// After so much time the moment is noted again at which the server takes a block.
const TIMED_EVERY: Duration = Duration::from_millis(320);
/// Samples that wait in the server at most: 400 ms.
const MOST: u64 = RATE as u64 * 400 / 1000;

/// An output of the server.
pub struct Speaker {
    link: Link,
    trimmer: Trimmer,
    blocks: Blocks,
    /// Samples that were written.
    written: u64,
    last_taken: Instant,
    stalled: bool,
    moved: Option<String>,
    ran_dry: u64,
}

/// What the server takes, and when.
#[derive(Debug)]
struct Blocks {
    /// A moment at which it took one: as it was seen, and from there on in whole periods.
    last: Instant,
    seen: Instant,
    /// Samples of a block, times 256.
    period: u64,
    /// Bytes it wanted at the start, before it had taken any.
    at_first: u64,
    /// Bytes it wanted.
    wanted: u64,
}

impl Blocks {
    fn new(now: Instant, period: u64, at_first: u32) -> Blocks {
        Blocks { last: now, seen: now, period: period << 8, at_first: at_first.into(), wanted: at_first.into() }
    }

    /// It asked `count` times, for `bytes` in all.
    fn asked(&mut self, count: u64, bytes: u64) {
        self.wanted += bytes;
        let block = ((bytes / u64::from(SAMPLE)) << 8) / count.max(1);
        self.period = self.period - self.period / 16 + block / 16;
    }

    fn period(&self) -> u64 {
        (self.period >> 8).max(u64::from(RATE) / 1000)
    }

    fn period_time(&self) -> Duration {
        samples_time(self.period())
    }

    /// Samples that were taken.
    fn taken(&self) -> u64 {
        self.wanted.saturating_sub(self.at_first) / u64::from(SAMPLE)
    }

    /// One was seen to be taken now.
    fn seen(&mut self, now: Instant) {
        (self.last, self.seen) = (now, now);
    }

    /// Follows the blocks that were taken unseen.
    fn advance(&mut self, now: Instant) {
        let period = self.period_time();
        let passed = now.saturating_duration_since(self.last).as_nanos() / period.as_nanos().max(1);
        self.last += period * u32::try_from(passed).unwrap_or(u32::MAX);
    }
}

fn samples_time(samples: u64) -> Duration {
    Duration::from_nanos(samples * 1_000_000_000 / u64::from(RATE))
}

impl Speaker {
    /// Opens the device of this name, or for `None` the default one, wherever that moves; blocks.
    pub fn open(name: Option<&str>, latency: Latency, wake: Wake) -> Result<Speaker, OpenError> {
        let period_us = match latency {
            Latency::Low => 5_000,
            Latency::Safe => 20_000,
        };
        let open = |connection: &mut Connection, device: Option<&str>| connection.play(device, period_us);
        let (connection, made) = find(Direction::Output, name, open)?;
        let refused = |source| OpenError::Pulse { name: made.device.clone(), source };
        let link = Link::new(connection, &made, wake, key::OUTPUT).map_err(refused)?;
        link.watch();
        let now = Instant::now();
        let period = u64::from(RATE) * u64::from(period_us) / 1_000_000;
        Ok(Speaker {
            link,
            trimmer: Trimmer::new(now, RATE),
            blocks: Blocks::new(now, period, made.wanted),
            written: 0,
            last_taken: now,
            stalled: false,
            moved: None,
            ran_dry: 0,
        })
    }

    /// Reads what the server says; gives whether it took anything.
    fn take(&mut self, now: Instant) -> bool {
        let Speaker { link, moved, ran_dry, .. } = self;
        let (mut count, mut bytes) = (0, 0);
        link.read(|heard| match heard {
            Heard::Wanted(more) => (count, bytes) = (count + 1, bytes + u64::from(more)),
            Heard::Moved(device) => *moved = Some(device),
            Heard::Dry => *ran_dry += 1,
            Heard::Sound(_) => (),
        });
        if count > 0 {
            self.blocks.asked(count, bytes);
            self.last_taken = now;
        }
        count > 0
    }

    /// Samples that wait.
    fn level(&self) -> u64 {
        self.written.saturating_sub(self.blocks.taken())
    }

    fn blocks_waiting(&self) -> u64 {
        self.level() / self.blocks.period()
    }

    /// When more is needed, by what was last heard of the server.
    fn dry(&self) -> Option<Instant> {
        let whole = u32::try_from(self.blocks_waiting()).unwrap_or(u32::MAX).saturating_add(1);
        (self.blocks.last + self.blocks.period_time() * whole).checked_sub(AHEAD)
    }
}

impl Output for Speaker {
    fn rate(&self) -> u32 {
        RATE
    }

    fn write(&mut self, now: Instant, samples: &[i16], why: Why) {
        self.take(now);
        self.blocks.advance(now);
        if now.saturating_duration_since(self.blocks.seen) > TIMED_EVERY {
            self.link.watch();
        }
        let level = self.level();
        if level == 0 {
            self.last_taken = now;
        }
        self.stalled |= now.saturating_duration_since(self.last_taken) > STALLED;
        let samples = match why {
            Why::RunningDry => samples,
            Why::Arrived => {
                let next = self.blocks.last + self.blocks.period_time();
                let imminent = if next.saturating_duration_since(now) < IMMINENT { self.blocks.period() } else { 0 };
                self.trimmer.arrived(now, level.cast_signed() - imminent.cast_signed(), samples)
            }
        };
        // So much waits only where the device stands still.
        if level < MOST && self.link.write(samples) {
            self.written += samples.len() as u64;
        }
    }

    fn woken(&mut self, now: Instant) {
        if self.take(now) {
            self.blocks.seen(now);
        } else {
            self.link.watch();
        }
    }

    fn refresh(&mut self, now: Instant) {
        if self.dry().is_some_and(|dry| dry <= now + self.blocks.period_time() * 2) {
            self.take(now);
            self.blocks.advance(now);
        }
    }

    fn dry_at(&self, now: Instant) -> Option<Instant> {
        let dry = self.dry()?;
        Some(if self.blocks_waiting() >= PERIODS_AHEAD as u64 { dry.max(now + AHEAD) } else { dry })
    }

    fn period(&self) -> usize {
        self.blocks.period() as usize
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
        self.ran_dry
    }

    fn take_move(&mut self) -> Option<String> {
        self.moved.take()
    }

    fn failure(&self) -> Option<String> {
        if self.stalled {
            return Some(format!("no sound was taken for {} s", STALLED.as_secs()));
        }
        self.link.failure().map(str::to_owned)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_are_followed_from_the_last_that_was_seen() {
        let start = Instant::now();
        let at = |us| start + Duration::from_micros(us);
        let mut blocks = Blocks::new(start, 240, 1920);
        assert_eq!((blocks.taken(), blocks.period_time()), (0, Duration::from_millis(5)));
        blocks.asked(4, 4 * 480);
        assert_eq!((blocks.taken(), blocks.period()), (960, 240));
        blocks.seen(at(20_300));
        blocks.advance(at(36_000));
        assert_eq!(blocks.last, at(35_300));
        for _ in 0..200 {
            blocks.asked(1, 960);
        }
        assert!((470..=480).contains(&blocks.period()), "{}", blocks.period());
    }
}
