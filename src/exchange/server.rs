//! The exchange on real sockets: one thread with a runtime of its own, which carries datagrams and the sound of the
//! extensions.

use std::io;
use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::pin::Pin;
use std::sync::Arc;
use std::task::Poll;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use rand_chacha::ChaCha20Rng;
use rand_core::{RngCore, SeedableRng};
use tokio::sync::Notify;

use crate::net::{Bound, PortInUse, Received, Sockets, Tls};
use crate::sip::Uri;
use crate::sip::transport::{Flow, Transport};

use super::extension::{EXTENSIONS, Extension, Home};
use super::hall::Hall;
use super::nonce::token;
use super::{Config, Core};

/// Datagrams that one socket may bring before the others get their turn.
const MAX_READ: usize = 64;
/// How long the last messages may take to be answered when the exchange ends.
const FAREWELL: Duration = Duration::from_millis(200);

/// A running exchange. It ends when this is dropped.
#[derive(Debug)]
pub struct Exchange {
    address: SocketAddr,
    tls_port: Option<u16>,
    stop: Arc<Notify>,
    thread: Option<JoinHandle<()>>,
}

impl Exchange {
    /// Binds, and starts the thread.
    ///
    /// # Errors
    /// The port is in use, the system has no randomness or no thread for us, or (`InvalidInput`) the exchange would be open
    /// to the network without passwords.
    pub fn start(mut config: Config) -> io::Result<Exchange> {
        // One without a password (a group) can't sign in; but where nobody has one, nobody is asked.
        let guarded = config.users.iter().any(|user| !user.password.is_empty());
        if !config.listen.ip().is_loopback() && !guarded {
            return Err(io::Error::new(
                io::ErrorKind::InvalidInput,
                format!("{} can be reached by others: an exchange there needs users with passwords", config.listen),
            ));
        }
        let tls =
            Tls::load(&config.tls).map_err(|error| io::Error::new(io::ErrorKind::InvalidInput, error.to_string()))?;
        let bound = Bound::bind(config.listen, PortInUse::Fail)?.with_streams(tls);
        let tls_port = bound.tls_port();
        config.listen = SocketAddr::new(reached_at(bound.listen().ip()), bound.listen().port());
        let address = config.listen;
        let bound_extensions = EXTENSIONS
            .iter()
            .map(|_| Bound::bind(SocketAddr::new(address.ip(), 0), PortInUse::Fail))
            .collect::<io::Result<Vec<Bound>>>()?;
        let mut seed = [0; 32];
        getrandom::fill(&mut seed).map_err(|error| io::Error::other(error.to_string()))?;
        let runtime = tokio::runtime::Builder::new_current_thread().enable_io().enable_time().build()?;
        let stop = Arc::new(Notify::new());
        let stopped = Arc::clone(&stop);
        let thread = std::thread::Builder::new().name("exchange".into()).spawn(move || {
            runtime.block_on(async {
                match World::new(&config, bound, bound_extensions, seed) {
                    Ok(world) => world.run(&stopped).await,
                    Err(error) => tracing::error!(%error, "the exchange can't start"),
                }
            });
        })?;
        Ok(Exchange { address, tls_port, stop, thread: Some(thread) })
    }

    /// Where it is reached.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The port at which it takes connections by TLS, where it has a certificate.
    pub fn tls_port(&self) -> Option<u16> {
        self.tls_port
    }

    /// Ends the calls of its extensions and waits until the thread is gone: a fifth of a second at most.
    pub fn shutdown(self) {}
}

