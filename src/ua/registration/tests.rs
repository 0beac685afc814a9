//! A registrar on simulated time.

use bytes::Bytes;
use rand_chacha::ChaCha12Rng;
use rand_core::SeedableRng;

use super::*;
use crate::sip::digest::{self, CredentialsLine};
use crate::sip::{ResponseBuilder, StatusCode};
use crate::ua::config::Credentials;
use crate::ua::event::Binding;

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

#[test]
fn rfc_3665_2_1_successful_new_registration() {
    let mut bob = Bob::new();
    bob.start();
    let f1 = bob.expect_register();
    assert_eq!(f1.uri.to_bytes(), "sip:ss2.biloxi.example.com");
    assert!(value(&f1, HeaderName::From).unwrap().starts_with("\"Bob\" <sip:bob@biloxi.example.com>;tag="));
    assert_eq!(value(&f1, HeaderName::To).unwrap(), "<sip:bob@biloxi.example.com>");
    assert_eq!(value(&f1, HeaderName::CSeq).unwrap(), "1 REGISTER");
    assert_eq!(contacts(&f1), [ok_contact(3600)]);
    assert_eq!(value(&f1, HeaderName::Expires).unwrap(), "3600");
    bob.reply(401, &[(HeaderName::WwwAuthenticate, CHALLENGE)]);

    let f3 = bob.expect_send();
    assert_eq!(value(&f3, HeaderName::CSeq).unwrap(), "2 REGISTER");
    assert_eq!(value(&f3, HeaderName::CallId), value(&f1, HeaderName::CallId));
    assert_eq!(value(&f3, HeaderName::From), value(&f1, HeaderName::From));
    assert!(digest::verify(&credentials(&f3).unwrap(), "zanzibar", "REGISTER", b""));
    bob.reply(200, &[(HeaderName::Contact, &ok_contact(3600))]);

    let (expires, contacts) = bob.expect_registered();
    assert_eq!(expires, secs(3600));
    assert_eq!(contacts, [Binding { uri: CONTACT.to_owned(), expires: Some(3600), ours: true }]);
    assert_eq!(bob.registration.state(), State::Registered);
    bob.assert_quiescent();

    // The refresh costs one round trip.
    bob.advance(secs(3240));
    let refresh = bob.expect_register();
    assert_eq!(value(&refresh, HeaderName::CSeq).unwrap(), "3 REGISTER");
    assert_eq!(value(&refresh, HeaderName::CallId), value(&f1, HeaderName::CallId));
    assert_eq!(credentials(&refresh).unwrap().nc, Some(2));
    bob.reply(200, &[(HeaderName::Contact, &ok_contact(3600))]);
    bob.expect_registered();
    assert_eq!(bob.due_in(), Some(secs(3240)));
    bob.assert_quiescent();
}

#[test]
fn rfc_3665_2_2_update_of_contact_list() {
    let mut bob = Bob::registered(3600);
    bob.registration.add_contact(&uri("mailto:bob@biloxi.example.com"));
    let f1 = bob.expect_send();
    assert_eq!(contacts(&f1), ["<mailto:bob@biloxi.example.com>"]);
    let both = format!("{}, <mailto:bob@biloxi.example.com>;expires=4294967295", ok_contact(3600));
    bob.reply(200, &[(HeaderName::Contact, &both)]);
    assert_eq!(bob.expect_bindings(), [CONTACT, "mailto:bob@biloxi.example.com"]);

    // A further phone is refreshed along, the mail address is not.
    bob.registration.add_contact(&uri("sip:bob@192.0.2.9"));
    assert_eq!(contacts(&bob.expect_send()), ["<sip:bob@192.0.2.9>;expires=3600"]);
    bob.reply(200, &[(HeaderName::Contact, &both)]);
    bob.expect_bindings();
    bob.advance(secs(3240));
    assert_eq!(contacts(&bob.expect_register()), [ok_contact(3600), "<sip:bob@192.0.2.9>;expires=3600".to_owned()]);
    bob.reply(200, &[(HeaderName::Contact, &both)]);
    let (_, bindings) = bob.expect_registered();
    assert_eq!((bindings[1].expires, bindings[1].ours), (Some(u32::MAX), false));
    bob.assert_quiescent();
}

