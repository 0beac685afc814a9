//! What the commands about hold do: one call is in the ear, or a conference.

use std::time::Instant;

use crate::ua::{self, CallNo};

use super::actor::Actor;
use super::lines::{Hold, NoLine};
use super::perform::{Outcome, refused};
use super::snapshot::CallStage;
use super::{Refused, Reply};

impl Actor {
    pub(super) fn hold(&mut self, now: Instant, call: CallNo) -> Outcome {
        let outcome = self.tell_core(now, ua::Command::Hold { call })?;
        let hold = self.desk.lines.get(call).map(|line| line.hold);
        if matches!(hold, Some(Hold::No | Hold::ResumeAsked)) {
            self.desk.lines.set_held(call, Hold::Asked);
        }
        Ok(outcome)
    }

    /// Another call is in the ear.
    pub(super) fn hold_by_itself(&mut self, now: Instant, call: CallNo) {
        if let Err(refused) = self.hold(now, call) {
            self.complain(call, &refused.message);
        }
    }

    /// Holds what is in the ear, a call or a conference, but for `except`; the answer is which.
    pub(super) fn hold_talking(&mut self, now: Instant, except: &[CallNo]) -> Result<Vec<CallNo>, Refused> {
        let mut held = Vec::new();
        for talking in self.desk.lines.all_talking().into_iter().filter(|call| !except.contains(call)) {
            if let Err(refused) = self.hold(now, talking) {
                self.take_back(now, held);
                return Err(refused);
            }
            held.push(talking);
        }
        Ok(held)
    }

    /// Undoes [`Actor::hold_talking`].
    pub(super) fn take_back(&mut self, now: Instant, held: Vec<CallNo>) {
        for call in held {
            match self.core.command(now, ua::Command::Resume { call }) {
                Ok(_) => self.desk.lines.set_held(call, Hold::ResumeAsked),
                Err(error) => self.complain(call, &error.to_string()),
            }
        }
    }

    pub(super) fn resume(&mut self, now: Instant, call: CallNo) -> Outcome {
        let Some(line) = self.desk.lines.get(call) else { return Err(NoLine::NoSuchCall(call).into()) };
        if line.stage != CallStage::Established || line.hold == Hold::No {
            return Err(refused(format!("call {call} is not held")));
        }
        // Members of a conference are resumed beside each other.
        let beside = if line.conference { self.desk.lines.conference() } else { vec![call] };
        let held = self.hold_talking(now, &beside)?;
        if let Err(error) = self.core.command(now, ua::Command::Resume { call }) {
            self.take_back(now, held);
            return Err(error.into());
        }
        self.desk.lines.set_held(call, Hold::ResumeAsked);
        if let Some(line) = self.desk.lines.get_mut(call) {
            line.swapped_from = if held.len() == 1 { held.first().copied() } else { None };
        }
        self.desk.lines.bring_to_front(call);
        Ok(Reply::Done)
    }
}
