//! What the transactions say, handed to whom it concerns, and what is over, cleared away.

use std::time::{Duration, Instant};

use crate::sip::transport::Flow;
use crate::sip::{HeaderName, Method, Response, number};
use crate::transaction::{self, ClientId, Failure};

use super::core::{Owner, Purpose};
use super::registration::{NoAnswer, Registration};
use super::{Event, FollowUp, UserAgent, call};

impl UserAgent {
    /// Hands on what the transactions say, until nothing is left, and clears away the calls that are over.
    pub(super) fn settle(&mut self, now: Instant) {
        loop {
            if let Some(event) = self.core.tx.poll_event() {
                self.handle_transaction(now, event);
            } else if let Some((owner, failure)) = self.core.failures.pop_front() {
                self.handle_failure(now, owner, failure);
            } else {
                self.pump_registrations(now);
                if self.core.failures.is_empty() {
                    break;
                }
            }
        }
        while let Some(no) = self.core.over.pop_front() {
            let call = self.calls.remove(&no);
            if let Some(call) = &call {
                self.core.seen.forget(call.call_id());
            }
            self.plans.remove(&no);
            let Some(mut call) = call else { continue };
            if let Some(key) = call.invite_key {
                self.merged.remember(now, key);
            }
            if let Some(dialog) = call.ended_dialog() {
                self.remember_ended(now, dialog);
            }
            if let Some(open) = call.open_referral() {
                self.keep_referral(no, open);
            }
            if let Some((referrer, code)) = call.referrer.map(|referrer| (referrer, call.end_code())) {
                // It has had no answer that could have been told.
                self.follow_up(now, FollowUp::Notify { referrer, code, reason: String::new() });
            }
        }
        if self.core.shutting_down && !self.quiet_told && self.is_shut_down() {
            self.quiet_told = true;
            self.core.emit(Event::Quiet);
        }
    }

    fn is_shut_down(&self) -> bool {
        self.calls.is_empty()
            && !self.core.awaits_answers()
            && self.subscriptions.is_idle()
            && self.registrations.iter().all(Registration::is_idle)
    }

    fn handle_transaction(&mut self, now: Instant, event: transaction::Event) {
        match &event {
            transaction::Event::Request { flow, request, .. } if request.method != Method::Register => {
                self.core.seen.note(&request.headers, flow);
            }
            transaction::Event::Response { flow, response, .. } if response.status.is_success() => {
                self.core.seen.note(&response.headers, flow);
            }
            _ => {}
        }
        match event {
            transaction::Event::Request { id, flow, request } => self.handle_request(now, id, flow, &request),
            transaction::Event::Ack { request, .. } => {
                if let Some(call) = self.calls.find_mut(&request.headers, |call| call.has_dialog(&request.headers)) {
                    call.handle_ack(&mut self.core, now, &request);
                }
            }
            transaction::Event::Cancel { id, invite } => self.handle_cancel(now, id, invite),
            transaction::Event::Response { id, flow, response } => self.handle_response(now, id, flow, *response),
            transaction::Event::StrayResponse { response, .. } => {
                if response.status.is_success() {
                    for no in self.calls.with_call_id(&response.headers) {
                        if let Some(call) = self.calls.get_mut(&no) {
                            call.stray_2xx(&mut self.core, now, &response);
                        }
                    }
                }
            }
            transaction::Event::Failed { id, failure } => {
                if !self.send_elsewhere(now, id, None) {
                    let owner = self.core.clients.owner(id);
                    self.note_why(id, owner);
                    self.handle_failure(now, owner, failure);
                }
            }
            transaction::Event::Unacknowledged { .. } | transaction::Event::ServerEnded { .. } => {}
            transaction::Event::ClientEnded { id } => self.core.clients.forget(id),
        }
    }

