//! What is provisioned for a user beside his password: forwarding, ringing several places, screening, redirection. The
//! services are those of the service examples draft of 1999, sections 2.5 to 2.7 and 2.9 to 2.12.

use std::time::Duration;

use crate::sip::{self, HeaderName, Headers, Host, Uri};

/// How long one place rings before the next has its turn, and a call before it counts as not answered.
pub const RING_TIME: Duration = Duration::from_secs(20);
/// Places that one user may have rung, beside his own phones.
pub const MAX_PLACES: usize = 10;
/// Diversions that a call may have behind it; one more is refused (RFC 5806 section 7.1).
const MAX_DIVERSIONS: usize = 5;

/// What happens to a user's calls. Addresses are a user or number of this exchange, or a SIP URI.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Service {
    /// The name that others see (P-Asserted-Identity, RFC 3325).
    pub display_name: Option<String>,
    /// 2.5: every call goes there.
    pub forward: Option<String>,
    /// 2.6: a call to a busy user goes there.
    pub forward_busy: Option<String>,
    /// 2.7: a call that nobody answers goes there, and one that no phone can be reached for.
    pub forward_no_answer: Option<String>,
    /// 2.7: how long it rings before.
    pub no_answer_after: Duration,
    /// 2.9, 2.10: further places that ring.
    pub places: Vec<String>,
    /// In which order.
    pub order: Order,
    /// [`Order::InTurn`]: how long each place rings.
    pub ring_time: Duration,
    /// 3xx to there (RFC 3665 section 3.6).
    pub redirect: Option<String>,
    /// 2.11: who may not call; see [`Pattern`].
    pub block: Vec<Pattern>,
    /// 2.11: who alone may call; empty: everyone.
    pub allow: Vec<Pattern>,
    /// 2.12: whom the user may not call.
    pub block_outgoing: Vec<Pattern>,
}

/// In which order several places ring.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Order {
    /// All at once.
    Together,
    /// One after the other: the user's phones by q (those with the same q at once), then the further places as listed.
    InTurn,
}

impl Default for Service {
    fn default() -> Self {
        Service {
            display_name: None,
            forward: None,
            forward_busy: None,
            forward_no_answer: None,
            no_answer_after: RING_TIME,
            places: Vec::new(),
            order: Order::Together,
            ring_time: RING_TIME,
            redirect: None,
            block: Vec::new(),
            allow: Vec::new(),
            block_outgoing: Vec::new(),
        }
    }
}

impl Service {
    /// Whether a call from this address is let through (2.11).
    pub fn admits(&self, caller: &Uri) -> bool {
        let listed = |list: &[Pattern]| list.iter().any(|pattern| pattern.matches(caller));
        !listed(&self.block) && (self.allow.is_empty() || listed(&self.allow))
    }

    /// Whether a call to this address is let through (2.12).
    pub fn may_call(&self, callee: &Uri) -> bool {
        !self.block_outgoing.iter().any(|pattern| pattern.matches(callee))
    }

    /// Whether calls may reach someone without a phone of this user: he needs no password then.
    pub fn leads_elsewhere(&self) -> bool {
        self.forward.is_some() || self.redirect.is_some() || !self.places.is_empty()
    }
}

/// Addresses: a user or number, or `user@host`, each with `*` for any characters; `anonymous` for callers without a name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pattern(String);

impl Pattern {
    /// Longest pattern; matching takes time with the product of both lengths.
    const MAX: usize = 128;

    /// Reads one.
    ///
    /// # Errors
    /// Why it is none.
    pub fn new(text: &str) -> Result<Pattern, &'static str> {
        let text = text.trim();
        if text.is_empty() || text.len() > Pattern::MAX {
            return Err("a pattern has 1 to 128 characters");
        }
        if text.chars().any(|c| c.is_whitespace() || c.is_control() || matches!(c, '<' | '>' | '"' | ';')) {
            return Err("a pattern has no spaces, quotes, brackets or semicolons");
        }
        let bare = text.strip_prefix("sip:").unwrap_or(text);
        Ok(Pattern(bare.to_ascii_lowercase()))
    }

    /// Whether an address is meant.
    pub fn matches(&self, uri: &Uri) -> bool {
        if self.0 == "anonymous" {
            return is_anonymous(uri);
        }
        let user = user_of(uri).to_ascii_lowercase();
        match self.0.rsplit_once('@') {
            Some((name, host)) => {
                let there = uri.host().map(Host::to_string).unwrap_or_default().to_ascii_lowercase();
                glob(name, &user) && glob(host, &there)
            }
            None => glob(&self.0, &user),
        }
    }
}

