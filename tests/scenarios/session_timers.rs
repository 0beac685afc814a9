//! Session timers (RFC 4028): who refreshes, what if nobody does, and 422.

use offhook::ua::event::EndedBy;
use offhook::ua::{CallNo, Config, Event};

use crate::harness::*;

/// The phone calls, and Bob answers with these header fields.
fn called(phone: &Phone, fields: &[(&str, &str)]) -> (CallNo, Leg) {
    let bob = phone.bob();
    let call = phone.dial_direct("sip:bob@192.0.2.201");
    let invite = bob.expect("INVITE");
    assert_eq!(invite.header("Session-Expires"), "1800");
    assert!(invite.header("Supported").contains("timer"));
    let leg = invite.leg();
    fields.iter().fold(invite.reply(200), |reply, (name, value)| reply.with(name, value)).sdp(&sdp::bob());
    leg.expect("ACK");
    phone.skip_events();
    (call, leg)
}

/// Bob calls with these header fields; the phone answers.
fn calls(phone: &Phone, fields: &[(&str, &str)]) -> (CallNo, Leg, Got) {
    let bob = phone.bob();
    fields.iter().fold(bob.invite(), |invite, (name, value)| invite.with(name, value)).sdp(&sdp::bob());
    bob.expect(180);
    let call = expect_event!(phone, Event::Incoming { call, .. } => call);
    phone.answer(call);
    let ok = bob.expect(200);
    let leg = ok.leg();
    leg.ack();
    phone.skip_events();
    (call, leg, ok)
}

fn not_refreshed(phone: &Phone, leg: &Leg) {
    let bye = leg.expect("BYE");
    assert!(bye.header("Reason").starts_with("SIP;cause=408;"));
    bye.reply(200);
    expect_event!(phone, Event::Ended { by: EndedBy::Timeout, code: Some(408), .. });
    phone.assert_quiescent();
}

const UPDATES: (&str, &str) = ("Allow", "INVITE, ACK, BYE, CANCEL, UPDATE");

#[test]
fn who_does_not_know_timers_is_left_in_peace() {
    let phone = Phone::new(direct());
    let (call, leg) = called(&phone, &[UPDATES]);
    phone.advance(s(10_000));
    phone.assert_silent();
    hang_up(&phone, call, &leg);
}

#[test]
fn we_refresh_by_update_at_half_of_the_interval() {
    let phone = Phone::new(direct());
    let (call, leg) = called(&phone, &[UPDATES, ("Require", "timer"), ("Session-Expires", "600;refresher=uac")]);
    for _ in 0..3 {
        assert_eq!(phone.advance_until_sent(s(301)), s(300));
        let update = leg.expect("UPDATE");
        assert_eq!(update.header("Session-Expires"), "600;refresher=uac");
        assert_eq!(update.body(), "");
        update.reply(200).with("Session-Expires", "600;refresher=uac");
    }
    // Switched off (RFC 4028 section 7.2).
    phone.advance(s(300));
    leg.expect("UPDATE").reply(200);
    phone.advance(s(2000));
    phone.assert_silent();
    hang_up(&phone, call, &leg);
}

#[test]
fn we_refresh_by_a_reinvite_that_changes_nothing_where_update_is_not_allowed() {
    let phone = Phone::new(direct());
    let bob = phone.bob();
    let call = phone.dial_direct("sip:bob@192.0.2.201");
    let invite = bob.expect("INVITE");
    let leg = invite.leg();
    invite.reply(200).with("Session-Expires", "90;refresher=uac").with("Allow", "INVITE, BYE").sdp(&sdp::bob());
    leg.expect("ACK");
    phone.skip_events();
    for _ in 0..2 {
        assert_eq!(phone.advance_until_sent(s(46)), s(45));
        let refresh = leg.expect("INVITE");
        assert_eq!(refresh.version(), invite.version());
        refresh.reply(200).with("Session-Expires", "90;refresher=uac").sdp(&sdp::bob());
        leg.expect("ACK");
    }
    phone.assert_silent();
    hang_up(&phone, call, &leg);
}

#[test]
fn a_hold_refreshes_as_well() {
    let phone = Phone::new(direct());
    let (call, leg) = called(&phone, &[UPDATES, ("Session-Expires", "600;refresher=uac")]);
    phone.advance(s(200));
    phone.hold(call);
    let hold = leg.expect("INVITE");
    assert_eq!(hold.header("Session-Expires"), "600;refresher=uac");
    hold.reply(200).with("Session-Expires", "600;refresher=uac").sdp(&sdp::directed(2, "recvonly"));
    leg.expect("ACK");
    phone.skip_events();
    assert_eq!(phone.advance_until_sent(s(301)), s(300));
    leg.expect("UPDATE").reply(200);
    phone.hang_up(call);
    leg.expect("BYE").reply(200);
    phone.skip_events();
    phone.assert_quiescent();
}

