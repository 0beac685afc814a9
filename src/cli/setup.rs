//! The first start, and `offhook setup`: the wizard, which writes the configuration.

use std::path::PathBuf;

use crate::app::wizard::Leave;
use crate::config::load::named_path;
use crate::config::{self, Config, Environment, Overrides};
use crate::tui;

use super::exit::{Exit, Failure};
use super::ui;

/// Where the file is, or would be.
pub fn path(flags: &Overrides, environment: &Environment) -> Option<PathBuf> {
    named_path(flags, environment).or_else(config::default_path)
}

/// What `offhook setup` starts from: what the file says, where there is one.
pub fn config(flags: &Overrides, environment: &Environment) -> Result<Config, Failure> {
    let is_there = path(flags, environment).is_some_and(|path| path.exists());
    // One that was named and is not there yet is to be written.
    let unnamed = Overrides { config: None, ..flags.clone() };
    match is_there {
        true => Ok(config::load(flags, environment)?.config),
        false if named_path(flags, environment).is_some() => Ok(Config { audio: audio(&unnamed), ..Config::default() }),
        false => Ok(config::load(flags, environment)?.config),
    }
}

fn audio(flags: &Overrides) -> config::Audio {
    let audio = config::Audio::default();
    let or = |flag: &Option<String>, default: String| flag.clone().unwrap_or(default);
    config::Audio { input: or(&flags.input, audio.input), output: or(&flags.output, audio.output), ..audio }
}

/// Runs the wizard until the person leaves it.
pub async fn run(config: Config, path: Option<PathBuf>) -> Result<Leave, Failure> {
    if !ui::has_screen() {
        let why = "the set-up needs a terminal; offhook config init writes a file to fill in";
        return Err(Failure::new(Exit::Usage, why));
    }
    let path =
        path.ok_or_else(|| Failure::new(Exit::Usage, "there is no home folder: say where with --config FILE"))?;
    let options = tui::Options::new(&config.ui);
    tui::wizard::run(config, path, options).await.map_err(|error| Failure::new(Exit::Internal, format!("{error:#}")))
}
