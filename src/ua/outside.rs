//! Requests from outside that no call has seen before: who may ring, and what is answered outside any dialog.

use std::time::Instant;

use crate::sip::transport::Flow;
use crate::sip::{HeaderName, Method, Request, text};
use crate::transaction::ServerId;

use super::call::{self, Alerting, Call, Incoming};
use super::capabilities::ALLOW;
use super::event::Event;
use super::replacing::NotReplaced;
use super::{AccountId, UserAgent, dialog, request};

impl UserAgent {
    pub(super) fn handle_request(&mut self, now: Instant, id: ServerId, flow: Flow, request: &Request) {
        if let Some(objection) = request::inspect(request) {
            self.counters.refused += 1;
            let extra: Vec<(HeaderName, &str)> =
                objection.extra.iter().map(|(name, value)| (name.clone(), value.as_str())).collect();
            return self.core.respond(now, id, objection.code, objection.reason, &extra);
        }
        if dialog::to_tag(&request.headers).is_some() {
            if let Some(call) = self.calls.values_mut().find(|call| call.has_dialog(&request.headers)) {
                return call.handle_request(&mut self.core, now, id, flow, request);
            }
            return match self
                .calls
                .values_mut()
                .find_map(|call| call.has_early_dialog(&request.headers).then_some(call))
            {
                Some(call) => call.handle_early_request(&mut self.core, now, id, flow, request),
                None => self.core.respond(now, id, 481, "Call/Transaction Does Not Exist", &[]),
            };
        }
        match request.method {
            Method::Invite => self.handle_invite(now, id, flow, request),
            Method::Options => self.handle_options(now, id),
            Method::Notify => self.handle_notify(now, id, flow, request),
            Method::Refer => self.handle_refer(now, id, flow, request),
            _ => self.core.respond(now, id, 481, "Call/Transaction Does Not Exist", &[]),
        }
    }

    pub(super) fn handle_cancel(&mut self, now: Instant, id: ServerId, invite: Option<ServerId>) {
        let Some(invite) = invite else {
            return self.core.respond(now, id, 481, "Call/Transaction Does Not Exist", &[]);
        };
        let call = self.calls.values_mut().find(|call| call.ringing_invite() == Some(invite));
        match (call, self.core.tx.server_request(id).cloned()) {
            (Some(call), Some(cancel)) => call.cancelled(&mut self.core, now, id, invite, &cancel),
            // It has its final response already: the CANCEL changes nothing (RFC 3261 section 9.2).
            _ => self.core.respond(now, id, 200, "OK", &[]),
        }
    }

    /// RFC 3261 section 11.2.
    fn handle_options(&mut self, now: Instant, id: ServerId) {
        let extra = [
            (HeaderName::Allow, ALLOW),
            (HeaderName::Accept, "application/sdp"),
            (HeaderName::AcceptEncoding, "identity"),
            (HeaderName::AcceptLanguage, "en"),
        ];
        self.core.respond(now, id, 200, "OK", &extra);
    }

    /// Message waiting comes without a subscription from many PBXs (RFC 3842); nothing else does.
    fn handle_notify(&mut self, now: Instant, id: ServerId, flow: Flow, request: &Request) {
        let event = text(&request.headers, &HeaderName::Event).to_ascii_lowercase();
        if event.split(';').next().map(str::trim) != Some("message-summary") {
            return self.core.respond(now, id, 489, "Bad Event", &[]);
        }
        if !self.core.is_own_server(None, flow.remote.ip()) && !self.core.config.direct_calls {
            return self.core.respond(now, id, 403, "Forbidden", &[]);
        }
        self.core.respond(now, id, 200, "OK", &[]);
        let account = self.account_called(request);
        let (new, old) = voice_messages(&String::from_utf8_lossy(request.body()));
        self.core.emit(Event::MessageWaiting { account, new, old });
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

    fn handle_invite(&mut self, now: Instant, id: ServerId, flow: Flow, request: &Request) {
        if self.calls.values().any(|call| call.is_merged(request)) {
            return self.core.respond(now, id, 482, "Loop Detected", &[]);
        }
        let to_contact = request.uri.user().is_some_and(|user| self.core.account_of_contact(user).is_some());
        let welcome = self.core.config.direct_calls || to_contact || self.core.is_own_server(None, flow.remote.ip());
        if !welcome {
            self.counters.strangers += 1;
            return self.core.respond(now, id, 404, "Not Found", &[]);
        }
        if self.core.shutting_down {
            return self.core.respond(now, id, 480, "Temporarily Unavailable", &[]);
        }
        let body = String::from_utf8_lossy(request.body()).into_owned();
        let offer = (call::content_type(request) == "application/sdp" && !body.trim().is_empty()).then_some(body);
        if let Some(offer) = &offer
            && let Err(refusal) = self.core.try_offer(offer, flow.local.ip())
        {
            return call::refuse_offer(&mut self.core, now, id, &refusal);
        }
        let of_ours = to_contact || self.core.is_own_server(None, flow.remote.ip());
        let replaces = match self.call_to_replace(now, &request.headers, of_ours) {
            Ok(replaces) => replaces,
            Err(NotReplaced { code, reason }) => return self.core.respond(now, id, code, reason, &[]),
        };
        if replaces.is_none() && self.calls.len() >= self.core.config.max_calls {
            return self.core.respond(now, id, 486, "Busy Here", &[]);
        }
        let account = self.account_called(request);
        let alerting = match replaces {
            // RFC 3891 section 3: it is a call that stands already.
            Some(_) => Alerting::AnswerNow,
            None => Alerting::choose(&self.core, self.calls.len()),
        };
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

/// `Voice-Message: 2/8` of a message summary (RFC 3842 section 5.2); `Messages-Waiting: yes` alone counts as one.
fn voice_messages(body: &str) -> (u32, u32) {
    let mut waiting = 0;
    for line in body.lines() {
        let Some((name, value)) = line.split_once(':') else { continue };
        if name.trim().eq_ignore_ascii_case("voice-message") {
            let counts = value.split('(').next().unwrap_or_default();
            let mut counts = counts.split('/').map(|count| count.trim().parse().unwrap_or(0));
            return (counts.next().unwrap_or(0), counts.next().unwrap_or(0));
        }
        if name.trim().eq_ignore_ascii_case("messages-waiting") && value.trim().eq_ignore_ascii_case("yes") {
            waiting = 1;
        }
    }
    (waiting, 0)
}

#[cfg(test)]
mod tests {
    use super::voice_messages;

    #[test]
    fn a_message_summary_is_counted() {
        assert_eq!(voice_messages("Messages-Waiting: yes\r\nVoice-Message: 2/8 (0/2)\r\n"), (2, 8));
        assert_eq!(voice_messages("messages-waiting: YES\r\n"), (1, 0));
        assert_eq!(voice_messages("Messages-Waiting: no\r\n"), (0, 0));
    }
}
