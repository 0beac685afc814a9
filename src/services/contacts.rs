//! The people that are known: found by name for calling, by address for who calls; their file is TOML.

use serde::{Deserialize, Serialize};

use super::address::Who;

/// Contacts at most.
pub const CONTACTS: usize = 10_000;
/// Addresses of a contact at most.
const ADDRESSES: usize = 20;
/// Characters of a name or an address at most.
const LENGTH: usize = 200;

/// A person, or a place.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Contact {
    /// The name in full.
    pub name: String,
    /// A short one to be typed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub nick: Option<String>,
    /// URIs and numbers, the one to be called first.
    #[serde(default)]
    pub addresses: Vec<String>,
}

/// All of them.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Contacts {
    /// In their order.
    #[serde(default, rename = "contact", skip_serializing_if = "Vec::is_empty")]
    pub list: Vec<Contact>,
}

/// Why contacts can't be taken.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[allow(missing_docs)]
pub enum ContactsError {
    #[error("not valid: {0}")]
    Toml(String),
    #[error("more than {CONTACTS} contacts")]
    TooMany,
    #[error("a contact has no name")]
    NoName,
    #[error("{0} has no address that can be called")]
    NoAddress(String),
}

/// Whether adding made a new contact.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum Added {
    New,
    Merged,
    Known,
}

impl Contact {
    /// Cut to the bounds, without what could harm a screen or a line.
    fn bounded(self) -> Result<Contact, ContactsError> {
        let clean = |text: String| -> String {
            let text: String = text.chars().filter(|c| !c.is_control()).take(LENGTH).collect();
            text.trim().to_owned()
        };
        let name = clean(self.name);
        if name.is_empty() {
            return Err(ContactsError::NoName);
        }
        let mut addresses: Vec<String> = Vec::new();
        for address in self.addresses.into_iter().map(clean).filter(|address| !address.is_empty()) {
            if !addresses.contains(&address) && addresses.len() < ADDRESSES {
                addresses.push(address);
            }
        }
        if addresses.is_empty() {
            return Err(ContactsError::NoAddress(name));
        }
        let nick = self.nick.map(clean).filter(|nick| !nick.is_empty() && !nick.contains(char::is_whitespace));
        Ok(Contact { name, nick, addresses })
    }

    fn has(&self, who: &Who) -> bool {
        self.addresses.iter().map(|address| Who::of(address)).any(|ours| {
            let same_number = ours.is_number() && ours.user == who.user;
            same_number || (ours.user == who.user && ours.host == who.host)
        })
    }
}

impl Contacts {
    /// Reads the file's text.
    ///
    /// # Errors
    /// [`ContactsError`].
    pub fn parse(text: &str) -> Result<Contacts, ContactsError> {
        let read: Contacts =
            toml::from_str(text).map_err(|error| ContactsError::Toml(error.to_string().trim().replace('\n', "; ")))?;
        if read.list.len() > CONTACTS {
            return Err(ContactsError::TooMany);
        }
        let list = read.list.into_iter().map(Contact::bounded).collect::<Result<_, _>>()?;
        Ok(Contacts { list })
    }

    /// The file's text.
    pub fn to_toml(&self) -> String {
        // Strings and lists only: it can't fail.
        toml::to_string(self).unwrap_or_default()
    }

    /// Adds a contact, or its new addresses to the one of the same name.
    ///
    /// # Errors
    /// [`ContactsError`]; nothing has changed.
    pub fn add(&mut self, contact: Contact) -> Result<Added, ContactsError> {
        let contact = contact.bounded()?;
        if let Some(known) = self.list.iter_mut().find(|known| known.name == contact.name) {
            let mut merged = known.clone();
            merged.addresses.extend(contact.addresses);
            merged.nick = contact.nick.or(merged.nick);
            let merged = merged.bounded()?;
            let changed = merged != *known;
            *known = merged;
            return Ok(if changed { Added::Merged } else { Added::Known });
        }
        if self.list.len() >= CONTACTS {
            return Err(ContactsError::TooMany);
        }
        self.list.push(contact);
        Ok(Added::New)
    }

    /// Removes the contact of this name or nick, and gives it back.
    pub fn remove(&mut self, name: &str) -> Option<Contact> {
        let place = self.list.iter().position(|contact| is_called(contact, name))?;
        Some(self.list.remove(place))
    }

