//! Requests that overlap, come twice, come late or change where the other side is (RFC 3261 sections 8.2.2.2, 12.2 and 14).

use offhook::ua::Event;
use offhook::ua::event::EndedBy;

use crate::harness::*;

#[test]
fn a_copy_of_an_invite_that_is_over_does_not_ring_again() {
    let phone = Phone::new(direct());
    let bob = phone.bob();
    let invite = bob.invite().sdp(&sdp::bob()).sent();
    bob.expect(180);
    let call = expect_event!(phone, Event::Incoming { call, .. } => call);
    phone.hang_up(call);
    invite.ack(&bob.expect(486));
    phone.skip_events();
    let copy = |branch: &str| {
        bob.send(&invite.text.replace(&invite.branch, branch));
        let invite = Asked { branch: branch.to_owned(), ..invite.clone() };
        move |refusal: &Got| invite.ack(refusal)
    };
    phone.advance(s(31));
    copy("z9hG4bKlate")(&bob.expect(482));
    phone.assert_silent();
    // After 64*T1 nobody can send a copy any more: a new call may have the same numbers.
    phone.advance(s(1));
    let acknowledge = copy("z9hG4bKlater");
    bob.expect(180);
    let call = expect_event!(phone, Event::Incoming { call, .. } => call);
    phone.hang_up(call);
    acknowledge(&bob.expect(486));
    phone.skip_events();
    phone.assert_quiescent();
}

#[test]
fn a_copy_is_known_after_other_requests_in_the_dialog() {
    let phone = Phone::new(direct());
    let bob = phone.bob();
    let invite = bob.invite().sdp(&sdp::bob()).sent();
    bob.expect(180);
    let call = expect_event!(phone, Event::Incoming { call, .. } => call);
    phone.answer(call);
    let mut leg = bob.expect(200).leg();
    leg.ack();
    leg.request("UPDATE");
    leg.expect(200);
    phone.skip_events();
    bob.send(&invite.text.replace(&invite.branch, "z9hG4bKcopy"));
    let copy = Asked { branch: "z9hG4bKcopy".to_owned(), ..invite };
    copy.ack(&bob.expect(482));
    phone.assert_silent();
    hang_up(&phone, call, &leg);
}

#[test]
fn an_invite_while_the_first_one_rings_is_to_come_later() {
    let phone = Phone::new(direct());
    let bob = phone.bob();
    let invite = bob.invite().sdp(&sdp::bob()).sent();
    let mut early = bob.expect(180).leg();
    let second = early.request("INVITE").sdp(&sdp::directed(2, "sendonly")).sent();
    let refusal = bob.expect(500);
    assert!(refusal.header("Retry-After").parse::<u32>().unwrap() <= 10);
    second.ack(&refusal);
    // The first one still rings.
    phone.skip_events();
    phone.assert_silent();
    invite.cancel();
    bob.expect(200);
    invite.ack(&bob.expect(487));
    phone.skip_events();
    phone.assert_quiescent();
}

#[test]
fn a_hold_that_comes_too_early_for_the_other_side_is_sent_again() {
    let phone = Phone::new(direct());
    let (call, leg) = call_out(&phone);
    phone.hold(call);
    leg.expect("INVITE").reply(500).with("Retry-After", "3");
    leg.expect("ACK");
    phone.assert_silent();
    assert_eq!(phone.advance_until_sent(s(4)), s(3));
    leg.expect("INVITE").reply(200).sdp(&sdp::directed(2, "recvonly"));
    leg.expect("ACK");
    expect_event!(phone, Event::Media { .. });
    expect_event!(phone, Event::Held { .. });
    // A 500 that says nothing, or too much, is a refusal.
    phone.resume(call);
    leg.expect("INVITE").reply(500).with("Retry-After", "3600");
    leg.expect("ACK");
    expect_event!(phone, Event::HoldRefused { .. });
    hang_up(&phone, call, &leg);
}

#[test]
fn after_491_a_change_of_mind_waits_as_well() {
    let phone = Phone::new(direct());
    let (call, leg) = call_out(&phone);
    phone.hold(call);
    leg.expect("INVITE").reply(491);
    leg.expect("ACK");
    phone.resume(call);
    phone.hold(call);
    leg.peer.expect_nothing();
    assert!(phone.advance_until_sent(s(4)) >= ms(2100));
    leg.expect("INVITE").reply(491);
    leg.expect("ACK");
    phone.resume(call); // that is how it is already
    phone.advance(s(10));
    phone.assert_silent();
    hang_up(&phone, call, &leg);
}

