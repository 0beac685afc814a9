//! Requests from outside that no call has seen before: who may ring, and what is answered outside any dialog.

use std::time::Instant;

use crate::sip::body::Content;
use crate::sip::transport::Flow;
use crate::sip::{HeaderName, Method, Request};
use crate::transaction::ServerId;

use super::call::{self, Alerting, Call, Incoming};
use super::capabilities::{ACCEPT, ALLOW, ALLOW_EVENTS, supported};
use super::replacing::NotReplaced;
use super::subscription::content::event_of;
use super::subscription::mwi::Summary;
use super::subscription::{is_known, message_waiting};
use super::{AccountId, UserAgent, dialog, request};

/// Calls beyond `max_calls` that may wait for a decision.
const SPARE_CALLS: usize = 8;
/// What came in and was not understood or not wanted, counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Counters {
    /// Datagrams that are no SIP message: dropped.
    pub malformed: u64,
    /// Requests refused by the checks of RFC 3261 section 8.2.
    pub refused: u64,
    /// INVITEs from strangers: 404.
    pub strangers: u64,
    /// INVITEs from a source that has rung too often of late: 480.
    pub too_many: u64,
}

impl UserAgent {
    pub(super) fn handle_request(&mut self, now: Instant, id: ServerId, flow: Flow, request: &Request) {
        if let Some(objection) = request::inspect(request) {
            self.counters.refused += 1;
            let extra: Vec<(HeaderName, &str)> =
                objection.extra.iter().map(|(name, value)| (name.clone(), value.as_str())).collect();
            return self.core.refuse(id, objection.code, objection.reason, &extra);
        }
        if dialog::to_tag(&request.headers).is_some() {
            if let Some(call) = self.calls.find_mut(&request.headers, |call| call.has_dialog(&request.headers)) {
                if request.method != Method::Message {
                    return call.handle_request(&mut self.core, now, id, flow, request);
                }
                let account = call.account;
                return match call.accept_seq(request) {
                    true => self.handle_message(now, id, flow, request, account),
                    false => self.core.respond(now, id, 500, "Out of Order", &[]),
                };
            }
            return match self.calls.find_mut(&request.headers, |call| call.has_early_dialog(&request.headers)) {
                Some(call) => call.handle_early_request(&mut self.core, now, id, flow, request),
                None if request.method == Method::Notify => self.handle_notification(now, id, request),
                None => self.core.refuse(id, 481, "Call/Transaction Does Not Exist", &[]),
            };
        }
        match request.method {
            Method::Invite => self.handle_invite(now, id, flow, request),
            Method::Options => self.handle_options(id, flow, request),
            Method::Notify => self.handle_notify(now, id, flow, request),
            Method::Message => {
                let account = self.account_called(request);
                self.handle_message(now, id, flow, request, account);
            }
            Method::Refer => self.handle_refer(now, id, flow, request),
            _ => self.core.refuse(id, 481, "Call/Transaction Does Not Exist", &[]),
        }
    }

    pub(super) fn handle_cancel(&mut self, now: Instant, id: ServerId, invite: Option<ServerId>) {
        let Some(invite) = invite else {
            return self.core.refuse(id, 481, "Call/Transaction Does Not Exist", &[]);
        };
        let cancel = self.core.tx.server_request(id).cloned();
        let ringing = |call: &mut Call| call.ringing_invite() == Some(invite);
        let call = cancel.as_ref().and_then(|cancel| self.calls.find_mut(&cancel.headers, ringing));
        match (call, cancel.as_ref()) {
            (Some(call), Some(cancel)) => call.cancelled(&mut self.core, now, id, invite, cancel),
            // It has its final response already: the CANCEL changes nothing (RFC 3261 section 9.2).
            _ => self.core.respond(now, id, 200, "OK", &[]),
        }
    }

    /// RFC 3261 section 11.2: as an INVITE would be answered now, with what we can.
    fn handle_options(&mut self, id: ServerId, flow: Flow, request: &Request) {
        let supported = supported().unwrap_or_default();
        let extra = [
            (HeaderName::Allow, ALLOW),
            (HeaderName::Accept, ACCEPT),
            (HeaderName::AcceptEncoding, "identity"),
            (HeaderName::AcceptLanguage, "en"),
            (HeaderName::Supported, supported.as_str()),
            (HeaderName::AllowEvents, ALLOW_EVENTS),
        ];
        let (code, reason) = match () {
            () if !self.is_welcome(flow, request) => (404, "Not Found"),
            () if self.core.shutting_down => (480, "Temporarily Unavailable"),
            () if self.calls.len() >= self.core.config.max_calls => (486, "Busy Here"),
            () => (200, "OK"),
        };
        self.core.refuse(id, code, reason, &extra);
    }

