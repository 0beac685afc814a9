//! What all parts of the core share: transactions, the ways to the servers, credentials, timers, randomness, events.

use std::collections::{HashMap, VecDeque};
use std::net::{IpAddr, SocketAddr};
use std::time::{Duration, Instant};

use rand_chacha::ChaCha20Rng;
use rand_core::{RngCore, SeedableRng};
use sha2::{Digest as _, Sha256};

use crate::sdp::dtls::Fingerprint;
use crate::sdp::{Intent, LocalMedia, Refusal, Session};
use crate::sip::salvage::Salvaged;
use crate::sip::transport::{Flow, Transport};
use crate::sip::{
    CSeq, Header, HeaderName, Headers, Host, Message, Request, Response, ResponseBuilder, StatusCode, Timers, Uri,
    push, via,
};
use crate::transaction::queue::{TimerQueue, shrink};
use crate::transaction::{ClientId, Failure, ServerId, Transactions};

use super::auth::{Attempt, Authenticator, Challenger};
use super::capabilities::ALLOW;
use super::config::Config;
use super::event::Event;
use super::keying::withhold_keys;
use super::registration::Granted;
use super::timer::Timer;
use super::ways::{Resolve, Ways, is_unroutable, next_hop};
use super::{AccountId, CallNo, SubscriptionId};

/// Transactions of either side at a time.
const MAX_TRANSACTIONS: usize = 10_000;
/// Requests that wait for their host's address.
const MAX_WAITING: usize = 1_000;
/// Calls whose far side was seen elsewhere than where its Contact says.
const MAX_SEEN: usize = 4_096;
/// Targets whose failure is remembered in words.
const MAX_WORDS: usize = 256;
/// RFC 3261 section 18.1.1: a longer request leaves by a transport with congestion control.
const MAX_DATAGRAM_REQUEST: usize = 1_300;
/// Branches of one INVITE that are remembered as ended.
const MAX_BRANCHES: usize = 64;

/// Whose a client transaction is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Owner {
    /// An account's REGISTER.
    Registration(AccountId),
    /// A call's request.
    Call(CallNo, Purpose),
    /// A subscription's SUBSCRIBE.
    Subscription(SubscriptionId),
    /// A MESSAGE outside any dialog.
    Message(u32),
    /// Nobody waits for the answer: a BYE after the call has ended, a CANCEL, a NOTIFY.
    Nobody,
}

/// What a call's request is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Purpose {
    /// The first INVITE.
    Invite,
    /// A re-INVITE of ours.
    Modify,
    /// PRACK.
    Prack,
    /// UPDATE.
    Update,
    /// REFER.
    Refer,
    /// INFO.
    Info,
}

/// What waits for a host's address.
#[derive(Debug)]
pub enum Waiting {
    /// A call that is to begin.
    Dial(CallNo),
    /// A registration that is to begin.
    Register(AccountId),
    /// A standing call whose way may have changed.
    Repair(CallNo),
    /// A subscription that is to begin.
    Subscribe(SubscriptionId),
    /// A request inside a dialog.
    Request(Owner, Request),
    /// An ACK for a 2xx.
    Ack(Request),
}

