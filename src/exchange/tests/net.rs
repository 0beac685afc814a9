//! A network in memory: the exchange at one address, scripted peers at others.

use std::collections::{BTreeMap, VecDeque};
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use bytes::Bytes;

use crate::exchange::{Config, Core, User};
use crate::sip::digest::{self, Algorithm, Challenge, CredentialsLine, Qop};
use crate::sip::transport::{Flow, Transport};
use crate::sip::{HeaderName, Limits, Message, Request, Response, parse_datagram, text};

pub const EXCHANGE: &str = "127.0.0.1:5060";

pub struct Net {
    pub core: Core,
    pub now: Instant,
    inboxes: BTreeMap<SocketAddr, VecDeque<Bytes>>,
    serial: u32,
}

/// A scripted phone.
#[derive(Clone)]
pub struct Peer {
    pub user: &'static str,
    pub password: &'static str,
    pub address: SocketAddr,
}

pub fn peer(user: &'static str, port: u16) -> Peer {
    Peer { user, password: "secret", address: SocketAddr::from(([127, 0, 0, 1], port)) }
}

/// Users alice, bob and carol, all with the password "secret".
pub fn config() -> Config {
    let users = ["alice", "bob", "carol"].map(|name| User { name: name.into(), password: "secret".into() }).to_vec();
    Config {
        listen: EXCHANGE.parse().unwrap(),
        domain: "example.com".into(),
        users,
        algorithms: vec![Algorithm::Sha256, Algorithm::Md5],
        ..Config::default()
    }
}

impl Net {
    pub fn new(config: &Config) -> Net {
        Net { core: Core::new(config, [7; 32]), now: Instant::now(), inboxes: BTreeMap::new(), serial: 0 }
    }

    /// A number that no call before had.
    pub fn fresh(&mut self) -> u32 {
        self.serial += 1;
        self.serial
    }

    pub fn send(&mut self, from: &Peer, message: &str) {
        self.deliver(from.address, message.as_bytes());
    }

    /// Brings the exchange a datagram.
    pub fn deliver(&mut self, from: SocketAddr, bytes: &[u8]) {
        let flow = Flow { transport: Transport::Udp, local: EXCHANGE.parse().unwrap(), remote: from };
        self.core.handle_datagram(self.now, flow, bytes);
        self.drain();
    }

    /// The next datagram for a peer.
    pub fn take(&mut self, at: &Peer) -> Option<Bytes> {
        self.inboxes.get_mut(&at.address)?.pop_front()
    }

    fn drain(&mut self) {
        while let Some(transmit) = self.core.poll_transmit() {
            self.inboxes.entry(transmit.flow.remote).or_default().push_back(transmit.bytes);
        }
    }

    /// Time passes; what is due on the way happens when it is due.
    pub fn advance(&mut self, by: Duration) {
        let until = self.now + by;
        while let Some(at) = self.core.poll_timeout().filter(|at| *at <= until) {
            self.now = self.now.max(at);
            self.core.handle_timeout(self.now);
            self.drain();
        }
        self.now = until;
    }

    fn receive(&mut self, at: &Peer) -> Option<Message> {
        let bytes = self.take(at)?;
        Some(parse_datagram(bytes, &Limits::datagram()).expect("what the exchange sends can be read"))
    }

    #[track_caller]
    pub fn expect_request(&mut self, at: &Peer, method: &str) -> Request {
        match self.receive(at) {
            Some(Message::Request(request)) if request.method.to_string() == method => request,
            other => panic!("{} waits for {method}, not for {other:?}", at.user),
        }
    }

    #[track_caller]
    pub fn expect(&mut self, at: &Peer, code: u16) -> Response {
        match self.receive(at) {
            Some(Message::Response(response)) if response.status.code() == code => response,
            other => panic!("{} waits for {code}, not for {other:?}", at.user),
        }
    }

    #[track_caller]
    pub fn expect_nothing(&mut self, at: &Peer) {
        if let Some(message) = self.receive(at) {
            panic!("{} waits for nothing, not for {message:?}", at.user);
        }
    }

    /// Everything ends, and nobody has anything left to read.
    #[track_caller]
    pub fn assert_quiescent(&mut self) {
        self.advance(Duration::from_secs(400));
        assert!(self.core.is_idle(), "something is still under way");
        assert_eq!(self.core.poll_timeout(), None);
    }

