//! What every request from outside must stand (RFC 3261 section 8.2), and what is said outside any dialog.

use crate::sip::body::Content;
use crate::sip::{ContactValue, HeaderName, Headers, Method, Request, Scheme, text, text_list, tokens, validate};

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

/// The checks of RFC 3261 section 8.2, in its order, after those of the message itself; `None`: the request may be looked
/// at. What each message of RFC 4475 gets stands in `tests/scenarios/rfc4475_torture.rs`.
pub fn inspect(request: &Request) -> Option<Objection> {
    let findings = validate::validate_request(request);
    if let Some(objection) = findings.iter().find_map(syntax_objection) {
        return Some(objection);
    }
    if bad_contact(&request.headers) {
        return Some(Objection::new(400, "Bad Contact"));
    }
    // RFC 4475 section 3.1.2.18: 501 before the CSeq's method, for nobody knows what an unknown method's CSeq may be.
    if matches!(request.method, Method::Other(_)) && !capabilities::takes(&request.method) {
        return Some(Objection::with(501, "Not Implemented", HeaderName::Allow, ALLOW.to_owned()));
    }
    if findings.contains(&validate::Finding::CSeqMethodMismatch) {
        return Some(Objection::new(400, "CSeq Method Mismatch"));
    }
    if !capabilities::takes(&request.method) {
        return Some(Objection::with(405, "Method Not Allowed", HeaderName::Allow, ALLOW.to_owned()));
    }
    if !matches!(request.uri.scheme(), Scheme::Sip | Scheme::Sips | Scheme::Tel) {
        return Some(Objection::new(416, "Unsupported URI Scheme"));
    }
    if request.method == Method::Cancel {
        return None;
    }
    // RFC 3261 section 8.2.2.3. The tags go back as they came.
    let required = text_list(&request.headers, &HeaderName::Require);
    let unknown: Vec<String> = required.into_iter().filter(|tag| !capabilities::extends(tag)).collect();
    if !unknown.is_empty() {
        return Some(Objection::with(420, "Bad Extension", HeaderName::Unsupported, unknown.join(", ")));
    }
    // RFC 3891 section 3.
    if request.method != Method::Invite && request.headers.count(&HeaderName::Replaces) > 0 {
        return Some(Objection::new(400, "Replaces In Another Request"));
    }
    if matches!(request.method, Method::Invite | Method::Update)
        && let Some(least) = super::call::too_short(request)
    {
        let least = least.as_secs().to_string();
        return Some(Objection::with(422, "Session Interval Too Small", HeaderName::MinSe, least));
    }
    content_objection(request).or_else(|| accept_objection(request))
}

/// What the library finds wrong with a message that it has read, and how each is answered.
fn syntax_objection(finding: &validate::Finding) -> Option<Objection> {
    use validate::Finding;
    match finding {
        Finding::UnsupportedVersion => Some(Objection::new(505, "Version Not Supported")),
        // A missing Max-Forwards is common among old user agents, and harmless to who is the last to receive it; one out of
        // range may be taken as missing (RFC 4475 section 3.1.2.4).
        Finding::MissingRequiredHeader("Max-Forwards") | Finding::MalformedRequiredHeader("Max-Forwards") => None,
        Finding::MissingRequiredHeader(_) => Some(Objection::new(400, "Missing Header Field")),
        Finding::MalformedRequiredHeader(name) => Some(Objection::new(400, malformed(name))),
        Finding::RepeatedSingleValueHeader(_) => Some(Objection::new(400, "Repeated Header Field")),
        // RFC 3261 section 19.1.1; RFC 4475 section 3.1.2.11.
        Finding::RequestUriHasHeaders => Some(Objection::new(400, "Header Fields In Request-URI")),
        // Later, and behind the unknown method.
        Finding::CSeqMethodMismatch => None,
        // The library's enum may grow.
        _ => Some(Objection::new(400, "Bad Request")),
    }
}

/// The reason phrase for a header field that can't be read.
fn malformed(name: &str) -> &'static str {
    match name {
        "To" => "Bad To",
        "From" => "Bad From",
        "Call-ID" => "Bad Call-ID",
        "CSeq" => "Bad CSeq",
        "Via" => "Bad Via",
        _ => "Bad Header Field",
    }
}

/// Whether a Contact can't be read: dialogs and bindings hang on it. RFC 3261 section 20: a URI with a question mark must be
/// in angle brackets, for nobody can tell otherwise what belongs to it (RFC 4475 section 3.1.2.13).
fn bad_contact(headers: &Headers) -> bool {
    headers.typed_all::<ContactValue>().any(|contact| contact.is_err())
        || headers.get_all(&HeaderName::Contact).any(|row| {
            let value = row.value();
            !value.contains(&b'<') && value.contains(&b'?')
        })
}

/// RFC 3261 section 20.1: without application/sdp among what the caller accepts no INVITE can be answered (RFC 4475 section
/// 3.3.15).
fn accept_objection(request: &Request) -> Option<Objection> {
    let takes_sdp = |range: &String| {
        let kind = range.split(';').next().unwrap_or_default().trim();
        matches!(kind, "application/sdp" | "application/*" | "*/*")
    };
    let ranges = tokens(&request.headers, &HeaderName::Accept);
    if request.method != Method::Invite || ranges.is_empty() || ranges.iter().any(takes_sdp) {
        return None;
    }
    let warning = "399 offhook \"only application/sdp can be sent\"".to_owned();
    Some(Objection::with(406, "Not Acceptable", HeaderName::Warning, warning))
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
