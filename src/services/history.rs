//! The calls that were: what is remembered of each, and the file's lines. One JSON object a line; the file is only ever
//! appended to, so that whatever interrupts a write costs at most the line that was being written.

use std::collections::VecDeque;

use serde::{Deserialize, Serialize};

/// Calls that are remembered.
pub const KEPT: usize = 1000;

/// Which way a call went.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[allow(missing_docs)]
pub enum Direction {
    In,
    Out,
}

/// How a call ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Outcome {
    /// It was answered.
    Answered,
    /// It rang here and nobody answered.
    Missed,
    /// It rang here, and another phone of the person's took it.
    Elsewhere,
    /// The person refused it.
    Refused,
    /// We called, and nobody answered or it could not be reached.
    Failed,
    /// We called and gave up.
    Cancelled,
    /// A rule, or do not disturb, refused it.
    Screened,
    /// It was sent elsewhere.
    Diverted,
}

/// What is remembered of a call.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Entry {
    /// When it began: RFC 3339, UTC.
    pub time: String,
    /// Which way it went.
    pub direction: Direction,
    /// The account, if it had one.
    #[serde(default)]
    pub account: Option<String>,
    /// The other side's URI.
    pub peer: String,
    /// The other side's name.
    #[serde(default)]
    pub name: Option<String>,
    /// How it ended.
    pub result: Outcome,
    /// The status code that ended it.
    #[serde(default)]
    pub code: Option<u16>,
    /// Why it ended; for a screened call the rule's name.
    #[serde(default)]
    pub reason: String,
    /// Seconds from the answer to the end.
    #[serde(default)]
    pub duration_s: f64,
    /// The sound's quality, 1 to 4.5, where it was measured.
    #[serde(default)]
    pub mos: Option<f64>,
    /// Where it was sent.
    #[serde(default)]
    pub to: Option<String>,
}

/// A line of the file.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Record {
    /// A call.
    Call(Entry),
    /// The person has seen the calls before this; when (RFC 3339).
    Seen(String),
}

impl Record {
    /// The line, with its end.
    pub fn line(&self) -> String {
        // Strings and numbers only: it can't fail.
        serde_json::to_string(self).unwrap_or_default() + "\n"
    }
}

/// What a file holds.
#[derive(Debug, Clone, PartialEq)]
pub struct Read {
    /// Its records.
    pub records: Vec<Record>,
    /// Up to where its lines are whole. What is behind was torn and holds nothing.
    pub whole: usize,
    /// The last line is whole but for its end.
    pub unended: bool,
}

/// Reads a file's bytes. Lines that can't be read are passed over.
pub fn read(bytes: &[u8]) -> Read {
    let parse = |line: &[u8]| serde_json::from_slice::<Record>(line).ok();
    let mut read = Read { records: Vec::new(), whole: 0, unended: false };
    for line in bytes.split_inclusive(|byte| *byte == b'\n') {
        match line.strip_suffix(b"\n") {
            Some(line) => read.records.extend(parse(line)),
            None => match parse(line) {
                Some(record) => {
                    read.records.push(record);
                    read.unended = true;
                }
                None => return read,
            },
        }
        read.whole += line.len();
    }
    read
}

/// The calls, the oldest first, as many as are kept.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct History {
    entries: VecDeque<Entry>,
    /// How many of them, from the oldest on, the person has seen.
    seen: usize,
}

impl History {
    /// From the file's records.
    pub fn from_records(records: impl IntoIterator<Item = Record>) -> History {
        let mut history = History::default();
        records.into_iter().for_each(|record| history.take(record));
        history
    }

    /// Takes a record.
    pub fn take(&mut self, record: Record) {
        match record {
            Record::Seen(_) => self.seen = self.entries.len(),
            Record::Call(entry) => {
                self.entries.push_back(entry);
                if self.entries.len() > KEPT {
                    self.entries.pop_front();
                    self.seen = self.seen.saturating_sub(1);
                }
            }
        }
    }

    /// The last `count` calls, the latest last.
    pub fn last(&self, count: usize) -> impl DoubleEndedIterator<Item = &Entry> {
        self.entries.iter().skip(self.entries.len().saturating_sub(count))
    }

    /// All calls, the oldest first.
    pub fn entries(&self) -> impl DoubleEndedIterator<Item = &Entry> {
        self.entries.iter()
    }

    /// Missed calls that the person has not seen.
    pub fn missed(&self) -> usize {
        self.entries.iter().skip(self.seen).filter(|entry| entry.result == Outcome::Missed).count()
    }

