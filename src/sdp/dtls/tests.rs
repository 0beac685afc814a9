//! What both sides say, each setup with each, and what is no fingerprint.

use std::net::{IpAddr, Ipv4Addr};

use super::*;
use crate::sdp::{Capabilities, HoldStyle, Intent, Keying, LocalMedia, Protection, Refusal, Session};

const ALICE: LocalMedia = LocalMedia {
    address: IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1)),
    rtp_port: 5004,
    rtcp_port: 5005,
    reflexive: None,
    destination: crate::sdp::ice::Destination::Host,
    path: None,
};
const BOB: LocalMedia = LocalMedia { address: IpAddr::V4(Ipv4Addr::new(192, 0, 2, 2)), ..ALICE };
const ID: &str = "abc3de65cddef001be82";

fn certificate(fill: u8) -> Fingerprint {
    Fingerprint::new(Hash::Sha256, &[fill; 32]).unwrap()
}

fn phone(keying: Keying, offers: Offers, fill: u8) -> Session {
    let mut session = Session::new(Capabilities::from_names(["PCMU"], 20).0, 1);
    session.set_keying(keying, [fill; 32]);
    session.set_dtls(certificate(fill), offers, [fill; 32]);
    session
}

fn value<'a>(description: &'a str, name: &str) -> Option<&'a str> {
    description.lines().find_map(|line| line.strip_prefix("a=")?.strip_prefix(name)?.strip_prefix(':'))
}

fn stream(description: &str) -> &str {
    description.lines().find(|line| line.starts_with("m=")).unwrap_or("")
}

fn offer(version: u32, profile: &str, lines: &str) -> String {
    let lines = lines.replace('\n', "\r\n");
    let head = format!("v=0\r\no=- 9 {version} IN IP4 192.0.2.2\r\ns=-\r\nc=IN IP4 192.0.2.2\r\nt=0 0\r\n");
    format!("{head}m=audio 6000 {profile} 0\r\n{lines}\r\n")
}

fn fingerprint(fill: u8) -> String {
    format!("a=fingerprint:sha-256 {}", certificate(fill))
}

fn agreed(protection: &Protection) -> &Agreed {
    protection.dtls().expect("DTLS")
}

#[test]
fn an_offer_is_actpass_and_its_answer_active() {
    let (mut alice, mut bob) = (phone(Keying::Optional, Offers::Made, 1), phone(Keying::Optional, Offers::Answered, 2));
    let offer = alice.offer(&ALICE, Intent::Talk);
    assert_eq!(stream(&offer), "m=audio 5004 UDP/TLS/RTP/SAVP 0 101");
    assert_eq!(value(&offer, "setup"), Some("actpass"));
    assert_eq!(value(&offer, "fingerprint"), fingerprint(1).strip_prefix("a=fingerprint:"));
    assert_eq!(value(&offer, "crypto"), None);
    let id = value(&offer, "tls-id").unwrap();
    assert_eq!(id.len(), ID_LENGTH);
    let (answer, bobs) = bob.answer(&offer, &BOB, Intent::Talk).unwrap();
    assert_eq!(value(&answer, "setup"), Some("active"));
    assert_eq!(stream(&answer), "m=audio 5004 UDP/TLS/RTP/SAVP 0 101");
    let alices = alice.handle_answer(&answer).unwrap();
    let (alices, bobs) = (agreed(&alices.protection), agreed(&bobs.protection));
    assert_eq!((alices.role, bobs.role), (Role::Server, Role::Client));
    assert_eq!((&alices.remote[..], &bobs.remote[..]), (&[certificate(2)][..], &[certificate(1)][..]));
    assert_eq!((&alices.local_id, &alices.remote_id), (&bobs.remote_id, &bobs.local_id));
    assert_eq!(alices.local_id.as_deref(), Some(id));
}

