//! What the person, through the phone, asks of the core.

use crate::sdp::ice::{Path, Reflexive};
use crate::sip::Uri;

use super::{AccountId, CallNo};

/// The ports at which a call's sound is received. The address is the one from which the call's SIP leaves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MediaPorts {
    /// RTP.
    pub rtp: u16,
    /// RTCP.
    pub rtcp: u16,
    /// How a STUN server sees them.
    pub reflexive: Option<Reflexive>,
}

impl MediaPorts {
    /// Ports that nobody else has been asked about.
    pub const fn new(rtp: u16, rtcp: u16) -> MediaPorts {
        MediaPorts { rtp, rtcp, reflexive: None }
    }
}

/// Why a call is sent elsewhere (RFC 5806 section 4, `diversion-reason`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DiversionReason {
    /// Every call is.
    Unconditional,
    /// Another call is up.
    UserBusy,
    /// Nobody answered.
    NoAnswer,
    /// A person chose to.
    Deflection,
}

impl DiversionReason {
    /// As the header field writes it.
    pub fn as_str(self) -> &'static str {
        match self {
            DiversionReason::Unconditional => "unconditional",
            DiversionReason::UserBusy => "user-busy",
            DiversionReason::NoAnswer => "no-answer",
            DiversionReason::Deflection => "deflection",
        }
    }
}

/// A command to the core.
#[derive(Debug, Clone)]
pub enum Command {
    /// Calls `target`; the call's number is the answer ([`Reply::Call`]).
    Dial {
        /// The account that calls; `None`: a direct call as `sip:anonymous@local`.
        account: Option<AccountId>,
        /// A sip, sips or tel URI.
        target: Uri,
        /// Where its sound will be received.
        media: MediaPorts,
    },
    /// Answers an incoming call.
    Answer {
        /// Which.
        call: CallNo,
        /// Where its sound will be received.
        media: MediaPorts,
    },
    /// Rings with an offer: the answer to [`super::Event::OfferDue`].
    OfferEarly {
        /// Which.
        call: CallNo,
        /// Where its sound will be received.
        media: MediaPorts,
    },
    /// Refuses an incoming call with a final status code, 300 to 699.
    Reject {
        /// Which.
        call: CallNo,
        /// The status code.
        code: u16,
    },
    /// Lets an incoming call ring (180), or answers it if that is the policy: after
    /// [`super::UserAgent::ask_before_ringing`] nothing is sent before this. Does nothing on one that rings already.
    Alert {
        /// Which.
        call: CallNo,
    },
    /// Sends an incoming call elsewhere: 302 with Contact and Diversion (RFC 5806).
    Redirect {
        /// Which.
        call: CallNo,
        /// Where to, the best first; at least one.
        targets: Vec<Uri>,
        /// Why.
        reason: DiversionReason,
    },
    /// Ends a call in whatever state it is: CANCEL, BYE or 486... (an incoming one gets 486).
    Hangup {
        /// Which.
        call: CallNo,
    },
    /// Holds an established call. Does nothing on a held one.
    Hold {
        /// Which.
        call: CallNo,
    },
    /// Takes a held call back.
    Resume {
        /// Which.
        call: CallNo,
    },
    /// Blind transfer (RFC 5589 section 6): holds first, then REFER.
    Transfer {
        /// Which.
        call: CallNo,
        /// To whom.
        target: Uri,
    },
    /// Attended transfer (RFC 5589 section 7): the peer of `call` is to call the peer of `with` in our place. Holds `call`
    /// first. If `with` is not answered yet, it is given up, and the transfer is a blind one to the same address.
    TransferWith {
        /// The call to be transferred.
        call: CallNo,
        /// The call with whom it is transferred to.
        with: CallNo,
    },
    /// Calls where the called side sends us (3xx).
    AcceptRedirect {
        /// The call that was sent elsewhere.
        call: CallNo,
    },
    /// Gives the call up instead.
    RefuseRedirect {
        /// The call that was sent elsewhere.
        call: CallNo,
    },
    /// Follows the transfer that the peer asked for; the new call's number is the answer.
    AcceptTransfer {
        /// The call in which it was asked.
        call: CallNo,
        /// Where the new call's sound will be received.
        media: MediaPorts,
    },
    /// Refuses it: NOTIFY with 603.
    RefuseTransfer {
        /// The call in which it was asked.
        call: CallNo,
    },
    /// After [`super::Event::AddressChanged`]: the call's sound is received at its new address, at these ports.
    Move {
        /// Which.
        call: CallNo,
        /// Its ports there.
        media: MediaPorts,
    },
    /// ICE has found a way for the call's packets: later offers say so, and one is due if the peer can't do without.
    WayFound {
        /// Which.
        call: CallNo,
        /// The way.
        path: Path,
    },
    /// The way that ICE had found is dead: a re-INVITE begins anew (RFC 8839 section 4.4.1.1.1).
    WayLost {
        /// Which.
        call: CallNo,
    },
    /// Ends a call that can have no sound, as a hang-up does; who stands in it is told that it was for the media (488).
    GiveUp {
        /// Which.
        call: CallNo,
        /// Why, for the person here.
        reason: String,
    },
    /// One digit by INFO (`application/dtmf-relay`).
    InfoDigit {
        /// Which.
        call: CallNo,
        /// 0-9, A-D, * or #.
        digit: char,
        /// Length in milliseconds.
        duration_ms: u16,
    },
    /// Registers an account, or refreshes it now.
    Register {
        /// Which.
        account: AccountId,
    },
    /// Removes our binding (RFC 3665 section 2.4).
    Unregister {
        /// Which.
        account: AccountId,
    },
    /// Asks for the bindings without changing them (RFC 3665 section 2.3).
    Query {
        /// Which.
        account: AccountId,
    },
    /// Registers a further contact (RFC 3665 section 2.2).
    AddContact {
        /// Which.
        account: AccountId,
        /// The contact: any scheme.
        contact: Uri,
    },
    /// Removes every binding with `Contact: *`, those of other devices too (RFC 3665 section 2.4).
    ClearContacts {
        /// Which.
        account: AccountId,
    },
    /// Begins an account's subscriptions, those given up too. An account that registers does so by itself.
    Subscribe {
        /// Which.
        account: AccountId,
    },
    /// Writes to somebody (RFC 3428); [`super::Event::MessageSent`] or [`super::Event::MessageFailed`] says how it went.
    Message {
        /// The account that writes; `None`: directly, as `sip:anonymous@anonymous.invalid`.
        account: Option<AccountId>,
        /// A sip, sips or tel URI.
        target: Uri,
        /// What: see [`super::message`] for how much.
        text: String,
    },
    /// Ends every call and removes every binding; [`super::Event::Quiet`] says when all is answered.
    Shutdown,
}

