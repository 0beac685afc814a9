//! The dialogs of someone else: `application/dialog-info+xml` (RFC 4235 section 4), for busy lamps and call pickup.

use std::collections::BTreeMap;

use roxmltree::Node;

use super::super::event::{Lamp, Party};
use super::super::identity::printable;
use super::xml::{self, BadBody};

/// Dialogs that are kept of one watched address; the others only count while no room is needed for them.
const MAX_DIALOGS: usize = 64;

/// How far a dialog is (RFC 4235 section 3.7.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DialogState {
    /// The INVITE left or came.
    Trying,
    /// A provisional response without tag.
    Proceeding,
    /// It rings.
    Early,
    /// It was answered.
    Confirmed,
    /// It is over.
    Terminated,
}

impl DialogState {
    fn from_name(name: &str) -> Option<DialogState> {
        Some(match name.to_ascii_lowercase().as_str() {
            "trying" => DialogState::Trying,
            "proceeding" => DialogState::Proceeding,
            "early" => DialogState::Early,
            "confirmed" => DialogState::Confirmed,
            "terminated" => DialogState::Terminated,
            _ => return None,
        })
    }
}

/// Who began a dialog.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    /// The watched side called.
    Initiator,
    /// The watched side was called.
    Recipient,
}

/// One dialog of a watched address; see [`super::Watched::pick_up`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RemoteDialog {
    /// Its name in the document.
    pub id: String,
    /// Its Call-ID, where told: safe to stand in a header field.
    pub call_id: Option<String>,
    /// The watched side's tag.
    pub local_tag: Option<String>,
    /// The other side's tag.
    pub remote_tag: Option<String>,
    /// Who called whom.
    pub direction: Option<Direction>,
    /// How far it is.
    pub state: DialogState,
    /// The watched side.
    pub local: Option<Party>,
    /// Where the watched side can be reached in this dialog.
    pub local_target: Option<String>,
    /// The other side.
    pub remote: Option<Party>,
}

impl RemoteDialog {
    /// What the lamp shows for this dialog alone.
    fn lamp(&self) -> Lamp {
        match (self.state, self.direction) {
            (DialogState::Terminated, _) => Lamp::Idle,
            (DialogState::Confirmed, _) => Lamp::Busy,
            // Who calls has the handset in the hand already.
            (DialogState::Trying | DialogState::Proceeding | DialogState::Early, Some(Direction::Initiator)) => {
                Lamp::Busy
            }
            (DialogState::Trying | DialogState::Proceeding | DialogState::Early, Some(Direction::Recipient) | None) => {
                Lamp::Ringing
            }
        }
    }

    /// RFC 4235 section 4.1.6: what a later document does not repeat stays as it was.
    fn inherit(&mut self, before: &RemoteDialog) {
        for (now, then) in [
            (&mut self.call_id, &before.call_id),
            (&mut self.local_tag, &before.local_tag),
            (&mut self.remote_tag, &before.remote_tag),
            (&mut self.local_target, &before.local_target),
        ] {
            if now.is_none() {
                now.clone_from(then);
            }
        }
        self.direction = self.direction.or(before.direction);
        self.local = self.local.take().or_else(|| before.local.clone());
        self.remote = self.remote.take().or_else(|| before.remote.clone());
    }
}

/// A document that came.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Document {
    version: Option<u32>,
    full: bool,
    dialogs: Vec<RemoteDialog>,
}

impl Document {
    /// Reads a body.
    ///
    /// # Errors
    /// [`BadBody`]: it is not such a document, or beyond the limits.
    pub fn parse(body: &[u8]) -> Result<Document, BadBody> {
        xml::with_root(body, "dialog-info", |root| Document {
            version: xml::attribute(root, "version").and_then(|version| version.parse().ok()),
            // The RFC's own example has another name for it once.
            full: xml::attribute(root, "state").or(xml::attribute(root, "notify-state")) != Some("partial"),
            dialogs: xml::children(root, "dialog").filter_map(dialog).collect(),
        })
    }
}

