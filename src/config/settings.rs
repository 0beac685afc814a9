//! The settings that can be changed one by one, most of them while the phone runs: what each may be, from the table of keys; what it is
//! for and its default, from the commented file; and when a change takes effect.

use std::path::Path;

use toml::Value as Read;

use super::edit::{self, Section, Value};
use super::keys::{Key, Kind};
use super::{EXAMPLE, account, audio, calls, network, read, sip, ui};

/// What a value may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shape {
    /// `true` or `false`.
    Flag,
    /// One of these words; `true` and `false` stand without quotes.
    Choice(&'static [&'static str]),
    /// A whole number within these limits.
    Number(u32, u32),
    /// A text.
    Text,
    /// Texts, written with commas between them.
    List,
    /// A text that never shows.
    Secret,
}

/// When a change takes effect.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Takes {
    /// At once.
    Now,
    /// At once, but for calls that have agreed on something else already.
    NextCall,
    /// When the phone starts again.
    NextStart,
}

/// Who looks for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Use {
    /// Most people, some day.
    Often,
    /// Who knows why.
    Rare,
}

/// A key of the file, for a person.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Setting {
    /// Its section, without brackets.
    pub section: &'static str,
    /// Which account it is about, from 0; 0 in other sections.
    pub account: usize,
    /// Its name.
    pub key: &'static str,
    /// What its value may be.
    pub shape: Shape,
    /// The value that holds where there is none; `None`: nothing, or it depends.
    pub default: Option<String>,
    /// What it is for: the comment above it in the commented file, as one line.
    pub about: String,
    /// When a change takes effect.
    pub takes: Takes,
    /// Who looks for it.
    pub usage: Use,
}

/// Keys that few people need.
const RARE: &[(&str, &str)] = &[
    ("account", "expires"),
    ("account", "register"),
    ("account", "srtp"),
    ("account", "rewrite_contact"),
    ("account", "gruu"),
    ("account", "mwi"),
    ("account", "watch"),
    ("account", "reg_events"),
    ("audio", "ptime"),
    ("calls", "max_calls"),
    ("calls", "refer_outside"),
    ("calls", "auto_answer_from"),
    ("calls", "bye_also"),
    ("calls", "reliable_ringing"),
    ("calls", "session_expires"),
    ("calls", "direct_calls"),
    ("calls", "emergency"),
    ("calls", "redial_every"),
    ("calls", "redial_times"),
];

/// What a running phone takes over: policies of calls to come. Everything of `[calls]` but these is such.
const AT_START: &[&str] = &["emergency", "direct_calls"];
/// And these of `[audio]`; a device that is open stays so, whatever `latency` says.
const AT_ONCE: &[&str] =
    &["input", "output", "ring", "tones", "ring_tone", "echo_cancellation", "noise_suppression", "auto_gain"];

impl Setting {
    /// `section.key`; of a second account `account.2.key`.
    pub fn name(&self) -> String {
        match self.account {
            0 => format!("{}.{}", self.section, self.key),
            place => format!("{}.{}.{}", self.section, place + 1, self.key),
        }
    }

    /// Where it stands in the file.
    pub fn place(&self) -> Section<'static> {
        match self.section {
            ACCOUNT => Section::Account(self.account),
            section => Section::Named(section),
        }
    }

    /// The value that stands in a text, for a person; `None`: none does. A secret is [`HIDDEN`].
    pub fn value_in(&self, text: &str) -> Option<String> {
        let value = edit::get(text, self.place(), self.key)?;
        Some(if self.shape == Shape::Secret { HIDDEN.into() } else { shown(&value) })
    }

    /// The key that can't stand beside this one: the password is given in one way.
    pub fn instead_of(&self) -> Option<&'static str> {
        match (self.section, self.key) {
            (ACCOUNT, "password") => Some("password_command"),
            (ACCOUNT, "password_command") => Some("password"),
            _ => None,
        }
    }

    /// What a person typed as a value, checked as the file is.
    ///
    /// # Errors
    /// What was expected and what was found.
    pub fn parse(&self, typed: &str) -> Result<Value, String> {
        let typed = typed.trim();
        let value = match self.shape {
            Shape::Flag | Shape::Choice(_) => match typed {
                "true" => Value::Flag(true),
                "false" => Value::Flag(false),
                word => Value::Text(word.to_owned()),
            },
            Shape::Number(..) => typed.parse().map_or_else(|_| Value::Text(typed.to_owned()), Value::Number),
            Shape::Text | Shape::Secret => Value::Text(typed.to_owned()),
            Shape::List => {
                let items = typed.split(',').map(str::trim).filter(|item| !item.is_empty());
                Value::List(items.map(str::to_owned).collect())
            }
        };
        let written = format!("{} = {}\n", self.key, value.written());
        let text = alone(self.section, self.key, &written);
        match read::read(Path::new(""), &text) {
            Ok(_) => Ok(value),
            Err(error) => {
                let name = format!("{}.{}: ", self.section, self.key);
                Err(error.problem.trim_start_matches(&name).to_owned())
            }
        }
    }

    /// The words among which a person chooses.
    pub fn words(&self) -> Option<Vec<&'static str>> {
        match self.shape {
            Shape::Flag => Some(vec!["true", "false"]),
            Shape::Choice(words) => Some(words.to_vec()),
            Shape::Number(..) | Shape::Text | Shape::List | Shape::Secret => None,
        }
    }
}

