//! The sockets that SIP goes through, once they are bound: UDP for IPv4 and, where the machine has it, for IPv6 at the same port;
//! with them the connections of TCP and TLS.

use std::collections::HashMap;
use std::io::{self, ErrorKind};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};
use std::time::{Duration, Instant};

use bytes::Bytes;
use socket2::{SockRef, Socket as RawSocket};
use tokio::io::Interest;

use crate::sip::transport::{Flow, Transmit, Transport};

use super::RateLimit;
use super::streams::{StreamEvent, Streams};
use super::watch::Notice;

/// The largest UDP payload there is; longer than any SIP message that is read.
const MAX_DATAGRAM: usize = 65_535;
/// How long a local address is believed: interfaces come and go.
const LOCAL_LIFETIME: Duration = Duration::from_secs(15);
/// Remote hosts whose local address is remembered.
const MAX_LOCALS: usize = 1_024;
/// Datagrams in excess thrown away before others get their turn.
const MAX_DROPS: usize = 256;

/// What came in.
#[derive(Debug)]
pub enum Received<'a> {
    /// A message, by a datagram or a connection.
    Message {
        /// The way it came.
        flow: Flow,
        /// All of it.
        bytes: &'a [u8],
    },
    /// A datagram of ours can't reach this flow's remote address.
    Unreachable(Flow),
    /// A connection has ended or did not come to stand: why, for a person.
    Failed {
        /// Which.
        flow: Flow,
        /// Why.
        reason: String,
    },
}

/// The sockets, driven by a runtime.
#[derive(Debug)]
pub struct Sockets {
    v4: Option<Socket>,
    v6: Option<Socket>,
    /// The local address that leads to a remote one (its port set to 0), and when that was found.
    locals: HashMap<SocketAddr, (IpAddr, Instant)>,
    limit: RateLimit,
    v6_first: bool,
    buffer: Vec<u8>,
    streams: Streams,
    tls_port: Option<u16>,
    from: Option<(RawSocket, u16)>,
    listen_port: u16,
    /// The last message of a connection.
    message: Bytes,
}

#[derive(Debug)]
struct Socket {
    io: tokio::net::UdpSocket,
    bound: SocketAddr,
}

enum Raw {
    Datagram { from: SocketAddr, length: usize },
    Unreachable(SocketAddr),
}

impl Socket {
    fn new(socket: UdpSocket) -> io::Result<Socket> {
        let bound = socket.local_addr()?;
        Ok(Socket { io: tokio::net::UdpSocket::from_std(socket)?, bound })
    }

    async fn ready(&self) {
        // An error here means that the runtime ends; the loop ends with it.
        let _ = self.io.ready(Interest::READABLE | Interest::ERROR).await;
    }

    fn receive(&self, buffer: &mut [u8]) -> Option<Raw> {
        loop {
            match self.io.try_recv_from(buffer) {
                Ok((length, from)) => return Some(Raw::Datagram { from, length }),
                Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                // An ICMP error that waited for the next call; the error queue has it with its address.
                Err(_) => continue,
            }
        }
        self.unreachable().map(Raw::Unreachable)
    }

    #[cfg(target_os = "linux")]
    fn unreachable(&self) -> Option<SocketAddr> {
        use super::unreachable::{Report, next};
        loop {
            let report = self.io.try_io(Interest::ERROR, || next(&self.io).ok_or(ErrorKind::WouldBlock.into()));
            match report {
                Ok(Report::Unreachable(address)) => return Some(address),
                Ok(Report::Other) => continue,
                Err(_) => return None,
            }
        }
    }

    #[cfg(not(target_os = "linux"))]
    fn unreachable(&self) -> Option<SocketAddr> {
        None
    }

    fn send(&self, to: SocketAddr, bytes: &[u8]) -> io::Result<()> {
        // Past tokio, which refuses to send until its reactor has seen the socket writable: the first REGISTER leaves before.
        let send = || SockRef::from(&self.io).send_to(bytes, &to.into()).map(drop);
        match send() {
            // It may be the ICMP error of an earlier datagram to someone else: asking again tells.
            Err(error) if error.kind() != ErrorKind::WouldBlock => send(),
            result => result,
        }
    }
}

