//! Where the exchange stands among addresses: what is its own, where others are.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use crate::sip::transport::{Flow, Transport};
use crate::sip::{Address, HeaderName, Headers, Host, Uri};

/// The exchange's names.
#[derive(Debug, Clone)]
pub(crate) struct Place {
    /// The domain of its users, as written.
    pub domain: String,
    host: Option<Host>,
    /// The address it is reached at.
    pub local: SocketAddr,
}

impl Place {
    /// The exchange for `domain` at `local`.
    pub fn new(domain: &str, local: SocketAddr) -> Place {
        let host = Host::parse_hostport(&domain.to_owned().into()).ok().map(|(host, _)| host);
        Place { domain: domain.to_owned(), host, local }
    }

    /// Whether a URI lies in the domain: it names the domain or this very address.
    pub fn owns(&self, uri: &Uri) -> bool {
        let Some(host) = uri.host() else { return false };
        let named = self.host.as_ref().is_some_and(|ours| ours.equivalent(host));
        let port_fits = uri.port().is_none_or(|port| port == self.local.port());
        (named && port_fits) || self.address(uri).is_some_and(|address| address == self.local)
    }

    /// Whether a Route value names this proxy.
    pub fn is_our_route(&self, uri: &Uri) -> bool {
        uri.user().is_none() && self.owns(uri)
    }

    /// What goes into Record-Route.
    pub fn record_route(&self) -> String {
        format!("<sip:{};lr>", self.local)
    }

    /// Where a URI leads: its IP address. Names other than localhost are not looked up.
    pub fn address(&self, uri: &Uri) -> Option<SocketAddr> {
        if !uri.scheme().is_sip() || uri.scheme().is_secure() {
            return None;
        }
        let transport = transport(uri)?;
        let ip = match uri.host()? {
            Host::Ip(ip) => *ip,
            Host::Name(name) if name.as_bytes().eq_ignore_ascii_case(b"localhost") => IpAddr::V4(Ipv4Addr::LOCALHOST),
            Host::Name(_) => return None,
        };
        let port = uri.port().unwrap_or(transport.default_port());
        let reachable = ip.is_ipv4() == self.local.is_ipv4() && !ip.is_unspecified() && !ip.is_multicast() && port != 0;
        reachable.then(|| SocketAddr::new(ip, port))
    }

    /// The way from here to an address.
    pub fn flow_to(&self, transport: Transport, remote: SocketAddr) -> Flow {
        Flow { transport, local: self.local, remote }
    }
}

/// The transport that a URI asks for; `None`: one that is not spoken here.
pub(crate) fn transport(uri: &Uri) -> Option<Transport> {
    uri.transport().map_or(Some(Transport::Udp), Transport::from_token)
}

/// The URIs in the Route header fields, in their order; `None` when they can't be read.
pub(crate) fn routes(headers: &Headers) -> Option<Vec<Uri>> {
    let mut uris = Vec::new();
    for row in headers.get_all(&HeaderName::Route) {
        uris.extend(Address::parse_list(&row.value(), "Route").ok()?.into_iter().map(|address| address.uri));
    }
    Some(uris)
}

/// Whether a Route's URI names a loose router (RFC 3261 section 19.1.1).
pub(crate) fn is_loose(uri: &Uri) -> bool {
    uri.params().is_some_and(|params| params.contains("lr"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn uri(text: &str) -> Uri {
        Uri::parse(text.to_owned().into()).expect("a URI")
    }

    #[test]
    fn what_is_ours() {
        let place = Place::new("demo", "127.0.0.1:40000".parse().unwrap());
        for ours in
            ["sip:you@demo", "sip:you@DEMO:40000", "sip:demo", "sip:127.0.0.1:40000;lr", "sip:x@localhost:40000"]
        {
            assert!(place.owns(&uri(ours)), "{ours}");
        }
        for other in ["sip:you@example.com", "sip:you@demo:5060", "sip:127.0.0.1", "sip:x@127.0.0.1:5062", "tel:600"] {
            assert!(!place.owns(&uri(other)), "{other}");
        }
        assert!(!place.is_our_route(&uri("sip:you@demo")));
        let by_address = Place::new("192.0.2.1", "192.0.2.1:5070".parse().unwrap());
        assert!(by_address.owns(&uri("sip:bob@192.0.2.1")) && !by_address.owns(&uri("sip:bob@192.0.2.1:5060")));
    }

    #[test]
    fn where_uris_lead() {
        let place = Place::new("demo", "127.0.0.1:40000".parse().unwrap());
        let leads = |text| place.address(&uri(text));
        assert_eq!(leads("sip:a@192.0.2.1"), "192.0.2.1:5060".parse().ok());
        assert_eq!(leads("sip:a@192.0.2.1:99;transport=UDP"), "192.0.2.1:99".parse().ok());
        for nowhere in [
            "sips:a@192.0.2.1",
            "sip:a@192.0.2.1;transport=sctp",
            "sip:a@example.com",
            "sip:a@[2001:db8::1]",
            "sip:a@0.0.0.0",
            "mailto:a@example.com",
        ] {
            assert_eq!(leads(nowhere), None, "{nowhere}");
        }
    }
}
