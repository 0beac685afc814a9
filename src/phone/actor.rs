//! The SIP thread: it alone owns the core. One thing happens, then everything that follows from it is done; then it waits
//! for the next.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use tokio::sync::{mpsc, oneshot};

use crate::config;
use crate::net::watch::{Notice, Watch};
use crate::net::{Received, Resolver, Sockets};
use crate::sip::transport::{Flow, Transmit};
use crate::ua::{self, AccountId, CallNo, Resolve, UserAgent};

use super::desk::{Desk, Effect};
use super::event::{Event, Kind};
use super::gather::{Gathered, Gatherer};
use super::hooks::Hooks;
use super::info_digits::InfoDigits;
use super::memory::AfterBurst;
use super::network::Whereabouts;
use super::perform::WaitingCall;
use super::services::Services;
use super::sound::Sound;
use super::{Command, Refused, Reply, TraceEntry};

/// Datagrams taken in a row before commands and timers get their turn.
const BATCH: usize = 32;
/// How long goodbyes may take.
const GOODBYE: Duration = Duration::from_millis(1_800);
/// How long what is to be remembered may take to get to the disk even where they took all of that: less than two seconds for
/// everything.
const LAST_WRITES: Duration = Duration::from_millis(150);

/// Where the answer to a command goes.
pub(super) type Answer = oneshot::Sender<Result<Reply, Refused>>;

/// What a handle asks.
pub(super) enum Request {
    Command(Command, Answer),
    Trace(mpsc::UnboundedSender<TraceEntry>),
}

/// What an actor is made of.
pub(super) struct Parts {
    pub(super) config: config::Config,
    pub(super) core: UserAgent,
    pub(super) core_config: ua::Config,
    pub(super) sockets: Sockets,
    pub(super) sound: Sound,
    pub(super) listen: IpAddr,
    pub(super) requests: mpsc::UnboundedReceiver<Request>,
    pub(super) events: mpsc::UnboundedSender<Event>,
    /// Who sees the messages from the first one on.
    pub(super) traces: Vec<mpsc::UnboundedSender<TraceEntry>>,
}

/// The owner of everything but the sound.
pub(super) struct Actor {
    pub(super) core: UserAgent,
    after_burst: AfterBurst,
    pub(super) core_config: ua::Config,
    pub(super) calls_config: config::Calls,
    /// As configured, and as changed since; without accounts and the exchange.
    pub(super) settings: config::Config,
    pub(super) sockets: Sockets,
    pub(super) resolver: Resolver,
    pub(super) sound: Sound,
    pub(super) gatherer: Gatherer,
    pub(super) desk: Desk,
    pub(super) info: InfoDigits,
    pub(super) listen: IpAddr,
    /// Calls that wait for their host's address.
    pub(super) waiting: Vec<WaitingCall>,
    /// Answers that are given when everything that follows from the command has been done.
    pub(super) answers: Vec<(Answer, Result<Reply, Refused>)>,
    pub(super) quitting: Option<Quitting>,
    pub(super) whereabouts: Whereabouts,
    pub(super) services: Services,
    hooks: Hooks,
    requests: mpsc::UnboundedReceiver<Request>,
    events: mpsc::UnboundedSender<Event>,
    traces: Vec<mpsc::UnboundedSender<TraceEntry>>,
}

/// The phone is being left.
pub(super) struct Quitting {
    pub(super) until: Instant,
    pub(super) answers: Vec<Answer>,
}

/// What woke the loop.
enum Wake {
    Network,
    Request(Option<Request>),
    Resolved(Resolve, crate::net::resolve::Places),
    Report(super::media_thread::Report),
    Gathered(Gathered),
    Noticed(Notice),
    Deadline,
}

