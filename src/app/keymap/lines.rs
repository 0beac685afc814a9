//! The keys of what is typed, of the pane of people, and of what is switched.

use super::Key::Char;
use super::Keys::{Either, One};
use super::Shown::{Footer, Help};
use super::when::*;
use super::{Action as A, Binding, Context as C, Key, Keys, LINES, TARGETS, binding};
use crate::app::text;

/// The lines.
pub(super) static TYPED: &[Binding] = &[
    binding(&[C::Dial], One(Key::Enter), A::Submit, text::SUBMIT_CALL, Footer, always),
    binding(&[C::TransferTo], One(Key::Enter), A::Submit, text::SUBMIT_TRANSFER, Footer, always),
    binding(&[C::CommandLine], One(Key::Enter), A::Submit, text::SUBMIT_COMMAND, Footer, always),
    binding(&[C::ForwardTo], One(Key::Enter), A::Submit, text::SUBMIT_FORWARD, Footer, always),
    binding(&[C::Writing], One(Key::Enter), A::Submit, text::SUBMIT_MESSAGE, Footer, always),
    binding(&[C::Dial], One(Key::Tab), A::NextAccount, text::NEXT_ACCOUNT, Footer, has_accounts),
    binding(&[C::CommandLine], One(Key::Tab), A::Complete, text::COMPLETE, Footer, has_suggestions),
    binding(TARGETS, One(Key::Down), A::NextSuggestion, text::NEXT_SUGGESTION, Footer, can_choose),
    binding(TARGETS, One(Key::Up), A::PreviousSuggestion, text::PREVIOUS_SUGGESTION, Footer, has_chosen),
    binding(TARGETS, One(Key::Up), A::Older, text::OLDER, Footer, can_go_back),
    binding(&[C::CommandLine], One(Key::Up), A::Older, text::OLDER, Footer, has_commands),
    binding(TARGETS, One(Key::Down), A::Newer, text::NEWER, Help, has_dialled),
    binding(&[C::CommandLine], One(Key::Down), A::Newer, text::NEWER, Help, has_commands),
];

/// People, and the search among them.
pub(super) static PEOPLE: &[Binding] = &[
    binding(&[C::People, C::Search], One(Key::Enter), A::CallChosen, text::CALL_CHOSEN, Footer, has_person),
    binding(&[C::People], One(Char('m')), A::Write, text::WRITE, Footer, has_person),
    binding(&[C::People], One(Char('i')), A::PastTrace, text::PAST_TRACE, Footer, has_past_call),
    binding(&[C::People], One(Char('/')), A::Search, text::SEARCH, Footer, always),
    binding(&[C::People], One(Key::Tab), A::OtherList, text::OTHER_LIST, Footer, always),
    binding(&[C::Search], One(Key::Up), A::Up, text::UP, Footer, always),
    binding(&[C::Search], One(Key::Down), A::Down, text::DOWN, Footer, always),
    binding(&[C::Search], One(Key::Tab), A::Keep, text::KEEP, Footer, always),
    binding(&[C::People], One(Char('b')), A::Back, text::CLOSE_PANE, Help, always),
];

/// What is switched.
pub(super) static SERVICES: &[Binding] = &[
    binding(&[C::Services], Either(Key::Enter, Char(' ')), A::Switch, text::SWITCH, Footer, always),
    binding(&[C::Services], Either(Key::Up, Char('k')), A::Up, text::UP, Footer, always),
    binding(&[C::Services], Either(Key::Down, Char('j')), A::Down, text::DOWN, Footer, always),
    binding(&[C::Services], One(Key::Tab), A::NextAccount, text::NEXT_ACCOUNT, Footer, has_accounts),
    binding(&[C::Services], Either(Char('f'), Char('q')), A::Back, text::CLOSE_PANE, Help, always),
];

/// All lines, where nothing else fits.
pub(super) static ALL: &[Binding] = &[
    binding(LINES, One(Key::Esc), A::Back, text::LEAVE, Footer, always),
    binding(LINES, Keys::Text, A::Edit, text::EDIT, Help, always),
];
