//! What each action of the keymap does.

use std::time::Duration;

use crate::phone::Command;
use crate::phone::command::{DeviceRole, Side};
use crate::ua::CallNo;

use super::call::Call;
use super::keymap::{Action, Key};
use super::line::{Line, Purpose};
use super::log::Level;
use super::people::List;
use super::picker::Stays;
use super::requests::Verdict;
use super::services::{self, Panel};
use super::trace::{Format, Step};
use super::{App, Effect, Reader, Screen, layout, text};

/// After a call ended by itself, "hang up" would hit another one: so it waits this long.
const GRACE: Duration = Duration::from_millis(800);
/// A step of the speaker's gain in dB.
const VOLUME_STEP: f32 = 2.0;
/// The range of a gain in dB, as [`Command::Volume`] has it.
const VOLUME: std::ops::RangeInclusive<f32> = -60.0..=20.0;
/// Messages that a page of the trace holds, about.
const TRACE_PAGE: usize = 10;
/// Columns by which the panes beside the calls are resized at once, and at most.
const RESIZE: i16 = 4;
const MOST_RESIZED: i16 = 80;
/// Screens over the main one, help over a message over the trace being the deepest that keys make.
const SCREENS: usize = 8;

impl App {
    pub(super) fn act(&mut self, action: Action, key: Key) -> Vec<Effect> {
        let selected = self.selected;
        match action {
            Action::Dial => self.open(Screen::Line(Line::new(Purpose::Call))),
            Action::DialDigit => {
                let mut line = Line::new(Purpose::Call);
                line.edit(key);
                self.open(Screen::Line(line))
            }
            Action::Answer => self.for_incoming(|call| Command::Answer { call }),
            Action::Busy => self.for_incoming(|call| Command::Reject { call, code: None }),
            Action::Decline => self.for_incoming(|call| Command::Reject { call, code: Some(603) }),
            Action::Later => {
                self.put_off();
                Vec::new()
            }
            Action::Hangup => self.hang_up(),
            Action::Hold => vec![Effect::Command(Command::Hold { call: selected })],
            Action::Resume => vec![Effect::Command(Command::Resume { call: selected })],
            Action::Join => vec![Effect::Command(Command::Conference { calls: Vec::new() })],
            Action::Split => vec![Effect::Command(Command::Split)],
            Action::Swap => vec![Effect::Command(Command::Swap)],
            Action::Transfer => self.with_selected(|call| Screen::Line(Line::new(Purpose::Transfer(call)))),
            Action::AcceptTransfer => self.decide(Verdict::Accept).map(Effect::Command).into_iter().collect(),
            Action::RefuseTransfer => self.decide(Verdict::Refuse).map(Effect::Command).into_iter().collect(),
            Action::HandOver => match self.calls_to_join() {
                Some((call, with)) => vec![Effect::Command(Command::TransferWith { call, with })],
                None => Vec::new(),
            },
            Action::Pad => self.with_selected(Screen::Pad),
            Action::Digit => self.digit(key),
            Action::Graph => {
                self.graph = self.graph.next();
                Vec::new()
            }
            Action::Panes => {
                self.beside.panes = self.beside.panes.next();
                Vec::new()
            }
            Action::Wider => self.resize(RESIZE),
            Action::Narrower => self.resize(-RESIZE),
            Action::Mute => {
                self.talking = false;
                vec![Effect::Command(Command::Mute { call: None })]
            }
            Action::Unmute => {
                self.talking = false;
                vec![Effect::Command(Command::Unmute { call: None })]
            }
            Action::Record => vec![Effect::Command(Command::Record { call: selected, path: None })],
            Action::StopRecording => vec![Effect::Command(Command::StopRecording { call: self.recorded() })],
            Action::Louder => self.volume(VOLUME_STEP),
            Action::Softer => self.volume(-VOLUME_STEP),
            Action::Previous => self.previous(),
            Action::Next => self.next(),
            Action::People => self.open_people(self.first_list()),
            Action::OtherList => self.other_list(),
            Action::Search => self.search(),
            Action::Keep => {
                self.screens.pop();
                Vec::new()
            }
            Action::CallChosen => self.call_chosen(),
            Action::Write => self.write(),
            Action::Services => self.open(Screen::Services(Panel::default())),
            Action::Switch => self.switch(),
            Action::DndOn => vec![Effect::Command(Command::Dnd { account: None, on: Some(true) })],
            Action::DndOff => vec![Effect::Command(Command::Dnd { account: None, on: Some(false) })],
            Action::Voicemail => self.voicemail(),
            Action::Redial => vec![Effect::Command(Command::Redial)],
            Action::Park => vec![Effect::Command(Command::Park { call: selected })],
            Action::Complete => {
                self.complete();
                Vec::new()
            }
            Action::NextSuggestion => self.choose(Step::Down(1)),
            Action::PreviousSuggestion => self.choose(Step::Up(1)),
            Action::Trace => {
                self.trace.show_all();
                self.open(Screen::Trace)
            }
            Action::CallTrace => self.open_ladder(selected),
            Action::PastTrace => match self.chosen_past() {
                Some(call) => self.open_ladder(Some(call)),
                // What was said in earlier runs is written nowhere: it is the person's to save.
                None => {
                    self.say(Level::Info, text::NOT_KEPT);
                    Vec::new()
                }
            },
            Action::Log => self.open(Screen::Log(Reader::default())),
            Action::CommandLine => self.open(Screen::Line(Line::new(Purpose::Command))),
            Action::Help => self.open(Screen::Help(Reader::default())),
            Action::Quit if self.calls.is_empty() => self.quit(),
            Action::Quit => self.open(Screen::Confirm),
            Action::QuitNow => self.quit(),
            Action::Detach => vec![Effect::Detach],
            Action::Suspend => self.suspend(),
            Action::Redraw => vec![Effect::Redraw],
            Action::Back => self.back(),
            Action::Submit => self.submit(),
            Action::Edit => self.edit(|line, _| line.edit(key)),
            Action::Older => self.edit(|line, history| line.older(history)),
            Action::Newer => self.edit(|line, history| line.newer(history)),
            Action::NextAccount => self.next_account(),
            Action::Up => self.scroll(Step::Up(1)),
            Action::Down => self.scroll(Step::Down(1)),
            Action::PageUp => self.scroll(Step::Up(self.page())),
            Action::PageDown => self.scroll(Step::Down(self.page())),
            Action::Top => self.scroll(Step::Up(usize::MAX / 2)),
            Action::Bottom => self.scroll(Step::Down(usize::MAX / 2)),
            Action::Open => {
                self.trace.pin();
                self.open(Screen::Message(Reader::default()))
            }
            Action::Find => {
                self.trace.search("");
                self.open(Screen::Line(Line::new(Purpose::Find)))
            }
            Action::FindSetting => self.find_setting(),
            Action::Talk => self.talk(),
            Action::Devices => self.open_devices(DeviceRole::Input),
            Action::DeviceUp => self.choose_device(Step::Up(1)),
            Action::DeviceDown => self.choose_device(Step::Down(1)),
            Action::NextRole => self.next_device_role(),
            Action::TestSound => self.test_sound(),
            Action::UseDevice => self.use_device(Stays::Now),
            Action::KeepDevice => self.use_device(Stays::ForGood),
            Action::Settings => self.open_settings(),
            Action::ChangeSetting => self.change_setting(),
            Action::ResetSetting => self.reset_setting(),
            Action::OtherSettings => self.other_settings(),
            Action::Compare => {
                self.trace.pin();
                self.open(Screen::Compare(Reader::default()))
            }
            Action::Copy => {
                let text = self.trace.selected().map(|message| message.entry.text.clone()).unwrap_or_default();
                self.say(Level::Good, text::COPIED);
                vec![Effect::Copy(text)]
            }
            Action::Save => vec![Effect::Save(Format::Text)],
            Action::SavePackets => vec![Effect::Save(Format::Pcapng)],
            Action::Filter => {
                self.trace.toggle_filter();
                Vec::new()
            }
        }
    }

