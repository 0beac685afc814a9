//! alice at Kamailio by TCP and by TLS, while bob stays with UDP: calls in both directions cross from one to the other.

use std::sync::MutexGuard;

use crate::rig::baresip::Answers;
use crate::rig::kamailio::Role;
use crate::rig::phone::{Phone, Setup};
use crate::rig::{self, Rig};

const TCP: &str = "proxies = [\"sip:127.0.0.1;transport=tcp\"]";
const TLS: &str = "proxies = [\"sip:127.0.0.1;transport=tls\"]";

fn with_streams() -> Option<MutexGuard<'static, Rig>> {
    let mut rig = rig::take()?;
    rig.restart_registrar(Role::RegistrarWithStreams);
    Some(rig)
}

fn alice_by(rig: &Rig, account: &'static str, transport: &str) -> Phone {
    let mut alice = rig.phone(&Setup { card: None, account, ..Setup::default() });
    let registered = alice.expect("registered");
    let contact = registered["contact"].as_str().unwrap_or_default().to_owned();
    assert!(contact.contains(&format!(";transport={transport}")), "{registered}");
    alice
}

/// alice calls bob and hangs up; bob calls her, and hangs up.
fn calls_both_ways(rig: &Rig, mut alice: Phone) {
    let mut bob = rig.baresip("bob", None, Answers::Itself);
    alice.tell("call sip:bob@127.0.0.1");
    alice.expect("established");
    bob.expect("CALL_ESTABLISHED");
    alice.tell("hangup");
    bob.expect("CALL_CLOSED");
    assert_eq!(alice.expect("ended")["by"], "local");

    bob.tell("dial", "sip:alice@127.0.0.1");
    alice.expect("incoming");
    alice.tell("answer");
    alice.expect("established");
    bob.expect("CALL_ESTABLISHED");
    bob.tell("hangup", "");
    assert_eq!(alice.expect("ended")["by"], "remote");
    bob.expect("CALL_CLOSED");
    alice.tell("quit");
    alice.expect("unregistered");
}

#[test]
fn registers_and_calls_both_ways_by_tcp() {
    let Some(rig) = with_streams() else { return };
    let alice = alice_by(&rig, TCP, "tcp");
    calls_both_ways(&rig, alice);
}

#[test]
fn registers_and_calls_both_ways_by_tls() {
    let Some(rig) = with_streams() else { return };
    let alice = alice_by(&rig, TLS, "tls");
    calls_both_ways(&rig, alice);
}

#[test]
fn a_registrar_that_restarts_is_registered_at_again_by_tcp() {
    let Some(mut rig) = with_streams() else { return };
    let account = "proxies = [\"sip:127.0.0.1;transport=tcp\"]\nexpires = 70";
    let mut alice = alice_by(&rig, account, "tcp");
    rig.restart_registrar(Role::RegistrarWithStreams);
    alice.expect("registered");
    calls_both_ways(&rig, alice);
}
