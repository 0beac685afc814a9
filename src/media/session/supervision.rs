//! Whether RTP comes, and when to say so.

use std::time::{Duration, Instant};

/// Seconds without RTP when the loss is first told; doubled each time.
const FIRST_LOSS_S: u32 = 5;
/// Between two [`super::Event::Stats`].
const STATS_EVERY: Duration = Duration::from_secs(5);

/// The clocks of one session.
#[derive(Debug, Default)]
pub(super) struct Supervision {
    last: Option<Instant>,
    /// Since when the peer should send; not now if none.
    expected: Option<Instant>,
    flowing: bool,
    /// Seconds after which the loss is told next.
    tell_at_s: u32,
    stats: Option<Instant>,
}

impl Supervision {
    /// The session has begun.
    pub(super) fn begin(&mut self, now: Instant) {
        self.stats = Some(now + STATS_EVERY);
    }

    /// Whether the peer should send from now on.
    pub(super) fn expect(&mut self, now: Instant, expected: bool) {
        self.expected = expected.then_some(now);
        self.tell_at_s = FIRST_LOSS_S;
    }

    /// A packet came. True: the first one, or the first after a loss.
    pub(super) fn received(&mut self, now: Instant) -> bool {
        self.last = Some(now);
        self.tell_at_s = FIRST_LOSS_S;
        !std::mem::replace(&mut self.flowing, true)
    }

    pub(super) fn last_received(&self) -> Option<Instant> {
        self.last
    }

    /// For how many seconds nothing came, when it is time to say so.
    pub(super) fn check_loss(&mut self, now: Instant) -> Option<u32> {
        if self.loss_due()? > now {
            return None;
        }
        let seconds = self.tell_at_s;
        self.tell_at_s = seconds.saturating_mul(2);
        self.flowing = false;
        Some(seconds)
    }

    /// Whether it is time for figures.
    pub(super) fn check_stats(&mut self, now: Instant) -> bool {
        let Some(due) = self.stats.filter(|&due| due <= now) else { return false };
        let next = due + STATS_EVERY;
        self.stats = Some(if next > now { next } else { now + STATS_EVERY });
        true
    }

    pub(super) fn poll_timeout(&self) -> Option<Instant> {
        [self.loss_due(), self.stats].into_iter().flatten().min()
    }

    fn loss_due(&self) -> Option<Instant> {
        let expected = self.expected?;
        let since = self.last.map_or(expected, |last| last.max(expected));
        Some(since + Duration::from_secs(u64::from(self.tell_at_s)))
    }
}
