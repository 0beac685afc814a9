//! `offhook forward` and `offhook dnd`: what the phone remembers, switched without it. A phone that runs reads the file again
//! when somebody has changed it.

use std::path::Path;
use std::time::SystemTime;

use crate::config::{Config, address, resolve};
use crate::phone::event::Kind;
use crate::phone::keeping::files;
use crate::phone::switching::{self, Meant};
use crate::phone::{Command, Event, target};
use crate::services::screening::{Calls, Screening};
use crate::sip::Uri;

use super::exit::{Exit, Failure};
use super::text;

/// Carries a line of `forward` or `dnd` out; the answer is what is to be printed.
pub fn carry_out(config: &Config, account: Option<&str>, line: &str, json: bool) -> Result<String, Failure> {
    let path = config.files.switches.as_deref();
    let path = path.ok_or_else(|| usage("there is no home folder: set XDG_STATE_HOME"))?;
    // Unlike the phone, which must run all the same, this says what is wrong with the file.
    let mut switches = files::switches(path).map_err(usage)?;
    let before = switches.clone();
    let kinds = match line.parse::<Command>().map_err(|error| usage(error.to_string()))? {
        Command::Forward { account: named, change } => {
            let meant = meant(config, named.as_deref().or(account))?;
            let emergency = config.emergency();
            let target = |place: usize, written: &str| dialled(config, meant.get(place), written);
            switching::forward(&mut switches, &meant, &change, &emergency, target).map_err(usage)?;
            switching::forwardings(&switches, &meant, &change)
        }
        Command::Dnd { account: named, on } => {
            switching::dnd(&mut switches, &meant(config, named.as_deref().or(account))?, on)
        }
        _ => return Err(usage("it switches nothing")),
    };
    if switches != before {
        let text = serde_json::to_string(&switches).map_err(|error| failed(path, &error.to_string()))?;
        files::replace(path, &text).map_err(|error| failed(path, &format!("can't be written: {error}")))?;
    }
    Ok(kinds.into_iter().map(|kind| told(kind, json)).collect())
}

fn told(kind: Kind, json: bool) -> String {
    let line = match json {
        true => serde_json::to_string(&Event { time: SystemTime::now(), kind }).unwrap_or_default(),
        false => text::line(&kind),
    };
    line + "\n"
}

/// The account that is named, else all, and with them the calls without one where those are taken.
fn meant(config: &Config, account: Option<&str>) -> Result<Vec<Meant>, Failure> {
    let of = |account: &crate::config::Account| Meant {
        name: Some(account.name.clone()),
        uri: address::of_record(&account.uri).ok(),
    };
    if let Some(name) = account {
        let found = config.accounts.iter().find(|account| account.name == name);
        return found.map(|account| vec![of(account)]).ok_or_else(|| usage(format!("there is no account '{name}'")));
    }
    let mut all: Vec<Meant> = config.accounts.iter().map(of).collect();
    if all.is_empty() || resolve::direct_calls(config) {
        all.push(Meant::default());
    }
    Ok(all)
}

/// What is called when this is dialled: by contacts, speed dial, dial plan and the account's domain.
fn dialled(config: &Config, account: Option<&Meant>, written: &str) -> Result<Uri, String> {
    let written = written.trim();
    let contacts = config.files.contacts.as_deref().map(files::contacts).transpose()?.unwrap_or_default();
    let by_name = match config.emergency().is(written) {
        true => None,
        false => contacts.find(written).and_then(|contact| contact.addresses.first().cloned()),
    };
    let name = account.and_then(|account| account.name.as_deref());
    let plan = config.dial_plan().apply(name, by_name.as_deref().unwrap_or(written));
    let uri = target::parse(&plan.target, account.and_then(|account| account.uri.as_ref()));
    let uri = uri.map_err(|error| error.to_string())?;
    let screening = Screening { rules: config.screening.clone(), emergency: config.emergency() };
    match screening.check(Calls::Outgoing, name, &uri.to_string()) {
        Some(rule) => Err(format!("this phone does not call {uri}: rule '{}' forbids it", rule.name)),
        None => Ok(uri),
    }
}

fn usage(message: impl Into<String>) -> Failure {
    Failure::new(Exit::Usage, message)
}

fn failed(path: &Path, problem: &str) -> Failure {
    usage(format!("{}: {problem}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Files;

    const TEXT: &str = "[[account]]\nuri = \"sip:alice@pbx.example.com\"\n[[account]]\nname = \"work\"\nuri = \"sip:a@work.example\"\n\
        [[screening]]\nname = \"premium\"\ncalls = \"outgoing\"\naction = \"forbid\"\nmatch = [\"0900*\"]\n";

    fn config(folder: &Path) -> Config {
        let config = crate::config::read::read(Path::new("c.toml"), TEXT).unwrap();
        let files = Files { switches: Some(folder.join("switches.json")), ..Files::default() };
        Config { files, ..config }
    }

    #[test]
    fn forwarding_is_switched_and_remembered_without_a_phone() {
        let folder = tempfile::tempdir().unwrap();
        let config = config(folder.path());
        let does = |account: Option<&str>, line: &str| {
            carry_out(&config, account, line, false).map_err(|failure| failure.message)
        };
        assert_eq!(
            does(None, "forward always bob").unwrap(),
            "alice: forwarding always: sip:bob@pbx.example.com\nwork: forwarding always: sip:bob@work.example\n"
        );
        assert_eq!(does(Some("work"), "forward always off").unwrap(), "work: forwarding always: off\n");
        assert_eq!(does(None, "dnd @work on").unwrap(), "work: do not disturb on\n");
        let kept = files::switches(config.files.switches.as_deref().unwrap()).unwrap();
        assert_eq!(
            kept.forwarding(Some("alice"), crate::services::forwarding::When::Always).unwrap().to,
            "sip:bob@pbx.example.com"
        );
        assert_eq!((kept.forwarding.len(), kept.is_dnd(Some("work")), kept.is_dnd(Some("alice"))), (1, true, false));
        for (line, why) in [
            ("forward always 0900123", "rule 'premium'"),
            ("forward always alice", "would come back"),
            ("forward busy 112", "emergency"),
            ("forward sometimes bob", "usage"),
            ("forward @home off", "no account 'home'"),
        ] {
            assert!(does(None, line).unwrap_err().contains(why), "{line}");
            assert_eq!(files::switches(config.files.switches.as_deref().unwrap()).as_ref(), Ok(&kept), "{line}");
        }
        let shown = carry_out(&config, Some("work"), "dnd", true).unwrap();
        assert!(shown.contains("\"event\":\"dnd\"") && shown.contains("\"on\":true"), "{shown}");
        std::fs::write(config.files.switches.as_deref().unwrap(), "{").unwrap();
        assert!(does(None, "dnd on").is_err(), "a broken file is left as it is");
    }
}
