//! TCP and TLS: connections made when they are needed, taken when somebody connects, and used both ways for as long as they
//! stand (RFC 3261 section 18).

use std::collections::HashMap;
use std::io::{self, ErrorKind};
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use tokio::net::TcpListener;
use tokio::sync::mpsc::{self, error::TrySendError};
use tokio::task::JoinSet;
use tokio_rustls::rustls::pki_types::CertificateDer;

use crate::sip::transport::{Flow, Transmit, Transport};

use super::connection::{Id, Link, Target, Told, run_incoming, run_outgoing};
use super::tls::Tls;

/// Connections at a time, made by others.
const MAX_INCOMING: usize = 1_000;
/// Of these, by one address.
const MAX_PER_SOURCE: usize = 256;
/// Connections of ours at a time.
const MAX_OUTGOING: usize = 256;
/// Messages that wait to be written on one connection.
const MAX_WAITING: usize = 256;
/// Messages of all connections that wait to be taken.
const MAX_UNREAD: usize = 256;
/// Addresses whose names are remembered.
const MAX_NAMED: usize = 1_024;
/// Names of one address.
const MAX_NAMES: usize = 8;
/// After an accept that failed: no file descriptor is free, say.
const BREATH: Duration = Duration::from_millis(100);

/// All connections.
#[derive(Debug)]
pub struct Streams {
    connections: HashMap<(Transport, SocketAddr), Connection>,
    /// For TLS: the names by which an address was found. Its certificate must have all of them.
    names: HashMap<SocketAddr, Vec<String>>,
    tls: Arc<Tls>,
    told: mpsc::Receiver<Told>,
    teller: mpsc::Sender<Told>,
    pending: Option<Told>,
    tasks: JoinSet<()>,
    dscp: u8,
    last_id: Id,
}

#[derive(Debug)]
struct Connection {
    id: Id,
    outbox: mpsc::Sender<Bytes>,
    incoming: bool,
    /// The address of ours that it leaves from.
    local: IpAddr,
    /// What its certificate was verified for.
    names: Vec<String>,
    /// What was shown; empty until the handshake is over.
    chain: Vec<CertificateDer<'static>>,
}

/// What came in.
#[derive(Debug)]
pub enum StreamEvent {
    /// A whole message.
    Message(Flow, Bytes),
    /// The connection has ended, or did not come to stand.
    Failed(Flow, String),
}

impl Streams {
    /// No connection yet. `listeners` are served in the runtime that this is called in.
    pub fn new(tls: Arc<Tls>, listeners: Vec<(Transport, TcpListener)>, dscp: u8) -> Streams {
        let (teller, told) = mpsc::channel(MAX_UNREAD);
        let mut tasks = JoinSet::new();
        for (transport, listener) in listeners {
            tasks.spawn(listen(transport, listener, teller.clone()));
        }
        Streams {
            connections: HashMap::new(),
            names: HashMap::new(),
            tls,
            told,
            teller,
            pending: None,
            tasks,
            dscp,
            last_id: 0,
        }
    }

    /// Waits until [`Streams::receive`] may have something.
    pub async fn ready(&mut self) {
        if self.pending.is_none() {
            self.pending = self.told.recv().await;
        }
    }

    /// What has come, without waiting.
    pub fn receive(&mut self) -> Option<StreamEvent> {
        loop {
            let told = self.pending.take().or_else(|| self.told.try_recv().ok())?;
            match told {
                Told::Accepted { transport, stream, from } => self.accept(transport, stream, from),
                Told::Up { id, flow, chain } => {
                    if let Some(connection) = self.connections.get_mut(&key(&flow)).filter(|it| it.id == id) {
                        connection.chain = chain;
                    }
                }
                Told::Message { flow, bytes } => return Some(StreamEvent::Message(flow, bytes)),
                Told::Ended { id, flow, reason, bad_name } => {
                    while self.tasks.try_join_next().is_some() {}
                    if let (Some(bad), Some(names)) = (bad_name, self.names.get_mut(&flow.remote)) {
                        names.retain(|name| *name != bad);
                    }
                    if self.connections.get(&key(&flow)).is_some_and(|connection| connection.id == id) {
                        self.connections.remove(&key(&flow));
                        return Some(StreamEvent::Failed(flow, reason));
                    }
                }
            }
        }
    }

