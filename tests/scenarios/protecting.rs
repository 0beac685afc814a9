//! SRTP by policy (RFC 4568, RFC 8643): who offers it, who takes it, who refuses, and which keys stay.

use offhook::sdp::crypto::{Srtp, Suite};
use offhook::sip::transport::Transport;
use offhook::ua::Config;
use offhook::ua::config::SrtpPolicy::{self, Off, Optional, Required};
use offhook::ua::event::{EndedBy, Event};

use crate::harness::*;

const KEY: &str = "WVNfX19zZW1jdGwgKCkgewkyMjA7fQp9CnVubGVz";
const OTHER_KEY: &str = "d0RmdmcmVCspeEc3QGZiNWpVLFJhQX1cfHAwJSoj";
const BY_TLS: &str = "sip:bob@192.0.2.201;transport=tls";
const BY_UDP: &str = "sip:bob@192.0.2.201";

fn phone(srtp: SrtpPolicy) -> Phone {
    Phone::new(Config { srtp, ..direct() })
}

/// A phone that hears by TLS.
fn phone_by_tls(srtp: SrtpPolicy) -> Phone {
    let phone = phone(srtp);
    phone.world().transport = Transport::Tls;
    phone
}

/// Bob's description with this profile; with a key under this tag if there is one.
fn bobs(version: u32, profile: &str, key: Option<(u32, &str)>) -> String {
    let line = key.map(|(tag, key)| format!("a=crypto:{tag} AES_CM_128_HMAC_SHA1_80 inline:{key}\r\n"));
    sdp::at("192.0.2.201", 3456, version, "0", &line.unwrap_or_default()).replace("RTP/AVP", profile)
}

/// The `a=crypto` lines of a body.
fn crypto(body: &str) -> Vec<String> {
    body.lines().filter_map(|line| line.strip_prefix("a=crypto:")).map(str::to_owned).collect()
}

fn profile(body: &str) -> &str {
    let line = body.lines().find(|line| line.starts_with("m=audio")).unwrap_or_default();
    line.split(' ').nth(2).unwrap_or_default()
}

#[track_caller]
fn keys(phone: &Phone) -> Option<Srtp> {
    expect_event!(phone, Event::Media { media, .. } => media.protection.srtp().copied())
}

#[test]
fn what_is_offered_depends_on_the_policy_and_on_the_way() {
    let table = [
        (Off, BY_UDP, "RTP/AVP", 0),
        (Off, BY_TLS, "RTP/AVP", 0),
        (Optional, BY_UDP, "RTP/AVP", 0),
        (Optional, BY_TLS, "RTP/AVP", 4),
        (Required, BY_UDP, "RTP/SAVP", 4),
        (Required, BY_TLS, "RTP/SAVP", 4),
    ];
    for (policy, target, expected, lines) in table {
        let phone = phone(policy);
        let at = "192.0.2.201:5060";
        phone.dial_direct(target);
        let invite = phone.peer("bob", at).expect("INVITE");
        assert_eq!((profile(&invite.body()), crypto(&invite.body()).len()), (expected, lines), "{policy:?} {target}");
    }
}

/// The phone calls Bob, who answers with this description; by TLS or not.
fn calls(policy: SrtpPolicy, target: &str, answer: &str) -> (Phone, Leg) {
    let phone = phone(policy);
    let bob = phone.peer("bob", "192.0.2.201:5060");
    phone.dial_direct(target);
    expect_event!(phone, Event::Calling { .. });
    let invite = bob.expect("INVITE");
    invite.reply(200).sdp(answer);
    (phone, invite.leg())
}

