//! How much sound waits in an output when more arrives: that is delay, kept as small as the network allows by cutting what is
//! far too much and playing the rest a little faster.

use std::time::{Duration, Instant};

use super::pace::WindowMin;

/// Over which the least slack is looked for.
const SPAN: Duration = Duration::from_millis(1500);
/// The same for slack that is far too much, after a device stood still.
const SHORT_SPAN: Duration = Duration::from_millis(160);
/// Slack that is far too much, in microseconds.
const FAR_TOO_MUCH_US: u32 = 20_000;
/// Of the slack that is wanted when sound arrives, in microseconds: least, more for each time that sound came a little too late,
/// most. What was added wears off in some three thousand packets.
const WANTED_US: f64 = 500.0;
const MORE_US: f64 = 1000.0;
const MOST_WANTED_US: f64 = 4500.0;
const WEARS_OFF: f64 = 3000.0;
/// Sound that comes later than this was not a little too late: it is lost, or late because of the network, which the jitter
/// buffer evens out.
const A_LITTLE: Duration = Duration::from_millis(6);
/// Slack beyond the wanted that is cut, in microseconds, at the start or after a pause, and later; less is played a little faster.
const CUT_AT_FIRST_US: u32 = 3000;
const CUT_US: u32 = 8000;
/// The start is over when the least slack has been looked at so many times.
const SETTLED: u32 = 4;
/// In which time a small surplus is played away.
const PLAYED_AWAY_S: f64 = 4.0;
const MAX_CORRECTION: f64 = 0.002;

/// Keeps an output's slack.
#[derive(Debug)]
pub(super) struct Trimmer {
    slack: Slack,
    /// Samples still to cut.
    surplus: usize,
    trimmed: Vec<i16>,
}

impl Trimmer {
    pub(super) fn new(now: Instant, rate: u32) -> Trimmer {
        Trimmer { slack: Slack::new(now, rate), surplus: 0, trimmed: Vec::new() }
    }

    /// None was left, and something was made up.
    pub(super) fn ran_out(&mut self) {
        self.slack.ran_out = true;
    }

    /// Samples arrived while `level` others waited (less than none: more would have to be made up before the next). Gives
    /// those to play.
    pub(super) fn arrived<'a>(&'a mut self, now: Instant, level: i64, samples: &'a [i16]) -> &'a [i16] {
        // What is found while some is still to be cut is all that is left.
        match self.slack.arrived(now, level, samples.len()) {
            0 => {}
            surplus => self.surplus = surplus,
        }
        if self.surplus == 0 {
            return samples;
        }
        self.trimmed.clear();
        self.surplus -= shorten(samples, self.surplus, &mut self.trimmed);
        &self.trimmed
    }

    /// By which part the sound should be longer.
    pub(super) fn correction(&self) -> f64 {
        self.slack.correction
    }
}

/// Decides what to do with the samples that still wait whenever new ones arrive.
#[derive(Debug)]
struct Slack {
    rate: u32,
    least: WindowMin,
    least_lately: WindowMin,
    correction: f64,
    /// When sound arrived last, and whether something had to be made up since then.
    last: Instant,
    ran_out: bool,
    wanted_us: f64,
    /// So many times the least slack has been looked at since the start.
    looked: u32,
}

impl Slack {
    fn new(now: Instant, rate: u32) -> Slack {
        Slack {
            rate,
            least: WindowMin::new(now, SPAN),
            least_lately: WindowMin::new(now, SHORT_SPAN),
            correction: 0.0,
            last: now,
            ran_out: false,
            wanted_us: WANTED_US,
            looked: 0,
        }
    }

