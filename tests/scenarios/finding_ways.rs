//! ICE in the dialog (RFC 8839 section 4.4): a way that dies, a far side that begins anew, and re-INVITEs that leave it alone.

use offhook::sdp::ice::{Agreed, Ends, Path, Policy, Role};
use offhook::sdp::{Capabilities, Negotiated};
use offhook::ua::event::Event;
use offhook::ua::{CallNo, Command, Config};

use crate::harness::*;

/// A phone that offers ICE.
fn phone() -> Phone {
    let plain = direct();
    Phone::new(Config { capabilities: Capabilities { ice: Policy::Offer, ..plain.capabilities.clone() }, ..plain })
}

/// Bob's description, with credentials of this name.
fn bobs(version: u32, name: &str, direction: &str) -> String {
    let lines = format!(
        "a=ice-ufrag:{name}\r\na=ice-pwd:{name}-password-of-22-letters\r\na=ice-options:ice2\r\na={direction}\r\n\
         a=candidate:1 1 UDP 2130706431 192.0.2.201 3456 typ host\r\n\
         a=candidate:1 2 UDP 2130706430 192.0.2.201 3457 typ host\r\n"
    );
    sdp::at("192.0.2.201", 3456, version, "0", &lines)
}

/// What our description says of this attribute.
fn said(message: &Got, name: &str) -> String {
    let start = format!("a={name}:");
    message.body().lines().find_map(|line| line.strip_prefix(&start)).unwrap_or_default().to_owned()
}

#[track_caller]
fn agreed(phone: &Phone) -> Agreed {
    expect_event!(phone, Event::Media { media, .. } => ice(&media))
}

#[track_caller]
fn ice(media: &Negotiated) -> Agreed {
    media.ice.clone().expect("ICE")
}

/// A call to Bob that has found its way.
#[track_caller]
fn connected(phone: &Phone) -> (CallNo, Leg, Agreed) {
    let bob = phone.bob();
    let call = phone.dial_direct("sip:bob@192.0.2.201");
    expect_event!(phone, Event::Calling { .. });
    let invite = bob.expect("INVITE");
    let leg = invite.leg();
    invite.reply(200).sdp(&bobs(1, "first", "sendrecv"));
    leg.expect("ACK");
    let ice = agreed(phone);
    assert_eq!((ice.role, ice.local.ufrag.clone()), (Role::Controlling, said(&invite, "ice-ufrag")));
    assert_eq!(ice.remote.ufrag, "first");
    expect_event!(phone, Event::Established { .. });
    let ends = |port| Ends {
        local: format!("192.0.2.101:{}", port + 45_714).parse().unwrap(),
        remote: format!("192.0.2.201:{port}").parse().unwrap(),
    };
    phone.command(Command::WayFound { call, path: Path { rtp: ends(3456), rtcp: Some(ends(3457)) } }).unwrap();
    // The descriptions say it already.
    leg.peer.expect_nothing();
    (call, leg, ice)
}

#[test]
fn a_dead_way_is_looked_for_anew_with_new_credentials_and_the_role_stays() {
    let phone = phone();
    let (call, leg, before) = connected(&phone);
    phone.command(Command::WayLost { call }).unwrap();
    let invite = leg.expect("INVITE");
    // RFC 8839 section 4.4.1.1.1: both are others, and the candidates are all there.
    assert_ne!(said(&invite, "ice-ufrag"), before.local.ufrag);
    assert_ne!(said(&invite, "ice-pwd"), before.local.password);
    invite.has_line("m=audio 49170 ").has_line("a=candidate:12 1 UDP ").has_line("a=candidate:12 2 UDP ");
    invite.reply(200).sdp(&bobs(2, "second", "sendrecv"));
    leg.expect("ACK");
    let after = agreed(&phone);
    assert_eq!((after.remote.ufrag.as_str(), after.role), ("second", Role::Controlling));
    assert_eq!(after.local.ufrag, said(&invite, "ice-ufrag"));
    hang_up(&phone, call, &leg);
}

