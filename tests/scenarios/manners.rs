//! How requests from outside are received (RFC 3261 section 8.2 and 11), and who may ring.

use offhook::ua::event::{EndedBy, Event};
use offhook::ua::{Command, Config};

use crate::harness::*;

const ME: &str = "sip:alice@192.0.2.101";

#[test]
fn options_says_what_we_can() {
    let phone = Phone::new(direct());
    let bob = phone.bob();
    bob.request("OPTIONS", ME);
    let ok = bob.expect(200);
    assert!(ok.header("Allow").contains("REFER"));
    assert!(ok.header("Accept").starts_with("application/sdp, multipart/mixed"));
    assert!(ok.header("Supported").contains("100rel"));
    assert!(ok.header("Allow-Events").contains("message-summary"));
    assert!(!ok.tag("To").is_empty());
    phone.assert_quiescent();
}

#[test]
fn what_is_not_taken_has_its_code() {
    let phone = Phone::new(direct());
    let bob = phone.bob();
    for (method, code) in [("DANCE", 501), ("REGISTER", 405), ("SUBSCRIBE", 405), ("PUBLISH", 405)] {
        bob.request(method, ME);
        let refusal = bob.expect(code);
        assert!(refusal.header("Allow").starts_with("INVITE"), "{method}");
    }
    for method in ["BYE", "INFO", "UPDATE", "PRACK"] {
        bob.request(method, ME);
        bob.expect(481);
        bob.request(method, ME).to("<sip:alice@192.0.2.101>;tag=gone");
        bob.expect(481);
    }
    bob.request("NOTIFY", ME).with("Event", "dialog");
    bob.expect(481);
    bob.request("NOTIFY", ME).with("Event", "weather");
    assert_eq!(bob.expect(489).header("Allow-Events"), "message-summary, dialog, reg, refer");
    bob.request("OPTIONS", ME).with("Require", "100rel, unicorn");
    assert_eq!(bob.expect(420).header("Unsupported"), "unicorn");
    bob.request("OPTIONS", "mailto:alice@example.com").to("<sip:alice@example.com>");
    bob.expect(416);
    assert_eq!(phone.world().ua.counters().refused, 6);
    phone.assert_quiescent();
}

#[test]
fn an_invite_that_we_cannot_read_is_refused_before_it_rings() {
    let phone = Phone::new(direct());
    let bob = phone.bob();
    let video = "v=0\r\no=- 1 1 IN IP4 192.0.2.201\r\ns=-\r\nc=IN IP4 192.0.2.201\r\nt=0 0\r\nm=video 4 RTP/AVP 99\r\n";
    for (content_type, encoding, body, code) in [
        ("text/plain", "identity", "hello", 415),
        ("application/sdp", "gzip", "hello", 415),
        ("application/sdp", "identity", "hello", 400),
        ("application/sdp", "identity", video, 488),
        ("application/sdp", "identity", &sdp::at("192.0.2.201", 3456, 1, "18", ""), 488),
        ("application/sdp", "identity", &sdp::at("192.0.2.201", 0, 1, "0", ""), 488),
    ] {
        let invite = bob.invite().with("Content-Encoding", encoding).body(content_type, body).sent();
        invite.ack(&bob.expect(code));
    }
    let invite = bob.invite().sdp(&sdp::bob()).with("Require", "join").sent();
    invite.ack(&bob.expect(420));
    // No Contact: no dialog can be made.
    let invite = bob.request("INVITE", ME).sdp(&sdp::bob()).sent();
    invite.ack(&bob.expect(400));
    phone.assert_quiescent();
}

#[test]
fn unknown_lines_and_further_streams_are_lived_with() {
    let phone = Phone::new(direct());
    let bob = phone.bob();
    let offer = format!("{}m=video 9 RTP/AVP 99\r\na=x-unknown:1\r\ny=odd\r\n", sdp::bob());
    bob.invite().sdp(&offer);
    bob.expect(180);
    let call = expect_event!(phone, Event::Incoming { call, .. } => call);
    phone.answer(call);
    let ok = bob.expect(200);
    ok.has_line("m=audio 49170").has_line("m=video 0 ");
    let leg = ok.leg();
    leg.ack();
    phone.skip_events();
    hang_up(&phone, call, &leg);
}

