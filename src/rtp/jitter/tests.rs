//! The buffer packet by packet.

use std::time::Duration;

use proptest::prelude::*;

use super::*;

const FRAME: usize = 160;

/// A buffer for 8 kHz, the time, and a speaker that takes sound when it is told to.
struct Bench {
    buffer: JitterBuffer,
    start: Instant,
    /// In samples.
    now: u64,
}

impl Bench {
    fn new() -> Bench {
        Bench { buffer: JitterBuffer::new(8000), start: Instant::now(), now: 0 }
    }

    fn time(&self) -> Instant {
        self.start + Duration::from_micros(self.now * 125)
    }

    fn arrive(&mut self, ssrc: u32, seq: u16, timestamp: u32, marker: bool, content: Content<'_>) -> Inserted {
        let (ssrc, seq, timestamp) = (Ssrc(ssrc), SeqNo(seq), RtpTimestamp(timestamp));
        self.buffer.insert(&Arrival { now: self.time(), ssrc, seq, timestamp, marker, content })
    }

    fn insert_at(&mut self, seq: u16, timestamp: u32) -> Inserted {
        let payload = [seq as u8; FRAME];
        let payload_type = PayloadType(0);
        let content = Content::Voice { payload_type, payload: &payload, samples: FRAME, clock_rate: 8000 };
        self.arrive(1, seq, timestamp, false, content)
    }

    fn insert(&mut self, seq: u16) -> Inserted {
        self.insert_at(seq, u32::from(seq) * FRAME as u32)
    }

    fn insert_other(&mut self, seq: u16) {
        self.arrive(1, seq, 0, false, Content::Other);
    }

    /// Plays what is there, or makes up `count` samples; the time goes on by what is played.
    fn play(&mut self, count: usize) -> Option<u8> {
        self.buffer.begin(self.time(), FRAME);
        let (samples, heard) = match self.buffer.pull() {
            Frame::Voice { payload, skip, .. } => (payload.len() - skip, Some(payload[0])),
            Frame::Missing { samples, .. } => {
                let samples = samples.min(count);
                self.buffer.advance(samples);
                (samples, None)
            }
            Frame::Noise { .. } => (0, None),
            Frame::Empty => {
                self.buffer.advance(count);
                (count, None)
            }
        };
        self.now += samples as u64;
        heard
    }
}

#[test]
fn a_clean_stream_is_played_at_once() {
    let mut bench = Bench::new();
    assert_eq!(bench.play(80), None);
    for seq in 0..1000 {
        assert_eq!(bench.insert(seq), Inserted::Waiting);
        assert_eq!(bench.buffer.ready(), FRAME);
        assert_eq!(bench.play(0), Some(seq as u8));
        assert_eq!((bench.buffer.depth(), bench.buffer.target()), (0, 0));
        assert_eq!(bench.buffer.pace(), Pace::Right);
    }
}

#[test]
fn a_lost_packet_is_concealed_and_adds_no_delay() {
    let mut bench = Bench::new();
    bench.insert(1);
    assert_eq!(bench.play(0), Some(1));
    assert_eq!(bench.play(FRAME), None);
    bench.insert(3);
    assert_eq!(bench.buffer.ready(), FRAME);
    assert_eq!(bench.play(0), Some(3));
}

#[test]
fn a_lost_packet_among_waiting_ones_is_missing_for_its_time() {
    let mut bench = Bench::new();
    bench.insert(1);
    assert_eq!(bench.play(0), Some(1));
    bench.insert(3);
    assert_eq!(bench.buffer.ready(), 0);
    assert_eq!(bench.buffer.pull(), Frame::Missing { samples: FRAME, gap: Gap::Lost });
    bench.buffer.advance(100);
    assert_eq!(bench.buffer.pull(), Frame::Missing { samples: FRAME - 100, gap: Gap::Lost });
    bench.buffer.advance(60);
    assert_eq!(bench.play(0), Some(3));
    assert_eq!(bench.insert(2), Inserted::Late);
    assert_eq!(bench.insert(2), Inserted::Duplicate);
}

