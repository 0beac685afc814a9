//! Hold and resume by re-INVITE, in each style, and what can go wrong with it.

use offhook::sdp::HoldStyle;
use offhook::ua::event::{EndedBy, Event};
use offhook::ua::{Command, CommandError, Config};

use crate::harness::*;

/// Holds, and has it accepted.
#[track_caller]
fn held(phone: &Phone, call: offhook::ua::CallNo, leg: &Leg, answer: &str) -> Got {
    phone.hold(call);
    let invite = leg.expect("INVITE");
    invite.reply(200).sdp(&sdp::directed(20, answer));
    leg.expect("ACK");
    expect_event!(phone, Event::Media { media, .. } => assert!(!media.send && !media.receive_audio));
    expect_event!(phone, Event::Held { .. });
    invite
}

#[test]
fn each_style_is_written_as_configured() {
    for (style, connection, direction, answer) in [
        (HoldStyle::Zero, "0.0.0.0", "sendonly", "recvonly"),
        (HoldStyle::SendOnly, "192.0.2.101", "sendonly", "recvonly"),
        (HoldStyle::Inactive, "192.0.2.101", "inactive", "inactive"),
    ] {
        let phone = Phone::new(Config { hold: style, ..direct() });
        let (call, mut leg) = call_out(&phone);
        let hold = held(&phone, call, &leg, answer);
        hold.has_line(&format!("c=IN IP4 {connection}")).has_line(&format!("a={direction}")).has_line("m=audio 49170 ");
        phone.resume(call);
        let resume = leg.expect("INVITE");
        resume.has_line("c=IN IP4 192.0.2.101");
        assert!(!resume.body().contains(direction), "{}", resume.body());
        assert_eq!(resume.version(), hold.version() + 1);
        resume.reply(200).sdp(&sdp::directed(21, "sendrecv"));
        leg.expect("ACK");
        expect_event!(phone, Event::Media { media, .. } => assert!(media.send && media.receive_audio));
        expect_event!(phone, Event::Resumed { .. });
        hung_up(&phone, &mut leg);
    }
}

#[test]
fn a_488_to_zero_is_tried_once_more_as_sendonly() {
    let phone = Phone::new(direct());
    let (call, leg) = call_out(&phone);
    phone.hold(call);
    let first = leg.expect("INVITE");
    first.reply(488);
    leg.expect("ACK");
    let second = leg.expect("INVITE");
    assert_eq!(second.seq(), first.seq() + 1);
    second.has_line("c=IN IP4 192.0.2.101").has_line("a=sendonly");
    second.reply(200).sdp(&sdp::directed(2, "recvonly"));
    leg.expect("ACK");
    expect_event!(phone, Event::Media { .. });
    expect_event!(phone, Event::Held { .. });
    hang_up(&phone, call, &leg);

    let phone = Phone::new(direct());
    let (call, leg) = call_out(&phone);
    phone.hold(call);
    for _ in 0..2 {
        leg.expect("INVITE").reply(488);
        leg.expect("ACK");
    }
    expect_event!(phone, Event::HoldRefused { .. });
    phone.assert_silent();
    hang_up(&phone, call, &leg);
}

#[test]
fn a_refused_hold_leaves_the_call_as_it_was() {
    for code in [403, 500, 603] {
        let phone = Phone::new(direct());
        let (call, leg) = call_out(&phone);
        phone.hold(call);
        leg.expect("INVITE").reply(code);
        leg.expect("ACK");
        expect_event!(phone, Event::HoldRefused { held, message, .. } => {
            assert!(!held && message.contains(&code.to_string()));
        });
        phone.assert_silent();
        // It can be tried again.
        held(&phone, call, &leg, "recvonly");
        hang_up(&phone, call, &leg);
    }
}

#[test]
fn a_refused_resume_leaves_it_held() {
    let phone = Phone::new(direct());
    let (call, leg) = call_out(&phone);
    held(&phone, call, &leg, "recvonly");
    phone.resume(call);
    leg.expect("INVITE").reply(500);
    leg.expect("ACK");
    expect_event!(phone, Event::HoldRefused { held, .. } => assert!(held));
    phone.hold(call); // still held: nothing to do
    phone.assert_silent();
    hang_up(&phone, call, &leg);
}

#[test]
fn a_481_or_408_to_a_reinvite_ends_the_call() {
    for code in [481, 408] {
        let phone = Phone::new(direct());
        let (call, leg) = call_out(&phone);
        phone.hold(call);
        leg.expect("INVITE").reply(code);
        leg.expect("ACK");
        leg.expect("BYE").reply(481);
        expect_event!(phone, Event::Ended { code: Some(ended), .. } => assert_eq!(ended, code));
        phone.assert_quiescent();
    }
}

