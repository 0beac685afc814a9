//! Accounts and calls, as the phone's events tell.

use std::time::{Duration, SystemTime};

use crate::phone::Command;
use crate::phone::event::{CallRef, DeviceState, Direction, Event, Kind};
use crate::phone::snapshot::{AccountState, CallStage, Registration, Snapshot};
use crate::services::forwarding::Forward;
use crate::ua::CallNo;
use crate::ua::event::EndedBy;

use super::call::{Call, Past};
use super::layout::clean;
use super::requests::Asks;
use super::{App, Effect, RECENT, names, text};

/// Digits of a call that are remembered.
const DIGITS: usize = 24;

/// Figures of a call that are remembered: a quarter of an hour's.
const PAST_STATS: usize = 180;

/// An account in the header.
#[derive(Debug, Clone, PartialEq)]
pub struct Account {
    /// Its name.
    pub name: String,
    /// Its address.
    pub uri: String,
    /// How its registration stands.
    pub registration: Registration,
    /// Why it failed.
    pub reason: Option<String>,
    /// When it is tried again.
    pub retry_at: Option<SystemTime>,
    /// New and old voice messages.
    pub messages: Option<(u32, u32)>,
    /// What to call to hear them.
    pub mailbox: Option<String>,
}

impl App {
    /// Their name, else their URI as short as it can be said: the host is left out where it is an account's.
    pub fn who(&self, call: &Call) -> String {
        call.name.clone().unwrap_or_else(|| self.short(&call.peer))
    }

    /// A URI as short as it can be said.
    pub fn short(&self, uri: &str) -> String {
        let bare = uri.strip_prefix("sip:").unwrap_or(uri);
        let without_parameters = |uri: &'_ str| uri.split([';', '?']).next().unwrap_or_default().to_owned();
        let host = |uri: &str| uri.split_once('@').map(|(_, host)| without_parameters(host));
        match bare.split_once('@') {
            Some((user, _))
                if !bare.starts_with("sips:")
                    && self.accounts.iter().any(|account| host(&account.uri) == host(bare)) =>
            {
                user.to_owned()
            }
            _ => bare.to_owned(),
        }
    }

    /// The call of a number.
    pub fn call(&self, no: CallNo) -> Option<&Call> {
        self.calls.iter().find(|call| call.no == no)
    }

    fn call_mut(&mut self, no: CallNo) -> Option<&mut Call> {
        self.calls.iter_mut().find(|call| call.no == no)
    }

    /// The call in front: the selected one.
    pub fn shown_call(&self) -> Option<&Call> {
        self.selected.and_then(|no| self.call(no))
    }

    /// The incoming call that answer and reject mean: the selected one, else the one that has rung longest.
    pub fn ringing_call(&self) -> Option<&Call> {
        let selected = self.shown_call().filter(|call| call.rings_here());
        selected.or_else(|| self.calls.iter().find(|call| call.rings_here()))
    }

    /// The incoming call that has a pop-up.
    pub fn pop_up_call(&self) -> Option<&Call> {
        self.calls.iter().find(|call| call.rings_here() && !call.later)
    }

    /// The two calls that the person can join, and leave: the held one's other side is to call the active one's.
    pub fn calls_to_join(&self) -> Option<(CallNo, CallNo)> {
        let active = self.shown_call().filter(|call| call.stage == CallStage::Established && !call.held)?;
        let mut held = self.calls.iter().filter(|call| call.stage == CallStage::Established && call.held);
        held.next().filter(|_| held.next().is_none()).map(|held| (held.no, active.no))
    }

    /// The person looks at this pop-up later.
    pub(super) fn put_off(&mut self) {
        if let Some(no) = self.pop_up_call().map(|call| call.no) {
            if let Some(call) = self.call_mut(no) {
                call.later = true;
            }
            self.selected = Some(no);
        } else if let Some(request) = self.requests.iter_mut().find(|request| !request.later) {
            request.later = true;
        }
    }

