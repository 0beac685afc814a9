//! The UI's state: keys in, commands out. Each file of the folder has the tests of one part.

mod keys;
mod ladder;
mod log;
mod panels;
mod people;
mod whatever;

use super::fixture::{Scene, any_kind, bob, ended, reference};
use super::*;
use crate::phone::event::Kind;
use crate::ua::event::EndedBy;

fn commands(effects: Vec<Effect>) -> Vec<Command> {
    effects
        .into_iter()
        .filter_map(|effect| match effect {
            Effect::Command(command) => Some(command),
            _ => None,
        })
        .collect()
}

#[test]
fn a_number_is_dialled_by_typing_it() {
    let mut scene = Scene::registered(80, 24);
    scene.keys("+49301");
    scene.key(Key::Backspace);
    assert_eq!(scene.app.context(), Context::Dial);
    let effects = scene.key(Key::Enter);
    assert_eq!(commands(effects), [Command::Call { account: None, target: "+4930".into() }]);
    assert_eq!(scene.app.context(), Context::Main);
    scene.keys("c");
    scene.key(Key::Up);
    scene.key(Key::Tab);
    scene.key(Key::Tab);
    let effects = scene.key(Key::Enter);
    assert_eq!(commands(effects), [Command::Call { account: Some("home".into()), target: "+4930".into() }]);
}

#[test]
fn digits_go_into_the_active_call() {
    let mut scene = Scene::established(80, 24);
    let digit = |digits: &str| Command::Dtmf { call: Some(CallNo(1)), digits: digits.into() };
    assert_eq!(commands(scene.keys("1#")), [digit("1"), digit("#")]);
    scene.keys("p");
    assert_eq!(commands(scene.keys("A0x")), [digit("A"), digit("0")]);
    // The pad of a call that is over sends nothing, and opens no line.
    scene.phone(ended(bob(), EndedBy::Remote, None, "", 9.0));
    assert_eq!(scene.keys("1"), []);
    assert_eq!(scene.app.context(), Context::Pad);
}

#[test]
fn keys_act_on_the_selected_call() {
    let mut scene = Scene::two_calls(80, 24);
    assert_eq!(scene.app.selected, Some(CallNo(2)));
    assert_eq!(commands(scene.keys("hs")), [Command::Hold { call: Some(CallNo(2)) }, Command::Swap]);
    scene.key(Key::Up);
    assert_eq!(commands(scene.keys("h")), [Command::Resume { call: Some(CallNo(1)) }]);
    scene.keys("tsip:eve@example.org");
    let effects = scene.key(Key::Enter);
    let expected = Command::Transfer { call: Some(CallNo(1)), target: "sip:eve@example.org".into() };
    assert_eq!(commands(effects), [expected]);
    assert_eq!(commands(scene.keys("m")), [Command::Mute { call: None }]);
    scene.phone(Kind::Muted);
    assert_eq!(commands(scene.keys("m")), [Command::Unmute { call: None }]);
}

#[test]
fn an_incoming_call_is_answered_or_refused() {
    for (key, expected) in [
        ('a', Command::Answer { call: Some(CallNo(2)) }),
        ('r', Command::Reject { call: Some(CallNo(2)), code: None }),
        ('d', Command::Reject { call: Some(CallNo(2)), code: Some(603) }),
    ] {
        let mut scene = Scene::established(80, 24);
        assert_eq!(scene.incoming(2), [Effect::Bell, Effect::Notify("Dave Böhm 山田 calls".into())]);
        assert_eq!(scene.app.context(), Context::Incoming);
        assert_eq!(commands(scene.key(Key::Char(key))), std::slice::from_ref(&expected));
        // Put off, it can still be answered and refused from the main screen.
        scene.key(Key::Esc);
        assert_eq!(scene.app.context(), Context::Main);
        assert_eq!(commands(scene.key(Key::Char(key))), [expected]);
    }
}

