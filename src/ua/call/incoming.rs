//! Being called (RFC 3261 section 13.3): ringing, answering, refusing, the 2xx and its ACK.

use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::time::{Duration, Instant};

use bytes::Bytes;

use crate::sdp::{Intent, LocalMedia, Refusal};
use crate::sip::body::Content;
use crate::sip::transport::Flow;
use crate::sip::{CSeq, Expires, HeaderName, Request, Response, Uri, push, set, text};
use crate::transaction::ServerId;

use super::super::capabilities::ACCEPT;
use super::super::command::{CommandError, DiversionReason, MediaPorts};
use super::super::config::AutoAnswer;
use super::super::core::Core;
use super::super::dialog::Dialog;
use super::super::event::{EndedBy, Event};
use super::super::identity;
use super::super::timer::Timer;
use super::super::{AccountId, CallNo};
use super::reliable::Manner;
use super::{Call, Phase};

/// Diversions that a call may have behind it to be sent on once more.
const MAX_DIVERSIONS: usize = 5;

/// An INVITE that waits for a person.
#[derive(Debug, Clone, PartialEq)]
pub struct Ringing {
    pub(super) invite: ServerId,
    /// The caller's offer; none: we make one in the 2xx (RFC 3261 section 13.2.1).
    pub(super) offer: Option<String>,
    /// The INVITE itself ends before our patience does (RFC 3261 section 13.3.1).
    expires: bool,
    /// The caller has been told that it rings, or it is answered without.
    pub(super) alerted: bool,
    /// The caller asked to be answered without a person after so long, and may.
    asked_answer: Option<Duration>,
}

/// Our 2xx to an INVITE, until its ACK comes (RFC 3261 section 13.3.1.4).
#[derive(Debug, Clone)]
pub struct Unacked {
    invite: ServerId,
    sequence: u32,
    response: Response,
    interval: Duration,
    /// What we want by the offer in it, whose answer the ACK is to bring; none: it is an answer itself.
    offered: Option<Intent>,
    /// It answered the call, rather than a re-INVITE.
    first: bool,
}

/// How a call announces itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Alerting {
    /// Nothing is sent before it is decided what becomes of the call.
    Ask,
    /// 180, and a person decides.
    Ring,
    /// 180, and it is answered after a while.
    RingThenAnswer,
    /// 200 at once, without a 180: two datagrams back to back are reordered by some proxies.
    AnswerNow,
}

impl Alerting {
    /// As configured, with `calls` other calls up.
    pub fn choose(cx: &Core, calls: usize) -> Alerting {
        let by_itself = match cx.config.auto_answer {
            AutoAnswer::Never => false,
            AutoAnswer::Idle => calls == 0,
            AutoAnswer::Always => true,
        };
        match (by_itself, cx.config.auto_answer_after.is_zero()) {
            (false, _) => Alerting::Ring,
            (true, false) => Alerting::RingThenAnswer,
            (true, true) => Alerting::AnswerNow,
        }
    }
}

/// What copies of one INVITE have in common (RFC 3261 section 8.2.2.2): Call-ID, From tag and CSeq number, hashed, for many are
/// remembered. Who makes two of his own INVITEs alike has one of them taken for a copy.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct InviteKey(u64);

impl InviteKey {
    /// That of an INVITE outside any dialog.
    pub fn of(request: &Request) -> InviteKey {
        let from = request.headers.typed::<crate::sip::From>().and_then(Result::ok);
        let mut hasher = DefaultHasher::new();
        text(&request.headers, &HeaderName::CallId).hash(&mut hasher);
        from.as_ref().and_then(|from| from.tag()).hash(&mut hasher);
        request.headers.typed::<CSeq>().and_then(Result::ok).map(|cseq| cseq.sequence).hash(&mut hasher);
        InviteKey(hasher.finish())
    }
}

/// An INVITE that may ring.
pub struct Incoming<'a> {
    pub id: ServerId,
    pub flow: Flow,
    pub request: &'a Request,
    pub offer: Option<String>,
    pub account: Option<AccountId>,
    pub alerting: Alerting,
    /// The call whose place it takes.
    pub replaces: Option<CallNo>,
}

