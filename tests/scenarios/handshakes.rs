//! Keys by DTLS (RFC 5763, RFC 8842): who offers them, who takes them, and what makes new ones.

use offhook::sdp::dtls::{Agreed, Fingerprint, Hash, Role};
use offhook::ua::Command;
use offhook::ua::Config;
use offhook::ua::config::{SrtpKeying, SrtpPolicy};
use offhook::ua::event::{EndedBy, Event};

use crate::harness::*;

const BY_UDP: &str = "sip:bob@192.0.2.201";
const DTLS: &str = "UDP/TLS/RTP/SAVP";

fn certificate(fill: u8) -> Fingerprint {
    Fingerprint::new(Hash::Sha256, &[fill; 32]).expect("a digest")
}

/// A phone with a certificate.
fn phone(srtp: SrtpPolicy, srtp_keying: SrtpKeying) -> Phone {
    let phone = Phone::new(Config { srtp, srtp_keying, ..direct() });
    phone.world().ua.use_certificate(certificate(1));
    phone
}

/// Bob's description, with his certificate and this role.
fn bobs(version: u32, profile: &str, setup: &str, fill: u8) -> String {
    let lines = format!("a=setup:{setup}\r\na=fingerprint:sha-256 {}\r\n", certificate(fill));
    sdp::at("192.0.2.201", 3456, version, "0", &lines).replace("RTP/AVP", profile)
}

fn value<'a>(body: &'a str, name: &str) -> Option<&'a str> {
    body.lines().find_map(|line| line.strip_prefix("a=")?.strip_prefix(name)?.strip_prefix(':'))
}

fn profile(body: &str) -> &str {
    let line = body.lines().find(|line| line.starts_with("m=audio")).unwrap_or_default();
    line.split(' ').nth(2).unwrap_or_default()
}

#[track_caller]
fn agreed(phone: &Phone) -> Agreed {
    expect_event!(phone, Event::Media { media, .. } => media.protection.dtls().cloned()).expect("DTLS")
}

#[test]
fn it_is_offered_when_asked_for_and_never_without_srtp() {
    use SrtpPolicy::{Off, Optional, Required};
    let table = [
        (Off, SrtpKeying::Dtls, "RTP/AVP"),
        (Optional, SrtpKeying::Sdes, "RTP/AVP"),
        (Optional, SrtpKeying::Dtls, DTLS),
        (Required, SrtpKeying::Sdes, "RTP/SAVP"),
        (Required, SrtpKeying::Dtls, DTLS),
    ];
    for (policy, keying, expected) in table {
        let phone = phone(policy, keying);
        phone.dial_direct(BY_UDP);
        let body = phone.peer("bob", "192.0.2.201:5060").expect("INVITE").body();
        assert_eq!(profile(&body), expected, "{policy:?} {keying:?}");
        assert_eq!(value(&body, "setup"), (expected == DTLS).then_some("actpass"), "{policy:?} {keying:?}");
        assert_eq!(value(&body, "fingerprint").is_some(), expected == DTLS);
    }
}

/// Calls Bob, who answers so.
fn called(setup: &str) -> (Phone, Leg) {
    let phone = phone(SrtpPolicy::Optional, SrtpKeying::Dtls);
    let bob = phone.peer("bob", "192.0.2.201:5060");
    phone.dial_direct(BY_UDP);
    expect_event!(phone, Event::Calling { .. });
    let invite = bob.expect("INVITE");
    invite.reply(200).sdp(&bobs(1, DTLS, setup, 2));
    let leg = invite.leg();
    leg.expect("ACK");
    (phone, leg)
}

