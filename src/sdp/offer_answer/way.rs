//! What offers and answers say of ICE (RFC 8839 section 4): whose credentials, and which of our addresses.

use std::net::SocketAddr;

use super::super::describe::Audio;
use super::super::ice::{self, Component, Ends, Path, Secrets};
use super::{LocalMedia, Session};

impl LocalMedia {
    /// Where RTP is received, as `c=` and `m=` say.
    pub fn rtp(&self) -> SocketAddr {
        let shown = self.shown(self.path.is_some());
        SocketAddr::new(shown.address, shown.rtp_port)
    }

    /// The address and the ports for `c=`, `m=` and `a=rtcp`; in a session that ICE has found a way for, those of that way.
    pub(super) fn shown(&self, ice: bool) -> LocalMedia {
        let found = self.path.filter(|_| ice).map(|path| (path.rtp.local, path.rtcp.map(|ends| ends.local)));
        let seen = match self.destination {
            ice::Destination::Host => None,
            ice::Destination::Reflexive => self.reflexive.map(|seen| (seen.rtp, seen.rtcp)),
        };
        let Some((rtp, rtcp)) = found.or(seen) else { return *self };
        let rtcp_port = rtcp.map_or(rtp.port().wrapping_add(1), |rtcp| rtcp.port());
        LocalMedia { address: rtp.ip(), rtp_port: rtp.port(), rtcp_port, ..*self }
    }
}

impl Session {
    /// Lets it use ICE, as its capabilities say when; the seed makes the credentials.
    pub fn with_ice(mut self, seed: [u8; 32]) -> Session {
        self.secrets = Secrets::from_seed(seed);
        self
    }

    /// The next offer begins ICE anew (RFC 8839 section 4.4.1.1.1): the way is dead, or we are elsewhere.
    pub fn restart_ice(&mut self) {
        self.restart = true;
    }

    /// It has begun anew already.
    pub fn no_restart(&mut self) {
        self.restart = false;
    }

    /// What ICE has agreed on, if it is in use.
    pub fn ice(&self) -> Option<&ice::Agreed> {
        self.agreed.outcome.as_ref()?.2.ice.as_ref()
    }

    /// The credentials of the next offer; none: it says nothing of ICE.
    pub(super) fn credentials_to_offer(&mut self) -> Option<ice::Credentials> {
        let in_use = self.ice().map(|agreed| agreed.local.clone());
        let restart = std::mem::take(&mut self.restart);
        match self.capabilities.ice {
            ice::Policy::Off => return None,
            ice::Policy::Answer if in_use.is_none() => return None,
            ice::Policy::Answer | ice::Policy::Offer => {}
        }
        if restart { self.secrets.next() } else { in_use.or_else(|| self.secrets.next()) }
    }

    pub(super) fn speaks_ice(&self) -> bool {
        self.capabilities.ice != ice::Policy::Off && self.secrets.are_there()
    }

    /// Our credentials for an answer; none: it says nothing of ICE. The peer's new ones ask for new ones of ours, a restart (RFC
    /// 8839 section 4.4.2.1).
    pub(super) fn credentials_to_answer(&mut self, audio: &Audio) -> Option<ice::Credentials> {
        let peer = audio.ice.as_ref().filter(|peer| peer.fits(audio.rtp))?;
        if !self.speaks_ice() {
            return None;
        }
        let in_use = self.ice().filter(|agreed| agreed.remote == peer.credentials);
        in_use.map(|agreed| agreed.local.clone()).or_else(|| self.secrets.next())
    }

    /// What an answer says of where we are: all of it, or what the checks have found.
    pub(super) fn local_to_answer(
        &self,
        local: &LocalMedia,
        audio: &Audio,
        ours: Option<&ice::Credentials>,
    ) -> LocalMedia {
        let goes_on = ours.is_some() && self.ice().map(|agreed| &agreed.local) == ours;
        let mut answer = LocalMedia { path: local.path.filter(|_| goes_on), ..*local };
        // The controlling side may know of the way before we do (RFC 8839 section 4.4.2).
        let named = audio.ice.as_ref().filter(|_| goes_on).map(|peer| peer.remote_candidates.as_slice());
        let named = |component| named?.iter().find(|(other, _)| *other == component).map(|(_, address)| *address);
        let ours = |component, address: &SocketAddr| {
            ice::candidates(&LocalMedia { path: None, ..*local }, true)
                .iter()
                .any(|candidate| candidate.component == component && candidate.address == *address)
        };
        if let (None, Some(local), Some(remote)) =
            (answer.path, named(Component::Rtp).filter(|address| ours(Component::Rtp, address)), audio.rtp)
        {
            let rtcp = named(Component::Rtcp).filter(|address| ours(Component::Rtcp, address)).zip(audio.rtcp);
            let rtcp = rtcp.map(|(local, remote)| Ends { local, remote });
            answer.path = Some(Path { rtp: Ends { local, remote }, rtcp });
        }
        answer
    }
}
