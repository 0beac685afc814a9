//! Being transferred (RFC 3515 section 2.4.2): the peer asks us to call someone else.

use std::time::Instant;

use crate::sip::{HeaderName, Request, push, set};
use crate::transaction::ServerId;

use super::super::command::CommandError;
use super::super::config::TransferPolicy;
use super::super::core::{Core, Owner};
use super::super::event::Event;
use super::super::referral::{OpenReferral, Referral, Refused};
use super::super::timer::Timer;
use super::{Call, Phase};

impl Call {
    /// REFER inside the dialog (RFC 3515 section 2.4.2): 202 at once, for it can't wait for a person.
    pub(super) fn handle_refer(&mut self, cx: &mut Core, now: Instant, id: ServerId, request: &Request) {
        let referral = match Referral::read(now, request) {
            Ok(referral) => referral,
            Err(Refused { code, reason }) => return cx.respond(now, id, code, reason, &[]),
        };
        if cx.config.transfers == TransferPolicy::Refuse {
            return cx.respond(now, id, 603, "Decline", &[]);
        }
        if self.phase != Phase::Established || self.asked.is_some() {
            let pause = [(HeaderName::RetryAfter, "10")];
            return cx.respond(now, id, 500, "Another Transfer Is Pending", &pause);
        }
        if let Some(mut response) = cx.response(request, 202, "Accepted") {
            self.add_contact(cx, &mut response.headers);
            if !referral.reports {
                push(&mut response.headers, HeaderName::ReferSub, "false");
            }
            set(&mut response.headers, HeaderName::ContentLength, "0");
            cx.tx.respond(now, id, response);
        }
        self.ask(cx, now, referral, Referral::by_text(&request.headers));
    }

    /// The BYE of the 1999 draft: it names whom to call instead.
    pub(super) fn handle_also(&mut self, cx: &mut Core, now: Instant, request: &Request) {
        let may_be = cx.config.bye_also && cx.config.transfers != TransferPolicy::Refuse;
        if !may_be || self.phase != Phase::Established || self.asked.is_some() {
            return;
        }
        if let Some(referral) = Referral::of_also(now, request) {
            self.ask(cx, now, referral, Referral::by_text(&request.headers));
        }
    }

    /// Asks the person, or goes by the policy.
    fn ask(&mut self, cx: &mut Core, now: Instant, referral: Referral, by: Option<String>) {
        let (to, until) = (referral.to_text(), referral.until);
        self.asked = Some(referral);
        self.notify(cx, now, 100, "Trying");
        match cx.config.transfers {
            TransferPolicy::Ask => {
                cx.timers.set(Timer::TransferUnanswered(self.no), until);
                cx.emit(Event::TransferRequest {
                    call: self.no,
                    account: self.account,
                    peer: self.peer.clone(),
                    to,
                    by,
                });
            }
            TransferPolicy::Follow => {
                let peer = self.peer.clone();
                cx.emit(Event::TransferDue { call: self.no, account: self.account, peer, to });
            }
            TransferPolicy::Refuse => {}
        }
    }

    /// Whom the peer asks to call.
    pub fn transfer_asked(&self) -> Option<&Referral> {
        self.asked.as_ref().filter(|asked| !asked.following)
    }

    /// A transfer that the peer asked for is under way.
    pub fn follows_transfer(&self) -> bool {
        self.asked.as_ref().is_some_and(|asked| asked.following)
    }

    /// The call is over, because the peer hung up: what it has asked for may still be followed.
    pub fn open_referral(&mut self) -> Option<OpenReferral> {
        let referral = self.asked.take().filter(|asked| !asked.following)?;
        // The peer has left the dialog: nobody waits for reports.
        Some(OpenReferral { account: self.account, referral, reports_to: None })
    }

    /// The person, or the policy, follows: the call to the target has begun.
    pub fn follow_transfer(&mut self, cx: &mut Core) {
        if let Some(asked) = &mut self.asked {
            asked.following = true;
            cx.timers.cancel(&Timer::TransferUnanswered(self.no));
        }
    }

    /// The person refuses, or has not decided in time; false: nobody asked.
    pub fn refuse_transfer(&mut self, cx: &mut Core, now: Instant) -> bool {
        if self.transfer_asked().is_none() {
            return false;
        }
        cx.timers.cancel(&Timer::TransferUnanswered(self.no));
        self.notify(cx, now, 603, "Decline");
        true
    }

    /// The error for a refusal where nobody asked.
    pub fn no_transfer_asked(&self) -> CommandError {
        self.wrong_state("nobody asks to transfer it")
    }

    /// Tells who asked how the call to the target goes (RFC 3515 section 2.4.4); a final code ends it.
    pub fn notify(&mut self, cx: &mut Core, now: Instant, code: u16, reason: &str) {
        let Some(asked) = self.asked.take() else { return };
        if asked.reports
            && self.phase == Phase::Established
            && let Some(dialog) = &mut self.dialog
        {
            let mut report = asked.report(dialog, code, reason);
            self.add_contact(cx, &mut report.headers);
            cx.send(now, Owner::Nobody, report);
        }
        if code < 200 {
            self.asked = Some(asked);
        }
    }
}
