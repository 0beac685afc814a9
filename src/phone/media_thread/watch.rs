//! What a person should know of the sound while they talk: that nobody hears them, that they are too loud, that the speaker
//! has gaps.

use std::time::{Duration, Instant};

use crate::media::levels;
use crate::phone::audio_warning::AudioWarning;

/// A microphone below this, in dBFS, is as good as none.
const SILENT_DBFS: f32 = -70.0;
/// For so long, before it is told.
const SILENT_FOR: Duration = Duration::from_secs(5);
/// A sample from here on is at the end of the scale.
const FULL_SCALE: i16 = 32_700;
/// Samples at the end of the scale in a second, of a thousand, that are too many.
const CLIPPED_PERMILLE: usize = 5;
/// Times in [`WINDOW`] that the speaker ran dry while it played a call, that are too many.
const TOO_DRY: u64 = 5;
/// Over which clipping and gaps are counted.
const WINDOW: Duration = Duration::from_secs(5);

/// A warning begins or ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Change {
    pub warning: AudioWarning,
    pub active: bool,
}

/// Watches the microphone while it is open in a call.
#[derive(Debug)]
pub struct MicrophoneWatch {
    /// Since when it gives nothing.
    silent_since: Option<Instant>,
    silent: bool,
    began: Instant,
    samples: usize,
    clipped: usize,
    clipping: bool,
}

impl MicrophoneWatch {
    pub fn new(now: Instant) -> MicrophoneWatch {
        MicrophoneWatch { silent_since: None, silent: false, began: now, samples: 0, clipped: 0, clipping: false }
    }

    /// The microphone is not wanted now, or is another one.
    pub fn rest(&mut self, now: Instant) {
        *self = MicrophoneWatch { silent: self.silent, clipping: self.clipping, ..MicrophoneWatch::new(now) };
    }

    /// No call is left: what was told is over.
    pub fn end(&mut self, now: Instant) -> [Option<Change>; 2] {
        let told = [(self.silent, AudioWarning::SilentMicrophone), (self.clipping, AudioWarning::Clipping)];
        *self = MicrophoneWatch::new(now);
        told.map(|(told, warning)| told.then_some(Change { warning, active: false }))
    }

    /// What it gave, before gain and mute. Gives what is to be told.
    pub fn heard(&mut self, now: Instant, samples: &[i16]) -> Option<Change> {
        self.count_clipped(samples);
        self.check_silence(now, samples).or_else(|| self.check_clipping(now))
    }

    fn check_silence(&mut self, now: Instant, samples: &[i16]) -> Option<Change> {
        if levels::rms_dbfs(samples) > SILENT_DBFS {
            self.silent_since = None;
            let told = std::mem::take(&mut self.silent);
            return told.then_some(Change { warning: AudioWarning::SilentMicrophone, active: false });
        }
        let since = *self.silent_since.get_or_insert(now);
        if self.silent || now.saturating_duration_since(since) < SILENT_FOR {
            return None;
        }
        self.silent = true;
        Some(Change { warning: AudioWarning::SilentMicrophone, active: true })
    }

    fn count_clipped(&mut self, samples: &[i16]) {
        self.samples += samples.len();
        self.clipped += samples.iter().filter(|sample| sample.saturating_abs() >= FULL_SCALE).count();
    }

    fn check_clipping(&mut self, now: Instant) -> Option<Change> {
        let is_much = self.clipped * 1000 > self.samples * CLIPPED_PERMILLE;
        // Told after a second of it, taken back after a whole window without.
        let span = if is_much && !self.clipping { Duration::from_secs(1) } else { WINDOW };
        if now.saturating_duration_since(self.began) < span {
            return None;
        }
        (self.began, self.samples, self.clipped) = (now, 0, 0);
        if is_much == self.clipping {
            return None;
        }
        self.clipping = is_much;
        Some(Change { warning: AudioWarning::Clipping, active: is_much })
    }
}

/// Watches whether the speaker gets enough while it plays a call.
#[derive(Debug)]
pub struct SpeakerWatch {
    began: Instant,
    /// How often it had run dry when the window began, but for when it played no call; and at the last look.
    then: u64,
    last: u64,
    dry: bool,
}

impl SpeakerWatch {
    pub fn new(now: Instant) -> SpeakerWatch {
        SpeakerWatch { began: now, then: 0, last: 0, dry: false }
    }

    /// No call is left: what was told is over.
    pub fn end(&mut self) -> Option<Change> {
        std::mem::take(&mut self.dry).then_some(Change { warning: AudioWarning::SpeakerDry, active: false })
    }

    /// It plays no call now, or is another one, which has run dry so many times: that does not count. The window goes on, for
    /// packets that come in bursts leave such moments between them.
    pub fn rest(&mut self, times: u64) {
        self.then = if times < self.last { times } else { self.then + (times - self.last) };
        self.last = times;
    }

