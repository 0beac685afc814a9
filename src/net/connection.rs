//! One connection: made, shaken hands on, read and written until it ends.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use socket2::SockRef;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, ReadHalf, WriteHalf};
use tokio::net::{TcpSocket, TcpStream};
use tokio::sync::mpsc;
use tokio::time::{Instant, timeout};
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::pki_types::CertificateDer;
use tokio_rustls::{TlsAcceptor, TlsConnector, rustls};

use crate::sip::transport::{Flow, Transport};

use super::bind::mark;
use super::framing::{Frame, Framer};
use super::tls::{self, Tls};

/// How long connecting may take: what is longer has a dead host behind it.
const CONNECT: Duration = Duration::from_secs(5);
/// How long a TLS handshake may take.
const HANDSHAKE: Duration = Duration::from_secs(10);
/// How long a message may take to come, and who connects to say his first one.
const MESSAGE: Duration = Duration::from_secs(30);
/// A connection on which nothing comes for this long is closed: longer than a registration lasts.
const IDLE: Duration = Duration::from_secs(65 * 60);
/// How long the other side may leave what we write unread.
const WRITE: Duration = Duration::from_secs(20);
/// RFC 5626 section 4.4.1: between two pings on a connection of ours.
const PING: Duration = Duration::from_secs(110);
/// RFC 5626 section 4.4.1: how long a pong may take.
const PONG: Duration = Duration::from_secs(10);
/// Bytes read at a time.
const READ: usize = 8 * 1024;
/// RFC 5626 section 3.5.1.
const PING_BYTES: &[u8] = b"\r\n\r\n";
const PONG_BYTES: &[u8] = b"\r\n";

/// A connection's number.
pub type Id = u64;