    pub(super) fn open(&mut self, screen: Screen) -> Vec<Effect> {
        if self.screens.len() < SCREENS {
            self.screens.push(screen);
        }
        Vec::new()
    }

    fn back(&mut self) -> Vec<Effect> {
        match self.screens.pop() {
            Some(Screen::Message(_) | Screen::Compare(_)) => self.trace.unpin(),
            Some(Screen::Line(Line { purpose: Purpose::Search, .. })) => {
                if let Some(pane) = self.people_pane_mut() {
                    pane.search("");
                }
            }
            Some(Screen::Line(Line { purpose: Purpose::Find, .. })) => self.trace.search(""),
            Some(Screen::Line(Line { purpose: Purpose::Setting, .. })) => self.settings_with(""),
            Some(Screen::Devices(_)) => return self.leave_devices(),
            _ => {}
        }
        Vec::new()
    }

    /// Gives the calls more columns, or fewer.
    fn resize(&mut self, columns: i16) -> Vec<Effect> {
        self.beside.more = (self.beside.more + columns).clamp(-MOST_RESIZED, MOST_RESIZED);
        Vec::new()
    }

    /// Opens the ladder of one call.
    fn open_ladder(&mut self, call: Option<CallNo>) -> Vec<Effect> {
        match call {
            Some(call) if self.trace.show_call(call) => self.open(Screen::Trace),
            Some(_) | None => Vec::new(),
        }
    }

