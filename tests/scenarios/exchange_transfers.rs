//! Sections 2.1 to 2.4 and 2.8 of the draft with phones of ours alone, all by way of the exchange: holding, consulting,
//! transferring, and each way for it to fail.

use offhook::exchange::Service;
use offhook::ua::event::{EndedBy, Event, TransferStage};
use offhook::ua::{CallNo, Command};

use crate::harness::s;
use crate::harness::town::{Town, with_service};
use crate::harness::uri;

fn town() -> Town {
    let mut town = Town::new(vec![("proxy", with_service(Service::default()))]);
    for name in ["alice", "bob", "carol", "dave"] {
        town.phone(name, name);
    }
    town
}

fn hold(town: &mut Town, who: &str, call: CallNo) {
    town.does(who, Command::Hold { call });
    town.wait(who, |event| matches!(event, Event::Held { call: held } if *held == call).then_some(()));
}

fn resumed(town: &mut Town, who: &str, call: CallNo) {
    town.wait(who, |event| matches!(event, Event::Resumed { call: resumed } if *resumed == call).then_some(()));
}

fn transfer(town: &mut Town, who: &str, call: CallNo, to: &str) {
    town.does(who, Command::Transfer { call, target: uri(&format!("sip:{to}@example.com")) });
}

/// What the transfer came to, with the target's code.
fn outcome(town: &mut Town, who: &str) -> (TransferStage, Option<u16>) {
    town.wait(who, |event| match event {
        Event::Transfer { stage: stage @ (TransferStage::Accepted | TransferStage::Failed), code, .. } => {
            Some((*stage, *code))
        }
        _ => None,
    })
}

fn over(town: &mut Town, who: &str, call: CallNo) -> EndedBy {
    town.wait(who, |event| match event {
        Event::Ended { call: ended, by, .. } if *ended == call => Some(*by),
        _ => None,
    })
}

// ---- 2.1, 2.2, 2.8 ----

#[test]
fn section_2_1_call_hold() {
    let mut town = town();
    let (ours, theirs) = town.talk("alice", "bob");
    hold(&mut town, "bob", theirs);
    town.wait("alice", |event| matches!(event, Event::RemoteHeld { .. }).then_some(()));
    town.does("bob", Command::Resume { call: theirs });
    resumed(&mut town, "bob", theirs);
    town.wait("alice", |event| matches!(event, Event::RemoteResumed { .. }).then_some(()));
    // The one who is held hangs up.
    hold(&mut town, "bob", theirs);
    town.hang_up("alice", ours);
    assert_eq!(over(&mut town, "bob", theirs), EndedBy::Remote);
    town.assert_quiescent();
}

#[test]
fn section_2_2_consultation_hold_and_either_may_hang_up() {
    for who_leaves in ["bob", "carol"] {
        let mut town = town();
        let (with_bob, bobs) = town.talk("alice", "bob");
        hold(&mut town, "alice", with_bob);
        let (with_carol, carols) = town.talk("alice", "carol");
        for _ in 0..2 {
            hold(&mut town, "alice", with_carol);
            town.does("alice", Command::Resume { call: with_bob });
            resumed(&mut town, "alice", with_bob);
            hold(&mut town, "alice", with_bob);
            town.does("alice", Command::Resume { call: with_carol });
            resumed(&mut town, "alice", with_carol);
        }
        // Bob is held, Carol is not: whoever leaves, the other call is as it was.
        let (gone, left, stays) = match who_leaves {
            "bob" => (bobs, with_bob, with_carol),
            _ => (carols, with_carol, with_bob),
        };
        town.hang_up(who_leaves, gone);
        assert_eq!(over(&mut town, "alice", left), EndedBy::Remote);
        town.does("alice", Command::Resume { call: stays });
        town.hang_up("alice", stays);
        town.assert_quiescent();
    }
}

