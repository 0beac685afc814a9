//! Session timers (RFC 4028): both sides show from time to time that the call still stands, and a call of which that is not
//! heard any more ends.
//!
//! We ask for a timer as configured, answer 422 by raising it once, and obey one that nobody asked for. A refresh is an
//! UPDATE without offer where the peer takes those, else a re-INVITE with the description unchanged.

use std::time::{Duration, Instant};

use crate::sip::{
    HeaderName, Headers, Method, MinSe, Refresher, Request, Response, SessionExpires, TypedHeader, push, set, tokens,
};
use crate::transaction::ClientId;

use super::super::auth::Attempt;
use super::super::core::{Core, Owner, Purpose};
use super::super::event::EndedBy;
use super::super::timer::Timer;
use super::{Call, Phase};

/// The option tag (RFC 4028 section 4).
const TAG: &str = "timer";
/// No interval may be shorter (RFC 4028 section 5): a peer could make us send as fast as it likes.
pub const SHORTEST: Duration = Duration::from_secs(90);
/// Longer ones are as good as this one.
const LONGEST: Duration = Duration::from_secs(7 * 24 * 3600);
/// A refresh that was refused is tried again only if there is so much time left.
const WORTH_A_TRY: Duration = Duration::from_secs(5);

/// What a call knows of its session timer.
#[derive(Debug, Clone, Default)]
pub struct Refreshing {
    running: Option<Running>,
    /// The largest Min-SE of a 422 or of a refresh of the peer's.
    min_se: Option<Duration>,
    /// The peer's Allow has UPDATE (RFC 3311 section 4).
    peer_updates: bool,
    /// An UPDATE of ours is under way.
    updating: bool,
    /// A re-INVITE is to refresh the session.
    pub(super) due: bool,
    /// When the last refresh of ours left. The peer counts from when it came, which may be long before its 2xx gets here.
    pub(super) asked_at: Option<Instant>,
    /// One 422 has been answered with a longer interval.
    raised: bool,
    attempt: Attempt,
}

/// A session that ends unless it is refreshed.
#[derive(Debug, Clone, Copy)]
struct Running {
    interval: Duration,
    /// We refresh it.
    ours: bool,
    ends_at: Instant,
}

impl Running {
    /// When the call is given up: a while before the session ends, for firewalls forget it then (RFC 4028 section 10). A
    /// refresh of ours has all the time that there is to be answered.
    fn give_up_at(&self) -> Instant {
        if self.ours {
            return self.ends_at;
        }
        let early = Duration::from_secs(32).min(self.interval / 3);
        self.ends_at.checked_sub(early).unwrap_or(self.ends_at)
    }
}

/// Whether a request asks for an interval that is too short, and can be told so: 422 with this Min-SE (RFC 4028 section 9).
pub fn too_short(request: &Request) -> Option<Duration> {
    let asked = typed::<SessionExpires>(&request.headers)?;
    let able = tokens(&request.headers, &HeaderName::Supported).iter().any(|tag| tag == TAG);
    (able && asked.interval < SHORTEST).then_some(SHORTEST)
}

fn typed<H: TypedHeader>(headers: &Headers) -> Option<H> {
    headers.typed::<H>().and_then(Result::ok)
}

fn value(interval: Duration, refresher: Option<Refresher>) -> String {
    SessionExpires { interval, refresher }.to_string()
}

impl Call {
    /// Notes what a message of the peer's says about UPDATE.
    pub(super) fn note_methods(&mut self, headers: &Headers) {
        if headers.get(&HeaderName::Allow).is_some() {
            self.refreshing.peer_updates = tokens(headers, &HeaderName::Allow).iter().any(|method| method == "update");
        }
    }

    // ---- our requests ----

    /// Adds Session-Expires and Min-SE to an INVITE or UPDATE of ours (RFC 4028 sections 7.1 and 7.4).
    pub(super) fn ask_refresh(&self, cx: &Core, headers: &mut Headers) {
        let least = self.refreshing.min_se.unwrap_or_default();
        let asked = match (&self.refreshing.running, self.phase == Phase::Established) {
            (Some(running), _) => {
                let refresher = if running.ours { Refresher::Uac } else { Refresher::Uas };
                value(running.interval.max(least).max(SHORTEST), Some(refresher))
            }
            // It was not agreed on, or has been switched off.
            (None, true) => return,
            (None, false) if cx.config.session_expires.is_zero() && least.is_zero() => return,
            (None, false) => value(cx.config.session_expires.max(least).max(SHORTEST), None),
        };
        set(headers, HeaderName::SessionExpires, asked);
        if !least.is_zero() {
            set(headers, HeaderName::MinSe, least.as_secs().to_string());
        }
    }

    /// A 2xx to an INVITE or UPDATE of ours says what holds from now on; without Session-Expires nothing does (RFC 4028
    /// section 7.2).
    pub(super) fn refreshed(&mut self, cx: &mut Core, now: Instant, response: &Response) {
        self.note_methods(&response.headers);
        self.refreshing.due = false;
        self.refreshing.raised = false;
        let agreed = typed::<SessionExpires>(&response.headers);
        // Who does not say who refreshes leaves it to us.
        self.run(cx, now, agreed.map(|agreed| (agreed.interval, agreed.refresher != Some(Refresher::Uas))));
    }

    /// The dialog stands: what those on the way to it have asked for counts no more (RFC 4028 section 7.4).
    pub(super) fn forget_least(&mut self) {
        self.refreshing.min_se = None;
    }

