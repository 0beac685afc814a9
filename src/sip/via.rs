//! The topmost Via: written by who sends, completed by who receives (RFC 3261 section 18, RFC 3581).

use std::net::{IpAddr, SocketAddr};

use sipx_sip::headers::first_hop_end;

use super::transport::Flow;
use super::{Header, HeaderName, Headers, Host, Request, Response, Via};

/// The start of every branch that RFC 3261 section 8.1.1.7 makes unique.
pub const BRANCH_COOKIE: &str = "z9hG4bK";

/// Puts our Via on top of a request that leaves by `flow`, asking for the answer at the port it came from (RFC 3581).
pub fn push(headers: &mut Headers, flow: &Flow, branch: &str) {
    let value = format!("SIP/2.0/{} {};branch={branch};rport", flow.transport.via_token(), flow.local);
    if let Ok(header) = Header::build(HeaderName::Via, value) {
        headers.push_front(header);
    }
}

/// Adds `received` and fills `rport` in the topmost Via of a request that came from `source`.
///
/// RFC 3261 section 18.2.1: `received` when sent-by is a name or another address; RFC 3581 section 4: both when the
/// client asked by `rport`.
pub fn stamp(request: &mut Request, source: SocketAddr) {
    let Some(Ok(via)) = request.headers.typed::<Via>() else { return };
    let asks_rport = matches!(via.rport(), Some(None));
    let same_host = matches!(via.host, Host::Ip(ip) if ip == source.ip());
    // Only we may say where it came from: with a `received` of its own a request could aim our answer at anybody.
    let forged = via.received().is_some();
    if same_host && !asks_rport && !forged {
        return;
    }
    let Some(row) = request.headers.remove_first(&HeaderName::Via) else { return };
    let value = row.value().into_owned();
    let (first, rest) = value.split_at(first_hop_end(&value).min(value.len()));
    let mut stamped = String::from_utf8_lossy(first).trim_end().to_owned();
    if asks_rport {
        stamped = replace_flag(&stamped, "rport", &format!("rport={}", source.port()));
    }
    if forged {
        stamped = without(&stamped, "received");
    }
    stamped.push_str(&format!(";received={}", source.ip()));
    stamped.push_str(&String::from_utf8_lossy(rest));
    request.headers.push_front(Header::build(HeaderName::Via, stamped).unwrap_or(row));
}

/// Leaves out every parameter `name`.
fn without(via: &str, name: &str) -> String {
    let is_another = |part: &&str| !part.split('=').next().unwrap_or_default().trim().eq_ignore_ascii_case(name);
    via.split(';').filter(is_another).collect::<Vec<_>>().join(";")
}

/// Writes `with` in place of the valueless parameter `name`.
fn replace_flag(via: &str, name: &str, with: &str) -> String {
    via.split(';')
        .map(|part| if part.trim().eq_ignore_ascii_case(name) { with } else { part })
        .collect::<Vec<_>>()
        .join(";")
}

/// Where a response goes, after [`stamp`] (RFC 3261 section 18.2.2, RFC 3581 section 4): `received` with `rport`, else with
/// the port of sent-by; without `received`, to `source`'s address. `maddr` is not followed: nothing here is multicast.
pub fn reply_to(request: &Request, source: SocketAddr) -> SocketAddr {
    let Some(Ok(via)) = request.headers.typed::<Via>() else { return source };
    let ip = via
        .received()
        .and_then(|text| std::str::from_utf8(text).ok())
        .and_then(|text| text.trim_matches(['[', ']']).parse::<IpAddr>().ok())
        .unwrap_or_else(|| source.ip());
    let rport = via.rport().flatten().and_then(|text| std::str::from_utf8(text).ok()?.parse::<u16>().ok());
    SocketAddr::new(ip, rport.or(via.port).unwrap_or(5060))
}

/// Whether the topmost branch is the cookie of RFC 3261 section 8.1.1.7 and nothing more.
pub fn has_empty_branch(request: &Request) -> bool {
    let via = request.headers.typed::<Via>().and_then(Result::ok);
    via.is_some_and(|via| via.branch().is_some_and(|branch| branch == BRANCH_COOKIE.as_bytes()))
}

