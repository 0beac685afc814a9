//! Where a call goes next: the targets of RFC 3261 section 16.5, and the services of [`super::service`] that decide among
//! them, one stage after the other.

use std::collections::{HashMap, VecDeque};
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use rand_core::RngCore;

use crate::sip::transport::{Flow, Transport};
use crate::sip::{From, Header, HeaderName, Method, Request, To, Uri, text, via};
use crate::transaction::ServerId;

use super::Core;
use super::answer::Answer;
use super::core::prepare;
use super::place;
use super::proxy::{Over, Patience, Stage, Then};
use super::service::{Diversion, Order, Service, user_of};

/// A next hop that has not said anything for this long is passed over for the next one.
const HOP_SILENCE: Duration = Duration::from_secs(4);
/// Users that a call passes through on its way.
const MAX_USERS_PASSED: usize = 10;

/// One place to try.
#[derive(Debug, Clone)]
pub(super) struct Target {
    uri: Uri,
    /// Where to send it, when that is not what the URI says.
    way: Option<(Transport, SocketAddr)>,
}

/// Places that are tried at once.
#[derive(Debug)]
struct Step {
    targets: Vec<Target>,
    patience: Patience,
}

/// A call on its way.
#[derive(Debug)]
pub(super) struct Journey {
    /// As it goes on: with its diversions, before it is made fit for a target.
    request: Request,
    mark: u64,
    /// How the caller speaks to us.
    came_by: Transport,
    in_dialog: bool,
    caller: Option<Uri>,
    steps: VecDeque<Step>,
    /// Whose services apply when the steps are over.
    line: Option<String>,
    passed: Vec<String>,
    busy: bool,
    unanswered: bool,
}

impl Journey {
    /// The journey of `request`, which came by `came_by`; `mark` is its loop mark.
    pub fn new(request: Request, mark: u64, came_by: Transport) -> Journey {
        let in_dialog = request.headers.typed::<To>().is_some_and(|to| to.is_ok_and(|to| to.tag().is_some()));
        let caller = request.headers.typed::<From>().and_then(Result::ok).map(|from| from.uri.clone());
        Journey {
            request,
            mark,
            came_by,
            in_dialog,
            caller,
            steps: VecDeque::new(),
            line: None,
            passed: Vec::new(),
            busy: false,
            unanswered: false,
        }
    }

    fn is_call(&self) -> bool {
        self.request.method == Method::Invite && !self.in_dialog
    }

    /// Whether more than the steps that are left may follow.
    fn is_open(&self, services: &HashMap<String, Service>) -> bool {
        let service = self.line.as_ref().and_then(|line| services.get(line));
        !self.steps.is_empty()
            || service.is_some_and(|service| service.forward_busy.is_some() || service.forward_no_answer.is_some())
    }

    fn note(&mut self, code: u16) {
        match code {
            486 => self.busy = true,
            408 | 480 | 487 => self.unanswered = true,
            _ => {}
        }
    }
}

impl Core {
    /// The first stage of a request, and its journey where there may be more.
    pub(super) fn set_out(&mut self, now: Instant, mut journey: Journey) -> Result<(Stage, Option<Journey>), Answer> {
        let uri = journey.request.uri.clone();
        let ours = self.place.owns(&uri);
        if journey.in_dialog && ours {
            // A Contact in our own domain: that user's phones, whatever is provisioned for new calls.
            let targets = self.phones(now, &user_of(&uri)).concat();
            journey.steps.push_back(Step { targets, patience: Patience::Endless });
        } else if !ours {
            let routed = journey.request.headers.get(&HeaderName::Route).is_some();
            let steps = if routed { vec![single(uri, None)] } else { self.way_out(&uri) };
            journey.steps.extend(steps);
        } else {
            self.visit(now, &mut journey, &user_of(&uri))?;
        }
        match self.next_stage(now, &mut journey) {
            Ok(stage) => {
                let more = stage.then == Then::Ask;
                Ok((stage, more.then_some(journey)))
            }
            Err(Some(verdict)) => Err(verdict),
            Err(None) if ours => Err(Answer::new(480, "Temporarily Unavailable")),
            Err(None) => Err(Answer::new(404, "No Way To That Domain")),
        }
    }