#[test]
fn an_answer_decides_and_without_one_that_fits_the_call_ends() {
    let taken = [
        (Optional, BY_TLS, bobs(1, "RTP/AVP", Some((3, KEY))), true),
        (Optional, BY_TLS, bobs(1, "RTP/AVP", None), false),
        (Required, BY_TLS, bobs(1, "RTP/SAVP", Some((3, KEY))), true),
        (Required, BY_UDP, bobs(1, "RTP/SAVP", Some((3, KEY))), true),
        (Off, BY_TLS, bobs(1, "RTP/AVP", None), false),
    ];
    for (policy, target, answer, encrypted) in taken {
        let (phone, leg) = calls(policy, target, &answer);
        leg.expect("ACK");
        let srtp = keys(&phone);
        assert_eq!(srtp.map(|srtp| srtp.suite()), encrypted.then_some(Suite::AesCm128HmacSha1Tag80), "{policy:?}");
        expect_event!(phone, Event::Established { .. });
    }
    let refused = [
        (Required, bobs(1, "RTP/SAVP", None), "required"),
        (Required, bobs(1, "RTP/AVP", None), "required"),
        (Optional, bobs(1, "RTP/AVP", Some((9, KEY))), "does not fit"),
        (Optional, bobs(1, "RTP/AVP", Some((3, "AAAA"))), "does not fit"),
    ];
    for (policy, answer, words) in refused {
        let (phone, leg) = calls(policy, BY_TLS, &answer);
        leg.expect("ACK");
        let bye = leg.expect("BYE");
        assert!(bye.header("Reason").contains("cause=488"), "{}", bye.header("Reason"));
        bye.reply(200);
        let reason = expect_event!(phone, Event::Ended { by: EndedBy::Local, code: Some(488), reason, .. } => reason);
        assert!(reason.contains(words), "{reason}");
        phone.assert_quiescent();
    }
}

#[test]
fn an_offer_is_refused_in_clear_words() {
    let savp = bobs(1, "RTP/SAVP", Some((1, KEY)));
    let table = [
        (phone(Off), savp.clone(), "switched off"),
        (phone_by_tls(Off), savp.clone(), "switched off"),
        (phone(Optional), savp.clone(), "without TLS"),
        (phone(Required), bobs(1, "RTP/AVP", None), "required"),
        (phone_by_tls(Required), bobs(1, "RTP/AVP", None), "required"),
        (phone_by_tls(Optional), bobs(1, "RTP/SAVP", None), "no a=crypto line"),
        (phone_by_tls(Required), bobs(1, "RTP/SAVP", Some((1, "AAAA"))), "no a=crypto line"),
    ];
    for (phone, offer, words) in table {
        let bob = phone.bob();
        let invite = bob.invite().sdp(&offer).sent();
        let refusal = bob.expect(488);
        assert!(refusal.header("Warning").contains(words), "{}", refusal.header("Warning"));
        invite.ack(&refusal);
        phone.assert_quiescent();
    }
}

#[test]
fn an_offer_that_is_taken_gets_its_tag_and_a_key_of_ours() {
    let table = [
        (phone_by_tls(Optional), "RTP/SAVP", true),
        (phone_by_tls(Optional), "RTP/AVP", true),
        (phone_by_tls(Required), "RTP/AVP", true),
        (phone(Required), "RTP/SAVP", true),
        (phone(Optional), "RTP/AVP", false),
        (phone_by_tls(Off), "RTP/AVP", false),
    ];
    for (phone, offered, encrypted) in table {
        let bob = phone.bob();
        bob.invite().sdp(&bobs(1, offered, Some((7, KEY))));
        bob.expect(180);
        let call = expect_event!(phone, Event::Incoming { call, .. } => call);
        phone.answer(call);
        let answer = bob.expect(200);
        answer.leg().ack();
        assert_eq!(profile(&answer.body()), offered);
        let lines = crypto(&answer.body());
        assert_eq!(lines.len(), usize::from(encrypted));
        assert_eq!(keys(&phone).is_some(), encrypted);
        if let Some(line) = lines.first() {
            assert!(line.starts_with("7 AES_CM_128_HMAC_SHA1_80 inline:") && !line.contains(KEY), "{line}");
        }
    }
}