/// What a connection, or a listener, tells.
#[derive(Debug)]
pub enum Told {
    /// Somebody has connected.
    Accepted { transport: Transport, stream: TcpStream, from: SocketAddr },
    /// A connection of ours stands; for TLS with what the other side has shown.
    Up { id: Id, flow: Flow, chain: Vec<CertificateDer<'static>> },
    /// A whole message.
    Message { flow: Flow, bytes: Bytes },
    /// It has ended. `bad_name`: the certificate was not valid for this one.
    Ended { id: Id, flow: Flow, reason: String, bad_name: Option<String> },
}

/// What a connection's task has.
pub struct Link {
    pub id: Id,
    pub flow: Flow,
    pub told: mpsc::Sender<Told>,
    /// What is to be written, and a way to put pings and pongs among it.
    pub outbox: mpsc::Receiver<Bytes>,
    pub own: mpsc::WeakSender<Bytes>,
    /// How its packets are marked.
    pub dscp: u8,
}

/// Where a connection of ours goes.
pub struct Target {
    pub tls: Arc<Tls>,
    /// The names that its certificate must be valid for; the first is asked for.
    pub names: Vec<String>,
    /// Where it comes from, if that is to be a port of ours.
    pub from: Option<SocketAddr>,
}

trait Io: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Io for T {}

struct Failure {
    reason: String,
    bad_name: Option<String>,
}

impl From<String> for Failure {
    fn from(reason: String) -> Failure {
        Failure { reason, bad_name: None }
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Side {
    Client,
    Server,
}

/// Connects, and carries messages until the end.
pub async fn run_outgoing(link: Link, target: Target) {
    let (id, flow, told) = (link.id, link.flow, link.told.clone());
    let failure = match open(flow, &target, link.dscp).await {
        Ok((io, chain)) => {
            let _ = told.send(Told::Up { id, flow, chain }).await;
            carry(io, link, Side::Client).await
        }
        Err(failure) => failure,
    };
    let _ = told.send(Told::Ended { id, flow, reason: failure.reason, bad_name: failure.bad_name }).await;
}

/// Carries messages on a connection that somebody else has made.
pub async fn run_incoming(link: Link, stream: TcpStream, tls: Option<Arc<ServerConfig>>) {
    let (id, flow, told) = (link.id, link.flow, link.told.clone());
    prepare(&stream, link.dscp);
    let io: Result<Box<dyn Io>, Failure> = match tls {
        None => Ok(Box::new(stream)),
        Some(config) => match timeout(HANDSHAKE, TlsAcceptor::from(config).accept(stream)).await {
            Ok(Ok(stream)) => Ok(Box::new(stream)),
            Ok(Err(error)) => Err(format!("no TLS connection with {}: {error}", flow.remote).into()),
            Err(_) => Err(format!("{} did not end its TLS handshake", flow.remote).into()),
        },
    };
    let failure = match io {
        Ok(io) => carry(io, link, Side::Server).await,
        Err(failure) => failure,
    };
    let _ = told.send(Told::Ended { id, flow, reason: failure.reason, bad_name: failure.bad_name }).await;
}

fn prepare(stream: &TcpStream, dscp: u8) {
    // Neither is worth a connection.
    let _ = stream.set_nodelay(true);
    mark(SockRef::from(stream), dscp);
}

async fn open(flow: Flow, target: &Target, dscp: u8) -> Result<(Box<dyn Io>, Vec<CertificateDer<'static>>), Failure> {
    let remote = flow.remote;
    let connected = timeout(CONNECT, connect(remote, target.from)).await;
    let stream = match connected {
        Ok(Ok(stream)) => stream,
        Ok(Err(error)) => return Err(format!("no connection to {remote}: {error}").into()),
        Err(_) => return Err(format!("no connection to {remote}: no answer within {} s", CONNECT.as_secs()).into()),
    };
    prepare(&stream, dscp);
    if flow.transport != Transport::Tls {
        return Ok((Box::new(stream), Vec::new()));
    }
    let tls = Arc::clone(&target.tls);
    // The system's roots are files: reading them must not hold up anything else.
    let client = tokio::task::spawn_blocking(move || tls.client()).await;
    let client = client.map_err(|error| Failure::from(error.to_string()))??;
    let (first, others) = target.names.split_first().ok_or_else(|| Failure::from(format!("{remote} has no name")))?;
    let handshake = TlsConnector::from(Arc::clone(&client.config)).connect(tls::server_name(first)?, stream);
    let stream = match timeout(HANDSHAKE, handshake).await {
        Ok(Ok(stream)) => stream,
        Ok(Err(error)) => return Err(handshake_failure(first, &error)),
        Err(_) => return Err(format!("{first} did not end the TLS handshake").into()),
    };
    let chain: Vec<_> = stream.get_ref().1.peer_certificates().unwrap_or_default().to_vec();
    for name in others {
        client.covers(&chain, name).map_err(|reason| Failure { reason, bad_name: Some(name.clone()) })?;
    }
    Ok((Box::new(stream), chain))
}

fn handshake_failure(host: &str, error: &std::io::Error) -> Failure {
    let inner = error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>());
    match inner {
        Some(inner @ rustls::Error::InvalidCertificate(_)) => {
            Failure { reason: tls::explain(host, inner), bad_name: Some(host.to_owned()) }
        }
        Some(inner) => tls::explain(host, inner).into(),
        None => format!("no TLS connection to {host}: {error}").into(),
    }
}

async fn connect(remote: SocketAddr, from: Option<SocketAddr>) -> std::io::Result<TcpStream> {
    let socket = || if remote.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() };
    if let Some(from) = from {
        let socket = socket()?;
        socket.set_reuseaddr(true)?;
        let bound = socket.bind(from);
        match (bound, remote) {
            (Ok(()), remote) => match socket.connect(remote).await {
                // An earlier connection of the same two ends may still linger: any port does.
                Err(error)
                    if matches!(error.kind(), std::io::ErrorKind::AddrNotAvailable | std::io::ErrorKind::AddrInUse) => {
                }
                result => return result,
            },
            (Err(_), _) => {}
        }
    }
    socket()?.connect(remote).await
}

/// Until it ends: why.
async fn carry(io: Box<dyn Io>, link: Link, side: Side) -> Failure {
    let Link { id: _, flow, told, outbox, own, dscp: _ } = link;
    let (reader, writer) = tokio::io::split(io);
    let why = tokio::select! {
        why = read(reader, flow, told, own, side) => why,
        why = write(writer, outbox) => why,
    };
    format!("{} {why}", flow.remote).into()
}

async fn write(mut writer: WriteHalf<Box<dyn Io>>, mut outbox: mpsc::Receiver<Bytes>) -> String {
    while let Some(bytes) = outbox.recv().await {
        let written = timeout(WRITE, async {
            writer.write_all(&bytes).await?;
            writer.flush().await
        });
        match written.await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => return format!("can't be written to: {error}"),
            Err(_) => return "takes nothing any more".to_owned(),
        }
    }
    let _ = timeout(WRITE, writer.shutdown()).await;
    "is not needed any more".to_owned()
}

