//! Transfers that we ask for (RFC 3515, RFC 5589 section 6): each stage, and each way to fail.

use offhook::ua::event::{EndedBy, Event, TransferStage};
use offhook::ua::{CallNo, Command, CommandError};

use crate::harness::*;

const TARGET: &str = "sip:carol@192.0.2.203";

/// Up to our REFER: the call is held for it.
#[track_caller]
fn referred(phone: &Phone) -> (CallNo, Leg, Got) {
    let (call, leg) = call_out(phone);
    phone.transfer(call, TARGET);
    leg.expect("INVITE").reply(200).sdp(&sdp::directed(2, "recvonly"));
    leg.expect("ACK");
    expect_event!(phone, Event::Media { .. });
    expect_event!(phone, Event::Held { .. });
    let refer = leg.expect("REFER");
    assert_eq!(refer.header("Refer-To"), format!("<{TARGET}>"));
    (call, leg, refer)
}

fn notify(leg: &mut Leg, state: &str, fragment: &str) {
    leg.request("NOTIFY")
        .with("Event", "refer")
        .with("Subscription-State", state)
        .body("message/sipfrag", &format!("SIP/2.0 {fragment}\r\n"));
}

#[track_caller]
fn trying(phone: &Phone) {
    expect_event!(phone, Event::Transfer { stage: TransferStage::Trying, code: None, .. });
}

/// The transfer has failed: the call comes back.
#[track_caller]
fn failed_and_back(phone: &Phone, call: CallNo, leg: &Leg, code: Option<u16>) {
    expect_event!(phone, Event::Transfer { stage: TransferStage::Failed, code: told, .. } => assert_eq!(told, code));
    let resume = leg.expect("INVITE");
    assert!(!resume.body().contains("a=sendonly"), "{}", resume.body());
    resume.reply(200).sdp(&sdp::directed(3, "sendrecv"));
    leg.expect("ACK");
    expect_event!(phone, Event::Media { media, .. } => assert!(media.send && media.receive_audio));
    expect_event!(phone, Event::Resumed { .. });
    hang_up(phone, call, leg);
}

#[test]
fn a_refused_refer_brings_the_call_back() {
    let phone = Phone::new(direct());
    let (call, leg, refer) = referred(&phone);
    refer.reply(603);
    failed_and_back(&phone, call, &leg, Some(603));
}

#[test]
fn a_refer_without_any_answer_brings_the_call_back() {
    let phone = Phone::new(direct());
    let (call, leg, _) = referred(&phone);
    phone.advance(s(32));
    for _ in 0..10 {
        leg.expect("REFER");
    }
    failed_and_back(&phone, call, &leg, Some(408));
}

#[test]
fn a_target_that_refuses_brings_the_call_back() {
    let phone = Phone::new(direct());
    let (call, mut leg, refer) = referred(&phone);
    refer.reply(202);
    trying(&phone);
    notify(&mut leg, "terminated;reason=noresource", "486 Busy Here");
    leg.expect(200);
    failed_and_back(&phone, call, &leg, Some(486));
}

#[test]
fn sixty_seconds_without_a_final_notify_bring_the_call_back() {
    let phone = Phone::new(direct());
    let (call, mut leg, refer) = referred(&phone);
    refer.reply(202);
    trying(&phone);
    notify(&mut leg, "active", "100 Trying");
    leg.expect(200);
    phone.advance(ms(59_999));
    phone.assert_silent();
    phone.advance(ms(1));
    failed_and_back(&phone, call, &leg, None);

    // A report that comes too late is of no subscription.
    let (call, mut leg, refer) = referred(&phone);
    refer.reply(202);
    trying(&phone);
    phone.advance_until_sent(s(60));
    expect_event!(phone, Event::Transfer { stage: TransferStage::Failed, code: None, .. });
    leg.expect("INVITE").reply(200).sdp(&sdp::directed(3, "sendrecv"));
    leg.expect("ACK");
    phone.skip_events();
    notify(&mut leg, "terminated", "200 OK");
    leg.expect(481);
    hang_up(&phone, call, &leg);
}

#[test]
fn a_notify_may_come_before_the_202() {
    let phone = Phone::new(direct());
    let (_, mut leg, refer) = referred(&phone);
    notify(&mut leg, "active", "180 Ringing");
    leg.expect(200);
    trying(&phone);
    expect_event!(phone, Event::Transfer { stage: TransferStage::Ringing, code: Some(180), .. });
    refer.reply(202);
    phone.assert_silent();
    notify(&mut leg, "terminated", "200 OK");
    leg.expect(200);
    expect_event!(phone, Event::Transfer { stage: TransferStage::Accepted, code: Some(200), .. });
    leg.expect("BYE").reply(200);
    expect_event!(phone, Event::Ended { by: EndedBy::Local, .. });
    phone.assert_quiescent();
}

