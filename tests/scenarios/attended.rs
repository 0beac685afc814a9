//! Attended transfer (RFC 5589 section 7, RFC 3891), in all three parts: who transfers, who is transferred, and the target.

use offhook::ua::command::Reply;
use offhook::ua::config::TransferPolicy;
use offhook::ua::event::{EndedBy, Event, TransferStage};
use offhook::ua::{CallNo, Command, CommandError, Config};

use crate::harness::*;

/// The phone calls Carol as well: the target.
#[track_caller]
fn call_carol(phone: &Phone) -> (CallNo, Leg) {
    let carol = phone.peer("carol", "192.0.2.203:5060");
    let call = phone.dial_direct("sip:carol@192.0.2.203");
    expect_event!(phone, Event::Calling { .. });
    let leg = answered(&carol, &sdp::bob());
    expect_event!(phone, Event::Media { .. });
    expect_event!(phone, Event::Established { .. });
    (call, leg)
}

#[track_caller]
fn held(phone: &Phone, leg: &Leg) {
    leg.expect("INVITE").reply(200).sdp(&sdp::directed(2, "recvonly"));
    leg.expect("ACK");
    expect_event!(phone, Event::Media { .. });
    expect_event!(phone, Event::Held { .. });
}

/// Bob is held, Carol is asked, and both are to talk to each other: up to our REFER.
#[track_caller]
fn referred(phone: &Phone) -> ((CallNo, Leg), (CallNo, Leg), Got) {
    let (bob, bob_leg) = call_out(phone);
    phone.hold(bob);
    held(phone, &bob_leg);
    let (carol, carol_leg) = call_carol(phone);
    phone.command(Command::TransferWith { call: bob, with: carol }).unwrap();
    let refer = bob_leg.expect("REFER");
    ((bob, bob_leg), (carol, carol_leg), refer)
}

fn notify(leg: &mut Leg, fragment: &str) {
    let state = if fragment.starts_with('1') { "active;expires=60" } else { "terminated;reason=noresource" };
    leg.request("NOTIFY")
        .with("Event", "refer")
        .with("Subscription-State", state)
        .body("message/sipfrag", &format!("SIP/2.0 {fragment}\r\n"));
}

fn escaped(text: &str) -> String {
    text.replace('@', "%40")
}

fn tag(address: &str) -> &str {
    address.split(";tag=").nth(1).unwrap()
}

#[test]
fn we_join_two_calls_and_leave() {
    let phone = Phone::new(direct());
    let ((bob, mut bob_leg), (carol, mut carol_leg), refer) = referred(&phone);
    // The tags are Carol's point of view: her own is to-tag. (To Carol, whom we called, hers is in To.)
    let expected = format!(
        "<sip:carol@192.0.2.203:5060?Replaces={}%3Bto-tag%3D{}%3Bfrom-tag%3D{}>",
        escaped(&carol_leg.call_id),
        tag(&carol_leg.local),
        tag(&carol_leg.remote)
    );
    assert_eq!(refer.header("Refer-To"), expected);
    assert!(!refer.header("Referred-By").is_empty());
    refer.reply(202);
    expect_event!(phone, Event::Transfer { call, stage: TransferStage::Trying, .. } => assert_eq!(call, bob));
    notify(&mut bob_leg, "180 Ringing");
    bob_leg.expect(200);
    expect_event!(phone, Event::Transfer { stage: TransferStage::Ringing, .. });
    // Carol has Bob's INVITE, and ends ours.
    carol_leg.bye();
    expect_event!(phone, Event::Ended { call, by: EndedBy::Remote, .. } => assert_eq!(call, carol));
    notify(&mut bob_leg, "200 OK");
    bob_leg.expect(200);
    expect_event!(phone, Event::Transfer { stage: TransferStage::Accepted, code: Some(200), .. });
    bob_leg.expect("BYE").reply(200);
    expect_event!(phone, Event::Ended { call, by: EndedBy::Local, .. } => assert_eq!(call, bob));
    phone.assert_quiescent();
}

