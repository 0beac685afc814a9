//! SRTP and SRTCP (RFC 3711; AES-GCM: RFC 7714): what leaves is protected, what comes is believed only if it is authentic and
//! new.
//!
//! | file | what |
//! |---|---|
//! | `keys` | session keys from a master key |
//! | `transform` | one packet encrypted and tagged, or checked and decrypted |
//! | `window` | packet indexes: roll-over counter, replay |
//! | `outgoing` | what we send under one key |
//! | `incoming` | what the peer sends under one key |
//!
//! [`Guard`] holds both for one call. Nothing in here allocates for a packet: a datagram is decrypted in a buffer that stays.

mod incoming;
mod keys;
mod outgoing;
#[cfg(test)]
mod tests;
mod transform;
mod window;

use crate::sdp::Protection;
use crate::sdp::crypto::Srtp;

use incoming::Incoming;
use outgoing::Outgoing;

/// A packet grows by no more than this: tag, SRTCP index.
pub const MAX_GROWTH: usize = 16 + 4;

/// The first byte of RTP and RTCP (RFC 7983 section 7); what else shares a socket with them is passed by.
const RTP_FIRST: std::ops::RangeInclusive<u8> = 128..=191;
/// The second byte of RTCP (RFC 5761 section 4).
const RTCP_SECOND: std::ops::RangeInclusive<u8> = 192..=223;

/// Why a packet is not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Rejected {
    /// Too short, or no RTP at all.
    #[error("no SRTP packet")]
    Malformed,
    /// The tag is wrong: changed on its way, or made without the key.
    #[error("not authentic")]
    Forged,
    /// It came before, or is older than can be told.
    #[error("came before, or is too old")]
    Replayed,
}

/// RTP or RTCP.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Rtp,
    Rtcp,
}

impl Kind {
    /// `None`: neither, STUN or DTLS.
    fn of(datagram: &[u8]) -> Option<Kind> {
        let (first, second) = (datagram.first()?, datagram.get(1)?);
        let kind = if RTCP_SECOND.contains(second) { Kind::Rtcp } else { Kind::Rtp };
        RTP_FIRST.contains(first).then_some(kind)
    }
}

/// The protection of one call's packets, both ways.
#[derive(Debug, Default)]
pub struct Guard {
    state: State,
    /// The last datagram, decrypted.
    plain: Vec<u8>,
    rejected: u64,
}

/// What is done to packets.
#[derive(Debug, Default)]
enum State {
    /// Nothing.
    #[default]
    Open,
    /// They are stopped: keys are to come.
    Locked,
    /// They are encrypted.
    Keyed(Box<Keyed>),
}

/// Both directions under the keys agreed on.
#[derive(Debug)]
struct Keyed {
    agreed: Srtp,
    outgoing: Outgoing,
    incoming: Incoming,
    /// Under the peer's key before this one, until the first packet under this one: those on their way still come.
    before: Option<(Srtp, Incoming)>,
}

impl Guard {
    /// Takes what offer and answer agreed on. A key that stays keeps its roll-over counters and its replay window; keys that a
    /// handshake is to give are waited for, under those before if there were any.
    pub fn configure(&mut self, protection: &Protection) {
        match (protection, &self.state) {
            (Protection::None, _) => self.state = State::Open,
            (Protection::Srtp(srtp), _) => self.use_keys(srtp),
            (Protection::Dtls(_), State::Open) => self.state = State::Locked,
            (Protection::Dtls(_), State::Locked | State::Keyed(_)) => {}
        }
    }

    /// Takes the keys of a handshake.
    pub fn use_keys(&mut self, agreed: &Srtp) {
        match &mut self.state {
            State::Keyed(keyed) if keyed.agreed == *agreed => {}
            State::Keyed(keyed) => keyed.change(*agreed),
            State::Open | State::Locked => {
                self.state = State::Keyed(Box::new(Keyed {
                    agreed: *agreed,
                    outgoing: Outgoing::new(&agreed.send),
                    incoming: Incoming::new(&agreed.receive, agreed.mki_length),
                    before: None,
                }));
            }
        }
    }

    /// Whether packets are stopped, for their keys are not there yet.
    pub fn is_locked(&self) -> bool {
        matches!(self.state, State::Locked)
    }

    /// Protects a packet that is about to leave, in place. False: it must not leave.
    #[must_use]
    pub fn protect(&mut self, packet: &mut Vec<u8>) -> bool {
        match (&mut self.state, Kind::of(packet)) {
            (State::Open, _) | (_, None) => true,
            (State::Locked, Some(_)) => false,
            (State::Keyed(keyed), Some(Kind::Rtp)) => keyed.outgoing.rtp(packet),
            (State::Keyed(keyed), Some(Kind::Rtcp)) => keyed.outgoing.rtcp(packet),
        }
    }

    /// A datagram as it was before it was protected; itself where nothing is. `None`: it is not to be believed.
    pub fn unprotect<'a>(&'a mut self, datagram: &'a [u8]) -> Option<&'a [u8]> {
        let unprotected = match (&mut self.state, Kind::of(datagram)) {
            (State::Open, _) | (_, None) => return Some(datagram),
            (State::Locked, Some(_)) => false,
            (State::Keyed(keyed), Some(kind)) => keyed.unprotect(kind, datagram, &mut self.plain).is_ok(),
        };
        if !unprotected {
            self.rejected += 1;
            return None;
        }
        Some(&self.plain)
    }

    /// How many packets were not to be believed.
    pub fn rejected(&self) -> u64 {
        self.rejected
    }
}

impl Keyed {
    fn change(&mut self, agreed: Srtp) {
        if self.agreed.send != agreed.send {
            self.outgoing = self.outgoing.with_key(&agreed.send);
        }
        let peers = |srtp: &Srtp| (srtp.receive, srtp.mki_length);
        if peers(&self.agreed) != peers(&agreed) {
            // Early dialogs (forks) may take turns: the windows of the one before are still there.
            let again = self.before.take().filter(|(before, _)| peers(before) == peers(&agreed));
            let next = match again {
                Some((_, incoming)) => incoming,
                None => self.incoming.with_key(&agreed.receive, agreed.mki_length),
            };
            self.before = Some((self.agreed, std::mem::replace(&mut self.incoming, next)));
        }
        self.agreed = agreed;
    }

    fn unprotect(&mut self, kind: Kind, datagram: &[u8], plain: &mut Vec<u8>) -> Result<(), Rejected> {
        let result = self.incoming.unprotect(kind, datagram, plain);
        if result.is_ok() {
            self.before = None;
        }
        match (&mut self.before, result) {
            (Some((_, before)), Err(Rejected::Forged)) => before.unprotect(kind, datagram, plain),
            (_, result) => result,
        }
    }
}
