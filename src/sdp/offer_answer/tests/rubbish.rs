//! Descriptions that nobody meant.

use proptest::prelude::*;

use super::{LOCAL, ZERO, phone};
use crate::sdp::describe;
use crate::sdp::offer_answer::Intent;

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
