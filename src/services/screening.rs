//! Screening: an ordered list of rules for calls that come in and calls that go out (sections 2.11 and 2.12). The first rule
//! that matches decides; where none does, the call is let through.

use super::address::{Who, number};
use super::pattern::{Pattern, PatternError};

/// Which calls a rule is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Calls {
    /// Those that come in; whom it matches is the caller.
    Incoming,
    /// Those that go out; whom it matches is called.
    Outgoing,
}

/// What a rule does with a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    /// Lets it through, whatever the rules behind it say.
    Allow,
    /// Refuses it with a status code; an outgoing one is refused before anything leaves.
    Refuse(u16),
    /// The caller hears it ring until the time for that is up (480); here nothing rings and nothing shows.
    Silence,
}

/// Whom a rule means.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Meant {
    /// `anonymous`: who does not say who he is.
    Anonymous,
    /// `*`.
    Everybody,
    /// A number or a user's name.
    User(Pattern),
    /// A domain.
    Host(Pattern),
    /// Both.
    Both(Pattern, Pattern),
}

impl Meant {
    fn parse(text: &str) -> Result<Meant, PatternError> {
        let text = text.trim();
        match text {
            "" => return Err(PatternError::Empty),
            "*" => return Ok(Meant::Everybody),
            "anonymous" => return Ok(Meant::Anonymous),
            _ => {}
        }
        let bare = text.strip_prefix("sips:").or_else(|| text.strip_prefix("sip:")).unwrap_or(text);
        let bare = bare.strip_prefix("tel:").unwrap_or(bare);
        if let Some((user, host)) = bare.rsplit_once('@') {
            if user.is_empty() || user == "*" {
                return Ok(Meant::Host(host.parse()?));
            }
            return Ok(Meant::Both(number_pattern(user)?, host.parse()?));
        }
        let is_number = |c: char| c.is_ascii_digit() || "+*#?[]-\\ ()./".contains(c);
        match bare.chars().all(is_number) || !bare.contains('.') {
            true => Ok(Meant::User(number_pattern(bare)?)),
            false => Ok(Meant::Host(bare.parse()?)),
        }
    }

    fn matches(&self, who: &Who) -> bool {
        match self {
            Meant::Anonymous => who.is_anonymous(),
            Meant::Everybody => true,
            Meant::User(user) => user.matches(&who.user),
            Meant::Host(host) => host.matches(&who.host),
            Meant::Both(user, host) => user.matches(&who.user) && host.matches(&who.host),
        }
    }
}

/// A number's pattern may be written with separators and with `00`, as numbers are. A set keeps its `-`.
fn number_pattern(text: &str) -> Result<Pattern, PatternError> {
    let text = if text.contains('[') { text.to_owned() } else { number(&text.replace(['(', ')', ' '], "")) };
    match text.strip_prefix("00") {
        Some(rest) if !rest.is_empty() => format!("+{rest}").parse(),
        _ => text.parse(),
    }
}

/// A rule.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rule {
    /// Its name, for the person who is refused.
    pub name: String,
    /// Which calls it is for.
    pub calls: Calls,
    /// The account that it is for; `None`: all.
    pub account: Option<String>,
    /// What it does.
    pub action: Action,
    meant: Vec<Meant>,
}

impl Rule {
    /// A rule for whoever one of `patterns` means.
    ///
    /// # Errors
    /// The pattern that is none, and why.
    pub fn new(
        name: &str,
        calls: Calls,
        account: Option<String>,
        action: Action,
        patterns: &[String],
    ) -> Result<Rule, (String, PatternError)> {
        let meant = patterns.iter().map(|text| Meant::parse(text).map_err(|error| (text.clone(), error)));
        Ok(Rule { name: name.to_owned(), calls, account, action, meant: meant.collect::<Result<_, _>>()? })
    }
}

/// Numbers that no rule ever touches.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Emergency(Vec<String>);

impl Emergency {
    /// A list of numbers.
    pub fn new(numbers: &[String]) -> Emergency {
        Emergency(numbers.iter().map(|text| number(text)).collect())
    }

    /// Whether a URI or a number is one of them.
    pub fn is(&self, address: &str) -> bool {
        let who = Who::of(address);
        self.0.contains(&who.user)
    }
}

