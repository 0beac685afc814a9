//! What each command does. A refused command changes nothing.

use std::net::IpAddr;
use std::time::Instant;

use crate::net::Resolver;
use crate::sip::Uri;
use crate::ua::command::{MediaPorts, Reply as CoreReply};
use crate::ua::{self, AccountId, CallNo, CommandError, Resolve};

use super::actor::{Actor, Answer};
use super::lines::NoLine;
use super::media_thread::Order;
use super::snapshot::Snapshot;
use super::target::TargetError;
use super::{Command, Refused, Reply};

/// What `reject` sends unless told.
const BUSY_HERE: u16 = 486;
/// What a caller gets whom we can't answer although we want to: Server Internal Error.
const NO_PORTS: u16 = 500;

/// A call that begins when its host's address is known: it decides which of our addresses hears it.
pub(super) struct WaitingCall {
    pub(super) hop: Resolve,
    pub(super) account: Option<AccountId>,
    pub(super) target: Uri,
    pub(super) answer: Answer,
}

impl From<CommandError> for Refused {
    fn from(error: CommandError) -> Refused {
        Refused { message: error.to_string() }
    }
}

impl From<NoLine> for Refused {
    fn from(error: NoLine) -> Refused {
        Refused { message: error.to_string() }
    }
}

impl From<TargetError> for Refused {
    fn from(error: TargetError) -> Refused {
        Refused { message: error.to_string() }
    }
}

pub(super) fn refused(message: impl Into<String>) -> Refused {
    Refused { message: message.into() }
}

pub(super) type Outcome = Result<Reply, Refused>;

impl Actor {
    /// Does what was asked; the answer is given after everything that follows from it.
    pub(super) fn perform(&mut self, now: Instant, command: Command, answer: Answer) {
        let outcome = match command {
            Command::Quit => return self.quit(now, Some(answer)),
            Command::Call { account, target } => match self.plan(account.as_deref(), &target) {
                Ok((account, target)) => return self.call(now, account, target, answer),
                Err(refused) => Err(refused),
            },
            Command::Redial | Command::CallBack => match self.remembered(&command) {
                Ok((account, target)) => return self.call(now, account, target, answer),
                Err(refused) => Err(refused),
            },
            Command::Answer { call } => match self.answer_later(call, answer) {
                Ok(()) => return,
                Err(answer) => {
                    let outcome = self.obey(now, Command::Answer { call });
                    return self.answers.push((answer, outcome));
                }
            },
            Command::PickUp { target } => match self.ringing_elsewhere(target.as_deref()) {
                Ok((account, target)) => return self.call(now, Some(account), target, answer),
                Err(refused) => Err(refused),
            },
            other => self.obey(now, other),
        };
        self.answers.push((answer, outcome));
    }

