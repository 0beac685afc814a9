//! How a request of ours leaves: with what every request carries, in a transaction, by a transport that can carry it.

use std::time::Instant;

use crate::sip::transport::{Flow, Transport};
use crate::sip::{CSeq, Header, HeaderName, Message, Method, Request, Response, push, set, via};
use crate::transaction::{ClientId, Failure};

use super::super::auth::{Attempt, Challenger};
use super::super::capabilities::ALLOW;
use super::super::keying::withhold_keys;
use super::super::ways::{Resolve, next_hop};
use super::super::{AccountId, CallNo};
use super::{Core, Owner, Purpose, Waiting};

/// RFC 3261 section 18.1.1: a longer request leaves by a transport with congestion control.
const MAX_DATAGRAM_REQUEST: usize = 1_300;

impl Core {
    /// Sends a request in a transaction of its own: Via, User-Agent and Content-Length are added here. What can't be sent
    /// comes back through [`Core::failures`].
    pub fn send(&mut self, now: Instant, owner: Owner, request: Request) {
        if let Some(flow) = self.seen.way_of(&request) {
            return self.send_by(now, owner, request, flow);
        }
        match next_hop(&request).map(|hop| (self.flow_to(now, &hop), hop)) {
            Ok((Some(flow), _)) => self.send_by(now, owner, request, flow),
            Ok((None, hop)) => {
                if !self.wait_for(hop, Waiting::Request(owner, request)) {
                    self.failures.push_back((owner, Failure::Transport));
                }
            }
            Err(error) => {
                tracing::warn!(uri = %request.uri, %error, "a request can't leave");
                self.failures.push_back((owner, Failure::Transport));
            }
        }
    }

    /// Sends a request by a way that is known.
    pub fn send_by(&mut self, now: Instant, owner: Owner, mut request: Request, flow: Flow) {
        withhold_keys(&mut request, &flow);
        self.finish(&mut request, &flow);
        let flow = self.fit(now, &mut request, flow);
        match self.tx.send_request(now, request, flow) {
            Ok(id) => {
                self.clients.insert(id, owner);
            }
            Err(error) => {
                tracing::warn!(%error, "a request is not sent");
                self.failures.push_back((owner, Failure::Transport));
            }
        }
    }

    /// Sends a REGISTER, by way of the account's outbound proxies.
    pub fn send_register(&mut self, now: Instant, account: AccountId, mut request: Request) {
        for route in self.route(now, Some(account)) {
            push(&mut request.headers, HeaderName::Route, format!("<{route}>"));
        }
        push(&mut request.headers, HeaderName::MaxForwards, "70");
        push(&mut request.headers, HeaderName::Allow, ALLOW);
        self.send(now, Owner::Registration(account), request);
    }

    /// Puts the credentials on a request that will probably be asked for.
    pub fn preauthorize(&mut self, account: usize, request: &mut Request) {
        if let Some(auth) = self.auth.get_mut(account) {
            auth.preauthorize(&mut self.rng, request);
        }
    }

    /// A copy of a call's request with credentials for a 401 or 407, and the next CSeq number of the request (in a dialog
    /// the caller sets the dialog's, see [`super::super::dialog::Dialog::renumber`]). `trusted`: the challenge came
    /// from the account's own registrar or proxy; a peer's is never answered, for that is how passwords are found offline.
    ///
    /// # Errors
    /// Why not, in a person's words.
    pub fn authorize(
        &mut self,
        id: ClientId,
        account: Option<AccountId>,
        trusted: bool,
        attempt: &mut Attempt,
        response: &Response,
    ) -> Result<Request, String> {
        let mut request = self.tx.client_request(id).cloned().ok_or("the request is gone")?;
        let auth = account.and_then(|account| self.auth.get_mut(account.0)).ok_or("a direct call has no password")?;
        let challenger = if trusted { Challenger::Proxy } else { Challenger::Peer };
        auth.answer(&mut self.rng, challenger, attempt, &mut request, response).map_err(|error| error.to_string())?;
        request.headers.remove_first(&HeaderName::Via);
        if let Some(Ok(cseq)) = request.headers.typed::<CSeq>() {
            set(&mut request.headers, HeaderName::CSeq, format!("{} {}", cseq.sequence + 1, cseq.method));
        }
        Ok(request)
    }

