//! One call: its dialogs, its offers and answers, its end.
//!
//! One verb a file: `outgoing` calls, `plainer` calls again without DTLS, `redirect` is sent elsewhere, `incoming` is called, `reliable` makes provisional
//! responses reliable, `modify` changes a standing call (hold, resume, the far side's re-INVITE and UPDATE), `moving` takes it to
//! another address, `refresh` shows that it still stands, `request` answers what comes inside the dialog, `transfer` hands it on,
//! `transferred` is handed on, `replaced` gives its place to another one, `way` says what ICE has found for the packets.

mod incoming;
mod modify;
mod moving;
mod outgoing;
mod plainer;
mod redirect;
mod refresh;
mod reliable;
mod replaced;
mod request;
mod transfer;
mod transferred;
mod way;

use std::time::{Duration, Instant};

use bytes::Bytes;
use rand_core::RngCore as _;

use crate::sdp::{self, Intent, Keying, LocalMedia, Negotiated};
use crate::sip::transport::{Flow, Transport};
use crate::sip::{HeaderName, Headers, Method, Request, Uri, push, set};
use crate::transaction::{ClientId, Failure};

use super::capabilities::{ALLOW, supported};
use super::command::{CommandError, MediaPorts};
use super::core::{Core, Owner, Purpose};
use super::dialog::Dialog;
use super::event::{EndedBy, Event, Party};
use super::referral::Referral;
use super::timer::Timer;
use super::{AccountId, CallNo, auth};

pub use incoming::{Alerting, Incoming, InviteKey};
pub use modify::refuse_offer;
pub use outgoing::{Dial, Plan, end_branch};
pub use refresh::too_short;
pub use replaced::Replaceable;
pub use transfer::TransferTo;

/// How far a call is.
#[derive(Debug, Clone, PartialEq)]
enum Phase {
    /// We call: the way to the target is being found.
    Resolving,
    /// We call: our INVITE is out.
    Inviting(outgoing::Inviting),
    /// It rings here.
    Ringing(incoming::Ringing),
    /// A 2xx was sent or received.
    Established,
    /// Nothing is left of it.
    Over,
}

/// A re-INVITE of ours that is under way.
#[derive(Debug, Clone, PartialEq)]
struct Modifying {
    /// What it asks for; what stands already, if it only refreshes the session.
    intent: Intent,
    /// Its CSeq number.
    sequence: u32,
    /// It says our new address.
    moving: bool,
    /// It says what has become of the way for the packets.
    way: bool,
    /// Its reliable responses, and the answer in one of them.
    reliable: reliable::Sequence,
    answered: Option<Negotiated>,
}

/// One call.
pub struct Call {
    pub no: CallNo,
    pub account: Option<AccountId>,
    /// We called: the Call-ID is ours.
    outgoing: bool,
    phase: Phase,
    /// The way to the peer, with our address, and the ports of the sound.
    local: Option<Flow>,
    media: Option<MediaPorts>,
    peer: Party,
    call_id: Bytes,
    /// The confirmed dialog; for an incoming call the early one already.
    dialog: Option<Dialog>,
    sdp: sdp::Session,
    negotiated: Option<Negotiated>,
    /// What the person wants, and what both sides have agreed on.
    want: Intent,
    have: Intent,
    modifying: Option<Modifying>,
    /// A re-INVITE is due that says our new address, or asks whether the call still stands.
    moving: bool,
    /// How often in a row our re-INVITE has met 491.
    glares: u32,
    /// The way that ICE has found for the packets, and whether a re-INVITE is due about it.
    path: Option<sdp::ice::Path>,
    way_due: bool,
    /// It came at a bad moment, and waits for [`Timer::Glare`].
    pausing: bool,
    /// The last two ACKs for 2xxs of the peer, to be repeated: their CSeq numbers and they. The 2xx to the INVITE may come
    /// again when a re-INVITE has had its own.
    acks: [Option<(u32, Request)>; 2],
    /// Our reliable provisional response to the INVITE.
    reliable: Option<reliable::Provisional>,
    /// The person has answered, with these ports, and the PRACK for our offer has not come yet.
    answer_waits: Option<MediaPorts>,
    /// Our 2xx that waits for its ACK.
    unacked: Option<incoming::Unacked>,
    refreshing: refresh::Refreshing,
    attempt: auth::Attempt,
    established_at: Option<Instant>,
    end_code: Option<u16>,
    /// The person has hung up, and our 2xx waits for its ACK.
    leaving: bool,
    transfer: Option<transfer::Asking>,
    asked: Option<Referral>,
    /// Where else it may go, once it was sent elsewhere.
    redirect: Option<redirect::Redirecting>,
    /// The call whose place it takes as soon as it is answered (RFC 3891).
    pub takes_place_of: Option<CallNo>,
    /// The INVITE that it came by.
    pub invite_key: Option<InviteKey>,
    /// The call whose peer asked for this one, which is told how it goes.
    pub referrer: Option<CallNo>,
    /// Why the network did not deliver its last request.
    pub network_words: Option<String>,
}

