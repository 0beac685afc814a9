//! All keys in one table. What a key does, what the footer names and what the help lists come from here and nowhere else.
//!
//! - `main.rs`: the main screen, the pop-ups, the keypad
//! - `lines.rs`: what is typed, the pane of people, what is switched
//! - `panels.rs`: devices, settings, push to talk
//! - `reading.rs`: the trace, and what else is read
//! - `anywhere.rs`: the question whether to quit, and keys that work everywhere
//! - `when.rs`: when a line of the table applies

mod anywhere;
mod lines;
mod main;
mod panels;
mod reading;
mod when;

use super::{App, line, text};

/// A key, as far as the UI tells keys apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[allow(missing_docs)]
pub enum Key {
    /// A character, shifted already.
    Char(char),
    /// A letter with Ctrl, in lower case.
    Ctrl(char),
    Enter,
    Esc,
    Tab,
    Backspace,
    Delete,
    Left,
    Right,
    CtrlLeft,
    CtrlRight,
    Up,
    Down,
    Home,
    End,
    PageUp,
    PageDown,
}

/// Where keys go.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Context {
    /// The main screen.
    Main,
    /// The pop-up of an incoming call.
    Incoming,
    /// The pop-up of a request to transfer us.
    TransferRequest,
    /// The line that takes a target to call.
    Dial,
    /// The line that takes a target to transfer to.
    TransferTo,
    /// The line that takes a command.
    CommandLine,
    /// The line that takes where calls are forwarded.
    ForwardTo,
    /// The line that takes a text to somebody.
    Writing,
    /// The line that takes what to look for among people.
    Search,
    /// The line that takes what to look for in SIP messages.
    Find,
    /// Who is known, and who called.
    People,
    /// What the person switches.
    Services,
    /// The keypad.
    Pad,
    /// The ladder of SIP messages.
    Trace,
    /// One SIP message.
    Message,
    /// An offer beside its answer.
    Compare,
    /// What happened so far.
    Log,
    /// Which devices are used.
    Devices,
    /// The settings of the file.
    Settings,
    /// The line that takes what to look for among the settings.
    FindSetting,
    /// The line that takes a setting's value.
    Value,
    /// All keys.
    Help,
    /// Whether to quit.
    Confirm,
}

impl Context {
    /// All of them, in the order of the help.
    pub const ALL: [Context; 23] = [
        Context::Main,
        Context::Incoming,
        Context::TransferRequest,
        Context::Dial,
        Context::TransferTo,
        Context::CommandLine,
        Context::ForwardTo,
        Context::Writing,
        Context::Search,
        Context::Find,
        Context::People,
        Context::Services,
        Context::Pad,
        Context::Trace,
        Context::Message,
        Context::Compare,
        Context::Log,
        Context::Devices,
        Context::Settings,
        Context::FindSetting,
        Context::Value,
        Context::Help,
        Context::Confirm,
    ];

    /// Whether characters are text here.
    pub fn is_text(self) -> bool {
        LINES.contains(&self)
    }
}

/// What a key does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[allow(missing_docs)]
pub enum Action {
    Dial,
    /// Opens the line with the digit that was pressed.
    DialDigit,
    Answer,
    /// 486: other phones go on ringing.
    Busy,
    /// 603: nobody shall ring.
    Decline,
    /// Closes a pop-up; what it asks stays open.
    Later,
    Hangup,
    Hold,
    Resume,
    Swap,
    Join,
    Split,
    Transfer,
    /// Attended transfer: the two other sides talk to each other.
    HandOver,
    AcceptTransfer,
    RefuseTransfer,
    Pad,
    /// Sends the digit that was pressed.
    Digit,
    /// Another figure is drawn over time.
    Graph,
    /// Other panes show beside the calls.
    Panes,
    Wider,
    Narrower,
    Mute,
    Unmute,
    Record,
    StopRecording,
    Louder,
    Softer,
    Previous,
    Next,
    /// Who is known, and who called.
    People,
    OtherList,
    Search,
    /// Leaves the search with what it found.
    Keep,
    CallChosen,
    Write,
    Services,
    /// Switches the chosen service on or off.
    Switch,
    DndOn,
    DndOff,
    Voicemail,
    Redial,
    Park,
    Complete,
    NextSuggestion,
    PreviousSuggestion,
    Trace,
    /// The ladder of the selected call.
    CallTrace,
    /// The ladder of the past call that is chosen.
    PastTrace,
    Log,
    CommandLine,
    Help,
    Quit,
    /// Quits without asking.
    QuitNow,
    /// Leaves a phone that goes on.
    Detach,
    Suspend,
    Redraw,
    /// Closes what is on top.
    Back,
    Submit,
    Edit,
    Older,
    Newer,
    NextAccount,
    Up,
    Down,
    PageUp,
    PageDown,
    Top,
    Bottom,
    Open,
    Filter,
    Find,
    /// Looks for a setting.
    FindSetting,
    Compare,
    Copy,
    Save,
    SavePackets,
    /// Push to talk.
    Talk,
    Devices,
    DeviceUp,
    DeviceDown,
    NextRole,
    TestSound,
    UseDevice,
    /// Writes it into the file too.
    KeepDevice,
    Settings,
    ChangeSetting,
    ResetSetting,
    /// All settings, or those that people change.
    OtherSettings,
}

