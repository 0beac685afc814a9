//! A session whose keys come by a handshake: what it asks for, from whom it takes what, and what leaves before and after. The
//! handshakes themselves are scripted here.

use super::*;
use crate::media::dtls::{Failure, Handshake, Reply, Request};
use crate::media::ice::stun;
use crate::sdp::Protection;
use crate::sdp::crypto::{MasterKey, Srtp, Suite};
use crate::sdp::dtls::{Agreed, Fingerprint, Hash, Role};

const PEER: &str = ADDRESSES[1];
const NAT: &str = "198.51.100.1:9";
const OTHER: &str = "198.51.100.2:9";
const HELLO: [u8; 20] = [22; 20];
const SUITE: Suite = Suite::AeadAes128Gcm;

#[derive(Clone, Copy)]
enum Mux {
    Yes,
    No,
}

fn agreed(role: Role, certificate: u8) -> Agreed {
    let remote = vec![Fingerprint::new(Hash::Sha256, &[certificate; 32]).unwrap()];
    Agreed { role, remote, local_id: None, remote_id: None }
}

fn by_dtls(role: Role, certificate: u8, mux: Mux) -> Negotiated {
    let plain = media(PEER);
    let (rtcp_mux, remote_rtcp) = match mux {
        Mux::Yes => (true, Some(plain.remote_rtp)),
        Mux::No => (false, plain.remote_rtcp),
    };
    Negotiated { rtcp_mux, remote_rtcp, protection: Protection::Dtls(Box::new(agreed(role, certificate))), ..plain }
}

fn keys(send: u8, receive: u8) -> Srtp {
    let key = |fill| MasterKey::new(SUITE, &[fill; 28]).unwrap();
    Srtp { send: key(send), receive: key(receive), mki_length: 0 }
}

/// A session and what it wants.
struct Bench {
    now: Instant,
    session: Session,
}

impl Bench {
    fn new(role: Role, mux: Mux) -> Bench {
        let now = Instant::now();
        let mut session = Session::new(now, [7; 32]);
        session.configure(now, &by_dtls(role, 1, mux));
        session.set_microphone_open(true);
        Bench { now, session }
    }

    fn requests(&mut self) -> Vec<Request> {
        std::iter::from_fn(|| self.session.poll_handshake()).collect()
    }

    /// The handshakes that are begun, and those that are ended.
    fn begun(&mut self) -> (Vec<u32>, Vec<u32>) {
        let (mut begun, mut ended) = (Vec::new(), Vec::new());
        for request in self.requests() {
            match request {
                Request::Begin { handshake, .. } => begun.push(handshake.0),
                Request::End { handshake } => ended.push(handshake.0),
                Request::Datagram { .. } => panic!("{request:?}"),
            }
        }
        (begun, ended)
    }

    /// The handshakes that datagrams came for.
    fn came_for(&mut self, from: &str) -> Vec<u32> {
        self.session.handle_rtp(self.now, address(from), &HELLO);
        let datagrams = self.requests().into_iter().filter_map(|request| match request {
            Request::Datagram { handshake, bytes } => {
                assert_eq!(bytes, HELLO);
                Some(handshake.0)
            }
            Request::Begin { .. } | Request::End { .. } => None,
        });
        datagrams.collect()
    }

    fn sent(&mut self) -> Vec<Transmit> {
        std::iter::from_fn(|| self.session.poll_transmit()).collect()
    }

    fn reply(&mut self, reply: Reply) {
        self.session.handle_handshake(self.now, reply);
    }

    fn done(&mut self, handshake: u32, srtp: Srtp) {
        self.reply(Reply::Done { handshake: Handshake(handshake), srtp: Box::new(srtp) });
    }

    fn fail(&mut self, handshake: u32, failure: Failure) {
        self.reply(Reply::Failed { handshake: Handshake(handshake), failure });
    }

    fn events(&mut self) -> Vec<Event> {
        std::iter::from_fn(|| self.session.poll_event()).collect()
    }

    fn speak(&mut self) -> Vec<Transmit> {
        self.now += ms(20);
        self.session.capture(self.now, &[1000; 160]);
        self.sent()
    }
}

