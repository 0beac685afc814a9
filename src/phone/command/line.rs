//! A command's one-line form: the table of words, and what reads the rest of the line (the stdin of `run`, the UI's command line).

use std::str::FromStr;

use super::{Command, DeviceRole, ForwardChange, PlayAs, Side};
use crate::config::nearest;
use crate::media::processing::{Step, Switch};
use crate::services::forwarding::{SECONDS, When};
use crate::ua::CallNo;

/// Why a line is no command.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ParseError {
    /// The first word is not a command.
    #[error("unknown command '{word}'{}", .nearest.map(|near| format!(" (did you mean '{near}'?)")).unwrap_or_default())]
    Unknown { word: String, nearest: Option<&'static str> },
    /// The rest does not fit the command.
    #[error("usage: {0}")]
    Usage(&'static str),
}

/// A command's first word, how the line is written, and what reads the rest of it.
struct Word {
    word: &'static str,
    usage: &'static str,
    parse: fn(&mut Rest<'_>) -> Result<Command, Mismatch>,
}

/// The rest of a line does not fit.
enum Mismatch {
    Usage,
}

/// Calls that `history` tells unless told.
const HISTORY: usize = 20;

/// Every command of a line.
const WORDS: &[Word] = &[
    Word { word: "call", usage: "call [@ACCOUNT] TARGET", parse: call },
    Word { word: "answer", usage: "answer [#ID]", parse: |rest| Ok(Command::Answer { call: rest.call() }) },
    Word { word: "reject", usage: "reject [#ID] [CODE], CODE from 300 to 699", parse: reject },
    Word { word: "hangup", usage: "hangup [#ID] or hangup all", parse: hangup },
    Word { word: "hold", usage: "hold [#ID]", parse: |rest| Ok(Command::Hold { call: rest.call() }) },
    Word { word: "resume", usage: "resume [#ID]", parse: |rest| Ok(Command::Resume { call: rest.call() }) },
    Word { word: "swap", usage: "swap", parse: |_| Ok(Command::Swap) },
    Word { word: "transfer", usage: "transfer [#ID] TARGET or transfer #ID #ID", parse: transfer },
    Word {
        word: "accept-transfer",
        usage: "accept-transfer [#ID]",
        parse: |rest| Ok(Command::AcceptTransfer { call: rest.call() }),
    },
    Word {
        word: "refuse-transfer",
        usage: "refuse-transfer [#ID]",
        parse: |rest| Ok(Command::RefuseTransfer { call: rest.call() }),
    },
    Word {
        word: "accept-redirect",
        usage: "accept-redirect [#ID]",
        parse: |rest| Ok(Command::AcceptRedirect { call: rest.call() }),
    },
    Word {
        word: "refuse-redirect",
        usage: "refuse-redirect [#ID]",
        parse: |rest| Ok(Command::RefuseRedirect { call: rest.call() }),
    },
    Word { word: "conference", usage: "conference [#ID #ID ...]", parse: conference },
    Word { word: "split", usage: "split", parse: |_| Ok(Command::Split) },
    Word { word: "dtmf", usage: "dtmf [#ID] DIGITS, of 0-9 A-D * # and , for a pause", parse: dtmf },
    Word { word: "mute", usage: "mute [#ID]", parse: |rest| Ok(Command::Mute { call: rest.call() }) },
    Word { word: "unmute", usage: "unmute [#ID]", parse: |rest| Ok(Command::Unmute { call: rest.call() }) },
    Word { word: "audio", usage: "audio echo|noise|gain on|off|always", parse: audio },
    Word { word: "volume", usage: "volume input|output DB, DB from -60 to 20", parse: volume },
    Word { word: "record", usage: "record [#ID] [FILE] or record [#ID] stop", parse: record },
    Word { word: "play", usage: "play [#ID] FILE or play [#ID] stop", parse: play },
    Word { word: "device", usage: "device input|output|ring NAME", parse: device },
    Word { word: "set", usage: "set SECTION.KEY VALUE, such as set calls.dtmf info", parse: set },
    Word {
        word: "register",
        usage: "register [@ACCOUNT]",
        parse: |rest| Ok(Command::Register { account: rest.account() }),
    },
    Word {
        word: "unregister",
        usage: "unregister [@ACCOUNT]",
        parse: |rest| Ok(Command::Unregister { account: rest.account() }),
    },
    Word { word: "message", usage: "message [@ACCOUNT] TARGET TEXT", parse: message },
    Word {
        word: "forward",
        usage: "forward [@ACCOUNT] always|busy|no-answer TARGET [SECONDS], forward [@ACCOUNT] [WHEN] off, or forward",
        parse: forward,
    },
    Word { word: "dnd", usage: "dnd [@ACCOUNT] [on|off]", parse: dnd },
    Word { word: "history", usage: "history [N]", parse: history },
    Word { word: "redial", usage: "redial [busy|off]", parse: redial },
    Word { word: "callback", usage: "callback", parse: |_| Ok(Command::CallBack) },
    Word {
        word: "pickup",
        usage: "pickup [TARGET]",
        parse: |rest| Ok(Command::PickUp { target: rest.next().map(str::to_owned) }),
    },
    Word { word: "park", usage: "park [#ID]", parse: |rest| Ok(Command::Park { call: rest.call() }) },
    Word { word: "state", usage: "state", parse: |_| Ok(Command::State) },
    Word { word: "quit", usage: "quit", parse: |_| Ok(Command::Quit) },
];

/// The words of all commands, for completion.
pub fn words() -> impl Iterator<Item = &'static str> {
    WORDS.iter().map(|entry| entry.word)
}

/// How each command is written, for help.
pub fn usages() -> impl Iterator<Item = &'static str> {
    WORDS.iter().map(|entry| entry.usage)
}