impl Sockets {
    /// Of sockets that are bound to the port at which the phone listens, and the connections beside them. `tls_port`: where TLS
    /// is listened for; `from`: the port that our connections by TLS come from where it is not.
    pub(super) fn new(
        (v4, v6): (Option<UdpSocket>, Option<UdpSocket>),
        listen_port: u16,
        streams: Streams,
        tls_port: Option<u16>,
        from: Option<(RawSocket, u16)>,
    ) -> io::Result<Sockets> {
        Ok(Sockets {
            streams,
            tls_port,
            from,
            message: Bytes::new(),
            listen_port,
            v4: v4.map(Socket::new).transpose()?,
            v6: v6.map(Socket::new).transpose()?,
            locals: HashMap::new(),
            limit: RateLimit::default(),
            v6_first: false,
            buffer: vec![0; MAX_DATAGRAM],
        })
    }

    /// Waits until [`Sockets::receive`] may have something.
    pub async fn ready(&mut self) {
        let streams = self.streams.ready();
        match (&self.v4, &self.v6) {
            (Some(v4), Some(v6)) => tokio::select! { () = v4.ready() => (), () = v6.ready() => (), () = streams => () },
            (Some(only), None) | (None, Some(only)) => tokio::select! { () = only.ready() => (), () = streams => () },
            (None, None) => streams.await,
        }
    }

