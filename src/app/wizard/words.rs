//! Every word of the wizard that is always the same, and a few that are not.

#![allow(missing_docs)]

use crate::phone::command::DeviceRole;

use super::{Step, Way};

// What keys do.
pub const KEY_NEXT: &str = "next";
pub const KEY_SKIP: &str = "skip";
pub const KEY_BACK: &str = "back";
pub const KEY_LEAVE: &str = "not now";
pub const KEY_QUIT: &str = "quit";
pub const KEY_WRITE: &str = "write and start";
pub const KEY_COMPLETE: &str = "take suggestion";
pub const KEY_OTHER_WAY: &str = "another way";
pub const KEY_REVEAL: &str = "show, hide";
pub const KEY_EDIT: &str = "type";
pub const KEY_ROLE: &str = "next list";
pub const KEY_TONE: &str = "test sound";
pub const KEY_UP: &str = "up";
pub const KEY_DOWN: &str = "down";
pub const KEY_CALL: &str = "call the echo";
pub const KEY_CALL_AGAIN: &str = "call again";
pub const KEY_HANG_UP: &str = "hang up";
pub const KEY_TRY: &str = "register";
pub const KEY_TRY_AGAIN: &str = "try again";
pub const KEY_SUSPEND: &str = "suspend";
pub const KEY_REDRAW: &str = "redraw";

pub const TITLE: &str = "offhook";
pub const SUBTITLE: &str = "first steps";

/// A step in a word.
pub fn step(step: Step) -> &'static str {
    match step {
        Step::Address => "Address",
        Step::Password => "Password",
        Step::Sound => "Sound",
        Step::Call => "Test call",
        Step::Register => "Register",
        Step::Finish => "Finish",
    }
}

/// Where it is among the steps.
pub fn progress(at: usize, of: usize, name: &str) -> String {
    format!("step {at} of {of}: {name}")
}

pub const ASK_ADDRESS: &str = "What is your SIP address?";
pub const ABOUT_ADDRESS: &str = "It came with your account: a user or number, @, and the PBX or provider. Without an account leave it empty: \
     direct calls, such as sip:bob@192.0.2.7, work all the same.";
pub const PROMPT_ADDRESS: &str = "Address";
pub const ACCOUNT_STAYS: &str = "the account in the file stays as it is";
pub const NO_ACCOUNT: &str = "no account: direct calls only";
pub const MEANT: &str = "Tab";

/// What an address means.
pub fn registers(user: &str, host: &str, transport: &str) -> String {
    format!("{user} registers at {host}, over {transport}")
}

/// Why Enter does not go on.
pub fn still_missing(what: &str) -> String {
    format!("not yet an address: {what}")
}

/// The question of the password.
pub fn ask_password(user: &str) -> String {
    format!("What is the password of {user}?")
}

/// What is said of a way to give it.
pub fn about_password(way: Way, path: &str) -> String {
    match way {
        Way::Typed => format!(
            "It is written into {path}, which nobody but you may read. Tab: a command that prints it instead, such as a \
             password manager's."
        ),
        Way::Command => "The command is run when the phone starts; the first line that it prints is the password. The \
                         password itself stands in no file."
            .into(),
        Way::Kept => format!("The one that {path} has stays as it is. Tab: type another one."),
    }
}

/// The prompt of a way.
pub fn prompt_password(way: Way) -> &'static str {
    match way {
        Way::Typed => "Password",
        Way::Command => "Command",
        Way::Kept => "Kept",
    }
}

pub const COMMAND_EXAMPLE: &str = "such as: pass show pbx";
pub const KEPT: &str = "as in the file";
pub const NO_PASSWORD: &str = "no password: few PBXs register without";

pub const ASK_SOUND: &str = "Which devices?";
pub const SEARCHING: &str = "looking for devices…";
pub const NO_CARD: &str = "no sound card was found: calls work in silence until there is one";
pub const SPEAK: &str = "speak: the bar should move";
pub const TRY_TONE: &str = "t plays a test sound";

/// A role in a word.
pub fn role(role: DeviceRole) -> &'static str {
    match role {
        DeviceRole::Input => "Microphone",
        DeviceRole::Output => "Speaker",
        DeviceRole::Ring => "Ring",
    }
}

/// Nothing, for a role.
pub fn null(role: DeviceRole) -> &'static str {
    match role {
        DeviceRole::Input => "none: silence is sent",
        DeviceRole::Output => "none: nothing is played",
        DeviceRole::Ring => "none: it does not ring",
    }
}

/// What the system takes.
pub fn default_device(device: Option<&str>) -> String {
    match device {
        Some(device) => format!("the system's default: {device}"),
        None => "the system's default".into(),
    }
}

/// What is configured and not there.
pub fn other_device(name: &str) -> String {
    format!("{name} (as in the file)")
}

pub const OPENING: &str = "the microphone opens…";
pub const PLAYING: &str = "the test sound plays…";
pub const PLAYED: &str = "played: did you hear it?";
pub const PLAYED_SILENTLY: &str = "nothing is chosen, so nothing is heard";

/// A device that refuses.
pub fn refuses(why: &str) -> String {
    format!("it does not open: {why}")
}

pub const ASK_CALL: &str = "Hear yourself";
pub const ABOUT_CALL: &str = "A call to an echo on this machine; nothing leaves it. Speak, and your voice comes back: with loudspeakers take a \
     headset, or it howls.";
pub const STARTING: &str = "calling…";
pub const TALKING: &str = "say something, then Enter";

pub const ASK_REGISTER: &str = "Does the PBX take it?";

/// What is about to be tried.
pub fn about_register(uri: &str, host: &str) -> String {
    format!("{uri} registers at {host} now, once, to see whether address and password are right.")
}

/// It is being tried.
pub fn trying(host: &str, seconds: u64) -> String {
    match seconds {
        0 => format!("asking {host}…"),
        seconds => format!("asking {host}… {seconds} s"),
    }
}

pub const ASK_FINISH: &str = "All set";
pub const WROTE_NOTHING: &str = "Nothing has been written so far.";

/// What Enter does at the end.
pub fn about_finish(path: &str, exists: bool) -> String {
    if exists {
        format!("Enter changes these lines of {path}; all others, and your comments, stay.")
    } else {
        format!("Enter writes {path}, with every other setting in it as a comment.")
    }
}

pub const ROW_ACCOUNT: &str = "Account";
pub const ROW_PASSWORD: &str = "Password";
pub const ROW_REGISTERED: &str = "PBX";
pub const NONE: &str = "none";
pub const IN_FILE: &str = "in the file, for your eyes only";
pub const BY_COMMAND: &str = "by command:";
pub const NOT_TRIED: &str = "not tried";
pub const TRIED_WELL: &str = "took the account";
pub const TRIED_BADLY: &str = "did not take it: the phone goes on trying";

/// The file could not be written.
pub fn not_written(path: &str, why: &str) -> String {
    format!("{path}: {why}")
}