/// Reads a line of `run`; `None` for a blank line or a comment, which begins with `#`.
pub fn parse_line(line: &str) -> Option<Result<Command, ParseError>> {
    let line = line.trim();
    (!line.is_empty() && !line.starts_with('#')).then(|| line.parse())
}

impl FromStr for Command {
    type Err = ParseError;

    fn from_str(line: &str) -> Result<Command, ParseError> {
        let mut rest = Rest(line);
        let word = rest.next().unwrap_or_default();
        let Some(entry) = WORDS.iter().find(|entry| entry.word == word) else {
            return Err(ParseError::Unknown { word: shortened(word), nearest: nearest(word, words()) });
        };
        let parsed = (entry.parse)(&mut rest).and_then(|command| rest.end().map(|()| command));
        parsed.map_err(|Mismatch::Usage| ParseError::Usage(entry.usage))
    }
}

/// What is left of a line.
struct Rest<'a>(&'a str);

impl<'a> Rest<'a> {
    fn peek(&self) -> Option<&'a str> {
        self.0.split_whitespace().next()
    }

    fn next(&mut self) -> Option<&'a str> {
        let text = self.0.trim_start();
        let (word, rest) = text.split_at(text.find(char::is_whitespace).unwrap_or(text.len()));
        self.0 = rest;
        (!word.is_empty()).then_some(word)
    }

    fn word(&mut self) -> Result<&'a str, Mismatch> {
        self.next().ok_or(Mismatch::Usage)
    }

    /// `#ID`, if it stands here.
    fn call(&mut self) -> Option<CallNo> {
        let call = call_number(self.peek()?)?;
        self.next();
        Some(call)
    }

    /// `@ACCOUNT`, if it stands here.
    fn account(&mut self) -> Option<String> {
        let account = self.peek()?.strip_prefix('@').filter(|name| !name.is_empty())?;
        self.next();
        Some(account.to_owned())
    }

    /// All that is left.
    fn remainder(&mut self) -> Result<&'a str, Mismatch> {
        let text = std::mem::take(&mut self.0).trim();
        if text.is_empty() { Err(Mismatch::Usage) } else { Ok(text) }
    }

    fn end(&mut self) -> Result<(), Mismatch> {
        if self.next().is_none() { Ok(()) } else { Err(Mismatch::Usage) }
    }
}

fn call_number(word: &str) -> Option<CallNo> {
    let number = word.strip_prefix('#')?;
    if !number.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    number.parse().ok().filter(|number| *number > 0).map(CallNo)
}

fn shortened(word: &str) -> String {
    word.chars().take(32).map(|c| if c.is_control() { char::REPLACEMENT_CHARACTER } else { c }).collect()
}

