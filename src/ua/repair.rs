//! What is done when the machine's network is another one, or when it has slept: ways are asked for anew, accounts register
//! at once, calls go on from the new address (RFC 3665 section 3.7).

use std::time::Instant;

use bytes::Bytes;

use crate::sip::transport::{Flow, Transport};

use super::core::{Core, Owner};
use super::registration::{self, Registration};
use super::timer::Timer;
use super::ways::Resolve;
use super::{AccountId, UserAgent};

/// Why everything is to be looked at anew.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NetworkChange {
    /// An address or a route is another one, or the network is back.
    Moved,
    /// The machine has slept: bindings may have ended, and calls too.
    Woken,
}

impl UserAgent {
    /// The machine's addresses have changed, or it has slept. Accounts register again at once; calls whose way leaves from
    /// another address now get [`super::Event::AddressChanged`].
    pub fn handle_network_change(&mut self, now: Instant, change: NetworkChange) {
        if self.core.shutting_down {
            return;
        }
        tracing::debug!(?change, "the network has changed");
        self.core.ways.forget();
        let wanted = |(_, registration): &(usize, &Registration)| registration.is_wanted();
        let accounts: Vec<usize> =
            self.registrations.iter().enumerate().filter(wanted).map(|(place, _)| place).collect();
        for account in accounts.into_iter().map(AccountId) {
            self.core.abandon_register(account);
            self.core.forget_registering(account);
            self.with_registration(account, Registration::restart);
            self.register(account, now);
        }
        for call in self.calls.values_mut() {
            call.network_changed(&mut self.core, now, change);
        }
        self.settle(now);
    }

    /// The way to an account's server has failed: it registers anew at once (RFC 5626 section 4.5). When that fails as well
    /// the pauses of the registration begin.
    pub(super) fn flow_failed(&mut self, now: Instant, flow: Flow) {
        let on_it = |core: &Core, place: usize| {
            let way = core.server(now, AccountId(place)).and_then(|server| core.ways.known(&server));
            way.is_some_and(|way| (way.remote, way.transport) == (flow.remote, flow.transport))
        };
        for place in 0..self.registrations.len() {
            let stands = self.registrations.get(place).is_some_and(Registration::stands);
            if stands && on_it(&self.core, place) && !self.core.shutting_down {
                tracing::debug!(account = place, "the way to the registrar has failed");
                self.register(AccountId(place), now);
            }
        }
    }

    /// The accounts whose REGISTER leaves by this connection.
    pub(super) fn accounts_on(&self, now: Instant, flow: &Flow) -> Vec<AccountId> {
        let on_it = |account: &AccountId| {
            let way = self.core.server(now, *account).and_then(|server| self.core.ways.known(&server));
            way.is_some_and(|way| (way.remote, way.transport) == (flow.remote, flow.transport))
        };
        (0..self.registrations.len()).map(AccountId).filter(on_it).collect()
    }

    /// Reminds the translators on the way to an account's server of our flow.
    pub(super) fn keep_alive(&mut self, account: AccountId, now: Instant) {
        let Some(registration) = self.registrations.get(account.0).filter(|_| !self.core.shutting_down) else { return };
        let way = self.core.server(now, account).and_then(|server| self.core.ways.known(&server));
        // Streams have keep-alives, and answers to them, of their own.
        if let Some(way) = way.filter(|way| way.transport == Transport::Udp) {
            self.core.tx.send_bytes(way, Bytes::from_static(KEEP_ALIVE));
        }
        self.core.set_keep_alive(now, account, registration.state());
    }

    /// The ways in use: to the servers of the accounts that register, and of each call. Those that are being asked for
    /// again are not among them.
    pub fn ways(&self, now: Instant) -> Vec<Flow> {
        let accounts = self.registrations.iter().enumerate().filter(|(_, registration)| registration.is_wanted());
        let servers = accounts.filter_map(|(place, _)| self.core.server(now, AccountId(place)));
        let hops = servers.chain(self.calls.values().filter_map(|call| call.next_hop(&self.core)));
        let mut ways: Vec<Flow> = hops.filter_map(|hop| self.core.ways.known(&hop)).collect();
        ways.sort();
        ways.dedup();
        ways
    }
}

/// Two line ends: a receiver that knows no keep-alives takes them for the blanks before a message.
const KEEP_ALIVE: &[u8] = b"\r\n\r\n";

impl Core {
    /// Sets the next keep-alive, as long as the registration holds. RFC 5626 section 4.4: at 80 to 100 % of the pause, and no
    /// later than the registrar asks.
    pub(super) fn set_keep_alive(&mut self, now: Instant, account: AccountId, state: registration::State) {
        let asked = self.granted.get(account.0).and_then(|granted| granted.flow_timer);
        let pause = [asked, self.config.keep_alive].into_iter().flatten().min();
        match pause {
            Some(pause) if state == registration::State::Registered => {
                let pause = pause * (80 + self.below(21)) / 100;
                self.timers.set(Timer::KeepAlive(account), now + pause);
            }
            Some(_) | None => self.timers.cancel(&Timer::KeepAlive(account)),
        }
    }

    /// Nobody waits for the answer to an account's REGISTER any more.
    pub(super) fn abandon_register(&mut self, account: AccountId) {
        let ours = Owner::Registration(account);
        for id in self.clients.all_of(ours) {
            self.tx.abandon_client(id);
            self.clients.forget(id);
        }
        self.failures.retain(|(owner, _)| *owner != ours);
        self.forget_requests(ours);
    }

    /// Asks for a host's addresses; nothing waits for them. They say who our servers are.
    pub(super) fn look_up(&mut self, hop: Resolve) {
        if !self.ways.knows(&hop) {
            self.waits.look_up(hop);
        }
    }
}
