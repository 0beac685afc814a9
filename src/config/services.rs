//! `[[screening]]`, `[[dialplan]]` and `[speed_dial]`: their keys, and the rules that they make.

use super::keys::{Key, Kind};
use crate::services::dialplan::Rewrite;
use crate::services::screening::{Action, Calls, Rule};

/// `[[screening]]` as it is written.
#[derive(Debug, Default)]
pub struct ScreeningDraft {
    name: String,
    calls: Option<Calls>,
    account: Option<String>,
    action: Option<Action>,
    patterns: Vec<String>,
}

/// `[[dialplan]]` as it is written.
#[derive(Debug, Default)]
pub struct DialplanDraft {
    name: String,
    account: Option<String>,
    pattern: String,
    to: String,
    tests: Vec<(String, String)>,
}

const NAME: &str = "a name in quotes";
const ACCOUNT: &str = "an account's name in quotes";

fn named(text: &str) -> Result<String, String> {
    match text.trim().is_empty() || text.chars().any(char::is_control) {
        true => Err("it is empty or has control characters".into()),
        false => Ok(text.trim().to_owned()),
    }
}

/// The keys of `[[screening]]`.
pub const SCREENING: &[Key<ScreeningDraft>] = &[
    Key {
        name: "name",
        kind: Kind::Text { expected: NAME, set: |draft, text| named(text).map(|name| draft.name = name) },
    },
    Key {
        name: "calls",
        kind: Kind::Choice {
            words: &["incoming", "outgoing"],
            set: |draft, i| draft.calls = Some([Calls::Incoming, Calls::Outgoing][i]),
        },
    },
    Key {
        name: "account",
        kind: Kind::Text { expected: ACCOUNT, set: |draft, text| named(text).map(|name| draft.account = Some(name)) },
    },
    Key {
        name: "action",
        kind: Kind::Choice {
            words: &["allow", "forbid", "decline", "silence"],
            set: |draft, i| {
                draft.action = Some([Action::Allow, Action::Refuse(403), Action::Refuse(603), Action::Silence][i]);
            },
        },
    },
    Key {
        name: "match",
        kind: Kind::List {
            expected: "a list such as [\"+49900*\", \"*@spam.example\", \"anonymous\"]",
            set: |draft, list| {
                draft.patterns = list;
                Ok(())
            },
        },
    },
];

/// The keys of `[[dialplan]]`.
pub const DIALPLAN: &[Key<DialplanDraft>] = &[
    Key {
        name: "name",
        kind: Kind::Text { expected: NAME, set: |draft, text| named(text).map(|name| draft.name = name) },
    },
    Key {
        name: "account",
        kind: Kind::Text { expected: ACCOUNT, set: |draft, text| named(text).map(|name| draft.account = Some(name)) },
    },
    Key {
        name: "match",
        kind: Kind::Text {
            expected: "a pattern such as \"0[1-9]*\"",
            set: |draft, text| named(text).map(|pattern| draft.pattern = pattern),
        },
    },
    Key {
        name: "to",
        kind: Kind::Text {
            expected: "what the number becomes, such as \"+49$1$2\"",
            set: |draft, text| named(text).map(|to| draft.to = to),
        },
    },
    Key { name: "test", kind: Kind::Chains { set: set_tests } },
];

fn set_tests(draft: &mut DialplanDraft, pairs: Vec<Vec<String>>) -> Result<(), String> {
    for pair in pairs {
        let [dialled, called] = pair.as_slice() else {
            return Err("each test is a pair: what is dialled, what is called".into());
        };
        draft.tests.push((dialled.clone(), called.clone()));
    }
    Ok(())
}

impl ScreeningDraft {
    /// The rule; `place` counts from 1 and names it where the file does not.
    ///
    /// # Errors
    /// What it lacks, or what is wrong in it.
    pub fn rule(self, place: usize) -> Result<Rule, String> {
        let calls = self.calls.ok_or("a rule needs calls = \"incoming\" or \"outgoing\"")?;
        let action = self.action.ok_or("a rule needs an action, such as \"forbid\"")?;
        if self.patterns.is_empty() {
            return Err("a rule needs a match, such as [\"+49900*\"]".into());
        }
        if calls == Calls::Outgoing && matches!(action, Action::Silence | Action::Refuse(603)) {
            return Err("a rule for outgoing calls allows or forbids".into());
        }
        let name = if self.name.is_empty() { format!("screening {place}") } else { self.name };
        Rule::new(&name, calls, self.account, action, &self.patterns)
            .map_err(|(pattern, error)| format!("match: \"{}\": {error}", pattern.escape_debug()))
    }
}

impl DialplanDraft {
    /// The rule; `place` counts from 1 and names it where the file does not.
    ///
    /// # Errors
    /// What it lacks, or what is wrong in it.
    pub fn rule(self, place: usize) -> Result<Rewrite, String> {
        let pattern = self.pattern.parse().map_err(|error| format!("match: {error}"))?;
        let name = if self.name.is_empty() { format!("dialplan {place}") } else { self.name };
        let rule = Rewrite { name, account: self.account, pattern, to: self.to, tests: self.tests };
        rule.check().map_err(|error| format!("to: {error}"))?;
        Ok(rule)
    }
}

/// A short number of `[speed_dial]`.
///
/// # Errors
/// It is none.
pub fn short_number(key: &str) -> Result<(), String> {
    match (1..=4).contains(&key.len()) && key.bytes().all(|byte| byte.is_ascii_digit()) {
        true => Ok(()),
        false => Err("a short number has one to four digits; it is dialled with a star in front".into()),
    }
}
