//! Response contexts (RFC 3261 section 16.2): one for each request that is forwarded, with a branch for each place that it
//! went to. The branches of a stage are tried at once; when nobody there takes the call, [`Over`] asks for the next stage.
//! What comes back on all of them is gathered here into one answer.

use std::collections::{HashMap, VecDeque};
use std::time::{Duration, Instant};

use rand_chacha::ChaCha20Rng;

use crate::sip::transport::Flow;
use crate::sip::{HeaderName, Method, Request, Response, via};
use crate::transaction::queue::TimerQueue;
use crate::transaction::{ClientId, Failure, ServerId, Transactions};

use super::answer::Answer;
use super::branch::{Branch, Cancel, Cause, Final, Progress, best, cancel_for, gather_challenges};
use super::nonce::token;

/// Timer C (RFC 3261 section 16.6 item 11): how long a branch may ring without a sign of life; above 3 minutes.
const TIMER_C: Duration = Duration::from_secs(181);
/// Branches of one request, over all of its stages.
const MAX_BRANCHES: usize = 32;

/// Where a request is tried at once.
#[derive(Debug)]
pub(crate) struct Stage {
    /// The copies, and where each goes.
    pub copies: Vec<(Request, Flow)>,
    /// How long.
    pub patience: Patience,
    /// What comes after it.
    pub then: Then,
}

/// How long a stage is given.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Patience {
    /// As long as transactions and Timer C last.
    Endless,
    /// Whoever has not answered after this long is cancelled.
    Ring(Duration),
    /// Whoever has not said anything after this long is left.
    Silence(Duration),
}

/// What comes after a stage.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Then {
    /// The best of what came back is the answer.
    Answer,
    /// [`Proxy::poll_over`] tells, and [`Proxy::proceed`] or [`Proxy::conclude`] is to follow.
    Ask,
}

/// A stage is over and nobody took the call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Over {
    /// Whose.
    pub server: ServerId,
    /// The best response of the stage; 408 where its time was up.
    pub code: u16,
}

/// All requests under way.
#[derive(Debug)]
pub(crate) struct Proxy {
    contexts: HashMap<ServerId, Context>,
    by_client: HashMap<ClientId, ServerId>,
    timer_c: TimerQueue<ClientId>,
    /// When a stage's patience ends.
    stages: TimerQueue<ServerId>,
    over: VecDeque<Over>,
    /// Branches with a final response, oldest first, some of which have ended: they make room where there is none.
    finished: VecDeque<ClientId>,
    /// Calls that stand, likewise.
    accepted: VecDeque<ServerId>,
    random: ChaCha20Rng,
}

#[derive(Debug)]
struct Context {
    request: Request,
    branches: Vec<Branch>,
    /// Where the branches of the present stage begin.
    stage_at: usize,
    patience: Patience,
    course: Course,
    /// A final response went back.
    answered: bool,
    /// The caller gave up.
    cancelled: bool,
    /// Somebody refused for all (6xx).
    refused: bool,
    /// What is answered instead of the branches' refusals.
    verdict: Option<Answer>,
}

/// What happens when a stage is over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Course {
    /// That was all: the answer follows when every branch is over.
    Last,
    /// There may be more: it will be asked.
    More,
    /// It was asked.
    Deciding,
}

impl Proxy {
    /// None under way.
    pub fn new(random: ChaCha20Rng) -> Proxy {
        Proxy {
            contexts: HashMap::new(),
            by_client: HashMap::new(),
            timer_c: TimerQueue::default(),
            stages: TimerQueue::default(),
            over: VecDeque::new(),
            finished: VecDeque::new(),
            accepted: VecDeque::new(),
            random,
        }
    }

    /// Sends `request` to its first stage.
    pub fn forward(
        &mut self,
        now: Instant,
        transactions: &mut Transactions,
        server: ServerId,
        request: Request,
        stage: Stage,
    ) {
        let context = Context {
            request,
            branches: Vec::new(),
            stage_at: 0,
            patience: stage.patience,
            course: Course::Deciding,
            answered: false,
            cancelled: false,
            refused: false,
            verdict: None,
        };
        self.contexts.insert(server, context);
        self.proceed(now, transactions, server, stage);
    }

