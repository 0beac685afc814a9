//! `offhook run`: one command a line on stdin, events on stdout.

use std::io::{self, BufRead};

use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio::time::{Instant, timeout_at};

use crate::phone::command::{ParseError, parse_line};
use crate::phone::event::Kind;
use crate::phone::{Command, Event, Phone, Refused, Reply};
use crate::remote::{Ended, Remote};

use super::exit::Exit;
use super::out::Out;
use super::session::{QUIT, Session, Signals, give, quit};

/// Bytes of a line; what is longer is cut, and then no command.
const LINE: u64 = 8 * 1024;

/// Lines that may wait while a command is carried out.
const WAITING: usize = 64;

/// Why the phone ends.
enum End {
    /// `quit` was carried out and answered.
    Quit,
    /// The phone has ended by itself.
    Phone,
    /// A signal.
    Signal,
    /// Nobody reads the events any more.
    NoReader,
    /// There are no more commands, and none was waited for.
    NoCommands,
}

/// What the end of stdin means.
#[derive(Clone, Copy, PartialEq, Eq)]
enum AtEnd {
    /// Nothing: the phone goes on.
    Stay,
    /// Leave.
    Leave,
}

/// Runs until `quit`, a signal or the end of the reader. `account` stands for `@ACCOUNT` where a line has none. A phone that is
/// `served` to others too needs no reader, and a UI may end it.
pub async fn run(mut session: Session, account: Option<String>, served: Option<JoinHandle<Ended>>) -> Exit {
    let lines = match stdin_lines() {
        Ok(lines) => lines,
        Err(error) => {
            session.out.say(Kind::Error { command: None, message: format!("stdin: {error}") }).await;
            session.quit().await;
            return Exit::Internal;
        }
    };
    let end = tokio::select! {
        biased;
        () = session.signals.next() => End::Signal,
        () = session.out.closed(), if served.is_none() => End::NoReader,
        end = serve(&session.phone, &mut session.events, &session.out, lines, account, AtEnd::Stay) => end,
    };
    match end {
        // The phone has ended, or had its time to.
        End::Quit => {
            session.leave();
            Exit::Done
        }
        End::Phone => {
            session.leave();
            let Some(served) = served else { return Exit::Internal };
            match served.await {
                Ok(Ended::Asked) => Exit::Done,
                Ok(Ended::Otherwise) | Err(_) => Exit::Internal,
            }
        }
        End::Signal => {
            session.quit().await;
            Exit::Interrupted
        }
        End::NoReader | End::NoCommands => {
            session.quit().await;
            Exit::Done
        }
    }
}

/// As [`run`], for a phone that runs elsewhere and goes on: it ends with stdin, too.
pub async fn run_attached(mut phone: Remote, out: Out, mut signals: Signals, account: Option<String>) -> Exit {
    let mut events = phone.events();
    let exit = match stdin_lines() {
        Ok(lines) => {
            let end = tokio::select! {
                biased;
                () = signals.next() => End::Signal,
                () = out.closed() => End::NoReader,
                end = serve(&phone, &mut events, &out, lines, account, AtEnd::Leave) => end,
            };
            match end {
                End::Quit | End::NoReader | End::NoCommands => Exit::Done,
                End::Signal => Exit::Interrupted,
                End::Phone => {
                    out.say(Kind::Error { command: None, message: "the phone has gone".into() }).await;
                    Exit::Network
                }
            }
        }
        Err(error) => {
            out.say(Kind::Error { command: None, message: format!("stdin: {error}") }).await;
            Exit::Internal
        }
    };
    out.finish();
    exit
}

async fn serve(
    phone: &impl Phone,
    events: &mut mpsc::UnboundedReceiver<Event>,
    out: &Out,
    mut lines: mpsc::Receiver<String>,
    account: Option<String>,
    at_end: AtEnd,
) -> End {
    let mut reading = true;
    loop {
        let line = tokio::select! {
            biased;
            event = events.recv() => match event {
                Some(event) => {
                    out.event(&event).await;
                    continue;
                }
                None => return End::Phone,
            },
            line = lines.recv(), if reading => line,
        };
        let Some(line) = line else {
            if at_end == AtEnd::Leave {
                return End::NoCommands;
            }
            reading = false;
            continue;
        };
        let Some(parsed) = parse_line(&line) else { continue };
        let line = line.trim().to_owned();
        match parsed.map(|command| with_account(command, account.as_deref())) {
            Ok(Command::Quit) => {
                let reply = timeout_at(Instant::now() + QUIT, quit(phone, events, out)).await;
                answer(out, line, reply.unwrap_or(Ok(Reply::Done))).await;
                return End::Quit;
            }
            Ok(command) => answer(out, line, give(phone, events, out, command).await).await,
            Err(error) => refuse(out, line, &error).await,
        }
    }
}

