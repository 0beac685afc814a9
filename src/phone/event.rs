//! Events as scripts see them: one JSON object a line (CONTRACT of `--json`), and the snapshot that `state` gives.

use std::time::SystemTime;

use serde::{Deserialize, Serialize};

use crate::media::processing::{Figures, Settings};
use crate::media::session::Stats;
use crate::services::forwarding::{Forward, When};
use crate::services::history::Entry;
use crate::ua::CallNo;
use crate::ua::event::{Binding, EndedBy, Lamp, TransferStage};

use super::audio_warning::AudioWarning;
use super::command::DeviceRole;
use super::security::Security;

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

/// Everything at one moment.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Default)]
#[allow(missing_docs)]
pub struct Snapshot {
    pub accounts: Vec<AccountState>,
    pub calls: Vec<CallState>,
    /// The lamps of watched addresses.
    pub watched: Vec<LampState>,
    pub devices: Devices,
    pub muted: bool,
    /// What is wanted to be done to our voice.
    pub processing: Settings,
    /// The forwardings that are on.
    pub forwarding: Vec<Forward>,
    /// The accounts that are not to be disturbed; null: calls without an account.
    pub dnd: Vec<Option<String>>,
    /// Missed calls that the person has not seen.
    pub missed: usize,
    /// SIP transactions that are open, of either side: some live for 32 s after their last message.
    pub transactions: usize,
}

/// An account at one moment.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[allow(missing_docs)]
pub struct AccountState {
    pub name: String,
    pub uri: String,
    pub registration: Registration,
    /// Why it failed.
    pub reason: Option<String>,
    /// New and old voice messages, where the PBX told.
    pub messages: Option<(u32, u32)>,
    /// What to call to hear them: as configured, else as the PBX told.
    pub mailbox: Option<String>,
}

/// A watched address at one moment.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[allow(missing_docs)]
pub struct LampState {
    pub account: String,
    pub uri: String,
    pub name: Option<String>,
    pub state: Lamp,
    /// Who rings it, or with whom it talks, where the PBX told.
    pub remote: Option<String>,
    pub remote_name: Option<String>,
}

/// An account's registration.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[allow(missing_docs)]
pub enum Registration {
    Off,
    Registering,
    Registered,
    Failed,
}

/// A call at one moment.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[allow(missing_docs)]
pub struct CallState {
    #[serde(flatten)]
    pub call: CallRef,
    pub name: Option<String>,
    pub incoming: bool,
    pub state: CallStage,
    pub held: bool,
    pub remote_held: bool,
    /// In the conference.
    pub conference: bool,
    /// Nobody in the conference hears its other side.
    pub muted: bool,
    pub codec: Option<String>,
    #[serde(flatten)]
    pub security: Security,
    /// Seconds since it was answered.
    pub duration_s: Option<f64>,
    /// A transfer of ours that is under way.
    pub transfer: Option<TransferStage>,
    /// Where the peer asks us to call instead.
    pub transfer_request: Option<String>,
    /// Where the called side sends us.
    pub redirect_request: Option<String>,
    /// The file that it, or its conference, is recorded into.
    #[serde(default)]
    pub recording: Option<String>,
    /// The file that is played into it.
    #[serde(default)]
    pub playing: Option<String>,
    pub stats: Option<Stats>,
}

