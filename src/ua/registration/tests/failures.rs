//! What failed: for good, or until a pause is over.

use std::time::Duration;

use super::{Bob, CONTACT, contacts, ok_contact, secs, uri};
use crate::sip::HeaderName;
use crate::ua::registration::{FLOW_PAUSE, NoAnswer, State};

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