#[test]
fn the_tags_of_a_call_that_came_to_us_are_right_as_well() {
    let phone = Phone::new(direct());
    let (bob, bob_leg) = call_out(&phone);
    let carol = phone.peer("carol", "192.0.2.203:5060");
    carol.invite().sdp(&sdp::bob());
    carol.expect(180);
    let call = expect_event!(phone, Event::Incoming { call, .. } => call);
    phone.answer(call);
    let leg = carol.expect(200).leg();
    leg.ack();
    phone.skip_events();
    phone.command(Command::TransferWith { call: bob, with: call }).unwrap();
    held(&phone, &bob_leg);
    let refer = bob_leg.expect("REFER");
    let to = refer.header("Refer-To");
    assert!(to.contains(&format!("%3Bto-tag%3D{}%3B", tag(&leg.local))), "{to}");
    assert!(to.ends_with(&format!("%3Bfrom-tag%3D{}>", tag(&leg.remote))), "{to}");
    refer.reply(603);
    expect_event!(phone, Event::Transfer { stage: TransferStage::Failed, code: Some(603), .. });
}

#[test]
fn a_target_that_does_not_end_its_call_has_it_ended() {
    let phone = Phone::new(direct());
    let ((_, mut bob_leg), (carol, carol_leg), refer) = referred(&phone);
    refer.reply(202);
    notify(&mut bob_leg, "200 OK");
    bob_leg.expect(200);
    bob_leg.expect("BYE").reply(200);
    phone.skip_events();
    phone.advance(ms(2_999));
    phone.assert_silent();
    phone.advance(ms(1));
    carol_leg.expect("BYE").reply(200);
    expect_event!(phone, Event::Ended { call, by: EndedBy::Local, .. } => assert_eq!(call, carol));
    phone.assert_quiescent();
}

#[test]
fn a_transfer_that_fails_leaves_both_calls_as_they_were() {
    let phone = Phone::new(direct());
    let ((bob, mut bob_leg), (carol, mut carol_leg), refer) = referred(&phone);
    refer.reply(202);
    expect_event!(phone, Event::Transfer { stage: TransferStage::Trying, .. });
    notify(&mut bob_leg, "486 Busy Here");
    bob_leg.expect(200);
    expect_event!(phone, Event::Transfer { stage: TransferStage::Failed, code: Some(486), .. });
    // Bob was held before: he still is, and Carol is still there.
    phone.assert_silent();
    phone.hold(carol);
    held(&phone, &carol_leg);
    // Once more, and now Bob vanishes.
    phone.command(Command::TransferWith { call: bob, with: carol }).unwrap();
    bob_leg.expect("REFER").reply(481);
    bob_leg.expect("BYE").reply(481);
    expect_event!(phone, Event::Transfer { stage: TransferStage::Failed, .. });
    expect_event!(phone, Event::Ended { call, .. } => assert_eq!(call, bob));
    hung_up(&phone, &mut carol_leg);
}

#[test]
fn a_target_that_its_contact_does_not_reach_is_tried_by_its_address() {
    let phone = Phone::new(direct());
    let (bob, mut bob_leg) = call_out(&phone);
    let carol = phone.peer("carol", "192.0.2.203:5060");
    let with = phone.dial_direct("sip:carol@192.0.2.203");
    let invite = carol.expect("INVITE");
    let carol_leg = invite.leg();
    invite.reply(200).contact("<sip:x7@10.0.0.7>").sdp(&sdp::bob());
    phone.skip_events();
    phone.skip_datagrams();
    phone.command(Command::TransferWith { call: bob, with }).unwrap();
    held(&phone, &bob_leg);
    let refer = bob_leg.expect("REFER");
    assert!(refer.header("Refer-To").starts_with("<sip:x7@10.0.0.7?Replaces="), "{}", refer.header("Refer-To"));
    refer.reply(202);
    expect_event!(phone, Event::Transfer { stage: TransferStage::Trying, .. });
    notify(&mut bob_leg, "404 Not Found");
    bob_leg.expect(200);
    let again = bob_leg.expect("REFER");
    let to = again.header("Refer-To");
    assert!(to.starts_with("<sip:carol@192.0.2.203?Replaces=") && to.ends_with("&Require=replaces>"), "{to}");
    assert!(to.contains(tag(&carol_leg.local)));
    again.reply(202);
    expect_event!(phone, Event::Transfer { stage: TransferStage::Trying, .. });
    notify(&mut bob_leg, "404 Not Found");
    bob_leg.expect(200);
    expect_event!(phone, Event::Transfer { stage: TransferStage::Failed, code: Some(404), .. });
}

