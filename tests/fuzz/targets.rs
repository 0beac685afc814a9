//! What the fuzz targets do with their octets: the same functions under cargo-fuzz (`fuzz/`) and in plain loops (`main.rs`).

use std::net::SocketAddr;
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use offhook::media;
use offhook::media::dtls::{Handshake, Reply, Request};
use offhook::phone::dtls::{Association, Identity};
use offhook::sdp::crypto::Srtp;
use offhook::sdp::dtls::{Offers, Role};
use offhook::sdp::ice::Policy;
use offhook::sdp::{Capabilities, HoldStyle, Intent, Keying, LocalMedia, Session};
use offhook::sip::transport::{Flow, Transport};
use offhook::ua::command::MediaPorts;
use offhook::ua::config::{AutoAnswer, TransferPolicy};
use offhook::ua::{CallNo, Command, Config, UserAgent};

const PEER: &str = "192.0.2.201:5060";
const PHONE: &str = "192.0.2.101:5060";
const SDP: &str = "v=0\r\no=- 1 1 IN IP4 192.0.2.201\r\ns=-\r\nc=IN IP4 192.0.2.201\r\nt=0 0\r\nm=audio 40000 RTP/AVP 0 8 101\r\n\
                   a=rtpmap:101 telephone-event/8000\r\n";

const ICE: &str = "v=0\r\no=- 1 1 IN IP4 192.0.2.201\r\ns=-\r\nc=IN IP4 192.0.2.201\r\nt=0 0\r\nm=audio 40000 RTP/AVP 0\r\n\
                   a=ice-ufrag:8hhY\r\na=ice-pwd:asd88fgpdd777uzjYhagZg\r\n\
                   a=candidate:1 1 UDP 2130706431 192.0.2.201 40000 typ host\r\n\
                   a=candidate:1 2 UDP 2130706430 192.0.2.201 40001 typ host\r\n";

fn address(text: &str) -> SocketAddr {
    text.parse().expect("an address")
}

fn capabilities() -> Capabilities {
    let capabilities = Capabilities::from_names(["opus", "G722", "PCMU", "PCMA"], 20).0;
    Capabilities { ice: Policy::Offer, ..capabilities }
}

/// One user agent and its clock.
struct Phone {
    ua: UserAgent,
    now: Instant,
}

impl Phone {
    fn new(now: Instant) -> Phone {
        let config = Config {
            srtp: Default::default(),
            srtp_keying: Default::default(),
            accounts: Vec::new(),
            user_agent: "offhook".to_owned(),
            capabilities: capabilities(),
            hold: HoldStyle::Zero,
            max_calls: 4,
            ring_timeout: Duration::from_secs(120),
            auto_answer: AutoAnswer::Never,
            auto_answer_after: Duration::ZERO,
            transfers: TransferPolicy::Ask,
            redirects: TransferPolicy::Refuse,
            refer_outside: false,
            bye_also: false,
            auto_answer_from: Vec::new(),
            direct_calls: true,
            reliable_ringing: false,
            session_expires: std::time::Duration::from_secs(1800),
            keep_alive: None,
        };
        Phone { ua: UserAgent::new(now, config, [7; 32]), now }
    }

    fn receive(&mut self, bytes: &[u8]) -> Vec<Vec<u8>> {
        let flow = Flow { transport: Transport::Udp, local: address(PHONE), remote: address(PEER) };
        self.ua.handle_datagram(self.now, flow, bytes);
        self.drain()
    }

    fn drain(&mut self) -> Vec<Vec<u8>> {
        let mut sent = Vec::new();
        loop {
            if let Some(out) = self.ua.poll_transmit() {
                sent.push(out.bytes.to_vec());
            } else if let Some(query) = self.ua.poll_resolve() {
                self.ua.handle_resolved(self.now, &query, Vec::new());
            } else if self.ua.poll_event().is_none() {
                return sent;
            }
        }
    }

    fn advance(&mut self, duration: Duration) {
        let end = self.now + duration;
        while let Some((at, _)) = self.ua.poll_timeout().filter(|(at, _)| *at <= end) {
            self.now = self.now.max(at);
            self.ua.handle_timeout(self.now);
            self.drain();
        }
        self.now = end;
    }
}

/// A request of the peer's in the call that stands.
pub fn in_call(method: &str, seq: u32, to_tag: &str, body: &str) -> String {
    let kind = if body.is_empty() { "" } else { "Content-Type: application/sdp\r\n" };
    let tag = if to_tag.is_empty() { String::new() } else { format!(";tag={to_tag}") };
    format!(
        "{method} sip:alice@{PHONE} SIP/2.0\r\nVia: SIP/2.0/UDP {PEER};branch=z9hG4bK{method}{seq}\r\nMax-Forwards: 70\r\n\
         From: <sip:bob@{PEER}>;tag=b\r\nTo: <sip:alice@{PHONE}>{tag}\r\nCall-ID: fuzz\r\nCSeq: {seq} {method}\r\n\
         Contact: <sip:bob@{PEER}>\r\n{kind}Content-Length: {}\r\n\r\n{body}",
        body.len()
    )
}

