//! A voice over networks of several kinds, in simulated time: the delay that is added, how much is made up, and no clicks.

use super::super::*;

/// What the card takes at a time, and when the network is fastest, in milliseconds.
const BLOCK_MS: u64 = 5;
const FASTEST_MS: u64 = 15;
const SECONDS: u64 = 30;
/// A step that is larger than any of the sound that was sent by this factor would be heard as a click.
const MOST_STEP: f32 = 1.3;

/// Random numbers from 0 to 1 (Knuth's constants).
struct Dice(u64);

impl Dice {
    fn roll(&mut self) -> f64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 40) as f64 / (1u64 << 24) as f64
    }
}

/// How many milliseconds later than the fastest the packet that was sent at `ms` comes; `None`: never.
type Trace = fn(ms: u64, dice: &mut Dice) -> Option<f64>;

/// What came of it: over the second half of the call, where a mean.
#[derive(Debug)]
struct Outcome {
    /// Milliseconds that are added to the fastest packets' way.
    delay_ms: f32,
    most_delay_ms: f32,
    concealed: f32,
    /// The largest step from a sample to the next, in those of the sound that was sent.
    step: f32,
}

/// A voice: syllables with a gliding pitch and overtones.
fn voice(count: usize) -> Vec<i16> {
    let (mut phase, mut sound) = (0.0f64, Vec::new());
    for n in 0..count {
        let t = n as f64 / 8000.0;
        phase += std::f64::consts::TAU * (140.0 + 30.0 * (t * 4.0).sin()) / 8000.0;
        let level = 2500.0 * (t * 9.0).sin().max(0.0);
        sound.push((1..10).map(|k| level / f64::from(k) * (phase * f64::from(k)).sin()).sum::<f64>() as i16);
    }
    sound
}

fn largest_step(sound: &[i16]) -> f32 {
    sound.windows(2).map(|two| f32::from(two[1]) - f32::from(two[0])).fold(0.0, |most, step| most.max(step.abs()))
}

fn agreed(codec: Codec, ptime_ms: u8) -> Negotiated {
    Negotiated {
        codec,
        send_payload_type: codec.payload_type(),
        receive: vec![(codec.payload_type(), codec)],
        ptime_ms,
        ..super::tests::media("192.0.2.1:4000")
    }
}

/// A call of half a minute over a network.
fn call(ptime_ms: u8, trace: Trace, seed: u64) -> Outcome {
    let start = Instant::now();
    let at = |ms: u64| start + std::time::Duration::from_millis(ms);
    let media = agreed(Codec::Pcmu, ptime_ms);
    let mut sessions = [Session::new(start, [1; 32]), Session::new(start, [2; 32])];
    sessions.iter_mut().for_each(|session| session.configure(start, &media));
    let [mouth, ear] = &mut sessions;
    mouth.set_microphone_open(true);
    let spoken = voice(8000 * SECONDS as usize);
    let (mut dice, mut under_way, mut heard) = (Dice(seed), Vec::new(), Vec::new());
    let (mut delays, mut before, mut last) = (Vec::new(), ear.receiver.playout().counts(), 0.0f64);
    for (ms, piece) in spoken.chunks(8).enumerate() {
        let ms = ms as u64;
        mouth.capture(at(ms), piece);
        while let Some(transmit) = mouth.poll_transmit() {
            let (Transmit::Rtp { bytes, .. }, Some(delay)) = (transmit, trace(ms, &mut dice)) else { continue };
            // A queue keeps the order.
            last = last.max((ms + FASTEST_MS) as f64 + delay);
            under_way.push((last, bytes));
        }
        let due = under_way.iter().take_while(|(when, _)| *when <= ms as f64).count();
        for (_, bytes) in under_way.drain(..due) {
            ear.handle_rtp(at(ms), media.remote_rtp, &bytes);
        }
        if ms.is_multiple_of(BLOCK_MS) {
            let mut out = [0; 8 * BLOCK_MS as usize];
            ear.playout(at(ms), &mut out);
            heard.extend(out);
            if ms == SECONDS * 500 {
                before = ear.receiver.playout().counts();
            }
            if ms > SECONDS * 500 {
                delays.push(ear.receiver.playout().delay_ms());
            }
        }
    }
    let counts = ear.receiver.playout().counts();
    Outcome {
        delay_ms: delays.iter().sum::<f32>() / delays.len() as f32,
        most_delay_ms: delays.iter().copied().fold(0.0, f32::max),
        concealed: (counts.concealed - before.concealed) as f32 / (counts.played - before.played) as f32,
        step: largest_step(&heard) / largest_step(&spoken),
    }
}

/// A network, the packets' length, and what is allowed: mean delay and largest delay in milliseconds, part made up.
struct Case {
    name: &'static str,
    ptime_ms: u8,
    trace: Trace,
    delay_ms: f32,
    most_delay_ms: f32,
    concealed: f32,
}

