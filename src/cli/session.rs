//! A phone under a command: its events, the output, signals, and the end within two seconds.

use std::io;
use std::path::Path;
use std::time::Duration;

use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio::time::{Instant, timeout_at};

use crate::config::{self, Config};
use crate::phone::{Command, Event, Phone, PhoneHandle, Refused, Reply};

use crate::remote::{Ended, Server};

use super::exit::{Exit, Failure};
use super::out::Out;

/// How long hanging up and unregistering may take at the end; the phone itself gives up a little before.
pub const QUIT: Duration = Duration::from_millis(1900);

/// A started phone.
pub struct Session {
    /// Commands.
    pub phone: PhoneHandle,
    /// Events.
    pub events: mpsc::UnboundedReceiver<Event>,
    /// Standard output.
    pub out: Out,
    /// Signals that end the process.
    pub signals: Signals,
}

/// SIGINT, SIGTERM and SIGHUP.
pub struct Signals {
    interrupt: Signal,
    terminate: Signal,
    hang_up: Signal,
    /// What SIGHUP means.
    pub terminal: Terminal,
}

/// What becomes of the phone when its terminal goes away.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Terminal {
    /// It ends.
    Needed,
    /// It goes on.
    NotNeeded,
}

impl Signals {
    /// From here on these signals no longer end the process by themselves.
    pub fn listen() -> io::Result<Signals> {
        Ok(Signals {
            interrupt: signal(SignalKind::interrupt())?,
            terminate: signal(SignalKind::terminate())?,
            hang_up: signal(SignalKind::hangup())?,
            terminal: Terminal::Needed,
        })
    }

    /// Resolves with the next one.
    pub async fn next(&mut self) {
        loop {
            tokio::select! {
                _ = self.interrupt.recv() => return,
                _ = self.terminate.recv() => return,
                _ = self.hang_up.recv() => match self.terminal {
                    Terminal::Needed => return,
                    Terminal::NotNeeded => tracing::info!("the terminal is gone"),
                },
            }
        }
    }
}

impl Session {
    /// Starts the phone.
    pub fn start(mut config: Config, out: Out) -> Result<Session, Failure> {
        let signals = Signals::listen().map_err(|error| Failure::new(Exit::Internal, format!("signals: {error}")))?;
        config.sip.instance = config::instance::of_this_phone();
        let mut phone = PhoneHandle::start(config)?;
        let events = phone.events();
        Ok(Session { phone, events, out, signals })
    }

    /// Starts the phone and serves it at a socket, too, until it ends.
    pub fn start_served(mut config: Config, out: Out, path: &Path) -> Result<(Session, JoinHandle<Ended>), Failure> {
        let mut signals =
            Signals::listen().map_err(|error| Failure::new(Exit::Internal, format!("signals: {error}")))?;
        signals.terminal = Terminal::NotNeeded;
        let server = Server::bind(path)?;
        config.sip.instance = config::instance::of_this_phone();
        let mut phone = PhoneHandle::start_traced(config)?;
        let (sender, events) = mpsc::unbounded_channel();
        let (all, trace) = (phone.events(), phone.trace());
        let served = tokio::spawn(server.serve(phone.commander(), phone.listen().to_string(), all, trace, sender));
        Ok((Session { phone, events, out, signals }, served))
    }

    /// Gives a command and writes the events that come meanwhile.
    pub async fn command(&mut self, command: Command) -> Result<Reply, Refused> {
        give(&self.phone, &mut self.events, &self.out, command).await
    }

    /// Hangs up, unregisters and writes the last events, for no longer than [`QUIT`]; a second signal cuts it short.
    pub async fn quit(mut self) {
        let quit = timeout_at(Instant::now() + QUIT, quit(&self.phone, &mut self.events, &self.out));
        let in_time = tokio::select! {
            outcome = quit => outcome.is_ok(),
            () = self.signals.next() => false,
        };
        if in_time {
            self.out.finish();
        } else {
            self.leave();
        }
    }

    /// Leaves without a word to anybody: bindings stay.
    pub fn leave(self) {
        // Dropping the phone would unregister, and wait for it.
        let _still_registered = std::mem::ManuallyDrop::new(self.phone);
        self.out.finish();
    }
}

/// Gives a command and writes the events that come until it is answered.
pub async fn give(
    phone: &impl Phone,
    events: &mut mpsc::UnboundedReceiver<Event>,
    out: &Out,
    command: Command,
) -> Result<Reply, Refused> {
    let mut reply = std::pin::pin!(phone.command(command));
    loop {
        tokio::select! {
            biased;
            Some(event) = events.recv() => out.event(&event).await,
            reply = &mut reply => return reply,
        }
    }
}

/// `quit`, and all events until the phone has none left.
pub async fn quit(
    phone: &impl Phone,
    events: &mut mpsc::UnboundedReceiver<Event>,
    out: &Out,
) -> Result<Reply, Refused> {
    let reply = give(phone, events, out, Command::Quit).await;
    while let Some(event) = events.recv().await {
        out.event(&event).await;
    }
    reply
}