#[test]
fn a_reinvite_without_any_answer_ends_the_call() {
    let phone = Phone::new(direct());
    let (call, leg) = call_out(&phone);
    phone.hold(call);
    phone.advance(s(32));
    for _ in 0..7 {
        leg.expect("INVITE");
    }
    leg.expect("BYE");
    expect_event!(phone, Event::Ended { by: EndedBy::Timeout, code: Some(408), .. });
    phone.advance(s(32));
    phone.skip_datagrams();
    phone.assert_quiescent();
}

#[test]
fn a_bye_while_our_reinvite_rings_leaves_nothing() {
    let phone = Phone::new(direct());
    let (call, mut leg) = call_out(&phone);
    phone.hold(call);
    leg.expect("INVITE").reply(100);
    hung_up(&phone, &mut leg); // and its 487 never comes

    let (call, mut leg) = call_out(&phone);
    phone.hold(call);
    let invite = leg.expect("INVITE");
    leg.bye();
    expect_event!(phone, Event::Ended { by: EndedBy::Remote, .. });
    invite.reply(100); // late
    phone.assert_quiescent();
}

#[test]
fn a_200_to_a_reinvite_that_crosses_our_bye_gets_its_ack_and_no_second_bye() {
    let phone = Phone::new(direct());
    let (call, leg) = call_out(&phone);
    phone.hold(call);
    let invite = leg.expect("INVITE");
    phone.hang_up(call);
    let bye = leg.expect("BYE");
    invite.reply(200).sdp(&sdp::directed(2, "recvonly"));
    leg.expect("ACK");
    bye.reply(200);
    expect_event!(phone, Event::Ended { by: EndedBy::Local, .. });
    phone.assert_quiescent();
}

#[test]
fn glare_without_end_is_a_refusal() {
    let phone = Phone::new(direct());
    let (call, leg) = call_out(&phone);
    phone.hold(call);
    for _ in 0..8 {
        leg.expect("INVITE").reply(491);
        leg.expect("ACK");
        phone.assert_silent();
        phone.advance_until_sent(s(4));
    }
    leg.expect("INVITE").reply(491);
    leg.expect("ACK");
    expect_event!(phone, Event::HoldRefused { message, .. } => assert!(message.contains("491"), "{message}"));
    hang_up(&phone, call, &leg);
}

#[test]
fn glare_the_caller_waits_two_to_four_seconds() {
    let phone = Phone::new(direct());
    let (call, leg) = call_out(&phone);
    phone.hold(call);
    let first = leg.expect("INVITE");
    first.reply(491);
    leg.expect("ACK");
    assert!(phone.advance_until_sent(s(4)) >= ms(2100));
    let second = leg.expect("INVITE");
    assert_eq!(second.seq(), first.seq() + 1);
    second.has_line("a=sendonly");
    second.reply(200).sdp(&sdp::directed(2, "recvonly"));
    leg.expect("ACK");
    expect_event!(phone, Event::Media { .. });
    expect_event!(phone, Event::Held { .. });
    hang_up(&phone, call, &leg);
}

#[test]
fn glare_the_called_one_waits_up_to_two_seconds_and_theirs_goes_first() {
    let phone = Phone::new(direct());
    let (call, mut leg) = call_in(&phone);
    phone.hold(call);
    leg.expect("INVITE").reply(491);
    leg.expect("ACK");
    leg.request("INVITE").sdp(&sdp::directed(2, "sendonly"));
    leg.expect(200).has_line("a=recvonly"); // our hold is not agreed on yet
    leg.ack();
    expect_event!(phone, Event::Media { .. });
    expect_event!(phone, Event::RemoteHeld { .. });
    phone.advance_until_sent(s(2));
    let hold = leg.expect("INVITE");
    hold.has_line("a=sendonly");
    hold.reply(200).sdp(&sdp::directed(3, "inactive"));
    leg.expect("ACK");
    expect_event!(phone, Event::Media { media, .. } => assert!(media.held_by_peer));
    expect_event!(phone, Event::Held { .. });
    phone.advance(s(10));
    phone.assert_silent();
    hang_up(&phone, call, &leg);
}

#[test]
fn a_hold_that_met_491_goes_along_with_the_next_offer_of_ours() {
    let phone = Phone::new(direct());
    let (call, mut leg) = call_out(&phone);
    phone.hold(call);
    leg.expect("INVITE").reply(491);
    leg.expect("ACK");
    leg.request("INVITE"); // theirs, without offer
    leg.expect(200).has_line("c=IN IP4 0.0.0.0").has_line("a=sendonly");
    leg.ack().sdp(&sdp::directed(2, "recvonly"));
    expect_event!(phone, Event::Media { .. });
    expect_event!(phone, Event::Held { .. });
    phone.advance(s(5));
    phone.assert_silent(); // nothing is left to ask for
    hang_up(&phone, call, &leg);
}

