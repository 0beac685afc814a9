//! The commands of a person or a script, and their one-line form (the stdin of `run`, the UI's command line).

use crate::ua::CallNo;

/// What a person or a script asks. `call: None` stands for the default that the command's doc names.
#[derive(Debug, Clone, PartialEq)]
pub enum Command {
    /// Calls; an active call is held first.
    Call { account: Option<String>, target: String },
    /// Answers the call that has rung longest; an active call is held first.
    Answer { call: Option<CallNo> },
    /// Refuses the call that has rung longest; 486 unless told.
    Reject { call: Option<CallNo>, code: Option<u16> },
    /// Ends the active call, else the only one.
    Hangup { call: Option<CallNo> },
    /// Ends every call.
    HangupAll,
    /// Holds the active call, else the only one.
    Hold { call: Option<CallNo> },
    /// Resumes the call that was held last; an active call is held first.
    Resume { call: Option<CallNo> },
    /// Holds the active call and resumes the one held last.
    Swap,
    /// Blind transfer of the active call, else the only one.
    Transfer { call: Option<CallNo>, target: String },
    /// Follows the transfer that the peer asked for.
    AcceptTransfer { call: Option<CallNo> },
    /// Refuses it.
    RefuseTransfer { call: Option<CallNo> },
    /// Sends digits in the active call, else the only one; `,` pauses 1 s.
    Dtmf { call: Option<CallNo>, digits: String },
    /// Closes the microphone for all calls.
    Mute,
    /// Opens it.
    Unmute,
    /// Gain in dB (0: unchanged; -60 to 20).
    Volume { side: Side, db: f32 },
    /// Chooses a device now, in a call too.
    Device { role: DeviceRole, name: String },
    /// Registers or refreshes an account (the only one when `None`).
    Register { account: Option<String> },
    /// Removes our binding.
    Unregister { account: Option<String> },
    /// Asks for the bindings (one-shot command `register --query`).
    QueryBindings { account: Option<String> },
    /// Registers a further contact (`register --add-contact`).
    AddContact { account: Option<String>, contact: String },
    /// Removes every binding (`register --clear`).
    ClearContacts { account: Option<String> },
    /// Plays a WAV file into a call, in place of the microphone; ends by itself.
    Play { call: CallNo, path: std::path::PathBuf },
    /// Records a call to a WAV file: stereo, us left, them right.
    Record { call: CallNo, path: std::path::PathBuf },
    /// A snapshot of everything: [`Reply::State`].
    State,
    /// Hangs up, unregisters, ends.
    Quit,
}

/// A direction of sound.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Side {
    /// The microphone.
    Input,
    /// The speaker.
    Output,
}

/// What a device is used for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum DeviceRole {
    /// The microphone.
    Input,
    /// The speaker.
    Output,
    /// Where it rings.
    Ring,
}

/// What a command gave.
#[derive(Debug, Clone, PartialEq)]
pub enum Reply {
    /// Done, or on its way: the events tell.
    Done,
    /// The call that began.
    Call(CallNo),
    /// The answer to [`Command::State`].
    State(Box<super::Snapshot>),
}

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
