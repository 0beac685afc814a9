//! A called side that sends us elsewhere (RFC 3261 sections 8.1.3.4 and 21.3; RFC 3665 section 3.6 without its late offer).

use offhook::ua::config::TransferPolicy;
use offhook::ua::event::{EndedBy, Event};
use offhook::ua::{CallNo, Config};

use crate::harness::*;

fn following() -> Config {
    Config { redirects: TransferPolicy::Follow, ..direct() }
}

fn dial(phone: &Phone) -> CallNo {
    let call = phone.dial_direct("sip:bob@192.0.2.201");
    expect_event!(phone, Event::Calling { .. });
    call
}

#[test]
fn the_contact_with_the_highest_q_is_called_in_the_same_call() {
    let phone = Phone::new(following());
    let (bob, carol) = (phone.bob(), phone.peer("carol", "192.0.2.203:5060"));
    let call = dial(&phone);
    let first = bob.expect("INVITE");
    first
        .reply(302)
        .no_tag()
        .with("Contact", "<sip:dave@192.0.2.204>;q=0.2, <sip:carol@192.0.2.203?Subject=forged>;q=0.9");
    bob.expect("ACK");
    expect_event!(phone, Event::PeerChanged { peer, .. } => assert_eq!(peer.uri, "sip:carol@192.0.2.203"));
    let second = carol.expect("INVITE");
    assert_eq!(second.uri(), "sip:carol@192.0.2.203");
    assert_eq!(second.header("Call-ID"), first.header("Call-ID"));
    assert_eq!(second.header("To"), first.header("To"));
    assert_eq!(second.seq(), first.seq() + 1);
    let leg = second.leg();
    second.reply(200).sdp(&sdp::bob());
    leg.expect("ACK");
    phone.skip_events();
    hang_up(&phone, call, &leg);
}

#[test]
fn a_circle_is_left_at_once() {
    let phone = Phone::new(following());
    let (bob, carol) = (phone.bob(), phone.peer("carol", "192.0.2.203:5060"));
    dial(&phone);
    bob.expect("INVITE").reply(302).contact("<sip:carol@192.0.2.203>");
    bob.expect("ACK");
    // RFC 3261 section 8.1.3.4: no address is tried twice.
    carol.expect("INVITE").reply(302).contact("<sip:bob@192.0.2.201>;q=1, <sip:carol@192.0.2.203>;q=0.5");
    carol.expect("ACK");
    expect_event!(phone, Event::PeerChanged { .. });
    expect_event!(phone, Event::Ended { by: EndedBy::Remote, code: Some(302), .. });
    phone.assert_quiescent();
}

#[test]
fn a_chain_without_an_end_is_left() {
    let phone = Phone::new(following());
    let bob = phone.bob();
    dial(&phone);
    for number in 0..9 {
        bob.expect("INVITE").reply(302).contact(&format!("<sip:bob{number}@192.0.2.201>"));
        bob.expect("ACK");
    }
    bob.expect_nothing();
    for _ in 0..8 {
        expect_event!(phone, Event::PeerChanged { .. });
    }
    expect_event!(phone, Event::Ended { by: EndedBy::Remote, code: Some(302), .. });
    phone.assert_quiescent();
}

#[test]
fn contacts_are_tried_by_their_q_until_one_answers() {
    let phone = Phone::new(following());
    let bob = phone.bob();
    let [carol, dave, erin] = [("carol", 203), ("dave", 204), ("erin", 205)]
        .map(|(user, at)| phone.peer(user, &format!("192.0.2.{at}:5060")));
    let at = |peer: &Peer| format!("<sip:{}@{}>", peer.user, peer.address.ip());
    let call = dial(&phone);
    bob.expect("INVITE").reply(300).contact(&format!(
        "{};q=0.1, {};q=0.5, <mailto:bob@x>, {};q=0.5",
        at(&erin),
        at(&carol),
        at(&dave)
    ));
    bob.expect("ACK");
    let first = carol.expect("INVITE");
    assert_eq!(first.header("Diversion"), "<sip:bob@192.0.2.201>;reason=unconditional;counter=1");
    assert!(
        first.header("History-Info").ends_with("<sip:carol@192.0.2.203>;index=1.1"),
        "{}",
        first.header("History-Info")
    );
    first.reply(486);
    carol.expect("ACK");
    let second = dave.expect("INVITE");
    second.reply(180);
    second.reply(480);
    dave.expect("ACK");
    let third = erin.expect("INVITE");
    assert_eq!(third.seq(), first.seq() + 2);
    let leg = third.leg();
    third.reply(200).sdp(&sdp::bob());
    leg.expect("ACK");
    phone.skip_events();
    hang_up(&phone, call, &leg);
}