/// The shared part of the core.
pub struct Core {
    pub config: Config,
    pub tx: Transactions,
    pub timers: TimerQueue<Timer>,
    pub auth: Vec<Authenticator>,
    /// Our random Contact user for each account, and one more for direct calls.
    contact_users: Vec<String>,
    /// What makes the tags of stateless answers ours.
    tag_key: [u8; 16],
    rng: ChaCha20Rng,
    pub(super) owners: HashMap<ClientId, Owner>,
    /// The open transactions of those whom somebody asks for, oldest first.
    owned: HashMap<Owner, Vec<ClientId>>,
    /// The To tags of the branches of an INVITE that have had their BYE: their 2xx may come again.
    ended: HashMap<ClientId, Vec<bytes::Bytes>>,
    /// What each account's registration gives its requests.
    pub granted: Vec<Granted>,
    pub ways: Ways,
    /// By Call-ID: the way by which a far side is reached that can't be reached where its Contact says.
    seen: HashMap<bytes::Bytes, Flow>,
    /// Why a target can't be reached, in a person's words.
    words: HashMap<(Transport, SocketAddr), String>,
    pub(super) waiting: Vec<(Resolve, Waiting)>,
    pub(super) resolves: VecDeque<Resolve>,
    pub events: VecDeque<Event>,
    /// Calls that have ended and are to be cleared away.
    pub over: VecDeque<CallNo>,
    /// Why an account's last REGISTER could not be delivered, in the network's words.
    pub reasons: HashMap<AccountId, String>,
    /// Requests that failed before they left.
    pub failures: VecDeque<(Owner, Failure)>,
    pub next_call: u32,
    pub shutting_down: bool,
    /// Nothing is sent to a caller before [`super::Command::Alert`].
    pub asks_before_ringing: bool,
    /// The name of the rule that forbids to call an address.
    pub forbids: Option<Screen>,
    /// What tells the certificate of our handshakes; none: there are none.
    pub certificate: Option<Fingerprint>,
}

/// Says which rule forbids to call an address, if one does.
pub type Screen = Box<dyn Fn(Option<AccountId>, &Uri) -> Option<String> + Send>;

impl Core {
    pub fn new(config: Config, seed: [u8; 32]) -> Core {
        let mut rng = ChaCha20Rng::from_seed(seed);
        let contact_users = (0..=config.accounts.len()).map(|_| token(&mut rng, 6)).collect();
        let accounts = config.accounts.len();
        let mut tag_key = [0; 16];
        rng.fill_bytes(&mut tag_key);
        let auth = config.accounts.iter().map(Authenticator::new).collect();
        Core {
            auth,
            config,
            tx: Transactions::new(Timers::default(), MAX_TRANSACTIONS),
            timers: TimerQueue::default(),
            contact_users,
            tag_key,
            rng,
            owners: HashMap::new(),
            certificate: None,
            owned: HashMap::new(),
            ended: HashMap::new(),
            granted: vec![Granted::default(); accounts],
            ways: Ways::default(),
            seen: HashMap::new(),
            words: HashMap::new(),
            waiting: Vec::new(),
            resolves: VecDeque::new(),
            events: VecDeque::new(),
            over: VecDeque::new(),
            reasons: HashMap::new(),
            failures: VecDeque::new(),
            next_call: 0,
            shutting_down: false,
            asks_before_ringing: false,
            forbids: None,
        }
    }

    /// The random generator.
    pub fn rng(&mut self) -> &mut ChaCha20Rng {
        &mut self.rng
    }

    /// An unpredictable token of `bytes` random bytes, in hex.
    pub fn token(&mut self, bytes: usize) -> String {
        token(&mut self.rng, bytes)
    }

    /// A To tag for a request that no state is kept for: the same when it comes again, and unpredictable for others (RFC 3261
    /// section 8.2.7).
    pub fn stateless_tag(&self, request: &[u8]) -> String {
        let hash = Sha256::new().chain_update(self.tag_key).chain_update(request).finalize();
        hash.iter().take(8).map(|byte| format!("{byte:02x}")).collect()
    }

    /// Random bytes for something that needs its own.
    pub fn seed(&mut self) -> [u8; 32] {
        let mut seed = [0; 32];
        self.rng.fill_bytes(&mut seed);
        seed
    }

    /// A random number below `limit`.
    pub fn below(&mut self, limit: u32) -> u32 {
        ((u64::from(self.rng.next_u32()) * u64::from(limit)) >> 32) as u32
    }

    /// The rule that forbids to call an address, if one does.
    pub fn forbids(&self, account: Option<AccountId>, target: &Uri) -> Option<String> {
        self.forbids.as_ref().and_then(|forbids| forbids(account, target))
    }

    /// The next call's number.
    pub fn new_call_no(&mut self) -> CallNo {
        self.next_call += 1;
        CallNo(self.next_call)
    }

