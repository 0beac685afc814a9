//! The tones of telephony ([`countries`]: ITU-T E.180; Q.23 for digits), made at any sample rate and ramped: no clicks.

pub mod countries;

use std::f32::consts::TAU;

/// What a tone sounds like. Tables, see the constants.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Pattern {
    /// One or two frequencies in Hz, sounded together; 0 is none.
    pub frequencies: [f32; 2],
    /// Peak of each frequency in dBFS.
    pub level_dbfs: f32,
    /// Milliseconds of tone, then of silence. `(_, 0)` last: nothing after the tone.
    pub cadence: &'static [(u32, u32)],
    /// Whether the cadence starts again at its end.
    pub repeats: bool,
}

/// The microphone is about to open by itself: one short beep.
pub const AUTO_ANSWER: Pattern =
    Pattern { frequencies: [1000.0, 0.0], level_dbfs: -18.0, cadence: &[(200, 0)], repeats: false };
/// You are on hold: a short quiet beep now and then.
pub const HOLD: Pattern =
    Pattern { frequencies: [425.0, 0.0], level_dbfs: -24.0, cadence: &[(250, 4750)], repeats: true };
/// ITU-T Q.23: the digits, and the low and high frequency of each.
const DIGITS: [(char, [f32; 2]); 16] = [
    ('1', [697.0, 1209.0]),
    ('2', [697.0, 1336.0]),
    ('3', [697.0, 1477.0]),
    ('A', [697.0, 1633.0]),
    ('4', [770.0, 1209.0]),
    ('5', [770.0, 1336.0]),
    ('6', [770.0, 1477.0]),
    ('B', [770.0, 1633.0]),
    ('7', [852.0, 1209.0]),
    ('8', [852.0, 1336.0]),
    ('9', [852.0, 1477.0]),
    ('C', [852.0, 1633.0]),
    ('*', [941.0, 1209.0]),
    ('0', [941.0, 1336.0]),
    ('#', [941.0, 1477.0]),
    ('D', [941.0, 1633.0]),
];

/// How long a digit sounds, and the silence after it, in milliseconds.
const DIGIT_CADENCE: &[(u32, u32)] = &[(160, 80)];
const DIGIT_LEVEL_DBFS: f32 = -10.0;
/// Milliseconds that `,` pauses.
const PAUSE_MS: u32 = 1000;
/// Milliseconds over which a tone begins and ends.
const RAMP_MS: u32 = 5;

/// The tone of a digit: 160 ms, then 80 ms of silence. `None` for what is no digit of `0123456789*#ABCD` (any case).
pub fn digit(digit: char) -> Option<Pattern> {
    let wanted = digit.to_ascii_uppercase();
    let (_, frequencies) = DIGITS.iter().find(|(known, _)| *known == wanted)?;
    Some(Pattern { frequencies: *frequencies, level_dbfs: DIGIT_LEVEL_DBFS, cadence: DIGIT_CADENCE, repeats: false })
}

/// Makes a [`Pattern`] into samples.
#[derive(Debug, Clone)]
pub struct Generator {
    sample_rate: u32,
    pattern: Pattern,
    amplitude: f32,
    /// Of each frequency, 0 to tau.
    phase: [f32; 2],
    /// Index into the cadence, and samples since that entry began.
    entry: usize,
    position: u32,
    /// Samples left of the final ramp, once stopped.
    stopping: Option<u32>,
    finished: bool,
}

impl Generator {
    /// A tone from its beginning, at `sample_rate` Hz.
    pub fn new(pattern: Pattern, sample_rate: u32) -> Generator {
        Generator {
            sample_rate,
            pattern,
            amplitude: 32_767.0 * super::levels::factor(pattern.level_dbfs),
            phase: [0.0; 2],
            entry: 0,
            position: 0,
            stopping: None,
            finished: pattern.cadence.is_empty() || pattern.cadence.iter().all(|&entry| entry == (0, 0)),
        }
    }

