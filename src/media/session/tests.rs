//! Two sessions over a network that loses, delays, reorders and repeats, in simulated time; and one session by itself.

mod handshakes;
mod network;
mod protection;
mod quiet;
mod traces;

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use proptest::prelude::*;
use rand_chacha::ChaCha12Rng;
use rand_core::{RngCore, SeedableRng};

use super::*;
use crate::media::goertzel;
use crate::media::levels::rms_dbfs;
use crate::rtp::rtcp;
use crate::sdp::Codec;

const EVENT: u8 = 101;

fn address(text: &str) -> SocketAddr {
    text.parse().unwrap()
}

fn ms(count: u64) -> Duration {
    Duration::from_millis(count)
}

pub(super) fn media(remote: &str) -> Negotiated {
    let remote_rtp = address(remote);
    Negotiated {
        remote_rtp,
        remote_rtcp: Some(SocketAddr::new(remote_rtp.ip(), remote_rtp.port() + 1)),
        rtcp_mux: false,
        xr: Default::default(),
        ice: None,
        codec: Codec::Pcmu,
        send_payload_type: 0,
        receive: vec![(0, Codec::Pcmu), (8, Codec::Pcma)],
        send_telephone_event: Some((EVENT, 8000)),
        receive_telephone_events: vec![(EVENT, 8000)],
        comfort_noise: Default::default(),
        opus: crate::sdp::OpusWishes::default(),
        ptime_ms: 20,
        send: true,
        receive_audio: true,
        held_by_peer: false,
        protection: Default::default(),
    }
}

#[derive(Clone, Copy, Default)]
struct Weather {
    loss: f64,
    twice: f64,
    delay_ms: u64,
    jitter_ms: u64,
}

struct Datagram {
    at: Instant,
    to: usize,
    transmit: Transmit,
}

/// Two sessions, their clocks and speakers, and the network between them.
struct Pair {
    now: Instant,
    sessions: [Session; 2],
    events: [Vec<Event>; 2],
    heard: [Vec<i16>; 2],
    tone: [Option<f64>; 2],
    captured: usize,
    weather: Weather,
    under_way: Vec<Datagram>,
    random: ChaCha12Rng,
}

const ADDRESSES: [&str; 2] = ["192.0.2.1:4000", "192.0.2.2:5000"];
const STEP_MS: u64 = 5;

impl Pair {
    fn new(seed: u8, weather: Weather) -> Pair {
        let now = Instant::now();
        let mut sessions = [Session::new(now, [seed; 32]), Session::new(now, [!seed; 32])];
        for (n, session) in sessions.iter_mut().enumerate() {
            session.configure(now, &media(ADDRESSES[1 - n]));
            session.set_microphone_open(true);
        }
        Pair {
            now,
            sessions,
            events: Default::default(),
            heard: Default::default(),
            tone: [None; 2],
            captured: 0,
            weather,
            under_way: Vec::new(),
            random: ChaCha12Rng::from_seed([seed; 32]),
        }
    }

    fn chance(&mut self) -> f64 {
        f64::from(self.random.next_u32()) / f64::from(u32::MAX)
    }

    fn post(&mut self, to: usize, transmit: Transmit) {
        let copies = 1 + usize::from(self.chance() < self.weather.twice);
        for _ in 0..copies {
            if self.chance() < self.weather.loss {
                continue;
            }
            let jitter = self.chance() * self.weather.jitter_ms as f64 / 1000.0;
            let at = self.now + ms(self.weather.delay_ms) + Duration::from_secs_f64(jitter);
            self.under_way.push(Datagram { at, to, transmit: transmit.clone() });
        }
    }

    fn run(&mut self, time: Duration) {
        let end = self.now + time;
        while self.now < end {
            self.step();
        }
    }

