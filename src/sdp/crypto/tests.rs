//! Policy against policy, and what can be wrong in a line.

use std::net::{IpAddr, Ipv4Addr};

use super::*;
use crate::sdp::{Capabilities, HoldStyle, Intent, LocalMedia, Negotiated, Session};

const ALICE: LocalMedia = LocalMedia {
    address: IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1)),
    rtp_port: 5004,
    rtcp_port: 5005,
    reflexive: None,
    destination: crate::sdp::ice::Destination::Host,
    path: None,
};
const BOB: LocalMedia = LocalMedia { address: IpAddr::V4(Ipv4Addr::new(192, 0, 2, 2)), ..ALICE };
const KEY: &str = "WVNfX19zZW1jdGwgKCkgewkyMjA7fQp9CnVubGVz";
const GCM_KEY: &str = "AAECAwQFBgcICQoLDA0OD1F1aWQgcHJvIHF1bw==";

fn phone(keying: Keying, seed: u8) -> Session {
    let mut session = Session::new(Capabilities::from_names(["PCMU"], 20).0, 1);
    session.set_keying(keying, [seed; 32]);
    session
}

fn crypto(description: &str) -> Vec<&str> {
    description.lines().filter_map(|line| line.strip_prefix("a=crypto:")).collect()
}

fn stream(description: &str) -> &str {
    description.lines().find(|line| line.starts_with("m=")).unwrap_or("")
}

fn offer(version: u32, media: &str) -> String {
    let media = media.replace('\n', "\r\n");
    format!("v=0\r\no=- 9 {version} IN IP4 192.0.2.2\r\ns=-\r\nc=IN IP4 192.0.2.2\r\nt=0 0\r\n{media}\r\n")
}

/// What both sides make of a call.
fn call(caller: Keying, called: Keying) -> Result<(Negotiated, Negotiated), Refusal> {
    let (mut alice, mut bob) = (phone(caller, 1), phone(called, 2));
    let (answer, bobs) = bob.answer(&alice.offer(&ALICE, Intent::Talk), &BOB, Intent::Talk)?;
    Ok((alice.handle_answer(&answer)?, bobs))
}

#[test]
fn each_policy_meets_each() {
    use Keying::{Off, Optional, Required, Unprotected};
    let plain = [(Off, Off), (Off, Optional), (Unprotected, Unprotected), (Unprotected, Optional)];
    for (caller, called) in plain.into_iter().flat_map(|(one, other)| [(one, other), (other, one)]) {
        let (alices, bobs) = call(caller, called).unwrap();
        assert_eq!((alices.protection, bobs.protection), (Protection::None, Protection::None), "{caller:?} {called:?}");
    }
    for (caller, called) in [(Optional, Optional), (Optional, Required), (Required, Optional), (Required, Required)] {
        let (alices, bobs) = call(caller, called).unwrap();
        let (alice, bob) = (*alices.protection.srtp().unwrap(), *bobs.protection.srtp().unwrap());
        assert_eq!(alice.suite(), Suite::AeadAes256Gcm);
        assert_eq!((alice.send, alice.receive), (bob.receive, bob.send), "{caller:?} {called:?}");
        assert_ne!(alice.send, alice.receive);
    }
    let refused = [
        (Required, Off, SrtpRefusal::Unwanted),
        (Required, Unprotected, SrtpRefusal::Unprotected),
        (Off, Required, SrtpRefusal::Missing),
        (Unprotected, Required, SrtpRefusal::Missing),
    ];
    for (caller, called, why) in refused {
        assert_eq!(call(caller, called), Err(Refusal::Srtp(why)), "{caller:?} {called:?}");
    }
}

#[test]
fn an_offer_has_a_key_for_each_suite_and_says_how_much_it_wants() {
    for (keying, protocol) in [(Keying::Optional, "RTP/AVP"), (Keying::Required, "RTP/SAVP")] {
        let offer = phone(keying, 1).offer(&ALICE, Intent::Talk);
        assert_eq!(stream(&offer).split(' ').nth(2), Some(protocol));
        let lines = crypto(&offer);
        let names: Vec<&str> = lines.iter().filter_map(|line| line.split(' ').nth(1)).collect();
        assert_eq!(names, Suite::ALL.map(Suite::name));
        let mut keys: Vec<&str> = lines.iter().filter_map(|line| line.split(' ').nth(2)).collect();
        keys.dedup();
        assert_eq!(keys.len(), 4);
    }
    for keying in [Keying::Off, Keying::Unprotected] {
        let offer = phone(keying, 1).offer(&ALICE, Intent::Talk);
        assert!(crypto(&offer).is_empty() && stream(&offer).contains("RTP/AVP"));
    }
}

