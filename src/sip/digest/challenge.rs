//! A challenge: WWW-Authenticate and Proxy-Authenticate.

use std::fmt;

use super::row::{AuthValue, MAX_ITEMS, parse_values, quoted, token_or_quoted};
use super::{Algorithm, DigestError, Qop};

/// A challenge: the value of WWW-Authenticate or Proxy-Authenticate (RFC 7616 section 3.3).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Challenge {
    /// The protection space, unquoted.
    pub realm: String,
    /// The server's nonce, unquoted.
    pub nonce: String,
    /// To be sent back unchanged.
    pub opaque: Option<String>,
    /// The algorithm's token as it came; see [`Challenge::algorithm`].
    pub algorithm: Option<String>,
    /// The qop tokens offered, known or not; empty: the form of RFC 2069.
    pub qop: Vec<String>,
    /// The nonce was too old, but the password was right.
    pub stale: bool,
    /// The URIs of the protection space; SIP gives them no meaning (RFC 3261 section 22.4).
    pub domain: Option<String>,
}

impl Challenge {
    /// A challenge that offers qop=auth.
    pub fn new(realm: impl Into<String>, nonce: impl Into<String>, algorithm: Algorithm) -> Self {
        Challenge {
            realm: realm.into(),
            nonce: nonce.into(),
            opaque: None,
            algorithm: Some(algorithm.name().to_owned()),
            qop: vec!["auth".to_owned()],
            stale: false,
            domain: None,
        }
    }

    /// All the challenges of one header row, in its order: several may be joined by commas (RFC 7235 section 4.1).
    ///
    /// # Errors
    /// The row as a whole when it can't be cut into challenges; each challenge for itself otherwise.
    pub fn parse_row(value: &[u8]) -> Result<Vec<Result<Self, DigestError>>, DigestError> {
        Ok(parse_values(value)?.into_iter().map(Self::from_value).collect())
    }

    fn from_value(mut value: AuthValue) -> Result<Self, DigestError> {
        value.require_digest()?;
        Ok(Challenge {
            realm: value.take("realm").ok_or(DigestError::Missing("realm"))?,
            nonce: value.take("nonce").ok_or(DigestError::Missing("nonce"))?,
            opaque: value.take("opaque"),
            algorithm: value.take("algorithm"),
            qop: value.take("qop").map(|list| tokens(&list)).unwrap_or_default(),
            stale: value.take("stale").is_some_and(|stale| stale.trim().eq_ignore_ascii_case("true")),
            domain: value.take("domain"),
        })
    }

    /// The algorithm it asks for: MD5 when it names none, `None` when it names one that is not known here.
    pub fn algorithm(&self) -> Option<Algorithm> {
        match &self.algorithm {
            None => Some(Algorithm::Md5),
            Some(token) => Algorithm::parse(token.trim()),
        }
    }

    /// The protection to answer with: auth before auth-int; `None` when it offers only what is not known here.
    pub fn choose_qop(&self) -> Option<Qop> {
        let offers = |token: &str| self.qop.iter().any(|offered| offered.eq_ignore_ascii_case(token));
        if self.qop.is_empty() {
            Some(Qop::None)
        } else if offers("auth") {
            Some(Qop::Auth)
        } else if offers("auth-int") {
            Some(Qop::AuthInt)
        } else {
            None
        }
    }
}

impl fmt::Display for Challenge {
    /// The header field's value.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Digest realm={}", quoted(&self.realm))?;
        if let Some(domain) = &self.domain {
            write!(f, ", domain={}", quoted(domain))?;
        }
        write!(f, ", nonce={}", quoted(&self.nonce))?;
        if let Some(opaque) = &self.opaque {
            write!(f, ", opaque={}", quoted(opaque))?;
        }
        if self.stale {
            f.write_str(", stale=true")?;
        }
        if let Some(algorithm) = &self.algorithm {
            write!(f, ", algorithm={}", token_or_quoted(algorithm))?;
        }
        if !self.qop.is_empty() {
            write!(f, ", qop={}", quoted(&self.qop.join(",")))?;
        }
        Ok(())
    }
}

