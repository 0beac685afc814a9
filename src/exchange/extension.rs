//! The extensions 600 to 609, without I/O: who answers each, and what he does. Sound is opened on a [`Stage`].

use std::collections::HashMap;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use crate::sdp::{Capabilities, Codec, HoldStyle, Negotiated};
use crate::sip::Uri;
use crate::sip::transport::{Flow, Transmit};
use crate::transaction::ServerId;
use crate::transaction::queue::TimerQueue;
use crate::ua::command::{MediaPorts, Reply};
use crate::ua::config::{Account, AutoAnswer, Config, Credentials, SrtpPolicy, TransferPolicy};
use crate::ua::{CallNo, Command, Event, UserAgent};

use super::script::{Cue, Scene, Script};

/// What an extension does with a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Act {
    /// Says back what it hears; digits too.
    Echo,
    /// 440 Hz.
    Tone,
    /// 486.
    Busy,
    /// 180, for as long as the caller waits.
    NoAnswer,
    /// 183 with a tone, and 486 after three seconds.
    EarlyMedia,
    /// A little music.
    Music,
    /// 302 to the echo.
    Redirect,
    /// Answers, and hangs up after five seconds.
    HangUp,
    /// A room in which each hears all others.
    Conference,
    /// Says digits back as tones.
    Digits,
}

/// The numbers, what they do, and that in words.
pub const EXTENSIONS: [(&str, Act, &str); 10] = [
    ("600", Act::Echo, "echo"),
    ("601", Act::Tone, "a 440 Hz tone"),
    ("602", Act::Busy, "busy"),
    ("603", Act::NoAnswer, "no answer"),
    ("604", Act::EarlyMedia, "early media, then busy"),
    ("605", Act::Music, "music on hold"),
    ("606", Act::Redirect, "redirects to 600"),
    ("607", Act::HangUp, "hangs up after 5 s"),
    ("608", Act::Conference, "a conference room"),
    ("609", Act::Digits, "reads back DTMF as tones"),
];

/// Calls that an extension takes at a time.
const MAX_CALLS: usize = 256;
/// How long 604 is heard before it is busy.
const EARLY_MEDIA: Duration = Duration::from_secs(3);
/// How long 607 talks.
const SHORT_TALK: Duration = Duration::from_secs(5);

/// A call's sound on the [`Stage`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct SoundId(pub u64);

/// Where calls get their sound.
pub(crate) trait Stage {
    /// Opens sound; `None`: there is none to be had.
    fn open(&mut self, now: Instant, act: Act) -> Option<(SoundId, MediaPorts)>;
    /// What offer and answer agreed on, now.
    fn configure(&mut self, now: Instant, sound: SoundId, media: &Negotiated);
    /// The caller pressed a key, and told by INFO.
    fn digit(&mut self, now: Instant, sound: SoundId, digit: char);
    /// The call is over.
    fn close(&mut self, now: Instant, sound: SoundId);
}

/// A call of an extension.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Call {
    Phone(CallNo),
    Scene(ServerId),
}

/// Where an extension stands.
#[derive(Debug, Clone)]
pub(crate) struct Home {
    /// The exchange's domain.
    pub domain: String,
    /// The exchange's address.
    pub exchange: SocketAddr,
    /// With which it calls when it is transferred.
    pub password: String,
}

/// One extension.
pub(crate) struct Extension {
    act: Act,
    agent: Agent,
    sounds: HashMap<Call, SoundId>,
    /// When it hangs up by itself.
    ends: TimerQueue<CallNo>,
    /// It has shut down.
    quiet: bool,
}

enum Agent {
    Phone(Box<UserAgent>),
    Script(Box<Script>),
}

impl Extension {
    /// The extension `number` at `home`; `None`: the domain makes no URI.
    pub fn new(now: Instant, number: &str, act: Act, home: &Home, seed: [u8; 32]) -> Option<Extension> {
        let script = |scene| Agent::Script(Box::new(Script::new(scene, capabilities(act), seed)));
        let agent = match act {
            Act::Echo
            | Act::Tone
            | Act::Music
            | Act::Busy
            | Act::NoAnswer
            | Act::HangUp
            | Act::Conference
            | Act::Digits => Agent::Phone(Box::new(UserAgent::new(now, config(number, act, home)?, seed))),
            Act::EarlyMedia => script(Scene::EarlyThenBusy { after: EARLY_MEDIA }),
            // By address: the caller may know no name of ours.
            Act::Redirect => script(Scene::Redirect { to: format!("sip:600@{}", home.exchange) }),
        };
        Some(Extension { act, agent, sounds: HashMap::new(), ends: TimerQueue::default(), quiet: false })
    }

