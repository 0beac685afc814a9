//! Answers digest challenges with one account's credentials (RFC 3261 section 22, RFC 8760).
//!
//! The caller decides by which way a request went ([`Challenger`]) and keeps an [`Attempt`] for it; this decides whether
//! the realm may be answered, with which algorithm, and when to stop. The nonces that worked are kept, so that the next
//! request brings its credentials along.
//!
//! | file | what |
//! |---|---|
//! | `space.rs` | the challenges of a response, by realm; the one that is answered |
//! | `session.rs` | a nonce, and the credentials that it makes |
//! | `attempt.rs` | what one request has answered so far |

mod attempt;
mod session;
mod space;

use rand_core::RngCore;

use crate::sip::digest::{self, CredentialsLine};
use crate::sip::{Method, Request, Response, Uri};

use super::config::{Account, Credentials};

use session::{Answer, Session};
use space::{Side, Space, spaces};

pub use attempt::Attempt;
pub(super) use session::random_hex;

/// Protection spaces that are remembered for one account; the oldest makes room.
const MAX_SESSIONS: usize = 8;

/// Who can have made a challenge: the caller knows by which way the request went.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Challenger {
    /// The request is a REGISTER to the account's registrar. Its first realm becomes the account's.
    Registrar,
    /// The request went through the account's registrar or proxies.
    Proxy,
    /// The request went straight to a peer (a BYE or re-INVITE above all). Never answered: whoever gets a response to a
    /// challenge of his own can search for the password at leisure.
    Peer,
}

/// Why a challenge is not answered. The request has not been changed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AuthError {
    /// It can have come from the peer itself.
    #[error("a challenge from the peer is never answered")]
    Untrusted,
    /// No credentials for any realm asked.
    #[error("there are no credentials for the realm \"{realm}\"")]
    NoCredentials {
        /// The first such realm.
        realm: String,
    },
    /// The credentials were refused: asked again for the same realm, and not for the nonce's age.
    #[error("the user name or the password for \"{realm}\" is wrong")]
    Refused {
        /// The realm.
        realm: String,
    },
    /// Only algorithms or qop values that this phone does not know.
    #[error("\"{realm}\" asks for an authentication that this phone does not know ({asked})")]
    Unsupported {
        /// The realm.
        realm: String,
        /// The algorithms and qop values asked for.
        asked: String,
    },
    /// No challenge, or none that can be read, or an endless number of them.
    #[error("the challenge can't be read")]
    Malformed,
}

/// Answers challenges for one account.
pub struct Authenticator {
    own: Option<Credentials>,
    listed: Vec<(String, Credentials)>,
    /// Realms that are the account's whatever it has learnt: the hosts of its address and of its registrar.
    hosts: Vec<String>,
    /// The account registers by itself, so that its realm is learnt there and nowhere else.
    registers: bool,
    /// The realm learnt, one a side: a registrar and the proxy in front of it may differ.
    learnt: Vec<(Side, String)>,
    sessions: Vec<Session>,
}

impl std::fmt::Debug for Authenticator {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Authenticator").field("learnt", &self.learnt).finish_non_exhaustive()
    }
}

impl Authenticator {
    /// An authenticator that knows the account's credentials and no realm but the listed ones.
    pub fn new(account: &Account) -> Self {
        Authenticator {
            own: account.credentials.clone(),
            listed: account.realms.clone(),
            hosts: [&account.uri, &account.registrar].into_iter().filter_map(host_of).collect(),
            registers: account.register,
            learnt: Vec::new(),
            sessions: Vec::new(),
        }
    }

    /// Adds credentials to `request` for every challenge of `response`, a 401 or 407 to it.
    ///
    /// Of several challenges for one realm the topmost that is known is answered (RFC 8760 section 2.4); of different
    /// realms all for which there are credentials. Credentials of other realms on the request stay, so that a second
    /// proxy's challenge adds to the first's. CSeq and branch are the caller's to renew.
    ///
    /// # Errors
    /// [`AuthError`]: nothing can be answered, or the answer has been refused. The request is unchanged then.
    pub fn answer(
        &mut self,
        rng: &mut impl RngCore,
        challenger: Challenger,
        attempt: &mut Attempt,
        request: &mut Request,
        response: &Response,
    ) -> Result<(), AuthError> {
        if challenger == Challenger::Peer {
            return Err(AuthError::Untrusted);
        }
        let mut answers = Vec::new();
        let mut first_error = None;
        for space in spaces(response)? {
            let answer = self.answer_space(rng, challenger, attempt, request, &space);
            match answer.and_then(|line| Answer::new(space.side, &line)) {
                Ok(answer) => answers.push(answer),
                Err(refused @ AuthError::Refused { .. }) => return Err(refused),
                Err(error) => {
                    first_error.get_or_insert(error);
                }
            }
        }
        if answers.is_empty() {
            return Err(first_error.unwrap_or(AuthError::Malformed));
        }
        let answered: Vec<String> = answers.iter().map(|answer| answer.realm.clone()).collect();
        self.count_on(rng, request, &answered);
        for answer in answers {
            answer.put(request);
        }
        Ok(())
    }

