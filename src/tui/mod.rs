//! The terminal: what happens goes into [`App`], what it wants is done, and the screen shows it.
//!
//! - `terminal.rs`: takes the terminal and gives it back, whatever happens
//! - `wizard/`: the first minutes
//! - `desktop.rs`: notifications of the desktop
//! - `devices.rs`: the devices of this machine
//! - `panels.rs`, `probes.rs`, `settings.rs`: what the picker of devices and the list of settings want
//! - `input.rs`: the terminal's events as the app's messages
//! - `files.rs`: traces that are saved
//! - `history.rs`: what was dialled, from one run to the next
//! - `look.rs`: what the terminal can show
//! - `spill.rs`: where older SIP messages wait
//! - `frames.rs`: when the screen is drawn
//! - `view/`: the widgets

mod desktop;
mod devices;
mod files;
mod frames;
mod history;
mod input;
mod look;
mod panels;
mod probes;
mod settings;
mod spill;
mod terminal;
mod view;
pub mod wizard;

use std::future::{Future, poll_fn};
use std::io;
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::Poll;
use std::time::{Duration, SystemTime};

use anyhow::Context as _;
use crossterm::event::EventStream;
use futures_util::{FutureExt as _, StreamExt as _};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::mpsc::UnboundedReceiver;
use tokio::time::{Instant, Interval, MissedTickBehavior, interval, sleep_until};

use crate::app::log::Level;
use crate::app::{App, Effect, Msg, Settings, Whose, text};
use crate::config::{self, Notify};
use crate::phone::{Command, Event, Phone, PhoneHandle, Reply, TraceEntry};
use crate::remote::Remote;

use frames::Frames;
use spill::Spill;
use terminal::Terminal;
use view::{Hits, Theme};

/// How often levels and durations are drawn while a call is up.
const TICK: Duration = Duration::from_millis(100);
/// How long hanging up and unregistering may take at the end.
const GOODBYE: Duration = Duration::from_millis(1_800);
/// Messages that are taken at once before the screen is drawn.
const BATCH: usize = 256;

/// What can be chosen about the UI.
#[derive(Debug, Clone)]
pub struct Options {
    /// Colours and signs.
    pub theme: Theme,
    /// Whether clicks and the wheel are the UI's.
    pub mouse: bool,
    /// The file in which the targets that were dialled are kept; `None`: they are forgotten at the end. What the person saves
    /// is written beside it, and older SIP messages.
    pub history: Option<PathBuf>,
    /// How the person is told of calls.
    pub notify: Notify,
    /// The configuration, which the list of settings changes.
    pub file: Option<PathBuf>,
    /// What can be called, where that is known.
    pub hint: Option<&'static str>,
}

impl Options {
    /// What is configured, as far as the terminal has it (`NO_COLOR`: no-color.org); no history file.
    pub fn new(ui: &config::Ui) -> Options {
        let theme = look::theme(ui, |name| std::env::var(name).ok());
        Options { theme, mouse: ui.mouse, history: None, notify: ui.notify, file: None, hint: None }
    }
}

/// What the phone says by itself.
struct Channels {
    events: UnboundedReceiver<Event>,
    trace: UnboundedReceiver<TraceEntry>,
    /// False once the phone no longer traces.
    trace_is_open: bool,
}

/// Runs the terminal UI until the person quits, a signal comes or the phone stops. Calls are hung up and accounts
/// unregistered by then. Needs a tokio runtime with time and I/O.
///
/// # Errors
///
/// When there is no terminal, or it can't be drawn on, or the phone stopped by itself.
pub async fn run(mut phone: PhoneHandle, options: Options) -> anyhow::Result<Left> {
    let channels = Channels { events: phone.events(), trace: phone.trace(), trace_is_open: true };
    let settings = settings(phone.listen().to_string(), Whose::Ours, options.hint);
    drive(&phone, channels, settings, options).await
}

/// Runs the terminal UI on a phone that runs elsewhere, until the person or a signal ends the UI; the phone goes on. Needs a
/// tokio runtime with time and I/O.
///
/// # Errors
///
/// As [`run`].
pub async fn run_attached(mut phone: Remote, options: Options) -> anyhow::Result<Left> {
    let channels = Channels { events: phone.events(), trace: phone.trace(), trace_is_open: true };
    let settings = settings(phone.listen().to_owned(), Whose::Attached, options.hint);
    drive(&phone, channels, settings, options).await
}

