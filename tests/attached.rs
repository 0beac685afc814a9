//! A phone that is served at a socket: UIs come and go, several at a time, and calls live on.

mod terminal;

use std::path::Path;
use std::time::Duration;

use offhook::config::{Audio, Calls, Config, Sip};
use offhook::phone::event::{Event, Kind};
use offhook::phone::snapshot::{CallStage, Snapshot};
use offhook::phone::{Command, Phone as _, PhoneHandle, Reply};
use offhook::remote::{ConnectError, Ended, Remote, Server};
use offhook::ua::CallNo;
use offhook::ua::config::AutoAnswer;
use terminal::{PHONE, Terminal};
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};
use tokio::task::JoinHandle;

/// Whatever is waited for takes milliseconds; a machine that is busy may take longer.
const PATIENCE: Duration = Duration::from_secs(30);
/// However a test goes wrong, it ends.
const LIMIT: Duration = Duration::from_secs(300);

fn config() -> Config {
    Config {
        sip: Sip { listen: "127.0.0.1:0".parse().unwrap(), listen_is_configured: true, ..Sip::default() },
        audio: Audio { input: "tone:440".into(), output: "null".into(), ring: "null".into(), ..Audio::default() },
        calls: Calls { auto_answer: AutoAnswer::Always, direct_calls: Some(true), ..Calls::default() },
        ..Config::default()
    }
}

/// A phone served at a socket.
struct Served {
    // The phone lives as long as this.
    _phone: PhoneHandle,
    own: UnboundedReceiver<Event>,
    task: JoinHandle<Ended>,
}

fn serve(path: &Path) -> Served {
    let server = Server::bind(path).unwrap();
    let mut phone = PhoneHandle::start_traced(config()).unwrap();
    let (events, trace, listen) = (phone.events(), phone.trace(), phone.listen().to_string());
    let (sender, own) = unbounded_channel();
    let task = tokio::spawn(server.serve(phone.commander(), listen, events, trace, sender));
    Served { _phone: phone, own, task }
}

async fn sees(events: &mut UnboundedReceiver<Event>, wanted: impl Fn(&Kind) -> bool) {
    let wait = async {
        while let Some(event) = events.recv().await {
            if wanted(&event.kind) {
                return;
            }
        }
        panic!("the events ended");
    };
    tokio::time::timeout(PATIENCE, wait).await.expect("an event");
}

async fn state(phone: &Remote) -> Snapshot {
    match phone.command(Command::State).await.unwrap() {
        Reply::State(state) => *state,
        other => panic!("{other:?}"),
    }
}

fn run(test: impl Future<Output = ()>) {
    let ends = async { tokio::time::timeout(LIMIT, test).await.expect("the test ends") };
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(ends);
}

