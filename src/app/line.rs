//! The line in which a person types a target or a command, and its history.

use std::collections::VecDeque;

use tui_input::{Input, InputRequest};

use crate::services::forwarding::When;
use crate::ua::CallNo;

use super::keymap::Key;
use super::people::{Recipient, Suggestion};

/// Entries that a history keeps.
const ENTRIES: usize = 200;
/// Characters that a line takes.
const CHARACTERS: usize = 500;

/// What the line is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// Whom to call.
    Call,
    /// To whom to transfer a call.
    Transfer(CallNo),
    /// Where calls are to be forwarded.
    Forward(When),
    /// What to write to somebody.
    Message,
    /// What to look for in the pane of people.
    Search,
    /// What to look for in the SIP messages.
    Find,
    /// A command, with the words of `run`.
    Command,
    /// The value of the chosen setting.
    Value,
    /// The same, where nobody is to see it.
    Secret,
    /// Which settings show.
    Setting,
}

/// A line that is being typed.
#[derive(Debug, Clone)]
pub struct Line {
    /// What it is for.
    pub purpose: Purpose,
    /// The text and the cursor.
    pub input: Input,
    /// The account that calls or forwards, where the person chose one.
    pub account: Option<String>,
    /// Why the line can't be taken as it stands.
    pub error: Option<String>,
    /// To whom is written.
    pub to: Option<Box<Recipient>>,
    /// The suggestion that is chosen.
    pub choice: Option<usize>,
    /// The suggestions that are gone through, which what is chosen must not change.
    pub kept: Option<Vec<Suggestion>>,
    /// How far back in the history it is, and what was typed before.
    browsing: Option<(usize, String)>,
}

impl Line {
    /// An empty line.
    pub fn new(purpose: Purpose) -> Line {
        let input = Input::default();
        Line { purpose, input, account: None, error: None, to: None, choice: None, kept: None, browsing: None }
    }

    /// Inserts text at the cursor.
    pub fn insert(&mut self, text: &str) {
        for c in text.chars() {
            if self.input.value().chars().count() < CHARACTERS {
                self.input.handle(InputRequest::InsertChar(c));
            }
        }
        self.changed();
    }

    /// Does what an editing key says.
    pub fn edit(&mut self, key: Key) {
        if let Key::Char(c) = key {
            return self.insert(c.encode_utf8(&mut [0; 4]));
        }
        if edit(&mut self.input, key) {
            self.changed();
        }
    }

    /// What stands before the cursor.
    pub fn before_cursor(&self) -> &str {
        let text = self.input.value();
        text.char_indices().nth(self.input.cursor()).map_or(text, |(at, _)| &text[..at])
    }

    /// Puts a text in the place of so many characters before the cursor.
    pub fn replace_before_cursor(&mut self, characters: usize, text: &str) {
        let at = self.input.cursor();
        let value: Vec<char> = self.input.value().chars().collect();
        let from = at.saturating_sub(characters);
        let before = value.iter().take(from).copied();
        let after: String = value.iter().skip(at).collect();
        let with: String = before.chain(text.chars()).collect();
        let cursor = with.chars().count();
        // What stands there already ends the word too.
        let with = if after.starts_with(' ') && with.ends_with(' ') { with.trim_end().to_owned() } else { with };
        let value: String = (with + &after).chars().take(CHARACTERS).collect();
        self.changed();
        self.input = Input::new(value).with_cursor(cursor);
    }

    /// Whether what was typed before is gone through.
    pub fn is_browsing(&self) -> bool {
        self.browsing.is_some()
    }

    fn changed(&mut self) {
        self.error = None;
        self.choice = None;
        self.kept = None;
        self.browsing = None;
    }

    /// Shows the entry before the one that shows.
    pub fn older(&mut self, history: &History) {
        let (place, typed) = match self.browsing.take() {
            Some((place, typed)) => (place + 1, typed),
            None => (0, self.input.value().to_owned()),
        };
        self.browse(history, place, typed);
    }

    /// Shows the entry after the one that shows, at last what was typed.
    pub fn newer(&mut self, history: &History) {
        match self.browsing.take() {
            Some((0, typed)) => self.set(typed),
            Some((place, typed)) => self.browse(history, place - 1, typed),
            None => {}
        }
    }

    fn browse(&mut self, history: &History, place: usize, typed: String) {
        let place = place.min(history.entries.len().saturating_sub(1));
        if let Some(entry) = history.entries.get(place) {
            self.set(entry.clone());
            self.browsing = Some((place, typed));
        }
    }

    fn set(&mut self, text: String) {
        self.input = Input::new(text);
        self.error = None;
        self.choice = None;
        self.kept = None;
    }
}

