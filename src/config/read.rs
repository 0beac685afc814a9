//! From the file's text to a [`Config`], with the line of everything that is wrong.

use std::ops::Range;
use std::path::Path;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::error::{ConfigError, Place};
use super::keys::{self, Given, Key, Kind};
use super::{Account, Config, Events, RealmCredentials, Secret, address, nearest};

/// The sections, as they are written.
const SECTIONS: [&str; 4] = ["account", "sip", "audio", "calls"];

/// Lifetime of a binding that is asked for by default, in seconds.
const EXPIRES: u32 = 3600;

/// Reads `text`; `path` is for the messages only.
pub fn read(path: &Path, text: &str) -> Result<Config, ConfigError> {
    let document = Document { path, text };
    let table = DeTable::parse(text).map_err(|error| {
        let start = error.span().map_or(0, |span| span.start);
        document.error(start, format!("not valid TOML: {}", error.message().replace('\n', "; ")))
    })?;
    let mut config = Config::default();
    for (key, value) in in_order(table.get_ref()) {
        match key.get_ref().as_ref() {
            "account" => config.accounts = document.accounts(value)?,
            "sip" => document.section(&mut config.sip, "sip", keys::SIP, value)?,
            "audio" => document.section(&mut config.audio, "audio", keys::AUDIO, value)?,
            "calls" => document.section(&mut config.calls, "calls", keys::CALLS, value)?,
            unknown => return Err(document.unknown(key.span(), "section", unknown, "", SECTIONS)),
        }
    }
    Ok(config)
}

struct Document<'a> {
    path: &'a Path,
    text: &'a str,
}

impl Document<'_> {
    fn accounts(&self, value: &Spanned<DeValue<'_>>) -> Result<Vec<Account>, ConfigError> {
        let expected =
            || self.error(value.span().start, "expected [[account]], with two brackets, once for each account");
        let entries = value.get_ref().as_array().ok_or_else(expected)?;
        let mut accounts: Vec<Account> = Vec::new();
        for entry in entries.iter() {
            let account = self.account(entry, expected)?;
            if accounts.iter().any(|other| other.name == account.name) {
                let problem = format!("a second account is named '{}': give each a name of its own", account.name);
                return Err(self.error(entry.span().start, problem));
            }
            accounts.push(account);
        }
        Ok(accounts)
    }

    fn account(
        &self,
        entry: &Spanned<DeValue<'_>>,
        expected: impl Fn() -> ConfigError,
    ) -> Result<Account, ConfigError> {
        let table = entry.get_ref().as_table().ok_or_else(expected)?;
        let mut account = Account {
            name: String::new(),
            uri: String::new(),
            display_name: None,
            password: Secret::None,
            auth_user: None,
            registrar: None,
            proxies: Vec::new(),
            expires: EXPIRES,
            register: true,
            credentials: Vec::new(),
            voicemail: None,
            rewrite_contact: true,
            gruu: false,
            events: Events::default(),
        };
        self.fill(&mut account, "account", keys::ACCOUNT, table)?;
        self.one_password("account", table)?;
        if account.uri.is_empty() {
            let problem = "the account has no uri, such as uri = \"sip:alice@pbx.example.com\"";
            return Err(self.error(entry.span().start, problem));
        }
        if account.name.is_empty() {
            let user = address::of_record(&account.uri).ok().and_then(|uri| uri.decoded_user());
            account.name = user.map(|user| String::from_utf8_lossy(&user).into_owned()).unwrap_or_default();
        }
        Ok(account)
    }

    fn section<T>(
        &self,
        target: &mut T,
        section: &str,
        keys: &[Key<T>],
        value: &Spanned<DeValue<'_>>,
    ) -> Result<(), ConfigError> {
        let table = value.get_ref().as_table().ok_or_else(|| {
            self.error(value.span().start, format!("{section}: expected a section, written [{section}]"))
        })?;
        self.fill(target, section, keys, table)
    }

    fn fill<T>(&self, target: &mut T, section: &str, keys: &[Key<T>], table: &DeTable<'_>) -> Result<(), ConfigError> {
        for (name, value) in in_order(table) {
            let Some(key) = keys.iter().find(|key| key.name == name.get_ref().as_ref()) else {
                let known = keys.iter().map(|key| key.name);
                return Err(self.unknown(name.span(), "key", name.get_ref(), section, known));
            };
            let refused = |problem| self.error(value.span().start, format!("{section}.{}: {problem}", key.name));
            match (&key.kind, value.get_ref().as_array()) {
                (Kind::Realms { set }, Some(entries)) => {
                    let realms = entries.iter().map(|entry| self.realm(entry)).collect::<Result<_, _>>()?;
                    set(target, realms);
                }
                _ => key.set(target, Given::Toml(value.get_ref())).map_err(refused)?,
            }
        }
        Ok(())
    }

    fn realm(&self, entry: &Spanned<DeValue<'_>>) -> Result<RealmCredentials, ConfigError> {
        let needs =
            || self.error(entry.span().start, "account.credentials: an entry needs a realm, a user and a password");
        let table = entry.get_ref().as_table().ok_or_else(needs)?;
        let mut realm = RealmCredentials { realm: String::new(), user: String::new(), password: Secret::None };
        self.fill(&mut realm, "account.credentials", keys::REALM, table)?;
        self.one_password("account.credentials", table)?;
        if realm.realm.is_empty() || realm.user.is_empty() || realm.password == Secret::None {
            return Err(needs());
        }
        Ok(realm)
    }

    /// A password stands in the file or comes from a command, not both.
    fn one_password(&self, section: &str, table: &DeTable<'_>) -> Result<(), ConfigError> {
        match (table.get("password"), table.get("password_command")) {
            (Some(_), Some(command)) => {
                let problem = format!("{section}: password and password_command exclude each other");
                Err(self.error(command.span().start, problem))
            }
            _ => Ok(()),
        }
    }

    fn unknown<'k>(
        &self,
        span: Range<usize>,
        what: &str,
        name: &str,
        section: &str,
        known: impl IntoIterator<Item = &'k str>,
    ) -> ConfigError {
        let known: Vec<&str> = known.into_iter().collect();
        let hint = match nearest(name, known.iter().copied()) {
            Some(near) => format!("did you mean '{near}'?"),
            None => format!("known: {}", known.join(", ")),
        };
        let place = if section.is_empty() { String::new() } else { format!(" in {section}") };
        self.error(span.start, format!("unknown {what} '{}'{place} ({hint})", name.escape_debug()))
    }

    fn error(&self, offset: usize, problem: impl Into<String>) -> ConfigError {
        let before = self.text.as_bytes().iter().take(offset);
        let line = 1 + before.filter(|byte| **byte == b'\n').count();
        ConfigError::new(Place::Line(self.path.into(), line), problem)
    }
}