    /// Sends a request to a stage; a caller who has his answer already, or gave up, needs none.
    pub fn proceed(&mut self, now: Instant, transactions: &mut Transactions, server: ServerId, stage: Stage) {
        let Some(context) = self.contexts.get_mut(&server) else { return };
        if context.answered || context.cancelled || context.refused {
            return self.conclude(now, transactions, server, None);
        }
        context.stage_at = context.branches.len();
        context.patience = stage.patience;
        context.course = match stage.then {
            Then::Answer => Course::Last,
            Then::Ask => Course::More,
        };
        let invite = context.request.method == Method::Invite;
        match stage.patience {
            Patience::Endless => {}
            Patience::Ring(time) | Patience::Silence(time) => self.stages.set(server, now + time),
        }
        for (copy, flow) in stage.copies {
            if context.branches.len() >= MAX_BRANCHES {
                break;
            }
            make_room(&mut self.finished, transactions);
            let Ok(client) = transactions.send_request(now, copy, flow) else { continue };
            self.by_client.insert(client, server);
            if invite {
                self.timer_c.set(client, now + TIMER_C);
            }
            context.branches.push(Branch {
                client,
                progress: Progress::Calling,
                cancel: Cancel::No,
                unanswered: false,
            });
        }
        if context.branches.len() == context.stage_at {
            let full = Answer::new(503, "Too Many Requests Under Way");
            self.conclude(now, transactions, server, Some(full));
        }
    }

    /// There is no further stage: the answer goes back as soon as every branch is over, and `verdict` in place of their
    /// refusals.
    pub fn conclude(
        &mut self,
        now: Instant,
        transactions: &mut Transactions,
        server: ServerId,
        verdict: Option<Answer>,
    ) {
        self.stages.cancel(&server);
        let Some(context) = self.contexts.get_mut(&server) else { return };
        context.course = Course::Last;
        context.verdict = verdict.or(context.verdict.take());
        self.settle(now, transactions, server);
    }

    /// A stage that is over.
    pub fn poll_over(&mut self) -> Option<Over> {
        self.over.pop_front()
    }

