//! The picker: another device while the phone runs, for the call that is up and, if the person wants, for good.

use crate::phone::Command;
use crate::phone::command::DeviceRole;

use super::devices::{Device, Heard, Picker, Tone};
use super::log::Level;
use super::settings;
use super::trace::Step;
use super::{App, Effect, Screen, text};

/// What the picker wants of the outside.
#[derive(Debug, Clone, PartialEq)]
pub enum Wish {
    /// Look for devices.
    List,
    /// Listen to this microphone; `None`: to none any more.
    Listen(Option<String>),
    /// Play the test sound of a role on a device.
    Play(DeviceRole, String),
    /// Stop it.
    Hush,
}

/// What the outside tells.
#[derive(Debug, Clone, PartialEq)]
pub enum News {
    /// The devices that are there.
    Found(Vec<Device>),
    /// How the microphone goes.
    Heard(Heard),
    /// How the test sound goes.
    Tone(Tone),
}

/// How long a chosen device is to be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stays {
    /// Until the phone ends.
    Now,
    /// It is written into the file too.
    ForGood,
}

impl App {
    /// The picker, if it is open.
    pub fn picker(&self) -> Option<&Picker> {
        self.screens.iter().find_map(|screen| match screen {
            Screen::Devices(picker) => Some(picker),
            _ => None,
        })
    }

    fn picker_mut(&mut self) -> Option<&mut Picker> {
        self.screens.iter_mut().find_map(|screen| match screen {
            Screen::Devices(picker) => Some(picker),
            _ => None,
        })
    }

    /// Opens it at a role.
    pub(super) fn open_devices(&mut self, role: DeviceRole) -> Vec<Effect> {
        if self.picker().is_some() {
            return Vec::new();
        }
        let mut picker = Picker::new(&self.devices.input, &self.devices.output, &self.devices.ring);
        picker.role = role;
        let effects = vec![Effect::Devices(Wish::List), self.listen(&picker)];
        self.open(Screen::Devices(picker));
        effects
    }

    /// It was closed.
    pub(super) fn leave_devices(&self) -> Vec<Effect> {
        vec![Effect::Devices(Wish::Listen(None)), Effect::Devices(Wish::Hush)]
    }

    /// A call has its microphone open already: its level is shown, and no other one is opened.
    fn listen(&self, picker: &Picker) -> Effect {
        let name = picker.cursor(DeviceRole::Input);
        Effect::Devices(Wish::Listen(self.calls.is_empty().then(|| name.to_owned())))
    }

    pub(super) fn on_devices(&mut self, news: News) {
        let Some(picker) = self.picker_mut() else { return };
        match news {
            News::Found(devices) => picker.found(devices),
            News::Heard(heard) => picker.heard = heard,
            News::Tone(tone) => picker.tone = Some(tone),
        }
    }

    pub(super) fn choose_device(&mut self, step: Step) -> Vec<Effect> {
        let Some(picker) = self.picker_mut().filter(|picker| !picker.is_searching()) else { return Vec::new() };
        if !picker.step(step) {
            return Vec::new();
        }
        let mut effects = vec![Effect::Devices(Wish::Hush)];
        if picker.role == DeviceRole::Input {
            picker.heard = Heard::Opening;
            let picker = picker.clone();
            effects.push(self.listen(&picker));
        }
        effects
    }

    pub(super) fn next_device_role(&mut self) -> Vec<Effect> {
        if let Some(picker) = self.picker_mut() {
            picker.next_role(Step::Down(1));
        }
        vec![Effect::Devices(Wish::Hush)]
    }

    pub(super) fn test_sound(&mut self) -> Vec<Effect> {
        let Some(picker) = self.picker_mut() else { return Vec::new() };
        let role = picker.role;
        picker.tone = Some(Tone::Playing(role));
        vec![Effect::Devices(Wish::Play(role, picker.cursor(role).to_owned()))]
    }

    /// Takes the device under the cursor.
    pub(super) fn use_device(&mut self, stays: Stays) -> Vec<Effect> {
        let Some(picker) = self.picker_mut() else { return Vec::new() };
        let role = picker.role;
        let name = picker.cursor(role).to_owned();
        picker.set_current(role, &name);
        self.note_device(role, &name);
        let mut effects = vec![Effect::Command(Command::Device { role, name: name.clone() })];
        match stays {
            Stays::Now => self.say(Level::Good, &text::device_used(role, &name)),
            Stays::ForGood => {
                let key = match role {
                    DeviceRole::Input => "audio.input",
                    DeviceRole::Output => "audio.output",
                    DeviceRole::Ring => "audio.ring",
                };
                let value = Some(crate::config::edit::Value::Text(name));
                effects.push(Effect::Settings(settings::Wish::Write { name: key.into(), value, was: None }));
            }
        }
        effects
    }

    /// Another device is in use.
    pub(super) fn note_device(&mut self, role: DeviceRole, name: &str) {
        let slot = match role {
            DeviceRole::Input => &mut self.devices.input,
            DeviceRole::Output => &mut self.devices.output,
            DeviceRole::Ring => &mut self.devices.ring,
        };
        name.clone_into(slot);
    }
}
