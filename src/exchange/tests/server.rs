//! The exchange on real sockets, and a caller with real sound.

use std::collections::VecDeque;
use std::net::UdpSocket;
use std::time::{Duration, Instant};

use crate::exchange::{Config, Exchange, User, demo};
use crate::media::goertzel;
use crate::media::session::{Session, Transmit};
use crate::media::tones::{Generator, Pattern};
use crate::sdp::{Capabilities, Codec, HoldStyle};
use crate::sip::Uri;
use crate::sip::transport::{Flow, Transport};
use crate::ua::command::{MediaPorts, Reply};
use crate::ua::config::{Account, AutoAnswer, Config as UaConfig, Credentials, TransferPolicy};
use crate::ua::{AccountId, Command, Event, UserAgent};

const DEADLINE: Duration = Duration::from_secs(30);
const TICK: Duration = Duration::from_millis(20);

/// A phone of a few lines.
struct Caller {
    ua: UserAgent,
    socket: UdpSocket,
    flow: Flow,
    rtp: UdpSocket,
    rtcp: UdpSocket,
    session: Session,
    tone: Generator,
    heard: Vec<i16>,
    /// What has happened and nobody has waited for yet.
    told: VecDeque<Event>,
    tick: Instant,
}

fn bind() -> UdpSocket {
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    socket.set_nonblocking(true).unwrap();
    socket
}

impl Caller {
    /// "you", at an exchange with this password; says a tone of `hz`.
    fn new(exchange: &Exchange, password: &str, hz: f32) -> Caller {
        let uri = |user: &str| Uri::parse(format!("sip:{user}@{}", exchange.address()).into()).unwrap();
        let account = Account {
            name: "you".into(),
            uri: uri("you"),
            display_name: None,
            registrar: Uri::parse(format!("sip:{}", exchange.address()).into()).unwrap(),
            route: Vec::new(),
            fallbacks: Vec::new(),
            expires: Duration::from_secs(600),
            srtp: Default::default(),
            srtp_keying: Default::default(),
            register: true,
            credentials: Some(Credentials { user: "you".into(), password: password.into() }),
            realms: Vec::new(),
            rewrite_contact: true,
            gruu: true,
            instance: None,
            events: Default::default(),
        };
        let config = UaConfig {
            accounts: vec![account],
            user_agent: "test".into(),
            capabilities: Capabilities {
                codecs: vec![Codec::Pcmu, Codec::Pcma],
                ptime_ms: 20,
                telephone_event: true,
                dtx: false,
                rtcp_mux: true,
                ice: Default::default(),
            },
            srtp: Default::default(),
            srtp_keying: Default::default(),
            hold: HoldStyle::Zero,
            max_calls: 8,
            ring_timeout: Duration::from_secs(60),
            reliable_ringing: false,
            session_expires: Duration::ZERO,
            auto_answer: AutoAnswer::Never,
            auto_answer_after: Duration::ZERO,
            transfers: TransferPolicy::Refuse,
            redirects: TransferPolicy::Refuse,
            refer_outside: false,
            bye_also: false,
            auto_answer_from: Vec::new(),
            direct_calls: false,
            keep_alive: None,
        };
        let (socket, now) = (bind(), Instant::now());
        let flow = Flow { transport: Transport::Udp, local: socket.local_addr().unwrap(), remote: exchange.address() };
        let pattern = Pattern { frequencies: [hz, 0.0], level_dbfs: -10.0, cadence: &[(3_600_000, 0)], repeats: true };
        let mut session = Session::new(now, [5; 32]);
        session.set_microphone_open(true);
        Caller {
            // Two callers must not have the same Call-IDs.
            ua: UserAgent::new(now, config, std::array::from_fn(|n| flow.local.port().to_be_bytes()[n % 2])),
            socket,
            flow,
            rtp: bind(),
            rtcp: bind(),
            session,
            tone: Generator::new(pattern, 8000),
            heard: Vec::new(),
            told: VecDeque::new(),
            tick: now + TICK,
        }
    }

