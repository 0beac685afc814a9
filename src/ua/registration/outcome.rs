//! What a REGISTER came to: a binding, another try, a refusal, no answer.

use std::time::{Duration, Instant};

use rand_core::RngCore;

use crate::sip::{CSeq, HeaderName, Method, Response, number};

use super::super::auth::{Authenticator, Challenger};
use super::super::event::Event;
use super::bindings::{self, printable};
use super::granted::Granted;
use super::pause::{Retry, random_pause, refresh_after, retry};
use super::refusal::{reason_of, remedy};
use super::write::text;
use super::{Bound, Job, MAX_EXTRAS, NoAnswer, Outbound, Outstanding, Registration, State};

/// What a registrar grants that names no time (RFC 3261 section 10.2.4).
const DEFAULT_EXPIRES: u32 = 3600;
/// The shortest pause while a binding is about to end.
const MIN_PAUSE: Duration = Duration::from_secs(1);

impl Registration {
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
                if outstanding.job == Job::Register && self.nat.learn(response) {
                    self.rewrite(&mut outstanding);
                }
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
            // RFC 5626 section 4.2.1: without outbound, then.
            439 if self.outbound == Outbound::Asked => {
                self.outbound = Outbound::Refused;
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

    fn succeed(&mut self, now: Instant, rng: &mut impl RngCore, outstanding: Outstanding, response: &Response) {
        let Outstanding { job, contact, .. } = outstanding;
        let contact = contact.as_ref();
        let contacts = bindings::read(response, contact);
        let account = self.account;
        match job {
            Job::Register => {
                let general = number(&response.headers, &HeaderName::Expires);
                let granted = match contacts.iter().find(|binding| binding.ours) {
                    Some(ours) => ours.expires.or(general),
                    // A gateway on the way may have written its own in place of ours.
                    None if contacts.len() < 2 => general,
                    None => Some(0),
                };
                // RFC 3261 section 10.2.4; what can't be read (a date of RFC 2543) is no longer than what was asked for.
                let granted = granted.unwrap_or(DEFAULT_EXPIRES.min(self.expires));
                if granted == 0 {
                    let reason = "the registrar accepts, but holds no binding of this phone".to_owned();
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
                let mut granted = Granted::read(response, contact);
                // Not asked for, not used.
                if !self.gruu {
                    (granted.gruu, granted.temporary_gruu) = (None, None);
                }
                if self.wanted && self.nat.learn(response) && self.take_seen() {
                    self.queue(Job::Register);
                }
                self.grant(Granted { seen: self.nat.seen(), ..granted });
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
        self.grant(Granted::default());
        self.enter(if self.wanted { State::Registering } else { State::Unregistered });
    }

    pub(super) fn fail(
        &mut self,
        now: Instant,
        rng: &mut impl RngCore,
        job: &Job,
        code: u16,
        reason: String,
        retry: Retry,
    ) {
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
                if pause.is_none() {
                    self.grant(Granted::default());
                }
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

    pub(super) fn tell_failure(&mut self, code: u16, reason: String, retry_in: Option<Duration>) {
        self.tell(Event::RegistrationFailed { account: self.account, code, reason, retry_in });
    }
}