/// The section of accounts.
pub const ACCOUNT: &str = "account";
/// What stands for a secret.
pub const HIDDEN: &str = "set, and not shown";

/// All of them, in the order of the file: the account, sound, calls, the terminal UI, SIP.
pub fn all() -> Vec<Setting> {
    with_accounts(1)
}

/// All of them, where there are so many accounts.
pub fn with_accounts(count: usize) -> Vec<Setting> {
    let mut settings = Vec::new();
    for account in 0..count {
        let first = settings.len();
        of(ACCOUNT, account::KEYS, &mut settings);
        settings[first..].iter_mut().for_each(|setting| setting.account = account);
    }
    of("audio", audio::KEYS, &mut settings);
    of("calls", calls::KEYS, &mut settings);
    of("ui", ui::KEYS, &mut settings);
    of("sip", sip::KEYS, &mut settings);
    of("network", network::KEYS, &mut settings);
    settings
}

/// How many accounts a text has.
pub fn accounts_in(text: &str) -> usize {
    let table = text.parse::<toml::Table>().ok();
    table.as_ref().and_then(|table| table.get(ACCOUNT)?.as_array().map(Vec::len)).unwrap_or(0)
}

/// The setting of a name such as `calls.dtmf` or `account.2.uri`.
pub fn named(name: &str) -> Option<Setting> {
    let place = name.strip_prefix("account.").and_then(|rest| rest.split_once('.')?.0.parse::<usize>().ok());
    let (account, plain) = match place {
        Some(place) => (
            place.checked_sub(1).filter(|account| *account < MOST_ACCOUNTS)?,
            name.replacen(&format!("{place}."), "", 1),
        ),
        None => (0, name.to_owned()),
    };
    let setting = all().into_iter().find(|setting| setting.name() == plain)?;
    Some(Setting { account, ..setting })
}

/// Accounts whose settings have names.
const MOST_ACCOUNTS: usize = 1_000;

fn of<T>(section: &'static str, keys: &'static [Key<T>], settings: &mut Vec<Setting>) {
    for key in keys {
        let Some(shape) = shape(&key.kind) else { continue };
        let takes = match section {
            "calls" if !AT_START.contains(&key.name) => Takes::Now,
            "audio" if matches!(key.name, "codecs" | "ptime" | "dtx" | "latency") => Takes::NextCall,
            "audio" if AT_ONCE.contains(&key.name) => Takes::Now,
            // The UI that changes it takes it over itself.
            "ui" if key.name != "mouse" => Takes::Now,
            _ => Takes::NextStart,
        };
        let is_rare = matches!(section, "sip" | "network") || RARE.contains(&(section, key.name));
        let usage = if is_rare { Use::Rare } else { Use::Often };
        let (about, default) = example(section, key.name);
        settings.push(Setting { section, account: 0, key: key.name, shape, default, about, takes, usage });
    }
}

fn shape<T>(kind: &Kind<T>) -> Option<Shape> {
    match kind {
        Kind::Flag { .. } => Some(Shape::Flag),
        Kind::Choice { words, .. } => Some(Shape::Choice(words)),
        Kind::Number { min, max, .. } => Some(Shape::Number(*min, *max)),
        Kind::Text { .. } => Some(Shape::Text),
        Kind::List { .. } => Some(Shape::List),
        Kind::Password { .. } => Some(Shape::Secret),
        Kind::Chains { .. } | Kind::Realms { .. } | Kind::Tables { .. } => None,
    }
}