fn call(rest: &mut Rest<'_>) -> Result<Command, Mismatch> {
    let account = rest.account();
    let target = rest.word()?;
    if target.starts_with(['@', '#']) {
        return Err(Mismatch::Usage);
    }
    Ok(Command::Call { account, target: target.into() })
}

/// The text is the rest of the line.
fn message(rest: &mut Rest<'_>) -> Result<Command, Mismatch> {
    let account = rest.account();
    let target = rest.word()?;
    if target.starts_with(['@', '#']) {
        return Err(Mismatch::Usage);
    }
    Ok(Command::Message { account, target: target.into(), text: rest.remainder()?.into() })
}

fn reject(rest: &mut Rest<'_>) -> Result<Command, Mismatch> {
    let call = rest.call();
    let code = match rest.next() {
        None => None,
        Some(word) => Some(word.parse().ok().filter(|code| (300..700).contains(code)).ok_or(Mismatch::Usage)?),
    };
    Ok(Command::Reject { call, code })
}

fn hangup(rest: &mut Rest<'_>) -> Result<Command, Mismatch> {
    if rest.peek() == Some("all") {
        rest.next();
        return Ok(Command::HangupAll);
    }
    Ok(Command::Hangup { call: rest.call() })
}

fn transfer(rest: &mut Rest<'_>) -> Result<Command, Mismatch> {
    let call = rest.call();
    let target = rest.word()?;
    match (call_number(target), call) {
        (Some(with), Some(call)) if with != call => Ok(Command::TransferWith { call, with }),
        (Some(_), _) => Err(Mismatch::Usage),
        (None, _) if target.starts_with('#') => Err(Mismatch::Usage),
        (None, _) => Ok(Command::Transfer { call, target: target.into() }),
    }
}

fn conference(rest: &mut Rest<'_>) -> Result<Command, Mismatch> {
    let calls: Vec<CallNo> = std::iter::from_fn(|| rest.call()).collect();
    if calls.len() == 1 { Err(Mismatch::Usage) } else { Ok(Command::Conference { calls }) }
}

/// `#` is a digit too: a first word of the form `#1` is a call only when digits follow it.
fn dtmf(rest: &mut Rest<'_>) -> Result<Command, Mismatch> {
    let first = rest.word()?;
    let (call, digits) = match rest.next() {
        Some(digits) => (Some(call_number(first).ok_or(Mismatch::Usage)?), digits),
        None => (None, first),
    };
    let digits = digits.to_ascii_uppercase();
    if !digits.chars().all(|digit| matches!(digit, '0'..='9' | 'A'..='D' | '*' | '#' | ',')) {
        return Err(Mismatch::Usage);
    }
    Ok(Command::Dtmf { call, digits })
}

fn forward(rest: &mut Rest<'_>) -> Result<Command, Mismatch> {
    let account = rest.account();
    let change = match rest.next() {
        None => ForwardChange::Show,
        Some("off") => ForwardChange::Off(None),
        Some(word) => {
            let when = When::ALL.into_iter().find(|when| when.word() == word).ok_or(Mismatch::Usage)?;
            match rest.word()? {
                "off" => ForwardChange::Off(Some(when)),
                target if target.starts_with(['@', '#']) => return Err(Mismatch::Usage),
                target => {
                    let seconds = match (rest.next(), when) {
                        (None, _) => None,
                        (Some(word), When::NoAnswer) => {
                            Some(word.parse().ok().filter(|n| SECONDS.contains(n)).ok_or(Mismatch::Usage)?)
                        }
                        (Some(_), When::Always | When::Busy) => return Err(Mismatch::Usage),
                    };
                    ForwardChange::To { when, target: target.into(), seconds }
                }
            }
        }
    };
    Ok(Command::Forward { account, change })
}

fn dnd(rest: &mut Rest<'_>) -> Result<Command, Mismatch> {
    let account = rest.account();
    let on = match rest.next() {
        None => None,
        Some("on") => Some(true),
        Some("off") => Some(false),
        Some(_) => return Err(Mismatch::Usage),
    };
    Ok(Command::Dnd { account, on })
}

fn history(rest: &mut Rest<'_>) -> Result<Command, Mismatch> {
    let count = match rest.next() {
        None => HISTORY,
        Some(word) => word.parse().ok().filter(|count| *count > 0).ok_or(Mismatch::Usage)?,
    };
    Ok(Command::History { count })
}

