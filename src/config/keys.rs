//! What may stand in the file: one table a section, and one way to read a value, from TOML or from a variable.

use std::fmt::Display;
use std::net::SocketAddr;

use toml::de::DeValue;

use super::{Account, Audio, Calls, Dtmf, HoldMusic, Hooks, Latency, RealmCredentials, Secret, Sip, address};
use crate::media::codec::Dtx;
use crate::media::processing::Switch;
use crate::media::tones::countries;
use crate::sdp::{Codec, HoldStyle};
use crate::ua::config::{AutoAnswer, MessageWaiting, SrtpKeying, SrtpPolicy, TransferPolicy};

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

const ADDRESS: &str = "an address such as \"sip:alice@pbx.example.com\"";
const HOP: &str = "an address such as \"sip:pbx.example.com\"";
const HOPS: &str = "a list of addresses such as [\"sip:p1.example.com\", \"sip:p2.example.com\"]";
const REALMS: &str =
    "a list such as [{ realm = \"other.example\", user = \"alice\", password_command = \"pass show other\" }]";
const PEM: &str = "a file in PEM, such as \"/etc/ssl/pbx.pem\"";
const DEVICE: &str = "a device in quotes, such as \"default\" (see offhook devices)";
const POLICY: &[&str] = &["ask", "follow", "refuse"];

/// The words of [`POLICY`].
const POLICIES: [TransferPolicy; 3] = [TransferPolicy::Ask, TransferPolicy::Follow, TransferPolicy::Refuse];

/// The processing of the voice: `true` where it is of use, "always" whatever the devices.
const SWITCH: &[&str] = &["false", "true", "always"];

/// The words of [`SWITCH`].
const SWITCHES: [Switch; 3] = [Switch::Off, Switch::On, Switch::Always];

/// `[[account]]`.
pub const ACCOUNT: &[Key<Account>] = &[
    Key { name: "name", kind: Kind::Text { expected: "a name in quotes, without spaces", set: set_name } },
    Key {
        name: "uri",
        kind: Kind::Text {
            expected: ADDRESS,
            set: |account, text| address::of_record(text).map(|_| account.uri = text.into()),
        },
    },
    Key {
        name: "display_name",
        kind: Kind::Text {
            expected: "a name in quotes",
            set: |account, text| no_controls(text).map(|()| account.display_name = Some(text.into())),
        },
    },
    Key {
        name: "password",
        kind: Kind::Password { set: |account, text| account.password = Secret::Plain(text.into()) },
    },
    Key {
        name: "password_command",
        kind: Kind::Text {
            expected: "a shell command in quotes",
            set: |account, text| not_empty(text).map(|()| account.password = Secret::Command(text.into())),
        },
    },
    Key {
        name: "auth_user",
        kind: Kind::Text {
            expected: "a name in quotes",
            set: |account, text| no_controls(text).map(|()| account.auth_user = Some(text.into())),
        },
    },
    Key {
        name: "registrar",
        kind: Kind::Text {
            expected: HOP,
            set: |account, text| address::hop(text).map(|_| account.registrar = Some(text.into())),
        },
    },
    Key { name: "proxies", kind: Kind::Chains { set: set_proxies } },
    Key { name: "expires", kind: Kind::Number { min: 1, max: 604_800, set: |account, n| account.expires = n } },
    Key { name: "register", kind: Kind::Flag { set: |account, on| account.register = on } },
    Key { name: "srtp", kind: Kind::Choice { words: SRTP, set: |account, i| account.srtp = Some(SRTP_POLICIES[i]) } },
    Key {
        name: "srtp_keying",
        kind: Kind::Choice { words: KEYINGS, set: |account, i| account.srtp_keying = Some(SRTP_KEYINGS[i]) },
    },
    Key { name: "rewrite_contact", kind: Kind::Flag { set: |account, on| account.rewrite_contact = on } },
    Key { name: "gruu", kind: Kind::Flag { set: |account, on| account.gruu = on } },
    Key { name: "credentials", kind: Kind::Realms { set: |account, realms| account.credentials = realms } },
    Key {
        name: "voicemail",
        kind: Kind::Text {
            expected: "an address such as \"sip:*97@pbx.example.com\"",
            set: |account, text| address::callable(text).map(|_| account.voicemail = Some(text.into())),
        },
    },
    Key {
        name: "mwi",
        kind: Kind::Choice {
            words: &["auto", "true", "false"],
            set: |account, i| {
                account.events.message_waiting =
                    [MessageWaiting::Auto, MessageWaiting::Always, MessageWaiting::Never][i];
            },
        },
    },
    Key {
        name: "watch",
        kind: Kind::List {
            expected: "a list of addresses such as [\"sip:201@pbx.example.com\", \"Bob <sip:202@pbx.example.com>\"]",
            set: set_watch,
        },
    },
    Key { name: "reg_events", kind: Kind::Flag { set: |account, on| account.events.registrations = on } },
];