/// The sound is mixed by Alice (tests/two_phones.rs hears it): to Bob and Carol it is two calls, and they exchange nothing.
#[test]
fn section_2_8_three_way_call() {
    let mut town = town();
    let (with_bob, bobs) = town.talk("alice", "bob");
    let (with_carol, carols) = town.talk("alice", "carol");
    let between = |town: &Town| {
        town.log
            .iter()
            .filter(|(from, to, _)| {
                (from.as_str(), to.as_str()) == ("bob", "carol") || (from.as_str(), to.as_str()) == ("carol", "bob")
            })
            .count()
    };
    assert_eq!(between(&town), 0);
    // One of the others drops: the rest talks on. The one in the middle drops: all drop.
    town.hang_up("bob", bobs);
    assert_eq!(over(&mut town, "alice", with_bob), EndedBy::Remote);
    town.silent("carol");
    town.hang_up("alice", with_carol);
    assert_eq!(over(&mut town, "carol", carols), EndedBy::Remote);
    town.assert_quiescent();
}

// ---- 2.3 ----

/// B is sent from A to C, and then from C to D, as the draft tells it.
#[test]
fn section_2_3_unattended_transfer_and_once_more() {
    let mut town = town();
    let (with_bob, bobs) = town.talk("alice", "bob");
    transfer(&mut town, "alice", with_bob, "carol");
    let with_carol = town.follows("bob");
    let carols = town.rings("carol");
    town.answer("carol", carols);
    assert_eq!(outcome(&mut town, "alice"), (TransferStage::Accepted, Some(200)));
    town.established("bob");
    assert_eq!(over(&mut town, "bob", bobs), EndedBy::Remote);

    transfer(&mut town, "carol", carols, "dave");
    town.follows("bob");
    let daves = town.rings("dave");
    town.answer("dave", daves);
    assert_eq!(outcome(&mut town, "carol"), (TransferStage::Accepted, Some(200)));
    town.established("bob");
    assert_eq!(over(&mut town, "bob", with_carol), EndedBy::Remote);
    town.hang_up("dave", daves);
    town.ended("bob");
    town.assert_quiescent();
}

/// The target is busy, refuses, does not answer, has vanished: B comes back.
#[test]
fn section_2_3_the_target_fails_and_b_comes_back() {
    for (what, code) in [("busy", 486), ("refuses", 603), ("no answer", 408), ("vanished", 408), ("nobody", 404)] {
        let mut town = town();
        let (with_bob, bobs) = town.talk("alice", "bob");
        if what == "vanished" {
            town.switch_off("carol");
        }
        transfer(&mut town, "alice", with_bob, if what == "nobody" { "nobody" } else { "carol" });
        let second = town.follows("bob");
        match what {
            "busy" | "refuses" => {
                let carols = town.rings("carol");
                town.reject("carol", carols, code);
            }
            _ => {}
        }
        let (stage, told) = outcome(&mut town, "alice");
        assert_eq!(stage, TransferStage::Failed, "{what}");
        // Carol rings longer than Alice waits for a report: nobody tells.
        match what {
            "no answer" => assert_eq!(told, None),
            _ => assert_eq!(told, Some(code), "{what}\n{}", town.ladder().join("\n")),
        }
        resumed(&mut town, "alice", with_bob);
        if what == "no answer" {
            town.hang_up("bob", second);
        }
        town.hang_up("alice", with_bob);
        assert_eq!(over(&mut town, "bob", bobs), EndedBy::Remote, "{what}");
        town.advance(s(200));
        town.assert_quiescent();
    }
}

/// Carol answers when Alice has stopped waiting: Bob has two calls then, and Alice is not cut off.
#[test]
fn section_2_3_the_target_answers_late() {
    let mut town = town();
    let (with_bob, bobs) = town.talk("alice", "bob");
    transfer(&mut town, "alice", with_bob, "carol");
    town.follows("bob");
    let carols = town.rings("carol");
    town.advance(s(70));
    assert_eq!(outcome(&mut town, "alice"), (TransferStage::Failed, None));
    town.answer("carol", carols);
    town.established("bob");
    resumed(&mut town, "alice", with_bob);
    town.hang_up("carol", carols);
    town.hang_up("alice", with_bob);
    assert_eq!(over(&mut town, "bob", bobs), EndedBy::Remote);
    town.assert_quiescent();
}

