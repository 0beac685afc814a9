//! What is wrong with the sound of a device that works.

use serde::{Deserialize, Serialize};

/// What a person should do something about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AudioWarning {
    /// The microphone gives silence, or next to it, for 5 s, while it is open in a call.
    SilentMicrophone,
    /// The microphone is so loud that its peaks are cut off.
    Clipping,
    /// The speaker ran dry five times in 5 s: the machine, or the sound server, is too busy.
    SpeakerDry,
}

impl AudioWarning {
    /// What it is, and what to try.
    pub fn text(self) -> &'static str {
        match self {
            AudioWarning::SilentMicrophone => "the microphone is silent: is it switched off, or another one meant?",
            AudioWarning::Clipping => "the microphone is too loud: turn it down",
            AudioWarning::SpeakerDry => {
                "the speaker has gaps: the machine is busy (audio.latency = \"safe\" needs less)"
            }
        }
    }

    /// That it is over.
    pub fn over(self) -> &'static str {
        match self {
            AudioWarning::SilentMicrophone => "the microphone is heard again",
            AudioWarning::Clipping => "the microphone is not too loud any more",
            AudioWarning::SpeakerDry => "the speaker has no gaps any more",
        }
    }
}
