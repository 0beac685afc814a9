//! The first minutes: a few questions in place of a file that has to be written by hand. Without I/O, as [`super::App`] is:
//! [`Wizard::update`] takes what happened and gives what is to be done.
//!
//! - `act.rs`: what its keys do; `field.rs`: a line that is typed
//! - `address.rs`: what is wrong with an address while it is typed, and what may be meant
//! - `keys.rs`: the table of its keys
//! - `outcome.rs`: what came of the test call and of the registration, in words
//! - `words.rs`: every other word
//!
//! Every step can be skipped, every step but the first leads back, and nothing is written before the last one.

mod act;
pub mod address;
mod field;
pub mod keys;
pub mod outcome;
pub mod words;

use crate::config::Secret;
use crate::phone::command::DeviceRole;

use super::devices::{Device, Heard, Picker, Tone};
use super::keymap::Key;
use super::layout;

use address::{Address, Hints, Verdict};
use outcome::{Called, Tried};

pub use field::Field;

/// Where the wizard is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// Who the person is, and where.
    Address,
    /// The password.
    Password,
    /// Microphone, speaker, ring.
    Sound,
    /// The test call.
    Call,
    /// Whether the PBX takes the account.
    Register,
    /// What will be written.
    Finish,
}

impl Step {
    /// All of them, in their order.
    pub const ALL: [Step; 6] = [Step::Address, Step::Password, Step::Sound, Step::Call, Step::Register, Step::Finish];
}

impl Step {
    fn is_asked(self, has_account: bool) -> bool {
        match self {
            Step::Password | Step::Register => has_account,
            Step::Address | Step::Sound | Step::Call | Step::Finish => true,
        }
    }
}

/// How the password is given.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Way {
    /// It is typed, and stands in the file.
    Typed,
    /// A command prints it.
    Command,
    /// The one in the file stays.
    Kept,
}

/// How far the test call is.
#[derive(Debug, Clone, PartialEq)]
pub enum CallStage {
    /// There was none.
    None,
    /// The exchange starts, the phone calls.
    Starting,
    /// It stands: levels in dBFS, and seconds since the answer.
    Talking { input: f32, output: f32, seconds: u64 },
    /// It is over.
    Over(Called),
}

/// How far the registration is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Trial {
    /// None was tried.
    None,
    /// It runs, for so many seconds.
    Running(u64),
    /// It is over.
    Over(Tried),
}

/// What the file will say. `Debug` shows no password: [`Secret`] sees to it.
#[derive(Debug, Clone, PartialEq)]
pub struct Draft {
    /// The account's address; `None`: no account.
    pub uri: Option<String>,
    /// Its password; `None`: what the file says stays.
    pub secret: Option<Secret>,
    /// The devices, of [`super::devices::ROLES`].
    pub devices: [String; 3],
}

/// What there is before.
#[derive(Debug, Clone, Default)]
pub struct Before {
    /// The file, as it is shown.
    pub path: String,
    /// Whether it exists.
    pub exists: bool,
    /// The first account's address.
    pub uri: Option<String>,
    /// Whether the file says where that account's password comes from.
    pub has_password: bool,
    /// The devices, of [`super::devices::ROLES`].
    pub devices: [String; 3],
    /// What helps to guess.
    pub hints: Hints,
}

/// What happened.
#[derive(Debug, Clone)]
pub enum Msg {
    /// A key was pressed.
    Key(Key),
    /// Text was pasted.
    Paste(String),
    /// The terminal has this many columns and rows.
    Resized(u16, u16),
    /// The devices that are there.
    Devices(Vec<Device>),
    /// How the chosen microphone goes.
    Heard(Heard),
    /// How the test sound goes.
    Tone(Tone),
    /// How far the test call is.
    Call(CallStage),
    /// How far the registration is.
    Trial(Trial),
    /// The file was written, or why not.
    Written(Result<(), String>),
    /// A signal, or the terminal is gone.
    Terminate,
}

/// What is to be done.
#[derive(Debug, Clone, PartialEq)]
pub enum Effect {
    /// Look for devices.
    List,
    /// Listen to this microphone; `None`: to none any more.
    Listen(Option<String>),
    /// Play the test sound of a role on a device.
    Play(DeviceRole, String),
    /// Stop it.
    Hush,
    /// Call the echo of an exchange on this machine, with these devices.
    Call([String; 3]),
    /// End that call, and say what came back.
    HangUp,
    /// End it without a word.
    DropCall,
    /// Try to register.
    Register(Draft),
    /// Stop trying.
    DropTrial,
    /// Write the file.
    Write(Draft),
    /// Leave.
    Leave(Leave),
    /// Give the terminal back and stop, as Ctrl-Z does.
    Suspend,
    /// Draw everything anew.
    Redraw,
}

/// How the wizard is left.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Leave {
    /// The file is written: on to the phone.
    Written,
    /// Nothing is written: on to the phone all the same.
    Unwritten,
    /// Out of the program.
    Quit,
}

/// Everything that the screen shows.
#[derive(Debug, Clone)]
pub struct Wizard {
    /// What there was before.
    pub before: Before,
    /// Columns and rows of the terminal.
    pub size: (u16, u16),
    /// Where it is.
    pub step: Step,
    /// The address as typed.
    pub address: Field,
    /// The password as typed.
    pub password: Field,
    /// The command that prints it, as typed.
    pub command: Field,
    /// Which of them counts.
    pub way: Way,
    /// The password shows.
    pub revealed: bool,
    /// The devices.
    pub picker: Picker,
    /// The test call.
    pub call: CallStage,
    /// The registration.
    pub trial: Trial,
    /// What is told until the next key: why something can't be.
    pub notice: Option<String>,
    /// The file is being written, or the wizard is being left.
    leaving: bool,
}

