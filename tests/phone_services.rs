//! The services of whole phones on loopback: what is switched on, refused, sent elsewhere and remembered over a restart.

use std::path::Path;
use std::time::Duration;

use offhook::config::{Audio, Calls, Config, Files, Sip};
use offhook::phone::command::{Command, ForwardChange};
use offhook::phone::event::Event;
use offhook::phone::keeping::journal::Journal;
use offhook::phone::snapshot::Snapshot;
use offhook::phone::{PhoneHandle, Reply};
use offhook::services::forwarding::When;
use offhook::services::history::Outcome;
use offhook::services::screening::{Action, Rule};
use offhook::ua::config::{AutoAnswer, TransferPolicy};
use serde_json::Value;
use tokio::sync::mpsc::UnboundedReceiver;

/// Whatever is waited for takes milliseconds; a machine that is busy may take longer.
const PATIENCE: Duration = Duration::from_secs(30);
/// However a test goes wrong, it ends.
const LIMIT: Duration = Duration::from_secs(300);

struct Phone {
    handle: PhoneHandle,
    events: UnboundedReceiver<Event>,
}

fn config(calls: Calls) -> Config {
    Config {
        sip: Sip { listen: "127.0.0.1:0".parse().unwrap(), listen_is_configured: true, ..Sip::default() },
        audio: Audio { input: "tone:440".into(), output: "null".into(), ring: "null".into(), ..Audio::default() },
        calls,
        ..Config::default()
    }
}

fn kept_in(folder: &Path, config: Config) -> Config {
    let files = Files {
        recordings: None,
        history: Some(folder.join("history.jsonl")),
        switches: Some(folder.join("switches.json")),
        contacts: Some(folder.join("contacts.toml")),
    };
    Config { files, ..config }
}

/// Waits for something, at most [`PATIENCE`].
async fn patiently<T>(what: &str, wait: impl Future<Output = T>) -> T {
    tokio::time::timeout(PATIENCE, wait).await.unwrap_or_else(|_| panic!("not in time: {what}"))
}