    /// Fills `out` (overwrites it): tone, then silence when it is finished.
    pub fn fill(&mut self, out: &mut [i16]) {
        for sample in out {
            *sample = self.next_sample();
        }
    }

    /// Whether nothing but silence will come.
    pub fn is_finished(&self) -> bool {
        self.finished
    }

    /// Ends the tone within 5 ms, without a click.
    pub fn stop(&mut self) {
        self.stopping.get_or_insert(self.samples(RAMP_MS));
    }

    fn samples(&self, ms: u32) -> u32 {
        (u64::from(ms) * u64::from(self.sample_rate) / 1000) as u32
    }

    fn next_sample(&mut self) -> i16 {
        if self.finished {
            return 0;
        }
        let Some(&(on_ms, off_ms)) = self.pattern.cadence.get(self.entry) else {
            self.finished = true;
            return 0;
        };
        let (on, off) = (self.samples(on_ms), self.samples(off_ms));
        let ramp = self.samples(RAMP_MS).max(1) as f32;
        let mut gain = if self.position < on {
            let edge = self.position.min(on - 1 - self.position);
            (edge as f32 / ramp).min(1.0)
        } else {
            0.0
        };
        if let Some(left) = self.stopping {
            gain = gain.min(left as f32 / ramp);
            self.stopping = Some(left.saturating_sub(1));
            self.finished = left == 0 || gain == 0.0 && self.position >= on;
        }
        let sample = if gain > 0.0 { self.oscillate() * gain } else { 0.0 };
        self.step(on, off);
        sample as i16
    }

    fn oscillate(&mut self) -> f32 {
        let mut sum = 0.0;
        for (phase, &frequency) in self.phase.iter_mut().zip(&self.pattern.frequencies) {
            if frequency > 0.0 {
                sum += phase.sin();
                *phase = (*phase + TAU * frequency / self.sample_rate as f32) % TAU;
            }
        }
        (sum * self.amplitude).clamp(-32_767.0, 32_767.0)
    }

    fn step(&mut self, on: u32, off: u32) {
        self.position += 1;
        if self.position < on + off {
            return;
        }
        self.position = 0;
        self.phase = [0.0; 2];
        self.entry += 1;
        if self.entry == self.pattern.cadence.len() {
            self.entry = 0;
            self.finished |= !self.pattern.repeats;
        }
    }
}

/// A string of digits as tones, one after the other; `,` pauses 1 s, what is no digit is left out.
#[derive(Debug, Clone)]
pub struct Digits {
    sample_rate: u32,
    waiting: std::collections::VecDeque<char>,
    sounding: Option<(char, Generator)>,
    pause: u32,
    sent: std::collections::VecDeque<char>,
}

impl Digits {
    /// Nothing yet, at `sample_rate` Hz.
    pub fn new(sample_rate: u32) -> Digits {
        Digits { sample_rate, waiting: Default::default(), sounding: None, pause: 0, sent: Default::default() }
    }

    /// Puts digits behind those that wait.
    pub fn push(&mut self, digits: &str) {
        self.waiting.extend(digits.chars().filter(|&each| each == ',' || digit(each).is_some()));
    }

    /// Fills `out` (overwrites it): tones and the silence between them.
    pub fn fill(&mut self, out: &mut [i16]) {
        for sample in out {
            *sample = self.next_sample();
        }
    }

    /// Whether all has sounded.
    pub fn is_finished(&self) -> bool {
        self.waiting.is_empty() && self.sounding.is_none() && self.pause == 0
    }

    /// The next digit that has sounded to its end, each once.
    pub fn poll_sent(&mut self) -> Option<char> {
        self.sent.pop_front()
    }

    fn next_sample(&mut self) -> i16 {
        if self.pause > 0 {
            self.pause -= 1;
            return 0;
        }
        if self.sounding.is_none() {
            match self.waiting.pop_front() {
                Some(',') => {
                    self.pause = self.sample_rate * PAUSE_MS / 1000;
                    return 0;
                }
                Some(next) => {
                    self.sounding = digit(next).map(|pattern| (next, Generator::new(pattern, self.sample_rate)));
                }
                None => return 0,
            }
        }
        let Some((digit, generator)) = &mut self.sounding else { return 0 };
        let sample = generator.next_sample();
        if generator.is_finished() {
            self.sent.push_back(*digit);
            self.sounding = None;
        }
        sample
    }
}

