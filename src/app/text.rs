//! Every word on the screen.

use std::time::{Duration, SystemTime};

use crate::phone::command::DeviceRole;
use crate::phone::event::{CallRef, CallStage, DeviceState, Direction, Kind, LampState, NetworkCause, Registration};
use crate::services::forwarding::When;
use crate::services::history::{self, Entry, Outcome};
use crate::ua::CallNo;
use crate::ua::event::{EndedBy, Lamp, TransferStage};

use super::App;
use super::calls::{Account, Call};
use super::keymap::Key;
use super::log::Level;

/// The program's name.
pub const NAME: &str = "offhook";

// What keys do: for the footer, and for the help.
type Label = (&'static str, &'static str);
#[allow(missing_docs)]
mod labels {
    use super::Label;
    pub const ANSWER: Label = ("answer", "answer, hold the others");
    pub const BUSY: Label = ("busy", "reject as busy (486)");
    pub const DECLINE: Label = ("decline", "decline everywhere (603)");
    pub const LATER: Label = ("later", "let it ring, close this");
    pub const ACCEPT_TRANSFER: Label = ("call them", "follow the transfer");
    pub const REFUSE_TRANSFER: Label = ("refuse", "refuse the transfer");
    pub const LATER_TRANSFER: Label = ("later", "decide later");
    pub const DIAL: Label = ("call", "call someone");
    pub const HANGUP: Label = ("hang up", "hang up");
    pub const HOLD: Label = ("hold", "hold");
    pub const RESUME: Label = ("resume", "resume a held call");
    pub const SWAP: Label = ("swap", "swap active and held");
    pub const JOIN: Label = ("join", "conference of both");
    pub const SPLIT: Label = ("split", "part the conference");
    pub const TRANSFER: Label = ("transfer", "transfer to someone");
    pub const HAND_OVER: Label = ("hand over", "join both, and leave");
    pub const PAD: Label = ("keypad", "keypad");
    pub const MUTE: Label = ("mute", "close the microphone");
    pub const UNMUTE: Label = ("unmute", "open the microphone");
    pub const DIGIT: Label = ("send", "send a DTMF digit");
    pub const LOUDER: Label = ("louder", "speaker louder");
    pub const SOFTER: Label = ("softer", "speaker softer");
    pub const DIAL_DIGIT: Label = ("number", "type a number to call");
    pub const PREVIOUS: Label = ("previous", "select the call above");
    pub const NEXT: Label = ("next", "select the call below");
    pub const TRACE: Label = ("SIP trace", "SIP messages");
    pub const LOG: Label = ("log", "what happened so far");
    pub const COMMAND: Label = ("command", "a command, as in 'run'");
    pub const SUBMIT_CALL: Label = ("call", "carry it out");
    pub const SUBMIT_TRANSFER: Label = ("transfer", "carry it out");
    pub const SUBMIT_COMMAND: Label = ("do it", "carry it out");
    pub const NEXT_ACCOUNT: Label = ("account", "another account");
    pub const OLDER: Label = ("history", "earlier entry");
    pub const NEWER: Label = ("newer", "later entry");
    pub const LEAVE: Label = ("leave", "leave the line");
    pub const EDIT: Label = ("type", "edit, as in a shell");
    pub const OPEN: Label = ("open", "the message in full");
    pub const FILTER: Label = ("one Call-ID", "one Call-ID, or all");
    pub const UNFILTER: Label = ("show all", "one Call-ID, or all");
    pub const UP: Label = ("up", "up");
    pub const DOWN: Label = ("down", "down");
    pub const PAGE_UP: Label = ("page up", "a page up");
    pub const PAGE_DOWN: Label = ("page down", "a page down");
    pub const TOP: Label = ("top", "to the top");
    pub const BOTTOM: Label = ("bottom", "to the bottom");
    pub const PREVIOUS_MESSAGE: Label = ("earlier", "the message before");
    pub const NEXT_MESSAGE: Label = ("later", "the message after");
    pub const CLOSE_MESSAGE: Label = ("close", "close the message");
    pub const CLOSE_PANE: Label = ("close", "close");
    pub const QUIT_NOW: Label = ("quit", "hang up and quit");
    pub const STAY: Label = ("stay", "stay");
    pub const BACK: Label = ("back", "back");
    pub const HELP: Label = ("help", "this help");
    pub const QUIT: Label = ("quit", "quit (asks in a call)");
    pub const INTERRUPT: Label = ("quit", "quit (twice in a call)");
    pub const SUSPEND: Label = ("suspend", "suspend, without a call");
    pub const REDRAW: Label = ("redraw", "draw the screen anew");
}
pub use labels::*;

