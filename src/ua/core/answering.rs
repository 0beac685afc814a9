//! How a request of others is answered: in its transaction, or without one.

use std::time::Instant;

use bytes::Bytes;
use sha2::{Digest as _, Sha256};

use crate::sip::salvage::Salvaged;
use crate::sip::transport::Flow;
use crate::sip::{Header, HeaderName, Request, Response, ResponseBuilder, StatusCode, push, set, text};
use crate::transaction::ServerId;

use super::super::dialog::to_tag;
use super::Core;

impl Core {
    /// A response to a request, without To tag.
    pub fn response(&self, request: &Request, code: u16, reason: &str) -> Option<Response> {
        let builder =
            ResponseBuilder::to_request(request, StatusCode::new(code)?, Bytes::from(reason.to_owned())).ok()?;
        let mut response = builder.build();
        push(&mut response.headers, HeaderName::Server, self.config.user_agent.clone());
        Some(response)
    }

    /// Answers a request; a final response gets a To tag where none is (RFC 3261 section 8.2.6.2).
    pub fn respond(&mut self, now: Instant, id: ServerId, code: u16, reason: &str, extra: &[(HeaderName, &str)]) {
        let Some(request) = self.tx.server_request(id).cloned() else { return };
        let Some(mut response) = self.response(&request, code, reason) else { return };
        for (name, value) in extra {
            push(&mut response.headers, name.clone(), (*value).to_owned());
        }
        let tag = self.token(8);
        set_to_tag(&mut response, &tag);
        set(&mut response.headers, HeaderName::ContentLength, "0");
        self.tx.respond(now, id, response);
    }

    /// Answers a request and keeps nothing for it (RFC 3261 section 8.2.7): when it comes again it is answered again.
    pub fn answer_statelessly(
        &mut self,
        flow: Flow,
        request: Salvaged,
        (code, reason): (u16, &str),
        extra: &[(HeaderName, &str)],
    ) {
        let tag = self.stateless_tag(&request.identity());
        let server = [(HeaderName::Server, self.config.user_agent.as_str())];
        let (to, bytes) = request.answer(flow.remote, (code, reason), &tag, &[&server, extra].concat());
        self.tx.send_bytes(Flow { remote: to, ..flow }, bytes);
    }

    /// Answers a request whose transaction is to be forgotten at once: a flood of such requests leaves nothing behind. Only
    /// for answers that are the same whenever it comes again.
    pub fn refuse(&mut self, id: ServerId, code: u16, reason: &str, extra: &[(HeaderName, &str)]) {
        let Some((request, flow)) = self.tx.server_request(id).map(Salvaged::of).zip(self.tx.server_flow(id)) else {
            return;
        };
        self.tx.abandon_server(id);
        self.answer_statelessly(flow, request, (code, reason), extra);
    }

    /// A To tag for a request that no state is kept for: the same when it comes again, and unpredictable for others (RFC 3261
    /// section 8.2.7).
    pub fn stateless_tag(&self, request: &[u8]) -> String {
        let hash = Sha256::new().chain_update(self.tag_key).chain_update(request).finalize();
        hash.iter().take(8).map(|byte| format!("{byte:02x}")).collect()
    }
}

/// Puts a tag on the To of a response that has none.
pub fn set_to_tag(response: &mut Response, tag: &str) {
    if to_tag(&response.headers).is_some() {
        return;
    }
    let to = text(&response.headers, &HeaderName::To);
    if let Ok(header) = Header::build(HeaderName::To, format!("{to};tag={tag}")) {
        let place = response.headers.iter().position(|header| *header.name() == HeaderName::To).unwrap_or_default();
        response.headers.remove_all(&HeaderName::To);
        response.headers.insert(place, header);
    }
}