#[test]
fn rfc_3665_2_3_request_for_current_contact_list() {
    let mut bob = Bob::registered(3600);
    bob.registration.query();
    bob.registration.query();
    let f1 = bob.expect_send();
    assert!(contacts(&f1).is_empty());
    assert_eq!(value(&f1, HeaderName::Expires), None);
    let rows = [
        (HeaderName::Contact, &*ok_contact(3600)),
        (HeaderName::Contact, "<mailto:bob@biloxi.example.com>;expires=4294967295"),
    ];
    bob.reply(200, &rows);
    assert_eq!(bob.expect_bindings(), [CONTACT, "mailto:bob@biloxi.example.com"]);
    assert_eq!(bob.due_in(), Some(secs(3240)));
    bob.assert_quiescent();
}

#[test]
fn rfc_3665_2_4_cancellation_of_registration() {
    let mut bob = Bob::registered(3600);
    bob.registration.clear();
    let f1 = bob.expect_send();
    assert_eq!((contacts(&f1), value(&f1, HeaderName::Expires)), (vec!["*".to_owned()], Some("0".to_owned())));
    bob.reply(200, &[]);
    assert!(bob.expect_bindings().is_empty());
    bob.expect_unregistered();
    assert_eq!(bob.due_in(), None);
    bob.assert_quiescent();

    // Our own binding alone.
    let mut bob = Bob::registered(3600);
    bob.registration.unregister();
    assert_eq!(contacts(&bob.expect_send()), [ok_contact(0)]);
    bob.reply(200, &[]);
    bob.expect_unregistered();
    assert_eq!((bob.due_in(), bob.registration.state()), (None, State::Unregistered));
    bob.assert_quiescent();
}

#[test]
fn rfc_3665_2_5_unsuccessful_registration() {
    let mut bob = Bob::new();
    bob.start();
    bob.expect_register();
    bob.reply(401, &[(HeaderName::WwwAuthenticate, CHALLENGE)]);
    assert!(credentials(&bob.expect_send()).is_some());
    bob.reply(401, &[(HeaderName::WwwAuthenticate, &CHALLENGE.replace("n1", "n2"))]);
    let (code, reason, retry_in) = bob.expect_failed();
    assert_eq!((code, retry_in), (401, None));
    assert!(reason.contains("password"), "{reason}");
    assert_eq!((bob.due_in(), bob.registration.state()), (None, State::Failed));
    bob.assert_quiescent();
}

#[test]
fn a_stale_nonce_on_refresh_is_replaced() {
    let mut bob = Bob::new();
    bob.start();
    bob.expect_register();
    bob.reply(401, &[(HeaderName::WwwAuthenticate, CHALLENGE)]);
    bob.expect_send();
    bob.reply(200, &[(HeaderName::Contact, &ok_contact(300))]);
    bob.expect_registered();
    bob.advance(secs(240));
    assert_eq!(credentials(&bob.expect_register()).unwrap().nonce, "n1");
    let stale = CHALLENGE.replace("n1", "n2").replace("FALSE", "true");
    bob.reply(401, &[(HeaderName::WwwAuthenticate, &stale)]);
    assert_eq!(credentials(&bob.expect_send()).unwrap().nonce, "n2");
    bob.reply(200, &[(HeaderName::Contact, &ok_contact(300))]);
    bob.expect_registered();
    bob.assert_quiescent();
}