    fn step(&mut self) {
        self.now += ms(STEP_MS);
        let count = STEP_MS as usize * 8;
        for n in 0..2 {
            let samples: Vec<i16> =
                (self.captured..self.captured + count).map(|at| self.tone[n].map_or(0, |hz| sine(at, hz))).collect();
            self.sessions[n].capture(self.now, &samples);
            if self.sessions[n].poll_timeout().is_some_and(|due| due <= self.now) {
                self.sessions[n].handle_timeout(self.now);
            }
            while let Some(transmit) = self.sessions[n].poll_transmit() {
                self.post(1 - n, transmit);
            }
        }
        self.captured += count;
        self.deliver();
        for n in 0..2 {
            let mut out = vec![0; count];
            self.sessions[n].playout(self.now, &mut out);
            self.heard[n].extend(out);
            self.events[n].extend(std::iter::from_fn(|| self.sessions[n].poll_event()));
        }
    }

    fn deliver(&mut self) {
        self.under_way.sort_by_key(|datagram| datagram.at);
        let due = self.under_way.iter().take_while(|datagram| datagram.at <= self.now).count();
        for Datagram { at, to, transmit } in self.under_way.drain(..due) {
            let from = address(ADDRESSES[1 - to]);
            match transmit {
                Transmit::Rtp { to: target, bytes } => {
                    assert_eq!(target, address(ADDRESSES[to]));
                    self.sessions[to].handle_rtp(at, from, &bytes);
                }
                Transmit::Rtcp { bytes, .. } => {
                    self.sessions[to].handle_rtcp(at, SocketAddr::new(from.ip(), from.port() + 1), &bytes);
                }
            }
        }
    }

    fn digits(&self, n: usize) -> String {
        let digit = |event: &Event| if let Event::Digit { digit, .. } = event { Some(*digit) } else { None };
        self.events[n].iter().filter_map(digit).collect()
    }
}

fn sine(at: usize, hz: f64) -> i16 {
    (8000.0 * (std::f64::consts::TAU * hz * at as f64 / 8000.0).sin()) as i16
}

/// RMS of the tone of [`sine`].
const TONE_DBFS: f32 = -15.26;

#[test]
fn a_tone_crosses_a_clean_network_whole_and_with_one_packet_of_delay() {
    let mut pair = Pair::new(1, Weather::default());
    pair.tone = [Some(440.0), None];
    pair.run(ms(1000));
    assert_eq!(pair.sessions[1].stats().mos.map(|mos| mos > 4.3), Some(true));
    let heard = &pair.heard[1];
    let first = heard.iter().position(|&sample| sample.unsigned_abs() > 100).unwrap();
    assert!(first <= 8 * 20, "{first} samples of delay");
    let sound = &heard[4000..];
    assert!((goertzel::level(sound, 440.0, 8000) - TONE_DBFS).abs() < 0.1);
    assert!((rms_dbfs(sound) - TONE_DBFS).abs() < 0.1);
    assert!(rms_dbfs(&pair.heard[0]) < -90.0);
    let stats = pair.sessions[1].stats();
    assert_eq!((stats.lost, stats.discarded, stats.strangers, stats.loss), (0, 0, 0, 0.0));
    assert_eq!((stats.sent, stats.received, stats.jitter_ms), (50, 50, 0.0));
}

#[test]
fn a_tone_survives_a_bad_network() {
    for seed in 0..5 {
        let weather = Weather { loss: 0.05, twice: 0.05, delay_ms: 30, jitter_ms: 50 };
        let mut pair = Pair::new(seed, weather);
        pair.tone = [Some(440.0), Some(440.0)];
        pair.run(ms(30_000));
        for heard in &pair.heard {
            let mut levels: Vec<f32> =
                heard[8000 * 10..].chunks(800).map(|part| goertzel::level(part, 440.0, 8000)).collect();
            levels.sort_by(f32::total_cmp);
            let median = levels[levels.len() / 2];
            assert!((median - TONE_DBFS).abs() < 0.7, "median {median}, seed {seed}");
            assert!(levels[levels.len() / 10] > TONE_DBFS - 6.0, "a tenth below {}", levels[levels.len() / 10]);
            let level = rms_dbfs(&heard[8000 * 10..]);
            assert!((level - TONE_DBFS).abs() < 1.5, "{level}, seed {seed}");
        }
        let stats = pair.sessions[0].stats();
        assert!(stats.buffer_ms <= 145.0, "{stats:?}");
        assert!(stats.jitter_ms > 5.0 && stats.jitter_ms < 40.0, "{stats:?}");
        assert!(stats.discarded > 0 && stats.mos.is_some_and(|mos| mos < 4.3), "{stats:?}");
    }
}

