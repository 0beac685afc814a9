//! Who someone is, as the header fields tell it, made safe to show.

use crate::sip::{Address, HeaderName, Headers, To, Uri, other};

use super::event::Party;

/// Replaces control, escape and bidirectional-override characters, which a peer could use to forge what a person reads.
pub fn printable(text: &str) -> String {
    text.chars()
        .map(|c| match c {
            '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{200e}' | '\u{200f}' | '\u{061c}' => '\u{fffd}',
            c if c.is_control() => '\u{fffd}',
            c => c,
        })
        .collect()
}

/// The party that an address names.
pub fn party(address: &Address) -> Party {
    let name = address.display_name.as_deref().map(String::from_utf8_lossy).map(|name| printable(name.trim()));
    Party { uri: uri_text(&address.uri), name: name.filter(|name| !name.is_empty()) }
}

/// A URI without its parameters, as a person reads it.
pub fn uri_text(uri: &Uri) -> String {
    let text = uri.to_string();
    let end = text.find([';', '?']).unwrap_or(text.len());
    printable(text.get(..end).unwrap_or(&text))
}

/// Who calls: P-Asserted-Identity, then Remote-Party-ID, where the sender is `trusted` (RFC 3325), else From.
pub fn caller(headers: &Headers, trusted: bool) -> Party {
    trusted
        .then(|| asserted(headers))
        .flatten()
        .or_else(|| first_address(headers, &HeaderName::From).map(|address| party(&address)))
        .unwrap_or_default()
}

/// The identity that a trusted proxy asserts, if it does.
pub fn asserted(headers: &Headers) -> Option<Party> {
    [HeaderName::PAssertedIdentity, other("Remote-Party-ID")]
        .iter()
        .find_map(|name| first_address(headers, name))
        .map(|address| party(&address))
}

/// The first address of a header field.
pub fn first_address(headers: &Headers, name: &HeaderName) -> Option<Address> {
    let value = headers.value(name)?;
    Address::parse_list(&value, "address").ok()?.into_iter().next()
}

/// Who was called first: Diversion (RFC 5806), else the first History-Info entry (RFC 7044).
pub fn diverted_from(headers: &Headers) -> Option<String> {
    [other("Diversion"), HeaderName::HistoryInfo]
        .iter()
        .find_map(|name| first_address(headers, name))
        .map(|address| uri_text(&address.uri))
}

/// Everybody who diverted the call, the last one first (RFC 5806).
pub fn diversions(headers: &Headers) -> Vec<String> {
    let name = other("Diversion");
    let lists = headers.get_all(&name).filter_map(|header| Address::parse_list(&header.value(), "address").ok());
    lists.flatten().map(|address| uri_text(&address.uri)).collect()
}

/// The To URI.
pub fn called(headers: &Headers) -> String {
    headers.typed::<To>().and_then(Result::ok).map(|to| uri_text(&to.uri)).unwrap_or_default()
}

/// What a Reason header field says (RFC 3326): its cause, where that is a SIP status code, and its text.
pub fn reason(headers: &Headers) -> Option<(Option<u16>, String)> {
    let value = crate::sip::text(headers, &HeaderName::Reason);
    let mut parts = value.split(';').map(str::trim);
    let protocol = parts.next().filter(|protocol| !protocol.is_empty())?.to_owned();
    let (mut cause, mut text) = (None, None);
    for part in parts {
        match part.split_once('=') {
            Some((name, value)) if name.eq_ignore_ascii_case("cause") => cause = value.trim().parse().ok(),
            Some((name, value)) if name.eq_ignore_ascii_case("text") => {
                text = Some(printable(value.trim().trim_matches('"')));
            }
            _ => {}
        }
    }
    let network = cause.filter(|_| protocol.eq_ignore_ascii_case("Q.850")).and_then(super::cause::words);
    // Most PBXs give the cause of Q.850, whose 16 is no status code.
    let cause = cause.filter(|_| protocol.eq_ignore_ascii_case("SIP"));
    let words = match (&text, cause) {
        (Some(text), _) if !text.is_empty() => text.clone(),
        (_, Some(200)) => "answered elsewhere".to_owned(),
        _ => network?.to_owned(),
    };
    Some((cause, words))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sip::{Headers, push};

    fn headers(rows: &[(HeaderName, &'static str)]) -> Headers {
        let mut headers = Headers::new();
        for (name, value) in rows {
            push(&mut headers, name.clone(), *value);
        }
        headers
    }

    #[test]
    fn an_asserted_identity_counts_only_from_a_trusted_proxy() {
        let headers = headers(&[
            (HeaderName::From, "\"Mallory\" <sip:1@example.com>;tag=x"),
            (HeaderName::PAssertedIdentity, "\"Alice\" <sip:alice@example.com>, <tel:+4930>"),
        ]);
        assert_eq!(caller(&headers, true).name.as_deref(), Some("Alice"));
        assert_eq!(caller(&headers, false).name.as_deref(), Some("Mallory"));
    }

    #[test]
    fn what_could_forge_the_screen_is_replaced() {
        assert_eq!(printable("a\x1b[2Jb\u{202e}c\r\nd"), "a\u{fffd}[2Jb\u{fffd}c\u{fffd}\u{fffd}d");
    }

    #[test]
    fn a_reason_is_read() {
        let elsewhere = headers(&[(HeaderName::Reason, "SIP ;cause=200 ;text=\"Call completed elsewhere\"")]);
        assert_eq!(reason(&elsewhere), Some((Some(200), "Call completed elsewhere".to_owned())));
        assert_eq!(reason(&headers(&[(HeaderName::Reason, "Q.850;cause=16")])), None);
        assert_eq!(reason(&headers(&[(HeaderName::Reason, "Q.850;cause=17")])), Some((None, "busy".to_owned())));
        let clearing = headers(&[(HeaderName::Reason, "Q.850;cause=16;text=\"Normal call clearing\"")]);
        assert_eq!(reason(&clearing), Some((None, "Normal call clearing".to_owned())));
    }
}