const SRTP: &[&str] = &["off", "optional", "required"];
const SRTP_POLICIES: [SrtpPolicy; 3] = [SrtpPolicy::Off, SrtpPolicy::Optional, SrtpPolicy::Required];
const KEYINGS: &[&str] = &["sdes", "dtls"];
const SRTP_KEYINGS: [SrtpKeying; 2] = [SrtpKeying::Sdes, SrtpKeying::Dtls];

/// One entry of `credentials`.
pub const REALM: &[Key<RealmCredentials>] = &[
    Key {
        name: "realm",
        kind: Kind::Text {
            expected: "a realm in quotes",
            set: |entry, text| not_empty(text).map(|()| entry.realm = text.into()),
        },
    },
    Key {
        name: "user",
        kind: Kind::Text {
            expected: "a name in quotes",
            set: |entry, text| not_empty(text).map(|()| entry.user = text.into()),
        },
    },
    Key { name: "password", kind: Kind::Password { set: |entry, text| entry.password = Secret::Plain(text.into()) } },
    Key {
        name: "password_command",
        kind: Kind::Text {
            expected: "a shell command in quotes",
            set: |entry, text| not_empty(text).map(|()| entry.password = Secret::Command(text.into())),
        },
    },
];

/// `[sip]`.
pub const SIP: &[Key<Sip>] = &[
    Key {
        name: "listen",
        kind: Kind::Text { expected: "an address and port such as \"0.0.0.0:5060\" or \"[::]:5060\"", set: set_listen },
    },
    Key { name: "keep_alive", kind: Kind::Number { min: 0, max: 3_600, set: |sip, n| sip.keep_alive = n } },
    Key { name: "srtp", kind: Kind::Choice { words: SRTP, set: |sip, i| sip.srtp = SRTP_POLICIES[i] } },
    Key { name: "srtp_keying", kind: Kind::Choice { words: KEYINGS, set: |sip, i| sip.srtp_keying = SRTP_KEYINGS[i] } },
    Key { name: "ca_file", kind: Kind::Text { expected: PEM, set: |sip, text| file(&mut sip.tls.ca_file, text) } },
    Key { name: "tls_cert", kind: Kind::Text { expected: PEM, set: |sip, text| file(&mut sip.tls.certificate, text) } },
    Key { name: "tls_key", kind: Kind::Text { expected: PEM, set: |sip, text| file(&mut sip.tls.key, text) } },
    Key { name: "tls_verify", kind: Kind::Flag { set: |sip, on| sip.tls.verify = on } },
];

/// `[audio]`.
pub const AUDIO: &[Key<Audio>] = &[
    Key { name: "input", kind: Kind::Text { expected: DEVICE, set: |audio, text| device(&mut audio.input, text) } },
    Key { name: "output", kind: Kind::Text { expected: DEVICE, set: |audio, text| device(&mut audio.output, text) } },
    Key { name: "ring", kind: Kind::Text { expected: DEVICE, set: |audio, text| device(&mut audio.ring, text) } },
    Key {
        name: "codecs",
        kind: Kind::List { expected: "a list of codec names such as [\"PCMU\", \"PCMA\"]", set: set_codecs },
    },
    Key { name: "ptime", kind: Kind::Number { min: 10, max: 60, set: |audio, n| audio.ptime = n as u8 } },
    Key {
        name: "dtx",
        kind: Kind::Flag { set: |audio, on| audio.dtx = if on { Dtx::Always } else { Dtx::WhenAsked } },
    },
    Key {
        name: "latency",
        kind: Kind::Choice {
            words: &["low", "safe"],
            set: |audio, i| audio.latency = [Latency::Low, Latency::Safe][i],
        },
    },
    Key { name: "tones", kind: Kind::Text { expected: "a country such as \"de\", \"uk\" or \"us\"", set: set_tones } },
    Key {
        name: "ring_tone",
        kind: Kind::Text { expected: "the path of a .wav file", set: |audio, text| file(&mut audio.ring_tone, text) },
    },
    Key {
        name: "echo_cancellation",
        kind: Kind::Choice { words: SWITCH, set: |audio, i| audio.processing.echo = SWITCHES[i] },
    },
    Key {
        name: "noise_suppression",
        kind: Kind::Choice { words: SWITCH, set: |audio, i| audio.processing.noise = SWITCHES[i] },
    },
    Key {
        name: "auto_gain",
        kind: Kind::Choice { words: SWITCH, set: |audio, i| audio.processing.gain = SWITCHES[i] },
    },
];

