//! What there is before the wizard, and what it writes.

use std::path::Path;

use crate::app::devices::ROLES;
use crate::app::wizard::address::Hints;
use crate::app::wizard::{Before, Draft};
use crate::config::edit::{Section, Value};
use crate::config::file::{self, Change, ChangeError};
use crate::config::{Account, Audio, Config, Events, Files, Secret, read};
use crate::phone::command::DeviceRole;

/// What the wizard begins with.
pub(super) fn before(config: &Config, path: &Path) -> Before {
    let account = config.accounts.first();
    let Audio { input, output, ring, .. } = &config.audio;
    Before {
        path: shown(path),
        exists: path.exists(),
        uri: account.map(|account| account.uri.clone()),
        has_password: account.is_some_and(|account| account.password != Secret::None),
        devices: [input.clone(), output.clone(), ring.clone()],
        hints: hints(),
    }
}

/// `~` for the person's home.
fn shown(path: &Path) -> String {
    let home = std::env::var_os("HOME").filter(|home| !home.is_empty());
    match home.and_then(|home| path.strip_prefix(&home).ok().map(Path::to_owned)) {
        Some(rest) => format!("~/{}", rest.display()),
        None => path.display().to_string(),
    }
}

/// What this machine knows of the person and of where it is.
fn hints() -> Hints {
    let user = std::env::var("USER").ok().filter(|user| !user.is_empty() && user != "root");
    let resolver = std::fs::read_to_string("/etc/resolv.conf").unwrap_or_default();
    let searched = resolver.lines().filter_map(|line| line.trim().split_once(char::is_whitespace));
    let searched = searched.filter(|(word, _)| matches!(*word, "search" | "domain"));
    let mut domains: Vec<String> = Vec::new();
    for domain in searched.flat_map(|(_, rest)| rest.split_whitespace()) {
        let domain = domain.trim_end_matches('.').to_ascii_lowercase();
        // A name without a dot, and that of a container's network, is nobody's PBX.
        if domain.contains('.') && !domain.ends_with(".internal") && !domains.contains(&domain) {
            domains.push(domain);
        }
    }
    Hints { user, domains }
}

/// The sound as configured, with these devices.
pub(super) fn audio(audio: &Audio, [input, output, ring]: &[String; 3]) -> Audio {
    Audio { input: input.clone(), output: output.clone(), ring: ring.clone(), ..audio.clone() }
}

/// A phone that registers the account and remembers nothing.
pub(super) fn trial(config: &Config, draft: &Draft) -> Config {
    let uri = draft.uri.clone().unwrap_or_default();
    let known = config.accounts.first().cloned().map(|account| Account { uri: uri.clone(), ..account });
    let mut accounts: Vec<Account> = known.or_else(|| account(&uri)).into_iter().collect();
    for account in &mut accounts {
        if let Some(secret) = &draft.secret {
            account.password = secret.clone();
        }
        account.register = true;
        account.events = Events::none();
    }
    let mut config = Config { accounts, files: Files::default(), ..config.clone() };
    // The port may belong to a phone that runs.
    config.sip.listen.set_port(0);
    config.sip.listen_is_configured = false;
    config.calls.direct_calls = Some(false);
    config
}

/// An account of this address as the file would give it, with every setting at its default; `None`: it is no address.
pub(super) fn account(uri: &str) -> Option<Account> {
    let text = format!("[[account]]\nuri = {}\n", Value::Text(uri.to_owned()).written());
    let config = read::read(Path::new(""), &text).ok()?;
    config.accounts.into_iter().next().map(|account| Account { events: Events::none(), ..account })
}

/// Writes what was asked.
pub(super) fn write(path: &Path, draft: &Draft) -> Result<(), ChangeError> {
    let text = file::text(path).map_err(ChangeError::Read)?;
    file::change(path, &changes(&text, draft))
}

/// The keys that change. What is the default and does not stand in the file need not be written.
fn changes(text: &str, draft: &Draft) -> Vec<Change> {
    let account = |key, value: Option<&String>| Change {
        section: Section::Account(0),
        key,
        value: value.map(|value| Value::Text(value.clone())),
    };
    let mut changes = Vec::new();
    if let Some(uri) = &draft.uri {
        changes.push(account("uri", Some(uri)));
        let (password, command) = match &draft.secret {
            None => return with_devices(changes, text, draft),
            Some(Secret::None) => (None, None),
            Some(Secret::Plain(password)) => (Some(password), None),
            Some(Secret::Command(command)) => (None, Some(command)),
        };
        // The one that goes first: both at once would be a fault.
        let mut both = [account("password", password), account("password_command", command)];
        both.sort_by_key(|change| change.value.is_some());
        changes.extend(both);
    }
    with_devices(changes, text, draft)
}

fn with_devices(mut changes: Vec<Change>, text: &str, draft: &Draft) -> Vec<Change> {
    const AUDIO: Section<'_> = Section::Named("audio");
    for (role, device) in ROLES.into_iter().zip(&draft.devices) {
        let key = match role {
            DeviceRole::Input => "input",
            DeviceRole::Output => "output",
            DeviceRole::Ring => "ring",
        };
        if device != "default" || crate::config::edit::get(text, AUDIO, key).is_some() {
            changes.push(Change { section: AUDIO, key, value: Some(Value::Text(device.clone())) });
        }
    }
    changes
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::EXAMPLE;

    fn draft(secret: Option<Secret>) -> Draft {
        Draft {
            uri: Some("sip:alice@pbx.lan".into()),
            secret,
            devices: ["default".into(), "alsa:hw:0".into(), "null".into()],
        }
    }

    #[test]
    fn the_first_file_says_what_was_asked_and_keeps_its_comments() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("config.toml");
        write(&path, &draft(Some(Secret::Plain("tiger".into())))).unwrap();
        let text = std::fs::read_to_string(&path).unwrap();
        let config = read::read(&path, &text).unwrap();
        assert_eq!(config.accounts[0].uri, "sip:alice@pbx.lan");
        assert_eq!(config.accounts[0].password, Secret::Plain("tiger".into()));
        assert_eq!((config.audio.output.as_str(), config.audio.ring.as_str()), ("alsa:hw:0", "null"));
        let changed = text.lines().zip(EXAMPLE.lines()).filter(|(new, old)| new != old).count();
        assert_eq!((text.lines().count(), changed), (EXAMPLE.lines().count(), 6), "{text}");
        // A command takes the password's place.
        write(&path, &draft(Some(Secret::Command("pass show pbx".into())))).unwrap();
        let text = std::fs::read_to_string(&path).unwrap();
        assert!(!text.contains("\npassword = ") && text.contains("\npassword_command = \"pass show pbx\"\n"), "{text}");
        // What is not asked stays.
        write(&path, &Draft { uri: None, ..draft(None) }).unwrap();
        assert_eq!(std::fs::read_to_string(&path).unwrap(), text);
    }

    #[test]
    fn a_trial_registers_nothing_but_the_account() {
        let config = trial(&Config::default(), &draft(Some(Secret::None)));
        assert_eq!((config.accounts.len(), config.accounts[0].uri.as_str()), (1, "sip:alice@pbx.lan"));
        assert_eq!(config.sip.listen.port(), 0);
        assert_eq!(config.files, Files::default());
    }
}