    /// Takes the phone's state for the truth.
    pub(super) fn take_snapshot(&mut self, snapshot: Snapshot) {
        self.accounts = snapshot.accounts.into_iter().map(account_from).collect();
        self.muted = snapshot.muted;
        self.warnings = snapshot.warnings;
        self.devices = snapshot.devices;
        self.forwarding = snapshot.forwarding;
        self.dnd = snapshot.dnd;
        self.missed = snapshot.missed;
        self.book.set_lamps(snapshot.watched);
        let before = std::mem::take(&mut self.calls);
        for state in snapshot.calls {
            let redirect = state.redirect_request.as_ref().map(|to| (Asks::Redirect, to));
            match state.transfer_request.as_ref().map(|to| (Asks::Transfer, to)).or(redirect) {
                Some((asks, to)) => {
                    let by = self.request_of(state.call.call).and_then(|known| known.by.clone());
                    self.asked(&state.call, asks, to, by.as_deref());
                }
                None => self.settled(state.call.call),
            }
            let known = before.iter().find(|call| call.no == state.call.call);
            self.calls.push(Call::of_snapshot(state, known, self.now));
        }
        self.calls.sort_by_key(|call| call.no);
        self.reselect();
    }

    /// The call that the selected one is recorded by: itself, or one of the conference that it is in.
    pub fn recorded(&self) -> Option<CallNo> {
        let shown = self.shown_call()?;
        let is_with = |call: &&Call| call.no == shown.no || shown.conference && call.conference;
        self.calls.iter().filter(is_with).find(|call| call.recording).map(|call| call.no)
    }

    /// Moves the selection to a call that exists: the active one first.
    fn reselect(&mut self) {
        if self.shown_call().is_some() {
            return;
        }
        let active = self.calls.iter().find(|call| call.is_active()).or(self.calls.first());
        self.selected = active.map(|call| call.no);
    }