    /// A datagram came.
    pub fn handle_datagram(&mut self, now: Instant, flow: Flow, bytes: &[u8], stage: &mut impl Stage) {
        match &mut self.agent {
            Agent::Phone(ua) => ua.handle_datagram(now, flow, bytes),
            Agent::Script(script) => script.handle_datagram(now, flow, bytes),
        }
        self.settle(now, flow, stage);
    }

    /// The time has come that [`Extension::poll_timeout`] named. `flow` leads to the exchange.
    pub fn handle_timeout(&mut self, now: Instant, flow: Flow, stage: &mut impl Stage) {
        match &mut self.agent {
            Agent::Phone(ua) => {
                while let Some(call) = self.ends.pop(now) {
                    let _ = ua.command(now, Command::Hangup { call });
                }
                ua.handle_timeout(now);
            }
            Agent::Script(script) => script.handle_timeout(now),
        }
        self.settle(now, flow, stage);
    }

    /// Ends every call; poll the transmits once more.
    pub fn shut_down(&mut self, now: Instant, flow: Flow, stage: &mut impl Stage) {
        if let Agent::Phone(ua) = &mut self.agent {
            let _ = ua.command(now, Command::Shutdown);
        }
        self.settle(now, flow, stage);
    }

    /// After [`Extension::shut_down`]: whether a BYE is not answered yet.
    pub fn awaits_answers(&self) -> bool {
        match &self.agent {
            Agent::Phone(_) => !self.quiet,
            Agent::Script(_) => false,
        }
    }

    /// The next message to put on the wire.
    pub fn poll_transmit(&mut self) -> Option<Transmit> {
        match &mut self.agent {
            Agent::Phone(ua) => ua.poll_transmit(),
            Agent::Script(script) => script.poll_transmit(),
        }
    }

    /// When [`Extension::handle_timeout`] is due.
    pub fn poll_timeout(&self) -> Option<Instant> {
        let agent = match &self.agent {
            Agent::Phone(ua) => ua.poll_timeout().map(|(at, _)| at),
            Agent::Script(script) => script.poll_timeout(),
        };
        [agent, self.ends.peek().map(|(at, _)| at)].into_iter().flatten().min()
    }

    fn settle(&mut self, now: Instant, flow: Flow, stage: &mut impl Stage) {
        let Extension { act, agent, sounds, ends, quiet } = self;
        let mut host = Host { act: *act, sounds, ends, quiet, stage };
        match agent {
            Agent::Phone(ua) => host.answer_calls(ua, now, flow),
            Agent::Script(script) => host.play_scenes(script, now),
        }
    }
}

/// Does for an agent what a person would.
struct Host<'a, S: Stage> {
    act: Act,
    sounds: &'a mut HashMap<Call, SoundId>,
    ends: &'a mut TimerQueue<CallNo>,
    quiet: &'a mut bool,
    stage: &'a mut S,
}