/// Digits.
pub const KEYS_DIGITS: &str = "0-9 * #";
/// What a number begins with.
pub const KEYS_NUMBER: &str = "0-9 + * #";
/// Digits of the keypad.
pub const KEYS_PAD: &str = "0-9 * # A-D";
/// Characters and editing keys.
pub const KEYS_TEXT: &str = "text";

/// Titles of the help's groups.
pub const GROUP_MAIN: &str = "Main screen";
/// Keys of a pop-up.
pub const GROUP_INCOMING: &str = "Incoming call";
/// Keys of a pop-up.
pub const GROUP_TRANSFER: &str = "They ask you to call someone else";
/// Keys of the lines.
pub const GROUP_LINE: &str = "Typing a target or a command";
/// Keys of the keypad.
pub const GROUP_PAD: &str = "Keypad";
/// Keys of the trace.
pub const GROUP_TRACE: &str = "SIP messages";
/// Keys of all that is read.
pub const GROUP_READING: &str = "Reading";
/// Keys of the question.
pub const GROUP_QUIT: &str = "Quit?";
/// Other keys.
pub const GROUP_ANYWHERE: &str = "Anywhere";

// Titles and fixed texts of the screen.
#[allow(missing_docs)]
mod fixed {
    pub const NO_ACCOUNT: &str = "no account: direct calls only";
    pub const NO_CALLS: &str = "No call";
    pub const NO_CALLS_HINT: &str = "Type a number, or c and a name, to call someone.";
    pub const CALLS: &str = "Calls";
    pub const RECENT: &str = "Recent";
    pub const EVENTS: &str = "Log";
    pub const TRACE_TITLE: &str = "SIP messages";
    pub const TRACE_EMPTY: &str = "No SIP message yet.";
    pub const LOG_EMPTY: &str = "Nothing happened yet.";
    pub const HELP_TITLE: &str = "Keys";
    pub const PAD_TITLE: &str = "Keypad";
    pub const PAD_SENT: &str = "sent";
    pub const PAD_RECEIVED: &str = "got";
    pub const PAD_OVER: &str = "call not active";
    pub const MICROPHONE: &str = "mic";
    pub const SPEAKER: &str = "ear";
    pub const MUTED: &str = "muted";
    pub const TRANSFER_REQUEST_TITLE: &str = "Call someone else instead?";
    pub const REDIRECT_REQUEST_TITLE: &str = "Call another address instead?";
    pub const CONFIRM_TITLE: &str = "Quit?";
    pub const QUITTING: &str = "Hanging up and unregistering…";
    pub const TOO_SMALL: &str = "terminal too small";
    pub const NO_SUSPEND: &str = "not suspended: the call would fall silent; hang up first";
    pub const PROMPT_CALL: &str = "Call";
    pub const PROMPT_COMMAND: &str = ":";
    pub const PROMPT_IDLE: &str = "c to call";
    pub const FINISH_LINE_FIRST: &str = "Esc leaves the line, then answer or reject";
    pub const FINISH_LINE_THEN_DECIDE: &str = "Esc leaves the line, then decide";
    pub const TRANSFER_TRYING: &str = "transfer: trying";
    pub const TRANSFER_RINGING: &str = "transfer: it rings";
    pub const TRANSFER_ACCEPTED: &str = "transfer: answered";
    pub const TRANSFER_FAILED: &str = "transfer: failed";
    pub const TRANSFERRED: &str = "transferred";
    pub const NO_FIGURES: &str = "figures come a few seconds after the answer";
    pub const SRTP: &str = "encrypted";
    pub const ASKS_TRANSFER: &str = "asks for a transfer: y or n";
    pub const PHONE_STOPPED: &str = "the phone has stopped";
    pub const CRASHED: &str = "a part of the phone failed: see the message above";
    pub const NO_TERMINAL: &str =
        "the terminal UI needs a terminal on stdin and stdout; for scripts there is 'offhook run'";
}
pub use fixed::*;

/// The terminal's title while a call comes in.
pub fn title_incoming(who: &str) -> String {
    format!("{who} calls - {NAME}")
}

