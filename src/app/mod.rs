//! The terminal UI's state, without I/O: [`App::update`] takes what happened and the time, and gives what is to be done.
//!
//! - `keymap.rs`: the table of all keys, from which dispatch, footer and help are made
//! - `act.rs`: what each key's action does
//! - `calls.rs`: accounts and calls, as the phone's events tell; `call.rs`: one call
//! - `line.rs`: the line in which targets and commands are typed, and its history
//! - `trace.rs`, `log.rs`: bounded lists of SIP messages and of what happened
//! - `compare.rs`: an offer beside its answer
//! - `people.rs`: who is known and who called; `complete.rs`: what is suggested while a line is typed
//! - `services.rs`: what the person switches
//! - `names.rs`: names without end
//! - `mouse.rs`: what is clicked; the panes beside the calls
//! - `paste.rs`: targets as they are copied elsewhere
//! - `devices.rs`: which device speaks, which is heard, which rings
//! - `picker.rs`, `settings.rs`: choosing devices and changing settings while the phone runs
//! - `talk.rs`: push to talk
//! - `wizard/`: the first minutes, before there is a phone
//! - `layout.rs`: wrapping of texts, which scrolling has to know
//! - `text.rs`: every word on the screen

mod act;
pub mod call;
pub mod calls;
pub mod compare;
mod complete;
pub mod devices;
#[cfg(test)]
pub(crate) mod fixture;
pub mod keymap;
pub mod layout;
pub mod line;
pub mod log;
pub mod mouse;
pub mod names;
mod paste;
pub mod people;
pub mod picker;
pub mod requests;
pub mod services;
pub mod settings;
mod talk;
pub mod text;
pub mod trace;
pub mod wizard;

use std::collections::VecDeque;
use std::time::{Duration, SystemTime};

use crate::phone::audio_warning::AudioWarning;
use crate::phone::media_thread::Levels;
use crate::phone::{Command, Event, Reply, TraceEntry};
use crate::services::forwarding::Forward;
use crate::ua::CallNo;

use call::{Call, Figure, Past};
use calls::Account;
use keymap::{Context, Key};
use line::{History, Line, Purpose};
use log::{Level, Log};
use people::{Book, Pane};
use services::Panel;
use trace::Trace;

/// Calls that are remembered after their end.
const RECENT: usize = 50;

/// What the outside gives the UI at its start.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Where the phone listens, to be shown.
    pub listen: String,
    /// What is added to UTC to get the person's time of day, in seconds.
    pub utc_offset: i32,
    /// Whether it ends with the UI.
    pub phone: Whose,
    /// What can be called here, where that is known: for who sees it the first time.
    pub hint: Option<&'static str>,
}

/// Whose the phone is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Whose {
    /// The UI's own: it ends with it.
    Ours,
    /// It runs elsewhere, and goes on when the UI goes away.
    Attached,
}

/// What happened.
#[derive(Debug, Clone)]
pub enum Msg {
    /// A key was pressed.
    Key(Key),
    /// The mouse was used.
    Mouse(mouse::Mouse),
    /// A key was let go; few terminals tell.
    Released(Key),
    /// Text was pasted.
    Paste(String),
    /// The terminal has this many columns and rows.
    Resized(u16, u16),
    /// The phone spoke.
    Phone(Event),
    /// A SIP message crossed the wire.
    Trace(TraceEntry),
    /// A command was carried out or refused; the text is for a person.
    Replied(Result<Reply, String>),
    /// The sound's levels, ten times a second while a call is up.
    Tick(Levels),
    /// A text was saved there, or why it was not.
    Saved(Result<String, String>),
    /// Nothing else happened, and there is work that waits ([`App::wants_work`]).
    Idle,
    /// What the outside knows of devices.
    Devices(picker::News),
    /// What the outside did with the file.
    Settings(settings::News),
    /// A signal, or the terminal is gone: end without asking.
    Terminate,
}