fn redial(rest: &mut Rest<'_>) -> Result<Command, Mismatch> {
    match rest.next() {
        None => Ok(Command::Redial),
        Some("busy") => Ok(Command::RedialBusy { on: true }),
        Some("off") => Ok(Command::RedialBusy { on: false }),
        Some(_) => Err(Mismatch::Usage),
    }
}

fn audio(rest: &mut Rest<'_>) -> Result<Command, Mismatch> {
    let word = rest.word()?;
    let (_, step) = Step::WORDS.into_iter().find(|(known, _)| *known == word).ok_or(Mismatch::Usage)?;
    let word = rest.word()?;
    let (_, switch) = Switch::WORDS.into_iter().find(|(known, _)| *known == word).ok_or(Mismatch::Usage)?;
    Ok(Command::Audio { step, switch })
}

fn volume(rest: &mut Rest<'_>) -> Result<Command, Mismatch> {
    let side = match rest.word()? {
        "input" => Side::Input,
        "output" => Side::Output,
        _ => return Err(Mismatch::Usage),
    };
    let db = rest.word()?.parse().ok().filter(|db| (-60.0..=20.0).contains(db)).ok_or(Mismatch::Usage)?;
    Ok(Command::Volume { side, db })
}

/// A file's name may hold spaces: it is the rest of the line.
fn record(rest: &mut Rest<'_>) -> Result<Command, Mismatch> {
    let call = rest.call();
    Ok(match rest.remainder() {
        Err(Mismatch::Usage) => Command::Record { call, path: None },
        Ok("stop") => Command::StopRecording { call },
        Ok(path) => Command::Record { call, path: Some(path.into()) },
    })
}

fn play(rest: &mut Rest<'_>) -> Result<Command, Mismatch> {
    let call = rest.call();
    Ok(match rest.remainder()? {
        "stop" => Command::StopPlaying { call },
        path => Command::Play { call, path: path.into(), how: PlayAs::Mixed },
    })
}

/// A device's name may hold spaces: it is the rest of the line.
fn device(rest: &mut Rest<'_>) -> Result<Command, Mismatch> {
    let role = match rest.word()? {
        "input" => DeviceRole::Input,
        "output" => DeviceRole::Output,
        "ring" => DeviceRole::Ring,
        _ => return Err(Mismatch::Usage),
    };
    Ok(Command::Device { role, name: rest.remainder()?.into() })
}

