//! Client and server transactions (RFC 3261 section 17, RFC 6026) in one map over the library's machines; no I/O.
//!
//! The library has the four state machines. The map around them is ours: keys that tell the two sides apart (a phone may
//! call itself), a way for each transaction's messages, and the timer queue.

pub mod queue;

use std::collections::{HashMap, VecDeque};
use std::time::Instant;

use crate::sip::transport::{Flow, Transmit};
use crate::sip::{
    ClientState, ClientTransaction, Message, Method, Output, Reliability, Request, Response, ServerState,
    ServerTransaction, Timer, Timers, TransactionKey, TuEvent, via,
};

use queue::{TimerQueue, shrink, shrink_queue};

/// A client transaction.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ClientId(u64);

/// A server transaction.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ServerId(u64);

/// Either.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Id {
    Client(ClientId),
    Server(ServerId),
}

/// What the transaction user must know.
#[derive(Debug, Clone)]
pub enum Event {
    /// A request that is no retransmission.
    Request { id: ServerId, flow: Flow, request: Box<Request> },
    /// An ACK for a 2xx, or one that belongs to nothing: the dialog's business.
    Ack { flow: Flow, request: Box<Request> },
    /// A CANCEL, and the INVITE that it names if that is still known.
    Cancel { id: ServerId, invite: Option<ServerId> },
    /// A response; for an INVITE each 2xx that comes.
    Response { id: ClientId, flow: Flow, response: Box<Response> },
    /// A response to nothing that is known: a late 2xx has its ACK repeated by its dialog.
    StrayResponse { flow: Flow, response: Box<Response> },
    /// No answer within 64*T1, or the network refused.
    Failed { id: ClientId, failure: Failure },
    /// Our final response was never acknowledged (Timer H).
    Unacknowledged { id: ServerId },
    /// A client transaction is over: its id means nothing any more.
    ClientEnded { id: ClientId },
    /// A server transaction is over.
    ServerEnded { id: ServerId },
}

/// Why a client transaction failed without a response.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Failure {
    /// Timer B or F.
    Timeout,
    /// The transport could not deliver.
    Transport,
}

/// The map is full.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("too many transactions are open")]
pub struct Full;

#[derive(Debug)]
struct Client {
    machine: ClientTransaction,
    key: TransactionKey,
    flow: Flow,
}

#[derive(Debug)]
struct Server {
    machine: ServerTransaction,
    key: TransactionKey,
    /// `remote` is where responses go (RFC 3261 section 18.2.2).
    flow: Flow,
}

/// All transactions of one user agent or proxy.
#[derive(Debug)]
pub struct Transactions {
    timers: Timers,
    limit: usize,
    next_id: u64,
    clients: HashMap<ClientId, Client>,
    servers: HashMap<ServerId, Server>,
    /// Client transactions that are over, until [`Event::ClientEnded`] has been taken: their request may go elsewhere.
    over: HashMap<ClientId, Client>,
    /// Those that are answered and only wait for retransmissions, oldest first; some have ended already.
    answered: VecDeque<ServerId>,
    client_keys: HashMap<TransactionKey, ClientId>,
    server_keys: HashMap<TransactionKey, ServerId>,
    queue: TimerQueue<(Id, Timer)>,
    transmits: VecDeque<Transmit>,
    events: VecDeque<Event>,
}

impl Transactions {
    /// An empty map; more than `limit` transactions of either side at a time are refused. A new request takes the place of
    /// the oldest that has been answered: a flood can't keep calls away.
    pub fn new(timers: Timers, limit: usize) -> Transactions {
        Transactions {
            timers,
            limit,
            next_id: 0,
            clients: HashMap::new(),
            servers: HashMap::new(),
            over: HashMap::new(),
            answered: VecDeque::new(),
            client_keys: HashMap::new(),
            server_keys: HashMap::new(),
            queue: TimerQueue::default(),
            transmits: VecDeque::new(),
            events: VecDeque::new(),
        }
    }

    /// The constants T1, T2 and T4 in use.
    pub fn timers(&self) -> Timers {
        self.timers
    }

