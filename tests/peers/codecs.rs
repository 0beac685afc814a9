//! Every codec with other phones: a tone of each side is heard, and nothing but it, at the other one's speaker.

use serde_json::Value;

use crate::rig::baresip::Answers;
use crate::rig::console::{Codec, Kind};
use crate::rig::phone::{Phone, Setup};
use crate::rig::sound::Card;
use crate::rig::{self, Rig};

/// alice on card A with these lines of `[audio]`, registered.
fn alice(rig: &Rig, audio: &str) -> Phone {
    let mut alice = rig.phone_with(&Setup::default(), audio);
    alice.expect("registered");
    alice
}

/// alice calls bob, who answers by himself on card B; both are heard. What her phone says of the call.
fn each_hears_the_other(rig: &Rig, alice: &mut Phone) -> Value {
    alice.tell("call bob");
    let established = alice.expect("established");
    let _alice_speaks = rig.speak(Card::A, 440.0);
    let _bob_speaks = rig.speak(Card::B, 1000.0);
    rig.assert_hears(Card::B, 440.0);
    rig.assert_hears(Card::A, 1000.0);
    established
}

fn with_baresip(ours: &str, theirs: &str) {
    let Some(rig) = rig::take() else { return };
    let _bob = rig.baresip_with("bob", Some(Card::B), Answers::Itself, &format!("audio_codecs={theirs};ptime=20"));
    let mut alice = alice(&rig, &format!("codecs = [\"{ours}\"]"));
    let established = each_hears_the_other(&rig, &mut alice);
    assert_eq!(established["codec"], ours, "{established}");
}

#[test]
fn baresip_in_pcmu() {
    with_baresip("PCMU", "pcmu");
}

#[test]
fn baresip_in_pcma() {
    with_baresip("PCMA", "pcma");
}

#[test]
fn baresip_in_g722() {
    with_baresip("G722", "G722/16000/1");
}

#[test]
fn baresip_in_opus() {
    with_baresip("opus", "opus/48000/2");
}

#[test]
fn baresip_in_l16() {
    with_baresip("L16", "L16/16000/1");
}

fn with_linphone(ours: &str, theirs: Codec) {
    let Some(rig) = rig::take_with(&[Kind::Linphone]) else { return };
    let _bob = rig.console(Kind::Linphone, "bob", Card::B, theirs);
    let mut alice = alice(&rig, &format!("codecs = [\"{ours}\"]"));
    let established = each_hears_the_other(&rig, &mut alice);
    assert_eq!(established["codec"], ours, "{established}");
}

#[test]
fn linphone_in_pcmu() {
    with_linphone("PCMU", Codec::Pcmu);
}

#[test]
fn linphone_in_pcma() {
    with_linphone("PCMA", Codec::Pcma);
}

#[test]
fn linphone_in_g722() {
    with_linphone("G722", Codec::G722);
}

#[test]
fn linphone_in_opus() {
    with_linphone("opus", Codec::Opus);
}

/// Digits by telephone-event in calls in Opus and in G.722. baresip knows its clock of 8,000 alone, whatever the codec's is.
fn digits(ours: &str, theirs: &str) {
    let Some(rig) = rig::take() else { return };
    let bobs = format!("audio_codecs={theirs};ptime=20");
    let mut bob = rig.baresip_with("bob", Some(Card::B), Answers::Itself, &bobs);
    let mut alice = alice(&rig, &format!("codecs = [\"{ours}\", \"PCMU\"]"));
    alice.tell("call bob");
    assert_eq!(alice.expect("established")["codec"], ours);
    bob.expect("CALL_ESTABLISHED");
    alice.tell("dtmf 59");
    for digit in ["5", "9"] {
        bob.expect_with("CALL_DTMF_START", |param| param == digit);
    }
    bob.tell("sndcode", "7");
    alice.expect_with("dtmf", |event| event["direction"] == "received" && event["digit"] == "7");
}

#[test]
fn digits_in_opus() {
    digits("opus", "opus/48000/2");
}

#[test]
fn digits_in_g722() {
    digits("G722", "G722/16000/1");
}
