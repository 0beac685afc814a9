//! Being sent elsewhere (RFC 3261 sections 8.1.3.4 and 21.3): the contacts of a 3xx are tried one after the other.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use crate::sip::{CSeq, Contact, HeaderName, Headers, Request, Response, Uri, other, push, set, text};
use crate::transaction::ClientId;

use super::super::auth::Attempt;
use super::super::command::CommandError;
use super::super::config::TransferPolicy;
use super::super::core::{Core, Owner, Purpose};
use super::super::event::{EndedBy, Event, Party};
use super::super::identity;
use super::super::referral::strip;
use super::super::replaces::escaped;
use super::super::timer::Timer;
use super::super::ways::Resolve;
use super::outgoing::Inviting;
use super::{Call, Phase, reason_phrase};

/// Addresses that one call tries, the first one aside.
const MAX_TARGETS: usize = 8;
/// How long a person has to decide.
const DECISION_PATIENCE: Duration = Duration::from_secs(30);

/// A call that was sent elsewhere.
#[derive(Debug, Clone)]
pub struct Redirecting {
    /// The INVITE as it left last, to be written again.
    request: Request,
    /// Where to try next, the best first.
    targets: VecDeque<Target>,
    /// Where it has been tried: no address gets it twice.
    tried: Vec<Uri>,
    /// A person is to decide; the 3xx's code and words.
    pending: Option<(u16, String)>,
}

/// Another way to try.
#[derive(Debug, Clone)]
struct Target {
    uri: Uri,
    /// It is a proxy to go by (305), rather than whom to call.
    is_proxy: bool,
    /// What the INVITE says about who sent it there.
    diversion: Option<String>,
}

impl Call {
    /// A refusal that may be a 3xx; true: it is followed, or a person is asked.
    pub(super) fn redirected(&mut self, cx: &mut Core, now: Instant, id: ClientId, response: &Response) -> bool {
        let code = response.status.code();
        // RFC 3261 section 21.3.5: 380 describes another service, which we can't read.
        if response.status.class() != 3 || code == 380 || cx.config.redirects == TransferPolicy::Refuse {
            return false;
        }
        let Some(request) = cx.tx.client_request(id).cloned() else { return false };
        let mut redirect = self.redirect.take().unwrap_or_else(|| Redirecting {
            request: request.clone(),
            targets: VecDeque::new(),
            tried: vec![request.uri.clone()],
            pending: None,
        });
        redirect.request = request;
        let has_route = redirect.request.headers.get(&HeaderName::Route).is_some();
        for uri in contacts(response) {
            let is_new = code == 305
                || !redirect
                    .tried
                    .iter()
                    .chain(redirect.targets.iter().map(|to| &to.uri))
                    .any(|known| known.equivalent(&uri));
            let is_usable = (has_route && code != 305) || Resolve::of(&uri).is_ok();
            // RFC 3261 section 8.1.3.4: leaving sips is a person's decision.
            let is_safe = !redirect.request.uri.scheme().is_secure() || uri.scheme().is_secure();
            let room = redirect.tried.len() + redirect.targets.len() <= MAX_TARGETS;
            if let Some(rule) = cx.forbids(self.account, &uri) {
                tracing::info!(call = %self.no, rule, "the redirection is not followed: outgoing screening");
                continue;
            }
            if is_new && is_usable && room && (is_safe || cx.config.redirects == TransferPolicy::Ask) {
                let diversion = diversion(&redirect.request.uri, response);
                redirect.targets.push_back(Target { uri, is_proxy: code == 305, diversion });
            }
        }
        let Some(first) = redirect.targets.front() else { return false };
        if cx.config.redirects == TransferPolicy::Ask {
            let to = identity::uri_text(&first.uri);
            let others = redirect.targets.iter().skip(1).map(|target| identity::uri_text(&target.uri)).collect();
            redirect.pending = Some((code, format!("{}: now at {to}", reason_phrase(response))));
            self.redirect = Some(redirect);
            self.phase = Phase::Resolving;
            cx.timers.set(Timer::RedirectUnanswered(self.no), now + DECISION_PATIENCE);
            cx.emit(Event::RedirectRequest { call: self.no, to, others });
            return true;
        }
        self.redirect = Some(redirect);
        self.try_next_target(cx, now)
    }

    /// Calls the next address, in the same call; false: there is none.
    pub(super) fn try_next_target(&mut self, cx: &mut Core, now: Instant) -> bool {
        let Some(redirect) = &mut self.redirect else { return false };
        let Some(Target { uri, is_proxy, diversion }) = redirect.targets.pop_front() else { return false };
        let mut request = redirect.request.clone();
        let sequence = request.headers.typed::<CSeq>().and_then(Result::ok).map_or(1, |cseq| cseq.sequence + 1);
        if is_proxy {
            // RFC 3261 section 21.3.4: the same request, by way of this proxy.
            push(&mut request.headers, HeaderName::Route, format!("<{}>", loose(uri.clone())));
        } else if request.set_uri(uri.clone()).is_err() {
            return self.try_next_target(cx, now);
        } else {
            self.peer = Party { uri: identity::uri_text(&uri), name: None };
            cx.emit(Event::PeerChanged { call: self.no, peer: self.peer.clone() });
        }
        // Credentials were for whoever redirected us; who comes next asks for his own.
        for name in [HeaderName::Via, HeaderName::Authorization, HeaderName::ProxyAuthorization] {
            request.headers.remove_all(&name);
        }
        set(&mut request.headers, HeaderName::CSeq, format!("{sequence} INVITE"));
        if let Some(diversion) = diversion {
            add_history(&mut request.headers, &redirect.request.uri, &uri);
            set(&mut request.headers, other("Diversion"), diversion);
        }
        redirect.tried.push(uri);
        redirect.request = request.clone();
        self.attempt = Attempt::default();
        self.phase = Phase::Inviting(Inviting::new());
        cx.send(now, Owner::Call(self.no, Purpose::Invite), request);
        true
    }