    /// Our Contact for an account (or for direct calls) as seen from our side of `flow`.
    pub fn contact(&self, account: Option<AccountId>, flow: &Flow) -> String {
        let place = account.map_or(self.config.accounts.len(), |account| account.0);
        let user = self.contact_users.get(place).map_or("offhook", String::as_str);
        // RFC 3261 sections 8.1.1.8 and 12.1.1: who is a `sips:` address is reached by TLS alone.
        let secure = self.config.accounts.get(place).is_some_and(|account| account.uri.scheme().is_secure());
        if secure && flow.transport == Transport::Tls {
            return format!("sips:{user}@{}", flow.local);
        }
        format!("sip:{user}@{}{}", flow.local, flow.transport.uri_parameter())
    }

    /// Our Contact in a call: the registrar's GRUU (RFC 5627 section 4.3), else the address at which it sees our side of
    /// `flow`.
    pub fn call_contact(&self, account: Option<AccountId>, flow: &Flow) -> String {
        let Some(granted) = account.and_then(|account| self.granted.get(account.0)) else {
            return self.contact(account, flow);
        };
        if let Some(gruu) = &granted.gruu {
            return gruu.to_string();
        }
        let local = granted.seen.filter(|(own, _)| *own == flow.local).map_or(flow.local, |(_, seen)| seen);
        // RFC 5626 section 4.3: what comes in the dialog takes our flow.
        let ob = if granted.outbound { ";ob" } else { "" };
        format!("{}{ob}", self.contact(account, &Flow { local, ..*flow }))
    }

    /// The Route of an account's requests outside dialogs: our outbound proxies, then the registrar's Service-Route
    /// (RFC 3608 section 6.1).
    pub fn routes(&self, now: Instant, account: Option<AccountId>) -> Vec<Uri> {
        let own = self.route(now, account);
        let granted = account.and_then(|account| self.granted.get(account.0));
        let service = granted.map(|granted| granted.service_route.as_slice()).unwrap_or_default();
        // Some registrars repeat the proxy that we came through.
        let repeated = own.last().zip(service.first()).is_some_and(|(ours, theirs)| ours.equivalent(theirs));
        own.iter().chain(service.iter().skip(usize::from(repeated))).cloned().collect()
    }

    /// The account whose Contact has this user.
    pub fn account_of_contact(&self, user: &[u8]) -> Option<AccountId> {
        let accounts = self.contact_users.get(..self.config.accounts.len())?;
        accounts.iter().position(|ours| ours.as_bytes() == user).map(AccountId)
    }

    /// Where an account's requests go first: its outbound proxy, else its registrar.
    pub fn server(&self, now: Instant, account: AccountId) -> Option<Resolve> {
        let registrar = &self.config.accounts.get(account.0)?.registrar;
        Resolve::of(self.route(now, Some(account)).first().unwrap_or(registrar)).ok()
    }

    /// The outbound chain of an account: the first alternative that is not down, else the first.
    pub fn route(&self, now: Instant, account: Option<AccountId>) -> &[Uri] {
        let Some(account) = account.and_then(|account| self.config.accounts.get(account.0)) else { return &[] };
        let mut chains = std::iter::once(&account.route).chain(&account.fallbacks);
        chains.find(|chain| !self.is_down(now, chain)).unwrap_or(&account.route)
    }

    /// Whether an account's requests have another way to begin with than this host.
    pub fn has_alternative(&self, now: Instant, account: Option<AccountId>, hop: &Resolve) -> bool {
        let first = self.route(now, account).first().map(Resolve::of);
        first.is_some_and(|other| other.is_ok_and(|other| other.host != hop.host || other.port != hop.port))
    }

    fn is_down(&self, now: Instant, chain: &[Uri]) -> bool {
        let hop = chain.first().map(Resolve::of);
        hop.is_some_and(|hop| hop.map_or(true, |hop| self.ways.is_down(now, &hop)))
    }

