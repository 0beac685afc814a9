//! Sound cards of a PulseAudio server, or of PipeWire in its place, over its native protocol: no thread, no callback.
//!
//! | file | what it holds |
//! |---|---|
//! | [`frames`] | the byte stream cut into frames, without an allocation |
//! | [`connection`] | reaching the server, questions and answers, the list of devices |
//! | [`link`] | a connection that carries one stream, read and written without waiting |
//! | [`microphone`], [`speaker`] | the two directions as [`super::Input`] and [`super::Output`] |
//!
//! The media thread wakes for its own deadlines anyway: when a packet is due, and when one came. Captured sound waits in the
//! socket until then, and what the server asks for is asked by messages that wait there too. So a stream costs one read and
//! one write a packet. Now and then a stream's socket wakes the thread, to learn at which moment the server's blocks come.
//!
//! Each stream has a connection of its own: it can be closed at once, whatever state the server is in, and outputs of one
//! connection would form a group that must play on one device.

pub mod connection;
pub mod frames;
pub mod link;
pub mod microphone;
pub mod speaker;

use connection::{Connection, Made};

use super::cards::{DeviceInfo, Direction, search};
use super::device::OpenError;

/// Hz of every stream; the server resamples for a device that has another rate.
pub const RATE: u32 = 48_000;

/// Why the server does not do as it is asked.
#[derive(Debug, thiserror::Error)]
pub enum PulseError {
    /// There is no socket of a server.
    #[error("no PulseAudio or PipeWire server")]
    NoServer,
    /// The server does not answer, or has gone.
    #[error("the sound server: {0}")]
    Io(#[from] std::io::Error),
    /// It refuses.
    #[error("the sound server refuses: {0}")]
    Refused(pulseaudio::protocol::PulseError),
    /// It speaks another language.
    #[error("the sound server's answer can't be understood: {0}")]
    Garbled(#[from] pulseaudio::protocol::ProtocolError),
    /// A name with a NUL in it.
    #[error("no device can have this name")]
    BadName,
}

/// Whether a server can be reached at all.
pub fn is_there() -> bool {
    pulseaudio::socket_path_from_env().is_some()
}

/// The devices of the server; none without one.
pub fn list() -> Vec<DeviceInfo> {
    Connection::open().and_then(|mut connection| connection.list()).unwrap_or_default()
}

/// Opens a stream on the device that a person named, or on the default one.
pub(super) fn find(
    direction: Direction,
    name: Option<&str>,
    open: impl Fn(&mut Connection, Option<&str>) -> Result<Made, PulseError>,
) -> Result<(Connection, Made), OpenError> {
    let refused = |source| OpenError::Pulse { name: name.unwrap_or("default").to_owned(), source };
    let mut connection = Connection::open().map_err(refused)?;
    let is_missing =
        |error: &PulseError| matches!(error, PulseError::Refused(pulseaudio::protocol::PulseError::NoEntity));
    // Most names are ids, which the server knows.
    let made = match (open(&mut connection, name), name) {
        (Err(error), None) if is_missing(&error) => return Err(OpenError::NoDevice(direction.as_str())),
        (Err(error), Some(name)) if is_missing(&error) => {
            let devices = connection.list().map_err(refused)?;
            let missing = || OpenError::NotFound { direction: direction.as_str(), name: name.to_owned() };
            let id = search(&devices, name, direction).ok_or_else(missing)?;
            open(&mut connection, Some(&id)).map_err(refused)?
        }
        (made, _) => made.map_err(refused)?,
    };
    Ok((connection, made))
}