#[test]
fn what_comes_later_goes_on_with_the_association() {
    let (mut alice, mut bob) = (phone(Keying::Required, Offers::Made, 1), phone(Keying::Required, Offers::Answered, 2));
    let (answer, first) = bob.answer(&alice.offer(&ALICE, Intent::Talk), &BOB, Intent::Talk).unwrap();
    let firsts = alice.handle_answer(&answer).unwrap();
    // Bob, who was active, holds: he offers actpass, and the roles stay.
    for intent in [Intent::Hold(HoldStyle::Zero), Intent::Talk] {
        let offer = bob.offer(&BOB, intent);
        assert_eq!(value(&offer, "setup"), Some("actpass"));
        let (answer, media) = alice.answer(&offer, &ALICE, Intent::Talk).unwrap();
        assert_eq!(value(&answer, "setup"), Some("passive"));
        assert_eq!(media.protection, firsts.protection);
        assert_eq!(bob.handle_answer(&answer).unwrap().protection, first.protection);
    }
    let offer = alice.offer_again(&ALICE, Intent::Talk);
    assert_eq!(value(&offer, "setup"), Some("actpass"), "an answer is not offered as it is");
    let (answer, media) = bob.answer(&offer, &BOB, Intent::Talk).unwrap();
    assert_eq!(media.protection, first.protection);
    assert_eq!(alice.handle_answer(&answer).unwrap().protection, firsts.protection);
    // And once more to the letter.
    let again = alice.offer_again(&ALICE, Intent::Talk);
    assert_eq!(again, offer);
    let (answer, _) = bob.answer(&again, &BOB, Intent::Talk).unwrap();
    assert_eq!(alice.handle_answer(&answer).unwrap().protection, firsts.protection);
}

#[test]
fn each_setup_of_an_offer_has_its_answer() {
    let table = [
        ("a=setup:actpass", Some((Role::Client, "active"))),
        ("a=setup:ACTPASS ", Some((Role::Client, "active"))),
        ("a=setup:passive", Some((Role::Client, "active"))),
        ("a=setup:active", Some((Role::Server, "passive"))),
        ("a=ptime:20", Some((Role::Server, "passive"))),
        ("a=setup:holdconn", None),
        ("a=setup:sometimes", None),
    ];
    for (setup, expected) in table {
        let mut bob = phone(Keying::Optional, Offers::Answered, 2);
        let offered = offer(1, "UDP/TLS/RTP/SAVPF", &format!("{}\n{setup}", fingerprint(1)));
        let answered = bob.answer(&offered, &BOB, Intent::Talk);
        let Some((role, word)) = expected else {
            assert_eq!(answered.unwrap_err(), Refusal::Srtp(SrtpRefusal::NoSetup), "{setup}");
            continue;
        };
        let (answer, media) = answered.unwrap();
        assert_eq!((agreed(&media.protection).role, value(&answer, "setup")), (role, Some(word)), "{setup}");
        assert_eq!(value(&answer, "tls-id"), None, "none to who sent none");
        assert_eq!(stream(&answer), "m=audio 5004 UDP/TLS/RTP/SAVPF 0");
    }
}

#[test]
fn each_setup_of_an_answer_has_its_role() {
    let table = [
        ("a=setup:active", Some(Role::Server)),
        ("a=setup:passive", Some(Role::Client)),
        ("a=setup:actpass", Some(Role::Client)),
        ("a=ptime:20", Some(Role::Client)),
        ("a=setup:holdconn", None),
    ];
    for (setup, role) in table {
        let mut alice = phone(Keying::Required, Offers::Made, 1);
        alice.offer(&ALICE, Intent::Talk);
        let answer = offer(1, "UDP/TLS/RTP/SAVP", &format!("{}\n{setup}", fingerprint(2)));
        match (alice.handle_answer(&answer), role) {
            (Ok(media), Some(role)) => assert_eq!(agreed(&media.protection).role, role, "{setup}"),
            (Err(refusal), None) => assert_eq!(refusal, Refusal::Srtp(SrtpRefusal::NoSetup)),
            (other, _) => panic!("{setup}: {other:?}"),
        }
    }
}

