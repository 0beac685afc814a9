use super::*;

use proptest::prelude::*;

const LOCAL: LocalMedia = LocalMedia {
    address: IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1)),
    rtp_port: 5004,
    rtcp_port: 5005,
    reflexive: None,
    destination: ice::Destination::Host,
    path: None,
};
const ZERO: Intent = Intent::Hold(HoldStyle::Zero);

fn phone() -> Session {
    let (capabilities, unknown) = Capabilities::from_names(["PCMU", "PCMA"], 20);
    assert!(unknown.is_empty());
    Session::new(capabilities, 1000)
}

/// The peer's description: its version, its `c=` address and what follows `t=`.
fn peer(version: u32, address: &str, media: &str) -> String {
    let media = media.replace('\n', "\r\n");
    format!(
        "v=0\r\no=bob 77 {version} IN IP4 198.51.100.7\r\ns=call\r\nc=IN IP4 {address}\r\nt=0 0\r\n{}\r\n",
        media.trim()
    )
}

fn audio(version: u32, direction: &str) -> String {
    peer(version, "198.51.100.7", &format!("m=audio 4000 RTP/AVP 0\na={direction}"))
}

fn line<'a>(description: &'a str, start: &str) -> &'a str {
    description.lines().find(|line| line.starts_with(start)).unwrap_or("")
}

fn version(description: &str) -> u64 {
    line(description, "o=").split(' ').nth(2).unwrap().parse().unwrap()
}

fn direction(description: &str) -> &str {
    let all = ["a=sendrecv", "a=sendonly", "a=recvonly", "a=inactive"];
    description.lines().find(|line| all.contains(line)).unwrap_or("none")
}

/// The `m=` lines, without `m=`, joined by `; `.
fn streams(description: &str) -> String {
    description.lines().filter_map(|line| line.strip_prefix("m=")).collect::<Vec<_>>().join("; ")
}

fn socket(text: &str) -> SocketAddr {
    text.parse().unwrap()
}

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

#[test]
fn answers_to_a_hold_of_ours() {
    let styles = [ZERO, Intent::Hold(HoldStyle::SendOnly), Intent::Hold(HoldStyle::Inactive)];
    for (held_before, intent) in styles.into_iter().flat_map(|intent| [(false, intent), (true, intent)]) {
        for (attribute, expected) in [("recvonly", false), ("inactive", held_before), ("sendrecv", false)] {
            let mut phone = phone();
            let before = if held_before { "sendonly" } else { "sendrecv" };
            phone.answer(&audio(1, before), &LOCAL, Intent::Talk).unwrap();
            phone.offer(&LOCAL, intent);
            let negotiated = phone.handle_answer(&audio(2, attribute)).unwrap();
            assert_eq!(negotiated.held_by_peer, expected, "{intent:?} {attribute} {held_before}");
            assert!(!negotiated.send && !negotiated.receive_audio);
            assert!(negotiated.remote_rtcp.is_some(), "RTCP goes on");
        }
    }
}

#[test]
fn what_an_answer_means() {
    let mut phone = phone();
    phone.offer(&LOCAL, Intent::Talk);
    let answer =
        "m=audio 4000 RTP/AVP 18 96 97\na=rtpmap:96 telephone-event/8000\na=rtpmap:97 PCMA/8000\na=maxptime:10";
    let negotiated = phone.handle_answer(&peer(1, "198.51.100.8", answer)).unwrap();
    let expected = Negotiated {
        remote_rtp: socket("198.51.100.8:4000"),
        remote_rtcp: Some(socket("198.51.100.8:4001")),
        rtcp_mux: false,
        xr: Default::default(),
        ice: None,
        codec: Codec::Pcma,
        send_payload_type: 97,
        receive: vec![(0, Codec::Pcmu), (8, Codec::Pcma)],
        send_telephone_event: Some((96, 8000)),
        receive_telephone_events: vec![(101, 8000)],
        comfort_noise: Default::default(),
        opus: OpusWishes::default(),
        ptime_ms: 10,
        send: true,
        receive_audio: true,
        held_by_peer: false,
        protection: Protection::None,
    };
    assert_eq!(negotiated, expected);
}