#[test]
fn digits_arrive_once_each_at_a_fifth_lost() {
    for seed in 0..10 {
        let mut pair = Pair::new(seed, Weather { loss: 0.2, twice: 0.1, delay_ms: 10, jitter_ms: 30 });
        pair.run(ms(500));
        assert!(pair.sessions[0].send_digits(pair.now, "1123,45x67890*#abcd"));
        pair.run(ms(7000));
        assert_eq!(pair.digits(1), "11234567890*#ABCD", "seed {seed}");
        let sent = pair.events[0].iter().filter(|event| matches!(event, Event::DigitSent { .. })).count();
        assert_eq!(sent, 17);
    }
}

#[test]
fn a_digit_lasts_160_ms_and_leaves_the_sound_around_it_alone() {
    let mut pair = Pair::new(3, Weather::default());
    pair.tone = [Some(440.0), None];
    pair.run(ms(500));
    assert!(pair.sessions[0].send_digits(pair.now, "5"));
    pair.run(ms(1000));
    assert!(pair.events[1].contains(&Event::Digit { digit: '5', duration_ms: 160 }));
    let heard = &pair.heard[1];
    assert!((rms_dbfs(&heard[2000..4000]) - TONE_DBFS).abs() < 0.2);
    assert_eq!(rms_dbfs(&heard[8 * 620..8 * 690]), -100.0);
    assert!((rms_dbfs(&heard[8 * 760..8 * 1500]) - TONE_DBFS).abs() < 0.2);
    assert_eq!(pair.sessions[1].stats().lost, 0);
    // What was learnt from the pause is no delay.
    assert!(pair.sessions[1].stats().buffer_ms <= 20.0);
}

#[test]
fn reports_give_the_round_trip_and_the_loss() {
    let mut pair = Pair::new(4, Weather { delay_ms: 50, ..Weather::default() });
    pair.run(ms(20_000));
    for n in 0..2 {
        let rtt = pair.sessions[n].stats().rtt_ms.unwrap();
        assert!((rtt - 100.0).abs() < 0.1, "{rtt} ms");
        let stats = pair.events[n].iter().filter(|event| matches!(event, Event::Stats(_))).count();
        assert!((3..=4).contains(&stats));
        assert_eq!(pair.events[n][0], Event::Flowing { from: address(ADDRESSES[1 - n]) });
    }
}

/// A session, and what it sent since.
struct Alone {
    now: Instant,
    session: Session,
    media: Negotiated,
}

impl Alone {
    fn new() -> Alone {
        let now = Instant::now();
        let media = media("192.0.2.9:6000");
        let mut session = Session::new(now, [9; 32]);
        session.configure(now, &media);
        Alone { now, session, media }
    }

    fn configure(&mut self, change: impl FnOnce(&mut Negotiated)) {
        change(&mut self.media);
        self.session.configure(self.now, &self.media);
    }

    /// Lets 20 ms pass, with as many samples.
    fn tick(&mut self) -> Vec<(SocketAddr, Vec<u8>)> {
        self.now += ms(20);
        self.session.capture(self.now, &[1000; 160]);
        self.sent()
    }

    fn sent(&mut self) -> Vec<(SocketAddr, Vec<u8>)> {
        std::iter::from_fn(|| self.session.poll_transmit())
            .map(|transmit| match transmit {
                Transmit::Rtp { to, bytes } | Transmit::Rtcp { to, bytes } => (to, bytes),
            })
            .collect()
    }

    /// Lets time pass without samples.
    fn wait(&mut self, time: Duration) {
        let end = self.now + time;
        while let Some(due) = self.session.poll_timeout().filter(|&due| due <= end) {
            self.now = self.now.max(due);
            self.session.handle_timeout(self.now);
        }
        self.now = end;
    }

    fn events(&mut self) -> Vec<Event> {
        std::iter::from_fn(|| self.session.poll_event()).filter(|event| !matches!(event, Event::Stats(_))).collect()
    }

