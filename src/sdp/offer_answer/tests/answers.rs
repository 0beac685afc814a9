//! Our answers to the peer's offers.

use super::{LOCAL, ZERO, audio, direction, line, peer, phone, socket, streams, version};
use crate::sdp::crypto::SrtpRefusal;
use crate::sdp::offer_answer::{HoldStyle, Intent, Negotiated, Protection, Refusal};
use crate::sdp::{Codec, OpusWishes};

#[test]
fn offers_and_their_answers() {
    let events = "a=rtpmap:96 telephone-event/8000";
    let table = [
        ("m=audio 4000 RTP/AVP 0", "audio 5004 RTP/AVP 0", 0),
        ("m=audio 4000 RTP/AVP 8 0", "audio 5004 RTP/AVP 8 0", 8),
        ("m=audio 4000 RTP/AVP 18 3 8", "audio 5004 RTP/AVP 8", 8),
        ("m=audio 4000 RTP/AVP 8\na=rtpmap:8 PCMA/8000/1", "audio 5004 RTP/AVP 8", 8),
        (&format!("m=audio 4000 RTP/AVP 0 96\n{events}"), "audio 5004 RTP/AVP 0 96", 0),
        (&format!("m=audio 4000 RTP/AVP 96 97\n{events}\na=rtpmap:97 PCMA/8000"), "audio 5004 RTP/AVP 97 96", 97),
        ("m=audio 4000 RTP/AVPF 0", "audio 5004 RTP/AVPF 0", 0),
        ("m=audio 4000/2 RTP/AVP 0", "audio 5004 RTP/AVP 0", 0),
        (
            "m=video 4002 RTP/AVP 31 96\nm=audio 4000 RTP/AVP 0\nm=audio 4004 RTP/AVP 8\nm=text 0 RTP/AVP 98",
            "video 0 RTP/AVP 31 96; audio 5004 RTP/AVP 0; audio 0 RTP/AVP 8; text 0 RTP/AVP 98",
            0,
        ),
        (
            "m=audio 4000 RTP/SAVP 0\nm=audio 0 RTP/AVP 0\nm=audio 4002 RTP/AVP 9\nm=audio 4004 RTP/AVP 8",
            "audio 0 RTP/SAVP 0; audio 0 RTP/AVP 0; audio 0 RTP/AVP 9; audio 5004 RTP/AVP 8",
            8,
        ),
    ];
    for (offer, expected, payload_type) in table {
        let (answer, negotiated) = phone().answer(&peer(1, "198.51.100.7", offer), &LOCAL, Intent::Talk).unwrap();
        assert_eq!(streams(&answer), expected, "{offer}");
        assert_eq!(negotiated.send_payload_type, payload_type, "{offer}");
        assert_eq!(direction(&answer), "a=sendrecv", "{offer}");
        assert_eq!(version(&answer), 1000, "{offer}");
    }
}

#[test]
fn refused_offers() {
    let audio = |rest: &str| peer(1, "198.51.100.7", rest);
    let unknown = |offered: &str| Refusal::NoCommonCodec { offered: offered.to_owned() };
    let table = [
        (audio("a=tool:none"), Refusal::NoAudio),
        (audio("m=video 4000 RTP/AVP 31"), Refusal::NoAudio),
        (audio("m=audio 0 RTP/AVP 0"), Refusal::NoAudio),
        (audio("m=audio 4000 RTP/SAVP 0"), Refusal::Srtp(SrtpRefusal::Unwanted)),
        (audio("m=audio 4000 UDP/TLS/RTP/SAVPF 0"), Refusal::Srtp(SrtpRefusal::Unwanted)),
        (peer(1, "239.1.2.3/16", "m=audio 4000 RTP/AVP 0"), Refusal::NoAudio),
        (audio("m=audio 4000 RTP/AVP 0\nc=IN IP6 2001:db8::2"), Refusal::NoAudio),
        (audio("m=audio 4000 RTP/AVP 18 96\na=rtpmap:96 speex/16000"), unknown("G729, speex/16000")),
        (audio("m=audio 4000 RTP/AVP 101\na=rtpmap:101 telephone-event/8000"), unknown("")),
    ];
    for (offer, expected) in table {
        let mut phone = phone();
        assert_eq!(phone.answer(&offer, &LOCAL, Intent::Talk).unwrap_err(), expected, "{offer}");
        assert_eq!(version(&phone.offer(&LOCAL, Intent::Talk)), 1000, "a refusal leaves no trace");
    }
    for garbage in ["", "hello", "v=0\r\n", "v=0\r\no=- 1 1 IN IP4 192.0.2.1\r\nm=audio x RTP/AVP 0\r\n"] {
        let error = phone().answer(garbage, &LOCAL, Intent::Talk).unwrap_err();
        assert!(matches!(error, Refusal::Malformed(_)), "{garbage:?}: {error}");
    }
}

