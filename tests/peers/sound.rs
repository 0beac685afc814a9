//! What is heard, on the virtual sound cards, and what goes over the wire for it.

use crate::rig::baresip::{Answers, Baresip};
use crate::rig::phone::{Phone, Setup};
use crate::rig::process::Process;
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
    rig.wire().assert_has("INVITE that holds", offer);
    // What was on its way at that moment may still come.
    let late = 5;
    let both_ways = |packet: &Packet| from_bob(packet) || to_bob(packet);
    assert!(rig.wire().falls_silent(late, both_ways), "while held RTP goes on");

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

    assert!(rig.wire().falls_silent(5, &to_bob), "while bob holds alice goes on");

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

/// alice has these devices; bob, on card B, speaks 1000 Hz.
fn talking_on(rig: &Rig, devices: (&'static str, &'static str)) -> (Phone, Baresip, Process) {
    let mut bob = rig.baresip("bob", Some(Card::B), Answers::Itself);
    let mut alice = rig.registered(&Setup { devices: Some(devices), ..Setup::default() });
    let bob_speaks = rig.speak(Card::B, 1000.0);
    alice.tell("call bob");
    alice.expect("established");
    bob.expect("CALL_ESTABLISHED");
    (alice, bob, bob_speaks)
}

fn device_is(phone: &mut Phone, role: &str, state: &str) {
    phone.expect_with("device", |event| event["role"] == role && event["state"] == state);
}

/// The microphone and the speaker, in whatever order they are told.
fn both_are(phone: &mut Phone, state: &str) {
    let first = phone.expect_with("device", |event| event["state"] == state);
    phone.expect_with("device", |event| event["state"] == state && event["role"] != first["role"]);
}

#[test]
fn another_speaker_and_another_microphone_leave_no_gap() {
    let Some(rig) = rig::take() else { return };
    let _first = rig.plug(&["module-remap-sink", "sink_name=first", "master=A_spk"]);
    let _second = rig.plug(&["module-remap-sink", "sink_name=second", "master=A_spk"]);
    let _other = rig.plug(&["module-remap-source", "source_name=other_mic", "master=A_micin.monitor"]);
    let (mut alice, _bob, _bob_speaks) = talking_on(&rig, ("A_mic", "first"));
    let _alice_speaks = rig.speak(Card::A, 440.0);
    rig.assert_hears(Card::A, 1000.0);
    rig.assert_hears(Card::B, 440.0);
    let (mut ear, mut far) = (rig.record("A_spk"), rig.record("B_spk"));
    for (role, devices) in [("output", ["second", "first"]), ("input", ["other_mic", "A_mic"])] {
        // Three times without a gap for both: a machine that stands still makes some of its own.
        let (mut good, mut gaps) = (0, Vec::new());
        for device in devices.iter().cycle().take(40) {
            for heard in [&mut ear, &mut far] {
                heard.forget();
                heard.wait_for_sound(300);
            }
            alice.tell(&format!("device {role} {device}"));
            device_is(&mut alice, role, "open");
            for heard in [&mut ear, &mut far] {
                heard.catch_up();
                heard.wait_for_sound(600);
            }
            let both = (ear.longest_gap(), far.longest_gap());
            good += usize::from(both.0 < 100 && both.1 < 100);
            gaps.push(both);
            if good == 3 {
                break;
            }
        }
        assert_eq!(good, 3, "so many ms alice and bob hear nothing when the {role} is another one: {gaps:?}");
    }
}

#[test]
fn a_card_that_is_unplugged_three_times_comes_back() {
    let Some(rig) = rig::take() else { return };
    let speaker = || rig.plug(&["module-remap-sink", "sink_name=plug_spk", "master=A_spk"]);
    let microphone = || rig.plug(&["module-remap-source", "source_name=plug_mic", "master=A_micin.monitor"]);
    let mut plugged = (speaker(), microphone());
    let (mut alice, _bob, _bob_speaks) = talking_on(&rig, ("plug_mic", "plug_spk"));
    let _alice_speaks = rig.speak(Card::A, 440.0);
    rig.assert_hears(Card::A, 1000.0);
    for _ in 0..3 {
        drop(plugged);
        both_are(&mut alice, "lost");
        plugged = (speaker(), microphone());
        both_are(&mut alice, "open");
        rig.assert_hears(Card::A, 1000.0);
        rig.assert_hears(Card::B, 440.0);
    }
}

