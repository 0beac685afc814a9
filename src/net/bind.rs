//! Binding the ports that SIP goes through: one for UDP and TCP, in both families, and the next for TLS.

use std::io::{self, ErrorKind};
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener, UdpSocket};
use std::sync::Arc;

use socket2::{Domain, SockRef, Socket as RawSocket, Type};

use crate::sip::transport::Transport;

use super::DSCP;
use super::streams::Streams;
use super::tls::{Tls, TlsOptions};
use super::udp::Sockets;

/// What a burst of calls may fill while the loop is busy elsewhere.
const RECEIVE_BUFFER: usize = 2 * 1024 * 1024;
/// Connections that wait to be taken.
const BACKLOG: i32 = 128;
/// So many free ports are tried until one is free for connections too.
const TRIES: usize = 20;

/// What to do when the port is taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PortInUse {
    /// Say so: a person chose it.
    Fail,
    /// Take a free one.
    TakeAnother,
}

/// Sockets that are bound and not yet driven: binding needs no runtime, so its errors come back at once.
#[derive(Debug)]
pub struct Bound {
    v4: Option<UdpSocket>,
    v6: Option<UdpSocket>,
    listen: SocketAddr,
    tls: Option<Arc<Tls>>,
    listeners: Vec<(Transport, TcpListener)>,
    dscp: u8,
}

impl Bound {
    /// Binds `listen`. For `0.0.0.0` the same port is bound for IPv6 too, if the machine has IPv6 and the port is free there.
    /// Port 0 is any that is free, for TCP too.
    pub fn bind(listen: SocketAddr, in_use: PortInUse) -> io::Result<Bound> {
        let any = || free_for_both(|| bind_one(SocketAddr::new(listen.ip(), 0)));
        let first = match (listen.port(), in_use) {
            (0, _) => any()?,
            (_, PortInUse::Fail) => bind_one(listen)?,
            (_, PortInUse::TakeAnother) => match bind_one(listen) {
                Err(error) if error.kind() == ErrorKind::AddrInUse => any()?,
                result => result?,
            },
        };
        let listen = first.local_addr()?;
        let bound = match listen {
            SocketAddr::V6(_) => {
                Bound { v4: None, v6: Some(first), listen, tls: None, listeners: Vec::new(), dscp: DSCP }
            }
            SocketAddr::V4(address) => {
                let twin = SocketAddr::new(Ipv6Addr::UNSPECIFIED.into(), address.port());
                let v6 = if address.ip().is_unspecified() { bind_one(twin).ok() } else { None };
                Bound { v4: Some(first), v6, listen, tls: None, listeners: Vec::new(), dscp: DSCP }
            }
        };
        Ok(bound)
    }

    /// The address at which the phone listens.
    pub fn listen(&self) -> SocketAddr {
        self.listen
    }

    /// Marks what is sent with this codepoint (RFC 2474), 0 to 63.
    pub fn with_dscp(mut self, dscp: u8) -> Bound {
        self.dscp = dscp;
        for socket in [&self.v4, &self.v6].into_iter().flatten() {
            mark(SockRef::from(socket), dscp);
        }
        self
    }

    /// Listens for TCP at the same port, and for TLS at the next one (5061 beside 5060) where there is a certificate to show.
    /// A port that is taken is no error: connections of ours work without it.
    pub fn with_streams(mut self, tls: Tls) -> Bound {
        let own = |socket: &UdpSocket| socket.local_addr().ok();
        let here: Vec<SocketAddr> = [&self.v4, &self.v6].into_iter().flatten().filter_map(own).collect();
        // The next port of a chosen one; beside a free one any free one.
        let next = self.listen.port().checked_add(1).unwrap_or(0);
        let mut secure_port = next;
        for address in here {
            match listen_one(address) {
                Ok(listener) => self.listeners.push((Transport::Tcp, listener)),
                Err(error) => tracing::warn!(%address, %error, "nobody can connect by TCP"),
            }
            if tls.server().is_none() {
                continue;
            }
            let address = SocketAddr::new(address.ip(), secure_port);
            let listener = listen_one(address).or_else(|_| listen_one(SocketAddr::new(address.ip(), 0)));
            match listener {
                Ok(listener) => {
                    secure_port = listener.local_addr().map_or(secure_port, |address| address.port());
                    self.listeners.push((Transport::Tls, listener));
                }
                Err(error) => tracing::warn!(%address, %error, "nobody can connect by TLS"),
            }
        }
        self.tls = Some(Arc::new(tls));
        self
    }

    /// The port at which TLS is listened for.
    pub fn tls_port(&self) -> Option<u16> {
        port_of(&self.listeners, Transport::Tls)
    }

