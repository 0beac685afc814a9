//! The keys of the wizard, in one table: dispatch and footer are made from it.

use crate::app::keymap::{Key, Keys, Shown};

use super::{CallStage, Step, Trial, Wizard, words};

/// What a key does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Action {
    /// Takes what is there and goes on; at the end, writes.
    Next,
    /// Goes on without.
    Skip,
    /// The step before.
    Back,
    /// Out of it, to the phone.
    Leave,
    /// Out of the program.
    Quit,
    /// Takes the suggestion.
    Complete,
    /// Another way to give the password.
    OtherWay,
    /// Shows the password, or hides it.
    Reveal,
    /// Text.
    Edit,
    /// The choice above.
    Up,
    /// The choice below.
    Down,
    /// The next role of a device.
    NextRole,
    /// The test sound.
    Tone,
    /// The test call.
    Call,
    /// Ends it.
    HangUp,
    /// Tries to register.
    Try,
    /// Stops the process, as Ctrl-Z does.
    Suspend,
    /// Draws everything anew.
    Redraw,
}

/// A line of the table.
#[derive(Debug)]
pub struct Binding {
    /// Where it holds.
    pub steps: &'static [Step],
    /// Which keys.
    pub keys: Keys,
    /// What they do.
    pub action: Action,
    /// One or two words.
    pub label: &'static str,
    /// Whether it stands in the footer.
    pub shown: Shown,
    /// Whether it applies now.
    pub when: fn(&Wizard) -> bool,
}

use Action as A;
use Key::{Char, Ctrl};
use Keys::{Either, One};
use Shown::{Footer, Help};

const TEXT: &[Step] = &[Step::Address, Step::Password];
const KEYS: &[Step] = &[Step::Sound, Step::Call, Step::Register];
const ALL: &[Step] = &Step::ALL;

const fn binding(
    steps: &'static [Step],
    keys: Keys,
    action: Action,
    label: &'static str,
    shown: Shown,
    when: fn(&Wizard) -> bool,
) -> Binding {
    Binding { steps, keys, action, label, shown, when }
}

/// The table. The first line that fits wins.
pub static TABLE: &[Binding] = &[
    binding(&[Step::Call], One(Key::Enter), A::Call, words::KEY_CALL, Footer, not_called),
    binding(&[Step::Call], Either(Key::Enter, Char('x')), A::HangUp, words::KEY_HANG_UP, Footer, in_call),
    binding(&[Step::Register], One(Key::Enter), A::Try, words::KEY_TRY, Footer, not_tried),
    binding(&[Step::Finish], One(Key::Enter), A::Next, words::KEY_WRITE, Footer, always),
    binding(ALL, One(Key::Enter), A::Next, words::KEY_NEXT, Footer, may_go_on),
    binding(&[Step::Call], One(Char('c')), A::Call, words::KEY_CALL_AGAIN, Footer, has_called),
    binding(&[Step::Register], One(Char('r')), A::Try, words::KEY_TRY_AGAIN, Footer, has_tried),
    binding(&[Step::Address], One(Key::Tab), A::Complete, words::KEY_COMPLETE, Footer, has_suggestion),
    binding(&[Step::Password], One(Key::Tab), A::OtherWay, words::KEY_OTHER_WAY, Footer, always),
    binding(&[Step::Password], One(Ctrl('r')), A::Reveal, words::KEY_REVEAL, Footer, Wizard::can_reveal),
    binding(&[Step::Sound], One(Key::Tab), A::NextRole, words::KEY_ROLE, Footer, always),
    binding(&[Step::Sound], One(Char('t')), A::Tone, words::KEY_TONE, Footer, Wizard::can_play),
    binding(&[Step::Sound], Either(Key::Up, Char('k')), A::Up, words::KEY_UP, Footer, always),
    binding(&[Step::Sound], Either(Key::Down, Char('j')), A::Down, words::KEY_DOWN, Footer, always),
    binding(KEYS, Either(Char('s'), Ctrl('n')), A::Skip, words::KEY_SKIP, Footer, always),
    binding(TEXT, One(Ctrl('n')), A::Skip, words::KEY_SKIP, Footer, always),
    binding(TEXT, Keys::Text, A::Edit, words::KEY_EDIT, Help, Wizard::takes_text),
    binding(ALL, One(Ctrl('c')), A::Quit, words::KEY_QUIT, Footer, always),
    // The last one always has room.
    binding(ALL, One(Key::Esc), A::Back, words::KEY_BACK, Footer, has_before),
    binding(ALL, One(Key::Esc), A::Leave, words::KEY_LEAVE, Footer, is_first),
    binding(ALL, One(Ctrl('z')), A::Suspend, words::KEY_SUSPEND, Help, always),
    binding(ALL, One(Ctrl('l')), A::Redraw, words::KEY_REDRAW, Help, always),
];

fn always(_: &Wizard) -> bool {
    true
}

fn is_first(wizard: &Wizard) -> bool {
    wizard.step == Step::Address
}

fn has_before(wizard: &Wizard) -> bool {
    !is_first(wizard)
}

fn has_suggestion(wizard: &Wizard) -> bool {
    !wizard.suggestions().is_empty()
}

fn not_called(wizard: &Wizard) -> bool {
    wizard.call == CallStage::None
}

pub(super) fn in_call(wizard: &Wizard) -> bool {
    matches!(wizard.call, CallStage::Starting | CallStage::Talking { .. })
}

fn has_called(wizard: &Wizard) -> bool {
    matches!(wizard.call, CallStage::Over(_))
}

fn not_tried(wizard: &Wizard) -> bool {
    wizard.trial == Trial::None
}

fn has_tried(wizard: &Wizard) -> bool {
    matches!(wizard.trial, Trial::Over(_))
}

/// While something is tried its key ends it, and Enter is that key or nothing.
fn may_go_on(wizard: &Wizard) -> bool {
    match wizard.step {
        Step::Address | Step::Password | Step::Sound => true,
        Step::Call => has_called(wizard),
        Step::Register => has_tried(wizard),
        Step::Finish => false,
    }
}

/// The lines of the table that apply now.
pub fn applicable(wizard: &Wizard) -> impl Iterator<Item = &'static Binding> {
    TABLE.iter().filter(|binding| binding.steps.contains(&wizard.step) && (binding.when)(wizard))
}

/// What a key means now.
pub fn find(wizard: &Wizard, key: Key) -> Option<&'static Binding> {
    applicable(wizard).find(|binding| binding.keys.contain(key))
}

/// The keys for the footer: their names and what they do.
pub fn footer(wizard: &Wizard) -> Vec<(String, &'static str)> {
    applicable(wizard)
        .filter(|binding| binding.shown == Footer)
        .map(|binding| (binding.keys.name(), binding.label))
        .collect()
}
