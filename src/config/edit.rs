//! Changes one key in the text of the file and nothing else: comments, order, blanks and line ends stay as the person has
//! them.
//!
//! A key that is there gets another value in its place. One that is not there takes the place of its commented line, where
//! the file still has the text that `config init` wrote; else it is added at the end of its section.

use std::ops::Range;

use toml::{Table, Value as Read};
use toml_edit::Document;

/// A section of the file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Section<'a> {
    /// `[audio]`.
    Named(&'a str),
    /// The `[[account]]` of this place, from 0; the first is made if there is none.
    Account(usize),
}

/// A value to be written.
#[derive(Debug, Clone, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum Value {
    Text(String),
    Number(u32),
    Flag(bool),
    List(Vec<String>),
}

/// Why a text can't be changed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EditError {
    /// It has a fault already.
    #[error("the file is not valid TOML: {0}")]
    Invalid(String),
    /// It is written in a way that this does not change.
    #[error("{0} is written in a way that only a text editor can change")]
    ByHand(String),
}

impl Value {
    /// As it is written.
    pub fn written(&self) -> String {
        match self {
            Value::Text(text) => quoted(text),
            Value::Number(number) => number.to_string(),
            Value::Flag(on) => on.to_string(),
            Value::List(items) => {
                let items: Vec<String> = items.iter().map(|item| quoted(item)).collect();
                format!("[{}]", items.join(", "))
            }
        }
    }

    fn read(&self) -> Read {
        match self {
            Value::Text(text) => Read::String(text.clone()),
            Value::Number(number) => Read::Integer((*number).into()),
            Value::Flag(on) => Read::Boolean(*on),
            Value::List(items) => Read::Array(items.iter().cloned().map(Read::String).collect()),
        }
    }
}

fn quoted(text: &str) -> String {
    toml_edit::Value::from(text).to_string()
}

/// The text with another value of a key; `None`: without the key, which is commented out.
///
/// # Errors
/// The text is no TOML, or the key stands where this does not reach, such as in an inline table.
pub fn set(text: &str, section: Section<'_>, key: &str, value: Option<&Value>) -> Result<String, EditError> {
    let table = read(text)?;
    if value.is_none() && get(text, section, key).is_none() {
        return Ok(text.to_owned());
    }
    let by_hand = || EditError::ByHand(format!("{}.{key}", section.name()));
    let wanted = wanted(&table, section, key, value).ok_or_else(by_hand)?;
    if wanted == table {
        return Ok(text.to_owned());
    }
    let map = Map::of(text, section)?;
    let mut tries = match value {
        Some(value) => vec![map.replaced(key, value), map.uncommented(key, value), map.added(key, value)],
        None => vec![map.commented_out(key)],
    }
    .into_iter()
    .flatten();
    // Whatever the text looks like: nothing but this key may mean something else than before.
    tries.find(|changed| read(changed).is_ok_and(|changed| changed == wanted)).ok_or_else(by_hand)
}

/// The value of a key as it is read; `None`: it is not there.
pub fn get(text: &str, section: Section<'_>, key: &str) -> Option<Read> {
    let table = read(text).ok()?;
    let section = match section {
        Section::Named(name) => table.get(name)?.as_table()?,
        Section::Account(place) => table.get("account")?.as_array()?.get(place)?.as_table()?,
    };
    section.get(key).cloned()
}

fn read(text: &str) -> Result<Table, EditError> {
    text.parse::<Table>().map_err(|error| EditError::Invalid(error.message().replace('\n', "; ")))
}

/// What the changed text is to mean.
fn wanted(table: &Table, section: Section<'_>, key: &str, value: Option<&Value>) -> Option<Table> {
    let mut table = table.clone();
    let section = match section {
        Section::Named(name) => {
            let entry = table.entry(name).or_insert_with(|| Read::Table(Table::new()));
            entry.as_table_mut()?
        }
        Section::Account(place) => {
            let one = || Read::Array(vec![Read::Table(Table::new())]);
            table.entry("account").or_insert_with(one).as_array_mut()?.get_mut(place)?.as_table_mut()?
        }
    };
    match value {
        Some(value) => section.insert(key.to_owned(), value.read()),
        None => section.remove(key),
    };
    Some(table)
}

impl Section<'_> {
    fn name(self) -> &'static str {
        match self {
            Section::Named(name) => SECTIONS.iter().find(|known| **known == name).unwrap_or(&"the section"),
            Section::Account(_) => "account",
        }
    }

    /// The line that begins it.
    fn header(self) -> String {
        match self {
            Section::Named(name) => format!("[{name}]"),
            Section::Account(_) => "[[account]]".into(),
        }
    }
}

/// Those that are changed one key at a time.
const SECTIONS: [&str; 5] = ["sip", "audio", "calls", "ui", "network"];

