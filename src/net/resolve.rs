//! Where a host is: IP literals at once, names by the name service beside the loop (RFC 3263; [`super::locate`] has the
//! order). NAPTR and SRV are asked of the name servers, with a cache that keeps to their lifetimes; A and AAAA of the
//! system, which knows its own hosts file too.

use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use hickory_resolver::TokioResolver;
use hickory_resolver::proto::rr::{Name, RData};
use rand_chacha::ChaCha20Rng;
use rand_core::SeedableRng;
use tokio::task::JoinSet;

use crate::sip::transport::{Flow, Transport};
use crate::ua::Resolve;

use super::Sockets;
use super::locate::{Directory, Naptr, Srv, locate};

/// Questions under way at a time.
const MAX_LOOKUPS: usize = 32;
/// The system's resolver may take much longer to give up.
const TIMEOUT: Duration = Duration::from_secs(10);
/// How long NAPTR and SRV may take: there are home routers that never answer these.
const RECORDS_TIMEOUT: Duration = Duration::from_secs(2);
/// How long an answer is used again: one call asks twice, for its sound and for its INVITE.
const LIFETIME: Duration = Duration::from_secs(5);
/// Answers remembered.
const MAX_ANSWERS: usize = 64;

/// The places of a host, the best first.
pub type Places = Vec<(Transport, SocketAddr)>;

/// Asks and remembers.
#[derive(Debug, Default)]
pub struct Resolver {
    lookups: JoinSet<(Resolve, Places)>,
    answers: HashMap<Resolve, (Places, Instant)>,
    system: Arc<System>,
}

/// The machine's name servers.
#[derive(Debug, Default)]
struct System {
    /// None where it has none.
    servers: OnceLock<Option<TokioResolver>>,
}

impl System {
    fn servers(&self) -> Option<&TokioResolver> {
        let make = || {
            let mut builder = TokioResolver::builder_tokio().ok()?;
            builder.options_mut().timeout = RECORDS_TIMEOUT;
            builder.options_mut().attempts = 1;
            builder.build().ok()
        };
        self.servers.get_or_init(make).as_ref()
    }
}

/// With its dot at the end no search domain is tried.
fn absolute(name: &str) -> Option<Name> {
    let mut name = Name::from_utf8(name).ok()?;
    name.set_fqdn(true);
    Some(name)
}

fn host(name: &Name) -> String {
    let text = name.to_utf8();
    if text == "." { text } else { text.trim_end_matches('.').to_owned() }
}

impl Directory for System {
    async fn naptr(&self, name: &str) -> Vec<Naptr> {
        let (Some(servers), Some(name)) = (self.servers(), absolute(name)) else { return Vec::new() };
        let answer =
            tokio::time::timeout(RECORDS_TIMEOUT, servers.lookup(name, hickory_resolver::proto::rr::RecordType::NAPTR));
        let Ok(Ok(answer)) = answer.await else { return Vec::new() };
        let records = answer.answers().iter().filter_map(|record| match &record.data {
            RData::NAPTR(naptr) if naptr.flags.eq_ignore_ascii_case(b"s") => Some(Naptr {
                order: naptr.order,
                preference: naptr.preference,
                service: String::from_utf8_lossy(&naptr.services).into_owned(),
                replacement: host(&naptr.replacement),
            }),
            _ => None,
        });
        records.collect()
    }

    async fn srv(&self, name: &str) -> Vec<Srv> {
        let (Some(servers), Some(name)) = (self.servers(), absolute(name)) else { return Vec::new() };
        let answer =
            tokio::time::timeout(RECORDS_TIMEOUT, servers.lookup(name, hickory_resolver::proto::rr::RecordType::SRV));
        let Ok(Ok(answer)) = answer.await else { return Vec::new() };
        let records = answer.answers().iter().filter_map(|record| match &record.data {
            RData::SRV(srv) => {
                Some(Srv { priority: srv.priority, weight: srv.weight, port: srv.port, target: host(&srv.target) })
            }
            _ => None,
        });
        records.collect()
    }

    async fn addresses(&self, host: &str) -> Vec<IpAddr> {
        match tokio::net::lookup_host((host, 0)).await {
            Ok(found) => found.map(|address| address.ip()).collect(),
            Err(_) => Vec::new(),
        }
    }
}