    fn handle_response(&mut self, now: Instant, id: ClientId, flow: Flow, response: Response) {
        if let Some(way) = self.core.tx.client_flow(id) {
            if response.status.code() != 503 {
                self.core.ways.wake(&way);
            } else {
                let pause = number(&response.headers, &HeaderName::RetryAfter);
                if self.send_elsewhere(now, id, pause.map(|seconds| Duration::from_secs(seconds.into()))) {
                    return;
                }
            }
        }
        match self.core.clients.owner(id) {
            Owner::Registration(account) => {
                if let Some(registration) = self.registrations.get_mut(account.0) {
                    self.core.with_auth(account, |auth, rng| registration.handle_response(now, rng, auth, &response));
                }
            }
            Owner::Call(no, purpose) => match self.calls.get_mut(&no) {
                Some(call) => {
                    let news = call.handle_response(&mut self.core, now, id, purpose, flow, response);
                    for news in news {
                        self.follow_up(now, news);
                    }
                }
                None => self.end_late_answer(now, id, &response),
            },
            Owner::Subscription(subscription) => self.subscription_response(now, subscription, id, flow, &response),
            Owner::Message(message) => self.message_response(now, message, id, flow, &response),
            Owner::Nobody => {}
        }
    }

    /// Sends a request that failed to the next target (RFC 3263 section 4.3); false: there is none, or nobody wants it.
    fn send_elsewhere(&mut self, now: Instant, id: ClientId, pause: Option<Duration>) -> bool {
        let account = match self.core.clients.owner(id) {
            Owner::Registration(account) => Some(account),
            Owner::Call(no, purpose) => {
                let Some(call) = self.calls.get_mut(&no) else { return false };
                if purpose == Purpose::Invite && !call.may_go_elsewhere() {
                    return false;
                }
                call.account
            }
            Owner::Subscription(subscription) => self.subscriptions.account_of(subscription),
            Owner::Message(message) => self.message_account(message),
            Owner::Nobody => None,
        };
        self.core.send_elsewhere(now, id, account, pause)
    }

    /// Gives the call or the registration whose request failed the reason that the network told.
    fn note_why(&mut self, id: ClientId, owner: Owner) {
        let words = self.core.tx.client_flow(id).and_then(|flow| self.core.failure_words(&flow));
        match owner {
            Owner::Registration(account) => {
                self.core.reasons.remove(&account);
                self.core.reasons.extend(words.map(|words| (account, words)));
            }
            Owner::Call(no, _) => {
                if let Some(call) = self.calls.get_mut(&no) {
                    call.network_words = words;
                }
            }
            Owner::Subscription(_) | Owner::Message(_) | Owner::Nobody => {}
        }
    }

    /// A 2xx to an INVITE whose call is gone: acknowledged, and ended (RFC 3261 section 13.2.2.4).
    fn end_late_answer(&mut self, now: Instant, id: ClientId, response: &Response) {
        let Some(request) = self.core.tx.client_request(id).cloned() else { return };
        if response.status.is_provisional() {
            self.core.tx.give_up(now, id);
        }
        if request.method == Method::Invite && response.status.is_success() {
            call::end_branch(&mut self.core, now, id, &request, response);
        }
    }

    fn handle_failure(&mut self, now: Instant, owner: Owner, failure: Failure) {
        match owner {
            Owner::Registration(account) => {
                let why = match failure {
                    Failure::Timeout => NoAnswer::Timeout,
                    Failure::Transport => NoAnswer::Transport,
                };
                if let Some(registration) = self.registrations.get_mut(account.0) {
                    registration.handle_no_answer(now, self.core.rng(), why);
                }
            }
            Owner::Call(no, purpose) => {
                if let Some(call) = self.calls.get_mut(&no) {
                    call.handle_failure(&mut self.core, now, purpose, failure);
                }
            }
            Owner::Subscription(id) => self.subscription_failure(now, id, failure),
            Owner::Message(message) => self.message_failure(now, message, failure),
            Owner::Nobody => {}
        }
    }

    fn follow_up(&mut self, now: Instant, follow_up: FollowUp) {
        match follow_up {
            FollowUp::Notify { referrer, code, reason } => {
                match self.calls.get_mut(&referrer).filter(|call| call.follows_transfer()) {
                    Some(call) => call.notify(&mut self.core, now, code, &reason),
                    None => self.report(now, referrer, code, &reason),
                }
            }
        }
    }
}