    /// Credentials of other realms that stay on a request that is sent once more: each count serves once (RFC 7616 section
    /// 3.4), and a proxy that has seen it would ask again.
    fn count_on(&mut self, rng: &mut impl RngCore, request: &mut Request, answered: &[String]) {
        let mut sessions = std::mem::take(&mut self.sessions);
        for session in sessions.iter_mut().filter(|session| !answered.contains(&session.challenge.realm)) {
            let stands = request.headers.get_all(&session.side.credentials()).any(|row| {
                CredentialsLine::parse(&row.value()).is_ok_and(|line| line.realm == session.challenge.realm)
            });
            if let (true, Some(credentials)) = (stands, self.credentials(&session.challenge.realm)) {
                let line = session.line(rng, credentials, request);
                if let Ok(answer) = Answer::new(session.side, &line) {
                    answer.put(request);
                }
            }
        }
        self.sessions = sessions;
    }

    fn answer_space(
        &mut self,
        rng: &mut impl RngCore,
        challenger: Challenger,
        attempt: &mut Attempt,
        request: &Request,
        space: &Space,
    ) -> Result<CredentialsLine, AuthError> {
        let (challenge, algorithm, qop) = space.choose()?;
        self.learn(challenger, space);
        let Some(credentials) = self.credentials(&space.realm).cloned() else {
            return Err(AuthError::NoCredentials { realm: space.realm.clone() });
        };
        let known = self.take_session(space.side, &space.realm);
        attempt.count(space, challenge.stale)?;
        let register = request.method == Method::Register;
        let known = known.as_ref();
        // A server that repeats its nonce expects the count to go on.
        let same = known.filter(|session| session.challenge.nonce == challenge.nonce);
        let mut session = Session {
            side: space.side,
            challenge: challenge.clone(),
            algorithm,
            qop,
            cnonce: same.map(|session| session.cnonce.clone()).unwrap_or_default(),
            nc: same.map_or(0, |session| session.nc),
            registers: register || known.is_some_and(|session| session.registers),
            requests: !register || known.is_some_and(|session| session.requests),
        };
        let line = session.line(rng, &credentials, request);
        if self.sessions.len() >= MAX_SESSIONS {
            self.sessions.remove(0);
        }
        self.sessions.push(session);
        Ok(line)
    }

    /// Adds the credentials that will probably be asked for, so that the request needs no second round: those of the
    /// spaces that challenged this kind of request before (REGISTER, or any other). Only for requests that go through
    /// the account's registrar or proxies. Credentials that are on the request already are replaced.
    pub fn preauthorize(&mut self, rng: &mut impl RngCore, request: &mut Request) {
        let register = request.method == Method::Register;
        let mut sessions = std::mem::take(&mut self.sessions);
        for session in &mut sessions {
            let wanted = if register { session.registers } else { session.requests };
            if let (true, Some(credentials)) = (wanted, self.credentials(&session.challenge.realm)) {
                let line = session.line(rng, credentials, request);
                // One that can't be written is not sent; the server will ask.
                if let Ok(answer) = Answer::new(session.side, &line) {
                    answer.put(request);
                }
            }
        }
        self.sessions = sessions;
    }

    /// Takes the next nonce from a success's Authentication-Info (RFC 7616 section 3.5). `request` is the one that it
    /// answers: the header field names no realm, the request's credentials do.
    pub fn note_success(&mut self, request: &Request, response: &Response) {
        for side in Side::BOTH {
            let next = response.headers.value(&side.info()).and_then(|value| digest::parse_nextnonce(&value));
            let Some(next) = next.filter(|nonce| !nonce.is_empty()) else {
                continue;
            };
            let name = side.credentials();
            let mut lines = request.headers.get_all(&name).filter_map(|row| CredentialsLine::parse(&row.value()).ok());
            let (Some(line), None) = (lines.next(), lines.next()) else {
                continue;
            };
            let session = self.sessions.iter_mut().find(|s| s.side == side && s.challenge.realm == line.realm);
            // A session key stays bound to the nonce that began it.
            if let Some(session) = session.filter(|s| !s.algorithm.is_session() && s.challenge.nonce != next) {
                session.challenge.nonce = next;
                session.nc = 0;
            }
        }
    }

    /// Forgets what was learnt about nonces. The realm stays.
    pub fn forget_nonces(&mut self) {
        self.sessions.clear();
    }

    /// The first realm that the registrar asks for becomes the account's. An account that does not register learns it
    /// from its proxy.
    fn learn(&mut self, challenger: Challenger, space: &Space) {
        let may = match challenger {
            Challenger::Registrar => true,
            Challenger::Proxy => !self.registers,
            Challenger::Peer => false,
        };
        let listed = self.listed.iter().any(|(listed, _)| listed.eq_ignore_ascii_case(&space.realm));
        let settled = self.learnt.iter().any(|(side, _)| *side == space.side);
        if may && !listed && !settled && self.own.is_some() {
            tracing::debug!(realm = ?space.realm, "realm learnt");
            self.learnt.push((space.side, space.realm.clone()));
        }
    }

    /// The credentials for a realm: a listed one's before the account's own.
    fn credentials(&self, realm: &str) -> Option<&Credentials> {
        let listed = self.listed.iter().find(|(listed, _)| listed.eq_ignore_ascii_case(realm));
        if let Some((_, credentials)) = listed {
            return Some(credentials);
        }
        let mut own = self.learnt.iter().map(|(_, learnt)| learnt).chain(&self.hosts);
        own.any(|own| own.eq_ignore_ascii_case(realm)).then_some(self.own.as_ref()).flatten()
    }

    fn take_session(&mut self, side: Side, realm: &str) -> Option<Session> {
        let index = self.sessions.iter().position(|s| s.side == side && s.challenge.realm == realm)?;
        Some(self.sessions.remove(index))
    }
}

fn host_of(uri: &Uri) -> Option<String> {
    uri.host().map(ToString::to_string)
}

#[cfg(test)]
mod tests;
