//! Whether our side speaks, and how its silence sounds.
//!
//! The noise of the room is learnt as an all-pole model from the softest moments of the last seconds. What is left of a sound
//! when it has been whitened by that model says in one number whether it is louder than the noise or of another colour: a weak
//! hiss of speech is as plain in it as a vowel. What sounds like a voice or a tone is never learnt as noise, nor is what is loud.

use super::prediction::{Autocorrelation, Model, ORDER, autocorrelation};

/// Sound is judged in pieces of so many milliseconds.
const BLOCK_MS: usize = 10;
/// Speech lasts so many blocks longer than it is heard: ends of words are soft, and who counts to three is not cut in between.
const HANGOVER: usize = 20;
/// The noise is learnt from stretches of so many blocks, the softest of so many stretches, and not before so many.
const STRETCH: usize = 10;
const STRETCHES: usize = 30;
const FIRST_STRETCHES: usize = 4;
/// Softer than this is silence in any room, louder is no silence in any, in dBFS.
const ALWAYS_SILENT: f32 = -75.0;
const NEVER_SILENT: f32 = -30.0;
/// A hum below this level, in dBFS, is not taken for a voice.
const SOFT_HUM: f32 = -60.0;
/// Times the noise that a block must be to be speech (5 dB); two in a row need less (3 dB).
const SPEECH: f32 = 3.2;
const SPEECH_AGAIN: f32 = 2.0;
/// The softest stretch is the noise when it is so many times softer, or louder, than the noise that was known.
const SOFTER: f32 = 0.6;
const LOUDER: f32 = 1.6;
/// A voice repeats itself after so many samples at 8 kHz (400 to 60 Hz), and is so similar then.
const PITCH: std::ops::RangeInclusive<usize> = 20..=133;
const SIMILAR: f32 = 0.55;
/// Samples that are compared, and what is kept for it.
const COMPARED: usize = 160;
const KEPT: usize = COMPARED + *PITCH.end();
/// A tone can be foretold so well that less than this part of its power is left.
const TONAL: f32 = 0.008;
/// Blocks over which the sound of the silence is averaged.
const AVERAGED: f32 = 50.0;

/// No room becomes so many times softer from one block to the next: the microphone was muted.
const MUTED: f32 = 0.03;

/// What a piece of sound is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Activity {
    /// Somebody speaks, or did just now, or something else than noise is heard.
    Speech,
    /// Nothing but the noise of the room.
    Silence,
}

/// Listens to one side of a call.
#[derive(Debug, Clone)]
pub struct Detector {
    block: usize,
    /// What takes away an offset and the lowest hum: the last sample in and out.
    offset: (f32, f32),
    sound: Vec<f32>,
    windowed: Vec<f32>,
    /// What the model of each block left of it, at 8 kHz, for the pitch; and the samples before the block, whitened next.
    residual: [f32; KEPT],
    before: [f32; ORDER],
    noise: Option<Noise>,
    stretch: Stretch,
    stretches: [Option<Stretch>; STRETCHES],
    next: usize,
    /// The last block was louder than the noise, if not by much.
    rose: bool,
    /// Blocks since speech was heard.
    since: usize,
    silence: Average,
}

/// The noise that is known.
#[derive(Debug, Clone, Copy)]
struct Noise {
    sound: Autocorrelation,
    model: Model,
}

impl Noise {
    fn of(sound: Autocorrelation) -> Noise {
        Noise { sound, model: Model::of(&sound) }
    }
}

/// Some blocks together.
#[derive(Debug, Clone, Copy, Default)]
struct Stretch {
    sound: Autocorrelation,
    blocks: usize,
    /// Those that sound like a voice or a tone.
    voiced: usize,
}

/// The sound of the silence so far.
#[derive(Debug, Clone, Copy, Default)]
struct Average {
    sound: Autocorrelation,
    blocks: f32,
}

impl Detector {
    /// For sound of 8000 or 16000 Hz.
    pub fn new(sample_rate: u32) -> Detector {
        let block = BLOCK_MS * sample_rate as usize / 1000;
        Detector {
            block: block.max(1),
            offset: (0.0, 0.0),
            sound: Vec::with_capacity(block),
            windowed: Vec::with_capacity(block),
            residual: [0.0; KEPT],
            before: [0.0; ORDER],
            noise: None,
            stretch: Stretch::default(),
            stretches: [None; STRETCHES],
            next: 0,
            rose: false,
            since: 0,
            silence: Average::default(),
        }
    }

    /// Listens to the samples of a packet. It is speech if any of it is.
    pub fn listen(&mut self, samples: &[i16]) -> Activity {
        let mut activity = Activity::Silence;
        for block in samples.chunks(self.block) {
            if self.listen_to_block(block) == Activity::Speech {
                activity = Activity::Speech;
            }
        }
        activity
    }

    /// The sound of the silence since somebody spoke; of no power before there was any.
    pub(super) fn silence(&self) -> &Autocorrelation {
        &self.silence.sound
    }

