//! Every word on the screen.

use std::time::{Duration, SystemTime};

use crate::phone::snapshot::{CallStage, Registration};
use crate::services::forwarding::When;
use crate::ua::CallNo;
use crate::ua::event::{EndedBy, TransferStage};

use super::App;
use super::call::Call;
use super::calls::Account;
use super::keymap::Key;

mod events;
mod ladder;
mod panels;
mod people;
mod words;

pub use events::{event, lamp_state};
pub use ladder::*;
pub use panels::*;
pub use people::*;
pub use words::*;

/// The program's name.
pub const NAME: &str = "offhook";

/// Where the phone listens to which the UI is attached.
pub fn attached_to(listen: &str) -> String {
    format!("attached to {listen}")
}

/// The terminal's title while a call comes in.
pub fn title_incoming(who: &str) -> String {
    format!("{who} calls - {NAME}")
}

/// What a notification says of a call that comes in.
pub fn title_calls(who: &str) -> String {
    format!("{who} calls")
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
pub fn messages(account: &Account) -> Option<String> {
    let words = match account.messages {
        None | Some((0, 0)) => None,
        Some((0, old)) => Some(format!("{old} old voice messages")),
        Some((1, _)) => Some("1 new voice message".into()),
        Some((new, _)) => Some(format!("{new} new voice messages")),
    };
    let key = key(Key::Char('v'));
    words.map(|words| if account.mailbox.is_some() { format!("{words} ({key})") } else { words })
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

/// How well they are heard here, and we there once they have said so.
fn both_ways(here: Option<f32>, there: Option<f32>) -> String {
    let text = |mos: Option<f32>| mos.map_or_else(|| "-".into(), |mos| format!("{mos:.1}"));
    match there {
        Some(_) => format!("{}/{}", text(here), text(there)),
        None => text(here),
    }
}

/// The figures of a call, the most telling first.
pub fn figures(stats: &crate::media::session::Stats) -> Vec<(&'static str, String)> {
    let mut figures = vec![
        ("MOS", both_ways(stats.mos, stats.mos_remote)),
        ("loss", loss(stats)),
        ("jitter", format!("{:.1} ms", stats.jitter_ms)),
    ];
    if let Some(rtt) = stats.rtt_ms {
        figures.push(("rtt", format!("{rtt:.0} ms")));
    }
    // What was made up is heard as a rasp: it goes before what is only interesting.
    if stats.concealed >= LEAST_SHOWN {
        figures.push(("made up", format!("{:.1} %", stats.concealed * 100.0)));
    }
    let buffer = match stats.target_ms {
        target if target >= 1.0 => format!("{:.0} of {target:.0} ms", stats.buffer_ms),
        _ => format!("{:.0} ms", stats.buffer_ms),
    };
    figures.push(("buffer", buffer));
    figures
}

/// The least share that is not shown as nothing.
const LEAST_SHOWN: f32 = 0.000_5;

/// What is lost on its way here, and on its way there once they have said so.
fn loss(stats: &crate::media::session::Stats) -> String {
    match stats.loss_remote {
        Some(there) => format!("{:.1}/{:.1} %", stats.loss * 100.0, there * 100.0),
        None => format!("{:.1} %", stats.loss * 100.0),
    }
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

/// How many messages show.
pub fn trace_count(count: usize, filter: bool, query: &str) -> String {
    let with = if query.is_empty() { String::new() } else { format!(" with '{query}'") };
    if filter { format!("{count} of one Call-ID{with}") } else { format!("{count}{with}") }
}

/// How often a message came, where it was more than once.
pub fn times(times: u32) -> String {
    if times > 1 { format!("×{times}") } else { String::new() }
}

/// The line over a message in a file.
pub fn trace_line(time: &str, sent: bool, remote: &str, times: u32) -> String {
    let way = if sent { "to" } else { "from" };
    format!("{time} {way} {remote} {}", self::times(times)).trim_end().to_owned()
}

/// Where a file is.
pub fn saved(path: &str) -> String {
    format!("saved: {path}")
}

/// Why there is no file.
pub fn not_saved(error: &str) -> String {
    format!("not saved: {error}")
}

/// The title over an offer and its answer.
pub fn offer_and_answer(offer: &str, answer: &str) -> String {
    format!("offer: {offer} | answer: {answer}")
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

/// What is switched on, as long as it is; empty: nothing.
pub fn switched_on(app: &App) -> String {
    let mut parts: Vec<String> = Vec::new();
    if app.missed > 0 {
        parts.push(missed(app.missed));
    }
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
    parts.join(", ")
}
