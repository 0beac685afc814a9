//! How the world sees the ports of a call, asked of a STUN server before its offer or answer is written (RFC 8445 section 5.1.1).
//!
//! Calling waits for the answer, half a second at most, and not at all where the server was silent a moment ago or has seen
//! us at our own address. While a call rings here it is asked at once, so that answering rarely waits; who answers sooner waits
//! as long, for behind two translators neither side would find the other without.

use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr};
use std::time::{Duration, Instant};

use tokio::task::JoinSet;

use crate::config;
use crate::media::ice::stun;
use crate::sdp::ice::Reflexive;
use crate::sip::Uri;
use crate::ua::command::MediaPorts;
use crate::ua::{AccountId, CallNo};

use super::actor::{Actor, Answer};
use super::media_thread::{MediaSocket, Sockets};

/// How long a call waits for the server.
const PATIENCE: Duration = Duration::from_millis(500);
/// When the question is sent again (RFC 8489 section 6.2.1 has 500 ms; the call waits).
const AGAIN: [Duration; 3] = [Duration::from_millis(100), Duration::from_millis(150), Duration::from_millis(250)];
/// A silent server is not asked for so long.
const SILENCE: Duration = Duration::from_secs(60);
/// Who is seen at his own address does not ask for so long.
const NO_NAT: Duration = Duration::from_secs(300);
/// A translator may forget the port of a call that rings for longer (RFC 4787 section 4.3 has two minutes; many have less).
const FRESH: Duration = Duration::from_secs(25);
/// Calls that may be prepared at a time.
const MAX_JOBS: usize = 16;

/// For what the ports are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Purpose {
    Dial(u64),
    Ringing(CallNo),
}

/// What the server has said.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Said {
    Seen(Reflexive),
    /// At our own address.
    Unchanged,
    Nothing,
}

/// Ports, and what the server has said of them.
pub(super) struct Gathered {
    purpose: Purpose,
    local: IpAddr,
    sockets: Sockets,
    said: Said,
}

/// A call that waits for the server.
struct WaitingDial {
    ticket: u64,
    account: Option<AccountId>,
    target: Uri,
    local: Option<IpAddr>,
    answer: Answer,
}

/// Who has answered a call before the server did.
enum Answered {
    /// A person or a script.
    Told(Answer),
    /// The phone.
    ByItself,
}

/// Asks, and keeps what has been answered until the call wants it.
pub(super) struct Gatherer {
    server: Option<(String, u16)>,
    jobs: JoinSet<Gathered>,
    dials: Vec<WaitingDial>,
    prepared: HashMap<CallNo, (Sockets, Option<Reflexive>, Instant)>,
    /// Calls that ring here and are asked about, with who has answered them meanwhile.
    ringing: HashMap<CallNo, Option<Answered>>,
    silent_until: Option<Instant>,
    no_nat: Option<(IpAddr, Instant)>,
    tickets: u64,
}

impl Gatherer {
    pub(super) fn new(network: &config::Network) -> Gatherer {
        Gatherer {
            server: network.stun_server().map(|(host, port)| (host.to_owned(), port)),
            jobs: JoinSet::new(),
            dials: Vec::new(),
            prepared: HashMap::new(),
            ringing: HashMap::new(),
            silent_until: None,
            no_nat: None,
            tickets: 0,
        }
    }

    /// The next answer; waits for ever when nothing is asked.
    pub(super) async fn next(&mut self) -> Gathered {
        loop {
            match self.jobs.join_next().await {
                Some(Ok(gathered)) => return gathered,
                Some(Err(_)) => {}
                None => std::future::pending().await,
            }
        }
    }

    /// Another network: what was known of the server means nothing there.
    pub(super) fn forget(&mut self) {
        self.silent_until = None;
        self.no_nat = None;
        self.prepared.clear();
    }

    /// Whether there is anybody to ask, and anything to be learnt.
    fn is_worth_it(&self, now: Instant, local: IpAddr) -> bool {
        self.server.is_some()
            && !local.is_unspecified()
            && self.jobs.len() < MAX_JOBS
            && self.silent_until.is_none_or(|until| until <= now)
            && self.no_nat.is_none_or(|(known, until)| known != local || until <= now)
    }

    fn ask(&mut self, purpose: Purpose, local: IpAddr, sockets: Sockets) {
        let Some((host, port)) = self.server.clone() else { return };
        self.jobs.spawn(async move {
            let said = tokio::time::timeout(PATIENCE, seen_by(&host, port, local, &sockets)).await;
            Gathered { purpose, local, sockets, said: said.unwrap_or(Said::Nothing) }
        });
    }

    /// What was prepared for a call.
    fn take(&mut self, now: Instant, call: CallNo) -> Option<(Sockets, Option<Reflexive>)> {
        let (sockets, reflexive, since) = self.prepared.remove(&call)?;
        Some((sockets, reflexive.filter(|_| now.saturating_duration_since(since) < FRESH)))
    }
}

impl Actor {
    /// Calls, now or when the server has said how the world sees the call's ports.
    pub(super) fn dial_prepared(
        &mut self,
        now: Instant,
        account: Option<AccountId>,
        target: Uri,
        local: Option<IpAddr>,
        answer: Answer,
    ) {
        let sockets = local
            .filter(|local| self.gatherer.is_worth_it(now, *local))
            .and_then(|local| Some((local, self.sound.bind(local).ok()?)));
        let Some((address, sockets)) = sockets else {
            let outcome = self.dial(now, account, target, local);
            return self.answers.push((answer, outcome));
        };
        self.gatherer.tickets += 1;
        let ticket = self.gatherer.tickets;
        self.gatherer.dials.push(WaitingDial { ticket, account, target, local, answer });
        self.gatherer.ask(Purpose::Dial(ticket), address, sockets);
    }

