//! RFC 3665 section 2: registration.

use offhook::ua::event::Event;
use offhook::ua::{Command, CommandError, Timer};

use crate::harness::*;

const REALM: &str = "atlanta.example.com";

fn contact(request: &Got) -> String {
    request.header("Contact").split('>').next().unwrap().to_owned() + ">"
}

/// 2.1 Successful new registration.
#[track_caller]
fn registered(phone: &Phone, server: &Peer) -> Got {
    phone.register();
    let f1 = server.expect("REGISTER");
    f1.reply(401).challenge("WWW-Authenticate", REALM, "ea9c8e88df84f1cec4341ae6cbe5a359");
    let f3 = server.expect("REGISTER");
    assert_eq!((f3.header("Call-ID"), f3.tag("From")), (f1.header("Call-ID"), f1.tag("From")));
    f3.reply(200).with("Contact", &format!("{};expires=3600", contact(&f3)));
    expect_event!(phone, Event::Registering { .. });
    expect_event!(phone, Event::Registered { expires, contacts, .. } => {
        assert_eq!(expires, s(3600));
        assert!(matches!(contacts.as_slice(), [binding] if binding.ours));
    });
    f3
}

#[test]
fn s2_1_successful_new_registration() {
    let phone = Phone::new(bob());
    let server = phone.peer("ss2", "192.0.2.222:5060");
    phone.register();
    let f1 = server.expect("REGISTER");
    assert_eq!(f1.uri(), "sip:ss2.biloxi.example.com");
    assert_eq!(f1.header("To"), "<sip:bob@biloxi.example.com>");
    assert!(f1.header("From").starts_with("\"Bob\" <sip:bob@biloxi.example.com>;tag="));
    assert_eq!(f1.header("CSeq"), "1 REGISTER");
    assert_eq!(f1.header("Max-Forwards"), "70");
    assert!(f1.header("Via").starts_with("SIP/2.0/UDP 192.0.2.101:5060;branch=z9hG4bK"));
    assert_eq!(f1.header("Authorization"), "");
    f1.reply(401).with(
        "WWW-Authenticate",
        "Digest realm=\"atlanta.example.com\", qop=\"auth\", nonce=\"ea9c8e88df84f1cec4341ae6cbe5a359\", \
         opaque=\"\", stale=FALSE, algorithm=MD5",
    );
    let f3 = server.expect("REGISTER");
    assert_eq!(f3.header("CSeq"), "2 REGISTER");
    assert_ne!(f3.header("Via"), f1.header("Via"), "another transaction");
    assert_eq!((f3.header("Call-ID"), f3.tag("From")), (f1.header("Call-ID"), f1.tag("From")));
    let credentials = f3.header("Authorization");
    for part in [
        "username=\"bob\"",
        "realm=\"atlanta.example.com\"",
        "nonce=\"ea9c8e88df84f1cec4341ae6cbe5a359\"",
        "uri=\"sip:ss2.biloxi.example.com\"",
        "nc=00000001",
        "qop=auth",
    ] {
        assert!(credentials.contains(part), "{part} in {credentials}");
    }
    assert!(!credentials.contains("secret"));
    f3.reply(200).with("Contact", &format!("{};expires=3600", contact(&f3)));
    expect_event!(phone, Event::Registering { .. });
    expect_event!(phone, Event::Registered { expires, .. } if expires == s(3600));
    phone.assert_quiescent();

    // It is refreshed in time, with a count that goes on, in one round.
    let (wait, timer) = phone.next_deadline().unwrap();
    assert!(matches!(timer, Timer::Registration(_)));
    assert!(wait < s(3600 - 60), "{wait:?}");
    phone.advance(wait);
    let refresh = server.expect("REGISTER");
    assert_eq!(refresh.header("CSeq"), "3 REGISTER");
    assert!(refresh.header("Authorization").contains("nc=00000002"));
    refresh.reply(200).with("Contact", &format!("{};expires=3600", contact(&refresh)));
    expect_event!(phone, Event::Registering { .. });
    expect_event!(phone, Event::Registered { .. });
    phone.assert_quiescent();
}

#[test]
fn s2_2_update_of_contact_list() {
    let phone = Phone::new(bob());
    let server = phone.peer("ss2", "192.0.2.222:5060");
    let ours = contact(&registered(&phone, &server));
    phone.command(Command::AddContact { account: ACCOUNT, contact: uri("mailto:bob@biloxi.example.com") }).unwrap();
    let f1 = server.expect("REGISTER");
    assert_eq!(f1.header("Contact"), "<mailto:bob@biloxi.example.com>");
    assert!(f1.header("Authorization").contains("nc=00000002"), "not challenged again");
    f1.reply(200)
        .with("Contact", &format!("{ours};expires=3600"))
        .with("Contact", "<mailto:bob@biloxi.example.com>;expires=4294967295");
    let contacts = expect_event!(phone, Event::Bindings { contacts, .. } => contacts);
    assert_eq!(contacts[1].uri, "mailto:bob@biloxi.example.com");
    assert_eq!((contacts[0].ours, contacts[1].ours), (true, false));
    phone.assert_quiescent();
}

#[test]
fn s2_3_request_for_current_contact_list() {
    let phone = Phone::new(bob());
    let server = phone.peer("ss2", "192.0.2.222:5060");
    let ours = contact(&registered(&phone, &server));
    phone.command(Command::Query { account: ACCOUNT }).unwrap();
    let f1 = server.expect("REGISTER");
    assert!(f1.headers("Contact").is_empty());
    f1.reply(200)
        .with("Contact", &format!("{ours};expires=3600"))
        .with("Contact", "<mailto:bob@biloxi.example.com>;expires=4294967295");
    expect_event!(phone, Event::Bindings { contacts, .. } => assert_eq!(contacts.len(), 2));
    phone.assert_quiescent();
}