#[test]
fn the_answer_gives_the_roles_and_later_offers_keep_them() {
    for (setup, role) in [("active", Role::Server), ("passive", Role::Client)] {
        let (phone, mut leg) = called(setup);
        let first = agreed(&phone);
        assert_eq!((first.role, &first.remote[..]), (role, &[certificate(2)][..]), "{setup}");
        let call = expect_event!(phone, Event::Established { call } => call);
        phone.hold(call);
        let hold = leg.expect("INVITE");
        assert_eq!(value(&hold.body(), "setup"), Some("actpass"), "{setup}");
        hold.reply(200).sdp(&format!("{}a=recvonly\r\n", bobs(2, DTLS, setup, 2)));
        leg.expect("ACK");
        assert_eq!(agreed(&phone), first, "{setup}");
        expect_event!(phone, Event::Held { .. });
        phone.resume(call);
        leg.expect("INVITE").reply(200).sdp(&bobs(3, DTLS, setup, 2));
        leg.expect("ACK");
        assert_eq!(agreed(&phone), first, "{setup}");
        expect_event!(phone, Event::Resumed { .. });
        // Bob's own: the same, then with another certificate, which is another association.
        let ours = if role == Role::Server { "passive" } else { "active" };
        leg.request("INVITE").sdp(&bobs(4, DTLS, "actpass", 2));
        assert_eq!(value(&leg.expect(200).body(), "setup"), Some(ours), "{setup}");
        leg.ack();
        phone.skip_events();
        leg.request("INVITE").sdp(&bobs(5, DTLS, "actpass", 3));
        assert_eq!(value(&leg.expect(200).body(), "setup"), Some("active"), "{setup}");
        leg.ack();
        assert_eq!(agreed(&phone).remote, [certificate(3)], "{setup}");
        // What can't be taken leaves the call as it is.
        let without = leg.request("INVITE").sdp(&bobs(6, DTLS, "holdconn", 3)).sent();
        let refusal = leg.expect(488);
        assert!(refusal.header("Warning").contains("a=setup"), "{}", refusal.header("Warning"));
        without.ack(&refusal);
        hung_up(&phone, &mut leg);
    }
}

#[test]
fn whoever_offers_it_is_answered_by_it() {
    for (profile, setup, ours) in [(DTLS, "actpass", "active"), ("UDP/TLS/RTP/SAVPF", "active", "passive")] {
        let phone = phone(SrtpPolicy::Optional, SrtpKeying::Sdes);
        let bob = phone.bob();
        bob.invite().sdp(&bobs(1, profile, setup, 2));
        bob.expect(180);
        let call = expect_event!(phone, Event::Incoming { call, .. } => call);
        phone.answer(call);
        let answer = bob.expect(200);
        answer.leg().ack();
        assert_eq!((self::profile(&answer.body()), value(&answer.body(), "setup")), (profile, Some(ours)));
        assert_eq!(agreed(&phone).remote, [certificate(2)]);
    }
    // Without SRTP, or without a certificate, it is refused before it rings.
    let bare = Phone::new(Config { srtp: SrtpPolicy::Optional, ..direct() });
    for (phone, words) in [(phone(SrtpPolicy::Off, SrtpKeying::Dtls), "switched off"), (bare, "DTLS")] {
        let bob = phone.bob();
        bob.invite().sdp(&bobs(1, DTLS, "actpass", 2));
        let refusal = bob.expect(488);
        assert!(refusal.header("Warning").contains(words), "{}", refusal.header("Warning"));
    }
}

#[test]
fn who_refuses_it_is_asked_once_more_without_where_srtp_is_optional() {
    for code in [488, 415, 606, 400] {
        let phone = phone(SrtpPolicy::Optional, SrtpKeying::Dtls);
        let bob = phone.peer("bob", "192.0.2.201:5060");
        phone.dial_direct(BY_UDP);
        expect_event!(phone, Event::Calling { .. });
        let first = bob.expect("INVITE");
        assert_eq!(profile(&first.body()), DTLS);
        first.reply(code);
        bob.expect("ACK");
        let second = bob.expect("INVITE");
        assert_eq!((profile(&second.body()), value(&second.body(), "fingerprint")), ("RTP/AVP", None), "{code}");
        assert_eq!((second.seq(), second.header("Call-ID")), (first.seq() + 1, first.header("Call-ID")));
        assert_eq!(second.header("Content-Length"), second.body().len().to_string());
        second.reply(code);
        bob.expect("ACK");
        expect_event!(phone, Event::Ended { by: EndedBy::Remote, code: Some(ended), .. } => assert_eq!(ended, code));
        phone.assert_quiescent();
    }
    let phone = phone(SrtpPolicy::Required, SrtpKeying::Dtls);
    let bob = phone.peer("bob", "192.0.2.201:5060");
    phone.dial_direct(BY_UDP);
    bob.expect("INVITE").reply(488);
    bob.expect("ACK");
    expect_event!(phone, Event::Calling { .. });
    expect_event!(phone, Event::Ended { by: EndedBy::Remote, code: Some(488), .. });
}

#[test]
fn a_call_that_gets_no_keys_ends_with_its_reason() {
    let (phone, leg) = called("active");
    agreed(&phone);
    let call = expect_event!(phone, Event::Established { call } => call);
    phone.command(Command::GiveUp { call, reason: "the certificate is another one".into() }).expect("it stands");
    let bye = leg.expect("BYE");
    assert!(bye.header("Reason").contains("cause=488"), "{}", bye.header("Reason"));
    bye.reply(200);
    let reason = expect_event!(phone, Event::Ended { by: EndedBy::Local, code: Some(488), reason, .. } => reason);
    assert_eq!(reason, "the certificate is another one");
}
