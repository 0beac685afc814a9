//! Events as a person reads them: plain lines for `run` and the one-shot commands.

use crate::media::processing::Figures;
use crate::media::session::Stats;
use crate::phone::advice::words;
use crate::phone::command::DeviceRole;
use crate::phone::event::{CallRef, DeviceState, Direction, Kind, NetworkCause, WayState};
use crate::phone::security::{Keying, Lock, Security};
use crate::phone::snapshot::{CallStage, CallState, LampState, Registration, Snapshot};
use crate::services::forwarding::When;
use crate::services::history::{self, Entry, Outcome};
use crate::ua::CallNo;
use crate::ua::event::{Binding, EndedBy, Lamp, TransferStage};

/// An event in one line; several for a list.
pub fn line(kind: &Kind) -> String {
    match kind {
        Kind::Registering { account } => format!("{account}: registering"),
        Kind::Registered { account, expires, contacts, .. } => {
            let others = contacts.iter().filter(|binding| !binding.ours).count();
            let others = if others == 0 { String::new() } else { format!(", {}", counted(others, "other binding")) };
            format!("{account}: registered for {expires} s{others}")
        }
        Kind::Bindings { account, contacts } => bindings(account, contacts),
        Kind::RegistrationFailed { account, code, reason, retry_in } => {
            let next = match retry_in {
                Some(seconds) => format!("next try in {seconds} s"),
                None => "not tried again by itself".into(),
            };
            format!("{account}: not registered: {}; {next}", answer(Some(*code), reason))
        }
        Kind::Unregistered { account } => format!("{account}: unregistered"),
        Kind::Incoming { call, from, name, called, diverted_from, forwarded, referred_by } => {
            let mut text = format!("{} incoming from {} for {called}", call.call, named(from, name.as_deref()));
            match (forwarded.is_empty(), diverted_from) {
                (false, _) => text.push_str(&format!(", forwarded by {}", forwarded.join(", "))),
                (true, Some(first)) => text.push_str(&format!(", diverted from {first}")),
                (true, None) => {}
            }
            if let Some(by) = referred_by {
                text.push_str(&format!(", transferred by {by}"));
            }
            text
        }
        Kind::Calling { call } => about(call, &format!("calling {}", call.peer)),
        Kind::Ringing { call, code: 180 } => about(call, "rings"),
        Kind::Ringing { call, code } => about(call, &format!("on its way ({code})")),
        Kind::EarlyMedia { call } => about(call, "sound before the answer"),
        Kind::Established { call, codec, security, remote_rtp } => {
            let secured = secured(security).map(|words| format!(", {words}")).unwrap_or_default();
            about(call, &format!("connected with {}: {codec}{secured}, sound to {remote_rtp}", call.peer))
        }
        Kind::Security { call, security } => {
            about(call, &secured(security).unwrap_or_else(|| "not encrypted any more".into()))
        }
        Kind::PeerChanged { call, from, name } => about(call, &format!("is now with {}", named(from, name.as_deref()))),
        Kind::Held { call } => about(call, "held"),
        Kind::Resumed { call } => about(call, "resumed"),
        Kind::RemoteHeld { call } => about(call, "the other side holds"),
        Kind::RemoteResumed { call } => about(call, "the other side resumed"),
        Kind::Conference { call, calls } if calls.is_empty() => about(call, "not in the conference any more"),
        Kind::Conference { call, calls } => about(call, &format!("in conference: {}", members(calls))),
        Kind::MemberMuted { call, muted: true } => about(call, "muted in the conference"),
        Kind::MemberMuted { call, muted: false } => about(call, "heard again in the conference"),
        Kind::Recording { call, file: Some(file) } => about(call, &format!("recorded into {file}")),
        Kind::Recording { call, file: None } => about(call, "recorded no more"),
        Kind::Playing { call, file: Some(file) } => about(call, &format!("{file} is played")),
        Kind::Playing { call, file: None } => about(call, "what was played has ended"),
        Kind::Muted => "microphone closed".into(),
        Kind::Unmuted => "microphone open".into(),
        Kind::Transfer { call, stage, code } => about(call, &transfer(*stage, *code)),
        Kind::TransferRequest { call, to, by } => {
            let by = by.as_deref().map(|by| format!(", on behalf of {by}")).unwrap_or_default();
            about(call, &format!("the other side asks to call {to} instead{by}"))
        }
        Kind::TransferExpired { call } => about(call, "the request to call someone else was refused: nobody decided"),
        Kind::Replaced { call, by } => about(call, &format!("call {by} takes its place")),
        Kind::RedirectRequest { call, to, others } => {
            let others = if others.is_empty() { String::new() } else { format!(" (then {})", others.join(", ")) };
            about(call, &format!("is sent to {to}{others}: accept-redirect or refuse-redirect"))
        }
        Kind::Dtmf { call, digit, direction: Direction::Sent } => about(call, &format!("digit {digit} sent")),
        Kind::Dtmf { call, digit, direction: Direction::Received } => about(call, &format!("digit {digit}")),
        Kind::Stats { call, stats, processing } => {
            about(call, &format!("{}{}", figures(stats), processing.map(treatment).unwrap_or_default()))
        }
        Kind::Audio(settings) => settings.to_string(),
        Kind::Echo { call, delay_ms } => about(call, &format!("what is said comes back after {delay_ms} ms")),
        Kind::MediaLost { call, seconds } => about(call, &format!("no sound has come for {seconds} s")),
        Kind::Ice { call, state: WayState::Connected, remote, .. } => match remote {
            Some(remote) => about(call, &format!("ICE found a way for the sound: {remote}")),
            None => about(call, "ICE found a way for the sound"),
        },
        Kind::Ice { call, state: WayState::Failed, .. } => about(call, "ICE found no way for the sound"),
        Kind::Ice { call, state: WayState::Lost, .. } => {
            about(call, "the way of the sound is dead, looking for another")
        }
        Kind::Ice { call, state: WayState::Refused, reason, .. } => {
            let why = reason.as_deref().unwrap_or_default();
            about(
                call,
                &format!("the other side looks for no other way of the sound: {why}; hold and resume asks again"),
            )
        }
        Kind::MediaBack { call } => about(call, "sound comes again"),
        Kind::Ended { call, by, code, reason, duration_s, rtp, advice } => {
            let talked = if *duration_s > 0.0 {
                format!(
                    " after {duration_s:.1} s ({} packets sent, {} received, {} lost)",
                    rtp.sent, rtp.received, rtp.lost
                )
            } else {
                String::new()
            };
            let advice = advice.as_deref().map(|advice| format!("; {advice}")).unwrap_or_default();
            about(call, &format!("ended{talked}: {}{advice}", ending(*by, *code, reason)))
        }
        Kind::NetworkChanged { cause, from, to } => network(*cause, from.as_deref(), to.as_deref()),
        Kind::Moved { call, address } => about(call, &format!("goes on from {address}")),
        Kind::MessageWaiting { account, new, old, urgent, mailbox } => {
            let new = counted(*new as usize, "new voice message");
            let urgent = if *urgent > 0 { format!(" ({urgent} urgent)") } else { String::new() };
            let mailbox = mailbox.as_deref().map(|mailbox| format!("; call {mailbox}")).unwrap_or_default();
            format!("{}: {new}{urgent}, {old} old{mailbox}", account.as_deref().unwrap_or("voice mailbox"))
        }
        Kind::Lamp(lamp) => lamp_line(lamp),
        Kind::SubscriptionFailed { account, package, uri, reason, retry_in, code: _ } => {
            let retry = retry_in.map(|seconds| format!("; tried again in {seconds} s")).unwrap_or_default();
            format!("{account}: no {package} events of {uri}: {reason}{retry}")
        }
        Kind::Message { account, from, name, text } => {
            let name = name.as_deref().map(|name| format!("{name} ")).unwrap_or_default();
            let account = account.as_deref().map(|account| format!("{account}: ")).unwrap_or_default();
            format!("{account}message from {name}<{from}>: {}", text.replace('\n', "\n  "))
        }
        Kind::MessageSent { account: _, to, delivered } => match delivered {
            true => format!("message to {to} delivered"),
            false => format!("message to {to} accepted by a server that keeps it"),
        },
        Kind::MessageFailed { account: _, to, code, reason } => format!("message to {to} failed: {code} {reason}"),
        Kind::Forwarding { account, when, to, seconds } => {
            format!("{}: {}", account_name(account.as_deref()), forwarding(*when, to.as_deref(), *seconds))
        }
        Kind::Dnd { account, on } => {
            let on = if *on { "on" } else { "off" };
            format!("{}: do not disturb {on}", account_name(account.as_deref()))
        }
        Kind::Screened { call, name, code, rule } => {
            let what = code.map_or_else(|| "rings in silence".into(), |code| format!("refused ({code})"));
            format!("{} {} {what}: {rule}", call.call, named(&call.peer, name.as_deref()))
        }
        Kind::Diverted { call, name, to, when } => {
            let who = named(&call.peer, name.as_deref());
            format!("{} {who} forwarded to {to} ({})", call.call, when.word())
        }
        Kind::Missed { count } => counted(*count, "missed call"),
        Kind::History { calls } if calls.is_empty() => "no calls yet".into(),
        Kind::History { calls } => calls.iter().map(past).collect::<Vec<_>>().join("\n"),
        Kind::Redial { to, left, seconds: Some(seconds), .. } => {
            format!("{to} is called again in {seconds} s, {} left", counted(*left as usize, "try"))
        }
        Kind::Redial { to, seconds: None, .. } => format!("{to} is not called again"),
        Kind::Device { role, name, state, detail } => {
            let state = match state {
                DeviceState::Open => "open",
                DeviceState::Lost => "lost",
                DeviceState::Closed => "closed",
            };
            let detail = detail.as_deref().map(|detail| format!(": {detail}")).unwrap_or_default();
            format!("{} {name} {state}{detail}", role_name(*role))
        }
        Kind::AudioWarning { role, warning, active } => {
            format!("{}: {}", role_name(*role), if *active { warning.text() } else { warning.over() })
        }
        Kind::Ok { command } => format!("ok: {command}"),
        Kind::Error { command: Some(command), message } => format!("error: {command}: {message}"),
        Kind::Error { command: None, message } => format!("error: {message}"),
        Kind::State(snapshot) => state(snapshot),
    }
}

