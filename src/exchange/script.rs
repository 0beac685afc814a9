//! Answers that our user agent has no command for: early media and then busy (604), a redirection (606). A user agent
//! server of a few lines, without I/O, directly on transactions.

use std::collections::{HashMap, VecDeque};
use std::time::{Duration, Instant};

use bytes::Bytes;
use rand_chacha::ChaCha20Rng;
use rand_core::{RngCore, SeedableRng};

use crate::sdp::{Capabilities, Intent, LocalMedia, Negotiated, Session};
use crate::sip::transport::{Flow, Transmit};
use crate::sip::{self, HeaderName, Limits, Method, Request, Timers, To};
use crate::transaction::queue::TimerQueue;
use crate::transaction::{Event, ServerId, Transactions};
use crate::ua::command::MediaPorts;

use super::answer::Answer;
use super::nonce::token;

/// Calls at a time.
const MAX_CALLS: usize = 64;

/// What a caller gets to hear and to see.
#[derive(Debug, Clone)]
pub(crate) enum Scene {
    /// 183 with sound, then 486.
    EarlyThenBusy {
        /// After this long.
        after: Duration,
    },
    /// 302 to another address.
    Redirect {
        /// A URI.
        to: String,
    },
}

/// What the driver is to do.
#[derive(Debug, Clone)]
pub(crate) enum Cue {
    /// Open sound for a call, and give [`Script::play`].
    SoundDue { call: ServerId },
    /// Where the sound goes.
    Media { call: ServerId, media: Box<Negotiated> },
    /// The call is over.
    Over { call: ServerId },
}

#[derive(Debug)]
struct Early {
    request: Request,
    tag: String,
    flow: Flow,
}

/// The scripted user agent server.
#[derive(Debug)]
pub(crate) struct Script {
    scene: Scene,
    capabilities: Capabilities,
    transactions: Transactions,
    calls: HashMap<ServerId, Early>,
    ends: TimerQueue<ServerId>,
    cues: VecDeque<Cue>,
    random: ChaCha20Rng,
}

impl Script {
    /// One that plays `scene` to everyone.
    pub fn new(scene: Scene, capabilities: Capabilities, seed: [u8; 32]) -> Script {
        Script {
            scene,
            capabilities,
            transactions: Transactions::new(Timers::default(), 4 * MAX_CALLS),
            calls: HashMap::new(),
            ends: TimerQueue::default(),
            cues: VecDeque::new(),
            random: ChaCha20Rng::from_seed(seed),
        }
    }

    /// A datagram came.
    pub fn handle_datagram(&mut self, now: Instant, flow: Flow, bytes: &[u8]) {
        if let Ok(message) = sip::parse_datagram(Bytes::copy_from_slice(bytes), &Limits::datagram()) {
            self.transactions.handle_message(now, flow, message);
        }
        self.drain(now);
    }

    /// The time has come that [`Script::poll_timeout`] named.
    pub fn handle_timeout(&mut self, now: Instant) {
        self.transactions.handle_timeout(now);
        while let Some(call) = self.ends.pop(now) {
            self.finish(now, call, &Answer::new(486, "Busy Here"));
        }
        self.drain(now);
    }

    /// The sound that [`Cue::SoundDue`] asked for is open: 183 with an answer to the caller's offer.
    pub fn play(&mut self, now: Instant, call: ServerId, ports: MediaPorts) {
        let Some(early) = self.calls.get(&call) else { return };
        let local = LocalMedia::new(early.flow.local.ip(), ports.rtp, ports.rtcp);
        let offer = String::from_utf8_lossy(early.request.body()).into_owned();
        let mut session = Session::new(self.capabilities.clone(), u64::from(self.random.next_u32()));
        let Ok((body, media)) = session.answer(&offer, &local, Intent::Talk) else {
            return self.finish(now, call, &Answer::new(488, "Not Acceptable Here"));
        };
        let Some(mut progress) = Answer::new(183, "Session Progress").to_request(&early.request, &early.tag) else {
            return;
        };
        // RFC 3261 section 12.1.1: an early dialog has its routes too.
        for route in early.request.headers.get_all(&HeaderName::RecordRoute) {
            progress.headers.push(route.clone());
        }
        let user = early.request.uri.user().map(|user| String::from_utf8_lossy(user).into_owned()).unwrap_or_default();
        sip::push(&mut progress.headers, HeaderName::Contact, format!("<sip:{user}@{}>", early.flow.local));
        sip::push(&mut progress.headers, HeaderName::ContentType, "application/sdp");
        sip::set(&mut progress.headers, HeaderName::ContentLength, body.len().to_string());
        progress.set_body(body.into());
        self.transactions.respond(now, call, progress);
        self.cues.push_back(Cue::Media { call, media: Box::new(media) });
    }

