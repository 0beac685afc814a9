//! What the phone warns of, with real sound: a microphone that is too loud, a speaker that runs dry.

use std::time::{Duration, Instant};

use serde_json::Value;

use crate::rig::baresip::Answers;
use crate::rig::sound::Card;
use crate::rig::{self, DEADLINE};

fn warning(name: &'static str, active: bool) -> impl Fn(&Value) -> bool {
    move |event| event["warning"] == name && event["active"] == active
}

#[test]
fn a_microphone_that_is_too_loud_is_told_and_taken_back() {
    let Some(rig) = rig::take() else { return };
    let _bob = rig.baresip("bob", Some(Card::B), Answers::Itself);
    let mut alice = rig.alice();
    alice.tell("call bob");
    alice.expect("established");
    let loud = rig.shout(Card::A, 440.0);
    alice.expect_with("audio_warning", warning("clipping", true));
    drop(loud);
    alice.expect_with("audio_warning", warning("clipping", false));
}

#[test]
fn a_speaker_that_runs_dry_is_told() {
    let Some(rig) = rig::take() else { return };
    let _bob = rig.baresip("bob", Some(Card::B), Answers::Itself);
    let mut alice = rig.alice();
    alice.tell("call bob");
    alice.expect("established");
    let _bob_speaks = rig.speak(Card::B, 1000.0);
    rig.assert_hears(Card::A, 1000.0);
    // A machine that is far too busy: the phone gets no processor for a quarter of a second, again and again.
    let end = Instant::now() + DEADLINE;
    while !alice.tells_within(Duration::from_millis(250), "audio_warning", warning("speaker_dry", true)) {
        assert!(Instant::now() < end, "no warning");
        alice.signal(libc::SIGSTOP);
        rig.wire().count_during(Duration::from_millis(250), |_| true);
        alice.signal(libc::SIGCONT);
    }
    // With a processor again it learns how early the sound server needs what, and the warning ends.
    alice.expect_with("audio_warning", warning("speaker_dry", false));
    rig.assert_hears(Card::A, 1000.0);
}
