//! The loop of the media thread.

use std::collections::BTreeMap;
use std::ops::Bound;
use std::sync::Arc;
use std::sync::mpsc::Receiver;
use std::time::{Duration, Instant};

use polling::{Event, Events, PollMode};

use crate::audio::pace::Pacer;
use crate::audio::ringer::Ringer;
use crate::audio::simple::Player;
use crate::audio::wav::{self, Writer};
use crate::audio::{Input, Output};
use crate::config::{self, Latency};
use crate::media::codec::Dtx;
use crate::media::tones::{self, Digits};
use crate::media::{levels, session};
use crate::phone::command::{DeviceRole, Side};
use crate::phone::dtls::Handshakes;
use crate::ua::CallNo;

use super::call::Call;
use super::care::DEVICES;
use super::conference::Member;
use super::devices::{Opener, Slot};
use super::processing::Treatment;
use super::sockets::Sockets;
use super::speaker::Speaker;
use super::watch::{MicrophoneWatch, SpeakerWatch};
use super::{DigitsBy, Load, Message, Order, Report, SharedLevels};

/// How long devices stay open for a call that is coming.
const PREPARED: Duration = Duration::from_secs(15);
/// How long they stay open after the last call.
pub(super) const LINGER: Duration = Duration::from_secs(3);
/// How long the files may take to be finished when the thread ends.
const FINISH: Duration = Duration::from_secs(1);
/// The beep before an auto-answered call's microphone opens, and a moment.
const BEEP: Duration = Duration::from_millis(250);
/// Datagrams are no longer than this, or not RTP.
const MAX_DATAGRAM: usize = 2048;

/// Everything that the thread has.
pub struct Engine {
    messages: Receiver<Message>,
    pub(super) opener: Opener,
    pub(super) handshakes: Handshakes,
    pub(super) levels: Arc<SharedLevels>,
    pub(super) latency: Latency,
    dtx: Dtx,
    /// Each in a place of its own: the map's nodes have room for eleven, and are half empty.
    pub(super) calls: BTreeMap<CallNo, Box<Call>>,
    pub(super) input: Slot<Box<dyn Input>>,
    pub(super) output: Slot<Box<dyn Output>>,
    pub(super) ring: Slot<Ringer>,
    pub(super) ringing: bool,
    pub(super) ring_tone: Option<std::path::PathBuf>,
    pub(super) speaker: Speaker,
    /// The call whose packets set the pace of a speaker with a clock.
    pub(super) leader: Option<CallNo>,
    /// A speaker that takes nothing is not offered more before then.
    pub(super) feed_not_before: Instant,
    pub(super) pacer: Pacer,
    /// The thread sends and listens: there are calls, or a tone sounds.
    pub(super) ticking: bool,
    /// Since when the microphone's samples are missing for the packet that is due.
    pub(super) short_since: Option<Instant>,
    /// The microphone has stopped: silence is sent at the same pace.
    pub(super) stalled: bool,
    pub(super) muted: bool,
    pub(super) input_gain: f32,
    pub(super) treatment: Treatment,
    /// No session wants attention before then.
    next_timeout: Option<Instant>,
    /// When each does, as it stands in the calls too: with many of them, looking through all that memory took more time than what
    /// was due.
    dues: BTreeMap<CallNo, Instant>,
    pub(super) needed_until: Instant,
    beep_until: Instant,
    pub(super) finishing: Vec<Writer>,
    datagram: Vec<u8>,
    pub(super) scratch: Vec<i16>,
    /// The calls, at a tick.
    pub(super) numbers: Vec<CallNo>,
    /// The sample rates in use, at a tick.
    pub(super) rates: Vec<u32>,
    /// What the microphone gave at this tick, at each sample rate in use.
    pub(super) said: Vec<(u32, Vec<i16>)>,
    /// Of it what came at the first rate, before gain and mute.
    pub(super) raw: Vec<i16>,
    pub(super) microphone_watch: MicrophoneWatch,
    pub(super) speaker_watch: SpeakerWatch,
    /// The sample rates of the conference's members.
    pub(super) conference_rates: Vec<u32>,
    /// What a member of the conference hears in this tick: before clipping, and after.
    pub(super) sum: Vec<i32>,
    pub(super) mixed: Vec<i16>,
}

