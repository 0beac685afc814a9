//! How many datagrams one source may send: a token bucket an address, in a table that can't grow without end.
//!
//! The rate is far above what a busy proxy sends (a hundred calls a second are some 800 datagrams): it is there so that a
//! flood from one address leaves time for everyone else.

use std::collections::HashMap;
use std::net::IpAddr;
use std::time::Instant;

/// Datagrams a second that one source may send for as long as it likes.
const RATE: f64 = 2_000.0;
/// Datagrams that it may send at once.
const BURST: f64 = 4_000.0;
/// Sources remembered at a time.
const MAX_SOURCES: usize = 4_096;

/// A token bucket for each source.
#[derive(Debug, Default)]
pub struct RateLimit {
    buckets: HashMap<IpAddr, Bucket>,
    /// Shared by those that the table has no room for.
    others: Option<Bucket>,
}

#[derive(Debug, Clone, Copy)]
struct Bucket {
    tokens: f64,
    filled: Instant,
}

impl Bucket {
    fn full(now: Instant) -> Bucket {
        Bucket { tokens: BURST, filled: now }
    }

    fn refill(&mut self, now: Instant) {
        let elapsed = now.saturating_duration_since(self.filled).as_secs_f64();
        self.tokens = (self.tokens + elapsed * RATE).min(BURST);
        self.filled = now;
    }

    fn take(&mut self, now: Instant) -> bool {
        self.refill(now);
        let allowed = self.tokens >= 1.0;
        if allowed {
            self.tokens -= 1.0;
        }
        allowed
    }
}

impl RateLimit {
    /// Whether a datagram from `source` may pass now; it is counted if so.
    pub fn allow(&mut self, now: Instant, source: IpAddr) -> bool {
        if let Some(bucket) = self.buckets.get_mut(&source) {
            return bucket.take(now);
        }
        if self.buckets.len() >= MAX_SOURCES {
            self.forget_idle(now);
        }
        let bucket = if self.buckets.len() < MAX_SOURCES {
            self.buckets.entry(source).or_insert_with(|| Bucket::full(now))
        } else {
            self.others.get_or_insert_with(|| Bucket::full(now))
        };
        bucket.take(now)
    }

    /// A full bucket says nothing that a new one would not.
    fn forget_idle(&mut self, now: Instant) {
        self.buckets.retain(|_, bucket| {
            bucket.refill(now);
            bucket.tokens < BURST
        });
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;
    use std::time::Duration;

    use super::*;

    fn source(number: u32) -> IpAddr {
        IpAddr::V4(Ipv4Addr::from(0x0a00_0000 + number))
    }

    fn passed(limit: &mut RateLimit, now: Instant, source: IpAddr, offered: usize) -> usize {
        (0..offered).filter(|_| limit.allow(now, source)).count()
    }

    #[test]
    fn a_flood_is_cut_at_the_burst_and_then_at_the_rate() {
        let mut limit = RateLimit::default();
        let now = Instant::now();
        assert_eq!(passed(&mut limit, now, source(1), 10_000), BURST as usize);
        assert_eq!(passed(&mut limit, now + Duration::from_secs(1), source(1), 10_000), RATE as usize);
    }

    #[test]
    fn one_source_does_not_take_from_another() {
        let mut limit = RateLimit::default();
        let now = Instant::now();
        passed(&mut limit, now, source(1), 10_000);
        assert!(limit.allow(now, source(2)));
    }

    #[test]
    fn the_table_is_bounded_and_idle_sources_make_room() {
        let mut limit = RateLimit::default();
        let now = Instant::now();
        for number in 0..2 * MAX_SOURCES as u32 {
            limit.allow(now, source(number));
        }
        assert_eq!(limit.buckets.len(), MAX_SOURCES);
        assert!(limit.others.is_some_and(|others| others.tokens < 1.0), "those without room share one bucket");

        limit.allow(now + Duration::from_secs(5), source(1_000_000));
        assert_eq!(limit.buckets.len(), 1);
    }
}
