//! Screens for tests, built as they come to be: by events.

use std::time::{Duration, SystemTime};

use crate::config::settings::Setting;
use crate::media::session::Stats;
use crate::phone::command::{DeviceRole, People};
use crate::phone::event::{CallRef, DeviceState, Direction, Kind, NetworkCause, RtpCount, WayState};
use crate::phone::media_thread::Levels;
use crate::phone::snapshot::{AccountState, Devices, LampState, Registration, Snapshot};
use crate::phone::{Event, Reply, TraceEntry};
use crate::services::contacts::Contact;
use crate::services::forwarding::When;
use crate::services::history::{self, Entry, Outcome};
use crate::sip::transport::Transport;
use crate::ua::CallNo;
use crate::ua::event::{EndedBy, Lamp, TransferStage};

use super::devices::{Device, Heard};
use super::keymap::Key;
use super::picker::News;
use super::settings::{self, Row};
use super::{App, Effect, Msg, Settings, Whose};

/// An app and its time.
pub(crate) struct Scene {
    pub app: App,
    pub now: SystemTime,
}

impl Scene {
    /// Nothing is configured.
    pub fn new(columns: u16, rows: u16) -> Scene {
        let now = SystemTime::UNIX_EPOCH + Duration::from_secs(1_790_000_000 / 86_400 * 86_400 + 12 * 3600);
        let settings = Settings { listen: "192.0.2.7:5060".into(), utc_offset: 0, phone: Whose::Ours, hint: None };
        Scene { app: App::new(settings, now, (columns, rows)), now }
    }

    /// Two accounts: one registers well, the other is refused.
    pub fn registered(columns: u16, rows: u16) -> Scene {
        let mut scene = Scene::new(columns, rows);
        let account = |name: &str, uri: &str| AccountState {
            name: name.into(),
            uri: uri.into(),
            registration: Registration::Registering,
            reason: None,
            messages: None,
            mailbox: None,
        };
        let accounts = vec![account("work", "sip:alice@pbx.example.com"), account("home", "sip:alic@home.example.org")];
        let device = || "default".to_owned();
        let devices = Devices { input: device(), output: device(), ring: device() };
        let snapshot = Snapshot { accounts, devices, ..Snapshot::default() };
        scene.send(Msg::Replied(Ok(Reply::State(Box::new(snapshot)))));
        scene.phone(Kind::Registered {
            account: "work".into(),
            expires: 600,
            contact: "sip:x7f3@192.0.2.7:5060".into(),
            contacts: Vec::new(),
        });
        scene.phone(Kind::MessageWaiting { account: Some("work".into()), new: 2, old: 1, urgent: 0, mailbox: None });
        scene.phone(Kind::RegistrationFailed {
            account: "home".into(),
            code: 403,
            reason: "Forbidden".into(),
            retry_in: None,
        });
        scene
    }

    /// A call to Bob that has stood for a while, with its figures.
    pub fn established(columns: u16, rows: u16) -> Scene {
        let mut scene = Scene::registered(columns, rows);
        scene.calling(1, "sip:bob@example.com");
        scene.answered(1, "sip:bob@example.com", Some("Bob Builder"));
        scene.wait(83);
        scene.phone(Kind::Stats { call: bob(), stats: stats(), processing: None });
        scene.send(Msg::Tick(Levels { input: -18.4, output: -31.0 }));
        scene
    }

    /// Bob is held, Carol was called meanwhile.
    pub fn two_calls(columns: u16, rows: u16) -> Scene {
        let mut scene = Scene::established(columns, rows);
        scene.phone(Kind::Held { call: bob() });
        scene.calling(2, "sip:carol@example.com");
        scene.answered(2, "sip:carol@example.com", Some("Carol Danvers"));
        scene.wait(5);
        scene.send(Msg::Tick(Levels { input: -9.0, output: -47.5 }));
        scene
    }

    pub fn send(&mut self, msg: Msg) -> Vec<Effect> {
        self.app.update(self.now, msg)
    }

    pub fn phone(&mut self, kind: Kind) -> Vec<Effect> {
        self.send(Msg::Phone(Event { time: self.now, kind }))
    }

    pub fn wait(&mut self, seconds: u64) {
        self.now += Duration::from_secs(seconds);
        let levels = self.app.levels;
        self.send(Msg::Tick(levels));
    }

    pub fn keys(&mut self, keys: &str) -> Vec<Effect> {
        keys.chars().flat_map(|key| self.key(Key::Char(key))).collect()
    }

