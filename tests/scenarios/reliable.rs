//! Reliable provisional responses (RFC 3262), both ways, and the offers and answers that go with them.

use offhook::ua::event::EndedBy;
use offhook::ua::{CallNo, Command, Event};

use crate::harness::*;

/// A call of ours, and Bob's reliable answer to its offer in a 183.
fn early(phone: &Phone) -> (CallNo, Got, Leg) {
    let bob = phone.bob();
    let call = phone.dial_direct("sip:bob@192.0.2.201");
    let invite = bob.expect("INVITE");
    assert!(invite.header("Supported").contains("100rel"), "{}", invite.text());
    assert!(invite.header("Allow").contains("PRACK"));
    invite.reply(183).with("Require", "100rel").with("RSeq", "813520").sdp(&sdp::bob());
    let leg = invite.leg();
    let prack = leg.expect("PRACK");
    assert_eq!(prack.header("RAck"), format!("813520 {} INVITE", invite.seq()));
    assert_eq!(prack.seq(), invite.seq() + 1);
    assert_eq!((prack.uri(), prack.tag("To")), ("sip:bob@192.0.2.201:5060".to_owned(), "bob".to_owned()));
    prack.reply(200);
    expect_event!(phone, Event::Calling { .. });
    expect_event!(phone, Event::Media { .. });
    expect_event!(phone, Event::Ringing { code: 183, early_media: true, .. });
    (call, invite, leg)
}

#[test]
fn a_reliable_response_is_acknowledged_and_its_answer_is_the_answer() {
    let phone = Phone::new(direct());
    let (call, invite, leg) = early(&phone);
    // A description in a later response is none (RFC 3261 section 13.2.1).
    invite.reply(180).with("Require", "100rel").with("RSeq", "813521").sdp(&sdp::at("192.0.2.99", 9, 7, "8", ""));
    leg.expect("PRACK").reply(200);
    expect_event!(phone, Event::Ringing { code: 180, early_media: true, .. });
    invite.reply(200).sdp(&sdp::at("192.0.2.99", 9, 7, "8", ""));
    let ack = leg.expect("ACK");
    assert_eq!(ack.seq(), invite.seq());
    expect_event!(phone, Event::Established { .. });
    phone.hang_up(call);
    let bye = leg.expect("BYE");
    assert_eq!(bye.seq(), invite.seq() + 3); // after two PRACKs
    bye.reply(200);
    expect_event!(phone, Event::Ended { by: EndedBy::Local, .. });
    phone.assert_quiescent();
}

#[test]
fn responses_out_of_order_or_again_are_not_acknowledged() {
    let phone = Phone::new(direct());
    let (call, invite, leg) = early(&phone);
    let second = invite.reply(180).with("Require", "100rel").with("RSeq", "813522").unsent();
    leg.peer.send(&second);
    leg.peer.expect_nothing();
    phone.assert_silent();
    invite.reply(181).with("Require", "100rel").with("RSeq", "813521");
    leg.expect("PRACK").reply(200);
    leg.peer.send(&second);
    assert!(leg.expect("PRACK").header("RAck").starts_with("813522 "));
    leg.peer.send(&second);
    // Its PRACK, which has no answer yet, is repeated by its transaction alone.
    leg.peer.expect_nothing();
    phone.advance(ms(500));
    leg.expect("PRACK").reply(200);
    invite.reply(200);
    leg.expect("ACK");
    phone.skip_events();
    hang_up(&phone, call, &leg);
}

#[test]
fn each_early_dialog_counts_for_itself() {
    let phone = Phone::new(direct());
    let bob = phone.bob();
    let call = phone.dial_direct("sip:bob@192.0.2.201");
    let invite = bob.expect("INVITE");
    for (tag, number) in [("one", "7"), ("two", "9000")] {
        invite.reply(180).tag(tag).with("Require", "100rel").with("RSeq", number);
        let prack = bob.expect("PRACK");
        assert_eq!(prack.tag("To"), tag);
        assert!(prack.header("RAck").starts_with(number));
        prack.reply(200);
    }
    // One that is not reliable, and one that is not even a dialog.
    invite.reply(180).tag("three");
    invite.reply(100).with("Require", "100rel").with("RSeq", "5");
    bob.expect_nothing();
    let leg = invite.leg_with("two");
    invite.reply(200).tag("two").sdp(&sdp::bob());
    leg.expect("ACK");
    phone.skip_events();
    // Two answer: the second one is acknowledged and ended, after the PRACKs of its own dialog.
    invite.reply(200).tag("one").sdp(&sdp::bob());
    assert_eq!(bob.expect("ACK").tag("To"), "one");
    let bye = bob.expect("BYE");
    assert!(bye.tag("To") == "one" && bye.seq() > invite.seq() + 1);
    bye.reply(200);
    hang_up(&phone, call, &leg);
}

