//! Comfort noise (RFC 3389): who takes it.

use super::{LOCAL, line, peer, phone};
use crate::sdp::Codec;
use crate::sdp::offer_answer::{Capabilities, ComfortNoise, Intent, Session};

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
