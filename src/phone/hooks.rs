//! Programs that the person wants run when a call comes in, is answered or ends. No shell is between: what the other side
//! says of itself reaches the program by its environment alone, bounded and without control characters.

use std::collections::BTreeSet;
use std::os::unix::process::CommandExt as _;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use crate::config;
use crate::ua::CallNo;

use super::event::{CallRef, Kind};
use super::screen;

/// How long a program may run.
const LIMIT: Duration = Duration::from_secs(10);
/// How often it is looked whether it has ended.
const LOOK: Duration = Duration::from_millis(20);
/// Programs that run at a time; who calls a hundred times a second starts no hundred programs.
const AT_ONCE: usize = 8;
/// Characters of a value.
const CHARACTERS: usize = 500;

/// What the environment tells.
type Variables = Vec<(&'static str, String)>;

/// How a program ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ran {
    /// By itself.
    Ended,
    /// It took too long and was killed.
    TooLong,
    /// It could not be started.
    NotStarted,
}

/// The programs, and how many of them run.
pub(super) struct Hooks {
    config: config::Hooks,
    limit: Duration,
    running: Arc<AtomicUsize>,
    answered: BTreeSet<CallNo>,
}

impl Hooks {
    pub(super) fn new(config: config::Hooks) -> Hooks {
        Hooks { config, limit: LIMIT, running: Arc::default(), answered: BTreeSet::new() }
    }

    /// Starts the program that is meant by what happened, if there is one; its thread says how it ended.
    pub(super) fn note(&mut self, kind: &Kind) -> Option<JoinHandle<Ran>> {
        let (program, variables) = match kind {
            Kind::Incoming { call, from, name, called, .. } => {
                let mut variables = of_call("incoming", call);
                variables.push(("OFFHOOK_PEER", from.clone()));
                variables.push(("OFFHOOK_CALLED", called.clone()));
                variables.extend(name.clone().map(|name| ("OFFHOOK_NAME", name)));
                (&self.config.incoming, variables)
            }
            Kind::Established { call, codec, .. } => {
                // A change within the call is no answer.
                if !self.answered.insert(call.call) {
                    return None;
                }
                let mut variables = of_call("answered", call);
                variables.push(("OFFHOOK_CODEC", codec.clone()));
                (&self.config.answered, variables)
            }
            Kind::Ended { call, code, reason, duration_s, .. } => {
                self.answered.remove(&call.call);
                let mut variables = of_call("ended", call);
                variables.push(("OFFHOOK_DURATION", format!("{duration_s:.0}")));
                variables.push(("OFFHOOK_REASON", reason.clone()));
                variables.extend(code.map(|code| ("OFFHOOK_CODE", code.to_string())));
                (&self.config.ended, variables)
            }
            _ => return None,
        };
        let command = command(program, variables)?;
        if self.running.fetch_add(1, Ordering::SeqCst) >= AT_ONCE {
            self.running.fetch_sub(1, Ordering::SeqCst);
            tracing::warn!(program = program.first(), "not run: {AT_ONCE} hooks run already");
            return None;
        }
        let (running, limit) = (Arc::clone(&self.running), self.limit);
        let spawned = thread::Builder::new().name("hook".into()).spawn(move || {
            let ran = run(command, limit);
            running.fetch_sub(1, Ordering::SeqCst);
            ran
        });
        if spawned.is_err() {
            self.running.fetch_sub(1, Ordering::SeqCst);
        }
        spawned.ok()
    }
}

fn of_call(event: &'static str, call: &CallRef) -> Variables {
    let mut variables = vec![
        ("OFFHOOK_EVENT", event.to_owned()),
        ("OFFHOOK_CALL", call.call.0.to_string()),
        ("OFFHOOK_PEER", call.peer.clone()),
    ];
    variables.extend(call.account.clone().map(|account| ("OFFHOOK_ACCOUNT", account)));
    variables
}

fn command(words: &[String], variables: Variables) -> Option<Command> {
    let (program, arguments) = words.split_first()?;
    let mut command = Command::new(program);
    let bounded = |text: &str| -> String { screen::harmless(text).chars().take(CHARACTERS).collect() };
    command
        .args(arguments)
        .envs(variables.into_iter().map(|(name, value)| (name, bounded(&value))))
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        // A group of its own: what it started is stopped with it, and Ctrl-C at the terminal does not reach it.
        .process_group(0);
    Some(command)
}