/// What has become of the network.
pub fn network(cause: NetworkCause, from: Option<&str>, to: Option<&str>) -> String {
    let to = to.unwrap_or("no address");
    match cause {
        NetworkCause::Address => {
            format!("the network changed: {} is now {to}; registering again", from.unwrap_or("it"))
        }
        NetworkCause::Lost => "the network is gone; calls and accounts wait for it".into(),
        NetworkCause::Back => format!("the network is back ({to}); registering again"),
        NetworkCause::Sleep => format!("awake again ({to}); registering again"),
    }
}

/// What a watched address does, and with whom.
fn lamp_line(lamp: &LampState) -> String {
    let name = lamp.name.as_deref().map(|name| format!("{name} ")).unwrap_or_default();
    let state = match lamp.state {
        Lamp::Unknown => "unknown",
        Lamp::Unregistered => "not registered",
        Lamp::Idle => "idle",
        Lamp::Ringing => "ringing",
        Lamp::Busy => "busy",
    };
    let remote = lamp.remote.as_deref().map(|remote| format!(" ({remote})")).unwrap_or_default();
    format!("{}: {name}<{}> {state}{remote}", lamp.account, lamp.uri)
}

/// A forwarding in words.
pub fn forwarding(when: When, to: Option<&str>, seconds: Option<u32>) -> String {
    let to = to.unwrap_or("off");
    match (when, seconds) {
        (When::Always, _) => format!("forwarding always: {to}"),
        (When::Busy, _) => format!("forwarding when busy: {to}"),
        (When::NoAnswer, Some(seconds)) => format!("forwarding after {seconds} s: {to}"),
        (When::NoAnswer, None) => format!("forwarding without an answer: {to}"),
    }
}

