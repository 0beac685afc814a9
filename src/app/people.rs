//! Who is known and who called: their list, the choice in it, and what is suggested while a target is typed.

use std::time::{Duration, SystemTime};

use crate::phone::Command;
use crate::phone::command::People;
use crate::phone::snapshot::LampState;
use crate::services::address::{Who, without_separators};
use crate::services::contacts::Contact;
use crate::services::history::{Direction, Entry, Outcome};
use crate::ua::CallNo;
use crate::ua::event::Lamp;

use super::call::Past;
use super::layout::clean;
use super::line::{Line, Purpose};
use super::trace::Step;
use super::{App, Effect, Screen};

/// An address of somebody: each has a row of its own.
#[derive(Debug, Clone, PartialEq)]
pub struct Known {
    /// Which person: rows of one have the same number.
    pub person: usize,
    /// The person's name.
    pub name: String,
    /// A short one.
    pub nick: Option<String>,
    /// What is called.
    pub address: String,
    /// What the address does, where it is watched.
    pub lamp: Option<Lamp>,
    /// Who rings it, or with whom it talks.
    pub with: Option<String>,
    who: Who,
    key: String,
}

/// A call that is over.
#[derive(Debug, Clone, PartialEq)]
pub struct PastCall {
    /// What is remembered of it.
    pub entry: Entry,
    /// When it began.
    pub at: Option<SystemTime>,
    who: Who,
    key: String,
}

/// All that is known of people.
#[derive(Debug, Clone, Default)]
pub struct Book {
    people: Vec<Known>,
    /// The latest first.
    calls: Vec<PastCall>,
    contacts: Vec<Contact>,
    lamps: Vec<LampState>,
}

/// Which list the keys move in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum List {
    /// The contacts.
    Contacts,
    /// The last calls.
    Calls,
}

/// The pane with both lists.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pane {
    /// The list in which keys move.
    pub list: List,
    /// Only what has this in it shows.
    pub query: String,
    /// The chosen row of the contacts, and of the calls.
    chosen: (usize, usize),
}

/// Somebody to call, or to write to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recipient {
    /// How to name them.
    pub name: String,
    /// What is called.
    pub target: String,
    /// By which account.
    pub account: Option<String>,
}

impl Pane {
    /// A pane that shows everything.
    pub fn new(list: List) -> Pane {
        Pane { list, query: String::new(), chosen: (0, 0) }
    }

    /// Shows only what has this in it.
    pub fn search(&mut self, query: &str) {
        query.clone_into(&mut self.query);
        self.chosen = (0, 0);
    }

    /// The chosen row of a list that has so many.
    pub fn chosen(&self, list: List, rows: usize) -> usize {
        let chosen = match list {
            List::Contacts => self.chosen.0,
            List::Calls => self.chosen.1,
        };
        chosen.min(rows.saturating_sub(1))
    }

    /// The row of a list that was chosen last, whether it is there or not.
    pub(super) fn picked(&self, list: List) -> usize {
        match list {
            List::Contacts => self.chosen.0,
            List::Calls => self.chosen.1,
        }
    }

    pub(super) fn choose(&mut self, row: usize) {
        match self.list {
            List::Contacts => self.chosen.0 = row,
            List::Calls => self.chosen.1 = row,
        }
    }
}

impl Book {
    /// Takes what the phone knows.
    pub fn set(&mut self, people: People) {
        self.calls = people.calls.into_iter().rev().map(past_call).collect();
        if people.contacts != self.contacts {
            self.contacts = people.contacts;
            self.rebuild();
        }
    }

    /// Takes all lamps.
    pub fn set_lamps(&mut self, lamps: Vec<LampState>) {
        self.lamps = lamps.into_iter().map(clean_lamp).collect();
        self.rebuild();
    }