    /// Sends a request in a new client transaction. Its topmost Via, with a branch of its own, is on it already.
    pub fn send_request(&mut self, now: Instant, request: Request, flow: Flow) -> Result<ClientId, Full> {
        if self.clients.len() >= self.limit {
            return Err(Full);
        }
        let Some(key) = TransactionKey::from_sent_request(&request) else { return Err(Full) };
        let (machine, outputs) = ClientTransaction::new(request, reliability(&flow), self.timers);
        self.next_id += 1;
        let id = ClientId(self.next_id);
        self.client_keys.insert(key.clone(), id);
        self.clients.insert(id, Client { machine, key, flow });
        self.apply(now, Id::Client(id), flow, outputs);
        Ok(id)
    }

    /// Sends a message outside any transaction: the ACK for a 2xx, a stateless response.
    pub fn send_stateless(&mut self, message: &Message, flow: Flow) {
        self.transmits.push_back(Transmit { flow, bytes: message.to_bytes() });
    }

    /// Sends what is written already: the answer to a request that can't be read, a keep-alive.
    pub fn send_bytes(&mut self, flow: Flow, bytes: bytes::Bytes) {
        self.transmits.push_back(Transmit { flow, bytes });
    }

    /// Answers a request. A transaction that has ended already, or has its final response, sends nothing.
    pub fn respond(&mut self, now: Instant, id: ServerId, response: Response) {
        let Some(server) = self.servers.get_mut(&id) else { return };
        let flow = server.flow;
        let outputs = server.machine.on_tu_response(response);
        // A 2xx to an INVITE is its call's business: it has no place among these.
        let answered = matches!(server.machine.state(), ServerState::Completed);
        self.apply(now, Id::Server(id), flow, outputs);
        if answered && self.servers.contains_key(&id) {
            self.answered.push_back(id);
        }
    }

    /// Whether a new request finds a place.
    fn make_room(&mut self) -> bool {
        while self.servers.len() >= self.limit {
            let Some(oldest) = self.answered.pop_front() else { return false };
            self.abandon_server(oldest);
        }
        true
    }

    /// The request of a client transaction that is open, or whose end has not been told yet.
    pub fn client_request(&self, id: ClientId) -> Option<&Request> {
        self.clients.get(&id).or_else(|| self.over.get(&id)).map(|client| client.machine.request())
    }

    /// Gives an INVITE that was cancelled, or whose call is over, 64*T1 for its final response; then it fails as if it had
    /// timed out (RFC 3261 section 9.1). Without this one that has rung waits for ever.
    pub fn give_up(&mut self, now: Instant, id: ClientId) {
        if self.clients.get(&id).is_some_and(|client| client.machine.state() == ClientState::Proceeding) {
            self.queue.set((Id::Client(id), Timer::B), now + self.timers.timeout());
        }
    }

    /// The way of a client transaction that is open, or whose end has not been told yet.
    pub fn client_flow(&self, id: ClientId) -> Option<Flow> {
        self.clients.get(&id).or_else(|| self.over.get(&id)).map(|client| client.flow)
    }

    /// Whether a client transaction still waits for its final response.
    pub fn client_awaits(&self, id: ClientId) -> bool {
        use ClientState::{Calling, Proceeding, Trying};
        self.clients.get(&id).is_some_and(|client| matches!(client.machine.state(), Calling | Trying | Proceeding))
    }

    /// The request of an open server transaction.
    pub fn server_request(&self, id: ServerId) -> Option<&Request> {
        self.servers.get(&id).map(|server| server.machine.request())
    }

    /// The way back of an open server transaction.
    pub fn server_flow(&self, id: ServerId) -> Option<Flow> {
        self.servers.get(&id).map(|server| server.flow)
    }

    /// Whether nothing is open and no timer is set.
    pub fn is_empty(&self) -> bool {
        self.clients.is_empty() && self.servers.is_empty() && self.queue.is_empty()
    }

    /// Whether [`Transactions::send_request`] would refuse.
    pub fn is_full_of_clients(&self) -> bool {
        self.clients.len() >= self.limit
    }

    /// How many client and server transactions are open.
    pub fn len(&self) -> (usize, usize) {
        (self.clients.len(), self.servers.len())
    }

    /// A message came. Its top Via, if it is a request, is completed here (RFC 3261 section 18.2.1).
    pub fn handle_message(&mut self, now: Instant, flow: Flow, message: Message) {
        match message {
            Message::Request(request) => self.handle_request(now, flow, request),
            Message::Response(response) => self.handle_response(now, flow, response),
        }
    }