impl std::fmt::Display for Pattern {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

/// The user part as text, or a tel URI's number.
pub(crate) fn user_of(uri: &Uri) -> String {
    let bytes = match uri.tel_parts() {
        Some(parts) => parts.subscriber().to_vec(),
        None => uri.decoded_user().map(|user| user.to_vec()).unwrap_or_default(),
    };
    String::from_utf8_lossy(&bytes).into_owned()
}

/// RFC 3323 section 4.1: how a caller names himself who does not want to be named.
fn is_anonymous(uri: &Uri) -> bool {
    let nowhere = uri.host().is_some_and(|host| host.to_string().eq_ignore_ascii_case("anonymous.invalid"));
    nowhere || user_of(uri).eq_ignore_ascii_case("anonymous")
}

/// Whether `text` is `pattern` with something for each `*`. Two marks, no recursion: time is bounded by the product.
fn glob(pattern: &str, text: &str) -> bool {
    let (pattern, text) = (pattern.as_bytes(), text.as_bytes());
    let (mut p, mut t) = (0, 0);
    let mut star = None;
    while let Some(&byte) = text.get(t) {
        match pattern.get(p) {
            Some(b'*') => {
                star = Some((p, t));
                p += 1;
            }
            Some(&wanted) if wanted == byte => {
                p += 1;
                t += 1;
            }
            Some(_) | None => match star {
                Some((at, from)) => {
                    p = at + 1;
                    t = from + 1;
                    star = Some((at, from + 1));
                }
                None => return false,
            },
        }
    }
    pattern.get(p..).unwrap_or_default().iter().all(|byte| *byte == b'*')
}

/// Why a call goes elsewhere.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Diversion {
    Unconditional,
    Busy,
    NoAnswer,
}

impl Diversion {
    /// RFC 5806 section 4.
    fn reason(self) -> &'static str {
        match self {
            Diversion::Unconditional => "unconditional",
            Diversion::Busy => "user-busy",
            Diversion::NoAnswer => "no-answer",
        }
    }

    /// RFC 4458 section 2 and RFC 7044 section 10: the status code that stands for it.
    fn cause(self) -> u16 {
        match self {
            Diversion::Unconditional => 302,
            Diversion::Busy => 486,
            Diversion::NoAnswer => 408,
        }
    }

    /// Writes into a request that it was for `from` and goes to `to`: Diversion (RFC 5806), the latest on top, and
    /// History-Info (RFC 7044). False: it has gone astray often enough.
    pub fn note(self, headers: &mut Headers, from: &str, to: &Uri) -> bool {
        let diversion = sip::other("Diversion");
        if headers.count(&diversion) >= MAX_DIVERSIONS {
            return false;
        }
        let value = format!("<{from}>;reason={};counter=1", self.reason());
        if let Ok(header) = sip::Header::build(diversion, value) {
            headers.push_front(header);
        }
        let history = HeaderName::HistoryInfo;
        let index = match last_index(headers) {
            Some(index) => index,
            None => {
                sip::push(headers, history.clone(), format!("<{from}>;index=1"));
                "1".to_owned()
            }
        };
        let cause = self.cause();
        let target = to.to_string();
        // A URI with header fields ends in them: there the parameter would be one of theirs.
        let target = target.split('?').next().unwrap_or_default();
        sip::push(headers, history, format!("<{target};cause={cause}>;index={index}.1;mp={index}"));
        true
    }
}