/// The tag that the phone gives itself in that call: its seed is always the same.
pub fn local_tag(now: Instant) -> String {
    call_up(now).1
}

fn call_up(now: Instant) -> (Phone, String) {
    let mut phone = Phone::new(now);
    phone.receive(in_call("INVITE", 1, "", SDP).as_bytes());
    let media = MediaPorts::new(49170, 49171);
    let _ = phone.ua.command(phone.now, Command::Answer { call: CallNo(1), media });
    let sent = phone.drain();
    let ok = sent.iter().map(|bytes| String::from_utf8_lossy(bytes).into_owned()).find(|text| text.contains(" 200 "));
    let ok = ok.expect("the call is answered");
    let tag = ok.split("\r\nTo: ").nth(1).and_then(|to| to.split(";tag=").nth(1)).unwrap_or_default();
    let tag = tag.split(['\r', ';']).next().unwrap_or_default().to_owned();
    phone.receive(in_call("ACK", 1, &tag, "").as_bytes());
    (phone, tag)
}

/// Datagrams come to a user agent with a call up, with pauses between; whatever they are, it comes to rest and nothing is
/// left over. Four times 0x1e parts one from the next.
pub fn datagram(now: Instant, data: &[u8]) {
    let (mut phone, _) = call_up(now);
    for (place, datagram) in split(data).into_iter().take(8).enumerate() {
        phone.receive(datagram);
        phone.advance(Duration::from_millis([0, 100, 700, 5_000][place % 4]));
    }
    let _ = phone.ua.command(phone.now, Command::Shutdown);
    phone.drain();
    phone.advance(Duration::from_secs(400));
    assert!(phone.ua.is_quiescent(), "something is left over");
}

fn split(data: &[u8]) -> Vec<&[u8]> {
    let mut parts = Vec::new();
    let mut rest = data;
    while let Some(at) = rest.windows(4).position(|four| four == [0x1e; 4]) {
        parts.push(&rest[..at]);
        rest = &rest[at + 4..];
    }
    parts.push(rest);
    parts
}

/// A session description comes as an offer, then as the answer to ours, then as an offer again.
pub fn sdp(_: Instant, data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    let local = LocalMedia::new(address(PHONE).ip(), 49170, 49171);
    let mut session = Session::new(capabilities(), 1).with_ice([7; 32]);
    session.set_keying(Keying::Optional, [3; 32]);
    if let Ok((answer, media)) = session.answer(&text, &local, Intent::Talk) {
        let lines = |text: &str| text.lines().filter(|line| line.starts_with("m=")).count();
        // RFC 8866 section 5: a CR alone ends no line, and what a reader makes of one is its own affair.
        if !text.replace("\r\n", "").contains('\r') {
            assert_eq!(lines(&answer), lines(&text), "an m= line for each (RFC 3264 section 6)");
        }
        assert!(media.ptime_ms > 0);
    }
    let mut session = Session::new(capabilities(), 1).with_ice([7; 32]);
    session.set_keying(Keying::Optional, [3; 32]);
    session.offer(&local, Intent::Talk);
    if session.handle_answer(&text).is_err() {
        session.rollback();
    }
    let _ = session.answer(&text, &local, Intent::Hold(HoldStyle::Zero));
}

fn sound(now: Instant, description: &str) -> media::Session {
    let local = LocalMedia::new(address(PHONE).ip(), 49170, 49171);
    let mut sdp = Session::new(capabilities(), 1).with_ice([7; 32]);
    let (_, agreed) = sdp.answer(description, &local, Intent::Talk).expect("a good offer");
    let mut session = media::Session::new(now, [7; 32]);
    session.configure(now, &agreed);
    session.set_microphone_open(true);
    session
}

/// Packets come to a call's sound: RTP for the even ones when `rtp`, RTCP else. Each is led by its length.
fn packets(start: Instant, data: &[u8], rtp: bool, description: &str) {
    let mut session = sound(start, description);
    let mut now = start;
    let mut speaker = [0; 160];
    let mut rest = data;
    while let Some((length, more)) = rest.split_first() {
        let (packet, after) = more.split_at(usize::from(*length).min(more.len()));
        rest = after;
        if rtp {
            session.handle_rtp(now, address("192.0.2.201:40000"), packet);
        } else {
            session.handle_rtcp(now, address("192.0.2.201:40001"), packet);
        }
        session.capture(now, &[100; 160]);
        session.playout(now, &mut speaker);
        now += Duration::from_millis(20);
        session.handle_timeout(now);
        while session.poll_transmit().is_some() || session.poll_event().is_some() {}
    }
    let stats = session.stats();
    session.close(now);
    assert!(stats.received <= data.len() as u64 + 1, "more was received than came");
}

/// RTP.
pub fn rtp(now: Instant, data: &[u8]) {
    packets(now, data, true, SDP);
}

/// RTCP.
pub fn rtcp(now: Instant, data: &[u8]) {
    packets(now, data, false, SDP);
}