    /// The file as short as it can be.
    pub fn lines(&self, now: &str) -> String {
        let mut text = String::new();
        for (place, entry) in self.entries.iter().enumerate() {
            text.push_str(&Record::Call(entry.clone()).line());
            if place + 1 == self.seen {
                text.push_str(&Record::Seen(now.to_owned()).line());
            }
        }
        text
    }

    /// Whom we called last.
    pub fn last_dialled(&self) -> Option<&Entry> {
        self.entries.iter().rev().find(|entry| entry.direction == Direction::Out)
    }

    /// Who called last: the last missed call, else the last that came in. Callers whom a rule refused do not count.
    pub fn last_caller(&self) -> Option<&Entry> {
        let came = || self.entries.iter().rev().filter(|entry| entry.direction == Direction::In);
        let missed = came().find(|entry| entry.result == Outcome::Missed);
        missed.or_else(|| came().find(|entry| !matches!(entry.result, Outcome::Screened)))
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    pub(crate) fn entry(peer: &str, direction: Direction, result: Outcome) -> Entry {
        Entry {
            time: "2026-01-02T03:04:05.678Z".into(),
            direction,
            account: Some("work".into()),
            peer: peer.into(),
            name: Some("Zoë \"Z\"".into()),
            result,
            code: Some(200),
            reason: "hung up".into(),
            duration_s: 1.5,
            mos: Some(4.2),
            to: None,
        }
    }

    fn missed(peer: &str) -> Record {
        Record::Call(entry(peer, Direction::In, Outcome::Missed))
    }

    #[test]
    fn a_file_torn_at_any_byte_loses_nothing_before_it() {
        let records = [missed("sip:a@x"), Record::Seen("2026-01-02T03:04:05Z".into()), missed("sip:b@x")];
        let lines: Vec<String> = records.iter().map(Record::line).collect();
        let all = lines.concat().into_bytes();
        for cut in 0..=all.len() {
            let read = read(&all[..cut]);
            let mut whole = 0;
            let mut expected = 0;
            for line in &lines {
                // A line that lacks nothing but its end is whole.
                if cut >= whole + line.len() - 1 {
                    expected += 1;
                    whole += line.len();
                } else {
                    break;
                }
            }
            assert_eq!(read.records, records[..expected], "cut at {cut}");
            assert_eq!(read.whole, whole.min(cut), "cut at {cut}");
            assert_eq!(read.unended, whole == cut + 1, "cut at {cut}");
        }
    }

    #[test]
    fn what_is_no_record_is_passed_over() {
        let text =
            format!("nonsense\n{}\n\u{0}\u{0}\n{}", missed("sip:a@x").line().trim_end(), missed("sip:b@x").line());
        assert_eq!(read(text.as_bytes()).records.len(), 2);
        assert_eq!(read(text.as_bytes()).whole, text.len());
        assert_eq!(read(b"\xff\xfe\n").records, []);
    }

    #[test]
    fn missed_calls_count_until_they_are_seen() {
        let mut history = History::from_records([missed("sip:a@x"), missed("sip:b@x")]);
        assert_eq!(history.missed(), 2);
        history.take(Record::Seen("now".into()));
        assert_eq!(history.missed(), 0);
        history.take(missed("sip:c@x"));
        assert_eq!(history.missed(), 1);
        let again = History::from_records(read(history.lines("now").as_bytes()).records);
        assert_eq!(again, history);
    }

    #[test]
    fn it_is_bounded() {
        let mut history = History::default();
        for number in 0..KEPT + 5 {
            history.take(missed(&format!("sip:{number}@x")));
            if number == 2 {
                history.take(Record::Seen("now".into()));
            }
        }
        assert_eq!(history.entries().count(), KEPT);
        assert_eq!(history.missed(), KEPT);
        assert_eq!(history.entries().next().unwrap().peer, "sip:5@x");
        assert_eq!(history.last(2).map(|entry| entry.peer.as_str()).collect::<Vec<_>>(), ["sip:1003@x", "sip:1004@x"]);
    }

    #[test]
    fn whom_redial_and_callback_mean() {
        let call = |peer: &str, direction, result| Record::Call(entry(peer, direction, result));
        let mut history = History::default();
        assert!(history.last_dialled().is_none() && history.last_caller().is_none());
        history.take(call("sip:out@x", Direction::Out, Outcome::Failed));
        history.take(call("sip:in@x", Direction::In, Outcome::Answered));
        history.take(call("sip:spam@x", Direction::In, Outcome::Screened));
        assert_eq!(history.last_dialled().unwrap().peer, "sip:out@x");
        assert_eq!(history.last_caller().unwrap().peer, "sip:in@x");
        history.take(missed("sip:missed@x"));
        history.take(call("sip:in2@x", Direction::In, Outcome::Answered));
        assert_eq!(history.last_caller().unwrap().peer, "sip:missed@x");
    }
}