#[test]
fn an_answer_in_full_and_what_it_means() {
    let offer = "v=0\no=- 9 9 IN IP4 198.51.100.7\ns=x\nt=5 6\na=sendonly\nm=audio 4000 RTP/AVP 8 96\n\
                 c=IN IP4 198.51.100.8\na=rtpmap:96 telephone-event/8000\na=ptime:30\na=rtcp:4444\n";
    let (answer, negotiated) = phone().answer(offer, &LOCAL, Intent::Talk).unwrap();
    assert_eq!(
        answer,
        "v=0\r\no=- 1000 1000 IN IP4 192.0.2.1\r\ns=-\r\nc=IN IP4 192.0.2.1\r\nt=5 6\r\n\
         m=audio 5004 RTP/AVP 8 96\r\na=rtpmap:8 PCMA/8000\r\na=rtpmap:96 telephone-event/8000\r\na=fmtp:96 0-16\r\n\
         a=ptime:20\r\na=recvonly\r\n"
    );
    let expected = Negotiated {
        remote_rtp: socket("198.51.100.8:4000"),
        remote_rtcp: Some(socket("198.51.100.8:4444")),
        rtcp_mux: false,
        xr: Default::default(),
        ice: None,
        codec: Codec::Pcma,
        send_payload_type: 8,
        receive: vec![(8, Codec::Pcma)],
        send_telephone_event: Some((96, 8000)),
        receive_telephone_events: vec![(96, 8000)],
        comfort_noise: Default::default(),
        opus: OpusWishes::default(),
        ptime_ms: 30,
        send: false,
        receive_audio: true,
        held_by_peer: true,
        protection: Protection::None,
    };
    assert_eq!(negotiated, expected);
}

#[test]
fn directions_of_answers() {
    // Peer's c= and direction, our intent; our c= and direction, send, receive_audio, held_by_peer.
    let (real, zero) = ("198.51.100.7", "0.0.0.0");
    let (ours, none) = ("c=IN IP4 192.0.2.1", "c=IN IP4 0.0.0.0");
    let (talk, soft, off) = (Intent::Talk, Intent::Hold(HoldStyle::SendOnly), Intent::Hold(HoldStyle::Inactive));
    let music = Intent::Hold(HoldStyle::Music);
    let table = [
        (real, "sendrecv", talk, ours, "a=sendrecv", (true, true, false)),
        (real, "sendonly", talk, ours, "a=recvonly", (false, true, true)),
        (real, "recvonly", talk, ours, "a=sendonly", (true, false, false)),
        (real, "inactive", talk, ours, "a=inactive", (false, false, true)),
        (zero, "sendrecv", talk, ours, "a=recvonly", (false, true, true)),
        (zero, "sendonly", talk, ours, "a=recvonly", (false, true, true)),
        (zero, "recvonly", talk, ours, "a=inactive", (false, false, true)),
        (zero, "inactive", talk, ours, "a=inactive", (false, false, true)),
        (real, "sendrecv", ZERO, none, "a=sendonly", (false, false, false)),
        (real, "recvonly", ZERO, none, "a=sendonly", (false, false, false)),
        (real, "sendonly", ZERO, ours, "a=inactive", (false, false, true)),
        (zero, "sendonly", ZERO, ours, "a=inactive", (false, false, true)),
        (real, "sendrecv", soft, ours, "a=sendonly", (false, false, false)),
        (real, "sendonly", soft, ours, "a=inactive", (false, false, true)),
        (real, "sendrecv", music, ours, "a=sendonly", (true, false, false)),
        (real, "sendonly", music, ours, "a=inactive", (false, false, true)),
        (zero, "recvonly", music, ours, "a=inactive", (false, false, true)),
        (real, "sendrecv", off, ours, "a=inactive", (false, false, false)),
    ];
    for (address, attribute, intent, connection, expected, flags) in table {
        let case = format!("{address} {attribute} {intent:?}");
        let media = format!("m=audio 4000 RTP/AVP 0\na={attribute}");
        let (answer, negotiated) = phone().answer(&peer(1, address, &media), &LOCAL, intent).unwrap();
        assert_eq!((line(&answer, "c="), direction(&answer)), (connection, expected), "{case}");
        assert_eq!((negotiated.send, negotiated.receive_audio, negotiated.held_by_peer), flags, "{case}");
        assert_eq!(negotiated.remote_rtcp.is_none(), address == zero, "{case}");
        assert!(!negotiated.remote_rtp.ip().is_unspecified(), "{case}");
    }
}