#[test]
fn the_system_s_default_device_is_followed_in_a_call() {
    let Some(rig) = rig::take() else { return };
    let _other = rig.plug(&["module-null-sink", "sink_name=C_spk", "rate=48000", "channels=2"]);
    rig.pactl(&["set-default-sink", "A_spk"]);
    rig.pactl(&["set-default-source", "A_mic"]);
    let (mut alice, _bob, _bob_speaks) = talking_on(&rig, ("default", "default"));
    rig.assert_hears(Card::A, 1000.0);

    let hurried = rig.record("C_spk");
    rig.pactl(&["set-default-sink", "C_spk"]);
    let moved = |event: &serde_json::Value| event["role"] == "output" && event["detail"] == "moved to C_spk";
    alice.expect_with("device", moved);
    rig.assert_sink_plays("C_spk", 1000.0);
    drop(hurried);

    rig.pactl(&["set-default-sink", "A_spk"]);
    let moved = |event: &serde_json::Value| event["role"] == "output" && event["detail"] == "moved to A_spk";
    alice.expect_with("device", moved);
    rig.assert_hears(Card::A, 1000.0);

    // The microphone too.
    let _other = rig.plug(&["module-null-sink", "sink_name=C_micin", "rate=48000", "channels=2"]);
    let _hurried = rig.record("C_micin");
    let _speaks = rig.speak_into("C_micin", 600.0);
    rig.pactl(&["set-default-source", "C_micin.monitor"]);
    let moved = |event: &serde_json::Value| event["role"] == "input" && event["detail"] == "moved to C_micin.monitor";
    alice.expect_with("device", moved);
    rig.assert_hears(Card::B, 600.0);
    rig.pactl(&["set-default-source", "A_mic"]);
}

/// Where there is no sound server ALSA is spoken to: here by its own plugins, behind which there is one.
#[test]
fn by_alsa_each_hears_the_other_on_devices_that_change_in_the_call() {
    let Some(rig) = rig::take() else { return };
    let (mut alice, _bob, _bob_speaks) = talking_on(&rig, ("alsa:cardA", "alsa:cardA"));
    let alice_speaks = rig.speak(Card::A, 440.0);
    rig.assert_hears(Card::A, 1000.0);
    rig.assert_hears(Card::B, 440.0);
    drop(alice_speaks);
    // From ALSA to the server, and back.
    alice.tell("device output pulseaudio:A_spk");
    device_is(&mut alice, "output", "open");
    rig.assert_hears(Card::A, 1000.0);
    alice.tell("device output alsa:cardA");
    device_is(&mut alice, "output", "open");
    rig.assert_hears(Card::A, 1000.0);
    let _alice_speaks = rig.speak(Card::A, 600.0);
    rig.assert_hears(Card::B, 600.0);
}

#[test]
fn a_sound_server_that_is_killed_and_started_again_is_found() {
    let Some(rig) = rig::take() else { return };
    let server = rig.other_server();
    let folder = server.folder().to_owned();
    let _bob = rig.baresip("bob", Some(Card::B), Answers::Itself);
    let mut alice = rig.registered(&Setup { server: Some(folder), ..Setup::default() });
    alice.tell("call bob");
    alice.expect("established");
    drop(server);
    both_are(&mut alice, "lost");
    let _server = rig.other_server();
    both_are(&mut alice, "open");
    assert_eq!(alice.state()["calls"].as_array().map(Vec::len), Some(1), "the call goes on");
}

#[test]
fn a_silent_microphone_is_told_in_a_call() {
    let Some(rig) = rig::take() else { return };
    let (mut alice, _bob, _) = talking(&rig);
    let warning = |active: bool| {
        move |event: &serde_json::Value| event["warning"] == "silent_microphone" && event["active"] == active
    };
    alice.expect_with("audio_warning", warning(true));
    let _alice_speaks = rig.speak(Card::A, 440.0);
    alice.expect_with("audio_warning", warning(false));
}
