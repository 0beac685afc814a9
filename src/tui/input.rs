//! The terminal's events as the app's messages.

use crossterm::event::{Event, KeyCode, KeyEvent, KeyEventKind, KeyModifiers, MouseButton, MouseEvent, MouseEventKind};

use crate::app::keymap::Key;
use crate::app::mouse::{Mouse, Turn};
use crate::app::{Msg, wizard};

use super::view::Hits;

/// The message of an event, if it is one that the app knows; `hits` says what the mouse points at.
pub fn message(event: Event, hits: &Hits) -> Option<Msg> {
    match event {
        Event::Key(event) if event.kind == KeyEventKind::Release => {
            (event.code == KeyCode::Char(' ')).then_some(Msg::Released(Key::Char(' ')))
        }
        // A key that is held does not talk and stop by turns.
        Event::Key(event) if event.kind == KeyEventKind::Repeat && event.code == KeyCode::Char(' ') => None,
        Event::Key(key) => self::key(key).map(Msg::Key),
        Event::Paste(text) => Some(Msg::Paste(text)),
        Event::Resize(columns, rows) => Some(Msg::Resized(columns, rows)),
        Event::Mouse(event) => mouse(event, hits).map(Msg::Mouse),
        Event::FocusGained | Event::FocusLost => None,
    }
}

fn mouse(event: MouseEvent, hits: &Hits) -> Option<Mouse> {
    let target = hits.at(event.column, event.row);
    match event.kind {
        MouseEventKind::Down(MouseButton::Left) => target.map(Mouse::Click),
        MouseEventKind::ScrollUp => Some(Mouse::Wheel(Turn::Up, target)),
        MouseEventKind::ScrollDown => Some(Mouse::Wheel(Turn::Down, target)),
        _ => None,
    }
}

/// The message of an event for the wizard.
pub fn wizard_message(event: Event) -> Option<wizard::Msg> {
    match event {
        Event::Key(key) => self::key(key).map(wizard::Msg::Key),
        Event::Paste(text) => Some(wizard::Msg::Paste(text)),
        Event::Resize(columns, rows) => Some(wizard::Msg::Resized(columns, rows)),
        Event::FocusGained | Event::FocusLost | Event::Mouse(_) => None,
    }
}

fn key(event: KeyEvent) -> Option<Key> {
    if event.kind == KeyEventKind::Release {
        return None;
    }
    let ctrl = event.modifiers.contains(KeyModifiers::CONTROL);
    let alt = event.modifiers.contains(KeyModifiers::ALT);
    Some(match event.code {
        // AltGr arrives as Ctrl and Alt on some keyboards, with the character that it makes.
        KeyCode::Char(c) if ctrl && alt => Key::Char(c),
        KeyCode::Char(c) if ctrl => Key::Ctrl(c.to_ascii_lowercase()),
        KeyCode::Char(_) if alt => return None,
        KeyCode::Char(c) => Key::Char(c),
        KeyCode::Enter => Key::Enter,
        KeyCode::Esc => Key::Esc,
        KeyCode::Tab => Key::Tab,
        KeyCode::Backspace if alt || ctrl => Key::Ctrl('w'),
        KeyCode::Backspace => Key::Backspace,
        KeyCode::Delete => Key::Delete,
        KeyCode::Left if ctrl || alt => Key::CtrlLeft,
        KeyCode::Left => Key::Left,
        KeyCode::Right if ctrl || alt => Key::CtrlRight,
        KeyCode::Right => Key::Right,
        KeyCode::Up => Key::Up,
        KeyCode::Down => Key::Down,
        KeyCode::Home => Key::Home,
        KeyCode::End => Key::End,
        KeyCode::PageUp => Key::PageUp,
        KeyCode::PageDown => Key::PageDown,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn modifiers_are_told_apart() {
        let key = |code, modifiers| key(KeyEvent::new(code, modifiers));
        assert_eq!(key(KeyCode::Char('C'), KeyModifiers::SHIFT), Some(Key::Char('C')));
        assert_eq!(key(KeyCode::Char('c'), KeyModifiers::CONTROL), Some(Key::Ctrl('c')));
        assert_eq!(key(KeyCode::Char('@'), KeyModifiers::CONTROL | KeyModifiers::ALT), Some(Key::Char('@')));
        assert_eq!(key(KeyCode::Char('x'), KeyModifiers::ALT), None);
        assert_eq!(key(KeyCode::F(5), KeyModifiers::NONE), None);
    }

    #[test]
    fn a_key_that_is_let_go_does_nothing() {
        let event = KeyEvent::new_with_kind(KeyCode::Enter, KeyModifiers::NONE, KeyEventKind::Release);
        assert!(message(Event::Key(event), &Hits::default()).is_none());
        let space = |kind| {
            message(Event::Key(KeyEvent::new_with_kind(KeyCode::Char(' '), KeyModifiers::NONE, kind)), &Hits::default())
        };
        assert!(matches!(space(KeyEventKind::Release), Some(Msg::Released(Key::Char(' ')))));
        assert!(matches!(space(KeyEventKind::Press), Some(Msg::Key(Key::Char(' ')))));
        assert!(space(KeyEventKind::Repeat).is_none());
    }
}