    fn handle_response(&mut self, now: Instant, flow: Flow, response: Response) {
        let id = TransactionKey::from_response(&response).and_then(|key| self.client_keys.get(&key).copied());
        let Some((id, client)) = id.and_then(|id| Some((id, self.clients.get_mut(&id)?))) else {
            self.events.push_back(Event::StrayResponse { flow, response: Box::new(response) });
            return;
        };
        let way = client.flow;
        // RFC 3261 figure 5: in Completed only a final refusal is acknowledged again. The library acknowledges a late 180 too.
        let late = !response.status.is_final() || response.status.is_success();
        if late && client.machine.state() == ClientState::Completed {
            return;
        }
        let outputs = client.machine.on_response(response);
        self.apply(now, Id::Client(id), way, outputs);
    }

    fn handle_request(&mut self, now: Instant, flow: Flow, mut request: Request) {
        if !crate::sip::is_answerable(&request) {
            tracing::debug!(from = %flow.remote, "a request that can't be answered is dropped");
            return;
        }
        via::stamp(&mut request, flow.remote);
        let Some(key) = TransactionKey::from_request(&request) else { return };
        if let Some((id, server)) =
            self.server_keys.get(&key).copied().and_then(|id| Some((id, self.servers.get_mut(&id)?)))
        {
            let way = server.flow;
            let outputs = server.machine.on_request(&request);
            self.apply(now, Id::Server(id), way, outputs);
            return;
        }
        if request.method == Method::Ack {
            self.events.push_back(Event::Ack { flow, request: Box::new(request) });
            return;
        }
        if !self.make_room() {
            tracing::warn!("too many transactions are open: a request is dropped");
            return;
        }
        // RFC 3261 section 18.2.2: by the same connection, where there is one.
        let remote = if flow.transport.is_reliable() { flow.remote } else { via::reply_to(&request, flow.remote) };
        let way = Flow { remote, ..flow };
        let invite = TransactionKey::for_cancelled_invite(&request).and_then(|key| self.server_keys.get(&key).copied());
        let cancel = request.method == Method::Cancel;
        let (machine, outputs) = ServerTransaction::new(request, reliability(&flow), self.timers);
        self.next_id += 1;
        let id = ServerId(self.next_id);
        self.server_keys.insert(key.clone(), id);
        self.servers.insert(id, Server { machine, key, flow: way });
        for output in outputs {
            match output {
                Output::ToTu(event) if cancel => {
                    debug_assert!(matches!(*event, TuEvent::Request(_)));
                    self.events.push_back(Event::Cancel { id, invite });
                }
                // The transaction user wants to know who sent it, not where the response goes.
                Output::ToTu(event) => self.tell(Id::Server(id), flow, *event),
                other => self.apply(now, Id::Server(id), way, vec![other]),
            }
        }
    }

    /// The time has come that [`Transactions::poll_timeout`] named.
    pub fn handle_timeout(&mut self, now: Instant) {
        while let Some(due) = self.queue.peek().map(|(at, _)| at)
            && let Some((id, timer)) = self.queue.pop(now)
        {
            let (flow, outputs) = match id {
                Id::Client(id) => match self.clients.get_mut(&id) {
                    // RFC 3261 section 17.1.1.2 knows no Timer B here: it is ours, see `give_up`.
                    Some(client) if timer == Timer::B && client.machine.state() == ClientState::Proceeding => {
                        self.events.push_back(Event::Failed { id, failure: Failure::Timeout });
                        self.remove(Id::Client(id));
                        continue;
                    }
                    Some(client) => (client.flow, client.machine.on_timer(timer)),
                    None => continue,
                },
                Id::Server(server) => match self.servers.get_mut(&server) {
                    Some(server) => (server.flow, server.machine.on_timer(timer)),
                    None => continue,
                },
            };
            self.apply_since(now, due, id, flow, outputs);
        }
    }

    /// The network refused what went to `remote` (an ICMP error): the requests on that way that still wait for their final
    /// response fail at once; true if there was any. An answered one has nothing to lose, least of all the call that its 2xx began.
    pub fn handle_transport_error(&mut self, now: Instant, flow: Flow) -> bool {
        let failed: Vec<ClientId> = self
            .clients
            .iter()
            .filter(|(_, client)| client.flow.remote == flow.remote && client.flow.transport == flow.transport)
            .map(|(id, _)| *id)
            .filter(|id| self.client_awaits(*id))
            .collect();
        let any = !failed.is_empty();
        for id in failed {
            if let Some(client) = self.clients.get_mut(&id) {
                let way = client.flow;
                let outputs = client.machine.on_transport_error();
                self.apply(now, Id::Client(id), way, outputs);
            }
        }
        any
    }

