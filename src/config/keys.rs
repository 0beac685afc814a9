//! A key of the file, and one way to read its value, from TOML or from a variable. Each section's keys are a table in the section's
//! own file.

use std::fmt::Display;
use std::path::PathBuf;

use toml::de::DeValue;

use super::RealmCredentials;

/// A key of section `T`.
pub struct Key<T: 'static> {
    /// As it stands in the file.
    pub name: &'static str,
    /// What its value is, and where it goes.
    pub kind: Kind<T>,
}

/// What a key's value is, and where it goes. The setters say why they refuse a value.
pub enum Kind<T: 'static> {
    /// Free text.
    Text { expected: &'static str, set: fn(&mut T, &str) -> Result<(), String> },
    /// Text that no message ever shows.
    Password { set: fn(&mut T, &str) },
    /// A whole number within limits.
    Number { min: u32, max: u32, set: fn(&mut T, u32) },
    /// True or false.
    Flag { set: fn(&mut T, bool) },
    /// One of some words; `true` and `false` stand without quotes. The setter gets the word's place.
    Choice { words: &'static [&'static str], set: fn(&mut T, usize) },
    /// A list of texts; in a variable they are separated by commas.
    List { expected: &'static str, set: fn(&mut T, Vec<String>) -> Result<(), String> },
    /// Addresses: alternatives, each a text or a list of texts. Only in the file.
    Chains { set: fn(&mut T, Vec<Vec<String>>) -> Result<(), String> },
    /// Credentials of further realms. Only in the file.
    Realms { set: fn(&mut T, Vec<RealmCredentials>) },
    /// Tables with keys of their own, such as `[[exchange.user]]`. Only in the file: `read` goes through them.
    Tables { written: &'static str },
}

/// A value as it was given.
#[derive(Clone, Copy)]
pub enum Given<'a> {
    /// In the file.
    Toml(&'a DeValue<'a>),
    /// In a variable or a flag.
    Text(&'a str),
}

const HOPS: &str = "a list of addresses such as [\"sip:p1.example.com\", \"sip:p2.example.com\"]";
const REALMS: &str =
    "a list such as [{ realm = \"other.example\", user = \"alice\", password_command = \"pass show other\" }]";

impl<T> Key<T> {
    /// Sets the value, or says what was expected and what was found.
    pub fn set(&self, target: &mut T, given: Given<'_>) -> Result<(), String> {
        self.kind.set(target, given).map_err(|reason| {
            let found = match self.kind {
                Kind::Password { .. } => given.type_name(),
                _ => given.describe(),
            };
            let reason = if reason.is_empty() { reason } else { format!(" ({reason})") };
            format!("expected {}, found {found}{reason}", self.kind.expected())
        })
    }
}

impl<T> Kind<T> {
    fn expected(&self) -> String {
        match self {
            Kind::Text { expected, .. } | Kind::List { expected, .. } => (*expected).into(),
            Kind::Password { .. } => "a text in quotes".into(),
            Kind::Number { min, max, .. } => format!("a whole number from {min} to {max}"),
            Kind::Flag { .. } => "true or false".into(),
            Kind::Choice { words, .. } => choice(words),
            Kind::Chains { .. } => HOPS.into(),
            Kind::Realms { .. } => REALMS.into(),
            Kind::Tables { written } => format!("{written}, with two brackets, once for each"),
        }
    }

    /// The error is the reason beyond the type, often empty.
    fn set(&self, target: &mut T, given: Given<'_>) -> Result<(), String> {
        match self {
            Kind::Text { set, .. } => set(target, given.text().ok_or_else(String::new)?),
            Kind::Password { set } => {
                set(target, given.text().ok_or_else(String::new)?);
                Ok(())
            }
            Kind::Number { min, max, set } => {
                let number = given.number().and_then(|n| u32::try_from(n).ok()).ok_or_else(String::new)?;
                if !(*min..=*max).contains(&number) {
                    return Err(String::new());
                }
                set(target, number);
                Ok(())
            }
            Kind::Flag { set } => {
                set(target, given.flag().ok_or_else(String::new)?);
                Ok(())
            }
            Kind::Choice { words, set } => {
                let word = given.word(words).ok_or_else(String::new)?;
                set(target, word);
                Ok(())
            }
            Kind::List { set, .. } => set(target, given.list().ok_or_else(String::new)?),
            Kind::Chains { set } => set(target, given.chains().ok_or_else(String::new)?),
            // Entries are tables with keys of their own: `read` gives them line by line.
            Kind::Realms { .. } | Kind::Tables { .. } => Err(String::new()),
        }
    }
}

impl<'a> Given<'a> {
    fn text(self) -> Option<&'a str> {
        match self {
            Given::Toml(value) => value.as_str(),
            Given::Text(text) => Some(text),
        }
    }

    fn number(self) -> Option<i64> {
        match self {
            Given::Toml(value) => {
                let integer = value.as_integer()?;
                i64::from_str_radix(&integer.as_str().replace('_', ""), integer.radix()).ok()
            }
            Given::Text(text) => text.trim().parse().ok(),
        }
    }

    fn flag(self) -> Option<bool> {
        match self {
            Given::Toml(value) => value.as_bool(),
            Given::Text(text) => match text.trim().to_ascii_lowercase().as_str() {
                "true" | "yes" | "on" | "1" => Some(true),
                "false" | "no" | "off" | "0" => Some(false),
                _ => None,
            },
        }
    }

    fn word(self, words: &[&str]) -> Option<usize> {
        let is_flag = |word: &str| matches!(word, "true" | "false");
        match self {
            Given::Toml(DeValue::Boolean(on)) => words.iter().position(|word| *word == on.to_string()),
            Given::Toml(value) => {
                let text = value.as_str()?;
                words.iter().position(|word| *word == text && !is_flag(word))
            }
            Given::Text(text) => words.iter().position(|word| *word == text.trim()),
        }
    }

    fn list(self) -> Option<Vec<String>> {
        match self {
            Given::Toml(value) => {
                value.as_array()?.iter().map(|item| item.get_ref().as_str().map(String::from)).collect()
            }
            Given::Text(text) => Some(text.split(',').map(|item| item.trim().to_owned()).collect()),
        }
    }

    /// Alternatives, each a chain. A single text stands for a list of one.
    fn chains(self) -> Option<Vec<Vec<String>>> {
        let Given::Toml(value) = self else { return None };
        if let Some(text) = value.as_str() {
            return Some(vec![vec![text.to_owned()]]);
        }
        value
            .as_array()?
            .iter()
            .map(|item| match item.get_ref().as_str() {
                Some(text) => Some(vec![text.to_owned()]),
                None => Given::Toml(item.get_ref()).list(),
            })
            .collect()
    }

    fn describe(self) -> String {
        match self {
            Given::Toml(DeValue::String(text)) => quoted(text),
            Given::Toml(DeValue::Integer(integer)) => integer.to_string(),
            Given::Toml(DeValue::Float(float)) => float.to_string(),
            Given::Toml(DeValue::Boolean(on)) => on.to_string(),
            Given::Toml(DeValue::Datetime(_) | DeValue::Array(_) | DeValue::Table(_)) => self.type_name(),
            Given::Text(text) => quoted(text),
        }
    }

    fn type_name(self) -> String {
        match self {
            Given::Toml(DeValue::String(_)) | Given::Text(_) => "a text",
            Given::Toml(DeValue::Integer(_) | DeValue::Float(_)) => "a number without quotes",
            Given::Toml(DeValue::Boolean(_)) => "true or false without quotes",
            Given::Toml(DeValue::Datetime(_)) => "a date",
            Given::Toml(DeValue::Array(_)) => "a list",
            Given::Toml(DeValue::Table(_)) => "a table",
        }
        .into()
    }
}

