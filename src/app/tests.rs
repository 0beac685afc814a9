use std::collections::HashSet;

use super::fixture::{Scene, all_keys, any_kind, bob, ended, established, reference};
use super::keymap::{self, HelpRow, table};
use super::*;
use crate::phone::command::ForwardChange;
use crate::phone::event::{Direction, Kind};
use crate::services::forwarding::When;
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
fn a_refused_command_is_an_error_in_the_log() {
    let mut scene = Scene::registered(80, 24);
    scene.send(Msg::Replied(Err("there is no call #7".into())));
    let last = scene.app.log.lines().last().map(|line| (line.level, line.text.clone()));
    assert_eq!(last, Some((Level::Error, "there is no call #7".into())));
}

#[test]
fn a_call_that_was_transferred_says_so() {
    let mut scene = Scene::established(80, 24);
    let stage = crate::ua::event::TransferStage::Accepted;
    scene.phone(Kind::Transfer { call: bob(), stage, code: Some(200) });
    scene.phone(ended(bob(), EndedBy::Local, None, "", 9.0));
    assert_eq!(scene.app.recent.front().map(|past| past.outcome.as_str()), Some(text::TRANSFERRED));
}

#[test]
fn digits_that_are_sent_stay_out_of_the_log() {
    let mut scene = Scene::established(80, 24);
    let before = scene.app.log.len();
    for digit in "1234".chars() {
        scene.phone(Kind::Dtmf { call: bob(), digit, direction: Direction::Sent });
    }
    assert_eq!(scene.app.log.len(), before);
    assert_eq!(scene.app.call(CallNo(1)).map(|call| call.digits_sent.as_str()), Some("1234"));
}

#[test]
fn events_of_unknown_calls_make_none() {
    let mut scene = Scene::registered(80, 24);
    scene.phone(established(reference(9, "sip:bob@example.com")));
    scene.phone(ended(reference(9, "sip:bob@example.com"), EndedBy::Local, None, "", 0.0));
    assert!(scene.app.calls.is_empty() && scene.app.recent.is_empty());
}

#[test]
fn a_peer_is_named_as_shortly_as_can_be() {
    let mut scene = Scene::registered(80, 24);
    for (no, peer, short) in [
        (1, "sip:600@pbx.example.com", "600"),
        (2, "sip:+4930@home.example.org;user=phone", "+4930"),
        (3, "sip:bob@example.com", "bob@example.com"),
        (4, "tel:+4930", "tel:+4930"),
        // That it is encrypted matters.
        (5, "sips:600@pbx.example.com", "sips:600@pbx.example.com"),
    ] {
        scene.calling(no, peer);
        let call = scene.app.call(CallNo(no)).unwrap();
        assert_eq!(scene.app.who(call), short);
    }
}

#[test]
fn all_is_bounded() {
    let mut scene = Scene::registered(80, 24);
    for no in 1..2_000 {
        scene.calling(no, "sip:bob@example.com");
        scene.phone(ended(reference(no, "sip:bob@example.com"), EndedBy::Remote, Some(486), "Busy Here", 0.0));
    }
    assert_eq!((scene.app.log.len(), scene.app.recent.len()), (500, RECENT));
}

#[test]
fn ticks_are_wanted_only_while_a_call_is_up() {
    assert!(!Scene::registered(80, 24).app.wants_ticks());
    assert!(Scene::established(80, 24).app.wants_ticks());
}

mod panels;

