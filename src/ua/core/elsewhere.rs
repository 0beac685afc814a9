//! When a way fails: the request goes by the next, and why the first failed is kept in words.

use std::time::{Duration, Instant};

use crate::sip::transport::{Flow, Transport};
use crate::sip::{HeaderName, push};
use crate::transaction::ClientId;

use super::super::identity::printable;
use super::super::ways::next_hop;
use super::super::{AccountId, dialog};
use super::{Core, Owner};

/// Targets whose failure is remembered in words.
const MAX_WORDS: usize = 256;

impl Core {
    /// Sends a request that had no luck by the next way, as a new transaction (RFC 3263 section 4.3): to the next target of
    /// its host, else by the account's next alternative. The target that failed rests. False: there is no other way.
    pub fn send_elsewhere(
        &mut self,
        now: Instant,
        id: ClientId,
        account: Option<AccountId>,
        pause: Option<Duration>,
    ) -> bool {
        let (Some(request), Some(failed)) = (self.tx.client_request(id), self.tx.client_flow(id)) else { return false };
        let mut request = request.clone();
        self.ways.rest(now, &failed, pause);
        request.headers.remove_first(&HeaderName::Via);
        let owner = self.clients.owner(id);
        let Ok(hop) = next_hop(&request) else { return false };
        // RFC 3261 section 18.1.1: what was too long for UDP goes by UDP all the same where TCP fails.
        let was_long = failed.transport == Transport::Tcp && hop.transport.is_none() && !hop.secure;
        let udp = was_long.then_some(Flow { transport: Transport::Udp, ..failed });
        let udp = udp.filter(|flow| !self.ways.rests(now, flow));
        let same_side = |flow: &Flow| flow.local.ip() == failed.local.ip();
        if let Some(flow) = udp.or_else(|| self.ways.another(now, &hop)).filter(same_side) {
            tracing::debug!(failed = %failed.remote, next = %flow.remote, "a request goes to the next target");
            self.clients.disown(id);
            self.send_by(now, owner, request, flow);
            return true;
        }
        let in_dialog = dialog::to_tag(&request.headers).is_some();
        let chain = match owner {
            Owner::Registration(_) => self.route(now, account).to_vec(),
            Owner::Call(..) | Owner::Subscription(_) | Owner::Message(_) | Owner::Nobody => self.routes(now, account),
        };
        if in_dialog || self.route(now, account).is_empty() || self.is_down(now, &chain) {
            return false;
        }
        request.headers.remove_all(&HeaderName::Route);
        // Route comes before Max-Forwards in what we write; its place means nothing.
        for route in &chain {
            push(&mut request.headers, HeaderName::Route, format!("<{route}>"));
        }
        self.clients.disown(id);
        self.send(now, owner, request);
        true
    }

    /// Keeps in mind why a target can't be reached.
    pub fn note_failure(&mut self, flow: &Flow, reason: &str) {
        if self.words.len() >= MAX_WORDS {
            self.words.clear();
        }
        self.words.insert((flow.transport, flow.remote), printable(reason));
    }

    /// Why a target could not be reached, if that is known.
    pub fn failure_words(&mut self, flow: &Flow) -> Option<String> {
        self.words.remove(&(flow.transport, flow.remote))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Config, user_agent};
    use crate::sip::{Method, RequestBuilder, Uri};
    use crate::ua::ways::Resolve;

    #[test]
    fn a_request_that_went_elsewhere_leaves_nothing_of_its_first_transaction() {
        let now = Instant::now();
        let mut core = Core::new(user_agent(&Config::default()).unwrap(), [7; 32]);
        let uri = Uri::parse("sip:bob@example.com".into()).unwrap();
        let ways = ["192.0.2.1:5060", "192.0.2.2:5060"].map(|remote| Flow {
            transport: Transport::Udp,
            local: "192.0.2.9:5060".parse().unwrap(),
            remote: remote.parse().unwrap(),
        });
        core.resolved(now, &Resolve::of(&uri).unwrap(), ways.to_vec());
        let owner = Owner::Message(1);
        let request =
            RequestBuilder::new(Method::Message, uri).header(HeaderName::CSeq, "1 MESSAGE".to_owned()).unwrap().build();
        core.send(now, owner, request);
        let first = core.clients.newest_of(owner).unwrap();
        assert!(core.send_elsewhere(now, first, None, None));
        let second = core.clients.newest_of(owner).unwrap();
        assert_ne!(first, second);
        for id in [first, second] {
            core.clients.forget(id);
        }
        assert_eq!(core.clients.newest_of(owner), None);
    }
}
