//! The main flows between our own user agents, over a network that loses, doubles and reorders: every call ends in the
//! right state, and nothing is left over.

use std::time::Duration;

use offhook::ua::config::TransferPolicy;
use offhook::ua::event::{EndedBy, Event, TransferStage};
use offhook::ua::{CallNo, Command, Config};

use crate::harness::network::{BAD, Link, Network, PERFECT, REGISTRAR};
use crate::harness::*;

const SEEDS: u64 = 200;
/// Longer than any transaction tries.
const PATIENCE: Duration = s_const(60);

const fn s_const(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

/// Runs a flow on a good network first, then on bad ones.
fn on_networks(phones: usize, flow: impl Fn(&mut Network)) {
    with_config(Config { transfers: TransferPolicy::Follow, ..direct() }, phones, flow);
}

fn with_config(config: Config, phones: usize, flow: impl Fn(&mut Network)) {
    let run = |seed: u64, link: Link| {
        let config = Config { max_calls: 3, ..config.clone() };
        let configs = vec![config; phones];
        let mut network = Network::new(seed, link, configs);
        flow(&mut network);
        network.assert_quiescent();
    };
    run(0, PERFECT);
    for seed in 1..=SEEDS {
        run(seed, BAD);
    }
}

fn incoming(network: &mut Network, place: usize) -> CallNo {
    network.wait(place, PATIENCE, |event| match event {
        Event::Incoming { call, .. } => Some(*call),
        _ => None,
    })
}

fn established(network: &mut Network, place: usize, call: CallNo) {
    network
        .wait(place, PATIENCE, |event| matches!(event, Event::Established { call: no } if *no == call).then_some(()));
}

fn ended(network: &mut Network, place: usize, call: CallNo) -> (EndedBy, Option<u16>) {
    network.wait(place, s(100), |event| match event {
        Event::Ended { call: no, by, code, .. } if *no == call => Some((*by, *code)),
        _ => None,
    })
}

/// The first calls the second, and it answers.
fn call(network: &mut Network, from: usize, to: usize) -> (CallNo, CallNo) {
    let ours = network.dial(from, to);
    let theirs = incoming(network, to);
    network.advance(s(2));
    network.command(to, Command::Answer { call: theirs, media: MEDIA }).unwrap();
    established(network, from, ours);
    (ours, theirs)
}

fn told(network: &mut Network, place: usize, wanted: impl Fn(&Event) -> bool) {
    network.wait(place, PATIENCE, |event| wanted(event).then_some(()));
}

#[test]
fn call_and_hang_up() {
    on_networks(2, |network| {
        let (ours, theirs) = call(network, 0, 1);
        network.advance(s(5));
        network.command(1, Command::Hangup { call: theirs }).unwrap();
        assert_eq!(ended(network, 0, ours).0, EndedBy::Remote);
        assert_eq!(ended(network, 1, theirs).0, EndedBy::Local);
    });
}

#[test]
fn ringing_reliably() {
    with_config(Config { reliable_ringing: true, ..direct() }, 2, |network| {
        let ours = network.dial(0, 1);
        let theirs = incoming(network, 1);
        // However bad the network: the caller hears that it rings.
        told(network, 0, |event| matches!(event, Event::Ringing { code: 180, .. }));
        network.command(1, Command::Answer { call: theirs, media: MEDIA }).unwrap();
        established(network, 0, ours);
        network.advance(s(40));
        network.command(0, Command::Hangup { call: ours }).unwrap();
        ended(network, 1, theirs);
    });
}

#[test]
fn refreshing() {
    with_config(Config { session_expires: s(90), ..direct() }, 2, |network| {
        let (ours, theirs) = call(network, 0, 1);
        // The called one refreshes. No call that both sides want is lost.
        network.advance(s(1000));
        network.command(0, Command::Hangup { call: ours }).unwrap();
        assert_eq!(ended(network, 1, theirs).0, EndedBy::Remote);
    });
}

#[test]
fn hang_up_at_once() {
    on_networks(2, |network| {
        let ours = network.dial(0, 1);
        let theirs = incoming(network, 1);
        network.command(1, Command::Answer { call: theirs, media: MEDIA }).unwrap();
        network.command(1, Command::Hangup { call: theirs }).unwrap();
        ended(network, 0, ours);
        ended(network, 1, theirs);
    });
}

#[test]
fn hold_and_resume() {
    on_networks(2, |network| {
        let (ours, theirs) = call(network, 0, 1);
        for (holder, call, held) in [(0, ours, 1), (1, theirs, 0)] {
            network.command(holder, Command::Hold { call }).unwrap();
            told(network, holder, |event| matches!(event, Event::Held { .. }));
            told(network, held, |event| matches!(event, Event::RemoteHeld { .. }));
            network.command(holder, Command::Resume { call }).unwrap();
            told(network, holder, |event| matches!(event, Event::Resumed { .. }));
            told(network, held, |event| matches!(event, Event::RemoteResumed { .. }));
        }
        network.command(0, Command::Hangup { call: ours }).unwrap();
        assert_eq!(ended(network, 1, theirs).0, EndedBy::Remote);
    });
}

#[test]
fn both_hold_at_once() {
    on_networks(2, |network| {
        let (ours, theirs) = call(network, 0, 1);
        network.advance(s(10));
        network.command(0, Command::Hold { call: ours }).unwrap();
        network.command(1, Command::Hold { call: theirs }).unwrap();
        told(network, 0, |event| matches!(event, Event::Held { .. }));
        told(network, 1, |event| matches!(event, Event::Held { .. }));
        network.command(0, Command::Hangup { call: ours }).unwrap();
        ended(network, 1, theirs);
    });
}

#[test]
fn transfer_among_three() {
    on_networks(3, |network| {
        // Phone 1 called phone 0, and phone 0 hands it on to phone 2.
        let (theirs, ours) = call(network, 1, 0);
        let target = uri("sip:phone@10.0.0.3:5060");
        network.command(0, Command::Transfer { call: ours, target }).unwrap();
        told(network, 0, |event| matches!(event, Event::Transfer { stage: TransferStage::Trying, .. }));
        told(network, 1, |event| matches!(event, Event::TransferDue { .. }));
        network.command(1, Command::AcceptTransfer { call: theirs, media: MEDIA }).unwrap();
        let third = incoming(network, 2);
        network.advance(s(1));
        network.command(2, Command::Answer { call: third, media: MEDIA }).unwrap();
        told(network, 0, |event| matches!(event, Event::Transfer { stage: TransferStage::Accepted, .. }));
        assert_eq!(ended(network, 0, ours).0, EndedBy::Local);
        assert_eq!(ended(network, 1, theirs).0, EndedBy::Remote);
        assert_eq!(network.nodes[1].ua.calls(), 1, "the new one");
        network.command(2, Command::Hangup { call: third }).unwrap();
        told(network, 1, |event| matches!(event, Event::Ended { by: EndedBy::Remote, .. }));
    });
}

#[test]
fn transfer_to_one_who_refuses() {
    on_networks(3, |network| {
        let (theirs, ours) = call(network, 1, 0);
        let target = uri("sip:phone@10.0.0.3:5060");
        network.command(0, Command::Transfer { call: ours, target }).unwrap();
        told(network, 1, |event| matches!(event, Event::TransferDue { .. }));
        network.command(1, Command::AcceptTransfer { call: theirs, media: MEDIA }).unwrap();
        let third = incoming(network, 2);
        network.command(2, Command::Reject { call: third, code: 486 }).unwrap();
        told(network, 0, |event| {
            matches!(event, Event::Transfer { stage: TransferStage::Failed, code: Some(486), .. })
        });
        told(network, 0, |event| matches!(event, Event::Resumed { .. }));
        network.command(0, Command::Hangup { call: ours }).unwrap();
        assert_eq!(ended(network, 1, theirs).0, EndedBy::Remote);
    });
}

#[test]
fn cancel() {
    on_networks(2, |network| {
        let ours = network.dial(0, 1);
        let theirs = incoming(network, 1);
        network.advance(s(3));
        network.command(0, Command::Hangup { call: ours }).unwrap();
        assert_eq!(ended(network, 0, ours), (EndedBy::Local, Some(487)));
        assert_eq!(ended(network, 1, theirs).0, EndedBy::Remote);
    });
}

#[test]
fn cancel_at_once() {
    on_networks(2, |network| {
        let ours = network.dial(0, 1);
        network.command(0, Command::Hangup { call: ours }).unwrap();
        assert_eq!(ended(network, 0, ours), (EndedBy::Local, Some(487)));
    });
}

#[test]
fn cancel_as_it_is_answered() {
    on_networks(2, |network| {
        let ours = network.dial(0, 1);
        let theirs = incoming(network, 1);
        network.advance(s(3));
        network.command(1, Command::Answer { call: theirs, media: MEDIA }).unwrap();
        network.command(0, Command::Hangup { call: ours }).unwrap();
        ended(network, 0, ours);
        ended(network, 1, theirs);
    });
}

#[test]
fn reject() {
    on_networks(2, |network| {
        let ours = network.dial(0, 1);
        let theirs = incoming(network, 1);
        network.command(1, Command::Reject { call: theirs, code: 603 }).unwrap();
        assert_eq!(ended(network, 0, ours), (EndedBy::Remote, Some(603)));
        assert_eq!(ended(network, 1, theirs), (EndedBy::Local, Some(603)));
    });
}

#[test]
fn register_and_shut_down() {
    for seed in 0..SEEDS {
        let configs = (0..3).map(|_| with_account("sip:bob@lossy", &format!("sip:{REGISTRAR}"))).collect();
        let mut network = Network::new(seed, BAD, configs);
        for place in 0..3 {
            network.command(place, Command::Register { account: ACCOUNT }).unwrap();
            told(&mut network, place, |event| matches!(event, Event::Registered { .. }));
        }
        network.advance(s(2 * 3600));
        for place in 0..3 {
            network.command(place, Command::Shutdown).unwrap();
            told(&mut network, place, |event| matches!(event, Event::Unregistered { .. }));
            told(&mut network, place, |event| matches!(event, Event::Quiet));
        }
        network.assert_quiescent();
    }
}

#[test]
fn a_phone_that_calls_itself() {
    on_networks(1, |network| {
        let ours = network.dial(0, 0);
        let theirs = incoming(network, 0);
        network.command(0, Command::Answer { call: theirs, media: MEDIA }).unwrap();
        told(network, 0, |event| matches!(event, Event::Established { call } if *call == ours));
        network.advance(s(5));
        network.command(0, Command::Hangup { call: ours }).unwrap();
        ended(network, 0, theirs);
    });
}

#[test]
fn nobody_answers() {
    on_networks(2, |network| {
        let ours = network.dial(0, 1);
        let theirs = incoming(network, 1);
        // Its own ring time, 120 s: 480.
        network.advance(s(121));
        assert_eq!(ended(network, 1, theirs), (EndedBy::Timeout, Some(480)));
        assert_eq!(ended(network, 0, ours), (EndedBy::Remote, Some(480)));
    });
}

#[test]
fn nobody_is_there() {
    on_networks(1, |network| {
        let target = uri("sip:nobody@10.0.0.99:5060");
        let dial = Command::Dial { account: None, target, media: MEDIA };
        network.command(0, dial).unwrap();
        told(network, 0, |event| matches!(event, Event::Ended { by: EndedBy::Timeout, code: Some(408), .. }));
    });
}

#[test]
fn a_full_phone_is_busy() {
    on_networks(3, |network| {
        // Three calls are up at phone 1; the fourth is refused.
        let calls: Vec<_> = (0..3).map(|_| call(network, 0, 1)).collect();
        let fourth = network.dial(2, 1);
        assert_eq!(ended(network, 2, fourth), (EndedBy::Remote, Some(486)));
        for (ours, theirs) in calls {
            network.command(0, Command::Hangup { call: ours }).unwrap();
            assert_eq!(ended(network, 1, theirs).0, EndedBy::Remote);
        }
    });
}

#[test]
fn digits_come_in_order_and_once() {
    on_networks(2, |network| {
        let (ours, theirs) = call(network, 0, 1);
        for digit in "147*".chars() {
            network.command(0, Command::InfoDigit { call: ours, digit, duration_ms: 160 }).unwrap();
            network.advance(s(40));
        }
        let told = |event: &Event| match event {
            Event::Digit { digit, .. } => Some(*digit),
            _ => None,
        };
        let digits: String = network.nodes[1].events.iter().filter_map(told).collect();
        assert_eq!(digits, "147*");
        network.command(1, Command::Hangup { call: theirs }).unwrap();
        assert_eq!(ended(network, 0, ours).0, EndedBy::Remote);
    });
}

#[test]
fn a_transfer_is_not_wanted() {
    on_networks(3, |network| {
        let (theirs, ours) = call(network, 1, 0);
        let target = uri("sip:phone@10.0.0.3:5060");
        network.command(0, Command::Transfer { call: ours, target }).unwrap();
        told(network, 1, |event| matches!(event, Event::TransferDue { .. }));
        network.command(1, Command::RefuseTransfer { call: theirs }).unwrap();
        told(network, 0, |event| {
            matches!(event, Event::Transfer { stage: TransferStage::Failed, code: Some(603), .. })
        });
        told(network, 0, |event| matches!(event, Event::Resumed { .. }));
        network.command(1, Command::Hangup { call: theirs }).unwrap();
        assert_eq!(ended(network, 0, ours).0, EndedBy::Remote);
    });
}

#[test]
fn shut_down_in_the_middle_of_everything() {
    on_networks(3, |network| {
        // One call stands, one is held, one rings.
        let (_, theirs) = call(network, 0, 1);
        let (held, _) = call(network, 0, 2);
        network.command(0, Command::Hold { call: held }).unwrap();
        let ringing = network.dial(2, 0);
        incoming(network, 0);
        network.command(0, Command::Shutdown).unwrap();
        assert_eq!(ended(network, 1, theirs).0, EndedBy::Remote);
        assert_eq!(ended(network, 2, ringing).1, Some(480));
        told(network, 0, |event| matches!(event, Event::Quiet));
    });
}

#[test]
fn the_other_side_goes_away() {
    on_networks(2, |network| {
        let (ours, theirs) = call(network, 0, 1);
        network.advance(s(10));
        network.lose_everything(1);
        // The hold is never answered: 408 ends the call (RFC 3261 section 12.2.1.2).
        network.command(0, Command::Hold { call: ours }).unwrap();
        assert_eq!(ended(network, 0, ours), (EndedBy::Timeout, Some(408)));
        network.command(1, Command::Hangup { call: theirs }).unwrap();
        assert_eq!(ended(network, 1, theirs).0, EndedBy::Local);
    });
}

#[test]
fn texts_are_told_once_whatever_the_network_does() {
    on_networks(2, |network| {
        let target = uri(&format!("sip:phone@{}", network.nodes[1].address));
        for text in ["one", "two"] {
            let command = Command::Message { account: None, target: target.clone(), text: text.into() };
            network.command(0, command).unwrap();
        }
        for _ in 0..2 {
            network.wait(0, s(80), |event| {
                matches!(event, Event::MessageSent { .. } | Event::MessageFailed { code: 408, .. }).then_some(())
            });
        }
        network.advance(s(40));
        let told = |event: &&Event| matches!(event, Event::Message { .. });
        let texts = network.nodes[1].events.iter().filter(told);
        let texts: Vec<&str> = texts
            .map(|event| match event {
                Event::Message { text, .. } => text.as_str(),
                other => panic!("{other:?}"),
            })
            .collect();
        assert_eq!(texts, ["one", "two"]);
    });
}

#[test]
fn encrypted_held_and_resumed() {
    use offhook::sdp::crypto::Srtp;
    use offhook::ua::config::SrtpPolicy;

    with_config(Config { srtp: SrtpPolicy::Required, ..direct() }, 2, |network| {
        let keys = |network: &mut Network, place: usize| -> Srtp {
            network.wait(place, PATIENCE, |event| match event {
                Event::Media { media, .. } => media.protection.srtp().copied(),
                _ => None,
            })
        };
        let ours = network.dial(0, 1);
        let theirs = incoming(network, 1);
        network.command(1, Command::Answer { call: theirs, media: MEDIA }).unwrap();
        let bobs = keys(network, 1);
        let alices = keys(network, 0);
        assert_eq!((alices.send, alices.receive), (bobs.receive, bobs.send));
        network.command(0, Command::Hold { call: ours }).unwrap();
        assert_eq!(keys(network, 0), alices);
        assert_eq!(keys(network, 1), bobs);
        network.command(0, Command::Resume { call: ours }).unwrap();
        assert_eq!(keys(network, 1), bobs);
        network.command(1, Command::Hangup { call: theirs }).unwrap();
        ended(network, 0, ours);
        ended(network, 1, theirs);
    });
}
