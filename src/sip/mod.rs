//! What a SIP message is (RFC 3261 section 7).
//!
//! The only room that names the SIP library: everyone else imports from here, so that the library can be replaced in one
//! folder.

pub mod body;
pub mod digest;
pub mod salvage;
pub mod transport;
pub mod via;

pub use sipx_sip::error::{FramingError, HeaderSyntaxError, ParseError};
pub use sipx_sip::headers::{
    Address, CSeq, Contact, ContactValue, ContentType, Expires, From, MaxForwards, RecordRoute, Require, Route, To, Via,
};
pub use sipx_sip::rel::{RAck, RSeq};
pub use sipx_sip::session::{MinSe, Refresher, SessionExpires};
pub use sipx_sip::transaction::{ClientState, ServerState};
pub use sipx_sip::{
    ClientTransaction, Header, HeaderName, Headers, Host, HostName, Limits, Message, Method, Output, Param, Params,
    Reliability, Request, RequestBuilder, Response, ResponseBuilder, Scheme, ServerTransaction, StatusCode, Timer,
    Timers, TransactionKey, TuEvent, TypedHeader, Uri, parse_datagram, validate,
};

/// A header field's value as text; bytes that are not UTF-8 are replaced. Empty where the field is missing.
pub fn text(headers: &Headers, name: &HeaderName) -> String {
    headers.value(name).map(|value| String::from_utf8_lossy(&value).trim().to_owned()).unwrap_or_default()
}

/// The number of seconds in a header field such as Expires, Min-Expires or Retry-After; its comment and parameters are
/// passed over.
pub fn number(headers: &Headers, name: &HeaderName) -> Option<u32> {
    leading_number(&headers.value(name)?)
}

/// Digits at the start; more than fit count as the largest number.
pub fn leading_number(value: &[u8]) -> Option<u32> {
    let value = value.trim_ascii_start();
    let digits = value.split(|byte| !byte.is_ascii_digit()).next().filter(|digits| !digits.is_empty())?;
    Some(std::str::from_utf8(digits).ok()?.parse().unwrap_or(u32::MAX))
}

/// The header field of a name that the library has no variant for.
pub fn other(name: &'static str) -> HeaderName {
    HeaderName::Other(bytes::Bytes::from_static(name.as_bytes()))
}

/// Appends a header field whose value we wrote ourselves; a value with a line break in it is left out.
pub fn push(headers: &mut Headers, name: HeaderName, value: impl Into<bytes::Bytes>) {
    match Header::build(name, value) {
        Ok(header) => headers.push(header),
        Err(error) => tracing::error!(%error, "a header field of ours can't be written"),
    }
}

/// Replaces every header field of a name by one.
pub fn set(headers: &mut Headers, name: HeaderName, value: impl Into<bytes::Bytes>) {
    headers.remove_all(&name);
    push(headers, name, value);
}

/// Whether a request has what its response must repeat (RFC 3261 section 8.2.6.2): without it no answer can be made.
pub fn is_answerable(request: &Request) -> bool {
    [HeaderName::Via, HeaderName::From, HeaderName::To, HeaderName::CallId, HeaderName::CSeq]
        .iter()
        .all(|name| request.headers.get(name).is_some())
}

/// Whether there is a NUL before the body: no header field that we use may have one (RFC 3261 section 25.1).
pub fn has_nul(message: &[u8]) -> bool {
    let end = message.windows(4).position(|four| four == b"\r\n\r\n").unwrap_or(message.len());
    message.iter().take(end).any(|byte| *byte == 0)
}

/// The tokens of a comma-separated list, over all of its rows, lower case.
pub fn tokens(headers: &Headers, name: &HeaderName) -> Vec<String> {
    text_list(headers, name).into_iter().map(|token| token.to_ascii_lowercase()).collect()
}

/// The elements of a comma-separated list, over all of its rows, as they came.
pub fn text_list(headers: &Headers, name: &HeaderName) -> Vec<String> {
    headers
        .get_all(name)
        .flat_map(|header| {
            let value = header.value();
            String::from_utf8_lossy(&value).split(',').map(|token| token.trim().to_owned()).collect::<Vec<_>>()
        })
        .filter(|token| !token.is_empty())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_read_with_what_follows_them() {
        // The comment of the third is Latin-1.
        for value in [&b"120"[..], b" 120 (in a meeting);duration=60", b"120 (d\xe9jeuner)"] {
            assert_eq!(leading_number(value), Some(120), "{}", value.escape_ascii());
        }
        assert_eq!(leading_number(b"99999999999"), Some(u32::MAX));
        for value in [&b""[..], b"soon", b"-1"] {
            assert_eq!(leading_number(value), None, "{}", value.escape_ascii());
        }
        let mut headers = Headers::default();
        push(&mut headers, HeaderName::RetryAfter, "18 (at lunch)");
        assert_eq!(number(&headers, &HeaderName::RetryAfter), Some(18));
        assert_eq!(number(&headers, &HeaderName::Expires), None);
    }
}
