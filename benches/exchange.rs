//! The exchange's core in memory: how many whole calls with digest it carries in a second of one core's time, and what a
//! registration costs. `cargo bench --bench exchange` prints both beside their targets and fails where one is missed.
//!
//! Time is simulated, so that transactions live as long as they do on a network at the measured pace. The phones' work
//! (answering challenges, writing responses) is not counted.

#![allow(clippy::disallowed_methods)]

use std::alloc::{GlobalAlloc, Layout, System};
use std::net::SocketAddr;
use std::process::ExitCode;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use offhook::exchange::{Config, Core, User};
use offhook::sip::digest::{self, Algorithm, Challenge, CredentialsLine, Qop};
use offhook::sip::transport::{Flow, Transport};

const CALLS: u32 = 20_000;
const REGISTRATIONS: u32 = 10_000;
/// The targets.
const CALLS_PER_SECOND: f64 = 2000.0;
const BYTES_PER_REGISTRATION: f64 = 2048.0;

/// Counts the bytes that are in use.
struct Counting;

static IN_USE: AtomicUsize = AtomicUsize::new(0);

// SAFETY: the system's allocator does the work; a counter is kept beside it.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        IN_USE.fetch_add(layout.size(), Ordering::Relaxed);
        // SAFETY: the caller's promise is passed on.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        IN_USE.fetch_sub(layout.size(), Ordering::Relaxed);
        // SAFETY: the caller's promise is passed on.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// The exchange, the time, and the time that it took.
struct Bench {
    core: Core,
    now: Instant,
    spent: Duration,
    sent: Vec<(SocketAddr, String)>,
}

const HERE: ([u8; 4], u16) = ([10, 0, 0, 1], 5060);

impl Bench {
    fn new(users: Vec<User>) -> Bench {
        let config = Config {
            listen: HERE.into(),
            domain: "example.com".into(),
            users,
            algorithms: vec![Algorithm::Md5],
            ..Config::default()
        };
        Bench { core: Core::new(&config, [1; 32]), now: Instant::now(), spent: Duration::ZERO, sent: Vec::new() }
    }

    /// A datagram comes; gives what the exchange sends then.
    fn send(&mut self, from: SocketAddr, text: &str) -> Vec<(SocketAddr, String)> {
        let flow = Flow { transport: Transport::Udp, local: HERE.into(), remote: from };
        let begun = Instant::now();
        self.core.handle_datagram(self.now, flow, text.as_bytes());
        let mut out = Vec::new();
        while let Some(transmit) = self.core.poll_transmit() {
            out.push(transmit);
        }
        self.spent += begun.elapsed();
        let mut sent = std::mem::take(&mut self.sent);
        sent.clear();
        sent.extend(out.into_iter().map(|out| (out.flow.remote, String::from_utf8_lossy(&out.bytes).into_owned())));
        sent
    }

    /// Time passes.
    fn advance(&mut self, by: Duration) {
        let until = self.now + by;
        let begun = Instant::now();
        while let Some(at) = self.core.poll_timeout().filter(|at| *at <= until) {
            self.now = self.now.max(at);
            self.core.handle_timeout(self.now);
            while self.core.poll_transmit().is_some() {}
        }
        self.spent += begun.elapsed();
        self.now = until;
    }
}

/// The first message to `to` that begins with `start`.
fn to<'a>(sent: &'a [(SocketAddr, String)], to: SocketAddr, start: &str) -> &'a str {
    let found = sent.iter().find(|(at, text)| *at == to && text.starts_with(start));
    found.map(|(_, text)| text.as_str()).unwrap_or_else(|| panic!("no {start} in {sent:?}"))
}

/// The lines of a header field, each with its end.
fn lines(message: &str, name: &str) -> String {
    message.split_inclusive("\r\n").filter(|line| line.starts_with(name)).collect()
}

