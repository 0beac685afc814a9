//! What a registrar gives beside the binding: our address as it sees it (RFC 3581), routes (RFC 3608), global addresses
//! (RFC 5627), flows that are kept (RFC 5626).

use offhook::ua::{Command, Config, Event};

use crate::harness::*;

const INSTANCE: &str = "urn:uuid:f81d4fae-7dec-11d0-a765-00a0c91e6bf6";

fn with_instance() -> Config {
    let mut config = bob();
    config.accounts[0].instance = Some(INSTANCE.to_owned());
    config
}

/// Registers with these rows in the 200; gives the registrar.
#[track_caller]
fn registered(phone: &Phone, contact_params: &str, rows: &[(&str, &str)]) -> Peer {
    let server = phone.peer("ss2", "192.0.2.222:5060");
    phone.register();
    let register = server.expect("REGISTER");
    let contact = register.headers("Contact")[0].split('>').next().unwrap().to_owned();
    let reply = register.reply(200).with("Contact", &format!("{contact}>;expires=3600{contact_params}"));
    drop(rows.iter().fold(reply, |reply, (name, value)| reply.with(name, value)));
    expect_event!(phone, Event::Registering { .. });
    expect_event!(phone, Event::Registered { .. });
    server
}

/// The call that a peer got is ended by the phone.
#[track_caller]
fn cancelled(phone: &Phone, call: offhook::ua::CallNo, invite: &Got) {
    invite.reply(480);
    invite.peer.expect("ACK");
    expect_event!(phone, Event::Calling { call: calling, .. } if calling == call);
    expect_event!(phone, Event::Ended { code: Some(480), .. });
    phone.assert_quiescent();
}

#[test]
fn behind_nat_calls_name_the_address_that_the_registrar_sees() {
    let phone = Phone::new(bob());
    phone.world().source = Some("203.0.113.9:40000".parse().unwrap());
    let server = phone.peer("ss2", "192.0.2.222:5060");
    phone.register();
    let first = server.expect("REGISTER");
    assert!(first.header("Via").contains(";rport"), "{}", first.header("Via"));
    first.reply(401).challenge("WWW-Authenticate", "biloxi", "1");
    // It is in the Contact with the credentials already: one binding, no round more.
    let register = server.expect("REGISTER");
    let contacts = register.headers("Contact");
    assert!(contacts.len() == 1 && contacts[0].contains("@203.0.113.9:40000>"), "{contacts:?}");
    register.reply(200).with("Contact", &contacts[0]);
    expect_event!(phone, Event::Registering { .. });
    expect_event!(phone, Event::Registered { contact, .. } if contact.ends_with("@203.0.113.9:40000"));
    phone.assert_quiescent();

    let call = phone.dial("sip:alice@ss2.biloxi.example.com");
    let invite = server.expect("INVITE");
    assert!(invite.header("Contact").contains("@203.0.113.9:40000>"), "{}", invite.header("Contact"));
    cancelled(&phone, call, &invite);

    phone.command(Command::Unregister { account: ACCOUNT }).unwrap();
    let goodbye = server.expect("REGISTER");
    assert!(goodbye.header("Contact").contains("@203.0.113.9:40000>;expires=0"));
    goodbye.reply(200);
    expect_event!(phone, Event::Unregistered { .. });
    phone.assert_quiescent();
}

/// RFC 3608 section 6.4.2: the INVITE goes by the service route, not to the called host.
#[test]
fn calls_take_the_service_route_until_we_unregister() {
    let phone = Phone::new(bob());
    let route = "<sip:192.0.2.77;lr>, <sip:hsp.biloxi.example.com;lr>";
    let server = registered(&phone, "", &[("Service-Route", route)]);
    let hop = phone.peer("p1", "192.0.2.77:5060");
    let call = phone.dial("sip:alice@atlanta.example.com");
    let invite = hop.expect("INVITE");
    assert_eq!(invite.headers("Route"), ["<sip:192.0.2.77;lr>", "<sip:hsp.biloxi.example.com;lr>"]);
    assert_eq!(invite.uri(), "sip:alice@atlanta.example.com");
    // Who the registrar names is trusted with the password.
    invite.reply(407).challenge("Proxy-Authenticate", "biloxi.example.com", "1");
    hop.expect("ACK");
    let again = hop.expect("INVITE");
    assert!(again.header("Proxy-Authorization").contains("response="));
    cancelled(&phone, call, &again);

    // The registration itself goes straight.
    phone.command(Command::Unregister { account: ACCOUNT }).unwrap();
    let goodbye = server.expect("REGISTER");
    assert!(goodbye.headers("Route").is_empty());
    goodbye.reply(200);
    expect_event!(phone, Event::Unregistered { .. });
    let call = phone.dial("sip:alice@ss1.atlanta.example.com");
    let invite = phone.peer("ss1", "192.0.2.111:5060").expect("INVITE");
    assert!(invite.headers("Route").is_empty());
    cancelled(&phone, call, &invite);
}

#[test]
fn a_service_route_follows_our_own_proxy_and_does_not_repeat_it() {
    let phone = Phone::new(alice());
    let proxy = phone.peer("ss1", "192.0.2.111:5060");
    phone.register();
    let register = proxy.expect("REGISTER");
    assert_eq!(register.headers("Route"), ["<sip:ss1.atlanta.example.com;lr>"]);
    register
        .reply(200)
        .with("Contact", &register.headers("Contact")[0])
        .with("Service-Route", "<sip:ss1.atlanta.example.com;lr>, <sip:home.example.com;lr>");
    phone.skip_events();
    let call = phone.dial("sip:bob@biloxi.example.com");
    let invite = proxy.expect("INVITE");
    assert_eq!(invite.headers("Route"), ["<sip:ss1.atlanta.example.com;lr>", "<sip:home.example.com;lr>"]);
    cancelled(&phone, call, &invite);
}

