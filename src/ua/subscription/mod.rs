//! Subscriptions to the state of others (RFC 6665): who waits with a message for us, who talks, who else is registered.
//!
//! | file | what is in it |
//! |---|---|
//! | [`subscriber`] | one subscription's machine |
//! | [`content`] | the event packages, and what a notification changes |
//! | [`mwi`], [`dialog_info`], [`reg`] | the bodies of the three packages; [`xml`] reads the latter two within limits |
//!
//! Here they are kept: an account's begin when it has registered, end when it unregisters, and begin anew when its contact
//! has changed.

pub mod content;
pub mod dialog_info;
pub mod mwi;
pub mod reg;
mod state;
pub mod subscriber;
pub mod xml;

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use crate::sip::transport::Flow;
use crate::sip::{HeaderName, Request, Response, Uri};
use crate::transaction::{ClientId, Failure, ServerId};

use super::capabilities::ALLOW_EVENTS;
use super::config::MessageWaiting;
use super::event::{Event, Lamp, Party};
use super::identity::uri_text;
use super::timer::Timer;
use super::{AccountId, SubscriptionId, UserAgent, registration};
use content::{Content, Package, event_of};
use dialog_info::{DialogState, RemoteDialog};
use subscriber::{News, Subscription};

/// Subscriptions of all accounts, forks included.
const MAX_SUBSCRIPTIONS: usize = 512;
/// Subscriptions that several notifiers' answers to one SUBSCRIBE may make.
const MAX_FORKS: usize = 8;
/// A registrar that takes our binding away again and again is not asked for it more often.
const REREGISTER_PAUSE: Duration = Duration::from_secs(30);

/// Everything that is subscribed to.
#[derive(Debug, Default)]
pub struct Subscriptions {
    list: BTreeMap<SubscriptionId, Subscription>,
    next: u32,
    /// The contact with which each account is registered.
    registered: BTreeMap<AccountId, String>,
    /// When an account was registered again because a notification said that its binding had ended.
    reregistered: BTreeMap<AccountId, Instant>,
    /// What was last told of each watched address: by account, then place in its list.
    told: BTreeMap<(AccountId, usize), (Lamp, Option<Party>)>,
}

impl Subscriptions {
    /// Whose a subscription is.
    pub fn account_of(&self, id: SubscriptionId) -> Option<AccountId> {
        self.list.get(&id).map(|subscription| subscription.account)
    }

    /// Whether no goodbye waits for its answer.
    pub fn is_idle(&self) -> bool {
        !self.list.values().any(Subscription::says_goodbye)
    }

    fn new_id(&mut self) -> SubscriptionId {
        self.next += 1;
        SubscriptionId(self.next)
    }
}

/// An address whose dialogs are watched, and what is known of it.
#[derive(Debug, Clone)]
pub struct Watched {
    /// The account that watches.
    pub account: AccountId,
    /// The address, as configured.
    pub uri: Uri,
    /// The name, as configured.
    pub name: Option<String>,
    /// What its lamp shows.
    pub lamp: Lamp,
    /// Its dialogs, for call pickup: those that ring come first.
    pub dialogs: Vec<RemoteDialog>,
}

impl Watched {
    /// The address to call in order to take the call that rings there (RFC 5359 section 2.16): its caller's, with a Replaces
    /// for the dialog that still rings. RFC 3891 section 3: only who began an early dialog lets it be replaced, and `to-tag`
    /// is the tag of who gets the INVITE. `None`: nothing rings, or too little is told of it.
    pub fn pick_up(&self) -> Option<Uri> {
        let rings = |dialog: &&RemoteDialog| {
            let early = matches!(dialog.state, DialogState::Trying | DialogState::Proceeding | DialogState::Early);
            early && dialog.direction != Some(dialog_info::Direction::Initiator)
        };
        self.dialogs.iter().filter(rings).find_map(|dialog| {
            let (call_id, ours) = (dialog.call_id.as_deref()?, dialog.remote_tag.as_deref()?);
            let value = format!("{call_id};to-tag={ours};from-tag={};early-only", dialog.local_tag.as_deref()?);
            let caller = &dialog.remote.as_ref()?.uri;
            Uri::parse(format!("{caller}?Replaces={}", super::replaces::escaped(&value)).into()).ok()
        })
    }
}

impl UserAgent {
    // ---- what the phone may ask ----

    /// Subscribes afresh to all that an account subscribes to, given up or not: after the network changed, say.
    pub fn resubscribe(&mut self, now: Instant, account: AccountId) {
        self.subscribe_account(now, account);
        self.settle(now);
    }

