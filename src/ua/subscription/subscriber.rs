//! One subscription, as RFC 6665 section 4.1.2 draws it:
//!
//! ```text
//! Waiting -> Resolving -> NotifyWait -> Live (pending or active) -> Ending -> Over
//!    ^----------------------- every failure that may pass ---'
//! ```
//!
//! A NOTIFY makes the dialog, before or after the 2xx; Timer N gives up a SUBSCRIBE that brings none.

mod time;

use std::time::{Duration, Instant};

use bytes::Bytes;

use crate::sip::transport::Flow;
use crate::sip::{CSeq, HeaderName, Headers, Method, Request, Response, Uri, push, set, text};
use crate::transaction::{ClientId, Failure, ServerId};

use super::super::auth::Attempt;
use super::super::core::{Core, Owner, Waiting};
use super::super::dialog::{Dialog, to_tag};
use super::super::identity::printable;
use super::super::ways::Resolve;
use super::super::{AccountId, SubscriptionId};
use super::content::{Change, Content, Package};
use super::state::{Name, State, retry_after, seconds};

/// How long a subscription is asked for; a notifier shortens it as it likes.
const EXPIRES: Duration = Duration::from_secs(3600);
/// The longest that a 423 may ask for.
const LONGEST: Duration = Duration::from_secs(7 * 24 * 3600);
/// The shortest pause between a SUBSCRIBE that was accepted and its refresh, however short the notifier's time is.
const SHORTEST_REFRESH: Duration = Duration::from_secs(5);
/// The first pause after a failure; it doubles up to the longest.
const FIRST_PAUSE: Duration = Duration::from_secs(30);
const LONGEST_PAUSE: Duration = Duration::from_secs(1800);
/// The longest Retry-After that is honoured.
const LONGEST_RETRY_AFTER: Duration = Duration::from_secs(24 * 3600);
/// A subscription that stood for so long has forgotten its former failures.
const STEADY: Duration = Duration::from_secs(60);
/// How often one SUBSCRIBE is sent again for 423.
const MAX_TOO_BRIEF: u8 = 3;

/// Where a subscription stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    /// For the end of a pause.
    Waiting,
    /// For the notifier's address.
    Resolving,
    /// For the first NOTIFY.
    NotifyWait,
    /// A NOTIFY said `pending` or `active`.
    Live,
    /// `Expires: 0` left.
    Ending,
    /// Nothing more happens.
    Over,
}

/// What became of a subscription.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum News {
    /// A NOTIFY was taken; its body changed this.
    Notified(Change),
    /// It stands no more, or never stood. `retry_in` `None`: it is given up.
    Failed {
        /// The status code, where there was one.
        code: Option<u16>,
        /// Why, for a person.
        reason: String,
        /// When it is tried again.
        retry_in: Option<Duration>,
    },
}

/// One subscription.
#[derive(Debug)]
pub struct Subscription {
    id: SubscriptionId,
    pub account: AccountId,
    pub package: Package,
    /// Whose state it is.
    pub resource: Uri,
    /// Another notifier answered the SUBSCRIBE of another subscription: this one is not begun again by itself.
    pub forked: bool,
    /// What was notified.
    pub content: Content,
    /// What was notified holds.
    pub known: bool,
    /// The last refusal said that there is nobody there (404, 410, 480, `noresource`).
    pub absent: bool,
    phase: Phase,
    call_id: Bytes,
    local_tag: String,
    /// The CSeq number of the last SUBSCRIBE.
    seq: u32,
    local: Option<Flow>,
    dialog: Option<Dialog>,
    attempt: Attempt,
    /// A SUBSCRIBE has had no final response, since then.
    out_since: Option<Instant>,
    expires: Duration,
    too_brief: u8,
    failures: u32,
    live_since: Option<Instant>,
    /// Its end, unless it is refreshed.
    ends: Option<Instant>,
    refresh: Option<Instant>,
    timer_n: Option<Instant>,
    retry: Option<Instant>,
    /// Until when other notifiers may answer the first SUBSCRIBE.
    forks_until: Option<Instant>,
}