#[test]
fn the_granted_lifetime_is_taken_from_where_it_stands() {
    let contact = format!("<{CONTACT}>");
    for (rows, granted, refresh) in [
        (vec![(HeaderName::Contact, &*ok_contact(600)), (HeaderName::Expires, "900")], 600, 540),
        (vec![(HeaderName::Contact, &*contact), (HeaderName::Expires, "900")], 900, 810),
        (vec![(HeaderName::Contact, &*contact)], 3600, 3240),
        (vec![], 3600, 3240),
        (vec![(HeaderName::Contact, &*ok_contact(90))], 90, 45),
        (vec![(HeaderName::Contact, &*ok_contact(6))], 6, 3),
    ] {
        let mut bob = Bob::new();
        bob.start();
        bob.expect_register();
        bob.reply(200, &rows);
        assert_eq!(bob.expect_registered().0, secs(granted), "{rows:?}");
        assert_eq!(bob.due_in(), Some(secs(refresh)), "{rows:?}");
    }
}

#[test]
fn a_200_that_holds_nothing_is_no_registration() {
    let mut bob = Bob::new();
    bob.start();
    bob.expect_register();
    bob.reply(200, &[(HeaderName::Contact, &ok_contact(0))]);
    let (code, _, retry_in) = bob.expect_failed();
    assert_eq!((code, retry_in), (200, bob.due_in()));
    assert_eq!(bob.registration.state(), State::Waiting);
}

#[test]
fn a_lifetime_too_brief_is_lengthened_at_once_but_not_for_ever() {
    let mut bob = Bob::new();
    bob.start();
    bob.expect_register();
    bob.reply(423, &[(HeaderName::MinExpires, "7200")]);
    let longer = bob.expect_send();
    assert_eq!(contacts(&longer), [ok_contact(7200)]);
    assert_eq!(value(&longer, HeaderName::CSeq).unwrap(), "2 REGISTER");
    bob.reply(200, &[(HeaderName::Contact, &ok_contact(7200))]);
    assert_eq!(bob.expect_registered().0, secs(7200));
    bob.assert_quiescent();

    let mut bob = Bob::new();
    bob.start();
    bob.expect_register();
    for least in ["4000", "5000"] {
        bob.reply(423, &[(HeaderName::MinExpires, least)]);
        bob.expect_send();
    }
    bob.reply(423, &[(HeaderName::MinExpires, "6000")]);
    assert_eq!(bob.expect_failed().0, 423);
    bob.assert_quiescent();

    let mut bob = Bob::new();
    bob.start();
    bob.expect_register();
    bob.reply(423, &[]);
    assert_eq!(bob.expect_failed().0, 423);
}

#[test]
fn a_423_between_challenges_does_not_look_like_a_wrong_password() {
    let mut bob = Bob::new();
    bob.start();
    bob.expect_register();
    bob.reply(401, &[(HeaderName::WwwAuthenticate, CHALLENGE)]);
    bob.expect_send();
    bob.reply(423, &[(HeaderName::MinExpires, "7200")]);
    bob.expect_send();
    // Its nonces are good for one request.
    bob.reply(401, &[(HeaderName::WwwAuthenticate, &CHALLENGE.replace("n1", "n2"))]);
    assert_eq!(credentials(&bob.expect_send()).unwrap().nonce, "n2");
    bob.reply(200, &[(HeaderName::Contact, &ok_contact(7200))]);
    bob.expect_registered();
}

#[test]
fn refusals_that_cannot_heal_end_it() {
    for code in [400, 403, 404, 405, 302, 600] {
        let mut bob = Bob::new();
        bob.start();
        bob.expect_register();
        bob.reply(code, &[(HeaderName::Contact, "<sip:elsewhere.example>")]);
        let (told, _, retry_in) = bob.expect_failed();
        assert_eq!((told, retry_in), (code, None));
        assert_eq!((bob.due_in(), bob.registration.state()), (None, State::Failed));
        bob.assert_quiescent();
        // A person may try again.
        bob.start();
        bob.expect_register();
    }
}

