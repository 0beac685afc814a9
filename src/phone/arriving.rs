//! A call arrives: the services have their say before it rings. And what they do later by themselves.

use std::net::IpAddr;
use std::time::{Duration, Instant, SystemTime};

use crate::services::forwarding::When;
use crate::sip::Uri;
use crate::ua::command::DiversionReason;
use crate::ua::{self, AccountId, CallNo, CommandError};

use super::actor::Actor;
use super::event::{CallRef, Kind};
use super::screen::harmless;
use super::services::{Caller, Redial, Unseen, Verdict};

impl Actor {
    /// What the core tells, on its way to the desk.
    pub(super) fn hear(&mut self, now: Instant, event: ua::Event, arrived_at: Option<IpAddr>) {
        match event {
            ua::Event::Incoming { call, account, ref from, .. } => {
                let (peer, name) = (harmless(&from.uri).into_owned(), self.services.name_of(&from.uri));
                let name = name.or_else(|| from.name.as_deref().map(|name| harmless(name).into_owned()));
                let call = CallRef { call, account: self.desk.account_name(account), peer };
                self.arrive(now, &call, name, event, arrived_at);
            }
            ua::Event::Media { call, .. } | ua::Event::Established { call } => {
                self.desk.note_transport(call, self.core.transport_of(call));
                self.desk.handle_core(now, event, arrived_at);
            }
            ua::Event::Ended { call, .. } => {
                self.info.forget(call);
                self.forget_prepared(call);
                self.services.forget(call);
                self.desk.handle_core(now, event, arrived_at);
            }
            other => self.desk.handle_core(now, other, arrived_at),
        }
    }

    fn arrive(
        &mut self,
        now: Instant,
        call: &CallRef,
        name: Option<String>,
        mut event: ua::Event,
        arrived_at: Option<IpAddr>,
    ) {
        if self.core.takes_place_of(call.call).is_some() {
            // A call that stands goes on with someone else: no service has its say again.
            return self.desk.handle_core(now, event, arrived_at);
        }
        self.refresh_switches(now);
        let up = self.desk.lines.len();
        let full = up >= self.core_config.max_calls;
        let caller = Caller { account: call.account.as_deref(), from: &call.peer, busy: up > 0, full };
        let mut verdict = self.services.judge(caller);
        if let Verdict::Forward { to, when } = &verdict {
            let (to, when) = (to.clone(), *when);
            match self.send_elsewhere(now, call.call, &to, when) {
                Ok(()) => {
                    self.tell(Kind::Diverted { call: call.clone(), name: name.clone(), to: to.clone(), when });
                    return self.remember(call, name, Unseen::Diverted { to, when });
                }
                Err(error) => {
                    tracing::warn!(call = %call.call, %error, "not forwarded");
                    verdict = if full { Verdict::Full } else { Verdict::Ring { no_answer: None } };
                }
            }
        }
        match verdict {
            Verdict::Ring { no_answer } => {
                if let ua::Event::Incoming { from, .. } = &mut event {
                    from.name = name;
                }
                self.desk.handle_core(now, event, arrived_at);
                self.prepare_answer(now, call.call, arrived_at);
                self.alert(now, call.call);
                if let Some((after, to)) = no_answer {
                    self.services.forward_later(now, call.call, after, to);
                }
            }
            Verdict::Refuse { code, rule } => {
                self.refuse(now, call.call, code);
                self.screened(call, name, Some(code), rule);
            }
            Verdict::Silence { rule } => {
                self.services.silence(call.call);
                self.alert(now, call.call);
                self.screened(call, name, None, rule);
            }
            Verdict::Full | Verdict::Forward { .. } => {
                self.refuse(now, call.call, 486);
                self.remember(call, name, Unseen::Full);
                self.tell(Kind::Missed { count: self.services.history.missed() });
            }
        }
    }

    fn alert(&mut self, now: Instant, call: CallNo) {
        if let Err(error) = self.core.command(now, ua::Command::Alert { call }) {
            tracing::debug!(%call, %error, "it does not ring");
        }
    }

    fn refuse(&mut self, now: Instant, call: CallNo, code: u16) {
        if let Err(error) = self.core.command(now, ua::Command::Reject { call, code }) {
            tracing::debug!(%call, %error, "not refused");
        }
    }

    fn screened(&mut self, call: &CallRef, name: Option<String>, code: Option<u16>, rule: String) {
        self.tell(Kind::Screened { call: call.clone(), name: name.clone(), code, rule: rule.clone() });
        self.remember(call, name, Unseen::Screened { code, rule });
    }

    fn remember(&mut self, call: &CallRef, name: Option<String>, end: Unseen) {
        self.services.record_unseen(SystemTime::now(), call, name, end);
    }