fn response(request: &str, code: u16, tag: &str, contact: SocketAddr) -> String {
    let mut text = format!("SIP/2.0 {code} X\r\n");
    for name in ["Via:", "Record-Route:", "From:", "Call-ID:", "CSeq:"] {
        text += &lines(request, name);
    }
    let to = lines(request, "To:");
    let to = to.trim_end();
    let tag = if to.contains(";tag=") { String::new() } else { format!(";tag={tag}") };
    text + &format!("{to}{tag}\r\nContact: <sip:b@{contact}>\r\nContent-Length: 0\r\n\r\n")
}

fn credentials(response: &str, name: &str, user: &str, method: &str, uri: &str) -> String {
    let row = lines(response, name);
    let value = row.trim_end().split_once(": ").map(|(_, value)| value).unwrap_or_default();
    let challenge = Challenge::parse_row(value.as_bytes()).unwrap().remove(0).unwrap();
    let inputs = digest::Inputs {
        algorithm: Algorithm::Md5,
        username: user,
        realm: &challenge.realm,
        password: "secret",
        nonce: &challenge.nonce,
        cnonce: "c",
        nc: 1,
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
        cnonce: Some("c".into()),
        nc: Some(1),
        qop: Qop::Auth,
        opaque: None,
    }
    .to_string()
}

/// REGISTER, 401, REGISTER, 200; from this CSeq on.
fn register(bench: &mut Bench, n: u32, at: SocketAddr, first: u32) {
    let text = |cseq: u32, rest: &str| {
        format!(
            "REGISTER sip:example.com SIP/2.0\r\nVia: SIP/2.0/UDP {at};branch=z9hG4bKr{n}-{cseq};rport\r\nMax-Forwards: 70\r\n\
             From: <sip:user{n}@example.com>;tag=r{n}\r\nTo: <sip:user{n}@example.com>\r\n\
             Call-ID: a-call-id-of-the-usual-length-{n}@{at}\r\nCSeq: {cseq} REGISTER\r\nUser-Agent: bench\r\n\
             Contact: <sip:user{n}-0123456789ab@{at};ob>;expires=3600;q=0.9\r\n{rest}Content-Length: 0\r\n\r\n"
        )
    };
    let challenge = bench.send(at, &text(first, ""));
    let uri = "sip:example.com";
    let line = credentials(to(&challenge, at, "SIP/2.0 401"), "WWW-Authenticate", &format!("user{n}"), "REGISTER", uri);
    let done = bench.send(at, &text(first + 1, &format!("Authorization: {line}\r\n")));
    to(&done, at, "SIP/2.0 200");
}