    /// Whether `ip` is the address of this account's proxy or registrar (of any account's for `None`).
    pub fn is_own_server(&self, account: Option<AccountId>, ip: IpAddr) -> bool {
        let mut accounts = match account {
            Some(AccountId(place)) => place..place + 1,
            None => 0..self.config.accounts.len(),
        };
        accounts.any(|place| {
            let Some(account) = self.config.accounts.get(place) else { return false };
            // Behind a proxy the registrar may never be looked up, but an address needs no looking up.
            let granted = self.granted.get(place).and_then(|granted| granted.service_route.first());
            let proxies = std::iter::once(&account.route).chain(&account.fallbacks).filter_map(|chain| chain.first());
            proxies.chain([&account.registrar]).chain(granted).any(|server| {
                let known = Resolve::of(server).is_ok_and(|server| self.ways.leads_to(&server, ip));
                known || matches!(server.host(), Some(Host::Ip(server)) if *server == ip)
            })
        })
    }

    /// Something that needs an account's credentials and randomness.
    pub fn with_auth<T>(
        &mut self,
        account: AccountId,
        act: impl FnOnce(&mut Authenticator, &mut ChaCha20Rng) -> T,
    ) -> Option<T> {
        self.auth.get_mut(account.0).map(|auth| act(auth, &mut self.rng))
    }

    /// Sends a REGISTER, by way of the account's outbound proxies.
    pub fn send_register(&mut self, now: Instant, account: AccountId, mut request: Request) {
        for route in self.route(now, Some(account)) {
            push(&mut request.headers, HeaderName::Route, format!("<{route}>"));
        }
        push(&mut request.headers, HeaderName::MaxForwards, "70");
        push(&mut request.headers, HeaderName::Allow, ALLOW);
        self.send(now, Owner::Registration(account), request);
    }

    /// Puts the credentials on a request that will probably be asked for.
    pub fn preauthorize(&mut self, account: usize, request: &mut Request) {
        if let Some(auth) = self.auth.get_mut(account) {
            auth.preauthorize(&mut self.rng, request);
        }
    }

    /// A copy of a call's request with credentials for a 401 or 407, and the next CSeq number of the request (in a dialog
    /// the caller sets the dialog's, see [`super::dialog::Dialog::renumber`]). `trusted`: the challenge came
    /// from the account's own registrar or proxy; a peer's is never answered, for that is how passwords are found offline.
    ///
    /// # Errors
    /// Why not, in a person's words.
    pub fn authorize(
        &mut self,
        id: ClientId,
        account: Option<AccountId>,
        trusted: bool,
        attempt: &mut Attempt,
        response: &Response,
    ) -> Result<Request, String> {
        let mut request = self.tx.client_request(id).cloned().ok_or("the request is gone")?;
        let auth = account.and_then(|account| self.auth.get_mut(account.0)).ok_or("a direct call has no password")?;
        let challenger = if trusted { Challenger::Proxy } else { Challenger::Peer };
        auth.answer(&mut self.rng, challenger, attempt, &mut request, response).map_err(|error| error.to_string())?;
        request.headers.remove_first(&HeaderName::Via);
        if let Some(Ok(cseq)) = request.headers.typed::<CSeq>() {
            crate::sip::set(&mut request.headers, HeaderName::CSeq, format!("{} {}", cseq.sequence + 1, cseq.method));
        }
        Ok(request)
    }

    /// Whether an offer could be answered at all.
    pub fn try_offer(&self, offer: &str, flow: &Flow, account: Option<AccountId>) -> Result<(), Refusal> {
        let local = LocalMedia::new(flow.local.ip(), 9, 10);
        let mut session = Session::new(self.config.capabilities.clone(), 0);
        session.set_keying(self.keying(account, flow), [0; 32]);
        self.let_use_dtls(&mut session, account, [0; 32]);
        session.answer(offer, &local, Intent::Talk).map(|_| ())
    }

    // ---- ways ----

    /// The way to a host, if it is known now.
    pub fn flow_to(&self, now: Instant, hop: &Resolve) -> Option<Flow> {
        self.ways.flow_to(now, hop)
    }

    /// Asks for the way to a host; `what` goes on when it is known. False: too much waits already.
    pub fn wait_for(&mut self, hop: Resolve, what: Waiting) -> bool {
        if self.waiting.len() >= MAX_WAITING {
            return false;
        }
        if !self.waiting.iter().any(|(other, _)| *other == hop) {
            self.resolves.push_back(hop.clone());
        }
        self.waiting.push((hop, what));
        true
    }

