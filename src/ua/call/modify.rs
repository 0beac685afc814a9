//! Changing a standing call: hold and resume by re-INVITE, glare, and the far side's re-INVITE and UPDATE
//! (RFC 3261 section 14, RFC 3264 section 8, RFC 3311).

use std::time::{Duration, Instant};

use crate::sdp::{HoldStyle, Intent, Negotiated, Refusal};
use crate::sip::body::Content;
use crate::sip::{HeaderName, Method, Request, Response, number, push, set};
use crate::transaction::{ClientId, ServerId};

use super::super::command::CommandError;
use super::super::core::{Core, Owner, Purpose};
use super::super::dialog::Dialog;
use super::super::event::Event;
use super::super::timer::Timer;
use super::outgoing::{acknowledge, session_description};
use super::{Call, Modifying, Phase, reliable, status_line};

/// How often a re-INVITE of ours that meets another one is tried again.
const MAX_GLARES: u32 = 8;

impl Call {
    /// Holds. A call that is held, or is being held, stays so.
    pub fn hold(&mut self, cx: &mut Core, now: Instant) -> Result<(), CommandError> {
        self.established()?;
        if !matches!(self.want, Intent::Hold(_)) {
            self.want = Intent::Hold(cx.config.hold);
            self.reconcile(cx, now);
        }
        Ok(())
    }

    /// Takes a held call back.
    pub fn resume(&mut self, cx: &mut Core, now: Instant) -> Result<(), CommandError> {
        self.established()?;
        self.want = Intent::Talk;
        self.reconcile(cx, now);
        Ok(())
    }

    /// Whether we hold it, or are about to.
    pub fn is_on_hold(&self) -> bool {
        matches!(self.want, Intent::Hold(_))
    }

    /// Sends the re-INVITE that brings what is agreed on to what is wanted, unless another INVITE is under way.
    pub(super) fn reconcile(&mut self, cx: &mut Core, now: Instant) {
        if self.phase != Phase::Established || self.modifying.is_some() || self.awaits_ack() {
            return;
        }
        if self.want == self.have && !self.refreshing.due && !self.moving && !self.way_due {
            self.intent_reached(cx, now);
            return;
        }
        if self.pausing {
            return;
        }
        let (Some(local), Some(dialog)) = (self.local_media(), &mut self.dialog) else { return };
        let mut request = dialog.request(Method::Invite);
        let sequence = dialog.local_seq;
        // RFC 3264 section 8: what has not changed keeps its version; our address has.
        let sdp = match self.want == self.have && !self.moving && !self.way_due {
            true => self.sdp.offer_again(&local, self.want),
            false => self.sdp.offer(&local, self.want),
        };
        self.add_contact(cx, &mut request.headers);
        self.ask_refresh(cx, &mut request.headers);
        Call::add_sdp(&mut request, sdp);
        let moving = std::mem::take(&mut self.moving);
        let way = std::mem::take(&mut self.way_due);
        self.modifying = Some(Modifying {
            intent: self.want,
            sequence,
            moving,
            way,
            reliable: reliable::Sequence::default(),
            answered: None,
        });
        self.refreshing.asked_at = Some(now);
        self.attempt = Default::default();
        cx.send(now, Owner::Call(self.no, Purpose::Modify), request);
    }

    /// What was wanted is agreed on: a transfer that waited for the hold goes on.
    fn intent_reached(&mut self, cx: &mut Core, now: Instant) {
        self.transfer_after_hold(cx, now);
    }

    /// A response to our re-INVITE.
    pub(super) fn modify_response(
        &mut self,
        cx: &mut Core,
        now: Instant,
        id: ClientId,
        trusted: bool,
        response: Response,
    ) {
        let Some(request) = cx.tx.client_request(id).cloned() else { return };
        match (response.status.class(), response.status.code()) {
            (1, _) => self.modify_provisional(cx, now, &response),
            (2, _) => self.modified(cx, now, &request, &response),
            (_, 401 | 407) => match cx.authorize(id, self.account, trusted, &mut self.attempt, &response) {
                Ok(mut request) => {
                    if let (Some(dialog), Some(modifying)) = (&mut self.dialog, &mut self.modifying) {
                        modifying.sequence = dialog.renumber(&mut request);
                        modifying.reliable = reliable::Sequence::default();
                    }
                    cx.send(now, Owner::Call(self.no, Purpose::Modify), request);
                }
                Err(why) => self.modify_refused(cx, now, &format!("{}: {why}", status_line(&response))),
            },
            (_, code @ (408 | 481)) => self.lost(cx, now, code),
            (_, 491) if self.glares < MAX_GLARES => {
                // RFC 3261 section 14.1: who made the Call-ID waits 2.1 to 4 s, the other 0 to 2 s, in steps of 10 ms.
                let steps = if self.outgoing { 210 + cx.below(191) } else { cx.below(201) };
                self.try_again(cx, now, Duration::from_millis(u64::from(steps) * 10));
            }
            // RFC 3261 section 14.2: an INVITE of the peer's, or an earlier one of ours, is not done with there.
            (_, 500) if self.glares < MAX_GLARES && short_pause(&response).is_some() => {
                self.try_again(cx, now, short_pause(&response).unwrap_or_default());
            }
            (_, 422) if self.raise(&response) => {
                self.withdraw();
                self.refreshing.due = true;
                self.reconcile(cx, now);
            }
            (_, 488) if self.modifying.as_ref().is_some_and(|m| m.intent == Intent::Hold(HoldStyle::Zero)) => {
                self.withdraw();
                if self.want == Intent::Hold(HoldStyle::Zero) {
                    self.want = Intent::Hold(HoldStyle::SendOnly);
                }
                self.reconcile(cx, now);
            }
            _ => self.modify_refused(cx, now, &status_line(&response)),
        }
    }