#[test]
fn pauses_grow_up_to_five_minutes() {
    let mut bob = Bob::new();
    bob.start();
    for (failure, bound) in [60, 120, 240, 300, 300, 300, 300, 300].into_iter().enumerate() {
        bob.expect_register();
        let code = match failure % 3 {
            0 => {
                bob.no_answer(NoAnswer::Timeout);
                408
            }
            1 => {
                bob.no_answer(NoAnswer::Transport);
                503
            }
            _ => {
                bob.reply(500, &[]);
                500
            }
        };
        let (told, _, retry_in) = bob.expect_failed();
        let pause = retry_in.unwrap();
        assert_eq!((told, Some(pause)), (code, bob.due_in()));
        assert!(secs(bound) / 2 <= pause && pause <= secs(bound), "{failure}: {pause:?}");
        bob.assert_quiescent();
        bob.advance(pause);
    }
    bob.expect_register();
    bob.reply(200, &[(HeaderName::Contact, &ok_contact(3600))]);
    bob.expect_registered();
    // Success begins anew.
    bob.advance(secs(3240));
    bob.expect_register();
    bob.reply(503, &[]);
    assert!(bob.expect_failed().2.unwrap() <= secs(60));
}

#[test]
fn an_outage_that_began_under_a_binding_does_not_lengthen_the_pauses_after_it() {
    let mut bob = Bob::registered(3600);
    let bound = bob.now + secs(3600);
    bob.advance(secs(3240));
    while bob.now < bound {
        bob.expect_register();
        bob.no_answer(NoAnswer::Transport);
        let pause = bob.expect_failed().2.unwrap();
        assert!(pause <= secs(60), "{pause:?}");
        bob.advance(pause);
    }
    bob.expect_register();
    bob.no_answer(NoAnswer::Transport);
    assert!(bob.expect_failed().2.unwrap() <= secs(60));
}

#[test]
fn retry_after_is_honoured() {
    for (value, pause) in [("120 (soon);duration=5", 120), ("99999999", 24 * 3600)] {
        let mut bob = Bob::new();
        bob.start();
        bob.expect_register();
        bob.reply(503, &[(HeaderName::RetryAfter, value)]);
        assert_eq!(bob.expect_failed().2, Some(secs(pause)));
        bob.advance(secs(pause));
        bob.expect_register();
    }
}

#[test]
fn a_failed_refresh_is_tried_again_before_the_binding_ends() {
    let mut bob = Bob::registered(120);
    bob.advance(secs(60));
    bob.expect_register();
    bob.now += secs(32);
    bob.no_answer(NoAnswer::Timeout);
    assert_eq!(bob.expect_failed().2, Some(secs(14)));
    bob.advance(secs(14));
    bob.expect_register();
    bob.reply(200, &[(HeaderName::Contact, &ok_contact(120))]);
    bob.expect_registered();
    bob.assert_quiescent();
}

#[test]
fn one_register_at_a_time() {
    let mut bob = Bob::new();
    bob.start();
    bob.registration.query();
    bob.registration.add_contact(&uri("tel:+15551234"));
    bob.expect_register();
    bob.start();
    assert!(bob.step().is_none());
    bob.reply(100, &[]);
    assert!(bob.step().is_none());
    bob.reply(200, &[(HeaderName::Contact, &ok_contact(3600))]);
    bob.expect_registered();
    assert!(contacts(&bob.expect_send()).is_empty());
    assert!(bob.step().is_none());
    bob.reply(200, &[]);
    bob.expect_bindings();
    assert_eq!(contacts(&bob.expect_send()), ["<tel:+15551234>"]);
    bob.reply(200, &[]);
    bob.expect_bindings();
    bob.assert_quiescent();
}

#[test]
fn responses_to_others_change_nothing() {
    let mut bob = Bob::new();
    bob.start();
    let first = bob.expect_register();
    bob.reply(401, &[(HeaderName::WwwAuthenticate, CHALLENGE)]);
    let second = bob.expect_send();
    bob.out = Some(first);
    bob.reply(403, &[]);
    assert!(bob.step().is_none());
    bob.out = Some(second);
    bob.reply(200, &[(HeaderName::Contact, &ok_contact(3600))]);
    bob.expect_registered();
    bob.reply(403, &[]);
    bob.assert_quiescent();
}

