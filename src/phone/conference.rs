//! Calls that hear each other: the draft's 3-way call (section 2.8), with any number of members. The sound is mixed here, and
//! nothing but holding and resuming is signalled: the members know nothing of each other.

use std::time::Instant;

use crate::ua::{self, CallNo};

use super::Reply;
use super::actor::Actor;
use super::desk::Desk;
use super::event::Kind;
use super::lines::{Hold, NoLine};
use super::media_thread::Order;
use super::perform::{Outcome, refused};
use super::snapshot::CallStage;

impl Actor {
    /// Joins calls, and resumes those that are held. Without names: the active call and the one held last.
    pub(super) fn join(&mut self, now: Instant, named: &[CallNo]) -> Outcome {
        let lines = &self.desk.lines;
        let mut members = lines.conference();
        let joining = match named {
            [] => vec![
                lines.talking().ok_or_else(|| refused("no call is active: there is nothing to join"))?,
                lines.held_last()?,
            ],
            named => named.to_vec(),
        };
        for call in joining {
            let line = lines.get(call).ok_or(NoLine::NoSuchCall(call))?;
            if line.stage != CallStage::Established {
                return Err(refused(format!("call {call} is not answered: a conference is made of calls that stand")));
            }
            if !members.contains(&call) {
                members.push(call);
            }
        }
        members.sort_unstable();
        if members.len() < 2 {
            return Err(refused("a conference takes two different calls"));
        }
        for &call in &members {
            self.take_back_member(now, call)?;
        }
        self.desk.set_conference(members);
        Ok(Reply::Done)
    }

    /// Parts the conference: the member that was last in front goes on, the others are held.
    pub(super) fn split(&mut self, now: Instant) -> Outcome {
        let members = self.desk.lines.conference();
        if members.is_empty() {
            return Err(refused("there is no conference"));
        }
        self.desk.set_conference(Vec::new());
        let stays = self.desk.lines.talking();
        for call in members.into_iter().filter(|call| Some(*call) != stays) {
            self.hold(now, call)?;
        }
        Ok(Reply::Done)
    }

    /// Whether anybody hears the other side of a call, which must be in the conference.
    pub(super) fn mute_member(&mut self, call: CallNo, muted: bool) -> Outcome {
        let Some(line) = self.desk.lines.get_mut(call) else { return Err(NoLine::NoSuchCall(call).into()) };
        if !line.conference {
            return Err(refused(format!("call {call} is in no conference: `mute` alone closes the microphone")));
        }
        let changed = std::mem::replace(&mut line.muted, muted) != muted;
        let reference = line.call.clone();
        if changed {
            self.desk.order(Order::MuteMember { call, muted });
            self.desk.tell(Kind::MemberMuted { call: reference, muted });
        }
        Ok(Reply::Done)
    }

    /// Resumes a call beside those that are talking, if it is held.
    pub(super) fn take_back_member(&mut self, now: Instant, call: CallNo) -> Result<(), super::Refused> {
        let is_held = self.desk.lines.get(call).is_some_and(|line| matches!(line.hold, Hold::Held | Hold::Asked));
        if is_held {
            self.core.command(now, ua::Command::Resume { call })?;
            self.desk.lines.set_held(call, Hold::ResumeAsked);
        }
        Ok(())
    }
}

impl Desk {
    /// Makes these calls, and no others, the conference.
    pub(super) fn set_conference(&mut self, members: Vec<CallNo>) {
        let before = self.lines.conference();
        if before != members {
            self.change_conference(before, members);
        }
    }

    fn change_conference(&mut self, before: Vec<CallNo>, members: Vec<CallNo>) {
        for call in self.lines.iter().map(|line| line.call.call).collect::<Vec<_>>() {
            if let Some(line) = self.lines.get_mut(call) {
                line.conference = members.contains(&call);
                line.muted &= line.conference;
            }
        }
        self.order(Order::Conference { calls: members.clone() });
        let mut told = before;
        told.extend(members.iter().copied().filter(|call| !told.contains(call)).collect::<Vec<_>>());
        for call in told {
            let Some(reference) = self.lines.get(call).map(|line| line.call.clone()) else { continue };
            let calls = if members.contains(&call) { members.clone() } else { Vec::new() };
            self.tell(Kind::Conference { call: reference, calls });
        }
    }

    /// A call has ended: the others go on, and one alone is no conference.
    pub(super) fn leave_conference(&mut self) {
        let before = self.lines.conference();
        let members = if before.len() == 1 { Vec::new() } else { before.clone() };
        self.change_conference(before, members);
    }
}
