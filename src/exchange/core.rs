//! The exchange without I/O: every request passes here, in the order of RFC 3261 section 16.3 and what follows it.

use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::time::{Duration, Instant};

use bytes::Bytes;
use rand_chacha::ChaCha20Rng;
use rand_core::{RngCore, SeedableRng};

use crate::sip::transport::{Flow, Transmit, Transport};
use crate::sip::{
    self, CSeq, From, HeaderName, Limits, MaxForwards, Message, Method, Request, Timers, To, Uri, Via, via,
};
use crate::transaction::{Event, ServerId, Transactions};

use super::answer::Answer;
use super::auth::{Authenticator, Role};
use super::journey::Journey;
use super::location::{Binding, Location};
use super::nonce::token;
use super::place::{self, Place};
use super::proxy::Proxy;
use super::proxy::Stage;
use super::registrar;
use super::service::Service;
use super::{Config, Route, Strangers};

/// Transactions of either side that may be open at a time.
const MAX_TRANSACTIONS: usize = 16_384;

/// Registrar and proxy. One mutation, then drain [`Core::poll_transmit`], then wait for [`Core::poll_timeout`].
#[derive(Debug)]
pub struct Core {
    pub(super) place: Place,
    /// `None`: everyone is who he says he is.
    pub(super) authenticator: Option<Authenticator>,
    pub(super) location: Location,
    pub(super) lifetimes: registrar::Lifetimes,
    /// Users that need not register.
    pub(super) extensions: HashMap<String, Uri>,
    /// What is provisioned, by user.
    pub(super) services: HashMap<String, Service>,
    /// The next hops for other domains.
    pub(super) routes: Vec<(String, Vec<(Transport, std::net::SocketAddr)>)>,
    /// Numbers that screening never touches.
    pub(super) emergency: Vec<String>,
    strangers: Strangers,
    /// Calls that may have further stages.
    pub(super) journeys: HashMap<ServerId, Journey>,
    pub(super) transactions: Transactions,
    pub(super) proxy: Proxy,
    pub(super) random: ChaCha20Rng,
    /// Makes loop marks unlike those of any other exchange.
    pub(super) loop_key: u64,
}

/// What becomes of a request.
enum Fate {
    Answer(Answer),
    Forward(Box<(Request, Stage, Option<Journey>)>),
}

impl Core {
    /// An exchange that is reached at `config.listen`, which must be a full address here. `seed` must be unpredictable.
    pub fn new(config: &Config, seed: [u8; 32]) -> Core {
        let mut random = ChaCha20Rng::from_seed(seed);
        let mut authenticator = None;
        for user in &config.users {
            let known = authenticator.get_or_insert_with(|| {
                Authenticator::new(config.domain.clone(), config.algorithms.clone(), config.nonce_lifetime)
            });
            // A user without a password has no phone of his own: a group, or a number that is forwarded.
            if !user.password.is_empty() {
                known.add(&user.name, &user.password);
            }
        }
        let mut proxy_seed = [0; 32];
        random.fill_bytes(&mut proxy_seed);
        let place = Place::new(&config.domain, config.listen);
        let hops = |route: &Route| {
            let hops =
                route.hops.iter().filter_map(|hop| Some((place::transport(hop)?, place.address(hop)?))).collect();
            (route.domain.clone(), hops)
        };
        Core {
            routes: config.routes.iter().map(hops).collect(),
            services: config.services.clone().into_iter().collect(),
            emergency: config.emergency.clone(),
            strangers: config.strangers,
            journeys: HashMap::new(),
            place,
            authenticator,
            location: Location::default(),
            lifetimes: registrar::Lifetimes { min: config.min_expires, default: Duration::from_secs(3600) },
            extensions: HashMap::new(),
            transactions: Transactions::new(Timers::default(), MAX_TRANSACTIONS),
            proxy: Proxy::new(ChaCha20Rng::from_seed(proxy_seed)),
            loop_key: random.next_u64(),
            random,
        }
    }

