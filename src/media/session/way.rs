//! The way of a session's packets: by ICE where both sides speak it, else as [`super::source`] has it.

use std::net::SocketAddr;
use std::time::Instant;

use super::{Event, Outbox, Transmit};
use crate::media::ice::{self, Component, Ice};

/// Checks of the peer's that came before its description and wait for that.
const MAX_EARLY: usize = 16;

/// Whose a datagram is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verdict {
    /// The session does without ICE: its other rules decide.
    Undecided,
    /// The peer's.
    Peer,
    /// Somebody else's.
    Stranger,
}

/// The way of one session.
#[derive(Debug)]
pub(super) struct Way {
    ice: Option<Ice>,
    early: Vec<(Component, SocketAddr, Vec<u8>)>,
    tie_breaker: u64,
}

impl Way {
    pub fn new(tie_breaker: u64) -> Way {
        Way { ice: None, early: Vec::new(), tie_breaker }
    }

    /// Takes what both sides agreed on.
    pub fn configure(&mut self, now: Instant, agreed: Option<&ice::Agreed>, out: &mut Outbox) {
        match (agreed, &mut self.ice) {
            (Some(agreed), Some(ice)) => ice.update(now, agreed.clone()),
            (Some(agreed), None) => {
                let mut ice = Ice::new(now, agreed.clone(), self.tie_breaker);
                for (component, from, bytes) in self.early.drain(..) {
                    ice.handle(now, component, from, &bytes);
                }
                self.ice = Some(ice);
            }
            (None, _) => self.ice = None,
        }
        self.settle(out);
    }

    /// A STUN datagram. Before the peer's description has come it is kept: the answerer's checks may overtake the answer (RFC 8445
    /// section 7.3).
    pub fn handle(&mut self, now: Instant, component: Component, from: SocketAddr, bytes: &[u8], out: &mut Outbox) {
        match &mut self.ice {
            Some(ice) => {
                ice.handle(now, component, from, bytes);
                self.settle(out);
            }
            None if self.early.len() < MAX_EARLY => self.early.push((component, from, bytes.to_vec())),
            None => {}
        }
    }

    pub fn handle_timeout(&mut self, now: Instant, out: &mut Outbox) {
        if let Some(ice) = &mut self.ice
            && ice.poll_timeout().is_some_and(|due| due <= now)
        {
            ice.handle_timeout(now);
            self.settle(out);
        }
    }

    pub fn poll_timeout(&self) -> Option<Instant> {
        self.ice.as_ref()?.poll_timeout()
    }

    /// Where a component's packets go; `plain` without ICE. `None`: nowhere, for no way has been found yet.
    pub fn destination(&self, component: Component, plain: SocketAddr) -> Option<SocketAddr> {
        match &self.ice {
            Some(ice) if ice.has(component) => ice.destination(component),
            Some(_) | None => Some(plain),
        }
    }

    /// Whether ICE finds a component's way.
    pub fn is_by_ice(&self, component: Component) -> bool {
        self.ice.as_ref().is_some_and(|ice| ice.has(component))
    }

    /// Whose a datagram is that came from there.
    pub fn judge(&self, component: Component, from: SocketAddr) -> Verdict {
        match &self.ice {
            Some(ice) if ice.has(component) => match ice.knows(component, from) {
                true => Verdict::Peer,
                false => Verdict::Stranger,
            },
            Some(_) | None => Verdict::Undecided,
        }
    }

    /// Checks for nobody any more.
    pub fn close(&mut self) {
        self.ice = None;
        self.early.clear();
    }

    fn settle(&mut self, out: &mut Outbox) {
        let Some(ice) = &mut self.ice else { return };
        while let Some((component, to, bytes)) = ice.poll_transmit() {
            out.transmit(match component {
                Component::Rtp => Transmit::Rtp { to, bytes },
                Component::Rtcp => Transmit::Rtcp { to, bytes },
            });
        }
        while let Some(event) = ice.poll_event() {
            out.event(Event::Ice(event));
        }
    }
}
