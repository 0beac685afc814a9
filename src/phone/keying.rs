//! What has become of the handshake that gives a call its keys: told to the person; without keys the call is of no use and ends.

use std::time::Instant;

use crate::media::dtls::Failure;
use crate::sdp::Negotiated;
use crate::sdp::crypto::Suite;
use crate::ua::{CallNo, Command};

use super::actor::Actor;
use super::desk::{Desk, Effect};
use super::event::Kind;
use super::lines::Line;
use super::security::Security;

impl Line {
    /// What of it is protected now.
    pub(super) fn security_now(&self) -> Security {
        self.media.as_ref().map_or_else(Security::default, |media| Security::of(media, self.keyed, self.transport))
    }

    /// Takes what its media are now: keys of another handshake are not those of this one.
    pub(super) fn set_media(&mut self, media: Negotiated) {
        let handshake = |media: &Negotiated| media.protection.dtls().cloned();
        if self.media.as_ref().and_then(handshake) != handshake(&media) {
            self.keyed = None;
        }
        self.media = Some(media);
    }
}

impl Desk {
    /// A handshake has given the keys.
    pub(super) fn keyed(&mut self, call: CallNo, suite: Suite) {
        let Some(line) = self.lines.get_mut(call) else { return };
        line.keyed = Some(suite);
        let security = line.security_now();
        // Before the call stands nothing was told; `established` will say it.
        if line.security.is_some_and(|told| told != security) {
            line.security = Some(security);
            self.tell_call(call, |call| Kind::Security { call, security });
        }
    }

    /// It gives none: no sound comes or goes.
    pub(super) fn keys_failed(&mut self, call: CallNo, failure: Failure) {
        self.tell_error(call, &failure.to_string());
        self.effect(Effect::GiveUp(call, failure));
    }
}

impl Actor {
    pub(super) fn give_up(&mut self, now: Instant, call: CallNo, failure: &Failure) {
        tracing::warn!(%call, %failure, "the call ends");
        // It may be over meanwhile.
        if let Err(error) = self.core.command(now, Command::GiveUp { call, reason: failure.to_string() }) {
            tracing::debug!(%call, %error, "the call can't be given up");
        }
    }
}
