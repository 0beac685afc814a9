//! Two phones on loopback call each other directly: no registrar, no sound card. Each waits for events with a deadline.

use std::time::Duration;

use offhook::config::{Audio, Calls, Config, Dtmf, Sip};
use offhook::media::processing::{Step, Switch};
use offhook::phone::command::{Command, PlayAs};
use offhook::phone::event::{Direction, Event, Kind};
use offhook::phone::snapshot::CallStage;
use offhook::phone::{PhoneHandle, Reply, TraceEntry};
use offhook::ua::CallNo;
use offhook::ua::config::{AutoAnswer, TransferPolicy};
use offhook::ua::event::{EndedBy, TransferStage};
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
    fn start(calls: Calls) -> Phone {
        Phone::with_sound(calls, "tone:440", "null")
    }

    fn with_sound(calls: Calls, input: &str, output: &str) -> Phone {
        let config = Config {
            sip: Sip { listen: "127.0.0.1:0".parse().unwrap(), listen_is_configured: true, ..Sip::default() },
            audio: Audio { input: input.into(), output: output.into(), ring: "null".into(), ..Audio::default() },
            calls,
            ..Config::default()
        };
        let mut handle = PhoneHandle::start(config).unwrap();
        let events = handle.events();
        Phone { handle, events }
    }

    fn address(&self) -> String {
        format!("sip:phone@{}", self.handle.listen())
    }

    async fn does(&self, command: Command) -> Reply {
        let said = format!("{command:?}");
        patiently(&said, self.handle.command(command)).await.unwrap_or_else(|refused| panic!("{said}: {refused}"))
    }

    async fn is_refused(&self, command: Command) -> String {
        let said = format!("{command:?}");
        patiently(&said, self.handle.command(command)).await.expect_err("it was not refused").message
    }

    async fn calls(&self, other: &Phone) -> CallNo {
        match self.does(Command::Call { account: None, target: other.address() }).await {
            Reply::Call(call) => call,
            other => panic!("{other:?}"),
        }
    }

    /// The first event that `wanted` takes; those before it are passed over.
    async fn sees<T>(&mut self, what: &str, mut wanted: impl FnMut(&Kind) -> Option<T>) -> T {
        let mut passed = Vec::new();
        let wait = async {
            while let Some(event) = self.events.recv().await {
                match wanted(&event.kind) {
                    Some(found) => return Some(found),
                    None => passed.push(event.kind),
                }
            }
            None
        };
        match tokio::time::timeout(PATIENCE, wait).await {
            Ok(Some(found)) => found,
            Ok(None) => panic!("the phone ended before: {what}; seen: {passed:?}"),
            Err(_) => panic!("not seen: {what}; but: {passed:?}"),
        }
    }

    /// The first event of this name.
    async fn sees_event(&mut self, name: &str) -> serde_json::Value {
        self.sees(name, |kind| {
            let value = serde_json::to_value(kind).unwrap();
            (value["event"] == name).then_some(value)
        })
        .await
    }

    /// The first event of this name that fits.
    async fn sees_fitting(&mut self, name: &str, fits: impl Fn(&serde_json::Value) -> bool) -> serde_json::Value {
        self.sees(name, |kind| {
            let value = serde_json::to_value(kind).unwrap();
            (value["event"] == name && fits(&value)).then_some(value)
        })
        .await
    }

    /// These calls are told so, in whatever order their answers came.
    async fn sees_both(&mut self, told: [(&str, CallNo); 2]) {
        let mut missing = told.to_vec();
        self.sees(&format!("{told:?}"), |kind| {
            let value = serde_json::to_value(kind).unwrap();
            missing.retain(|(event, call)| value["event"] != *event || value["call"] != call.0);
            missing.is_empty().then_some(())
        })
        .await;
    }

    /// These calls are held and established.
    async fn sees_held_and_established(&mut self, held: CallNo, established: CallNo) {
        self.sees_both([("held", held), ("established", established)]).await;
    }

    async fn stages(&self) -> Vec<(u32, CallStage, bool)> {
        match self.does(Command::State).await {
            Reply::State(state) => state.calls.iter().map(|call| (call.call.call.0, call.state, call.held)).collect(),
            other => panic!("{other:?}"),
        }
    }

    async fn quits(mut self) {
        self.does(Command::Quit).await;
        patiently("the end", async { while self.events.recv().await.is_some() {} }).await;
    }
}

