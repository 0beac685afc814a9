//! What all parts of the core share: transactions, the ways to the servers, credentials, timers, randomness, events.
//!
//! | file | what |
//! |---|---|
//! | `clients.rs` | our client transactions: whose each is |
//! | `routes.rs` | what an account's requests say of their way: Contact, Route, the first server |
//! | `sending.rs` | how a request of ours leaves |
//! | `waits.rs` | what waits for a host's address |
//! | `elsewhere.rs` | the next way, when one fails |
//! | `seen.rs` | far sides that are not where their Contact says |
//! | `answering.rs` | how a request of others is answered |

mod answering;
mod clients;
mod elsewhere;
mod routes;
mod seen;
mod sending;
mod waits;

use std::collections::{HashMap, VecDeque};
use std::net::SocketAddr;

use rand_chacha::ChaCha20Rng;
use rand_core::{RngCore, SeedableRng};

use crate::sdp::dtls::Fingerprint;
use crate::sip::transport::Transport;
use crate::sip::{Timers, Uri};
use crate::transaction::queue::TimerQueue;
use crate::transaction::{Failure, Transactions};

use super::auth::Authenticator;
use super::config::Config;
use super::event::Event;
use super::registration::Granted;
use super::timer::Timer;
use super::ways::Ways;
use super::{AccountId, CallNo};

use clients::Clients;
use seen::Seen;
use waits::Waits;

pub use answering::set_to_tag;
pub use clients::{Owner, Purpose};
pub use waits::Waiting;

/// Transactions of either side at a time.
const MAX_TRANSACTIONS: usize = 10_000;

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
    pub clients: Clients,
    /// What each account's registration gives its requests.
    pub granted: Vec<Granted>,
    pub ways: Ways,
    pub seen: Seen,
    /// Why a target can't be reached, in a person's words.
    words: HashMap<(Transport, SocketAddr), String>,
    pub waits: Waits,
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
            clients: Clients::default(),
            certificate: None,
            granted: vec![Granted::default(); accounts],
            ways: Ways::default(),
            seen: Seen::default(),
            words: HashMap::new(),
            waits: Waits::default(),
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

    /// Something that needs an account's credentials and randomness.
    pub fn with_auth<T>(
        &mut self,
        account: AccountId,
        act: impl FnOnce(&mut Authenticator, &mut ChaCha20Rng) -> T,
    ) -> Option<T> {
        self.auth.get_mut(account.0).map(|auth| act(auth, &mut self.rng))
    }

    /// Whether a request without an owner still waits for its answer: a BYE, a CANCEL.
    pub fn awaits_answers(&self) -> bool {
        self.clients.ids().any(|id| self.tx.client_awaits(id)) || !self.waits.is_empty()
    }

    /// Emits an event.
    pub fn emit(&mut self, event: Event) {
        self.events.push_back(event);
    }
}

fn token(rng: &mut ChaCha20Rng, bytes: usize) -> String {
    let mut buffer = [0; 32];
    let buffer = buffer.get_mut(..bytes.min(32)).unwrap_or_default();
    rng.fill_bytes(buffer);
    buffer.iter().map(|byte| format!("{byte:02x}")).collect()
}
