//! The core: a SIP user agent without I/O.
//!
//! Bytes, commands and the time go in; messages to send, events, names to resolve and the next deadline come out. One
//! mutation, then drain all `poll_*` to empty:
//!
//! ```text
//! handle_datagram | handle_timeout | handle_resolved | handle_transport_error | handle_network_change | command
//!     -> poll_transmit*, poll_resolve*, poll_event*, then sleep until poll_timeout
//! ```
//!
//! The parts: [`call`] (one call's life), [`registration`], `accounts` (which way it goes), `repair` (another network),
//! [`subscription`] (event packages), [`message`] (texts), [`auth`] (credentials), [`dialog`], [`request`] (what every
//! request must stand), and `core`, which they share.

mod accounts;
pub mod auth;
pub mod call;
mod calls;
mod capabilities;
mod cause;
pub mod command;
pub mod config;
mod core;
pub mod dialog;
mod doorbell;
pub mod event;
pub mod identity;
mod keying;
mod merged;
pub mod message;
mod outside;
mod refer;
mod referral;
pub mod registration;
mod repair;
mod replaces;
mod replacing;
pub mod request;
pub mod subscription;
pub mod timer;
mod ways;

use std::collections::{BTreeMap, VecDeque};
use std::time::{Duration, Instant};

use bytes::Bytes;

use crate::sip::salvage::{self, Salvaged};
use crate::sip::transport::{Flow, Transmit, Transport};
use crate::sip::{
    CSeq, FramingError, HeaderName, Limits, Message, Method, ParseError, Request, Response, Scheme, TransactionKey,
    Uri, is_answerable, parse_datagram, via,
};
use crate::transaction::{self, ClientId, Failure};

use call::{Call, Dial, Plan, TransferTo};
use calls::Calls;
use command::{MediaPorts, Reply};
use doorbell::Doorbell;
use referral::{OpenReferral, Referral};
use registration::{NoAnswer, Registration};

pub use self::core::Screen;
pub use self::ways::{Resolve, Unreachable};
pub use command::{Command, CommandError};
pub use config::Config;
pub use event::Event;
pub use outside::Counters;
pub use repair::NetworkChange;
pub use timer::Timer;

use self::core::{Core, Owner, Purpose, Waiting};
use self::merged::Merged;

/// A call's number: from 1, never reused. A person writes it `#1`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
#[serde(transparent)]
pub struct CallNo(pub u32);

impl std::fmt::Display for CallNo {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "#{}", self.0)
    }
}

/// An account's place in [`Config::accounts`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct AccountId(pub usize);

/// A subscription's number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SubscriptionId(u32);

/// What one call's news mean for another.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FollowUp {
    /// The call that `referrer` asked for goes like this: a NOTIFY tells its peer.
    Notify {
        /// The call in which the transfer was asked.
        referrer: CallNo,
        /// The target's status code.
        code: u16,
        /// Its reason phrase.
        reason: String,
    },
}

/// A SIP user agent: see the module's page.
pub struct UserAgent {
    core: Core,
    calls: Calls,
    plans: BTreeMap<CallNo, Plan>,
    /// Requests to call someone that belong to no call.
    referrals: BTreeMap<CallNo, OpenReferral>,
    /// The dialogs of the last calls that are over, the newest first.
    ended_dialogs: VecDeque<(Instant, replaces::DialogId)>,
    registrations: Vec<Registration>,
    subscriptions: subscription::Subscriptions,
    messages: message::Messages,
    /// Calls that came in and are over: a copy of their INVITE may still come by another way.
    merged: Merged,
    counters: Counters,
    doorbell: Doorbell,
    quiet_told: bool,
}

impl UserAgent {
    /// Other policies for calls to come; what a call agreed on stays. Accounts stay as they are: they are at work.
    pub fn set_policy(&mut self, config: Config) {
        let accounts = std::mem::take(&mut self.core.config.accounts);
        self.core.config = Config { accounts, ..config };
    }

