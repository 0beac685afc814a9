//! Subscriptions (RFC 6665 section 4.1): message waiting (RFC 3842) and the account's own bindings (RFC 3680).

use offhook::ua::config::{Events, MessageWaiting};
use offhook::ua::event::Event;
use offhook::ua::{Command, Config, Timer};

use crate::harness::*;

const SERVER: &str = "192.0.2.222:5060";

fn config(events: Events) -> Config {
    let mut config = bob();
    config.accounts[0].events = events;
    config
}

fn asks(message_waiting: MessageWaiting) -> Events {
    Events { message_waiting, ..Events::default() }
}

/// Registers without a challenge; gives the server.
#[track_caller]
fn register(phone: &Phone) -> Peer {
    let server = phone.peer("ss2", SERVER);
    phone.register();
    accept_register(&server);
    phone.skip_events();
    server
}

#[track_caller]
fn accept_register(server: &Peer) {
    let register = server.expect("REGISTER");
    let contact = register.header("Contact").split('>').next().unwrap().to_owned() + ">";
    register.reply(200).with("Contact", &format!("{contact};expires=3600"));
}

/// Registered, with a subscription that the server has accepted.
#[track_caller]
fn subscribed(events: Events) -> (Phone, Peer, Got, Leg) {
    let phone = Phone::new(config(events));
    let server = register(&phone);
    let subscribe = server.expect("SUBSCRIBE");
    subscribe.reply(200).with("Expires", "600");
    let leg = subscribe.leg();
    (phone, server, subscribe, leg)
}

fn notify(leg: &mut Leg, event: &str, state: &str) -> Ask {
    leg.request("NOTIFY").with("Event", event).with("Subscription-State", state)
}

#[track_caller]
fn summary(leg: &mut Leg, state: &str, body: &str) {
    notify(leg, "message-summary", state).body("application/simple-message-summary", body);
    leg.peer.expect(200);
}

/// The SUBSCRIBE that ends a subscription and the REGISTER that ends the binding leave together, in either order; the latter
/// is answered.
#[track_caller]
fn goodbyes(server: &Peer) -> Got {
    let register_first = {
        let world = server.phone.world();
        let first = world.inboxes.get(&server.address).and_then(|inbox| inbox.front());
        first.is_some_and(|message| show(message).starts_with("REGISTER"))
    };
    if register_first {
        server.expect("REGISTER").reply(200);
    }
    let goodbye = server.expect("SUBSCRIBE");
    if !register_first {
        server.expect("REGISTER").reply(200);
    }
    assert_eq!(goodbye.header("Expires"), "0");
    goodbye
}

/// Unregisters, which ends the subscription first.
#[track_caller]
fn end(phone: &Phone, server: &Peer, leg: &mut Leg) {
    phone.command(Command::Unregister { account: ACCOUNT }).unwrap();
    let goodbye = goodbyes(server);
    assert_eq!(goodbye.header("Call-ID"), leg.call_id);
    goodbye.reply(200).with("Expires", "0");
    notify(leg, "message-summary", "terminated;reason=timeout");
    server.expect(200);
    phone.skip_events();
    phone.assert_quiescent();
}

