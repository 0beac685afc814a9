//! Floods: they cost no memory that stays, and the calls of others go on.

use offhook::ua::Command;
use offhook::ua::event::Event;

use crate::harness::*;

const MANY: u32 = 200;

/// A message of a stranger's, each another.
fn stranger(method: &str, number: u32) -> Vec<u8> {
    format!(
        "{method} sip:100@192.0.2.101 SIP/2.0\r\nVia: SIP/2.0/UDP 198.51.100.66:5060;branch=z9hG4bK{number}\r\n\
         Max-Forwards: 70\r\nFrom: <sip:100@x>;tag={number}\r\nTo: <sip:100@192.0.2.101>\r\nCall-ID: {number}\r\n\
         CSeq: 1 {method}\r\nContact: <sip:100@198.51.100.66>\r\nContent-Length: 0\r\n\r\n"
    )
    .into_bytes()
}

#[test]
fn strangers_leave_nothing_behind() {
    let phone = Phone::new(alice());
    let from = "198.51.100.66:5060".parse().unwrap();
    for (place, (method, code)) in [
        ("INVITE", 404),
        ("OPTIONS", 404),
        ("BYE", 481),
        ("CANCEL", 481),
        ("REGISTER", 405),
        ("NOTIFY", 489),
        ("REFER", 403),
        ("DANCE", 501),
        ("INVITE ", 400),
    ]
    .into_iter()
    .enumerate()
    {
        let peer = phone.peer("stranger", "198.51.100.66:5060");
        for number in 0..MANY {
            phone.receive(from, &stranger(method, place as u32 * MANY + number));
            peer.expect(code);
        }
        assert_eq!(phone.world().ua.transactions(), (0, 0), "{method}");
        assert_eq!(phone.next_deadline(), None, "{method}");
    }
    phone.assert_quiescent();
}

/// The same request gets the same answer, To tag and all, though nothing is kept for it (RFC 3261 section 8.2.7).
#[test]
fn a_request_that_comes_again_is_answered_alike() {
    let phone = Phone::new(alice());
    let peer = phone.peer("stranger", "198.51.100.66:5060");
    for (method, code) in [("INVITE", 404), ("OPTIONS", 404), ("DANCE", 501), ("INVITE ", 400)] {
        let answers: Vec<String> = (0..3)
            .map(|_| {
                phone.receive(peer.address, &stranger(method, 7));
                peer.expect(code).text()
            })
            .collect();
        assert!(answers[0].contains(";tag="), "{}", answers[0]);
        assert_eq!(answers[0], answers[1]);
        assert_eq!(answers[1], answers[2]);
        phone.receive(peer.address, &stranger(method, 8));
        assert_ne!(peer.expect(code).tag("To"), tag_of(&answers[0]), "the next has another tag");
    }
}

fn tag_of(text: &str) -> String {
    text.split("\r\nTo: ").nth(1).unwrap().split(";tag=").nth(1).unwrap().split("\r\n").next().unwrap().to_owned()
}

/// One source rings twenty times and no more; another still rings.
#[test]
fn one_source_does_not_ring_for_ever() {
    let phone = Phone::new(direct());
    let bob = phone.bob();
    let mut rung = 0;
    for _ in 0..100 {
        bob.invite().sdp(&sdp::bob());
        if let Some(Event::Incoming { call, .. }) = phone.next_event() {
            rung += 1;
            phone.command(Command::Reject { call, code: 486 }).unwrap();
            phone.skip_events();
        }
    }
    assert_eq!(rung, 20);
    assert_eq!(phone.world().ua.counters().too_many, 80);
    phone.skip_datagrams();
    phone.advance(s(100));
    phone.skip_datagrams();
    let (call, leg) = call_in(&phone);
    hang_up(&phone, call, &leg);
}