    fn obey(&mut self, now: Instant, command: Command) -> Outcome {
        let lines = &self.desk.lines;
        match command {
            // Taken by `perform`.
            Command::Call { .. } | Command::Redial | Command::CallBack | Command::PickUp { .. } | Command::Quit => {
                Ok(Reply::Done)
            }
            Command::Answer { call } => {
                let call = call.map_or_else(|| lines.rung_longest(), |call| lines.named(call))?;
                self.answer(now, call)
            }
            Command::Reject { call, code } => {
                let call = call.map_or_else(|| lines.rung_longest(), |call| lines.named(call))?;
                self.tell_core(now, ua::Command::Reject { call, code: code.unwrap_or(BUSY_HERE) })
            }
            Command::Hangup { call: None } => {
                // Who mixes a conference ends it by leaving (section 2.8 of the draft).
                let call = self.meant(None)?;
                let member = self.desk.lines.get(call).is_some_and(|line| line.conference);
                let calls = if member { self.desk.lines.conference() } else { vec![call] };
                calls.into_iter().try_fold(Reply::Done, |_, call| self.hang_up(now, call))
            }
            Command::Hangup { call: Some(call) } => {
                let call = lines.named(call)?;
                self.hang_up(now, call)
            }
            Command::HangupAll => {
                let calls: Vec<CallNo> = lines.iter().map(|line| line.call.call).collect();
                for call in calls {
                    // One that is ending already is no reason to leave the others up.
                    let _ = self.hang_up(now, call);
                }
                Ok(Reply::Done)
            }
            Command::Hold { call: None } => {
                let call = self.meant(None)?;
                let calls = lines.all_talking();
                let calls = if calls.contains(&call) { calls } else { vec![call] };
                calls.into_iter().try_fold(Reply::Done, |_, call| self.hold(now, call))
            }
            Command::Hold { call: Some(call) } => {
                let call = lines.named(call)?;
                self.hold(now, call)
            }
            Command::Resume { call: Some(call) } => {
                let call = lines.named(call)?;
                self.resume(now, call)
            }
            Command::Resume { call: None } | Command::Swap => {
                let call = lines.held_last()?;
                let member = lines.get(call).is_some_and(|line| line.conference);
                let others = if member { lines.conference() } else { Vec::new() };
                let outcome = self.resume(now, call)?;
                for other in others {
                    self.take_back_member(now, other)?;
                }
                Ok(outcome)
            }
            Command::Conference { calls } => self.join(now, &calls),
            Command::Split => self.split(now),
            Command::Transfer { call, target } => {
                let call = self.meant(call)?;
                let target = self.transfer_target(call, &target)?;
                self.tell_core(now, ua::Command::Transfer { call, target })
            }
            Command::AcceptTransfer { call } => {
                let call = self.desk.asked_to_transfer(call)?;
                self.follow(now, call).map(Reply::Call)
            }
            Command::RefuseTransfer { call } => {
                let call = self.desk.asked_to_transfer(call)?;
                let outcome = self.tell_core(now, ua::Command::RefuseTransfer { call })?;
                self.desk.forget_request(call);
                Ok(outcome)
            }
            Command::TransferWith { call, with } => {
                let (call, with) = (lines.named(call)?, lines.named(with)?);
                self.tell_core(now, ua::Command::TransferWith { call, with })
            }
            Command::AcceptRedirect { call } => {
                let call = call.map_or_else(|| lines.redirected(), |call| lines.named(call))?;
                self.decide_redirect(now, ua::Command::AcceptRedirect { call }, call)
            }
            Command::RefuseRedirect { call } => {
                let call = call.map_or_else(|| lines.redirected(), |call| lines.named(call))?;
                self.decide_redirect(now, ua::Command::RefuseRedirect { call }, call)
            }
            Command::Dtmf { call, digits } => {
                let call = self.meant(call)?;
                self.dtmf(now, call, &digits)
            }
            Command::Mute { call: None } => self.done(|actor| actor.desk.set_muted(true)),
            Command::Unmute { call: None } => self.done(|actor| actor.desk.set_muted(false)),
            Command::Mute { call: Some(call) } => self.mute_member(call, true),
            Command::Unmute { call: Some(call) } => self.mute_member(call, false),
            Command::Audio { step, switch } => self.done(|actor| actor.desk.switch_processing(step, switch)),
            Command::Volume { side, db } if (-60.0..=20.0).contains(&db) => {
                self.done(|actor| actor.sound.order(Order::Volume { side, db }))
            }
            Command::Volume { .. } => Err(refused("the volume goes from -60 to 20 dB; 0 changes nothing")),
            Command::Device { role, name } if !name.trim().is_empty() => {
                self.done(|actor| actor.desk.set_device(role, name))
            }
            Command::Device { .. } => {
                Err(refused("which device? `offhook devices` lists them; \"default\" and \"null\" work too"))
            }
            Command::Set { name, value } => self.set(&name, &value),
            Command::Register { account } => {
                let account = self.one_account(account.as_deref())?;
                self.tell_core(now, ua::Command::Register { account })
            }
            Command::Message { account, target, text } => {
                let (account, target) = self.plan(account.as_deref(), &target)?;
                self.tell_core(now, ua::Command::Message { account, target, text })
            }
            Command::Unregister { account } => {
                let account = self.one_account(account.as_deref())?;
                self.tell_core(now, ua::Command::Unregister { account })
            }
            Command::QueryBindings { account } => {
                let account = self.one_account(account.as_deref())?;
                self.tell_core(now, ua::Command::Query { account })
            }
            Command::AddContact { account, contact } => {
                let account = self.one_account(account.as_deref())?;
                let contact = Uri::parse(contact.trim().to_string().into())
                    .map_err(|error| refused(format!("'{contact}' is no contact URI: {error}")))?;
                self.tell_core(now, ua::Command::AddContact { account, contact })
            }
            Command::ClearContacts { account } => {
                let account = self.one_account(account.as_deref())?;
                self.tell_core(now, ua::Command::ClearContacts { account })
            }
            Command::Play { call, path, how } => self.play(call, path, how),
            Command::StopPlaying { call } => self.stop_playing(call),
            Command::Record { call, path } => self.record(call, path),
            Command::StopRecording { call } => self.stop_recording(call),
            Command::Forward { account, change } => self.forward(account.as_deref(), change),
            Command::Dnd { account, on } => self.dnd(account.as_deref(), on),
            Command::History { count } => self.show_history(count),
            Command::People => Ok(Reply::People(Box::new(self.services.people()))),
            Command::RedialBusy { on } => self.redial_busy(now, on),
            Command::Park { call } => {
                let call = self.meant(call)?;
                self.park(now, call)
            }
            Command::State => {
                let (clients, servers) = self.core.transactions();
                Ok(Reply::State(Box::new(Snapshot { transactions: clients + servers, ..self.snapshot(now) })))
            }
        }
    }

