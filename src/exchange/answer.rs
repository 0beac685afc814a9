//! Responses that the exchange makes itself.

use crate::sip::{self, HeaderName, Request, Response, ResponseBuilder, StatusCode, To};

/// A response before it is tied to its request.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Answer {
    /// The status code.
    pub code: u16,
    reason: &'static str,
    headers: Vec<(HeaderName, String)>,
}

impl Answer {
    /// One without further header fields.
    pub fn new(code: u16, reason: &'static str) -> Answer {
        Answer { code, reason, headers: Vec::new() }
    }

    /// Adds a header field.
    #[must_use]
    pub fn with(mut self, name: HeaderName, value: impl Into<String>) -> Answer {
        self.headers.push((name, value.into()));
        self
    }

    /// The response to `request`; `tag` goes into To where none is. `None`: the request lacks what every response repeats.
    pub fn to_request(&self, request: &Request, tag: &str) -> Option<Response> {
        let mut response = ResponseBuilder::to_request(request, StatusCode::new(self.code)?, self.reason).ok()?.build();
        let tagged = response.headers.typed::<To>().and_then(Result::ok).is_some_and(|to| to.tag().is_some());
        if !tagged {
            let to = sip::text(&response.headers, &HeaderName::To);
            sip::set(&mut response.headers, HeaderName::To, format!("{to};tag={tag}"));
        }
        for (name, value) in &self.headers {
            sip::push(&mut response.headers, name.clone(), value.clone());
        }
        Some(response)
    }
}
