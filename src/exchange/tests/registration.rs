//! RFC 3665 section 2, and what goes wrong.

use std::time::Duration;

use crate::exchange::Config;
use crate::sip::HeaderName;
use crate::sip::digest::Challenge;

use super::net::{Net, answer, config, peer, rows};

fn contacts(net: &Net, user: &str) -> Vec<String> {
    net.core.bindings(net.now, user).iter().map(|binding| binding.uri.to_string()).collect()
}

#[test]
fn new_registration() {
    // RFC 3665 section 2.1: REGISTER, 401, REGISTER, 200.
    let (mut net, bob) = (Net::new(&config()), peer("bob", 40001));
    let contact = "Contact: <sip:bob@127.0.0.1:40001>\r\nExpires: 3600\r\n";
    net.send(&bob, &bob.register(1, 1, contact));
    let challenge = net.expect(&bob, 401);
    let offered = rows(&challenge.headers, &HeaderName::WwwAuthenticate);
    assert!(offered[0].contains("algorithm=SHA-256") && offered[1].contains("algorithm=MD5"), "{offered:?}");
    assert!(offered.iter().all(|row| row.contains("realm=\"example.com\"") && !row.contains("stale")));
    assert!(contacts(&net, "bob").is_empty());

    let credentials = bob.credentials(&challenge, "REGISTER", "sip:example.com", 1);
    net.send(&bob, &bob.register(1, 2, &format!("{contact}Authorization: {credentials}\r\n")));
    let ok = net.expect(&bob, 200);
    assert_eq!(rows(&ok.headers, &HeaderName::Contact), ["<sip:bob@127.0.0.1:40001>;expires=3600"]);
    assert_eq!(contacts(&net, "bob"), ["sip:bob@127.0.0.1:40001"]);
    net.advance(Duration::from_secs(3601));
    assert!(contacts(&net, "bob").is_empty(), "it expires");
    net.assert_quiescent();
}

#[test]
fn one_nonce_serves_many_requests_and_no_request_twice() {
    let (mut net, bob) = (Net::new(&config()), peer("bob", 40001));
    net.send(&bob, &bob.register(1, 1, ""));
    let challenge = net.expect(&bob, 401);
    for nc in 1..4 {
        let credentials = bob.credentials(&challenge, "REGISTER", "sip:example.com", nc);
        net.send(&bob, &bob.register(1, nc + 1, &format!("Authorization: {credentials}\r\n")));
        net.expect(&bob, 200);
    }
    // Someone repeats what he overheard, in a request of his own.
    let credentials = bob.credentials(&challenge, "REGISTER", "sip:example.com", 3);
    let theft = format!("Contact: <sip:thief@127.0.0.1:6666>\r\nAuthorization: {credentials}\r\n");
    net.send(&bob, &bob.register(2, 1, &theft));
    let again = net.expect(&bob, 401);
    assert!(rows(&again.headers, &HeaderName::WwwAuthenticate)[0].contains("stale=true"));
    assert!(contacts(&net, "bob").is_empty());
}

#[test]
fn a_nonce_grows_stale() {
    let (mut net, bob) = (Net::new(&config()), peer("bob", 40001));
    net.send(&bob, &bob.register(1, 1, ""));
    let challenge = net.expect(&bob, 401);
    net.advance(Duration::from_secs(301));
    let credentials = bob.credentials(&challenge, "REGISTER", "sip:example.com", 1);
    net.send(&bob, &bob.register(1, 2, &format!("Authorization: {credentials}\r\n")));
    let fresh = net.expect(&bob, 401);
    assert!(rows(&fresh.headers, &HeaderName::WwwAuthenticate)[0].contains("stale=true"));
    let credentials = bob.credentials(&fresh, "REGISTER", "sip:example.com", 1);
    net.send(&bob, &bob.register(1, 3, &format!("Authorization: {credentials}\r\n")));
    net.expect(&bob, 200);
}

#[test]
fn wrong_passwords_and_unknown_users_get_the_same_answer() {
    let (mut net, bob, mallory) = (Net::new(&config()), peer("bob", 40001), peer("mallory", 40002));
    for (who, password) in [(&bob, "guess"), (&mallory, "secret")] {
        net.send(who, &who.register(1, 1, ""));
        let challenge = net.expect(who, 401);
        let row = rows(&challenge.headers, &HeaderName::WwwAuthenticate).remove(0);
        let challenge = Challenge::parse_row(row.as_bytes()).unwrap().remove(0).unwrap();
        let wrong = answer(&challenge, who.user, password, "REGISTER", "sip:example.com", 1);
        net.send(who, &who.register(1, 2, &format!("Authorization: {wrong}\r\n")));
        let refused = net.expect(who, 401);
        assert!(!rows(&refused.headers, &HeaderName::WwwAuthenticate)[0].contains("stale"), "not stale: wrong");
    }
}

