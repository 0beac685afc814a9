//! One account's registration: which REGISTER to send, and when (RFC 3261 section 10.2, RFC 3665 section 2).
//!
//! Commands only queue; [`Registration::poll`] hands out what to send and what to tell, one REGISTER at a time (RFC 3261
//! section 10.2 forbids two). All REGISTERs share a Call-ID, with a rising CSeq (section 10.2.4).
//!
//! A binding is refreshed well before it ends. When that fails, the pauses of RFC 5626 section 4.5 follow, shortened as
//! long as the binding lives. What a repetition can't heal (wrong password, 403, 404, ...) ends it: nothing is tried
//! again until a person says so.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use rand_core::RngCore;

use crate::sip::{CSeq, HeaderName, Method, Request, RequestBuilder, Response, Uri, push};

use super::auth::{Attempt, AuthError, Authenticator, Challenger, random_hex};
use super::bindings::{self, number, printable};
use super::config::Account;
use super::{AccountId, Event};

/// What a registrar grants that names no time (RFC 3261 section 10.2.4).
const DEFAULT_EXPIRES: u32 = 3600;
/// A refresh comes at least this long before the end: a lost one (32 s) and one more fit in.
const REFRESH_LEAD: Duration = Duration::from_secs(60);
/// RFC 5626 section 4.5: base-time and max-time.
const BASE_PAUSE: Duration = Duration::from_secs(30);
const MAX_PAUSE: Duration = Duration::from_secs(1800);
/// Between two registrations because a connection ended.
const FLOW_PAUSE: Duration = Duration::from_secs(60);
/// The shortest pause while a binding is about to end.
const MIN_PAUSE: Duration = Duration::from_secs(1);
/// No Retry-After is believed beyond this.
const MAX_RETRY_AFTER: Duration = Duration::from_secs(24 * 3600);
/// 423s that one command follows.
const MAX_TOO_BRIEF: u8 = 2;
/// Commands that wait.
const MAX_JOBS: usize = 16;
/// Further contacts that are refreshed along.
const MAX_EXTRAS: usize = 16;

/// What the user agent is to do next.
#[derive(Debug, Clone)]
pub enum Step {
    /// Send this REGISTER in a client transaction. It has From, To, Call-ID, CSeq, Contact, Expires, credentials and
    /// Content-Length; Via, Max-Forwards, Route, User-Agent, Supported and Allow are the user agent's to add.
    Send(Box<Request>),
    /// Tell this.
    Event(Event),
}

/// Why a REGISTER got no final response.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NoAnswer {
    /// Timer F: told as 408.
    Timeout,
    /// The transport failed, or no address was found: told as 503.
    Transport,
}

/// Where the registration stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// Not registered, and not wanted to be.
    Unregistered,
    /// The first REGISTER, or one after a failure, is out or about to be.
    Registering,
    /// The registrar holds our binding.
    Registered,
    /// It failed, and will be tried again.
    Waiting,
    /// It failed for good.
    Failed,
}

/// What one REGISTER is for.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Job {
    Register,
    Unregister,
    Query,
    /// `keep`: a contact that a phone must refresh; others (`mailto:`) the registrar keeps by itself.
    Add {
        contact: String,
        keep: bool,
    },
    Clear,
}

/// The REGISTER that is out.
struct Outstanding {
    job: Job,
    request: Request,
    /// The contact that was ours when it left.
    contact: Option<Uri>,
    attempt: Attempt,
    too_brief: u8,
}

/// Whether the registrar may hold our binding.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Bound {
    No,
    /// A REGISTER may have arrived whose response did not.
    Perhaps,
    Until(Instant),
}

/// Whether a failure is worth another try.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Retry {
    Never,
    Pause,
    After(Duration),
}

/// One account's registration.
pub struct Registration {
    account: AccountId,
    registrar: Uri,
    address: String,
    display_name: Option<String>,
    call_id: String,
    tag: String,
    cseq: u32,
    expires: u32,
    contact: Option<Uri>,
    /// The contact before it changed: removed by the next REGISTER.
    former: Option<Uri>,
    extras: Vec<String>,
    wanted: bool,
    state: State,
    bound: Bound,
    failures: u32,
    jobs: VecDeque<Job>,
    outstanding: Option<Outstanding>,
    steps: VecDeque<Step>,
    deadline: Option<Instant>,
    /// When it was, or will be, registered again for a connection that ended.
    flow_lost_at: Option<Instant>,
}

impl Registration {
    /// A registration that does nothing yet. Its Call-ID and tag come from `rng`.
    pub fn new(account: AccountId, config: &Account, rng: &mut impl RngCore) -> Self {
        Registration {
            account,
            registrar: config.registrar.clone(),
            address: text(&config.uri),
            display_name: config.display_name.clone(),
            call_id: random_hex(rng),
            tag: random_hex(rng),
            cseq: 0,
            expires: u32::try_from(config.expires.as_secs()).unwrap_or(u32::MAX).max(1),
            contact: None,
            former: None,
            extras: Vec::new(),
            wanted: false,
            state: State::Unregistered,
            bound: Bound::No,
            failures: 0,
            jobs: VecDeque::new(),
            outstanding: None,
            steps: VecDeque::new(),
            deadline: None,
            flow_lost_at: None,
        }
    }

    /// Where it stands.
    pub fn state(&self) -> State {
        self.state
    }

    /// The contact that [`Registration::start`] was given last.
    pub fn contact(&self) -> Option<&Uri> {
        self.contact.as_ref()
    }

    /// Whether nothing is out, waiting to go out or to be polled. A refresh or retry may be due later.
    pub fn is_idle(&self) -> bool {
        self.outstanding.is_none() && self.jobs.is_empty() && self.steps.is_empty()
    }

    /// Registers `contact`, and keeps it registered. With a contact that differs from the last one the old binding is
    /// removed by the same REGISTER. Does nothing while a REGISTER for the same contact is out.
    pub fn start(&mut self, contact: &Uri) {
        let changed = self.contact.as_ref().is_none_or(|old| text(old) != text(contact));
        let under_way = self.outstanding.as_ref().is_some_and(|outstanding| outstanding.job == Job::Register);
        if changed {
            self.replace_contact(contact, under_way);
        }
        self.wanted = true;
        self.failures = 0;
        self.jobs.retain(|job| *job != Job::Unregister);
        if changed || !under_way {
            self.queue(Job::Register);
        }
        if self.state != State::Registered {
            self.enter(State::Registering);
        }
    }

