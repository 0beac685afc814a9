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
//!
//! The way through: `datagram` reads what came, `outside` meets requests that no call knows, `obey` does what the person
//! asks, and `settle`, after each of them, hands on what the transactions have to say.

mod accounts;
pub mod auth;
pub mod call;
mod calls;
mod capabilities;
mod cause;
pub mod command;
pub mod config;
mod core;
mod datagram;
pub mod dialog;
mod doorbell;
pub mod event;
pub mod identity;
mod keying;
mod merged;
pub mod message;
mod obey;
mod outside;
mod refer;
mod referral;
pub mod registration;
mod repair;
mod replaces;
mod replacing;
pub mod request;
mod settle;
pub mod subscription;
mod target;
pub mod timer;
mod ways;

use std::collections::{BTreeMap, VecDeque};
use std::time::{Duration, Instant};

use crate::sip::Uri;
use crate::sip::salvage::Salvaged;
use crate::sip::transport::{Flow, Transmit, Transport};
use crate::transaction::Failure;

use call::Plan;
use calls::Calls;
use command::Reply;
use datagram::Unfit;
use doorbell::Doorbell;
use referral::OpenReferral;
use registration::Registration;

pub use self::core::Screen;
pub use self::ways::{Resolve, Unreachable};
pub use command::{Command, CommandError};
pub use config::Config;
pub use event::Event;
pub use outside::Counters;
pub use repair::NetworkChange;
pub use timer::Timer;

use self::core::{Core, Waiting};
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
        match datagram::read(bytes) {
            Ok(message) => self.core.tx.handle_message(now, flow, message),
            Err(Unfit::KeepAlive) => return,
            Err(Unfit::Response) => {
                self.counters.malformed += 1;
                tracing::debug!(from = %flow.remote, "a response that no user agent may take is dropped");
            }
            Err(Unfit::Unread(reason)) => self.refuse_unread(flow, bytes, reason),
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

    // ---- what goes out ----

    /// The next message to put on the wire.
    pub fn poll_transmit(&mut self) -> Option<Transmit> {
        self.core.tx.poll_transmit()
    }

    /// The next host whose ways are to be found, for [`UserAgent::handle_resolved`].
    pub fn poll_resolve(&mut self) -> Option<Resolve> {
        self.core.waits.poll_resolve()
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
        self.calls.get(&call).and_then(|call| call.transport())
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
}
