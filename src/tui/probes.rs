//! Devices that are tried: the microphone that is listened to, the speaker that plays a test sound.

use crate::app::devices::{Heard, Tone};
use crate::audio::probe::{Probe, Probed, TestSound};
use crate::phone::command::DeviceRole;

/// Those that are tried now.
#[derive(Default)]
pub struct Probes {
    listens: Option<Probe>,
    plays: Option<(DeviceRole, Probe)>,
}

impl Probes {
    /// Listens to this microphone from now on, or to none.
    pub fn listen(&mut self, name: Option<&str>) {
        self.listens = name.map(Probe::listen);
    }

    /// Plays the test sound of a role.
    pub fn play(&mut self, role: DeviceRole, name: &str) {
        let sound = match role {
            DeviceRole::Ring => TestSound::Ring,
            DeviceRole::Input | DeviceRole::Output => TestSound::Notes,
        };
        self.plays = Some((role, Probe::play(name, sound)));
    }

    /// Ends it.
    pub fn hush(&mut self) {
        self.plays = None;
    }

    /// How the microphone goes.
    pub fn heard(&self) -> Option<Heard> {
        self.listens.as_ref().map(|probe| match probe.state() {
            Probed::Opening | Probed::Done => Heard::Opening,
            Probed::Running(db) => Heard::Level(db),
            Probed::Failed(why) => Heard::Failed(why),
        })
    }

    /// How the test sound goes.
    pub fn tone(&self) -> Option<Tone> {
        self.plays.as_ref().map(|(role, probe)| match probe.state() {
            Probed::Opening | Probed::Running(_) => Tone::Playing(*role),
            Probed::Done => Tone::Played(*role),
            Probed::Failed(why) => Tone::Failed(why),
        })
    }
}
