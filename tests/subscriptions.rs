//! Event packages and texts over real sockets: the phone with its threads, and a notifier that is a plain UDP socket.

// The notifier is a thread beside the phone's.
#![allow(clippy::disallowed_methods)]

use std::collections::HashSet;
use std::io::ErrorKind;
use std::net::{SocketAddr, UdpSocket};
use std::time::Duration;

use offhook::config::{Account, Audio, Config, Events, Secret, Sip};
use offhook::phone::command::Command;
use offhook::phone::event::Event;
use offhook::phone::{PhoneHandle, Reply};
use offhook::ua::config::MessageWaiting;
use offhook::ua::event::Lamp;
use serde_json::Value;
use tokio::sync::mpsc::UnboundedReceiver;

/// Whatever is waited for takes milliseconds; a machine that is busy may take longer.
const PATIENCE: Duration = Duration::from_secs(30);
/// However a test goes wrong, it ends.
const LIMIT: Duration = Duration::from_secs(300);

/// Waits for something, at most [`PATIENCE`].
async fn patiently<T>(what: &str, wait: impl Future<Output = T>) -> T {
    tokio::time::timeout(PATIENCE, wait).await.unwrap_or_else(|_| panic!("not in time: {what}"))
}

struct Phone {
    handle: PhoneHandle,
    events: UnboundedReceiver<Event>,
}

impl Phone {
    fn start(accounts: Vec<Account>) -> Phone {
        let config = Config {
            accounts,
            sip: Sip { listen: "127.0.0.1:0".parse().unwrap(), listen_is_configured: true, ..Sip::default() },
            audio: Audio { input: "null".into(), output: "null".into(), ring: "null".into(), ..Audio::default() },
            ..Config::default()
        };
        let mut handle = PhoneHandle::start(config).unwrap();
        let events = handle.events();
        Phone { handle, events }
    }

    async fn does(&self, command: &str) -> Reply {
        let parsed: Command = command.parse().unwrap();
        patiently(command, self.handle.command(parsed)).await.unwrap_or_else(|refused| panic!("{command}: {refused}"))
    }

    /// The first event of this name.
    async fn sees(&mut self, name: &str) -> Value {
        let wait = async {
            while let Some(event) = self.events.recv().await {
                let value = serde_json::to_value(event.kind).unwrap();
                if value["event"] == name {
                    return value;
                }
            }
            panic!("the phone ended before: {name}");
        };
        patiently(name, wait).await
    }

    async fn quits(mut self) {
        self.does("quit").await;
        patiently("the end", async { while self.events.recv().await.is_some() {} }).await;
    }
}

fn run(test: impl Future<Output = ()>) {
    let ends = async { tokio::time::timeout(LIMIT, test).await.expect("the test ends") };
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(ends);
}

/// An account at a server that it does not register to.
fn account(server: SocketAddr, events: Events) -> Account {
    Account {
        name: "work".into(),
        uri: format!("sip:alice@{server}"),
        display_name: None,
        password: Secret::None,
        auth_user: None,
        registrar: None,
        proxies: Vec::new(),
        expires: 600,
        register: false,
        srtp: None,
        srtp_keying: None,
        credentials: Vec::new(),
        rewrite_contact: true,
        gruu: false,
        voicemail: None,
        events,
    }
}

/// A notifier: accepts the SUBSCRIBEs that come, and notifies each of what `says` gives for its Event.
struct Notifier {
    socket: UdpSocket,
    /// Call-ID and CSeq of those that it has accepted: the phone repeats what is not answered at once.
    accepted: HashSet<(String, String)>,
}

impl Notifier {
    fn new() -> Notifier {
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        socket.set_read_timeout(Some(PATIENCE)).unwrap();
        Notifier { socket, accepted: HashSet::new() }
    }

    fn address(&self) -> SocketAddr {
        self.socket.local_addr().unwrap()
    }

    fn receive(&self, first: &str) -> (String, SocketAddr) {
        let mut buffer = [0; 65_536];
        loop {
            let (length, from) = match self.socket.recv_from(&mut buffer) {
                // A machine that was put to sleep has woken.
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                received => received.unwrap_or_else(|error| panic!("no {first}: {error}")),
            };
            let text = String::from_utf8_lossy(&buffer[..length]).into_owned();
            if text.starts_with(first) {
                return (text, from);
            }
        }
    }

    /// The next SUBSCRIBE that is no repetition.
    fn next(&mut self) -> (String, SocketAddr) {
        loop {
            let (request, from) = self.receive("SUBSCRIBE");
            if self.accepted.insert((field(&request, "Call-ID"), field(&request, "CSeq"))) {
                return (request, from);
            }
        }
    }

