use std::time::Duration;

use bytes::Bytes;
use rand_chacha::ChaCha12Rng;
use rand_core::SeedableRng;

use super::super::config::{Account, Credentials};
use super::space::MAX_SPACES;
use super::{Attempt, AuthError, Authenticator, Challenger, MAX_SESSIONS};
use crate::sip::digest::{self, CredentialsLine, Qop};
use crate::sip::{HeaderName, Method, Request, RequestBuilder, Response, ResponseBuilder, StatusCode, Uri};

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
