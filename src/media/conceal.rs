//! Sound for packets that never came: the last pitch period again and again, fading out.

/// Milliseconds of concealment at full level.
const FULL_MS: usize = 10;
/// Milliseconds after which concealment is silence.
const SILENT_MS: usize = 60;
/// Milliseconds over which real sound takes over again.
const RETURN_MS: usize = 5;
/// Milliseconds of sound that are remembered: two periods of the lowest pitch.
const HISTORY_MS: usize = 40;
/// The pitch of voices, in Hz.
const LOWEST_PITCH: usize = 60;
const HIGHEST_PITCH: usize = 400;

/// Remembers what was played, and goes on with it when nothing comes.
#[derive(Debug, Clone)]
pub struct Concealer {
    samples_per_ms: usize,
    history: Vec<i16>,
    /// The period that is repeated, and where in it we are; empty while sound comes.
    cycle: Vec<i16>,
    position: usize,
    /// Samples concealed since sound last came; none while it comes.
    concealed: Option<usize>,
}

impl Concealer {
    /// For sound of `sample_rate` Hz.
    pub fn new(sample_rate: u32) -> Concealer {
        Concealer {
            samples_per_ms: (sample_rate as usize / 1000).max(1),
            history: Vec::new(),
            cycle: Vec::new(),
            position: 0,
            concealed: None,
        }
    }

    /// Sound that is about to be played: its beginning is blended with the concealment before it, if there was any.
    pub fn pass(&mut self, frame: &mut [i16]) {
        if self.concealed.is_some() {
            let blend = frame.len().min(RETURN_MS * self.samples_per_ms);
            for (n, sample) in frame.iter_mut().take(blend).enumerate() {
                let going = i32::from(self.next_concealed());
                let (n, blend) = (n as i32, blend as i32);
                *sample = ((i32::from(*sample) * n + going * (blend - n)) / blend) as i16;
            }
            self.concealed = None;
            self.cycle.clear();
        }
        self.remember(frame);
    }

    /// Fills `out` with concealment; silence after 60 ms, and when nothing was played before.
    pub fn conceal(&mut self, out: &mut [i16]) {
        if self.concealed.is_none() {
            self.begin();
        }
        if self.cycle.is_empty() {
            out.fill(0);
            return;
        }
        for sample in out {
            *sample = self.next_concealed();
        }
    }

    /// Forgets what was played: silence comes next.
    pub fn clear(&mut self) {
        self.history.clear();
        self.cycle.clear();
        self.concealed = None;
    }

    fn remember(&mut self, frame: &[i16]) {
        let length = HISTORY_MS * self.samples_per_ms;
        let frame = &frame[frame.len().saturating_sub(length)..];
        let surplus = (self.history.len() + frame.len()).saturating_sub(length);
        self.history.drain(..surplus);
        self.history.extend_from_slice(frame);
    }

    fn begin(&mut self) {
        self.concealed = Some(0);
        self.position = 0;
        self.cycle.clear();
        let Some(period) = self.period() else { return };
        let history = &self.history;
        self.cycle.extend_from_slice(&history[history.len() - period..]);
        // The end of the period leads over to its beginning: it turns into what came before that.
        let before = &history[history.len() - 2 * period..history.len() - period];
        let blend = period / 4;
        for n in 0..blend {
            let at = period - blend + n;
            let (n, blend) = (n as i32 + 1, blend as i32);
            self.cycle[at] = ((i32::from(self.cycle[at]) * (blend - n) + i32::from(before[at]) * n) / blend) as i16;
        }
    }

    /// The lag at which the last sound is most like itself, by normalised correlation.
    fn period(&self) -> Option<usize> {
        let rate = self.samples_per_ms * 1000;
        let sound = self.history.as_slice();
        let window = sound.len() / 2;
        let (shortest, longest) = (rate / HIGHEST_PITCH, (rate / LOWEST_PITCH).min(window));
        if shortest == 0 || longest < shortest {
            return None;
        }
        let recent = &sound[sound.len() - window..];
        let mut best = (f32::MIN, longest);
        for lag in shortest..=longest {
            let earlier = &sound[sound.len() - window - lag..sound.len() - lag];
            let (mut product, mut energy) = (0.0f32, 1.0f32);
            for (&a, &b) in recent.iter().zip(earlier) {
                product += f32::from(a) * f32::from(b);
                energy += f32::from(b) * f32::from(b);
            }
            let likeness = product / energy.sqrt();
            if likeness > best.0 {
                best = (likeness, lag);
            }
        }
        Some(best.1)
    }

    fn next_concealed(&mut self) -> i16 {
        let Some(concealed) = self.concealed else { return 0 };
        let (full, silent) = (FULL_MS * self.samples_per_ms, SILENT_MS * self.samples_per_ms);
        if concealed >= silent || self.cycle.is_empty() {
            self.cycle.clear();
            return 0;
        }
        self.concealed = Some(concealed + 1);
        let sample = self.cycle.get(self.position).copied().unwrap_or(0);
        self.position = (self.position + 1) % self.cycle.len();
        let left = (silent - concealed).min(silent - full);
        (i64::from(sample) * left as i64 / (silent - full) as i64) as i16
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
                let mut frame = sine(n * 160, 160, frequency);
                if n % 10 == 9 {
                    concealer.conceal(&mut frame);
                } else {
                    concealer.pass(&mut frame);
                }
                sound.extend(frame);
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
        let mut frame = sine(0, 320, 200.0);
        concealer.pass(&mut frame);
        let mut lost = vec![0; 800];
        concealer.conceal(&mut lost);
        assert!(rms_dbfs(&lost[..80]) > -16.0);
        assert!(rms_dbfs(&lost[400..480]) < -25.0);
        assert_eq!(rms_dbfs(&lost[480..]), -100.0);
        let mut frame = vec![8000; 160];
        concealer.pass(&mut frame);
        assert!(frame[0] < 300 && frame[20] < 5000 && frame[40] == 8000);
    }

    #[test]
    fn without_anything_before_it_is_silence() {
        let mut concealer = Concealer::new(8000);
        let mut out = [1; 200];
        concealer.conceal(&mut out);
        assert_eq!(out, [0; 200]);
        let mut short = [5; 10];
        concealer.pass(&mut short);
        concealer.conceal(&mut out);
        assert_eq!(out, [0; 200]);
    }
}
