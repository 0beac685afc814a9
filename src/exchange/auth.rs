//! Who asks: digest challenges and their check (RFC 3261 section 22, RFC 8760).

use std::collections::HashMap;
use std::time::{Duration, Instant};

use rand_chacha::ChaCha20Rng;

use crate::sip::digest::{self, Algorithm, Challenge, CredentialsLine};
use crate::sip::{HeaderName, Request, Uri};

use super::answer::Answer;
use super::nonce::{Freshness, Nonces};

/// Where a challenge is put: RFC 3261 sections 22.2 and 22.3.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Role {
    /// 401, WWW-Authenticate, Authorization.
    Registrar,
    /// 407, Proxy-Authenticate, Proxy-Authorization.
    Proxy,
}

impl Role {
    fn credentials(self) -> HeaderName {
        match self {
            Role::Registrar => HeaderName::Authorization,
            Role::Proxy => HeaderName::ProxyAuthorization,
        }
    }
}

/// Knows the users' passwords.
#[derive(Debug)]
pub(crate) struct Authenticator {
    realm: String,
    passwords: HashMap<String, Secret>,
    algorithms: Vec<Algorithm>,
    nonces: Nonces,
}

/// A password that no debug output shows.
struct Secret(String);

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("***")
    }
}

impl Authenticator {
    /// Knows nobody yet. The algorithms are offered in their order (RFC 8760 section 2.4).
    pub fn new(realm: String, algorithms: Vec<Algorithm>, nonce_lifetime: Duration) -> Authenticator {
        Authenticator { realm, passwords: HashMap::new(), algorithms, nonces: Nonces::new(nonce_lifetime) }
    }

    /// Adds a user.
    pub fn add(&mut self, user: &str, password: &str) {
        self.passwords.insert(user.to_owned(), Secret(password.to_owned()));
    }

    /// Whether there is such a user.
    pub fn knows(&self, user: &str) -> bool {
        self.passwords.contains_key(user)
    }

    /// The user who sent the request, or the challenge to answer with. An unknown user and a wrong password look the same.
    pub fn check(
        &mut self,
        now: Instant,
        random: &mut ChaCha20Rng,
        role: Role,
        request: &Request,
    ) -> Result<String, Answer> {
        let mut stale = false;
        for line in self.lines(role, request) {
            let Some(password) = self.passwords.get(&line.username) else { continue };
            let offered = line.algorithm().is_some_and(|algorithm| self.algorithms.contains(&algorithm));
            let same_uri = Uri::parse(line.uri.clone().into()).is_ok_and(|uri| uri.equivalent(&request.uri));
            let method = request.method.to_string();
            if !offered || !same_uri || !digest::verify(&line, &password.0, &method, request.body()) {
                continue;
            }
            match self.nonces.freshness(now, &line.nonce, line.nc) {
                Freshness::Fresh => {
                    self.nonces.spend(&line.nonce, line.nc);
                    return Ok(line.username);
                }
                Freshness::Stale => stale = true,
            }
        }
        Err(self.challenge(now, random, role, stale))
    }

    /// Takes the credentials for this realm off a request that goes on (RFC 3261 section 22.3).
    pub fn strip(&self, request: &mut Request) {
        let realm = &self.realm;
        request.headers.retain(|header| {
            *header.name() != HeaderName::ProxyAuthorization
                || CredentialsLine::parse(&header.value()).map_or(true, |line| line.realm != *realm)
        });
    }

    fn lines(&self, role: Role, request: &Request) -> Vec<CredentialsLine> {
        request
            .headers
            .get_all(&role.credentials())
            .filter_map(|header| CredentialsLine::parse(&header.value()).ok())
            .filter(|line| line.realm == self.realm)
            .collect()
    }

    fn challenge(&mut self, now: Instant, random: &mut ChaCha20Rng, role: Role, stale: bool) -> Answer {
        let (mut answer, name) = match role {
            Role::Registrar => (Answer::new(401, "Unauthorized"), HeaderName::WwwAuthenticate),
            Role::Proxy => (Answer::new(407, "Proxy Authentication Required"), HeaderName::ProxyAuthenticate),
        };
        let nonce = self.nonces.give(now, random);
        for algorithm in &self.algorithms {
            let mut challenge = Challenge::new(self.realm.clone(), nonce.clone(), *algorithm);
            challenge.stale = stale;
            answer = answer.with(name.clone(), challenge.to_string());
        }
        answer
    }
}
