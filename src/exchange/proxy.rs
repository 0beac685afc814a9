//! Response contexts (RFC 3261 section 16.2): one for each request that is forwarded, with a branch for each place that it
//! went to. All branches are tried at once; what comes back is gathered here into one answer.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use rand_chacha::ChaCha20Rng;

use crate::sip::transport::Flow;
use crate::sip::{self, CSeq, HeaderName, Method, Request, Response, via};
use crate::transaction::queue::TimerQueue;
use crate::transaction::{ClientId, Failure, ServerId, Transactions};

use super::answer::Answer;
use super::nonce::token;

/// Timer C (RFC 3261 section 16.6 item 11): how long a branch may ring without a sign of life; above 3 minutes.
const TIMER_C: Duration = Duration::from_secs(181);

/// All requests under way.
#[derive(Debug)]
pub(crate) struct Proxy {
    contexts: HashMap<ServerId, Context>,
    by_client: HashMap<ClientId, ServerId>,
    timer_c: TimerQueue<ClientId>,
    random: ChaCha20Rng,
}

#[derive(Debug)]
struct Context {
    request: Request,
    branches: Vec<Branch>,
    /// A final response went back.
    answered: bool,
    /// The caller gave up.
    cancelled: bool,
}

#[derive(Debug)]
struct Branch {
    client: ClientId,
    progress: Progress,
    cancel: Cancel,
}

#[derive(Debug)]
enum Progress {
    /// Nothing came yet.
    Calling,
    /// A provisional response came.
    Proceeding,
    /// It is over.
    Done(Final),
}

/// How a branch ended.
#[derive(Debug, Clone)]
enum Final {
    /// By a response from there, our Via off.
    Received(Box<Response>),
    /// Without one: the status code that stands for it.
    Own(u16),
}

impl Final {
    fn code(&self) -> u16 {
        match self {
            Final::Received(response) => response.status.code(),
            Final::Own(code) => *code,
        }
    }
}

/// RFC 3261 section 9.1: a CANCEL waits for a provisional response.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Cancel {
    No,
    Wanted(Cause),
    Sent,
}

/// Why a branch is cancelled: a phone whose call was answered elsewhere shows no missed call (RFC 3326).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Cause {
    GivenUp,
    AnsweredElsewhere,
    RefusedElsewhere,
}

impl Proxy {
    /// None under way.
    pub fn new(random: ChaCha20Rng) -> Proxy {
        Proxy { contexts: HashMap::new(), by_client: HashMap::new(), timer_c: TimerQueue::default(), random }
    }

    /// Sends the copies of `request`, made for each of its targets.
    pub fn forward(
        &mut self,
        now: Instant,
        transactions: &mut Transactions,
        server: ServerId,
        request: Request,
        copies: Vec<(Request, Flow)>,
    ) {
        let invite = request.method == Method::Invite;
        let mut branches = Vec::new();
        for (copy, flow) in copies {
            let Ok(client) = transactions.send_request(now, copy, flow) else { continue };
            self.by_client.insert(client, server);
            if invite {
                self.timer_c.set(client, now + TIMER_C);
            }
            branches.push(Branch { client, progress: Progress::Calling, cancel: Cancel::No });
        }
        let full = branches.is_empty();
        self.contexts.insert(server, Context { request, branches, answered: false, cancelled: false });
        if full {
            self.answer(now, transactions, server, &Answer::new(503, "Too Many Requests Under Way"));
        }
    }

