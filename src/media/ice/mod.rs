//! Finding a way for a call's packets (RFC 8445), without I/O: checks go out and come in, pairs of addresses come of them.
//!
//! The checks are the library's (`is`), one agent a component; here is what a call makes of them: who may send to us, where
//! ours go, what goes on while a restart looks for another way, and what the phone is told.

mod agent;
pub mod stun;
#[cfg(test)]
mod tests;

use std::net::SocketAddr;
use std::time::Instant;

pub use crate::sdp::ice::{Agreed, Candidate, Component, Credentials, Ends, Kind, Path, Role};
use agent::{Agent, Standing};

/// What the checks have come to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Event {
    /// Packets go this way from now on.
    Connected(Path),
    /// No way was found.
    Failed,
    /// The way that was in use is dead (RFC 7675: the peer consents no more), and there is no other.
    Lost,
}

/// Whether a datagram is STUN (RFC 7983 section 7).
pub fn is_stun(bytes: &[u8]) -> bool {
    matches!(bytes, [0..=3, ..]) && bytes.get(4..8) == Some(&[0x21, 0x12, 0xa4, 0x42])
}

/// The checks of one call.
#[derive(Debug)]
pub struct Ice {
    agreed: Agreed,
    agents: Vec<Agent>,
    tie_breaker: u64,
    /// The agents before a restart: what they have found is used until there is something new (RFC 8445 section 12).
    before: Vec<Agent>,
    told: Option<Event>,
    /// A way was found once: it may be again.
    was_connected: bool,
    timeout: Option<Instant>,
}

impl Ice {
    /// Begins the checks.
    pub fn new(now: Instant, agreed: Agreed, tie_breaker: u64) -> Ice {
        let mut ice = Ice {
            agents: agents(&agreed, tie_breaker),
            agreed,
            tie_breaker,
            before: Vec::new(),
            told: None,
            was_connected: false,
            timeout: None,
        };
        ice.handle_timeout(now);
        ice
    }

    /// Takes what a later exchange has agreed on: other credentials of the peer's or of ours are a restart (RFC 8839 section
    /// 4.4.1.1.1), anything else is further candidates at most.
    pub fn update(&mut self, now: Instant, agreed: Agreed) {
        if agreed.local != self.agreed.local || agreed.remote != self.agreed.remote {
            let old = std::mem::replace(&mut self.agents, agents(&agreed, self.tie_breaker));
            if old.iter().all(|agent| agent.selected().is_some()) {
                self.before = old;
            }
            self.told = None;
        } else {
            for agent in &mut self.agents {
                agent.add_remote(&agreed.remote_candidates);
            }
        }
        self.agreed = agreed;
        self.handle_timeout(now);
    }

    /// Where a component's packets go; `None`: nowhere yet, or no more.
    pub fn destination(&self, component: Component) -> Option<SocketAddr> {
        let of = |agents: &[Agent]| {
            agents.iter().find(|agent| agent.component() == component).and_then(|agent| Some(agent.selected()?.remote))
        };
        of(&self.agents).or_else(|| of(&self.before))
    }

    /// Whether the checks are about this component.
    pub fn has(&self, component: Component) -> bool {
        self.agents.iter().any(|agent| agent.component() == component)
    }

    /// Whether packets from there are the peer's: a check that it alone can make came from there.
    pub fn knows(&self, component: Component, from: SocketAddr) -> bool {
        let mut all = self.agents.iter().chain(&self.before);
        all.any(|agent| agent.component() == component && agent.has_heard(from))
    }

    /// A STUN datagram.
    pub fn handle(&mut self, now: Instant, component: Component, from: SocketAddr, bytes: &[u8]) {
        let mut all = self.agents.iter_mut().chain(&mut self.before);
        if all.any(|agent| agent.component() == component && agent.handle(now, from, bytes)) {
            self.settle();
        }
    }

    /// The time has come that [`Ice::poll_timeout`] named.
    pub fn handle_timeout(&mut self, now: Instant) {
        for agent in self.agents.iter_mut().chain(&mut self.before) {
            agent.handle_timeout(now);
        }
        self.settle();
    }

    /// When the next check is due.
    pub fn poll_timeout(&self) -> Option<Instant> {
        self.timeout
    }

    /// The next datagram to send, from the socket of its component.
    pub fn poll_transmit(&mut self) -> Option<(Component, SocketAddr, Vec<u8>)> {
        self.agents.iter_mut().chain(&mut self.before).find_map(Agent::poll_transmit)
    }

    /// What there is to tell, once each time that it changes.
    pub fn poll_event(&mut self) -> Option<Event> {
        let now = self.standing()?;
        self.was_connected |= matches!(now, Event::Connected(_));
        (self.told != Some(now)).then(|| *self.told.insert(now))
    }

    fn standing(&self) -> Option<Event> {
        let is = |standing| self.agents.iter().any(|agent| agent.standing() == standing);
        if is(Standing::Lost) {
            return Some(Event::Lost);
        }
        if is(Standing::Failed) {
            return Some(if self.was_connected { Event::Lost } else { Event::Failed });
        }
        let ends = |component| self.agents.iter().find(|agent| agent.component() == component)?.selected();
        let path = Path { rtp: ends(Component::Rtp)?, rtcp: ends(Component::Rtcp) };
        (path.rtcp.is_some() || !self.has(Component::Rtcp)).then_some(Event::Connected(path))
    }

    /// After every touch of an agent.
    fn settle(&mut self) {
        if self.agents.iter().all(|agent| agent.selected().is_some()) {
            self.before.clear();
        }
        self.timeout = self.agents.iter_mut().chain(&mut self.before).filter_map(Agent::poll_timeout).min();
    }
}

fn agents(agreed: &Agreed, tie_breaker: u64) -> Vec<Agent> {
    let components = [Component::Rtp, Component::Rtcp];
    components.into_iter().filter_map(|component| Agent::new(component, agreed, tie_breaker)).collect()
}
