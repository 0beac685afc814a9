//! Calling (RFC 3261 section 13.2): INVITE, its provisional responses, its end, CANCEL.

use std::time::Instant;

use bytes::Bytes;

use crate::sdp::{self, Intent, Negotiated, Refusal};
use crate::sip::body::Content;
use crate::sip::transport::Flow;
use crate::sip::{CSeq, HeaderName, Headers, Method, Request, Response, Uri, number, push, set, text};
use crate::transaction::ClientId;

use super::super::auth::Attempt;
use super::super::command::MediaPorts;
use super::super::core::{Core, Owner, Purpose, Waiting};
use super::super::dialog::{Dialog, to_tag};
use super::super::event::{EndedBy, Event, Party};
use super::super::replaces::Replaces;
use super::super::ways::{Resolve, secured};
use super::super::{AccountId, CallNo, FollowUp};
use super::{Call, Phase, name_addr, reason_phrase, reliable};

/// Early dialogs that one call may have.
const MAX_EARLY: usize = 32;
/// Challenges that are answered for one INVITE: several proxies may each have one.
const MAX_CHALLENGES: u32 = 8;

/// More than the PRACKs that a branch can have had.
const BRANCH_GAP: u32 = 1_000;
/// Characters of the other side's words that are shown.
const MAX_WORDS: usize = 200;

/// An INVITE under way.
#[derive(Debug, Clone, PartialEq)]
pub struct Inviting {
    cancel: Cancel,
    /// Whether a provisional response came: only then may a CANCEL leave (RFC 3261 section 9.1).
    pub(super) provisional: bool,
    challenges: u32,
    pub(super) early: Vec<Early>,
}

impl Inviting {
    /// An INVITE that has just left.
    pub(super) fn new() -> Inviting {
        Inviting { cancel: Cancel::No, provisional: false, challenges: 0, early: Vec::new() }
    }

    /// Whether the person has hung up.
    pub fn is_cancelled(&self) -> bool {
        self.cancel != Cancel::No
    }
}

/// How far its CANCEL is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Cancel {
    No,
    /// Wanted, but no provisional response came yet.
    Wanted,
    Sent,
}

/// What one early dialog has said (the To tag may be missing: real PBXs send 183 without one).
#[derive(Debug, Clone)]
pub struct Early {
    tag: Bytes,
    /// The dialog, where there is a tag: requests of the called side may come in it.
    pub(super) dialog: Option<Dialog>,
    /// The offer and answer as it stands with this one.
    pub(super) sdp: Option<(sdp::Session, Negotiated)>,
    /// The answer in it came reliably: it stands, and there may be other offers (RFC 3262 section 5).
    pub(super) settled: bool,
    /// Its reliable responses.
    sequence: reliable::Sequence,
    /// The challenges to its PRACKs.
    pub(super) attempt: Attempt,
}

impl Early {
    fn new(tag: Bytes, dialog: Option<Dialog>) -> Early {
        Early {
            tag,
            dialog,
            sdp: None,
            settled: false,
            sequence: reliable::Sequence::default(),
            attempt: Attempt::default(),
        }
    }
}

impl PartialEq for Early {
    fn eq(&self, other: &Self) -> bool {
        self.tag == other.tag
    }
}

/// Whom to call, and for whom.
pub struct Dial {
    pub account: Option<AccountId>,
    pub target: Uri,
    pub media: MediaPorts,
    /// The Referred-By of a transfer that we follow.
    pub referred_by: Option<String>,
    /// The dialog of the target's that the call takes the place of (RFC 3891).
    pub replaces: Option<Replaces>,
}

/// The parts of the first INVITE that stay over its repetitions.
#[derive(Debug, Clone)]
pub struct Plan {
    target: Uri,
    referred_by: Option<String>,
    replaces: Option<Replaces>,
}

impl Plan {
    /// Whom to call.
    pub fn target(&self) -> &Uri {
        &self.target
    }
}

impl Call {
    /// Begins a call; the INVITE leaves when the way is known.
    pub fn dial(cx: &mut Core, now: Instant, dial: Dial, no: CallNo) -> (Call, Plan) {
        let call_id = Bytes::from(cx.token(16));
        let target = dial.target.to_string();
        let peer = Party { uri: super::super::identity::uri_text(&dial.target), name: None };
        let mut call = Call::new(cx, no, dial.account, Phase::Resolving, call_id, peer);
        call.media = Some(dial.media);
        cx.emit(Event::Calling { call: no, account: dial.account, to: call.peer.uri.clone() });
        let plan = Plan { target: dial.target, referred_by: dial.referred_by, replaces: dial.replaces };
        tracing::debug!(call = %no, target, "calls");
        call.start(cx, now, &plan);
        (call, plan)
    }

