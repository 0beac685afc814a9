//! Proxies in a row, and servers that die: the next proxy takes over, and a registrar that forgot everything is registered at
//! again.

use crate::rig;
use crate::rig::baresip::{Answers, Baresip};
use crate::rig::kamailio::{self, Role};
use crate::rig::phone::{Phone, Setup};
use crate::rig::wire::Packet;

const TWO_PROXIES: &str = "proxies = [\"sip:127.0.0.2\", \"sip:127.0.0.3\"]";

/// alice calls bob, and they talk.
fn called(alice: &mut Phone, bob: &mut Baresip) {
    alice.tell("call sip:bob@127.0.0.1");
    alice.expect("established");
    bob.expect("CALL_ESTABLISHED");
}

fn invite_to(ip: &str) -> impl Fn(&Packet) -> bool {
    let to: std::net::Ipv4Addr = ip.parse().expect("an address");
    move |packet: &Packet| *packet.to.ip() == to && packet.sip().is_some_and(|text| text.starts_with("INVITE "))
}

#[test]
fn a_proxy_killed_between_calls_is_left_for_the_next() {
    let Some(rig) = rig::take() else { return };
    let (first, _second) = (rig.proxy("127.0.0.2", Role::Proxy), rig.proxy("127.0.0.3", Role::Proxy));
    let mut bob = rig.baresip("bob", None, Answers::Itself);
    let mut alice = rig.registered(&Setup { card: None, account: TWO_PROXIES, ..Setup::default() });
    called(&mut alice, &mut bob);
    alice.tell("hangup");
    bob.expect("CALL_CLOSED");
    assert_eq!(alice.expect("ended")["by"], "local");
    assert_eq!(rig.wire().count(invite_to("127.0.0.3")), 0);

    kamailio::end(first);
    called(&mut alice, &mut bob);
    rig.wire().assert_has("INVITE to the second", invite_to("127.0.0.3"));
    alice.tell("hangup");
    bob.expect("CALL_CLOSED");
    assert_eq!(alice.expect("ended")["by"], "local");
    alice.tell("register");
    alice.expect("registered");
}

#[test]
fn a_proxy_killed_in_a_call_ends_nothing_but_itself() {
    let Some(rig) = rig::take() else { return };
    let (first, _second) = (rig.proxy("127.0.0.2", Role::Proxy), rig.proxy("127.0.0.3", Role::Proxy));
    let mut bob = rig.baresip("bob", None, Answers::Itself);
    let mut alice = rig.registered(&Setup { card: None, account: TWO_PROXIES, ..Setup::default() });
    called(&mut alice, &mut bob);

    kamailio::end(first);
    // The sound goes on past the proxy.
    let received = |stats: &serde_json::Value| stats["received"].as_u64().unwrap_or_default();
    let before = received(&alice.expect("stats"));
    alice.expect_with("stats", |stats| received(stats) > before);
    alice.tell("hangup");
    assert_eq!(alice.expect("ended")["by"], "local");

    // bob does not know; to have him free again he hangs up too.
    bob.tell("hangup", "");
    called(&mut alice, &mut bob);
    rig.wire().assert_has("INVITE to the second", invite_to("127.0.0.3"));
    alice.tell("hangup");
    assert_eq!(alice.expect("ended")["by"], "local");
}

#[test]
fn two_proxies_in_a_row_each_ask_who_we_are() {
    let Some(rig) = rig::take() else { return };
    let _proxy = rig.proxy("127.0.0.2", Role::ChallengingProxy);
    let mut bob = rig.baresip("bob", None, Answers::Itself);
    let account = "proxies = [\"sip:127.0.0.2\"]\n\
                   credentials = [{ realm = \"proxy.test\", user = \"alice\", password = \"proxypw\" }]";
    let mut alice = rig.registered(&Setup { card: None, account, ..Setup::default() });
    called(&mut alice, &mut bob);
    let in_a_row = |packet: &Packet| {
        let routes = |text: &str| {
            text.lines().filter(|line| line.starts_with("Route:")).flat_map(|line| line.split(',')).count()
        };
        packet.sip().is_some_and(|text| text.starts_with("ACK sip:bob") && routes(text) == 2)
    };
    rig.wire().assert_has("ACK by way of both", in_a_row);
    alice.tell("hangup");
    bob.expect("CALL_CLOSED");
    assert_eq!(alice.expect("ended")["by"], "local");

    called(&mut alice, &mut bob);
    bob.tell("hangup", "");
    assert_eq!(alice.expect("ended")["by"], "remote");
}

#[test]
fn a_registrar_that_restarts_is_registered_at_again() {
    let Some(mut rig) = rig::take() else { return };
    let mut alice = rig.registered(&Setup { card: None, account: "expires = 10", ..Setup::default() });
    rig.restart_registrar(Role::Registrar);
    // It has forgotten her, and its challenge is a new one.
    alice.expect("registered");
    let mut bob = rig.baresip("bob", None, Answers::Itself);
    bob.tell("dial", "sip:alice@127.0.0.1");
    alice.expect("incoming");
    alice.tell("answer");
    bob.expect("CALL_ESTABLISHED");
    alice.tell("hangup");
    bob.expect("CALL_CLOSED");
}
