//! Shutting down, in whatever state: calls end, bindings go, and then there is quiet.

use offhook::ua::event::{EndedBy, Event};
use offhook::ua::{Command, CommandError};

use crate::harness::*;

#[track_caller]
fn shut_down(phone: &Phone) {
    phone.command(Command::Shutdown).unwrap();
}

#[test]
fn with_nothing_to_do() {
    let phone = Phone::new(direct());
    shut_down(&phone);
    expect_event!(phone, Event::Quiet);
    shut_down(&phone);
    phone.assert_quiescent();
    assert_eq!(
        phone.command(Command::Dial { account: None, target: uri("sip:bob@192.0.2.201"), media: MEDIA }),
        Err(CommandError::ShuttingDown)
    );
}

#[test]
fn with_a_call_up() {
    let phone = Phone::new(direct());
    let (_, leg) = call_out(&phone);
    shut_down(&phone);
    expect_event!(phone, Event::Ended { by: EndedBy::Local, .. });
    let bye = leg.expect("BYE");
    phone.assert_silent();
    bye.reply(200);
    expect_event!(phone, Event::Quiet);
    phone.assert_quiescent();
}

#[test]
fn with_a_peer_that_is_gone() {
    let phone = Phone::new(direct());
    let (_, _) = call_out(&phone);
    shut_down(&phone);
    expect_event!(phone, Event::Ended { .. });
    phone.advance(s(32));
    expect_event!(phone, Event::Quiet);
    phone.skip_datagrams();
    phone.assert_quiescent();
}

#[test]
fn with_a_call_that_rings_there() {
    let phone = Phone::new(direct());
    let bob = phone.bob();
    phone.dial_direct("sip:bob@192.0.2.201");
    let invite = bob.expect("INVITE");
    invite.reply(180);
    shut_down(&phone);
    bob.expect("CANCEL").reply(200);
    expect_event!(phone, Event::Calling { .. });
    expect_event!(phone, Event::Ringing { .. });
    phone.assert_silent();
    invite.reply(487);
    bob.expect("ACK");
    expect_event!(phone, Event::Ended { by: EndedBy::Local, .. });
    expect_event!(phone, Event::Quiet);
    phone.assert_quiescent();
}

#[test]
fn with_a_call_that_rings_here_and_another_that_comes() {
    let phone = Phone::new(direct());
    let bob = phone.bob();
    let invite = bob.invite().sdp(&sdp::bob()).sent();
    bob.expect(180);
    shut_down(&phone);
    invite.ack(&bob.expect(480));
    expect_event!(phone, Event::Incoming { .. });
    expect_event!(phone, Event::Ended { by: EndedBy::Local, code: Some(480), .. });
    expect_event!(phone, Event::Quiet);
    let late = bob.invite().sdp(&sdp::bob()).sent();
    late.ack(&bob.expect(480));
    phone.assert_quiescent();
}

#[test]
fn while_a_name_is_being_looked_up() {
    let phone = Phone::new(bob());
    phone.stop_resolving();
    phone.register();
    phone.dial("sip:bob@biloxi.example.com");
    shut_down(&phone);
    expect_event!(phone, Event::Calling { .. });
    expect_event!(phone, Event::Ended { .. });
    expect_event!(phone, Event::Quiet); // nothing was registered, so nothing is unregistered
    phone.resolve("ss2.biloxi.example.com", true);
    phone.resolve("biloxi.example.com", true);
    phone.assert_quiescent();
    assert_eq!(phone.next_deadline(), None);
}

#[test]
fn with_a_registration() {
    let phone = Phone::new(bob());
    let server = phone.peer("ss2", "192.0.2.222:5060");
    phone.register();
    let register = server.expect("REGISTER");
    register.reply(200).with("Contact", &format!("{};expires=3600", register.header("Contact")));
    phone.skip_events();
    shut_down(&phone);
    let unregister = server.expect("REGISTER");
    assert!(unregister.header("Contact").ends_with(";expires=0"));
    phone.assert_silent();
    unregister.reply(200);
    expect_event!(phone, Event::Unregistered { .. });
    expect_event!(phone, Event::Quiet);
    phone.assert_quiescent();
    assert_eq!(phone.next_deadline(), None);
}

#[test]
fn while_registering() {
    let phone = Phone::new(bob());
    let server = phone.peer("ss2", "192.0.2.222:5060");
    phone.register();
    let register = server.expect("REGISTER");
    shut_down(&phone);
    register.reply(200).with("Contact", &format!("{};expires=3600", register.header("Contact")));
    let unregister = server.expect("REGISTER");
    unregister.reply(200);
    phone.skip_until_quiet();
    phone.assert_quiescent();
    assert_eq!(phone.next_deadline(), None);
}
