//! `offhook history` and `offhook contacts`: the files, without a phone.

use std::path::Path;

use crate::config::Files;
use crate::phone::keeping::{files, journal::Journal};
use crate::phone::screen::harmless;
use crate::services::contacts::{Added, Contact, Contacts};
use crate::services::vcard;

use super::args;
use super::exit::{Exit, Failure};
use super::text;

/// The last calls: lines for a person, or one JSON object a line.
pub fn history(files: &Files, count: usize, json: bool) -> Result<String, Failure> {
    let path = files.history.as_deref().ok_or_else(no_home)?;
    let history = Journal::peek(path).map_err(|error| failed(path, &error.to_string()))?;
    let lines = history.last(count).map(|entry| match json {
        true => serde_json::to_string(entry).unwrap_or_default() + "\n",
        false => format!("{}\n", harmless(&text::past(entry))),
    });
    let text: String = lines.collect();
    Ok(if text.is_empty() && !json { "no calls yet\n".into() } else { text })
}

/// What `contacts` does; the answer is what is to be printed.
pub fn contacts(places: &Files, command: args::Contacts, json: bool) -> Result<String, Failure> {
    let path = places.contacts.as_deref().ok_or_else(no_home)?;
    let mut contacts = files::contacts(path).map_err(|error| Failure::new(Exit::Usage, error))?;
    let said = match command {
        args::Contacts::List => return Ok(list(&contacts, json)),
        args::Contacts::Export { vcard: true } => return Ok(vcard::write(&contacts.list)),
        args::Contacts::Export { vcard: false } => return Ok(contacts.to_toml()),
        args::Contacts::Add(args::AddContact { name, addresses, nick }) => {
            let added = contacts.add(Contact { name: name.clone(), nick, addresses });
            match added.map_err(|error| Failure::new(Exit::Usage, error.to_string()))? {
                Added::New => format!("added {name}\n"),
                Added::Merged => format!("added to {name}\n"),
                Added::Known => format!("{name} is known already\n"),
            }
        }
        args::Contacts::Remove { name } => match contacts.remove(&name) {
            Some(contact) => format!("removed {}\n", contact.name),
            None => return Err(Failure::new(Exit::Usage, format!("there is no contact '{name}'"))),
        },
        args::Contacts::Import { file } => import(&mut contacts, &file)?,
    };
    files::replace(path, &contacts.to_toml()).map_err(|error| failed(path, &format!("can't be written: {error}")))?;
    Ok(said)
}

fn import(contacts: &mut Contacts, file: &Path) -> Result<String, Failure> {
    let text = files::read(file).map_err(|error| failed(file, &format!("can't be read: {error}")))?;
    let text = text.ok_or_else(|| failed(file, "there is no such file"))?;
    let is_vcard = text
        .trim_start_matches('\u{feff}')
        .trim_start()
        .get(..11)
        .is_some_and(|start| start.eq_ignore_ascii_case("begin:vcard"));
    let (found, mut skipped) = match is_vcard {
        true => {
            let cards = vcard::read(&text);
            (cards.contacts, cards.skipped)
        }
        false => (Contacts::parse(&text).map_err(|error| failed(file, &error.to_string()))?.list, 0),
    };
    let (mut new, mut merged) = (0, 0);
    for contact in found {
        match contacts.add(contact) {
            Ok(Added::New) => new += 1,
            Ok(Added::Merged) => merged += 1,
            Ok(Added::Known) => {}
            Err(error) => {
                tracing::info!(%error, "a contact is not imported");
                skipped += 1;
            }
        }
    }
    let skipped = if skipped == 0 { String::new() } else { format!(", {skipped} without a name or a number skipped") };
    Ok(format!("{new} new, {merged} added to{skipped}\n"))
}

fn list(contacts: &Contacts, json: bool) -> String {
    let line = |contact: &Contact| match json {
        true => serde_json::to_string(contact).unwrap_or_default() + "\n",
        false => {
            let nick = contact.nick.as_deref().map(|nick| format!(" ({nick})")).unwrap_or_default();
            harmless(&format!("{}{nick}: {}", contact.name, contact.addresses.join(", "))).into_owned() + "\n"
        }
    };
    let text: String = contacts.list.iter().map(line).collect();
    if text.is_empty() && !json { "no contacts yet: offhook contacts add NAME ADDRESS\n".into() } else { text }
}

fn failed(path: &Path, problem: &str) -> Failure {
    Failure::new(Exit::Usage, format!("{}: {problem}", path.display()))
}

fn no_home() -> Failure {
    Failure::new(Exit::Usage, "there is no home folder: set XDG_STATE_HOME and XDG_CONFIG_HOME")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn places(folder: &Path) -> Files {
        Files {
            contacts: Some(folder.join("contacts.toml")),
            history: Some(folder.join("history.jsonl")),
            switches: None,
            recordings: None,
        }
    }

    fn does(places: &Files, command: args::Contacts) -> Result<String, String> {
        contacts(places, command, false).map_err(|failure| failure.message)
    }

    #[test]
    fn contacts_come_in_and_go_out() {
        let folder = tempfile::tempdir().unwrap();
        let places = places(folder.path());
        let add = |name: &str, address: &str| {
            args::Contacts::Add(args::AddContact { name: name.into(), addresses: vec![address.into()], nick: None })
        };
        assert_eq!(does(&places, add("Bob", "600")).unwrap(), "added Bob\n");
        assert_eq!(does(&places, add("Bob", "600")).unwrap(), "Bob is known already\n");
        let cards = does(&places, args::Contacts::Export { vcard: true }).unwrap();
        let file = folder.path().join("people.vcf");
        std::fs::write(&file, cards.replace("Bob", "Zoë") + "BEGIN:VCARD\r\nFN:No number\r\nEND:VCARD\r\n").unwrap();
        let imported = does(&places, args::Contacts::Import { file }).unwrap();
        assert_eq!(imported, "1 new, 0 added to, 1 without a name or a number skipped\n");
        assert_eq!(does(&places, args::Contacts::List).unwrap(), "Bob: 600\nZoë: 600\n");
        let toml = does(&places, args::Contacts::Export { vcard: false }).unwrap();
        let file = folder.path().join("people.toml");
        std::fs::write(&file, toml).unwrap();
        assert_eq!(does(&places, args::Contacts::Remove { name: "bob".into() }).unwrap(), "removed Bob\n");
        assert_eq!(does(&places, args::Contacts::Import { file }).unwrap(), "1 new, 0 added to\n");
        assert!(does(&places, args::Contacts::Remove { name: "x".into() }).unwrap_err().contains("no contact 'x'"));
        let none = folder.path().join("none");
        assert!(does(&places, args::Contacts::Import { file: none }).unwrap_err().contains("no such file"));
    }

    #[test]
    fn without_a_file_there_were_no_calls() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(history(&places(folder.path()), 5, false).unwrap(), "no calls yet\n");
        assert_eq!(history(&places(folder.path()), 5, true).unwrap(), "");
    }
}
