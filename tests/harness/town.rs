//! Phones and exchanges on one network in simulated time: each message takes 10 ms.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use offhook::exchange::{self, Core, Service, User};
use offhook::sip::transport::{Flow, Transport};
use offhook::sip::{HeaderName, Limits, Message, parse_datagram, text};
use offhook::ua::config::{Credentials, TransferPolicy};
use offhook::ua::{CallNo, Command, Event, Timer, UserAgent, command::Reply};

use super::{ACCOUNT, MEDIA, ms, uri, with_account};

const DELAY: Duration = Duration::from_millis(10);

/// A phone and what happened to it.
struct Phone {
    name: &'static str,
    address: SocketAddr,
    ua: UserAgent,
    events: Vec<Event>,
    /// Switched off: it neither sends nor hears.
    gone: bool,
}

/// An exchange.
struct Node {
    name: &'static str,
    address: SocketAddr,
    core: Core,
}

struct Datagram {
    from: SocketAddr,
    to: SocketAddr,
    bytes: bytes::Bytes,
}

/// Whether the network loses a message: by whom it comes from, to whom it goes, and its method or status code.
type Loses = Box<dyn FnMut(&str, &str, &str) -> bool>;

/// Everything.
pub struct Town {
    pub now: Instant,
    exchanges: Vec<Node>,
    phones: Vec<Phone>,
    wire: BTreeMap<(Instant, u64), Datagram>,
    sent: u64,
    loses: Option<Loses>,
    /// Every message: from, to, itself.
    pub log: Vec<(String, String, Message)>,
}

/// The exchange of `domain` at 10.0.1.`place` with these users, each with the password "secret".
pub fn exchange_for(domain: &str, place: u8, users: &[&str]) -> exchange::Config {
    exchange::Config {
        listen: SocketAddr::from(([10, 0, 1, place], 5060)),
        domain: domain.to_owned(),
        users: users.iter().map(|name| User { name: (*name).to_owned(), password: "secret".to_owned() }).collect(),
        ..exchange::Config::default()
    }
}

/// The exchange of example.com for alice, bob and carol, with one service for bob.
pub fn with_service(service: Service) -> exchange::Config {
    let mut config = exchange_for("example.com", 1, &["alice", "bob", "carol", "dave"]);
    config.services.insert("bob".to_owned(), service);
    config
}

