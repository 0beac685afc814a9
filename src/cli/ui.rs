//! `offhook` and `offhook demo`: the terminal UI.

use std::io::IsTerminal;
use std::path::PathBuf;

use etcetera::BaseStrategy;

use crate::app::text;
use crate::config::{Config, instance};
use crate::phone::PhoneHandle;
use crate::tui;

use super::exit::{Exit, Failure};

/// Runs the UI on a phone of its own until the person leaves.
/// `file`: where the settings are, for the list that changes them.
pub async fn run(config: Config, file: Option<PathBuf>) -> Result<Exit, Failure> {
    let options = options(&config, file);
    run_with(config, options).await
}

/// The same for the demo, whose numbers nobody knows yet.
pub async fn run_demo(config: Config, file: Option<PathBuf>) -> Result<Exit, Failure> {
    let options = tui::Options { hint: Some(text::DEMO_NUMBERS), ..options(&config, file) };
    run_with(config, options).await
}

async fn run_with(mut config: Config, options: tui::Options) -> Result<Exit, Failure> {
    if !has_screen() {
        return Err(Failure::new(Exit::Usage, "the UI needs a terminal; scripts use offhook run, call or answer"));
    }
    config.sip.instance = instance::of_this_phone();
    let phone = PhoneHandle::start_traced(config)?;
    left(tui::run(phone, options).await)
}

/// What the person has chosen about the UI. `file`: where the settings are.
pub fn options(config: &Config, file: Option<PathBuf>) -> tui::Options {
    tui::Options { history: history(), file, ..tui::Options::new(&config.ui) }
}

/// What the end of the UI means for the process.
pub fn left(how: anyhow::Result<tui::Left>) -> Result<Exit, Failure> {
    match how {
        Ok(tui::Left::ByPerson) => Ok(Exit::Done),
        Ok(tui::Left::BySignal) => Ok(Exit::Interrupted),
        Err(error) => Err(Failure::new(Exit::Internal, format!("{error:#}"))),
    }
}

/// Whether the UI can be drawn: on a terminal that knows more than lines.
pub fn has_screen() -> bool {
    let is_dumb = std::env::var_os("TERM").is_some_and(|term| term == "dumb");
    std::io::stdin().is_terminal() && std::io::stdout().is_terminal() && !is_dumb
}

/// Where dialled targets are kept: `~/.local/state/offhook/history`.
fn history() -> Option<PathBuf> {
    let strategy = etcetera::choose_base_strategy().ok()?;
    let folder = strategy.state_dir().unwrap_or_else(|| strategy.data_dir());
    Some(folder.join("offhook").join("history"))
}
