//! Which timer sent a message again, as far as its kind tells (RFC 3261 section 17).

use crate::phone::trace::KEEP_ALIVE;
use crate::sip::transport::Transport;

use super::Message;

/// What sends a message again until it is answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Timer {
    /// An INVITE: RFC 3261 section 17.1.1.2.
    A,
    /// Any other request: section 17.1.2.2.
    E,
    /// A final response to an INVITE that is no success: section 17.2.1.
    G,
    /// A success, by its user agent until the ACK: section 13.3.1.4.
    Success,
    /// A reliable provisional response: RFC 3262 section 3.
    Reliable,
}

/// The timer that sends such a message again; `None`: nothing does by itself.
pub fn of(message: &Message) -> Option<Timer> {
    let entry = &message.entry;
    let Some(status) = entry.summary.strip_prefix("SIP/2.0 ") else {
        let is_unreliable = entry.transport == Transport::Udp;
        return match entry.summary.split(' ').next().unwrap_or_default() {
            // An ACK comes again with each response that it answers.
            "ACK" | KEEP_ALIVE => None,
            "INVITE" => is_unreliable.then_some(Timer::A),
            _ => is_unreliable.then_some(Timer::E),
        };
    };
    if !entry.cseq.ends_with(" INVITE") {
        // Repeated because the request came again.
        return None;
    }
    match status.as_bytes().first() {
        Some(b'1') => has_rseq(&entry.text).then_some(Timer::Reliable),
        Some(b'2') => Some(Timer::Success),
        Some(b'3'..=b'6') => Some(Timer::G),
        _ => None,
    }
}

/// RFC 3262 section 3: what is sent until it is acknowledged has a number.
fn has_rseq(text: &str) -> bool {
    text.lines()
        .take_while(|line| !line.is_empty())
        .any(|line| line.split_once(':').is_some_and(|(name, _)| name.trim().eq_ignore_ascii_case("rseq")))
}

/// The waits between the times at which a message came, in milliseconds.
pub fn waits(message: &Message) -> Vec<u32> {
    let before = std::iter::once(&0).chain(&message.again);
    message.again.iter().zip(before).map(|(then, before)| then.saturating_sub(*before)).collect()
}