    /// Sends an ACK for a 2xx.
    pub fn send_ack(&mut self, now: Instant, mut ack: Request) {
        let Ok(hop) = next_hop(&ack) else { return };
        match self.seen.way_of(&ack).or_else(|| self.flow_to(now, &hop)) {
            Some(flow) => {
                self.finish(&mut ack, &flow);
                self.tx.send_stateless(&Message::Request(ack), flow);
            }
            None => {
                self.wait_for(hop, Waiting::Ack(ack));
            }
        }
    }

    /// Sends the CANCEL of an INVITE that is under way: same branch, same way (RFC 3261 section 9.1).
    pub fn send_cancel(&mut self, now: Instant, call: CallNo) {
        let Some(id) = self.clients.newest_of(Owner::Call(call, Purpose::Invite)) else { return };
        let (Some(invite), Some(flow)) = (self.tx.client_request(id).cloned(), self.tx.client_flow(id)) else { return };
        let mut cancel = Request::new(Method::Cancel, invite.uri.clone());
        for name in [HeaderName::Via, HeaderName::Route, HeaderName::From, HeaderName::To, HeaderName::CallId] {
            for header in invite.headers.get_all(&name) {
                cancel.headers.push(header.clone());
            }
        }
        let sequence = invite.headers.typed::<CSeq>().and_then(Result::ok).map_or(1, |cseq| cseq.sequence);
        push(&mut cancel.headers, HeaderName::CSeq, format!("{sequence} CANCEL"));
        push(&mut cancel.headers, HeaderName::MaxForwards, "70");
        push(&mut cancel.headers, HeaderName::ContentLength, "0");
        self.tx.give_up(now, id);
        if let Ok(id) = self.tx.send_request(now, cancel, flow) {
            self.clients.insert(id, Owner::Nobody);
        }
    }

    /// A call is over: its INVITEs that still wait for an answer are given up after a while.
    pub fn give_up_invites(&mut self, now: Instant, call: CallNo) {
        for purpose in [Purpose::Invite, Purpose::Modify] {
            if let Some(id) = self.clients.newest_of(Owner::Call(call, purpose)) {
                self.tx.give_up(now, id);
            }
        }
    }

    fn finish(&mut self, request: &mut Request, flow: &Flow) {
        let branch = format!("{}{}", via::BRANCH_COOKIE, self.token(12));
        via::push(&mut request.headers, flow, &branch);
        if request.headers.get(&HeaderName::UserAgent).is_none() {
            push(&mut request.headers, HeaderName::UserAgent, self.config.user_agent.clone());
        }
        let length = request.body().len().to_string();
        set(&mut request.headers, HeaderName::ContentLength, length);
    }

    /// RFC 3261 section 18.1.1: a request that is too long for a datagram leaves by TCP, unless its URI fixes UDP or TCP has
    /// just failed there.
    fn fit(&mut self, now: Instant, request: &mut Request, flow: Flow) -> Flow {
        let fixed = || !matches!(next_hop(request), Ok(Resolve { transport: None, .. }));
        if flow.transport != Transport::Udp || length(request) <= MAX_DATAGRAM_REQUEST || fixed() {
            return flow;
        }
        let tcp = Flow { transport: Transport::Tcp, ..flow };
        if self.ways.rests(now, &tcp) {
            return flow;
        }
        if let Some(via) = request.headers.remove_first(&HeaderName::Via) {
            let value = String::from_utf8_lossy(&via.value()).replacen("SIP/2.0/UDP", "SIP/2.0/TCP", 1);
            request.headers.push_front(Header::build(HeaderName::Via, value).unwrap_or(via));
        }
        tcp
    }
}

/// How long a request is on the wire, to be exact only where it matters.
fn length(request: &Request) -> usize {
    let fields: usize = request.headers.iter().map(|header| header.value().len() + 24).sum();
    let estimate = 120 + fields + request.body().len();
    if estimate <= MAX_DATAGRAM_REQUEST { estimate } else { Message::Request(request.clone()).to_bytes().len() }
}
