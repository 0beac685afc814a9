//! The checks of one component: the library's agent, and what it does not say.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::time::Instant;

use is::stun::{StunMessage, StunPacket};
use is::{CandidateKind, IceAgent, IceAgentEvent, IceConnectionState, IceCreds, Protocol};

use super::{Agreed, Candidate, Component, Credentials, Ends, Kind, Role};

/// Addresses of the peer's that are remembered.
const MAX_HEARD: usize = 16;
/// Pairs that are checked.
const MAX_PAIRS: usize = 40;

/// How it stands with a component.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Standing {
    /// Checks are under way.
    Looking,
    /// A pair is in use.
    Connected,
    /// All pairs have failed.
    Failed,
    /// The pair in use has failed since, and no other is left.
    Lost,
}

/// The checks of one component.
#[derive(Debug)]
pub(super) struct Agent {
    component: Component,
    inner: IceAgent,
    base: SocketAddr,
    /// From where checks came that only the peer can make.
    heard: VecDeque<SocketAddr>,
    /// How the peer sees us, by where it answers from.
    mapped: VecDeque<(SocketAddr, SocketAddr)>,
    selected: Option<SocketAddr>,
    standing: Standing,
    was_connected: bool,
}

impl Agent {
    /// `None`: we have no candidate of this component.
    pub fn new(component: Component, agreed: &Agreed, tie_breaker: u64) -> Option<Agent> {
        let ours = || agreed.local_candidates.iter().filter(move |candidate| candidate.component == component);
        let base = ours().next()?.base?;
        let mut inner = IceAgent::new(credentials(&agreed.local));
        inner.set_local_preference(|_: &is::Candidate, _: usize| 65_535);
        inner.set_max_candidate_pairs(MAX_PAIRS);
        inner.set_control_tie_breaker(tie_breaker);
        inner.set_controlling(agreed.role == Role::Controlling);
        // It must be there whatever was written: checks leave from it and come to it.
        inner.add_local_candidate(is::Candidate::host(base, Protocol::Udp).ok()?);
        for candidate in ours().filter(|candidate| candidate.kind == Kind::ServerReflexive) {
            if let Ok(candidate) = is::Candidate::server_reflexive(candidate.address, base, Protocol::Udp) {
                inner.add_local_candidate(candidate);
            }
        }
        inner.set_remote_credentials(credentials(&agreed.remote));
        let mut agent = Agent {
            component,
            inner,
            base,
            heard: VecDeque::new(),
            mapped: VecDeque::new(),
            selected: None,
            standing: Standing::Looking,
            was_connected: false,
        };
        agent.add_remote(&agreed.remote_candidates);
        Some(agent)
    }

    pub fn component(&self) -> Component {
        self.component
    }

    pub fn standing(&self) -> Standing {
        self.standing
    }

    /// The pair in use.
    pub fn selected(&self) -> Option<Ends> {
        let remote = self.selected?;
        let mapped = self.mapped.iter().find(|(from, _)| *from == remote).map(|(_, mapped)| *mapped);
        Some(Ends { local: mapped.unwrap_or(self.base), remote })
    }

    /// Whether an authenticated message came from there.
    pub fn has_heard(&self, from: SocketAddr) -> bool {
        self.heard.contains(&from)
    }

    /// Adds candidates of the peer's; those that are known change nothing.
    pub fn add_remote(&mut self, candidates: &[Candidate]) {
        for candidate in candidates.iter().filter(|candidate| candidate.component == self.component) {
            if candidate.address.is_ipv4() != self.base.is_ipv4() {
                continue;
            }
            self.inner.add_remote_candidate(is::Candidate::from_parts(
                candidate.foundation.clone(),
                // The library knows one component only; ours are told apart by their sockets.
                1,
                Protocol::Udp,
                candidate.priority,
                candidate.address,
                kind(candidate.kind),
                None,
                None,
                None,
            ));
        }
    }

    /// A STUN datagram; true: it is of the peer's.
    pub fn handle(&mut self, now: Instant, from: SocketAddr, bytes: &[u8]) -> bool {
        let Ok(message) = StunMessage::parse(bytes) else { return false };
        let mapped = message.is_successful_binding_response().then(|| message.mapped_address()).flatten();
        let packet = StunPacket { proto: Protocol::Udp, source: from, destination: self.base, message };
        if !self.inner.handle_packet(now, packet) {
            return false;
        }
        if !self.heard.contains(&from) {
            remember(&mut self.heard, from);
        }
        if let Some(mapped) = mapped {
            self.mapped.retain(|(known, _)| *known != from);
            remember(&mut self.mapped, (from, mapped));
        }
        if self.standing == Standing::Looking {
            // What it has set off goes at once (RFC 8445 section 7.3.1.4: triggered checks).
            self.inner.handle_timeout(now);
        }
        self.take_events();
        true
    }

    pub fn handle_timeout(&mut self, now: Instant) {
        if self.inner.poll_timeout().is_none_or(|due| due <= now) {
            self.inner.handle_timeout(now);
            self.take_events();
        }
    }

    pub fn poll_timeout(&mut self) -> Option<Instant> {
        self.inner.poll_timeout()
    }

    pub fn poll_transmit(&mut self) -> Option<(Component, SocketAddr, Vec<u8>)> {
        let transmit = self.inner.poll_transmit()?;
        Some((self.component, transmit.destination, transmit.contents.into()))
    }

    fn take_events(&mut self) {
        let mut selected = self.selected;
        while let Some(event) = self.inner.poll_event() {
            match event {
                IceAgentEvent::NominatedSend { destination, .. } => selected = Some(destination),
                IceAgentEvent::IceRestart(_)
                | IceAgentEvent::DiscoveredRecv { .. }
                | IceAgentEvent::IceConnectionStateChange(_) => {}
            }
        }
        let standing = match (self.inner.state(), selected) {
            (IceConnectionState::Connected | IceConnectionState::Completed, Some(_)) => Standing::Connected,
            (IceConnectionState::Disconnected, Some(_)) => Standing::Lost,
            (IceConnectionState::Disconnected, None) if self.was_connected => Standing::Lost,
            (IceConnectionState::Disconnected, None) => Standing::Failed,
            // Its pair is gone (RFC 7675 section 5.1: nothing is sent any more), and others are still tried.
            (IceConnectionState::Checking, Some(_)) if self.standing == Standing::Connected => Standing::Looking,
            (_, Some(_)) => Standing::Connected,
            (_, None) => Standing::Looking,
        };
        if standing != self.standing {
            tracing::debug!(component = ?self.component, "ICE: {:?} -> {standing:?}", self.standing);
        }
        self.selected = selected.filter(|_| standing == Standing::Connected);
        self.standing = standing;
        self.was_connected |= standing == Standing::Connected;
    }
}

fn remember<T>(list: &mut VecDeque<T>, entry: T) {
    if list.len() == MAX_HEARD {
        list.pop_front();
    }
    list.push_back(entry);
}

fn credentials(credentials: &Credentials) -> IceCreds {
    IceCreds { ufrag: credentials.ufrag.clone(), pass: credentials.password.clone() }
}

fn kind(kind: Kind) -> CandidateKind {
    match kind {
        Kind::Host => CandidateKind::Host,
        Kind::ServerReflexive => CandidateKind::ServerReflexive,
        Kind::PeerReflexive => CandidateKind::PeerReflexive,
        Kind::Relayed => CandidateKind::Relayed,
    }
}