fn dialog(node: Node<'_, '_>) -> Option<RemoteDialog> {
    let state = xml::text(xml::child(node, "state")?).and_then(DialogState::from_name)?;
    let direction = match xml::attribute(node, "direction") {
        Some("initiator") => Some(Direction::Initiator),
        Some("recipient") => Some(Direction::Recipient),
        Some(_) | None => None,
    };
    let local = xml::child(node, "local");
    let target = local.and_then(|local| xml::child(local, "target")).and_then(|target| xml::attribute(target, "uri"));
    Some(RemoteDialog {
        id: printable(xml::attribute(node, "id")?),
        call_id: word(xml::attribute(node, "call-id")),
        local_tag: word(xml::attribute(node, "local-tag")),
        remote_tag: word(xml::attribute(node, "remote-tag")),
        direction,
        state,
        local: local.and_then(party),
        local_target: word(target),
        remote: xml::child(node, "remote").and_then(party),
    })
}

/// The identity of one side, else its target.
fn party(side: Node<'_, '_>) -> Option<Party> {
    if let Some(identity) = xml::child(side, "identity") {
        let uri = xml::text(identity).map(printable)?;
        return Some(Party { uri, name: xml::attribute(identity, "display").map(printable) });
    }
    let target = xml::child(side, "target").and_then(|target| xml::attribute(target, "uri"))?;
    Some(Party { uri: printable(target), name: None })
}

/// What may stand in a header field as it is: no space, no control character, no separator.
fn word(text: Option<&str>) -> Option<String> {
    let safe = |c: char| c.is_ascii_graphic() && !matches!(c, ';' | ',' | '"' | '<' | '>');
    text.filter(|text| text.len() <= 256 && text.chars().all(safe)).map(str::to_owned)
}

/// What a document did to a table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// It was taken.
    Taken,
    /// It was taken, but one before it is missing: the whole state is to be asked for.
    Gap,
    /// It is older than what is known.
    Old,
}

