//! The ladder: SIP messages that crossed the wire and what lies between them, the latest last, and the row that is selected.
//!
//! The latest messages are kept in memory, older ones on a [`shelf`]; of these only a few bytes each stay, so that
//! a hundred thousand can be scrolled through and searched.
//!
//! - `notes.rs`: sound, digits and time-outs between the messages
//! - `shelf.rs`: where older messages are put
//! - `view.rs`: which rows show: the filter, the search, the selection
//! - `timers.rs`: which timer of RFC 3261 sent a message again
//! - `export.rs`, `pcapng.rs`: what is saved

mod export;
pub mod notes;
mod pcapng;
pub mod shelf;
pub mod timers;
mod view;

use std::borrow::Cow;
use std::collections::hash_map::DefaultHasher;
use std::collections::{BTreeMap, VecDeque};
use std::hash::{Hash as _, Hasher as _};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::SystemTime;

use crate::phone::TraceEntry;
use crate::ua::CallNo;

use super::layout::{clean, clean_message};

pub use export::Format;
use notes::Note;
use shelf::{Place, Shelf};
pub use view::Step;
use view::View;

/// Rows that are kept where there is no shelf.
const WITHOUT_SHELF: usize = 2_000;
/// Rows that are kept with one.
const WITH_SHELF: usize = 100_000;
/// Of these, the rows whose messages stay in memory.
const IN_MEMORY: usize = 1_000;
/// Messages back in which a retransmission is looked for.
const LOOK_BACK: usize = 200;
/// Times of retransmissions that are kept: timer A and G send ten at most.
const AGAIN: usize = 12;
/// Calls whose Call-ID is known.
const CALLS: usize = 2_000;
/// Addresses that are told apart.
const LANES: usize = 1_000;

/// A message, and how often it came.
#[derive(Debug, Clone, PartialEq)]
pub struct Message {
    /// As it came first.
    pub entry: TraceEntry,
    /// How often it came: more than once when it was retransmitted.
    pub times: u32,
    /// When it came again, in milliseconds after the first time.
    pub again: Vec<u32>,
}

/// A row of the ladder.
#[derive(Debug, Clone, PartialEq)]
#[allow(clippy::large_enum_variant, reason = "one at a time, looked at and dropped")]
pub enum Rung<'a> {
    /// A SIP message.
    Message(Cow<'a, Message>),
    /// What lies between.
    Note(&'a Note),
}

impl Rung<'_> {
    /// When it happened, or began.
    pub fn time(&self) -> SystemTime {
        match self {
            Rung::Message(message) => message.entry.time,
            Rung::Note(note) => note.time,
        }
    }
}

/// What is kept of a row in memory.
#[derive(Debug, Clone)]
struct Row {
    time: SystemTime,
    /// The hash of its Call-ID.
    call: u64,
    /// The place of the other side's address.
    lane: u16,
    held: Held,
}

#[derive(Debug, Clone)]
enum Held {
    Here(Box<Message>),
    Shelved(Place),
    Note(Box<Note>),
}

/// What is known of a call.
#[derive(Debug, Clone, Default)]
struct KnownCall {
    call_id: String,
    lane: u16,
    /// The row of its sound, while that goes on.
    sound: Option<u64>,
}

/// The bounded ladder.
#[derive(Debug, Clone, Default)]
pub struct Trace {
    rows: VecDeque<Row>,
    /// The number of the first row: rows are numbered from 0, and keep their numbers when older ones go.
    first: u64,
    /// Rows before this one have their messages on the shelf.
    shelved: u64,
    lanes: Vec<SocketAddr>,
    calls: BTreeMap<CallNo, KnownCall>,
    shelf: Option<Arc<Mutex<dyn Shelf>>>,
    view: View,
}

fn hash(call_id: &str) -> u64 {
    let mut hasher = DefaultHasher::new();
    call_id.hash(&mut hasher);
    hasher.finish()
}

impl Trace {
    /// From now on older messages are put there.
    pub fn set_shelf(&mut self, shelf: Arc<Mutex<dyn Shelf>>) {
        self.shelf = Some(shelf);
    }

    /// Adds a message, or counts it to the one that it repeats; the oldest go when there are too many.
    pub fn push(&mut self, mut entry: TraceEntry) {
        entry.summary = clean(&entry.summary);
        entry.cseq = clean(&entry.cseq);
        entry.call_id = clean(&entry.call_id);
        entry.text = clean_message(&entry.text);
        let call = hash(&entry.call_id);
        if self.repeats(call, &entry) {
            return;
        }
        let lane = self.lane(entry.remote);
        if let Some(no) = entry.call {
            let known = self.calls.entry(no).or_default();
            if known.call_id != entry.call_id {
                known.call_id.clone_from(&entry.call_id);
            }
            known.lane = lane;
            if self.calls.len() > CALLS {
                self.calls.pop_first();
            }
        }
        let held = Held::Here(Box::new(Message { entry, times: 1, again: Vec::new() }));
        let Held::Here(message) = &held else { return };
        self.push_row(Row { time: message.entry.time, call, lane, held });
    }

