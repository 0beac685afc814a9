//! CANCEL (RFC 3261 section 9), both ways.

use offhook::ua::event::{EndedBy, Event};

use crate::harness::*;

#[test]
fn before_any_provisional_response_a_cancel_waits() {
    let phone = Phone::new(direct());
    let bob = phone.bob();
    let call = phone.dial_direct("sip:bob@192.0.2.201");
    let invite = bob.expect("INVITE");
    phone.hang_up(call);
    phone.hang_up(call); // impatient
    bob.expect_nothing();
    phone.advance(ms(500));
    bob.expect("INVITE");
    invite.reply(100);
    bob.expect("CANCEL").reply(200);
    invite.reply(487);
    bob.expect("ACK");
    expect_event!(phone, Event::Calling { .. });
    expect_event!(phone, Event::Ended { by: EndedBy::Local, code: Some(487), .. });
    phone.assert_quiescent();
}

#[test]
fn hung_up_and_never_answered_at_all() {
    let phone = Phone::new(direct());
    let bob = phone.bob();
    let call = phone.dial_direct("sip:bob@192.0.2.201");
    phone.hang_up(call);
    phone.advance(s(32));
    for _ in 0..7 {
        bob.expect("INVITE");
    }
    expect_event!(phone, Event::Calling { .. });
    expect_event!(phone, Event::Ended { by: EndedBy::Local, code: Some(487), .. });
    phone.assert_quiescent();
}

#[test]
fn a_cancel_that_crosses_the_200_is_followed_by_ack_and_bye() {
    let phone = Phone::new(direct());
    let bob = phone.bob();
    let call = phone.dial_direct("sip:bob@192.0.2.201");
    let invite = bob.expect("INVITE");
    let leg = invite.leg();
    invite.reply(180);
    let ok = invite.reply(200).sdp(&sdp::bob()).unsent();
    phone.hang_up(call);
    let cancel = bob.expect("CANCEL");
    bob.send(&ok);
    let ack = leg.expect("ACK");
    let bye = leg.expect("BYE");
    assert_eq!((ack.seq(), bye.seq()), (invite.seq(), invite.seq() + 1));
    // The 200 comes again: the ACK too, the BYE not.
    bob.send(&ok);
    leg.expect("ACK");
    cancel.reply(200);
    bye.reply(200);
    expect_event!(phone, Event::Calling { .. });
    expect_event!(phone, Event::Ringing { .. });
    expect_event!(phone, Event::Ended { by: EndedBy::Local, .. });
    phone.assert_quiescent();
}

#[test]
fn a_200_without_any_provisional_response_after_hanging_up_is_ended() {
    let phone = Phone::new(direct());
    let bob = phone.bob();
    let call = phone.dial_direct("sip:bob@192.0.2.201");
    let invite = bob.expect("INVITE");
    phone.hang_up(call);
    invite.reply(200).sdp(&sdp::bob());
    bob.expect("ACK");
    bob.expect("BYE").reply(200);
    expect_event!(phone, Event::Calling { .. });
    expect_event!(phone, Event::Ended { by: EndedBy::Local, .. });
    phone.assert_quiescent();
}

#[test]
fn a_cancel_that_crosses_a_refusal() {
    let phone = Phone::new(direct());
    let bob = phone.bob();
    let call = phone.dial_direct("sip:bob@192.0.2.201");
    let invite = bob.expect("INVITE");
    invite.reply(180);
    phone.hang_up(call);
    let cancel = bob.expect("CANCEL");
    invite.reply(486);
    bob.expect("ACK");
    cancel.reply(481);
    expect_event!(phone, Event::Calling { .. });
    expect_event!(phone, Event::Ringing { .. });
    expect_event!(phone, Event::Ended { by: EndedBy::Local, code: Some(487), .. });
    phone.assert_quiescent();
}

#[test]
fn a_cancelled_invite_that_never_ends_is_given_up() {
    let phone = Phone::new(direct());
    let bob = phone.bob();
    let call = phone.dial_direct("sip:bob@192.0.2.201");
    bob.expect("INVITE").reply(180);
    phone.advance(s(600));
    phone.hang_up(call);
    bob.expect("CANCEL").reply(200);
    phone.skip_events();
    phone.advance(s(32));
    expect_event!(phone, Event::Ended { by: EndedBy::Local, code: Some(487), .. });
    phone.assert_quiescent();
}

#[test]
fn a_challenge_that_crosses_a_cancel_is_not_answered() {
    let phone = Phone::new(alice());
    let proxy = phone.peer("ss1", "192.0.2.111:5060");
    let call = phone.dial("sip:bob@biloxi.example.com");
    let invite = proxy.expect("INVITE");
    phone.hang_up(call);
    invite.reply(407).challenge("Proxy-Authenticate", "atlanta.example.com", "n1");
    proxy.expect("ACK");
    expect_event!(phone, Event::Calling { .. });
    expect_event!(phone, Event::Ended { by: EndedBy::Local, .. });
    phone.assert_quiescent();
}

#[test]
fn a_cancel_after_our_answer_changes_nothing() {
    let phone = Phone::new(direct());
    let bob = phone.bob();
    let invite = bob.invite().sdp(&sdp::bob()).sent();
    bob.expect(180);
    let call = expect_event!(phone, Event::Incoming { call, .. } => call);
    phone.answer(call);
    let leg = bob.expect(200).leg();
    invite.cancel();
    assert_eq!(bob.expect(200).header("CSeq"), "1 CANCEL");
    leg.ack();
    phone.skip_events();
    hang_up(&phone, call, &leg);
}

#[test]
fn a_cancel_of_nothing_gets_481() {
    let phone = Phone::new(direct());
    let bob = phone.bob();
    bob.request("CANCEL", "sip:alice@192.0.2.101");
    bob.expect(481);
    phone.assert_quiescent();
}

#[test]
fn the_reason_of_a_cancel_is_told() {
    let phone = Phone::new(direct());
    let bob = phone.bob();
    let invite = bob.invite().sdp(&sdp::bob()).sent();
    bob.expect(180);
    invite.cancel().with("Reason", "SIP;cause=200;text=\"Call completed elsewhere\"");
    bob.expect(200);
    invite.ack(&bob.expect(487));
    expect_event!(phone, Event::Incoming { .. });
    expect_event!(phone, Event::Ended { reason, .. } => assert_eq!(reason, "Call completed elsewhere"));
    phone.assert_quiescent();
}
