//! Where requests go: the host of a URI, its ways in their order, and which of them are left alone for a while because
//! they have failed (RFC 3263 section 4.3).

use std::collections::{HashMap, HashSet};
use std::net::{IpAddr, SocketAddr};
use std::time::{Duration, Instant};

use crate::sip::transport::{Flow, Transport};
use crate::sip::{Host, Request, Route, Scheme, Uri};

/// Hosts whose addresses are remembered.
const MAX_HOPS: usize = 1_000;
/// How long a host's addresses are used before they are asked for again.
const HOP_LIFETIME: Duration = Duration::from_secs(60);
/// How long a target that failed is left alone, if it did not say how long itself.
const REST: Duration = Duration::from_secs(45);
/// The longest rest that a Retry-After may ask for.
const MAX_REST: Duration = Duration::from_secs(600);
/// Targets that rest at a time.
const MAX_RESTING: usize = 1_000;

/// A host whose ways must be found: see [`super::UserAgent::poll_resolve`].
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Resolve {
    /// A name, or an IP address without brackets.
    pub host: String,
    /// The port, where the URI has one.
    pub port: Option<u16>,
    /// The transport protocol, where the URI fixes one.
    pub transport: Option<Transport>,
    /// `sips:`: TLS, whatever the name service says (RFC 3263 section 4.1).
    pub secure: bool,
}

/// Why a URI can't be reached by this build.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Unreachable {
    /// `transport=` is none of UDP, TCP and TLS, or `sips:` by UDP.
    #[error("it asks for a transport that this version does not speak: UDP, TCP and TLS work")]
    Transport,
    /// No host.
    #[error("it names no host")]
    NoHost,
}

impl Resolve {
    /// The host of a URI, with the transport that it asks for.
    ///
    /// # Errors
    /// [`Unreachable`] says why it can't be reached.
    pub fn of(uri: &Uri) -> Result<Resolve, Unreachable> {
        let asked = match uri.transport() {
            Some(token) => Some(Transport::from_token(token).ok_or(Unreachable::Transport)?),
            None => None,
        };
        let secure = matches!(uri.scheme(), Scheme::Sips);
        let transport = match (secure, asked) {
            // RFC 3261 section 26.2.2: TCP here names what TLS runs over.
            (true, Some(Transport::Tcp | Transport::Tls)) => Some(Transport::Tls),
            (true, Some(Transport::Udp)) => return Err(Unreachable::Transport),
            (true, None) => None,
            (false, asked) => asked,
        };
        let host = match uri.host().ok_or(Unreachable::NoHost)? {
            Host::Ip(ip) => ip.to_string(),
            Host::Name(name) => String::from_utf8_lossy(name.as_bytes()).to_ascii_lowercase(),
        };
        Ok(Resolve { host, port: uri.port(), transport, secure })
    }

    /// The transport without asking the name service: the one that is fixed, else what RFC 3263 section 4.1 says of an
    /// address and of a name with a port.
    pub fn plain_transport(&self) -> Transport {
        self.transport.unwrap_or(if self.secure { Transport::Tls } else { Transport::Udp })
    }

    fn is_literal(&self) -> bool {
        self.host.parse::<IpAddr>().is_ok()
    }
}

/// Where a request goes next: its topmost Route, else its Request-URI (RFC 3261 section 8.1.2).
pub fn next_hop(request: &Request) -> Result<Resolve, Unreachable> {
    let next = match request.headers.typed::<Route>() {
        Some(Ok(route)) => Resolve::of(&route.0.uri)?,
        _ => Resolve::of(&request.uri)?,
    };
    // RFC 3261 section 26.2.2: a sips: Request-URI wants TLS on each hop.
    secured(next, &request.uri)
}

/// A hop on the way to `target`.
pub fn secured(next: Resolve, target: &Uri) -> Result<Resolve, Unreachable> {
    let secure = next.secure || matches!(target.scheme(), Scheme::Sips);
    match (secure, next.transport) {
        (true, Some(Transport::Udp)) => Err(Unreachable::Transport),
        (true, Some(Transport::Tcp | Transport::Tls)) => {
            Ok(Resolve { transport: Some(Transport::Tls), secure, ..next })
        }
        (_, None) | (false, Some(_)) => Ok(Resolve { secure, ..next }),
    }
}

