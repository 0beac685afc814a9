//! The registrar (RFC 3261 section 10.3), from the Contact header fields on: whose REGISTER it is has been settled before.

use std::net::{IpAddr, SocketAddr};
use std::time::{Duration, Instant};

use crate::sip::{Address, CSeq, ContactValue, Expires, HeaderName, Host, Request, Uri, Via};

use super::answer::Answer;
use super::location::{Change, ChangeError, ContactChange, Location};

/// How long bindings last.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Lifetimes {
    /// Shorter ones get 423, where RFC 3261 section 10.3 allows that: below an hour.
    pub min: Duration,
    /// For contacts that name none.
    pub default: Duration,
}

/// Changes the bindings of `user` as the request asks and answers with those that hold now.
pub(crate) fn register(
    location: &mut Location,
    lifetimes: Lifetimes,
    now: Instant,
    user: &[u8],
    request: &Request,
    source: SocketAddr,
) -> Answer {
    let Some(Ok(cseq)) = request.headers.typed::<CSeq>() else { return Answer::new(400, "Bad CSeq") };
    let call_id = request.headers.value(&HeaderName::CallId).map(|id| id.into_owned()).unwrap_or_default();
    let change = match wanted(lifetimes, request, source) {
        Ok(change) => change,
        Err(answer) => return answer,
    };
    match location.change(now, user, &call_id, cseq.sequence, &change) {
        Ok(()) => {}
        Err(ChangeError::OutOfOrder) => return Answer::new(500, "Older Than The Last REGISTER"),
        Err(ChangeError::Full) => return Answer::new(403, "Too Many Contacts"),
    }
    let mut answer = Answer::new(200, "OK");
    for binding in location.bindings(now, user) {
        let mut value = format!("<{}>", binding.uri);
        if let Some(q) = binding.q {
            value += &format!(";q={}.{:03}", q / 1000, q % 1000);
        }
        value += &format!(";expires={}", binding.seconds_left(now));
        answer = answer.with(HeaderName::Contact, value);
    }
    answer
}

/// Reads the Contact and Expires header fields (RFC 3261 section 10.3 steps 6 and 7).
fn wanted(lifetimes: Lifetimes, request: &Request, source: SocketAddr) -> Result<Change, Answer> {
    let expires = request.headers.typed::<Expires>().and_then(Result::ok).map(|expires| expires.0);
    let mut contacts = Vec::new();
    let mut all = false;
    for contact in request.headers.typed_all::<ContactValue>() {
        match contact {
            Ok(ContactValue::Wildcard) => all = true,
            Ok(ContactValue::Address(address)) => contacts.push(address),
            Err(_) => return Err(Answer::new(400, "Bad Contact")),
        }
    }
    if all {
        return match (contacts.is_empty(), expires) {
            (true, Some(0)) => Ok(Change::RemoveAll),
            _ => Err(Answer::new(400, "Contact * Needs Expires 0 And Nothing Else")),
        };
    }
    let mut changes = Vec::new();
    for contact in contacts {
        let lifetime = lifetime(lifetimes, &contact, expires)?;
        let q = contact.param("q").and_then(thousandths);
        let seen_at = seen_at(request, &contact.uri, source);
        changes.push(ContactChange { uri: contact.uri, q, lifetime, seen_at });
    }
    Ok(Change::Contacts(changes))
}

fn lifetime(lifetimes: Lifetimes, contact: &Address, header: Option<u32>) -> Result<Duration, Answer> {
    let asked = match contact.param("expires") {
        // A malformed value counts as 3600 (RFC 3261 section 20.10).
        Some(value) => std::str::from_utf8(value).ok().and_then(|text| text.parse().ok()).unwrap_or(3600),
        None => header.map_or(lifetimes.default.as_secs(), u64::from),
    };
    let asked = Duration::from_secs(asked);
    if !asked.is_zero() && asked < lifetimes.min && asked < Duration::from_secs(3600) {
        let least = lifetimes.min.as_secs().to_string();
        return Err(Answer::new(423, "Interval Too Brief").with(HeaderName::MinExpires, least));
    }
    Ok(asked)
}

/// `qvalue`: 0 to 1 with three decimals at most.
fn thousandths(value: &[u8]) -> Option<u16> {
    let q: f32 = std::str::from_utf8(value).ok()?.parse().ok()?;
    (0.0..=1.0).contains(&q).then(|| (q * 1000.0).round() as u16)
}

/// A phone behind a NAT names in Contact the address that it named in Via, and neither is the one it was seen at.
fn seen_at(request: &Request, contact: &Uri, source: SocketAddr) -> Option<SocketAddr> {
    let via = request.headers.typed::<Via>()?.ok()?;
    let Some(Host::Ip(address)) = contact.host() else { return None };
    let named = (*address, contact.port().unwrap_or(5060));
    let same: bool = matches!(via.host, Host::Ip(via_address) if (via_address, via.port.unwrap_or(5060)) == named);
    (same && (canonical(named.0), named.1) != (canonical(source.ip()), source.port())).then_some(source)
}

fn canonical(address: IpAddr) -> IpAddr {
    address.to_canonical()
}
