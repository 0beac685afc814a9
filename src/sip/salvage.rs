//! The answer to a request that can't be read: 400 all the same, so that its sender knows (RFC 4475 sections 3.1.2 and 3.3).
//!
//! The library refuses such a datagram as a whole. Here its lines are looked at once more, with no more understanding than
//! an answer needs: the rows that a response repeats (RFC 3261 section 8.2.6.2) and where it goes (section 18.2.2).

use std::net::SocketAddr;

use bytes::Bytes;

use super::{HeaderName, HeaderSyntaxError, ParseError, Request, Uri, via};

/// Rows of a message that are looked at; an honest message that can't be read has fewer.
const MAX_ROWS: usize = 128;
/// The longest row that is repeated.
const MAX_ROW: usize = 8 * 1024;

/// The rows that a response repeats, and the names that they get there.
const REPEATED: [(HeaderName, &str); 5] = [
    (HeaderName::Via, "Via"),
    (HeaderName::From, "From"),
    (HeaderName::To, "To"),
    (HeaderName::CallId, "Call-ID"),
    (HeaderName::CSeq, "CSeq"),
];

/// What a request has of what an answer needs: octets, not understood.
#[derive(Debug, Clone)]
pub struct Salvaged {
    rows: Vec<(HeaderName, Vec<u8>)>,
}

/// The reason phrase that tells a sender what the parser refused.
pub fn reason(error: &ParseError) -> &'static str {
    match error {
        ParseError::StartLine(_) => "Bad Request Line",
        ParseError::HeaderSyntax { kind: HeaderSyntaxError::BareNewline, .. } => "Bare Line Break",
        ParseError::HeaderSyntax { .. } => "Bad Header Field",
        ParseError::Framing(_) => "Bad Content-Length",
        ParseError::Limit { .. } => "Message Too Large",
        // The library's enum may grow.
        _ => "Bad Request",
    }
}

impl Salvaged {
    /// Looks at a datagram once more. `None`: it is no request, or an ACK, which nothing answers (RFC 3261 section 17), or it
    /// has no Via, or no other row that a response repeats.
    pub fn read(datagram: &[u8]) -> Option<Salvaged> {
        let mut lines = lines(datagram).take(MAX_ROWS);
        if !is_answerable_line(&String::from_utf8_lossy(lines.next()?)) {
            return None;
        }
        let mut unfolded: Vec<Vec<u8>> = Vec::new();
        for line in lines {
            match unfolded.last_mut() {
                // RFC 3261 section 7.3.1: it goes on from the line before.
                Some(before) if line.starts_with(b" ") || line.starts_with(b"\t") => {
                    before.push(b' ');
                    before.extend_from_slice(line.trim_ascii_start());
                }
                _ => unfolded.push(line.to_vec()),
            }
        }
        let mut rows: Vec<(HeaderName, Vec<u8>)> = Vec::new();
        for line in unfolded {
            let Some(colon) = line.iter().position(|byte| *byte == b':') else { continue };
            let (name, value) = line.split_at(colon);
            let name = HeaderName::parse(&Bytes::copy_from_slice(name.trim_ascii_end()));
            let value = value.get(1..).unwrap_or_default().trim_ascii();
            let again = name != HeaderName::Via && rows.iter().any(|(other, _)| *other == name);
            // A bare line break would be another's row in our answer.
            let whole = value.len() <= MAX_ROW && !value.iter().any(|byte| matches!(byte, b'\r' | b'\n' | 0));
            if whole && !again && REPEATED.iter().any(|(repeated, _)| *repeated == name) {
                rows.push((name, value.to_vec()));
            }
        }
        let has = |name| rows.iter().any(|(other, _)| *other == name);
        let answerable = has(HeaderName::Via) && (has(HeaderName::CSeq) || has(HeaderName::CallId));
        answerable.then_some(Salvaged { rows })
    }

    /// The same of a request that was read, for an answer without a transaction.
    pub fn of(request: &Request) -> Salvaged {
        let rows = REPEATED.iter().flat_map(|(name, _)| {
            request.headers.get_all(name).map(move |row| (name.clone(), row.value().into_owned()))
        });
        Salvaged { rows: rows.collect() }
    }

    /// What makes this request another than the next, for a To tag that is the same when it comes again (RFC 3261 section
    /// 8.2.7).
    pub fn identity(&self) -> Vec<u8> {
        self.rows.iter().filter(|(name, _)| *name != HeaderName::To).flat_map(|(_, value)| value.clone()).collect()
    }

    /// Writes in the topmost Via where the request came from, and says where its answer goes.
    fn stamp(&mut self, source: SocketAddr) -> SocketAddr {
        let Ok(uri) = Uri::parse(bytes::Bytes::from_static(b"sip:unread.invalid")) else { return source };
        let mut request = Request::new(super::Method::Options, uri);
        let Some((_, top)) = self.rows.iter_mut().find(|(name, _)| *name == HeaderName::Via) else { return source };
        super::push(&mut request.headers, HeaderName::Via, top.clone());
        via::stamp(&mut request, source);
        if let Some(stamped) = request.headers.value(&HeaderName::Via) {
            *top = stamped.into_owned();
        }
        via::reply_to(&request, source)
    }