fn answering() -> Calls {
    Calls { auto_answer: AutoAnswer::Always, direct_calls: Some(true), ..Calls::default() }
}

fn run(test: impl Future<Output = ()>) {
    let ends = async { tokio::time::timeout(LIMIT, test).await.expect("the test ends") };
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(ends);
}

#[test]
fn a_call_is_placed_rings_is_answered_talks_and_is_hung_up() {
    run(async {
        let (mut alice, mut bob) = (Phone::start(Calls::default()), Phone::start(Calls::default()));
        let call = alice.calls(&bob).await;
        let incoming = bob.sees_event("incoming").await;
        assert_eq!(incoming["call"], 1);
        assert_eq!(alice.sees_event("ringing").await["code"], 180);
        assert_eq!(bob.stages().await, [(1, CallStage::Ringing, false)]);

        bob.does(Command::Answer { call: None }).await;
        let established = alice.sees_event("established").await;
        assert_eq!(established["codec"], "opus");
        assert_eq!(established["srtp"], false);
        bob.sees_event("established").await;
        assert_eq!(alice.stages().await, [(call.0, CallStage::Established, false)]);

        // The first figures come after 5 s of sound; a machine that stands still sends less of it.
        for phone in [&mut alice, &mut bob] {
            phone.sees_fitting("stats", |stats| stats["received"].as_u64().unwrap() > 200).await;
        }

        bob.does(Command::Hangup { call: None }).await;
        let ended = alice
            .sees("ended", |kind| match kind {
                Kind::Ended { by, rtp, duration_s, .. } => Some((*by, *rtp, *duration_s)),
                _ => None,
            })
            .await;
        assert_eq!(ended.0, EndedBy::Remote);
        assert!(ended.1.sent > 200 && ended.1.received > 200, "{ended:?}");
        assert!(ended.2 > 4.0, "{ended:?}");
        assert_eq!(bob.sees_event("ended").await["by"], "local");
        assert_eq!(alice.stages().await, []);
        alice.quits().await;
        bob.quits().await;
    });
}

#[test]
fn a_call_is_refused_and_given_up() {
    run(async {
        let (mut alice, mut bob) = (Phone::start(Calls::default()), Phone::start(Calls::default()));
        alice.calls(&bob).await;
        bob.sees_event("incoming").await;
        bob.does(Command::Reject { call: None, code: None }).await;
        let ended = alice.sees_event("ended").await;
        assert_eq!((&ended["code"], &ended["by"]), (&486.into(), &"remote".into()));
        assert!(ended["advice"].is_string(), "{ended}");
        bob.sees_event("ended").await;

        alice.calls(&bob).await;
        bob.sees_event("incoming").await;
        alice.sees_event("ringing").await;
        alice.does(Command::Hangup { call: None }).await;
        assert_eq!(bob.sees_event("ended").await["by"], "remote");
        assert_eq!(alice.sees_event("ended").await["by"], "local");
        assert_eq!(bob.is_refused(Command::Answer { call: None }).await, "no call is ringing");
    });
}

#[test]
fn nobody_listens_at_a_dead_port_and_it_is_known_at_once() {
    run(async {
        let mut alice = Phone::start(Calls::default());
        let dead = std::net::UdpSocket::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        alice.does(Command::Call { account: None, target: format!("sip:x@{dead}") }).await;
        let ended = alice.sees_event("ended").await;
        assert_eq!((&ended["by"], &ended["code"]), (&"transport".into(), &503.into()), "{ended}");
    });
}

/// Levels in dBFS of a tone in each second of a sound file; a second begins every quarter of one.
fn levels(path: &std::path::Path, tone: f32) -> Vec<f32> {
    let clip = offhook::audio::wav::load(path).unwrap();
    let second = clip.rate as usize;
    let seconds = clip.samples.windows(second).step_by(second / 4);
    seconds.map(|piece| offhook::media::goertzel::level(piece, tone, clip.rate)).collect()
}

