//! What every request from outside must stand (RFC 3261 section 8.2), and what is said outside any dialog.

use crate::sip::body::Content;
use crate::sip::{HeaderName, Method, Request, Scheme, text, tokens, validate};

use super::capabilities::{self, ACCEPT, ALLOW};

/// Why a request is refused, before anybody looks at what it wants.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Objection {
    /// Status code.
    pub code: u16,
    /// Reason phrase.
    pub reason: &'static str,
    /// A header field that says more.
    pub extra: Option<(HeaderName, String)>,
}

impl Objection {
    fn new(code: u16, reason: &'static str) -> Objection {
        Objection { code, reason, extra: None }
    }

    fn with(code: u16, reason: &'static str, name: HeaderName, value: String) -> Objection {
        Objection { code, reason, extra: Some((name, value)) }
    }
}

/// The checks of RFC 3261 section 8.2, in its order; `None`: the request may be looked at.
pub fn inspect(request: &Request) -> Option<Objection> {
    if let Some(finding) = sipx_findings(request) {
        return Some(finding);
    }
    if !capabilities::takes(&request.method) {
        let unknown = matches!(request.method, Method::Other(_));
        let (code, reason) = if unknown { (501, "Not Implemented") } else { (405, "Method Not Allowed") };
        return Some(Objection::with(code, reason, HeaderName::Allow, ALLOW.to_owned()));
    }
    if !matches!(request.uri.scheme(), Scheme::Sip | Scheme::Sips | Scheme::Tel) {
        return Some(Objection::new(416, "Unsupported URI Scheme"));
    }
    if request.method == Method::Cancel {
        return None;
    }
    // RFC 3261 section 8.2.2.3.
    let required = tokens(&request.headers, &HeaderName::Require);
    let unknown: Vec<String> = required.into_iter().filter(|tag| !capabilities::extends(tag)).collect();
    if !unknown.is_empty() {
        return Some(Objection::with(420, "Bad Extension", HeaderName::Unsupported, unknown.join(", ")));
    }
    if matches!(request.method, Method::Invite | Method::Update)
        && let Some(least) = super::call::too_short(request)
    {
        let least = least.as_secs().to_string();
        return Some(Objection::with(422, "Session Interval Too Small", HeaderName::MinSe, least));
    }
    content_objection(request)
}

/// RFC 3261 section 8.2.3: bodies that we can't read.
fn content_objection(request: &Request) -> Option<Objection> {
    let encoding = text(&request.headers, &HeaderName::ContentEncoding);
    if !encoding.is_empty() && !encoding.eq_ignore_ascii_case("identity") {
        let accept = "identity".to_owned();
        return Some(Objection::with(415, "Unsupported Media Type", HeaderName::AcceptEncoding, accept));
    }
    let takes_sdp = matches!(request.method, Method::Invite | Method::Update | Method::Prack);
    if !takes_sdp || request.body().is_empty() {
        return None;
    }
    if Content::of(&request.headers, request.body()) != Content::Unknown {
        return None;
    }
    let accept = ACCEPT.to_owned();
    Some(Objection::with(415, "Unsupported Media Type", HeaderName::Accept, accept))
}

fn sipx_findings(request: &Request) -> Option<Objection> {
    let findings = crate::sip::validate::validate_request(request);
    // A missing Max-Forwards is common among old user agents, and harmless to who is the last to receive it.
    let finding = findings.into_iter().find(|finding| !finding.is_repairable())?;
    match finding {
        validate::Finding::UnsupportedVersion => Some(Objection::new(505, "Version Not Supported")),
        validate::Finding::MissingRequiredHeader(_) => Some(Objection::new(400, "Missing Header Field")),
        validate::Finding::CSeqMethodMismatch => Some(Objection::new(400, "CSeq Method Mismatch")),
        validate::Finding::RequestUriHasHeaders => Some(Objection::new(400, "Header Fields In Request-URI")),
        _ => Some(Objection::new(400, "Bad Request")),
    }
}