    /// `count` samples arrived while `level` others waited (less than none: more would have to be made up before the next).
    /// Gives how many to cut now.
    fn arrived(&mut self, now: Instant, level: i64, count: usize) -> usize {
        self.learn(now, count);
        let in_samples = |us: u32| i64::from(us) * i64::from(self.rate) / 1_000_000;
        let wanted = in_samples(self.wanted_us as u32);
        let lately = self.least_lately.push(now, level).map(|least| least - wanted);
        let all = self.least.push(now, level).map(|least| least - wanted);
        let cut = if self.is_settled() { CUT_US } else { CUT_AT_FIRST_US };
        let far_too_much = lately.filter(|surplus| *surplus > in_samples(FAR_TOO_MUCH_US));
        let too_much = all.filter(|surplus| *surplus > in_samples(cut));
        self.looked += u32::from(all.is_some());
        if let Some(surplus) = far_too_much.or(too_much) {
            self.correction = 0.0;
            self.least = WindowMin::new(now, SPAN);
            self.least_lately = WindowMin::new(now, SHORT_SPAN);
            return surplus as usize;
        }
        let Some(surplus) = all else { return 0 };
        let seconds = surplus as f64 / f64::from(self.rate);
        self.correction = (-seconds / PLAYED_AWAY_S).clamp(-MAX_CORRECTION, MAX_CORRECTION);
        0
    }

    fn is_settled(&self) -> bool {
        self.looked >= SETTLED
    }

    /// Learns whether what came now was a little too late.
    fn learn(&mut self, now: Instant, count: usize) {
        let since = now.saturating_duration_since(std::mem::replace(&mut self.last, now));
        if since > SPAN {
            // Another call, or the same after a pause: what is cut now nobody hears.
            *self = Slack { wanted_us: self.wanted_us, ..Slack::new(now, self.rate) };
        }
        let due = Duration::from_secs_f64(count as f64 / f64::from(self.rate));
        self.wanted_us -= (self.wanted_us - WANTED_US) / WEARS_OFF;
        // At the start senders still move their beat.
        if std::mem::take(&mut self.ran_out) && self.is_settled() && since < due + A_LITTLE {
            self.wanted_us = (self.wanted_us + MORE_US).min(MOST_WANTED_US);
        }
    }
}

