//! Input that is no SIP, or bad SIP: dropped and counted, and the phone goes on.

use offhook::ua::event::Event;
use proptest::prelude::*;

use crate::harness::*;

#[test]
fn what_is_no_sip_is_dropped_and_counted() {
    let phone = Phone::new(direct());
    let bob = phone.bob();
    let options = |extra: &str| {
        format!(
            "OPTIONS sip:alice@192.0.2.101 SIP/2.0\r\nVia: SIP/2.0/UDP 192.0.2.201:5060;branch=z9hG4bKm\r\n\
             From: <sip:bob@x>;tag=1\r\nTo: <sip:alice@x>\r\nCall-ID: m\r\nCSeq: 1 OPTIONS\r\n{extra}\r\n"
        )
    };
    let many: String = (0..6000).map(|number| format!("X-{number}: a\r\n")).collect();
    let bad = [
        b"\r\n\r\n\r\n".to_vec(),
        b"GET / HTTP/1.1\r\nHost: example.com\r\n\r\n".to_vec(),
        vec![0; 100],
        vec![0xff; 1500],
        vec![b'a'; 65_000],
        options(&many).into_bytes(),
        options("Content-Length: 99\r\n").into_bytes(),
        options("Content-Length: -1\r\n").into_bytes(),
        options("Content-Length: 99999999999999999999\r\n").into_bytes(),
        options("Subject: a\0b\r\n").into_bytes(),
        options(&format!("Subject: {}\r\n", "x".repeat(60_000))).into_bytes(),
        options("").replace("From", "Fron").into_bytes(),
        options("").replace("Via", "Vai").into_bytes(),
        options("").replace("Call-ID", "Call-DI").into_bytes(),
        options("").replace("CSeq", "CSqe").into_bytes(),
        options("").replace("To:", "Ot:").into_bytes(),
        b"SIP/2.0 200 OK\r\n\r\n".to_vec(),
        b"SIP/2.0 999 ?\r\nVia: x\r\n\r\n".to_vec(),
    ];
    for (place, datagram) in bad.iter().enumerate() {
        let before = phone.world().ua.counters();
        phone.receive(bob.address, datagram);
        let replied = phone.world().inboxes.get(&bob.address).is_some_and(|inbox| !inbox.is_empty());
        if replied {
            bob.expect(400);
        }
        let after = phone.world().ua.counters();
        let response = datagram.starts_with(b"SIP/2.0");
        assert!(response || after.malformed + after.refused == before.malformed + before.refused + 1, "number {place}");
        assert_eq!(phone.world().ua.transactions().0, 0);
    }
    phone.assert_quiescent();
    // What follows the body is not part of it (RFC 3261 section 18.3).
    bob.send(&format!("{}trailing", options("Content-Length: 0\r\n")));
    bob.expect(200);
    let (call, leg) = call_out(&phone);
    hang_up(&phone, call, &leg);
}

#[test]
fn responses_to_nothing_are_ignored() {
    let phone = Phone::new(direct());
    let (call, leg) = call_out(&phone);
    for code in [100, 183, 200, 302, 401, 491, 699] {
        leg.peer.send(&format!(
            "SIP/2.0 {code} X\r\nVia: SIP/2.0/UDP 192.0.2.101:5060;branch=z9hG4bKforged\r\nFrom: {}\r\nTo: {}\r\n\
             Call-ID: {}\r\nCSeq: 7777 INVITE\r\nContent-Length: 0\r\n\r\n",
            leg.remote, leg.local, leg.call_id
        ));
    }
    phone.assert_silent();
    hang_up(&phone, call, &leg);
}

