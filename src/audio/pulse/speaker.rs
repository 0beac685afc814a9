//! An output: sound is written when it comes. The server keeps it until its device wants it, and says what it took in messages
//! that wait in the socket until the next sound is written.

use std::time::{Duration, Instant};

use super::RATE;
use super::connection::{Connection, SAMPLE};
use super::find;
use super::link::{Heard, Link};
use crate::audio::ahead::{AHEAD, Ahead, EARLIEST};
use crate::audio::capture::STALLED;
use crate::audio::cards::Direction;
use crate::audio::device::{OpenError, Output, Wake, Why, key};
use crate::audio::playback::{MARGIN, PERIODS_AHEAD};
use crate::audio::slack::Trimmer;
use crate::config::Latency;

/// After so much time the moment is noted again at which the server takes a block.
const TIMED_EVERY: Duration = Duration::from_millis(320);
/// Of a block that was seen later than expected, so large a part of the difference is believed.
const LATER_PART: u32 = 8;
/// Samples that wait in the server at most: 400 ms.
const MOST: u64 = RATE as u64 * 400 / 1000;

/// An output of the server.
pub struct Speaker {
    link: Link,
    waiting: Waiting,
    last_taken: Instant,
    stalled: bool,
    moved: Option<String>,
    ran_dry: u64,
}

/// What waits in the server, as far as is known, and for how long that will do.
struct Waiting {
    blocks: Blocks,
    /// Samples that were written; when the last were, and why.
    written: u64,
    written_at: Instant,
    why: Why,
    /// How long before a block is taken that would find nothing sound is made.
    ahead: Ahead,
    trimmer: Trimmer,
}

/// What the server found when it took blocks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Found {
    Enough,
    /// They may have been shorter than it wanted.
    PerhapsLess,
}

/// What the server takes, and when.
///
/// It takes whole blocks, evenly; that it took one is heard only when its messages are read. When the *next* one is taken
/// therefore goes by those that were heard of, not by the clock alone: else one that was taken and not yet heard of would be
/// counted as waiting and as gone.
#[derive(Debug)]
struct Blocks {
    /// When it takes the one after those that it was heard to have taken.
    next: Instant,
    /// When one was last seen being taken.
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
        Blocks { next: now, seen: now, period: period << 8, at_first: at_first.into(), wanted: at_first.into() }
    }

    /// It asked `count` times, for `bytes` in all.
    fn asked(&mut self, count: u32, bytes: u64, found: Found) {
        self.wanted += bytes;
        let block = ((bytes / u64::from(SAMPLE)) << 8) / u64::from(count.max(1));
        if block > self.period || found == Found::Enough {
            self.period = self.period - self.period / 16 + block / 16;
        }
        self.next += self.period_time() * count;
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

    /// The last one was seen being taken now, or somewhat before: whoever sees it may be late.
    fn seen(&mut self, now: Instant) {
        let (seen, half) = (now + self.period_time(), self.period_time() / 2);
        let later = seen.saturating_duration_since(self.next);
        self.next = if later > half { seen } else { seen.min(self.next + later / LATER_PART) };
        self.seen = now;
    }

    /// How many it takes before `at`, besides those that it was heard to have taken.
    fn until(&self, at: Instant) -> u64 {
        let after_next = at.saturating_duration_since(self.next).as_nanos();
        if self.next < at { 1 + (after_next / self.period_time().as_nanos()) as u64 } else { 0 }
    }

    /// It wanted a block and found none: that was before now, so the next is taken a period later at the latest.
    fn found_none(&mut self, now: Instant) {
        self.next = self.next.min(now + self.period_time());
    }

    /// Nothing waits: what it would have taken until now, it has done without.
    fn pass(&mut self, now: Instant) {
        let period = self.period_time();
        let passed = now.saturating_duration_since(self.next).as_nanos() / period.as_nanos().max(1);
        if self.next <= now {
            self.next += period * u32::try_from(passed + 1).unwrap_or(u32::MAX);
        }
    }
}

impl Waiting {
    fn new(now: Instant, period: u64, wanted: u32) -> Waiting {
        Waiting {
            blocks: Blocks::new(now, period, wanted),
            written: 0,
            written_at: now,
            why: Why::Arrived,
            ahead: Ahead::new(),
            trimmer: Trimmer::new(now, RATE),
        }
    }

