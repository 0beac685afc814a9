//! The nonces that the exchange has given out (RFC 7616 section 3.3): each serves for some minutes, and each of its counts
//! once, so that credentials that were overheard can't be used again.

use std::collections::{HashMap, VecDeque};
use std::time::{Duration, Instant};

use rand_chacha::ChaCha20Rng;
use rand_core::RngCore;

use crate::transaction::queue::shrink;

/// Nonces remembered at a time; the oldest make room.
const MAX_NONCES: usize = 4096;

/// What a nonce that came back is worth.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Freshness {
    /// Ours, young, and its count is new.
    Fresh,
    /// Unknown, old, or with a count that was used: right credentials get a new one with `stale=true`.
    Stale,
}

#[derive(Debug)]
struct Nonce {
    given: Instant,
    last_count: u32,
}

/// All nonces in use.
#[derive(Debug)]
pub(crate) struct Nonces {
    lifetime: Duration,
    by_text: HashMap<String, Nonce>,
    oldest_first: VecDeque<String>,
}

impl Nonces {
    /// None yet; each will serve for `lifetime`.
    pub fn new(lifetime: Duration) -> Nonces {
        Nonces { lifetime, by_text: HashMap::new(), oldest_first: VecDeque::new() }
    }

    /// A new one.
    pub fn give(&mut self, now: Instant, random: &mut ChaCha20Rng) -> String {
        self.forget_old(now);
        if self.oldest_first.len() >= MAX_NONCES
            && let Some(oldest) = self.oldest_first.pop_front()
        {
            self.by_text.remove(&oldest);
        }
        let text = token(random);
        self.by_text.insert(text.clone(), Nonce { given: now, last_count: 0 });
        self.oldest_first.push_back(text.clone());
        text
    }

    /// Whether a nonce may still be used with this count (`nc`; `None` from a client without qop: such a nonce serves once).
    pub fn freshness(&self, now: Instant, nonce: &str, count: Option<u32>) -> Freshness {
        match self.by_text.get(nonce) {
            Some(known) if now.saturating_duration_since(known.given) > self.lifetime => Freshness::Stale,
            Some(known) if count.unwrap_or(1) > known.last_count => Freshness::Fresh,
            Some(_) | None => Freshness::Stale,
        }
    }

    /// Notes that it was used with right credentials: only those spend a count, else anyone could spend it.
    pub fn spend(&mut self, nonce: &str, count: Option<u32>) {
        if let Some(known) = self.by_text.get_mut(nonce) {
            known.last_count = count.unwrap_or(u32::MAX);
        }
    }

    fn forget_old(&mut self, now: Instant) {
        while let Some(oldest) = self.oldest_first.front() {
            let old =
                self.by_text.get(oldest).is_none_or(|nonce| now.saturating_duration_since(nonce.given) > self.lifetime);
            if !old {
                return;
            }
            if let Some(text) = self.oldest_first.pop_front() {
                self.by_text.remove(&text);
                shrink(&mut self.by_text);
            }
        }
    }
}

/// Sixteen random bytes in hexadecimal.
pub(crate) fn token(random: &mut ChaCha20Rng) -> String {
    format!("{:016x}{:016x}", random.next_u64(), random.next_u64())
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand_core::SeedableRng;

    #[test]
    fn a_nonce_serves_each_count_once_and_then_grows_old() {
        let (mut nonces, mut random) = (Nonces::new(Duration::from_secs(60)), ChaCha20Rng::from_seed([1; 32]));
        let start = Instant::now();
        let nonce = nonces.give(start, &mut random);
        assert_eq!(nonces.freshness(start, &nonce, Some(1)), Freshness::Fresh);
        nonces.spend(&nonce, Some(1));
        assert_eq!(nonces.freshness(start, &nonce, Some(1)), Freshness::Stale);
        assert_eq!(nonces.freshness(start, &nonce, Some(3)), Freshness::Fresh);
        assert_eq!(nonces.freshness(start + Duration::from_secs(61), &nonce, Some(3)), Freshness::Stale);
        assert_eq!(nonces.freshness(start, "made up", Some(1)), Freshness::Stale);
        nonces.give(start + Duration::from_secs(61), &mut random);
        assert_eq!(nonces.by_text.len(), 1, "the old one is forgotten");
    }

    #[test]
    fn without_a_count_it_serves_once() {
        let (mut nonces, mut random) = (Nonces::new(Duration::from_secs(60)), ChaCha20Rng::from_seed([1; 32]));
        let now = Instant::now();
        let nonce = nonces.give(now, &mut random);
        assert_eq!(nonces.freshness(now, &nonce, None), Freshness::Fresh);
        nonces.spend(&nonce, None);
        assert_eq!(nonces.freshness(now, &nonce, None), Freshness::Stale);
    }

    #[test]
    fn the_store_is_bounded() {
        let (mut nonces, mut random) = (Nonces::new(Duration::from_secs(60)), ChaCha20Rng::from_seed([1; 32]));
        let now = Instant::now();
        for _ in 0..MAX_NONCES + 10 {
            nonces.give(now, &mut random);
        }
        assert_eq!((nonces.by_text.len(), nonces.oldest_first.len()), (MAX_NONCES, MAX_NONCES));
    }
}