/// Whether nobody elsewhere can send to this host: a private or unspecified address, or a name that never exists.
pub fn is_unroutable(host: &Host) -> bool {
    match host {
        Host::Ip(IpAddr::V4(ip)) => {
            let shared = ip.octets()[0] == 100 && (64..128).contains(&ip.octets()[1]);
            ip.is_private() || ip.is_unspecified() || ip.is_link_local() || ip.is_loopback() || shared
        }
        Host::Ip(IpAddr::V6(ip)) => {
            ip.is_unspecified() || ip.is_loopback() || ip.is_unique_local() || ip.is_unicast_link_local()
        }
        Host::Name(name) => name.as_bytes().to_ascii_lowercase().ends_with(b".invalid"),
    }
}

type Target = (Transport, SocketAddr);

/// The ways that are known, and the targets that rest.
#[derive(Debug, Default)]
pub struct Ways {
    hops: HashMap<Resolve, (Instant, Vec<Flow>)>,
    /// Hosts known from before the network changed: asked for again before their ways are used.
    stale: HashSet<Resolve>,
    resting: HashMap<Target, Instant>,
    /// Hosts that no address was found for.
    lost: HashMap<Resolve, Instant>,
}

impl Ways {
    /// The way to a host, if it is known now: the first that does not rest, else the first.
    pub fn flow_to(&self, now: Instant, hop: &Resolve) -> Option<Flow> {
        let (since, flows) = self.hops.get(hop).filter(|_| !self.stale.contains(hop))?;
        let fresh = hop.is_literal() || now.saturating_duration_since(*since) < HOP_LIFETIME;
        self.prefer(now, flows).filter(|_| fresh)
    }

    /// The first way that does not rest, else the first.
    pub fn prefer(&self, now: Instant, flows: &[Flow]) -> Option<Flow> {
        flows.iter().find(|flow| !self.rests(now, flow)).or(flows.first()).copied()
    }

    /// Another way to a host than those that rest.
    pub fn another(&self, now: Instant, hop: &Resolve) -> Option<Flow> {
        let (_, flows) = self.hops.get(hop).filter(|_| !self.stale.contains(hop))?;
        flows.iter().find(|flow| !self.rests(now, flow)).copied()
    }

    /// Whether all ways to a host rest, or none was found a moment ago.
    pub fn is_down(&self, now: Instant, hop: &Resolve) -> bool {
        let lost = self.lost.get(hop).is_some_and(|until| *until > now);
        let known = self.hops.get(hop).filter(|(_, flows)| !flows.is_empty());
        known.map_or(lost, |(_, flows)| flows.iter().all(|flow| self.rests(now, flow)))
    }

    /// Whether a target has failed a moment ago.
    pub fn rests(&self, now: Instant, flow: &Flow) -> bool {
        self.resting.get(&(flow.transport, flow.remote)).is_some_and(|until| *until > now)
    }

    /// A target has failed: it is left alone for a while.
    pub fn rest(&mut self, now: Instant, flow: &Flow, how_long: Option<Duration>) {
        if self.resting.len() >= MAX_RESTING {
            self.resting.retain(|_, until| *until > now);
        }
        if self.resting.len() < MAX_RESTING {
            let until = now + how_long.unwrap_or(REST).min(MAX_REST);
            self.resting.insert((flow.transport, flow.remote), until);
        }
    }

    /// A target has answered: it need not rest.
    pub fn wake(&mut self, flow: &Flow) {
        if !self.resting.is_empty() {
            self.resting.remove(&(flow.transport, flow.remote));
        }
    }

    /// Another network: all ways are to be asked for again before they are used, and nothing that failed need rest. Whose
    /// addresses are known stays so.
    pub fn forget(&mut self) {
        self.stale = self.hops.keys().cloned().collect();
        self.resting.clear();
        self.lost.clear();
    }

    /// The way to a host as it was last, whatever its age, unless the network has changed since.
    pub fn known(&self, hop: &Resolve) -> Option<Flow> {
        let (_, flows) = self.hops.get(hop).filter(|_| !self.stale.contains(hop))?;
        flows.first().copied()
    }