    /// A stage is over: the next one, or the end.
    pub(super) fn go_on(&mut self, now: Instant, over: Over) {
        let Some(mut journey) = self.journeys.remove(&over.server) else {
            return self.proxy.conclude(now, &mut self.transactions, over.server, None);
        };
        journey.note(over.code);
        match self.next_stage(now, &mut journey) {
            Ok(stage) => {
                tracing::debug!(code = over.code, copies = stage.copies.len(), "the next places have their turn");
                if stage.then == Then::Ask {
                    self.journeys.insert(over.server, journey);
                }
                self.proxy.proceed(now, &mut self.transactions, over.server, stage);
            }
            Err(verdict) => {
                // Who is forwarded in a circle hears what the last one said.
                let verdict = verdict.filter(|verdict| verdict.code != 482);
                self.proxy.conclude(now, &mut self.transactions, over.server, verdict);
            }
        }
    }

    /// Nothing more is to come of it.
    pub(super) fn forget_journey(&mut self, server: ServerId) {
        self.journeys.remove(&server);
    }

    /// The next stage that has anybody in it. `Err`: there is none, and what is to be said, if not what the others said.
    fn next_stage(&mut self, now: Instant, journey: &mut Journey) -> Result<Stage, Option<Answer>> {
        loop {
            while let Some(step) = journey.steps.pop_front() {
                let routed = place::routes(&journey.request.headers).unwrap_or_default();
                let mut copies = Vec::new();
                for target in step.targets {
                    copies.extend(self.copy(journey, target, &routed));
                }
                if copies.is_empty() {
                    journey.unanswered = true;
                    continue;
                }
                let open = journey.is_open(&self.services);
                let then = if open || matches!(step.patience, Patience::Ring(_)) { Then::Ask } else { Then::Answer };
                let patience = if then == Then::Ask { step.patience } else { Patience::Endless };
                return Ok(Stage { copies, patience, then });
            }
            let Some(line) = journey.line.take() else { return Err(None) };
            let Some(service) = self.services.get(&line) else { return Err(None) };
            let (target, why) = match service {
                Service { forward_no_answer: Some(target), .. } if journey.unanswered => (target, Diversion::NoAnswer),
                Service { forward_busy: Some(target), .. } if journey.busy => (target, Diversion::Busy),
                Service { .. } => return Err(None),
            };
            let target = target.clone();
            self.divert(now, journey, &line, &target, why).map_err(Some)?;
        }
    }

    /// Lines up what a user of ours wants done with a call.
    fn visit(&mut self, now: Instant, journey: &mut Journey, user: &str) -> Result<(), Answer> {
        let circle = journey.passed.iter().any(|passed| passed == user);
        if circle || journey.passed.len() >= MAX_USERS_PASSED {
            return Err(Answer::new(482, "Forwarded In A Circle"));
        }
        journey.passed.push(user.to_owned());
        let contacts = self.phones(now, user);
        let Some(service) = self.services.get(user) else {
            if contacts.is_empty() {
                return Err(self.nobody_there(user));
            }
            journey.steps.push_back(Step { targets: contacts.concat(), patience: Patience::Endless });
            return Ok(());
        };
        let emergency = journey.caller.as_ref().is_some_and(|caller| self.is_emergency(&user_of(caller)));
        if let Some(caller) = &journey.caller
            && !service.admits(caller)
            && !emergency
        {
            return Err(Answer::new(403, "Screening Failure (Terminating)"));
        }
        if !journey.is_call() {
            if contacts.is_empty() {
                return Err(self.nobody_there(user));
            }
            journey.steps.push_back(Step { targets: contacts.concat(), patience: Patience::Endless });
            return Ok(());
        }
        if let Some(to) = &service.redirect {
            let contact = format!("<{}>", self.address_of(to).map(|uri| uri.to_string()).unwrap_or_default());
            return Err(Answer::new(302, "Moved Temporarily").with(HeaderName::Contact, contact));
        }
        if let Some(to) = service.forward.clone() {
            return self.divert(now, journey, user, &to, Diversion::Unconditional);
        }
        journey.line = Some(user.to_owned());
        journey.steps.extend(self.line_up(now, user, service, contacts));
        if journey.steps.is_empty() && service.forward_no_answer.is_none() {
            journey.line = None;
            return Err(self.nobody_there(user));
        }
        journey.unanswered |= journey.steps.is_empty();
        Ok(())
    }