#[test]
fn what_was_not_offered_is_not_sent() {
    let (mut capabilities, unknown) = Capabilities::from_names(["speex", "pcma", "PCMA", "G729"], 5);
    assert_eq!(unknown, ["speex", "G729"]);
    assert_eq!((capabilities.codecs.as_slice(), capabilities.ptime_ms), ([Codec::Pcma].as_slice(), 10));
    capabilities.telephone_event = false;
    let mut phone = Session::new(capabilities, 1);
    assert_eq!(streams(&phone.offer(&LOCAL, Intent::Talk)), "audio 5004 RTP/AVP 8");
    let answer = peer(1, "198.51.100.7", "m=audio 4000 RTP/AVP 0 8 101\na=rtpmap:101 telephone-event/8000");
    let negotiated = phone.handle_answer(&answer).unwrap();
    assert_eq!((negotiated.codec, negotiated.send_telephone_event), (Codec::Pcma, None));
}

#[test]
fn answers_that_do_not_fit() {
    let bad = |answer: &str| {
        let mut phone = phone();
        phone.offer(&LOCAL, Intent::Talk);
        let error = phone.handle_answer(&peer(1, "198.51.100.7", answer)).unwrap_err();
        assert!(phone.handle_answer(&audio(1, "sendrecv")).is_ok(), "a bad answer leaves the offer pending");
        error
    };
    assert!(matches!(bad("a=x"), Refusal::BadAnswer(_)));
    assert!(matches!(bad("m=audio 4000 RTP/AVP 0\nm=video 0 RTP/AVP 31"), Refusal::BadAnswer(_)));
    assert!(matches!(bad("m=video 4000 RTP/AVP 0"), Refusal::BadAnswer(_)));
    assert!(matches!(bad("m=audio 4000 RTP/SAVP 0"), Refusal::BadAnswer(_)));
    assert_eq!(bad("m=audio 0 RTP/AVP 0"), Refusal::NoAudio);
    assert_eq!(bad("m=audio 4000 RTP/AVP 18"), Refusal::NoCommonCodec { offered: "G729".to_owned() });
    assert_eq!(bad("m=audio 4000 RTP/AVP 0\nc=IN IP6 2001:db8::2"), Refusal::NoAudio);
    assert!(matches!(phone().handle_answer(&audio(1, "sendrecv")), Err(Refusal::BadAnswer(_))));
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

/// A capture of a Wildix phone and its PBX: what the phone offers, and the 183 and 200 that it gets.
#[test]
fn a_captured_call_with_early_media() {
    let invite = "v=0\r\no=151 9655 9655 IN IP4 10.135.0.12\r\ns=-\r\nc=IN IP4 10.135.0.12\r\nt=0 0\r\n\
                  m=audio 50024 RTP/AVP 8 0 2 18\r\na=rtpmap:8 PCMA/8000\r\na=rtpmap:0 PCMU/8000\r\n\
                  a=rtpmap:2 G726-32/8000/1\r\na=rtpmap:18 G729/8000\r\na=ptime:20\r\na=maxptime:80\r\na=sendrecv\r\n\
                  a=rtcp:50025\r\n";
    let progress = "v=0\r\no=root 1673140232 1673140232 IN IP4 10.135.0.1\r\ns=Wildix 35935\r\n\
                    c=IN IP4 10.135.0.1\r\nt=0 0\r\nm=audio 13504 RTP/AVP 8\r\na=rtpmap:8 PCMA/8000/1\r\na=ptime:20\r\n\
                    a=sendrecv\r\n";
    let mut caller = phone();
    caller.offer(&LOCAL, Intent::Talk);
    let early = caller.handle_answer(progress).unwrap();
    assert_eq!((early.codec, early.send_payload_type, early.ptime_ms), (Codec::Pcma, 8, 20));
    assert_eq!((early.remote_rtp, early.send_telephone_event), (socket("10.135.0.1:13504"), None));
    assert!(early.send && early.receive_audio);
    assert_eq!(caller.handle_answer(progress).unwrap(), early, "the 200 repeats the answer of the 183");

    let (answer, negotiated) = phone().answer(invite, &LOCAL, Intent::Talk).unwrap();
    assert_eq!(streams(&answer), "audio 5004 RTP/AVP 8 0");
    assert_eq!(negotiated.remote_rtcp, Some(socket("10.135.0.12:50025")));
}

/// One phone's offer suits another one, whatever both want.
#[test]
fn two_phones_understand_each_other() {
    let far = LocalMedia::new("192.0.2.2".parse().unwrap(), 7000, 7009);
    let (mut alice, mut bob) = (phone(), phone());
    bob.capabilities.rtcp_mux = false;
    for (hers, his) in [(Intent::Talk, Intent::Talk), (ZERO, Intent::Talk), (ZERO, ZERO), (Intent::Talk, ZERO)] {
        let offer = alice.offer(&LOCAL, hers);
        let (answer, bobs) = bob.answer(&offer, &far, his).unwrap();
        let alices = alice.handle_answer(&answer).unwrap();
        let talking = hers == Intent::Talk && his == Intent::Talk;
        assert_eq!((alices.send, bobs.send), (talking, talking), "{hers:?} {his:?}");
        assert_eq!(bobs.held_by_peer, hers == ZERO);
        assert_eq!(bobs.remote_rtp, socket("192.0.2.1:5004"));
        assert_eq!(alices.remote_rtp.port(), 7000);
        assert!(alices.remote_rtcp.is_none_or(|rtcp| rtcp == socket("192.0.2.2:7009")));
    }
}

const BASES: [&str; 3] = [
    "v=0\r\no=- 1 1 IN IP4 192.0.2.9\r\ns=-\r\nc=IN IP4 192.0.2.9\r\nt=0 0\r\nm=audio 4000 RTP/AVP 0 8 96\r\n\
     a=rtpmap:96 telephone-event/8000\r\na=ptime:20\r\na=rtcp:4001 IN IP4 192.0.2.9\r\na=sendrecv\r\n",
    "v=0\r\no=x 18446744073709551615 2 IN IP6 ::1\r\ns= \r\nt=0 0\r\na=inactive\r\nm=video 65535 RTP/AVP 31\r\n\
     m=audio 65535 RTP/AVPF 97 0\r\nc=IN IP4 0.0.0.0\r\na=rtpmap:97 PCMA/8000/1\r\na=maxptime:4294967295\r\n",
    "m=audio 0\r\no=\r\nc=IN IP4 host\r\na=rtpmap:\r\na=rtcp:\r\nm=\r\n=\r\na\r\n",
];

/// Pieces that make a mutation likely to be understood.
const PIECES: [&str; 12] = [
    "\r\n",
    " ",
    "0",
    "m=audio 4000 RTP/AVP 8\r\n",
    "c=IN IP6 ::\r\n",
    "a=sendonly\r\n",
    "a=ptime:999999999999\r\n",
    "/",
    ":",
    "\u{1f4de}",
    "-1",
    "=",
];

proptest! {
    #[test]
    fn mutated_descriptions_never_panic(
        base in 0..BASES.len(),
        edits in prop::collection::vec((any::<prop::sample::Index>(), 0..PIECES.len(), 0..12_usize), 0..8),
        holding in any::<bool>(),
    ) {
        let mut text: Vec<char> = BASES[base].chars().collect();
        for (place, piece, removed) in edits {
            let start = place.index(text.len() + 1);
            let end = (start + removed).min(text.len());
            text.splice(start..end, PIECES[piece].chars());
        }
        exercise(&text.into_iter().collect::<String>(), holding);
    }

    #[test]
    fn arbitrary_text_never_panics(text in any::<String>()) {
        exercise(&text, false);
    }
}

/// Whatever is accepted is sound, and what we write is accepted by another phone.
fn exercise(text: &str, holding: bool) {
    let intent = if holding { ZERO } else { Intent::Talk };
    let mut phone = phone();
    for _ in 0..2 {
        if let Ok((answer, negotiated)) = phone.answer(text, &LOCAL, intent) {
            assert!(!negotiated.remote_rtp.ip().is_unspecified());
            assert!((10..=60).contains(&negotiated.ptime_ms));
            assert!(describe::parse(&answer).is_ok(), "{answer}");
        }
        let offer = phone.offer(&LOCAL, Intent::Talk);
        assert!(self::phone().answer(&offer, &LOCAL, Intent::Talk).is_ok(), "{offer}");
        if let Ok(negotiated) = phone.handle_answer(text) {
            assert!(!negotiated.remote_rtp.ip().is_unspecified());
        }
        phone.rollback();
    }
}

const AVP: &str = "m=audio 4000 RTP/AVP 0\r\n";

#[test]
fn rtcp_shares_the_port_where_both_say_so() {
    let with = format!("{AVP}a=rtcp-mux\r\n");
    // Offered by us, and taken or not.
    for (answer, shared) in [(with.as_str(), true), (AVP, false)] {
        let mut phone = phone();
        assert!(phone.offer(&LOCAL, Intent::Talk).contains("a=rtcp-mux\r\n"));
        let negotiated = phone.handle_answer(&peer(1, "198.51.100.8", answer)).unwrap();
        let rtcp = if shared { "198.51.100.8:4000" } else { "198.51.100.8:4001" };
        assert_eq!((negotiated.rtcp_mux, negotiated.remote_rtcp), (shared, Some(socket(rtcp))));
        // A refresh repeats the offer to the letter, and its answer means the same.
        assert!(phone.offer_again(&LOCAL, Intent::Talk).contains("a=rtcp-mux\r\n"));
        assert_eq!(phone.handle_answer(&peer(1, "198.51.100.8", answer)).unwrap().rtcp_mux, shared);
    }
    // Offered by the peer.
    for (offer, shared) in [(with.as_str(), true), (AVP, false)] {
        let (answer, negotiated) = phone().answer(&peer(1, "198.51.100.8", offer), &LOCAL, Intent::Talk).unwrap();
        assert_eq!((answer.contains("a=rtcp-mux"), negotiated.rtcp_mux), (shared, shared));
    }
}

#[test]
fn rtcp_does_not_share_the_port_where_we_may_not() {
    let with = peer(1, "198.51.100.8", &format!("{AVP}a=rtcp-mux\r\n"));
    let mut off = phone();
    off.capabilities.rtcp_mux = false;
    assert!(!off.offer(&LOCAL, Intent::Talk).contains("rtcp-mux"));
    // An answer can't ask for what was not offered (RFC 5761 section 5.1.1).
    assert!(!off.handle_answer(&with).unwrap().rtcp_mux);
    assert!(!off.answer(&with, &LOCAL, Intent::Talk).unwrap().0.contains("rtcp-mux"));
    // RFC 5761 section 4: with the marker 72 would look like a sender report.
    let odd = "m=audio 4000 RTP/AVP 72\r\na=rtpmap:72 PCMU/8000\r\na=rtcp-mux\r\n";
    let (answer, negotiated) = phone().answer(&peer(1, "198.51.100.8", odd), &LOCAL, Intent::Talk).unwrap();
    assert!(!answer.contains("rtcp-mux") && !negotiated.rtcp_mux);
    // Held with c=0.0.0.0: nothing goes anywhere.
    let held = peer(1, "0.0.0.0", &format!("{AVP}a=rtcp-mux\r\n"));
    assert_eq!(phone().answer(&held, &LOCAL, Intent::Talk).unwrap().1.remote_rtcp, None);
}

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

/// A phone that would rather be sent nothing than silence.
fn quiet(codecs: &[Codec]) -> Session {
    let capabilities = Capabilities { codecs: codecs.to_vec(), dtx: true, ..phone().capabilities };
    Session::new(capabilities, 1000)
}

#[test]
fn comfort_noise_is_offered_if_wanted_and_used_if_both_sides_name_it() {
    let offer = quiet(&Codec::ALL).offer(&LOCAL, Intent::Talk);
    assert_eq!(line(&offer, "m="), "m=audio 5004 RTP/AVP 96 9 0 8 97 13 104 101 102 103");
    for expected in ["a=rtpmap:13 CN/8000", "a=rtpmap:104 CN/16000", "a=fmtp:96 useinbandfec=1;usedtx=1"] {
        assert!(offer.contains(expected), "{offer}");
    }
    // What the answer takes, and with it who may send what.
    let table = [
        ("m=audio 4000 RTP/AVP 0 13", Some(13)),
        ("m=audio 4000 RTP/AVP 9 100\na=rtpmap:100 CN/8000", Some(100)),
        ("m=audio 4000 RTP/AVP 0", None),
        ("m=audio 4000 RTP/AVP 0 100\na=rtpmap:100 CN/16000", None),
        ("m=audio 4000 RTP/AVP 97 13\na=rtpmap:97 L16/16000", None),
    ];
    for (answer, send) in table {
        let mut session = quiet(&[Codec::G722, Codec::Pcmu, Codec::L16]);
        session.offer(&LOCAL, Intent::Talk);
        let negotiated = session.handle_answer(&peer(1, "198.51.100.7", answer)).unwrap();
        let receive = vec![(13, 8000), (104, 16_000)];
        assert_eq!(negotiated.comfort_noise, ComfortNoise { send, receive }, "{answer}");
        // The same is offered again.
        assert!(line(&session.offer_again(&LOCAL, Intent::Talk), "m=").contains(" 13 104 "));
    }
    // Unasked for in the offer, it is not sent.
    let mut session = phone();
    assert!(!session.offer(&LOCAL, Intent::Talk).contains("CN/"));
    let negotiated = session.handle_answer(&peer(1, "198.51.100.7", "m=audio 4000 RTP/AVP 0 13")).unwrap();
    assert_eq!(negotiated.comfort_noise, ComfortNoise::default());
}

#[test]
fn comfort_noise_that_is_offered_is_accepted_if_wanted_beside_a_codec_with_its_clock() {
    let table = [
        ("m=audio 4000 RTP/AVP 0 13 101\na=rtpmap:101 telephone-event/8000", "0 13 101", Some(13), vec![(13, 8000)]),
        ("m=audio 4000 RTP/AVP 0 19 105\na=rtpmap:105 CN/16000", "0", None, vec![]),
        ("m=audio 4000 RTP/AVP 8 100\na=rtpmap:100 cn/8000/1", "8 100", Some(100), vec![(100, 8000)]),
        ("m=audio 4000 RTP/AVP 18 0 13 98\na=rtpmap:98 CN/32000", "0 13", Some(13), vec![(13, 8000)]),
    ];
    for (offer, formats, send, receive) in table {
        let mut session = Session::new(Capabilities { dtx: true, ..phone().capabilities }, 1000);
        let (answer, negotiated) = session.answer(&peer(1, "198.51.100.7", offer), &LOCAL, Intent::Talk).unwrap();
        assert_eq!(line(&answer, "m="), format!("m=audio 5004 RTP/AVP {formats}"));
        assert_eq!(negotiated.comfort_noise, ComfortNoise { send, receive }, "{offer}");
        let (_, negotiated) = phone().answer(&peer(1, "198.51.100.7", offer), &LOCAL, Intent::Talk).unwrap();
        assert_eq!(negotiated.comfort_noise, ComfortNoise::default(), "{offer}");
    }
}