    /// A call rings here: asks while the person decides.
    pub(super) fn prepare_answer(&mut self, now: Instant, call: CallNo, local: Option<IpAddr>) {
        if let Some(local) = local.filter(|local| self.gatherer.is_worth_it(now, *local))
            && let Ok(sockets) = self.sound.bind(local)
        {
            self.gatherer.ask(Purpose::Ringing(call), local, sockets);
            self.gatherer.ringing.insert(call, None);
        }
    }

    /// A person answers a call: later, if the server is still being asked about it; an error: now.
    pub(super) fn answer_later(&mut self, call: Option<CallNo>, answer: Answer) -> Result<(), Answer> {
        let call = call.or_else(|| self.desk.lines.rung_longest().ok());
        match call.and_then(|call| self.gatherer.ringing.get_mut(&call)) {
            Some(waiting @ None) => {
                *waiting = Some(Answered::Told(answer));
                Ok(())
            }
            Some(Some(_)) | None => Err(answer),
        }
    }

    /// The phone answers a call: later, if the server is still being asked about it; false: now.
    pub(super) fn answers_by_itself_later(&mut self, call: CallNo) -> bool {
        match self.gatherer.ringing.get_mut(&call) {
            Some(waiting @ None) => {
                *waiting = Some(Answered::ByItself);
                true
            }
            Some(Some(_)) => true,
            None => false,
        }
    }

    /// The server has answered, or has not.
    pub(super) fn gathered(&mut self, now: Instant, gathered: Gathered) {
        let Gathered { purpose, local, sockets, said } = gathered;
        let reflexive = match said {
            Said::Seen(reflexive) => Some(reflexive),
            Said::Unchanged => {
                self.gatherer.no_nat = Some((local, now + NO_NAT));
                None
            }
            Said::Nothing => {
                tracing::info!("the STUN server does not answer");
                self.gatherer.silent_until = Some(now + SILENCE);
                None
            }
        };
        match purpose {
            Purpose::Dial(ticket) => {
                let Some(place) = self.gatherer.dials.iter().position(|dial| dial.ticket == ticket) else { return };
                let dial = self.gatherer.dials.remove(place);
                let call = self.core.next_call();
                self.gatherer.prepared.insert(call, (sockets, reflexive, now));
                let outcome = self.dial(now, dial.account, dial.target, dial.local);
                // It may have been refused before it came to its ports.
                self.gatherer.prepared.remove(&call);
                self.answers.push((dial.answer, outcome));
            }
            Purpose::Ringing(call) => {
                if self.desk.lines.get(call).is_some_and(|line| line.waits() && line.offered.is_none()) {
                    self.gatherer.prepared.insert(call, (sockets, reflexive, now));
                }
                match self.gatherer.ringing.remove(&call).flatten() {
                    Some(Answered::Told(answer)) => {
                        let outcome = self.answer(now, call);
                        self.answers.push((answer, outcome));
                    }
                    Some(Answered::ByItself) => self.answer_by_itself(now, call),
                    None => {}
                }
            }
        }
    }

    /// The ports that were prepared for a call.
    pub(super) fn take_prepared(&mut self, now: Instant, call: CallNo) -> Option<std::io::Result<MediaPorts>> {
        let (sockets, reflexive) = self.gatherer.take(now, call)?;
        Some(self.sound.adopt(call, sockets).map(|ports| MediaPorts { reflexive, ..ports }))
    }

    /// Calls that wait when the phone is left.
    pub(super) fn give_up_dials(&mut self) -> Vec<Answer> {
        self.gatherer.dials.drain(..).map(|dial| dial.answer).collect()
    }

    /// A call is over, answered or not.
    pub(super) fn forget_prepared(&mut self, call: CallNo) {
        self.gatherer.prepared.remove(&call);
    }
}

/// How the server sees both sockets.
async fn seen_by(host: &str, port: u16, local: IpAddr, sockets: &Sockets) -> Said {
    let Ok(mut found) = tokio::net::lookup_host((host, port)).await else { return Said::Nothing };
    let Some(server) = found.find(|server| server.is_ipv4() == local.is_ipv4()) else { return Said::Nothing };
    let (rtp, rtcp) = tokio::join!(ask(&sockets.rtp, server), ask(&sockets.rtcp, server));
    match rtp {
        None => Said::Nothing,
        Some(seen) if seen.ip() == local => Said::Unchanged,
        Some(rtp) => Said::Seen(Reflexive { rtp, rtcp }),
    }
}

async fn ask(socket: &MediaSocket, server: SocketAddr) -> Option<SocketAddr> {
    let io = tokio::net::UdpSocket::from_std(socket.socket.try_clone().ok()?).ok()?;
    let mut id = stun::TransactionId::default();
    getrandom::fill(&mut id).ok()?;
    let request = stun::binding_request(&id);
    let mut buffer = [0; 512];
    for patience in AGAIN {
        // A datagram that can't leave is as good as lost.
        let _ = io.send_to(&request, server).await;
        let answer = async {
            loop {
                if let Ok((length, from)) = io.recv_from(&mut buffer).await
                    && from == server
                    && let Some(seen) = stun::mapped_address(buffer.get(..length)?, &id)
                {
                    return Some(seen);
                }
            }
        };
        if let Ok(seen) = tokio::time::timeout(patience, answer).await {
            return seen;
        }
    }
    None
}
