//! The machine's address is another one, or it has slept: accounts register anew, calls go on (RFC 3665 section 3.7).

use offhook::ua::event::{EndedBy, Event};
use offhook::ua::{Command, NetworkChange};

use crate::harness::*;

const NEW: &str = "198.51.100.7:5060";

/// Bob's phone is registered; gives its registrar and the Contact's URI.
#[track_caller]
fn registered(phone: &Phone) -> (Peer, String) {
    let server = phone.peer("ss2", "192.0.2.222:5060");
    phone.register();
    let register = server.expect("REGISTER");
    let contact = uri_of(&register.headers("Contact")[0]);
    register.reply(200).with("Contact", &format!("<{contact}>;expires=3600"));
    expect_event!(phone, Event::Registering { .. });
    expect_event!(phone, Event::Registered { .. });
    (server, contact)
}

fn uri_of(contact: &str) -> String {
    contact.split(['<', '>']).nth(1).unwrap().to_owned()
}

/// The REGISTER that moves the binding, answered.
#[track_caller]
fn moves(phone: &Phone, server: &Peer, old: &str) -> String {
    let register = server.expect("REGISTER");
    assert!(register.header("Via").contains(NEW), "{}", register.header("Via"));
    let contacts = register.headers("Contact");
    let new = uri_of(&contacts[0]);
    assert!(new.ends_with(NEW), "{new}");
    assert_eq!(contacts[1], format!("<{old}>;expires=0"));
    register.reply(200).with("Contact", &format!("<{new}>;expires=3600"));
    expect_event!(phone, Event::Registering { .. });
    expect_event!(phone, Event::Registered { contact, .. } if contact == new);
    new
}

#[test]
fn an_account_registers_from_the_new_address_and_takes_the_old_binding_back() {
    let phone = Phone::new(bob());
    let (server, old) = registered(&phone);
    phone.move_to(NEW);
    phone.change_network(NetworkChange::Moved);
    let new = moves(&phone, &server, &old);
    phone.assert_quiescent();

    // What is taken back at the end is the binding that holds.
    phone.command(Command::Shutdown).unwrap();
    let goodbye = server.expect("REGISTER");
    assert_eq!(goodbye.headers("Contact"), [format!("<{new}>;expires=0")]);
    goodbye.reply(200);
    expect_event!(phone, Event::Unregistered { .. });
    expect_event!(phone, Event::Quiet);
}

#[test]
fn a_register_that_was_on_its_way_is_not_waited_for() {
    let phone = Phone::new(bob());
    let server = phone.peer("ss2", "192.0.2.222:5060");
    phone.register();
    let lost = server.expect("REGISTER");
    expect_event!(phone, Event::Registering { .. });
    phone.move_to(NEW);
    phone.change_network(NetworkChange::Moved);
    let register = server.expect("REGISTER");
    // It may have arrived: its binding is removed as well.
    assert_eq!(register.headers("Contact").len(), 2);
    lost.reply(403);
    register.reply(200).with("Contact", &register.headers("Contact")[0]);
    expect_event!(phone, Event::Registering { .. });
    expect_event!(phone, Event::Registered { .. });
    phone.assert_quiescent();
}

#[test]
fn a_refresh_names_the_address_of_its_time() {
    let phone = Phone::new(bob());
    let (server, old) = registered(&phone);
    // Nobody has said that the network changed.
    phone.move_to(NEW);
    phone.advance_until_sent(s(3600));
    moves(&phone, &server, &old);
    phone.assert_quiescent();
}

#[test]
fn an_account_that_pauses_tries_at_once_when_the_network_is_back() {
    let phone = Phone::new(bob());
    let server = phone.peer("ss2", "192.0.2.222:5060");
    phone.register();
    server.expect("REGISTER");
    phone.refuse("192.0.2.222:5060");
    expect_event!(phone, Event::Registering { .. });
    expect_event!(phone, Event::RegistrationFailed { code: 503, retry_in: Some(_), .. });
    phone.change_network(NetworkChange::Moved);
    let register = server.expect("REGISTER");
    register.reply(200).with("Contact", &register.headers("Contact")[0]);
    expect_event!(phone, Event::Registering { .. });
    expect_event!(phone, Event::Registered { .. });
    phone.assert_quiescent();
}