#[test]
fn nothing_leaves_and_nothing_is_believed_before_the_keys() {
    let mut bench = Bench::new(Role::Client, Mux::No);
    assert_eq!(bench.begun(), (vec![0, 1], vec![]), "one of RTP, one of RTCP");
    assert!(!bench.session.sends());
    assert_eq!(bench.speak(), []);
    // Plain RTP from the right address.
    let mut plain = Session::new(bench.now, [9; 32]);
    plain.configure(bench.now, &media(ADDRESSES[0]));
    for n in 0..5 {
        plain.capture(bench.now + ms(n * 20), &[1000; 160]);
        while let Some(Transmit::Rtp { bytes, .. }) = plain.poll_transmit() {
            bench.session.handle_rtp(bench.now, address(PEER), &bytes);
        }
    }
    assert_eq!((bench.session.stats().received, bench.session.stats().strangers), (0, 5));
    bench.now += ms(7000);
    bench.session.handle_timeout(bench.now);
    assert_eq!(bench.sent(), [], "no report");
    bench.events();

    bench.done(0, keys(1, 2));
    assert_eq!(bench.events(), [Event::Keyed { suite: SUITE }]);
    assert!(bench.session.sends());
    let sent = bench.speak();
    assert!(matches!(&sent[..], [Transmit::Rtp { to, .. }] if *to == address(PEER)), "{sent:?}");
    // RTCP has keys of its own.
    bench.now += ms(20_000);
    bench.session.handle_timeout(bench.now);
    assert_eq!(bench.sent(), []);
    bench.done(1, keys(3, 4));
    bench.now += ms(20_000);
    bench.session.handle_timeout(bench.now);
    assert!(matches!(&bench.sent()[..], [Transmit::Rtcp { .. }]));
}

#[test]
fn sound_and_reports_come_through_under_its_keys() {
    for mux in [Mux::Yes, Mux::No] {
        let mut pair = Pair::new(3, Weather { loss: 0.05, twice: 0.05, delay_ms: 20, jitter_ms: 40 });
        for (n, role) in [Role::Client, Role::Server].into_iter().enumerate() {
            let there = address(ADDRESSES[1 - n]);
            let Negotiated { remote_rtcp, .. } = media(ADDRESSES[1 - n]);
            let remote_rtcp = if let Mux::Yes = mux { Some(there) } else { remote_rtcp };
            let media = Negotiated { remote_rtp: there, remote_rtcp, ..by_dtls(role, 1, mux) };
            pair.sessions[n].configure(pair.now, &media);
            for handshake in 0..2u8 {
                let [ours, theirs] = if n == 0 { [1, 2] } else { [2, 1] }.map(|fill| fill + 10 * handshake);
                let srtp = Box::new(keys(ours, theirs));
                let reply = Reply::Done { handshake: Handshake(handshake.into()), srtp };
                pair.sessions[n].handle_handshake(pair.now, reply);
            }
        }
        pair.tone = [Some(440.0), Some(1000.0)];
        pair.run(ms(8000));
        for session in &pair.sessions {
            let stats = session.stats();
            assert!(stats.received > 350 && stats.rtt_ms.is_some(), "{stats:?}");
        }
    }
}

#[test]
fn datagrams_of_the_handshake_come_and_go_unchanged() {
    let mut bench = Bench::new(Role::Client, Mux::Yes);
    assert_eq!(bench.begun(), (vec![0], vec![]));
    assert_eq!(bench.came_for(PEER), [0]);
    bench.reply(Reply::Transmit { handshake: Handshake(0), bytes: HELLO.to_vec() });
    assert_eq!(bench.sent(), [Transmit::Rtp { to: address(PEER), bytes: HELLO.to_vec() }]);
    // Of one that is no more.
    bench.reply(Reply::Transmit { handshake: Handshake(9), bytes: HELLO.to_vec() });
    bench.done(9, keys(1, 2));
    assert_eq!(bench.sent(), []);
    assert!(bench.events().is_empty() && !bench.session.sends());
    // After the end one that the peer sends once more is answered still, a stranger's is not.
    bench.done(0, keys(1, 2));
    assert_eq!(bench.came_for(PEER), [0]);
    assert_eq!(bench.came_for(OTHER), [0; 0]);
}