    /// Sends the INVITE, or waits for the way to be found.
    pub fn start(&mut self, cx: &mut Core, now: Instant, plan: &Plan) {
        if self.phase != Phase::Resolving {
            return;
        }
        let routes = cx.routes(now, self.account);
        let hop = match Resolve::of(routes.first().unwrap_or(&plan.target)).and_then(|hop| secured(hop, &plan.target)) {
            Ok(hop) => hop,
            Err(error) => return self.end(cx, now, EndedBy::Local, Some(503), format!("can't be called: {error}")),
        };
        match cx.flow_to(now, &hop) {
            Some(flow) => self.invite(cx, now, plan, flow),
            None => {
                if !cx.wait_for(hop, Waiting::Dial(self.no)) {
                    self.end(cx, now, EndedBy::Local, Some(503), "too many calls wait for an address");
                }
            }
        }
    }

    /// The way can't be found.
    pub fn unresolved(&mut self, cx: &mut Core, now: Instant, host: &str) {
        let reason = format!("no address was found for {}", super::super::identity::printable(host));
        self.end(cx, now, EndedBy::Transport, Some(503), reason);
    }

    fn invite(&mut self, cx: &mut Core, now: Instant, plan: &Plan, flow: Flow) {
        self.local = Some(flow);
        self.set_keying(cx, &flow);
        let Some(local) = self.local_media() else { return };
        let mut request = Request::new(Method::Invite, plan.target.clone());
        let tag = cx.token(8);
        let account = self.account.and_then(|account| cx.config.accounts.get(account.0));
        let from = match account {
            Some(account) => name_addr(account.display_name.as_deref(), &account.uri),
            None => format!("<sip:anonymous@{}>", flow.local),
        };
        for route in cx.routes(now, self.account) {
            push(&mut request.headers, HeaderName::Route, format!("<{route}>"));
        }
        push(&mut request.headers, HeaderName::MaxForwards, "70");
        push(&mut request.headers, HeaderName::From, format!("{from};tag={tag}"));
        push(&mut request.headers, HeaderName::To, format!("<{}>", plan.target));
        push(&mut request.headers, HeaderName::CallId, self.call_id.clone());
        push(&mut request.headers, HeaderName::CSeq, format!("{} INVITE", cx.below(1 << 15) + 1));
        if let Some(referred_by) = &plan.referred_by {
            push(&mut request.headers, HeaderName::ReferredBy, referred_by.clone());
        }
        if let Some(replaces) = &plan.replaces {
            push(&mut request.headers, HeaderName::Replaces, replaces.value());
        }
        self.add_contact(cx, &mut request.headers);
        self.ask_refresh(cx, &mut request.headers);
        Call::add_sdp(&mut request, self.sdp.offer(&local, Intent::Talk));
        if let Some(AccountId(place)) = self.account
            && cx.is_own_server(self.account, flow.remote.ip())
        {
            cx.preauthorize(place, &mut request);
        }
        self.phase = Phase::Inviting(Inviting::new());
        cx.send_by(now, Owner::Call(self.no, Purpose::Invite), request, flow);
    }

    /// A response to the first INVITE.
    pub(super) fn invite_response(
        &mut self,
        cx: &mut Core,
        now: Instant,
        id: ClientId,
        trusted: bool,
        response: Response,
    ) -> Vec<FollowUp> {
        match response.status.class() {
            1 => self.provisional(cx, now, id, &response),
            2 => self.accepted(cx, now, id, &response),
            _ => self.refused(cx, now, id, trusted, &response),
        }
    }