#[test]
fn keys_stay_over_hold_resume_and_refresh_in_both_directions() {
    let (mut alice, mut bob) = (phone(Keying::Optional, 1), phone(Keying::Optional, 2));
    let (answer, first) = bob.answer(&alice.offer(&ALICE, Intent::Talk), &BOB, Intent::Talk).unwrap();
    alice.handle_answer(&answer).unwrap();
    for intent in [Intent::Hold(HoldStyle::SendOnly), Intent::Talk] {
        let offer = alice.offer(&ALICE, intent);
        assert!(crypto(&offer)[0].contains(Suite::AeadAes256Gcm.name()));
        let (answer, bobs) = bob.answer(&offer, &BOB, Intent::Talk).unwrap();
        assert_eq!(bobs.protection, first.protection);
        let alices = alice.handle_answer(&answer).unwrap();
        assert_eq!(alices.protection.srtp().unwrap().receive, first.protection.srtp().unwrap().send);
    }
    let (answer, alices) = alice.answer(&bob.offer_again(&BOB, Intent::Talk), &ALICE, Intent::Talk).unwrap();
    assert_eq!(bob.handle_answer(&answer).unwrap().protection, first.protection);
    let offer = bob.offer(&BOB, Intent::Hold(HoldStyle::SendOnly));
    let (answer, held) = alice.answer(&offer, &ALICE, Intent::Talk).unwrap();
    assert_eq!(held.protection, alices.protection);
    assert_eq!(bob.handle_answer(&answer).unwrap().protection, first.protection);
}

#[test]
fn a_new_key_of_theirs_gets_a_new_key_of_ours() {
    let mut alice = phone(Keying::Optional, 1);
    let savp = "m=audio 4000 RTP/SAVP 0\na=crypto:7 AES_CM_128_HMAC_SHA1_32 inline:";
    let (answer, one) = alice.answer(&offer(1, &format!("{savp}{KEY}|2^20")), &ALICE, Intent::Talk).unwrap();
    assert_eq!(crypto(&answer).len(), 1);
    assert!(crypto(&answer)[0].starts_with("7 AES_CM_128_HMAC_SHA1_32 inline:"));
    assert!(stream(&answer).contains(" RTP/SAVP 0"));
    let (_, same) = alice.answer(&offer(2, &format!("{savp}{KEY}")), &ALICE, Intent::Talk).unwrap();
    assert_eq!(same.protection, one.protection);
    let (_, other) =
        alice.answer(&offer(3, &format!("{savp}{}", KEY.replace('W', "X"))), &ALICE, Intent::Talk).unwrap();
    assert_ne!(other.protection.srtp().unwrap().send, one.protection.srtp().unwrap().send);
    // What they change without another version is a new description all the same.
    let changed = offer(3, &format!("{savp}{}", KEY.replace('W', "Y")));
    let (_, third) = alice.answer(&changed, &ALICE, Intent::Talk).unwrap();
    assert_ne!(third.protection, other.protection);
}

#[test]
fn each_early_dialog_has_its_own_key() {
    let mut alice = phone(Keying::Optional, 1);
    let text = alice.offer(&ALICE, Intent::Talk);
    let keys: Vec<Srtp> = [2, 3]
        .map(|seed| {
            let (answer, _) = phone(Keying::Optional, seed).answer(&text, &BOB, Intent::Talk).unwrap();
            *alice.clone().handle_answer(&answer).unwrap().protection.srtp().unwrap()
        })
        .to_vec();
    assert_eq!(keys[0].send, keys[1].send);
    assert_ne!(keys[0].receive, keys[1].receive);
}

