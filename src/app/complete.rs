//! Completion: what may follow in the command line, as the usages of the commands say it, and who may be meant in the lines
//! that take a target.

use crate::phone::command::{usages, words};
use crate::services::forwarding::When;

use super::line::{Line, Purpose};
use super::people::Suggestion;
use super::{App, Screen, paste, text};

/// Suggestions at most.
const MOST: usize = 40;

/// What may stand at a place of a command.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Place {
    Account,
    Call,
    Target,
    /// One of these words.
    Words(Vec<String>),
    /// Something that can't be guessed.
    Other,
}

/// A place, whether it may be left out, and whether it may be repeated.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Slot {
    place: Place,
    optional: bool,
    repeated: bool,
}

/// The forms of a command, read from its usage: `hangup [#ID] or hangup all` has two. What else stands there explains.
fn forms(usage: &str) -> Vec<Vec<Slot>> {
    let command = usage.split_whitespace().next().unwrap_or_default();
    let parts = usage.split(", ").flat_map(|part| part.split(" or "));
    let parts = parts.map(|part| part.strip_prefix("or ").unwrap_or(part));
    parts.filter(|part| part.split_whitespace().next() == Some(command)).map(slots).collect()
}

fn slots(form: &str) -> Vec<Slot> {
    let mut slots: Vec<Slot> = Vec::new();
    let mut within = false;
    for token in form.split_whitespace().skip(1) {
        within |= token.starts_with('[');
        let word = token.trim_matches(['[', ']']);
        match (word, slots.last_mut()) {
            ("...", Some(last)) => last.repeated = true,
            _ => slots.push(Slot { place: place(word), optional: within, repeated: false }),
        }
        within &= !token.ends_with(']');
    }
    slots
}

fn place(word: &str) -> Place {
    match word {
        "@ACCOUNT" => Place::Account,
        "#ID" => Place::Call,
        "TARGET" => Place::Target,
        "WHEN" => Place::Words(When::ALL.map(|when| when.word().to_owned()).to_vec()),
        _ if word.contains(|c: char| c.is_ascii_uppercase()) => Place::Other,
        _ => Place::Words(word.split('|').map(Into::into).collect()),
    }
}

fn takes(place: &Place, word: &str) -> bool {
    match place {
        Place::Account => word.starts_with('@'),
        Place::Call => word.starts_with('#'),
        Place::Target => !word.starts_with(['@', '#']),
        Place::Words(words) => words.iter().any(|known| known == word),
        Place::Other => true,
    }
}

/// What may follow these words of a form.
fn following<'a>(form: &'a [Slot], typed: &[&str]) -> Vec<&'a Place> {
    // Those places, from one on, that may come next: up to the first that must not be left out.
    let reach = |from: usize| {
        let optional = form.iter().skip(from).take_while(|slot| slot.optional).count();
        from..=from + optional
    };
    let mut at: Vec<usize> = reach(0).collect();
    for word in typed {
        let mut next = Vec::new();
        for place in at {
            let Some(slot) = form.get(place).filter(|slot| takes(&slot.place, word)) else { continue };
            next.extend(slot.repeated.then_some(place));
            next.extend(reach(place + 1));
        }
        next.sort_unstable();
        next.dedup();
        at = next;
    }
    at.into_iter().filter_map(|place| form.get(place)).map(|slot| &slot.place).collect()
}

impl App {
    /// What may be meant in the line that is typed; the best first.
    pub fn suggestions(&self) -> Vec<Suggestion> {
        let Some(Screen::Line(line)) = self.screens.last() else { return Vec::new() };
        if let Some(kept) = &line.kept {
            return kept.clone();
        }
        let typed = line.input.value().trim();
        match line.purpose {
            Purpose::Call | Purpose::Transfer(_) | Purpose::Forward(_) if !typed.is_empty() => self.whom(typed, MOST),
            Purpose::Call
            | Purpose::Transfer(_)
            | Purpose::Forward(_)
            | Purpose::Message
            | Purpose::Search
            | Purpose::Find
            | Purpose::Value
            | Purpose::Secret
            | Purpose::Setting => Vec::new(),
            Purpose::Command => self.completions(line),
        }
    }

    /// What may stand in the place of the word before the cursor.
    fn completions(&self, line: &Line) -> Vec<Suggestion> {
        let before = line.before_cursor();
        let word = before.rsplit(char::is_whitespace).next().unwrap_or_default();
        let typed: Vec<&str> = before[..before.len() - word.len()].split_whitespace().collect();
        let Some((command, typed)) = typed.split_first() else { return commands(word) };
        let Some(usage) = usages().find(|usage| usage.split_whitespace().next() == Some(command)) else {
            return Vec::new();
        };
        let mut found: Vec<Suggestion> = Vec::new();
        for form in forms(usage) {
            for place in following(&form, typed) {
                for suggestion in self.of_place(place, word) {
                    if !found.contains(&suggestion) {
                        found.push(suggestion);
                    }
                }
            }
        }
        // Few words, then whoever may be meant.
        found.sort_by_key(|suggestion| suggestion.lamp.is_some() || suggestion.label != suggestion.text);
        found.truncate(MOST);
        found
    }