    /// The next message or error, without waiting. `None` means nothing more for now.
    pub fn receive(&mut self, now: Instant) -> Option<Received<'_>> {
        // By turns: datagrams that do not end must not silence those who are connected.
        if self.v6_first
            && let Some(event) = self.streams.receive()
        {
            self.v6_first = false;
            return Some(match event {
                StreamEvent::Message(flow, bytes) => {
                    self.message = bytes;
                    Received::Message { flow, bytes: &self.message }
                }
                StreamEvent::Failed(flow, reason) => Received::Failed { flow, reason },
            });
        }
        if let Some(raw) = self.receive_datagram(now) {
            return Some(match raw {
                (flow, Some(length)) => {
                    Received::Message { flow, bytes: self.buffer.get(..length).unwrap_or_default() }
                }
                (flow, None) => Received::Unreachable(flow),
            });
        }
        self.streams.receive().map(|event| match event {
            StreamEvent::Message(flow, bytes) => {
                self.message = bytes;
                Received::Message { flow, bytes: &self.message }
            }
            StreamEvent::Failed(flow, reason) => Received::Failed { flow, reason },
        })
    }

    /// The next datagram with its length, or whom none can reach.
    fn receive_datagram(&mut self, now: Instant) -> Option<(Flow, Option<usize>)> {
        for _ in 0..MAX_DROPS {
            // By turns: one that is flooded must not silence the other.
            self.v6_first = !self.v6_first;
            let turns = if self.v6_first { [&self.v6, &self.v4] } else { [&self.v4, &self.v6] };
            let raw = turns.into_iter().flatten().find_map(|socket| socket.receive(&mut self.buffer))?;
            match raw {
                Raw::Datagram { from, length } => {
                    if !self.limit.allow(now, from.ip()) {
                        continue;
                    }
                    if let Some(flow) = self.flow_to(now, from) {
                        return Some((flow, Some(length)));
                    }
                }
                Raw::Unreachable(remote) => {
                    if let Some(flow) = self.flow_to(now, remote) {
                        return Some((flow, None));
                    }
                }
            }
        }
        None
    }

    /// Sends at once. `Ok` too when the socket's buffer is full: to SIP that is a packet lost on the way.
    pub fn send(&mut self, transmit: &Transmit) -> io::Result<()> {
        match transmit.flow.transport {
            Transport::Udp => {}
            Transport::Tcp => return self.streams.send(transmit, None),
            Transport::Tls => {
                let from = self.from.as_ref().filter(|_| transmit.flow.remote.is_ipv4());
                let from = from.map(|(_, port)| SocketAddr::new(transmit.flow.local.ip(), *port));
                return self.streams.send(transmit, from);
            }
        }
        let Some(socket) = self.towards(transmit.flow.remote) else {
            return Err(ErrorKind::AddrNotAvailable.into());
        };
        match socket.send(transmit.flow.remote, &transmit.bytes) {
            Err(error) if error.kind() == ErrorKind::WouldBlock => Ok(()),
            result => result,
        }
    }

    /// The flow to a remote address, with the local address that leads there. `None`: no way leads there.
    pub fn flow_to(&mut self, now: Instant, remote: SocketAddr) -> Option<Flow> {
        let bound = self.towards(remote)?.bound;
        let local = match bound.ip().is_unspecified() {
            true => SocketAddr::new(self.local_towards(now, remote)?, bound.port()),
            false => bound,
        };
        Some(Flow { transport: Transport::Udp, local, remote })
    }

    /// The network has changed, or the machine has slept: which local addresses lead where is asked of the routing table
    /// again, and connections that leave from elsewhere, or have slept, are given up.
    pub fn forget_ways(&mut self, now: Instant, notice: Notice) {
        self.locals.clear();
        for (remote, local) in self.streams.ends() {
            let now_from = self.flow_to(now, remote).map(|flow| flow.local.ip());
            if notice == Notice::Woken || now_from.is_some_and(|now_from| now_from != local) {
                self.streams.give_up(remote);
            }
        }
    }

    /// The flow to a remote address by any transport, for a host that was looked up by the name `host`.
    ///
    /// # Errors
    /// Why there is none, in a person's words.
    pub fn flow_by(
        &mut self,
        now: Instant,
        transport: Transport,
        remote: SocketAddr,
        host: &str,
    ) -> Result<Flow, String> {
        let flow = self.flow_to(now, remote).ok_or_else(|| format!("no way leads to {}", remote.ip()))?;
        let port = match transport {
            Transport::Udp | Transport::Tcp => self.listen_port,
            Transport::Tls => {
                self.streams.expect_name(remote, host)?;
                let reserved = self.from.as_ref().map(|(_, port)| *port);
                self.tls_port.or(reserved).unwrap_or(self.listen_port)
            }
        };
        Ok(Flow { transport, local: SocketAddr::new(flow.local.ip(), port), remote })
    }

    /// How many connections stand.
    pub fn connections(&self) -> usize {
        self.streams.count()
    }

    fn towards(&self, remote: SocketAddr) -> Option<&Socket> {
        if remote.is_ipv4() { self.v4.as_ref() } else { self.v6.as_ref() }
    }

    fn local_towards(&mut self, now: Instant, remote: SocketAddr) -> Option<IpAddr> {
        let mut key = remote;
        key.set_port(0);
        match self.locals.get(&key) {
            Some((local, found)) if now.saturating_duration_since(*found) < LOCAL_LIFETIME => return Some(*local),
            Some(_) | None => {}
        }
        let local = local_address_towards(remote).ok()?;
        if self.locals.len() >= MAX_LOCALS {
            self.locals.clear();
        }
        self.locals.insert(key, (local, now));
        Some(local)
    }
}

