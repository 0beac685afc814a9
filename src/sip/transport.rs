//! Where a message came from and where it goes (RFC 3261 section 18).

use std::net::SocketAddr;

use bytes::Bytes;

/// The transport protocol of a message. TCP and TLS have their place here and are not spoken yet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Transport {
    /// RFC 3261 section 18: the transport that every user agent speaks.
    Udp,
}

impl Transport {
    /// The token in a Via header field, upper case (RFC 3261 section 20.42).
    pub fn via_token(self) -> &'static str {
        match self {
            Transport::Udp => "UDP",
        }
    }
}

/// The path between one local and one remote address that a message travelled or shall travel.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Flow {
    /// The transport protocol.
    pub transport: Transport,
    /// Our address on this path: never a wildcard, for it goes into Via, Contact and SDP.
    pub local: SocketAddr,
    /// The other side's address.
    pub remote: SocketAddr,
}

/// A message to put on the wire.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Transmit {
    /// The way it goes.
    pub flow: Flow,
    /// The whole message, as it stands on the wire.
    pub bytes: Bytes,
}
