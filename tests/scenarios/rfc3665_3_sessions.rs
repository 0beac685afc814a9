//! RFC 3665 section 3: sessions, as far as one user agent sees them.

use offhook::ua::Command;
use offhook::ua::event::{EndedBy, Event};

use crate::harness::*;

/// 3.1 Successful session establishment, Alice's side.
#[test]
fn s3_1_successful_session_establishment_alice() {
    let phone = Phone::new(direct());
    let bob = phone.bob();
    let call = phone.dial_direct("sip:bob@192.0.2.201");
    expect_event!(phone, Event::Calling { .. });
    let f1 = bob.expect("INVITE");
    assert_eq!(f1.uri(), "sip:bob@192.0.2.201");
    assert_eq!(f1.header("To"), "<sip:bob@192.0.2.201>");
    assert_eq!(f1.header("Content-Type"), "application/sdp");
    f1.has_line("m=audio 49170 RTP/AVP 0 8 101").has_line("c=IN IP4 192.0.2.101").has_line("a=rtpmap:0 PCMU/8000");
    assert!(f1.header("Allow").contains("INVITE, ACK, CANCEL, BYE"));
    let supported = f1.header("Supported");
    assert!(!supported.contains("path") && !supported.contains("join"), "what is not built is not listed: {supported}");
    assert!(f1.header("Supported").contains("100rel"));
    f1.reply(180);
    expect_event!(phone, Event::Ringing { code: 180, early_media: false, .. });
    phone.advance(s(10));
    let leg = f1.leg();
    f1.reply(200).sdp(&sdp::bob());
    let f4 = leg.expect("ACK");
    assert_eq!(f4.uri(), "sip:bob@192.0.2.201:5060", "the Contact");
    assert_eq!(f4.header("To"), "<sip:bob@192.0.2.201>;tag=bob");
    assert_eq!(f4.seq(), f1.seq());
    assert_ne!(f4.header("Via"), f1.header("Via"), "a transaction of its own");
    let media = expect_event!(phone, Event::Media { media, .. } => media);
    assert_eq!(media.remote_rtp, "192.0.2.201:3456".parse().unwrap());
    assert!(media.send && media.receive_audio && !media.held_by_peer);
    expect_event!(phone, Event::Established { call: no } => assert_eq!(no, call));
    phone.advance(s(40));
    phone.hang_up(call);
    let f5 = leg.expect("BYE");
    assert_eq!(f5.seq(), f1.seq() + 1);
    f5.reply(200);
    expect_event!(phone, Event::Ended { by: EndedBy::Local, answered_for: Some(duration), .. }
        => assert_eq!(duration, s(40)));
    phone.assert_quiescent();
}

/// 3.1, Bob's side.
#[test]
fn s3_1_successful_session_establishment_bob() {
    let phone = Phone::new(direct());
    let alice = phone.peer("alice", "192.0.2.201:5060");
    let f1 = alice.invite().sdp(&sdp::bob()).sent();
    let f2 = alice.expect(180);
    assert_eq!(f2.header("From"), f1.from);
    assert!(!f2.header("Contact").is_empty());
    let call = expect_event!(phone, Event::Incoming { call, .. } => call);
    phone.advance(s(5));
    phone.answer(call);
    let f3 = alice.expect(200);
    assert_eq!(f3.tag("To"), f2.tag("To"), "one dialog");
    f3.has_line("m=audio 49170 RTP/AVP 0").has_line("c=IN IP4 192.0.2.101");
    let mut leg = f3.leg();
    leg.ack();
    expect_event!(phone, Event::Media { .. });
    expect_event!(phone, Event::Established { .. });
    phone.assert_silent();
    phone.advance(s(60));
    hung_up(&phone, &mut leg);
}

