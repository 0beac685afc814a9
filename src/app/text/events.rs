//! The lines of the log.

use crate::app::App;
use crate::app::call::Call;
use crate::app::log::Level;
use crate::phone::command::DeviceRole;
use crate::phone::event::{CallRef, DeviceState, Direction, Kind, NetworkCause, WayState};
use crate::phone::snapshot::{LampState, Registration};
use crate::ua::event::{EndedBy, Lamp, TransferStage};

use super::{TRANSFERRED, UNPROTECTED, duration, lock, media_lost, missed, of_account, outcome, transfer};

/// A line of the log about an event, if it is worth one.
pub fn event(app: &App, kind: &Kind) -> Option<(Level, String)> {
    let who = |call: &CallRef| match app.call(call.call) {
        Some(call) => format!("{} {}", call.no, app.who(call)),
        None => format!("{} {}", call.call, app.short(&call.peer)),
    };
    Some(match kind {
        Kind::Registering { .. } | Kind::Stats { .. } | Kind::Ok { .. } | Kind::State(_) => return None,
        // The pane of people shows them.
        Kind::History { .. } => return None,
        Kind::Registered { account, expires, .. } => {
            let was = app.accounts.iter().find(|known| known.name == *account).map(|known| known.registration);
            // A refresh every few minutes is no news.
            if was == Some(Registration::Registered) {
                return None;
            }
            (Level::Good, format!("{account}: registered for {expires} s"))
        }
        Kind::Bindings { account, contacts } => {
            let contacts: Vec<&str> = contacts.iter().map(|binding| binding.uri.as_str()).collect();
            (Level::Info, format!("{account}: {} bindings: {}", contacts.len(), contacts.join(", ")))
        }
        Kind::RegistrationFailed { account, code, reason, retry_in } => {
            let again = retry_in.map_or_else(|| "not tried again".into(), |seconds| format!("again in {seconds} s"));
            (Level::Error, format!("{account}: not registered: {code} {reason}; {again}"))
        }
        Kind::Unregistered { account } => (Level::Info, format!("{account}: unregistered")),
        Kind::Incoming { call, from, name, .. } => {
            (Level::Warning, format!("{} {} calls", call.call, name.as_deref().unwrap_or(from)))
        }
        Kind::Calling { call } => (Level::Info, format!("{} calling", who(call))),
        Kind::Ringing { call, code: 180 } => (Level::Info, format!("{} rings", who(call))),
        Kind::Ringing { call, code } => (Level::Info, format!("{} {code}, in progress", who(call))),
        Kind::EarlyMedia { call } => (Level::Info, format!("{} sound before the answer", who(call))),
        Kind::Established { call, codec, security, .. } => {
            let secured = lock(security).map(|words| format!(", {words}")).unwrap_or_default();
            (Level::Good, format!("{} answered, {codec}{secured}", who(call)))
        }
        Kind::Security { call, security } => match lock(security) {
            None => (Level::Warning, format!("{} {}", who(call), UNPROTECTED)),
            Some(words) => (Level::Info, format!("{} {words}", who(call))),
        },
        Kind::PeerChanged { call, from, name } => {
            (Level::Info, format!("{} is now {}", call.call, name.as_deref().unwrap_or(from)))
        }
        Kind::Held { call } => (Level::Info, format!("{} held", who(call))),
        Kind::Resumed { call } => (Level::Info, format!("{} resumed", who(call))),
        Kind::RemoteHeld { call } => (Level::Info, format!("{} holds you", who(call))),
        Kind::RemoteResumed { call } => (Level::Info, format!("{} took you back", who(call))),
        Kind::Conference { call, calls } if calls.is_empty() => {
            (Level::Info, format!("{} is not in the conference any more", who(call)))
        }
        Kind::Conference { call, calls } => {
            (Level::Info, format!("{} is in a conference of {} calls", who(call), calls.len()))
        }
        Kind::MemberMuted { call, muted: true } => (Level::Info, format!("{} is muted: nobody hears them", who(call))),
        Kind::MemberMuted { call, muted: false } => (Level::Info, format!("{} is heard again", who(call))),
        Kind::Recording { call, file: Some(file) } => (Level::Good, format!("{} is recorded into {file}", who(call))),
        Kind::Recording { call, file: None } => (Level::Info, format!("{} is recorded no more", who(call))),
        Kind::Playing { call, file: Some(file) } => (Level::Info, format!("{file} is played to {}", who(call))),
        Kind::Playing { call, file: None } => (Level::Info, format!("nothing is played to {} any more", who(call))),
        Kind::Muted => (Level::Info, "microphone closed".into()),
        Kind::Audio(settings) => (Level::Info, settings.to_string()),
        Kind::Unmuted => (Level::Info, "microphone open".into()),
        Kind::Transfer { call, stage, code } => {
            let level = if *stage == TransferStage::Failed { Level::Error } else { Level::Info };
            (level, format!("{} {}", who(call), transfer(*stage, *code)))
        }
        Kind::TransferRequest { call, to, .. } => (Level::Warning, format!("{} asks you to call {to}", who(call))),
        Kind::TransferExpired { .. } => return None,
        Kind::Replaced { call, by } => (Level::Info, format!("{} goes on as {by}", who(call))),
        Kind::RedirectRequest { call, to, .. } => (Level::Warning, format!("{} is to be called at {to}", who(call))),
        // Digits that we send may be a secret: the keypad shows them, the log does not.
        Kind::Dtmf { direction: Direction::Sent, .. } => return None,
        Kind::Dtmf { call, digit, direction: Direction::Received } => {
            (Level::Info, format!("{} sent the digit {digit}", who(call)))
        }
        Kind::Echo { call, delay_ms } => {
            (Level::Info, format!("{}: your voice comes back after {delay_ms} ms", who(call)))
        }
        Kind::MediaLost { call, seconds } => (Level::Warning, format!("{}: {}", who(call), media_lost(*seconds))),
        Kind::Ice { call, state: WayState::Connected, remote, .. } => {
            let to = remote.map(|remote| format!(": {remote}")).unwrap_or_default();
            (Level::Info, format!("{}: ICE found a way for the sound{to}", who(call)))
        }
        Kind::Ice { call, state: WayState::Failed, .. } => {
            (Level::Warning, format!("{}: ICE found no way for the sound", who(call)))
        }
        Kind::Ice { call, state: WayState::Lost, .. } => {
            (Level::Warning, format!("{}: the way of the sound is dead, looking for another", who(call)))
        }
        Kind::Ice { call, state: WayState::Refused, reason, .. } => {
            let why = reason.as_deref().unwrap_or_default();
            let line =
                format!("{}: no sound: they look for no other way ({why}); hold and resume asks again", who(call));
            (Level::Error, line)
        }
        Kind::MediaBack { call } => (Level::Good, format!("{}: sound is back", who(call))),
        Kind::Ended { call, by, code, reason, duration_s, advice, .. } => {
            let answered = *duration_s > 0.0;
            let outcome = match app.call(call.call).is_some_and(Call::was_transferred) {
                true => TRANSFERRED.to_owned(),
                false => outcome(*by, *code, reason, answered),
            };
            let mut line = format!("{} {outcome}", who(call));
            if answered {
                line.push_str(&format!(" after {}", duration(*duration_s as u64)));
            }
            if let Some(advice) = advice {
                line.push_str(&format!(" - {advice}"));
            }
            let is_failure = !answered && *by != EndedBy::Local || *by == EndedBy::Transport;
            (if is_failure { Level::Error } else { Level::Info }, line)
        }
        Kind::NetworkChanged { cause, from, to } => {
            let level = match cause {
                NetworkCause::Lost => Level::Error,
                NetworkCause::Address | NetworkCause::Back | NetworkCause::Sleep => Level::Warning,
            };
            (level, network(*cause, from.as_deref(), to.as_deref()))
        }
        Kind::Moved { call, address } => (Level::Good, format!("{} goes on from {address}", who(call))),
        Kind::MessageWaiting { new, old, .. } => (Level::Info, format!("voice messages: {new} new, {old} old")),
        Kind::Lamp(lamp) => (Level::Info, format!("{} {}", lamp_name(lamp), lamp_state(lamp.state))),
        Kind::SubscriptionFailed { account, package, uri, reason, .. } => {
            let what = match package.as_str() {
                "message-summary" => "voice messages".to_owned(),
                "dialog" => format!("the lamp of {uri}"),
                other => other.to_owned(),
            };
            (Level::Warning, format!("{account}: {what}: {reason}"))
        }
        Kind::Message { from, name, text, .. } => {
            let who = name.as_deref().unwrap_or(from);
            (Level::Good, format!("{who} writes: {}", text.replace('\n', " / ")))
        }
        Kind::MessageSent { to, delivered: true, .. } => (Level::Info, format!("message to {to} delivered")),
        Kind::MessageSent { to, delivered: false, .. } => (Level::Info, format!("message to {to} accepted for later")),
        Kind::MessageFailed { to, code, reason, .. } => {
            (Level::Error, format!("message to {to} failed: {code} {reason}"))
        }
        Kind::Forwarding { account, when, to, seconds } => {
            let to = to.as_deref().map_or_else(|| "off".into(), |to| format!("to {}", app.short(to)));
            let after = seconds.map(|seconds| format!(" after {seconds} s")).unwrap_or_default();
            (Level::Info, format!("{}forwarding {}{after}: {to}", of_account(account.as_deref()), when.word()))
        }
        Kind::Dnd { account, on } => {
            let on = if *on { "on" } else { "off" };
            (Level::Info, format!("{}do not disturb {on}", of_account(account.as_deref())))
        }
        Kind::Screened { call, name, code, rule } => {
            let what = code.map_or_else(|| "rings in silence".into(), |code| format!("refused ({code})"));
            let who = name.clone().unwrap_or_else(|| app.short(&call.peer));
            (Level::Info, format!("{who} {what}: {rule}"))
        }
        Kind::Diverted { call, name, to, when } => {
            let who = name.clone().unwrap_or_else(|| app.short(&call.peer));
            (Level::Info, format!("{who} forwarded ({}) to {}", when.word(), app.short(to)))
        }
        Kind::Missed { count: 0 } => return None,
        Kind::Missed { count } => (Level::Warning, missed(*count)),
        Kind::Redial { to, left, seconds: Some(seconds), .. } => {
            (Level::Info, format!("{} is called again in {seconds} s ({left} times)", app.short(to)))
        }
        Kind::Redial { to, seconds: None, .. } => (Level::Info, format!("{} is not called again", app.short(to))),
        Kind::Device { role, name, state, detail } => return device(*role, name, *state, detail.as_deref()),
        Kind::AudioWarning { warning, active: true, .. } => (Level::Warning, warning.text().into()),
        Kind::AudioWarning { warning, active: false, .. } => (Level::Info, warning.over().into()),
        Kind::Error { message, .. } => (Level::Error, message.clone()),
    })
}