fn settings(listen: String, phone: Whose, hint: Option<&'static str>) -> Settings {
    Settings { listen, utc_offset: terminal::utc_offset(), phone, hint }
}

async fn drive(phone: &impl Phone, channels: Channels, settings: Settings, options: Options) -> anyhow::Result<Left> {
    anyhow::ensure!(terminal::is_there(), text::NO_TERMINAL);
    let theme = options.theme;
    let signals = Signals::new().context("can't listen for signals")?;
    let mut terminal = Terminal::take(options.mouse).context("can't take the terminal")?;
    let size = terminal.size().unwrap_or((80, 24));
    let mut app = App::new(settings, SystemTime::now(), size);
    app.dialled = history::read(options.history.as_deref());
    let folder = options.history.as_deref().and_then(Path::parent).map(Path::to_owned);
    app.trace.set_shelf(Arc::new(Mutex::new(Spill::new(folder.as_deref()))));
    let notify = options.notify;
    let hits = Hits::default();
    let panels = panels::Panels::new(options.file.clone());
    let desktop = desktop::Desktop::default();
    let ui = Ui { phone, app, theme, hits, folder, notify, desktop, panels, pending: Vec::new(), goodbye: None };
    let result = ui.run(&mut terminal, channels, signals, &options).await;
    // The terminal is given back before the error shows.
    drop(terminal);
    result
}

/// How the UI was left.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Left {
    /// The person quit.
    ByPerson,
    /// A signal came, or the terminal went away.
    BySignal,
}

/// How a command ended; `None`: the phone has quit.
type Replied = Option<Result<Reply, String>>;

struct Ui<'a, P> {
    phone: &'a P,
    app: App,
    theme: Theme,
    /// What was where in the last frame.
    hits: Hits,
    /// Where what the person saves is written.
    folder: Option<PathBuf>,
    /// How the person is told of calls.
    notify: Notify,
    /// Where there is one.
    desktop: desktop::Desktop,
    /// Devices and settings.
    panels: panels::Panels,
    /// The commands that are under way: a slow one holds up nothing.
    pending: Vec<Pin<Box<dyn Future<Output = Replied> + 'a>>>,
    /// When the UI ends at the latest, once it is to end.
    goodbye: Option<Instant>,
}

/// Whether to go on.
#[derive(PartialEq, Eq)]
enum Flow {
    On,
    End,
}

impl<'a, P: Phone> Ui<'a, P> {
    async fn run(
        mut self,
        terminal: &mut Terminal,
        mut channels: Channels,
        mut signals: Signals,
        options: &Options,
    ) -> anyhow::Result<Left> {
        let mut left = Left::ByPerson;
        let mut keys = EventStream::new();
        let mut keys_are_open = true;
        let mut ticks = ticks();
        let mut was_ticking = false;
        let mut frames = Frames::default();
        self.start(Command::State);
        self.start(Command::People);
        self.warn_of_notifications();
        loop {
            if frames.is_due(Instant::now()) {
                self.draw(terminal)?;
                frames.drawn(Instant::now());
            }
            let is_ticking = self.app.wants_ticks();
            if is_ticking && !was_ticking {
                ticks.reset();
            }
            was_ticking = is_ticking;
            let goodbye = self.goodbye;
            let wants_work = self.app.wants_work();
            let msg = tokio::select! {
                biased;
                key = keys.next(), if keys_are_open => match key {
                    Some(Ok(event)) => input::message(event, &self.hits),
                    // The terminal is gone.
                    Some(Err(_)) | None => {
                        keys_are_open = false;
                        left = Left::BySignal;
                        Some(Msg::Terminate)
                    }
                },
                // Before events: what a snapshot says is older than what was said after it.
                replied = next(&mut self.pending), if !self.pending.is_empty() => match replied {
                    Some(result) => Some(Msg::Replied(result)),
                    None => break,
                },
                event = channels.events.recv() => match event {
                    Some(event) => Some(Msg::Phone(event)),
                    None if goodbye.is_some() => break,
                    None => anyhow::bail!(text::PHONE_STOPPED),
                },
                entry = channels.trace.recv(), if channels.trace_is_open => {
                    channels.trace_is_open = entry.is_some();
                    entry.map(Msg::Trace)
                }
                news = self.panels.next() => Some(news),
                _ = ticks.tick(), if is_ticking => {
                    for msg in self.panels.probed() {
                        self.app.update(SystemTime::now(), msg);
                    }
                    Some(Msg::Tick(self.phone.levels()))
                }
                () = signals.next() => {
                    left = Left::BySignal;
                    Some(Msg::Terminate)
                }
                () = terminal::crash() => Some(Msg::Terminate),
                () = at(goodbye), if goodbye.is_some() => break,
                () = at(frames.next()), if frames.next().is_some() => None,
                () = std::future::ready(()), if wants_work => Some(Msg::Idle),
            };
            let Some(msg) = msg else { continue };
            match msg {
                Msg::Key(_) | Msg::Released(_) | Msg::Mouse(_) | Msg::Paste(_) => frames.pressed(Instant::now()),
                _ => frames.changed(Instant::now()),
            }
            if self.take(msg, terminal)? == Flow::End || self.take_waiting(&mut channels, terminal)? == Flow::End {
                break;
            }
        }
        history::write(options.history.as_deref(), &self.app.dialled);
        anyhow::ensure!(!terminal::has_crashed(), text::CRASHED);
        Ok(left)
    }

