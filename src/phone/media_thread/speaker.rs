//! What is heard besides the calls: tones and beeps, and the sum of everything.

use std::time::{Duration, Instant};

use crate::media::tones::countries::Country;
use crate::media::tones::{Digits, Generator, Pattern};
use crate::media::{levels, mixing};
use crate::ua::CallNo;

use super::Tone;

/// How long busy and congestion sound.
const FAILURE_TONE: Duration = Duration::from_secs(4);
/// RTP that came within this time silences the ringback.
pub const RTP_WINS: Duration = Duration::from_secs(1);

/// One tone that sounds.
struct Sounding {
    call: Option<CallNo>,
    pattern: Pattern,
    generator: Generator,
    until: Option<Instant>,
    is_ringback: bool,
}

/// All tones, and the mixer.
pub struct Speaker {
    rate: u32,
    tones: &'static Country,
    sounding: Vec<Sounding>,
    side_tone: Digits,
    sum: Vec<i32>,
    scratch: Vec<i16>,
    gain: f32,
}

impl Speaker {
    pub fn new(rate: u32, tones: &'static Country) -> Speaker {
        Speaker {
            rate,
            tones,
            sounding: Vec::new(),
            side_tone: Digits::new(rate),
            sum: Vec::new(),
            scratch: Vec::new(),
            gain: 1.0,
        }
    }

    /// Another device: the tones begin again at its rate.
    pub fn set_rate(&mut self, rate: u32) {
        if self.rate == rate {
            return;
        }
        self.rate = rate;
        self.side_tone = Digits::new(rate);
        for tone in &mut self.sounding {
            tone.generator = Generator::new(tone.pattern, rate);
        }
    }

    pub fn set_gain(&mut self, db: f32) {
        self.gain = levels::factor(db);
    }

    /// Another country's tones, from the next one on.
    pub fn set_tones(&mut self, tones: &'static Country) {
        self.tones = tones;
    }

    /// The tone of a call's progress, in place of the one before.
    pub fn tone(&mut self, now: Instant, call: CallNo, tone: Tone) {
        let (pattern, until) = match tone {
            Tone::Silence => {
                self.sounding.retain(|other| other.call != Some(call));
                return;
            }
            Tone::Ringback => (self.tones.ringback, None),
            Tone::Busy => (self.tones.busy, Some(now + FAILURE_TONE)),
            Tone::Congestion => (self.tones.congestion, Some(now + FAILURE_TONE)),
        };
        if self.sounding.iter().any(|other| other.call == Some(call) && other.pattern == pattern) {
            return;
        }
        self.sounding.retain(|other| other.call != Some(call));
        self.add(Some(call), pattern, until, tone == Tone::Ringback);
    }

    /// A beep that ends by itself.
    pub fn beep(&mut self, pattern: Pattern) {
        self.add(None, pattern, None, false);
    }

    /// The beep of a second call that waits.
    pub fn call_waits(&mut self) {
        self.beep(self.tones.call_waiting);
    }

    fn add(&mut self, call: Option<CallNo>, pattern: Pattern, until: Option<Instant>, is_ringback: bool) {
        let generator = Generator::new(pattern, self.rate);
        self.sounding.push(Sounding { call, pattern, generator, until, is_ringback });
    }

    /// Lets the person hear the digits that are sent.
    pub fn side_tone(&mut self, digits: &str) {
        self.side_tone.push(digits);
    }

    /// A call's sound has ended: its ringback too, but not the tone that says why.
    pub fn close(&mut self, call: CallNo) {
        self.sounding.retain(|tone| tone.call != Some(call) || !tone.is_ringback);
    }

    /// Whether something sounds, or would if no RTP came.
    pub fn is_busy(&self) -> bool {
        !self.sounding.is_empty() || !self.side_tone.is_finished()
    }

    /// Begins a piece of `count` samples.
    pub fn begin(&mut self, count: usize) -> &mut [i32] {
        self.sum.clear();
        self.sum.resize(count, 0);
        &mut self.sum
    }