    /// The person wants to call there.
    pub fn accept_redirect(&mut self, cx: &mut Core, now: Instant) -> Result<(), CommandError> {
        self.decide_redirect(cx)?;
        if !self.try_next_target(cx, now) {
            self.end(cx, now, EndedBy::Local, Some(487), "there is nowhere to call");
        }
        Ok(())
    }

    /// The person does not.
    pub fn refuse_redirect(&mut self, cx: &mut Core, now: Instant) -> Result<(), CommandError> {
        let (code, reason) = self.decide_redirect(cx)?;
        self.end(cx, now, EndedBy::Remote, Some(code), reason);
        Ok(())
    }

    /// Nobody has decided: the redirection is refused.
    pub(super) fn redirect_unanswered(&mut self, cx: &mut Core, now: Instant) {
        if let Ok((code, reason)) = self.decide_redirect(cx) {
            self.end(cx, now, EndedBy::Remote, Some(code), reason);
        }
    }

    fn decide_redirect(&mut self, cx: &mut Core) -> Result<(u16, String), CommandError> {
        let pending = self.redirect.as_mut().and_then(|redirect| redirect.pending.take());
        cx.timers.cancel(&Timer::RedirectUnanswered(self.no));
        pending.ok_or_else(|| self.wrong_state("nobody has sent it elsewhere"))
    }
}

/// The sip and sips Contacts, the one with the highest q first (RFC 3261 section 20.10); without q it counts as 1. What
/// else they bring along (header fields, parameters of theirs) is left out.
fn contacts(response: &Response) -> Vec<Uri> {
    let q = |contact: &Contact| {
        let q = contact.param("q").and_then(|q| std::str::from_utf8(q).ok()?.trim().parse::<f32>().ok());
        q.filter(|q| q.is_finite()).unwrap_or(1.0)
    };
    let contacts = response.headers.typed_all::<Contact>().filter_map(Result::ok);
    let mut contacts: Vec<(f32, Uri)> = contacts
        .filter(|contact| contact.uri.scheme().is_sip() && contact.uri.host().is_some())
        .take(4 * MAX_TARGETS)
        .map(|contact| (q(&contact), contact.0.uri))
        .collect();
    // Stable: the first of equals stays the first.
    contacts.sort_by(|(a, _), (b, _)| b.total_cmp(a));
    contacts
        .into_iter()
        .map(|(_, mut uri)| {
            strip(&mut uri);
            uri
        })
        .collect()
}

/// Who diverts, and why (RFC 5806): what the 3xx says itself, else its sender's address.
fn diversion(diverting: &Uri, response: &Response) -> Option<String> {
    let said = text(&response.headers, &other("Diversion"));
    if !said.is_empty() {
        return Some(said);
    }
    let reason = match identity::reason_cause(&response.headers) {
        Some(486 | 600) => "user-busy",
        Some(408 | 480 | 487) => "no-answer",
        Some(_) | None => "unconditional",
    };
    Some(format!("<{diverting}>;reason={reason};counter=1"))
}

/// One step more in History-Info (RFC 7044 section 9): who was called, why he was left, who is called now.
fn add_history(headers: &mut Headers, from: &Uri, to: &Uri) {
    let before = text(headers, &HeaderName::HistoryInfo);
    let depth = before.matches(";index=").count();
    let index = |depth: usize| vec!["1"; depth + 1].join(".");
    let last = depth.saturating_sub(1);
    let mut left = from.clone();
    strip(&mut left);
    let left = format!("<{left}?Reason={}>;index={}", escaped("SIP;cause=302"), index(last));
    let entry = format!("<{to}>;index={}", index(last + 1));
    // The entry of who is left gets its reason now.
    let before = before.rsplit_once(", ").map(|(before, _)| format!("{before}, ")).unwrap_or_default();
    set(headers, HeaderName::HistoryInfo, format!("{before}{left}, {entry}"));
}

/// A proxy's address as a Route.
fn loose(mut uri: Uri) -> Uri {
    if !uri.params().is_some_and(|params| params.contains("lr")) {
        uri.push_param(crate::sip::Param::flag("lr"));
    }
    uri
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_step_is_in_the_history() {
        let uri = |text: &str| Uri::parse(text.to_owned().into()).unwrap();
        let mut headers = Headers::new();
        add_history(&mut headers, &uri("sip:b@x"), &uri("sip:c@x"));
        assert_eq!(
            text(&headers, &HeaderName::HistoryInfo),
            "<sip:b@x?Reason=SIP%3Bcause%3D302>;index=1, <sip:c@x>;index=1.1"
        );
        add_history(&mut headers, &uri("sip:c@x"), &uri("sip:d@x"));
        assert_eq!(
            text(&headers, &HeaderName::HistoryInfo),
            "<sip:b@x?Reason=SIP%3Bcause%3D302>;index=1, <sip:c@x?Reason=SIP%3Bcause%3D302>;index=1.1, \
             <sip:d@x>;index=1.1.1"
        );
    }
}