impl<S: Stage> Host<'_, S> {
    fn answer_calls(&mut self, ua: &mut UserAgent, now: Instant, flow: Flow) {
        loop {
            if let Some(query) = ua.poll_resolve() {
                // Everything goes through the exchange, whose route names its address; nobody else is looked up.
                let exchange =
                    query.host.parse() == Ok(flow.remote.ip()) && query.port.unwrap_or(5060) == flow.remote.port();
                ua.handle_resolved(now, &query, if exchange { vec![flow] } else { Vec::new() });
                continue;
            }
            let Some(event) = ua.poll_event() else { return };
            match event {
                // At once, without a 180.
                Event::AnswerDue { call, .. } if self.act == Act::Busy => {
                    let _ = ua.command(now, Command::Reject { call, code: 486 });
                }
                Event::AnswerDue { call, .. } => self.answer(ua, now, call),
                Event::TransferDue { call, .. } => self.follow(ua, now, call),
                Event::Media { call, media } => {
                    if let Some(sound) = self.sounds.get(&Call::Phone(call)) {
                        self.stage.configure(now, *sound, &media);
                    }
                }
                Event::Established { call } if self.act == Act::HangUp => self.ends.set(call, now + SHORT_TALK),
                Event::Digit { call, digit, .. } => {
                    if let Some(sound) = self.sounds.get(&Call::Phone(call)) {
                        self.stage.digit(now, *sound, digit);
                    }
                }
                Event::Ended { call, .. } => {
                    self.ends.cancel(&call);
                    self.close(now, Call::Phone(call));
                }
                Event::Quiet => *self.quiet = true,
                // Nobody watches an extension.
                _ => {}
            }
        }
    }

    fn answer(&mut self, ua: &mut UserAgent, now: Instant, call: CallNo) {
        let command = match self.stage.open(now, self.act) {
            Some((sound, media)) => {
                self.sounds.insert(Call::Phone(call), sound);
                Command::Answer { call, media }
            }
            None => Command::Reject { call, code: 500 },
        };
        if ua.command(now, command).is_err() {
            self.close(now, Call::Phone(call));
        }
    }

    /// Calls whom the peer names.
    fn follow(&mut self, ua: &mut UserAgent, now: Instant, call: CallNo) {
        let Some((sound, media)) = self.stage.open(now, self.act) else {
            let _ = ua.command(now, Command::RefuseTransfer { call });
            return;
        };
        match ua.command(now, Command::AcceptTransfer { call, media }) {
            Ok(Reply::Call(new)) => drop(self.sounds.insert(Call::Phone(new), sound)),
            Ok(Reply::Done) | Err(_) => self.stage.close(now, sound),
        }
    }

    fn play_scenes(&mut self, script: &mut Script, now: Instant) {
        while let Some(cue) = script.poll_cue() {
            match cue {
                Cue::SoundDue { call } => {
                    if let Some((sound, media)) = self.stage.open(now, self.act) {
                        self.sounds.insert(Call::Scene(call), sound);
                        script.play(now, call, media);
                    }
                }
                Cue::Media { call, media } => {
                    if let Some(sound) = self.sounds.get(&Call::Scene(call)) {
                        self.stage.configure(now, *sound, &media);
                    }
                }
                Cue::Over { call } => self.close(now, Call::Scene(call)),
            }
        }
    }

    fn close(&mut self, now: Instant, call: Call) {
        if let Some(sound) = self.sounds.remove(&call) {
            self.stage.close(now, sound);
        }
    }
}

fn capabilities(act: Act) -> Capabilities {
    // A room mixes samples: all of its guests have the same rate.
    let narrow = |codec: &Codec| matches!(codec, Codec::Pcmu | Codec::Pcma);
    let codecs = Codec::ALL.into_iter().filter(|codec| act != Act::Conference || narrow(codec)).collect();
    Capabilities { codecs, ptime_ms: 20, telephone_event: true, dtx: false, rtcp_mux: true, ice: Default::default() }
}

fn config(number: &str, act: Act, home: &Home) -> Option<Config> {
    let route = Uri::parse(format!("sip:{};lr", home.exchange).into()).ok()?;
    let credentials = Credentials { user: number.to_owned(), password: home.password.clone() };
    let account = Account {
        name: number.to_owned(),
        uri: Uri::parse(format!("sip:{number}@{}", home.domain).into()).ok()?,
        display_name: None,
        registrar: route.clone(),
        route: vec![route],
        fallbacks: Vec::new(),
        expires: Duration::from_secs(3600),
        srtp: SrtpPolicy::AnyWay,
        srtp_keying: Default::default(),
        register: false,
        credentials: Some(credentials.clone()),
        realms: vec![(home.domain.clone(), credentials)],
        rewrite_contact: false,
        gruu: true,
        instance: None,
        events: Default::default(),
    };
    Some(Config {
        accounts: vec![account],
        user_agent: concat!("offhook-exchange/", env!("CARGO_PKG_VERSION")).to_owned(),
        capabilities: capabilities(act),
        srtp: SrtpPolicy::AnyWay,
        srtp_keying: Default::default(),
        hold: HoldStyle::SendOnly,
        max_calls: MAX_CALLS,
        // 603 rings until the caller or the exchange's Timer C has had enough.
        ring_timeout: Duration::from_secs(3600),
        reliable_ringing: false,
        session_expires: Duration::ZERO,
        auto_answer: match act {
            Act::NoAnswer => AutoAnswer::Never,
            Act::Echo
            | Act::Tone
            | Act::Busy
            | Act::Music
            | Act::EarlyMedia
            | Act::Redirect
            | Act::HangUp
            | Act::Conference
            | Act::Digits => AutoAnswer::Always,
        },
        auto_answer_after: Duration::ZERO,
        transfers: TransferPolicy::Follow,
        redirects: TransferPolicy::Refuse,
        refer_outside: false,
        bye_also: false,
        auto_answer_from: Vec::new(),
        // The driver lets the exchange's datagrams in and no others.
        direct_calls: true,
        keep_alive: None,
    })
}