/// Asks for the processor before other programs' threads; audio threads are started from here and inherit it. Most systems
/// grant it to root only, and all works without.
fn prefer_this_thread() {
    // SAFETY: a system call with plain numbers; 0 is the calling thread.
    let _ = unsafe { libc::setpriority(libc::PRIO_PROCESS, 0, -10) };
}

/// What a held side hears for `hold_music = "tone"`: a quiet beep every five seconds.
fn hold_tone() -> wav::Clip {
    const RATE: u32 = 8000;
    let mut samples = vec![0i16; 5 * RATE as usize];
    tones::Generator::new(tones::HOLD, RATE).fill(&mut samples);
    wav::Clip { rate: RATE, samples: samples.into() }
}

/// Whether the loop goes on.
#[derive(PartialEq, Eq)]
enum Flow {
    On,
    Quit,
}

impl Engine {
    pub fn new(
        audio: &config::Audio,
        messages: Receiver<Message>,
        (opener, handshakes): (Opener, Handshakes),
        levels: Arc<SharedLevels>,
    ) -> Engine {
        let now = Instant::now();
        Engine {
            messages,
            opener,
            handshakes,
            levels,
            latency: audio.latency,
            dtx: audio.dtx,
            calls: BTreeMap::new(),
            input: Slot::new(DeviceRole::Input, audio.input.clone()),
            output: Slot::new(DeviceRole::Output, audio.output.clone()),
            ring: Slot::new(DeviceRole::Ring, audio.ring.clone()),
            ringing: false,
            ring_tone: audio.ring_tone.clone(),
            speaker: Speaker::new(8000, audio.tones),
            leader: None,
            feed_not_before: now,
            pacer: Pacer::new(now, Engine::TICK),
            ticking: false,
            short_since: None,
            stalled: false,
            muted: false,
            input_gain: 1.0,
            treatment: Treatment::new(audio.processing),
            next_timeout: None,
            dues: BTreeMap::new(),
            needed_until: now,
            beep_until: now,
            finishing: Vec::new(),
            datagram: vec![0; MAX_DATAGRAM],
            scratch: Vec::new(),
            said: Vec::new(),
            numbers: Vec::new(),
            rates: Vec::new(),
            raw: Vec::new(),
            microphone_watch: MicrophoneWatch::new(now),
            speaker_watch: SpeakerWatch::new(now),
            conference_rates: Vec::new(),
            sum: Vec::new(),
            mixed: Vec::new(),
        }
    }

    /// Until [`Order::Quit`].
    pub fn run(mut self) {
        prefer_this_thread();
        let poller = Arc::clone(&self.opener.poller);
        let mut events = Events::new();
        loop {
            events.clear();
            let waited = match self.next_deadline() {
                Some(deadline) => poller.wait_deadline(&mut events, deadline),
                None => poller.wait(&mut events, None),
            };
            if let Err(error) = waited {
                tracing::error!(%error, "the media thread can't wait for its sockets");
                return self.quit();
            }
            let now = Instant::now();
            for event in events.iter().filter(|event| DEVICES.contains(&event.key)) {
                self.device_woke(now, event.key);
            }
            // Sending first: what leaves late is heard, what is read late is not.
            self.tick_if_due(now);
            let now = Instant::now();
            for event in events.iter().filter(|event| !DEVICES.contains(&event.key)) {
                self.receive(now, event.key);
            }
            while let Ok(message) = self.messages.try_recv() {
                if self.handle(now, message) == Flow::Quit {
                    return self.quit();
                }
            }
            self.care_for_devices(now);
            self.feed_if_due(now);
            self.handle_timeouts(now);
        }
    }