    /// Hands the sockets to the runtime that this is called in.
    pub fn start(self) -> io::Result<Sockets> {
        let tls = match self.tls {
            Some(tls) => tls,
            None => Arc::new(Tls::load(&TlsOptions::default()).map_err(io::Error::other)?),
        };
        let tls_port = port_of(&self.listeners, Transport::Tls);
        let from = if tls_port.is_none() { reserve() } else { None };
        let mut listeners = Vec::new();
        for (transport, listener) in self.listeners {
            listeners.push((transport, tokio::net::TcpListener::from_std(listener)?));
        }
        let streams = Streams::new(tls, listeners, self.dscp);
        Sockets::new((self.v4, self.v6), self.listen.port(), streams, tls_port, from)
    }
}

/// A port that is free for datagrams may not be so for connections, be it only that one which has ended lingers there: the first
/// of some that is, else the last.
fn free_for_both(mut next: impl FnMut() -> io::Result<UdpSocket>) -> io::Result<UdpSocket> {
    // Those that will not do are kept meanwhile, so that others are given.
    let mut others = Vec::new();
    loop {
        let socket = next()?;
        if others.len() + 1 == TRIES || socket.local_addr().and_then(listen_one).is_ok() {
            return Ok(socket);
        }
        others.push(socket);
    }
}

fn bind_one(address: SocketAddr) -> io::Result<UdpSocket> {
    let socket = RawSocket::new(Domain::for_address(address), Type::DGRAM.nonblocking(), None)?;
    // None of these is worth a phone that does not start.
    let _ = socket.set_recv_buffer_size(RECEIVE_BUFFER);
    if address.is_ipv6() {
        socket.set_only_v6(true)?;
    }
    mark(SockRef::from(&socket), DSCP);
    socket.bind(&address.into())?;
    let socket = UdpSocket::from(socket);
    #[cfg(target_os = "linux")]
    let _ = super::unreachable::ask(&socket);
    Ok(socket)
}

/// Not every system lets us, and all works without. The codepoint is in the upper six bits.
pub(super) fn mark(socket: SockRef<'_>, dscp: u8) {
    let _ = socket.set_tos_v4(u32::from(dscp) << 2);
    let _ = socket.set_tclass_v6(u32::from(dscp) << 2);
}

fn listen_one(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = RawSocket::new(Domain::for_address(address), Type::STREAM.nonblocking(), None)?;
    if address.is_ipv6() {
        socket.set_only_v6(true)?;
    }
    // Connections of an earlier run that linger must not keep the port.
    #[cfg(unix)]
    socket.set_reuse_address(true)?;
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    Ok(socket.into())
}

fn port_of(listeners: &[(Transport, TcpListener)], transport: Transport) -> Option<u16> {
    let listener = listeners.iter().find(|(other, _)| *other == transport);
    listener.and_then(|(_, listener)| listener.local_addr().ok()).map(|address| address.port())
}

/// A port from which connections by TLS shall come where nobody can connect to us by it: then our Via and Contact name the
/// connection, and whoever looks for it by its address finds it. The socket keeps the port.
fn reserve() -> Option<(RawSocket, u16)> {
    let socket = RawSocket::new(Domain::IPV4, Type::STREAM, None).ok()?;
    socket.set_reuse_address(true).ok()?;
    socket.bind(&SocketAddr::from((Ipv4Addr::UNSPECIFIED, 0)).into()).ok()?;
    let port = socket.local_addr().ok()?.as_socket()?.port();
    Some((socket, port))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn any_port(address: &str) -> SocketAddr {
        SocketAddr::new(address.parse().unwrap(), 0)
    }

    #[test]
    fn a_chosen_port_in_use_is_an_error_and_the_default_one_is_not() {
        let first = Bound::bind(any_port("127.0.0.1"), PortInUse::Fail).unwrap();
        let taken = first.listen();
        assert_eq!(Bound::bind(taken, PortInUse::Fail).unwrap_err().kind(), ErrorKind::AddrInUse);
        let second = Bound::bind(taken, PortInUse::TakeAnother).unwrap();
        assert_ne!(second.listen().port(), taken.port());
    }

    #[test]
    fn a_free_port_is_free_for_connections_too() {
        let taken = bind_one(any_port("127.0.0.1")).unwrap();
        let _connections = listen_one(taken.local_addr().unwrap()).unwrap();
        let not_free = taken.local_addr().unwrap();
        let mut taken = Some(taken);
        let socket = free_for_both(|| taken.take().map_or_else(|| bind_one(any_port("127.0.0.1")), Ok)).unwrap();
        assert!(taken.is_none(), "it was tried");
        assert_ne!(socket.local_addr().unwrap(), not_free);
    }
}
