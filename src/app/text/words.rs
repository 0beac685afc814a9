//! Words that are always the same: what keys do, titles, prompts.

#![allow(missing_docs)]

use crate::phone::audio_warning::AudioWarning;
use crate::phone::security::{Keying, Lock, Security};

// What keys do: for the footer, and for the help.
type Label = (&'static str, &'static str);
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
pub const RECORD: Label = ("record", "record the call");
pub const STOP_RECORDING: Label = ("stop rec.", "record no more");
pub const DIGIT: Label = ("send", "send a DTMF digit");
pub const LOUDER: Label = ("louder", "speaker louder");
pub const SOFTER: Label = ("softer", "speaker softer");
pub const DIAL_DIGIT: Label = ("number", "type a number to call");
pub const PREVIOUS: Label = ("previous", "select the call above");
pub const NEXT: Label = ("next", "select the call below");
pub const PEOPLE: Label = ("people", "people and past calls");
pub const OTHER_LIST: Label = ("other list", "contacts or past calls");
pub const SEARCH: Label = ("search", "search people and calls");
pub const KEEP: Label = ("to the list", "keep what was found");
pub const CALL_CHOSEN: Label = ("call", "call who is chosen");
pub const WRITE: Label = ("message", "write a message");
pub const SERVICES: Label = ("services", "forwarding, not disturb");
pub const SWITCH: Label = ("on or off", "switch on or off");
pub const DND_ON: Label = ("do not disturb", "do not disturb, or do");
pub const DND_OFF: Label = ("disturb again", "do not disturb, or do");
pub const VOICEMAIL: Label = ("voicemail", "call the voicemail");
pub const REDIAL: Label = ("redial", "call the last one again");
pub const PARK: Label = ("park", "park the call");
pub const COMPLETE: Label = ("complete", "complete the word");
pub const NEXT_SUGGESTION: Label = ("choose", "choose a suggestion");
pub const PREVIOUS_SUGGESTION: Label = ("back", "the suggestion above");
pub const SUBMIT_FORWARD: Label = ("forward", "carry it out");
pub const SUBMIT_MESSAGE: Label = ("send", "carry it out");
pub const TRACE: Label = ("SIP ladder", "SIP messages");
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
pub const FIND: Label = ("search", "search in the messages");
pub const COMPARE: Label = ("compare", "offer beside answer");
pub const COPY: Label = ("copy", "to the clipboard");
pub const GRAPH: Label = ("graph", "graph of another figure");
pub const PANES: Label = ("panes", "other panes (wide)");
pub const WIDER: Label = ("wider", "calls wider");
pub const NARROWER: Label = ("narrower", "calls narrower");
pub const SAVE: Label = ("save", "what shows to a file");
pub const SAVE_PACKETS: Label = ("pcapng", "the same for Wireshark");
pub const CALL_TRACE: Label = ("ladder", "ladder of this call");
pub const NOT_KEPT: &str = "an earlier run's messages are not kept; w in a ladder saves them";
pub const PAST_TRACE: Label = ("ladder", "ladder of this call");
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
pub const DETACH: Label = ("detach", "leave the attached phone");
pub const INTERRUPT: Label = ("quit", "quit (twice in a call)");
pub const SUSPEND: Label = ("suspend", "suspend, without a call");
pub const REDRAW: Label = ("redraw", "draw the screen anew");

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
/// Keys of the pane of people.
pub const GROUP_PEOPLE: &str = "People and past calls";
/// Keys of the panel of services.
pub const GROUP_SERVICES: &str = "Services";
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
pub const NO_ACCOUNT: &str = "no account: direct calls only; offhook setup asks for one";
pub const NO_CALLS: &str = "No call";
pub const DEMO_NUMBERS: &str = "600 echo, 601 tone, 602 busy, 605 music, 608 conference";
pub const NO_CALLS_HINT: &str = "Type a number, or c and a name, to call someone.";
pub const CALLS: &str = "Calls";
pub const RECENT: &str = "Recent";
pub const EVENTS: &str = "Log";
pub const CONTACTS: &str = "Contacts";
pub const PAST_CALLS: &str = "Past calls";
pub const NOBODY: &str = "Nobody is known: offhook contacts add NAME ADDRESS";
pub const NOBODY_FOUND: &str = "Nobody fits.";
pub const NO_PAST_CALLS: &str = "No calls yet.";
pub const SERVICES_TITLE: &str = "Services";
pub const ALL_ACCOUNTS: &str = "all accounts";
pub const OFF: &str = "off";
pub const ON: &str = "on";
pub const PROMPT_SEARCH: &str = "Search";
pub const TRACE_TITLE: &str = "SIP ladder";
pub const COPIED: &str = "copied, if the terminal takes it (OSC 52)";
pub const TRACE_NOT_FOUND: &str = "No message has it.";
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
pub const NO_DESKTOP: &str = "ui.notify: this build has no notifications of the desktop; the terminal shows them";
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
/// What is wrong with the sound, beside its meters.
pub fn warning(warning: AudioWarning) -> &'static str {
    match warning {
        AudioWarning::SilentMicrophone => "microphone silent",
        AudioWarning::Clipping => "microphone too loud",
        AudioWarning::SpeakerDry => "speaker has gaps",
    }
}

pub const RECORDED: &str = "● recorded";
pub const UNPROTECTED: &str = "not encrypted any more";

/// What is said of a call's protection.
pub fn lock(security: &Security) -> Option<&'static str> {
    match (security.lock(), security.keying) {
        (Lock::None, _) if security.is_awaited() => Some("agreeing on keys"),
        (Lock::None, _) => None,
        (Lock::Half, Some(Keying::Dtls)) => Some("sound encrypted, for whom was said without TLS"),
        (Lock::Half, Some(Keying::Sdes) | None) => Some("sound encrypted, its keys sent without TLS"),
        (Lock::Whole, _) => Some("encrypted"),
    }
}

/// Its mark; a picture of a lock would take two columns here and one there.
pub fn lock_mark(lock: Lock) -> &'static str {
    match lock {
        Lock::None => "",
        Lock::Half => "◇ ",
        Lock::Whole => "◆ ",
    }
}

pub const SRTP: &str = "encrypted";
pub const SEARCHING: &str = ", searching";
pub const WITH_SDP: &str = " SDP";
pub const ASKS_TRANSFER: &str = "asks for a transfer: y or n";
pub const PHONE_STOPPED: &str = "the phone has stopped";
pub const CRASHED: &str = "a part of the phone failed: see the message above";
pub const NO_TERMINAL: &str =
    "the terminal UI needs a terminal on stdin and stdout; for scripts there is 'offhook run'";
