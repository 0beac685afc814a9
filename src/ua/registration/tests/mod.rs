//! A registrar on simulated time.

mod contact;
mod failures;
mod lifetime;
mod rfc3665;
mod turns;

use std::time::{Duration, Instant};

use bytes::Bytes;
use rand_chacha::ChaCha12Rng;
use rand_core::SeedableRng;

use super::{Granted, NoAnswer, Registration, Step};
use crate::sip::digest::CredentialsLine;
use crate::sip::{HeaderName, Request, ResponseBuilder, StatusCode, Uri};
use crate::ua::auth::Authenticator;
use crate::ua::config::{Account, Credentials};
use crate::ua::event::Binding;
use crate::ua::{AccountId, Event};

const CHALLENGE: &str =
    r#"Digest realm="atlanta.example.com", qop="auth", nonce="n1", opaque="", stale=FALSE, algorithm=MD5"#;
const CONTACT: &str = "sip:x7f@192.0.2.201:5060";

fn uri(text: &str) -> Uri {
    Uri::parse(Bytes::copy_from_slice(text.as_bytes())).unwrap()
}

fn secs(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

/// Bob on simulated time; the test is his registrar.
struct Bob {
    now: Instant,
    rng: ChaCha12Rng,
    auth: Authenticator,
    registration: Registration,
    out: Option<Request>,
    granted: Granted,
}

impl Bob {
    fn new() -> Self {
        let account = Account {
            name: "bob".to_owned(),
            uri: uri("sip:bob@biloxi.example.com"),
            display_name: Some("Bob".to_owned()),
            registrar: uri("sip:ss2.biloxi.example.com"),
            route: Vec::new(),
            fallbacks: Vec::new(),
            expires: secs(3600),
            register: true,
            srtp: Default::default(),
            srtp_keying: Default::default(),
            credentials: Some(Credentials { user: "bob".to_owned(), password: "zanzibar".to_owned() }),
            realms: Vec::new(),
            events: Default::default(),
            rewrite_contact: true,
            gruu: true,
            instance: None,
        };
        let mut rng = ChaCha12Rng::seed_from_u64(7);
        let registration = Registration::new(AccountId(0), &account, &mut rng);
        Bob {
            now: Instant::now(),
            rng,
            auth: Authenticator::new(&account),
            registration,
            out: None,
            granted: Granted::default(),
        }
    }

    /// Registered for `expires` seconds, without a challenge.
    fn registered(expires: u32) -> Self {
        let mut bob = Bob::new();
        bob.start();
        bob.expect_register();
        bob.reply(200, &[(HeaderName::Contact, &format!("<{CONTACT}>;expires={expires}"))]);
        assert_eq!(bob.expect_registered().0, secs(expires.into()));
        bob.assert_quiescent();
        bob
    }

    fn start(&mut self) {
        self.registration.start(&uri(CONTACT));
    }

    fn step(&mut self) -> Option<Step> {
        loop {
            match self.registration.poll(&mut self.rng, &mut self.auth) {
                Some(Step::Granted(granted)) => self.granted = *granted,
                other => return other,
            }
        }
    }

    fn expect_send(&mut self) -> Request {
        match self.step() {
            Some(Step::Send(request)) => {
                self.out = Some((*request).clone());
                *request
            }
            other => panic!("expected a REGISTER, got {other:?}"),
        }
    }

    fn expect_event(&mut self) -> Event {
        match self.step() {
            Some(Step::Event(event)) => event,
            other => panic!("expected an event, got {other:?}"),
        }
    }

    /// A REGISTER for our own binding, and its event.
    fn expect_register(&mut self) -> Request {
        let request = self.expect_send();
        assert_eq!(self.expect_event(), Event::Registering { account: AccountId(0) });
        request
    }

    fn expect_registered(&mut self) -> (Duration, Vec<Binding>) {
        match self.expect_event() {
            Event::Registered { expires, contacts, .. } => (expires, contacts),
            other => panic!("expected Registered, got {other:?}"),
        }
    }

    fn expect_bindings(&mut self) -> Vec<String> {
        match self.expect_event() {
            Event::Bindings { contacts, .. } => contacts.into_iter().map(|binding| binding.uri).collect(),
            other => panic!("expected Bindings, got {other:?}"),
        }
    }

    fn expect_failed(&mut self) -> (u16, String, Option<Duration>) {
        match self.expect_event() {
            Event::RegistrationFailed { code, reason, retry_in, .. } => (code, reason, retry_in),
            other => panic!("expected RegistrationFailed, got {other:?}"),
        }
    }

    fn expect_unregistered(&mut self) {
        assert_eq!(self.expect_event(), Event::Unregistered { account: AccountId(0) });
    }

    fn reply(&mut self, code: u16, rows: &[(HeaderName, &str)]) {
        let cseq = value(self.out.as_ref().unwrap(), HeaderName::CSeq).unwrap();
        let builder = ResponseBuilder::new(StatusCode::new(code).unwrap(), format!("Reason {code}")).unwrap();
        let builder = builder.header(HeaderName::CSeq, cseq).unwrap();
        let response = rows
            .iter()
            .fold(builder, |builder, (name, value)| builder.header(name.clone(), value.to_string()).unwrap())
            .build();
        self.registration.handle_response(self.now, &mut self.rng, &mut self.auth, &response);
    }

    fn no_answer(&mut self, why: NoAnswer) {
        self.registration.handle_no_answer(self.now, &mut self.rng, why);
    }

    /// Lets time pass; nothing may be due before.
    fn advance(&mut self, by: Duration) {
        self.now += by;
        assert!(self.registration.poll_timeout().is_none_or(|deadline| deadline >= self.now));
        if self.registration.handle_deadline(self.now) {
            self.registration.renew(&uri(CONTACT));
        }
    }

    fn due_in(&self) -> Option<Duration> {
        self.registration.poll_timeout().map(|deadline| deadline - self.now)
    }

    /// Nothing is out, nothing to tell; a refresh may be due.
    fn assert_quiescent(&mut self) {
        assert!(self.step().is_none());
        assert!(self.registration.is_idle());
    }
}

fn value(request: &Request, name: HeaderName) -> Option<String> {
    request.headers.value(&name).map(|value| String::from_utf8_lossy(&value).into_owned())
}

fn contacts(request: &Request) -> Vec<String> {
    let rows = request.headers.get_all(&HeaderName::Contact);
    rows.map(|row| String::from_utf8_lossy(&row.value()).into_owned()).collect()
}

fn credentials(request: &Request) -> Option<CredentialsLine> {
    value(request, HeaderName::Authorization).map(|line| CredentialsLine::parse(line.as_bytes()).unwrap())
}

fn ok_contact(expires: u32) -> String {
    format!("<{CONTACT}>;expires={expires}")
}
