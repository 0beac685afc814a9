//! Sound for packets that never came: the last pitch periods again and again, fading out, after ITU-T G.711 Appendix I.

use super::timescale::likeness;

/// Milliseconds of sound that concealment begins from: three periods of the lowest pitch, and what they are compared with.
pub const HISTORY_MS: usize = 60;
/// The pitch of voices, in Hz.
const LOWEST_PITCH: usize = 60;
const HIGHEST_PITCH: usize = 400;
/// Milliseconds over which likeness is judged.
const COMPARED_MS: usize = 20;
/// Milliseconds after which one more period is repeated; three at most.
const MORE_PERIODS_MS: usize = 10;
const MOST_PERIODS: usize = 3;
/// Milliseconds of concealment at full level, and after which it is silence, of a voice and of noise.
const FULL_MS: usize = 10;
const SILENT_MS: usize = 60;
/// Milliseconds over which real sound takes over again: at once, and for each 10 ms that were concealed.
const RETURN_MS: usize = 5;
/// How fast the step into concealment is smoothed: the part of it that a millisecond takes away.
const STEP_DECAY_MS: f32 = 1.0;

/// Goes on with what was played when nothing comes.
#[derive(Debug, Clone)]
pub struct Concealer {
    samples_per_ms: usize,
    /// What is repeated: the last periods before sound was missing.
    periods: Vec<i16>,
    /// Samples of one period; 0: there is nothing to repeat.
    period: usize,
    /// How many of them are repeated now, and where in `periods` we are.
    repeated: usize,
    position: usize,
    /// Samples concealed since sound last came; none while it comes.
    concealed: Option<usize>,
    /// What is left of the step from the last sample to the concealment.
    step: f32,
}

impl Concealer {
    /// For sound of `sample_rate` Hz.
    pub fn new(sample_rate: u32) -> Concealer {
        let samples_per_ms = (sample_rate as usize / 1000).max(1);
        Concealer {
            samples_per_ms,
            periods: Vec::with_capacity(HISTORY_MS * samples_per_ms),
            period: 0,
            repeated: 1,
            position: 0,
            concealed: None,
            step: 0.0,
        }
    }

    /// Whether sound is missing.
    pub fn is_concealing(&self) -> bool {
        self.concealed.is_some()
    }

    /// Begins to go on with `sound`, if that was not done yet.
    pub fn prepare(&mut self, sound: &[i16]) {
        if self.concealed.is_none() {
            self.begin(sound);
        }
    }

    /// Appends `count` samples of concealment to `sound`; silence after 60 ms, and after silence.
    pub fn conceal(&mut self, sound: &mut Vec<i16>, count: usize) {
        self.prepare(sound);
        for _ in 0..count {
            let sample = self.next_sample();
            sound.push(sample);
        }
    }

    /// Blends the beginning of real sound, `sound` from `from` on, with the concealment before it.
    pub fn merge(&mut self, sound: &mut [i16], from: usize) {
        if self.concealed.is_none() {
            return;
        }
        let blend = (RETURN_MS * self.samples_per_ms).min(sound.len() - from);
        for (n, sample) in sound[from..].iter_mut().take(blend).enumerate() {
            let going = i32::from(self.next_sample());
            let (n, blend) = (n as i32, blend as i32);
            *sample = ((i32::from(*sample) * n + going * (blend - n)) / blend) as i16;
        }
        self.concealed = None;
    }

    /// Sound goes on by other means.
    pub fn end(&mut self) {
        self.concealed = None;
    }

    fn begin(&mut self, sound: &[i16]) {
        self.concealed = Some(0);
        self.position = 0;
        self.repeated = 1;
        self.periods.clear();
        self.period = 0;
        let history = &sound[sound.len().saturating_sub(HISTORY_MS * self.samples_per_ms)..];
        let Some(period) = self.find_period(history) else { return };
        self.period = period;
        // A quarter more: what the end of a cycle turns into.
        let kept = (MOST_PERIODS * period + period / 4).min(history.len());
        self.periods.extend_from_slice(&history[history.len() - kept..]);
        let at = |back: usize| {
            history.len().checked_sub(back).and_then(|at| history.get(at)).copied().map_or(0.0, f32::from)
        };
        self.step = at(1) - at(1 + period);
    }

