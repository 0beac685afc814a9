//! The keys of a session's packets, and the DTLS handshakes that give them where the descriptions don't (RFC 5763, RFC 5764).
//!
//! Each component has a handshake of its own: one for RTP, and one more for RTCP where that has a port of its own (RFC 5764 section
//! 4.1). With ICE it begins when a way was found; without, at once, and it may come from another address than the one that was
//! signalled, as RTP may: the certificate tells whose it is. A stranger can so cost us a new beginning, and no more.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use rand_core::RngCore as _;

use super::way::Verdict;
use super::{Event, Session, Transmit, expects_sound};
use crate::media::dtls::{Failure, Handshake, Reply, Request};
use crate::media::ice::{Component, stun};
use crate::media::srtp::Guard;
use crate::sdp::Negotiated;
use crate::sdp::dtls::{Agreed, Role};

/// Datagrams that came before the peer's description or the way and wait for them.
const MAX_EARLY: usize = 8;
/// No datagram of a handshake is longer.
const MAX_LENGTH: usize = 2048;
/// Addresses from which nothing is taken any more: a handshake with them has failed.
const MAX_DENIED: usize = 8;
/// So long without a datagram, another address may be taken.
const SILENCE: Duration = Duration::from_secs(2);
/// What waits to be polled is bounded.
const MAX_REQUESTS: usize = 256;

/// The keys of a session, and how they come.
#[derive(Debug, Default)]
pub(super) struct Keys {
    rtp: Guard,
    /// RTCP's, where it has keys of its own.
    rtcp: Option<Guard>,
    association: Option<Association>,
    next: u32,
    early: Vec<(Component, SocketAddr, Vec<u8>)>,
    requests: VecDeque<Request>,
}

#[derive(Debug)]
struct Association {
    agreed: Agreed,
    legs: Vec<Leg>,
}

/// One component's handshake.
#[derive(Debug)]
struct Leg {
    component: Component,
    state: State,
    /// The peer's address, where it is not the signalled one, and when something last came from there.
    source: Option<(SocketAddr, Instant)>,
    /// Something came from the signalled address.
    came_as_signalled: bool,
    denied: Vec<SocketAddr>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// No way yet.
    Waiting,
    Running(Handshake),
    Done(Handshake),
    Failed,
}

/// What is made of a datagram from an address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Admission {
    Taken,
    /// Another one's have come before: begin anew with this one.
    TakenAnew,
    Refused,
}

impl Keys {
    /// What guards a component's packets.
    pub fn guard(&mut self, component: Component) -> &mut Guard {
        match (component, &mut self.rtcp) {
            (Component::Rtcp, Some(guard)) => guard,
            (Component::Rtp | Component::Rtcp, _) => &mut self.rtp,
        }
    }

    /// Whether a component's packets wait for their keys.
    pub fn is_locked(&self, component: Component) -> bool {
        match (component, &self.rtcp) {
            (Component::Rtcp, Some(guard)) => guard.is_locked(),
            (Component::Rtp | Component::Rtcp, _) => self.rtp.is_locked(),
        }
    }

    /// How many packets were not to be believed.
    pub fn rejected(&self) -> u64 {
        self.rtp.rejected() + self.rtcp.as_ref().map_or(0, Guard::rejected)
    }

    fn configure(&mut self, media: &Negotiated) {
        self.rtp.configure(&media.protection);
        let Some(agreed) = media.protection.dtls() else {
            self.rtcp = None;
            self.early.clear();
            return self.end();
        };
        let two = !media.rtcp_mux;
        match two {
            true => self.rtcp.get_or_insert_default().configure(&media.protection),
            false => self.rtcp = None,
        }
        if self.association.as_ref().is_some_and(|association| association.agreed != *agreed) {
            self.end();
        }
        let legs = &mut self.association.get_or_insert_with(|| Association::new(agreed.clone())).legs;
        match (two, legs.iter().position(|leg| leg.component == Component::Rtcp)) {
            (true, None) => legs.push(Leg::new(Component::Rtcp)),
            (false, Some(place)) => {
                let ended = legs.remove(place).state.handshake();
                ended.into_iter().for_each(|handshake| self.request(Request::End { handshake }));
            }
            (true, Some(_)) | (false, None) => {}
        }
    }

    fn leg(&mut self, component: Component) -> Option<&mut Leg> {
        self.association.as_mut()?.legs.iter_mut().find(|leg| leg.component == component)
    }

    fn leg_of(&mut self, handshake: Handshake) -> Option<&mut Leg> {
        self.association.as_mut()?.legs.iter_mut().find(|leg| leg.state.handshake() == Some(handshake))
    }

