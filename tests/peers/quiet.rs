//! Silence that is not sent, with other phones: what the wire carries, and that speech is heard again at once.

use std::time::Duration;

use crate::rig::baresip::Answers;
use crate::rig::console::{Codec, Kind};
use crate::rig::phone::{Phone, Setup};
use crate::rig::sound::Card;
use crate::rig::wire::Packet;
use crate::rig::{self, DEADLINE, Rig};

/// RTP to where the sound of this call goes; with these payload types.
fn sent(established: &serde_json::Value, types: impl Fn(u8) -> bool) -> impl Fn(&Packet) -> bool {
    let bob: std::net::SocketAddrV4 =
        established["remote_rtp"].as_str().unwrap_or_default().parse().expect("an address in remote_rtp");
    move |packet: &Packet| packet.to == bob && packet.is_rtp() && types(packet.payload[1] & 0x7f)
}

/// alice, who sends no silence, talks to bob, is silent, and talks again. `noise`: with the payload type of comfort noise.
fn silence_is_kept_back(rig: &Rig, alice: &mut Phone, noise: Option<u8>) {
    alice.tell("call bob");
    let established = alice.expect("established");
    {
        let _alice_speaks = rig.speak(Card::A, 440.0);
        rig.assert_hears(Card::B, 440.0);
    }
    // Silence has set in when a second brings less than half of its packets.
    let all = sent(&established, |_| true);
    let quiet = || rig.wire().count_during(Duration::from_secs(1), &all) < 25;
    assert!((0..10).any(|_| quiet()), "she is never silent\n{}", rig.wire().ladder());
    // Of a few, the first that is as it should be: what a busy machine sends late counts for the silence after it.
    let mut windows = Vec::new();
    while windows.last().is_none_or(|packets| !(1..=20).contains(packets)) {
        assert!(windows.len() < 4, "{windows:?} packets in 4 s of silence each");
        windows.push(rig.wire().count_during(Duration::from_secs(4), &all));
    }
    println!("in 4 s of silence {windows:?} packets");
    if let Some(noise) = noise {
        let is_noise = sent(&established, |number| number == noise);
        assert!(rig.wire().wait(2, DEADLINE, &is_noise));
        let voice = sent(&established, |number| number != noise);
        assert!(rig.wire().falls_silent(0, voice), "voice is sent in silence");
    }
    let _alice_speaks = rig.speak(Card::A, 440.0);
    rig.assert_hears(Card::B, 440.0);
}

/// alice on card A, who sends no silence, in this codec.
fn alice(rig: &Rig, codec: &str) -> Phone {
    let mut alice = rig.phone_with(&Setup::default(), &format!("codecs = [\"{codec}\"]\ndtx = true"));
    alice.expect("registered");
    alice
}

#[test]
fn comfort_noise_to_linphone() {
    let Some(rig) = rig::take_with(&[Kind::Linphone]) else { return };
    for (codec, theirs) in [("PCMU", Codec::Pcmu), ("G722", Codec::G722)] {
        let _bob = rig.console(Kind::Linphone, "bob", Card::B, theirs);
        silence_is_kept_back(&rig, &mut alice(&rig, codec), Some(13));
        rig.wire().clear();
    }
}

#[test]
fn little_of_opus_to_linphone() {
    let Some(rig) = rig::take_with(&[Kind::Linphone]) else { return };
    let _bob = rig.console(Kind::Linphone, "bob", Card::B, Codec::Opus);
    silence_is_kept_back(&rig, &mut alice(&rig, "opus"), None);
}

/// Decided while the phone runs, not in its configuration.
#[test]
fn little_of_opus_to_baresip() {
    let Some(rig) = rig::take() else { return };
    let _bob = rig.baresip_with("bob", Some(Card::B), Answers::Itself, "audio_codecs=opus/48000/2;ptime=20");
    let mut alice = rig.phone_with(&Setup::default(), "codecs = [\"opus\"]");
    alice.expect("registered");
    alice.tell("set audio.dtx true");
    silence_is_kept_back(&rig, &mut alice, None);
}

#[test]
fn baresip_that_has_no_comfort_noise_gets_every_packet() {
    let Some(rig) = rig::take() else { return };
    let _bob = rig.baresip("bob", Some(Card::B), Answers::Itself);
    let mut alice = alice(&rig, "PCMU");
    alice.tell("call bob");
    let established = alice.expect("established");
    let all = sent(&established, |_| true);
    assert!(rig.wire().wait(20, DEADLINE, &all));
    // A machine that stands still sends fewer, but not always.
    let mut windows = Vec::new();
    while windows.last().is_none_or(|packets| *packets <= 60) {
        assert!(windows.len() < 5, "{windows:?} packets in 2 s of silence each");
        windows.push(rig.wire().count_during(Duration::from_secs(2), &all));
    }
}