    /// Whom a person means by a name: a nick, a name in full, or a first name that only one has.
    pub fn find(&self, name: &str) -> Option<&Contact> {
        let first_name =
            |contact: &&Contact| contact.name.split_whitespace().next().is_some_and(|first| same(first, name));
        self.list.iter().find(|contact| is_called(contact, name)).or_else(|| {
            let mut named = self.list.iter().filter(first_name);
            named.next().filter(|_| named.next().is_none())
        })
    }

    /// Who has an address: the same number anywhere, or the same user at the same host.
    pub fn who_has(&self, address: &str) -> Option<&Contact> {
        let who = Who::of(address);
        if who.is_anonymous() {
            return None;
        }
        self.list.iter().find(|contact| contact.has(&who))
    }
}

fn is_called(contact: &Contact, name: &str) -> bool {
    contact.nick.as_deref().is_some_and(|nick| same(nick, name)) || same(&contact.name, name)
}

fn same(a: &str, b: &str) -> bool {
    a.to_lowercase() == b.to_lowercase()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn contact(name: &str, nick: Option<&str>, addresses: &[&str]) -> Contact {
        let addresses = addresses.iter().map(|address| (*address).to_owned()).collect();
        Contact { name: name.into(), nick: nick.map(Into::into), addresses }
    }

    fn contacts() -> Contacts {
        let mut contacts = Contacts::default();
        contacts.add(contact("Bob Miller", Some("bob"), &["sip:bob@example.com", "+49 30 123"])).unwrap();
        contacts.add(contact("Zoë Smith", None, &["600"])).unwrap();
        contacts.add(contact("Zoë Jones", None, &["sip:zj@example.com"])).unwrap();
        contacts
    }

    #[test]
    fn what_is_written_is_read() {
        let text = contacts().to_toml();
        assert_eq!(Contacts::parse(&text), Ok(contacts()), "{text}");
        assert_eq!(Contacts::parse(""), Ok(Contacts::default()));
        assert!(Contacts::parse("[[contact]]\nname = \"x\"\nphone = 1").unwrap_err().to_string().contains("phone"));
        assert_eq!(Contacts::parse("[[contact]]\nname = \"x\""), Err(ContactsError::NoAddress("x".into())));
    }

    #[test]
    fn names_mean_people() {
        let contacts = contacts();
        let name = |text: &str| contacts.find(text).map(|contact| contact.name.as_str());
        assert_eq!(name("BOB"), Some("Bob Miller"));
        assert_eq!(name("bob miller"), Some("Bob Miller"));
        assert_eq!(name("Zoë Smith"), Some("Zoë Smith"));
        assert_eq!(name("zoë"), None, "two have this first name");
        assert_eq!(name("carol"), None);
    }

    #[test]
    fn callers_have_names() {
        let contacts = contacts();
        let name = |uri: &str| contacts.who_has(uri).map(|contact| contact.name.as_str());
        assert_eq!(name("sip:004930123@pbx;user=phone"), Some("Bob Miller"));
        assert_eq!(name("sip:bob@EXAMPLE.com:5070"), Some("Bob Miller"));
        assert_eq!(name("sip:bob@other.example"), None);
        assert_eq!(name("sip:600@pbx"), Some("Zoë Smith"));
        assert_eq!(name("sip:anonymous@anonymous.invalid"), None);
    }

    #[test]
    fn adding_twice_merges_and_removing_removes() {
        let mut contacts = contacts();
        assert_eq!(contacts.add(contact("Zoë Smith", None, &["600"])), Ok(Added::Known));
        assert_eq!(contacts.add(contact("Zoë Smith", Some("zs"), &["601"])), Ok(Added::Merged));
        assert_eq!(contacts.find("zs").unwrap().addresses, ["600", "601"]);
        assert_eq!(contacts.add(contact(" \u{7}", None, &["1"])), Err(ContactsError::NoName));
        assert_eq!(contacts.remove("ZS").unwrap().name, "Zoë Smith");
        assert!(contacts.remove("zs").is_none());
    }

    #[test]
    fn it_is_bounded_and_clean() {
        let many: Vec<String> = (0..100).map(|number| format!("{number}\u{1b}")).collect();
        let bounded =
            Contact { name: "x\r\n".repeat(500), nick: Some("a b".into()), addresses: many }.bounded().unwrap();
        assert_eq!((bounded.addresses.len(), bounded.name.chars().count(), bounded.nick), (ADDRESSES, LENGTH, None));
        assert_eq!(bounded.addresses[1], "1");
    }
}