impl Actor {
    pub(super) fn new(mut parts: Parts) -> Actor {
        let services = Services::new(&parts.config, SystemTime::now());
        parts.core.ask_before_ringing();
        let settings = super::settings::of(&parts.config);
        let screening = Arc::clone(&services.screening);
        let names: Vec<String> = parts.core_config.accounts.iter().map(|account| account.name.clone()).collect();
        parts.core.screen_outgoing(Box::new(move |account, target| {
            let account = account.and_then(|account| names.get(account.0)).map(String::as_str);
            screening.forbids(account, &target.to_string())
        }));
        Actor {
            services,
            hooks: Hooks::new(parts.config.hooks.clone()),
            desk: Desk::new(&parts.config),
            gatherer: Gatherer::new(&parts.config.network),
            calls_config: parts.config.calls,
            settings,
            core: parts.core,
            after_burst: AfterBurst::default(),
            core_config: parts.core_config,
            sockets: parts.sockets,
            resolver: Resolver::default(),
            sound: parts.sound,
            info: InfoDigits::default(),
            listen: parts.listen,
            waiting: Vec::new(),
            answers: Vec::new(),
            quitting: None,
            whereabouts: Whereabouts::default(),
            requests: parts.requests,
            events: parts.events,
            traces: parts.traces,
        }
    }

    /// Runs until the phone is left.
    pub(super) async fn run(mut self) {
        let mut handle_is_alive = true;
        self.register(Instant::now());
        // It can wait until the first REGISTER has left, and it needs the runtime.
        let mut watch = Watch::new(Instant::now());
        self.whereabouts = Whereabouts::new();
        loop {
            if self.desk.settled_in
                && let Err(error) = self.sound.thread()
            {
                tracing::error!(%error, "the media thread does not start");
            }
            if self.has_quit(Instant::now()) {
                break;
            }
            match self.wait(handle_is_alive, &mut watch).await {
                Wake::Network => self.receive(),
                Wake::Request(Some(Request::Command(command, answer))) => self.perform(Instant::now(), command, answer),
                Wake::Request(Some(Request::Trace(listener))) => self.traces.push(listener),
                Wake::Request(None) => {
                    handle_is_alive = false;
                    self.quit(Instant::now(), None);
                }
                Wake::Resolved(query, addresses) => self.resolved(Instant::now(), query, addresses),
                Wake::Report(report) => self.desk.handle_report(report),
                Wake::Gathered(gathered) => self.gathered(Instant::now(), gathered),
                Wake::Noticed(notice) => self.network_noticed(Instant::now(), notice),
                Wake::Deadline => self.timeout(Instant::now()),
            }
            self.drain(Instant::now(), None);
        }
        self.end().await;
    }

    fn register(&mut self, now: Instant) {
        for (place, account) in self.core_config.accounts.iter().enumerate().filter(|(_, account)| account.register) {
            if let Err(error) = self.core.command(now, ua::Command::Register { account: AccountId(place) }) {
                tracing::error!(account = account.name, %error, "can't register");
            }
        }
        // An account that registers subscribes when it has.
        for (place, account) in self.core_config.accounts.iter().enumerate().filter(|(_, account)| !account.register) {
            if let Err(error) = self.core.command(now, ua::Command::Subscribe { account: AccountId(place) }) {
                tracing::error!(account = account.name, %error, "can't subscribe");
            }
        }
        self.drain(now, None);
    }

    async fn wait(&mut self, handle_is_alive: bool, watch: &mut Watch) -> Wake {
        let deadline = [
            self.core.poll_timeout().map(|(at, _)| at),
            self.desk.poll_timeout(),
            self.services.poll_timeout(),
            self.info.poll_timeout(),
            self.quitting.as_ref().map(|quitting| quitting.until),
        ];
        let deadline = deadline.into_iter().flatten().min();
        // Not biased: a flood must not keep the person's commands and the timers waiting.
        tokio::select! {
            () = self.sockets.ready() => Wake::Network,
            request = self.requests.recv(), if handle_is_alive => Wake::Request(request),
            report = self.sound.report() => Wake::Report(report),
            gathered = self.gatherer.next() => Wake::Gathered(gathered),
            (query, addresses) = self.resolver.next() => Wake::Resolved(query, addresses),
            notice = watch.next() => Wake::Noticed(notice),
            () = sleep_until(deadline) => Wake::Deadline,
        }
    }

