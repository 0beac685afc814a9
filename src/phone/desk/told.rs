//! What the core tells, into events and what has to be done.

use std::net::IpAddr;
use std::time::Instant;

use crate::phone::event::{CallRef, Kind};
use crate::phone::lines::{Hold, Line};
use crate::phone::media_thread::Order;
use crate::phone::screen::{harmless, harmless_lines};
use crate::phone::snapshot::{LampState, Registration};
use crate::ua::event::{Binding, Party, TransferStage};
use crate::ua::{self, AccountId, CallNo};

use super::{Desk, Effect};

impl Desk {
    /// What the core tells. `arrived_at` is the local address of the datagram that caused it, if one did.
    pub(in crate::phone) fn handle_core(&mut self, now: Instant, event: ua::Event, arrived_at: Option<IpAddr>) {
        use ua::Event as Core;
        match event {
            Core::Registering { account } => {
                self.set_registration(account, Registration::Registering, None);
                self.tell_account(account, |account| Kind::Registering { account });
            }
            Core::Registered { account, expires, contact, contacts } => {
                self.set_registration(account, Registration::Registered, None);
                let contacts = harmless_bindings(contacts);
                let (expires, contact) = (expires.as_secs(), harmless(&contact).into_owned());
                self.tell_account(account, |account| Kind::Registered { account, expires, contact, contacts });
            }
            Core::Bindings { account, contacts } => {
                let contacts = harmless_bindings(contacts);
                self.tell_account(account, |account| Kind::Bindings { account, contacts });
            }
            Core::RegistrationFailed { account, code, reason, retry_in } => {
                let reason = harmless(&reason).into_owned();
                self.set_registration(account, Registration::Failed, Some(reason.clone()));
                let retry_in = retry_in.map(|pause| pause.as_secs());
                self.tell_account(account, |account| Kind::RegistrationFailed { account, code, reason, retry_in });
            }
            Core::Unregistered { account } => {
                self.set_registration(account, Registration::Off, None);
                self.tell_account(account, |account| Kind::Unregistered { account });
            }
            Core::Incoming { call, account, from, called, diverted_from, forwarded, referred_by } => {
                let others = (called, diverted_from, forwarded, referred_by);
                self.incoming(call, account, from, others, arrived_at);
            }
            // Before anything that wakes another thread: the 200 is not to wait for it.
            Core::AnswerDue { call, replaces } => {
                self.with_line(call, |line| line.takes_place_of = replaces);
                self.effects.push_front(Effect::Answer(call));
            }
            Core::Replaced { call, by } => self.tell_call(call, |call| Kind::Replaced { call, by }),
            Core::OfferDue { call } => self.effects.push_back(Effect::OfferEarly(call)),
            Core::Calling { call, account, to } => {
                let peer = harmless(&to).into_owned();
                if self.lines.get(call).is_none() {
                    let reference = CallRef { call, account: self.account_name(account), peer: peer.clone() };
                    self.lines.insert(Line::new(reference, account, false));
                }
                self.with_line(call, |line| line.call.peer = peer);
                self.tell_call(call, |call| Kind::Calling { call });
            }
            Core::Ringing { call, code, early_media } => self.ringing(now, call, code, early_media),
            Core::Media { call, media } => self.media(call, *media),
            Core::Established { call } => self.established(now, call),
            Core::PeerChanged { call, peer } => {
                let (from, name) = harmless_party(peer);
                let (uri, display) = (from.clone(), name.clone());
                self.with_line(call, |line| {
                    line.call.peer = uri;
                    line.name = display;
                });
                self.tell_call(call, |call| Kind::PeerChanged { call, from, name });
            }
            Core::Held { call } => {
                self.lines.set_held(call, Hold::Held);
                self.swapped(call);
                self.order(Order::Held { call, music: Some(self.hold_music.clone()) });
                self.tell_call(call, |call| Kind::Held { call });
            }
            Core::Resumed { call } => {
                self.lines.set_held(call, Hold::No);
                self.order(Order::Held { call, music: None });
                self.tell_call(call, |call| Kind::Resumed { call });
            }
            Core::RemoteHeld { call } => {
                self.with_line(call, |line| line.remote_held = true);
                self.tell_call(call, |call| Kind::RemoteHeld { call });
            }
            Core::RemoteResumed { call } => {
                self.with_line(call, |line| line.remote_held = false);
                self.tell_call(call, |call| Kind::RemoteResumed { call });
            }
            Core::AddressChanged { call, address, media } => {
                self.with_line(call, |line| line.arrived_at = Some(address));
                self.effects.push_back(Effect::MoveSound(call, address, media));
            }
            Core::Moved { call, address } => {
                let address = address.to_string();
                self.tell_call(call, |call| Kind::Moved { call, address });
            }
            Core::WayRefused { call, reason } => self.way_refused(call, harmless(&reason).into_owned()),
            Core::CallError { call, message } => self.tell_error(call, &message),
            Core::HoldRefused { call, held, message } => {
                let was_asked = self.lines.get(call).is_some_and(|line| line.hold == Hold::Asked);
                self.with_line(call, |line| line.hold = if held { Hold::Held } else { Hold::No });
                self.tell_error(call, &message);
                // It can't be held: then the call that it was to be held for goes back on hold, and nothing has changed.
                if was_asked && let Some(other) = self.swapped(call) {
                    self.lines.bring_to_front(call);
                    self.effects.push_back(Effect::Hold(other));
                }
            }
            Core::Transfer { call, stage, code } => {
                let under_way = match stage {
                    TransferStage::Trying | TransferStage::Ringing => Some(stage),
                    TransferStage::Accepted | TransferStage::Failed => None,
                };
                self.with_line(call, |line| line.transfer = under_way);
                self.tell_call(call, |call| Kind::Transfer { call, stage, code });
            }
            Core::TransferRequest { call, account, peer, to, by } => {
                let to = harmless(&to).into_owned();
                let by = by.map(|by| harmless(&by).into_owned());
                let request = Some(to.clone());
                self.with_line(call, |line| line.transfer_request = request);
                let call = self.requested(call, account, peer, to.clone(), arrived_at);
                self.tell(Kind::TransferRequest { call, to, by });
            }
            Core::TransferExpired { call } => {
                if let Some(request) = self.forget_request(call) {
                    self.tell(Kind::TransferExpired { call: request.call });
                }
                self.tell_error(call, "nobody answered the request to transfer it: it was refused");
            }
            Core::TransferDue { call, account, peer, to } => {
                self.requested(call, account, peer, harmless(&to).into_owned(), arrived_at);
                self.effects.push_back(Effect::FollowTransfer(call));
            }
            Core::RedirectRequest { call, to, others } => {
                let to = harmless(&to).into_owned();
                let others = others.iter().map(|other| harmless(other).into_owned()).collect();
                let request = Some(to.clone());
                self.with_line(call, |line| line.redirect_request = request);
                self.tell_call(call, |call| Kind::RedirectRequest { call, to, others });
            }
            Core::Digit { call, digit, duration_ms: _ } => self.digit_received(call, digit),
            Core::Ended { call, by, code, reason, answered_for } => {
                self.ended(now, call, by, code, harmless(&reason).into_owned(), answered_for);
            }
            Core::MessageWaiting { account, new, old, urgent, mailbox } => {
                let mut mailbox = mailbox.map(|mailbox| harmless(&mailbox).into_owned());
                if let Some(state) = account.and_then(|account| self.accounts.get_mut(account.0)) {
                    state.messages = Some((new, old));
                    // A mailbox that is configured is the one that the person wants.
                    mailbox = self.mailboxes.get(&state.name).cloned().or(mailbox);
                    state.mailbox = mailbox.clone().or(state.mailbox.take());
                }
                let account = self.account_name(account);
                self.tell(Kind::MessageWaiting { account, new, old, urgent, mailbox });
            }
            Core::Lamp { account, uri, name, lamp, remote } => {
                let (remote, remote_name) =
                    remote.map(harmless_party).map_or((None, None), |(uri, name)| (Some(uri), name));
                let uri = harmless(&uri).into_owned();
                self.tell_account(account, |account| {
                    Kind::Lamp(LampState { account, uri, name, state: lamp, remote, remote_name })
                });
                if let Some(Effect::Tell(Kind::Lamp(lamp))) = self.effects.back() {
                    let lamp = lamp.clone();
                    match self.lamps.iter_mut().find(|known| known.account == lamp.account && known.uri == lamp.uri) {
                        Some(known) => *known = lamp,
                        None => self.lamps.push(lamp),
                    }
                }
            }
            Core::SubscriptionFailed { account, package, uri, code, reason, retry_in } => {
                let (uri, reason) = (harmless(&uri).into_owned(), harmless(&reason).into_owned());
                let (package, retry_in) = (package.name().to_owned(), retry_in.map(|pause| pause.as_secs()));
                self.tell_account(account, |account| Kind::SubscriptionFailed {
                    account,
                    package,
                    uri,
                    code,
                    reason,
                    retry_in,
                });
            }
            Core::Message { account, from, text } => {
                let (from, name) = harmless_party(from);
                let (account, text) = (self.account_name(account), harmless_lines(&text));
                self.tell(Kind::Message { account, from, name, text });
            }
            Core::MessageSent { account, to, delivered } => {
                let (account, to) = (self.account_name(account), harmless(&to).into_owned());
                self.tell(Kind::MessageSent { account, to, delivered });
            }
            Core::MessageFailed { account, to, code, reason } => {
                let (account, to) = (self.account_name(account), harmless(&to).into_owned());
                let reason = harmless(&reason).into_owned();
                self.tell(Kind::MessageFailed { account, to, code, reason });
            }
            Core::Quiet => self.quiet = true,
        }
    }

    /// The call that was taken back when `held` was asked to be held; it is forgotten.
    fn swapped(&mut self, held: CallNo) -> Option<CallNo> {
        let other = self.lines.iter().find(|line| line.swapped_from == Some(held))?.call.call;
        self.with_line(other, |line| line.swapped_from = None);
        Some(other)
    }

    fn set_registration(&mut self, account: AccountId, registration: Registration, reason: Option<String>) {
        self.settled_in |= registration != Registration::Registering;
        if let Some(state) = self.accounts.get_mut(account.0) {
            state.registration = registration;
            state.reason = reason;
        }
    }
}

pub(super) fn harmless_party(party: Party) -> (String, Option<String>) {
    (harmless(&party.uri).into_owned(), party.name.map(|name| harmless(&name).into_owned()))
}

fn harmless_bindings(bindings: Vec<Binding>) -> Vec<Binding> {
    let clean = |binding: Binding| Binding { uri: harmless(&binding.uri).into_owned(), ..binding };
    bindings.into_iter().map(clean).collect()
}