fn run(mut command: Command, limit: Duration) -> Ran {
    let program = command.get_program().to_string_lossy().into_owned();
    let mut child = match command.spawn() {
        Ok(child) => child,
        Err(error) => {
            tracing::warn!(program, %error, "the hook can't be run");
            return Ran::NotStarted;
        }
    };
    let end = Instant::now() + limit;
    loop {
        match child.try_wait() {
            Ok(Some(status)) => {
                tracing::debug!(program, %status, "the hook has ended");
                return Ran::Ended;
            }
            Ok(None) if Instant::now() < end => thread::sleep(LOOK),
            Ok(None) | Err(_) => break,
        }
    }
    tracing::warn!(program, "the hook took longer than {} s and was killed", limit.as_secs());
    if let Ok(group) = i32::try_from(child.id()) {
        // SAFETY: sends a signal to the group that the child leads; it has not been waited for, so the number is its own.
        unsafe { libc::kill(-group, libc::SIGKILL) };
    }
    let _ = child.wait();
    Ran::TooLong
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::Path;

    use super::*;
    use crate::phone::event::RtpCount;
    use crate::ua::event::EndedBy;

    /// A machine that is busy may start a program slowly.
    const PATIENCE: Duration = Duration::from_secs(120);

    fn hooks(config: config::Hooks) -> Hooks {
        Hooks { limit: PATIENCE, ..Hooks::new(config) }
    }

    /// A program that writes what it is told to a file; each argument is a word.
    fn writing(path: &Path) -> Vec<String> {
        let script = "env | grep ^OFFHOOK_ | sort > \"$0\"; echo loud; echo \"arguments $#: $1\" >> \"$0\"";
        ["/bin/sh", "-c", script, &path.display().to_string(), "one; two"].map(Into::into).to_vec()
    }

    fn bob() -> CallRef {
        CallRef { call: CallNo(7), account: Some("work".into()), peer: "sip:bob@example.com".into() }
    }

    fn incoming(name: &str) -> Kind {
        Kind::Incoming {
            call: bob(),
            from: "sip:bob@example.com".into(),
            name: Some(name.into()),
            called: "sip:alice@example.com".into(),
            diverted_from: None,
            forwarded: Vec::new(),
            referred_by: None,
        }
    }

    fn established() -> Kind {
        Kind::Established {
            call: bob(),
            codec: "PCMU".into(),
            security: Default::default(),
            remote_rtp: "192.0.2.1:4000".into(),
        }
    }

    #[test]
    fn a_program_learns_by_its_environment_who_calls() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("told");
        let mut hooks = hooks(config::Hooks { incoming: writing(&path), ..config::Hooks::default() });
        let name = format!("Bob\n$(reboot)\0\u{1b}[2J{}", "x".repeat(5_000));
        assert_eq!(hooks.note(&incoming(&name)).unwrap().join().unwrap(), Ran::Ended);
        let told = fs::read_to_string(&path).unwrap();
        for line in [
            "OFFHOOK_ACCOUNT=work",
            "OFFHOOK_CALL=7",
            "OFFHOOK_CALLED=sip:alice@example.com",
            "OFFHOOK_EVENT=incoming",
            "OFFHOOK_PEER=sip:bob@example.com",
            "arguments 1: one; two",
        ] {
            assert!(told.lines().any(|told| told == line), "{line} in {told}");
        }
        let name = told.lines().find_map(|line| line.strip_prefix("OFFHOOK_NAME=")).unwrap();
        assert_eq!(name.chars().count(), CHARACTERS);
        assert!(name.starts_with("Bob") && name.contains("$(reboot)") && !told.contains(['\u{1b}', '\0']), "{told}");
    }

    #[test]
    fn answers_and_ends_have_programs_of_their_own() {
        let folder = tempfile::tempdir().unwrap();
        let (answered, ended) = (folder.path().join("answered"), folder.path().join("ended"));
        let config = config::Hooks { incoming: Vec::new(), answered: writing(&answered), ended: writing(&ended) };
        let mut hooks = hooks(config);
        assert!(hooks.note(&incoming("Bob")).is_none());
        assert_eq!(hooks.note(&established()).unwrap().join().unwrap(), Ran::Ended);
        assert!(hooks.note(&established()).is_none(), "once for each call");
        let (by, rtp) = (EndedBy::Remote, RtpCount::default());
        let end = Kind::Ended {
            call: bob(),
            by,
            code: Some(486),
            reason: "Busy Here".into(),
            duration_s: 61.7,
            rtp,
            advice: None,
        };
        assert_eq!(hooks.note(&end).unwrap().join().unwrap(), Ran::Ended);
        assert!(fs::read_to_string(answered).unwrap().contains("OFFHOOK_CODEC=PCMU\n"));
        let ended = fs::read_to_string(ended).unwrap();
        assert!(ended.contains("OFFHOOK_CODE=486\n") && ended.contains("OFFHOOK_DURATION=62\n"), "{ended}");
        assert!(ended.contains("OFFHOOK_REASON=Busy Here\n") && ended.contains("OFFHOOK_EVENT=ended\n"), "{ended}");
    }

    #[test]
    fn a_program_that_takes_too_long_is_killed_with_what_it_started() {
        let sleeping = ["/bin/sh", "-c", "sleep 600 & sleep 600"].map(String::from);
        let command = command(&sleeping, Vec::new()).unwrap();
        assert_eq!(run(command, Duration::from_millis(50)), Ran::TooLong);
        let missing = ["/nowhere/at/all".to_owned()];
        assert_eq!(run(super::command(&missing, Vec::new()).unwrap(), PATIENCE), Ran::NotStarted);
    }

    #[test]
    fn only_so_many_run_at_once() {
        let waiting = ["/bin/sh", "-c", "read -r line < \"$0\""];
        let folder = tempfile::tempdir().unwrap();
        let pipe = folder.path().join("pipe");
        let made = Command::new("mkfifo").arg(&pipe).status().unwrap();
        assert!(made.success());
        let mut words: Vec<String> = waiting.map(Into::into).to_vec();
        words.push(pipe.display().to_string());
        let mut hooks = hooks(config::Hooks { incoming: words, ..config::Hooks::default() });
        let running: Vec<_> = (0..AT_ONCE + 3).filter_map(|_| hooks.note(&incoming("Bob"))).collect();
        assert_eq!(running.len(), AT_ONCE);
        // Open for both, so that none of them finds the other end gone.
        let mut lines = fs::OpenOptions::new().read(true).write(true).open(&pipe).unwrap();
        std::io::Write::write_all(&mut lines, "go\n".repeat(AT_ONCE).as_bytes()).unwrap();
        for hook in running {
            assert_eq!(hook.join().unwrap(), Ran::Ended);
        }
    }
}
