//! Devices tried without a call: a microphone that is listened to, a test sound in a speaker. Both open on threads of their
//! own and end when they are dropped.

use std::f32::consts::TAU;
use std::sync::mpsc::{Receiver, Sender, TryRecvError, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use polling::{Events, Poller};

use crate::config::Latency;
use crate::media::levels;

use super::device::{self, OpenError, Why};
use super::name::Selector;
use super::ringer::Ringer;

/// How often the level is taken.
const EVERY: Duration = Duration::from_millis(50);
/// Hz at which it is taken.
const RATE: u32 = 16_000;
/// How long the test sound lasts, and the ring.
const TONE: Duration = Duration::from_millis(1_200);
const RING: Duration = Duration::from_millis(2_600);
/// How much of the test sound is given at a time.
const PIECE: Duration = Duration::from_millis(20);
/// The notes of the test sound in Hz, one after the other, and their peak: -12 dBFS.
const NOTES: [f32; 3] = [440.0, 554.37, 659.26];
const PEAK: f32 = 0.25 * 32_767.0;

/// How a device that is tried goes.
#[derive(Debug, Clone, PartialEq)]
pub enum Probed {
    /// It opens.
    Opening,
    /// It records: the level in dBFS. It plays: the level does not matter.
    Running(f32),
    /// The sound was played.
    Done,
    /// It does not open, or was lost.
    Failed(String),
}

/// A device that is being tried.
pub struct Probe {
    state: Arc<Mutex<Probed>>,
    /// Dropped, it ends the thread.
    _stop: Sender<()>,
}

/// What a speaker plays.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TestSound {
    /// Three notes.
    Notes,
    /// The ring.
    Ring,
}

impl Probe {
    /// Listens to an input, by its name in the configuration.
    pub fn listen(name: &str) -> Probe {
        let name = name.to_owned();
        Probe::spawn(move |tell, stop| {
            let poller = Arc::new(Poller::new().map_err(unpolled)?);
            let mut input = device::open_input(&name, Latency::Safe, Arc::clone(&poller))?;
            let _ = input.available(RATE);
            loop {
                input.woken(Instant::now());
                input.collect();
                let usual = (RATE as usize * EVERY.as_millis() as usize) / 1000;
                let count = if input.is_clocked() { input.available(RATE) } else { usual };
                let mut samples = vec![0; count];
                input.read(RATE, &mut samples);
                if let Some(why) = input.failure() {
                    tell(Probed::Failed(why));
                    return Ok(());
                }
                if !samples.is_empty() {
                    tell(Probed::Running(levels::rms_dbfs(&samples)));
                }
                if is_over(stop, &poller, EVERY) {
                    return Ok(());
                }
            }
        })
    }

    /// Plays a test sound on an output, by its name in the configuration.
    pub fn play(name: &str, sound: TestSound) -> Probe {
        let name = name.to_owned();
        Probe::spawn(move |tell, stop| {
            tell(Probed::Running(0.0));
            match sound {
                TestSound::Notes => notes(&name, stop)?,
                TestSound::Ring => ring(&name, stop)?,
            }
            tell(Probed::Done);
            Ok(())
        })
    }

