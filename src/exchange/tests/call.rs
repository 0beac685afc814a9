//! Calls through the proxy.

use std::time::Duration;

use crate::exchange::Config;
use crate::sip::{HeaderName, Request, Response, Uri, text};

use super::net::{EXCHANGE, Net, Peer, config, peer, rows};

const RECORD_ROUTE: &str = "<sip:127.0.0.1:5060;lr>";

/// An exchange that asks for no password, with these peers registered.
fn open(peers: &[&Peer]) -> Net {
    let mut net = Net::new(&Config { users: Vec::new(), ..config() });
    for (id, who) in peers.iter().enumerate() {
        let id = 1000 + id as u32;
        net.send(who, &who.register(id, 1, &format!("Contact: <sip:{}@{}>\r\n", who.user, who.address)));
        net.expect(who, 200);
    }
    net
}

/// The caller's ACK or BYE in the dialog that `response` made.
fn in_dialog(caller: &Peer, method: &str, ok: &Response, id: u32, cseq: u32) -> String {
    let target = text(&ok.headers, &HeaderName::Contact);
    let target = target.trim_matches(['<', '>']).to_owned();
    let route = format!("Route: {}\r\n", text(&ok.headers, &HeaderName::RecordRoute));
    let request = caller.request(method, &target, id, cseq, &route);
    request.replace(&format!("To: <{target}>"), &format!("To: {}", text(&ok.headers, &HeaderName::To)))
}

/// The ACK for a refusal, in the INVITE's transaction.
fn ack_refusal(caller: &Peer, to: &str, id: u32, cseq: u32) -> String {
    caller.request("ACK", to, id, cseq, "")
}

fn via_count(request: &Request) -> usize {
    request.headers.count(&HeaderName::Via)
}

#[test]
fn a_call_with_digest_and_record_route() {
    // RFC 3665 section 3.2, with one proxy.
    let (mut net, alice, bob) = (Net::new(&config()), peer("alice", 40001), peer("bob", 40002));
    net.register(&bob);
    let to = "sip:bob@example.com";
    net.send(&alice, &alice.request("INVITE", to, 1, 1, ""));
    let challenge = net.expect(&alice, 407);
    net.send(&alice, &ack_refusal(&alice, to, 1, 1));
    net.expect_nothing(&bob);
    let credentials = alice.credentials(&challenge, "INVITE", to, 1);
    let identity = "P-Asserted-Identity: <sip:ceo@example.com>\r\n";
    let invite = alice.request("INVITE", to, 1, 2, &format!("Proxy-Authorization: {credentials}\r\n{identity}"));
    net.send(&alice, &invite);

    let at_bob = net.expect_request(&bob, "INVITE");
    assert_eq!(at_bob.uri.to_string(), "sip:bob@127.0.0.1:40002");
    assert_eq!(rows(&at_bob.headers, &HeaderName::RecordRoute), [RECORD_ROUTE]);
    assert_eq!(text(&at_bob.headers, &HeaderName::MaxForwards), "69");
    assert_eq!(via_count(&at_bob), 2);
    assert!(rows(&at_bob.headers, &HeaderName::Via)[1].contains(";rport=40001"));
    assert!(at_bob.headers.get(&HeaderName::ProxyAuthorization).is_none(), "the credentials stay here");
    assert!(at_bob.headers.get(&HeaderName::PAssertedIdentity).is_none(), "nobody asserts his own identity");

    net.advance(Duration::from_millis(250));
    net.expect(&alice, 100);
    net.send(&bob, &bob.reply(&at_bob, 180, ""));
    let ringing = net.expect(&alice, 180);
    assert_eq!(ringing.headers.count(&HeaderName::Via), 1);
    net.send(&bob, &bob.reply(&at_bob, 200, ""));
    let ok = net.expect(&alice, 200);
    net.send(&bob, &bob.reply(&at_bob, 200, ""));
    net.expect(&alice, 200);

    net.send(&alice, &in_dialog(&alice, "ACK", &ok, 1, 2));
    let ack = net.expect_request(&bob, "ACK");
    assert!(ack.headers.get(&HeaderName::Route).is_none());
    assert_eq!(ack.uri.to_string(), "sip:bob@127.0.0.1:40002");
    net.send(&alice, &in_dialog(&alice, "ACK", &ok, 1, 2));
    let again = net.expect_request(&bob, "ACK");
    assert_eq!(rows(&ack.headers, &HeaderName::Via)[0], rows(&again.headers, &HeaderName::Via)[0]);

    net.send(&alice, &in_dialog(&alice, "BYE", &ok, 1, 3));
    let bye = net.expect_request(&bob, "BYE");
    assert!(bye.headers.get(&HeaderName::RecordRoute).is_none());
    net.send(&bob, &bob.reply(&bye, 200, ""));
    net.expect(&alice, 200);
    net.assert_quiescent();
}

