//! Challenges in calls (RFC 3261 section 22; which are answered: see the design decisions).

use offhook::ua::Config;
use offhook::ua::config::Credentials;
use offhook::ua::event::{EndedBy, Event};

use crate::harness::*;

const PROXY: &str = "Proxy-Authenticate";
const SERVER: &str = "WWW-Authenticate";

/// Alice, who has credentials at Bob's domain too.
fn alice_of_two_realms() -> Config {
    let mut config = alice();
    let more = Credentials { user: "alice2".to_owned(), password: "secret2".to_owned() };
    config.accounts[0].realms = vec![("biloxi.example.com".to_owned(), more)];
    config
}

fn proxy(phone: &Phone) -> Peer {
    phone.peer("ss1", "192.0.2.111:5060")
}

#[test]
fn rfc3665_3_3_each_proxy_of_a_call_may_ask() {
    let phone = Phone::new(alice_of_two_realms());
    let proxy = proxy(&phone);
    let call = phone.dial("sip:bob@biloxi.example.com");
    proxy.expect("INVITE").reply(407).challenge(PROXY, "atlanta.example.com", "n1");
    proxy.expect("ACK");
    let second = proxy.expect("INVITE");
    second.reply(100);
    second.reply(407).challenge(PROXY, "biloxi.example.com", "n2");
    proxy.expect("ACK");
    let third = proxy.expect("INVITE");
    assert_eq!(third.seq(), second.seq() + 1);
    let credentials = third.headers("Proxy-Authorization");
    assert_eq!(credentials.len(), 2, "{credentials:?}");
    assert!(credentials.iter().any(|row| row.contains("realm=\"atlanta.example.com\"") && row.contains("\"alice\"")));
    assert!(credentials.iter().any(|row| row.contains("realm=\"biloxi.example.com\"") && row.contains("\"alice2\"")));
    let leg = third.leg();
    third.reply(200).with("Record-Route", "<sip:ss1.atlanta.example.com;lr>").sdp(&sdp::bob());
    let ack = leg_at(&leg, &proxy).expect("ACK");
    assert_eq!(ack.headers("Proxy-Authorization"), credentials, "RFC 3261 section 22.1");
    expect_event!(phone, Event::Calling { .. });
    expect_event!(phone, Event::Media { .. });
    expect_event!(phone, Event::Established { .. });
    hang_up(&phone, call, &leg);
}

fn leg_at(leg: &Leg, peer: &Peer) -> Leg {
    Leg { peer: peer.clone(), ..leg.clone() }
}

#[test]
fn two_realms_in_one_response_and_a_401_after_a_407() {
    let phone = Phone::new(alice_of_two_realms());
    let proxy = proxy(&phone);
    phone.dial("sip:bob@biloxi.example.com");
    proxy.expect("INVITE").reply(407).challenge(PROXY, "atlanta.example.com", "n1").challenge(
        PROXY,
        "biloxi.example.com",
        "n2",
    );
    proxy.expect("ACK");
    let second = proxy.expect("INVITE");
    assert_eq!(second.headers("Proxy-Authorization").len(), 2);
    second.reply(401).challenge(SERVER, "biloxi.example.com", "n3");
    proxy.expect("ACK");
    let third = proxy.expect("INVITE");
    assert_eq!(third.headers("Proxy-Authorization").len(), 2);
    assert_eq!(third.headers("Authorization").len(), 1);
    third.reply(486);
    proxy.expect("ACK");
    expect_event!(phone, Event::Calling { .. });
    expect_event!(phone, Event::Ended { code: Some(486), .. });
    phone.assert_quiescent();
}

#[test]
fn a_wrong_password_ends_after_one_try() {
    let phone = Phone::new(alice());
    let proxy = proxy(&phone);
    phone.dial("sip:bob@biloxi.example.com");
    proxy.expect("INVITE").reply(407).challenge(PROXY, "atlanta.example.com", "n1");
    proxy.expect("ACK");
    proxy.expect("INVITE").reply(407).challenge(PROXY, "atlanta.example.com", "n2");
    proxy.expect("ACK");
    expect_event!(phone, Event::Calling { .. });
    expect_event!(phone, Event::Ended { by: EndedBy::Remote, code: Some(407), reason, .. }
        => assert!(reason.contains("password"), "{reason}"));
    phone.assert_quiescent();
}

#[test]
fn a_stale_nonce_is_another_matter() {
    let phone = Phone::new(alice());
    let proxy = proxy(&phone);
    phone.dial("sip:bob@biloxi.example.com");
    proxy.expect("INVITE").reply(407).challenge(PROXY, "atlanta.example.com", "n1");
    proxy.expect("ACK");
    let stale = "Digest realm=\"atlanta.example.com\", nonce=\"n2\", stale=TRUE, qop=\"auth\"";
    proxy.expect("INVITE").reply(407).with(PROXY, stale);
    proxy.expect("ACK");
    let third = proxy.expect("INVITE");
    assert!(third.header("Proxy-Authorization").contains("nonce=\"n2\""));
    third.reply(603);
    proxy.expect("ACK");
    expect_event!(phone, Event::Calling { .. });
    expect_event!(phone, Event::Ended { code: Some(603), .. });
    phone.assert_quiescent();
}

