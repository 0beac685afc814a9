//! Protection spaces: the challenges of one response by pair of header fields and realm, and the one that is answered.

use bytes::Bytes;

use crate::sip::digest::{self, Algorithm, Challenge, Qop};
use crate::sip::{HeaderName, Response};

use super::AuthError;

/// Protection spaces that one response may challenge, and that one request may answer in all.
pub const MAX_SPACES: usize = 8;

/// Which pair of header fields.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Side {
    /// WWW-Authenticate and Authorization.
    Server,
    /// Proxy-Authenticate and Proxy-Authorization.
    Proxy,
}

impl Side {
    pub const BOTH: [Side; 2] = [Side::Server, Side::Proxy];

    pub fn challenge(self) -> HeaderName {
        match self {
            Side::Server => HeaderName::WwwAuthenticate,
            Side::Proxy => HeaderName::ProxyAuthenticate,
        }
    }

    pub fn credentials(self) -> HeaderName {
        match self {
            Side::Server => HeaderName::Authorization,
            Side::Proxy => HeaderName::ProxyAuthorization,
        }
    }

    /// RFC 7615 names the proxy's.
    pub fn info(self) -> HeaderName {
        match self {
            Side::Server => HeaderName::AuthenticationInfo,
            Side::Proxy => HeaderName::Other(Bytes::from_static(b"Proxy-Authentication-Info")),
        }
    }
}

/// One realm's challenges in one response, in their order: the server's preference (RFC 8760 section 2.4).
pub struct Space {
    pub side: Side,
    pub realm: String,
    pub challenges: Vec<Challenge>,
}

impl Space {
    /// The topmost challenge that we can answer.
    pub fn choose(&self) -> Result<(&Challenge, Algorithm, Qop), AuthError> {
        let choice = self.challenges.iter().find_map(|c| Some((c, c.algorithm()?, c.choose_qop()?)));
        choice.ok_or_else(|| AuthError::Unsupported {
            realm: self.realm.clone(),
            asked: self.challenges.iter().map(asked).collect::<Vec<_>>().join("; "),
        })
    }
}

/// The challenges of both header fields, by side and realm.
pub fn spaces(response: &Response) -> Result<Vec<Space>, AuthError> {
    let mut spaces: Vec<Space> = Vec::new();
    let mut unknown_scheme = false;
    for side in Side::BOTH {
        for row in response.headers.get_all(&side.challenge()) {
            for challenge in Challenge::parse_row(&row.value()).unwrap_or_default() {
                match challenge {
                    Ok(challenge) => add_challenge(&mut spaces, side, challenge),
                    Err(digest::DigestError::Scheme) => unknown_scheme = true,
                    Err(error) => tracing::debug!(%error, "challenge skipped"),
                }
            }
        }
    }
    if spaces.is_empty() && unknown_scheme {
        return Err(AuthError::Unsupported { realm: String::new(), asked: "not Digest".to_owned() });
    }
    Ok(spaces)
}

fn add_challenge(spaces: &mut Vec<Space>, side: Side, challenge: Challenge) {
    let full = spaces.len() >= MAX_SPACES;
    match spaces.iter_mut().find(|space| space.side == side && space.realm == challenge.realm) {
        Some(space) => space.challenges.push(challenge),
        None if full => {}
        None => spaces.push(Space { side, realm: challenge.realm.clone(), challenges: vec![challenge] }),
    }
}

fn asked(challenge: &Challenge) -> String {
    let algorithm = challenge.algorithm.as_deref().unwrap_or("MD5");
    if challenge.qop.is_empty() { algorithm.to_owned() } else { format!("{algorithm} {}", challenge.qop.join(",")) }
}