/// 3.2 and 3.3, the first hop: the proxy's challenge, and its routes for the rest of the call.
#[test]
fn s3_2_session_establishment_through_proxies() {
    let phone = Phone::new(alice());
    let proxy = phone.peer("ss1", "192.0.2.111:5060");
    let call = phone.dial("sip:bob@biloxi.example.com");
    expect_event!(phone, Event::Calling { account: Some(ACCOUNT), .. });
    let f1 = proxy.expect("INVITE");
    assert_eq!(f1.uri(), "sip:bob@biloxi.example.com");
    assert_eq!(f1.header("Route"), "<sip:ss1.atlanta.example.com;lr>");
    assert!(f1.header("From").starts_with("\"Alice\" <sip:alice@atlanta.example.com>;tag="));
    f1.reply(407).challenge("Proxy-Authenticate", "atlanta.example.com", "wf84f1ceczx41ae6cbe5aea9c8e88d359");
    let f3 = proxy.expect("ACK");
    assert_eq!((f3.header("Via"), f3.seq()), (f1.header("Via"), f1.seq()), "in the INVITE's transaction");
    let f4 = proxy.expect("INVITE");
    assert_eq!(f4.seq(), f1.seq() + 1);
    assert_eq!((f4.header("Call-ID"), f4.header("From")), (f1.header("Call-ID"), f1.header("From")));
    assert_eq!(f4.body(), f1.body());
    assert!(f4.header("Proxy-Authorization").contains("realm=\"atlanta.example.com\""));
    f4.reply(100);
    f4.reply(180).tag("314159").contact("<sip:bob@client.biloxi.example.com>");
    expect_event!(phone, Event::Ringing { .. });
    let mut leg = f4.leg_with("314159");
    f4.reply(200)
        .tag("314159")
        .contact("<sip:bob@client.biloxi.example.com>")
        .with("Record-Route", "<sip:ss2.biloxi.example.com;lr>, <sip:ss1.atlanta.example.com;lr>")
        .sdp(&sdp::bob());
    let ack = proxy.expect("ACK");
    assert_eq!(ack.uri(), "sip:bob@client.biloxi.example.com");
    assert_eq!(ack.headers("Route").join(", "), "<sip:ss1.atlanta.example.com;lr>, <sip:ss2.biloxi.example.com;lr>");
    assert_eq!(ack.header("Proxy-Authorization"), f4.header("Proxy-Authorization"), "RFC 3261 section 22.1");
    expect_event!(phone, Event::Media { .. });
    expect_event!(phone, Event::Established { .. });
    let _ = call;
    hung_up(&phone, &mut leg);
}

/// 3.7 Session with re-INVITE (IP address change): Bob moves.
/// The called side of 3.6, whose INVITE comes without a description: F11, F12, F14, F18 to F20.
#[test]
fn s3_6_session_with_sdp_in_ack_bob() {
    let phone = Phone::new(bob());
    let proxy = phone.peer("ss3", "192.0.2.222:5060");
    phone.register();
    let register = proxy.expect("REGISTER");
    let contact = register.header("Contact").split(['<', '>']).nth(1).unwrap().to_owned();
    register.reply(200).with("Contact", &format!("<{contact}>;expires=3600"));
    phone.skip_events();
    let f11 =
        proxy.invite().uri(&contact).to("<sip:bob@biloxi.example.com>").with("Record-Route", "<sip:192.0.2.222;lr>");
    f11.with("Contact", "<sip:alice@client.atlanta.example.com>").sent();
    let f12 = proxy.expect(180);
    assert_eq!((f12.body(), f12.header("Record-Route")), (String::new(), "<sip:192.0.2.222;lr>".to_owned()));
    let call = expect_event!(phone, Event::Incoming { call, .. } => call);
    phone.answer(call);
    let f14 = proxy.expect(200);
    f14.has_line("m=audio 49170 RTP/AVP 0 8 101");
    let mut leg = f14.leg();
    expect_event!(phone, Event::Established { .. });
    leg.ack().sdp(&sdp::bob());
    expect_event!(phone, Event::Media { media, .. } => assert_eq!(media.remote_rtp.port(), 3456));
    hung_up(&phone, &mut leg);
}

