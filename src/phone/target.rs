//! What a person writes to call someone, made a URI.

use bytes::Bytes;

use crate::sip::{Scheme, Uri};

/// Why a target can't be called; the text is for a person.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TargetError {
    /// Nothing was written.
    #[error("whom to call? write a number, a name or an address such as sip:bob@example.com")]
    Empty,
    /// A name without an account that could give its domain.
    #[error("'{0}' has no domain and no account adds one: write sip:{0}@HOST, or set up an account")]
    NoDomain(String),
    /// A telephone number without an account that could route it.
    #[error("a tel: address needs an account whose PBX knows the number; write sip:NUMBER@HOST to call directly")]
    NoAccount,
    /// Another scheme.
    #[error("can't call '{0}': only sip:, sips: and tel: addresses can be called")]
    Scheme(String),
    /// It is no URI.
    #[error("'{text}' is no address that can be called: {reason}")]
    Malformed {
        /// What was written.
        text: String,
        /// Why not.
        reason: String,
    },
}

/// Reads a target: `sip:`, `sips:` and `tel:` URIs (the last become `sip:` ones at the account's host), `user@host`, `host:port`, an IP address, or a bare number or name, which
/// gets the host of `account` (an account's address of record). Parameters are kept, and what a user part may not hold is
/// escaped.
pub fn parse(text: &str, account: Option<&Uri>) -> Result<Uri, TargetError> {
    let text = within_brackets(text.trim()).trim();
    if text.is_empty() {
        return Err(TargetError::Empty);
    }
    match scheme_of(text) {
        Some("sip" | "sips") => uri(text, text),
        Some("tel") => telephone(text, account.and_then(domain).ok_or(TargetError::NoAccount)?),
        Some(_) => Err(TargetError::Scheme(text.to_string())),
        None => without_scheme(text, account),
    }
}

/// `"Bob" <sip:bob@example.com>`, as it is copied from elsewhere.
fn within_brackets(text: &str) -> &str {
    text.split_once('<').and_then(|(_, rest)| rest.split_once('>')).map_or(text, |(inner, _)| inner)
}

/// The scheme in lower case; another one than ours counts when it looks like one, for `pbx:5080` is a host.
fn scheme_of(text: &str) -> Option<&'static str> {
    let (scheme, _) = text.split_once(':')?;
    match scheme.to_ascii_lowercase().as_str() {
        "sip" => return Some("sip"),
        "sips" => return Some("sips"),
        "tel" => return Some("tel"),
        _ if as_host(text).is_some() => return None,
        _ => {}
    }
    let word = scheme.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'+' || byte == b'-');
    (word && !scheme.is_empty()).then_some("other")
}

/// RFC 3261 section 19.1.6: the number and its parameters become the user part, for few PBXs take a tel URI as it is.
fn telephone(text: &str, domain: String) -> Result<Uri, TargetError> {
    let tel = uri(&text.replace(' ', ""), text)?;
    let body = String::from_utf8_lossy(tel.opaque().unwrap_or_default()).into_owned();
    let (number, parameters) = body.split_at(body.find(';').unwrap_or(body.len()));
    let user = escaped(&format!("{}{parameters}", without_separators(number)));
    uri(&format!("sip:{user}@{domain};user=phone"), text)
}

fn without_scheme(text: &str, account: Option<&Uri>) -> Result<Uri, TargetError> {
    if let Some((user, host)) = text.rsplit_once('@') {
        return uri(&format!("sip:{}@{host}", escaped(user)), text);
    }
    if let Some(host) = as_host(text) {
        return uri(&format!("sip:{host}"), text);
    }
    let (name, parameters) = text.split_once(';').map_or((text, None), |(name, rest)| (name, Some(rest)));
    let name = without_separators(name.trim());
    let Some(domain) = account.and_then(domain) else {
        return Err(TargetError::NoDomain(name));
    };
    let scheme = if account.is_some_and(|uri| uri.scheme().is_secure()) { "sips" } else { "sip" };
    let parameters = parameters.map(|rest| format!(";{rest}")).unwrap_or_default();
    uri(&format!("{scheme}:{}@{domain}{parameters}", escaped(&name)), text)
}

/// An IP address or `host:port`, with its parameters: nobody's name looks like that.
fn as_host(text: &str) -> Option<String> {
    let (host, parameters) = text.split_at(text.find(';').unwrap_or(text.len()));
    if let Ok(address) = host.parse::<std::net::Ipv6Addr>() {
        return Some(format!("[{address}]{parameters}"));
    }
    let with_port = host.split_once(':').is_some_and(|(name, port)| !name.contains('@') && port.parse::<u16>().is_ok());
    let literal = host.parse::<std::net::Ipv4Addr>().is_ok() || (host.starts_with('[') && host.contains(']'));
    (literal || with_port).then(|| text.to_string())
}

/// The host and port that a bare name gets.
fn domain(account: &Uri) -> Option<String> {
    let host = account.host()?;
    Some(account.port().map_or_else(|| host.to_string(), |port| format!("{host}:{port}")))
}

/// A telephone number is written with spaces, dashes, dots and parentheses (RFC 3966 section 5.1.1) and dialled without.
fn without_separators(name: &str) -> String {
    let is_number = name.contains(|c: char| c.is_ascii_digit())
        && name.chars().all(|c| c.is_ascii_digit() || matches!(c, '+' | '*' | '#' | ' ' | '-' | '.' | '(' | ')' | '/'));
    if is_number {
        name.chars().filter(|c| !matches!(c, ' ' | '-' | '.' | '(' | ')' | '/')).collect()
    } else {
        name.into()
    }
}