/// The key whose value nobody is to find, not even in a comment.
const SECRET: &str = "password";

/// Where the things of a section stand in a text.
struct Map<'a> {
    text: &'a str,
    section: Section<'a>,
    /// The header, if the section is there.
    header: Option<Range<usize>>,
    /// Each key and its value, from the key's first byte to the value's last.
    keys: Vec<(String, Range<usize>, Range<usize>)>,
}

impl<'a> Map<'a> {
    fn of(text: &'a str, section: Section<'a>) -> Result<Map<'a>, EditError> {
        let document =
            Document::parse(text).map_err(|error| EditError::Invalid(error.message().replace('\n', "; ")))?;
        let root = document.as_table();
        let table = match section {
            Section::Named(name) => root.get(name).and_then(|item| item.as_table()),
            Section::Account(place) => root.get("account").and_then(|item| item.as_array_of_tables()?.get(place)),
        };
        let mut map = Map { text, section, header: None, keys: Vec::new() };
        let Some(table) = table.filter(|table| !table.is_dotted() && !table.is_implicit()) else { return Ok(map) };
        map.header = table.span();
        for (name, item) in table.iter() {
            let (key, value) =
                (table.key(name).and_then(|key| key.span()), item.as_value().and_then(|value| value.span()));
            if let (Some(key), Some(value)) = (key, value) {
                map.keys.push((name.to_owned(), key, value));
            }
        }
        Ok(map)
    }

    /// Another value in the place of the one that is there.
    fn replaced(&self, key: &str, value: &Value) -> Option<String> {
        let (_, _, place) = self.keys.iter().find(|(name, ..)| name == key)?;
        self.spliced(place.clone(), &value.written())
    }

    /// The value in the place of the commented line of its key, and a header that is no comment any more.
    fn uncommented(&self, key: &str, value: &Value) -> Option<String> {
        let headers = [self.section.header(), format!("#{}", self.section.header())];
        let is_header = |line: &str, header: &String| line.trim_end() == header;
        let lines: Vec<Range<usize>> = lines(self.text).collect();
        let first = match &self.header {
            Some(header) => lines.iter().position(|line| line.contains(&header.start))?,
            None => lines.iter().position(|line| is_header(&self.text[line.clone()], &headers[1]))?,
        };
        let ends = |line: &&Range<usize>| !self.text[(*line).clone()].trim_start_matches('#').starts_with('[');
        let own = || lines.iter().skip(first + 1).take_while(ends);
        // "# key = ..." is another way that a comment shows; "#key = ..." is the way that the example shows.
        let written = |prefix: &str| {
            let prefix = format!("{prefix}{key} =");
            own().find(|line| self.text[(*line).clone()].starts_with(&prefix)).cloned()
        };
        let place = written("#").or_else(|| written("# "))?;
        let text = self.text[place.clone()].trim_end_matches(['\r', '\n']).len();
        let changed = self.spliced(place.start..place.start + text, &format!("{key} = {}", value.written()))?;
        match self.header {
            Some(_) => Some(changed),
            None => {
                let header = lines[first].start;
                Some(format!("{}{}", &changed[..header], &changed[header + 1..]))
            }
        }
    }

    /// The key at the end of its section, which is added where it is missing.
    fn added(&self, key: &str, value: &Value) -> Option<String> {
        let end = if self.text.contains("\r\n") { "\r\n" } else { "\n" };
        let line = format!("{key} = {}", value.written());
        let last = self.keys.iter().map(|(_, _, value)| value.end).chain(self.header.clone().map(|header| header.end));
        let Some(last) = last.max() else {
            let gap = if self.text.is_empty() || self.text.ends_with('\n') { "" } else { end };
            let blank = if self.text.trim().is_empty() { "" } else { end };
            return Some(format!("{}{gap}{blank}{}{end}{line}{end}", self.text, self.section.header()));
        };
        match self.text[last..].find('\n') {
            Some(rest) => self.spliced(last + rest + 1..last + rest + 1, &format!("{line}{end}")),
            None => Some(format!("{}{end}{line}{end}", self.text)),
        }
    }

    /// The key's lines as comments; a secret does not stay in one.
    fn commented_out(&self, key: &str) -> Option<String> {
        let (_, from, to) = self.keys.iter().find(|(name, ..)| name == key)?;
        let start = self.text[..from.start].rfind('\n').map_or(0, |at| at + 1);
        if key == SECRET {
            return self.spliced(start..to.end, &format!("# {key} = \"secret\""));
        }
        let commented: Vec<String> =
            self.text[start..to.end].split_inclusive('\n').map(|line| format!("#{line}")).collect();
        self.spliced(start..to.end, &commented.concat())
    }

    fn spliced(&self, place: Range<usize>, with: &str) -> Option<String> {
        let (before, after) = (self.text.get(..place.start)?, self.text.get(place.end..)?);
        Some(format!("{before}{with}{after}"))
    }
}

