//! `config check`: the dial plan's tests, and what becomes of a number.

use crate::config::{Config, address};
use crate::phone::target;
use crate::services::screening::{Calls, Screening};

use super::exit::{Exit, Failure};

/// Runs the tests of the dial plan and says what becomes of each number.
pub fn check(config: &Config, numbers: &[String], account: Option<&str>) -> Result<String, Failure> {
    let mut tests = 0;
    for rule in &config.dialplan {
        let account = rule.account.as_deref().or(account);
        for (dialled, expected) in &rule.tests {
            let becomes = Becomes::of(config, account, dialled);
            if becomes.rewritten != *expected && becomes.called.as_ref() != Ok(expected) {
                let problem = format!("dialplan: rule '{}': {dialled} becomes {becomes}, not {expected}", rule.name);
                return Err(Failure::new(Exit::Usage, problem));
            }
            tests += 1;
        }
    }
    let mut lines = Vec::new();
    if !config.dialplan.is_empty() {
        lines.push(format!("dial plan: {} rules, {tests} tests passed\n", config.dialplan.len()));
    }
    for number in numbers {
        lines.push(format!("{number}: {}\n", Becomes::of(config, account, number)));
    }
    Ok(lines.concat())
}

/// What becomes of what was dialled.
struct Becomes {
    rewritten: String,
    called: Result<String, String>,
    by: Vec<String>,
    forbidden: Option<String>,
}

impl Becomes {
    fn of(config: &Config, account: Option<&str>, dialled: &str) -> Becomes {
        let account = match account {
            Some(name) => config.accounts.iter().find(|account| account.name == name),
            None => config.accounts.first(),
        };
        let name = account.map(|account| account.name.as_str());
        let plan = config.dial_plan().apply(name, dialled);
        let uri = account.and_then(|account| address::of_record(&account.uri).ok());
        let called =
            target::parse(&plan.target, uri.as_ref()).map(|uri| uri.to_string()).map_err(|error| error.to_string());
        let screening = Screening { rules: config.screening.clone(), emergency: config.emergency() };
        let forbidden = called.as_ref().ok().and_then(|uri| screening.check(Calls::Outgoing, name, uri));
        let forbidden = forbidden.map(|rule| rule.name.clone());
        Becomes { rewritten: plan.target, called, by: plan.by, forbidden }
    }
}

impl std::fmt::Display for Becomes {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match &self.called {
            Ok(uri) => f.write_str(uri)?,
            Err(error) => write!(f, "{} ({error})", self.rewritten)?,
        }
        if !self.by.is_empty() {
            write!(f, " by {}", self.by.join(", then "))?;
        }
        match &self.forbidden {
            Some(rule) => write!(f, ", which rule '{rule}' forbids to call"),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::config::read::read;

    const RULES: &str = "[[account]]\nuri = \"sip:alice@pbx.example.com\"\n\
        [[dialplan]]\nname = \"inland\"\nmatch = \"0[1-9]*\"\nto = \"+49$1$2\"\n";

    fn checked(more: &str, numbers: &[&str]) -> Result<String, String> {
        let config = read(Path::new("c.toml"), &format!("{RULES}{more}")).map_err(|error| error.to_string())?;
        let numbers: Vec<String> = numbers.iter().map(|number| (*number).to_owned()).collect();
        check(&config, &numbers, None).map_err(|failure| failure.message)
    }

    #[test]
    fn what_numbers_become() {
        let more = "[speed_dial]\n1 = \"0900 1\"\n[[screening]]\nname = \"premium\"\ncalls = \"outgoing\"\naction = \"forbid\"\nmatch = [\"+49900*\"]\n";
        assert_eq!(
            checked(more, &["030 12", "*1", "112", "bob@x"]).unwrap(),
            "dial plan: 1 rules, 0 tests passed\n\
             030 12: sip:+493012@pbx.example.com by rule 'inland'\n\
             *1: sip:+499001@pbx.example.com by speed dial *1, then rule 'inland', which rule 'premium' forbids to call\n\
             112: sip:112@pbx.example.com\n\
             bob@x: sip:bob@x\n"
        );
    }

    #[test]
    fn the_tests_are_tried() {
        let good = "test = [[\"030-1\", \"+49301\"], [\"0301\", \"sip:+49301@pbx.example.com\"]]\n";
        assert_eq!(checked(good, &[]).unwrap(), "dial plan: 1 rules, 2 tests passed\n");
        let bad = "test = [[\"030\", \"030\"]]\n";
        let problem = "dialplan: rule 'inland': 030 becomes sip:+4930@pbx.example.com by rule 'inland', not 030";
        assert_eq!(checked(bad, &[]).unwrap_err(), problem);
    }
}