/// What a command gave.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reply {
    /// Done, or on its way.
    Done,
    /// The call that began.
    Call(CallNo),
}

/// Why a command was refused. Nothing has changed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CommandError {
    /// There is no such call.
    #[error("there is no call {0}")]
    NoSuchCall(CallNo),
    /// There is no such account.
    #[error("there is no such account")]
    NoSuchAccount,
    /// The call's state does not allow it.
    #[error("call {call} is {state}: {advice}")]
    WrongState {
        /// Which.
        call: CallNo,
        /// Its state, in the person's words.
        state: &'static str,
        /// What to do instead.
        advice: &'static str,
    },
    /// `max_calls` are up.
    #[error("{0} calls are up, and calls.max_calls allows no more")]
    TooManyCalls(usize),
    /// The target's scheme can't be called.
    #[error("can't call {0}: only sip and sips addresses can be called, and tel numbers by an account")]
    BadTarget(String),
    /// A call can't be joined to itself.
    #[error("call {0} can't be transferred to itself: name two calls")]
    ToItself(CallNo),
    /// Not a digit.
    #[error("'{0}' is not a DTMF digit (0-9, A-D, *, #)")]
    BadDigit(char),
    /// Not a status code that refuses.
    #[error("{0} is not a status code that refuses a call (300 to 699)")]
    BadCode(u16),
    /// RFC 3428 section 8: too long for a network that may lose it.
    #[error("the message has {bytes} bytes, and by UDP at most {limit} can be sent to this address")]
    MessageTooLong {
        /// The text's length.
        bytes: usize,
        /// How much there may be.
        limit: usize,
    },
    /// Nothing to write.
    #[error("what to write? the message is empty")]
    MessageEmpty,
    /// Too many texts wait for the answers to former ones.
    #[error("{0} messages wait for an answer already: try again in a moment")]
    TooManyMessages(usize),
    /// The outgoing screening forbids the target ([`super::UserAgent::screen_outgoing`]).
    #[error("this phone does not call {target}: rule '{rule}' forbids it")]
    Screened {
        /// Who was to be called.
        target: String,
        /// The rule's name.
        rule: String,
    },
    /// This phone, or too many others, diverted the call before it came here (RFC 5806 section 9: loops).
    #[error("call {0} was diverted before: sending it on could make it go round")]
    DivertedBefore(CallNo),
    /// The phone is shutting down.
    #[error("the phone is shutting down")]
    ShuttingDown,
}