    fn next_deadline(&self) -> Option<Instant> {
        let now = Instant::now();
        let tick = self.ticking.then(|| self.tick_deadline());
        let feed = self.ticking.then(|| self.feed_deadline(now)).flatten();
        let devices = self.is_needed(now).then(|| {
            [self.input.poll_timeout(), self.output.poll_timeout(), self.ring.poll_timeout()]
                .into_iter()
                .flatten()
                .min()
        });
        let idle = self.is_idle();
        let close = (idle && (self.input.get().is_some() || self.output.get().is_some())).then_some(self.needed_until);
        let ring = self.ring.poll_timeout().filter(|_| self.ringing);
        [tick, feed, devices.flatten(), close.filter(|at| *at > now), ring, self.next_timeout]
            .into_iter()
            .flatten()
            .min()
    }

    fn handle(&mut self, now: Instant, message: Message) -> Flow {
        match message {
            Message::Order(Order::Quit) => return Flow::Quit,
            Message::Order(order) => self.obey(now, order),
            Message::Call { call, sockets, seed } => self.begin(now, call, sockets, seed),
            Message::Move { call, sockets } => self.move_to(call, sockets),
            Message::Handshake { call, reply } => self.handshake_replied(now, call, reply),
            Message::Opened { role, generation, result } => self.opened(now, role, generation, result),
            Message::Loaded { call, why, result } => match (self.calls.get_mut(&call), result) {
                (Some(open), Ok(clip)) => match why {
                    Load::Play(how) => open.play(Player::new(clip, false), how),
                    Load::Held => open.hold_music(Player::new(clip, true)),
                },
                (Some(_), Err(error)) => {
                    self.file_failed(call, error.to_string());
                    if let Load::Play(_) = why {
                        (self.opener.reports)(Report::PlayEnded { call });
                    }
                }
                (None, _) => (),
            },
        }
        Flow::On
    }

    fn obey(&mut self, now: Instant, order: Order) {
        match order {
            Order::Prepare => self.needed_until = self.needed_until.max(now + PREPARED),
            Order::Configure { call, media } => {
                let sent = self.calls.values().any(|call| call.session.sends());
                let Some(open) = self.calls.get_mut(&call) else { return };
                open.session.configure(now, &media);
                open.media = Some(*media);
                let sends = open.session.sends();
                self.settle(call);
                if sends && !sent {
                    self.send_first(now);
                }
            }
            Order::OpenMicrophone { call } => {
                let at = now.max(self.beep_until);
                if let Some(call) = self.calls.get_mut(&call) {
                    call.open_at.get_or_insert(at);
                }
            }
            Order::Close { call } => self.close(now, call),
            Order::Tone { call, tone } => {
                self.speaker.tone(now, call, tone);
                self.start_ticking(now);
            }
            Order::Ring(on) => self.ringing = on,
            Order::CallWaitingBeep => {
                self.speaker.call_waits();
                self.start_ticking(now);
            }
            Order::AutoAnswerBeep => self.auto_answer_beep(now),
            Order::Digits { call, digits, how } => self.dial(now, call, &digits, how),
            Order::Mute(muted) => self.muted = muted,
            Order::Conference { calls } => {
                for (number, call) in &mut self.calls {
                    match calls.contains(number) {
                        true => drop(call.member.get_or_insert_with(Member::new)),
                        false => call.member = None,
                    }
                }
            }
            Order::MuteMember { call, muted } => {
                if let Some(member) = self.calls.get_mut(&call).and_then(|call| call.member.as_mut()) {
                    member.muted = muted;
                }
            }
            Order::Processing(settings) => self.treatment.set(settings),
            Order::Volume { side: Side::Input, db } => self.input_gain = levels::factor(db),
            Order::Volume { side: Side::Output, db } => self.speaker.set_gain(db),
            Order::Device { role, name } => self.change_device(role, name),
            Order::Habits(audio) => {
                (self.dtx, self.latency) = (audio.dtx, audio.latency);
                self.speaker.set_tones(audio.tones);
                self.ring_tone = audio.ring_tone;
            }
            Order::Play { call, path, how } => self.load(call, Load::Play(how), path),
            Order::StopPlaying { call } => {
                if self.calls.get_mut(&call).is_some_and(|one| one.stop_playing()) {
                    (self.opener.reports)(Report::PlayEnded { call });
                }
            }
            Order::Held { call, music } => {
                let Some(open) = self.calls.get_mut(&call) else { return };
                open.set_held(music.is_some());
                match music {
                    None | Some(config::HoldMusic::None) => {}
                    Some(config::HoldMusic::Tone) => open.hold_music(Player::new(hold_tone(), true)),
                    Some(config::HoldMusic::File(path)) => self.load(call, Load::Held, path.into()),
                }
            }
            Order::Record { call, path } => self.record(call, path),
            Order::StopRecording { call } => self.stop_recording(call),
            // Ends the loop before it comes here.
            Order::Quit => (),
        }
    }