    /// A user agent that does nothing yet: accounts register on [`Command::Register`]. `seed`: 32 bytes that nobody can
    /// guess, for tags, branches and cnonces come from it.
    pub fn new(now: Instant, config: Config, seed: [u8; 32]) -> UserAgent {
        let _ = now;
        let mut core = Core::new(config, seed);
        let accounts = core.config.accounts.clone();
        let registrations = accounts
            .iter()
            .enumerate()
            .map(|(place, account)| Registration::new(AccountId(place), account, core.rng()))
            .collect();
        UserAgent {
            core,
            calls: Calls::default(),
            plans: BTreeMap::new(),
            referrals: BTreeMap::new(),
            ended_dialogs: VecDeque::new(),
            registrations,
            subscriptions: subscription::Subscriptions::default(),
            messages: message::Messages::default(),
            merged: Merged::default(),
            counters: Counters::default(),
            doorbell: Doorbell::default(),
            quiet_told: false,
        }
    }

    /// From now on an incoming call is told ([`Event::Incoming`]) before its caller hears of anything: whoever drives the
    /// core says what becomes of it ([`Command::Alert`], [`Command::Reject`], [`Command::Redirect`]).
    pub fn ask_before_ringing(&mut self) {
        self.core.asks_before_ringing = true;
    }

    /// From now on no INVITE leaves for an address that `screen` names a rule for: neither dialled, nor as a transfer or
    /// redirection that is followed.
    pub fn screen_outgoing(&mut self, screen: Screen) {
        self.core.forbids = Some(screen);
    }

    // ---- what happens ----

    /// A datagram came. What is no SIP message is dropped and counted.
    pub fn handle_datagram(&mut self, now: Instant, flow: Flow, bytes: &[u8]) {
        // Such is what others keep their way through a translator open with.
        if bytes.len() <= 4 && bytes.iter().all(|byte| matches!(byte, b'\r' | b'\n' | 0)) {
            return;
        }
        match read(bytes) {
            Ok(_) if has_nul(bytes) => self.refuse_unread(flow, bytes, "NUL In Header Field"),
            Ok(Message::Request(request)) if !is_answerable(&request) => {
                self.refuse_unread(flow, bytes, "Missing Header Field");
            }
            Ok(Message::Request(request)) if !names_a_transaction(&request) => {
                self.refuse_unread(flow, bytes, "Bad Via");
            }
            // RFC 4475 section 3.2.1: the cookie alone; all such requests would be one transaction.
            Ok(Message::Request(request)) if via::has_empty_branch(&request) => {
                self.refuse_unread(flow, bytes, "Bad Branch");
            }
            Ok(Message::Response(response)) if !is_for_a_user_agent(&response) => {
                self.counters.malformed += 1;
                tracing::debug!(from = %flow.remote, "a response that no user agent may take is dropped");
            }
            Ok(message) => self.core.tx.handle_message(now, flow, message),
            Err(error) => self.refuse_unread(flow, bytes, salvage::reason(&error)),
        }
        self.settle(now);
    }

    /// A datagram that can't be read. If it is a request that can be answered at all it gets 400, without a transaction:
    /// the next that comes from there will be no better (RFC 4475 section 3.2.1).
    fn refuse_unread(&mut self, flow: Flow, bytes: &[u8], reason: &str) {
        self.counters.malformed += 1;
        tracing::debug!(from = %flow.remote, reason, "a datagram can't be read");
        if let Some(salvaged) = Salvaged::read(bytes) {
            self.core.answer_statelessly(flow, salvaged, (400, reason), &[]);
        }
    }

