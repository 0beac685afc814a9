//! A call in which silence is not sent: what the wire carries, and what the other side hears.

use std::path::Path;

use super::super::*;
use crate::media::levels::rms_dbfs;
use crate::media::resample::Resampler;
use crate::sdp::{ComfortNoise, OpusWishes};

/// A pause, in seconds.
const PAUSE: usize = 3;

/// What a packet on the wire is.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Sent {
    at: u64,
    payload_type: u8,
    marker: bool,
    seq: u16,
    timestamp: u32,
    length: usize,
}

/// Two people's sentences between pauses, at this rate, and in which packets of 20 ms somebody is heard.
fn talk(rate: u32) -> Vec<i16> {
    let speech = |name: &str| {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data").join(name);
        let mut reader = hound::WavReader::open(path).unwrap();
        let samples: Vec<i16> = reader.samples().map(Result::unwrap).collect();
        let mut out = Vec::new();
        match reader.spec().sample_rate {
            own if own == rate => out = samples,
            own => Resampler::new(own, rate).unwrap().process(&samples, &mut out),
        }
        out
    };
    let pause = vec![0; PAUSE * rate as usize];
    // A room of -60 dBFS.
    let mut state = 1u32;
    let mut hiss = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 16) as i32 % 113 - 56
    };
    let all = [pause.clone(), speech("speech-near.wav"), pause.clone(), speech("speech-far.wav"), pause].concat();
    all.into_iter().map(|sample| (i32::from(sample) + hiss()) as i16).collect()
}

fn agreed(codec: Codec) -> Negotiated {
    let noise = (codec != Codec::Opus).then_some(if codec.clock_rate() == 8000 { 13 } else { 104 });
    Negotiated {
        codec,
        send_payload_type: codec.payload_type(),
        receive: vec![(codec.payload_type(), codec)],
        comfort_noise: ComfortNoise {
            send: noise,
            receive: noise.into_iter().map(|number| (number, codec.clock_rate())).collect(),
        },
        opus: OpusWishes { in_band_fec: true, ..OpusWishes::default() },
        ..super::media("192.0.2.1:4000")
    }
}

/// What was said in a call, what went over the wire and what was heard.
struct Heard {
    said: Vec<i16>,
    sent: Vec<Sent>,
    sound: Vec<i16>,
    stats: Stats,
    lost: bool,
}

/// A call over a network that loses one packet in `loses`.
fn call(codec: Codec, dtx: Dtx, loses: Option<usize>) -> Heard {
    let start = Instant::now();
    let at = |ms: u64| start + std::time::Duration::from_millis(ms);
    let media = agreed(codec);
    let mut sessions = [Session::new(start, [1; 32]), Session::new(start, [2; 32])];
    for session in &mut sessions {
        session.set_dtx(dtx);
        session.configure(start, &media);
    }
    let [mouth, ear] = &mut sessions;
    mouth.set_microphone_open(true);
    let rate = codec.sample_rate();
    let block = rate as usize / 200;
    let (said, mut sent, mut sound, mut lost) = (talk(rate), Vec::new(), Vec::new(), false);
    for (n, samples) in said.chunks(block).enumerate() {
        let ms = n as u64 * 5;
        mouth.capture(at(ms), samples);
        while let Some(transmit) = mouth.poll_transmit() {
            let Transmit::Rtp { bytes, .. } = transmit else { continue };
            let packet = Packet::read(&bytes).unwrap();
            sent.push(Sent {
                at: ms,
                payload_type: packet.payload_type.0,
                marker: packet.marker,
                seq: packet.seq.0,
                timestamp: packet.timestamp.0,
                length: packet.payload.len(),
            });
            if loses.is_none_or(|one| sent.len() % one != one / 2) {
                ear.handle_rtp(at(ms), media.remote_rtp, &bytes);
            }
        }
        if ear.poll_timeout().is_some_and(|due| due <= at(ms)) {
            ear.handle_timeout(at(ms));
        }
        lost |= std::iter::from_fn(|| ear.poll_event()).any(|event| matches!(event, Event::Lost { .. }));
        let mut out = vec![0; samples.len()];
        ear.playout(at(ms), &mut out);
        sound.extend(out);
    }
    Heard { said, sent, sound, stats: ear.stats(), lost }
}

/// The levels of pieces of 20 ms of what was said and of what was heard, the second moved to where it fits the first best.
fn levels(heard: &Heard, rate: u32) -> Vec<(f32, f32)> {
    let size = rate as usize / 50;
    let of = |sound: &[i16]| sound.chunks_exact(size).map(rms_dbfs).collect::<Vec<f32>>();
    let said = of(&heard.said);
    let differ = |from: usize| {
        let sound = of(&heard.sound[from..]);
        said.iter().zip(sound).map(|(one, other)| (one - other).abs()).sum::<f32>()
    };
    let step = rate as usize / 400;
    let from = (0..40).map(|n| n * step).min_by(|one, other| differ(*one).total_cmp(&differ(*other))).unwrap();
    said.iter().copied().zip(of(&heard.sound[from..])).collect()
}