#[test]
fn nobody_registers_for_someone_else() {
    let (mut net, carol, bob) = (Net::new(&config()), peer("carol", 40001), peer("bob", 40001));
    net.send(&carol, &carol.register(1, 1, ""));
    let challenge = net.expect(&carol, 401);
    let credentials = carol.credentials(&challenge, "REGISTER", "sip:example.com", 1);
    net.send(&bob, &bob.register(1, 2, &format!("Authorization: {credentials}\r\n")));
    net.expect(&bob, 403);
}

#[test]
fn update_query_and_cancel() {
    // RFC 3665 sections 2.2 to 2.4, in an exchange that asks for no password.
    let mut net = Net::new(&Config { users: Vec::new(), ..config() });
    let bob = peer("bob", 40001);
    net.send(&bob, &bob.register(1, 1, "Contact: <sip:bob@127.0.0.1:40001>;q=0.7\r\n"));
    net.expect(&bob, 200);
    net.send(&bob, &bob.register(1, 2, "Contact: <mailto:bob@example.com>;expires=4294967295\r\n"));
    let updated = rows(&net.expect(&bob, 200).headers, &HeaderName::Contact);
    let both = ["<mailto:bob@example.com>;expires=4294967295", "<sip:bob@127.0.0.1:40001>;q=0.700;expires=3600"];
    assert_eq!(updated, both);

    net.send(&bob, &bob.register(1, 3, ""));
    assert_eq!(rows(&net.expect(&bob, 200).headers, &HeaderName::Contact), both, "a query changes nothing");

    net.send(&bob, &bob.register(1, 4, "Contact: *\r\nExpires: 60\r\n"));
    net.expect(&bob, 400);
    net.send(&bob, &bob.register(1, 5, "Contact: *, <sip:a@b>\r\nExpires: 0\r\n"));
    net.expect(&bob, 400);
    net.send(&bob, &bob.register(1, 6, "Contact: *\r\nExpires: 0\r\n"));
    let none = net.expect(&bob, 200);
    assert!(rows(&none.headers, &HeaderName::Contact).is_empty());
    net.assert_quiescent();
}

#[test]
fn too_brief_an_interval() {
    let mut net = Net::new(&Config { users: Vec::new(), ..config() });
    let bob = peer("bob", 40001);
    net.send(&bob, &bob.register(1, 1, "Contact: <sip:bob@127.0.0.1:40001>;expires=30\r\n"));
    let brief = net.expect(&bob, 423);
    assert_eq!(rows(&brief.headers, &HeaderName::MinExpires), ["60"]);
    net.send(&bob, &bob.register(1, 2, "Contact: <sip:bob@127.0.0.1:40001>;expires=60\r\n"));
    net.expect(&bob, 200);
    net.send(&bob, &bob.register(1, 3, "Contact: <sip:bob@127.0.0.1:40001>;expires=0\r\n"));
    net.expect(&bob, 200);
    assert!(contacts(&net, "bob").is_empty());
}

#[test]
fn refused_registrations() {
    let mut net = Net::new(&Config { users: Vec::new(), ..config() });
    let bob = peer("bob", 40001);
    net.send(&bob, &bob.register(1, 5, "Contact: <sip:bob@127.0.0.1:40001>\r\n"));
    net.expect(&bob, 200);
    net.send(&bob, &bob.register(1, 4, "Contact: <sip:bob@127.0.0.1:40001>;expires=0\r\n"));
    net.expect(&bob, 500);
    assert_eq!(contacts(&net, "bob").len(), 1, "an old REGISTER changes nothing");
    net.send(&bob, &bob.register(1, 6, "Require: path, gruu\r\n"));
    assert_eq!(rows(&net.expect(&bob, 420).headers, &HeaderName::Unsupported), ["path, gruu"]);
    net.send(&bob, &bob.register(1, 7, "").replace("To: <sip:bob@example.com>", "To: <sip:bob@example.org>"));
    net.expect(&bob, 404);
    net.send(&bob, "not SIP at all");
    net.send(&bob, &bob.register(1, 8, "").replace("CSeq: 8 REGISTER", "CSeq: 8 INVITE"));
    net.expect(&bob, 400);
    net.send(&bob, &bob.register(1, 9, "").replace("CSeq: 9 REGISTER\r\n", ""));
    net.expect_nothing(&bob);
    net.assert_quiescent();
}