    fn with_selected(&mut self, screen: impl FnOnce(CallNo) -> Screen) -> Vec<Effect> {
        match self.selected {
            Some(call) => self.open(screen(call)),
            None => Vec::new(),
        }
    }

    /// To the call of the pop-up, else to the one that rings.
    fn for_incoming(&mut self, command: impl FnOnce(Option<CallNo>) -> Command) -> Vec<Effect> {
        match self.pop_up_call().or(self.ringing_call()).map(|call| call.no) {
            Some(call) => vec![Effect::Command(command(Some(call)))],
            None => Vec::new(),
        }
    }

    /// Someone who presses the key just as the other side hangs up does not mean the next call.
    fn hang_up(&mut self) -> Vec<Effect> {
        let Some(call) = self.selected else { return Vec::new() };
        let moved = self.selection_moved.take();
        let is_fresh = moved.and_then(|at| self.now.duration_since(at).ok()).is_some_and(|ago| ago < GRACE);
        if is_fresh {
            self.log.push(self.now, Level::Warning, text::hang_up_again(call));
            return Vec::new();
        }
        vec![Effect::Command(Command::Hangup { call: Some(call) })]
    }

    fn digit(&mut self, key: Key) -> Vec<Effect> {
        let call = match self.screens.last() {
            Some(Screen::Pad(call)) => Some(*call),
            _ => self.selected,
        };
        match (call, key) {
            (Some(call), Key::Char(digit)) if self.call(call).is_some_and(Call::is_active) => {
                vec![Effect::Command(Command::Dtmf { call: Some(call), digits: digit.to_string() })]
            }
            _ => Vec::new(),
        }
    }

    fn volume(&mut self, step: f32) -> Vec<Effect> {
        self.volume = (self.volume + step).clamp(*VOLUME.start(), *VOLUME.end());
        vec![Effect::Command(Command::Volume { side: Side::Output, db: self.volume })]
    }

    fn previous(&mut self) -> Vec<Effect> {
        if let Some(Screen::Message(reader)) = self.screens.last_mut() {
            *reader = Reader::default();
            self.trace.step_message(Step::Up(1));
            self.trace.pin();
        } else if let Some(place) = self.selected_place() {
            self.selected = self.calls.get(place.saturating_sub(1)).map(|call| call.no);
        }
        Vec::new()
    }

