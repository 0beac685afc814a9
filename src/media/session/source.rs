//! Whose packets are taken, and where ours go: symmetric RTP with a latch that a stranger can't easily turn.

use std::net::{IpAddr, SocketAddr};
use std::time::{Duration, Instant};

use crate::rtp::{SeqNo, Ssrc};

/// Packets in order that another source must send before it is taken.
const SEQUENTIAL: u8 = 3;
/// So long without a packet, another source may be taken.
const SILENCE: Duration = Duration::from_secs(2);
/// Sources that may try at the same time.
const MAX_CANDIDATES: usize = 4;

/// From whom a packet is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Origin {
    Peer,
    Stranger,
}

#[derive(Debug, Clone, Copy)]
struct Candidate {
    from: SocketAddr,
    ssrc: Ssrc,
    next: SeqNo,
    count: u8,
}

/// The signalled address, the one that packets really come from, and who else tries.
#[derive(Debug)]
pub(super) struct Sources {
    signalled: SocketAddr,
    latched: Option<SocketAddr>,
    /// When a packet of the peer last came; none yet since the address was signalled.
    last: Option<Instant>,
    candidates: Vec<Candidate>,
}

impl Sources {
    pub(super) fn new(signalled: SocketAddr) -> Sources {
        Sources { signalled, latched: None, last: None, candidates: Vec::new() }
    }

    /// Takes the address of a new session description. True: it is another one, and the latch is open again.
    pub(super) fn signal(&mut self, signalled: SocketAddr) -> bool {
        let moved = !same(self.signalled, signalled);
        if moved {
            *self = Sources::new(signalled);
        }
        moved
    }

    /// Where RTP goes: to where it comes from.
    pub(super) fn destination(&self) -> SocketAddr {
        self.latched.unwrap_or(self.signalled)
    }

    /// Whether an address is the signalled one.
    pub(super) fn is_signalled(&self, from: SocketAddr) -> bool {
        same(from, self.signalled)
    }

    /// The peer has proved that it is there.
    pub(super) fn take(&mut self, from: SocketAddr) {
        self.latched = (!same(from, self.signalled)).then_some(from);
    }

    /// The source that was taken in place of the signalled one.
    pub(super) fn latched(&self) -> Option<SocketAddr> {
        self.latched
    }

    /// Whether an address is on the host that RTP comes from.
    pub(super) fn is_host_of_peer(&self, address: SocketAddr) -> bool {
        same_host(address, self.destination())
    }

    /// Decides on a packet. `negotiated`: its payload type is.
    pub(super) fn check(&mut self, now: Instant, from: SocketAddr, ssrc: Ssrc, seq: SeqNo, negotiated: bool) -> Origin {
        if same(from, self.signalled) {
            self.latched = None;
            return self.accept(now);
        }
        if self.latched.is_some_and(|latched| same(from, latched)) {
            return self.accept(now);
        }
        let armed = self.last.is_none_or(|last| now.saturating_duration_since(last) >= SILENCE);
        if armed && negotiated && self.tries(from, ssrc, seq) {
            tracing::debug!(signalled = %self.signalled, %from, "RTP comes from another address: latched");
            self.latched = Some(from);
            return self.accept(now);
        }
        Origin::Stranger
    }

    fn accept(&mut self, now: Instant) -> Origin {
        self.last = Some(now);
        self.candidates.clear();
        Origin::Peer
    }

    /// Whether this packet makes a candidate the peer.
    fn tries(&mut self, from: SocketAddr, ssrc: Ssrc, seq: SeqNo) -> bool {
        let known = self.candidates.iter_mut().find(|candidate| same(candidate.from, from));
        let Some(candidate) = known else {
            if self.candidates.len() == MAX_CANDIDATES {
                self.candidates.remove(0);
            }
            self.candidates.push(Candidate { from, ssrc, next: seq.next(), count: 1 });
            return false;
        };
        let in_order = candidate.ssrc == ssrc && candidate.next == seq;
        candidate.count = if in_order { candidate.count + 1 } else { 1 };
        candidate.ssrc = ssrc;
        candidate.next = seq.next();
        candidate.count >= SEQUENTIAL
    }
}

/// Equal, be they written as IPv4 or as IPv4 within IPv6.
fn same(one: SocketAddr, other: SocketAddr) -> bool {
    one.port() == other.port() && same_host(one, other)
}

/// On one host, be its address written as IPv4 or as IPv4 within IPv6.
pub(super) fn same_host(one: SocketAddr, other: SocketAddr) -> bool {
    canonical(one) == canonical(other)
}

fn canonical(address: SocketAddr) -> IpAddr {
    address.ip().to_canonical()
}

#[cfg(test)]
mod tests {
    use super::*;

    const PEER: &str = "192.0.2.1:4000";
    const NAT: &str = "198.51.100.1:9";
    const OTHER: &str = "198.51.100.2:9";