#[test]
fn an_account_that_was_refused_or_is_not_wanted_stays_so() {
    let phone = Phone::new(bob());
    let server = phone.peer("ss2", "192.0.2.222:5060");
    phone.change_network(NetworkChange::Woken);
    phone.register();
    server.expect("REGISTER").reply(403);
    expect_event!(phone, Event::Registering { .. });
    expect_event!(phone, Event::RegistrationFailed { code: 403, .. });
    phone.change_network(NetworkChange::Moved);
    phone.assert_quiescent();
}

/// RFC 3665 section 3.7: the re-INVITE has another Contact and another c= line.
#[test]
fn a_call_goes_on_from_the_new_address() {
    for outgoing in [true, false] {
        let phone = Phone::new(direct());
        let (call, leg) = if outgoing { call_out(&phone) } else { call_in(&phone) };
        phone.move_to(NEW);
        phone.change_network(NetworkChange::Moved);
        let ports = expect_event!(phone, Event::AddressChanged { call: moved, address, media } => {
            assert_eq!((moved, address.to_string().as_str()), (call, "198.51.100.7"));
            media.unwrap()
        });
        phone.bob().expect_nothing();
        phone.command(Command::Move { call, media: ports }).unwrap();
        let invite = leg.expect("INVITE");
        assert!(invite.header("Via").contains(NEW));
        assert!(invite.header("Contact").contains(&format!("@{NEW}>")), "{}", invite.header("Contact"));
        let body = invite.text();
        assert!(body.contains("c=IN IP4 198.51.100.7\r\n") && body.contains("m=audio 49170 "), "{body}");
        assert!(!body.contains("a=sendonly"));
        invite.reply(200).sdp(&sdp::bob());
        assert!(leg.expect("ACK").header("Via").contains(NEW));
        if !outgoing {
            // The offer is ours this time, and what comes of it is another agreement.
            expect_event!(phone, Event::Media { .. });
        }
        expect_event!(phone, Event::Moved { call: moved, .. } if moved == call);
        hang_up(&phone, call, &leg);
    }
}

#[test]
fn a_held_call_stays_held_when_it_moves() {
    let phone = Phone::new(direct());
    let (call, leg) = call_out(&phone);
    phone.hold(call);
    let hold = leg.expect("INVITE");
    hold.reply(200).sdp(&sdp::at("192.0.2.201", 3456, 2, "0", "a=recvonly\r\n"));
    leg.expect("ACK");
    phone.skip_events();
    phone.move_to(NEW);
    phone.change_network(NetworkChange::Moved);
    expect_event!(phone, Event::AddressChanged { .. });
    phone.command(Command::Move { call, media: MEDIA }).unwrap();
    let invite = leg.expect("INVITE");
    assert!(invite.text().contains("a=sendonly"), "{}", invite.text());
    invite.reply(200).sdp(&sdp::at("192.0.2.201", 3456, 3, "0", "a=recvonly\r\n"));
    leg.expect("ACK");
    expect_event!(phone, Event::Moved { .. });
    hang_up(&phone, call, &leg);
}

#[test]
fn a_call_that_meets_a_re_invite_moves_afterwards() {
    let phone = Phone::new(direct());
    let (call, leg) = call_out(&phone);
    phone.move_to(NEW);
    phone.change_network(NetworkChange::Moved);
    expect_event!(phone, Event::AddressChanged { .. });
    phone.command(Command::Move { call, media: MEDIA }).unwrap();
    leg.expect("INVITE").reply(491);
    leg.expect("ACK");
    phone.advance_until_sent(s(4));
    leg.expect("INVITE").reply(200).sdp(&sdp::bob());
    leg.expect("ACK");
    expect_event!(phone, Event::Moved { .. });
    hang_up(&phone, call, &leg);
}

