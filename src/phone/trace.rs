//! SIP messages as they crossed the wire, with passwords, digest responses and keys masked.

use std::net::SocketAddr;
use std::time::SystemTime;

/// One message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TraceEntry {
    /// When it left or came.
    pub time: SystemTime,
    /// True: we sent it.
    pub sent: bool,
    /// The other side.
    pub remote: SocketAddr,
    /// The first line.
    pub summary: String,
    /// Call-ID, to follow one call.
    pub call_id: String,
    /// CSeq, as it stands.
    pub cseq: String,
    /// The whole message, masked, with control characters replaced.
    pub text: String,
}
