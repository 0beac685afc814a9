//! The one thread that carries all calls' sound between the RTP sockets and the devices.
//!
//! | file | what it holds |
//! |---|---|
//! | `engine` | the loop: sockets, orders, timers, devices that come and go |
//! | `sending` | the 20 ms tick: microphone to sessions |
//! | `hearing` | sessions and tones to speaker |
//! | `recording` | calls and conferences into files |
//! | `processing` | echo, noise and level of the microphone |
//! | `conference` | members who hear each other |
//! | `call` | one call: session, sockets, what is played into it and recorded of it |
//! | `devices` | opening, losing and retaking a device |
//! | `care` | the devices in use: needed or not, woken, replaced |
//! | `speaker` | tones, beeps and the mixer |
//! | `watch` | warnings: a silent microphone, clipping, a speaker that runs dry |
//! | `sockets` | RTP and RTCP ports |
//! | `keying` | handshakes, which [`super::dtls`] makes |
//!
//! Nothing here waits but for the next deadline: devices are opened and dropped, files are read and written by threads of
//! their own.

mod call;
mod care;
mod conference;
mod devices;
mod engine;
mod hearing;
mod keying;
mod processing;
mod recording;
mod sending;
mod sockets;
mod speaker;
mod watch;

pub use sockets::{MediaSocket, Sockets};

use std::io;
use std::net::IpAddr;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::mpsc::{Sender, channel};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::Duration;

use polling::Poller;

use crate::audio::wav;
use crate::config;
use crate::media::dtls::Reply;
use crate::media::levels::SILENCE_DBFS;
use crate::media::processing::{Figures, Settings};
use crate::media::session;
use crate::sdp::Negotiated;
use crate::ua::CallNo;
use crate::ua::command::MediaPorts;

use super::audio_warning::AudioWarning;
use super::command::{DeviceRole, PlayAs, Side};
use super::dtls::{Handshakes, Identity};
use super::event::DeviceState;

/// What the media thread does when told. None of it waits.
#[derive(Debug)]
pub enum Order {
    /// Opens the devices, for a call is coming: they take 10 to 15 ms.
    Prepare,
    /// What offer and answer agreed on, now.
    Configure { call: CallNo, media: Box<Negotiated> },
    /// Microphone samples may leave in this call (from the 200 on).
    OpenMicrophone { call: CallNo },
    /// We hold this call: in place of the microphone it hears this, if anything is sent at all; `None`: no more.
    Held { call: CallNo, music: Option<config::HoldMusic> },
    /// Ends a call's sound; [`Report::Closed`] follows.
    Close { call: CallNo },
    /// A tone of the progress of a call, in the speaker; `Silence` ends it. Ringback stays silent while the call's RTP comes
    /// (it starts again when none came for 1 s).
    Tone { call: CallNo, tone: Tone },
    /// Rings on the ring device, or stops.
    Ring(bool),
    /// A short beep in the speaker: a second call waits.
    CallWaitingBeep,
    /// A short beep in the speaker before an auto-answered call's microphone opens.
    AutoAnswerBeep,
    /// Digits by telephone-event, or as tones in the sound; they are heard in the speaker too.
    Digits { call: CallNo, digits: String, how: DigitsBy },
    /// Closes or opens the microphone for all calls.
    Mute(bool),
    /// Lets the members of these calls hear each other; a call that is not named here is in no conference any more.
    Conference { calls: Vec<CallNo> },
    /// Whether a member of the conference is heard, by us and by the others.
    MuteMember { call: CallNo, muted: bool },
    /// Gain in dB.
    Volume { side: Side, db: f32 },
    /// What is done to the voice.
    Processing(Settings),
    /// Another device, from now on.
    Device { role: DeviceRole, name: String },
    /// Of `[audio]` what has orders of its own is left as it is; the rest counts for what begins from now on: `dtx` for calls,
    /// `tones`, `ring_tone`, and `latency` for devices that are opened.
    Habits(Box<config::Audio>),
    /// Plays a WAV file into a call.
    Play { call: CallNo, path: PathBuf, how: PlayAs },
    /// Ends what is played into a call.
    StopPlaying { call: CallNo },
    /// Records a call, or the conference that it is in: stereo, us left, them right.
    Record { call: CallNo, path: PathBuf },
    /// Finishes that file.
    StopRecording { call: CallNo },
    /// Ends the thread; files are finished.
    Quit,
}

