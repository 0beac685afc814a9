//! The way that ICE has found for a call's packets, as its offers say it (RFC 8839 section 4.4).

use std::net::IpAddr;
use std::time::Instant;

use crate::sdp::ice::{Destination, Path, Role};
use crate::sdp::{LocalMedia, Negotiated};
use crate::sip::transport::Flow;

use super::super::core::Core;
use super::super::event::Event;
use super::Call;

impl Call {
    /// ICE has found a way.
    pub fn ice_found(&mut self, cx: &mut Core, now: Instant, path: Path) {
        if self.path.replace(path) == Some(path) {
            return;
        }
        // RFC 8839 section 4.3.4: the controlling side tells a peer of RFC 5245 what the descriptions do not say yet.
        let Some(media) = &self.negotiated else { return };
        let Some(ice) = &media.ice else { return };
        let ours = self.local_media().map(|local| LocalMedia { path: None, ..local }.rtp());
        let is_said = ours == Some(path.rtp.local) && media.remote_rtp == path.rtp.remote;
        if ice.role == Role::Controlling && !ice.remote_ice2 && !is_said {
            self.way_due = true;
            self.reconcile(cx, now);
        }
    }

    /// The way is dead: ICE begins anew.
    pub fn ice_lost(&mut self, cx: &mut Core, now: Instant) {
        if self.negotiated.as_ref().is_none_or(|media| media.ice.is_none()) {
            return;
        }
        // A re-INVITE that is under way goes first; one that has begun anew itself leaves nothing to do (`note_ice`).
        self.begin_ice_anew();
        self.way_due = true;
        self.reconcile(cx, now);
    }

    pub(super) fn begin_ice_anew(&mut self) {
        self.path = None;
        self.sdp.restart_ice();
    }

    /// The re-INVITE about the way has met another one: it is still due.
    pub(super) fn repeat_way(&mut self) {
        self.way_due = true;
        if self.path.is_none() {
            self.sdp.restart_ice();
        }
    }

    /// The other side does not look for another way. The call stands, silent; whatever re-INVITE comes next asks once more.
    pub(super) fn way_refused(&mut self, cx: &mut Core, why: &str) {
        // That a way was found is said for the sake of others on it: to be refused costs nothing.
        if self.path.is_none() {
            self.sdp.restart_ice();
            cx.emit(Event::WayRefused { call: self.no, reason: why.to_owned() });
        }
    }

    /// What was found with other credentials is of no use any more, and nothing has to begin anew that has just done so.
    pub(super) fn note_ice(&mut self, media: &Negotiated) {
        let credentials = |media: &Negotiated| media.ice.as_ref().map(|ice| (ice.local.clone(), ice.remote.clone()));
        if self.negotiated.as_ref().map(credentials) != Some(credentials(media)) {
            self.path = None;
            self.way_due = false;
            self.sdp.no_restart();
        }
    }
}

/// Which of our addresses a description shows, for a peer without ICE above all: the one that a STUN server sees to whoever
/// is out in the world himself, our own to our neighbours.
pub(super) fn destination(flow: Flow) -> Destination {
    match is_private(flow.local.ip()) && !is_private(flow.remote.ip()) {
        true => Destination::Reflexive,
        false => Destination::Host,
    }
}

/// An address that has no meaning outside of a network (RFC 1918, RFC 6598, RFC 4193, RFC 3927).
fn is_private(address: IpAddr) -> bool {
    match address.to_canonical() {
        IpAddr::V4(v4) => {
            let [first, second, ..] = v4.octets();
            v4.is_private() || v4.is_loopback() || v4.is_link_local() || (first == 100 && second & 0xc0 == 64)
        }
        IpAddr::V6(v6) => {
            v6.is_loopback() || v6.segments()[0] & 0xfe00 == 0xfc00 || v6.segments()[0] & 0xffc0 == 0xfe80
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sip::transport::Transport;

    #[test]
    fn neighbours_see_our_own_address_and_the_world_the_other_one() {
        let table = [
            ("192.168.1.5:5060", "192.168.1.1:5060", Destination::Host),
            ("192.168.1.5:5060", "198.51.100.1:5060", Destination::Reflexive),
            ("203.0.113.5:5060", "198.51.100.1:5060", Destination::Host),
            ("100.64.3.2:5060", "198.51.100.1:5060", Destination::Reflexive),
            ("127.0.0.1:5060", "127.0.0.1:5070", Destination::Host),
            ("[fd00::5]:5060", "[2001:db8::1]:5060", Destination::Reflexive),
            ("[2001:db8::5]:5060", "[2001:db8::1]:5060", Destination::Host),
        ];
        for (local, remote, expected) in table {
            let flow =
                Flow { transport: Transport::Udp, local: local.parse().unwrap(), remote: remote.parse().unwrap() };
            assert_eq!(destination(flow), expected, "{local} {remote}");
        }
    }
}