    /// Takes what a lamp shows now.
    pub fn set_lamp(&mut self, lamp: LampState) {
        let lamp = clean_lamp(lamp);
        match self.lamps.iter_mut().find(|known| known.account == lamp.account && known.uri == lamp.uri) {
            Some(known) => *known = lamp.clone(),
            None => {
                self.lamps.push(lamp);
                return self.rebuild();
            }
        }
        let who = Who::of(&lamp.uri);
        for known in self.people.iter_mut().filter(|known| is_same(&known.who, &who)) {
            shine(known, &lamp);
        }
    }

    fn rebuild(&mut self) {
        self.people.clear();
        for (person, contact) in self.contacts.iter().enumerate() {
            let nick = contact.nick.as_deref().map(clean);
            let rows = contact.addresses.iter();
            self.people.extend(rows.map(|address| known(person, clean(&contact.name), nick.clone(), clean(address))));
        }
        for lamp in &self.lamps {
            let who = Who::of(&lamp.uri);
            let mut is_known = false;
            for known in self.people.iter_mut().filter(|known| is_same(&known.who, &who)) {
                shine(known, lamp);
                is_known = true;
            }
            if !is_known {
                let person = self.people.last().map_or(0, |last| last.person + 1);
                let name = lamp.name.clone().unwrap_or_else(|| who.user.clone());
                let mut new = known(person, name, None, lamp.uri.clone());
                shine(&mut new, lamp);
                self.people.push(new);
            }
        }
    }

    /// The addresses that have `query` in them, the best first; all of them in their order where nothing is asked for.
    pub fn people(&self, query: &str) -> Vec<&Known> {
        let query = Query::new(query);
        let mut found: Vec<(u8, &Known)> =
            self.people.iter().filter_map(|known| Some((query.rank(&known.key)?, known))).collect();
        found.sort_by_key(|(rank, _)| *rank);
        found.into_iter().map(|(_, known)| known).collect()
    }

    /// The calls that have `query` in them, the latest first.
    pub fn calls(&self, query: &str) -> Vec<&PastCall> {
        let query = Query::new(query);
        self.calls.iter().filter(|call| query.rank(&call.key).is_some()).collect()
    }

    /// Whether somebody was called before.
    pub fn has_dialled(&self) -> bool {
        self.calls.iter().any(|call| call.entry.direction == Direction::Out)
    }

    /// Whether nobody is known.
    pub fn is_empty(&self) -> bool {
        self.people.is_empty()
    }

    /// Further people that were talked to, each once, the latest first.
    fn strangers(&self, query: &str) -> Vec<&PastCall> {
        let mut seen: Vec<&Who> = Vec::new();
        let mut strangers = Vec::new();
        for call in self.calls(query) {
            let is_new = !call.who.is_anonymous()
                && !seen.iter().any(|who| is_same(who, &call.who))
                && !self.people.iter().any(|known| is_same(&known.who, &call.who));
            if is_new {
                seen.push(&call.who);
                strangers.push(call);
            }
        }
        strangers
    }
}

fn known(person: usize, name: String, nick: Option<String>, address: String) -> Known {
    let who = Who::of(&address);
    let key = [&name, nick.as_deref().unwrap_or_default(), &address, &who.user].join("\n").to_lowercase();
    Known { person, name, nick, address, lamp: None, with: None, who, key }
}

fn past_call(entry: Entry) -> PastCall {
    let entry = Entry {
        account: entry.account.as_deref().map(clean),
        peer: clean(&entry.peer),
        name: entry.name.as_deref().map(clean),
        reason: clean(&entry.reason),
        to: entry.to.as_deref().map(clean),
        ..entry
    };
    let who = Who::of(&entry.peer);
    let key = [entry.name.as_deref().unwrap_or_default(), &entry.peer, &who.user].join("\n").to_lowercase();
    PastCall { at: humantime::parse_rfc3339(&entry.time).ok(), entry, who, key }
}

fn clean_lamp(lamp: LampState) -> LampState {
    LampState {
        uri: clean(&lamp.uri),
        name: lamp.name.as_deref().map(clean),
        remote: lamp.remote.as_deref().map(clean),
        remote_name: lamp.remote_name.as_deref().map(clean),
        ..lamp
    }
}