    /// A response came on a branch (RFC 3261 section 16.7).
    pub fn handle_response(
        &mut self,
        now: Instant,
        transactions: &mut Transactions,
        client: ClientId,
        mut response: Response,
    ) {
        let Some(server) = self.by_client.get(&client).copied() else { return };
        let Some(context) = self.contexts.get_mut(&server) else { return };
        let Some(branch) = context.branches.iter_mut().find(|branch| branch.client == client) else { return };
        via::pop(&mut response);
        if response.headers.get(&HeaderName::Via).is_none() {
            return;
        }
        let status = response.status;
        if status.is_provisional() {
            branch.progress = Progress::Proceeding;
            if let Cancel::Wanted(cause) = branch.cancel {
                self.send_cancel(now, transactions, client, cause);
                return;
            }
            if status.code() == 100 {
                return;
            }
            if self.timer_c_runs(server) {
                self.timer_c.set(client, now + TIMER_C);
            }
            if self.contexts.get(&server).is_some_and(|context| !context.answered) {
                transactions.respond(now, server, response);
            }
            return;
        }
        let first = !matches!(branch.progress, Progress::Done(_));
        branch.progress = Progress::Done(Final::Received(Box::new(response.clone())));
        self.timer_c.cancel(&client);
        if status.is_success() {
            // Every 2xx to an INVITE goes back, the repeated ones too; of other requests only the first (16.7 step 5).
            let invite = context.request.method == Method::Invite;
            if invite || !context.answered {
                context.answered = true;
                transactions.respond(now, server, response);
            }
            if first {
                self.cancel_others(now, transactions, server, Cause::AnsweredElsewhere);
            }
            return;
        }
        if status.class() == 6 {
            self.cancel_others(now, transactions, server, Cause::RefusedElsewhere);
        }
        self.settle(now, transactions, server);
    }

    /// A branch got no response at all.
    pub fn handle_failure(
        &mut self,
        now: Instant,
        transactions: &mut Transactions,
        client: ClientId,
        failure: Failure,
    ) {
        self.finish(
            now,
            transactions,
            client,
            match failure {
                Failure::Timeout => 408,
                Failure::Transport => 503,
            },
        );
    }

    /// The caller gave up (RFC 3261 section 16.10).
    pub fn handle_cancel(&mut self, now: Instant, transactions: &mut Transactions, server: ServerId) {
        if let Some(context) = self.contexts.get_mut(&server) {
            context.cancelled = true;
        }
        self.cancel_others(now, transactions, server, Cause::GivenUp);
    }

    /// The request's server transaction is over, and with it whatever is still under way for it.
    pub fn handle_server_ended(&mut self, transactions: &mut Transactions, server: ServerId) {
        let Some(context) = self.contexts.remove(&server) else { return };
        for branch in context.branches {
            self.by_client.remove(&branch.client);
            self.timer_c.cancel(&branch.client);
            if transactions.client_request(branch.client).is_some() && !matches!(branch.progress, Progress::Done(_)) {
                transactions.abandon_client(branch.client);
            }
        }
    }

    /// Timer C (RFC 3261 section 16.8), or nothing came after a CANCEL.
    pub fn handle_timeout(&mut self, now: Instant, transactions: &mut Transactions) {
        while let Some(client) = self.timer_c.pop(now) {
            let Some(server) = self.by_client.get(&client) else { continue };
            let branch = self.contexts.get(server).and_then(|context| context.branch(client));
            let Some(branch) = branch else { continue };
            let rings = matches!(branch.progress, Progress::Proceeding) && branch.cancel == Cancel::No;
            if rings {
                self.send_cancel(now, transactions, client, Cause::GivenUp);
            } else {
                transactions.abandon_client(client);
                self.finish(now, transactions, client, 408);
            }
        }
    }

    /// When [`Proxy::handle_timeout`] is due.
    pub fn poll_timeout(&self) -> Option<Instant> {
        self.timer_c.peek().map(|(at, _)| at)
    }

    /// Whether nothing is under way.
    pub fn is_empty(&self) -> bool {
        self.contexts.is_empty() && self.by_client.is_empty() && self.timer_c.is_empty()
    }

    fn timer_c_runs(&self, server: ServerId) -> bool {
        self.contexts.get(&server).is_some_and(|context| context.request.method == Method::Invite)
    }

