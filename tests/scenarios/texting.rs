//! Texts (RFC 3428), both ways.

use offhook::ua::event::Event;
use offhook::ua::{Command, CommandError};

use crate::harness::*;

const ME: &str = "sip:alice@192.0.2.101";

fn write(phone: &Phone, target: &str, text: &str) -> Result<(), CommandError> {
    let command = Command::Message { account: Some(ACCOUNT), target: uri(target), text: text.into() };
    phone.command(command).map(|_| ())
}

#[test]
fn a_text_comes_and_is_told_once() {
    let phone = Phone::new(direct());
    let bob = phone.bob();
    let message = bob.request("MESSAGE", ME).body("text/plain;charset=UTF-8", "Watson,\r\ncome here.").sent();
    let ok = bob.expect(200);
    assert_eq!((ok.body(), ok.header("Contact")), (String::new(), String::new()));
    expect_event!(phone, Event::Message { account: None, from, text } => {
        assert_eq!(from.uri, "sip:bob@192.0.2.201");
        assert_eq!(text, "Watson,\ncome here.");
    });
    // A retransmission, and a copy by another way.
    message.again();
    bob.expect(200);
    bob.send(&message.text.replace(&message.branch, "z9hG4bKother"));
    bob.expect(482);
    phone.assert_quiescent();
}

#[test]
fn what_is_no_plain_text_is_refused_with_what_is() {
    let phone = Phone::new(direct());
    let bob = phone.bob();
    for content_type in ["text/html", "application/im-iscomposing+xml", "message/cpim"] {
        bob.request("MESSAGE", ME).body(content_type, "<x/>");
        assert_eq!(bob.expect(415).header("Accept"), "text/plain");
    }
    bob.request("MESSAGE", ME).body("text/plain", "zip").with("Content-Encoding", "gzip");
    bob.expect(415);
    bob.request("MESSAGE", ME).body("text/plain", "\u{1b}]0;evil\u{7}hi\u{202e}");
    bob.expect(200);
    expect_event!(phone, Event::Message { text, .. } => assert_eq!(text, "\u{fffd}]0;evil\u{fffd}hi\u{fffd}"));
    // An empty one is a sign of life at most.
    bob.request("MESSAGE", ME);
    bob.expect(200);
    phone.assert_quiescent();
}

#[test]
fn only_who_may_ring_may_write() {
    let phone = Phone::new(bob());
    let stranger = phone.peer("mallory", "203.0.113.9:5060");
    stranger.request("MESSAGE", "sip:bob@192.0.2.101").body("text/plain", "buy");
    stranger.expect(404);
    assert_eq!(phone.world().ua.counters().strangers, 1);
    phone.assert_quiescent();
}

#[test]
fn a_text_may_come_inside_a_call() {
    let phone = Phone::new(direct());
    let (call, mut leg) = call_in(&phone);
    let bob = leg.peer.clone();
    leg.request("MESSAGE").body("text/plain", "see you");
    bob.expect(200);
    expect_event!(phone, Event::Message { text, .. } => assert_eq!(text, "see you"));
    leg.request("MESSAGE").seq(1).body("text/plain", "late");
    bob.expect(500);
    hang_up(&phone, call, &leg);
}

#[test]
fn a_text_goes_with_credentials_and_its_fate_is_told() {
    let phone = Phone::new(alice());
    let proxy = phone.peer("ss1", "192.0.2.111:5060");
    write(&phone, "sip:bob@biloxi.example.com", "Lunch?\u{20ac}").unwrap();
    let f1 = proxy.expect("MESSAGE");
    assert_eq!(f1.uri(), "sip:bob@biloxi.example.com");
    assert_eq!(f1.header("Content-Type"), "text/plain;charset=UTF-8");
    assert_eq!((f1.body().as_str(), f1.header("Contact").as_str()), ("Lunch?\u{20ac}", ""));
    assert!(f1.header("From").starts_with("\"Alice\" <sip:alice@atlanta.example.com>;tag="));
    assert_eq!(f1.header("Route"), "<sip:ss1.atlanta.example.com;lr>");
    f1.reply(407).challenge("Proxy-Authenticate", "atlanta.example.com", "n1");
    let f2 = proxy.expect("MESSAGE");
    assert!(f2.header("Proxy-Authorization").contains("username=\"alice\""));
    assert_eq!((f2.seq(), f2.header("Call-ID")), (f1.seq() + 1, f1.header("Call-ID")));
    f2.reply(200);
    let to = "sip:bob@biloxi.example.com".to_owned();
    assert_eq!(phone.next_event(), Some(Event::MessageSent { account: Some(ACCOUNT), to, delivered: true }));
    // The next one brings them along; a server keeps it for later.
    write(&phone, "sip:bob@biloxi.example.com", "Well?").unwrap();
    let f3 = proxy.expect("MESSAGE");
    assert!(f3.header("Proxy-Authorization").contains("nc=00000002"));
    f3.reply(202);
    expect_event!(phone, Event::MessageSent { delivered: false, .. });
    phone.assert_quiescent();
}