#[test]
fn a_from_of_someone_else_is_refused() {
    let (mut net, alice, mallory) = (Net::new(&config()), peer("alice", 40001), peer("carol", 40003));
    let to = "sip:bob@example.com";
    net.send(&alice, &alice.request("INVITE", to, 1, 1, ""));
    let challenge = net.expect(&alice, 407);
    net.send(&alice, &ack_refusal(&alice, to, 1, 1));
    // Carol knows her own password only, and says she is alice.
    let credentials = mallory.credentials(&challenge, "INVITE", to, 1);
    net.send(&alice, &alice.request("INVITE", to, 2, 1, &format!("Proxy-Authorization: {credentials}\r\n")));
    net.expect(&alice, 403);
}

#[test]
fn strangers_may_call_users_but_not_be_relayed() {
    let (mut net, bob, stranger) = (Net::new(&config()), peer("bob", 40002), peer("eve", 40009));
    net.register(&bob);
    let from_elsewhere = |request: String| request.replace("eve@example.com", "eve@example.org");
    net.send(&stranger, &from_elsewhere(stranger.request("INVITE", "sip:bob@example.com", 1, 1, "")));
    let invite = net.expect_request(&bob, "INVITE");
    net.send(&bob, &bob.reply(&invite, 486, ""));
    net.expect_request(&bob, "ACK");
    net.expect(&stranger, 486);
    net.send(&stranger, &from_elsewhere(stranger.request("INVITE", "sip:x@192.0.2.1", 2, 1, "")));
    net.expect(&stranger, 403);
    // Nor inside a dialog that never was.
    let forged =
        stranger.request("BYE", "sip:x@192.0.2.1", 3, 1, "").replace("To: <sip:x@192.0.2.1>", "To: <sip:x@y>;tag=1");
    net.send(&stranger, &forged);
    net.expect(&stranger, 404);
    net.assert_quiescent();
}

#[test]
fn nobody_there() {
    let (mut net, alice) = (Net::new(&config()), peer("alice", 40001));
    let mut code = |to: &str, expected: u16| {
        let id = net.fresh();
        net.send(&alice, &alice.request("INVITE", to, id, 1, ""));
        let challenge = net.expect(&alice, 407);
        let credentials = alice.credentials(&challenge, "INVITE", to, 1);
        let again = alice.request("INVITE", to, id, 2, &format!("Proxy-Authorization: {credentials}\r\n"));
        net.send(&alice, &again);
        net.expect(&alice, expected);
        net.send(&alice, &ack_refusal(&alice, to, id, 2));
    };
    code("sip:bob@example.com", 480);
    code("sip:nobody@example.com", 404);
    code("sip:someone@elsewhere.example", 404);
}

