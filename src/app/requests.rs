//! What others ask of us beside calling: to call someone else instead. Each has a pop-up until it is decided.

use crate::phone::Command;
use crate::phone::event::CallRef;
use crate::ua::CallNo;

use super::App;
use super::layout::clean;

/// Why we are to call someone else.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Asks {
    /// The other side transfers us.
    Transfer,
    /// The called side is elsewhere.
    Redirect,
}

/// The other side asks us to call someone else instead.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    /// In which call; it may be over.
    pub call: CallNo,
    /// Who asks.
    pub who: String,
    /// Why.
    pub asks: Asks,
    /// Whom to call.
    pub to: String,
    /// On whose behalf.
    pub by: Option<String>,
    /// The person closed its pop-up.
    pub later: bool,
}

/// What the person says to it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// Call there.
    Accept,
    /// Don't.
    Refuse,
}

impl Request {
    fn command(&self, verdict: Verdict) -> Command {
        let call = Some(self.call);
        match (self.asks, verdict) {
            (Asks::Transfer, Verdict::Accept) => Command::AcceptTransfer { call },
            (Asks::Transfer, Verdict::Refuse) => Command::RefuseTransfer { call },
            (Asks::Redirect, Verdict::Accept) => Command::AcceptRedirect { call },
            (Asks::Redirect, Verdict::Refuse) => Command::RefuseRedirect { call },
        }
    }
}

impl App {
    /// The request that has a pop-up.
    pub fn pop_up_request(&self) -> Option<&Request> {
        self.requests.iter().find(|request| !request.later)
    }

    /// The request that the keys decide: the one with a pop-up, else the selected call's, else the oldest.
    pub fn shown_request(&self) -> Option<&Request> {
        let selected = || self.selected.and_then(|no| self.request_of(no));
        self.pop_up_request().or_else(selected).or(self.requests.first())
    }

    /// What is asked in a call.
    pub fn request_of(&self, no: CallNo) -> Option<&Request> {
        self.requests.iter().find(|request| request.call == no)
    }

    /// Something is asked; what was asked before in the same call counts no more.
    pub(super) fn asked(&mut self, call: &CallRef, asks: Asks, to: &str, by: Option<&str>) {
        let who = self.call(call.call).map_or_else(|| clean(&call.peer), |call| self.who(call));
        let to = clean(to);
        let later = self.request_of(call.call).is_some_and(|known| known.later && known.to == to);
        self.settled(call.call);
        self.requests.push(Request { call: call.call, who, asks, to, by: by.map(clean), later });
    }

    /// The request in a call is decided, or too old.
    pub(super) fn settled(&mut self, no: CallNo) {
        self.requests.retain(|request| request.call != no);
    }

    /// The command that decides what is shown.
    pub(super) fn decide(&mut self, verdict: Verdict) -> Option<Command> {
        let request = self.shown_request()?.clone();
        self.settled(request.call);
        Some(request.command(verdict))
    }

    /// A command that was typed decides as the keys do.
    pub(super) fn note_decision(&mut self, command: &Command) {
        if let Command::AcceptTransfer { call }
        | Command::RefuseTransfer { call }
        | Command::AcceptRedirect { call }
        | Command::RefuseRedirect { call } = command
            && let Some(no) = call.or_else(|| self.shown_request().map(|request| request.call))
        {
            self.settled(no);
        }
    }
}
