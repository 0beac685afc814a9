//! A call goes on from another address of this machine (RFC 3261 section 12.2: target refresh; RFC 3665 section 3.7).
//!
//! A call that stands asks the phone to open its sound there, and says the new Contact and description in a re-INVITE. One
//! that rings here is answered from there. One that we placed and nobody has answered ends: its answers go where we were.

use std::time::Instant;

use crate::sip::transport::{Flow, Transport};

use super::super::command::{CommandError, MediaPorts};
use super::super::core::{Core, Owner, Purpose, Waiting};
use super::super::event::{EndedBy, Event};
use super::super::repair::NetworkChange;
use super::super::ways::{Resolve, next_hop};
use super::{Call, Phase};

impl Call {
    /// The host that the next request of this call goes to; `None` where none can go now.
    pub fn next_hop(&self, cx: &Core) -> Option<Resolve> {
        match self.phase {
            Phase::Inviting(_) => {
                let invite = cx.clients.newest_of(Owner::Call(self.no, Purpose::Invite))?;
                next_hop(cx.tx.client_request(invite)?).ok()
            }
            Phase::Ringing(_) | Phase::Established => {
                let request = self.dialog.as_ref()?.ack(0);
                match cx.seen.way_of(&request) {
                    Some(Flow { transport: Transport::Udp, remote, .. }) => Some(Resolve {
                        host: remote.ip().to_string(),
                        port: Some(remote.port()),
                        transport: Some(Transport::Udp),
                        secure: false,
                    }),
                    // Only the far side could open that connection.
                    Some(_) => None,
                    None => next_hop(&request).ok(),
                }
            }
            Phase::Resolving | Phase::Over => None,
        }
    }

    /// The machine's addresses have changed, or it has slept.
    pub fn network_changed(&mut self, cx: &mut Core, now: Instant, change: NetworkChange) {
        // After a sleep the other side may have given up: the re-INVITE asks.
        self.moving |= change == NetworkChange::Woken && self.phase == Phase::Established;
        let Some(hop) = self.next_hop(cx) else { return };
        if cx.flow_to(now, &hop).is_some() {
            self.way_found(cx, now);
        } else if !cx.wait_for(hop, Waiting::Repair(self.no)) {
            tracing::warn!(call = %self.no, "too much waits for an address: the call is not moved");
        }
    }

    /// The way has been asked for; without one the next change of the network is waited for.
    pub fn way_found(&mut self, cx: &mut Core, now: Instant) {
        let Some(flow) = self.next_hop(cx).and_then(|hop| cx.flow_to(now, &hop)) else { return };
        let moved = self.local.is_none_or(|local| local.local.ip() != flow.local.ip());
        match &self.phase {
            Phase::Inviting(_) if moved => {
                self.cancel(cx, now);
                let reason = "the network changed before the call was answered: call again";
                self.end(cx, now, EndedBy::Transport, Some(503), reason);
            }
            Phase::Ringing(_) | Phase::Established if moved => {
                tracing::debug!(call = %self.no, from = ?self.local, to = %flow.local.ip(), "moves");
                self.local = Some(flow);
                cx.seen.move_to(&self.call_id, flow);
                cx.emit(Event::AddressChanged { call: self.no, address: flow.local.ip(), media: self.media });
            }
            Phase::Established => self.reconcile(cx, now),
            Phase::Inviting(_) | Phase::Ringing(_) | Phase::Resolving | Phase::Over => {}
        }
    }

    /// The sound is received at the new address now, at these ports.
    pub fn move_to(&mut self, cx: &mut Core, now: Instant, media: MediaPorts) -> Result<(), CommandError> {
        self.established()?;
        self.media = Some(media);
        self.moving = true;
        // Where the other side reaches us has to be found anew.
        self.begin_ice_anew();
        self.reconcile(cx, now);
        Ok(())
    }

    /// The other side has accepted where we are now.
    pub(super) fn moved(&mut self, cx: &mut Core) {
        if let Some(local) = self.local {
            cx.emit(Event::Moved { call: self.no, address: local.local.ip() });
        }
    }

    /// It has not: neither its requests nor its sound reach us any more.
    pub(super) fn cannot_move(&mut self, cx: &mut Core, now: Instant, why: &str) {
        self.sdp.rollback();
        self.modifying = None;
        self.send_bye(cx, now);
        let reason = format!("the network changed, and the other side refused the new address: {why}");
        self.end(cx, now, EndedBy::Transport, Some(503), reason);
    }
}