    /// A user who is always at `contact`. With a password he may place calls too.
    pub fn add_extension(&mut self, user: &str, password: Option<&str>, contact: Uri) {
        self.extensions.insert(user.to_owned(), contact);
        if let (Some(authenticator), Some(password)) = (&mut self.authenticator, password) {
            authenticator.add(user, password);
        }
    }

    /// It is reached by TLS too, at this port.
    pub fn set_tls_port(&mut self, port: Option<u16>) {
        self.place.tls_port = port;
    }

    /// The contacts of a user now.
    pub fn bindings(&self, now: Instant, user: &str) -> Vec<Binding> {
        self.location.bindings(now, user.as_bytes())
    }

    /// Whether nothing is under way: no transaction, no forwarded request, no timer.
    pub fn is_idle(&self) -> bool {
        self.transactions.is_empty() && self.proxy.is_empty() && self.journeys.is_empty()
    }

    /// A datagram came. What is no SIP message is dropped.
    pub fn handle_datagram(&mut self, now: Instant, flow: Flow, bytes: &[u8]) {
        match sip::parse_datagram(Bytes::copy_from_slice(bytes), &Limits::datagram()) {
            Ok(message) => {
                if self.transactions.len().1 >= MAX_TRANSACTIONS {
                    self.proxy.end_oldest(&mut self.transactions);
                }
                self.transactions.handle_message(now, flow, message);
            }
            Err(error) => tracing::debug!(%error, from = %flow.remote, "not a SIP message"),
        }
        self.drain(now);
    }

    /// The time has come that [`Core::poll_timeout`] named.
    pub fn handle_timeout(&mut self, now: Instant) {
        self.transactions.handle_timeout(now);
        self.proxy.handle_timeout(now, &mut self.transactions);
        self.drain(now);
    }

    /// The network refused what went this way (an ICMP error).
    pub fn handle_transport_error(&mut self, now: Instant, flow: Flow) {
        self.transactions.handle_transport_error(now, flow);
        self.drain(now);
    }

    /// The next message to put on the wire.
    pub fn poll_transmit(&mut self) -> Option<Transmit> {
        self.transactions.poll_transmit()
    }

    /// When [`Core::handle_timeout`] is due.
    pub fn poll_timeout(&self) -> Option<Instant> {
        let transactions = self.transactions.poll_timeout().map(|(at, _)| at);
        [transactions, self.proxy.poll_timeout()].into_iter().flatten().min()
    }

    fn drain(&mut self, now: Instant) {
        loop {
            if let Some(over) = self.proxy.poll_over() {
                self.go_on(now, over);
                continue;
            }
            let Some(event) = self.transactions.poll_event() else { return };
            match event {
                Event::Request { id, flow, request } => {
                    let fate = self.fate(now, flow, &request).unwrap_or_else(Fate::Answer);
                    match fate {
                        Fate::Answer(answer) => self.answer(now, id, &request, &answer),
                        Fate::Forward(forward) => {
                            let (request, stage, journey) = *forward;
                            if let Some(journey) = journey {
                                self.journeys.insert(id, journey);
                            }
                            self.proxy.forward(now, &mut self.transactions, id, request, stage);
                        }
                    }
                }
                Event::Ack { request, flow, .. } => self.forward_ack(*request, flow.transport),
                Event::Cancel { id, invite } => self.handle_cancel(now, id, invite),
                Event::Response { id, flow: _, response } => {
                    self.proxy.handle_response(now, &mut self.transactions, id, *response);
                }
                Event::Failed { id, failure } => {
                    self.proxy.handle_failure(now, &mut self.transactions, id, failure);
                }
                Event::ServerEnded { id } => {
                    self.forget_journey(id);
                    self.proxy.handle_server_ended(&mut self.transactions, id);
                }
                // RFC 6026 section 7.3: a proxy drops what belongs to nothing. The rest ends with its server transaction.
                Event::StrayResponse { .. } | Event::Unacknowledged { .. } | Event::ClientEnded { .. } => {}
            }
        }
    }

