//! Two phones' handshakes over a network that loses, repeats and mixes up.

use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::Duration;

use rand_chacha::ChaCha12Rng;
use rand_core::{RngCore as _, SeedableRng as _};

use super::*;
use crate::sdp::crypto::Srtp;
use crate::sdp::dtls::{Fingerprint, Role};

const CALL: CallNo = CallNo(7);
/// No test waits longer.
const PATIENCE: Duration = Duration::from_secs(60);

struct Side {
    handshakes: Handshakes,
    fingerprint: Fingerprint,
    keys: Option<Srtp>,
}

struct Town {
    sides: Vec<Side>,
    replies: Receiver<(usize, Reply)>,
    random: ChaCha12Rng,
    /// Of 100 datagrams.
    lost: u32,
    delivered: u32,
    /// One that another one overtakes.
    held_back: Option<(usize, Vec<u8>)>,
}

impl Town {
    fn new(seed: u8, lost: u32) -> Town {
        let (sender, replies) = channel();
        let sides = (0..2).map(|place| Side::new(place, sender.clone())).collect();
        Town { sides, replies, random: ChaCha12Rng::from_seed([seed; 32]), lost, delivered: 0, held_back: None }
    }

    fn begin(&mut self, place: usize, role: Role, handshake: u32) {
        let fingerprints = vec![self.sides[1 - place].fingerprint];
        let begin = Request::Begin { handshake: Handshake(handshake), role, fingerprints };
        self.sides[place].handshakes.request(CALL, begin);
    }

    fn deliver(&mut self, to: usize, bytes: Vec<u8>) {
        self.delivered += 1;
        self.sides[to].handshakes.request(CALL, Request::Datagram { handshake: Handshake(0), bytes });
    }

    fn carry(&mut self, to: usize, bytes: Vec<u8>) {
        let mut chance = |percent: u32| self.random.next_u32() % 100 < percent;
        if chance(self.lost) {
            return;
        }
        if self.lost > 0 && chance(20) && self.held_back.is_none() {
            self.held_back = Some((to, bytes));
            return;
        }
        if self.lost > 0 && chance(20) {
            self.deliver(to, bytes.clone());
        }
        self.deliver(to, bytes);
        if let Some((to, bytes)) = self.held_back.take() {
            self.deliver(to, bytes);
        }
    }

    /// Until both have keys, or the first one has failed.
    fn run(&mut self) -> Result<(), Failure> {
        let deadline = Instant::now() + PATIENCE;
        while self.sides.iter().any(|side| side.keys.is_none()) {
            let left = deadline.saturating_duration_since(Instant::now());
            let (from, reply) = self.replies.recv_timeout(left).expect("keys in time");
            match reply {
                Reply::Transmit { bytes, .. } => self.carry(1 - from, bytes),
                Reply::Done { srtp, .. } => self.sides[from].keys = Some(*srtp),
                Reply::Failed { failure, .. } if from == 0 => return Err(failure),
                // It may be told of that before the other one tells of it.
                Reply::Failed { .. } => {}
            }
        }
        Ok(())
    }
}

impl Side {
    fn new(place: usize, replies: Sender<(usize, Reply)>) -> Side {
        let identity = Identity::new().unwrap();
        let fingerprint = identity.fingerprint();
        let handshakes = Handshakes::new(Some(Arc::new(identity)), move |call, reply| {
            assert_eq!(call, CALL);
            let _ = replies.send((place, reply));
        });
        Side { handshakes, fingerprint, keys: None }
    }
}

#[test]
fn keys_come_through_a_network_that_loses_a_third() {
    for seed in 0..6 {
        let mut town = Town::new(seed, 33);
        town.begin(0, Role::Client, 0);
        town.begin(1, Role::Server, 0);
        assert_eq!(town.run(), Ok(()), "seed {seed}");
        let keys = |place: usize| town.sides[place].keys.unwrap();
        assert_eq!((keys(0).send, keys(0).receive), (keys(1).receive, keys(1).send), "seed {seed}");
        assert!(town.delivered >= 4);
    }
}

#[test]
fn who_begins_too_early_begins_again_by_itself() {
    let mut town = Town::new(1, 0);
    town.begin(0, Role::Client, 0);
    // The answer is not there yet: what came first is for nobody.
    let first = town.replies.recv_timeout(PATIENCE).unwrap();
    assert!(matches!(first, (0, Reply::Transmit { .. })));
    town.begin(1, Role::Server, 0);
    assert_eq!(town.run(), Ok(()));
}

#[test]
fn who_is_somebody_else_gets_no_keys() {
    let mut town = Town::new(1, 0);
    town.sides[1].fingerprint = Identity::new().unwrap().fingerprint();
    town.begin(0, Role::Client, 0);
    town.begin(1, Role::Server, 0);
    assert_eq!(town.run(), Err(Failure::Fingerprint));
}

#[test]
fn without_a_certificate_it_fails_at_once() {
    let (sender, replies) = channel();
    let mut handshakes = Handshakes::new(None, move |call, reply| drop(sender.send((call, reply))));
    // Nobody has begun.
    handshakes.request(CALL, Request::Datagram { handshake: Handshake(0), bytes: vec![22; 30] });
    handshakes.request(CALL, Request::Begin { handshake: Handshake(3), role: Role::Client, fingerprints: Vec::new() });
    let (call, reply) = replies.recv_timeout(PATIENCE).unwrap();
    assert!(matches!(reply, Reply::Failed { handshake: Handshake(3), failure: Failure::Protocol(_) }) && call == CALL);
}

#[test]
fn a_flood_of_datagrams_waits_for_nobody() {
    let mut town = Town::new(1, 0);
    town.begin(1, Role::Server, 0);
    // Far more than may wait: what does not fit is lost, and the next handshake still comes to its end.
    for number in 0..20_000u32 {
        let rubbish = [&[22, 0xfe, 0xfd, 0, 0][..], &number.to_be_bytes()].concat();
        town.sides[1].handshakes.request(CALL, Request::Datagram { handshake: Handshake(0), bytes: rubbish });
    }
    town.begin(0, Role::Client, 0);
    assert_eq!(town.run(), Ok(()));
}