    /// Whether a host has been found.
    pub fn knows(&self, hop: &Resolve) -> bool {
        self.hops.contains_key(hop)
    }

    /// Whether a host's address is `ip`, as far as is known.
    pub fn leads_to(&self, hop: &Resolve, ip: IpAddr) -> bool {
        self.hops.get(hop).is_some_and(|(_, flows)| flows.iter().any(|flow| flow.remote.ip() == ip))
    }

    /// Takes the ways to a host; whether there are any. A look-up that fails leaves the ways that were known: a call that
    /// stands must be able to end while the name server is away.
    pub fn learn(&mut self, now: Instant, hop: &Resolve, flows: Vec<Flow>) -> bool {
        if self.hops.len() >= MAX_HOPS {
            let oldest = self.hops.iter().min_by_key(|(_, (since, _))| *since).map(|(hop, _)| hop.clone());
            if let Some(oldest) = oldest {
                self.hops.remove(&oldest);
                self.stale.remove(&oldest);
            }
        }
        self.stale.remove(hop);
        let known = self.hops.get_mut(hop).map(|(since, _)| *since = now).is_some();
        let found = known || !flows.is_empty();
        if !flows.is_empty() {
            self.hops.insert(hop.clone(), (now, flows));
        }
        if found {
            self.lost.remove(hop);
        } else {
            self.lost.retain(|_, until| *until > now);
            self.lost.insert(hop.clone(), now + REST);
        }
        found
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hop(text: &str) -> Result<Resolve, Unreachable> {
        Resolve::of(&Uri::parse(text.to_owned().into()).unwrap())
    }

    fn flow(remote: &str) -> Flow {
        Flow { transport: Transport::Udp, local: "192.0.2.4:5060".parse().unwrap(), remote: remote.parse().unwrap() }
    }

    #[test]
    fn a_uri_says_which_transport() {
        let of = |text| hop(text).map(|hop| (hop.plain_transport(), hop.secure));
        assert_eq!(of("sip:a@b"), Ok((Transport::Udp, false)));
        assert_eq!(of("sip:a@b;transport=TCP"), Ok((Transport::Tcp, false)));
        assert_eq!(of("sip:a@b;transport=tls"), Ok((Transport::Tls, false)));
        assert_eq!(of("sips:a@b"), Ok((Transport::Tls, true)));
        assert_eq!(of("sips:a@b;transport=tcp"), Ok((Transport::Tls, true)));
        assert_eq!(of("sips:a@b;transport=udp"), Err(Unreachable::Transport));
        assert_eq!(of("sip:a@b;transport=sctp"), Err(Unreachable::Transport));
    }

    #[test]
    fn a_failed_target_rests_and_is_used_if_nothing_else_is_left() {
        let now = Instant::now();
        let (first, second) = (flow("192.0.2.1:5060"), flow("192.0.2.2:5060"));
        let hop = hop("sip:b").unwrap();
        let mut ways = Ways::default();
        ways.learn(now, &hop, vec![first, second]);
        assert_eq!(ways.flow_to(now, &hop), Some(first));
        ways.rest(now, &first, None);
        assert_eq!(ways.flow_to(now, &hop), Some(second));
        assert_eq!(ways.another(now, &hop), Some(second));
        ways.rest(now, &second, Some(Duration::from_secs(5)));
        assert!(ways.is_down(now, &hop));
        assert_eq!((ways.flow_to(now, &hop), ways.another(now, &hop)), (Some(first), None));
        let later = now + Duration::from_secs(5);
        assert_eq!(ways.flow_to(later, &hop), Some(second), "it said itself when it would be back");
        assert_eq!(ways.flow_to(now + REST, &hop), Some(first));
    }

    #[test]
    fn unroutable_hosts() {
        let unroutable = |text: &str| is_unroutable(Uri::parse(format!("sip:{text}").into()).unwrap().host().unwrap());
        for host in ["10.0.0.1", "192.168.1.9", "0.0.0.0", "100.64.0.1", "[fd00::1]", "x.Invalid"] {
            assert!(unroutable(host), "{host}");
        }
        for host in ["192.0.2.1", "100.128.0.1", "[2001:db8::1]", "example.com"] {
            assert!(!unroutable(host), "{host}");
        }
    }
}