#[test]
fn s3_7_reinvite_after_an_address_change() {
    let phone = Phone::new(direct());
    let (call, mut leg) = call_out(&phone);
    let moved = phone.peer("bob", "192.0.2.211:5060");
    leg.peer = moved.clone();
    let f9 = leg.request("INVITE").sdp(&sdp::at("192.0.2.211", 49178, 2, "0", "")).sent();
    let f10 = moved.expect(200);
    assert_eq!(f10.seq(), f9.seq);
    f10.has_line("m=audio 49170 RTP/AVP 0").has_line("c=IN IP4 192.0.2.101");
    leg.ack();
    let media = expect_event!(phone, Event::Media { media, .. } => media);
    assert_eq!(media.remote_rtp, "192.0.2.211:49178".parse().unwrap());
    phone.hang_up(call);
    let f12 = moved.expect("BYE");
    assert_eq!(f12.uri(), "sip:bob@192.0.2.211:5060", "the new Contact");
    f12.reply(200);
    expect_event!(phone, Event::Ended { .. });
    phone.assert_quiescent();
}

/// 3.8 Unsuccessful no answer, Alice's side: she gives up.
#[test]
fn s3_8_unsuccessful_no_answer_alice() {
    let phone = Phone::new(alice());
    let proxy = phone.peer("ss1", "192.0.2.111:5060");
    let call = phone.dial("sip:bob@biloxi.example.com");
    let f1 = proxy.expect("INVITE");
    f1.reply(100);
    f1.reply(180);
    phone.advance(s(30));
    phone.hang_up(call);
    let f9 = proxy.expect("CANCEL");
    assert_eq!((f9.header("Via"), f9.uri()), (f1.header("Via"), f1.uri()), "RFC 3261 section 9.1");
    assert_eq!((f9.header("To"), f9.header("From")), (f1.header("To"), f1.header("From")));
    assert_eq!(f9.header("Route"), f1.header("Route"));
    assert_eq!(f9.header("CSeq"), format!("{} CANCEL", f1.seq()));
    f9.reply(200);
    f1.reply(487);
    let f20 = proxy.expect("ACK");
    assert_eq!(f20.header("Via"), f1.header("Via"));
    expect_event!(phone, Event::Calling { .. });
    expect_event!(phone, Event::Ringing { .. });
    expect_event!(phone, Event::Ended { by: EndedBy::Local, code: Some(487), answered_for: None, .. });
    phone.assert_quiescent();
}

/// 3.8, Bob's side: the caller gives up.
#[test]
fn s3_8_unsuccessful_no_answer_bob() {
    let phone = Phone::new(direct());
    let alice = phone.peer("alice", "192.0.2.201:5060");
    let f4 = alice.invite().sdp(&sdp::bob()).sent();
    let ringing = alice.expect(180);
    phone.advance(s(30));
    f4.cancel();
    let f14 = alice.expect(200);
    assert_eq!(f14.header("CSeq"), "1 CANCEL");
    assert_eq!(f14.tag("To"), ringing.tag("To"), "RFC 3261 section 9.2");
    let f15 = alice.expect(487);
    assert_eq!(f15.header("CSeq"), "1 INVITE");
    assert_eq!(f15.tag("To"), ringing.tag("To"));
    f4.ack(&f15);
    expect_event!(phone, Event::Incoming { .. });
    expect_event!(phone, Event::Ended { by: EndedBy::Remote, code: Some(487), .. });
    phone.assert_quiescent();
}

/// 3.9 Unsuccessful busy.
#[test]
fn s3_9_unsuccessful_busy() {
    let phone = Phone::new(alice());
    let proxy = phone.peer("ss1", "192.0.2.111:5060");
    phone.dial("sip:bob@biloxi.example.com");
    let f1 = proxy.expect("INVITE");
    f1.reply(100);
    f1.reply(486);
    proxy.expect("ACK");
    expect_event!(phone, Event::Calling { .. });
    expect_event!(phone, Event::Ended { by: EndedBy::Remote, code: Some(486), reason, .. }
        => assert_eq!(reason, "Busy Here"));
    // The refusal comes again, and so does its ACK.
    f1.reply(486);
    proxy.expect("ACK");
    phone.assert_quiescent();

    let phone = Phone::new(direct());
    let alice = phone.peer("alice", "192.0.2.201:5060");
    let invite = alice.invite().sdp(&sdp::bob()).sent();
    let ringing = alice.expect(180);
    let call = expect_event!(phone, Event::Incoming { call, .. } => call);
    phone.command(Command::Reject { call, code: 486 }).unwrap();
    let busy = alice.expect(486);
    assert_eq!(busy.tag("To"), ringing.tag("To"));
    phone.advance(ms(500));
    alice.expect(486); // Timer G
    invite.ack(&busy);
    expect_event!(phone, Event::Ended { by: EndedBy::Local, code: Some(486), .. });
    phone.assert_quiescent();
}

