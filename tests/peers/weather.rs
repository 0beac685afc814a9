//! What the phone says of a bad road, beside what the road really did; and a handshake that has to get through it.

use std::sync::MutexGuard;
use std::time::Duration;

use serde_json::Value;

use crate::rig::baresip::{Answers, Baresip};
use crate::rig::kamailio::Role;
use crate::rig::phone::{Phone, Setup};
use crate::rig::relay::Weather;
use crate::rig::sound::Card;
use crate::rig::{self, DEADLINE, Rig};

fn rig_with_a_road() -> Option<MutexGuard<'static, Rig>> {
    let mut rig = rig::take()?;
    rig.restart_registrar(Role::Relayed);
    Some(rig)
}

fn number(stats: &Value, name: &str) -> f64 {
    stats[name].as_f64().unwrap_or_else(|| panic!("no {name} in {stats}"))
}

/// Figures of a whole interval on this road, once RTCP has brought those of the other side. Passed by: the ones of before.
fn settled(alice: &mut Phone) -> Value {
    alice.expect_with("stats", |stats| stats["rtt_ms"].is_number() && stats["loss_remote"].is_number());
    alice.expect_with("stats", |stats| stats["rtt_ms"].is_number())
}

/// alice talks to bob on this road.
fn talking(rig: &Rig) -> (Phone, Baresip) {
    let mut bob = rig.baresip("bob", Some(Card::B), Answers::Itself);
    let mut alice = rig.alice();
    alice.tell("call sip:bob@127.0.0.1");
    alice.expect("established");
    bob.expect("CALL_ESTABLISHED");
    (alice, bob)
}

#[test]
fn the_round_trip_is_that_of_the_road() {
    let Some(rig) = rig_with_a_road() else { return };
    let _road = rig.relay(Weather { delay: Duration::from_millis(60), ..Weather::default() });
    let (mut alice, _bob) = talking(&rig);
    let mut stats = settled(&mut alice);
    // A busy machine keeps packets waiting for an interval or two, never the other way round.
    let is_right = |stats: &Value| {
        number(stats, "rtt_ms") < 170.0
            && number(stats, "loss") < 0.05
            && number(stats, "loss_remote") < 0.05
            && number(stats, "mos") > 3.5
            && number(stats, "mos_remote") > 3.5
    };
    for left in (0..10).rev() {
        assert!(number(&stats, "rtt_ms") >= 118.0, "{stats}");
        if is_right(&stats) {
            break;
        }
        assert!(left > 0, "{stats}");
        stats = settled_again(&mut alice);
    }
}

#[test]
fn loss_and_jitter_are_those_of_the_road_both_ways() {
    let Some(rig) = rig_with_a_road() else { return };
    let jitter = Duration::from_millis(30);
    let road = rig.relay(Weather { jitter, loss: 0.15, ..Weather::default() });
    let (mut alice, _bob) = talking(&rig);
    let (mut heard, mut remote, mut stats) = (Vec::new(), Vec::new(), settled(&mut alice));
    let mean = |all: &[f64]| all.iter().sum::<f64>() / all.len() as f64;
    // RFC 3550 section 6.4.1: the mean difference of two that are evenly spread is a third of the span. A machine that stands
    // still makes some of its own, but not in each interval.
    let is_spread = |stats: &Value, name: &str| (5.0..20.0).contains(&number(stats, name));
    let (mut jitter, mut jitter_remote, mut mos) = (false, false, false);
    while heard.len() < 4 || !(jitter && jitter_remote && mos) {
        assert!(heard.len() < 12, "jitter {jitter}, at the other side {jitter_remote}, mos {mos}: {stats}");
        heard.push(number(&stats, "loss"));
        remote.push(number(&stats, "loss_remote"));
        jitter |= is_spread(&stats, "jitter_ms");
        jitter_remote |= is_spread(&stats, "jitter_remote_ms");
        mos |= number(&stats, "mos") < 4.0;
        stats = settled_again(&mut alice);
    }
    // 1,000 packets: three standard deviations are 0.034.
    assert!((mean(&heard) - 0.15).abs() < 0.05, "we lose {heard:?}");
    assert!((mean(&remote) - 0.15).abs() < 0.08, "he loses {remote:?}");
    assert!(road.lost() > 100);
}

fn settled_again(alice: &mut Phone) -> Value {
    alice.expect_with("stats", |stats| stats["rtt_ms"].is_number() && stats["loss_remote"].is_number())
}

#[test]
fn a_dtls_handshake_gets_through_a_road_that_loses_a_quarter() {
    let Some(rig) = rig_with_a_road() else { return };
    let road = rig.relay(Weather { loss: 0.25, ..Weather::default() });
    let mut bob = rig.baresip_encrypting("bob", Some(Card::B), Answers::Itself, "dtls_srtp");
    let mut alice = rig.registered(&Setup { account: "srtp_keying = \"dtls\"", ..Setup::default() });
    for round in 0..4 {
        if round % 2 == 0 {
            alice.tell("call sip:bob@127.0.0.1");
        } else {
            bob.tell("dial", "sip:alice@127.0.0.1");
            alice.expect("incoming");
            alice.tell("answer");
        }
        let established = alice.expect("established");
        assert_eq!(established["keying"], "dtls", "{established}");
        if established["srtp"] != true {
            // Each flight may have to go again: after 1 s by baresip, after 2, after 4.
            let keyed = alice.tells_within(2 * DEADLINE, "security", |event| event["srtp"] == true);
            assert!(keyed, "round {round}: no keys, {} packets lost", road.lost());
        }
        alice.expect_with("stats", |stats| stats["received"].as_u64().is_some_and(|received| received > 50));
        alice.tell("hangup");
        alice.expect("ended");
        bob.expect("CALL_CLOSED");
    }
    assert!(road.lost() > 0);
}

#[test]
fn somebody_who_forges_the_fingerprint_gets_no_sound_and_is_told() {
    let Some(mut rig) = rig::take() else { return };
    rig.restart_registrar(Role::Forging);
    let mut bob = rig.baresip_encrypting("bob", Some(Card::B), Answers::Itself, "dtls_srtp");
    let mut alice = rig.registered(&Setup { account: "srtp_keying = \"dtls\"", ..Setup::default() });
    let _bob_speaks = rig.speak(Card::B, 1000.0);
    for we_call in [true, false] {
        rig.wire().clear();
        if we_call {
            alice.tell("call sip:bob@127.0.0.1");
        } else {
            bob.tell("dial", "sip:alice@127.0.0.1");
            alice.expect("incoming");
            alice.tell("answer");
        }
        let error = alice.expect("error");
        assert!(error["message"].as_str().is_some_and(|text| text.contains("somebody may sit between")), "{error}");
        let ended = alice.expect("ended");
        assert_eq!(ended["rtp"]["sent"], 0, "nothing was said to whoever it is: {ended}");
        // Whom the alert told may hang up before we do.
        let by_us = ended["reason"].as_str().is_some_and(|text| text.contains("certificate"));
        assert!(by_us || ended["by"] == "remote", "{ended}");
        bob.expect("CALL_CLOSED");
    }
}