    fn receive(&mut self) {
        for _ in 0..BATCH {
            let now = Instant::now();
            let arrived_at = match self.sockets.receive(now) {
                None => return,
                Some(Received::Message { flow, bytes }) => {
                    trace(&mut self.traces, &self.core, false, flow, bytes);
                    self.core.handle_datagram(now, flow, bytes);
                    Some(flow.local.ip())
                }
                Some(Received::Unreachable(flow)) => {
                    tracing::debug!(remote = %flow.remote, "nobody listens there");
                    self.core.handle_transport_error(now, flow);
                    None
                }
                Some(Received::Failed { flow, reason }) => {
                    tracing::info!(remote = %flow.remote, reason, "a connection has ended");
                    self.core.handle_connection_failure(now, flow, &reason);
                    None
                }
            };
            self.drain(now, arrived_at);
        }
    }

    fn timeout(&mut self, now: Instant) {
        if self.core.poll_timeout().is_some_and(|(due, _)| due <= now) {
            self.core.handle_timeout(now);
            let (clients, servers) = self.core.transactions();
            self.after_burst.note(clients + servers);
        }
        self.desk.handle_timeout(now);
        self.service_timeout(now);
        while let Some((call, digit)) = self.info.pop_due(now) {
            self.send_info_digit(now, call, digit);
        }
    }

    fn resolved(&mut self, now: Instant, query: Resolve, addresses: crate::net::resolve::Places) {
        let flows = self.resolver.learn(now, &query, addresses, &mut self.sockets);
        let (asked, others) = std::mem::take(&mut self.waiting).into_iter().partition(|call| call.hop == query);
        self.waiting = others;
        let asked: Vec<WaitingCall> = asked;
        if asked.is_empty() {
            self.core.handle_resolved(now, &query, flows);
            return;
        }
        let local = self.core.prefer(now, &flows).map(|flow| flow.local.ip());
        for call in asked {
            self.dial_prepared(now, call.account, call.target, local, call.answer);
        }
    }

    /// Does everything that follows from what has happened. `arrived_at` is the local address of the datagram that did it.
    pub(super) fn drain(&mut self, now: Instant, arrived_at: Option<IpAddr>) {
        loop {
            let mut done = true;
            done &= !self.transmit_all(now);
            while let Some(query) = self.core.poll_resolve() {
                done = false;
                self.resolve(now, query);
            }
            while let Some(event) = self.core.poll_event() {
                done = false;
                self.hear(now, event, arrived_at);
            }
            done &= !self.do_effects(now);
            if done {
                self.desk.settle();
                if !self.do_effects(now) {
                    break;
                }
            }
        }
        for (answer, result) in self.answers.drain(..) {
            // Whoever asked may have stopped waiting.
            let _ = answer.send(result);
        }
    }

    fn do_effects(&mut self, now: Instant) -> bool {
        let mut any = false;
        while let Some(effect) = self.desk.poll_effect() {
            any = true;
            match effect {
                Effect::Tell(kind) => self.tell(kind),
                Effect::Order(order) => self.sound.order(order),
                Effect::Answer(call) => {
                    self.answer_by_itself(now, call);
                    self.transmit_all(now);
                }
                Effect::MoveSound(call, address, media) => self.move_sound(now, call, address, media),
                Effect::OfferEarly(call) => self.offer_early(now, call),
                Effect::FollowTransfer(call) => self.follow_by_itself(now, call),
                Effect::Hold(call) => self.hold_by_itself(now, call),
                Effect::Way(call, event) => self.note_way(now, call, event),
                Effect::GiveUp(call, failure) => self.give_up(now, call, &failure),
            }
        }
        any
    }

    pub(super) fn tell(&mut self, kind: Kind) {
        let time = SystemTime::now();
        // Its thread sees to its end.
        drop(self.hooks.note(&kind));
        // Nobody may listen.
        let _ = self.events.send(Event { time, kind: kind.clone() });
        if self.services.note(time, &kind) {
            let count = self.services.history.missed();
            let _ = self.events.send(Event { time, kind: Kind::Missed { count } });
        }
        self.redial_after(Instant::now(), &kind);
    }

