//! What people do with a phone all day, in a real terminal and against the phone's own exchange, with two real phones on
//! the other side: each key is one that the screen shows at that moment.

#![allow(clippy::disallowed_methods, reason = "a real terminal runs by the real clock")]

mod terminal;

use std::net::SocketAddr;
use std::path::Path;
use std::time::{Duration, Instant};

use offhook::config::{Audio, Calls, Config};
use offhook::exchange::{self, Exchange, User};
use offhook::media::goertzel;
use offhook::phone::event::{Event, Kind};
use offhook::phone::{Command, PhoneHandle};
use offhook::ua::CallNo;
use offhook::ua::config::{AutoAnswer, TransferPolicy};
use terminal::Terminal;
use tokio::runtime::Runtime;
use tokio::sync::mpsc::UnboundedReceiver;

/// Whatever is waited for takes milliseconds; a machine that is busy may take longer.
const PATIENCE: Duration = Duration::from_secs(30);
/// Quieter than any tone, louder than silence that a codec carried, in dBFS.
const AUDIBLE: f32 = -50.0;

/// An exchange with three users, and the password of all of them.
fn exchange() -> (Exchange, String) {
    let (mut config, password) = exchange::demo::config(SocketAddr::from(([127, 0, 0, 1], 0))).expect("a password");
    let user = |name: &str| User { name: name.into(), password: password.clone() };
    config.users = ["alice", "bob", "carol"].map(user).to_vec();
    (Exchange::start(config).expect("an exchange"), password)
}

/// Alice's phone in a terminal, registered.
fn alice(exchange: &Exchange, password: &str, input: &str, output: &str) -> Option<Terminal> {
    let terminal = Terminal::new()?;
    terminal.write_file(&format!(
        "[[account]]\nuri = \"sip:alice@{}\"\npassword = \"{password}\"\n\n[sip]\nlisten = \"127.0.0.1:0\"\n\n\
         [audio]\ninput = \"{input}\"\noutput = \"{output}\"\nring = \"null\"\ntones = \"be\"\n",
        exchange.address()
    ));
    terminal.run_phone((80, 24), "");
    terminal.shows("● alice");
    terminal.shows("registered");
    Some(terminal)
}

/// Another one's phone, registered: what it says is a tone of its own.
struct Other {
    phone: PhoneHandle,
    events: UnboundedReceiver<Event>,
    runtime: Runtime,
}

impl Other {
    fn start(exchange: &Exchange, name: &str, password: &str, auto_answer: AutoAnswer) -> Other {
        let base = Config {
            audio: Audio { input: "tone:700".into(), output: "null".into(), ring: "null".into(), ..Audio::default() },
            calls: Calls { auto_answer, transfers: TransferPolicy::Follow, ..Calls::default() },
            ..Config::default()
        };
        let config = offhook::cli::demo::config(base, exchange.address(), name, password);
        let mut phone = PhoneHandle::start(config).expect("a phone");
        let events = phone.events();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        let mut other = Other { phone, events, runtime };
        other.sees("registered", |kind| matches!(kind, Kind::Registered { .. }).then_some(()));
        other
    }

    fn does(&self, command: Command) {
        let answer = async { tokio::time::timeout(PATIENCE, self.phone.command(command)).await };
        self.runtime.block_on(answer).expect("an answer in time").expect("it is done");
    }

    /// The first event that `wanted` takes; those before it are passed over.
    fn sees<T>(&mut self, what: &str, mut wanted: impl FnMut(&Kind) -> Option<T>) -> T {
        let mut passed = Vec::new();
        let events = &mut self.events;
        let wait = async {
            while let Some(event) = events.recv().await {
                match wanted(&event.kind) {
                    Some(found) => return Some(found),
                    None => passed.push(event.kind),
                }
            }
            None
        };
        match self.runtime.block_on(async { tokio::time::timeout(PATIENCE, wait).await }) {
            Ok(Some(found)) => found,
            Ok(None) | Err(_) => panic!("not seen: {what}; but: {passed:?}"),
        }
    }