/// Checks of ICE, and what looks like them, at both ports.
pub fn stun(now: Instant, data: &[u8]) {
    packets(now, data, data.len().is_multiple_of(2), ICE);
}

/// Who takes part in a handshake: we and the peer. Made once, for it takes time.
fn identities() -> &'static [Identity; 2] {
    static BOTH: OnceLock<[Identity; 2]> = OnceLock::new();
    BOTH.get_or_init(|| [(); 2].map(|()| Identity::new().expect("a certificate")))
}

/// A call's handshake with a peer, both as they are, with other datagrams in between.
struct Meeting {
    now: Instant,
    session: media::Session,
    ours: Option<(Handshake, Association)>,
    theirs: Association,
    keys: [Option<Srtp>; 2],
}

impl Meeting {
    fn new(now: Instant, setup: &str, role: Role) -> Meeting {
        let [we, peer] = identities();
        let description = format!(
            "{}a=setup:{setup}\r\na=fingerprint:sha-256 {}\r\na=rtcp-mux\r\n",
            SDP.replace("RTP/AVP", "UDP/TLS/RTP/SAVP"),
            peer.fingerprint()
        );
        let local = LocalMedia::new(address(PHONE).ip(), 49170, 49171);
        let mut sdp = Session::new(capabilities(), 1);
        sdp.set_keying(Keying::Optional, [3; 32]);
        sdp.set_dtls(we.fingerprint(), Offers::Answered, [5; 32]);
        let (_, agreed) = sdp.answer(&description, &local, Intent::Talk).expect("a good offer");
        let mut session = media::Session::new(now, [7; 32]);
        session.configure(now, &agreed);
        session.set_microphone_open(true);
        let theirs = Association::new(now, peer, role, &[we.fingerprint()]).expect("a handshake");
        Meeting { now, session, ours: None, theirs, keys: [None, None] }
    }

    /// What the session wants is done, and what comes of it goes to the peer.
    fn settle(&mut self) {
        while let Some(request) = self.session.poll_handshake() {
            match request {
                Request::Begin { handshake, role, fingerprints } => {
                    let begun = Association::new(self.now, &identities()[0], role, &fingerprints);
                    self.ours = Some((handshake, begun.expect("a handshake")));
                }
                Request::Datagram { handshake, bytes } => {
                    if let Some((_, one)) = self.ours.as_mut().filter(|(number, _)| *number == handshake) {
                        one.handle(&bytes);
                    }
                }
                Request::End { handshake } => self.ours = self.ours.take().filter(|(number, _)| *number != handshake),
            }
            let Some((handshake, one)) = &mut self.ours else { continue };
            let handshake = *handshake;
            while let Some(bytes) = one.poll_transmit() {
                self.session.handle_handshake(self.now, Reply::Transmit { handshake, bytes });
            }
            match one.poll_outcome() {
                None => {}
                Some(Ok(srtp)) => {
                    self.keys[0] = Some(srtp);
                    self.session.handle_handshake(self.now, Reply::Done { handshake, srtp: Box::new(srtp) });
                }
                Some(Err(failure)) => {
                    self.session.handle_handshake(self.now, Reply::Failed { handshake, failure });
                }
            }
        }
        while let Some(transmit) = self.session.poll_transmit() {
            let (media::Transmit::Rtp { bytes, .. } | media::Transmit::Rtcp { bytes, .. }) = transmit;
            if media::dtls::is_dtls(&bytes) {
                self.theirs.handle(&bytes);
            }
        }
        if let Some(Ok(srtp)) = self.theirs.poll_outcome() {
            self.keys[1] = Some(srtp);
        }
        while self.session.poll_event().is_some() {}
    }
}

/// Datagrams, each led by its length in two octets, come in between those of a handshake, from the peer's address. It comes to
/// the keys that the peer has, or to none.
pub fn dtls(now: Instant, data: &[u8]) {
    let (setup, role) = match data.len().is_multiple_of(2) {
        true => ("active", Role::Client),
        false => ("passive", Role::Server),
    };
    let mut meeting = Meeting::new(now, setup, role);
    meeting.settle();
    let mut rest = data;
    for _ in 0..12 {
        if let [high, low, more @ ..] = rest {
            let length = usize::from(u16::from_be_bytes([*high, *low])).min(more.len());
            let (datagram, after) = more.split_at(length);
            rest = after;
            meeting.session.handle_rtp(meeting.now, address("192.0.2.201:40000"), datagram);
            meeting.settle();
        }
        if let Some(bytes) = meeting.theirs.poll_transmit() {
            meeting.session.handle_rtp(meeting.now, address("192.0.2.201:40000"), &bytes);
        }
        meeting.session.capture(meeting.now, &[100; 160]);
        meeting.now += Duration::from_millis(20);
        meeting.settle();
    }
    if let [Some(ours), Some(theirs)] = &meeting.keys {
        assert!(ours.send == theirs.receive && ours.receive == theirs.send, "two different keys");
    }
    assert!(!data.is_empty() || meeting.keys.iter().all(Option::is_some), "undisturbed it comes to its end");
    meeting.session.close(meeting.now);
}
