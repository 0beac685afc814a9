//! How long it takes until what we say comes back: from an echo service (the exchange's 600), or from a far side that hears
//! its own speaker. Found in the rise and fall of both sides' loudness, whatever codec and network did to the samples.

use std::time::{Duration, Instant};

/// Loudness is taken over so long.
const SLOT: Duration = Duration::from_millis(5);
/// Slots that are remembered: 4 s.
const SLOTS: usize = 800;
/// Slots of what was heard that are compared: 2 s.
const WINDOW: usize = 400;
/// The longest delay that is looked for: 1 s.
const LONGEST: usize = 200;
/// How often it is looked for.
const EVERY: Duration = Duration::from_secs(1);
/// How much of the one side's rise and fall the other one's has, at least; 1: all.
const ALIKE: f32 = 0.85;
/// Loudness that rises and falls by less, as a tone's does, says nothing (standard deviation of its natural logarithm).
const LIVELY: f32 = 1.0;
/// Samples and their time may be apart by this much before the time counts.
const SKEW: Duration = Duration::from_millis(100);

/// See the module's page. It allocates when it is made, and never again.
#[derive(Debug)]
pub struct EchoDelay {
    begun: Instant,
    sent: Envelope,
    heard: Envelope,
    look_at: Instant,
    told: Option<u32>,
}

impl EchoDelay {
    /// Begins with nothing.
    pub fn new(now: Instant) -> EchoDelay {
        EchoDelay { begun: now, sent: Envelope::new(), heard: Envelope::new(), look_at: now + EVERY, told: None }
    }

    /// What left now, at so many samples a second.
    pub fn sent(&mut self, now: Instant, samples: &[i16], rate: u32) {
        self.sent.push(now.saturating_duration_since(self.begun), samples, rate);
    }

    /// What is played now.
    pub fn heard(&mut self, now: Instant, samples: &[i16], rate: u32) {
        self.heard.push(now.saturating_duration_since(self.begun), samples, rate);
    }

    /// The delay in milliseconds when it is first found, and when it has changed by more than 10.
    pub fn poll(&mut self, now: Instant) -> Option<u32> {
        if now < self.look_at {
            return None;
        }
        self.look_at = now + EVERY;
        let found = self.find()?;
        if self.told.is_some_and(|told| told.abs_diff(found) <= 10) {
            return None;
        }
        self.told = Some(found);
        Some(found)
    }

    fn find(&self) -> Option<u32> {
        let end = self.heard.end.min(self.sent.end);
        let begin = end.checked_sub(WINDOW)?.max(LONGEST);
        if end - begin < WINDOW {
            return None;
        }
        let heard = Rise::of(&self.heard, begin, end);
        if heard.deviation < LIVELY {
            return None;
        }
        let alike = |lag: usize| {
            let sent = Rise::of(&self.sent, begin - lag, end - lag);
            if sent.deviation < LIVELY {
                return 0.0;
            }
            let products =
                (begin..end).map(|slot| (self.heard.at(slot) - heard.mean) * (self.sent.at(slot - lag) - sent.mean));
            products.sum::<f32>() / (WINDOW as f32 * heard.deviation * sent.deviation)
        };
        let (lag, best) = (0..LONGEST).map(|lag| (lag, alike(lag))).max_by(|(_, a), (_, b)| a.total_cmp(b))?;
        (best >= ALIKE).then(|| (lag as u128 * SLOT.as_millis()) as u32)
    }
}

/// Mean and standard deviation of a stretch of loudness.
struct Rise {
    mean: f32,
    deviation: f32,
}

impl Rise {
    fn of(envelope: &Envelope, begin: usize, end: usize) -> Rise {
        let count = (end - begin).max(1) as f32;
        let mean = (begin..end).map(|slot| envelope.at(slot)).sum::<f32>() / count;
        let square = (begin..end).map(|slot| (envelope.at(slot) - mean).powi(2)).sum::<f32>() / count;
        Rise { mean, deviation: square.sqrt() }
    }
}

/// The loudness of one side over time, as a logarithm.
#[derive(Debug)]
struct Envelope {
    slots: Box<[f32]>,
    /// The slot that is being filled; those before are whole.
    end: usize,
    energy: f32,
    /// Samples in it that were counted.
    count: u32,
    /// Samples since the time was last looked at, as time.
    until: Option<Duration>,
}

impl Envelope {
    fn new() -> Envelope {
        Envelope { slots: vec![0.0; SLOTS].into(), end: 0, energy: 0.0, count: 0, until: None }
    }

    fn at(&self, slot: usize) -> f32 {
        self.slots.get(slot % SLOTS).copied().unwrap_or(0.0)
    }