/// A call of the history in one line.
pub fn past(entry: &Entry) -> String {
    let direction = match entry.direction {
        history::Direction::In => "from",
        history::Direction::Out => "to",
    };
    let result = match entry.result {
        Outcome::Answered => "answered",
        Outcome::Missed => "missed",
        Outcome::Elsewhere => "answered elsewhere",
        Outcome::Refused => "refused",
        Outcome::Failed => "failed",
        Outcome::Cancelled => "given up",
        Outcome::Screened => "screened",
        Outcome::Diverted => "forwarded",
    };
    let mut text = format!("{} {direction} {} {result}", entry.time, named(&entry.peer, entry.name.as_deref()));
    if entry.duration_s > 0.0 {
        text.push_str(&format!(", {:.0} s", entry.duration_s));
    }
    if let Some(mos) = entry.mos {
        text.push_str(&format!(", quality {mos:.1}"));
    }
    if let Some(to) = &entry.to {
        text.push_str(&format!(", to {to}"));
    }
    match (entry.result, entry.code) {
        (Outcome::Screened, _) => text.push_str(&format!(" ({})", entry.reason)),
        (Outcome::Failed, Some(code)) => text.push_str(&format!(" ({code} {})", entry.reason)),
        _ => {}
    }
    text
}

fn account_name(account: Option<&str>) -> &str {
    account.unwrap_or("calls without an account")
}

