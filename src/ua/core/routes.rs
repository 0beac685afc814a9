//! What an account's requests say of their way: our Contact, the Route, the first server.

use std::net::IpAddr;
use std::time::Instant;

use crate::sip::transport::{Flow, Transport};
use crate::sip::{Host, Uri};

use super::super::AccountId;
use super::super::ways::Resolve;
use super::Core;

impl Core {
    /// Our Contact for an account (or for direct calls) as seen from our side of `flow`.
    pub fn contact(&self, account: Option<AccountId>, flow: &Flow) -> String {
        let place = account.map_or(self.config.accounts.len(), |account| account.0);
        let user = self.contact_users.get(place).map_or("offhook", String::as_str);
        // RFC 3261 sections 8.1.1.8 and 12.1.1: who is a `sips:` address is reached by TLS alone.
        let secure = self.config.accounts.get(place).is_some_and(|account| account.uri.scheme().is_secure());
        if secure && flow.transport == Transport::Tls {
            return format!("sips:{user}@{}", flow.local);
        }
        format!("sip:{user}@{}{}", flow.local, flow.transport.uri_parameter())
    }

    /// Our Contact in a call: the registrar's GRUU (RFC 5627 section 4.3), else the address at which it sees our side of
    /// `flow`.
    pub fn call_contact(&self, account: Option<AccountId>, flow: &Flow) -> String {
        let Some(granted) = account.and_then(|account| self.granted.get(account.0)) else {
            return self.contact(account, flow);
        };
        if let Some(gruu) = &granted.gruu {
            return gruu.to_string();
        }
        let local = granted.seen.filter(|(own, _)| *own == flow.local).map_or(flow.local, |(_, seen)| seen);
        // RFC 5626 section 4.3: what comes in the dialog takes our flow.
        let ob = if granted.outbound { ";ob" } else { "" };
        format!("{}{ob}", self.contact(account, &Flow { local, ..*flow }))
    }

    /// The account whose Contact has this user.
    pub fn account_of_contact(&self, user: &[u8]) -> Option<AccountId> {
        let accounts = self.contact_users.get(..self.config.accounts.len())?;
        accounts.iter().position(|ours| ours.as_bytes() == user).map(AccountId)
    }

    /// The Route of an account's requests outside dialogs: our outbound proxies, then the registrar's Service-Route
    /// (RFC 3608 section 6.1).
    pub fn routes(&self, now: Instant, account: Option<AccountId>) -> Vec<Uri> {
        let own = self.route(now, account);
        let granted = account.and_then(|account| self.granted.get(account.0));
        let service = granted.map(|granted| granted.service_route.as_slice()).unwrap_or_default();
        // Some registrars repeat the proxy that we came through.
        let repeated = own.last().zip(service.first()).is_some_and(|(ours, theirs)| ours.equivalent(theirs));
        own.iter().chain(service.iter().skip(usize::from(repeated))).cloned().collect()
    }

    /// The outbound chain of an account: the first alternative that is not down, else the first.
    pub fn route(&self, now: Instant, account: Option<AccountId>) -> &[Uri] {
        let Some(account) = account.and_then(|account| self.config.accounts.get(account.0)) else { return &[] };
        let mut chains = std::iter::once(&account.route).chain(&account.fallbacks);
        chains.find(|chain| !self.is_down(now, chain)).unwrap_or(&account.route)
    }

    /// Where an account's requests go first: its outbound proxy, else its registrar.
    pub fn server(&self, now: Instant, account: AccountId) -> Option<Resolve> {
        let registrar = &self.config.accounts.get(account.0)?.registrar;
        Resolve::of(self.route(now, Some(account)).first().unwrap_or(registrar)).ok()
    }

    /// Whether an account's requests have another way to begin with than this host.
    pub fn has_alternative(&self, now: Instant, account: Option<AccountId>, hop: &Resolve) -> bool {
        let first = self.route(now, account).first().map(Resolve::of);
        first.is_some_and(|other| other.is_ok_and(|other| other.host != hop.host || other.port != hop.port))
    }

    pub(super) fn is_down(&self, now: Instant, chain: &[Uri]) -> bool {
        let hop = chain.first().map(Resolve::of);
        hop.is_some_and(|hop| hop.map_or(true, |hop| self.ways.is_down(now, &hop)))
    }

    /// Whether `ip` is the address of this account's proxy or registrar (of any account's for `None`).
    pub fn is_own_server(&self, account: Option<AccountId>, ip: IpAddr) -> bool {
        let mut accounts = match account {
            Some(AccountId(place)) => place..place + 1,
            None => 0..self.config.accounts.len(),
        };
        accounts.any(|place| {
            let Some(account) = self.config.accounts.get(place) else { return false };
            // Behind a proxy the registrar may never be looked up, but an address needs no looking up.
            let granted = self.granted.get(place).and_then(|granted| granted.service_route.first());
            let proxies = std::iter::once(&account.route).chain(&account.fallbacks).filter_map(|chain| chain.first());
            proxies.chain([&account.registrar]).chain(granted).any(|server| {
                let known = Resolve::of(server).is_ok_and(|server| self.ways.leads_to(&server, ip));
                known || matches!(server.host(), Some(Host::Ip(server)) if *server == ip)
            })
        })
    }
}