    fn begin(&mut self, now: Instant, call: CallNo, sockets: Sockets, seed: [u8; 32]) {
        if self.calls.contains_key(&call) {
            self.close(now, call);
        }
        self.listen(call, &sockets);
        let mut new = Call::new(now, seed, sockets);
        new.session.set_dtx(self.dtx);
        if self.calls.is_empty() {
            // With many calls it would cost too much, and none of them is listened to.
            new.session.look_for_echo(now);
        }
        self.calls.insert(call, Box::new(new));
        self.start_ticking(now);
    }

    /// Asks to be woken for what comes to these sockets.
    fn listen(&self, call: CallNo, sockets: &Sockets) {
        let key = call.0 as usize * 2;
        // SAFETY: both sockets are deleted from the poller in `forget`, before they are dropped.
        let added = unsafe {
            let poller = &self.opener.poller;
            poller
                .add_with_mode(&sockets.rtp.socket, Event::readable(key), PollMode::Level)
                .and_then(|()| poller.add_with_mode(&sockets.rtcp.socket, Event::readable(key + 1), PollMode::Level))
        };
        if let Err(error) = added {
            tracing::error!(%error, %call, "can't listen for RTP");
        }
    }

    fn forget(&self, sockets: &Sockets) {
        for socket in [&sockets.rtp.socket, &sockets.rtcp.socket] {
            // It fails only for a socket that was never added.
            let _ = self.opener.poller.delete(socket);
        }
    }

    /// A call goes on at other sockets.
    fn move_to(&mut self, call: CallNo, sockets: Sockets) {
        if !self.calls.contains_key(&call) {
            return;
        }
        self.listen(call, &sockets);
        if let Some(old) = self.calls.get_mut(&call).map(|open| open.replace_sockets(sockets)) {
            self.forget(&old);
        }
    }

    fn start_ticking(&mut self, now: Instant) {
        if self.ticking {
            return;
        }
        self.ticking = true;
        self.treatment.reset();
        self.short_since = None;
        self.stalled = false;
        self.pacer = Pacer::new(now, Engine::TICK);
        if let Some(input) = self.input.get_mut() {
            input.discard();
        }
    }

    pub(super) fn is_ticking(&self) -> bool {
        self.ticking
    }

    fn close(&mut self, now: Instant, call: CallNo) {
        let Some(mut open) = self.calls.remove(&call) else { return };
        self.dues.remove(&call);
        open.session.close(now);
        open.flush();
        while let Some(request) = open.session.poll_handshake() {
            self.handshakes.request(call, request);
        }
        self.forget(open.sockets());
        self.finishing.retain(|writer| !writer.is_done());
        if let Some(recording) = open.recording.take() {
            self.leave_recording(open.member.is_some(), recording);
        }
        self.speaker.close(call);
        if self.leader == Some(call) {
            self.leader = None;
        }
        self.needed_until = self.needed_until.max(now + LINGER);
        (self.opener.reports)(Report::Closed { call, stats: open.session.stats() });
    }

    fn quit(mut self) {
        let now = Instant::now();
        let calls: Vec<CallNo> = self.calls.keys().copied().collect();
        for call in calls {
            self.close(now, call);
        }
        let deadline = Instant::now() + FINISH;
        for writer in self.finishing.drain(..) {
            writer.wait(deadline);
        }
    }

