//! Answers digest challenges with one account's credentials (RFC 3261 section 22, RFC 8760).
//!
//! The caller decides by which way a request went ([`Challenger`]) and keeps an [`Attempt`] for it; this decides whether
//! the realm may be answered, with which algorithm, and when to stop. The nonces that worked are kept, so that the next
//! request brings its credentials along.

use bytes::Bytes;
use rand_core::RngCore;

use crate::sip::digest::{self, Algorithm, Challenge, CredentialsLine, Inputs, Qop};
use crate::sip::{Header, HeaderName, Method, Request, Response, Uri};

use super::config::{Account, Credentials};

/// Protection spaces that are remembered for one account; the oldest makes room.
const MAX_SESSIONS: usize = 8;
/// Protection spaces that one response may challenge, and that one request may answer in all.
const MAX_SPACES: usize = 8;
/// How often one request may be told that its nonce is too old: a server that never has a fresh one must not keep us.
const MAX_STALE: u8 = 2;

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

/// What one request has answered so far. Held by the caller from the request's first sending to its final outcome,
/// through every repetition with credentials.
#[derive(Debug, Clone, Default)]
pub struct Attempt {
    answered: Vec<Answered>,
}

#[derive(Debug, Clone)]
struct Answered {
    side: Side,
    realm: String,
    stale: u8,
}

impl Attempt {
    /// Counts an answer to this space.
    fn count(&mut self, space: &Space, stale: bool) -> Result<(), AuthError> {
        let full = self.answered.len() >= MAX_SPACES;
        match self.answered.iter_mut().find(|a| a.side == space.side && a.realm == space.realm) {
            Some(answered) if stale && answered.stale < MAX_STALE => answered.stale += 1,
            Some(_) => return Err(AuthError::Refused { realm: space.realm.clone() }),
            None if full => return Err(AuthError::Malformed),
            None => self.answered.push(Answered { side: space.side, realm: space.realm.clone(), stale: 0 }),
        }
        Ok(())
    }
}

/// Which pair of header fields.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Side {
    /// WWW-Authenticate and Authorization.
    Server,
    /// Proxy-Authenticate and Proxy-Authorization.
    Proxy,
}

impl Side {
    const BOTH: [Side; 2] = [Side::Server, Side::Proxy];

    fn challenge(self) -> HeaderName {
        match self {
            Side::Server => HeaderName::WwwAuthenticate,
            Side::Proxy => HeaderName::ProxyAuthenticate,
        }
    }

    fn credentials(self) -> HeaderName {
        match self {
            Side::Server => HeaderName::Authorization,
            Side::Proxy => HeaderName::ProxyAuthorization,
        }
    }

    /// RFC 7615 names the proxy's.
    fn info(self) -> HeaderName {
        match self {
            Side::Server => HeaderName::AuthenticationInfo,
            Side::Proxy => HeaderName::Other(Bytes::from_static(b"Proxy-Authentication-Info")),
        }
    }
}

/// One realm's challenges in one response, in their order: the server's preference (RFC 8760 section 2.4).
struct Space {
    side: Side,
    realm: String,
    challenges: Vec<Challenge>,
}

impl Space {
    /// The topmost challenge that we can answer.
    fn choose(&self) -> Result<(&Challenge, Algorithm, Qop), AuthError> {
        let choice = self.challenges.iter().find_map(|c| Some((c, c.algorithm()?, c.choose_qop()?)));
        choice.ok_or_else(|| AuthError::Unsupported {
            realm: self.realm.clone(),
            asked: self.challenges.iter().map(asked).collect::<Vec<_>>().join("; "),
        })
    }
}

fn asked(challenge: &Challenge) -> String {
    let algorithm = challenge.algorithm.as_deref().unwrap_or("MD5");
    if challenge.qop.is_empty() { algorithm.to_owned() } else { format!("{algorithm} {}", challenge.qop.join(",")) }
}