    /// The next host whose ways are to be found.
    pub fn poll_resolve(&mut self) -> Option<Resolve> {
        self.resolves.pop_front()
    }

    /// Takes the ways to a host, and gives back whether there are any, and what has waited for them. A look-up that fails
    /// leaves the ways that were known: a call that stands must be able to end while the name server is away.
    pub fn resolved(&mut self, now: Instant, hop: &Resolve, flows: Vec<Flow>) -> (bool, Vec<Waiting>) {
        let found = self.ways.learn(now, hop, flows);
        let (ready, still) = std::mem::take(&mut self.waiting).into_iter().partition(|(other, _)| other == hop);
        self.waiting = still;
        let ready: Vec<(Resolve, Waiting)> = ready;
        (found, ready.into_iter().map(|(_, what)| what).collect())
    }

    /// Drops what waits for a call that is over.
    pub fn forget_waiting(&mut self, call: CallNo) {
        self.waiting.retain(|(_, what)| {
            !matches!(what, Waiting::Dial(other) | Waiting::Repair(other) | Waiting::Request(Owner::Call(other, _), _) if *other == call)
        });
    }

    /// Drops what would register an account as soon as its registrar's address is known.
    pub fn forget_registering(&mut self, account: AccountId) {
        self.waiting.retain(|(_, what)| !matches!(what, Waiting::Register(other) if *other == account));
        self.timers.cancel(&Timer::Registration(account));
    }

    // ---- requests ----

    /// Sends a request in a transaction of its own: Via, User-Agent and Content-Length are added here. What can't be sent
    /// comes back through [`Core::failures`].
    pub fn send(&mut self, now: Instant, owner: Owner, request: Request) {
        if let Some(flow) = self.seen_way(&request) {
            return self.send_by(now, owner, request, flow);
        }
        match next_hop(&request).map(|hop| (self.flow_to(now, &hop), hop)) {
            Ok((Some(flow), _)) => self.send_by(now, owner, request, flow),
            Ok((None, hop)) => {
                if !self.wait_for(hop, Waiting::Request(owner, request)) {
                    self.failures.push_back((owner, Failure::Transport));
                }
            }
            Err(error) => {
                tracing::warn!(uri = %request.uri, %error, "a request can't leave");
                self.failures.push_back((owner, Failure::Transport));
            }
        }
    }

    /// Sends a request by a way that is known.
    pub fn send_by(&mut self, now: Instant, owner: Owner, mut request: Request, flow: Flow) {
        withhold_keys(&mut request, &flow);
        self.finish(&mut request, &flow);
        let flow = self.fit(now, &mut request, flow);
        match self.tx.send_request(now, request, flow) {
            Ok(id) => {
                self.owners.insert(id, owner);
                if owner != Owner::Nobody {
                    self.owned.entry(owner).or_default().push(id);
                }
            }
            Err(error) => {
                tracing::warn!(%error, "a request is not sent");
                self.failures.push_back((owner, Failure::Transport));
            }
        }
    }

    /// Sends an ACK for a 2xx.
    pub fn send_ack(&mut self, now: Instant, mut ack: Request) {
        let Ok(hop) = next_hop(&ack) else { return };
        match self.seen_way(&ack).or_else(|| self.flow_to(now, &hop)) {
            Some(flow) => {
                self.finish(&mut ack, &flow);
                self.tx.send_stateless(&Message::Request(ack), flow);
            }
            None => {
                self.wait_for(hop, Waiting::Ack(ack));
            }
        }
    }

