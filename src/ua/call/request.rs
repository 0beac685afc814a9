//! Requests of the far side inside the dialog (RFC 3261 section 12.2.2).

use std::time::Instant;

use crate::sdp::Intent;
use crate::sip::body::{Content, content_type};
use crate::sip::transport::Flow;
use crate::sip::{HeaderName, Method, Request};
use crate::transaction::ServerId;

use super::super::capabilities::{ACCEPT, ALLOW, supported};
use super::super::core::Core;
use super::super::event::{EndedBy, Event};
use super::super::identity;
use super::modify::refuse_offer;
use super::{Call, Phase};

impl Call {
    /// A request inside this call's dialog.
    pub fn handle_request(&mut self, cx: &mut Core, now: Instant, id: ServerId, flow: Flow, request: &Request) {
        if !self.dialog.as_mut().is_some_and(|dialog| dialog.accept_seq(request)) {
            return cx.respond(now, id, 500, "Out of Order", &[]);
        }
        let trusted = cx.is_own_server(self.account, flow.remote.ip());
        match request.method {
            Method::Bye => self.handle_bye(cx, now, id, request),
            Method::Invite => {
                self.note_identity(cx, &request.headers, trusted);
                self.handle_reinvite(cx, now, id, request);
            }
            Method::Update => {
                self.note_identity(cx, &request.headers, trusted);
                self.handle_update(cx, now, id, request);
            }
            Method::Prack => self.handle_prack(cx, now, id, request),
            Method::Info => self.handle_info(cx, now, id, request),
            Method::Refer => self.handle_refer(cx, now, id, request),
            Method::Notify => self.handle_notify(cx, now, id, request),
            Method::Options => tell_capabilities(cx, now, id),
            _ => cx.respond(now, id, 405, "Method Not Allowed", &[(HeaderName::Allow, ALLOW)]),
        }
    }

    /// A request of the called side before its answer. PBXs tell by UPDATE who rings; a 481 would make them give up.
    pub fn handle_early_request(&mut self, cx: &mut Core, now: Instant, id: ServerId, flow: Flow, request: &Request) {
        let local = self.media_for_answer();
        let Some(early) = self.early_with(&request.headers) else { return };
        if !early.dialog.as_mut().is_some_and(|dialog| dialog.accept_seq(request)) {
            return cx.respond(now, id, 500, "Out of Order", &[]);
        }
        match request.method {
            Method::Update => {
                let offer = Content::of(&request.headers, request.body()).session();
                let answer = match (offer, &mut early.sdp, local) {
                    (None, _, _) => None,
                    (Some(offer), Some((session, media)), Some(local)) if early.settled => {
                        match session.answer(&offer, &local, Intent::Talk) {
                            Ok((answer, negotiated)) => {
                                media.clone_from(&negotiated);
                                Some((answer, negotiated))
                            }
                            Err(refusal) => return refuse_offer(cx, now, id, &refusal),
                        }
                    }
                    // RFC 3311 section 5.2: our own offer, in the INVITE, still waits for its answer.
                    (Some(_), _, _) => return cx.respond(now, id, 491, "Request Pending", &[]),
                };
                if let Some(dialog) = &mut early.dialog {
                    dialog.refresh_target(&request.headers);
                }
                let trusted = cx.is_own_server(self.account, flow.remote.ip());
                self.note_identity(cx, &request.headers, trusted);
                self.update_accepted(cx, now, (id, request), answer);
            }
            Method::Options => tell_capabilities(cx, now, id),
            Method::Info if request.body().is_empty() => cx.respond(now, id, 200, "OK", &[]),
            _ => cx.respond(now, id, 481, "Call/Transaction Does Not Exist", &[]),
        }
    }