/// 3.10 Unsuccessful no response: as the first proxy sees it from us, and as we see it without a proxy.
#[test]
fn s3_10_unsuccessful_no_response() {
    let phone = Phone::new(alice());
    let proxy = phone.peer("ss1", "192.0.2.111:5060");
    phone.dial("sip:bob@biloxi.example.com");
    let f1 = proxy.expect("INVITE");
    f1.reply(100);
    phone.advance(s(32));
    f1.reply(480);
    proxy.expect("ACK");
    expect_event!(phone, Event::Calling { .. });
    expect_event!(phone, Event::Ended { by: EndedBy::Remote, code: Some(480), .. });
    phone.assert_quiescent();

    let phone = Phone::new(direct());
    let bob = phone.bob();
    phone.dial_direct("sip:bob@192.0.2.201");
    bob.expect("INVITE");
    for wait in [500, 1000, 2000, 4000, 8000, 16000] {
        phone.advance(ms(wait - 1));
        bob.expect_nothing();
        phone.advance(ms(1));
        bob.expect("INVITE"); // Timer A
    }
    phone.advance(ms(500));
    expect_event!(phone, Event::Calling { .. });
    expect_event!(phone, Event::Ended { by: EndedBy::Timeout, code: Some(408), .. });
    phone.assert_quiescent();
}

/// 3.11 Unsuccessful temporarily unavailable.
#[test]
fn s3_11_unsuccessful_temporarily_unavailable() {
    let phone = Phone::new(alice());
    let proxy = phone.peer("ss1", "192.0.2.111:5060");
    phone.dial("sip:bob@biloxi.example.com");
    let f1 = proxy.expect("INVITE");
    f1.reply(100);
    f1.reply(480).with("Retry-After", "3600");
    proxy.expect("ACK");
    expect_event!(phone, Event::Calling { .. });
    expect_event!(phone, Event::Ended { by: EndedBy::Remote, code: Some(480), reason, .. }
        => assert_eq!(reason, "Temporarily Unavailable (again in 3600 s)"));
    phone.assert_quiescent();
}

#[test]
fn what_the_network_refuses_ends_the_call_at_once() {
    let phone = Phone::new(direct());
    phone.dial_direct("sip:bob@192.0.2.201");
    phone.bob().expect("INVITE");
    phone.refuse("192.0.2.201:5060");
    expect_event!(phone, Event::Calling { .. });
    expect_event!(phone, Event::Ended { by: EndedBy::Transport, code: Some(503), .. });
    phone.assert_quiescent();
}

#[test]
fn a_name_that_is_unknown_ends_the_call() {
    let phone = Phone::new(direct());
    phone.stop_resolving();
    phone.dial_direct("sip:bob@nowhere.example");
    expect_event!(phone, Event::Calling { .. });
    phone.resolve("nowhere.example", false);
    expect_event!(phone, Event::Ended { by: EndedBy::Transport, code: Some(503), .. });
    phone.assert_quiescent();

    // Hung up before the name is found.
    let call = phone.dial_direct("sip:bob@biloxi.example.com");
    expect_event!(phone, Event::Calling { .. });
    phone.hang_up(call);
    expect_event!(phone, Event::Ended { by: EndedBy::Local, .. });
    phone.resolve("biloxi.example.com", true);
    phone.assert_quiescent();
}
