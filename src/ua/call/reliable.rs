//! Reliable provisional responses and their PRACK (RFC 3262), both ways.
//!
//! Called, we ring reliably where the caller requires it. Calling, each reliable response is acknowledged in its early
//! dialog, in order, and an answer in it is the answer.

use std::time::{Duration, Instant};

use crate::sdp::Intent;
use crate::sip::body::Content;
use crate::sip::{CSeq, HeaderName, Method, RAck, RSeq, Request, Response, push, tokens};
use crate::transaction::{ClientId, ServerId};

use super::super::command::{CommandError, MediaPorts};
use super::super::core::{Core, Owner, Purpose};
use super::super::dialog::{Dialog, to_tag};
use super::super::event::EndedBy;
use super::super::timer::Timer;
use super::modify::later;
use super::{Call, Phase};

/// The option tag (RFC 3262 section 8.1).
const TAG: &str = "100rel";

/// A reliable provisional response of ours.
#[derive(Debug, Clone)]
pub struct Provisional {
    invite: ServerId,
    response: Response,
    acknowledgement: RAck,
    interval: Duration,
    give_up_at: Instant,
    /// What we want by the offer in it, whose answer the PRACK is to bring.
    offered: Option<Intent>,
    acknowledged: bool,
}

/// How a call that comes in may be told that it rings.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Manner {
    /// Plainly.
    Plain,
    /// Reliably.
    Reliable,
}

impl Manner {
    /// What the caller asks for, or can do where that is configured (RFC 3262 section 3).
    pub fn of(cx: &Core, request: &Request) -> Manner {
        let names = |name| tokens(&request.headers, &name).iter().any(|tag| tag == TAG);
        let wanted = names(HeaderName::Require) || cx.config.reliable_ringing && names(HeaderName::Supported);
        if wanted { Manner::Reliable } else { Manner::Plain }
    }
}

// ---- called ----

impl Call {
    /// Sends a provisional response reliably: again and again, until its PRACK comes.
    pub(super) fn send_reliably(
        &mut self,
        cx: &mut Core,
        now: Instant,
        (invite, request): (ServerId, &Request),
        mut response: Response,
        offered: Option<Intent>,
    ) {
        // RFC 3262 section 3: anywhere in the lower half of the numbers.
        let number = 1 + cx.below((1 << 31) - 1);
        push(&mut response.headers, HeaderName::Require, TAG);
        push(&mut response.headers, HeaderName::RSeq, number.to_string());
        cx.tx.respond(now, invite, response.clone());
        let sequence = request.headers.typed::<CSeq>().and_then(Result::ok).map_or(0, |cseq| cseq.sequence);
        let acknowledgement = RAck { rseq: number, cseq: sequence, method: b"INVITE".to_vec() };
        let timers = cx.tx.timers();
        self.reliable = Some(Provisional {
            invite,
            response,
            acknowledgement,
            interval: timers.t1,
            give_up_at: now + timers.timeout(),
            offered,
            acknowledged: false,
        });
        cx.timers.set(Timer::Reliable(self.no), now + timers.t1);
    }

    /// No PRACK has come yet.
    pub(super) fn resend_reliable(&mut self, cx: &mut Core, now: Instant) {
        let Some(provisional) = self.reliable.as_mut().filter(|provisional| !provisional.acknowledged) else { return };
        if now >= provisional.give_up_at {
            return self.refuse(cx, now, 504, EndedBy::Timeout);
        }
        cx.tx.respond(now, provisional.invite, provisional.response.clone());
        // Unlike a 2xx's, its intervals are not capped at T2.
        provisional.interval *= 2;
        let next = (now + provisional.interval).min(provisional.give_up_at);
        cx.timers.set(Timer::Reliable(self.no), next);
    }

    /// Whether a 2xx has to wait: our response with a session description has no PRACK yet (RFC 3262 section 3).
    pub(super) fn awaits_prack(&self) -> bool {
        self.reliable.as_ref().is_some_and(|provisional| !provisional.acknowledged && provisional.offered.is_some())
    }

