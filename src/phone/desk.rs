//! What is on the person's desk: accounts, calls, devices. It turns what the core and the media thread tell into events for
//! people and scripts, and into what has to be done about it. No I/O: time comes as an argument.

use std::collections::{BTreeMap, VecDeque};
use std::net::IpAddr;
use std::time::{Duration, Instant};

use crate::config::{self, Config, HoldMusic};
use crate::media::dtls::Failure;
use crate::media::ice;
use crate::media::session::{self, Stats};
use crate::sdp::Negotiated;
use crate::sip::transport::Transport;
use crate::ua::command::MediaPorts;
use crate::ua::event::{Binding, EndedBy, Lamp, Party, TransferStage};
use crate::ua::{self, AccountId, CallNo};

use super::advice;
use super::command::DeviceRole;
use super::event::{
    AccountState, CallRef, CallStage, Devices, Direction, Kind, LampState, Registration, RtpCount, Snapshot,
};
use super::lines::{Hold, Line, Lines, NoLine, seconds};
use super::media_thread::{Order, Report, Tone};
use super::screen::{harmless, harmless_lines};
use super::voice::Voice;

/// How long the end of a call waits for the figures of its sound.
const CLOSING: Duration = Duration::from_millis(300);

/// Early media that brings no RTP for so long leaves our own ringback in the ear.
const SILENT_EARLY_MEDIA: Duration = Duration::from_secs(1);

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

/// A call that is over and whose sound is being closed.
#[derive(Debug)]
struct Closing {
    call: CallRef,
    by: EndedBy,
    code: Option<u16>,
    reason: String,
    duration_s: f64,
    stats: Option<Stats>,
    advice: Option<String>,
    until: Instant,
}

/// A transfer that someone asks for.
#[derive(Debug, Clone)]
pub(super) struct Request {
    pub(super) call: CallRef,
    pub(super) account: Option<AccountId>,
    /// Our address in the call in which it was asked.
    pub(super) local: Option<IpAddr>,
    /// Whom to call.
    pub(super) to: String,
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