    fn receive(&mut self, from: &str, seq: u16) {
        let bytes = packet(seq, 0, &[0x80; 160]);
        self.session.handle_rtp(self.now, address(from), &bytes);
    }
}

fn packet(seq: u16, payload_type: u8, payload: &[u8]) -> Vec<u8> {
    Packet {
        payload_type: PayloadType(payload_type),
        marker: false,
        seq: SeqNo(seq),
        timestamp: RtpTimestamp(u32::from(seq) * 160),
        ssrc: Ssrc(42),
        payload,
    }
    .write(0)
}

#[test]
fn any_chunks_make_packets_of_ptime_and_the_microphone_is_shut_at_first() {
    let mut alone = Alone::new();
    assert_eq!((alone.session.sample_rate(), alone.session.sends()), (8000, true));
    alone.session.capture(alone.now, &[1000; 100]);
    alone.session.set_microphone_open(true);
    alone.session.capture(alone.now, &[1000; 500]);
    alone.session.capture(alone.now, &[]);
    let sent = alone.sent();
    let packets: Vec<Packet> = sent.iter().map(|(_, bytes)| Packet::read(bytes).unwrap()).collect();
    assert_eq!(packets.len(), 3);
    assert_eq!(packets[0].payload[..100], [0xff; 100]);
    assert_eq!(packets[0].payload[100..], [g711_pcmu(1000); 60]);
    assert_eq!([packets[0].marker, packets[1].marker, packets[2].marker], [true, false, false]);
    for pair in packets.windows(2) {
        assert_eq!(pair[1].seq, pair[0].seq.next());
        assert_eq!(pair[1].timestamp, pair[0].timestamp.plus(160));
        assert_eq!((pair[1].ssrc, pair[1].payload.len()), (pair[0].ssrc, 160));
    }
    assert_eq!(sent[0].0, alone.media.remote_rtp);
}

fn g711_pcmu(sample: i16) -> u8 {
    crate::media::g711::encode_pcmu(sample)
}

#[test]
fn a_change_of_codec_and_ptime_goes_on_with_the_stream() {
    let mut alone = Alone::new();
    let (_, before) = alone.tick().remove(0);
    alone.session.capture(alone.now, &[0; 90]);
    alone.configure(|media| {
        media.codec = Codec::Pcma;
        media.send_payload_type = 8;
        media.ptime_ms = 10;
    });
    alone.session.capture(alone.now, &[0; 70]);
    let sent = alone.sent();
    let before = Packet::read(&before).unwrap();
    let after: Vec<Packet> = sent.iter().map(|(_, bytes)| Packet::read(bytes).unwrap()).collect();
    assert_eq!(after.len(), 2);
    assert_eq!((after[0].payload_type, after[0].payload), (PayloadType(8), &[0xd5; 80][..]));
    assert_eq!((after[0].seq, after[0].ssrc), (before.seq.next(), before.ssrc));
    assert_eq!(after[0].timestamp, before.timestamp.plus(160));
    assert_eq!(after[1].timestamp, before.timestamp.plus(240));
}

#[test]
fn a_held_peer_gets_nothing_and_time_goes_on() {
    let mut alone = Alone::new();
    let (_, before) = alone.tick().remove(0);
    alone.wait(ms(20_000));
    assert!(!alone.sent().is_empty(), "RTCP");
    // c=0.0.0.0.
    alone.configure(|media| {
        media.send = false;
        media.remote_rtcp = None;
        media.held_by_peer = true;
    });
    assert!(!alone.session.sends());
    assert!(!alone.session.send_digits(alone.now, "1"));
    assert!(alone.tick().is_empty());
    alone.events();
    alone.wait(ms(29_980));
    assert!(alone.sent().is_empty());
    assert!(alone.events().is_empty());
    alone.configure(|media| {
        media.send = true;
        media.held_by_peer = false;
    });
    let (_, after) = alone.tick().remove(0);
    let (before, after) = (Packet::read(&before).unwrap(), Packet::read(&after).unwrap());
    assert!(after.marker);
    assert_eq!(after.seq, before.seq.next());
    // 50 s and a packet's time.
    assert_eq!(after.timestamp, before.timestamp.plus(8000 * 50 + 160));
}