#[test]
fn a_challenge_of_the_peer_itself_is_not_answered() {
    let phone = Phone::new(bob());
    let other = phone.peer("eve", "192.0.2.66:5060");
    write(&phone, "sip:eve@192.0.2.66", "hello").unwrap();
    other.expect("MESSAGE").reply(401).challenge("WWW-Authenticate", "biloxi.example.com", "n1");
    expect_event!(phone, Event::MessageFailed { code: 401, .. });
    phone.assert_quiescent();
}

#[test]
fn texts_to_one_address_leave_one_after_the_other() {
    let phone = Phone::new(alice());
    let proxy = phone.peer("ss1", "192.0.2.111:5060");
    for text in ["one", "two", "three"] {
        write(&phone, "sip:bob@biloxi.example.com", text).unwrap();
    }
    write(&phone, "sip:carol@chicago.example.com", "other").unwrap();
    let one = proxy.expect("MESSAGE");
    let other = proxy.expect("MESSAGE");
    assert_eq!((one.body().as_str(), other.body().as_str()), ("one", "other"));
    phone.assert_silent();
    one.reply(404);
    expect_event!(phone, Event::MessageFailed { code: 404, .. });
    let two = proxy.expect("MESSAGE");
    assert_eq!(two.body(), "two");
    other.reply(480);
    expect_event!(phone, Event::MessageFailed { code: 480, to, .. } => assert_eq!(to, "sip:carol@chicago.example.com"));
    // Nobody answers: 408 of our own, after Timer F; then the last.
    phone.advance(s(32));
    phone.skip_datagrams();
    expect_event!(phone, Event::MessageFailed { code: 408, .. });
    phone.advance_until_sent(s(1));
    let three = proxy.expect("MESSAGE");
    assert_eq!(three.body(), "three");
    three.reply(200);
    expect_event!(phone, Event::MessageSent { .. });
    phone.assert_quiescent();
}

#[test]
fn a_text_that_is_too_long_is_refused_before_it_leaves() {
    let phone = Phone::new(alice());
    let proxy = phone.peer("ss1", "192.0.2.111:5060");
    let long = "x".repeat(2_000);
    let refusal = write(&phone, "sip:bob@biloxi.example.com", &long).unwrap_err();
    let CommandError::MessageTooLong { bytes: 2_000, limit } = refusal else { panic!("{refusal}") };
    assert!((300..1_000).contains(&limit), "{limit}");
    assert_eq!(write(&phone, "sip:bob@biloxi.example.com", " \n"), Err(CommandError::MessageEmpty));
    assert!(matches!(write(&phone, "mailto:bob@example.com", "x"), Err(CommandError::BadTarget(_))));
    phone.assert_silent();
    // As long as it may be: below 1,300 bytes in all, with credentials too.
    write(&phone, "sip:bob@biloxi.example.com", &"x".repeat(limit)).unwrap();
    let first = proxy.expect("MESSAGE");
    first.reply(407).challenge("Proxy-Authenticate", "atlanta.example.com", &"n".repeat(40));
    let second = proxy.expect("MESSAGE");
    assert!(second.text().len() <= 1_300, "{}", second.text().len());
    second.reply(200);
    phone.skip_events();
    phone.assert_quiescent();
}