    /// It plays a call, and has run dry so many times since it was opened. Gives what is to be told.
    pub fn plays(&mut self, now: Instant, times: u64) -> Option<Change> {
        self.last = times;
        let is_much = times.saturating_sub(self.then) >= TOO_DRY;
        let is_over = now.saturating_duration_since(self.began) >= WINDOW;
        if !is_over && (!is_much || self.dry) {
            return None;
        }
        (self.began, self.then) = (now, times);
        if is_much == self.dry {
            return None;
        }
        self.dry = is_much;
        Some(Change { warning: AudioWarning::SpeakerDry, active: is_much })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TICK: Duration = Duration::from_millis(20);

    fn listen(watch: &mut MicrophoneWatch, now: &mut Instant, samples: &[i16], seconds: u32) -> Vec<(u128, Change)> {
        let start = *now;
        let mut told = Vec::new();
        for _ in 0..seconds * 50 {
            *now += TICK;
            told.extend(watch.heard(*now, samples).map(|change| ((*now - start).as_millis() / 1000, change)));
        }
        told
    }

    #[test]
    fn a_silent_microphone_is_told_once_and_taken_back() {
        let mut now = Instant::now();
        let mut watch = MicrophoneWatch::new(now);
        let silent = |active| Change { warning: AudioWarning::SilentMicrophone, active };
        assert_eq!(listen(&mut watch, &mut now, &[500; 160], 20), []);
        assert_eq!(listen(&mut watch, &mut now, &[2; 160], 20), [(5, silent(true))]);
        assert_eq!(listen(&mut watch, &mut now, &[500; 160], 20), [(0, silent(false))]);
        assert_eq!(listen(&mut watch, &mut now, &[0; 160], 4), []);
        watch.rest(now);
        assert_eq!(listen(&mut watch, &mut now, &[0; 160], 4), [], "muted meanwhile");
        assert_eq!(watch.end(now), [None, None]);
        assert_eq!(listen(&mut watch, &mut now, &[0; 160], 6), [(5, silent(true))]);
        assert_eq!(watch.end(now), [Some(silent(false)), None], "the call is over");
        assert_eq!(watch.end(now), [None, None]);
    }

    #[test]
    fn clipping_is_told_and_one_peak_is_not() {
        let mut now = Instant::now();
        let mut watch = MicrophoneWatch::new(now);
        let clipping = |active| Change { warning: AudioWarning::Clipping, active };
        let mut shout = [20_000i16; 160];
        shout[..8].fill(i16::MIN);
        assert_eq!(listen(&mut watch, &mut now, &shout, 20).first(), Some(&(1, clipping(true))));
        let over = listen(&mut watch, &mut now, &[500; 160], 20);
        assert_eq!(over.len(), 1);
        assert_eq!(over[0].1, clipping(false));
        watch.rest(now);
        now += TICK;
        assert_eq!(watch.heard(now, &shout), None);
        assert_eq!(listen(&mut watch, &mut now, &[500; 160], 20), []);
    }

    #[test]
    fn a_speaker_that_runs_dry_often_is_told() {
        let start = Instant::now();
        let at = |seconds| start + Duration::from_secs(seconds);
        let mut watch = SpeakerWatch::new(start);
        let dry = |active| Some(Change { warning: AudioWarning::SpeakerDry, active });
        watch.rest(7);
        assert_eq!(watch.plays(at(1), 9), None);
        assert_eq!(watch.plays(at(6), 11), None, "four times in six seconds");
        assert_eq!(watch.plays(at(8), 16), dry(true));
        assert_eq!(watch.plays(at(13), 30), None, "still");
        assert_eq!(watch.plays(at(18), 30), dry(false));
        assert_eq!(watch.end(), None);
        assert_eq!(watch.plays(at(19), 40), dry(true));
        assert_eq!((watch.end(), watch.end()), (dry(false), None), "the call is over");
    }

    #[test]
    fn packets_that_come_in_bursts_do_not_keep_a_warning_up() {
        let start = Instant::now();
        let mut watch = SpeakerWatch::new(start);
        let mut told = Vec::new();
        for n in 0..600u32 {
            // It runs dry in the first second, and whenever no call plays.
            let times = u64::from(n.min(50)) + u64::from(n / 4);
            match n % 4 {
                0 => watch.rest(times),
                _ => told.extend(watch.plays(start + TICK * n, times).map(|change| change.active)),
            }
        }
        assert_eq!(told, [true, false]);
        // Another speaker begins at none.
        watch.rest(0);
        assert_eq!(watch.plays(start + TICK * 601, 3), None);
    }
}