#[test]
fn a_peer_that_does_not_refresh_is_given_up_a_little_before_the_end() {
    for (interval, gone_after) in [(600, 568), (90, 60)] {
        let phone = Phone::new(direct());
        let (_, leg) = called(&phone, &[("Session-Expires", &format!("{interval};refresher=uas"))]);
        assert_eq!(phone.advance_until_sent(s(600)), s(gone_after));
        not_refreshed(&phone, &leg);
    }
}

#[test]
fn the_peer_s_refresh_counts_from_our_answer() {
    let phone = Phone::new(direct());
    let (_, mut leg) = called(&phone, &[("Session-Expires", "600;refresher=uas")]);
    phone.advance(s(300));
    leg.request("UPDATE").with("Supported", "timer").with("Session-Expires", "600;refresher=uac");
    let ok = leg.expect(200);
    assert_eq!((ok.header("Session-Expires").as_str(), ok.header("Require").as_str()), ("600;refresher=uac", "timer"));
    assert_eq!(phone.advance_until_sent(s(600)), s(568));
    not_refreshed(&phone, &leg);
}

#[test]
fn a_refresh_without_any_answer_ends_the_call() {
    let phone = Phone::new(direct());
    let (_, leg) = called(&phone, &[UPDATES, ("Session-Expires", "600;refresher=uac")]);
    phone.advance(s(300));
    leg.expect("UPDATE");
    phone.advance(s(32));
    phone.skip_datagrams();
    expect_event!(phone, Event::Ended { by: EndedBy::Timeout, code: Some(408), .. });
    phone.advance(s(40));
    phone.skip_datagrams();
    phone.assert_quiescent();
}

#[test]
fn a_refused_refresh_is_tried_again_but_not_without_end() {
    let phone = Phone::new(direct());
    let (_, leg) = called(&phone, &[UPDATES, ("Session-Expires", "600;refresher=uac")]);
    let mut tries = 0;
    let mut waited = std::time::Duration::ZERO;
    loop {
        waited += phone.advance_until_sent(s(600));
        if waited == s(600) {
            break;
        }
        leg.expect("UPDATE").reply(503);
        tries += 1;
    }
    assert!((3..10).contains(&tries), "{tries}");
    not_refreshed(&phone, &leg);
}

#[test]
fn an_update_that_is_not_taken_after_all_becomes_a_reinvite() {
    let phone = Phone::new(direct());
    let (call, leg) = called(&phone, &[UPDATES, ("Session-Expires", "600;refresher=uac")]);
    phone.advance(s(300));
    leg.expect("UPDATE").reply(405);
    let refresh = leg.expect("INVITE");
    // Refused, it changes nothing, and nobody needs to know yet.
    refresh.reply(488);
    leg.expect("ACK");
    phone.assert_silent();
    phone.advance(s(150));
    leg.expect("INVITE").reply(481);
    leg.expect("ACK");
    leg.expect("BYE").reply(481);
    expect_event!(phone, Event::Ended { call: ended, code: Some(481), .. } => assert_eq!(ended, call));
    phone.assert_quiescent();
}

#[test]
fn an_invite_that_is_too_brief_is_sent_once_more() {
    let phone = Phone::new(direct());
    let bob = phone.bob();
    let call = phone.dial_direct("sip:bob@192.0.2.201");
    let invite = bob.expect("INVITE");
    invite.reply(422).with("Min-SE", "3600");
    bob.expect("ACK");
    let longer = bob.expect("INVITE");
    assert_eq!((longer.header("Session-Expires"), longer.header("Min-SE")), ("3600".to_owned(), "3600".to_owned()));
    assert_eq!((longer.header("Call-ID"), longer.seq()), (invite.header("Call-ID"), invite.seq() + 1));
    longer.reply(200).with("Session-Expires", "3600;refresher=uac").with(UPDATES.0, UPDATES.1).sdp(&sdp::bob());
    let leg = longer.leg();
    leg.expect("ACK");
    phone.skip_events();
    // The same for a refresh, whose interval a proxy may have raised.
    phone.advance(s(1800));
    leg.expect("UPDATE").reply(422).with("Min-SE", "7200");
    let update = leg.expect("UPDATE");
    assert_eq!(update.header("Session-Expires"), "7200;refresher=uac");
    update.reply(200).with("Session-Expires", "7200;refresher=uac");
    phone.advance(s(3600));
    leg.expect("UPDATE").reply(200);
    hang_up(&phone, call, &leg);
}

