//! Transferring a call (RFC 3515; RFC 5589 sections 6 and 7), blind or to someone with whom we have another call.

use std::time::{Duration, Instant};

use crate::sdp::Intent;
use crate::sip::{HeaderName, Method, Request, Response, Uri, push, text};
use crate::transaction::{ClientId, ServerId};

use super::super::CallNo;
use super::super::command::CommandError;
use super::super::core::{Core, Owner, Purpose};
use super::super::event::{EndedBy, Event, TransferStage};
use super::super::referral::strip;
use super::super::replaces::Replaces;
use super::super::timer::Timer;
use super::{Call, Phase, status_line};
use crate::sip::body::content_type;

/// How long we wait for a final NOTIFY.
const NOTIFY_PATIENCE: Duration = Duration::from_secs(60);
/// How long the target of an attended transfer has to end its call with us, once it has another one in its place.
const REPLACED_PATIENCE: Duration = Duration::from_secs(3);

/// A transfer that we asked for.
#[derive(Debug, Clone)]
pub struct Asking {
    /// The Refer-To value.
    refer_to: String,
    /// Another one, to be tried when the transferee can't reach the first.
    fallback: Option<String>,
    /// The call with the target, where we have one: an attended transfer.
    with: Option<CallNo>,
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

/// Whom to transfer a call to.
pub struct TransferTo {
    /// The Refer-To value.
    refer_to: String,
    fallback: Option<String>,
    with: Option<CallNo>,
}

impl TransferTo {
    /// Someone with whom we have no call.
    pub fn blind(target: &Uri) -> TransferTo {
        TransferTo { refer_to: format!("<{target}>"), fallback: None, with: None }
    }
}

impl Call {
    /// Transfers: holds first, then REFER.
    pub fn transfer(&mut self, cx: &mut Core, now: Instant, to: TransferTo) -> Result<(), CommandError> {
        self.transferable()?;
        let held_for_it = !self.is_on_hold();
        let TransferTo { refer_to, fallback, with } = to;
        self.transfer = Some(Asking { refer_to, fallback, with, held_for_it, progress: Progress::Holding });
        if held_for_it {
            self.want = Intent::Hold(cx.config.hold);
        }
        self.reconcile(cx, now);
        Ok(())
    }

    /// Fails unless the call stands and no transfer of it is under way.
    pub fn transferable(&self) -> Result<(), CommandError> {
        self.established()?;
        match self.transfer {
            Some(_) => Err(self.wrong_state("a transfer of it is under way already")),
            None => Ok(()),
        }
    }

    /// What makes another call's peer take our place in this one (RFC 5589 section 7): the target's own Contact with the
    /// dialog as the target sees it, and as a fallback the address by which the target is known.
    pub fn as_transfer_target(&self) -> Result<TransferTo, CommandError> {
        self.transferable()?;
        let dialog = self.dialog.as_ref().ok_or(CommandError::NoSuchCall(self.no))?;
        let replaces = Replaces::for_peer_of(dialog).escaped();
        let refer_to = |target: &Uri, more: &str| {
            let mut target = target.clone();
            strip(&mut target);
            format!("<{target}?Replaces={replaces}{more}>")
        };
        let known = Uri::parse(self.peer.uri.clone().into()).ok().filter(|known| known.scheme().is_sip());
        let known = known.filter(|known| known.host().is_some() && !known.equivalent(&dialog.target));
        Ok(TransferTo {
            refer_to: refer_to(&dialog.target, ""),
            // Whoever answers at that address must know what Replaces is: else a second phone would ring.
            fallback: known.map(|known| refer_to(&known, "&Require=replaces")),
            with: Some(self.no),
        })
    }

    /// We call it, and nobody has answered yet.
    pub fn is_unanswered(&self) -> bool {
        matches!(self.phase, Phase::Resolving | Phase::Inviting(_))
    }

    /// The hold has been agreed on, or was refused: REFER leaves either way, for the person wants the transfer.
    pub(super) fn transfer_after_hold(&mut self, cx: &mut Core, now: Instant) {
        let Some(asking) = self.transfer.as_mut().filter(|asking| asking.progress == Progress::Holding) else { return };
        let Some(dialog) = &mut self.dialog else { return };
        let mut refer = dialog.request(Method::Refer);
        asking.progress = Progress::Referred { sequence: dialog.local_seq, accepted: false };
        push(&mut refer.headers, HeaderName::ReferTo, asking.refer_to.clone());
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
            2 => {
                self.refer_accepted(cx, now);
                // RFC 4488: no reports will come.
                if text(&response.headers, &HeaderName::ReferSub).to_ascii_lowercase().starts_with("false") {
                    self.transfer_done(cx, now, None);
                }
            }
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
            200..300 => self.transfer_done(cx, now, Some(code)),
            // The target's Contact means nothing to the transferee: then by the address that everybody knows it by.
            404 | 408 | 410 | 416 | 480 | 503 | 504 if self.try_fallback(cx, now) => {}
            _ => self.transfer_failed(cx, now, Some(code)),
        }
    }

    /// The target has answered: our part is over.
    fn transfer_done(&mut self, cx: &mut Core, now: Instant, code: Option<u16>) {
        let Some(asking) = self.transfer.take() else { return };
        cx.emit(Event::Transfer { call: self.no, stage: TransferStage::Accepted, code });
        asking.await_replacement(cx, now);
        self.send_bye(cx, now);
        self.end(cx, now, EndedBy::Local, None, "transferred");
    }

    fn try_fallback(&mut self, cx: &mut Core, now: Instant) -> bool {
        let Some(asking) = &mut self.transfer else { return false };
        let Some(fallback) = asking.fallback.take() else { return false };
        tracing::debug!(call = %self.no, "the target can't be reached by its Contact");
        asking.refer_to = fallback;
        asking.progress = Progress::Holding;
        cx.timers.cancel(&Timer::TransferSilent(self.no));
        self.transfer_after_hold(cx, now);
        true
    }

    /// The target of an attended transfer has had its time to end this call.
    pub(super) fn replaced_late(&mut self, cx: &mut Core, now: Instant) {
        if self.phase == Phase::Established {
            self.send_bye(cx, now);
            self.end(cx, now, EndedBy::Local, None, "transferred");
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
    pub(super) fn transfer_ends_with_call(&mut self, cx: &mut Core, now: Instant, by: EndedBy) {
        let Some(asking) = self.transfer.take() else { return };
        let accepted = matches!(asking.progress, Progress::Referred { accepted: true, .. });
        let stage = if accepted && by == EndedBy::Remote { TransferStage::Accepted } else { TransferStage::Failed };
        if stage == TransferStage::Accepted {
            asking.await_replacement(cx, now);
        }
        cx.emit(Event::Transfer { call: self.no, stage, code: None });
    }
}

impl Asking {
    /// The call with the target ends by the target's BYE, or by ours.
    fn await_replacement(&self, cx: &mut Core, now: Instant) {
        if let Some(with) = self.with {
            cx.timers.set(Timer::ReplacedLate(with), now + REPLACED_PATIENCE);
        }
    }
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
}
