//! `offhook attach`: the UI onto a phone that `run --socket` serves; without a terminal, its commands and events.

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
/// `file`: where the settings are.
pub async fn run(
    config: Config,
    path: PathBuf,
    style: Style,
    account: Option<String>,
    file: Option<PathBuf>,
) -> Result<Exit, Failure> {
    let phone = Remote::connect(&path).await?;
    if style == Style::Json || !ui::has_screen() {
        let signals = Signals::listen().map_err(|error| Failure::new(Exit::Internal, format!("signals: {error}")))?;
        return Ok(run::run_attached(phone, stdout(style)?, signals, account).await);
    }
    ui::left(tui::run_attached(phone, ui::options(&config, file)).await)
}