#[test]
fn unregister_waits_for_a_refresh_that_is_out() {
    let outcomes: [fn(&mut Bob); 4] = [
        |bob| {
            bob.reply(200, &[(HeaderName::Contact, &ok_contact(300))]);
            bob.expect_registered();
        },
        |bob| bob.reply(401, &[(HeaderName::WwwAuthenticate, CHALLENGE)]),
        |bob| bob.reply(503, &[]),
        |bob| bob.no_answer(NoAnswer::Timeout),
    ];
    for outcome in outcomes {
        let mut bob = Bob::registered(300);
        bob.advance(secs(240));
        bob.expect_register();
        bob.registration.unregister();
        assert!(bob.step().is_none());
        outcome(&mut bob);
        assert_eq!(contacts(&bob.expect_send()), [ok_contact(0)]);
        bob.reply(401, &[(HeaderName::WwwAuthenticate, &CHALLENGE.replace("n1", "n2"))]);
        assert!(credentials(&bob.expect_send()).is_some());
        bob.reply(200, &[]);
        bob.expect_unregistered();
        assert_eq!((bob.due_in(), bob.registration.state()), (None, State::Unregistered));
        bob.assert_quiescent();
    }
}

#[test]
fn nothing_is_sent_to_remove_what_was_never_bound() {
    let mut bob = Bob::new();
    bob.registration.unregister();
    bob.expect_unregistered();
    bob.assert_quiescent();

    bob.start();
    bob.registration.unregister();
    bob.expect_unregistered();
    bob.assert_quiescent();

    // But what may have been is removed.
    bob.start();
    bob.expect_register();
    bob.no_answer(NoAnswer::Timeout);
    bob.expect_failed();
    bob.registration.unregister();
    assert_eq!(contacts(&bob.expect_send()), [ok_contact(0)]);
    bob.no_answer(NoAnswer::Timeout);
    assert_eq!(bob.expect_failed().2, None);
    assert_eq!(bob.due_in(), None);
    bob.assert_quiescent();
}

#[test]
fn a_failed_query_leaves_the_registration_alone() {
    let mut bob = Bob::registered(3600);
    bob.registration.query();
    bob.expect_send();
    bob.reply(403, &[]);
    assert_eq!(bob.expect_failed().2, None);
    assert_eq!((bob.due_in(), bob.registration.state()), (Some(secs(3240)), State::Registered));
    bob.assert_quiescent();
}

#[test]
fn a_contact_that_changes_replaces_the_old_one() {
    let removed = ok_contact(0);
    let mut bob = Bob::registered(3600);
    bob.registration.start(&uri("sip:x7f@203.0.113.1:9"));
    assert_eq!(contacts(&bob.expect_register()), ["<sip:x7f@203.0.113.1:9>;expires=3600", &removed]);
    bob.reply(200, &[(HeaderName::Contact, "<sip:x7f@203.0.113.1:9>;expires=3600")]);
    bob.expect_registered();
    bob.assert_quiescent();

    // While the first one is on its way.
    let mut bob = Bob::new();
    bob.start();
    bob.expect_register();
    bob.registration.start(&uri("sip:x7f@203.0.113.1:9"));
    bob.reply(200, &[(HeaderName::Contact, &ok_contact(3600))]);
    assert!(bob.expect_registered().1[0].ours);
    assert_eq!(contacts(&bob.expect_register()), ["<sip:x7f@203.0.113.1:9>;expires=3600", &removed]);
    // And back.
    bob.start();
    bob.reply(200, &[(HeaderName::Contact, "<sip:x7f@203.0.113.1:9>;expires=3600")]);
    bob.expect_registered();
    assert_eq!(contacts(&bob.expect_register()), [ok_contact(3600), "<sip:x7f@203.0.113.1:9>;expires=0".to_owned()]);
}

#[test]
fn what_waits_is_bounded() {
    let mut bob = Bob::new();
    for n in 0..100 {
        bob.registration.add_contact(&uri(&format!("sip:{n}@192.0.2.9")));
    }
    bob.registration.unregister();
    assert!(bob.registration.jobs.len() <= MAX_JOBS + 1);
    assert_eq!(bob.expect_failed().0, 503);
}