#[test]
fn of_a_late_packet_the_rest_is_played() {
    let mut bench = Bench::new();
    // Long enough for one late packet not to count.
    for seq in 0..200 {
        bench.insert(seq);
        bench.play(0);
    }
    assert_eq!(bench.play(40), None);
    bench.insert(200);
    bench.buffer.begin(bench.time(), FRAME);
    let Frame::Voice { skip, after, .. } = bench.buffer.pull() else { panic!() };
    // A millisecond is kept as a margin.
    assert_eq!((skip, after), (32, Gap::Lost));
    bench.now += (FRAME - skip) as u64;
    bench.insert(201);
    assert_eq!(bench.play(0), Some(201));
}

#[test]
fn duplicates_and_reordering_are_put_right() {
    let mut bench = Bench::new();
    bench.insert(10);
    bench.play(0);
    for seq in [13, 12, 11] {
        bench.insert(seq);
    }
    assert_eq!(bench.insert(12), Inserted::Duplicate);
    assert_eq!(bench.insert(13), Inserted::Duplicate);
    assert_eq!(bench.insert(10), Inserted::Duplicate);
    assert_eq!([bench.play(0), bench.play(0), bench.play(0)], [Some(11), Some(12), Some(13)]);
}

#[test]
fn numbers_of_events_take_no_time_of_their_own() {
    let mut bench = Bench::new();
    bench.insert(1);
    bench.play(0);
    for seq in 2..13 {
        bench.play(FRAME);
        bench.insert_other(seq);
    }
    bench.insert(13);
    assert_eq!(bench.play(0), Some(13));
}

#[test]
fn another_source_and_a_restart_start_afresh() {
    let mut bench = Bench::new();
    bench.insert(1);
    bench.insert(2);
    bench.play(0);
    let content =
        Content::Voice { payload_type: PayloadType(0), payload: &[77; FRAME], samples: FRAME, clock_rate: 8000 };
    bench.arrive(2, 40_000, 0xffff_fff0, false, content);
    assert_eq!(bench.play(0), Some(77));
    assert_eq!(bench.arrive(2, 7, 0xffff_fff0, false, content), Inserted::Unexpected);
    assert_eq!(bench.arrive(2, 8, 0x90, false, content), Inserted::Waiting);
    assert_eq!(bench.play(0), Some(77));
}

#[test]
fn a_jump_of_the_timestamps_needs_a_second_packet_and_then_goes_on_at_once() {
    let mut bench = Bench::new();
    for seq in 0..50 {
        bench.insert(seq);
        assert_eq!(bench.play(0), Some(seq as u8));
    }
    for (seq, jump) in [(50, 1_000_000u32), (60, 0u32.wrapping_sub(900_000))] {
        assert_eq!(bench.insert_at(seq, u32::from(seq) * 160 + jump), Inserted::Unexpected);
        bench.play(FRAME);
        for seq in seq + 1..seq + 10 {
            assert_eq!(bench.insert_at(seq, (u32::from(seq) * 160).wrapping_add(jump)), Inserted::Waiting);
            assert_eq!(bench.play(0), Some(seq as u8), "after a jump by {jump}");
        }
    }
}

#[test]
fn after_an_outage_it_goes_on_with_what_comes() {
    let mut bench = Bench::new();
    bench.insert(1);
    bench.play(0);
    bench.play(8000 * 10);
    bench.insert(502);
    assert_eq!(bench.play(0), Some(502u16 as u8));
}

#[test]
fn a_pause_that_the_timestamps_tell_is_silence_and_no_loss() {
    let mut bench = Bench::new();
    for seq in 0..100u16 {
        bench.insert_at(seq, u32::from(seq) * 160);
        bench.play(0);
    }
    for talkspurt in 1..20u16 {
        bench.play(4000);
        for n in 0..10 {
            let seq = 90 + talkspurt * 10 + n;
            bench.insert_at(seq, u32::from(seq) * 160 + u32::from(talkspurt) * 4000);
            bench.buffer.begin(bench.time(), FRAME);
            let Frame::Voice { after, skip, .. } = bench.buffer.pull() else { panic!("{talkspurt} {n}") };
            assert_eq!((after == Gap::Silence, skip), (n == 0, 0));
            bench.now += FRAME as u64;
        }
    }
}