    fn provisional(&mut self, cx: &mut Core, now: Instant, id: ClientId, response: &Response) -> Vec<FollowUp> {
        let code = response.status.code();
        let Phase::Inviting(inviting) = &mut self.phase else { return Vec::new() };
        inviting.provisional = true;
        if inviting.cancel == Cancel::Wanted {
            inviting.cancel = Cancel::Sent;
            cx.send_cancel(now, self.no);
        }
        if code == 100 || inviting.is_cancelled() {
            return Vec::new();
        }
        let tag = to_tag(&response.headers).unwrap_or_default();
        if code == 199 {
            self.branch_ended(cx, now, &tag, response);
            return Vec::new();
        }
        let place = match inviting.early.iter().position(|early| early.tag == tag) {
            Some(place) => place,
            None if inviting.early.len() < MAX_EARLY => {
                let request = cx.tx.client_request(id).filter(|_| !tag.is_empty());
                let dialog = request.and_then(|request| Dialog::from_response(request, response));
                inviting.early.push(Early::new(tag, dialog));
                inviting.early.len() - 1
            }
            None => return Vec::new(),
        };
        let mut heard = None;
        if let Some(early) = inviting.early.get_mut(place) {
            if !early.sequence.accept(cx, now, self.no, early.dialog.as_mut(), response) {
                return Vec::new();
            }
            if let Some(answer) = session_description(response).filter(|_| !early.settled) {
                let mut session = self.sdp.clone();
                match session.handle_answer(&answer) {
                    Ok(media) => {
                        heard = Some(media.clone());
                        early.settled = early.dialog.is_some() && reliable::number(response).is_some();
                        early.sdp = Some((session, media));
                    }
                    Err(error) => tracing::debug!(call = %self.no, %error, "an early answer is not used"),
                }
            }
        }
        let early_media = inviting.early.iter().any(|early| early.sdp.is_some());
        if let Some(media) = heard {
            self.set_media(cx, media);
        }
        cx.emit(Event::Ringing { call: self.no, code, early_media });
        self.referrer
            .map(|referrer| FollowUp::Notify { referrer, code, reason: reason_phrase(response) })
            .into_iter()
            .collect()
    }

    /// 199: one branch has ended before the others (RFC 6228).
    fn branch_ended(&mut self, cx: &mut Core, now: Instant, tag: &Bytes, response: &Response) {
        let Phase::Inviting(inviting) = &mut self.phase else { return };
        let Some(place) = inviting.early.iter().position(|early| early.tag == *tag) else { return };
        let mut ended = inviting.early.remove(place);
        if !ended.sequence.accept(cx, now, self.no, ended.dialog.as_mut(), response) {
            return inviting.early.insert(place, ended);
        }
        if ended.sdp.is_none() {
            return;
        }
        let other = inviting.early.iter().rev().find_map(|early| early.sdp.as_ref().map(|(_, media)| media.clone()));
        let early_media = other.is_some();
        if let Some(media) = other {
            self.set_media(cx, media);
        }
        cx.emit(Event::Ringing { call: self.no, code: 199, early_media });
    }

    fn accepted(&mut self, cx: &mut Core, now: Instant, id: ClientId, response: &Response) -> Vec<FollowUp> {
        let Some(request) = cx.tx.client_request(id).cloned() else { return Vec::new() };
        let Some(mut dialog) = Dialog::from_response(&request, response) else {
            tracing::warn!(call = %self.no, "a 2xx names no dialog");
            return Vec::new();
        };
        let sequence = dialog.local_seq;
        if let Some(current) = &self.dialog {
            if current.remote_tag == dialog.remote_tag {
                self.repeat_ack(cx, now, sequence);
            } else {
                end_branch(cx, now, id, &request, response);
            }
            return Vec::new();
        }
        let ack = acknowledge(cx, now, &request, &dialog, sequence);
        self.remember_ack(sequence, ack);
        let Phase::Inviting(inviting) = self.phase.clone() else { return Vec::new() };
        let tag = dialog.remote_tag.clone();
        let early = inviting.early.iter().find(|early| early.tag == tag);
        if let Some(known) = early.and_then(|early| early.dialog.as_ref()) {
            dialog.remote_seq = known.remote_seq;
            dialog.local_seq = dialog.local_seq.max(known.local_seq);
        }
        self.dialog = Some(dialog);
        if inviting.is_cancelled() {
            // The 200 crossed our CANCEL: the call stands for a moment, and ends.
            self.send_bye(cx, now);
            self.end(cx, now, EndedBy::Local, Some(487), "hung up");
            return Vec::new();
        }
        let early: Vec<Early> = inviting.early.into_iter().filter(|early| early.sdp.is_some()).collect();
        let same = early.iter().find(|early| early.tag == tag);
        // Some send their 183 without a To tag.
        let early = same.or_else(|| early.iter().rfind(|early| early.tag.is_empty())).cloned();
        // RFC 3261 section 13.2.1: what comes after a reliable answer is none.
        let settled = early.as_ref().is_some_and(|early| early.settled);
        let answer = match (session_description(response).filter(|_| !settled), early.and_then(|early| early.sdp)) {
            (Some(answer), _) => self.sdp.handle_answer(&answer),
            (None, Some((session, media))) => {
                self.sdp = session;
                Ok(media)
            }
            (None, None) => Err(Refusal::BadAnswer("the 200 has no session description")),
        };
        match answer {
            Ok(media) => {
                self.set_media(cx, media);
                self.establish(cx, now);
                self.forget_least();
                self.refreshed(cx, now, response);
                if self.negotiated.as_ref().is_some_and(|media| media.held_by_peer) {
                    cx.emit(Event::RemoteHeld { call: self.no });
                }
                self.tell_referrer(200, "OK".to_owned())
            }
            Err(refusal) => {
                // What can't be read is no matter of codecs.
                let code = match refusal {
                    Refusal::Malformed(_) | Refusal::BadAnswer(_) => 400,
                    Refusal::NoAudio | Refusal::NoCommonCodec { .. } | Refusal::Srtp(_) => 488,
                };
                self.send_bye_because(cx, now, Some((code, "no usable session description")));
                self.end(cx, now, EndedBy::Local, Some(code), refusal.to_string());
                self.tell_referrer(488, "Not Acceptable Here".to_owned())
            }
        }
    }