    /// The deadline has come that [`UserAgent::poll_timeout`] named.
    pub fn handle_timeout(&mut self, now: Instant) {
        self.core.tx.handle_timeout(now);
        self.settle(now);
        while let Some(timer) = self.core.timers.pop(now) {
            match timer {
                Timer::Transaction(_) => {}
                Timer::Registration(account) => self.registration_due(account, now),
                Timer::KeepAlive(account) => self.keep_alive(account, now),
                Timer::Subscription(id) => self.subscription_due(now, id),
                Timer::Ring(call)
                | Timer::AutoAnswer(call)
                | Timer::Reliable(call)
                | Timer::Resend2xx(call)
                | Timer::AckMissing(call)
                | Timer::Glare(call)
                | Timer::Session(call)
                | Timer::TransferSilent(call)
                | Timer::ReplacedLate(call)
                | Timer::RedirectUnanswered(call) => {
                    if let Some(call) = self.calls.get_mut(&call) {
                        call.handle_timer(&mut self.core, now, timer);
                    }
                }
                Timer::TransferUnanswered(no) => match self.calls.get_mut(&no) {
                    Some(call) if call.transfer_asked().is_some() => call.handle_timer(&mut self.core, now, timer),
                    Some(_) | None => self.referral_expired(now, no),
                },
            }
            self.settle(now);
        }
    }

    /// The ways to a host, in order of preference; none: it can't be found.
    pub fn handle_resolved(&mut self, now: Instant, query: &Resolve, flows: Vec<Flow>) {
        let (found, waiting) = self.core.resolved(now, query, flows);
        for waiting in waiting {
            match waiting {
                Waiting::Dial(no) => {
                    let Some(call) = self.calls.get_mut(&no) else { continue };
                    match self.plans.get(&no) {
                        // The account may have another proxy.
                        Some(plan) if found || self.core.has_alternative(now, call.account, query) => {
                            call.start(&mut self.core, now, plan);
                        }
                        Some(_) | None => call.unresolved(&mut self.core, now, &query.host),
                    }
                }
                Waiting::Register(_) if self.core.shutting_down => {}
                Waiting::Register(account) if found || self.core.has_alternative(now, Some(account), query) => {
                    self.register(account, now);
                }
                Waiting::Register(account) => {
                    self.no_way(account, now, format!("no address was found for {}", identity::printable(&query.host)));
                }
                Waiting::Repair(no) => {
                    if let Some(call) = self.calls.get_mut(&no) {
                        call.way_found(&mut self.core, now);
                    }
                }
                Waiting::Subscribe(id) => self.subscription_resolved(now, id, found, &query.host),
                Waiting::Request(owner, request) if found => self.core.send(now, owner, request),
                Waiting::Request(owner, _) => self.core.failures.push_back((owner, Failure::Transport)),
                Waiting::Ack(ack) if found => self.core.send_ack(now, ack),
                Waiting::Ack(_) => {}
            }
        }
        self.settle(now);
    }

    /// The network refused what went by this way (an ICMP error).
    pub fn handle_transport_error(&mut self, now: Instant, flow: Flow) {
        self.flow_failed(now, flow);
        self.core.tx.handle_transport_error(now, flow);
        self.settle(now);
    }

    /// A connection could not be made, or has ended, for a reason that a person understands.
    pub fn handle_connection_failure(&mut self, now: Instant, flow: Flow, reason: &str) {
        let lost = self.accounts_on(now, &flow);
        if self.core.tx.handle_transport_error(now, flow) {
            self.core.note_failure(&flow, reason);
        }
        self.settle(now);
        for account in lost {
            let pause = Duration::from_millis(u64::from(self.core.below(1_000)));
            self.with_registration(account, |registration| registration.flow_lost(now, pause));
        }
        self.settle(now);
    }

    /// Where a call of an account's to `target` goes first; `None`: nowhere that this build can reach.
    pub fn first_hop(&self, now: Instant, account: Option<AccountId>, target: &Uri) -> Option<Resolve> {
        let hop = Resolve::of(self.core.routes(now, account).first().unwrap_or(target)).ok()?;
        ways::secured(hop, target).ok()
    }

