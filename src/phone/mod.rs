//! The phone: joins the core, the sound and the network. The UI, the commands and scripts use [`PhoneHandle`] only.
//!
//! - [`handle`]: the seam; [`command`] goes in, [`event`] and [`trace`] come out; [`mod@snapshot`]: everything at one moment;
//! - `actor`: the SIP thread's loop; `perform`: what each command does, `perform_holding` and `perform_digits`: two kinds of
//!   them;
//! - `desk`: what the person sees and is told; `lines`: which call is meant (both without I/O);
//! - [`target`]: what a person writes to call someone; [`screen`]: text from elsewhere made harmless;
//! - `services`: forwarding, screening, history and people as the phone holds them; `arriving`: what they do with a call;
//!   `perform_services`: their commands; [`keeping`]: their files;
//! - `gather`: how the world sees a call's ports; `way`: what ICE has come to;
//! - [`dtls`]: handshakes for the keys of SRTP; `keying`: what has become of them; [`security`]: what of a call is protected;
//! - `settings`: what can be changed while the phone runs;
//! - `hooks`: programs that are run when a call comes in, is answered or ends;
//! - `sound`, [`media_thread`]: the thread that carries the sound.

mod actor;
pub mod advice;
mod arriving;
pub mod audio_warning;
pub mod command;
mod conference;
mod desk;
pub mod dtls;
pub mod event;
mod gather;
pub mod handle;
mod hooks;
mod info_digits;
pub mod keeping;
mod keying;
mod lines;
pub mod media_thread;
mod memory;
mod network;
mod perform;
mod perform_digits;
mod perform_holding;
mod perform_services;
pub mod screen;
pub mod security;
mod services;
mod settings;
pub mod snapshot;
mod sound;
pub mod switching;
pub mod target;
pub mod trace;
mod voice;
mod way;

pub use command::{Command, Reply};
pub use event::Event;
pub use handle::{Phone, PhoneHandle};
pub use snapshot::Snapshot;
pub use trace::TraceEntry;

/// Why a command was refused; `message` is for a person.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error, serde::Serialize, serde::Deserialize)]
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
