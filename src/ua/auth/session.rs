//! The nonce that a protection space gave us last, and the credentials that it makes for one request after the other.

use rand_core::RngCore;

use crate::sip::digest::{self, Algorithm, Challenge, CredentialsLine, Inputs, Qop};
use crate::sip::{Header, HeaderName, Request};

use super::super::config::Credentials;
use super::AuthError;
use super::space::Side;

/// The nonce that one protection space gave us last.
pub struct Session {
    pub side: Side,
    pub challenge: Challenge,
    pub algorithm: Algorithm,
    pub qop: Qop,
    pub cnonce: String,
    pub nc: u32,
    /// A REGISTER was challenged here.
    pub registers: bool,
    /// Another request was challenged here.
    pub requests: bool,
}

impl Session {
    /// The next credentials of this session.
    pub fn line(&mut self, rng: &mut impl RngCore, credentials: &Credentials, request: &Request) -> CredentialsLine {
        // RFC 7616 section 3.4.2: a session key holds the first cnonce, so it stays as long as the nonce does.
        if self.cnonce.is_empty() || !self.algorithm.is_session() {
            self.cnonce = random_hex(rng);
        }
        self.nc = self.nc.saturating_add(1);
        let uri = String::from_utf8_lossy(&request.uri.to_bytes()).into_owned();
        let method = String::from_utf8_lossy(request.method.as_bytes());
        let response = digest::response(&Inputs {
            algorithm: self.algorithm,
            username: &credentials.user,
            realm: &self.challenge.realm,
            password: &credentials.password,
            nonce: &self.challenge.nonce,
            cnonce: &self.cnonce,
            nc: self.nc,
            qop: self.qop,
            method: &method,
            uri: &uri,
            body: request.body(),
        });
        let counted = match self.qop {
            Qop::None => false,
            Qop::Auth | Qop::AuthInt => true,
        };
        CredentialsLine {
            username: credentials.user.clone(),
            realm: self.challenge.realm.clone(),
            nonce: self.challenge.nonce.clone(),
            uri,
            response,
            algorithm: self.challenge.algorithm.clone(),
            cnonce: (counted || self.algorithm.is_session()).then(|| self.cnonce.clone()),
            nc: counted.then_some(self.nc),
            qop: self.qop,
            opaque: self.challenge.opaque.clone(),
        }
    }
}

/// Credentials, ready to stand on a request.
pub struct Answer {
    pub name: HeaderName,
    pub realm: String,
    pub header: Header,
}

impl Answer {
    pub fn new(side: Side, line: &CredentialsLine) -> Result<Self, AuthError> {
        let name = side.credentials();
        let header = Header::build(name.clone(), line.to_string()).map_err(|_| AuthError::Malformed)?;
        Ok(Answer { name, realm: line.realm.clone(), header })
    }

    /// In place of those for the same realm.
    pub fn put(self, request: &mut Request) {
        let same_realm = |row: &Header| {
            CredentialsLine::parse(&row.value()).is_ok_and(|credentials| credentials.realm == self.realm)
        };
        request.headers.retain(|row| row.name() != &self.name || !same_realm(row));
        request.headers.push(self.header);
    }
}

/// 128 random bits.
pub fn random_hex(rng: &mut impl RngCore) -> String {
    format!("{:016x}{:016x}", rng.next_u64(), rng.next_u64())
}