    /// Sends the CANCEL of an INVITE that is under way: same branch, same way (RFC 3261 section 9.1).
    pub fn send_cancel(&mut self, now: Instant, call: CallNo) {
        let Some(id) = self.client_of(Owner::Call(call, Purpose::Invite)) else { return };
        let (Some(invite), Some(flow)) = (self.tx.client_request(id).cloned(), self.tx.client_flow(id)) else { return };
        let mut cancel = Request::new(crate::sip::Method::Cancel, invite.uri.clone());
        for name in [HeaderName::Via, HeaderName::Route, HeaderName::From, HeaderName::To, HeaderName::CallId] {
            for header in invite.headers.get_all(&name) {
                cancel.headers.push(header.clone());
            }
        }
        let sequence = invite.headers.typed::<crate::sip::CSeq>().and_then(Result::ok).map_or(1, |cseq| cseq.sequence);
        push(&mut cancel.headers, HeaderName::CSeq, format!("{sequence} CANCEL"));
        push(&mut cancel.headers, HeaderName::MaxForwards, "70");
        push(&mut cancel.headers, HeaderName::ContentLength, "0");
        self.tx.give_up(now, id);
        if let Ok(id) = self.tx.send_request(now, cancel, flow) {
            self.owners.insert(id, Owner::Nobody);
        }
    }

    /// A call is over: its INVITEs that still wait for an answer are given up after a while.
    pub fn give_up_invites(&mut self, now: Instant, call: CallNo) {
        for purpose in [Purpose::Invite, Purpose::Modify] {
            if let Some(id) = self.client_of(Owner::Call(call, purpose)) {
                self.tx.give_up(now, id);
            }
        }
    }

    /// Notes that a branch of an INVITE has had its BYE; false: it had it before.
    pub fn note_ended(&mut self, invite: ClientId, tag: &bytes::Bytes) -> bool {
        let tags = self.ended.entry(invite).or_default();
        let new = !tags.contains(tag);
        if new && tags.len() < MAX_BRANCHES {
            tags.push(tag.clone());
        }
        new
    }

    /// RFC 3261 section 18.1.1: a request that is too long for a datagram leaves by TCP, unless its URI fixes UDP or TCP has
    /// just failed there.
    fn fit(&mut self, now: Instant, request: &mut Request, flow: Flow) -> Flow {
        let fixed = || !matches!(next_hop(request), Ok(Resolve { transport: None, .. }));
        if flow.transport != Transport::Udp || length(request) <= MAX_DATAGRAM_REQUEST || fixed() {
            return flow;
        }
        let tcp = Flow { transport: Transport::Tcp, ..flow };
        if self.ways.rests(now, &tcp) {
            return flow;
        }
        if let Some(via) = request.headers.remove_first(&HeaderName::Via) {
            let value = String::from_utf8_lossy(&via.value()).replacen("SIP/2.0/UDP", "SIP/2.0/TCP", 1);
            request.headers.push_front(Header::build(HeaderName::Via, value).unwrap_or(via));
        }
        tcp
    }

    // ---- when a way fails ----

    /// Sends a request that had no luck by the next way, as a new transaction (RFC 3263 section 4.3): to the next target of
    /// its host, else by the account's next alternative. The target that failed rests. False: there is no other way.
    pub fn send_elsewhere(
        &mut self,
        now: Instant,
        id: ClientId,
        account: Option<AccountId>,
        pause: Option<Duration>,
    ) -> bool {
        let (Some(request), Some(failed)) = (self.tx.client_request(id), self.tx.client_flow(id)) else { return false };
        let mut request = request.clone();
        self.ways.rest(now, &failed, pause);
        request.headers.remove_first(&HeaderName::Via);
        let owner = self.owner(id);
        let Ok(hop) = next_hop(&request) else { return false };
        // RFC 3261 section 18.1.1: what was too long for UDP goes by UDP all the same where TCP fails.
        let was_long = failed.transport == Transport::Tcp && hop.transport.is_none() && !hop.secure;
        let udp = was_long.then_some(Flow { transport: Transport::Udp, ..failed });
        let udp = udp.filter(|flow| !self.ways.rests(now, flow));
        let same_side = |flow: &Flow| flow.local.ip() == failed.local.ip();
        if let Some(flow) = udp.or_else(|| self.ways.another(now, &hop)).filter(same_side) {
            tracing::debug!(failed = %failed.remote, next = %flow.remote, "a request goes to the next target");
            self.owners.remove(&id);
            self.send_by(now, owner, request, flow);
            return true;
        }
        let in_dialog = super::dialog::to_tag(&request.headers).is_some();
        let chain = match owner {
            Owner::Registration(_) => self.route(now, account).to_vec(),
            Owner::Call(..) | Owner::Subscription(_) | Owner::Message(_) | Owner::Nobody => self.routes(now, account),
        };
        if in_dialog || self.route(now, account).is_empty() || self.is_down(now, &chain) {
            return false;
        }
        request.headers.remove_all(&HeaderName::Route);
        // Route comes before Max-Forwards in what we write; its place means nothing.
        for route in &chain {
            push(&mut request.headers, HeaderName::Route, format!("<{route}>"));
        }
        self.owners.remove(&id);
        self.send(now, owner, request);
        true
    }

