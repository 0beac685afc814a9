//! Two sides and what is between them, in simulated time: networks that are open, behind NAT, lossy, or cut.

use std::collections::HashMap;
use std::time::Duration;

use rand_chacha::ChaCha12Rng;
use rand_core::{RngCore, SeedableRng};

use super::*;

/// What a side is behind.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Nat {
    None,
    /// One address outside for each inside, and only who has been written to may answer (RFC 4787: endpoint-independent
    /// mapping, address- and port-dependent filtering).
    Cone,
    /// Another address outside for each destination.
    Symmetric,
}

struct Side {
    ice: Ice,
    nat: Nat,
    /// Address inside.
    inside: SocketAddr,
    /// Outside addresses by destination (with a cone there is one).
    mapped: HashMap<Option<SocketAddr>, SocketAddr>,
    /// Who may come in where.
    opened: Vec<(SocketAddr, SocketAddr)>,
    events: Vec<Event>,
    outside: [u8; 4],
    ports: u16,
}

impl Side {
    fn map(&mut self, to: SocketAddr) -> SocketAddr {
        let key = match self.nat {
            Nat::None => return self.inside,
            Nat::Cone => None,
            Nat::Symmetric => Some(to),
        };
        let ports = &mut self.ports;
        let outside = self.outside;
        let seen = *self.mapped.entry(key).or_insert_with(|| {
            *ports += 1;
            SocketAddr::from((outside, *ports))
        });
        self.opened.push((seen, to));
        seen
    }

    /// Whether a datagram that comes to `at` gets in.
    fn admits(&self, from: SocketAddr, at: SocketAddr) -> bool {
        match self.nat {
            Nat::None => at == self.inside,
            Nat::Cone | Nat::Symmetric => self.opened.contains(&(at, from)),
        }
    }
}

struct World {
    now: Instant,
    sides: [Side; 2],
    under_way: Vec<(Instant, SocketAddr, SocketAddr, Vec<u8>)>,
    loss: f64,
    /// Destinations that nothing reaches.
    cut: Vec<SocketAddr>,
    random: ChaCha12Rng,
}

/// One way.
const WAY: Duration = Duration::from_millis(20);

fn credentials(letter: &str) -> Credentials {
    Credentials { ufrag: letter.repeat(8), password: letter.repeat(24) }
}

fn candidate(kind: Kind, priority: u32, address: SocketAddr, base: SocketAddr) -> Candidate {
    Candidate { foundation: "1".into(), component: Component::Rtp, priority, address, kind, base: Some(base) }
}

impl World {
    /// Two sides that have told each other their addresses: inside, and as a STUN server sees them.
    fn new(nats: [Nat; 2], loss: f64, seed: u8) -> World {
        World::with_credentials(nats, loss, seed, [credentials("a"), credentials("b")])
    }

    fn with_credentials(nats: [Nat; 2], loss: f64, seed: u8, of: [Credentials; 2]) -> World {
        let now = Instant::now();
        let inside: [SocketAddr; 2] = ["10.0.1.2:4000".parse().unwrap(), "10.0.2.2:5000".parse().unwrap()];
        let outside = [[198, 51, 100, 1], [203, 0, 113, 1]];
        let seen = |n: usize| match nats[n] {
            Nat::None => None,
            // The STUN server has a mapping of its own with a symmetric one: the first port.
            Nat::Cone | Nat::Symmetric => Some(SocketAddr::from((outside[n], 40_001))),
        };
        let ours = |n: usize| {
            let host = candidate(Kind::Host, 2_130_706_431, inside[n], inside[n]);
            let seen = seen(n).map(|seen| candidate(Kind::ServerReflexive, 1_694_498_815, seen, inside[n]));
            std::iter::once(host).chain(seen).collect::<Vec<_>>()
        };
        let side = |n: usize| {
            let agreed = Agreed {
                local: of[n].clone(),
                remote: of[1 - n].clone(),
                local_candidates: ours(n),
                remote_candidates: ours(1 - n),
                role: [Role::Controlling, Role::Controlled][n],
                remote_lite: false,
                remote_ice2: true,
            };
            let stun = "192.0.2.1:3478".parse().unwrap();
            let mut side = Side {
                ice: Ice::new(now, agreed, u64::from(seed) + n as u64),
                nat: nats[n],
                inside: inside[n],
                mapped: HashMap::new(),
                opened: Vec::new(),
                events: Vec::new(),
                outside: outside[n],
                ports: 40_000,
            };
            side.map(stun);
            side
        };
        World {
            now,
            sides: [side(0), side(1)],
            under_way: Vec::new(),
            loss,
            cut: Vec::new(),
            random: ChaCha12Rng::from_seed([seed; 32]),
        }
    }