    /// RFC 3261 section 17.1.1.2: a retransmission is the same to the last byte.
    fn repeats(&mut self, call: u64, entry: &TraceEntry) -> bool {
        let known = self.rows.iter_mut().rev().take(LOOK_BACK).filter(|row| row.call == call);
        let same = known.filter_map(|row| match &mut row.held {
            Held::Here(message) => Some(message),
            Held::Shelved(_) | Held::Note(_) => None,
        });
        let Some(message) = same.into_iter().find(|message| is_same(&message.entry, entry)) else { return false };
        message.times = message.times.saturating_add(1);
        if message.again.len() < AGAIN {
            let after = entry.time.duration_since(message.entry.time).unwrap_or_default();
            message.again.push(u32::try_from(after.as_millis()).unwrap_or(u32::MAX));
        }
        true
    }

    fn lane(&mut self, remote: SocketAddr) -> u16 {
        let place = self.lanes.iter().position(|known| *known == remote).unwrap_or_else(|| {
            if self.lanes.len() < LANES {
                self.lanes.push(remote);
            }
            self.lanes.len() - 1
        });
        u16::try_from(place).unwrap_or(u16::MAX)
    }

    /// Adds a row at its time, which is at the end but for events that overtook their message. Gives its number.
    fn push_row(&mut self, row: Row) -> u64 {
        let (time, is_note) = (row.time, matches!(row.held, Held::Note(_)));
        self.rows.push_back(row);
        let mut at = self.rows.len() - 1;
        while let Some(before) = at.checked_sub(1).and_then(|place| self.rows.get(place)) {
            let overtook = !is_note && matches!(before.held, Held::Note(_)) && before.time > time;
            if !overtook {
                break;
            }
            self.rows.swap(at - 1, at);
            for known in self.calls.values_mut() {
                if known.sound == Some(self.first + at as u64 - 1) {
                    known.sound = Some(self.first + at as u64);
                }
            }
            at -= 1;
        }
        let id = self.first + at as u64;
        self.show_from(id);
        self.put_away();
        id
    }

    /// Puts messages on the shelf and lets the oldest go, until what is left is within bounds.
    fn put_away(&mut self) {
        let Some(shelf) = self.shelf.clone() else {
            while self.rows.len() > WITHOUT_SHELF {
                self.drop_first();
            }
            return;
        };
        let mut shelf = shelf.lock().unwrap_or_else(PoisonError::into_inner);
        self.shelved = self.shelved.max(self.first);
        while self.end() - self.shelved > IN_MEMORY as u64 {
            let place = (self.shelved - self.first) as usize;
            self.shelved += 1;
            let Some(row) = self.rows.get_mut(place) else { break };
            if let Held::Here(message) = &row.held {
                match shelf.put(&shelf::encode(message)) {
                    Some(place) => row.held = Held::Shelved(place),
                    // A full disk: what is older than this goes.
                    None => (0..=place).for_each(|_| self.drop_first()),
                }
            }
        }
        let oldest = shelf.oldest();
        let is_gone = |row: &Row| matches!(row.held, Held::Shelved(place) if place.at < oldest);
        while self.rows.len() > WITH_SHELF || self.rows.front().is_some_and(is_gone) {
            self.drop_first();
        }
    }

    fn drop_first(&mut self) {
        if self.rows.pop_front().is_some() {
            self.first += 1;
            self.view.forget_before(self.first);
        }
    }

    /// The number behind the last row's.
    fn end(&self) -> u64 {
        self.first + self.rows.len() as u64
    }

    fn row(&self, id: u64) -> Option<&Row> {
        self.rows.get(usize::try_from(id.checked_sub(self.first)?).ok()?)
    }

    fn row_mut(&mut self, id: u64) -> Option<&mut Row> {
        self.rows.get_mut(usize::try_from(id.checked_sub(self.first)?).ok()?)
    }

    /// What a row shows.
    pub fn rung(&self, id: u64) -> Option<Rung<'_>> {
        match &self.row(id)?.held {
            Held::Here(message) => Some(Rung::Message(Cow::Borrowed(message))),
            Held::Note(note) => Some(Rung::Note(note)),
            Held::Shelved(place) => {
                let shelf = self.shelf.as_ref()?.lock().unwrap_or_else(PoisonError::into_inner);
                shelf::decode(&shelf.get(*place)?).map(|message| Rung::Message(Cow::Owned(message)))
            }
        }
    }

    /// The other side of a row.
    pub fn remote(&self, id: u64) -> Option<SocketAddr> {
        self.lanes.get(usize::from(self.row(id)?.lane)).copied()
    }

    /// The Call-ID of a call, as far as its messages are known.
    pub fn call_id(&self, call: CallNo) -> Option<&str> {
        self.calls.get(&call).map(|known| known.call_id.as_str()).filter(|call_id| !call_id.is_empty())
    }

    /// How many rows are kept.
    pub fn len(&self) -> usize {
        self.rows.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// The messages of the selected one's Call-ID near it, the oldest first.
    pub fn of_same_call(&self) -> impl Iterator<Item = Cow<'_, Message>> {
        const NEAR: u64 = 500;
        let selected = self.selected_id();
        let call = selected.and_then(|id| self.row(id)).map(|row| row.call);
        let near = selected.map_or(0..0, |id| id.saturating_sub(NEAR).max(self.first)..self.end().min(id + NEAR));
        near.filter(move |id| self.row(*id).map(|row| row.call) == call).filter_map(|id| match self.rung(id)? {
            Rung::Message(message) => Some(message),
            Rung::Note(_) => None,
        })
    }
}

fn is_same(known: &TraceEntry, entry: &TraceEntry) -> bool {
    (known.sent, known.remote, &known.cseq) == (entry.sent, entry.remote, &entry.cseq)
        && known.call_id == entry.call_id
        && known.text == entry.text
}

#[cfg(test)]
mod tests;