/// The places of the lines, each with its end.
fn lines(text: &str) -> impl Iterator<Item = Range<usize>> + '_ {
    let mut at = 0;
    text.split_inclusive('\n').map(move |line| {
        let start = at;
        at += line.len();
        start..at
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::config::EXAMPLE;

    const AUDIO: Section<'_> = Section::Named("audio");

    fn text(value: &str) -> Value {
        Value::Text(value.into())
    }

    #[test]
    fn a_value_changes_in_its_place() {
        let before = "# mine\r\n[audio]   # sound\r\ninput   =  'a'  # the mic\r\nptime = 20\r\n\r\n# end";
        let after = set(before, AUDIO, "input", Some(&text("USB \"Pro\""))).unwrap();
        assert_eq!(after, before.replace("'a'", "'USB \"Pro\"'"));
        let after = set(before, AUDIO, "ptime", Some(&Value::Number(40))).unwrap();
        assert_eq!(after, before.replace("20", "40"));
        let lists = "[audio]\ncodecs = [\n  \"opus\", # best\n  \"PCMU\",\n]\nptime = 20\n";
        let list = Value::List(vec!["PCMA".into(), "opus".into()]);
        assert_eq!(
            set(lists, AUDIO, "codecs", Some(&list)).unwrap(),
            "[audio]\ncodecs = [\"PCMA\", \"opus\"]\nptime = 20\n"
        );
        assert_eq!(set(before, AUDIO, "ptime", Some(&Value::Number(20))).unwrap(), before);
    }

    #[test]
    fn a_commented_line_of_the_example_comes_to_life() {
        let mut file = EXAMPLE.to_owned();
        for (section, key, value) in [
            (Section::Account(0), "uri", text("sip:bob@example.org")),
            (Section::Account(0), "password", text("tiger")),
            (AUDIO, "ring", text("null")),
            (Section::Named("calls"), "dtmf", text("info")),
        ] {
            file = set(&file, section, key, Some(&value)).unwrap();
        }
        let expected = EXAMPLE
            .replace("#[[account]]\n#uri = \"sip:alice@pbx.example.com\"", "[[account]]\nuri = \"sip:bob@example.org\"")
            .replace("# password = \"secret\"\n\n", "password = \"tiger\"\n\n")
            .replace("#[audio]", "[audio]")
            .replace("#ring = \"default\"", "ring = \"null\"")
            .replace("#[calls]", "[calls]")
            .replace("#dtmf = \"auto\"", "dtmf = \"info\"");
        assert_eq!(file, expected);
        // And goes back to sleep.
        let asleep = set(&file, AUDIO, "ring", None).unwrap();
        assert_eq!(asleep, expected.replace("\nring = \"null\"", "\n#ring = \"null\""));
    }

    #[test]
    fn what_is_missing_is_added() {
        for (before, after) in [
            ("", "[audio]\nring = \"null\"\n"),
            ("[sip]\nkeep_alive = 5", "[sip]\nkeep_alive = 5\n\n[audio]\nring = \"null\"\n"),
            ("[audio]", "[audio]\nring = \"null\"\n"),
            (
                "[audio]\r\ninput = \"a\" # b\r\n[sip]\r\n",
                "[audio]\r\ninput = \"a\" # b\r\nring = \"null\"\r\n[sip]\r\n",
            ),
            ("[audio]\nx = \"\"\"\n#ring = 1\n\"\"\"\n", "[audio]\nx = \"\"\"\n#ring = 1\n\"\"\"\nring = \"null\"\n"),
        ] {
            assert_eq!(set(before, AUDIO, "ring", Some(&text("null"))).unwrap(), after, "{before}");
        }
    }

    #[test]
    fn what_it_can_not_change_it_leaves() {
        for before in ["audio = { input = \"a\" }\n", "audio.input = \"a\"\n", "audio = 5\n"] {
            let refused = set(before, AUDIO, "ring", Some(&text("null")));
            assert!(matches!(refused, Err(EditError::ByHand(_))), "{before}: {refused:?}");
        }
        assert!(matches!(set("[audio\n", AUDIO, "ring", None), Err(EditError::Invalid(_))));
    }

    #[test]
    fn the_account_of_a_place_is_meant() {
        let before = "[[account]]\nuri = \"sip:a@b\"\n\n[[account]]\nuri = \"sip:c@d\"\n";
        let after = set(before, Section::Account(0), "password", Some(&text("x"))).unwrap();
        assert_eq!(after, before.replacen("\"sip:a@b\"\n", "\"sip:a@b\"\npassword = \"x\"\n", 1));
        assert_eq!(get(&after, Section::Account(0), "password"), Some(Read::String("x".into())));
        // What nobody is to find stays in no comment.
        let without = set(&after, Section::Account(0), "password", None).unwrap();
        assert_eq!(without, after.replace("password = \"x\"", "# password = \"secret\""));
        let again = set(&without, Section::Account(0), "password", Some(&text("y"))).unwrap();
        assert_eq!(again, after.replace("\"x\"", "\"y\""));
    }

    #[test]
    fn a_second_account_changes_alone() {
        let before =
            "[[account]]\nuri = \"sip:a@b\"\n#expires = 3600\n\n[[account]]\nuri = \"sip:c@d\"\n#expires = 60\n";
        let after = set(before, Section::Account(1), "expires", Some(&Value::Number(90))).unwrap();
        assert_eq!(after, before.replace("#expires = 60\n", "expires = 90\n"));
        assert!(matches!(set(before, Section::Account(2), "uri", Some(&text("sip:e@f"))), Err(EditError::ByHand(_))));
    }

    /// A file as people write them: sections in any order, blanks, comments before, behind and between.
    fn file() -> impl Strategy<Value = String> {
        let comment =
            prop_oneof![Just(""), Just("# said \"so\" = [1]\n"), Just("\n"), Just("#ring = \"x\"\n#[audio]\n")];
        let line = prop_oneof![
            Just("input = \"a\""),
            Just("ring='b'   # why"),
            Just("  output = \"\"\"\n[audio]\n#input = 1\n\"\"\""),
            Just("codecs = [ \"opus\",\n # best\n \"PCMU\" ]"),
            Just("#input = \"default\""),
            Just("\"ptime\" = 20"),
        ];
        let lines = prop::collection::hash_set(line, 0..5).prop_map(|lines| lines.into_iter().collect::<Vec<_>>());
        let section = (prop::sample::select(vec!["[audio]", "[ audio ] # x", "#[audio]"]), lines, comment.clone());
        let others = prop::sample::subsequence(vec!["[sip]\nkeep_alive = 1\n", "[calls]\n#dtmf = \"auto\"\n"], 0..=2);
        (comment, section, others, any::<bool>(), any::<bool>()).prop_map(|(head, section, others, first, crlf)| {
            let (header, lines, tail) = section;
            // Without its header the keys would be the root's.
            let lines = if header.starts_with('#') { vec!["#input = 1"] } else { lines };
            let audio = format!("{header}\n{}\n{tail}", lines.join("\n"));
            let others = others.concat();
            let text = if first { format!("{head}{audio}{others}") } else { format!("{head}{others}{audio}") };
            if crlf { text.replace('\n', "\r\n") } else { text }
        })
    }

    fn value() -> impl Strategy<Value = Value> {
        prop_oneof![
            "[ -~äöü]{0,12}".prop_map(Value::Text),
            any::<u32>().prop_map(Value::Number),
            any::<bool>().prop_map(Value::Flag),
            prop::collection::vec("[a-z\"'#\\\\]{0,5}", 0..4).prop_map(Value::List),
        ]
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

        /// Every line that has nothing to do with the key is there as it was, byte for byte, and in its order.
        #[test]
        fn the_rest_stays_byte_for_byte(
            before in file(),
            key in prop::sample::select(vec!["input", "ring", "output", "codecs", "latency"]),
            value in prop::option::of(value()),
        ) {
            let after = set(&before, AUDIO, key, value.as_ref()).unwrap();
            prop_assert_eq!(get(&after, AUDIO, key), value.as_ref().map(Value::read));
            let map = Map::of(&before, AUDIO).unwrap();
            match map.keys.iter().find(|(name, ..)| name == key) {
                // Nothing changes but the key's own lines.
                Some((_, from, to)) => {
                    let start = before[..from.start].rfind('\n').map_or(0, |at| at + 1);
                    prop_assert!(after.starts_with(&before[..start]) && after.ends_with(&before[to.end..]), "{after:?}");
                }
                // Nothing goes but the key's comment and the mark before the header.
                None => {
                    let may_go = |line: &str| {
                        let bare = line.trim_start_matches(['#', ' ']);
                        line.starts_with('#') && (bare.starts_with(key) || bare.starts_with("[audio]"))
                    };
                    let mut left = after.split_inclusive('\n');
                    let bare = |line: &str| line.trim_end_matches(['\r', '\n']).to_owned();
                    for line in before.split_inclusive('\n').filter(|line| !may_go(line)) {
                        prop_assert!(left.any(|other| bare(other) == bare(line)), "{line:?} is gone: {after:?}");
                    }
                }
            }
            // What was written is read again, and writing it again changes nothing.
            prop_assert_eq!(set(&after, AUDIO, key, value.as_ref()).unwrap(), after);
        }
    }
}