#[test]
fn a_request_that_lacks_or_contradicts_itself_gets_400() {
    let phone = Phone::new(direct());
    let bob = phone.bob();
    let options = |change: &dyn Fn(String) -> String, number: u32| {
        let text = format!(
            "OPTIONS {ME} SIP/2.0\r\nVia: SIP/2.0/UDP 192.0.2.201:5060;branch=z9hG4bKbad{number}\r\nMax-Forwards: 70\r\n\
             From: <sip:bob@x>;tag=1\r\nTo: <{ME}>\r\nCall-ID: bad{number}\r\nCSeq: 1 OPTIONS\r\nContent-Length: 0\r\n\r\n"
        );
        bob.send(&change(text));
    };
    options(&|text| text.replace("CSeq: 1 OPTIONS", "CSeq: 1 INVITE"), 1);
    bob.expect(400);
    options(&|text| text.replace("From: <sip:bob@x>;tag=1", "From: <sip:bob"), 2);
    bob.expect(400);
    options(&|text| text.replace("SIP/2.0\r\nVia", "SIP/7.0\r\nVia"), 3);
    bob.expect(505);
    // Max-Forwards may be missing, or at its end: we are the last.
    options(&|text| text.replace("Max-Forwards: 70\r\n", ""), 4);
    bob.expect(200);
    options(&|text| text.replace("Max-Forwards: 70", "Max-Forwards: 0"), 5);
    bob.expect(200);
    phone.assert_quiescent();
}

#[test]
fn a_request_that_comes_by_two_ways_rings_once() {
    let phone = Phone::new(direct());
    let bob = phone.bob();
    let invite = bob.invite().sdp(&sdp::bob()).sent();
    bob.expect(180);
    bob.send(&invite.text.replace(&invite.branch, "z9hG4bKanother-way"));
    let merged = bob.expect(482);
    bob.request("ACK", &invite.uri)
        .branch("z9hG4bKanother-way")
        .from(&invite.from)
        .to(&merged.header("To"))
        .call_id(&invite.call_id);
    expect_event!(phone, Event::Incoming { .. });
    phone.assert_silent();
    invite.cancel();
    bob.expect(200);
    invite.ack(&bob.expect(487));
    phone.skip_events();
    phone.assert_quiescent();
}

/// Bob's phone, registered.
fn registered() -> (Phone, Peer, String) {
    let phone = Phone::new(bob());
    let server = phone.peer("ss2", "192.0.2.222:5060");
    phone.register();
    let register = server.expect("REGISTER");
    let contact = register.header("Contact").split(['<', '>']).nth(1).unwrap().to_owned();
    register.reply(200).with("Contact", &format!("<{contact}>;expires=3600"));
    phone.skip_events();
    (phone, server, contact)
}

#[test]
fn a_stranger_gets_404_and_does_not_ring() {
    let (phone, server, contact) = registered();
    let stranger = phone.peer("scanner", "198.51.100.66:5060");
    let invite = stranger.invite().uri("sip:100@192.0.2.101").sdp(&sdp::bob()).sent();
    invite.ack(&stranger.expect(404));
    let invite = stranger.invite().uri("sip:bob@192.0.2.101").sdp(&sdp::bob()).sent();
    invite.ack(&stranger.expect(404));
    stranger.request("OPTIONS", "sip:bob@192.0.2.101");
    stranger.expect(404); // RFC 3261 section 11.2: as an INVITE
    stranger.request("OPTIONS", &contact);
    stranger.expect(200);
    phone.assert_silent();
    assert_eq!(phone.world().ua.counters().strangers, 2);

    // From the registrar by any name, from anywhere to our random Contact.
    for (peer, uri) in [(&server, "sip:bob@192.0.2.101"), (&stranger, contact.as_str())] {
        let invite = peer.invite().uri(uri).to("<sip:bob@biloxi.example.com>").sdp(&sdp::bob()).sent();
        peer.expect(180);
        expect_event!(phone, Event::Incoming { account: Some(ACCOUNT), .. });
        invite.cancel();
        peer.expect(200);
        invite.ack(&peer.expect(487));
        expect_event!(phone, Event::Ended { by: EndedBy::Remote, .. });
    }
    phone.assert_quiescent();
}

#[test]
fn a_registrar_behind_a_proxy_is_no_stranger() {
    let mut config = alice();
    config.accounts[0].registrar = uri("sip:192.0.2.112");
    let phone = Phone::new(config);
    let registrar = phone.peer("pbx", "192.0.2.112:5060");
    let invite = registrar.invite().sdp(&sdp::bob()).sent();
    registrar.expect(180);
    expect_event!(phone, Event::Incoming { account: Some(ACCOUNT), .. });
    invite.cancel();
    registrar.expect(200);
    invite.ack(&registrar.expect(487));
    expect_event!(phone, Event::Ended { by: EndedBy::Remote, .. });
    phone.assert_quiescent();
}

#[test]
fn who_calls_is_believed_from_our_own_server_only() {
    let (phone, server, contact) = registered();
    let other = phone.peer("other", "198.51.100.7:5060");
    for (peer, name) in [(&server, "Asserted"), (&other, "From")] {
        let invite = peer
            .invite()
            .uri(&contact)
            .from("\"From\" <sip:from@example.com>;tag=1")
            .with("P-Asserted-Identity", "\"Asserted\" <sip:asserted@example.com>")
            .with("Diversion", "<sip:first@example.com>;reason=no-answer")
            .sdp(&sdp::bob())
            .sent();
        peer.expect(180);
        expect_event!(phone, Event::Incoming { from, diverted_from, .. } => {
            assert_eq!(from.name.as_deref(), Some(name));
            assert_eq!(diverted_from.as_deref(), Some("sip:first@example.com"));
        });
        invite.cancel();
        peer.expect(200);
        invite.ack(&peer.expect(487));
        phone.skip_events();
    }
    phone.assert_quiescent();
}