#[test]
fn the_first_line_that_we_can_take_is_taken_with_its_tag() {
    let lines = format!(
        "m=audio 4000 RTP/SAVP 0\na=crypto:1 F8_128_HMAC_SHA1_80 inline:{KEY}\na=crypto:2 AES_CM_128_HMAC_SHA1_80 \
         inline:{KEY} UNENCRYPTED_SRTP\na=crypto:3 AES_CM_128_HMAC_SHA1_80 inline:{KEY}|2^48|1:4 WSH=128 -x\na=crypto:4 \
         AEAD_AES_128_GCM inline:{GCM_KEY}"
    );
    let (answer, agreed) = phone(Keying::Optional, 1).answer(&offer(1, &lines), &ALICE, Intent::Talk).unwrap();
    assert!(crypto(&answer)[0].starts_with("3 AES_CM_128_HMAC_SHA1_80 inline:"));
    assert_eq!(agreed.protection.srtp().unwrap().mki_length, 4);
}

#[test]
fn lines_that_can_and_that_can_not_be_taken() {
    let good = [
        format!("1 AES_CM_128_HMAC_SHA1_80 inline:{KEY}"),
        format!("1 aes_cm_128_hmac_sha1_80 INLINE:{KEY}"),
        format!("999999999 AES_CM_128_HMAC_SHA1_32 inline:{KEY}|1048576"),
        format!("1 AES_CM_128_HMAC_SHA1_80 inline:{KEY}|1066:4"),
        format!("1 AES_CM_128_HMAC_SHA1_80 inline:{KEY}|2^31|1:1 KDR=0"),
        format!("1 AEAD_AES_128_GCM inline:{GCM_KEY}"),
        format!("1 AEAD_AES_128_GCM inline:{}", GCM_KEY.trim_end_matches('=')),
    ];
    for line in good {
        assert!(Line::read(&line).is_some(), "{line}");
    }
    let bad = [
        String::new(),
        "1".to_owned(),
        "1 AES_CM_128_HMAC_SHA1_80".to_owned(),
        format!("x AES_CM_128_HMAC_SHA1_80 inline:{KEY}"),
        format!("1 AES_CM_128_HMAC_SHA1_80 clear:{KEY}"),
        format!("1 AES_CM_128_HMAC_SHA1_80 inline:{}", &KEY[4..]),
        format!("1 AES_CM_128_HMAC_SHA1_80 inline:{KEY}AAAA"),
        "1 AES_CM_128_HMAC_SHA1_80 inline:????".to_owned(),
        format!("1 AEAD_AES_128_GCM inline:{KEY}"),
        format!("1 AES_256_CM_HMAC_SHA1_80 inline:{KEY}"),
        format!("1 AES_CM_128_HMAC_SHA1_80 inline:{KEY}|0"),
        format!("1 AES_CM_128_HMAC_SHA1_80 inline:{KEY}|2^49"),
        format!("1 AES_CM_128_HMAC_SHA1_80 inline:{KEY}|2^999"),
        format!("1 AES_CM_128_HMAC_SHA1_80 inline:{KEY}|2^20|1:0"),
        format!("1 AES_CM_128_HMAC_SHA1_80 inline:{KEY}|2^20|1:129"),
        format!("1 AES_CM_128_HMAC_SHA1_80 inline:{KEY}|2^20|1"),
        format!("1 AES_CM_128_HMAC_SHA1_80 inline:{KEY}|2^20|1:4;inline:{KEY}|2^20|2:4"),
        format!("1 AES_CM_128_HMAC_SHA1_80 inline:{KEY} KDR=1"),
        format!("1 AES_CM_128_HMAC_SHA1_80 inline:{KEY} UNAUTHENTICATED_SRTP"),
        format!("1 AES_CM_128_HMAC_SHA1_80 inline:{KEY} FEC_ORDER=FEC_SRTP"),
    ];
    for line in bad {
        assert!(Line::read(&line).is_none(), "{line}");
    }
}

