//! What a number that was dialled becomes: speed dial, then the first rewrite rule that matches.

use std::collections::BTreeMap;

use super::address::without_separators;
use super::pattern::Pattern;
use super::screening::Emergency;

/// A rewrite rule.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rewrite {
    /// Its name, for the person.
    pub name: String,
    /// The account whose calls it is for; `None`: all.
    pub account: Option<String>,
    /// What it matches: all of a bare number or name.
    pub pattern: Pattern,
    /// What that becomes: `$1` is what the first wildcard took, `$$` a dollar.
    pub to: String,
    /// What was dialled, and what is to be called then: `config check` tries them.
    pub tests: Vec<(String, String)>,
}

/// Why a rule's `to` can't be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[allow(missing_docs)]
pub enum TemplateError {
    #[error("it is empty")]
    Empty,
    #[error("${0}: the pattern has {1} wildcards")]
    NoSuch(usize, usize),
    #[error("$ is followed by a digit from 1 to 9, or by another $")]
    Dollar,
}

impl Rewrite {
    /// Checks `to` against the pattern.
    ///
    /// # Errors
    /// [`TemplateError`].
    pub fn check(&self) -> Result<(), TemplateError> {
        let nothing = vec![String::new(); self.pattern.wildcards()];
        if self.to.trim().is_empty() {
            return Err(TemplateError::Empty);
        }
        fill(&self.to, &nothing).map(|_| ())
    }
}

/// The template with what the wildcards took.
fn fill(template: &str, taken: &[String]) -> Result<String, TemplateError> {
    let mut out = String::new();
    let mut rest = template.chars();
    while let Some(c) = rest.next() {
        if c != '$' {
            out.push(c);
            continue;
        }
        match rest.next() {
            Some('$') => out.push('$'),
            Some(digit @ '1'..='9') => {
                let place = digit as usize - '0' as usize;
                out.push_str(taken.get(place - 1).ok_or(TemplateError::NoSuch(place, taken.len()))?);
            }
            Some(_) | None => return Err(TemplateError::Dollar),
        }
    }
    Ok(out)
}

/// The rules and the short numbers.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct DialPlan {
    /// The first one that matches rewrites.
    pub rules: Vec<Rewrite>,
    /// Targets by their short number, dialled with a star in front.
    pub speed_dial: BTreeMap<String, String>,
    /// Numbers that no rule touches.
    pub emergency: Emergency,
}

/// What became of a target.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Dialled {
    /// What is to be called.
    pub target: String,
    /// What made it so, for the person, in the order in which it was done.
    pub by: Vec<String>,
}

impl DialPlan {
    /// What a target that a person wrote becomes. Addresses with a scheme or a host are left as they are.
    pub fn apply(&self, account: Option<&str>, text: &str) -> Dialled {
        let mut dialled = Dialled { target: text.trim().to_owned(), by: Vec::new() };
        if self.emergency.is(&dialled.target) {
            return dialled;
        }
        if let Some((key, target)) = dialled.target.strip_prefix('*').and_then(|key| self.speed_dial.get_key_value(key))
        {
            dialled = Dialled { target: target.clone(), by: vec![format!("speed dial *{key}")] };
        }
        if dialled.target.contains(['@', ':', '<']) || self.emergency.is(&dialled.target) {
            return dialled;
        }
        let bare = without_separators(&dialled.target);
        let rules = self.rules.iter().filter(|rule| rule.account.is_none() || rule.account.as_deref() == account);
        let found = rules.filter_map(|rule| Some((rule, fill(&rule.to, &rule.pattern.captures(&bare)?).ok()?))).next();
        if let Some((rule, target)) = found {
            dialled.target = target;
            dialled.by.push(format!("rule '{}'", rule.name));
        }
        dialled
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rule(name: &str, pattern: &str, to: &str) -> Rewrite {
        Rewrite {
            name: name.into(),
            account: None,
            pattern: pattern.parse().unwrap(),
            to: to.into(),
            tests: Vec::new(),
        }
    }

    fn plan() -> DialPlan {
        DialPlan {
            rules: vec![
                rule("abroad", "00*", "+$1"),
                rule("inland", "0[1-9]*", "+49$1$2"),
                rule("door", "door", "\\x$$"),
            ],
            speed_dial: [("1".to_owned(), "bob@example.com".to_owned()), ("2".to_owned(), "030 12".to_owned())].into(),
            emergency: Emergency::new(&["0911".into()]),
        }
    }

    #[test]
    fn numbers_become_what_the_rules_say() {
        for (dialled, target, by) in [
            ("0171 123-45", "+4917112345", vec!["rule 'inland'"]),
            ("00441", "+441", vec!["rule 'abroad'"]),
            ("*1", "bob@example.com", vec!["speed dial *1"]),
            ("*2", "+493012", vec!["speed dial *2", "rule 'inland'"]),
            ("*97", "*97", vec![]),
            ("0911", "0911", vec![]),
            ("sip:0171@pbx", "sip:0171@pbx", vec![]),
            ("0171@pbx", "0171@pbx", vec![]),
            ("600", "600", vec![]),
            ("door", "\\x$", vec!["rule 'door'"]),
        ] {
            let by = by.into_iter().map(String::from).collect();
            assert_eq!(plan().apply(None, dialled), Dialled { target: target.into(), by }, "{dialled}");
        }
    }

    #[test]
    fn a_rule_of_one_account_is_for_that_one() {
        let mut one = rule("outside", "*", "0$1");
        one.account = Some("work".into());
        let plan = DialPlan { rules: vec![one], ..DialPlan::default() };
        assert_eq!(plan.apply(Some("work"), "5").target, "05");
        assert_eq!(plan.apply(Some("home"), "5").target, "5");
    }

    #[test]
    fn templates_are_checked() {
        assert_eq!(rule("x", "0*", "$1").check(), Ok(()));
        assert_eq!(rule("x", "0*", "$2").check(), Err(TemplateError::NoSuch(2, 1)));
        assert_eq!(rule("x", "0*", "a$").check(), Err(TemplateError::Dollar));
        assert_eq!(rule("x", "0*", " ").check(), Err(TemplateError::Empty));
    }
}