    /// Registers again now, with the contact of [`Registration::start`]; without one nothing happens.
    pub fn refresh(&mut self) {
        if let Some(contact) = self.contact.clone() {
            self.start(&contact);
        }
    }

    /// Registers again at a certain time, or earlier where a refresh is due before.
    pub fn refresh_at(&mut self, at: Instant) {
        if self.wanted {
            self.deadline = Some(self.deadline.map_or(at, |deadline| deadline.min(at)));
        }
    }

    /// The connection to the registrar has ended: it may have started anew, and what it knew of us with it (RFC 5626 section
    /// 4.5). Registers again after `pause`; a server that closes every connection is not asked more than once a minute.
    pub fn flow_lost(&mut self, now: Instant, pause: Duration) {
        if self.state != State::Registered || !self.is_idle() {
            return;
        }
        let soon = now + pause;
        let at = self.flow_lost_at.map_or(soon, |last| soon.max(last + FLOW_PAUSE));
        self.flow_lost_at = Some(at);
        self.refresh_at(at);
    }

    /// Removes our binding. A REGISTER that is out is waited for; one that waits is dropped. When the registrar can't hold
    /// a binding of ours nothing is sent, and [`Event::Unregistered`] comes at once.
    pub fn unregister(&mut self) {
        self.wanted = false;
        self.deadline = None;
        self.jobs.retain(|job| *job != Job::Register);
        if !self.outstanding.as_ref().is_some_and(|outstanding| outstanding.job == Job::Unregister) {
            self.queue(Job::Unregister);
        }
    }

    /// Asks for the bindings (RFC 3665 section 2.3).
    pub fn query(&mut self) {
        self.queue(Job::Query);
    }

    /// Adds a contact of any scheme (RFC 3665 section 2.2). A sip or sips one is refreshed along with ours from then on;
    /// it is not removed with ours.
    pub fn add_contact(&mut self, contact: &Uri) {
        self.queue(Job::Add { contact: text(contact), keep: contact.scheme().is_sip() });
    }

    /// Removes all bindings, those of other devices too (RFC 3665 section 2.4). Ours is not registered again by itself.
    pub fn clear(&mut self) {
        self.queue(Job::Clear);
    }

    /// When [`Registration::handle_deadline`] is to be called: a refresh, or the end of a pause.
    pub fn poll_timeout(&self) -> Option<Instant> {
        self.deadline
    }

    /// The refresh or retry is due, if `now` has reached the deadline.
    pub fn handle_deadline(&mut self, now: Instant) {
        if self.deadline.is_some_and(|deadline| deadline <= now) {
            self.deadline = None;
            self.queue(Job::Register);
        }
    }

    /// What to do next; until `None`. A REGISTER carries along the credentials that will probably be asked for.
    pub fn poll(&mut self, rng: &mut impl RngCore, auth: &mut Authenticator) -> Option<Step> {
        while self.steps.is_empty() && self.outstanding.is_none() {
            let job = self.jobs.pop_front()?;
            self.begin(rng, auth, job);
        }
        self.steps.pop_front()
    }

    /// A response to the REGISTER that is out. Others, and provisional ones, change nothing.
    pub fn handle_response(
        &mut self,
        now: Instant,
        rng: &mut impl RngCore,
        auth: &mut Authenticator,
        response: &Response,
    ) {
        let answers = |cseq: CSeq| cseq.method == Method::Register && cseq.sequence == self.cseq;
        if !response.status.is_final() || !response.headers.typed::<CSeq>().is_some_and(|cseq| cseq.is_ok_and(answers))
        {
            return;
        }
        let Some(mut outstanding) = self.outstanding.take() else {
            return;
        };
        match response.status.code() {
            200..=299 => {
                auth.note_success(&outstanding.request, response);
                self.succeed(now, rng, outstanding, response);
            }
            // Somebody wants to unregister: no round more for a binding that shall not be.
            401 | 407 if outstanding.job == Job::Register && !self.wanted => {}
            code @ (401 | 407) => {
                let Outstanding { request, attempt, .. } = &mut outstanding;
                match auth.answer(rng, Challenger::Registrar, attempt, request, response) {
                    Ok(()) => self.send_again(outstanding),
                    Err(error) => {
                        let reason = format!("{}: {error}{}", reason_of(response), remedy(&error));
                        self.fail(now, rng, &outstanding.job, code, printable(reason.as_bytes()), Retry::Never);
                    }
                }
            }
            423 if self.lengthen(&outstanding, response) => {
                // Another request, not another try with the same credentials.
                let (job, too_brief) = (outstanding.job, outstanding.too_brief + 1);
                self.send(rng, auth, job, too_brief);
            }
            code => {
                let reason = format!("{}{}", reason_of(response), self.advice(code));
                self.fail(now, rng, &outstanding.job, code, printable(reason.as_bytes()), retry(response));
            }
        }
    }

    /// The REGISTER that is out got no final response.
    pub fn handle_no_answer(&mut self, now: Instant, rng: &mut impl RngCore, why: NoAnswer) {
        let Some(outstanding) = self.outstanding.take() else {
            return;
        };
        if outstanding.job == Job::Register && self.bound == Bound::No {
            self.bound = Bound::Perhaps;
        }
        let host = self.registrar.host().map(ToString::to_string).unwrap_or_default();
        let (code, reason) = match why {
            NoAnswer::Timeout => (408, format!("no answer from {host}")),
            NoAnswer::Transport => (503, format!("{host} can't be reached")),
        };
        self.fail(now, rng, &outstanding.job, code, reason, Retry::Pause);
    }

    /// Keeps in mind which contact the registrar may hold instead, so that the next REGISTER removes it.
    fn replace_contact(&mut self, contact: &Uri, under_way: bool) {
        let old = self.contact.replace(contact.clone());
        match &self.former {
            // Back to the one that it holds; the other has perhaps just been sent.
            Some(former) if text(former) == text(contact) => self.former = old.filter(|_| under_way),
            Some(_) => {}
            None if under_way || self.bound != Bound::No => self.former = old,
            None => {}
        }
    }

    fn queue(&mut self, job: Job) {
        if self.jobs.contains(&job) {
            return;
        }
        // Only further contacts can be so many.
        if self.jobs.len() >= MAX_JOBS && matches!(job, Job::Add { .. }) {
            self.tell_failure(503, "too many contacts wait for the registrar".to_owned(), None);
            return;
        }
        self.jobs.push_back(job);
    }

