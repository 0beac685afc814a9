//! Events as scripts see them: one JSON object a line (CONTRACT of `--json`), and the snapshot that `state` gives.

use std::time::SystemTime;

use serde::Serialize;

use crate::media::session::Stats;
use crate::ua::CallNo;
use crate::ua::event::{Binding, EndedBy, TransferStage};

use super::command::DeviceRole;

/// An event with its time.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Event {
    /// When, as RFC 3339 in UTC with milliseconds.
    #[serde(serialize_with = "rfc3339")]
    pub time: SystemTime,
    /// What.
    #[serde(flatten)]
    pub kind: Kind,
}

fn rfc3339<S: serde::Serializer>(time: &SystemTime, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(&humantime::format_rfc3339_millis(*time))
}

/// The call that an event is about.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct CallRef {
    /// Its number.
    pub call: CallNo,
    /// The account's name, if the call has one.
    pub account: Option<String>,
    /// The other side's URI.
    pub peer: String,
}

/// RTP packets of a call.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Default)]
pub struct RtpCount {
    /// Sent.
    pub sent: u64,
    /// Received.
    pub received: u64,
    /// Lost on the way to us.
    pub lost: i64,
}

/// What happened. The names and fields are what scripts rely on.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(tag = "event", rename_all = "snake_case")]
#[allow(missing_docs)]
pub enum Kind {
    Registering {
        account: String,
    },
    Registered {
        account: String,
        expires: u64,
        contact: String,
        contacts: Vec<Binding>,
    },
    /// The answer to `register --query`.
    Bindings {
        account: String,
        contacts: Vec<Binding>,
    },
    RegistrationFailed {
        account: String,
        code: u16,
        reason: String,
        retry_in: Option<u64>,
    },
    Unregistered {
        account: String,
    },

    Incoming {
        #[serde(flatten)]
        call: CallRef,
        from: String,
        name: Option<String>,
        called: String,
        diverted_from: Option<String>,
        referred_by: Option<String>,
    },
    Calling {
        #[serde(flatten)]
        call: CallRef,
    },
    Ringing {
        #[serde(flatten)]
        call: CallRef,
        code: u16,
    },
    EarlyMedia {
        #[serde(flatten)]
        call: CallRef,
    },
    Established {
        #[serde(flatten)]
        call: CallRef,
        codec: String,
        srtp: bool,
        remote_rtp: String,
    },
    PeerChanged {
        #[serde(flatten)]
        call: CallRef,
        from: String,
        name: Option<String>,
    },
    Held {
        #[serde(flatten)]
        call: CallRef,
    },
    Resumed {
        #[serde(flatten)]
        call: CallRef,
    },
    RemoteHeld {
        #[serde(flatten)]
        call: CallRef,
    },
    RemoteResumed {
        #[serde(flatten)]
        call: CallRef,
    },
    Muted,
    Unmuted,
    Transfer {
        #[serde(flatten)]
        call: CallRef,
        stage: TransferStage,
        code: Option<u16>,
    },
    TransferRequest {
        #[serde(flatten)]
        call: CallRef,
        to: String,
        by: Option<String>,
    },
    Dtmf {
        #[serde(flatten)]
        call: CallRef,
        digit: char,
        direction: Direction,
    },
    Stats {
        #[serde(flatten)]
        call: CallRef,
        #[serde(flatten)]
        stats: Stats,
    },
    MediaLost {
        #[serde(flatten)]
        call: CallRef,
        seconds: u32,
    },
    MediaBack {
        #[serde(flatten)]
        call: CallRef,
    },
    /// `advice`: what a person can do about it, if anything.
    Ended {
        #[serde(flatten)]
        call: CallRef,
        by: EndedBy,
        code: Option<u16>,
        reason: String,
        duration_s: f64,
        rtp: RtpCount,
        advice: Option<String>,
    },
    MessageWaiting {
        account: Option<String>,
        new: u32,
        old: u32,
    },
    /// A device opened, vanished, came back. `detail` is for a person.
    Device {
        role: DeviceRole,
        name: String,
        state: DeviceState,
        detail: Option<String>,
    },
    Ok {
        command: String,
    },
    Error {
        #[serde(skip_serializing_if = "Option::is_none")]
        command: Option<String>,
        message: String,
    },
    State(Box<Snapshot>),
}

/// Which way a digit went.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
#[allow(missing_docs)]
pub enum Direction {
    Sent,
    Received,
}

/// What became of a device.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum DeviceState {
    /// Sound flows through it.
    Open,
    /// It vanished or can't be opened; the call goes on without it.
    Lost,
    /// It was closed, for no call needs it.
    Closed,
}

/// Everything at one moment.
#[derive(Debug, Clone, PartialEq, Serialize, Default)]
#[allow(missing_docs)]
pub struct Snapshot {
    pub accounts: Vec<AccountState>,
    pub calls: Vec<CallState>,
    pub devices: Devices,
    pub muted: bool,
}

/// An account at one moment.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[allow(missing_docs)]
pub struct AccountState {
    pub name: String,
    pub uri: String,
    pub registration: Registration,
    /// Why it failed.
    pub reason: Option<String>,
    /// New and old voice messages, where the PBX told.
    pub messages: Option<(u32, u32)>,
}

/// An account's registration.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
#[allow(missing_docs)]
pub enum Registration {
    Off,
    Registering,
    Registered,
    Failed,
}

/// A call at one moment.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[allow(missing_docs)]
pub struct CallState {
    #[serde(flatten)]
    pub call: CallRef,
    pub name: Option<String>,
    pub incoming: bool,
    pub state: CallStage,
    pub held: bool,
    pub remote_held: bool,
    pub codec: Option<String>,
    /// Seconds since it was answered.
    pub duration_s: Option<f64>,
    /// A transfer of ours that is under way.
    pub transfer: Option<TransferStage>,
    /// Where the peer asks us to call instead.
    pub transfer_request: Option<String>,
    pub stats: Option<Stats>,
}

/// How far a call is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum CallStage {
    /// We called, nothing rings yet.
    Calling,
    /// It rings, here or there.
    Ringing,
    /// We called, it does not ring yet, and sound comes.
    Early,
    /// It stands.
    Established,
    /// It is being hung up.
    Ending,
}

/// The devices in use, as configured.
#[derive(Debug, Clone, PartialEq, Serialize, Default)]
#[allow(missing_docs)]
pub struct Devices {
    pub input: String,
    pub output: String,
    pub ring: String,
}
