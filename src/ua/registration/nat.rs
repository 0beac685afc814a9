//! Behind an address translator: the registrar says at which address it sees us (RFC 3261 section 18.2.1, RFC 3581), and
//! that one belongs into our Contact.

use std::net::{IpAddr, SocketAddr};

use crate::sip::{Host, Response, Uri, Via};

/// Changes in a row that are followed; an address that is another one each time is no help.
const MAX_REWRITES: u8 = 3;

/// What is known of the address that others see.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Nat {
    enabled: bool,
    /// Our own address, and the one that is seen in its place.
    seen: Option<(SocketAddr, SocketAddr)>,
    rewrites: u8,
}

impl Nat {
    /// `enabled`: false never rewrites.
    pub(super) fn new(enabled: bool) -> Nat {
        Nat { enabled, seen: None, rewrites: 0 }
    }

    /// Our own address and the one that is seen in its place, where they differ.
    pub(super) fn seen(&self) -> Option<(SocketAddr, SocketAddr)> {
        self.seen
    }

    /// Another network: what was seen holds no more.
    pub(super) fn forget(&mut self) {
        *self = Nat::new(self.enabled);
    }

    /// Takes what the topmost Via of a response to us says; true: the Contact is another one now.
    pub(super) fn learn(&mut self, response: &Response) -> bool {
        let Some((local, seen)) = addresses(response).filter(|_| self.enabled) else { return false };
        let seen = (seen != local).then_some((local, seen));
        if seen == self.seen {
            self.rewrites = 0;
            return false;
        }
        if self.rewrites >= MAX_REWRITES {
            tracing::debug!(?seen, "the registrar sees another address each time: the Contact stays");
            return false;
        }
        self.rewrites += 1;
        self.seen = seen;
        true
    }

    /// The Contact with the address that is seen.
    pub(super) fn contact(&self, base: &Uri) -> Uri {
        let Some((local, seen)) = self.seen else { return base.clone() };
        let text = String::from_utf8_lossy(&base.to_bytes()).into_owned();
        let Some((user, rest)) = text.split_once('@') else { return base.clone() };
        let place = local.to_string();
        // Not that of 192.0.2.1:50 in 192.0.2.1:5060.
        match rest.strip_prefix(&place).filter(|params| params.is_empty() || params.starts_with(';')) {
            Some(params) => Uri::parse(format!("{user}@{seen}{params}").into()).unwrap_or_else(|_| base.clone()),
            None => base.clone(),
        }
    }
}

/// What we wrote into sent-by, and where the request came from; `None` where the server does not say.
fn addresses(response: &Response) -> Option<(SocketAddr, SocketAddr)> {
    let via = response.headers.typed::<Via>()?.ok()?;
    let Host::Ip(own) = via.host else { return None };
    let local = SocketAddr::new(own, via.port.unwrap_or(5060));
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let received = via.received().map(text).and_then(|ip| ip.trim_matches(['[', ']']).parse::<IpAddr>().ok());
    let rport = via.rport().flatten().map(text).and_then(|port| port.parse::<u16>().ok());
    if received.is_none() && rport.is_none() {
        return None;
    }
    let ip = received.unwrap_or(own).to_canonical();
    // A connection leaves from a port of its own: without a translator the one at which we listen is the better one.
    let untranslated = ip == own && !via.transport.eq_ignore_ascii_case(b"UDP");
    let port = rport.filter(|_| !untranslated).unwrap_or(local.port());
    let seen = SocketAddr::new(ip, port);
    let usable = seen.port() != 0 && !seen.ip().is_unspecified() && !seen.ip().is_multicast();
    usable.then_some((local, seen))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sip::{HeaderName, ResponseBuilder, StatusCode};

    fn response(via: &str) -> Response {
        let builder = ResponseBuilder::new(StatusCode::new(200).unwrap(), "OK").unwrap();
        builder.header(HeaderName::Via, via.to_owned()).unwrap().build()
    }

    fn contact(nat: &Nat, base: &str) -> String {
        nat.contact(&Uri::parse(base.to_owned().into()).unwrap()).to_string()
    }

    const BASE: &str = "sip:x7f@192.168.1.5:5060";

    #[test]
    fn what_is_seen_comes_into_the_contact() {
        for (via, expected) in [
            ("192.168.1.5:5060;received=203.0.113.9;rport=40000;branch=z9hG4bK1", "sip:x7f@203.0.113.9:40000"),
            ("192.168.1.5:5060;rport=40000;branch=z9hG4bK1", "sip:x7f@192.168.1.5:40000"),
            ("192.168.1.5:5060;received=203.0.113.9;rport;branch=z9hG4bK1", "sip:x7f@203.0.113.9:5060"),
            ("192.168.1.5:5060;rport=5060;received=192.168.1.5", BASE),
            ("192.168.1.5:5060;rport", BASE),
            ("192.168.1.5:5060;received=0.0.0.0;rport=40000", BASE),
            ("192.168.1.5:5060;received=203.0.113.9;rport=0", BASE),
            ("192.168.1.5:5060;received=nonsense;rport=x", BASE),
            ("192.168.1.5:5060;received=[2001:db8::9];rport=7", "sip:x7f@[2001:db8::9]:7"),
        ] {
            let mut nat = Nat::new(true);
            let changed = nat.learn(&response(&format!("SIP/2.0/UDP {via}")));
            assert_eq!(contact(&nat, BASE), expected, "{via}");
            assert_eq!(changed, expected != BASE, "{via}");
        }
    }

    #[test]
    fn the_port_of_a_connection_is_no_translation() {
        let mut nat = Nat::new(true);
        assert!(!nat.learn(&response("SIP/2.0/TCP 192.168.1.5:5060;rport=40000;branch=z9hG4bK1")));
        assert!(!nat.learn(&response("SIP/2.0/TLS 192.168.1.5:5061;received=192.168.1.5;rport=40000")));
    }

    #[test]
    fn another_base_is_left_alone_and_parameters_stay() {
        let mut nat = Nat::new(true);
        assert!(nat.learn(&response("SIP/2.0/TCP 192.168.1.5:5060;received=203.0.113.9;rport=40000")));
        assert_eq!(contact(&nat, "sip:x7f@192.168.1.5:5060;transport=tcp"), "sip:x7f@203.0.113.9:40000;transport=tcp");
        assert_eq!(contact(&nat, "sip:x7f@192.168.1.5:50600"), "sip:x7f@192.168.1.5:50600");
        nat.forget();
        assert_eq!(contact(&nat, BASE), BASE);
    }

    #[test]
    fn an_address_that_never_stays_is_followed_three_times() {
        let seen = |port: u16| response(&format!("SIP/2.0/UDP 192.168.1.5:5060;received=203.0.113.9;rport={port}"));
        let mut nat = Nat::new(true);
        assert!((1..=3).all(|port| nat.learn(&seen(port))));
        assert!((4..=9).all(|port| !nat.learn(&seen(port))));
        assert_eq!(contact(&nat, BASE), "sip:x7f@203.0.113.9:3");
        // Once it stays, a later change counts again.
        assert!(!nat.learn(&seen(3)));
        assert!(nat.learn(&seen(4)));
        assert!(!Nat::new(false).learn(&seen(1)));
    }
}