#[test]
fn texts_from_the_network_are_made_harmless() {
    let mut bob = Bob::new();
    bob.start();
    bob.expect_register();
    let cseq = value(bob.out.as_ref().unwrap(), HeaderName::CSeq).unwrap();
    let response = ResponseBuilder::new(StatusCode::new(403).unwrap(), "\u{1b}[2JNo").unwrap();
    let response = response.header(HeaderName::CSeq, cseq).unwrap().build();
    bob.registration.handle_response(bob.now, &mut bob.rng, &mut bob.auth, &response);
    let (_, reason, _) = bob.expect_failed();
    assert!(reason.starts_with("\u{fffd}[2JNo: the registrar refuses"), "{reason}");
}

const VIA: &str = "SIP/2.0/UDP 192.0.2.201:5060;branch=z9hG4bK1;received=203.0.113.9;rport=40000";
const SEEN: &str = "sip:x7f@203.0.113.9:40000";

fn with_instance() -> Bob {
    let mut bob = Bob::new();
    bob.registration.instance = Some("urn:uuid:f81d4fae-7dec-11d0-a765-00a0c91e6bf6".to_owned());
    bob
}

const MARK: &str = ";+sip.instance=\"<urn:uuid:f81d4fae-7dec-11d0-a765-00a0c91e6bf6>\"";

#[test]
fn an_address_seen_with_the_challenge_is_in_the_contact_at_once() {
    let mut bob = Bob::new();
    bob.start();
    bob.expect_register();
    bob.reply(401, &[(HeaderName::WwwAuthenticate, CHALLENGE), (HeaderName::Via, VIA)]);
    assert_eq!(contacts(&bob.expect_send()), [format!("<{SEEN}>;expires=3600")]);
    bob.reply(200, &[(HeaderName::Contact, &format!("<{SEEN}>;expires=3600")), (HeaderName::Via, VIA)]);
    assert!(bob.expect_registered().1[0].ours);
    assert_eq!(bob.granted.seen, Some(("192.0.2.201:5060".parse().unwrap(), "203.0.113.9:40000".parse().unwrap())));
    bob.assert_quiescent();

    // It is taken back as it stands.
    bob.registration.unregister();
    assert_eq!(contacts(&bob.expect_send()), [format!("<{SEEN}>;expires=0")]);
    bob.reply(200, &[(HeaderName::Via, VIA)]);
    bob.expect_unregistered();
    assert!(bob.granted.seen.is_none());
    bob.assert_quiescent();
}

#[test]
fn an_address_seen_with_the_200_replaces_the_binding_once() {
    let mut bob = Bob::new();
    bob.start();
    bob.expect_register();
    bob.reply(200, &[(HeaderName::Contact, &ok_contact(3600)), (HeaderName::Via, VIA)]);
    bob.expect_registered();
    assert_eq!(contacts(&bob.expect_register()), [format!("<{SEEN}>;expires=3600"), ok_contact(0)]);
    bob.reply(200, &[(HeaderName::Contact, &format!("<{SEEN}>;expires=3600")), (HeaderName::Via, VIA)]);
    bob.expect_registered();
    bob.assert_quiescent();
    // The refresh has nothing to remove.
    bob.advance(secs(3240));
    assert_eq!(contacts(&bob.expect_register()), [format!("<{SEEN}>;expires=3600")]);
}

#[test]
fn a_port_that_is_another_one_each_time_ends_in_peace() {
    let mut bob = Bob::new();
    bob.start();
    let mut sent = 0;
    for port in 40_000..40_020 {
        match bob.step() {
            Some(Step::Send(request)) => bob.out = Some(*request),
            Some(Step::Event(_) | Step::Granted(_)) | None => break,
        }
        sent += 1;
        let via = format!("SIP/2.0/UDP 192.0.2.201:5060;received=203.0.113.9;rport={port}");
        bob.reply(200, &[(HeaderName::Via, &via)]);
        while matches!(bob.registration.steps.front(), Some(Step::Event(_) | Step::Granted(_))) {
            bob.step();
            if bob.registration.steps.is_empty() {
                break;
            }
        }
    }
    assert_eq!(sent, 4);
    bob.assert_quiescent();
}

