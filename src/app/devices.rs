//! Which device speaks, which is heard, which rings: the list in which they are chosen, by the wizard and by the picker.

use crate::phone::command::DeviceRole;

use super::trace::Step;

/// The roles, in the order of the list.
pub const ROLES: [DeviceRole; 3] = [DeviceRole::Input, DeviceRole::Output, DeviceRole::Ring];

/// A device that is there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Device {
    /// As it is written into the file, such as `pulseaudio:alsa_input.usb`.
    pub name: String,
    /// What it is, for a person.
    pub label: String,
    /// It records.
    pub input: bool,
    /// It plays.
    pub output: bool,
    /// It is the default.
    pub default: bool,
}

/// Something that can be chosen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Choice {
    /// As it is written into the file.
    pub name: String,
    /// What kind of choice it is.
    pub kind: ChoiceKind,
}

/// What is chosen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ChoiceKind {
    /// What the system takes; named where it is known.
    Default(Option<String>),
    /// A device, by what it is called.
    Device(String),
    /// Nothing: silence.
    Null,
    /// What is configured and not among the devices: a file, a tone, something that is unplugged.
    Other,
}

/// How a test sound goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Tone {
    /// It is heard, or is about to be.
    Playing(DeviceRole),
    /// It was played.
    Played(DeviceRole),
    /// The device refused.
    Failed(String),
}

/// How the microphone that is tried goes.
#[derive(Debug, Clone, PartialEq)]
pub enum Heard {
    /// It opens.
    Opening,
    /// Its level in dBFS.
    Level(f32),
    /// It does not open, or was lost.
    Failed(String),
}

/// One role: what is in use, and where the keys are.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Slot {
    current: String,
    cursor: Option<String>,
}

/// The list.
#[derive(Debug, Clone, PartialEq)]
pub struct Picker {
    slots: [Slot; 3],
    /// The role that is chosen for.
    pub role: DeviceRole,
    /// What is there; `None`: it is being looked for.
    devices: Option<Vec<Device>>,
    /// The test sound.
    pub tone: Option<Tone>,
    /// The microphone under the cursor.
    pub heard: Heard,
}

impl Picker {
    /// With these in use.
    pub fn new(input: &str, output: &str, ring: &str) -> Picker {
        let slot = |name: &str| Slot { current: name.to_owned(), cursor: None };
        Picker {
            slots: [slot(input), slot(output), slot(ring)],
            role: DeviceRole::Input,
            devices: None,
            tone: None,
            heard: Heard::Opening,
        }
    }

    /// The devices have been found.
    pub fn found(&mut self, devices: Vec<Device>) {
        self.devices = Some(devices);
    }

    /// The devices that another list found.
    pub fn take_devices(&mut self, other: Picker) {
        self.devices = other.devices;
    }

    /// Whether they are still being looked for.
    pub fn is_searching(&self) -> bool {
        self.devices.is_none()
    }

    /// Whether there is no device at all for a role.
    pub fn has_none(&self, role: DeviceRole) -> bool {
        self.devices.as_ref().is_some_and(|devices| !devices.iter().any(|device| fits(device, role)))
    }

    /// What can be chosen for a role: the default first, nothing last.
    pub fn choices(&self, role: DeviceRole) -> Vec<Choice> {
        let fitting = || self.devices.iter().flatten().filter(|device| fits(device, role));
        let default = fitting().find(|device| device.default).map(|device| device.label.clone());
        let mut choices = vec![Choice { name: "default".into(), kind: ChoiceKind::Default(default) }];
        choices.extend(
            fitting()
                .map(|device| Choice { name: device.name.clone(), kind: ChoiceKind::Device(device.label.clone()) }),
        );
        choices.push(Choice { name: "null".into(), kind: ChoiceKind::Null });
        let current = self.current(role);
        if !choices.iter().any(|choice| choice.name == current) {
            choices.push(Choice { name: current.to_owned(), kind: ChoiceKind::Other });
        }
        choices
    }

    /// What is in use.
    pub fn current(&self, role: DeviceRole) -> &str {
        &self.slots[place(role)].current
    }