/// The reason phrase of a status code, as RFC 3261 section 21 has it.
pub fn default_reason(code: u16) -> &'static str {
    match code {
        100 => "Trying",
        180 => "Ringing",
        181 => "Call Is Being Forwarded",
        182 => "Queued",
        183 => "Session Progress",
        200 => "OK",
        202 => "Accepted",
        300 => "Multiple Choices",
        301 => "Moved Permanently",
        302 => "Moved Temporarily",
        305 => "Use Proxy",
        400 => "Bad Request",
        401 => "Unauthorized",
        403 => "Forbidden",
        404 => "Not Found",
        405 => "Method Not Allowed",
        406 => "Not Acceptable",
        407 => "Proxy Authentication Required",
        408 => "Request Timeout",
        410 => "Gone",
        415 => "Unsupported Media Type",
        420 => "Bad Extension",
        422 => "Session Interval Too Small",
        480 => "Temporarily Unavailable",
        481 => "Call/Transaction Does Not Exist",
        482 => "Loop Detected",
        483 => "Too Many Hops",
        484 => "Address Incomplete",
        486 => "Busy Here",
        487 => "Request Terminated",
        488 => "Not Acceptable Here",
        491 => "Request Pending",
        500 => "Server Internal Error",
        501 => "Not Implemented",
        503 => "Service Unavailable",
        504 => "Server Time-out",
        600 => "Busy Everywhere",
        603 => "Decline",
        604 => "Does Not Exist Anywhere",
        606 => "Not Acceptable",
        _ if code < 300 => "OK",
        _ if code < 400 => "Moved",
        _ if code < 500 => "Request Failure",
        _ if code < 600 => "Server Failure",
        _ => "Global Failure",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sip::{Limits, Message, parse_datagram};

    fn objection(first: &str, extra: &str, body: &str) -> Option<u16> {
        let method = first.split(' ').next().unwrap();
        let text = format!(
            "{first}\r\nVia: SIP/2.0/UDP a;branch=z9hG4bK1\r\nFrom: <sip:a@x>;tag=1\r\nTo: <sip:b@x>\r\nCall-ID: c\r\n\
             CSeq: 7 {method}\r\nMax-Forwards: 70\r\n{extra}Content-Length: {}\r\n\r\n{body}",
            body.len()
        );
        match parse_datagram(text.into(), &Limits::datagram()) {
            Ok(Message::Request(request)) => inspect(&request).map(|objection| objection.code),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn each_check_has_its_answer() {
        for (first, extra, body, code) in [
            ("INVITE sip:b@x SIP/2.0", "", "", None),
            ("INVITE sip:b@x SIP/2.0", "Content-Type: application/sdp\r\n", "v=0", None),
            ("INVITE sip:b@x SIP/2.0", "Content-Type: text/plain\r\n", "hello", Some(415)),
            ("INVITE sip:b@x SIP/2.0", "Content-Encoding: gzip\r\n", "", Some(415)),
            ("INVITE sip:b@x SIP/2.0", "Require: 100rel\r\n", "", None),
            ("INVITE sip:b@x SIP/2.0", "Require: 100rel, unicorn\r\n", "", Some(420)),
            ("CANCEL sip:b@x SIP/2.0", "Require: unicorn\r\n", "", None),
            ("INVITE sip:b@x SIP/2.0", "Session-Expires: 89\r\nSupported: timer\r\n", "", Some(422)),
            ("UPDATE sip:b@x SIP/2.0", "x: 60;refresher=uac\r\nk: timer\r\n", "", Some(422)),
            ("INVITE sip:b@x SIP/2.0", "Session-Expires: 90\r\nSupported: timer\r\n", "", None),
            ("INVITE sip:b@x SIP/2.0", "Session-Expires: 60\r\n", "", None),
            ("OPTIONS mailto:b@x SIP/2.0", "", "", Some(416)),
            ("PUBLISH sip:b@x SIP/2.0", "", "", Some(405)),
            ("DANCE sip:b@x SIP/2.0", "", "", Some(501)),
            ("OPTIONS sip:b@x SIP/7.0", "", "", Some(505)),
        ] {
            assert_eq!(objection(first, extra, body), code, "{first} {extra}");
        }
    }
}
