//! SIP messages as they crossed the wire, with passwords, digest responses and keys masked.

use std::net::SocketAddr;
use std::time::SystemTime;

use crate::sip::transport::{Flow, Transport};
use crate::ua::CallNo;

use super::screen::harmless_lines;

/// What stands in the place of a secret.
const MASK: &str = "***";

/// What line ends alone are for.
pub const KEEP_ALIVE: &str = "keep-alive";

/// One message.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct TraceEntry {
    /// When it left or came.
    pub time: SystemTime,
    /// True: we sent it.
    pub sent: bool,
    /// Our side.
    pub local: SocketAddr,
    /// The other side.
    pub remote: SocketAddr,
    /// How it went.
    pub transport: Transport,
    /// The call to which it belongs, as far as that is known when it leaves or comes.
    pub call: Option<CallNo>,
    /// The first line; [`KEEP_ALIVE`] for line ends alone.
    pub summary: String,
    /// Call-ID, to follow one call.
    pub call_id: String,
    /// CSeq, as it stands.
    pub cseq: String,
    /// The whole message, masked, with control characters replaced.
    pub text: String,
}

impl TraceEntry {
    /// The entry of a message as it stands on the wire. Malformed ones have one too: they are what a trace is read for.
    pub fn new(time: SystemTime, sent: bool, flow: Flow, bytes: &[u8]) -> TraceEntry {
        let text = masked(&harmless_lines(&String::from_utf8_lossy(bytes)));
        // RFC 5626 section 3.5.1: line ends alone keep a way open.
        let is_blank = bytes.iter().all(u8::is_ascii_whitespace);
        let first = if is_blank { KEEP_ALIVE } else { text.lines().next().unwrap_or_default() };
        TraceEntry {
            time,
            sent,
            local: flow.local,
            remote: flow.remote,
            transport: flow.transport,
            call: None,
            summary: first.to_string(),
            call_id: field(&text, &["call-id", "i"]).unwrap_or_default().to_string(),
            cseq: field(&text, &["cseq"]).unwrap_or_default().to_string(),
            text,
        }
    }
}

/// The value of the first header field of one of these names, in lower case.
fn field<'a>(text: &'a str, names: &[&str]) -> Option<&'a str> {
    text.lines().skip(1).take_while(|line| !line.is_empty()).find_map(|line| {
        let (name, value) = line.split_once(':')?;
        names.contains(&name.trim().to_ascii_lowercase().as_str()).then(|| value.trim())
    })
}

/// Where a line stands, for what is secret depends on it.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Place {
    Header,
    /// A header field that carries an answer to a challenge, and the lines that continue it.
    Credentials,
    Body,
}

/// The message with everything secret replaced.
fn masked(text: &str) -> String {
    let digits_only = field(text, &["content-type", "c"]).is_some_and(|value| {
        value.split(';').next().unwrap_or_default().trim().eq_ignore_ascii_case("application/dtmf")
    });
    let mut out = String::with_capacity(text.len());
    let mut place = Place::Header;
    for (index, line) in text.split('\n').enumerate() {
        if index > 0 {
            out.push('\n');
        }
        if place == Place::Body {
            out.push_str(&mask_body_line(line, digits_only));
            continue;
        }
        place = place_of(line, place);
        match place {
            Place::Header | Place::Body => out.push_str(&mask_uri_passwords(line)),
            Place::Credentials => out.push_str(&mask_credentials(line)),
        }
    }
    out
}

fn place_of(line: &str, before: Place) -> Place {
    if line.is_empty() {
        return Place::Body;
    }
    if line.starts_with(' ') {
        return before; // RFC 3261 section 7.3.1: a folded line belongs to the one before
    }
    let name = line.split(':').next().unwrap_or_default().trim().to_ascii_lowercase();
    match name.as_str() {
        "authorization" | "proxy-authorization" | "authentication-info" | "proxy-authentication-info" => {
            Place::Credentials
        }
        _ => Place::Header,
    }
}

fn mask_credentials(line: &str) -> String {
    // Whatever is not Digest (RFC 7235: Basic, Bearer) is a secret as a whole.
    if let Some((name, value)) = line.split_once(':') {
        let value = value.trim_start();
        let scheme = value.split(' ').next().unwrap_or_default();
        let answers = name.trim().to_ascii_lowercase().ends_with("authorization");
        if answers && !scheme.is_empty() && !scheme.eq_ignore_ascii_case("digest") {
            return format!("{name}: {scheme} {MASK}");
        }
    }
    let line = mask_uri_passwords(line);
    ["response", "cnonce", "rspauth"].into_iter().fold(line, |line, name| mask_parameter(&line, name))
}