impl Call {
    /// A call that comes in; `None`: the request makes no dialog (400).
    pub fn ring(cx: &mut Core, now: Instant, no: CallNo, incoming: Incoming<'_>) -> Option<Call> {
        let Incoming { id, flow, request, offer, account, alerting, replaces } = incoming;
        let tag = cx.token(8);
        let dialog = Dialog::from_request(request, &tag)?;
        let trusted = cx.is_own_server(account, flow.remote.ip());
        let peer = identity::caller(&request.headers, trusted);
        let call_id = Bytes::from(text(&request.headers, &HeaderName::CallId));
        let expires = request.headers.typed::<Expires>().and_then(Result::ok);
        let expires = expires.map(|expires| Duration::from_secs(u64::from(expires.0)));
        let patience = cx.config.ring_timeout;
        let limit = expires.map_or(patience, |expires| expires.min(patience));
        // Who asks to be answered at once, and may: by way of our own servers only, for From alone is anybody's.
        let asked_answer = identity::auto_answer_asked(&request.headers).filter(|_| {
            let allowed = &cx.config.auto_answer_from;
            trusted && allowed.iter().any(|pattern| identity::fits(pattern, &peer.uri))
        });
        let ringing = Ringing { invite: id, offer, expires: limit < patience, alerted: false, asked_answer };
        let mut call = Call::new(cx, no, account, Phase::Ringing(ringing), call_id, peer.clone());
        call.dialog = Some(dialog);
        call.takes_place_of = replaces;
        call.local = Some(flow);
        call.set_keying(cx, &flow);
        call.invite_key = Some(InviteKey::of(request));
        cx.emit(Event::Incoming {
            call: no,
            account,
            from: peer,
            called: identity::called(&request.headers),
            diverted_from: identity::diverted_from(&request.headers),
            forwarded: identity::forwarded(&request.headers),
            referred_by: identity::first_address(&request.headers, &HeaderName::ReferredBy)
                .map(|address| identity::uri_text(&address.uri)),
        });
        cx.timers.set(Timer::Ring(no), now + limit);
        call.alert_as(cx, now, request, alerting);
        Some(call)
    }

    /// Lets a call ring that waits for the decision, with `others` more calls up.
    pub fn alert(&mut self, cx: &mut Core, now: Instant, others: usize) -> Result<(), CommandError> {
        let Phase::Ringing(ringing) = &self.phase else {
            return Err(self.wrong_state("only an incoming call can ring"));
        };
        if !ringing.alerted
            && let Some(request) = cx.tx.server_request(ringing.invite).cloned()
        {
            let alerting = Alerting::choose(cx, others);
            self.alert_as(cx, now, &request, alerting);
        }
        Ok(())
    }

    fn alert_as(&mut self, cx: &mut Core, now: Instant, request: &Request, alerting: Alerting) {
        let Phase::Ringing(ringing) = &mut self.phase else { return };
        let (invite, has_offer) = (ringing.invite, ringing.offer.is_some());
        let (alerting, after) = match (alerting, ringing.asked_answer) {
            (Alerting::Ring, Some(Duration::ZERO)) => (Alerting::AnswerNow, Duration::ZERO),
            (Alerting::Ring, Some(after)) => (Alerting::RingThenAnswer, after),
            (alerting, _) => (alerting, cx.config.auto_answer_after),
        };
        ringing.alerted = alerting != Alerting::Ask;
        match alerting {
            Alerting::Ask => {}
            Alerting::AnswerNow => cx.emit(Event::AnswerDue { call: self.no, replaces: self.takes_place_of }),
            Alerting::Ring | Alerting::RingThenAnswer => {
                match Manner::of(cx, request) {
                    // The first reliable response must have the offer.
                    Manner::Reliable if !has_offer => cx.emit(Event::OfferDue { call: self.no }),
                    manner => self.tell_ringing(cx, now, (invite, request), manner),
                }
                if alerting == Alerting::RingThenAnswer {
                    cx.timers.set(Timer::AutoAnswer(self.no), now + after);
                }
            }
        }
    }

    fn tell_ringing(&mut self, cx: &mut Core, now: Instant, (id, request): (ServerId, &Request), manner: Manner) {
        let Some(response) = self.ringing_response(cx, request, None) else { return };
        match manner {
            Manner::Plain => cx.tx.respond(now, id, response),
            Manner::Reliable => self.send_reliably(cx, now, (id, request), response, None),
        }
    }

    /// 180, which makes the early dialog.
    pub(super) fn ringing_response(&self, cx: &Core, request: &Request, sdp: Option<String>) -> Option<Response> {
        let mut response = cx.response(request, 180, "Ringing")?;
        self.complete(cx, request, &mut response, sdp);
        Some(response)
    }

    /// Our dialog's tag, for a response to its INVITE.
    fn set_tag(&self, response: &mut Response) {
        if let Some(dialog) = &self.dialog {
            super::super::core::set_to_tag(response, &String::from_utf8_lossy(&dialog.local_tag));
        }
    }

