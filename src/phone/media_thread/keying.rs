//! What comes of the handshakes that sessions want.

use std::time::Instant;

use crate::media::dtls::Reply;
use crate::ua::CallNo;

use super::engine::Engine;

impl Engine {
    /// What has come of one. With the keys the first packet leaves at once.
    pub(super) fn handshake_replied(&mut self, now: Instant, number: CallNo, reply: Reply) {
        let sent = self.calls.values().any(|call| call.session.sends());
        let Some(call) = self.calls.get_mut(&number) else { return };
        call.session.handle_handshake(now, reply);
        let sends = call.session.sends();
        self.settle(number);
        if sends && !sent {
            self.send_first(now);
        }
    }
}
