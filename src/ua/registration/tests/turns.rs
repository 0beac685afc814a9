//! One REGISTER after the other, each with its own answer.

use super::{Bob, CHALLENGE, contacts, credentials, ok_contact, secs, uri, value};
use crate::sip::{HeaderName, ResponseBuilder, StatusCode};
use crate::ua::registration::{MAX_JOBS, NoAnswer, State};

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