/// How many Vias there are: a message has one for each hop. Two are told from more no more.
pub fn hops(headers: &Headers) -> usize {
    let hops_of = |value: &[u8]| if first_hop_end(value) < value.trim_ascii_end().len() { 2 } else { 1 };
    headers.get_all(&HeaderName::Via).map(|row| hops_of(&row.value())).sum()
}

/// Takes the topmost Via off a response that goes on to the next (RFC 3261 section 16.7); false: none was there.
pub fn pop(response: &mut Response) -> bool {
    let Some(row) = response.headers.remove_first(&HeaderName::Via) else { return false };
    let value = row.value().into_owned();
    let rest = value.get(first_hop_end(&value) + 1..).unwrap_or_default();
    if let Ok(header) = Header::build(HeaderName::Via, rest.trim_ascii().to_vec())
        && !rest.trim_ascii().is_empty()
    {
        response.headers.push_front(header);
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sip::{Limits, Message, parse_datagram};

    fn request(via: &str) -> Request {
        let text = format!("OPTIONS sip:a@b SIP/2.0\r\n{via}\r\nContent-Length: 0\r\n\r\n");
        match parse_datagram(text.into(), &Limits::datagram()) {
            Ok(Message::Request(request)) => request,
            other => panic!("{other:?}"),
        }
    }

    fn stamped(via: &str, source: &str) -> (String, SocketAddr) {
        let mut request = request(via);
        let source = source.parse().unwrap();
        stamp(&mut request, source);
        (super::super::text(&request.headers, &HeaderName::Via), reply_to(&request, source))
    }

    #[test]
    fn a_truthful_via_stays_as_it_is() {
        let (via, to) = stamped("Via: SIP/2.0/UDP 192.0.2.1:5070;branch=z9hG4bKa", "192.0.2.1:40000");
        assert_eq!(via, "SIP/2.0/UDP 192.0.2.1:5070;branch=z9hG4bKa");
        assert_eq!(to, "192.0.2.1:5070".parse().unwrap(), "without rport the answer goes to sent-by's port");
    }

    #[test]
    fn rport_and_received_are_filled_in() {
        let (via, to) =
            stamped("Via: SIP/2.0/UDP pc.example.com;rport;branch=z9hG4bKa, SIP/2.0/UDP x", "192.0.2.9:40000");
        assert_eq!(via, "SIP/2.0/UDP pc.example.com;rport=40000;branch=z9hG4bKa;received=192.0.2.9, SIP/2.0/UDP x");
        assert_eq!(to, "192.0.2.9:40000".parse().unwrap());
    }

    #[test]
    fn a_name_in_sent_by_is_answered_at_the_source_and_the_default_port() {
        let (via, to) = stamped("Via: SIP/2.0/UDP pc.example.com;branch=z9hG4bKa", "[2001:db8::1]:40000");
        assert!(via.ends_with(";received=2001:db8::1"), "{via}");
        assert_eq!(to, "[2001:db8::1]:5060".parse().unwrap());
    }

    #[test]
    fn nobody_aims_the_answer_at_someone_else() {
        let (via, to) =
            stamped("Via: SIP/2.0/UDP 192.0.2.9:5070;received=198.51.100.1;branch=z9hG4bKa", "192.0.2.9:40000");
        assert_eq!(via, "SIP/2.0/UDP 192.0.2.9:5070;branch=z9hG4bKa;received=192.0.2.9");
        assert_eq!(to, "192.0.2.9:5070".parse().unwrap());
    }

    #[test]
    fn popping_takes_one_hop_only() {
        let text = "SIP/2.0 200 OK\r\nVia: SIP/2.0/UDP a;branch=1, SIP/2.0/UDP b\r\nVia: SIP/2.0/UDP c\r\n\r\n";
        let Ok(Message::Response(mut response)) = parse_datagram(text.into(), &Limits::datagram()) else { panic!() };
        assert!(pop(&mut response));
        assert_eq!(super::super::text(&response.headers, &HeaderName::Via), "SIP/2.0/UDP b");
        assert!(pop(&mut response) && pop(&mut response) && !pop(&mut response));
    }
}