/// The index of the last History-Info entry.
fn last_index(headers: &Headers) -> Option<String> {
    let name = HeaderName::HistoryInfo;
    let row = headers.get_all(&name).last()?.value();
    let value = String::from_utf8_lossy(&row);
    let (_, rest) = value.rsplit_once("index=")?;
    let index: String = rest.chars().take_while(|c| c.is_ascii_digit() || *c == '.').take(64).collect();
    (!index.is_empty()).then_some(index)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn uri(text: &str) -> Uri {
        Uri::parse(text.to_owned().into()).expect("a URI")
    }

    #[test]
    fn patterns() {
        let matches = |pattern: &str, address: &str| Pattern::new(pattern).unwrap().matches(&uri(address));
        for (pattern, address) in [
            ("alice", "sip:Alice@example.com"),
            ("0900*", "sip:0900123@example.com"),
            ("*@spam.example", "sip:x@SPAM.example:5070"),
            ("sip:a*e@*.com", "sip:alice@example.com"),
            ("+49900*", "tel:+49900123"),
            ("anonymous", "sip:anonymous@anonymous.invalid"),
            ("*a*b*", "sip:xaxbx@h"),
        ] {
            assert!(matches(pattern, address), "{pattern} {address}");
        }
        for (pattern, address) in [
            ("alice", "sip:alice2@example.com"),
            ("*@spam.example", "sip:x@spam.example.org"),
            ("anonymous", "sip:alice@example.com"),
            ("0900*", "sip:10900@h"),
            ("*a*b", "sip:xaxbx@h"),
        ] {
            assert!(!matches(pattern, address), "{pattern} {address}");
        }
        assert!(Pattern::new(" ").is_err() && Pattern::new("a b").is_err() && Pattern::new(&"x".repeat(129)).is_err());
        // What would take an exponential time by trying.
        let long = format!("sip:{}@h", "a".repeat(1000));
        assert!(!matches(&"*a".repeat(40).replace("*a*a", "*a*ab"), &long));
    }

    #[test]
    fn allowing_and_blocking() {
        let list = |text: &str| vec![Pattern::new(text).unwrap()];
        let alice = uri("sip:alice@example.com");
        assert!(Service::default().admits(&alice) && Service::default().may_call(&alice));
        assert!(!Service { block: list("alice"), ..Service::default() }.admits(&alice));
        assert!(!Service { allow: list("carol"), ..Service::default() }.admits(&alice));
        assert!(Service { allow: list("al*"), ..Service::default() }.admits(&alice));
        assert!(!Service { allow: list("al*"), block: list("*"), ..Service::default() }.admits(&alice));
        assert!(!Service { block_outgoing: list("*@example.com"), ..Service::default() }.may_call(&alice));
    }

    #[test]
    fn diversions_are_written_and_counted() {
        let mut headers = Headers::default();
        let first = Diversion::Unconditional.note(&mut headers, "sip:bob@example.com", &uri("sip:carol@example.com"));
        assert!(first && Diversion::Busy.note(&mut headers, "sip:carol@example.com", &uri("sip:dave@192.0.2.1?a=b")));
        let rows = |headers: &Headers, name: HeaderName| -> Vec<String> {
            headers.get_all(&name).map(|row| String::from_utf8_lossy(&row.value()).into_owned()).collect()
        };
        assert_eq!(
            rows(&headers, sip::other("Diversion")),
            [
                "<sip:carol@example.com>;reason=user-busy;counter=1",
                "<sip:bob@example.com>;reason=unconditional;counter=1"
            ]
        );
        assert_eq!(
            rows(&headers, HeaderName::HistoryInfo),
            [
                "<sip:bob@example.com>;index=1",
                "<sip:carol@example.com;cause=302>;index=1.1;mp=1",
                "<sip:dave@192.0.2.1;cause=486>;index=1.1.1;mp=1.1"
            ]
        );
        for _ in 0..MAX_DIVERSIONS - 2 {
            assert!(Diversion::NoAnswer.note(&mut headers, "sip:a@b", &uri("sip:b@c")));
        }
        assert!(!Diversion::NoAnswer.note(&mut headers, "sip:a@b", &uri("sip:b@c")));
    }
}