/// Why a call that was wanted did not come about: words, the answer, what to try.
pub fn failed_call(peer: &str, by: EndedBy, code: Option<u16>, reason: &str, advice: Option<&str>) -> String {
    let advice = advice.map(|advice| format!("; {advice}")).unwrap_or_default();
    format!("{peer}: {}{advice}", ending(by, code, reason))
}

/// The bindings of an account, one a line.
pub fn bindings(account: &str, contacts: &[Binding]) -> String {
    if contacts.is_empty() {
        return format!("{account}: no bindings");
    }
    let mut text = format!("{account}: {}", counted(contacts.len(), "binding"));
    for binding in contacts {
        let expires = binding.expires.map(|seconds| format!(", {seconds} s left")).unwrap_or_default();
        let ours = if binding.ours { " (this phone)" } else { "" };
        text.push_str(&format!("\n  {}{expires}{ours}", binding.uri));
    }
    text
}

fn counted(number: usize, what: &str) -> String {
    format!("{number} {what}{}", if number == 1 { "" } else { "s" })
}

/// A status code with its reason, and its meaning where the reason does not say it.
pub fn answer(code: Option<u16>, reason: &str) -> String {
    match code {
        None => reason.to_owned(),
        Some(code) if reason.is_empty() => format!("{} ({code})", words(code)),
        Some(code) => format!("{} ({code} {reason})", words(code)),
    }
}

fn ending(by: EndedBy, code: Option<u16>, reason: &str) -> String {
    match (by, code) {
        (EndedBy::Local, None | Some(487)) => "hung up here".into(),
        (EndedBy::Remote, None) if reason.is_empty() => "the other side hung up".into(),
        (EndedBy::Remote, None) => format!("the other side hung up ({reason})"),
        (EndedBy::Remote, Some(487)) => "the other side gave up".into(),
        // The code is our own: no server gave it.
        (EndedBy::Transport, _) => format!("not reached: {reason}"),
        (EndedBy::Timeout, None) => format!("time ran out ({reason})"),
        (_, Some(_)) => answer(code, reason),
    }
}

