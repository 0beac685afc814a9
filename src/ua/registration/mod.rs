//! One account's registration: which REGISTER to send, and when (RFC 3261 section 10.2, RFC 3665 section 2).
//!
//! Commands only queue; [`Registration::poll`] hands out what to send and what to tell, one REGISTER at a time (RFC 3261
//! section 10.2 forbids two). All REGISTERs share a Call-ID, with a rising CSeq (section 10.2.4).
//!
//! A binding is refreshed well before it ends. When that fails, the pauses of RFC 5626 section 4.5 follow, shortened as
//! long as the binding lives. What a repetition can't heal (wrong password, 403, 404, ...) ends it: nothing is tried
//! again until a person says so.
//!
//! | file | what |
//! |---|---|
//! | `mod.rs` | what is wanted, which REGISTER is next, and when |
//! | `write.rs` | the REGISTER |
//! | `outcome.rs` | what it came to |
//! | `bindings.rs` | the Contacts of a 200 |
//! | `granted.rs` | what a 200 gives other requests: GRUU, Service-Route, outbound |
//! | `contact.rs`, `nat.rs` | our Contact when it changes; the address at which the registrar sees us |
//! | `pause.rs`, `refusal.rs` | when to try again; what a person can do |

mod bindings;
mod contact;
mod granted;
mod nat;
mod outcome;
mod pause;
mod refusal;
#[cfg(test)]
mod tests;
mod write;

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use rand_core::RngCore;

use crate::sip::{HeaderName, Request, Uri, push};

use super::auth::{Attempt, Authenticator, random_hex};
use super::config::Account;
use super::{AccountId, Event};

pub use granted::Granted;

use nat::Nat;
use pause::Retry;
use write::text;

/// Between two registrations because a connection ended.
const FLOW_PAUSE: Duration = Duration::from_secs(60);
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
    /// Calls and other requests go by this from now on.
    Granted(Box<Granted>),
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

/// Whether the REGISTER asks for RFC 5626's outbound.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Outbound {
    Asked,
    /// 439: a proxy on the way does not know it.
    Refused,
}

/// Whether the registrar may hold our binding.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Bound {
    No,
    /// A REGISTER may have arrived whose response did not.
    Perhaps,
    Until(Instant),
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
    /// The urn of this phone (RFC 5626 section 4.1).
    instance: Option<String>,
    gruu: bool,
    outbound: Outbound,
    nat: Nat,
    /// The contact with our own address.
    base: Option<Uri>,
    /// The contact as it is registered: with the address that the registrar sees.
    contact: Option<Uri>,
    /// The contact before it changed: removed by the next REGISTER.
    former: Option<Uri>,
    extras: Vec<String>,
    wanted: bool,
    state: State,
    bound: Bound,
    granted: Granted,
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
            instance: config.instance.clone(),
            gruu: config.gruu,
            outbound: Outbound::Asked,
            nat: Nat::new(config.rewrite_contact),
            base: None,
            contact: None,
            former: None,
            extras: Vec::new(),
            wanted: false,
            state: State::Unregistered,
            bound: Bound::No,
            granted: Granted::default(),
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

    /// Whether it is to be registered: it is, or is tried.
    pub fn is_wanted(&self) -> bool {
        self.wanted
    }

    /// Whether it is registered, and nothing is out.
    pub fn stands(&self) -> bool {
        self.wanted && self.state == State::Registered && self.outstanding.is_none()
    }

    /// Our contact, with the address that the registrar sees.
    pub fn contact(&self) -> Option<&Uri> {
        self.contact.as_ref()
    }

    /// Whether nothing is out, waiting to go out or to be polled. A refresh or retry may be due later.
    pub fn is_idle(&self) -> bool {
        self.outstanding.is_none() && self.jobs.is_empty() && self.steps.is_empty()
    }

    /// It shall be registered: [`Registration::renew`] follows as soon as our address towards the registrar is known.
    pub fn want(&mut self) {
        self.wanted = true;
        self.failures = 0;
        self.deadline = None;
        self.jobs.retain(|job| *job != Job::Unregister);
        if self.state != State::Registered {
            self.enter(State::Registering);
        }
    }

    /// Registers `contact`, and keeps it registered: [`Registration::want`] with the address at hand.
    pub fn start(&mut self, contact: &Uri) {
        self.want();
        self.renew(contact);
    }

    /// Sends REGISTER for `contact`, in which our own address stands. With one that differs from the last the old binding is
    /// removed by the same REGISTER. Does nothing while a REGISTER for the same contact is out, or when somebody has
    /// unregistered since.
    pub fn renew(&mut self, contact: &Uri) {
        if !self.wanted {
            return;
        }
        if self.base.as_ref().is_none_or(|base| text(base) != text(contact)) {
            self.nat.forget();
            self.base = Some(contact.clone());
        }
        let contact = self.nat.contact(contact);
        let changed = self.contact.as_ref().is_none_or(|old| text(old) != text(&contact));
        let under_way = self.outstanding.as_ref().is_some_and(|outstanding| outstanding.job == Job::Register);
        if changed {
            self.replace_contact(&contact, under_way);
        }
        if changed || !under_way {
            self.queue(Job::Register);
        }
        if self.state != State::Registered {
            self.enter(State::Registering);
        }
    }

    /// The network is another one, or the machine has slept: what is out has no answer to hope for, and pauses have lost
    /// their reason. [`Registration::renew`] follows.
    pub fn restart(&mut self) {
        if let Some(outstanding) = self.outstanding.take() {
            match outstanding.job {
                Job::Register if self.bound == Bound::No => self.bound = Bound::Perhaps,
                Job::Register => {}
                other @ (Job::Unregister | Job::Query | Job::Add { .. } | Job::Clear) => self.jobs.push_front(other),
            }
        }
        if self.wanted {
            self.deadline = None;
            self.failures = 0;
        }
    }

    /// No way leads to the registrar now: told, and tried again after a pause.
    pub fn handle_no_way(&mut self, now: Instant, rng: &mut impl RngCore, reason: String) {
        if self.wanted && self.outstanding.is_none() {
            self.jobs.retain(|job| *job != Job::Register);
            self.fail(now, rng, &Job::Register, 503, reason, Retry::Pause);
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

    /// Nothing is wanted any more; for one that has sent nothing.
    pub fn give_up(&mut self) {
        self.wanted = false;
        self.deadline = None;
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

    /// Whether the refresh or retry is due at `now`: then [`Registration::renew`] or [`Registration::handle_no_way`] is to
    /// follow, for our address may be another one than at the last.
    #[must_use]
    pub fn handle_deadline(&mut self, now: Instant) -> bool {
        self.deadline.take_if(|deadline| *deadline <= now).is_some()
    }

    /// What to do next; until `None`. A REGISTER carries along the credentials that will probably be asked for.
    pub fn poll(&mut self, rng: &mut impl RngCore, auth: &mut Authenticator) -> Option<Step> {
        while self.steps.is_empty() && self.outstanding.is_none() {
            let job = self.jobs.pop_front()?;
            self.begin(rng, auth, job);
        }
        self.steps.pop_front()
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

    fn enter(&mut self, state: State) {
        if self.state != state {
            tracing::debug!(account = self.account.0, "registration {:?} -> {state:?}", self.state);
            self.state = state;
        }
    }

    fn grant(&mut self, granted: Granted) {
        self.granted = granted.clone();
        self.steps.push_back(Step::Granted(Box::new(granted)));
    }

    fn tell(&mut self, event: Event) {
        self.steps.push_back(Step::Event(event));
    }
}