    /// The server asked `count` times, for `bytes` in all, and found too little now and then.
    fn heard(&mut self, now: Instant, count: u32, bytes: u64, is_dry: bool) {
        if count > 0 {
            let waited = self.blocks.taken() + bytes / u64::from(SAMPLE) < self.written;
            let found = if waited && !is_dry { Found::Enough } else { Found::PerhapsLess };
            self.blocks.asked(count, bytes, found);
        }
        if is_dry {
            self.blocks.found_none(now);
            // Where nothing was written of late, because no call played, it had to find none.
            let lately = self.blocks.period_time() * 2 + EARLIEST;
            let was_given_some = now.saturating_duration_since(self.written_at) < lately;
            if self.why == Why::RunningDry && was_given_some {
                self.ahead.was_late();
            }
        }
    }

    /// Samples that wait.
    fn level(&self) -> u64 {
        self.written.saturating_sub(self.blocks.taken())
    }

    /// Samples that wait besides whole blocks: those differ a little.
    fn besides(&self) -> u64 {
        self.ahead.time().as_micros() as u64 * u64::from(RATE) / 1_000_000
    }

    fn whole_blocks(&self) -> u64 {
        self.level().saturating_sub(self.besides()) / self.blocks.period()
    }

    /// When more is needed, by what was last heard of the server.
    fn dry(&self) -> Option<Instant> {
        let whole = u32::try_from(self.whole_blocks()).unwrap_or(u32::MAX);
        (self.blocks.next + self.blocks.period_time() * whole).checked_sub(self.ahead.time())
    }

    /// Samples that are needed then.
    fn lacks(&self) -> usize {
        ((self.whole_blocks() + 1) * self.blocks.period() + self.besides()).saturating_sub(self.level()) as usize
    }

    /// Sound came. Gives what of it is to be written.
    fn came<'a>(&'a mut self, now: Instant, samples: &'a [i16], why: Why) -> &'a [i16] {
        let level = self.level();
        if level == 0 {
            self.blocks.pass(now);
        }
        (self.why, self.written_at) = (why, now);
        match why {
            Why::RunningDry => {
                self.trimmer.ran_out();
                samples
            }
            Why::Arrived => {
                // What waits for blocks before which more would have to be made is not too much.
                let soon = self.blocks.until(now + self.ahead.time() + MARGIN);
                let needed = soon * self.blocks.period() + self.besides();
                self.trimmer.arrived(now, level.cast_signed() - needed.cast_signed(), samples)
            }
        }
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
        let waiting = Waiting::new(now, period, made.wanted);
        Ok(Speaker { link, waiting, last_taken: now, stalled: false, moved: None, ran_dry: 0 })
    }

    /// Reads what the server says; gives whether it took anything.
    fn take(&mut self, now: Instant) -> bool {
        let Speaker { link, moved, ran_dry, .. } = self;
        let (mut count, mut bytes, mut is_dry) = (0, 0, false);
        link.read(|heard| match heard {
            Heard::Wanted(more) => (count, bytes) = (count + 1_u32, bytes + u64::from(more)),
            Heard::Moved(device) => *moved = Some(device),
            Heard::Dry => (*ran_dry, is_dry) = (*ran_dry + 1, true),
            Heard::Sound(_) => (),
        });
        self.waiting.heard(now, count, bytes, is_dry);
        if count > 0 {
            self.last_taken = now;
        }
        count > 0
    }
}

impl Output for Speaker {
    fn rate(&self) -> u32 {
        RATE
    }

    fn write(&mut self, now: Instant, samples: &[i16], why: Why) {
        self.take(now);
        if now.saturating_duration_since(self.waiting.blocks.seen) > TIMED_EVERY {
            self.link.watch();
        }
        let level = self.waiting.level();
        if level == 0 {
            self.last_taken = now;
        }
        self.stalled |= now.saturating_duration_since(self.last_taken) > STALLED;
        let samples = self.waiting.came(now, samples, why);
        let count = samples.len() as u64;
        // So much waits only where the device stands still.
        if level < MOST && self.link.write(samples) {
            self.waiting.written += count;
        }
    }

