//! A connection that carries one stream: read and written without waiting, watched only when asked.

use std::io::{self, Write};
use std::os::unix::net::UnixStream;
use std::sync::Arc;

use polling::{Event, PollMode, Poller};
use pulseaudio::protocol::Command;

use super::PulseError;
use super::connection::{Connection, Made};
use super::frames::{Frame, Frames, describe};

/// What the server does not take is kept up to here, in bytes: 200 ms.
const MOST_UNSENT: usize = 20_000;

/// What came from the server.
#[derive(Debug, PartialEq, Eq)]
pub enum Heard<'a> {
    /// 16-bit samples, little-endian.
    Sound(&'a [u8]),
    /// So many bytes are wanted, for so many were taken.
    Wanted(u32),
    /// The device wanted sound and found none.
    Dry,
    /// The stream is on another device now.
    Moved(String),
}

/// One stream.
pub struct Link {
    socket: UnixStream,
    frames: Frames,
    version: u16,
    channel: u32,
    poller: Arc<Poller>,
    /// For the poller's events.
    key: usize,
    /// What did not go out whole.
    unsent: Vec<u8>,
    failure: Option<String>,
}

impl Link {
    /// From now on the connection carries this stream only; `poller` gives `key` when [`Link::watch`] asked for it.
    pub fn new(connection: Connection, made: &Made, poller: Arc<Poller>, key: usize) -> Result<Link, PulseError> {
        let Connection { socket, frames, version, .. } = connection;
        socket.set_nonblocking(true)?;
        // SAFETY: the socket is deleted from the poller in `drop`, before it is closed.
        unsafe { poller.add_with_mode(&socket, Event::none(key), PollMode::Oneshot)? };
        Ok(Link { socket, frames, version, channel: made.channel, poller, key, unsent: Vec::new(), failure: None })
    }

    /// Wakes the poller once when something comes.
    pub fn watch(&self) {
        // It fails only when it was never added.
        let _ = self.poller.modify_with_mode(&self.socket, Event::readable(self.key), PollMode::Oneshot);
    }

    /// Takes everything that has come.
    pub fn read(&mut self, mut heard: impl FnMut(Heard<'_>)) {
        // What came with the answer that made the stream is there before the first reading.
        let mut more = true;
        while self.failure.is_none() {
            while let Some(frame) = self.frames.poll() {
                match frame {
                    Frame::Sound { channel, bytes } if channel == self.channel => heard(Heard::Sound(bytes)),
                    Frame::Sound { .. } => (),
                    Frame::Message(bytes) => match understand(bytes, self.version, self.channel) {
                        Some(Message::Wanted(bytes)) => heard(Heard::Wanted(bytes)),
                        Some(Message::Dry) => heard(Heard::Dry),
                        Some(Message::Moved(device)) => heard(Heard::Moved(device)),
                        Some(Message::Killed) => self.failure = Some("it was unplugged".into()),
                        None => (),
                    },
                }
            }
            if !more {
                return;
            }
            match self.frames.fill(&mut self.socket) {
                Ok(0) => self.failure = Some("the sound server has gone".into()),
                // A reading that left room took all that there was.
                Ok(_) => more = self.frames.is_full(),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => (),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return,
                Err(error) => self.failure = Some(error.to_string()),
            }
        }
    }

    /// Gives the server sound; what it does not take now is sent with the next. False: too much waits for that, and this is
    /// dropped.
    pub fn write(&mut self, samples: &[i16]) -> bool {
        let is_much = self.unsent.len() > MOST_UNSENT;
        if is_much || samples.is_empty() {
            return !is_much;
        }
        describe(self.channel, samples.len() as u32 * 2, &mut self.unsent);
        for sample in samples {
            self.unsent.extend_from_slice(&sample.to_le_bytes());
        }
        match self.socket.write(&self.unsent) {
            Ok(sent) if sent == self.unsent.len() => self.unsent.clear(),
            Ok(sent) => drop(self.unsent.drain(..sent)),
            Err(error) if matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted) => (),
            Err(error) => self.failure = Some(error.to_string()),
        }
        true
    }

    /// Why nothing more will come.
    pub fn failure(&self) -> Option<&str> {
        self.failure.as_deref()
    }
}

impl Drop for Link {
    fn drop(&mut self) {
        // It fails only when it was never added.
        let _ = self.poller.delete(&self.socket);
    }
}

/// What a message means for a running stream.
enum Message {
    Wanted(u32),
    Dry,
    Moved(String),
    Killed,
}

fn understand(mut bytes: &[u8], version: u16, channel: u32) -> Option<Message> {
    let (_, command) = Command::read_tag_prefixed(&mut bytes, version).ok()?;
    match command {
        Command::Request(wanted) if wanted.channel == channel => Some(Message::Wanted(wanted.length)),
        Command::Underflow(dry) if dry.channel == channel => Some(Message::Dry),
        Command::PlaybackStreamMoved(moved) => Some(Message::Moved(moved.device_name.to_string_lossy().into_owned())),
        Command::RecordStreamMoved(moved) => Some(Message::Moved(moved.device_name.to_string_lossy().into_owned())),
        Command::PlaybackStreamKilled(_) | Command::RecordStreamKilled(_) => Some(Message::Killed),
        // The server says more than a running stream needs to know.
        _ => None,
    }
}