/// The nonce that one protection space gave us last.
struct Session {
    side: Side,
    challenge: Challenge,
    algorithm: Algorithm,
    qop: Qop,
    cnonce: String,
    nc: u32,
    /// A REGISTER was challenged here.
    registers: bool,
    /// Another request was challenged here.
    requests: bool,
}

impl Session {
    /// The next credentials of this session.
    fn line(&mut self, rng: &mut impl RngCore, credentials: &Credentials, request: &Request) -> CredentialsLine {
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

/// The challenges of both header fields, by side and realm.
fn spaces(response: &Response) -> Result<Vec<Space>, AuthError> {
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

/// Credentials, ready to stand on a request.
struct Answer {
    name: HeaderName,
    realm: String,
    header: Header,
}

impl Answer {
    fn new(side: Side, line: &CredentialsLine) -> Result<Self, AuthError> {
        let name = side.credentials();
        let header = Header::build(name.clone(), line.to_string()).map_err(|_| AuthError::Malformed)?;
        Ok(Answer { name, realm: line.realm.clone(), header })
    }

    /// In place of those for the same realm.
    fn put(self, request: &mut Request) {
        let same_realm = |row: &Header| {
            CredentialsLine::parse(&row.value()).is_ok_and(|credentials| credentials.realm == self.realm)
        };
        request.headers.retain(|row| row.name() != &self.name || !same_realm(row));
        request.headers.push(self.header);
    }
}

fn host_of(uri: &Uri) -> Option<String> {
    uri.host().map(ToString::to_string)
}

/// 128 random bits.
pub(super) fn random_hex(rng: &mut impl RngCore) -> String {
    format!("{:016x}{:016x}", rng.next_u64(), rng.next_u64())
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use rand_chacha::ChaCha12Rng;
    use rand_core::SeedableRng;

    use super::*;
    use crate::sip::{RequestBuilder, ResponseBuilder, StatusCode};

    const BODY: &str = "v=0\r\n";

    fn uri(text: &'static str) -> Uri {
        Uri::parse(Bytes::from_static(text.as_bytes())).unwrap()
    }

    fn secret(user: &str, password: &str) -> Credentials {
        Credentials { user: user.to_owned(), password: password.to_owned() }
    }

    fn account() -> Account {
        Account {
            name: "work".to_owned(),
            uri: uri("sip:bob@biloxi.example.com"),
            display_name: None,
            registrar: uri("sip:ss2.biloxi.example.com"),
            route: Vec::new(),
            fallbacks: Vec::new(),
            expires: Duration::from_secs(3600),
            register: true,
            srtp: Default::default(),
            srtp_keying: Default::default(),
            credentials: Some(secret("bob", "zanzibar")),
            realms: vec![("chicago.example.com".to_owned(), secret("robert", "windy"))],
            rewrite_contact: true,
            gruu: true,
            instance: None,
            events: Default::default(),
        }
    }

    fn request(method: Method) -> Request {
        RequestBuilder::new(method, uri("sip:ss2.biloxi.example.com")).body(BODY).build()
    }

    fn response(code: u16, rows: &[(HeaderName, &str)]) -> Response {
        rows.iter()
            .fold(ResponseBuilder::new(StatusCode::new(code).unwrap(), "x").unwrap(), |builder, (name, value)| {
                builder.header(name.clone(), value.to_string()).unwrap()
            })
            .build()
    }

    fn www(value: &str) -> Response {
        response(401, &[(HeaderName::WwwAuthenticate, value)])
    }

    fn proxy(value: &str) -> Response {
        response(407, &[(HeaderName::ProxyAuthenticate, value)])
    }

    fn lines(request: &Request, name: HeaderName) -> Vec<CredentialsLine> {
        request.headers.get_all(&name).map(|row| CredentialsLine::parse(&row.value()).unwrap()).collect()
    }

    /// One phone: its authenticator, and the request under way.
    struct Phone {
        rng: ChaCha12Rng,
        auth: Authenticator,
        attempt: Attempt,
        request: Request,
    }

    impl Phone {
        fn new(account: &Account, method: Method) -> Self {
            let rng = ChaCha12Rng::seed_from_u64(1);
            Phone { rng, auth: Authenticator::new(account), attempt: Attempt::default(), request: request(method) }
        }

        fn next(&mut self, method: Method) {
            self.attempt = Attempt::default();
            self.request = request(method);
            self.auth.preauthorize(&mut self.rng, &mut self.request);
        }

        fn answer(&mut self, challenger: Challenger, response: &Response) -> Result<(), AuthError> {
            self.auth.answer(&mut self.rng, challenger, &mut self.attempt, &mut self.request, response)
        }

        fn authorization(&self) -> CredentialsLine {
            let mut all = lines(&self.request, HeaderName::Authorization);
            assert_eq!(all.len(), 1);
            all.remove(0)
        }

        fn proves(&self, password: &str) -> bool {
            let method = String::from_utf8_lossy(self.request.method.as_bytes()).into_owned();
            digest::verify(&self.authorization(), password, &method, BODY.as_bytes())
        }
    }

    #[test]
    fn every_algorithm_and_qop_is_answered() {
        for algorithm in ["MD5", "MD5-sess", "SHA-256", "SHA-256-sess", "SHA-512-256", "SHA-512-256-sess"] {
            for (offered, taken) in [
                ("", Qop::None),
                (r#", qop="auth""#, Qop::Auth),
                (r#", qop="auth-int,auth""#, Qop::Auth),
                (r#", qop="auth-int""#, Qop::AuthInt),
                (r#", qop="token,auth""#, Qop::Auth),
            ] {
                let mut phone = Phone::new(&account(), Method::Register);
                let challenge = www(&format!(r#"digest realm="a b", nonce="n", algorithm={algorithm}{offered}"#));
                phone.answer(Challenger::Registrar, &challenge).unwrap();
                assert!(phone.proves("zanzibar"), "{algorithm} {offered}");
                assert!(!phone.proves("wrong"));
                assert_eq!(phone.authorization().qop, taken);
            }
        }
    }

    #[test]
    fn the_topmost_known_algorithm_of_a_realm_is_answered() {
        let row = r#"Digest realm="r", nonce="1", algorithm=SHA3-1, qop="auth", Digest realm="r", nonce="2",
            algorithm=SHA-256, qop="auth", Digest realm="r", nonce="3", algorithm=MD5, qop="auth""#;
        let mut phone = Phone::new(&account(), Method::Register);
        phone.answer(Challenger::Registrar, &www(&row.replace('\n', ""))).unwrap();
        assert_eq!(phone.authorization().nonce, "2");
        assert!(phone.proves("zanzibar"));
    }

    #[test]
    fn several_realms_are_all_answered_and_a_second_proxy_adds_to_the_first() {
        let mut phone = Phone::new(&account(), Method::Invite);
        phone.answer(Challenger::Proxy, &proxy(r#"Digest realm="biloxi.example.com", nonce="1""#)).unwrap();
        phone.answer(Challenger::Proxy, &proxy(r#"Digest realm="chicago.example.com", nonce="2""#)).unwrap();
        let all = lines(&phone.request, HeaderName::ProxyAuthorization);
        assert_eq!(all.iter().map(|l| l.username.as_str()).collect::<Vec<_>>(), ["bob", "robert"]);
        assert!(digest::verify(&all[1], "windy", "INVITE", BODY.as_bytes()));

        let mut phone = Phone::new(&account(), Method::Invite);
        let both = r#"Digest realm="biloxi.example.com", nonce="1", Digest realm="chicago.example.com", nonce="2""#;
        phone.answer(Challenger::Proxy, &proxy(both)).unwrap();
        assert_eq!(lines(&phone.request, HeaderName::ProxyAuthorization).len(), 2);
    }

    #[test]
    fn a_wrong_password_ends_after_one_try() {
        let mut phone = Phone::new(&account(), Method::Register);
        phone.answer(Challenger::Registrar, &www(r#"Digest realm="r", nonce="1""#)).unwrap();
        let refused = phone.answer(Challenger::Registrar, &www(r#"Digest realm="r", nonce="2", stale="FALSE""#));
        assert_eq!(refused, Err(AuthError::Refused { realm: "r".to_owned() }));
        // Nor is it sent along with the next request.
        phone.next(Method::Register);
        assert_eq!(phone.request.headers.count(&HeaderName::Authorization), 0);
    }

    #[test]
    fn a_stale_nonce_is_no_failure_but_no_endless_one_either() {
        let mut phone = Phone::new(&account(), Method::Register);
        phone.answer(Challenger::Registrar, &www(r#"Digest realm="r", nonce="1", qop="auth""#)).unwrap();
        for nonce in ["2", "3"] {
            let stale = www(&format!(r#"Digest realm="r", nonce="{nonce}", qop="auth", stale="TRUE""#));
            phone.answer(Challenger::Registrar, &stale).unwrap();
            assert_eq!((phone.authorization().nonce.as_str(), phone.authorization().nc), (nonce, Some(1)));
        }
        let stale = www(r#"Digest realm="r", nonce="4", stale=true"#);
        assert!(phone.answer(Challenger::Registrar, &stale).is_err());
    }

    #[test]
    fn a_nonce_is_used_again_with_a_rising_count() {
        for algorithm in ["MD5", "SHA-256-sess"] {
            let mut phone = Phone::new(&account(), Method::Register);
            let challenge = format!(r#"Digest realm="r", nonce="1", qop="auth", opaque="o", algorithm={algorithm}"#);
            phone.answer(Challenger::Registrar, &www(&challenge)).unwrap();
            for count in 2..12 {
                phone.next(Method::Register);
                assert_eq!(phone.authorization().nc, Some(count));
                assert!(phone.proves("zanzibar"));
            }
            assert!(phone.authorization().to_string().contains("nc=0000000b"));
            // What only REGISTER was asked for is not shown to others.
            phone.next(Method::Invite);
            assert_eq!(phone.request.headers.count(&HeaderName::Authorization), 0);
            // The same nonce again: the count goes on.
            phone.answer(Challenger::Proxy, &www(&challenge)).unwrap();
            assert_eq!(phone.authorization().nc, Some(12));
        }
    }

    #[test]
    fn a_challenge_to_a_reused_nonce_is_a_first_one() {
        let mut phone = Phone::new(&account(), Method::Register);
        phone.answer(Challenger::Registrar, &www(r#"Digest realm="r", nonce="1""#)).unwrap();
        phone.next(Method::Register);
        assert_eq!(phone.authorization().nonce, "1");
        // A server with one-time nonces that says nothing of stale.
        phone.answer(Challenger::Registrar, &www(r#"Digest realm="r", nonce="2""#)).unwrap();
        assert_eq!(phone.authorization().nonce, "2");
    }

    #[test]
    fn the_next_nonce_is_taken() {
        let mut phone = Phone::new(&account(), Method::Register);
        phone.answer(Challenger::Registrar, &www(r#"Digest realm="r", nonce="1", qop="auth""#)).unwrap();
        let ok = response(200, &[(HeaderName::AuthenticationInfo, r#"nextnonce="2", qop=auth"#)]);
        let sent = phone.request.clone();
        phone.auth.note_success(&sent, &ok);
        phone.next(Method::Register);
        assert_eq!((phone.authorization().nonce.as_str(), phone.authorization().nc), ("2", Some(1)));
        assert!(phone.proves("zanzibar"));
    }

    #[test]
    fn only_the_accounts_realms_are_answered() {
        let stranger = proxy(r#"Digest realm="evil.example", nonce="1""#);
        let mut phone = Phone::new(&account(), Method::Invite);
        let none = Err(AuthError::NoCredentials { realm: "evil.example".to_owned() });
        assert_eq!(phone.answer(Challenger::Proxy, &stranger), none);
        assert_eq!(phone.request.headers.count(&HeaderName::ProxyAuthorization), 0);

        // Learnt at REGISTER, and good for INVITE from then on; a second realm is not learnt.
        let mut phone = Phone::new(&account(), Method::Register);
        phone.answer(Challenger::Registrar, &www(r#"Digest realm="asterisk", nonce="1""#)).unwrap();
        assert!(phone.answer(Challenger::Registrar, &www(r#"Digest realm="evil.example", nonce="1""#)).is_err());
        phone.next(Method::Invite);
        phone.answer(Challenger::Proxy, &proxy(r#"Digest realm="asterisk", nonce="2""#)).unwrap();
        assert_eq!(phone.answer(Challenger::Proxy, &stranger), none);

        // An account that does not register learns from its proxy.
        let mut phone = Phone::new(&Account { register: false, ..account() }, Method::Invite);
        phone.answer(Challenger::Proxy, &proxy(r#"Digest realm="asterisk", nonce="2""#)).unwrap();
        assert_eq!(phone.answer(Challenger::Proxy, &stranger), none);
    }

    #[test]
    fn a_peer_is_never_answered() {
        let mut phone = Phone::new(&account(), Method::Bye);
        let challenge = www(r#"Digest realm="biloxi.example.com", nonce="1""#);
        assert_eq!(phone.answer(Challenger::Peer, &challenge), Err(AuthError::Untrusted));
        assert_eq!(phone.request.headers.count(&HeaderName::Authorization), 0);
    }

    #[test]
    fn what_cannot_be_answered_says_why() {
        let answer = |response| Phone::new(&account(), Method::Register).answer(Challenger::Registrar, &response);
        assert_eq!(
            answer(www(r#"Digest realm="r", nonce="1", algorithm=SHA3-1, qop="auth""#)),
            Err(AuthError::Unsupported { realm: "r".to_owned(), asked: "SHA3-1 auth".to_owned() })
        );
        assert!(matches!(answer(www(r#"Basic realm="r""#)), Err(AuthError::Unsupported { .. })));
        assert_eq!(answer(www(r#"Digest realm="r"#)), Err(AuthError::Malformed));
        assert_eq!(answer(www(r#"Digest realm="r""#)), Err(AuthError::Malformed));
        assert_eq!(answer(response(401, &[])), Err(AuthError::Malformed));
        let mut phone = Phone::new(&Account { credentials: None, ..account() }, Method::Register);
        let challenge = www(r#"Digest realm="r", nonce="1""#);
        assert!(matches!(phone.answer(Challenger::Registrar, &challenge), Err(AuthError::NoCredentials { .. })));
    }

    #[test]
    fn what_is_remembered_is_bounded() {
        let realms = (0..50).map(|n| (format!("r{n}"), secret("bob", "zanzibar"))).collect();
        let mut phone = Phone::new(&Account { realms, ..account() }, Method::Invite);
        for n in 0..50 {
            phone.attempt = Attempt::default();
            let challenge = proxy(&format!(r#"Digest realm="r{n}", nonce="1""#));
            phone.answer(Challenger::Proxy, &challenge).unwrap();
        }
        phone.next(Method::Invite);
        assert_eq!(phone.request.headers.count(&HeaderName::ProxyAuthorization), MAX_SESSIONS);
        let endless: Vec<_> = (0..50).map(|n| format!(r#"Digest realm="r{n}", nonce="1""#)).collect();
        let rows: Vec<_> = endless.iter().map(|row| (HeaderName::ProxyAuthenticate, row.as_str())).collect();
        phone.request = request(Method::Invite);
        phone.answer(Challenger::Proxy, &response(407, &rows)).unwrap();
        assert_eq!(phone.request.headers.count(&HeaderName::ProxyAuthorization), MAX_SPACES);
    }

    #[test]
    fn debug_shows_no_secret() {
        let mut phone = Phone::new(&account(), Method::Register);
        phone.answer(Challenger::Registrar, &www(r#"Digest realm="r", nonce="1""#)).unwrap();
        let shown = format!("{:?} {:?} {:?}", phone.auth, phone.attempt, account());
        assert!(!shown.contains("zanzibar") && !shown.contains("windy"), "{shown}");
        assert!(!format!("{:?}", phone.authorization()).contains(&phone.authorization().response));
    }
}
