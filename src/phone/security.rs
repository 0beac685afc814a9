//! What of a call is protected: its sound by SRTP, its signalling by TLS.

use serde::{Deserialize, Serialize};

use crate::sdp::Negotiated;
use crate::sdp::crypto::Suite;
use crate::sip::transport::Transport;

/// What of a call is protected, as events tell it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Security {
    /// The sound is encrypted.
    pub srtp: bool,
    /// How, by the name of RFC 4568.
    pub suite: Option<Suite>,
    /// The signalling goes by TLS, to our own proxy at least.
    pub tls: bool,
}

/// What a person is shown of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lock {
    /// Nothing: the sound can be heard by others.
    None,
    /// The sound is encrypted, but its keys went where others can read them.
    Half,
    /// The sound is encrypted, and so was the way of its keys.
    Whole,
}

impl Security {
    pub(super) fn of(media: &Negotiated, transport: Option<Transport>) -> Security {
        let suite = media.protection.srtp().map(|srtp| srtp.suite());
        Security { srtp: suite.is_some(), suite, tls: transport == Some(Transport::Tls) }
    }

    /// The lock to show.
    pub fn lock(&self) -> Lock {
        match (self.srtp, self.tls) {
            (false, _) => Lock::None,
            (true, false) => Lock::Half,
            (true, true) => Lock::Whole,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_lock_is_whole_only_when_sound_and_signalling_are_protected() {
        let table = [
            (false, false, Lock::None),
            (false, true, Lock::None),
            (true, false, Lock::Half),
            (true, true, Lock::Whole),
        ];
        for (srtp, tls, lock) in table {
            assert_eq!(Security { srtp, suite: None, tls }.lock(), lock);
        }
    }
}
