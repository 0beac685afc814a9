//! How far the packets' delays are apart: what the buffer has to even out.
//!
//! All times are in samples of the session's rate. A packet's *transit* is when it came less where it belongs; the zero of
//! both is arbitrary, so only differences count. Its *delay* is its transit less the least one of the last two seconds: zero
//! for the fastest packets.

use std::cmp::Reverse;

/// The delay that is covered at most, in milliseconds.
pub(super) const MOST_MS: usize = 300;
/// The part of the packets that shall be in time.
const IN_TIME: f32 = 0.985;
/// So many packets are remembered with equal weight; of those before, each further one takes its part.
const MEMORY: f32 = 250.0;
/// How far back the fastest packet is looked for: so many spans, of so many milliseconds each.
const SPANS: usize = 8;
const SPAN_MS: i64 = 250;
/// Weights are brought down when they have grown to this.
const HEAVY: f32 = 1e5;
/// Of so many packets the delay is kept, those of the spans where they are not shorter than 10 ms.
const RECENT: usize = 256;

/// The delays of the last packets as a histogram with forgetting, and the fastest packet's transit.
#[derive(Debug, Clone)]
pub(super) struct Spread {
    samples_per_ms: i64,
    /// The spans of the last two seconds; a new one overwrites the one of two seconds before.
    spans: [Span; SPANS],
    base: Option<i64>,
    /// The packet that had that transit.
    fastest: u32,
    /// In which bin each of the last packets is, by its number.
    recent: Box<[u16; RECENT]>,
    /// The weight of all packets by milliseconds of delay.
    bins: Box<[f32; MOST_MS]>,
    total: f32,
    /// The weight of the next packet.
    weight: f32,
    count: u32,
    /// No bin above this one has weight.
    highest: usize,
}

/// A span of time: which one it is, the least transit in it, and the number of the packet that had that.
#[derive(Debug, Clone, Copy)]
struct Span {
    at: i64,
    least: i64,
    fastest: u32,
}

const NO_SPAN: Span = Span { at: i64::MIN, least: 0, fastest: 0 };

impl Spread {
    pub(super) fn new(samples_per_ms: usize) -> Spread {
        Spread {
            samples_per_ms: samples_per_ms.max(1) as i64,
            spans: [NO_SPAN; SPANS],
            base: None,
            fastest: 0,
            recent: Box::new([0; RECENT]),
            bins: Box::new([0.0; MOST_MS]),
            total: 0.0,
            weight: 1.0,
            count: 0,
            highest: 0,
        }
    }

    /// Forgets where the packets belong, but not how far they were apart.
    pub(super) fn forget_base(&mut self) {
        self.base = None;
        self.spans = [NO_SPAN; SPANS];
    }

    /// The transit of the fastest packet of late; none before the first.
    pub(super) fn base(&self) -> Option<i64> {
        self.base
    }

    /// Takes a packet that came at `now`.
    pub(super) fn add(&mut self, now: i64, transit: i64) {
        self.count = self.count.saturating_add(1);
        let base = self.find_base(now, transit);
        let delay = (transit - base) / self.samples_per_ms;
        let bin = usize::try_from(delay).unwrap_or(0).min(MOST_MS - 1);
        if self.count as f32 > MEMORY {
            self.weight *= MEMORY / (MEMORY - 1.0);
        }
        self.recent[self.count as usize % RECENT] = bin as u16;
        self.bins[bin] += self.weight;
        self.total += self.weight;
        self.highest = self.highest.max(bin);
        if self.weight > HEAVY {
            self.lighten();
        }
    }

    fn find_base(&mut self, now: i64, transit: i64) -> i64 {
        let at = now.div_euclid(SPAN_MS * self.samples_per_ms);
        let span = &mut self.spans[at.rem_euclid(SPANS as i64) as usize];
        if span.at != at || transit <= span.least {
            *span = Span { at, least: transit, fastest: self.count };
        }
        let lately = self.spans.iter().filter(|span| span.at > at - SPANS as i64 && span.at <= at);
        let is_alone = lately.clone().count() == 1;
        let fastest = lately.min_by_key(|span| (span.least, Reverse(span.fastest)));
        let (base, fastest) = fastest.map_or((transit, self.count), |span| (span.least, span.fastest));
        // After a pause one packet alone says nothing of those before it.
        if let Some(longer) = self.base.replace(base).map(|before| (base - before) / self.samples_per_ms)
            && longer > 0
            && !is_alone
        {
            self.lengthen(usize::try_from(longer).unwrap_or(MOST_MS));
        }
        self.fastest = fastest;
        base
    }

    /// No packet since the fastest was as fast, for so long that the way has become longer, by so many milliseconds: what seemed
    /// to be their delay was not.
    fn lengthen(&mut self, by: usize) {
        let (mut number, mut weight) = (self.count - 1, self.weight);
        while number > self.fastest && self.count - number < RECENT as u32 {
            let bin = &mut self.recent[number as usize % RECENT];
            let (was, is) = (usize::from(*bin), usize::from(*bin).saturating_sub(by));
            *bin = is as u16;
            self.bins[was] = (self.bins[was] - weight).max(0.0);
            self.bins[is] += weight;
            if number as f32 > MEMORY {
                weight *= (MEMORY - 1.0) / MEMORY;
            }
            number -= 1;
        }
    }

