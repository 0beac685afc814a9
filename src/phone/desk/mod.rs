//! What is on the person's desk: accounts, calls, devices. It turns what the core and the media thread tell into events for
//! people and scripts, and into what has to be done about it. No I/O: time comes as an argument.
//!
//! | file | what |
//! |---|---|
//! | `told` | what the core tells |
//! | `heard` | what the media thread tells |
//! | `calls` | calls that come, ring and are answered |
//! | `ending` | calls that end |
//! | `requests` | transfers that others ask for |

mod calls;
mod ending;
mod heard;
mod requests;
#[cfg(test)]
mod tests;
mod told;

use std::collections::{BTreeMap, VecDeque};
use std::net::IpAddr;
use std::time::Instant;

use crate::config::{self, Config, HoldMusic};
use crate::media::dtls::Failure;
use crate::media::ice;
use crate::ua::command::MediaPorts;
use crate::ua::event::Lamp;
use crate::ua::{self, AccountId, CallNo};

use super::audio_warning::AudioWarning;
use super::command::DeviceRole;
use super::event::{CallRef, Direction, Kind};
use super::lines::{Line, Lines};
use super::media_thread::Order;
use super::screen::harmless;
use super::snapshot::{AccountState, CallStage, Devices, LampState, Registration, Snapshot};
use super::voice::Voice;

use ending::Closing;
pub(super) use requests::Request;

/// What has to be done.
#[derive(Debug)]
pub(super) enum Effect {
    /// Tell the person.
    Tell(Kind),
    /// Tell the media thread.
    Order(Order),
    /// Open the sound of a call that rings, for our offer.
    OfferEarly(CallNo),
    /// Answer a call that answers by itself.
    Answer(CallNo),
    /// A call's sound moves to this address.
    MoveSound(CallNo, IpAddr, Option<MediaPorts>),
    /// Tell the core what has become of the way that ICE looks for.
    Way(CallNo, ice::Event),
    /// End a call that gets no keys.
    GiveUp(CallNo, Failure),
    /// Hold a call, for another one is in the ear.
    Hold(CallNo),
    /// Follow a transfer that is to be followed without asking.
    FollowTransfer(CallNo),
}

/// The desk.
#[derive(Debug)]
pub(super) struct Desk {
    pub(super) lines: Lines,
    accounts: Vec<AccountState>,
    /// The mailboxes that are configured, by account.
    mailboxes: BTreeMap<String, String>,
    /// The watched addresses, in the order of the configuration.
    lamps: Vec<LampState>,
    devices: Devices,
    pub(super) hold_music: HoldMusic,
    muted: bool,
    warnings: Vec<AudioWarning>,
    pub(super) voice: Voice,
    /// The core has nothing left to wait for.
    quiet: bool,
    /// The first answer of a registrar came, or none is expected.
    pub(super) settled_in: bool,
    closing: BTreeMap<CallNo, Closing>,
    /// Transfers that others ask for; the call in which one was asked may be over.
    requests: BTreeMap<CallNo, Request>,
    rings: bool,
    beep_due: bool,
    prepare_due: bool,
    effects: VecDeque<Effect>,
}

impl Desk {
    pub(super) fn new(config: &Config) -> Desk {
        let accounts = config.accounts.iter().map(|account| AccountState {
            name: account.name.clone(),
            uri: account.uri.clone(),
            registration: Registration::Off,
            reason: None,
            messages: None,
            mailbox: account.voicemail.clone(),
        });
        let mailboxes =
            config.accounts.iter().filter_map(|account| Some((account.name.clone(), account.voicemail.clone()?)));
        let audio = &config.audio;
        Desk {
            mailboxes: mailboxes.collect(),
            lamps: config.accounts.iter().flat_map(dark_lamps).collect(),
            lines: Lines::default(),
            accounts: accounts.collect(),
            devices: Devices { input: audio.input.clone(), output: audio.output.clone(), ring: audio.ring.clone() },
            hold_music: config.calls.hold_music.clone(),
            muted: false,
            warnings: Vec::new(),
            voice: Voice { settings: audio.processing, figures: None, folder: config.files.recordings.clone() },
            quiet: false,
            settled_in: !config.accounts.iter().any(|account| account.register),
            closing: BTreeMap::new(),
            requests: BTreeMap::new(),
            rings: false,
            beep_due: false,
            prepare_due: false,
            effects: VecDeque::new(),
        }
    }

    pub(super) fn poll_effect(&mut self) -> Option<Effect> {
        self.effects.pop_front()
    }

    pub(super) fn poll_timeout(&self) -> Option<Instant> {
        let closing = self.closing.values().map(|closing| closing.until);
        let ringback = self.lines.iter().filter_map(|line| line.ringback_due);
        closing.chain(ringback).min()
    }

    /// Ends the wait for figures that did not come, and for early media that is none.
    pub(super) fn handle_timeout(&mut self, now: Instant) {
        let due = |line: &&Line| line.ringback_due.is_some_and(|due| due <= now);
        let due: Vec<CallNo> = self.lines.iter().filter(due).map(|line| line.call.call).collect();
        for call in due {
            self.with_line(call, |line| line.ringback_due = None);
            self.ringback(call);
        }
        while let Some(call) = self.closing.iter().find(|(_, closing)| closing.until <= now).map(|(call, _)| *call) {
            self.finish(call, None);
        }
    }

    /// Everything has been told.
    pub(super) fn is_quiet(&self) -> bool {
        self.quiet && self.closing.is_empty()
    }

