//! Rows of the authentication header fields: cut into schemes and parameters, and what is written into them.

use super::DigestError;

/// The longest list of challenges or parameters that is read from one header row.
pub const MAX_ITEMS: usize = 64;

/// The `nextnonce` of an Authentication-Info or Proxy-Authentication-Info row (RFC 7615, RFC 7616 section 3.5).
pub fn parse_nextnonce(value: &[u8]) -> Option<String> {
    parse_values(value).ok()?.into_iter().next()?.take("nextnonce")
}

/// One scheme and its parameters. A row without a scheme (Authentication-Info) has an empty one.
pub struct AuthValue {
    scheme: String,
    params: Vec<(String, String)>,
}

impl AuthValue {
    pub fn require_digest(&self) -> Result<(), DigestError> {
        if self.scheme.eq_ignore_ascii_case("Digest") { Ok(()) } else { Err(DigestError::Scheme) }
    }

    /// The first parameter of that name, in any case.
    pub fn take(&mut self, name: &str) -> Option<String> {
        let index = self.params.iter().position(|(param, _)| param.eq_ignore_ascii_case(name))?;
        Some(self.params.swap_remove(index).1)
    }
}

/// Cuts a row into schemes and parameters. A word that no `=` follows begins a new scheme, with a comma before it or not.
pub fn parse_values(value: &[u8]) -> Result<Vec<AuthValue>, DigestError> {
    let mut rest = std::str::from_utf8(value).map_err(|_| DigestError::Syntax)?;
    let mut values: Vec<AuthValue> = Vec::new();
    for _ in 0..MAX_ITEMS {
        rest = rest.trim_start_matches([',', ' ', '\t', '\r', '\n']);
        if rest.is_empty() {
            return Ok(values);
        }
        let end = rest.bytes().position(|b| !is_token_byte(b)).unwrap_or(rest.len());
        let (word, after) = rest.split_at_checked(end).ok_or(DigestError::Syntax)?;
        if word.is_empty() {
            return Err(DigestError::Syntax);
        }
        let Some(after) = after.trim_start().strip_prefix('=') else {
            values.push(AuthValue { scheme: word.to_owned(), params: Vec::new() });
            rest = after;
            continue;
        };
        let (param, after) = param_value(after.trim_start())?;
        if values.is_empty() {
            values.push(AuthValue { scheme: String::new(), params: Vec::new() });
        }
        if let Some(current) = values.last_mut() {
            current.params.push((word.to_owned(), param));
        }
        rest = after;
    }
    Err(DigestError::Syntax)
}

/// A parameter's value, quoted or not, and what follows it.
fn param_value(text: &str) -> Result<(String, &str), DigestError> {
    let Some(inner) = text.strip_prefix('"') else {
        let end = text.find([',', ' ', '\t', '\r', '\n']).unwrap_or(text.len());
        let (value, after) = text.split_at_checked(end).ok_or(DigestError::Syntax)?;
        return Ok((value.to_owned(), after));
    };
    let mut value = String::new();
    let mut chars = inner.chars();
    while let Some(c) = chars.next() {
        match c {
            '"' => return Ok((value, chars.as_str())),
            '\\' => value.push(chars.next().ok_or(DigestError::Syntax)?),
            c => value.push(c),
        }
    }
    Err(DigestError::Syntax)
}

pub fn quoted(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 2);
    out.push('"');
    for c in text.chars() {
        if matches!(c, '"' | '\\') {
            out.push('\\');
        }
        out.push(c);
    }
    out.push('"');
    out
}

/// As a token when it is one: a challenge's odd algorithm must not break the line that echoes it.
pub fn token_or_quoted(text: &str) -> String {
    if !text.is_empty() && text.bytes().all(is_token_byte) { text.to_owned() } else { quoted(text) }
}

/// RFC 3261 section 25.1: `token`.
fn is_token_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"-.!%*_+`'~".contains(&byte)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_next_nonce_is_found() {
        assert_eq!(parse_nextnonce(br#"qop=auth, nextnonce="a,b", rspauth="0""#).as_deref(), Some("a,b"));
        assert_eq!(parse_nextnonce(b"qop=auth"), None);
    }
}
