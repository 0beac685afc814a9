//! Speech of two people, in rooms that sound in several ways: none of it may be missing, and little of the rest be sent.

use std::path::Path;

use super::*;
use crate::media::levels::rms_dbfs;
use crate::media::resample::Resampler;

/// A sentence or two at this rate.
fn speech(name: &str, rate: u32) -> Vec<i16> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data").join(name);
    let mut reader = hound::WavReader::open(path).unwrap();
    let own = reader.spec().sample_rate;
    let samples: Vec<i16> = reader.samples().map(Result::unwrap).collect();
    let Some(mut resampler) = (own != rate).then(|| Resampler::new(own, rate).unwrap()) else { return samples };
    let mut out = Vec::new();
    resampler.process(&samples, &mut out);
    out
}

/// The noises of rooms.
#[derive(Debug, Clone, Copy)]
enum Room {
    White,
    /// A fan, an air conditioner: falling by 6 dB an octave.
    Rumble,
    /// Digital silence.
    Dead,
}

fn noise(room: Room, level: f32, count: usize) -> Vec<i16> {
    let (mut state, mut last) = (0x1234_5678u32, 0.0f32);
    let mut white = || {
        state ^= state << 13;
        state ^= state >> 17;
        state ^= state << 5;
        (state as f32 / u32::MAX as f32 * 2.0 - 1.0) * 3f32.sqrt()
    };
    let mut next = || match room {
        Room::White => white(),
        Room::Rumble => {
            last = 0.9 * last + (1.0f32 - 0.81).sqrt() * white();
            last
        }
        Room::Dead => 0.0,
    };
    let rms = 32_768.0 * 10f32.powf(level / 20.0);
    (0..count).map(|_| (next() * rms) as i16).collect()
}

/// What becomes of each packet of 20 ms, and the descriptions.
fn packets(samples: &[i16], rate: u32) -> (Vec<Said>, Vec<Vec<u8>>) {
    let mut suppressor = Suppressor::new(rate);
    let mut payloads = Vec::new();
    let mut said = Vec::new();
    for packet in samples.chunks_exact(rate as usize / 50) {
        let mut payload = [0; MAX_PAYLOAD];
        let what = suppressor.take(packet, &mut payload);
        if let Said::Noise(length) = what {
            payloads.push(payload[..length].to_vec());
        }
        said.push(what);
    }
    (said, payloads)
}

/// Pauses between the sentences, in seconds.
const PAUSE: usize = 4;

#[test]
fn no_speech_is_kept_back_and_little_of_the_pauses_is_sent() {
    for (rate, room, level) in [
        (8000, Room::Dead, -100.0),
        (8000, Room::White, -70.0),
        (8000, Room::White, -55.0),
        (8000, Room::White, -45.0),
        (8000, Room::Rumble, -60.0),
        (8000, Room::Rumble, -45.0),
        (16_000, Room::White, -55.0),
        (16_000, Room::Rumble, -50.0),
    ] {
        let pause = vec![0i16; PAUSE * rate as usize];
        let (one, other) = (speech("speech-near.wav", rate), speech("speech-far.wav", rate));
        let clean: Vec<i16> =
            [&pause, &one, &pause, &other, &pause, &one, &pause].into_iter().flatten().copied().collect();
        let room_noise = noise(room, level, clean.len());
        let sound: Vec<i16> =
            clean.iter().zip(&room_noise).map(|(voice, noise)| voice.saturating_add(*noise)).collect();
        let (said, _) = packets(&sound, rate);

        let size = rate as usize / 50;
        let voice: Vec<f32> = clean.chunks_exact(size).map(rms_dbfs).collect();
        // What stands out of the noise, and is no breath.
        let heard = |at: usize| voice[at] > (level + 3.0).max(-50.0);
        let spoken = (0..said.len()).filter(|at| heard(*at)).count();
        let cut: Vec<usize> = (0..said.len()).filter(|at| heard(*at) && said[*at] != Said::Sound).collect();
        let power = |at: &usize| 10f32.powf(voice[*at] / 10.0);
        let lost: f32 = cut.iter().map(power).sum::<f32>() / (0..said.len()).map(|at| power(&at)).sum::<f32>();
        let pauses = (0..said.len()).filter(|at| voice[*at] <= -99.0).count();
        let sent = (0..said.len()).filter(|at| voice[*at] <= -99.0 && said[*at] != Said::Nothing).count();
        println!(
            "{rate} {room:?} {level}: {} of {spoken} packets of speech cut, {lost:.5} of its power; {sent} of {pauses} of \
             the pauses sent",
            cut.len()
        );
        assert!(cut.len() * 100 <= spoken && lost < 0.001, "{rate} {room:?} {level}");
        // The first half second, in which the room is learnt, the ends of the sentences, and a description a second.
        assert!(sent * 5 <= pauses, "{rate} {room:?} {level}");
    }
}