/// What is to be done.
#[derive(Debug, Clone, PartialEq)]
pub enum Effect {
    /// Give the phone a command.
    Command(Command),
    /// Show a notification, where the person wants them.
    Notify(String),
    /// Give the terminal's clipboard a text.
    Copy(String),
    /// Save what the ladder shows to a file ([`trace::Trace::write`]), and tell where ([`Msg::Saved`]).
    Save(trace::Format),
    /// Try or look for devices.
    Devices(picker::Wish),
    /// Read or write the file.
    Settings(settings::Wish),
    /// Ring the terminal's bell.
    Bell,
    /// Give the terminal back and stop, as Ctrl-Z does.
    Suspend,
    /// Draw everything anew.
    Redraw,
    /// Hang up, unregister, end.
    Quit,
    /// End the UI alone.
    Detach,
    /// End at once.
    Abort,
}

/// What lies over the main screen.
#[derive(Debug, Clone)]
pub enum Screen {
    /// A line is being typed.
    Line(Line),
    /// The keypad of a call.
    Pad(CallNo),
    /// Who is known, and who called.
    People(Pane),
    /// What the person switches.
    Services(Panel),
    /// Which devices are used.
    Devices(devices::Picker),
    /// The settings of the file.
    Settings(settings::Panel),
    /// The ladder of SIP messages.
    Trace,
    /// One SIP message in full.
    Message(Reader),
    /// An offer beside its answer.
    Compare(Reader),
    /// All keys.
    Help(Reader),
    /// What happened so far.
    Log(Reader),
    /// Whether to quit although a call is up.
    Confirm,
}

/// How far a text is scrolled.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Reader {
    /// The first row that shows; for the log, rows up from the end.
    pub top: usize,
}

/// Everything that the screen shows.
#[derive(Debug, Clone)]
pub struct App {
    /// What was given at the start.
    pub settings: Settings,
    /// The time of the last message.
    pub now: SystemTime,
    /// Columns and rows of the terminal.
    pub size: (u16, u16),
    /// The accounts, as configured.
    pub accounts: Vec<Account>,
    /// The calls that are up, by number.
    pub calls: Vec<Call>,
    /// What others ask of us: to call someone else.
    pub requests: Vec<requests::Request>,
    /// The call that keys act on.
    pub selected: Option<CallNo>,
    /// When the selection last moved because a call ended.
    pub selection_moved: Option<SystemTime>,
    /// Calls that are over, the latest first.
    pub recent: VecDeque<Past>,
    /// The microphone is closed.
    pub muted: bool,
    /// What is wrong with the sound.
    pub warnings: Vec<AudioWarning>,
    /// It is open by push to talk.
    pub talking: bool,
    /// The terminal tells when a key is let go.
    pub tells_releases: bool,
    /// The devices in use, as configured or chosen.
    pub devices: crate::phone::snapshot::Devices,
    /// The speaker's gain in dB, as far as keys changed it.
    pub volume: f32,
    /// The sound's levels.
    pub levels: Levels,
    /// What happened.
    pub log: Log,
    /// The SIP messages.
    pub trace: Trace,
    /// What lies over the main screen, the topmost last.
    pub screens: Vec<Screen>,
    /// Targets that were called.
    pub dialled: History,
    /// Commands that were typed.
    pub commands: History,
    /// Who is known, and who called.
    pub book: Book,
    /// The forwardings that are on.
    pub forwarding: Vec<Forward>,
    /// The accounts that are not to be disturbed.
    pub dnd: Vec<Option<String>>,
    /// Missed calls that the person has not seen.
    pub missed: usize,
    /// Which figure of a call is drawn over time.
    pub graph: Figure,
    /// The panes beside the calls.
    pub beside: mouse::Beside,
    /// What is told until the next key.
    pub notice: Option<(Level, String)>,
    /// The phone is hanging up and unregistering.
    pub quitting: bool,
}

/// Levels of silence.
const SILENCE: Levels = Levels { input: -100.0, output: -100.0 };

impl App {
    /// The idle screen. The caller asks the phone for its state ([`Command::State`]) and reports the reply.
    pub fn new(settings: Settings, now: SystemTime, size: (u16, u16)) -> App {
        App {
            settings,
            now,
            size,
            accounts: Vec::new(),
            calls: Vec::new(),
            requests: Vec::new(),
            selected: None,
            selection_moved: None,
            recent: VecDeque::new(),
            muted: false,
            warnings: Vec::new(),
            talking: false,
            tells_releases: false,
            devices: crate::phone::snapshot::Devices::default(),
            volume: 0.0,
            levels: SILENCE,
            log: Log::default(),
            trace: Trace::default(),
            screens: Vec::new(),
            dialled: History::default(),
            commands: History::default(),
            book: Book::default(),
            forwarding: Vec::new(),
            dnd: Vec::new(),
            missed: 0,
            graph: Figure::Mos,
            beside: mouse::Beside::default(),
            notice: None,
            quitting: false,
        }
    }

