//! How long a binding lasts, and what is one.

use super::{Bob, CHALLENGE, CONTACT, contacts, credentials, ok_contact, secs, value};
use crate::sip::HeaderName;
use crate::ua::registration::State;

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
