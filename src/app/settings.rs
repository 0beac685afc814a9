//! The settings of the file as a list: what each is for, its value, and changing it there and in the running phone.

use crate::config::edit::Value;
use crate::config::settings::{Setting, Shape, Takes, Use};
use crate::phone::Command;
use crate::phone::command::DeviceRole;

use super::line::{Line, Purpose};
use super::log::Level;
use super::trace::Step;
use super::{App, Effect, Screen, text};

/// What the list wants of the outside.
#[derive(Debug, Clone, PartialEq)]
pub enum Wish {
    /// Read the file.
    Read,
    /// Write a key; `was`: what the list shows, if it matters: something else in the file is not written over.
    Write {
        /// `section.key`.
        name: String,
        /// `None`: without the key.
        value: Option<Value>,
        /// The value that the list shows; `None`: whatever it is.
        was: Option<Option<String>>,
    },
}

/// What the outside tells.
#[derive(Debug, Clone, PartialEq)]
pub enum News {
    /// The file was read, or why not.
    Read(Result<Vec<Row>, String>),
    /// The key of this name was written, or why not.
    Written(String, Result<(), String>),
}

/// A setting and how it stands.
#[derive(Debug, Clone, PartialEq)]
pub struct Row {
    /// What it is.
    pub setting: Setting,
    /// What the file says.
    pub value: Option<String>,
    /// The variable or flag that wins over the file, if one does.
    pub overridden: Option<String>,
}

/// Which settings show.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Shown {
    /// Those that people change.
    #[default]
    Often,
    /// All of them.
    All,
}

/// The list.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Panel {
    /// The settings; `None`: they are being read.
    pub rows: Option<Result<Vec<Row>, String>>,
    /// Which show.
    pub shown: Shown,
    /// The chosen one's place among those that show.
    pub row: usize,
    /// What is looked for: all that have it show, and no others. Empty: nothing.
    pub query: String,
}

impl Row {
    /// Whether its name, its value or what it is for has a text, which is in lower case.
    fn has(&self, query: &str) -> bool {
        let texts = [Some(self.setting.name()), self.value.clone(), Some(self.setting.about.clone())];
        texts.into_iter().flatten().any(|text| text.to_lowercase().contains(query))
    }
}

impl Panel {
    /// Those that show.
    pub fn visible(&self) -> Vec<&Row> {
        let rows = self.rows.as_ref().and_then(|rows| rows.as_ref().ok());
        let query = self.query.to_lowercase();
        let shows = |row: &&Row| match query.is_empty() {
            true => self.shown == Shown::All || row.setting.usage == Use::Often,
            false => row.has(&query),
        };
        rows.into_iter().flatten().filter(shows).collect()
    }

    /// The chosen one.
    pub fn chosen(&self) -> Option<&Row> {
        self.visible().get(self.row).copied()
    }

    pub(super) fn step(&mut self, step: Step) {
        let last = self.visible().len().saturating_sub(1);
        self.row = match step {
            Step::Up(by) => self.row.saturating_sub(by),
            Step::Down(by) => self.row.saturating_add(by).min(last),
        };
    }
}

impl App {
    /// The list, if it is open.
    pub fn settings_panel(&self) -> Option<&Panel> {
        self.screens.iter().find_map(|screen| match screen {
            Screen::Settings(panel) => Some(panel),
            _ => None,
        })
    }

    fn settings_panel_mut(&mut self) -> Option<&mut Panel> {
        self.screens.iter_mut().find_map(|screen| match screen {
            Screen::Settings(panel) => Some(panel),
            _ => None,
        })
    }

    pub(super) fn open_settings(&mut self) -> Vec<Effect> {
        if self.settings_panel().is_some() {
            return Vec::new();
        }
        self.open(Screen::Settings(Panel::default()));
        vec![Effect::Settings(Wish::Read)]
    }

    /// The others too, or not any more; the chosen one stays chosen where it still shows.
    pub(super) fn other_settings(&mut self) -> Vec<Effect> {
        if let Some(panel) = self.settings_panel_mut() {
            let chosen = panel.chosen().map(|row| row.setting.name());
            panel.shown = match panel.shown {
                Shown::Often => Shown::All,
                Shown::All => Shown::Often,
            };
            let place = panel.visible().iter().position(|row| Some(row.setting.name()) == chosen);
            panel.row = place.unwrap_or(0);
        }
        Vec::new()
    }

    pub(super) fn find_setting(&mut self) -> Vec<Effect> {
        self.settings_with("");
        self.open(Screen::Line(Line::new(Purpose::Setting)))
    }

