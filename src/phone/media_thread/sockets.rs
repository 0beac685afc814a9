//! The RTP and RTCP sockets of a call.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV6, UdpSocket};
use std::ops::RangeInclusive;

use socket2::{Domain, Protocol, SockRef, Socket, Type};

use crate::ua::command::MediaPorts;

/// Where RTP ports are taken from unless that is configured.
const PORTS: RangeInclusive<u16> = 10_000..=19_999;

/// The two sockets of a call.
#[derive(Debug)]
pub struct Sockets {
    /// RTP.
    pub rtp: MediaSocket,
    /// RTCP.
    pub rtcp: MediaSocket,
}

impl Sockets {
    /// Binds a pair: RTP at an even port and RTCP at the next one (RFC 3550 section 11). Where no such pair is free it is any
    /// two, or an error if the range was configured.
    pub fn bind(address: IpAddr, range: Option<&RangeInclusive<u16>>, random: u16) -> io::Result<Sockets> {
        let ports = range.unwrap_or(&PORTS);
        let first = u32::from(*ports.start()).next_multiple_of(2);
        let pairs = (u32::from(*ports.end()) + 1).saturating_sub(first) / 2;
        for pair in 0..pairs {
            let port = (first + 2 * ((u32::from(random) + pair) % pairs)) as u16;
            let bound = MediaSocket::bind(address, port)
                .and_then(|rtp| Ok(Sockets { rtp, rtcp: MediaSocket::bind(address, port + 1)? }));
            match bound {
                Err(error) if error.kind() == io::ErrorKind::AddrInUse => (),
                other => return other,
            }
        }
        if range.is_some() {
            let (first, last) = (ports.start(), ports.end());
            return Err(io::Error::new(
                io::ErrorKind::AddrInUse,
                format!("no pair of ports is free in {first}-{last} (network.rtp_ports)"),
            ));
        }
        Ok(Sockets { rtp: MediaSocket::bind(address, 0)?, rtcp: MediaSocket::bind(address, 0)? })
    }

    /// Binds the same ports at another address; where they are taken, others. An address that can't be bound yet (IPv6 looks
    /// first whether somebody else has it) is listened for at all of ours.
    pub fn bind_again(
        address: IpAddr,
        ports: MediaPorts,
        range: Option<&RangeInclusive<u16>>,
        random: u16,
    ) -> io::Result<Sockets> {
        let any = match address {
            IpAddr::V4(_) => IpAddr::V4(Ipv4Addr::UNSPECIFIED),
            IpAddr::V6(_) => IpAddr::V6(Ipv6Addr::UNSPECIFIED),
        };
        let same = |address| {
            let rtp = MediaSocket::bind(address, ports.rtp)?;
            Ok::<_, io::Error>(Sockets { rtp, rtcp: MediaSocket::bind(address, ports.rtcp)? })
        };
        same(address).or_else(|_| Sockets::bind(address, range, random)).or_else(|_| Sockets::bind(any, range, random))
    }

    /// Marks what they send with this codepoint (RFC 2474). Not every system lets us; the call works without.
    pub fn mark(&self, dscp: u8) {
        for socket in [&self.rtp, &self.rtcp] {
            let reference = SockRef::from(&socket.socket);
            let _ = reference.set_tos_v4(u32::from(dscp) << 2);
            if socket.is_v6 {
                let _ = reference.set_tclass_v6(u32::from(dscp) << 2);
            }
        }
    }

    /// Their ports.
    pub fn ports(&self) -> io::Result<MediaPorts> {
        Ok(MediaPorts::new(self.rtp.socket.local_addr()?.port(), self.rtcp.socket.local_addr()?.port()))
    }
}

/// A socket that neither waits nor shows IPv4 addresses in their IPv6 form.
#[derive(Debug)]
pub struct MediaSocket {
    /// For the poller.
    pub socket: UdpSocket,
    is_v6: bool,
}

impl MediaSocket {
    fn bind(address: IpAddr, port: u16) -> io::Result<MediaSocket> {
        let is_v6 = address.is_ipv6();
        let domain = if is_v6 { Domain::IPV6 } else { Domain::IPV4 };
        let socket = Socket::new(domain, Type::DGRAM, Some(Protocol::UDP))?;
        socket.set_nonblocking(true)?;
        if address == IpAddr::V6(Ipv6Addr::UNSPECIFIED) {
            socket.set_only_v6(false)?;
        }
        socket.bind(&SocketAddr::new(address, port).into())?;
        Ok(MediaSocket { socket: socket.into(), is_v6 })
    }