    /// 2.9 and 2.10: the user's phones and his further places, in their order.
    fn line_up(&self, now: Instant, user: &str, service: &Service, contacts: Vec<Vec<Target>>) -> Vec<Step> {
        let mut groups = contacts;
        for place in service.places.iter().filter(|place| *place != user) {
            let Some(uri) = self.address_of(place) else { continue };
            if !self.place.owns(&uri) {
                groups.push(self.way_out(&uri).into_iter().flat_map(|step| step.targets).take(1).collect());
            } else {
                groups.push(self.phones(now, &user_of(&uri)).concat());
            }
        }
        groups.retain(|group| !group.is_empty());
        match service.order {
            Order::Together => {
                let targets = groups.concat();
                let patience = match &service.forward_no_answer {
                    Some(_) => Patience::Ring(service.no_answer_after),
                    None => Patience::Endless,
                };
                if targets.is_empty() { Vec::new() } else { vec![Step { targets, patience }] }
            }
            Order::InTurn => {
                let patience = Patience::Ring(service.ring_time);
                groups.into_iter().map(|targets| Step { targets, patience }).collect()
            }
        }
    }

    /// A call for `from` goes to `to` instead.
    fn divert(
        &mut self,
        now: Instant,
        journey: &mut Journey,
        from: &str,
        to: &str,
        why: Diversion,
    ) -> Result<(), Answer> {
        let Some(target) = self.address_of(to) else { return Err(Answer::new(480, "Temporarily Unavailable")) };
        let may = self.services.get(from).is_none_or(|service| service.may_call(&target));
        if !may && !self.is_emergency(&user_of(&target)) {
            return Err(Answer::new(403, "Screening Failure (Originating)"));
        }
        let whose = format!("sip:{from}@{}", self.place.domain);
        if !why.note(&mut journey.request.headers, &whose, &target) {
            return Err(Answer::new(480, "Forwarded Too Often"));
        }
        (journey.line, journey.busy, journey.unanswered) = (None, false, false);
        if journey.request.set_uri(target.clone()).is_err() {
            return Err(Answer::new(480, "Temporarily Unavailable"));
        }
        if self.place.owns(&target) {
            return self.visit(now, journey, &user_of(&target));
        }
        let steps = self.way_out(&target);
        journey.steps.extend(steps);
        Ok(())
    }

    /// A user's phones now, those with the highest q first; those with the same q belong together.
    fn phones(&self, now: Instant, user: &str) -> Vec<Vec<Target>> {
        if let Some(contact) = self.extensions.get(user) {
            return vec![vec![Target { uri: contact.clone(), way: None }]];
        }
        let mut groups: Vec<(u16, Vec<Target>)> = Vec::new();
        for binding in self.location.bindings(now, user.as_bytes()) {
            let q = binding.q.unwrap_or(1000);
            let way = binding.seen_at.and_then(|at| Some((place::transport(&binding.uri)?, at)));
            let target = Target { uri: binding.uri, way };
            match groups.last_mut() {
                Some((same, group)) if *same == q => group.push(target),
                _ => groups.push((q, vec![target])),
            }
        }
        groups.into_iter().map(|(_, group)| group).collect()
    }

    fn nobody_there(&self, user: &str) -> Answer {
        let known = self.services.contains_key(user)
            || self.authenticator.as_ref().is_some_and(|authenticator| authenticator.knows(user));
        match known {
            true => Answer::new(480, "Temporarily Unavailable"),
            false => Answer::new(404, "Not Found"),
        }
    }