fn shine(known: &mut Known, lamp: &LampState) {
    known.lamp = Some(lamp.state);
    known.with = lamp.remote_name.clone().or_else(|| lamp.remote.clone());
}

/// The same number anywhere, or the same user at the same host.
fn is_same(a: &Who, b: &Who) -> bool {
    a.user == b.user && (a.host == b.host || a.is_number())
}

/// What is looked for, in lower case.
struct Query {
    whole: String,
    words: Vec<String>,
}

impl Query {
    fn new(text: &str) -> Query {
        let whole = without_separators(text.trim()).to_lowercase();
        Query { words: whole.split_whitespace().map(Into::into).collect(), whole }
    }

    /// How well it fits, 0 being best; `None`: not at all.
    fn rank(&self, key: &str) -> Option<u8> {
        if !self.words.iter().all(|word| key.contains(word.as_str())) {
            return None;
        }
        let begins = |before: &str| key.contains(&format!("{before}{}", self.whole));
        Some(match () {
            () if key.starts_with(&self.whole) => 0,
            () if begins("\n") || begins(" ") || begins(":") => 1,
            () => 2,
        })
    }
}

/// What may be meant by what was typed so far.
#[derive(Debug, Clone, PartialEq)]
pub struct Suggestion {
    /// What takes the place of what was typed.
    pub text: String,
    /// How it is shown.
    pub label: String,
    /// What else is shown of it.
    pub detail: String,
    /// What the address does.
    pub lamp: Option<Lamp>,
}

impl App {
    /// The pane of people, if it is open.
    pub fn people_pane(&self) -> Option<&Pane> {
        self.screens.iter().find_map(|screen| match screen {
            Screen::People(pane) => Some(pane),
            _ => None,
        })
    }

    pub(super) fn people_pane_mut(&mut self) -> Option<&mut Pane> {
        self.screens.iter_mut().find_map(|screen| match screen {
            Screen::People(pane) => Some(pane),
            _ => None,
        })
    }

    /// Who is chosen in the pane.
    pub fn chosen(&self) -> Option<Recipient> {
        let pane = self.people_pane()?;
        match pane.list {
            List::Contacts => {
                let people = self.book.people(&pane.query);
                let known = people.get(pane.chosen(List::Contacts, people.len()))?;
                Some(Recipient { name: known.name.clone(), target: known.address.clone(), account: None })
            }
            List::Calls => {
                let calls = self.book.calls(&pane.query);
                let call = calls.get(pane.chosen(List::Calls, calls.len()))?;
                let entry = Some(&call.entry).filter(|_| !call.who.is_anonymous())?;
                let account = entry.account.clone().filter(|name| self.accounts.iter().any(|own| own.name == *name));
                let name = entry.name.clone().unwrap_or_else(|| self.short(&entry.peer));
                Some(Recipient { name, target: entry.peer.clone(), account })
            }
        }
    }

    /// The list that a person wants to see first: the calls while one was missed, or where nobody is known.
    pub(super) fn first_list(&self) -> List {
        if self.missed > 0 || self.book.is_empty() { List::Calls } else { List::Contacts }
    }

    /// Opens the pane; what was missed is seen by that.
    pub(super) fn open_people(&mut self, list: List) -> Vec<Effect> {
        if self.people_pane().is_none() {
            self.open(Screen::People(Pane::new(list)));
        }
        vec![Effect::Command(Command::People), Effect::Command(Command::History { count: 1 })]
    }

    pub(super) fn other_list(&mut self) -> Vec<Effect> {
        if let Some(pane) = self.people_pane_mut() {
            pane.list = match pane.list {
                List::Contacts => List::Calls,
                List::Calls => List::Contacts,
            };
        }
        Vec::new()
    }