#[test]
fn a_cancelled_call() {
    let (alice, bob) = (peer("alice", 40001), peer("bob", 40002));
    let mut net = open(&[&bob]);
    let to = "sip:bob@example.com";
    net.send(&alice, &alice.request("INVITE", to, 1, 1, ""));
    let invite = net.expect_request(&bob, "INVITE");
    // Before any provisional response the CANCEL is answered, but waits (RFC 3261 section 9.1).
    net.send(&alice, &alice.request("CANCEL", to, 1, 1, ""));
    net.expect(&alice, 200);
    net.expect_nothing(&bob);
    net.send(&bob, &bob.reply(&invite, 180, ""));
    let cancel = net.expect_request(&bob, "CANCEL");
    assert_eq!(rows(&cancel.headers, &HeaderName::Via), rows(&invite.headers, &HeaderName::Via)[..1]);
    net.send(&bob, &bob.reply(&cancel, 200, ""));
    net.send(&bob, &bob.reply(&invite, 487, ""));
    net.expect_request(&bob, "ACK");
    net.expect(&alice, 487);
    net.send(&alice, &ack_refusal(&alice, to, 1, 1));
    net.expect_nothing(&alice);
    net.send(&alice, &alice.request("CANCEL", to, 9, 1, ""));
    net.expect(&alice, 481);
    net.assert_quiescent();
}

/// Bob has two phones.
fn two_phones() -> (Net, Peer, Peer, Peer) {
    let (alice, desk, mobile) = (peer("alice", 40001), peer("bob", 40002), peer("bob", 40003));
    (open(&[&desk, &mobile]), alice, desk, mobile)
}

#[test]
fn all_phones_ring_and_the_first_to_answer_has_the_call() {
    let (mut net, alice, desk, mobile) = two_phones();
    net.send(&alice, &alice.request("INVITE", "sip:bob@example.com", 1, 1, ""));
    let (at_desk, at_mobile) = (net.expect_request(&desk, "INVITE"), net.expect_request(&mobile, "INVITE"));
    net.send(&desk, &desk.reply(&at_desk, 180, ""));
    net.send(&mobile, &mobile.reply(&at_mobile, 180, ""));
    net.expect(&alice, 180);
    net.expect(&alice, 180);
    net.send(&mobile, &mobile.reply(&at_mobile, 200, ""));
    let ok = net.expect(&alice, 200);
    assert!(text(&ok.headers, &HeaderName::Contact).contains("40003"));
    let cancel = net.expect_request(&desk, "CANCEL");
    assert!(text(&cancel.headers, &HeaderName::Reason).contains("cause=200"), "no missed call");
    net.send(&desk, &desk.reply(&cancel, 200, ""));
    net.send(&desk, &desk.reply(&at_desk, 487, ""));
    net.expect_request(&desk, "ACK");
    net.expect_nothing(&alice);
    net.assert_quiescent();
}

#[test]
fn two_answers_at_once_both_go_back() {
    let (mut net, alice, desk, mobile) = two_phones();
    net.send(&alice, &alice.request("INVITE", "sip:bob@example.com", 1, 1, ""));
    let (at_desk, at_mobile) = (net.expect_request(&desk, "INVITE"), net.expect_request(&mobile, "INVITE"));
    net.send(&desk, &desk.reply(&at_desk, 200, ""));
    net.send(&mobile, &mobile.reply(&at_mobile, 200, ""));
    net.expect(&alice, 200);
    net.expect(&alice, 200);
    net.assert_quiescent();
}

#[test]
fn the_best_refusal_goes_back_when_all_have_refused() {
    let (mut net, alice, desk, mobile) = two_phones();
    net.send(&alice, &alice.request("INVITE", "sip:bob@example.com", 1, 1, ""));
    let (at_desk, at_mobile) = (net.expect_request(&desk, "INVITE"), net.expect_request(&mobile, "INVITE"));
    net.send(&desk, &desk.reply(&at_desk, 503, ""));
    net.expect_request(&desk, "ACK");
    net.expect_nothing(&alice);
    net.send(&mobile, &mobile.reply(&at_mobile, 486, ""));
    net.expect_request(&mobile, "ACK");
    net.expect(&alice, 486);
    net.assert_quiescent();
}