/// Each line gets exactly one `ok` or `error`.
async fn answer(out: &Out, command: String, reply: Result<Reply, Refused>) {
    match reply {
        Ok(Reply::Done | Reply::Call(_) | Reply::People(_)) => out.say(Kind::Ok { command }).await,
        Ok(Reply::State(snapshot)) => {
            out.say(Kind::State(snapshot)).await;
            out.say(Kind::Ok { command }).await;
        }
        Err(refused) => out.say(Kind::Error { command: Some(command), message: refused.message }).await,
    }
}

async fn refuse(out: &Out, command: String, error: &ParseError) {
    out.say(Kind::Error { command: Some(command), message: error.to_string() }).await;
}

fn with_account(command: Command, default: Option<&str>) -> Command {
    let default = || default.map(str::to_owned);
    match command {
        Command::Call { account: None, target } => Command::Call { account: default(), target },
        Command::Message { account: None, target, text } => Command::Message { account: default(), target, text },
        Command::Register { account: None } => Command::Register { account: default() },
        Command::Unregister { account: None } => Command::Unregister { account: default() },
        Command::Forward { account: None, change } => Command::Forward { account: default(), change },
        Command::Dnd { account: None, on } => Command::Dnd { account: default(), on },
        other => other,
    }
}

/// A thread that waits for lines: nothing can end it but the end of stdin or of the process.
fn stdin_lines() -> io::Result<mpsc::Receiver<String>> {
    let (sender, lines) = mpsc::channel(WAITING);
    std::thread::Builder::new().name("stdin".into()).spawn(move || {
        let mut stdin = io::stdin().lock();
        while let Some(line) = next_line(&mut stdin) {
            if sender.blocking_send(line).is_err() {
                return;
            }
        }
    })?;
    Ok(lines)
}

/// The next line, cut where it is too long; `None` at the end.
fn next_line(reader: &mut impl BufRead) -> Option<String> {
    let mut line = Vec::new();
    let mut limited = io::Read::take(&mut *reader, LINE);
    if limited.read_until(b'\n', &mut line).ok()? == 0 {
        return None;
    }
    if line.last() != Some(&b'\n') {
        skip_line(reader).ok()?;
    }
    Some(String::from_utf8_lossy(&line).into_owned())
}

fn skip_line(reader: &mut impl BufRead) -> io::Result<()> {
    loop {
        let buffer = reader.fill_buf()?;
        let (used, ended) = match buffer.iter().position(|byte| *byte == b'\n') {
            Some(place) => (place + 1, true),
            None => (buffer.len(), buffer.is_empty()),
        };
        reader.consume(used);
        if ended {
            return Ok(());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_bounded() {
        let text = format!("call 600\r\n{}\nstate", "x".repeat(100_000));
        let mut reader = text.as_bytes();
        assert_eq!(next_line(&mut reader).as_deref(), Some("call 600\r\n"));
        assert_eq!(next_line(&mut reader).map(|line| line.len()), Some(LINE as usize));
        assert_eq!(next_line(&mut reader).as_deref(), Some("state"));
        assert_eq!(next_line(&mut reader), None);
        assert_eq!(next_line(&mut &b"\xff\xfe\n"[..]).as_deref(), Some("\u{fffd}\u{fffd}\n"));
    }

    #[test]
    fn the_flag_names_the_account_where_the_line_does_not() {
        let call = |account: Option<&str>| Command::Call { account: account.map(Into::into), target: "600".into() };
        assert_eq!(with_account(call(None), Some("work")), call(Some("work")));
        assert_eq!(with_account(call(Some("home")), Some("work")), call(Some("home")));
        assert_eq!(with_account(call(None), None), call(None));
        let register = |account: Option<&str>| Command::Register { account: account.map(Into::into) };
        assert_eq!(with_account(register(None), Some("work")), register(Some("work")));
    }
}
