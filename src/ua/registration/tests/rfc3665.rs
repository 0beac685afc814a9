//! The flows of RFC 3665 section 2.

use super::{Bob, CHALLENGE, CONTACT, contacts, credentials, ok_contact, secs, uri, value};
use crate::sip::HeaderName;
use crate::sip::digest;
use crate::ua::event::Binding;
use crate::ua::registration::State;

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
