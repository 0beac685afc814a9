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

/// Characters that are kept of a name or an address: a screen has no more room, and a peer may write what it likes.
const MAX_SHOWN: usize = 200;

/// Cut to what is shown of it.
fn bounded(text: &str) -> String {
    match text.char_indices().nth(MAX_SHOWN) {
        Some((end, _)) => format!("{}…", text.get(..end).unwrap_or(text)),
        None => text.to_owned(),
    }
}

/// The party that an address names.
pub fn party(address: &Address) -> Party {
    let name = address.display_name.as_deref().map(String::from_utf8_lossy);
    let name = name.map(|name| bounded(&printable(name.trim())));
    Party { uri: uri_text(&address.uri), name: name.filter(|name| !name.is_empty()) }
}

/// A URI without its parameters, as a person reads it. A user part may have some of its own: `sip:100;phone-context=x@y`.
pub fn uri_text(uri: &Uri) -> String {
    let text = uri.to_string();
    let host = text.rfind('@').unwrap_or(0);
    let end = text.get(host..).and_then(|host| host.find([';', '?'])).map_or(text.len(), |end| host + end);
    bounded(&printable(text.get(..end).unwrap_or(&text)))
}

/// Who calls: P-Asserted-Identity, then Remote-Party-ID, where the sender is `trusted` (RFC 3325), else From.
pub fn caller(headers: &Headers, trusted: bool) -> Party {
    trusted
        .then(|| asserted(headers))
        .flatten()
        .or_else(|| first_address(headers, &HeaderName::From).map(|address| party(&address)))
        .unwrap_or_default()
}

/// The identity that a trusted proxy asserts, if it does, and if the person whose it is does not want it hidden
/// (RFC 3323 `id`; Remote-Party-ID's `privacy`).
pub fn asserted(headers: &Headers) -> Option<Party> {
    let privacy = crate::sip::text(headers, &HeaderName::Privacy).to_ascii_lowercase();
    let hidden = privacy.split([';', ',']).map(str::trim).any(|wish| matches!(wish, "id" | "user"));
    if hidden {
        return None;
    }
    let asserted = first_address(headers, &HeaderName::PAssertedIdentity);
    let remote_party = || {
        first_address(headers, &other("Remote-Party-ID")).filter(|address| {
            let privacy = address.param("privacy").map(<[u8]>::to_ascii_lowercase).unwrap_or_default();
            matches!(privacy.as_slice(), b"" | b"off")
        })
    };
    asserted.or_else(remote_party).map(|address| party(&address))
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

/// Everybody who has forwarded the call, the last one first, with the reason in the person's words where one is given:
/// `sip:bob@example.com (busy)`. Diversion (RFC 5806), else History-Info (RFC 7044).
pub fn forwarded(headers: &Headers) -> Vec<String> {
    const MAX_FORWARDS: usize = 8;
    let all = |name: &HeaderName| -> Vec<Address> {
        let rows = headers.get_all(name).take(MAX_FORWARDS);
        rows.filter_map(|row| Address::parse_list(&row.value(), "address").ok()).flatten().take(MAX_FORWARDS).collect()
    };
    let diversions = all(&other("Diversion"));
    if !diversions.is_empty() {
        let told = |address: &Address| match address.param("reason").and_then(reason_of_diversion) {
            Some(reason) => format!("{} ({reason})", uri_text(&address.uri)),
            None => uri_text(&address.uri),
        };
        return diversions.iter().map(told).collect();
    }
    // The last entry is whom it is for now; those before it were left.
    let mut history = all(&HeaderName::HistoryInfo);
    history.pop();
    history.iter().rev().map(|entry| uri_text(&entry.uri)).collect()
}

/// A Diversion's reason in the person's words.
fn reason_of_diversion(reason: &[u8]) -> Option<&'static str> {
    Some(match reason.trim_ascii().to_ascii_lowercase().as_slice() {
        b"user-busy" => "busy",
        b"no-answer" => "no answer",
        b"unavailable" | b"out-of-service" => "not available",
        b"unconditional" => "always",
        b"time-of-day" => "at this time of day",
        b"do-not-disturb" => "do not disturb",
        b"deflection" => "sent on",
        b"follow-me" => "follow me",
        b"away" => "away",
        _ => return None,
    })
}

/// Whether the caller asks to be answered without a person, and after how long: Call-Info's `answer-after` (seconds),
/// Alert-Info in the forms that PBXs send, and Answer-Mode (RFC 5373).
pub fn auto_answer_asked(headers: &Headers) -> Option<std::time::Duration> {
    let rows = |name: &HeaderName| -> Vec<String> {
        headers.get_all(name).take(8).map(|row| String::from_utf8_lossy(&row.value()).to_ascii_lowercase()).collect()
    };
    let after = |row: &str| {
        let seconds = row.split_once("answer-after=")?.1;
        let digits: String = seconds.trim_start_matches('"').chars().take_while(char::is_ascii_digit).take(3).collect();
        digits.parse().ok().map(std::time::Duration::from_secs)
    };
    let (call_info, alert_info) = (rows(&HeaderName::CallInfo), rows(&HeaderName::AlertInfo));
    if let Some(after) = call_info.iter().chain(&alert_info).find_map(|row| after(row)) {
        return Some(after);
    }
    let squeezed = |row: &str| row.chars().filter(char::is_ascii_alphanumeric).collect::<String>();
    let by_alert = alert_info
        .iter()
        .map(|row| squeezed(row))
        .any(|row| ["alertautoanswer", "autoanswer", "ringanswer", "intercom"].iter().any(|word| row.contains(word)));
    let by_mode = [other("Answer-Mode"), other("Priv-Answer-Mode")]
        .iter()
        .any(|name| rows(name).iter().any(|row| row.split(';').next().map(str::trim) == Some("auto")));
    (by_alert || by_mode).then_some(std::time::Duration::ZERO)
}