    /// Tells every end that still waits.
    pub(super) fn finish_all(&mut self) {
        while let Some(call) = self.closing.keys().next().copied() {
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

    /// What the core tells. `arrived_at` is the local address of the datagram that caused it, if one did.
    pub(super) fn handle_core(&mut self, now: Instant, event: ua::Event, arrived_at: Option<IpAddr>) {
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
            Core::CallError { call, message } => {
                let was_asked = self.lines.get(call).is_some_and(|line| line.hold == Hold::Asked);
                self.with_line(call, |line| {
                    line.hold = match line.hold {
                        Hold::No | Hold::Asked => Hold::No,
                        Hold::Held | Hold::ResumeAsked => Hold::Held,
                    }
                });
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

    /// What the media thread tells.
    pub(super) fn handle_report(&mut self, report: Report) {
        match report {
            Report::Session { call, event } => self.sound(call, event),
            Report::Processing(figures) => self.voice.figures = figures,
            Report::DigitSent { call, digit } => self.digit_sent(call, digit),
            Report::FileFailed { call, message } => self.tell_error(call, &message),
            Report::PlayEnded { call } => self.playing(call, None),
            Report::Recording { call, path } => self.recorded(call, path),
            Report::Device { role, name, state, detail } => {
                let detail = detail.map(|detail| harmless(&detail).into_owned());
                self.tell(Kind::Device { role, name: harmless(&name).into_owned(), state, detail });
            }
            Report::AudioWarning { role, warning, active } => {
                tracing::info!(?role, ?warning, active, "sound");
                self.tell(Kind::AudioWarning { role, warning, active });
            }
            Report::Closed { call, stats } => self.finish(call, Some(stats)),
        }
    }

    fn sound(&mut self, call: CallNo, event: session::Event) {
        match event {
            session::Event::Digit { digit, duration_ms: _ } => self.digit_received(call, digit),
            session::Event::DigitSent { digit } => self.digit_sent(call, digit),
            session::Event::Flowing { from: _ } => {
                let was_lost = self.lines.get_mut(call).is_some_and(|line| std::mem::take(&mut line.media_lost));
                if was_lost {
                    self.tell_call(call, |call| Kind::MediaBack { call });
                }
            }
            session::Event::Lost { seconds } => {
                self.with_line(call, |line| line.media_lost = true);
                self.tell_call(call, |call| Kind::MediaLost { call, seconds });
            }
            session::Event::Echo { delay_ms } => self.tell_call(call, |call| Kind::Echo { call, delay_ms }),
            session::Event::Stats(stats) => {
                self.with_line(call, |line| line.stats = Some(stats));
                let processing = self.voice.figures;
                self.tell_call(call, |call| Kind::Stats { call, stats, processing });
            }
            session::Event::Ice(event) => self.way(call, event),
            session::Event::Keyed { suite } => self.keyed(call, suite),
            session::Event::KeysFailed(failure) => self.keys_failed(call, failure),
        }
    }

    fn incoming(
        &mut self,
        call: CallNo,
        account: Option<AccountId>,
        from: Party,
        (called, diverted_from, forwarded, referred_by): (String, Option<String>, Vec<String>, Option<String>),
        arrived_at: Option<IpAddr>,
    ) {
        let (from, name) = harmless_party(from);
        let reference = CallRef { call, account: self.account_name(account), peer: from.clone() };
        let mut line = Line::new(reference.clone(), account, true);
        line.name.clone_from(&name);
        line.arrived_at = arrived_at;
        self.lines.insert(line);
        self.beep_due = true;
        self.prepare_due = true;
        let clean = |text: Option<String>| text.map(|text| harmless(&text).into_owned());
        self.tell(Kind::Incoming {
            call: reference,
            from,
            name,
            called: harmless(&called).into_owned(),
            diverted_from: clean(diverted_from),
            forwarded: forwarded.iter().map(|who| harmless(who).into_owned()).collect(),
            referred_by: clean(referred_by),
        });
    }

    fn ringing(&mut self, now: Instant, call: CallNo, code: u16, early_media: bool) {
        let Some(line) = self.lines.get_mut(call) else { return };
        // 183 is no ringing (RFC 3261 section 21.1.5); what comes with it is heard.
        line.stage = match (line.stage, code) {
            (CallStage::Calling | CallStage::Early, 183) if early_media => CallStage::Early,
            (CallStage::Calling, 183) => CallStage::Calling,
            (CallStage::Calling | CallStage::Early, _) => CallStage::Ringing,
            (stage @ (CallStage::Ringing | CallStage::Established | CallStage::Ending), _) => stage,
        };
        let reference = line.call.clone();
        let first_sound = early_media && !std::mem::replace(&mut line.early_media, early_media);
        if early_media {
            if first_sound && !line.ringback {
                line.ringback_due = Some(now + SILENT_EARLY_MEDIA);
            }
        } else {
            self.ringback(call);
        }
        if code != 183 || !early_media {
            self.tell(Kind::Ringing { call: reference.clone(), code });
        }
        if first_sound {
            self.tell(Kind::EarlyMedia { call: reference });
        }
    }

    /// The media thread keeps it silent while RTP comes: RTP always wins.
    fn ringback(&mut self, call: CallNo) {
        let Some(line) = self.lines.get_mut(call) else { return };
        if !std::mem::replace(&mut line.ringback, true) {
            self.order(Order::Tone { call, tone: Tone::Ringback });
        }
    }

    fn media(&mut self, call: CallNo, media: Negotiated) {
        let Some(line) = self.lines.get_mut(call) else { return };
        line.set_media(media.clone());
        if line.waits() {
            line.kept_back = true;
            return;
        }
        // An INVITE without an offer is answered before the other side has told its codec.
        let security = line.security_now();
        let secured_anew = line.security.is_some_and(|told| told != security);
        let told_late = line.established.is_some() && !std::mem::replace(&mut line.told_established, true);
        self.order(Order::Configure { call, media: Box::new(media) });
        if told_late {
            self.tell_established(call);
        } else if secured_anew {
            self.with_line(call, |line| line.security = Some(security));
            self.tell_call(call, |call| Kind::Security { call, security });
        }
    }

    /// By what a call's messages travel.
    pub(super) fn note_transport(&mut self, call: CallNo, transport: Option<Transport>) {
        self.with_line(call, |line| line.transport = transport);
    }

    fn established(&mut self, now: Instant, call: CallNo) {
        let Some(line) = self.lines.get_mut(call) else { return };
        line.stage = CallStage::Established;
        line.established = Some(now);
        line.ringback_due = None;
        line.told_established = line.media.is_some();
        let tell = line.told_established;
        let kept_back = line.media.clone().filter(|_| std::mem::take(&mut line.kept_back));
        if std::mem::take(&mut line.ringback) {
            self.order(Order::Tone { call, tone: Tone::Silence });
        }
        if let Some(media) = kept_back {
            self.order(Order::Configure { call, media: Box::new(media) });
        }
        self.order(Order::OpenMicrophone { call });
        if tell {
            self.tell_established(call);
        }
        self.effects.extend(self.lines.too_many(call).into_iter().map(Effect::Hold));
    }

    fn tell_established(&mut self, call: CallNo) {
        let Some(line) = self.lines.get_mut(call) else { return };
        let Some(media) = &line.media else { return };
        let security = line.security_now();
        line.security = Some(security);
        let established = Kind::Established {
            call: line.call.clone(),
            codec: media.codec.name().to_string(),
            security,
            remote_rtp: media.remote_rtp.to_string(),
        };
        self.tell(established);
    }

    /// Someone asks us to call someone.
    fn requested(
        &mut self,
        call: CallNo,
        account: Option<AccountId>,
        peer: Party,
        to: String,
        arrived_at: Option<IpAddr>,
    ) -> CallRef {
        let (peer, _) = harmless_party(peer);
        let unknown = || CallRef { call, account: self.account_name(account), peer };
        let reference = self.call(call).unwrap_or_else(unknown);
        let request = Request { call: reference.clone(), account, local: arrived_at, to };
        self.requests.insert(call, request);
        reference
    }

    /// The transfer that is asked for in a call, which may be over.
    pub(super) fn request(&self, call: CallNo) -> Option<&Request> {
        self.requests.get(&call)
    }

    /// It is followed, refused or too old.
    pub(super) fn forget_request(&mut self, call: CallNo) -> Option<Request> {
        self.with_line(call, |line| line.transfer_request = None);
        self.requests.remove(&call)
    }

    /// `accept-transfer`, `refuse-transfer`: which call is meant.
    pub(super) fn asked_to_transfer(&self, call: Option<CallNo>) -> Result<CallNo, NoLine> {
        match call {
            Some(call) if self.requests.contains_key(&call) => Ok(call),
            Some(call) => self.lines.named(call),
            None => self.lines.asked_to_transfer().or_else(|error| match (error, self.requests.keys().next()) {
                (NoLine::NoRequest, Some(only)) if self.requests.len() == 1 => Ok(*only),
                (error, _) => Err(error),
            }),
        }
    }

    fn digit_received(&mut self, call: CallNo, digit: char) {
        self.tell_call(call, |call| Kind::Dtmf { call, digit, direction: Direction::Received });
    }

    fn ended(
        &mut self,
        now: Instant,
        call: CallNo,
        by: EndedBy,
        code: Option<u16>,
        reason: String,
        answered_for: Option<Duration>,
    ) {
        let Some(line) = self.lines.remove(call) else { return };
        if by != EndedBy::Remote {
            self.requests.remove(&call);
        }
        if line.conference {
            self.leave_conference();
        }
        if let Some(tone) = tone_of_failure(&line, by, code) {
            self.order(Order::Tone { call, tone });
        } else if line.ringback {
            self.order(Order::Tone { call, tone: Tone::Silence });
        }
        if line.sound_open {
            self.order(Order::Close { call });
        }
        let closing = Closing {
            call: line.call,
            by,
            code,
            reason,
            duration_s: answered_for.map(seconds).unwrap_or_default(),
            stats: line.stats,
            advice: advice_for(line.incoming, by, code),
            until: now + CLOSING,
        };
        self.closing.insert(call, closing);
        if !line.sound_open {
            self.finish(call, None);
        }
    }

    fn finish(&mut self, call: CallNo, stats: Option<Stats>) {
        let Some(closing) = self.closing.remove(&call) else { return };
        let stats = stats.or(closing.stats).unwrap_or_default();
        self.tell(Kind::Ended {
            call: closing.call,
            by: closing.by,
            code: closing.code,
            reason: closing.reason,
            duration_s: closing.duration_s,
            rtp: RtpCount { sent: stats.sent, received: stats.received, lost: stats.lost },
            advice: closing.advice,
        });
    }

    pub(super) fn account_name(&self, account: Option<AccountId>) -> Option<String> {
        account.and_then(|account| self.accounts.get(account.0)).map(|account| account.name.clone())
    }

    fn set_registration(&mut self, account: AccountId, registration: Registration, reason: Option<String>) {
        self.settled_in |= registration != Registration::Registering;
        if let Some(state) = self.accounts.get_mut(account.0) {
            state.registration = registration;
            state.reason = reason;
        }
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

/// The tone in the ear when a call of ours was not answered, unless we gave up ourselves.
fn tone_of_failure(line: &Line, by: EndedBy, code: Option<u16>) -> Option<Tone> {
    let given_up = by == EndedBy::Local && matches!(code, None | Some(487));
    let failed = !line.incoming && line.established.is_none() && !given_up;
    match code {
        Some(486 | 600) if failed => Some(Tone::Busy),
        Some(_) | None if failed => Some(Tone::Congestion),
        Some(_) | None => None,
    }
}

/// What a person can do about a call that ended; nothing when it ended as it should. Most codes advise who calls: of those
/// that end a call which comes in, only one is about us.
fn advice_for(incoming: bool, by: EndedBy, code: Option<u16>) -> Option<String> {
    let given_up = by == EndedBy::Local && code == Some(487);
    let is_theirs = incoming && code != Some(488);
    let code = code.filter(|code| *code >= 300 && !given_up && !is_theirs)?;
    advice::advice(code, advice::Attempt::Call).map(String::from)
}

fn harmless_party(party: Party) -> (String, Option<String>) {
    (harmless(&party.uri).into_owned(), party.name.map(|name| harmless(&name).into_owned()))
}

fn harmless_bindings(bindings: Vec<Binding>) -> Vec<Binding> {
    let clean = |binding: Binding| Binding { uri: harmless(&binding.uri).into_owned(), ..binding };
    bindings.into_iter().map(clean).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use crate::sdp::Codec;

    use super::*;

    const CALL: CallNo = CallNo(1);

    fn desk() -> Desk {
        Desk::new(&Config::default())
    }

    fn party(uri: &str) -> Party {
        Party { uri: uri.into(), name: None }
    }

    fn incoming(call: CallNo) -> ua::Event {
        ua::Event::Incoming {
            call,
            account: None,
            from: party("sip:bob@example.com"),
            called: "sip:alice@example.com".into(),
            diverted_from: None,
            forwarded: Vec::new(),
            referred_by: None,
        }
    }

    fn media() -> Negotiated {
        Negotiated {
            remote_rtp: "192.0.2.1:4000".parse().unwrap(),
            remote_rtcp: None,
            rtcp_mux: false,
            xr: Default::default(),
            ice: None,
            codec: Codec::Pcma,
            send_payload_type: 8,
            receive: vec![(8, Codec::Pcma)],
            send_telephone_event: None,
            receive_telephone_events: Vec::new(),
            comfort_noise: Default::default(),
            opus: crate::sdp::OpusWishes::default(),
            ptime_ms: 20,
            send: true,
            receive_audio: true,
            held_by_peer: false,
            protection: Default::default(),
        }
    }

    fn ended(by: EndedBy, code: u16) -> ua::Event {
        ua::Event::Ended { call: CALL, by, code: Some(code), reason: "because".into(), answered_for: None }
    }

    /// What follows from events that come together: the orders and the names of what is told, in their order.
    fn follows(desk: &mut Desk, events: impl IntoIterator<Item = ua::Event>) -> Vec<String> {
        for event in events {
            desk.handle_core(Instant::now(), event, None);
        }
        desk.settle();
        drain(desk)
    }

    fn drain(desk: &mut Desk) -> Vec<String> {
        std::iter::from_fn(|| desk.poll_effect())
            .map(|effect| match effect {
                Effect::Tell(kind) => name(&serde_json::to_value(kind).unwrap()),
                Effect::Order(Order::Tone { tone, .. }) => format!("{tone:?}"),
                Effect::Order(order) => format!("{order:?}").split([' ', '{']).next().unwrap_or_default().to_string(),
                Effect::OfferEarly(call) => format!("OfferEarly {call}"),
                Effect::Answer(call) => format!("Answer {call}"),
                Effect::MoveSound(call, address, _) => format!("Move {call} {address}"),
                Effect::FollowTransfer(call) => format!("Follow {call}"),
                Effect::Hold(call) => format!("Hold {call}"),
                Effect::Way(call, event) => format!("Way {call} {event:?}"),
                Effect::GiveUp(call, failure) => format!("GiveUp {call} {failure}"),
            })
            .collect()
    }

    #[test]
    fn advice_is_for_who_called() {
        assert!(advice_for(false, EndedBy::Remote, Some(486)).is_some());
        assert!(advice_for(true, EndedBy::Local, Some(488)).is_some_and(|advice| advice.contains("codec")));
        assert_eq!(advice_for(true, EndedBy::Remote, Some(487)), None);
        assert_eq!(advice_for(true, EndedBy::Local, Some(486)), None);
    }

    fn name(kind: &Value) -> String {
        kind["event"].as_str().unwrap().to_string()
    }

    #[test]
    fn a_call_that_comes_in_rings_until_it_is_answered() {
        let mut desk = desk();
        assert_eq!(follows(&mut desk, [incoming(CALL)]), ["incoming", "Prepare", "Ring(true)"]);
        desk.answered(CALL, false);
        let answered =
            [ua::Event::Media { call: CALL, media: Box::new(media()) }, ua::Event::Established { call: CALL }];
        assert_eq!(
            follows(&mut desk, answered),
            ["Configure", "OpenMicrophone", "established", "Prepare", "Ring(false)"]
        );
    }

    #[test]
    fn a_call_that_rings_with_an_offer_of_ours_is_not_heard_before_it_is_answered() {
        let mut desk = desk();
        let due = follows(&mut desk, [incoming(CALL), ua::Event::OfferDue { call: CALL }]);
        assert!(due.contains(&"OfferEarly #1".to_owned()), "{due:?}");
        desk.offered(CALL, MediaPorts::new(4000, 4001));
        assert!(follows(&mut desk, [ua::Event::Media { call: CALL, media: Box::new(media()) }]).is_empty());
        desk.answered(CALL, false);
        let established = follows(&mut desk, [ua::Event::Established { call: CALL }]);
        assert_eq!(&established[..3], ["Configure", "OpenMicrophone", "established"]);
    }

    #[test]
    fn a_caller_who_gives_up_stops_the_ringing_and_is_told_at_once() {
        let mut desk = desk();
        follows(&mut desk, [incoming(CALL)]);
        assert_eq!(follows(&mut desk, [ended(EndedBy::Remote, 487)]), ["ended", "Ring(false)"]);
    }

    #[test]
    fn an_auto_answered_call_never_rings() {
        let mut desk = desk();
        let now = Instant::now();
        desk.handle_core(now, incoming(CALL), Some([127, 0, 0, 1].into()));
        desk.handle_core(now, ua::Event::AnswerDue { call: CALL, replaces: None }, None);
        assert_eq!(drain(&mut desk), ["Answer #1", "incoming"]);
        assert_eq!(desk.lines.get(CALL).unwrap().arrived_at, Some([127, 0, 0, 1].into()));
        desk.answered(CALL, true);
        desk.settle();
        assert_eq!(drain(&mut desk), ["AutoAnswerBeep", "Prepare"]);
    }

    #[test]
    fn a_second_call_beeps_and_rings_when_the_first_is_over() {
        let mut desk = desk();
        desk.dialled(CALL, None, "sip:x@example.com".into());
        follows(
            &mut desk,
            [ua::Event::Media { call: CALL, media: Box::new(media()) }, ua::Event::Established { call: CALL }],
        );
        assert_eq!(follows(&mut desk, [incoming(CallNo(2))]), ["incoming", "Prepare", "CallWaitingBeep"]);
        assert_eq!(follows(&mut desk, [ended(EndedBy::Remote, 200)]), ["Close", "Ring(true)"]);
    }

    #[test]
    fn ringback_is_ordered_once_and_ends_with_the_answer() {
        let mut desk = desk();
        desk.dialled(CALL, None, "sip:x@example.com".into());
        let ringing = |code, early_media| ua::Event::Ringing { call: CALL, code, early_media };
        assert_eq!(follows(&mut desk, [ringing(180, false)]), ["Ringback", "ringing", "Prepare"]);
        assert_eq!(follows(&mut desk, [ringing(180, false)]), ["ringing"]);
        let answered =
            [ua::Event::Media { call: CALL, media: Box::new(media()) }, ua::Event::Established { call: CALL }];
        assert_eq!(follows(&mut desk, answered), ["Configure", "Silence", "OpenMicrophone", "established"]);
    }

    #[test]
    fn early_media_is_told_once_and_has_no_ringback() {
        let mut desk = desk();
        desk.dialled(CALL, None, "sip:x@example.com".into());
        let ringing = |code| ua::Event::Ringing { call: CALL, code, early_media: true };
        assert_eq!(follows(&mut desk, [ringing(183)]), ["early_media", "Prepare"]);
        assert_eq!(desk.lines.get(CALL).unwrap().stage, CallStage::Early);
        assert_eq!(follows(&mut desk, [ringing(180)]), ["ringing"]);
        // Should its RTP not come, the media thread sounds the ringback that is ordered a second later.
        let due = desk.poll_timeout().unwrap();
        desk.handle_timeout(due);
        assert_eq!(drain(&mut desk), ["Ringback"]);
        assert_eq!(desk.poll_timeout(), None);
    }

    #[test]
    fn failures_have_their_tones() {
        for (by, code, expected) in [
            (EndedBy::Remote, 486, vec!["Busy", "Close"]),
            (EndedBy::Remote, 404, vec!["Congestion", "Close"]),
            (EndedBy::Transport, 503, vec!["Congestion", "Close"]),
            (EndedBy::Local, 503, vec!["Congestion", "Close"]),
            (EndedBy::Local, 487, vec!["Close"]),
        ] {
            let mut desk = desk();
            desk.dialled(CALL, None, "sip:x@example.com".into());
            follows(&mut desk, []);
            assert_eq!(follows(&mut desk, [ended(by, code)]), expected, "{by:?} {code}");
        }
    }

    #[test]
    fn the_end_waits_for_the_figures_of_the_sound_but_not_for_ever() {
        let mut desk = desk();
        desk.dialled(CALL, None, "sip:x@example.com".into());
        follows(&mut desk, [ended(EndedBy::Remote, 200)]);
        let stats = Stats { sent: 7, received: 5, lost: 2, ..Stats::default() };
        desk.handle_report(Report::Closed { call: CALL, stats });
        match desk.poll_effect() {
            Some(Effect::Tell(Kind::Ended { rtp, .. })) => assert_eq!((rtp.sent, rtp.received, rtp.lost), (7, 5, 2)),
            other => panic!("{other:?}"),
        }

        desk.dialled(CALL, None, "sip:x@example.com".into());
        follows(&mut desk, [ended(EndedBy::Remote, 200)]);
        let due = desk.poll_timeout().unwrap();
        desk.handle_timeout(due);
        assert_eq!(drain(&mut desk), ["ended"]);
        assert_eq!(desk.poll_timeout(), None);
    }

    #[test]
    fn a_call_without_an_offer_is_told_when_its_codec_is_known() {
        let mut desk = desk();
        follows(&mut desk, [incoming(CALL)]);
        desk.answered(CALL, false);
        follows(&mut desk, []);
        assert_eq!(follows(&mut desk, [ua::Event::Established { call: CALL }]), ["OpenMicrophone"]);
        let media = || ua::Event::Media { call: CALL, media: Box::new(media()) };
        assert_eq!(follows(&mut desk, [media()]), ["Configure", "established"]);
        assert_eq!(follows(&mut desk, [media()]), ["Configure"]);
    }

    #[test]
    fn a_refused_hold_leaves_the_call_as_it_was() {
        let mut desk = desk();
        desk.dialled(CALL, None, "sip:x@example.com".into());
        desk.lines.set_held(CALL, Hold::Asked);
        let refused = || ua::Event::CallError { call: CALL, message: "no".into() };
        follows(&mut desk, [refused()]);
        assert_eq!(desk.lines.get(CALL).unwrap().hold, Hold::No);
        follows(&mut desk, [ua::Event::Held { call: CALL }]);
        desk.lines.set_held(CALL, Hold::ResumeAsked);
        follows(&mut desk, [refused()]);
        assert_eq!(desk.lines.get(CALL).unwrap().hold, Hold::Held);
    }

    /// Both calls of ours are answered, one after the other: one is in the ear.
    #[test]
    fn s2_2_when_a_second_call_is_answered_the_one_not_in_front_is_held() {
        let mut desk = desk();
        let second = CallNo(2);
        desk.dialled(CALL, None, "sip:x@example.com".into());
        desk.dialled(second, None, "sip:y@example.com".into());
        follows(&mut desk, [ua::Event::Established { call: CALL }]);
        assert_eq!(follows(&mut desk, [ua::Event::Established { call: second }]), ["OpenMicrophone", "Hold #1"]);
        assert_eq!(follows(&mut desk, [ua::Event::Held { call: CALL }]), ["Held", "held"]);
        assert_eq!(desk.lines.active(), Some(second));
    }

    /// A swap whose hold is refused: who was to be taken back goes on hold again.
    #[test]
    fn s2_2_a_swap_whose_hold_is_refused_leaves_both_calls_as_they_were() {
        let mut desk = desk();
        let second = CallNo(2);
        desk.dialled(CALL, None, "sip:x@example.com".into());
        desk.dialled(second, None, "sip:y@example.com".into());
        let established = [CALL, second].map(|call| ua::Event::Established { call });
        follows(&mut desk, established);
        follows(&mut desk, [ua::Event::Held { call: CALL }]);
        // `swap`: the second is asked to be held, the first to come back.
        desk.lines.set_held(second, Hold::Asked);
        desk.lines.set_held(CALL, Hold::ResumeAsked);
        desk.lines.get_mut(CALL).unwrap().swapped_from = Some(second);
        desk.lines.bring_to_front(CALL);
        follows(&mut desk, [ua::Event::Resumed { call: CALL }]);
        let refused = ua::Event::CallError { call: second, message: "no".into() };
        assert_eq!(follows(&mut desk, [refused]), ["error", "Hold #1"]);
        assert_eq!((desk.lines.active(), desk.lines.get(CALL).unwrap().swapped_from), (Some(second), None));
    }

    #[test]
    fn a_transfer_request_that_has_expired_is_asked_no_more() {
        let mut desk = desk();
        desk.dialled(CALL, None, "sip:x@example.com".into());
        follows(
            &mut desk,
            [ua::Event::TransferRequest {
                call: CALL,
                account: None,
                peer: party("sip:bob@example.com"),
                to: "sip:y@example.com".into(),
                by: None,
            }],
        );
        assert_eq!(desk.lines.asked_to_transfer(), Ok(CALL));
        assert_eq!(follows(&mut desk, [ua::Event::TransferExpired { call: CALL }]), ["transfer_expired", "error"]);
        assert!(desk.lines.asked_to_transfer().is_err());
    }

    #[test]
    fn muting_twice_is_told_once() {
        let mut desk = desk();
        desk.set_muted(true);
        desk.set_muted(true);
        assert_eq!(drain(&mut desk), ["Mute(true)", "muted", "Mute(true)"]);
    }

    #[test]
    fn what_a_peer_writes_can_not_harm_a_screen() {
        let mut desk = desk();
        let from = Party { uri: "sip:\u{1b}[2J@x".into(), name: Some("\u{202e}evil\u{7}".into()) };
        let mut event = incoming(CALL);
        if let ua::Event::Incoming { from: caller, called, .. } = &mut event {
            *caller = from;
            *called = "sip:\r\nx".into();
        }
        desk.handle_core(Instant::now(), event, None);
        let Some(Effect::Tell(kind)) = desk.poll_effect() else { panic!("nothing told") };
        let text = serde_json::to_value(kind).unwrap().to_string();
        assert!(
            !text.contains(['\u{1b}', '\u{202e}', '\u{7}']) && !text.contains("\\u001b") && !text.contains("\\r"),
            "{text}"
        );
    }
}
