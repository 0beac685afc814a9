//! In rooms made of numbers, with speech: two voices of espeak-ng, five seconds each.

use std::path::Path;

use rand_chacha::ChaCha8Rng;
use rand_core::{RngCore, SeedableRng};

use super::*;
use crate::audio::wav;
use crate::media::levels::{factor, rms_dbfs};
use crate::media::mixing::soft_clip;

const FRAME: usize = WIDE as usize / 100;
const CARDS: Cards = Cards { input: true, output: true };
const ALL_OFF: Settings = Settings { echo: Switch::Off, noise: Switch::Off, gain: Switch::Off };

fn speech(name: &str) -> Vec<i16> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data").join(name);
    let clip = wav::load(&path).unwrap();
    assert_eq!(clip.rate, WIDE);
    clip.samples.to_vec()
}

/// `seconds` of a sound, from its beginning again where it ends.
fn looped(sound: &[i16], seconds: usize) -> Vec<i16> {
    sound.iter().copied().cycle().take(seconds * WIDE as usize).collect()
}

fn louder(sound: &[i16], db: f32) -> Vec<i16> {
    sound.iter().map(|&sample| soft_clip((f32::from(sample) * factor(db)) as i32)).collect()
}

struct Noise(ChaCha8Rng);

impl Noise {
    fn new(seed: u64) -> Noise {
        Noise(ChaCha8Rng::seed_from_u64(seed))
    }

    /// -1 to 1.
    fn next(&mut self) -> f32 {
        f32::from((self.0.next_u32() >> 16) as u16 as i16) / 32_768.0
    }

    /// White, at this level.
    fn at(&mut self, dbfs: f32, count: usize) -> Vec<i16> {
        // The level of what `next` gives is that of an even distribution.
        let gain = factor(dbfs + 4.77) * 32_768.0;
        (0..count).map(|_| (self.next() * gain) as i16).collect()
    }
}

/// From the speaker to the microphone: a way of so many ms, then reflections that die away.
struct Room {
    taps: Vec<(usize, f32)>,
    past: Vec<i16>,
}

/// Samples that a room remembers.
const PAST: usize = WIDE as usize / 2;

impl Room {
    /// `gain_db`: of the sound that arrives first; the reflections come within 40 ms.
    fn new(seed: u64, delay_ms: usize, gain_db: f32) -> Room {
        let mut noise = Noise::new(seed);
        let first = delay_ms * WIDE as usize / 1000;
        let gain = factor(gain_db);
        let mut taps = vec![(first, gain)];
        for _ in 0..40 {
            let after = (noise.next().abs() * 0.04 * WIDE as f32) as usize;
            let fallen = (-(after as f32) / (0.012 * WIDE as f32)).exp();
            taps.push((first + 1 + after, gain * 0.35 * noise.next() * fallen));
        }
        Room { taps, past: vec![0; PAST] }
    }

    fn hear(&mut self, frame: &[i16]) -> Vec<i16> {
        self.past.drain(..frame.len());
        self.past.extend_from_slice(frame);
        let mut sum = vec![0.0; frame.len()];
        for &(after, gain) in &self.taps {
            let past = &self.past[PAST - frame.len() - after..];
            for (sum, &sample) in sum.iter_mut().zip(past) {
                *sum += f32::from(sample) * gain;
            }
        }
        sum.into_iter().map(|sample| sample as i16).collect()
    }
}

/// What the microphone hears, and what is sent.
fn call(processing: &mut Processing, room: &mut Room, far: &[i16], near: &[i16]) -> (Vec<i16>, Vec<i16>) {
    let (mut heard, mut sent) = (Vec::new(), Vec::new());
    for (far, near) in far.chunks_exact(FRAME).zip(near.chunks_exact(FRAME)) {
        processing.far(far, WIDE);
        let mut frame: Vec<i16> =
            room.hear(far).iter().zip(near).map(|(&a, &b)| soft_clip(i32::from(a) + i32::from(b))).collect();
        heard.extend_from_slice(&frame);
        processing.near(&mut frame);
        sent.extend(frame);
    }
    (heard, sent)
}

fn seconds(sound: &[i16], from: f32, to: f32) -> &[i16] {
    &sound[(from * WIDE as f32) as usize..(to * WIDE as f32) as usize]
}

fn with(settings: Settings) -> Processing {
    let mut processing = Processing::new(WIDE);
    processing.set(settings, CARDS);
    processing
}