/// How digits are sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DigitsBy {
    /// telephone-event where the peer takes it, else as tones.
    Auto,
    /// telephone-event (RFC 4733).
    TelephoneEvent,
    /// As tones in the sound.
    Inband,
}

/// A tone of the progress of a call (ITU-T E.180).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tone {
    /// None.
    Silence,
    /// It rings at the other side.
    Ringback,
    /// Busy: 486, 600. Ends by itself after a few seconds, and outlives its call's `Close`.
    Busy,
    /// Congestion: every other failure. Ends like busy.
    Congestion,
}

/// What the media thread says.
#[derive(Debug, Clone)]
pub enum Report {
    /// Something in a call's sound.
    Session { call: CallNo, event: session::Event },
    /// Before each [`session::Event::Stats`]: what is done to the voice; `None`: nothing.
    Processing(Option<Figures>),
    /// A digit of ours has been sent.
    DigitSent { call: CallNo, digit: char },
    /// A file can't be played or recorded, and why; the call goes on.
    FileFailed { call: CallNo, message: String },
    /// A call is recorded from now on, or in place of another one; `None`: no more.
    Recording { call: CallNo, path: Option<PathBuf> },
    /// What was played has ended.
    PlayEnded { call: CallNo },
    /// A device opened, vanished, came back.
    Device { role: DeviceRole, name: String, state: DeviceState, detail: Option<String> },
    /// Something is wrong with a device's sound, or is well again.
    AudioWarning { role: DeviceRole, warning: AudioWarning, active: bool },
    /// A call's sound has ended, with its figures.
    Closed { call: CallNo, stats: session::Stats },
}

/// Sound levels in dBFS, -100 for silence.
#[derive(Debug, Clone, Copy, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct Levels {
    /// Microphone, after gain and mute.
    pub input: f32,
    /// Speaker, after gain.
    pub output: f32,
}

/// The media thread, as the phone sees it.
#[derive(Clone)]
pub struct MediaThread {
    messages: Sender<Message>,
    poller: Arc<Poller>,
    levels: Arc<SharedLevels>,
    ended: Arc<Ended>,
    network: config::Network,
}

/// What reaches the thread.
enum Message {
    Order(Order),
    Call { call: CallNo, sockets: sockets::Sockets, seed: [u8; 32] },
    Move { call: CallNo, sockets: sockets::Sockets },
    Opened { role: DeviceRole, generation: u64, result: devices::OpenResult },
    Loaded { call: CallNo, why: Load, result: Result<wav::Clip, wav::WavError> },
    Handshake { call: CallNo, reply: Reply },
}

/// Why a file is loaded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Load {
    /// [`Order::Play`].
    Play(PlayAs),
    /// [`Order::Held`].
    Held,
}

/// [`Levels`], written by the media thread and read by others: floats as bits.
struct SharedLevels {
    input: AtomicU32,
    output: AtomicU32,
}

impl SharedLevels {
    fn new() -> SharedLevels {
        let silence = || AtomicU32::new(SILENCE_DBFS.to_bits());
        SharedLevels { input: silence(), output: silence() }
    }

    fn set(&self, side: Side, dbfs: f32) {
        let level = match side {
            Side::Input => &self.input,
            Side::Output => &self.output,
        };
        level.store(dbfs.to_bits(), Ordering::Relaxed);
    }
}

/// Whether the thread has ended.
#[derive(Default)]
struct Ended(Mutex<bool>, Condvar);

/// Says so however the thread ends.
struct EndGuard(Arc<Ended>);

impl Drop for EndGuard {
    fn drop(&mut self) {
        *self.0.0.lock().unwrap_or_else(PoisonError::into_inner) = true;
        self.0.1.notify_all();
    }
}