/// RFC 3261 section 25.1, `user`: everything else is escaped. Escapes that stand there already stay.
fn escaped(user: &str) -> String {
    let bytes = user.as_bytes();
    let mut out = String::with_capacity(user.len());
    for (index, byte) in bytes.iter().copied().enumerate() {
        let escape = byte == b'%'
            && bytes.get(index + 1..index + 3).is_some_and(|digits| digits.iter().all(u8::is_ascii_hexdigit));
        // The colon is not one of user's characters: it begins the password.
        if byte.is_ascii_alphanumeric() || b"-_.!~*'()&=+$,;?/:".contains(&byte) || escape {
            out.push(char::from(byte));
        } else {
            out.push_str(&format!("%{byte:02X}"));
        }
    }
    out
}

fn uri(text: &str, written: &str) -> Result<Uri, TargetError> {
    let malformed = |reason: String| TargetError::Malformed { text: written.to_string(), reason };
    let uri = Uri::parse(Bytes::copy_from_slice(text.as_bytes())).map_err(|error| malformed(error.to_string()))?;
    match uri.scheme() {
        Scheme::Sip | Scheme::Sips if uri.host().is_none() => Err(malformed("it has no host".into())),
        Scheme::Sip | Scheme::Sips | Scheme::Tel => Ok(uri),
        // The library's enum may grow.
        _ => Err(TargetError::Scheme(written.to_string())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn account(uri: &str) -> Uri {
        Uri::parse(Bytes::copy_from_slice(uri.as_bytes())).unwrap()
    }

    fn with_account(text: &str) -> String {
        parse(text, Some(&account("sip:alice@pbx.example.com")))
            .map_or_else(|e| format!("error: {e}"), |u| u.to_string())
    }

    #[test]
    fn each_way_to_write_a_target() {
        for (written, called) in [
            ("sip:bob@example.com", "sip:bob@example.com"),
            ("sips:bob@example.com:5061;transport=tcp", "sips:bob@example.com:5061;transport=tcp"),
            ("SIP:bob@[2001:db8::1]:5070", "SIP:bob@[2001:db8::1]:5070"),
            ("tel:+49-30-12.34", "sip:+49301234@pbx.example.com;user=phone"),
            ("TEL:1234;phone-context=+4930", "sip:1234;phone-context=+4930@pbx.example.com;user=phone"),
            ("bob@example.com", "sip:bob@example.com"),
            ("bob@[2001:db8::1];user=phone", "sip:bob@[2001:db8::1];user=phone"),
            ("600", "sip:600@pbx.example.com"),
            ("bob", "sip:bob@pbx.example.com"),
            ("100;user=phone", "sip:100@pbx.example.com;user=phone"),
            ("+49 (30) 123-45.67", "sip:+49301234567@pbx.example.com"),
            ("*97", "sip:*97@pbx.example.com"),
            ("#31#123", "sip:%2331%23123@pbx.example.com"),
            ("zoë", "sip:zo%C3%AB@pbx.example.com"),
            ("a%20b@example.com", "sip:a%20b@example.com"),
            ("john.doe-2", "sip:john.doe-2@pbx.example.com"),
            ("192.0.2.7", "sip:192.0.2.7"),
            ("192.0.2.7:5080", "sip:192.0.2.7:5080"),
            ("2001:db8::1", "sip:[2001:db8::1]"),
            ("[2001:db8::1]:5080", "sip:[2001:db8::1]:5080"),
            ("localhost:5080", "sip:localhost:5080"),
            ("\"Bob\" <sip:bob@example.com;x=y>", "sip:bob@example.com;x=y"),
            ("  600 ", "sip:600@pbx.example.com"),
        ] {
            assert_eq!(with_account(written), called, "{written}");
        }
    }

    #[test]
    fn the_domain_is_the_accounts_with_its_port_and_its_security() {
        let domain = |uri| parse("600", Some(&account(uri))).unwrap().to_string();
        assert_eq!(domain("sip:alice@127.0.0.1:5099"), "sip:600@127.0.0.1:5099");
        assert_eq!(domain("sip:alice@[::1]:5099;transport=udp"), "sip:600@[::1]:5099");
        assert_eq!(domain("sips:alice@pbx"), "sips:600@pbx");
    }

    #[test]
    fn without_an_account_a_bare_name_says_what_to_write() {
        assert_eq!(parse("600", None).unwrap_err(), TargetError::NoDomain("600".into()));
        assert!(parse("bob", None).unwrap_err().to_string().contains("write sip:bob@HOST"));
        assert_eq!(parse("tel:+4930", None).unwrap_err(), TargetError::NoAccount);
        assert_eq!(parse("bob@192.0.2.1:5080", None).unwrap().to_string(), "sip:bob@192.0.2.1:5080");
    }

    #[test]
    fn what_can_not_be_called() {
        assert_eq!(parse("  ", None).unwrap_err(), TargetError::Empty);
        for text in ["mailto:bob@example.com", "http://example.com", "xmpp:bob"] {
            assert_eq!(parse(text, None).unwrap_err(), TargetError::Scheme(text.into()));
        }
        for text in ["sip:", "sip:bob@", "sip:bob@exa mple.com", "bob@host\r\nEvil: yes", "sip:bob@host>\u{1b}", "tel:"]
        {
            let error = parse(text, Some(&account("sip:alice@pbx"))).unwrap_err();
            assert!(matches!(error, TargetError::Malformed { .. }), "{text}: {error}");
        }
    }
}