#[test]
fn a_prack_that_is_challenged_by_our_proxy_is_sent_with_credentials() {
    let phone = Phone::new(alice());
    let proxy = phone.peer("ss1", "192.0.2.111:5060");
    let call = phone.dial("sip:bob@biloxi.example.com");
    let invite = proxy.expect("INVITE");
    let route = "<sip:ss1.atlanta.example.com;lr>";
    invite.reply(180).with("Record-Route", route).with("Require", "100rel").with("RSeq", "1");
    let prack = proxy.expect("PRACK");
    assert_eq!(prack.header("Route"), route);
    prack.reply(407).challenge("Proxy-Authenticate", "atlanta.example.com", "n1");
    let again = proxy.expect("PRACK");
    assert!(again.header("Proxy-Authorization").contains("nonce=\"n1\""));
    assert_eq!(again.seq(), prack.seq() + 1);
    again.reply(200);
    invite.reply(200).with("Record-Route", route).sdp(&sdp::bob());
    let leg = invite.leg();
    leg.expect("ACK");
    phone.skip_events();
    phone.hang_up(call);
    let bye = leg.expect("BYE");
    assert_eq!(bye.seq(), again.seq() + 1);
    bye.reply(200);
    phone.skip_events();
    phone.assert_quiescent();
}

#[test]
fn the_far_side_changes_early_media_by_update() {
    let phone = Phone::new(direct());
    let (call, invite, mut leg) = early(&phone);
    leg.request("UPDATE").sdp(&sdp::at("192.0.2.202", 4000, 2, "0", ""));
    leg.expect(200).has_line("m=audio 49170 RTP/AVP 0");
    expect_event!(phone, Event::Media { media, .. } => assert_eq!(media.remote_rtp.port(), 4000));
    leg.request("UPDATE").sdp(&sdp::at("192.0.2.202", 4000, 3, "18", ""));
    leg.expect(488); // and nothing changes
    invite.reply(200);
    leg.expect("ACK");
    expect_event!(phone, Event::Established { .. });
    // Its history goes on.
    leg.request("UPDATE").sdp(&sdp::at("192.0.2.203", 5000, 4, "0", ""));
    leg.expect(200);
    expect_event!(phone, Event::Media { media, .. } => assert_eq!(media.remote_rtp.port(), 5000));
    hang_up(&phone, call, &leg);
}

#[test]
fn a_branch_that_ends_before_the_others() {
    let phone = Phone::new(direct());
    let bob = phone.bob();
    let call = phone.dial_direct("sip:bob@192.0.2.201");
    let invite = bob.expect("INVITE");
    assert!(invite.header("Supported").contains("199"));
    invite.reply(183).tag("one").sdp(&sdp::at("192.0.2.202", 4000, 1, "0", ""));
    invite.reply(183).tag("two").sdp(&sdp::at("192.0.2.203", 5000, 1, "0", ""));
    phone.skip_events();
    // RFC 6228: the first one is heard again.
    invite.reply(199).tag("two");
    expect_event!(phone, Event::Media { media, .. } => assert_eq!(media.remote_rtp.port(), 4000));
    expect_event!(phone, Event::Ringing { code: 199, early_media: true, .. });
    let mut gone = invite.leg_with("two");
    gone.request("UPDATE");
    gone.expect(481);
    invite.reply(199).tag("one").with("Require", "100rel").with("RSeq", "4");
    bob.expect("PRACK").reply(200);
    expect_event!(phone, Event::Ringing { code: 199, early_media: false, .. });
    invite.reply(199).tag("never heard of");
    phone.assert_silent();
    let leg = invite.leg_with("three");
    invite.reply(200).tag("three").sdp(&sdp::bob());
    leg.expect("ACK");
    phone.skip_events();
    hang_up(&phone, call, &leg);
}

