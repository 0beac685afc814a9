//! A call as the UI knows it, while it is up and when it is over; the figures of its sound that are drawn.

use std::collections::VecDeque;
use std::time::{Duration, SystemTime};

use crate::media::session::Stats;
use crate::phone::event::CallRef;
use crate::phone::security::Security;
use crate::phone::snapshot::{CallStage, CallState};
use crate::ua::CallNo;
use crate::ua::event::TransferStage;

use super::layout::clean;
use super::names;

/// A call that is up.
#[derive(Debug, Clone, PartialEq)]
pub struct Call {
    /// Its number.
    pub no: CallNo,
    /// The account's name.
    pub account: Option<String>,
    /// The other side's URI.
    pub peer: String,
    /// The other side's name.
    pub name: Option<String>,
    /// They called us.
    pub incoming: bool,
    /// How far it is.
    pub stage: CallStage,
    /// We hold them.
    pub held: bool,
    /// They hold us.
    pub remote_held: bool,
    /// In the conference.
    pub conference: bool,
    /// Nobody in the conference hears them.
    pub muted: bool,
    /// The call, or its conference, is recorded.
    pub recording: bool,
    /// The codec's name.
    pub codec: Option<String>,
    /// What of it is protected.
    pub security: Security,
    /// When it began.
    pub began: SystemTime,
    /// When it was answered.
    pub answered: Option<SystemTime>,
    /// A transfer of ours, and the target's status code.
    pub transfer: Option<(TransferStage, Option<u16>)>,
    /// Figures of the sound.
    pub stats: Option<Stats>,
    /// All of them that came, one every five seconds, the latest last.
    pub past_stats: VecDeque<Stats>,
    /// Seconds since sound last came, when it should.
    pub media_lost: Option<u32>,
    /// Whom an incoming caller called.
    pub called: Option<String>,
    /// Who forwarded it to us.
    pub diverted_from: Option<String>,
    /// Who referred the caller to us.
    pub referred_by: Option<String>,
    /// Digits that we sent, the latest last.
    pub digits_sent: String,
    /// Digits that came.
    pub digits_received: String,
    /// The person closed the pop-up of this incoming call.
    pub later: bool,
}

impl Call {
    pub(super) fn new(reference: &CallRef, incoming: bool, stage: CallStage, time: SystemTime) -> Call {
        Call {
            no: reference.call,
            account: reference.account.as_deref().map(clean),
            peer: clean(&reference.peer),
            name: None,
            incoming,
            stage,
            held: false,
            remote_held: false,
            conference: false,
            muted: false,
            recording: false,
            codec: None,
            security: Security::default(),
            began: time,
            answered: None,
            transfer: None,
            stats: None,
            past_stats: VecDeque::new(),
            media_lost: None,
            called: None,
            diverted_from: None,
            referred_by: None,
            digits_sent: String::new(),
            digits_received: String::new(),
            later: false,
        }
    }

    /// A call of a snapshot, with what only events tell from the call that we know.
    pub(super) fn of_snapshot(state: CallState, known: Option<&Call>, now: SystemTime) -> Call {
        let mut call = known.cloned().unwrap_or_else(|| Call::new(&state.call, state.incoming, state.state, now));
        call.peer = clean(&state.call.peer);
        call.name = state.name.as_deref().map(names::short);
        call.stage = state.state;
        call.held = state.held;
        call.remote_held = state.remote_held;
        call.codec = state.codec.as_deref().map(clean);
        call.security = state.security;
        let ago = state.duration_s.and_then(|seconds| Duration::try_from_secs_f64(seconds).ok());
        call.answered = call.answered.or_else(|| ago.and_then(|ago| now.checked_sub(ago)));
        call.transfer = state.transfer.map(|stage| (stage, None));
        call.stats = state.stats.or(call.stats);
        call
    }

    /// Their name, else their URI.
    pub fn who(&self) -> &str {
        self.name.as_deref().unwrap_or(&self.peer)
    }

    /// It stands and we do not hold it: what we say is heard.
    pub fn is_active(&self) -> bool {
        self.stage == CallStage::Established && !self.held
    }

    /// Whom we transferred it to has answered.
    pub fn was_transferred(&self) -> bool {
        self.transfer.is_some_and(|(stage, _)| stage == TransferStage::Accepted)
    }

    /// It rings here.
    pub fn rings_here(&self) -> bool {
        self.incoming && matches!(self.stage, CallStage::Ringing | CallStage::Calling | CallStage::Early)
    }
}

/// A call that is over.
#[derive(Debug, Clone, PartialEq)]
pub struct Past {
    /// Its number.
    pub no: CallNo,
    /// The other side's URI.
    pub peer: String,
    /// When it began.
    pub began: SystemTime,
    /// When it ended.
    pub ended: SystemTime,
    /// They called us.
    pub incoming: bool,
    /// Their name, else their URI.
    pub who: String,
    /// How it ended.
    pub outcome: String,
    /// How long it stood.
    pub talked: Option<Duration>,
}

/// A figure of a call that is drawn over time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Figure {
    /// The estimated quality.
    Mos,
    /// What was lost.
    Loss,
    /// How unevenly it came.
    Jitter,
    /// How long there and back takes.
    RoundTrip,
    /// What waits to be played.
    Buffer,
}

impl Figure {
    /// The next one, the first after the last.
    pub fn next(self) -> Figure {
        match self {
            Figure::Mos => Figure::Loss,
            Figure::Loss => Figure::Jitter,
            Figure::Jitter => Figure::RoundTrip,
            Figure::RoundTrip => Figure::Buffer,
            Figure::Buffer => Figure::Mos,
        }
    }

    /// Its value: MOS 1 to 4.5, loss 0 to 1, all others in milliseconds; `None` where it is not known.
    pub fn of(self, stats: &Stats) -> Option<f32> {
        match self {
            Figure::Mos => stats.mos,
            Figure::Loss => Some(stats.loss),
            Figure::Jitter => Some(stats.jitter_ms),
            Figure::RoundTrip => stats.rtt_ms,
            Figure::Buffer => Some(stats.buffer_ms),
        }
    }
}
