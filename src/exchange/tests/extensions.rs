//! The signalling of the extensions, through the exchange.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use crate::exchange::Config;
use crate::exchange::extension::{Act, EXTENSIONS, Extension, Home, SoundId, Stage};
use crate::sdp::{Capabilities, Codec, Intent, Keying, LocalMedia, Negotiated, Session};
use crate::sip::transport::{Flow, Transport};
use crate::sip::{HeaderName, Request, Response, Uri, text};
use crate::ua::command::MediaPorts;

use super::net::{EXCHANGE, Net, Peer, config, peer, rows};

/// Sound that nobody hears: what is open, and what it was told.
#[derive(Default)]
pub struct Rehearsal {
    next: u64,
    digits: Vec<(SoundId, char)>,
    open: HashMap<SoundId, (Act, Option<Negotiated>)>,
}

impl Stage for Rehearsal {
    fn open(&mut self, _now: Instant, act: Act) -> Option<(SoundId, MediaPorts)> {
        self.next += 1;
        self.open.insert(SoundId(self.next), (act, None));
        let rtp = 20_000 + 2 * self.next as u16;
        Some((SoundId(self.next), MediaPorts::new(rtp, rtp + 1)))
    }

    fn configure(&mut self, _now: Instant, sound: SoundId, media: &Negotiated) {
        self.open.get_mut(&sound).expect("open").1 = Some(media.clone());
    }

    fn digit(&mut self, _now: Instant, sound: SoundId, digit: char) {
        self.digits.push((sound, digit));
    }

    fn close(&mut self, _now: Instant, sound: SoundId) {
        self.open.remove(&sound).expect("open");
    }
}

/// The exchange with its extensions, and the caller "alice".
struct House {
    net: Net,
    extensions: Vec<(SocketAddr, Extension)>,
    stage: Rehearsal,
    alice: Peer,
}

fn flow(local: SocketAddr) -> Flow {
    Flow { transport: Transport::Udp, local, remote: EXCHANGE.parse().unwrap() }
}

impl House {
    fn new(config: &Config) -> House {
        let mut net = Net::new(config);
        let home =
            Home { domain: config.domain.clone(), exchange: EXCHANGE.parse().unwrap(), password: "extension".into() };
        let mut extensions = Vec::new();
        for (place, (number, act, _)) in EXTENSIONS.into_iter().enumerate() {
            let address = SocketAddr::from(([127, 0, 0, 1], 30_000 + place as u16));
            let contact = Uri::parse(format!("sip:{number}@{address}").into()).unwrap();
            net.core.add_extension(number, Some(&home.password), contact);
            let seed = [place as u8; 32];
            extensions.push((address, Extension::new(net.now, number, act, &home, seed).unwrap()));
        }
        House { net, extensions, stage: Rehearsal::default(), alice: peer("alice", 40001) }
    }

    /// Carries datagrams between the exchange and the extensions until all is quiet.
    fn settle(&mut self) {
        loop {
            let mut carried = false;
            for (address, extension) in &mut self.extensions {
                while let Some(transmit) = extension.poll_transmit() {
                    carried = true;
                    self.net.deliver(*address, &transmit.bytes);
                }
                let here = Peer { user: "extension", password: "", address: *address };
                while let Some(bytes) = self.net.take(&here) {
                    carried = true;
                    extension.handle_datagram(self.net.now, flow(*address), &bytes, &mut self.stage);
                }
            }
            if !carried {
                return;
            }
        }
    }

    fn advance(&mut self, by: Duration) {
        let until = self.net.now + by;
        loop {
            let next = self.extensions.iter().filter_map(|(_, extension)| extension.poll_timeout());
            let next = next.chain(self.net.core.poll_timeout()).min().filter(|at| *at <= until).unwrap_or(until);
            self.net.advance(next.saturating_duration_since(self.net.now));
            for (address, extension) in &mut self.extensions {
                if extension.poll_timeout().is_some_and(|at| at <= self.net.now) {
                    extension.handle_timeout(self.net.now, flow(*address), &mut self.stage);
                }
            }
            self.settle();
            if next >= until {
                return;
            }
        }
    }

    fn send(&mut self, message: &str) {
        let alice = self.alice.clone();
        self.net.send(&alice, message);
        self.settle();
    }

    #[track_caller]
    fn expect(&mut self, code: u16) -> Response {
        let alice = self.alice.clone();
        self.net.expect(&alice, code)
    }

    #[track_caller]
    fn expect_request(&mut self, method: &str) -> Request {
        let alice = self.alice.clone();
        self.net.expect_request(&alice, method)
    }

    /// An INVITE with an offer.
    fn invite(&mut self, to: &str, id: u32) {
        self.invite_with(to, id, Keying::Off);
    }