#[test]
fn while_we_hold_packets_are_counted_not_played_and_rtcp_goes_on() {
    let mut alone = Alone::new();
    alone.configure(|media| media.receive_audio = false);
    for seq in 0..1000 {
        alone.tick();
        alone.receive("192.0.2.9:6000", seq);
    }
    let mut out = [1; 400];
    alone.session.playout(alone.now, &mut out);
    assert_eq!((out, alone.session.ready()), ([0; 400], 0));
    let stats = alone.session.stats();
    assert_eq!((stats.received, stats.lost, stats.discarded, stats.buffer_ms), (1000, 0, 0, 0.0));
    alone.wait(ms(7000));
    let reports: Vec<_> = alone.sent().into_iter().filter_map(|(_, bytes)| rtcp::read(&bytes).ok()).collect();
    assert!(!reports.is_empty());
    assert_eq!(reports[0].blocks.first().map(|block| block.ssrc), Some(Ssrc(42)));
    assert!(!alone.events().iter().any(|event| matches!(event, Event::Lost { .. })));
    // And it is heard again.
    alone.configure(|media| media.receive_audio = true);
    alone.receive("192.0.2.9:6000", 2000);
    assert_eq!(alone.session.ready(), 160);
    alone.session.playout(alone.now, &mut out[..160]);
    assert!(out[..160].iter().any(|&sample| sample.unsigned_abs() > 1000));
}

#[test]
fn lost_media_is_told_at_5_10_20_seconds_and_its_return_too() {
    let mut alone = Alone::new();
    alone.wait(ms(4999));
    assert_eq!(alone.events(), []);
    alone.wait(ms(1));
    assert_eq!(alone.events(), [Event::Lost { seconds: 5 }]);
    alone.wait(ms(15_000));
    assert_eq!(alone.events(), [Event::Lost { seconds: 10 }, Event::Lost { seconds: 20 }]);
    alone.receive("192.0.2.9:6000", 1);
    alone.receive("192.0.2.9:6000", 2);
    assert_eq!(alone.events(), [Event::Flowing { from: address("192.0.2.9:6000") }]);
    assert_eq!(alone.session.last_received(), Some(alone.now));
    alone.wait(ms(5000));
    assert_eq!(alone.events(), [Event::Lost { seconds: 5 }]);
    alone.configure(|media| media.held_by_peer = true);
    alone.wait(ms(60_000));
    assert_eq!(alone.events(), []);
    alone.configure(|media| media.held_by_peer = false);
    alone.wait(ms(5000));
    assert_eq!(alone.events(), [Event::Lost { seconds: 5 }]);
}

#[test]
fn packets_go_to_where_packets_come_from_and_strangers_are_counted() {
    let mut alone = Alone::new();
    let nat = "198.51.100.7:7000";
    for seq in 0..2 {
        alone.receive(nat, seq);
        assert_eq!(alone.tick()[0].0, alone.media.remote_rtp);
    }
    assert_eq!(alone.events(), []);
    alone.receive(nat, 2);
    assert_eq!(alone.tick()[0].0, address(nat));
    assert_eq!(alone.events(), [Event::Flowing { from: address(nat) }]);
    let stats = alone.session.stats();
    assert_eq!((stats.strangers, stats.received), (2, 1));
    alone.wait(ms(7000));
    assert_eq!(alone.sent()[0].0, address("198.51.100.7:7001"));
    alone.receive("192.0.2.9:6000", 3);
    assert_eq!(alone.tick()[0].0, alone.media.remote_rtp);
}