#[cfg(test)]
mod tests {
    use super::countries::EUROPE;
    use super::*;
    use crate::media::goertzel::level as goertzel;
    use crate::media::levels::rms_dbfs;

    fn samples(generator: &mut Generator, count: usize) -> Vec<i16> {
        let mut out = vec![0; count];
        generator.fill(&mut out);
        out
    }

    #[test]
    fn ringback_is_425_hz_one_second_in_five() {
        for rate in [8000, 44_100, 48_000] {
            let mut generator = Generator::new(EUROPE.ringback, rate);
            let sound = samples(&mut generator, 10 * rate as usize);
            let second = rate as usize;
            let on = rms_dbfs(&sound[..second]);
            assert!((on + 16.0 + 3.0).abs() < 0.3, "{on} dBFS at {rate}");
            assert!((goertzel(&sound[..second], 425.0, rate) - on).abs() < 0.3);
            assert_eq!(rms_dbfs(&sound[second..5 * second]), -100.0);
            assert!((rms_dbfs(&sound[5 * second..6 * second]) - on).abs() < 0.1);
            assert!(!generator.is_finished());
        }
    }

    #[test]
    fn no_tone_clicks() {
        for pattern in
            [EUROPE.ringback, EUROPE.busy, EUROPE.congestion, EUROPE.call_waiting, AUTO_ANSWER, digit('5').unwrap()]
        {
            let mut generator = Generator::new(pattern, 48_000);
            let mut sound = samples(&mut generator, 20_000);
            generator.stop();
            sound.extend(samples(&mut generator, 300));
            assert!(generator.is_finished(), "{pattern:?}");
            // The steepest that two sines of these levels and frequencies get.
            let peak = 32_767.0 * crate::media::levels::factor(pattern.level_dbfs);
            let slope: f32 = pattern.frequencies.iter().map(|f| peak * TAU * f / 48_000.0).sum();
            let limit = slope + 2.0 * peak / (0.005 * 48_000.0) + 2.0;
            for pair in sound.windows(2) {
                assert!(f32::from(pair[1]) - f32::from(pair[0]) <= limit, "{pattern:?}: {pair:?}");
            }
            assert_eq!(sound[0], 0);
        }
    }

    #[test]
    fn call_waiting_ends_by_itself() {
        let mut generator = Generator::new(EUROPE.call_waiting, 8000);
        samples(&mut generator, 8 * 599);
        assert!(!generator.is_finished());
        samples(&mut generator, 8);
        assert!(generator.is_finished());
        assert_eq!(rms_dbfs(&samples(&mut generator, 100)), -100.0);
    }

    #[test]
    fn digits_sound_in_turn() {
        let mut digits = Digits::new(8000);
        digits.push("1x,d");
        let mut sound = vec![0i16; 8 * 160];
        digits.fill(&mut sound);
        assert!(goertzel(&sound, 697.0, 8000) > -15.0);
        assert!(goertzel(&sound, 1209.0, 8000) > -15.0);
        assert!(goertzel(&sound, 1336.0, 8000) < -30.0);
        assert_eq!(digits.poll_sent(), None);
        let mut pause = vec![0i16; 8 * 1080];
        digits.fill(&mut pause);
        assert_eq!(digits.poll_sent(), Some('1'));
        assert_eq!(rms_dbfs(&pause), -100.0);
        digits.fill(&mut sound);
        assert!(goertzel(&sound, 941.0, 8000) > -15.0);
        assert!(goertzel(&sound, 1633.0, 8000) > -15.0);
        assert!(!digits.is_finished());
        digits.fill(&mut pause);
        assert!(digits.is_finished());
        assert_eq!((digits.poll_sent(), digits.poll_sent()), (Some('d'), None));
    }
}
