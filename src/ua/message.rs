//! Texts, one request each (RFC 3428): what comes is answered and told, what goes leaves one after the other for each address.

use std::collections::{BTreeMap, VecDeque};
use std::time::Instant;

use bytes::Bytes;

use crate::sip::transport::{Flow, Transport};
use crate::sip::{CSeq, From, HeaderName, Method, Request, Response, Uri, push, text};
use crate::transaction::{ClientId, Failure, ServerId};

use super::auth::Attempt;
use super::call::name_addr;
use super::core::Owner;
use super::event::Event;
use super::identity::{self, printable, uri_text};
use super::target::{callable, tel_to_sip};
use super::ways::Resolve;
use super::{AccountId, CommandError, UserAgent};
use crate::sip::body::content_type;

/// What a MESSAGE may have in all where a datagram may carry it (RFC 3428 section 8).
pub const MAX_REQUEST: usize = 1300;
/// What is added to a request on its way out of here: Via, User-Agent, Content-Length.
const ENVELOPE: usize = 180;
/// What credentials add, when they are asked for.
const CREDENTIALS: usize = 350;
/// The longest text over a transport that can carry it.
const MAX_TEXT: usize = 16_384;
/// How much of a text that came is told, in bytes.
const MAX_SHOWN: usize = 8_192;
/// Texts that wait for an answer, or for one before them.
const MAX_WAITING: usize = 32;
/// Texts that came and are remembered, for a proxy may bring one twice.
const MAX_SEEN: usize = 64;

/// The texts under way.
#[derive(Debug, Default)]
pub struct Messages {
    waiting: BTreeMap<u32, Outgoing>,
    next: u32,
    seen: VecDeque<Identity>,
}

/// A text of ours.
#[derive(Debug)]
struct Outgoing {
    account: Option<AccountId>,
    target: Uri,
    text: String,
    attempt: Attempt,
    /// It has left; others to the same address wait until it is answered (RFC 3428 section 8).
    left: bool,
}

/// What is the same in every copy of a request (RFC 3261 section 8.2.2.2).
#[derive(Debug, Clone, PartialEq, Eq)]
struct Identity {
    call_id: Bytes,
    tag: Vec<u8>,
    sequence: u32,
}

impl Identity {
    fn of(request: &Request) -> Option<Identity> {
        Some(Identity {
            call_id: Bytes::from(request.headers.value(&HeaderName::CallId)?.into_owned()),
            tag: request.headers.typed::<From>()?.ok()?.tag().unwrap_or_default().to_vec(),
            sequence: request.headers.typed::<CSeq>()?.ok()?.sequence,
        })
    }
}

impl UserAgent {
    // ---- what comes ----

    /// A MESSAGE, inside a call's dialog or outside any (RFC 3428 section 7): from whom may ring.
    pub(super) fn handle_message(
        &mut self,
        now: Instant,
        id: ServerId,
        flow: Flow,
        request: &Request,
        account: Option<AccountId>,
    ) {
        let in_dialog = super::dialog::to_tag(&request.headers).is_some();
        if !in_dialog && !self.is_welcome(flow, request) {
            self.counters.strangers += 1;
            return self.core.respond(now, id, 404, "Not Found", &[]);
        }
        if self.core.shutting_down {
            return self.core.respond(now, id, 480, "Temporarily Unavailable", &[]);
        }
        let identity = Identity::of(request);
        if identity.as_ref().is_some_and(|identity| self.messages.seen.contains(identity)) {
            return self.core.respond(now, id, 482, "Loop Detected", &[]);
        }
        if !matches!(content_type(&request.headers).as_str(), "text/plain" | "") {
            let extra = [
                (HeaderName::Accept, "text/plain"),
                (HeaderName::AcceptEncoding, "identity"),
                (HeaderName::AcceptLanguage, "en"),
            ];
            return self.core.respond(now, id, 415, "Unsupported Media Type", &extra);
        }
        self.core.respond(now, id, 200, "OK", &[]);
        if let Some(identity) = identity {
            if self.messages.seen.len() >= MAX_SEEN {
                self.messages.seen.pop_front();
            }
            self.messages.seen.push_back(identity);
        }
        let text = readable(request);
        if !text.trim().is_empty() {
            let trusted = self.core.is_own_server(account, flow.remote.ip());
            let from = identity::caller(&request.headers, trusted);
            self.core.emit(Event::Message { account, from, text });
        }
    }