impl Town {
    /// Exchanges with their names, at the addresses that they listen at.
    pub fn new(exchanges: Vec<(&'static str, exchange::Config)>) -> Town {
        let node = |(name, config): (&'static str, exchange::Config)| Node {
            name,
            address: config.listen,
            core: Core::new(&config, [9; 32]),
        };
        Town {
            now: Instant::now(),
            exchanges: exchanges.into_iter().map(node).collect(),
            phones: Vec::new(),
            wire: BTreeMap::new(),
            sent: 0,
            loses: None,
            log: Vec::new(),
        }
    }

    /// A phone `name` of the user `user`, registered at the exchange 10.0.1.1 of example.com.
    pub fn phone(&mut self, name: &'static str, user: &str) {
        self.phone_of(name, user, "example.com", 1, &[]);
    }

    /// A phone of a user at an exchange, who has the same password in further realms.
    pub fn phone_of(&mut self, name: &'static str, user: &str, domain: &str, exchange: u8, realms: &[&str]) {
        let mut config = with_account(&format!("sip:{user}@{domain}"), &format!("sip:10.0.1.{exchange}"));
        config.accounts[0].route = vec![uri(&format!("sip:10.0.1.{exchange};lr"))];
        let same = Credentials { user: user.to_owned(), password: "secret".to_owned() };
        config.accounts[0].realms = realms.iter().map(|realm| ((*realm).to_owned(), same.clone())).collect();
        config.redirects = TransferPolicy::Follow;
        let place = self.phones.len() as u8 + 1;
        let address = SocketAddr::from(([10, 0, 0, place], 5060));
        let ua = UserAgent::new(self.now, config, [place; 32]);
        self.phones.push(Phone { name, address, ua, events: Vec::new(), gone: false });
        self.command(name, Command::Register { account: ACCOUNT });
        self.wait(name, |event| matches!(event, Event::Registered { .. }).then_some(()));
        self.phone_mut(name).events.clear();
        self.log.clear();
    }

    /// Someone registers a phone's contact anew with a preference (RFC 3261 section 20.10), at an exchange that asks for no
    /// password.
    pub fn prefer(&mut self, name: &str, user: &str, q: &str) {
        let (now, address) = (self.now, self.phone_mut(name).address);
        self.sent += 1;
        let serial = self.sent;
        let node = &mut self.exchanges[0];
        let bindings = node.core.bindings(now, user);
        let contact = bindings
            .iter()
            .find(|one| one.uri.to_string().contains(&address.ip().to_string()))
            .expect("it is registered");
        let text = format!(
            "REGISTER sip:example.com SIP/2.0\r\nVia: SIP/2.0/UDP {address};branch=z9hG4bKprefer{serial}\r\nMax-Forwards: 70\r\n\
             From: <sip:{user}@example.com>;tag=p\r\nTo: <sip:{user}@example.com>\r\nCall-ID: prefer-{serial}\r\n\
             CSeq: 1 REGISTER\r\nContact: <{}>;q={q}\r\nContent-Length: 0\r\n\r\n",
            contact.uri
        );
        let flow = Flow { transport: Transport::Udp, local: node.address, remote: address };
        node.core.handle_datagram(now, flow, text.as_bytes());
        let answer = std::iter::from_fn(|| node.core.poll_transmit()).last().expect("an answer");
        assert!(answer.bytes.starts_with(b"SIP/2.0 200 "), "{:?}", answer.bytes);
    }

    fn phone_mut(&mut self, name: &str) -> &mut Phone {
        self.phones.iter_mut().find(|phone| phone.name == name).expect("a phone")
    }

    fn place(&self, name: &str) -> usize {
        self.phones.iter().position(|phone| phone.name == name).expect("a phone")
    }

    fn name_at(&self, address: SocketAddr) -> String {
        let phone = self.phones.iter().find(|phone| phone.address == address).map(|phone| phone.name);
        let exchange = self.exchanges.iter().find(|node| node.address == address).map(|node| node.name);
        phone.or(exchange).map_or_else(|| address.to_string(), str::to_owned)
    }

    // ---- what people do ----

    #[track_caller]
    fn command(&mut self, name: &str, command: Command) -> Reply {
        let (now, place) = (self.now, self.place(name));
        let reply = self.phones[place].ua.command(now, command).expect("a command");
        self.drain_phone(place);
        reply
    }

    /// Someone does something that gives no call.
    #[track_caller]
    pub fn does(&mut self, name: &str, command: Command) {
        self.command(name, command);
    }

    /// Someone accepts to be transferred; the call that begins.
    #[track_caller]
    pub fn follows(&mut self, name: &str) -> CallNo {
        let call = self.wait(name, |event| match event {
            Event::TransferRequest { call, .. } => Some(*call),
            _ => None,
        });
        match self.command(name, Command::AcceptTransfer { call, media: MEDIA }) {
            Reply::Call(call) => call,
            Reply::Done => panic!("no call"),
        }
    }

    /// Two talk: the call at the caller and at the called one.
    #[track_caller]
    pub fn talk(&mut self, from: &str, to: &str) -> (CallNo, CallNo) {
        let call = self.dial(from, &format!("sip:{to}@example.com"));
        let theirs = self.rings(to);
        self.answer(to, theirs);
        self.established(from);
        self.established(to);
        (call, theirs)
    }

    /// From now on the network loses what this picks.
    pub fn loses(&mut self, picks: impl FnMut(&str, &str, &str) -> bool + 'static) {
        self.loses = Some(Box::new(picks));
    }

    /// Someone dials.
    #[track_caller]
    pub fn dial(&mut self, name: &str, target: &str) -> CallNo {
        let dial = Command::Dial { account: Some(ACCOUNT), target: uri(target), media: MEDIA };
        match self.command(name, dial) {
            Reply::Call(call) => call,
            Reply::Done => panic!("no call"),
        }
    }

    /// It rings at a phone.
    #[track_caller]
    pub fn rings(&mut self, name: &str) -> CallNo {
        self.wait(name, |event| match event {
            Event::Incoming { call, .. } => Some(*call),
            _ => None,
        })
    }

    /// It rings, and the phone shows for whom the call was.
    #[track_caller]
    pub fn rings_diverted(&mut self, name: &str) -> (CallNo, Option<String>) {
        self.wait(name, |event| match event {
            Event::Incoming { call, diverted_from, .. } => Some((*call, diverted_from.clone())),
            _ => None,
        })
    }

    #[track_caller]
    pub fn answer(&mut self, name: &str, call: CallNo) {
        self.command(name, Command::Answer { call, media: MEDIA });
    }

    #[track_caller]
    pub fn reject(&mut self, name: &str, call: CallNo, code: u16) {
        self.command(name, Command::Reject { call, code });
    }

    #[track_caller]
    pub fn hang_up(&mut self, name: &str, call: CallNo) {
        self.command(name, Command::Hangup { call });
    }

    /// Someone hangs up, if the call is not over yet.
    pub fn gives_up(&mut self, name: &str, call: CallNo) {
        let (now, place) = (self.now, self.place(name));
        let _ = self.phones[place].ua.command(now, Command::Hangup { call });
        self.drain_phone(place);
    }

    /// A phone loses its network.
    pub fn switch_off(&mut self, name: &str) {
        self.phone_mut(name).gone = true;
    }

    // ---- what they see ----

    #[track_caller]
    pub fn established(&mut self, name: &str) {
        self.wait(name, |event| matches!(event, Event::Established { .. }).then_some(()));
    }

    /// A call ends; with which code and reason.
    #[track_caller]
    pub fn ended(&mut self, name: &str) -> (Option<u16>, String) {
        self.wait(name, |event| match event {
            Event::Ended { code, reason, .. } => Some((*code, reason.clone())),
            _ => None,
        })
    }

    /// Lets time pass until a phone is told something that `wanted` picks: four minutes at most.
    #[track_caller]
    pub fn wait<T>(&mut self, name: &str, mut wanted: impl FnMut(&Event) -> Option<T>) -> T {
        let (end, place) = (self.now + Duration::from_secs(240), self.place(name));
        loop {
            let events = &mut self.phones[place].events;
            if let Some((at, found)) = events.iter().enumerate().find_map(|(at, event)| Some((at, wanted(event)?))) {
                events.drain(..=at);
                return found;
            }
            let told = format!("{events:#?}");
            assert!(self.step(end), "{name} was told only {told}\n{}", self.ladder().join("\n"));
        }
    }

    /// Nothing came to a phone since it was last looked at.
    #[track_caller]
    pub fn silent(&mut self, name: &str) {
        let events = &self.phone_mut(name).events;
        assert!(events.is_empty(), "{name} was told {events:#?}");
    }

    /// The messages so far as in the draft: "alice INVITE exchange".
    pub fn ladder(&self) -> Vec<String> {
        self.log.iter().map(|(from, to, message)| format!("{from} {} {to}", what(message))).collect()
    }

    /// How often somebody was sent a method or a status code.
    pub fn count(&self, to: &str, wanted: &str) -> usize {
        self.log.iter().filter(|(_, at, message)| at == to && what(message) == wanted).count()
    }

    /// Header field of the last request of a method that came to somebody.
    #[track_caller]
    pub fn header(&self, to: &str, method: &str, name: &HeaderName) -> Vec<String> {
        let last = self.log.iter().rev().find(|(_, at, message)| at == to && what(message) == method);
        let Some((_, _, Message::Request(request))) = last else { panic!("{to} got no {method}") };
        request.headers.get_all(name).map(|row| String::from_utf8_lossy(&row.value()).into_owned()).collect()
    }

    // ---- time ----

    pub fn advance(&mut self, duration: Duration) {
        let end = self.now + duration;
        while self.step(end) {}
        self.now = end;
    }

    fn step(&mut self, end: Instant) -> bool {
        let datagram = self.wire.first_key_value().map(|((at, _), _)| *at);
        let phones = self.phones.iter().filter(|phone| !phone.gone).filter_map(|phone| phone.ua.poll_timeout());
        let exchanges = self.exchanges.iter().filter_map(|node| node.core.poll_timeout());
        let timeout = phones.map(|(at, _)| at).chain(exchanges).min();
        match (datagram, timeout) {
            (Some(at), timeout) if at <= end && timeout.is_none_or(|due| at <= due) => {
                self.now = self.now.max(at);
                self.deliver();
            }
            (_, Some(due)) if due <= end => {
                self.now = self.now.max(due);
                let now = self.now;
                for place in 0..self.phones.len() {
                    if !self.phones[place].gone && self.phones[place].ua.poll_timeout().is_some_and(|(at, _)| at <= now)
                    {
                        self.phones[place].ua.handle_timeout(now);
                        self.drain_phone(place);
                    }
                }
                for place in 0..self.exchanges.len() {
                    self.exchanges[place].core.handle_timeout(now);
                    self.drain_exchange(place);
                }
            }
            _ => return false,
        }
        true
    }

    fn deliver(&mut self) {
        let Some((_, Datagram { from, to, bytes })) = self.wire.pop_first() else { return };
        let (now, flow) = (self.now, Flow { transport: Transport::Udp, local: to, remote: from });
        if let Some(place) = self.exchanges.iter().position(|node| node.address == to) {
            self.exchanges[place].core.handle_datagram(now, flow, &bytes);
            self.drain_exchange(place);
        } else if let Some(place) = self.phones.iter().position(|phone| phone.address == to && !phone.gone) {
            self.phones[place].ua.handle_datagram(now, flow, &bytes);
            self.drain_phone(place);
        }
    }

    fn drain_phone(&mut self, place: usize) {
        loop {
            let now = self.now;
            let phone = &mut self.phones[place];
            phone.events.extend(std::iter::from_fn(|| phone.ua.poll_event()));
            let local = phone.address;
            if let Some(query) = phone.ua.poll_resolve() {
                let found = query.host.parse().map(|ip| SocketAddr::new(ip, query.port.unwrap_or(5060)));
                let flows = found.map(|remote| Flow { transport: Transport::Udp, local, remote }).into_iter().collect();
                phone.ua.handle_resolved(now, &query, flows);
            } else if let Some(out) = phone.ua.poll_transmit() {
                let gone = phone.gone;
                self.send(local, out.flow.remote, out.bytes, gone);
            } else {
                return;
            }
        }
    }

    fn drain_exchange(&mut self, place: usize) {
        while let Some(out) = self.exchanges[place].core.poll_transmit() {
            let from = self.exchanges[place].address;
            self.send(from, out.flow.remote, out.bytes, false);
        }
    }

    fn send(&mut self, from: SocketAddr, to: SocketAddr, bytes: bytes::Bytes, gone: bool) {
        if gone {
            return;
        }
        let message = parse_datagram(bytes.clone(), &Limits::datagram()).expect("a message");
        let (by, at) = (self.name_at(from), self.name_at(to));
        if self.loses.as_mut().is_some_and(|loses| loses(&by, &at, &what(&message))) {
            return;
        }
        self.log.push((by, at, message));
        self.sent += 1;
        self.wire.insert((self.now + DELAY, self.sent), Datagram { from, to, bytes });
    }

    /// Nothing is left over anywhere.
    #[track_caller]
    pub fn assert_quiescent(&mut self) {
        self.advance(Duration::from_secs(300));
        self.advance(ms(1));
        for node in &self.exchanges {
            assert!(node.core.is_idle(), "{} has something under way", node.name);
        }
        for phone in self.phones.iter().filter(|phone| !phone.gone) {
            assert_eq!(phone.ua.calls(), 0, "{} has a call left", phone.name);
            assert_eq!(phone.ua.transactions(), (0, 0), "{} has transactions left", phone.name);
            let timer = phone.ua.poll_timeout().map(|(_, timer)| timer);
            assert!(matches!(timer, None | Some(Timer::Registration(_))), "{} has {timer:?} left", phone.name);
        }
    }
}

/// The method or the status code.
fn what(message: &Message) -> String {
    match message {
        Message::Request(request) => request.method.to_string(),
        Message::Response(response) => {
            let cseq = text(&response.headers, &HeaderName::CSeq);
            match cseq.rsplit_once(' ') {
                Some((_, "INVITE")) => response.status.code().to_string(),
                Some((_, method)) => format!("{}-{method}", response.status.code()),
                None => response.status.code().to_string(),
            }
        }
    }
}
