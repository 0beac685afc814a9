//! Events as scripts see them: one JSON object a line (CONTRACT of `--json`).

use std::time::SystemTime;

use serde::{Deserialize, Serialize};

use crate::media::processing::{Figures, Settings};
use crate::media::session::Stats;
use crate::services::forwarding::When;
use crate::services::history::Entry;
use crate::ua::CallNo;
use crate::ua::event::{Binding, EndedBy, TransferStage};

use super::audio_warning::AudioWarning;
use super::command::DeviceRole;
use super::security::Security;
use super::snapshot::{LampState, Snapshot};

/// An event with its time.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Event {
    /// When, as RFC 3339 in UTC with milliseconds.
    #[serde(serialize_with = "rfc3339", deserialize_with = "from_rfc3339")]
    pub time: SystemTime,
    /// What.
    #[serde(flatten)]
    pub kind: Kind,
}

fn rfc3339<S: serde::Serializer>(time: &SystemTime, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(&humantime::format_rfc3339_millis(*time))
}

fn from_rfc3339<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<SystemTime, D::Error> {
    let text = String::deserialize(deserializer)?;
    humantime::parse_rfc3339(&text).map_err(serde::de::Error::custom)
}

/// The call that an event is about.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CallRef {
    /// Its number.
    pub call: CallNo,
    /// The account's name, if the call has one.
    pub account: Option<String>,
    /// The other side's URI.
    pub peer: String,
}

/// RTP packets of a call.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, Default)]
pub struct RtpCount {
    /// Sent.
    pub sent: u64,
    /// Received.
    pub received: u64,
    /// Lost on the way to us.
    pub lost: i64,
}

/// How it stands with the way that ICE looks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum WayState {
    /// Packets go this way.
    Connected,
    /// None was found.
    Failed,
    /// The one in use is dead: another one is looked for.
    Lost,
    /// The other side does not look for another one (`reason`); the next hold or resume asks it once more.
    Refused,
}