    /// The next datagram, if one waits. An error of the network is none.
    pub fn receive<'a>(&self, buffer: &'a mut [u8]) -> Option<(SocketAddr, &'a [u8])> {
        let (length, from) = self.socket.recv_from(buffer).ok()?;
        Some((SocketAddr::new(from.ip().to_canonical(), from.port()), buffer.get(..length)?))
    }

    /// Sends, or does not: a packet that can't leave now is as good as lost.
    pub fn send(&self, to: SocketAddr, bytes: &[u8]) {
        let to = match to {
            SocketAddr::V4(v4) if self.is_v6 => SocketAddrV6::new(v4.ip().to_ipv6_mapped(), v4.port(), 0, 0).into(),
            SocketAddr::V4(_) | SocketAddr::V6(_) => to,
        };
        let _ = self.socket.send_to(bytes, to);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn receive(socket: &MediaSocket) -> (SocketAddr, Vec<u8>) {
        // Loopback delivers before send_to returns.
        let mut buffer = [0; 100];
        let (from, bytes) = socket.receive(&mut buffer).expect("a datagram");
        (from, bytes.to_vec())
    }

    #[test]
    fn rtp_is_even_and_rtcp_next_to_it() {
        let loopback = IpAddr::V4(Ipv4Addr::LOCALHOST);
        let first = Sockets::bind(loopback, None, 77).unwrap();
        let second = Sockets::bind(loopback, None, 77).unwrap();
        for ports in [first.ports().unwrap(), second.ports().unwrap()] {
            assert!(ports.rtp % 2 == 0 && ports.rtcp == ports.rtp + 1, "{ports:?}");
            assert!(PORTS.contains(&ports.rtp));
        }
        assert_ne!(first.ports().unwrap(), second.ports().unwrap());
    }

    #[test]
    fn a_range_that_is_used_up_is_told() {
        // An address that no other test uses.
        let loopback = IpAddr::V4(Ipv4Addr::new(127, 0, 0, 77));
        let range = 28_001..=28_200;
        let mut had = Vec::new();
        let error = loop {
            match Sockets::bind(loopback, Some(&range), 65_535) {
                Ok(sockets) => {
                    let ports = sockets.ports().unwrap();
                    assert!(ports.rtp % 2 == 0 && range.contains(&ports.rtp) && range.contains(&ports.rtcp));
                    had.push(sockets);
                }
                Err(error) => break error,
            }
        };
        assert_eq!(had.len(), 99);
        assert_eq!(error.kind(), io::ErrorKind::AddrInUse);
        assert!(error.to_string().contains("28001-28200"), "{error}");
    }

    #[test]
    fn a_dual_stack_socket_speaks_both() {
        let Ok(dual) = Sockets::bind(IpAddr::V6(Ipv6Addr::UNSPECIFIED), None, 200) else {
            return; // a machine without IPv6
        };
        let four = Sockets::bind(IpAddr::V4(Ipv4Addr::LOCALHOST), None, 300).unwrap();
        let four_at = SocketAddr::from((Ipv4Addr::LOCALHOST, four.ports().unwrap().rtp));
        dual.rtp.send(four_at, b"hello");
        let (from, bytes) = receive(&four.rtp);
        assert_eq!(bytes, b"hello");
        four.rtp.send(from, b"back");
        assert_eq!(receive(&dual.rtp), (four_at, b"back".to_vec()));
    }

    #[test]
    fn another_address_keeps_the_ports() {
        let loopback = IpAddr::V4(Ipv4Addr::LOCALHOST);
        let here = Sockets::bind(loopback, None, 400).unwrap();
        let ports = here.ports().unwrap();
        let taken = Sockets::bind_again(loopback, ports, None, 400).unwrap();
        assert_ne!(taken.ports().unwrap(), ports);
        let there = Sockets::bind_again(IpAddr::V4(Ipv4Addr::new(127, 0, 0, 2)), ports, None, 400).unwrap();
        assert_eq!(there.ports().unwrap(), ports);
        // RFC 5737: nobody's.
        assert!(Sockets::bind_again(IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1)), ports, None, 400).is_ok());
    }

    #[test]
    fn an_address_that_is_not_ours_is_an_error() {
        assert!(Sockets::bind(IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1)), None, 0).is_err());
    }
}
