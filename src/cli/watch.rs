//! One call, watched from its first event to its end: what `call`, `answer` and `demo` have in common.

use crate::phone::event::{CallRef, Kind};
use crate::ua::CallNo;
use crate::ua::event::EndedBy;

use super::exit::{Exit, Failure};
use super::text;

/// What became of a call so far.
#[derive(Debug)]
pub struct Watch {
    call: CallNo,
    established: bool,
    silent: Option<u32>,
    stopped: Option<Stop>,
}

/// Why this side ended the call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stop {
    /// As planned: its time was over.
    Planned,
    /// Nobody answered in the time given.
    Unanswered,
}

/// What an event means for the call.
#[derive(Debug, PartialEq, Eq)]
pub enum Step {
    /// It goes on as it was.
    Goes,
    /// It stands now.
    Established,
    /// It is over.
    Ended(Result<(), Failure>),
}

impl Watch {
    /// Watches `call`.
    pub fn new(call: CallNo) -> Watch {
        Watch { call, established: false, silent: None, stopped: None }
    }

    /// Which call.
    pub fn call(&self) -> CallNo {
        self.call
    }

    /// This side hangs up, and why. The first reason counts.
    pub fn stop(&mut self, why: Stop) {
        self.stopped.get_or_insert(why);
    }

    /// Why this side hangs up, if it does.
    pub fn stopped(&self) -> Option<Stop> {
        self.stopped
    }

    /// Takes an event, of this call or another.
    pub fn handle(&mut self, kind: &Kind) -> Step {
        let ours = |call: &CallRef| call.call == self.call;
        match kind {
            Kind::Established { call, .. } if ours(call) => {
                // It comes again when the media change.
                let first = !std::mem::replace(&mut self.established, true);
                if first { Step::Established } else { Step::Goes }
            }
            Kind::MediaLost { call, seconds } if ours(call) => {
                self.silent = Some(*seconds);
                Step::Goes
            }
            Kind::MediaBack { call } if ours(call) => {
                self.silent = None;
                Step::Goes
            }
            Kind::Ended { call, by, code, reason, advice, .. } if ours(call) => {
                let told = || text::failed_call(&call.peer, *by, *code, reason, advice.as_deref());
                Step::Ended(match self.stopped {
                    Some(why) => self.conclude(why),
                    None if self.established && *by != EndedBy::Transport => self.conclude(Stop::Planned),
                    None => Err(Failure::new(Exit::of_call(*by, *code), told())),
                })
            }
            _ => Step::Goes,
        }
    }

    /// What is to be said of a call that this side has ended for this reason.
    pub fn conclude(&self, why: Stop) -> Result<(), Failure> {
        match (self.silent, why) {
            (Some(seconds), _) => Err(Failure::new(
                Exit::NoSound,
                format!("no sound came for {seconds} s; a firewall or NAT may keep it away"),
            )),
            (None, Stop::Unanswered) if !self.established => {
                Err(Failure::new(Exit::Unanswered, "nobody answered in the time given"))
            }
            (None, Stop::Planned | Stop::Unanswered) => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::phone::event::RtpCount;

    fn reference(number: u32) -> CallRef {
        CallRef { call: CallNo(number), account: None, peer: "sip:bob@pbx".into() }
    }

    fn established(number: u32) -> Kind {
        Kind::Established {
            call: reference(number),
            codec: "PCMU".into(),
            security: Default::default(),
            remote_rtp: "127.0.0.1:4000".into(),
        }
    }

    fn ended(by: EndedBy, code: Option<u16>, reason: &str) -> Kind {
        Kind::Ended {
            call: reference(1),
            by,
            code,
            reason: reason.into(),
            duration_s: 0.0,
            rtp: RtpCount::default(),
            advice: Some("try again later".into()),
        }
    }

    fn exit(watch: &mut Watch, kind: &Kind) -> (Exit, String) {
        match watch.handle(kind) {
            Step::Ended(Ok(())) => (Exit::Done, String::new()),
            Step::Ended(Err(failure)) => (failure.exit, failure.message),
            step => panic!("{step:?}"),
        }
    }

    #[test]
    fn a_call_that_stood_is_done() {
        let mut watch = Watch::new(CallNo(1));
        assert_eq!(watch.handle(&Kind::Calling { call: reference(1) }), Step::Goes);
        assert_eq!(watch.handle(&established(2)), Step::Goes);
        assert_eq!(watch.handle(&established(1)), Step::Established);
        assert_eq!(watch.handle(&established(1)), Step::Goes);
        assert_eq!(exit(&mut watch, &ended(EndedBy::Remote, None, "")).0, Exit::Done);
    }

    #[test]
    fn a_refused_call_says_why_and_what_to_try() {
        let (exit, message) = exit(&mut Watch::new(CallNo(1)), &ended(EndedBy::Remote, Some(486), "Busy Here"));
        assert_eq!(exit, Exit::Refused);
        assert_eq!(message, "sip:bob@pbx: busy (486 Busy Here); try again later");
    }

    #[test]
    fn sound_that_never_came_and_sound_that_came_back() {
        let lost = Kind::MediaLost { call: reference(1), seconds: 10 };
        let mut watch = Watch::new(CallNo(1));
        watch.handle(&established(1));
        watch.handle(&lost);
        watch.stop(Stop::Planned);
        assert_eq!(exit(&mut watch, &ended(EndedBy::Local, None, "")).0, Exit::NoSound);
        let mut watch = Watch::new(CallNo(1));
        watch.handle(&established(1));
        watch.handle(&lost);
        watch.handle(&Kind::MediaBack { call: reference(1) });
        assert_eq!(exit(&mut watch, &ended(EndedBy::Remote, None, "")).0, Exit::Done);
    }

    #[test]
    fn why_this_side_hung_up_counts() {
        for (why, established_before, expected) in [
            (Stop::Planned, true, Exit::Done),
            (Stop::Unanswered, false, Exit::Unanswered),
            // The answer crossed our CANCEL.
            (Stop::Unanswered, true, Exit::Done),
        ] {
            let mut watch = Watch::new(CallNo(1));
            if established_before {
                watch.handle(&established(1));
            }
            watch.stop(why);
            assert_eq!(exit(&mut watch, &ended(EndedBy::Local, Some(487), "")).0, expected, "{why:?}");
        }
    }

    #[test]
    fn a_network_that_fails_in_a_call_is_told() {
        let mut watch = Watch::new(CallNo(1));
        watch.handle(&established(1));
        assert_eq!(exit(&mut watch, &ended(EndedBy::Transport, None, "unreachable")).0, Exit::Network);
    }
}