    /// Waits until it hears something.
    fn hears(&self) {
        let end = Instant::now() + PATIENCE;
        while self.phone.levels().output < AUDIBLE {
            assert!(Instant::now() < end, "it hears {} dBFS", self.phone.levels().output);
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}

/// The line of the big box of the call in front: its number and what it does.
fn front(screen: &str) -> &str {
    screen.lines().find(|line| line.contains("╭ #")).unwrap_or_default()
}

/// Waits until the call in front is this one and does that.
fn is_front(terminal: &Terminal, call: &str, state: &str) {
    let fits = |screen: &str| front(screen).contains(call) && front(screen).contains(state);
    terminal.wait(&format!("call {call} {state} in front"), fits);
}

/// Waits until the row of a call in the list says this.
fn row_says(terminal: &Terminal, call: &str, says: &str) {
    let fits =
        |screen: &str| screen.lines().any(|line| !line.starts_with('╭') && line.contains(call) && line.contains(says));
    terminal.wait(&format!("the row of {call} with '{says}'"), fits);
}

#[test]
fn call_hold_consult_and_hand_over() {
    let (exchange, password) = exchange();
    let Some(terminal) = alice(&exchange, &password, "tone:440", "null") else { return };
    let mut bob = Other::start(&exchange, "bob", &password, AutoAnswer::Always);
    let mut carol = Other::start(&exchange, "carol", &password, AutoAnswer::Always);

    terminal.press_shown("call");
    terminal.shows("Call ›");
    terminal.type_text("bob");
    terminal.press_shown("call");
    is_front(&terminal, "#1", "talking");
    bob.hears();

    terminal.press_shown("hold");
    is_front(&terminal, "#1", "held");
    bob.sees("it is held", |kind| matches!(kind, Kind::RemoteHeld { .. }).then_some(()));

    // While bob is held, carol is asked.
    terminal.press_shown("call");
    terminal.shows("Call ›");
    terminal.type_text("carol");
    terminal.press_shown("call");
    is_front(&terminal, "#2", "talking");
    carol.hears();
    row_says(&terminal, "#1", "held");

    // Back and forth.
    terminal.press_shown("swap");
    is_front(&terminal, "#1", "talking");
    row_says(&terminal, "#2", "held");
    bob.sees("it is taken back", |kind| matches!(kind, Kind::RemoteResumed { .. }).then_some(()));
    terminal.press_shown("swap");
    is_front(&terminal, "#2", "talking");

    // And they are left to each other.
    terminal.press_shown("hand over");
    let over = terminal.shows("No call");
    assert!(over.contains("transferred"), "what became of the calls:\n{over}");
    bob.sees("bob's new call", |kind| match kind {
        Kind::Established { call, .. } => (call.call != CallNo(1)).then_some(()),
        _ => None,
    });
    carol.sees("carol's is replaced", |kind| matches!(kind, Kind::Replaced { .. }).then_some(()));
    bob.hears();
    carol.hears();

    terminal.press_shown("quit");
    terminal.shows("ended with 0");
}

/// How loud the tone was that tells of a second call, in dBFS: that of Belgium, which no other sound here is near.
fn waiting_tone(recording: &Path) -> f32 {
    let mut sound = hound::WavReader::open(recording).expect("a recording");
    let rate = sound.spec().sample_rate;
    let samples: Vec<i16> = sound.samples::<i16>().map(|sample| sample.expect("a sample")).collect();
    let pieces = samples.chunks((rate / 10) as usize);
    pieces.map(|piece| goertzel::level(piece, 1400.0, rate)).fold(f32::NEG_INFINITY, f32::max)
}

#[test]
fn a_call_comes_while_another_is_up() {
    let (exchange, password) = exchange();
    let folder = tempfile::tempdir().expect("a folder");
    let heard = folder.path().join("heard.wav");
    let Some(terminal) = alice(&exchange, &password, "tone:440", &heard.display().to_string()) else { return };
    let mut carol = Other::start(&exchange, "carol", &password, AutoAnswer::Never);

    let mut bob = Other::start(&exchange, "bob", &password, AutoAnswer::Always);
    terminal.press_shown("call");
    terminal.type_text("bob");
    terminal.press(&["Enter"]);
    is_front(&terminal, "#1", "talking");

    // One key takes it, wherever she is: in the ladder, say.
    terminal.press_shown("SIP ladder");
    terminal.shows("INVITE");
    carol.does(Command::Call { account: None, target: "alice".into() });
    let banner = terminal.shows("Incoming call #2");
    assert!(banner.contains("answering holds #1"), "{banner}");
    carol.sees("it rings", |kind| matches!(kind, Kind::Ringing { .. }).then_some(()));
    terminal.press_shown("answer");
    carol.sees("it is answered", |kind| matches!(kind, Kind::Established { .. }).then_some(()));
    bob.sees("it is held", |kind| matches!(kind, Kind::RemoteHeld { .. }).then_some(()));
    terminal.wait("no pop-up", |screen| !screen.contains("Incoming call"));
    terminal.press(&["Escape"]);
    is_front(&terminal, "#2", "talking");
    row_says(&terminal, "#1", "held");
    carol.hears();

    // Carol hangs up: bob is in front, and taken back by the key that shows.
    carol.does(Command::HangupAll);
    is_front(&terminal, "#1", "held");
    terminal.press_shown("resume");
    is_front(&terminal, "#1", "talking");
    bob.sees("it is taken back", |kind| matches!(kind, Kind::RemoteResumed { .. }).then_some(()));

    // The next one is refused by one key, and the call goes on.
    carol.does(Command::Call { account: None, target: "alice".into() });
    terminal.shows("Incoming call #3");
    terminal.press_shown("busy");
    let code = carol.sees("its end", |kind| match kind {
        Kind::Ended { code, .. } => *code,
        _ => None,
    });
    assert_eq!(code, 486);
    is_front(&terminal, "#1", "talking");

    // Ctrl-C asks, and acts at the second time.
    terminal.press(&["C-c"]);
    terminal.shows("Quit?");
    terminal.press(&["C-c"]);
    terminal.shows("ended with 0");
    let told = waiting_tone(&heard);
    assert!(told > -30.0, "no tone told of the second call: {told} dBFS");
}
