//! Which Contact is registered: ours, the one that the registrar sees, with what it grants.

use super::{Bob, CHALLENGE, CONTACT, contacts, ok_contact, secs, uri, value};
use crate::sip::HeaderName;
use crate::ua::registration::{Step, nat::Nat};

const VIA: &str = "SIP/2.0/UDP 192.0.2.201:5060;branch=z9hG4bK1;received=203.0.113.9;rport=40000";
const SEEN: &str = "sip:x7f@203.0.113.9:40000";
const MARK: &str = ";+sip.instance=\"<urn:uuid:f81d4fae-7dec-11d0-a765-00a0c91e6bf6>\"";

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

fn with_instance() -> Bob {
    let mut bob = Bob::new();
    bob.registration.instance = Some("urn:uuid:f81d4fae-7dec-11d0-a765-00a0c91e6bf6".to_owned());
    bob
}

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