fn set(rest: &mut Rest<'_>) -> Result<Command, Mismatch> {
    Ok(Command::Set { name: rest.word()?.into(), value: rest.remainder()?.into() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_form() {
        let text = |text: &str| text.to_owned();
        let one = Some(CallNo(1));
        let table = [
            ("call 600", Command::Call { account: None, target: text("600") }),
            (
                "call @work sip:bob@[::1]:5070;user=phone",
                Command::Call { account: Some(text("work")), target: text("sip:bob@[::1]:5070;user=phone") },
            ),
            ("  call\ttel:+49301  ", Command::Call { account: None, target: text("tel:+49301") }),
            ("answer", Command::Answer { call: None }),
            ("answer #12", Command::Answer { call: Some(CallNo(12)) }),
            ("reject", Command::Reject { call: None, code: None }),
            ("reject 603", Command::Reject { call: None, code: Some(603) }),
            ("reject #1", Command::Reject { call: one, code: None }),
            ("reject #1 404", Command::Reject { call: one, code: Some(404) }),
            ("hangup", Command::Hangup { call: None }),
            ("hangup #1", Command::Hangup { call: one }),
            ("hangup all", Command::HangupAll),
            ("hold", Command::Hold { call: None }),
            ("hold #1", Command::Hold { call: one }),
            ("resume", Command::Resume { call: None }),
            ("resume #1", Command::Resume { call: one }),
            ("swap", Command::Swap),
            ("transfer 602", Command::Transfer { call: None, target: text("602") }),
            ("transfer #1 sip:carol@pbx", Command::Transfer { call: one, target: text("sip:carol@pbx") }),
            ("transfer #1 #2", Command::TransferWith { call: CallNo(1), with: CallNo(2) }),
            ("accept-redirect", Command::AcceptRedirect { call: None }),
            ("refuse-redirect #1", Command::RefuseRedirect { call: one }),
            ("accept-transfer", Command::AcceptTransfer { call: None }),
            ("accept-transfer #1", Command::AcceptTransfer { call: one }),
            ("refuse-transfer", Command::RefuseTransfer { call: None }),
            ("refuse-transfer #1", Command::RefuseTransfer { call: one }),
            ("dtmf 12,*", Command::Dtmf { call: None, digits: text("12,*") }),
            ("dtmf #1", Command::Dtmf { call: None, digits: text("#1") }),
            ("dtmf #1 #", Command::Dtmf { call: one, digits: text("#") }),
            ("dtmf abcd", Command::Dtmf { call: None, digits: text("ABCD") }),
            ("mute", Command::Mute { call: None }),
            ("unmute #2", Command::Unmute { call: Some(CallNo(2)) }),
            ("conference", Command::Conference { calls: Vec::new() }),
            ("conference #1 #2 #3", Command::Conference { calls: vec![CallNo(1), CallNo(2), CallNo(3)] }),
            ("split", Command::Split),
            ("audio echo off", Command::Audio { step: Step::Echo, switch: Switch::Off }),
            ("audio gain always", Command::Audio { step: Step::Gain, switch: Switch::Always }),
            ("volume input -3", Command::Volume { side: Side::Input, db: -3.0 }),
            ("volume output +2.5", Command::Volume { side: Side::Output, db: 2.5 }),
            ("record", Command::Record { call: None, path: None }),
            ("record #1", Command::Record { call: one, path: None }),
            ("record a talk.opus", Command::Record { call: None, path: Some("a talk.opus".into()) }),
            ("record #1 stop", Command::StopRecording { call: one }),
            ("play  hello there.wav", Command::Play { call: None, path: "hello there.wav".into(), how: PlayAs::Mixed }),
            ("play stop", Command::StopPlaying { call: None }),
            ("device input null", Command::Device { role: DeviceRole::Input, name: text("null") }),
            ("device output  USB Audio #2 ", Command::Device { role: DeviceRole::Output, name: text("USB Audio #2") }),
            ("set calls.dtmf info", Command::Set { name: text("calls.dtmf"), value: text("info") }),
            ("device ring default", Command::Device { role: DeviceRole::Ring, name: text("default") }),
            ("register", Command::Register { account: None }),
            ("register @work", Command::Register { account: Some(text("work")) }),
            ("unregister", Command::Unregister { account: None }),
            ("unregister @work", Command::Unregister { account: Some(text("work")) }),
            (
                "message 201 Back at  5?",
                Command::Message { account: None, target: text("201"), text: text("Back at  5?") },
            ),
            (
                "message @work sip:bob@pbx #1 rings",
                Command::Message { account: Some(text("work")), target: text("sip:bob@pbx"), text: text("#1 rings") },
            ),
            ("forward", Command::Forward { account: None, change: ForwardChange::Show }),
            ("forward off", Command::Forward { account: None, change: ForwardChange::Off(None) }),
            (
                "forward @work busy off",
                Command::Forward { account: Some(text("work")), change: ForwardChange::Off(Some(When::Busy)) },
            ),
            (
                "forward always bob",
                Command::Forward {
                    account: None,
                    change: ForwardChange::To { when: When::Always, target: text("bob"), seconds: None },
                },
            ),
            (
                "forward no-answer 600 15",
                Command::Forward {
                    account: None,
                    change: ForwardChange::To { when: When::NoAnswer, target: text("600"), seconds: Some(15) },
                },
            ),
            ("dnd", Command::Dnd { account: None, on: None }),
            ("dnd @work on", Command::Dnd { account: Some(text("work")), on: Some(true) }),
            ("dnd off", Command::Dnd { account: None, on: Some(false) }),
            ("history", Command::History { count: 20 }),
            ("history 5", Command::History { count: 5 }),
            ("redial", Command::Redial),
            ("redial busy", Command::RedialBusy { on: true }),
            ("redial off", Command::RedialBusy { on: false }),
            ("callback", Command::CallBack),
            ("pickup", Command::PickUp { target: None }),
            ("pickup Bob", Command::PickUp { target: Some(text("Bob")) }),
            ("park", Command::Park { call: None }),
            ("park #1", Command::Park { call: one }),
            ("state", Command::State),
            ("quit", Command::Quit),
        ];
        for word in words() {
            assert!(table.iter().any(|(line, _)| line.trim().starts_with(word)), "{word} is not in the table");
        }
        for (line, command) in table {
            assert_eq!(line.parse(), Ok(command), "{line}");
        }
    }

    #[test]
    fn what_does_not_fit() {
        let table = [
            ("juggle 600", "unknown command 'juggle'"),
            ("cal 600", "unknown command 'cal' (did you mean 'call'?)"),
            ("hang", "unknown command 'hang' (did you mean 'hangup'?)"),
            ("CALL 600", "unknown command 'CALL' (did you mean 'call'?)"),
            ("call", "usage: call [@ACCOUNT] TARGET"),
            ("call @work", "usage: call [@ACCOUNT] TARGET"),
            ("call @ 600", "usage: call [@ACCOUNT] TARGET"),
            ("call 600 601", "usage: call [@ACCOUNT] TARGET"),
            ("answer 1", "usage: answer [#ID]"),
            ("answer #0", "usage: answer [#ID]"),
            ("answer #+1", "usage: answer [#ID]"),
            ("answer #99999999999", "usage: answer [#ID]"),
            ("reject 200", "usage: reject [#ID] [CODE], CODE from 300 to 699"),
            ("reject #1 x", "usage: reject [#ID] [CODE], CODE from 300 to 699"),
            ("hangup all #1", "usage: hangup [#ID] or hangup all"),
            ("swap now", "usage: swap"),
            ("transfer", "usage: transfer [#ID] TARGET or transfer #ID #ID"),
            ("transfer #1", "usage: transfer [#ID] TARGET or transfer #ID #ID"),
            ("transfer #1 #1", "usage: transfer [#ID] TARGET or transfer #ID #ID"),
            ("conference #1", "usage: conference [#ID #ID ...]"),
            ("conference 600 601", "usage: conference [#ID #ID ...]"),
            ("dtmf", "usage: dtmf [#ID] DIGITS, of 0-9 A-D * # and , for a pause"),
            ("dtmf 1 2", "usage: dtmf [#ID] DIGITS, of 0-9 A-D * # and , for a pause"),
            ("dtmf hello", "usage: dtmf [#ID] DIGITS, of 0-9 A-D * # and , for a pause"),
            ("audio echo", "usage: audio echo|noise|gain on|off|always"),
            ("audio hiss on", "usage: audio echo|noise|gain on|off|always"),
            ("volume input", "usage: volume input|output DB, DB from -60 to 20"),
            ("volume input loud", "usage: volume input|output DB, DB from -60 to 20"),
            ("volume input NaN", "usage: volume input|output DB, DB from -60 to 20"),
            ("volume ring 1", "usage: volume input|output DB, DB from -60 to 20"),
            ("play #1", "usage: play [#ID] FILE or play [#ID] stop"),
            ("device input", "usage: device input|output|ring NAME"),
            ("device speaker x", "usage: device input|output|ring NAME"),
            (
                "forward always",
                "usage: forward [@ACCOUNT] always|busy|no-answer TARGET [SECONDS], forward [@ACCOUNT] [WHEN] off, or forward",
            ),
            (
                "forward busy 600 15",
                "usage: forward [@ACCOUNT] always|busy|no-answer TARGET [SECONDS], forward [@ACCOUNT] [WHEN] off, or forward",
            ),
            ("dnd perhaps", "usage: dnd [@ACCOUNT] [on|off]"),
            ("history 0", "usage: history [N]"),
            ("redial 600", "usage: redial [busy|off]"),
            ("register work", "usage: register [@ACCOUNT]"),
        ];
        for (line, message) in table {
            assert_eq!(line.parse::<Command>().map_err(|error| error.to_string()), Err(message.into()), "{line}");
        }
    }

    #[test]
    fn blank_lines_and_comments_are_no_commands() {
        for line in ["", "   ", "\t", "# call 600", "#1"] {
            assert_eq!(parse_line(line), None, "{line:?}");
        }
        assert_eq!(parse_line(" swap "), Some(Ok(Command::Swap)));
    }

    #[test]
    fn an_unknown_word_is_shown_short_and_harmless() {
        let line = format!("\u{1b}[2J{}", "x".repeat(5000));
        let message = line.parse::<Command>().unwrap_err().to_string();
        assert!(message.len() < 80 && !message.contains('\u{1b}'), "{message}");
    }
}
