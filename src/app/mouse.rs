//! What the mouse points at. The view knows where things are, and says what was hit; what that means is decided here.
//!
//! A click selects, a click on what is selected acts, as Enter does.

use crate::ua::CallNo;

use super::keymap::{Context, Key};
use super::people::{List, Pane};
use super::trace::Step;
use super::{App, Effect, Screen};

/// Rows that a turn of the wheel scrolls.
const ROWS: usize = 3;

/// Something on the screen that can be clicked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Target {
    /// A key in the footer or in a pop-up.
    Key(Key),
    /// A call that is up.
    Call(CallNo),
    /// A row of people, or of past calls.
    Person(List, usize),
    /// A list of people or of past calls, beside its rows.
    People(List),
    /// A row of the ladder.
    Rung(u64),
    /// The ladder, beside its rows.
    Ladder,
    /// A suggestion above the line that is typed.
    Suggestion(usize),
    /// What happened.
    Log,
}

/// What the mouse did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mouse {
    /// The left button was pressed on something.
    Click(Target),
    /// The wheel was turned, over something or over nothing.
    Wheel(Turn, Option<Target>),
}

/// Which way the wheel was turned.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Turn {
    /// To what is above.
    Up,
    /// To what is below.
    Down,
}

impl App {
    pub(super) fn on_mouse(&mut self, mouse: Mouse) -> Vec<Effect> {
        if self.quitting {
            return Vec::new();
        }
        match mouse {
            Mouse::Click(Target::Key(key)) => self.on_key(key),
            Mouse::Click(target) => {
                self.notice = None;
                self.click(target)
            }
            Mouse::Wheel(turn, _) if self.context() == Context::Devices => {
                self.choose_device(if turn == Turn::Up { Step::Up(1) } else { Step::Down(1) })
            }
            Mouse::Wheel(turn, target) => {
                self.turn(turn, target);
                Vec::new()
            }
        }
    }

    fn click(&mut self, target: Target) -> Vec<Effect> {
        let enter = Key::Enter;
        match (target, self.context()) {
            (Target::Call(no), Context::Main) => {
                self.selected = self.call(no).map(|call| call.no).or(self.selected);
                Vec::new()
            }
            (Target::Rung(id), Context::Trace | Context::Find) => {
                if self.trace.selected_id() == Some(id) && self.context() == Context::Trace {
                    return self.on_key(enter);
                }
                self.trace.select(id);
                Vec::new()
            }
            (Target::Rung(id), Context::Main) => {
                self.trace.select(id);
                self.open(Screen::Trace)
            }
            (Target::Ladder, Context::Main) => self.open(Screen::Trace),
            (Target::Person(list, row), Context::People | Context::Search) => {
                let was = self.people_pane().map(|pane| (pane.list, pane.picked(list)));
                if was == Some((list, row)) {
                    return self.on_key(enter);
                }
                self.pick(list, row);
                Vec::new()
            }
            (Target::Person(list, row), Context::Main) => {
                let effects = self.open_people(list);
                self.pick(list, row);
                effects
            }
            (Target::People(list), Context::Main) => self.open_people(list),
            (Target::People(list), Context::People) => {
                if let Some(pane) = self.people_pane_mut() {
                    pane.list = list;
                }
                Vec::new()
            }
            (Target::Suggestion(place), context) if context.is_text() => self.click_suggestion(place),
            (Target::Log, Context::Main) => self.on_key(Key::Char('l')),
            // What lies under a pop-up or behind a line is not to be hit.
            (
                Target::Key(_)
                | Target::Call(_)
                | Target::Person(..)
                | Target::People(_)
                | Target::Rung(_)
                | Target::Ladder
                | Target::Suggestion(_)
                | Target::Log,
                _,
            ) => Vec::new(),
        }
    }

    fn pick(&mut self, list: List, row: usize) {
        if let Some(pane) = self.people_pane_mut() {
            pane.list = list;
            pane.choose(row);
        }
    }

    fn click_suggestion(&mut self, place: usize) -> Vec<Effect> {
        let Some(Screen::Line(line)) = self.screens.last_mut() else { return Vec::new() };
        if line.choice == Some(place) {
            return self.on_key(Key::Enter);
        }
        line.choice = Some(place);
        Vec::new()
    }

    fn turn(&mut self, turn: Turn, target: Option<Target>) {
        let step = match turn {
            Turn::Up => Step::Up(ROWS),
            Turn::Down => Step::Down(ROWS),
        };
        match (self.context(), target) {
            (Context::Main, Some(Target::Rung(_) | Target::Ladder)) => self.trace.step(step),
            (Context::Main, Some(Target::Person(list, _) | Target::People(list))) => {
                self.beside.people.list = list;
                self.move_beside(step);
            }
            (Context::Main, _) => drop(self.on_key(if turn == Turn::Up { Key::Up } else { Key::Down })),
            (Context::People, Some(Target::Person(list, _) | Target::People(list))) => {
                if let Some(pane) = self.people_pane_mut() {
                    pane.list = list;
                }
                self.move_choice(step);
            }
            (
                Context::People
                | Context::Search
                | Context::Trace
                | Context::Find
                | Context::Message
                | Context::Compare
                | Context::Log
                | Context::Settings
                | Context::FindSetting
                | Context::Services
                | Context::Help,
                _,
            ) => drop(self.scroll(step)),
            // A line and a pop-up keep what they have.
            _ => {}
        }
    }
}

/// The panes beside the calls, on a screen that is wide enough.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Beside {
    /// Which of them show.
    pub panes: Panes,
    /// Columns that the calls get more than usual; less than none: fewer.
    pub more: i16,
    /// The lists of people there.
    pub people: Pane,
}

impl Default for Beside {
    fn default() -> Beside {
        Beside { panes: Panes::All, more: 0, people: Pane::new(List::Contacts) }
    }
}

/// Which panes show beside the calls.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Panes {
    /// As many as there is room for.
    All,
    /// The ladder.
    Ladder,
    /// People and past calls.
    People,
    /// What happened.
    Log,
    /// None: the calls get it all.
    None,
}

impl Panes {
    /// The next choice, the first after the last.
    pub fn next(self) -> Panes {
        match self {
            Panes::All => Panes::Ladder,
            Panes::Ladder => Panes::People,
            Panes::People => Panes::Log,
            Panes::Log => Panes::None,
            Panes::None => Panes::All,
        }
    }
}
