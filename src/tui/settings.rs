//! The settings of the file, read and written for the app's list.

use std::path::Path;

use crate::app::settings::{Row, Wish};
use crate::config::file::{self, Change};
use crate::config::settings::{self, Setting};
use crate::config::{Environment, Ui, read};

/// Every setting and how it stands in the file.
pub fn rows(path: &Path, environment: &Environment) -> Result<Vec<Row>, String> {
    let text = file::text(path).map_err(|error| format!("{}: {error}", path.display()))?;
    if let Err(error) = read::read(path, &text) {
        return Err(error.to_string());
    }
    let row = |setting: Setting| {
        // Those of accounts have no variables.
        let variable = format!("OFFHOOK_{}_{}", setting.section, setting.key).to_ascii_uppercase();
        let overridden = environment.get(&variable).filter(|_| setting.section != settings::ACCOUNT);
        let overridden = overridden.map(|_| variable.clone());
        Row { value: setting.value_in(&text), overridden, setting }
    };
    Ok(settings::with_accounts(settings::accounts_in(&text).max(1)).into_iter().map(row).collect())
}

/// Writes one; what someone else wrote under the same key meanwhile stays.
pub fn write(path: &Path, wish: &Wish) -> Result<(), String> {
    let Wish::Write { name, value, was } = wish else { return Ok(()) };
    let setting = settings::named(name).ok_or_else(|| format!("there is no setting '{name}'"))?;
    let text = file::text(path).map_err(|error| error.to_string())?;
    let now = setting.value_in(&text);
    if let Some(was) = was
        && *was != now
    {
        let now = now.unwrap_or_else(|| "nothing".into());
        return Err(format!("the file says {now} by now, look again"));
    }
    let change = |key, value| Change { section: setting.place(), key, value };
    // The way that is not used any more goes with the first line of the new one.
    let instead = setting.instead_of().filter(|_| value.is_some()).map(|key| change(key, None));
    let changes: Vec<Change> = std::iter::once(change(setting.key, value.clone())).chain(instead).collect();
    file::change(path, &changes).map_err(|error| error.to_string())
}

/// The file's part about the terminal UI, which takes it over at once.
pub fn ui(path: &Path) -> Option<Ui> {
    let text = file::text(path).ok()?;
    read::read(path, &text).ok().map(|config| config.ui)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::edit::Value;

    fn wish(value: &str, was: Option<&str>) -> Wish {
        let value = Some(Value::Text(value.into()));
        Wish::Write { name: "calls.dtmf".into(), value, was: Some(was.map(Into::into)) }
    }

    #[test]
    fn what_someone_else_wrote_stays() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("config.toml");
        std::fs::write(&path, "# mine\n[calls]\nmax_calls = 3\n").unwrap();
        write(&path, &wish("info", None)).unwrap();
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "# mine\n[calls]\nmax_calls = 3\ndtmf = \"info\"\n");
        std::fs::write(&path, "# mine\n[calls]\ndtmf = \"inband\" # theirs\n").unwrap();
        assert_eq!(write(&path, &wish("auto", Some("info"))), Err("the file says inband by now, look again".into()));
        write(&path, &wish("auto", Some("inband"))).unwrap();
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "# mine\n[calls]\ndtmf = \"auto\" # theirs\n");
    }

    #[test]
    fn accounts_are_changed_and_their_secrets_do_not_show() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("config.toml");
        let before =
            "[[account]] # work\nuri = \"sip:a@b\"\npassword = \"tiger\" # old\n\n[[account]]\nuri = \"sip:c@d\"\n";
        std::fs::write(&path, before).unwrap();
        let value = |name: &str| {
            let rows = rows(&path, &Environment::default()).unwrap();
            rows.into_iter().find(|row| row.setting.name() == name).and_then(|row| row.value)
        };
        assert_eq!(value("account.uri").as_deref(), Some("sip:a@b"));
        assert_eq!(value("account.2.uri").as_deref(), Some("sip:c@d"));
        assert_eq!(value("account.password").as_deref(), Some(settings::HIDDEN));
        let set = |name: &str, value: &str, was: Option<&str>| {
            let value = Some(Value::Text(value.into()));
            write(&path, &Wish::Write { name: name.into(), value, was: Some(was.map(Into::into)) })
        };
        set("account.2.display_name", "Carol", None).unwrap();
        // The password itself goes when a command gives it.
        set("account.password_command", "pass show pbx", None).unwrap();
        let after = std::fs::read_to_string(&path).unwrap();
        assert_eq!(
            after,
            "[[account]] # work\nuri = \"sip:a@b\"\n# password = \"secret\" # old\npassword_command = \"pass show pbx\"\n\n\
             [[account]]\nuri = \"sip:c@d\"\ndisplay_name = \"Carol\"\n"
        );
        let refused = set("account.uri", "nonsense", Some("sip:a@b")).unwrap_err();
        assert!(!refused.is_empty() && value("account.uri").as_deref() == Some("sip:a@b"), "{refused}");
    }

    #[test]
    fn a_file_with_a_fault_says_where() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("config.toml");
        std::fs::write(&path, "[calls]\nhold = 3\n").unwrap();
        let error = rows(&path, &Environment::default()).unwrap_err();
        assert!(error.contains("config.toml:2: calls.hold: expected"), "{error}");
    }

    #[test]
    fn a_variable_wins_and_says_so() {
        let folder = tempfile::tempdir().unwrap();
        let environment = Environment::from_pairs([("OFFHOOK_CALLS_DTMF".into(), "info".into())]);
        let rows = rows(&folder.path().join("none.toml"), &environment).unwrap();
        let dtmf = rows.iter().find(|row| row.setting.key == "dtmf").unwrap();
        assert_eq!((dtmf.value.as_deref(), dtmf.overridden.as_deref()), (None, Some("OFFHOOK_CALLS_DTMF")));
    }
}