/// Whether a key edits a line without being text.
pub fn is_editing(key: Key) -> bool {
    request(key).is_some()
}

/// Does what an editing key says; false: it is none. What a person takes for one character goes, and is passed, as one,
/// however many it is made of (Unicode Standard Annex 29).
pub fn edit(input: &mut Input, key: Key) -> bool {
    request(key).map(|request| input.handle(request)).is_some()
}

/// What an editing key asks of a line.
fn request(key: Key) -> Option<InputRequest> {
    Some(match key {
        Key::Backspace | Key::Ctrl('h') => InputRequest::DeletePrevChar,
        Key::Delete | Key::Ctrl('d') => InputRequest::DeleteNextChar,
        Key::Left | Key::Ctrl('b') => InputRequest::GoToPrevChar,
        Key::Right | Key::Ctrl('f') => InputRequest::GoToNextChar,
        Key::CtrlLeft => InputRequest::GoToPrevWord,
        Key::CtrlRight => InputRequest::GoToNextWord,
        Key::Home | Key::Ctrl('a') => InputRequest::GoToStart,
        Key::End | Key::Ctrl('e') => InputRequest::GoToEnd,
        Key::Ctrl('w') => InputRequest::DeletePrevWord,
        Key::Ctrl('u') => InputRequest::DeleteLine,
        Key::Ctrl('k') => InputRequest::DeleteTillEnd,
        Key::Ctrl('y') => InputRequest::Yank,
        _ => return None,
    })
}

/// What was typed before, the latest first.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct History {
    entries: VecDeque<String>,
}

impl History {
    /// From lines, the latest last.
    pub fn from_lines<'a>(lines: impl Iterator<Item = &'a str>) -> History {
        let mut history = History::default();
        for line in lines {
            history.push(line.trim());
        }
        history
    }

    /// Adds an entry; the same one again only moves to the front.
    pub fn push(&mut self, entry: &str) {
        if entry.is_empty() {
            return;
        }
        self.entries.retain(|known| known != entry);
        self.entries.push_front(entry.to_owned());
        self.entries.truncate(ENTRIES);
    }

    /// The entries, the latest last.
    pub fn lines(&self) -> impl Iterator<Item = &str> {
        self.entries.iter().rev().map(String::as_str)
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn history_goes_back_and_returns_to_what_was_typed() {
        let history = History::from_lines(["alice", "bob", "alice"].into_iter());
        assert_eq!(history.lines().collect::<Vec<_>>(), ["bob", "alice"]);
        let mut line = Line::new(Purpose::Call);
        line.insert("ca");
        for expected in ["alice", "bob", "bob"] {
            line.older(&history);
            assert_eq!(line.input.value(), expected);
        }
        line.newer(&history);
        assert_eq!(line.input.value(), "alice");
        line.newer(&history);
        assert_eq!(line.input.value(), "ca");
        line.newer(&history);
        assert_eq!(line.input.value(), "ca");
    }

    #[test]
    fn an_empty_history_changes_nothing() {
        let mut line = Line::new(Purpose::Call);
        line.insert("ca");
        line.older(&History::default());
        assert_eq!(line.input.value(), "ca");
    }

    #[test]
    fn editing_works_on_whole_characters() {
        let mut line = Line::new(Purpose::Call);
        line.insert("zoë 山");
        line.edit(Key::Backspace);
        line.edit(Key::Home);
        line.edit(Key::Delete);
        line.edit(Key::Char('Z'));
        assert_eq!(line.input.value(), "Zoë ");
        line.edit(Key::Ctrl('u'));
        assert_eq!(line.input.value(), "");
    }

    #[test]
    fn what_looks_like_one_character_is_one() {
        let family = "👩\u{200d}👩\u{200d}👧";
        let flag = "🇩🇪";
        let accent = "e\u{301}";
        for one in [family, flag, accent, "\u{1112}\u{1161}\u{11ab}"] {
            let mut line = Line::new(Purpose::Call);
            line.insert(&format!("a{one}b"));
            line.edit(Key::Left);
            line.edit(Key::Backspace);
            assert_eq!(line.input.value(), "ab");
            line.insert(one);
            line.edit(Key::Left);
            assert_eq!(line.before_cursor(), "a");
            line.edit(Key::Right);
            assert_eq!(line.before_cursor(), format!("a{one}"));
            line.edit(Key::Left);
            line.edit(Key::Delete);
            assert_eq!(line.input.value(), "ab");
        }
    }

    #[test]
    fn a_line_is_bounded() {
        let mut line = Line::new(Purpose::Command);
        line.insert(&"x".repeat(10_000));
        assert_eq!(line.input.value().len(), CHARACTERS);
    }
}