    fn push(&mut self, at: Duration, samples: &[i16], rate: u32) {
        // A sample in an eighth of a millisecond does to know how loud it is.
        let every = (rate / 8000).max(1);
        let per_slot = (rate / 200 / every).max(1);
        let length = Duration::from_micros(samples.len() as u64 * 1_000_000 / u64::from(rate.max(1)));
        let from = self.until.filter(|until| until.abs_diff(at) <= SKEW).unwrap_or(at);
        if self.until != Some(from) {
            // A gap is silence.
            let slot = (from.as_nanos() / SLOT.as_nanos()) as usize;
            for _ in self.end..slot.min(self.end + SLOTS) {
                self.finish();
            }
            self.end = slot.max(self.end);
            (self.energy, self.count) = (0.0, 0);
        }
        self.until = Some(from + length);
        for &sample in samples.iter().step_by(every as usize) {
            self.energy += f32::from(sample) * f32::from(sample);
            self.count += 1;
            if self.count >= per_slot {
                self.finish();
            }
        }
    }

    fn finish(&mut self) {
        let mean = self.energy / self.count.max(1) as f32;
        let place = self.end % SLOTS;
        if let Some(slot) = self.slots.get_mut(place) {
            // Softer than 30 of 32,767 is silence, whoever makes it.
            *slot = (900.0 + mean).ln();
        }
        self.end += 1;
        (self.energy, self.count) = (0.0, 0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Syllables: noise that comes and goes, never the same twice.
    fn speech(n: u64, rate: u64) -> i16 {
        let random = |x: u64| {
            (x ^ 0x9e37).wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(31).wrapping_mul(0xbf58_476d_1ce4_e5b9) >> 40
        };
        let syllable = n * 1000 / rate / 90;
        match random(syllable) % 3 {
            0 => 0,
            loud => ((random(n) % 4000) as i16 - 2000) * loud as i16,
        }
    }

    /// What is found within some seconds when `echo` says what comes back of what was said.
    fn found(seconds: u64, rate: u32, mut echo: impl FnMut(u64) -> i16) -> Option<u32> {
        let begun = Instant::now();
        let mut delay = EchoDelay::new(begun);
        let (rate_64, tick) = (u64::from(rate), 20);
        let mut found = None;
        for step in 0..seconds * 1000 / tick {
            let now = begun + Duration::from_millis(step * tick);
            let range = step * tick * rate_64 / 1000..(step + 1) * tick * rate_64 / 1000;
            let said: Vec<i16> = range.clone().map(|n| speech(n, rate_64)).collect();
            let came: Vec<i16> = range.map(&mut echo).collect();
            delay.sent(now, &said, rate);
            delay.heard(now, &came, rate);
            found = delay.poll(now).or(found);
        }
        found
    }

    #[test]
    fn an_echo_is_found_at_any_rate_and_loudness() {
        for (rate, milliseconds) in [(8000, 45), (16_000, 200), (48_000, 730)] {
            let late = u64::from(rate) * milliseconds / 1000;
            for divisor in [1, 3] {
                let echo = |n: u64| n.checked_sub(late).map_or(0, |n| speech(n, rate.into()) / divisor);
                let found = found(8, rate, echo).expect("an echo") as u64;
                assert!(found.abs_diff(milliseconds) <= 5, "{found} for {milliseconds}");
            }
        }
    }

    #[test]
    fn who_speaks_for_himself_is_no_echo_and_neither_is_silence_or_a_tone() {
        let rate = 8000;
        assert_eq!(found(8, rate, |n| speech(n + 1_000_003 * 8, rate.into())), None);
        assert_eq!(found(8, rate, |_| 0), None);
        assert_eq!(found(8, rate, |n| (8000.0 * (n as f64 * 0.35).sin()) as i16), None);
        // What comes back later than a second is not looked for.
        assert_eq!(found(8, rate, |n| n.checked_sub(12_000).map_or(0, |n| speech(n, rate.into()))), None);
    }

    #[test]
    fn a_delay_is_told_again_only_when_it_has_changed() {
        let begun = Instant::now();
        let mut delay = EchoDelay::new(begun);
        let mut told = Vec::new();
        for step in 0..1000_u64 {
            let now = begun + Duration::from_millis(step * 20);
            let late = if step < 500 { 800 } else { 1600 };
            let said: Vec<i16> = (step * 160..(step + 1) * 160).map(|n| speech(n, 8000)).collect();
            let came: Vec<i16> =
                (step * 160..(step + 1) * 160).map(|n| n.checked_sub(late).map_or(0, |n| speech(n, 8000))).collect();
            delay.sent(now, &said, 8000);
            delay.heard(now, &came, 8000);
            told.extend(delay.poll(now));
        }
        assert_eq!(told, [100, 200]);
    }
}