    fn done(&mut self, act: impl FnOnce(&mut Actor)) -> Outcome {
        act(self);
        Ok(Reply::Done)
    }

    pub(super) fn tell_core(&mut self, now: Instant, command: ua::Command) -> Outcome {
        Ok(match self.core.command(now, command)? {
            CoreReply::Done => Reply::Done,
            CoreReply::Call(call) => Reply::Call(call),
        })
    }

    /// The call that was named, else the active one, else the only one.
    pub(super) fn meant(&self, call: Option<CallNo>) -> Result<CallNo, NoLine> {
        let lines = &self.desk.lines;
        call.map_or_else(|| lines.active_or_only(), |call| lines.named(call))
    }

    // Accounts

    pub(super) fn account_uri(&self, account: Option<AccountId>) -> Option<&Uri> {
        account.and_then(|account| self.core_config.accounts.get(account.0)).map(|account| &account.uri)
    }

    fn account_names(&self) -> String {
        let names: Vec<&str> = self.core_config.accounts.iter().map(|account| account.name.as_str()).collect();
        names.join(", ")
    }

    pub(super) fn named_account(&self, name: &str) -> Result<AccountId, Refused> {
        let place = self.core_config.accounts.iter().position(|account| account.name == name);
        place.map(AccountId).ok_or_else(|| match self.core_config.accounts.is_empty() {
            true => refused(format!("there is no account '{name}': none is configured")),
            false => refused(format!("there is no account '{name}', but: {}", self.account_names())),
        })
    }

    fn one_account(&self, name: Option<&str>) -> Result<AccountId, Refused> {
        match (name, self.core_config.accounts.len()) {
            (Some(name), _) => self.named_account(name),
            (None, 1) => Ok(AccountId(0)),
            (None, 0) => Err(refused("no account is configured: `offhook setup` asks for one")),
            (None, _) => Err(refused(format!("which account? say one of: {}", self.account_names()))),
        }
    }

    // Calls

    /// Who calls whom. Without a name it is the account at whose host the target is, else the first.
    pub(super) fn plan(&mut self, account: Option<&str>, text: &str) -> Result<(Option<AccountId>, Uri), Refused> {
        let first = (!self.core_config.accounts.is_empty()).then_some(AccountId(0));
        let account = account.map(|name| self.named_account(name)).transpose()?;
        let target = self.target(account.or(first), text)?;
        let accounts = &self.core_config.accounts;
        let same_host = |uri: &Uri| match (uri.host(), target.host()) {
            (Some(ours), Some(theirs)) => ours.equivalent(theirs),
            (Some(_) | None, _) => false,
        };
        let at_host = || accounts.iter().position(|account| same_host(&account.uri)).map(AccountId);
        let account = account.or_else(at_host).or(first);
        self.may_call(account, &target)?;
        Ok((account, target))
    }