#[test]
fn a_nonce_is_used_again_so_that_the_next_call_needs_one_round() {
    let phone = Phone::new(alice());
    let proxy = proxy(&phone);
    phone.dial("sip:bob@biloxi.example.com");
    proxy.expect("INVITE").reply(407).challenge(PROXY, "atlanta.example.com", "n1");
    proxy.expect("ACK");
    proxy.expect("INVITE").reply(486);
    proxy.expect("ACK");
    phone.skip_events();
    phone.dial("sip:bob@biloxi.example.com");
    let invite = proxy.expect("INVITE");
    assert!(invite.header("Proxy-Authorization").contains("nc=00000002"), "{}", invite.header("Proxy-Authorization"));
    invite.reply(486);
    proxy.expect("ACK");
    phone.skip_events();
    phone.assert_quiescent();
}

#[test]
fn a_challenge_from_a_peer_directly_is_never_answered() {
    // Bob's account calls past its proxy, for there is no route.
    let phone = Phone::new(bob());
    let peer = phone.peer("mallory", "192.0.2.66:5060");
    phone.dial("sip:mallory@192.0.2.66");
    peer.expect("INVITE").reply(401).challenge(SERVER, "biloxi.example.com", "n1");
    peer.expect("ACK");
    expect_event!(phone, Event::Calling { .. });
    expect_event!(phone, Event::Ended { code: Some(401), .. });
    phone.assert_quiescent();

    // A re-INVITE and a BYE of ours in a call with him.
    let call = phone.dial("sip:mallory@192.0.2.66");
    expect_event!(phone, Event::Calling { .. });
    let leg = answered(&peer, &sdp::bob());
    expect_event!(phone, Event::Media { .. });
    expect_event!(phone, Event::Established { .. });
    phone.hold(call);
    peer.expect("INVITE").reply(407).challenge(PROXY, "biloxi.example.com", "n2");
    peer.expect("ACK");
    expect_event!(phone, Event::HoldRefused { message, .. } => assert!(message.contains("hold was refused"), "{message}"));
    phone.hang_up(call);
    leg.expect("BYE").reply(401).challenge(SERVER, "biloxi.example.com", "n3");
    expect_event!(phone, Event::Ended { .. });
    phone.assert_quiescent();
}

#[test]
fn a_peer_that_forges_the_address_of_our_server_gets_no_answer() {
    let phone = Phone::new(bob());
    let server = phone.peer("ss2", "192.0.2.222:5060");
    phone.register();
    let register = server.expect("REGISTER");
    register.reply(200).with("Contact", &format!("{};expires=3600", register.header("Contact")));
    phone.skip_events();
    let mallory = phone.peer("mallory", "192.0.2.66:5060");
    phone.dial("sip:mallory@192.0.2.66");
    let challenge = mallory.expect("INVITE").reply(401).challenge(SERVER, "biloxi.example.com", "n1");
    server.send(&challenge.with("P-Asserted-Identity", "<sip:bank@biloxi.example.com>").unsent());
    mallory.expect("ACK");
    expect_event!(phone, Event::Calling { .. });
    expect_event!(phone, Event::Ended { code: Some(401), .. });
    phone.assert_quiescent();
}

#[test]
fn a_reinvite_by_way_of_the_proxy_is_authorized_with_the_dialog_s_next_number() {
    let phone = Phone::new(alice());
    let proxy = proxy(&phone);
    let call = phone.dial("sip:bob@biloxi.example.com");
    let invite = proxy.expect("INVITE");
    let leg = invite.leg();
    invite.reply(200).with("Record-Route", "<sip:ss1.atlanta.example.com;lr>").sdp(&sdp::bob());
    proxy.expect("ACK");
    phone.skip_events();
    phone.hold(call);
    let hold = proxy.expect("INVITE");
    // A digit leaves meanwhile.
    phone.command(offhook::ua::Command::InfoDigit { call, digit: '1', duration_ms: 100 }).unwrap();
    let info = proxy.expect("INFO");
    info.reply(200);
    hold.reply(407).challenge(PROXY, "atlanta.example.com", "n1");
    proxy.expect("ACK");
    let again = proxy.expect("INVITE");
    assert_eq!((info.seq(), again.seq()), (hold.seq() + 1, hold.seq() + 2));
    assert_eq!(again.body(), hold.body());
    again.reply(200).sdp(&sdp::directed(2, "recvonly"));
    let ack = proxy.expect("ACK");
    assert_eq!(ack.seq(), again.seq());
    expect_event!(phone, Event::Media { .. });
    expect_event!(phone, Event::Held { .. });
    hang_up(&phone, call, &leg);
}