impl Call {
    fn new(cx: &mut Core, no: CallNo, account: Option<AccountId>, phase: Phase, call_id: Bytes, peer: Party) -> Call {
        // The session id is any number (RFC 8866 section 5.2); 31 bits keep old parsers content.
        let session_id = u64::from(cx.below(1 << 31));
        let ice_seed = cx.seed();
        Call {
            no,
            account,
            outgoing: phase == Phase::Resolving,
            phase,
            local: None,
            media: None,
            peer,
            call_id,
            dialog: None,
            sdp: sdp::Session::new(cx.config.capabilities.clone(), session_id).with_ice(ice_seed),
            negotiated: None,
            want: Intent::Talk,
            have: Intent::Talk,
            modifying: None,
            moving: false,
            path: None,
            way_due: false,
            glares: 0,
            pausing: false,
            acks: [None, None],
            reliable: None,
            answer_waits: None,
            unacked: None,
            refreshing: refresh::Refreshing::default(),
            attempt: auth::Attempt::default(),
            established_at: None,
            end_code: None,
            leaving: false,
            transfer: None,
            asked: None,
            redirect: None,
            takes_place_of: None,
            invite_key: None,
            referrer: None,
            network_words: None,
        }
    }

    /// Whether nothing is left of it.
    pub fn is_over(&self) -> bool {
        self.phase == Phase::Over
    }

    /// The status code that tells others how it ended, if it was never answered.
    pub fn end_code(&self) -> u16 {
        self.end_code.filter(|code| *code >= 300).unwrap_or(487)
    }

    /// Its Call-ID: the same from its first message to its last.
    pub fn call_id(&self) -> &Bytes {
        &self.call_id
    }

    /// By what its messages travel on our first hop, once that is known.
    pub fn transport(&self) -> Option<Transport> {
        self.local.map(|flow| flow.transport)
    }

    /// Whether a message's Call-ID is this call's.
    pub fn has_call_id(&self, headers: &Headers) -> bool {
        headers.value(&HeaderName::CallId).is_some_and(|call_id| call_id.as_ref() == self.call_id.as_ref())
    }

    /// Whether a request belongs to this call's dialog.
    pub fn has_dialog(&self, headers: &Headers) -> bool {
        self.dialog.as_ref().is_some_and(|dialog| dialog.matches(headers))
    }

    /// Whether a request belongs to one of its early dialogs: we call, and it is not answered yet.
    pub fn has_early_dialog(&mut self, headers: &Headers) -> bool {
        self.early_with(headers).is_some()
    }

    /// Takes the CSeq number of a request inside the dialog that is answered elsewhere; false: it is out of order.
    pub fn accept_seq(&mut self, request: &crate::sip::Request) -> bool {
        self.dialog.as_mut().is_some_and(|dialog| dialog.accept_seq(request))
    }

