//! Notices that the machine's addresses or routes have changed, or that it has slept.
//!
//! On Linux the kernel says so (rtnetlink); elsewhere one looks every few seconds. What the change means for a way is asked
//! of the routing table afterwards, by [`super::Sockets::flow_to`].

use std::future::pending;
use std::net::{IpAddr, SocketAddr};
use std::time::{Duration, Instant};

use super::udp::local_address_towards;

/// Addresses and routes change in several steps: looked at once when they have settled.
const SETTLE: Duration = Duration::from_millis(100);
/// How often the clocks are compared.
const TICK: Duration = Duration::from_secs(2);
/// A sleep shorter than this is none.
const SLEEP: Duration = Duration::from_secs(5);
/// Hosts that stand for the rest of the world (RFC 5737, RFC 3849): nothing is sent to them.
const ELSEWHERE: [&str; 2] = ["192.0.2.1:5060", "[2001:db8::1]:5060"];

/// What was noticed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Notice {
    /// Addresses or routes may be others.
    Network,
    /// The machine has slept.
    Woken,
}

/// The watcher. It needs a runtime to wait in.
#[derive(Debug)]
pub struct Watch {
    #[cfg(target_os = "linux")]
    kernel: Option<linux::Kernel>,
    settle_at: Option<Instant>,
    tick_at: Instant,
    clocks: Clocks,
}

impl Watch {
    /// Begins to watch.
    pub fn new(now: Instant) -> Watch {
        Watch {
            #[cfg(target_os = "linux")]
            kernel: linux::Kernel::open()
                .inspect_err(|error| tracing::warn!(%error, "the kernel does not tell of address changes: polling"))
                .ok(),
            settle_at: None,
            tick_at: now + TICK,
            clocks: Clocks::new(),
        }
    }

    /// The next notice. May be dropped and asked for again.
    pub async fn next(&mut self) -> Notice {
        loop {
            let until = self.settle_at.map_or(self.tick_at, |at| at.min(self.tick_at));
            tokio::select! {
                () = Watch::told(self.kernel()) => {
                    self.settle_at.get_or_insert_with(|| Instant::now() + SETTLE);
                }
                () = tokio::time::sleep_until(until.into()) => {
                    let now = Instant::now();
                    if self.settle_at.take_if(|at| *at <= now).is_some() {
                        return Notice::Network;
                    }
                    if self.tick_at <= now {
                        self.tick_at = now + TICK;
                        if self.clocks.have_slept() {
                            return Notice::Woken;
                        }
                        if self.kernel().is_none() {
                            return Notice::Network;
                        }
                    }
                }
            }
        }
    }

    #[cfg(target_os = "linux")]
    fn kernel(&self) -> Option<&linux::Kernel> {
        self.kernel.as_ref()
    }

    #[cfg(not(target_os = "linux"))]
    fn kernel(&self) -> Option<&std::convert::Infallible> {
        None
    }

    #[cfg(target_os = "linux")]
    async fn told(kernel: Option<&linux::Kernel>) {
        match kernel {
            Some(kernel) => kernel.told().await,
            None => pending().await,
        }
    }

    #[cfg(not(target_os = "linux"))]
    async fn told(_: Option<&std::convert::Infallible>) {
        pending().await
    }
}

/// The addresses from which the machine would send to the rest of the world, by IPv4 and IPv6.
pub fn default_addresses() -> [Option<IpAddr>; 2] {
    ELSEWHERE.map(|host| host.parse::<SocketAddr>().ok().and_then(|host| local_address_towards(host).ok()))
}

/// Two clocks of which one stands still while the machine sleeps.
#[derive(Debug)]
struct Clocks {
    ahead: Duration,
}

impl Clocks {
    fn new() -> Clocks {
        Clocks { ahead: ahead() }
    }

    /// Whether the machine has slept since this was asked last.
    fn have_slept(&mut self) -> bool {
        let before = std::mem::replace(&mut self.ahead, ahead());
        self.ahead.saturating_sub(before) >= SLEEP
    }
}

/// How far the clock that goes on is ahead of the one that stands still.
#[cfg(target_os = "linux")]
fn ahead() -> Duration {
    linux::clock(libc::CLOCK_BOOTTIME).saturating_sub(linux::clock(libc::CLOCK_MONOTONIC))
}