    /// Begins a component's handshake, or begins it anew.
    fn begin(&mut self, component: Component) {
        let handshake = Handshake(self.next);
        let Some(association) = &mut self.association else { return };
        let begin = Request::Begin {
            handshake,
            role: association.agreed.role,
            fingerprints: association.agreed.remote.clone(),
        };
        let Some(leg) = association.legs.iter_mut().find(|leg| leg.component == component) else { return };
        let before = std::mem::replace(&mut leg.state, State::Running(handshake));
        self.next = self.next.wrapping_add(1);
        if let Some(handshake) = before.handshake() {
            self.request(Request::End { handshake });
        }
        self.request(begin);
    }

    fn keep(&mut self, component: Component, from: SocketAddr, bytes: &[u8]) {
        if self.early.len() < MAX_EARLY && bytes.len() <= MAX_LENGTH {
            self.early.push((component, from, bytes.to_vec()));
        }
    }

    fn request(&mut self, request: Request) {
        if self.requests.len() < MAX_REQUESTS {
            self.requests.push_back(request);
        }
    }

    /// Ends what there is of handshakes.
    pub fn end(&mut self) {
        let legs = self.association.take().map(|association| association.legs).unwrap_or_default();
        for handshake in legs.iter().filter_map(|leg| leg.state.handshake()) {
            self.request(Request::End { handshake });
        }
    }
}

impl Association {
    fn new(agreed: Agreed) -> Association {
        Association { agreed, legs: vec![Leg::new(Component::Rtp)] }
    }
}

impl State {
    fn handshake(self) -> Option<Handshake> {
        match self {
            State::Running(handshake) | State::Done(handshake) => Some(handshake),
            State::Waiting | State::Failed => None,
        }
    }
}

impl Leg {
    fn new(component: Component) -> Leg {
        Leg { component, state: State::Waiting, source: None, came_as_signalled: false, denied: Vec::new() }
    }

    /// Decides on a datagram, without ICE. The signalled address comes first; else it is the first one that tries.
    fn admit(&mut self, now: Instant, from: SocketAddr, is_signalled: bool) -> Admission {
        let known = self.source.filter(|(source, _)| *source == from).is_some();
        match self.state {
            State::Done(_) if is_signalled || known => return Admission::Taken,
            State::Done(_) | State::Failed => return Admission::Refused,
            State::Waiting | State::Running(_) => {}
        }
        if is_signalled {
            self.came_as_signalled = true;
            return self.source.take().map_or(Admission::Taken, |_| Admission::TakenAnew);
        }
        if self.came_as_signalled || self.denied.contains(&from) {
            return Admission::Refused;
        }
        match self.source.replace((from, now)) {
            None => Admission::Taken,
            Some((source, _)) if source == from => Admission::Taken,
            Some((_, last)) if now.saturating_duration_since(last) >= SILENCE => Admission::TakenAnew,
            Some(known) => {
                self.source = Some(known);
                Admission::Refused
            }
        }
    }

    /// The address that is in use is not the peer's; false: it is the signalled one.
    fn deny(&mut self) -> bool {
        let Some((source, _)) = self.source.take() else { return false };
        if self.denied.len() == MAX_DENIED {
            self.denied.remove(0);
        }
        self.denied.push(source);
        true
    }
}

impl Session {
    /// Takes what both sides agreed on about keys.
    pub(super) fn configure_keys(&mut self, now: Instant, media: &Negotiated) {
        self.keys.configure(media);
        self.begin_handshakes(now);
    }

    /// Begins the handshakes for which there is a way now.
    pub(super) fn begin_handshakes(&mut self, now: Instant) {
        let Some(role) = self.keys.association.as_ref().map(|association| association.agreed.role) else { return };
        for component in [Component::Rtp, Component::Rtcp] {
            let is_waiting = self.keys.leg(component).is_some_and(|leg| leg.state == State::Waiting);
            let Some(to) = self.handshake_destination(component).filter(|_| is_waiting) else { continue };
            self.keys.begin(component);
            if role == Role::Server && !self.way.is_by_ice(component) {
                // RFC 5763 section 6.7.2: the passive side opens the way in.
                let mut id = stun::TransactionId::default();
                self.random.fill_bytes(&mut id);
                self.transmit_on(component, to, stun::binding_request(&id).to_vec());
            }
            for (component, from, bytes) in std::mem::take(&mut self.keys.early) {
                self.handle_dtls(now, component, from, &bytes);
            }
        }
    }

    /// Where a handshake's datagrams go; `None`: nowhere, or nowhere yet. To `c=0.0.0.0` nothing is sent.
    fn handshake_destination(&mut self, component: Component) -> Option<SocketAddr> {
        let agreed = self.agreed.as_ref()?;
        let signalled = agreed.media.remote_rtcp?;
        let source = self.keys.leg(component)?.source.map(|(source, _)| source);
        let plain = match component {
            Component::Rtp => source.unwrap_or(agreed.sources.destination()),
            Component::Rtcp => source.unwrap_or(signalled),
        };
        self.way.destination(component, plain)
    }