    /// Takes what happened at `now`, and says what is to be done.
    pub fn update(&mut self, now: SystemTime, msg: Msg) -> Vec<Effect> {
        self.now = now;
        match msg {
            Msg::Key(key) => self.on_key(key),
            Msg::Mouse(mouse) => self.on_mouse(mouse),
            Msg::Released(key) => self.released(key),
            Msg::Devices(news) => {
                self.on_devices(news);
                Vec::new()
            }
            Msg::Settings(news) => self.on_settings(news),
            Msg::Paste(text) => {
                self.on_paste(&text);
                Vec::new()
            }
            Msg::Resized(columns, rows) => {
                self.size = (columns, rows);
                self.clamp_scrolling();
                Vec::new()
            }
            Msg::Phone(event) => self.on_event(event),
            Msg::Trace(entry) => {
                self.trace.push(entry);
                Vec::new()
            }
            Msg::Replied(result) => {
                self.on_reply(result);
                Vec::new()
            }
            Msg::Tick(levels) => {
                self.levels = levels;
                Vec::new()
            }
            Msg::Saved(result) => {
                let (level, said) = match result {
                    Ok(path) => (Level::Good, text::saved(&path)),
                    Err(error) => (Level::Error, text::not_saved(&error)),
                };
                self.say(level, &said);
                Vec::new()
            }
            Msg::Idle => {
                self.trace.search_on();
                Vec::new()
            }
            Msg::Terminate => match self.settings.phone {
                Whose::Ours => self.quit(),
                Whose::Attached => vec![Effect::Detach],
            },
        }
    }

    /// Whether levels and durations move, so that ten ticks a second are wanted.
    pub fn wants_ticks(&self) -> bool {
        !self.calls.is_empty() || self.picker().is_some()
    }

    /// Whether [`Msg::Idle`] is wanted: a search goes on.
    pub fn wants_work(&self) -> bool {
        self.trace.is_searching()
    }

    /// The terminal's title.
    pub fn title(&self) -> String {
        if let Some(call) = self.ringing_call() {
            return text::title_incoming(&self.who(call));
        }
        match self.shown_call() {
            Some(call) => text::title_call(&self.who(call)),
            None => text::NAME.into(),
        }
    }

    /// Where keys go now.
    pub fn context(&self) -> Context {
        match self.screens.last() {
            Some(Screen::Confirm) => Context::Confirm,
            Some(Screen::Line(line)) => match line.purpose {
                Purpose::Call => Context::Dial,
                Purpose::Transfer(_) => Context::TransferTo,
                Purpose::Forward(_) => Context::ForwardTo,
                Purpose::Message => Context::Writing,
                Purpose::Search => Context::Search,
                Purpose::Find => Context::Find,
                Purpose::Command => Context::CommandLine,
                Purpose::Value | Purpose::Secret => Context::Value,
                Purpose::Setting => Context::FindSetting,
            },
            top => {
                if self.pop_up_call().is_some() {
                    return Context::Incoming;
                }
                if self.pop_up_request().is_some() {
                    return Context::TransferRequest;
                }
                match top {
                    Some(Screen::Pad(_)) => Context::Pad,
                    Some(Screen::People(_)) => Context::People,
                    Some(Screen::Services(_)) => Context::Services,
                    Some(Screen::Devices(_)) => Context::Devices,
                    Some(Screen::Settings(_)) => Context::Settings,
                    Some(Screen::Trace) => Context::Trace,
                    Some(Screen::Message(_)) => Context::Message,
                    Some(Screen::Compare(_)) => Context::Compare,
                    Some(Screen::Help(_)) => Context::Help,
                    Some(Screen::Log(_)) => Context::Log,
                    Some(Screen::Line(_) | Screen::Confirm) | None => Context::Main,
                }
            }
        }
    }

