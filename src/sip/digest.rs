//! Digest access authentication, both sides (RFC 3261 section 22.4, RFC 2617, RFC 7616, RFC 8760).
//!
//! [`Challenge`] is what a server asks, [`CredentialsLine`] what a client answers, [`response`] the hash that proves the
//! password, and [`verify`] the server's check. Nonces, their age and their counts are the business of whoever calls.

use std::fmt::Write as _;

use md5::Md5;
use sha2::digest::Digest;
use sha2::{Sha256, Sha512_256};

/// The longest list of challenges or parameters that is read from one header row.
const MAX_ITEMS: usize = 64;

/// A hash that digest authentication can use (RFC 7616 section 3.3, RFC 8760 section 2.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Algorithm {
    /// MD5: what every PBX speaks, and what a missing `algorithm` means.
    Md5,
    /// MD5 with a session key.
    Md5Sess,
    /// SHA-256.
    Sha256,
    /// SHA-256 with a session key.
    Sha256Sess,
    /// SHA-512/256: a hash of its own (FIPS 180-4), not a cut SHA-512.
    Sha512_256,
    /// SHA-512/256 with a session key.
    Sha512_256Sess,
}

/// The token of each algorithm. They compare without regard to case.
const ALGORITHMS: [(Algorithm, &str); 6] = [
    (Algorithm::Md5, "MD5"),
    (Algorithm::Md5Sess, "MD5-sess"),
    (Algorithm::Sha256, "SHA-256"),
    (Algorithm::Sha256Sess, "SHA-256-sess"),
    (Algorithm::Sha512_256, "SHA-512-256"),
    (Algorithm::Sha512_256Sess, "SHA-512-256-sess"),
];

impl Algorithm {
    /// The algorithm that a token names; `None` for one that is not known here.
    pub fn parse(token: &str) -> Option<Self> {
        ALGORITHMS.iter().find(|(_, name)| name.eq_ignore_ascii_case(token)).map(|(algorithm, _)| *algorithm)
    }

    /// Its token.
    pub fn name(self) -> &'static str {
        ALGORITHMS.iter().find(|(algorithm, _)| *algorithm == self).map_or("MD5", |(_, name)| name)
    }

    /// Whether A1 is a session key, made of the first nonce and cnonce (RFC 7616 section 3.4.2).
    pub fn is_session(self) -> bool {
        match self {
            Algorithm::Md5Sess | Algorithm::Sha256Sess | Algorithm::Sha512_256Sess => true,
            Algorithm::Md5 | Algorithm::Sha256 | Algorithm::Sha512_256 => false,
        }
    }

    /// The hash of the parts joined by `:`, as lower-case hex digits.
    fn hash(self, parts: &[&[u8]]) -> String {
        match self {
            Algorithm::Md5 | Algorithm::Md5Sess => hash_joined::<Md5>(parts),
            Algorithm::Sha256 | Algorithm::Sha256Sess => hash_joined::<Sha256>(parts),
            Algorithm::Sha512_256 | Algorithm::Sha512_256Sess => hash_joined::<Sha512_256>(parts),
        }
    }
}

fn hash_joined<D: Digest>(parts: &[&[u8]]) -> String {
    let mut hasher = D::new();
    for (index, part) in parts.iter().enumerate() {
        if index > 0 {
            hasher.update(b":");
        }
        hasher.update(part);
    }
    hasher.finalize().iter().fold(String::new(), |mut hex, byte| {
        let _ = write!(hex, "{byte:02x}");
        hex
    })
}

/// What a digest response protects (RFC 7616 section 3.4).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Qop {
    /// The form of RFC 2069, without qop: no count, no cnonce.
    None,
    /// The request line.
    Auth,
    /// The request line and the body.
    AuthInt,
}

impl Qop {
    /// The token; `None` has none.
    pub fn token(self) -> Option<&'static str> {
        match self {
            Qop::None => None,
            Qop::Auth => Some("auth"),
            Qop::AuthInt => Some("auth-int"),
        }
    }
}

