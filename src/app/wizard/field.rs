//! A line that is typed; it may be a password.

use std::fmt;

use tui_input::{Input, InputRequest};

use super::super::keymap::Key;
use super::super::line;

/// Characters that a field takes.
const CHARACTERS: usize = 300;

/// A line that is typed.
#[derive(Clone, Default)]
pub struct Field {
    /// The text and the cursor.
    pub input: Input,
}

impl fmt::Debug for Field {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // It may be a password.
        write!(f, "Field({} characters, at {})", self.input.value().chars().count(), self.input.cursor())
    }
}

impl Field {
    pub(super) fn new(text: &str) -> Field {
        Field { input: Input::new(text.to_owned()) }
    }

    /// What stands in it.
    pub fn text(&self) -> &str {
        self.input.value()
    }

    pub(super) fn insert(&mut self, text: &str) {
        for c in text.chars().filter(|c| !c.is_control()) {
            if self.text().chars().count() < CHARACTERS {
                self.input.handle(InputRequest::InsertChar(c));
            }
        }
    }

    pub(super) fn edit(&mut self, key: Key) {
        match key {
            Key::Char(c) => self.insert(c.encode_utf8(&mut [0; 4])),
            key => drop(line::edit(&mut self.input, key)),
        }
    }
}