    /// PRACK: it must name our response, else 481.
    pub(super) fn handle_prack(&mut self, cx: &mut Core, now: Instant, id: ServerId, request: &Request) {
        let Some(Ok(acknowledgement)) = request.headers.typed::<RAck>() else {
            return cx.respond(now, id, 400, "Bad RAck", &[]);
        };
        let expected = self
            .reliable
            .as_mut()
            .filter(|provisional| !provisional.acknowledged && provisional.acknowledgement == acknowledgement);
        let Some(provisional) = expected else {
            return cx.respond(now, id, 481, "No Such Provisional Response", &[]);
        };
        let description = Content::of(&request.headers, request.body()).session();
        if provisional.offered.is_none() && description.is_some() {
            // The offer in the INVITE has no answer yet: there can be no other (RFC 6337 section 2.2).
            return later(cx, now, id);
        }
        provisional.acknowledged = true;
        let offered = provisional.offered;
        cx.timers.cancel(&Timer::Reliable(self.no));
        cx.respond(now, id, 200, "OK", &[]);
        if offered.is_some() {
            match description.map(|answer| self.sdp.handle_answer(&answer)) {
                Some(Ok(media)) => self.set_media(cx, media),
                Some(Err(_)) | None => return self.refuse(cx, now, 488, EndedBy::Local),
            }
        }
        if let Some(media) = self.answer_waits.take() {
            // It rings, and nothing is awaited any more: this can't be refused.
            if let Err(error) = self.answer(cx, now, media) {
                tracing::debug!(call = %self.no, %error, "an answer that waited for PRACK is not given");
            }
        }
    }

    /// The ports for the offer of a call that rings and came without one: the caller hears about it reliably, and the
    /// first reliable response must have an offer (RFC 3262 section 5).
    pub fn offer_early(&mut self, cx: &mut Core, now: Instant, media: MediaPorts) -> Result<(), CommandError> {
        let Phase::Ringing(ringing) = &self.phase else {
            return Err(self.wrong_state("only an incoming call that rings can be offered anything"));
        };
        let invite = ringing.invite;
        if self.reliable.is_some() {
            return Err(self.wrong_state("it has its offer already"));
        }
        self.media = Some(media);
        let request = cx.tx.server_request(invite).cloned().ok_or(CommandError::NoSuchCall(self.no))?;
        let local = self.local_media().ok_or(CommandError::NoSuchCall(self.no))?;
        let offer = self.sdp.offer(&local, Intent::Talk);
        if let Some(response) = self.ringing_response(cx, &request, Some(offer)) {
            self.send_reliably(cx, now, (invite, &request), response, Some(Intent::Talk));
        }
        Ok(())
    }
}

// ---- calling ----

/// The number of a response that is to be acknowledged; `None`: it is not reliable. A 100 never is (RFC 3262 section 4).
pub fn number(response: &Response) -> Option<u32> {
    let required = tokens(&response.headers, &HeaderName::Require).iter().any(|tag| tag == TAG);
    let number = response.headers.typed::<RSeq>().and_then(Result::ok)?;
    (required && response.status.code() > 100).then_some(number.0)
}

/// The reliable responses to one INVITE in one dialog.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Sequence {
    last: Option<u32>,
}

impl Sequence {
    /// Whether a response is looked at further; it is acknowledged if it is the next one in order.
    pub fn accept(
        &mut self,
        cx: &mut Core,
        now: Instant,
        owner: super::CallNo,
        dialog: Option<&mut Dialog>,
        response: &Response,
    ) -> bool {
        let Some((number, dialog)) = number(response).zip(dialog) else { return true };
        if self.last.is_some_and(|last| last.checked_add(1) != Some(number)) {
            // Come again, or come too early: neither is acknowledged (RFC 3262 section 4).
            return false;
        }
        self.last = Some(number);
        let sequence = response.headers.typed::<CSeq>().and_then(Result::ok).map_or(0, |cseq| cseq.sequence);
        let mut prack = dialog.request(Method::Prack);
        push(&mut prack.headers, HeaderName::RAck, format!("{number} {sequence} INVITE"));
        cx.send(now, Owner::Call(owner, Purpose::Prack), prack);
        true
    }
}

impl Call {
    /// A response to our PRACK. Only a challenge asks for something: what else goes wrong there shows in the INVITE.
    pub(super) fn prack_response(
        &mut self,
        cx: &mut Core,
        now: Instant,
        id: ClientId,
        trusted: bool,
        response: &Response,
    ) {
        let code = response.status.code();
        if !matches!(code, 401 | 407) {
            if response.status.class() > 2 {
                tracing::debug!(call = %self.no, code, "PRACK was refused");
            }
            return;
        }
        let Some(tag) = cx.tx.client_request(id).and_then(|prack| to_tag(&prack.headers)) else { return };
        let (account, no) = (self.account, self.no);
        let Some(early) = self.early_tagged(&tag) else { return };
        match cx.authorize(id, account, trusted, &mut early.attempt, response) {
            Ok(mut request) => {
                if let Some(dialog) = &mut early.dialog {
                    dialog.renumber(&mut request);
                    cx.send(now, Owner::Call(no, Purpose::Prack), request);
                }
            }
            Err(why) => tracing::debug!(call = %no, why, "PRACK was refused"),
        }
    }
}