    pub fn key(&mut self, key: Key) -> Vec<Effect> {
        self.send(Msg::Key(key))
    }

    pub fn calling(&mut self, no: u32, peer: &str) {
        self.phone(Kind::Calling { call: reference(no, peer) });
    }

    pub fn answered(&mut self, no: u32, peer: &str, name: Option<&str>) {
        let call = reference(no, peer);
        self.phone(Kind::Ringing { call: call.clone(), code: 180 });
        self.wait(4);
        if name.is_some() {
            self.phone(Kind::PeerChanged { call: call.clone(), from: peer.into(), name: name.map(Into::into) });
        }
        self.phone(established(call));
    }

    pub fn incoming(&mut self, no: u32) -> Vec<Effect> {
        self.phone(Kind::Incoming {
            call: reference(no, "sip:dave@example.net"),
            from: "sip:+4930123456@example.net;user=phone".into(),
            name: Some("Dave Böhm 山田".into()),
            called: "sip:alice@pbx.example.com".into(),
            diverted_from: Some("sip:reception@pbx.example.com".into()),
            forwarded: Vec::new(),
            referred_by: None,
        })
    }

    /// Contacts with lamps, and past calls of which one was missed.
    pub fn with_people(mut self) -> Scene {
        let contact = |name: &str, nick: Option<&str>, addresses: &[&str]| Contact {
            name: name.into(),
            nick: nick.map(Into::into),
            addresses: addresses.iter().map(|address| (*address).into()).collect(),
        };
        let contacts = vec![
            contact("Bob Builder", Some("bob"), &["sip:bob@example.com", "+49 30 123456"]),
            contact("Carol Danvers", None, &["sip:carol@example.com"]),
            contact("Dave Böhm 山田", Some("dave"), &["sip:dave@example.net"]),
            contact("Erin", None, &["600"]),
            contact("Frank Furter of the Long Names", None, &["sip:frank.furter.of.the.long.names@example.org"]),
        ];
        let calls = vec![
            self.past_call(2 * 86_400, history::Direction::Out, "sip:bob@example.com", Outcome::Answered),
            self.past_call(86_400, history::Direction::In, "sip:anonymous@anonymous.invalid", Outcome::Screened),
            self.past_call(7_200, history::Direction::Out, "sip:grace@pbx.example.com", Outcome::Failed),
            self.past_call(600, history::Direction::In, "sip:dave@example.net", Outcome::Missed),
        ];
        for (uri, state) in [
            ("sip:bob@example.com", Lamp::Busy),
            ("sip:carol@example.com", Lamp::Idle),
            ("sip:dave@example.net", Lamp::Unregistered),
            ("sip:600@pbx.example.com", Lamp::Ringing),
            ("sip:desk@pbx.example.com", Lamp::Unknown),
        ] {
            self.phone(Kind::Lamp(LampState {
                account: "work".into(),
                uri: uri.into(),
                name: None,
                state,
                remote: None,
                remote_name: (state == Lamp::Busy).then(|| "Eve".into()),
            }));
        }
        self.send(Msg::Replied(Ok(Reply::People(Box::new(People { contacts, calls })))));
        self
    }

    fn past_call(&self, ago: u64, direction: history::Direction, peer: &str, result: Outcome) -> Entry {
        let time = humantime::format_rfc3339_millis(self.now - Duration::from_secs(ago)).to_string();
        Entry {
            time,
            direction,
            account: Some("work".into()),
            peer: peer.into(),
            name: (result == Outcome::Missed).then(|| "Dave Böhm 山田".into()),
            result,
            code: (result == Outcome::Failed).then_some(486),
            reason: match result {
                Outcome::Failed => "Busy Here".into(),
                Outcome::Screened => "no strangers".into(),
                _ => String::new(),
            },
            duration_s: if result == Outcome::Answered { 754.2 } else { 0.0 },
            mos: None,
            to: None,
        }
    }

    /// The account work has a mailbox.
    pub fn with_mailbox(mut self) -> Scene {
        let mailbox = Some("sip:*97@pbx.example.com".into());
        self.phone(Kind::MessageWaiting { account: Some("work".into()), new: 2, old: 1, urgent: 0, mailbox });
        self
    }

    /// All calls of work go to Carol.
    pub fn forwarding(mut self) -> Scene {
        self.phone(Kind::Forwarding {
            account: Some("work".into()),
            when: When::Always,
            to: Some("sip:carol@example.com".into()),
            seconds: None,
        });
        self
    }

