//! What ICE has come to in a call: told to the person, and to the core, whose offers say it.

use std::time::Instant;

use crate::media::ice::Event;
use crate::ua::{CallNo, Command};

use super::actor::Actor;
use super::desk::{Desk, Effect};
use super::event::{Kind, WayState};

impl Desk {
    pub(super) fn way(&mut self, call: CallNo, event: Event) {
        let (state, path) = match event {
            Event::Connected(path) => (WayState::Connected, Some(path)),
            Event::Failed => (WayState::Failed, None),
            Event::Lost => (WayState::Lost, None),
        };
        let (local, remote) = (path.map(|path| path.rtp.local), path.map(|path| path.rtp.remote));
        self.tell_call(call, |call| Kind::Ice { call, state, local, remote, reason: None });
        self.effect(Effect::Way(call, event));
    }

    /// The other side does not look for another one.
    pub(super) fn way_refused(&mut self, call: CallNo, reason: String) {
        let (state, reason) = (WayState::Refused, Some(reason));
        self.tell_call(call, |call| Kind::Ice { call, state, local: None, remote: None, reason });
    }
}

impl Actor {
    pub(super) fn note_way(&mut self, now: Instant, call: CallNo, event: Event) {
        let command = match event {
            Event::Connected(path) => Command::WayFound { call, path },
            Event::Failed => {
                let message = "no way to the other side was found through the network (ICE)";
                return self.complain(call, message);
            }
            Event::Lost => Command::WayLost { call },
        };
        // The call may be over meanwhile.
        if let Err(error) = self.core.command(now, command) {
            tracing::debug!(%call, %error, "the way is not told");
        }
    }
}