fn tokens(list: &str) -> Vec<String> {
    list.split([',', ' ', '\t']).filter(|token| !token.is_empty()).take(MAX_ITEMS).map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn one(value: &str) -> Challenge {
        let mut all = Challenge::parse_row(value.as_bytes()).unwrap();
        assert_eq!(all.len(), 1, "{value}");
        all.remove(0).unwrap()
    }

    #[test]
    fn challenges_as_they_were_seen() {
        let quoted = one(
            r#"Digest realm="MCI WorldCom SIP", domain="wcom.com", nonce="wf84f1ceczx41ae6cbe5aea9c8e88d359", opaque="", stale="FALSE", algorithm="MD5""#,
        );
        assert_eq!((quoted.realm.as_str(), quoted.stale), ("MCI WorldCom SIP", false));
        assert_eq!((quoted.algorithm(), quoted.opaque.as_deref()), (Some(Algorithm::Md5), Some("")));
        assert_eq!(quoted.choose_qop(), Some(Qop::None));

        let bare = one(r#"Digest realm="10.135.0.1", nonce="WWdAiVlnPjECocBoyYtBDshUs+RxMS+3""#);
        assert_eq!((bare.algorithm(), bare.algorithm.as_deref()), (Some(Algorithm::Md5), None));

        let asterisk = one(r#"Digest algorithm=MD5, realm="asterisk",  nonce="343eb793""#);
        assert_eq!(asterisk.nonce, "343eb793");

        let rfc3665 = one(
            r#"Digest realm="atlanta.example.com", qop="auth", nonce="ea9c", opaque="", stale=FALSE, algorithm=MD5"#,
        );
        assert_eq!(rfc3665.choose_qop(), Some(Qop::Auth));
    }

    #[test]
    fn odd_spelling_is_understood() {
        let odd =
            one("DIGEST  Realm = \"say \\\"hi\\\", you\" ,,NONCE=abc/==, QOP=\"token , AUTH-INT\", STALE=\"True\"");
        assert_eq!((odd.realm.as_str(), odd.nonce.as_str()), ("say \"hi\", you", "abc/=="));
        assert_eq!((odd.choose_qop(), odd.stale), (Some(Qop::AuthInt), true));
        assert_eq!(one(r#"Digest realm="r", nonce="n", qop="""#).choose_qop(), Some(Qop::None));
        assert_eq!(one(r#"Digest realm="r", nonce="n", qop="token""#).choose_qop(), None);
        assert_eq!(one(r#"Digest realm="r", nonce="n", algorithm=SHA3-256"#).algorithm(), None);
    }

    #[test]
    fn merged_challenges_are_cut() {
        let row = r#"Digest realm="a, Digest b", nonce="1", qop="auth,auth-int", Basic realm="c", digest realm="d", nonce="2" Digest nonce="3""#;
        let all = Challenge::parse_row(row.as_bytes()).unwrap();
        assert_eq!(all.len(), 4);
        assert_eq!(all[0].as_ref().unwrap().realm, "a, Digest b");
        assert_eq!(all[1], Err(DigestError::Scheme));
        assert_eq!(all[2].as_ref().unwrap().nonce, "2");
        assert_eq!(all[3], Err(DigestError::Missing("realm")));
    }

    #[test]
    fn what_is_not_a_challenge_is_refused() {
        for bad in ["Digest realm=\"r", "Digest realm=\"r\\", "Digest realm=\"r\";x", "\u{1F600}"] {
            assert_eq!(Challenge::parse_row(bad.as_bytes()), Err(DigestError::Syntax), "{bad}");
        }
        assert_eq!(Challenge::parse_row(b"Digest realm=\"\xff\""), Err(DigestError::Syntax));
        assert_eq!(Challenge::parse_row(b""), Ok(Vec::new()));
        let endless = "Digest ".repeat(100_000);
        assert_eq!(Challenge::parse_row(endless.as_bytes()), Err(DigestError::Syntax));
    }

    #[test]
    fn a_challenge_survives_being_written() {
        let mut challenge = Challenge::new("say \"hi\" \\ you", "n/=", Algorithm::Sha512_256);
        assert_eq!(one(&challenge.to_string()), challenge);
        challenge.opaque = Some(String::new());
        challenge.stale = true;
        challenge.domain = Some("sip:a sip:b".to_owned());
        challenge.qop = vec!["auth".to_owned(), "auth-int".to_owned()];
        assert_eq!(one(&challenge.to_string()), challenge);
        assert_eq!(
            Challenge::new("r", "n", Algorithm::Md5).to_string(),
            r#"Digest realm="r", nonce="n", algorithm=MD5, qop="auth""#
        );
    }
}
