//! `[calls]`: what becomes of calls that nobody has decided about, and how they are held, transferred and ended.

use super::keys::{Key, Kind, in_list, no_controls};
use crate::sdp::HoldStyle;
use crate::services::address::Who;
use crate::ua::config::{AutoAnswer, TransferPolicy};

/// `[calls]`.
#[derive(Debug, Clone, PartialEq)]
#[allow(missing_docs)]
pub struct Calls {
    pub auto_answer: AutoAnswer,
    /// Milliseconds; 0: at once.
    pub auto_answer_after: u64,
    pub max_calls: usize,
    pub hold: HoldStyle,
    pub transfers: TransferPolicy,
    pub redirects: TransferPolicy,
    pub refer_outside: bool,
    pub bye_also: bool,
    /// Callers whose wish to be answered at once is granted; `*` stands for anything.
    pub auto_answer_from: Vec<String>,
    /// Seconds.
    pub ring_timeout: u64,
    pub reliable_ringing: bool,
    /// Seconds; 0: no session timer of our own.
    pub session_expires: u64,
    pub dtmf: Dtmf,
    pub direct_calls: Option<bool>,
    /// Numbers that screening, forwarding, do not disturb and the dial plan never touch.
    pub emergency: Vec<String>,
    /// The status code that a caller gets while the person is not to be disturbed.
    pub dnd: u16,
    /// Where calls are parked: a target, or `dtmf:` and digits.
    pub park: Option<String>,
    /// A busy number that we called is called again by itself.
    pub redial_busy: bool,
    /// Seconds between these calls.
    pub redial_every: u32,
    /// How many of them.
    pub redial_times: u32,
    pub hold_music: HoldMusic,
}

impl Default for Calls {
    fn default() -> Self {
        Calls {
            auto_answer: AutoAnswer::Never,
            auto_answer_after: 0,
            max_calls: 8,
            hold: HoldStyle::Zero,
            transfers: TransferPolicy::Ask,
            redirects: TransferPolicy::Ask,
            refer_outside: false,
            bye_also: false,
            auto_answer_from: Vec::new(),
            ring_timeout: 120,
            reliable_ringing: false,
            session_expires: 1800,
            dtmf: Dtmf::Auto,
            direct_calls: None,
            emergency: ["112", "911"].map(String::from).to_vec(),
            dnd: 480,
            park: None,
            redial_busy: false,
            redial_every: 30,
            redial_times: 10,
            hold_music: HoldMusic::None,
        }
    }
}

/// What the other side hears while we hold it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum HoldMusic {
    /// Nothing.
    None,
    /// A quiet tone every few seconds.
    Tone,
    /// A .wav file, looped.
    File(String),
}

/// How digits are sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum Dtmf {
    /// telephone-event where offered, else as tones.
    Auto,
    Rfc4733,
    Info,
    Inband,
}

const POLICY: &[&str] = &["ask", "follow", "refuse"];

/// The words of [`POLICY`].
const POLICIES: [TransferPolicy; 3] = [TransferPolicy::Ask, TransferPolicy::Follow, TransferPolicy::Refuse];

/// `[calls]`.
pub const KEYS: &[Key<Calls>] = &[
    Key {
        name: "auto_answer",
        kind: Kind::Choice {
            words: &["false", "true", "idle"],
            set: |calls, i| calls.auto_answer = [AutoAnswer::Never, AutoAnswer::Always, AutoAnswer::Idle][i],
        },
    },
    Key {
        name: "auto_answer_after",
        kind: Kind::Number { min: 0, max: 600_000, set: |calls, n| calls.auto_answer_after = n.into() },
    },
    Key { name: "max_calls", kind: Kind::Number { min: 1, max: 10_000, set: |calls, n| calls.max_calls = n as usize } },
    Key {
        name: "hold",
        kind: Kind::Choice {
            words: &["zero", "sendonly", "inactive"],
            set: |calls, i| calls.hold = [HoldStyle::Zero, HoldStyle::SendOnly, HoldStyle::Inactive][i],
        },
    },
    Key { name: "transfers", kind: Kind::Choice { words: POLICY, set: |calls, i| calls.transfers = POLICIES[i] } },
    Key { name: "redirects", kind: Kind::Choice { words: POLICY, set: |calls, i| calls.redirects = POLICIES[i] } },
    Key { name: "refer_outside", kind: Kind::Flag { set: |calls, on| calls.refer_outside = on } },
    Key {
        name: "auto_answer_from",
        kind: Kind::List {
            expected: "a list of callers such as [\"sip:boss@pbx.example.com\", \"*@pbx.example.com\"]",
            set: |calls, callers| {
                callers.iter().try_for_each(|caller| no_controls(caller))?;
                calls.auto_answer_from = callers;
                Ok(())
            },
        },
    },
    Key { name: "bye_also", kind: Kind::Flag { set: |calls, on| calls.bye_also = on } },
    Key {
        name: "ring_timeout",
        kind: Kind::Number { min: 1, max: 3_600, set: |calls, n| calls.ring_timeout = n.into() },
    },
    Key { name: "reliable_ringing", kind: Kind::Flag { set: |calls, on| calls.reliable_ringing = on } },
    Key {
        name: "session_expires",
        kind: Kind::Number { min: 0, max: 86_400, set: |calls, n| calls.session_expires = n.into() },
    },
    Key {
        name: "dtmf",
        kind: Kind::Choice {
            words: &["auto", "rfc4733", "info", "inband"],
            set: |calls, i| calls.dtmf = [Dtmf::Auto, Dtmf::Rfc4733, Dtmf::Info, Dtmf::Inband][i],
        },
    },
    Key { name: "direct_calls", kind: Kind::Flag { set: |calls, on| calls.direct_calls = Some(on) } },
    Key {
        name: "emergency",
        kind: Kind::List { expected: "a list of numbers such as [\"112\", \"911\"]", set: set_emergency },
    },
    Key {
        name: "dnd",
        kind: Kind::Choice {
            words: &["unavailable", "busy", "decline"],
            set: |calls, i| calls.dnd = [480, 486, 603][i],
        },
    },
    Key {
        name: "park",
        kind: Kind::Text {
            expected: "a code such as \"*68\", or \"dtmf:*68\"",
            set: |calls, text| no_controls(text).map(|()| calls.park = Some(text.trim().into())),
        },
    },
    Key { name: "redial_busy", kind: Kind::Flag { set: |calls, on| calls.redial_busy = on } },
    Key { name: "redial_every", kind: Kind::Number { min: 5, max: 3_600, set: |calls, n| calls.redial_every = n } },
    Key { name: "redial_times", kind: Kind::Number { min: 1, max: 100, set: |calls, n| calls.redial_times = n } },
    Key {
        name: "hold_music",
        kind: Kind::Text {
            expected: "\"none\", \"tone\" or a .wav file",
            set: |calls, text| no_controls(text).map(|()| calls.hold_music = hold_music(text)),
        },
    },
];

fn hold_music(text: &str) -> HoldMusic {
    match text {
        "none" => HoldMusic::None,
        "tone" => HoldMusic::Tone,
        file => HoldMusic::File(file.into()),
    }
}

fn set_emergency(calls: &mut Calls, numbers: Vec<String>) -> Result<(), String> {
    let is_number = |text: &String| Who::of(text).is_number();
    if let Some(other) = numbers.iter().find(|text| !is_number(text)) {
        return Err(in_list(other, "it is no number"));
    }
    calls.emergency = numbers;
    Ok(())
}