#[test]
fn message_waiting_is_asked_for_with_credentials_and_told() {
    let phone = Phone::new(config(asks(MessageWaiting::Always)));
    let server = register(&phone);
    let f1 = server.expect("SUBSCRIBE");
    assert_eq!(f1.uri(), "sip:bob@biloxi.example.com");
    assert_eq!(f1.header("Event"), "message-summary");
    assert_eq!(f1.header("Accept"), "application/simple-message-summary");
    assert_eq!(f1.header("Expires"), "3600");
    assert!(f1.header("Contact").starts_with("<sip:") && f1.header("To") == "<sip:bob@biloxi.example.com>");
    f1.reply(401).challenge("WWW-Authenticate", "biloxi.example.com", "n1");
    let f3 = server.expect("SUBSCRIBE");
    assert!(f3.header("Authorization").contains("username=\"bob\""));
    assert_eq!((f3.seq(), f3.tag("From")), (f1.seq() + 1, f1.tag("From")));
    f3.reply(200).with("Expires", "600");
    let mut leg = f3.leg();
    let body = "Messages-Waiting: yes\r\nMessage-Account: sip:*97@biloxi.example.com\r\nVoice-Message: 2/8 (1/0)\r\n";
    summary(&mut leg, "active;expires=600", body);
    let told = Event::MessageWaiting {
        account: Some(ACCOUNT),
        new: 2,
        old: 8,
        urgent: 1,
        mailbox: Some("sip:*97@biloxi.example.com".into()),
    };
    assert_eq!(phone.next_event(), Some(told));
    summary(&mut leg, "active;expires=500", "Messages-Waiting: no\r\nVoice-Message: 0/10\r\n");
    expect_event!(phone, Event::MessageWaiting { new: 0, old: 10, .. });
    phone.assert_silent();
    end(&phone, &server, &mut leg);
}

#[test]
fn a_subscription_is_refreshed_in_its_dialog_before_it_ends() {
    let (phone, server, subscribe, mut leg) = subscribed(asks(MessageWaiting::Always));
    summary(&mut leg, "active;expires=600", "Messages-Waiting: no\r\n");
    phone.skip_events();
    for round in 1..=3 {
        let waited = phone.advance_until_sent(s(600));
        assert!((s(500)..s(600)).contains(&waited), "{waited:?}");
        let refresh = server.expect("SUBSCRIBE");
        assert_eq!(refresh.uri(), format!("sip:ss2@{SERVER}"), "to the notifier's Contact");
        assert_eq!(refresh.header("Call-ID"), subscribe.header("Call-ID"));
        assert_eq!((refresh.tag("From"), refresh.tag("To")), (subscribe.tag("From"), "ss2".to_owned()));
        assert_eq!(refresh.seq(), subscribe.seq() + round);
        refresh.reply(200).with("Expires", "600");
        summary(&mut leg, "active;expires=600", "Messages-Waiting: no\r\n");
        phone.skip_events();
    }
    end(&phone, &server, &mut leg);
}

#[test]
fn a_notify_may_come_before_the_answer() {
    let phone = Phone::new(config(asks(MessageWaiting::Always)));
    let server = register(&phone);
    let subscribe = server.expect("SUBSCRIBE");
    let mut leg = subscribe.leg();
    summary(&mut leg, "active;expires=600", "Messages-Waiting: yes\r\n");
    expect_event!(phone, Event::MessageWaiting { new: 1, .. });
    subscribe.reply(200).with("Expires", "600");
    // A second notifier: of this package one is enough (RFC 6665 section 5.4.9).
    let mut other = subscribe.leg_with("other");
    notify(&mut other, "message-summary", "active");
    server.expect(481);
    end(&phone, &server, &mut leg);
}

#[test]
fn timer_n_gives_up_a_subscription_that_nobody_notifies() {
    let (phone, server, first, _) = subscribed(asks(MessageWaiting::Always));
    phone.advance(ms(31_900));
    phone.assert_silent();
    phone.advance(ms(200));
    let pause = expect_event!(phone, Event::SubscriptionFailed { code: None, retry_in: Some(pause), .. } => pause);
    assert!((s(30)..=s(45)).contains(&pause), "{pause:?}");
    // What comes too late finds nobody.
    notify(&mut first.leg(), "message-summary", "active");
    server.expect(481);
    phone.advance(pause);
    let second = server.expect("SUBSCRIBE");
    assert_ne!(second.header("Call-ID"), first.header("Call-ID"), "an unrelated one");
    assert_ne!(second.tag("From"), first.tag("From"));
    // The pauses grow.
    second.reply(503);
    let longer =
        expect_event!(phone, Event::SubscriptionFailed { code: Some(503), retry_in: Some(pause), .. } => pause);
    assert!(longer >= s(60), "{longer:?}");
    phone.advance(longer);
    server.expect("SUBSCRIBE").reply(500).with("Retry-After", "7");
    expect_event!(phone, Event::SubscriptionFailed { retry_in: Some(pause), .. } if pause == s(7));
    phone.advance(s(7));
    server.expect("SUBSCRIBE").reply(489).reason("Bad Event");
    expect_event!(phone, Event::SubscriptionFailed { code: Some(489), retry_in: None, .. });
    phone.assert_quiescent();
}