    /// Sends what waits to be sent; whether there was anything.
    fn transmit_all(&mut self, now: Instant) -> bool {
        let mut any = false;
        while let Some(transmit) = self.core.poll_transmit() {
            any = true;
            self.transmit(now, &transmit);
        }
        any
    }

    fn transmit(&mut self, now: Instant, transmit: &Transmit) {
        trace(&mut self.traces, &self.core, true, transmit.flow, &transmit.bytes);
        if let Err(error) = self.sockets.send(transmit) {
            tracing::warn!(remote = %transmit.flow.remote, %error, "can't send");
            self.core.handle_transport_error(now, transmit.flow);
        }
    }

    fn resolve(&mut self, now: Instant, query: Resolve) {
        if let Some(flows) = self.resolver.known(now, &query, &mut self.sockets) {
            return self.core.handle_resolved(now, &query, flows);
        }
        if !self.resolver.ask(query.clone()) {
            tracing::warn!(host = query.host, "too many names are being looked up");
            self.core.handle_resolved(now, &query, Vec::new());
        }
    }

    pub(super) fn quit(&mut self, now: Instant, answer: Option<Answer>) {
        if self.quitting.is_none() {
            let waiting: Vec<Answer> = self.waiting.drain(..).map(|waiting| waiting.answer).collect();
            for answer in waiting.into_iter().chain(self.give_up_dials()) {
                self.answers.push((answer, Err(ua::CommandError::ShuttingDown.into())));
            }
            if let Err(error) = self.core.command(now, ua::Command::Shutdown) {
                tracing::debug!(%error, "the core is shutting down already");
            }
        }
        let quitting = self.quitting.get_or_insert_with(|| Quitting { until: now + GOODBYE, answers: Vec::new() });
        quitting.answers.extend(answer);
    }

    fn has_quit(&self, now: Instant) -> bool {
        self.quitting.as_ref().is_some_and(|quitting| self.desk.is_quiet() || quitting.until <= now)
    }

    /// The last words: files are finished, ends are told, whoever asked to quit gets an answer.
    async fn end(mut self) {
        let desk = &mut self.desk;
        self.sound.finish(|report| desk.handle_report(report)).await;
        self.desk.finish_all();
        while let Some(effect) = self.desk.poll_effect() {
            if let Effect::Tell(kind) = effect {
                self.tell(kind);
            }
        }
        // Where the goodbyes were quick, a slow disk has the rest of their time.
        let until = self.quitting.as_ref().map_or_else(Instant::now, |quitting| quitting.until);
        self.services.finish(until.max(Instant::now() + LAST_WRITES));
        for answer in self.quitting.map(|quitting| quitting.answers).unwrap_or_default() {
            let _ = answer.send(Ok(Reply::Done));
        }
    }

    /// Says in the log and to the person what went wrong in a call that nobody commanded.
    pub(super) fn complain(&mut self, call: CallNo, message: &str) {
        tracing::warn!(%call, message);
        self.desk.tell_error(call, message);
    }
}

async fn sleep_until(deadline: Option<Instant>) {
    match deadline {
        Some(deadline) => tokio::time::sleep_until(deadline.into()).await,
        None => std::future::pending().await,
    }
}

/// Shows a message to those who listen; nothing is formatted for nobody.
fn trace(
    listeners: &mut Vec<mpsc::UnboundedSender<TraceEntry>>,
    core: &UserAgent,
    sent: bool,
    flow: Flow,
    bytes: &[u8],
) {
    if listeners.is_empty() {
        return;
    }
    let entry = TraceEntry::new(SystemTime::now(), sent, flow, bytes);
    let entry = TraceEntry { call: core.call_of(&entry.call_id), ..entry };
    listeners.retain(|listener| listener.send(entry.clone()).is_ok());
}
