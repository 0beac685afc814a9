//! What the commands of the services do.

use std::time::{Instant, SystemTime};

use crate::services::forwarding::Switches;
use crate::sip::Uri;
use crate::ua::{self, AccountId, CallNo, CommandError};

use super::actor::Actor;
use super::command::{Command, ForwardChange};
use super::event::Kind;
use super::perform::{Outcome, refused};
use super::services::Redial;
use super::snapshot::Snapshot;
use super::switching::{self, Meant};
use super::{Refused, Reply, target};

impl Actor {
    // Whom a person means

    /// The URI of what a person wrote: by contacts, speed dial, dial plan and the account's domain.
    pub(super) fn target(&mut self, account: Option<AccountId>, text: &str) -> Result<Uri, Refused> {
        let name = self.desk.account_name(account);
        let dialled = self.services.dialled(name.as_deref(), text);
        Ok(target::parse(&dialled, self.account_uri(account))?)
    }

    /// Fails if a rule forbids to call an address.
    pub(super) fn may_call(&self, account: Option<AccountId>, target: &Uri) -> Result<(), Refused> {
        let account = self.desk.account_name(account);
        match self.services.screening.forbids(account.as_deref(), &target.to_string()) {
            Some(rule) => Err(CommandError::Screened { target: target.to_string(), rule }.into()),
            None => Ok(()),
        }
    }

    /// To whom a call is to be transferred.
    pub(super) fn transfer_target(&mut self, call: CallNo, text: &str) -> Result<Uri, Refused> {
        let account = self.desk.lines.get(call).and_then(|line| line.account);
        let target = self.target(account, text)?;
        self.may_call(account, &target)?;
        Ok(target)
    }

    /// The call that rings at a watched address, as what is to be called to take it.
    pub(super) fn ringing_elsewhere(&mut self, named: Option<&str>) -> Result<(AccountId, Uri), Refused> {
        let watched = self.core.watched();
        if watched.is_empty() {
            return Err(refused("no address is watched: `watch` of an account names those whose calls can be taken"));
        }
        let Some(named) = named else {
            let ringing = watched.iter().find_map(|one| Some((one.account, one.pick_up()?)));
            return ringing.ok_or_else(|| refused("nothing rings at the watched addresses"));
        };
        let by_name =
            |one: &&ua::subscription::Watched| one.name.as_deref().is_some_and(|name| name.eq_ignore_ascii_case(named));
        let one = match watched.iter().find(by_name) {
            Some(one) => one,
            None => {
                let account = watched.first().map(|one| one.account);
                let uri = self.target(account, named)?.to_string();
                let same = watched.iter().find(|one| one.uri.to_string() == uri);
                same.ok_or_else(|| refused(format!("{named} is not watched")))?
            }
        };
        one.pick_up().map(|target| (one.account, target)).ok_or_else(|| refused(format!("nothing rings at {named}")))
    }

    /// Whom `redial` and `callback` mean.
    pub(super) fn remembered(&mut self, command: &Command) -> Result<(Option<AccountId>, Uri), Refused> {
        let (account, peer) = match command {
            Command::CallBack => {
                let caller = self.services.history.last_caller();
                let caller = caller.ok_or_else(|| refused("nobody has called yet"))?;
                if crate::services::address::Who::of(&caller.peer).is_anonymous() {
                    return Err(refused("who called last did not say who he is"));
                }
                (caller.account.clone(), caller.peer.clone())
            }
            _ => self.services.last_dialled().ok_or_else(|| refused("nobody was called yet"))?,
        };
        // The account may be gone from the configuration.
        let known = account.filter(|name| self.place_of(Some(name)).is_some());
        self.plan(known.as_deref(), &peer)
    }

    // Forwarding and do not disturb

    /// The accounts that are meant; `None` in it: calls without an account.
    fn meant_accounts(&self, account: Option<&str>) -> Result<Vec<Option<AccountId>>, Refused> {
        if let Some(name) = account {
            return Ok(vec![Some(self.named_account(name)?)]);
        }
        let mut all: Vec<Option<AccountId>> =
            (0..self.core_config.accounts.len()).map(|n| Some(AccountId(n))).collect();
        if self.core_config.direct_calls || all.is_empty() {
            all.push(None);
        }
        Ok(all)
    }

    /// These accounts, as far as switches go.
    fn as_meant(&self, accounts: &[Option<AccountId>]) -> Vec<Meant> {
        let of = |account: &Option<AccountId>| Meant {
            name: self.desk.account_name(*account),
            uri: self.account_uri(*account).cloned(),
        };
        accounts.iter().map(of).collect()
    }

