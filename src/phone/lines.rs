//! The calls as a person sees them: which one is meant by a command that names none, and what `state` shows.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::time::Instant;

use crate::media::session::Stats;
use crate::sdp::Negotiated;
use crate::sdp::crypto::Suite;
use crate::sip::transport::Transport;
use crate::ua::command::MediaPorts;
use crate::ua::event::TransferStage;
use crate::ua::{AccountId, CallNo};

use super::event::CallRef;
use super::security::Security;
use super::snapshot::{CallStage, CallState};

/// How we hold a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Hold {
    /// We don't.
    No,
    /// The re-INVITE is on its way.
    Asked,
    /// It is held.
    Held,
    /// The re-INVITE that takes it back is on its way.
    ResumeAsked,
}

/// One call.
#[derive(Debug, Clone)]
pub(super) struct Line {
    /// Its number, account and other side.
    pub(super) call: CallRef,
    pub(super) account: Option<AccountId>,
    /// The other side's display name.
    pub(super) name: Option<String>,
    pub(super) incoming: bool,
    pub(super) stage: CallStage,
    /// An incoming call whose 200 is on its way: it rings no more.
    pub(super) answering: bool,
    /// Nobody pressed a key to answer it.
    pub(super) auto: bool,
    pub(super) hold: Hold,
    pub(super) remote_held: bool,
    pub(super) media: Option<Negotiated>,
    /// By what its messages travel.
    pub(super) transport: Option<Transport>,
    /// A handshake has given its keys, of this suite.
    pub(super) keyed: Option<Suite>,
    /// What was told of its protection.
    pub(super) security: Option<Security>,
    /// Its RTP ports are open.
    pub(super) sound_open: bool,
    /// The ports of a call that rings with an offer of ours.
    pub(super) offered: Option<MediaPorts>,
    /// What its media are was kept back: who has not answered does not hear the caller.
    pub(super) kept_back: bool,
    /// Our ringback was ordered.
    pub(super) ringback: bool,
    /// When our ringback begins although there is early media.
    pub(super) ringback_due: Option<Instant>,
    /// Early media was told.
    pub(super) early_media: bool,
    /// The local address that its INVITE came to.
    pub(super) arrived_at: Option<IpAddr>,
    pub(super) established: Option<Instant>,
    /// That it stands was told.
    pub(super) told_established: bool,
    pub(super) transfer: Option<TransferStage>,
    pub(super) transfer_request: Option<String>,
    /// Where the called side sends us.
    pub(super) redirect_request: Option<String>,
    /// The call whose place it takes when it is answered.
    pub(super) takes_place_of: Option<CallNo>,
    pub(super) stats: Option<Stats>,
    /// No RTP comes.
    pub(super) media_lost: bool,
    /// The transfer that its other side asked for is followed: it ends by itself.
    pub(super) followed: bool,
    /// The call that was put on hold for this one to be taken back.
    pub(super) swapped_from: Option<CallNo>,
    /// It is in the conference.
    pub(super) conference: bool,
    /// Nobody in the conference hears its other side.
    pub(super) muted: bool,
    /// The file that it is recorded into.
    pub(super) recording: Option<String>,
    /// The file that is played into it.
    pub(super) playing: Option<String>,
    /// When it last came to the front; the greatest is the active call.
    front: u64,
    /// When it was held; the greatest was held last.
    held_since: u64,
}

impl Line {
    pub(super) fn new(call: CallRef, account: Option<AccountId>, incoming: bool) -> Line {
        Line {
            call,
            account,
            name: None,
            incoming,
            stage: if incoming { CallStage::Ringing } else { CallStage::Calling },
            answering: false,
            auto: false,
            hold: Hold::No,
            remote_held: false,
            media: None,
            transport: None,
            keyed: None,
            security: None,
            sound_open: false,
            offered: None,
            kept_back: false,
            ringback: false,
            ringback_due: None,
            early_media: false,
            arrived_at: None,
            established: None,
            told_established: false,
            transfer: None,
            transfer_request: None,
            redirect_request: None,
            takes_place_of: None,
            stats: None,
            media_lost: false,
            followed: false,
            swapped_from: None,
            conference: false,
            muted: false,
            recording: None,
            playing: None,
            front: 0,
            held_since: 0,
        }
    }

