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
    /// The port for TLS, where it has a certificate.
    pub tls_port: Option<u16>,
}

impl Place {
    /// The exchange for `domain` at `local`.
    pub fn new(domain: &str, local: SocketAddr) -> Place {
        let host = Host::parse_hostport(&domain.to_owned().into()).ok().map(|(host, _)| host);
        Place { domain: domain.to_owned(), host, local, tls_port: None }
    }

    /// Whether a URI lies in the domain: it names the domain or this very address.
    pub fn owns(&self, uri: &Uri) -> bool {
        let Some(host) = uri.host() else { return false };
        let named = self.host.as_ref().is_some_and(|ours| ours.equivalent(host));
        let port_fits = uri.port().is_none_or(|port| self.is_our_port(port));
        let here = |ip| ip == self.local.ip();
        let at = match transport(uri) {
            Some(Transport::Udp | Transport::Tcp) => uri.port().unwrap_or(5060) == self.local.port(),
            Some(Transport::Tls) => self.tls_port.is_some_and(|port| uri.port().unwrap_or(5061) == port),
            None => false,
        };
        (named && port_fits) || (at && ip(host).is_some_and(here))
    }

    /// Whether a Route value names this proxy.
    pub fn is_our_route(&self, uri: &Uri) -> bool {
        uri.user().is_none() && self.owns(uri)
    }

    /// Whether it is reached at this port.
    pub fn is_our_port(&self, port: u16) -> bool {
        port == self.local.port() || self.tls_port == Some(port)
    }

    /// The address it is reached at by this transport.
    fn local_by(&self, transport: Transport) -> SocketAddr {
        match (transport, self.tls_port) {
            (Transport::Tls, Some(port)) => SocketAddr::new(self.local.ip(), port),
            (Transport::Tls, None) | (Transport::Udp | Transport::Tcp, _) => self.local,
        }
    }

    /// What goes into Record-Route for the side that is spoken to by this transport.
    pub fn record_route(&self, transport: Transport) -> String {
        format!("<sip:{}{};lr>", self.local_by(transport), transport.uri_parameter())
    }

    /// Where a URI leads: its IP address. Names other than localhost are not looked up.
    pub fn address(&self, uri: &Uri) -> Option<SocketAddr> {
        if !uri.scheme().is_sip() {
            return None;
        }
        let transport = transport(uri)?;
        let ip = ip(uri.host()?)?;
        let port = uri.port().unwrap_or(transport.default_port());
        let reachable = ip.is_ipv4() == self.local.is_ipv4() && !ip.is_unspecified() && !ip.is_multicast() && port != 0;
        reachable.then(|| SocketAddr::new(ip, port))
    }

    /// The way from here to an address.
    pub fn flow_to(&self, transport: Transport, remote: SocketAddr) -> Flow {
        Flow { transport, local: self.local_by(transport), remote }
    }
}

/// The transport that a URI asks for; `None`: one that is not spoken here. `sips:` is TLS (RFC 3261 section 26.2.2).
pub(crate) fn transport(uri: &Uri) -> Option<Transport> {
    let asked = uri.transport().map(Transport::from_token);
    match (uri.scheme().is_secure(), asked) {
        (true, Some(Some(Transport::Tcp | Transport::Tls)) | None) => Some(Transport::Tls),
        (true, Some(Some(Transport::Udp) | None)) => None,
        (false, None) => Some(Transport::Udp),
        (false, Some(asked)) => asked,
    }
}

/// The IP address that a host stands for without a name service.
fn ip(host: &Host) -> Option<IpAddr> {
    match host {
        Host::Ip(ip) => Some(*ip),
        Host::Name(name) if name.as_bytes().eq_ignore_ascii_case(b"localhost") => Some(Ipv4Addr::LOCALHOST.into()),
        Host::Name(_) => None,
    }
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
        assert_eq!(leads("sips:a@192.0.2.1"), "192.0.2.1:5061".parse().ok());
        for nowhere in [
            "sips:a@192.0.2.1;transport=udp",
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
