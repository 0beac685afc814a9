//! The service examples of 1999, section 2: hold and unattended transfer (with today's REFER in place of BYE with Also).

use offhook::ua::event::{EndedBy, Event, TransferStage};

use crate::harness::*;

/// 2.1 Call hold, from User A's side: the other one holds with c=0.0.0.0, and resumes.
#[test]
fn s2_1_call_hold_by_the_other_side() {
    let phone = Phone::new(direct());
    let (call, mut leg) = call_out(&phone);
    // F13, F14: the 1999 form has no direction attribute.
    leg.request("INVITE").sdp(&sdp::at("0.0.0.0", 3456, 2, "0", ""));
    let f15 = leg.expect(200);
    f15.has_line("a=recvonly").has_line("c=IN IP4 192.0.2.101");
    leg.ack();
    let media = expect_event!(phone, Event::Media { media, .. } => media);
    assert!(!media.send, "no RTP sent");
    expect_event!(phone, Event::RemoteHeld { .. });
    phone.advance(s(100));
    phone.assert_silent();
    // F19, F20
    leg.request("INVITE").sdp(&sdp::at("192.0.2.201", 3456, 3, "0", ""));
    let f21 = leg.expect(200);
    assert!(!f21.body().contains("only"), "both ways: {}", f21.body());
    assert_eq!(f21.version(), f15.version() + 1);
    leg.ack();
    expect_event!(phone, Event::Media { media, .. } => assert!(media.send && media.receive_audio));
    expect_event!(phone, Event::RemoteResumed { .. });
    hang_up(&phone, call, &leg);
}

/// 2.1, from User B's side: he holds and takes back.
#[test]
fn s2_1_call_hold_by_us() {
    let phone = Phone::new(direct());
    let (call, mut leg) = call_in(&phone);
    phone.hold(call);
    let f13 = leg.expect("INVITE");
    f13.has_line("c=IN IP4 0.0.0.0").has_line("a=sendonly").has_line("m=audio 49170 ");
    f13.reply(200).sdp(&sdp::directed(2, "recvonly"));
    leg.expect("ACK");
    expect_event!(phone, Event::Media { media, .. } => assert!(!media.send && !media.receive_audio));
    expect_event!(phone, Event::Held { .. });
    phone.hold(call); // does nothing
    phone.assert_silent();
    phone.resume(call);
    let f19 = leg.expect("INVITE");
    assert_eq!(f19.version(), f13.version() + 1);
    f19.has_line("c=IN IP4 192.0.2.101");
    assert!(!f19.body().contains("sendonly"));
    f19.reply(200).sdp(&sdp::directed(3, "sendrecv"));
    leg.expect("ACK");
    expect_event!(phone, Event::Media { media, .. } => assert!(media.send && media.receive_audio));
    expect_event!(phone, Event::Resumed { .. });
    hung_up(&phone, &mut leg);
}

/// 2.3 Unattended transfer, User A: holds, sends REFER, is told how it goes, and hangs up.
#[test]
fn s2_3_unattended_transfer_by_us() {
    let phone = Phone::new(direct());
    let (call, mut leg) = call_out(&phone);
    phone.transfer(call, "sip:userc@anywhere.com");
    let hold = leg.expect("INVITE");
    hold.has_line("a=sendonly");
    hold.reply(200).sdp(&sdp::directed(2, "recvonly"));
    leg.expect("ACK");
    expect_event!(phone, Event::Media { .. });
    expect_event!(phone, Event::Held { .. });
    let refer = leg.expect("REFER");
    assert_eq!(refer.header("Refer-To"), "<sip:userc@anywhere.com>");
    assert!(refer.header("Referred-By").starts_with("<sip:"), "{}", refer.header("Referred-By"));
    refer.reply(202);
    expect_event!(phone, Event::Transfer { stage: TransferStage::Trying, code: None, .. });
    let notify = |leg: &mut Leg, state: &str, fragment: &str| {
        leg.request("NOTIFY")
            .with("Event", &format!("refer;id={}", refer.seq()))
            .with("Subscription-State", state)
            .body("message/sipfrag;version=2.0", fragment);
        leg.expect(200);
    };
    notify(&mut leg, "active;expires=60", "SIP/2.0 100 Trying\r\n");
    phone.assert_silent();
    notify(&mut leg, "active;expires=60", "SIP/2.0 180 Ringing\r\n");
    expect_event!(phone, Event::Transfer { stage: TransferStage::Ringing, code: Some(180), .. });
    notify(&mut leg, "terminated;reason=noresource", "SIP/2.0 200 OK\r\n");
    expect_event!(phone, Event::Transfer { stage: TransferStage::Accepted, code: Some(200), .. });
    leg.expect("BYE").reply(200);
    expect_event!(phone, Event::Ended { by: EndedBy::Local, .. });
    phone.assert_quiescent();
}

/// 2.3, User B: is asked, calls User C, tells how it goes; User A hangs up.
#[test]
fn s2_3_unattended_transfer_of_us() {
    use offhook::ua::{Command, command::Reply};
    let phone = Phone::new(direct());
    let (call, mut leg) = call_in(&phone);
    let userc = phone.peer("userc", "192.0.2.203:5060");
    leg.request("REFER").with("Refer-To", "<sip:userc@192.0.2.203>").with("Referred-By", "<sip:usera@here.com>");
    let accepted = leg.expect(202);
    assert!(!accepted.header("Contact").is_empty());
    let id = accepted.seq();
    let told = |leg: &Leg, state: &str, fragment: &str| {
        let notify = leg.expect("NOTIFY");
        assert_eq!(notify.header("Event"), format!("refer;id={id}"));
        assert!(notify.header("Subscription-State").starts_with(state), "{}", notify.header("Subscription-State"));
        assert_eq!(notify.header("Content-Type"), "message/sipfrag;version=2.0");
        assert_eq!(notify.body(), format!("SIP/2.0 {fragment}\r\n"));
        notify.reply(200);
    };
    told(&leg, "active", "100 Trying");
    expect_event!(phone, Event::TransferRequest { to, by, .. } => {
        assert_eq!((to.as_str(), by.as_deref()), ("sip:userc@192.0.2.203", Some("sip:usera@here.com")));
    });
    let Ok(Reply::Call(second)) = phone.command(Command::AcceptTransfer { call, media: MEDIA }) else { panic!() };
    expect_event!(phone, Event::Calling { call, .. } => assert_eq!(call, second));
    let invite = userc.expect("INVITE");
    assert_eq!(invite.header("Referred-By"), "<sip:usera@here.com>");
    invite.reply(180);
    told(&leg, "active", "180 Ringing");
    expect_event!(phone, Event::Ringing { .. });
    invite.reply(200).sdp(&sdp::bob());
    let new_leg = invite.leg();
    new_leg.expect("ACK");
    told(&leg, "terminated", "200 OK");
    expect_event!(phone, Event::Media { .. });
    expect_event!(phone, Event::Established { .. });
    leg.bye();
    expect_event!(phone, Event::Ended { by: EndedBy::Remote, call: ended, .. } => assert_eq!(ended, call));
    hang_up(&phone, second, &new_leg);
}
