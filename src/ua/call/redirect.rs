//! Being sent elsewhere (RFC 3261 sections 8.1.3.4 and 21.3).

use std::time::Instant;

use crate::sip::{CSeq, Contact, HeaderName, Response, Uri, set};
use crate::transaction::ClientId;

use super::super::auth::Attempt;
use super::super::config::TransferPolicy;
use super::super::core::{Core, Owner, Purpose};
use super::super::event::{Event, Party};
use super::super::identity;
use super::transfer::strip;
use super::{Call, Phase};

/// Redirections that one call follows.
const MAX_REDIRECTS: u32 = 5;

impl Call {
    /// Calls the address of a 3xx instead, if the policy is to follow (RFC 3261 section 8.1.3.4): same call, new Request-URI.
    pub(super) fn follow_redirect(&mut self, cx: &mut Core, now: Instant, id: ClientId, response: &Response) -> bool {
        let Phase::Inviting(inviting) = &mut self.phase else { return false };
        if cx.config.redirects != TransferPolicy::Follow || inviting.redirects >= MAX_REDIRECTS {
            return false;
        }
        let (Some(mut target), Some(mut request)) = (best_contact(response), cx.tx.client_request(id).cloned()) else {
            return false;
        };
        strip(&mut target);
        if let Some(rule) = cx.forbids(self.account, &target) {
            tracing::info!(call = %self.no, rule, "the redirection is not followed: outgoing screening");
            return false;
        }
        let sequence = request.headers.typed::<CSeq>().and_then(Result::ok).map_or(1, |cseq| cseq.sequence + 1);
        if request.set_uri(target.clone()).is_err() {
            return false;
        }
        inviting.redirects += 1;
        inviting.provisional = false;
        inviting.early.clear();
        // Credentials were for whoever redirected us; who comes next asks for his own.
        for name in [HeaderName::Via, HeaderName::Authorization, HeaderName::ProxyAuthorization] {
            request.headers.remove_all(&name);
        }
        set(&mut request.headers, HeaderName::CSeq, format!("{sequence} INVITE"));
        self.attempt = Attempt::default();
        self.peer = Party { uri: identity::uri_text(&target), name: None };
        cx.emit(Event::PeerChanged { call: self.no, peer: self.peer.clone() });
        cx.send(now, Owner::Call(self.no, Purpose::Invite), request);
        true
    }
}

/// The sip or sips Contact with the highest q, the first of several (RFC 3261 section 20.10); without q it counts as 1.
fn best_contact(response: &Response) -> Option<Uri> {
    let q = |contact: &Contact| {
        contact.param("q").and_then(|q| std::str::from_utf8(q).ok()?.trim().parse::<f32>().ok()).unwrap_or(1.0)
    };
    let contacts = response.headers.typed_all::<Contact>().filter_map(Result::ok);
    let contacts = contacts.filter(|contact| contact.uri.scheme().is_sip());
    // The first of equals wins.
    contacts.reduce(|best, next| if q(&next) > q(&best) { next } else { best }).map(|contact| contact.0.uri)
}