#[test]
fn a_second_422_is_a_refusal() {
    let phone = Phone::new(direct());
    let bob = phone.bob();
    phone.dial_direct("sip:bob@192.0.2.201");
    for least in ["3600", "7200"] {
        bob.expect("INVITE").reply(422).with("Min-SE", least);
        bob.expect("ACK");
    }
    expect_event!(phone, Event::Calling { .. });
    expect_event!(phone, Event::Ended { by: EndedBy::Remote, code: Some(422), .. });
    phone.assert_quiescent();
}

#[test]
fn table_2_of_section_9() {
    for (supported, asked, answered, required) in [
        ("", "300", "300;refresher=uas", ""),
        ("timer", "300", "300;refresher=uas", "timer"),
        ("timer", "300;refresher=uac", "300;refresher=uac", "timer"),
        ("timer", "300;refresher=uas", "300;refresher=uas", "timer"),
        ("timer", "", "1800;refresher=uas", "timer"),
        ("", "", "", ""),
        ("", "60", "", ""),
    ] {
        let phone = Phone::new(direct());
        let fields: Vec<(&str, &str)> = [("Supported", supported), ("Session-Expires", asked)]
            .into_iter()
            .filter(|(_, value)| !value.is_empty())
            .collect();
        let (call, leg, ok) = calls(&phone, &fields);
        assert_eq!(ok.header("Session-Expires"), answered, "{fields:?}");
        assert_eq!(ok.header("Require"), required, "{fields:?}");
        if answered.ends_with("uas") {
            let interval: u64 = answered.split(';').next().unwrap().parse().unwrap();
            assert_eq!(phone.advance_until_sent(s(interval)), s(interval / 2));
            // Bob's INVITE did not say that he takes UPDATE.
            let refresh = leg.expect("INVITE");
            assert_eq!(refresh.header("Session-Expires"), format!("{interval};refresher=uac"));
            assert_eq!(refresh.body(), ok.body());
            refresh.reply(200).sdp(&sdp::bob());
            leg.expect("ACK");
        } else if answered.ends_with("uac") {
            assert_eq!(phone.advance_until_sent(s(300)), s(268));
            not_refreshed(&phone, &leg);
            continue;
        }
        hang_up(&phone, call, &leg);
    }
}

#[test]
fn what_is_too_short_is_refused_before_it_rings_and_in_the_call() {
    let phone = Phone::new(direct());
    let bob = phone.bob();
    let invite = bob.invite().with("Supported", "timer").with("Session-Expires", "30").sdp(&sdp::bob()).sent();
    let refusal = bob.expect(422);
    assert_eq!(refusal.header("Min-SE"), "90");
    invite.ack(&refusal);
    let (call, mut leg, _) = calls(&phone, &[]);
    leg.request("UPDATE").with("Supported", "timer").with("Session-Expires", "30;refresher=uas");
    leg.expect(422);
    hang_up(&phone, call, &leg);
}

#[test]
fn a_reinvite_for_another_purpose_leaves_the_timer_as_it_is() {
    let phone = Phone::new(direct());
    let (_, mut leg) = called(&phone, &[("Session-Expires", "600;refresher=uas")]);
    phone.advance(s(100));
    leg.request("INVITE").with("Supported", "timer").sdp(&sdp::directed(2, "sendonly"));
    assert_eq!(leg.expect(200).header("Session-Expires"), "600;refresher=uac");
    leg.ack();
    phone.skip_events();
    assert_eq!(phone.advance_until_sent(s(600)), s(568));
    not_refreshed(&phone, &leg);
}

#[test]
fn switched_off_we_ask_for_none_and_obey_others() {
    let phone = Phone::new(Config { session_expires: s(0), ..direct() });
    let (call, leg, ok) = calls(&phone, &[("Supported", "timer")]);
    assert_eq!(ok.header("Session-Expires"), "");
    hang_up(&phone, call, &leg);
    let bob = phone.bob();
    phone.dial_direct("sip:bob@192.0.2.201");
    let invite = bob.expect("INVITE");
    assert_eq!(invite.header("Session-Expires"), "");
    assert!(invite.header("Supported").contains("timer"));
    let leg = invite.leg();
    // However long: no number is too large, none too small.
    invite.reply(200).with("Session-Expires", "18446744073709551615;refresher=uac").sdp(&sdp::bob());
    leg.expect("ACK");
    phone.skip_events();
    phone.advance(s(100_000));
    phone.assert_silent();
    phone.command(offhook::ua::Command::Shutdown).unwrap();
    leg.expect("BYE").reply(200);
    phone.skip_until_quiet();
    phone.assert_quiescent();
}