#[test]
fn a_6xx_stops_the_other_phones() {
    let (mut net, alice, desk, mobile) = two_phones();
    net.send(&alice, &alice.request("INVITE", "sip:bob@example.com", 1, 1, ""));
    let (at_desk, at_mobile) = (net.expect_request(&desk, "INVITE"), net.expect_request(&mobile, "INVITE"));
    net.send(&desk, &desk.reply(&at_desk, 180, ""));
    net.expect(&alice, 180);
    net.send(&mobile, &mobile.reply(&at_mobile, 603, ""));
    net.expect_request(&mobile, "ACK");
    net.expect_request(&desk, "CANCEL");
    net.expect_nothing(&alice);
    net.send(&desk, &desk.reply(&at_desk, 487, ""));
    net.expect(&alice, 603);
    net.assert_quiescent();
}

#[test]
fn a_phone_that_is_gone() {
    let (alice, bob) = (peer("alice", 40001), peer("bob", 40002));
    let mut net = open(&[&bob]);
    net.send(&alice, &alice.request("INVITE", "sip:bob@example.com", 1, 1, ""));
    net.advance(Duration::from_secs(33));
    net.expect(&alice, 100);
    net.expect(&alice, 408);
    net.send(&alice, &ack_refusal(&alice, "sip:bob@example.com", 1, 1));
    while net.take(&alice).is_some() {}
    // RFC 4320 section 4.2: a late 408 to anything else helps nobody.
    let options = alice.request("OPTIONS", "sip:bob@example.com", 2, 1, "");
    net.send(&alice, &options);
    net.assert_quiescent();
    net.expect_nothing(&alice);
}

#[test]
fn timer_c_ends_a_call_that_rings_for_ever() {
    let (alice, bob) = (peer("alice", 40001), peer("bob", 40002));
    let mut net = open(&[&bob]);
    net.send(&alice, &alice.request("INVITE", "sip:bob@example.com", 1, 1, ""));
    let invite = net.expect_request(&bob, "INVITE");
    net.send(&bob, &bob.reply(&invite, 180, ""));
    net.expect(&alice, 180);
    net.advance(Duration::from_secs(170));
    net.send(&bob, &bob.reply(&invite, 180, ""));
    net.expect(&alice, 180);
    net.advance(Duration::from_secs(170));
    net.expect_nothing(&bob);
    net.advance(Duration::from_secs(12));
    net.expect_request(&bob, "CANCEL");
    // Bob is dead by now: nothing answers the CANCEL.
    net.advance(Duration::from_secs(33));
    net.expect(&alice, 408);
    net.assert_quiescent();
}

#[test]
fn too_many_hops_loops_and_extensions() {
    let (alice, bob) = (peer("alice", 40001), peer("bob", 40002));
    let mut net = open(&[&bob]);
    let to = "sip:bob@example.com";
    let last_hop = alice.request("INVITE", to, 1, 1, "").replace("Max-Forwards: 70", "Max-Forwards: 0");
    net.send(&alice, &last_hop);
    net.expect(&alice, 483);
    net.send(&alice, &alice.request("INVITE", to, 2, 1, "Proxy-Require: teleport\r\n"));
    assert_eq!(rows(&net.expect(&alice, 420).headers, &HeaderName::Unsupported), ["teleport"]);
    net.send(&alice, &alice.request("INVITE", "sips:bob@example.com", 3, 1, ""));
    net.expect(&alice, 416);
    net.send(&alice, &alice.request("INVITE", to, 4, 1, "").replace(" SIP/2.0\r\nVia", " SIP/7.0\r\nVia"));
    net.expect(&alice, 505);

    // A phone sends the request back as it was before: a loop. To another user: a spiral.
    net.send(&alice, &alice.request("INVITE", to, 5, 1, ""));
    let invite = net.expect_request(&bob, "INVITE");
    let mut back = Vec::new();
    invite.write_to(&mut back);
    let back = String::from_utf8(back).unwrap();
    let vias = "Via: SIP/2.0/UDP 127.0.0.1:40002;branch=z9hG4bKloop;rport\r\nVia: ";
    let back = back.replacen("Via: ", vias, 1);
    net.send(&bob, &back.replace("INVITE sip:bob@127.0.0.1:40002", "INVITE sip:bob@example.com"));
    net.expect(&bob, 482);
    let spiral = back.replace("INVITE sip:bob@127.0.0.1:40002", "INVITE sip:nobody@example.com");
    net.send(&bob, &spiral.replace("z9hG4bKloop", "z9hG4bKspiral"));
    net.expect(&bob, 404);
}

