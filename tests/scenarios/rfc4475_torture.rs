//! RFC 4475: all of its messages, byte for byte, and what it asks of a user agent that receives each.

use offhook::ua::event::{EndedBy, Event};

use crate::harness::*;
use crate::torture::Outcome::{self, *};
use crate::torture::{Row, check, counted, outcome};

macro_rules! message {
    ($name:literal) => {
        ($name, include_bytes!(concat!("../torture/messages/rfc4475/", $name, ".dat")).as_slice())
    };
}

#[rustfmt::skip]
const MESSAGES: [(&str, &[u8]); 49] = [
    message!("wsinv"),
    message!("intmeth"),
    message!("esc01"),
    message!("escnull"),
    message!("esc02"),
    message!("lwsdisp"),
    message!("longreq"),
    message!("dblreq"),
    message!("semiuri"),
    message!("transports"),
    message!("mpart01"),
    message!("unreason"),
    message!("noreason"),
    message!("badinv01"),
    message!("clerr"),
    message!("ncl"),
    message!("scalar02"),
    message!("scalarlg"),
    message!("quotbal"),
    message!("ltgtruri"),
    message!("lwsruri"),
    message!("lwsstart"),
    message!("trws"),
    message!("escruri"),
    message!("baddate"),
    message!("regbadct"),
    message!("badaspec"),
    message!("baddn"),
    message!("badvers"),
    message!("mismatch01"),
    message!("mismatch02"),
    message!("bigcode"),
    message!("badbranch"),
    message!("insuf"),
    message!("unkscm"),
    message!("novelsc"),
    message!("unksm2"),
    message!("bext01"),
    message!("invut"),
    message!("regaut01"),
    message!("multi01"),
    message!("mcl01"),
    message!("bcast"),
    message!("zeromf"),
    message!("cparam01"),
    message!("cparam02"),
    message!("regescrt"),
    message!("sdp01"),
    message!("inv2543"),
];

/// The messages in the document's order.
#[rustfmt::skip]
const TABLE: [Row; 49] = [
    ("wsinv", "3.1.1.1", Says(481, "Call/Transaction Does Not Exist"), "well formed; its To tag names a dialog that is not there (RFC 3261 12.2.2)"),
    ("intmeth", "3.1.1.2", Says(501, "Not Implemented"), "with the NUL of its quoted string"),
    ("esc01", "3.1.1.3", Rings, ""),
    ("escnull", "3.1.1.4", Says(405, "Method Not Allowed"), "no registrar here; the NULs are escaped"),
    ("esc02", "3.1.1.5", Says(501, "Not Implemented"), "% is no escape in a method"),
    ("lwsdisp", "3.1.1.6", Says(200, "OK"), ""),
    ("longreq", "3.1.1.7", Rings, ""),
    ("dblreq", "3.1.1.8", Says(405, "Method Not Allowed"), "and the INVITE behind it is not seen"),
    ("semiuri", "3.1.1.9", Says(200, "OK"), ""),
    ("transports", "3.1.1.10", Says(200, "OK"), ""),
    ("mpart01", "3.1.1.11", Says(415, "Unsupported Media Type"), "well formed; only text is shown"),
    ("unreason", "3.1.1.12", Dropped, "a response to nothing; see below"),
    ("noreason", "3.1.1.13", Dropped, "a response to nothing; see below"),
    ("badinv01", "3.1.2.1", Says(400, "Bad Via"), ""),
    ("clerr", "3.1.2.2", Says(400, "Bad Content-Length"), ""),
    ("ncl", "3.1.2.3", Says(400, "Bad Content-Length"), ""),
    ("scalar02", "3.1.2.4", Says(400, "Bad CSeq"), "not for its Max-Forwards"),
    ("scalarlg", "3.1.2.5", Dropped, ""),
    ("quotbal", "3.1.2.6", Says(400, "Bad To"), ""),
    ("ltgtruri", "3.1.2.7", Says(400, "Bad Request Line"), ""),
    ("lwsruri", "3.1.2.8", Says(400, "Bad Request Line"), ""),
    ("lwsstart", "3.1.2.9", Says(400, "Bad Request Line"), ""),
    ("trws", "3.1.2.10", Says(400, "Bad Request Line"), ""),
    ("escruri", "3.1.2.11", Says(400, "Header Fields In Request-URI"), ""),
    ("baddate", "3.1.2.12", Rings, "an element that does not use Date shouldn't reject it"),
    ("regbadct", "3.1.2.13", Says(400, "Bad Contact"), ""),
    ("badaspec", "3.1.2.14", Says(400, "Bad To"), ""),
    ("baddn", "3.1.2.15", Says(400, "Bad To"), ""),
    ("badvers", "3.1.2.16", Says(505, "Version Not Supported"), ""),
    ("mismatch01", "3.1.2.17", Says(400, "CSeq Method Mismatch"), ""),
    ("mismatch02", "3.1.2.18", Says(501, "Not Implemented"), "501 before 400"),
    ("bigcode", "3.1.2.19", Dropped, ""),
    ("badbranch", "3.2.1", Says(400, "Bad Branch"), "statelessly"),
    ("insuf", "3.3.1", Says(400, "Missing Header Field"), ""),
    ("unkscm", "3.3.2", Says(416, "Unsupported URI Scheme"), ""),
    ("novelsc", "3.3.3", Says(416, "Unsupported URI Scheme"), ""),
    ("unksm2", "3.3.4", Says(405, "Method Not Allowed"), "no registrar here"),
    ("bext01", "3.3.5", Says(420, "Bad Extension"), ""),
    ("invut", "3.3.6", Says(415, "Unsupported Media Type"), ""),
    ("regaut01", "3.3.7", Says(405, "Method Not Allowed"), ""),
    ("multi01", "3.3.8", Says(400, "Repeated Header Field"), ""),
    ("mcl01", "3.3.9", Says(400, "Bad Content-Length"), ""),
    ("bcast", "3.3.10", Dropped, "two Vias"),
    ("zeromf", "3.3.11", Says(200, "OK"), "as if it were positive"),
    ("cparam01", "3.3.12", Says(405, "Method Not Allowed"), "no registrar here"),
    ("cparam02", "3.3.13", Says(405, "Method Not Allowed"), "no registrar here"),
    ("regescrt", "3.3.14", Says(405, "Method Not Allowed"), "no registrar here"),
    ("sdp01", "3.3.15", Says(406, "Not Acceptable"), ""),
    ("inv2543", "3.4.1", Rings, "no branch, no From tag, no Max-Forwards"),
];

