//! Blind transfer (RFC 3515, RFC 5589 section 6): asking for it, and being asked.

use std::time::{Duration, Instant};

use crate::sdp::Intent;
use crate::sip::{CSeq, HeaderName, Method, Param, Request, Response, Scheme, Uri, push, set, text};
use crate::transaction::{ClientId, ServerId};

use super::super::command::CommandError;
use super::super::config::TransferPolicy;
use super::super::core::{Core, Owner, Purpose};
use super::super::dialog::refer_to;
use super::super::event::{EndedBy, Event, TransferStage};
use super::super::identity;
use super::super::timer::Timer;
use super::{Call, Phase, status_line};
use crate::sip::body::content_type;

/// How long we wait for a final NOTIFY.
const NOTIFY_PATIENCE: Duration = Duration::from_secs(60);
/// How long a person has to decide.
const DECISION_PATIENCE: Duration = Duration::from_secs(30);

/// A transfer that we asked for.
#[derive(Debug, Clone)]
pub struct Asking {
    target: Uri,
    /// We held the call for this: a failure takes it back.
    held_for_it: bool,
    progress: Progress,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Progress {
    /// The hold is under way.
    Holding,
    /// REFER is out, with this CSeq number.
    Referred { sequence: u32, accepted: bool },
}

/// A transfer that the peer asks for.
#[derive(Debug, Clone)]
pub struct Asked {
    /// Whom to call.
    pub target: Uri,
    /// The Referred-By to pass on.
    pub referred_by: Option<String>,
    /// The `id` of the subscription's Event: the REFER's CSeq number.
    id: u32,
    /// The call to the target is under way.
    following: bool,
}

impl Call {
    /// Transfers: holds first, then REFER.
    pub fn transfer(&mut self, cx: &mut Core, now: Instant, target: Uri) -> Result<(), CommandError> {
        self.established()?;
        if self.transfer.is_some() {
            return Err(self.wrong_state("a transfer of it is under way already"));
        }
        let held_for_it = !self.is_on_hold();
        self.transfer = Some(Asking { target, held_for_it, progress: Progress::Holding });
        if held_for_it {
            self.want = Intent::Hold(cx.config.hold);
        }
        self.reconcile(cx, now);
        Ok(())
    }

    /// The hold has been agreed on, or was refused: REFER leaves either way, for the person wants the transfer.
    pub(super) fn transfer_after_hold(&mut self, cx: &mut Core, now: Instant) {
        let Some(asking) = self.transfer.as_mut().filter(|asking| asking.progress == Progress::Holding) else { return };
        let Some(dialog) = &mut self.dialog else { return };
        let mut refer = dialog.request(Method::Refer);
        asking.progress = Progress::Referred { sequence: dialog.local_seq, accepted: false };
        push(&mut refer.headers, HeaderName::ReferTo, format!("<{}>", asking.target));
        let account = self.account.and_then(|account| cx.config.accounts.get(account.0));
        let by = match (account, self.local) {
            (Some(account), _) => account.uri.to_string(),
            (None, Some(local)) => cx.contact(None, &local),
            (None, None) => return,
        };
        push(&mut refer.headers, HeaderName::ReferredBy, format!("<{by}>"));
        self.add_contact(cx, &mut refer.headers);
        self.attempt = Default::default();
        cx.send(now, Owner::Call(self.no, Purpose::Refer), refer);
    }

    /// A response to our REFER.
    pub(super) fn refer_response(
        &mut self,
        cx: &mut Core,
        now: Instant,
        id: ClientId,
        trusted: bool,
        response: &Response,
    ) {
        let code = response.status.code();
        match response.status.class() {
            1 => {}
            2 => self.refer_accepted(cx, now),
            _ if matches!(code, 401 | 407) => {
                match cx.authorize(id, self.account, trusted, &mut self.attempt, response) {
                    Ok(mut request) => {
                        if let (Some(dialog), Some(asking)) = (&mut self.dialog, &mut self.transfer) {
                            let sequence = dialog.renumber(&mut request);
                            asking.progress = Progress::Referred { sequence, accepted: false };
                        }
                        cx.send(now, Owner::Call(self.no, Purpose::Refer), request);
                    }
                    Err(_) => self.transfer_failed(cx, now, Some(code)),
                }
            }
            _ => {
                tracing::debug!(call = %self.no, "REFER was refused: {}", status_line(response));
                self.transfer_failed(cx, now, Some(code));
            }
        }
    }