    fn answer(&mut self, now: Instant, id: ServerId, request: &Request, answer: &Answer) {
        tracing::debug!(method = %request.method, uri = %request.uri, code = answer.code, "answered");
        match answer.to_request(request, &token(&mut self.random)) {
            Some(response) => self.transactions.respond(now, id, response),
            None => self.transactions.abandon_server(id),
        }
    }

    fn handle_cancel(&mut self, now: Instant, id: ServerId, invite: Option<ServerId>) {
        let Some(request) = self.transactions.server_request(id).cloned() else { return };
        match invite {
            Some(invite) => {
                self.answer(now, id, &request, &Answer::new(200, "OK"));
                self.forget_journey(invite);
                self.proxy.handle_cancel(now, &mut self.transactions, invite);
            }
            // RFC 3261 section 16.10 would pass it on without state; but whatever was forwarded here left its state.
            None => self.answer(now, id, &request, &Answer::new(481, "Call/Transaction Does Not Exist")),
        }
    }

    fn fate(&mut self, now: Instant, flow: Flow, received: &Request) -> Result<Fate, Answer> {
        self.check(received, flow.transport)?;
        let mut request = received.clone();
        // An identity that someone asserts of himself is worth nothing (RFC 3325 section 5).
        request.headers.remove_all(&HeaderName::PAssertedIdentity);
        request.headers.remove_all(&sip::other("Remote-Party-ID"));
        if matches!(request.uri.scheme(), sip::Scheme::Tel) {
            self.adopt_number(&mut request)?;
        }
        if request.method == Method::Register && self.place.owns(&request.uri) {
            return self.register(now, flow, &request).map(Fate::Answer);
        }
        let routed = self.take_routes(&mut request)?;
        if self.place.owns(&request.uri) && request.uri.user().is_none() {
            return Ok(Fate::Answer(self.about_ourselves(&request)));
        }
        let in_dialog = request.headers.typed::<To>().is_some_and(|to| to.is_ok_and(|to| to.tag().is_some()));
        if !in_dialog {
            self.authorize(now, &mut request)?;
            self.screen_outgoing(&request)?;
        } else if !routed {
            return Err(Answer::new(404, "Not Here"));
        }
        let journey = Journey::new(request.clone(), self.loop_mark(received), flow.transport);
        let (stage, journey) = self.set_out(now, journey)?;
        Ok(Fate::Forward(Box::new((request, stage, journey))))
    }

    /// RFC 3261 section 16.3.
    fn check(&self, request: &Request, transport: Transport) -> Result<(), Answer> {
        let findings = sip::validate::validate_request(request);
        if let Some(finding) = findings.iter().find(|finding| !finding.is_repairable()) {
            return Err(match finding.status() {
                505 => Answer::new(505, "Version Not Supported"),
                _ => Answer::new(400, "Bad Request"),
            });
        }
        // RFC 3261 section 26.2.2: `sips:` is for those who came by TLS.
        let known = request.uri.scheme().is_sip() && (!request.uri.scheme().is_secure() || transport == Transport::Tls);
        if !known && !matches!(request.uri.scheme(), sip::Scheme::Tel) {
            return Err(Answer::new(416, "Unsupported URI Scheme"));
        }
        if matches!(request.headers.typed::<MaxForwards>(), Some(Ok(MaxForwards(0)))) {
            return Err(Answer::new(483, "Too Many Hops"));
        }
        if self.has_looped(request) {
            return Err(Answer::new(482, "Loop Detected"));
        }
        let wanted = sip::tokens(&request.headers, &HeaderName::ProxyRequire);
        if !wanted.is_empty() {
            return Err(Answer::new(420, "Bad Extension").with(HeaderName::Unsupported, wanted.join(", ")));
        }
        Ok(())
    }

