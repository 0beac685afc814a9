//! Settings that change while the phone runs, as the UI's panel and the word `set` ask for. The file is not touched here.

use crate::config::keys::{Given, Key};
use crate::config::settings::{self, Takes};
use crate::config::{Config, audio, calls, nearest, resolve};
use crate::media::processing::Step;

use super::actor::Actor;
use super::command::DeviceRole;
use super::media_thread::Order;
use super::perform::{Outcome, refused};
use super::{Refused, Reply};

impl Actor {
    /// Takes over another value; one that only a start takes over is refused, and so is one that is no value.
    pub(super) fn set(&mut self, name: &str, value: &str) -> Outcome {
        let setting = settings::named(name).ok_or_else(|| unknown(name))?;
        if setting.takes == Takes::NextStart || setting.section == "ui" {
            return Err(refused(format!("{name} takes effect when the phone starts: write it into the file")));
        }
        setting.parse(value).map_err(|problem| refused(format!("{name}: {problem}")))?;
        let mut config = self.settings.clone();
        match setting.section {
            "calls" => change(&mut config.calls, calls::KEYS, setting.key, value)?,
            _ => change(&mut config.audio, audio::KEYS, setting.key, value)?,
        }
        let device = match (setting.section, setting.key) {
            ("audio", "input") => Some(DeviceRole::Input),
            ("audio", "output") => Some(DeviceRole::Output),
            ("audio", "ring") => Some(DeviceRole::Ring),
            _ => None,
        };
        if let Some(role) = device {
            self.desk.set_device(role, value.trim().to_owned());
        }
        let processing = config.audio.processing;
        let switched = match (setting.section, setting.key) {
            ("audio", "echo_cancellation") => Some((Step::Echo, processing.echo)),
            ("audio", "noise_suppression") => Some((Step::Noise, processing.noise)),
            ("audio", "auto_gain") => Some((Step::Gain, processing.gain)),
            _ => None,
        };
        if let Some((step, switch)) = switched {
            self.desk.switch_processing(step, switch);
        }
        self.take_over(config);
        Ok(Reply::Done)
    }

    fn take_over(&mut self, config: Config) {
        // Whether strangers may call depends on the accounts, which stay.
        let direct_calls = self.core_config.direct_calls;
        let accounts = std::mem::take(&mut self.core_config.accounts);
        let policy = crate::ua::Config { direct_calls, ..resolve::policy(&config) };
        self.core.set_policy(policy.clone());
        self.core_config = crate::ua::Config { accounts, ..policy };
        self.services.dnd_code = config.calls.dnd;
        self.desk.hold_music = config.calls.hold_music.clone();
        if config.audio != self.settings.audio {
            self.sound.order(Order::Habits(Box::new(config.audio.clone())));
        }
        self.calls_config = config.calls.clone();
        self.settings = config;
    }
}

/// What of a configuration can change.
pub(super) fn of(config: &Config) -> Config {
    Config { accounts: Vec::new(), exchange: Default::default(), ..config.clone() }
}

fn change<T>(target: &mut T, keys: &[Key<T>], name: &str, value: &str) -> Result<(), Refused> {
    match keys.iter().find(|key| key.name == name) {
        Some(key) => key.set(target, Given::Text(value)).map_err(refused),
        None => Err(unknown(name)),
    }
}

fn unknown(name: &str) -> Refused {
    let names: Vec<String> = settings::all().iter().map(settings::Setting::name).collect();
    let hint = nearest(name, names.iter().map(String::as_str)).map(|near| format!(" (did you mean '{near}'?)"));
    refused(format!("there is no setting '{name}'{}", hint.unwrap_or_default()))
}
