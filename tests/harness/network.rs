//! Several user agents and a registrar, joined by a network that loses, doubles and reorders as its seed says.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use offhook::sip::transport::{Flow, Transport};
use offhook::sip::{HeaderName, Limits, Message, Method, parse_datagram, text};
use offhook::ua::{CallNo, Command, CommandError, Config, Event, Timer, UserAgent, command::Reply};
use rand_chacha::ChaCha20Rng;
use rand_core::{RngCore, SeedableRng};

use super::ms;

/// What the network does to datagrams, in percent.
#[derive(Clone, Copy)]
pub struct Link {
    pub loss: u32,
    pub double: u32,
    pub reorder: u32,
}

/// A network that loses nothing.
pub const PERFECT: Link = Link { loss: 0, double: 0, reorder: 0 };
/// Loses 10 %, doubles 5 %, reorders 10 %.
pub const BAD: Link = Link { loss: 10, double: 5, reorder: 10 };

const DELAY: Duration = ms_const(10);
const LATE: u32 = 300;

const fn ms_const(milliseconds: u64) -> Duration {
    Duration::from_millis(milliseconds)
}

/// The registrar's address.
pub const REGISTRAR: &str = "10.0.0.100:5060";

pub struct Node {
    pub ua: UserAgent,
    pub address: SocketAddr,
    pub events: Vec<Event>,
}

struct Datagram {
    from: SocketAddr,
    to: SocketAddr,
    bytes: bytes::Bytes,
}

pub struct Network {
    pub now: Instant,
    pub nodes: Vec<Node>,
    wire: BTreeMap<(Instant, u64), Datagram>,
    rng: ChaCha20Rng,
    link: Link,
    /// Nothing reaches this one, and nothing leaves it.
    cut_off: Option<SocketAddr>,
    sent: u64,
}

impl Network {
    /// User agents at 10.0.0.1, 10.0.0.2, ...
    pub fn new(seed: u64, link: Link, configs: Vec<Config>) -> Network {
        let now = Instant::now();
        let nodes = configs.into_iter().zip(1u8..).map(|(config, place)| {
            let mut key = [place; 32];
            key[..8].copy_from_slice(&seed.to_le_bytes());
            let address = SocketAddr::from(([10, 0, 0, place], 5060));
            Node { ua: UserAgent::new(now, config, key), address, events: Vec::new() }
        });
        let rng = ChaCha20Rng::seed_from_u64(seed);
        Network { now, nodes: nodes.collect(), wire: BTreeMap::new(), rng, link, cut_off: None, sent: 0 }
    }

    pub fn command(&mut self, place: usize, command: Command) -> Result<Reply, CommandError> {
        let now = self.now;
        let reply = self.nodes[place].ua.command(now, command);
        self.drain(place);
        reply
    }

    /// A user agent calls another.
    pub fn dial(&mut self, from: usize, to: usize) -> CallNo {
        let target = super::uri(&format!("sip:phone@{}", self.nodes[to].address));
        match self.command(from, Command::Dial { account: None, target, media: super::MEDIA }) {
            Ok(Reply::Call(no)) => no,
            other => panic!("{other:?}"),
        }
    }

    /// Lets time pass until something is told that `wanted` picks, within `limit`; what was told before counts too.
    #[track_caller]
    pub fn wait<T>(&mut self, place: usize, limit: Duration, mut wanted: impl FnMut(&Event) -> Option<T>) -> T {
        let end = self.now + limit;
        loop {
            let events = &mut self.nodes[place].events;
            if let Some((at, found)) = events.iter().enumerate().find_map(|(at, event)| Some((at, wanted(event)?))) {
                events.drain(..=at);
                return found;
            }
            let told = format!("{events:#?}");
            assert!(self.step(end), "phone {place} was told only {told}");
        }
    }

    /// Lets time pass.
    pub fn advance(&mut self, duration: Duration) {
        let end = self.now + duration;
        while self.step(end) {}
        self.now = end;
    }

    /// What is due next happens; false: nothing is due before `end`.
    fn step(&mut self, end: Instant) -> bool {
        let datagram = self.wire.first_key_value().map(|((at, _), _)| *at);
        let deadlines =
            self.nodes.iter().enumerate().filter_map(|(place, node)| Some((node.ua.poll_timeout()?.0, place)));
        let deadline = deadlines.min();
        match (datagram, deadline) {
            (Some(at), deadline) if at <= end && deadline.is_none_or(|(due, _)| at <= due) => {
                self.now = self.now.max(at);
                self.deliver();
            }
            (_, Some((due, place))) if due <= end => {
                self.now = self.now.max(due);
                let now = self.now;
                self.nodes[place].ua.handle_timeout(now);
                self.drain(place);
            }
            _ => return false,
        }
        true
    }

