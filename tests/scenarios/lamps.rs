//! Busy lamps: the dialogs of others (RFC 4235), and what call pickup needs of them.

use offhook::ua::Command;
use offhook::ua::config::{Events, Watch};
use offhook::ua::event::{Event, Lamp};
use offhook::ua::subscription::dialog_info::{DialogState, Direction};

use crate::harness::*;

const SERVER: &str = "192.0.2.222:5060";

fn watching(addresses: &[(&str, Option<&str>)]) -> (Phone, Peer) {
    let mut config = bob();
    config.direct_calls = true;
    let watch = |(address, name): &(&str, Option<&str>)| Watch { uri: uri(address), name: name.map(Into::into) };
    config.accounts[0].events = Events { watch: addresses.iter().map(watch).collect(), ..Events::default() };
    let phone = Phone::new(config);
    let server = phone.peer("ss2", SERVER);
    // The account does not register: it subscribes when it is told to.
    phone.command(Command::Subscribe { account: ACCOUNT }).unwrap();
    (phone, server)
}

fn info(version: u32, state: &str, dialogs: &str) -> String {
    format!(
        "<?xml version=\"1.0\"?>\r\n<dialog-info xmlns=\"urn:ietf:params:xml:ns:dialog-info\" version=\"{version}\" \
         state=\"{state}\" entity=\"sip:201@biloxi.example.com\">{dialogs}</dialog-info>\r\n"
    )
}

fn dialog(id: &str, direction: &str, state: &str) -> String {
    format!(
        "<dialog id=\"{id}\" call-id=\"call-{id}\" local-tag=\"l{id}\" remote-tag=\"r{id}\" direction=\"{direction}\">\
         <state>{state}</state><local><identity>sip:201@biloxi.example.com</identity><target uri=\"sip:201@192.0.2.9\"/></local>\
         <remote><identity display=\"Carol\">sip:carol@chicago.example.com</identity></remote></dialog>"
    )
}

#[track_caller]
fn notify(leg: &mut Leg, body: &str) {
    let ask = leg.request("NOTIFY").with("Event", "dialog").with("Subscription-State", "active;expires=600");
    ask.body("application/dialog-info+xml", body).sent();
    leg.peer.expect(200);
}

#[track_caller]
fn lamp(phone: &Phone) -> (Lamp, Option<String>) {
    expect_event!(phone, Event::Lamp { lamp, remote, .. } => (lamp, remote.map(|remote| remote.uri)))
}

#[track_caller]
fn shut_down(phone: &Phone, server: &Peer, dialogs: usize) {
    phone.command(Command::Shutdown).unwrap();
    for _ in 0..dialogs {
        let goodbye = server.expect("SUBSCRIBE");
        assert_eq!(goodbye.header("Expires"), "0");
        goodbye.reply(200);
    }
    phone.skip_until_quiet();
    phone.assert_quiescent();
}

#[test]
fn a_lamp_goes_from_idle_to_ringing_to_busy_and_back() {
    let (phone, server) = watching(&[("sip:201@biloxi.example.com", Some("Bob"))]);
    let subscribe = server.expect("SUBSCRIBE");
    assert_eq!(subscribe.uri(), "sip:201@biloxi.example.com");
    assert_eq!(
        (subscribe.header("Event"), subscribe.header("Accept")),
        ("dialog".into(), "application/dialog-info+xml".into())
    );
    assert_eq!(phone.world().ua.watched()[0].lamp, Lamp::Unknown);
    subscribe.reply(200).with("Expires", "600");
    let mut leg = subscribe.leg();
    notify(&mut leg, &info(0, "full", ""));
    expect_event!(phone, Event::Lamp { account: ACCOUNT, uri, name, lamp: Lamp::Idle, remote: None } => {
        assert_eq!((uri.as_str(), name.as_deref()), ("sip:201@biloxi.example.com", Some("Bob")));
    });
    notify(&mut leg, &info(1, "partial", &dialog("1", "recipient", "early")));
    assert_eq!(lamp(&phone), (Lamp::Ringing, Some("sip:carol@chicago.example.com".into())));
    // What an INVITE with Replaces needs.
    let watched = phone.world().ua.watched().remove(0);
    let ringing = &watched.dialogs[0];
    assert_eq!((watched.account, watched.uri.to_string().as_str()), (ACCOUNT, "sip:201@biloxi.example.com"));
    assert_eq!(ringing.call_id.as_deref(), Some("call-1"));
    assert_eq!((ringing.local_tag.as_deref(), ringing.remote_tag.as_deref()), (Some("l1"), Some("r1")));
    assert_eq!((ringing.direction, ringing.state), (Some(Direction::Recipient), DialogState::Early));
    assert_eq!(ringing.local_target.as_deref(), Some("sip:201@192.0.2.9"));
    notify(&mut leg, &info(2, "partial", "<dialog id=\"1\"><state>confirmed</state></dialog>"));
    assert_eq!(lamp(&phone).0, Lamp::Busy);
    // The same again is not told; older news change nothing.
    notify(&mut leg, &info(2, "partial", "<dialog id=\"1\"><state>confirmed</state></dialog>"));
    notify(&mut leg, &info(1, "full", ""));
    phone.assert_silent();
    notify(&mut leg, &info(3, "partial", "<dialog id=\"1\"><state>terminated</state></dialog>"));
    assert_eq!(lamp(&phone), (Lamp::Idle, None));
    assert!(phone.world().ua.watched()[0].dialogs.is_empty());
    shut_down(&phone, &server, 1);
}

