//! Digest access authentication, both sides (RFC 3261 section 22.4, RFC 2617, RFC 7616, RFC 8760).
//!
//! [`Challenge`] is what a server asks, [`CredentialsLine`] what a client answers, [`response`] the hash that proves the
//! password, and [`verify`] the server's check. Nonces, their age and their counts are the business of whoever calls.
//!
//! | file | what |
//! |---|---|
//! | `challenge.rs` | what a server asks, read and written |
//! | `credentials.rs` | what a client answers, read and written |
//! | `row.rs` | how rows of these header fields are cut |

mod challenge;
mod credentials;
mod row;

use std::fmt::Write as _;

use md5::Md5;
use sha2::digest::Digest;
use sha2::{Sha256, Sha512_256};

pub use challenge::Challenge;
pub use credentials::CredentialsLine;
pub use row::parse_nextnonce;

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
}