    // ---- what goes ----

    /// Writes to somebody. Texts to one address leave one after the other.
    pub(super) fn send_message(
        &mut self,
        now: Instant,
        account: Option<AccountId>,
        target: Uri,
        text: String,
    ) -> Result<(), CommandError> {
        if self.core.shutting_down {
            return Err(CommandError::ShuttingDown);
        }
        if let Some(account) = account {
            self.known(account)?;
        }
        let config = account.and_then(|account| self.core.config.accounts.get(account.0));
        let target = tel_to_sip(callable(target)?, config)?;
        if text.trim().is_empty() {
            return Err(CommandError::MessageEmpty);
        }
        let waiting = self.messages.waiting.len();
        if waiting >= MAX_WAITING {
            return Err(CommandError::TooManyMessages(waiting));
        }
        let has_password = config.is_some_and(|config| config.credentials.is_some());
        let route = self.core.routes(now, account);
        let by_udp =
            Resolve::of(route.first().unwrap_or(&target)).is_ok_and(|hop| hop.plain_transport() == Transport::Udp);
        let message = Outgoing { account, target, text, attempt: Attempt::default(), left: false };
        let around = crate::sip::Message::Request(self.request_of(now, &message)).to_bytes().len() - message.text.len()
            + ENVELOPE
            + if has_password { CREDENTIALS } else { 0 };
        let limit = if by_udp { MAX_REQUEST.saturating_sub(around) } else { MAX_TEXT };
        if message.text.len() > limit {
            return Err(CommandError::MessageTooLong { bytes: message.text.len(), limit });
        }
        self.messages.next += 1;
        self.messages.waiting.insert(self.messages.next, message);
        self.send_next(now);
        Ok(())
    }

    /// Whose a text is.
    pub(super) fn message_account(&self, message: u32) -> Option<AccountId> {
        self.messages.waiting.get(&message).and_then(|message| message.account)
    }

    /// Sends every text to whose address none is under way.
    fn send_next(&mut self, now: Instant) {
        let mut busy: Vec<String> = Vec::new();
        let mut ready = Vec::new();
        for message in self.messages.waiting.values().filter(|message| message.left) {
            busy.push(message.target.to_string());
        }
        for (number, message) in self.messages.waiting.iter_mut().filter(|(_, message)| !message.left) {
            let target = message.target.to_string();
            if !busy.contains(&target) {
                busy.push(target);
                message.left = true;
                ready.push(*number);
            }
        }
        for number in ready {
            let Some(message) = self.messages.waiting.get(&number) else { continue };
            let (account, mut request) = (message.account, self.request_of(now, message));
            let sequence = self.core.below(1 << 15) + 1;
            let (call_id, tag) = (self.core.token(16), self.core.token(8));
            let from = format!("{};tag={tag}", text(&request.headers, &HeaderName::From));
            crate::sip::set(&mut request.headers, HeaderName::From, from);
            crate::sip::set(&mut request.headers, HeaderName::CallId, call_id);
            crate::sip::set(&mut request.headers, HeaderName::CSeq, format!("{sequence} MESSAGE"));
            if let Some(AccountId(place)) = account.filter(|account| self.goes_to_own_server(now, *account, &request)) {
                self.core.preauthorize(place, &mut request);
            }
            self.core.send(now, Owner::Message(number), request);
        }
    }

    /// Whether the way of a request outside any dialog is known, and leads to the account's own server.
    fn goes_to_own_server(&self, now: Instant, account: AccountId, request: &Request) -> bool {
        let routes = self.core.routes(now, Some(account));
        let flow =
            Resolve::of(routes.first().unwrap_or(&request.uri)).ok().and_then(|hop| self.core.flow_to(now, &hop));
        flow.is_some_and(|flow| self.core.is_own_server(Some(account), flow.remote.ip()))
    }