/// The target still rings: the transfer is completed early, as a blind one.
#[test]
fn a_target_that_still_rings_is_left_to_the_other_side() {
    let phone = Phone::new(direct());
    let (bob, bob_leg) = call_out(&phone);
    let carol = phone.peer("carol", "192.0.2.203:5060");
    let with = phone.dial_direct("sip:carol@192.0.2.203");
    let invite = carol.expect("INVITE");
    invite.reply(180);
    phone.skip_events();
    phone.command(Command::TransferWith { call: bob, with }).unwrap();
    carol.expect("CANCEL").reply(200);
    invite.reply(487);
    carol.expect("ACK");
    expect_event!(phone, Event::Ended { call, code: Some(487), .. } => assert_eq!(call, with));
    held(&phone, &bob_leg);
    let refer = bob_leg.expect("REFER");
    assert_eq!(refer.header("Refer-To"), "<sip:carol@192.0.2.203>");
    // RFC 4488: Bob will not report; then it is his.
    refer.reply(202).with("Refer-Sub", "false");
    expect_event!(phone, Event::Transfer { stage: TransferStage::Trying, .. });
    expect_event!(phone, Event::Transfer { stage: TransferStage::Accepted, code: None, .. });
    bob_leg.expect("BYE").reply(200);
    expect_event!(phone, Event::Ended { .. });
    phone.assert_quiescent();
}

#[test]
fn what_can_not_be_joined() {
    let phone = Phone::new(direct());
    let (bob, bob_leg) = call_out(&phone);
    let join = |call, with| phone.command(Command::TransferWith { call, with });
    assert_eq!(join(bob, bob), Err(CommandError::ToItself(bob)));
    assert_eq!(join(bob, CallNo(9)), Err(CommandError::NoSuchCall(CallNo(9))));
    let carol = phone.peer("carol", "192.0.2.203:5060");
    carol.invite().sdp(&sdp::bob());
    carol.expect(180);
    let rings = expect_event!(phone, Event::Incoming { call, .. } => call);
    assert!(matches!(join(bob, rings), Err(CommandError::WrongState { .. })), "it rings here");
    phone.command(Command::Reject { call: rings, code: 486 }).unwrap();
    carol.expect(486);
    phone.skip_events();
    phone.advance(s(1));
    phone.skip_datagrams();
    phone.hang_up(bob);
    bob_leg.expect("BYE").reply(200);
}

// ---- being transferred ----

#[test]
fn we_call_the_target_in_place_of_another_one() {
    let phone = Phone::new(Config { transfers: TransferPolicy::Follow, ..direct() });
    let (call, mut leg) = call_in(&phone);
    let refer_to = "<sip:carol@192.0.2.203?Replaces=a%40b%3Bto-tag%3Dct%3Bfrom-tag%3Dbt&Require=replaces>";
    leg.request("REFER").with("Refer-To", refer_to).with("Referred-By", "<sip:bob@192.0.2.201>");
    leg.expect(202);
    leg.expect("NOTIFY").reply(200);
    expect_event!(phone, Event::TransferDue { call: due, .. } => assert_eq!(due, call));
    let Ok(Reply::Call(new)) = phone.command(Command::AcceptTransfer { call, media: MEDIA }) else { panic!() };
    let carol = phone.peer("carol", "192.0.2.203:5060");
    let invite = carol.expect("INVITE");
    assert_eq!(invite.uri(), "sip:carol@192.0.2.203");
    assert_eq!(invite.header("Replaces"), "a@b;to-tag=ct;from-tag=bt");
    assert_eq!(invite.header("Referred-By"), "<sip:bob@192.0.2.201>");
    let new_leg = invite.leg();
    invite.reply(200).sdp(&sdp::bob());
    new_leg.expect("ACK");
    let told = leg.expect("NOTIFY");
    assert_eq!(told.body(), "SIP/2.0 200 OK\r\n");
    told.reply(200);
    leg.bye();
    phone.skip_events();
    hang_up(&phone, new, &new_leg);
}

