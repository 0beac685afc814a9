//! The thread that makes the handshakes of all calls.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::time::Instant;

use crate::media::dtls::{Failure, Handshake, Reply, Request};
use crate::ua::CallNo;

use super::association::Association;
use super::identity::Identity;

/// What waits for the thread is bounded: a flood of datagrams costs handshakes, not memory.
const MAX_WAITING: usize = 512;
/// Handshakes at a time; no phone has more.
const MAX_ASSOCIATIONS: usize = 512;

type Replies = Arc<dyn Fn(CallNo, Reply) + Send + Sync>;

/// Makes handshakes, by a thread that starts with the first.
pub struct Handshakes {
    identity: Option<Arc<Identity>>,
    replies: Replies,
    requests: Option<SyncSender<(CallNo, Request)>>,
}

impl Handshakes {
    /// `replies` is called by that thread and must not wait. Without an identity every handshake fails.
    pub fn new(identity: Option<Arc<Identity>>, replies: impl Fn(CallNo, Reply) + Send + Sync + 'static) -> Handshakes {
        Handshakes { identity, replies: Arc::new(replies), requests: None }
    }

    /// Does what a call's session asks for; never waits.
    pub fn request(&mut self, call: CallNo, request: Request) {
        if self.requests.is_none() {
            let Request::Begin { handshake, .. } = request else { return };
            if let Err(reason) = self.start() {
                tracing::error!(%reason, "no DTLS handshake can be made");
                let failure = Failure::Protocol(reason);
                return (self.replies)(call, Reply::Failed { handshake, failure });
            }
        }
        if let Some(requests) = &self.requests {
            // What does not fit is lost, as a datagram may be.
            let _ = requests.try_send((call, request));
        }
    }

    fn start(&mut self) -> Result<(), String> {
        let identity = self.identity.clone().ok_or("this phone has no certificate")?;
        let (sender, requests) = sync_channel(MAX_WAITING);
        let worker = Worker { identity, replies: Arc::clone(&self.replies), associations: HashMap::new() };
        let started = std::thread::Builder::new().name("dtls".into()).spawn(move || worker.run(&requests));
        started.map_err(|error| error.to_string())?;
        self.requests = Some(sender);
        Ok(())
    }
}

struct Worker {
    identity: Arc<Identity>,
    replies: Replies,
    associations: HashMap<(CallNo, Handshake), Association>,
}

impl Worker {
    /// Until nobody asks any more.
    fn run(mut self, requests: &Receiver<(CallNo, Request)>) {
        loop {
            let now = Instant::now();
            let deadline = self.associations.values().filter_map(|association| association.poll_timeout(now)).min();
            let received = match deadline {
                Some(deadline) => requests.recv_timeout(deadline.saturating_duration_since(now)),
                None => requests.recv().map_err(|_| RecvTimeoutError::Disconnected),
            };
            match received {
                Ok((call, request)) => self.handle(call, request),
                Err(RecvTimeoutError::Timeout) => self.handle_timeouts(),
                Err(RecvTimeoutError::Disconnected) => return,
            }
        }
    }

    fn handle(&mut self, call: CallNo, request: Request) {
        match request {
            Request::Begin { handshake, role, fingerprints } => {
                if self.associations.len() >= MAX_ASSOCIATIONS {
                    let failure = Failure::Protocol("too many at a time".into());
                    return (self.replies)(call, Reply::Failed { handshake, failure });
                }
                match Association::new(Instant::now(), &self.identity, role, &fingerprints) {
                    Ok(association) => {
                        self.associations.insert((call, handshake), association);
                        self.settle(call, handshake);
                    }
                    Err(error) => {
                        let failure = Failure::Protocol(error.to_string());
                        (self.replies)(call, Reply::Failed { handshake, failure });
                    }
                }
            }
            Request::Datagram { handshake, bytes } => {
                if let Some(association) = self.associations.get_mut(&(call, handshake)) {
                    association.handle(&bytes);
                    self.settle(call, handshake);
                }
            }
            Request::End { handshake } => drop(self.associations.remove(&(call, handshake))),
        }
    }

    fn handle_timeouts(&mut self) {
        let now = Instant::now();
        let is_due = |association: &Association| association.poll_timeout(now).is_some_and(|due| due <= now);
        let due: Vec<(CallNo, Handshake)> =
            self.associations.iter().filter(|(_, one)| is_due(one)).map(|(name, _)| *name).collect();
        for (call, handshake) in due {
            if let Some(association) = self.associations.get_mut(&(call, handshake)) {
                association.handle_timeout(now);
            }
            self.settle(call, handshake);
        }
    }

    fn settle(&mut self, call: CallNo, handshake: Handshake) {
        let Some(association) = self.associations.get_mut(&(call, handshake)) else { return };
        while let Some(bytes) = association.poll_transmit() {
            (self.replies)(call, Reply::Transmit { handshake, bytes });
        }
        match association.poll_outcome() {
            None => {}
            Some(Ok(srtp)) => (self.replies)(call, Reply::Done { handshake, srtp: Box::new(srtp) }),
            Some(Err(failure)) => {
                self.associations.remove(&(call, handshake));
                (self.replies)(call, Reply::Failed { handshake, failure });
            }
        }
    }
}

#[cfg(test)]
mod tests;
