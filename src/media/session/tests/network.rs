//! How a session's packets go through the network: shared ports, keep-alives, who may send to us.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use super::super::*;
use crate::sdp::ExtendedReports;

const ADDRESSES: [&str; 2] = ["192.0.2.1:4000", "192.0.2.2:5000"];
/// Between the two, one way.
const WAY: Duration = Duration::from_millis(30);

fn address(text: &str) -> SocketAddr {
    text.parse().unwrap()
}

fn media(remote: &str) -> Negotiated {
    let remote_rtp = address(remote);
    Negotiated {
        protection: Default::default(),
        remote_rtp,
        remote_rtcp: Some(remote_rtp),
        rtcp_mux: true,
        xr: Default::default(),
        ice: None,
        codec: Codec::Pcmu,
        send_payload_type: 0,
        receive: vec![(0, Codec::Pcmu)],
        send_telephone_event: None,
        receive_telephone_events: Vec::new(),
        comfort_noise: Default::default(),
        opus: crate::sdp::OpusWishes::default(),
        ptime_ms: 20,
        send: true,
        receive_audio: true,
        held_by_peer: false,
    }
}

/// Two sessions and 30 ms between them.
struct Two {
    now: Instant,
    sessions: [Session; 2],
    under_way: VecDeque<(Instant, usize, Transmit)>,
    /// What each has sent, by socket.
    sent_rtp: [usize; 2],
    sent_rtcp: [usize; 2],
    /// One of so many RTP packets is lost; 0: none.
    lose_every: usize,
}

impl Two {
    fn new(change: impl Fn(&mut Negotiated)) -> Two {
        let now = Instant::now();
        let mut sessions = [Session::new(now, [1; 32]), Session::new(now, [2; 32])];
        for (n, session) in sessions.iter_mut().enumerate() {
            let mut media = media(ADDRESSES[1 - n]);
            change(&mut media);
            session.configure(now, &media);
        }
        Two { now, sessions, under_way: VecDeque::new(), sent_rtp: [0; 2], sent_rtcp: [0; 2], lose_every: 0 }
    }

    fn run(&mut self, time: Duration) {
        let end = self.now + time;
        while self.now < end {
            self.now += Duration::from_millis(10);
            for n in 0..2 {
                let session = &mut self.sessions[n];
                session.capture(self.now, &[0; 80]);
                if session.poll_timeout().is_some_and(|due| due <= self.now) {
                    session.handle_timeout(self.now);
                }
                session.playout(self.now, &mut [0; 80]);
                while let Some(transmit) = self.sessions[n].poll_transmit() {
                    match &transmit {
                        Transmit::Rtp { .. } => self.sent_rtp[n] += 1,
                        Transmit::Rtcp { .. } => self.sent_rtcp[n] += 1,
                    }
                    let rtp = self.sent_rtp[n];
                    let is_sound = matches!(&transmit, Transmit::Rtp { bytes, .. } if !rtcp::is_rtcp(bytes));
                    if !(is_sound && self.lose_every > 0 && rtp.is_multiple_of(self.lose_every)) {
                        self.under_way.push_back((self.now + WAY, 1 - n, transmit));
                    }
                }
            }
            while let Some((at, to, transmit)) = self.under_way.pop_front_if(|(at, ..)| *at <= self.now) {
                let from = address(ADDRESSES[1 - to]);
                match transmit {
                    Transmit::Rtp { bytes, .. } => self.sessions[to].handle_rtp(at, from, &bytes),
                    Transmit::Rtcp { bytes, .. } => {
                        let beside = SocketAddr::new(from.ip(), from.port() + 1);
                        self.sessions[to].handle_rtcp(at, beside, &bytes);
                    }
                }
            }
        }
    }
}