    fn send_elsewhere(&mut self, now: Instant, call: CallNo, to: &str, when: When) -> Result<(), CommandError> {
        let target = Uri::parse(to.to_owned().into()).map_err(|_| CommandError::BadTarget(to.to_owned()))?;
        let reason = match when {
            When::Always => DiversionReason::Unconditional,
            When::Busy => DiversionReason::UserBusy,
            When::NoAnswer => DiversionReason::NoAnswer,
        };
        let redirect = ua::Command::Redirect { call, targets: vec![target], reason };
        self.core.command(now, redirect).map(|_| ())
    }

    /// What the services do by themselves when their time has come.
    pub(super) fn service_timeout(&mut self, now: Instant) {
        while let Some((call, to)) = self.services.pop_unanswered(now) {
            let Some(line) = self.desk.lines.get(call).filter(|line| line.waits()) else { continue };
            let (reference, name) = (line.call.clone(), line.name.clone());
            match self.send_elsewhere(now, call, &to, When::NoAnswer) {
                Ok(()) => {
                    self.services.note_diverted(call, &to);
                    self.tell(Kind::Diverted { call: reference, name, to, when: When::NoAnswer });
                }
                Err(error) => self.complain(call, &error.to_string()),
            }
        }
        if self.services.is_look_due(now) {
            self.refresh_switches(now);
        }
        self.redial_if_due(now);
    }

    // Calling a busy number again

    /// A call of ours has ended: busy numbers are called again if that is wanted.
    pub(super) fn redial_after(&mut self, now: Instant, kind: &Kind) {
        match kind {
            Kind::Ended { call, code, duration_s, .. } => {
                let busy = matches!(code, Some(486 | 600)) && *duration_s == 0.0;
                let every = Duration::from_secs(self.calls_config.redial_every.into());
                let again = match &self.services.redial {
                    Some(redial) if redial.call == Some(call.call) => {
                        let redial = redial.clone();
                        (busy && redial.left > 0).then_some(Redial { due: Some(now + every), call: None, ..redial })
                    }
                    Some(_) => return,
                    None if busy && self.calls_config.redial_busy && self.we_called(call) => {
                        let (account, target) = (call.account.clone(), call.peer.clone());
                        let left = self.calls_config.redial_times;
                        Some(Redial { account, target, left, due: Some(now + every), call: None })
                    }
                    None => return,
                };
                let before = std::mem::replace(&mut self.services.redial, again);
                self.tell_redial(before);
            }
            Kind::Calling { call } => {
                if let Some(redial) = self.services.redial.as_mut().filter(|redial| redial.target == call.peer) {
                    (redial.due, redial.call) = (None, Some(call.call));
                }
            }
            // The number is free: the person hears it ring.
            Kind::Ringing { call, .. } | Kind::Established { call, .. }
                if self.services.redial.as_ref().is_some_and(|redial| redial.call == Some(call.call)) =>
            {
                let before = self.services.redial.take();
                self.tell_redial(before);
            }
            _ => {}
        }
    }

    /// Whether the call that has just ended is the one that we placed last.
    fn we_called(&self, call: &CallRef) -> bool {
        self.services.last_dialled().is_some_and(|(account, peer)| account == call.account && peer == call.peer)
    }

    /// Says how the calling again stands; `before`: what it was.
    pub(super) fn tell_redial(&mut self, before: Option<Redial>) {
        let kind = match (&self.services.redial, before) {
            (Some(redial), _) => Kind::Redial {
                account: redial.account.clone(),
                to: redial.target.clone(),
                left: redial.left,
                seconds: Some(self.calls_config.redial_every),
            },
            (None, Some(redial)) => {
                Kind::Redial { account: redial.account, to: redial.target, left: redial.left, seconds: None }
            }
            (None, None) => return,
        };
        self.tell(kind);
    }

    fn redial_if_due(&mut self, now: Instant) {
        let every = Duration::from_secs(self.calls_config.redial_every.into());
        let Some(redial) = &mut self.services.redial else { return };
        if redial.due.is_none_or(|due| due > now) {
            return;
        }
        if self.desk.lines.len() > 0 {
            // Nobody wants to be torn from another call.
            redial.due = Some(now + every);
            return;
        }
        if redial.left == 0 {
            let before = self.services.redial.take();
            return self.tell_redial(before);
        }
        redial.left -= 1;
        // Until it is known that the call has begun: should it not, the next one is tried.
        (redial.due, redial.call) = (Some(now + every), None);
        let (account, target) = (redial.account.clone(), redial.target.clone());
        self.call_again(now, account, target);
    }

    /// The account of a name.
    pub(super) fn place_of(&self, account: Option<&str>) -> Option<AccountId> {
        let name = account?;
        self.core_config.accounts.iter().position(|account| account.name == name).map(AccountId)
    }
}