    /// The response, as it stands on the wire, and where it goes. `tag`: for a To that has none. `extra`: rows of ours.
    pub fn answer(
        mut self,
        source: SocketAddr,
        (code, reason): (u16, &str),
        tag: &str,
        extra: &[(HeaderName, &str)],
    ) -> (SocketAddr, Bytes) {
        let to = self.stamp(source);
        let mut text = format!("SIP/2.0 {code} {reason}\r\n").into_bytes();
        for (name, label) in &REPEATED {
            for (_, value) in self.rows.iter().filter(|(other, _)| other == name) {
                text.extend_from_slice(format!("{label}: ").as_bytes());
                text.extend_from_slice(value);
                if *name == HeaderName::To && !has_tag(value) {
                    text.extend_from_slice(format!(";tag={tag}").as_bytes());
                }
                text.extend_from_slice(b"\r\n");
            }
        }
        for (name, value) in extra {
            text.extend_from_slice(format!("{name}: {value}\r\n").as_bytes());
        }
        text.extend_from_slice(b"Content-Length: 0\r\n\r\n");
        (to, text.into())
    }
}

/// Whether a To has a tag, as far as that can be told of one that may be unreadable.
fn has_tag(to: &[u8]) -> bool {
    let plain: Vec<u8> = to.iter().filter(|byte| !byte.is_ascii_whitespace()).map(u8::to_ascii_lowercase).collect();
    let after_uri = plain.iter().rposition(|byte| *byte == b'>').map_or(plain.as_slice(), |at| plain.split_at(at).1);
    after_uri.windows(5).any(|five| five == b";tag=")
}

/// The lines of a message before its body.
fn lines(mut message: &[u8]) -> impl Iterator<Item = &[u8]> {
    std::iter::from_fn(move || {
        let end = message.windows(2).position(|two| two == b"\r\n").unwrap_or(message.len());
        let (line, rest) = message.split_at(end);
        message = rest.get(2..).unwrap_or_default();
        (!line.is_empty()).then_some(line)
    })
}

/// Whether a line begins a request other than ACK: a token, something, and a SIP version.
fn is_answerable_line(line: &str) -> bool {
    let words: Vec<&str> = line.split_whitespace().collect();
    let [method, .., version] = words.as_slice() else { return false };
    let is_token = |byte: u8| byte.is_ascii_alphanumeric() || b"-.!%*_+`'~".contains(&byte);
    words.len() >= 3
        && method.bytes().all(is_token)
        && *method != "ACK"
        && version.to_ascii_uppercase().starts_with("SIP/")
}

#[cfg(test)]
mod tests {
    use super::*;

    const SOURCE: &str = "192.0.2.9:40000";

    fn answer(text: &str) -> Option<(String, String)> {
        let salvaged = Salvaged::read(text.as_bytes())?;
        let server = [(HeaderName::Server, "offhook")];
        let (to, answer) = salvaged.answer(SOURCE.parse().unwrap(), (400, "Bad Request Line"), "t", &server);
        Some((to.to_string(), String::from_utf8(answer.to_vec()).unwrap()))
    }

    #[test]
    fn what_is_there_is_repeated() {
        let (to, text) = answer(
            "INVITE  sip:a@b SIP/2.0\r\nv: SIP/2.0/UDP 192.0.2.9:5070\r\n ;branch=z9hG4bK1\r\nVia: SIP/2.0/UDP x\r\n\
             f: <sip:c@d>;tag=1\r\nTo: <sip:a@b>\r\nTo: <sip:e@f>\r\ni: 7\r\nCSeq: 1 INVITE\r\nX: y\r\n\r\n",
        )
        .unwrap();
        assert_eq!(to, "192.0.2.9:5070");
        assert_eq!(
            text,
            "SIP/2.0 400 Bad Request Line\r\nVia: SIP/2.0/UDP 192.0.2.9:5070 ;branch=z9hG4bK1\r\nVia: SIP/2.0/UDP x\r\n\
             From: <sip:c@d>;tag=1\r\nTo: <sip:a@b>;tag=t\r\nCall-ID: 7\r\nCSeq: 1 INVITE\r\nServer: offhook\r\n\
             Content-Length: 0\r\n\r\n"
        );
    }

    #[test]
    fn a_via_that_says_nothing_is_answered_where_it_came_from() {
        let (to, text) = answer("OPTIONS sip:a SIP/2.0\r\nVia: ;;,\r\nCSeq: 1 OPTIONS").unwrap();
        assert_eq!(to, SOURCE);
        assert!(text.contains("Via: ;;,\r\n"), "{text}");
    }

    #[test]
    fn what_must_not_be_answered_is_not() {
        for text in [
            "SIP/2.0 200 OK SIP/2.0\r\nVia: SIP/2.0/UDP x\r\nCSeq: 1 INVITE\r\n\r\n",
            "ACK <sip:a> SIP/2.0\r\nVia: SIP/2.0/UDP x\r\nCSeq: 1 ACK\r\n\r\n",
            "INVITE <sip:a> SIP/2.0\r\nCSeq: 1 INVITE\r\n\r\n",
            "INVITE <sip:a> SIP/2.0\r\nVia: SIP/2.0/UDP x\r\n\r\n",
            "GET / HTTP/1.1\r\nVia: x\r\nCSeq: 1 INVITE\r\n\r\n",
            "",
        ] {
            assert!(answer(text).is_none(), "{text}");
        }
    }
}