/// Cuts up to `count` samples out of a sound, with a cross-fade instead of a click, and gives how many it cut.
fn shorten(samples: &[i16], count: usize, out: &mut Vec<i16>) -> usize {
    let count = count.min(samples.len() / 2);
    let rest = &samples[count..];
    let fade = rest.len().min(96);
    for (at, (&before, &after)) in samples.iter().zip(rest).take(fade).enumerate() {
        let (at, fade) = (at as i32, fade as i32);
        out.push(((i32::from(before) * (fade - at) + i32::from(after) * at) / fade) as i16);
    }
    out.extend_from_slice(&rest[fade..]);
    count
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Packets every 20 ms from `first_level` on; gives the level after `seconds`.
    fn run(first_level: i64, seconds: u64, drift_per_packet: i64) -> (i64, i64) {
        let start = Instant::now();
        let mut slack = Slack::new(start, 48_000);
        let (mut level, mut cut) = (first_level, 0);
        for packet in 0..seconds * 50 {
            let now = start + Duration::from_millis(20 * packet);
            let cut_now = slack.arrived(now, level, 960) as i64;
            cut += cut_now;
            level += drift_per_packet - cut_now + (960.0 * slack.correction).round() as i64;
        }
        (level, cut)
    }

    #[test]
    fn the_surplus_of_the_start_is_cut() {
        let (level, cut) = run(960, 2, 0);
        assert_eq!(cut, 960 - 24);
        assert_eq!(level, 24);
    }

    #[test]
    fn a_small_surplus_is_played_away() {
        let (level, cut) = run(140, 30, 0);
        assert_eq!(cut, 0);
        assert!((0..80).contains(&level), "{level}");
    }

    #[test]
    fn a_surplus_in_the_middle_of_a_call_is_played_away_unless_it_is_large() {
        let start = Instant::now();
        let at = |packet: u64| start + Duration::from_millis(20 * packet);
        for (surplus, cuts) in [(300, false), (480, true)] {
            let mut slack = Slack::new(start, 48_000);
            assert!((0..400).all(|packet| slack.arrived(at(packet), 24, 960) == 0));
            let cut: usize = (400..800).map(|packet| slack.arrived(at(packet), 24 + surplus, 960)).sum();
            assert_eq!(cut > 0, cuts, "{surplus}");
        }
    }

    /// Packets of 20 ms of which one in a thousand is 2 ms late; gives how much was made up for the last ten such ones of twenty, in
    /// milliseconds, and how long sound waits then.
    fn late_now_and_then() -> (f64, f64) {
        let start = Instant::now();
        let mut slack = Slack::new(start, 48_000);
        let (mut level, mut made) = (0.0f64, 0.0);
        for packet in 0..20_000u64 {
            let late = if packet % 1000 == 500 { 2 } else { 0 };
            // What was there has gone on playing meanwhile.
            let short = (late as f64 * 48.0 - level).max(0.0);
            if short > 0.0 {
                slack.ran_out = true;
                level += short;
                made += if packet >= 10_000 { short } else { 0.0 };
            }
            let now = start + Duration::from_millis(20 * packet + late);
            level -= slack.arrived(now, level as i64 - late as i64 * 48, 960) as f64;
            level += 960.0 * slack.correction;
        }
        (made / 48.0, level / 48.0)
    }

    #[test]
    fn who_is_a_little_late_now_and_then_is_waited_for() {
        let (made, waits) = late_now_and_then();
        assert!(made <= 4.0, "{made} ms were made up for ten packets");
        assert!(waits <= 5.0, "{waits} ms wait");
    }

    #[test]
    fn drift_is_followed() {
        // One sample in a packet of 960: a thousand parts in a million, far more than clocks differ by.
        let (level, _) = run(24, 120, 1);
        assert!((0..400).contains(&level), "{level}");
    }

    #[test]
    fn what_jitter_needs_is_kept() {
        let start = Instant::now();
        let mut slack = Slack::new(start, 48_000);
        for packet in 0..500 {
            let level = if packet % 10 == 0 { 0 } else { 700 };
            assert_eq!(slack.arrived(start + Duration::from_millis(20 * packet), level, 960), 0);
        }
    }

    #[test]
    fn what_a_standstill_left_is_cut_soon() {
        let start = Instant::now();
        let mut slack = Slack::new(start, 48_000);
        let cut: usize =
            (0..20).map(|packet| slack.arrived(start + Duration::from_millis(20 * packet), 9600, 960)).sum();
        assert!(cut >= 9600 - 24, "{cut}");
    }

    #[test]
    fn what_a_burst_left_is_cut_once() {
        let start = Instant::now();
        let mut trimmer = Trimmer::new(start, 48_000);
        // Six packets too many, and the device takes one for each that comes.
        let (mut level, packet) = (6 * 960i64, [0; 960]);
        for n in 0..200 {
            level += trimmer.arrived(start + Duration::from_millis(20 * n), level, &packet).len() as i64 - 960;
            assert!(level >= 0, "packet {n}: {level}");
        }
        assert!(level < 200, "{level}");
    }

    #[test]
    fn a_cut_does_not_click() {
        let sine: Vec<i16> = (0..960).map(|n| (10_000.0 * (f64::from(n) * 0.05).sin()) as i16).collect();
        let mut out = Vec::new();
        assert_eq!(shorten(&sine, 240, &mut out), 240);
        assert_eq!(out.len(), 720);
        assert!(out.windows(2).all(|pair| pair[0].abs_diff(pair[1]) < 1000));
        assert_eq!(out[0], sine[0]);
        assert_eq!(out[719], sine[959]);
        out.clear();
        assert_eq!(shorten(&sine[..10], 240, &mut out), 5);
        assert_eq!(out.len(), 5);
    }
}
