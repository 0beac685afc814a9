//! Being replaced by another call (RFC 3891): an INVITE names this one's dialog.

use std::time::Instant;

use super::super::CallNo;
use super::super::core::Core;
use super::super::event::{EndedBy, Event};
use super::super::replaces::DialogId;
use super::{Call, Phase};

/// In which state the dialog is that an INVITE would replace.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Replaceable {
    /// The call stands.
    Confirmed,
    /// We call, and it rings there.
    OursRinging,
    /// It rings here.
    TheirsRinging,
}

impl Call {
    /// Whether one of its dialogs is this one, and in which state it is.
    pub fn replaceable(&self, dialog: &DialogId) -> Option<Replaceable> {
        let is_own = self.dialog.as_ref().is_some_and(|ours| dialog.names(ours));
        match &self.phase {
            Phase::Established => is_own.then_some(Replaceable::Confirmed),
            Phase::Ringing(_) => is_own.then_some(Replaceable::TheirsRinging),
            Phase::Inviting(inviting) => {
                let mut early = inviting.early.iter().filter_map(|early| early.dialog.as_ref());
                early.any(|ours| dialog.names(ours)).then_some(Replaceable::OursRinging)
            }
            Phase::Resolving | Phase::Over => None,
        }
    }

    /// The dialog of a call that is over and was answered.
    pub fn ended_dialog(&self) -> Option<DialogId> {
        self.established_at.and(self.dialog.as_ref()).map(DialogId::of_ours)
    }

    /// Another call has been answered in its place: BYE, or CANCEL.
    pub fn replaced(&mut self, cx: &mut Core, now: Instant, by: CallNo) {
        cx.emit(Event::Replaced { call: self.no, by });
        match self.phase {
            Phase::Established => {
                if !self.leave_after_ack() {
                    self.send_bye(cx, now);
                    self.end(cx, now, EndedBy::Remote, None, format!("call {by} has taken its place"));
                }
            }
            Phase::Resolving | Phase::Inviting(_) | Phase::Ringing(_) | Phase::Over => self.hang_up(cx, now),
        }
    }

    /// Takes the place of a call, and its hold as well.
    pub fn take_place(&mut self, cx: &mut Core, now: Instant, of: &Call) {
        self.want = of.want;
        self.reconcile(cx, now);
    }

    /// Whether the call stands.
    pub fn is_established(&self) -> bool {
        self.phase == Phase::Established
    }
}