/// The network loses every report: Alice takes Bob back after a minute, although he talks with Carol.
#[test]
fn section_2_3_the_network_loses_the_notify() {
    let mut town = town();
    let (with_bob, bobs) = town.talk("alice", "bob");
    town.loses(|_, _, what| what == "NOTIFY");
    transfer(&mut town, "alice", with_bob, "carol");
    town.follows("bob");
    let carols = town.rings("carol");
    town.answer("carol", carols);
    town.established("carol");
    let begun = town.now;
    assert_eq!(outcome(&mut town, "alice"), (TransferStage::Failed, None));
    assert!((55..=61).contains(&(town.now - begun).as_secs()), "{:?}", town.now - begun);
    town.hang_up("alice", with_bob);
    assert_eq!(over(&mut town, "bob", bobs), EndedBy::Remote);
    town.hang_up("carol", carols);
    town.advance(s(60));
    town.assert_quiescent();
}

/// It loses the first copy of each report: repeated, they arrive.
#[test]
fn section_2_3_the_network_loses_each_notify_once() {
    let mut town = town();
    let (with_bob, _) = town.talk("alice", "bob");
    let mut lost = 0;
    town.loses(move |from, _, what| {
        lost += usize::from(from == "bob" && what == "NOTIFY");
        from == "bob" && what == "NOTIFY" && lost % 2 == 1
    });
    transfer(&mut town, "alice", with_bob, "carol");
    town.follows("bob");
    let carols = town.rings("carol");
    town.answer("carol", carols);
    assert_eq!(outcome(&mut town, "alice"), (TransferStage::Accepted, Some(200)));
    town.hang_up("carol", carols);
    town.assert_quiescent();
}

/// Both sides of a call send each other away at the same time: each follows, and nobody hangs on.
#[test]
fn section_2_3_two_transfers_at_once() {
    let mut town = town();
    let (with_bob, with_alice) = town.talk("alice", "bob");
    hold(&mut town, "alice", with_bob);
    hold(&mut town, "bob", with_alice);
    transfer(&mut town, "alice", with_bob, "carol");
    transfer(&mut town, "bob", with_alice, "dave");
    town.follows("bob");
    town.follows("alice");
    let (carols, daves) = (town.rings("carol"), town.rings("dave"));
    town.answer("carol", carols);
    town.answer("dave", daves);
    town.established("carol");
    town.established("dave");
    town.established("alice");
    town.established("bob");
    over(&mut town, "alice", with_bob);
    over(&mut town, "bob", with_alice);
    town.hang_up("carol", carols);
    town.hang_up("dave", daves);
    town.assert_quiescent();
}

/// Two calls of one phone are transferred at the same time.
#[test]
fn section_2_3_two_calls_are_transferred_at_once() {
    let mut town = town();
    let (with_bob, bobs) = town.talk("alice", "bob");
    let (with_carol, carols) = town.talk("alice", "carol");
    transfer(&mut town, "alice", with_bob, "dave");
    transfer(&mut town, "alice", with_carol, "dave");
    town.follows("bob");
    town.follows("carol");
    let (first, second) = (town.rings("dave"), town.rings("dave"));
    town.answer("dave", first);
    town.reject("dave", second, 486);
    let mut outcomes = [outcome(&mut town, "alice"), outcome(&mut town, "alice")];
    outcomes.sort_by_key(|(_, code)| *code);
    assert_eq!(outcomes, [(TransferStage::Accepted, Some(200)), (TransferStage::Failed, Some(486))]);
    let _ = (bobs, carols);
    town.hang_up("dave", first);
    town.advance(s(1));
    for call in [with_bob, with_carol] {
        town.gives_up("alice", call);
    }
    town.assert_quiescent();
}