    fn refused(
        &mut self,
        cx: &mut Core,
        now: Instant,
        id: ClientId,
        trusted: bool,
        response: &Response,
    ) -> Vec<FollowUp> {
        let code = response.status.code();
        let Phase::Inviting(inviting) = &mut self.phase else { return Vec::new() };
        if inviting.is_cancelled() {
            self.end(cx, now, EndedBy::Local, Some(487), "hung up");
            return Vec::new();
        }
        let mut reason = reason_phrase(response);
        if matches!(code, 401 | 407) && inviting.challenges < MAX_CHALLENGES {
            inviting.challenges += 1;
            match self.answer_challenge(cx, now, id, trusted, response) {
                Ok(()) => return Vec::new(),
                Err(why) => reason = why,
            }
        }
        if (code == 422 && self.ask_for_longer(cx, now, id, response)) || self.offer_without_dtls(cx, now, id, code) {
            return Vec::new();
        }
        if self.redirected(cx, now, id, response) || (code < 600 && self.try_next_target(cx, now)) {
            return Vec::new();
        }
        if let (3, Some(contact)) = (response.status.class(), super::super::dialog::contact(&response.headers)) {
            reason = format!("{reason}: now at {}", super::super::identity::uri_text(&contact));
        }
        let why = super::super::identity::reason(&response.headers).map(|(_, words)| words);
        if let Some(words) = why.or_else(|| warning(response)) {
            reason = format!("{reason}: {words}");
        }
        if let Some(seconds) =
            number(&response.headers, &HeaderName::RetryAfter).filter(|seconds| *seconds <= 24 * 3600)
        {
            reason = format!("{reason} (again in {seconds} s)");
        }
        let phrase = reason_phrase(response);
        self.end(cx, now, EndedBy::Remote, Some(code), reason);
        self.tell_referrer(code, phrase)
    }

    /// Sends the INVITE again with the session interval that a 422 asks for (RFC 4028 section 7.3); false: it asks for none.
    fn ask_for_longer(&mut self, cx: &mut Core, now: Instant, id: ClientId, response: &Response) -> bool {
        let (Some(mut request), Some(flow)) = (cx.tx.client_request(id).cloned(), cx.tx.client_flow(id)) else {
            return false;
        };
        if !self.raise(response) {
            return false;
        }
        for name in [HeaderName::Via, HeaderName::Authorization, HeaderName::ProxyAuthorization] {
            request.headers.remove_all(&name);
        }
        let sequence = request.headers.typed::<CSeq>().and_then(Result::ok).map_or(1, |cseq| cseq.sequence + 1);
        set(&mut request.headers, HeaderName::CSeq, format!("{sequence} INVITE"));
        self.ask_refresh(cx, &mut request.headers);
        if let Some(AccountId(place)) = self.account
            && cx.is_own_server(self.account, flow.remote.ip())
        {
            cx.preauthorize(place, &mut request);
        }
        if let Phase::Inviting(inviting) = &mut self.phase {
            inviting.provisional = false;
            inviting.early.clear();
        }
        cx.send_by(now, Owner::Call(self.no, Purpose::Invite), request, flow);
        true
    }

    /// Tells who asked for this call what has become of it: once, for he may ask for another one.
    fn tell_referrer(&mut self, code: u16, reason: String) -> Vec<FollowUp> {
        self.referrer.take().map(|referrer| FollowUp::Notify { referrer, code, reason }).into_iter().collect()
    }

    /// Sends the INVITE again with credentials; the error says in a person's words why not.
    fn answer_challenge(
        &mut self,
        cx: &mut Core,
        now: Instant,
        id: ClientId,
        trusted: bool,
        response: &Response,
    ) -> Result<(), String> {
        let request = cx.authorize(id, self.account, trusted, &mut self.attempt, response)?;
        let flow = cx.tx.client_flow(id).ok_or("the request is gone")?;
        if let Phase::Inviting(inviting) = &mut self.phase {
            inviting.provisional = false;
            inviting.early.clear();
        }
        cx.send_by(now, Owner::Call(self.no, Purpose::Invite), request, flow);
        Ok(())
    }

