//! The accounts' registrations: when their REGISTERs leave, and by which way.

use std::time::Instant;

use crate::sip::Uri;

use super::core::Waiting;
use super::registration::{Registration, Step};
use super::timer::Timer;
use super::ways::{Resolve, Unreachable};
use super::{AccountId, Event, UserAgent};

impl UserAgent {
    /// Sends REGISTER as soon as the way to the registrar is known, for our Contact depends on it.
    pub(super) fn register(&mut self, account: AccountId, now: Instant) {
        let Some(server) = self.core.server(now, account) else {
            let reason = format!("the registrar can't be reached: {}", Unreachable::Transport);
            return self.no_way(account, now, reason);
        };
        self.look_up_registrar(account);
        match self.core.flow_to(now, &server) {
            Some(flow) => {
                let contact = Uri::parse(self.core.contact(Some(account), &flow).into());
                if let Ok(contact) = contact {
                    self.with_registration(account, |registration| registration.renew(&contact));
                }
            }
            None => {
                if !self.core.wait_for(server, Waiting::Register(account)) {
                    self.no_way(account, now, "too much waits for an address".to_owned());
                }
            }
        }
    }

    /// Behind a proxy nothing is sent to the registrar, but what comes from its address is the account's own.
    fn look_up_registrar(&mut self, account: AccountId) {
        let account = self.core.config.accounts.get(account.0).filter(|account| !account.route.is_empty());
        if let Some(Ok(registrar)) = account.map(|account| Resolve::of(&account.registrar)) {
            self.core.look_up(registrar);
        }
    }

    pub(super) fn unregister(&mut self, account: AccountId) {
        // While the registrar's name is being looked up the registration itself knows of nothing yet.
        self.core.forget_registering(account);
        self.with_registration(account, Registration::unregister);
    }

    pub(super) fn registration_due(&mut self, account: AccountId, now: Instant) {
        let due = self.registrations.get_mut(account.0).is_some_and(|registration| registration.handle_deadline(now));
        if due && !self.core.shutting_down {
            self.register(account, now);
        }
    }

    /// The registrar can't be reached: it is tried again after a pause.
    pub(super) fn no_way(&mut self, account: AccountId, now: Instant, reason: String) {
        if let Some(registration) = self.registrations.get_mut(account.0) {
            registration.handle_no_way(now, self.core.rng(), reason);
        }
    }

    pub(super) fn with_registration(&mut self, account: AccountId, act: impl FnOnce(&mut Registration)) {
        if let Some(registration) = self.registrations.get_mut(account.0) {
            act(registration);
        }
    }

    /// Sends what the registrations have to send, tells what they have to tell, and notes when they are due.
    pub(super) fn pump_registrations(&mut self, now: Instant) {
        let mut told = Vec::new();
        for (place, registration) in self.registrations.iter_mut().enumerate() {
            let account = AccountId(place);
            while let Some(step) = self.core.with_auth(account, |auth, rng| registration.poll(rng, auth)).flatten() {
                match step {
                    Step::Event(mut event) => {
                        if let Event::RegistrationFailed { code: 408 | 503, reason, .. } = &mut event
                            && let Some(words) = self.core.reasons.remove(&account)
                        {
                            *reason = words;
                        }
                        told.push(event.clone());
                        self.core.emit(event);
                    }
                    Step::Granted(granted) => {
                        if let Some(slot) = self.core.granted.get_mut(place) {
                            *slot = *granted;
                        }
                        self.core.set_keep_alive(now, account, registration.state());
                    }
                    Step::Send(request) => self.core.send_register(now, account, *request),
                }
            }
            match registration.poll_timeout() {
                Some(at) => self.core.timers.set(Timer::Registration(account), at),
                None => self.core.timers.cancel(&Timer::Registration(account)),
            }
        }
        for event in told {
            match event {
                Event::Registered { account, contact, .. } => self.account_registered(now, account, &contact),
                Event::RegistrationFailed { account, .. } => self.account_lost(account),
                Event::Unregistered { account } => self.unsubscribe_account(now, account),
                _ => {}
            }
        }
    }
}