/// What happened. The names and fields are what scripts rely on.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
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
        /// Everybody who has forwarded it, the last one first, with reasons.
        forwarded: Vec<String>,
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
        #[serde(flatten)]
        security: Security,
        remote_rtp: String,
    },
    /// What of a call that stands is protected has changed.
    Security {
        #[serde(flatten)]
        call: CallRef,
        #[serde(flatten)]
        security: Security,
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
    /// What is wanted to be done to our voice, after a change.
    Audio(Settings),
    /// Who hears whom now: `calls` are the members, none when this call is a member no more.
    Conference {
        #[serde(flatten)]
        call: CallRef,
        calls: Vec<CallNo>,
    },
    /// Whether anybody in the conference hears the other side.
    MemberMuted {
        #[serde(flatten)]
        call: CallRef,
        muted: bool,
    },
    /// The call, or its conference, is recorded into this file from now on; null: no more.
    Recording {
        #[serde(flatten)]
        call: CallRef,
        file: Option<String>,
    },
    /// This file is played into the call; null: no more.
    Playing {
        #[serde(flatten)]
        call: CallRef,
        file: Option<String>,
    },
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
    /// Nobody decided about the request in time: it was refused.
    TransferExpired {
        #[serde(flatten)]
        call: CallRef,
    },
    /// Another call has its place: the other side has transferred us, or itself.
    Replaced {
        #[serde(flatten)]
        call: CallRef,
        by: CallNo,
    },
    /// The called side sends us elsewhere; `others` are tried when `to` fails.
    RedirectRequest {
        #[serde(flatten)]
        call: CallRef,
        to: String,
        others: Vec<String>,
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
        /// What is done to our voice, where anything is.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        processing: Option<Figures>,
    },
    /// What we say comes back after so long: an echo service, or a far side that hears its own speaker.
    Echo {
        #[serde(flatten)]
        call: CallRef,
        delay_ms: u32,
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
    /// What ICE has come to; the two addresses of the sound's way, once there is one.
    Ice {
        #[serde(flatten)]
        call: CallRef,
        state: WayState,
        #[serde(skip_serializing_if = "Option::is_none", default)]
        local: Option<std::net::SocketAddr>,
        #[serde(skip_serializing_if = "Option::is_none", default)]
        remote: Option<std::net::SocketAddr>,
        #[serde(skip_serializing_if = "Option::is_none", default)]
        reason: Option<String>,
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
    /// The machine's address is another one (`from`, `to`), the network went or came, or the machine has slept.
    NetworkChanged {
        cause: NetworkCause,
        from: Option<String>,
        to: Option<String>,
    },
    /// The call goes on from this address of ours.
    Moved {
        #[serde(flatten)]
        call: CallRef,
        address: String,
    },
    /// `urgent`: how many of the new ones are. `mailbox`: what to call to hear them.
    MessageWaiting {
        account: Option<String>,
        new: u32,
        old: u32,
        urgent: u32,
        mailbox: Option<String>,
    },
    /// What a watched address does.
    Lamp(LampState),
    /// A subscription was refused or has ended; `retry_in` seconds, null when it is not tried again by itself.
    SubscriptionFailed {
        account: String,
        package: String,
        uri: String,
        code: Option<u16>,
        reason: String,
        retry_in: Option<u64>,
    },
    /// Somebody wrote; the text may have several lines.
    Message {
        account: Option<String>,
        from: String,
        name: Option<String>,
        text: String,
    },
    /// A text of ours was taken. `delivered` false: by a server that keeps it for later.
    MessageSent {
        account: Option<String>,
        to: String,
        delivered: bool,
    },
    /// A text of ours was refused, or not answered (408).
    MessageFailed {
        account: Option<String>,
        to: String,
        code: u16,
        reason: String,
    },
    /// How a forwarding stands; `to` null: it is off.
    Forwarding {
        account: Option<String>,
        when: When,
        to: Option<String>,
        seconds: Option<u32>,
    },
    /// Whether an account is not to be disturbed.
    Dnd {
        account: Option<String>,
        on: bool,
    },
    /// A call was refused by a rule or by do not disturb; `code` null: its caller hears it ring, and nobody here does.
    Screened {
        #[serde(flatten)]
        call: CallRef,
        name: Option<String>,
        code: Option<u16>,
        rule: String,
    },
    /// A call was sent elsewhere.
    Diverted {
        #[serde(flatten)]
        call: CallRef,
        name: Option<String>,
        to: String,
        when: When,
    },
    /// How many missed calls the person has not seen.
    Missed {
        count: usize,
    },
    /// The last calls, the latest last: the answer to `history`.
    History {
        calls: Vec<Entry>,
    },
    /// A busy number is called again in so many seconds, so many times more; `seconds` null: no more.
    Redial {
        account: Option<String>,
        to: String,
        left: u32,
        seconds: Option<u32>,
    },
    /// A device opened, vanished, came back. `detail` is for a person.
    Device {
        role: DeviceRole,
        name: String,
        state: DeviceState,
        detail: Option<String>,
    },
    /// Something is wrong with the sound of a device that works, or (`active` false) is well again.
    AudioWarning {
        role: DeviceRole,
        warning: AudioWarning,
        active: bool,
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

/// Why the network counts as another one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum NetworkCause {
    /// We have another address now.
    Address,
    /// No way leads to the servers any more.
    Lost,
    /// The ways are back.
    Back,
    /// The machine has slept.
    Sleep,
}

/// Which way a digit went.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[allow(missing_docs)]
pub enum Direction {
    Sent,
    Received,
}

/// What became of a device.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum DeviceState {
    /// Sound flows through it.
    Open,
    /// It vanished or can't be opened; the call goes on without it.
    Lost,
    /// It was closed, for no call needs it.
    Closed,
}

#[cfg(test)]
mod tests;
