//! A little music for extension 605: broken chords on a plucked string, made up here and computed, at any sample rate.

use std::f32::consts::TAU;

/// The chords, as semitones above the middle C: C, A minor, F, G, with the third turn ending on a suspended G.
const CHORDS: [[i32; 4]; 8] = [
    [0, 4, 7, 12],
    [-3, 0, 4, 9],
    [-7, -3, 0, 5],
    [-5, -1, 2, 7],
    [0, 4, 7, 14],
    [-3, 0, 4, 12],
    [-7, -3, 5, 9],
    [-5, 0, 2, 7],
];
/// The order in which a chord's notes are plucked.
const PATTERN: [usize; 8] = [0, 2, 1, 3, 2, 1, 3, 2];
/// Milliseconds from note to note.
const STEP_MS: u32 = 240;
/// Strings that sound at a time: each note rings on while the next ones come.
const STRINGS: usize = 4;
/// Middle C in Hz.
const MIDDLE_C: f32 = 261.63;
/// Each string's peak at full scale.
const LEVEL: f32 = 0.11;

/// The music, without end.
#[derive(Debug, Clone)]
pub(crate) struct Melody {
    sample_rate: u32,
    position: u32,
    note: usize,
    strings: [Note; STRINGS],
}

#[derive(Debug, Clone, Copy, Default)]
struct Note {
    frequency: f32,
    phase: f32,
    loudness: f32,
}

impl Melody {
    /// The music from its beginning, at `sample_rate` Hz.
    pub fn new(sample_rate: u32) -> Melody {
        Melody { sample_rate, position: 0, note: 0, strings: [Note::default(); STRINGS] }
    }

    /// Fills `out` with the next samples.
    pub fn fill(&mut self, out: &mut [i16]) {
        for sample in out {
            *sample = (self.next() * 32_767.0) as i16;
        }
    }

    fn next(&mut self) -> f32 {
        let step = (STEP_MS * self.sample_rate / 1000).max(1);
        if self.position.is_multiple_of(step) {
            self.pluck();
        }
        self.position = (self.position + 1) % step;
        let rate = self.sample_rate as f32;
        // It fades to a thousandth in two seconds.
        let fade = 0.001f32.powf(1.0 / (2.0 * rate));
        let mut sum = 0.0;
        for string in &mut self.strings {
            string.phase = (string.phase + TAU * string.frequency / rate) % TAU;
            // A string's overtones fade first: they sound with the square of its loudness.
            let overtones = 0.4 * (2.0 * string.phase).sin() + 0.2 * (3.0 * string.phase).sin();
            sum += string.loudness * (string.phase.sin() + string.loudness * overtones);
            string.loudness *= fade;
        }
        sum * LEVEL
    }

    fn pluck(&mut self) {
        let chord = CHORDS[(self.note / PATTERN.len()) % CHORDS.len()];
        let semitones = chord[PATTERN[self.note % PATTERN.len()]];
        let frequency = MIDDLE_C * 2f32.powf(semitones as f32 / 12.0);
        // From phase 0, so that a note begins without a click.
        self.strings[self.note % STRINGS] = Note { frequency, phase: 0.0, loudness: 1.0 };
        self.note = (self.note + 1) % (CHORDS.len() * PATTERN.len());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::media::{goertzel, levels};

    #[test]
    fn it_starts_with_a_middle_c_and_never_clips() {
        let mut melody = Melody::new(8000);
        let mut first = vec![0; 1900];
        melody.fill(&mut first);
        assert!(goertzel::level(&first, 261.63, 8000) > -26.0);
        assert!(goertzel::level(&first, 329.6, 8000) < -40.0, "the third comes later");
        let mut minute = vec![0; 8000 * 60];
        melody.fill(&mut minute);
        assert!(minute.iter().all(|sample| sample.unsigned_abs() < 32_000));
        for second in minute.chunks(8000) {
            let level = levels::rms_dbfs(second);
            assert!((-30.0..-8.0).contains(&level), "{level}");
        }
    }
}