impl Subscription {
    pub fn new(id: SubscriptionId, account: AccountId, package: Package, resource: Uri) -> Subscription {
        Subscription {
            id,
            account,
            package,
            resource,
            forked: false,
            content: Content::new(package),
            known: false,
            absent: false,
            phase: Phase::Waiting,
            call_id: Bytes::new(),
            local_tag: String::new(),
            seq: 0,
            local: None,
            dialog: None,
            attempt: Attempt::default(),
            out_since: None,
            expires: EXPIRES,
            too_brief: 0,
            failures: 0,
            live_since: None,
            ends: None,
            refresh: None,
            timer_n: None,
            retry: None,
            forks_until: None,
        }
    }

    /// The subscription that another notifier's answer to the same SUBSCRIBE makes (RFC 6665 section 4.4.1).
    pub fn fork(&self, id: SubscriptionId) -> Subscription {
        let mut fork = Subscription::new(id, self.account, self.package, self.resource.clone());
        fork.forked = true;
        fork.phase = Phase::NotifyWait;
        fork.call_id = self.call_id.clone();
        fork.local_tag.clone_from(&self.local_tag);
        fork.seq = self.seq;
        fork.local = self.local;
        fork.timer_n = self.forks_until;
        fork
    }

    /// Its number.
    pub fn id(&self) -> SubscriptionId {
        self.id
    }

    /// Whether nothing more happens.
    pub fn is_over(&self) -> bool {
        self.phase == Phase::Over
    }

    /// Whether a SUBSCRIBE that ends it waits for its answer.
    pub fn says_goodbye(&self) -> bool {
        self.phase == Phase::Ending && self.out_since.is_some()
    }

    /// When [`Subscription::handle_deadline`] is due.
    pub fn deadline(&self) -> Option<Instant> {
        [self.ends, self.refresh, self.timer_n, self.retry].into_iter().flatten().min()
    }

    /// Whether a NOTIFY with these header fields is in this subscription's dialog.
    pub fn has_dialog(&self, headers: &Headers) -> bool {
        self.dialog.as_ref().is_some_and(|dialog| dialog.matches(headers))
    }

    /// Whether a NOTIFY answers this subscription's first SUBSCRIBE, so that it may make a dialog.
    pub fn awaits(&self, now: Instant, headers: &Headers) -> bool {
        let open = match self.phase {
            Phase::NotifyWait => true,
            Phase::Live => self.package.may_fork() && !self.forked && self.forks_until.is_some_and(|end| now <= end),
            Phase::Waiting | Phase::Resolving | Phase::Ending | Phase::Over => false,
        };
        open && headers.value(&HeaderName::CallId).is_some_and(|id| id.as_ref() == self.call_id.as_ref())
            && to_tag(headers).is_some_and(|tag| tag == self.local_tag.as_bytes())
    }

    /// Whether its dialog has been made.
    pub fn has_begun(&self) -> bool {
        self.dialog.is_some()
    }

    // ---- beginning ----

    /// Subscribes afresh: new Call-ID, new tag. What was notified stays until something else is.
    pub fn start(&mut self, cx: &mut Core, now: Instant) -> Option<News> {
        self.forget_dialog();
        self.call_id = Bytes::from(cx.token(16));
        self.local_tag = cx.token(8);
        self.seq = cx.below(1 << 15);
        self.too_brief = 0;
        self.attempt = Attempt::default();
        self.content.restart();
        let hop = match Resolve::of(cx.routes(now, Some(self.account)).first().unwrap_or(&self.resource)) {
            Ok(hop) => hop,
            Err(error) => return Some(self.give_up(None, error.to_string())),
        };
        self.enter(Phase::Resolving);
        match cx.flow_to(now, &hop) {
            Some(flow) => self.send_first(cx, now, flow),
            None if cx.wait_for(hop, Waiting::Subscribe(self.id)) => {}
            None => return Some(self.try_later(cx, now, None, None, "too much waits for an address".to_owned())),
        }
        None
    }

    /// The look-up of the notifier's address has ended.
    pub fn resolved(&mut self, cx: &mut Core, now: Instant, found: bool, host: &str) -> Option<News> {
        if self.phase != Phase::Resolving {
            return None;
        }
        if found {
            return self.start(cx, now);
        }
        let reason = format!("no address was found for {}", printable(host));
        Some(self.try_later(cx, now, None, None, reason))
    }