/// Messages that belong to a standing call, for the mutations.
fn material(leg: &mut Leg, ok: &str) -> Vec<String> {
    let mut texts = vec![ok.to_owned()];
    texts.push(leg.request("INVITE").sdp(&sdp::directed(2, "sendonly")).taken());
    texts.push(leg.request("UPDATE").sdp(&sdp::bob()).taken());
    texts.push(leg.request("INFO").body("application/dtmf-relay", "Signal=5\r\n").taken());
    texts.push(leg.request("REFER").with("Refer-To", "<sip:carol@192.0.2.203?a=b>").taken());
    texts.push(leg.request("NOTIFY").with("Event", "refer;id=3").body("message/sipfrag", "SIP/2.0 200 OK").taken());
    texts.push(leg.ack().sdp(&sdp::bob()).taken());
    texts.push(leg.peer.invite().sdp(&sdp::bob()).taken());
    texts.push(leg.request("BYE").with("Reason", "SIP;cause=200;text=\"x\"").taken());
    texts
}

/// What a mutation does to a message.
#[derive(Debug, Clone)]
enum Change {
    Put(usize, u8),
    Cut(usize, usize),
    Double(usize, usize),
    Number(usize, u64),
}

fn change() -> impl Strategy<Value = Change> {
    prop_oneof![
        (any::<usize>(), any::<u8>()).prop_map(|(at, byte)| Change::Put(at, byte)),
        (any::<usize>(), 0usize..40).prop_map(|(at, length)| Change::Cut(at, length)),
        (any::<usize>(), 0usize..80).prop_map(|(at, length)| Change::Double(at, length)),
        (any::<usize>(), any::<u64>()).prop_map(|(at, number)| Change::Number(at, number)),
    ]
}

fn changed(text: &str, changes: &[Change]) -> Vec<u8> {
    let mut bytes = text.as_bytes().to_vec();
    for change in changes {
        if bytes.is_empty() {
            break;
        }
        let length = bytes.len();
        match change {
            Change::Put(at, byte) => bytes[at % length] = *byte,
            Change::Cut(at, count) => {
                let at = at % length;
                bytes.drain(at..(at + count).min(length));
            }
            Change::Double(at, count) => {
                let at = at % length;
                let copy = bytes[at..(at + count).min(length)].to_vec();
                bytes.splice(at..at, copy);
            }
            Change::Number(at, number) => {
                // The next number in the text becomes another.
                let start = (at % length..length).find(|at| bytes[*at].is_ascii_digit());
                if let Some(start) = start {
                    let end = (start..length).find(|at| !bytes[*at].is_ascii_digit()).unwrap_or(length);
                    bytes.splice(start..end, number.to_string().into_bytes());
                }
            }
        }
    }
    bytes
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn anything_may_come_in_a_call(
        noise in proptest::collection::vec(any::<u8>(), 0..300),
        picks in proptest::collection::vec((any::<usize>(), proptest::collection::vec(change(), 0..4), 0u64..3000), 1..8),
    ) {
        let phone = Phone::new(direct());
        let bob = phone.bob();
        phone.dial_direct("sip:bob@192.0.2.201");
        let invite = bob.expect("INVITE");
        let mut leg = invite.leg();
        let ok = invite.reply(200).sdp(&sdp::bob()).sent();
        let texts = material(&mut leg, &ok);
        phone.receive(bob.address, &noise);
        for (pick, changes, pause) in picks {
            phone.receive(bob.address, &changed(&texts[pick % texts.len()], &changes));
            phone.advance(ms(pause));
        }
        // In whatever state it is, it comes to an end.
        phone.command(offhook::ua::Command::Shutdown).unwrap();
        phone.advance(s(400));
        phone.skip_datagrams();
        phone.skip_until_quiet();
        phone.assert_quiescent();
    }
}

#[test]
fn a_call_works_after_all_that() {
    let phone = Phone::new(direct());
    let bob = phone.bob();
    for length in [0, 1, 10, 1000, 65_535] {
        phone.receive(bob.address, &vec![b'\n'; length]);
    }
    let (call, leg) = call_in(&phone);
    expect_nothing_more(&phone);
    hang_up(&phone, call, &leg);
}

#[track_caller]
fn expect_nothing_more(phone: &Phone) {
    assert_eq!(phone.next_event(), None::<Event>);
}