#[test]
fn who_is_called_and_does_not_want_to_be_ends_the_search() {
    let phone = Phone::new(following());
    let (bob, carol) = (phone.bob(), phone.peer("carol", "192.0.2.203:5060"));
    dial(&phone);
    bob.expect("INVITE").reply(302).contact("<sip:carol@192.0.2.203>, <sip:dave@192.0.2.204>");
    bob.expect("ACK");
    carol.expect("INVITE").reply(603);
    carol.expect("ACK");
    expect_event!(phone, Event::PeerChanged { .. });
    expect_event!(phone, Event::Ended { by: EndedBy::Remote, code: Some(603), .. });
    phone.assert_quiescent();
}

#[test]
fn hanging_up_ends_the_search() {
    let phone = Phone::new(following());
    let (bob, carol) = (phone.bob(), phone.peer("carol", "192.0.2.203:5060"));
    let call = dial(&phone);
    bob.expect("INVITE").reply(302).contact("<sip:carol@192.0.2.203>, <sip:dave@192.0.2.204>");
    bob.expect("ACK");
    let invite = carol.expect("INVITE");
    invite.reply(180);
    phone.hang_up(call);
    carol.expect("CANCEL").reply(200);
    invite.reply(487);
    carol.expect("ACK");
    phone.skip_events();
    phone.assert_quiescent();
}

#[test]
fn a_proxy_is_used_and_another_service_is_not() {
    let phone = Phone::new(following());
    let (bob, proxy) = (phone.bob(), phone.peer("proxy", "192.0.2.210:5060"));
    let call = dial(&phone);
    // RFC 3261 section 21.3.4.
    bob.expect("INVITE").reply(305).contact("<sip:192.0.2.210>");
    bob.expect("ACK");
    let again = proxy.expect("INVITE");
    assert_eq!((again.uri().as_str(), again.header("Route").as_str()), ("sip:bob@192.0.2.201", "<sip:192.0.2.210;lr>"));
    // 21.3.5: 380 describes something else in its body.
    again.reply(380).contact("<sip:dave@192.0.2.204>");
    proxy.expect("ACK");
    phone.skip_events();
    assert!(phone.command(offhook::ua::Command::Hangup { call }).is_err(), "it is over");
    phone.assert_quiescent();
}

fn asking() -> Config {
    Config { redirects: TransferPolicy::Ask, ..direct() }
}

/// Up to the question.
#[track_caller]
fn asked(phone: &Phone) -> (CallNo, Peer) {
    let bob = phone.bob();
    let call = dial(phone);
    bob.expect("INVITE").reply(302).contact("<sip:carol@192.0.2.203>;q=0.9, <sip:dave@192.0.2.204>;q=0.1");
    bob.expect("ACK");
    expect_event!(phone, Event::RedirectRequest { to, others, .. } => {
        assert_eq!((to.as_str(), others.as_slice()), ("sip:carol@192.0.2.203", &["sip:dave@192.0.2.204".to_owned()][..]));
    });
    phone.assert_silent();
    (call, phone.peer("carol", "192.0.2.203:5060"))
}

#[test]
fn a_person_follows() {
    let phone = Phone::new(asking());
    let (call, carol) = asked(&phone);
    phone.command(offhook::ua::Command::AcceptRedirect { call }).unwrap();
    let leg = answered(&carol, &sdp::bob());
    phone.skip_events();
    let again = phone.command(offhook::ua::Command::AcceptRedirect { call });
    assert!(matches!(again, Err(offhook::ua::CommandError::WrongState { .. })));
    hang_up(&phone, call, &leg);
}

#[test]
fn a_person_does_not_or_says_nothing() {
    let phone = Phone::new(asking());
    let (call, carol) = asked(&phone);
    phone.command(offhook::ua::Command::RefuseRedirect { call }).unwrap();
    expect_event!(phone, Event::Ended { by: EndedBy::Remote, code: Some(302), .. });
    carol.expect_nothing();

    asked(&phone);
    phone.advance(ms(29_999));
    phone.assert_silent();
    phone.advance(ms(1));
    expect_event!(phone, Event::Ended { by: EndedBy::Remote, code: Some(302), reason, .. } => {
        assert!(reason.contains("sip:carol@192.0.2.203"), "{reason}");
    });

    let (call, _) = asked(&phone);
    phone.hang_up(call);
    expect_event!(phone, Event::Ended { by: EndedBy::Local, code: Some(487), .. });
    phone.assert_quiescent();
}

#[test]
fn a_redirection_that_is_not_followed_says_where_to() {
    let phone = Phone::new(direct());
    let bob = phone.bob();
    dial(&phone);
    bob.expect("INVITE").reply(302).contact("<sip:carol@192.0.2.203>");
    bob.expect("ACK");
    expect_event!(phone, Event::Ended { by: EndedBy::Remote, code: Some(302), reason, .. } => {
        assert!(reason.contains("sip:carol@192.0.2.203"), "{reason}");
    });
    phone.assert_quiescent();
}
