//! Forwarding and do not disturb, as a person switches them: per account, remembered over restarts (sections 2.5 to 2.7).

use serde::{Deserialize, Serialize};

use super::address::Who;

/// When a call is forwarded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum When {
    /// Each call.
    Always,
    /// While another call is up or rings here, or do not disturb is on.
    Busy,
    /// When nobody has answered for some seconds.
    NoAnswer,
}

impl When {
    /// All of them.
    pub const ALL: [When; 3] = [When::Always, When::Busy, When::NoAnswer];

    /// As a command has it.
    pub fn word(self) -> &'static str {
        match self {
            When::Always => "always",
            When::Busy => "busy",
            When::NoAnswer => "no-answer",
        }
    }
}

/// A forwarding that is on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Forward {
    /// The account whose calls it is for; `None`: those without one.
    pub account: Option<String>,
    /// When.
    pub when: When,
    /// To which URI.
    pub to: String,
    /// After so many seconds, for [`When::NoAnswer`].
    pub seconds: Option<u32>,
}

/// Seconds after which a call that nobody answers is forwarded, unless told.
pub const NO_ANSWER: u32 = 20;
/// The range of these seconds.
pub const SECONDS: std::ops::RangeInclusive<u32> = 1..=600;

/// What the person has switched on.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Switches {
    /// The forwardings that are on.
    pub forwarding: Vec<Forward>,
    /// The accounts that are not to be disturbed; `None`: calls without an account.
    pub dnd: Vec<Option<String>>,
}

/// Why a forwarding is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[allow(missing_docs)]
pub enum ForwardError {
    #[error("{0} is this account itself: the call would come back")]
    ToSelf(String),
    #[error("calls can't be forwarded to an emergency number")]
    Emergency,
}

/// What becomes of a call that comes in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Decision {
    /// It rings; when nobody answers for so many seconds it goes to the URI.
    Ring { no_answer: Option<(u32, String)> },
    /// It goes to the URI.
    Forward { to: String, when: When },
    /// The person is not to be disturbed.
    Refuse,
}

impl Switches {
    /// Switches a forwarding on, in place of the account's own of the same kind.
    ///
    /// # Errors
    /// [`ForwardError`]; nothing has changed.
    pub fn forward(&mut self, forward: Forward, own: Option<&str>) -> Result<(), ForwardError> {
        if own.is_some_and(|own| Who::of(own) == Who::of(&forward.to)) {
            return Err(ForwardError::ToSelf(forward.to));
        }
        self.stop(forward.account.as_deref(), Some(forward.when));
        self.forwarding.push(forward);
        self.forwarding.sort_by(|a, b| (&a.account, a.when).cmp(&(&b.account, b.when)));
        Ok(())
    }

    /// Switches the account's forwarding off: one kind, or all.
    pub fn stop(&mut self, account: Option<&str>, when: Option<When>) {
        let meant =
            |forward: &Forward| forward.account.as_deref() == account && when.is_none_or(|when| forward.when == when);
        self.forwarding.retain(|forward| !meant(forward));
    }

    /// The account's forwarding of a kind.
    pub fn forwarding(&self, account: Option<&str>, when: When) -> Option<&Forward> {
        self.forwarding.iter().find(|forward| forward.account.as_deref() == account && forward.when == when)
    }

    /// Whether the account is not to be disturbed.
    pub fn is_dnd(&self, account: Option<&str>) -> bool {
        self.dnd.iter().any(|other| other.as_deref() == account)
    }

    /// Switches do not disturb.
    pub fn set_dnd(&mut self, account: Option<&str>, on: bool) {
        self.dnd.retain(|other| other.as_deref() != account);
        if on {
            self.dnd.push(account.map(str::to_owned));
            self.dnd.sort();
        }
    }

    /// What becomes of a call for an account; `busy`: another call is up or rings here.
    pub fn decide(&self, account: Option<&str>, busy: bool) -> Decision {
        let to = |when| self.forwarding(account, when).map(|forward| forward.to.clone());
        if let Some(to) = to(When::Always) {
            return Decision::Forward { to, when: When::Always };
        }
        let dnd = self.is_dnd(account);
        if let (true, Some(to)) = (busy || dnd, to(When::Busy)) {
            return Decision::Forward { to, when: When::Busy };
        }
        if dnd {
            return Decision::Refuse;
        }
        let no_answer = self.forwarding(account, When::NoAnswer);
        let no_answer = no_answer.map(|forward| (forward.seconds.unwrap_or(NO_ANSWER), forward.to.clone()));
        Decision::Ring { no_answer }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn forward(account: Option<&str>, when: When, to: &str) -> Forward {
        let seconds = (when == When::NoAnswer).then_some(15);
        Forward { account: account.map(Into::into), when, to: to.into(), seconds }
    }

    #[test]
    fn s2_5_to_s2_7_always_wins_over_busy_over_no_answer() {
        let mut switches = Switches::default();
        let work = Some("work");
        assert_eq!(switches.decide(work, true), Decision::Ring { no_answer: None });
        switches.forward(forward(work, When::NoAnswer, "sip:n@x"), None).unwrap();
        switches.forward(forward(work, When::Busy, "sip:b@x"), None).unwrap();
        assert_eq!(switches.decide(work, false), Decision::Ring { no_answer: Some((15, "sip:n@x".into())) });
        assert_eq!(switches.decide(work, true), Decision::Forward { to: "sip:b@x".into(), when: When::Busy });
        switches.forward(forward(work, When::Always, "sip:a@x"), None).unwrap();
        assert_eq!(switches.decide(work, true), Decision::Forward { to: "sip:a@x".into(), when: When::Always });
        assert_eq!(switches.decide(Some("home"), true), Decision::Ring { no_answer: None });
        assert_eq!(switches.decide(None, true), Decision::Ring { no_answer: None });
        switches.stop(work, Some(When::Always));
        assert!(matches!(switches.decide(work, true), Decision::Forward { when: When::Busy, .. }));
        switches.stop(work, None);
        assert_eq!(switches, Switches::default());
    }

    #[test]
    fn do_not_disturb_refuses_unless_busy_calls_are_forwarded() {
        let mut switches = Switches::default();
        switches.set_dnd(None, true);
        switches.set_dnd(None, true);
        assert_eq!(switches.decide(None, false), Decision::Refuse);
        assert_eq!(switches.decide(Some("work"), false), Decision::Ring { no_answer: None });
        switches.forward(forward(None, When::Busy, "sip:b@x"), None).unwrap();
        assert_eq!(switches.decide(None, false), Decision::Forward { to: "sip:b@x".into(), when: When::Busy });
        switches.set_dnd(None, false);
        assert_eq!(switches.dnd, []);
    }

    #[test]
    fn a_forwarding_to_oneself_is_refused_and_one_replaces_another() {
        let mut switches = Switches::default();
        let to_self = switches.forward(forward(None, When::Always, "sip:ALICE@Pbx:5060"), Some("sip:ALICE@pbx"));
        assert!(matches!(to_self, Err(ForwardError::ToSelf(_))));
        assert_eq!(switches, Switches::default());
        for to in ["sip:b@x", "sip:c@x"] {
            switches.forward(forward(None, When::Always, to), Some("sip:alice@pbx")).unwrap();
        }
        assert_eq!(switches.forwarding.len(), 1);
        let kept = serde_json::to_string(&switches).unwrap();
        assert_eq!(serde_json::from_str::<Switches>(&kept).unwrap(), switches);
    }
}