/// Which keys a line of the table is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Keys {
    /// This one.
    One(Key),
    /// Either; the first is the one that is named in the footer.
    Either(Key, Key),
    /// 0 to 9, `*`, `#`.
    Digits,
    /// 0 to 9, `*`, `#`, `+`: what a number begins with.
    NumberStart,
    /// 0 to 9, `*`, `#`, A to D.
    PadDigits,
    /// Characters and the keys that edit a line.
    Text,
}

impl Keys {
    /// Whether a key is one of them.
    pub fn contain(self, key: Key) -> bool {
        match (self, key) {
            (Keys::One(one), _) => one == key,
            (Keys::Either(one, other), _) => one == key || other == key,
            (Keys::Digits, Key::Char(c)) => is_digit(c),
            (Keys::NumberStart, Key::Char(c)) => is_digit(c) || c == '+',
            (Keys::PadDigits, Key::Char(c)) => is_digit(c) || matches!(c, 'A'..='D'),
            (Keys::Text, Key::Char(_)) => true,
            (Keys::Text, _) => line::is_editing(key),
            (Keys::Digits | Keys::NumberStart | Keys::PadDigits, _) => false,
        }
    }

    /// Their short name, for the footer.
    pub fn name(self) -> String {
        match self {
            Keys::One(key) | Keys::Either(key, _) => text::key(key),
            _ => self.names(),
        }
    }

    /// The one that is named; `None`: they are too many.
    pub fn first(self) -> Option<Key> {
        match self {
            Keys::One(key) | Keys::Either(key, _) => Some(key),
            Keys::Digits | Keys::NumberStart | Keys::PadDigits | Keys::Text => None,
        }
    }

    /// Their names, for the help.
    pub fn names(self) -> String {
        match self {
            Keys::One(key) => text::key(key),
            Keys::Either(one, other) => format!("{} {}", text::key(one), text::key(other)),
            Keys::Digits => text::KEYS_DIGITS.into(),
            Keys::NumberStart => text::KEYS_NUMBER.into(),
            Keys::PadDigits => text::KEYS_PAD.into(),
            Keys::Text => text::KEYS_TEXT.into(),
        }
    }
}

fn is_digit(c: char) -> bool {
    c.is_ascii_digit() || c == '*' || c == '#'
}

/// Whether a line of the table stands in the footer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shown {
    /// In the footer and in the help.
    Footer,
    /// In the help only.
    Help,
}

/// A line of the table.
#[derive(Debug)]
pub struct Binding {
    /// Where it holds.
    pub contexts: &'static [Context],
    /// Which keys.
    pub keys: Keys,
    /// What they do.
    pub action: Action,
    /// One or two words for the footer.
    pub label: &'static str,
    /// A few words for the help.
    pub help: &'static str,
    /// Whether it stands in the footer.
    pub shown: Shown,
    /// Whether it applies now.
    pub when: fn(&App) -> bool,
}

const MAIN: &[Context] = &[Context::Main];
const LINES: &[Context] = &[
    Context::Dial,
    Context::TransferTo,
    Context::CommandLine,
    Context::ForwardTo,
    Context::Writing,
    Context::Search,
    Context::Find,
    Context::FindSetting,
    Context::Value,
];
const TARGETS: &[Context] = &[Context::Dial, Context::TransferTo, Context::ForwardTo];
const READERS: &[Context] =
    &[Context::Trace, Context::Message, Context::Compare, Context::Log, Context::Help, Context::People];