    /// Its state in the person's words.
    fn state(&self) -> &'static str {
        match &self.phase {
            Phase::Resolving | Phase::Inviting(_) => "not answered yet",
            Phase::Ringing(_) => "ringing here",
            Phase::Established => "established",
            Phase::Over => "over",
        }
    }

    fn wrong_state(&self, advice: &'static str) -> CommandError {
        CommandError::WrongState { call: self.no, state: self.state(), advice }
    }

    /// Fails unless the call stands.
    fn established(&self) -> Result<(), CommandError> {
        match self.phase {
            Phase::Established => Ok(()),
            Phase::Resolving | Phase::Inviting(_) => Err(self.wrong_state("wait for the answer, or hang up")),
            Phase::Ringing(_) => Err(self.wrong_state("answer it first")),
            Phase::Over => Err(CommandError::NoSuchCall(self.no)),
        }
    }

    /// Where our sound is received, once both are known.
    fn local_media(&self) -> Option<LocalMedia> {
        let (local, media) = (self.local?, self.media?);
        Some(LocalMedia {
            address: local.local.ip(),
            rtp_port: media.rtp,
            rtcp_port: media.rtcp,
            reflexive: media.reflexive,
            destination: way::destination(local),
            path: self.path,
        })
    }

    /// What its offers and answers do about SRTP, on this way.
    fn set_keying(&mut self, cx: &mut Core, flow: &Flow) {
        let (mut seed, mut names) = ([0; 32], [0; 32]);
        cx.rng().fill_bytes(&mut seed);
        if cx.certificate.is_some() {
            cx.rng().fill_bytes(&mut names);
        }
        let keying = cx.keying(self.account, flow);
        if keying == Keying::Required && flow.transport != Transport::Tls {
            tracing::warn!(call = %self.no, transport = ?flow.transport, "SRTP is required without TLS: who reads the signalling has its keys");
        }
        self.sdp.set_keying(keying, seed);
        cx.let_use_dtls(&mut self.sdp, self.account, names);
    }

    /// Adds Contact, Allow and Supported, as every INVITE and its 2xx have them.
    fn add_contact(&self, cx: &Core, headers: &mut Headers) {
        if let Some(local) = self.local {
            set(headers, HeaderName::Contact, format!("<{}>", cx.call_contact(self.account, &local)));
        }
        set(headers, HeaderName::Allow, ALLOW);
        if let Some(supported) = supported() {
            set(headers, HeaderName::Supported, supported);
        }
    }

    fn add_sdp(request: &mut Request, sdp: String) {
        push(&mut request.headers, HeaderName::ContentType, "application/sdp");
        request.set_body(sdp.into());
    }

    /// What the media are now.
    fn set_media(&mut self, cx: &mut Core, media: Negotiated) {
        let was_held = self.negotiated.as_ref().is_some_and(|media| media.held_by_peer);
        let is_held = media.held_by_peer;
        let changed = self.negotiated.as_ref() != Some(&media);
        self.note_ice(&media);
        self.negotiated = Some(media.clone());
        if changed {
            cx.emit(Event::Media { call: self.no, media: Box::new(media) });
        }
        match (self.phase == Phase::Established, was_held, is_held) {
            (true, false, true) => cx.emit(Event::RemoteHeld { call: self.no }),
            (true, true, false) => cx.emit(Event::RemoteResumed { call: self.no }),
            _ => {}
        }
    }

    fn establish(&mut self, cx: &mut Core, now: Instant) {
        tracing::debug!(call = %self.no, "{} -> established", self.state());
        self.phase = Phase::Established;
        self.established_at = Some(now);
        cx.emit(Event::Established { call: self.no });
    }

    /// P-Asserted-Identity or Remote-Party-ID in a message of the peer's (trusted only from the account's own servers).
    fn note_identity(&mut self, cx: &mut Core, headers: &Headers, trusted: bool) {
        let Some(peer) = trusted.then(|| super::identity::asserted(headers)).flatten() else { return };
        if peer != self.peer {
            self.peer = peer.clone();
            cx.emit(Event::PeerChanged { call: self.no, peer });
        }
    }

    /// The call is over: says so, takes its timers back.
    fn end(&mut self, cx: &mut Core, now: Instant, by: EndedBy, code: Option<u16>, reason: impl Into<String>) {
        if self.is_over() {
            return;
        }
        tracing::debug!(call = %self.no, "{} -> over", self.state());
        self.transfer_ends_with_call(cx, now, by);
        if by != EndedBy::Remote {
            self.asked = None;
        }
        let answered_for = self.established_at.map(|since| now.saturating_duration_since(since));
        self.phase = Phase::Over;
        cx.over.push_back(self.no);
        self.end_code = code;
        cx.emit(Event::Ended { call: self.no, by, code, reason: reason.into(), answered_for });
        cx.forget_waiting(self.no);
        cx.give_up_invites(now, self.no);
        if let Some(dialog) = &self.dialog {
            // A 2xx that comes now is acknowledged; its BYE has left already.
            for purpose in [Purpose::Invite, Purpose::Modify] {
                if let Some(invite) = cx.clients.newest_of(Owner::Call(self.no, purpose)) {
                    cx.clients.note_ended(invite, &dialog.remote_tag);
                }
            }
        }
        for timer in [
            Timer::Ring(self.no),
            Timer::AutoAnswer(self.no),
            Timer::Reliable(self.no),
            Timer::Resend2xx(self.no),
            Timer::AckMissing(self.no),
            Timer::Glare(self.no),
            Timer::Session(self.no),
            Timer::TransferSilent(self.no),
            Timer::TransferUnanswered(self.no),
            Timer::ReplacedLate(self.no),
            Timer::RedirectUnanswered(self.no),
        ] {
            cx.timers.cancel(&timer);
        }
    }

    /// Sends BYE; its answer changes nothing any more.
    fn send_bye(&mut self, cx: &mut Core, now: Instant) {
        self.send_bye_because(cx, now, None);
    }

    /// Sends BYE with a reason (RFC 3326): a status code and words of ours.
    fn send_bye_because(&mut self, cx: &mut Core, now: Instant, reason: Option<(u16, &'static str)>) {
        if let Some(dialog) = &mut self.dialog {
            let mut bye = dialog.request(Method::Bye);
            if let Some((code, words)) = reason {
                push(&mut bye.headers, HeaderName::Reason, format!("SIP;cause={code};text=\"{words}\""));
            }
            cx.send(now, Owner::Nobody, bye);
        }
    }

    /// The peer knows nothing of this call any more (RFC 3261 section 12.2.1.2).
    fn lost(&mut self, cx: &mut Core, now: Instant, code: u16) {
        if self.is_over() {
            return;
        }
        self.send_bye(cx, now);
        self.end(cx, now, EndedBy::Remote, Some(code), "the other side has lost the call");
    }

    /// The person, or the phone's end, hangs up: CANCEL, BYE or a refusal.
    pub fn hang_up(&mut self, cx: &mut Core, now: Instant) {
        match &self.phase {
            Phase::Resolving => self.end(cx, now, EndedBy::Local, Some(487), "hung up"),
            Phase::Inviting(_) => self.cancel(cx, now),
            Phase::Ringing(_) => {
                // Who is leaving is not busy.
                let code = if cx.shutting_down { 480 } else { 486 };
                self.refuse(cx, now, code, EndedBy::Local);
            }
            Phase::Established => {
                if !self.leave_after_ack() {
                    self.send_bye(cx, now);
                    self.end(cx, now, EndedBy::Local, None, "hung up");
                }
            }
            Phase::Over => {}
        }
    }

    /// It can have no sound.
    pub fn give_up(&mut self, cx: &mut Core, now: Instant, reason: String) {
        if self.phase != Phase::Established || self.leave_after_ack() {
            return self.hang_up(cx, now);
        }
        self.send_bye_because(cx, now, Some((488, "no keys for the media")));
        self.end(cx, now, EndedBy::Local, Some(488), reason);
    }

    /// A deadline of this call's.
    pub fn handle_timer(&mut self, cx: &mut Core, now: Instant, timer: Timer) {
        match timer {
            Timer::Ring(_) => self.ring_timeout(cx, now),
            Timer::AutoAnswer(_) => self.auto_answer_due(cx),
            Timer::Reliable(_) => self.resend_reliable(cx, now),
            Timer::Resend2xx(_) => self.resend_2xx(cx, now),
            Timer::AckMissing(_) => self.ack_missing(cx, now),
            Timer::Glare(_) => {
                self.pausing = false;
                self.reconcile(cx, now);
            }
            Timer::Session(_) => self.session_due(cx, now),
            Timer::TransferSilent(_) => self.transfer_silent(cx, now),
            Timer::TransferUnanswered(_) => {
                if self.refuse_transfer(cx, now) {
                    cx.emit(Event::TransferExpired { call: self.no });
                }
            }
            Timer::ReplacedLate(_) => self.replaced_late(cx, now),
            Timer::RedirectUnanswered(_) => self.redirect_unanswered(cx, now),
            Timer::Transaction(_) | Timer::Registration(_) | Timer::KeepAlive(_) | Timer::Subscription(_) => {}
        }
    }

    /// A response to a request of ours.
    pub fn handle_response(
        &mut self,
        cx: &mut Core,
        now: Instant,
        id: ClientId,
        purpose: Purpose,
        flow: crate::sip::transport::Flow,
        response: crate::sip::Response,
    ) -> Vec<super::FollowUp> {
        // A sender's address alone can be forged, and a peer knows our branch: the request must have gone to our own
        // server as well.
        let asked = cx.tx.client_flow(id).is_some_and(|way| cx.is_own_server(self.account, way.remote.ip()));
        let trusted = asked && cx.is_own_server(self.account, flow.remote.ip());
        match purpose {
            Purpose::Invite => {
                self.note_identity(cx, &response.headers, trusted);
                self.invite_response(cx, now, id, trusted, response)
            }
            Purpose::Modify => {
                self.note_identity(cx, &response.headers, trusted);
                self.modify_response(cx, now, id, trusted, response);
                Vec::new()
            }
            Purpose::Prack => {
                self.prack_response(cx, now, id, trusted, &response);
                Vec::new()
            }
            Purpose::Update => {
                self.note_identity(cx, &response.headers, trusted);
                self.update_response(cx, now, id, trusted, &response);
                Vec::new()
            }
            // RFC 3261 section 12.2.1.2: the peer has lost the dialog.
            Purpose::Refer | Purpose::Info if matches!(response.status.code(), 408 | 481) => {
                self.lost(cx, now, response.status.code());
                Vec::new()
            }
            Purpose::Refer => {
                self.refer_response(cx, now, id, trusted, &response);
                Vec::new()
            }
            Purpose::Info => {
                if response.status.is_final() && !response.status.is_success() {
                    let message = format!("the digit was refused: {}", status_line(&response));
                    cx.emit(Event::CallError { call: self.no, message });
                }
                Vec::new()
            }
        }
    }

    /// A request of ours got no answer, or could not leave.
    pub fn handle_failure(&mut self, cx: &mut Core, now: Instant, purpose: Purpose, failure: Failure) {
        let (by, code, reason) = match failure {
            Failure::Timeout => (EndedBy::Timeout, 408, "no answer came from the network"),
            Failure::Transport => (EndedBy::Transport, 503, "the network can't reach the address"),
        };
        let cancelled = matches!(&self.phase, Phase::Inviting(inviting) if inviting.is_cancelled());
        if purpose == Purpose::Invite && !cancelled && self.try_next_target(cx, now) {
            return;
        }
        let words = self.network_words.take();
        let reason = words.as_deref().unwrap_or(reason);
        match (purpose, &self.phase) {
            (Purpose::Invite, Phase::Inviting(inviting)) if inviting.is_cancelled() => {
                self.end(cx, now, EndedBy::Local, Some(487), "hung up");
            }
            (Purpose::Invite, Phase::Inviting(_) | Phase::Resolving) => self.end(cx, now, by, Some(code), reason),
            (Purpose::Modify | Purpose::Update, Phase::Established) => {
                // RFC 3261 section 12.2.1.2: a request in the dialog that times out ends it.
                self.send_bye(cx, now);
                self.end(cx, now, by, Some(code), reason);
            }
            (Purpose::Refer, Phase::Established) => self.transfer_failed(cx, now, Some(code)),
            (Purpose::Info, Phase::Established) => {
                cx.emit(Event::CallError { call: self.no, message: format!("the digit was not sent: {reason}") });
            }
            (Purpose::Prack, _) => tracing::debug!(call = %self.no, reason, "PRACK got no answer"),
            (Purpose::Invite | Purpose::Modify | Purpose::Update | Purpose::Refer | Purpose::Info, _) => {}
        }
    }

    /// How long ago the call was answered.
    pub fn answered_for(&self, now: Instant) -> Option<Duration> {
        self.established_at.map(|since| now.saturating_duration_since(since))
    }

    /// Sends a digit by INFO.
    pub fn info_digit(
        &mut self,
        cx: &mut Core,
        now: Instant,
        digit: char,
        duration_ms: u16,
    ) -> Result<(), CommandError> {
        self.established()?;
        if !digit.is_ascii_digit() && !matches!(digit.to_ascii_uppercase(), 'A'..='D' | '*' | '#') {
            return Err(CommandError::BadDigit(digit));
        }
        if let Some(dialog) = &mut self.dialog {
            let mut info = dialog.request(Method::Info);
            push(&mut info.headers, HeaderName::ContentType, "application/dtmf-relay");
            info.set_body(format!("Signal={}\r\nDuration={duration_ms}\r\n", digit.to_ascii_uppercase()).into());
            cx.send(now, Owner::Call(self.no, Purpose::Info), info);
        }
        Ok(())
    }
}

/// "486 Busy Here", safe to show.
fn status_line(response: &crate::sip::Response) -> String {
    format!("{} {}", response.status.code(), reason_phrase(response))
}

/// The reason phrase, safe to show.
fn reason_phrase(response: &crate::sip::Response) -> String {
    super::identity::printable(&String::from_utf8_lossy(&response.reason))
}

/// A From or To value with a name and a URI.
pub fn name_addr(name: Option<&str>, uri: &Uri) -> String {
    match name {
        Some(name) => format!("\"{}\" <{uri}>", name.replace(['"', '\\'], "")),
        None => format!("<{uri}>"),
    }
}