    /// The picker is open, with devices.
    pub fn choosing(mut self) -> Scene {
        self.key(Key::Char('A'));
        let device = |name: &str, label: &str, input| Device {
            name: format!("pulseaudio:{name}"),
            label: label.into(),
            input,
            output: !input,
            default: name.ends_with("0"),
        };
        let devices = vec![
            device("mic0", "Built-in Audio Analog Stereo", true),
            device("mic1", "USB Headset Pro 山", true),
            device("out0", "Built-in Audio Analog Stereo", false),
            device("out1", "USB Headset Pro 山", false),
        ];
        self.send(Msg::Devices(News::Found(devices)));
        self.send(Msg::Devices(News::Heard(Heard::Level(-27.0))));
        self
    }

    /// The list of settings is open; the file has two, a variable wins over a third.
    pub fn setting(mut self) -> Scene {
        self.key(Key::Char('S'));
        let row = |setting: Setting| {
            let value = match setting.name().as_str() {
                "account.uri" => Some("sip:alice@pbx.example.com".into()),
                "account.password" => Some(crate::config::settings::HIDDEN.into()),
                "audio.codecs" => Some("PCMA, opus".into()),
                "calls.park" => Some("*68".into()),
                _ => None,
            };
            let overridden = (setting.name() == "calls.dtmf").then(|| "OFFHOOK_CALLS_DTMF".into());
            Row { value, overridden, setting }
        };
        let rows = crate::config::settings::all().into_iter().map(row).collect();
        self.send(Msg::Settings(settings::News::Read(Ok(rows))));
        self
    }

    /// A call with its offer and its answer, which was retransmitted.
    pub fn with_answer(mut self) -> Scene {
        let answer = "SIP/2.0 183 Session Progress";
        let messages =
            [(true, "INVITE sip:bob@example.com SIP/2.0", "b2@x"), (false, answer, "b2@x"), (false, answer, "b2@x")];
        for (sent, summary, call_id) in messages {
            self.now += Duration::from_millis(37);
            let mut entry = entry(self.now, sent, summary, call_id, "1 INVITE");
            if !sent {
                entry.text = entry.text.replace("RTP/AVP 0 8 101", "RTP/AVP 0 101").replace("a=ptime:20\r\n", "");
            }
            self.send(Msg::Trace(entry));
        }
        self
    }

    /// The call to Bob is over, and in the history.
    pub fn with_past_ladder(mut self) -> Scene {
        let began = self.app.call(CallNo(1)).map_or(self.now, |call| call.began);
        self = self.with_trace();
        self.phone(ended(bob(), EndedBy::Remote, None, "", 83.0));
        let ago = self.now.duration_since(began).unwrap_or_default().as_secs();
        let calls = vec![self.past_call(ago, history::Direction::Out, "sip:bob@example.com", Outcome::Answered)];
        self.send(Msg::Replied(Ok(Reply::People(Box::new(People { contacts: Vec::new(), calls })))));
        self
    }

    /// Sound of good and of bad days, for graphs.
    pub fn with_weather(mut self) -> Scene {
        for step in 0..60_u16 {
            let bad = if (20..30).contains(&step) { f32::from(step % 10) } else { 0.0 };
            let stats = Stats {
                sent: u64::from(step) * 250,
                received: u64::from(step) * 250 - u64::from(step / 3),
                lost: i64::from(step / 3),
                mos: Some(4.4 - bad / 5.0),
                loss: bad / 100.0,
                jitter_ms: 2.0 + bad * 6.0,
                rtt_ms: Some(12.0 + bad * 30.0),
                buffer_ms: 40.0 + bad * 12.0,
                ..stats()
            };
            self.phone(Kind::Stats { call: bob(), stats, processing: None });
        }
        self
    }