    /// Message waiting comes without a subscription from many PBXs (RFC 3842); nothing else does.
    fn handle_notify(&mut self, now: Instant, id: ServerId, flow: Flow, request: &Request) {
        match event_of(request).0.as_str() {
            "message-summary" => {}
            // RFC 6665 section 4.1.3: known, but nobody subscribed.
            event if is_known(event) => {
                return self.core.refuse(id, 481, "Subscription Does Not Exist", &[]);
            }
            _ => return self.core.refuse(id, 489, "Bad Event", &[(HeaderName::AllowEvents, ALLOW_EVENTS)]),
        }
        if !self.core.is_own_server(None, flow.remote.ip()) && !self.core.config.direct_calls {
            return self.core.refuse(id, 403, "Forbidden", &[]);
        }
        self.core.respond(now, id, 200, "OK", &[]);
        let account = self.account_called(request);
        if let Some(summary) = Summary::parse(&String::from_utf8_lossy(request.body())) {
            self.core.emit(message_waiting(account, &summary));
        }
    }

    /// The account that a request is for: by our random Contact user, then by the To user.
    pub(super) fn account_called(&self, request: &Request) -> Option<AccountId> {
        if let Some(account) = request.uri.user().and_then(|user| self.core.account_of_contact(user)) {
            return Some(account);
        }
        let to = request.headers.typed::<crate::sip::To>().and_then(Result::ok)?;
        let user = to.uri.user()?.to_vec();
        let host = to.uri.host().cloned();
        let accounts = self.core.config.accounts.iter();
        let same_user: Vec<(usize, bool)> = accounts
            .enumerate()
            .filter(|(_, account)| account.uri.user() == Some(user.as_slice()))
            .map(|(place, account)| {
                let same_host = account.uri.host().zip(host.as_ref()).is_some_and(|(a, b)| a.equivalent(b));
                (place, same_host)
            })
            .collect();
        let best = same_user.iter().find(|(_, same_host)| *same_host).or(same_user.first());
        best.map(|(place, _)| AccountId(*place))
    }

    /// Who may ring, and write: everybody where `direct_calls` is on, else our servers and who knows our random Contact.
    pub(super) fn is_welcome(&self, flow: Flow, request: &Request) -> bool {
        self.core.config.direct_calls || self.is_of_ours(flow, request)
    }

    /// Whether a request came by one of our own servers, or from who knows our random Contact.
    fn is_of_ours(&self, flow: Flow, request: &Request) -> bool {
        let to_contact = request.uri.user().is_some_and(|user| self.core.account_of_contact(user).is_some());
        to_contact || self.core.is_own_server(None, flow.remote.ip())
    }

    fn handle_invite(&mut self, now: Instant, id: ServerId, flow: Flow, request: &Request) {
        let key = call::InviteKey::of(request);
        let over = self.merged.knows(now, self.core.tx.timers().timeout(), &key);
        if over || self.calls.find_mut(&request.headers, |call| call.invite_key.as_ref() == Some(&key)).is_some() {
            return self.core.respond(now, id, 482, "Loop Detected", &[]);
        }
        if !self.is_welcome(flow, request) {
            self.counters.strangers += 1;
            return self.core.refuse(id, 404, "Not Found", &[]);
        }
        if self.core.shutting_down {
            return self.core.respond(now, id, 480, "Temporarily Unavailable", &[]);
        }
        let offer = Content::of(&request.headers, request.body()).session();
        if let Some(offer) = &offer
            && let Err(refusal) = self.core.try_offer(offer, &flow, self.account_called(request))
        {
            return call::refuse_offer(&mut self.core, now, id, &refusal);
        }
        let of_ours = self.is_of_ours(flow, request);
        let replaces = match self.call_to_replace(now, &request.headers, of_ours) {
            Ok(replaces) => replaces,
            Err(NotReplaced { code, reason }) => return self.core.respond(now, id, code, reason, &[]),
        };
        // Whoever decides may have something better than 486 for one call too many.
        let spare = if self.core.asks_before_ringing { SPARE_CALLS } else { 0 };
        if replaces.is_none() && self.calls.len() >= self.core.config.max_calls + spare {
            // With its transaction: when this INVITE comes again a place may be free, and it must not ring then.
            return self.core.respond(now, id, 486, "Busy Here", &[]);
        }
        let account = self.account_called(request);
        let alerting = match (replaces, self.core.asks_before_ringing) {
            // RFC 3891 section 3: it is a call that stands already.
            (Some(_), _) => Alerting::AnswerNow,
            (None, true) => Alerting::Ask,
            (None, false) => Alerting::choose(&self.core, self.calls.len()),
        };
        let for_a_person = matches!(alerting, Alerting::Ask | Alerting::Ring);
        let is_stranger = !self.core.is_own_server(None, flow.remote.ip());
        if for_a_person && is_stranger && !self.doorbell.rings(now, flow.remote.ip()) {
            self.counters.too_many += 1;
            return self.core.respond(now, id, 480, "Temporarily Unavailable", &[]);
        }
        let no = self.core.new_call_no();
        let incoming = Incoming { id, flow, request, offer, account, alerting, replaces };
        match Call::ring(&mut self.core, now, no, incoming) {
            Some(call) => {
                self.calls.insert(no, call);
            }
            None => self.core.respond(now, id, 400, "Bad Contact", &[]),
        }
    }
}
