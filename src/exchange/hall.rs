//! Where the extensions' sound is: all of their voices, in step.

use std::collections::HashMap;
use std::net::IpAddr;
use std::time::{Duration, Instant};

use rand_chacha::ChaCha20Rng;
use rand_core::{RngCore, SeedableRng};

use crate::sdp::Negotiated;
use crate::ua::command::MediaPorts;

use super::extension::{Act, SoundId, Stage};
use super::voice::{TICK, Voice};

/// Calls with sound at a time, over all extensions.
const MAX_VOICES: usize = 400;
/// Ticks that are made up for after a delay; what is later than that is let go.
const MAX_LATE: Duration = Duration::from_millis(100);

/// The sound of all extensions.
pub(crate) struct Hall {
    address: IpAddr,
    voices: HashMap<SoundId, Voice>,
    opened: u64,
    random: ChaCha20Rng,
    /// When the next 20 ms are due, while there is sound.
    tick: Option<Instant>,
    /// What is said in the conference room now, all together.
    room: Vec<i32>,
}

impl Stage for Hall {
    fn open(&mut self, now: Instant, act: Act) -> Option<(SoundId, MediaPorts)> {
        if self.voices.len() >= MAX_VOICES {
            return None;
        }
        let mut seed = [0; 32];
        self.random.fill_bytes(&mut seed);
        match Voice::open(now, self.address, act, seed) {
            Ok((voice, ports)) => {
                self.opened += 1;
                self.voices.insert(SoundId(self.opened), voice);
                self.tick.get_or_insert(now + TICK);
                Some((SoundId(self.opened), ports))
            }
            Err(error) => {
                tracing::warn!(%error, "an extension has no ports for its sound");
                None
            }
        }
    }

    fn configure(&mut self, now: Instant, sound: SoundId, media: &Negotiated) {
        if let Some(voice) = self.voices.get_mut(&sound) {
            voice.configure(now, media);
        }
    }

    fn digit(&mut self, now: Instant, sound: SoundId, digit: char) {
        if let Some(voice) = self.voices.get_mut(&sound) {
            voice.digit(now, digit);
        }
    }

    fn close(&mut self, now: Instant, sound: SoundId) {
        if let Some(voice) = self.voices.remove(&sound) {
            voice.close(now);
        }
        if self.voices.is_empty() {
            self.tick = None;
        }
    }
}

impl Hall {
    /// An empty one, whose sound has its ports at `address`.
    pub fn new(address: IpAddr, seed: [u8; 32]) -> Hall {
        let random = ChaCha20Rng::from_seed(seed);
        Hall { address, voices: HashMap::new(), opened: 0, random, tick: None, room: Vec::new() }
    }

    /// When [`Hall::tick`] is due.
    pub fn poll_timeout(&self) -> Option<Instant> {
        self.tick
    }

    /// Everyone's next 20 ms, if they are due.
    pub fn tick(&mut self, now: Instant) {
        while let Some(due) = self.tick.filter(|due| *due <= now) {
            self.room.clear();
            for voice in self.voices.values_mut() {
                voice.hear(now, &mut self.room);
            }
            for voice in self.voices.values_mut() {
                voice.speak(now, &self.room);
            }
            let late = now.saturating_duration_since(due) > MAX_LATE;
            self.tick = Some(if late { now + TICK } else { due + TICK });
        }
    }
}