    /// Ends the oldest call that stands, as far as transactions go: they keep nothing then but repeated 2xx apart.
    pub fn end_oldest(&mut self, transactions: &mut Transactions) {
        while let Some(oldest) = self.accepted.pop_front() {
            if self.contexts.contains_key(&oldest) {
                transactions.abandon_server(oldest);
                return;
            }
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
        if first {
            self.finished.push_back(client);
        }
        if status.is_success() {
            // Every 2xx to an INVITE goes back, the repeated ones too; of other requests only the first (16.7 step 5).
            let invite = context.request.method == Method::Invite;
            if invite || !context.answered {
                context.answered = true;
                transactions.respond(now, server, response);
            }
            self.stages.cancel(&server);
            if first {
                if invite {
                    self.accepted.push_back(server);
                }
                self.cancel_others(now, transactions, server, Cause::AnsweredElsewhere);
            }
            return;
        }
        if status.class() == 6 {
            context.refused = true;
            context.course = Course::Last;
            self.stages.cancel(&server);
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
            context.course = Course::Last;
        }
        self.stages.cancel(&server);
        self.cancel_others(now, transactions, server, Cause::GivenUp);
    }

    /// The request's server transaction is over, and with it whatever is still under way for it.
    pub fn handle_server_ended(&mut self, transactions: &mut Transactions, server: ServerId) {
        let Some(context) = self.contexts.remove(&server) else { return };
        self.stages.cancel(&server);
        // What has ended must not pile up while there is room.
        forget_ended(&mut self.accepted, |server| self.contexts.contains_key(server));
        forget_ended(&mut self.finished, |client| transactions.client_request(*client).is_some());
        for branch in context.branches {
            self.by_client.remove(&branch.client);
            self.timer_c.cancel(&branch.client);
            if transactions.client_request(branch.client).is_some() && !matches!(branch.progress, Progress::Done(_)) {
                transactions.abandon_client(branch.client);
            }
        }
    }

    /// Timer C (RFC 3261 section 16.8), nothing came after a CANCEL, or a stage's time is up.
    pub fn handle_timeout(&mut self, now: Instant, transactions: &mut Transactions) {
        while let Some(server) = self.stages.pop(now) {
            self.stage_ends(now, transactions, server);
        }
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
        let timer_c = self.timer_c.peek().map(|(at, _)| at);
        [timer_c, self.stages.peek().map(|(at, _)| at)].into_iter().flatten().min()
    }

    /// Whether nothing is under way.
    pub fn is_empty(&self) -> bool {
        self.contexts.is_empty() && self.by_client.is_empty() && self.timer_c.is_empty() && self.stages.is_empty()
    }

    /// A stage's patience has ended: the draft's section 2.7 and 2.10 ("Request Timeout") cancel, and go on at once.
    fn stage_ends(&mut self, now: Instant, transactions: &mut Transactions, server: ServerId) {
        let Some(context) = self.contexts.get_mut(&server) else { return };
        if context.answered || context.course != Course::More {
            return;
        }
        let heard = context.stage().any(|branch| matches!(branch.progress, Progress::Proceeding));
        if matches!(context.patience, Patience::Silence(_)) && heard {
            return;
        }
        context.course = Course::Deciding;
        self.over.push_back(Over { server, code: 408 });
        self.cancel_others(now, transactions, server, Cause::Unanswered);
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
            branch.unanswered |= cause == Cause::Unanswered && !matches!(branch.progress, Progress::Done(_));
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
        if context.answered || context.course == Course::Deciding {
            return;
        }
        if context.course == Course::More {
            let finals: Option<Vec<&Final>> = context.stage().map(Branch::done).collect();
            if let Some(best) = finals.and_then(|finals| best(&finals, false).map(Final::code)) {
                context.course = Course::Deciding;
                self.stages.cancel(&server);
                self.over.push_back(Over { server, code: best });
            }
            return;
        }
        let finals: Option<Vec<&Final>> = context.branches.iter().map(Branch::done).collect();
        let Some(finals) = finals else { return };
        let best = best(&finals, context.cancelled);
        let refused = context.refused || context.cancelled;
        let unanswered = best.is_none_or(|best| matches!(best.code(), 408 | 487)) && context.was_unanswered();
        let verdict = match (context.verdict.take(), unanswered) {
            (Some(verdict), _) if !refused => Some(verdict),
            // Nobody came to the phone: the caller did not give up, nor was anything too slow.
            (_, true) if !refused => Some(Answer::new(480, "Temporarily Unavailable")),
            _ => None,
        };
        if let Some(verdict) = verdict {
            self.answer(now, transactions, server, &verdict);
            return;
        }
        let Some(best) = best else { return };
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

    /// The branches of the present stage.
    fn stage(&self) -> impl Iterator<Item = &Branch> {
        self.branches.iter().skip(self.stage_at)
    }

    /// Whether a stage's time ended while somebody had not answered.
    fn was_unanswered(&self) -> bool {
        self.branches.iter().any(|branch| branch.unanswered)
    }
}

/// Lets the oldest branch that has its response go where there is no room for another.
fn make_room(finished: &mut VecDeque<ClientId>, transactions: &mut Transactions) {
    while transactions.is_full_of_clients() {
        let Some(oldest) = finished.pop_front() else { return };
        transactions.abandon_client(oldest);
    }
}

/// Takes what has ended off the front.
fn forget_ended<T>(oldest_first: &mut VecDeque<T>, lives: impl Fn(&T) -> bool) {
    while oldest_first.front().is_some_and(|oldest| !lives(oldest)) {
        oldest_first.pop_front();
    }
}
