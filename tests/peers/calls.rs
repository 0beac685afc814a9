//! Calls between the phone and baresip through Kamailio: who calls, who answers, who hangs up, and how it fails.

use std::time::{Duration, Instant};

use crate::rig::baresip::{Answers, Baresip};
use crate::rig::phone::{Phone, Setup};
use crate::rig::{self, DEADLINE, Rig};

fn ended(phone: &mut Phone) -> (String, Option<u64>) {
    let event = phone.expect("ended");
    (event["by"].as_str().unwrap_or_default().to_owned(), event["code"].as_u64())
}

/// alice has called bob, and bob has answered.
fn calling_bob(rig: &Rig) -> (Phone, Baresip) {
    let mut bob = rig.baresip("bob", None, Answers::Itself);
    let mut alice = rig.alice();
    alice.tell("call sip:bob@127.0.0.1");
    alice.expect("established");
    bob.expect("CALL_ESTABLISHED");
    (alice, bob)
}

/// bob has called alice, and it rings.
fn called_by_bob(rig: &Rig) -> (Phone, Baresip) {
    let mut bob = rig.baresip("bob", None, Answers::WhenTold);
    let mut alice = rig.alice();
    bob.tell("dial", "sip:alice@127.0.0.1");
    let incoming = alice.expect("incoming");
    assert_eq!(incoming["from"], "sip:bob@127.0.0.1", "{incoming}");
    bob.expect("CALL_RINGING");
    (alice, bob)
}

#[test]
fn we_call_and_hang_up() {
    let Some(rig) = rig::take() else { return };
    let (mut alice, mut bob) = calling_bob(&rig);

    alice.tell("hangup");

    assert_eq!(ended(&mut alice).0, "local");
    bob.expect("CALL_CLOSED");
}

#[test]
fn we_call_and_they_hang_up() {
    let Some(rig) = rig::take() else { return };
    let (mut alice, mut bob) = calling_bob(&rig);

    bob.tell("hangup", "");

    assert_eq!(ended(&mut alice).0, "remote");
    bob.expect("CALL_CLOSED");
}

#[test]
fn they_call_and_we_answer_and_hang_up() {
    let Some(rig) = rig::take() else { return };
    let (mut alice, mut bob) = called_by_bob(&rig);
    alice.tell("answer");
    alice.expect("established");
    bob.expect("CALL_ESTABLISHED");

    alice.tell("hangup");

    assert_eq!(ended(&mut alice).0, "local");
    bob.expect("CALL_CLOSED");
}

#[test]
fn they_call_and_we_answer_by_ourselves_and_they_hang_up() {
    let Some(rig) = rig::take() else { return };
    let mut bob = rig.baresip("bob", None, Answers::WhenTold);
    let mut alice = rig.registered(&Setup { calls: "auto_answer = true", ..Setup::default() });
    bob.tell("dial", "sip:alice@127.0.0.1");
    alice.expect("established");
    bob.expect("CALL_ESTABLISHED");

    bob.tell("hangup", "");

    assert_eq!(ended(&mut alice).0, "remote");
    bob.expect("CALL_CLOSED");
}

#[test]
fn we_cancel() {
    let Some(rig) = rig::take() else { return };
    let mut bob = rig.baresip("bob", None, Answers::WhenTold);
    let mut alice = rig.alice();
    alice.tell("call bob");
    alice.expect("ringing");
    bob.expect("CALL_INCOMING");

    alice.tell("hangup");

    assert_eq!(ended(&mut alice).0, "local");
    bob.expect("CALL_CLOSED");
    let cancelled = |packet: &rig::wire::Packet| packet.sip().is_some_and(|text| text.starts_with("CANCEL "));
    rig.wire().assert_has("CANCEL", cancelled);
}

#[test]
fn they_cancel() {
    let Some(rig) = rig::take() else { return };
    let (mut alice, mut bob) = called_by_bob(&rig);

    bob.tell("hangup", "");

    assert_eq!(ended(&mut alice).0, "remote");
    bob.expect("CALL_CLOSED");
}

#[test]
fn we_reject() {
    let Some(rig) = rig::take() else { return };
    let (mut alice, mut bob) = called_by_bob(&rig);

    alice.tell("reject");

    bob.expect_with("CALL_CLOSED", |reason| reason.starts_with("486"));
    assert_eq!(ended(&mut alice).0, "local");
}

#[test]
fn we_decline_with_a_code() {
    let Some(rig) = rig::take() else { return };
    let (mut alice, mut bob) = called_by_bob(&rig);

    alice.tell("reject #1 603");

    bob.expect_with("CALL_CLOSED", |reason| reason.starts_with("603"));
    assert_eq!(ended(&mut alice).0, "local");
}

#[test]
fn they_are_busy() {
    let Some(rig) = rig::take() else { return };
    let mut bob = rig.baresip("bob", None, Answers::WhenTold);
    let mut alice = rig.alice();
    alice.tell("call bob");
    bob.expect("CALL_INCOMING");

    // baresip's word for turning a call away.
    bob.tell("hangup", "");

    let (by, code) = ended(&mut alice);
    assert_eq!((by.as_str(), code), ("remote", Some(486)));
}

#[test]
fn nobody_is_known_by_that_name() {
    let Some(rig) = rig::take() else { return };
    let mut alice = rig.alice();

    alice.tell("call nobody");

    let (by, code) = ended(&mut alice);
    assert_eq!((by.as_str(), code), ("remote", Some(404)));
}

#[test]
fn a_signal_in_a_call_hangs_up_and_unregisters_within_two_seconds() {
    let Some(rig) = rig::take() else { return };
    // A machine that stands still for a moment spoils one measurement, not each.
    let mut times = Vec::new();
    while times.last().is_none_or(|time| *time >= Duration::from_secs(2)) {
        assert!(times.len() < 4, "it took {times:?}");
        let (mut alice, mut bob) = calling_bob(&rig);
        let sent = Instant::now();

        alice.signal(libc::SIGTERM);

        let status = alice.wait(DEADLINE).expect("it ends");
        times.push(sent.elapsed());
        assert_eq!(status.code(), Some(130));
        // The end waits for the sound's last figures: either may be told first.
        let [ended, _] = alice.expect_all(["ended", "unregistered"]);
        assert_eq!(ended["by"], "local");
        bob.expect("CALL_CLOSED");
    }
}
