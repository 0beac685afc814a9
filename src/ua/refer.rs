//! Transfers that touch more than one call: an attended one of ours, following one that we are asked for, and a REFER
//! outside any call.

use std::time::Instant;

use crate::sip::transport::Flow;
use crate::sip::{HeaderName, Request, push, set};
use crate::transaction::ServerId;

use super::call::TransferTo;
use super::command::{CommandError, MediaPorts};
use super::config::TransferPolicy;
use super::core::Owner;
use super::event::Event;
use super::referral::{OpenReferral, Referral, Refused, dialog_of_refer};
use super::replaces::{DialogId, target_dialog};
use super::timer::Timer;
use super::{CallNo, UserAgent, identity};

/// Requests to call someone that wait without a call.
const MAX_OPEN: usize = 16;

impl UserAgent {
    /// Joins the peers of two calls of ours (RFC 5589 section 7). Where the target has not answered yet, its call is given
    /// up, and the transfer is a blind one to the same address.
    pub(super) fn transfer_with(&mut self, now: Instant, no: CallNo, with: CallNo) -> Result<(), CommandError> {
        if no == with {
            return Err(CommandError::ToItself(no));
        }
        self.calls.get(&no).ok_or(CommandError::NoSuchCall(no))?.transferable()?;
        let target = self.calls.get(&with).ok_or(CommandError::NoSuchCall(with))?;
        let to = match self.plans.get(&with).filter(|_| target.is_unanswered()) {
            Some(plan) => TransferTo::blind(plan.target()),
            None => target.as_transfer_target()?,
        };
        if target.is_unanswered() {
            self.with_call(with, |call, core| {
                call.hang_up(core, now);
                Ok(())
            })?;
        }
        self.with_call(no, |call, core| call.transfer(core, now, to))
    }

    /// Follows the transfer that the peer of `no` asked for.
    pub(super) fn follow(&mut self, now: Instant, no: CallNo, media: MediaPorts) -> Result<CallNo, CommandError> {
        if self.calls.len() >= self.core.config.max_calls {
            return Err(CommandError::TooManyCalls(self.calls.len()));
        }
        let call = self.calls.get(&no);
        let asked = call.and_then(|call| Some((call.account, call.transfer_asked()?)));
        let open = || self.referrals.get(&no).filter(|open| !open.referral.following);
        let (account, referral) = match asked.or_else(|| open().map(|open| (open.account, &open.referral))) {
            Some((account, referral)) => (account, referral.clone()),
            None => return Err(call.map_or(CommandError::NoSuchCall(no), |call| call.no_transfer_asked())),
        };
        let target = referral.target.clone();
        let new = self.dial(now, account, target, media, Some(referral))?;
        if let Some(call) = self.calls.get_mut(&no).filter(|call| call.transfer_asked().is_some()) {
            call.follow_transfer(&mut self.core);
        } else if let Some(open) = self.referrals.get_mut(&no) {
            self.core.timers.cancel(&Timer::TransferUnanswered(no));
            open.referral.following = true;
            if open.reports_to.is_none() {
                self.referrals.remove(&no);
            }
        }
        if let Some(call) = self.calls.get_mut(&new) {
            call.referrer = Some(no);
        }
        Ok(new)
    }

    /// The person refuses a transfer.
    pub(super) fn refuse_transfer(&mut self, now: Instant, no: CallNo) -> Result<(), CommandError> {
        if let Some(call) = self.calls.get_mut(&no)
            && call.refuse_transfer(&mut self.core, now)
        {
            return Ok(());
        }
        if self.referrals.get(&no).is_some_and(|open| !open.referral.following) {
            self.core.timers.cancel(&Timer::TransferUnanswered(no));
            self.report(now, no, 603, "Decline");
            return Ok(());
        }
        Err(self.calls.get(&no).map_or(CommandError::NoSuchCall(no), |call| call.no_transfer_asked()))
    }

    /// Nobody has decided about a request that belongs to no call.
    pub(super) fn referral_expired(&mut self, now: Instant, no: CallNo) {
        if self.referrals.contains_key(&no) {
            self.report(now, no, 603, "Decline");
            self.core.emit(Event::TransferExpired { call: no });
        }
    }

