//! INVITEs that are over: copies of them may still come by other ways, and must not ring again.

use std::collections::{HashSet, VecDeque};
use std::time::{Duration, Instant};

use super::call::InviteKey;

/// INVITEs that are remembered at most.
const MAX: usize = 1_000;

/// The INVITEs whose calls have ended, for as long as a proxy may send copies.
#[derive(Debug, Default)]
pub struct Merged {
    by_age: VecDeque<(Instant, InviteKey)>,
    keys: HashSet<InviteKey>,
}

impl Merged {
    /// The call of an INVITE is over.
    pub fn remember(&mut self, now: Instant, key: InviteKey) {
        if self.by_age.len() >= MAX {
            self.forget_oldest();
        }
        if self.keys.insert(key) {
            self.by_age.push_back((now, key));
        }
    }

    /// Whether it is one of them (RFC 3261 section 8.2.2.2); those older than `lifetime` are forgotten.
    pub fn knows(&mut self, now: Instant, lifetime: Duration, key: &InviteKey) -> bool {
        while self.by_age.front().is_some_and(|(since, _)| now.saturating_duration_since(*since) >= lifetime) {
            self.forget_oldest();
        }
        self.keys.contains(key)
    }

    fn forget_oldest(&mut self) {
        if let Some((_, key)) = self.by_age.pop_front() {
            self.keys.remove(&key);
        }
    }
}
