//! The SIP messages that crossed the wire, the latest last, and the one that is selected.

use std::collections::VecDeque;

use crate::phone::TraceEntry;

use super::layout::{clean, clean_message};

/// Messages that are kept.
const MESSAGES: usize = 2_000;

/// Messages back in which a retransmission is looked for.
const LOOK_BACK: usize = 200;

/// A message, and how often it came.
#[derive(Debug, Clone)]
pub struct Message {
    /// As it came first.
    pub entry: TraceEntry,
    /// How often it came: more than once when it was retransmitted.
    pub times: u32,
    /// What a search looks at: all of it in lower case.
    key: String,
}

/// The bounded list of messages.
#[derive(Debug, Clone, Default)]
pub struct Trace {
    entries: VecDeque<Message>,
    /// The place of the selected message; `None`: the latest, whichever it is.
    selected: Option<usize>,
    /// Only this Call-ID shows.
    filter: Option<String>,
    /// Only what has this in it shows; in lower case.
    query: String,
}

/// Which way, and how far, the selection moves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// To older messages.
    Up(usize),
    /// To later ones.
    Down(usize),
}

impl Trace {
    /// Adds a message, or counts it to the one that it repeats; the oldest goes when there are too many.
    pub fn push(&mut self, mut entry: TraceEntry) {
        entry.summary = clean(&entry.summary);
        entry.cseq = clean(&entry.cseq);
        entry.text = clean_message(&entry.text);
        // RFC 3261 section 17.1.1.2: a retransmission is the same to the last byte.
        let mut before = self.entries.iter_mut().rev().take(LOOK_BACK);
        let is_same = |known: &TraceEntry| {
            (known.sent, known.remote, &known.cseq) == (entry.sent, entry.remote, &entry.cseq)
                && known.call_id == entry.call_id
                && known.text == entry.text
        };
        if let Some(known) = before.find(|known| is_same(&known.entry)) {
            known.times = known.times.saturating_add(1);
            return;
        }
        self.entries.push_back(Message { key: entry.text.to_lowercase(), entry, times: 1 });
        if self.entries.len() > MESSAGES {
            self.entries.pop_front();
            self.selected = self.selected.map(|place| place.saturating_sub(1));
        }
    }

    fn passes(&self, message: &Message) -> bool {
        self.filter.as_ref().is_none_or(|call_id| *call_id == message.entry.call_id)
            && message.key.contains(&self.query)
    }

    /// The messages that pass the filter, with their places.
    pub fn visible(&self) -> impl DoubleEndedIterator<Item = (usize, &Message)> {
        self.entries.iter().enumerate().filter(|(_, message)| self.passes(message))
    }

    /// All messages, the oldest first.
    pub fn all(&self) -> impl Iterator<Item = &TraceEntry> {
        self.entries.iter().map(|message| &message.entry)
    }

    /// Shows only what has this in it, in any case.
    pub fn search(&mut self, query: &str) {
        self.query = query.trim().to_lowercase();
        // What is selected shows; where nothing does, the latest is selected once something shows.
        if self.selected.is_some_and(|place| !self.visible().any(|(shown, _)| shown == place)) {
            self.selected = None;
        }
    }

    /// What is searched for, in lower case.
    pub fn query(&self) -> &str {
        &self.query
    }

    /// How many are kept.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// The Call-ID to which the list is limited.
    pub fn filter(&self) -> Option<&str> {
        self.filter.as_deref()
    }

    /// The selected message's place.
    pub fn selected_place(&self) -> Option<usize> {
        self.selected.or_else(|| self.visible().last().map(|(place, _)| place))
    }

    /// The selected message.
    pub fn selected(&self) -> Option<&TraceEntry> {
        self.selected_place().and_then(|place| self.entries.get(place)).map(|message| &message.entry)
    }

    /// Moves the selection among the messages that show. At the end it follows the latest again.
    pub fn step(&mut self, step: Step) {
        let Some(selected) = self.selected_place() else { return };
        let target = match step {
            Step::Up(rows) => {
                let above: Vec<usize> =
                    self.visible().map(|(place, _)| place).take_while(|place| *place < selected).collect();
                above.len().checked_sub(rows).map_or(above.first().copied(), |place| above.get(place).copied())
            }
            Step::Down(rows) => {
                let below: Vec<usize> =
                    self.visible().map(|(place, _)| place).skip_while(|place| *place <= selected).collect();
                below.get(rows.saturating_sub(1)).or(below.last()).copied()
            }
        };
        self.select(target.unwrap_or(selected));
    }

    /// Selects a message; the latest that shows is followed by later ones.
    fn select(&mut self, place: usize) {
        let latest = self.visible().last().map(|(place, _)| place);
        self.selected = (Some(place) != latest).then_some(place);
    }

