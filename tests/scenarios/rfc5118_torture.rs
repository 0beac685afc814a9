//! RFC 5118: all of its messages, and what it asks of a user agent that receives each.

use offhook::sdp::{Capabilities, Intent, LocalMedia, Session};

use crate::torture::Outcome::*;
use crate::torture::{Row, check, outcome};

macro_rules! message {
    ($name:literal) => {
        ($name, include_bytes!(concat!("../torture/messages/rfc5118/", $name, ".dat")).as_slice())
    };
}

#[rustfmt::skip]
const MESSAGES: [(&str, &[u8]); 12] = [
    message!("ipv6-good"),
    message!("ipv6-bad"),
    message!("port-ambiguous"),
    message!("port-unambiguous"),
    message!("via-received-param-with-delim"),
    message!("via-received-param-no-delim"),
    message!("ipv6-in-sdp"),
    message!("mult-ip-in-header"),
    message!("mult-ip-in-sdp"),
    message!("ipv4-mapped-ipv6"),
    message!("ipv6-bug-abnf-3-colons"),
    message!("ipv6-correct-abnf-2-colons"),
];

/// The messages in the document's order.
#[rustfmt::skip]
const TABLE: [Row; 12] = [
    ("ipv6-good", "4.1", Says(405, "Method Not Allowed"), "no registrar here"),
    ("ipv6-bad", "4.2", Says(400, "Bad Request Line"), ""),
    ("port-ambiguous", "4.3", Says(405, "Method Not Allowed"), "well formed: no registrar here"),
    ("port-unambiguous", "4.4", Says(405, "Method Not Allowed"), "no registrar here"),
    ("via-received-param-with-delim", "4.5", Says(481, "Call/Transaction Does Not Exist"), "read; it belongs to no dialog"),
    ("via-received-param-no-delim", "4.5", Says(200, "OK"), ""),
    ("ipv6-in-sdp", "4.6", Says(400, "Bad Content-Length"), "268, for 251 octets; see below for the message that is meant"),
    ("mult-ip-in-header", "4.7", Says(481, "Call/Transaction Does Not Exist"), "read; it belongs to no dialog"),
    ("mult-ip-in-sdp", "4.8", Rings, ""),
    ("ipv4-mapped-ipv6", "4.9", Says(488, "Not Acceptable Here"), "read: it offers G.726 alone"),
    ("ipv6-bug-abnf-3-colons", "4.10", Says(200, "OK"), ""),
    ("ipv6-correct-abnf-2-colons", "4.10", Says(200, "OK"), ""),
];

#[test]
fn each_message_has_its_outcome() {
    check(&TABLE, &MESSAGES);
}

/// 4.6 as it is meant: with the length of its body it is read, IPv6 addresses and all; that it offers no codec of ours is
/// another matter.
#[test]
fn the_addresses_of_ipv6_in_sdp_are_read() {
    let text = String::from_utf8(MESSAGES[6].1.to_vec()).unwrap().replace("Content-Length: 268", "Content-Length: 251");
    assert_eq!(outcome(text.as_bytes()).0, Says(488, "Not Acceptable Here"));
    let body = text.split("\r\n\r\n").nth(1).unwrap().replace("RTP/AVP 2\r\na=rtpmap:2 G726-32/8000", "RTP/AVP 0");
    let mut session = Session::new(Capabilities::from_names(["PCMU"], 20).0, 1);
    let local = LocalMedia::new("2001:db8::10".parse().unwrap(), 49170, 49171);
    let (answer, media) = session.answer(&body, &local, Intent::Talk).unwrap();
    assert_eq!(media.remote_rtp.to_string(), "[2001:db8::20]:6000");
    assert!(answer.contains("c=IN IP6 2001:db8::10\r\n") && answer.contains("m=video 0 "), "{answer}");
}
