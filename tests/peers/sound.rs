//! What is heard, on the virtual sound cards, and what goes over the wire for it.

use std::time::Duration;

use crate::rig::baresip::{Answers, Baresip};
use crate::rig::phone::Phone;
use crate::rig::sound::Card;
use crate::rig::wire::Packet;
use crate::rig::{self, DEADLINE, Rig};

/// RTP from bob and to bob.
fn rtp_of(established: &serde_json::Value) -> (impl Fn(&Packet) -> bool, impl Fn(&Packet) -> bool) {
    let bob: std::net::SocketAddrV4 =
        established["remote_rtp"].as_str().unwrap_or_default().parse().expect("an address in remote_rtp");
    let from = move |packet: &Packet| packet.from == bob && packet.is_rtp();
    let to = move |packet: &Packet| packet.to == bob && packet.is_rtp();
    (from, to)
}

/// alice on card A has called bob on card B, who has answered.
fn talking(rig: &Rig) -> (Phone, Baresip, serde_json::Value) {
    let mut bob = rig.baresip("bob", Some(Card::B), Answers::Itself);
    let mut alice = rig.alice();
    alice.tell("call bob");
    let established = alice.expect("established");
    bob.expect("CALL_ESTABLISHED");
    (alice, bob, established)
}

#[test]
fn each_hears_the_other() {
    let Some(rig) = rig::take() else { return };
    let _call = talking(&rig);
    let _alice_speaks = rig.speak(Card::A, 440.0);
    let _bob_speaks = rig.speak(Card::B, 1000.0);

    rig.assert_hears(Card::B, 440.0);
    rig.assert_hears(Card::A, 1000.0);
}

#[test]
fn hold_stops_rtp_and_resume_starts_it() {
    let Some(rig) = rig::take() else { return };
    let (mut alice, _bob, established) = talking(&rig);
    let (from_bob, to_bob) = rtp_of(&established);
    assert!(rig.wire().wait(10, DEADLINE, &from_bob) && rig.wire().wait(10, DEADLINE, &to_bob));
    let _alice_speaks = rig.speak(Card::A, 440.0);
    let _bob_speaks = rig.speak(Card::B, 1000.0);

    alice.tell("hold");
    alice.expect("held");

    let offer = |packet: &Packet| packet.sip().is_some_and(|text| text.starts_with("INVITE ") && held(text));
    assert!(rig.wire().count(offer) > 0, "{}", rig.wire().ladder());
    // What was on its way at that moment may still come.
    let late = 5;
    let both_ways = |packet: &Packet| from_bob(packet) || to_bob(packet);
    let packets = rig.wire().count_during(Duration::from_secs(1), both_ways);
    assert!(packets <= late, "while held {packets} RTP packets went by in a second");

    alice.tell("resume");
    alice.expect("resumed");

    let (from, to) = (rig.wire().count(&from_bob), rig.wire().count(&to_bob));
    assert!(rig.wire().wait(from + 25, DEADLINE, &from_bob), "bob sends again");
    assert!(rig.wire().wait(to + 25, DEADLINE, &to_bob), "alice sends again");
    rig.assert_hears(Card::B, 440.0);
    rig.assert_hears(Card::A, 1000.0);
}

/// RFC 2543's hold, which every PBX knows.
fn held(message: &str) -> bool {
    message.contains("c=IN IP4 0.0.0.0") && message.contains("a=sendonly")
}

#[test]
fn they_hold_and_resume() {
    let Some(rig) = rig::take() else { return };
    let (mut alice, mut bob, established) = talking(&rig);
    let (from_bob, to_bob) = rtp_of(&established);

    bob.tell("hold", "");
    alice.expect("remote_held");

    let window = Duration::from_secs(1);
    let sent = rig.wire().count_during(window, &to_bob);
    assert!(sent <= 5, "while bob holds alice sent {sent} packets in a second");

    bob.tell("resume", "");
    alice.expect("remote_resumed");

    let (from, to) = (rig.wire().count(&from_bob), rig.wire().count(&to_bob));
    assert!(rig.wire().wait(from + 25, DEADLINE, &from_bob), "bob sends again");
    assert!(rig.wire().wait(to + 25, DEADLINE, &to_bob), "alice sends again");
}

#[test]
fn digits_arrive_both_ways() {
    let Some(rig) = rig::take() else { return };
    let (mut alice, mut bob, _) = talking(&rig);

    alice.tell("dtmf 159#");
    for digit in ["1", "5", "9", "#"] {
        bob.expect_with("CALL_DTMF_START", |param| param == digit);
    }

    for digit in ["7", "*"] {
        bob.tell("sndcode", digit);
        alice.expect_with("dtmf", |event| event["direction"] == "received" && event["digit"] == digit);
    }
}
