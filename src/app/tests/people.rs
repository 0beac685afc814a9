//! Whom to call: suggestions, completion, people, the services that keys switch.

use super::{call, commands};
use crate::app::fixture::Scene;
use crate::app::keymap::Context;
use crate::app::{Effect, Key, people};
use crate::phone::Command;
use crate::phone::command::ForwardChange;
use crate::phone::event::Kind;
use crate::services::forwarding::When;
use crate::ua::CallNo;

#[test]
fn what_is_typed_suggests_whom_to_call() {
    let mut scene = Scene::registered(80, 24).with_people();
    scene.keys("cda");
    let labels: Vec<String> = scene.app.suggestions().into_iter().map(|suggestion| suggestion.label).collect();
    assert_eq!(labels, ["Dave Böhm 山田", "Carol Danvers"]);
    scene.key(Key::Down);
    scene.key(Key::Down);
    scene.key(Key::Up);
    assert_eq!(commands(scene.key(Key::Enter)), [call("sip:dave@example.net")]);
    // Without a choice it is what was typed; who is no contact was called before.
    scene.keys("cgrace");
    assert_eq!(scene.app.suggestions()[0].text, "sip:grace@pbx.example.com");
    assert_eq!(commands(scene.key(Key::Enter)), [call("grace")]);
    // What is typed further is a choice no more.
    scene.keys("cd");
    scene.key(Key::Down);
    scene.keys("esk");
    assert_eq!(commands(scene.key(Key::Enter)), [call("desk")]);
}

#[test]
fn opening_people_sees_what_was_missed() {
    let mut scene = Scene::registered(80, 24).with_people();
    assert_eq!(scene.phone(Kind::Missed { count: 1 }), [Effect::Notify("1 missed call".into())]);
    let opened = scene.keys("b");
    assert_eq!(commands(opened), [Command::People, Command::History { count: 1 }]);
    // The calls come first then: the missed one is the latest.
    let account = Some("work".to_owned());
    assert_eq!(commands(scene.key(Key::Enter)), [Command::Call { account, target: "sip:dave@example.net".into() }]);
    assert_eq!(scene.app.context(), Context::Main);
    // Nothing missed: the contacts.
    scene.phone(Kind::Missed { count: 0 });
    scene.keys("bj");
    assert_eq!(commands(scene.key(Key::Enter)), [call("+49 30 123456")]);
    // `:history` opens the same.
    scene.keys(":history");
    assert_eq!(commands(scene.key(Key::Enter)).len(), 2);
    assert_eq!(scene.app.people_pane().map(|pane| pane.list), Some(people::List::Calls));
}

#[test]
fn people_are_found_and_written_to() {
    let mut scene = Scene::registered(80, 24).with_people();
    scene.keys("b/caro");
    scene.key(Key::Tab);
    assert_eq!(scene.app.context(), Context::People);
    scene.keys("mLunch at one?");
    let message =
        Command::Message { account: None, target: "sip:carol@example.com".into(), text: "Lunch at one?".into() };
    assert_eq!(commands(scene.key(Key::Enter)), [message]);
    assert_eq!(scene.app.context(), Context::People);
    // Esc forgets what was looked for.
    scene.keys("/grace");
    assert_eq!(scene.app.people_pane().map(|pane| pane.list), Some(people::List::Calls));
    scene.key(Key::Esc);
    assert_eq!(scene.app.people_pane().map(|pane| pane.query.as_str()), Some(""));
    scene.keys("/600");
    assert_eq!(commands(scene.key(Key::Enter)), [call("600")]);
    // Who did not say who he is can't be called.
    scene.keys("b/anonymous");
    assert_eq!(scene.key(Key::Enter), []);
}