#[test]
fn a_restart_that_meets_another_re_invite_or_a_refusal() {
    let phone = phone();
    let (call, leg, before) = connected(&phone);
    phone.command(Command::WayLost { call }).unwrap();
    leg.expect("INVITE").reply(491);
    leg.expect("ACK");
    assert!(phone.advance_until_sent(s(5)) >= ms(2100));
    let again = leg.expect("INVITE");
    assert_ne!(said(&again, "ice-ufrag"), before.local.ufrag);
    again.reply(500);
    leg.expect("ACK");
    // The call stands, with what was agreed on, and the person is told.
    let reason = expect_event!(phone, Event::WayRefused { reason, .. } => reason);
    assert!(reason.starts_with("500"), "{reason}");
    // Whatever is asked next asks for this too.
    phone.hold(call);
    let hold = leg.expect("INVITE");
    assert!(![&before.local.ufrag, &said(&again, "ice-ufrag")].contains(&&said(&hold, "ice-ufrag")));
    hold.reply(200).sdp(&bobs(2, "third", "recvonly"));
    leg.expect("ACK");
    assert_eq!(agreed(&phone).remote.ufrag, "third");
    expect_event!(phone, Event::Held { .. });
    hang_up(&phone, call, &leg);
}

#[test]
fn a_way_that_dies_while_a_hold_is_asked_for_is_looked_for_after_it() {
    for code in [200, 488] {
        let phone = phone();
        let (call, leg, before) = connected(&phone);
        phone.hold(call);
        let hold = leg.expect("INVITE");
        assert_eq!(said(&hold, "ice-ufrag"), before.local.ufrag);
        phone.command(Command::WayLost { call }).unwrap();
        leg.peer.expect_nothing();
        match code {
            200 => hold.reply(200).sdp(&bobs(2, "first", "recvonly")),
            refusal => hold.reply(refusal),
        };
        leg.expect("ACK");
        let restart = leg.expect("INVITE");
        assert_ne!(said(&restart, "ice-ufrag"), before.local.ufrag, "{code}");
        restart.reply(200).sdp(&bobs(3, "second", if code == 200 { "recvonly" } else { "sendrecv" }));
        leg.expect("ACK");
        phone.skip_events();
        leg.peer.expect_nothing();
        hang_up(&phone, call, &leg);
    }
}

#[test]
fn that_a_found_way_is_not_taken_note_of_is_no_news() {
    let phone = phone();
    let bob = phone.bob();
    let call = phone.dial_direct("sip:bob@192.0.2.201");
    let invite = bob.expect("INVITE");
    let leg = invite.leg();
    // A peer of RFC 5245.
    invite.reply(200).sdp(&bobs(1, "first", "sendrecv").replace("a=ice-options:ice2\r\n", ""));
    leg.expect("ACK");
    phone.skip_events();
    let ends = |port| Ends {
        local: format!("198.51.100.7:{port}").parse().unwrap(),
        remote: format!("192.0.2.201:{port}").parse().unwrap(),
    };
    phone.command(Command::WayFound { call, path: Path { rtp: ends(3456), rtcp: Some(ends(3457)) } }).unwrap();
    leg.expect("INVITE").reply(500);
    leg.expect("ACK");
    assert_eq!(phone.next_event(), None);
    hang_up(&phone, call, &leg);
}

#[test]
fn who_begins_anew_is_followed_and_who_does_not_keeps_what_is_agreed() {
    let phone = phone();
    let (call, mut leg, before) = connected(&phone);
    // A hold leaves it alone.
    leg.request("INVITE").sdp(&bobs(2, "first", "sendonly"));
    let ok = leg.expect(200);
    leg.ack();
    assert_eq!(said(&ok, "ice-ufrag"), before.local.ufrag);
    assert_eq!(agreed(&phone).local, before.local);
    expect_event!(phone, Event::RemoteHeld { .. });
    // RFC 8839 section 4.4.2.1: new ones of Bob's ask for new ones of ours. Who controls does not change.
    leg.request("INVITE").sdp(&bobs(3, "fresh", "sendrecv"));
    let ok = leg.expect(200);
    leg.ack();
    assert_ne!(said(&ok, "ice-ufrag"), before.local.ufrag);
    let after = agreed(&phone);
    assert_eq!((after.remote.ufrag.as_str(), after.role), ("fresh", Role::Controlling));
    assert_eq!(after.local.ufrag, said(&ok, "ice-ufrag"));
    expect_event!(phone, Event::RemoteResumed { .. });
    hang_up(&phone, call, &leg);
}

#[test]
fn a_peer_without_ice_from_now_on_is_talked_to_plainly() {
    let phone = phone();
    let (call, mut leg, _) = connected(&phone);
    leg.request("INVITE").sdp(&sdp::directed(2, "sendrecv"));
    let ok = leg.expect(200);
    leg.ack();
    assert_eq!(said(&ok, "ice-ufrag"), "");
    expect_event!(phone, Event::Media { media, .. } => assert_eq!(media.ice, None));
    // There is no way to be lost.
    phone.command(Command::WayLost { call }).unwrap();
    leg.peer.expect_nothing();
    hang_up(&phone, call, &leg);
}
