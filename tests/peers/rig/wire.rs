//! A tap on the namespace's loopback: every UDP datagram, in order.

use std::io;
use std::net::{Ipv4Addr, SocketAddrV4};
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use super::namespace::Namespace;

/// A datagram.
#[derive(Clone, Debug)]
pub struct Packet {
    pub from: SocketAddrV4,
    pub to: SocketAddrV4,
    pub payload: Vec<u8>,
}

impl Packet {
    /// As a SIP message.
    pub fn sip(&self) -> Option<&str> {
        let text = std::str::from_utf8(&self.payload).ok()?;
        text.lines().next().is_some_and(|line| line.contains("SIP/2.0")).then_some(text)
    }

    /// Whether it is an RTP packet with sound or a telephone-event.
    pub fn is_rtp(&self) -> bool {
        // RFC 5761 4: the second octet of RTCP is 192 to 223.
        matches!(self.payload.as_slice(), [first, second, ..] if first >> 6 == 2 && !(192..=223).contains(second))
    }
}

/// Everything since it was cleared.
pub struct Wire {
    shared: Arc<(Mutex<Vec<Packet>>, Condvar)>,
}

impl Wire {
    /// Taps the namespace's loopback.
    pub fn tap(namespace: &Namespace) -> io::Result<Wire> {
        let socket = namespace.inside(packet_socket)?;
        let shared = Arc::<(Mutex<Vec<Packet>>, Condvar)>::default();
        let filled = Arc::clone(&shared);
        thread::Builder::new().name("wire".into()).spawn(move || {
            let mut buffer = vec![0; 65536];
            while let Ok(read) = receive(&socket, &mut buffer) {
                let Some(packet) = buffer.get(..read).and_then(udp) else { continue };
                let (packets, more) = &*filled;
                packets.lock().unwrap_or_else(PoisonError::into_inner).push(packet);
                more.notify_all();
            }
        })?;
        Ok(Wire { shared })
    }

    /// Forgets all.
    pub fn clear(&self) {
        self.shared.0.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }

    /// How many datagrams so far fit.
    pub fn count(&self, fits: impl Fn(&Packet) -> bool) -> usize {
        let packets = self.shared.0.lock().unwrap_or_else(PoisonError::into_inner);
        packets.iter().filter(|packet| fits(packet)).count()
    }

    /// Waits until `n` datagrams fit; false when time is over.
    pub fn wait(&self, n: usize, limit: Duration, fits: impl Fn(&Packet) -> bool) -> bool {
        let end = Instant::now() + limit;
        let (packets, more) = &*self.shared;
        let mut packets = packets.lock().unwrap_or_else(PoisonError::into_inner);
        while packets.iter().filter(|packet| fits(packet)).count() < n {
            let left = end.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return false;
            }
            packets = more.wait_timeout(packets, left).unwrap_or_else(PoisonError::into_inner).0;
        }
        true
    }

    /// How many datagrams that fit go by in a while from now.
    pub fn count_during(&self, window: Duration, fits: impl Fn(&Packet) -> bool) -> usize {
        let before = self.count(&fits);
        // A measurement of silence, not a wait for something.
        thread::sleep(window);
        self.count(&fits) - before
    }

    /// All SIP messages, for messages of failed tests.
    pub fn ladder(&self) -> String {
        let packets = self.shared.0.lock().unwrap_or_else(PoisonError::into_inner);
        let line = |packet: &Packet| {
            let first = packet.sip()?.lines().next()?;
            Some(format!("{} -> {}  {first}\n", packet.from.port(), packet.to.port()))
        };
        packets.iter().filter_map(line).collect()
    }
}

fn packet_socket() -> io::Result<OwnedFd> {
    let protocol = u16::try_from(libc::ETH_P_IP).expect("16 bits").to_be();
    let kind = libc::SOCK_DGRAM | libc::SOCK_CLOEXEC;
    let socket = match unsafe { libc::socket(libc::AF_PACKET, kind, i32::from(protocol)) } {
        -1 => return Err(io::Error::last_os_error()),
        socket => unsafe { OwnedFd::from_raw_fd(socket) },
    };
    // Room for the bursts of a load test. More than the usual limit takes a right that we have as root of the namespace
    // only: what is granted will do.
    let size: libc::c_int = 8 << 20;
    let length = libc::socklen_t::try_from(size_of_val(&size)).expect("small");
    for option in [libc::SO_RCVBUF, libc::SO_RCVBUFFORCE] {
        unsafe { libc::setsockopt(socket.as_raw_fd(), libc::SOL_SOCKET, option, (&raw const size).cast(), length) };
    }
    Ok(socket)
}

/// The next IP packet, once: loopback shows each as it leaves and as it arrives.
fn receive(socket: &OwnedFd, buffer: &mut [u8]) -> io::Result<usize> {
    loop {
        let mut from: libc::sockaddr_ll = unsafe { std::mem::zeroed() };
        let mut length = libc::socklen_t::try_from(size_of_val(&from)).expect("small");
        let (data, address) = (buffer.as_mut_ptr().cast(), (&raw mut from).cast());
        let read = unsafe { libc::recvfrom(socket.as_raw_fd(), data, buffer.len(), 0, address, &raw mut length) };
        match usize::try_from(read) {
            Err(_) => return Err(io::Error::last_os_error()),
            Ok(_) if from.sll_pkttype == libc::PACKET_OUTGOING => {}
            Ok(read) => return Ok(read),
        }
    }
}

/// The datagram in an IPv4 packet.
fn udp(packet: &[u8]) -> Option<Packet> {
    const UDP: u8 = 17;
    let header = usize::from(packet.first()? & 0x0f) * 4;
    let address = |at: usize| Some(Ipv4Addr::from(<[u8; 4]>::try_from(packet.get(at..at + 4)?).ok()?));
    let port = |at: usize| Some(u16::from_be_bytes(packet.get(header + at..header + at + 2)?.try_into().ok()?));
    (*packet.get(9)? == UDP).then_some(Packet {
        from: SocketAddrV4::new(address(12)?, port(0)?),
        to: SocketAddrV4::new(address(16)?, port(2)?),
        payload: packet.get(header + 8..)?.to_vec(),
    })
}
