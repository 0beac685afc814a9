//! Two hundred calls in a row, in and out, none of which may fail.

use serde_json::Value;

use crate::rig;
use crate::rig::phone::Setup;

const CALLS: u32 = 200;

#[test]
fn two_hundred_calls_come_in() {
    let Some(rig) = rig::take() else { return };
    let calls = "auto_answer = true\nmax_calls = 100";
    let mut alice = rig.registered(&Setup { card: None, calls, ..Setup::default() });

    rig.sipp_calls("alice", CALLS, 40).assert_all_went_well();

    for number in 1..=CALLS {
        let ended = alice.expect("ended");
        assert_eq!(ended["by"], "remote", "call {number} of {CALLS}: {ended}");
    }
}

#[test]
fn two_hundred_calls_go_out() {
    let Some(rig) = rig::take() else { return };
    let callee = rig.sipp_answers(CALLS);
    let mut alice = rig.registered(&Setup { card: None, ..Setup::default() });

    for number in 1..=CALLS {
        alice.tell("call sip:uas@127.0.0.1:5991");
        let of_this_call = |event: &Value| event["call"] == number;
        alice.expect_with("established", of_this_call);
        alice.tell("hangup");
        alice.expect_with("ended", of_this_call);
    }

    callee.assert_all_went_well();
}