    fn next(&mut self) -> Vec<Effect> {
        if let Some(Screen::Message(reader)) = self.screens.last_mut() {
            *reader = Reader::default();
            self.trace.step_message(Step::Down(1));
            self.trace.pin();
        } else if let Some(place) = self.selected_place() {
            self.selected = self.calls.get(place + 1).or(self.calls.last()).map(|call| call.no);
        }
        Vec::new()
    }

    fn selected_place(&self) -> Option<usize> {
        self.calls.iter().position(|call| Some(call.no) == self.selected)
    }

    /// A stopped process carries no sound and answers nobody.
    fn suspend(&mut self) -> Vec<Effect> {
        if self.calls.is_empty() {
            return vec![Effect::Suspend];
        }
        self.log.push(self.now, Level::Warning, text::NO_SUSPEND.into());
        Vec::new()
    }

    fn edit(&mut self, change: impl FnOnce(&mut Line, &super::History)) -> Vec<Effect> {
        if let Some(Screen::Line(line)) = self.screens.last_mut() {
            let history = match line.purpose {
                Purpose::Call
                | Purpose::Transfer(_)
                | Purpose::Forward(_)
                | Purpose::Message
                | Purpose::Search
                | Purpose::Find
                | Purpose::Value
                | Purpose::Secret
                | Purpose::Setting => &self.dialled,
                Purpose::Command => &self.commands,
            };
            change(line, history);
            self.follow_search();
        }
        Vec::new()
    }

    /// The default account, then each by name.
    fn next_account(&mut self) -> Vec<Effect> {
        let names: Vec<&String> = self.accounts.iter().map(|account| &account.name).collect();
        let chosen = match self.screens.last_mut() {
            Some(Screen::Line(line)) => Some(&mut line.account),
            Some(Screen::Services(panel)) => Some(&mut panel.account),
            _ => None,
        };
        if let Some(account) = chosen {
            let next = match &account {
                None => 0,
                Some(chosen) => names.iter().position(|name| *name == chosen).map_or(0, |place| place + 1),
            };
            *account = names.get(next).map(|name| name.to_string());
        }
        Vec::new()
    }

    /// Carries the line out. A line that can't be read stays open and says why.
    fn submit(&mut self) -> Vec<Effect> {
        let suggested = self.chosen_suggestion();
        let Some(Screen::Line(line)) = self.screens.last_mut() else { return Vec::new() };
        let typed = suggested.unwrap_or_else(|| line.input.value().trim().to_owned());
        if typed.is_empty() && !matches!(line.purpose, Purpose::Value | Purpose::Secret) {
            self.screens.pop();
            return Vec::new();
        }
        let command = match line.purpose {
            Purpose::Call => {
                self.dialled.push(&typed);
                Command::Call { account: line.account.take(), target: typed }
            }
            Purpose::Transfer(call) => {
                self.dialled.push(&typed);
                Command::Transfer { call: Some(call), target: typed }
            }
            Purpose::Forward(when) => match services::forward(when, line.account.clone(), &typed) {
                Ok(command) => command,
                Err(error) => {
                    line.error = Some(error);
                    return Vec::new();
                }
            },
            Purpose::Message => match line.to.take() {
                Some(to) => Command::Message { account: to.account, target: to.target, text: typed },
                None => return self.back(),
            },
            Purpose::Search => return self.call_chosen(),
            // It stays until the next search.
            Purpose::Find | Purpose::Setting => {
                self.screens.pop();
                return Vec::new();
            }
            Purpose::Value | Purpose::Secret => {
                return match self.typed_setting(&typed) {
                    Ok(effects) => {
                        self.screens.pop();
                        effects
                    }
                    Err(problem) => {
                        if let Some(Screen::Line(line)) = self.screens.last_mut() {
                            line.error = Some(layout::clean(&problem));
                        }
                        Vec::new()
                    }
                };
            }
            Purpose::Command if matches!(typed.as_str(), "device" | "devices" | "settings") => {
                self.commands.push(&typed);
                self.screens.pop();
                return match typed.as_str() {
                    "settings" => self.open_settings(),
                    _ => self.open_devices(DeviceRole::Input),
                };
            }
            Purpose::Command => match typed.parse::<Command>() {
                Ok(command) => {
                    self.commands.push(&typed);
                    command
                }
                Err(error) => {
                    line.error = Some(layout::clean(&error.to_string()));
                    return Vec::new();
                }
            },
        };
        self.screens.pop();
        self.note_decision(&command);
        match command {
            // As the key does: it asks while a call is up. Attached, it ends more than this UI.
            Command::Quit if !self.calls.is_empty() => self.open(Screen::Confirm),
            Command::Quit => self.quit(),
            Command::Device { role, ref name } => {
                self.note_device(role, name);
                vec![Effect::Command(command)]
            }
            Command::History { .. } => self.open_people(List::Calls),
            Command::Volume { side: Side::Output, db } => {
                self.volume = db;
                vec![Effect::Command(command)]
            }
            command => vec![Effect::Command(command)],
        }
    }