/// Screens in every context, for tests of all keys.
fn scenes() -> Vec<Scene> {
    let mut scenes = vec![
        Scene::new(80, 24),
        Scene::registered(80, 24).with_trace(),
        Scene::established(80, 24).with_trace(),
        Scene::two_calls(80, 24).with_trace(),
    ];
    let mut on = |mut scene: Scene, change: &dyn Fn(&mut Scene)| {
        change(&mut scene);
        scenes.push(scene);
    };
    for keys in ["c", "ca", ":", ":x", "i", "l", "?", "12"] {
        on(Scene::registered(60, 15).with_trace(), &|scene| {
            scene.app.dialled.push("alice");
            scene.app.commands.push("swap");
            scene.keys(keys);
        });
    }
    for keys in ["c", ":"] {
        on(Scene::registered(80, 24), &|scene| {
            scene.app.dialled.push("alice");
            scene.app.commands.push("swap");
            scene.keys(keys);
            scene.key(Key::Up);
        });
    }
    on(Scene::established(80, 24), &|scene| {
        scene.phone(Kind::Recording { call: bob(), file: Some("talk.wav".into()) });
    });
    for keys in ["i/", "ik/", "i/b", "id", "igj"] {
        on(Scene::established(60, 15).with_answer(), &|scene| {
            scene.keys(keys);
        });
    }
    for keys in ["p", "t", "m", "q", "if"] {
        on(Scene::two_calls(80, 24).with_trace(), &|scene| {
            scene.keys(keys);
        });
    }
    for keys in ["cd", "cd\u{1}", "b", "b\t", "bj", "b/d", "b/d\u{1}", "bm", "f", "fj", "fj\n", "fj\nd", ":call da"] {
        on(Scene::registered(60, 15).with_people().with_mailbox(), &|scene| {
            for key in keys.chars() {
                scene.key(match key {
                    '\t' => Key::Tab,
                    '\n' => Key::Enter,
                    '\u{1}' => Key::Down,
                    other => Key::Char(other),
                });
            }
        });
    }
    on(Scene::registered(80, 24).with_people().with_mailbox(), &|scene| {
        scene.phone(Kind::Dnd { account: None, on: true });
    });
    on(Scene::two_calls(200, 60).with_trace().with_people(), &|_| {});
    on(Scene::established(80, 24).with_past_ladder(), &|scene| {
        scene.keys("b");
    });
    for (key, again) in [(Key::Up, 0), (Key::Up, 1)] {
        on(Scene::established(40, 10).with_trace(), &|scene| {
            scene.keys("i");
            scene.key(key);
            scene.key(Key::Enter);
            scene.keys(&"j".repeat(again));
        });
    }
    on(Scene::two_calls(80, 24), &|scene| {
        scene.phone(Kind::Conference { call: bob(), calls: vec![CallNo(1), CallNo(2)] });
        scene.phone(Kind::Resumed { call: bob() });
    });
    on(Scene::two_calls(80, 24), &|scene| {
        scene.phone(Kind::Muted);
        scene.key(Key::Up);
    });
    on(Scene::two_calls(80, 24), &|scene| {
        scene.phone(Kind::Muted);
        scene.keys(" ");
    });
    for keys in ["", "j", "\t", "\tj"] {
        on(Scene::established(60, 15).choosing(), &|scene| {
            for key in keys.chars() {
                scene.key(if key == '\t' { Key::Tab } else { Key::Char(key) });
            }
        });
    }
    for keys in ["", "j", "jjj", "/codecs\n", "/codecs\n\n", "/a", "/a\u{1}", "/a\n"] {
        on(Scene::registered(60, 15).setting(), &|scene| {
            for key in keys.chars() {
                scene.key(match key {
                    '\n' => Key::Enter,
                    '\u{1}' => Key::Down,
                    other => Key::Char(other),
                });
            }
        });
    }
    on(Scene::established(80, 24), &|scene| {
        scene.incoming(3);
    });
    on(Scene::established(80, 24), &|scene| {
        scene.incoming(3);
        scene.key(Key::Esc);
    });
    on(Scene::established(80, 24), &|scene| {
        scene.phone(Kind::TransferRequest { call: bob(), to: "sip:eve@example.org".into(), by: None });
    });
    on(Scene::established(80, 24), &|scene| {
        scene.phone(Kind::TransferRequest { call: bob(), to: "sip:eve@example.org".into(), by: None });
        scene.key(Key::Esc);
    });
    on(Scene::established(80, 24), &|scene| scene.app.settings.phone = Whose::Attached);
    for keys in ["i", "l", "?", "i\n"] {
        on(Scene::two_calls(40, 10).with_trace(), &|scene| {
            for key in keys.chars() {
                scene.key(if key == '\n' { Key::Enter } else { Key::Char(key) });
            }
            scene.key(Key::Home);
            scene.key(Key::Down);
        });
    }
    scenes
}

/// Whether a key changes anything.
fn does_something(scene: &Scene, before: &str, key: Key) -> bool {
    let mut app = scene.app.clone();
    let effects = app.update(scene.now, Msg::Key(key));
    !effects.is_empty() || format!("{app:?}") != before
}

#[test]
fn every_key_that_works_is_shown_and_every_shown_key_works() {
    let mut worked = HashSet::new();
    let mut contexts = HashSet::new();
    for scene in scenes() {
        contexts.insert(scene.app.context());
        let before = format!("{:?}", scene.app);
        for key in all_keys() {
            let binding = keymap::find(&scene.app, key);
            let works = does_something(&scene, &before, key);
            assert!(binding.is_some() || !works, "{key:?} works in {:?} and is not in the table", scene.app.context());
            if let (Some(binding), true) = (binding, works) {
                worked.insert(std::ptr::from_ref(binding));
            }
        }
    }
    for context in Context::ALL {
        assert!(contexts.contains(&context), "no screen tries {context:?}");
    }
    for binding in table() {
        assert!(worked.contains(&std::ptr::from_ref(binding)), "never did anything: {binding:?}");
    }
}

#[test]
fn the_help_lists_the_whole_table() {
    let rows: Vec<HelpRow> = keymap::help().into_iter().flatten().collect();
    for row in &rows {
        if let HelpRow::Key(keys, help) = row {
            assert!(keys.chars().count() <= 12 && help.chars().count() <= 24, "too long for 80 columns: {row:?}");
        }
    }
    for binding in table() {
        let row = HelpRow::Key(binding.keys.names(), binding.help);
        assert!(rows.contains(&row), "not in the help: {row:?}");
    }
}

#[test]
fn no_key_of_the_table_hides_another() {
    for scene in scenes() {
        for (key, label, _) in keymap::footer_keys(&scene.app) {
            let same = keymap::footer_keys(&scene.app).into_iter().filter(|(other, ..)| *other == key).count();
            assert_eq!(same, 1, "{key} {label} in {:?}", scene.app.context());
        }
    }
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

mod ladder;
mod whatever;