    /// A screen as one sees it on a day at work: for the pictures of the README.
    pub fn of_a_day(columns: u16, rows: u16) -> Scene {
        let mut scene = Scene::new(columns, rows);
        let account = AccountState {
            name: "work".into(),
            uri: "sip:alice@pbx.example.com".into(),
            registration: Registration::Registered,
            reason: None,
            messages: Some((2, 0)),
            mailbox: Some("sip:*97@pbx.example.com".into()),
        };
        let snapshot = Snapshot { accounts: vec![account], ..Snapshot::default() };
        scene.send(Msg::Replied(Ok(Reply::State(Box::new(snapshot)))));
        scene = scene.with_people();
        scene.calling(1, "sip:bob@example.com");
        scene.flow(0, true, "INVITE sip:bob@example.com SIP/2.0", "1 INVITE", 1);
        scene.flow(3, false, "SIP/2.0 407 Proxy Authentication Required", "1 INVITE", 1);
        scene.flow(1, true, "ACK sip:bob@example.com SIP/2.0", "1 ACK", 1);
        for wait in [1, 500, 1_000] {
            scene.flow(wait, true, "INVITE sip:bob@example.com SIP/2.0", "2 INVITE", 1);
        }
        scene.flow(12, false, "SIP/2.0 100 Trying", "2 INVITE", 1);
        scene.flow(183, false, "SIP/2.0 180 Ringing", "2 INVITE", 1);
        scene.phone(Kind::Ringing { call: bob(), code: 180 });
        scene.flow(4_312, false, "SIP/2.0 200 OK", "2 INVITE", 1);
        scene.phone(Kind::PeerChanged {
            call: bob(),
            from: "sip:bob@example.com".into(),
            name: Some("Bob Builder".into()),
        });
        scene.phone(Kind::Established {
            call: bob(),
            codec: "opus".into(),
            security: Default::default(),
            remote_rtp: "198.51.100.4:16384".into(),
        });
        scene.flow(1, true, "ACK sip:bob@198.51.100.4:5062 SIP/2.0", "2 ACK", 4);
        scene.wait(41);
        for digit in "1234".chars() {
            scene.phone(Kind::Dtmf { call: bob(), digit, direction: Direction::Sent });
        }
        scene.wait(90);
        scene = scene.with_weather();
        scene.wait(102);
        scene.flow(6, true, "INVITE sip:bob@198.51.100.4:5062 SIP/2.0", "3 INVITE", 4);
        scene.flow(19, false, "SIP/2.0 200 OK", "3 INVITE", 4);
        scene.flow(1, true, "ACK sip:bob@198.51.100.4:5062 SIP/2.0", "3 ACK", 4);
        scene.phone(Kind::Held { call: bob() });
        scene.calling(2, "sip:carol@example.com");
        scene.answered(2, "sip:carol@example.com", Some("Carol Danvers"));
        scene.wait(25);
        scene.phone(Kind::Resumed { call: bob() });
        scene.phone(Kind::Held { call: reference(2, "sip:carol@example.com") });
        scene.wait(11);
        scene.send(Msg::Tick(Levels { input: -18.4, output: -11.0 }));
        scene
    }

    /// A message of the call to Bob, so many milliseconds after what was before, from or to 198.51.100.`side`.
    fn flow(&mut self, ms: u64, sent: bool, summary: &str, cseq: &str, side: u8) {
        self.now += Duration::from_millis(ms);
        let entry = entry(self.now, sent, summary, "b2@x", cseq);
        let has_description = cseq.ends_with("INVITE") && (sent || summary.contains("200"));
        let text = if has_description { entry.text.clone() + "\r\nv=0\r\ns=-\r\n" } else { entry.text.clone() };
        let remote = ([198, 51, 100, side], if side == 1 { 5060 } else { 5062 }).into();
        self.send(Msg::Trace(TraceEntry { remote, text: text.replace("\r\n\r\n\r\n", "\r\n\r\n"), ..entry }));
    }

    /// A registration with its challenge, and the beginning of a call.
    pub fn with_trace(mut self) -> Scene {
        let messages = [
            (true, "REGISTER sip:pbx.example.com SIP/2.0", "a1@x", "1 REGISTER"),
            (false, "SIP/2.0 401 Unauthorized", "a1@x", "1 REGISTER"),
            (true, "REGISTER sip:pbx.example.com SIP/2.0", "a1@x", "2 REGISTER"),
            (false, "SIP/2.0 200 OK", "a1@x", "2 REGISTER"),
            (true, "INVITE sip:bob@example.com SIP/2.0", "b2@x", "1 INVITE"),
            (false, "SIP/2.0 100 Trying", "b2@x", "1 INVITE"),
            (false, "SIP/2.0 183 Session Progress", "b2@x", "1 INVITE"),
            (false, "SIP/2.0 486 Busy Here", "b2@x", "1 INVITE"),
            (true, "ACK sip:bob@example.com SIP/2.0", "b2@x", "1 ACK"),
            (false, "OPTIONS sip:x7f3@192.0.2.7:5060 SIP/2.0", "c3@x", "7 OPTIONS"),
            (true, "SIP/2.0 200 OK", "c3@x", "7 OPTIONS"),
        ];
        for (sent, summary, call_id, cseq) in messages {
            self.now += Duration::from_millis(37);
            self.send(Msg::Trace(entry(self.now, sent, summary, call_id, cseq)));
        }
        self
    }
}