    /// The lag at which the last sound is most like itself.
    fn find_period(&self, history: &[i16]) -> Option<usize> {
        let rate = self.samples_per_ms * 1000;
        let window = (COMPARED_MS * self.samples_per_ms).min(history.len() / 2);
        let (shortest, longest) =
            (rate / HIGHEST_PITCH, (rate / LOWEST_PITCH).min(history.len().saturating_sub(window)));
        if shortest == 0 || longest < shortest {
            return None;
        }
        let recent = &history[history.len() - window..];
        let stride = (rate / 8000).max(1);
        let judge = |lag: usize, stride: usize| {
            likeness(recent, &history[history.len() - window - lag..history.len() - lag], stride)
        };
        let mut best = (f32::MIN, longest);
        for lag in (shortest..=longest).step_by(stride) {
            let alike = judge(lag, stride);
            if alike > best.0 {
                best = (alike, lag);
            }
        }
        let near = best.1.saturating_sub(stride - 1).max(shortest)..=(best.1 + stride - 1).min(longest);
        best.0 = f32::MIN;
        for lag in near {
            let alike = judge(lag, 1);
            if alike > best.0 {
                best = (alike, lag);
            }
        }
        Some(best.1)
    }

    fn next_sample(&mut self) -> i16 {
        let Some(concealed) = self.concealed else { return 0 };
        let (full, silent) = (FULL_MS * self.samples_per_ms, SILENT_MS * self.samples_per_ms);
        self.concealed = Some(concealed + 1);
        if concealed >= silent || self.period == 0 {
            return 0;
        }
        let length = self.periods.len();
        let cycle = (self.repeated * self.period).min(length);
        let mut sample = i32::from(self.periods[length - cycle + self.position]);
        // The end of the cycle leads over to its beginning: it turns into what came before that.
        let blend = self.period / 4;
        let left = cycle - self.position;
        if left <= blend && length >= cycle + left {
            let before = i32::from(self.periods[length - cycle - left]);
            sample = (sample * left as i32 + before * (blend - left) as i32) / blend as i32;
        }
        self.position += 1;
        if self.position == cycle {
            self.position = 0;
            let due = 1 + concealed / (MORE_PERIODS_MS * self.samples_per_ms);
            let whole = (length - self.period / 4) / self.period;
            self.repeated = due.clamp(1, MOST_PERIODS).min(whole.max(1));
        }
        self.step *= 1.0 - STEP_DECAY_MS / self.samples_per_ms as f32;
        let level = (silent - concealed).min(silent - full) as f32 / (silent - full) as f32;
        ((sample as f32 + self.step) * level) as i16
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::media::goertzel;
    use crate::media::levels::rms_dbfs;

    fn sine(from: usize, count: usize, frequency: f64) -> Vec<i16> {
        let step = std::f64::consts::TAU * frequency / 8000.0;
        (from..from + count).map(|n| (8000.0 * (step * n as f64).sin()) as i16).collect()
    }

    #[test]
    fn a_lost_frame_of_a_tone_is_hardly_heard() {
        for frequency in [100.0, 200.0, 440.0, 1000.0] {
            let mut concealer = Concealer::new(8000);
            let mut sound = Vec::new();
            for n in 0..50 {
                if n % 10 == 9 {
                    concealer.conceal(&mut sound, 160);
                } else {
                    let from = sound.len();
                    sound.extend(sine(n * 160, 160, frequency));
                    concealer.merge(&mut sound, from);
                }
            }
            let tone = goertzel::level(&sound, frequency as f32, 8000);
            assert!((rms_dbfs(&sound) - tone).abs() < 0.3, "{frequency} Hz: {tone} of {}", rms_dbfs(&sound));
            let limit = (8000.0 * std::f64::consts::TAU * frequency / 8000.0) as i32 + 1500;
            for pair in sound.windows(2) {
                assert!((i32::from(pair[1]) - i32::from(pair[0])).abs() < limit, "{frequency} Hz clicks: {pair:?}");
            }
        }
    }

    #[test]
    fn concealment_fades_into_silence_and_sound_returns_softly() {
        let mut concealer = Concealer::new(8000);
        let mut sound = sine(0, 480, 200.0);
        concealer.conceal(&mut sound, 800);
        let lost = &sound[480..];
        assert!(rms_dbfs(&lost[..80]) > -16.0);
        assert!(rms_dbfs(&lost[400..480]) < -25.0);
        assert_eq!(rms_dbfs(&lost[480..]), -100.0);
        let from = sound.len();
        sound.extend([8000; 160]);
        concealer.merge(&mut sound, from);
        let frame = &sound[from..];
        assert!(frame[0] < 300 && frame[20] < 5000 && frame[40] == 8000);
        assert!(!concealer.is_concealing());
    }

    #[test]
    fn without_anything_before_it_is_silence() {
        let mut concealer = Concealer::new(8000);
        for known in 0..200 {
            let mut sound = vec![0; known];
            concealer.conceal(&mut sound, 200);
            assert_eq!(sound, vec![0; known + 200]);
            concealer.end();
        }
    }

    #[test]
    fn any_history_is_gone_on_with() {
        for known in 0..600usize {
            let mut concealer = Concealer::new(8000);
            let mut sound: Vec<i16> = (0..known).map(|n| (n * 7919 % 65_536) as i16).collect();
            concealer.conceal(&mut sound, 900);
            assert_eq!(sound.len(), known + 900);
        }
    }
}