/// The terminal's title in a call.
pub fn title_call(who: &str) -> String {
    format!("{who} - {NAME}")
}

/// A key's name.
pub fn key(key: Key) -> String {
    match key {
        Key::Char(' ') => "Space".into(),
        Key::Char(c) => c.into(),
        Key::Ctrl(c) => format!("Ctrl-{}", c.to_ascii_uppercase()),
        Key::Enter => "Enter".into(),
        Key::Esc => "Esc".into(),
        Key::Tab => "Tab".into(),
        Key::Backspace => "Backspace".into(),
        Key::Delete => "Del".into(),
        Key::Left => "←".into(),
        Key::Right => "→".into(),
        Key::CtrlLeft => "Ctrl-←".into(),
        Key::CtrlRight => "Ctrl-→".into(),
        Key::Up => "↑".into(),
        Key::Down => "↓".into(),
        Key::Home => "Home".into(),
        Key::End => "End".into(),
        Key::PageUp => "PgUp".into(),
        Key::PageDown => "PgDn".into(),
    }
}

/// `01:23`, or `1:02:03`.
pub fn duration(seconds: u64) -> String {
    let (hours, minutes, seconds) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
    if hours > 0 { format!("{hours}:{minutes:02}:{seconds:02}") } else { format!("{minutes:02}:{seconds:02}") }
}

/// The person's time of day, `12:00:01`.
pub fn clock(time: SystemTime, utc_offset: i32) -> String {
    let (seconds, _) = of_day(time, utc_offset);
    format!("{:02}:{:02}:{:02}", seconds / 3600, seconds / 60 % 60, seconds % 60)
}

/// The same with milliseconds.
pub fn clock_ms(time: SystemTime, utc_offset: i32) -> String {
    format!("{}.{:03}", clock(time, utc_offset), of_day(time, utc_offset).1)
}

fn of_day(time: SystemTime, utc_offset: i32) -> (i64, u32) {
    let since = time.duration_since(SystemTime::UNIX_EPOCH).unwrap_or(Duration::ZERO);
    let seconds = i64::try_from(since.as_secs()).unwrap_or(0).saturating_add(i64::from(utc_offset));
    (seconds.rem_euclid(24 * 3600), since.subsec_millis())
}

/// A registration in a word.
pub fn registration(registration: Registration) -> &'static str {
    match registration {
        Registration::Off => "not registered",
        Registration::Registering => "registering",
        Registration::Registered => "registered",
        Registration::Failed => "failed",
    }
}

/// What stands beside an account: why it failed, or its address.
pub fn account_detail(account: &Account, utc_offset: i32) -> String {
    match (&account.reason, account.retry_at) {
        (Some(reason), Some(at)) => format!("{reason}, next try at {}", clock(at, utc_offset)),
        (Some(reason), None) => reason.clone(),
        (None, _) => account.uri.clone(),
    }
}

/// Voice messages, if there are any.
pub fn messages(messages: Option<(u32, u32)>) -> Option<String> {
    match messages {
        None | Some((0, 0)) => None,
        Some((0, old)) => Some(format!("{old} old voice messages")),
        Some((1, _)) => Some("1 new voice message".into()),
        Some((new, _)) => Some(format!("{new} new voice messages")),
    }
}

/// Accounts for which the header has no room.
pub fn more_accounts(count: usize) -> String {
    format!("and {count} more: see the log")
}

/// A call's state in the person's words.
pub fn call_state(call: &Call) -> &'static str {
    match call.stage {
        CallStage::Calling if call.incoming => "incoming",
        CallStage::Calling => "calling",
        CallStage::Ringing if call.incoming => "incoming",
        CallStage::Ringing => "ringing",
        CallStage::Early if call.incoming => "incoming",
        CallStage::Early => "early media",
        CallStage::Established => match (call.held, call.remote_held) {
            (false, false) if call.muted => "muted",
            (false, false) if call.conference => "conference",
            (false, false) => "talking",
            (true, false) => "held",
            (false, true) => "they hold",
            (true, true) => "both hold",
        },
        CallStage::Ending => "hanging up",
    }
}