    struct Bench {
        start: Instant,
        sources: Sources,
    }

    impl Bench {
        fn new() -> Bench {
            Bench { start: Instant::now(), sources: Sources::new(PEER.parse().unwrap()) }
        }

        fn packet(&mut self, ms: u64, from: &str, ssrc: u32, seq: u16) -> bool {
            let now = self.start + Duration::from_millis(ms);
            self.sources.check(now, from.parse().unwrap(), Ssrc(ssrc), SeqNo(seq), true) == Origin::Peer
        }

        fn destination(&self) -> String {
            self.sources.destination().to_string()
        }
    }

    #[test]
    fn the_signalled_address_is_taken_at_once() {
        let mut bench = Bench::new();
        assert!(bench.packet(0, PEER, 1, 10));
        assert!(bench.packet(1, "[::ffff:192.0.2.1]:4000", 1, 11));
        assert!(!bench.packet(2, "192.0.2.1:4001", 1, 12));
        assert_eq!(bench.destination(), PEER);
    }

    #[test]
    fn another_source_needs_three_packets_in_order_over_the_wrap() {
        let mut bench = Bench::new();
        assert!(!bench.packet(0, NAT, 1, 65_534));
        assert!(!bench.packet(20, NAT, 1, 65_535));
        assert!(bench.packet(40, NAT, 1, 0));
        assert_eq!(bench.destination(), NAT);
        assert!(bench.packet(60, NAT, 7, 9000));
    }

    #[test]
    fn gaps_and_other_ssrcs_start_over() {
        let mut bench = Bench::new();
        for (seq, ssrc) in [(1, 1), (2, 1), (4, 1), (5, 1), (6, 2), (7, 2), (7, 2)] {
            assert!(!bench.packet(0, NAT, ssrc, seq), "{seq}");
        }
        assert!(!bench.packet(0, NAT, 2, 8));
        assert!(bench.packet(0, NAT, 2, 9));
    }

    #[test]
    fn payload_types_that_were_not_agreed_on_do_not_count() {
        let mut bench = Bench::new();
        for seq in 0..10 {
            let origin = bench.sources.check(bench.start, NAT.parse().unwrap(), Ssrc(1), SeqNo(seq), false);
            assert_eq!(origin, Origin::Stranger);
        }
    }

    #[test]
    fn none_is_taken_while_the_signalled_address_sends() {
        let mut bench = Bench::new();
        for n in 0..200 {
            assert!(bench.packet(u64::from(n) * 20, PEER, 1, n));
            assert!(!bench.packet(u64::from(n) * 20, NAT, 2, n));
        }
    }

    #[test]
    fn the_signalled_address_retakes() {
        let mut bench = Bench::new();
        for seq in 0..3 {
            bench.packet(0, NAT, 1, seq);
        }
        assert_eq!(bench.destination(), NAT);
        assert!(bench.packet(20, PEER, 1, 100));
        assert_eq!(bench.destination(), PEER);
        assert!(!bench.packet(21, NAT, 1, 4));
    }

    #[test]
    fn two_seconds_of_silence_open_the_latch() {
        let mut bench = Bench::new();
        for seq in 0..3 {
            bench.packet(0, NAT, 1, seq);
        }
        for seq in 0..3 {
            assert!(!bench.packet(1999, OTHER, 1, seq));
        }
        for seq in 3..5 {
            assert!(!bench.packet(2000, OTHER, 1, seq));
        }
        // A packet of the one that is latched: begin again.
        assert!(bench.packet(2001, NAT, 1, 4));
        assert!(!bench.packet(2002, OTHER, 1, 5));
        for seq in 6..8 {
            assert!(!bench.packet(4001, OTHER, 1, seq));
        }
        assert!(bench.packet(4002, OTHER, 1, 8));
        assert_eq!(bench.destination(), OTHER);
    }

    #[test]
    fn a_new_address_opens_the_latch_and_the_same_does_not() {
        let mut bench = Bench::new();
        for seq in 0..3 {
            bench.packet(0, NAT, 1, seq);
        }
        assert!(!bench.sources.signal("[::ffff:192.0.2.1]:4000".parse().unwrap()));
        assert_eq!(bench.destination(), NAT);
        assert!(bench.sources.signal("192.0.2.9:4000".parse().unwrap()));
        assert_eq!(bench.destination(), "192.0.2.9:4000");
        assert!(!bench.packet(1, NAT, 1, 3));
        assert!(!bench.packet(2, NAT, 1, 4));
        assert!(bench.packet(3, NAT, 1, 5));
    }

    #[test]
    fn many_who_try_do_not_grow_it() {
        let mut bench = Bench::new();
        for port in 1..1000 {
            assert!(!bench.packet(0, &format!("203.0.113.1:{port}"), 1, 1));
        }
        assert_eq!(bench.sources.candidates.len(), MAX_CANDIDATES);
    }
}