/// Section 2.8 of the draft: A, B and C talk; the sound is mixed by A, and C and B exchange nothing.
#[test]
fn draft_2_8_three_way_call() {
    run(async {
        let folder = tempfile::tempdir().unwrap();
        let file = |name: &str| folder.path().join(name);
        let path = |name: &str| file(name).to_str().unwrap().to_owned();
        let mut alice = Phone::with_sound(Calls::default(), "tone:1300", &path("alice.wav"));
        let mut bob = Phone::with_sound(answering(), "tone:440", &path("bob.wav"));
        let mut carol = Phone::with_sound(answering(), "tone:700", &path("carol.wav"));
        let first = alice.calls(&bob).await;
        alice.sees_event("established").await;
        let none = Command::Conference { calls: Vec::new() };
        assert_eq!(alice.is_refused(none.clone()).await, "no call is held");
        let second = alice.calls(&carol).await;
        alice.sees_held_and_established(first, second).await;

        alice.does(none).await;
        assert_eq!(alice.sees_event("conference").await["calls"], serde_json::json!([first.0, second.0]));
        assert_eq!(alice.sees_event("resumed").await["call"], first.0);
        assert_eq!(alice.stages().await.iter().filter(|(_, _, held)| *held).count(), 0);

        // The figures come every 5 s: so long they have talked.
        bob.sees_event("stats").await;
        bob.sees_event("stats").await;
        // The one in the middle drops: all drop.
        alice.does(Command::Hangup { call: None }).await;
        assert_eq!(bob.sees_event("ended").await["by"], "remote");
        assert_eq!(carol.sees_event("ended").await["by"], "remote");
        alice.sees_event("ended").await;
        alice.sees_event("ended").await;
        for phone in [alice, bob, carol] {
            phone.quits().await;
        }
        // Each hears both others at full level, and nobody himself.
        for (name, own, others) in [
            ("alice.wav", 1300.0, [440.0, 700.0]),
            ("bob.wav", 440.0, [700.0, 1300.0]),
            ("carol.wav", 700.0, [440.0, 1300.0]),
        ] {
            let [one, other] = others.map(|tone| levels(&file(name), tone));
            let both = one.iter().zip(&other).any(|(one, other)| *one > -25.0 && *other > -25.0);
            assert!(both, "{name}: {one:?} {other:?}");
            let echo = levels(&file(name), own);
            assert!(!echo.is_empty() && echo.iter().all(|level| *level < -50.0), "{name} hears himself: {echo:?}");
        }
    });
}

#[test]
fn one_of_a_conference_is_muted_or_held_alone_and_when_one_drops_the_rest_talks_on() {
    run(async {
        let mut alice = Phone::start(Calls::default());
        let (bob, mut carol, dave) = (Phone::start(answering()), Phone::start(answering()), Phone::start(answering()));
        let mut calls = Vec::new();
        for other in [&bob, &carol, &dave] {
            calls.push(alice.calls(other).await);
            alice.sees_event("established").await;
        }
        alice.does(Command::Conference { calls: calls.clone() }).await;
        let numbers: Vec<u32> = calls.iter().map(|call| call.0).collect();
        assert_eq!(alice.sees_event("conference").await["calls"], serde_json::json!(numbers));
        for _ in 0..2 {
            alice.sees_event("resumed").await;
        }
        alice.does(Command::Mute { call: Some(calls[0]) }).await;
        assert_eq!(alice.sees_event("member_muted").await["muted"], true);
        alice.does(Command::Hold { call: Some(calls[1]) }).await;
        carol.sees_event("remote_held").await;
        alice.sees_event("held").await;
        assert_eq!(alice.stages().await.iter().map(|(_, _, held)| *held).collect::<Vec<_>>(), [false, true, false]);
        // Taken back beside the others.
        alice.does(Command::Resume { call: Some(calls[1]) }).await;
        carol.sees_event("remote_resumed").await;
        alice.sees_event("resumed").await;
        assert!(alice.stages().await.iter().all(|(_, _, held)| !held));

        // A call from outside holds all of them, and swapping brings all of them back.
        let mut erin = Phone::start(Calls::default());
        let erins = erin.calls(&alice).await;
        alice.sees_event("incoming").await;
        alice.does(Command::Answer { call: None }).await;
        for _ in 0..3 {
            alice.sees_event("held").await;
        }
        erin.sees_event("established").await;
        alice.does(Command::Swap).await;
        for _ in 0..4 {
            alice
                .sees("held or resumed", |kind| matches!(kind, Kind::Held { .. } | Kind::Resumed { .. }).then_some(()))
                .await;
        }
        assert_eq!(
            alice.stages().await.iter().map(|(_, _, held)| *held).collect::<Vec<_>>(),
            [false, false, false, true]
        );
        erin.does(Command::Hangup { call: Some(erins) }).await;
        alice.sees_event("ended").await;

        bob.does(Command::Hangup { call: None }).await;
        assert_eq!(
            alice.sees_event("conference").await["calls"],
            serde_json::json!(&numbers[1..]),
            "of who left: none"
        );
        alice.does(Command::Split).await;
        carol.sees_event("remote_held").await;
        assert_eq!(alice.is_refused(Command::Split).await, "there is no conference");
        dave.does(Command::Hangup { call: None }).await;
        alice.sees_event("ended").await;
        alice.quits().await;
        carol.sees_event("ended").await;
    });
}