fn with_echo() -> Processing {
    with(ALL_OFF.with(Step::Echo, Switch::On))
}

/// How alike two sounds of the same delay are, 0 to 1.
fn likeness(one: &[i16], other: &[i16]) -> f64 {
    let product = |a: &[i16], b: &[i16]| a.iter().zip(b).map(|(&a, &b)| f64::from(a) * f64::from(b)).sum::<f64>();
    product(one, other) / (product(one, one) * product(other, other)).sqrt()
}

/// The largest step between two samples.
fn step(sound: &[i16]) -> i32 {
    sound.windows(2).map(|pair| (i32::from(pair[1]) - i32::from(pair[0])).abs()).max().unwrap_or(0)
}

#[test]
fn an_echo_is_taken_out_within_a_second_of_speech() {
    let far = looped(&speech("speech-far.wav"), 6);
    for (delay_ms, gain_db) in [(15, -6.0), (60, -12.0), (180, -10.0)] {
        let mut processing = with_echo();
        let (heard, sent) =
            call(&mut processing, &mut Room::new(1, delay_ms, gain_db), &far, &Noise::new(2).at(-75.0, far.len()));
        let erle = |from, to| rms_dbfs(seconds(&heard, from, to)) - rms_dbfs(seconds(&sent, from, to));
        println!(
            "echo {delay_ms} ms {gain_db} dB: ERLE 0-1 s {:.1}, 1-2 s {:.1}, 4-6 s {:.1} dB; {:?}",
            erle(0.0, 1.0),
            erle(1.0, 2.0),
            erle(4.0, 6.0),
            processing.figures()
        );
        assert!(erle(1.0, 2.0) > 15.0 && erle(4.0, 6.0) > 25.0, "{delay_ms} ms");
        let found = processing.figures().echo_delay_ms.unwrap_or(0);
        assert!(found.abs_diff(delay_ms as u32) < 25, "{delay_ms} ms, and {found} were found");
    }
}

#[test]
fn who_speaks_while_the_other_side_does_is_heard() {
    let (far, near) = (looped(&speech("speech-far.wav"), 15), speech("speech-near.wav"));
    let mut said = vec![0; far.len()];
    said[5 * WIDE as usize..10 * WIDE as usize].copy_from_slice(&near);
    let mut processing = with_echo();
    let (_, sent) = call(&mut processing, &mut Room::new(1, 40, -10.0), &far, &said);
    // The same voice in a room in which nothing else sounds.
    let (_, alone) = call(&mut with_echo(), &mut Room::new(1, 40, -10.0), &vec![0; far.len()], &said);
    let level = rms_dbfs(seconds(&sent, 5.0, 10.0)) - rms_dbfs(&near);
    let alike = likeness(seconds(&sent, 5.0, 10.0), seconds(&alone, 5.0, 10.0));
    let (before, after) = (rms_dbfs(seconds(&sent, 3.0, 5.0)), rms_dbfs(seconds(&sent, 11.0, 15.0)));
    println!("double talk: level {level:+.1} dB, likeness {alike:.3}; echo before {before:.1}, after {after:.1} dBFS");
    assert!(level.abs() < 4.0, "{level:+.1} dB");
    assert!(alike > 0.8, "{alike}");
    assert!(before < -50.0 && after < -50.0);
}

#[test]
fn an_echo_that_moves_is_found_again() {
    let far = looped(&speech("speech-far.wav"), 8);
    let silence = vec![0; far.len()];
    let mut processing = with_echo();
    call(&mut processing, &mut Room::new(1, 20, -8.0), seconds(&far, 0.0, 4.0), &silence);
    // A hand before the microphone; then another speaker, further away.
    for (seed, delay_ms, gain_db) in [(7, 20, -12.0), (8, 90, -8.0)] {
        let (heard, sent) = call(&mut processing, &mut Room::new(seed, delay_ms, gain_db), &far, &silence);
        let erle = |from, to| rms_dbfs(seconds(&heard, from, to)) - rms_dbfs(seconds(&sent, from, to));
        println!(
            "moved to {delay_ms} ms: ERLE 0-1 s {:.1}, 2-3 s {:.1}, 5-8 s {:.1} dB",
            erle(0.0, 1.0),
            erle(2.0, 3.0),
            erle(5.0, 8.0)
        );
        assert!(erle(5.0, 8.0) > 25.0, "{delay_ms} ms: {}", erle(5.0, 8.0));
    }
}