    fn invite_with(&mut self, to: &str, id: u32, keying: Keying) {
        let capabilities = Capabilities {
            codecs: Codec::ALL.to_vec(),
            ptime_ms: 20,
            telephone_event: true,
            dtx: false,
            rtcp_mux: true,
            ice: Default::default(),
        };
        let local = LocalMedia::new([127, 0, 0, 1].into(), 10_000, 10_001);
        let mut session = Session::new(capabilities, 1);
        session.set_keying(keying, [7; 32]);
        let offer = session.offer(&local, Intent::Talk);
        let invite = self.alice.request("INVITE", to, id, 1, "Content-Type: application/sdp\r\n");
        let length = format!("Content-Length: {}\r\n\r\n{offer}", offer.len());
        self.send(&invite.replace("Content-Length: 0\r\n\r\n", &length));
    }

    /// A request in the dialog that `ok` made.
    fn in_dialog(&mut self, method: &str, ok: &Response, id: u32, cseq: u32, rest: &str) {
        let target = text(&ok.headers, &HeaderName::Contact);
        let target = target.trim_matches(['<', '>']).to_owned();
        let route = format!("Route: {}\r\n{rest}", text(&ok.headers, &HeaderName::RecordRoute));
        let request = self.alice.request(method, &target, id, cseq, &route);
        let to = text(&ok.headers, &HeaderName::To);
        self.send(&request.replace(&format!("To: <{target}>"), &format!("To: {to}")));
    }

    #[track_caller]
    fn assert_quiescent(&mut self) {
        self.advance(Duration::from_secs(100));
        assert!(self.net.core.is_idle() && self.stage.open.is_empty());
        assert!(self.extensions.iter().all(|(_, extension)| extension.poll_timeout().is_none()));
        let alice = self.alice.clone();
        self.net.expect_nothing(&alice);
    }
}

fn open_house() -> House {
    House::new(&Config { users: Vec::new(), ..config() })
}

#[test]
fn who_insists_on_srtp_is_answered_with_it() {
    for (id, keying) in [(1, Keying::Required), (2, Keying::Optional)] {
        let mut house = open_house();
        house.invite_with("sip:600@example.com", id, keying);
        let ok = house.expect(200);
        let body = String::from_utf8_lossy(ok.body()).into_owned();
        let profile = if keying == Keying::Required { "RTP/SAVP" } else { "RTP/AVP" };
        assert!(body.contains(profile) && body.contains("a=crypto:"), "{body}");
        let (_, media) = house.stage.open.get(&SoundId(1)).expect("sound");
        assert!(media.as_ref().is_some_and(|media| media.protection.srtp().is_some()));
    }
}

#[test]
fn echo_tone_and_music_answer_with_sound() {
    for (id, (number, act)) in [("600", Act::Echo), ("601", Act::Tone), ("605", Act::Music)].into_iter().enumerate() {
        let (mut house, id) = (open_house(), id as u32);
        house.invite(&format!("sip:{number}@example.com"), id);
        let ok = house.expect(200);
        assert!(String::from_utf8_lossy(ok.body()).contains("m=audio 20002 RTP/AVP"));
        let (heard, media) = house.stage.open.get(&SoundId(1)).expect("sound");
        assert_eq!(*heard, act);
        assert_eq!(media.as_ref().map(|media| media.remote_rtp), "127.0.0.1:10000".parse().ok());
        house.in_dialog("ACK", &ok, id, 1, "");
        house.advance(Duration::from_secs(60));
        house.in_dialog("BYE", &ok, id, 2, "");
        house.expect(200);
        house.assert_quiescent();
    }
}

#[test]
fn busy() {
    let mut house = open_house();
    house.invite("sip:602@example.com", 1);
    house.expect(486);
    let ack = house.alice.request("ACK", "sip:602@example.com", 1, 1, "");
    house.send(&ack);
    house.assert_quiescent();
}

#[test]
fn no_answer_until_the_caller_gives_up() {
    let mut house = open_house();
    house.invite("sip:603@example.com", 1);
    house.expect(180);
    house.advance(Duration::from_secs(120));
    let cancel = house.alice.request("CANCEL", "sip:603@example.com", 1, 1, "");
    house.send(&cancel);
    house.expect(200);
    house.expect(487);
    let ack = house.alice.request("ACK", "sip:603@example.com", 1, 1, "");
    house.send(&ack);
    house.assert_quiescent();
}

#[test]
fn early_media_then_busy() {
    let mut house = open_house();
    house.invite("sip:604@example.com", 1);
    let progress = house.expect(183);
    assert!(String::from_utf8_lossy(progress.body()).contains("m=audio 20002 RTP/AVP"));
    assert_eq!(rows(&progress.headers, &HeaderName::RecordRoute).len(), 1);
    assert!(house.stage.open.get(&SoundId(1)).is_some_and(|(_, media)| media.is_some()), "a tone sounds");
    house.advance(Duration::from_millis(2990));
    let alice = house.alice.clone();
    house.net.expect_nothing(&alice);
    house.advance(Duration::from_millis(10));
    let busy = house.expect(486);
    assert_eq!(text(&busy.headers, &HeaderName::To), text(&progress.headers, &HeaderName::To));
    let ack = house.alice.request("ACK", "sip:604@example.com", 1, 1, "");
    house.send(&ack);

    house.invite("sip:604@example.com", 2);
    house.expect(183);
    let cancel = house.alice.request("CANCEL", "sip:604@example.com", 2, 1, "");
    house.send(&cancel);
    house.expect(200);
    house.expect(487);
    let ack = house.alice.request("ACK", "sip:604@example.com", 2, 1, "");
    house.send(&ack);
    house.assert_quiescent();
}