#[test]
fn a_call_lives_on_when_its_ui_goes_away_and_everybody_sees_it() {
    run(async {
        let folder = tempfile::tempdir().unwrap();
        let (here, there) = (folder.path().join("here.sock"), folder.path().join("there.sock"));
        let (mut served, _other) = (serve(&here), serve(&there));
        let target = format!("sip:bob@{}", Remote::connect(&there).await.unwrap().listen());

        let mut first = Remote::connect(&here).await.unwrap();
        let mut second = Remote::connect(&here).await.unwrap();
        let (mut first_sees, mut second_sees) = (first.events(), second.events());
        let reply = first.command(Command::Call { account: None, target }).await.unwrap();
        assert_eq!(reply, Reply::Call(CallNo(1)));
        let established = |kind: &Kind| matches!(kind, Kind::Established { .. });
        sees(&mut first_sees, established).await;
        sees(&mut second_sees, established).await;
        sees(&mut served.own, established).await;

        drop((first, first_sees, second, second_sees));
        let mut third = Remote::connect(&here).await.unwrap();
        let calls = state(&third).await.calls;
        assert_eq!(calls.iter().map(|call| call.state).collect::<Vec<_>>(), [CallStage::Established]);
        // What was said before it came is in its ladder.
        let entry = tokio::time::timeout(PATIENCE, third.trace().recv()).await.unwrap().unwrap();
        assert!(entry.summary.starts_with("INVITE sip:bob@"), "{}", entry.summary);
        // The sound goes on: its level comes over the socket.
        let loud = async {
            while third.levels().input < -40.0 {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        };
        tokio::time::timeout(PATIENCE, loud).await.expect("a level");

        let refused = third.command(Command::Answer { call: None }).await.unwrap_err();
        assert!(!refused.message.is_empty());
        let mut events = third.events();
        third.command(Command::Quit).await.unwrap();
        sees(&mut events, |kind| matches!(kind, Kind::Ended { .. })).await;
        assert_eq!(tokio::time::timeout(PATIENCE, served.task).await.unwrap().unwrap(), Ended::Asked);
        assert!(!here.exists(), "the socket goes with the phone");
        // Whether this side has noticed yet, or has for certain: its events have ended.
        for _ in 0..2 {
            let gone = tokio::time::timeout(PATIENCE, third.command(Command::State)).await.expect("an answer");
            assert_eq!(gone.unwrap_err().message, "the phone has gone");
            let ended = async { while events.recv().await.is_some() {} };
            tokio::time::timeout(PATIENCE, ended).await.expect("an end of the events");
        }
        assert!(matches!(Remote::connect(&here).await, Err(ConnectError::Nobody { .. })));
    });
}

#[test]
fn who_writes_rubbish_or_reads_nothing_is_let_go_and_the_others_stay() {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    run(async {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("phone.sock");
        let _served = serve(&path);
        let good = Remote::connect(&path).await.unwrap();
        for rubbish in [&b"hello\n"[..], b"{\"command\":{\"id\":1,\"command\":\"fly\"}}\n", &[b'x'; 100_000]] {
            let mut stream = tokio::net::UnixStream::connect(&path).await.unwrap();
            // It may be let go before all is written.
            let _ = stream.write_all(rubbish).await;
            let mut said = Vec::new();
            // Until it hangs up.
            let read = tokio::time::timeout(PATIENCE, stream.read_to_end(&mut said)).await.expect("it is let go");
            assert!(read.is_ok() || !said.is_empty());
        }
        // It asks and asks, and never reads an answer.
        let mut deaf = tokio::net::UnixStream::connect(&path).await.unwrap();
        let asks = "\"levels\"\n".repeat(1000);
        let let_go = async { while deaf.write_all(asks.as_bytes()).await.is_ok() {} };
        tokio::time::timeout(PATIENCE * 3, let_go).await.expect("it is let go");
        assert!(state(&good).await.calls.is_empty());
    });
}

#[test]
fn the_ui_is_left_and_opened_again_with_the_call_up() {
    let Some(terminal) = Terminal::new() else { return };
    let mut other = PhoneHandle::start(config()).unwrap();
    let _events = other.events();
    let target = format!("sip:bob@{}", other.listen());
    let quiet = "--listen 127.0.0.1:0 --input null --output null";
    terminal.run(&format!(
        "'{PHONE}' run --socket {quiet} </dev/null >/dev/null & \
         until '{PHONE}' attach </dev/null; do :; done; \
         for time in 1 2 3; do '{PHONE}' attach; echo \"left $time with $?\"; read line; done; wait; echo \"all over\"; exec cat"
    ));
    terminal.shows("No call");
    terminal.type_text(":call ");
    terminal.type_text(&target);
    terminal.press(&["Enter"]);
    terminal.shows("talking");
    terminal.press(&["q"]);
    terminal.shows("left 1 with 0");
    terminal.press(&["Enter"]);
    // The call has gone on, and its ladder is there.
    terminal.shows("talking");
    terminal.press(&["i"]);
    terminal.shows("INVITE");
    terminal.press(&["Escape"]);
    // A key right behind Esc would be one with Alt.
    terminal.wait("no ladder", |screen| !screen.contains("INVITE"));
    // Ctrl-C leaves as well.
    terminal.press(&["C-c"]);
    terminal.shows("left 2 with 0");
    terminal.press(&["Enter"]);
    terminal.shows("talking");
    // The phone itself is ended by its word, after a question.
    terminal.type_text(":quit");
    terminal.press(&["Enter"]);
    terminal.shows("Quit?");
    terminal.press(&["y"]);
    terminal.shows("left 3 with 0");
    terminal.press(&["Enter"]);
    terminal.shows("all over");
}
