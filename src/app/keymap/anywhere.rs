//! The keys of the question whether to quit, and those that work everywhere.

use super::Key::{Char, Ctrl};
use super::Keys::{Either, One};
use super::Shown::{Footer, Help};
use super::when::*;
use super::{Action as A, Binding, CLOSABLE, Context as C, Key, MAIN, NO_TEXT, binding};
use crate::app::text;

/// Whether to quit.
pub(super) static QUITTING: &[Binding] = &[
    binding(&[C::Confirm], Either(Char('y'), Char('q')), A::QuitNow, text::QUIT_NOW, Footer, always),
    binding(&[C::Confirm], One(Ctrl('c')), A::QuitNow, text::QUIT_NOW, Help, always),
    binding(&[C::Confirm], One(Char('n')), A::Back, text::STAY, Footer, always),
];

/// Everywhere.
pub(super) static EVERYWHERE: &[Binding] = &[
    binding(MAIN, One(Char('q')), A::Quit, text::QUIT, Footer, ends_with_us),
    binding(MAIN, One(Char('q')), A::Detach, text::DETACH, Footer, goes_on),
    // Where room is short these go first; in a call it is.
    binding(MAIN, One(Char('A')), A::Devices, text::DEVICES, Footer, is_idle),
    binding(MAIN, One(Char('A')), A::Devices, text::DEVICES, Help, is_in_call),
    binding(MAIN, One(Char('S')), A::Settings, text::SETTINGS, Footer, is_idle),
    binding(MAIN, One(Char('S')), A::Settings, text::SETTINGS, Help, is_in_call),
    binding(NO_TEXT, One(Char('?')), A::Help, text::HELP, Footer, always),
    binding(CLOSABLE, One(Key::Esc), A::Back, text::BACK, Footer, always),
    binding(&C::ALL, One(Ctrl('c')), A::Quit, text::INTERRUPT, Help, ends_with_us),
    binding(&C::ALL, One(Ctrl('c')), A::Detach, text::DETACH, Help, goes_on),
    binding(&C::ALL, One(Ctrl('z')), A::Suspend, text::SUSPEND, Help, always),
    binding(&C::ALL, One(Ctrl('l')), A::Redraw, text::REDRAW, Help, always),
];
