//! Bodies (RFC 3261 section 7.4, RFC 5621): where in a message its session description is, alone or among other parts.

use super::{HeaderName, Headers, text};

/// Parts of one multipart body that are looked at.
const MAX_PARTS: usize = 32;
/// How deep multipart bodies may lie in each other.
const MAX_DEPTH: usize = 4;

/// What a body is to a user agent that reads session descriptions only.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Content {
    /// There is none, or only such as may be passed over (`handling=optional`, RFC 3204).
    Nothing,
    /// A session description.
    Session(String),
    /// Something that must be understood and is not: 415.
    Unknown,
}

impl Content {
    /// What the body of a message with these header fields is.
    pub fn of(headers: &Headers, body: &[u8]) -> Content {
        let fields = Fields {
            content_type: text(headers, &HeaderName::ContentType),
            disposition: text(headers, &HeaderName::ContentDisposition),
            encoding: text(headers, &HeaderName::ContentEncoding),
            transfer: String::new(),
        };
        fields.read(body, 0)
    }

    /// The session description, if there is one.
    pub fn session(self) -> Option<String> {
        match self {
            Content::Session(description) => Some(description),
            Content::Nothing | Content::Unknown => None,
        }
    }
}

/// The type of a body, lower case and without parameters; empty where none is named.
pub fn content_type(headers: &Headers) -> String {
    first(&text(headers, &HeaderName::ContentType))
}

/// The header fields that say what a body, or a part of one, is.
#[derive(Debug, Default)]
struct Fields {
    content_type: String,
    disposition: String,
    encoding: String,
    transfer: String,
}

impl Fields {
    fn read(&self, body: &[u8], depth: usize) -> Content {
        if body.trim_ascii().is_empty() {
            return Content::Nothing;
        }
        let content = self.understood(body, depth);
        if content == Content::Unknown && self.is_optional() { Content::Nothing } else { content }
    }

    fn understood(&self, body: &[u8], depth: usize) -> Content {
        let plain =
            |value: &str, names: &[&str]| value.is_empty() || names.iter().any(|n| value.eq_ignore_ascii_case(n));
        if !plain(&self.encoding, &["identity"]) || !plain(&self.transfer, &["binary", "8bit", "7bit"]) {
            return Content::Unknown;
        }
        let content_type = first(&self.content_type);
        if content_type == "application/sdp" {
            // RFC 3261 section 20.11: without a disposition a session description describes the session.
            return match first(&self.disposition).as_str() {
                "" | "session" => Content::Session(String::from_utf8_lossy(body).into_owned()),
                _ => Content::Unknown,
            };
        }
        let Some(kind) = content_type.strip_prefix("multipart/") else { return Content::Unknown };
        let Some(boundary) = parameter(&self.content_type, "boundary").filter(|_| depth < MAX_DEPTH) else {
            return Content::Unknown;
        };
        let contents = parts(body, &boundary).into_iter().map(|(fields, part)| fields.read(part, depth + 1));
        match kind {
            "alternative" => best(contents),
            // RFC 2387 section 3.2: without a `start` the first part is the root, and the others belong to it.
            "related" => contents.into_iter().next().unwrap_or(Content::Unknown),
            _ => all(contents),
        }
    }

    /// RFC 3204 section 3: a recipient may pass over a part that it does not understand.
    fn is_optional(&self) -> bool {
        parameter(&self.disposition, "handling").is_some_and(|handling| handling.eq_ignore_ascii_case("optional"))
    }
}

/// Of alternatives the last that is understood is the one meant (RFC 2046 section 5.1.4).
fn best(contents: impl Iterator<Item = Content>) -> Content {
    contents.filter(|content| matches!(content, Content::Session(_))).last().unwrap_or(Content::Unknown)
}

/// Of a mixed body every part counts; the first session description is the session's.
fn all(contents: impl Iterator<Item = Content>) -> Content {
    let mut found = Content::Nothing;
    for content in contents {
        match content {
            Content::Unknown => return Content::Unknown,
            Content::Session(_) if found == Content::Nothing => found = content,
            Content::Session(_) | Content::Nothing => {}
        }
    }
    found
}

/// The value before the parameters, lower case.
fn first(value: &str) -> String {
    value.split(';').next().unwrap_or_default().trim().to_ascii_lowercase()
}

/// A parameter's value, without quotes.
fn parameter(value: &str, name: &str) -> Option<String> {
    value.split(';').skip(1).find_map(|parameter| {
        let (key, value) = parameter.split_once('=')?;
        key.trim().eq_ignore_ascii_case(name).then(|| value.trim().trim_matches('"').to_owned())
    })
}

/// The parts between the lines that begin with `--boundary` (RFC 2046 section 5.1.1).
fn parts<'a>(body: &'a [u8], boundary: &str) -> Vec<(Fields, &'a [u8])> {
    let delimiter = format!("--{boundary}");
    let delimiter = delimiter.as_bytes();
    let mut parts = Vec::new();
    let (mut start, mut at) = (None, 0);
    for line in body.split_inclusive(|byte| *byte == b'\n') {
        if let Some(rest) = line.strip_prefix(delimiter)
            && matches!(rest.trim_ascii(), b"" | b"--")
        {
            if let Some(part) = start.and_then(|start: usize| body.get(start..at)).filter(|_| parts.len() < MAX_PARTS) {
                parts.push(part_of(part));
            }
            start = (rest.trim_ascii() != b"--").then_some(at + line.len());
        }
        at += line.len();
    }
    parts
}