    fn refer_accepted(&mut self, cx: &mut Core, now: Instant) {
        let Some(Asking { progress: Progress::Referred { accepted, .. }, .. }) = &mut self.transfer else { return };
        if !*accepted {
            *accepted = true;
            cx.emit(Event::Transfer { call: self.no, stage: TransferStage::Trying, code: None });
            cx.timers.set(Timer::TransferSilent(self.no), now + NOTIFY_PATIENCE);
        }
    }

    /// A NOTIFY inside the dialog: how our transfer goes (RFC 3515 section 2.4.5). It may come before the 202.
    pub(super) fn handle_notify(&mut self, cx: &mut Core, now: Instant, id: ServerId, request: &Request) {
        let event = text(&request.headers, &HeaderName::Event).to_ascii_lowercase();
        let mut parts = event.split(';').map(str::trim);
        if parts.next() != Some("refer") {
            return cx.respond(now, id, 489, "Bad Event", &[]);
        }
        let sequence = parts.find_map(|part| part.strip_prefix("id=")).and_then(|id| id.parse::<u32>().ok());
        let ours = match &self.transfer {
            Some(Asking { progress: Progress::Referred { sequence: ours, .. }, .. }) => Some(*ours),
            _ => None,
        };
        if ours.is_none() || sequence.is_some_and(|sequence| Some(sequence) != ours) {
            // A report of a transfer that is over for us, or never was.
            return cx.respond(now, id, 481, "Subscription Does Not Exist", &[]);
        }
        if !content_type(&request.headers).starts_with("message/sipfrag") {
            let accept = [(HeaderName::Accept, "message/sipfrag")];
            return cx.respond(now, id, 415, "Unsupported Media Type", &accept);
        }
        let Some(code) = sipfrag_code(request.body()) else {
            return cx.respond(now, id, 400, "Bad Status Line", &[]);
        };
        cx.respond(now, id, 200, "OK", &[]);
        self.refer_accepted(cx, now);
        match code {
            // Even with the end of the subscription: some don't watch the target, and hang up when it has answered.
            100 => {}
            101..200 => {
                cx.emit(Event::Transfer { call: self.no, stage: TransferStage::Ringing, code: Some(code) });
            }
            200..300 => {
                cx.emit(Event::Transfer { call: self.no, stage: TransferStage::Accepted, code: Some(code) });
                self.transfer = None;
                self.send_bye(cx, now);
                self.end(cx, now, EndedBy::Local, None, "transferred");
            }
            _ => self.transfer_failed(cx, now, Some(code)),
        }
    }

    pub(super) fn transfer_silent(&mut self, cx: &mut Core, now: Instant) {
        self.transfer_failed(cx, now, None);
    }

    /// The transfer failed: the call is the person's again.
    pub(super) fn transfer_failed(&mut self, cx: &mut Core, now: Instant, code: Option<u16>) {
        let Some(asking) = self.transfer.take() else { return };
        cx.timers.cancel(&Timer::TransferSilent(self.no));
        cx.emit(Event::Transfer { call: self.no, stage: TransferStage::Failed, code });
        if asking.held_for_it && self.phase == Phase::Established {
            self.want = Intent::Talk;
            self.reconcile(cx, now);
        }
    }

    /// The call ends while a transfer is under way: a BYE of the peer's after its 2xx means that it worked (common PBXs send
    /// no final NOTIFY).
    pub(super) fn transfer_ends_with_call(&mut self, cx: &mut Core, by: EndedBy) {
        let Some(asking) = self.transfer.take() else { return };
        let accepted = matches!(asking.progress, Progress::Referred { accepted: true, .. });
        let stage = if accepted && by == EndedBy::Remote { TransferStage::Accepted } else { TransferStage::Failed };
        cx.emit(Event::Transfer { call: self.no, stage, code: None });
    }

    // ---- being asked ----