/// How far a call is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
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
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Default)]
#[allow(missing_docs)]
pub struct Devices {
    pub input: String,
    pub output: String,
    pub ring: String,
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, UNIX_EPOCH};

    use serde_json::{Value, json};

    use super::*;

    fn call() -> CallRef {
        CallRef { call: CallNo(3), account: Some("work".into()), peer: "sip:bob@example.com".into() }
    }

    fn seen(kind: Kind) -> Value {
        let time = UNIX_EPOCH + Duration::from_millis(1_790_000_000_123);
        let event = Event { time, kind };
        let mut value = serde_json::to_value(&event).unwrap();
        assert_eq!(serde_json::from_value::<Event>(value.clone()).unwrap(), event, "read back");
        assert_eq!(value.as_object_mut().unwrap().remove("time").unwrap(), "2026-09-21T14:13:20.123Z");
        value
    }

    /// The fields besides those that every call event has.
    fn of_call(kind: Kind) -> Value {
        let mut value = seen(kind);
        let fields = value.as_object_mut().unwrap();
        assert_eq!(fields.remove("call"), Some(json!(3)));
        assert_eq!(fields.remove("account"), Some(json!("work")));
        assert_eq!(fields.remove("peer"), Some(json!("sip:bob@example.com")));
        value
    }

    #[test]
    fn events_of_accounts_and_of_the_phone() {
        let account = || "work".to_string();
        let contacts = || vec![Binding { uri: "sip:x@192.0.2.1".into(), expires: Some(60), ours: true }];
        let contacts_json = json!([{"uri": "sip:x@192.0.2.1", "expires": 60, "ours": true}]);
        for (kind, expected) in [
            (Kind::Registering { account: account() }, json!({"event": "registering", "account": "work"})),
            (
                Kind::Registered { account: account(), expires: 60, contact: "sip:x@a".into(), contacts: contacts() },
                json!({"event": "registered", "account": "work", "expires": 60, "contact": "sip:x@a", "contacts": contacts_json}),
            ),
            (
                Kind::Bindings { account: account(), contacts: contacts() },
                json!({"event": "bindings", "account": "work", "contacts": contacts_json}),
            ),
            (
                Kind::RegistrationFailed { account: account(), code: 403, reason: "Forbidden".into(), retry_in: None },
                json!({"event": "registration_failed", "account": "work", "code": 403, "reason": "Forbidden", "retry_in": null}),
            ),
            (Kind::Unregistered { account: account() }, json!({"event": "unregistered", "account": "work"})),
            (
                Kind::NetworkChanged {
                    cause: NetworkCause::Address,
                    from: Some("192.0.2.1".into()),
                    to: Some("192.0.2.2".into()),
                },
                json!({"event": "network_changed", "cause": "address", "from": "192.0.2.1", "to": "192.0.2.2"}),
            ),
            (Kind::Audio(Settings::default()), json!({"event": "audio", "echo": "on", "noise": "on", "gain": "off"})),
            (Kind::Muted, json!({"event": "muted"})),
            (Kind::Unmuted, json!({"event": "unmuted"})),
            (
                Kind::MessageWaiting {
                    account: Some(account()),
                    new: 2,
                    old: 0,
                    urgent: 1,
                    mailbox: Some("sip:*97@pbx".into()),
                },
                json!({"event": "message_waiting", "account": "work", "new": 2, "old": 0, "urgent": 1,
                       "mailbox": "sip:*97@pbx"}),
            ),
            (
                Kind::Lamp(LampState {
                    account: account(),
                    uri: "sip:201@pbx".into(),
                    name: Some("Bob".into()),
                    state: Lamp::Ringing,
                    remote: Some("sip:carol@pbx".into()),
                    remote_name: None,
                }),
                json!({"event": "lamp", "account": "work", "uri": "sip:201@pbx", "name": "Bob", "state": "ringing",
                       "remote": "sip:carol@pbx", "remote_name": null}),
            ),
            (
                Kind::SubscriptionFailed {
                    account: account(),
                    package: "dialog".into(),
                    uri: "sip:201@pbx".into(),
                    code: Some(489),
                    reason: "489 Bad Event".into(),
                    retry_in: None,
                },
                json!({"event": "subscription_failed", "account": "work", "package": "dialog", "uri": "sip:201@pbx",
                       "code": 489, "reason": "489 Bad Event", "retry_in": null}),
            ),
            (
                Kind::Message { account: Some(account()), from: "sip:bob@pbx".into(), name: None, text: "a\nb".into() },
                json!({"event": "message", "account": "work", "from": "sip:bob@pbx", "name": null, "text": "a\nb"}),
            ),
            (
                Kind::MessageSent { account: None, to: "sip:bob@pbx".into(), delivered: true },
                json!({"event": "message_sent", "account": null, "to": "sip:bob@pbx", "delivered": true}),
            ),
            (
                Kind::MessageFailed { account: None, to: "sip:bob@pbx".into(), code: 408, reason: "no answer".into() },
                json!({"event": "message_failed", "account": null, "to": "sip:bob@pbx", "code": 408,
                       "reason": "no answer"}),
            ),
            (
                Kind::Device { role: DeviceRole::Input, name: "mic".into(), state: DeviceState::Lost, detail: None },
                json!({"event": "device", "role": "input", "name": "mic", "state": "lost", "detail": null}),
            ),
            (
                Kind::Forwarding { account: None, when: When::NoAnswer, to: Some("sip:c@x".into()), seconds: Some(20) },
                json!({"event": "forwarding", "account": null, "when": "no_answer", "to": "sip:c@x", "seconds": 20}),
            ),
            (Kind::Dnd { account: Some(account()), on: true }, json!({"event": "dnd", "account": "work", "on": true})),
            (Kind::Missed { count: 2 }, json!({"event": "missed", "count": 2})),
            (Kind::History { calls: Vec::new() }, json!({"event": "history", "calls": []})),
            (
                Kind::Redial { account: None, to: "sip:c@x".into(), left: 9, seconds: None },
                json!({"event": "redial", "account": null, "to": "sip:c@x", "left": 9, "seconds": null}),
            ),
            (Kind::Ok { command: "mute".into() }, json!({"event": "ok", "command": "mute"})),
            (
                Kind::Error { command: Some("hold".into()), message: "no".into() },
                json!({"event": "error", "command": "hold", "message": "no"}),
            ),
            (Kind::Error { command: None, message: "no".into() }, json!({"event": "error", "message": "no"})),
            (
                Kind::State(Box::default()),
                json!({"event": "state", "accounts": [], "calls": [], "watched": [], "muted": false, "forwarding": [], "dnd": [],
                       "missed": 0, "transactions": 0, "processing": {"echo": "on", "noise": "on", "gain": "off"},
                       "devices": {"input": "", "output": "", "ring": ""}}),
            ),
        ] {
            assert_eq!(seen(kind), expected);
        }
    }

    #[test]
    fn events_of_calls() {
        let call = call;
        for (kind, expected) in [
            (
                Kind::Incoming {
                    call: call(),
                    from: "sip:bob@example.com".into(),
                    name: Some("Bob".into()),
                    called: "sip:alice@example.com".into(),
                    diverted_from: None,
                    forwarded: Vec::new(),
                    referred_by: Some("sip:carol@example.com".into()),
                },
                json!({"event": "incoming", "from": "sip:bob@example.com", "name": "Bob", "called": "sip:alice@example.com",
                       "diverted_from": null, "forwarded": [], "referred_by": "sip:carol@example.com"}),
            ),
            (Kind::Calling { call: call() }, json!({"event": "calling"})),
            (Kind::Ringing { call: call(), code: 180 }, json!({"event": "ringing", "code": 180})),
            (
                Kind::Screened { call: call(), name: None, code: Some(603), rule: "spam".into() },
                json!({"event": "screened", "name": null, "code": 603, "rule": "spam"}),
            ),
            (
                Kind::Diverted { call: call(), name: None, to: "sip:c@x".into(), when: When::Always },
                json!({"event": "diverted", "name": null, "to": "sip:c@x", "when": "always"}),
            ),
            (Kind::EarlyMedia { call: call() }, json!({"event": "early_media"})),
            (
                Kind::Established {
                    call: call(),
                    codec: "PCMU".into(),
                    security: Security::default(),
                    remote_rtp: "192.0.2.1:4000".into(),
                },
                json!({"event": "established", "codec": "PCMU", "srtp": false, "suite": null, "keying": null, "tls": false, "remote_rtp": "192.0.2.1:4000"}),
            ),
            (
                Kind::PeerChanged { call: call(), from: "sip:eve@example.com".into(), name: None },
                json!({"event": "peer_changed", "from": "sip:eve@example.com", "name": null}),
            ),
            (Kind::Held { call: call() }, json!({"event": "held"})),
            (Kind::Resumed { call: call() }, json!({"event": "resumed"})),
            (Kind::RemoteHeld { call: call() }, json!({"event": "remote_held"})),
            (Kind::RemoteResumed { call: call() }, json!({"event": "remote_resumed"})),
            (
                Kind::Conference { call: call(), calls: vec![CallNo(1), CallNo(2)] },
                json!({"event": "conference", "calls": [1, 2]}),
            ),
            (Kind::MemberMuted { call: call(), muted: true }, json!({"event": "member_muted", "muted": true})),
            (
                Kind::Recording { call: call(), file: Some("a.wav".into()) },
                json!({"event": "recording", "file": "a.wav"}),
            ),
            (Kind::Playing { call: call(), file: None }, json!({"event": "playing", "file": null})),
            (
                Kind::Transfer { call: call(), stage: TransferStage::Accepted, code: Some(200) },
                json!({"event": "transfer", "stage": "accepted", "code": 200}),
            ),
            (
                Kind::TransferRequest { call: call(), to: "sip:c@c".into(), by: None },
                json!({"event": "transfer_request", "to": "sip:c@c", "by": null}),
            ),
            (Kind::TransferExpired { call: call() }, json!({"event": "transfer_expired"})),
            (Kind::Replaced { call: call(), by: CallNo(4) }, json!({"event": "replaced", "by": 4})),
            (
                Kind::RedirectRequest { call: call(), to: "sip:c@c".into(), others: vec!["sip:d@d".into()] },
                json!({"event": "redirect_request", "to": "sip:c@c", "others": ["sip:d@d"]}),
            ),
            (
                Kind::Dtmf { call: call(), digit: '5', direction: Direction::Received },
                json!({"event": "dtmf", "digit": "5", "direction": "received"}),
            ),
            (
                Kind::Stats {
                    call: call(),
                    stats: Stats { sent: 250, rtt_ms: Some(1.5), ..Stats::default() },
                    processing: None,
                },
                json!({"event": "stats", "sent": 250, "received": 0, "lost": 0, "discarded": 0, "strangers": 0, "rtt_ms": 1.5,
                       "jitter_ms": 0.0, "loss": 0.0, "buffer_ms": 0.0, "target_ms": 0.0, "concealed": 0.0, "stretched": 0.0,
                       "squeezed": 0.0, "mos": null,
                       "mos_remote": null, "loss_remote": null, "jitter_remote_ms": null}),
            ),
            (Kind::Echo { call: call(), delay_ms: 45 }, json!({"event": "echo", "delay_ms": 45})),
            (Kind::MediaLost { call: call(), seconds: 5 }, json!({"event": "media_lost", "seconds": 5})),
            (
                Kind::Moved { call: call(), address: "192.0.2.2".into() },
                json!({"event": "moved", "address": "192.0.2.2"}),
            ),
            (Kind::MediaBack { call: call() }, json!({"event": "media_back"})),
            (
                Kind::Ice {
                    call: call(),
                    state: WayState::Connected,
                    local: Some("198.51.100.1:4000".parse().unwrap()),
                    remote: Some("[2001:db8::1]:5000".parse().unwrap()),
                },
                json!({"event": "ice", "state": "connected", "local": "198.51.100.1:4000", "remote": "[2001:db8::1]:5000"}),
            ),
            (
                Kind::Ice { call: call(), state: WayState::Lost, local: None, remote: None },
                json!({"event": "ice", "state": "lost"}),
            ),
            (
                Kind::Ended {
                    call: call(),
                    by: EndedBy::Remote,
                    code: Some(486),
                    reason: "Busy Here".into(),
                    duration_s: 0.0,
                    rtp: RtpCount { sent: 1, received: 2, lost: 0 },
                    advice: Some("try again later".into()),
                },
                json!({"event": "ended", "by": "remote", "code": 486, "reason": "Busy Here", "duration_s": 0.0,
                       "rtp": {"sent": 1, "received": 2, "lost": 0}, "advice": "try again later"}),
            ),
        ] {
            assert_eq!(of_call(kind), expected);
        }
    }
}