/// `#1, #2`.
/// How the sound is encrypted, if it is.
fn secured(security: &Security) -> Option<String> {
    if security.is_awaited() {
        return Some("agreeing on keys".into());
    }
    let suite = security.suite?.name();
    match (security.lock(), security.keying) {
        (Lock::None, _) => None,
        (Lock::Half, Some(Keying::Dtls)) => {
            Some(format!("encrypted ({suite} by DTLS), but for whom was said without TLS"))
        }
        (Lock::Whole, Some(Keying::Dtls)) => Some(format!("encrypted ({suite} by DTLS)")),
        (Lock::Half, Some(Keying::Sdes) | None) => Some(format!("encrypted ({suite}), but its keys went without TLS")),
        (Lock::Whole, Some(Keying::Sdes) | None) => Some(format!("encrypted ({suite})")),
    }
}

fn members(calls: &[CallNo]) -> String {
    calls.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}

fn about(call: &CallRef, what: &str) -> String {
    format!("{} {what}", call.call)
}

fn named(uri: &str, name: Option<&str>) -> String {
    match name {
        Some(name) => format!("{name} <{uri}>"),
        None => uri.to_owned(),
    }
}

fn transfer(stage: TransferStage, code: Option<u16>) -> String {
    let code = code.map(|code| format!(": {} ({code})", words(code))).unwrap_or_default();
    match stage {
        TransferStage::Trying => "transfer: the other side tries".into(),
        TransferStage::Ringing => "transfer: it rings there".into(),
        TransferStage::Accepted => "transfer done".into(),
        TransferStage::Failed => format!("transfer failed{code}; the call is back"),
    }
}

fn figures(stats: &Stats) -> String {
    let mut text = format!("jitter {:.1} ms, loss {:.1} %", stats.jitter_ms, stats.loss * 100.0);
    if let Some(rtt) = stats.rtt_ms {
        text.push_str(&format!(", round trip {rtt:.0} ms"));
    }
    if let Some(mos) = stats.mos {
        text.push_str(&format!(", quality {mos:.1} of 4.5"));
    }
    if let Some(mos) = stats.mos_remote {
        text.push_str(&format!(", at the other side {mos:.1}"));
    }
    text
}

/// What is done to our voice, and its cost, behind other figures.
fn treatment(figures: Figures) -> String {
    let erle = figures.erle_db.filter(|_| figures.echo).map(|db| format!("echo {db:.0} dB softer, "));
    format!(", {}voice processing {:.0} µs for 10 ms", erle.unwrap_or_default(), figures.us_per_10ms)
}

fn role_name(role: DeviceRole) -> &'static str {
    match role {
        DeviceRole::Input => "microphone",
        DeviceRole::Output => "speaker",
        DeviceRole::Ring => "ring device",
    }
}

fn state(snapshot: &Snapshot) -> String {
    let mut lines = Vec::new();
    for account in &snapshot.accounts {
        let registration = match account.registration {
            Registration::Off => "off",
            Registration::Registering => "registering",
            Registration::Registered => "registered",
            Registration::Failed => "failed",
        };
        let reason = account.reason.as_deref().map(|reason| format!(" ({reason})")).unwrap_or_default();
        let messages = account
            .messages
            .map(|(new, _)| format!(", {}", counted(new as usize, "new voice message")))
            .unwrap_or_default();
        lines.push(format!("{}: {} {registration}{reason}{messages}", account.name, account.uri));
    }
    lines.extend(snapshot.watched.iter().map(lamp_line));
    lines.extend(snapshot.calls.iter().map(call_state));
    if snapshot.calls.is_empty() {
        lines.push("no calls".into());
    }
    for forward in &snapshot.forwarding {
        let words = forwarding(forward.when, Some(&forward.to), forward.seconds);
        lines.push(format!("{}: {words}", account_name(forward.account.as_deref())));
    }
    lines.extend(snapshot.dnd.iter().map(|account| format!("{}: do not disturb", account_name(account.as_deref()))));
    if snapshot.missed > 0 {
        lines.push(counted(snapshot.missed, "missed call"));
    }
    let devices = &snapshot.devices;
    let muted = if snapshot.muted { ", microphone closed" } else { "" };
    lines.push(format!("input {}, output {}, ring {}{muted}", devices.input, devices.output, devices.ring));
    lines.push(snapshot.processing.to_string());
    lines.join("\n")
}