#[test]
fn a_new_certificate_role_or_id_is_a_new_association() {
    let lines = |fill: u8, setup: &str, id: &str| format!("{}\na=setup:{setup}\na=tls-id:{id}", fingerprint(fill));
    for changed in [lines(7, "actpass", ID), lines(1, "active", ID), lines(1, "actpass", "another-id-of-20-chars")] {
        let mut bob = phone(Keying::Optional, Offers::Answered, 2);
        let mut version = 0;
        let mut answer = |lines: &str| {
            version += 1;
            let (answer, media) = bob.answer(&offer(version, "UDP/TLS/RTP/SAVP", lines), &BOB, Intent::Talk).unwrap();
            (value(&answer, "tls-id").map(str::to_owned), agreed(&media.protection).clone())
        };
        let (first_id, first) = answer(&lines(1, "actpass", ID));
        assert_eq!(answer(&lines(1, "actpass", ID)), (first_id.clone(), first.clone()));
        assert_eq!(answer(&lines(1, "passive", ID)), (first_id.clone(), first.clone()), "the role that it has");
        let (id, next) = answer(&changed);
        assert_ne!(next, first);
        assert_ne!(id, first_id, "a new one of ours");
        assert_eq!(answer(&changed), (id, next));
    }
}

#[test]
fn a_new_certificate_in_an_answer_is_a_new_association() {
    let mut alice = phone(Keying::Optional, Offers::Made, 1);
    let mut take = |fill: u8| {
        alice.offer(&ALICE, Intent::Talk);
        let answer = offer(u32::from(fill), "UDP/TLS/RTP/SAVP", &format!("{}\na=setup:active", fingerprint(fill)));
        agreed(&alice.handle_answer(&answer).unwrap().protection).clone()
    };
    let first = take(2);
    assert_eq!(take(2), first);
    assert_ne!(take(3), first);
}

#[test]
fn each_policy_meets_each_profile() {
    let dtls = format!("{}\na=setup:actpass", fingerprint(1));
    let sdes = "a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:WVNfX19zZW1jdGwgKCkgewkyMjA7fQp9CnVubGVz";
    let both = format!("{dtls}\n{sdes}");
    let answer = |keying, offers, profile: &str, lines: &str| {
        let answered = phone(keying, offers, 2).answer(&offer(1, profile, lines), &BOB, Intent::Talk);
        match answered.map(|(_, media)| media.protection) {
            Ok(Protection::None) => "plain",
            Ok(Protection::Srtp(_)) => "sdes",
            Ok(Protection::Dtls(_)) => "dtls",
            Err(Refusal::Srtp(_)) => "refused",
            Err(other) => panic!("{other:?}"),
        }
    };
    use Keying::{Off, Optional, Required, Unprotected};
    // RTP/AVP and RTP/SAVP with DTLS are of RFC 8643 and of old browsers.
    for profile in ["UDP/TLS/RTP/SAVP", "UDP/TLS/RTP/SAVPF", "RTP/SAVPF", "RTP/SAVP", "RTP/AVP"] {
        let off = if profile == "RTP/AVP" { "plain" } else { "refused" };
        assert_eq!(answer(Off, Offers::Made, profile, &dtls), off, "{profile}");
        for keying in [Unprotected, Optional, Required] {
            assert_eq!(answer(keying, Offers::Answered, profile, &dtls), "dtls", "{keying:?} {profile}");
        }
    }
    for (keying, offers, profile, expected) in [
        (Optional, Offers::Answered, "RTP/AVP", "sdes"),
        (Optional, Offers::Made, "RTP/AVP", "dtls"),
        (Required, Offers::Answered, "RTP/SAVP", "sdes"),
        (Unprotected, Offers::Answered, "RTP/SAVP", "dtls"),
        (Optional, Offers::Answered, "UDP/TLS/RTP/SAVP", "dtls"),
    ] {
        assert_eq!(answer(keying, offers, profile, &both), expected, "{keying:?} {offers:?} {profile}");
    }
    for keying in [Unprotected, Optional, Required] {
        assert_eq!(answer(keying, Offers::Made, "UDP/TLS/RTP/SAVP", sdes), "refused", "no fingerprint");
        assert_eq!(answer(keying, Offers::Made, "UDP/TLS/RTP/SAVP", "a=fingerprint:sha-1 4A:AD:B9:B1"), "refused");
    }
    // A phone without a certificate.
    let mut bare = Session::new(Capabilities::from_names(["PCMU"], 20).0, 1);
    bare.set_keying(Optional, [2; 32]);
    let refused = bare.answer(&offer(1, "UDP/TLS/RTP/SAVP", &dtls), &BOB, Intent::Talk).unwrap_err();
    assert_eq!(refused, Refusal::Srtp(SrtpRefusal::NoDtls));
}