    /// What has come meanwhile is drawn once.
    fn take_waiting(&mut self, channels: &mut Channels, terminal: &mut Terminal) -> anyhow::Result<Flow> {
        for _ in 0..BATCH {
            let msg = match waiting(&mut self.pending, channels) {
                Some(Some(msg)) => msg,
                Some(None) => return Ok(Flow::End),
                None => break,
            };
            if self.take(msg, terminal)? == Flow::End {
                return Ok(Flow::End);
            }
        }
        Ok(Flow::On)
    }

    fn take(&mut self, msg: Msg, terminal: &mut Terminal) -> anyhow::Result<Flow> {
        for effect in self.app.update(SystemTime::now(), msg) {
            match effect {
                Effect::Command(command) => self.start(command),
                Effect::Bell if self.notify == Notify::Off => {}
                Effect::Bell => terminal.bell(),
                Effect::Notify(text) => match self.notify {
                    Notify::Bell | Notify::Off => {}
                    Notify::Osc => terminal.notify(&text),
                    Notify::Desktop if self.desktop.notify(&text) => {}
                    Notify::Desktop => terminal.notify(&text),
                },
                Effect::Devices(wish) => self.panels.try_devices(wish),
                Effect::Settings(wish) => {
                    let told = self.panels.change_file(&wish);
                    if let Some(ui) = self.panels.ui() {
                        let now = Options::new(&ui);
                        (self.notify, self.theme) = (now.notify, now.theme);
                        self.warn_of_notifications();
                    }
                    if self.take(told, terminal)? == Flow::End {
                        return Ok(Flow::End);
                    }
                }
                Effect::Copy(text) => terminal.copy(&text),
                Effect::Save(format) => {
                    let now = SystemTime::now();
                    let (trace, offset) = (&self.app.trace, self.app.settings.utc_offset);
                    let write = |out: &mut dyn io::Write| trace.write(format, offset, out);
                    let saved = files::save_trace(self.folder.as_deref(), now, format.extension(), write);
                    self.app.update(now, Msg::Saved(saved.map(|path| path.display().to_string())));
                }
                Effect::Suspend => {
                    terminal.suspend().context("can't take the terminal back")?;
                    if let Ok((columns, rows)) = terminal.size() {
                        self.app.update(SystemTime::now(), Msg::Resized(columns, rows));
                    }
                }
                Effect::Redraw => terminal.clear().context("can't draw")?,
                Effect::Quit => {
                    self.goodbye = Some(Instant::now() + GOODBYE);
                    self.start(Command::Quit);
                }
                Effect::Abort | Effect::Detach => return Ok(Flow::End),
            }
        }
        Ok(Flow::On)
    }

