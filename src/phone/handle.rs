//! The phone from outside.

use std::net::SocketAddr;
use std::sync::mpsc::{Receiver, channel};
use std::sync::{Arc, OnceLock};
use std::thread;
use std::time::{Duration, Instant};

use tokio::sync::{mpsc, oneshot};

use crate::config::{self, Config};
use crate::net::{Bound, PortInUse, Tls};
use crate::ua::{self, UserAgent};

use super::actor::{Actor, Parts, Request};
use super::dtls::Identity;
use super::media_thread::Levels;
use super::sound::{SharedThread, Sound};
use super::{Command, Event, Refused, Reply, StartError, TraceEntry};

/// How long a dropped handle waits for the goodbyes.
const GOODBYE: Duration = Duration::from_millis(2_000);

/// Who takes commands: a phone of this process, or one that runs elsewhere ([`crate::remote`]).
pub trait Phone {
    /// Gives a command and waits for its answer.
    fn command(&self, command: Command) -> impl Future<Output = Result<Reply, Refused>>;
    /// Sound levels now, in dBFS.
    fn levels(&self) -> Levels;
}

/// The seam: commands in, events out. Dropping it hangs up and unregisters, as [`Command::Quit`] does, and waits for it at
/// most two seconds.
pub struct PhoneHandle {
    /// `None` only while it is dropped.
    requests: Option<mpsc::UnboundedSender<Request>>,
    events: Option<mpsc::UnboundedReceiver<Event>>,
    /// The trace since the start, if it was asked for then.
    trace: Option<mpsc::UnboundedReceiver<TraceEntry>>,
    sound: SharedThread,
    listen: SocketAddr,
    /// Closed when the SIP thread ends.
    ended: Receiver<()>,
}

impl PhoneHandle {
    /// Starts the SIP thread and registers the accounts that are to be registered. The media thread follows when REGISTER
    /// has been answered; no device opens before a call needs it.
    ///
    /// # Errors
    /// [`StartError`]: the port is in use, the configuration can't be used, or the system refuses.
    pub fn start(config: Config) -> Result<PhoneHandle, StartError> {
        PhoneHandle::launch(config, None)
    }

    /// [`PhoneHandle::start`] with a trace that has the first REGISTER too: [`PhoneHandle::trace`] gives it.
    ///
    /// # Errors
    /// As [`PhoneHandle::start`].
    pub fn start_traced(config: Config) -> Result<PhoneHandle, StartError> {
        let (listener, entries) = mpsc::unbounded_channel();
        let mut handle = PhoneHandle::launch(config, Some(listener))?;
        handle.trace = Some(entries);
        Ok(handle)
    }

    fn launch(config: Config, listener: Option<mpsc::UnboundedSender<TraceEntry>>) -> Result<PhoneHandle, StartError> {
        let core_config =
            config::resolve::user_agent(&config).map_err(|error| StartError::Config(error.to_string()))?;
        let in_use = if config.sip.listen_is_configured { PortInUse::Fail } else { PortInUse::TakeAnother };
        let tls = Tls::load(&config.sip.tls).map_err(|error| StartError::Config(format!("sip: {error}")))?;
        let bound = Bound::bind(config.sip.listen, in_use)
            .map_err(|source| StartError::Listen { address: config.sip.listen, source })?
            .with_dscp(config.network.dscp_sip)
            .with_streams(tls);
        let listen = bound.listen();
        let mut seed = [0; 32];
        getrandom::fill(&mut seed).map_err(std::io::Error::other)?;

        let (requests, request_receiver) = mpsc::unbounded_channel();
        let (event_sender, events) = mpsc::unbounded_channel();
        let (still_running, ended) = channel();
        let sound = SharedThread::new(OnceLock::new());
        let shared = Arc::clone(&sound);
        let runtime = tokio::runtime::Builder::new_current_thread().enable_io().enable_time().build()?;
        let sockets = {
            let _context = runtime.enter();
            bound.start()?
        };
        thread::Builder::new().name("sip".into()).spawn(move || {
            let _still_running = still_running;
            let mut core = UserAgent::new(Instant::now(), core_config.clone(), seed);
            let identity =
                Identity::new().inspect_err(|error| tracing::error!(%error, "no certificate for DTLS-SRTP")).ok();
            identity.iter().for_each(|identity| core.use_certificate(identity.fingerprint()));
            let actor = Actor::new(Parts {
                sound: Sound::new(config.audio.clone(), config.network.clone(), identity.map(Arc::new), shared),
                config,
                core,
                core_config,
                sockets,
                listen: listen.ip(),
                requests: request_receiver,
                events: event_sender,
                traces: listener.into_iter().collect(),
            });
            runtime.block_on(actor.run());
            // A name that is still being looked up must not keep the thread.
            runtime.shutdown_background();
        })?;
        Ok(PhoneHandle { requests: Some(requests), events: Some(events), trace: None, sound, listen, ended })
    }