/// Why a header row could not be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum DigestError {
    /// Not UTF-8, a quote that never closes, or a parameter without `=`.
    #[error("the authentication header can't be read")]
    Syntax,
    /// Another scheme than Digest.
    #[error("the authentication scheme is not Digest")]
    Scheme,
    /// A parameter without which it means nothing.
    #[error("the authentication header has no {0}")]
    Missing(&'static str),
    /// `nc` is not eight hex digits, or `qop` is none that we know.
    #[error("the authentication header's {0} is not valid")]
    Invalid(&'static str),
}

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

impl std::fmt::Display for Challenge {
    /// The header field's value.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
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

impl std::fmt::Debug for CredentialsLine {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let hidden = CredentialsLine { response: "***".to_owned(), ..self.clone() };
        f.debug_tuple("CredentialsLine").field(&format_args!("{hidden}")).finish()
    }
}

impl std::fmt::Display for CredentialsLine {
    /// The header field's value. RFC 3261 section 25.1: algorithm, qop and nc stand unquoted.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
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

/// What goes into a response's hash.
#[derive(Clone, Copy)]
pub struct Inputs<'a> {
    /// The hash.
    pub algorithm: Algorithm,
    /// The user's name.
    pub username: &'a str,
    /// The realm.
    pub realm: &'a str,
    /// The password.
    pub password: &'a str,
    /// The server's nonce.
    pub nonce: &'a str,
    /// The client's nonce; used with a qop or a session algorithm.
    pub cnonce: &'a str,
    /// The count; used with a qop.
    pub nc: u32,
    /// The protection.
    pub qop: Qop,
    /// The request's method.
    pub method: &'a str,
    /// The digest-uri.
    pub uri: &'a str,
    /// The request's body; used with auth-int.
    pub body: &'a [u8],
}

/// The response of RFC 7616 section 3.4.1, in lower-case hex digits.
pub fn response(inputs: &Inputs<'_>) -> String {
    let hash = |parts: &[&[u8]]| inputs.algorithm.hash(parts);
    let (nonce, cnonce) = (inputs.nonce.as_bytes(), inputs.cnonce.as_bytes());
    let mut ha1 = hash(&[inputs.username.as_bytes(), inputs.realm.as_bytes(), inputs.password.as_bytes()]);
    if inputs.algorithm.is_session() {
        ha1 = hash(&[ha1.as_bytes(), nonce, cnonce]);
    }
    let (method, uri) = (inputs.method.as_bytes(), inputs.uri.as_bytes());
    let ha2 = match inputs.qop {
        Qop::None | Qop::Auth => hash(&[method, uri]),
        Qop::AuthInt => hash(&[method, uri, hash(&[inputs.body]).as_bytes()]),
    };
    match inputs.qop.token() {
        None => hash(&[ha1.as_bytes(), nonce, ha2.as_bytes()]),
        Some(qop) => {
            let nc = format!("{:08x}", inputs.nc);
            hash(&[ha1.as_bytes(), nonce, nc.as_bytes(), cnonce, qop.as_bytes(), ha2.as_bytes()])
        }
    }
}

/// Whether the credentials prove `password` for a request with this method and body.
///
/// The caller has looked up the password by `line.username` and `line.realm`, and still has to check that the nonce is
/// one of its own and not too old, that `nc` rises, and that `line.uri` is the request's.
pub fn verify(line: &CredentialsLine, password: &str, method: &str, body: &[u8]) -> bool {
    let Some(algorithm) = line.algorithm() else {
        return false;
    };
    let expected = response(&Inputs {
        algorithm,
        username: &line.username,
        realm: &line.realm,
        password,
        nonce: &line.nonce,
        cnonce: line.cnonce.as_deref().unwrap_or_default(),
        nc: line.nc.unwrap_or_default(),
        qop: line.qop,
        method,
        uri: &line.uri,
        body,
    });
    constant_time_eq(expected.as_bytes(), line.response.as_bytes())
}

/// Compares without telling by its duration where the first difference is.
fn constant_time_eq(a: &[u8], b: &[u8]) -> bool {
    a.len() == b.len() && std::hint::black_box(a.iter().zip(b).fold(0, |diff, (x, y)| diff | (x ^ y))) == 0
}

/// The `nextnonce` of an Authentication-Info or Proxy-Authentication-Info row (RFC 7615, RFC 7616 section 3.5).
pub fn parse_nextnonce(value: &[u8]) -> Option<String> {
    parse_values(value).ok()?.into_iter().next()?.take("nextnonce")
}

/// Eight hex digits (RFC 7616 section 3.4).
fn parse_nc(digits: &str) -> Option<u32> {
    let valid = digits.len() == 8 && digits.bytes().all(|b| b.is_ascii_hexdigit());
    if valid { u32::from_str_radix(digits, 16).ok() } else { None }
}

fn tokens(list: &str) -> Vec<String> {
    list.split([',', ' ', '\t']).filter(|token| !token.is_empty()).take(MAX_ITEMS).map(str::to_owned).collect()
}

fn quoted(text: &str) -> String {
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
fn token_or_quoted(text: &str) -> String {
    if !text.is_empty() && text.bytes().all(is_token_byte) { text.to_owned() } else { quoted(text) }
}

/// RFC 3261 section 25.1: `token`.
fn is_token_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"-.!%*_+`'~".contains(&byte)
}

/// One scheme and its parameters. A row without a scheme (Authentication-Info) has an empty one.
struct AuthValue {
    scheme: String,
    params: Vec<(String, String)>,
}

impl AuthValue {
    fn require_digest(&self) -> Result<(), DigestError> {
        if self.scheme.eq_ignore_ascii_case("Digest") { Ok(()) } else { Err(DigestError::Scheme) }
    }

    /// The first parameter of that name, in any case.
    fn take(&mut self, name: &str) -> Option<String> {
        let index = self.params.iter().position(|(param, _)| param.eq_ignore_ascii_case(name))?;
        Some(self.params.swap_remove(index).1)
    }
}

/// Cuts a row into schemes and parameters. A word that no `=` follows begins a new scheme, with a comma before it or not.
fn parse_values(value: &[u8]) -> Result<Vec<AuthValue>, DigestError> {
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

#[cfg(test)]
mod tests {
    use super::*;

    const DIGEST_NONE: Inputs<'static> = Inputs {
        algorithm: Algorithm::Md5,
        username: "Mufasa",
        realm: "testrealm@host.com",
        password: "Circle Of Life",
        nonce: "dcd98b7102dd2f0e8b11d0f600bfb0c093",
        cnonce: "",
        nc: 0,
        qop: Qop::None,
        method: "GET",
        uri: "/dir/index.html",
        body: b"",
    };

    fn one(value: &str) -> Challenge {
        let mut all = Challenge::parse_row(value.as_bytes()).unwrap();
        assert_eq!(all.len(), 1, "{value}");
        all.remove(0).unwrap()
    }

    #[test]
    fn rfc_2617_3_5() {
        let inputs = Inputs { cnonce: "0a4f113b", nc: 1, qop: Qop::Auth, ..DIGEST_NONE };
        assert_eq!(response(&inputs), "6629fae49393a05397450978507c4ef1");
    }

    #[test]
    fn rfc_2069_form_without_qop() {
        assert_eq!(response(&DIGEST_NONE), "670fd8c2df070c60b045671b8b24ff02");
    }

    #[test]
    fn rfc_7616_3_9_1() {
        let inputs = Inputs {
            realm: "http-auth@example.org",
            password: "Circle of Life",
            nonce: "7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v",
            cnonce: "f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ",
            nc: 1,
            qop: Qop::Auth,
            ..DIGEST_NONE
        };
        assert_eq!(response(&inputs), "8ca523f5e9506fed4657c9700eebdbec");
        let sha256 = Inputs { algorithm: Algorithm::Sha256, ..inputs };
        assert_eq!(response(&sha256), "753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1");
    }

    #[test]
    fn rfc_7616_3_9_2_as_its_erratum_4897_corrects_it() {
        let inputs = Inputs {
            algorithm: Algorithm::Sha512_256,
            username: "J\u{e4}s\u{f8}n Doe",
            realm: "api@example.org",
            password: "Secret, or not?",
            nonce: "5TsQWLVdgBdmrQ0XsxbDODV+57QdFR34I9HAbC/RVvkK",
            cnonce: "NTg6RKcb9boFIAS3KrFK9BGeh+iDa/sm6jUMp2wds69v",
            nc: 1,
            qop: Qop::Auth,
            method: "GET",
            uri: "/doe.json",
            body: b"",
        };
        assert_eq!(response(&inputs), "3798d4131c277846293534c3edc11bd8a5e4cdcbff78b05db9d95eeb1cec68a5");
    }

    /// Computed apart, with Python's hashlib.
    #[test]
    fn body_and_session_key_are_hashed() {
        for (algorithm, expected) in [
            (Algorithm::Md5, "4745715d8e29e148146f6e3dc349316e"),
            (Algorithm::Sha256, "ef0a8ffafa16aebe41299f3deb1f95ba7ec132a0ecb9762d4bdd635ef354bbae"),
            (Algorithm::Md5Sess, "cc0f36c17aa52703d2d23198b308679b"),
            (Algorithm::Sha256Sess, "a2e768b6717e6080351123a9e61d88dd28c327ac2a1fb6122c0de74344884fcf"),
            (Algorithm::Sha512_256Sess, "9cb72b0d883584767a30add419aeea11fdf6df05843bb3fef2d83d76b4d68c1a"),
        ] {
            let inputs = Inputs {
                algorithm,
                username: "bob",
                realm: "biloxi.example.com",
                password: "zanzibar",
                nonce: "dcd98b71",
                cnonce: "0a4f113b",
                nc: 10,
                qop: Qop::AuthInt,
                method: "INVITE",
                uri: "sip:bob@biloxi.example.com",
                body: b"v=0\r\n",
            };
            assert_eq!(response(&inputs), expected, "{algorithm:?}");
        }
    }

    #[test]
    fn algorithms_are_found_in_any_case() {
        for (algorithm, name) in ALGORITHMS {
            assert_eq!(Algorithm::parse(&name.to_lowercase()), Some(algorithm));
            assert_eq!(algorithm.name(), name);
        }
        assert_eq!(Algorithm::parse("SHA-512"), None);
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

    #[test]
    fn the_next_nonce_is_found() {
        assert_eq!(parse_nextnonce(br#"qop=auth, nextnonce="a,b", rspauth="0""#).as_deref(), Some("a,b"));
        assert_eq!(parse_nextnonce(b"qop=auth"), None);
    }
}