    fn send_first(&mut self, cx: &mut Core, now: Instant, flow: Flow) {
        let Some(account) = cx.config.accounts.get(self.account.0) else { return };
        self.local = Some(flow);
        self.seq += 1;
        let mut request = Request::new(Method::Subscribe, self.resource.clone());
        let headers = &mut request.headers;
        for route in cx.routes(now, Some(self.account)) {
            push(headers, HeaderName::Route, format!("<{route}>"));
        }
        push(headers, HeaderName::MaxForwards, "70");
        let from = super::super::call::name_addr(account.display_name.as_deref(), &account.uri);
        push(headers, HeaderName::From, format!("{from};tag={}", self.local_tag));
        push(headers, HeaderName::To, format!("<{}>", self.resource));
        push(headers, HeaderName::CallId, self.call_id.clone());
        push(headers, HeaderName::CSeq, format!("{} SUBSCRIBE", self.seq));
        self.describe(cx, &mut request, self.expires);
        if cx.is_own_server(Some(self.account), flow.remote.ip()) {
            cx.preauthorize(self.account.0, &mut request);
        }
        self.enter(Phase::NotifyWait);
        self.note_sent(cx, now);
        self.forks_until = self.timer_n;
        cx.send_by(now, Owner::Subscription(self.id), request, flow);
    }

    /// Subscribes again in the dialog (RFC 6665 section 4.1.2.2); a duration of zero ends it (4.1.2.3).
    fn subscribe_again(&mut self, cx: &mut Core, now: Instant, expires: Duration) {
        let Some(dialog) = &mut self.dialog else { return };
        let mut request = dialog.request(Method::Subscribe);
        self.seq = dialog.local_seq;
        self.attempt = Attempt::default();
        self.refresh = None;
        self.describe(cx, &mut request, expires);
        self.note_sent(cx, now);
        cx.send(now, Owner::Subscription(self.id), request);
    }

    /// Asks for the whole state, for a part of it was lost (RFC 4235 section 4.3).
    pub fn ask_again(&mut self, cx: &mut Core, now: Instant) {
        if self.phase == Phase::Live && self.out_since.is_none() {
            self.subscribe_again(cx, now, self.expires);
        }
    }

    /// Ends it; the answer is not waited for, nor is the last NOTIFY needed.
    pub fn stop(&mut self, cx: &mut Core, now: Instant) {
        self.retry = None;
        self.ends = None;
        self.refresh = None;
        self.known = false;
        self.absent = false;
        match self.phase {
            Phase::Live => {
                self.enter(Phase::Ending);
                self.subscribe_again(cx, now, Duration::ZERO);
            }
            Phase::Ending => {}
            // A NOTIFY that still comes finds nobody, which ends it at the notifier too.
            Phase::Waiting | Phase::Resolving | Phase::NotifyWait | Phase::Over => self.finish(),
        }
    }

    /// What every SUBSCRIBE has besides its place in the dialog.
    fn describe(&self, cx: &Core, request: &mut Request, expires: Duration) {
        if let Some(local) = self.local {
            set(
                &mut request.headers,
                HeaderName::Contact,
                format!("<{}>", cx.call_contact(Some(self.account), &local)),
            );
        }
        push(&mut request.headers, HeaderName::Event, self.package.name());
        push(&mut request.headers, HeaderName::Accept, self.package.accept());
        push(&mut request.headers, HeaderName::Expires, expires.as_secs().to_string());
    }

    fn note_sent(&mut self, cx: &Core, now: Instant) {
        self.out_since = Some(now);
        self.timer_n = Some(now + cx.tx.timers().t1 * 64);
    }

    // ---- what comes back ----

