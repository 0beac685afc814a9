//! The ring device, apart from the speaker: what rings, where, and what becomes of it while it does.

use serde_json::Value;

use crate::rig::baresip::{Answers, Baresip};
use crate::rig::phone::Phone;
use crate::rig::{self, Rig};

/// What rings, in Hz.
const RING: f64 = 700.0;

fn ring_is(phone: &mut Phone, state: &str) -> Value {
    phone.expect_with("device", |event| event["role"] == "ring" && event["state"] == state)
}

/// alice, whose phone rings with a tone at this device, and bob, who calls her.
fn ringing(rig: &Rig, device: &str) -> (Phone, Baresip) {
    let mut alice = rig.alice();
    alice.tell(&format!("set audio.ring_tone {}", rig.tone_file(RING).display()));
    alice.tell(&format!("device ring {device}"));
    let mut bob = rig.baresip("bob", None, Answers::Itself);
    bob.tell("dial", "sip:alice@127.0.0.1");
    alice.expect("incoming");
    ring_is(&mut alice, "open");
    (alice, bob)
}

#[test]
fn a_file_rings_at_its_own_device_and_another_one_takes_over_without_a_gap() {
    let Some(rig) = rig::take() else { return };
    let _first = rig.plug(&["module-remap-sink", "sink_name=first_bell", "master=A_spk"]);
    let _second = rig.plug(&["module-remap-sink", "sink_name=second_bell", "master=A_spk"]);
    let (mut alice, mut bob) = ringing(&rig, "first_bell");
    rig.assert_sink_plays("A_spk", RING);
    let mut ear = rig.record("A_spk");
    // Three times without a gap: a machine that stands still makes some of its own.
    let (mut good, mut gaps) = (0, Vec::new());
    for device in ["second_bell", "first_bell"].into_iter().cycle().take(30) {
        ear.forget();
        ear.wait_for_sound(300);
        alice.tell(&format!("device ring {device}"));
        ring_is(&mut alice, "open");
        ear.catch_up();
        ear.wait_for_sound(600);
        good += usize::from(ear.longest_gap() < 100);
        gaps.push(ear.longest_gap());
        if good >= 3 && device == "second_bell" {
            break;
        }
    }
    assert!(good >= 3, "it does not ring for so many ms each time: {gaps:?}");
    rig.assert_sink_plays("second_bell", RING);
    // It stops when the call is answered.
    alice.tell("answer");
    alice.expect("established");
    ring_is(&mut alice, "closed");
    alice.tell("hangup");
    bob.expect("CALL_CLOSED");
}

#[test]
fn a_bell_that_is_unplugged_three_times_rings_again() {
    let Some(rig) = rig::take() else { return };
    let bell = || rig.plug(&["module-null-sink", "sink_name=bell", "rate=48000", "channels=2"]);
    let mut plugged = bell();
    let (mut alice, mut bob) = ringing(&rig, "bell");
    for _ in 0..3 {
        let _hurried = rig.record("bell");
        rig.assert_sink_plays("bell", RING);
        drop(plugged);
        ring_is(&mut alice, "lost");
        plugged = bell();
        ring_is(&mut alice, "open");
    }
    rig.assert_sink_plays("bell", RING);
    alice.tell("reject");
    alice.expect("ended");
    bob.expect("CALL_CLOSED");
}

#[test]
fn the_default_bell_moves_along_with_the_system_s() {
    let Some(rig) = rig::take() else { return };
    let _other = rig.plug(&["module-null-sink", "sink_name=C_spk", "rate=48000", "channels=2"]);
    rig.pactl(&["set-default-sink", "A_spk"]);
    let (mut alice, mut bob) = ringing(&rig, "default");
    rig.assert_sink_plays("A_spk", RING);
    let _hurried = rig.record("C_spk");
    rig.pactl(&["set-default-sink", "C_spk"]);
    alice.expect_with("device", |event| event["role"] == "ring" && event["detail"] == "moved to C_spk");
    rig.assert_sink_plays("C_spk", RING);
    rig.pactl(&["set-default-sink", "A_spk"]);
    bob.tell("hangup", "");
    alice.expect("ended");
}