    pub(super) fn on_event(&mut self, mut event: Event) -> Vec<Effect> {
        names::shorten(&mut event.kind);
        if let Some((level, line)) = text::event(self, &event.kind) {
            self.log.push(event.time, level, clean(&line));
            self.clamp_scrolling();
        }
        self.trace.note(&event);
        let mut effects = Vec::new();
        let time = event.time;
        match event.kind {
            Kind::Registering { account } => self.account(&account).registration = Registration::Registering,
            Kind::Registered { account, .. } => self.registration(&account, Registration::Registered),
            Kind::Bindings { .. } => {}
            Kind::RegistrationFailed { account, code, reason, retry_in } => {
                self.registration(&account, Registration::Failed);
                let account = self.account(&account);
                account.reason = Some(clean(&format!("{code} {reason}")));
                account.retry_at = retry_in.and_then(|seconds| time.checked_add(Duration::from_secs(seconds)));
            }
            Kind::Unregistered { account } => self.registration(&account, Registration::Off),
            Kind::Incoming { call, from, name, called, diverted_from, forwarded, referred_by } => {
                effects.push(Effect::Bell);
                let who = name.clone().unwrap_or_else(|| self.short(&from));
                effects.push(Effect::Notify(clean(&text::title_calls(&who))));
                let is_first = self.calls.is_empty();
                let new = self.upsert(&call, true, CallStage::Ringing, time);
                new.peer = clean(&from);
                new.name = name.as_deref().map(clean);
                new.called = Some(clean(&called));
                let forwarded = (!forwarded.is_empty()).then(|| forwarded.join(", "));
                new.diverted_from = forwarded.or(diverted_from).as_deref().map(clean);
                new.referred_by = referred_by.as_deref().map(clean);
                if is_first {
                    self.selected = Some(call.call);
                }
            }
            Kind::Calling { call } => {
                self.upsert(&call, false, CallStage::Calling, time);
                self.selected = Some(call.call);
            }
            // Early sound goes on when a further provisional response comes without any.
            Kind::Ringing { call, .. } => {
                self.change(&call, |call| {
                    if call.stage == CallStage::Calling {
                        call.stage = CallStage::Ringing;
                    }
                });
            }
            Kind::EarlyMedia { call } => self.change(&call, |call| {
                if matches!(call.stage, CallStage::Calling | CallStage::Ringing) {
                    call.stage = CallStage::Early;
                }
            }),
            Kind::Established { call, codec, security, .. } => {
                self.change(&call, |call| {
                    call.stage = CallStage::Established;
                    call.answered.get_or_insert(time);
                    call.codec = Some(clean(&codec));
                    call.security = security;
                });
                self.select(call.call);
            }
            Kind::Security { call, security } => self.change(&call, |call| call.security = security),
            Kind::PeerChanged { call, from, name } => self.change(&call, |call| {
                call.peer = clean(&from);
                call.name = name.as_deref().map(clean);
            }),
            Kind::Held { call } => self.change(&call, |call| call.held = true),
            Kind::Resumed { call } => {
                self.change(&call, |call| call.held = false);
                self.select(call.call);
            }
            Kind::RemoteHeld { call } => self.change(&call, |call| call.remote_held = true),
            Kind::RemoteResumed { call } => self.change(&call, |call| call.remote_held = false),
            Kind::Conference { call, calls } => self.change(&call, |call| {
                call.conference = !calls.is_empty();
                call.muted &= call.conference;
            }),
            Kind::MemberMuted { call, muted } => self.change(&call, |call| call.muted = muted),
            Kind::Recording { call, file } => self.change(&call, |call| call.recording = file.is_some()),
            Kind::Muted => (self.muted, self.talking) = (true, false),
            Kind::Unmuted => self.muted = false,
            Kind::Transfer { call, stage, code } => self.change(&call, |call| call.transfer = Some((stage, code))),
            Kind::TransferRequest { call, to, by } => {
                effects.push(Effect::Bell);
                self.asked(&call, Asks::Transfer, &to, by.as_deref());
            }
            Kind::RedirectRequest { call, to, .. } => {
                effects.push(Effect::Bell);
                self.asked(&call, Asks::Redirect, &to, None);
            }
            Kind::TransferExpired { call } => self.settled(call.call),
            Kind::Replaced { call, by } => {
                if self.selected == Some(call.call) {
                    self.select(by);
                }
            }
            Kind::Dtmf { call, digit, direction } => self.change(&call, |call| {
                let digits = match direction {
                    Direction::Sent => &mut call.digits_sent,
                    Direction::Received => &mut call.digits_received,
                };
                digits.push(if digit.is_control() { '?' } else { digit });
                let extra = digits.chars().count().saturating_sub(DIGITS);
                *digits = digits.chars().skip(extra).collect();
            }),
            Kind::Stats { call, stats, .. } => self.change(&call, |call| {
                call.stats = Some(stats);
                call.past_stats.push_back(stats);
                if call.past_stats.len() > PAST_STATS {
                    call.past_stats.pop_front();
                }
            }),
            Kind::MediaLost { call, seconds } => self.change(&call, |call| call.media_lost = Some(seconds)),
            Kind::Ice { .. } => {}
            Kind::MediaBack { call } => self.change(&call, |call| call.media_lost = None),
            Kind::Ended { call, by, code, reason, duration_s, .. } => {
                let was_transferred = self.call(call.call).is_some_and(Call::was_transferred);
                let outcome = match was_transferred {
                    true => text::TRANSFERRED.to_owned(),
                    false => clean(&text::outcome(by, code, &reason, duration_s > 0.0)),
                };
                // A transfer that was asked for outlives the call, when the other side hangs up; nothing else does.
                let asked = self.request_of(call.call).map(|request| request.asks);
                if by != EndedBy::Remote || asked == Some(Asks::Redirect) {
                    self.settled(call.call);
                }
                self.end(call.call, time, outcome, duration_s);
                effects.push(Effect::Command(Command::People));
            }
            Kind::MessageWaiting { account, new, old, mailbox, .. } => {
                let account = match account {
                    Some(name) => Some(self.account(&name)),
                    None => self.accounts.first_mut(),
                };
                if let Some(account) = account {
                    account.messages = Some((new, old));
                    account.mailbox = mailbox.as_deref().map(clean).or(account.mailbox.take());
                }
            }
            Kind::Forwarding { account, when, to, seconds } => {
                self.forwarding.retain(|other| (&other.account, other.when) != (&account, when));
                self.forwarding.extend(to.map(|to| Forward { account, when, to: clean(&to), seconds }));
            }
            Kind::Dnd { account, on } => {
                self.dnd.retain(|other| *other != account);
                self.dnd.extend(on.then_some(account));
            }
            Kind::Missed { count } => {
                self.missed = count;
                if count > 0 {
                    effects.push(Effect::Notify(text::missed(count)));
                }
            }
            Kind::Screened { .. } | Kind::Diverted { .. } => effects.push(Effect::Command(Command::People)),
            Kind::Lamp(lamp) => self.book.set_lamp(lamp),
            Kind::History { .. }
            | Kind::Redial { .. }
            | Kind::NetworkChanged { .. }
            | Kind::Moved { .. }
            | Kind::Echo { .. }
            | Kind::Audio(_)
            | Kind::Playing { .. }
            | Kind::SubscriptionFailed { .. }
            | Kind::Message { .. }
            | Kind::MessageSent { .. }
            | Kind::MessageFailed { .. }
            | Kind::Ok { .. }
            | Kind::Error { .. } => {}
            Kind::AudioWarning { warning, active, .. } => {
                self.warnings.retain(|known| *known != warning);
                self.warnings.extend(active.then_some(warning));
            }
            Kind::Device { role, name, state: DeviceState::Open, .. } => self.note_device(role, &clean(&name)),
            Kind::Device { .. } => {}
            Kind::State(snapshot) => self.take_snapshot(*snapshot),
        }
        effects
    }

