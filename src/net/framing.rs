//! Where one message ends and the next begins on a stream (RFC 3261 section 18.3), and the keep-alives between them (RFC
//! 5626 section 4.4.1).

use bytes::{Bytes, BytesMut};

/// The longest message that is read; a peer that sends more is not understood any more.
const MAX_MESSAGE: usize = 65_535;

/// What stands next on a stream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Frame {
    /// A whole message.
    Message(Bytes),
    /// A double CRLF: the peer asks whether we are there.
    Ping,
    /// A single CRLF: the answer to our ping.
    Pong,
}

/// Why a stream can't be read on: nobody knows where its next message begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum FramingError {
    /// RFC 3261 section 20.14: on a stream it must be there.
    #[error("a message without a Content-Length")]
    NoLength,
    /// No number, or two that differ.
    #[error("a Content-Length that is no number")]
    BadLength,
    /// More than 65,535 bytes.
    #[error("a message that is too long")]
    TooLong,
}

/// Takes bytes as they come, gives messages. Never holds much more than one message.
#[derive(Debug, Default)]
pub struct Framer {
    buffer: BytesMut,
    /// How far the end of the header fields has been looked for.
    searched: usize,
    /// The length of the message that is being read, once its header fields are there.
    length: Option<usize>,
}

impl Framer {
    /// More bytes have come.
    pub fn push(&mut self, bytes: &[u8]) {
        self.buffer.extend_from_slice(bytes);
    }

    /// Whether a message has begun that has not ended.
    pub fn is_within_message(&self) -> bool {
        self.buffer.iter().any(|byte| !matches!(byte, b'\r' | b'\n'))
    }

    /// What stands next; `None`: more bytes must come. `pong_awaited`: a single CRLF is the answer to our ping, else it may be
    /// the first half of one.
    ///
    /// # Errors
    /// [`FramingError`]: the connection is of no use any more.
    pub fn next(&mut self, pong_awaited: bool) -> Result<Option<Frame>, FramingError> {
        if self.length.is_none()
            && let Some(frame) = self.keep_alive(pong_awaited)
        {
            return Ok(frame);
        }
        let length = match self.length {
            Some(length) => length,
            None => match self.head_end() {
                Some(head) => {
                    let body = content_length(self.buffer.get(..head).unwrap_or_default())?;
                    head.checked_add(body).filter(|length| *length <= MAX_MESSAGE).ok_or(FramingError::TooLong)?
                }
                None if self.buffer.len() > MAX_MESSAGE => return Err(FramingError::TooLong),
                None => return Ok(None),
            },
        };
        if self.buffer.len() < length {
            self.length = Some(length);
            return Ok(None);
        }
        self.length = None;
        self.searched = 0;
        Ok(Some(Frame::Message(self.buffer.split_to(length).freeze())))
    }

    /// Line ends before a message. Outer `None`: there are none, a message begins.
    fn keep_alive(&mut self, pong_awaited: bool) -> Option<Option<Frame>> {
        let (frame, length) = match self.buffer.as_ref() {
            [] => return Some(None),
            [b'\r', b'\n', b'\r', b'\n', ..] if !pong_awaited => (Frame::Ping, 4),
            [b'\r', b'\n', ..] if pong_awaited => (Frame::Pong, 2),
            [b'\r'] | [b'\r', b'\n'] | [b'\r', b'\n', b'\r'] => return Some(None),
            // RFC 3261 section 7.5: line ends before a message mean nothing.
            [b'\r', b'\n', ..] => (Frame::Pong, 2),
            [b'\r' | b'\n', ..] => (Frame::Pong, 1),
            _ => return None,
        };
        let _ = self.buffer.split_to(length);
        self.searched = 0;
        Some(Some(frame))
    }

