//! The bindings of an address of record: `application/reginfo+xml` (RFC 3680 section 5).

use std::collections::BTreeMap;
use std::time::Duration;

use roxmltree::Node;

use super::super::event::Binding;
use super::super::identity::printable;
use super::dialog_info::Outcome;
use super::xml::{self, BadBody};

/// Contacts that are kept.
const MAX_CONTACTS: usize = 64;

/// Why a contact's state changed (RFC 3680 section 5.2), as far as it matters to its owner.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ended {
    /// Expired, deactivated, removed: it may be registered again at once.
    Again,
    /// Probation: it may be registered again after this pause.
    After(Duration),
    /// Rejected: not to be registered again.
    Rejected,
}

/// One contact in a document.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ContactRow {
    id: String,
    /// Its URI, safe to show.
    pub uri: String,
    /// Seconds that are left.
    pub expires: Option<u32>,
    /// `None` while it is active.
    pub ended: Option<Ended>,
}

/// A document that came.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Document {
    version: Option<u32>,
    full: bool,
    contacts: Vec<ContactRow>,
}

impl Document {
    /// Reads a body.
    ///
    /// # Errors
    /// [`BadBody`]: it is not such a document, or beyond the limits.
    pub fn parse(body: &[u8]) -> Result<Document, BadBody> {
        xml::with_root(body, "reginfo", |root| Document {
            version: xml::attribute(root, "version").and_then(|version| version.parse().ok()),
            full: xml::attribute(root, "state") != Some("partial"),
            contacts: xml::children(root, "registration")
                .flat_map(|registration| xml::children(registration, "contact").filter_map(contact))
                .collect(),
        })
    }

    /// The contacts that have ended in this document.
    pub fn ended(&self) -> impl Iterator<Item = (&ContactRow, Ended)> {
        self.contacts.iter().filter_map(|contact| Some((contact, contact.ended?)))
    }
}

fn contact(node: Node<'_, '_>) -> Option<ContactRow> {
    let number = |name: &str| xml::attribute(node, name).and_then(|value| value.parse::<u32>().ok());
    let uri = printable(xml::text(xml::child(node, "uri")?)?);
    let ended = match (xml::attribute(node, "state")?, xml::attribute(node, "event")) {
        ("terminated", Some("rejected")) => Some(Ended::Rejected),
        ("terminated", Some("probation")) => {
            Some(Ended::After(Duration::from_secs(number("retry-after").unwrap_or(60).into())))
        }
        ("terminated", Some(_) | None) => Some(Ended::Again),
        _ => None,
    };
    Some(ContactRow {
        id: printable(xml::attribute(node, "id").unwrap_or(&uri)),
        uri,
        expires: number("expires"),
        ended,
    })
}

/// The contacts of an address of record, as the registrar tells them (RFC 3680 section 6, which is RFC 4235's way).
#[derive(Debug, Clone, Default)]
pub struct Table {
    version: Option<u32>,
    rows: BTreeMap<String, ContactRow>,
}

impl Table {
    /// Takes a document: full state replaces everything, partial state changes what it names.
    pub fn take(&mut self, document: Document) -> Outcome {
        let (before, new) = (self.version, document.version);
        if let (Some(before), Some(new)) = (before, new)
            && new < before
        {
            return Outcome::Old;
        }
        self.version = new.or(before);
        if document.full {
            self.rows.clear();
        }
        for contact in document.contacts {
            if contact.ended.is_some() {
                self.rows.remove(&contact.id);
            } else if self.rows.len() < MAX_CONTACTS || self.rows.contains_key(&contact.id) {
                self.rows.insert(contact.id.clone(), contact);
            }
        }
        let gap = match (before, new) {
            (Some(before), Some(new)) => new > before.saturating_add(1),
            (None, _) => true,
            (Some(_), None) => false,
        };
        if gap && !document.full { Outcome::Gap } else { Outcome::Taken }
    }

    /// Another subscription begins: what was told stays until its first document.
    pub fn restart(&mut self) {
        self.version = None;
    }

    /// The bindings; `ours` says which are this phone's.
    pub fn bindings(&self, ours: impl Fn(&str) -> bool) -> Vec<Binding> {
        let binding =
            |row: &ContactRow| Binding { uri: row.uri.clone(), expires: row.expires, ours: ours(row.uri.as_str()) };
        self.rows.values().map(binding).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn info(version: u32, state: &str, contacts: &str) -> Document {
        let text = format!(
            "<?xml version=\"1.0\"?><reginfo xmlns=\"urn:ietf:params:xml:ns:reginfo\" version=\"{version}\" state=\"{state}\">\
             <registration aor=\"sip:joe@example.com\" id=\"a7\" state=\"active\">{contacts}</registration></reginfo>"
        );
        Document::parse(text.as_bytes()).unwrap()
    }

    const PC: &str = "<contact id=\"76\" state=\"active\" event=\"registered\" expires=\"7322\" q=\"0.8\">\
                      <uri>sip:joe@pc34.example.com</uri></contact>";

    #[test]
    fn bindings_come_and_go() {
        let mut table = Table::default();
        assert_eq!(table.take(info(0, "full", "")), Outcome::Taken);
        assert_eq!(table.take(info(1, "partial", PC)), Outcome::Taken);
        let bindings = table.bindings(|uri| uri.contains("pc34"));
        assert_eq!(bindings, [Binding { uri: "sip:joe@pc34.example.com".into(), expires: Some(7322), ours: true }]);
        let gone =
            PC.replace("active", "terminated").replace("event=\"registered\"", "event=\"probation\" retry-after=\"9\"");
        let document = info(2, "partial", &gone);
        let ended: Vec<Ended> = document.ended().map(|(_, ended)| ended).collect();
        assert_eq!(ended, [Ended::After(Duration::from_secs(9))]);
        table.take(document);
        assert!(table.bindings(|_| true).is_empty());
        assert_eq!(table.take(info(1, "full", PC)), Outcome::Old);
        assert_eq!(table.take(info(4, "partial", PC)), Outcome::Gap);
    }

    #[test]
    fn each_end_has_its_meaning() {
        for (event, meaning) in [
            ("rejected", Ended::Rejected),
            ("deactivated", Ended::Again),
            ("expired", Ended::Again),
            ("unregistered", Ended::Again),
            ("probation", Ended::After(Duration::from_secs(60))),
        ] {
            let row = PC.replace("\"active\"", "\"terminated\"").replace("\"registered\"", &format!("\"{event}\""));
            let ended: Vec<Ended> = info(0, "full", &row).ended().map(|(_, ended)| ended).collect();
            assert_eq!(ended, [meaning], "{event}");
        }
    }
}