/// All dialogs of a watched address as one notifier tells them (RFC 4235 section 4.3).
#[derive(Debug, Clone, Default)]
pub struct Table {
    version: Option<u32>,
    rows: BTreeMap<String, RemoteDialog>,
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
        for mut dialog in document.dialogs {
            let row = self.rows.remove(&dialog.id);
            if dialog.state == DialogState::Terminated {
                continue;
            }
            if let Some(row) = &row {
                dialog.inherit(row);
            }
            if self.rows.len() < MAX_DIALOGS {
                self.rows.insert(dialog.id.clone(), dialog);
            }
        }
        let follows = match (before, new) {
            (Some(before), Some(new)) => new <= before.saturating_add(1),
            // Partial state as the first that comes: what was before is not known.
            (None, _) => false,
            (Some(_), None) => true,
        };
        if document.full || follows { Outcome::Taken } else { Outcome::Gap }
    }

    /// Another subscription begins: what was told stays until its first document.
    pub fn restart(&mut self) {
        self.version = None;
    }

    /// What the lamp shows: busy before ringing before idle.
    pub fn lamp(&self) -> Lamp {
        self.rows.values().map(RemoteDialog::lamp).max().unwrap_or(Lamp::Idle)
    }

    /// The dialogs that are not over.
    pub fn dialogs(&self) -> impl Iterator<Item = &RemoteDialog> {
        self.rows.values()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn info(version: u32, state: &str, dialogs: &str) -> Document {
        let text = format!(
            "<?xml version=\"1.0\"?>\r\n<dialog-info xmlns=\"urn:ietf:params:xml:ns:dialog-info\" version=\"{version}\" \
             state=\"{state}\" entity=\"sip:201@pbx\">{dialogs}</dialog-info>"
        );
        Document::parse(text.as_bytes()).unwrap()
    }

    fn row(id: &str, direction: &str, state: &str) -> String {
        format!("<dialog id=\"{id}\" direction=\"{direction}\"><state>{state}</state></dialog>")
    }

    #[test]
    fn lamps_follow_the_dialogs() {
        let mut table = Table::default();
        for (version, state, dialogs, lamp) in [
            (0, "full", String::new(), Lamp::Idle),
            (1, "partial", row("a", "recipient", "trying"), Lamp::Ringing),
            (2, "partial", row("a", "recipient", "early"), Lamp::Ringing),
            (3, "partial", row("b", "initiator", "early"), Lamp::Busy),
            (4, "partial", row("b", "initiator", "terminated"), Lamp::Ringing),
            (5, "partial", row("a", "recipient", "confirmed"), Lamp::Busy),
            (6, "full", String::new(), Lamp::Idle),
        ] {
            assert_eq!(table.take(info(version, state, &dialogs)), Outcome::Taken, "{version}");
            assert_eq!(table.lamp(), lamp, "{version}");
        }
    }

    #[test]
    fn versions_tell_what_is_old_and_what_is_missing() {
        let mut table = Table::default();
        assert_eq!(table.take(info(7, "partial", &row("a", "recipient", "early"))), Outcome::Gap);
        assert_eq!(table.take(info(6, "full", "")), Outcome::Old);
        assert_eq!(table.lamp(), Lamp::Ringing);
        assert_eq!(table.take(info(9, "partial", &row("a", "recipient", "terminated"))), Outcome::Gap);
        assert_eq!(table.take(info(20, "full", "")), Outcome::Taken);
        assert_eq!(table.take(info(u32::MAX, "full", "")), Outcome::Taken);
    }

    #[test]
    fn what_call_pickup_needs_is_kept_and_stays_when_it_is_not_repeated() {
        let mut table = Table::default();
        let dialog = "<dialog id=\"1\" call-id=\"a84b4c76e66710\" local-tag=\"123\" remote-tag=\"456\" direction=\"recipient\">\
                      <state event=\"1xx-tag\">early</state><local><identity>sip:201@pbx</identity>\
                      <target uri=\"sip:201@192.0.2.9:5070\"/></local>\
                      <remote><identity display=\"Bob &amp; \u{202e}Co\">sip:bob@example.org</identity></remote></dialog>";
        table.take(info(0, "full", dialog));
        table.take(info(1, "partial", &row("1", "recipient", "confirmed")));
        let kept = table.dialogs().next().unwrap();
        assert_eq!(kept.call_id.as_deref(), Some("a84b4c76e66710"));
        assert_eq!((kept.local_tag.as_deref(), kept.remote_tag.as_deref()), (Some("123"), Some("456")));
        assert_eq!((kept.direction, kept.state), (Some(Direction::Recipient), DialogState::Confirmed));
        assert_eq!(kept.local_target.as_deref(), Some("sip:201@192.0.2.9:5070"));
        let remote = kept.remote.clone().unwrap();
        assert_eq!((remote.uri.as_str(), remote.name.as_deref()), ("sip:bob@example.org", Some("Bob & \u{fffd}Co")));
    }

    #[test]
    fn what_could_break_a_header_field_is_not_kept_and_the_table_is_bounded() {
        let dialog = "<dialog id=\"1\" call-id=\"a&#13;&#10;b\" local-tag=\"1;x\" remote-tag=\"ok\"><state>early</state></dialog>";
        let mut table = Table::default();
        table.take(info(0, "full", dialog));
        let kept = table.dialogs().next().unwrap();
        assert_eq!((&kept.call_id, &kept.local_tag, kept.remote_tag.as_deref()), (&None, &None, Some("ok")));
        let many: String = (0..500).map(|id| row(&id.to_string(), "recipient", "early")).collect();
        table.take(info(1, "full", &many));
        assert_eq!(table.dialogs().count(), MAX_DIALOGS);
    }

    #[test]
    fn other_bodies_are_refused() {
        assert_eq!(Document::parse(b"<presence/>"), Err(BadBody::Other("dialog-info")));
        assert!(Document::parse(b"").is_err());
    }
}