    /// A response to a SUBSCRIBE.
    pub fn handle_response(
        &mut self,
        cx: &mut Core,
        now: Instant,
        id: ClientId,
        flow: Flow,
        response: &Response,
    ) -> Option<News> {
        let cseq = response.headers.typed::<CSeq>().and_then(Result::ok).map(|cseq| cseq.sequence);
        let ours = text(&response.headers, &HeaderName::CallId).as_bytes() == self.call_id.as_ref();
        if !response.status.is_final() || !ours || cseq != Some(self.seq) {
            return None;
        }
        self.out_since = None;
        let code = response.status.code();
        let reason = || format!("{code} {}", printable(&String::from_utf8_lossy(&response.reason)));
        match code {
            200..=299 => {
                self.accepted(now, code, response);
                None
            }
            401 | 407 => self.challenged(cx, now, id, flow, response),
            423 => self.too_brief(cx, now, response),
            // The dialog is gone at the notifier: another subscription, with another Call-ID.
            481 if self.dialog.is_some() => Some(self.try_later(cx, now, Some(code), Some(Duration::ZERO), reason())),
            _ if self.phase == Phase::Ending => {
                self.finish();
                None
            }
            // RFC 6665 section 4.1.2.2: any other failure of a refresh leaves the subscription until its time is over.
            _ if self.phase == Phase::Live && !ends_subscription(code) => {
                self.refresh_later(now, retry_after(response));
                None
            }
            _ => Some(self.refused(cx, now, code, reason(), retry_after(response))),
        }
    }

    fn accepted(&mut self, now: Instant, code: u16, response: &Response) {
        let granted = seconds(&text(&response.headers, &HeaderName::Expires));
        // RFC 5839: nothing has changed, and no NOTIFY comes.
        if code == 204 {
            self.timer_n = None;
        }
        match self.phase {
            Phase::Live => self.lasts(now, granted.unwrap_or(self.expires)),
            Phase::NotifyWait => self.expires = granted.filter(|granted| !granted.is_zero()).unwrap_or(self.expires),
            // The last NOTIFY may come until Timer N fires.
            Phase::Ending | Phase::Waiting | Phase::Resolving | Phase::Over => {}
        }
    }

    fn challenged(
        &mut self,
        cx: &mut Core,
        now: Instant,
        id: ClientId,
        flow: Flow,
        response: &Response,
    ) -> Option<News> {
        let trusted = cx.is_own_server(Some(self.account), flow.remote.ip());
        match cx.authorize(id, Some(self.account), trusted, &mut self.attempt, response) {
            Ok(mut request) => {
                self.seq = match &mut self.dialog {
                    Some(dialog) => dialog.renumber(&mut request),
                    None => self.seq + 1,
                };
                self.note_sent(cx, now);
                cx.send(now, Owner::Subscription(self.id), request);
                None
            }
            Err(_) if self.phase == Phase::Ending => {
                self.finish();
                None
            }
            Err(error) => Some(self.give_up(Some(response.status.code()), error)),
        }
    }

    /// RFC 3261 section 21.4.17, for SUBSCRIBE as for REGISTER.
    fn too_brief(&mut self, cx: &mut Core, now: Instant, response: &Response) -> Option<News> {
        let least = seconds(&text(&response.headers, &HeaderName::MinExpires));
        let longer = least.filter(|least| *least > self.expires && *least <= LONGEST);
        match longer.filter(|_| self.too_brief < MAX_TOO_BRIEF && self.phase != Phase::Ending) {
            Some(longer) => {
                let tries = self.too_brief + 1;
                self.expires = longer;
                if self.dialog.is_some() {
                    self.subscribe_again(cx, now, longer);
                    self.too_brief = tries;
                    return None;
                }
                let news = self.start(cx, now);
                self.too_brief = tries;
                news
            }
            None if self.phase == Phase::Ending => {
                self.finish();
                None
            }
            None => Some(self.give_up(Some(423), "423 Interval Too Brief, without a usable Min-Expires".to_owned())),
        }
    }

    /// A refusal that ends it, for good or for a while.
    fn refused(
        &mut self,
        cx: &mut Core,
        now: Instant,
        code: u16,
        reason: String,
        retry_after: Option<Duration>,
    ) -> News {
        self.absent = matches!(code, 404 | 410 | 480 | 604);
        // Who watches somebody waits until he comes: registrars answer 404 or 480 for who is not there now.
        let may_come = self.absent && self.package == Package::Dialog && code != 604;
        let passes = matches!(code, 408 | 413 | 480 | 486 | 487 | 491 | 500 | 502..=504 | 600);
        if may_come || passes || retry_after.is_some() && code != 489 {
            return self.try_later(cx, now, Some(code), retry_after, reason);
        }
        self.give_up(Some(code), reason)
    }