/// Waits until that is so of a file: what a phone keeps is written beside its work, and a disk may be slow.
async fn is_kept(path: &Path, fits: impl Fn(&Path) -> bool) {
    let kept = async {
        while !fits(path) {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    patiently(&format!("what is to be in {}", path.display()), kept).await;
}

/// Whether this is in a file.
fn has(text: &str) -> impl Fn(&Path) -> bool {
    move |path| std::fs::read_to_string(path).is_ok_and(|there| there.contains(text))
}

/// How the calls ended that are in a history.
fn results(path: &Path) -> Vec<Outcome> {
    Journal::peek(path).unwrap().entries().map(|entry| entry.result).collect()
}

impl Phone {
    fn start(config: Config) -> Phone {
        let mut handle = PhoneHandle::start(config).unwrap();
        let events = handle.events();
        Phone { handle, events }
    }

    fn address(&self) -> String {
        format!("sip:phone@{}", self.handle.listen())
    }

    async fn does(&self, line: &str) -> Reply {
        let command: Command = line.parse().unwrap();
        let reply = patiently(line, self.handle.command(command)).await;
        reply.unwrap_or_else(|refused| panic!("{line}: {refused}"))
    }

    async fn is_refused(&self, line: &str) -> String {
        let reply = patiently(line, self.handle.command(line.parse().unwrap())).await;
        reply.expect_err("it was not refused").message
    }

    /// The first event of this name; those before it are passed over.
    async fn sees(&mut self, name: &str) -> Value {
        let mut passed = Vec::new();
        let wait = async {
            while let Some(event) = self.events.recv().await {
                let value = serde_json::to_value(&event).unwrap();
                if value["event"] == name {
                    return value;
                }
                passed.push(value["event"].to_string());
            }
            panic!("the phone ended before: {name}");
        };
        match tokio::time::timeout(PATIENCE, wait).await {
            Ok(value) => value,
            Err(_) => panic!("not seen: {name}; but: {passed:?}"),
        }
    }

    /// The names of what was told until now.
    fn told(&mut self) -> Vec<String> {
        let mut names = Vec::new();
        while let Ok(event) = self.events.try_recv() {
            names.push(serde_json::to_value(&event).unwrap()["event"].as_str().unwrap().to_owned());
        }
        names
    }

    async fn state(&self) -> Snapshot {
        match self.does("state").await {
            Reply::State(state) => *state,
            other => panic!("{other:?}"),
        }
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

fn following() -> Config {
    config(Calls { redirects: TransferPolicy::Follow, ..Calls::default() })
}

fn answering() -> Config {
    config(Calls { auto_answer: AutoAnswer::Always, ..Calls::default() })
}

#[test]
fn s2_5_all_calls_are_forwarded_over_a_restart_until_it_is_switched_off() {
    run(async {
        let folder = tempfile::tempdir().unwrap();
        let (mut alice, mut carol) = (Phone::start(following()), Phone::start(answering()));
        let bob = Phone::start(kept_in(folder.path(), config(Calls::default())));
        bob.does(&format!("forward always {}", carol.address())).await;
        bob.quits().await;
        is_kept(&folder.path().join("switches.json"), has(&carol.address())).await;

        let mut bob = Phone::start(kept_in(folder.path(), config(Calls::default())));
        let state = bob.state().await;
        assert_eq!((state.forwarding.len(), state.forwarding[0].when), (1, When::Always));
        alice.does(&format!("call {}", bob.address())).await;
        let diverted = bob.sees("diverted").await;
        assert_eq!((&diverted["to"], &diverted["when"]), (&carol.address().into(), &"always".into()));
        carol.sees("established").await;
        alice.sees("established").await;
        assert!(!bob.told().contains(&"incoming".to_owned()), "nothing rings");
        alice.does("hangup").await;

        bob.does("forward off").await;
        let off = bob.sees("forwarding").await;
        assert_eq!((&off["when"], &off["to"]), (&"always".into(), &Value::Null));
        alice.does(&format!("call {}", bob.address())).await;
        bob.sees("incoming").await;
        bob.quits().await;
        let path = folder.path().join("history.jsonl");
        is_kept(&path, |path| results(path).len() == 2).await;
        assert_eq!(results(&path), [Outcome::Diverted, Outcome::Refused]);
        let history = Journal::peek(&path).unwrap();
        let first = history.entries().next().unwrap();
        assert_eq!(first.to.as_deref(), Some(carol.address().as_str()));
    });
}

#[test]
fn what_another_program_switches_is_taken_over_while_the_phone_runs() {
    run(async {
        let folder = tempfile::tempdir().unwrap();
        let mut bob = Phone::start(kept_in(folder.path(), config(Calls::default())));
        let mut carol = Phone::start(config(Calls::default()));
        bob.does("dnd on").await;
        assert_eq!(bob.sees("dnd").await["on"], true);
        let kept = folder.path().join("switches.json");
        // What the phone itself keeps would come after what is written here.
        is_kept(&kept, has("dnd")).await;
        let text = format!(
            "{{\"forwarding\": [{{\"account\": null, \"when\": \"always\", \"to\": \"{}\", \"seconds\": null}}], \"dnd\": []}}",
            carol.address()
        );
        offhook::phone::keeping::files::replace(&kept, &text).unwrap();
        let on = bob.sees("forwarding").await;
        assert_eq!((&on["when"], &on["to"]), (&"always".into(), &carol.address().into()));
        assert_eq!(bob.sees("dnd").await["on"], false);
        // What can't be read changes nothing; and a call is looked at by what stands in the file then.
        std::fs::write(&kept, "{").unwrap();
        let alice = Phone::start(following());
        alice.does(&format!("call {}", bob.address())).await;
        bob.sees("diverted").await;
        carol.sees("incoming").await;
        offhook::phone::keeping::files::replace(&kept, "").unwrap();
        alice.does("hangup").await;
        alice.does(&format!("call {}", bob.address())).await;
        assert_eq!(bob.sees("forwarding").await["to"], Value::Null);
        bob.sees("incoming").await;
    });
}

#[test]
fn s2_6_a_second_call_is_forwarded_while_the_first_is_up() {
    run(async {
        let (mut alice, mut dave) = (Phone::start(following()), Phone::start(following()));
        let mut bob = Phone::start(answering());
        let mut carol = Phone::start(answering());
        bob.does(&format!("forward busy {}", carol.address())).await;
        alice.does(&format!("call {}", bob.address())).await;
        bob.sees("established").await;
        dave.does(&format!("call {}", bob.address())).await;
        assert_eq!(bob.sees("diverted").await["when"], "busy");
        carol.sees("established").await;
        dave.sees("established").await;
        alice.sees("established").await;
    });
}

#[test]
fn s2_7_a_call_that_nobody_answers_is_forwarded() {
    run(async {
        let (mut alice, mut bob) = (Phone::start(following()), Phone::start(config(Calls::default())));
        let mut carol = Phone::start(answering());
        bob.does(&format!("forward no-answer {} 1", carol.address())).await;
        alice.does(&format!("call {}", bob.address())).await;
        bob.sees("incoming").await;
        alice.sees("ringing").await;
        assert_eq!(bob.sees("diverted").await["when"], "no_answer");
        assert_eq!(bob.sees("ended").await["code"], 302);
        carol.sees("established").await;
        alice.sees("established").await;
    });
}

#[test]
fn forwarding_to_nobody_or_to_forbidden_numbers_is_refused_and_changes_nothing() {
    run(async {
        let rule = Rule::new(
            "premium",
            offhook::services::screening::Calls::Outgoing,
            None,
            Action::Refuse(403),
            &["0900*".to_owned()],
        );
        let phone = Phone::start(Config { screening: vec![rule.unwrap()], ..config(Calls::default()) });
        for (target, expected) in [
            ("600", "has no domain"),
            ("sip:112@pbx", "emergency"),
            ("sip:0900-1@pbx", "rule 'premium'"),
            ("mailto:x@y", "only sip:"),
        ] {
            let message = phone.is_refused(&format!("forward always {target}")).await;
            assert!(message.contains(expected), "{target}: {message}");
        }
        assert!(phone.state().await.forwarding.is_empty());
        assert!(phone.is_refused("call sip:0900-1@127.0.0.1").await.contains("rule 'premium'"));
        assert!(phone.is_refused("forward @work off").await.contains("no account"));
    });
}

#[test]
fn nobody_disturbs_and_what_was_refused_is_in_the_history() {
    run(async {
        let (mut alice, mut bob) =
            (Phone::start(config(Calls::default())), Phone::start(config(Calls { dnd: 486, ..Calls::default() })));
        bob.does("dnd on").await;
        assert_eq!(bob.state().await.dnd, [None]);
        alice.does(&format!("call {}", bob.address())).await;
        assert_eq!(alice.sees("ended").await["code"], 486);
        let screened = bob.sees("screened").await;
        assert_eq!((&screened["rule"], &screened["code"]), (&"do not disturb".into(), &486.into()));
        bob.does("history").await;
        let history = bob.sees("history").await;
        assert_eq!(history["calls"][0]["result"], "screened");
        bob.does("dnd off").await;
        alice.does("redial").await;
        bob.sees("incoming").await;
    });
}

#[test]
fn s2_11_a_caller_in_silence_hears_it_ring_and_nobody_here_does() {
    run(async {
        let incoming = offhook::services::screening::Calls::Incoming;
        let rule = Rule::new("bores", incoming, None, Action::Silence, &["anonymous".to_owned()]).unwrap();
        let calls = Calls { ring_timeout: 1, ..Calls::default() };
        let mut bob = Phone::start(Config { screening: vec![rule], ..config(calls) });
        let mut alice = Phone::start(config(Calls::default()));
        alice.does(&format!("call {}", bob.address())).await;
        // A phone without an account does not say who it is.
        assert_eq!(alice.sees("ringing").await["code"], 180);
        let screened = bob.sees("screened").await;
        assert_eq!((&screened["rule"], &screened["code"]), (&"bores".into(), &Value::Null));
        assert!(bob.state().await.calls.is_empty());
        assert_eq!(alice.sees("ended").await["code"], 480);
        assert!(!bob.told().contains(&"incoming".to_owned()), "nothing rings");
    });
}

#[test]
fn missed_calls_are_counted_over_a_restart_until_they_are_seen_and_can_be_called_back() {
    run(async {
        let folder = tempfile::tempdir().unwrap();
        let mut alice = Phone::start(config(Calls::default()));
        let mut bob = Phone::start(kept_in(folder.path(), config(Calls::default())));
        alice.does(&format!("call {}", bob.address())).await;
        bob.sees("incoming").await;
        alice.sees("ringing").await;
        alice.does("hangup").await;
        assert_eq!(bob.sees("missed").await["count"], 1);
        bob.quits().await;
        let path = folder.path().join("history.jsonl");
        let missed = |path: &Path| Journal::peek(path).unwrap().missed();
        is_kept(&path, |path| missed(path) == 1).await;

        let mut bob = Phone::start(kept_in(folder.path(), config(Calls::default())));
        assert_eq!(bob.state().await.missed, 1);
        bob.does("history 5").await;
        assert_eq!(bob.sees("history").await["calls"][0]["result"], "missed");
        assert_eq!(bob.sees("missed").await["count"], 0);
        bob.quits().await;
        is_kept(&path, |path| missed(path) == 0).await;
    });
}

#[test]
fn a_busy_number_is_called_again_until_it_is_free() {
    run(async {
        // So often that he is not given up before he is free, however slow the machine.
        let calls = Calls { redial_every: 1, redial_busy: true, redial_times: 100, ..Calls::default() };
        let mut alice = Phone::start(config(calls));
        let mut bob = Phone::start(config(Calls { dnd: 486, ..Calls::default() }));
        bob.does("dnd on").await;
        alice.does(&format!("call {}", bob.address())).await;
        let redial = alice.sees("redial").await;
        assert_eq!((&redial["left"], &redial["seconds"]), (&100.into(), &1.into()));
        assert_eq!(alice.sees("redial").await["left"], 99);
        bob.does("dnd off").await;
        bob.sees("incoming").await;
        // Further ones may have gone to him before he was free; then there is nothing left to be called again.
        while alice.sees("redial").await["seconds"] != Value::Null {}
        assert!(!alice.told().contains(&"redial".to_owned()), "it is over");
        alice.does("hangup").await;
        bob.sees("ended").await;
        assert!(alice.is_refused("callback").await.contains("nobody has called"));
        assert!(alice.is_refused("park").await.contains("no call"));
    });
}

#[test]
fn people_are_called_by_name_and_known_when_they_call() {
    run(async {
        let folder = tempfile::tempdir().unwrap();
        let mut bob = Phone::start(config(Calls::default()));
        let text = format!("[[contact]]\nname = \"Bob Miller\"\nnick = \"bob\"\naddresses = [\"{}\"]\n", bob.address());
        std::fs::write(folder.path().join("contacts.toml"), text).unwrap();
        let mut alice = Phone::start(kept_in(folder.path(), config(Calls::default())));
        alice.does("call BOB").await;
        bob.sees("incoming").await;
        bob.does("reject").await;
        alice.sees("ended").await;
        alice.does("history").await;
        assert_eq!(alice.sees("history").await["calls"][0]["name"], "Bob Miller");
        let people = patiently("people", alice.handle.command(Command::People)).await;
        let Ok(Reply::People(people)) = people else { panic!("no people") };
        assert_eq!(people.contacts[0].nick.as_deref(), Some("bob"));
        assert_eq!(people.calls[0].name.as_deref(), Some("Bob Miller"));
        let change = ForwardChange::To { when: When::Always, target: "bob".into(), seconds: None };
        patiently("forward", alice.handle.command(Command::Forward { account: None, change })).await.unwrap();
        assert_eq!(alice.state().await.forwarding[0].to, bob.address());
    });
}

#[test]
fn settings_change_while_the_phone_runs() {
    run(async {
        let (mut alice, mut bob) = (Phone::start(config(Calls::default())), Phone::start(config(Calls::default())));
        // Bob answers by himself from now on, and takes one codec only.
        bob.does("set calls.auto_answer true").await;
        bob.does("set audio.codecs PCMA, G722").await;
        alice.does("set audio.codecs PCMU, PCMA").await;
        alice.does(&format!("call {}", bob.address())).await;
        assert_eq!(alice.sees("established").await["codec"], "PCMA");
        // What a call agreed on stays.
        bob.does("set audio.codecs PCMU").await;
        bob.does("set calls.max_calls 1").await;
        let mut carol = Phone::start(config(Calls::default()));
        carol.does(&format!("call {}", bob.address())).await;
        assert_eq!(carol.sees("ended").await["code"], 486);
        assert_eq!(bob.state().await.calls.len(), 1);
        alice.does("hangup").await;
        bob.sees("ended").await;
        bob.does("set audio.ring null").await;
        assert_eq!(bob.state().await.devices.ring, "null");
        // What is none is refused and changes nothing; what only a start takes over says so.
        let refused = bob.is_refused("set calls.hold softly").await;
        assert_eq!(refused, "calls.hold: expected \"zero\", \"sendonly\" or \"inactive\", found \"softly\"");
        assert_eq!(
            bob.is_refused("set calls.dmtf info").await,
            "there is no setting 'calls.dmtf' (did you mean 'calls.dtmf'?)"
        );
        assert!(bob.is_refused("set sip.keep_alive 5").await.contains("takes effect when the phone starts"));
    });
}

#[test]
fn habits_of_the_sound_change_while_the_phone_runs() {
    run(async {
        let answering = || Calls { auto_answer: AutoAnswer::Always, ..Calls::default() };
        let (mut alice, mut bob) = (Phone::start(config(Calls::default())), Phone::start(config(answering())));
        for line in ["set audio.tones us", "set audio.latency safe", "device input null", "set audio.codecs PCMU"] {
            alice.does(line).await;
        }
        assert!(alice.is_refused("set audio.tones xx").await.contains("au"), "it says which there are");
        // The other side takes comfort noise; whether she sends silence changes from call to call.
        bob.does("set audio.dtx true").await;
        let mut sent = Vec::new();
        for dtx in [false, true] {
            alice.does(&format!("set audio.dtx {dtx}")).await;
            alice.does(&format!("call {}", bob.address())).await;
            sent.push(alice.sees("stats").await["sent"].as_u64().unwrap_or_default());
            alice.does("hangup").await;
            bob.sees("ended").await;
        }
        assert!(sent[1] * 3 < sent[0], "packets of silence in 5 s: {sent:?}");
    });
}
