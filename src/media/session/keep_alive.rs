//! Keeping the way open while nothing is sent (RFC 6263): a translator or a firewall forgets who only listens.
//!
//! With ICE its checks do that, with one port for both RTCP does (section 4.3, what is recommended); else a packet leaves from
//! the RTP port now and then whose payload type means nothing (section 4.6). To `c=0.0.0.0` nothing is sent.

use std::time::{Duration, Instant};

use crate::rtp::PayloadType;
use crate::sdp::Negotiated;

/// Section 7: at least so often.
const EVERY: Duration = Duration::from_secs(15);

/// When the next is due.
#[derive(Debug, Default)]
pub(super) struct KeepAlive {
    due: Option<Instant>,
}

impl KeepAlive {
    /// Takes what both sides agreed on.
    pub fn configure(&mut self, now: Instant, media: &Negotiated) {
        let is_wanted = !media.send && media.remote_rtcp.is_some() && !media.rtcp_mux && media.ice.is_none();
        self.due = is_wanted.then(|| self.due.unwrap_or(now + EVERY));
    }

    pub fn poll_timeout(&self) -> Option<Instant> {
        self.due
    }

    /// Whether one is to be sent now.
    pub fn is_due(&mut self, now: Instant) -> bool {
        let is_due = self.due.is_some_and(|due| due <= now);
        if is_due {
            self.due = Some(now + EVERY);
        }
        is_due
    }
}

/// A dynamic payload type that stands for nothing in this session.
pub(super) fn meaningless_type(media: &Negotiated) -> PayloadType {
    let is_used = |number: &u8| {
        media.receive.iter().any(|(used, _)| used == number)
            || media.receive_telephone_events.iter().any(|(used, _)| used == number)
            || media.comfort_noise.receive.iter().any(|(used, _)| used == number)
            || media.comfort_noise.send == Some(*number)
            || media.send_telephone_event.is_some_and(|(used, _)| used == *number)
            || media.send_payload_type == *number
    };
    PayloadType((96..=127).rev().find(|number| !is_used(number)).unwrap_or(127))
}
