//! The event packages, and what their notifications say.

use crate::sip::{HeaderName, Request, text};

use super::dialog_info::{self, Outcome};
use super::mwi::Summary;
use super::reg;
use crate::sip::body::content_type;

/// The event packages that this user agent subscribes to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Package {
    /// Message waiting (RFC 3842).
    MessageSummary,
    /// Dialogs (RFC 4235).
    Dialog,
    /// Registrations (RFC 3680).
    Registration,
}

impl Package {
    /// Its token in Event.
    pub fn name(self) -> &'static str {
        match self {
            Package::MessageSummary => "message-summary",
            Package::Dialog => "dialog",
            Package::Registration => "reg",
        }
    }

    /// The media type of its notifications.
    pub fn accept(self) -> &'static str {
        match self {
            Package::MessageSummary => "application/simple-message-summary",
            Package::Dialog => "application/dialog-info+xml",
            Package::Registration => "application/reginfo+xml",
        }
    }

    /// Whether the answers of several notifiers to one SUBSCRIBE are all kept (RFC 4235 section 3.9). Of the others the first
    /// is.
    pub fn may_fork(self) -> bool {
        match self {
            Package::Dialog => true,
            Package::MessageSummary | Package::Registration => false,
        }
    }
}

/// The name and the `id` of an Event header field (RFC 6665 section 8.2.1), lower case.
pub fn event_of(request: &Request) -> (String, Option<String>) {
    let value = text(&request.headers, &HeaderName::Event).to_ascii_lowercase();
    let mut parts = value.split(';').map(str::trim);
    let name = parts.next().unwrap_or_default().to_owned();
    let id = parts.find_map(|part| part.strip_prefix("id=")).map(str::to_owned);
    (name, id)
}

/// What a notification changed.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Change {
    /// It had a body that was taken.
    pub brought_state: bool,
    /// A notification before it was lost, and this one does not make up for it.
    pub gap: bool,
    /// Contacts whose binding ended, for the reg package.
    pub ended: Vec<(String, reg::Ended)>,
}

/// Why a notification is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Refusal {
    pub code: u16,
    pub reason: &'static str,
}

/// The state that was notified.
#[derive(Debug)]
pub enum Content {
    Messages(Option<Summary>),
    Dialogs(dialog_info::Table),
    Contacts(reg::Table),
}

impl Content {
    pub fn new(package: Package) -> Content {
        match package {
            Package::MessageSummary => Content::Messages(None),
            Package::Dialog => Content::Dialogs(dialog_info::Table::default()),
            Package::Registration => Content::Contacts(reg::Table::default()),
        }
    }

    /// Another subscription begins: its versions begin anew.
    pub fn restart(&mut self) {
        match self {
            Content::Messages(_) => {}
            Content::Dialogs(table) => table.restart(),
            Content::Contacts(table) => table.restart(),
        }
    }

    /// Takes the body of a NOTIFY; `ignored`: it is only looked at.
    pub fn take(&mut self, request: &Request, ignored: bool) -> Result<Change, Refusal> {
        let body = request.body();
        if body.is_empty() || ignored {
            return Ok(Change::default());
        }
        let package = match self {
            Content::Messages(_) => Package::MessageSummary,
            Content::Dialogs(_) => Package::Dialog,
            Content::Contacts(_) => Package::Registration,
        };
        if content_type(&request.headers) != package.accept() {
            return Err(Refusal { code: 415, reason: "Unsupported Media Type" });
        }
        let bad = |error: super::xml::BadBody| {
            tracing::warn!(%error, "a notification is not understood");
            Refusal { code: 400, reason: "Bad Body" }
        };
        let mut change = Change { brought_state: true, ..Change::default() };
        let outcome = match self {
            Content::Messages(summary) => {
                let new = Summary::parse(&String::from_utf8_lossy(body));
                *summary = Some(new.ok_or(Refusal { code: 400, reason: "Bad Body" })?);
                Outcome::Taken
            }
            Content::Dialogs(table) => table.take(dialog_info::Document::parse(body).map_err(bad)?),
            Content::Contacts(table) => {
                let document = reg::Document::parse(body).map_err(bad)?;
                let ended: Vec<_> = document.ended().map(|(row, ended)| (row.uri.clone(), ended)).collect();
                let outcome = table.take(document);
                if outcome != Outcome::Old {
                    change.ended = ended;
                }
                outcome
            }
        };
        change.gap = outcome == Outcome::Gap;
        Ok(change)
    }
}