    /// It waits for a person to answer.
    pub(super) fn waits(&self) -> bool {
        self.incoming && self.stage == CallStage::Ringing && !self.answering
    }

    /// It is in the ear, or about to be: established and not held, answered, or called by us.
    pub(super) fn is_up(&self) -> bool {
        let alive = match self.stage {
            CallStage::Calling | CallStage::Early | CallStage::Established => true,
            CallStage::Ringing => !self.incoming || self.answering,
            CallStage::Ending => false,
        };
        alive && matches!(self.hold, Hold::No | Hold::ResumeAsked)
    }

    fn state(&self, now: Instant) -> CallState {
        CallState {
            call: self.call.clone(),
            name: self.name.clone(),
            incoming: self.incoming,
            state: self.stage,
            held: matches!(self.hold, Hold::Held | Hold::ResumeAsked),
            remote_held: self.remote_held,
            conference: self.conference,
            muted: self.muted,
            codec: self.media.as_ref().map(|media| media.codec.name().to_string()),
            security: self.security_now(),
            duration_s: self.established.map(|since| seconds(now.saturating_duration_since(since))),
            transfer: self.transfer,
            transfer_request: self.transfer_request.clone(),
            redirect_request: self.redirect_request.clone(),
            recording: self.recording.clone(),
            playing: self.playing.clone(),
            stats: self.stats,
        }
    }
}

/// Seconds with milliseconds, as scripts see them.
pub(super) fn seconds(duration: std::time::Duration) -> f64 {
    duration.as_millis() as f64 / 1000.0
}

/// Why a command that names no call means none.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum NoLine {
    #[error("there is no call")]
    NoCall,
    #[error("no call is ringing")]
    NoneRings,
    #[error("no call is held")]
    NoneHeld,
    #[error("no call is asked to be transferred")]
    NoRequest,
    #[error("no call is sent elsewhere")]
    NoRedirect,
    #[error("no call is active: say which one is meant ({0})")]
    NoneActive(String),
    #[error("there is no call {0}")]
    NoSuchCall(CallNo),
}

/// All calls that are not over.
#[derive(Debug, Default)]
pub(super) struct Lines {
    lines: BTreeMap<CallNo, Line>,
    /// Counts what comes to the front or is held.
    order: u64,
}

impl Lines {
    pub(super) fn insert(&mut self, line: Line) {
        self.lines.insert(line.call.call, line);
    }

    pub(super) fn remove(&mut self, call: CallNo) -> Option<Line> {
        self.lines.remove(&call)
    }

    pub(super) fn get(&self, call: CallNo) -> Option<&Line> {
        self.lines.get(&call)
    }

