use std::time::{Duration, UNIX_EPOCH};

use serde_json::{Value, json};

use super::{CallRef, DeviceState, Direction, Event, Kind, NetworkCause, RtpCount, WayState};
use crate::media::processing::Settings;
use crate::media::session::Stats;
use crate::phone::command::DeviceRole;
use crate::phone::security::Security;
use crate::phone::snapshot::LampState;
use crate::services::forwarding::When;
use crate::ua::CallNo;
use crate::ua::event::{Binding, EndedBy, Lamp, TransferStage};

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
        (Kind::Recording { call: call(), file: Some("a.wav".into()) }, json!({"event": "recording", "file": "a.wav"})),
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
        (Kind::Moved { call: call(), address: "192.0.2.2".into() }, json!({"event": "moved", "address": "192.0.2.2"})),
        (Kind::MediaBack { call: call() }, json!({"event": "media_back"})),
        (
            Kind::Ice {
                call: call(),
                state: WayState::Connected,
                local: Some("198.51.100.1:4000".parse().unwrap()),
                remote: Some("[2001:db8::1]:5000".parse().unwrap()),
                reason: None,
            },
            json!({"event": "ice", "state": "connected", "local": "198.51.100.1:4000", "remote": "[2001:db8::1]:5000"}),
        ),
        (
            Kind::Ice {
                call: call(),
                state: WayState::Refused,
                local: None,
                remote: None,
                reason: Some("488 Not Acceptable Here".into()),
            },
            json!({"event": "ice", "state": "refused", "reason": "488 Not Acceptable Here"}),
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
