//! Many calls, for as long as it takes: afterwards the phone is as it was before.

use std::time::{Duration, Instant};

use crate::rig;
use crate::rig::phone::{Phone, Setup};

/// A transaction lives for 32 s after its last message, at the longest; a busy machine is slower.
const LINGER: Duration = Duration::from_secs(90);

/// The memory when nothing is open any more, and not more files than these.
fn at_rest(alice: &mut Phone, most_files: usize) -> u64 {
    let end = Instant::now() + LINGER;
    loop {
        let state = alice.state();
        let (memory, files) = alice.resources();
        // The history may be written to just then.
        let is_over = state["transactions"] == 0 && state["calls"].as_array().is_some_and(Vec::is_empty);
        if is_over && files <= most_files {
            return memory;
        }
        assert!(Instant::now() < end, "transactions, calls or files are left over: {files} of {most_files}, {state}");
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

    // Fewer files may be open: what the first calls used lingers for a moment.
    let memory_after = at_rest(&mut alice, files);
    println!("{calls} calls: {memory} KB before, {memory_after} KB after");
    // The allocator keeps some of what the busiest moment took; it must not grow with the calls. Without giving back it was
    // 9.7 MB here.
    assert!(memory_after < memory + 4_096 + u64::from(calls) / 50, "memory grew from {memory} to {memory_after} KB");
    alice.tell("quit");
    alice.expect("unregistered");
}