impl Drop for Exchange {
    fn drop(&mut self) {
        self.stop.notify_one();
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// For a wildcard the address from which this machine speaks to others, which is what goes into Record-Route.
fn reached_at(listen: IpAddr) -> IpAddr {
    if !listen.is_unspecified() {
        return listen;
    }
    let (any, other) = match listen {
        IpAddr::V4(_) => ("0.0.0.0:0", "192.0.2.1:9"),
        IpAddr::V6(_) => ("[::]:0", "[2001:db8::1]:9"),
    };
    // Connecting a UDP socket asks the routing table and sends nothing.
    let found = UdpSocket::bind(any).and_then(|socket| {
        socket.connect(other)?;
        socket.local_addr()
    });
    let loopback = match listen {
        IpAddr::V4(_) => IpAddr::from([127, 0, 0, 1]),
        IpAddr::V6(_) => IpAddr::from([0, 0, 0, 0, 0, 0, 0, 1]),
    };
    found.map_or(loopback, |address| address.ip())
}

/// An extension at its socket.
struct Post {
    extension: Extension,
    sockets: Sockets,
    /// To the exchange.
    flow: Flow,
}

/// Everything on the exchange's thread.
struct World {
    core: Core,
    sockets: Sockets,
    posts: Vec<Post>,
    hall: Hall,
}

impl World {
    fn new(config: &Config, bound: Bound, extensions: Vec<Bound>, seed: [u8; 32]) -> io::Result<World> {
        let now = Instant::now();
        let mut random = ChaCha20Rng::from_seed(seed);
        let mut fresh = || {
            let mut seed = [0; 32];
            random.fill_bytes(&mut seed);
            seed
        };
        let mut core = Core::new(config, fresh());
        core.set_tls_port(bound.tls_port());
        let exchange = config.listen;
        let password = token(&mut ChaCha20Rng::from_seed(fresh()));
        let home = Home { domain: config.domain.clone(), exchange, password };
        let mut posts = Vec::new();
        for ((number, act, _), bound) in EXTENSIONS.into_iter().zip(extensions) {
            let local = bound.listen();
            let contact = Uri::parse(format!("sip:{number}@{local}").into());
            let (Ok(contact), Some(extension)) = (contact, Extension::new(now, number, act, &home, fresh())) else {
                return Err(io::Error::new(io::ErrorKind::InvalidInput, "the exchange's domain is no host name"));
            };
            core.add_extension(number, Some(&home.password), contact);
            let flow = Flow { transport: Transport::Udp, local, remote: exchange };
            posts.push(Post { extension, sockets: bound.start()?, flow });
        }
        let hall = Hall::new(exchange.ip(), fresh());
        Ok(World { core, sockets: bound.start()?, posts, hall })
    }

    async fn run(mut self, stop: &Notify) {
        tracing::info!("the exchange is open");
        loop {
            self.work(Instant::now());
            tokio::select! {
                biased;
                () = stop.notified() => break,
                () = self.wait() => {}
            }
        }
        let now = Instant::now();
        for post in &mut self.posts {
            post.extension.shut_down(now, post.flow, &mut self.hall);
        }
        let end = now + FAREWELL;
        self.work(now);
        while Instant::now() < end && self.posts.iter().any(|post| post.extension.awaits_answers()) {
            let _ = tokio::time::timeout_at(end.into(), self.wait()).await;
            self.work(Instant::now());
        }
    }

    /// Does everything that can be done now.
    fn work(&mut self, now: Instant) {
        for _ in 0..MAX_READ {
            match self.sockets.receive(now) {
                Some(Received::Message { flow, bytes }) => self.core.handle_datagram(now, flow, bytes),
                Some(Received::Unreachable(flow) | Received::Failed { flow, .. }) => {
                    self.core.handle_transport_error(now, flow);
                }
                None => break,
            }
        }
        if self.core.poll_timeout().is_some_and(|at| at <= now) {
            self.core.handle_timeout(now);
        }
        while let Some(transmit) = self.core.poll_transmit() {
            if let Err(error) = self.sockets.send(&transmit) {
                tracing::debug!(%error, to = %transmit.flow.remote, "a message of the exchange can't leave");
                self.core.handle_transport_error(now, transmit.flow);
            }
        }
        for post in &mut self.posts {
            post.work(now, &mut self.hall);
        }
        self.hall.tick(now);
    }

    /// Until a datagram comes or something is due.
    async fn wait(&mut self) {
        let timeouts = self.posts.iter().filter_map(|post| post.extension.poll_timeout());
        let next = timeouts.chain(self.core.poll_timeout()).chain(self.hall.poll_timeout()).min();
        let due = async {
            match next {
                Some(at) => tokio::time::sleep_until(at.into()).await,
                None => std::future::pending().await,
            }
        };
        let all = std::iter::once(&mut self.sockets).chain(self.posts.iter_mut().map(|post| &mut post.sockets));
        let mut ready: Vec<Pin<Box<dyn Future<Output = ()> + '_>>> =
            all.map(|sockets| Box::pin(sockets.ready()) as Pin<Box<dyn Future<Output = ()> + '_>>).collect();
        let any = std::future::poll_fn(|cx| {
            let woken = ready.iter_mut().any(|ready| ready.as_mut().poll(cx).is_ready());
            if woken { Poll::Ready(()) } else { Poll::Pending }
        });
        tokio::select! {
            () = any => {}
            () = due => {}
        }
    }
}

impl Post {
    fn work(&mut self, now: Instant, hall: &mut Hall) {
        for _ in 0..MAX_READ {
            match self.sockets.receive(now) {
                // All calls come through the exchange; whoever goes past it has not shown a password.
                Some(Received::Message { flow, bytes }) if flow.remote == self.flow.remote => {
                    self.extension.handle_datagram(now, flow, bytes, hall);
                }
                Some(Received::Message { .. } | Received::Unreachable(_) | Received::Failed { .. }) => {}
                None => break,
            }
        }
        if self.extension.poll_timeout().is_some_and(|at| at <= now) {
            self.extension.handle_timeout(now, self.flow, hall);
        }
        while let Some(transmit) = self.extension.poll_transmit() {
            if let Err(error) = self.sockets.send(&transmit) {
                tracing::debug!(%error, to = %transmit.flow.remote, "a message of an extension can't leave");
            }
        }
    }
}
