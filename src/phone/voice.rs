//! What a person does with his own voice and with what is heard beside it: echo, noise and level; recordings; files that are
//! played.

use std::path::PathBuf;
use std::time::SystemTime;

use crate::media::processing::{Figures, Settings, Step, Switch};
use crate::ua::CallNo;

use super::Reply;
use super::actor::Actor;
use super::command::PlayAs;
use super::desk::Desk;
use super::event::Kind;
use super::lines::NoLine;
use super::media_thread::Order;
use super::perform::{Outcome, refused};

/// Characters of the other side's name in a file's name.
const NAME: usize = 40;

/// How it stands.
#[derive(Debug, Default)]
pub(super) struct Voice {
    /// What is wanted.
    pub(super) settings: Settings,
    /// What is done, as it was last told.
    pub(super) figures: Option<Figures>,
    /// Where recordings go that the person gives no name.
    pub(super) folder: Option<PathBuf>,
}

impl Actor {
    /// Plays a file into a call, or to all members of the conference that it is in.
    pub(super) fn play(&mut self, call: Option<CallNo>, path: PathBuf, how: PlayAs) -> Outcome {
        let file = path.display().to_string();
        for call in self.ears(call)? {
            self.sound.order(Order::Play { call, path: path.clone(), how });
            self.desk.playing(call, Some(file.clone()));
        }
        Ok(Reply::Done)
    }

    pub(super) fn stop_playing(&mut self, call: Option<CallNo>) -> Outcome {
        let calls = self.ears(call)?;
        if !calls.iter().any(|call| self.desk.lines.get(*call).is_some_and(|line| line.playing.is_some())) {
            return Err(refused("nothing is being played"));
        }
        for call in calls {
            self.sound.order(Order::StopPlaying { call });
        }
        Ok(Reply::Done)
    }

    /// Who hears what is said in a call that was not named: the conference is one ear.
    fn ears(&self, named: Option<CallNo>) -> Result<Vec<CallNo>, super::Refused> {
        let call = self.meant(named)?;
        let joined = named.is_none() && self.desk.lines.get(call).is_some_and(|line| line.conference);
        Ok(if joined { self.desk.lines.conference() } else { vec![call] })
    }

    pub(super) fn record(&mut self, call: Option<CallNo>, path: Option<PathBuf>) -> Outcome {
        let call = self.meant(call)?;
        let path = match path {
            Some(path) => path,
            None => self.new_file(call)?,
        };
        let Some(line) = self.desk.lines.get_mut(call) else { return Err(NoLine::NoSuchCall(call).into()) };
        // Told when it begins; known at once, so that it can be stopped, and for a call that has no sound yet.
        line.recording = Some(path.display().to_string());
        if line.sound_open {
            self.sound.order(Order::Record { call, path });
        }
        Ok(Reply::Done)
    }

    pub(super) fn stop_recording(&mut self, call: Option<CallNo>) -> Outcome {
        let call = self.meant(call)?;
        let lines = &self.desk.lines;
        let joined = lines.get(call).is_some_and(|line| line.conference);
        let is_recorded = |call: &CallNo| lines.get(*call).is_some_and(|line| line.recording.is_some());
        let recorded = is_recorded(&call) || joined && lines.conference().iter().any(is_recorded);
        if !recorded {
            return Err(refused(format!("call {call} is not being recorded")));
        }
        if let Some(line) = self.desk.lines.get_mut(call).filter(|line| !line.sound_open) {
            line.recording = None;
        }
        self.sound.order(Order::StopRecording { call });
        Ok(Reply::Done)
    }

    /// A file for a call, in the folder of recordings, which is made.
    fn new_file(&self, call: CallNo) -> Result<PathBuf, super::Refused> {
        let folder = self.desk.voice.folder.as_ref().ok_or_else(|| refused("into which file? record FILE"))?;
        super::keeping::files::make_folder(folder)
            .map_err(|error| refused(format!("can't make {}: {error}", folder.display())))?;
        let who = self.desk.lines.get(call).map_or("", |line| line.name.as_deref().unwrap_or(&line.call.peer));
        Ok(folder.join(file_name(SystemTime::now(), who)))
    }
}

/// The time, and who it is, as far as that can stand in a file's name.
fn file_name(time: SystemTime, who: &str) -> String {
    let time = humantime::format_rfc3339_seconds(time).to_string().replace(':', "-");
    let user = who.trim_start_matches("sips:").trim_start_matches("sip:").trim_start_matches("tel:");
    let user = user.split('@').next().unwrap_or_default();
    let plain = |c: char| if c.is_alphanumeric() || matches!(c, '-' | '_' | '+' | '.') { c } else { '_' };
    let user: String = user.chars().take(NAME).map(plain).collect();
    format!("{time}-{user}.wav")
}

impl Desk {
    /// Switches one step, and tells how all stand.
    pub(super) fn switch_processing(&mut self, step: Step, switch: Switch) {
        let settings = self.voice.settings.with(step, switch);
        self.order(Order::Processing(settings));
        if self.voice.settings != settings {
            self.voice.settings = settings;
            self.tell(Kind::Audio(settings));
        }
    }

    /// A call has sound now: the recording that was asked for before begins.
    pub(super) fn sound_opened(&mut self, call: CallNo) {
        let Some(line) = self.lines.get_mut(call) else { return };
        let was_open = std::mem::replace(&mut line.sound_open, true);
        if let (false, Some(file)) = (was_open, &line.recording) {
            let path = file.into();
            self.order(Order::Record { call, path });
        }
    }

    /// What is played into a call from now on; `None`: nothing.
    pub(super) fn playing(&mut self, call: CallNo, file: Option<String>) {
        let Some(line) = self.lines.get_mut(call) else { return };
        if line.playing == file {
            return;
        }
        line.playing.clone_from(&file);
        let call = line.call.clone();
        self.tell(Kind::Playing { call, file });
    }

    /// Into which file a call is recorded from now on; `None`: into none.
    pub(super) fn recorded(&mut self, call: CallNo, path: Option<PathBuf>) {
        let file = path.map(|path| path.display().to_string());
        let Some(line) = self.lines.get_mut(call) else { return };
        line.recording.clone_from(&file);
        let call = line.call.clone();
        self.tell(Kind::Recording { call, file });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn files_are_named_by_time_and_person() {
        let time = SystemTime::UNIX_EPOCH + Duration::from_secs(1_790_000_000);
        assert_eq!(file_name(time, "sip:bob@pbx.example.com"), "2026-09-21T14-13-20Z-bob.wav");
        assert_eq!(file_name(time, "../../Eve /etc"), "2026-09-21T14-13-20Z-.._.._Eve__etc.wav");
        assert!(file_name(time, &"x".repeat(500)).len() < 80);
    }
}