#[test]
fn what_is_asked_while_another_change_is_under_way_is_not_lost() {
    let phone = Phone::new(direct());
    let (call, leg) = call_out(&phone);
    phone.hold(call);
    let hold = leg.expect("INVITE");
    hold.reply(200).sdp(&sdp::directed(2, "recvonly"));
    leg.expect("ACK");
    phone.skip_events();
    phone.resume(call);
    let resume = leg.expect("INVITE");
    phone.hold(call);
    phone.resume(call);
    phone.hold(call);
    leg.peer.expect_nothing();
    // Whether it is refused or not, the last wish counts.
    resume.reply(200).sdp(&sdp::directed(3, "sendrecv"));
    leg.expect("ACK");
    let again = leg.expect("INVITE");
    again.has_line("a=sendonly");
    again.reply(200).sdp(&sdp::directed(4, "recvonly"));
    leg.expect("ACK");
    phone.skip_events();
    hang_up(&phone, call, &leg);
}

#[test]
fn a_wish_outlives_the_refusal_of_the_one_before() {
    let phone = Phone::new(direct());
    let (call, leg) = call_out(&phone);
    phone.hold(call);
    let hold = leg.expect("INVITE");
    phone.resume(call);
    hold.reply(603);
    leg.expect("ACK");
    expect_event!(phone, Event::HoldRefused { held, message, .. } => {
        assert!(!held && message.starts_with("hold was refused"));
    });
    // That is how it is already.
    phone.assert_silent();
    hang_up(&phone, call, &leg);
}

#[test]
fn a_peer_that_has_lost_the_dialog_has_lost_the_call() {
    for code in [408, 481] {
        let phone = Phone::new(direct());
        let (call, leg) = call_out(&phone);
        let digit = offhook::ua::Command::InfoDigit { call, digit: '1', duration_ms: 100 };
        phone.command(digit).unwrap();
        leg.expect("INFO").reply(code);
        leg.expect("BYE").reply(481);
        expect_event!(phone, Event::Ended { by: EndedBy::Remote, code: Some(ended), .. } => assert_eq!(ended, code));
        phone.assert_quiescent();
    }
}

#[test]
fn the_target_follows_each_contact() {
    let phone = Phone::new(direct());
    let (call, mut leg) = call_out(&phone);
    let at = |port: u16| phone.peer("bob", &format!("192.0.2.201:{port}"));
    // By their UPDATE.
    leg.peer = at(5070);
    leg.request("UPDATE");
    leg.expect(200);
    // By the 200 to our re-INVITE, which went to the new place.
    phone.hold(call);
    let hold = leg.expect("INVITE");
    assert_eq!(hold.uri(), "sip:bob@192.0.2.201:5070");
    hold.reply(200).contact("<sip:bob@192.0.2.201:5080>").sdp(&sdp::directed(2, "recvonly"));
    leg.peer = at(5080);
    leg.expect("ACK");
    // By their re-INVITE; one that is refused changes nothing.
    leg.peer = at(5090);
    leg.request("INVITE").sdp(&sdp::directed(3, "sendrecv"));
    leg.expect(200);
    leg.ack();
    leg.peer = at(6000);
    let refused = leg.request("INVITE").sdp(&sdp::at("192.0.2.201", 3456, 4, "18", "")).sent();
    refused.ack(&leg.expect(488));
    leg.peer = at(5090);
    phone.skip_events();
    hang_up(&phone, call, &leg);
}

#[test]
fn an_invite_has_its_own_patience() {
    let phone = Phone::new(direct());
    let bob = phone.bob();
    let invite = bob.invite().with("Expires", "15").sdp(&sdp::bob()).sent();
    bob.expect(180);
    assert_eq!(phone.advance_until_sent(s(120)), s(15));
    invite.ack(&bob.expect(487)); // RFC 3261 section 13.3.1
    expect_event!(phone, Event::Incoming { .. });
    expect_event!(phone, Event::Ended { by: EndedBy::Timeout, code: Some(487), .. });
    phone.assert_quiescent();
    // Ours is shorter.
    let invite = bob.invite().with("Expires", "3600").sdp(&sdp::bob()).sent();
    bob.expect(180);
    assert_eq!(phone.advance_until_sent(s(121)), s(120));
    invite.ack(&bob.expect(480));
    phone.skip_events();
    phone.assert_quiescent();
}