#[test]
fn noise_is_described_in_its_turn() {
    let mut bench = Bench::new();
    bench.insert(0);
    bench.arrive(1, 1, 160, false, Content::Noise { payload: &[60], clock_rate: 8000 });
    bench.play(0);
    assert_eq!(bench.buffer.pull(), Frame::Noise { payload: &[60] });
    assert_eq!(bench.play(1600), None);
    bench.insert_at(2, 320 + 1440);
    assert_eq!(bench.play(0), Some(2));
}

#[test]
fn what_came_before_the_speaker_ran_is_old() {
    let mut bench = Bench::new();
    for seq in 0..100 {
        bench.insert(seq);
        bench.now += FRAME as u64;
    }
    assert!(bench.buffer.depth() <= 3200);
    assert_eq!(bench.play(0), Some(99));
    bench.insert(100);
    assert_eq!(bench.play(0), Some(100));
}

/// After a stall of 200 ms the buffer learns again that nothing need wait.
#[test]
fn what_has_waited_is_squeezed_before_packets_are_played_at_once() {
    const STALL: std::ops::Range<u64> = 300..310;
    let mut bench = Bench::new();
    // What the card has; the most of it when packets were played at once, of those after the stall; how often they were.
    let (mut card, mut most, mut at_once, mut squeezes) = (0, 0, 0, 0);
    let (mut next, count) = (0u64, 1500);
    while next < count {
        while next < count && bench.now >= if STALL.contains(&next) { STALL.end } else { next } * FRAME as u64 {
            bench.insert(next as u16);
            next += 1;
        }
        let ready = bench.buffer.ready();
        if ready > 0 || card < 8 {
            let block = if ready > 0 { ready } else { 40 };
            let enough = card + block;
            bench.buffer.begin(bench.time(), block);
            while card < enough {
                bench.buffer.set_queued(card);
                let Frame::Voice { payload, skip, .. } = bench.buffer.pull() else {
                    bench.buffer.advance(40);
                    card += 40;
                    break;
                };
                card += payload.len() - skip;
                if let Pace::Shorter(by) = bench.buffer.pace() {
                    card -= by.min(80);
                    bench.buffer.scaled();
                    squeezes += 1;
                }
            }
        }
        if ready > 0 && next > STALL.end {
            (most, at_once) = (most.max(card), at_once + 1);
        }
        card = card.saturating_sub(8);
        bench.now += 8;
    }
    assert!(squeezes > 10, "{squeezes}");
    assert!(most <= FRAME + 10 * 8, "{most} samples were given to the card");
    assert!(at_once > 500, "{at_once}");
}

#[test]
fn after_a_standstill_of_the_speaker_the_delay_is_bounded() {
    let mut bench = Bench::new();
    for seq in 0..50 {
        bench.insert(seq);
        bench.play(0);
    }
    for seq in 50..100 {
        bench.insert(seq);
        bench.now += FRAME as u64;
    }
    assert!(bench.buffer.depth() <= 3200);
    assert_eq!(bench.play(0), Some(99));
}

