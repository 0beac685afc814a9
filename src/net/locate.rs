//! From a host to the places where it may be, in their order (RFC 3263 section 4, RFC 2782).

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};

use rand_core::RngCore;

use crate::sip::transport::Transport;
use crate::ua::Resolve;

/// Places that one host may have; more are not tried.
const MAX_PLACES: usize = 16;
/// Servers of one name that are looked up.
const MAX_SERVERS: usize = 8;

/// A NAPTR record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Naptr {
    /// The lowest comes first.
    pub order: u16,
    /// Within one order the lowest comes first.
    pub preference: u16,
    /// `SIP+D2U`, `SIP+D2T`, `SIPS+D2T`.
    pub service: String,
    /// The name whose SRV records follow.
    pub replacement: String,
}

/// An SRV record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Srv {
    /// The lowest comes first.
    pub priority: u16,
    /// How often it comes first among those of its priority.
    pub weight: u16,
    /// The port.
    pub port: u16,
    /// The host; `.` says that the service is not there.
    pub target: String,
}

/// Whom names are asked of. An error is an empty answer.
pub trait Directory: Sync {
    /// NAPTR records.
    fn naptr(&self, name: &str) -> impl Future<Output = Vec<Naptr>> + Send;
    /// SRV records.
    fn srv(&self, name: &str) -> impl Future<Output = Vec<Srv>> + Send;
    /// A and AAAA records, in the order in which the system prefers them.
    fn addresses(&self, host: &str) -> impl Future<Output = Vec<IpAddr>> + Send;
}

/// The places of a host, the best first.
pub async fn locate(
    directory: &impl Directory,
    query: &Resolve,
    rng: &mut (impl RngCore + Send),
) -> Vec<(Transport, SocketAddr)> {
    let plain = query.plain_transport();
    let host = query.host.trim_end_matches('.');
    let port = query.port.unwrap_or(plain.default_port());
    // RFC 3263 sections 4.1 and 4.2: an address, or a port, leaves nothing to ask NAPTR and SRV. Names without a dot are
    // the machine's own or the local network's, which have neither.
    let is_local = !host.contains('.') || host.ends_with(".local") || host.ends_with(".localhost");
    if let Ok(address) = host.parse::<IpAddr>() {
        return vec![(plain, SocketAddr::new(address, port))];
    }
    let plainly = async {
        let found = directory.addresses(host).await;
        found.into_iter().take(MAX_PLACES).map(|address| (plain, SocketAddr::new(address, port))).collect()
    };
    if query.port.is_some() || is_local {
        return plainly.await;
    }
    // All at once: whoever has no NAPTR shall not wait for that to be known.
    let services = services(query);
    let ask = |wanted: Transport| {
        let asked = services.contains(&wanted);
        let name = srv_name(wanted, host);
        async move { if asked { directory.srv(&name).await } else { Vec::new() } }
    };
    let naptr = async { if query.transport.is_none() { directory.naptr(host).await } else { Vec::new() } };
    let (plainly, naptr, udp, tcp, tls): (Vec<_>, _, _, _, _) =
        tokio::join!(plainly, naptr, ask(Transport::Udp), ask(Transport::Tcp), ask(Transport::Tls));
    let chosen = choose(naptr, &services);
    let mut servers: Vec<(Transport, Srv)> = Vec::new();
    if chosen.is_empty() {
        for (transport, records) in [(Transport::Udp, udp), (Transport::Tcp, tcp), (Transport::Tls, tls)] {
            servers.extend(order(records, rng).into_iter().map(|record| (transport, record)));
        }
    } else {
        for (transport, name) in chosen {
            let records = directory.srv(&name).await;
            servers.extend(order(records, rng).into_iter().map(|record| (transport, record)));
        }
    }
    let mut places = Vec::new();
    let any = !servers.is_empty();
    for (transport, server) in servers.into_iter().filter(|(_, server)| server.target != ".").take(MAX_SERVERS) {
        for address in directory.addresses(&server.target).await {
            let place = (transport, SocketAddr::new(address, server.port));
            if places.len() < MAX_PLACES && !places.contains(&place) {
                places.push(place);
            }
        }
    }
    // RFC 3263 section 4.2: without SRV records, the addresses of the name itself.
    if any { places } else { plainly }
}