    /// Where the body begins.
    fn head_end(&mut self) -> Option<usize> {
        let from = self.searched.saturating_sub(3);
        let found = self.buffer.get(from..)?.windows(4).position(|four| four == b"\r\n\r\n");
        self.searched = self.buffer.len();
        found.map(|place| from + place + 4)
    }
}

fn content_length(head: &[u8]) -> Result<usize, FramingError> {
    let mut found = None;
    for line in head.split(|byte| *byte == b'\n').skip(1) {
        let Some(colon) = line.iter().position(|byte| *byte == b':') else { continue };
        let (name, value) = line.split_at(colon);
        let name = name.trim_ascii();
        if !name.eq_ignore_ascii_case(b"content-length") && !name.eq_ignore_ascii_case(b"l") {
            continue;
        }
        let value = value.get(1..).unwrap_or_default().trim_ascii();
        let digits = !value.is_empty() && value.iter().all(u8::is_ascii_digit);
        let number = std::str::from_utf8(value).ok().filter(|_| digits).ok_or(FramingError::BadLength)?;
        let number: usize = number.parse().map_err(|_| FramingError::TooLong)?;
        if found.is_some_and(|other| other != number) {
            return Err(FramingError::BadLength);
        }
        found = Some(number);
    }
    found.ok_or(FramingError::NoLength)
}

#[cfg(test)]
mod tests {
    use super::*;

    const ONE: &[u8] = b"OPTIONS sip:a SIP/2.0\r\nContent-Length: 5\r\n\r\nhello";
    const TWO: &[u8] = b"SIP/2.0 200 OK\r\nl : 0\r\n\r\n";

    fn all(bytes: &[u8], piece: usize) -> Result<Vec<Frame>, FramingError> {
        let mut framer = Framer::default();
        let mut frames = Vec::new();
        for piece in bytes.chunks(piece) {
            framer.push(piece);
            while let Some(frame) = framer.next(false)? {
                frames.push(frame);
            }
        }
        Ok(frames)
    }

    fn message(bytes: &'static [u8]) -> Frame {
        Frame::Message(Bytes::from_static(bytes))
    }

    #[test]
    fn messages_are_found_however_they_are_cut() {
        let stream = [ONE, TWO, b"\r\n\r\n", ONE].concat();
        let expected = vec![message(ONE), message(TWO), Frame::Ping, message(ONE)];
        for piece in 1..stream.len() + 1 {
            assert_eq!(all(&stream, piece).unwrap(), expected, "in pieces of {piece}");
        }
    }

    #[test]
    fn a_pong_is_a_single_line_end_when_it_is_awaited() {
        let mut framer = Framer::default();
        framer.push(b"\r\n");
        assert_eq!(framer.next(false), Ok(None));
        assert_eq!(framer.next(true), Ok(Some(Frame::Pong)));
        assert_eq!(framer.next(true), Ok(None));
        assert!(!framer.is_within_message());
        framer.push(b"INV");
        assert!(framer.is_within_message());
    }

    #[test]
    fn what_has_no_end_is_an_error_and_not_a_buffer() {
        assert_eq!(all(b"OPTIONS sip:a SIP/2.0\r\nTo: x\r\n\r\n", 7), Err(FramingError::NoLength));
        assert_eq!(all(b"OPTIONS sip:a SIP/2.0\r\nl: 3\r\nContent-Length: 4\r\n\r\n", 7), Err(FramingError::BadLength));
        assert_eq!(all(b"OPTIONS sip:a SIP/2.0\r\nContent-Length: -1\r\n\r\n", 7), Err(FramingError::BadLength));
        assert_eq!(all(b"OPTIONS sip:a SIP/2.0\r\nl: 99999999999999999999999\r\n\r\n", 7), Err(FramingError::TooLong));
        assert_eq!(all(b"OPTIONS sip:a SIP/2.0\r\nl: 65535\r\n\r\n", 7), Err(FramingError::TooLong));
        assert_eq!(all(&vec![b'x'; 70_000], 1_000), Err(FramingError::TooLong));
    }
}