/// All rules, in their order.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Screening {
    /// The rules.
    pub rules: Vec<Rule>,
    /// The numbers that they never touch.
    pub emergency: Emergency,
}

impl Screening {
    /// What becomes of a call, and the rule that says so; `None`: it is let through.
    pub fn check(&self, calls: Calls, account: Option<&str>, address: &str) -> Option<&Rule> {
        if self.emergency.is(address) {
            return None;
        }
        let who = Who::of(address);
        let for_account = |rule: &Rule| rule.account.is_none() || rule.account.as_deref() == account;
        let matching = |rule: &&Rule| {
            rule.calls == calls && for_account(rule) && rule.meant.iter().any(|meant| meant.matches(&who))
        };
        self.rules.iter().find(matching).filter(|rule| rule.action != Action::Allow)
    }

    /// The name of the rule that forbids to call an address.
    pub fn forbids(&self, account: Option<&str>, address: &str) -> Option<String> {
        self.check(Calls::Outgoing, account, address).map(|rule| rule.name.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rule(name: &str, calls: Calls, action: Action, patterns: &[&str]) -> Rule {
        let patterns: Vec<String> = patterns.iter().map(|text| (*text).to_owned()).collect();
        Rule::new(name, calls, None, action, &patterns).unwrap()
    }

    fn screening(rules: Vec<Rule>) -> Screening {
        Screening { rules, emergency: Emergency::new(&["112".into(), "911".into()]) }
    }

    #[test]
    fn s2_11_the_first_rule_that_matches_decides() {
        let screening = screening(vec![
            rule("friends", Calls::Incoming, Action::Allow, &["+49 30 123*", "*@good.example"]),
            rule(
                "spam",
                Calls::Incoming,
                Action::Refuse(603),
                &["+4930*", "spam.example", "*.spam.example", "ping*@*"],
            ),
            rule("hidden", Calls::Incoming, Action::Silence, &["anonymous"]),
        ]);
        let check = |address: &str| screening.check(Calls::Incoming, None, address).map(|rule| rule.name.as_str());
        for (address, expected) in [
            ("sip:+4930123@pbx", None),
            ("sip:0049301234@pbx", None),
            ("sip:+4930999@pbx", Some("spam")),
            ("sip:0049-30-999@pbx", Some("spam")),
            ("sip:+4930999@good.example", None),
            ("sip:x@spam.example:5080", Some("spam")),
            ("sip:x@a.spam.example", Some("spam")),
            ("sip:x@notspam.example", None),
            ("sip:PING1@host", Some("spam")),
            ("sip:anonymous@anonymous.invalid", Some("hidden")),
            ("sip:bob@pbx", None),
        ] {
            assert_eq!(check(address), expected, "{address}");
        }
        assert_eq!(screening.check(Calls::Outgoing, None, "sip:x@spam.example"), None);
    }

    #[test]
    fn s2_12_emergency_numbers_are_never_touched() {
        let screening = screening(vec![rule("nothing", Calls::Outgoing, Action::Refuse(403), &["*"])]);
        assert_eq!(screening.forbids(None, "sip:112@pbx"), None);
        assert_eq!(screening.forbids(None, "sip:1-1-2;x=y@pbx;user=phone"), None);
        assert_eq!(screening.forbids(None, "sip:1120@pbx").as_deref(), Some("nothing"));
    }

    #[test]
    fn a_rule_of_one_account_leaves_the_others_alone() {
        let mut one = rule("premium", Calls::Outgoing, Action::Refuse(403), &["0900*"]);
        one.account = Some("work".into());
        let screening = screening(vec![one]);
        assert!(screening.forbids(Some("work"), "sip:0900-1@pbx").is_some());
        assert!(screening.forbids(Some("home"), "sip:09001@pbx").is_none());
        assert!(screening.forbids(None, "sip:09001@pbx").is_none());
    }

    #[test]
    fn a_number_can_not_be_written_around_a_rule() {
        let screening = screening(vec![rule("premium", Calls::Outgoing, Action::Refuse(403), &["+49900*"])]);
        for address in [
            "sip:+49900123@pbx",
            "sip:%2B49900123@pbx",
            "sip:0049900123@pbx",
            "sip:+49-900-123;ext=1@pbx",
            "tel:+49.900.1",
        ] {
            assert_eq!(screening.forbids(None, address).as_deref(), Some("premium"), "{address}");
        }
    }
}