#[test]
fn a_reliable_response_to_a_hold_is_acknowledged_as_well() {
    let phone = Phone::new(direct());
    let (call, leg) = call_out(&phone);
    phone.hold(call);
    let hold = leg.expect("INVITE");
    hold.reply(183).with("Require", "100rel").with("RSeq", "9").sdp(&sdp::directed(2, "recvonly"));
    let prack = leg.expect("PRACK");
    assert_eq!(prack.header("RAck"), format!("9 {} INVITE", hold.seq()));
    prack.reply(200);
    phone.assert_silent();
    hold.reply(200);
    assert_eq!(leg.expect("ACK").seq(), hold.seq());
    expect_event!(phone, Event::Media { .. });
    expect_event!(phone, Event::Held { .. });
    hang_up(&phone, call, &leg);
}

#[test]
fn a_response_to_a_call_that_is_being_given_up_is_left_alone() {
    let phone = Phone::new(direct());
    let (call, invite, leg) = early(&phone);
    phone.hang_up(call);
    let cancel = leg.expect("CANCEL");
    invite.reply(180).with("Require", "100rel").with("RSeq", "813521");
    leg.peer.expect_nothing();
    cancel.reply(200);
    invite.reply(487);
    leg.expect("ACK");
    expect_event!(phone, Event::Ended { code: Some(487), .. });
    phone.assert_quiescent();
}

// ---- called ----

/// Bob calls and requires reliable ringing.
fn ringing(phone: &Phone) -> (CallNo, Asked, Got) {
    let bob = phone.bob();
    let invite = bob.invite().with("Require", "100rel").sdp(&sdp::bob()).sent();
    let rings = bob.expect(180);
    assert_eq!(rings.header("Require"), "100rel");
    let call = expect_event!(phone, Event::Incoming { call, .. } => call);
    (call, invite, rings)
}

fn rack(rings: &Got) -> String {
    format!("{} {} INVITE", rings.header("RSeq"), rings.seq())
}

#[test]
fn who_requires_it_is_rung_reliably() {
    let phone = Phone::new(direct());
    let (call, _, rings) = ringing(&phone);
    let mut leg = rings.leg();
    // It comes again, at twice the interval each time.
    for wait in [500, 1000, 2000, 4000, 8000] {
        assert_eq!(phone.advance_until_sent(s(20)), ms(wait));
        assert_eq!(leg.expect(180).header("RSeq"), rings.header("RSeq"));
    }
    leg.request("PRACK").with("RAck", "1 1 INVITE");
    leg.expect(481);
    leg.request("PRACK").with("RAck", &rack(&rings));
    leg.expect(200);
    leg.request("PRACK").with("RAck", &rack(&rings));
    leg.expect(481); // once is enough
    phone.advance(s(40));
    phone.assert_silent();
    phone.answer(call);
    leg.expect(200).has_line("m=audio");
    leg.ack();
    phone.skip_events();
    hang_up(&phone, call, &leg);
}

#[test]
fn without_prack_the_call_is_refused() {
    let phone = Phone::new(direct());
    let (_, invite, _) = ringing(&phone);
    phone.advance(ms(31_999));
    phone.skip_datagrams();
    phone.advance(ms(1));
    invite.ack(&invite.peer.expect(504));
    expect_event!(phone, Event::Ended { by: EndedBy::Timeout, code: Some(504), .. });
    phone.assert_quiescent();
}

#[test]
fn a_200_without_an_offer_in_the_180_does_not_wait_for_prack() {
    let phone = Phone::new(direct());
    let (call, _, rings) = ringing(&phone);
    phone.answer(call);
    let mut leg = rings.leg();
    leg.expect(200).has_line("m=audio");
    leg.ack();
    leg.request("PRACK").with("RAck", &rack(&rings)); // it has been on its way
    leg.expect(200);
    phone.advance(s(40));
    phone.skip_events();
    hang_up(&phone, call, &leg);
}

#[test]
fn a_call_that_answers_at_once_does_so_whatever_is_required() {
    let mut config = direct();
    config.auto_answer = offhook::ua::config::AutoAnswer::Always;
    let phone = Phone::new(config);
    let bob = phone.bob();
    bob.invite().with("Require", "100rel").sdp(&sdp::bob());
    let call = expect_event!(phone, Event::Incoming { call, .. } => call);
    expect_event!(phone, Event::AnswerDue { .. });
    phone.answer(call);
    let leg = bob.expect(200).leg();
    leg.ack();
    phone.skip_events();
    hang_up(&phone, call, &leg);
}