    /// The INVITE that a person has not answered gets 487.
    pub(super) fn terminate_invite(&self, cx: &mut Core, now: Instant, invite: ServerId) {
        if let Some(request) = cx.tx.server_request(invite).cloned()
            && let Some(mut response) = cx.response(&request, 487, "Request Terminated")
        {
            self.set_tag(&mut response);
            set(&mut response.headers, HeaderName::ContentLength, "0");
            cx.tx.respond(now, invite, response);
        }
    }

    /// To tag, Contact and length of a response that makes our dialog (RFC 3261 section 12.1.1).
    fn finish_response(&self, cx: &Core, response: &mut Response) {
        self.set_tag(response);
        self.add_contact(cx, &mut response.headers);
        let length = response.body().len().to_string();
        set(&mut response.headers, HeaderName::ContentLength, length);
    }

    /// A 2xx to an INVITE of the peer's, with the routes that it recorded.
    pub(super) fn success(
        &mut self,
        cx: &mut Core,
        now: Instant,
        request: &Request,
        sdp: Option<String>,
    ) -> Option<Response> {
        let mut response = cx.response(request, 200, "OK")?;
        push(&mut response.headers, HeaderName::Accept, ACCEPT);
        self.answer_refresh(cx, now, request, &mut response);
        self.complete(cx, request, &mut response, sdp);
        Some(response)
    }

    fn complete(&self, cx: &Core, request: &Request, response: &mut Response, sdp: Option<String>) {
        copy_record_route(request, response);
        if let Some(sdp) = sdp {
            push(&mut response.headers, HeaderName::ContentType, "application/sdp");
            response.set_body(sdp.into());
        }
        self.finish_response(cx, response);
    }

    pub(super) fn auto_answer_due(&mut self, cx: &mut Core) {
        if matches!(self.phase, Phase::Ringing(_)) {
            cx.emit(Event::AnswerDue { call: self.no, replaces: None });
        }
    }

    /// Answers.
    pub fn answer(&mut self, cx: &mut Core, now: Instant, media: MediaPorts) -> Result<(), CommandError> {
        let Phase::Ringing(ringing) = self.phase.clone() else {
            return Err(self.wrong_state("only an incoming call that rings can be answered"));
        };
        let Some(request) = cx.tx.server_request(ringing.invite).cloned() else {
            return Err(CommandError::NoSuchCall(self.no));
        };
        let agreed_early = self.negotiated.is_some();
        if !agreed_early {
            self.media = self.media.filter(|_| self.reliable.is_some()).or(Some(media));
        }
        cx.timers.cancel(&Timer::Ring(self.no));
        cx.timers.cancel(&Timer::AutoAnswer(self.no));
        if self.awaits_prack() {
            self.answer_waits = Some(media);
            return Ok(());
        }
        cx.timers.cancel(&Timer::Reliable(self.no));
        let Some(local) = self.local_media() else { return Err(CommandError::NoSuchCall(self.no)) };
        let (body, heard) = match &ringing.offer {
            // Offer and answer have gone in a reliable 180 and its PRACK.
            _ if agreed_early => (None, None),
            Some(offer) => match self.sdp.answer(offer, &local, Intent::Talk) {
                Ok((body, media)) => (Some(body), Some(media)),
                Err(_) => {
                    // The offer was read when it came: this is not expected, and must not hang the caller.
                    self.refuse(cx, now, 488, EndedBy::Local);
                    return Ok(());
                }
            },
            None => (Some(self.sdp.offer(&local, Intent::Talk)), None),
        };
        let Some(response) = self.success(cx, now, &request, body) else { return Ok(()) };
        let offered = (heard.is_none() && !agreed_early).then_some(Intent::Talk);
        self.send_2xx(cx, now, ringing.invite, &request, response, offered);
        if let Some(media) = heard {
            self.set_media(cx, media);
        }
        self.establish(cx, now);
        if self.negotiated.as_ref().is_some_and(|media| media.held_by_peer) {
            cx.emit(Event::RemoteHeld { call: self.no });
        }
        Ok(())
    }

    /// Sends a 2xx, and again until its ACK comes.
    pub(super) fn send_2xx(
        &mut self,
        cx: &mut Core,
        now: Instant,
        invite: ServerId,
        request: &Request,
        response: Response,
        offered: Option<Intent>,
    ) {
        let timers = cx.tx.timers();
        let sequence = request.headers.typed::<CSeq>().and_then(Result::ok).map_or(0, |cseq| cseq.sequence);
        cx.tx.respond(now, invite, response.clone());
        let first = self.phase != Phase::Established;
        self.unacked = Some(Unacked { invite, sequence, response, interval: timers.t1, offered, first });
        cx.timers.set(Timer::Resend2xx(self.no), now + timers.t1);
        cx.timers.set(Timer::AckMissing(self.no), now + timers.timeout());
    }