/// Two hours of a sender whose clock runs slow by `ppm`, over a network with 10 ms of jitter, to a speaker that takes 5 ms at a
/// time and resamples as [`JitterBuffer::correction`] asks. Gives the least and the largest mean delay of a minute after the
/// first, in milliseconds, and how often sound was missing or had to be stretched or squeezed.
fn two_hours(ppm: f64) -> (f64, f64, u32) {
    const BLOCK: usize = 40;
    let mut bench = Bench::new();
    let (mut sent, mut state, mut queued) = (0u64, 1u64, 0.0f64);
    let (mut under_way, mut delays, mut changes) = (std::collections::VecDeque::new(), vec![(0.0, 0u32); 120], 0);
    for block in 0..2 * 3600 * 200u64 {
        bench.now = block * BLOCK as u64;
        let leaves = |n: u64| (n * FRAME as u64) as f64 * (1.0 + ppm / 1e6);
        while leaves(sent) <= bench.now as f64 {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            let jitter = (state >> 40) as f64 / (1u64 << 24) as f64 * 80.0;
            under_way.push_back((leaves(sent) + jitter, sent));
            sent += 1;
        }
        while let Some((_, n)) = under_way.front().copied().filter(|(at, _)| *at <= bench.now as f64) {
            under_way.pop_front();
            bench.insert_at(n as u16, (n * FRAME as u64) as u32);
        }
        let needed = BLOCK as f64 / (1.0 + bench.buffer.correction().unwrap_or(0.0));
        bench.buffer.begin(bench.time(), BLOCK);
        while queued < needed {
            bench.buffer.set_queued(queued as usize);
            let settled = block > 60 * 200;
            match bench.buffer.pull() {
                Frame::Voice { payload, skip, .. } => {
                    queued += (payload.len() - skip) as f64;
                    let minute: &mut (f64, u32) = &mut delays[block as usize / (60 * 200)];
                    *minute = (minute.0 + bench.buffer.delay() as f64 / 8.0, minute.1 + 1);
                    changes += u32::from(settled && bench.buffer.pace() != Pace::Right);
                }
                Frame::Missing { .. } | Frame::Empty | Frame::Noise { .. } => {
                    bench.buffer.advance(BLOCK);
                    queued += BLOCK as f64;
                    changes += u32::from(settled);
                }
            }
        }
        queued -= needed;
    }
    let means = delays.iter().skip(1).map(|(sum, count)| sum / f64::from(*count));
    (means.clone().fold(f64::MAX, f64::min), means.fold(f64::MIN, f64::max), changes)
}

#[test]
fn drift_is_resampled_away_and_the_delay_stays() {
    for ppm in [-200.0, 0.0, 200.0] {
        let (least, most, changes) = two_hours(ppm);
        assert!(least > 5.0 && most < 20.0 && most - least <= 5.0, "{ppm} ppm: {least} to {most} ms");
        // Of 360,000 packets.
        assert!(changes < 7200, "{ppm} ppm: {changes}");
    }
}

proptest! {
    #[test]
    fn nothing_makes_it_panic_or_grow(
        steps in prop::collection::vec((0u8..9, any::<u16>(), 0usize..2000, any::<bool>()), 0..400),
    ) {
        let mut bench = Bench::new();
        let mut seq = 65_500u16;
        for (kind, number, samples, marker) in steps {
            let (at, content) = match kind {
                0 => (number, Content::Other),
                1..=4 => {
                    seq = seq.wrapping_add(number % 4);
                    let payload = &[0u8; 2000][..samples];
                    let clock_rate = if number % 50 == 3 { 48_000 } else { 8000 };
                    let content = Content::Voice { payload_type: PayloadType(0), payload, samples, clock_rate };
                    (seq.wrapping_sub(number >> 8 & 7), content)
                }
                5 => (seq.wrapping_add(1), Content::Noise { payload: &[60], clock_rate: 8000 }),
                6 => {
                    bench.play(samples);
                    continue;
                }
                7 => {
                    bench.buffer.begin(bench.time(), FRAME);
                    let ready = bench.buffer.ready();
                    prop_assert!(ready <= bench.buffer.depth());
                    let is_voice = matches!(bench.buffer.pull(), Frame::Voice { .. });
                    prop_assert!(ready == 0 || is_voice);
                    let _ = (bench.buffer.pace(), bench.buffer.correction(), bench.buffer.goes_on());
                    bench.buffer.look_ahead(marker);
                    continue;
                }
                _ => {
                    bench.now += samples as u64;
                    continue;
                }
            };
            let timestamp = if marker { u32::from(number) << 13 } else { u32::from(at) * 160 };
            bench.arrive(u32::from(number == 7), at, timestamp, marker, content);
            prop_assert!(bench.buffer.depth() <= bench.buffer.max_depth());
            prop_assert!(bench.buffer.target() <= 8 * (spread::MOST_MS + 2) + bench.buffer.max_depth());
        }
    }
}