fn message(name: &str) -> &'static [u8] {
    MESSAGES.iter().find(|(other, _)| *other == name).map(|(_, bytes)| *bytes).unwrap()
}

/// What the phone says to a message, which must be the outcome of the table.
fn answer(name: &str) -> Got {
    outcome(message(name)).1.unwrap()
}

#[test]
fn each_message_has_its_outcome() {
    check(&TABLE, &MESSAGES);
}

#[test]
fn the_answers_say_what_the_sender_needs() {
    // 3.1.1.2, 3.1.1.5: the methods that we understand.
    for name in ["intmeth", "esc02", "mismatch02", "regaut01"] {
        assert!(answer(name).header("Allow").contains("INVITE, ACK, CANCEL, BYE"), "{name}");
    }
    // 3.3.5: the features of Require, as they were written, and none of Proxy-Require.
    assert_eq!(answer("bext01").header("Unsupported"), "nothingSupportsThis, nothingSupportsThisEither");
    // 3.3.6, 3.3.15: what we do understand.
    assert!(answer("invut").header("Accept").starts_with("application/sdp, multipart/mixed"));
    assert!(answer("sdp01").header("Warning").starts_with("399 "));
}

/// 3.1.1.8: the octets after the body are no second message.
#[test]
fn what_follows_the_body_is_noise() {
    let phone = Phone::new(direct());
    phone.receive(phone.bob().address, message("dblreq"));
    assert_eq!(phone.next_event(), None::<Event>);
    assert_eq!(phone.world().ua.calls(), 0);
}

/// 3.1.1.1, 3.1.1.7, 3.4.1: the calls that are well can be answered, and the 2xx carries what the INVITE had.
#[test]
fn the_calls_that_ring_can_be_answered() {
    for name in ["esc01", "longreq", "baddate", "inv2543"] {
        let phone = Phone::new(direct());
        phone.receive(phone.bob().address, message(name));
        let Some(Event::Incoming { call, .. }) = phone.next_event() else { panic!("{name} does not ring") };
        phone.skip_datagrams();
        phone.answer(call);
        let sent: Vec<_> = phone.world().inboxes.values_mut().flat_map(std::mem::take).collect();
        let Some(offhook::sip::Message::Response(ok)) = sent.first() else { panic!("{name}: {sent:?}") };
        assert_eq!(ok.status.code(), 200, "{name}");
        let vias = String::from_utf8_lossy(message(name)).lines().filter(|line| is_via(line)).count();
        assert_eq!(ok.headers.get_all(&offhook::sip::HeaderName::Via).count(), vias, "{name}");
        assert!(String::from_utf8_lossy(ok.body()).contains("m=audio 49170 RTP/AVP 0"), "{name}");
        // Its ACK never comes.
        phone.skip_events();
        phone.advance(s(33));
        expect_event!(phone, Event::Ended { by: EndedBy::Timeout, .. });
        phone.advance(s(60));
        phone.skip_datagrams();
        phone.assert_quiescent();
    }
}

fn is_via(line: &str) -> bool {
    let name = line.split(':').next().unwrap_or_default().trim_end();
    name.eq_ignore_ascii_case("via") || name.eq_ignore_ascii_case("v")
}

// ---- the responses, as answers to an INVITE of the phone's ----

