//! Message waiting: the body `application/simple-message-summary` (RFC 3842 section 5.2).

use crate::sip::{Scheme, Uri};

use super::super::identity::printable;

/// Lines that are read; a summary has one a class of messages and a few header fields a message.
const MAX_LINES: usize = 200;
/// Classes of messages that are kept.
const MAX_CLASSES: usize = 16;

/// How many messages of one class wait.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Counts {
    /// New ones, the urgent among them.
    pub new: u32,
    /// Old ones, the urgent among them.
    pub old: u32,
    /// New and urgent.
    pub urgent_new: u32,
    /// Old and urgent.
    pub urgent_old: u32,
}

/// A message summary.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Summary {
    /// Messages-Waiting.
    pub waiting: bool,
    /// Message-Account: what to call to hear them, where that is a sip, sips or tel address.
    pub account: Option<String>,
    /// The classes of RFC 3458 section 6.2 in lower case, such as `voice-message`, with their counts.
    pub classes: Vec<(String, Counts)>,
}

impl Summary {
    /// Reads a body; `None`: it has no Messages-Waiting line, nor any count.
    pub fn parse(body: &str) -> Option<Summary> {
        let mut summary = Summary::default();
        let mut status = None;
        for line in body.lines().take(MAX_LINES) {
            // What follows an empty line describes single messages.
            if line.trim().is_empty() {
                if status.is_some() {
                    break;
                }
                continue;
            }
            let Some((name, value)) = line.split_once(':') else { continue };
            let (name, value) = (name.trim().to_ascii_lowercase(), value.trim());
            match name.as_str() {
                "messages-waiting" => status = Some(value.eq_ignore_ascii_case("yes")),
                "message-account" => summary.account = address(value),
                _ => {
                    if let Some(counts) = counts(value).filter(|_| summary.classes.len() < MAX_CLASSES) {
                        summary.classes.push((name, counts));
                    }
                }
            }
        }
        summary.waiting = status.unwrap_or_else(|| summary.classes.iter().any(|(_, counts)| counts.new > 0));
        (status.is_some() || !summary.classes.is_empty()).then_some(summary)
    }

    /// The voice messages; `Messages-Waiting: yes` alone counts as one.
    pub fn voice(&self) -> Counts {
        let voice = self.classes.iter().find(|(class, _)| class == "voice-message").map(|(_, counts)| *counts);
        let unspecified = Counts { new: u32::from(self.waiting && self.classes.is_empty()), ..Counts::default() };
        voice.unwrap_or(unspecified)
    }
}

/// `2/8 (0/2)`: new and old, new and old urgent ones. A number beyond 32 bits is not read.
fn counts(value: &str) -> Option<Counts> {
    let (all, urgent) = match value.split_once('(') {
        Some((all, urgent)) => (all, urgent.split(')').next().and_then(pair)),
        None => (value, None),
    };
    let (new, old) = pair(all)?;
    let (urgent_new, urgent_old) = urgent.unwrap_or_default();
    Some(Counts { new, old, urgent_new, urgent_old })
}

fn pair(text: &str) -> Option<(u32, u32)> {
    let (new, old) = text.split_once('/')?;
    Some((new.trim().parse().ok()?, old.trim().parse().ok()?))
}

/// An address that can be called, as it is written.
fn address(value: &str) -> Option<String> {
    let value = value.trim_start_matches('<').trim_end_matches('>');
    let uri = Uri::parse(value.to_owned().into()).ok()?;
    matches!(uri.scheme(), Scheme::Sip | Scheme::Sips | Scheme::Tel).then(|| printable(value))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_whole_summary_is_read() {
        let body = "Messages-Waiting: yes\r\nMessage-Account: sip:alice@vmail.example.com\r\n\
                    Voice-Message: 4/8 (1/2)\r\nFax-Message: 0/1\r\n\r\nTo: <alice@atlanta.example.com>\r\nSubject: 9/9\r\n";
        let summary = Summary::parse(body).unwrap();
        assert!(summary.waiting);
        assert_eq!(summary.account.as_deref(), Some("sip:alice@vmail.example.com"));
        assert_eq!(summary.voice(), Counts { new: 4, old: 8, urgent_new: 1, urgent_old: 2 });
        assert_eq!(summary.classes.len(), 2, "what describes a message is no count: {summary:?}");
    }

    #[test]
    fn what_real_servers_send_is_read() {
        for (body, new, old) in [
            ("Messages-Waiting: yes\r\nVoice-Message: 2/8 (0/2)\r\n", 2, 8),
            ("messages-waiting: YES\r\n", 1, 0),
            ("Messages-Waiting: no\r\n", 0, 0),
            ("Messages-Waiting: yes\nMessage-Account: sip:*97@pbx\nVoice-Message: 1/0\n", 1, 0),
            ("\r\nVoicemail: 1/0\r\nvoice-message : 3 / 4 \r\n", 3, 4),
            ("Messages-Waiting: yes\r\nFax-Message: 1/0\r\n", 0, 0),
        ] {
            let voice = Summary::parse(body).unwrap().voice();
            assert_eq!((voice.new, voice.old), (new, old), "{body}");
        }
    }

    #[test]
    fn nonsense_is_no_summary_and_huge_numbers_are_no_count() {
        assert_eq!(Summary::parse(""), None);
        assert_eq!(Summary::parse("hello\r\nworld: 1\r\n"), None);
        assert_eq!(Summary::parse("Voice-Message: 99999999999/0\r\n"), None);
        let long = format!("Messages-Waiting: yes\r\n{}", "X: 1/1\r\n".repeat(100_000));
        assert_eq!(Summary::parse(&long).unwrap().classes.len(), MAX_CLASSES);
        let account = Summary::parse("Messages-Waiting: no\r\nMessage-Account: mailto:a@b\r\n").unwrap().account;
        assert_eq!(account, None);
    }
}