/// The clocks of a connection.
struct Clocks {
    heard: Instant,
    /// A message has begun, or the first one is awaited.
    message: Option<Instant>,
    ping: Option<Instant>,
    /// Our ping waits for its pong.
    pong: Option<Instant>,
}

impl Clocks {
    fn next(&self) -> Instant {
        let others = [self.message.map(|since| since + MESSAGE), self.ping, self.pong];
        others.into_iter().flatten().fold(self.heard + IDLE, Instant::min)
    }
}

async fn read(
    mut reader: ReadHalf<Box<dyn Io>>,
    flow: Flow,
    told: mpsc::Sender<Told>,
    own: mpsc::WeakSender<Bytes>,
    side: Side,
) -> String {
    let mut framer = Framer::default();
    let mut buffer = vec![0; READ];
    let now = Instant::now();
    let (first, ping) = match side {
        Side::Client => (None, Some(now + PING)),
        Side::Server => (Some(now), None),
    };
    let mut clocks = Clocks { heard: now, message: first, ping, pong: None };
    // RFC 5626 section 4.4.1: only who has answered once is known to answer.
    let (mut awaits_pong, mut answers_pings) = (false, false);
    let say = |bytes: &'static [u8]| {
        if let Some(own) = own.upgrade() {
            let _ = own.try_send(Bytes::from_static(bytes));
        }
    };
    loop {
        let came = tokio::select! {
            came = reader.read(&mut buffer) => came,
            () = tokio::time::sleep_until(clocks.next()) => {
                let now = Instant::now();
                if clocks.pong.is_some_and(|due| due <= now) {
                    return "does not answer any more".to_owned();
                }
                if clocks.message.is_some_and(|since| since + MESSAGE <= now) {
                    return "began a message and did not end it".to_owned();
                }
                if clocks.heard + IDLE <= now {
                    return "has said nothing for long".to_owned();
                }
                if clocks.ping.is_some_and(|due| due <= now) {
                    say(PING_BYTES);
                    clocks.ping = Some(now + PING);
                    awaits_pong = true;
                    clocks.pong = answers_pings.then_some(now + PONG);
                }
                continue;
            }
        };
        let bytes = match came {
            Ok(0) => return "closed the connection".to_owned(),
            Ok(length) => buffer.get(..length).unwrap_or_default(),
            Err(error) => return format!("broke the connection: {error}"),
        };
        framer.push(bytes);
        clocks.heard = Instant::now();
        let mut whole = false;
        loop {
            match framer.next(awaits_pong) {
                Ok(Some(Frame::Message(bytes))) => {
                    whole = true;
                    // Waits while much is unread: the other side waits then too.
                    if told.send(Told::Message { flow, bytes }).await.is_err() {
                        return "is not needed any more".to_owned();
                    }
                }
                Ok(Some(Frame::Ping)) => say(PONG_BYTES),
                Ok(Some(Frame::Pong)) => {
                    answers_pings |= awaits_pong;
                    awaits_pong = false;
                    clocks.pong = None;
                }
                Ok(None) => break,
                Err(error) => return format!("sent {error}"),
            }
        }
        // Bytes that trickle in do not put it off; a whole message does.
        let proven = whole || (side == Side::Client && clocks.message.is_none());
        clocks.message = match (framer.is_within_message(), clocks.message) {
            (true, Some(since)) if !whole => Some(since),
            (true, _) => Some(clocks.heard),
            (false, Some(since)) if !proven => Some(since),
            (false, _) => None,
        };
    }
}