    fn run(&mut self, cx: &mut Core, now: Instant, agreed: Option<(Duration, bool)>) {
        let Some((interval, ours)) = agreed else {
            self.refreshing.running = None;
            return cx.timers.cancel(&Timer::Session(self.no));
        };
        let interval = interval.clamp(SHORTEST, LONGEST);
        let running = Running { interval, ours, ends_at: now + interval };
        let since = self.refreshing.asked_at.take().unwrap_or(now);
        let due = if ours { (since + interval / 2).max(now) } else { running.give_up_at() };
        self.refreshing.running = Some(running);
        cx.timers.set(Timer::Session(self.no), due);
    }

    /// Takes the Min-SE of a 422; false: it asks for nothing new, or for the second time.
    pub(super) fn raise(&mut self, response: &Response) -> bool {
        let Some(MinSe(least)) = typed::<MinSe>(&response.headers) else { return false };
        if std::mem::replace(&mut self.refreshing.raised, true) || least > LONGEST {
            return false;
        }
        self.refreshing.min_se = self.refreshing.min_se.max(Some(least));
        true
    }

    // ---- the peer's requests ----

    /// Answers the peer's INVITE or UPDATE as far as the session timer goes (RFC 4028 section 9, table 2).
    pub(super) fn answer_refresh(&mut self, cx: &mut Core, now: Instant, request: &Request, response: &mut Response) {
        self.note_methods(&request.headers);
        self.refreshing.asked_at = None;
        let least = typed::<MinSe>(&request.headers).map(|least| least.0.min(LONGEST));
        self.refreshing.min_se = self.refreshing.min_se.max(least);
        let able = tokens(&request.headers, &HeaderName::Supported).iter().any(|tag| tag == TAG);
        let ours = cx.config.session_expires;
        let (interval, refresher) = match typed::<SessionExpires>(&request.headers) {
            Some(asked) if asked.interval < SHORTEST => return self.run(cx, now, None),
            Some(asked) => (asked.interval, asked.refresher.unwrap_or(Refresher::Uas)),
            None => match self.refreshing.running {
                // One that runs goes on: many leave the header field out of a re-INVITE for another purpose. Who does not
                // say that he can is not relied on.
                Some(running) if able && !running.ours => (running.interval, Refresher::Uac),
                Some(running) => (running.interval, Refresher::Uas),
                None if able && !ours.is_zero() => (ours.max(least.unwrap_or_default()), Refresher::Uas),
                None => return,
            },
        };
        if able || refresher == Refresher::Uac {
            push(&mut response.headers, HeaderName::Require, TAG);
        }
        set(&mut response.headers, HeaderName::SessionExpires, value(interval, Some(refresher)));
        self.run(cx, now, Some((interval, refresher == Refresher::Uas)));
    }

    // ---- time ----

    /// Half of the interval is over, or all of it but a little.
    pub(super) fn session_due(&mut self, cx: &mut Core, now: Instant) {
        let Some(running) = self.refreshing.running.filter(|_| self.phase == Phase::Established) else { return };
        if now >= running.give_up_at() {
            self.send_bye_because(cx, now, Some((408, "the session was not refreshed")));
            return self.end(cx, now, EndedBy::Timeout, Some(408), "the session was not refreshed in time");
        }
        cx.timers.set(Timer::Session(self.no), running.give_up_at());
        if running.ours {
            self.refresh(cx, now);
        }
    }

    fn refresh(&mut self, cx: &mut Core, now: Instant) {
        if self.refreshing.updating {
            return;
        }
        let Some(dialog) = self.dialog.as_mut().filter(|_| self.refreshing.peer_updates) else {
            self.refreshing.due = true;
            return self.reconcile(cx, now);
        };
        let mut update = dialog.request(Method::Update);
        self.add_contact(cx, &mut update.headers);
        self.ask_refresh(cx, &mut update.headers);
        self.refreshing.updating = true;
        self.refreshing.asked_at = Some(now);
        self.refreshing.attempt = Attempt::default();
        cx.send(now, Owner::Call(self.no, Purpose::Update), update);
    }

    /// A refresh was refused: once more in half of the time that is left.
    pub(super) fn refresh_refused(&mut self, cx: &mut Core, now: Instant) {
        self.refreshing.due = false;
        let Some(running) = self.refreshing.running.filter(|running| running.ours) else { return };
        let left = running.give_up_at().saturating_duration_since(now);
        let pause = if left / 2 > WORTH_A_TRY { left / 2 } else { left };
        cx.timers.set(Timer::Session(self.no), now + pause);
    }

    /// A response to our UPDATE.
    pub(super) fn update_response(
        &mut self,
        cx: &mut Core,
        now: Instant,
        id: ClientId,
        trusted: bool,
        response: &Response,
    ) {
        if response.status.is_provisional() {
            return;
        }
        self.refreshing.updating = false;
        match response.status.code() {
            200..300 => {
                if let Some(dialog) = &mut self.dialog {
                    dialog.refresh_target(&response.headers);
                }
                self.refreshed(cx, now, response);
            }
            401 | 407 => match cx.authorize(id, self.account, trusted, &mut self.refreshing.attempt, response) {
                Ok(mut request) => {
                    if let Some(dialog) = &mut self.dialog {
                        dialog.renumber(&mut request);
                        self.refreshing.updating = true;
                        cx.send(now, Owner::Call(self.no, Purpose::Update), request);
                    }
                }
                Err(_) => self.refresh_refused(cx, now),
            },
            code @ (408 | 481) => self.lost(cx, now, code),
            422 if self.raise(response) => self.refresh(cx, now),
            // It says that it takes UPDATE, and does not.
            405 | 501 => {
                self.refreshing.peer_updates = false;
                self.refresh(cx, now);
            }
            _ => self.refresh_refused(cx, now),
        }
    }
}
