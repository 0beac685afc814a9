//! When the next RTCP report is due (RFC 3550 sections 6.2 and 6.3).

use std::time::{Duration, Instant};

use rand_core::RngCore;

/// Section 6.2: reports take 5 % of the session's bandwidth, in bytes per second: of one G.711 stream, both ways.
const RTCP_BYTES_PER_SECOND: f64 = 0.05 * 2.0 * 10_000.0;
/// Section 6.2.
const MINIMUM: f64 = 5.0;
/// Section 6.3.1: makes up for reconsideration, which would make the mean interval too long.
const COMPENSATION: f64 = std::f64::consts::E - 1.5;
/// We and the peer.
const MEMBERS: f64 = 2.0;
/// Headers of IPv4 and UDP count (section 6.2).
const LOWER_LAYERS: f64 = 28.0;

/// The timer of one session's reports.
#[derive(Debug, Clone)]
pub struct ReportTimer {
    last: Instant,
    next: Instant,
    first: bool,
    average_size: f64,
}

impl ReportTimer {
    /// The first report is due after half the usual time.
    pub fn new(now: Instant, random: &mut impl RngCore) -> ReportTimer {
        let mut timer = ReportTimer { last: now, next: now, first: true, average_size: 100.0 };
        timer.next = now + timer.interval(random);
        timer
    }

    /// When to call [`ReportTimer::is_due`].
    pub fn next(&self) -> Instant {
        self.next
    }

    /// Whether a report is to be sent now. Section 6.3.6: the interval is drawn once more; it may be later.
    pub fn is_due(&mut self, now: Instant, random: &mut impl RngCore) -> bool {
        if now < self.next {
            return false;
        }
        let due = self.last + self.interval(random);
        if due > now {
            self.next = due;
            return false;
        }
        self.last = now;
        self.first = false;
        self.next = now + self.interval(random);
        true
    }

    /// Section 6.3.3: a report of so many bytes was sent or received.
    pub fn saw_report(&mut self, bytes: usize) {
        self.average_size += (bytes as f64 + LOWER_LAYERS - self.average_size) / 16.0;
    }

    /// Section 6.3.1.
    fn interval(&self, random: &mut impl RngCore) -> Duration {
        let minimum = if self.first { MINIMUM / 2.0 } else { MINIMUM };
        let seconds = (MEMBERS * self.average_size / RTCP_BYTES_PER_SECOND).max(minimum);
        let spread = 0.5 + f64::from(random.next_u32()) / f64::from(u32::MAX);
        Duration::from_secs_f64(seconds * spread / COMPENSATION)
    }
}

#[cfg(test)]
mod tests {
    use rand_core::SeedableRng;

    use super::*;

    #[test]
    fn reports_come_about_every_five_seconds_and_the_first_sooner() {
        let start = Instant::now();
        let (mut first, mut rest, mut count) = (Duration::ZERO, Duration::ZERO, 0);
        let (mut shortest, mut longest) = (Duration::MAX, Duration::ZERO);
        for seed in 0..100 {
            let mut random = rand_chacha::ChaCha12Rng::from_seed([seed; 32]);
            let mut timer = ReportTimer::new(start, &mut random);
            let mut sent = Vec::new();
            while sent.len() < 11 {
                let now = timer.next();
                if timer.is_due(now, &mut random) {
                    timer.saw_report(80);
                    sent.push(now);
                }
            }
            first += sent[0] - start;
            for pair in sent.windows(2) {
                let gap = pair[1] - pair[0];
                assert!(gap >= Duration::from_millis(2052) && gap <= Duration::from_millis(6157), "{gap:?}");
                (shortest, longest) = (shortest.min(gap), longest.max(gap));
                rest += gap;
                count += 1;
            }
        }
        let mean = rest / count;
        println!("the first after {:.2?}, then every {mean:.2?} ({shortest:.2?} to {longest:.2?})", first / 100);
        assert!((first.as_secs_f64() / 100.0 - 2.5).abs() < 0.3, "{first:?} in 100");
        assert!((rest.as_secs_f64() / f64::from(count) - 5.0).abs() < 0.4, "{rest:?} in {count}");
    }
}