#[test]
fn what_is_only_tried_is_given_up_in_silence() {
    let phone = Phone::new(config(asks(MessageWaiting::Auto)));
    let server = register(&phone);
    server.expect("SUBSCRIBE").reply(405);
    phone.assert_quiescent();
    // A refresh of the registration does not try it again; another registration does.
    phone.register();
    accept_register(&server);
    phone.skip_events();
    phone.assert_silent();
    phone.command(Command::Unregister { account: ACCOUNT }).unwrap();
    server.expect("REGISTER").reply(200);
    phone.register();
    accept_register(&server);
    server.expect("SUBSCRIBE").reply(403);
    phone.skip_events();
    phone.assert_quiescent();
}

#[test]
fn too_brief_is_asked_for_longer() {
    let phone = Phone::new(config(asks(MessageWaiting::Always)));
    let server = register(&phone);
    server.expect("SUBSCRIBE").reply(423).with("Min-Expires", "7200");
    let longer = server.expect("SUBSCRIBE");
    assert_eq!(longer.header("Expires"), "7200");
    longer.reply(423).with("Min-Expires", "60");
    expect_event!(phone, Event::SubscriptionFailed { code: Some(423), retry_in: None, .. });
    phone.assert_quiescent();
}

#[test]
fn a_refresh_that_finds_no_subscription_begins_another_at_once() {
    let (phone, server, first, mut leg) = subscribed(asks(MessageWaiting::Always));
    summary(&mut leg, "active;expires=600", "Messages-Waiting: no\r\n");
    phone.skip_events();
    phone.advance_until_sent(s(600));
    server.expect("SUBSCRIBE").reply(481);
    phone.advance(ms(0));
    let second = server.expect("SUBSCRIBE");
    assert_ne!(second.header("Call-ID"), first.header("Call-ID"));
    assert_eq!(second.tag("To"), "");
    phone.assert_silent();
    second.reply(200).with("Expires", "600");
    let mut leg = second.leg();
    summary(&mut leg, "active;expires=600", "Messages-Waiting: no\r\n");
    end(&phone, &server, &mut leg);
}

#[test]
fn a_refresh_that_fails_leaves_the_subscription_until_its_end() {
    let (phone, server, first, mut leg) = subscribed(asks(MessageWaiting::Always));
    summary(&mut leg, "active;expires=600", "Messages-Waiting: no\r\n");
    phone.skip_events();
    phone.advance_until_sent(s(600));
    server.expect("SUBSCRIBE").reply(500);
    phone.assert_silent();
    let waited = phone.advance_until_sent(s(60));
    assert!(waited >= s(5), "{waited:?}");
    let again = server.expect("SUBSCRIBE");
    assert_eq!(again.header("Call-ID"), first.header("Call-ID"));
    again.reply(200).with("Expires", "600");
    summary(&mut leg, "active;expires=600", "Messages-Waiting: no\r\n");
    end(&phone, &server, &mut leg);
}