    /// The next message to put on the wire.
    pub fn poll_transmit(&mut self) -> Option<Transmit> {
        self.transactions.poll_transmit()
    }

    /// The next thing to do.
    pub fn poll_cue(&mut self) -> Option<Cue> {
        self.cues.pop_front()
    }

    /// When [`Script::handle_timeout`] is due.
    pub fn poll_timeout(&self) -> Option<Instant> {
        let transactions = self.transactions.poll_timeout().map(|(at, _)| at);
        [transactions, self.ends.peek().map(|(at, _)| at)].into_iter().flatten().min()
    }

    fn drain(&mut self, now: Instant) {
        while let Some(event) = self.transactions.poll_event() {
            match event {
                Event::Request { id, flow, request } => self.handle_request(now, id, flow, *request),
                Event::Cancel { id, invite } => self.handle_cancel(now, id, invite),
                Event::ServerEnded { id } => self.forget(id),
                Event::Ack { .. }
                | Event::Response { .. }
                | Event::StrayResponse { .. }
                | Event::Failed { .. }
                | Event::Unacknowledged { .. }
                | Event::ClientEnded { .. } => {}
            }
        }
    }

    fn handle_request(&mut self, now: Instant, id: ServerId, flow: Flow, request: Request) {
        let in_dialog = request.headers.typed::<To>().is_some_and(|to| to.is_ok_and(|to| to.tag().is_some()));
        let answer = match (&request.method, &self.scene) {
            (_, _) if in_dialog => Answer::new(481, "Call/Transaction Does Not Exist"),
            (Method::Options, _) => Answer::new(200, "OK").with(HeaderName::Allow, "INVITE, ACK, CANCEL, OPTIONS"),
            (Method::Invite, Scene::Redirect { to }) => {
                Answer::new(302, "Moved Temporarily").with(HeaderName::Contact, format!("<{to}>"))
            }
            (Method::Invite, Scene::EarlyThenBusy { after }) => {
                if self.calls.len() < MAX_CALLS {
                    self.ends.set(id, now + *after);
                    let tag = token(&mut self.random);
                    let offers = !request.body().is_empty();
                    self.calls.insert(id, Early { request, tag, flow });
                    if offers {
                        self.cues.push_back(Cue::SoundDue { call: id });
                    }
                    return;
                }
                Answer::new(486, "Busy Here")
            }
            _ => Answer::new(405, "Method Not Allowed").with(HeaderName::Allow, "INVITE, ACK, CANCEL, OPTIONS"),
        };
        self.respond(now, id, &request, &answer);
    }

    fn handle_cancel(&mut self, now: Instant, id: ServerId, invite: Option<ServerId>) {
        if let Some(cancel) = self.transactions.server_request(id).cloned() {
            let answer = match invite {
                Some(_) => Answer::new(200, "OK"),
                None => Answer::new(481, "Call/Transaction Does Not Exist"),
            };
            self.respond(now, id, &cancel, &answer);
        }
        if let Some(invite) = invite {
            self.finish(now, invite, &Answer::new(487, "Request Terminated"));
        }
    }

    fn respond(&mut self, now: Instant, id: ServerId, request: &Request, answer: &Answer) {
        let tag = token(&mut self.random);
        match answer.to_request(request, &tag) {
            Some(response) => self.transactions.respond(now, id, response),
            None => self.transactions.abandon_server(id),
        }
    }

    fn finish(&mut self, now: Instant, call: ServerId, answer: &Answer) {
        let Some(early) = self.calls.get(&call) else { return };
        if let Some(response) = answer.to_request(&early.request, &early.tag) {
            self.transactions.respond(now, call, response);
        }
        self.forget(call);
    }

    fn forget(&mut self, call: ServerId) {
        if self.calls.remove(&call).is_some() {
            self.ends.cancel(&call);
            self.cues.push_back(Cue::Over { call });
        }
    }
}