/// INVITE, 407, ACK, INVITE, 180, 200, ACK, BYE, 200.
fn call(bench: &mut Bench, n: u32, caller: SocketAddr, callee: SocketAddr) {
    let body = "v=0\r\no=- 1 1 IN IP4 10.0.0.2\r\ns=-\r\nc=IN IP4 10.0.0.2\r\nt=0 0\r\nm=audio 4000 RTP/AVP 0 8 101\r\n\
                a=rtpmap:0 PCMU/8000\r\na=rtpmap:8 PCMA/8000\r\na=rtpmap:101 telephone-event/8000\r\n";
    let request = |method: &str, uri: &str, cseq: u32, branch: &str, to: &str, rest: &str, body: &str| {
        format!(
            "{method} {uri} SIP/2.0\r\nVia: SIP/2.0/UDP {caller};branch=z9hG4bK{branch}{n};rport\r\nMax-Forwards: 70\r\n\
             From: <sip:user0@example.com>;tag=f{n}\r\nTo: {to}\r\nCall-ID: call-{n}@{caller}\r\n\
             CSeq: {cseq} {method}\r\nContact: <sip:user0@{caller}>\r\n{rest}Content-Length: {}\r\n\r\n{body}",
            body.len()
        )
    };
    let (uri, bob) = ("sip:user1@example.com", "<sip:user1@example.com>");
    let sdp = "Content-Type: application/sdp\r\n";
    let sent = bench.send(caller, &request("INVITE", uri, 1, "a", bob, sdp, body));
    let challenge = to(&sent, caller, "SIP/2.0 407").to_owned();
    let tagged = lines(&challenge, "To:").trim_end().trim_start_matches("To: ").to_owned();
    bench.send(caller, &request("ACK", uri, 1, "a", &tagged, "", ""));
    let line = credentials(&challenge, "Proxy-Authenticate", "user0", "INVITE", uri);
    let rest = format!("{sdp}Proxy-Authorization: {line}\r\n");
    let sent = bench.send(caller, &request("INVITE", uri, 2, "b", bob, &rest, body));
    let invite = to(&sent, callee, "INVITE").to_owned();
    to(&bench.send(callee, &response(&invite, 180, "t", callee)), caller, "SIP/2.0 180");
    let sent = bench.send(callee, &response(&invite, 200, "t", callee));
    let ok = to(&sent, caller, "SIP/2.0 200").to_owned();
    let route = lines(&ok, "Record-Route:").replace("Record-Route:", "Route:");
    let tagged = lines(&ok, "To:").trim_end().trim_start_matches("To: ").to_owned();
    let target = format!("sip:b@{callee}");
    to(&bench.send(caller, &request("ACK", &target, 2, "c", &tagged, &route, "")), callee, "ACK");
    let sent = bench.send(caller, &request("BYE", &target, 3, "d", &tagged, &route, ""));
    let bye = to(&sent, callee, "BYE").to_owned();
    to(&bench.send(callee, &response(&bye, 200, "t", callee)), caller, "SIP/2.0 200");
}

fn phone(n: u32) -> SocketAddr {
    let [_, _, high, low] = n.to_be_bytes();
    SocketAddr::from(([10, 1, high, low], 5060))
}

fn verdict(what: &str, value: String, target: &str, met: bool) -> bool {
    println!("{what:<40} {value:>14}   target {target}: {}", if met { "yes" } else { "NO" });
    met
}

fn main() -> ExitCode {
    let users = (0..REGISTRATIONS).map(|n| User { name: format!("user{n}"), password: "secret".into() });
    let mut bench = Bench::new(users.collect());
    let before = IN_USE.load(Ordering::Relaxed);
    for n in 0..REGISTRATIONS {
        register(&mut bench, n, phone(n), 1);
        bench.advance(Duration::from_micros(500));
    }
    let pace = f64::from(REGISTRATIONS) / bench.spent.as_secs_f64();
    // The transactions end, the nonces grow old, and the bindings stay.
    bench.advance(Duration::from_secs(400));
    register(&mut bench, 0, phone(0), 3);
    bench.advance(Duration::from_secs(40));
    let kept = bench.core.bindings(bench.now, "user9999").len();
    let each = (IN_USE.load(Ordering::Relaxed) - before) as f64 / f64::from(REGISTRATIONS);
    println!("{:<40} {pace:>14.0}", "registrations with digest, a second");

    let held = [
        verdict("registrations held", format!("{}", REGISTRATIONS * kept as u32), "10000", kept == 1),
        verdict("bytes a registration", format!("{each:.0}"), "<= 2048", each <= BYTES_PER_REGISTRATION),
    ];

    bench.spent = Duration::ZERO;
    for n in 0..CALLS {
        call(&mut bench, n, phone(0), phone(1));
        bench.advance(Duration::from_micros(500));
    }
    let calls = f64::from(CALLS) / bench.spent.as_secs_f64();
    bench.advance(Duration::from_secs(400));
    let met = [
        verdict("whole calls with digest, a second", format!("{calls:.0}"), ">= 2000", calls >= CALLS_PER_SECOND),
        verdict(
            "left over after the calls",
            if bench.core.is_idle() { "nothing" } else { "something" }.into(),
            "nothing",
            bench.core.is_idle(),
        ),
    ];
    if held.iter().chain(&met).all(|met| *met) { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
