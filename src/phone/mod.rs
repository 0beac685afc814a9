//! The phone: joins the core, the sound and the network. The UI, the commands and scripts use [`PhoneHandle`] only.

pub mod advice;
pub mod command;
pub mod event;
pub mod media_thread;
pub mod screen;
pub mod target;
pub mod trace;

pub use command::{Command, Reply};
pub use event::{Event, Snapshot};
pub use trace::TraceEntry;

use tokio::sync::mpsc;

/// The seam: commands in, events out.
pub struct PhoneHandle {}

/// Why a command was refused; `message` is for a person.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct Refused {
    /// What failed, why, what to try.
    pub message: String,
}

/// Why the phone can't start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The configured port is in use: exit code 6.
    #[error("can't listen at {address}: {source} (choose another port in sip.listen, or 0 for any free one)")]
    Listen {
        /// Where.
        address: std::net::SocketAddr,
        /// Why not.
        source: std::io::Error,
    },
    /// The configuration can't be used: exit code 2.
    #[error("{0}")]
    Config(String),
    /// Anything else: exit code 1.
    #[error("can't start: {0}")]
    Io(#[from] std::io::Error),
}

impl PhoneHandle {
    /// Starts the SIP and media threads and registers the accounts that are to be registered.
    pub fn start(config: crate::config::Config) -> Result<PhoneHandle, StartError> {
        let _ = config;
        todo!()
    }

    /// Gives a command and waits for its answer.
    pub async fn command(&self, command: Command) -> Result<Reply, Refused> {
        let _ = command;
        todo!()
    }

    /// The events; to be taken once.
    pub fn events(&mut self) -> mpsc::UnboundedReceiver<Event> {
        todo!()
    }

    /// The SIP trace from now on; it costs nothing until asked for.
    pub fn trace(&mut self) -> mpsc::UnboundedReceiver<TraceEntry> {
        todo!()
    }

    /// Sound levels now, in dBFS.
    pub fn levels(&self) -> media_thread::Levels {
        todo!()
    }

    /// The address at which the phone listens.
    pub fn listen(&self) -> std::net::SocketAddr {
        todo!()
    }
}
