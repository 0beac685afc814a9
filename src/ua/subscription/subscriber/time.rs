//! A subscription's deadlines: refresh, Timer N, its end, and the pause before another try.

use super::*;

impl Subscription {
    /// A deadline has come.
    pub fn handle_deadline(&mut self, cx: &mut Core, now: Instant) -> Option<News> {
        let due = |at: Option<Instant>| at.is_some_and(|at| at <= now);
        if due(self.timer_n) {
            self.timer_n = None;
            return match self.phase {
                Phase::Ending => {
                    self.finish();
                    None
                }
                Phase::Waiting | Phase::Resolving | Phase::NotifyWait | Phase::Live | Phase::Over => {
                    Some(self.try_later(cx, now, None, None, "no NOTIFY came".to_owned()))
                }
            };
        }
        if due(self.ends) {
            return Some(self.try_later(cx, now, None, Some(Duration::ZERO), "it was not refreshed".to_owned()));
        }
        if due(self.retry) {
            self.retry = None;
            return self.start(cx, now);
        }
        if due(self.refresh) {
            self.refresh = None;
            self.subscribe_again(cx, now, self.expires);
        }
        None
    }

    /// It lasts for so long from now.
    pub(super) fn lasts(&mut self, now: Instant, expires: Duration) {
        let expires = expires.min(LONGEST);
        let lead = (expires / 10).max(Duration::from_secs(40)).min(expires / 2);
        self.ends = Some(now + expires.max(SHORTEST_REFRESH * 2));
        self.refresh = Some(now + (expires - lead).max(SHORTEST_REFRESH));
    }

    /// A refresh failed in a way that may pass: once more before the end, if there is time.
    pub(super) fn refresh_later(&mut self, now: Instant, retry_after: Option<Duration>) {
        self.timer_n = None;
        let left = self.ends.map(|end| end.saturating_duration_since(now)).unwrap_or_default();
        let pause = retry_after.unwrap_or(left / 2).max(SHORTEST_REFRESH);
        self.refresh = (pause < left).then(|| now + pause);
    }

    /// Tries again after a pause: the one that was asked for, else one that grows. `Some(0)` means at once, but only once.
    pub(super) fn try_later(
        &mut self,
        cx: &mut Core,
        now: Instant,
        code: Option<u16>,
        after: Option<Duration>,
        reason: String,
    ) -> News {
        if self.forked {
            return self.give_up(code, reason);
        }
        if self.live_since.is_some_and(|since| now.saturating_duration_since(since) >= STEADY) {
            self.failures = 0;
        }
        self.forget_dialog();
        let grown = (FIRST_PAUSE * (1 << self.failures.min(6))).min(LONGEST_PAUSE);
        let grown = grown + Duration::from_millis(u64::from(cx.below((grown / 2).as_millis() as u32)));
        let pause = match after {
            Some(Duration::ZERO) if self.failures == 0 => Duration::ZERO,
            Some(Duration::ZERO) | None => grown,
            Some(after) => after.min(LONGEST_RETRY_AFTER),
        };
        self.failures = self.failures.saturating_add(1);
        // A notification that is fetched anew at once is not lost for that.
        self.known &= pause.is_zero();
        self.retry = Some(now + pause);
        self.enter(Phase::Waiting);
        News::Failed { code, reason, retry_in: Some(pause) }
    }

    pub(super) fn give_up(&mut self, code: Option<u16>, reason: String) -> News {
        self.known = false;
        self.finish();
        News::Failed { code, reason, retry_in: None }
    }

    pub(super) fn finish(&mut self) {
        self.forget_dialog();
        self.enter(Phase::Over);
    }

    pub(super) fn forget_dialog(&mut self) {
        self.dialog = None;
        self.out_since = None;
        self.live_since = None;
        self.ends = None;
        self.refresh = None;
        self.timer_n = None;
        self.retry = None;
        self.forks_until = None;
    }

    pub(super) fn enter(&mut self, phase: Phase) {
        if self.phase != phase {
            tracing::debug!(package = self.package.name(), of = %self.resource, "{:?} -> {phase:?}", self.phase);
            self.phase = phase;
        }
    }
}