    pub(super) fn forward(&mut self, account: Option<&str>, change: ForwardChange) -> Outcome {
        self.refresh_switches(Instant::now());
        let accounts = self.meant_accounts(account)?;
        let meant = self.as_meant(&accounts);
        let mut switches = self.services.switches.clone();
        let emergency = self.services.screening.emergency.clone();
        let target = |place: usize, written: &str| {
            let account = accounts.get(place).copied().flatten();
            let target = self.target(account, written).map_err(|refused| refused.message)?;
            self.may_call(account, &target).map(|()| target).map_err(|refused| refused.message)
        };
        switching::forward(&mut switches, &meant, &change, &emergency, target).map_err(refused)?;
        if switches != self.services.switches {
            self.services.switches = switches;
            self.services.keep_switches();
        }
        let told = switching::forwardings(&self.services.switches, &meant, &change);
        told.into_iter().for_each(|kind| self.tell(kind));
        Ok(Reply::Done)
    }

    pub(super) fn dnd(&mut self, account: Option<&str>, on: Option<bool>) -> Outcome {
        self.refresh_switches(Instant::now());
        let meant = self.as_meant(&self.meant_accounts(account)?);
        let told = switching::dnd(&mut self.services.switches, &meant, on);
        if on.is_some() {
            self.services.keep_switches();
        }
        told.into_iter().for_each(|kind| self.tell(kind));
        Ok(Reply::Done)
    }

    /// Takes over what somebody else has switched in the file (`offhook forward`, another phone), and tells it.
    pub(super) fn refresh_switches(&mut self, now: Instant) {
        let Some(before) = self.services.refresh_switches(now) else { return };
        let meant = self.as_meant(&self.meant_accounts(None).unwrap_or_default());
        let all = |switches: &Switches| {
            let mut copy = switches.clone();
            let mut kinds = switching::forwardings(switches, &meant, &ForwardChange::Show);
            kinds.extend(switching::dnd(&mut copy, &meant, None));
            kinds
        };
        let (before, now) = (all(&before), all(&self.services.switches));
        now.into_iter().filter(|kind| !before.contains(kind)).for_each(|kind| self.tell(kind));
    }

    // The history

    pub(super) fn show_history(&mut self, count: usize) -> Outcome {
        let calls = self.services.history.last(count).cloned().collect();
        self.tell(Kind::History { calls });
        if self.services.history.missed() > 0 {
            self.services.saw(SystemTime::now());
            self.tell(Kind::Missed { count: 0 });
        }
        Ok(Reply::Done)
    }

    pub(super) fn snapshot(&self, now: Instant) -> Snapshot {
        let switches = &self.services.switches;
        Snapshot {
            forwarding: switches.forwarding.clone(),
            dnd: switches.dnd.clone(),
            missed: self.services.history.missed(),
            ..self.desk.snapshot(now)
        }
    }

    // Calling again, parking

    pub(super) fn redial_busy(&mut self, now: Instant, on: bool) -> Outcome {
        let before = self.services.redial.take();
        if !on {
            self.tell_redial(before);
            return Ok(Reply::Done);
        }
        let (account, target) = self.remembered(&Command::Redial)?;
        let account = self.desk.account_name(account);
        let left = self.calls_config.redial_times;
        self.services.redial = Some(Redial { account, target: target.to_string(), left, due: Some(now), call: None });
        self.tell_redial(before);
        Ok(Reply::Done)
    }

    /// Places a call that nobody waits for the answer of.
    pub(super) fn call_again(&mut self, now: Instant, account: Option<String>, target: String) {
        let (answer, _nobody) = tokio::sync::oneshot::channel();
        match self.plan(account.as_deref(), &target) {
            Ok((account, target)) => self.call(now, account, target, answer),
            Err(refused) => {
                tracing::warn!(%refused, "not called again");
                let before = self.services.redial.take();
                self.tell_redial(before);
            }
        }
    }

    pub(super) fn park(&mut self, now: Instant, call: CallNo) -> Outcome {
        let Some(code) = self.calls_config.park.clone() else {
            return Err(refused("no code for parking is configured: calls.park = \"*68\""));
        };
        match code.strip_prefix("dtmf:") {
            Some(digits) => self.dtmf(now, call, digits),
            None => {
                let target = self.transfer_target(call, &code)?;
                self.tell_core(now, ua::Command::Transfer { call, target })
            }
        }
    }
}