fn quoted(text: &str) -> String {
    format!("\"{}\"", text.escape_debug())
}

fn choice(words: &[&str]) -> String {
    let words: Vec<String> = words
        .iter()
        .map(|word| if matches!(*word, "true" | "false") { (*word).into() } else { quoted(word) })
        .collect();
    match words.split_last() {
        Some((last, rest)) if !rest.is_empty() => format!("{} or {last}", rest.join(", ")),
        Some(_) | None => words.concat(),
    }
}

pub(super) fn not_empty(text: &str) -> Result<(), String> {
    if text.trim().is_empty() { Err("it is empty".into()) } else { Ok(()) }
}

pub(super) fn no_controls(text: &str) -> Result<(), String> {
    not_empty(text)?;
    if text.chars().any(char::is_control) { Err("it has control characters".into()) } else { Ok(()) }
}

pub(super) fn in_list(text: &str, fault: impl Display) -> String {
    format!("{}: {fault}", quoted(text))
}

pub(super) fn file(slot: &mut Option<PathBuf>, text: &str) -> Result<(), String> {
    not_empty(text)?;
    *slot = Some(text.into());
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::calls::{self, Calls};
    use crate::ua::config::AutoAnswer;

    #[test]
    fn choices_are_listed_as_they_are_written() {
        assert_eq!(choice(&["false", "true", "idle"]), "false, true or \"idle\"");
        assert_eq!(choice(&["low", "safe"]), "\"low\" or \"safe\"");
    }

    #[test]
    fn variables_are_read_like_the_file() {
        let mut calls = Calls::default();
        let set = |calls: &mut Calls, name: &str, text| {
            calls::KEYS.iter().find(|key| key.name == name).unwrap().set(calls, Given::Text(text))
        };
        set(&mut calls, "auto_answer", "true").unwrap();
        set(&mut calls, "direct_calls", "yes").unwrap();
        set(&mut calls, "ring_timeout", "30").unwrap();
        assert_eq!(calls.auto_answer, AutoAnswer::Always);
        assert_eq!(calls.direct_calls, Some(true));
        assert_eq!(calls.ring_timeout, 30);
        assert_eq!(
            set(&mut calls, "max_calls", "0"),
            Err("expected a whole number from 1 to 10000, found \"0\"".into())
        );
        assert_eq!(set(&mut calls, "direct_calls", "perhaps"), Err("expected true or false, found \"perhaps\"".into()));
    }
}