#[test]
fn where_it_is_configured_whoever_can_is_rung_reliably() {
    for (reliable_ringing, required) in [(true, "100rel"), (false, "")] {
        let phone = Phone::new(offhook::ua::Config { reliable_ringing, ..direct() });
        let bob = phone.bob();
        let invite = bob.invite().with("Supported", "timer, 100rel").sdp(&sdp::bob()).sent();
        let rings = bob.expect(180);
        assert_eq!(rings.header("Require"), required);
        invite.cancel();
        bob.expect(200);
        invite.ack(&bob.expect(487));
        phone.skip_events();
        phone.assert_quiescent();
    }
}

/// Bob calls without an offer, requires reliable ringing, and has our offer in the 180.
fn offered(phone: &Phone) -> (CallNo, Asked, Got) {
    let bob = phone.bob();
    let invite = bob.invite().with("Require", "100rel").sent();
    let call = expect_event!(phone, Event::Incoming { call, .. } => call);
    expect_event!(phone, Event::OfferDue { .. });
    bob.expect_nothing();
    phone.command(Command::OfferEarly { call, media: MEDIA }).unwrap();
    let rings = bob.expect(180);
    rings.has_line("m=audio 49170 RTP/AVP 0 8 101");
    (call, invite, rings)
}

#[test]
fn our_offer_goes_in_the_180_and_the_answer_comes_in_its_prack() {
    let phone = Phone::new(direct());
    let (call, _, rings) = offered(&phone);
    let mut leg = rings.leg();
    leg.request("UPDATE").sdp(&sdp::bob());
    leg.expect(491); // RFC 3311 section 5.2: our offer has no answer yet
    leg.request("PRACK").with("RAck", &rack(&rings)).sdp(&sdp::bob());
    leg.expect(200);
    expect_event!(phone, Event::Media { media, .. } => assert_eq!(media.remote_rtp.port(), 3456));
    // A new offer may follow before the answer to the call.
    leg.request("UPDATE").sdp(&sdp::at("192.0.2.202", 4000, 2, "0", ""));
    leg.expect(200).has_line("m=audio 49170 RTP/AVP 0");
    expect_event!(phone, Event::Media { media, .. } => assert_eq!(media.remote_rtp.port(), 4000));
    phone.answer(call);
    assert_eq!(leg.expect(200).body(), "");
    leg.ack();
    expect_event!(phone, Event::Established { .. });
    hang_up(&phone, call, &leg);
}

#[test]
fn a_200_waits_for_the_prack_of_an_offer() {
    let phone = Phone::new(direct());
    let (call, _, rings) = offered(&phone);
    phone.answer(call);
    let mut leg = rings.leg();
    leg.peer.expect_nothing();
    phone.advance(ms(500));
    leg.expect(180);
    leg.request("PRACK").with("RAck", &rack(&rings)).sdp(&sdp::bob());
    leg.expect(200);
    assert_eq!(leg.expect(200).header("CSeq"), "1 INVITE");
    leg.ack();
    expect_event!(phone, Event::Media { .. });
    expect_event!(phone, Event::Established { .. });
    hang_up(&phone, call, &leg);
}

#[test]
fn a_prack_without_the_answer_ends_the_ringing() {
    for answer in [String::new(), sdp::at("192.0.2.201", 3456, 1, "18", "")] {
        let phone = Phone::new(direct());
        let (_, invite, rings) = offered(&phone);
        let mut leg = rings.leg();
        let prack = leg.request("PRACK").with("RAck", &rack(&rings));
        if answer.is_empty() {
            drop(prack)
        } else {
            drop(prack.sdp(&answer))
        }
        leg.expect(200);
        invite.ack(&leg.expect(488));
        expect_event!(phone, Event::Ended { by: EndedBy::Local, code: Some(488), .. });
        phone.assert_quiescent();
    }
}

#[test]
fn an_offer_while_the_first_one_waits_for_a_person_is_too_early() {
    let phone = Phone::new(direct());
    let (_, invite, rings) = ringing(&phone);
    let mut leg = rings.leg();
    for method in ["PRACK", "UPDATE"] {
        leg.request(method).with("RAck", &rack(&rings)).sdp(&sdp::directed(2, "sendonly"));
        let pause: u32 = leg.expect(500).header("Retry-After").parse().unwrap();
        assert!(pause <= 10);
    }
    invite.cancel();
    leg.expect(200);
    invite.ack(&leg.expect(487));
    phone.skip_events();
    phone.assert_quiescent();
}
