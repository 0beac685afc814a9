//! The keys of the trace and of what else is read.

use super::Key::Char;
use super::Keys::{Either, One};
use super::Shown::{Footer, Help};
use super::when::*;
use super::{Action as A, Binding, Context as C, Key, READERS, binding};
use crate::app::text;

/// The trace, and what else is read.
pub(super) static READING: &[Binding] = &[
    binding(&[C::Trace], One(Key::Enter), A::Open, text::OPEN, Footer, has_messages),
    binding(&[C::Trace], One(Char('f')), A::Filter, text::FILTER, Footer, can_filter),
    binding(&[C::Trace], One(Char('f')), A::Filter, text::UNFILTER, Footer, is_filtered),
    binding(&[C::Trace], One(Char('/')), A::Find, text::FIND, Footer, always),
    binding(&[C::Trace, C::Message], One(Char('d')), A::Compare, text::COMPARE, Footer, has_answer),
    binding(&[C::Trace, C::Message], One(Char('y')), A::Copy, text::COPY, Footer, has_messages),
    binding(&[C::Trace], One(Char('w')), A::Save, text::SAVE, Footer, has_rows),
    binding(&[C::Trace], One(Char('W')), A::SavePackets, text::SAVE_PACKETS, Footer, has_rows),
    binding(&[C::Find], One(Key::Enter), A::Submit, text::KEEP, Footer, always),
    binding(&[C::Find], One(Key::Up), A::Up, text::UP, Help, has_messages),
    binding(&[C::Find], One(Key::Down), A::Down, text::DOWN, Help, has_messages),
    binding(&[C::Compare], One(Char('d')), A::Back, text::CLOSE_PANE, Help, always),
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
    binding(READERS, One(Char('q')), A::Back, text::CLOSE_PANE, Help, always),
];