    fn accept(&mut self, says: impl Fn(&str) -> (&'static str, String)) {
        let (request, from) = self.next();
        let field = |name: &str| field(&request, name);
        let (to, here) = (format!("{};tag=notifier", field("To")), self.address());
        let ok = format!(
            "SIP/2.0 200 OK\r\nVia: {}\r\nFrom: {}\r\nTo: {to}\r\nCall-ID: {}\r\nCSeq: {}\r\nExpires: {}\r\n\
             Contact: <sip:{here}>\r\nContent-Length: 0\r\n\r\n",
            field("Via"),
            field("From"),
            field("Call-ID"),
            field("CSeq"),
            field("Expires"),
        );
        self.socket.send_to(ok.as_bytes(), from).unwrap();
        let state = if field("Expires") == "0" { "terminated;reason=timeout" } else { "active;expires=600" };
        let target = field("Contact").trim_matches(['<', '>']).to_owned();
        let (content_type, body) = says(&field("Event"));
        let notify = format!(
            "NOTIFY {target} SIP/2.0\r\nVia: SIP/2.0/UDP {here};branch=z9hG4bK{}{}\r\nMax-Forwards: 70\r\nFrom: {to}\r\n\
             To: {}\r\nCall-ID: {}\r\nCSeq: {} NOTIFY\r\nContact: <sip:{here}>\r\nEvent: {}\r\nSubscription-State: {state}\r\n\
             Content-Type: {content_type}\r\nContent-Length: {}\r\n\r\n{body}",
            field("Call-ID"),
            field("Expires"),
            field("From"),
            field("Call-ID"),
            field("CSeq").split(' ').next().unwrap(),
            field("Event"),
            body.len(),
        );
        self.socket.send_to(notify.as_bytes(), from).unwrap();
        self.receive("SIP/2.0 200");
    }
}

/// The value of a message's field.
fn field(message: &str, name: &str) -> String {
    let line = message.lines().find(|line| line.starts_with(&format!("{name}: ")));
    line.and_then(|line| line.split_once(": ")).map(|(_, value)| value.to_owned()).unwrap_or_default()
}

fn says(event: &str) -> (&'static str, String) {
    match event {
        "message-summary" => {
            let body = "Messages-Waiting: yes\r\nMessage-Account: sip:*97@127.0.0.1\r\nVoice-Message: 3/1 (1/0)\r\n";
            ("application/simple-message-summary", body.to_owned())
        }
        _ => {
            let dialog = "<dialog id=\"1\" direction=\"recipient\"><state>early</state><remote>\
                          <identity display=\"Carol\">sip:carol@127.0.0.1</identity></remote></dialog>";
            let info = "<dialog-info xmlns=\"urn:ietf:params:xml:ns:dialog-info\" version=\"0\" state=\"full\" entity=\"sip:x\">";
            ("application/dialog-info+xml", format!("<?xml version=\"1.0\"?>{info}{dialog}</dialog-info>"))
        }
    }
}

#[test]
fn lamps_and_voice_messages_are_shown_as_the_notifier_tells_them() {
    run(async {
        let mut notifier = Notifier::new();
        let events =
            Events { message_waiting: MessageWaiting::Always, watch: vec!["Bob <201>".into()], registrations: false };
        let mut phone = Phone::start(vec![account(notifier.address(), events)]);
        let server = std::thread::spawn(move || {
            for _ in 0..4 {
                // Two that begin, two that end.
                notifier.accept(says);
            }
        });
        let waiting = phone.sees("message_waiting").await;
        assert_eq!((&waiting["new"], &waiting["old"], &waiting["urgent"]), (&3.into(), &1.into(), &1.into()));
        assert_eq!(waiting["mailbox"], "sip:*97@127.0.0.1");
        let lamp = phone.sees("lamp").await;
        assert_eq!((&lamp["state"], &lamp["name"]), (&"ringing".into(), &"Bob".into()));
        assert_eq!(lamp["remote_name"], "Carol");
        let Reply::State(state) = phone.does("state").await else { panic!("no state") };
        assert_eq!(state.accounts[0].messages, Some((3, 1)));
        assert_eq!(state.accounts[0].mailbox.as_deref(), Some("sip:*97@127.0.0.1"));
        assert_eq!((state.watched.len(), state.watched[0].state), (1, Lamp::Ringing));
        phone.quits().await;
        server.join().unwrap();
    });
}

#[test]
fn two_phones_write_to_each_other() {
    run(async {
        let (mut alice, mut bob) = (Phone::start(Vec::new()), Phone::start(Vec::new()));
        let to = format!("sip:bob@{}", bob.handle.listen());
        alice.does(&format!("message {to} Lunch at one?")).await;
        let message = bob.sees("message").await;
        assert_eq!((&message["text"], &message["account"]), (&"Lunch at one?".into(), &Value::Null));
        let sent = alice.sees("message_sent").await;
        assert_eq!((&sent["to"], &sent["delivered"]), (&to.into(), &true.into()));
        // Nobody is there.
        let gone = UdpSocket::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        alice.does(&format!("message sip:carol@{gone} anybody?")).await;
        assert_eq!(alice.sees("message_failed").await["code"], 503);
        let long: Command = format!("message sip:bob@{} {}", bob.handle.listen(), "x".repeat(2_000)).parse().unwrap();
        let refusal = patiently("a refusal", alice.handle.command(long)).await.unwrap_err().message;
        assert!(refusal.contains("2000 bytes"), "{refusal}");
        alice.quits().await;
        bob.quits().await;
    });
}