const fn case(name: &'static str, trace: Trace, delay_ms: f32, most_delay_ms: f32, concealed: f32) -> Case {
    Case { name, ptime_ms: 20, trace, delay_ms, most_delay_ms, concealed }
}

fn lossy(dice: &mut Dice, loss: f64) -> Option<f64> {
    (dice.roll() >= loss).then_some(0.0)
}

const CASES: [Case; 14] = [
    case("clean", |_, _| Some(0.0), 1.0, 1.0, 0.0),
    case("5 ms of jitter", |_, dice| Some(5.0 * dice.roll()), 12.0, 18.0, 0.005),
    case("20 ms of jitter", |_, dice| Some(20.0 * dice.roll()), 30.0, 38.0, 0.005),
    case("60 ms of jitter", |_, dice| Some(60.0 * dice.roll()), 72.0, 80.0, 0.005),
    // Every three seconds the radio is silent for 200 ms.
    case(
        "Wi-Fi",
        |ms, dice| Some(if ms % 3000 < 200 { (200 - ms % 3000) as f64 } else { 3.0 * dice.roll() }),
        200.0,
        260.0,
        0.02,
    ),
    // Packets wait for a slot of 40 ms; now and then one is sent again.
    case(
        "3G",
        |ms, dice| Some((40 - ms % 40) as f64 + if dice.roll() < 0.01 { 60.0 } else { 0.0 }),
        90.0,
        130.0,
        0.015,
    ),
    // Far away and steady, and of every 12 seconds five by a way that is 40 ms longer.
    case(
        "satellite",
        |ms, dice| Some(280.0 + 6.0 * dice.roll() + if ms % 12_000 < 5000 { 40.0 } else { 0.0 }),
        60.0,
        100.0,
        0.01,
    ),
    case("1 % lost", |_, dice| lossy(dice, 0.01), 2.0, 5.0, 0.02),
    case("5 % lost", |_, dice| lossy(dice, 0.05), 2.0, 6.0, 0.07),
    case("10 % lost", |_, dice| lossy(dice, 0.1), 2.0, 6.0, 0.13),
    case("30 % lost", |_, dice| lossy(dice, 0.3), 2.0, 6.0, 0.35),
    case("bursts lost", |ms, _| (ms % 1000 >= 80).then_some(0.0), 2.0, 6.0, 0.09),
    Case {
        ptime_ms: 10,
        ..case("20 ms of jitter, short packets", |_, dice| Some(20.0 * dice.roll()), 30.0, 38.0, 0.005)
    },
    Case {
        ptime_ms: 60,
        ..case("20 ms of jitter, long packets", |_, dice| Some(20.0 * dice.roll()), 40.0, 44.0, 0.005)
    },
];

#[test]
fn every_network_costs_no_more_than_it_must_and_nothing_clicks() {
    let mut failed = Vec::new();
    for Case { name, ptime_ms, trace, delay_ms, most_delay_ms, concealed } in CASES {
        for seed in 1..=2 {
            let outcome = call(ptime_ms, trace, seed);
            let fits = outcome.delay_ms <= delay_ms
                && outcome.most_delay_ms <= most_delay_ms
                && outcome.concealed <= concealed
                && outcome.step <= MOST_STEP;
            if !fits {
                failed.push(format!("{name}: {outcome:?}"));
            }
        }
    }
    assert!(failed.is_empty(), "{failed:#?}");
}

/// Plays what an ear gets of packets `from` a mouth, for so many milliseconds, packets at once.
fn talk(
    now: &mut Instant,
    mouth: &mut Session,
    ear: &mut Session,
    sound: &mut impl Iterator<Item = f64>,
    ms: u64,
) -> Vec<i16> {
    let from = "192.0.2.1:4000".parse().unwrap();
    let mut heard = Vec::new();
    for n in 0..ms {
        *now += std::time::Duration::from_millis(1);
        // Every rate takes its part of a sound that is thought of at 48 kHz.
        let rate = mouth.sample_rate();
        let each = 48_000 / rate as usize;
        let piece: Vec<i16> = sound.by_ref().take(48).step_by(each).map(|sample| sample as i16).collect();
        mouth.capture(*now, &piece);
        while let Some(transmit) = mouth.poll_transmit() {
            if let Transmit::Rtp { bytes, .. } = transmit {
                ear.handle_rtp(*now, from, &bytes);
            }
        }
        if n.is_multiple_of(BLOCK_MS) {
            let mut out = vec![0; ear.sample_rate() as usize * BLOCK_MS as usize / 1000];
            ear.playout(*now, &mut out);
            heard.extend(out);
        }
    }
    heard
}