    fn finish(&mut self, now: Instant, transactions: &mut Transactions, client: ClientId, code: u16) {
        let Some(server) = self.by_client.get(&client).copied() else { return };
        self.timer_c.cancel(&client);
        let branch = self
            .contexts
            .get_mut(&server)
            .and_then(|context| context.branches.iter_mut().find(|branch| branch.client == client));
        if let Some(branch) = branch
            && !matches!(branch.progress, Progress::Done(_))
        {
            branch.progress = Progress::Done(Final::Own(code));
        }
        self.settle(now, transactions, server);
    }

    /// Cancels what is not over yet.
    fn cancel_others(&mut self, now: Instant, transactions: &mut Transactions, server: ServerId, cause: Cause) {
        let Some(context) = self.contexts.get_mut(&server) else { return };
        // RFC 3261 section 9.1: only an INVITE can be cancelled.
        if context.request.method != Method::Invite {
            return;
        }
        let mut ringing = Vec::new();
        for branch in context.branches.iter_mut().filter(|branch| branch.cancel == Cancel::No) {
            match branch.progress {
                Progress::Calling => branch.cancel = Cancel::Wanted(cause),
                Progress::Proceeding => ringing.push(branch.client),
                Progress::Done(_) => {}
            }
        }
        for client in ringing {
            self.send_cancel(now, transactions, client, cause);
        }
    }

    fn send_cancel(&mut self, now: Instant, transactions: &mut Transactions, client: ClientId, cause: Cause) {
        let server = self.by_client.get(&client);
        let branch = server
            .and_then(|server| self.contexts.get_mut(server))
            .and_then(|context| context.branches.iter_mut().find(|branch| branch.client == client));
        if let Some(branch) = branch {
            branch.cancel = Cancel::Sent;
        }
        // RFC 3261 section 9.1: without a final response 64*T1 after the CANCEL the INVITE counts as cancelled.
        self.timer_c.set(client, now + transactions.timers().timeout());
        let (Some(invite), Some(flow)) = (transactions.client_request(client), transactions.client_flow(client)) else {
            return;
        };
        if let Some(cancel) = cancel_for(invite, cause)
            && transactions.send_request(now, cancel, flow).is_err()
        {
            tracing::warn!("too many transactions: a CANCEL is not sent");
        }
    }

    /// When all branches are over, sends the best response back (RFC 3261 section 16.7 steps 6 to 9).
    fn settle(&mut self, now: Instant, transactions: &mut Transactions, server: ServerId) {
        let Some(context) = self.contexts.get_mut(&server) else { return };
        if context.answered {
            return;
        }
        let finals: Option<Vec<&Final>> = context
            .branches
            .iter()
            .map(|branch| match &branch.progress {
                Progress::Done(done) => Some(done),
                Progress::Calling | Progress::Proceeding => None,
            })
            .collect();
        let Some(finals) = finals else { return };
        let Some(best) = best(&finals, context.cancelled) else { return };
        let mut response = match best.clone() {
            Final::Received(response) => *response,
            // RFC 4320 section 4.2: a 408 to anything but INVITE comes too late to be of use, and is not sent.
            Final::Own(408) if context.request.method != Method::Invite => {
                transactions.abandon_server(server);
                return;
            }
            Final::Own(code) => {
                let answer = match code {
                    408 => Answer::new(408, "Request Timeout"),
                    // RFC 3261 section 16.7 step 6: 503 speaks of the server that sends it, and is not passed on.
                    _ => Answer::new(500, "The Next Server Is Unavailable"),
                };
                self.answer(now, transactions, server, &answer);
                return;
            }
        };
        match response.status.code() {
            503 => {
                let answer = Answer::new(500, "The Next Server Is Unavailable");
                self.answer(now, transactions, server, &answer);
                return;
            }
            401 | 407 => gather_challenges(&mut response, best, &finals),
            _ => {}
        }
        context.answered = true;
        transactions.respond(now, server, response);
    }