#[test]
fn a_name_without_end_fills_no_screen() {
    let mut scene = Scene::registered(80, 24);
    let name = Some("e\u{301}山".repeat(500));
    let kind = Kind::Incoming {
        call: bob(),
        from: "sip:bob@example.com".into(),
        name,
        called: "sip:alice@pbx.example.com".into(),
        diverted_from: None,
        forwarded: Vec::new(),
        referred_by: None,
    };
    let effects = scene.phone(kind);
    let name = "e\u{301}山".repeat(30) + "…";
    assert!(effects.contains(&Effect::Notify(format!("{name} calls"))), "{effects:?}");
    assert!(scene.app.log.lines().any(|line| line.text == format!("#1 {name} calls")));
    assert_eq!(scene.app.calls[0].name, Some(name));
}

#[test]
fn a_call_that_comes_while_a_line_is_typed_takes_no_keys() {
    let mut scene = Scene::registered(80, 24);
    scene.keys("cd");
    scene.incoming(1);
    assert_eq!(scene.keys("ara"), []);
    assert_eq!(scene.app.line().map(|line| line.input.value()), Some("dara"));
    scene.key(Key::Esc);
    assert_eq!(scene.app.context(), Context::Incoming);
}

#[test]
fn a_transfer_request_is_accepted_or_refused() {
    for (key, expected) in [
        ('y', Command::AcceptTransfer { call: Some(CallNo(1)) }),
        ('n', Command::RefuseTransfer { call: Some(CallNo(1)) }),
    ] {
        let mut scene = Scene::established(80, 24);
        scene.phone(Kind::TransferRequest { call: bob(), to: "sip:eve@example.org".into(), by: None });
        assert_eq!(scene.app.context(), Context::TransferRequest);
        assert_eq!(commands(scene.key(Key::Char(key))), [expected]);
        assert_eq!(scene.app.context(), Context::Main);
    }
}

#[test]
fn hanging_up_just_as_they_do_spares_the_next_call() {
    let mut scene = Scene::two_calls(80, 24);
    scene.phone(ended(reference(2, "sip:carol@example.com"), EndedBy::Remote, None, "", 9.0));
    assert_eq!(scene.keys("x"), []);
    assert_eq!(commands(scene.keys("x")), [Command::Hangup { call: Some(CallNo(1)) }]);
    let mut scene = Scene::two_calls(80, 24);
    scene.phone(ended(reference(2, "sip:carol@example.com"), EndedBy::Remote, None, "", 9.0));
    scene.wait(1);
    assert_eq!(commands(scene.keys("x")), [Command::Hangup { call: Some(CallNo(1)) }]);
}

#[test]
fn quitting_asks_only_while_a_call_is_up() {
    assert_eq!(Scene::registered(80, 24).keys("q"), [Effect::Quit]);
    assert_eq!(Scene::registered(80, 24).key(Key::Ctrl('c')), [Effect::Quit]);
    let mut scene = Scene::established(80, 24);
    assert_eq!(scene.keys("qn"), []);
    assert_eq!(scene.key(Key::Ctrl('c')), []);
    assert_eq!(scene.key(Key::Ctrl('c')), [Effect::Quit]);
    assert_eq!(scene.keys("xq"), []);
    assert_eq!(scene.key(Key::Ctrl('c')), [Effect::Abort]);
    // A signal does not ask, and not twice.
    let mut scene = Scene::established(80, 24);
    assert_eq!(scene.send(Msg::Terminate), [Effect::Quit]);
    assert_eq!(scene.send(Msg::Terminate), []);
}

#[test]
fn a_suspended_phone_would_carry_no_sound() {
    assert_eq!(Scene::registered(80, 24).key(Key::Ctrl('z')), [Effect::Suspend]);
    assert_eq!(Scene::established(80, 24).key(Key::Ctrl('z')), []);
}

#[test]
fn the_command_line_says_what_is_wrong_and_stays_open() {
    let mut scene = Scene::registered(80, 24);
    scene.keys(":hodl");
    assert_eq!(scene.key(Key::Enter), []);
    let error = scene.app.line().and_then(|line| line.error.clone());
    assert_eq!(error.as_deref(), Some("unknown command 'hodl' (did you mean 'hold'?)"));
    scene.key(Key::Ctrl('u'));
    scene.keys("swap");
    assert_eq!(commands(scene.key(Key::Enter)), [Command::Swap]);
    scene.keys(":quit");
    assert_eq!(scene.key(Key::Enter), [Effect::Quit]);
}