    /// Gives a command and waits for its answer.
    pub async fn command(&self, command: Command) -> Result<Reply, Refused> {
        ask(self.requests.as_ref(), command).await
    }

    /// Another one who gives commands; it does not keep the phone from ending.
    pub fn commander(&self) -> Commander {
        let requests = self.requests.as_ref().map(mpsc::UnboundedSender::downgrade);
        Commander { requests, sound: Arc::clone(&self.sound) }
    }

    /// The events; to be taken once. A second time gives a channel that is closed.
    pub fn events(&mut self) -> mpsc::UnboundedReceiver<Event> {
        self.events.take().unwrap_or_else(|| mpsc::unbounded_channel().1)
    }

    /// The SIP trace, from now on unless the phone was started traced; it costs nothing until asked for.
    pub fn trace(&mut self) -> mpsc::UnboundedReceiver<TraceEntry> {
        if let Some(entries) = self.trace.take() {
            return entries;
        }
        let (listener, entries) = mpsc::unbounded_channel();
        self.request(Request::Trace(listener));
        entries
    }

    /// Sound levels now, in dBFS.
    pub fn levels(&self) -> Levels {
        levels(&self.sound)
    }

    /// The address at which the phone listens.
    pub fn listen(&self) -> SocketAddr {
        self.listen
    }

    fn request(&self, request: Request) {
        // Whoever asks sees the end of the phone by the answer's channel.
        let _ = self.requests.as_ref().map(|requests| requests.send(request));
    }
}

impl Phone for PhoneHandle {
    fn command(&self, command: Command) -> impl Future<Output = Result<Reply, Refused>> {
        PhoneHandle::command(self, command)
    }

    fn levels(&self) -> Levels {
        PhoneHandle::levels(self)
    }
}

/// One of several who give a phone commands: [`PhoneHandle::commander`].
#[derive(Clone)]
pub struct Commander {
    requests: Option<mpsc::WeakUnboundedSender<Request>>,
    sound: SharedThread,
}

impl Phone for Commander {
    async fn command(&self, command: Command) -> Result<Reply, Refused> {
        let requests = self.requests.as_ref().and_then(mpsc::WeakUnboundedSender::upgrade);
        ask(requests.as_ref(), command).await
    }

    fn levels(&self) -> Levels {
        levels(&self.sound)
    }
}

async fn ask(requests: Option<&mpsc::UnboundedSender<Request>>, command: Command) -> Result<Reply, Refused> {
    let (answer, answered) = oneshot::channel();
    // Whoever asks sees the end of the phone by the answer's channel.
    let _ = requests.map(|requests| requests.send(Request::Command(command, answer)));
    answered.await.unwrap_or_else(|_| Err(ua::CommandError::ShuttingDown.into()))
}

fn levels(sound: &SharedThread) -> Levels {
    sound.get().map_or(Levels { input: -100.0, output: -100.0 }, |thread| thread.levels())
}

impl Drop for PhoneHandle {
    fn drop(&mut self) {
        self.requests = None;
        let _ = self.ended.recv_timeout(GOODBYE);
    }
}
