//! Many calls, for as long as it takes: afterwards the phone is as it was before.

use std::time::{Duration, Instant};

use crate::rig;
use crate::rig::phone::{Phone, Setup};

/// A transaction lives for 32 s after its last message, at the longest.
const LINGER: Duration = Duration::from_secs(40);

/// Memory and files when nothing is open any more.
fn at_rest(alice: &mut Phone) -> (u64, usize) {
    let end = Instant::now() + LINGER;
    loop {
        let state = alice.state();
        if state["transactions"] == 0 && state["calls"].as_array().is_some_and(Vec::is_empty) {
            return alice.resources();
        }
        assert!(Instant::now() < end, "transactions or calls are left over: {state}");
        std::thread::sleep(Duration::from_millis(500));
    }
}

/// `OFFHOOK_SOAK_CALLS` makes it longer: see benches/README.md.
#[test]
fn two_thousand_calls_leave_nothing_behind() {
    let Some(rig) = rig::take() else { return };
    let calls: u32 = std::env::var("OFFHOOK_SOAK_CALLS").ok().and_then(|calls| calls.parse().ok()).unwrap_or(2_000);
    let setup = Setup { card: None, calls: "auto_answer = true\nmax_calls = 500", ..Setup::default() };
    let mut alice = rig.registered(&setup);
    // What is allocated once is allocated now, and the history, which keeps the last 1,000 calls, is full.
    rig.sipp_calls("alice", 1_000, 50).assert_all_went_well();
    for _ in 0..1_000 {
        alice.expect("ended");
    }
    let (memory, files) = alice.resources();

    for round in 0..calls.div_ceil(500) {
        rig.sipp_calls("alice", 500.min(calls - 500 * round), 50).assert_all_went_well();
        // The registration is refreshed between.
        alice.tell("register");
        alice.expect("registered");
    }

    let (memory_after, files_after) = at_rest(&mut alice);
    // Fewer may be open: what the first calls used lingers for a moment.
    assert!(files_after <= files, "files are left open: {files_after} after {files}");
    println!("{calls} calls: {memory} KB before, {memory_after} KB after");
    // The allocator keeps some of what the busiest moment took; it must not grow with the calls. Without giving back it was
    // 9.7 MB here.
    assert!(memory_after < memory + 4_096 + u64::from(calls) / 50, "memory grew from {memory} to {memory_after} KB");
    alice.tell("quit");
    alice.expect("unregistered");
}