#[test]
fn services_are_switched_by_keys() {
    let mut scene = Scene::registered(80, 24).with_people();
    let dnd = |account: Option<&str>, on| Command::Dnd { account: account.map(Into::into), on: Some(on) };
    assert_eq!(commands(scene.keys("D")), [dnd(None, true)]);
    scene.phone(Kind::Dnd { account: Some("work".into()), on: true });
    assert_eq!(commands(scene.keys("D")), [dnd(None, false)]);
    assert_eq!(commands(scene.keys("R")), [Command::Redial]);
    // In the panel: all accounts, then one.
    assert_eq!(commands(scene.keys("f ")), [dnd(None, false)]);
    scene.key(Key::Tab);
    scene.key(Key::Tab);
    assert_eq!(commands(scene.key(Key::Enter)), [dnd(Some("home"), true)]);
    scene.keys("jjj");
    scene.key(Key::Enter);
    assert_eq!(scene.app.context(), Context::ForwardTo);
    scene.keys("bob 900 s");
    assert_eq!(scene.key(Key::Enter), []);
    assert!(scene.app.line().is_some_and(|line| line.error.is_some()));
    scene.key(Key::Ctrl('u'));
    scene.keys("+49 30 123 30 s");
    let change = ForwardChange::To { when: When::NoAnswer, target: "+4930123".into(), seconds: Some(30) };
    assert_eq!(commands(scene.key(Key::Enter)), [Command::Forward { account: Some("home".into()), change }]);
    // Switched on, the same key switches it off.
    let mut scene = scene.forwarding();
    scene.key(Key::Tab);
    scene.keys("kk");
    let change = ForwardChange::Off(Some(When::Always));
    assert_eq!(commands(scene.key(Key::Enter)), [Command::Forward { account: None, change }]);
}

#[test]
fn one_key_calls_the_voicemail_and_one_parks() {
    let mut scene = Scene::registered(80, 24);
    assert_eq!(scene.keys("v"), []);
    let mut scene = scene.with_mailbox();
    let target = "sip:*97@pbx.example.com".to_owned();
    assert_eq!(commands(scene.keys("v")), [Command::Call { account: Some("work".into()), target }]);
    let mut scene = Scene::established(80, 24);
    assert_eq!(commands(scene.keys("P")), [Command::Park { call: Some(CallNo(1)) }]);
}

/// What stands in the command line after these keys; `\t` is Tab.
fn completed(scene: &mut Scene, keys: &str) -> String {
    scene.keys(":");
    for key in keys.chars() {
        scene.key(if key == '\t' { Key::Tab } else { Key::Char(key) });
    }
    let line = scene.app.line().map(|line| line.input.value().to_owned()).unwrap_or_default();
    scene.key(Key::Esc);
    line
}

#[test]
fn tab_completes_commands_and_targets() {
    let mut scene = Scene::two_calls(80, 24).with_people();
    for (keys, expected) in [
        ("transf\t", "transfer "),
        // As far as all agree, then one after the other, and around.
        ("ca\t", "call"),
        ("ca\t\t", "call"),
        ("ca\t\t\t", "callback"),
        ("ca\t\t\t\t", "call"),
        ("call @\t", "call @work"),
        ("call @h\t", "call @home "),
        ("call @home daniel\t", "call @home daniel"),
        ("call carol\t", "call sip:carol@example.com "),
        ("call @work gra\t", "call @work sip:grace@pbx.example.com "),
        ("call build\t", "call sip:bob@example.com"),
        ("call build\t\t", "call +4930123456"),
        ("hangup #2\t", "hangup #2 "),
        ("hangup a\t", "hangup all "),
        ("forward bu\t", "forward busy "),
        ("forward busy o\t", "forward busy off"),
        ("dnd @home of\t", "dnd @home off "),
        ("swap \t", "swap "),
        ("nonsense \t", "nonsense "),
    ] {
        assert_eq!(completed(&mut scene, keys), expected, "{keys:?}");
    }
    // The word before the cursor, not the last one.
    scene.keys(":hang #1");
    for _ in 0..3 {
        scene.key(Key::Left);
    }
    scene.key(Key::Tab);
    assert_eq!(scene.app.line().map(|line| line.input.value()), Some("hangup #1"));
}