#[test]
fn of_two_streams_the_one_with_a_key_is_taken() {
    let both =
        format!("m=audio 4000 RTP/AVP 0\nm=audio 4002 RTP/SAVP 0\na=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:{KEY}");
    let streams = |keying| {
        let (answer, agreed) = phone(keying, 1).answer(&offer(1, &both), &ALICE, Intent::Talk).unwrap();
        let ports: Vec<String> =
            answer.lines().filter_map(|line| line.strip_prefix("m=audio ")).map(|rest| rest[..1].to_owned()).collect();
        (ports, agreed.protection.srtp().is_some())
    };
    let text = |ports: [&str; 2]| ports.map(str::to_owned).to_vec();
    assert_eq!(streams(Keying::Off), (text(["5", "0"]), false));
    assert_eq!(streams(Keying::Optional), (text(["0", "5"]), true));
    assert_eq!(streams(Keying::Required), (text(["0", "5"]), true));
}

#[test]
fn an_answer_must_fit_what_was_offered() {
    let answered = |keying, media: &str| {
        let mut alice = phone(keying, 1);
        alice.offer(&ALICE, Intent::Talk);
        alice.handle_answer(&offer(1, media)).map(|agreed| agreed.protection.srtp().map(Srtp::suite))
    };
    let line = |tag: u32, suite: &str, key: &str| format!("\na=crypto:{tag} {suite} inline:{key}");
    let cm = line(3, "AES_CM_128_HMAC_SHA1_80", KEY);
    let (avp, savp) = ("m=audio 4000 RTP/AVP 0", "m=audio 4000 RTP/SAVP 0");
    let bad: Result<Option<Suite>, Refusal> = Err(SrtpRefusal::BadAnswer.into());
    let missing: Result<Option<Suite>, Refusal> = Err(SrtpRefusal::Missing.into());

    assert_eq!(answered(Keying::Optional, &format!("{avp}{cm}")), Ok(Some(Suite::AesCm128HmacSha1Tag80)));
    assert_eq!(answered(Keying::Required, &format!("{savp}{cm}")), Ok(Some(Suite::AesCm128HmacSha1Tag80)));
    assert_eq!(answered(Keying::Optional, avp), Ok(None));
    assert_eq!(answered(Keying::Required, avp), missing);
    assert_eq!(answered(Keying::Required, savp), missing);
    assert_eq!(answered(Keying::Optional, savp), missing);
    // Another tag, a suite that was not offered under it, a key that is none, parameters that we lack.
    assert_eq!(answered(Keying::Optional, &format!("{avp}{}", line(9, "AES_CM_128_HMAC_SHA1_80", KEY))), bad);
    assert_eq!(answered(Keying::Optional, &format!("{avp}{}", line(1, "AES_CM_128_HMAC_SHA1_80", KEY))), bad);
    assert_eq!(answered(Keying::Optional, &format!("{avp}{}", line(3, "AES_CM_128_HMAC_SHA1_80", "AAAA"))), bad);
    assert_eq!(answered(Keying::Optional, &format!("{avp}{cm} UNENCRYPTED_SRTCP")), bad);
    // Our own key sent back.
    let mut alice = phone(Keying::Optional, 1);
    let text = alice.offer(&ALICE, Intent::Talk);
    let echoed = format!("{avp}\na=crypto:{}", crypto(&text)[2]);
    assert_eq!(alice.handle_answer(&offer(1, &echoed)).map(|_| ()), Err(SrtpRefusal::BadAnswer.into()));
    // Keys that nobody offered mean nothing.
    assert_eq!(answered(Keying::Off, &format!("{avp}{cm}")), Ok(None));
    assert!(answered(Keying::Off, &format!("{savp}{cm}")).is_err());
}

#[test]
fn an_offer_that_only_wishes_can_be_made_a_plain_one() {
    let offer = phone(Keying::Optional, 1).offer(&ALICE, Intent::Talk);
    let plain = without_optional_keys(&offer).unwrap();
    assert_eq!(plain, phone(Keying::Off, 1).offer(&ALICE, Intent::Talk));
    assert_eq!(without_optional_keys(&plain), None);
    assert_eq!(without_optional_keys(&phone(Keying::Required, 1).offer(&ALICE, Intent::Talk)), None);
}

#[test]
fn nothing_shows_a_key() {
    let (alices, _) = call(Keying::Optional, Keying::Optional).unwrap();
    let shown = format!("{alices:?} {:?}", phone(Keying::Optional, 1));
    assert!(!shown.contains("bytes") && shown.contains("AeadAes256Gcm"), "{shown}");
}