    /// Carries everything for a moment.
    fn turn(&mut self) {
        let now = Instant::now();
        let mut buffer = [0; 65_535];
        while let Ok((length, _)) = self.socket.recv_from(&mut buffer) {
            self.ua.handle_datagram(now, self.flow, &buffer[..length]);
        }
        while let Ok((length, from)) = self.rtp.recv_from(&mut buffer) {
            self.session.handle_rtp(now, from, &buffer[..length]);
        }
        while self.ua.poll_timeout().is_some_and(|(at, _)| at <= now) {
            self.ua.handle_timeout(now);
        }
        while let Some(query) = self.ua.poll_resolve() {
            self.ua.handle_resolved(now, &query, vec![self.flow]);
        }
        if self.tick <= now {
            self.tick += TICK;
            let mut samples = [0; 160];
            self.session.playout(now, &mut samples);
            self.heard.extend(samples);
            self.tone.fill(&mut samples);
            self.session.capture(now, &samples);
        }
        while let Some(transmit) = self.ua.poll_transmit() {
            self.socket.send_to(&transmit.bytes, transmit.flow.remote).unwrap();
        }
        while let Some(transmit) = self.session.poll_transmit() {
            let _ = match transmit {
                Transmit::Rtp { to, bytes } => self.rtp.send_to(&bytes, to),
                Transmit::Rtcp { to, bytes } => self.rtcp.send_to(&bytes, to),
            };
        }
        while let Some(event) = self.ua.poll_event() {
            if let Event::Media { media, .. } = &event {
                self.session.configure(now, media);
            }
            self.told.push_back(event);
        }
        // The next tick at the latest; sooner when a datagram comes.
        let wait = self.tick.saturating_duration_since(Instant::now()).min(Duration::from_millis(2));
        self.socket.set_nonblocking(false).unwrap();
        self.socket.set_read_timeout(Some(wait.max(Duration::from_micros(100)))).unwrap();
        let _ = self.socket.peek(&mut buffer);
        self.socket.set_nonblocking(true).unwrap();
    }

    #[track_caller]
    fn until(&mut self, wanted: impl Fn(&Caller, &Event) -> bool) {
        let end = Instant::now() + DEADLINE;
        let mut seen = Vec::new();
        while Instant::now() < end {
            while let Some(event) = self.told.pop_front() {
                if wanted(self, &event) {
                    return;
                }
                seen.push(event);
            }
            self.turn();
        }
        panic!("it did not come: {seen:?}");
    }

    /// Waits until it hears a tone, and nothing beside it, in a piece of a quarter of a second: a machine that stands still for a
    /// moment breaks it elsewhere. False: the call ended before.
    #[track_caller]
    fn hears(&mut self, hz: f32) -> bool {
        const PIECE: usize = 2000;
        let end = Instant::now() + DEADLINE;
        let mut levels = Vec::new();
        self.heard.clear();
        while !levels.iter().any(|(tone, beside)| *tone > -25.0 && *beside < tone - 20.0) {
            if self.told.iter().any(|event| matches!(event, Event::Ended { .. })) {
                return false;
            }
            let stats = self.session.stats();
            assert!(Instant::now() < end, "{hz} Hz and what is beside it, in dBFS: {levels:?}; {stats:?}");
            self.turn();
            if self.heard.len() >= PIECE {
                let piece = std::mem::take(&mut self.heard);
                levels.push((goertzel::level(&piece, hz, 8000), goertzel::level(&piece, hz * 1.3, 8000)));
            }
        }
        true
    }

    fn call(&mut self, exchange: &Exchange, number: &str) -> crate::ua::CallNo {
        let media = MediaPorts::new(self.rtp.local_addr().unwrap().port(), self.rtcp.local_addr().unwrap().port());
        let target = Uri::parse(format!("sip:{number}@{}", exchange.address()).into()).unwrap();
        let dial = Command::Dial { account: Some(AccountId(0)), target, media };
        let Ok(Reply::Call(call)) = self.ua.command(Instant::now(), dial) else { panic!("no call") };
        call
    }
}