    /// The way that is taken of several to one host: the first that has not failed a moment ago.
    pub fn prefer(&self, now: Instant, flows: &[Flow]) -> Option<Flow> {
        self.core.ways.prefer(now, flows)
    }

    // ---- what the person asks ----

    /// A command. A refused one changes nothing.
    ///
    /// # Errors
    /// [`CommandError`] says why, for a person.
    pub fn command(&mut self, now: Instant, command: Command) -> Result<Reply, CommandError> {
        let reply = self.obey(now, command);
        self.settle(now);
        reply
    }

    fn obey(&mut self, now: Instant, command: Command) -> Result<Reply, CommandError> {
        match command {
            Command::Dial { account, target, media } => {
                return self.dial(now, account, target, media, None).map(Reply::Call);
            }
            Command::Answer { call, media } => {
                self.with_call(call, |call, core| call.answer(core, now, media))?;
                self.take_place(now, call);
            }
            Command::OfferEarly { call, media } => {
                self.with_call(call, |call, core| call.offer_early(core, now, media))?;
            }
            Command::Reject { call, code } => self.with_call(call, |call, core| call.reject(core, now, code))?,
            Command::Alert { call } => {
                let others = self.calls.len().saturating_sub(1);
                self.with_call(call, |call, core| call.alert(core, now, others))?;
            }
            Command::Redirect { call, targets, reason } => {
                let targets = targets.into_iter().map(callable).collect::<Result<Vec<_>, _>>()?;
                self.with_call(call, |call, core| call.redirect(core, now, &targets, reason))?;
            }
            Command::Hangup { call } => self.with_call(call, |call, core| {
                call.hang_up(core, now);
                Ok(())
            })?,
            Command::Hold { call } => self.with_call(call, |call, core| call.hold(core, now))?,
            Command::Resume { call } => self.with_call(call, |call, core| call.resume(core, now))?,
            Command::Transfer { call, target } => {
                let target = callable(target)?;
                self.with_call(call, |call, core| call.transfer(core, now, TransferTo::blind(&target)))?;
            }
            Command::AcceptTransfer { call, media } => return self.follow(now, call, media).map(Reply::Call),
            Command::RefuseTransfer { call } => self.refuse_transfer(now, call)?,
            Command::TransferWith { call, with } => self.transfer_with(now, call, with)?,
            Command::AcceptRedirect { call } => self.with_call(call, |call, core| call.accept_redirect(core, now))?,
            Command::RefuseRedirect { call } => self.with_call(call, |call, core| call.refuse_redirect(core, now))?,
            Command::Move { call, media } => self.with_call(call, |call, core| call.move_to(core, now, media))?,
            Command::WayFound { call, path } => self.with_call(call, |call, core| {
                call.ice_found(core, now, path);
                Ok(())
            })?,
            Command::WayLost { call } => self.with_call(call, |call, core| {
                call.ice_lost(core, now);
                Ok(())
            })?,
            Command::GiveUp { call, reason } => self.with_call(call, |call, core| {
                call.give_up(core, now, reason);
                Ok(())
            })?,
            Command::InfoDigit { call, digit, duration_ms } => {
                self.with_call(call, |call, core| call.info_digit(core, now, digit, duration_ms))?;
            }
            Command::Register { account } => {
                self.known(account)?;
                self.with_registration(account, Registration::want);
                self.register(account, now);
            }
            Command::Unregister { account } => {
                self.known(account)?;
                self.unsubscribe_account(now, account);
                self.unregister(account);
            }
            Command::Query { account } => {
                self.known(account)?;
                self.with_registration(account, Registration::query);
            }
            Command::AddContact { account, contact } => {
                self.known(account)?;
                self.with_registration(account, |registration| registration.add_contact(&contact));
            }
            Command::ClearContacts { account } => {
                self.known(account)?;
                self.with_registration(account, Registration::clear);
            }
            Command::Subscribe { account } => {
                self.known(account)?;
                self.subscribe_account(now, account);
            }
            Command::Message { account, target, text } => self.send_message(now, account, target, text)?,
            Command::Shutdown => self.shut_down(now),
        }
        Ok(Reply::Done)
    }