#[test]
fn switched_off_the_contact_stays() {
    let mut bob = Bob::new();
    bob.registration.nat = Nat::new(false);
    bob.start();
    bob.expect_register();
    bob.reply(200, &[(HeaderName::Contact, &ok_contact(3600)), (HeaderName::Via, VIA)]);
    bob.expect_registered();
    assert!(bob.granted.seen.is_none());
    bob.assert_quiescent();
}

#[test]
fn rfc_5626_the_instance_names_our_contact_and_no_other() {
    let mut bob = with_instance();
    bob.start();
    let register = bob.expect_register();
    assert_eq!(contacts(&register), [format!("<{CONTACT}>{MARK};reg-id=1;expires=3600")]);
    assert_eq!(value(&register, HeaderName::Supported).unwrap(), "path, outbound, gruu");
    bob.reply(200, &[(HeaderName::Contact, &ok_contact(3600)), (HeaderName::Require, "outbound")]);
    bob.expect_registered();
    assert!(bob.granted.outbound);
    // Another address: the instance replaces the binding.
    bob.registration.start(&uri("sip:x7f@203.0.113.1:9"));
    assert_eq!(contacts(&bob.expect_register()), [format!("<sip:x7f@203.0.113.1:9>{MARK};reg-id=1;expires=3600")]);
    bob.reply(200, &[(HeaderName::Contact, "<sip:x7f@203.0.113.1:9>;expires=3600")]);
    bob.expect_registered();
    bob.registration.unregister();
    assert_eq!(contacts(&bob.expect_send()), [format!("<sip:x7f@203.0.113.1:9>{MARK};reg-id=1;expires=0")]);
}

#[test]
fn rfc_5626_a_439_is_answered_without_outbound() {
    let mut bob = with_instance();
    bob.start();
    bob.expect_register();
    bob.reply(439, &[]);
    let again = bob.expect_send();
    assert_eq!(contacts(&again), [format!("<{CONTACT}>{MARK};expires=3600")]);
    assert_eq!(value(&again, HeaderName::Supported).unwrap(), "path, gruu");
    bob.reply(439, &[]);
    assert_eq!(bob.expect_failed().0, 439);
    bob.assert_quiescent();
}

#[test]
fn rfc_3608_service_routes_are_those_of_the_last_answer() {
    let mut bob = Bob::new();
    bob.start();
    bob.expect_register();
    let route = |bob: &Bob| bob.granted.service_route.iter().map(ToString::to_string).collect::<Vec<_>>();
    let rows = |route: &'static str| [(HeaderName::Contact, CONTACT), (HeaderName::ServiceRoute, route)];
    bob.reply(200, &rows("<sip:p1.example.com;lr>"));
    bob.expect_registered();
    assert_eq!(route(&bob), ["sip:p1.example.com;lr"]);
    bob.start();
    bob.expect_register();
    bob.reply(200, &rows("<sip:p2.example.com;lr>"));
    bob.expect_registered();
    assert_eq!(route(&bob), ["sip:p2.example.com;lr"]);
    // Nobody but the registrar, and only in its answer to our own binding.
    bob.registration.query();
    bob.expect_send();
    bob.reply(200, &rows("<sip:p3.example.com;lr>"));
    bob.expect_bindings();
    assert_eq!(route(&bob), ["sip:p2.example.com;lr"]);
    bob.registration.unregister();
    bob.expect_send();
    bob.reply(200, &[]);
    bob.expect_unregistered();
    assert!(route(&bob).is_empty());
}