    /// Says it where the build can't do what is configured.
    fn warn_of_notifications(&mut self) {
        if self.notify == Notify::Desktop && !desktop::IS_BUILT {
            self.app.log.push(SystemTime::now(), Level::Warning, text::NO_DESKTOP.into());
        }
    }

    fn start(&mut self, command: Command) {
        let phone = self.phone;
        self.pending.push(Box::pin(async move {
            let is_quit = command == Command::Quit;
            let result = phone.command(command).await.map_err(|refused| refused.message);
            if is_quit { None } else { Some(result) }
        }));
    }

    /// A terminal that is gone ends the UI, but calls are hung up first.
    fn draw(&mut self, terminal: &mut Terminal) -> anyhow::Result<()> {
        terminal.tell_releases(self.app.wants_releases());
        let (app, theme, hits) = (&self.app, self.theme, &mut self.hits);
        if let Err(error) = terminal.draw(&app.title(), |frame| *hits = view::draw(frame, app, theme)) {
            tracing::warn!("can't draw: {error}");
            self.take(Msg::Terminate, terminal)?;
        }
        Ok(())
    }
}

/// What has come and waits: replies first, for what a snapshot says is older than the events that came after it. `None`:
/// nothing waits; `Some(None)`: the phone has quit.
fn waiting(
    pending: &mut Vec<Pin<Box<dyn Future<Output = Replied> + '_>>>,
    channels: &mut Channels,
) -> Option<Option<Msg>> {
    if let Some(replied) = next(pending).now_or_never() {
        return Some(replied.map(Msg::Replied));
    }
    if let Ok(event) = channels.events.try_recv() {
        return Some(Some(Msg::Phone(event)));
    }
    channels.trace.try_recv().ok().map(|entry| Some(Msg::Trace(entry)))
}

fn ticks() -> Interval {
    let mut ticks = interval(TICK);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    ticks
}

async fn at(time: Option<Instant>) {
    if let Some(time) = time {
        sleep_until(time).await;
    }
}

/// The first of these futures that is ready; it is taken out.
async fn next<T>(pending: &mut Vec<Pin<Box<dyn Future<Output = T> + '_>>>) -> T {
    poll_fn(|context| {
        for place in 0..pending.len() {
            if let Poll::Ready(value) = pending[place].as_mut().poll(context) {
                drop(pending.swap_remove(place));
                return Poll::Ready(value);
            }
        }
        Poll::Pending
    })
    .await
}

/// Signals that ask to end.
struct Signals {
    signals: [Signal; 3],
}

impl Signals {
    fn new() -> io::Result<Signals> {
        let signals =
            [signal(SignalKind::terminate())?, signal(SignalKind::hangup())?, signal(SignalKind::interrupt())?];
        Ok(Signals { signals })
    }

    async fn next(&mut self) {
        let [terminate, hangup, interrupt] = &mut self.signals;
        tokio::select! {
            _ = terminate.recv() => {}
            _ = hangup.recv() => {}
            _ = interrupt.recv() => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use tokio::sync::mpsc::unbounded_channel;

    use super::*;
    use crate::phone::event::Kind;

    #[test]
    fn a_snapshot_is_taken_before_what_was_said_after_it() {
        let (events, event_receiver) = unbounded_channel();
        let (_trace, trace_receiver) = unbounded_channel();
        let mut channels = Channels { events: event_receiver, trace: trace_receiver, trace_is_open: true };
        let kind =
            Kind::Registered { account: "work".into(), expires: 60, contact: String::new(), contacts: Vec::new() };
        let event = Event { time: SystemTime::UNIX_EPOCH, kind };
        events.send(event.clone()).unwrap();
        let never = Box::pin(std::future::pending());
        let reply = Box::pin(std::future::ready(Some(Ok(Reply::Done))));
        let mut pending: Vec<Pin<Box<dyn Future<Output = Replied>>>> = vec![never, reply];
        assert!(matches!(waiting(&mut pending, &mut channels), Some(Some(Msg::Replied(Ok(Reply::Done))))));
        assert!(matches!(waiting(&mut pending, &mut channels), Some(Some(Msg::Phone(it))) if it == event));
        assert!(waiting(&mut pending, &mut channels).is_none());
        pending.push(Box::pin(std::future::ready(None)));
        assert!(matches!(waiting(&mut pending, &mut channels), Some(None)));
    }
}
