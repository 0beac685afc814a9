//! One user agent and its clock.

use std::cell::{RefCell, RefMut};
use std::collections::{BTreeMap, HashMap, VecDeque};
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::{Duration, Instant};

use offhook::sip::transport::{Flow, Transport};
use offhook::sip::{Limits, Message, Uri, parse_datagram};
use offhook::ua::{CallNo, Command, CommandError, Config, Event, NetworkChange, Resolve, Timer, UserAgent};

use super::{ACCOUNT, MEDIA, Peer, uri};
use offhook::ua::command::Reply;

/// Longer than any transaction lives after its last message (Timer D, 32 s, and a whole one more).
const LINGER: Duration = Duration::from_secs(80);

/// A user agent at 192.0.2.101, driven through a shared handle.
#[derive(Clone)]
pub struct Phone(Rc<RefCell<World>>);

pub struct World {
    pub ua: UserAgent,
    pub now: Instant,
    local: SocketAddr,
    /// By what datagrams come here.
    pub transport: Transport,
    /// The address that others see, behind a translator.
    pub source: Option<SocketAddr>,
    /// Keep-alives sent.
    pub kept_alive: u32,
    /// Addresses that it has had.
    left: Vec<SocketAddr>,
    names: HashMap<String, SocketAddr>,
    /// Further addresses of a name, tried after its first.
    further: HashMap<String, Vec<SocketAddr>>,
    /// Names are answered at once.
    resolves: bool,
    unresolved: VecDeque<Resolve>,
    pub inboxes: BTreeMap<SocketAddr, VecDeque<Message>>,
    events: VecDeque<Event>,
    numbers: u32,
}

impl Phone {
    /// A phone that resolves the names of RFC 3665 at once.
    pub fn new(config: Config) -> Phone {
        Phone::seeded(config, 1)
    }

    pub fn seeded(config: Config, seed: u8) -> Phone {
        let start = Instant::now();
        let names = [
            ("atlanta.example.com", "192.0.2.111:5060"),
            ("ss1.atlanta.example.com", "192.0.2.111:5060"),
            ("biloxi.example.com", "192.0.2.222:5060"),
            ("ss2.biloxi.example.com", "192.0.2.222:5060"),
            ("client.biloxi.example.com", "192.0.2.201:5060"),
        ];
        Phone(Rc::new(RefCell::new(World {
            ua: UserAgent::new(start, config, [seed; 32]),
            now: start,
            local: "192.0.2.101:5060".parse().unwrap(),
            transport: Transport::Udp,
            source: None,
            kept_alive: 0,
            left: Vec::new(),
            names: names.into_iter().map(|(name, at)| (name.to_owned(), at.parse().unwrap())).collect(),
            further: HashMap::new(),
            resolves: true,
            unresolved: VecDeque::new(),
            inboxes: BTreeMap::new(),
            events: VecDeque::new(),
            numbers: 0,
        })))
    }

    /// Someone at an address.
    pub fn peer(&self, user: &str, address: &str) -> Peer {
        Peer::new(self.clone(), user, address.parse().unwrap())
    }

    /// Bob's phone, reached directly.
    pub fn bob(&self) -> Peer {
        self.peer("bob", "192.0.2.201:5060")
    }

