//! From the file's text to a [`Config`], with the line of everything that is wrong.

use std::collections::BTreeMap;
use std::ops::Range;
use std::path::Path;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::error::{ConfigError, Place};
use super::exchange::{self, Exchange, ExchangeRoute, ExchangeUser};
use super::keys::{Given, Key, Kind};
use super::{
    Account, Config, Events, RealmCredentials, Secret, account, address, audio, calls, hooks, nearest, network,
    services, sip, ui,
};

/// The sections, as they are written.
const SECTIONS: [&str; 11] =
    ["account", "sip", "audio", "calls", "network", "screening", "dialplan", "speed_dial", "ui", "hooks", "exchange"];

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
            "sip" => document.section(&mut config.sip, "sip", sip::KEYS, value)?,
            "audio" => document.section(&mut config.audio, "audio", audio::KEYS, value)?,
            "calls" => document.section(&mut config.calls, "calls", calls::KEYS, value)?,
            "network" => document.section(&mut config.network, "network", network::KEYS, value)?,
            "ui" => document.section(&mut config.ui, "ui", ui::KEYS, value)?,
            "hooks" => document.section(&mut config.hooks, "hooks", hooks::KEYS, value)?,
            "exchange" => document.exchange(&mut config.exchange, value)?,
            "screening" => {
                let drafts = document.entries("screening", services::SCREENING, value)?;
                config.screening = document.rules("screening", drafts, services::ScreeningDraft::rule)?;
            }
            "dialplan" => {
                let drafts = document.entries("dialplan", services::DIALPLAN, value)?;
                config.dialplan = document.rules("dialplan", drafts, services::DialplanDraft::rule)?;
            }
            "speed_dial" => config.speed_dial = document.speed_dial(value)?,
            unknown => return Err(document.unknown(key.span(), "section", unknown, "", SECTIONS)),
        }
    }
    let named = config.screening.iter().map(|rule| ("screening", &rule.name, &rule.account));
    let named = named.chain(config.dialplan.iter().map(|rule| ("dialplan", &rule.name, &rule.account)));
    for (section, rule, account) in named {
        let Some(account) = account else { continue };
        if !config.accounts.iter().any(|known| known.name == *account) {
            let start = table.get_ref().get(section).map_or(0, |value| value.span().start);
            return Err(document
                .error(start, format!("{section}: rule '{rule}' is for account '{account}', which there is not")));
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
            srtp: None,
            srtp_keying: None,
            credentials: Vec::new(),
            voicemail: None,
            rewrite_contact: true,
            gruu: false,
            events: Events::default(),
        };
        self.fill(&mut account, "account", account::KEYS, table)?;
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

    fn exchange(&self, target: &mut Exchange, value: &Spanned<DeValue<'_>>) -> Result<(), ConfigError> {
        self.section(target, "exchange", exchange::EXCHANGE, value)?;
        let tables = |name: &str| {
            let entries = value.get_ref().as_table().and_then(|table| table.get(name)?.get_ref().as_array());
            entries.map(|entries| entries.iter()).into_iter().flatten()
        };
        for entry in tables("user") {
            let mut user = ExchangeUser::default();
            self.section(&mut user, "exchange.user", exchange::USER, entry)?;
            if let Some(table) = entry.get_ref().as_table() {
                self.one_password("exchange.user", table)?;
            }
            let second = target.users.iter().any(|other| other.name == user.name);
            let second = second.then(|| format!("a second user is named '{}': give each a name of its own", user.name));
            if let Some(fault) = user.fault().or(second) {
                return Err(self.error(entry.span().start, fault));
            }
            target.users.push(user);
        }
        for entry in tables("route") {
            let mut route = ExchangeRoute::default();
            self.section(&mut route, "exchange.route", exchange::ROUTE, entry)?;
            if let Some(fault) = route.fault() {
                return Err(self.error(entry.span().start, fault));
            }
            target.routes.push(route);
        }
        Ok(())
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

    /// The entries of `[[section]]`, each with where it begins.
    fn entries<T: Default>(
        &self,
        section: &str,
        keys: &[Key<T>],
        value: &Spanned<DeValue<'_>>,
    ) -> Result<Vec<(usize, T)>, ConfigError> {
        let expected =
            |at: usize| self.error(at, format!("expected [[{section}]], with two brackets, once for each rule"));
        let entries = value.get_ref().as_array().ok_or_else(|| expected(value.span().start))?;
        let mut drafts = Vec::new();
        for entry in entries.iter() {
            let start = entry.span().start;
            let table = entry.get_ref().as_table().ok_or_else(|| expected(start))?;
            let mut draft = T::default();
            self.fill(&mut draft, section, keys, table)?;
            drafts.push((start, draft));
        }
        Ok(drafts)
    }

    /// The rules that entries make.
    fn rules<T, R>(
        &self,
        section: &str,
        drafts: Vec<(usize, T)>,
        rule: impl Fn(T, usize) -> Result<R, String>,
    ) -> Result<Vec<R>, ConfigError> {
        let numbered = drafts.into_iter().enumerate();
        numbered
            .map(|(place, (start, draft))| {
                rule(draft, place + 1).map_err(|problem| self.error(start, format!("{section}: {problem}")))
            })
            .collect()
    }

    /// Short numbers and whom they mean.
    fn speed_dial(&self, value: &Spanned<DeValue<'_>>) -> Result<BTreeMap<String, String>, ConfigError> {
        let table = value
            .get_ref()
            .as_table()
            .ok_or_else(|| self.error(value.span().start, "speed_dial: expected a section, written [speed_dial]"))?;
        let mut numbers = BTreeMap::new();
        for (key, target) in in_order(table) {
            let name = key.get_ref().as_ref();
            let wrong = |at: usize, problem: String| self.error(at, format!("speed_dial.{name}: {problem}"));
            services::short_number(name).map_err(|problem| wrong(key.span().start, problem))?;
            let text = target.get_ref().as_str().filter(|text| !text.trim().is_empty());
            let text = text.ok_or_else(|| {
                wrong(target.span().start, "expected a number, a name or an address in quotes".to_owned())
            })?;
            numbers.insert(name.to_owned(), text.trim().to_owned());
        }
        Ok(numbers)
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
                // They have keys of their own, and their turn later.
                (Kind::Tables { .. }, Some(_)) => {}
                (Kind::Tables { written }, None) => {
                    return Err(refused(format!("expected {written}, with two brackets, once for each")));
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
        self.fill(&mut realm, "account.credentials", account::REALM, table)?;
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
mod tests;
