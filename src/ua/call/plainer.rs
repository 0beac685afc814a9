//! A call whose offer of DTLS was refused, and that may do without, is offered once more as SRTP is offered else: in RTP/AVP, with
//! keys in the description where SIP goes by TLS.

use std::time::Instant;

use crate::sdp::Intent;
use crate::sip::{CSeq, HeaderName, set};
use crate::transaction::ClientId;

use super::super::AccountId;
use super::super::core::{Core, Owner, Purpose};
use super::{Call, Phase};

impl Call {
    /// Sends the INVITE again without DTLS, if it had that and need not (RFC 3261 section 21.4.26: the description may be what
    /// was not acceptable; Twinkle 1.10 can't read one with such a profile at all: 400); false: it ends.
    pub(super) fn offer_without_dtls(&mut self, cx: &mut Core, now: Instant, id: ClientId, code: u16) -> bool {
        if !matches!(code, 400 | 415 | 488 | 606) || !self.sdp.give_up_dtls() {
            return false;
        }
        let (Some(mut request), Some(flow)) = (cx.tx.client_request(id).cloned(), cx.tx.client_flow(id)) else {
            return false;
        };
        let Some(local) = self.local_media() else { return false };
        tracing::debug!(call = %self.no, code, "DTLS-SRTP was refused: offered once more without");
        for name in [HeaderName::Via, HeaderName::Authorization, HeaderName::ProxyAuthorization] {
            request.headers.remove_all(&name);
        }
        let sequence = request.headers.typed::<CSeq>().and_then(Result::ok).map_or(1, |cseq| cseq.sequence + 1);
        set(&mut request.headers, HeaderName::CSeq, format!("{sequence} INVITE"));
        let offer = self.sdp.offer(&local, Intent::Talk);
        set(&mut request.headers, HeaderName::ContentLength, offer.len().to_string());
        request.set_body(offer.into());
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
}