    /// Something else is in use now.
    pub fn set_current(&mut self, role: DeviceRole, name: &str) {
        self.slots[place(role)].current = name.to_owned();
    }

    /// The choice at which the keys are.
    pub fn cursor(&self, role: DeviceRole) -> &str {
        let slot = &self.slots[place(role)];
        slot.cursor.as_deref().unwrap_or(&slot.current)
    }

    /// Moves among the choices of the role; whether it came to another one.
    pub fn step(&mut self, step: Step) -> bool {
        let choices = self.choices(self.role);
        let cursor = self.cursor(self.role).to_owned();
        let at = choices.iter().position(|choice| choice.name == cursor).unwrap_or(0);
        let to = match step {
            Step::Up(by) => at.saturating_sub(by),
            Step::Down(by) => at.saturating_add(by).min(choices.len().saturating_sub(1)),
        };
        let Some(choice) = choices.get(to).filter(|_| to != at) else { return false };
        self.slots[place(self.role)].cursor = Some(choice.name.clone());
        self.tone = None;
        true
    }

    /// The next role, or the one before.
    pub fn next_role(&mut self, step: Step) {
        let at = place(self.role);
        let to = match step {
            Step::Up(_) => (at + ROLES.len() - 1) % ROLES.len(),
            Step::Down(_) => (at + 1) % ROLES.len(),
        };
        self.role = ROLES[to];
        self.tone = None;
    }

    /// What a choice is called, for the row of its role.
    pub fn kind(&self, role: DeviceRole, name: &str) -> ChoiceKind {
        let choices = self.choices(role);
        choices.into_iter().find(|choice| choice.name == name).map_or(ChoiceKind::Other, |choice| choice.kind)
    }
}

/// The place of a role in [`ROLES`].
fn place(role: DeviceRole) -> usize {
    match role {
        DeviceRole::Input => 0,
        DeviceRole::Output => 1,
        DeviceRole::Ring => 2,
    }
}

fn fits(device: &Device, role: DeviceRole) -> bool {
    match role {
        DeviceRole::Input => device.input,
        DeviceRole::Output | DeviceRole::Ring => device.output,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn device(name: &str, input: bool) -> Device {
        Device { name: name.into(), label: name.to_uppercase(), input, output: !input, default: name == "mic" }
    }

    #[test]
    fn without_any_device_there_is_still_something_to_choose() {
        let mut picker = Picker::new("default", "default", "default");
        assert!(picker.is_searching() && !picker.has_none(DeviceRole::Input));
        picker.found(Vec::new());
        assert!(picker.has_none(DeviceRole::Ring));
        let names: Vec<String> = picker.choices(DeviceRole::Input).into_iter().map(|choice| choice.name).collect();
        assert_eq!(names, ["default", "null"]);
        assert!(picker.step(Step::Down(1)) && !picker.step(Step::Down(1)));
        assert_eq!(picker.cursor(DeviceRole::Input), "null");
        assert_eq!(picker.current(DeviceRole::Input), "default");
    }

    #[test]
    fn each_role_has_its_devices_and_what_is_configured() {
        let mut picker = Picker::new("tone:440", "spk", "gone");
        picker.found(vec![device("mic", true), device("spk", false)]);
        let names = |picker: &Picker, role| -> Vec<String> {
            picker.choices(role).into_iter().map(|choice| choice.name).collect()
        };
        assert_eq!(names(&picker, DeviceRole::Input), ["default", "mic", "null", "tone:440"]);
        assert_eq!(names(&picker, DeviceRole::Output), ["default", "spk", "null"]);
        assert_eq!(names(&picker, DeviceRole::Ring), ["default", "spk", "null", "gone"]);
        assert_eq!(picker.kind(DeviceRole::Input, "default"), ChoiceKind::Default(Some("MIC".into())));
        assert_eq!(picker.kind(DeviceRole::Ring, "gone"), ChoiceKind::Other);
        picker.next_role(Step::Up(1));
        assert_eq!(picker.role, DeviceRole::Ring);
        // It begins at what is in use.
        assert!(picker.step(Step::Up(1)));
        assert_eq!(picker.cursor(DeviceRole::Ring), "null");
    }
}