pub(crate) fn bob() -> CallRef {
    reference(1, "sip:bob@example.com")
}

pub(crate) fn reference(no: u32, peer: &str) -> CallRef {
    CallRef { call: CallNo(no), account: Some("work".into()), peer: peer.into() }
}

pub(crate) fn established(call: CallRef) -> Kind {
    Kind::Established {
        call,
        codec: "PCMU".into(),
        security: Default::default(),
        remote_rtp: "198.51.100.4:16384".into(),
    }
}

pub(crate) fn ended(call: CallRef, by: EndedBy, code: Option<u16>, reason: &str, duration_s: f64) -> Kind {
    let advice = (code == Some(486)).then(|| "they are on another call: try again later".to_owned());
    Kind::Ended { call, by, code, reason: reason.into(), duration_s, rtp: RtpCount::default(), advice }
}

pub(crate) fn stats() -> Stats {
    Stats {
        sent: 4_150,
        received: 4_149,
        lost: 1,
        rtt_ms: Some(12.4),
        jitter_ms: 2.13,
        loss: 0.002,
        buffer_ms: 40.0,
        mos: Some(4.36),
        ..Stats::default()
    }
}

fn entry(time: SystemTime, sent: bool, summary: &str, call_id: &str, cseq: &str) -> TraceEntry {
    let text = format!(
        "{summary}\r\nVia: SIP/2.0/UDP 192.0.2.7:5060;branch=z9hG4bK-524287-1---91f7a0b1c2d3e4f5a6b7c8d9;rport\r\n\
         Max-Forwards: 70\r\nFrom: \"Alice\" <sip:alice@pbx.example.com>;tag=8a7b\r\nTo: <sip:bob@example.com>\r\n\
         Call-ID: {call_id}\r\nCSeq: {cseq}\r\nContact: <sip:x7f3@192.0.2.7:5060>\r\n\
         Authorization: Digest username=\"alice\", realm=\"pbx.example.com\", nonce=\"f84f1cec41e6cbe5aea9c8e88d359\", \
         uri=\"sip:pbx.example.com\", response=\"********\", algorithm=MD5\r\nUser-Agent: offhook/0.1.0\r\n\
         Content-Type: application/sdp\r\nContent-Length: 159\r\n\r\nv=0\r\no=- 3724394400 1 IN IP4 192.0.2.7\r\n\
         s=-\r\nc=IN IP4 192.0.2.7\r\nt=0 0\r\nm=audio 16384 RTP/AVP 0 8 101\r\na=rtpmap:101 telephone-event/8000\r\n\
         a=ptime:20\r\na=sendrecv\r\n"
    );
    let text = match summary.contains("INVITE") || summary.contains(" 183 ") {
        true => text,
        // Only these carry a description.
        false => text.split("Content-Type").next().unwrap_or_default().to_owned() + "Content-Length: 0\r\n\r\n",
    };
    TraceEntry {
        time,
        sent,
        local: ([192, 0, 2, 7], 5060).into(),
        remote: ([198, 51, 100, 1], 5060).into(),
        transport: Transport::Udp,
        call: (call_id == "b2@x").then_some(CallNo(1)),
        summary: summary.into(),
        call_id: call_id.into(),
        cseq: cseq.into(),
        text,
    }
}