    fn shut_down(&mut self, now: Instant) {
        self.core.shutting_down = true;
        for no in std::mem::take(&mut self.referrals).into_keys() {
            self.core.timers.cancel(&Timer::TransferUnanswered(no));
        }
        for call in self.calls.values_mut() {
            call.hang_up(&mut self.core, now);
        }
        for place in 0..self.registrations.len() {
            self.unsubscribe_account(now, AccountId(place));
        }
        // An account that never registered has nothing to take back, and nothing to say.
        for place in 0..self.registrations.len() {
            self.core.forget_registering(AccountId(place));
        }
        for registration in &mut self.registrations {
            match registration.contact() {
                Some(_) => registration.unregister(),
                None => registration.give_up(),
            }
        }
    }

    // ---- what goes out ----

    /// The next message to put on the wire.
    pub fn poll_transmit(&mut self) -> Option<Transmit> {
        self.core.tx.poll_transmit()
    }

    /// The next host whose ways are to be found, for [`UserAgent::handle_resolved`].
    pub fn poll_resolve(&mut self) -> Option<Resolve> {
        self.core.poll_resolve()
    }

    /// What the person should know.
    pub fn poll_event(&mut self) -> Option<Event> {
        self.core.events.pop_front()
    }

    /// When [`UserAgent::handle_timeout`] is due, and why.
    pub fn poll_timeout(&self) -> Option<(Instant, Timer)> {
        let transaction = self.core.tx.poll_timeout().map(|(at, timer)| (at, Timer::Transaction(timer)));
        let own = self.core.timers.peek().map(|(at, timer)| (at, *timer));
        [transaction, own].into_iter().flatten().min_by_key(|(at, _)| *at)
    }

    // ---- what it is like ----

    /// What was dropped or refused.
    pub fn counters(&self) -> Counters {
        self.counters
    }

    /// The number that the next call gets, for its ports open before it begins.
    pub fn next_call(&self) -> CallNo {
        CallNo(self.core.next_call + 1)
    }

    /// By what a call's messages travel on our first hop, once that is known.
    pub fn transport_of(&self, call: CallNo) -> Option<Transport> {
        self.calls.get(&call).and_then(Call::transport)
    }

    /// Calls that are up.
    pub fn calls(&self) -> usize {
        self.calls.len()
    }

    /// How many client and server transactions are open.
    pub fn transactions(&self) -> (usize, usize) {
        self.core.tx.len()
    }

    /// Whether nothing is left over: no call, no transaction, no timer, nothing that waits. Registrations' refreshes count.
    pub fn is_quiescent(&self) -> bool {
        self.calls.is_empty() && self.core.tx.is_empty() && self.core.timers.is_empty() && !self.core.awaits_answers()
    }

    // ---- inside ----

    /// Hands on what the transactions say, until nothing is left, and clears away the calls that are over.
    fn settle(&mut self, now: Instant) {
        loop {
            if let Some(event) = self.core.tx.poll_event() {
                self.handle_transaction(now, event);
            } else if let Some((owner, failure)) = self.core.failures.pop_front() {
                self.handle_failure(now, owner, failure);
            } else {
                self.pump_registrations(now);
                if self.core.failures.is_empty() {
                    break;
                }
            }
        }
        while let Some(no) = self.core.over.pop_front() {
            let call = self.calls.remove(&no);
            if let Some(call) = &call {
                self.core.forget_seen(call.call_id());
            }
            self.plans.remove(&no);
            let Some(mut call) = call else { continue };
            if let Some(key) = call.invite_key {
                self.merged.remember(now, key);
            }
            if let Some(dialog) = call.ended_dialog() {
                self.remember_ended(now, dialog);
            }
            if let Some(open) = call.open_referral() {
                self.keep_referral(no, open);
            }
            if let Some((referrer, code)) = call.referrer.map(|referrer| (referrer, call.end_code())) {
                // It has had no answer that could have been told.
                self.follow_up(now, FollowUp::Notify { referrer, code, reason: String::new() });
            }
        }
        if self.core.shutting_down && !self.quiet_told && self.is_shut_down() {
            self.quiet_told = true;
            self.core.emit(Event::Quiet);
        }
    }