impl MediaThread {
    /// Starts it. No device is opened yet. `reports` is called on the media thread and must not wait. Without an identity there
    /// are no keys of SRTP by DTLS.
    pub fn spawn(
        audio: &config::Audio,
        network: &config::Network,
        identity: Option<Arc<Identity>>,
        reports: impl Fn(Report) + Send + 'static,
    ) -> io::Result<MediaThread> {
        let (messages, receiver) = channel();
        let poller = Arc::new(Poller::new()?);
        let levels = Arc::new(SharedLevels::new());
        let ended = Arc::new(Ended::default());
        let opener =
            devices::Opener { messages: messages.clone(), poller: Arc::clone(&poller), reports: Box::new(reports) };
        let (replies, waker) = (messages.clone(), Arc::clone(&poller));
        let handshakes = Handshakes::new(identity, move |call, reply| {
            // The thread may have ended meanwhile.
            let _ = replies.send(Message::Handshake { call, reply });
            let _ = waker.notify();
        });
        let engine = engine::Engine::new(audio, receiver, (opener, handshakes), Arc::clone(&levels));
        let guard = EndGuard(Arc::clone(&ended));
        std::thread::Builder::new().name("media".into()).spawn(move || {
            let _guard = guard;
            engine.run();
        })?;
        Ok(MediaThread { messages, poller, levels, ended, network: network.clone() })
    }

    /// Binds a pair of RTP and RTCP ports on `address`, and returns at once; the thread listens from the next order on.
    pub fn open(&self, call: CallNo, address: IpAddr) -> io::Result<MediaPorts> {
        self.adopt(call, self.bind(address)?)
    }

    /// Binds a pair of RTP and RTCP ports, for [`MediaThread::adopt`].
    pub fn bind(&self, address: IpAddr) -> io::Result<Sockets> {
        let mut port = [0; 2];
        getrandom::fill(&mut port).map_err(io::Error::other)?;
        let sockets = Sockets::bind(address, self.network.rtp_ports.as_ref(), u16::from_ne_bytes(port))?;
        sockets.mark(self.network.dscp_rtp);
        Ok(sockets)
    }

    /// Gives a call its ports; the thread listens from the next order on.
    pub fn adopt(&self, call: CallNo, sockets: Sockets) -> io::Result<MediaPorts> {
        let mut seed = [0; 32];
        getrandom::fill(&mut seed).map_err(io::Error::other)?;
        let ports = sockets.ports()?;
        // Not woken yet: it must not run before the INVITE or the 200 that names the ports has left. The next order wakes it.
        let _ = self.messages.send(Message::Call { call, sockets, seed });
        Ok(ports)
    }

    /// Binds a call's ports at another address, the same ones where they are free, and returns at once; what still comes to
    /// the old ones is lost.
    pub fn move_to(&self, call: CallNo, address: IpAddr, ports: MediaPorts) -> io::Result<MediaPorts> {
        let mut random = [0; 2];
        getrandom::fill(&mut random).map_err(io::Error::other)?;
        let sockets =
            sockets::Sockets::bind_again(address, ports, self.network.rtp_ports.as_ref(), u16::from_ne_bytes(random))?;
        sockets.mark(self.network.dscp_rtp);
        let ports = sockets.ports()?;
        self.send(Message::Move { call, sockets });
        Ok(ports)
    }

    /// Gives an order.
    pub fn order(&self, order: Order) {
        self.send(Message::Order(order));
    }

    /// The levels now.
    pub fn levels(&self) -> Levels {
        let level = |bits: &AtomicU32| f32::from_bits(bits.load(Ordering::Relaxed));
        Levels { input: level(&self.levels.input), output: level(&self.levels.output) }
    }

    /// Gives [`Order::Quit`] and waits until files are finished and the thread has ended, but no longer than this. False:
    /// it has not.
    pub fn finish(&self, patience: Duration) -> bool {
        self.order(Order::Quit);
        let ended = self.ended.0.lock().unwrap_or_else(PoisonError::into_inner);
        let (ended, _) =
            self.ended.1.wait_timeout_while(ended, patience, |ended| !*ended).unwrap_or_else(PoisonError::into_inner);
        *ended
    }

    fn send(&self, message: Message) {
        // After `Quit` nobody listens, and nobody needs to.
        let _ = self.messages.send(message);
        let _ = self.poller.notify();
    }
}

#[cfg(test)]
mod tests;