    /// Registers the peer's address for its user; the ladder of RFC 3665 section 2.1.
    #[track_caller]
    pub fn register(&mut self, who: &Peer) {
        let id = self.fresh();
        let contact = format!("Contact: <sip:{}@{}>\r\nExpires: 3600\r\n", who.user, who.address);
        self.send(who, &who.register(id, 1, &contact));
        let challenge = self.expect(who, 401);
        let credentials = who.credentials(&challenge, "REGISTER", "sip:example.com", 1);
        self.send(who, &who.register(id, 2, &format!("{contact}Authorization: {credentials}\r\n")));
        self.expect(who, 200);
    }
}

impl Peer {
    /// A REGISTER of the user's own address of record; `rest` are whole header lines.
    pub fn register(&self, id: u32, cseq: u32, rest: &str) -> String {
        let Peer { user, address, .. } = self;
        format!(
            "REGISTER sip:example.com SIP/2.0\r\nVia: SIP/2.0/UDP {address};branch=z9hG4bKr{user}{id}-{cseq};rport\r\n\
             Max-Forwards: 70\r\nFrom: <sip:{user}@example.com>;tag=r{id}\r\nTo: <sip:{user}@example.com>\r\n\
             Call-ID: reg{id}@{user}\r\nCSeq: {cseq} REGISTER\r\n{rest}Content-Length: 0\r\n\r\n"
        )
    }

    /// A request from the user; `to` stands in the Request-URI and in To.
    pub fn request(&self, method: &str, to: &str, id: u32, cseq: u32, rest: &str) -> String {
        let Peer { user, address, .. } = self;
        let via = format!("Via: SIP/2.0/UDP {address};branch=z9hG4bKq{user}{id}-{cseq};rport\r\n");
        format!(
            "{method} {to} SIP/2.0\r\n{via}Max-Forwards: 70\r\nFrom: <sip:{user}@example.com>;tag=q{id}\r\n\
             To: <{to}>\r\nCall-ID: call{id}@{user}\r\nCSeq: {cseq} {method}\r\nContact: <sip:{user}@{address}>\r\n\
             {rest}Content-Length: 0\r\n\r\n"
        )
    }

    /// The answer to the first challenge of a 401 or 407.
    pub fn credentials(&self, challenge: &Response, method: &str, uri: &str, nc: u32) -> String {
        let name = match challenge.status.code() {
            401 => HeaderName::WwwAuthenticate,
            _ => HeaderName::ProxyAuthenticate,
        };
        let value = challenge.headers.value(&name).expect("a challenge");
        let challenge = Challenge::parse_row(&value).unwrap().remove(0).unwrap();
        answer(&challenge, self.user, self.password, method, uri, nc)
    }

    /// A response to a request that the exchange brought.
    pub fn reply(&self, request: &Request, code: u16, rest: &str) -> String {
        let mut out = format!("SIP/2.0 {code} Scripted\r\n");
        for name in [HeaderName::Via, HeaderName::RecordRoute, HeaderName::From, HeaderName::CallId, HeaderName::CSeq] {
            for header in request.headers.get_all(&name) {
                out += &format!("{name}: {}\r\n", String::from_utf8_lossy(&header.value()));
            }
        }
        let to = text(&request.headers, &HeaderName::To);
        let tag = if code == 100 || to.contains(";tag=") { String::new() } else { format!(";tag=t{}", self.user) };
        out += &format!(
            "To: {to}{tag}\r\nContact: <sip:{}@{}>\r\n{rest}Content-Length: 0\r\n\r\n",
            self.user, self.address
        );
        out
    }
}

/// Credentials for a challenge.
pub fn answer(challenge: &Challenge, user: &str, password: &str, method: &str, uri: &str, nc: u32) -> String {
    let inputs = digest::Inputs {
        algorithm: challenge.algorithm().expect("a known algorithm"),
        username: user,
        realm: &challenge.realm,
        password,
        nonce: &challenge.nonce,
        cnonce: "0a4f113b",
        nc,
        qop: Qop::Auth,
        method,
        uri,
        body: b"",
    };
    CredentialsLine {
        username: user.into(),
        realm: challenge.realm.clone(),
        nonce: challenge.nonce.clone(),
        uri: uri.into(),
        response: digest::response(&inputs),
        algorithm: challenge.algorithm.clone(),
        cnonce: Some("0a4f113b".into()),
        nc: Some(nc),
        qop: Qop::Auth,
        opaque: None,
    }
    .to_string()
}

/// The values of a header field, row by row.
pub fn rows(headers: &crate::sip::Headers, name: &HeaderName) -> Vec<String> {
    headers.get_all(name).map(|header| String::from_utf8_lossy(&header.value()).into_owned()).collect()
}