impl Resolver {
    /// The answer, if it is known without asking anyone: for an IP literal or a name that was asked a moment ago.
    pub fn known(&self, now: Instant, query: &Resolve, sockets: &mut Sockets) -> Option<Vec<Flow>> {
        if let Ok(address) = query.host.parse::<IpAddr>() {
            let transport = query.plain_transport();
            let place = SocketAddr::new(address, query.port.unwrap_or(transport.default_port()));
            return Some(flows(now, query, &[(transport, place)], sockets));
        }
        let (places, asked) = self.answers.get(query)?;
        let fresh = now.saturating_duration_since(*asked) < LIFETIME;
        fresh.then(|| flows(now, query, places, sockets))
    }

    /// Asks; [`Resolver::next`] has the answer. False: too many questions are open.
    #[must_use]
    pub fn ask(&mut self, query: Resolve) -> bool {
        if self.lookups.len() >= MAX_LOOKUPS {
            return false;
        }
        let system = Arc::clone(&self.system);
        self.lookups.spawn(async move {
            let mut seed = [0; 32];
            // Without randomness the first of equals is always the same: no reason not to call.
            let _ = getrandom::fill(&mut seed);
            let mut rng = ChaCha20Rng::from_seed(seed);
            let places = tokio::time::timeout(TIMEOUT, locate(&*system, &query, &mut rng)).await.unwrap_or_default();
            (query, places)
        });
        true
    }

    /// The next answer; waits for ever when nothing is asked.
    pub async fn next(&mut self) -> (Resolve, Places) {
        loop {
            match self.lookups.join_next().await {
                Some(Ok(answer)) => return answer,
                // A lookup that panicked leaves its question unanswered; its transaction's timer ends it.
                Some(Err(_)) => {}
                None => std::future::pending().await,
            }
        }
    }

    /// Forgets all answers: another network may give others.
    pub fn forget(&mut self) {
        self.answers.clear();
    }

    /// Takes an answer of [`Resolver::next`]: remembers it and gives the ways to get there.
    pub fn learn(&mut self, now: Instant, query: &Resolve, places: Places, sockets: &mut Sockets) -> Vec<Flow> {
        let flows = flows(now, query, &places, sockets);
        if !places.is_empty() {
            if self.answers.len() >= MAX_ANSWERS {
                self.answers.clear();
            }
            self.answers.insert(query.clone(), (places, now));
        }
        flows
    }
}

/// The ways to `places`, in their order, without those that no way leads to: a dead family, another server's certificate.
fn flows(now: Instant, query: &Resolve, places: &[(Transport, SocketAddr)], sockets: &mut Sockets) -> Vec<Flow> {
    let way = |(transport, address): &(Transport, SocketAddr)| {
        let flow = sockets.flow_by(now, *transport, *address, &query.host);
        flow.inspect_err(|reason| tracing::info!(host = query.host, reason, "a way is left out")).ok()
    };
    places.iter().filter_map(way).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::net::{Bound, PortInUse};

    fn query(host: &str, port: Option<u16>) -> Resolve {
        Resolve { host: host.into(), port, transport: None, secure: false }
    }

    fn run<T>(test: impl Future<Output = T>) -> T {
        tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(test)
    }

    fn sockets() -> Sockets {
        Bound::bind("127.0.0.1:0".parse().unwrap(), PortInUse::Fail).unwrap().start().unwrap()
    }

    #[test]
    fn literals_are_known_at_once() {
        run(async {
            let resolver = Resolver::default();
            let flows = resolver.known(Instant::now(), &query("127.0.0.1", None), &mut sockets()).unwrap();
            assert_eq!(flows[0].remote, "127.0.0.1:5060".parse().unwrap());
            // No IPv6 socket: there is no way, and that is known too.
            assert_eq!(resolver.known(Instant::now(), &query("::1", Some(5080)), &mut sockets()), Some(vec![]));
        });
    }

    #[test]
    fn names_are_asked_once_and_remembered_for_a_while() {
        run(async {
            let now = Instant::now();
            let mut sockets = sockets();
            let mut resolver = Resolver::default();
            let localhost = query("localhost", Some(5070));
            assert_eq!(resolver.known(now, &localhost, &mut sockets), None);
            assert!(resolver.ask(localhost.clone()));
            let (answered, addresses) = resolver.next().await;
            let flows = resolver.learn(now, &answered, addresses, &mut sockets);
            assert!(flows.iter().any(|flow| flow.remote == "127.0.0.1:5070".parse().unwrap()));
            assert_eq!(resolver.known(now, &localhost, &mut sockets), Some(flows));
            assert_eq!(resolver.known(now + LIFETIME, &localhost, &mut sockets), None);
        });
    }
}
