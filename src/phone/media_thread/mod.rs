//! The one thread that carries all calls' sound between the RTP sockets and the devices.

use std::io;
use std::net::IpAddr;
use std::path::PathBuf;

use crate::config;
use crate::media::session;
use crate::sdp::Negotiated;
use crate::ua::CallNo;
use crate::ua::command::MediaPorts;

use super::command::{DeviceRole, Side};
use super::event::DeviceState;

/// What the media thread does when told. None of it waits.
#[derive(Debug)]
pub enum Order {
    /// Opens the devices, for a call is coming: they take 10 to 15 ms.
    Prepare,
    /// What offer and answer agreed on, now.
    Configure { call: CallNo, media: Negotiated },
    /// Microphone samples may leave in this call (from the 200 on).
    OpenMicrophone { call: CallNo },
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
    /// Gain in dB.
    Volume { side: Side, db: f32 },
    /// Another device, from now on.
    Device { role: DeviceRole, name: String },
    /// Plays a WAV file into a call in place of the microphone.
    Play { call: CallNo, path: PathBuf },
    /// Records a call: stereo, us left, them right.
    Record { call: CallNo, path: PathBuf },
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
    /// A digit of ours has been sent.
    DigitSent { call: CallNo, digit: char },
    /// A file can't be played or recorded, and why; the call goes on.
    FileFailed { call: CallNo, message: String },
    /// A file was played to its end.
    PlayEnded { call: CallNo },
    /// A device opened, vanished, came back.
    Device { role: DeviceRole, name: String, state: DeviceState, detail: Option<String> },
    /// A call's sound has ended, with its figures.
    Closed { call: CallNo, stats: session::Stats },
}

/// Sound levels in dBFS, -100 for silence.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Levels {
    /// Microphone, after gain and mute.
    pub input: f32,
    /// Speaker, after gain.
    pub output: f32,
}

/// The media thread, as the phone sees it.
#[derive(Clone)]
pub struct MediaThread {}

impl MediaThread {
    /// Starts it. No device is opened yet. `reports` is called on the media thread and must not wait.
    pub fn spawn(audio: &config::Audio, reports: impl Fn(Report) + Send + 'static) -> io::Result<MediaThread> {
        let _ = (audio, &reports);
        todo!()
    }

    /// Binds a pair of RTP and RTCP ports on `address` and begins to listen: returns at once.
    pub fn open(&self, call: CallNo, address: IpAddr) -> io::Result<MediaPorts> {
        let _ = (call, address);
        todo!()
    }

    /// Gives an order.
    pub fn order(&self, order: Order) {
        let _ = order;
        todo!()
    }

    /// The levels now.
    pub fn levels(&self) -> Levels {
        todo!()
    }
}