/// The entries in the order of the file, so that the first error is the topmost.
fn in_order<'a, 'i>(table: &'a DeTable<'i>) -> Vec<(&'a Spanned<std::borrow::Cow<'i, str>>, &'a Spanned<DeValue<'i>>)> {
    let mut entries: Vec<_> = table.iter().collect();
    entries.sort_by_key(|(key, _)| key.span().start);
    entries
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Audio, Calls, Dtmf, EXAMPLE, Latency, Sip};
    use crate::sdp::HoldStyle;
    use crate::ua::config::{AutoAnswer, MessageWaiting, TransferPolicy};

    fn parse(text: &str) -> Result<Config, String> {
        read(Path::new("c.toml"), text).map_err(|error| error.to_string())
    }

    /// Every key of the file, with a value that is not its default.
    const EVERYTHING: &str = r#"
[[account]]
name = "work"
uri = "sip:alice@pbx.example.com"
display_name = "Alice"
password_command = "pass show pbx"
auth_user = "alice2"
registrar = "sip:reg.example.com"
proxies = ["sip:p1.example.com;transport=tls", ["sip:p2.example.com", "sip:p3.example.com;lr"]]
expires = 1_800
register = false
credentials = [{ realm = "other.example", user = "al", password = "tiger" }]
rewrite_contact = false
gruu = true
voicemail = "sip:*97@pbx.example.com"
mwi = false
watch = ["sip:201@pbx.example.com", "Bob <sip:202@pbx.example.com>"]
reg_events = true
[[account]]
uri = "sip:bob@[2001:db8::1]:5070"
password = "lion"
proxies = "sip:p4.example.com"
[sip]
listen = "127.0.0.1:0"
keep_alive = 20
[audio]
input = "tone:440"
output = "null"
ring = "alsa:hw:0"
codecs = ["PCMA", "opus"]
ptime = 30
latency = "safe"
echo_cancellation = false
noise_suppression = false
[calls]
auto_answer = "idle"
auto_answer_after = 1500
max_calls = 1000
hold = "sendonly"
transfers = "follow"
redirects = "refuse"
ring_timeout = 30
dtmf = "info"
direct_calls = true
"#;

    #[test]
    fn every_key_is_read() {
        let text = |text: &str| text.to_owned();
        let config = parse(EVERYTHING).unwrap();
        let work = Account {
            name: text("work"),
            uri: text("sip:alice@pbx.example.com"),
            display_name: Some(text("Alice")),
            password: Secret::Command(text("pass show pbx")),
            auth_user: Some(text("alice2")),
            registrar: Some(text("sip:reg.example.com")),
            proxies: vec![
                vec![text("sip:p1.example.com;transport=tls")],
                vec![text("sip:p2.example.com"), text("sip:p3.example.com;lr")],
            ],
            expires: 1800,
            register: false,
            credentials: vec![RealmCredentials {
                realm: text("other.example"),
                user: text("al"),
                password: Secret::Plain(text("tiger")),
            }],
            voicemail: Some(text("sip:*97@pbx.example.com")),
            rewrite_contact: false,
            gruu: true,
            events: Events {
                message_waiting: MessageWaiting::Never,
                watch: vec![text("sip:201@pbx.example.com"), text("Bob <sip:202@pbx.example.com>")],
                registrations: true,
            },
        };
        let bob = Account {
            name: text("bob"),
            uri: text("sip:bob@[2001:db8::1]:5070"),
            display_name: None,
            password: Secret::Plain(text("lion")),
            auth_user: None,
            registrar: None,
            proxies: vec![vec![text("sip:p4.example.com")]],
            expires: 3600,
            register: true,
            credentials: Vec::new(),
            voicemail: None,
            rewrite_contact: true,
            gruu: false,
            events: Events::default(),
        };
        let audio = Audio {
            input: text("tone:440"),
            output: text("null"),
            ring: text("alsa:hw:0"),
            codecs: vec![text("PCMA"), text("opus")],
            ptime: 30,
            latency: Latency::Safe,
            echo_cancellation: false,
            noise_suppression: false,
        };
        let calls = Calls {
            auto_answer: AutoAnswer::Idle,
            auto_answer_after: 1500,
            max_calls: 1000,
            hold: HoldStyle::SendOnly,
            transfers: TransferPolicy::Follow,
            redirects: TransferPolicy::Refuse,
            ring_timeout: 30,
            dtmf: Dtmf::Info,
            direct_calls: Some(true),
        };
        let sip =
            Sip { listen: "127.0.0.1:0".parse().unwrap(), listen_is_configured: true, keep_alive: 20, instance: None };
        assert_eq!(config, Config { accounts: vec![work, bob], sip, audio, calls });
    }

    #[test]
    fn nothing_is_the_defaults() {
        assert_eq!(parse(""), Ok(Config::default()));
        assert_eq!(parse("[audio]\n[calls]\n[sip]\n"), Ok(Config::default()));
    }

    #[test]
    fn the_example_changes_nothing_and_all_of_it_is_valid() {
        assert_eq!(parse(EXAMPLE), Ok(Config::default()));
        let uncommented: String = EXAMPLE
            .lines()
            .map(|line| match line.strip_prefix('#') {
                Some(rest) if !rest.is_empty() && !rest.starts_with([' ', '#']) => format!("{rest}\n"),
                _ => format!("{line}\n"),
            })
            .collect();
        let config = parse(&uncommented).unwrap();
        assert_eq!(config.accounts.len(), 1);
        for name in keys::ACCOUNT.iter().map(|key| key.name).chain(keys::AUDIO.iter().map(|key| key.name)) {
            assert!(EXAMPLE.contains(&format!("{name} = ")), "{name} is missing in config.example.toml");
        }
        for name in keys::CALLS.iter().map(|key| key.name).chain(keys::SIP.iter().map(|key| key.name)) {
            assert!(EXAMPLE.contains(&format!("#{name} = ")), "{name} is missing in config.example.toml");
        }
        // What the comments call defaults are the defaults.
        assert_eq!(
            (config.audio, config.calls),
            (Audio::default(), Calls { direct_calls: Some(false), ..Calls::default() })
        );
    }

    #[test]
    fn what_is_wrong_and_where() {
        let account = "[[account]]\nuri = \"sip:a@b\"\n";
        let table = [
            (
                "[sip]\n\nlisten = 5060",
                "c.toml:3: sip.listen: expected an address and port such as \"0.0.0.0:5060\" or \"[::]:5060\", found 5060",
            ),
            (
                "[sip]\nlisten = \"pbx\"",
                "c.toml:2: sip.listen: expected an address and port such as \"0.0.0.0:5060\" or \"[::]:5060\", found \"pbx\"",
            ),
            ("[sip]\nlsten = \":0\"", "c.toml:2: unknown key 'lsten' in sip (did you mean 'listen'?)"),
            ("[sip]\ncolour = 1", "c.toml:2: unknown key 'colour' in sip (known: listen, keep_alive)"),
            ("\n[auido]\n", "c.toml:2: unknown section 'auido' (did you mean 'audio'?)"),
            ("listen = 1", "c.toml:1: unknown section 'listen' (known: account, sip, audio, calls)"),
            ("sip = 1", "c.toml:1: sip: expected a section, written [sip]"),
            (
                "[account]\nuri = \"sip:a@b\"",
                "c.toml:1: expected [[account]], with two brackets, once for each account",
            ),
            (
                "[[account]]\nname = \"x\"",
                "c.toml:1: the account has no uri, such as uri = \"sip:alice@pbx.example.com\"",
            ),
            (
                "[[account]]\nuri = \"alice\"",
                "c.toml:2: account.uri: expected an address such as \"sip:alice@pbx.example.com\", found \"alice\" (missing or malformed URI scheme)",
            ),
            (
                "[[account]]\nuri = \"sips:a@b\"",
                "c.toml:2: account.uri: expected an address such as \"sip:alice@pbx.example.com\", found \"sips:a@b\" (this build speaks SIP over UDP only)",
            ),
            (
                "[[account]]\nuri = \"sip:a@b\"\nname = \"my work\"",
                "c.toml:3: account.name: expected a name in quotes, without spaces, found \"my work\" (commands write it as @NAME)",
            ),
            (
                "[[account]]\nuri = \"sip:a@b\"\npassword = 1234",
                "c.toml:3: account.password: expected a text in quotes, found a number without quotes",
            ),
            (
                "[[account]]\nuri = \"sip:a@b\"\npassword = \"x\"\npassword_command = \"y\"",
                "c.toml:4: account: password and password_command exclude each other",
            ),
            (
                "[[account]]\nuri = \"sip:a@b\"\nexpires = 0",
                "c.toml:3: account.expires: expected a whole number from 1 to 604800, found 0",
            ),
            (
                "[[account]]\nuri = \"sip:a@b\"\nregister = \"yes\"",
                "c.toml:3: account.register: expected true or false, found \"yes\"",
            ),
            (
                "[[account]]\nuri = \"sip:a@b\"\nproxies = [\"sip:p;transport=tls\"]",
                "c.toml:3: account.proxies: expected a list of addresses such as [\"sip:p1.example.com\", \"sip:p2.example.com\"], found a list (this build speaks SIP over UDP only)",
            ),
            (
                "[[account]]\nuri = \"sip:a@b\"\nproxies = [\"p1\"]",
                "c.toml:3: account.proxies: expected a list of addresses such as [\"sip:p1.example.com\", \"sip:p2.example.com\"], found a list (\"p1\": missing or malformed URI scheme)",
            ),
            (
                "[[account]]\nuri = \"sip:a@b\"\ncredentials = [{ realm = \"r\" }]",
                "c.toml:3: account.credentials: an entry needs a realm, a user and a password",
            ),
            (
                "[[account]]\nuri = \"sip:a@b\"\ncredentials = [\n{ relm = \"r\" }]",
                "c.toml:4: unknown key 'relm' in account.credentials (did you mean 'realm'?)",
            ),
            (
                "[[account]]\nuri = \"sip:a@b\"\n[[account]]\nuri = \"sip:a@c\"",
                "c.toml:3: a second account is named 'a': give each a name of its own",
            ),
            ("[audio]\nptime = 5", "c.toml:2: audio.ptime: expected a whole number from 10 to 60, found 5"),
            ("[audio]\nptime = 20.0", "c.toml:2: audio.ptime: expected a whole number from 10 to 60, found 20.0"),
            ("[audio]\nlatency = \"lo\"", "c.toml:2: audio.latency: expected \"low\" or \"safe\", found \"lo\""),
            (
                "[audio]\ncodecs = [\"speex\"]",
                "c.toml:2: audio.codecs: expected a list of codec names such as [\"PCMU\", \"PCMA\"], found a list (this build has opus, G722, PCMU, PCMA, L16)",
            ),
            (
                "[audio]\ncodecs = \"PCMU\"",
                "c.toml:2: audio.codecs: expected a list of codec names such as [\"PCMU\", \"PCMA\"], found \"PCMU\"",
            ),
            (
                "[audio]\ninput = \"\"",
                "c.toml:2: audio.input: expected a device in quotes, such as \"default\" (see offhook devices), found \"\" (it is empty)",
            ),
            (
                "[calls]\nauto_answer = \"true\"",
                "c.toml:2: calls.auto_answer: expected false, true or \"idle\", found \"true\"",
            ),
            (
                "[calls]\nhold = \"one\"",
                "c.toml:2: calls.hold: expected \"zero\", \"sendonly\" or \"inactive\", found \"one\"",
            ),
        ];
        for (text, expected) in table {
            assert_eq!(parse(text), Err(expected.into()), "{text}");
        }
        assert!(parse(account).is_ok());
        assert!(parse("[calls]\nhold = \n").unwrap_err().starts_with("c.toml:2: not valid TOML: "));
        assert!(
            parse("[calls]\nmax_calls = 1\nmax_calls = 2\n").unwrap_err().starts_with("c.toml:3: not valid TOML: ")
        );
    }

    #[test]
    fn a_password_never_stands_in_a_message() {
        let error = parse("[[account]]\nuri = \"sip:a@b\"\npassword = 987654").unwrap_err();
        assert!(!error.contains("987654"), "{error}");
    }
}