    fn receive(&mut self, now: Instant, key: usize) {
        let number = CallNo((key / 2) as u32);
        let Some(call) = self.calls.get_mut(&number) else { return };
        let is_rtp = key.is_multiple_of(2);
        let mut datagram = std::mem::take(&mut self.datagram);
        let socket = if is_rtp { &call.sockets().rtp } else { &call.sockets().rtcp };
        if let Some((from, bytes)) = socket.receive(&mut datagram) {
            if is_rtp {
                call.session.handle_rtp(now, from, bytes);
            } else {
                call.session.handle_rtcp(now, from, bytes);
            }
            self.settle(number);
            if is_rtp {
                self.sound_came(now, number);
            }
        }
        self.datagram = datagram;
    }

    /// After every touch of a session: what it wants to send, tell, and be woken for.
    pub(super) fn settle(&mut self, number: CallNo) {
        let Some(call) = self.calls.get_mut(&number) else { return };
        while let Some(request) = call.session.poll_handshake() {
            self.handshakes.request(number, request);
        }
        call.flush();
        while let Some(event) = call.session.poll_event() {
            if let session::Event::Stats(_) = event {
                (self.opener.reports)(Report::Processing(self.treatment.figures()));
            }
            (self.opener.reports)(match event {
                session::Event::DigitSent { digit } => Report::DigitSent { call: number, digit },
                event => Report::Session { call: number, event },
            });
        }
        let due = call.session.poll_timeout();
        if due == std::mem::replace(&mut call.due, due) {
            return;
        }
        match due {
            Some(at) => self.dues.insert(number, at),
            None => self.dues.remove(&number),
        };
        self.next_timeout = self.next_timeout.into_iter().chain(due).min();
    }

    fn handle_timeouts(&mut self, now: Instant) {
        if self.next_timeout.is_none_or(|at| now < at) {
            return;
        }
        let mut next = self.dues.first_key_value().map(|(number, at)| (*number, *at));
        while let Some((number, at)) = next {
            let after = (Bound::Excluded(number), Bound::Unbounded);
            next = self.dues.range(after).next().map(|(number, at)| (*number, *at));
            if at <= now
                && let Some(call) = self.calls.get_mut(&number)
            {
                call.session.handle_timeout(now);
                self.settle(number);
            }
        }
        self.next_timeout = self.dues.values().copied().min();
    }

    fn dial(&mut self, now: Instant, number: CallNo, digits: &str, how: DigitsBy) {
        let Some(call) = self.calls.get_mut(&number) else { return };
        let by_event = match how {
            DigitsBy::Auto | DigitsBy::TelephoneEvent => call.session.send_digits(now, digits),
            DigitsBy::Inband => false,
        };
        if !by_event {
            // A peer that takes no telephone-event hears the digits at least.
            let rate = call.session.sample_rate();
            call.tones.get_or_insert_with(|| Digits::new(rate)).push(digits);
        }
        self.speaker.side_tone(digits);
        self.settle(number);
    }

    fn auto_answer_beep(&mut self, now: Instant) {
        if self.output.get().is_some_and(|output| !output.is_heard()) {
            return; // Nobody would hear it.
        }
        self.speaker.beep(tones::AUTO_ANSWER);
        self.start_ticking(now);
        self.beep_until = now + BEEP;
        for call in self.calls.values_mut() {
            if call.open_at.is_some_and(|at| at + Duration::from_millis(50) > now) {
                call.open_at = Some(self.beep_until);
            }
        }
    }

    fn load(&mut self, call: CallNo, why: Load, path: std::path::PathBuf) {
        let (messages, poller) = (self.opener.messages.clone(), Arc::clone(&self.opener.poller));
        let run = move || {
            // The media thread may have ended meanwhile.
            let _ = messages.send(Message::Loaded { call, why, result: wav::load(&path) });
            let _ = poller.notify();
        };
        if let Err(error) = std::thread::Builder::new().name("wav-load".into()).spawn(run) {
            self.file_failed(call, error.to_string());
        }
    }

    pub(super) fn file_failed(&self, call: CallNo, message: String) {
        (self.opener.reports)(Report::FileFailed { call, message });
    }

    fn is_idle(&self) -> bool {
        self.calls.is_empty() && !self.speaker.is_busy() && !self.ringing
    }

    pub(super) fn is_needed(&self, now: Instant) -> bool {
        !self.is_idle() || now < self.needed_until
    }
}