#[test]
fn hold_and_resume_keep_the_keys_and_theirs_changes_ours() {
    let (phone, mut leg) = calls(Required, BY_UDP, &bobs(1, "RTP/SAVP", Some((3, KEY))));
    leg.expect("ACK");
    let first = keys(&phone).unwrap();
    let call = expect_event!(phone, Event::Established { call } => call);
    phone.hold(call);
    let hold = leg.expect("INVITE");
    assert_eq!(profile(&hold.body()), "RTP/SAVP");
    let ours = crypto(&hold.body())[0].clone();
    assert!(ours.starts_with("3 AES_CM_128_HMAC_SHA1_80 inline:"), "{ours}");
    hold.reply(200).sdp(&format!("{}a=recvonly\r\n", bobs(2, "RTP/SAVP", Some((3, KEY)))));
    leg.expect("ACK");
    assert_eq!(keys(&phone), Some(first));
    expect_event!(phone, Event::Held { .. });
    phone.resume(call);
    let resume = leg.expect("INVITE");
    assert_eq!(crypto(&resume.body())[0], ours);
    resume.reply(200).sdp(&bobs(3, "RTP/SAVP", Some((3, KEY))));
    leg.expect("ACK");
    assert_eq!(keys(&phone), Some(first));
    expect_event!(phone, Event::Resumed { .. });

    // Bob refreshes: the same. He takes another key: another one of ours.
    leg.request("INVITE").sdp(&bobs(4, "RTP/SAVP", Some((1, KEY))));
    let same = leg.expect(200);
    leg.ack();
    assert_eq!(crypto(&same.body())[0].split_once(' ').unwrap().1, ours.split_once(' ').unwrap().1);
    phone.skip_events();
    leg.request("INVITE").sdp(&bobs(5, "RTP/SAVP", Some((1, OTHER_KEY))));
    let other = leg.expect(200);
    leg.ack();
    let new = keys(&phone).unwrap();
    assert!(new.send != first.send && new.receive != first.receive);
    assert!(!ours.ends_with(crypto(&other.body())[0].rsplit(':').next().unwrap()));

    // Without SRTP the call stays as it is.
    let plain = leg.request("INVITE").sdp(&bobs(6, "RTP/AVP", None)).sent();
    let refusal = leg.expect(488);
    assert!(refusal.header("Warning").contains("required"));
    plain.ack(&refusal);
    hung_up(&phone, &mut leg);
}

#[test]
fn each_fork_has_its_own_key() {
    let phone = phone(Optional);
    let bob = phone.peer("bob", "192.0.2.201:5060");
    phone.dial_direct(BY_TLS);
    expect_event!(phone, Event::Calling { .. });
    let invite = bob.expect("INVITE");
    invite.reply(183).tag("one").sdp(&bobs(1, "RTP/AVP", Some((3, KEY))));
    let one = keys(&phone).unwrap();
    expect_event!(phone, Event::Ringing { early_media: true, .. });
    invite.reply(183).tag("two").sdp(&bobs(1, "RTP/AVP", Some((3, OTHER_KEY))));
    let two = keys(&phone).unwrap();
    expect_event!(phone, Event::Ringing { .. });
    assert_eq!(one.send, two.send);
    assert_ne!(one.receive, two.receive);
    invite.reply(200).tag("one").sdp(&bobs(1, "RTP/AVP", Some((3, KEY))));
    invite.leg_with("one").expect("ACK");
    assert_eq!(keys(&phone), Some(one));
    expect_event!(phone, Event::Established { .. });
}

#[test]
fn keys_do_not_leave_by_another_way_when_tls_fails() {
    let mut config = alice();
    config.accounts[0].srtp = Optional;
    config.accounts[0].route = vec![uri("sip:192.0.2.111;transport=tls;lr")];
    config.accounts[0].fallbacks = vec![vec![uri("sip:192.0.2.112;lr")]];
    let phone = Phone::new(config);
    phone.dial("sip:bob@biloxi.example.com");
    let by_tls = phone.peer("ss1", "192.0.2.111:5060").expect("INVITE");
    assert_eq!(crypto(&by_tls.body()).len(), 4);
    phone.refuse_by(Transport::Tls, "192.0.2.111:5060");
    let by_udp = phone.peer("ss2", "192.0.2.112:5060").expect("INVITE");
    assert_eq!((profile(&by_udp.body()), crypto(&by_udp.body()).len()), ("RTP/AVP", 0));
    assert_eq!(by_udp.header("Content-Length"), by_udp.body().len().to_string());
    by_udp.reply(200).sdp(&sdp::bob());
    phone.peer("ss2", "192.0.2.112:5060");
    expect_event!(phone, Event::Calling { .. });
    assert_eq!(keys(&phone), None);
    expect_event!(phone, Event::Established { .. });
}

#[test]
fn the_policy_of_an_account_goes_before_the_general_one() {
    let mut config = alice();
    config.srtp = Off;
    config.accounts[0].srtp = Required;
    let phone = Phone::new(config);
    phone.dial("sip:bob@biloxi.example.com");
    let invite = phone.peer("ss1", "192.0.2.111:5060").expect("INVITE");
    assert_eq!(profile(&invite.body()), "RTP/SAVP");
}