    /// Sends by the connection that stands, else by a new one.
    ///
    /// # Errors
    /// Too many connections, or too much waits on this one.
    pub fn send(&mut self, transmit: &Transmit, from: Option<SocketAddr>) -> io::Result<()> {
        let key = key(&transmit.flow);
        if let Some(connection) = self.connections.get(&key) {
            match connection.outbox.try_send(transmit.bytes.clone()) {
                Ok(()) => return Ok(()),
                Err(TrySendError::Full(_)) => {
                    return Err(io::Error::new(ErrorKind::WouldBlock, "too much waits there"));
                }
                // It has just ended.
                Err(TrySendError::Closed(_)) => {}
            }
            self.connections.remove(&key);
        }
        let outgoing = self.connections.values().filter(|connection| !connection.incoming).count();
        if outgoing >= MAX_OUTGOING {
            return Err(io::Error::other("too many connections are open"));
        }
        let mut names = self.names.get(&transmit.flow.remote).cloned().unwrap_or_default();
        if names.is_empty() {
            names.push(transmit.flow.remote.ip().to_string());
        }
        let (outbox, link) = self.link(transmit.flow);
        let _ = outbox.try_send(transmit.bytes.clone());
        let connection = Connection {
            id: link.id,
            outbox,
            incoming: false,
            local: transmit.flow.local.ip(),
            names: names.clone(),
            chain: Vec::new(),
        };
        self.connections.insert(key, connection);
        // The name that was looked up last is the one that is meant now.
        names.reverse();
        self.tasks.spawn(run_outgoing(link, Target { tls: Arc::clone(&self.tls), names, from }));
        Ok(())
    }

    /// Notes that a TLS server was looked up by this name: its certificate must have it.
    ///
    /// # Errors
    /// The connection that stands is another server's.
    pub fn expect_name(&mut self, remote: SocketAddr, host: &str) -> Result<(), String> {
        let host = host.trim_end_matches('.').to_ascii_lowercase();
        let literal = host.parse::<IpAddr>().is_ok();
        let known = self.names.get(&remote);
        // A proxy that puts its address into Record-Route is the one whose name was verified.
        if known.is_some_and(|names| names.contains(&host) || (literal && !names.is_empty())) {
            return Ok(());
        }
        if let Some(connection) = self.connections.get_mut(&(Transport::Tls, remote)).filter(|it| !it.incoming) {
            if connection.chain.is_empty() && !connection.names.contains(&host) {
                return Err(format!("another name of {remote} is just being verified"));
            }
            self.tls.client()?.covers(&connection.chain, &host)?;
            connection.names.push(host.clone());
        }
        if self.names.len() >= MAX_NAMED {
            let standing = &self.connections;
            self.names.retain(|remote, _| standing.contains_key(&(Transport::Tls, *remote)));
        }
        let names = self.names.entry(remote).or_default();
        if !literal {
            names.retain(|name| name.parse::<IpAddr>().is_err());
        }
        if names.len() >= MAX_NAMES {
            return Err(format!("{remote} has too many names"));
        }
        names.push(host);
        Ok(())
    }

    /// Where the connections lead, and the address of ours that each leaves from.
    pub fn ends(&self) -> Vec<(SocketAddr, IpAddr)> {
        self.connections.iter().map(|((_, remote), connection)| (*remote, connection.local)).collect()
    }

    /// Lets go of the connections to an address, and says nothing of it: the next message opens a new one.
    pub fn give_up(&mut self, remote: SocketAddr) {
        self.connections.retain(|(_, other), _| *other != remote);
    }

    /// How many connections stand.
    pub fn count(&self) -> usize {
        self.connections.len()
    }

    fn accept(&mut self, transport: Transport, stream: tokio::net::TcpStream, from: SocketAddr) {
        let incoming = || self.connections.iter().filter(|(_, connection)| connection.incoming);
        let of_source = incoming().filter(|((_, remote), _)| remote.ip() == from.ip()).count();
        if incoming().count() >= MAX_INCOMING || of_source >= MAX_PER_SOURCE {
            tracing::debug!(%from, "too many connections: one is refused");
            return;
        }
        let Ok(local) = stream.local_addr() else { return };
        let tls = match transport {
            Transport::Udp => return,
            Transport::Tcp => None,
            Transport::Tls => match self.tls.server() {
                Some(config) => Some(config),
                None => return,
            },
        };
        let flow = Flow { transport, local, remote: from };
        let (outbox, link) = self.link(flow);
        let connection =
            Connection { id: link.id, outbox, incoming: true, local: local.ip(), names: Vec::new(), chain: Vec::new() };
        self.connections.insert(key(&flow), connection);
        self.tasks.spawn(run_incoming(link, stream, tls));
    }

    fn link(&mut self, flow: Flow) -> (mpsc::Sender<Bytes>, Link) {
        self.last_id += 1;
        let (outbox, waiting) = mpsc::channel(MAX_WAITING);
        let own = outbox.downgrade();
        (outbox, Link { id: self.last_id, flow, told: self.teller.clone(), outbox: waiting, own, dscp: self.dscp })
    }
}

fn key(flow: &Flow) -> (Transport, SocketAddr) {
    (flow.transport, flow.remote)
}

async fn listen(transport: Transport, listener: TcpListener, told: mpsc::Sender<Told>) {
    loop {
        match listener.accept().await {
            Ok((stream, from)) => {
                if told.send(Told::Accepted { transport, stream, from }).await.is_err() {
                    return;
                }
            }
            Err(error) => {
                tracing::debug!(%error, "a connection is not taken");
                tokio::time::sleep(BREATH).await;
            }
        }
    }
}
