//! RTCP at the RTP port (RFC 5761).

use super::{AVP, LOCAL, peer, phone, socket};
use crate::sdp::offer_answer::Intent;

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
