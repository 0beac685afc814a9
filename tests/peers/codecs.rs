//! Every codec with other phones: a tone of each side is heard, and nothing but it, at the other one's speaker.

use serde_json::Value;

use crate::rig::baresip::Answers;
use crate::rig::console::{Codec, Kind};
use crate::rig::phone::{Phone, Setup};
use crate::rig::sound::Card;
use crate::rig::wire::Packet;
use crate::rig::{self, DEADLINE, Rig};

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

/// The address to which sound goes in a call.
fn remote_rtp(established: &Value) -> std::net::SocketAddrV4 {
    established["remote_rtp"].as_str().unwrap_or_default().parse().expect("an address in remote_rtp")
}

/// RTP with so many milliseconds of PCMU.
fn long(ms: usize) -> impl Fn(&Packet) -> bool {
    move |packet| packet.is_rtp() && packet.payload.len() == 12 + 8 * ms
}

/// Waits for packets of such a length each way, and finds none of another to bob.
fn lengths(rig: &Rig, bob: std::net::SocketAddrV4, to_bob: usize, from_bob: usize) {
    assert!(rig.wire().wait(20, DEADLINE, |packet| packet.to == bob && long(to_bob)(packet)), "none of {to_bob} ms");
    assert!(
        rig.wire().wait(20, DEADLINE, |packet| packet.from == bob && long(from_bob)(packet)),
        "none of {from_bob} ms"
    );
    assert_eq!(rig.wire().count(|packet| packet.is_rtp() && packet.to == bob && !long(to_bob)(packet)), 0);
}

/// We ask for packets of such a length; baresip takes that over in its answer.
fn packets_of(ms: usize) {
    let Some(rig) = rig::take() else { return };
    let _bob = rig.baresip_with("bob", Some(Card::B), Answers::Itself, "audio_codecs=pcmu;ptime=20");
    let mut alice = alice(&rig, &format!("codecs = [\"PCMU\"]\nptime = {ms}"));
    let established = each_hears_the_other(&rig, &mut alice);
    lengths(&rig, remote_rtp(&established), ms, ms);
}

#[test]
fn packets_of_10_ms_with_baresip() {
    packets_of(10);
}

#[test]
fn packets_of_60_ms_with_baresip() {
    packets_of(60);
}

/// Each side receives packets as long as it asks for.
#[test]
fn packets_of_60_ms_to_baresip_and_10_from_it() {
    let Some(rig) = rig::take() else { return };
    let mut bob = rig.baresip_with("bob", Some(Card::B), Answers::Itself, "audio_codecs=pcmu;ptime=60");
    let mut alice = alice(&rig, "codecs = [\"PCMU\"]\nptime = 10");
    bob.tell("dial", "sip:alice@127.0.0.1");
    alice.expect("incoming");
    alice.tell("answer");
    let established = alice.expect("established");
    lengths(&rig, remote_rtp(&established), 60, 10);
}

/// Digits at Opus's own clock, which linphone has.
#[test]
fn digits_at_48000_hz_with_linphone() {
    let Some(rig) = rig::take_with(&[Kind::Linphone]) else { return };
    let mut bob = rig.console(Kind::Linphone, "bob", Card::B, Codec::Opus);
    let mut alice = alice(&rig, "codecs = [\"opus\"]");
    alice.tell("call bob");
    let established = alice.expect("established");
    bob.answers(&rig, 1);
    let to = remote_rtp(&established);
    alice.tell("dtmf 5");
    // RFC 4733 section 2.3: the last update of 160 ms, by the clock of 48,000.
    let ended = |packet: &Packet| {
        packet.to == to
            && packet.is_rtp()
            && matches!(packet.payload[12..], [5, flags, high, low] if flags & 0x80 != 0 && [high, low] == 7680u16.to_be_bytes())
    };
    assert!(rig.wire().wait(3, DEADLINE, ended), "{}", rig.wire().ladder());
    bob.tell("7");
    alice.expect_with("dtmf", |event| event["direction"] == "received" && event["digit"] == "7");
}

/// baresip sends and asks for two channels.
#[test]
fn opus_in_stereo_from_baresip() {
    let Some(rig) = rig::take() else { return };
    let _bob = rig.baresip_with("bob", Some(Card::B), Answers::Itself, "audio_codecs=opus/48000/2;ptime=20");
    let mut alice = alice(&rig, "codecs = [\"opus\"]");
    each_hears_the_other(&rig, &mut alice);
    let asks = |packet: &Packet| packet.sip().is_some_and(|text| text.contains("stereo=1"));
    rig.wire().assert_has("wish for stereo", asks);
}
