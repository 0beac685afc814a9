//! What waits for a host's address, and which hosts are to be looked up for it.

use std::collections::VecDeque;
use std::time::Instant;

use crate::sip::Request;
use crate::sip::transport::Flow;

use super::super::ways::Resolve;
use super::super::{AccountId, CallNo, SubscriptionId, Timer};
use super::{Core, Owner};

/// Requests that wait for their host's address.
const MAX_WAITING: usize = 1_000;

/// What waits for a host's address.
#[derive(Debug)]
pub enum Waiting {
    /// A call that is to begin.
    Dial(CallNo),
    /// A registration that is to begin.
    Register(AccountId),
    /// A standing call whose way may have changed.
    Repair(CallNo),
    /// A subscription that is to begin.
    Subscribe(SubscriptionId),
    /// A request inside a dialog.
    Request(Owner, Request),
    /// An ACK for a 2xx.
    Ack(Request),
}

/// All that waits, in the order in which it came.
#[derive(Debug, Default)]
pub struct Waits {
    waiting: Vec<(Resolve, Waiting)>,
    resolves: VecDeque<Resolve>,
}

impl Waits {
    /// Whether nothing waits.
    pub fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }

    /// The next host whose ways are to be found.
    pub fn poll_resolve(&mut self) -> Option<Resolve> {
        self.resolves.pop_front()
    }

    /// Asks for a host's ways; nothing waits for them.
    pub fn look_up(&mut self, hop: Resolve) {
        if !self.resolves.contains(&hop) {
            self.resolves.push_back(hop);
        }
    }

    /// Drops what `over` says.
    fn forget(&mut self, over: impl Fn(&Waiting) -> bool) {
        self.waiting.retain(|(_, what)| !over(what));
    }
}

impl Core {
    /// The way to a host, if it is known now.
    pub fn flow_to(&self, now: Instant, hop: &Resolve) -> Option<Flow> {
        self.ways.flow_to(now, hop)
    }

    /// Asks for the way to a host; `what` goes on when it is known. False: too much waits already.
    pub fn wait_for(&mut self, hop: Resolve, what: Waiting) -> bool {
        let waits = &mut self.waits;
        if waits.waiting.len() >= MAX_WAITING {
            return false;
        }
        if !waits.waiting.iter().any(|(other, _)| *other == hop) {
            waits.resolves.push_back(hop.clone());
        }
        waits.waiting.push((hop, what));
        true
    }

    /// Takes the ways to a host, and gives back whether there are any, and what has waited for them. A look-up that fails
    /// leaves the ways that were known: a call that stands must be able to end while the name server is away.
    pub fn resolved(&mut self, now: Instant, hop: &Resolve, flows: Vec<Flow>) -> (bool, Vec<Waiting>) {
        let found = self.ways.learn(now, hop, flows);
        let (ready, still) = std::mem::take(&mut self.waits.waiting).into_iter().partition(|(other, _)| other == hop);
        self.waits.waiting = still;
        let ready: Vec<(Resolve, Waiting)> = ready;
        (found, ready.into_iter().map(|(_, what)| what).collect())
    }

    /// Drops what waits for a call that is over.
    pub fn forget_waiting(&mut self, call: CallNo) {
        self.waits.forget(|what| {
            matches!(what, Waiting::Dial(other) | Waiting::Repair(other) | Waiting::Request(Owner::Call(other, _), _) if *other == call)
        });
    }

    /// Drops what would register an account as soon as its registrar's address is known.
    pub fn forget_registering(&mut self, account: AccountId) {
        self.waits.forget(|what| matches!(what, Waiting::Register(other) if *other == account));
        self.timers.cancel(&Timer::Registration(account));
    }

    /// Drops an owner's requests that could not leave yet.
    pub fn forget_requests(&mut self, owner: Owner) {
        self.waits.forget(|what| matches!(what, Waiting::Request(other, _) if *other == owner));
    }
}