    fn is_shut_down(&self) -> bool {
        self.calls.is_empty()
            && !self.core.awaits_answers()
            && self.subscriptions.is_idle()
            && self.registrations.iter().all(Registration::is_idle)
    }

    fn handle_transaction(&mut self, now: Instant, event: transaction::Event) {
        match &event {
            transaction::Event::Request { flow, request, .. } if request.method != Method::Register => {
                self.core.note_seen(&request.headers, flow);
            }
            transaction::Event::Response { flow, response, .. } if response.status.is_success() => {
                self.core.note_seen(&response.headers, flow);
            }
            _ => {}
        }
        match event {
            transaction::Event::Request { id, flow, request } => self.handle_request(now, id, flow, &request),
            transaction::Event::Ack { request, .. } => {
                if let Some(call) = self.calls.find_mut(&request.headers, |call| call.has_dialog(&request.headers)) {
                    call.handle_ack(&mut self.core, now, &request);
                }
            }
            transaction::Event::Cancel { id, invite } => self.handle_cancel(now, id, invite),
            transaction::Event::Response { id, flow, response } => self.handle_response(now, id, flow, *response),
            transaction::Event::StrayResponse { response, .. } => {
                if response.status.is_success() {
                    for no in self.calls.with_call_id(&response.headers) {
                        if let Some(call) = self.calls.get_mut(&no) {
                            call.stray_2xx(&mut self.core, now, &response);
                        }
                    }
                }
            }
            transaction::Event::Failed { id, failure } => {
                if !self.send_elsewhere(now, id, None) {
                    let owner = self.core.owner(id);
                    self.note_why(id, owner);
                    self.handle_failure(now, owner, failure);
                }
            }
            transaction::Event::Unacknowledged { .. } | transaction::Event::ServerEnded { .. } => {}
            transaction::Event::ClientEnded { id } => self.core.forget_client(id),
        }
    }

    fn handle_response(&mut self, now: Instant, id: ClientId, flow: Flow, response: Response) {
        if let Some(way) = self.core.tx.client_flow(id) {
            if response.status.code() != 503 {
                self.core.ways.wake(&way);
            } else if self.send_elsewhere(now, id, retry_after(&response)) {
                return;
            }
        }
        match self.core.owner(id) {
            Owner::Registration(account) => {
                if let Some(registration) = self.registrations.get_mut(account.0) {
                    self.core.with_auth(account, |auth, rng| registration.handle_response(now, rng, auth, &response));
                }
            }
            Owner::Call(no, purpose) => match self.calls.get_mut(&no) {
                Some(call) => {
                    let news = call.handle_response(&mut self.core, now, id, purpose, flow, response);
                    for news in news {
                        self.follow_up(now, news);
                    }
                }
                None => self.end_late_answer(now, id, &response),
            },
            Owner::Subscription(subscription) => self.subscription_response(now, subscription, id, flow, &response),
            Owner::Message(message) => self.message_response(now, message, id, flow, &response),
            Owner::Nobody => {}
        }
    }