    /// The suggestion that is chosen in a line that takes a target.
    fn chosen_suggestion(&self) -> Option<String> {
        let Some(Screen::Line(line)) = self.screens.last() else { return None };
        let place = line.choice.filter(|_| line.purpose != Purpose::Command)?;
        self.suggestions().get(place).map(|suggestion| suggestion.text.clone())
    }

    /// Chooses the suggestion above or below; above the first one is what was typed.
    fn choose(&mut self, step: Step) -> Vec<Effect> {
        let last = self.suggestions().len().checked_sub(1);
        if let Some(Screen::Line(line)) = self.screens.last_mut() {
            line.choice = match (step, line.choice) {
                (Step::Up(_), None | Some(0)) => None,
                (Step::Up(_), Some(place)) => Some(place - 1),
                (Step::Down(_), None) => last.map(|_| 0),
                (Step::Down(_), Some(place)) => last.map(|last| (place + 1).min(last)),
            };
        }
        Vec::new()
    }

    fn page(&self) -> usize {
        match self.screens.last() {
            Some(Screen::Trace | Screen::People(_) | Screen::Settings(_)) => TRACE_PAGE,
            _ => layout::page_rows(self.size.1),
        }
    }

    pub(super) fn scroll(&mut self, step: Step) -> Vec<Effect> {
        match self.screens.last_mut() {
            Some(Screen::People(_) | Screen::Line(Line { purpose: Purpose::Search, .. })) => self.move_choice(step),
            Some(Screen::Services(panel)) => panel.step(step),
            Some(Screen::Settings(_) | Screen::Line(Line { purpose: Purpose::Setting, .. })) => {
                self.step_settings(step)
            }
            Some(Screen::Trace) => self.trace.step(step),
            Some(Screen::Line(Line { purpose: Purpose::Find, .. })) => self.trace.step(step),
            Some(Screen::Message(reader) | Screen::Compare(reader) | Screen::Help(reader)) => {
                reader.top = match step {
                    Step::Up(rows) => reader.top.saturating_sub(rows),
                    Step::Down(rows) => reader.top.saturating_add(rows),
                };
            }
            // The log counts from its end.
            Some(Screen::Log(reader)) => {
                reader.top = match step {
                    Step::Up(rows) => reader.top.saturating_add(rows),
                    Step::Down(rows) => reader.top.saturating_sub(rows),
                };
            }
            Some(Screen::Line(_) | Screen::Pad(_) | Screen::Devices(_) | Screen::Confirm) | None => {}
        }
        self.clamp_scrolling();
        Vec::new()
    }
}