#[test]
fn a_refusal_says_why_and_when() {
    for (code, fields, reason) in [
        (503, ("Retry-After", "120 (overload)"), "Service Unavailable (again in 120 s)"),
        (488, ("Warning", "304 pbx \"no common codec\""), "Not Acceptable Here: no common codec"),
        (480, ("Reason", "Q.850;cause=20"), "Temporarily Unavailable: the subscriber is absent"),
        (486, ("Reason", "SIP;cause=486;text=\"On the phone\""), "Busy Here: On the phone"),
    ] {
        let phone = Phone::new(direct());
        let bob = phone.bob();
        phone.dial_direct("sip:bob@192.0.2.201");
        bob.expect("INVITE").reply(code).with(fields.0, fields.1);
        bob.expect("ACK");
        expect_event!(phone, Event::Calling { .. });
        expect_event!(phone, Event::Ended { reason: told, .. } => assert_eq!(told, reason));
        phone.assert_quiescent();
    }
}

/// RFC 3725 section 4.1, flow I: a controller asks us for an offer and answers it when another phone has answered.
#[test]
fn a_third_party_controls_the_call() {
    let phone = Phone::new(direct());
    let controller = phone.peer("controller", "192.0.2.120:5060");
    controller.invite();
    controller.expect(180);
    let call = expect_event!(phone, Event::Incoming { call, .. } => call);
    phone.answer(call);
    let ok = controller.expect(200);
    ok.has_line("m=audio 49170 RTP/AVP 0 8 101");
    let mut leg = ok.leg();
    expect_event!(phone, Event::Established { .. });
    // The other one takes its time.
    phone.advance(s(20));
    phone.skip_datagrams();
    leg.ack().sdp(&sdp::bob());
    expect_event!(phone, Event::Media { media, .. } => assert_eq!(media.remote_rtp.port(), 3456));
    // The same again, to join us with a third one: a re-INVITE without offer.
    leg.request("INVITE");
    leg.expect(200).has_line("a=sendrecv");
    leg.ack().sdp(&sdp::at("192.0.2.203", 5000, 1, "0", ""));
    expect_event!(phone, Event::Media { media, .. } => assert_eq!(media.remote_rtp.port(), 5000));
    hang_up(&phone, call, &leg);
}

// ---- bodies ----

fn mixed(description: &str, other: &str) -> String {
    format!("--b\r\n{other}\r\n--b\r\nContent-Type: application/sdp\r\n\r\n{description}\r\n--b--\r\n")
}

#[test]
fn a_description_among_other_parts_is_found_both_ways() {
    let isup = "Content-Type: application/isup\r\nContent-Disposition: signal;handling=optional\r\n\r\n\u{1}";
    let phone = Phone::new(direct());
    let bob = phone.bob();
    bob.invite().body("multipart/mixed;boundary=b", &mixed(&sdp::bob(), isup));
    bob.expect(180);
    let call = expect_event!(phone, Event::Incoming { call, .. } => call);
    phone.answer(call);
    let ok = bob.expect(200);
    ok.has_line("m=audio 49170 RTP/AVP 0");
    assert!(ok.header("Accept").contains("multipart/mixed"));
    let mut leg = ok.leg();
    leg.ack();
    phone.skip_events();
    let moved = sdp::at("192.0.2.202", 4000, 2, "0", "");
    leg.request("UPDATE").body("multipart/mixed;boundary=b", &mixed(&moved, isup));
    leg.expect(200);
    expect_event!(phone, Event::Media { media, .. } => assert_eq!(media.remote_rtp.port(), 4000));
    hang_up(&phone, call, &leg);

    phone.dial_direct("sip:bob@192.0.2.201");
    let invite = bob.expect("INVITE");
    let leg = invite.leg();
    // The harness writes the body of a response as a description: its Content-Type is the first of two.
    let text = invite.reply(200).sdp(&mixed(&sdp::bob(), isup)).unsent();
    bob.send(&text.replace(
        "Content-Type: application/sdp\r\nContent-Length",
        "Content-Type: multipart/mixed;boundary=b\r\nContent-Length",
    ));
    leg.expect("ACK");
    expect_event!(phone, Event::Calling { call, .. } => {
        expect_event!(phone, Event::Media { .. });
        expect_event!(phone, Event::Established { .. });
        hang_up(&phone, call, &leg);
    });
}

#[test]
fn a_part_that_must_be_understood_is_refused() {
    let phone = Phone::new(direct());
    let bob = phone.bob();
    let body = mixed(&sdp::bob(), "Content-Type: application/isup\r\n\r\n\u{1}");
    let invite = bob.invite().body("multipart/mixed;boundary=b", &body).sent();
    let refusal = bob.expect(415);
    assert!(refusal.header("Accept").starts_with("application/sdp"));
    invite.ack(&refusal);
    phone.assert_quiescent();
}
