//! Colours: the terminal's own sixteen, and never the only signal. Without them (`NO_COLOR`) weight does what it can.

use ratatui::style::{Color, Modifier, Style};

use crate::app::log::Level;

/// How things are set apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Theme {
    /// Whether colours are used at all.
    pub colour: bool,
}

impl Theme {
    fn colour(self, colour: Color) -> Style {
        if self.colour { Style::new().fg(colour) } else { Style::new() }
    }

    /// What belongs to the phone itself: keys, prompts, the selection.
    pub fn accent(self) -> Style {
        self.colour(Color::Cyan)
    }

    /// What goes well.
    pub fn good(self) -> Style {
        self.colour(Color::Green)
    }

    /// What to look at.
    pub fn warning(self) -> Style {
        self.colour(Color::Yellow)
    }

    /// What failed.
    pub fn bad(self) -> Style {
        self.colour(Color::Red).add_modifier(Modifier::BOLD)
    }

    /// What matters less.
    pub fn dim(self) -> Style {
        Style::new().add_modifier(Modifier::DIM)
    }

    /// What matters more.
    pub fn strong(self) -> Style {
        Style::new().add_modifier(Modifier::BOLD)
    }

    /// A line of the log.
    pub fn level(self, level: Level) -> Style {
        match level {
            Level::Info => Style::new(),
            Level::Good => self.good(),
            Level::Warning => self.warning(),
            Level::Error => self.bad(),
        }
    }
}