    /// Sends a request that failed to the next target (RFC 3263 section 4.3); false: there is none, or nobody wants it.
    fn send_elsewhere(&mut self, now: Instant, id: ClientId, pause: Option<Duration>) -> bool {
        let account = match self.core.owner(id) {
            Owner::Registration(account) => Some(account),
            Owner::Call(no, purpose) => {
                let Some(call) = self.calls.get_mut(&no) else { return false };
                if purpose == Purpose::Invite && !call.may_go_elsewhere() {
                    return false;
                }
                call.account
            }
            Owner::Subscription(subscription) => self.subscriptions.account_of(subscription),
            Owner::Message(message) => self.message_account(message),
            Owner::Nobody => None,
        };
        self.core.send_elsewhere(now, id, account, pause)
    }

    /// Gives the call or the registration whose request failed the reason that the network told.
    fn note_why(&mut self, id: ClientId, owner: Owner) {
        let words = self.core.tx.client_flow(id).and_then(|flow| self.core.failure_words(&flow));
        match owner {
            Owner::Registration(account) => {
                self.core.reasons.remove(&account);
                self.core.reasons.extend(words.map(|words| (account, words)));
            }
            Owner::Call(no, _) => {
                if let Some(call) = self.calls.get_mut(&no) {
                    call.network_words = words;
                }
            }
            Owner::Subscription(_) | Owner::Message(_) | Owner::Nobody => {}
        }
    }

    /// A 2xx to an INVITE whose call is gone: acknowledged, and ended (RFC 3261 section 13.2.2.4).
    fn end_late_answer(&mut self, now: Instant, id: ClientId, response: &Response) {
        let Some(request) = self.core.tx.client_request(id).cloned() else { return };
        if response.status.is_provisional() {
            self.core.tx.give_up(now, id);
        }
        if request.method == Method::Invite && response.status.is_success() {
            call::end_branch(&mut self.core, now, id, &request, response);
        }
    }

    fn handle_failure(&mut self, now: Instant, owner: Owner, failure: Failure) {
        match owner {
            Owner::Registration(account) => {
                let why = match failure {
                    Failure::Timeout => NoAnswer::Timeout,
                    Failure::Transport => NoAnswer::Transport,
                };
                if let Some(registration) = self.registrations.get_mut(account.0) {
                    registration.handle_no_answer(now, self.core.rng(), why);
                }
            }
            Owner::Call(no, purpose) => {
                if let Some(call) = self.calls.get_mut(&no) {
                    call.handle_failure(&mut self.core, now, purpose, failure);
                }
            }
            Owner::Subscription(id) => self.subscription_failure(now, id, failure),
            Owner::Message(message) => self.message_failure(now, message, failure),
            Owner::Nobody => {}
        }
    }

    fn follow_up(&mut self, now: Instant, follow_up: FollowUp) {
        match follow_up {
            FollowUp::Notify { referrer, code, reason } => {
                match self.calls.get_mut(&referrer).filter(|call| call.follows_transfer()) {
                    Some(call) => call.notify(&mut self.core, now, code, &reason),
                    None => self.report(now, referrer, code, &reason),
                }
            }
        }
    }

    fn with_call(
        &mut self,
        no: CallNo,
        act: impl FnOnce(&mut Call, &mut Core) -> Result<(), CommandError>,
    ) -> Result<(), CommandError> {
        let call = self.calls.get_mut(&no).ok_or(CommandError::NoSuchCall(no))?;
        act(call, &mut self.core)
    }

    fn known(&self, account: AccountId) -> Result<(), CommandError> {
        self.registrations.get(account.0).map(|_| ()).ok_or(CommandError::NoSuchAccount)
    }

    // ---- calls ----