#[test]
fn a_bye_after_the_202_without_a_final_notify_is_success() {
    let phone = Phone::new(direct());
    let (_, mut leg, refer) = referred(&phone);
    refer.reply(202);
    trying(&phone);
    leg.bye();
    expect_event!(phone, Event::Transfer { stage: TransferStage::Accepted, code: None, .. });
    expect_event!(phone, Event::Ended { by: EndedBy::Remote, .. });
    phone.assert_quiescent();
}

#[test]
fn a_subscription_that_ends_with_100_is_no_failure() {
    let phone = Phone::new(direct());
    let (_, mut leg, refer) = referred(&phone);
    refer.reply(202);
    trying(&phone);
    notify(&mut leg, "terminated;reason=noresource", "100 Trying");
    leg.expect(200);
    phone.assert_silent();
    leg.bye();
    expect_event!(phone, Event::Transfer { stage: TransferStage::Accepted, code: None, .. });
    expect_event!(phone, Event::Ended { by: EndedBy::Remote, .. });
    phone.assert_quiescent();
}

#[test]
fn a_bye_before_the_202_is_failure() {
    let phone = Phone::new(direct());
    let (_, mut leg, refer) = referred(&phone);
    leg.bye();
    expect_event!(phone, Event::Transfer { stage: TransferStage::Failed, .. });
    expect_event!(phone, Event::Ended { by: EndedBy::Remote, .. });
    refer.reply(481);
    phone.assert_quiescent();
}

#[test]
fn hanging_up_while_it_is_under_way() {
    let phone = Phone::new(direct());
    let (call, leg, refer) = referred(&phone);
    refer.reply(202);
    trying(&phone);
    phone.hang_up(call);
    leg.expect("BYE").reply(200);
    expect_event!(phone, Event::Transfer { stage: TransferStage::Failed, .. });
    expect_event!(phone, Event::Ended { by: EndedBy::Local, .. });
    phone.assert_quiescent();
}

#[test]
fn a_call_that_was_held_before_stays_held_after_a_failure() {
    let phone = Phone::new(direct());
    let (call, leg) = call_out(&phone);
    phone.hold(call);
    leg.expect("INVITE").reply(200).sdp(&sdp::directed(2, "recvonly"));
    leg.expect("ACK");
    phone.skip_events();
    phone.transfer(call, TARGET);
    leg.expect("REFER").reply(405);
    expect_event!(phone, Event::Transfer { stage: TransferStage::Failed, code: Some(405), .. });
    phone.assert_silent();
    hang_up(&phone, call, &leg);
}

#[test]
fn a_hold_that_is_refused_does_not_stop_the_transfer() {
    let phone = Phone::new(direct());
    let (call, mut leg) = call_out(&phone);
    phone.transfer(call, TARGET);
    leg.expect("INVITE").reply(403);
    leg.expect("ACK");
    expect_event!(phone, Event::HoldRefused { .. });
    leg.expect("REFER").reply(202);
    trying(&phone);
    notify(&mut leg, "terminated", "404 Not Found");
    leg.expect(200);
    expect_event!(phone, Event::Transfer { stage: TransferStage::Failed, code: Some(404), .. });
    phone.assert_silent(); // nothing to take back
    hang_up(&phone, call, &leg);
}

#[test]
fn notifies_that_are_not_understood() {
    let phone = Phone::new(direct());
    let (call, mut leg, refer) = referred(&phone);
    refer.reply(202);
    trying(&phone);
    leg.request("NOTIFY").with("Event", "presence").with("Subscription-State", "active");
    leg.expect(489);
    leg.request("NOTIFY").with("Event", "refer;id=4711").with("Subscription-State", "active");
    leg.expect(481);
    leg.request("NOTIFY").with("Event", "refer").with("Subscription-State", "active").body("text/plain", "hello");
    leg.expect(415);
    notify(&mut leg, "active", "nonsense");
    leg.expect(400);
    phone.assert_silent();
    notify(&mut leg, "terminated", "603 Decline");
    leg.expect(200);
    failed_and_back(&phone, call, &leg, Some(603));
}

#[test]
fn a_notify_without_any_transfer_gets_481() {
    let phone = Phone::new(direct());
    let (call, mut leg) = call_out(&phone);
    notify(&mut leg, "active", "100 Trying");
    leg.expect(481);
    hang_up(&phone, call, &leg);
}

#[test]
fn one_transfer_at_a_time_and_only_to_what_can_be_called() {
    let phone = Phone::new(direct());
    let (call, leg, refer) = referred(&phone);
    let again = phone.command(Command::Transfer { call, target: uri(TARGET) });
    assert!(matches!(again, Err(CommandError::WrongState { .. })));
    let nobody = phone.command(Command::Transfer { call, target: uri("mailto:carol@example.com") });
    assert!(matches!(nobody, Err(CommandError::BadTarget(_))));
    refer.reply(500);
    failed_and_back(&phone, call, &leg, Some(500));
}