/// The wall clock for want of a better one: somebody who sets it forward causes a registration too many.
#[cfg(not(target_os = "linux"))]
fn ahead() -> Duration {
    static START: std::sync::OnceLock<Instant> = std::sync::OnceLock::new();
    let wall = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    wall.saturating_sub(START.get_or_init(Instant::now).elapsed())
}

#[cfg(target_os = "linux")]
mod linux {
    use std::io::{self, ErrorKind};
    use std::mem::MaybeUninit;
    use std::time::Duration;

    use socket2::{Domain, Protocol, SockAddr, SockAddrStorage, Socket, Type};
    use tokio::io::unix::AsyncFd;

    /// Links, addresses and routes of both families (rtnetlink(7)).
    const GROUPS: i32 = libc::RTMGRP_LINK
        | libc::RTMGRP_IPV4_IFADDR
        | libc::RTMGRP_IPV4_ROUTE
        | libc::RTMGRP_IPV6_IFADDR
        | libc::RTMGRP_IPV6_ROUTE;

    /// The kernel's news of links, addresses and routes.
    #[derive(Debug)]
    pub struct Kernel(AsyncFd<Socket>);

    impl Kernel {
        pub fn open() -> io::Result<Kernel> {
            let kind = Type::RAW.nonblocking().cloexec();
            let socket = Socket::new(Domain::from(libc::AF_NETLINK), kind, Some(Protocol::from(libc::NETLINK_ROUTE)))?;
            let mut storage = SockAddrStorage::zeroed();
            // SAFETY: sockaddr_nl is a plain structure, and storage is for any address.
            let address = unsafe { storage.view_as::<libc::sockaddr_nl>() };
            address.nl_family = libc::AF_NETLINK as libc::sa_family_t;
            address.nl_groups = GROUPS as u32;
            // SAFETY: the storage holds a sockaddr_nl of this length.
            let address = unsafe { SockAddr::new(storage, size_of::<libc::sockaddr_nl>() as libc::socklen_t) };
            socket.bind(&address)?;
            // SAFETY: the socket stays open, and the same, until it is dropped together with its registration.
            Ok(Kernel(unsafe { AsyncFd::register(socket)? }))
        }

        /// Something has changed; what is not read, for the routing table says it better.
        pub async fn told(&self) {
            loop {
                let Ok(mut ready) = self.0.readable().await else { return std::future::pending().await };
                let told = ready.try_io(|socket| match drain(socket.get_ref()) {
                    true => Ok(()),
                    // Only this makes the runtime wait again.
                    false => Err(ErrorKind::WouldBlock.into()),
                });
                if told.is_ok() {
                    return;
                }
            }
        }
    }

    /// Throws away what waits; whether there was any. Too much of it (ENOBUFS) is news as well.
    fn drain(socket: &Socket) -> bool {
        let mut buffer = [MaybeUninit::uninit(); 8192];
        let mut any = false;
        for _ in 0..256 {
            match socket.recv(&mut buffer) {
                Ok(_) => any = true,
                Err(error) if error.raw_os_error() == Some(libc::ENOBUFS) => any = true,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(_) => break,
            }
        }
        any
    }

    /// A clock of the system.
    pub fn clock(which: libc::clockid_t) -> Duration {
        let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
        // SAFETY: the structure is ours and lives as long as the call.
        let done = unsafe { libc::clock_gettime(which, &raw mut time) };
        match done {
            0 => Duration::new(time.tv_sec.unsigned_abs(), time.tv_nsec.unsigned_abs() as u32),
            _ => Duration::ZERO,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_machine_that_is_awake_has_not_slept() {
        let mut clocks = Clocks::new();
        assert!(!clocks.have_slept());
        clocks.ahead = clocks.ahead.saturating_sub(Duration::from_secs(60));
        // The clocks may have begun together: a minute back is then not to be had.
        let had_a_minute = ahead() >= Duration::from_secs(60);
        assert_eq!(clocks.have_slept(), had_a_minute);
        assert!(!clocks.have_slept());
    }

    #[test]
    fn an_unchanged_network_gives_no_notice() {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let mut watch = Watch::new(Instant::now());
            assert!(watch.settle_at.is_none());
            // The first look at the clocks is far away.
            let first = tokio::time::timeout(Duration::from_millis(1), watch.next()).await;
            assert!(first.is_err(), "{first:?}");
        });
    }
}