/// The address from which the system would send to `remote`: connecting a UDP socket asks its routing table and sends
/// nothing.
pub(super) fn local_address_towards(remote: SocketAddr) -> io::Result<IpAddr> {
    let any: IpAddr = match remote {
        SocketAddr::V4(_) => Ipv4Addr::UNSPECIFIED.into(),
        SocketAddr::V6(_) => Ipv6Addr::UNSPECIFIED.into(),
    };
    let probe = UdpSocket::bind(SocketAddr::new(any, 0))?;
    // Port 0 can't be connected to everywhere, and a datagram may claim to come from it.
    let port = if remote.port() == 0 { 5060 } else { remote.port() };
    let mut remote = remote;
    remote.set_port(port);
    probe.connect(remote)?;
    Ok(probe.local_addr()?.ip())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::net::{Bound, PortInUse};

    fn run<T>(test: impl Future<Output = T>) -> T {
        tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(test)
    }

    fn any_port(address: &str) -> SocketAddr {
        SocketAddr::new(address.parse().unwrap(), 0)
    }

    async fn next(sockets: &mut Sockets) -> (Flow, Option<Vec<u8>>) {
        let wait = async {
            loop {
                sockets.ready().await;
                match sockets.receive(Instant::now()) {
                    Some(Received::Message { flow, bytes }) => return (flow, Some(bytes.to_vec())),
                    Some(Received::Unreachable(flow) | Received::Failed { flow, .. }) => return (flow, None),
                    None => {}
                }
            }
        };
        tokio::time::timeout(Duration::from_secs(30), wait).await.expect("nothing came")
    }

    #[test]
    fn a_wildcard_gives_the_concrete_local_address_and_the_listening_port() {
        run(async {
            let bound = Bound::bind(any_port("0.0.0.0"), PortInUse::Fail).unwrap();
            let port = bound.listen().port();
            let mut sockets = bound.start().unwrap();
            let peer = UdpSocket::bind("127.0.0.1:0").unwrap();
            peer.send_to(b"hello", ("127.0.0.1", port)).unwrap();
            let (flow, bytes) = next(&mut sockets).await;
            assert_eq!(flow.local, SocketAddr::from(([127, 0, 0, 1], port)));
            assert_eq!(flow.remote, peer.local_addr().unwrap());
            assert_eq!(bytes.as_deref(), Some(&b"hello"[..]));
        });
    }

    #[test]
    fn both_families_share_the_port() {
        run(async {
            let bound = Bound::bind(any_port("0.0.0.0"), PortInUse::Fail).unwrap();
            let port = bound.listen().port();
            let mut sockets = bound.start().unwrap();
            if sockets.v6.is_none() {
                return; // a machine without IPv6
            }
            let Ok(peer) = UdpSocket::bind("[::1]:0") else { return };
            peer.send_to(b"hello", (Ipv6Addr::LOCALHOST, port)).unwrap();
            let (flow, _) = next(&mut sockets).await;
            assert_eq!(flow.local, SocketAddr::from((Ipv6Addr::LOCALHOST, port)));
        });
    }

    #[test]
    fn a_dead_port_is_told_with_its_flow_and_hurts_nobody_else() {
        run(async {
            let mut sockets = Bound::bind(any_port("127.0.0.1"), PortInUse::Fail).unwrap().start().unwrap();
            let dead = UdpSocket::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
            let alive = UdpSocket::bind("127.0.0.1:0").unwrap();
            alive.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
            let bytes = Bytes::from_static(b"hello");

            let to_dead = sockets.flow_to(Instant::now(), dead).unwrap();
            sockets.send(&Transmit { flow: to_dead, bytes: bytes.clone() }).unwrap();
            let to_alive = sockets.flow_to(Instant::now(), alive.local_addr().unwrap()).unwrap();
            sockets.send(&Transmit { flow: to_alive, bytes }).unwrap();

            let (flow, datagram) = next(&mut sockets).await;
            assert_eq!((flow, datagram), (to_dead, None));
            let mut buffer = [0; 16];
            assert_eq!(alive.recv(&mut buffer).unwrap(), 5);
        });
    }

    #[test]
    fn the_largest_datagram_arrives_whole() {
        run(async {
            let mut sockets = Bound::bind(any_port("127.0.0.1"), PortInUse::Fail).unwrap().start().unwrap();
            let local = sockets.v4.as_ref().unwrap().bound;
            let peer = UdpSocket::bind("127.0.0.1:0").unwrap();
            peer.send_to(&vec![b'x'; 65_507], local).unwrap();
            assert_eq!(next(&mut sockets).await.1.unwrap().len(), 65_507);
        });
    }
}