    fn run(&mut self, time: Duration) {
        let end = self.now + time;
        while self.now < end {
            self.now += Duration::from_millis(5);
            for n in 0..2 {
                if self.sides[n].ice.poll_timeout().is_some_and(|due| due <= self.now) {
                    self.sides[n].ice.handle_timeout(self.now);
                }
                self.collect(n);
            }
            let (due, later) = std::mem::take(&mut self.under_way).into_iter().partition(|(at, ..)| *at <= self.now);
            self.under_way = later;
            let due: Vec<_> = due;
            for (at, from, to, bytes) in due {
                // Private addresses are not routed: what is behind a NAT is reached by its outside.
                if let Some(n) = (0..2).find(|&n| self.sides[n].admits(from, to)) {
                    self.sides[n].ice.handle(at, Component::Rtp, from, &bytes);
                    self.collect(n);
                }
            }
        }
    }

    fn collect(&mut self, n: usize) {
        while let Some((_, to, bytes)) = self.sides[n].ice.poll_transmit() {
            let from = self.sides[n].map(to);
            let lost = f64::from(self.random.next_u32()) / f64::from(u32::MAX) < self.loss;
            if !lost && !self.cut.contains(&to) {
                self.under_way.push((self.now + WAY, from, to, bytes));
            }
        }
        while let Some(event) = self.sides[n].ice.poll_event() {
            self.sides[n].events.push(event);
        }
    }

    fn way(&self, n: usize) -> Option<Path> {
        match self.sides[n].events.last() {
            Some(Event::Connected(path)) => Some(*path),
            Some(Event::Failed | Event::Lost) | None => None,
        }
    }

    fn is_connected(&self) -> bool {
        (0..2).all(|n| self.way(n).is_some())
    }
}

#[test]
fn neighbours_find_each_other_at_once() {
    let mut world = World::new([Nat::None, Nat::None], 0.0, 1);
    world.run(Duration::from_millis(200));
    assert!(world.is_connected());
    let path = world.way(0).unwrap();
    assert_eq!(
        (path.rtp.local.to_string(), path.rtp.remote.to_string()),
        ("10.0.1.2:4000".into(), "10.0.2.2:5000".into())
    );
    assert_eq!(world.sides[0].ice.destination(Component::Rtp), Some("10.0.2.2:5000".parse().unwrap()));
    // Told once, and nobody else may send.
    assert_eq!(world.sides[0].events.len(), 1);
    assert!(world.sides[0].ice.knows(Component::Rtp, "10.0.2.2:5000".parse().unwrap()));
    assert!(!world.sides[0].ice.knows(Component::Rtp, "10.0.2.2:5001".parse().unwrap()));
    assert!(!world.sides[0].ice.knows(Component::Rtcp, "10.0.2.2:5000".parse().unwrap()));
}

#[test]
fn sides_behind_nat_find_a_way_unless_both_are_symmetric() {
    for (nats, expected) in [
        ([Nat::Cone, Nat::None], true),
        ([Nat::None, Nat::Cone], true),
        ([Nat::Cone, Nat::Cone], true),
        ([Nat::Symmetric, Nat::None], true),
        ([Nat::Symmetric, Nat::Cone], false), // the cone filters by port: RFC 8445 has only a relay for this
        ([Nat::Symmetric, Nat::Symmetric], false),
    ] {
        let mut world = World::new(nats, 0.0, 2);
        world.run(Duration::from_secs(2));
        assert_eq!(world.is_connected(), expected, "{nats:?}");
        if nats == [Nat::Cone, Nat::Cone] {
            let path = world.way(1).unwrap();
            assert_eq!(path.rtp.local, "203.0.113.1:40001".parse().unwrap());
            assert_eq!(path.rtp.remote, "198.51.100.1:40001".parse().unwrap());
        }
    }
}

#[test]
fn checks_survive_a_lossy_network() {
    for seed in 0..10 {
        let mut world = World::new([Nat::Cone, Nat::Cone], 0.2, seed);
        world.run(Duration::from_secs(20));
        assert!(world.is_connected(), "seed {seed}: {:?} {:?}", world.sides[0].events, world.sides[1].events);
        world.run(Duration::from_secs(60));
        assert!(world.is_connected(), "it stays, seed {seed}: {:?}", world.sides[0].events);
    }
}

#[test]
fn without_any_way_it_says_so_once() {
    let mut world = World::new([Nat::Symmetric, Nat::Symmetric], 0.0, 3);
    world.run(Duration::from_secs(90));
    for side in &world.sides {
        assert_eq!(side.events, [Event::Failed]);
        assert_eq!(side.ice.destination(Component::Rtp), None);
    }
}

