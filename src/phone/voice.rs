//! What a person decides about his own voice: echo, noise, level.

use crate::media::processing::{Figures, Settings, Step, Switch};

use super::desk::Desk;
use super::event::Kind;
use super::media_thread::Order;

/// How it stands.
#[derive(Debug, Default)]
pub(super) struct Voice {
    /// What is wanted.
    pub(super) settings: Settings,
    /// What is done, as it was last told.
    pub(super) figures: Option<Figures>,
}

impl Desk {
    /// Switches one step, and tells how all stand.
    pub(super) fn switch_processing(&mut self, step: Step, switch: Switch) {
        let settings = self.voice.settings.with(step, switch);
        self.order(Order::Processing(settings));
        if self.voice.settings != settings {
            self.voice.settings = settings;
            self.tell(Kind::Audio(settings));
        }
    }
}