#[test]
fn rtcp_is_taken_from_the_host_of_the_peer_only_and_answered_there() {
    let mut alone = Alone::new();
    let ours = Packet::read(&alone.tick()[0].1).unwrap().ssrc;
    let block = |last_sr| rtcp::Block {
        ssrc: ours,
        fraction_lost: 0,
        cumulative_lost: 0,
        highest_seq: 0,
        jitter: 0,
        last_sr,
        delay_since_last_sr: 0,
    };
    let report = |last_sr| {
        let extended = Default::default();
        rtcp::Outgoing { ssrc: Ssrc(42), sender: None, block: Some(block(last_sr)), cname: "x", extended, bye: false }
            .write()
    };
    // Our clock: one second and 20 ms.
    let last_sr = 0x1_0000;
    alone.session.handle_rtcp(alone.now, address("198.51.100.7:6001"), &report(last_sr));
    assert_eq!(alone.session.stats().rtt_ms, None);
    alone.session.handle_rtcp(alone.now, address("[::ffff:192.0.2.9]:7777"), &report(0));
    assert_eq!(alone.session.stats().rtt_ms, None);
    alone.session.handle_rtcp(alone.now, address("192.0.2.9:7777"), &report(last_sr));
    assert!((alone.session.stats().rtt_ms.unwrap() - 20.0).abs() < 0.1);
    // From the future.
    alone.session.handle_rtcp(alone.now, address("192.0.2.9:7777"), &report(0x5_0000));
    assert!((alone.session.stats().rtt_ms.unwrap() - 20.0).abs() < 0.1);
    alone.wait(ms(7000));
    assert_eq!(alone.sent()[0].0, address("192.0.2.9:7777"));
}

#[test]
fn the_same_again_changes_nothing() {
    let mut alone = Alone::new();
    alone.tick();
    alone.receive("192.0.2.9:6000", 0);
    let before = format!("{:?}", alone.session);
    alone.configure(|_| {});
    assert_eq!(format!("{:?}", alone.session), before);
}

#[test]
fn a_session_that_spoke_says_goodbye_once() {
    let mut alone = Alone::new();
    let mut mute = Session::new(alone.now, [1; 32]);
    mute.configure(alone.now, &alone.media);
    mute.close(alone.now);
    assert_eq!(mute.poll_transmit(), None);

    alone.tick();
    alone.session.close(alone.now);
    let sent = alone.sent();
    assert_eq!((sent.len(), sent[0].0), (1, address("192.0.2.9:6001")));
    let report = rtcp::read(&sent[0].1).unwrap();
    assert!(report.bye && report.sender.is_some_and(|info| info.packets == 1 && info.octets == 160));
    alone.session.close(alone.now);
    alone.receive("192.0.2.9:6000", 0);
    assert!(alone.tick().is_empty());
    assert_eq!(alone.session.poll_timeout(), None);
    assert_eq!(alone.session.stats().sent, 1);
}

#[test]
fn before_the_agreement_all_is_silent() {
    let now = Instant::now();
    let mut session = Session::new(now, [0; 32]);
    session.capture(now, &[5; 1000]);
    session.handle_rtp(now, address("192.0.2.9:6000"), &packet(0, 0, &[1; 160]));
    session.handle_timeout(now);
    let mut out = [7; 100];
    session.playout(now, &mut out);
    assert_eq!(out, [0; 100]);
    assert!(!session.send_digits(now, "1"));
    assert_eq!((session.poll_transmit(), session.poll_event(), session.poll_timeout()), (None, None, None));
    assert_eq!(session.stats(), Stats::default());
}

proptest! {
    #[test]
    fn no_datagram_panics(
        datagrams in prop::collection::vec(
            (any::<bool>(), 0u8..4, any::<[u8; 2]>(), prop::collection::vec(any::<u8>(), 0..300), 0u64..3000),
            0..60,
        ),
    ) {
        let mut alone = Alone::new();
        let mut out = [0; 333];
        for (rtp, kind, head, rest, wait) in datagrams {
            let mut bytes = rest;
            if let (true, [first, second, ..]) = (kind > 0, bytes.as_mut_slice()) {
                *first = 0x80 | head[0] & 0x3f;
                *second = match kind {
                    1 => head[1] & 0x8f,
                    2 => 200 + head[1] % 5,
                    _ => EVENT,
                };
            }
            if rtp {
                alone.session.handle_rtp(alone.now, address("192.0.2.9:6000"), &bytes);
            } else {
                alone.session.handle_rtcp(alone.now, address("192.0.2.9:6001"), &bytes);
            }
            alone.wait(ms(wait));
            alone.tick();
            alone.session.playout(alone.now, &mut out);
            let _ = alone.session.stats();
        }
    }
}