/// A response of the document's, with the rows in place by which it belongs to the phone's INVITE. Those in `kept` stay as
/// they are.
fn as_answer(name: &str, invite: &Got, kept: &[&str]) -> Vec<u8> {
    let bytes = message(name);
    let end = bytes.windows(4).position(|four| four == b"\r\n\r\n").unwrap();
    let mut out = Vec::new();
    let mut lines = bytes[..end].split(|byte| *byte == b'\n').map(|line| line.strip_suffix(b"\r").unwrap_or(line));
    out.extend_from_slice(lines.next().unwrap());
    let mut vias = 0;
    for line in lines {
        let text = String::from_utf8_lossy(line);
        let label = text.split(':').next().unwrap();
        out.extend_from_slice(b"\r\n");
        vias += usize::from(label == "Via");
        let ours = ["Via", "From", "To", "Call-ID", "CSeq"].contains(&label) && !kept.contains(&label);
        match label {
            "Via" if vias > 1 => out.extend_from_slice(line),
            "To" if ours => out.extend_from_slice(format!("To: {};tag=torture", invite.header("To")).as_bytes()),
            _ if ours => out.extend_from_slice(format!("{label}: {}", invite.header(label)).as_bytes()),
            _ => out.extend_from_slice(line),
        }
    }
    out.extend_from_slice(&bytes[end..]);
    out
}

/// The phone calls Bob, and this is what comes back.
fn called(name: &str, kept: &[&str]) -> (Phone, Peer, Got) {
    let phone = Phone::new(direct());
    let bob = phone.bob();
    phone.dial_direct("sip:bob@192.0.2.201");
    expect_event!(phone, Event::Calling { .. });
    let invite = bob.expect("INVITE");
    phone.receive(bob.address, &as_answer(name, &invite, kept));
    (phone, bob, invite)
}

/// The phone goes on as if nothing had come: Bob's own answer is taken.
fn goes_on(phone: &Phone, bob: &Peer, invite: &Got) {
    phone.assert_silent();
    let leg = invite.leg();
    invite.reply(200).sdp(&sdp::bob());
    leg.expect("ACK");
    expect_event!(phone, Event::Media { .. });
    let call = expect_event!(phone, Event::Established { call } => call);
    hang_up(phone, call, &leg);
    bob.expect_nothing();
}

/// 3.1.1.12: an unusual reason phrase is as good as OK.
#[test]
fn unreason_answers_a_call() {
    let phone = Phone::new(direct());
    let bob = phone.bob();
    phone.dial_direct("sip:bob@192.0.2.201");
    expect_event!(phone, Event::Calling { .. });
    // It answers two streams, and one was offered: the audio stays.
    let text = String::from_utf8(as_answer("unreason", &bob.expect("INVITE"), &[])).unwrap();
    let text = text.replace("m=video 3227 RTP/AVP 31\r\na=rtpmap:31 LPC\r\n", "").replace("Length: 154", "Length: 112");
    phone.receive(bob.address, text.as_bytes());
    expect_event!(phone, Event::Media { .. });
    let call = expect_event!(phone, Event::Established { call } => call);
    // Its Contact is a name that is not known here: the ACK and the BYE wait for it, and never leave.
    phone.hang_up(call);
    expect_event!(phone, Event::Ended { by: EndedBy::Local, .. });
    bob.expect_nothing();
    phone.assert_quiescent();
}

/// 3.1.1.13: a response without reason phrase stops the retransmissions.
#[test]
fn noreason_is_a_provisional_response() {
    let (phone, bob, invite) = called("noreason", &[]);
    phone.advance(s(20));
    bob.expect_nothing();
    goes_on(&phone, &bob, &invite);
}

/// 3.1.2.5, 3.1.2.19, 3.3.10: discarded, though they would belong to the INVITE.
#[test]
fn bad_responses_are_discarded() {
    for (name, kept) in [("scalarlg", ["CSeq"].as_slice()), ("bigcode", &[]), ("bcast", &[])] {
        let (phone, bob, invite) = called(name, kept);
        assert_eq!(counted(&phone), 1, "{name}");
        goes_on(&phone, &bob, &invite);
    }
}

/// Each message comes in a call that stands, and the call stands.
#[test]
fn a_call_outlives_them_all() {
    let phone = Phone::new(direct());
    let (call, leg) = call_out(&phone);
    for (_, bytes) in MESSAGES {
        phone.receive(leg.peer.address, bytes);
        while let Some(event) = phone.next_event() {
            if let Event::Incoming { call, .. } = event {
                phone.command(offhook::ua::Command::Reject { call, code: 486 }).unwrap();
            }
        }
    }
    phone.advance(s(40));
    phone.skip_datagrams();
    phone.skip_events();
    assert_ne!(counted(&phone), 0);
    hang_up(&phone, call, &leg);
}

/// The outcome does not hang on the place from which a message comes.
#[test]
fn nothing_is_dropped_that_is_a_request() {
    for (name, bytes) in MESSAGES {
        let response = bytes.starts_with(b"SIP/");
        assert_eq!(outcome(bytes).0 == Outcome::Dropped, response, "{name}");
    }
}