#[test]
fn strict_routers_before_and_after() {
    let (alice, bob) = (peer("alice", 40001), peer("bob", 40002));
    let mut net = open(&[]);
    // RFC 3261 section 16.4: a strict router before us put our Record-Route into the Request-URI.
    let strict = alice
        .request("BYE", &format!("sip:{EXCHANGE};lr"), 1, 1, "Route: <sip:bob@127.0.0.1:40002>\r\n")
        .replace("To: <sip:127.0.0.1:5060;lr>", "To: <sip:bob@example.com>;tag=1");
    net.send(&alice, &strict);
    let bye = net.expect_request(&bob, "BYE");
    assert_eq!(bye.uri.to_string(), "sip:bob@127.0.0.1:40002");
    assert!(bye.headers.get(&HeaderName::Route).is_none());
    net.send(&bob, &bob.reply(&bye, 200, ""));
    net.expect(&alice, 200);
    // Section 16.6 step 6: a strict router after us finds itself in the Request-URI.
    let routes = format!("Route: <sip:{EXCHANGE};lr>, <sip:127.0.0.1:40002>\r\n");
    net.send(&alice, &alice.request("OPTIONS", "sip:x@192.0.2.1", 2, 1, &routes));
    let options = net.expect_request(&bob, "OPTIONS");
    assert_eq!(options.uri.to_string(), "sip:127.0.0.1:40002");
    assert_eq!(rows(&options.headers, &HeaderName::Route), ["<sip:x@192.0.2.1>"]);
    net.send(&bob, &bob.reply(&options, 200, ""));
    net.expect(&alice, 200);
    net.assert_quiescent();
}

#[test]
fn questions_to_the_exchange_itself() {
    let (mut net, alice) = (Net::new(&config()), peer("alice", 40001));
    net.send(&alice, &alice.request("OPTIONS", "sip:example.com", 1, 1, ""));
    let ok = net.expect(&alice, 200);
    assert!(text(&ok.headers, &HeaderName::To).contains(";tag="));
    net.send(&alice, &alice.request("MESSAGE", "sip:127.0.0.1:5060", 2, 1, ""));
    net.expect(&alice, 405);
    net.assert_quiescent();
}

#[test]
fn extensions_need_no_registration_and_tel_numbers_are_users() {
    let (alice, echo) = (peer("alice", 40001), peer("600", 40600));
    let mut net = open(&[]);
    net.core.add_extension("600", None, Uri::parse("sip:600@127.0.0.1:40600".into()).unwrap());
    for (id, to) in ["sip:600@example.com", "tel:600", "tel:6-0-0"].into_iter().enumerate() {
        net.send(&alice, &alice.request("INVITE", to, id as u32, 1, ""));
        let invite = net.expect_request(&echo, "INVITE");
        assert_eq!(invite.uri.to_string(), "sip:600@127.0.0.1:40600");
        net.send(&echo, &echo.reply(&invite, 486, ""));
        net.expect_request(&echo, "ACK");
        net.expect(&alice, 486);
    }
}

#[test]
fn a_phone_behind_a_nat_is_called_where_it_was_seen() {
    let (alice, seen) = (peer("alice", 40001), peer("bob", 40002));
    let mut net = open(&[]);
    let inside = peer("bob", 5062);
    net.send(&seen, &inside.register(1, 1, "Contact: <sip:bob@127.0.0.1:5062>\r\n"));
    net.expect(&seen, 200);
    net.send(&alice, &alice.request("INVITE", "sip:bob@example.com", 1, 1, ""));
    let invite = net.expect_request(&seen, "INVITE");
    assert_eq!(invite.uri.to_string(), "sip:bob@127.0.0.1:5062");
}
