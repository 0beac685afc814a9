//! Being transferred (RFC 3515 section 2.4): ask, follow, refuse; and what a REFER may not bring.

use offhook::ua::command::Reply;
use offhook::ua::config::TransferPolicy;
use offhook::ua::event::Event;
use offhook::ua::{CallNo, Command, CommandError, Config};

use crate::harness::*;

#[track_caller]
fn told(leg: &Leg, state: &str, fragment: &str) {
    let notify = leg.expect("NOTIFY");
    assert!(notify.header("Subscription-State").starts_with(state), "{}", notify.header("Subscription-State"));
    assert_eq!(notify.body(), format!("SIP/2.0 {fragment}\r\n"));
    notify.reply(200);
}

/// Up to the question.
#[track_caller]
fn asked(phone: &Phone) -> (CallNo, Leg) {
    let (call, mut leg) = call_out(phone);
    leg.request("REFER").with("Refer-To", "<sip:carol@192.0.2.203>");
    leg.expect(202);
    told(&leg, "active", "100 Trying");
    expect_event!(phone, Event::TransferRequest { to, by: None, .. } => assert_eq!(to, "sip:carol@192.0.2.203"));
    (call, leg)
}

#[track_caller]
fn accepted(phone: &Phone, call: CallNo) -> CallNo {
    match phone.command(Command::AcceptTransfer { call, media: MEDIA }) {
        Ok(Reply::Call(second)) => second,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_person_refuses() {
    let phone = Phone::new(direct());
    let (call, leg) = asked(&phone);
    phone.command(Command::RefuseTransfer { call }).unwrap();
    told(&leg, "terminated", "603 Decline");
    let again = phone.command(Command::RefuseTransfer { call });
    assert!(matches!(again, Err(CommandError::WrongState { .. })));
    let too_late = phone.command(Command::AcceptTransfer { call, media: MEDIA });
    assert!(matches!(too_late, Err(CommandError::WrongState { .. })));
    hang_up(&phone, call, &leg);
}

#[test]
fn thirty_seconds_of_silence_refuse() {
    let phone = Phone::new(direct());
    let (call, leg) = asked(&phone);
    phone.advance(ms(29_999));
    phone.assert_silent();
    phone.advance(ms(1));
    told(&leg, "terminated", "603 Decline");
    expect_event!(phone, Event::TransferExpired { call: expired } => assert_eq!(expired, call));
    hang_up(&phone, call, &leg);
}

#[test]
fn a_target_that_is_busy_is_reported_and_the_call_goes_on() {
    let phone = Phone::new(direct());
    let (call, leg) = asked(&phone);
    let second = accepted(&phone, call);
    let carol = phone.peer("carol", "192.0.2.203:5060");
    carol.expect("INVITE").reply(486);
    carol.expect("ACK");
    told(&leg, "terminated", "486 Busy Here");
    expect_event!(phone, Event::Calling { .. });
    expect_event!(phone, Event::Ended { call, code: Some(486), .. } => assert_eq!(call, second));
    hang_up(&phone, call, &leg);
}

#[test]
fn a_target_that_never_answers_is_reported_as_408() {
    let phone = Phone::new(direct());
    let (call, leg) = asked(&phone);
    accepted(&phone, call);
    phone.advance(s(32));
    let carol = phone.peer("carol", "192.0.2.203:5060");
    for _ in 0..7 {
        carol.expect("INVITE");
    }
    told(&leg, "terminated", "408 Request Timeout");
    expect_event!(phone, Event::Calling { .. });
    expect_event!(phone, Event::Ended { code: Some(408), .. });
    hang_up(&phone, call, &leg);
}

#[test]
fn a_person_who_gives_the_new_call_up_has_it_reported() {
    let phone = Phone::new(direct());
    let (call, leg) = asked(&phone);
    let second = accepted(&phone, call);
    let carol = phone.peer("carol", "192.0.2.203:5060");
    let invite = carol.expect("INVITE");
    invite.reply(180);
    told(&leg, "active", "180 Ringing");
    phone.hang_up(second);
    carol.expect("CANCEL").reply(200);
    invite.reply(487);
    carol.expect("ACK");
    told(&leg, "terminated", "487 Request Terminated");
    phone.skip_events();
    hang_up(&phone, call, &leg);
}

#[test]
fn who_asked_may_hang_up_before_the_target_answers() {
    let phone = Phone::new(direct());
    let (call, mut leg) = asked(&phone);
    let second = accepted(&phone, call);
    leg.bye();
    expect_event!(phone, Event::Calling { .. });
    expect_event!(phone, Event::Ended { call: ended, .. } => assert_eq!(ended, call));
    let carol = phone.peer("carol", "192.0.2.203:5060");
    let new_leg = answered(&carol, &sdp::bob());
    expect_event!(phone, Event::Media { .. });
    expect_event!(phone, Event::Established { .. });
    hang_up(&phone, second, &new_leg);
}

#[test]
fn by_policy_it_is_followed_or_refused() {
    let phone = Phone::new(Config { transfers: TransferPolicy::Follow, ..direct() });
    let (call, mut leg) = call_out(&phone);
    leg.request("REFER").with("Refer-To", "<sip:carol@192.0.2.203>");
    leg.expect(202);
    told(&leg, "active", "100 Trying");
    expect_event!(phone, Event::TransferDue { call: due, .. } => assert_eq!(due, call));
    let second = accepted(&phone, call);
    phone.hang_up(second);
    phone.hang_up(call);
    phone.advance(s(40));
    phone.skip_datagrams();
    phone.skip_events();
    phone.advance(s(40));
    phone.skip_datagrams();
    phone.assert_quiescent();

    let phone = Phone::new(Config { transfers: TransferPolicy::Refuse, ..direct() });
    let (call, mut leg) = call_out(&phone);
    leg.request("REFER").with("Refer-To", "<sip:carol@192.0.2.203>");
    leg.expect(603);
    phone.assert_silent();
    hang_up(&phone, call, &leg);
}

#[test]
fn what_may_not_be_referred_to() {
    let phone = Phone::new(direct());
    let (call, mut leg) = call_out(&phone);
    for (refer_to, code) in [
        ("<mailto:carol@example.com>", 416),
        ("<https://example.com/>", 416),
        ("<sip:carol@192.0.2.203;method=BYE>", 403),
        ("<sip:carol@192.0.2.203;method=SUBSCRIBE>", 403),
        ("<>", 400),
        ("<sip:carol@192.0.2.203>, <sip:dave@192.0.2.204>", 400),
    ] {
        leg.request("REFER").with("Refer-To", refer_to);
        let refusal = leg.peer.phone.bob().expect(code);
        assert_eq!(refusal.header("CSeq"), format!("{} REFER", leg.seq), "{refer_to}");
    }
    leg.request("REFER"); // none at all
    leg.expect(400);
    leg.request("REFER").with("Refer-To", "<sip:a@192.0.2.203>").with("Refer-To", "<sip:b@192.0.2.203>");
    leg.expect(400);
    phone.assert_silent();
    hang_up(&phone, call, &leg);
}

#[test]
fn embedded_header_fields_are_left_out() {
    let phone = Phone::new(direct());
    let (call, mut leg) = call_out(&phone);
    leg.request("REFER").with("r", "<sip:carol@192.0.2.203;method=INVITE?Subject=x&Route=%3Csip:evil@192.0.2.66%3E>");
    leg.expect(202);
    told(&leg, "active", "100 Trying");
    expect_event!(phone, Event::TransferRequest { .. });
    accepted(&phone, call);
    let invite = phone.peer("carol", "192.0.2.203:5060").expect("INVITE");
    assert_eq!(invite.uri(), "sip:carol@192.0.2.203");
    assert_eq!((invite.header("Subject"), invite.header("Route")), (String::new(), String::new()));
    invite.reply(603);
    invite.peer.expect("ACK");
    told(&leg, "terminated", "603 Decline");
    phone.skip_events();
    hang_up(&phone, call, &leg);
}

#[test]
fn a_second_refer_waits_its_turn_and_one_outside_a_call_is_forbidden() {
    let phone = Phone::new(direct());
    let (call, mut leg) = asked(&phone);
    leg.request("REFER").with("Refer-To", "<sip:dave@192.0.2.204>");
    assert!(!leg.expect(500).header("Retry-After").is_empty());
    phone.command(Command::RefuseTransfer { call }).unwrap();
    told(&leg, "terminated", "603 Decline");
    let bob = phone.bob();
    bob.request("REFER", "sip:alice@192.0.2.101")
        .with("Refer-To", "<sip:dave@192.0.2.204>")
        .with("Contact", "<sip:b@b>");
    bob.expect(403);
    hang_up(&phone, call, &leg);
}

#[test]
fn no_more_calls_than_allowed() {
    let phone = Phone::new(Config { max_calls: 1, ..direct() });
    let (call, leg) = asked(&phone);
    let full = phone.command(Command::AcceptTransfer { call, media: MEDIA });
    assert_eq!(full, Err(CommandError::TooManyCalls(1)));
    phone.command(Command::RefuseTransfer { call }).unwrap();
    told(&leg, "terminated", "603 Decline");
    hang_up(&phone, call, &leg);
}

#[test]
fn the_end_of_the_call_that_was_asked_for_is_no_answer_to_the_next_request() {
    let phone = Phone::new(direct());
    let (call, mut leg) = asked(&phone);
    let second = accepted(&phone, call);
    let carol = phone.peer("carol", "192.0.2.203:5060");
    let new_leg = answered(&carol, &sdp::bob());
    told(&leg, "terminated", "200 OK");
    leg.request("REFER").with("Refer-To", "<sip:dave@192.0.2.204>");
    leg.expect(202);
    told(&leg, "active", "100 Trying");
    phone.hang_up(second);
    new_leg.expect("BYE").reply(200);
    leg.peer.expect_nothing();
    phone.command(Command::RefuseTransfer { call }).unwrap();
    told(&leg, "terminated", "603 Decline");
    phone.skip_events();
    hang_up(&phone, call, &leg);
}

#[test]
fn a_target_that_cannot_be_called_leaves_the_question_open() {
    let phone = Phone::new(direct());
    let (call, mut leg) = call_out(&phone);
    leg.request("REFER").with("Refer-To", "<tel:+4930123>");
    leg.expect(202);
    told(&leg, "active", "100 Trying");
    expect_event!(phone, Event::TransferRequest { .. });
    // No account could take the number.
    let refused = phone.command(Command::AcceptTransfer { call, media: MEDIA });
    assert!(matches!(refused, Err(CommandError::BadTarget(_))), "{refused:?}");
    phone.assert_silent();
    phone.command(Command::RefuseTransfer { call }).unwrap();
    told(&leg, "terminated", "603 Decline");
    hang_up(&phone, call, &leg);
}
