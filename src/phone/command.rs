//! The commands of a person or a script, and what they give; `line` reads them from a line.

mod line;

use serde::{Deserialize, Serialize};

use crate::media::processing::{Step, Switch};
use crate::services::contacts::Contact;
use crate::services::forwarding::When;
use crate::services::history::Entry;
use crate::ua::CallNo;

pub use line::{ParseError, parse_line, usages, words};

/// What a person or a script asks. `call: None` stands for the default that the command's doc names.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
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
    /// Attended transfer: the other side of `call` is to talk to the other side of `with`, in our place.
    TransferWith { call: CallNo, with: CallNo },
    /// Calls where the called side sends us.
    AcceptRedirect { call: Option<CallNo> },
    /// Gives that call up.
    RefuseRedirect { call: Option<CallNo> },
    /// Follows the transfer that the peer asked for.
    AcceptTransfer { call: Option<CallNo> },
    /// Refuses it.
    RefuseTransfer { call: Option<CallNo> },
    /// Sends digits in the active call, else the only one; `,` pauses 1 s.
    Dtmf { call: Option<CallNo>, digits: String },
    /// Lets these calls hear each other, those that are in the conference already included; the active one and the one
    /// held last when none is named.
    Conference { calls: Vec<CallNo> },
    /// Parts the conference: the call that was last in front goes on, the others are held.
    Split,
    /// Closes the microphone for all calls; with a call, nobody in the conference hears its other side.
    Mute { call: Option<CallNo> },
    /// Opens it.
    Unmute { call: Option<CallNo> },
    /// Switches echo cancellation, noise suppression or automatic gain.
    Audio { step: Step, switch: Switch },
    /// Gain in dB (0: unchanged; -60 to 20).
    Volume { side: Side, db: f32 },
    /// Chooses a device now, in a call too.
    Device { role: DeviceRole, name: String },
    /// Changes a setting of the file for as long as the phone runs, such as `calls.dtmf`; the file stays as it is.
    Set { name: String, value: String },
    /// Registers or refreshes an account (the only one when `None`).
    Register { account: Option<String> },
    /// Writes to somebody: one text (RFC 3428).
    Message { account: Option<String>, target: String, text: String },
    /// Removes our binding.
    Unregister { account: Option<String> },
    /// Asks for the bindings (one-shot command `register --query`).
    QueryBindings { account: Option<String> },
    /// Registers a further contact (`register --add-contact`).
    AddContact { account: Option<String>, contact: String },
    /// Removes every binding (`register --clear`).
    ClearContacts { account: Option<String> },
    /// Plays a WAV file into a call (the active one, else the only one) or its conference; ends by itself.
    Play { call: Option<CallNo>, path: std::path::PathBuf, how: PlayAs },
    /// Plays no more.
    StopPlaying { call: Option<CallNo> },
    /// Records a call, or its conference: stereo, us left, them right. Opus in Ogg where the name ends in .opus or .ogg, else
    /// WAV; `None`: a name is made of the time and the other side's.
    Record { call: Option<CallNo>, path: Option<std::path::PathBuf> },
    /// Finishes the recording.
    StopRecording { call: Option<CallNo> },
    /// Switches forwarding, for one account or for all; what stands is told by events.
    Forward { account: Option<String>, change: ForwardChange },
    /// Switches do not disturb, for one account or for all; `None` asks how it stands.
    Dnd { account: Option<String>, on: Option<bool> },
    /// Tells the last calls, and notes that missed ones were seen.
    History { count: usize },
    /// Calls whom we called last.
    Redial,
    /// Calls whom we called last again and again while he is busy, or stops that.
    RedialBusy { on: bool },
    /// Calls who called last: the last missed call first.
    CallBack,
    /// Takes the call that rings at a watched address: the one that is named, else the first.
    PickUp { target: Option<String> },
    /// Parks the active call, else the only one, by the configured code.
    Park { call: Option<CallNo> },
    /// Who is known, and the last calls: [`Reply::People`]. Unlike [`Command::History`] it notes nothing as seen.
    People,
    /// A snapshot of everything: [`Reply::State`].
    State,
    /// Hangs up, unregisters, ends.
    Quit,
}

/// What becomes of forwarding.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ForwardChange {
    /// Nothing: it is told.
    Show,
    /// It goes to a target.
    To {
        /// When.
        when: When,
        /// To whom.
        target: String,
        /// After how many seconds, for [`When::NoAnswer`].
        seconds: Option<u32>,
    },
    /// Off: one kind, or all.
    Off(Option<When>),
}

/// A direction of sound.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Side {
    /// The microphone.
    Input,
    /// The speaker.
    Output,
}

/// What becomes of the microphone while a file is played.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum PlayAs {
    /// Both are heard.
    Mixed,
    /// The file alone is heard.
    Instead,
}

/// What a device is used for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
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
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reply {
    /// Done, or on its way: the events tell.
    Done,
    /// The call that began.
    Call(CallNo),
    /// The answer to [`Command::State`].
    State(Box<super::Snapshot>),
    /// The answer to [`Command::People`].
    People(Box<People>),
}

/// Whom a person may want to call: for lists and for completion.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct People {
    /// The contacts, in their order.
    pub contacts: Vec<Contact>,
    /// The last calls, the latest last.
    pub calls: Vec<Entry>,
}
