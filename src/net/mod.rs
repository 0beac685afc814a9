//! The drivers: sockets, connections and name resolution. The one place, with `phone` and `audio`, that reads a clock.
//!
//! - [`bind`]: the ports that the phone listens at;
//! - [`udp`]: the sockets that SIP goes through, and which local address a path leaves from;
//! - [`streams`]: the connections of TCP and TLS; `connection`: one of them; [`framing`]: where its messages end;
//! - [`tls`]: whom we believe and who we are;
//! - [`resolve`]: host names to flows, beside the loop; [`locate`]: in which order (RFC 3263);
//! - [`limit`]: how many datagrams one source may send;
//! - [`watch`]: that the machine's addresses have changed, or that it has slept;
//! - `unreachable`: what ICMP said of a datagram of ours (Linux).

pub mod bind;
mod connection;
pub mod framing;
pub mod limit;
pub mod locate;
pub mod resolve;
pub mod streams;
pub mod tls;
pub mod udp;
#[cfg(target_os = "linux")]
mod unreachable;
pub mod watch;

/// How SIP is marked unless that is configured: CS3, which most networks give to signalling.
pub const DSCP: u8 = 24;

pub use bind::{Bound, PortInUse};
pub use limit::RateLimit;
pub use resolve::Resolver;
pub use tls::{Tls, TlsError, TlsOptions};
pub use udp::{Received, Sockets};
