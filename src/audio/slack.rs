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
/// Of the slack that is wanted when sound arrives, in microseconds.
const WANTED_US: u32 = 500;
/// Slack beyond the wanted that is cut at once, in microseconds; less is played a little faster.
const CUT_US: u32 = 3000;
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

    /// Samples arrived while `level` others waited (less than none: a callback is about to find too few). Gives those to
    /// play.
    pub(super) fn arrived<'a>(&'a mut self, now: Instant, level: i64, samples: &'a [i16]) -> &'a [i16] {
        // What is found while some is still to be cut is all that is left.
        match self.slack.arrived(now, level) {
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
}

impl Slack {
    fn new(now: Instant, rate: u32) -> Slack {
        Slack { rate, least: WindowMin::new(now, SPAN), least_lately: WindowMin::new(now, SHORT_SPAN), correction: 0.0 }
    }

    /// Sound arrived while `level` samples waited (less than none: a callback is about to find too few). Gives how many
    /// samples to cut now.
    fn arrived(&mut self, now: Instant, level: i64) -> usize {
        let in_samples = |us: u32| i64::from(us) * i64::from(self.rate) / 1_000_000;
        let lately = self.least_lately.push(now, level).map(|least| least - in_samples(WANTED_US));
        let all = self.least.push(now, level).map(|least| least - in_samples(WANTED_US));
        let far_too_much = lately.filter(|surplus| *surplus > in_samples(FAR_TOO_MUCH_US));
        let too_much = all.filter(|surplus| *surplus > in_samples(CUT_US));
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
            let cut_now = slack.arrived(now, level) as i64;
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
            assert_eq!(slack.arrived(start + Duration::from_millis(20 * packet), level), 0);
        }
    }

    #[test]
    fn what_a_standstill_left_is_cut_soon() {
        let start = Instant::now();
        let mut slack = Slack::new(start, 48_000);
        let cut: usize = (0..20).map(|packet| slack.arrived(start + Duration::from_millis(20 * packet), 9600)).sum();
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