    pub fn world(&self) -> RefMut<'_, World> {
        self.0.borrow_mut()
    }

    /// Where the phone is.
    pub fn address(&self) -> SocketAddr {
        self.world().local
    }

    /// A number that no other call of this gave.
    pub fn number(&self) -> u32 {
        self.world().numbers += 1;
        self.world().numbers
    }

    // ---- the person ----

    pub fn command(&self, command: Command) -> Result<Reply, CommandError> {
        let mut world = self.world();
        let now = world.now;
        let reply = world.ua.command(now, command);
        world.drain();
        reply
    }

    #[track_caller]
    pub fn register(&self) {
        self.command(Command::Register { account: ACCOUNT }).unwrap();
    }

    /// Calls by the account, if there is one.
    #[track_caller]
    pub fn dial(&self, target: &str) -> CallNo {
        self.dial_with(Some(ACCOUNT), target)
    }

    /// Calls without an account.
    #[track_caller]
    pub fn dial_direct(&self, target: &str) -> CallNo {
        self.dial_with(None, target)
    }

    #[track_caller]
    fn dial_with(&self, account: Option<offhook::ua::AccountId>, target: &str) -> CallNo {
        match self.command(Command::Dial { account, target: uri(target), media: MEDIA }) {
            Ok(Reply::Call(no)) => no,
            other => panic!("{other:?}"),
        }
    }

    #[track_caller]
    pub fn answer(&self, call: CallNo) {
        self.command(Command::Answer { call, media: MEDIA }).unwrap();
    }

    #[track_caller]
    pub fn hang_up(&self, call: CallNo) {
        self.command(Command::Hangup { call }).unwrap();
    }

    #[track_caller]
    pub fn hold(&self, call: CallNo) {
        self.command(Command::Hold { call }).unwrap();
    }

    #[track_caller]
    pub fn resume(&self, call: CallNo) {
        self.command(Command::Resume { call }).unwrap();
    }

    #[track_caller]
    pub fn transfer(&self, call: CallNo, target: &str) {
        self.command(Command::Transfer { call, target: uri(target) }).unwrap();
    }

    /// The network has changed: subscribes afresh.
    pub fn resubscribe(&self) {
        let mut world = self.world();
        let now = world.now;
        world.ua.resubscribe(now, ACCOUNT);
        world.drain();
    }

    // ---- the network ----

    /// A datagram comes.
    pub fn receive(&self, from: SocketAddr, bytes: &[u8]) {
        let mut world = self.world();
        let (now, flow) = (world.now, Flow { transport: world.transport, ..world.flow(from) });
        world.ua.handle_datagram(now, flow, bytes);
        world.drain();
    }

    /// The network refuses what goes to `remote`.
    pub fn refuse(&self, remote: &str) {
        self.refuse_by(Transport::Udp, remote);
    }

    /// The network refuses what goes to `remote` by this transport.
    pub fn refuse_by(&self, transport: Transport, remote: &str) {
        let mut world = self.world();
        let (now, flow) = (world.now, Flow { transport, ..world.flow(remote.parse().unwrap()) });
        world.ua.handle_transport_error(now, flow);
        world.drain();
    }

    /// The machine has another address from now on; nobody has noticed.
    pub fn move_to(&self, address: &str) {
        let mut world = self.world();
        let left = std::mem::replace(&mut world.local, address.parse().unwrap());
        world.left.push(left);
    }

    /// Somebody has noticed.
    pub fn change_network(&self, change: NetworkChange) {
        let mut world = self.world();
        let now = world.now;
        world.ua.handle_network_change(now, change);
        world.drain();
    }

    /// Names are left unanswered until [`Phone::resolve`].
    pub fn stop_resolving(&self) {
        self.world().resolves = false;
    }

    /// A name has one more address, at its end.
    pub fn also_at(&self, host: &str, address: &str) {
        self.world().further.entry(host.to_owned()).or_default().push(address.parse().unwrap());
    }

    /// Answers the next name that waits: with its address, or with nothing.
    #[track_caller]
    pub fn resolve(&self, host: &str, found: bool) {
        let mut world = self.world();
        let query = world.unresolved.pop_front().expect("a name waits");
        assert_eq!(query.host, host);
        world.answer(&query, found);
        world.drain();
    }

    // ---- time ----

    /// Lets time pass, with every deadline at its moment.
    #[track_caller]
    pub fn advance(&self, duration: Duration) {
        let mut world = self.world();
        let end = world.now + duration;
        let mut spins = 0;
        while let Some((at, timer)) = world.ua.poll_timeout().filter(|(at, _)| *at <= end) {
            spins = if at > world.now { 0 } else { spins + 1 };
            assert!(spins < 100, "{timer:?} is due again and again");
            world.now = world.now.max(at);
            let now = world.now;
            world.ua.handle_timeout(now);
            world.drain();
        }
        world.now = end;
    }

    /// Lets time pass until something is sent; says how long that was.
    #[track_caller]
    pub fn advance_until_sent(&self, limit: Duration) -> Duration {
        let start = self.world().now;
        while self.world().inboxes.values().all(VecDeque::is_empty) {
            let (wait, _) = self.next_deadline().expect("something is due");
            self.advance(wait);
            assert!(self.world().now.duration_since(start) <= limit, "nothing was sent within {limit:?}");
        }
        self.world().now.duration_since(start)
    }

    /// How long until the next deadline, and which.
    pub fn next_deadline(&self) -> Option<(Duration, Timer)> {
        let world = self.world();
        world.ua.poll_timeout().map(|(at, timer)| (at.saturating_duration_since(world.now), timer))
    }

    // ---- what came out ----

    pub fn next_event(&self) -> Option<Event> {
        self.world().events.pop_front()
    }

    /// Throws away what was told so far.
    pub fn skip_events(&self) {
        self.world().events.clear();
    }

    /// Throws away what was told up to [`Event::Quiet`], which must be there and the last.
    #[track_caller]
    pub fn skip_until_quiet(&self) {
        let mut world = self.world();
        assert_eq!(world.events.back(), Some(&Event::Quiet), "{:#?}", world.events);
        world.events.clear();
    }

    /// Throws away what was sent so far (retransmissions that are not the matter).
    pub fn skip_datagrams(&self) {
        self.world().inboxes.clear();
    }

    /// No datagram and no event that nobody took.
    #[track_caller]
    pub fn assert_silent(&self) {
        let world = self.world();
        let left: Vec<String> = world
            .inboxes
            .iter()
            .flat_map(|(to, inbox)| inbox.iter().map(move |message| format!("to {to}: {}", show(message))))
            .collect();
        assert!(left.is_empty(), "nobody expected these:\n{}", left.join("\n"));
        assert!(world.events.is_empty(), "nobody expected {:#?}", world.events);
    }

    /// Nothing is left over: no datagram or event, and when the transactions have had their time, no call, transaction
    /// or timer but a registration's.
    #[track_caller]
    pub fn assert_quiescent(&self) {
        self.assert_silent();
        self.advance(LINGER);
        self.assert_silent();
        let world = self.world();
        assert_eq!(world.ua.calls(), 0, "a call is left");
        assert_eq!(world.ua.transactions(), (0, 0), "client and server transactions are left");
        match world.ua.poll_timeout() {
            None => assert!(world.ua.is_quiescent()),
            Some((_, Timer::Registration(_) | Timer::KeepAlive(_) | Timer::Subscription(_))) => {}
            Some((_, timer)) => panic!("{timer:?} is left"),
        }
        assert!(world.unresolved.is_empty(), "{:?} waits for an answer", world.unresolved);
    }
}