/// Replaces the value of each `name=value` or `name="value"` of a comma list.
fn mask_parameter(line: &str, name: &str) -> String {
    let lower = line.to_ascii_lowercase();
    let mut out = String::with_capacity(line.len());
    let mut rest = 0;
    while let Some(found) = lower.get(rest..).and_then(|tail| tail.find(name)).map(|at| at + rest) {
        let after = found + name.len();
        let begins = lower[..found].ends_with([' ', ',', ':']) || found == 0;
        let value = lower[after..].trim_start().strip_prefix('=').map(str::trim_start);
        let Some(value) = value.filter(|_| begins) else {
            out.push_str(&line[rest..after]);
            rest = after;
            continue;
        };
        let value_at = lower.len() - value.len();
        let length = match value.strip_prefix('"') {
            Some(quoted) => quoted.find('"').map_or(value.len(), |end| end + 2),
            None => value.find([',', ' ']).unwrap_or(value.len()),
        };
        out.push_str(&line[rest..value_at]);
        out.push_str(if value.starts_with('"') { "\"***\"" } else { MASK });
        rest = value_at + length;
    }
    out.push_str(&line[rest..]);
    out
}

/// RFC 3261 section 19.1.1: `sip:user:password@host`.
fn mask_uri_passwords(line: &str) -> String {
    let lower = line.to_ascii_lowercase();
    let mut out = String::with_capacity(line.len());
    let mut rest = 0;
    while let Some(start) = lower.get(rest..).and_then(|tail| {
        let sip = tail.find("sip:").map(|at| at + 4);
        let sips = tail.find("sips:").map(|at| at + 5);
        [sip, sips].into_iter().flatten().min()
    }) {
        let start = rest + start;
        let end = line[start..].find(['@', '>', '"', ' ', ',']).map_or(line.len(), |at| start + at);
        let password = line[start..end].find(':').map(|at| start + at + 1);
        match password {
            Some(password) if line[end..].starts_with('@') => {
                out.push_str(&line[rest..password]);
                out.push_str(MASK);
            }
            Some(_) | None => out.push_str(&line[rest..end]),
        }
        rest = end;
    }
    out.push_str(&line[rest..]);
    out
}

