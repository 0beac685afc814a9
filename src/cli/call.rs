//! `offhook call` and `offhook answer`: one call, then exit.

use std::path::Path;
use std::time::Duration;

use tokio::time::{Instant, sleep_until};

use crate::config::{Config, Events};
use crate::phone::command::PlayAs;
use crate::phone::event::Kind;
use crate::phone::{Command, Reply};
use crate::ua::CallNo;
use crate::ua::config::{AutoAnswer, TransferPolicy};

use super::args;
use super::exit::{Exit, Failure};
use super::session::Session;
use super::watch::{Step, Stop, Watch};

/// How long the other side may take to say that it has understood; then the phone is left, which waits once more.
const GOODBYE: Duration = Duration::from_secs(2);

/// What is to happen in the call.
struct Plan<'a> {
    wait_answer: Option<Duration>,
    duration: Option<Duration>,
    digits: Option<&'a str>,
    play: Option<&'a Path>,
}

/// The configuration of `call`: nothing registers, and nobody may ring.
pub fn config_for_call(mut config: Config) -> Config {
    for account in &mut config.accounts {
        account.register = false;
        account.events = Events::none();
    }
    config.calls.auto_answer = AutoAnswer::Never;
    config.calls.direct_calls = Some(false);
    // Nobody is there to ask.
    if config.calls.redirects == TransferPolicy::Ask {
        config.calls.redirects = TransferPolicy::Refuse;
    }
    if config.calls.transfers == TransferPolicy::Ask {
        config.calls.transfers = TransferPolicy::Refuse;
    }
    config
}

/// The configuration of `answer`: one call, answered without a person.
pub fn config_for_answer(mut config: Config, arguments: &args::Answer) -> Config {
    for account in &mut config.accounts {
        account.events = Events::none();
    }
    config.calls.max_calls = 1;
    config.calls.auto_answer = if arguments.code.is_some() { AutoAnswer::Never } else { AutoAnswer::Always };
    config.calls.auto_answer_after = arguments.after;
    // Whoever waits for one call wants it, whatever is switched on for the others.
    config.files.switches = None;
    config
}

/// What can be wrong with the files before anybody is called.
pub fn check_files(play: Option<&Path>, record: Option<&Path>) -> Result<(), Failure> {
    if let Some(path) = play {
        hound::WavReader::open(path).map_err(|error| {
            Failure::new(Exit::Usage, format!("--play {}: not a WAV file that can be read: {error}", path.display()))
        })?;
    }
    let Some(path) = record else { return Ok(()) };
    let folder = match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        Some(_) | None => Path::new("."),
    };
    let fault = |why: &str| Err(Failure::new(Exit::Usage, format!("--record {}: {why}", path.display())));
    if path.is_dir() {
        return fault("that is a folder");
    }
    if folder.is_dir() { Ok(()) } else { fault("there is no such folder") }
}

/// Places a call and sees it through.
pub async fn call(mut session: Session, arguments: &args::Call, account: Option<String>) -> Result<(), Failure> {
    let placed = tokio::select! {
        reply = session.phone.command(Command::Call { account, target: arguments.target.clone() }) => match reply {
            Ok(Reply::Call(call)) => Ok(call),
            Ok(Reply::Done | Reply::State(_) | Reply::People(_)) => Err(Failure::new(Exit::Internal, "the phone gave no call")),
            Err(refused) => Err(Failure::new(Exit::Usage, refused.message)),
        },
        () = session.signals.next() => Err(Failure::new(Exit::Interrupted, "interrupted")),
    };
    let outcome = match placed {
        Ok(call) => {
            let plan = Plan {
                wait_answer: Some(arguments.wait_answer),
                duration: arguments.duration,
                digits: arguments.dtmf.as_deref(),
                play: arguments.play.as_deref(),
            };
            record(&mut session, call, arguments.record.as_deref()).await;
            see_through(&mut session, call, &plan).await
        }
        Err(failure) => Err(failure),
    };
    session.quit().await;
    outcome
}

/// Waits for a call and sees it through.
pub async fn answer(mut session: Session, arguments: &args::Answer) -> Result<(), Failure> {
    let outcome = match incoming(&mut session).await {
        Ok(call) => match arguments.code {
            Some(code) => reject(&mut session, call, code).await,
            None => {
                record(&mut session, call, arguments.record.as_deref()).await;
                let plan = Plan { wait_answer: None, duration: None, digits: None, play: arguments.play.as_deref() };
                see_through(&mut session, call, &plan).await
            }
        },
        Err(failure) => Err(failure),
    };
    session.quit().await;
    outcome
}

