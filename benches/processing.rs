//! What echo cancellation, noise suppression and automatic gain cost: processor time of 10 ms of sound, one thread.
//!
//! ```text
//! cargo bench --bench processing
//! ```

#![allow(clippy::disallowed_methods)]

use std::path::Path;
use std::time::Duration;

use offhook::audio::wav;
use offhook::media::processing::{Cards, FULL, Processing, Settings, Step, Switch, WIDE};
use offhook::media::resample::Resampler;

const ALL_OFF: Settings = Settings { echo: Switch::Off, noise: Switch::Off, gain: Switch::Off };
const SECONDS: usize = 30;
/// The speech at the speaker is heard so much later, and so much softer, by the microphone.
const ECHO_MS: usize = 40;
const SOFTER: i16 = 4;

fn speech(name: &str, rate: u32) -> Vec<i16> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data").join(name);
    let clip = wav::load(&path).expect("speech");
    let mut sound = Vec::new();
    Resampler::new(clip.rate, rate).expect("a sane rate").process(&clip.samples, &mut sound);
    sound.iter().copied().cycle().take(SECONDS * rate as usize).collect()
}

fn main() {
    println!("| | at {} kHz | at {} kHz |", WIDE / 1000, FULL / 1000);
    println!("|---|---|---|");
    let all = Settings { echo: Switch::On, noise: Switch::On, gain: Switch::On };
    let rows = [
        ("echo cancellation", ALL_OFF.with(Step::Echo, Switch::On)),
        ("noise suppression", ALL_OFF.with(Step::Noise, Switch::On)),
        ("automatic gain", ALL_OFF.with(Step::Gain, Switch::On)),
        ("all three", all),
    ];
    for (name, settings) in rows {
        println!("| {name} | {:.1} us | {:.1} us |", cost(settings, WIDE), cost(settings, FULL));
    }
}

/// Microseconds that 10 ms take.
fn cost(settings: Settings, rate: u32) -> f64 {
    let (far, near) = (speech("speech-far.wav", rate), speech("speech-near.wav", rate));
    let late = ECHO_MS * rate as usize / 1000;
    let mut processing = Processing::new(rate);
    processing.set(settings, Cards { input: true, output: true });
    let frame = rate as usize / 100;
    let frames = far.len() / frame;
    let mut heard = vec![0i16; frame];
    let before = thread_time();
    for at in (0..frames).map(|number| number * frame) {
        processing.far(&far[at..at + frame], rate);
        for (n, sample) in heard.iter_mut().enumerate() {
            let echo = (at + n).checked_sub(late).map_or(0, |then| far[then] / SOFTER);
            *sample = near[at + n].saturating_add(echo);
        }
        processing.near(&mut heard);
    }
    (thread_time() - before).as_secs_f64() * 1e6 / frames as f64
}

/// Processor time of this thread.
fn thread_time() -> Duration {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: the kernel fills the struct that is given to it.
    let _ = unsafe { libc::clock_gettime(libc::CLOCK_THREAD_CPUTIME_ID, &mut time) };
    Duration::new(time.tv_sec.unsigned_abs(), time.tv_nsec.unsigned_abs() as u32)
}