#[test]
fn what_comes_before_the_answer_is_kept_and_a_flood_is_not() {
    let now = Instant::now();
    let mut session = Session::new(now, [7; 32]);
    for _ in 0..1000 {
        session.handle_rtp(now, address(PEER), &HELLO);
        session.handle_rtp(now, address(PEER), &[22; 5000]);
    }
    session.configure(now, &by_dtls(Role::Server, 1, Mux::Yes));
    let mut bench = Bench { now, session };
    let requests = bench.requests();
    assert!(matches!(requests[0], Request::Begin { role: Role::Server, .. }));
    assert_eq!(requests.len(), 9, "eight at most: {requests:?}");
}

#[test]
fn the_passive_side_opens_the_way_and_the_active_one_answers() {
    let mut passive = Bench::new(Role::Server, Mux::Yes);
    let sent = passive.sent();
    let [Transmit::Rtp { to, bytes }] = &sent[..] else { panic!("{sent:?}") };
    assert_eq!(*to, address(PEER));
    let mut active = Bench::new(Role::Client, Mux::Yes);
    assert_eq!(active.sent(), []);
    active.session.handle_rtp(active.now, address(NAT), bytes);
    let sent = active.sent();
    let [Transmit::Rtp { to, bytes: answer }] = &sent[..] else { panic!("{sent:?}") };
    assert_eq!(*to, address(NAT));
    assert_eq!(stun::mapped_address(answer, &bytes[8..20].try_into().unwrap()), Some(address(NAT)));
    // Once the handshake is over nobody is answered.
    active.done(0, keys(1, 2));
    active.session.handle_rtp(active.now, address(NAT), bytes);
    assert_eq!(active.sent(), []);
}

#[test]
fn behind_a_translator_the_handshake_goes_where_it_comes_from_and_so_does_the_sound() {
    let mut bench = Bench::new(Role::Server, Mux::Yes);
    bench.begun();
    bench.sent();
    assert_eq!(bench.came_for(NAT), [0]);
    assert_eq!(bench.came_for(OTHER), [0; 0], "one at a time");
    bench.reply(Reply::Transmit { handshake: Handshake(0), bytes: HELLO.to_vec() });
    assert_eq!(bench.sent(), [Transmit::Rtp { to: address(NAT), bytes: HELLO.to_vec() }]);
    bench.done(0, keys(1, 2));
    assert!(matches!(&bench.speak()[..], [Transmit::Rtp { to, .. }] if *to == address(NAT)));
}

#[test]
fn a_stranger_costs_a_new_beginning_and_no_more() {
    let mut bench = Bench::new(Role::Server, Mux::Yes);
    bench.begun();
    // He comes first, and the peer from the signalled address.
    assert_eq!(bench.came_for(OTHER), [0]);
    bench.session.handle_rtp(bench.now, address(PEER), &HELLO);
    let requests = bench.requests();
    assert!(matches!(requests[0], Request::End { handshake: Handshake(0) }), "{requests:?}");
    assert!(matches!(requests[2], Request::Datagram { handshake: Handshake(1), .. }), "{requests:?}");
    assert_eq!(bench.came_for(OTHER), [0; 0]);
    assert_eq!(bench.came_for(PEER), [1]);

    // He shows another certificate: the call goes on, without him.
    let mut bench = Bench::new(Role::Server, Mux::Yes);
    bench.begun();
    assert_eq!(bench.came_for(OTHER), [0]);
    bench.fail(0, Failure::Fingerprint);
    assert_eq!(bench.events(), []);
    assert_eq!(bench.begun(), (vec![1], vec![0]));
    assert_eq!(bench.came_for(OTHER), [0; 0]);
    assert_eq!(bench.came_for(NAT), [1]);
    // Who is silent makes room for another one.
    bench.now += ms(2000);
    assert_eq!(bench.came_for("198.51.100.3:9"), [2]);
}