    /// The ways to an address that is not ours: the next hops for its domain, one after the other, or its own address.
    fn way_out(&self, uri: &Uri) -> Vec<Step> {
        let host = uri.host().map(ToString::to_string).unwrap_or_default();
        let hops = self.routes.iter().find(|(domain, _)| domain == "*" || domain.eq_ignore_ascii_case(&host));
        let direct = self.place.address(uri).is_some();
        match hops {
            Some((domain, hops)) if domain != "*" || !direct => {
                hops.iter().map(|hop| single(uri.clone(), Some(*hop))).collect()
            }
            Some(_) | None => vec![single(uri.clone(), None)],
        }
    }

    /// A user or number of ours, or a SIP URI.
    fn address_of(&self, text: &str) -> Option<Uri> {
        let written =
            if text.starts_with("sip:") { text.to_owned() } else { format!("sip:{text}@{}", self.place.domain) };
        Uri::parse(written.into()).ok()
    }

    /// 2.12: whether a user of ours may call there.
    pub(super) fn screen_outgoing(&self, request: &Request) -> Result<(), Answer> {
        let Some(Ok(from)) = request.headers.typed::<From>() else { return Ok(()) };
        if !self.place.owns(&from.uri) || self.is_emergency(&user_of(&request.uri)) {
            return Ok(());
        }
        let may = self.services.get(&user_of(&from.uri)).is_none_or(|service| service.may_call(&request.uri));
        if may { Ok(()) } else { Err(Answer::new(403, "Screening Failure (Originating)")) }
    }

    /// RFC 3325: we know who calls, and say so, unless he wants it otherwise.
    pub(super) fn assert_identity(&self, request: &mut Request) {
        let Some(Ok(from)) = request.headers.typed::<From>() else { return };
        let user = user_of(&from.uri);
        let name = self.services.get(&user).and_then(|service| service.display_name.as_deref());
        let private = request
            .headers
            .get(&HeaderName::Privacy)
            .is_some_and(|_| !text(&request.headers, &HeaderName::Privacy).eq_ignore_ascii_case("none"));
        if let Some(name) = name
            && !private
        {
            let quoted = name.replace(['"', '\\'], "'");
            let value = format!("\"{quoted}\" <sip:{user}@{}>", self.place.domain);
            crate::sip::set(&mut request.headers, HeaderName::PAssertedIdentity, value);
        }
    }

    fn is_emergency(&self, number: &str) -> bool {
        self.emergency.iter().any(|listed| listed == number)
    }

    /// A copy for one place (RFC 3261 section 16.6).
    fn copy(&mut self, journey: &Journey, target: Target, routes: &[Uri]) -> Option<(Request, Flow)> {
        let next = routes.first().unwrap_or(&target.uri);
        let (transport, remote) = match target.way.filter(|_| routes.is_empty()) {
            Some(way) => way,
            None => (place::transport(next)?, self.place.address(next)?),
        };
        let flow = self.place.flow_to(transport, remote);
        let mut copy = journey.request.clone();
        if !prepare(&mut copy, target.uri, routes.first()) {
            return None;
        }
        let forms_dialog = matches!(copy.method, Method::Invite | Method::Subscribe | Method::Refer);
        if forms_dialog && !journey.in_dialog {
            // RFC 5658 section 3: one for each side, where they are spoken to by different transports.
            let sides = [Some(journey.came_by).filter(|came_by| *came_by != transport), Some(transport)];
            for side in sides.into_iter().flatten() {
                copy.headers.push_front(Header::build(HeaderName::RecordRoute, self.place.record_route(side)).ok()?);
            }
        }
        let branch = format!("{}{:016x}.{:016x}", via::BRANCH_COOKIE, self.random.next_u64(), journey.mark);
        via::push(&mut copy.headers, &flow, &branch);
        Some((copy, flow))
    }
}

fn single(uri: Uri, way: Option<(Transport, SocketAddr)>) -> Step {
    Step { targets: vec![Target { uri, way }], patience: Patience::Silence(HOP_SILENCE) }
}