    /// How it goes.
    pub fn state(&self) -> Probed {
        self.state.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn spawn(work: impl FnOnce(&dyn Fn(Probed), &Receiver<()>) -> Result<(), OpenError> + Send + 'static) -> Probe {
        let state = Arc::new(Mutex::new(Probed::Opening));
        let (stop, stopped) = channel();
        let told = Arc::clone(&state);
        let tell = move |probed| *told.lock().unwrap_or_else(PoisonError::into_inner) = probed;
        let failed = tell.clone();
        let spawned = std::thread::Builder::new().name("audio-probe".into()).spawn(move || {
            if let Err(error) = work(&tell, &stopped) {
                tell(Probed::Failed(error.to_string()));
            }
        });
        if let Err(error) = spawned {
            failed(Probed::Failed(error.to_string()));
        }
        Probe { state, _stop: stop }
    }
}

fn unpolled(error: std::io::Error) -> OpenError {
    tracing::error!(%error, "no poller");
    OpenError::NoDevice("audio")
}

/// Waits so long, or until a device's socket has something; whether it is to end.
fn is_over(stop: &Receiver<()>, poller: &Poller, wait: Duration) -> bool {
    let end = Instant::now() + wait;
    let mut events = Events::new();
    // A socket that keeps on waking must not shorten the pause.
    while let Some(left) = end.checked_duration_since(Instant::now()).filter(|left| !left.is_zero()) {
        events.clear();
        let _ = poller.wait(&mut events, Some(left));
        if !events.is_empty() {
            break;
        }
    }
    stop.try_recv() != Err(TryRecvError::Empty)
}

fn ring(name: &str, stop: &Receiver<()>) -> Result<(), OpenError> {
    let poller = Arc::new(Poller::new().map_err(unpolled)?);
    let mut ringer = Ringer::open(name, None, Arc::clone(&poller))?;
    let end = Instant::now() + RING;
    while Instant::now() < end && ringer.failure().is_none() && !is_over(stop, &poller, PIECE) {
        ringer.woken();
    }
    Ok(())
}

fn notes(name: &str, stop: &Receiver<()>) -> Result<(), OpenError> {
    match Selector::parse(name)? {
        Selector::Null => return Ok(()),
        Selector::Tone(_) | Selector::Wav(_) => {
            return Err(OpenError::Unfit { name: name.to_owned(), purpose: "to play a test sound" });
        }
        Selector::Default | Selector::Card { .. } => {}
    }
    let poller = Arc::new(Poller::new().map_err(unpolled)?);
    let mut output = device::open_output(name, Latency::Safe, Arc::clone(&poller))?;
    let sound = test_sound(output.rate());
    let piece = (output.rate() as usize * PIECE.as_millis() as usize / 1000).max(1);
    let mut next = Instant::now();
    for samples in sound.chunks(piece) {
        output.write(Instant::now(), samples, Why::Arrived);
        next += PIECE;
        while Instant::now() < next {
            if is_over(stop, &poller, next.saturating_duration_since(Instant::now())) {
                return Ok(());
            }
            output.woken(Instant::now());
        }
    }
    Ok(())
}

/// The notes, without a click.
fn test_sound(rate: u32) -> Vec<i16> {
    let all = (rate as f32 * TONE.as_secs_f32()) as usize;
    let each = (all / NOTES.len()).max(1);
    let fade = (rate as f32 * 0.02).max(1.0);
    (0..all)
        .map(|n| {
            let note = NOTES[(n / each).min(NOTES.len() - 1)];
            let (from, to) = ((n % each) as f32, (each - n % each) as f32);
            let gain = (from / fade).min(to / fade).min(1.0);
            (PEAK * gain * (TAU * note * n as f32 / rate as f32).sin()) as i16
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use super::*;
    use crate::media::goertzel;

    fn wait(probe: &Probe, fits: impl Fn(&Probed) -> bool) -> Probed {
        let end = Instant::now() + Duration::from_secs(60);
        loop {
            let state = probe.state();
            if fits(&state) {
                return state;
            }
            assert!(Instant::now() < end, "{state:?}");
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    #[test]
    fn a_tone_is_heard_and_silence_is_silent() {
        let tone = Probe::listen("tone:440");
        wait(&tone, |state| matches!(state, Probed::Running(db) if (db + 15.0).abs() < 1.0));
        let null = Probe::listen("null");
        assert_eq!(wait(&null, |state| matches!(state, Probed::Running(_))), Probed::Running(-100.0));
    }

    #[test]
    fn what_can_not_be_opened_says_why() {
        let state = wait(&Probe::listen("/nowhere/x.wav"), |state| *state != Probed::Opening);
        assert!(matches!(state, Probed::Failed(_)), "{state:?}");
        for sound in [TestSound::Notes, TestSound::Ring] {
            let state = wait(&Probe::play("tone:440", sound), |state| matches!(state, Probed::Failed(_)));
            assert!(matches!(state, Probed::Failed(why) if why.contains("tone:440")));
        }
        assert_eq!(wait(&Probe::play("null", TestSound::Notes), |state| *state == Probed::Done), Probed::Done);
    }

    #[test]
    fn the_test_sound_is_three_notes_without_a_click() {
        let sound = test_sound(48_000);
        assert_eq!(sound.len(), 57_600);
        assert!(goertzel::level(&sound[2_000..17_000], 440.0, 48_000) > -20.0);
        assert!(goertzel::level(&sound[40_000..56_000], 659.26, 48_000) > -20.0);
        assert!(sound.windows(2).all(|pair| pair[0].abs_diff(pair[1]) < 1_000));
        assert!(sound[0] == 0 && sound[sound.len() - 1].abs() < 100);
    }
}