    /// Calls, as soon as it is known from which of our addresses.
    pub(super) fn call(&mut self, now: Instant, account: Option<AccountId>, target: Uri, answer: Answer) {
        let hop = self.core.first_hop(now, account, &target);
        let known = hop.as_ref().map(|hop| self.resolver.known(now, hop, &mut self.sockets));
        match (hop, known) {
            (Some(hop), Some(None)) if self.quitting.is_none() => {
                if ask(&mut self.resolver, &self.waiting, &hop) {
                    self.waiting.push(WaitingCall { hop, account, target, answer });
                } else {
                    self.answers
                        .push((answer, Err(refused("too many names are being looked up: try again in a moment"))));
                }
            }
            (_, known) => {
                let way = known.flatten().and_then(|flows| self.core.prefer(now, &flows));
                let local = way.map(|flow| flow.local.ip());
                self.dial_prepared(now, account, target, local, answer);
            }
        }
    }

    /// Holds the active call and calls, with sound at `local`; `None`: the way is not known, and the core will say so.
    pub(super) fn dial(
        &mut self,
        now: Instant,
        account: Option<AccountId>,
        target: Uri,
        local: Option<IpAddr>,
    ) -> Outcome {
        self.may_begin()?;
        let call = self.core.next_call();
        let media = self.open(call, local)?;
        let outcome = self.hold_talking(now, &[]).and_then(|held| {
            let dialled = self.core.command(now, ua::Command::Dial { account, target: target.clone(), media });
            match dialled {
                Ok(CoreReply::Call(call)) => Ok(call),
                Ok(CoreReply::Done) => Err(refused("the call did not begin")),
                Err(error) => {
                    self.take_back(now, held);
                    Err(error.into())
                }
            }
        });
        match outcome {
            Ok(call) => {
                self.desk.dialled(call, account, ua::identity::uri_text(&target));
                Ok(Reply::Call(call))
            }
            Err(refused) => {
                self.sound.order(Order::Close { call });
                Err(refused)
            }
        }
    }

    /// What would be refused is refused before anything is touched.
    fn may_begin(&self) -> Result<(), Refused> {
        if self.quitting.is_some() {
            return Err(CommandError::ShuttingDown.into());
        }
        let up = self.desk.lines.len();
        if up >= self.core_config.max_calls { Err(CommandError::TooManyCalls(up).into()) } else { Ok(()) }
    }

    fn open(&mut self, call: CallNo, local: Option<IpAddr>) -> Result<MediaPorts, Refused> {
        let address = local.unwrap_or(self.listen);
        self.take_prepared(Instant::now(), call)
            .unwrap_or_else(|| self.sound.open(call, address))
            .map_err(|error| refused(format!("can't open ports for the sound at {address}: {error}")))
    }

    pub(super) fn answer(&mut self, now: Instant, call: CallNo) -> Outcome {
        let Some(line) = self.desk.lines.get(call) else { return Err(NoLine::NoSuchCall(call).into()) };
        if !line.waits() {
            return Err(refused(format!("call {call} does not ring here: there is nothing to answer")));
        }
        let (offered, local) = (line.offered, line.arrived_at);
        let media = offered.map_or_else(|| self.open(call, local), Ok)?;
        let outcome = self.hold_talking(now, &[call]).and_then(|held| {
            let answered = self.core.command(now, ua::Command::Answer { call, media });
            if answered.is_err() {
                self.take_back(now, held);
            }
            Ok(answered?)
        });
        match outcome {
            Ok(CoreReply::Done | CoreReply::Call(_)) => {
                self.desk.answered(call, false);
                Ok(Reply::Done)
            }
            Err(refused) => {
                if offered.is_none() {
                    self.sound.order(Order::Close { call });
                }
                Err(refused)
            }
        }
    }