    fn woken(&mut self, now: Instant) {
        if self.take(now) {
            self.waiting.blocks.seen(now);
            self.waiting.ahead.was_in_time();
        } else {
            self.link.watch();
        }
    }

    fn refresh(&mut self, now: Instant) {
        if self.waiting.dry().is_some_and(|dry| dry <= now + self.waiting.blocks.period_time() * 2) {
            self.take(now);
        }
    }

    fn dry_at(&self, now: Instant) -> Option<Instant> {
        let dry = self.waiting.dry()?;
        Some(if self.waiting.whole_blocks() >= PERIODS_AHEAD as u64 { dry.max(now + AHEAD) } else { dry })
    }

    fn lacks(&self) -> usize {
        self.waiting.lacks()
    }

    fn is_clocked(&self) -> bool {
        true
    }

    fn correction(&self) -> f64 {
        self.waiting.trimmer.correction()
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
        // Four were taken; the fifth comes 5 ms after the fourth was seen.
        blocks.asked(4, 4 * 480, Found::Enough);
        assert_eq!((blocks.taken(), blocks.period()), (960, 240));
        blocks.seen(at(20_300));
        assert_eq!(blocks.next, at(25_300));
        // It is not heard of yet: it does not move what comes next.
        blocks.asked(1, 480, Found::Enough);
        assert_eq!(blocks.next, at(30_300));
        // Whoever sees one late is not believed at once, whoever sees one early is.
        blocks.seen(at(26_100));
        assert_eq!(blocks.next, at(30_400));
        blocks.seen(at(25_000));
        assert_eq!(blocks.next, at(30_000));
        // Far off, it is another beat.
        blocks.seen(at(29_000));
        assert_eq!(blocks.next, at(34_000));
        // Nothing waited when the next ones would have been taken.
        blocks.pass(at(33_999));
        assert_eq!(blocks.next, at(34_000));
        blocks.pass(at(46_000));
        assert_eq!(blocks.next, at(49_000));
        // A block for which too little was there says nothing, one that is longer does.
        blocks.asked(1, 240, Found::PerhapsLess);
        assert_eq!(blocks.period(), 240);
        for _ in 0..200 {
            blocks.asked(1, 960, Found::PerhapsLess);
        }
        assert!((470..=480).contains(&blocks.period()), "{}", blocks.period());
        // None was there: the next one comes a period from now at the latest.
        blocks.next = at(60_000);
        blocks.found_none(at(45_000));
        assert_eq!(blocks.next, at(45_000) + blocks.period_time());
    }

    /// Packets of 20 ms that come evenly, `phase` after a block is taken, to a server that takes blocks of `period` samples, for
    /// six seconds; gives the samples that were made in the last two, for want of packets.
    fn made(period: u64, phase: Duration, late: u32) -> usize {
        let start = Instant::now();
        let mut waiting = Waiting::new(start, period, 0);
        (0..late).for_each(|_| waiting.ahead.was_late());
        let (packet, tick) = ([0; 960], Duration::from_micros(250));
        let (block, mut made) = (samples_time(period), 0);
        let (mut packet_at, mut block_at) = (start + phase, start);
        for now in (0..24_000).map(|n| start + tick * n) {
            if now >= block_at {
                block_at += block;
                let taken = period.min(waiting.level());
                waiting.heard(now, 1, taken * u64::from(SAMPLE), taken < period);
                waiting.blocks.seen(now);
            }
            if now >= packet_at {
                packet_at += Duration::from_millis(20);
                let count = waiting.came(now, &packet, Why::Arrived).len();
                waiting.written += count as u64;
            }
            if waiting.dry().is_some_and(|dry| dry <= now) {
                let lacks = waiting.lacks();
                waiting.written += waiting.came(now, &packet[..lacks.min(960)], Why::RunningDry).len() as u64;
                made += if now > start + Duration::from_secs(4) { lacks } else { 0 };
            }
        }
        made
    }

    #[test]
    fn nothing_is_made_between_packets_that_come_evenly() {
        for period in [240, 960] {
            for phase in (0..40).map(|n| Duration::from_micros(500) * n) {
                for late in [0, 1, 5, 10, 14] {
                    assert_eq!(
                        made(period, phase, late),
                        0,
                        "blocks of {period}, {phase:?} after one, {late} times late"
                    );
                }
            }
        }
    }
}