impl Wizard {
    /// At its first step.
    pub fn new(before: Before, size: (u16, u16)) -> Wizard {
        let [input, output, ring] = &before.devices;
        Wizard {
            size,
            step: Step::Address,
            address: Field::new(before.uri.as_deref().unwrap_or_default()),
            password: Field::default(),
            command: Field::default(),
            way: if before.has_password { Way::Kept } else { Way::Typed },
            revealed: false,
            picker: Picker::new(input, output, ring),
            call: CallStage::None,
            trial: Trial::None,
            notice: None,
            leaving: false,
            before,
        }
    }

    /// Takes what happened, and says what is to be done.
    pub fn update(&mut self, msg: Msg) -> Vec<Effect> {
        match msg {
            Msg::Key(_) | Msg::Paste(_) if self.leaving => Vec::new(),
            Msg::Key(key) => {
                self.notice = None;
                match keys::find(self, key) {
                    Some(binding) => self.act(binding.action, key),
                    None => Vec::new(),
                }
            }
            Msg::Paste(text) => {
                let first = text.lines().map(str::trim).find(|line| !line.is_empty()).unwrap_or_default();
                if let Some(field) = self.field_mut() {
                    field.insert(&layout::clean(first));
                    self.changed();
                }
                Vec::new()
            }
            Msg::Resized(columns, rows) => {
                self.size = (columns, rows);
                Vec::new()
            }
            Msg::Devices(devices) => {
                self.picker.found(devices);
                Vec::new()
            }
            Msg::Heard(heard) => {
                self.picker.heard = heard;
                Vec::new()
            }
            Msg::Tone(tone) => {
                self.picker.tone = Some(tone);
                Vec::new()
            }
            Msg::Call(stage) => {
                if self.step == Step::Call && self.call != CallStage::None {
                    self.call = stage;
                }
                Vec::new()
            }
            Msg::Trial(trial) => {
                if self.step == Step::Register && self.trial != Trial::None {
                    self.trial = trial;
                }
                Vec::new()
            }
            Msg::Written(Ok(())) => vec![Effect::Leave(Leave::Written)],
            Msg::Written(Err(why)) => {
                self.leaving = false;
                self.notice = Some(words::not_written(&self.before.path, &why));
                Vec::new()
            }
            Msg::Terminate => vec![Effect::Leave(Leave::Quit)],
        }
    }

    /// Whether levels move, so that ten ticks a second are wanted.
    pub fn wants_ticks(&self) -> bool {
        match self.step {
            Step::Sound => true,
            Step::Call => matches!(self.call, CallStage::Starting | CallStage::Talking { .. }),
            Step::Register => matches!(self.trial, Trial::Running(_)),
            Step::Address | Step::Password | Step::Finish => false,
        }
    }

    /// The address, if what was typed is one.
    pub fn account(&self) -> Option<Address> {
        match self.verdict() {
            Verdict::Good(address) => Some(address),
            Verdict::Empty | Verdict::Partial(_) | Verdict::Bad(_) => None,
        }
    }

    /// What is to be said of the address.
    pub fn verdict(&self) -> Verdict {
        address::check(self.address.text())
    }

    /// What may be meant by it.
    pub fn suggestions(&self) -> Vec<String> {
        match self.step {
            Step::Address => address::suggestions(self.address.text(), &self.before.hints),
            Step::Password | Step::Sound | Step::Call | Step::Register | Step::Finish => Vec::new(),
        }
    }

    /// The steps that are gone through, as far as is known: without an account some have nothing to ask.
    pub fn steps(&self) -> Vec<Step> {
        // As long as it is asked there may be one.
        let has_account = self.step == Step::Address || self.account().is_some();
        Step::ALL.into_iter().filter(|step| step.is_asked(has_account)).collect()
    }

    /// What the file will say.
    pub fn draft(&self) -> Draft {
        let account = self.account();
        let secret = match (&account, self.way) {
            (None, _) | (Some(_), Way::Kept) => None,
            (Some(_), Way::Typed) => Some(match self.password.text() {
                "" => Secret::None,
                typed => Secret::Plain(typed.to_owned()),
            }),
            (Some(_), Way::Command) => Some(match self.command.text().trim() {
                "" => Secret::None,
                typed => Secret::Command(typed.to_owned()),
            }),
        };
        let devices = super::devices::ROLES.map(|role| self.picker.cursor(role).to_owned());
        Draft { uri: account.map(|account| account.uri), secret, devices }
    }

    /// Whether a password is typed that can be shown.
    fn can_reveal(&self) -> bool {
        self.way == Way::Typed && !self.password.text().is_empty()
    }

    /// Whether the role has a sound to try.
    fn can_play(&self) -> bool {
        self.picker.role != DeviceRole::Input
    }

    /// Whether characters are text here.
    fn takes_text(&self) -> bool {
        self.field().is_some()
    }

    /// The field that is typed in.
    pub fn field(&self) -> Option<&Field> {
        match (self.step, self.way) {
            (Step::Address, _) => Some(&self.address),
            (Step::Password, Way::Typed) => Some(&self.password),
            (Step::Password, Way::Command) => Some(&self.command),
            (Step::Password, Way::Kept) | (Step::Sound | Step::Call | Step::Register | Step::Finish, _) => None,
        }
    }

    fn field_mut(&mut self) -> Option<&mut Field> {
        match (self.step, self.way) {
            (Step::Address, _) => Some(&mut self.address),
            (Step::Password, Way::Typed) => Some(&mut self.password),
            (Step::Password, Way::Command) => Some(&mut self.command),
            (Step::Password, Way::Kept) | (Step::Sound | Step::Call | Step::Register | Step::Finish, _) => None,
        }
    }
}

#[cfg(test)]
pub(crate) mod tests;