    /// The watched addresses of all accounts, in the order of the configuration.
    pub fn watched(&self) -> Vec<Watched> {
        let accounts = self.core.config.accounts.iter().enumerate();
        accounts
            .flat_map(|(place, account)| account.events.watch.iter().map(move |watch| (AccountId(place), watch)))
            .map(|(account, watch)| {
                let mut dialogs: Vec<RemoteDialog> =
                    self.tables(account, &watch.uri).flat_map(|(_, table)| table.dialogs().cloned()).collect();
                dialogs.sort_by_key(|dialog| dialog.state == DialogState::Confirmed);
                let lamp = self.lamp(account, &watch.uri);
                Watched { account, uri: watch.uri.clone(), name: watch.name.clone(), lamp, dialogs }
            })
            .collect()
    }

    /// The dialog subscriptions to an address whose state holds.
    fn tables(
        &self,
        account: AccountId,
        uri: &Uri,
    ) -> impl Iterator<Item = (&Subscription, &dialog_info::Table)> + use<'_> {
        let wanted = uri.to_string();
        self.subscriptions.list.values().filter_map(move |subscription| {
            let same = subscription.account == account && subscription.resource.to_string() == wanted;
            match &subscription.content {
                Content::Dialogs(table) if same && subscription.known => Some((subscription, table)),
                Content::Dialogs(_) | Content::Messages(_) | Content::Contacts(_) => None,
            }
        })
    }

    fn lamp(&self, account: AccountId, uri: &Uri) -> Lamp {
        let told = self.tables(account, uri).map(|(_, table)| table.lamp()).max();
        let absent = || {
            let mut subscriptions = self.subscriptions.list.values();
            subscriptions.any(|subscription| {
                subscription.account == account
                    && subscription.package == Package::Dialog
                    && subscription.absent
                    && subscription.resource.to_string() == uri.to_string()
            })
        };
        told.unwrap_or_else(|| if absent() { Lamp::Unregistered } else { Lamp::Unknown })
    }

    // ---- accounts ----

    /// An account has registered: its subscriptions begin, unless they stand and the contact is the same.
    pub(super) fn account_registered(&mut self, now: Instant, account: AccountId, contact: &str) {
        let known = self.subscriptions.registered.insert(account, contact.to_owned());
        if known.as_deref() != Some(contact) {
            self.subscribe_account(now, account);
        }
    }

    /// A registration failed: when it works again, the server may have forgotten the subscriptions too.
    pub(super) fn account_lost(&mut self, account: AccountId) {
        self.subscriptions.registered.remove(&account);
    }

    /// What an account subscribes to. `auto` asks only where the account is registered, for others get nothing anyway.
    fn wanted(&self, account: AccountId) -> Vec<(Package, Uri)> {
        let Some(config) = self.core.config.accounts.get(account.0) else { return Vec::new() };
        let registered = self.subscriptions.registered.contains_key(&account);
        let mut wanted: Vec<(Package, Uri)> = Vec::new();
        match config.events.message_waiting {
            MessageWaiting::Always => wanted.push((Package::MessageSummary, config.uri.clone())),
            MessageWaiting::Auto if registered => wanted.push((Package::MessageSummary, config.uri.clone())),
            MessageWaiting::Auto | MessageWaiting::Never => {}
        }
        wanted.extend(config.events.watch.iter().map(|watch| (Package::Dialog, watch.uri.clone())));
        if config.events.registrations {
            wanted.push((Package::Registration, config.uri.clone()));
        }
        wanted
    }

    pub(super) fn subscribe_account(&mut self, now: Instant, account: AccountId) {
        if self.core.shutting_down {
            return;
        }
        let subscriptions = &mut self.subscriptions;
        subscriptions.list.retain(|_, subscription| subscription.account != account || !subscription.forked);
        for (package, resource) in self.wanted(account) {
            let same = |subscription: &&Subscription| {
                subscription.account == account
                    && subscription.package == package
                    && subscription.resource.to_string() == resource.to_string()
            };
            let known = self.subscriptions.list.values().find(same).map(Subscription::id);
            let id = match known {
                Some(id) => id,
                None if self.subscriptions.list.len() >= MAX_SUBSCRIPTIONS => {
                    tracing::warn!(%resource, "too many subscriptions: this one is left out");
                    continue;
                }
                None => {
                    let id = self.subscriptions.new_id();
                    self.subscriptions.list.insert(id, Subscription::new(id, account, package, resource));
                    id
                }
            };
            self.with_subscription(now, id, |subscription, core, now| subscription.start(core, now));
        }
    }

    /// An account unregisters, or the phone shuts down: `Expires: 0` for all that stand.
    pub(super) fn unsubscribe_account(&mut self, now: Instant, account: AccountId) {
        self.account_lost(account);
        for id in self.subscriptions.list.keys().copied().collect::<Vec<_>>() {
            self.with_subscription(now, id, |subscription, core, now| {
                if subscription.account == account {
                    subscription.stop(core, now);
                }
                None
            });
        }
    }

    // ---- what happens ----

    pub(super) fn subscription_due(&mut self, now: Instant, id: SubscriptionId) {
        self.with_subscription(now, id, |subscription, core, now| subscription.handle_deadline(core, now));
    }

    pub(super) fn subscription_resolved(&mut self, now: Instant, id: SubscriptionId, found: bool, host: &str) {
        self.with_subscription(now, id, |subscription, core, now| subscription.resolved(core, now, found, host));
    }

    pub(super) fn subscription_response(
        &mut self,
        now: Instant,
        id: SubscriptionId,
        client: ClientId,
        flow: Flow,
        response: &Response,
    ) {
        self.with_subscription(now, id, |subscription, core, now| {
            subscription.handle_response(core, now, client, flow, response)
        });
    }

    pub(super) fn subscription_failure(&mut self, now: Instant, id: SubscriptionId, failure: Failure) {
        self.with_subscription(now, id, |subscription, core, now| subscription.handle_failure(core, now, failure));
    }

    /// A NOTIFY with a To tag that belongs to no call.
    pub(super) fn handle_notification(&mut self, now: Instant, server: ServerId, request: &Request) {
        let (event, event_id) = event_of(request);
        let list = &self.subscriptions.list;
        let owner = list.values().find(|subscription| subscription.has_dialog(&request.headers));
        let owner = owner.or_else(|| {
            let mut awaiting = list.values().filter(|subscription| subscription.awaits(now, &request.headers));
            awaiting.next()
        });
        let Some(owner) = owner.filter(|owner| owner.package.name() == event && event_id.is_none()) else {
            return if is_known(&event) {
                self.core.respond(now, server, 481, "Subscription Does Not Exist", &[])
            } else {
                self.core.respond(now, server, 489, "Bad Event", &[(HeaderName::AllowEvents, ALLOW_EVENTS)])
            };
        };
        let owner = owner.id();
        let id = match self.fork_of(owner, request) {
            Some(Ok(fork)) => fork,
            Some(Err(())) => return self.core.respond(now, server, 481, "Too Many Forks", &[]),
            None => owner,
        };
        self.with_subscription(now, id, |subscription, core, now| {
            subscription.handle_notify(core, now, server, request)
        });
    }

    /// A subscription of its own for another notifier's answer to the SUBSCRIBE of `id`, if this is one.
    fn fork_of(&mut self, id: SubscriptionId, request: &Request) -> Option<Result<SubscriptionId, ()>> {
        let owner = self.subscriptions.list.get(&id)?;
        if !owner.has_begun() || owner.has_dialog(&request.headers) {
            return None;
        }
        let resource = owner.resource.to_string();
        let same = |other: &&Subscription| {
            other.forked && other.account == owner.account && other.resource.to_string() == resource
        };
        let full = self.subscriptions.list.len() >= MAX_SUBSCRIPTIONS;
        if full || self.subscriptions.list.values().filter(same).count() >= MAX_FORKS {
            return Some(Err(()));
        }
        let new = SubscriptionId(self.subscriptions.next + 1);
        let fork = owner.fork(new);
        self.subscriptions.next += 1;
        self.subscriptions.list.insert(new, fork);
        Some(Ok(new))
    }

    /// Something happens to a subscription: what follows from it is done, told, and its deadline set.
    fn with_subscription(
        &mut self,
        now: Instant,
        id: SubscriptionId,
        act: impl FnOnce(&mut Subscription, &mut super::core::Core, Instant) -> Option<News>,
    ) {
        let Some(subscription) = self.subscriptions.list.get_mut(&id) else { return };
        let (account, package) = (subscription.account, subscription.package);
        let news = act(subscription, &mut self.core, now);
        match news {
            Some(News::Notified(change)) => {
                if change.gap {
                    subscription.ask_again(&mut self.core, now);
                }
                if change.brought_state {
                    self.tell_state(now, id, account, change.ended);
                }
            }
            Some(News::Failed { code, reason, retry_in }) => {
                let uri = uri_text(&subscription.resource);
                let forked = subscription.forked;
                tracing::debug!(package = package.name(), %uri, reason, ?retry_in, "a subscription failed");
                if !forked && self.is_worth_telling(account, package, retry_in) {
                    self.core.emit(Event::SubscriptionFailed { account, package, uri, code, reason, retry_in });
                }
            }
            None => {}
        }
        match self.subscriptions.list.get(&id).and_then(Subscription::deadline) {
            Some(at) => self.core.timers.set(Timer::Subscription(id), at),
            None => self.core.timers.cancel(&Timer::Subscription(id)),
        }
        self.subscriptions.list.retain(|_, subscription| !(subscription.forked && subscription.is_over()));
        if package == Package::Dialog && !self.core.shutting_down {
            self.tell_lamps(account);
        }
    }

    /// What was only tried (`mwi = "auto"`) fails in silence; what is begun again at once is no failure for a person.
    fn is_worth_telling(&self, account: AccountId, package: Package, retry_in: Option<Duration>) -> bool {
        let account = self.core.config.accounts.get(account.0);
        let tried = account.is_some_and(|account| account.events.message_waiting == MessageWaiting::Auto);
        !(package == Package::MessageSummary && tried) && retry_in != Some(Duration::ZERO) && !self.core.shutting_down
    }

    fn tell_state(&mut self, now: Instant, id: SubscriptionId, account: AccountId, ended: Vec<(String, reg::Ended)>) {
        let Some(subscription) = self.subscriptions.list.get(&id) else { return };
        match &subscription.content {
            Content::Messages(Some(summary)) => {
                let event = message_waiting(Some(account), summary);
                self.core.emit(event);
            }
            Content::Messages(None) | Content::Dialogs(_) => {}
            Content::Contacts(table) => {
                let contacts = table.bindings(|uri| self.is_ours(account, uri));
                self.core.emit(Event::Bindings { account, contacts });
                for (uri, ended) in ended {
                    self.binding_ended(now, account, &uri, ended);
                }
            }
        }
    }

    /// Whether a contact is the one with which the account is registered now.
    fn is_ours(&self, account: AccountId, uri: &str) -> bool {
        let bare = |uri: &str| uri.split([';', '?']).next().unwrap_or_default().to_owned();
        self.subscriptions.registered.get(&account).is_some_and(|contact| bare(contact) == bare(uri))
    }

    /// The registrar says that a binding has ended: if it is ours, and we did not end it, it is registered again (RFC 3680
    /// section 5.2).
    fn binding_ended(&mut self, now: Instant, account: AccountId, uri: &str, ended: reg::Ended) {
        let stands =
            self.registrations.get(account.0).is_some_and(|own| own.state() == registration::State::Registered);
        if !stands || !self.is_ours(account, uri) || self.core.shutting_down {
            return;
        }
        match ended {
            reg::Ended::Again => {
                let last = self.subscriptions.reregistered.get(&account);
                if last.is_none_or(|last| now.saturating_duration_since(*last) >= REREGISTER_PAUSE) {
                    self.subscriptions.reregistered.insert(account, now);
                    self.with_registration(account, registration::Registration::want);
                    self.register(account, now);
                }
            }
            reg::Ended::After(pause) => {
                self.with_registration(account, |registration| registration.refresh_at(now + pause));
            }
            reg::Ended::Rejected => {
                let reason = "the registrar took the registration away".to_owned();
                self.core.emit(Event::RegistrationFailed { account, code: 403, reason, retry_in: None });
            }
        }
    }

    /// Tells the lamps of an account that have changed.
    fn tell_lamps(&mut self, account: AccountId) {
        let Some(config) = self.core.config.accounts.get(account.0) else { return };
        let mut changed = Vec::new();
        for (place, watch) in config.events.watch.iter().enumerate() {
            let lamp = self.lamp(account, &watch.uri);
            let ringing = self.tables(account, &watch.uri).flat_map(|(_, table)| table.dialogs());
            // Who rings before who is talked to.
            let remote = ringing
                .filter(|dialog| dialog.remote.is_some())
                .min_by_key(|dialog| dialog.state == DialogState::Confirmed)
                .and_then(|dialog| dialog.remote.clone());
            let before = self.subscriptions.told.get(&(account, place));
            let unchanged = match before {
                Some(before) => *before == (lamp, remote.clone()),
                None => lamp == Lamp::Unknown,
            };
            if !unchanged {
                changed.push((place, lamp, remote, uri_text(&watch.uri), watch.name.clone()));
            }
        }
        for (place, lamp, remote, uri, name) in changed {
            self.subscriptions.told.insert((account, place), (lamp, remote.clone()));
            self.core.emit(Event::Lamp { account, uri, name, lamp, remote });
        }
    }
}

/// Whether an event package is one whose notifications are taken (RFC 6665 section 4.1.3).
pub(super) fn is_known(event: &str) -> bool {
    ALLOW_EVENTS.split(", ").any(|known| known == event)
}

/// What a message summary tells.
pub(super) fn message_waiting(account: Option<AccountId>, summary: &mwi::Summary) -> Event {
    let voice = summary.voice();
    let mailbox = summary.account.clone();
    Event::MessageWaiting { account, new: voice.new, old: voice.old, urgent: voice.urgent_new, mailbox }
}
