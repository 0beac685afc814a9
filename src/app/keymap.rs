//! All keys in one table. What a key does, what the footer names and what the help lists come from here and nowhere else.

use crate::phone::event::CallStage;

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
    /// The keypad.
    Pad,
    /// The ladder of SIP messages.
    Trace,
    /// One SIP message.
    Message,
    /// What happened so far.
    Log,
    /// All keys.
    Help,
    /// Whether to quit.
    Confirm,
}

impl Context {
    /// All of them, in the order of the help.
    pub const ALL: [Context; 12] = [
        Context::Main,
        Context::Incoming,
        Context::TransferRequest,
        Context::Dial,
        Context::TransferTo,
        Context::CommandLine,
        Context::Pad,
        Context::Trace,
        Context::Message,
        Context::Log,
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
    Mute,
    Unmute,
    Louder,
    Softer,
    Previous,
    Next,
    Trace,
    Log,
    CommandLine,
    Help,
    Quit,
    /// Quits without asking.
    QuitNow,
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

use Action as A;
use Context as C;
use Key::{Char, Ctrl};
use Keys::{Either, One};
use Shown::{Footer, Help};

const MAIN: &[Context] = &[C::Main];
const LINES: &[Context] = &[C::Dial, C::TransferTo, C::CommandLine];
const TARGETS: &[Context] = &[C::Dial, C::TransferTo];
const READERS: &[Context] = &[C::Trace, C::Message, C::Log, C::Help];
const CLOSABLE: &[Context] = &[C::Pad, C::Trace, C::Message, C::Log, C::Help, C::Confirm];
const NO_TEXT: &[Context] = &[C::Main, C::Pad, C::Trace, C::Message, C::Log];

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

/// The table. The first line that fits wins. The footer keeps its order; where room is short the last key stays.
pub static TABLE: &[Binding] = &[
    // The pop-ups.
    binding(&[C::Incoming], One(Char('a')), A::Answer, text::ANSWER, Footer, always),
    binding(&[C::Incoming], One(Char('r')), A::Busy, text::BUSY, Footer, always),
    binding(&[C::Incoming], One(Char('d')), A::Decline, text::DECLINE, Footer, always),
    binding(&[C::Incoming], One(Key::Esc), A::Later, text::LATER, Footer, always),
    binding(&[C::TransferRequest], One(Char('y')), A::AcceptTransfer, text::ACCEPT_TRANSFER, Footer, always),
    binding(&[C::TransferRequest], One(Char('n')), A::RefuseTransfer, text::REFUSE_TRANSFER, Footer, always),
    binding(&[C::TransferRequest], One(Key::Esc), A::Later, text::LATER_TRANSFER, Footer, always),
    // The main screen.
    binding(MAIN, One(Char('a')), A::Answer, text::ANSWER, Footer, rings_here),
    binding(MAIN, One(Char('r')), A::Busy, text::BUSY, Footer, rings_here),
    binding(MAIN, One(Char('d')), A::Decline, text::DECLINE, Footer, rings_here),
    binding(MAIN, One(Char('y')), A::AcceptTransfer, text::ACCEPT_TRANSFER, Footer, has_request),
    binding(MAIN, One(Char('n')), A::RefuseTransfer, text::REFUSE_TRANSFER, Footer, has_request),
    binding(MAIN, Either(Char('c'), Key::Enter), A::Dial, text::DIAL, Footer, always),
    binding(MAIN, One(Char('x')), A::Hangup, text::HANGUP, Footer, can_hang_up),
    binding(MAIN, One(Char('h')), A::Hold, text::HOLD, Footer, is_active),
    binding(MAIN, One(Char('h')), A::Resume, text::RESUME, Footer, is_held),
    binding(MAIN, One(Char('s')), A::Swap, text::SWAP, Footer, can_swap),
    binding(MAIN, One(Char('o')), A::Join, text::JOIN, Footer, can_swap),
    binding(MAIN, One(Char('o')), A::Split, text::SPLIT, Footer, in_conference),
    binding(MAIN, One(Char('t')), A::Transfer, text::TRANSFER, Footer, is_established),
    binding(MAIN, One(Char('J')), A::HandOver, text::HAND_OVER, Footer, can_hand_over),
    binding(MAIN, One(Char('p')), A::Pad, text::PAD, Footer, is_active),
    binding(MAIN, One(Char('m')), A::Mute, text::MUTE, Footer, can_mute),
    binding(MAIN, One(Char('m')), A::Unmute, text::UNMUTE, Footer, is_muted),
    binding(MAIN, Keys::Digits, A::Digit, text::DIGIT, Help, is_active),
    binding(MAIN, Either(Char('+'), Char('=')), A::Louder, text::LOUDER, Help, is_active),
    binding(MAIN, One(Char('-')), A::Softer, text::SOFTER, Help, is_active),
    binding(MAIN, Keys::NumberStart, A::DialDigit, text::DIAL_DIGIT, Help, is_not_active),
    binding(MAIN, Either(Key::Up, Char('k')), A::Previous, text::PREVIOUS, Help, has_calls),
    binding(MAIN, Either(Key::Down, Char('j')), A::Next, text::NEXT, Help, has_calls),
    binding(MAIN, One(Char('i')), A::Trace, text::TRACE, Footer, always),
    binding(MAIN, One(Char('l')), A::Log, text::LOG, Footer, always),
    binding(MAIN, One(Char(':')), A::CommandLine, text::COMMAND, Footer, always),
    // The lines.
    binding(&[C::Dial], One(Key::Enter), A::Submit, text::SUBMIT_CALL, Footer, always),
    binding(&[C::TransferTo], One(Key::Enter), A::Submit, text::SUBMIT_TRANSFER, Footer, always),
    binding(&[C::CommandLine], One(Key::Enter), A::Submit, text::SUBMIT_COMMAND, Footer, always),
    binding(&[C::Dial], One(Key::Tab), A::NextAccount, text::NEXT_ACCOUNT, Footer, has_accounts),
    binding(TARGETS, One(Key::Up), A::Older, text::OLDER, Footer, has_dialled),
    binding(&[C::CommandLine], One(Key::Up), A::Older, text::OLDER, Footer, has_commands),
    binding(TARGETS, One(Key::Down), A::Newer, text::NEWER, Help, has_dialled),
    binding(&[C::CommandLine], One(Key::Down), A::Newer, text::NEWER, Help, has_commands),
    binding(LINES, One(Key::Esc), A::Back, text::LEAVE, Footer, always),
    binding(LINES, Keys::Text, A::Edit, text::EDIT, Help, always),
    // The keypad.
    binding(&[C::Pad], Keys::PadDigits, A::Digit, text::DIGIT, Footer, always),
    // The trace, and what else is read.
    binding(&[C::Trace], One(Key::Enter), A::Open, text::OPEN, Footer, has_messages),
    binding(&[C::Trace], One(Char('f')), A::Filter, text::FILTER, Footer, can_filter),
    binding(&[C::Trace], One(Char('f')), A::Filter, text::UNFILTER, Footer, is_filtered),
    binding(READERS, Either(Key::Up, Char('k')), A::Up, text::UP, Footer, always),
    binding(READERS, Either(Key::Down, Char('j')), A::Down, text::DOWN, Footer, always),
    binding(READERS, Either(Key::PageUp, Char('b')), A::PageUp, text::PAGE_UP, Help, always),
    binding(READERS, Either(Key::PageDown, Char(' ')), A::PageDown, text::PAGE_DOWN, Help, always),
    binding(READERS, Either(Key::Home, Char('g')), A::Top, text::TOP, Help, always),
    binding(READERS, Either(Key::End, Char('G')), A::Bottom, text::BOTTOM, Help, always),
    binding(&[C::Message], One(Key::Left), A::Previous, text::PREVIOUS_MESSAGE, Footer, always),
    binding(&[C::Message], One(Key::Right), A::Next, text::NEXT_MESSAGE, Footer, always),
    binding(&[C::Message], One(Key::Enter), A::Back, text::CLOSE_MESSAGE, Help, always),
    binding(&[C::Trace], One(Char('i')), A::Back, text::CLOSE_PANE, Help, always),
    binding(&[C::Log], One(Char('l')), A::Back, text::CLOSE_PANE, Help, always),
    binding(&[C::Help], One(Char('?')), A::Back, text::CLOSE_PANE, Help, always),
    binding(&[C::Trace, C::Message, C::Log, C::Help], One(Char('q')), A::Back, text::CLOSE_PANE, Help, always),
    // Quitting.
    binding(&[C::Confirm], Either(Char('y'), Char('q')), A::QuitNow, text::QUIT_NOW, Footer, always),
    binding(&[C::Confirm], One(Ctrl('c')), A::QuitNow, text::QUIT_NOW, Help, always),
    binding(&[C::Confirm], One(Char('n')), A::Back, text::STAY, Footer, always),
    // Everywhere.
    binding(MAIN, One(Char('q')), A::Quit, text::QUIT, Footer, always),
    binding(NO_TEXT, One(Char('?')), A::Help, text::HELP, Footer, always),
    binding(CLOSABLE, One(Key::Esc), A::Back, text::BACK, Footer, always),
    binding(&Context::ALL, One(Ctrl('c')), A::Quit, text::INTERRUPT, Help, always),
    binding(&Context::ALL, One(Ctrl('z')), A::Suspend, text::SUSPEND, Help, always),
    binding(&Context::ALL, One(Ctrl('l')), A::Redraw, text::REDRAW, Help, always),
];

fn always(_: &App) -> bool {
    true
}

fn rings_here(app: &App) -> bool {
    app.ringing_call().is_some()
}

fn has_request(app: &App) -> bool {
    app.shown_request().is_some()
}

/// An incoming call that rings is refused instead.
fn can_hang_up(app: &App) -> bool {
    app.shown_call().is_some_and(|call| !call.rings_here() && call.stage != CallStage::Ending)
}

fn is_active(app: &App) -> bool {
    app.shown_call().is_some_and(|call| call.is_active())
}

fn is_not_active(app: &App) -> bool {
    !is_active(app)
}

fn is_established(app: &App) -> bool {
    app.shown_call().is_some_and(|call| call.stage == CallStage::Established)
}

fn is_held(app: &App) -> bool {
    is_established(app) && !is_active(app)
}

fn can_swap(app: &App) -> bool {
    let mut established = app.calls.iter().filter(|call| call.stage == CallStage::Established);
    app.calls.iter().any(|call| call.is_active()) && established.any(|call| call.held)
}

fn can_hand_over(app: &App) -> bool {
    app.calls_to_join().is_some()
}

fn in_conference(app: &App) -> bool {
    app.calls.iter().any(|call| call.conference)
}

fn has_calls(app: &App) -> bool {
    app.calls.len() > 1
}

fn can_mute(app: &App) -> bool {
    !app.muted && !app.calls.is_empty()
}

fn is_muted(app: &App) -> bool {
    app.muted
}

fn has_accounts(app: &App) -> bool {
    app.accounts.len() > 1
}

fn has_dialled(app: &App) -> bool {
    !app.dialled.is_empty()
}

fn has_commands(app: &App) -> bool {
    !app.commands.is_empty()
}

fn has_messages(app: &App) -> bool {
    app.trace.selected().is_some()
}

fn can_filter(app: &App) -> bool {
    has_messages(app) && !is_filtered(app)
}

fn is_filtered(app: &App) -> bool {
    app.trace.filter().is_some()
}

/// The lines of the table that apply now.
pub fn applicable(app: &App) -> impl Iterator<Item = &'static Binding> {
    let context = app.context();
    TABLE.iter().filter(move |binding| binding.contexts.contains(&context) && (binding.when)(app))
}

/// What a key means now.
pub fn find(app: &App, key: Key) -> Option<&'static Binding> {
    applicable(app).find(|binding| binding.keys.contain(key))
}

/// The keys for the footer: their names and what they do. The most important come first.
pub fn footer(app: &App) -> Vec<(String, &'static str)> {
    applicable(app)
        .filter(|binding| binding.shown == Footer)
        .map(|binding| (binding.keys.name(), binding.label))
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
    (text::GROUP_INCOMING, &[C::Incoming]),
    (text::GROUP_TRANSFER, &[C::TransferRequest]),
    (text::GROUP_LINE, LINES),
    (text::GROUP_PAD, &[C::Pad]),
    (text::GROUP_TRACE, &[C::Trace, C::Message]),
    (text::GROUP_READING, READERS),
    (text::GROUP_QUIT, &[C::Confirm]),
    (text::GROUP_ANYWHERE, &Context::ALL),
];

/// All keys, by group. Each line of the table stands in the group whose contexts hold all of its own, the narrowest first.
pub fn help() -> Vec<Vec<HelpRow>> {
    let mut groups = Vec::new();
    for (place, (title, contexts)) in GROUPS.iter().enumerate() {
        let mut rows = vec![HelpRow::Title(title)];
        for binding in TABLE.iter().filter(|binding| group_of(binding) == place) {
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
