//! A stretch of road between the sound of alice and that of the other phone: Kamailio (`Role::Relayed`) names its ports in
//! place of theirs, and what comes is passed on later, or not at all.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4, UdpSocket};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use rand_chacha::ChaCha8Rng;
use rand_core::{RngCore, SeedableRng};

use super::Rig;
use super::wire::Wire;

/// The ports that stand for the two, as configs/kamailio.cfg names them; RTCP's are the next ones.
const FOR_ALICE: u16 = 20_000;
const FOR_BOB: u16 = 21_000;
/// How long a socket is listened to at a time.
const TURN: Duration = Duration::from_micros(500);

/// What becomes of a packet.
#[derive(Clone, Copy, Debug, Default)]
pub struct Weather {
    /// How long each is on its way.
    pub delay: Duration,
    /// Up to so much longer, evenly spread.
    pub jitter: Duration,
    /// The share that does not arrive, 0 to 1.
    pub loss: f64,
}

/// It stands until dropped.
pub struct Relay {
    end: Arc<AtomicBool>,
    lost: Arc<AtomicU64>,
    thread: Option<JoinHandle<()>>,
}

impl Rig {
    /// Opens the road. Each packet's fate is the same in each run.
    pub fn relay(&self, weather: Weather) -> Relay {
        let sockets = [FOR_ALICE, FOR_ALICE + 1, FOR_BOB, FOR_BOB + 1].map(|port| {
            let socket = self.namespace.inside(move || UdpSocket::bind((Ipv4Addr::LOCALHOST, port))).expect("a port");
            socket.set_nonblocking(true).expect("a socket");
            socket
        });
        let (end, lost) = (Arc::<AtomicBool>::default(), Arc::<AtomicU64>::default());
        let road = Road {
            sockets,
            wire: self.wire.share(),
            weather,
            random: ChaCha8Rng::seed_from_u64(4),
            on_the_way: BinaryHeap::new(),
            packets: Vec::new(),
            lost: Arc::clone(&lost),
        };
        let ends = Arc::clone(&end);
        let thread = thread::Builder::new().name("relay".into()).spawn(move || road.run(&ends)).expect("a thread");
        Relay { end, lost, thread: Some(thread) }
    }
}

impl Relay {
    /// How many packets have not arrived.
    pub fn lost(&self) -> u64 {
        self.lost.load(Ordering::Relaxed)
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        self.end.store(true, Ordering::Relaxed);
        let _ = self.thread.take().map(JoinHandle::join);
    }
}

struct Road {
    sockets: [UdpSocket; 4],
    wire: Wire,
    weather: Weather,
    random: ChaCha8Rng,
    /// When each is due, and its place in `packets`.
    on_the_way: BinaryHeap<Reverse<(Instant, usize)>>,
    packets: Vec<(usize, Vec<u8>)>,
    lost: Arc<AtomicU64>,
}

impl Road {
    fn run(mut self, end: &AtomicBool) {
        let mut buffer = [0; 2048];
        while !end.load(Ordering::Relaxed) {
            for place in 0..self.sockets.len() {
                while let Ok((length, _)) = self.sockets[place].recv_from(&mut buffer) {
                    self.take(place, &buffer[..length]);
                }
            }
            let now = Instant::now();
            while let Some(Reverse((_, packet))) =
                self.on_the_way.peek().filter(|Reverse((due, _))| *due <= now).copied()
            {
                self.on_the_way.pop();
                self.pass_on(packet);
            }
            thread::sleep(TURN);
        }
    }

    fn roll(&mut self) -> f64 {
        f64::from(self.random.next_u32()) / f64::from(u32::MAX)
    }

    fn take(&mut self, place: usize, bytes: &[u8]) {
        if self.roll() < self.weather.loss {
            self.lost.fetch_add(1, Ordering::Relaxed);
            return;
        }
        let longer = self.weather.jitter.mul_f64(self.roll());
        self.on_the_way.push(Reverse((Instant::now() + self.weather.delay + longer, self.packets.len())));
        self.packets.push((place, bytes.to_vec()));
    }

    /// What came for one leaves from the port that stands for the other.
    fn pass_on(&mut self, packet: usize) {
        let (place, bytes) = &mut self.packets[packet];
        let (place, bytes) = (*place, std::mem::take(bytes));
        let (is_for_alice, is_rtcp) = (place < 2, place % 2 == 1);
        let Some(port) = self.port_of(is_for_alice) else { return };
        let to = SocketAddr::V4(SocketAddrV4::new(Ipv4Addr::LOCALHOST, port + u16::from(is_rtcp)));
        let _ = self.sockets[(place + 2) % 4].send_to(&bytes, to);
    }

    /// Where a phone listens, as it said itself last.
    fn port_of(&self, is_alice: bool) -> Option<u16> {
        const BARESIP: std::ops::Range<u16> = 5100..5200;
        let said = self.wire.last(|packet| {
            let from = packet.from.port();
            from != 5060
                && BARESIP.contains(&from) != is_alice
                && packet.sip().is_some_and(|text| text.contains("m=audio "))
        })?;
        let text = said.sip()?;
        text.split("m=audio ").nth(1)?.split(' ').next()?.parse().ok()
    }
}