#[test]
fn what_is_pasted_is_a_target() {
    let mut scene = Scene::registered(80, 24);
    scene.send(Msg::Paste("\n sip:bob@example.com\u{1b}\nrm -rf\n".into()));
    let line = scene.app.line().map(|line| line.input.value().to_owned());
    assert_eq!(line.as_deref(), Some("sip:bob@example.com\u{fffd}"));
    // Not while a pop-up asks.
    let mut scene = Scene::registered(80, 24);
    scene.incoming(1);
    scene.send(Msg::Paste("a".into()));
    assert!(scene.app.line().is_none());
}

#[test]
fn a_number_that_is_pasted_is_cleaned_and_called() {
    let mut scene = Scene::registered(80, 24);
    scene.send(Msg::Paste("+49 (30) 123-456\n".into()));
    assert_eq!(commands(scene.key(Key::Enter)), [call("+4930123456")]);
    // Behind what is typed, and in a command, it is text.
    scene.keys("t:call ");
    scene.key(Key::Esc);
    scene.keys(":message bob ");
    scene.send(Msg::Paste("at +49 (30)".into()));
    assert_eq!(scene.app.line().map(|line| line.input.value()), Some("message bob at +49 (30)"));
}

fn call(target: &str) -> Command {
    Command::Call { account: None, target: target.into() }
}

#[test]
fn the_ladder_is_searched_copied_saved_and_compared() {
    let mut scene = Scene::established(80, 24).with_answer();
    scene.keys("i/183");
    assert_eq!(scene.app.trace.visible_len(), 1);
    scene.key(Key::Enter);
    assert_eq!(scene.app.context(), Context::Trace);
    let [Effect::Copy(copied)] = &scene.keys("y")[..] else { panic!("nothing is copied") };
    assert!(copied.starts_with("SIP/2.0 183"));
    assert_eq!(scene.app.notice.as_ref().map(|(_, said)| said.as_str()), Some(text::COPIED));
    assert_eq!(scene.keys("wW"), [Effect::Save(trace::Format::Text), Effect::Save(trace::Format::Pcapng)]);
    let mut saved = Vec::new();
    scene.app.trace.write(trace::Format::Text, 0, &mut saved).unwrap();
    let saved = String::from_utf8(saved).unwrap();
    assert!(saved.starts_with("12:01:27.") && saved.contains(" from 198.51.100.1:5060 ×2\nSIP/2.0 183"), "{saved}");
    scene.send(Msg::Saved(Ok("/tmp/trace.txt".into())));
    assert_eq!(scene.app.notice.as_ref().map(|(_, said)| said.as_str()), Some("saved: /tmp/trace.txt"));
    scene.keys("d");
    assert_eq!(scene.app.context(), Context::Compare);
    scene.key(Key::Esc);
    // Esc in the line of the search shows all again.
    scene.keys("/x");
    scene.key(Key::Esc);
    assert_eq!((scene.app.trace.query(), scene.app.context()), ("", Context::Trace));
}

#[test]
fn ticks_are_wanted_only_while_a_call_is_up() {
    assert!(!Scene::registered(80, 24).app.wants_ticks());
    assert!(Scene::established(80, 24).app.wants_ticks());
}

#[test]
fn an_attached_ui_leaves_the_phone_alone_and_ends_it_only_when_told() {
    for key in [Key::Char('q'), Key::Ctrl('c')] {
        let mut scene = Scene::established(80, 24);
        scene.app.settings.phone = Whose::Attached;
        assert_eq!(scene.key(key), [Effect::Detach]);
    }
    let mut scene = Scene::established(80, 24);
    scene.app.settings.phone = Whose::Attached;
    assert_eq!(scene.send(Msg::Terminate), [Effect::Detach]);
    assert_eq!(scene.keys(":quit"), []);
    assert_eq!(scene.key(Key::Enter), []);
    assert_eq!(scene.app.context(), Context::Confirm);
    assert_eq!(scene.keys("y"), [Effect::Quit]);
}
