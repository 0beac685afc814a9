//! Where a message came from and where it goes (RFC 3261 section 18).

use std::net::SocketAddr;

use bytes::Bytes;

/// The transport protocol of a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
pub enum Transport {
    /// RFC 3261 section 18: the transport that every user agent speaks.
    Udp,
    /// RFC 3261 section 18: the other one.
    Tcp,
    /// TLS over TCP (RFC 3261 section 26.2.1).
    Tls,
}

impl Transport {
    /// All of them.
    pub const ALL: [Transport; 3] = [Transport::Udp, Transport::Tcp, Transport::Tls];

    /// The transport of a `transport=` parameter or of a Via, in any case.
    pub fn from_token(token: &[u8]) -> Option<Transport> {
        Transport::ALL.into_iter().find(|transport| token.eq_ignore_ascii_case(transport.via_token().as_bytes()))
    }

    /// Whether nothing gets lost on it, so that nothing is sent twice (RFC 3261 section 17).
    pub fn is_reliable(self) -> bool {
        match self {
            Transport::Udp => false,
            Transport::Tcp | Transport::Tls => true,
        }
    }

    /// The port when none is named (RFC 3261 section 19.1.2).
    pub fn default_port(self) -> u16 {
        match self {
            Transport::Udp | Transport::Tcp => 5060,
            Transport::Tls => 5061,
        }
    }

    /// The `transport=` parameter of a URI of ours that is reached by it: none for UDP, which every user agent assumes.
    pub fn uri_parameter(self) -> &'static str {
        match self {
            Transport::Udp => "",
            Transport::Tcp => ";transport=tcp",
            Transport::Tls => ";transport=tls",
        }
    }

    /// The token in a Via header field, upper case (RFC 3261 section 20.42).
    pub fn via_token(self) -> &'static str {
        match self {
            Transport::Udp => "UDP",
            Transport::Tcp => "TCP",
            Transport::Tls => "TLS",
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