    fn lighten(&mut self) {
        let by = 1.0 / self.weight;
        self.total = 0.0;
        let mut highest = 0;
        for (at, bin) in self.bins.iter_mut().enumerate() {
            *bin *= by;
            if *bin < 1e-6 {
                *bin = 0.0;
            } else {
                highest = at;
            }
            self.total += *bin;
        }
        self.highest = highest;
        self.weight = 1.0;
    }

    /// The delay, in milliseconds, that no more than one packet in some seventy exceeds; 0 below 1 ms.
    pub(super) fn covered_ms(&self) -> usize {
        let mut rest = self.total * (1.0 - IN_TIME);
        for bin in (0..=self.highest).rev() {
            rest -= self.bins[bin];
            if rest < 0.0 {
                return if bin == 0 { 0 } else { bin + 1 };
            }
        }
        0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Packets every 20 ms with these delays, in milliseconds; gives what is covered after each.
    fn run(spread: &mut Spread, from: i64, delays: impl IntoIterator<Item = i64>) -> Vec<usize> {
        let delays = delays.into_iter().enumerate();
        delays
            .map(|(n, delay)| {
                let sent = (from + n as i64) * 160;
                spread.add(sent + delay * 8, delay * 8 + 7777);
                spread.covered_ms()
            })
            .collect()
    }

    #[test]
    fn without_jitter_nothing_is_covered() {
        let mut spread = Spread::new(8);
        assert!(run(&mut spread, 0, vec![40; 1000]).iter().all(|&covered| covered == 0));
        assert_eq!(spread.base(), Some(40 * 8 + 7777));
    }

    #[test]
    fn it_is_a_part_of_the_packets_not_the_slowest() {
        let mut spread = Spread::new(8);
        let one_in_a_hundred = (0..2000).map(|n| if n % 100 == 99 { 200 } else { n * 7 % 21 });
        let covered = run(&mut spread, 0, one_in_a_hundred);
        assert!(covered[1000..].iter().all(|&covered| covered <= 22), "{:?}", covered.iter().max());
    }

    #[test]
    fn it_grows_at_once_and_shrinks_slowly() {
        let mut spread = Spread::new(8);
        run(&mut spread, 0, vec![0; 500]);
        // One stall of 200 ms: ten packets at the same moment.
        let covered = run(&mut spread, 500, (0..10).map(|n| 200 - 20 * n));
        assert!(covered[9] >= 120, "{covered:?}");
        let covered = run(&mut spread, 510, vec![0; 1000]);
        assert!(covered[100] > 0);
        assert_eq!(covered[999], 0);
    }

    #[test]
    fn a_longer_way_is_no_jitter_after_two_seconds() {
        let mut spread = Spread::new(8);
        run(&mut spread, 0, vec![10; 300]);
        run(&mut spread, 300, vec![90; 110]);
        assert_eq!(spread.base(), Some(90 * 8 + 7777));
        run(&mut spread, 410, vec![30; 1]);
        assert_eq!(spread.base(), Some(30 * 8 + 7777));
    }

    #[test]
    fn a_way_that_has_become_longer_leaves_no_jitter_behind() {
        // At the start of a call, and late in it.
        for before in [5, 1000] {
            let mut spread = Spread::new(8);
            run(&mut spread, 0, vec![10; before]);
            let covered = run(&mut spread, before as i64, (0..200).map(|n| 30 + n % 4));
            assert!(covered[50] >= 23, "{before}: it may have been jitter: {covered:?}");
            assert!(covered[115..].iter().all(|&covered| covered <= 4), "{before}: {:?}", &covered[90..]);
            assert!(spread.bins.iter().all(|&bin| bin >= 0.0));
            assert!((spread.bins.iter().sum::<f32>() / spread.total - 1.0).abs() < 1e-3);
        }
    }

    #[test]
    fn a_way_that_has_become_longer_does_not_make_the_jitter_before_it_less() {
        let mut spread = Spread::new(8);
        run(&mut spread, 0, (0..500).map(|n| n * 7 % 31));
        let covered = run(&mut spread, 500, (0..250).map(|n| 50 + n * 7 % 31));
        assert!(covered[120..].iter().all(|&covered| (30..=32).contains(&covered)), "{:?}", &covered[120..]);
    }

    #[test]
    fn a_late_packet_after_a_pause_does_not_make_the_jitter_before_it_less() {
        let mut spread = Spread::new(8);
        run(&mut spread, 0, (0..600).map(|n| if n % 60 == 59 { 40 } else { i64::from(n % 120 > 0) * 2 }));
        let before = spread.covered_ms();
        run(&mut spread, 800, [60]);
        assert_eq!((before, spread.covered_ms()), (39, 39));
    }

    #[test]
    fn weights_stay_finite() {
        let mut spread = Spread::new(8);
        let covered = run(&mut spread, 0, (0..100_000).map(|n| n * 31 % 40));
        assert!(covered[1000..].iter().all(|covered| (38..=40).contains(covered)));
        assert!(spread.total.is_finite() && spread.weight <= HEAVY * 1.01);
    }
}
