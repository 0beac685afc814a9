//! What the core tells the phone.

use std::net::IpAddr;
use std::time::Duration;

use crate::sdp::Negotiated;

use super::command::MediaPorts;
use super::subscription::content::Package;
use super::{AccountId, CallNo};

/// Someone, as a header field names him: characters that could harm a screen are replaced already.
#[derive(Debug, Clone, PartialEq, Eq, Default, serde::Serialize, serde::Deserialize)]
pub struct Party {
    /// The URI, without its tag.
    pub uri: String,
    /// The display name, if there is one.
    pub name: Option<String>,
}

/// A binding that the registrar holds (RFC 3261 section 10.2.4).
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Binding {
    /// The contact URI, of any scheme.
    pub uri: String,
    /// Seconds until it ends.
    pub expires: Option<u32>,
    /// Whether it is this phone's.
    pub ours: bool,
}

/// Who ended a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum EndedBy {
    /// This phone.
    Local,
    /// The other side.
    Remote,
    /// A timer.
    Timeout,
    /// The network.
    Transport,
}

/// How a transfer that we asked for goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum TransferStage {
    /// The peer accepted to try.
    Trying,
    /// The target rings.
    Ringing,
    /// The target answered; our call ends.
    Accepted,
    /// It failed; our call is back.
    Failed,
}

/// What a watched address does. The greater one counts, where several are told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Lamp {
    /// Nothing is known: not asked yet, or refused.
    Unknown,
    /// Nobody is there.
    Unregistered,
    /// No call.
    Idle,
    /// It is being called.
    Ringing,
    /// It talks, or calls.
    Busy,
}

/// What happened.
#[derive(Debug, Clone, PartialEq)]
pub enum Event {
    /// A REGISTER left.
    Registering { account: AccountId },
    /// The registrar accepted.
    Registered { account: AccountId, expires: Duration, contact: String, contacts: Vec<Binding> },
    /// The answer to [`super::Command::Query`].
    Bindings { account: AccountId, contacts: Vec<Binding> },
    /// It refused, or can't be reached (`code` 408 or 503 of our own). `retry_in` `None`: not tried again by itself.
    RegistrationFailed { account: AccountId, code: u16, reason: String, retry_in: Option<Duration> },
    /// Our binding is gone.
    Unregistered { account: AccountId },

    /// A call came in. The core rings (180) unless it answers at once.
    Incoming {
        call: CallNo,
        account: Option<AccountId>,
        /// P-Asserted-Identity from the account's own proxies, else From.
        from: Party,
        /// The To URI.
        called: String,
        /// Diversion or History-Info: who was called first.
        diverted_from: Option<String>,
        /// Everybody who has forwarded it, the last one first, with reasons.
        forwarded: Vec<String>,
        /// Referred-By.
        referred_by: Option<String>,
    },
    /// An auto-answered call is to be answered now: open its sound and give [`super::Command::Answer`].
    /// `replaces`: it takes the place of this call (RFC 3891), and nobody decides.
    AnswerDue { call: CallNo, replaces: Option<CallNo> },
    /// A call rings whose caller gave no offer and wants to hear reliably: open its sound and give
    /// [`super::Command::OfferEarly`], for our 180 has the offer then.
    OfferDue { call: CallNo },
    /// Our INVITE left.
    Calling { call: CallNo, account: Option<AccountId>, to: String },
    /// A provisional response, 180 to 199. `early_media`: it, or a former one that still counts, brought SDP.
    Ringing { call: CallNo, code: u16, early_media: bool },
    /// What the call's media are now; before the answer too (early media).
    Media { call: CallNo, media: Box<Negotiated> },
    /// The call stands.
    Established { call: CallNo },
    /// P-Asserted-Identity or Remote-Party-ID changed.
    PeerChanged { call: CallNo, peer: Party },
    /// Our hold was accepted.
    Held { call: CallNo },
    /// Our resume was accepted.
    Resumed { call: CallNo },
    /// The other side holds us.
    RemoteHeld { call: CallNo },
    /// The other side took us back.
    RemoteResumed { call: CallNo },
    /// The call's packets leave from another of our addresses now. Open its sound there, if it has any (`media`: its ports
    /// so far, to be kept where they are free), and give [`super::Command::Move`].
    AddressChanged { call: CallNo, address: IpAddr, media: Option<MediaPorts> },
    /// The other side has accepted our new address, or has said that the call still stands.
    Moved { call: CallNo, address: IpAddr },
    /// The way that ICE had found is dead, and the other side refuses to look for another one. `reason`: its words.
    WayRefused { call: CallNo, reason: String },
    /// Our hold or resume was refused; the call goes on as it was: held, or not.
    HoldRefused { call: CallNo, held: bool, message: String },
    /// Something else in the call was refused or failed; the call goes on as it was.
    CallError { call: CallNo, message: String },
    /// How our transfer goes. `code` is the target's status code, where one came.
    Transfer { call: CallNo, stage: TransferStage, code: Option<u16> },
    /// The other side asks us to call `to` instead.
    /// `call` may be over, or (a REFER outside any call) never have been: `account` and `peer` say who asks then.
    TransferRequest { call: CallNo, account: Option<AccountId>, peer: Party, to: String, by: Option<String> },
    /// Nobody has answered the request for 30 s: it was refused.
    TransferExpired { call: CallNo },
    /// The policy is to follow: open sound and give [`super::Command::AcceptTransfer`].
    TransferDue { call: CallNo, account: Option<AccountId>, peer: Party, to: String },
    /// The other side's call has taken the place of this one, which ends.
    Replaced { call: CallNo, by: CallNo },
    /// The called side sends us elsewhere (3xx), and a person decides: [`super::Command::AcceptRedirect`] or
    /// [`super::Command::RefuseRedirect`] within 30 s. `others` are tried when `to` fails.
    RedirectRequest { call: CallNo, to: String, others: Vec<String> },
    /// A digit by INFO.
    Digit { call: CallNo, digit: char, duration_ms: u16 },
    /// The call is over. `answered_for` is how long it stood.
    Ended { call: CallNo, by: EndedBy, code: Option<u16>, reason: String, answered_for: Option<Duration> },
    /// RFC 3842: new and old voice messages, `urgent` ones among the new. `mailbox`: what to call to hear them, where the
    /// server tells.
    MessageWaiting { account: Option<AccountId>, new: u32, old: u32, urgent: u32, mailbox: Option<String> },
    /// RFC 4235: what a watched address does. `remote`: who rings it, or with whom it talks, where told.
    Lamp { account: AccountId, uri: String, name: Option<String>, lamp: Lamp, remote: Option<Party> },
    /// A subscription was refused or has ended. `retry_in` `None`: not tried again by itself.
    SubscriptionFailed {
        account: AccountId,
        package: Package,
        uri: String,
        code: Option<u16>,
        reason: String,
        retry_in: Option<Duration>,
    },
    /// RFC 3428: somebody wrote. `text` may have several lines; what could harm a screen is replaced.
    Message { account: Option<AccountId>, from: Party, text: String },
    /// A text of ours was taken: `delivered` says by whom it will be read, a server that keeps it for later otherwise (202).
    MessageSent { account: Option<AccountId>, to: String, delivered: bool },
    /// A text of ours was refused, or got no answer.
    MessageFailed { account: Option<AccountId>, to: String, code: u16, reason: String },
    /// After [`super::Command::Shutdown`]: nothing is left to wait for.
    Quiet,
}