fn call_state(call: &CallState) -> String {
    let direction = if call.incoming { "from" } else { "to" };
    let stage = match call.state {
        CallStage::Calling => "calling",
        CallStage::Ringing => "ringing",
        CallStage::Early => "early sound",
        CallStage::Established => "connected",
        CallStage::Ending => "ending",
    };
    let mut text = format!("{} {direction} {} {stage}", call.call.call, named(&call.call.peer, call.name.as_deref()));
    if let Some(seconds) = call.duration_s {
        text.push_str(&format!(" for {seconds:.0} s"));
    }
    for (on, what) in [
        (call.held, ", held"),
        (call.remote_held, ", held by the other side"),
        (call.recording.is_some(), ", recorded"),
    ] {
        if on {
            text.push_str(what);
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::phone::event::RtpCount;
    use crate::ua::CallNo;

    fn call() -> CallRef {
        CallRef { call: CallNo(1), account: Some("work".into()), peer: "sip:bob@pbx".into() }
    }

    fn ended(by: EndedBy, code: Option<u16>, reason: &str, duration_s: f64, advice: Option<&str>) -> Kind {
        let rtp = RtpCount { sent: 50, received: 49, lost: 1 };
        Kind::Ended { call: call(), by, code, reason: reason.into(), duration_s, rtp, advice: advice.map(Into::into) }
    }

    #[test]
    fn lines() {
        let binding = |uri: &str, ours| Binding { uri: uri.into(), expires: Some(60), ours };
        let table = [
            (
                Kind::RegistrationFailed {
                    account: "work".into(),
                    code: 403,
                    reason: "Forbidden".into(),
                    retry_in: None,
                },
                "work: not registered: forbidden (403 Forbidden); not tried again by itself",
            ),
            (
                Kind::Bindings {
                    account: "work".into(),
                    contacts: vec![binding("sip:a@1", true), binding("mailto:a@b", false)],
                },
                "work: 2 bindings\n  sip:a@1, 60 s left (this phone)\n  mailto:a@b, 60 s left",
            ),
            (
                Kind::Incoming {
                    call: call(),
                    from: "sip:bob@pbx".into(),
                    name: Some("Bob".into()),
                    called: "sip:alice@pbx".into(),
                    diverted_from: None,
                    forwarded: Vec::new(),
                    referred_by: None,
                },
                "#1 incoming from Bob <sip:bob@pbx> for sip:alice@pbx",
            ),
            (Kind::Ringing { call: call(), code: 180 }, "#1 rings"),
            (
                Kind::Transfer { call: call(), stage: TransferStage::Failed, code: Some(486) },
                "#1 transfer failed: busy (486); the call is back",
            ),
            (
                ended(EndedBy::Remote, None, "", 1.0, None),
                "#1 ended after 1.0 s (50 packets sent, 49 received, 1 lost): the other side hung up",
            ),
            (
                ended(EndedBy::Remote, Some(486), "Busy Here", 0.0, Some("try again later")),
                "#1 ended: busy (486 Busy Here); try again later",
            ),
            (
                ended(EndedBy::Transport, Some(503), "no address was found for pbx", 0.0, None),
                "#1 ended: not reached: no address was found for pbx",
            ),
            (ended(EndedBy::Local, Some(487), "Request Terminated", 0.0, None), "#1 ended: hung up here"),
            (Kind::Ok { command: "swap".into() }, "ok: swap"),
            (Kind::Error { command: Some("hold".into()), message: "no call".into() }, "error: hold: no call"),
        ];
        for (kind, expected) in table {
            assert_eq!(line(&kind), expected);
        }
    }

    #[test]
    fn the_state_of_nothing() {
        assert_eq!(
            line(&Kind::State(Box::default())),
            "no calls\ninput , output , ring \necho cancellation on, noise suppression on, automatic gain off"
        );
    }
}