    /// Shows those that have a text; all as before for an empty one.
    pub(super) fn settings_with(&mut self, query: &str) {
        if let Some(panel) = self.settings_panel_mut() {
            query.clone_into(&mut panel.query);
            panel.row = 0;
        }
    }

    pub(super) fn step_settings(&mut self, step: Step) {
        if let Some(panel) = self.settings_panel_mut() {
            panel.step(step);
        }
    }

    pub(super) fn on_settings(&mut self, news: News) -> Vec<Effect> {
        match news {
            News::Read(rows) => {
                if let Some(panel) = self.settings_panel_mut() {
                    panel.rows = Some(rows);
                    panel.step(Step::Up(0));
                    panel.step(Step::Down(0));
                }
                Vec::new()
            }
            News::Written(name, Err(why)) => {
                self.say(Level::Error, &text::setting_refused(&name, &why));
                self.read_again()
            }
            News::Written(name, Ok(())) => {
                let Some(setting) = crate::config::settings::named(&name) else { return self.read_again() };
                self.say(Level::Good, &text::setting_written(&setting));
                self.read_again()
            }
        }
    }

    fn read_again(&self) -> Vec<Effect> {
        self.settings_panel().map(|_| Effect::Settings(Wish::Read)).into_iter().collect()
    }

    /// Another value for the chosen setting: the next word where there are a few, else a line to type it.
    pub(super) fn change_setting(&mut self) -> Vec<Effect> {
        let Some(row) = self.settings_panel().and_then(Panel::chosen).cloned() else { return Vec::new() };
        if let Some(role) = role_of(&row.setting.name()) {
            return self.open_devices(role);
        }
        let now = row.value.clone().or(row.setting.default.clone()).unwrap_or_default();
        match row.setting.words() {
            Some(words) => {
                let at = words.iter().position(|word| *word == now);
                let next = at.map_or(0, |at| (at + 1) % words.len());
                words.get(next).map(|word| self.write_setting(&row, word)).unwrap_or_default()
            }
            // What is there never shows: the new one is typed from its first letter.
            None if row.setting.shape == Shape::Secret => self.open(Screen::Line(Line::new(Purpose::Secret))),
            None => {
                let mut line = Line::new(Purpose::Value);
                line.insert(&now);
                self.open(Screen::Line(line))
            }
        }
    }

    /// What was typed as the chosen setting's value; it may be refused.
    pub(super) fn typed_setting(&mut self, typed: &str) -> Result<Vec<Effect>, String> {
        let Some(row) = self.settings_panel().and_then(Panel::chosen).cloned() else { return Ok(Vec::new()) };
        if typed.is_empty() && row.setting.shape == Shape::Secret {
            return Ok(Vec::new());
        }
        if typed.trim().is_empty() && row.setting.shape != Shape::List {
            return Ok(self.reset_setting());
        }
        row.setting.parse(typed)?;
        Ok(self.write_setting(&row, typed))
    }

    fn write_setting(&mut self, row: &Row, typed: &str) -> Vec<Effect> {
        match row.setting.parse(typed) {
            Ok(value) => self.wish_setting(row, Some(value), Some(typed)),
            Err(problem) => {
                self.say(Level::Error, &text::setting_refused(&row.setting.name(), &problem));
                Vec::new()
            }
        }
    }

    /// The default again: the key becomes a comment.
    pub(super) fn reset_setting(&mut self) -> Vec<Effect> {
        let Some(row) = self.settings_panel().and_then(Panel::chosen).cloned() else { return Vec::new() };
        if row.value.is_none() {
            return Vec::new();
        }
        let default = row.setting.default.clone();
        self.wish_setting(&row, None, default.as_deref())
    }

    /// Writes it, and where the phone takes it over at once, tells it too.
    fn wish_setting(&mut self, row: &Row, value: Option<Value>, now: Option<&str>) -> Vec<Effect> {
        let name = row.setting.name();
        let tell = match (row.setting.takes, now) {
            (Takes::Now | Takes::NextCall, Some(now)) if row.overridden.is_none() && row.setting.section != "ui" => {
                Some(Effect::Command(Command::Set { name: name.clone(), value: now.to_owned() }))
            }
            _ => None,
        };
        let write = Effect::Settings(Wish::Write { name, value, was: Some(row.value.clone()) });
        std::iter::once(write).chain(tell).collect()
    }
}

fn role_of(name: &str) -> Option<DeviceRole> {
    match name {
        "audio.input" => Some(DeviceRole::Input),
        "audio.output" => Some(DeviceRole::Output),
        "audio.ring" => Some(DeviceRole::Ring),
        _ => None,
    }
}
