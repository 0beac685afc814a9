//! Datagrams: which hold a message that this end may take, and which are worth an answer all the same.

use bytes::Bytes;

use crate::sip::{
    CSeq, FramingError, Limits, Message, ParseError, Request, Response, TransactionKey, is_answerable, parse_datagram,
    salvage, via,
};

/// Why a datagram is not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Unfit {
    /// Such is what others keep their way through a translator open with.
    KeepAlive,
    /// A response that no user agent may take.
    Response,
    /// What can't be read. If it is a request that can be answered at all it gets 400 with this reason phrase.
    Unread(&'static str),
}

/// The message in a datagram.
pub(super) fn read(datagram: &[u8]) -> Result<Message, Unfit> {
    if datagram.len() <= 4 && datagram.iter().all(|byte| matches!(byte, b'\r' | b'\n' | 0)) {
        return Err(Unfit::KeepAlive);
    }
    match parse(datagram) {
        Ok(_) if has_nul(datagram) => Err(Unfit::Unread("NUL In Header Field")),
        Ok(Message::Request(request)) if !is_answerable(&request) => Err(Unfit::Unread("Missing Header Field")),
        Ok(Message::Request(request)) if !names_a_transaction(&request) => Err(Unfit::Unread("Bad Via")),
        // RFC 4475 section 3.2.1: the cookie alone; all such requests would be one transaction.
        Ok(Message::Request(request)) if via::has_empty_branch(&request) => Err(Unfit::Unread("Bad Branch")),
        Ok(Message::Response(response)) if !is_for_a_user_agent(&response) => Err(Unfit::Response),
        Ok(message) => Ok(message),
        Err(error) => Err(Unfit::Unread(salvage::reason(&error))),
    }
}

/// A datagram ends where it ends: the empty line after the last header field may be missing (RFC 5118 section 4.10's are so).
fn parse(datagram: &[u8]) -> Result<Message, ParseError> {
    let limits = Limits::datagram();
    match parse_datagram(Bytes::copy_from_slice(datagram), &limits) {
        Err(ParseError::Framing(FramingError::NoHeaderTerminator)) if datagram.ends_with(b"\r\n") => {
            parse_datagram([datagram, b"\r\n"].concat().into(), &limits)
        }
        result => result,
    }
}

/// Whether there is a NUL before the body other than as a quoted pair, where alone it may stand (RFC 3261 section 25.1).
fn has_nul(message: &[u8]) -> bool {
    let end = message.windows(4).position(|four| four == b"\r\n\r\n").unwrap_or(message.len());
    let mut escaped = false;
    message.iter().take(end).any(|byte| {
        let bare = *byte == 0 && !escaped;
        escaped = *byte == b'\\' && !escaped;
        bare
    })
}

/// Whether a request's transaction can be told from others, and its answer find its way (RFC 3261 section 17.2.3).
fn names_a_transaction(request: &Request) -> bool {
    TransactionKey::from_request(request).is_some()
}

/// Whether a response may be for us: one hop, whose Via is ours (RFC 3261 section 8.1.3.3), and a CSeq that can be read.
fn is_for_a_user_agent(response: &Response) -> bool {
    via::hops(&response.headers) <= 1 && matches!(response.headers.typed::<CSeq>(), Some(Ok(_)))
}

#[cfg(test)]
mod tests {
    use super::*;

    const OPTIONS: &str = "OPTIONS sip:bob@192.0.2.1 SIP/2.0\r\nVia: SIP/2.0/UDP 192.0.2.9;branch=z9hG4bK1\r\n\
        From: <sip:a@192.0.2.9>;tag=1\r\nTo: <sip:bob@192.0.2.1>\r\nCall-ID: 1\r\nCSeq: 1 OPTIONS\r\n";

    #[test]
    fn a_message_is_taken_even_without_its_last_empty_line() {
        for end in ["", "\r\n"] {
            assert!(matches!(read(format!("{OPTIONS}{end}").as_bytes()), Ok(Message::Request(_))), "{end:?}");
        }
    }

    #[test]
    fn what_is_not_taken_says_why() {
        for datagram in ["", "\0", "\r\n\r\n"] {
            assert_eq!(read(datagram.as_bytes()).unwrap_err(), Unfit::KeepAlive);
        }
        for (old, new, reason) in [
            ("z9hG4bK1", "z9hG4bK", "Bad Branch"),
            ("Call-ID: 1", "X-ID: 1", "Missing Header Field"),
            ("sip:a@", "sip:a\0@", "NUL In Header Field"),
            ("SIP/2.0\r\nVia", "SIP 2.0\r\nVia", "Bad Request Line"),
        ] {
            let datagram = format!("{}\r\n", OPTIONS.replacen(old, new, 1));
            assert_eq!(read(datagram.as_bytes()).unwrap_err(), Unfit::Unread(reason), "{reason}");
        }
        let relayed = "SIP/2.0 200 OK\r\nVia: SIP/2.0/UDP 192.0.2.1;branch=z9hG4bK1\r\n\
            Via: SIP/2.0/UDP 192.0.2.9;branch=z9hG4bK2\r\nCSeq: 1 OPTIONS\r\n\r\n";
        assert_eq!(read(relayed.as_bytes()).unwrap_err(), Unfit::Response);
    }
}