/// The next call that comes in.
async fn incoming(session: &mut Session) -> Result<CallNo, Failure> {
    let listen = session.phone.listen();
    session.out.note(format!("waiting for a call at {listen}")).await;
    loop {
        let event = tokio::select! {
            biased;
            () = session.signals.next() => return Err(Failure::new(Exit::Interrupted, "interrupted")),
            event = session.events.recv() => event.ok_or_else(phone_ended)?,
        };
        session.out.event(&event).await;
        match event.kind {
            Kind::Incoming { call, .. } => return Ok(call.call),
            // Transient failures are tried again; a refusal is final.
            Kind::RegistrationFailed { code, retry_in: None, account, .. } => {
                return Err(super::register::failed(&account, code));
            }
            _ => {}
        }
    }
}

async fn reject(session: &mut Session, call: CallNo, code: u16) -> Result<(), Failure> {
    let refuse = Command::Reject { call: Some(call), code: Some(code) };
    session.command(refuse).await.map_err(|refused| Failure::new(Exit::Internal, refused.message))?;
    Ok(())
}

async fn record(session: &mut Session, call: CallNo, path: Option<&Path>) {
    if let Some(path) = path {
        tell(session, Command::Record { call: Some(call), path: Some(path.into()) }).await;
    }
}

/// Gives a command whose refusal does not end the call.
async fn tell(session: &mut Session, command: Command) {
    // Not `Session::command`: the events that come meanwhile are for the watch.
    if let Err(refused) = session.phone.command(command).await {
        session.out.say(Kind::Error { command: None, message: refused.message }).await;
    }
}

/// From the first event to the last.
async fn see_through(session: &mut Session, call: CallNo, plan: &Plan<'_>) -> Result<(), Failure> {
    let mut watch = Watch::new(call);
    // When this side ends it, and why.
    let mut limit = plan.wait_answer.map(|wait| (Instant::now() + wait, Stop::Unanswered));
    loop {
        let event = tokio::select! {
            biased;
            // Leaving hangs up.
            () = session.signals.next() => return Err(Failure::new(Exit::Interrupted, "interrupted")),
            () = session.out.closed() => return Ok(()),
            event = session.events.recv() => event.ok_or_else(phone_ended)?,
            why = until(limit) => {
                if let Some(why) = watch.stopped() {
                    return watch.conclude(why);
                }
                watch.stop(why);
                limit = Some((Instant::now() + GOODBYE, why));
                // A refusal means that the call has ended already: its event is on the way.
                let _ = session.phone.command(Command::Hangup { call: Some(call) }).await;
                continue;
            }
        };
        let step = watch.handle(&event.kind);
        // A person reads the reason of a failure on standard error.
        if session.out.is_json() || !matches!(step, Step::Ended(Err(_))) {
            session.out.event(&event).await;
        }
        match step {
            Step::Goes => {}
            Step::Established => {
                if watch.stopped().is_none() {
                    limit = plan.duration.map(|duration| (Instant::now() + duration, Stop::Planned));
                }
                if let Some(path) = plan.play {
                    tell(session, Command::Play { call: Some(call), path: path.into(), how: PlayAs::Instead }).await;
                }
                if let Some(digits) = plan.digits {
                    tell(session, Command::Dtmf { call: Some(call), digits: digits.into() }).await;
                }
            }
            Step::Ended(outcome) => return outcome,
        }
    }
}

async fn until(limit: Option<(Instant, Stop)>) -> Stop {
    match limit {
        Some((deadline, why)) => {
            sleep_until(deadline).await;
            why
        }
        None => std::future::pending().await,
    }
}

fn phone_ended() -> Failure {
    Failure::new(Exit::Internal, "the phone has ended by itself (--log FILE tells more)")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_checked_before_anybody_is_called() {
        let folder = tempfile::tempdir().unwrap();
        let inside = folder.path().join("new.wav");
        assert_eq!(check_files(None, Some(&inside)), Ok(()));
        assert_eq!(check_files(None, Some(Path::new("new.wav"))), Ok(()));
        assert_eq!(check_files(None, Some(folder.path())).unwrap_err().exit, Exit::Usage);
        assert_eq!(check_files(None, Some(&folder.path().join("no/new.wav"))).unwrap_err().exit, Exit::Usage);
        assert_eq!(check_files(Some(&inside), None).unwrap_err().exit, Exit::Usage);
        std::fs::write(&inside, "not sound").unwrap();
        assert_eq!(check_files(Some(&inside), None).unwrap_err().exit, Exit::Usage);
    }

    #[test]
    fn a_call_registers_nothing() {
        let text = "[[account]]\nuri = \"sip:a@b\"\n[calls]\nauto_answer = true\n";
        let config = crate::config::read::read(Path::new("c.toml"), text).unwrap();
        let config = config_for_call(config);
        assert!(!config.accounts[0].register);
        assert_eq!(config.calls.auto_answer, AutoAnswer::Never);
        assert!(!crate::config::resolve::direct_calls(&config));
        assert_eq!((config.calls.redirects, config.calls.transfers), (TransferPolicy::Refuse, TransferPolicy::Refuse));
        let follows = crate::config::read::read(Path::new("c.toml"), "[calls]\nredirects = \"follow\"\n").unwrap();
        assert_eq!(config_for_call(follows).calls.redirects, TransferPolicy::Follow);
    }
}
