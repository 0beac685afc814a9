//! The echo of a room, made of Pulse: what card A's speaker plays comes out of its microphone too, softer and later.

use crate::rig::baresip::Answers;
use crate::rig::phone::Setup;
use crate::rig::sound::Card;
use crate::rig::{self, Rig};

/// From the speaker to the microphone.
const LATER_MS: u32 = 40;
/// Two times what bob says.
const SECONDS: usize = 10;
/// Softer by 12 dB (Pulse counts 65,536 as unchanged, with a cube as its curve).
const VOLUME: u32 = 41_350;

/// The loudness of what bob hears in the next seconds, in dBFS.
fn heard(rig: &Rig, seconds: usize) -> f64 {
    let loudness = rig.loudness(Card::B, seconds);
    20.0 * (loudness.max(0.1) / 32_768.0).log10()
}

#[test]
fn the_other_side_does_not_hear_himself() {
    does_not_hear_himself("PCMU", "pcmu");
}

/// At 48 kHz.
#[test]
fn nor_in_opus() {
    does_not_hear_himself("opus", "opus/48000/2");
}

fn does_not_hear_himself(ours: &str, theirs: &str) {
    let Some(rig) = rig::take() else { return };
    let later = format!("latency_msec={LATER_MS}");
    let module = rig.pactl(&["load-module", "module-loopback", "source=A_spk.monitor", "sink=A_micin", &later]);
    let inputs = rig.pactl(&["list", "short", "sink-inputs"]);
    let input = inputs.lines().find(|line| line.contains("loopback")).and_then(|line| line.split('\t').next());
    rig.pactl(&["set-sink-input-volume", input.expect("the loopback"), &VOLUME.to_string()]);

    let media = format!("audio_codecs={theirs};ptime=20");
    let mut bob = rig.baresip_with("bob", Some(Card::B), Answers::Itself, &media);
    let mut alice = rig.phone_with(&Setup::default(), &format!("codecs = [\"{ours}\"]"));
    alice.expect("registered");
    alice.tell("call bob");
    alice.expect("established");
    bob.expect("CALL_ESTABLISHED");
    let _bob_speaks = rig.say(Card::B, "speech-far.wav");
    heard(&rig, 2);
    let before = alice.processor_time();
    let with_echo = heard(&rig, SECONDS);
    let cost_without = alice.processor_time() - before;
    assert!(with_echo > -50.0, "bob hears himself, at {with_echo:.1} dBFS");

    alice.ask("audio echo on");
    heard(&rig, 3);
    // Where the machine stands still the echo comes at another time, and has to be found again.
    let mut tries = 0;
    let (without, cost_with) = loop {
        let before = alice.processor_time();
        let without = heard(&rig, SECONDS);
        tries += 1;
        if with_echo - without > 15.0 || tries == 6 {
            break (without, alice.processor_time() - before);
        }
    };
    let processed = |event: &serde_json::Value| event["processing"]["echo"] == true;
    let erle = |event: &serde_json::Value| event["processing"]["erle_db"].as_f64().unwrap_or_default();
    // The first ones are from before it had found the echo.
    let stats = alice.expect_with("stats", |event| processed(event) && erle(event) > 10.0);
    println!(
        "{ours}: bob hears himself at {with_echo:.1} dBFS, with echo cancellation {without:.1}; {}",
        stats["processing"]
    );
    let percent = |seconds: f64| 100.0 * seconds / SECONDS as f64;
    println!("processor: {:.1} % of one without, {:.1} % with", percent(cost_without), percent(cost_with));
    assert!(with_echo - without > 15.0, "{with_echo:.1} dBFS became {without:.1}");
    assert!(stats["processing"]["us_per_10ms"].as_f64().is_some_and(|cost| cost > 0.0), "{stats}");
    let alice_speaks = rig.say(Card::A, "speech-near.wav");
    heard(&rig, 2);
    let both = heard(&rig, SECONDS);
    println!("both speak: bob hears {both:.1} dBFS; {}", alice.expect_with("stats", processed)["processing"]);
    assert!(both > -40.0, "alice is heard while bob speaks, at {both:.1} dBFS");
    drop(alice_speaks);
    rig.pactl(&["unload-module", module.trim()]);
}
