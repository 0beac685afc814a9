//! Where on the screen what can be clicked is.

use ratatui::layout::{Position, Rect};

use crate::app::mouse::Target;

/// The places of a frame.
#[derive(Debug, Default)]
pub struct Hits {
    places: Vec<(Rect, Target)>,
}

impl Hits {
    /// Something is there, over all that was there before.
    pub fn add(&mut self, place: Rect, target: Target) {
        self.places.push((place, target));
    }

    /// What is at a column and a row.
    pub fn at(&self, column: u16, row: u16) -> Option<Target> {
        let position = Position { x: column, y: row };
        self.places.iter().rev().find(|(place, _)| place.contains(position)).map(|(_, target)| *target)
    }

    /// All targets, for tests.
    #[cfg(test)]
    pub fn all(&self) -> impl Iterator<Item = (Rect, Target)> {
        self.places.iter().copied()
    }
}