/// Pieces in which speech begins after a pause, as places in [`levels`].
fn onsets(levels: &[(f32, f32)]) -> Vec<usize> {
    let is_loud = |at: &usize| levels[*at].0 > -45.0;
    let calm = |at: usize| (at.saturating_sub(30)..at).all(|before| !is_loud(&before));
    (30..levels.len()).filter(|at| is_loud(at) && calm(*at)).collect()
}

#[test]
fn comfort_noise_goes_in_the_place_of_silence() {
    for codec in [Codec::Pcmu, Codec::Pcma, Codec::G722, Codec::L16] {
        let heard = call(codec, Dtx::Always, None);
        let noise = agreed(codec).comfort_noise.send.unwrap();
        let sent = &heard.sent;
        let noises = sent.iter().filter(|sent| sent.payload_type == noise).count();
        println!(
            "{codec:?}: {} of {} packets, {noises} of them noise",
            sent.len(),
            heard.said.len() / (codec.sample_rate() as usize / 50)
        );
        // 19 s, of which 9 s are pauses, and the people draw breath.
        assert!(sent.len() < 950 * 7 / 10 && noises >= 8, "{} packets, {noises} of noise", sent.len());
        for two in sent.windows(2) {
            assert_eq!(two[1].seq, two[0].seq.wrapping_add(1));
            let passed = (two[1].at - two[0].at) as u32 * codec.clock_rate() / 1000;
            assert_eq!(two[1].timestamp.wrapping_sub(two[0].timestamp), passed, "{two:?}");
            // RFC 3389 sections 4 and 5.1.
            let begins = two[0].payload_type == noise && two[1].payload_type != noise;
            assert_eq!(two[1].marker, begins, "{two:?}");
            // Something leaves every second.
            assert!(two[1].at - two[0].at <= 1020, "{two:?}");
        }
        let stats = &heard.stats;
        assert_eq!((stats.lost, stats.discarded, heard.lost), (0, 0, false), "{codec:?}");
        let levels = levels(&heard, codec.sample_rate());
        let onsets = onsets(&levels);
        assert!(onsets.len() >= 2, "{onsets:?}");
        for onset in onsets {
            let (said, heard) = levels[onset];
            assert!((said - heard).abs() < 3.0, "{codec:?} at {onset}: {said} was heard as {heard}");
        }
        // The room goes on in the pauses, neither louder nor softer.
        let pauses = levels[60..140].iter().chain(&levels[420..540]);
        let worst = pauses.map(|(said, heard)| (said - heard).abs()).fold(0.0, f32::max);
        assert!(worst < 5.0, "{codec:?}: {worst} dB");
    }
}

#[test]
fn without_a_word_of_it_every_packet_is_sent() {
    let heard = call(Codec::Pcmu, Dtx::WhenAsked, None);
    assert_eq!(heard.sent.len(), heard.said.len() / 160);
    assert!(heard.sent[1..].iter().all(|sent| sent.payload_type == 0 && !sent.marker));
}

#[test]
fn descriptions_that_are_lost_come_again() {
    let heard = call(Codec::Pcmu, Dtx::Always, Some(5));
    let levels = levels(&heard, 8000);
    // A lost one is made up for by the next one, a second later at most.
    let pause: Vec<f32> = levels[480..540].iter().map(|(said, heard)| (said - heard).abs()).collect();
    assert!(pause.iter().all(|off| *off < 6.0), "{pause:?}");
    assert!(!heard.lost);
}

#[test]
fn opus_sends_next_to_nothing_in_silence_and_speech_begins_whole() {
    let with = call(Codec::Opus, Dtx::Always, None);
    let without = call(Codec::Opus, Dtx::WhenAsked, None);
    let pause = |heard: &Heard| heard.sent.iter().filter(|sent| (8600..10_800).contains(&sent.at)).count();
    println!("Opus: {} packets of {}, {} in a pause of 2.2 s", with.sent.len(), without.sent.len(), pause(&with));
    assert!((2..=12).contains(&pause(&with)) && pause(&without) == 110, "{} packets", pause(&with));
    assert!(with.sent.len() * 10 < without.sent.len() * 8, "{} of {}", with.sent.len(), without.sent.len());
    for two in with.sent.windows(2) {
        assert_eq!(two[1].seq, two[0].seq.wrapping_add(1));
        assert!(two[1].at - two[0].at <= 500, "{two:?}");
        // RFC 7587 section 4.2.
        assert_eq!(two[1].marker, two[1].at - two[0].at > 20, "{two:?}");
    }
    assert_eq!((with.stats.lost, with.lost), (0, false));
    let (with, without) = (levels(&with, 48_000), levels(&without, 48_000));
    let onsets = onsets(&with);
    assert!(onsets.len() >= 2, "{onsets:?}");
    for onset in onsets {
        let (was, is) = (without[onset].1, with[onset].1);
        assert!(is > was - 3.0, "at {onset}: {was} became {is}");
    }
}
