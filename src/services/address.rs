//! The user and host of an address, as rules and lists compare them.

/// Characters of an address that are looked at.
const LENGTH: usize = 500;

/// Who is meant by a URI.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Who {
    /// The user, its escapes undone, its parameters and password left out; a number without separators and with `+` for `00`.
    pub user: String,
    /// The host, in lower case, without its port.
    pub host: String,
}

impl Who {
    /// Of a URI (`sip:`, `sips:`, `tel:`), or of a bare number or name.
    pub fn of(uri: &str) -> Who {
        let uri: String = uri.trim().chars().take(LENGTH).collect();
        let (scheme, rest) = match uri.split_once(':') {
            Some((scheme, rest)) if ["sip", "sips", "tel"].iter().any(|known| scheme.eq_ignore_ascii_case(known)) => {
                (scheme.to_ascii_lowercase(), rest)
            }
            _ => (String::new(), uri.as_str()),
        };
        let end = |text: &str, ends: &[char]| text.find(ends).unwrap_or(text.len());
        let (user, host) = match rest.rsplit_once('@') {
            Some((user, host)) => (user, host),
            None if scheme.starts_with("sip") => ("", rest),
            None => (rest, ""),
        };
        let user = &user[..end(user, &[';', ':'])];
        let host = &host[..end(host, &[';', '?', '>'])];
        let host = match host.strip_prefix('[').and_then(|inner| inner.split_once(']')) {
            Some((inner, _)) => inner,
            None => &host[..end(host, &[':'])],
        };
        Who { user: number(&unescaped(user)), host: host.to_ascii_lowercase() }
    }

    /// Nobody can tell who it is (RFC 3323 section 4.1.1.3, and what gateways write).
    pub fn is_anonymous(&self) -> bool {
        self.host == "anonymous.invalid"
            || self.user.is_empty()
            || ["anonymous", "restricted", "unknown", "unavailable"]
                .iter()
                .any(|word| self.user.eq_ignore_ascii_case(word))
    }

    /// Whether it is a telephone number.
    pub fn is_number(&self) -> bool {
        is_number(&self.user)
    }
}

/// A number without the separators of RFC 3966 section 5.1.1; a name as it is.
pub fn without_separators(text: &str) -> String {
    let is_mark = |c: char| matches!(c, ' ' | '-' | '.' | '(' | ')' | '/' | '\u{a0}');
    let bare: String = text.chars().filter(|c| !is_mark(*c)).collect();
    if is_number(&bare) { bare } else { text.to_owned() }
}

/// [`without_separators`], with `+` for the prefix `00`.
pub fn number(text: &str) -> String {
    let bare = without_separators(text);
    match bare.strip_prefix("00") {
        Some(rest) if !rest.is_empty() && is_number(&bare) => format!("+{rest}"),
        _ => bare,
    }
}

fn is_number(text: &str) -> bool {
    text.contains(|c: char| c.is_ascii_digit())
        && text.chars().all(|c| c.is_ascii_digit() || matches!(c, '+' | '*' | '#'))
}

fn unescaped(text: &str) -> String {
    let bytes = text.as_bytes();
    let mut out = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while let Some(byte) = bytes.get(at) {
        let escape = (*byte == b'%')
            .then(|| std::str::from_utf8(bytes.get(at + 1..at + 3)?).ok())
            .flatten()
            .filter(|digits| digits.bytes().all(|digit| digit.is_ascii_hexdigit()))
            .and_then(|digits| u8::from_str_radix(digits, 16).ok());
        out.push(escape.unwrap_or(*byte));
        at += if escape.is_some() { 3 } else { 1 };
    }
    String::from_utf8_lossy(&out).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn users_and_hosts() {
        for (uri, user, host) in [
            ("sip:bob@Example.com:5070;transport=udp", "bob", "example.com"),
            ("sips:bob:secret@[2001:db8::1]:5061", "bob", "2001:db8::1"),
            ("sip:+49-30-12.3;phone-context=x@pbx", "+4930123", "pbx"),
            ("sip:%2B4930@pbx", "+4930", "pbx"),
            ("sip:0049%2030%2f1@pbx", "+49301", "pbx"),
            ("tel:+49(30)1;phone-context=x", "+49301", ""),
            ("sip:pbx.example.com", "", "pbx.example.com"),
            ("0049 30 1", "+49301", ""),
            ("bob", "bob", ""),
            ("j.doe@x", "j.doe", "x"),
            ("sip:100%@x", "100%", "x"),
            ("", "", ""),
        ] {
            assert_eq!(Who::of(uri), Who { user: user.into(), host: host.into() }, "{uri}");
        }
    }

    #[test]
    fn nobody_knows_an_anonymous_caller() {
        for uri in ["sip:anonymous@anonymous.invalid", "sip:x@anonymous.invalid", "sip:Anonymous@pbx", "sip:pbx", ""] {
            assert!(Who::of(uri).is_anonymous(), "{uri}");
        }
        assert!(!Who::of("sip:bob@pbx").is_anonymous());
    }
}