/// Whether an address is meant by a pattern in which `*` stands for anything: `sip:boss@pbx.example.com`, `*@pbx`.
pub fn fits(pattern: &str, uri: &str) -> bool {
    let plain = |text: &str| {
        let text = text.trim().to_ascii_lowercase();
        text.strip_prefix("sips:").or(text.strip_prefix("sip:")).map_or(text.clone(), str::to_owned)
    };
    let (pattern, uri) = (plain(pattern), plain(uri));
    let mut parts = pattern.split('*');
    let Some(mut rest) = parts.next().and_then(|first| uri.strip_prefix(first)) else { return false };
    let parts: Vec<&str> = parts.collect();
    let Some((last, between)) = parts.split_last() else { return rest.is_empty() };
    for part in between {
        let Some(found) = rest.find(part) else { return false };
        rest = rest.get(found + part.len()..).unwrap_or_default();
    }
    rest.ends_with(last)
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

/// The cause of the first Reason header field (RFC 3326), where it is a SIP status code.
pub fn reason_cause(headers: &Headers) -> Option<u16> {
    let value = crate::sip::text(headers, &HeaderName::Reason).to_ascii_lowercase();
    let parts = value.strip_prefix("sip")?.split(';').map(str::trim);
    parts.filter_map(|part| part.strip_prefix("cause=")).find_map(|cause| cause.trim().parse().ok())
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
    fn who_hides_his_identity_is_not_shown() {
        let from = (HeaderName::From, "\"Anonymous\" <sip:anonymous@anonymous.invalid>;tag=x");
        let asserted = (HeaderName::PAssertedIdentity, "\"Alice\" <sip:alice@example.com>");
        let remote = (other("Remote-Party-ID"), "\"Alice\" <sip:alice@example.com>;party=calling;privacy=full");
        for rows in [vec![from.clone(), asserted, (HeaderName::Privacy, "id;critical")], vec![from, remote]] {
            assert_eq!(caller(&headers(&rows), true).name.as_deref(), Some("Anonymous"));
        }
    }

    #[test]
    fn a_user_part_keeps_its_parameters_and_nothing_is_endless() {
        let uri = |text: &str| Uri::parse(text.to_owned().into()).unwrap();
        assert_eq!(uri_text(&uri("sip:+4930;phone-context=x@y;user=phone?a=b")), "sip:+4930;phone-context=x@y");
        assert_eq!(uri_text(&uri("tel:+4930;phone-context=x")), "tel:+4930");
        assert_eq!(uri_text(&uri(&format!("sip:{}@y", "a".repeat(5000)))).chars().count(), MAX_SHOWN + 1);
    }

    #[test]
    fn all_who_forwarded_are_told() {
        let diversions = headers(&[
            (other("Diversion"), "\"C\" <sip:c@x>;reason=user-busy;counter=1, <sip:b@x>;reason=\"odd\""),
            (other("Diversion"), "<tel:+4930>;reason=no-answer"),
        ]);
        assert_eq!(forwarded(&diversions), ["sip:c@x (busy)", "sip:b@x", "tel:+4930 (no answer)"]);
        let history = headers(&[(
            HeaderName::HistoryInfo,
            "<sip:a@x?Reason=SIP%3Bcause%3D302>;index=1, <sip:b@x>;index=1.1, <sip:c@x>;index=1.1.1",
        )]);
        assert_eq!(forwarded(&history), ["sip:b@x", "sip:a@x"]);
        assert!(forwarded(&headers(&[])).is_empty());
    }

    #[test]
    fn the_ways_to_ask_for_an_answer() {
        let asked =
            |name: HeaderName, value| auto_answer_asked(&headers(&[(name, value)])).map(|after| after.as_secs());
        assert_eq!(asked(HeaderName::CallInfo, "<sip:x@y>;answer-after=0"), Some(0));
        assert_eq!(asked(HeaderName::CallInfo, "<sip:x@y>; Answer-After=5"), Some(5));
        assert_eq!(asked(HeaderName::AlertInfo, "<http://www.notused.com>;info=alert-autoanswer;delay=0"), Some(0));
        assert_eq!(asked(HeaderName::AlertInfo, "Auto Answer"), Some(0));
        assert_eq!(asked(HeaderName::AlertInfo, "info=RingAnswer"), Some(0));
        assert_eq!(asked(other("Answer-Mode"), "Auto;require"), Some(0));
        assert_eq!(asked(other("Answer-Mode"), "Manual"), None);
        assert_eq!(asked(HeaderName::AlertInfo, "<http://pbx/ring.wav>"), None);
    }

    #[test]
    fn a_pattern_means_whom_it_says() {
        for (pattern, uri, meant) in [
            ("sip:boss@pbx.example.com", "sip:Boss@PBX.example.com", true),
            ("sip:boss@pbx.example.com", "sip:boss@pbx.example.com.evil.org", false),
            ("*@pbx", "sip:anyone@pbx", true),
            ("*@pbx", "sip:anyone@pbx2", false),
            ("1*@*.example.com", "sips:12@a.example.com", true),
            ("1*@*.example.com", "sip:21@a.example.com", false),
            ("*", "tel:+4930", true),
            ("", "sip:a@b", false),
        ] {
            assert_eq!(fits(pattern, uri), meant, "{pattern} {uri}");
        }
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