    /// Keeps in mind why a target can't be reached.
    pub fn note_failure(&mut self, flow: &Flow, reason: &str) {
        if self.words.len() >= MAX_WORDS {
            self.words.clear();
        }
        self.words.insert((flow.transport, flow.remote), super::identity::printable(reason));
    }

    /// Why a target could not be reached, if that is known.
    pub fn failure_words(&mut self, flow: &Flow) -> Option<String> {
        self.words.remove(&(flow.transport, flow.remote))
    }

    /// Notes by which way a far side is reached whose Contact nobody can send to, or who came by a connection that only it
    /// could open.
    pub fn note_seen(&mut self, headers: &Headers, flow: &Flow) {
        let Some(contact) = super::dialog::contact(headers) else { return };
        let Some(host) = contact.host() else { return };
        let elsewhere = !matches!(host, Host::Ip(ip) if *ip == flow.remote.ip());
        let Some(call_id) = headers.value(&HeaderName::CallId).map(|value| bytes::Bytes::from(value.into_owned()))
        else {
            return;
        };
        if elsewhere && is_unroutable(host) {
            if self.seen.len() >= MAX_SEEN {
                self.seen.clear();
            }
            self.seen.insert(call_id, *flow);
        } else if !self.seen.is_empty() {
            self.seen.remove(&call_id);
        }
    }

    /// A far side that was seen elsewhere is reached from another address of ours now.
    pub fn move_seen(&mut self, call_id: &[u8], flow: Flow) {
        if let Some(seen) = self.seen.get_mut(call_id) {
            *seen = flow;
        }
    }

    /// A call is over.
    pub fn forget_seen(&mut self, call_id: &[u8]) {
        self.seen.remove(call_id);
    }

    /// The way by which the far side of a request's dialog was seen, if its own address leads nowhere.
    pub fn seen_way(&self, request: &Request) -> Option<Flow> {
        if self.seen.is_empty() || request.headers.get(&HeaderName::Route).is_some() {
            return None;
        }
        super::dialog::to_tag(&request.headers)?;
        let unroutable = request.uri.host().is_some_and(is_unroutable);
        let call_id = request.headers.value(&HeaderName::CallId)?;
        self.seen.get(call_id.as_ref()).copied().filter(|_| unroutable)
    }

    fn finish(&mut self, request: &mut Request, flow: &Flow) {
        let branch = format!("{}{}", via::BRANCH_COOKIE, self.token(12));
        via::push(&mut request.headers, flow, &branch);
        if request.headers.get(&HeaderName::UserAgent).is_none() {
            push(&mut request.headers, HeaderName::UserAgent, self.config.user_agent.clone());
        }
        let length = request.body().len().to_string();
        crate::sip::set(&mut request.headers, HeaderName::ContentLength, length);
    }

    /// The newest open client transaction of an owner.
    pub fn client_of(&self, owner: Owner) -> Option<ClientId> {
        self.owned.get(&owner).and_then(|ids| ids.last().copied())
    }

    /// Whose a client transaction is.
    pub fn owner(&self, id: ClientId) -> Owner {
        self.owners.get(&id).copied().unwrap_or(Owner::Nobody)
    }

    /// A client transaction is over.
    pub fn forget_client(&mut self, id: ClientId) {
        if let Some(owner) = self.owners.remove(&id)
            && let Some(ids) = self.owned.get_mut(&owner)
        {
            ids.retain(|other| *other != id);
            if ids.is_empty() {
                self.owned.remove(&owner);
            }
        }
        self.ended.remove(&id);
        shrink(&mut self.owners);
        shrink(&mut self.owned);
    }

