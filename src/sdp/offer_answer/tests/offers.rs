//! Our offers: what stands in them, and when the next differs from the last.

use super::{LOCAL, ZERO, audio, direction, line, peer, phone, streams, version};
use crate::sdp::offer_answer::{HoldStyle, Intent, LocalMedia, Refusal};

#[test]
fn what_stands_is_offered_again_to_the_letter() {
    let mut session = phone();
    let (answer, agreed) = session.answer(&audio(1, "sendrecv"), &LOCAL, Intent::Talk).unwrap();
    assert_eq!(session.offer_again(&LOCAL, Intent::Talk), answer);
    assert_eq!(session.handle_answer(&audio(1, "sendrecv")), Ok(agreed));
    // Refused, it can be offered once more.
    assert_eq!(session.offer_again(&LOCAL, Intent::Talk), answer);
    session.rollback();
    assert_eq!(session.offer_again(&LOCAL, Intent::Talk), answer);
    session.rollback();
    // What an answer could not say, another place or another wish is a new offer.
    let (recvonly, _) = session.answer(&audio(2, "sendonly"), &LOCAL, Intent::Talk).unwrap();
    let offer = session.offer_again(&LOCAL, Intent::Talk);
    assert_eq!((direction(&offer), version(&offer)), ("a=sendrecv", version(&recvonly) + 1));
    session.rollback();
    let moved = session.offer_again(&LocalMedia { rtp_port: 6000, ..LOCAL }, Intent::Talk);
    assert_eq!(line(&moved, "m="), "m=audio 6000 RTP/AVP 0 8 101");
    session.rollback();
    assert_eq!(direction(&session.offer_again(&LOCAL, ZERO)), "a=sendonly");
}

#[test]
fn an_offer_in_full() {
    assert_eq!(
        phone().offer(&LOCAL, Intent::Talk),
        "v=0\r\no=- 1000 1000 IN IP4 192.0.2.1\r\ns=-\r\nc=IN IP4 192.0.2.1\r\nt=0 0\r\n\
         m=audio 5004 RTP/AVP 0 8 101\r\na=rtpmap:0 PCMU/8000\r\na=rtpmap:8 PCMA/8000\r\n\
         a=rtpmap:101 telephone-event/8000\r\na=fmtp:101 0-16\r\na=ptime:20\r\na=sendrecv\r\na=rtcp-mux\r\n\
         a=rtcp-xr:rcvr-rtt=all voip-metrics\r\n"
    );
}

#[test]
fn every_way_to_write_a_hold() {
    let six = LocalMedia { address: "2001:db8::1".parse().unwrap(), ..LOCAL };
    let table = [
        (LOCAL, Intent::Talk, "c=IN IP4 192.0.2.1", "a=sendrecv"),
        (LOCAL, ZERO, "c=IN IP4 0.0.0.0", "a=sendonly"),
        (LOCAL, Intent::Hold(HoldStyle::SendOnly), "c=IN IP4 192.0.2.1", "a=sendonly"),
        (LOCAL, Intent::Hold(HoldStyle::Inactive), "c=IN IP4 192.0.2.1", "a=inactive"),
        (six, Intent::Talk, "c=IN IP6 2001:db8::1", "a=sendrecv"),
        (six, ZERO, "c=IN IP6 2001:db8::1", "a=sendonly"),
    ];
    for (local, intent, connection, attribute) in table {
        let offer = phone().offer(&local, intent);
        assert_eq!((line(&offer, "c="), direction(&offer)), (connection, attribute), "{intent:?}");
        assert_eq!(line(&offer, "m="), "m=audio 5004 RTP/AVP 0 8 101", "{intent:?}");
        assert!(line(&offer, "o=").contains(&local.address.to_string()), "{offer}");
    }
}

#[test]
fn rtcp_elsewhere_is_said() {
    assert_eq!(line(&phone().offer(&LOCAL, Intent::Talk), "a=rtcp:"), "");
    let elsewhere = LocalMedia { rtcp_port: 6001, ..LOCAL };
    assert_eq!(line(&phone().offer(&elsewhere, Intent::Talk), "a=rtcp:"), "a=rtcp:6001");
    let last = LocalMedia { rtp_port: 65535, rtcp_port: 0, ..LOCAL };
    assert_eq!(line(&phone().offer(&last, Intent::Talk), "a=rtcp:"), "a=rtcp:0");
}

#[test]
fn the_version_rises_with_each_new_description_only() {
    let mut phone = phone();
    let steps = [(Intent::Talk, 1000), (Intent::Talk, 1000), (ZERO, 1001), (ZERO, 1001), (Intent::Talk, 1002)];
    for (intent, expected) in steps {
        assert_eq!(version(&phone.offer(&LOCAL, intent)), expected);
    }
    let moved = LocalMedia { address: "192.0.2.99".parse().unwrap(), ..LOCAL };
    let offer = phone.offer(&moved, Intent::Talk);
    assert_eq!(line(&offer, "o="), "o=- 1000 1003 IN IP4 192.0.2.1");
    assert_eq!(line(&offer, "c="), "c=IN IP4 192.0.2.99");
}

#[test]
fn offers_keep_the_lines_and_numbers_of_the_dialog() {
    let mut phone = phone();
    let offer = "m=video 4002 RTP/AVP 31\nm=audio 4000 RTP/AVPF 97 101 96\na=rtpmap:97 PCMA/8000\n\
                 a=rtpmap:101 opus/48000/2\na=rtpmap:96 telephone-event/8000\nm=image 0 udptl t38";
    phone.answer(&peer(1, "198.51.100.7", offer), &LOCAL, Intent::Talk).unwrap();
    let hold = phone.offer(&LOCAL, ZERO);
    assert_eq!(streams(&hold), "video 0 RTP/AVP 31; audio 5004 RTP/AVPF 0 97 96; image 0 udptl t38");
    assert!(hold.contains("a=rtpmap:97 PCMA/8000\r\na=rtpmap:96 telephone-event/8000"), "{hold}");
    let answer = "m=video 0 RTP/AVP\nm=audio 4000 RTP/AVPF 97\na=rtpmap:97 PCMA/8000\na=recvonly\nm=image 0 udptl t38";
    assert_eq!(phone.handle_answer(&peer(2, "198.51.100.7", answer)).unwrap().send_payload_type, 97);
    assert!(matches!(phone.handle_answer(&audio(3, "recvonly")), Err(Refusal::BadAnswer(_))));
}

#[test]
fn a_refused_offer_leaves_the_session_as_it_was() {
    let mut phone = phone();
    let first = peer(1, "198.51.100.7", "m=audio 4000 RTP/AVP 8 96\na=rtpmap:96 telephone-event/8000");
    let (_, talking) = phone.answer(&first, &LOCAL, Intent::Talk).unwrap();
    assert_eq!(version(&phone.offer(&LOCAL, ZERO)), 1001);
    assert_eq!(version(&phone.offer(&LOCAL, Intent::Hold(HoldStyle::SendOnly))), 1002);
    // A provisional answer came, then the refusal.
    phone.handle_answer(&audio(2, "inactive").replace("4000", "4700")).unwrap();
    phone.rollback();
    phone.rollback();
    assert!(matches!(phone.handle_answer(&audio(2, "recvonly")), Err(Refusal::BadAnswer(_))));
    let (answer, refreshed) = phone.answer(&first, &LOCAL, Intent::Talk).unwrap();
    assert_eq!(refreshed, talking);
    assert_eq!(version(&answer), 1003, "a version is never used for two descriptions");
}