/// What stands in place of the meters while a call has no sound.
pub fn without_sound(call: &Call) -> &'static str {
    match call.stage {
        CallStage::Calling if call.incoming => "it rings here",
        CallStage::Calling => "no reply yet",
        CallStage::Ringing | CallStage::Early if call.incoming => "it rings here",
        CallStage::Ringing => "it rings at their side",
        CallStage::Early => "sound before the answer",
        CallStage::Established => "you hold them: no sound flows",
        CallStage::Ending => "saying goodbye",
    }
}

/// How a transfer of ours goes.
pub fn transfer(stage: TransferStage, code: Option<u16>) -> String {
    let stage = match stage {
        TransferStage::Trying => TRANSFER_TRYING,
        TransferStage::Ringing => TRANSFER_RINGING,
        TransferStage::Accepted => TRANSFER_ACCEPTED,
        TransferStage::Failed => TRANSFER_FAILED,
    };
    code.map_or_else(|| stage.to_owned(), |code| format!("{stage} ({code})"))
}

/// Sound does not come.
pub fn media_lost(seconds: u32) -> String {
    format!("no sound from them for {seconds} s")
}

/// A level.
pub fn decibels(db: f32) -> String {
    if db <= -99.0 { "silent".into() } else { format!("{db:.0} dB") }
}

/// The speaker's gain, where it was changed.
pub fn gain(db: f32) -> String {
    format!("volume {db:+.0} dB")
}

/// The figures of a call, the most telling first.
pub fn figures(stats: &crate::media::session::Stats) -> Vec<(&'static str, String)> {
    let mut figures = vec![
        ("MOS", stats.mos.map_or_else(|| "-".into(), |mos| format!("{mos:.1}"))),
        ("loss", format!("{:.1} %", stats.loss * 100.0)),
        ("jitter", format!("{:.1} ms", stats.jitter_ms)),
    ];
    if let Some(rtt) = stats.rtt_ms {
        figures.push(("round trip", format!("{rtt:.0} ms")));
    }
    figures.push(("buffer", format!("{:.0} ms", stats.buffer_ms)));
    figures
}

/// The title of the pop-up of an incoming call, and how many more ring.
pub fn incoming_title(call: CallNo, more: usize) -> String {
    match more {
        0 => format!("Incoming call {call}"),
        more => format!("Incoming call {call}, and {more} more"),
    }
}

/// Whom an incoming caller called.
pub fn called(called: &str, account: Option<&str>) -> String {
    match account {
        Some(account) => format!("to {called} ({account})"),
        None => format!("to {called}"),
    }
}

/// Who forwarded a call.
pub fn forwarded_by(who: &str) -> String {
    format!("forwarded by {who}")
}

/// Who referred a caller.
pub fn referred_by(who: &str) -> String {
    format!("referred by {who}")
}

/// What answering does to the active call.
pub fn answering_holds(call: CallNo, who: &str) -> String {
    format!("answering holds {call} {who}")
}

/// Who asks for a transfer.
pub fn transfer_asked(call: CallNo, who: &str) -> String {
    format!("{call} {who} asks you to call")
}

/// Who is elsewhere.
pub fn redirected(call: CallNo, who: &str) -> String {
    format!("{call} {who} is to be called at")
}

/// On whose behalf.
pub fn on_behalf(who: &str) -> String {
    format!("on behalf of {who}")
}

/// The account of a call.
pub fn via_account(account: &str) -> String {
    format!("account {account}")
}

/// The question before quitting.
pub fn confirm(calls: usize) -> String {
    match calls {
        1 => "A call is up: it will be hung up.".into(),
        calls => format!("{calls} calls are up: they will be hung up."),
    }
}

/// The prompt of the line that takes a target.
pub fn prompt_call(account: Option<&str>) -> String {
    match account {
        Some(account) => format!("{PROMPT_CALL} ({account})"),
        None => PROMPT_CALL.into(),
    }
}

/// The prompt of the line that takes a target to transfer to.
pub fn prompt_transfer(call: CallNo, who: Option<&str>) -> String {
    match who {
        Some(who) => format!("Transfer {call} {who} to"),
        None => format!("Transfer {call} to"),
    }
}

/// How many messages the trace has.
pub fn trace_count(count: usize, filter: bool) -> String {
    if filter { format!("{count} of one Call-ID") } else { count.to_string() }
}

/// Where a reader is in its text.
pub fn position(first: usize, last: usize, all: usize) -> String {
    format!("{first}-{last} of {all}")
}

/// The size that is needed.
pub fn size_needed(columns: u16, rows: u16) -> String {
    format!("needs {columns}x{rows}")
}