    /// Opens the line in which is typed what to look for.
    pub(super) fn search(&mut self) -> Vec<Effect> {
        if let Some(pane) = self.people_pane_mut() {
            pane.search("");
        }
        self.open(Screen::Line(Line::new(Purpose::Search)))
    }

    /// The pane shows what the line asks for; the list that has it when the other has nothing.
    pub(super) fn follow_search(&mut self) {
        let Some(Screen::Line(line)) = self.screens.last() else { return };
        let (typed, purpose) = (line.input.value().to_owned(), line.purpose);
        match purpose {
            Purpose::Find => self.trace.search(&typed),
            Purpose::Setting => self.settings_with(&typed),
            _ => {}
        }
        if purpose != Purpose::Search {
            return;
        }
        let (people, calls) = (self.book.people(&typed).len(), self.book.calls(&typed).len());
        let Some(pane) = self.people_pane_mut() else { return };
        pane.search(&typed);
        match pane.list {
            List::Contacts if people == 0 && calls > 0 => pane.list = List::Calls,
            List::Calls if calls == 0 && people > 0 => pane.list = List::Contacts,
            List::Contacts | List::Calls => {}
        }
    }

    /// The past call that is chosen in the pane.
    pub fn chosen_call(&self) -> Option<&PastCall> {
        let pane = self.people_pane().filter(|pane| pane.list == List::Calls)?;
        let calls = self.book.calls(&pane.query);
        calls.get(pane.chosen(List::Calls, calls.len())).copied()
    }

    /// The number of the past call that is chosen, where it was in this run.
    pub fn chosen_past(&self) -> Option<CallNo> {
        /// The history's times are those of other clocks: of the moment at which it heard of a call.
        const NEAR: Duration = Duration::from_secs(2);
        let chosen = self.chosen_call()?;
        let at = chosen.at?;
        let is_it = |past: &&Past| {
            let apart = past.began.duration_since(at).or_else(|_| at.duration_since(past.began));
            is_same(&Who::of(&past.peer), &chosen.who) && apart.is_ok_and(|apart| apart < NEAR)
        };
        self.recent.iter().find(is_it).map(|past| past.no).filter(|no| self.trace.call_id(*no).is_some())
    }

    /// Calls who is chosen in the pane, which that closes.
    pub(super) fn call_chosen(&mut self) -> Vec<Effect> {
        let Some(to) = self.chosen() else { return Vec::new() };
        self.screens.clear();
        self.dialled.push(&to.target);
        vec![Effect::Command(Command::Call { account: to.account, target: to.target })]
    }

    /// Opens the line in which is written to who is chosen.
    pub(super) fn write(&mut self) -> Vec<Effect> {
        let Some(to) = self.chosen() else { return Vec::new() };
        let mut line = Line::new(Purpose::Message);
        line.to = Some(Box::new(to));
        self.open(Screen::Line(line))
    }

    /// Moves the choice by so many rows.
    pub(super) fn move_choice(&mut self, step: Step) {
        let Some(pane) = self.people_pane() else { return };
        let list = pane.list;
        let rows = match list {
            List::Contacts => self.book.people(&pane.query).len(),
            List::Calls => self.book.calls(&pane.query).len(),
        };
        let now = pane.chosen(list, rows);
        let then = match step {
            Step::Up(by) => now.saturating_sub(by),
            Step::Down(by) => now.saturating_add(by).min(rows.saturating_sub(1)),
        };
        if let Some(pane) = self.people_pane_mut() {
            pane.choose(then);
        }
    }

    /// Moves what is chosen in the lists beside the calls.
    pub(super) fn move_beside(&mut self, step: Step) {
        let list = self.beside.people.list;
        let rows = match list {
            List::Contacts => self.book.people("").len(),
            List::Calls => self.book.calls("").len(),
        };
        let now = self.beside.people.chosen(list, rows);
        self.beside.people.choose(match step {
            Step::Up(by) => now.saturating_sub(by),
            Step::Down(by) => now.saturating_add(by).min(rows.saturating_sub(1)),
        });
    }

