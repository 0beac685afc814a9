//! The machine's address changes under a registered phone with a call up: real sockets, the kernel's own news, an exchange
//! on the other side of a cable between two network namespaces.
//!
//! Needs the right to make network namespaces (root, or `unshare -r`) and `ip`; without them it says that it was skipped.
#![cfg(target_os = "linux")]
#![allow(clippy::disallowed_methods, reason = "real sockets run by the real clock")]

use std::io;
use std::process::{Command as Program, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use offhook::config::{Account, Audio, Config, Secret, Sip};
use offhook::exchange::{self, Exchange, User};
use offhook::phone::PhoneHandle;
use offhook::phone::command::Command;
use offhook::phone::event::{Event, Kind, NetworkCause};
use tokio::sync::mpsc::UnboundedReceiver;

/// A caller who rings once does not notice: from the change of the address to the registrar's 200.
const LIMIT: Duration = Duration::from_secs(1);
/// For everything else; a busy machine may be slow.
const PATIENCE: Duration = Duration::from_secs(30);
/// So often that is tried: a machine that stands still for a moment spoils one measurement, not each.
const TRIES: u8 = 5;

/// Moves this thread into a network namespace of its own; threads that it starts are in it as well.
fn leave() -> io::Result<()> {
    // SAFETY: a system call with a plain number; it concerns this thread alone.
    match unsafe { libc::unshare(libc::CLONE_NEWNET) } {
        0 => ip("link set lo up"),
        _ => Err(io::Error::last_os_error()),
    }
}

fn ip(arguments: &str) -> io::Result<()> {
    let output = Program::new("ip").args(arguments.split(' ')).stdin(Stdio::null()).output()?;
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    if output.status.success() { Ok(()) } else { Err(io::Error::other(format!("ip {arguments}: {said}"))) }
}

/// The exchange's side of the cable.
struct Other {
    /// The thread, and so the namespace.
    id: i32,
    /// The cable is plugged in: it may begin.
    begin: mpsc::Sender<()>,
    /// It listens.
    listens: mpsc::Receiver<io::Result<i32>>,
}

/// An exchange at 10.99.0.1 in a namespace of its own. It ends when `over` is dropped.
fn exchange(over: mpsc::Receiver<()>) -> io::Result<Other> {
    let (told, listens) = mpsc::channel();
    let (begin, plugged) = mpsc::channel();
    thread::spawn(move || {
        // SAFETY: a system call without arguments.
        let id = unsafe { libc::gettid() };
        let inside = leave().map(|()| id);
        let go_on = inside.is_ok();
        let _ = told.send(inside);
        if !go_on || plugged.recv().is_err() {
            return;
        }
        let user = User { name: "alice".into(), password: "secret".into() };
        let config = exchange::Config {
            listen: "10.99.0.1:5060".parse().unwrap(),
            domain: "10.99.0.1".into(),
            users: vec![user],
            ..exchange::Config::default()
        };
        let _exchange = Exchange::start(config).expect("an exchange");
        let _ = told.send(Ok(id));
        let _ = over.recv();
    });
    let id = listens.recv_timeout(PATIENCE).map_err(io::Error::other)??;
    Ok(Other { id, begin, listens })
}

fn config() -> Config {
    let account = Account {
        name: "work".into(),
        uri: "sip:alice@10.99.0.1".into(),
        display_name: None,
        password: Secret::Plain("secret".into()),
        auth_user: None,
        registrar: None,
        proxies: Vec::new(),
        expires: 600,
        register: true,
        srtp: None,
        srtp_keying: None,
        credentials: Vec::new(),
        voicemail: None,
        events: offhook::config::Events::default(),
        rewrite_contact: true,
        gruu: false,
    };
    Config {
        accounts: vec![account],
        sip: Sip { listen: "0.0.0.0:5060".parse().unwrap(), listen_is_configured: true, ..Sip::default() },
        audio: Audio { input: "tone:440".into(), output: "null".into(), ring: "null".into(), ..Audio::default() },
        ..Config::default()
    }
}

struct Phone {
    handle: PhoneHandle,
    events: UnboundedReceiver<Event>,
    seen: Vec<String>,
}

impl Phone {
    /// The first event that `wanted` takes; those before it are passed over.
    async fn sees<T>(&mut self, what: &str, mut wanted: impl FnMut(&Kind) -> Option<T>) -> T {
        let found = async {
            loop {
                let event = self.events.recv().await.expect("the phone has ended");
                self.seen.push(serde_json::to_string(&event).unwrap());
                if let Some(found) = wanted(&event.kind) {
                    return found;
                }
            }
        };
        match tokio::time::timeout(PATIENCE, found).await {
            Ok(found) => found,
            Err(_) => panic!("no {what} came, but\n{}", self.seen.join("\n")),
        }
    }

    async fn registered(&mut self, from: &str) {
        self.sees(&format!("registered from {from}"), |kind| match kind {
            Kind::Registered { contact, .. } => contact.contains(from).then_some(()),
            _ => None,
        })
        .await
    }

    /// More sound than this has come from the exchange: how many packets so far.
    async fn hears(&mut self, more_than: u64) -> u64 {
        self.sees("stats", |kind| match kind {
            Kind::Stats { stats, .. } => (stats.received > more_than).then_some(stats.received),
            _ => None,
        })
        .await
    }

    async fn does(&self, command: Command) {
        let said = format!("{command:?}");
        let reply = tokio::time::timeout(PATIENCE, self.handle.command(command)).await.expect("an answer in time");
        reply.unwrap_or_else(|refused| panic!("{said}: {refused}"));
    }

    /// The address becomes another one, as DHCP does it: the old one goes, another one comes. How long it takes until the phone
    /// is registered from there, and until the call is moved there.
    async fn moves(&mut self, from: &str, to: &str) -> (Duration, Duration) {
        let changed = Instant::now();
        ip(&format!("addr del {from}/24 dev cable0")).unwrap();
        ip(&format!("addr add {to}/24 dev cable0")).unwrap();
        let cause = self
            .sees("network_changed", |kind| match kind {
                Kind::NetworkChanged { cause, to: Some(there), .. } if there == to => Some(*cause),
                _ => None,
            })
            .await;
        assert!(matches!(cause, NetworkCause::Address | NetworkCause::Back), "{cause:?}");
        let (mut registered, mut moved) = (None, None);
        while registered.is_none() || moved.is_none() {
            self.sees("registered and moved", |kind| match kind {
                Kind::Registered { contact, .. } if contact.contains(to) => {
                    registered = Some(changed.elapsed());
                    Some(())
                }
                Kind::Moved { address, .. } if address == to => {
                    moved = Some(changed.elapsed());
                    Some(())
                }
                _ => None,
            })
            .await;
        }
        (registered.unwrap(), moved.unwrap())
    }

    /// The cable is pulled, and plugged in again: no address, then the same one. How long it takes until the phone is registered.
    async fn comes_back(&mut self, at: &str) -> Duration {
        ip(&format!("addr del {at}/24 dev cable0")).unwrap();
        self.sees("the loss", |kind| match kind {
            Kind::NetworkChanged { cause: NetworkCause::Lost, to: None, .. } => Some(()),
            _ => None,
        })
        .await;
        let back = Instant::now();
        ip(&format!("addr add {at}/24 dev cable0")).unwrap();
        self.sees("the return", |kind| match kind {
            Kind::NetworkChanged { cause: NetworkCause::Back, .. } => Some(()),
            _ => None,
        })
        .await;
        self.registered(at).await;
        back.elapsed()
    }
}

async fn walk(mut phone: Phone) {
    phone.registered("10.99.0.2").await;
    phone.does(Command::Call { account: None, target: "600".into() }).await;
    phone.sees("established", |kind| matches!(kind, Kind::Established { .. }).then_some(())).await;

    let mut here = "10.99.0.2".to_owned();
    let mut times = Vec::new();
    while times.last().is_none_or(|(registered, moved)| *registered >= LIMIT || *moved >= LIMIT) {
        assert!(times.len() < usize::from(TRIES), "registered and moved after {times:?}");
        let there = format!("10.99.0.{}", 3 + times.len());
        times.push(phone.moves(&here, &there).await);
        here = there;
    }
    println!("after the address changed: registered and the call moved after {times:?}");

    // The sound goes on.
    let before = phone.hears(0).await;
    phone.hears(before + 150).await;

    let mut times = Vec::new();
    while times.last().is_none_or(|time| *time >= LIMIT) {
        assert!(times.len() < usize::from(TRIES), "registered after {times:?}");
        times.push(phone.comes_back(&here).await);
    }
    println!("after the network came back: registered after {times:?}");

    phone.does(Command::Hangup { call: None }).await;
    phone.sees("ended", |kind| matches!(kind, Kind::Ended { .. }).then_some(())).await;
    phone.does(Command::Quit).await;
    phone.sees("unregistered", |kind| matches!(kind, Kind::Unregistered { .. }).then_some(())).await;
}

#[test]
fn a_phone_with_a_call_up_follows_its_address() {
    let (over, ends) = mpsc::channel();
    let cabled = leave().and_then(|()| exchange(ends)).and_then(|other| {
        ip(&format!("link add cable0 type veth peer name cable1 netns {}", other.id))?;
        ip("addr add 10.99.0.2/24 dev cable0")?;
        ip("link set cable0 up")?;
        Ok(other)
    });
    let other = match cabled {
        Ok(other) => other,
        Err(error) => return println!("skipped: no network namespaces here ({error})"),
    };
    // The other end, from this side.
    for arguments in ["addr add 10.99.0.1/24 dev cable1", "link set cable1 up"] {
        let mut program = Program::new("nsenter");
        program.arg(format!("--net=/proc/{}/ns/net", other.id)).arg("ip").args(arguments.split(' '));
        assert!(program.status().expect("nsenter").success(), "{arguments}");
    }
    other.begin.send(()).unwrap();
    other.listens.recv_timeout(PATIENCE).expect("an exchange that listens").unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let mut handle = PhoneHandle::start(config()).unwrap();
        let events = handle.events();
        let walk = walk(Phone { handle, events, seen: Vec::new() });
        // However it goes wrong, it ends.
        tokio::time::timeout(10 * PATIENCE, walk).await.expect("the test ends");
    });
    drop(over);
}