    fn listen_to_block(&mut self, block: &[i16]) -> Activity {
        self.take(block);
        let sound = autocorrelation(&self.sound, &mut self.windowed);
        let own = Model::of(&sound);
        self.whiten(&own);
        let level = dbfs(self.sound.iter().map(|x| x * x).sum::<f32>() / block.len().max(1) as f32);
        let voiced = level > SOFT_HUM && (own.residual < TONAL * sound[0] || self.repeats());
        let speaks = match self.noise {
            _ if level < ALWAYS_SILENT => false,
            _ if level > NEVER_SILENT => true,
            None => true,
            Some(noise) => {
                let times = noise.model.left_of(&sound) / noise.model.residual.max(f32::MIN_POSITIVE);
                let rose = std::mem::replace(&mut self.rose, times > SPEECH_AGAIN);
                voiced || times > SPEECH || (rose && self.rose)
            }
        };
        self.learn(&sound, voiced, speaks);
        if speaks {
            self.since = 0;
            self.silence = Average::default();
        } else {
            self.since = self.since.saturating_add(1);
            if sound[0] < MUTED * self.silence.sound[0] {
                self.silence = Average::default();
            }
            self.silence.blocks = (self.silence.blocks + 1.0).min(AVERAGED);
            let part = 1.0 / self.silence.blocks;
            mix(&mut self.silence.sound, &sound, part);
        }
        if self.since > HANGOVER { Activity::Silence } else { Activity::Speech }
    }

    /// The block without what lies below speech: the offset of a cheap microphone, and most of the mains' hum.
    fn take(&mut self, block: &[i16]) {
        let kept = 1.0 - 0.05 * 80.0 / self.block as f32;
        self.sound.clear();
        for &sample in block {
            let (last_in, last_out) = self.offset;
            let out = f32::from(sample) - last_in + kept * last_out;
            self.offset = (f32::from(sample), out);
            self.sound.push(out);
        }
    }

    /// Keeps what the block's own model leaves of it, for [`Detector::repeats`].
    fn whiten(&mut self, own: &Model) {
        let every = (self.block / 80).max(1);
        let count = (self.sound.len() / every).min(KEPT);
        self.residual.copy_within(count.., 0);
        let room = &mut self.residual[KEPT - count..];
        let (sound, before) = (&self.sound, &self.before);
        let at = |n: usize, lag: usize| match n.checked_sub(lag) {
            Some(place) => sound[place],
            None => before[ORDER + n - lag],
        };
        for (place, out) in room.iter_mut().enumerate() {
            let group = place * every..(place + 1) * every;
            let left =
                group.map(|n| sound[n] + (1..=ORDER).map(|lag| own.whitening[lag - 1] * at(n, lag)).sum::<f32>());
            *out = left.sum::<f32>() / every as f32;
        }
        let last = sound.len().min(ORDER);
        self.before.copy_within(last.., 0);
        self.before[ORDER - last..].copy_from_slice(&sound[sound.len() - last..]);
    }

    /// Whether what was heard last repeats itself as a voice does.
    fn repeats(&self) -> bool {
        let now = &self.residual[KEPT - COMPARED..];
        let power: f32 = now.iter().map(|x| x * x).sum();
        PITCH.into_iter().any(|lag| {
            let then = &self.residual[KEPT - COMPARED - lag..KEPT - lag];
            let (product, other) =
                now.iter().zip(then).fold((0.0, 0.0), |(product, other), (x, y)| (product + x * y, other + y * y));
            product > SIMILAR * (power * other).sqrt().max(f32::MIN_POSITIVE)
        })
    }

    fn learn(&mut self, sound: &Autocorrelation, voiced: bool, speaks: bool) {
        if let Some(noise) = self.noise.as_mut().filter(|_| !speaks && !voiced) {
            // Of what is known to be noise slowly more is learnt.
            mix(&mut noise.sound, sound, 0.01);
        }
        self.stretch.blocks += 1;
        self.stretch.voiced += usize::from(voiced);
        mix(&mut self.stretch.sound, sound, 1.0 / self.stretch.blocks as f32);
        if self.stretch.blocks < STRETCH {
            return;
        }
        self.stretches[self.next] = Some(std::mem::take(&mut self.stretch));
        self.next = (self.next + 1) % STRETCHES;
        let known = self.stretches.iter().flatten();
        let enough = known.clone().count() >= FIRST_STRETCHES;
        let calm = known.filter(|stretch| stretch.voiced <= STRETCH / 4);
        let softest = calm.min_by(|one, other| one.sound[0].total_cmp(&other.sound[0]));
        let Some(softest) = softest.filter(|stretch| enough && dbfs(stretch.sound[0]) < NEVER_SILENT) else { return };
        self.noise = Some(match self.noise {
            Some(noise) => {
                let times = softest.sound[0] / noise.sound[0].max(f32::MIN_POSITIVE);
                if (SOFTER..LOUDER).contains(&times) { Noise::of(noise.sound) } else { Noise::of(softest.sound) }
            }
            None => Noise::of(softest.sound),
        });
    }
}

/// Takes a part of `new` into `sum`.
fn mix(sum: &mut Autocorrelation, new: &Autocorrelation, part: f32) {
    for (sum, new) in sum.iter_mut().zip(new) {
        *sum += part * (new - *sum);
    }
}

/// The level of a power per sample, in dBFS.
pub(super) fn dbfs(power: f32) -> f32 {
    10.0 * (power.max(1e-6) / (32_768.0 * 32_768.0)).log10()
}