    fn dial(
        &mut self,
        now: Instant,
        account: Option<AccountId>,
        target: Uri,
        media: MediaPorts,
        referral: Option<Referral>,
    ) -> Result<CallNo, CommandError> {
        if self.core.shutting_down {
            return Err(CommandError::ShuttingDown);
        }
        if let Some(account) = account {
            self.known(account)?;
        }
        if self.calls.len() >= self.core.config.max_calls {
            return Err(CommandError::TooManyCalls(self.calls.len()));
        }
        let caller = account.and_then(|account| self.core.config.accounts.get(account.0));
        let mut target = tel_to_sip(callable(target)?, caller)?;
        // RFC 3261 section 19.1.5: a URI may say what else belongs in its request; of that only Replaces is taken.
        let wanted = replaces::Replaces::in_uri(&target).unwrap_or_default();
        referral::strip(&mut target);
        if let Some(rule) = self.core.forbids(account, &target) {
            return Err(CommandError::Screened { target: identity::uri_text(&target), rule });
        }
        let no = self.core.new_call_no();
        let (referred_by, replaces) = match referral {
            Some(referral) => (referral.referred_by, referral.replaces),
            None => (None, wanted),
        };
        let dial = Dial { account, target, media, referred_by, replaces };
        let (call, plan) = Call::dial(&mut self.core, now, dial, no);
        self.calls.insert(no, call);
        self.plans.insert(no, plan);
        Ok(no)
    }
}

/// Whether an address can be called at all: sip, sips and tel only.
fn callable(target: Uri) -> Result<Uri, CommandError> {
    match target.scheme() {
        Scheme::Sip | Scheme::Sips if target.host().is_some() => Ok(target),
        Scheme::Tel => Ok(target),
        _ => Err(CommandError::BadTarget(target.to_string())),
    }
}

/// A tel URI as the account's PBX understands it: `sip:+4930...@pbx.example.com;user=phone` (RFC 3261 section 19.1.6).
fn tel_to_sip(target: Uri, account: Option<&config::Account>) -> Result<Uri, CommandError> {
    let Some(parts) = target.tel_parts() else { return Ok(target) };
    let number: String = parts.subscriber().iter().map(|byte| char::from(*byte)).collect();
    let number: String = number.chars().filter(|c| !matches!(c, '-' | '.' | '(' | ')')).collect();
    let host = account.and_then(|account| account.uri.host().map(ToString::to_string));
    host.and_then(|host| Uri::parse(format!("sip:{number}@{host};user=phone").into()).ok())
        .ok_or_else(|| CommandError::BadTarget(target.to_string()))
}

/// A datagram ends where it ends: the empty line after the last header field may be missing (RFC 5118 section 4.10's are so).
fn read(datagram: &[u8]) -> Result<Message, ParseError> {
    let limits = Limits::datagram();
    match parse_datagram(Bytes::copy_from_slice(datagram), &limits) {
        Err(ParseError::Framing(FramingError::NoHeaderTerminator)) if datagram.ends_with(b"\r\n") => {
            parse_datagram([datagram, b"\r\n"].concat().into(), &limits)
        }
        result => result,
    }
}

/// How long a 503 asks to be left alone.
fn retry_after(response: &Response) -> Option<Duration> {
    let text = crate::sip::text(&response.headers, &HeaderName::RetryAfter);
    let digits: String = text.chars().take_while(char::is_ascii_digit).collect();
    digits.parse().ok().map(Duration::from_secs)
}

/// Whether there is a NUL before the body other than as a quoted pair, where alone it may stand (RFC 3261 section 25.1).
fn has_nul(message: &[u8]) -> bool {
    let end = message.windows(4).position(|four| four == b"\r\n\r\n").unwrap_or(message.len());
    let mut escaped = false;
    message.iter().take(end).any(|byte| {
        let bare = *byte == 0 && !escaped;
        escaped = *byte == b'\\' && !escaped;
        bare
    })
}

/// Whether a request's transaction can be told from others, and its answer find its way (RFC 3261 section 17.2.3).
fn names_a_transaction(request: &Request) -> bool {
    TransactionKey::from_request(request).is_some()
}

/// Whether a response may be for us: one hop, whose Via is ours (RFC 3261 section 8.1.3.3), and a CSeq that can be read.
fn is_for_a_user_agent(response: &Response) -> bool {
    via::hops(&response.headers) <= 1 && matches!(response.headers.typed::<CSeq>(), Some(Ok(_)))
}
