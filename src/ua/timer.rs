//! What the core waits for, apart from the transactions' own timers.

use super::{AccountId, CallNo, SubscriptionId};

/// A deadline of the core.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Timer {
    /// When one of RFC 3261's transaction timers (A to M) goes off.
    Transaction(crate::sip::Timer),
    /// When a REGISTER is to be sent again.
    Registration(AccountId),
    /// When a translator on the way is to be reminded of our flow to an account's server (RFC 5626 section 4.4).
    KeepAlive(AccountId),
    /// When nobody has answered an incoming call for `ring_timeout`: 480.
    Ring(CallNo),
    /// When an incoming call is to be answered without a person.
    AutoAnswer(CallNo),
    /// When our reliable provisional response is sent again, or given up, for no PRACK came (RFC 3262 section 3).
    Reliable(CallNo),
    /// When our 2xx to an INVITE is sent again, for no ACK came (RFC 3261 section 13.3.1.4).
    Resend2xx(CallNo),
    /// When the ACK for it is given up, after 64*T1: BYE.
    AckMissing(CallNo),
    /// When a re-INVITE that met another one (491) is tried again (RFC 3261 section 14.1).
    Glare(CallNo),
    /// When the session is to be refreshed, or has not been (RFC 4028 section 10).
    Session(CallNo),
    /// When a transfer of ours brought no final NOTIFY for 60 s: failed.
    TransferSilent(CallNo),
    /// When a person has not answered a transfer request for 30 s: refused.
    TransferUnanswered(CallNo),
    /// When the target of an attended transfer has not ended its call with us, although another one has its place.
    ReplacedLate(CallNo),
    /// When a person has not said for 30 s whether to call where we were sent: refused.
    RedirectUnanswered(CallNo),
    /// When a subscription is refreshed, given up, or begun again: Timer N of RFC 6665 section 4.1.2 among others.
    Subscription(SubscriptionId),
}