impl World {
    fn flow(&self, remote: SocketAddr) -> Flow {
        Flow { transport: Transport::Udp, local: self.local, remote }
    }

    fn answer(&mut self, query: &Resolve, found: bool) {
        let ip = query.host.parse().ok().map(|ip| SocketAddr::new(ip, query.port.unwrap_or(5060)));
        let address = ip.or_else(|| self.names.get(&query.host).copied());
        let further = self.further.get(&query.host).into_iter().flatten().copied();
        let transport = query.plain_transport();
        let addresses = address.into_iter().chain(further).filter(|_| found);
        let flows = addresses.map(|address| Flow { transport, ..self.flow(address) }).collect();
        let now = self.now;
        self.ua.handle_resolved(now, query, flows);
    }

    fn drain(&mut self) {
        loop {
            while let Some(out) = self.ua.poll_transmit() {
                // Transactions that began before the phone moved keep to their way.
                assert!(out.flow.local == self.local || self.left.contains(&out.flow.local), "{}", out.flow.local);
                if out.bytes.as_ref() == b"\r\n\r\n" {
                    self.kept_alive += 1;
                    continue;
                }
                let message = parse_datagram(out.bytes.clone(), &Limits::datagram())
                    .unwrap_or_else(|error| panic!("{error}: {}", String::from_utf8_lossy(&out.bytes)));
                self.inboxes.entry(out.flow.remote).or_default().push_back(message);
            }
            while let Some(event) = self.ua.poll_event() {
                self.events.push_back(event);
            }
            match self.ua.poll_resolve() {
                Some(query) if self.resolves || query.host.parse::<std::net::IpAddr>().is_ok() => {
                    self.answer(&query, true);
                }
                Some(query) => self.unresolved.push_back(query),
                None => break,
            }
        }
    }
}

/// A message on one line.
pub fn show(message: &Message) -> String {
    String::from_utf8_lossy(&message.to_bytes()).lines().next().unwrap_or_default().to_owned()
}

/// The URI between the angle brackets of a header field's value.
pub fn bracketed(value: &str) -> Uri {
    let start = value.find('<').map_or(0, |place| place + 1);
    let end = value.find('>').unwrap_or(value.len());
    uri(&value[start..end])
}