    pub(super) fn resend_2xx(&mut self, cx: &mut Core, now: Instant) {
        let timers = cx.tx.timers();
        if let Some(unacked) = &mut self.unacked {
            cx.tx.respond(now, unacked.invite, unacked.response.clone());
            unacked.interval = timers.double_capped(unacked.interval);
            cx.timers.set(Timer::Resend2xx(self.no), now + unacked.interval);
        }
    }

    /// RFC 3261 section 13.3.1.4: the session is ended by BYE when no ACK came.
    pub(super) fn ack_missing(&mut self, cx: &mut Core, now: Instant) {
        if self.unacked.take().is_none() {
            return;
        }
        self.send_bye(cx, now);
        if self.leaving {
            self.end(cx, now, EndedBy::Local, None, "hung up");
        } else {
            self.end(cx, now, EndedBy::Timeout, Some(408), "the other side never acknowledged our answer");
        }
    }

    /// RFC 3261 section 15.1.1: a callee sends no BYE before the ACK for its 2xx has come, or is given up: the BYE could
    /// overtake the 2xx. True: the call is left as soon as that is so.
    pub(super) fn leave_after_ack(&mut self) -> bool {
        self.leaving |= self.unacked.as_ref().is_some_and(|unacked| unacked.first);
        self.leaving
    }

    /// The ACK for our 2xx; it may bring the answer to our offer.
    pub fn handle_ack(&mut self, cx: &mut Core, now: Instant, request: &Request) {
        let sequence = request.headers.typed::<CSeq>().and_then(Result::ok).map(|cseq| cseq.sequence);
        let Some(unacked) = self.unacked.take_if(|unacked| Some(unacked.sequence) == sequence) else { return };
        cx.timers.cancel(&Timer::Resend2xx(self.no));
        cx.timers.cancel(&Timer::AckMissing(self.no));
        if self.leaving {
            self.send_bye(cx, now);
            return self.end(cx, now, EndedBy::Local, None, "hung up");
        }
        if let Some(intent) = unacked.offered {
            let answer = Content::of(&request.headers, request.body()).session();
            let answer = answer.ok_or(Refusal::BadAnswer("the ACK has none"));
            match answer.and_then(|answer| self.sdp.handle_answer(&answer)) {
                Ok(media) => self.agreed(cx, intent, media),
                Err(error) if self.negotiated.is_none() => {
                    self.send_bye_because(cx, now, Some((488, "no usable answer in the ACK")));
                    self.end(cx, now, EndedBy::Local, Some(488), error.to_string());
                    return;
                }
                Err(error) => {
                    self.sdp.rollback();
                    cx.emit(Event::CallError { call: self.no, message: error.to_string() });
                }
            }
        }
        self.reconcile(cx, now);
    }

    /// Refuses an INVITE that rings.
    pub(super) fn refuse(&mut self, cx: &mut Core, now: Instant, code: u16, by: EndedBy) {
        let Phase::Ringing(ringing) = &self.phase else { return };
        let invite = ringing.invite;
        let reason = super::super::request::default_reason(code);
        if let Some(request) = cx.tx.server_request(invite).cloned()
            && let Some(mut response) = cx.response(&request, code, reason)
        {
            // No Contact: in a 3xx it would send the caller back to us.
            self.set_tag(&mut response);
            set(&mut response.headers, HeaderName::ContentLength, "0");
            cx.tx.respond(now, invite, response);
        }
        self.end(cx, now, by, Some(code), reason);
    }

    /// The person refuses.
    pub fn reject(&mut self, cx: &mut Core, now: Instant, code: u16) -> Result<(), CommandError> {
        if !(300..700).contains(&code) {
            return Err(CommandError::BadCode(code));
        }
        if !matches!(self.phase, Phase::Ringing(_)) {
            return Err(self.wrong_state("only an incoming call that rings can be rejected; hang up instead"));
        }
        self.refuse(cx, now, code, EndedBy::Local);
        Ok(())
    }