    fn begin(&mut self, rng: &mut impl RngCore, auth: &mut Authenticator, job: Job) {
        match &job {
            Job::Unregister if self.bound == Bound::No || self.contact.is_none() => {
                self.enter(State::Unregistered);
                self.tell(Event::Unregistered { account: self.account });
                return;
            }
            Job::Register if self.contact.is_none() => return,
            Job::Register => self.deadline = None,
            Job::Unregister | Job::Query | Job::Add { .. } | Job::Clear => {}
        }
        self.send(rng, auth, job, 0);
    }

    /// Sends a job's REGISTER for the first time, or with another lifetime.
    fn send(&mut self, rng: &mut impl RngCore, auth: &mut Authenticator, job: Job, too_brief: u8) {
        let mut request = self.request(&job);
        auth.preauthorize(rng, &mut request);
        let register = job == Job::Register;
        self.steps.push_back(Step::Send(Box::new(request.clone())));
        self.outstanding =
            Some(Outstanding { job, request, contact: self.contact.clone(), attempt: Attempt::default(), too_brief });
        if register && too_brief == 0 {
            self.tell(Event::Registering { account: self.account });
        }
    }

    /// Sends the same REGISTER with the credentials that were asked for.
    fn send_again(&mut self, mut outstanding: Outstanding) {
        self.cseq += 1;
        outstanding.request.headers.remove_all(&HeaderName::CSeq);
        push(&mut outstanding.request.headers, HeaderName::CSeq, format!("{} REGISTER", self.cseq));
        self.steps.push_back(Step::Send(Box::new(outstanding.request.clone())));
        self.outstanding = Some(outstanding);
    }

    fn request(&mut self, job: &Job) -> Request {
        self.cseq += 1;
        let mut request = RequestBuilder::new(Method::Register, self.registrar.clone()).build();
        let name = self.display_name.as_deref().map(|name| format!("{} ", quoted(name))).unwrap_or_default();
        push(&mut request.headers, HeaderName::From, format!("{name}<{}>;tag={}", self.address, self.tag));
        push(&mut request.headers, HeaderName::To, format!("<{}>", self.address));
        push(&mut request.headers, HeaderName::CallId, self.call_id.clone());
        push(&mut request.headers, HeaderName::CSeq, format!("{} REGISTER", self.cseq));
        let (contacts, expires) = self.contacts(job);
        for contact in contacts {
            push(&mut request.headers, HeaderName::Contact, contact);
        }
        if let Some(expires) = expires {
            push(&mut request.headers, HeaderName::Expires, expires.to_string());
        }
        request
    }

    /// The Contact rows of a job, and its Expires.
    fn contacts(&self, job: &Job) -> (Vec<String>, Option<u32>) {
        let lasting = |contact: &str, expires: u32| format!("<{contact}>;expires={expires}");
        let ours = self.contact.as_ref().map(text);
        match job {
            Job::Register => {
                let kept = ours.iter().chain(&self.extras).map(|contact| lasting(contact, self.expires));
                let removed = self.former.iter().map(|former| lasting(&text(former), 0));
                (kept.chain(removed).collect(), Some(self.expires))
            }
            Job::Unregister => {
                let removed = ours.into_iter().chain(self.former.as_ref().map(text));
                (removed.map(|contact| lasting(&contact, 0)).collect(), Some(0))
            }
            Job::Query => (Vec::new(), None),
            Job::Add { contact, keep: true } => (vec![lasting(contact, self.expires)], Some(self.expires)),
            Job::Add { contact, keep: false } => (vec![format!("<{contact}>")], None),
            Job::Clear => (vec!["*".to_owned()], Some(0)),
        }
    }

    fn succeed(&mut self, now: Instant, rng: &mut impl RngCore, outstanding: Outstanding, response: &Response) {
        let Outstanding { job, contact, .. } = outstanding;
        let contact = contact.as_ref();
        let contacts = bindings::read(response, contact);
        let account = self.account;
        match job {
            Job::Register => {
                let ours = contacts.iter().find(|binding| binding.ours).and_then(|binding| binding.expires);
                let general = number(&response.headers, &HeaderName::Expires);
                let granted = ours.or(general).unwrap_or(DEFAULT_EXPIRES);
                if granted == 0 {
                    let reason = "the registrar accepts, but holds no binding".to_owned();
                    return self.fail(now, rng, &Job::Register, response.status.code(), reason, Retry::Pause);
                }
                let expires = Duration::from_secs(granted.into());
                // Unless the contact has changed since: then the one just bound is the former.
                if contact.map(text) == self.contact.as_ref().map(text) {
                    self.former = None;
                }
                self.failures = 0;
                self.bound = now.checked_add(expires).map_or(Bound::Perhaps, Bound::Until);
                self.deadline = if self.wanted { now.checked_add(refresh_after(expires)) } else { None };
                self.enter(State::Registered);
                let contact = contact.map(text).unwrap_or_default();
                self.tell(Event::Registered { account, expires, contact, contacts });
            }
            Job::Unregister => {
                self.forget_binding();
                self.tell(Event::Unregistered { account });
            }
            Job::Query => self.tell(Event::Bindings { account, contacts }),
            Job::Add { contact, keep } => {
                if keep && self.extras.len() < MAX_EXTRAS && !self.extras.contains(&contact) {
                    self.extras.push(contact);
                }
                self.tell(Event::Bindings { account, contacts });
            }
            Job::Clear => {
                self.extras.clear();
                let had = self.bound != Bound::No;
                self.wanted = self.jobs.contains(&Job::Register);
                self.deadline = None;
                self.forget_binding();
                self.tell(Event::Bindings { account, contacts });
                if had {
                    self.tell(Event::Unregistered { account });
                }
            }
        }
    }

    fn forget_binding(&mut self) {
        self.bound = Bound::No;
        self.former = None;
        self.enter(if self.wanted { State::Registering } else { State::Unregistered });
    }

