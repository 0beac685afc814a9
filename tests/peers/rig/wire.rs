//! A tap on the namespace's loopback: every UDP datagram, in order.

use std::collections::HashSet;
use std::io;
use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4, UdpSocket};
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use super::DEADLINE;
use super::namespace::Namespace;

/// A datagram.
#[derive(Clone, Debug)]
pub struct Packet {
    /// How it is marked (RFC 2474).
    pub dscp: u8,
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
    shared: Arc<(Mutex<Seen>, Condvar)>,
    /// Sends datagrams to itself: when the tap has seen one, it has seen all that went before.
    marker: UdpSocket,
}

#[derive(Default)]
struct Seen {
    packets: Vec<Packet>,
    /// The number of the last mark.
    mark: u64,
}

/// At the beginning of a mark.
const MARK: &[u8] = b"offhook's mark ";

impl Wire {
    /// Taps the namespace's loopback.
    pub fn tap(namespace: &Namespace) -> io::Result<Wire> {
        let socket = namespace.inside(packet_socket)?;
        let marker = namespace.inside(|| UdpSocket::bind("127.0.0.1:0"))?;
        marker.set_nonblocking(true)?;
        let shared = Arc::<(Mutex<Seen>, Condvar)>::default();
        let filled = Arc::clone(&shared);
        thread::Builder::new().name("wire".into()).spawn(move || {
            let mut buffer = vec![0; 65536];
            while let Ok(read) = receive(&socket, &mut buffer) {
                let Some(packet) = buffer.get(..read).and_then(udp) else { continue };
                let (seen, more) = &*filled;
                let mut seen = seen.lock().unwrap_or_else(PoisonError::into_inner);
                match packet.payload.strip_prefix(MARK).and_then(|number| number.try_into().ok()) {
                    Some(number) => seen.mark = seen.mark.max(u64::from_be_bytes(number)),
                    None => seen.packets.push(packet),
                }
                more.notify_all();
            }
        })?;
        Ok(Wire { shared, marker })
    }

    /// The same tap once more.
    pub fn share(&self) -> Wire {
        Wire { shared: Arc::clone(&self.shared), marker: self.marker.try_clone().expect("a socket") }
    }

    /// The last datagram that fits.
    pub fn last(&self, fits: impl Fn(&Packet) -> bool) -> Option<Packet> {
        let seen = self.shared.0.lock().unwrap_or_else(PoisonError::into_inner);
        seen.packets.iter().rev().find(|packet| fits(packet)).cloned()
    }

    /// Forgets all.
    pub fn clear(&self) {
        self.catch_up().packets.clear();
    }

    /// Waits until the tap has seen all that has gone over the wire so far: its thread may be late.
    fn catch_up(&self) -> MutexGuard<'_, Seen> {
        let (seen, more) = &*self.shared;
        let mut seen = seen.lock().unwrap_or_else(PoisonError::into_inner);
        let own: SocketAddr = self.marker.local_addr().expect("it has an address");
        let mark = seen.mark + 1;
        let end = Instant::now() + DEADLINE;
        while seen.mark < mark {
            assert!(Instant::now() < end, "the tap sees nothing any more");
            // Once more, should the tap have had no room for it.
            let _ = self.marker.send_to(&[MARK, &mark.to_be_bytes()].concat(), own);
            while self.marker.recv(&mut [0; 64]).is_ok() {}
            seen = more.wait_timeout(seen, Duration::from_millis(200)).unwrap_or_else(PoisonError::into_inner).0;
        }
        seen
    }

    /// How many datagrams so far fit.
    pub fn count(&self, fits: impl Fn(&Packet) -> bool) -> usize {
        self.catch_up().packets.iter().filter(|packet| fits(packet)).count()
    }

    /// How many different datagrams so far fit: what was not answered at once is sent again, and is the same.
    pub fn count_distinct(&self, fits: impl Fn(&Packet) -> bool) -> usize {
        let seen = self.catch_up();
        let fitting = seen.packets.iter().filter(|packet| fits(packet));
        fitting.map(|packet| (packet.from, packet.to, &packet.payload)).collect::<HashSet<_>>().len()
    }

    /// Waits until a datagram fits; panics when none does.
    #[track_caller]
    pub fn assert_has(&self, what: &str, fits: impl Fn(&Packet) -> bool) {
        assert!(self.wait(1, DEADLINE, fits), "no {what}\n{}", self.ladder());
    }

    /// Waits until `n` datagrams fit; false when time is over.
    pub fn wait(&self, n: usize, limit: Duration, fits: impl Fn(&Packet) -> bool) -> bool {
        let end = Instant::now() + limit;
        let (seen, more) = &*self.shared;
        let mut seen = seen.lock().unwrap_or_else(PoisonError::into_inner);
        while seen.packets.iter().filter(|packet| fits(packet)).count() < n {
            let left = end.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return false;
            }
            seen = more.wait_timeout(seen, left).unwrap_or_else(PoisonError::into_inner).0;
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

    /// Whether a second goes by with at most so many datagrams that fit, of the next few: what was on its way may still come,
    /// late on a busy machine.
    pub fn falls_silent(&self, most: usize, fits: impl Fn(&Packet) -> bool) -> bool {
        (0..5).any(|_| self.count_during(Duration::from_secs(1), &fits) <= most)
    }

    /// All SIP messages, for messages of failed tests.
    pub fn ladder(&self) -> String {
        let seen = self.shared.0.lock().unwrap_or_else(PoisonError::into_inner);
        let line = |packet: &Packet| {
            let first = packet.sip()?.lines().next()?;
            Some(format!("{} -> {}  {first}\n", packet.from.port(), packet.to.port()))
        };
        seen.packets.iter().filter_map(line).collect()
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
        dscp: packet.get(1)? >> 2,
        from: SocketAddrV4::new(address(12)?, port(0)?),
        to: SocketAddrV4::new(address(16)?, port(2)?),
        payload: packet.get(header + 8..)?.to_vec(),
    })
}
