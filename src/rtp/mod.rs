//! RTP and RTCP (RFC 3550): packets, sequence arithmetic, jitter buffer, telephone-event, reports.
//!
//! | file | what |
//! |---|---|
//! | [`number`] | sequence numbers, timestamps, sources: they wrap, so they are not plain integers |
//! | [`packet`] | one RTP packet, read and written |
//! | [`rtcp`] | compound RTCP packets, read and written |
//! | [`reception`] | what a receiver knows of a source: loss and jitter (appendix A) |
//! | [`interval`] | when the next report is due (section 6.3) |
//! | [`telephone_event`] | digits (RFC 4733), sent and received |
//! | [`xr`] | extended reports (RFC 3611) |
//! | [`jitter`] | the buffer between network and speaker |

pub mod interval;
pub mod jitter;
pub mod number;
pub mod packet;
pub mod reception;
pub mod rtcp;
pub mod telephone_event;
pub mod xr;

pub use number::{PayloadType, RtpTimestamp, SeqExtender, SeqNo, Ssrc};
pub use packet::Packet;

/// Bytes that are no packet of the kind they should be; they are dropped and counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a valid {0} packet")]
pub struct Malformed(pub &'static str);