/// The transports that would do.
fn services(query: &Resolve) -> Vec<Transport> {
    match (query.transport, query.secure) {
        (Some(transport), _) => vec![transport],
        (None, true) => vec![Transport::Tls],
        (None, false) => Transport::ALL.to_vec(),
    }
}

fn srv_name(transport: Transport, host: &str) -> String {
    match transport {
        Transport::Udp => format!("_sip._udp.{host}"),
        Transport::Tcp => format!("_sip._tcp.{host}"),
        Transport::Tls => format!("_sips._tcp.{host}"),
    }
}

/// The services of NAPTR records that we speak, the best first (RFC 3263 section 4.1).
fn choose(mut records: Vec<Naptr>, services: &[Transport]) -> Vec<(Transport, String)> {
    records.sort_by_key(|record| (record.order, record.preference));
    let chosen = records.into_iter().filter_map(|record| {
        let transport = match record.service.to_ascii_uppercase().as_str() {
            "SIP+D2U" => Transport::Udp,
            "SIP+D2T" => Transport::Tcp,
            "SIPS+D2T" => Transport::Tls,
            _ => return None,
        };
        services.contains(&transport).then_some((transport, record.replacement))
    });
    chosen.take(MAX_SERVERS).collect()
}

/// SRV records in the order in which they are tried: by priority, among equals at random by weight (RFC 2782).
fn order(records: Vec<Srv>, rng: &mut impl RngCore) -> Vec<Srv> {
    let mut by_priority: BTreeMap<u16, Vec<Srv>> = BTreeMap::new();
    for record in records {
        by_priority.entry(record.priority).or_default().push(record);
    }
    let mut ordered = Vec::new();
    for mut equals in by_priority.into_values() {
        // Those of weight 0 stand first: they have a small chance.
        equals.sort_by_key(|record| record.weight != 0);
        while !equals.is_empty() {
            let sum: u64 = equals.iter().map(|record| u64::from(record.weight)).sum();
            let drawn = (u64::from(rng.next_u32()) * (sum + 1)) >> 32;
            let mut running = 0;
            let place = equals.iter().position(|record| {
                running += u64::from(record.weight);
                running >= drawn
            });
            ordered.push(equals.remove(place.unwrap_or(0)));
        }
    }
    ordered
}

#[cfg(test)]
mod tests {
    use rand_chacha::ChaCha20Rng;
    use rand_core::SeedableRng;

    use super::*;

    /// RFC 3263 section 4.1's example, with a TLS server that is dead in one family and a host without records.
    struct Table;

    impl Directory for Table {
        async fn naptr(&self, name: &str) -> Vec<Naptr> {
            let record = |order, preference, service: &str, replacement: &str| Naptr {
                order,
                preference,
                service: service.into(),
                replacement: replacement.into(),
            };
            match name {
                "example.com" => vec![
                    record(90, 50, "SIP+D2T", "_sip._tcp.example.com"),
                    record(100, 50, "SIP+D2U", "_sip._udp.example.com"),
                    record(50, 50, "SIPS+D2T", "_sips._tcp.example.com"),
                    record(10, 10, "SIP+D2S", "_sip._sctp.example.com"),
                ],
                _ => Vec::new(),
            }
        }