    /// Stays at the selected message when later ones come.
    pub fn pin(&mut self) {
        self.selected = self.selected_place();
    }

    /// Follows the latest message again, if it is the selected one.
    pub fn unpin(&mut self) {
        if let Some(place) = self.selected {
            self.select(place);
        }
    }

    /// Limits the list to the selected message's Call-ID, or shows all again.
    pub fn toggle_filter(&mut self) {
        let selected = self.selected_place();
        self.filter = match self.filter.take() {
            Some(_) => None,
            None => self.selected().map(|entry| entry.call_id.clone()),
        };
        if let Some(place) = selected {
            self.select(place);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::SystemTime;

    use super::*;

    fn entry(summary: &str, call_id: &str) -> TraceEntry {
        TraceEntry {
            time: SystemTime::UNIX_EPOCH,
            sent: true,
            remote: ([192, 0, 2, 1], 5060).into(),
            summary: summary.into(),
            call_id: call_id.into(),
            cseq: "1 INVITE".into(),
            text: summary.into(),
        }
    }

    fn trace(summaries: &[(&str, &str)]) -> Trace {
        let mut trace = Trace::default();
        for (summary, call_id) in summaries {
            trace.push(entry(summary, call_id));
        }
        trace
    }

    fn selected(trace: &Trace) -> &str {
        trace.selected().map_or("", |entry| &entry.summary)
    }

    #[test]
    fn the_latest_message_is_followed_until_one_is_chosen() {
        let mut trace = trace(&[("a", "1"), ("b", "1"), ("c", "1")]);
        assert_eq!(selected(&trace), "c");
        trace.step(Step::Up(1));
        trace.push(entry("d", "1"));
        assert_eq!(selected(&trace), "b");
        trace.step(Step::Down(10));
        trace.push(entry("e", "1"));
        assert_eq!(selected(&trace), "e");
        trace.step(Step::Up(100));
        assert_eq!(selected(&trace), "a");
    }

    #[test]
    fn a_filter_shows_one_call_id() {
        let mut trace = trace(&[("a", "1"), ("b", "2"), ("c", "1")]);
        trace.toggle_filter();
        trace.push(entry("d", "2"));
        assert_eq!(trace.visible().map(|(_, message)| message.entry.summary.as_str()).collect::<Vec<_>>(), ["a", "c"]);
        trace.step(Step::Up(1));
        assert_eq!(selected(&trace), "a");
        trace.toggle_filter();
        assert_eq!((trace.visible().count(), selected(&trace)), (4, "a"));
    }

    #[test]
    fn a_message_that_is_read_stays() {
        let mut trace = trace(&[("a", "1")]);
        trace.pin();
        trace.push(entry("b", "1"));
        assert_eq!(selected(&trace), "a");
        trace.unpin();
        assert_eq!(selected(&trace), "a");
        trace.step(Step::Down(1));
        trace.push(entry("c", "1"));
        assert_eq!(selected(&trace), "c");
    }

    #[test]
    fn it_is_bounded_and_clean() {
        let mut trace = Trace::default();
        trace.step(Step::Up(1));
        trace.push(entry("first\u{1b}[2J", "1"));
        assert_eq!(selected(&trace), "first\u{fffd}[2J");
        trace.pin();
        for number in 0..3 * MESSAGES {
            trace.push(entry(&format!("x{number}"), "1"));
        }
        assert_eq!((trace.len(), selected(&trace)), (MESSAGES, "x4000"));
    }

    #[test]
    fn retransmissions_are_folded_and_counted() {
        let mut trace =
            trace(&[("INVITE", "1"), ("100 Trying", "1"), ("INVITE", "1"), ("INVITE", "1"), ("INVITE", "2")]);
        let times: Vec<u32> = trace.visible().map(|(_, message)| message.times).collect();
        assert_eq!(times, [3, 1, 1]);
        trace.push(TraceEntry { sent: false, ..entry("INVITE", "1") });
        assert_eq!(trace.len(), 4);
    }

    #[test]
    fn a_search_looks_at_whole_messages_in_any_case() {
        let mut trace = trace(&[("INVITE sip:Bob", "1"), ("BYE", "1"), ("ACK sip:bob", "1")]);
        trace.step(Step::Up(1));
        trace.search("SIP:BOB");
        assert_eq!((trace.visible().count(), selected(&trace)), (2, "ACK sip:bob"));
        trace.search("nothing");
        assert!(trace.selected().is_none());
        trace.search("");
        assert_eq!((trace.visible().count(), selected(&trace)), (3, "ACK sip:bob"));
    }
}
