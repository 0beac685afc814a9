//! The location service: which contacts stand for which user (RFC 3261 sections 10.3 and 16.5). Bounded: so many users, so
//! many contacts each. What has expired is never seen and is cleared away when room is needed.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use crate::sip::Uri;

/// Users that may have bindings at a time.
const MAX_USERS: usize = 16_384;
/// Contacts that all users may have together.
const MAX_BINDINGS: usize = 65_536;
/// Contacts that one user may have.
pub(crate) const MAX_CONTACTS: usize = 10;
/// Bytes of a contact's URI: what is kept of a registration is bounded too.
const MAX_URI: usize = 512;
/// Bytes of a Call-ID that are kept.
const MAX_CALL_ID: usize = 256;

/// One contact of a user.
#[derive(Debug, Clone)]
pub struct Binding {
    /// The contact, of any scheme.
    pub uri: Uri,
    /// Preference in thousandths, where one was given.
    pub q: Option<u16>,
    /// When it ends.
    pub expires: Instant,
    /// Where requests really go when the phone registered from behind a NAT: the address it was seen at.
    pub seen_at: Option<SocketAddr>,
}

impl Binding {
    /// How long it still holds, rounded up to seconds: a fresh one shows exactly what was granted.
    pub fn seconds_left(&self, now: Instant) -> u64 {
        self.expires.saturating_duration_since(now).as_millis().div_ceil(1000) as u64
    }
}

/// A contact as it is kept: the URI's text alone, for a parsed one holds on to the datagram that it came in.
#[derive(Debug, Clone)]
struct Stored {
    uri: Box<str>,
    call_id: Box<[u8]>,
    expires: Instant,
    seen_at: Option<SocketAddr>,
    cseq: u32,
    q: Option<u16>,
}

impl Stored {
    fn uri(&self) -> Option<Uri> {
        Uri::parse(bytes::Bytes::copy_from_slice(self.uri.as_bytes())).ok()
    }

    /// A contact without q counts as 1 (RFC 3261 section 20.10 leaves it to us; this is what everyone does).
    fn preference(&self) -> std::cmp::Reverse<u16> {
        std::cmp::Reverse(self.q.unwrap_or(1000))
    }
}

/// What a REGISTER asks to change.
#[derive(Debug, Clone)]
pub(crate) enum Change {
    /// `Contact: *` with `Expires: 0`: remove all.
    RemoveAll,
    /// Add, refresh or (with a lifetime of zero) remove these; none is a query.
    Contacts(Vec<ContactChange>),
}

/// One contact in a REGISTER.
#[derive(Debug, Clone)]
pub(crate) struct ContactChange {
    pub uri: Uri,
    pub q: Option<u16>,
    pub lifetime: Duration,
    pub seen_at: Option<SocketAddr>,
}

/// Why nothing was changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum ChangeError {
    /// A binding of the same Call-ID has this CSeq or a higher one (RFC 3261 section 10.3 step 7).
    #[error("an older or repeated REGISTER")]
    OutOfOrder,
    /// There would be too many.
    #[error("too many contacts or users")]
    Full,
}

/// All bindings.
#[derive(Debug, Default)]
pub(crate) struct Location {
    users: HashMap<Box<[u8]>, Box<[Stored]>>,
    /// Over all users, the expired ones included that nobody has looked for.
    count: usize,
}

impl Location {
    /// The bindings of a user that still hold, the preferred ones first, else in the order of registration.
    pub fn bindings(&self, now: Instant, user: &[u8]) -> Vec<Binding> {
        let shown = |stored: Stored| {
            let uri = stored.uri()?;
            Some(Binding { uri, q: stored.q, expires: stored.expires, seen_at: stored.seen_at })
        };
        self.live(now, user).into_iter().filter_map(shown).collect()
    }

    fn live(&self, now: Instant, user: &[u8]) -> Vec<Stored> {
        let mut live: Vec<Stored> =
            self.users.get(user).into_iter().flatten().filter(|stored| stored.expires > now).cloned().collect();
        live.sort_by_key(Stored::preference);
        live
    }

    /// Makes a change whole, or not at all.
    pub fn change(
        &mut self,
        now: Instant,
        user: &[u8],
        call_id: &[u8],
        cseq: u32,
        change: &Change,
    ) -> Result<(), ChangeError> {
        let call_id = call_id.get(..MAX_CALL_ID).unwrap_or(call_id);
        let mut bindings = self.live(now, user);
        let in_order = |stored: &Stored| *stored.call_id != *call_id || stored.cseq < cseq;
        match change {
            Change::RemoveAll => {
                if !bindings.iter().all(in_order) {
                    return Err(ChangeError::OutOfOrder);
                }
                bindings.clear();
            }
            Change::Contacts(contacts) => {
                for contact in contacts {
                    let same = |stored: &Stored| stored.uri().is_some_and(|uri| uri.equivalent(&contact.uri));
                    let old = bindings.iter().position(same);
                    if let Some(old) = old {
                        if !bindings.get(old).is_some_and(in_order) {
                            return Err(ChangeError::OutOfOrder);
                        }
                        bindings.remove(old);
                    }
                    if contact.lifetime.is_zero() {
                        continue;
                    }
                    let uri = contact.uri.to_string();
                    if uri.len() > MAX_URI || bindings.len() >= MAX_CONTACTS {
                        return Err(ChangeError::Full);
                    }
                    let stored = Stored {
                        uri: uri.into(),
                        call_id: call_id.into(),
                        expires: now + contact.lifetime,
                        seen_at: contact.seen_at,
                        cseq,
                        q: contact.q,
                    };
                    bindings.insert(old.unwrap_or(bindings.len()), stored);
                }
            }
        }
        self.keep(now, user, bindings)
    }