    fn answer(&mut self, now: Instant, transactions: &mut Transactions, server: ServerId, answer: &Answer) {
        let Some(context) = self.contexts.get_mut(&server) else { return };
        context.answered = true;
        match answer.to_request(&context.request, &token(&mut self.random)) {
            Some(response) => transactions.respond(now, server, response),
            None => transactions.abandon_server(server),
        }
    }
}

impl Context {
    fn branch(&self, client: ClientId) -> Option<&Branch> {
        self.branches.iter().find(|branch| branch.client == client)
    }
}

/// RFC 3261 section 16.7 step 6: a 6xx first, else the lowest class; in 4xx what helps the caller to try again; else what
/// came first. To a caller that gave up nothing says more than 487.
fn best<'a>(finals: &[&'a Final], cancelled: bool) -> Option<&'a Final> {
    finals.iter().copied().min_by_key(|done| {
        let code = done.code();
        let class = if code >= 600 { 0 } else { code / 100 };
        let rank = match code {
            487 if cancelled => 0,
            401 | 407 | 415 | 420 | 484 => 1,
            _ => 2,
        };
        (class, rank)
    })
}

/// RFC 3261 section 16.7 step 7: the challenges of all branches go back together.
fn gather_challenges(response: &mut Response, best: &Final, finals: &[&Final]) {
    for done in finals.iter().copied().filter(|done| !std::ptr::eq(*done, best)) {
        let Final::Received(other) = done else { continue };
        if !matches!(other.status.code(), 401 | 407) {
            continue;
        }
        for name in [HeaderName::WwwAuthenticate, HeaderName::ProxyAuthenticate] {
            for challenge in other.headers.get_all(&name) {
                response.headers.push(challenge.clone());
            }
        }
    }
}

/// The CANCEL for an INVITE that we sent (RFC 3261 section 9.1).
fn cancel_for(invite: &Request, cause: Cause) -> Option<Request> {
    let cseq = invite.headers.typed::<CSeq>()?.ok()?;
    let mut cancel = Request::new(Method::Cancel, invite.uri.clone());
    cancel.headers.push(invite.headers.get(&HeaderName::Via)?.clone());
    for name in [HeaderName::Route, HeaderName::From, HeaderName::To, HeaderName::CallId] {
        for header in invite.headers.get_all(&name) {
            cancel.headers.push(header.clone());
        }
    }
    sip::push(&mut cancel.headers, HeaderName::MaxForwards, "70");
    sip::push(&mut cancel.headers, HeaderName::CSeq, format!("{} CANCEL", cseq.sequence));
    match cause {
        Cause::GivenUp => {}
        Cause::AnsweredElsewhere => {
            sip::push(&mut cancel.headers, HeaderName::Reason, "SIP;cause=200;text=\"Call completed elsewhere\"");
        }
        Cause::RefusedElsewhere => {
            sip::push(&mut cancel.headers, HeaderName::Reason, "SIP;cause=603;text=\"Call declined elsewhere\"");
        }
    }
    sip::push(&mut cancel.headers, HeaderName::ContentLength, "0");
    Some(cancel)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chosen(codes: &[u16], cancelled: bool) -> u16 {
        let finals: Vec<Final> = codes.iter().map(|code| Final::Own(*code)).collect();
        best(&finals.iter().collect::<Vec<_>>(), cancelled).expect("one").code()
    }

    #[test]
    fn the_best_response() {
        assert_eq!(chosen(&[486, 603, 404], false), 603);
        assert_eq!(chosen(&[500, 486, 302], false), 302);
        assert_eq!(chosen(&[503, 486, 404], false), 486);
        assert_eq!(chosen(&[404, 407, 486], false), 407);
        assert_eq!(chosen(&[486, 487], false), 486);
        assert_eq!(chosen(&[486, 487], true), 487);
    }
}