#[test]
fn an_answer_without_keys_is_taken_only_where_srtp_is_optional() {
    for (keying, profile, expected) in [
        (Keying::Optional, "RTP/AVP", Some(Protection::None)),
        (Keying::Required, "RTP/AVP", None),
        (Keying::Optional, "UDP/TLS/RTP/SAVP", None),
        (Keying::Optional, "TCP/TLS/RTP/SAVP", None),
    ] {
        let mut alice = phone(keying, Offers::Made, 1);
        alice.offer(&ALICE, Intent::Talk);
        let taken = alice.handle_answer(&offer(1, profile, "a=ptime:20")).ok().map(|media| media.protection);
        assert_eq!(taken, expected, "{keying:?} {profile}");
    }
}

#[test]
fn fingerprint_and_setup_may_stand_for_the_whole_session() {
    let offered = offer(1, "UDP/TLS/RTP/SAVPF", "a=rtcp-mux")
        .replace("t=0 0\r\n", &format!("t=0 0\r\na=setup:passive\r\n{}\r\n", fingerprint(1)));
    let (_, media) = phone(Keying::Optional, Offers::Answered, 2).answer(&offered, &BOB, Intent::Talk).unwrap();
    let agreed = agreed(&media.protection);
    assert_eq!((agreed.role, &agreed.remote[..]), (Role::Client, &[certificate(1)][..]));
    assert!(media.rtcp_mux);
}

#[test]
fn of_several_fingerprints_the_strongest_count() {
    let strong = Fingerprint::new(Hash::Sha512, &[5; 64]).unwrap();
    let lines =
        format!("{}\na=fingerprint:SHA-512 {}\na=setup:actpass", fingerprint(1), strong.to_string().to_lowercase());
    let offered = offer(1, "UDP/TLS/RTP/SAVP", &lines);
    let (_, media) = phone(Keying::Optional, Offers::Answered, 2).answer(&offered, &BOB, Intent::Talk).unwrap();
    assert_eq!(agreed(&media.protection).remote, [strong]);
}

#[test]
fn what_is_no_fingerprint_is_none() {
    let good = format!("sha-256 {}", certificate(0xab));
    assert_eq!(Fingerprint::read(&good), Some(certificate(0xab)));
    assert_eq!(Fingerprint::read(&good.to_lowercase()), Some(certificate(0xab)));
    let short = &good[..good.len() - 3];
    let table = [
        "",
        "sha-256",
        "sha-256 ",
        "md5 AB:AB",
        "sha-1 AB:AB",
        "sha-512 AB",
        short,
        "sha-256 +1:AB",
        "sha-256 AB:A:BC",
        &format!("{good}:AB"),
        &good.replace("AB:AB", "ABAB"),
        &good.replacen("AB", "ZZ", 1),
    ]
    .map(str::to_owned);
    for text in table {
        assert_eq!(Fingerprint::read(&text), None, "{text}");
    }
}
