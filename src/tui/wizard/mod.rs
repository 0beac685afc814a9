//! The wizard in the terminal: what happens goes into [`Wizard`], what it wants is done.
//!
//! - `files.rs`: what there is before, and what is written
//! - `call.rs`: the test call to an exchange on this machine
//! - `trial.rs`: the registration that is tried
//! - `job.rs`: threads that run beside, tell how they go, and end when they are let go

mod call;
mod files;
mod job;
mod trial;

use std::path::PathBuf;
use std::time::Duration;

use anyhow::Context as _;
use crossterm::event::EventStream;
use futures_util::StreamExt as _;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

use crate::app::text;
use crate::app::wizard::{Effect, Leave, Msg, Wizard};
use crate::config::Config;

use super::probes::Probes;
use super::terminal::{self, Terminal};
use super::view::{self, Theme};
use super::{Options, Signals, devices, input, ticks};
use job::Job;

/// Runs it until the person leaves it. `config`: what the file says, or the defaults where there is none; `path`: the file.
///
/// # Errors
///
/// When there is no terminal, or it can't be drawn on.
pub async fn run(config: Config, path: PathBuf, options: Options) -> anyhow::Result<Leave> {
    anyhow::ensure!(terminal::is_there(), text::NO_TERMINAL);
    let signals = Signals::new().context("can't listen for signals")?;
    let mut terminal = Terminal::take(false).context("can't take the terminal")?;
    let size = terminal.size().unwrap_or((80, 24));
    let wizard = Wizard::new(files::before(&config, &path), size);
    let (sender, messages) = unbounded_channel();
    let theme = options.theme;
    let ui = Ui { wizard, config, path, theme, sender, probes: Probes::default(), call: None, trial: None };
    let result = ui.run(&mut terminal, messages, signals).await;
    // The terminal is given back before an error shows.
    drop(terminal);
    result
}

struct Ui {
    wizard: Wizard,
    config: Config,
    path: PathBuf,
    theme: Theme,
    /// Where what runs beside tells how it goes.
    sender: UnboundedSender<Msg>,
    probes: Probes,
    call: Option<Job>,
    trial: Option<Job>,
}

impl Ui {
    async fn run(
        mut self,
        terminal: &mut Terminal,
        mut messages: UnboundedReceiver<Msg>,
        mut signals: Signals,
    ) -> anyhow::Result<Leave> {
        let mut keys = EventStream::new();
        let mut ticks = ticks();
        let title = format!("{} - {}", crate::app::wizard::words::SUBTITLE, text::NAME);
        loop {
            let (wizard, theme) = (&self.wizard, self.theme);
            terminal.draw(&title, |frame| view::wizard::draw(frame, wizard, theme)).context("can't draw")?;
            let is_ticking = self.wizard.wants_ticks();
            let msg = tokio::select! {
                key = keys.next() => match key {
                    Some(Ok(event)) => input::wizard_message(event),
                    Some(Err(_)) | None => Some(Msg::Terminate),
                },
                msg = messages.recv() => msg,
                _ = ticks.tick(), if is_ticking => {
                    let heard = self.probes.heard().map(Msg::Heard);
                    for msg in heard.into_iter().chain(self.probes.tone().map(Msg::Tone)) {
                        self.wizard.update(msg);
                    }
                    None
                }
                () = signals.next() => Some(Msg::Terminate),
                () = terminal::crash() => Some(Msg::Terminate),
            };
            let Some(msg) = msg else { continue };
            if let Some(leave) = self.take(msg, terminal)? {
                anyhow::ensure!(!terminal::has_crashed(), text::CRASHED);
                return Ok(leave);
            }
        }
    }

    fn take(&mut self, msg: Msg, terminal: &mut Terminal) -> anyhow::Result<Option<Leave>> {
        for effect in self.wizard.update(msg) {
            match effect {
                Effect::List => devices::list(self.sender.clone(), Msg::Devices),
                Effect::Listen(name) => self.probes.listen(name.as_deref()),
                Effect::Play(role, name) => self.probes.play(role, &name),
                Effect::Hush => self.probes.hush(),
                Effect::Call(devices) => {
                    let audio = files::audio(&self.config.audio, &devices);
                    self.call = Some(call::start(audio, self.sender.clone()));
                }
                Effect::HangUp => {
                    if let Some(job) = &mut self.call {
                        job.finish();
                    }
                }
                Effect::DropCall => self.call = None,
                Effect::Register(draft) => {
                    let config = files::trial(&self.config, &draft);
                    self.trial = Some(trial::start(config, self.sender.clone()));
                }
                Effect::DropTrial => self.trial = None,
                Effect::Write(draft) => {
                    let written = files::write(&self.path, &draft).map_err(|error| error.to_string());
                    let _ = self.sender.send(Msg::Written(written));
                }
                Effect::Leave(leave) => return Ok(Some(leave)),
                Effect::Suspend => {
                    terminal.suspend().context("can't take the terminal back")?;
                    if let Ok((columns, rows)) = terminal.size() {
                        self.wizard.update(Msg::Resized(columns, rows));
                    }
                }
                Effect::Redraw => terminal.clear().context("can't draw")?,
            }
        }
        Ok(None)
    }
}

/// How often something that is tried tells how it goes.
const TELL: Duration = Duration::from_millis(100);