    /// Adds the tones to the piece and gives it. `rtp_flows` says whether a call's RTP came lately.
    pub fn finish(&mut self, now: Instant, rtp_flows: impl Fn(CallNo) -> bool) -> &mut Vec<i16> {
        self.scratch.clear();
        self.scratch.resize(self.sum.len(), 0);
        for tone in &mut self.sounding {
            if tone.is_ringback && tone.call.is_some_and(&rtp_flows) {
                tone.generator = Generator::new(tone.pattern, self.rate);
                continue;
            }
            if tone.until.is_some_and(|until| until <= now) {
                tone.generator.stop();
            }
            tone.generator.fill(&mut self.scratch);
            mixing::accumulate(&mut self.sum, &self.scratch);
        }
        self.sounding.retain(|tone| !tone.generator.is_finished());
        if !self.side_tone.is_finished() {
            self.side_tone.fill(&mut self.scratch);
            mixing::accumulate(&mut self.sum, &self.scratch);
            while self.side_tone.poll_sent().is_some() {}
        }
        for (sample, &sum) in self.scratch.iter_mut().zip(&self.sum) {
            *sample = mixing::soft_clip(sum);
        }
        levels::amplify(&mut self.scratch, self.gain);
        &mut self.scratch
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::media::goertzel;
    use crate::media::tones::countries::{self, EUROPE};

    const CALL: CallNo = CallNo(1);

    fn second(speaker: &mut Speaker, now: Instant, rtp: bool) -> f32 {
        speaker.begin(8000);
        goertzel::level(speaker.finish(now, |_| rtp), 425.0, 8000)
    }

    #[test]
    fn ringback_gives_way_to_rtp_and_comes_back() {
        let start = Instant::now();
        let mut speaker = Speaker::new(8000, EUROPE);
        speaker.tone(start, CALL, Tone::Ringback);
        assert!(second(&mut speaker, start, false) > -25.0);
        assert!(second(&mut speaker, start, true) < -90.0);
        assert!(second(&mut speaker, start, false) > -25.0);
        speaker.close(CALL);
        assert!(!speaker.is_busy());
    }

    #[test]
    fn busy_outlives_its_call_and_ends_by_itself() {
        let start = Instant::now();
        let mut speaker = Speaker::new(8000, EUROPE);
        speaker.tone(start, CALL, Tone::Ringback);
        speaker.tone(start, CALL, Tone::Busy);
        speaker.close(CALL);
        assert!(second(&mut speaker, start + Duration::from_secs(3), false) > -30.0);
        second(&mut speaker, start + Duration::from_secs(4), false);
        assert!(!speaker.is_busy());
    }

    #[test]
    fn a_tone_that_sounds_already_does_not_begin_again() {
        let start = Instant::now();
        let mut speaker = Speaker::new(8000, EUROPE);
        speaker.tone(start, CALL, Tone::Ringback);
        second(&mut speaker, start, false);
        speaker.tone(start, CALL, Tone::Ringback);
        assert!(second(&mut speaker, start, false) < -90.0, "in its pause");
        speaker.tone(start, CALL, Tone::Silence);
        assert!(!speaker.is_busy());
    }

    #[test]
    fn digits_are_heard_and_gain_counts() {
        let start = Instant::now();
        let mut speaker = Speaker::new(8000, EUROPE);
        speaker.side_tone("5");
        speaker.begin(1280);
        let loud = levels::rms_dbfs(speaker.finish(start, |_| false));
        speaker.begin(8000);
        speaker.finish(start, |_| false);
        assert!(!speaker.is_busy());
        speaker.set_gain(-20.0);
        speaker.side_tone("5");
        speaker.begin(1280);
        let quiet = levels::rms_dbfs(speaker.finish(start, |_| false));
        assert!((loud - quiet - 20.0).abs() < 0.5, "{loud} {quiet}");
    }

    #[test]
    fn each_country_has_its_own() {
        let start = Instant::now();
        let mut speaker = Speaker::new(8000, countries::of("us").unwrap());
        speaker.tone(start, CALL, Tone::Busy);
        speaker.begin(4000);
        let heard = speaker.finish(start, |_| false).clone();
        assert!(goertzel::level(&heard, 480.0, 8000) > -25.0 && goertzel::level(&heard, 620.0, 8000) > -25.0);
        assert!(goertzel::level(&heard, 425.0, 8000) < -40.0);
    }
}