    fn fail(&mut self, now: Instant, rng: &mut impl RngCore, job: &Job, code: u16, reason: String, retry: Retry) {
        match job {
            // What comes next is its removal.
            Job::Register if !self.wanted => {}
            Job::Register => {
                let pause = match retry {
                    Retry::Never => None,
                    Retry::Pause => Some(self.pause(now, rng)),
                    Retry::After(pause) => Some(pause),
                };
                // The short pauses before a binding's end don't lengthen those after it.
                if !matches!(self.bound, Bound::Until(end) if end > now) {
                    self.failures = self.failures.saturating_add(1);
                }
                self.wanted = pause.is_some();
                self.deadline = pause.and_then(|pause| now.checked_add(pause));
                self.enter(if pause.is_some() { State::Waiting } else { State::Failed });
                self.tell_failure(code, reason, pause);
            }
            Job::Unregister => {
                self.enter(if self.wanted { State::Registering } else { State::Unregistered });
                self.tell_failure(code, reason, None);
            }
            // The registration itself goes on as it was.
            Job::Query | Job::Add { .. } | Job::Clear => self.tell_failure(code, reason, None),
        }
    }

    /// The next pause, never so long that a living binding ends before the next try.
    fn pause(&self, now: Instant, rng: &mut impl RngCore) -> Duration {
        let pause = random_pause(rng, self.failures.saturating_add(1));
        match self.bound {
            Bound::Until(end) if end > now => pause.min(end.duration_since(now) / 2).max(MIN_PAUSE),
            Bound::Until(_) | Bound::Perhaps | Bound::No => pause,
        }
    }

    /// RFC 3261 section 10.2.8: 423 names the shortest lifetime, which is asked for at once.
    fn lengthen(&mut self, outstanding: &Outstanding, response: &Response) -> bool {
        let asks = match outstanding.job {
            Job::Register | Job::Add { keep: true, .. } => outstanding.too_brief < MAX_TOO_BRIEF,
            Job::Add { keep: false, .. } | Job::Unregister | Job::Query | Job::Clear => false,
        };
        match number(&response.headers, &HeaderName::MinExpires) {
            Some(least) if asks && least > self.expires => {
                self.expires = least;
                true
            }
            Some(_) | None => false,
        }
    }

    /// What a person can try.
    fn advice(&self, code: u16) -> String {
        match code {
            300..=399 => {
                ": it sends elsewhere, which a registration does not follow - check account.registrar".to_owned()
            }
            403 => format!(": the registrar refuses {} - check account.uri and its credentials", self.address),
            404 => format!(": the registrar knows no {} - check account.uri", self.address),
            _ => String::new(),
        }
    }

    fn enter(&mut self, state: State) {
        if self.state != state {
            tracing::debug!(account = self.account.0, "registration {:?} -> {state:?}", self.state);
            self.state = state;
        }
    }

    fn tell(&mut self, event: Event) {
        self.steps.push_back(Step::Event(event));
    }

    fn tell_failure(&mut self, code: u16, reason: String, retry_in: Option<Duration>) {
        self.tell(Event::RegistrationFailed { account: self.account, code, reason, retry_in });
    }
}

/// What a person can try.
fn remedy(error: &AuthError) -> &'static str {
    match error {
        AuthError::NoCredentials { .. } => " - check account.credentials",
        AuthError::Refused { .. } => " - check account.auth_user and its password",
        AuthError::Untrusted | AuthError::Unsupported { .. } | AuthError::Malformed => "",
    }
}

/// Whether a refusal may heal by itself. RFC 3261 section 8.1.3.5: most of the 4xx come again for the same request.
fn retry(response: &Response) -> Retry {
    let after = number(&response.headers, &HeaderName::RetryAfter).filter(|&seconds| seconds > 0);
    match (response.status.code(), after) {
        (401 | 403 | 404 | 407, _) => Retry::Never,
        (400.., Some(seconds)) => Retry::After(Duration::from_secs(seconds.into()).min(MAX_RETRY_AFTER)),
        (408 | 429 | 430 | 480 | 486 | 491 | 500..=599, None) => Retry::Pause,
        (_, _) => Retry::Never,
    }
}

/// RFC 5626 section 4.5: from half to the whole of a bound that doubles with each failure.
fn random_pause(rng: &mut impl RngCore, failures: u32) -> Duration {
    let bound = BASE_PAUSE.saturating_mul(2u32.saturating_pow(failures)).min(MAX_PAUSE);
    let half = u64::try_from(bound.as_millis() / 2).unwrap_or(u64::MAX);
    Duration::from_millis(half + rng.next_u64() % (half + 1))
}

/// A tenth of the lifetime before its end, or [`REFRESH_LEAD`]; at half of a short one.
fn refresh_after(expires: Duration) -> Duration {
    expires - (expires / 10).max(REFRESH_LEAD).min(expires / 2)
}

fn reason_of(response: &Response) -> String {
    String::from_utf8_lossy(&response.reason).into_owned()
}

fn text(uri: &Uri) -> String {
    String::from_utf8_lossy(&uri.to_bytes()).into_owned()
}

fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace(|c: char| c.is_control(), " ").replace('\\', "\\\\").replace('"', "\\\""))
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use rand_chacha::ChaCha12Rng;
    use rand_core::SeedableRng;

    use super::*;
    use crate::sip::digest::{self, CredentialsLine};
    use crate::sip::{ResponseBuilder, StatusCode};
    use crate::ua::config::Credentials;
    use crate::ua::event::Binding;

    const CHALLENGE: &str =
        r#"Digest realm="atlanta.example.com", qop="auth", nonce="n1", opaque="", stale=FALSE, algorithm=MD5"#;
    const CONTACT: &str = "sip:x7f@192.0.2.201:5060";

    fn uri(text: &str) -> Uri {
        Uri::parse(Bytes::copy_from_slice(text.as_bytes())).unwrap()
    }

    fn secs(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    /// Bob on simulated time; the test is his registrar.
    struct Bob {
        now: Instant,
        rng: ChaCha12Rng,
        auth: Authenticator,
        registration: Registration,
        out: Option<Request>,
    }

    impl Bob {
        fn new() -> Self {
            let account = Account {
                name: "bob".to_owned(),
                uri: uri("sip:bob@biloxi.example.com"),
                display_name: Some("Bob".to_owned()),
                registrar: uri("sip:ss2.biloxi.example.com"),
                route: Vec::new(),
                fallbacks: Vec::new(),
                expires: secs(3600),
                register: true,
                credentials: Some(Credentials { user: "bob".to_owned(), password: "zanzibar".to_owned() }),
                realms: Vec::new(),
                events: Default::default(),
            };
            let mut rng = ChaCha12Rng::seed_from_u64(7);
            let registration = Registration::new(AccountId(0), &account, &mut rng);
            Bob { now: Instant::now(), rng, auth: Authenticator::new(&account), registration, out: None }
        }

        /// Registered for `expires` seconds, without a challenge.
        fn registered(expires: u32) -> Self {
            let mut bob = Bob::new();
            bob.start();
            bob.expect_register();
            bob.reply(200, &[(HeaderName::Contact, &format!("<{CONTACT}>;expires={expires}"))]);
            assert_eq!(bob.expect_registered().0, secs(expires.into()));
            bob.assert_quiescent();
            bob
        }

        fn start(&mut self) {
            self.registration.start(&uri(CONTACT));
        }

        fn step(&mut self) -> Option<Step> {
            self.registration.poll(&mut self.rng, &mut self.auth)
        }

        fn expect_send(&mut self) -> Request {
            match self.step() {
                Some(Step::Send(request)) => {
                    self.out = Some((*request).clone());
                    *request
                }
                other => panic!("expected a REGISTER, got {other:?}"),
            }
        }

        fn expect_event(&mut self) -> Event {
            match self.step() {
                Some(Step::Event(event)) => event,
                other => panic!("expected an event, got {other:?}"),
            }
        }

        /// A REGISTER for our own binding, and its event.
        fn expect_register(&mut self) -> Request {
            let request = self.expect_send();
            assert_eq!(self.expect_event(), Event::Registering { account: AccountId(0) });
            request
        }

        fn expect_registered(&mut self) -> (Duration, Vec<Binding>) {
            match self.expect_event() {
                Event::Registered { expires, contacts, .. } => (expires, contacts),
                other => panic!("expected Registered, got {other:?}"),
            }
        }

        fn expect_bindings(&mut self) -> Vec<String> {
            match self.expect_event() {
                Event::Bindings { contacts, .. } => contacts.into_iter().map(|binding| binding.uri).collect(),
                other => panic!("expected Bindings, got {other:?}"),
            }
        }

        fn expect_failed(&mut self) -> (u16, String, Option<Duration>) {
            match self.expect_event() {
                Event::RegistrationFailed { code, reason, retry_in, .. } => (code, reason, retry_in),
                other => panic!("expected RegistrationFailed, got {other:?}"),
            }
        }

        fn expect_unregistered(&mut self) {
            assert_eq!(self.expect_event(), Event::Unregistered { account: AccountId(0) });
        }

        fn reply(&mut self, code: u16, rows: &[(HeaderName, &str)]) {
            let cseq = value(self.out.as_ref().unwrap(), HeaderName::CSeq).unwrap();
            let builder = ResponseBuilder::new(StatusCode::new(code).unwrap(), format!("Reason {code}")).unwrap();
            let builder = builder.header(HeaderName::CSeq, cseq).unwrap();
            let response = rows
                .iter()
                .fold(builder, |builder, (name, value)| builder.header(name.clone(), value.to_string()).unwrap())
                .build();
            self.registration.handle_response(self.now, &mut self.rng, &mut self.auth, &response);
        }

        fn no_answer(&mut self, why: NoAnswer) {
            self.registration.handle_no_answer(self.now, &mut self.rng, why);
        }

        /// Lets time pass; nothing may be due before.
        fn advance(&mut self, by: Duration) {
            self.now += by;
            assert!(self.registration.poll_timeout().is_none_or(|deadline| deadline >= self.now));
            self.registration.handle_deadline(self.now);
        }

        fn due_in(&self) -> Option<Duration> {
            self.registration.poll_timeout().map(|deadline| deadline - self.now)
        }

        /// Nothing is out, nothing to tell; a refresh may be due.
        fn assert_quiescent(&mut self) {
            assert!(self.step().is_none());
            assert!(self.registration.is_idle());
        }
    }

    fn value(request: &Request, name: HeaderName) -> Option<String> {
        request.headers.value(&name).map(|value| String::from_utf8_lossy(&value).into_owned())
    }

    fn contacts(request: &Request) -> Vec<String> {
        let rows = request.headers.get_all(&HeaderName::Contact);
        rows.map(|row| String::from_utf8_lossy(&row.value()).into_owned()).collect()
    }

    fn credentials(request: &Request) -> Option<CredentialsLine> {
        value(request, HeaderName::Authorization).map(|line| CredentialsLine::parse(line.as_bytes()).unwrap())
    }

    fn ok_contact(expires: u32) -> String {
        format!("<{CONTACT}>;expires={expires}")
    }

    #[test]
    fn rfc_3665_2_1_successful_new_registration() {
        let mut bob = Bob::new();
        bob.start();
        let f1 = bob.expect_register();
        assert_eq!(f1.uri.to_bytes(), "sip:ss2.biloxi.example.com");
        assert!(value(&f1, HeaderName::From).unwrap().starts_with("\"Bob\" <sip:bob@biloxi.example.com>;tag="));
        assert_eq!(value(&f1, HeaderName::To).unwrap(), "<sip:bob@biloxi.example.com>");
        assert_eq!(value(&f1, HeaderName::CSeq).unwrap(), "1 REGISTER");
        assert_eq!(contacts(&f1), [ok_contact(3600)]);
        assert_eq!(value(&f1, HeaderName::Expires).unwrap(), "3600");
        bob.reply(401, &[(HeaderName::WwwAuthenticate, CHALLENGE)]);

        let f3 = bob.expect_send();
        assert_eq!(value(&f3, HeaderName::CSeq).unwrap(), "2 REGISTER");
        assert_eq!(value(&f3, HeaderName::CallId), value(&f1, HeaderName::CallId));
        assert_eq!(value(&f3, HeaderName::From), value(&f1, HeaderName::From));
        assert!(digest::verify(&credentials(&f3).unwrap(), "zanzibar", "REGISTER", b""));
        bob.reply(200, &[(HeaderName::Contact, &ok_contact(3600))]);

        let (expires, contacts) = bob.expect_registered();
        assert_eq!(expires, secs(3600));
        assert_eq!(contacts, [Binding { uri: CONTACT.to_owned(), expires: Some(3600), ours: true }]);
        assert_eq!(bob.registration.state(), State::Registered);
        bob.assert_quiescent();

        // The refresh costs one round trip.
        bob.advance(secs(3240));
        let refresh = bob.expect_register();
        assert_eq!(value(&refresh, HeaderName::CSeq).unwrap(), "3 REGISTER");
        assert_eq!(value(&refresh, HeaderName::CallId), value(&f1, HeaderName::CallId));
        assert_eq!(credentials(&refresh).unwrap().nc, Some(2));
        bob.reply(200, &[(HeaderName::Contact, &ok_contact(3600))]);
        bob.expect_registered();
        assert_eq!(bob.due_in(), Some(secs(3240)));
        bob.assert_quiescent();
    }

    #[test]
    fn rfc_3665_2_2_update_of_contact_list() {
        let mut bob = Bob::registered(3600);
        bob.registration.add_contact(&uri("mailto:bob@biloxi.example.com"));
        let f1 = bob.expect_send();
        assert_eq!(contacts(&f1), ["<mailto:bob@biloxi.example.com>"]);
        let both = format!("{}, <mailto:bob@biloxi.example.com>;expires=4294967295", ok_contact(3600));
        bob.reply(200, &[(HeaderName::Contact, &both)]);
        assert_eq!(bob.expect_bindings(), [CONTACT, "mailto:bob@biloxi.example.com"]);

        // A further phone is refreshed along, the mail address is not.
        bob.registration.add_contact(&uri("sip:bob@192.0.2.9"));
        assert_eq!(contacts(&bob.expect_send()), ["<sip:bob@192.0.2.9>;expires=3600"]);
        bob.reply(200, &[(HeaderName::Contact, &both)]);
        bob.expect_bindings();
        bob.advance(secs(3240));
        assert_eq!(contacts(&bob.expect_register()), [ok_contact(3600), "<sip:bob@192.0.2.9>;expires=3600".to_owned()]);
        bob.reply(200, &[(HeaderName::Contact, &both)]);
        let (_, bindings) = bob.expect_registered();
        assert_eq!((bindings[1].expires, bindings[1].ours), (Some(u32::MAX), false));
        bob.assert_quiescent();
    }

    #[test]
    fn rfc_3665_2_3_request_for_current_contact_list() {
        let mut bob = Bob::registered(3600);
        bob.registration.query();
        bob.registration.query();
        let f1 = bob.expect_send();
        assert!(contacts(&f1).is_empty());
        assert_eq!(value(&f1, HeaderName::Expires), None);
        let rows = [
            (HeaderName::Contact, &*ok_contact(3600)),
            (HeaderName::Contact, "<mailto:bob@biloxi.example.com>;expires=4294967295"),
        ];
        bob.reply(200, &rows);
        assert_eq!(bob.expect_bindings(), [CONTACT, "mailto:bob@biloxi.example.com"]);
        assert_eq!(bob.due_in(), Some(secs(3240)));
        bob.assert_quiescent();
    }

    #[test]
    fn rfc_3665_2_4_cancellation_of_registration() {
        let mut bob = Bob::registered(3600);
        bob.registration.clear();
        let f1 = bob.expect_send();
        assert_eq!((contacts(&f1), value(&f1, HeaderName::Expires)), (vec!["*".to_owned()], Some("0".to_owned())));
        bob.reply(200, &[]);
        assert!(bob.expect_bindings().is_empty());
        bob.expect_unregistered();
        assert_eq!(bob.due_in(), None);
        bob.assert_quiescent();

        // Our own binding alone.
        let mut bob = Bob::registered(3600);
        bob.registration.unregister();
        assert_eq!(contacts(&bob.expect_send()), [ok_contact(0)]);
        bob.reply(200, &[]);
        bob.expect_unregistered();
        assert_eq!((bob.due_in(), bob.registration.state()), (None, State::Unregistered));
        bob.assert_quiescent();
    }

    #[test]
    fn rfc_3665_2_5_unsuccessful_registration() {
        let mut bob = Bob::new();
        bob.start();
        bob.expect_register();
        bob.reply(401, &[(HeaderName::WwwAuthenticate, CHALLENGE)]);
        assert!(credentials(&bob.expect_send()).is_some());
        bob.reply(401, &[(HeaderName::WwwAuthenticate, &CHALLENGE.replace("n1", "n2"))]);
        let (code, reason, retry_in) = bob.expect_failed();
        assert_eq!((code, retry_in), (401, None));
        assert!(reason.contains("password"), "{reason}");
        assert_eq!((bob.due_in(), bob.registration.state()), (None, State::Failed));
        bob.assert_quiescent();
    }

    #[test]
    fn a_connection_that_ends_is_registered_by_again_but_not_all_the_time() {
        let mut bob = Bob::registered(3600);
        let second = Duration::from_secs(1);
        for wait in [second, FLOW_PAUSE] {
            bob.registration.flow_lost(bob.now, second);
            assert_eq!(bob.due_in(), Some(wait));
            bob.advance(wait);
            bob.expect_register();
            bob.reply(200, &[(HeaderName::Contact, &ok_contact(3600))]);
            bob.expect_registered();
        }
        bob.registration.unregister();
        bob.expect_send();
        bob.registration.flow_lost(bob.now, second);
        assert_eq!(bob.due_in(), None);
    }

    #[test]
    fn a_stale_nonce_on_refresh_is_replaced() {
        let mut bob = Bob::new();
        bob.start();
        bob.expect_register();
        bob.reply(401, &[(HeaderName::WwwAuthenticate, CHALLENGE)]);
        bob.expect_send();
        bob.reply(200, &[(HeaderName::Contact, &ok_contact(300))]);
        bob.expect_registered();
        bob.advance(secs(240));
        assert_eq!(credentials(&bob.expect_register()).unwrap().nonce, "n1");
        let stale = CHALLENGE.replace("n1", "n2").replace("FALSE", "true");
        bob.reply(401, &[(HeaderName::WwwAuthenticate, &stale)]);
        assert_eq!(credentials(&bob.expect_send()).unwrap().nonce, "n2");
        bob.reply(200, &[(HeaderName::Contact, &ok_contact(300))]);
        bob.expect_registered();
        bob.assert_quiescent();
    }

    #[test]
    fn the_granted_lifetime_is_taken_from_where_it_stands() {
        let contact = format!("<{CONTACT}>");
        for (rows, granted, refresh) in [
            (vec![(HeaderName::Contact, &*ok_contact(600)), (HeaderName::Expires, "900")], 600, 540),
            (vec![(HeaderName::Contact, &*contact), (HeaderName::Expires, "900")], 900, 810),
            (vec![(HeaderName::Contact, &*contact)], 3600, 3240),
            (vec![], 3600, 3240),
            (vec![(HeaderName::Contact, &*ok_contact(90))], 90, 45),
            (vec![(HeaderName::Contact, &*ok_contact(6))], 6, 3),
        ] {
            let mut bob = Bob::new();
            bob.start();
            bob.expect_register();
            bob.reply(200, &rows);
            assert_eq!(bob.expect_registered().0, secs(granted), "{rows:?}");
            assert_eq!(bob.due_in(), Some(secs(refresh)), "{rows:?}");
        }
    }

    #[test]
    fn a_200_that_holds_nothing_is_no_registration() {
        let mut bob = Bob::new();
        bob.start();
        bob.expect_register();
        bob.reply(200, &[(HeaderName::Contact, &ok_contact(0))]);
        let (code, _, retry_in) = bob.expect_failed();
        assert_eq!((code, retry_in), (200, bob.due_in()));
        assert_eq!(bob.registration.state(), State::Waiting);
    }

    #[test]
    fn a_lifetime_too_brief_is_lengthened_at_once_but_not_for_ever() {
        let mut bob = Bob::new();
        bob.start();
        bob.expect_register();
        bob.reply(423, &[(HeaderName::MinExpires, "7200")]);
        let longer = bob.expect_send();
        assert_eq!(contacts(&longer), [ok_contact(7200)]);
        assert_eq!(value(&longer, HeaderName::CSeq).unwrap(), "2 REGISTER");
        bob.reply(200, &[(HeaderName::Contact, &ok_contact(7200))]);
        assert_eq!(bob.expect_registered().0, secs(7200));
        bob.assert_quiescent();

        let mut bob = Bob::new();
        bob.start();
        bob.expect_register();
        for least in ["4000", "5000"] {
            bob.reply(423, &[(HeaderName::MinExpires, least)]);
            bob.expect_send();
        }
        bob.reply(423, &[(HeaderName::MinExpires, "6000")]);
        assert_eq!(bob.expect_failed().0, 423);
        bob.assert_quiescent();

        let mut bob = Bob::new();
        bob.start();
        bob.expect_register();
        bob.reply(423, &[]);
        assert_eq!(bob.expect_failed().0, 423);
    }

    #[test]
    fn a_423_between_challenges_does_not_look_like_a_wrong_password() {
        let mut bob = Bob::new();
        bob.start();
        bob.expect_register();
        bob.reply(401, &[(HeaderName::WwwAuthenticate, CHALLENGE)]);
        bob.expect_send();
        bob.reply(423, &[(HeaderName::MinExpires, "7200")]);
        bob.expect_send();
        // Its nonces are good for one request.
        bob.reply(401, &[(HeaderName::WwwAuthenticate, &CHALLENGE.replace("n1", "n2"))]);
        assert_eq!(credentials(&bob.expect_send()).unwrap().nonce, "n2");
        bob.reply(200, &[(HeaderName::Contact, &ok_contact(7200))]);
        bob.expect_registered();
    }

    #[test]
    fn refusals_that_cannot_heal_end_it() {
        for code in [400, 403, 404, 405, 302, 600] {
            let mut bob = Bob::new();
            bob.start();
            bob.expect_register();
            bob.reply(code, &[(HeaderName::Contact, "<sip:elsewhere.example>")]);
            let (told, _, retry_in) = bob.expect_failed();
            assert_eq!((told, retry_in), (code, None));
            assert_eq!((bob.due_in(), bob.registration.state()), (None, State::Failed));
            bob.assert_quiescent();
            // A person may try again.
            bob.registration.refresh();
            bob.expect_register();
        }
    }

    #[test]
    fn pauses_grow_up_to_half_an_hour() {
        let mut bob = Bob::new();
        bob.start();
        for (failure, bound) in [60, 120, 240, 480, 960, 1800, 1800, 1800].into_iter().enumerate() {
            bob.expect_register();
            let code = match failure % 3 {
                0 => {
                    bob.no_answer(NoAnswer::Timeout);
                    408
                }
                1 => {
                    bob.no_answer(NoAnswer::Transport);
                    503
                }
                _ => {
                    bob.reply(500, &[]);
                    500
                }
            };
            let (told, _, retry_in) = bob.expect_failed();
            let pause = retry_in.unwrap();
            assert_eq!((told, Some(pause)), (code, bob.due_in()));
            assert!(secs(bound) / 2 <= pause && pause <= secs(bound), "{failure}: {pause:?}");
            bob.assert_quiescent();
            bob.advance(pause);
        }
        bob.expect_register();
        bob.reply(200, &[(HeaderName::Contact, &ok_contact(3600))]);
        bob.expect_registered();
        // Success begins anew.
        bob.advance(secs(3240));
        bob.expect_register();
        bob.reply(503, &[]);
        assert!(bob.expect_failed().2.unwrap() <= secs(60));
    }

    #[test]
    fn an_outage_that_began_under_a_binding_does_not_lengthen_the_pauses_after_it() {
        let mut bob = Bob::registered(3600);
        let bound = bob.now + secs(3600);
        bob.advance(secs(3240));
        while bob.now < bound {
            bob.expect_register();
            bob.no_answer(NoAnswer::Transport);
            let pause = bob.expect_failed().2.unwrap();
            assert!(pause <= secs(60), "{pause:?}");
            bob.advance(pause);
        }
        bob.expect_register();
        bob.no_answer(NoAnswer::Transport);
        assert!(bob.expect_failed().2.unwrap() <= secs(60));
    }

    #[test]
    fn retry_after_is_honoured() {
        for (value, pause) in [("120 (soon);duration=5", 120), ("99999999", 24 * 3600)] {
            let mut bob = Bob::new();
            bob.start();
            bob.expect_register();
            bob.reply(503, &[(HeaderName::RetryAfter, value)]);
            assert_eq!(bob.expect_failed().2, Some(secs(pause)));
            bob.advance(secs(pause));
            bob.expect_register();
        }
    }

    #[test]
    fn a_failed_refresh_is_tried_again_before_the_binding_ends() {
        let mut bob = Bob::registered(120);
        bob.advance(secs(60));
        bob.expect_register();
        bob.now += secs(32);
        bob.no_answer(NoAnswer::Timeout);
        assert_eq!(bob.expect_failed().2, Some(secs(14)));
        bob.advance(secs(14));
        bob.expect_register();
        bob.reply(200, &[(HeaderName::Contact, &ok_contact(120))]);
        bob.expect_registered();
        bob.assert_quiescent();
    }

    #[test]
    fn one_register_at_a_time() {
        let mut bob = Bob::new();
        bob.start();
        bob.registration.query();
        bob.registration.add_contact(&uri("tel:+15551234"));
        bob.expect_register();
        bob.start();
        assert!(bob.step().is_none());
        bob.reply(100, &[]);
        assert!(bob.step().is_none());
        bob.reply(200, &[(HeaderName::Contact, &ok_contact(3600))]);
        bob.expect_registered();
        assert!(contacts(&bob.expect_send()).is_empty());
        assert!(bob.step().is_none());
        bob.reply(200, &[]);
        bob.expect_bindings();
        assert_eq!(contacts(&bob.expect_send()), ["<tel:+15551234>"]);
        bob.reply(200, &[]);
        bob.expect_bindings();
        bob.assert_quiescent();
    }

    #[test]
    fn responses_to_others_change_nothing() {
        let mut bob = Bob::new();
        bob.start();
        let first = bob.expect_register();
        bob.reply(401, &[(HeaderName::WwwAuthenticate, CHALLENGE)]);
        let second = bob.expect_send();
        bob.out = Some(first);
        bob.reply(403, &[]);
        assert!(bob.step().is_none());
        bob.out = Some(second);
        bob.reply(200, &[(HeaderName::Contact, &ok_contact(3600))]);
        bob.expect_registered();
        bob.reply(403, &[]);
        bob.assert_quiescent();
    }

    #[test]
    fn unregister_waits_for_a_refresh_that_is_out() {
        let outcomes: [fn(&mut Bob); 4] = [
            |bob| {
                bob.reply(200, &[(HeaderName::Contact, &ok_contact(300))]);
                bob.expect_registered();
            },
            |bob| bob.reply(401, &[(HeaderName::WwwAuthenticate, CHALLENGE)]),
            |bob| bob.reply(503, &[]),
            |bob| bob.no_answer(NoAnswer::Timeout),
        ];
        for outcome in outcomes {
            let mut bob = Bob::registered(300);
            bob.advance(secs(240));
            bob.expect_register();
            bob.registration.unregister();
            assert!(bob.step().is_none());
            outcome(&mut bob);
            assert_eq!(contacts(&bob.expect_send()), [ok_contact(0)]);
            bob.reply(401, &[(HeaderName::WwwAuthenticate, &CHALLENGE.replace("n1", "n2"))]);
            assert!(credentials(&bob.expect_send()).is_some());
            bob.reply(200, &[]);
            bob.expect_unregistered();
            assert_eq!((bob.due_in(), bob.registration.state()), (None, State::Unregistered));
            bob.assert_quiescent();
        }
    }

    #[test]
    fn nothing_is_sent_to_remove_what_was_never_bound() {
        let mut bob = Bob::new();
        bob.registration.unregister();
        bob.expect_unregistered();
        bob.assert_quiescent();

        bob.start();
        bob.registration.unregister();
        bob.expect_unregistered();
        bob.assert_quiescent();

        // But what may have been is removed.
        bob.start();
        bob.expect_register();
        bob.no_answer(NoAnswer::Timeout);
        bob.expect_failed();
        bob.registration.unregister();
        assert_eq!(contacts(&bob.expect_send()), [ok_contact(0)]);
        bob.no_answer(NoAnswer::Timeout);
        assert_eq!(bob.expect_failed().2, None);
        assert_eq!(bob.due_in(), None);
        bob.assert_quiescent();
    }

    #[test]
    fn a_failed_query_leaves_the_registration_alone() {
        let mut bob = Bob::registered(3600);
        bob.registration.query();
        bob.expect_send();
        bob.reply(403, &[]);
        assert_eq!(bob.expect_failed().2, None);
        assert_eq!((bob.due_in(), bob.registration.state()), (Some(secs(3240)), State::Registered));
        bob.assert_quiescent();
    }

    #[test]
    fn a_contact_that_changes_replaces_the_old_one() {
        let removed = ok_contact(0);
        let mut bob = Bob::registered(3600);
        bob.registration.start(&uri("sip:x7f@203.0.113.1:9"));
        assert_eq!(contacts(&bob.expect_register()), ["<sip:x7f@203.0.113.1:9>;expires=3600", &removed]);
        bob.reply(200, &[(HeaderName::Contact, "<sip:x7f@203.0.113.1:9>;expires=3600")]);
        bob.expect_registered();
        bob.assert_quiescent();

        // While the first one is on its way.
        let mut bob = Bob::new();
        bob.start();
        bob.expect_register();
        bob.registration.start(&uri("sip:x7f@203.0.113.1:9"));
        bob.reply(200, &[(HeaderName::Contact, &ok_contact(3600))]);
        assert!(bob.expect_registered().1[0].ours);
        assert_eq!(contacts(&bob.expect_register()), ["<sip:x7f@203.0.113.1:9>;expires=3600", &removed]);
        // And back.
        bob.start();
        bob.reply(200, &[(HeaderName::Contact, "<sip:x7f@203.0.113.1:9>;expires=3600")]);
        bob.expect_registered();
        assert_eq!(
            contacts(&bob.expect_register()),
            [ok_contact(3600), "<sip:x7f@203.0.113.1:9>;expires=0".to_owned()]
        );
    }

    #[test]
    fn what_waits_is_bounded() {
        let mut bob = Bob::new();
        for n in 0..100 {
            bob.registration.add_contact(&uri(&format!("sip:{n}@192.0.2.9")));
        }
        bob.registration.unregister();
        assert!(bob.registration.jobs.len() <= MAX_JOBS + 1);
        assert_eq!(bob.expect_failed().0, 503);
    }

    #[test]
    fn texts_from_the_network_are_made_harmless() {
        let mut bob = Bob::new();
        bob.start();
        bob.expect_register();
        let cseq = value(bob.out.as_ref().unwrap(), HeaderName::CSeq).unwrap();
        let response = ResponseBuilder::new(StatusCode::new(403).unwrap(), "\u{1b}[2JNo").unwrap();
        let response = response.header(HeaderName::CSeq, cseq).unwrap().build();
        bob.registration.handle_response(bob.now, &mut bob.rng, &mut bob.auth, &response);
        let (_, reason, _) = bob.expect_failed();
        assert!(reason.starts_with("\u{fffd}[2JNo: the registrar refuses"), "{reason}");
    }
}
