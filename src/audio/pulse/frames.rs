//! The native protocol's byte stream, cut into frames: a descriptor of five big-endian numbers, then its bytes.

use std::io::{self, Read};

/// Bytes of a descriptor.
pub const DESCRIPTOR: usize = 20;
/// The channel of messages; all others carry sound.
const MESSAGES: u32 = u32::MAX;
/// Frames are no longer than this, or it is no Pulse server.
const LONGEST: usize = 4 << 20;
/// What is read at once: more than 100 ms of 48 kHz.
const PIECE: usize = 16 << 10;

/// One frame.
#[derive(Debug, PartialEq, Eq)]
pub enum Frame<'a> {
    /// A message: a tagged structure.
    Message(&'a [u8]),
    /// Sound of a channel.
    Sound {
        /// Which stream of the connection.
        channel: u32,
        /// Samples.
        bytes: &'a [u8],
    },
}

/// Writes the descriptor of a frame with `length` bytes of sound to `channel`.
pub fn describe(channel: u32, length: u32, out: &mut Vec<u8>) {
    out.extend_from_slice(&length.to_be_bytes());
    out.extend_from_slice(&channel.to_be_bytes());
    // Offset and seek mode: where the stream ended.
    out.extend_from_slice(&[0; 12]);
}

/// What has come and is not taken yet. After a while it allocates no more.
#[derive(Debug)]
pub struct Frames {
    buffer: Vec<u8>,
    taken: usize,
    filled: usize,
}

impl Frames {
    /// Nothing has come.
    pub fn empty() -> Frames {
        Frames { buffer: vec![0; PIECE], taken: 0, filled: 0 }
    }

    /// Reads once, and gives how many bytes came: 0 at the end of the stream.
    pub fn fill(&mut self, from: &mut impl Read) -> io::Result<usize> {
        if self.taken > 0 {
            self.buffer.copy_within(self.taken..self.filled, 0);
            self.filled -= self.taken;
            self.taken = 0;
        }
        if self.filled == self.buffer.len() {
            if self.filled > LONGEST + DESCRIPTOR {
                return Err(io::Error::new(io::ErrorKind::InvalidData, "a frame that is too long"));
            }
            self.buffer.resize(self.filled * 2, 0);
        }
        let count = from.read(self.buffer.get_mut(self.filled..).unwrap_or_default())?;
        self.filled += count;
        Ok(count)
    }

    /// Whether the last reading left no room: more may wait.
    pub fn is_full(&self) -> bool {
        self.filled == self.buffer.len()
    }

    /// The next whole frame.
    pub fn poll(&mut self) -> Option<Frame<'_>> {
        let waiting = self.buffer.get(self.taken..self.filled)?;
        let number = |at: usize| waiting.get(at..at + 4)?.try_into().ok().map(u32::from_be_bytes);
        let (length, channel) = (number(0)? as usize, number(4)?);
        let bytes = waiting.get(DESCRIPTOR..DESCRIPTOR.checked_add(length)?)?;
        self.taken += DESCRIPTOR + length;
        Some(match channel {
            MESSAGES => Frame::Message(bytes),
            channel => Frame::Sound { channel, bytes },
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(channel: u32, bytes: &[u8]) -> Vec<u8> {
        let mut out = Vec::new();
        describe(channel, bytes.len() as u32, &mut out);
        out.extend_from_slice(bytes);
        out
    }

    #[test]
    fn frames_come_out_as_they_went_in_however_they_are_cut() {
        let long: Vec<u8> = (0..40_000u32).map(|n| n as u8).collect();
        let stream = [frame(MESSAGES, b"hello"), frame(3, &long), frame(3, b""), frame(MESSAGES, b"bye")].concat();
        for piece in [1, 7, 4096, 100_000] {
            let (mut frames, mut seen) = (Frames::empty(), Vec::new());
            for part in stream.chunks(piece) {
                let mut part = part;
                while !part.is_empty() {
                    assert!(frames.fill(&mut part).unwrap() > 0);
                    while let Some(frame) = frames.poll() {
                        seen.push(match frame {
                            Frame::Message(bytes) => (None, bytes.len()),
                            Frame::Sound { channel, bytes } => (Some(channel), bytes.len()),
                        });
                    }
                }
            }
            assert_eq!(seen, [(None, 5), (Some(3), 40_000), (Some(3), 0), (None, 3)], "in pieces of {piece}");
        }
    }

    #[test]
    fn an_endless_frame_is_refused() {
        let mut frames = Frames::empty();
        let rubbish = vec![0xff; 1 << 16];
        let error = loop {
            if let Err(error) = frames.fill(&mut rubbish.as_slice()) {
                break error;
            }
            assert_eq!(frames.poll(), None);
        };
        assert_eq!(error.kind(), io::ErrorKind::InvalidData);
    }
}