#[test]
fn a_lost_part_is_asked_for() {
    let (phone, server) = watching(&[("sip:201@biloxi.example.com", None)]);
    let subscribe = server.expect("SUBSCRIBE");
    subscribe.reply(200).with("Expires", "600");
    let mut leg = subscribe.leg();
    notify(&mut leg, &info(0, "full", ""));
    assert_eq!(lamp(&phone).0, Lamp::Idle);
    notify(&mut leg, &info(2, "partial", &dialog("2", "initiator", "trying")));
    assert_eq!(lamp(&phone).0, Lamp::Busy);
    let again = server.expect("SUBSCRIBE");
    assert_eq!((again.header("Call-ID"), again.header("Expires")), (leg.call_id.clone(), "600".into()));
    again.reply(200).with("Expires", "600");
    notify(&mut leg, &info(3, "full", &dialog("1", "recipient", "confirmed")));
    // Still busy, but with somebody else: the same person here.
    phone.assert_silent();
    assert_eq!(phone.world().ua.watched()[0].dialogs[0].id, "1");
    shut_down(&phone, &server, 1);
}

/// RFC 5359 section 2.16: the call that rings at 201 is taken, by an INVITE to its caller.
#[test]
fn a_call_that_rings_elsewhere_is_picked_up() {
    let (phone, server) = watching(&[("sip:201@biloxi.example.com", None)]);
    let subscribe = server.expect("SUBSCRIBE");
    subscribe.reply(200).with("Expires", "600");
    let mut leg = subscribe.leg();
    notify(&mut leg, &info(0, "full", &dialog("1", "initiator", "early")));
    assert_eq!(lamp(&phone).0, Lamp::Busy);
    assert!(phone.world().ua.watched()[0].pick_up().is_none(), "who calls is not taken the call from");
    let ringing = dialog("2", "recipient", "early").replace("chicago", "biloxi");
    notify(&mut leg, &info(1, "full", &ringing));
    assert_eq!(lamp(&phone).0, Lamp::Ringing);
    let target = phone.world().ua.watched()[0].pick_up().unwrap();
    phone.command(Command::Dial { account: Some(ACCOUNT), target, media: MEDIA }).unwrap();
    let invite = server.expect("INVITE");
    assert_eq!(invite.uri(), "sip:carol@biloxi.example.com");
    assert_eq!(invite.header("Replaces"), "call-2;to-tag=r2;from-tag=l2;early-only");
    invite.reply(481);
    server.expect("ACK");
    expect_event!(phone, Event::Calling { to, .. } => assert_eq!(to, "sip:carol@biloxi.example.com"));
    expect_event!(phone, Event::Ended { code: Some(481), .. } => ());
    shut_down(&phone, &server, 1);
}