    /// The MESSAGE, but for what is random in it. It has no Contact (RFC 3428 section 4).
    fn request_of(&self, now: Instant, message: &Outgoing) -> Request {
        let account = message.account.and_then(|account| self.core.config.accounts.get(account.0));
        let mut request = Request::new(Method::Message, message.target.clone());
        let headers = &mut request.headers;
        for route in self.core.routes(now, message.account) {
            push(headers, HeaderName::Route, format!("<{route}>"));
        }
        push(headers, HeaderName::MaxForwards, "70");
        let from = match account {
            Some(account) => name_addr(account.display_name.as_deref(), &account.uri),
            None => "<sip:anonymous@anonymous.invalid>".to_owned(),
        };
        push(headers, HeaderName::From, from);
        push(headers, HeaderName::To, format!("<{}>", message.target));
        // As long as what `send_next` puts in their places.
        push(headers, HeaderName::CallId, "0".repeat(32));
        push(headers, HeaderName::CSeq, "00000 MESSAGE");
        push(headers, HeaderName::ContentType, "text/plain;charset=UTF-8");
        request.set_body(message.text.clone().into());
        request
    }

    pub(super) fn message_response(
        &mut self,
        now: Instant,
        number: u32,
        id: ClientId,
        flow: Flow,
        response: &Response,
    ) {
        let code = response.status.code();
        if !response.status.is_final() {
            return;
        }
        let Some(message) = self.messages.waiting.get_mut(&number) else { return };
        let account = message.account;
        let mut reason = printable(&String::from_utf8_lossy(&response.reason));
        if matches!(code, 401 | 407) {
            let trusted = account.is_some() && self.core.is_own_server(account, flow.remote.ip());
            match self.core.authorize(id, account, trusted, &mut message.attempt, response) {
                Ok(request) => return self.core.send(now, Owner::Message(number), request),
                Err(error) => reason = format!("{reason}: {error}"),
            }
        }
        let Some(message) = self.messages.waiting.remove(&number) else { return };
        let to = uri_text(&message.target);
        self.core.emit(match code {
            200..=299 => Event::MessageSent { account, to, delivered: code != 202 },
            _ => Event::MessageFailed { account, to, code, reason },
        });
        self.send_next(now);
    }

    pub(super) fn message_failure(&mut self, now: Instant, number: u32, failure: Failure) {
        let Some(message) = self.messages.waiting.remove(&number) else { return };
        let (code, reason) = match failure {
            Failure::Timeout => (408, "no answer"),
            Failure::Transport => (503, "it can't be reached"),
        };
        let (account, to) = (message.account, uri_text(&message.target));
        self.core.emit(Event::MessageFailed { account, to, code, reason: reason.to_owned() });
        self.send_next(now);
    }
}

/// The text of a MESSAGE, cut and made safe to show; its line breaks stay.
fn readable(request: &Request) -> String {
    let body = request.body();
    let shown = body.get(..MAX_SHOWN).unwrap_or(body);
    let mut decoded = String::from_utf8_lossy(shown).into_owned();
    if shown.len() < body.len() {
        // The cut may have left a piece of a character.
        while decoded.ends_with(char::REPLACEMENT_CHARACTER) {
            decoded.pop();
        }
        decoded.push('\u{2026}');
    }
    let lines: Vec<String> = decoded.trim_end().lines().map(|line| printable(&line.replace('\t', " "))).collect();
    lines.join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(body: &[u8]) -> Request {
        let mut request = Request::new(Method::Message, Uri::parse("sip:a@b".into()).unwrap());
        request.set_body(Bytes::copy_from_slice(body));
        request
    }

    #[test]
    fn a_text_is_shown_without_what_could_harm_a_screen() {
        assert_eq!(readable(&message(b"one\r\ntwo\tthree\r\n\r\n")), "one\ntwo three");
        assert_eq!(readable(&message("a\u{1b}[2J\u{202e}b".as_bytes())), "a\u{fffd}[2J\u{fffd}b");
        assert_eq!(readable(&message(b"\xff\xfe")), "\u{fffd}\u{fffd}");
    }

    #[test]
    fn a_long_text_is_cut_between_characters() {
        let long = "\u{20ac}".repeat(5_000);
        let shown = readable(&message(long.as_bytes()));
        assert!(shown.ends_with("\u{20ac}\u{2026}") && shown.len() <= MAX_SHOWN + 3, "{}", shown.len());
        assert!(!shown.contains(char::REPLACEMENT_CHARACTER));
    }
}