#[test]
fn devices_that_change_are_measured_anew() {
    let far = looped(&speech("speech-far.wav"), 5);
    let silence = vec![0; far.len()];
    let mut processing = with_echo();
    call(&mut processing, &mut Room::new(1, 20, -8.0), &far, &silence);
    processing.devices_changed();
    let (heard, sent) = call(&mut processing, &mut Room::new(8, 150, -8.0), &far, &silence);
    assert!(rms_dbfs(seconds(&heard, 2.0, 5.0)) - rms_dbfs(seconds(&sent, 2.0, 5.0)) > 20.0);
    assert!(processing.figures().echo_delay_ms.is_some_and(|ms| ms.abs_diff(150) < 25));
}

#[test]
fn noise_is_held_down_and_speech_is_not() {
    let near = speech("speech-near.wav");
    let noise = Noise::new(3).at(-45.0, near.len() + 5 * WIDE as usize);
    // Five seconds of the room alone, then somebody speaks in it.
    let said: Vec<i16> = vec![0; 5 * WIDE as usize].into_iter().chain(near.clone()).collect();
    let mut processing = with(ALL_OFF.with(Step::Noise, Switch::On));
    let heard: Vec<i16> = said.iter().zip(&noise).map(|(&a, &b)| soft_clip(i32::from(a) + i32::from(b))).collect();
    let mut sent = heard.clone();
    processing.near(&mut sent);
    let fallen = rms_dbfs(seconds(&heard, 2.0, 5.0)) - rms_dbfs(seconds(&sent, 2.0, 5.0));
    let kept = rms_dbfs(seconds(&sent, 5.0, 10.0)) - rms_dbfs(&near);
    // The same voice where there is no noise.
    let mut alone = said.clone();
    with(ALL_OFF.with(Step::Noise, Switch::On)).near(&mut alone);
    let alike = likeness(seconds(&sent, 5.0, 10.0), seconds(&alone, 5.0, 10.0));
    println!("noise: {fallen:.1} dB softer, speech {kept:+.1} dB, likeness {alike:.4}");
    assert!(fallen > 12.0, "{fallen} dB");
    assert!(kept.abs() < 2.0, "{kept:+} dB");
    assert!(alike > 0.9, "{alike}");
}

#[test]
fn a_soft_voice_is_brought_up_and_a_loud_one_is_not_clipped() {
    let near = speech("speech-near.wav");
    let at = |dbfs: f32| looped(&louder(&near, dbfs - rms_dbfs(&near)), 15);
    let mut levels = Vec::new();
    for dbfs in [-40.0, -30.0, -20.0] {
        let mut sent = at(dbfs);
        with(ALL_OFF.with(Step::Gain, Switch::On)).near(&mut sent);
        levels.push(rms_dbfs(seconds(&sent, 10.0, 15.0)));
        println!(
            "gain: {dbfs} dBFS became {:.1}, after 2 s {:.1}",
            levels[levels.len() - 1],
            rms_dbfs(seconds(&sent, 2.0, 4.0))
        );
        let full = sent.iter().filter(|sample| sample.unsigned_abs() >= 32_760).count();
        assert!(full < 5, "{dbfs}: {full} samples at full scale");
    }
    assert!(levels.iter().all(|level| (-26.0..-14.0).contains(level)), "{levels:?}");
}

#[test]
fn noise_between_words_is_not_brought_up() {
    let mut sent = Noise::new(5).at(-60.0, 12 * WIDE as usize);
    with(ALL_OFF.with(Step::Gain, Switch::On)).near(&mut sent);
    let level = rms_dbfs(seconds(&sent, 8.0, 12.0));
    assert!(level < -48.0, "{level}");
}

#[test]
fn nothing_switched_on_changes_nothing() {
    let near = speech("speech-near.wav");
    for (settings, cards) in [
        (ALL_OFF, CARDS),
        (Settings { echo: Switch::On, noise: Switch::On, gain: Switch::On }, Cards { input: false, output: true }),
    ] {
        let mut processing = Processing::new(WIDE);
        processing.set(settings, cards);
        assert!(!Processing::is_wanted(settings, cards));
        let mut sent = near.clone();
        processing.far(&near, WIDE);
        processing.near(&mut sent);
        assert_eq!(sent, near);
    }
    let forced = ALL_OFF.with(Step::Echo, Switch::Always);
    assert!(Processing::is_wanted(forced, Cards { input: false, output: false }));
    assert!(!Processing::is_wanted(ALL_OFF.with(Step::Echo, Switch::On), Cards { input: true, output: false }));
}