#[test]
fn a_call_whose_new_address_is_refused_ends_with_the_reason() {
    let phone = Phone::new(direct());
    let (call, leg) = call_out(&phone);
    phone.move_to(NEW);
    phone.change_network(NetworkChange::Moved);
    expect_event!(phone, Event::AddressChanged { .. });
    phone.command(Command::Move { call, media: MEDIA }).unwrap();
    leg.expect("INVITE").reply(488);
    leg.expect("ACK");
    leg.expect("BYE").reply(200);
    expect_event!(phone, Event::Ended { by: EndedBy::Transport, reason, .. } => {
        assert!(reason.contains("network changed") && reason.contains("488"), "{reason}");
    });
    phone.assert_quiescent();
}

#[test]
fn after_a_sleep_a_call_is_asked_for_and_one_that_is_gone_ends() {
    let phone = Phone::new(direct());
    let (call, leg) = call_out(&phone);
    phone.change_network(NetworkChange::Woken);
    leg.expect("INVITE").reply(200).sdp(&sdp::bob());
    leg.expect("ACK");
    expect_event!(phone, Event::Moved { call: asked, .. } if asked == call);

    phone.change_network(NetworkChange::Woken);
    leg.expect("INVITE").reply(481);
    leg.expect("ACK");
    leg.expect("BYE").reply(481);
    expect_event!(phone, Event::Ended { by: EndedBy::Remote, code: Some(481), .. });
    phone.assert_quiescent();
}

#[test]
fn a_call_on_an_address_that_has_not_changed_is_left_alone() {
    let phone = Phone::new(direct());
    let (call, leg) = call_out(&phone);
    phone.change_network(NetworkChange::Moved);
    phone.assert_silent();
    hang_up(&phone, call, &leg);
}

#[test]
fn a_call_that_rings_here_is_answered_from_the_new_address() {
    let phone = Phone::new(direct());
    let bob = phone.bob();
    bob.invite().sdp(&sdp::bob());
    bob.expect(180);
    let call = expect_event!(phone, Event::Incoming { call, .. } => call);
    phone.move_to(NEW);
    phone.change_network(NetworkChange::Moved);
    expect_event!(phone, Event::AddressChanged { media: None, .. });
    phone.answer(call);
    let ok = bob.expect(200);
    assert!(ok.header("Contact").contains(NEW) && ok.text().contains("c=IN IP4 198.51.100.7"));
    let leg = ok.leg();
    leg.ack();
    expect_event!(phone, Event::Media { .. });
    expect_event!(phone, Event::Established { .. });
    hang_up(&phone, call, &leg);
}

#[test]
fn a_call_of_ours_that_nobody_has_answered_ends_with_the_reason() {
    let phone = Phone::new(direct());
    let bob = phone.bob();
    phone.dial_direct("sip:bob@192.0.2.201");
    expect_event!(phone, Event::Calling { .. });
    let invite = bob.expect("INVITE");
    invite.reply(180);
    expect_event!(phone, Event::Ringing { .. });
    phone.move_to(NEW);
    phone.change_network(NetworkChange::Moved);
    bob.expect("CANCEL").reply(200);
    expect_event!(phone, Event::Ended { by: EndedBy::Transport, code: Some(503), reason, .. } => {
        assert!(reason.contains("network changed"), "{reason}");
    });
    invite.reply(487);
    bob.expect("ACK");
    phone.assert_quiescent();
}

#[test]
fn while_the_name_server_is_away_a_call_can_still_end() {
    let phone = Phone::new(alice());
    let server = phone.peer("ss1", "192.0.2.111:5060");
    let call = phone.dial("sip:bob@biloxi.example.com");
    expect_event!(phone, Event::Calling { .. });
    let invite = server.expect("INVITE");
    let leg = invite.leg();
    invite.reply(200).with("Record-Route", "<sip:ss1.atlanta.example.com;lr>").sdp(&sdp::bob());
    server.expect("ACK");
    expect_event!(phone, Event::Media { .. });
    expect_event!(phone, Event::Established { .. });
    phone.stop_resolving();
    phone.move_to(NEW);
    phone.change_network(NetworkChange::Moved);
    phone.resolve("ss1.atlanta.example.com", false);
    // The way that was known is all there is.
    phone.skip_events();
    phone.hang_up(call);
    leg.expect("BYE").reply(200);
    expect_event!(phone, Event::Ended { by: EndedBy::Local, .. });
    phone.assert_quiescent();
}