    fn of_place(&self, place: &Place, word: &str) -> Vec<Suggestion> {
        let fits = |text: String, detail: String| {
            let suggestion = Suggestion { label: text.clone(), text, detail, lamp: None };
            Some(suggestion).filter(|suggestion| suggestion.text.starts_with(word))
        };
        match place {
            Place::Account => {
                let accounts = self.accounts.iter().filter(|account| !account.name.contains(char::is_whitespace));
                accounts.filter_map(|account| fits(format!("@{}", account.name), account.uri.clone())).collect()
            }
            Place::Call => {
                let detail = |call| format!("{}, {}", self.who(call), text::call_state(call));
                self.calls.iter().filter_map(|call| fits(call.no.to_string(), detail(call))).collect()
            }
            Place::Words(words) => words.iter().filter_map(|known| fits(known.clone(), String::new())).collect(),
            Place::Target if word.starts_with(['@', '#']) => Vec::new(),
            Place::Target => self.whom(word, MOST).into_iter().filter_map(one_word).collect(),
            Place::Other => Vec::new(),
        }
    }

    /// Completes the word before the cursor: as far as all suggestions agree, then one after the other.
    pub(super) fn complete(&mut self) {
        let found = self.suggestions();
        let Some(Screen::Line(line)) = self.screens.last_mut() else { return };
        let typed = line.before_cursor().rsplit(char::is_whitespace).next().unwrap_or_default().chars().count();
        if line.kept.is_some() {
            let next = line.choice.map_or(0, |choice| (choice + 1) % found.len().max(1));
            if let Some(suggestion) = found.get(next) {
                line.replace_before_cursor(typed, &suggestion.text);
            }
            (line.kept, line.choice) = (Some(found), Some(next));
            return;
        }
        match found.as_slice() {
            [] => {}
            [only] => line.replace_before_cursor(typed, &format!("{} ", only.text)),
            [first, others @ ..] => {
                let agreed = others.iter().fold(first.text.as_str(), |agreed, other| common(agreed, &other.text));
                if agreed.chars().count() > typed {
                    line.replace_before_cursor(typed, agreed);
                } else {
                    line.replace_before_cursor(typed, &first.text);
                    (line.kept, line.choice) = (Some(found), Some(0));
                }
            }
        }
    }
}

fn commands(word: &str) -> Vec<Suggestion> {
    let fitting = words().zip(usages()).filter(|(known, _)| known.starts_with(word));
    let suggestion = |(word, usage): (&str, &str)| Suggestion {
        text: word.to_owned(),
        label: word.to_owned(),
        detail: usage.to_owned(),
        lamp: None,
    };
    let own = OWN_WORDS.iter().filter(|(known, _)| known.starts_with(word)).copied();
    fitting.chain(own).map(suggestion).collect()
}

/// Words that only the UI knows: they open a panel.
const OWN_WORDS: [(&str, &str); 2] =
    [("devices", "devices: choose microphone, speaker and ring"), ("settings", "settings: change the file")];

/// A target as the command line can take it: words end at blanks.
fn one_word(suggestion: Suggestion) -> Option<Suggestion> {
    let text = paste::target(&suggestion.text);
    (!text.contains(char::is_whitespace) && !text.starts_with(['@', '#'])).then_some(Suggestion { text, ..suggestion })
}

/// What both begin with.
fn common<'a>(a: &'a str, b: &str) -> &'a str {
    let differ = a.char_indices().zip(b.chars()).find(|((_, a), b)| a != b);
    let end = differ.map_or(a.len().min(b.len()), |((at, _), _)| at);
    a.get(..end).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn next(usage: &str, typed: &[&str]) -> Vec<String> {
        let forms = forms(usage);
        let places = forms.iter().flat_map(|form| following(form, typed));
        let mut names: Vec<String> = places.map(|place| format!("{place:?}").replace('"', "")).collect();
        names.dedup();
        names
    }

    #[test]
    fn usages_say_what_may_follow() {
        let forward = usages().find(|usage| usage.starts_with("forward")).unwrap();
        let whens = "Words([always, busy, no-answer])";
        assert_eq!(next(forward, &[]), ["Account", whens, "Account", whens, "Words([off])"]);
        assert_eq!(next(forward, &["@work", "busy"]), ["Target", "Words([off])"]);
        assert_eq!(next(forward, &["no-answer", "600"]), ["Other"]);
        assert_eq!(next("hangup [#ID] or hangup all", &[]), ["Call", "Words([all])"]);
        assert_eq!(next("conference [#ID #ID ...]", &["#1", "#2", "#3"]), ["Call"]);
        assert_eq!(next("message [@ACCOUNT] TARGET TEXT", &["bob"]), ["Other"]);
        assert_eq!(next("swap", &[]), [""; 0]);
        assert_eq!(next("swap", &["x"]), [""; 0]);
    }

    #[test]
    fn every_usage_has_a_form() {
        for (word, usage) in words().zip(usages()) {
            assert_eq!(usage.split_whitespace().next(), Some(word));
            assert!(!forms(usage).is_empty(), "{usage}");
        }
    }

    #[test]
    fn what_is_agreed_on_ends_at_whole_characters() {
        assert_eq!(common("zoë", "zoé"), "zo");
        assert_eq!(common("call", "callback"), "call");
        assert_eq!(common("ä", ""), "");
    }
}