#[test]
fn switching_does_not_click() {
    // A tone that any jump shows in: its steps are of up to 1,570.
    let count = 4 * WIDE as usize;
    let tone: Vec<i16> =
        (0..count).map(|n| (8000.0 * (std::f32::consts::TAU * 500.0 * n as f32 / WIDE as f32).sin()) as i16).collect();
    for one in [Step::Echo, Step::Noise, Step::Gain] {
        let mut processing = Processing::new(WIDE);
        let mut sent = tone.clone();
        let mut on = false;
        for (n, frame) in sent.chunks_exact_mut(FRAME).enumerate() {
            if n % 37 == 36 {
                on = !on;
                let switch = if on { Switch::On } else { Switch::Off };
                processing.set(ALL_OFF.with(one, switch), CARDS);
                assert_eq!(Processing::is_wanted(ALL_OFF.with(one, switch), CARDS), on);
            }
            if n == 150 {
                processing.devices_changed();
            }
            // A speaker that begins later.
            if n > 60 {
                processing.far(&[0; FRAME], WIDE);
            }
            processing.near(frame);
        }
        println!("switching {one:?}: largest step {} of {}", step(&sent), step(&tone));
        assert!(step(&sent) < 2 * step(&tone), "{one:?}: {} of {}", step(&sent), step(&tone));
    }
}

#[test]
fn it_works_at_48_khz_with_a_speaker_at_another_rate() {
    let far = looped(&speech("speech-far.wav"), 5);
    let mut room = Room::new(1, 40, -8.0);
    let mut processing = Processing::new(FULL);
    processing.set(ALL_OFF.with(Step::Echo, Switch::On), CARDS);
    let mut up = Resampler::new(WIDE, FULL).unwrap();
    let (mut heard, mut sent, mut wide) = (Vec::new(), Vec::new(), Vec::new());
    for frame in far.chunks_exact(FRAME) {
        processing.far(frame, WIDE);
        up.process(&room.hear(frame), &mut wide);
        if let Some(frame) = wide.get(..3 * FRAME) {
            let mut frame = frame.to_vec();
            wide.drain(..3 * FRAME);
            heard.extend_from_slice(&frame);
            processing.near(&mut frame);
            sent.extend(frame);
        }
    }
    let half = heard.len() / 2;
    let erle = rms_dbfs(&heard[half..]) - rms_dbfs(&sent[half..]);
    println!("48 kHz: ERLE {erle:.1} dB");
    assert!(erle > 25.0, "{erle} dB");
}

#[test]
fn the_delay_is_what_the_readme_says() {
    // How much later a voice comes while the other side is silent, in ms.
    let delay = |step: Step, rate: u32| {
        let mut processing = Processing::new(rate);
        processing.set(ALL_OFF.with(step, Switch::On), CARDS);
        let mut near = Vec::new();
        Resampler::new(WIDE, rate).unwrap().process(&speech("speech-near.wav"), &mut near);
        let mut sent = near.clone();
        for frame in sent.chunks_exact_mut(rate as usize / 100) {
            processing.far(&vec![0; frame.len()], rate);
            processing.near(frame);
        }
        let second = rate as usize..2 * rate as usize;
        let (sent, near) = (&sent[second.clone()], &near[second]);
        let product =
            |shift: usize| -> f64 { sent[shift..].iter().zip(near).map(|(&a, &b)| f64::from(a) * f64::from(b)).sum() };
        let best = (0..rate as usize / 50).max_by(|&a, &b| product(a).total_cmp(&product(b))).unwrap();
        best as f64 * 1000.0 / f64::from(rate)
    };
    for (step, at_wide, at_full) in [(Step::Echo, 6.0, 8.0), (Step::Noise, 6.0, 7.0), (Step::Gain, 0.0, 0.0)] {
        let (wide, full) = (delay(step, WIDE), delay(step, FULL));
        println!("{step:?} adds {wide:.1} ms at 16 kHz, {full:.1} at 48");
        assert!((wide - at_wide).abs() < 0.5 && (full - at_full).abs() < 0.5, "{step:?}: {wide}, {full}");
    }
}