#[test]
fn a_dead_way_is_told_and_a_restart_finds_another() {
    let mut world = World::new([Nat::None, Nat::None], 0.0, 4);
    world.run(Duration::from_secs(1));
    assert!(world.is_connected());
    world.cut = vec!["10.0.2.2:5000".parse().unwrap(), "10.0.1.2:4000".parse().unwrap()];
    world.run(Duration::from_secs(45));
    for side in &world.sides {
        assert_eq!(side.events.last(), Some(&Event::Lost));
        // RFC 7675 section 5.1: consent has expired.
        assert_eq!(side.ice.destination(Component::Rtp), None);
    }
    world.cut.clear();
    let [new_a, new_b] = [credentials("c"), credentials("d")];
    for (n, (ours, theirs)) in [(new_a.clone(), new_b.clone()), (new_b, new_a)].into_iter().enumerate() {
        let agreed = Agreed { local: ours, remote: theirs, ..world.sides[n].ice.agreed.clone() };
        world.sides[n].ice.update(world.now, agreed);
    }
    world.run(Duration::from_secs(1));
    assert!(world.is_connected());
}

#[test]
fn media_goes_on_while_a_restart_looks_for_a_new_way() {
    let mut world = World::new([Nat::None, Nat::None], 0.0, 5);
    world.run(Duration::from_secs(1));
    let old = world.sides[0].ice.destination(Component::Rtp);
    let agreed = Agreed { local: credentials("e"), remote: credentials("f"), ..world.sides[0].ice.agreed.clone() };
    world.sides[0].ice.update(world.now, agreed);
    // RFC 8445 section 12: the other side has not heard of it yet.
    assert_eq!(world.sides[0].ice.destination(Component::Rtp), old);
    assert!(world.sides[0].ice.knows(Component::Rtp, old.unwrap()));
}

#[test]
fn the_same_again_changes_nothing() {
    let mut world = World::new([Nat::Cone, Nat::None], 0.0, 6);
    world.run(Duration::from_secs(1));
    let way = world.way(0);
    for n in 0..2 {
        let agreed = world.sides[n].ice.agreed.clone();
        world.sides[n].ice.update(world.now, agreed);
    }
    world.run(Duration::from_secs(20));
    assert_eq!(world.way(0), way);
    assert_eq!(world.sides[0].events.len(), 1);
}

#[test]
fn who_does_not_know_the_password_is_nobody() {
    let stranger = [credentials("a"), Credentials { ufrag: "b".repeat(8), password: "x".repeat(24) }];
    let mut world = World::new([Nat::None, Nat::None], 0.0, 7);
    let mut others = World::with_credentials([Nat::None, Nat::None], 0.0, 7, stranger);
    others.run(Duration::from_millis(100));
    // Checks of the stranger's, whose usernames are right.
    for n in 0..2 {
        others.sides[n].ice.handle_timeout(others.now + Duration::from_secs(1));
        while let Some((_, _, bytes)) = others.sides[n].ice.poll_transmit() {
            let from = others.sides[n].inside;
            world.sides[1 - n].ice.handle(world.now, Component::Rtp, from, &bytes);
            let is_known = world.sides[1 - n].ice.knows(Component::Rtp, from);
            // Who checks side 0 knows its password; side 1 has another one here than there.
            assert!(!is_known || n == 1);
        }
    }
}

#[test]
fn both_believing_they_nominate_agree_in_the_end() {
    let mut world = World::new([Nat::None, Nat::None], 0.0, 8);
    let agreed = Agreed { role: Role::Controlling, ..world.sides[1].ice.agreed.clone() };
    world.sides[1].ice = Ice::new(world.now, agreed, 1 << 40);
    world.run(Duration::from_secs(2));
    assert!(world.is_connected());
}

#[test]
fn stun_is_told_from_rtp_and_rtcp() {
    let mut world = World::new([Nat::None, Nat::None], 0.0, 9);
    let (_, _, check) = world.sides[0].ice.poll_transmit().unwrap();
    assert!(is_stun(&check));
    for other in [&[][..], &[0, 1, 0, 0], &[0x80; 20], &[0; 20], &[22, 1, 0, 0, 0x21, 0x12, 0xa4, 0x42]] {
        assert!(!is_stun(other));
    }
}

#[test]
fn rubbish_that_begins_like_stun_never_panics() {
    let mut world = World::new([Nat::None, Nat::None], 0.0, 10);
    let (_, _, check) = world.sides[0].ice.poll_transmit().unwrap();
    let mut random = ChaCha12Rng::from_seed([3; 32]);
    for _ in 0..20_000 {
        let mut bytes = check.clone();
        for _ in 0..1 + random.next_u32() % 6 {
            let at = random.next_u32() as usize % bytes.len();
            bytes[at] = random.next_u32() as u8;
        }
        bytes.truncate(bytes.len() - random.next_u32() as usize % 8);
        world.sides[1].ice.handle(world.now, Component::Rtp, "192.0.2.66:1".parse().unwrap(), &bytes);
        while world.sides[1].ice.poll_transmit().is_some() {}
    }
}