#[test]
fn hold_resume_and_swap_between_two_calls() {
    run(async {
        let mut alice = Phone::start(Calls::default());
        let (mut bob, mut carol) = (Phone::start(answering()), Phone::start(answering()));
        let first = alice.calls(&bob).await;
        alice.sees_event("established").await;
        let second = alice.calls(&carol).await;
        alice.sees_held_and_established(first, second).await;
        bob.sees_event("remote_held").await;

        alice.does(Command::Swap).await;
        carol.sees_event("remote_held").await;
        bob.sees_event("remote_resumed").await;
        alice.sees_both([("held", second), ("resumed", first)]).await;
        let held: Vec<bool> = alice.stages().await.iter().map(|(_, _, held)| *held).collect();
        assert_eq!(held, [false, true]);

        // Without a number the active call is meant: the first.
        alice.does(Command::Hangup { call: None }).await;
        assert_eq!(bob.sees_event("ended").await["by"], "remote");
        assert_eq!(alice.sees_event("ended").await["call"], first.0);
        alice.does(Command::Resume { call: None }).await;
        carol.sees_event("remote_resumed").await;
        alice.quits().await;
        assert_eq!(carol.sees_event("ended").await["by"], "remote");
    });
}

#[test]
fn a_blind_transfer_asked_and_accepted() {
    run(async {
        let mut alice = Phone::start(Calls::default());
        let mut bob = Phone::start(Calls { transfers: TransferPolicy::Ask, ..answering() });
        let mut carol = Phone::start(answering());
        alice.calls(&bob).await;
        alice.sees_event("established").await;
        bob.sees_event("established").await;

        alice.does(Command::Transfer { call: None, target: carol.address() }).await;
        let request = bob.sees_event("transfer_request").await;
        assert_eq!(request["to"], carol.address());
        bob.does(Command::AcceptTransfer { call: None }).await;
        carol.sees_event("established").await;
        let accepted = |kind: &Kind| match kind {
            Kind::Transfer { stage: TransferStage::Accepted, code, .. } => Some(*code),
            _ => None,
        };
        assert_eq!(alice.sees("the transfer accepted", accepted).await, Some(200));
        alice.sees_event("ended").await;
        bob.sees_event("ended").await;
        assert_eq!(bob.stages().await, [(2, CallStage::Established, false)]);
    });
}

#[test]
fn digits_arrive_by_telephone_event_and_by_info() {
    run(async {
        for dtmf in [Dtmf::Auto, Dtmf::Info] {
            let mut alice = Phone::start(Calls { dtmf, ..Calls::default() });
            let mut bob = Phone::start(answering());
            alice.calls(&bob).await;
            alice.sees_event("established").await;
            alice.does(Command::Dtmf { call: None, digits: "15#".into() }).await;
            for wanted in ['1', '5', '#'] {
                let digit = |way: Direction| {
                    move |kind: &Kind| match kind {
                        Kind::Dtmf { digit, direction, .. } if *direction == way => Some(*digit),
                        _ => None,
                    }
                };
                assert_eq!(alice.sees("a digit sent", digit(Direction::Sent)).await, wanted);
                assert_eq!(bob.sees("a digit received", digit(Direction::Received)).await, wanted);
            }
        }
    });
}