#[test]
fn another_codec_or_ptime_in_the_call_does_not_click() {
    let start = Instant::now();
    let mut sessions = [Session::new(start, [1; 32]), Session::new(start, [2; 32])];
    let [mouth, ear] = &mut sessions;
    mouth.set_microphone_open(true);
    let mut tone = (0..).map(|n| 8000.0 * (std::f64::consts::TAU * 300.0 * f64::from(n) / 48_000.0).sin());
    let (mut now, mut last) = (start, None);
    let changes = [
        (Codec::Pcmu, 20),
        (Codec::Pcma, 20),
        (Codec::Pcma, 60),
        (Codec::Pcma, 10),
        (Codec::G722, 20),
        (Codec::Opus, 20),
        (Codec::Opus, 60),
        (Codec::L16, 30),
        (Codec::Pcmu, 40),
    ];
    for (codec, ptime_ms) in changes {
        let both = [agreed(codec, ptime_ms), agreed(codec, ptime_ms)];
        mouth.configure(now, &both[0]);
        ear.configure(now, &both[1]);
        let heard = talk(&mut now, mouth, ear, &mut tone, 600);
        // A step of the tone at this rate; on top of it what the smoothing may take from a sample to the next.
        let rate = ear.sample_rate() as f32;
        let own = 8000.0 * std::f32::consts::TAU * 300.0 / rate;
        let allowed = own * 1.3 + 16_000.0 * 1000.0 / (5.0 * rate) + 100.0;
        let begin = last.into_iter().chain(heard.iter().copied()).collect::<Vec<i16>>();
        let step = largest_step(&begin);
        assert!(step <= allowed, "{codec:?} at {ptime_ms} ms: {step} of {allowed}");
        let level = crate::media::levels::rms_dbfs(&heard[heard.len() / 2..]);
        assert!((level + 15.26).abs() < 1.0, "{codec:?} at {ptime_ms} ms: {level} dBFS");
        last = heard.last().copied();
    }
}

#[test]
fn comfort_noise_sounds_at_its_level_until_the_voice_comes_back() {
    let start = Instant::now();
    let at = |ms: u64| start + std::time::Duration::from_millis(ms);
    let media = agreed(Codec::Pcmu, 20);
    let mut ear = Session::new(start, [3; 32]);
    ear.configure(start, &media);
    let mut heard = Vec::new();
    let mut seq = 0u16;
    for ms in (0..4000u64).step_by(5) {
        let mut send = |payload_type: u8, marker: bool, payload: &[u8]| {
            let (ssrc, timestamp) = (Ssrc(7), RtpTimestamp(ms as u32 * 8));
            let packet =
                Packet { payload_type: PayloadType(payload_type), marker, seq: SeqNo(seq), timestamp, ssrc, payload };
            ear.handle_rtp(at(ms), media.remote_rtp, &packet.write(0));
            seq += 1;
        };
        match ms {
            0..1000 | 3000.. if ms.is_multiple_of(20) => send(0, ms == 3000, &[0x90; 160]),
            1000 => send(13, false, &[50]),
            _ => {}
        }
        let mut out = [0; 40];
        ear.playout(at(ms), &mut out);
        heard.extend(out);
    }
    let level = |from_ms: usize, to_ms: usize| crate::media::levels::rms_dbfs(&heard[from_ms * 8..to_ms * 8]);
    assert!((level(1200, 3000) + 50.0).abs() < 1.5, "{}", level(1200, 3000));
    assert!(level(3100, 4000) > -20.0);
    let counts = ear.receiver.playout().counts();
    assert_eq!((counts.concealed, ear.stats().lost), (0, 0));
}

/// A card that is given each packet when it comes, and what is made up, in odd pieces, when none does.
#[test]
fn what_is_ready_is_played_without_making_anything_up() {
    let mut now = Instant::now();
    let media = agreed(Codec::Opus, 20);
    let mut sessions = [Session::new(now, [1; 32]), Session::new(now, [2; 32])];
    sessions.iter_mut().for_each(|session| session.configure(now, &media));
    let [mouth, ear] = &mut sessions;
    mouth.set_microphone_open(true);
    let mut dice = Dice(1);
    for n in 0..500 {
        now += std::time::Duration::from_millis(20);
        mouth.capture(now, &[(n % 7) * 1000; 960]);
        while let Some(transmit) = mouth.poll_transmit() {
            let Transmit::Rtp { bytes, .. } = transmit else { continue };
            if n > 10 && dice.roll() < 0.05 {
                // It does not come: the card needs something all the same, not in whole milliseconds.
                ear.playout(now, &mut vec![0; 900 + (dice.roll() * 100.0) as usize]);
                continue;
            }
            ear.handle_rtp(now, media.remote_rtp, &bytes);
        }
        let ready = ear.ready();
        assert!(ready.is_multiple_of(48), "{ready}");
        let made_up = ear.receiver.playout().made_up();
        ear.playout(now, &mut vec![0; ready]);
        assert!(ear.receiver.playout().made_up() <= made_up, "packet {n}, {ready} samples");
    }
}
