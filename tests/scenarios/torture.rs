//! What the two documents of torture messages share: a message comes as a datagram, and what the phone says is looked at.

use offhook::sip::Message;
use offhook::ua::event::Event;
use offhook::ua::{Command, UserAgent};

use crate::harness::*;

/// What a document asks of a user agent that receives a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// An INVITE that is well: it rings here, and the caller hears 180.
    Rings,
    /// The answer: its code and reason phrase.
    Says(u16, &'static str),
    /// Nothing is said, and nothing happens.
    Dropped,
}

/// A row of the table: the message's name, its section, what is asked, and why where that surprises.
pub type Row = (&'static str, &'static str, Outcome, &'static str);

/// Sends a message to a phone that takes direct calls, as a datagram from somebody, and gives back what it says.
pub fn outcome(bytes: &[u8]) -> (Outcome, Option<Got>) {
    let phone = Phone::new(direct());
    let sender = phone.bob();
    phone.receive(sender.address, bytes);
    let said: Vec<Message> = phone.world().inboxes.values_mut().flat_map(std::mem::take).collect();
    assert!(said.len() <= 1, "one message, one answer");
    let got = said.into_iter().next().map(|message| Got { peer: sender, message });
    let rang = match phone.next_event() {
        Some(Event::Incoming { call, .. }) => Some(call),
        None => None,
        other => panic!("{other:?}"),
    };
    let outcome = match (&got, rang) {
        (None, None) => Outcome::Dropped,
        (Some(Got { message: Message::Response(response), .. }), rang) => {
            assert_eq!(rang.is_some(), response.status.code() == 180);
            if rang.is_some() {
                Outcome::Rings
            } else {
                let reason = String::from_utf8_lossy(&response.reason).into_owned();
                Outcome::Says(response.status.code(), reason.leak())
            }
        }
        (None | Some(_), _) => panic!("it rang {rang:?}, and what was said is no answer to that"),
    };
    if let Some(call) = rang {
        phone.command(Command::Reject { call, code: 486 }).unwrap();
        phone.skip_events();
    }
    // Nobody acknowledges, and nobody sends it again: whatever is kept for it goes away by itself.
    phone.advance(s(40));
    phone.skip_datagrams();
    phone.assert_quiescent();
    (outcome, got)
}

/// Checks every row of a table against the messages of a folder: none may be left out.
pub fn check(rows: &[Row], messages: &[(&str, &[u8])]) {
    let mut wrong = Vec::new();
    for (name, section, expected, _) in rows {
        let (_, bytes) =
            messages.iter().find(|(other, _)| other == name).unwrap_or_else(|| panic!("there is no {name}"));
        let (found, got) = outcome(bytes);
        if found != *expected {
            wrong.push(format!("{section} {name}: expected {expected:?}, found {found:?}"));
        }
        if let Some(got) = got {
            complete(name, bytes, &got);
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
    for (name, _) in messages {
        assert!(rows.iter().any(|(other, ..)| other == name), "{name} has no row");
    }
}

/// An answer repeats what its request has of Via, From, Call-ID and CSeq (RFC 3261 section 8.2.6.2), and has a To tag.
fn complete(name: &str, request: &[u8], answer: &Got) {
    let request = String::from_utf8_lossy(request).replace("\r\n ", " ").replace("\r\n\t", " ");
    let head = request.split("\r\n\r\n").next().unwrap_or_default();
    for (long, short) in [("Via", "v"), ("From", "f"), ("To", "t"), ("Call-ID", "i"), ("CSeq", "")] {
        let values: Vec<&str> = head
            .lines()
            .filter_map(|line| line.split_once(':'))
            .filter(|(name, _)| [long, short].iter().any(|known| name.trim_end().eq_ignore_ascii_case(known)))
            .map(|(_, value)| value.trim())
            .collect();
        let found = answer.headers(long);
        let plain = |value: &str| value.split_whitespace().collect::<String>();
        if long == "Via" {
            assert_eq!(found.len(), values.len(), "{name}: every hop is repeated");
        } else if let Some(first) = values.first() {
            let found = found.first().unwrap_or_else(|| panic!("{name}: the answer has no {long}"));
            assert!(plain(found).starts_with(&plain(first)), "{name}: {long} is {found}");
        }
        if long == "To" && !values.is_empty() {
            assert!(plain(&found[0]).contains(";tag="), "{name}: {found:?} has no tag");
        }
    }
}

/// The bytes of a message as the phone would count them when it drops it.
pub fn counted(phone: &Phone) -> u64 {
    let count = |ua: &UserAgent| ua.counters().malformed;
    count(&phone.world().ua)
}