#[test]
fn a_call_is_recorded_and_played_into_and_the_voice_is_switched() {
    run(async {
        let folder = tempfile::tempdir().unwrap();
        let (mut alice, mut bob) = (Phone::start(Calls::default()), Phone::start(answering()));
        let call = alice.calls(&bob).await;
        alice.sees_event("established").await;
        bob.sees_event("established").await;

        let none = Command::StopRecording { call: None };
        assert_eq!(alice.is_refused(none.clone()).await, format!("call {call} is not being recorded"));
        assert_eq!(alice.is_refused(Command::StopPlaying { call: None }).await, "nothing is being played");
        assert!(alice.is_refused(Command::Record { call: None, path: None }).await.contains("into which file"));

        let path = folder.path().join("talk.ogg");
        alice.does(Command::Record { call: None, path: Some(path.clone()) }).await;
        assert_eq!(alice.sees_event("recording").await["file"], path.display().to_string());
        match alice.does(Command::State).await {
            Reply::State(state) => {
                assert_eq!(state.calls[0].recording, Some(path.display().to_string()));
                assert_eq!(state.calls[0].playing, None);
            }
            other => panic!("{other:?}"),
        }
        // A file that is not there: told, and the call goes on.
        let missing = folder.path().join("none.wav");
        alice.does(Command::Play { call: None, path: missing.clone(), how: PlayAs::Mixed }).await;
        assert_eq!(alice.sees_event("playing").await["file"], missing.display().to_string());
        assert!(alice.sees_event("error").await["message"].as_str().unwrap().contains("none.wav"));
        assert_eq!(alice.sees_event("playing").await["file"], serde_json::Value::Null);

        alice.does(Command::Audio { step: Step::Echo, switch: Switch::Off }).await;
        assert_eq!(alice.sees_event("audio").await["echo"], "off");
        // Again: nothing changes, nothing is told.
        alice.does(Command::Audio { step: Step::Echo, switch: Switch::Off }).await;
        alice.does(none).await;
        assert_eq!(alice.sees_event("recording").await["file"], serde_json::Value::Null);
        alice.does(Command::Hangup { call: None }).await;
        alice.quits().await;
        bob.quits().await;
        assert!(std::fs::read(&path).unwrap().starts_with(b"OggS"));
    });
}

#[test]
fn a_refused_command_says_why_and_changes_nothing() {
    run(async {
        let alice = Phone::start(Calls::default());
        for (command, words) in [
            (Command::Hangup { call: None }, "there is no call"),
            (Command::Hold { call: Some(CallNo(7)) }, "there is no call #7"),
            (Command::Resume { call: None }, "no call is held"),
            (Command::Call { account: None, target: "600".into() }, "write sip:600@HOST"),
            (Command::Call { account: Some("work".into()), target: "600".into() }, "no account 'work'"),
            (Command::Register { account: None }, "no account is configured"),
            (Command::AcceptTransfer { call: None }, "no call is asked to be transferred"),
        ] {
            let said = format!("{command:?}");
            let message = alice.is_refused(command).await;
            assert!(message.contains(words), "{said}: {message}");
        }
        assert_eq!(alice.stages().await, []);
    });
}

#[test]
fn the_trace_shows_the_ladder() {
    run(async {
        let mut alice = Phone::start(Calls::default());
        let bob = Phone::start(answering());
        let mut trace = alice.handle.trace();
        alice.calls(&bob).await;
        alice.sees_event("established").await;
        let mut ladder: Vec<TraceEntry> = Vec::new();
        while !ladder.iter().any(|entry| entry.summary.starts_with("ACK")) {
            let next = tokio::time::timeout(PATIENCE, trace.recv()).await.expect("no ACK in the trace");
            ladder.push(next.unwrap());
        }
        let lines: Vec<(bool, &str)> = ladder.iter().map(|entry| (entry.sent, &entry.summary[..3])).collect();
        assert_eq!(lines.first(), Some(&(true, "INV")));
        assert!(lines.contains(&(false, "SIP")) && lines.last() == Some(&(true, "ACK")), "{lines:?}");
        assert!(ladder.iter().all(|entry| entry.call_id == ladder[0].call_id));
    });
}

#[test]
fn dropping_a_phone_hangs_up() {
    run(async {
        let mut alice = Phone::start(Calls::default());
        let mut bob = Phone::start(answering());
        alice.calls(&bob).await;
        alice.sees_event("established").await;
        bob.sees_event("established").await;
        patiently("the drop", tokio::task::spawn_blocking(move || drop(alice))).await.unwrap();
        assert_eq!(bob.sees_event("ended").await["by"], "remote");
    });
}

#[test]
fn a_call_by_tcp_is_hung_up_by_its_callee() {
    run(async {
        let mut alice = Phone::start(Calls::default());
        let mut bob = Phone::start(Calls::default());
        let target = format!("{};transport=tcp", bob.address());
        alice.does(Command::Call { account: None, target }).await;
        bob.sees_event("incoming").await;
        bob.does(Command::Answer { call: None }).await;
        alice.sees_event("established").await;
        bob.sees_event("established").await;
        // Its BYE goes to the caller's Contact, by TCP too.
        bob.does(Command::Hangup { call: None }).await;
        alice.sees_event("ended").await;
        bob.sees_event("ended").await;
    });
}