    /// Who may be meant by what was typed: contacts first, then who was talked to.
    pub(super) fn whom(&self, typed: &str, most: usize) -> Vec<Suggestion> {
        let people = self.book.people(typed).into_iter().map(|known| Suggestion {
            text: known.address.clone(),
            label: known.name.clone(),
            detail: known.address.clone(),
            lamp: known.lamp,
        });
        let people: Vec<Suggestion> = people.take(most).collect();
        let left = most - people.len();
        let strangers = match left {
            0 => Vec::new(),
            _ => self.book.strangers(typed),
        };
        let strangers = strangers.into_iter().map(|call| Suggestion {
            text: call.entry.peer.clone(),
            label: call.entry.name.clone().unwrap_or_else(|| self.short(&call.entry.peer)),
            detail: call.entry.peer.clone(),
            lamp: None,
        });
        people.into_iter().chain(strangers.take(left)).collect()
    }
}

/// Whether nobody answered it.
pub fn is_missed(entry: &Entry) -> bool {
    entry.result == Outcome::Missed
}

#[cfg(test)]
mod tests {
    use super::*;

    fn book() -> Book {
        let contact = |name: &str, nick: Option<&str>, addresses: &[&str]| Contact {
            name: name.into(),
            nick: nick.map(Into::into),
            addresses: addresses.iter().map(|address| (*address).into()).collect(),
        };
        let mut book = Book::default();
        book.set(People {
            contacts: vec![
                contact("Carol Bobson", None, &["sip:carol@example.com"]),
                contact("Bob Miller", Some("bm"), &["sip:bob@example.com", "+49 30 123"]),
                contact("Zoë\u{1b}[2J", None, &["600"]),
            ],
            calls: Vec::new(),
        });
        book
    }

    fn lamp(uri: &str, state: Lamp) -> LampState {
        let account = "work".into();
        LampState { account, uri: uri.into(), name: None, state, remote: None, remote_name: Some("Eve".into()) }
    }

    fn names(book: &Book, query: &str) -> Vec<String> {
        book.people(query).into_iter().map(|known| known.name.clone()).collect()
    }

    #[test]
    fn what_is_typed_finds_by_name_nick_and_number_the_best_first() {
        let book = book();
        assert_eq!(names(&book, "bob"), ["Bob Miller", "Bob Miller", "Carol Bobson"]);
        assert_eq!(names(&book, "BM"), ["Bob Miller", "Bob Miller"]);
        assert_eq!(names(&book, "mill bo"), ["Bob Miller", "Bob Miller"]);
        assert_eq!(names(&book, "+49 (30) 1"), ["Bob Miller"]);
        assert_eq!(names(&book, "zoë"), ["Zoë\u{fffd}[2J"]);
        assert!(names(&book, "dave").is_empty());
        assert_eq!(book.people("").len(), 4);
    }

    #[test]
    fn lamps_shine_at_the_address_that_they_watch() {
        let mut book = book();
        book.set_lamps(vec![lamp("sip:bob@example.com:5070", Lamp::Idle), lamp("sip:desk@pbx", Lamp::Unknown)]);
        let lamps: Vec<Option<Lamp>> = book.people("").into_iter().map(|known| known.lamp).collect();
        assert_eq!(lamps, [None, Some(Lamp::Idle), None, None, Some(Lamp::Unknown)]);
        book.set_lamp(lamp("sip:bob@example.com:5070", Lamp::Busy));
        let bob = book.people("sip:bob")[0];
        assert_eq!((bob.lamp, bob.with.as_deref()), (Some(Lamp::Busy), Some("Eve")));
        book.set_lamp(lamp("sip:600@pbx", Lamp::Ringing));
        assert_eq!(book.people("600")[0].lamp, Some(Lamp::Ringing));
        assert_eq!(names(&book, "desk"), ["desk"]);
    }
}