/// `[calls]`.
pub const CALLS: &[Key<Calls>] = &[
    Key {
        name: "auto_answer",
        kind: Kind::Choice {
            words: &["false", "true", "idle"],
            set: |calls, i| calls.auto_answer = [AutoAnswer::Never, AutoAnswer::Always, AutoAnswer::Idle][i],
        },
    },
    Key {
        name: "auto_answer_after",
        kind: Kind::Number { min: 0, max: 600_000, set: |calls, n| calls.auto_answer_after = n.into() },
    },
    Key { name: "max_calls", kind: Kind::Number { min: 1, max: 10_000, set: |calls, n| calls.max_calls = n as usize } },
    Key {
        name: "hold",
        kind: Kind::Choice {
            words: &["zero", "sendonly", "inactive"],
            set: |calls, i| calls.hold = [HoldStyle::Zero, HoldStyle::SendOnly, HoldStyle::Inactive][i],
        },
    },
    Key { name: "transfers", kind: Kind::Choice { words: POLICY, set: |calls, i| calls.transfers = POLICIES[i] } },
    Key { name: "redirects", kind: Kind::Choice { words: POLICY, set: |calls, i| calls.redirects = POLICIES[i] } },
    Key { name: "refer_outside", kind: Kind::Flag { set: |calls, on| calls.refer_outside = on } },
    Key {
        name: "auto_answer_from",
        kind: Kind::List {
            expected: "a list of callers such as [\"sip:boss@pbx.example.com\", \"*@pbx.example.com\"]",
            set: |calls, callers| {
                callers.iter().try_for_each(|caller| no_controls(caller))?;
                calls.auto_answer_from = callers;
                Ok(())
            },
        },
    },
    Key { name: "bye_also", kind: Kind::Flag { set: |calls, on| calls.bye_also = on } },
    Key {
        name: "ring_timeout",
        kind: Kind::Number { min: 1, max: 3_600, set: |calls, n| calls.ring_timeout = n.into() },
    },
    Key { name: "reliable_ringing", kind: Kind::Flag { set: |calls, on| calls.reliable_ringing = on } },
    Key {
        name: "session_expires",
        kind: Kind::Number { min: 0, max: 86_400, set: |calls, n| calls.session_expires = n.into() },
    },
    Key {
        name: "dtmf",
        kind: Kind::Choice {
            words: &["auto", "rfc4733", "info", "inband"],
            set: |calls, i| calls.dtmf = [Dtmf::Auto, Dtmf::Rfc4733, Dtmf::Info, Dtmf::Inband][i],
        },
    },
    Key { name: "direct_calls", kind: Kind::Flag { set: |calls, on| calls.direct_calls = Some(on) } },
    Key {
        name: "emergency",
        kind: Kind::List { expected: "a list of numbers such as [\"112\", \"911\"]", set: set_emergency },
    },
    Key {
        name: "dnd",
        kind: Kind::Choice {
            words: &["unavailable", "busy", "decline"],
            set: |calls, i| calls.dnd = [480, 486, 603][i],
        },
    },
    Key {
        name: "park",
        kind: Kind::Text {
            expected: "a code such as \"*68\", or \"dtmf:*68\"",
            set: |calls, text| no_controls(text).map(|()| calls.park = Some(text.trim().into())),
        },
    },
    Key { name: "redial_busy", kind: Kind::Flag { set: |calls, on| calls.redial_busy = on } },
    Key { name: "redial_every", kind: Kind::Number { min: 5, max: 3_600, set: |calls, n| calls.redial_every = n } },
    Key { name: "redial_times", kind: Kind::Number { min: 1, max: 100, set: |calls, n| calls.redial_times = n } },
    Key {
        name: "hold_music",
        kind: Kind::Text {
            expected: "\"none\", \"tone\" or a .wav file",
            set: |calls, text| no_controls(text).map(|()| calls.hold_music = hold_music(text)),
        },
    },
];

const PROGRAM: &str = "a program and its arguments, such as [\"notify-send\", \"a call\"]";

