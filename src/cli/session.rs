//! A phone under a command: its events, the output, signals, and the end within two seconds.

use std::io;
use std::time::Duration;

use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::mpsc;
use tokio::time::{Instant, timeout_at};

use crate::config::{self, Config};
use crate::phone::{Command, Event, PhoneHandle, Refused, Reply};

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
}

impl Signals {
    /// From here on these signals no longer end the process by themselves.
    pub fn listen() -> io::Result<Signals> {
        Ok(Signals {
            interrupt: signal(SignalKind::interrupt())?,
            terminate: signal(SignalKind::terminate())?,
            hang_up: signal(SignalKind::hangup())?,
        })
    }

    /// Resolves with the next one.
    pub async fn next(&mut self) {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
            _ = self.hang_up.recv() => {}
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
    phone: &PhoneHandle,
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
    phone: &PhoneHandle,
    events: &mut mpsc::UnboundedReceiver<Event>,
    out: &Out,
) -> Result<Reply, Refused> {
    let reply = give(phone, events, out, Command::Quit).await;
    while let Some(event) = events.recv().await {
        out.event(&event).await;
    }
    reply
}