#[test]
fn each_notifier_that_a_fork_reached_counts() {
    let (phone, server) = watching(&[("sip:201@biloxi.example.com", None)]);
    let subscribe = server.expect("SUBSCRIBE");
    let (mut desk, mut mobile) = (subscribe.leg_with("desk"), subscribe.leg_with("mobile"));
    notify(&mut desk, &info(0, "full", ""));
    assert_eq!(lamp(&phone).0, Lamp::Idle);
    subscribe.reply(200).tag("desk").with("Expires", "600");
    notify(&mut mobile, &info(0, "full", &dialog("9", "recipient", "confirmed")));
    assert_eq!(lamp(&phone).0, Lamp::Busy);
    notify(&mut desk, &info(1, "partial", &dialog("1", "recipient", "early")));
    // Busy before ringing, as told already.
    phone.assert_silent();
    assert_eq!(
        phone.world().ua.watched()[0].dialogs.iter().map(|dialog| dialog.id.as_str()).collect::<Vec<_>>(),
        ["1", "9"]
    );
    notify(&mut mobile, &info(1, "full", ""));
    assert_eq!(lamp(&phone).0, Lamp::Ringing);
    // One of them leaves, and is not asked again by itself; the other is refreshed as ever.
    mobile.request("NOTIFY").with("Event", "dialog").with("Subscription-State", "terminated;reason=deactivated");
    server.expect(200);
    notify(&mut desk, &info(2, "full", ""));
    assert_eq!(lamp(&phone).0, Lamp::Idle);
    phone.advance_until_sent(s(600));
    let refresh = server.expect("SUBSCRIBE");
    assert_eq!(refresh.tag("To"), "desk");
    refresh.reply(200).with("Expires", "600");
    notify(&mut desk, &info(3, "full", ""));
    // Who answers when Timer N is over comes too late.
    let mut late = subscribe.leg_with("late");
    late.request("NOTIFY").with("Event", "dialog").with("Subscription-State", "active");
    server.expect(481);
    shut_down(&phone, &server, 1);
}

#[test]
fn who_is_not_there_is_told_apart_from_who_may_not_be_watched() {
    let watched = [("sip:201@biloxi.example.com", None), ("sip:202@biloxi.example.com", None)];
    let (phone, server) = watching(&watched);
    let (away, secret) = (server.expect("SUBSCRIBE"), server.expect("SUBSCRIBE"));
    away.reply(480);
    expect_event!(phone, Event::SubscriptionFailed { code: Some(480), retry_in: Some(_), .. });
    assert_eq!(lamp(&phone).0, Lamp::Unregistered);
    secret.reply(403);
    expect_event!(phone, Event::SubscriptionFailed { code: Some(403), retry_in: None, .. });
    let lamps: Vec<Lamp> = phone.world().ua.watched().iter().map(|watched| watched.lamp).collect();
    assert_eq!(lamps, [Lamp::Unregistered, Lamp::Unknown]);
    // Who comes back is seen: it is asked for again.
    phone.advance_until_sent(s(60));
    let again = server.expect("SUBSCRIBE");
    assert_eq!(again.uri(), "sip:201@biloxi.example.com");
    again.reply(200).with("Expires", "600");
    let mut leg = again.leg();
    notify(&mut leg, &info(0, "full", ""));
    assert_eq!(lamp(&phone).0, Lamp::Idle);
    // And who leaves for good.
    leg.request("NOTIFY").with("Event", "dialog").with("Subscription-State", "terminated;reason=noresource");
    server.expect(200);
    expect_event!(phone, Event::SubscriptionFailed { retry_in: None, .. });
    assert_eq!(lamp(&phone).0, Lamp::Unregistered);
    shut_down(&phone, &server, 0);
}

#[test]
fn a_notification_that_is_a_bomb_is_refused_and_changes_nothing() {
    let (phone, server) = watching(&[("sip:201@biloxi.example.com", None)]);
    let subscribe = server.expect("SUBSCRIBE");
    subscribe.reply(200).with("Expires", "600");
    let mut leg = subscribe.leg();
    notify(&mut leg, &info(0, "full", ""));
    assert_eq!(lamp(&phone).0, Lamp::Idle);
    let bombs = [
        "<!DOCTYPE x [<!ENTITY a \"aaaa\"><!ENTITY b \"&a;&a;\">]><dialog-info version=\"1\" state=\"full\">&b;</dialog-info>".to_owned(),
        "<dialog-info>".repeat(2_000),
        "not xml at all".to_owned(),
        "<presence/>".to_owned(),
    ];
    for bomb in bombs {
        let ask = leg.request("NOTIFY").with("Event", "dialog").with("Subscription-State", "active;expires=600");
        ask.body("application/dialog-info+xml", &bomb).sent();
        server.expect(400);
    }
    phone.assert_silent();
    notify(&mut leg, &info(1, "full", &dialog("1", "recipient", "early")));
    assert_eq!(lamp(&phone).0, Lamp::Ringing);
    shut_down(&phone, &server, 1);
}