    /// Opens the sound of a call that rings, for the offer in our 180.
    pub(super) fn offer_early(&mut self, now: Instant, call: CallNo) {
        let Some(line) = self.desk.lines.get(call).filter(|line| line.waits()) else { return };
        let local = line.arrived_at;
        // Without ports it rings unheard, and can still be answered when there are some.
        let Ok(media) = self.open(call, local) else { return };
        match self.core.command(now, ua::Command::OfferEarly { call, media }) {
            Ok(CoreReply::Done | CoreReply::Call(_)) => self.desk.offered(call, media),
            Err(error) => {
                tracing::debug!(%call, %error, "no offer while it rings");
                self.sound.order(Order::Close { call });
            }
        }
    }

    /// Auto-answer: holds nothing.
    pub(super) fn answer_by_itself(&mut self, now: Instant, call: CallNo) {
        let Some(line) = self.desk.lines.get(call).filter(|line| line.waits()) else { return };
        let (offered, local) = (line.offered, line.arrived_at);
        if self.answers_by_itself_later(call) {
            return;
        }
        match offered.map_or_else(|| self.open(call, local), Ok) {
            Ok(media) => match self.core.command(now, ua::Command::Answer { call, media }) {
                Ok(CoreReply::Done | CoreReply::Call(_)) => self.desk.answered(call, true),
                Err(error) => {
                    self.sound.order(Order::Close { call });
                    self.complain(call, &error.to_string());
                }
            },
            Err(refused) => {
                self.complain(call, &refused.message);
                if let Err(error) = self.core.command(now, ua::Command::Reject { call, code: NO_PORTS }) {
                    tracing::debug!(%call, %error, "not rejected");
                }
            }
        }
    }

    fn hang_up(&mut self, now: Instant, call: CallNo) -> Outcome {
        let outcome = self.tell_core(now, ua::Command::Hangup { call })?;
        self.info.forget(call);
        self.desk.hanging_up(call);
        Ok(outcome)
    }

    fn decide_redirect(&mut self, now: Instant, command: ua::Command, call: CallNo) -> Outcome {
        let outcome = self.tell_core(now, command)?;
        if let Some(line) = self.desk.lines.get_mut(call) {
            line.redirect_request = None;
        }
        Ok(outcome)
    }

    // Transfers that the other side asks for

    /// Calls where the other side sends us.
    fn follow(&mut self, now: Instant, call: CallNo) -> Result<CallNo, Refused> {
        let line = self.desk.lines.get(call);
        let (account, local, target) = match (self.desk.request(call), line) {
            (Some(request), Some(line)) => (request.account, line.arrived_at.or(request.local), request.to.clone()),
            (Some(request), None) => (request.account, request.local, request.to.clone()),
            // The core says why not.
            (None, Some(line)) => (line.account, line.arrived_at, String::new()),
            (None, None) => return Err(NoLine::NoSuchCall(call).into()),
        };
        let new = self.core.next_call();
        let media = self.open(new, local)?;
        match self.core.command(now, ua::Command::AcceptTransfer { call, media }) {
            Ok(CoreReply::Call(new)) => {
                self.desk.dialled(new, account, target);
                self.desk.forget_request(call);
                if let Some(line) = self.desk.lines.get_mut(call) {
                    line.followed = true;
                }
                Ok(new)
            }
            Ok(CoreReply::Done) => {
                self.sound.order(Order::Close { call: new });
                Err(refused("the new call did not begin"))
            }
            Err(error) => {
                self.sound.order(Order::Close { call: new });
                Err(error.into())
            }
        }
    }

    /// The policy is to follow.
    pub(super) fn follow_by_itself(&mut self, now: Instant, call: CallNo) {
        if let Err(refused) = self.follow(now, call) {
            self.complain(call, &refused.message);
            if let Err(error) = self.core.command(now, ua::Command::RefuseTransfer { call }) {
                tracing::debug!(%call, %error, "the transfer is not refused");
            }
        }
    }

    // Digits
}

/// Asks for a host's address, unless another call asks for the same.
fn ask(resolver: &mut Resolver, waiting: &[WaitingCall], hop: &Resolve) -> bool {
    waiting.iter().any(|call| call.hop == *hop) || resolver.ask(hop.clone())
}
