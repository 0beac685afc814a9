//! Calls and conferences into files: stereo, us left, them right. A conference is recorded at the pace of our ticks, all its
//! members together on the right; when the member in whose call it began leaves, the file goes on in another one's.

use std::path::{Path, PathBuf};

use crate::audio::wav::Writer;
use crate::media::mixing;
use crate::media::processing::{FULL, WIDE};
use crate::ua::CallNo;

use super::Report;
use super::call::Voice;
use super::engine::Engine;

/// One side may be ahead of the other by this many milliseconds in a recording.
const SKEW_MS: u32 = 100;

/// A stereo file: us left, them right.
pub struct Recording {
    path: PathBuf,
    rate: u32,
    writer: Writer,
    us: Voice,
    them: Voice,
    frames: Vec<i16>,
}

impl Recording {
    /// For sound at `rates` Hz: 16 kHz, or 48 where a call has more.
    pub fn begin(path: PathBuf, rates: impl IntoIterator<Item = u32>) -> Recording {
        let rate = if rates.into_iter().any(|rate| rate > WIDE) { FULL } else { WIDE };
        let writer = Writer::create(path.clone(), 2, rate);
        Recording { path, rate, writer, us: Voice::default(), them: Voice::default(), frames: Vec::new() }
    }

    /// Hz of the file.
    pub fn rate(&self) -> u32 {
        self.rate
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    /// What we say.
    pub fn us(&mut self, rate: u32, samples: &[i16]) {
        self.us.push(samples, rate, self.rate, None);
        self.write();
    }

    /// What they say.
    pub fn them(&mut self, rate: u32, samples: &[i16]) {
        self.them.push(samples, rate, self.rate, None);
        self.write();
    }

    fn write(&mut self) {
        let (us, them) = (&mut self.us.waiting, &mut self.them.waiting);
        let skew = (self.rate * SKEW_MS / 1000) as usize;
        // A side from which nothing comes is silent.
        let most = us.len().max(them.len()).saturating_sub(skew);
        if us.len() < most {
            us.resize(most, 0);
        }
        if them.len() < most {
            them.resize(most, 0);
        }
        let both = us.len().min(them.len());
        if both == 0 {
            return;
        }
        self.frames.clear();
        self.frames.extend(us.drain(..both).zip(them.drain(..both)).flat_map(|(us, them)| [us, them]));
        self.writer.write(&self.frames);
    }

    pub fn failure(&self) -> Option<String> {
        self.writer.failure()
    }

    /// Finishes the file on its own thread.
    pub fn finish(self) -> Writer {
        let mut writer = self.writer;
        writer.close();
        writer
    }
}

impl Engine {
    /// Records a call from now on, in place of what it was recorded into before.
    pub(super) fn record(&mut self, call: CallNo, path: PathBuf) {
        let rates: Vec<u32> = match self.calls.get(&call).map(|open| open.member.is_some()) {
            None => return,
            Some(true) => self.calls.values().map(|call| call.session.sample_rate()).collect(),
            Some(false) => self.calls.get(&call).map(|open| open.session.sample_rate()).into_iter().collect(),
        };
        self.stop_recording(call);
        (self.opener.reports)(Report::Recording { call, path: Some(path.clone()) });
        if let Some(open) = self.calls.get_mut(&call) {
            open.recording = Some(Recording::begin(path, rates));
        }
    }

    /// Finishes the file of a call, or of the conference that it is in.
    pub(super) fn stop_recording(&mut self, call: CallNo) {
        let Some(recorded) = self.recorded(call) else { return };
        if let Some(recording) = self.calls.get_mut(&recorded).and_then(|open| open.recording.take()) {
            self.finishing.push(recording.finish());
            (self.opener.reports)(Report::Recording { call: recorded, path: None });
        }
    }

    /// The call whose file a call is recorded into.
    fn recorded(&self, call: CallNo) -> Option<CallNo> {
        let open = self.calls.get(&call)?;
        if open.recording.is_some() || open.member.is_none() {
            return Some(call);
        }
        self.calls.iter().find(|(_, other)| other.member.is_some() && other.recording.is_some()).map(|(no, _)| *no)
    }

    /// A call ends whose file is this: it goes on with the conference that it was in, or is finished.
    pub(super) fn leave_recording(&mut self, was_member: bool, recording: Recording) {
        let mut others = self.calls.iter_mut();
        match others.find(|(_, other)| was_member && other.member.is_some() && other.recording.is_none()) {
            Some((&call, other)) => {
                let path = Some(recording.path().to_owned());
                other.recording = Some(recording);
                (self.opener.reports)(Report::Recording { call, path });
            }
            None => self.finishing.push(recording.finish()),
        }
    }

    /// This tick of the conference into the files of its members.
    pub(super) fn record_conference(&mut self) {
        let Some((said_rate, said)) = self.said.iter().max_by_key(|(rate, _)| *rate) else { return };
        let mut next = self.calls.keys().next().copied();
        while let Some(number) = next {
            next = self.call_after(number);
            let recorded = self.calls.get(&number).filter(|call| call.member.is_some());
            let Some(rate) = recorded.and_then(|call| call.recording.as_ref()).map(Recording::rate) else { continue };
            self.sum.clear();
            self.sum.resize(said.len() * rate as usize / (*said_rate).max(1) as usize, 0);
            for member in self.calls.values().filter_map(|call| call.member.as_ref()) {
                member.add_to(rate, &mut self.sum);
            }
            self.mixed.clear();
            self.mixed.extend(self.sum.iter().map(|&sum| mixing::soft_clip(sum)));
            let Some(recording) = self.calls.get_mut(&number).and_then(|call| call.recording.as_mut()) else {
                continue;
            };
            recording.us(*said_rate, said);
            recording.them(rate, &self.mixed);
        }
    }

    /// A file that can't be written any more is told once.
    pub(super) fn check_recording(&mut self, number: CallNo) {
        let Some(call) = self.calls.get_mut(&number) else { return };
        if let Some(why) = call.recording.as_ref().and_then(Recording::failure) {
            call.recording = None;
            self.file_failed(number, why);
            (self.opener.reports)(Report::Recording { call: number, path: None });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::audio::wav;
    use std::time::{Duration, Instant};

    #[test]
    fn a_recording_has_us_left_and_them_right_and_silence_where_one_says_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("call.wav");
        let mut recording = Recording::begin(path.clone(), [8000]);
        for _ in 0..50 {
            recording.us(16_000, &[1000; 320]);
        }
        for _ in 0..50 {
            recording.us(16_000, &[1000; 320]);
            recording.them(16_000, &[-3000; 320]);
        }
        recording.finish().wait(Instant::now() + Duration::from_secs(10));
        // Loading averages both sides.
        let clip = wav::load(&path).unwrap();
        assert!(clip.samples.len() >= 2 * 16_000 - 1600, "{}", clip.samples.len());
        assert_eq!(clip.samples[0], 500);
        assert_eq!(clip.samples[20_000], -1000);
    }
}
