//! What the person switches: do not disturb and the forwardings, for all accounts or for one; and voice messages.

use crate::phone::Command;
use crate::phone::command::ForwardChange;
use crate::services::forwarding::{Forward, SECONDS, When};

use super::line::{Line, Purpose};
use super::trace::Step;
use super::{App, Effect, Screen, paste, text};

/// What can be switched, in the order of the panel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Service {
    /// Nobody rings here.
    Dnd,
    /// Calls are sent elsewhere.
    Forward(When),
}

impl Service {
    /// All of them.
    pub const ALL: [Service; 4] =
        [Service::Dnd, Service::Forward(When::Always), Service::Forward(When::Busy), Service::Forward(When::NoAnswer)];
}

/// The panel in which they are switched.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Panel {
    /// For which account; `None`: for all.
    pub account: Option<String>,
    /// The chosen row.
    pub row: usize,
}

impl Panel {
    /// The chosen service.
    pub fn chosen(&self) -> Service {
        Service::ALL[self.row.min(Service::ALL.len() - 1)]
    }

    pub(super) fn step(&mut self, step: Step) {
        self.row = match step {
            Step::Up(by) => self.row.saturating_sub(by),
            Step::Down(by) => self.row.saturating_add(by).min(Service::ALL.len() - 1),
        };
    }
}

impl App {
    /// The panel, if it is open.
    pub fn panel(&self) -> Option<&Panel> {
        self.screens.iter().find_map(|screen| match screen {
            Screen::Services(panel) => Some(panel),
            _ => None,
        })
    }

    /// The forwardings of a kind that are on, for one account or for any.
    pub fn forwardings(&self, account: Option<&str>, when: When) -> impl Iterator<Item = &Forward> {
        let meant = move |forward: &&Forward| account.is_none() || forward.account.as_deref() == account;
        self.forwarding.iter().filter(move |forward| forward.when == when).filter(meant)
    }

    /// The accounts that are not to be disturbed; of them the one, if one is meant.
    pub fn undisturbed(&self, account: Option<&str>) -> impl Iterator<Item = &Option<String>> {
        self.dnd.iter().filter(move |name| account.is_none() || name.as_deref() == account)
    }

    /// Switches the chosen service off, or on; for a forwarding it is asked where to.
    pub(super) fn switch(&mut self) -> Vec<Effect> {
        let Some(panel) = self.panel().cloned() else { return Vec::new() };
        let account = panel.account.as_deref();
        let command = match panel.chosen() {
            Service::Dnd => {
                let is_on = self.undisturbed(account).next().is_some();
                Command::Dnd { account: panel.account, on: Some(!is_on) }
            }
            Service::Forward(when) => {
                if self.forwardings(account, when).next().is_none() {
                    let mut line = Line::new(Purpose::Forward(when));
                    line.account = panel.account;
                    return self.open(Screen::Line(line));
                }
                Command::Forward { account: panel.account, change: ForwardChange::Off(Some(when)) }
            }
        };
        vec![Effect::Command(command)]
    }

    /// The account whose voice messages are heard by a key: one with new ones first.
    fn mailbox(&self) -> Option<(&str, &str)> {
        let boxes = || {
            let boxes = self.accounts.iter();
            boxes.filter_map(|account| Some((account, account.mailbox.as_deref().filter(|uri| !uri.is_empty())?)))
        };
        let new = boxes().find(|(account, _)| account.messages.is_some_and(|(new, _)| new > 0));
        new.or_else(|| boxes().next()).map(|(account, mailbox)| (account.name.as_str(), mailbox))
    }

    /// Whether some account has voice messages that can be called.
    pub fn has_mailbox(&self) -> bool {
        self.mailbox().is_some()
    }

    /// Calls the mailbox.
    pub(super) fn voicemail(&mut self) -> Vec<Effect> {
        match self.mailbox() {
            Some((account, mailbox)) => {
                let (account, target) = (Some(account.to_owned()), mailbox.to_owned());
                vec![Effect::Command(Command::Call { account, target })]
            }
            None => Vec::new(),
        }
    }
}

/// The command of a line that says where calls go; behind a target may stand after how many seconds, where that matters.
pub(super) fn forward(when: When, account: Option<String>, typed: &str) -> Result<Command, String> {
    // The letter tells a time from a part of a number that is written with blanks.
    let timed = typed.trim().strip_suffix('s').and_then(|rest| rest.trim_end().rsplit_once(char::is_whitespace));
    let timed = timed.and_then(|(target, seconds)| Some((target, seconds.parse::<u32>().ok()?)));
    let (target, seconds) = match (when, timed) {
        (When::NoAnswer, Some((_, seconds))) if !SECONDS.contains(&seconds) => {
            return Err(text::seconds_range(&SECONDS));
        }
        (When::NoAnswer, Some((target, seconds))) => (target, Some(seconds)),
        (When::Always | When::Busy | When::NoAnswer, _) => (typed, None),
    };
    let change = ForwardChange::To { when, target: paste::target(target.trim()), seconds };
    Ok(Command::Forward { account, change })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seconds_may_stand_behind_the_target() {
        let read = |when, typed: &str| match forward(when, None, typed) {
            Ok(Command::Forward { change: ForwardChange::To { target, seconds, .. }, .. }) => Some((target, seconds)),
            _ => None,
        };
        assert_eq!(read(When::NoAnswer, "bob 30 s"), Some(("bob".into(), Some(30))));
        assert_eq!(read(When::NoAnswer, "sip:bob@example.com 5s"), Some(("sip:bob@example.com".into(), Some(5))));
        assert_eq!(read(When::NoAnswer, "+49 30 123"), Some(("+4930123".into(), None)));
        assert_eq!(read(When::NoAnswer, "bob 9999 s"), None);
        assert_eq!(read(When::NoAnswer, "Alice Jones"), Some(("Alice Jones".into(), None)));
        assert_eq!(read(When::Busy, "030 12"), Some(("03012".into(), None)));
        assert_eq!(read(When::Always, "Bob Miller"), Some(("Bob Miller".into(), None)));
    }
}
