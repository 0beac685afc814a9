//! ICE and shared ports with baresip, whose `ice` module speaks RFC 5245.

use crate::rig::baresip::Answers;
use crate::rig::phone::{Phone, Setup};
use crate::rig::sound::Card;
use crate::rig::{self, DEADLINE, Rig};

/// alice, who offers ICE.
fn alice(rig: &Rig) -> Phone {
    rig.registered(&Setup { network: "ice = \"always\"", ..Setup::default() })
}

/// Waits until ICE has found a way, and for sound on it.
fn talks(phone: &mut Phone) {
    phone.expect_with("ice", |event| event["state"] == "connected");
    phone.expect_with("stats", |stats| stats["received"].as_u64().is_some_and(|received| received > 100));
}

#[test]
fn we_call_with_ice() {
    let Some(rig) = rig::take() else { return };
    let mut bob =
        rig.baresip_with("bob", Some(Card::B), Answers::Itself, "audio_codecs=pcmu,pcma;ptime=20;medianat=ice");
    let mut alice = alice(&rig);
    alice.tell("call sip:bob@127.0.0.1");
    alice.expect("established");
    bob.expect("CALL_ESTABLISHED");
    talks(&mut alice);

    // A hold and its end on the way that was found.
    alice.tell("hold");
    alice.expect("held");
    alice.tell("resume");
    alice.expect("resumed");
    alice.expect_with("stats", |stats| stats["loss"].as_f64().is_some_and(|loss| loss < 0.5));
    alice.tell("hangup");
    alice.expect("ended");
    bob.expect("CALL_CLOSED");
}

#[test]
fn they_call_with_ice() {
    let Some(rig) = rig::take() else { return };
    let mut bob =
        rig.baresip_with("bob", Some(Card::B), Answers::WhenTold, "audio_codecs=pcmu,pcma;ptime=20;medianat=ice");
    // Answered with ICE although it is not offered by ourselves.
    let mut alice = rig.alice();
    bob.tell("dial", "sip:alice@127.0.0.1");
    alice.expect("incoming");
    alice.tell("answer");
    alice.expect("established");
    bob.expect("CALL_ESTABLISHED");
    talks(&mut alice);
    bob.tell("hangup", "");
    alice.expect("ended");
}

#[test]
fn rtcp_shares_the_port_with_who_says_so() {
    let Some(rig) = rig::take() else { return };
    let mut bob =
        rig.baresip_with("bob", Some(Card::B), Answers::Itself, "audio_codecs=pcmu,pcma;ptime=20;rtcp_mux=yes");
    let mut alice = rig.alice();
    alice.tell("call sip:bob@127.0.0.1");
    alice.expect("established");
    bob.expect("CALL_ESTABLISHED");
    // The round trip is known by RTCP alone.
    alice.expect_with("stats", |stats| stats["rtt_ms"].is_number() && stats["mos_remote"].is_number());
    assert!(
        rig.wire().wait(1, DEADLINE, |packet| packet.payload.get(1).is_some_and(|kind| (200..=201).contains(kind))
            && packet.to.port().is_multiple_of(2)),
        "RTCP at an even port"
    );
    alice.tell("hangup");
    bob.expect("CALL_CLOSED");
}

#[test]
fn a_phone_without_ice_hears_us_as_ever() {
    let Some(rig) = rig::take() else { return };
    let mut bob = rig.baresip("bob", Some(Card::B), Answers::Itself);
    let mut alice = alice(&rig);
    alice.tell("call sip:bob@127.0.0.1");
    alice.expect("established");
    bob.expect("CALL_ESTABLISHED");
    alice.expect_with("stats", |stats| stats["received"].as_u64().is_some_and(|received| received > 100));
    alice.tell("hangup");
    bob.expect("CALL_CLOSED");
}
