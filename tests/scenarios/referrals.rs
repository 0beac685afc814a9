//! REFER beside the plain case: one that outlives its call, one outside any call, without reports, and BYE with Also.

use offhook::ua::command::Reply;
use offhook::ua::config::TransferPolicy;
use offhook::ua::event::{EndedBy, Event, TransferStage};
use offhook::ua::{CallNo, Command, CommandError, Config};

use crate::harness::*;

const CAROL: &str = "<sip:carol@192.0.2.203>";

#[track_caller]
fn accepted(phone: &Phone, call: CallNo) -> CallNo {
    match phone.command(Command::AcceptTransfer { call, media: MEDIA }) {
        Ok(Reply::Call(new)) => new,
        other => panic!("{other:?}"),
    }
}

/// Bob asks, and hangs up right after our 202.
#[track_caller]
fn asked_and_gone(phone: &Phone) -> CallNo {
    let (call, mut leg) = call_out(phone);
    leg.request("REFER").with("Refer-To", CAROL);
    leg.expect(202);
    leg.expect("NOTIFY").reply(200);
    expect_event!(phone, Event::TransferRequest { .. });
    leg.bye();
    expect_event!(phone, Event::Ended { by: EndedBy::Remote, .. });
    call
}

#[test]
fn a_request_outlives_its_call_and_is_followed() {
    let phone = Phone::new(direct());
    let call = asked_and_gone(&phone);
    phone.advance(s(20));
    let new = accepted(&phone, call);
    expect_event!(phone, Event::Calling { .. });
    let leg = answered(&phone.peer("carol", "192.0.2.203:5060"), &sdp::bob());
    phone.skip_events();
    assert_eq!(
        phone.command(Command::AcceptTransfer { call, media: MEDIA }),
        Err(CommandError::NoSuchCall(call)),
        "once"
    );
    hang_up(&phone, new, &leg);
}

#[test]
fn a_request_that_outlived_its_call_is_refused_or_expires() {
    let phone = Phone::new(direct());
    let call = asked_and_gone(&phone);
    phone.command(Command::RefuseTransfer { call }).unwrap();
    assert_eq!(phone.command(Command::RefuseTransfer { call }), Err(CommandError::NoSuchCall(call)));
    phone.assert_quiescent();

    let call = asked_and_gone(&phone);
    phone.advance(s(30));
    expect_event!(phone, Event::TransferExpired { call: expired } => assert_eq!(expired, call));
    phone.assert_quiescent();
}

#[test]
fn hanging_up_ourselves_drops_the_request() {
    let phone = Phone::new(direct());
    let (call, mut leg) = call_out(&phone);
    leg.request("REFER").with("Refer-To", CAROL);
    leg.expect(202);
    leg.expect("NOTIFY").reply(200);
    phone.hang_up(call);
    leg.expect("BYE").reply(200);
    phone.skip_events();
    assert!(phone.command(Command::AcceptTransfer { call, media: MEDIA }).is_err());
    phone.assert_quiescent();
}

/// RFC 4488: no implicit subscription.
#[test]
fn without_reports_when_none_are_wanted() {
    let phone = Phone::new(direct());
    let (call, mut leg) = call_out(&phone);
    leg.request("REFER").with("Refer-To", CAROL).with("Refer-Sub", "false").with("Require", "norefersub");
    assert_eq!(leg.expect(202).header("Refer-Sub"), "false");
    expect_event!(phone, Event::TransferRequest { .. });
    let new = accepted(&phone, call);
    let carol = phone.peer("carol", "192.0.2.203:5060");
    carol.expect("INVITE").reply(486);
    carol.expect("ACK");
    leg.peer.expect_nothing();
    phone.skip_events();
    assert!(phone.command(Command::Hangup { call: new }).is_err());
    hang_up(&phone, call, &leg);
}