fn mask_body_line(line: &str, digits_only: bool) -> String {
    if digits_only && !line.trim().is_empty() {
        return MASK.to_string();
    }
    let lower = line.trim_start().to_ascii_lowercase();
    let kept = |separator: char| line.split(separator).next().unwrap_or_default();
    if lower.starts_with("a=crypto:") {
        return match lower.find("inline:") {
            Some(_) => {
                let at = line.to_ascii_lowercase().find("inline:").unwrap_or_default();
                format!("{}inline:{MASK}", line.get(..at).unwrap_or_default())
            }
            None => format!("a=crypto:{MASK}"),
        };
    }
    if lower.starts_with("a=ice-pwd:") || lower.starts_with("k=") {
        return format!("{}:{MASK}", kept(':'));
    }
    if lower.starts_with("signal") && lower.trim_start_matches("signal").trim_start().starts_with(['=', ':']) {
        return format!("Signal={MASK}");
    }
    mask_uri_passwords(line)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn flow() -> Flow {
        let (local, remote) = (([192, 0, 2, 7], 5060).into(), ([192, 0, 2, 1], 5060).into());
        Flow { transport: Transport::Udp, local, remote }
    }

    fn entry(text: &str) -> TraceEntry {
        TraceEntry::new(SystemTime::UNIX_EPOCH, true, flow(), text.as_bytes())
    }

    #[test]
    fn an_entry_says_which_message_it_is() {
        let entry = entry("SIP/2.0 200 OK\r\nVia: x\r\ni: abc@host\r\nCSeq: 2 INVITE\r\n\r\n");
        assert_eq!(entry.summary, "SIP/2.0 200 OK");
        assert_eq!(entry.call_id, "abc@host");
        assert_eq!(entry.cseq, "2 INVITE");
    }

    #[test]
    fn line_ends_alone_are_a_keep_alive() {
        assert_eq!(entry("\r\n\r\n").summary, KEEP_ALIVE);
        assert_eq!(entry("").summary, KEEP_ALIVE);
        assert_eq!(entry("\r\nx").summary, "");
    }

    #[test]
    fn digest_answers_are_masked_in_both_header_fields_folded_or_not() {
        let text = entry(concat!(
            "REGISTER sip:pbx SIP/2.0\r\n",
            "Authorization: Digest username=\"alice\", realm=\"pbx\", nonce=\"n0\", response=\"6629fae4\",\r\n",
            " CNONCE = \"0a4f\", nc=00000001, uri=\"sip:pbx\"\r\n",
            "Proxy-Authorization: Digest username=\"response\",response=abc,cnonce=\"d,e\",opaque=\"o\"\r\n",
            "Authentication-Info: rspauth=\"77\", nc=00000001\r\n",
            "\r\n"
        ))
        .text;
        for secret in ["6629fae4", "0a4f", "abc", "d,e", "\"77\""] {
            assert!(!text.contains(secret), "{secret} in {text}");
        }
        for kept in
            ["username=\"alice\"", "nonce=\"n0\"", "nc=00000001, uri=\"sip:pbx\"", "opaque=\"o\"", "=\"response\""]
        {
            assert!(text.contains(kept), "{kept} not in {text}");
        }
    }

    #[test]
    fn other_schemes_are_masked_whole() {
        let text = entry("REGISTER sip:pbx SIP/2.0\r\nAuthorization: Basic QWxhZGRpbg==\r\n\r\n").text;
        assert!(text.contains("Authorization: Basic ***"));
        assert!(!text.contains("QWxh"));
    }

    #[test]
    fn keys_and_digits_in_bodies_are_masked() {
        let sdp = entry(concat!(
            "INVITE sip:bob@b SIP/2.0\r\n\r\nv=0\r\n",
            "a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:WVNfX19zZW1jdGwgKCkgewkyMjA7fQp9CnVubGVz\r\n",
            "a=ice-ufrag:abcd\r\na=ice-pwd:secretsecret\r\na=rtpmap:0 PCMU/8000\r\n"
        ))
        .text;
        assert!(sdp.contains("AES_CM_128_HMAC_SHA1_80 inline:***\n"));
        assert!(sdp.contains("a=ice-ufrag:abcd\na=ice-pwd:***\na=rtpmap:0 PCMU/8000"));

        let relay =
            entry("INFO sip:b SIP/2.0\r\nContent-Type: application/dtmf-relay\r\n\r\nSignal= 7\r\nDuration=160\r\n")
                .text;
        assert!(relay.contains("Signal=***\nDuration=160"), "{relay}");

        let plain = entry("INFO sip:b SIP/2.0\r\nContent-Type: application/dtmf\r\n\r\n7").text;
        assert!(plain.ends_with("\n\n***"));
    }

    #[test]
    fn passwords_in_uris_are_masked_and_ports_are_not() {
        let text = entry(concat!(
            "INVITE sip:bob:geheim@b.example:5080 SIP/2.0\r\n",
            "Contact: <sip:192.0.2.7:5060>, \"x\" <SIPS:carol:pw@c;lr>\r\n\r\n"
        ))
        .text;
        assert!(text.contains("INVITE sip:bob:***@b.example:5080 SIP/2.0"));
        assert!(text.contains("<sip:192.0.2.7:5060>, \"x\" <SIPS:carol:***@c;lr>"), "{text}");
    }

    #[test]
    fn terminal_escapes_do_not_pass() {
        let entry = entry("OPTIONS sip:a SIP/2.0\r\nSubject: \u{1b}[2J\u{202e}\r\nCall-ID: \u{7}x\r\n\r\n");
        assert!(!entry.text.contains(['\u{1b}', '\u{202e}', '\u{7}']));
        assert_eq!(entry.call_id, "\u{FFFD}x");
    }

    #[test]
    fn anything_at_all_can_be_traced() {
        for bytes in
            [&b""[..], b"\n", b"\xff\xfe:\n\n\x00", b"sip:@", b"Authorization", b"x\nAuthorization: response=\""]
        {
            TraceEntry::new(SystemTime::now(), false, flow(), bytes);
        }
    }
}