    fn handle_bye(&mut self, cx: &mut Core, now: Instant, id: ServerId, request: &Request) {
        cx.respond(now, id, 200, "OK", &[]);
        self.handle_also(cx, now, request);
        if let Some(invite) = self.ringing_invite() {
            // RFC 3261 section 15.1.2: what is still unanswered gets 487.
            self.terminate_invite(cx, now, invite);
        }
        let (code, words) = match identity::reason(&request.headers) {
            Some((code, words)) => (code, words),
            None => (None, "the other side hung up".to_owned()),
        };
        self.end(cx, now, EndedBy::Remote, code, words);
    }

    /// A digit, in either of the two old ways; an empty INFO is a keep-alive.
    fn handle_info(&mut self, cx: &mut Core, now: Instant, id: ServerId, request: &Request) {
        // RFC 6086 section 4.2.2: we take no Info Package, which an empty Recv-Info says; digits come without one.
        if request.headers.get(&crate::sip::other("Info-Package")).is_some() {
            return cx.respond(now, id, 469, "Bad Info Package", &[(crate::sip::other("Recv-Info"), "")]);
        }
        let body = String::from_utf8_lossy(request.body()).into_owned();
        let digit = match content_type(&request.headers).as_str() {
            "application/dtmf-relay" => relay_digit(&body),
            "application/dtmf" => body.trim().chars().next().map(|digit| (digit, 160)),
            "" if body.is_empty() => return cx.respond(now, id, 200, "OK", &[]),
            _ => {
                let accept = "application/dtmf-relay, application/dtmf";
                return cx.respond(now, id, 415, "Unsupported Media Type", &[(HeaderName::Accept, accept)]);
            }
        };
        match digit.map(|(digit, duration)| (digit.to_ascii_uppercase(), duration)) {
            Some((digit @ ('0'..='9' | 'A'..='D' | '*' | '#'), duration_ms)) if self.phase == Phase::Established => {
                cx.respond(now, id, 200, "OK", &[]);
                cx.emit(Event::Digit { call: self.no, digit, duration_ms });
            }
            _ => cx.respond(now, id, 400, "Bad Digit", &[]),
        }
    }
}

/// 200 to an OPTIONS inside a dialog, with what we can (RFC 3261 section 11.2).
fn tell_capabilities(cx: &mut Core, now: Instant, id: ServerId) {
    let supported = supported().unwrap_or_default();
    let extra = [(HeaderName::Allow, ALLOW), (HeaderName::Accept, ACCEPT), (HeaderName::Supported, supported.as_str())];
    cx.respond(now, id, 200, "OK", &extra);
}

/// `Signal=5` and `Duration=160` of application/dtmf-relay; some write the event's number for those that are no decimal
/// digit. 16, a flash, is none.
fn relay_digit(body: &str) -> Option<(char, u16)> {
    let (mut signal, mut duration) = (None, 160);
    for line in body.lines() {
        match line.split_once('=') {
            Some((name, value)) if name.trim().eq_ignore_ascii_case("signal") => signal = Some(value.trim()),
            Some((name, value)) if name.trim().eq_ignore_ascii_case("duration") => {
                duration = value.trim().parse().unwrap_or(160);
            }
            _ => {}
        }
    }
    let digit = match signal? {
        "10" => '*',
        "11" => '#',
        "12" => 'A',
        "13" => 'B',
        "14" => 'C',
        "15" => 'D',
        text => text.chars().next().filter(|_| text.chars().count() == 1)?,
    };
    Some((digit, duration))
}

#[cfg(test)]
mod tests {
    use super::relay_digit;

    #[test]
    fn a_relayed_digit_is_read_in_the_forms_that_are_sent() {
        assert_eq!(relay_digit("Signal=5\r\nDuration=240\r\n"), Some(('5', 240)));
        assert_eq!(relay_digit("signal= # \n"), Some(('#', 160)));
        assert_eq!(relay_digit("Signal=10\nDuration=x"), Some(('*', 160)));
        assert_eq!(relay_digit("Signal=13"), Some(('B', 160)));
        assert_eq!(relay_digit("Signal=16"), None);
        assert_eq!(relay_digit("Duration=100"), None);
    }
}
