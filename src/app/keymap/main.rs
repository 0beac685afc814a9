//! The keys of the main screen, of the pop-ups over it, and of the keypad.

use crate::app::{App, text};

use super::Key::Char;
use super::Keys::{Either, One};
use super::Shown::{Footer, Help};
use super::when::*;
use super::{Action as A, Binding, Context as C, Key, Keys, MAIN, binding};

/// The pop-ups.
pub(super) static POP_UPS: &[Binding] = &[
    binding(&[C::Incoming], One(Char('a')), A::Answer, text::ANSWER, Footer, always),
    binding(&[C::Incoming], One(Char('r')), A::Busy, text::BUSY, Footer, always),
    binding(&[C::Incoming], One(Char('d')), A::Decline, text::DECLINE, Footer, always),
    binding(&[C::Incoming], One(Key::Esc), A::Later, text::LATER, Footer, always),
    binding(&[C::TransferRequest], One(Char('y')), A::AcceptTransfer, text::ACCEPT_TRANSFER, Footer, always),
    binding(&[C::TransferRequest], One(Char('n')), A::RefuseTransfer, text::REFUSE_TRANSFER, Footer, always),
    binding(&[C::TransferRequest], One(Key::Esc), A::Later, text::LATER_TRANSFER, Footer, always),
];

/// The main screen.
pub(super) static SCREEN: &[Binding] = &[
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
    binding(MAIN, One(Char('e')), A::Record, text::RECORD, Help, can_record),
    binding(MAIN, One(Char('e')), A::StopRecording, text::STOP_RECORDING, Footer, is_recorded),
    binding(MAIN, One(Char('b')), A::People, text::PEOPLE, Footer, always),
    binding(MAIN, One(Char('v')), A::Voicemail, text::VOICEMAIL, Footer, App::has_mailbox),
    binding(MAIN, One(Char('D')), A::DndOff, text::DND_OFF, Footer, is_undisturbed),
    binding(MAIN, One(Char('D')), A::DndOn, text::DND_ON, Help, is_disturbed),
    binding(MAIN, One(Char('f')), A::Services, text::SERVICES, Footer, always),
    binding(MAIN, One(Char('R')), A::Redial, text::REDIAL, Footer, can_redial),
    binding(MAIN, One(Char('P')), A::Park, text::PARK, Help, is_established),
    binding(MAIN, Keys::Digits, A::Digit, text::DIGIT, Help, is_active),
    binding(MAIN, Either(Char('+'), Char('=')), A::Louder, text::LOUDER, Help, is_active),
    binding(MAIN, One(Char('-')), A::Softer, text::SOFTER, Help, is_active),
    binding(MAIN, Keys::NumberStart, A::DialDigit, text::DIAL_DIGIT, Help, is_not_active),
    binding(MAIN, Either(Key::Up, Char('k')), A::Previous, text::PREVIOUS, Help, has_calls),
    binding(MAIN, Either(Key::Down, Char('j')), A::Next, text::NEXT, Help, has_calls),
    binding(MAIN, One(Char('g')), A::Graph, text::GRAPH, Help, has_figures),
    binding(MAIN, One(Char('w')), A::Panes, text::PANES, Footer, is_wide),
    binding(MAIN, One(Char('>')), A::Wider, text::WIDER, Help, is_wide),
    binding(MAIN, One(Char('<')), A::Narrower, text::NARROWER, Help, is_wide),
    binding(MAIN, One(Char('i')), A::Trace, text::TRACE, Footer, always),
    binding(MAIN, One(Char('I')), A::CallTrace, text::CALL_TRACE, Help, has_call_trace),
    binding(MAIN, One(Char('l')), A::Log, text::LOG, Footer, always),
    binding(MAIN, One(Char(':')), A::CommandLine, text::COMMAND, Footer, always),
];

/// The keypad.
pub(super) static PAD: &[Binding] = &[binding(&[C::Pad], Keys::PadDigits, A::Digit, text::DIGIT, Footer, always)];