/// `[hooks]`.
pub const HOOKS: &[Key<Hooks>] = &[
    Key {
        name: "incoming",
        kind: Kind::List { expected: PROGRAM, set: |hooks, words| program(words).map(|words| hooks.incoming = words) },
    },
    Key {
        name: "answered",
        kind: Kind::List { expected: PROGRAM, set: |hooks, words| program(words).map(|words| hooks.answered = words) },
    },
    Key {
        name: "ended",
        kind: Kind::List { expected: PROGRAM, set: |hooks, words| program(words).map(|words| hooks.ended = words) },
    },
];

/// A list that begins with a program.
fn program(words: Vec<String>) -> Result<Vec<String>, String> {
    match words.first() {
        Some(program) if program.trim().is_empty() => Err("the program has no name".into()),
        _ if words.iter().any(|word| word.contains('\0')) => Err("a word holds a NUL".into()),
        _ => Ok(words),
    }
}

fn hold_music(text: &str) -> HoldMusic {
    match text {
        "none" => HoldMusic::None,
        "tone" => HoldMusic::Tone,
        file => HoldMusic::File(file.into()),
    }
}

fn set_emergency(calls: &mut Calls, numbers: Vec<String>) -> Result<(), String> {
    let is_number = |text: &String| crate::services::address::Who::of(text).is_number();
    if let Some(other) = numbers.iter().find(|text| !is_number(text)) {
        return Err(in_list(other, "it is no number"));
    }
    calls.emergency = numbers;
    Ok(())
}

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

fn not_empty(text: &str) -> Result<(), String> {
    if text.trim().is_empty() { Err("it is empty".into()) } else { Ok(()) }
}

fn no_controls(text: &str) -> Result<(), String> {
    not_empty(text)?;
    if text.chars().any(char::is_control) { Err("it has control characters".into()) } else { Ok(()) }
}

fn set_name(account: &mut Account, text: &str) -> Result<(), String> {
    no_controls(text)?;
    if text.contains(char::is_whitespace) || text.starts_with('@') {
        return Err("commands write it as @NAME".into());
    }
    account.name = text.into();
    Ok(())
}

fn set_proxies(account: &mut Account, chains: Vec<Vec<String>>) -> Result<(), String> {
    for text in chains.iter().flatten() {
        address::parse(text).map_err(|fault| in_list(text, fault))?;
    }
    if chains.iter().any(Vec::is_empty) {
        return Err("a chain is empty".into());
    }
    if !chains.is_empty() && !chains.iter().any(|chain| super::resolve::usable(chain)) {
        return Err("this build speaks SIP over UDP, TCP and TLS".into());
    }
    account.proxies = chains;
    Ok(())
}

/// Addresses; a number or a name alone gets the account's host later.
fn set_watch(account: &mut Account, texts: Vec<String>) -> Result<(), String> {
    for text in &texts {
        address::watched(text, None).map_err(|fault| in_list(text, fault))?;
    }
    account.events.watch = texts;
    Ok(())
}

fn in_list(text: &str, fault: impl Display) -> String {
    format!("{}: {fault}", quoted(text))
}

fn set_listen(sip: &mut Sip, text: &str) -> Result<(), String> {
    sip.listen = text.trim().parse::<SocketAddr>().map_err(|_| String::new())?;
    sip.listen_is_configured = true;
    Ok(())
}

fn file(slot: &mut Option<std::path::PathBuf>, text: &str) -> Result<(), String> {
    not_empty(text)?;
    *slot = Some(text.into());
    Ok(())
}

fn device(slot: &mut String, text: &str) -> Result<(), String> {
    not_empty(text)?;
    *slot = text.into();
    Ok(())
}

fn set_tones(audio: &mut Audio, code: &str) -> Result<(), String> {
    let known = || countries::COUNTRIES.iter().map(|country| country.code).collect::<Vec<_>>().join(", ");
    audio.tones = countries::of(code).ok_or_else(|| format!("there are {}", known()))?;
    Ok(())
}

fn set_codecs(audio: &mut Audio, names: Vec<String>) -> Result<(), String> {
    if !names.iter().any(|name| Codec::from_name(name).is_some()) {
        return Err(format!("this build has {}", Codec::ALL.map(Codec::name).join(", ")));
    }
    audio.codecs = names;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn choices_are_listed_as_they_are_written() {
        assert_eq!(choice(&["false", "true", "idle"]), "false, true or \"idle\"");
        assert_eq!(choice(&["low", "safe"]), "\"low\" or \"safe\"");
    }

    #[test]
    fn variables_are_read_like_the_file() {
        let mut calls = Calls::default();
        let set = |calls: &mut Calls, name: &str, text| {
            CALLS.iter().find(|key| key.name == name).unwrap().set(calls, Given::Text(text))
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
