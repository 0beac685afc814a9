//! What a session and whoever makes its DTLS handshakes say to each other (RFC 5764). The handshake is made elsewhere, for it takes
//! a processor's time and a clock of its own; its datagrams come and go by the session's sockets.

use crate::sdp::crypto::Srtp;
use crate::sdp::dtls::{Fingerprint, Role};

/// Whether a datagram is of DTLS (RFC 7983 section 7).
pub fn is_dtls(bytes: &[u8]) -> bool {
    matches!(bytes, [20..=63, ..])
}

/// One handshake of a session; a number is never used again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Handshake(pub u32);

/// What a session wants.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Request {
    /// Begin.
    Begin {
        /// Its number.
        handshake: Handshake,
        /// Of our side.
        role: Role,
        /// The peer's certificate has one of these.
        fingerprints: Vec<Fingerprint>,
    },
    /// A datagram came for it.
    Datagram {
        /// For which.
        handshake: Handshake,
        /// As it came.
        bytes: Vec<u8>,
    },
    /// Nobody needs it any more. Until then it answers a peer that has not seen its end.
    End {
        /// Which.
        handshake: Handshake,
    },
}

/// What comes of a handshake.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reply {
    /// A datagram for the peer.
    Transmit {
        /// Of which.
        handshake: Handshake,
        /// As it goes.
        bytes: Vec<u8>,
    },
    /// Its end: the peer is who it says.
    Done {
        /// Of which.
        handshake: Handshake,
        /// The keys.
        srtp: Box<Srtp>,
    },
    /// Its end: there are no keys.
    Failed {
        /// Of which.
        handshake: Handshake,
        /// Why.
        failure: Failure,
    },
}

/// Why a handshake gave no keys.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Failure {
    /// The peer has shown another certificate: somebody may sit between.
    #[error(
        "the certificate in the DTLS handshake is not the one that the SIP message named: somebody may sit between"
    )]
    Fingerprint,
    /// It did not end in time.
    #[error("the DTLS handshake did not end in time: its packets may not get through")]
    Timeout,
    /// The peer knows none of our SRTP suites.
    #[error("the DTLS handshake agreed on no SRTP suite")]
    NoSuite,
    /// One side did not like what the other said, in the library's words.
    #[error("the DTLS handshake failed: {0}")]
    Protocol(String),
}
