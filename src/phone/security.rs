//! What of a call is protected: its sound by SRTP, its signalling by TLS.

use serde::{Deserialize, Serialize};

use crate::sdp::crypto::Suite;
use crate::sdp::{Negotiated, Protection};
use crate::sip::transport::Transport;

/// Where the keys of the sound come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Keying {
    /// They stand in the SIP messages (RFC 4568).
    Sdes,
    /// A handshake in the way of the sound (RFC 5763), with whom the SIP messages name.
    Dtls,
}

/// What of a call is protected, as events tell it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Security {
    /// The sound is encrypted.
    pub srtp: bool,
    /// How, by the name of RFC 4568.
    pub suite: Option<Suite>,
    /// Where its keys come from; with DTLS they may still be to come.
    #[serde(default)]
    pub keying: Option<Keying>,
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
    /// `keyed`: the suite of the keys that a handshake has given.
    pub(super) fn of(media: &Negotiated, keyed: Option<Suite>, transport: Option<Transport>) -> Security {
        let (keying, suite) = match &media.protection {
            Protection::None => (None, None),
            Protection::Srtp(srtp) => (Some(Keying::Sdes), Some(srtp.suite())),
            Protection::Dtls(_) => (Some(Keying::Dtls), keyed),
        };
        Security { srtp: suite.is_some(), suite, keying, tls: transport == Some(Transport::Tls) }
    }

    /// Its keys are to come: no sound comes or goes before.
    pub fn is_awaited(&self) -> bool {
        self.keying.is_some() && !self.srtp
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
    use std::net::SocketAddr;
    use std::time::Instant;

    use super::super::desk::{Desk, Effect};
    use super::super::event::Kind;
    use super::*;
    use crate::config::Config;
    use crate::sdp::crypto::{MasterKey, Srtp};
    use crate::sdp::{Capabilities, Codec, Intent, LocalMedia, Protection, Session};
    use crate::ua::{self, CallNo};

    const CALL: CallNo = CallNo(1);

    #[test]
    fn the_lock_is_whole_only_when_sound_and_signalling_are_protected() {
        let table = [
            (false, false, Lock::None),
            (false, true, Lock::None),
            (true, false, Lock::Half),
            (true, true, Lock::Whole),
        ];
        for (srtp, tls, lock) in table {
            assert_eq!(Security { srtp, tls, ..Security::default() }.lock(), lock);
        }
    }

    fn media(protection: Protection) -> Negotiated {
        let at: SocketAddr = "192.0.2.1:4000".parse().unwrap();
        let local = LocalMedia::new(at.ip(), 4000, 4001);
        let phone = || Session::new(Capabilities::from_names([Codec::Pcmu.name()], 20).0, 1);
        let (_, media) = phone().answer(&phone().offer(&local, Intent::Talk), &local, Intent::Talk).unwrap();
        Negotiated { protection, ..media }
    }

    fn encrypted() -> Protection {
        let key = |fill| MasterKey::new(Suite::AeadAes128Gcm, &[fill; 28]).unwrap();
        Srtp { send: key(1), receive: key(2), mki_length: 0 }.into()
    }

    /// What a person is told of it after these.
    fn told(desk: &mut Desk, events: impl IntoIterator<Item = ua::Event>) -> Vec<(bool, Security)> {
        for event in events {
            desk.handle_core(Instant::now(), event, None);
        }
        let told = std::iter::from_fn(|| desk.poll_effect()).filter_map(|effect| match effect {
            Effect::Tell(Kind::Established { security, .. }) => Some((true, security)),
            Effect::Tell(Kind::Security { security, .. }) => Some((false, security)),
            _ => None,
        });
        told.collect()
    }

    #[test]
    fn it_is_told_with_the_answer_and_when_it_changes() {
        let mut desk = Desk::new(&Config::default());
        let event = |protection| ua::Event::Media { call: CALL, media: Box::new(media(protection)) };
        desk.dialled(CALL, None, "sip:bob@example.com".into());
        desk.note_transport(CALL, Some(Transport::Tls));
        let keying = Some(Keying::Sdes);
        let whole = Security { srtp: true, suite: Some(Suite::AeadAes128Gcm), keying, tls: true };
        let none = Security { tls: true, ..Security::default() };
        let answered = [event(encrypted()), ua::Event::Established { call: CALL }];
        assert_eq!(told(&mut desk, answered), [(true, whole)]);
        assert_eq!(told(&mut desk, [event(encrypted())]), []);
        assert_eq!(told(&mut desk, [event(Protection::None)]), [(false, none)]);
        assert_eq!(told(&mut desk, [event(Protection::None)]), []);
        assert_eq!(told(&mut desk, [event(encrypted())]), [(false, whole)]);
    }
}
