//! The drivers: UDP sockets and name resolution. The one place, with `phone` and `audio`, that reads a clock.
//!
//! - [`udp`]: the sockets that SIP goes through, and which local address a path leaves from;
//! - [`resolve`]: host names to flows, beside the loop;
//! - [`limit`]: how many datagrams one source may send;
//! - [`watch`]: that the machine's addresses have changed, or that it has slept;
//! - `unreachable`: what ICMP said of a datagram of ours (Linux).

pub mod limit;
pub mod resolve;
pub mod udp;
#[cfg(target_os = "linux")]
mod unreachable;
pub mod watch;

pub use limit::RateLimit;
pub use resolve::Resolver;
pub use udp::{Bound, PortInUse, Received, Sockets};