#[test]
fn a_redirection_leads_to_the_echo() {
    let mut house = open_house();
    house.invite("sip:606@example.com", 1);
    let moved = house.expect(302);
    assert_eq!(rows(&moved.headers, &HeaderName::Contact), ["<sip:600@127.0.0.1:5060>"]);
    let ack = house.alice.request("ACK", "sip:606@example.com", 1, 1, "");
    house.send(&ack);
    house.assert_quiescent();
}

#[test]
fn an_extension_that_is_transferred_calls_with_its_own_password() {
    // Alice has no password to prove here: she comes from elsewhere, and the exchange asks its own users only.
    let mut house = House::new(&config());
    let elsewhere = |message: String| message.replace("alice@example.com", "alice@example.org");
    let capabilities = Capabilities {
        codecs: Codec::ALL.to_vec(),
        ptime_ms: 20,
        telephone_event: true,
        dtx: false,
        rtcp_mux: true,
        ice: Default::default(),
    };
    let local = LocalMedia::new([127, 0, 0, 1].into(), 10_000, 10_001);
    let offer = Session::new(capabilities, 1).offer(&local, Intent::Talk);
    let invite = house.alice.request("INVITE", "sip:600@example.com", 1, 1, "Content-Type: application/sdp\r\n");
    let length = format!("Content-Length: {}\r\n\r\n{offer}", offer.len());
    house.send(&elsewhere(invite).replace("Content-Length: 0\r\n\r\n", &length));
    let ok = house.expect(200);
    house.in_dialog("ACK", &ok, 1, 1, "");
    house.in_dialog("REFER", &ok, 1, 2, "Refer-To: <sip:605@example.com>\r\n");
    house.expect(202);
    let mut states = Vec::new();
    for _ in 0..2 {
        let notify = house.expect_request("NOTIFY");
        states.push(String::from_utf8_lossy(notify.body()).trim().to_owned());
        let reply = house.alice.reply(&notify, 200, "");
        house.send(&reply);
    }
    assert_eq!(states, ["SIP/2.0 100 Trying", "SIP/2.0 200 OK"]);
    house.in_dialog("BYE", &ok, 1, 3, "");
    house.expect(200);
    let mut acts: Vec<Act> = house.stage.open.values().map(|(act, _)| *act).collect();
    acts.sort_by_key(|act| *act as u8);
    assert_eq!(acts, [Act::Echo, Act::Music], "the echo and the music talk to each other");
}

#[test]
fn one_that_hangs_up_after_five_seconds() {
    let mut house = open_house();
    house.invite("sip:607@example.com", 1);
    let ok = house.expect(200);
    house.in_dialog("ACK", &ok, 1, 1, "");
    house.advance(Duration::from_millis(4990));
    let alice = house.alice.clone();
    house.net.expect_nothing(&alice);
    house.advance(Duration::from_millis(10));
    let bye = house.expect_request("BYE");
    let reply = house.alice.reply(&bye, 200, "");
    house.send(&reply);
    house.assert_quiescent();

    // The caller may be faster.
    house.invite("sip:607@example.com", 2);
    let ok = house.expect(200);
    house.in_dialog("ACK", &ok, 2, 1, "");
    house.in_dialog("BYE", &ok, 2, 2, "");
    house.expect(200);
    house.assert_quiescent();
}

#[test]
fn digits_by_info_reach_the_sound() {
    let mut house = open_house();
    house.invite("sip:609@example.com", 1);
    let ok = house.expect(200);
    house.in_dialog("ACK", &ok, 1, 1, "");
    let target = text(&ok.headers, &HeaderName::Contact).trim_matches(['<', '>']).to_owned();
    let body = "Signal=7\r\nDuration=160\r\n";
    let rest =
        format!("Route: {}\r\nContent-Type: application/dtmf-relay\r\n", text(&ok.headers, &HeaderName::RecordRoute));
    let info = house.alice.request("INFO", &target, 1, 2, &rest);
    let info = info.replace(&format!("To: <{target}>"), &format!("To: {}", text(&ok.headers, &HeaderName::To)));
    house.send(&info.replace("Content-Length: 0\r\n\r\n", &format!("Content-Length: {}\r\n\r\n{body}", body.len())));
    house.expect(200);
    assert_eq!(house.stage.digits, [(SoundId(1), '7')]);
    house.in_dialog("BYE", &ok, 1, 3, "");
    house.expect(200);
    house.assert_quiescent();
}
