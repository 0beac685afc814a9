//! Which rows of the ladder show, and which of them is selected.

use std::borrow::Cow;
use std::collections::VecDeque;

use crate::ua::CallNo;

use super::{Held, Message, Row, Rung, Trace, hash};

/// Rows that a search looks at before keys and calls get their turn.
const SLICE: usize = 400;

/// Which way, and how far, the selection moves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// To older messages.
    Up(usize),
    /// To later ones.
    Down(usize),
}

/// The filter, the search, and the selection.
#[derive(Debug, Clone, Default)]
pub(super) struct View {
    /// The selected row; `None`: the latest, whichever it is.
    selected: Option<u64>,
    /// Only this Call-ID shows, whose hash this is.
    filter: Option<(String, u64)>,
    /// Only what has this in it shows; in lower case.
    query: String,
    /// Where there is a filter or a search: the rows that pass, in order.
    found: VecDeque<u64>,
    /// Rows before this one are still to be searched.
    unsearched: u64,
}

impl View {
    fn shows_all(&self) -> bool {
        self.filter.is_none() && self.query.is_empty()
    }

    /// Rows before `first` are gone.
    pub(super) fn forget_before(&mut self, first: u64) {
        while self.found.front().is_some_and(|id| *id < first) {
            self.found.pop_front();
        }
        if self.selected.is_some_and(|id| id < first) {
            self.selected = Some(first);
        }
    }
}

impl Trace {
    fn passes(&self, row: &Row, id: u64) -> bool {
        if self.view.filter.as_ref().is_some_and(|(_, call)| *call != row.call) {
            return false;
        }
        if self.view.query.is_empty() {
            return true;
        }
        match &row.held {
            Held::Note(note) => note.key().contains(&self.view.query),
            Held::Here(message) => has(&message.entry.text, &self.view.query),
            Held::Shelved(_) => self
                .rung(id)
                .is_some_and(|rung| matches!(rung, Rung::Message(m) if has(&m.entry.text, &self.view.query))),
        }
    }

    /// Takes the row of this number, and those behind it, among those that show if they pass.
    pub(super) fn show_from(&mut self, id: u64) {
        if self.view.shows_all() {
            return;
        }
        while self.view.found.back().is_some_and(|last| *last >= id) {
            self.view.found.pop_back();
        }
        for id in id..self.end() {
            if self.row(id).is_some_and(|row| self.passes(row, id)) {
                self.view.found.push_back(id);
            }
        }
    }

    /// Begins to look for what shows.
    fn look(&mut self) {
        self.view.found.clear();
        self.view.unsearched = if self.view.shows_all() { self.first } else { self.end() };
        // What is in memory is looked through at once.
        while self.is_searching() && self.view.unsearched > self.shelved {
            self.search_on();
        }
        // A filter alone needs no message.
        while self.is_searching() && self.view.query.is_empty() {
            self.search_on();
        }
        self.keep_selection();
    }

    /// Whether there are rows that a search has not seen.
    pub fn is_searching(&self) -> bool {
        self.view.unsearched > self.first && !self.view.shows_all()
    }

    /// Goes on searching for a few milliseconds, from later rows to older ones.
    pub fn search_on(&mut self) {
        for _ in 0..SLICE {
            if !self.is_searching() {
                break;
            }
            self.view.unsearched -= 1;
            let id = self.view.unsearched;
            if self.row(id).is_some_and(|row| self.passes(row, id)) {
                self.view.found.push_front(id);
            }
        }
        self.keep_selection();
    }

    /// What is selected shows; where it does not, the latest that shows is.
    fn keep_selection(&mut self) {
        if self.view.selected.is_some_and(|id| self.position(id).is_none() && id >= self.view.unsearched) {
            self.view.selected = None;
        }
    }

    /// How many rows show.
    pub fn visible_len(&self) -> usize {
        if self.view.shows_all() { self.rows.len() } else { self.view.found.len() }
    }

    /// The number of the row in this place of those that show.
    pub fn visible(&self, place: usize) -> Option<u64> {
        match self.view.shows_all() {
            true => Some(self.first + place as u64).filter(|_| place < self.rows.len()),
            false => self.view.found.get(place).copied(),
        }
    }

