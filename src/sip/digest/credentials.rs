//! An answer to a challenge: Authorization and Proxy-Authorization.

use std::fmt;

use super::row::{parse_values, quoted, token_or_quoted};
use super::{Algorithm, DigestError, Qop};

/// An answer: the value of Authorization or Proxy-Authorization (RFC 7616 section 3.4). `Debug` hides the response.
#[derive(Clone, PartialEq, Eq)]
pub struct CredentialsLine {
    /// The user's name in the realm, unquoted.
    pub username: String,
    /// The challenge's realm.
    pub realm: String,
    /// The challenge's nonce.
    pub nonce: String,
    /// The Request-URI that was hashed.
    pub uri: String,
    /// The hash, in lower-case hex digits.
    pub response: String,
    /// The challenge's algorithm token, when it had one.
    pub algorithm: Option<String>,
    /// The client's nonce: with a qop, or a session algorithm.
    pub cnonce: Option<String>,
    /// How often this nonce has been used, from 1: with a qop only.
    pub nc: Option<u32>,
    /// The protection.
    pub qop: Qop,
    /// The challenge's opaque, when it had one.
    pub opaque: Option<String>,
}

impl CredentialsLine {
    /// Reads the value of one header row.
    ///
    /// # Errors
    /// [`DigestError`] says what is wrong; anything but exactly one Digest value is refused.
    pub fn parse(value: &[u8]) -> Result<Self, DigestError> {
        let mut values = parse_values(value)?.into_iter();
        let mut value = values.next().ok_or(DigestError::Syntax)?;
        value.require_digest()?;
        if values.next().is_some() {
            return Err(DigestError::Syntax);
        }
        let mut need = |name: &'static str| value.take(name).ok_or(DigestError::Missing(name));
        let (username, realm, nonce) = (need("username")?, need("realm")?, need("nonce")?);
        let (uri, response) = (need("uri")?, need("response")?);
        let qop = match value.take("qop") {
            None => Qop::None,
            Some(token) if token.eq_ignore_ascii_case("auth") => Qop::Auth,
            Some(token) if token.eq_ignore_ascii_case("auth-int") => Qop::AuthInt,
            Some(_) => return Err(DigestError::Invalid("qop")),
        };
        let nc = value.take("nc").map(|digits| parse_nc(&digits).ok_or(DigestError::Invalid("nc"))).transpose()?;
        let (algorithm, cnonce, opaque) = (value.take("algorithm"), value.take("cnonce"), value.take("opaque"));
        if qop != Qop::None && nc.is_none() {
            return Err(DigestError::Missing("nc"));
        }
        if qop != Qop::None && cnonce.is_none() {
            return Err(DigestError::Missing("cnonce"));
        }
        Ok(CredentialsLine { username, realm, nonce, uri, response, algorithm, cnonce, nc, qop, opaque })
    }

    /// The algorithm: MD5 when it names none, `None` when it names one that is not known here.
    pub fn algorithm(&self) -> Option<Algorithm> {
        match &self.algorithm {
            None => Some(Algorithm::Md5),
            Some(token) => Algorithm::parse(token.trim()),
        }
    }
}

impl fmt::Debug for CredentialsLine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let hidden = CredentialsLine { response: "***".to_owned(), ..self.clone() };
        f.debug_tuple("CredentialsLine").field(&format_args!("{hidden}")).finish()
    }
}