    /// Drops a client transaction that nobody waits for any more: an INVITE that was answered by 180 and then never again.
    pub fn abandon_client(&mut self, id: ClientId) {
        if self.clients.contains_key(&id) {
            self.remove(Id::Client(id));
        }
    }

    /// Drops a server transaction that shall not be answered (RFC 4320 section 4.2) or can't be.
    pub fn abandon_server(&mut self, id: ServerId) {
        if self.servers.contains_key(&id) {
            self.remove(Id::Server(id));
        }
    }

    /// The next message to put on the wire.
    pub fn poll_transmit(&mut self) -> Option<Transmit> {
        let next = self.transmits.pop_front();
        shrink_queue(&mut self.transmits);
        next
    }

    /// What happened.
    pub fn poll_event(&mut self) -> Option<Event> {
        let event = self.events.pop_front();
        shrink_queue(&mut self.events);
        if let Some(Event::ClientEnded { id }) = &event {
            self.over.remove(id);
            shrink(&mut self.over);
        }
        event
    }

    /// When [`Transactions::handle_timeout`] is due, and which of RFC 3261's timers that is.
    pub fn poll_timeout(&self) -> Option<(Instant, Timer)> {
        self.queue.peek().map(|(at, (_, timer))| (at, *timer))
    }

    fn apply(&mut self, now: Instant, id: Id, flow: Flow, outputs: Vec<Output>) {
        self.apply_since(now, now, id, flow, outputs);
    }

    /// Timers count from `began`: what a timer sets that is noticed late is not late as well, or the moments of retransmission
    /// would drift away from those of RFC 3261 section 17.1.1.2. One that would be over by now counts from now, so that a
    /// machine that stood still sends no burst.
    fn apply_since(&mut self, now: Instant, began: Instant, id: Id, flow: Flow, outputs: Vec<Output>) {
        for output in outputs {
            match output {
                Output::Send(message) => self.transmits.push_back(Transmit { flow, bytes: message.to_bytes() }),
                Output::SetTimer { timer, after } => {
                    let due = if began + after > now { began + after } else { now + after };
                    self.queue.set((id, timer), due);
                }
                Output::ClearTimer(timer) => self.queue.cancel(&(id, timer)),
                Output::ToTu(event) => self.tell(id, flow, *event),
                Output::Terminated(_) => self.remove(id),
                // The library's enum may grow.
                _ => {}
            }
        }
    }

    fn tell(&mut self, id: Id, flow: Flow, event: TuEvent) {
        let event = match (id, event) {
            (Id::Server(id), TuEvent::Request(request)) => Event::Request { id, flow, request },
            (Id::Server(_), TuEvent::Ack(request)) => Event::Ack { flow, request },
            (Id::Server(id), TuEvent::Timeout | TuEvent::TransportError) => Event::Unacknowledged { id },
            (Id::Client(id), TuEvent::Response(response)) => Event::Response { id, flow, response },
            (Id::Client(id), TuEvent::Timeout) => Event::Failed { id, failure: Failure::Timeout },
            (Id::Client(id), TuEvent::TransportError) => Event::Failed { id, failure: Failure::Transport },
            _ => return,
        };
        self.events.push_back(event);
    }

    fn remove(&mut self, id: Id) {
        match id {
            Id::Client(client) => {
                if let Some(entry) = self.clients.remove(&client) {
                    self.client_keys.remove(&entry.key);
                    self.over.insert(client, entry);
                }
                self.events.push_back(Event::ClientEnded { id: client });
            }
            Id::Server(server) => {
                if let Some(entry) = self.servers.remove(&server) {
                    self.server_keys.remove(&entry.key);
                }
                self.events.push_back(Event::ServerEnded { id: server });
            }
        }
        for timer in Timer::ALL {
            self.queue.cancel(&(id, timer));
        }
        while self.answered.front().is_some_and(|oldest| !self.servers.contains_key(oldest)) {
            self.answered.pop_front();
        }
        shrink(&mut self.clients);
        shrink(&mut self.client_keys);
        shrink(&mut self.servers);
        shrink(&mut self.server_keys);
        shrink_queue(&mut self.answered);
    }
}