/// What has become of the network.
fn network(cause: NetworkCause, from: Option<&str>, to: Option<&str>) -> String {
    let to = to.unwrap_or("no address");
    match cause {
        NetworkCause::Address => format!("network changed: {} is now {to}, registering again", from.unwrap_or("it")),
        NetworkCause::Lost => "no network: calls and accounts wait for it".into(),
        NetworkCause::Back => format!("network is back ({to}), registering again"),
        NetworkCause::Sleep => format!("awake again ({to}), registering again"),
    }
}

fn lamp_name(lamp: &LampState) -> &str {
    lamp.name.as_deref().unwrap_or(&lamp.uri)
}

/// What a watched address does, in a person's words.
pub fn lamp_state(lamp: Lamp) -> &'static str {
    match lamp {
        Lamp::Unknown => "is unknown",
        Lamp::Unregistered => "is away",
        Lamp::Idle => "is free",
        Lamp::Ringing => "is being called",
        Lamp::Busy => "is busy",
    }
}

fn device(role: DeviceRole, name: &str, state: DeviceState, detail: Option<&str>) -> Option<(Level, String)> {
    let role = match role {
        DeviceRole::Input => "microphone",
        DeviceRole::Output => "speaker",
        DeviceRole::Ring => "ring device",
    };
    let detail = detail.map(|detail| format!(": {detail}")).unwrap_or_default();
    match state {
        DeviceState::Open => Some((Level::Info, format!("{role} {name}{detail}"))),
        DeviceState::Lost => Some((Level::Error, format!("no {role} ({name}){detail}; calls go on without"))),
        DeviceState::Closed => None,
    }
}