        async fn srv(&self, name: &str) -> Vec<Srv> {
            let record = |priority, weight, port, target: &str| Srv { priority, weight, port, target: target.into() };
            match name {
                "_sip._tcp.example.com" => {
                    vec![record(1, 1, 5080, "server2.example.com"), record(0, 1, 5060, "server1.example.com")]
                }
                "_sips._tcp.example.com" => vec![record(0, 1, 5061, "server1.example.com")],
                "_sip._udp.example.com" => vec![record(0, 1, 5060, "server1.example.com")],
                "_sip._udp.nonaptr.example" => vec![record(0, 0, 5070, "server2.example.com")],
                "_sip._udp.absent.example" => vec![record(0, 0, 0, ".")],
                _ => Vec::new(),
            }
        }

        async fn addresses(&self, host: &str) -> Vec<IpAddr> {
            let all: &[&str] = match host {
                "server1.example.com" => &["2001:db8::1", "192.0.2.1"],
                "server2.example.com" => &["192.0.2.2"],
                "bare.example" | "absent.example" | "pbx" => &["192.0.2.3"],
                _ => &[],
            };
            all.iter().map(|address| address.parse().unwrap()).collect()
        }
    }

    fn places(uri: &str) -> Vec<String> {
        let query = Resolve::of(&crate::sip::Uri::parse(uri.to_owned().into()).unwrap()).unwrap();
        let mut rng = ChaCha20Rng::seed_from_u64(1);
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let found = runtime.block_on(locate(&Table, &query, &mut rng));
        found.into_iter().map(|(transport, address)| format!("{} {address}", transport.via_token())).collect()
    }

    #[test]
    fn naptr_then_srv_then_addresses() {
        let all = [
            "TLS [2001:db8::1]:5061",
            "TLS 192.0.2.1:5061",
            "TCP [2001:db8::1]:5060",
            "TCP 192.0.2.1:5060",
            "TCP 192.0.2.2:5080",
            "UDP [2001:db8::1]:5060",
            "UDP 192.0.2.1:5060",
        ];
        assert_eq!(places("sip:user@example.com"), all);
        assert_eq!(places("sips:user@example.com"), all[..2], "sips: takes nothing but TLS");
        assert_eq!(places("sip:user@example.com;transport=tcp"), all[2..5], "a transport skips NAPTR");
    }

    #[test]
    fn what_skips_what() {
        assert_eq!(places("sip:192.0.2.9"), ["UDP 192.0.2.9:5060"]);
        assert_eq!(places("sips:[2001:db8::9]"), ["TLS [2001:db8::9]:5061"]);
        assert_eq!(places("sip:bare.example:5080;transport=tls"), ["TLS 192.0.2.3:5080"]);
        assert_eq!(places("sip:nonaptr.example"), ["UDP 192.0.2.2:5070"], "SRV without NAPTR");
        assert_eq!(places("sip:bare.example"), ["UDP 192.0.2.3:5060"], "neither");
        assert_eq!(places("sips:bare.example"), ["TLS 192.0.2.3:5061"]);
        assert_eq!(places("sip:pbx"), ["UDP 192.0.2.3:5060"]);
        assert_eq!(places("sip:absent.example"), [""; 0], "a target of . says that the service is not there");
    }

    #[test]
    fn weights_share_and_priorities_rule() {
        let record = |priority, weight: u16| Srv { priority, weight, port: weight, target: "x".into() };
        let mut rng = ChaCha20Rng::seed_from_u64(7);
        let mut first = BTreeMap::new();
        for _ in 0..4_000 {
            let ordered = order(vec![record(2, 9), record(1, 30), record(1, 10), record(1, 0)], &mut rng);
            assert_eq!((ordered.len(), ordered[3].priority), (4, 2));
            *first.entry(ordered[0].weight).or_insert(0) += 1;
        }
        let share = |weight| *first.get(&weight).unwrap_or(&0);
        assert!((2_700..3_200).contains(&share(30)), "{first:?}");
        assert!((800..1_200).contains(&share(10)), "{first:?}");
        assert!((30..250).contains(&share(0)), "{first:?}");
    }
}