#[test]
fn another_certificate_at_the_signalled_address_is_told_and_final() {
    let mut bench = Bench::new(Role::Client, Mux::Yes);
    bench.begun();
    bench.came_for(PEER);
    bench.fail(0, Failure::Fingerprint);
    assert_eq!(bench.events(), [Event::KeysFailed(Failure::Fingerprint)]);
    assert_eq!(bench.begun(), (vec![], vec![]));
    assert_eq!(bench.came_for(PEER), [0; 0]);
    assert_eq!(bench.speak(), []);
}

#[test]
fn a_time_out_is_final_once_the_call_is_answered() {
    let mut bench = Bench::new(Role::Client, Mux::No);
    bench.session.set_microphone_open(false);
    assert_eq!(bench.begun(), (vec![0, 1], vec![]));
    bench.fail(0, Failure::Timeout);
    assert_eq!(bench.begun(), (vec![2], vec![0]));
    bench.session.set_microphone_open(true);
    // Without RTCP the sound goes on.
    bench.fail(1, Failure::Timeout);
    assert_eq!(bench.events(), []);
    bench.fail(2, Failure::Timeout);
    assert_eq!(bench.events(), [Event::KeysFailed(Failure::Timeout)]);
}

#[test]
fn a_new_association_makes_new_keys_and_the_old_ones_hold_until_then() {
    let mut bench = Bench::new(Role::Client, Mux::Yes);
    bench.begun();
    bench.done(0, keys(1, 2));
    // The same once more, on hold and back.
    for send in [false, true] {
        let media = Negotiated { send, ..by_dtls(Role::Client, 1, Mux::Yes) };
        bench.session.configure(bench.now, &media);
        assert_eq!(bench.begun(), (vec![], vec![]));
    }
    bench.events();
    bench.session.configure(bench.now, &by_dtls(Role::Client, 2, Mux::Yes));
    assert_eq!(bench.begun(), (vec![1], vec![0]));
    assert_eq!(bench.speak().len(), 1, "under the old keys");
    bench.done(1, keys(3, 4));
    assert_eq!(bench.events(), [Event::Keyed { suite: SUITE }]);
    assert_eq!(bench.speak().len(), 1);
    // No DTLS any more.
    bench.session.configure(bench.now, &Negotiated { rtcp_mux: true, ..media(PEER) });
    assert_eq!(bench.begun(), (vec![], vec![1]));
    bench.session.close(bench.now);
    assert_eq!(bench.begun(), (vec![], vec![]));
}

#[test]
fn a_held_peer_without_an_address_is_sent_nothing() {
    let now = Instant::now();
    let mut session = Session::new(now, [7; 32]);
    session.configure(now, &Negotiated { remote_rtcp: None, send: false, ..by_dtls(Role::Server, 1, Mux::Yes) });
    let mut bench = Bench { now, session };
    assert_eq!(bench.begun(), (vec![], vec![]));
    assert_eq!(bench.sent(), []);
    bench.session.configure(now, &by_dtls(Role::Server, 1, Mux::Yes));
    assert_eq!(bench.begun(), (vec![0], vec![]));
}

proptest! {
    /// Whatever comes to the sockets, in whatever order, no more than asked for is asked of the handshakes, and nothing leaks.
    #[test]
    fn rubbish_opens_nothing(
        datagrams in prop::collection::vec((any::<bool>(), 0usize..4, prop::collection::vec(any::<u8>(), 0..80)), 0..60)
    ) {
        let mut bench = Bench::new(Role::Server, Mux::No);
        bench.begun();
        bench.sent();
        for (rtp, from, bytes) in datagrams {
            let from = address([PEER, NAT, OTHER, "192.0.2.2:5001"][from]);
            match rtp {
                true => bench.session.handle_rtp(bench.now, from, &bytes),
                false => bench.session.handle_rtcp(bench.now, from, &bytes),
            }
            for request in bench.requests() {
                if let Request::Datagram { bytes, .. } = request {
                    prop_assert!(matches!(bytes[..], [20..=63, ..]));
                }
            }
        }
        prop_assert!(!bench.session.sends());
        prop_assert_eq!(bench.session.stats().received, 0);
        let only_stun = bench.speak().iter().all(|transmit| {
            let (Transmit::Rtp { bytes, .. } | Transmit::Rtcp { bytes, .. }) = transmit;
            crate::media::ice::is_stun(bytes)
        });
        prop_assert!(only_stun);
    }
}