    pub(super) fn snapshot(&self, now: Instant) -> Snapshot {
        Snapshot {
            accounts: self.accounts.clone(),
            calls: self.lines.states(now),
            watched: self.lamps.clone(),
            devices: self.devices.clone(),
            muted: self.muted,
            warnings: self.warnings.clone(),
            processing: self.voice.settings,
            ..Snapshot::default()
        }
    }

    /// A call of ours has begun, with its ports open.
    pub(super) fn dialled(&mut self, call: CallNo, account: Option<AccountId>, peer: String) {
        let reference = CallRef { call, account: self.account_name(account), peer };
        let mut line = Line::new(reference, account, false);
        line.sound_open = true;
        self.lines.insert(line);
        self.lines.bring_to_front(call);
        self.prepare_due = true;
    }

    /// A person, or the phone by itself, answered: the 200 is on its way.
    pub(super) fn answered(&mut self, call: CallNo, by_itself: bool) {
        let other_is_active = self.lines.active().is_some();
        let Some(line) = self.lines.get_mut(call) else { return };
        line.answering = true;
        line.auto = by_itself;
        let replaces = line.takes_place_of;
        if by_itself && replaces.is_none() {
            self.order(Order::AutoAnswerBeep);
        }
        // It takes over what the person's ear is at.
        let in_ear = replaces.is_some() && self.lines.active() == replaces;
        if in_ear || !(by_itself && other_is_active) {
            self.lines.bring_to_front(call);
        }
        self.sound_opened(call);
        self.prepare_due = true;
    }

    /// A call that rings has had our offer.
    pub(super) fn offered(&mut self, call: CallNo, ports: MediaPorts) {
        if let Some(line) = self.lines.get_mut(call) {
            line.offered = Some(ports);
        }
        self.sound_opened(call);
    }

    /// A call is being hung up.
    pub(super) fn hanging_up(&mut self, call: CallNo) {
        if let Some(line) = self.lines.get_mut(call) {
            line.stage = CallStage::Ending;
        }
    }

    pub(super) fn set_muted(&mut self, muted: bool) {
        self.order(Order::Mute(muted));
        if self.muted != muted {
            self.muted = muted;
            self.tell(if muted { Kind::Muted } else { Kind::Unmuted });
        }
    }

    pub(super) fn set_device(&mut self, role: DeviceRole, name: String) {
        match role {
            DeviceRole::Input => self.devices.input.clone_from(&name),
            DeviceRole::Output => self.devices.output.clone_from(&name),
            DeviceRole::Ring => self.devices.ring.clone_from(&name),
        }
        self.order(Order::Device { role, name });
    }

    pub(super) fn digit_sent(&mut self, call: CallNo, digit: char) {
        if let Some(call) = self.call(call) {
            self.tell(Kind::Dtmf { call, digit, direction: Direction::Sent });
        }
    }

    /// After everything that happened together: rings or stops, beeps, opens the devices.
    pub(super) fn settle(&mut self) {
        let waiting = self.lines.iter().any(Line::waits);
        let up = self.lines.iter().any(Line::is_up);
        let ring = waiting && !up;
        if std::mem::take(&mut self.prepare_due) {
            self.order(Order::Prepare);
        }
        if std::mem::take(&mut self.beep_due) && waiting && up {
            self.order(Order::CallWaitingBeep);
        }
        if ring != self.rings {
            self.rings = ring;
            self.order(Order::Ring(ring));
        }
    }

    pub(super) fn account_name(&self, account: Option<AccountId>) -> Option<String> {
        account.and_then(|account| self.accounts.get(account.0)).map(|account| account.name.clone())
    }

    fn with_line(&mut self, call: CallNo, change: impl FnOnce(&mut Line)) {
        if let Some(line) = self.lines.get_mut(call) {
            change(line);
        }
    }

    fn call(&self, call: CallNo) -> Option<CallRef> {
        self.lines.get(call).map(|line| line.call.clone())
    }

    pub(super) fn tell(&mut self, kind: Kind) {
        self.effects.push_back(Effect::Tell(kind));
    }

    pub(super) fn tell_call(&mut self, call: CallNo, kind: impl FnOnce(CallRef) -> Kind) {
        if let Some(call) = self.call(call) {
            self.tell(kind(call));
        }
    }

    fn tell_account(&mut self, account: AccountId, kind: impl FnOnce(String) -> Kind) {
        if let Some(name) = self.account_name(Some(account)) {
            self.tell(kind(name));
        }
    }

    pub(super) fn tell_error(&mut self, call: CallNo, message: &str) {
        self.tell(Kind::Error { command: None, message: format!("call {call}: {}", harmless(message)) });
    }

    pub(super) fn effect(&mut self, effect: Effect) {
        self.effects.push_back(effect);
    }

    pub(super) fn order(&mut self, order: Order) {
        self.effects.push_back(Effect::Order(order));
    }
}

/// The lamps of an account, before anything is known of them.
fn dark_lamps(account: &config::Account) -> impl Iterator<Item = LampState> + use<'_> {
    let own = config::address::of_record(&account.uri).ok();
    account.events.watch.iter().filter_map(move |text| {
        let (uri, name) = config::address::watched(text, own.as_ref()).ok()?;
        let uri = harmless(&ua::identity::uri_text(&uri)).into_owned();
        let state = Lamp::Unknown;
        Some(LampState { account: account.name.clone(), uri, name, state, remote: None, remote_name: None })
    })
}