#[test]
fn rtcp_at_the_rtp_port_is_told_from_rtp() {
    let mut two = Two::new(|_| {});
    two.run(Duration::from_secs(30));
    assert_eq!(two.sent_rtcp, [0, 0]);
    for session in &two.sessions {
        let stats = session.stats();
        assert!(stats.rtt_ms.is_some_and(|rtt| (rtt - 60.0).abs() < 11.0), "{stats:?}");
        // Reports are no sound, and no sound is missing.
        assert_eq!((stats.lost, stats.discarded, stats.strangers), (0, 0, 0));
        assert!((1495..=1500).contains(&stats.received), "{stats:?}");
    }
}

#[test]
fn what_looks_like_rtcp_is_rtp_where_the_ports_are_apart() {
    let mut two = Two::new(|media| {
        media.rtcp_mux = false;
        media.remote_rtcp = media.remote_rtcp.map(|rtp| SocketAddr::new(rtp.ip(), rtp.port() + 1));
        // With the marker it is 200, which RFC 5761 section 4 forbids for shared ports only.
        media.send_payload_type = 72;
        media.receive = vec![(72, Codec::Pcmu)];
    });
    two.run(Duration::from_secs(5));
    assert!(two.sent_rtcp[0] > 0);
    assert_eq!(two.sessions[0].stats().lost, 0);
    assert!(two.sessions[0].stats().received > 240);
}

#[test]
fn who_only_listens_keeps_the_way_open() {
    let apart = |media: &mut Negotiated| {
        media.rtcp_mux = false;
        media.remote_rtcp = media.remote_rtcp.map(|rtp| SocketAddr::new(rtp.ip(), rtp.port() + 1));
        media.send = false;
    };
    let mut two = Two::new(apart);
    two.run(Duration::from_secs(61));
    // RFC 6263 section 7: every 15 s.
    assert_eq!(two.sent_rtp, [4, 4]);
    assert!(two.sessions.iter().all(|session| session.stats().sent == 0));
    // RTCP at the same port does it there.
    let mut two = Two::new(|media| media.send = false);
    two.run(Duration::from_secs(61));
    assert!((9..=30).contains(&two.sent_rtp[0]) && two.sent_rtcp == [0, 0], "{:?}", two.sent_rtp);
    // To c=0.0.0.0 nothing goes.
    let mut two = Two::new(|media| {
        apart(media);
        media.remote_rtcp = None;
        media.held_by_peer = true;
    });
    two.run(Duration::from_secs(61));
    assert_eq!((two.sent_rtp, two.sent_rtcp), ([0, 0], [0, 0]));
}

#[test]
fn each_side_knows_how_it_is_heard() {
    let mut two = Two::new(|media| media.xr = ExtendedReports { voip_metrics: true, receiver_rtt: true });
    two.lose_every = 10;
    two.run(Duration::from_secs(60));
    for session in &two.sessions {
        let stats = session.stats();
        // A tenth is lost, and both say the same of it.
        let (here, there) = (stats.mos.unwrap(), stats.mos_remote.unwrap());
        assert!((here - there).abs() < 0.2 && here < 3.8 && here > 2.0, "{stats:?}");
        assert!((stats.loss - 0.1).abs() < 0.03 && stats.loss_remote.is_some_and(|loss| (loss - 0.1).abs() < 0.06));
    }
    // Without extended reports the receiver reports tell.
    let mut two = Two::new(|_| {});
    two.run(Duration::from_secs(30));
    let stats = two.sessions[0].stats();
    assert!(stats.mos_remote.is_some_and(|mos| mos > 4.2) && stats.jitter_remote_ms.is_some_and(|jitter| jitter < 5.0));
}

#[test]
fn who_only_receives_learns_the_round_trip_by_a_reference_time() {
    let xr = ExtendedReports { voip_metrics: false, receiver_rtt: true };
    let mut two = Two::new(|media| media.xr = xr);
    two.sessions[1].configure(two.now, &Negotiated { send: false, xr, ..media(ADDRESSES[0]) });
    two.run(Duration::from_secs(30));
    // It sends no sender reports, to which a receiver report could answer.
    let stats = two.sessions[1].stats();
    assert!(stats.sent == 0 && stats.rtt_ms.is_some_and(|rtt| (rtt - 60.0).abs() < 11.0), "{stats:?}");
}
