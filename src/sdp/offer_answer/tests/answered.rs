//! What the peer's answers to our offers mean.

use super::{LOCAL, ZERO, audio, peer, phone, socket, streams};
use crate::sdp::offer_answer::{Capabilities, HoldStyle, Intent, Negotiated, Protection, Refusal, Session};
use crate::sdp::{Codec, OpusWishes};

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