/// RFC 4538: who names a dialog of ours is one of those whom it concerns.
#[test]
fn a_refer_that_names_our_call_is_taken_outside_it() {
    let phone = Phone::new(direct());
    let (call, leg) = call_out(&phone);
    let tag = |address: &str| address.split(";tag=").nth(1).unwrap().to_owned();
    let dave = phone.peer("dave", "192.0.2.204:5060");
    let refer = |dialog: &str| {
        dave.request("REFER", "sip:alice@192.0.2.101")
            .with("Contact", &dave.contact())
            .with("Refer-To", CAROL)
            .with("Require", "tdialog")
            .with("Target-Dialog", dialog);
    };
    let (ours, theirs) = (tag(&leg.remote), tag(&leg.local));
    refer(&format!("{};local-tag={theirs};remote-tag={ours}", leg.call_id));
    dave.expect(403);
    refer(&format!("{};local-tag={ours};remote-tag={theirs}", leg.call_id));
    let accepted_there = dave.expect(202);
    assert!(!accepted_there.tag("To").is_empty() && !accepted_there.header("Contact").is_empty());
    let report = dave.expect("NOTIFY");
    assert_eq!(report.tag("From"), accepted_there.tag("To"));
    assert_eq!(report.body(), "SIP/2.0 100 Trying\r\n");
    report.reply(200);
    expect_event!(phone, Event::TransferRequest { call: asked, peer, .. } => {
        assert_eq!((asked, peer.uri.as_str()), (call, "sip:dave@192.0.2.204"));
    });
    // One at a time.
    refer(&format!("{};local-tag={ours};remote-tag={theirs}", leg.call_id));
    dave.expect(500);
    let new = accepted(&phone, call);
    let carol = phone.peer("carol", "192.0.2.203:5060");
    let new_leg = answered(&carol, &sdp::bob());
    let report = dave.expect("NOTIFY");
    assert_eq!(report.body(), "SIP/2.0 200 OK\r\n");
    assert!(report.header("Subscription-State").starts_with("terminated"));
    report.reply(200);
    phone.skip_events();
    phone.hang_up(call);
    leg.expect("BYE").reply(200);
    expect_event!(phone, Event::Ended { .. });
    hang_up(&phone, new, &new_leg);
}

/// Click to dial, where it is configured.
#[test]
fn our_own_server_may_ask_us_to_call() {
    let phone = Phone::new(Config { refer_outside: true, ..bob() });
    let server = phone.peer("server", "192.0.2.222:5060");
    phone.register();
    let register = server.expect("REGISTER");
    let contact = register.header("Contact");
    register.reply(200).with("Contact", &contact);
    phone.skip_events();
    let refer = |from: &Peer| {
        from.request("REFER", "sip:bob@biloxi.example.com").with("Contact", &from.contact()).with("Refer-To", CAROL);
    };
    let stranger = phone.peer("mallory", "203.0.113.9:5060");
    refer(&stranger);
    stranger.expect(403);
    refer(&server);
    server.expect(202);
    server.expect("NOTIFY").reply(200);
    let asked = expect_event!(phone, Event::TransferRequest { call, account: Some(ACCOUNT), .. } => call);
    phone.advance(s(30));
    let report = server.expect("NOTIFY");
    assert_eq!(report.body(), "SIP/2.0 603 Decline\r\n");
    report.reply(200);
    expect_event!(phone, Event::TransferExpired { call } => assert_eq!(call, asked));
    refer(&server);
    server.expect(202);
    server.expect("NOTIFY").reply(200);
    let asked = expect_event!(phone, Event::TransferRequest { call, .. } => call);
    let new = accepted(&phone, asked);
    assert!(new > asked, "it is no call");
    let invite = phone.peer("carol", "192.0.2.203:5060").expect("INVITE");
    assert_eq!(invite.uri(), "sip:carol@192.0.2.203");
}