impl fmt::Display for CredentialsLine {
    /// The header field's value. RFC 3261 section 25.1: algorithm, qop and nc stand unquoted.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Digest username={}", quoted(&self.username))?;
        write!(f, ", realm={}", quoted(&self.realm))?;
        write!(f, ", nonce={}", quoted(&self.nonce))?;
        write!(f, ", uri={}", quoted(&self.uri))?;
        write!(f, ", response={}", quoted(&self.response))?;
        if let Some(algorithm) = &self.algorithm {
            write!(f, ", algorithm={}", token_or_quoted(algorithm))?;
        }
        if let Some(cnonce) = &self.cnonce {
            write!(f, ", cnonce={}", quoted(cnonce))?;
        }
        if let Some(opaque) = &self.opaque {
            write!(f, ", opaque={}", quoted(opaque))?;
        }
        if let Some(qop) = self.qop.token() {
            write!(f, ", qop={qop}")?;
        }
        if let Some(nc) = self.nc {
            write!(f, ", nc={nc:08x}")?;
        }
        Ok(())
    }
}

/// Eight hex digits (RFC 7616 section 3.4).
fn parse_nc(digits: &str) -> Option<u32> {
    let valid = digits.len() == 8 && digits.bytes().all(|b| b.is_ascii_hexdigit());
    if valid { u32::from_str_radix(digits, 16).ok() } else { None }
}

#[cfg(test)]
mod tests {
    use super::super::verify;
    use super::*;

    #[test]
    fn credentials_as_they_were_seen() {
        let ekiga = r#"Digest username="test13", realm="asterisk", nonce="343eb793", uri="sip:10.10.1.99", algorithm=MD5,  response="6c13de87f9cde9c44e95edbb68cbdea9""#;
        let line = CredentialsLine::parse(ekiga.as_bytes()).unwrap();
        assert_eq!((line.username.as_str(), line.uri.as_str(), line.qop), ("test13", "sip:10.10.1.99", Qop::None));
        assert!(!verify(&line, "guess", "REGISTER", b""));
        // RFC 3665 2.1 F3: a comma is missing.
        let bob = r#"Digest username="bob", realm="atlanta.example.com" nonce="ea9c8e88df84f1cec4341ae6cbe5a359", opaque="", uri="sips:ss2.biloxi.example.com", response="dfe56131d1958046689d83306477ecc""#;
        assert_eq!(CredentialsLine::parse(bob.as_bytes()).unwrap().nonce, "ea9c8e88df84f1cec4341ae6cbe5a359");
    }

    #[test]
    fn credentials_are_written_as_the_grammar_wants_them() {
        let line = CredentialsLine {
            username: "bo\"b".to_owned(),
            realm: "r".to_owned(),
            nonce: "n".to_owned(),
            uri: "sip:example.com".to_owned(),
            response: "00".to_owned(),
            algorithm: Some("MD5".to_owned()),
            cnonce: Some("c".to_owned()),
            nc: Some(26),
            qop: Qop::Auth,
            opaque: Some("o".to_owned()),
        };
        let expected = r#"Digest username="bo\"b", realm="r", nonce="n", uri="sip:example.com", response="00", algorithm=MD5, cnonce="c", opaque="o", qop=auth, nc=0000001a"#;
        assert_eq!(line.to_string(), expected);
        assert_eq!(CredentialsLine::parse(expected.as_bytes()), Ok(line));
    }

    #[test]
    fn bad_credentials_are_refused() {
        let with = |tail: &str| {
            let head = r#"Digest username="u", realm="r", nonce="n", uri="sip:x", response="0""#;
            CredentialsLine::parse(format!("{head}{tail}").as_bytes()).err()
        };
        assert_eq!(with(""), None);
        assert_eq!(with(", nc=1"), Some(DigestError::Invalid("nc")));
        assert_eq!(with(", nc=+0000001"), Some(DigestError::Invalid("nc")));
        assert_eq!(with(", qop=token"), Some(DigestError::Invalid("qop")));
        assert_eq!(with(", qop=auth"), Some(DigestError::Missing("nc")));
        assert_eq!(with(", qop=auth, nc=00000001"), Some(DigestError::Missing("cnonce")));
        assert_eq!(with(", Digest realm=\"x\""), Some(DigestError::Syntax));
        assert_eq!(CredentialsLine::parse(b"Basic dTpw"), Err(DigestError::Scheme));
    }
}