    fn keep(&mut self, now: Instant, user: &[u8], bindings: Vec<Stored>) -> Result<(), ChangeError> {
        let before = self.users.get(user).map_or(0, |bindings| bindings.len());
        let full = |location: &Location| {
            let new = location.users.len() >= MAX_USERS && !location.users.contains_key(user);
            new || location.count - before + bindings.len() > MAX_BINDINGS
        };
        if !bindings.is_empty() && full(self) {
            self.users.retain(|name, bindings| **name == *user || bindings.iter().any(|one| one.expires > now));
            self.count = self.users.values().map(|bindings| bindings.len()).sum();
            if full(self) {
                return Err(ChangeError::Full);
            }
        }
        self.count = self.count - before + bindings.len();
        if bindings.is_empty() {
            self.users.remove(user);
        } else {
            self.users.insert(user.into(), bindings.into());
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn uri(text: &str) -> Uri {
        Uri::parse(text.to_owned().into()).expect("a URI")
    }

    fn contact(text: &str, q: Option<u16>, seconds: u64) -> ContactChange {
        ContactChange { uri: uri(text), q, lifetime: Duration::from_secs(seconds), seen_at: None }
    }

    fn shown(location: &Location, now: Instant) -> Vec<String> {
        location.bindings(now, b"bob").iter().map(|binding| binding.uri.to_string()).collect()
    }

    #[test]
    fn several_contacts_by_preference_and_until_they_expire() {
        let (mut location, now) = (Location::default(), Instant::now());
        let contacts = vec![
            contact("sip:low@192.0.2.1", Some(100), 60),
            contact("sip:plain@192.0.2.2", None, 120),
            contact("mailto:bob@example.com", Some(500), 4_294_967_295),
        ];
        location.change(now, b"bob", b"a", 1, &Change::Contacts(contacts)).expect("new");
        assert_eq!(shown(&location, now), ["sip:plain@192.0.2.2", "mailto:bob@example.com", "sip:low@192.0.2.1"]);
        let later = now + Duration::from_secs(60);
        assert_eq!(shown(&location, later), ["sip:plain@192.0.2.2", "mailto:bob@example.com"]);
        assert!(location.bindings(now, b"alice").is_empty());
    }

    #[test]
    fn a_refresh_keeps_its_place_and_an_old_one_changes_nothing() {
        let (mut location, now) = (Location::default(), Instant::now());
        let both = vec![contact("sip:a@192.0.2.1", None, 60), contact("sip:b@192.0.2.2", None, 60)];
        location.change(now, b"bob", b"id", 5, &Change::Contacts(both)).expect("new");
        let again = vec![contact("sip:c@192.0.2.3", None, 60), contact("sip:a@192.0.2.1", None, 600)];
        let refused = location.change(now, b"bob", b"id", 5, &Change::Contacts(again.clone()));
        assert_eq!(refused, Err(ChangeError::OutOfOrder));
        assert_eq!(shown(&location, now), ["sip:a@192.0.2.1", "sip:b@192.0.2.2"]);
        location.change(now, b"bob", b"id", 6, &Change::Contacts(again)).expect("in order");
        assert_eq!(shown(&location, now), ["sip:a@192.0.2.1", "sip:b@192.0.2.2", "sip:c@192.0.2.3"]);
        assert_eq!(location.bindings(now, b"bob")[0].seconds_left(now), 600);
        // Another Call-ID may take over whatever its CSeq is.
        location
            .change(now, b"bob", b"other", 1, &Change::Contacts(vec![contact("sip:a@192.0.2.1", None, 0)]))
            .expect("other Call-ID");
        assert_eq!(shown(&location, now), ["sip:b@192.0.2.2", "sip:c@192.0.2.3"]);
    }

    #[test]
    fn removing_all_respects_the_order_too() {
        let (mut location, now) = (Location::default(), Instant::now());
        let one = vec![contact("sip:a@192.0.2.1", None, 60)];
        location.change(now, b"bob", b"id", 5, &Change::Contacts(one)).expect("new");
        assert_eq!(location.change(now, b"bob", b"id", 4, &Change::RemoveAll), Err(ChangeError::OutOfOrder));
        location.change(now, b"bob", b"id", 6, &Change::RemoveAll).expect("in order");
        assert!(location.users.is_empty());
    }

    #[test]
    fn contacts_and_users_are_bounded() {
        let (mut location, now) = (Location::default(), Instant::now());
        let many = (0..=MAX_CONTACTS).map(|n| contact(&format!("sip:a@192.0.2.{n}"), None, 60)).collect();
        assert_eq!(location.change(now, b"bob", b"id", 1, &Change::Contacts(many)), Err(ChangeError::Full));
        let one = Change::Contacts(vec![contact("sip:a@192.0.2.1", None, 60)]);
        for user in 0..MAX_USERS {
            location.change(now, user.to_string().as_bytes(), b"id", 1, &one).expect("room");
        }
        assert_eq!(location.change(now, b"bob", b"id", 1, &one), Err(ChangeError::Full));
        location.change(now + Duration::from_secs(61), b"bob", b"id", 1, &one).expect("the others have expired");
    }
}