#[test]
fn both_holding_is_inactive() {
    let phone = Phone::new(direct());
    let (call, mut leg) = call_out(&phone);
    held(&phone, call, &leg, "recvonly");
    leg.request("INVITE").sdp(&sdp::directed(21, "sendonly"));
    leg.expect(200).has_line("a=inactive");
    leg.ack();
    expect_event!(phone, Event::Media { .. });
    expect_event!(phone, Event::RemoteHeld { .. });
    // They take it back, and we still hold.
    leg.request("INVITE").sdp(&sdp::directed(22, "sendrecv"));
    leg.expect(200).has_line("a=sendonly");
    leg.ack();
    expect_event!(phone, Event::Media { media, .. } => assert!(!media.send && !media.receive_audio));
    expect_event!(phone, Event::RemoteResumed { .. });
    phone.resume(call);
    leg.expect("INVITE").reply(200).sdp(&sdp::directed(23, "sendrecv"));
    leg.expect("ACK");
    expect_event!(phone, Event::Media { media, .. } => assert!(media.send && media.receive_audio));
    expect_event!(phone, Event::Resumed { .. });
    hang_up(&phone, call, &leg);
}

#[test]
fn a_change_of_mind_follows_when_the_first_is_settled() {
    let phone = Phone::new(direct());
    let (call, leg) = call_out(&phone);
    phone.hold(call);
    phone.resume(call);
    leg.expect("INVITE").reply(200).sdp(&sdp::directed(2, "recvonly"));
    leg.expect("ACK");
    leg.expect("INVITE").reply(200).sdp(&sdp::directed(3, "sendrecv"));
    leg.expect("ACK");
    expect_event!(phone, Event::Media { .. });
    expect_event!(phone, Event::Held { .. });
    expect_event!(phone, Event::Media { .. });
    expect_event!(phone, Event::Resumed { .. });
    phone.assert_silent();
    hang_up(&phone, call, &leg);
}

#[test]
fn a_hold_waits_for_the_ack_of_our_answer() {
    let phone = Phone::new(direct());
    let bob = phone.bob();
    bob.invite().sdp(&sdp::bob());
    bob.expect(180);
    let call = expect_event!(phone, Event::Incoming { call, .. } => call);
    phone.answer(call);
    let leg = bob.expect(200).leg();
    phone.skip_events();
    phone.hold(call);
    bob.expect_nothing();
    leg.ack();
    leg.expect("INVITE").reply(200).sdp(&sdp::directed(2, "recvonly"));
    leg.expect("ACK");
    expect_event!(phone, Event::Media { .. });
    expect_event!(phone, Event::Held { .. });
    hang_up(&phone, call, &leg);
}

#[test]
fn the_200_to_a_reinvite_comes_again_and_so_does_its_ack() {
    let phone = Phone::new(direct());
    let (call, leg) = call_out(&phone);
    phone.hold(call);
    let invite = leg.expect("INVITE");
    let ok = invite.reply(200).sdp(&sdp::directed(2, "recvonly")).sent();
    leg.expect("ACK");
    leg.peer.send(&ok);
    assert_eq!(leg.expect("ACK").seq(), invite.seq());
    phone.advance(s(33));
    leg.peer.send(&ok);
    assert_eq!(leg.expect("ACK").seq(), invite.seq());
    phone.skip_events();
    hang_up(&phone, call, &leg);
}

#[test]
fn the_200_to_the_invite_is_acknowledged_after_a_hold_too() {
    let phone = Phone::new(direct());
    let bob = phone.bob();
    let call = phone.dial_direct("sip:bob@192.0.2.201");
    let invite = bob.expect("INVITE");
    let leg = invite.leg();
    let ok = invite.reply(200).sdp(&sdp::bob()).sent();
    leg.expect("ACK"); // lost
    phone.skip_events();
    phone.hold(call);
    leg.expect("INVITE").reply(200).sdp(&sdp::directed(2, "recvonly"));
    assert_eq!(leg.expect("ACK").seq(), invite.seq() + 1);
    bob.send(&ok);
    assert_eq!(leg.expect("ACK").seq(), invite.seq());
    phone.advance(s(40)); // its transaction has ended
    bob.send(&ok);
    assert_eq!(leg.expect("ACK").seq(), invite.seq());
    phone.skip_events();
    hang_up(&phone, call, &leg);
}

#[test]
fn hold_of_an_unanswered_call_is_an_error() {
    let phone = Phone::new(direct());
    let call = phone.dial_direct("sip:bob@192.0.2.201");
    assert!(matches!(phone.command(Command::Hold { call }), Err(CommandError::WrongState { .. })));
    let bob = phone.bob();
    bob.expect("INVITE").reply(486);
    bob.expect("ACK");
    assert!(matches!(phone.command(Command::Hold { call }), Err(CommandError::NoSuchCall(_))));
    phone.skip_events();
    phone.assert_quiescent();
}