    /// The INVITE failed and goes to another target, unless the person has hung up: it begins anew there.
    pub fn may_go_elsewhere(&mut self) -> bool {
        let Phase::Inviting(inviting) = &mut self.phase else { return false };
        if inviting.is_cancelled() {
            return false;
        }
        inviting.provisional = false;
        inviting.early.clear();
        true
    }

    /// The early dialog that a request of the called side belongs to.
    pub(super) fn early_with(&mut self, headers: &Headers) -> Option<&mut Early> {
        let Phase::Inviting(inviting) = &mut self.phase else { return None };
        inviting.early.iter_mut().find(|early| early.dialog.as_ref().is_some_and(|dialog| dialog.matches(headers)))
    }

    /// The early dialog with this tag of the called side.
    pub(super) fn early_tagged(&mut self, tag: &Bytes) -> Option<&mut Early> {
        let Phase::Inviting(inviting) = &mut self.phase else { return None };
        inviting.early.iter_mut().find(|early| early.tag == *tag)
    }

    /// Keeps an ACK, to be repeated when its 2xx comes again.
    pub(super) fn remember_ack(&mut self, sequence: u32, ack: Request) {
        self.acks.rotate_right(1);
        if let Some(newest) = self.acks.first_mut() {
            *newest = Some((sequence, ack));
        }
    }

    /// Repeats the ACK for a 2xx that came again.
    pub(super) fn repeat_ack(&mut self, cx: &mut Core, now: Instant, sequence: u32) {
        let ack = self.acks.iter().flatten().find(|(acknowledged, _)| *acknowledged == sequence);
        if let Some((_, ack)) = ack {
            cx.send_ack(now, ack.clone());
        }
    }

    /// A 2xx whose transaction has ended already: its ACK is repeated.
    pub fn stray_2xx(&mut self, cx: &mut Core, now: Instant, response: &Response) {
        if let Some(Ok(cseq)) = response.headers.typed::<CSeq>() {
            self.repeat_ack(cx, now, cseq.sequence);
        }
    }

    /// The person hangs up before the answer (RFC 3261 section 9.1).
    pub(super) fn cancel(&mut self, cx: &mut Core, now: Instant) {
        let Phase::Inviting(inviting) = &mut self.phase else { return };
        if inviting.is_cancelled() {
            return;
        }
        let provisional = inviting.provisional;
        inviting.cancel = if provisional { Cancel::Sent } else { Cancel::Wanted };
        if provisional {
            cx.send_cancel(now, self.no);
        }
    }
}

/// Sends the ACK for a 2xx to our INVITE, with the INVITE's credentials (RFC 3261 sections 13.2.2.4 and 22.1).
pub fn acknowledge(cx: &mut Core, now: Instant, invite: &Request, dialog: &Dialog, sequence: u32) -> Request {
    let mut ack = dialog.ack(sequence);
    for name in [HeaderName::Authorization, HeaderName::ProxyAuthorization] {
        for header in invite.headers.get_all(&name) {
            ack.headers.push(header.clone());
        }
    }
    cx.send_ack(now, ack.clone());
    ack
}

/// A 2xx of a branch that nobody wants (a second one, or one that comes too late): acknowledged, and ended at once (RFC 3261
/// section 13.2.2.4). When it comes again only the ACK is repeated.
pub fn end_branch(cx: &mut Core, now: Instant, id: ClientId, invite: &Request, response: &Response) {
    let Some(mut dialog) = Dialog::from_response(invite, response) else { return };
    let sequence = dialog.local_seq;
    acknowledge(cx, now, invite, &dialog, sequence);
    if cx.clients.note_ended(id, &dialog.remote_tag) {
        // The PRACKs in this branch have had the next numbers; a gap is allowed (RFC 3261 section 12.2.2).
        dialog.local_seq += BRANCH_GAP;
        cx.send(now, Owner::Nobody, dialog.request(Method::Bye));
    }
}

/// The words of a Warning (RFC 3261 section 20.43), safe to show.
fn warning(response: &Response) -> Option<String> {
    let warning = text(&response.headers, &HeaderName::Warning);
    let words = warning.split('"').nth(1)?.trim();
    (!words.is_empty()).then(|| super::super::identity::printable(&words.chars().take(MAX_WORDS).collect::<String>()))
}

/// The session description in a response, if it has one.
pub fn session_description(response: &Response) -> Option<String> {
    Content::of(&response.headers, response.body()).session()
}
