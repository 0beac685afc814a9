//! `offhook attach`: the UI onto a phone that `run --socket` serves; without a terminal, its commands and events.

use std::io::IsTerminal as _;
use std::path::PathBuf;

use crate::config::Config;
use crate::remote::{self, Remote};
use crate::tui;

use super::exit::{Exit, Failure};
use super::out::Style;
use super::session::Signals;
use super::{run, stdout, ui};

/// The socket that is meant.
pub fn place(path: Option<PathBuf>) -> Result<PathBuf, Failure> {
    path.or_else(remote::default_path)
        .ok_or_else(|| Failure::new(Exit::Usage, "there is no home folder: say where the socket is"))
}

/// Attaches until the person leaves, a signal comes, or stdin ends; the phone goes on.
pub async fn run(config: Config, path: PathBuf, style: Style, account: Option<String>) -> Result<Exit, Failure> {
    let phone = Remote::connect(&path).await?;
    let is_for_person = std::io::stdin().is_terminal() && std::io::stdout().is_terminal();
    if style == Style::Json || !is_for_person {
        let signals = Signals::listen().map_err(|error| Failure::new(Exit::Internal, format!("signals: {error}")))?;
        return Ok(run::run_attached(phone, stdout(style)?, signals, account).await);
    }
    ui::left(tui::run_attached(phone, ui::options(&config)).await)
}