    /// A provisional response may be reliable and bring the answer here, too (RFC 3262 section 5).
    fn modify_provisional(&mut self, cx: &mut Core, now: Instant, response: &Response) {
        let Some(modifying) = &mut self.modifying else { return };
        let Some(dialog) = self.dialog.as_mut().filter(|_| reliable::number(response).is_some()) else { return };
        if modifying.reliable.accept(cx, now, self.no, Some(dialog), response)
            && modifying.answered.is_none()
            && let Some(answer) = session_description(response)
        {
            modifying.answered = self.sdp.handle_answer(&answer).ok();
        }
    }

    fn modified(&mut self, cx: &mut Core, now: Instant, request: &Request, response: &Response) {
        let sequence = request.headers.typed::<crate::sip::CSeq>().and_then(Result::ok).map_or(0, |cseq| cseq.sequence);
        if self.modifying.as_ref().is_none_or(|modifying| modifying.sequence != sequence) {
            self.repeat_ack(cx, now, sequence);
            return;
        }
        let Some(modifying) = self.modifying.take() else { return };
        let Some(dialog) = &mut self.dialog else { return };
        dialog.refresh_target(&response.headers);
        let dialog: Dialog = dialog.clone();
        let ack = acknowledge(cx, now, request, &dialog, sequence);
        self.remember_ack(sequence, ack);
        self.refreshed(cx, now, response);
        let answer = match modifying.answered {
            Some(media) => Ok(media),
            None => {
                session_description(response).ok_or(Refusal::NoAudio).and_then(|text| self.sdp.handle_answer(&text))
            }
        };
        match answer {
            Ok(media) => {
                self.agreed(cx, modifying.intent, media);
                if modifying.moving {
                    self.moved(cx);
                }
                self.reconcile(cx, now);
            }
            Err(error) if modifying.moving => self.cannot_move(cx, now, &error.to_string()),
            Err(error) => self.modify_refused(cx, now, &error.to_string()),
        }
    }

    /// An offer of ours has its answer.
    pub(super) fn agreed(&mut self, cx: &mut Core, intent: Intent, media: Negotiated) {
        let was_held = matches!(self.have, Intent::Hold(_));
        self.have = intent;
        self.glares = 0;
        self.set_media(cx, media);
        match (was_held, matches!(self.have, Intent::Hold(_))) {
            (false, true) => cx.emit(Event::Held { call: self.no }),
            (true, false) => cx.emit(Event::Resumed { call: self.no }),
            _ => {}
        }
    }

    /// A refused re-INVITE changes nothing (RFC 3261 section 14.1). What the person has asked for since is tried next.
    fn modify_refused(&mut self, cx: &mut Core, now: Instant, why: &str) {
        if self.modifying.as_ref().is_some_and(|modifying| modifying.moving) {
            return self.cannot_move(cx, now, why);
        }
        self.sdp.rollback();
        let (intent, way) =
            self.modifying.take().map_or((self.want, false), |modifying| (modifying.intent, modifying.way));
        self.glares = 0;
        if way {
            self.way_refused(cx, why);
        }
        if self.refreshing.due {
            self.refresh_refused(cx, now);
        }
        if intent != self.have {
            let what = if matches!(intent, Intent::Hold(_)) { "hold" } else { "resume" };
            let held = matches!(self.have, Intent::Hold(_));
            cx.emit(Event::HoldRefused { call: self.no, held, message: format!("{what} was refused: {why}") });
        }
        if self.want == intent {
            self.want = self.have;
            self.transfer_after_hold(cx, now);
            if !self.way_due {
                return;
            }
        }
        self.reconcile(cx, now);
    }

    /// A re-INVITE of ours has come to nothing; what it said of our address is still to be said.
    fn withdraw(&mut self) {
        self.sdp.rollback();
        if let Some(modifying) = self.modifying.take() {
            self.moving |= modifying.moving;
            if modifying.way {
                self.repeat_way();
            }
        }
    }

    /// The re-INVITE came at a bad moment: once more after a pause.
    fn try_again(&mut self, cx: &mut Core, now: Instant, pause: Duration) {
        self.withdraw();
        self.glares += 1;
        self.pausing = true;
        cx.timers.set(Timer::Glare(self.no), now + pause);
    }