#[test]
fn each_reason_for_the_end_has_its_consequence() {
    for (state, pause) in [
        ("terminated;reason=deactivated", Some(0..=0)),
        ("terminated;reason=timeout", Some(0..=0)),
        ("terminated;reason=probation;retry-after=90", Some(90..=90)),
        ("terminated;reason=giveup", Some(30..=45)),
        ("terminated;reason=unheard-of;retry-after=8", Some(8..=8)),
        ("terminated", Some(30..=45)),
        ("terminated;reason=rejected;retry-after=5", None),
        ("terminated;reason=noresource", None),
        ("terminated;reason=invariant;retry-after=5", None),
    ] {
        let (phone, server, _, mut leg) = subscribed(asks(MessageWaiting::Always));
        summary(&mut leg, "pending;expires=60", "Messages-Waiting: no\r\n");
        phone.skip_events();
        notify(&mut leg, "message-summary", state);
        server.expect(200);
        match pause {
            Some(pause) => {
                if *pause.start() > 0 {
                    expect_event!(phone, Event::SubscriptionFailed { retry_in: Some(told), .. } if pause.contains(&told.as_secs()));
                }
                let waited = phone.advance_until_sent(s(*pause.end() + 1));
                assert!(pause.contains(&waited.as_secs()), "{state}: {waited:?}");
                server.expect("SUBSCRIBE").reply(403);
                expect_event!(phone, Event::SubscriptionFailed { retry_in: None, .. });
            }
            None => expect_event!(phone, Event::SubscriptionFailed { retry_in: None, .. }),
        }
        phone.assert_quiescent();
    }
}

#[test]
fn a_server_that_ends_it_again_and_again_is_not_hammered() {
    let (phone, server, first, _) = subscribed(asks(MessageWaiting::Always));
    notify(&mut first.leg(), "message-summary", "terminated;reason=deactivated");
    server.expect(200);
    phone.advance(ms(0));
    let second = server.expect("SUBSCRIBE");
    second.reply(200);
    notify(&mut second.leg(), "message-summary", "terminated;reason=deactivated");
    server.expect(200);
    let waited = phone.advance_until_sent(s(120));
    assert!(waited >= s(30), "{waited:?}");
    server.expect("SUBSCRIBE").reply(404);
    phone.skip_events();
    phone.assert_quiescent();
}

#[test]
fn notifications_that_do_not_belong_are_refused() {
    let (phone, server, subscribe, mut leg) = subscribed(asks(MessageWaiting::Always));
    summary(&mut leg, "active;expires=600", "Messages-Waiting: no\r\n");
    phone.skip_events();
    // Another package, known or not; another subscription of this one.
    notify(&mut leg, "dialog", "active");
    server.expect(481);
    notify(&mut leg, "weather", "active");
    assert_eq!(server.expect(489).header("Allow-Events"), "message-summary, dialog, reg, refer");
    notify(&mut leg, "message-summary;id=7", "active");
    server.expect(481);
    // Without state, with another body, with a broken one.
    leg.request("NOTIFY").with("Event", "message-summary");
    server.expect(400);
    notify(&mut leg, "message-summary", "active").body("text/html", "<p>1</p>");
    assert_eq!(server.expect(415).header("Accept"), "application/simple-message-summary");
    notify(&mut leg, "message-summary", "active").body("application/simple-message-summary", "?");
    server.expect(400);
    // Older than the last.
    leg.request("NOTIFY").seq(1).with("Event", "message-summary").with("Subscription-State", "active");
    server.expect(500);
    // Of nobody.
    let mut stranger = subscribe.leg();
    stranger.remote = "<sip:bob@biloxi.example.com>;tag=guessed".into();
    notify(&mut stranger, "message-summary", "active");
    server.expect(481);
    server.request("NOTIFY", "sip:bob@192.0.2.101").with("Event", "dialog").with("Subscription-State", "active");
    server.expect(481);
    phone.assert_silent();
    end(&phone, &server, &mut leg);
}

