//! The next server when one fails (RFC 3263 section 4.3, RFC 3665 section 3.4).

use offhook::sip::transport::Transport;
use offhook::ua::event::{EndedBy, Event};

use crate::harness::*;

const PROXY_2: &str = "192.0.2.112:5060";

/// Alice, with a second outbound proxy.
fn alice_with_two_proxies() -> Phone {
    let mut config = alice();
    config.accounts[0].fallbacks = vec![vec![uri("sip:192.0.2.112;lr")]];
    Phone::new(config)
}

/// The first datagram to a peer that is `method`; those before it are thrown away.
#[track_caller]
fn first(peer: &Peer, method: &'static str) -> Got {
    let got = peer.expect(method);
    peer.phone.world().inboxes.remove(&peer.address);
    got
}

/// 3.4 Session with multiple proxies' failure: the first is dead, the call goes by the second.
#[test]
fn s3_4_a_dead_proxy_is_left_for_the_next() {
    let phone = alice_with_two_proxies();
    let (dead, alive) = (phone.peer("ss1", "192.0.2.111:5060"), phone.peer("ss2", PROXY_2));
    phone.dial("sip:bob@biloxi.example.com");
    expect_event!(phone, Event::Calling { .. });
    let f1 = dead.expect("INVITE");
    assert_eq!(f1.header("Route"), "<sip:ss1.atlanta.example.com;lr>");
    phone.advance(s(32));
    phone.world().inboxes.remove(&dead.address);
    let f2 = alive.expect("INVITE");
    assert_eq!(f2.header("Route"), "<sip:192.0.2.112;lr>");
    for name in ["Call-ID", "From", "To", "CSeq", "Contact"] {
        assert_eq!(f2.header(name), f1.header(name), "RFC 3263 4.3: identical but for the branch");
    }
    assert_ne!(f2.header("Via"), f1.header("Via"));
    let leg = f2.leg();
    f2.reply(200).sdp(&sdp::bob());
    leg.expect("ACK");
    expect_event!(phone, Event::Media { .. });
    expect_event!(phone, Event::Established { .. });
}

#[test]
fn a_503_and_a_refused_datagram_go_to_the_next_at_once_and_the_failed_one_is_left_alone() {
    for refused in [false, true] {
        let phone = alice_with_two_proxies();
        let (down, alive) = (phone.peer("ss1", "192.0.2.111:5060"), phone.peer("ss2", PROXY_2));
        phone.register();
        let register = down.expect("REGISTER");
        match refused {
            true => phone.refuse("192.0.2.111:5060"),
            false => drop(register.reply(503).with("Retry-After", "20")),
        }
        let second = first(&alive, "REGISTER");
        assert_eq!(second.header("CSeq"), register.header("CSeq"));
        let contact = second.header("Contact");
        second.reply(200).with("Contact", &format!("{contact};expires=3600"));
        expect_event!(phone, Event::Registering { .. });
        expect_event!(phone, Event::Registered { .. });
        // What begins now goes to the one that answers; later the first is asked again.
        phone.dial("sip:bob@biloxi.example.com");
        first(&alive, "INVITE").reply(486);
        phone.advance(s(60));
        phone.skip_events();
        phone.skip_datagrams();
        phone.dial("sip:bob@biloxi.example.com");
        down.expect("INVITE").reply(486);
    }
}

#[test]
fn the_addresses_of_one_name_are_tried_in_turn_until_none_is_left() {
    let phone = Phone::new(bob());
    phone.also_at("ss2.biloxi.example.com", "192.0.2.223:5060");
    let (one, two) = (phone.peer("a", "192.0.2.222:5060"), phone.peer("b", "192.0.2.223:5060"));
    phone.register();
    first(&one, "REGISTER").reply(503);
    first(&two, "REGISTER").reply(503);
    expect_event!(phone, Event::Registering { .. });
    expect_event!(phone, Event::RegistrationFailed { code: 503, .. });
}

#[test]
fn a_call_that_nobody_takes_ends_once() {
    let phone = alice_with_two_proxies();
    phone.dial("sip:bob@biloxi.example.com");
    expect_event!(phone, Event::Calling { .. });
    phone.refuse("192.0.2.111:5060");
    phone.refuse(PROXY_2);
    expect_event!(phone, Event::Ended { by: EndedBy::Transport, code: Some(503), .. });
    phone.skip_datagrams();
    phone.assert_quiescent();
}

#[test]
fn a_call_that_was_hung_up_does_not_go_elsewhere() {
    let phone = alice_with_two_proxies();
    let (one, two) = (phone.peer("ss1", "192.0.2.111:5060"), phone.peer("ss2", PROXY_2));
    let call = phone.dial("sip:bob@biloxi.example.com");
    let invite = first(&one, "INVITE");
    phone.hang_up(call);
    invite.reply(503);
    one.expect("ACK");
    two.expect_nothing();
}

#[test]
fn a_request_too_long_for_a_datagram_leaves_by_tcp_and_falls_back() {
    let phone = Phone::new(direct());
    let bob = phone.bob();
    let long = "b".repeat(700);
    phone.dial_direct(&format!("sip:{long}@192.0.2.201"));
    let by_tcp = bob.expect("INVITE");
    assert!(by_tcp.header("Via").starts_with("SIP/2.0/TCP "), "{}", by_tcp.header("Via"));
    phone.refuse_by(Transport::Tcp, "192.0.2.201:5060");
    let by_udp = bob.expect("INVITE");
    assert!(by_udp.header("Via").starts_with("SIP/2.0/UDP "));
    assert_eq!(by_udp.header("Call-ID"), by_tcp.header("Call-ID"));
    by_udp.reply(486);
    bob.expect("ACK");
}

#[test]
fn a_far_side_behind_nat_is_reached_where_it_was_seen() {
    let phone = Phone::new(direct());
    let bob = phone.bob();
    let call = phone.dial_direct("sip:bob@192.0.2.201");
    let invite = bob.expect("INVITE");
    invite.reply(200).contact("<sip:bob@192.168.1.5:5060>").sdp(&sdp::bob());
    assert_eq!(bob.expect("ACK").uri(), "sip:bob@192.168.1.5:5060");
    phone.hang_up(call);
    let bye = bob.expect("BYE");
    assert_eq!(bye.uri(), "sip:bob@192.168.1.5:5060");
    bye.reply(200);
    phone.skip_events();
    phone.assert_quiescent();
}
