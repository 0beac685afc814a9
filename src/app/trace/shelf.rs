//! Older messages, where they take no memory: the UI puts them on a shelf, and takes them back when they show.

use std::fmt;
use std::net::SocketAddr;
use std::time::{Duration, SystemTime};

use crate::phone::TraceEntry;
use crate::sip::transport::Transport;
use crate::ua::CallNo;

use super::Message;

/// Where a record stands on the shelf.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place {
    /// How many bytes were put there before it.
    pub at: u64,
    /// Its length in bytes.
    pub length: u32,
}

/// Takes records and gives them back; the oldest go when there are too many.
pub trait Shelf: fmt::Debug + Send {
    /// Puts a record behind the others; `None`: it could not.
    fn put(&mut self, record: &[u8]) -> Option<Place>;

    /// A record that was put there; `None`: it is gone.
    fn get(&self, place: Place) -> Option<Vec<u8>>;

    /// Records before this place are gone.
    fn oldest(&self) -> u64;
}

/// A message as a record: a line of what is known of it, tabs between, and then its text.
pub fn encode(message: &Message) -> Vec<u8> {
    let entry = &message.entry;
    let since = entry.time.duration_since(SystemTime::UNIX_EPOCH).unwrap_or(Duration::ZERO);
    let again: Vec<String> = message.again.iter().map(u32::to_string).collect();
    let head = [
        since.as_nanos().to_string(),
        entry.sent.to_string(),
        entry.local.to_string(),
        entry.remote.to_string(),
        entry.transport.via_token().to_owned(),
        entry.call.map_or(0, |call| call.0).to_string(),
        message.times.to_string(),
        again.join(","),
        entry.call_id.clone(),
        entry.cseq.clone(),
        entry.summary.clone(),
    ];
    format!("{}\n{}", head.join("\t"), entry.text).into_bytes()
}

/// The message of a record; `None`: it is none.
pub fn decode(record: &[u8]) -> Option<Message> {
    let (head, text) = std::str::from_utf8(record).ok()?.split_once('\n')?;
    let mut fields = head.split('\t');
    let mut next = || fields.next();
    let time = SystemTime::UNIX_EPOCH.checked_add(Duration::from_nanos(next()?.parse().ok()?))?;
    let sent = next()?.parse().ok()?;
    let local: SocketAddr = next()?.parse().ok()?;
    let remote: SocketAddr = next()?.parse().ok()?;
    let transport = Transport::from_token(next()?.as_bytes())?;
    let call = match next()?.parse().ok()? {
        0 => None,
        no => Some(CallNo(no)),
    };
    let times = next()?.parse().ok()?;
    let again = next()?.split(',').filter_map(|ms| ms.parse().ok()).collect();
    let (call_id, cseq, summary) = (next()?.to_owned(), next()?.to_owned(), next()?.to_owned());
    let entry =
        TraceEntry { time, sent, local, remote, transport, call, summary, call_id, cseq, text: text.to_owned() };
    Some(Message { entry, times, again })
}

/// A shelf in memory, for tests.
#[cfg(test)]
#[derive(Debug, Default)]
pub(crate) struct InMemory {
    bytes: Vec<u8>,
    /// Bytes that are still there, at most.
    most: Option<u64>,
}

#[cfg(test)]
impl InMemory {
    pub fn new(most: Option<u64>) -> InMemory {
        InMemory { bytes: Vec::new(), most }
    }
}

#[cfg(test)]
impl Shelf for InMemory {
    fn put(&mut self, record: &[u8]) -> Option<Place> {
        let place = Place { at: self.bytes.len() as u64, length: record.len() as u32 };
        self.bytes.extend(record);
        Some(place)
    }

    fn get(&self, place: Place) -> Option<Vec<u8>> {
        let at = place.at as usize;
        self.bytes.get(at..at + place.length as usize).map(<[u8]>::to_vec).filter(|_| place.at >= self.oldest())
    }

    fn oldest(&self) -> u64 {
        self.most.map_or(0, |most| (self.bytes.len() as u64).saturating_sub(most))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_comes_back_as_it_was() {
        let entry = TraceEntry {
            time: SystemTime::UNIX_EPOCH + Duration::from_nanos(1_790_000_000_123_456_789),
            sent: true,
            local: "[2001:db8::1]:5061".parse().unwrap(),
            remote: "[2001:db8::2]:5061".parse().unwrap(),
            transport: Transport::Tls,
            call: Some(CallNo(7)),
            summary: "INVITE sip:zoë@example.com SIP/2.0".into(),
            call_id: "a@b".into(),
            cseq: "1 INVITE".into(),
            text: "INVITE sip:zoë@example.com SIP/2.0\nCSeq: 1 INVITE\n\nv=0".into(),
        };
        let message = Message { entry, times: 3, again: vec![500, 1500] };
        assert_eq!(decode(&encode(&message)), Some(message));
        for rubbish in [&b""[..], b"\n", b"1\ttrue\n", b"\xff\n", b"99999999999999999999999\n"] {
            assert_eq!(decode(rubbish), None);
        }
    }
}