#[test]
fn a_200_without_our_contact_is_a_binding_only_when_a_gateway_may_have_written_it() {
    let other = "<sip:gateway@198.51.100.1>;expires=600";
    let mut bob = Bob::new();
    bob.start();
    bob.expect_register();
    bob.reply(200, &[(HeaderName::Contact, other), (HeaderName::Expires, "1200")]);
    assert_eq!(bob.expect_registered().0, secs(1200));

    let mut bob = Bob::new();
    bob.start();
    bob.expect_register();
    bob.reply(200, &[(HeaderName::Contact, other), (HeaderName::Contact, "<sip:another@198.51.100.2>")]);
    let (code, reason, retry_in) = bob.expect_failed();
    assert_eq!((code, retry_in), (200, bob.due_in()));
    assert!(reason.contains("no binding of this phone"), "{reason}");
}

#[test]
fn an_expiry_that_is_a_date_lasts_no_longer_than_what_was_asked_for() {
    for (asked, granted) in [(7200, 3600), (600, 600)] {
        let mut bob = Bob::new();
        bob.registration.expires = asked;
        bob.start();
        bob.expect_register();
        let contact = format!("<{CONTACT}>;expires=\"Thu, 01 Dec 2040 16:00:00 GMT\"");
        let rows = [(HeaderName::Contact, &*contact), (HeaderName::Date, "Sat, 13 Nov 2010 23:29:00 GMT")];
        bob.reply(200, &rows);
        assert_eq!(bob.expect_registered().0, secs(granted));
    }
}

#[test]
fn what_is_out_when_the_network_changes_is_not_waited_for() {
    let mut bob = Bob::registered(3600);
    bob.registration.query();
    bob.expect_send();
    bob.registration.restart();
    bob.registration.renew(&uri("sip:x7f@203.0.113.1:9"));
    // The question that was out is asked again, and then the binding moves.
    assert!(contacts(&bob.expect_send()).is_empty());
    bob.reply(200, &[]);
    bob.expect_bindings();
    assert_eq!(contacts(&bob.expect_register()), ["<sip:x7f@203.0.113.1:9>;expires=3600".to_owned(), ok_contact(0)]);
    bob.reply(200, &[]);
    bob.expect_registered();
    bob.assert_quiescent();

    // A pause ends at once, and the next ones are short again.
    let mut bob = Bob::new();
    bob.start();
    for _ in 0..5 {
        bob.expect_register();
        bob.no_answer(NoAnswer::Transport);
        let pause = bob.expect_failed().2.unwrap();
        bob.advance(pause);
    }
    bob.expect_register();
    bob.no_answer(NoAnswer::Transport);
    bob.expect_failed();
    bob.registration.restart();
    bob.start();
    bob.expect_register();
    bob.no_answer(NoAnswer::Transport);
    assert!(bob.expect_failed().2.unwrap() <= secs(60));
}

#[test]
fn a_registrar_that_cannot_be_found_is_asked_for_again() {
    let mut bob = Bob::new();
    bob.registration.want();
    bob.registration.handle_no_way(bob.now, &mut bob.rng, "no address".to_owned());
    let (code, _, retry_in) = bob.expect_failed();
    assert_eq!((code, retry_in), (503, bob.due_in()));
    assert!(retry_in.unwrap() >= secs(30));
    // Somebody who has unregistered meanwhile is left alone.
    bob.registration.unregister();
    bob.expect_unregistered();
    bob.registration.renew(&uri(CONTACT));
    bob.assert_quiescent();
}

#[test]
fn a_connection_that_ends_is_registered_by_again_but_not_all_the_time() {
    let mut bob = Bob::registered(3600);
    let second = Duration::from_secs(1);
    for wait in [second, FLOW_PAUSE] {
        bob.registration.flow_lost(bob.now, second);
        assert_eq!(bob.due_in(), Some(wait));
        bob.advance(wait);
        bob.expect_register();
        bob.reply(200, &[(HeaderName::Contact, &ok_contact(3600))]);
        bob.expect_registered();
    }
    bob.registration.unregister();
    bob.expect_send();
    bob.registration.flow_lost(bob.now, second);
    assert_eq!(bob.due_in(), None);
}