/// What the commented file says of a key: the comment above it, and the value if it is the default.
fn example(section: &str, key: &str) -> (String, Option<String>) {
    let header = if section == ACCOUNT { format!("#[[{section}]]") } else { format!("#[{section}]") };
    let all: Vec<&str> = EXAMPLE.lines().collect();
    let Some(first) = all.iter().position(|line| *line == header) else { return (String::new(), None) };
    let own = all[first + 1..].iter().take_while(|line| !line.starts_with("#[")).count();
    // "# key = ..." is another way.
    let is_way = |line: &str| line.strip_prefix("# ").is_some_and(|rest| is_key(rest, key));
    let is_setting = |line: &str| line.starts_with('#') && !line.starts_with("# ") || is_way(line);
    let is_own = |line: &&str| line.strip_prefix('#').is_some_and(|rest| is_key(rest, key)) || is_way(line);
    let Some(place) = all[first + 1..=first + own].iter().position(is_own) else {
        return (String::new(), None);
    };
    let lines = &all[..=first + own];
    let place = first + 1 + place;
    let above = lines[..place].iter().rev();
    // Keys that belong together have one comment above the first, and that of a section is that of its first key too.
    let comment = above.skip_while(|line| is_setting(line)).take_while(|line| line.starts_with("# "));
    let mut comment: Vec<&str> = comment.map(|line| line.trim_start_matches("# ").trim()).collect();
    comment.reverse();
    let written = lines[place].trim_start_matches(['#', ' ']);
    let (with, without) = (alone(section, key, written), alone(section, key, ""));
    let read = |text: &str| read::read(Path::new(""), text).ok();
    let is_default = read(&with).is_some_and(|config| Some(config) == read(&without));
    let place = if section == ACCOUNT { Section::Account(0) } else { Section::Named(section) };
    let default = is_default.then(|| edit::get(&with, place, key)).flatten();
    (comment.join(" "), default.map(|value| shown(&value)))
}

/// A file with this line of a section alone; an account has an address, whatever else.
fn alone(section: &str, key: &str, line: &str) -> String {
    match (section, key) {
        (ACCOUNT, "uri") => format!("[[account]]\n{line}\n"),
        (ACCOUNT, _) => format!("[[account]]\nuri = \"sip:alice@pbx.example.com\"\n{line}\n"),
        _ => format!("[{section}]\n{line}\n"),
    }
}

fn is_key(line: &str, key: &str) -> bool {
    line.strip_prefix(key).is_some_and(|rest| rest.trim_start().starts_with('='))
}

/// A value for a person: without quotes and brackets.
fn shown(value: &Read) -> String {
    match value {
        Read::String(text) => text.clone(),
        Read::Array(items) => items.iter().map(shown).collect::<Vec<_>>().join(", "),
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_setting_says_what_it_is_for() {
        let settings = all();
        for setting in &settings {
            assert!(setting.about.len() > 8, "{} has no comment in config.example.toml", setting.name());
            if let (Some(default), Some(words)) = (&setting.default, setting.words()) {
                assert!(words.contains(&default.as_str()), "{}: {default}", setting.name());
            }
            if let Some(default) = &setting.default {
                assert!(setting.parse(default).is_ok(), "{}: {default}", setting.name());
            }
        }
        for (section, key) in RARE {
            assert!(named(&format!("{section}.{key}")).is_some(), "{section}.{key}");
        }
        let dtmf = named("calls.dtmf").unwrap();
        assert_eq!(dtmf.default.as_deref(), Some("auto"));
        assert_eq!(dtmf.takes, Takes::Now);
        assert_eq!(named("calls.park").unwrap().default, None);
        assert_eq!(named("audio.codecs").unwrap().default.as_deref(), Some("opus, G722, PCMU, PCMA"));
    }

    #[test]
    fn what_is_typed_is_checked_as_the_file_is() {
        let parse = |name: &str, typed: &str| named(name).unwrap().parse(typed);
        assert_eq!(parse("calls.auto_answer", "idle"), Ok(Value::Text("idle".into())));
        assert_eq!(parse("calls.auto_answer", "true"), Ok(Value::Flag(true)));
        assert_eq!(parse("calls.ring_timeout", " 30 "), Ok(Value::Number(30)));
        assert_eq!(parse("audio.codecs", "PCMA, opus ,"), Ok(Value::List(vec!["PCMA".into(), "opus".into()])));
        assert_eq!(
            parse("calls.ring_timeout", "soon"),
            Err("expected a whole number from 1 to 3600, found \"soon\"".into())
        );
        assert_eq!(
            parse("calls.hold", "one"),
            Err("expected \"zero\", \"sendonly\" or \"inactive\", found \"one\"".into())
        );
        assert!(parse("audio.codecs", "speex").is_err());
    }
}