#[test]
fn s2_4_cancellation_of_registration() {
    let phone = Phone::new(bob());
    let server = phone.peer("ss2", "192.0.2.222:5060");
    registered(&phone, &server);
    phone.command(Command::ClearContacts { account: ACCOUNT }).unwrap();
    let f1 = server.expect("REGISTER");
    assert_eq!((f1.header("Contact").as_str(), f1.header("Expires").as_str()), ("*", "0"));
    f1.reply(200);
    expect_event!(phone, Event::Bindings { contacts, .. } if contacts.is_empty());
    expect_event!(phone, Event::Unregistered { .. });
    phone.assert_quiescent();
    assert_eq!(phone.next_deadline(), None);
}

#[test]
fn only_our_own_binding_goes_when_we_unregister() {
    let phone = Phone::new(bob());
    let server = phone.peer("ss2", "192.0.2.222:5060");
    let ours = contact(&registered(&phone, &server));
    phone.command(Command::Unregister { account: ACCOUNT }).unwrap();
    let request = server.expect("REGISTER");
    assert_eq!(request.header("Contact"), format!("{ours};expires=0"));
    request.reply(200);
    expect_event!(phone, Event::Unregistered { .. });
    phone.assert_quiescent();
    assert_eq!(phone.next_deadline(), None);
}

#[test]
fn s2_5_unsuccessful_registration() {
    let phone = Phone::new(bob());
    let server = phone.peer("ss2", "192.0.2.222:5060");
    phone.register();
    server.expect("REGISTER").reply(401).challenge("WWW-Authenticate", REALM, "f1cec4341ae6ca9c8e88df84be55a359");
    server.expect("REGISTER").reply(401).challenge("WWW-Authenticate", REALM, "cf1cec4341ae6cbe5a359ea9c8e88df84");
    expect_event!(phone, Event::Registering { .. });
    expect_event!(phone, Event::RegistrationFailed { code: 401, retry_in: None, .. });
    phone.assert_quiescent();
    assert_eq!(phone.next_deadline(), None, "a wrong password is not tried again");
}

#[test]
fn a_registrar_that_does_not_answer_is_asked_again_after_a_pause() {
    let phone = Phone::new(bob());
    let server = phone.peer("ss2", "192.0.2.222:5060");
    phone.register();
    phone.advance(s(32));
    let mut sendings = 0;
    while server.phone.world().inboxes.get(&server.address).is_some_and(|inbox| !inbox.is_empty()) {
        server.expect("REGISTER");
        sendings += 1;
    }
    assert_eq!(sendings, 11, "at 0, 0.5, 1.5, 3.5, 7.5, 11.5, ... 31.5 s (RFC 3261 section 17.1.2.2)");
    expect_event!(phone, Event::Registering { .. });
    let pause = expect_event!(phone, Event::RegistrationFailed { code: 408, retry_in: Some(pause), .. } => pause);
    assert!(pause >= s(30) && pause <= s(60), "{pause:?}");
    phone.advance(pause);
    let again = server.expect("REGISTER");
    again.reply(200).with("Contact", &format!("{};expires=60", contact(&again)));
    expect_event!(phone, Event::Registering { .. });
    expect_event!(phone, Event::Registered { expires, .. } if expires == s(60));
}

#[test]
fn a_registrar_whose_name_is_unknown_is_looked_up_again_until_told_otherwise() {
    let phone = Phone::new(bob());
    phone.stop_resolving();
    phone.register();
    phone.resolve("ss2.biloxi.example.com", false);
    let pause = expect_event!(phone, Event::RegistrationFailed { code: 503, retry_in: Some(pause), .. } => pause);
    phone.advance(pause);
    phone.resolve("ss2.biloxi.example.com", false);
    expect_event!(phone, Event::RegistrationFailed { code: 503, .. });
    phone.command(Command::Unregister { account: ACCOUNT }).unwrap();
    expect_event!(phone, Event::Unregistered { .. });
    phone.assert_quiescent();
    assert_eq!(phone.next_deadline(), None);

    // An answer that comes after that registers nobody.
    phone.register();
    phone.command(Command::Unregister { account: ACCOUNT }).unwrap();
    expect_event!(phone, Event::Unregistered { .. });
    phone.resolve("ss2.biloxi.example.com", true);
    phone.assert_quiescent();
    assert_eq!(phone.next_deadline(), None);
}

#[test]
fn the_route_of_an_outbound_proxy_is_taken() {
    let phone = Phone::new(alice());
    let proxy = phone.peer("ss1", "192.0.2.111:5060");
    phone.register();
    let register = proxy.expect("REGISTER");
    assert_eq!(register.uri(), "sip:atlanta.example.com");
    assert_eq!(register.header("Route"), "<sip:ss1.atlanta.example.com;lr>");
    register.reply(403);
    expect_event!(phone, Event::Registering { .. });
    expect_event!(phone, Event::RegistrationFailed { code: 403, retry_in: None, .. });
    phone.assert_quiescent();
}

#[test]
fn an_unknown_account_is_an_error() {
    let phone = Phone::new(direct());
    assert_eq!(phone.command(Command::Register { account: ACCOUNT }), Err(CommandError::NoSuchAccount));
    phone.assert_quiescent();
}