    /// The account of a name; it begins to exist when it did not.
    fn account(&mut self, name: &str) -> &mut Account {
        let name = clean(name);
        let place = match self.accounts.iter().position(|account| account.name == name) {
            Some(place) => place,
            None => {
                let uri = String::new();
                let registration = Registration::Off;
                self.accounts.push(Account {
                    name,
                    uri,
                    registration,
                    reason: None,
                    retry_at: None,
                    messages: None,
                    mailbox: None,
                });
                self.accounts.len() - 1
            }
        };
        &mut self.accounts[place]
    }

    fn registration(&mut self, name: &str, registration: Registration) {
        let account = self.account(name);
        account.registration = registration;
        account.reason = None;
        account.retry_at = None;
    }

    /// The call of a reference; it begins to exist when it did not.
    fn upsert(&mut self, reference: &CallRef, incoming: bool, stage: CallStage, time: SystemTime) -> &mut Call {
        let place = match self.calls.binary_search_by_key(&reference.call, |call| call.no) {
            Ok(place) => place,
            Err(place) => {
                self.calls.insert(place, Call::new(reference, incoming, stage, time));
                place
            }
        };
        &mut self.calls[place]
    }

    /// Changes a call that exists. An event of an unknown call is older than the snapshot that no longer has it.
    fn change(&mut self, reference: &CallRef, change: impl FnOnce(&mut Call)) {
        if let Some(call) = self.call_mut(reference.call) {
            change(call);
        }
    }

    fn select(&mut self, no: CallNo) {
        if self.call(no).is_some() {
            self.selected = Some(no);
        }
    }

    fn end(&mut self, no: CallNo, time: SystemTime, outcome: String, duration_s: f64) {
        let Some(place) = self.calls.iter().position(|call| call.no == no) else { return };
        let call = self.calls.remove(place);
        let talked = (duration_s > 0.0).then(|| Duration::try_from_secs_f64(duration_s).unwrap_or_default());
        let who = self.who(&call);
        let Call { no, peer, began, incoming, .. } = call;
        self.recent.push_front(Past { no, peer, began, ended: time, incoming, who, outcome, talked });
        self.recent.truncate(RECENT);
        if self.selected == Some(no) {
            self.reselect();
            self.selection_moved = Some(self.now);
        }
        if self.calls.is_empty() {
            self.levels = super::SILENCE;
        }
    }
}

fn account_from(state: AccountState) -> Account {
    Account {
        name: clean(&state.name),
        uri: clean(&state.uri),
        registration: state.registration,
        reason: state.reason.as_deref().map(clean),
        retry_at: None,
        messages: state.messages,
        mailbox: state.mailbox.as_deref().map(clean),
    }
}