    fn deliver(&mut self) {
        let Some((_, datagram)) = self.wire.pop_first() else { return };
        if datagram.to == REGISTRAR.parse().unwrap() {
            if let Some(answer) = registrar(&datagram.bytes) {
                self.send(datagram.to, datagram.from, answer.into());
            }
            return;
        }
        if let Some(place) = self.nodes.iter().position(|node| node.address == datagram.to) {
            let (now, flow) = (self.now, flow(datagram.to, datagram.from));
            self.nodes[place].ua.handle_datagram(now, flow, &datagram.bytes);
            self.drain(place);
        }
    }

    fn drain(&mut self, place: usize) {
        let now = self.now;
        loop {
            let node = &mut self.nodes[place];
            let from = node.address;
            while let Some(event) = node.ua.poll_event() {
                node.events.push(event);
            }
            if let Some(query) = node.ua.poll_resolve() {
                let to = SocketAddr::new(query.host.parse().unwrap(), query.port.unwrap_or(5060));
                node.ua.handle_resolved(now, &query, vec![flow(from, to)]);
            } else if let Some(out) = node.ua.poll_transmit() {
                self.send(from, out.flow.remote, out.bytes);
            } else {
                break;
            }
        }
    }

    /// From now on nothing reaches a user agent, and nothing leaves it.
    pub fn lose_everything(&mut self, place: usize) {
        self.cut_off = Some(self.nodes[place].address);
    }

    fn chance(&mut self, percent: u32) -> bool {
        self.rng.next_u32() % 100 < percent
    }

    fn send(&mut self, from: SocketAddr, to: SocketAddr, bytes: bytes::Bytes) {
        let copies = 1 + u32::from(self.chance(self.link.double));
        for _ in 0..copies {
            if self.chance(self.link.loss) || self.cut_off.is_some_and(|cut| cut == from || cut == to) {
                continue;
            }
            let late = if self.chance(self.link.reorder) { self.rng.next_u32() % LATE } else { 0 };
            self.sent += 1;
            let at = self.now + DELAY + ms(u64::from(late));
            self.wire.insert((at, self.sent), Datagram { from, to, bytes: bytes.clone() });
        }
    }

    /// Nothing is left over anywhere when the transactions have had their time.
    #[track_caller]
    pub fn assert_quiescent(&mut self) {
        self.advance(Duration::from_secs(100));
        for (place, node) in self.nodes.iter().enumerate() {
            assert_eq!(node.ua.calls(), 0, "phone {place} has a call left: {:#?}", node.events);
            assert_eq!(node.ua.transactions(), (0, 0), "phone {place} has transactions left");
            let timer = node.ua.poll_timeout().map(|(_, timer)| timer);
            assert!(matches!(timer, None | Some(Timer::Registration(_))), "phone {place} has {timer:?} left");
        }
        assert!(self.wire.is_empty(), "datagrams are under way");
    }
}

fn flow(local: SocketAddr, remote: SocketAddr) -> Flow {
    Flow { transport: Transport::Udp, local, remote }
}

/// A registrar that asks once for credentials, believes any, and remembers nothing.
fn registrar(bytes: &bytes::Bytes) -> Option<String> {
    let Ok(Message::Request(request)) = parse_datagram(bytes.clone(), &Limits::datagram()) else { return None };
    if request.method != Method::Register {
        return None;
    }
    let known = request.headers.get(&HeaderName::Authorization).is_some();
    let mut out = String::from(if known { "SIP/2.0 200 OK\r\n" } else { "SIP/2.0 401 Unauthorized\r\n" });
    for (name, header) in [
        ("Via", HeaderName::Via),
        ("From", HeaderName::From),
        ("Call-ID", HeaderName::CallId),
        ("CSeq", HeaderName::CSeq),
    ] {
        out += &format!("{name}: {}\r\n", text(&request.headers, &header));
    }
    out += &format!("To: {};tag=registrar\r\n", text(&request.headers, &HeaderName::To));
    let contact = text(&request.headers, &HeaderName::Contact);
    if !known {
        out += "WWW-Authenticate: Digest realm=\"lossy\", nonce=\"n\", qop=\"auth\"\r\n";
    } else if !contact.ends_with("expires=0") {
        out += &format!("Contact: {contact}\r\n");
    }
    Some(out + "Content-Length: 0\r\n\r\n")
}
