//! An INVITE that takes the place of a call (RFC 3891 section 3).

use std::time::{Duration, Instant};

use crate::sip::{Headers, other};

use super::call::Replaceable;
use super::replaces::{DialogId, Malformed, Replaces};
use super::{CallNo, UserAgent};

/// How long a dialog that is over is remembered: an INVITE in its place is declined.
const MEMORY: Duration = Duration::from_secs(32);
/// How many of them.
const MAX_REMEMBERED: usize = 32;

/// Why an INVITE may not take a call's place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NotReplaced {
    /// Status code.
    pub code: u16,
    /// Reason phrase.
    pub reason: &'static str,
}

impl UserAgent {
    /// The call whose place an INVITE takes, if it names one. `of_ours`: it came by one of our own servers, or to the random
    /// Contact user of an account of ours.
    pub(super) fn call_to_replace(
        &self,
        now: Instant,
        headers: &Headers,
        of_ours: bool,
    ) -> Result<Option<CallNo>, NotReplaced> {
        let not = |code, reason| NotReplaced { code, reason };
        let replaces = match Replaces::of(headers) {
            Ok(Some(replaces)) => replaces,
            Ok(None) => return Ok(None),
            Err(Malformed) => return Err(not(400, "Bad Replaces")),
        };
        if headers.count(&other("Join")) > 0 {
            return Err(not(400, "Join And Replaces"));
        }
        let mut matches = self.calls.values().filter_map(|call| Some((call, call.replaceable(&replaces.dialog)?)));
        let (Some((call, state)), None) = (matches.next(), matches.next()) else {
            let was_ours = self.ended_dialogs.iter().any(|(since, dialog)| {
                now.saturating_duration_since(*since) <= MEMORY && replaces.dialog.is_same(dialog)
            });
            return Err(if was_ours { not(603, "Decline") } else { not(481, "Call/Transaction Does Not Exist") });
        };
        // Who knows the dialog's three secrets was told them by one of its two sides; but a call of an account is not given
        // to someone whom the account would not let ring.
        if call.account.is_some() && !of_ours {
            return Err(not(403, "Forbidden"));
        }
        match state {
            Replaceable::Confirmed if replaces.early_only => Err(not(486, "Busy Here")),
            Replaceable::Confirmed | Replaceable::OursRinging => Ok(Some(call.no)),
            Replaceable::TheirsRinging => Err(not(481, "Call/Transaction Does Not Exist")),
        }
    }

    /// A call was answered that takes the place of another one, which ends.
    pub(super) fn take_place(&mut self, now: Instant, no: CallNo) {
        let Some(call) = self.calls.get_mut(&no).filter(|call| call.is_established()) else { return };
        let Some(old) = call.takes_place_of.take() else { return };
        let Some(mut old) = self.calls.remove(&old) else { return };
        let Some(call) = self.calls.get_mut(&no) else { return };
        call.take_place(&mut self.core, now, &old);
        old.replaced(&mut self.core, now, no);
        self.calls.insert(old.no, old);
    }

    /// The call whose place an incoming one takes, as soon as it is answered.
    pub fn takes_place_of(&self, no: CallNo) -> Option<CallNo> {
        self.calls.get(&no)?.takes_place_of
    }

    /// Remembers the dialog of a call that is over.
    pub(super) fn remember_ended(&mut self, now: Instant, dialog: DialogId) {
        self.ended_dialogs.truncate(MAX_REMEMBERED - 1);
        self.ended_dialogs.push_front((now, dialog));
    }
}
