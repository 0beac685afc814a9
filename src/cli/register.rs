//! `offhook register`: one registration, its bindings, and away again.

use crate::config::{Config, Events};
use crate::phone::Command;
use crate::phone::advice::{Attempt, advice, words};
use crate::phone::event::Kind;

use super::args;
use super::exit::{Exit, Failure};
use super::session::Session;
use super::text;

/// The configuration of `register`: the chosen account alone, which registers by itself only if nothing else is asked.
pub fn config_for(mut config: Config, arguments: &args::Register) -> Result<Config, Failure> {
    let names: Vec<&str> = config.accounts.iter().map(|account| account.name.as_str()).collect();
    let problem = match names.as_slice() {
        [_] => None,
        [] => Some("no account is configured (offhook setup asks for one)".to_owned()),
        several => Some(format!("several accounts are configured: choose one with --account ({})", several.join(", "))),
    };
    if let Some(problem) = problem {
        return Err(Failure::new(Exit::Usage, problem));
    }
    for account in &mut config.accounts {
        account.register = special(arguments).is_none();
        account.events = Events::none();
    }
    config.calls.direct_calls = Some(false);
    Ok(config)
}

/// What is asked in place of a registration.
fn special(arguments: &args::Register) -> Option<Command> {
    let account = None;
    if arguments.query {
        return Some(Command::QueryBindings { account });
    }
    if arguments.clear {
        return Some(Command::ClearContacts { account });
    }
    arguments.add_contact.clone().map(|contact| Command::AddContact { account, contact })
}

/// Registers, shows the bindings and unregisters, or does what is asked in its place.
pub async fn register(mut session: Session, arguments: &args::Register) -> Result<(), Failure> {
    let outcome = ask(&mut session, arguments).await;
    if arguments.keep && outcome.is_ok() {
        session.leave();
    } else {
        session.quit().await;
    }
    outcome
}

async fn ask(session: &mut Session, arguments: &args::Register) -> Result<(), Failure> {
    if let Some(command) = special(arguments) {
        // Its events are for the loop below.
        session.phone.command(command).await.map_err(|refused| Failure::new(Exit::Usage, refused.message))?;
    }
    loop {
        let event = tokio::select! {
            biased;
            () = session.signals.next() => return Err(Failure::new(Exit::Interrupted, "interrupted")),
            event = session.events.recv() => {
                event.ok_or_else(|| Failure::new(Exit::Internal, "the phone has ended by itself"))?
            }
        };
        if let Kind::RegistrationFailed { account, code, .. } = &event.kind {
            if session.out.is_json() {
                session.out.event(&event).await;
            }
            return Err(failed(account, *code));
        }
        session.out.event(&event).await;
        match &event.kind {
            Kind::Registered { account, contacts, .. } => {
                session.out.note(text::bindings(account, contacts)).await;
                return Ok(());
            }
            Kind::Bindings { .. } | Kind::Unregistered { .. } => return Ok(()),
            _ => {}
        }
    }
}

/// A registration that failed, in words.
pub fn failed(account: &str, code: u16) -> Failure {
    let advice = advice(code, Attempt::Register).map(|advice| format!("; {advice}")).unwrap_or_default();
    Failure::new(Exit::of_registration(code), format!("{account}: not registered: {} ({code}){advice}", words(code)))
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    fn arguments(query: bool) -> args::Register {
        args::Register { keep: false, query, add_contact: None, clear: false }
    }

    fn config(text: &str) -> Config {
        crate::config::read::read(Path::new("c.toml"), text).unwrap()
    }

    #[test]
    fn one_account_is_wanted() {
        let one = "[[account]]\nuri = \"sip:a@b\"\n";
        let two = "[[account]]\nuri = \"sip:a@b\"\n[[account]]\nuri = \"sip:c@d\"\n";
        assert!(config_for(config(one), &arguments(false)).unwrap().accounts[0].register);
        assert!(!config_for(config(one), &arguments(true)).unwrap().accounts[0].register);
        let failure = config_for(config(two), &arguments(false)).unwrap_err();
        assert_eq!(failure.exit, Exit::Usage);
        assert_eq!(failure.message, "several accounts are configured: choose one with --account (a, c)");
        assert_eq!(config_for(config(""), &arguments(false)).unwrap_err().exit, Exit::Usage);
    }

    #[test]
    fn a_failure_has_words_and_advice() {
        let failure = failed("work", 403);
        assert_eq!(failure.exit, Exit::Credentials);
        assert_eq!(
            failure.message,
            "work: not registered: forbidden (403); check account.uri: the PBX may know no such user, or not from this address"
        );
    }
}