#[test]
fn a_phone_registers_hears_the_echo_of_its_own_tone_and_then_the_exchange_s() {
    let (exchange, password) = demo::start().unwrap();
    let mut caller = Caller::new(&exchange, &password, 700.0);
    caller.ua.command(Instant::now(), Command::Register { account: AccountId(0) }).unwrap();
    caller.until(|_, event| matches!(event, Event::Registered { .. }));

    let call = caller.call(&exchange, "600");
    caller.until(|_, event| matches!(event, Event::Established { .. }));
    assert!(caller.hears(700.0), "the echo");
    caller.ua.command(Instant::now(), Command::Hangup { call }).unwrap();
    caller.until(|_, event| matches!(event, Event::Ended { .. }));

    // Its tone is short: a machine that stands still meanwhile hears it in another call.
    let is_heard = (0..5).any(|_| {
        caller.session = Session::new(Instant::now(), [8; 32]);
        caller.call(&exchange, "604");
        caller.until(|_, event| matches!(event, Event::Ringing { code: 183, early_media: true, .. }));
        let is_heard = caller.hears(440.0);
        caller.until(|_, event| matches!(event, Event::Ended { code: Some(486), .. }));
        is_heard
    });
    assert!(is_heard, "the tone before the answer");

    // The exchange goes with a call up: it says goodbye.
    caller.session = Session::new(Instant::now(), [9; 32]);
    caller.call(&exchange, "605");
    caller.until(|_, event| matches!(event, Event::Established { .. }));
    exchange.shutdown();
    caller.until(|_, event| matches!(event, Event::Ended { .. }));
}

#[test]
fn in_the_conference_room_each_hears_the_other_and_not_himself() {
    let (exchange, password) = demo::start().unwrap();
    let mut callers = [Caller::new(&exchange, &password, 700.0), Caller::new(&exchange, &password, 1000.0)];
    for caller in &mut callers {
        caller.ua.command(Instant::now(), Command::Register { account: AccountId(0) }).unwrap();
        caller.until(|_, event| matches!(event, Event::Registered { .. }));
        caller.call(&exchange, "608");
        caller.until(|_, event| matches!(event, Event::Established { .. }));
    }
    let end = Instant::now() + DEADLINE;
    const PIECE: usize = 2000;
    let levels = |caller: &mut Caller, own, other| {
        let piece = std::mem::take(&mut caller.heard);
        (goertzel::level(&piece, own, 8000), goertzel::level(&piece, other, 8000))
    };
    let mut seen = [Vec::new(), Vec::new()];
    let is_right = |levels: &[(f32, f32)]| levels.iter().any(|(own, other)| *other > -25.0 && *own < other - 20.0);
    while !seen.iter().all(|levels| is_right(levels)) {
        assert!(Instant::now() < end, "own voice and the other one's, in dBFS: {seen:?}");
        callers.iter_mut().for_each(Caller::turn);
        for (place, (own, other)) in [(700.0, 1000.0), (1000.0, 700.0)].into_iter().enumerate() {
            if callers[place].heard.len() >= PIECE {
                seen[place].push(levels(&mut callers[place], own, other));
            }
        }
    }
}

#[test]
fn without_passwords_it_stays_at_home() {
    let everywhere = Config { listen: "0.0.0.0:0".parse().unwrap(), ..Config::default() };
    let error = Exchange::start(everywhere.clone()).unwrap_err();
    assert_eq!(error.kind(), std::io::ErrorKind::InvalidInput);
    assert!(error.to_string().contains("needs users with passwords"), "{error}");
    let empty = vec![User { name: "a".into(), password: String::new() }];
    assert!(Exchange::start(Config { users: empty, ..everywhere.clone() }).is_err());
    let guarded = vec![User { name: "a".into(), password: "b".into() }];
    let exchange = Exchange::start(Config { users: guarded, ..everywhere }).unwrap();
    assert!(!exchange.address().ip().is_unspecified() && exchange.address().port() != 0);
    let (first, _) = demo::start().unwrap();
    let taken = Config { listen: first.address(), ..Config::default() };
    assert_eq!(Exchange::start(taken).unwrap_err().kind(), std::io::ErrorKind::AddrInUse);
}