#[test]
fn the_other_side_hears_the_room_as_it_is() {
    for (rate, room, level) in [(8000, Room::White, -50.0), (8000, Room::Rumble, -45.0), (16_000, Room::Rumble, -55.0)]
    {
        let sound = noise(room, level, rate as usize * 5);
        let (said, payloads) = packets(&sound, rate);
        let mut generator = Generator::new(rate);
        generator.describe(payloads.last().unwrap());
        let mut made = Vec::new();
        generator.fill(&mut made, sound.len());
        let difference = rms_dbfs(&made[rate as usize..]) - rms_dbfs(&sound);
        assert!(difference.abs() < 2.5, "{room:?} at {rate}: {difference:+.1} dB");
        let low = |samples: &[i16]| {
            let smooth: Vec<i16> =
                samples.windows(8).map(|eight| (eight.iter().map(|x| i32::from(*x)).sum::<i32>() / 8) as i16).collect();
            rms_dbfs(&smooth) - rms_dbfs(samples)
        };
        let colour = low(&made) - low(&sound);
        assert!(colour.abs() < 2.0, "{room:?} at {rate}: {colour:+.1} dB");
        // Once when silence begins, then once a second.
        assert!((4..8).contains(&payloads.len()), "{} in {} packets", payloads.len(), said.len());
    }
}

#[test]
fn what_is_muted_is_described_as_nothing() {
    let rate = 8000;
    let (mut sound, muted) = (noise(Room::White, -50.0, 16_000), vec![0; 16_000]);
    sound.extend(&muted);
    let (said, payloads) = packets(&sound, rate);
    assert_eq!(payloads.last(), Some(&vec![127]));
    // It is told at once.
    let told = said.iter().skip(100).position(|said| matches!(said, Said::Noise(_))).unwrap();
    assert!(told < 10, "after {told} packets");
    assert!(said[150..].iter().filter(|said| **said != Said::Nothing).count() <= 1);
}

#[test]
fn a_tone_and_music_are_no_silence() {
    let rate = 8000;
    let sine = |hertz: f32, n: usize| (n as f32 * hertz * std::f32::consts::TAU / rate as f32).sin();
    for level in [-25.0f32, -45.0] {
        let size = 46_000.0 * 10f32.powf(level / 20.0);
        let chord: Vec<i16> = (0..8 * rate as usize)
            .map(|n| ((sine(330.0, n) + sine(440.0, n) + sine(554.0, n)) * size / 3.0) as i16)
            .collect();
        let tone: Vec<i16> = (0..8 * rate as usize).map(|n| (sine(440.0, n) * size) as i16).collect();
        // A soft chord that never changes is not told from a fan.
        for (what, sound) in [("tone", tone), ("chord", chord)].into_iter().take(if level > -30.0 { 2 } else { 1 }) {
            let hiss = noise(Room::White, -70.0, sound.len());
            let sound: Vec<i16> = sound.iter().zip(hiss).map(|(one, other)| one + other).collect();
            let (said, _) = packets(&sound, rate);
            let kept = said.iter().filter(|said| **said != Said::Sound).count();
            assert_eq!(kept, 0, "of {} of a {what} at {level}", said.len());
        }
    }
}

#[test]
fn a_room_that_becomes_louder_is_silence_again_after_a_while() {
    let rate = 8000;
    let mut sound = noise(Room::Rumble, -60.0, 5 * rate as usize);
    sound.extend(noise(Room::Rumble, -45.0, 8 * rate as usize));
    sound.extend(noise(Room::Rumble, -60.0, 5 * rate as usize));
    let (said, payloads) = packets(&sound, rate);
    let sent = |from: usize, to: usize| said[from * 50..to * 50].iter().filter(|said| **said == Said::Sound).count();
    assert_eq!(sent(2, 5), 0);
    assert!(sent(5, 7) > 0);
    assert_eq!((sent(10, 13), sent(14, 18)), (0, 0));
    let levels: Vec<u8> = payloads.iter().map(|payload| payload[0]).collect();
    assert!(levels.iter().any(|level| (43..48).contains(level)), "{levels:?}");
    assert!(levels.last().is_some_and(|level| (58..63).contains(level)), "{levels:?}");
}

#[test]
fn any_sound_is_survived() {
    let mut state = 1u32;
    for rate in [8000, 16_000] {
        let mut suppressor = Suppressor::new(rate);
        for length in [0, 1, 7, 80, 81, 160, 400, 960] {
            for _ in 0..50 {
                let samples: Vec<i16> = (0..length)
                    .map(|_| {
                        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                        if state & 1 == 0 { i16::MIN } else { i16::MAX }
                    })
                    .collect();
                suppressor.take(&samples, &mut [0; MAX_PAYLOAD]);
            }
        }
    }
}
