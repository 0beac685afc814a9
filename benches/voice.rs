//! Speech over a bad network in simulated time: what a session makes of it.
//!
//! ```text
//! cargo bench --bench voice -- CODEC LOSS BURST JITTER_MS SEED IN.raw OUT.raw
//! ```
//!
//! CODEC is `PCMU`, `G722` or `opus`; LOSS a part of 1, lost in runs of BURST packets in the mean. Sound is mono, 16-bit,
//! little-endian, at the codec's rate (8, 16, 48 kHz). `benches/quality.py --simulated` does all of it.

#![allow(clippy::disallowed_methods)]

use std::time::{Duration, Instant};

use offhook::media::resample::Resampler;
use offhook::media::{Session, Transmit};
use offhook::sdp::{Codec, Negotiated, OpusWishes};

/// Milliseconds of silence before the speech: both sides learn what the network is like.
const BEFORE_MS: u64 = 12_000;
/// Milliseconds that the speaker takes at a time.
const BLOCK_MS: u64 = 5;

struct Dice(u64);

impl Dice {
    fn roll(&mut self) -> f64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 40) as f64 / (1u64 << 24) as f64
    }
}

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).filter(|one| one != "--bench").collect();
    let [codec, loss, burst, jitter, seed, from, to] = arguments.as_slice() else {
        eprintln!("CODEC LOSS BURST JITTER_MS SEED IN.raw OUT.raw");
        std::process::exit(2);
    };
    let number = |text: &String| text.parse::<f64>().expect("a number");
    let (loss, burst, jitter, seed) = (number(loss), number(burst), number(jitter), number(seed) as u64);
    let codec = match codec.as_str() {
        "PCMU" => Codec::Pcmu,
        "G722" => Codec::G722,
        _ => Codec::Opus,
    };
    let spoken: Vec<i16> = std::fs::read(from)
        .expect("speech")
        .chunks_exact(2)
        .map(|bytes| i16::from_le_bytes([bytes[0], bytes[1]]))
        .collect();
    let heard = call(codec, Network { loss, burst, jitter, bad: false, dice: Dice(seed) }, &spoken);
    let bytes: Vec<u8> = heard.iter().flat_map(|sample| sample.to_le_bytes()).collect();
    std::fs::write(to, bytes).expect("what was heard");
}

/// Two states (Gilbert): a bad one ends after `burst` packets in the mean.
struct Network {
    loss: f64,
    burst: f64,
    jitter: f64,
    bad: bool,
    dice: Dice,
}

impl Network {
    /// Milliseconds that the next packet takes longer than the fastest; `None`: it is lost.
    fn next(&mut self) -> Option<f64> {
        let draw = self.dice.roll();
        self.bad = match self.bad && self.burst > 1.0 {
            true => draw >= 1.0 / self.burst,
            false => draw < self.loss / (self.burst * (1.0 - self.loss)),
        };
        let late = self.dice.roll() * self.jitter;
        (!self.bad).then_some(late)
    }
}

fn agreed(codec: Codec) -> Negotiated {
    Negotiated {
        remote_rtp: ([192, 0, 2, 1], 4000).into(),
        remote_rtcp: Some(([192, 0, 2, 1], 4001).into()),
        rtcp_mux: false,
        xr: Default::default(),
        ice: None,
        codec,
        send_payload_type: codec.payload_type(),
        receive: vec![(codec.payload_type(), codec)],
        send_telephone_event: None,
        receive_telephone_events: Vec::new(),
        comfort_noise: Default::default(),
        opus: OpusWishes { in_band_fec: true, ..OpusWishes::default() },
        ptime_ms: 20,
        send: true,
        receive_audio: true,
        held_by_peer: false,
        protection: Default::default(),
    }
}

/// What the speaker plays of the speech, and of the second after it.
fn call(codec: Codec, mut network: Network, spoken: &[i16]) -> Vec<i16> {
    let start = Instant::now();
    let at = |ms: u64| start + Duration::from_millis(ms);
    let media = agreed(codec);
    let mut sessions = [Session::new(start, [1; 32]), Session::new(start, [2; 32])];
    sessions.iter_mut().for_each(|session| session.configure(start, &media));
    let [mouth, ear] = &mut sessions;
    mouth.set_microphone_open(true);
    ear.set_microphone_open(true);
    let per_ms = mouth.sample_rate() as usize / 1000;
    let silence = vec![0; per_ms];
    let mut under_way: Vec<(f64, Vec<u8>)> = Vec::new();
    let (mut waiting, mut heard) = (Vec::new(), Vec::new());
    let rate = mouth.sample_rate();
    let mut resampler = Resampler::adjustable(rate, rate).expect("a sane rate");
    let speech = spoken.chunks_exact(per_ms).map(<[i16]>::to_vec).chain(std::iter::repeat_n(silence.clone(), 1000));
    let all = std::iter::repeat_n(silence.clone(), BEFORE_MS as usize).chain(speech);
    for (ms, piece) in all.enumerate() {
        let ms = ms as u64;
        mouth.handle_timeout(at(ms));
        ear.handle_timeout(at(ms));
        mouth.capture(at(ms), &piece);
        ear.capture(at(ms), &silence);
        while let Some(transmit) = mouth.poll_transmit() {
            match transmit {
                Transmit::Rtp { bytes, .. } => {
                    if let Some(late) = network.next() {
                        under_way.push((ms as f64 + 15.0 + late, bytes));
                    }
                }
                Transmit::Rtcp { bytes, .. } => ear.handle_rtcp(at(ms), media.remote_rtp, &bytes),
            }
        }
        while let Some(transmit) = ear.poll_transmit() {
            match transmit {
                Transmit::Rtp { bytes, .. } => mouth.handle_rtp(at(ms), media.remote_rtp, &bytes),
                Transmit::Rtcp { bytes, .. } => mouth.handle_rtcp(at(ms), media.remote_rtp, &bytes),
            }
        }
        under_way.sort_by(|a, b| a.0.total_cmp(&b.0));
        let due = under_way.iter().take_while(|(when, _)| *when <= ms as f64).count();
        for (_, bytes) in under_way.drain(..due) {
            ear.handle_rtp(at(ms), media.remote_rtp, &bytes);
        }
        while ear.poll_event().is_some() {}
        while mouth.poll_event().is_some() {}
        if ms.is_multiple_of(BLOCK_MS) {
            let block = per_ms * BLOCK_MS as usize;
            while waiting.len() < block {
                let mut out = vec![0; block - waiting.len()];
                ear.playout(at(ms), &mut out);
                // As a card's speaker does it.
                resampler.adjust(ear.correction().unwrap_or(0.0));
                resampler.process(&out, &mut waiting);
            }
            let played = waiting.drain(..block);
            if ms >= BEFORE_MS {
                heard.extend(played);
            }
        }
    }
    heard
}