#[test]
fn a_replaces_that_can_not_be_read_is_refused() {
    let phone = Phone::new(direct());
    let (call, mut leg) = call_in(&phone);
    leg.request("REFER").with("Refer-To", "<sip:carol@192.0.2.203?Replaces=a%40b%3Bto-tag%3Dct>");
    leg.expect(400);
    hang_up(&phone, call, &leg);
}

// ---- being the target ----

/// How the phone's peer would name this dialog to someone else: the phone's own tag is to-tag.
fn replaces(leg: &Leg) -> String {
    format!("{};to-tag={};from-tag={}", leg.call_id, tag(&leg.remote), tag(&leg.local))
}

#[test]
fn another_caller_takes_the_place_of_the_first() {
    let phone = Phone::new(direct());
    let (old, leg) = call_in(&phone);
    let carol = phone.peer("carol", "192.0.2.203:5060");
    carol.invite().with("Replaces", &replaces(&leg)).with("Require", "replaces").sdp(&sdp::bob());
    let new = expect_event!(phone, Event::Incoming { call, .. } => call);
    expect_event!(phone, Event::AnswerDue { call, replaces } => assert_eq!((call, replaces), (new, Some(old))));
    carol.expect_nothing(); // no 180: nobody decides
    phone.answer(new);
    let new_leg = carol.expect(200).leg();
    expect_event!(phone, Event::Media { .. });
    expect_event!(phone, Event::Established { call } => assert_eq!(call, new));
    expect_event!(phone, Event::Replaced { call, by } => assert_eq!((call, by), (old, new)));
    leg.expect("BYE").reply(200);
    expect_event!(phone, Event::Ended { call, by: EndedBy::Remote, .. } => assert_eq!(call, old));
    new_leg.ack();
    phone.assert_silent();
    hang_up(&phone, new, &new_leg);
}

#[test]
fn what_we_held_stays_held() {
    let phone = Phone::new(Config { max_calls: 1, ..direct() });
    let (old, leg) = call_out(&phone);
    phone.hold(old);
    held(&phone, &leg);
    let carol = phone.peer("carol", "192.0.2.203:5060");
    carol.invite().with("Replaces", &replaces(&leg)).sdp(&sdp::bob());
    let new = expect_event!(phone, Event::Incoming { call, .. } => call);
    phone.answer(new);
    let new_leg = carol.expect(200).leg();
    leg.expect("BYE").reply(200);
    new_leg.ack();
    phone.skip_events();
    held(&phone, &new_leg);
    hang_up(&phone, new, &new_leg);
}

#[test]
fn an_invite_may_take_the_place_of_one_of_ours_that_rings() {
    let phone = Phone::new(direct());
    let bob = phone.bob();
    let old = phone.dial_direct("sip:bob@192.0.2.201");
    let invite = bob.expect("INVITE");
    let leg = invite.leg();
    invite.reply(180);
    phone.skip_events();
    let carol = phone.peer("carol", "192.0.2.203:5060");
    carol.invite().with("Replaces", &format!("{};early-only", replaces(&leg))).sdp(&sdp::bob());
    let new = expect_event!(phone, Event::Incoming { call, .. } => call);
    phone.answer(new);
    let new_leg = carol.expect(200).leg();
    new_leg.ack();
    bob.expect("CANCEL").reply(200);
    invite.reply(487);
    bob.expect("ACK");
    phone.skip_events();
    assert!(phone.command(Command::Hangup { call: old }).is_err());
    hang_up(&phone, new, &new_leg);
}

