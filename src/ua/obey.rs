//! What the person asks of the core, done: one command, one act.

use std::time::Instant;

use crate::sip::Uri;

use super::call::{Call, Dial, TransferTo};
use super::command::{MediaPorts, Reply};
use super::core::Core;
use super::referral::{self, Referral};
use super::registration::Registration;
use super::target::{callable, tel_to_sip};
use super::{AccountId, CallNo, Command, CommandError, Timer, UserAgent, identity, replaces};

impl UserAgent {
    /// Does what a command says; a refused one changes nothing.
    pub(super) fn obey(&mut self, now: Instant, command: Command) -> Result<Reply, CommandError> {
        match command {
            Command::Dial { account, target, media } => {
                return self.dial(now, account, target, media, None).map(Reply::Call);
            }
            Command::Answer { call, media } => {
                self.with_call(call, |call, core| call.answer(core, now, media))?;
                self.take_place(now, call);
            }
            Command::OfferEarly { call, media } => {
                self.with_call(call, |call, core| call.offer_early(core, now, media))?;
            }
            Command::Reject { call, code } => self.with_call(call, |call, core| call.reject(core, now, code))?,
            Command::Alert { call } => {
                let others = self.calls.len().saturating_sub(1);
                self.with_call(call, |call, core| call.alert(core, now, others))?;
            }
            Command::Redirect { call, targets, reason } => {
                let targets = targets.into_iter().map(callable).collect::<Result<Vec<_>, _>>()?;
                self.with_call(call, |call, core| call.redirect(core, now, &targets, reason))?;
            }
            Command::Hangup { call } => self.with_call(call, |call, core| {
                call.hang_up(core, now);
                Ok(())
            })?,
            Command::Hold { call } => self.with_call(call, |call, core| call.hold(core, now))?,
            Command::Resume { call } => self.with_call(call, |call, core| call.resume(core, now))?,
            Command::Transfer { call, target } => {
                let target = callable(target)?;
                self.with_call(call, |call, core| call.transfer(core, now, TransferTo::blind(&target)))?;
            }
            Command::AcceptTransfer { call, media } => return self.follow(now, call, media).map(Reply::Call),
            Command::RefuseTransfer { call } => self.refuse_transfer(now, call)?,
            Command::TransferWith { call, with } => self.transfer_with(now, call, with)?,
            Command::AcceptRedirect { call } => self.with_call(call, |call, core| call.accept_redirect(core, now))?,
            Command::RefuseRedirect { call } => self.with_call(call, |call, core| call.refuse_redirect(core, now))?,
            Command::Move { call, media } => self.with_call(call, |call, core| call.move_to(core, now, media))?,
            Command::WayFound { call, path } => self.with_call(call, |call, core| {
                call.ice_found(core, now, path);
                Ok(())
            })?,
            Command::WayLost { call } => self.with_call(call, |call, core| {
                call.ice_lost(core, now);
                Ok(())
            })?,
            Command::GiveUp { call, reason } => self.with_call(call, |call, core| {
                call.give_up(core, now, reason);
                Ok(())
            })?,
            Command::InfoDigit { call, digit, duration_ms } => {
                self.with_call(call, |call, core| call.info_digit(core, now, digit, duration_ms))?;
            }
            Command::Register { account } => {
                self.known(account)?;
                self.with_registration(account, Registration::want);
                self.register(account, now);
            }
            Command::Unregister { account } => {
                self.known(account)?;
                self.unsubscribe_account(now, account);
                self.unregister(account);
            }
            Command::Query { account } => {
                self.known(account)?;
                self.with_registration(account, Registration::query);
            }
            Command::AddContact { account, contact } => {
                self.known(account)?;
                self.with_registration(account, |registration| registration.add_contact(&contact));
            }
            Command::ClearContacts { account } => {
                self.known(account)?;
                self.with_registration(account, Registration::clear);
            }
            Command::Subscribe { account } => {
                self.known(account)?;
                self.subscribe_account(now, account);
            }
            Command::Message { account, target, text } => self.send_message(now, account, target, text)?,
            Command::Shutdown => self.shut_down(now),
        }
        Ok(Reply::Done)
    }

    fn shut_down(&mut self, now: Instant) {
        self.core.shutting_down = true;
        for no in std::mem::take(&mut self.referrals).into_keys() {
            self.core.timers.cancel(&Timer::TransferUnanswered(no));
        }
        for call in self.calls.values_mut() {
            call.hang_up(&mut self.core, now);
        }
        for place in 0..self.registrations.len() {
            self.unsubscribe_account(now, AccountId(place));
        }
        // An account that never registered has nothing to take back, and nothing to say.
        for place in 0..self.registrations.len() {
            self.core.forget_registering(AccountId(place));
        }
        for registration in &mut self.registrations {
            match registration.contact() {
                Some(_) => registration.unregister(),
                None => registration.give_up(),
            }
        }
    }

    /// Begins a call.
    pub(super) fn dial(
        &mut self,
        now: Instant,
        account: Option<AccountId>,
        target: Uri,
        media: MediaPorts,
        referral: Option<Referral>,
    ) -> Result<CallNo, CommandError> {
        if self.core.shutting_down {
            return Err(CommandError::ShuttingDown);
        }
        if let Some(account) = account {
            self.known(account)?;
        }
        if self.calls.len() >= self.core.config.max_calls {
            return Err(CommandError::TooManyCalls(self.calls.len()));
        }
        let caller = account.and_then(|account| self.core.config.accounts.get(account.0));
        let mut target = tel_to_sip(callable(target)?, caller)?;
        // RFC 3261 section 19.1.5: a URI may say what else belongs in its request; of that only Replaces is taken.
        let wanted = replaces::Replaces::in_uri(&target).unwrap_or_default();
        referral::strip(&mut target);
        if let Some(rule) = self.core.forbids(account, &target) {
            return Err(CommandError::Screened { target: identity::uri_text(&target), rule });
        }
        let no = self.core.new_call_no();
        let (referred_by, replaces) = match referral {
            Some(referral) => (referral.referred_by, referral.replaces),
            None => (None, wanted),
        };
        let dial = Dial { account, target, media, referred_by, replaces };
        let (call, plan) = Call::dial(&mut self.core, now, dial, no);
        self.calls.insert(no, call);
        self.plans.insert(no, plan);
        Ok(no)
    }

    pub(super) fn with_call(
        &mut self,
        no: CallNo,
        act: impl FnOnce(&mut Call, &mut Core) -> Result<(), CommandError>,
    ) -> Result<(), CommandError> {
        let call = self.calls.get_mut(&no).ok_or(CommandError::NoSuchCall(no))?;
        act(call, &mut self.core)
    }

    pub(super) fn known(&self, account: AccountId) -> Result<(), CommandError> {
        self.registrations.get(account.0).map(|_| ()).ok_or(CommandError::NoSuchAccount)
    }
}