    /// Whether a request without an owner still waits for its answer: a BYE, a CANCEL.
    pub fn awaits_answers(&self) -> bool {
        self.owners.keys().any(|id| self.tx.client_awaits(*id)) || !self.waiting.is_empty()
    }

    // ---- responses ----

    /// A response to a request, without To tag.
    pub fn response(&self, request: &Request, code: u16, reason: &str) -> Option<Response> {
        let builder =
            ResponseBuilder::to_request(request, StatusCode::new(code)?, bytes::Bytes::from(reason.to_owned())).ok()?;
        let mut response = builder.build();
        push(&mut response.headers, HeaderName::Server, self.config.user_agent.clone());
        Some(response)
    }

    /// Answers a request; a final response gets a To tag where none is (RFC 3261 section 8.2.6.2).
    pub fn respond(&mut self, now: Instant, id: ServerId, code: u16, reason: &str, extra: &[(HeaderName, &str)]) {
        let Some(request) = self.tx.server_request(id).cloned() else { return };
        let Some(mut response) = self.response(&request, code, reason) else { return };
        for (name, value) in extra {
            push(&mut response.headers, name.clone(), (*value).to_owned());
        }
        let tag = self.token(8);
        set_to_tag(&mut response, &tag);
        crate::sip::set(&mut response.headers, HeaderName::ContentLength, "0");
        self.tx.respond(now, id, response);
    }

    /// Answers a request and keeps nothing for it (RFC 3261 section 8.2.7): when it comes again it is answered again.
    pub fn answer_statelessly(
        &mut self,
        flow: Flow,
        request: Salvaged,
        (code, reason): (u16, &str),
        extra: &[(HeaderName, &str)],
    ) {
        let tag = self.stateless_tag(&request.identity());
        let server = [(HeaderName::Server, self.config.user_agent.as_str())];
        let (to, bytes) = request.answer(flow.remote, (code, reason), &tag, &[&server, extra].concat());
        self.tx.send_bytes(Flow { remote: to, ..flow }, bytes);
    }

    /// Answers a request whose transaction is to be forgotten at once: a flood of such requests leaves nothing behind. Only
    /// for answers that are the same whenever it comes again.
    pub fn refuse(&mut self, id: ServerId, code: u16, reason: &str, extra: &[(HeaderName, &str)]) {
        let Some((request, flow)) = self.tx.server_request(id).map(Salvaged::of).zip(self.tx.server_flow(id)) else {
            return;
        };
        self.tx.abandon_server(id);
        self.answer_statelessly(flow, request, (code, reason), extra);
    }

    /// Emits an event.
    pub fn emit(&mut self, event: Event) {
        self.events.push_back(event);
    }
}

/// How long a request is on the wire, to be exact only where it matters.
fn length(request: &Request) -> usize {
    let fields: usize = request.headers.iter().map(|header| header.value().len() + 24).sum();
    let estimate = 120 + fields + request.body().len();
    if estimate <= MAX_DATAGRAM_REQUEST { estimate } else { Message::Request(request.clone()).to_bytes().len() }
}

fn token(rng: &mut ChaCha20Rng, bytes: usize) -> String {
    let mut buffer = [0; 32];
    let buffer = buffer.get_mut(..bytes.min(32)).unwrap_or_default();
    rng.fill_bytes(buffer);
    buffer.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Puts a tag on the To of a response that has none.
pub fn set_to_tag(response: &mut Response, tag: &str) {
    if super::dialog::to_tag(&response.headers).is_some() {
        return;
    }
    let to = crate::sip::text(&response.headers, &HeaderName::To);
    if let Ok(header) = Header::build(HeaderName::To, format!("{to};tag={tag}")) {
        let place = response.headers.iter().position(|header| *header.name() == HeaderName::To).unwrap_or_default();
        response.headers.remove_all(&HeaderName::To);
        response.headers.insert(place, header);
    }
}