    /// The line that is being typed, if any.
    pub fn line(&self) -> Option<&Line> {
        self.screens.iter().rev().find_map(|screen| match screen {
            Screen::Line(line) => Some(line),
            Screen::Pad(_)
            | Screen::People(_)
            | Screen::Services(_)
            | Screen::Devices(_)
            | Screen::Settings(_)
            | Screen::Trace
            | Screen::Message(_)
            | Screen::Compare(_)
            | Screen::Help(_)
            | Screen::Log(_)
            | Screen::Confirm => None,
        })
    }

    /// Whether the trace lies over the main screen.
    pub fn trace_is_open(&self) -> bool {
        self.screens.iter().any(|screen| matches!(screen, Screen::Trace))
    }

    fn on_key(&mut self, key: Key) -> Vec<Effect> {
        if self.quitting {
            return if key == Key::Ctrl('c') { vec![Effect::Abort] } else { Vec::new() };
        }
        self.notice = None;
        match keymap::find(self, key) {
            Some(binding) => self.act(binding.action, key),
            None => Vec::new(),
        }
    }

    /// Pasted text goes into the line; where none is open it is taken for a target.
    fn on_paste(&mut self, text: &str) {
        if self.quitting {
            return;
        }
        let Some(first) = text.lines().map(str::trim).find(|line| !line.is_empty()) else { return };
        if self.context() == Context::Main {
            self.screens.push(Screen::Line(Line::new(Purpose::Call)));
        }
        let Some(Screen::Line(line)) = self.screens.last_mut() else { return };
        let is_target = matches!(line.purpose, Purpose::Call | Purpose::Transfer(_) | Purpose::Forward(_));
        let text = layout::clean(first);
        line.insert(&if is_target && line.input.value().is_empty() { paste::target(&text) } else { text });
        self.follow_search();
    }

    fn on_reply(&mut self, result: Result<Reply, String>) {
        match result {
            Ok(Reply::Done) => {}
            Ok(Reply::Call(call)) => {
                if self.call(call).is_some() {
                    self.selected = Some(call);
                }
            }
            Ok(Reply::State(snapshot)) => self.take_snapshot(*snapshot),
            Ok(Reply::People(people)) => self.book.set(*people),
            Err(message) => self.log.push(self.now, Level::Error, layout::clean(&message)),
        }
    }

    /// Tells something in the place of the keys, until the next key; the log has it too.
    fn say(&mut self, level: Level, said: &str) {
        let said = layout::clean(said);
        self.log.push(self.now, level, said.clone());
        self.notice = Some((level, said));
    }

    fn quit(&mut self) -> Vec<Effect> {
        if self.quitting {
            return Vec::new();
        }
        self.quitting = true;
        self.screens.clear();
        vec![Effect::Quit]
    }

    /// Keeps what is scrolled within its text, after the terminal or the text changed.
    fn clamp_scrolling(&mut self) {
        let (columns, rows) = self.size;
        for screen in &mut self.screens {
            let (reader, all) = match screen {
                Screen::Message(reader) => {
                    let message = self.trace.selected();
                    let text = message.as_ref().map_or("", |message| &message.entry.text);
                    (reader, layout::message_rows(text, columns))
                }
                Screen::Compare(reader) => {
                    let both = compare::offer_and_answer(&self.trace);
                    let rows = both.map(|(offer, answer)| {
                        let description = |entry| compare::description(entry).unwrap_or_default();
                        compare::rows(description(&offer), description(&answer)).len()
                    });
                    (reader, rows.unwrap_or(0))
                }
                Screen::Help(reader) => (reader, layout::help_rows(columns)),
                Screen::Log(reader) => (reader, layout::log_rows(&self.log, columns)),
                Screen::Line(_)
                | Screen::Pad(_)
                | Screen::People(_)
                | Screen::Services(_)
                | Screen::Devices(_)
                | Screen::Settings(_)
                | Screen::Trace
                | Screen::Confirm => continue,
            };
            reader.top = reader.top.min(all.saturating_sub(layout::page_rows(rows)));
        }
    }

    /// How long ago that was, in whole seconds.
    pub fn since(&self, time: SystemTime) -> u64 {
        self.now.duration_since(time).unwrap_or(Duration::ZERO).as_secs()
    }
}

#[cfg(test)]
mod tests;