#[test]
fn max_calls_is_busy() {
    let phone = Phone::new(Config { max_calls: 1, ..direct() });
    let (call, leg) = call_out(&phone);
    let carol = phone.peer("carol", "192.0.2.203:5060");
    let invite = carol.invite().sdp(&sdp::bob()).sent();
    invite.ack(&carol.expect(486));
    carol.request("OPTIONS", ME);
    assert!(carol.expect(486).header("Allow").contains("INVITE")); // RFC 3261 section 11.2
    phone.assert_silent();
    let more = phone.command(Command::Dial { account: None, target: uri(ME), media: MEDIA });
    assert!(more.is_err());
    hang_up(&phone, call, &leg);
}

#[test]
fn message_waiting_needs_no_subscription() {
    let (phone, server, contact) = registered();
    server
        .request("NOTIFY", &contact)
        .with("Event", "message-summary")
        .with("Subscription-State", "active")
        .body("application/simple-message-summary", "Messages-Waiting: yes\r\nVoice-Message: 2/8 (0/2)\r\n");
    server.expect(200);
    expect_event!(phone, Event::MessageWaiting { account: Some(ACCOUNT), new: 2, old: 8, .. });
    let stranger = phone.peer("scanner", "198.51.100.66:5060");
    stranger.request("NOTIFY", &contact).with("Event", "message-summary").body("text/plain", "Messages-Waiting: yes");
    stranger.expect(403);
    phone.assert_quiescent();
}

#[test]
fn answers_go_where_the_via_says() {
    let phone = Phone::new(direct());
    let bob = phone.bob();
    let text = |via: &str, branch: &str| {
        format!(
            "OPTIONS {ME} SIP/2.0\r\nVia: SIP/2.0/UDP {via};branch=z9hG4bK{branch}\r\nMax-Forwards: 70\r\n\
             From: <sip:bob@x>;tag=1\r\nTo: <{ME}>\r\nCall-ID: via-{branch}\r\nCSeq: 1 OPTIONS\r\nContent-Length: 0\r\n\r\n"
        )
    };
    // RFC 3581: where it came from.
    bob.send(&text("10.9.9.9:7777;rport", "a"));
    let ok = bob.expect(200);
    let via = ok.header("Via");
    assert!(via.contains("rport=5060") && via.contains("received=192.0.2.201"), "{via}");
    // RFC 3261 section 18.2.2: to the source's address, and the port of sent-by.
    bob.send(&text("10.9.9.9:7777", "b"));
    phone.peer("bob", "192.0.2.201:7777").expect(200);
    bob.send(&text("client.example.com", "c"));
    bob.expect(200);
    phone.assert_quiescent();
}

#[test]
fn who_may_be_answered_at_once() {
    let allowed = || vec!["sip:boss@*".to_owned()];
    let phone = Phone::new(Config { auto_answer_from: allowed(), ..bob() });
    let server = phone.peer("server", "192.0.2.222:5060");
    phone.register();
    let register = server.expect("REGISTER");
    let contact = register.header("Contact");
    register.reply(200).with("Contact", &contact);
    phone.skip_events();
    let uri = contact.trim_start_matches('<').split('>').next().unwrap().to_owned();
    let stranger = phone.peer("stranger", "203.0.113.9:5060");
    for (peer, from, wish, at_once) in [
        (&server, "<sip:boss@example.com>;tag=1", ("Call-Info", "<sip:x>;answer-after=0"), true),
        (&server, "<sip:boss@example.com>;tag=1", ("Answer-Mode", "Auto"), true),
        (&server, "<sip:boss@example.com>;tag=1", ("Subject", "answer-after=0"), false),
        (&server, "<sip:intern@example.com>;tag=1", ("Call-Info", "<sip:x>;answer-after=0"), false),
        // From alone is anybody's.
        (&stranger, "<sip:boss@example.com>;tag=1", ("Alert-Info", "<http://x>;info=alert-autoanswer"), false),
    ] {
        let invite = peer.invite().uri(&uri).from(from).with(wish.0, wish.1).sdp(&sdp::bob()).sent();
        let call = expect_event!(phone, Event::Incoming { call, .. } => call);
        if at_once {
            expect_event!(phone, Event::AnswerDue { call: due, replaces: None } => assert_eq!(due, call));
            phone.command(offhook::ua::Command::Reject { call, code: 486 }).unwrap();
            invite.ack(&peer.expect(486));
        } else {
            peer.expect(180);
            phone.command(offhook::ua::Command::Reject { call, code: 486 }).unwrap();
            invite.ack(&peer.expect(486));
        }
        phone.skip_events();
    }
    phone.assert_quiescent();
}