    /// The far side's re-INVITE.
    pub(super) fn handle_reinvite(&mut self, cx: &mut Core, now: Instant, id: ServerId, request: &Request) {
        if self.modifying.is_some() || self.awaits_answer() {
            return cx.respond(now, id, 491, "Request Pending", &[]);
        }
        if self.phase != Phase::Established {
            return later(cx, now, id);
        }
        let Some(local) = self.media_for_answer() else { return cx.respond(now, id, 488, "Not Acceptable Here", &[]) };
        let (sdp, media) = match Content::of(&request.headers, request.body()).session() {
            // RFC 6337 section 5.3: the offer states what we want (a hold that has met 491, too), not the last negotiated
            // direction.
            None => (self.sdp.offer(&local, self.want), None),
            Some(offer) => match self.sdp.answer(&offer, &local, self.have) {
                Ok((answer, media)) => (answer, Some(media)),
                Err(refusal) => return refuse_offer(cx, now, id, &refusal),
            },
        };
        if let Some(dialog) = &mut self.dialog {
            dialog.refresh_target(&request.headers);
        }
        if let Some(response) = self.success(cx, now, request, Some(sdp)) {
            self.acknowledged_by_offer(cx);
            let offered = media.is_none().then_some(self.want);
            self.send_2xx(cx, now, id, request, response, offered);
        }
        if let Some(media) = media {
            self.set_media(cx, media);
        }
    }

    /// The far side's UPDATE (RFC 3311 section 5.2).
    pub(super) fn handle_update(&mut self, cx: &mut Core, now: Instant, id: ServerId, request: &Request) {
        let offer = Content::of(&request.headers, request.body()).session();
        let ours_pending = self.modifying.is_some() || self.awaits_answer() || self.awaits_prack();
        if offer.is_some() && ours_pending {
            return cx.respond(now, id, 491, "Request Pending", &[]);
        }
        if offer.is_some() && self.phase != Phase::Established && self.negotiated.is_none() {
            // The offer in the INVITE waits for the person, who answers the call with it.
            return later(cx, now, id);
        }
        let mut answer = None;
        if let Some(offer) = offer {
            let Some(local) = self.media_for_answer() else {
                return cx.respond(now, id, 488, "Not Acceptable Here", &[]);
            };
            match self.sdp.answer(&offer, &local, self.have) {
                Ok(accepted) => answer = Some(accepted),
                Err(refusal) => return refuse_offer(cx, now, id, &refusal),
            }
        }
        if let Some(dialog) = &mut self.dialog {
            dialog.refresh_target(&request.headers);
        }
        self.update_accepted(cx, now, (id, request), answer);
    }

    /// 200 to an UPDATE, with the answer to the offer in it and what that means.
    pub(super) fn update_accepted(
        &mut self,
        cx: &mut Core,
        now: Instant,
        (id, request): (ServerId, &Request),
        answer: Option<(String, Negotiated)>,
    ) {
        let Some(mut response) = cx.response(request, 200, "OK") else { return };
        self.add_contact(cx, &mut response.headers);
        self.answer_refresh(cx, now, request, &mut response);
        if let Some((sdp, media)) = answer {
            push(&mut response.headers, HeaderName::ContentType, "application/sdp");
            response.set_body(sdp.into());
            self.set_media(cx, media);
        }
        let length = response.body().len().to_string();
        set(&mut response.headers, HeaderName::ContentLength, length);
        cx.tx.respond(now, id, response);
    }
}

/// How long a 500 asks to wait, if that is not longer than RFC 3261 section 14.2 has it.
fn short_pause(response: &Response) -> Option<Duration> {
    let seconds = number(&response.headers, &HeaderName::RetryAfter).filter(|seconds| *seconds <= 10)?;
    Some(Duration::from_secs(seconds.into()))
}

/// Refuses a request that comes before an earlier one is done with: 500, to be sent again within 10 s (RFC 3261 section 14.2,
/// RFC 3311 section 5.2).
pub(super) fn later(cx: &mut Core, now: Instant, id: ServerId) {
    let pause = cx.below(11).to_string();
    cx.respond(now, id, 500, "Server Internal Error", &[(HeaderName::RetryAfter, pause.as_str())]);
}

/// Refuses an offer: 400 when it can't be read, 488 when it can't be taken; the session stays as it was.
pub fn refuse_offer(cx: &mut Core, now: Instant, id: ServerId, refusal: &Refusal) {
    tracing::debug!(%refusal, "an offer is refused");
    match refusal {
        Refusal::Malformed(_) => cx.respond(now, id, 400, "Bad Session Description", &[]),
        Refusal::NoAudio | Refusal::NoCommonCodec { .. } | Refusal::BadAnswer(_) => {
            let warning = "304 offhook \"no audio stream and codec that this phone can take\"";
            cx.respond(now, id, 488, "Not Acceptable Here", &[(HeaderName::Warning, warning)]);
        }
        Refusal::Srtp(why) => {
            let warning = format!("399 offhook \"{}\"", why.to_string().replace('"', "'"));
            cx.respond(now, id, 488, "Not Acceptable Here", &[(HeaderName::Warning, &warning)]);
        }
    }
}