    /// A tel URI is a user of this domain.
    fn adopt_number(&self, request: &mut Request) -> Result<(), Answer> {
        let number = request.uri.tel_parts().map(|parts| String::from_utf8_lossy(parts.subscriber()).into_owned());
        let digits: String =
            number.unwrap_or_default().chars().filter(|c| !matches!(c, '-' | '.' | '(' | ')')).collect();
        let uri = Uri::parse(format!("sip:{digits}@{}", self.place.domain).into());
        let uri = uri.map_err(|_| Answer::new(484, "Address Incomplete"))?;
        request.set_uri(uri).map_err(|_| Answer::new(400, "Bad Request-URI"))
    }

    fn register(&mut self, now: Instant, flow: Flow, request: &Request) -> Result<Answer, Answer> {
        let wanted = sip::tokens(&request.headers, &HeaderName::Require);
        if !wanted.is_empty() {
            return Err(Answer::new(420, "Bad Extension").with(HeaderName::Unsupported, wanted.join(", ")));
        }
        let Some(Ok(to)) = request.headers.typed::<To>() else { return Err(Answer::new(400, "Bad To")) };
        let user = to.uri.decoded_user().unwrap_or_default();
        if let Some(authenticator) = &mut self.authenticator {
            let name = authenticator.check(now, &mut self.random, Role::Registrar, request)?;
            if name.as_bytes() != user {
                return Err(Answer::new(403, "Not Your Address Of Record"));
            }
        }
        if user.is_empty() || !self.place.owns(&to.uri) {
            return Err(Answer::new(404, "Not Found"));
        }
        Ok(registrar::register(&mut self.location, self.lifetimes, now, &user, request, flow.remote))
    }

    /// RFC 3261 section 16.4. True: a Route value of ours was there.
    fn take_routes(&self, request: &mut Request) -> Result<bool, Answer> {
        let bad = || Answer::new(400, "Bad Route");
        let mut routes = place::routes(&request.headers).ok_or_else(bad)?;
        let mut ours = false;
        if place::is_loose(&request.uri)
            && self.place.is_our_route(&request.uri)
            && let Some(last) = routes.pop()
        {
            // A strict router before us: what it took for the Request-URI is our Record-Route, the real one comes last.
            request.headers.remove_address_value(&HeaderName::Route, routes.len()).map_err(|_| bad())?;
            request.set_uri(last).map_err(|_| bad())?;
            ours = true;
        }
        for _ in routes.iter().take_while(|route| self.place.is_our_route(route)) {
            request.headers.remove_address_value(&HeaderName::Route, 0).map_err(|_| bad())?;
            ours = true;
        }
        Ok(ours)
    }

    fn about_ourselves(&self, request: &Request) -> Answer {
        match request.method {
            Method::Options => Answer::new(200, "OK")
                .with(HeaderName::Allow, "REGISTER, OPTIONS")
                .with(HeaderName::Accept, "application/sdp"),
            _ => Answer::new(405, "Method Not Allowed").with(HeaderName::Allow, "REGISTER, OPTIONS"),
        }
    }

    /// Own users prove who they are; strangers may call own users only.
    fn authorize(&mut self, now: Instant, request: &mut Request) -> Result<(), Answer> {
        let Some(authenticator) = &mut self.authenticator else { return Ok(()) };
        let Some(Ok(from)) = request.headers.typed::<From>() else { return Err(Answer::new(400, "Bad From")) };
        if !self.place.owns(&from.uri) {
            let onward = request.headers.get(&HeaderName::Route).is_some();
            if onward || !self.place.owns(&request.uri) {
                return Err(Answer::new(403, "No Relaying"));
            }
            return match self.strangers {
                Strangers::Allow => Ok(()),
                Strangers::Refuse => Err(Answer::new(403, "Own Users Only")),
                // RFC 3665 section 3.3: somebody of another domain has a password here too.
                Strangers::Challenge => {
                    authenticator.check(now, &mut self.random, Role::Proxy, request)?;
                    authenticator.strip(request);
                    Ok(())
                }
            };
        }
        let name = authenticator.check(now, &mut self.random, Role::Proxy, request)?;
        if from.uri.decoded_user().as_deref() != Some(name.as_bytes()) {
            return Err(Answer::new(403, "From Is Someone Else"));
        }
        authenticator.strip(request);
        self.assert_identity(request);
        Ok(())
    }