    /// The call is sent elsewhere: 302 with the addresses as Contact, and with who diverts in front of whoever did before
    /// (RFC 5806 section 4).
    pub fn redirect(
        &mut self,
        cx: &mut Core,
        now: Instant,
        targets: &[Uri],
        reason: DiversionReason,
    ) -> Result<(), CommandError> {
        let Phase::Ringing(ringing) = &self.phase else {
            return Err(self.wrong_state("only an incoming call that rings can be sent elsewhere"));
        };
        let invite = ringing.invite;
        let (Some(request), false) = (cx.tx.server_request(invite).cloned(), targets.is_empty()) else {
            return Err(CommandError::NoSuchCall(self.no));
        };
        let ours =
            self.account.and_then(|account| cx.config.accounts.get(account.0)).map(|account| account.uri.clone());
        let ours = ours.map_or_else(|| identity::called(&request.headers), |uri| identity::uri_text(&uri));
        let before = identity::diversions(&request.headers);
        if before.len() >= MAX_DIVERSIONS || before.iter().any(|uri| uri.eq_ignore_ascii_case(&ours)) {
            return Err(CommandError::DivertedBefore(self.no));
        }
        if let Some(mut response) = cx.response(&request, 302, "Moved Temporarily") {
            self.set_tag(&mut response);
            for (place, target) in targets.iter().enumerate() {
                let q = 10usize.saturating_sub(place).max(1);
                push(&mut response.headers, HeaderName::Contact, format!("<{target}>;q={}.{}", q / 10, q % 10));
            }
            let diversion = format!("<{ours}>;reason={};counter=1", reason.as_str());
            push(&mut response.headers, crate::sip::other("Diversion"), diversion);
            for earlier in request.headers.get_all(&crate::sip::other("Diversion")) {
                response.headers.push(earlier.clone());
            }
            set(&mut response.headers, HeaderName::ContentLength, "0");
            cx.tx.respond(now, invite, response);
        }
        self.end(cx, now, EndedBy::Local, Some(302), "sent elsewhere");
        Ok(())
    }

    pub(super) fn ring_timeout(&mut self, cx: &mut Core, now: Instant) {
        // An INVITE that has expired counts as cancelled.
        let expired = matches!(&self.phase, Phase::Ringing(ringing) if ringing.expires);
        self.refuse(cx, now, if expired { 487 } else { 480 }, EndedBy::Timeout);
    }

    /// The caller gave up (RFC 3261 section 9.2).
    pub fn cancelled(&mut self, cx: &mut Core, now: Instant, id: ServerId, invite: ServerId, cancel: &Request) {
        if let Some(mut response) = cx.response(cancel, 200, "OK") {
            // RFC 3261 section 9.2: the To tag is the one of the INVITE's responses.
            self.set_tag(&mut response);
            set(&mut response.headers, HeaderName::ContentLength, "0");
            cx.tx.respond(now, id, response);
        }
        self.terminate_invite(cx, now, invite);
        let reason =
            identity::reason(&cancel.headers).map_or_else(|| "the caller gave up".to_owned(), |(_, words)| words);
        self.end(cx, now, EndedBy::Remote, Some(487), reason);
    }

    /// Where our sound is received, for an answer inside the dialog.
    pub(super) fn media_for_answer(&self) -> Option<LocalMedia> {
        self.local_media()
    }

    /// The INVITE that a person has not answered yet.
    pub fn ringing_invite(&self) -> Option<ServerId> {
        match &self.phase {
            Phase::Ringing(ringing) => Some(ringing.invite),
            Phase::Resolving | Phase::Inviting(_) | Phase::Established | Phase::Over => None,
        }
    }

    /// Whether our 2xx to an INVITE waits for its ACK.
    pub(super) fn awaits_ack(&self) -> bool {
        self.unacked.is_some()
    }

    /// Whether an offer of ours in a 2xx waits for the answer that its ACK brings.
    pub(super) fn awaits_answer(&self) -> bool {
        self.unacked.as_ref().is_some_and(|unacked| unacked.offered.is_some())
    }

    /// A new offer of the peer's has overtaken the ACK for our 2xx: it has got that one, or it could not ask for more
    /// (RFC 5407 section 3.1.4).
    pub(super) fn acknowledged_by_offer(&mut self, cx: &mut Core) {
        if self.unacked.take().is_some() {
            cx.timers.cancel(&Timer::Resend2xx(self.no));
            cx.timers.cancel(&Timer::AckMissing(self.no));
        }
    }
}

/// RFC 3261 section 12.1.1: a response that makes a dialog, an early one too, copies the routes that the request recorded.
fn copy_record_route(request: &Request, response: &mut Response) {
    for route in request.headers.get_all(&HeaderName::RecordRoute) {
        response.headers.push(route.clone());
    }
}