    fn transmit_on(&mut self, component: Component, to: SocketAddr, bytes: Vec<u8>) {
        self.out.transmit(match component {
            Component::Rtp => Transmit::Rtp { to, bytes },
            Component::Rtcp => Transmit::Rtcp { to, bytes },
        });
    }

    /// A datagram of a handshake. What comes before the peer's description or the way is kept (RFC 8842 section 5.2).
    pub(super) fn handle_dtls(&mut self, now: Instant, component: Component, from: SocketAddr, bytes: &[u8]) {
        let Some(agreed) = &self.agreed else {
            if !self.closed {
                self.keys.keep(component, from, bytes);
            }
            return;
        };
        let is_signalled = match component {
            Component::Rtp => agreed.sources.is_signalled(from),
            Component::Rtcp => agreed.media.remote_rtcp == Some(from),
        };
        let verdict = self.way.judge(component, from);
        let Some(leg) = self.keys.leg(component) else { return };
        let admission = match verdict {
            Verdict::Peer => Admission::Taken,
            Verdict::Stranger => Admission::Refused,
            Verdict::Undecided => leg.admit(now, from, is_signalled),
        };
        let state = leg.state;
        match (admission, state) {
            (Admission::Refused, _) | (_, State::Failed) => return,
            (_, State::Waiting) => return self.keys.keep(component, from, bytes),
            (Admission::Taken, State::Running(_) | State::Done(_)) => {}
            (Admission::TakenAnew, State::Running(_) | State::Done(_)) => self.keys.begin(component),
        }
        if let Some(handshake) = self.keys.leg(component).and_then(|leg| leg.state.handshake())
            && bytes.len() <= MAX_LENGTH
        {
            self.keys.request(Request::Datagram { handshake, bytes: bytes.to_vec() });
        }
    }

    /// An unauthenticated question of the passive side's, which opens a way in for our handshake: it is answered while that goes
    /// on (RFC 5763 section 6.7.2). False: it is none.
    pub(super) fn answer_check(&mut self, component: Component, from: SocketAddr, bytes: &[u8]) -> bool {
        let goes_on =
            self.keys.leg(component).is_some_and(|leg| matches!(leg.state, State::Waiting | State::Running(_)));
        if !goes_on || self.way.is_by_ice(component) {
            return false;
        }
        let Some(answer) = stun::binding_response(bytes, from) else { return false };
        self.transmit_on(component, from, answer);
        true
    }

    /// The next thing that is wanted of whoever makes the handshakes.
    pub fn poll_handshake(&mut self) -> Option<Request> {
        self.keys.requests.pop_front()
    }

    /// What comes of a handshake.
    pub fn handle_handshake(&mut self, now: Instant, reply: Reply) {
        match reply {
            Reply::Transmit { handshake, bytes } => {
                let Some(component) = self.keys.leg_of(handshake).map(|leg| leg.component) else { return };
                if let Some(to) = self.handshake_destination(component) {
                    self.transmit_on(component, to, bytes);
                }
            }
            Reply::Done { handshake, srtp } => {
                let Some(leg) = self.keys.leg_of(handshake) else { return };
                leg.state = State::Done(handshake);
                let (component, source) = (leg.component, leg.source.map(|(source, _)| source));
                self.keys.guard(component).use_keys(&srtp);
                let (Component::Rtp, Some(agreed)) = (component, &mut self.agreed) else { return };
                source.into_iter().for_each(|source| agreed.sources.take(source));
                self.supervision.expect(now, expects_sound(&agreed.media));
                self.out.event(Event::Keyed { suite: srtp.suite() });
            }
            Reply::Failed { handshake, failure } => self.handshake_failed(handshake, failure),
        }
    }

    fn handshake_failed(&mut self, handshake: Handshake, failure: Failure) {
        let Some(leg) = self.keys.leg_of(handshake) else { return };
        let component = leg.component;
        tracing::debug!(?component, %failure, "a handshake has failed");
        // Who is not at the signalled address may be anybody: his failure is not the peer's. And early media may be of a branch
        // of the call that never comes to anything.
        let is_early = failure == Failure::Timeout && !self.microphone_open;
        if leg.deny() || is_early {
            return self.keys.begin(component);
        }
        leg.state = State::Failed;
        match (component, &failure) {
            (Component::Rtp, _) | (Component::Rtcp, Failure::Fingerprint) => {
                self.out.event(Event::KeysFailed(failure));
            }
            // The sound goes on without reports.
            (Component::Rtcp, Failure::Timeout | Failure::NoSuite | Failure::Protocol(_)) => {}
        }
    }
}