const CLOSABLE: &[Context] = &[
    Context::Pad,
    Context::Trace,
    Context::Message,
    Context::Compare,
    Context::Log,
    Context::Help,
    Context::People,
    Context::Services,
    Context::Devices,
    Context::Settings,
    Context::Confirm,
];
const NO_TEXT: &[Context] = &[
    Context::Main,
    Context::Pad,
    Context::Trace,
    Context::Message,
    Context::Compare,
    Context::Log,
    Context::People,
    Context::Services,
    Context::Devices,
    Context::Settings,
];

const fn binding(
    contexts: &'static [Context],
    keys: Keys,
    action: Action,
    (label, help): (&'static str, &'static str),
    shown: Shown,
    when: fn(&App) -> bool,
) -> Binding {
    Binding { contexts, keys, action, label, help, shown, when }
}
/// The table, part by part. The first line that fits wins. The footer keeps its order; where room is short the last key stays.
static PARTS: &[&[Binding]] = &[
    main::POP_UPS,
    main::SCREEN,
    panels::ALL,
    lines::TYPED,
    lines::PEOPLE,
    lines::SERVICES,
    lines::ALL,
    main::PAD,
    reading::READING,
    anywhere::QUITTING,
    anywhere::EVERYWHERE,
];

/// The lines of the table.
pub fn table() -> impl Iterator<Item = &'static Binding> {
    PARTS.iter().copied().flatten()
}

/// The lines of the table that apply now.
pub fn applicable(app: &App) -> impl Iterator<Item = &'static Binding> {
    let context = app.context();
    table().filter(move |binding| binding.contexts.contains(&context) && (binding.when)(app))
}

/// What a key means now.
pub fn find(app: &App, key: Key) -> Option<&'static Binding> {
    applicable(app).find(|binding| binding.keys.contain(key))
}

/// The keys for the footer: their names, what they do, and the key that a click on them presses. The most important come
/// first.
pub fn footer_keys(app: &App) -> Vec<(String, &'static str, Option<Key>)> {
    applicable(app)
        .filter(|binding| binding.shown == Shown::Footer)
        .map(|binding| (binding.keys.name(), binding.label, binding.keys.first()))
        .collect()
}

/// A row of the help.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum HelpRow {
    /// Where the keys below hold.
    Title(&'static str),
    /// Keys, and what they do.
    Key(String, &'static str),
    /// Between groups.
    Blank,
}

/// Groups of the help: their title, and the contexts whose keys they list.
const GROUPS: &[(&str, &[Context])] = &[
    (text::GROUP_MAIN, MAIN),
    (text::GROUP_INCOMING, &[Context::Incoming]),
    (text::GROUP_TRANSFER, &[Context::TransferRequest]),
    (text::GROUP_PEOPLE, &[Context::People, Context::Search]),
    (text::GROUP_SERVICES, &[Context::Services]),
    (text::GROUP_DEVICES, &[Context::Devices]),
    (text::GROUP_SETTINGS, &[Context::Settings, Context::FindSetting]),
    (text::GROUP_LINE, LINES),
    (text::GROUP_PAD, &[Context::Pad]),
    (text::GROUP_TRACE, &[Context::Trace, Context::Message, Context::Compare, Context::Find]),
    (text::GROUP_READING, READERS),
    (text::GROUP_QUIT, &[Context::Confirm]),
    (text::GROUP_ANYWHERE, &Context::ALL),
];

/// All keys, by group. Each line of the table stands in the group whose contexts hold all of its own, the narrowest first.
pub fn help() -> Vec<Vec<HelpRow>> {
    let mut groups = Vec::new();
    for (place, (title, contexts)) in GROUPS.iter().enumerate() {
        let mut rows = vec![HelpRow::Title(title)];
        for binding in table().filter(|binding| group_of(binding) == place) {
            let row = HelpRow::Key(binding.keys.names(), binding.help);
            if !rows.contains(&row) {
                rows.push(row);
            }
        }
        debug_assert!(rows.len() > 1, "no key in {contexts:?}");
        rows.push(HelpRow::Blank);
        groups.push(rows);
    }
    groups
}

fn group_of(binding: &Binding) -> usize {
    let holds = |contexts: &[Context]| binding.contexts.iter().all(|context| contexts.contains(context));
    GROUPS.iter().position(|(_, contexts)| holds(contexts)).unwrap_or(GROUPS.len() - 1)
}