    /// REFER inside the dialog (RFC 3515 section 2.4.2): 202 at once, for it can't wait for a person.
    pub(super) fn handle_refer(&mut self, cx: &mut Core, now: Instant, id: ServerId, request: &Request) {
        let Some(address) = refer_to(&request.headers) else {
            return cx.respond(now, id, 400, "Bad Refer-To", &[]);
        };
        let mut target = address.uri;
        if !matches!(target.scheme(), Scheme::Sip | Scheme::Sips | Scheme::Tel) {
            return cx.respond(now, id, 416, "Unsupported URI Scheme", &[]);
        }
        let method =
            target.params().and_then(|params| params.value("method")).map(|method| method.to_ascii_uppercase());
        if method.is_some_and(|method| method != b"INVITE") {
            return cx.respond(now, id, 403, "Only INVITE", &[]);
        }
        if cx.config.transfers == TransferPolicy::Refuse {
            return cx.respond(now, id, 603, "Decline", &[]);
        }
        if self.phase != Phase::Established || self.asked.is_some() {
            let pause = [(HeaderName::RetryAfter, "10")];
            return cx.respond(now, id, 500, "Another Transfer Is Pending", &pause);
        }
        strip(&mut target);
        let sequence = request.headers.typed::<CSeq>().and_then(Result::ok).map_or(0, |cseq| cseq.sequence);
        let referred_by = Some(text(&request.headers, &HeaderName::ReferredBy)).filter(|by| !by.is_empty());
        if let Some(mut response) = cx.response(request, 202, "Accepted") {
            self.add_contact(cx, &mut response.headers);
            set(&mut response.headers, HeaderName::ContentLength, "0");
            cx.tx.respond(now, id, response);
        }
        let by = identity::first_address(&request.headers, &HeaderName::ReferredBy)
            .map(|address| identity::uri_text(&address.uri));
        let to = identity::uri_text(&target);
        self.asked = Some(Asked { target, referred_by, id: sequence, following: false });
        self.notify(cx, now, 100, "Trying");
        match cx.config.transfers {
            TransferPolicy::Ask => {
                cx.timers.set(Timer::TransferUnanswered(self.no), now + DECISION_PATIENCE);
                cx.emit(Event::TransferRequest { call: self.no, to, by });
            }
            TransferPolicy::Follow => cx.emit(Event::TransferDue { call: self.no }),
            TransferPolicy::Refuse => {}
        }
    }

    /// Whom the peer asks to call.
    pub fn transfer_asked(&self) -> Result<Asked, CommandError> {
        self.asked.clone().filter(|asked| !asked.following).ok_or_else(|| self.no_transfer_asked())
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
        if self.asked.as_ref().is_none_or(|asked| asked.following) {
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
        let Some(asked) = &self.asked else { return };
        let (id, over) = (asked.id, code >= 200);
        let Some(dialog) = self.dialog.as_mut().filter(|_| self.phase == Phase::Established) else { return };
        let mut notify = dialog.request(Method::Notify);
        push(&mut notify.headers, HeaderName::Event, format!("refer;id={id}"));
        let state = if over { "terminated;reason=noresource" } else { "active;expires=60" };
        push(&mut notify.headers, HeaderName::SubscriptionState, state);
        self.add_contact(cx, &mut notify.headers);
        push(&mut notify.headers, HeaderName::ContentType, "message/sipfrag;version=2.0");
        let reason = if reason.is_empty() { super::super::request::default_reason(code) } else { reason };
        notify.set_body(format!("SIP/2.0 {code} {reason}\r\n").into());
        cx.send(now, Owner::Nobody, notify);
        if over {
            self.asked = None;
        }
    }
}

/// Takes off what a Refer-To may not bring along: header fields (RFC 3261 section 19.1.5 warns of them) and `method`.
pub(super) fn strip(target: &mut Uri) {
    let names: Vec<String> = target
        .headers()
        .map(|headers| headers.iter().map(|param: &Param| String::from_utf8_lossy(param.name()).into_owned()).collect())
        .unwrap_or_default();
    for name in names {
        target.remove_header(&name);
    }
    target.remove_param("method");
}

/// The status code of a message/sipfrag (RFC 3420).
fn sipfrag_code(body: &[u8]) -> Option<u16> {
    let text = std::str::from_utf8(body).ok()?;
    let mut words = text.trim_start().split_ascii_whitespace();
    let version = words.next()?;
    let code: u16 = words.next()?.parse().ok()?;
    (version.eq_ignore_ascii_case("SIP/2.0") && (100..700).contains(&code)).then_some(code)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fragment_s_status_is_read() {
        assert_eq!(sipfrag_code(b"SIP/2.0 180 Ringing\r\n"), Some(180));
        assert_eq!(sipfrag_code(b"SIP/2.0 200 OK"), Some(200));
        assert_eq!(sipfrag_code(b"INVITE sip:a SIP/2.0"), None);
        assert_eq!(sipfrag_code(b"SIP/2.0 99 x"), None);
    }

    #[test]
    fn a_target_brings_no_header_fields_along() {
        let mut target = Uri::parse("sip:c@x;method=INVITE;user=phone?Subject=a&Route=%3Csip:evil%3E".into()).unwrap();
        strip(&mut target);
        assert_eq!(target.to_string(), "sip:c@x;user=phone");
    }
}
