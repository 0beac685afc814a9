//! Two phones that find each other's way.

use super::{AVP, LOCAL, ZERO, direction, line, peer, phone, socket};
use crate::sdp::ice::{self, Role};
use crate::sdp::offer_answer::{Intent, LocalMedia, Session};

fn with_ice(seed: u8) -> Session {
    let mut session = phone().with_ice([seed; 32]);
    session.capabilities.ice = ice::Policy::Offer;
    session
}

#[test]
fn two_phones_agree_on_ice_and_begin_anew_when_asked() {
    let far = LocalMedia::new("192.0.2.2".parse().unwrap(), 7000, 7001);
    let (mut alice, mut bob) = (with_ice(1), with_ice(2));
    let offer = alice.offer(&LOCAL, Intent::Talk);
    assert!(
        offer.contains("a=ice-options:ice2\r\n") && offer.contains(" 1 UDP 2130706431 192.0.2.1 5004 typ host\r\n")
    );
    let (answer, bobs) = bob.answer(&offer, &far, Intent::Talk).unwrap();
    let alices = alice.handle_answer(&answer).unwrap();
    let (hers, his) = (alices.ice.unwrap(), bobs.ice.unwrap());
    assert_eq!((&hers.local, &hers.remote), (&his.remote, &his.local));
    assert_eq!((hers.role, his.role), (Role::Controlling, Role::Controlled));
    assert_eq!(hers.remote_candidates[0].address, socket("192.0.2.2:7000"));
    // With RTCP at the same port there is one component.
    assert!(hers.local_candidates.iter().all(|candidate| candidate.component == ice::Component::Rtp));
    assert!(!format!("{hers:?}").contains(&hers.local.password), "a secret");

    // RFC 8839 section 4.4.1.2.2: once found the way stands alone, with the controlling side's word of the other end.
    let ends = ice::Ends { local: socket("198.51.100.1:40001"), remote: socket("192.0.2.2:7000") };
    let local = LocalMedia { path: Some(ice::Path { rtp: ends, rtcp: None }), ..LOCAL };
    let held = alice.offer(&local, ZERO);
    assert_eq!((line(&held, "c="), direction(&held)), ("c=IN IP4 198.51.100.1", "a=sendonly"), "never 0.0.0.0");
    assert!(held.contains("m=audio 40001 ") && held.contains("a=remote-candidates:1 192.0.2.2 7000\r\n"));
    assert_eq!(held.matches("a=candidate:").count(), 1);
    let (answer, again) = bob.answer(&held, &far, Intent::Talk).unwrap();
    assert_eq!(again.ice.unwrap().local, his.local, "nothing began anew");
    alice.handle_answer(&answer).unwrap();

    alice.restart_ice();
    let offer = alice.offer(&local, Intent::Talk);
    assert!(offer.contains("m=audio 5004 ") && !offer.contains("remote-candidates"));
    let (answer, anew) = bob.answer(&offer, &far, Intent::Talk).unwrap();
    let anew = anew.ice.unwrap();
    assert!(anew.local != his.local && anew.remote != his.remote && anew.role == Role::Controlled);
    assert_eq!(alice.handle_answer(&answer).unwrap().ice.unwrap().remote, anew.local);
}

#[test]
fn an_address_that_somebody_else_has_written_is_a_mismatch() {
    let lines = "m=audio 4000 RTP/AVP 0\r\na=ice-ufrag:8hhY\r\na=ice-pwd:asd88fgpdd777uzjYhagZg\r\n\
                 a=candidate:1 1 UDP 2130706431 198.51.100.8 4000 typ host\r\n";
    // RFC 8839 section 4.2.5.
    let (answer, media) = with_ice(3).answer(&peer(1, "203.0.113.5", lines), &LOCAL, Intent::Talk).unwrap();
    assert!(answer.contains("a=ice-mismatch\r\n") && !answer.contains("ice-ufrag") && media.ice.is_none());
    let (answer, media) = with_ice(3).answer(&peer(1, "198.51.100.8", lines), &LOCAL, Intent::Talk).unwrap();
    assert!(answer.contains("a=ice-ufrag:") && media.ice.is_some());
    // Who does without gets no word of it, and an answer without it ends it.
    let (answer, _) = with_ice(3).answer(&peer(1, "198.51.100.8", AVP), &LOCAL, Intent::Talk).unwrap();
    assert!(!answer.contains("ice"));
    let mut alice = with_ice(3);
    alice.offer(&LOCAL, Intent::Talk);
    assert_eq!(alice.handle_answer(&peer(1, "198.51.100.8", AVP)).unwrap().ice, None);
}
