//! Nonsense and latecomers by way of a real socket: SIPp says what no phone should, and then a call goes as ever.

use crate::rig;
use crate::rig::phone::{Phone, Setup};

/// The port of the phone: that of its Contact.
fn port(alice: &mut Phone) -> u16 {
    let registered = alice.expect("registered");
    let contact = registered["contact"].as_str().unwrap_or_default();
    contact.rsplit(':').next().and_then(|port| port.parse().ok()).expect("a port")
}

#[test]
fn a_call_goes_well_after_nonsense() {
    let Some(rig) = rig::take() else { return };
    let mut alice = rig.phone(&Setup { card: None, calls: "auto_answer = true", ..Setup::default() });
    let port = port(&mut alice);

    rig.sipp_says("nonsense", include_str!("configs/nonsense.xml"), port, 50).assert_all_went_well();

    rig.sipp_calls("alice", 3, 10).assert_all_went_well();
    for _ in 0..3 {
        assert_eq!(alice.expect("ended")["by"], "remote");
    }
}

#[test]
fn a_call_goes_well_after_latecomers() {
    let Some(rig) = rig::take() else { return };
    let mut alice = rig.phone(&Setup { card: None, calls: "auto_answer = true\nmax_calls = 100", ..Setup::default() });
    let port = port(&mut alice);

    rig.sipp_says("late", include_str!("configs/late.xml"), port, 20).assert_all_went_well();

    for _ in 0..20 {
        assert_eq!(alice.expect("ended")["by"], "remote");
    }
    assert_eq!(alice.state()["calls"].as_array().map(Vec::len), Some(0));
    rig.sipp_calls("alice", 3, 10).assert_all_went_well();
}