/// The wrong call would be hung up.
pub fn hang_up_again(call: CallNo) -> String {
    format!("the call ended by itself just now; once more hangs up {call}")
}

/// How a call ended.
pub fn outcome(by: EndedBy, code: Option<u16>, reason: &str, answered: bool) -> String {
    match (by, code, answered) {
        (EndedBy::Local, _, true) => "you hung up".into(),
        (EndedBy::Local, _, false) => "you ended it".into(),
        (EndedBy::Remote, None | Some(200), true) => "they hung up".into(),
        (EndedBy::Transport, _, _) => format!("network: {reason}"),
        (EndedBy::Remote | EndedBy::Timeout, Some(code), _) => {
            if reason.starts_with(&code.to_string()) {
                reason.to_owned()
            } else {
                format!("{code} {reason}")
            }
        }
        (EndedBy::Remote | EndedBy::Timeout, None, _) => reason.to_owned(),
    }
}

/// Missed calls, counted.
pub fn missed(count: usize) -> String {
    format!("{count} missed call{}", if count == 1 { "" } else { "s" })
}

fn of_account(account: Option<&str>) -> String {
    account.map(|account| format!("{account}: ")).unwrap_or_default()
}

/// What became of a call, in a word.
fn past(entry: &Entry) -> &'static str {
    match (entry.result, entry.direction) {
        (Outcome::Answered, history::Direction::In) => "answered",
        (Outcome::Answered, history::Direction::Out) => "called",
        (Outcome::Missed, _) => "missed",
        (Outcome::Elsewhere, _) => "elsewhere",
        (Outcome::Refused, _) => "refused",
        (Outcome::Failed, _) => "failed",
        (Outcome::Cancelled, _) => "given up",
        (Outcome::Screened, _) => "screened",
        (Outcome::Diverted, _) => "forwarded",
    }
}

/// What is switched on, as long as it is; empty: nothing.
pub fn switched_on(app: &App) -> String {
    let mut parts: Vec<String> = Vec::new();
    for forward in &app.forwarding {
        let when = match (forward.when, forward.seconds) {
            (When::Always, _) => "all calls".into(),
            (When::Busy, _) => "when busy".into(),
            (When::NoAnswer, seconds) => format!("after {} s", seconds.unwrap_or_default()),
        };
        let to = app.short(&forward.to);
        parts.push(format!("{}{when} forwarded to {to}", of_account(forward.account.as_deref())));
    }
    parts.extend(app.dnd.iter().map(|account| format!("{}do not disturb", of_account(account.as_deref()))));
    if app.missed > 0 {
        parts.push(missed(app.missed));
    }
    parts.join(", ")
}

/// A line of the log about an event, if it is worth one.
pub fn event(app: &App, kind: &Kind) -> Option<(Level, String)> {
    let who = |call: &CallRef| match app.call(call.call) {
        Some(call) => format!("{} {}", call.no, app.who(call)),
        None => format!("{} {}", call.call, app.short(&call.peer)),
    };
    Some(match kind {
        Kind::Registering { .. } | Kind::Stats { .. } | Kind::Ok { .. } | Kind::State(_) => return None,
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
        Kind::Established { call, codec, .. } => (Level::Good, format!("{} answered, {codec}", who(call))),
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
        Kind::Muted => (Level::Info, "microphone closed".into()),
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
        Kind::MediaLost { call, seconds } => (Level::Warning, format!("{}: {}", who(call), media_lost(*seconds))),
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
            let what = match *package {
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
        Kind::History { calls } => {
            let who = |entry: &Entry| entry.name.clone().unwrap_or_else(|| app.short(&entry.peer));
            let line = |entry: &Entry| format!("{} {} {}", past(entry), who(entry), entry.time);
            let lines: Vec<String> = calls.iter().rev().map(line).collect();
            (Level::Info, if lines.is_empty() { "no calls yet".into() } else { lines.join("; ") })
        }
        Kind::Redial { to, left, seconds: Some(seconds), .. } => {
            (Level::Info, format!("{} is called again in {seconds} s ({left} times)", app.short(to)))
        }
        Kind::Redial { to, seconds: None, .. } => (Level::Info, format!("{} is not called again", app.short(to))),
        Kind::Device { role, name, state, detail } => return device(*role, name, *state, detail.as_deref()),
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