#[test]
fn a_zero_address_of_one_stream_counts_for_that_stream() {
    let held = peer(1, "198.51.100.7", "m=audio 4000 RTP/AVP 0\nc=IN IP4 0.0.0.0");
    assert!(phone().answer(&held, &LOCAL, Intent::Talk).unwrap().1.held_by_peer);
    let talking = peer(1, "0.0.0.0", "m=audio 4000 RTP/AVP 0\nc=IN IP4 198.51.100.9");
    assert!(!phone().answer(&talking, &LOCAL, Intent::Talk).unwrap().1.held_by_peer);
}

#[test]
fn without_an_address_the_last_one_stands_then_the_origin_then_ours() {
    let mut phone = phone();
    phone.answer(&peer(1, "198.51.100.8", "m=audio 4000 RTP/AVP 0"), &LOCAL, Intent::Talk).unwrap();
    let held = peer(2, "0.0.0.0", "m=audio 4006 RTP/AVP 0");
    assert_eq!(phone.answer(&held, &LOCAL, Intent::Talk).unwrap().1.remote_rtp, socket("198.51.100.8:4000"));

    let mut phone = self::phone();
    assert_eq!(phone.answer(&held, &LOCAL, Intent::Talk).unwrap().1.remote_rtp, socket("198.51.100.7:4006"));

    let nowhere = held.replace("198.51.100.7", "0.0.0.0");
    let mut phone = self::phone();
    assert_eq!(phone.answer(&nowhere, &LOCAL, Intent::Talk).unwrap().1.remote_rtp, socket("192.0.2.1:5004"));
}

#[test]
fn hold_and_resume_by_the_peer_and_a_refresh() {
    let mut phone = phone();
    let (first, talking) = phone.answer(&audio(1, "sendrecv"), &LOCAL, Intent::Talk).unwrap();
    let (held, holding) = phone.answer(&audio(2, "sendonly"), &LOCAL, Intent::Talk).unwrap();
    assert_eq!((version(&first), version(&held)), (1000, 1001));
    assert!(holding.held_by_peer);
    assert_eq!(phone.answer(&audio(2, "sendonly"), &LOCAL, Intent::Talk).unwrap(), (held, holding));
    let (again, resumed) = phone.answer(&audio(3, "sendrecv"), &LOCAL, Intent::Talk).unwrap();
    assert_eq!((version(&again), resumed), (1002, talking));
}

#[test]
fn the_same_origin_leaves_the_media_untouched() {
    let mut phone = phone();
    let first = peer(5, "198.51.100.7", "m=audio 4000 RTP/AVP 8 0");
    let known = phone.answer(&first, &LOCAL, Intent::Talk).unwrap();
    let moved = peer(5, "198.51.100.200", "m=audio 4444 RTP/AVP 8 0\na=ptime:40");
    assert_eq!(phone.answer(&moved, &LOCAL, Intent::Talk).unwrap(), known);
    // What would make the known answer a wrong one is a new description, whatever its origin says.
    let (answer, negotiated) = phone.answer(&audio(5, "sendonly"), &LOCAL, Intent::Talk).unwrap();
    assert_eq!((streams(&answer).as_str(), direction(&answer)), ("audio 5004 RTP/AVP 0", "a=recvonly"));
    assert!(negotiated.held_by_peer && version(&answer) == 1001);
}

#[test]
fn a_refresh_by_the_called_side_changes_nothing() {
    let mut phone = phone();
    phone.offer(&LOCAL, Intent::Talk);
    let negotiated = phone.handle_answer(&audio(1, "sendrecv")).unwrap();
    let (answer, refreshed) = phone.answer(&audio(1, "sendrecv"), &LOCAL, Intent::Talk).unwrap();
    assert_eq!(refreshed, negotiated);
    assert_eq!((streams(&answer).as_str(), version(&answer)), ("audio 5004 RTP/AVP 0", 1001));
}

#[test]
fn a_refresh_while_we_hold_is_answered_with_the_hold() {
    let mut phone = phone();
    phone.answer(&audio(1, "sendrecv"), &LOCAL, Intent::Talk).unwrap();
    phone.offer(&LOCAL, ZERO);
    assert!(!phone.handle_answer(&audio(2, "recvonly")).unwrap().held_by_peer);
    for offer in [audio(2, "recvonly"), audio(3, "sendrecv")] {
        let (answer, negotiated) = phone.answer(&offer, &LOCAL, ZERO).unwrap();
        assert_eq!((line(&answer, "c="), direction(&answer)), ("c=IN IP4 0.0.0.0", "a=sendonly"));
        assert!(!negotiated.send && !negotiated.receive_audio && !negotiated.held_by_peer);
    }
    // RFC 6337 section 5.3: the next offer states what we want.
    assert_eq!(direction(&phone.offer(&LOCAL, Intent::Talk)), "a=sendrecv");
}