/// RFC 5627 section 4.3: our Contact in a call is the public GRUU.
#[test]
fn calls_name_the_gruu_and_its_holder_is_still_found() {
    let phone = Phone::new(with_instance());
    let gruu = format!("sip:bob@biloxi.example.com;gr={INSTANCE}");
    let params = format!(";pub-gruu=\"{gruu}\";temp-gruu=\"sip:tgruu.7hs@biloxi.example.com;gr\"");
    let server = registered(&phone, &params, &[]);
    let call = phone.dial("sip:alice@ss2.biloxi.example.com");
    let invite = server.expect("INVITE");
    assert_eq!(invite.header("Contact"), format!("<{gruu}>"));
    cancelled(&phone, call, &invite);

    // A proxy that does not translate it leaves it in the Request-URI.
    server.invite().uri(&gruu).to("<sip:bob@biloxi.example.com>").sdp(&sdp::bob());
    server.expect(180);
    expect_event!(phone, Event::Incoming { account: Some(ACCOUNT), .. });
}

/// Some registrars give one unasked, and lose what is sent to it.
#[test]
fn a_gruu_that_was_not_asked_for_is_not_used() {
    let mut config = with_instance();
    config.accounts[0].gruu = false;
    let phone = Phone::new(config);
    let server = registered(&phone, &format!(";pub-gruu=\"sip:bob@biloxi.example.com;gr={INSTANCE}\""), &[]);
    let call = phone.dial("sip:alice@ss2.biloxi.example.com");
    let invite = server.expect("INVITE");
    assert!(invite.header("Contact").contains("@192.0.2.101:5060>"), "{}", invite.header("Contact"));
    cancelled(&phone, call, &invite);
}

#[test]
fn at_a_registrar_with_outbound_a_dialog_keeps_to_our_flow() {
    for (required, expected) in [(true, true), (false, false)] {
        let phone = Phone::new(with_instance());
        let rows: &[(&str, &str)] =
            if required { &[("Require", "outbound"), ("Path", "<sip:edge.example.com;lr;ob>")] } else { &[] };
        let server = registered(&phone, &format!(";+sip.instance=\"<{INSTANCE}>\";reg-id=1"), rows);
        let call = phone.dial("sip:alice@ss2.biloxi.example.com");
        let invite = server.expect("INVITE");
        assert_eq!(invite.header("Contact").contains(";ob>"), expected, "{}", invite.header("Contact"));
        cancelled(&phone, call, &invite);
    }
}

/// RFC 5626 section 4.5: a flow that fails is replaced at once, and when that fails as well after a pause.
#[test]
fn a_way_that_fails_under_a_binding_is_registered_anew() {
    let phone = Phone::new(bob());
    let server = registered(&phone, "", &[]);
    phone.refuse("192.0.2.222:5060");
    server.expect("REGISTER");
    expect_event!(phone, Event::Registering { .. });
    phone.refuse("192.0.2.222:5060");
    expect_event!(phone, Event::RegistrationFailed { code: 503, retry_in: Some(pause), .. } => {
        assert!((s(30)..=s(60)).contains(&pause), "{pause:?}");
    });
    // Somebody else's way is not ours.
    phone.refuse("192.0.2.99:5060");
    phone.assert_silent();
}

/// Nothing is sent to a registrar behind a proxy, but what comes from its address is the account's own.
#[test]
fn a_registrar_behind_a_proxy_may_call_us() {
    let mut config = alice();
    config.accounts[0].registrar = uri("sip:client.biloxi.example.com");
    let phone = Phone::new(config);
    let proxy = phone.peer("ss1", "192.0.2.111:5060");
    phone.register();
    let register = proxy.expect("REGISTER");
    register.reply(200).with("Contact", &register.headers("Contact")[0]);
    phone.skip_events();
    phone.bob().invite().sdp(&sdp::bob());
    phone.bob().expect(180);
    expect_event!(phone, Event::Incoming { .. });
}

/// RFC 5626 section 4.4: at 80 to 100 % of what the registrar asks, or of what is configured if that is less.
#[test]
fn the_way_through_a_translator_is_kept_open_while_we_are_registered() {
    for (configured, asked, pause) in [(Some(s(30)), None, 30), (Some(s(30)), Some("20"), 20), (None, Some("120"), 120)]
    {
        let phone = Phone::new(Config { keep_alive: configured, ..bob() });
        let rows = asked.map(|asked| ("Flow-Timer", asked));
        let server = registered(&phone, "", rows.as_slice());
        phone.advance(s(10 * pause));
        let sent = phone.world().kept_alive;
        assert!((10..=12).contains(&sent), "{sent} in {} s", 10 * pause);
        phone.command(Command::Unregister { account: ACCOUNT }).unwrap();
        server.expect("REGISTER").reply(200);
        expect_event!(phone, Event::Unregistered { .. });
        let sent = phone.world().kept_alive;
        phone.assert_quiescent();
        assert_eq!(phone.next_deadline(), None);
        assert_eq!(phone.world().kept_alive, sent);
    }
    let phone = Phone::new(bob());
    registered(&phone, "", &[]);
    phone.advance(s(600));
    assert_eq!(phone.world().kept_alive, 0);
}

#[test]
fn a_keep_alive_of_a_peer_is_no_malformed_message() {
    let phone = Phone::new(direct());
    for bytes in ["", "\0\0\0\0", "\r\n\r\n", "\r\n"] {
        phone.bob().send(bytes);
    }
    assert_eq!(phone.world().ua.counters().malformed, 0);
    phone.assert_quiescent();
}
