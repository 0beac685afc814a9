//! Push to talk: a closed microphone that is open while a key is held. Most terminals tell only that a key was pressed: there
//! the key opens, and once more closes. Those that tell of its release (the kitty keyboard protocol) make it a real one.

use crate::phone::Command;

use super::keymap::Key;
use super::{App, Effect};

impl App {
    /// The key was pressed.
    pub(super) fn talk(&mut self) -> Vec<Effect> {
        match (self.talking, self.muted) {
            (false, true) => {
                self.talking = true;
                vec![Effect::Command(Command::Unmute { call: None })]
            }
            // With an open microphone it begins by closing it.
            (true, _) | (false, false) => self.stop_talking(),
        }
    }

    /// A key was let go.
    pub(super) fn released(&mut self, key: Key) -> Vec<Effect> {
        match key {
            Key::Char(' ') if self.talking && !self.quitting => {
                self.tells_releases = true;
                self.stop_talking()
            }
            _ => Vec::new(),
        }
    }

    fn stop_talking(&mut self) -> Vec<Effect> {
        self.talking = false;
        vec![Effect::Command(Command::Mute { call: None })]
    }

    /// Whether the terminal is to tell of keys that are let go: only where one matters, for in a line such terminals send text
    /// otherwise than it is typed.
    pub fn wants_releases(&self) -> bool {
        !self.calls.is_empty() && self.context() == super::keymap::Context::Main
    }
}