    /// Tells who sent a REFER outside any call how it goes; a final code ends it.
    pub(super) fn report(&mut self, now: Instant, no: CallNo, code: u16, reason: &str) {
        let Some(open) = self.referrals.get_mut(&no) else { return };
        if let Some((dialog, flow)) = &mut open.reports_to {
            let mut report = open.referral.report(dialog, code, reason);
            let contact = format!("<{}>", self.core.contact(open.account, flow));
            push(&mut report.headers, HeaderName::Contact, contact);
            self.core.send(now, Owner::Nobody, report);
        }
        if code >= 200 {
            self.referrals.remove(&no);
        }
    }

    /// Keeps a request to call someone that belongs to no call (any more), for as long as a person may decide.
    pub(super) fn keep_referral(&mut self, no: CallNo, open: OpenReferral) {
        if self.core.shutting_down || self.referrals.len() >= MAX_OPEN {
            return self.core.emit(Event::TransferExpired { call: no });
        }
        if self.core.config.transfers == TransferPolicy::Ask {
            self.core.timers.set(Timer::TransferUnanswered(no), open.referral.until);
        }
        self.referrals.insert(no, open);
    }

    /// A REFER outside any call (RFC 3515): taken when it names a call of ours (RFC 4538), or from our own servers where that
    /// is configured.
    pub(super) fn handle_refer(&mut self, now: Instant, id: ServerId, flow: Flow, request: &Request) {
        let forbidden = "Only Inside A Call";
        let named = target_dialog(&request.headers).and_then(|dialog| self.call_of_dialog(&dialog));
        let by_server = self.core.config.refer_outside && self.core.is_own_server(None, flow.remote.ip());
        if (named.is_none() && !by_server) || self.core.shutting_down {
            return self.core.refuse(id, 403, forbidden, &[]);
        }
        let referral = match Referral::read(now, request) {
            Ok(referral) => referral,
            Err(Refused { code, reason }) => return self.core.respond(now, id, code, reason, &[]),
        };
        if self.core.config.transfers == TransferPolicy::Refuse {
            return self.core.respond(now, id, 603, "Decline", &[]);
        }
        let is_pending = named.is_some_and(|no| self.referrals.contains_key(&no) || self.has_asked(no));
        if is_pending || self.referrals.len() >= MAX_OPEN {
            let pause = [(HeaderName::RetryAfter, "10")];
            return self.core.respond(now, id, 500, "Another Transfer Is Pending", &pause);
        }
        let tag = self.core.token(8);
        let Some(dialog) = dialog_of_refer(request, &tag) else {
            return self.core.respond(now, id, 400, "Bad Contact", &[]);
        };
        let account = named.and_then(|no| self.calls.get(&no)?.account).or_else(|| self.account_called(request));
        if let Some(mut response) = self.core.response(request, 202, "Accepted") {
            super::core::set_to_tag(&mut response, &tag);
            set(&mut response.headers, HeaderName::Contact, format!("<{}>", self.core.contact(account, &flow)));
            if !referral.reports {
                push(&mut response.headers, HeaderName::ReferSub, "false");
            }
            set(&mut response.headers, HeaderName::ContentLength, "0");
            self.core.tx.respond(now, id, response);
        }
        let no = named.unwrap_or_else(|| self.core.new_call_no());
        let trusted = self.core.is_own_server(account, flow.remote.ip());
        let peer = identity::caller(&request.headers, trusted);
        let (to, by) = (referral.to_text(), Referral::by_text(&request.headers));
        let reports_to = referral.reports.then_some((dialog, flow));
        self.keep_referral(no, OpenReferral { account, referral, reports_to });
        self.report(now, no, 100, "Trying");
        self.core.emit(match self.core.config.transfers {
            TransferPolicy::Follow => Event::TransferDue { call: no, account, peer, to },
            TransferPolicy::Ask | TransferPolicy::Refuse => Event::TransferRequest { call: no, account, peer, to, by },
        });
    }

    fn has_asked(&self, no: CallNo) -> bool {
        self.calls.get(&no).is_some_and(|call| call.transfer_asked().is_some())
    }

    /// The one call that has this dialog.
    fn call_of_dialog(&self, dialog: &DialogId) -> Option<CallNo> {
        let mut calls = self.calls.values().filter(|call| call.replaceable(dialog).is_some()).map(|call| call.no);
        calls.next().filter(|_| calls.next().is_none())
    }
}