fn reliability(flow: &Flow) -> Reliability {
    if flow.transport.is_reliable() { Reliability::Reliable } else { Reliability::Unreliable }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::sip::transport::Transport;
    use crate::sip::{Limits, ResponseBuilder, StatusCode, parse_datagram};

    /// An OPTIONS comes; gives its transaction, if it found a place.
    fn options(transactions: &mut Transactions, now: Instant, branch: usize) -> Option<ServerId> {
        let flow = Flow {
            transport: Transport::Udp,
            local: "192.0.2.4:5060".parse().unwrap(),
            remote: "192.0.2.9:5060".parse().unwrap(),
        };
        let text = format!(
            "OPTIONS sip:bob@192.0.2.4 SIP/2.0\r\nVia: SIP/2.0/UDP 192.0.2.9:5060;branch=z9hG4bK{branch}\r\n\
             From: <sip:a@192.0.2.9>;tag=1\r\nTo: <sip:bob@192.0.2.4>\r\nCall-ID: {branch}\r\nCSeq: 1 OPTIONS\r\n\
             Max-Forwards: 70\r\nContent-Length: 0\r\n\r\n"
        );
        transactions.handle_message(now, flow, parse_datagram(text.into(), &Limits::datagram()).unwrap());
        while let Some(event) = transactions.poll_event() {
            if let Event::Request { id, .. } = event {
                return Some(id);
            }
        }
        None
    }

    #[test]
    fn a_request_takes_the_place_of_the_oldest_that_is_answered() {
        let now = Instant::now();
        let mut transactions = Transactions::new(Timers::default(), 3);
        let waiting = options(&mut transactions, now, 0).unwrap();
        for branch in 1..20 {
            let id = options(&mut transactions, now, branch).unwrap();
            let ok = ResponseBuilder::new(StatusCode::new(200).unwrap(), "OK").unwrap().build();
            transactions.respond(now, id, ok);
            assert!(transactions.len().1 <= 3);
        }
        assert!(transactions.server_request(waiting).is_some());
        // Those that wait for an answer keep their places.
        options(&mut transactions, now, 20).unwrap();
        options(&mut transactions, now, 21).unwrap();
        assert!(options(&mut transactions, now, 22).is_none());
    }

    /// RFC 3261 section 17.1.1.2: at 0, 0.5, 1.5, 3.5, 7.5, 15.5 and 31.5 s, and given up at 32 s.
    #[test]
    fn a_machine_that_is_always_late_repeats_an_invite_as_often_as_one_that_is_not() {
        let start = Instant::now();
        let flow = Flow {
            transport: Transport::Udp,
            local: "192.0.2.4:5060".parse().unwrap(),
            remote: "192.0.2.9:5060".parse().unwrap(),
        };
        let text = "INVITE sip:bob@192.0.2.9 SIP/2.0\r\nVia: SIP/2.0/UDP 192.0.2.4:5060;branch=z9hG4bK1\r\n\
                    From: <sip:a@192.0.2.4>;tag=1\r\nTo: <sip:bob@192.0.2.9>\r\nCall-ID: 1\r\nCSeq: 1 INVITE\r\n\
                    Max-Forwards: 70\r\nContent-Length: 0\r\n\r\n";
        let Ok(Message::Request(request)) = parse_datagram(text.into(), &Limits::datagram()) else { panic!() };
        for late in [0, 100, 400].map(Duration::from_millis) {
            let mut transactions = Transactions::new(Timers::default(), 3);
            transactions.send_request(start, request.clone(), flow).unwrap();
            let mut sent = Vec::new();
            let mut now = start;
            let failed = loop {
                while transactions.poll_transmit().is_some() {
                    sent.push((now - start).as_millis());
                }
                if let Some(event) = transactions.poll_event() {
                    break event;
                }
                let (due, _) = transactions.poll_timeout().expect("something is due");
                now = due + late;
                transactions.handle_timeout(now);
            };
            assert!(matches!(failed, Event::Failed { failure: Failure::Timeout, .. }), "{failed:?}");
            let expected =
                [0, 500, 1500, 3500, 7500, 15_500, 31_500].map(|ms| ms + if ms > 0 { late.as_millis() } else { 0 });
            assert_eq!(sent, expected);
        }
        // One that stood still for long sends no burst.
        let mut transactions = Transactions::new(Timers::default(), 3);
        transactions.send_request(start, request, flow).unwrap();
        transactions.handle_timeout(start + Duration::from_secs(20));
        assert_eq!(std::iter::from_fn(|| transactions.poll_transmit()).count(), 2);
    }
}