    pub(super) fn get_mut(&mut self, call: CallNo) -> Option<&mut Line> {
        self.lines.get_mut(&call)
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &Line> {
        self.lines.values()
    }

    pub(super) fn len(&self) -> usize {
        self.lines.len()
    }

    /// The call that a command named, if it exists.
    pub(super) fn named(&self, call: CallNo) -> Result<CallNo, NoLine> {
        if self.lines.contains_key(&call) { Ok(call) } else { Err(NoLine::NoSuchCall(call)) }
    }

    /// Brings a call to the front: it becomes the active one.
    pub(super) fn bring_to_front(&mut self, call: CallNo) {
        self.order += 1;
        if let Some(line) = self.lines.get_mut(&call) {
            line.front = self.order;
        }
    }

    /// Notes that we hold a call, or asked for it.
    pub(super) fn set_held(&mut self, call: CallNo, hold: Hold) {
        self.order += 1;
        if let Some(line) = self.lines.get_mut(&call) {
            let begins = matches!((line.hold, hold), (Hold::No, _) | (Hold::ResumeAsked, Hold::Asked));
            if begins {
                line.held_since = self.order;
            }
            line.hold = hold;
        }
    }

    /// The call in the ear: the last that came to the front of those that are up.
    pub(super) fn active(&self) -> Option<CallNo> {
        self.front_most(Line::is_up)
    }

    /// The call that a person's next one puts on hold.
    pub(super) fn talking(&self) -> Option<CallNo> {
        self.front_most(|line| line.stage == CallStage::Established && line.is_up())
    }

    /// The calls to be held when one of ours has been answered, so that one, or a conference, is in the ear: those not in
    /// front. Calls that answer by themselves hold none and are not held.
    pub(super) fn too_many(&self, answered: CallNo) -> Vec<CallNo> {
        let talks = |line: &&Line| line.stage == CallStage::Established && line.is_up() && !line.auto && !line.followed;
        let talking: Vec<&Line> = self.iter().filter(talks).collect();
        let Some(front) = talking.iter().max_by_key(|line| line.front) else { return Vec::new() };
        if !talking.iter().any(|line| line.call.call == answered) {
            return Vec::new();
        }
        let with_front = |line: &Line| line.call.call == front.call.call || (front.conference && line.conference);
        let others = talking.iter().filter(|line| !with_front(line)).map(|line| line.call.call);
        if front.call.call == answered { others.collect() } else { others.filter(|call| *call == answered).collect() }
    }

    /// The members of the conference.
    pub(super) fn conference(&self) -> Vec<CallNo> {
        self.iter().filter(|line| line.conference).map(|line| line.call.call).collect()
    }

    /// What a person's next call puts on hold: the call in the ear, and with a member the whole conference.
    pub(super) fn all_talking(&self) -> Vec<CallNo> {
        let Some(talking) = self.talking() else { return Vec::new() };
        let mut all = vec![talking];
        if self.get(talking).is_some_and(|line| line.conference) {
            all.extend(self.iter().filter(|line| line.conference && line.is_up()).map(|line| line.call.call));
            all.sort_unstable();
            all.dedup();
        }
        all
    }

    fn front_most(&self, wanted: impl Fn(&Line) -> bool) -> Option<CallNo> {
        let line = self.iter().filter(|line| wanted(line)).max_by_key(|line| line.front)?;
        Some(line.call.call)
    }

    /// `answer`, `reject`: the call that has rung longest.
    pub(super) fn rung_longest(&self) -> Result<CallNo, NoLine> {
        self.iter().find(|line| line.waits()).map(|line| line.call.call).ok_or(NoLine::NoneRings)
    }

    /// `resume`, `swap`: the call that was held last.
    pub(super) fn held_last(&self) -> Result<CallNo, NoLine> {
        self.iter()
            .filter(|line| line.stage != CallStage::Ending && matches!(line.hold, Hold::Held | Hold::Asked))
            .max_by_key(|line| line.held_since)
            .map(|line| line.call.call)
            .ok_or(NoLine::NoneHeld)
    }

    /// `accept-transfer`, `refuse-transfer`: the active call if it was asked, else the only one that was.
    pub(super) fn asked_to_transfer(&self) -> Result<CallNo, NoLine> {
        let asked = |line: &&Line| line.transfer_request.is_some();
        if let Some(active) = self.active().and_then(|call| self.get(call)).filter(asked) {
            return Ok(active.call.call);
        }
        let mut asked = self.iter().filter(asked);
        match (asked.next(), asked.next()) {
            (Some(only), None) => Ok(only.call.call),
            (None, _) => Err(NoLine::NoRequest),
            (Some(_), Some(_)) => Err(self.ambiguous()),
        }
    }

    /// `accept-redirect`, `refuse-redirect`: the call that was sent elsewhere last.
    pub(super) fn redirected(&self) -> Result<CallNo, NoLine> {
        let asked = self.iter().filter(|line| line.redirect_request.is_some()).max_by_key(|line| line.front);
        asked.map(|line| line.call.call).ok_or(NoLine::NoRedirect)
    }

    /// Every other command: the active call, else the only one.
    pub(super) fn active_or_only(&self) -> Result<CallNo, NoLine> {
        if let Some(active) = self.active() {
            return Ok(active);
        }
        let mut alive = self.iter().filter(|line| line.stage != CallStage::Ending);
        match (alive.next(), alive.next()) {
            (Some(only), None) => Ok(only.call.call),
            (None, _) => Err(NoLine::NoCall),
            (Some(_), Some(_)) => Err(self.ambiguous()),
        }
    }

    fn ambiguous(&self) -> NoLine {
        let calls: Vec<String> = self
            .iter()
            .filter(|line| line.stage != CallStage::Ending)
            .map(|line| format!("{} {}", line.call.call, line.call.peer))
            .collect();
        NoLine::NoneActive(calls.join(", "))
    }

    /// The calls as `state` shows them.
    pub(super) fn states(&self, now: Instant) -> Vec<CallState> {
        self.iter().map(|line| line.state(now)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn add(lines: &mut Lines, number: u32, incoming: bool, stage: CallStage) -> CallNo {
        let call = CallNo(number);
        let peer = format!("sip:{number}@example.com");
        let mut line = Line::new(CallRef { call, account: None, peer }, None, incoming);
        line.stage = stage;
        lines.insert(line);
        call
    }

    #[test]
    fn answer_means_the_call_that_has_rung_longest() {
        let mut lines = Lines::default();
        assert_eq!(lines.rung_longest(), Err(NoLine::NoneRings));
        add(&mut lines, 1, false, CallStage::Ringing);
        let second = add(&mut lines, 2, true, CallStage::Ringing);
        let third = add(&mut lines, 3, true, CallStage::Ringing);
        assert_eq!(lines.rung_longest(), Ok(second));
        lines.get_mut(second).unwrap().answering = true;
        assert_eq!(lines.rung_longest(), Ok(third));
    }

    #[test]
    fn the_active_call_is_the_last_that_came_to_the_front_and_is_not_held() {
        let mut lines = Lines::default();
        let first = add(&mut lines, 1, false, CallStage::Established);
        let second = add(&mut lines, 2, true, CallStage::Established);
        lines.bring_to_front(first);
        lines.bring_to_front(second);
        assert_eq!(lines.active_or_only(), Ok(second));

        lines.set_held(second, Hold::Asked);
        assert_eq!(lines.active_or_only(), Ok(first));
        lines.set_held(second, Hold::ResumeAsked);
        assert_eq!(lines.active_or_only(), Ok(second));

        lines.get_mut(second).unwrap().stage = CallStage::Ending;
        assert_eq!(lines.active_or_only(), Ok(first));
    }

    #[test]
    fn a_call_that_is_being_taken_back_is_held_by_the_next_swap() {
        let mut lines = Lines::default();
        let first = add(&mut lines, 1, false, CallStage::Established);
        let second = add(&mut lines, 2, false, CallStage::Established);
        lines.set_held(first, Hold::Held);
        lines.bring_to_front(second);
        // A swap whose re-INVITEs are not answered yet.
        lines.set_held(second, Hold::Asked);
        lines.set_held(first, Hold::ResumeAsked);
        lines.bring_to_front(first);
        assert_eq!((lines.held_last(), lines.talking()), (Ok(second), Some(first)));
        lines.set_held(first, Hold::Asked);
        assert_eq!(lines.held_last(), Ok(first));
    }

    #[test]
    fn a_call_that_we_place_is_active_before_it_is_answered_and_one_that_rings_here_is_not() {
        let mut lines = Lines::default();
        let held = add(&mut lines, 1, false, CallStage::Established);
        lines.set_held(held, Hold::Held);
        let calling = add(&mut lines, 2, false, CallStage::Calling);
        lines.bring_to_front(calling);
        add(&mut lines, 3, true, CallStage::Ringing);
        assert_eq!(lines.active_or_only(), Ok(calling));
        assert_eq!(lines.talking(), None);
    }

    #[test]
    fn of_two_that_were_answered_the_one_not_in_front_is_one_too_many() {
        let mut lines = Lines::default();
        let first = add(&mut lines, 1, false, CallStage::Established);
        let second = add(&mut lines, 2, false, CallStage::Calling);
        lines.bring_to_front(first);
        lines.bring_to_front(second);
        assert_eq!(lines.too_many(first), [], "the second is not answered");
        lines.get_mut(second).unwrap().stage = CallStage::Established;
        assert_eq!(lines.too_many(second), [first]);
        lines.bring_to_front(first);
        assert_eq!(lines.too_many(second), [second]);
        lines.set_held(first, Hold::Asked);
        assert_eq!(lines.too_many(second), []);
        lines.set_held(first, Hold::No);
        lines.get_mut(first).unwrap().auto = true;
        assert_eq!(lines.too_many(second), [], "auto-answer holds none");
    }

    #[test]
    fn the_only_call_is_meant_although_it_is_held_or_rings() {
        let mut lines = Lines::default();
        assert_eq!(lines.active_or_only(), Err(NoLine::NoCall));
        let only = add(&mut lines, 1, true, CallStage::Ringing);
        assert_eq!(lines.active_or_only(), Ok(only));
        lines.get_mut(only).unwrap().stage = CallStage::Established;
        lines.set_held(only, Hold::Held);
        assert_eq!(lines.active_or_only(), Ok(only));

        let second = add(&mut lines, 2, true, CallStage::Established);
        lines.set_held(second, Hold::Held);
        let error = lines.active_or_only().unwrap_err();
        assert_eq!(
            error.to_string(),
            "no call is active: say which one is meant (#1 sip:1@example.com, #2 sip:2@example.com)"
        );
    }

    #[test]
    fn resume_means_the_call_held_last() {
        let mut lines = Lines::default();
        assert_eq!(lines.held_last(), Err(NoLine::NoneHeld));
        let first = add(&mut lines, 1, false, CallStage::Established);
        let second = add(&mut lines, 2, false, CallStage::Established);
        lines.set_held(second, Hold::Held);
        lines.set_held(first, Hold::Asked);
        lines.set_held(first, Hold::Held);
        assert_eq!(lines.held_last(), Ok(first));
        // Its acceptance coming later does not make a hold later.
        lines.set_held(second, Hold::Held);
        assert_eq!(lines.held_last(), Ok(first));
        lines.set_held(first, Hold::ResumeAsked);
        assert_eq!(lines.held_last(), Ok(second));
    }

    #[test]
    fn a_transfer_is_accepted_where_it_was_asked() {
        let mut lines = Lines::default();
        let first = add(&mut lines, 1, false, CallStage::Established);
        let second = add(&mut lines, 2, false, CallStage::Established);
        lines.bring_to_front(second);
        assert_eq!(lines.asked_to_transfer(), Err(NoLine::NoRequest));
        lines.get_mut(first).unwrap().transfer_request = Some("sip:c@c".into());
        assert_eq!(lines.asked_to_transfer(), Ok(first));
        lines.get_mut(second).unwrap().transfer_request = Some("sip:c@c".into());
        assert_eq!(lines.asked_to_transfer(), Ok(second));
    }

    #[test]
    fn state_shows_a_call_as_scripts_read_it() {
        let mut lines = Lines::default();
        let now = Instant::now();
        let call = add(&mut lines, 7, true, CallStage::Established);
        lines.get_mut(call).unwrap().established = Some(now);
        lines.set_held(call, Hold::Held);
        let states = lines.states(now + std::time::Duration::from_millis(1500));
        let json = serde_json::to_value(&states).unwrap();
        assert_eq!(json[0]["call"], 7);
        assert_eq!(json[0]["state"], "established");
        assert_eq!(json[0]["held"], true);
        assert_eq!(json[0]["duration_s"], 1.5);
    }
}