    /// A SUBSCRIBE got no final response.
    pub fn handle_failure(&mut self, cx: &mut Core, now: Instant, failure: Failure) -> Option<News> {
        let since = self.out_since?;
        let (code, reason) = match failure {
            // That of a SUBSCRIBE before.
            Failure::Timeout if now < since + cx.tx.timers().t1 * 64 => return None,
            Failure::Timeout => (408, "no answer"),
            Failure::Transport => (503, "the server can't be reached"),
        };
        self.out_since = None;
        match self.phase {
            Phase::Ending | Phase::Over => {
                self.finish();
                None
            }
            Phase::Waiting | Phase::Resolving | Phase::NotifyWait | Phase::Live => {
                Some(self.try_later(cx, now, Some(code), None, reason.to_owned()))
            }
        }
    }

    // ---- NOTIFY ----

    /// A NOTIFY of this subscription, whose Event has been looked at (RFC 6665 section 4.1.3). Answers it.
    pub fn handle_notify(&mut self, cx: &mut Core, now: Instant, id: ServerId, request: &Request) -> Option<News> {
        if self.dialog.is_none() {
            let Some(dialog) = Dialog::from_notify(request, self.seq) else {
                cx.respond(now, id, 400, "Bad Contact", &[]);
                return None;
            };
            self.dialog = Some(dialog);
        }
        if !self.dialog.as_mut().is_some_and(|dialog| dialog.accept_seq(request)) {
            cx.respond(now, id, 500, "Out of Order", &[]);
            return None;
        }
        let Some(state) = State::read(&text(&request.headers, &HeaderName::SubscriptionState)) else {
            cx.respond(now, id, 400, "Bad Subscription-State", &[]);
            return None;
        };
        let change = match self.content.take(request, self.phase == Phase::Ending) {
            Ok(change) => change,
            Err(refusal) => {
                let extra = [(HeaderName::Accept, self.package.accept())];
                let extra = if refusal.code == 415 { &extra[..] } else { &[] };
                cx.respond(now, id, refusal.code, refusal.reason, extra);
                return None;
            }
        };
        if let Some(dialog) = &mut self.dialog {
            dialog.refresh_target(&request.headers);
        }
        cx.respond(now, id, 200, "OK", &[]);
        self.timer_n = None;
        if self.phase == Phase::Ending {
            if state.name == Name::Terminated {
                self.finish();
            }
            return None;
        }
        match state.name {
            Name::Active | Name::Pending => {
                if self.phase != Phase::Live {
                    self.live_since = Some(now);
                    self.enter(Phase::Live);
                }
                self.absent = false;
                self.known |= change.brought_state;
                self.lasts(now, state.expires.unwrap_or(self.expires));
                Some(News::Notified(change))
            }
            Name::Terminated => Some(self.terminated(cx, now, &state)),
        }
    }

    fn terminated(&mut self, cx: &mut Core, now: Instant, state: &State) -> News {
        let reason = format!("the server ended it ({})", state.reason.as_deref().unwrap_or("no reason given"));
        match state.reason.as_deref() {
            Some("deactivated" | "timeout") => self.try_later(cx, now, None, Some(Duration::ZERO), reason),
            Some("rejected" | "invariant") => self.give_up(None, reason),
            Some("noresource") => {
                self.absent = true;
                self.give_up(None, reason)
            }
            // probation, giveup, none, or one that we don't know.
            Some(_) | None => self.try_later(cx, now, None, state.retry_after, reason),
        }
    }
}

/// The responses that end a subscription which they refuse to refresh (RFC 6665 section 4.1.2.2); 481 is seen to before.
fn ends_subscription(code: u16) -> bool {
    matches!(code, 403 | 404 | 405 | 410 | 416 | 480..=485 | 489 | 501 | 604)
}