/// A part's header fields and its body. The line break before the delimiter is the delimiter's.
fn part_of(part: &[u8]) -> (Fields, &[u8]) {
    let mut fields = Fields::default();
    let mut rest = part;
    while let Some(end) = rest.iter().position(|byte| *byte == b'\n') {
        let (line, after) = rest.split_at(end + 1);
        rest = after;
        if line.trim_ascii().is_empty() {
            break;
        }
        let line = String::from_utf8_lossy(line);
        let Some((name, value)) = line.split_once(':') else { continue };
        let field = match name.trim().to_ascii_lowercase().as_str() {
            "content-type" | "c" => &mut fields.content_type,
            "content-disposition" => &mut fields.disposition,
            "content-encoding" | "e" => &mut fields.encoding,
            "content-transfer-encoding" => &mut fields.transfer,
            _ => continue,
        };
        value.trim().clone_into(field);
    }
    let body = rest.strip_suffix(b"\n").unwrap_or(rest);
    (fields, body.strip_suffix(b"\r").unwrap_or(body))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sip::push;

    fn content(content_type: &str, disposition: &str, body: &str) -> Content {
        let mut headers = Headers::new();
        push(&mut headers, HeaderName::ContentType, content_type.to_owned());
        if !disposition.is_empty() {
            push(&mut headers, HeaderName::ContentDisposition, disposition.to_owned());
        }
        Content::of(&headers, body.as_bytes())
    }

    fn session(body: &str) -> Content {
        Content::Session(body.to_owned())
    }

    fn multipart(parts: &[(&str, &str)]) -> String {
        let parts = parts.iter().map(|(fields, body)| format!("--b1\r\n{fields}\r\n\r\n{body}\r\n"));
        format!("a preamble\r\n{}--b1--\r\nan epilogue", parts.collect::<String>())
    }

    const SDP: &str = "Content-Type: application/sdp";

    #[test]
    fn a_body_alone() {
        assert_eq!(content("application/SDP;charset=utf-8", "", "v=0\r\n"), session("v=0\r\n"));
        assert_eq!(content("application/sdp", "session;handling=required", "v=0"), session("v=0"));
        assert_eq!(content("application/sdp", "early-session;handling=optional", "v=0"), Content::Nothing);
        assert_eq!(content("application/sdp", "early-session", "v=0"), Content::Unknown);
        assert_eq!(content("text/plain", "", "hello"), Content::Unknown);
        assert_eq!(content("text/plain", "render; Handling=OPTIONAL", "hello"), Content::Nothing);
        assert_eq!(content("text/plain", "", " \r\n"), Content::Nothing);
    }

    #[test]
    fn the_description_is_found_among_other_parts() {
        let isup = "Content-Type: application/ISUP;version=itu-t92+\r\nContent-Disposition: signal;handling=optional";
        let body = multipart(&[(isup, "\u{1}\u{2}"), (SDP, "v=0\r\ns=-")]);
        assert_eq!(content("multipart/mixed;boundary=b1", "", &body), session("v=0\r\ns=-"));
        assert_eq!(content("multipart/mixed; boundary=\"b1\"", "", &body.replace("\r\n", "\n")), session("v=0\ns=-"));
        let required = multipart(&[(SDP, "v=0"), ("Content-Type: text/plain", "hello")]);
        assert_eq!(content("multipart/mixed;boundary=b1", "", &required), Content::Unknown);
        assert_eq!(content("multipart/related;boundary=b1", "", &required), session("v=0"));
        assert_eq!(content("multipart/mixed;boundary=other", "", &body), Content::Nothing);
        assert_eq!(content("multipart/mixed", "", &body), Content::Unknown);
    }

    #[test]
    fn of_alternatives_the_last_that_is_understood_is_taken() {
        let body = multipart(&[(SDP, "v=0\r\ns=1"), (SDP, "v=0\r\ns=2"), ("Content-Type: application/sdpng", "<xml>")]);
        assert_eq!(content("multipart/alternative;boundary=b1", "", &body), session("v=0\r\ns=2"));
        let strange = multipart(&[("Content-Type: text/plain", "a")]);
        assert_eq!(content("multipart/alternative;boundary=b1", "", &strange), Content::Unknown);
    }

    #[test]
    fn what_is_encoded_or_nested_too_deep_is_not_understood() {
        let packed = format!("{SDP}\r\nContent-Transfer-Encoding: base64");
        assert_eq!(content("multipart/mixed;boundary=b1", "", &multipart(&[(&packed, "dj0w")])), Content::Unknown);
        let mut deep = String::from("v=0");
        let mut kind = "application/sdp".to_owned();
        for depth in 0..6 {
            deep = format!("--d{depth}\r\nContent-Type: {kind}\r\n\r\n{deep}\r\n--d{depth}--\r\n");
            kind = format!("multipart/mixed;boundary=d{depth}");
        }
        assert_eq!(content(&kind, "", &deep), Content::Unknown);
    }
}
