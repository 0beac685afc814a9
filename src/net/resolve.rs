//! Where a host is: IP literals at once, names by the system's resolver beside the loop (A and AAAA; the NAPTR and SRV of
//! RFC 3263 have their place here).

use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr};
use std::time::{Duration, Instant};

use tokio::task::JoinSet;

use crate::sip::transport::Flow;
use crate::ua::Resolve;

use super::Sockets;

/// RFC 3261 section 19.1.2: the port when a URI names none.
const DEFAULT_PORT: u16 = 5060;
/// Questions under way at a time.
const MAX_LOOKUPS: usize = 32;
/// The system's resolver may take much longer to give up.
const TIMEOUT: Duration = Duration::from_secs(10);
/// How long an answer is used again: one call asks twice, for its sound and for its INVITE.
const LIFETIME: Duration = Duration::from_secs(5);
/// Answers remembered.
const MAX_ANSWERS: usize = 64;

/// Asks and remembers.
#[derive(Debug, Default)]
pub struct Resolver {
    lookups: JoinSet<(Resolve, Vec<SocketAddr>)>,
    answers: HashMap<(String, u16), (Vec<SocketAddr>, Instant)>,
}

impl Resolver {
    /// The answer, if it is known without asking anyone: for an IP literal or a name that was asked a moment ago.
    pub fn known(&self, now: Instant, query: &Resolve, sockets: &mut Sockets) -> Option<Vec<Flow>> {
        let port = query.port.unwrap_or(DEFAULT_PORT);
        if let Ok(address) = query.host.parse::<IpAddr>() {
            return Some(flows(now, &[SocketAddr::new(address, port)], sockets));
        }
        let (addresses, asked) = self.answers.get(&(query.host.to_ascii_lowercase(), port))?;
        let fresh = now.saturating_duration_since(*asked) < LIFETIME;
        fresh.then(|| flows(now, addresses, sockets))
    }

    /// Asks; [`Resolver::next`] has the answer. False: too many questions are open.
    #[must_use]
    pub fn ask(&mut self, query: Resolve) -> bool {
        if self.lookups.len() >= MAX_LOOKUPS {
            return false;
        }
        self.lookups.spawn(async move {
            let port = query.port.unwrap_or(DEFAULT_PORT);
            let lookup = tokio::net::lookup_host((query.host.clone(), port));
            let answer = tokio::time::timeout(TIMEOUT, lookup).await;
            let addresses = match answer {
                Ok(Ok(addresses)) => addresses.collect(),
                Ok(Err(_)) | Err(_) => Vec::new(),
            };
            (query, addresses)
        });
        true
    }

    /// The next answer; waits for ever when nothing is asked.
    pub async fn next(&mut self) -> (Resolve, Vec<SocketAddr>) {
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
    pub fn learn(
        &mut self,
        now: Instant,
        query: &Resolve,
        addresses: Vec<SocketAddr>,
        sockets: &mut Sockets,
    ) -> Vec<Flow> {
        let flows = flows(now, &addresses, sockets);
        if !addresses.is_empty() {
            if self.answers.len() >= MAX_ANSWERS {
                self.answers.clear();
            }
            let key = (query.host.to_ascii_lowercase(), query.port.unwrap_or(DEFAULT_PORT));
            self.answers.insert(key, (addresses, now));
        }
        flows
    }
}

/// The ways to `addresses`, in their order, without those that no way leads to.
fn flows(now: Instant, addresses: &[SocketAddr], sockets: &mut Sockets) -> Vec<Flow> {
    addresses.iter().filter_map(|address| sockets.flow_to(now, *address)).collect()
}

#[cfg(test)]
mod tests {
    use crate::net::{Bound, PortInUse};
    use crate::sip::transport::Transport;

    use super::*;

    fn query(host: &str, port: Option<u16>) -> Resolve {
        Resolve { host: host.into(), port, transport: Transport::Udp }
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
            assert_eq!(resolver.known(now, &query("LOCALHOST", Some(5070)), &mut sockets), Some(flows));
            assert_eq!(resolver.known(now + LIFETIME, &localhost, &mut sockets), None);
        });
    }
}