/// The one who is to be sent on hangs up before the target answers.
#[test]
fn section_2_3_the_held_party_hangs_up() {
    let mut town = town();
    let (with_bob, bobs) = town.talk("alice", "bob");
    transfer(&mut town, "alice", with_bob, "carol");
    let second = town.follows("bob");
    town.rings("carol");
    town.hang_up("bob", second);
    town.hang_up("bob", bobs);
    over(&mut town, "alice", with_bob);
    town.ended("carol");
    town.assert_quiescent();
}

// ---- 2.4 ----

/// Alice talks with Bob, who is held, and with Carol.
fn consulting(town: &mut Town) -> [(CallNo, CallNo); 2] {
    let (with_bob, bobs) = town.talk("alice", "bob");
    hold(town, "alice", with_bob);
    let (with_carol, carols) = town.talk("alice", "carol");
    town.does("alice", Command::TransferWith { call: with_bob, with: with_carol });
    [(with_bob, bobs), (with_carol, carols)]
}

#[test]
fn section_2_4_attended_transfer() {
    let mut town = town();
    let [(with_bob, bobs), (with_carol, carols)] = consulting(&mut town);
    let with_target = town.follows("bob");
    // Nobody decides: it takes the place of a call that stands.
    let taken = town.wait("carol", |event| match event {
        Event::AnswerDue { call, replaces: Some(replaced) } => Some((*call, *replaced)),
        _ => None,
    });
    assert_eq!(taken.1, carols);
    town.answer("carol", taken.0);
    assert_eq!(outcome(&mut town, "alice"), (TransferStage::Accepted, Some(200)));
    for call in [with_bob, with_carol] {
        town.gives_up("alice", call);
    }
    over(&mut town, "bob", bobs);
    town.hang_up("bob", with_target);
    assert_eq!(over(&mut town, "carol", taken.0), EndedBy::Remote);
    town.assert_quiescent();
}

/// The target has hung up before the transferee's call comes: both calls are as they were, as far as they stand.
#[test]
fn section_2_4_the_target_has_hung_up() {
    let mut town = town();
    let (with_bob, bobs) = town.talk("alice", "bob");
    hold(&mut town, "alice", with_bob);
    let (with_carol, carols) = town.talk("alice", "carol");
    town.does("alice", Command::TransferWith { call: with_bob, with: with_carol });
    town.hang_up("carol", carols);
    town.follows("bob");
    over(&mut town, "alice", with_carol);
    assert_eq!(outcome(&mut town, "alice").0, TransferStage::Failed);
    town.does("alice", Command::Resume { call: with_bob });
    resumed(&mut town, "alice", with_bob);
    town.hang_up("alice", with_bob);
    over(&mut town, "bob", bobs);
    town.assert_quiescent();
}

/// The target's phone is gone: the person has both calls.
#[test]
fn section_2_4_the_target_has_vanished() {
    let mut town = town();
    let [(with_bob, bobs), (with_carol, _)] = consulting(&mut town);
    town.switch_off("carol");
    town.follows("bob");
    assert_eq!(outcome(&mut town, "alice").0, TransferStage::Failed);
    town.does("alice", Command::Resume { call: with_bob });
    resumed(&mut town, "alice", with_bob);
    town.hang_up("alice", with_carol);
    town.hang_up("alice", with_bob);
    over(&mut town, "bob", bobs);
    town.advance(s(60));
    town.assert_quiescent();
}

/// The held party hangs up while it is sent on.
#[test]
fn section_2_4_the_held_party_hangs_up() {
    let mut town = town();
    let [(with_bob, bobs), (with_carol, carols)] = consulting(&mut town);
    town.wait("bob", |event| matches!(event, Event::TransferRequest { .. }).then_some(()));
    town.hang_up("bob", bobs);
    over(&mut town, "alice", with_bob);
    town.hang_up("alice", with_carol);
    assert_eq!(over(&mut town, "carol", carols), EndedBy::Remote);
    town.assert_quiescent();
}
