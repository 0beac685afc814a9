//! What its keys do: what is chosen, and from one step to another.

use super::super::devices::{Heard, Picker, Tone};
use super::super::keymap::Key;
use super::super::trace::Step as Move;
use super::address::Verdict;
use super::field::Field;
use super::keys::{self, Action};
use super::{CallStage, Effect, Leave, Step, Trial, Way, Wizard, words};
use crate::phone::command::DeviceRole;

impl Wizard {
    pub(super) fn act(&mut self, action: Action, key: Key) -> Vec<Effect> {
        match action {
            Action::Next => self.next(),
            Action::Skip => self.skip(),
            Action::Back => self.go(-1),
            Action::Leave => vec![Effect::Leave(Leave::Unwritten)],
            Action::Quit => vec![Effect::Leave(Leave::Quit)],
            Action::Complete => {
                if let Some(text) = self.suggestions().into_iter().next() {
                    self.address = Field::new(&text);
                    self.changed();
                }
                Vec::new()
            }
            Action::OtherWay => {
                self.way = match self.way {
                    Way::Typed => Way::Command,
                    Way::Command if self.before.has_password => Way::Kept,
                    Way::Command | Way::Kept => Way::Typed,
                };
                self.changed();
                Vec::new()
            }
            Action::Reveal => {
                self.revealed = !self.revealed;
                Vec::new()
            }
            Action::Edit => {
                if let Some(field) = self.field_mut() {
                    field.edit(key);
                }
                self.changed();
                Vec::new()
            }
            Action::Up => self.choose(Move::Up(1)),
            Action::Down => self.choose(Move::Down(1)),
            Action::NextRole => {
                self.picker.next_role(Move::Down(1));
                vec![Effect::Hush]
            }
            Action::Tone => {
                let role = self.picker.role;
                self.picker.tone = Some(Tone::Playing(role));
                vec![Effect::Play(role, self.picker.cursor(role).to_owned())]
            }
            Action::Call => {
                self.call = CallStage::Starting;
                vec![Effect::Call(self.draft().devices)]
            }
            Action::HangUp => vec![Effect::HangUp],
            Action::Try => {
                self.trial = Trial::Running(0);
                vec![Effect::Register(self.draft())]
            }
            Action::Suspend => vec![Effect::Suspend],
            Action::Redraw => vec![Effect::Redraw],
        }
    }

    /// What was tried with another account counts no more.
    pub(super) fn changed(&mut self) {
        self.trial = Trial::None;
    }

    fn next(&mut self) -> Vec<Effect> {
        match (self.step, self.verdict()) {
            (Step::Address, Verdict::Partial(missing)) => {
                self.notice = Some(words::still_missing(missing));
                Vec::new()
            }
            (Step::Address, Verdict::Bad(fault)) => {
                self.notice = Some(fault);
                Vec::new()
            }
            (Step::Finish, _) => {
                self.leaving = true;
                vec![Effect::Write(self.draft())]
            }
            (Step::Address | Step::Password | Step::Sound | Step::Call | Step::Register, _) => self.go(1),
        }
    }

    /// Goes on as if the step had not been asked.
    fn skip(&mut self) -> Vec<Effect> {
        match self.step {
            Step::Address => self.address = Field::default(),
            Step::Password => {
                (self.password, self.command) = (Field::default(), Field::default());
                self.way = if self.before.has_password { Way::Kept } else { Way::Typed };
            }
            Step::Sound => {
                let [input, output, ring] = &self.before.devices;
                let devices = Picker::new(input, output, ring);
                let found = std::mem::replace(&mut self.picker, devices);
                self.picker.take_devices(found);
            }
            Step::Call | Step::Register | Step::Finish => {}
        }
        self.changed();
        self.go(1)
    }

    fn choose(&mut self, step: Move) -> Vec<Effect> {
        if !self.picker.step(step) {
            return Vec::new();
        }
        let mut effects = vec![Effect::Hush];
        if self.picker.role == DeviceRole::Input {
            self.picker.heard = Heard::Opening;
            effects.push(self.listen());
        }
        effects
    }

    pub(super) fn listen(&self) -> Effect {
        Effect::Listen(Some(self.picker.cursor(DeviceRole::Input).to_owned()))
    }

    /// To another step: what the one that is left had begun is ended.
    fn go(&mut self, by: isize) -> Vec<Effect> {
        let has_account = self.account().is_some();
        let steps: Vec<Step> = Step::ALL.into_iter().filter(|step| step.is_asked(has_account)).collect();
        let at = steps.iter().position(|step| *step == self.step).unwrap_or(0);
        let to = at.saturating_add_signed(by).min(steps.len() - 1);
        let mut effects = match self.step {
            Step::Sound => vec![Effect::Listen(None), Effect::Hush],
            Step::Call if keys::in_call(self) => {
                self.call = CallStage::None;
                vec![Effect::DropCall]
            }
            Step::Register if matches!(self.trial, Trial::Running(_)) => {
                self.trial = Trial::None;
                vec![Effect::DropTrial]
            }
            Step::Address | Step::Password | Step::Call | Step::Register | Step::Finish => Vec::new(),
        };
        self.step = steps[to];
        self.revealed = false;
        if self.step == Step::Sound {
            self.picker.heard = Heard::Opening;
            self.picker.tone = None;
            if self.picker.is_searching() {
                effects.push(Effect::List);
            }
            effects.push(self.listen());
        }
        effects
    }
}