/// Every kind of event about calls 1 to 3, for tests that try them in any order.
pub(crate) fn any_kind(which: usize, no: u32) -> Kind {
    let call = reference(no % 3 + 1, "sip:bob@example.com");
    let kinds: [fn(CallRef) -> Kind; 48] = [
        |call| Kind::Calling { call },
        |call| Kind::Ringing { call, code: 180 },
        |call| Kind::EarlyMedia { call },
        established,
        |call| Kind::Held { call },
        |call| Kind::Resumed { call },
        |call| Kind::RemoteHeld { call },
        |call| Kind::RemoteResumed { call },
        |call| Kind::Conference { call, calls: vec![CallNo(1), CallNo(2)] },
        |call| Kind::MemberMuted { call, muted: true },
        |call| Kind::Recording { call, file: Some("talk.wav".into()) },
        |_| Kind::Muted,
        |_| Kind::Unmuted,
        |call| Kind::Transfer { call, stage: TransferStage::Ringing, code: Some(180) },
        |call| Kind::TransferRequest { call, to: "sip:eve@example.org".into(), by: Some("sip:bob@example.com".into()) },
        |call| Kind::TransferExpired { call },
        |call| Kind::Replaced { call, by: CallNo(9) },
        |call| Kind::RedirectRequest { call, to: "sip:eve@example.org".into(), others: Vec::new() },
        |call| Kind::Dtmf { call, digit: '5', direction: Direction::Received },
        |call| Kind::Dtmf { call, digit: '7', direction: Direction::Sent },
        |call| Kind::Stats { call, stats: stats(), processing: None },
        |call| Kind::Echo { call, delay_ms: 45 },
        |call| Kind::MediaLost { call, seconds: 5 },
        |call| Kind::MediaBack { call },
        |call| Kind::Ice { call, state: WayState::Lost, local: None, remote: None, reason: None },
        |call| Kind::Ice { call, state: WayState::Refused, local: None, remote: None, reason: Some("488".into()) },
        |call| ended(call, EndedBy::Remote, None, "", 12.0),
        |call| ended(call, EndedBy::Timeout, Some(408), "Request Timeout", f64::NAN),
        |call| Kind::PeerChanged {
            call,
            from: "sip:\u{202e}eve\u{1b}@example.org".into(),
            name: Some("👩‍👩‍👧 山".repeat(40)),
        },
        |call| Kind::Incoming {
            call,
            from: "sip:dave@example.net".into(),
            name: None,
            called: "sip:alice@pbx.example.com".into(),
            diverted_from: None,
            forwarded: vec!["sip:\u{1b}b@example.org (busy)".into(), "sip:c@example.org".into()],
            referred_by: Some("sip:eve@example.org".into()),
        },
        |_| Kind::Registering { account: "work".into() },
        |_| Kind::Unregistered { account: "work".into() },
        |_| Kind::RegistrationFailed {
            account: "new".into(),
            code: 503,
            reason: "down".into(),
            retry_in: Some(u64::MAX),
        },
        |_| Kind::MessageWaiting { account: None, new: 1, old: 0, urgent: 0, mailbox: None },
        |call| Kind::Moved { call, address: "192.0.2.7".into() },
        |_| Kind::NetworkChanged { cause: NetworkCause::Address, from: Some("192.0.2.1".into()), to: None },
        |_| {
            Kind::Lamp(LampState {
                account: "work".into(),
                uri: "sip:201@example.com".into(),
                name: None,
                state: Lamp::Busy,
                remote: None,
                remote_name: None,
            })
        },
        |_| Kind::Message {
            account: Some("work".into()),
            from: "sip:bob@example.com".into(),
            name: Some("Bob".into()),
            text: "Lunch?\nAt one.".into(),
        },
        |_| Kind::MessageSent { account: None, to: "sip:bob@example.com".into(), delivered: true },
        |_| Kind::MessageFailed {
            account: None,
            to: "sip:bob@example.com".into(),
            code: 408,
            reason: "no answer".into(),
        },
        |_| Kind::Device {
            role: DeviceRole::Output,
            name: "USB".into(),
            state: DeviceState::Lost,
            detail: Some("unplugged".into()),
        },
        |_| Kind::AudioWarning {
            role: DeviceRole::Input,
            warning: crate::phone::audio_warning::AudioWarning::SilentMicrophone,
            active: true,
        },
        |_| Kind::Forwarding {
            account: Some("work".into()),
            when: When::Always,
            to: Some("sip:carol@example.com".into()),
            seconds: None,
        },
        |_| Kind::Dnd { account: None, on: true },
        |_| Kind::Missed { count: 3 },
        |_| Kind::History { calls: Vec::new() },
        |call| Kind::Screened { call, name: None, code: None, rule: "\u{1b}[2J".repeat(40) },
        |_| Kind::State(Box::default()),
    ];
    kinds[which % kinds.len()](call)
}

/// Every key that the UI can tell.
pub(crate) fn all_keys() -> Vec<Key> {
    let mut keys: Vec<Key> = (' '..='~').chain(['ö', '山']).map(Key::Char).collect();
    keys.extend(('a'..='z').map(Key::Ctrl));
    keys.extend([
        Key::Enter,
        Key::Esc,
        Key::Tab,
        Key::Backspace,
        Key::Delete,
        Key::Left,
        Key::Right,
        Key::CtrlLeft,
        Key::CtrlRight,
        Key::Up,
        Key::Down,
        Key::Home,
        Key::End,
        Key::PageUp,
        Key::PageDown,
    ]);
    keys
}