    /// The ACK for a 2xx goes its way without state (RFC 3261 section 16.7 step 10, 16.11).
    fn forward_ack(&mut self, mut ack: Request, came_by: Transport) {
        if self.check(&ack, came_by).is_err() {
            return;
        }
        let Ok(true) = self.take_routes(&mut ack) else { return };
        let routes = place::routes(&ack.headers).unwrap_or_default();
        let next = routes.first().unwrap_or(&ack.uri);
        if self.place.owns(&ack.uri) {
            return;
        }
        let (Some(remote), Some(transport)) = (self.place.address(next), place::transport(next)) else { return };
        let flow = self.place.flow_to(transport, remote);
        // The branch depends on the ACK alone, so that a repeated one looks repeated (16.11).
        let mut hasher = DefaultHasher::new();
        self.loop_key.hash(&mut hasher);
        sip::text(&ack.headers, &HeaderName::Via).hash(&mut hasher);
        let branch = format!("{}{:016x}.{:016x}", via::BRANCH_COOKIE, hasher.finish(), self.loop_mark(&ack));
        let uri = ack.uri.clone();
        if prepare(&mut ack, uri, routes.first()) {
            via::push(&mut ack.headers, &flow, &branch);
            self.transactions.send_stateless(&Message::Request(ack), flow);
        }
    }

    /// RFC 5393 section 4.2.1: a number that changes with all that decides where a request goes, but not with its method.
    fn loop_mark(&self, request: &Request) -> u64 {
        let mut hasher = DefaultHasher::new();
        self.loop_key.hash(&mut hasher);
        request.uri.to_bytes().hash(&mut hasher);
        for name in [HeaderName::Route, HeaderName::CallId, HeaderName::From, HeaderName::To, HeaderName::ProxyRequire]
        {
            for header in request.headers.get_all(&name) {
                header.value().hash(&mut hasher);
            }
        }
        request.headers.typed::<CSeq>().and_then(Result::ok).map(|cseq| cseq.sequence).hash(&mut hasher);
        hasher.finish()
    }

    /// RFC 5393 section 4.2.2: one of our own Vias carries the mark that this request would get.
    fn has_looped(&self, request: &Request) -> bool {
        let mark = format!("{:016x}", self.loop_mark(request));
        request.headers.typed_all::<Via>().filter_map(Result::ok).any(|via| {
            let here = matches!(via.host, sip::Host::Ip(ip) if ip == self.place.local.ip())
                && self.place.is_our_port(via.port.unwrap_or(5060));
            here && via
                .branch()
                .is_some_and(|branch| branch.rsplit(|byte| *byte == b'.').next() == Some(mark.as_bytes()))
        })
    }
}

/// Makes a copy ready to go (RFC 3261 section 16.6 steps 2, 3 and 6). False: it can't go.
pub(super) fn prepare(copy: &mut Request, uri: Uri, next_route: Option<&Uri>) -> bool {
    let mut uri = uri;
    while let Some(name) = uri.headers().and_then(|headers| headers.iter().next()).map(|header| header.name().to_vec())
    {
        if !uri.remove_header(&String::from_utf8_lossy(&name)) {
            return false;
        }
    }
    let hops = match copy.headers.typed::<MaxForwards>() {
        Some(Ok(MaxForwards(hops))) => hops.saturating_sub(1),
        Some(Err(_)) | None => 70,
    };
    sip::set(&mut copy.headers, HeaderName::MaxForwards, hops.to_string());
    match next_route {
        // A strict router comes next: it wants its own URI in the Request-URI, and ours last in Route.
        Some(strict) if !place::is_loose(strict) => {
            sip::push(&mut copy.headers, HeaderName::Route, format!("<{uri}>"));
            copy.headers.remove_address_value(&HeaderName::Route, 0).is_ok() && copy.set_uri(strict.clone()).is_ok()
        }
        Some(_) | None => copy.set_uri(uri).is_ok(),
    }
}