    /// The place of a row among those that show.
    fn position(&self, id: u64) -> Option<usize> {
        match self.view.shows_all() {
            true => self.row(id).and_then(|_| usize::try_from(id - self.first).ok()),
            false => self.view.found.binary_search(&id).ok(),
        }
    }

    /// The selected row's number.
    pub fn selected_id(&self) -> Option<u64> {
        let selected = self.view.selected.filter(|id| self.position(*id).is_some());
        selected.or_else(|| self.visible_len().checked_sub(1).and_then(|last| self.visible(last)))
    }

    /// The selected row's place among those that show.
    pub fn selected_place(&self) -> Option<usize> {
        self.position(self.selected_id()?)
    }

    /// The selected message; `None` too where no message is selected.
    pub fn selected(&self) -> Option<Cow<'_, Message>> {
        match self.rung(self.selected_id()?)? {
            Rung::Message(message) => Some(message),
            Rung::Note(_) => None,
        }
    }

    /// Moves the selection among the rows that show. At the end it follows the latest again.
    pub fn step(&mut self, step: Step) {
        let Some(last) = self.visible_len().checked_sub(1) else { return };
        let now = self.selected_place().unwrap_or(last);
        let then = match step {
            Step::Up(rows) => now.saturating_sub(rows),
            Step::Down(rows) => now.saturating_add(rows).min(last),
        };
        if let Some(id) = self.visible(then) {
            self.select(id);
        }
    }

    /// Moves it to the next message, past what lies between.
    pub fn step_message(&mut self, step: Step) {
        let before = self.view.selected;
        loop {
            let place = self.selected_place();
            self.step(step);
            if self.selected().is_some() {
                return;
            }
            if self.selected_place() == place {
                self.view.selected = before;
                return;
            }
        }
    }

    /// Selects a row; the latest that shows is followed by later ones.
    pub fn select(&mut self, id: u64) {
        let latest = self.visible_len().checked_sub(1).and_then(|last| self.visible(last));
        self.view.selected = (Some(id) != latest).then_some(id);
    }

    /// Stays at the selected row when later ones come.
    pub fn pin(&mut self) {
        self.view.selected = self.selected_id();
    }

    /// Follows the latest row again, if it is the selected one.
    pub fn unpin(&mut self) {
        if let Some(id) = self.view.selected {
            self.select(id);
        }
    }

    /// Shows only what has this in it, in any case.
    pub fn search(&mut self, query: &str) {
        let query = query.trim().to_lowercase();
        if query != self.view.query {
            self.view.query = query;
            self.look();
        }
    }

    /// What is searched for, in lower case.
    pub fn query(&self) -> &str {
        &self.view.query
    }

    /// The Call-ID to which the ladder is limited.
    pub fn filter(&self) -> Option<&str> {
        self.view.filter.as_ref().map(|(call_id, _)| call_id.as_str())
    }

    /// Limits the ladder to the selected row's Call-ID, or shows all again.
    pub fn toggle_filter(&mut self) {
        let selected = self.selected_id();
        let call_id = match selected.and_then(|id| self.rung(id)) {
            Some(Rung::Message(message)) => Some(message.entry.call_id.clone()),
            Some(Rung::Note(note)) => self.call_id(note.call).map(str::to_owned),
            None => None,
        };
        let filter = if self.view.filter.is_some() { None } else { call_id };
        self.set_filter(filter);
        if let Some(id) = selected {
            self.select(id);
        }
    }

    /// Shows the ladder of one call, from its end; false where none of its messages is known.
    pub fn show_call(&mut self, call: CallNo) -> bool {
        let Some(call_id) = self.call_id(call).map(str::to_owned) else { return false };
        self.view.query.clear();
        self.view.selected = None;
        self.set_filter(Some(call_id));
        true
    }

    /// Shows all rows again.
    pub fn show_all(&mut self) {
        self.set_filter(None);
    }

    fn set_filter(&mut self, call_id: Option<String>) {
        self.view.filter = call_id.map(|call_id| {
            let call = hash(&call_id);
            (call_id, call)
        });
        self.look();
    }
}

/// Whether a text has `query`, which is in lower case, in any case.
fn has(text: &str, query: &str) -> bool {
    if text.is_ascii() {
        return text.to_ascii_lowercase().contains(query);
    }
    text.to_lowercase().contains(query)
}