#[test]
fn what_may_not_take_a_call_s_place() {
    let phone = Phone::new(direct());
    let (call, mut leg) = call_in(&phone);
    let carol = phone.peer("carol", "192.0.2.203:5060");
    let ours = replaces(&leg);
    let swapped = format!("{};to-tag={};from-tag={}", leg.call_id, tag(&leg.local), tag(&leg.remote));
    for (value, code) in [
        ("nobody@knows;to-tag=1;from-tag=2", 481),
        (swapped.as_str(), 481),
        (&format!("{ours};early-only"), 486),
        ("nobody@knows;to-tag=1", 400),
        ("", 400),
    ] {
        let invite = carol.invite().with("Replaces", value).sdp(&sdp::bob()).sent();
        invite.ack(&carol.expect(code));
    }
    let twice = carol.invite().with("Replaces", &ours).with("Replaces", &ours).sdp(&sdp::bob()).sent();
    twice.ack(&carol.expect(400));
    // RFC 3911: contradictory, and not built.
    let join = carol.invite().with("Replaces", &ours).with("Join", &ours).sdp(&sdp::bob()).sent();
    join.ack(&carol.expect(400));
    let join = carol.invite().with("Require", "join").with("Join", &ours).sdp(&sdp::bob()).sent();
    let refusal = carol.expect(420);
    assert_eq!(refusal.header("Unsupported"), "join");
    join.ack(&refusal);
    // Not in another request.
    leg.request("INFO").with("Replaces", &ours);
    leg.expect(400);
    // An offer that can't be taken leaves the call alone.
    let odd = carol.invite().with("Replaces", &ours).sdp(&sdp::at("192.0.2.203", 4000, 1, "18", "")).sent();
    odd.ack(&carol.expect(488));
    phone.assert_silent();
    // It is over now: 603, rather than ringing here.
    leg.bye();
    expect_event!(phone, Event::Ended { call: ended, .. } => assert_eq!(ended, call));
    let late = carol.invite().with("Replaces", &ours).sdp(&sdp::bob()).sent();
    late.ack(&carol.expect(603));
    phone.assert_quiescent();
    let later = carol.invite().with("Replaces", &ours).sdp(&sdp::bob()).sent();
    later.ack(&carol.expect(481));
    phone.assert_quiescent();
}

#[test]
fn a_call_that_rings_here_is_not_replaced() {
    let phone = Phone::new(direct());
    let bob = phone.bob();
    let invite = bob.invite().sdp(&sdp::bob()).sent();
    let leg = bob.expect(180).leg();
    let carol = phone.peer("carol", "192.0.2.203:5060");
    let other = carol.invite().with("Replaces", &replaces(&leg)).sdp(&sdp::bob()).sent();
    other.ack(&carol.expect(481));
    invite.cancel();
    bob.expect(200);
    let refusal = bob.expect(487);
    invite.ack(&refusal);
    phone.skip_events();
    phone.assert_quiescent();
}

#[test]
fn a_stranger_does_not_take_the_place_of_an_account_s_call() {
    let phone = Phone::new(Config { direct_calls: true, ..bob() });
    let server = phone.peer("server", "192.0.2.222:5060");
    phone.register();
    let register = server.expect("REGISTER");
    let contact = register.header("Contact");
    register.reply(200).with("Contact", &contact);
    phone.skip_events();
    server.invite().uri(bracket(&contact)).sdp(&sdp::bob());
    server.expect(180);
    let call = expect_event!(phone, Event::Incoming { call, .. } => call);
    phone.answer(call);
    let leg = server.expect(200).leg();
    leg.ack();
    phone.skip_events();
    let stranger = phone.peer("mallory", "203.0.113.9:5060");
    let forged = stranger.invite().with("Replaces", &replaces(&leg)).sdp(&sdp::bob()).sent();
    forged.ack(&stranger.expect(403));
    phone.assert_silent();
    // Whom the target's Contact was told may.
    stranger.invite().uri(bracket(&contact)).with("Replaces", &replaces(&leg)).sdp(&sdp::bob());
    expect_event!(phone, Event::Incoming { .. });
    expect_event!(phone, Event::AnswerDue { replaces: Some(replaced), .. } => assert_eq!(replaced, call));
}

fn bracket(contact: &str) -> &str {
    contact.trim_start_matches('<').split('>').next().unwrap()
}