/// The transfer of 1999: BYE with Also.
#[test]
fn a_bye_may_name_whom_to_call() {
    let phone = Phone::new(Config { bye_also: true, ..direct() });
    let (call, mut leg) = call_out(&phone);
    leg.request("BYE").with("Also", CAROL);
    leg.expect(200);
    expect_event!(phone, Event::TransferRequest { to, .. } => assert_eq!(to, "sip:carol@192.0.2.203"));
    expect_event!(phone, Event::Ended { by: EndedBy::Remote, .. });
    let new = accepted(&phone, call);
    let new_leg = answered(&phone.peer("carol", "192.0.2.203:5060"), &sdp::bob());
    phone.skip_events();
    hang_up(&phone, new, &new_leg);

    // By policy, without asking.
    let phone = Phone::new(Config { bye_also: true, transfers: TransferPolicy::Follow, ..direct() });
    let (call, mut leg) = call_out(&phone);
    leg.request("BYE").with("Also", CAROL);
    leg.expect(200);
    expect_event!(phone, Event::TransferDue { to, .. } => assert_eq!(to, "sip:carol@192.0.2.203"));
    expect_event!(phone, Event::Ended { .. });
    accepted(&phone, call);

    // As it comes: nothing but an end.
    let phone = Phone::new(direct());
    let (_, mut leg) = call_out(&phone);
    leg.request("BYE").with("Also", CAROL);
    leg.expect(200);
    expect_event!(phone, Event::Ended { .. });
    phone.assert_quiescent();
}

/// 2.3 of the 1999 draft goes on: B, whom A has handed to C, is handed to D by C.
#[test]
fn a_transferred_call_is_transferred_again() {
    let phone = Phone::new(direct());
    let (a, mut a_leg) = call_in(&phone);
    a_leg.request("REFER").with("Refer-To", CAROL);
    a_leg.expect(202);
    a_leg.expect("NOTIFY").reply(200);
    let c = accepted(&phone, a);
    let mut c_leg = answered(&phone.peer("carol", "192.0.2.203:5060"), &sdp::bob());
    a_leg.expect("NOTIFY").reply(200);
    a_leg.bye();
    phone.skip_events();
    c_leg.request("REFER").with("Refer-To", "<sip:dave@192.0.2.204>");
    c_leg.expect(202);
    c_leg.expect("NOTIFY").reply(200);
    let d = accepted(&phone, c);
    let d_leg = answered(&phone.peer("dave", "192.0.2.204:5060"), &sdp::bob());
    let report = c_leg.expect("NOTIFY");
    assert_eq!(report.body(), "SIP/2.0 200 OK\r\n");
    report.reply(200);
    c_leg.bye();
    phone.skip_events();
    hang_up(&phone, d, &d_leg);
}

/// The same from C's side: the call that came by a transfer is handed on; its target fails, and B comes back.
#[test]
fn a_call_that_came_by_a_transfer_is_handed_on_and_comes_back() {
    let phone = Phone::new(direct());
    let bob = phone.bob();
    bob.invite().with("Referred-By", "<sip:alice@192.0.2.200>").sdp(&sdp::bob());
    bob.expect(180);
    let call = expect_event!(phone, Event::Incoming { call, referred_by: Some(_), .. } => call);
    phone.answer(call);
    let mut leg = bob.expect(200).leg();
    leg.ack();
    phone.skip_events();
    phone.transfer(call, "sip:dave@192.0.2.204");
    leg.expect("INVITE").reply(200).sdp(&sdp::directed(2, "recvonly"));
    leg.expect("ACK");
    leg.expect("REFER").reply(202);
    phone.skip_events();
    leg.request("NOTIFY")
        .with("Event", "refer")
        .with("Subscription-State", "terminated;reason=noresource")
        .body("message/sipfrag;version=2.0", "SIP/2.0 480 Temporarily Unavailable\r\n");
    leg.expect(200);
    expect_event!(phone, Event::Transfer { stage: TransferStage::Failed, code: Some(480), .. });
    leg.expect("INVITE").reply(200).sdp(&sdp::directed(3, "sendrecv"));
    leg.expect("ACK");
    phone.skip_events();
    hang_up(&phone, call, &leg);
}