#[test]
fn shutting_down_ends_the_subscription_and_waits_for_the_answer() {
    let (phone, server, _, mut leg) = subscribed(asks(MessageWaiting::Always));
    summary(&mut leg, "active;expires=600", "Messages-Waiting: no\r\n");
    phone.skip_events();
    phone.command(Command::Shutdown).unwrap();
    let goodbye = goodbyes(&server);
    assert!(!std::iter::from_fn(|| phone.next_event()).any(|event| event == Event::Quiet));
    goodbye.reply(401).challenge("WWW-Authenticate", "biloxi.example.com", "n2");
    let goodbye = server.expect("SUBSCRIBE");
    assert_eq!(goodbye.header("Expires"), "0");
    goodbye.reply(200);
    phone.skip_until_quiet();
    phone.assert_quiescent();
}

#[test]
fn another_contact_begins_the_subscriptions_anew() {
    let (phone, server, first, mut leg) = subscribed(asks(MessageWaiting::Always));
    summary(&mut leg, "active;expires=600", "Messages-Waiting: no\r\n");
    phone.skip_events();
    phone.resubscribe();
    let second = server.expect("SUBSCRIBE");
    assert_ne!(second.header("Call-ID"), first.header("Call-ID"));
    second.reply(200);
    // The old one is no more.
    notify(&mut leg, "message-summary", "active");
    server.expect(481);
    let mut leg = second.leg();
    summary(&mut leg, "active;expires=600", "Messages-Waiting: no\r\n");
    end(&phone, &server, &mut leg);
}

// ---- the account's own bindings ----

fn reginfo(version: u32, contacts: &str) -> String {
    format!(
        "<?xml version=\"1.0\"?><reginfo xmlns=\"urn:ietf:params:xml:ns:reginfo\" version=\"{version}\" state=\"full\">\
         <registration aor=\"sip:bob@biloxi.example.com\" id=\"a\" state=\"active\">{contacts}</registration></reginfo>"
    )
}

#[test]
fn a_binding_that_the_registrar_lost_is_registered_again() {
    let phone = Phone::new(config(Events { registrations: true, ..Events::default() }));
    let server = register(&phone);
    let subscribe = server.expect("SUBSCRIBE");
    assert_eq!(
        (subscribe.header("Event"), subscribe.header("Accept")),
        ("reg".into(), "application/reginfo+xml".into())
    );
    subscribe.reply(200).with("Expires", "3600");
    let ours = bracketed(&subscribe.header("Contact")).to_string();
    let mut leg = subscribe.leg();
    let other =
        "<contact id=\"2\" state=\"active\" event=\"registered\" expires=\"99\"><uri>sip:bob@192.0.2.7</uri></contact>";
    let mine = format!("<contact id=\"1\" state=\"active\" event=\"registered\"><uri>{ours}</uri></contact>");
    notify(&mut leg, "reg", "active;expires=3600")
        .body("application/reginfo+xml", &reginfo(0, &(mine.clone() + other)));
    server.expect(200);
    let contacts = expect_event!(phone, Event::Bindings { contacts, .. } => contacts);
    assert_eq!(contacts.iter().filter(|binding| binding.ours).count(), 1);
    assert_eq!(contacts.len(), 2);
    let lost = mine.replace("state=\"active\" event=\"registered\"", "state=\"terminated\" event=\"deactivated\"");
    for version in [1, 2] {
        let body = reginfo(version, &(lost.clone() + other));
        notify(&mut leg, "reg", "active;expires=3600").body("application/reginfo+xml", &body);
        server.expect(200);
        expect_event!(phone, Event::Bindings { .. });
        if version == 1 {
            accept_register(&server);
            phone.skip_events();
        }
        // Once, however often it is said.
        phone.assert_silent();
    }
    phone.command(Command::Unregister { account: ACCOUNT }).unwrap();
    goodbyes(&server).reply(200);
    // Our own leaving is no reason to come back.
    let body = reginfo(3, &lost.replace("deactivated", "unregistered"));
    notify(&mut leg, "reg", "terminated;reason=timeout").body("application/reginfo+xml", &body);
    server.expect(200);
    phone.skip_events();
    assert!(!matches!(phone.next_deadline(), Some((_, Timer::Registration(_) | Timer::Subscription(_)))));
    phone.assert_quiescent();
}
