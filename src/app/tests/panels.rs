//! Choosing devices, changing settings, push to talk.

use super::*;
use crate::app::picker::Wish;
use crate::config::edit::Value;
use crate::phone::command::DeviceRole;

fn chosen(scene: &Scene) -> String {
    scene.app.settings_panel().and_then(|panel| panel.chosen()).map(|row| row.setting.name()).unwrap_or_default()
}

fn choose(scene: &mut Scene, name: &str) {
    scene.key(Key::Up);
    for _ in 0..100 {
        scene.key(Key::Up);
    }
    while chosen(scene) != name {
        let before = chosen(scene);
        scene.key(Key::Down);
        assert_ne!(chosen(scene), before, "there is no {name}");
    }
}

#[test]
fn a_device_is_chosen_for_the_call_that_is_up() {
    let mut scene = Scene::established(80, 24).choosing();
    // The call has the microphone open: no other one is opened.
    assert_eq!(scene.keys("j"), [Effect::Devices(Wish::Hush), Effect::Devices(Wish::Listen(None))]);
    scene.keys("j");
    let effects = scene.key(Key::Enter);
    let name = "pulseaudio:mic1".to_owned();
    assert_eq!(commands(effects), [Command::Device { role: DeviceRole::Input, name: name.clone() }]);
    assert_eq!(scene.app.devices.input, name);
    // The test sound is for what is heard.
    assert_eq!(scene.keys("t"), []);
    scene.key(Key::Tab);
    assert_eq!(scene.keys("t"), [Effect::Devices(Wish::Play(DeviceRole::Output, "default".into()))]);
    scene.keys("jj");
    let effects = scene.keys("w");
    let value = Some(Value::Text("pulseaudio:out1".into()));
    let write = settings::Wish::Write { name: "audio.output".into(), value, was: None };
    assert!(effects.contains(&Effect::Settings(write)), "{effects:?}");
    // Closed, it listens to nothing.
    assert!(scene.key(Key::Esc).contains(&Effect::Devices(Wish::Listen(None))));
}

#[test]
fn a_word_opens_the_picker_and_one_the_settings() {
    for (word, context) in
        [("device", Context::Devices), ("devices", Context::Devices), ("settings", Context::Settings)]
    {
        let mut scene = Scene::registered(80, 24);
        scene.keys(&format!(":{word}"));
        scene.key(Key::Enter);
        assert_eq!(scene.app.context(), context);
    }
}

#[test]
fn a_choice_goes_round_and_is_told_to_the_phone() {
    let mut scene = Scene::registered(80, 24).setting();
    choose(&mut scene, "calls.transfers");
    let effects = scene.key(Key::Enter);
    let value = Some(Value::Text("follow".into()));
    let write = settings::Wish::Write { name: "calls.transfers".into(), value, was: Some(None) };
    let set = Command::Set { name: "calls.transfers".into(), value: "follow".into() };
    assert_eq!(effects, [Effect::Settings(write), Effect::Command(set)]);
    let effects = scene.send(Msg::Settings(settings::News::Written("calls.transfers".into(), Ok(()))));
    assert_eq!(effects, [Effect::Settings(settings::Wish::Read)]);
    assert!(scene.app.notice.as_ref().is_some_and(|(_, said)| said.contains("in effect")));
}

#[test]
fn what_a_variable_says_is_not_told_to_the_phone() {
    let mut scene = Scene::registered(80, 24).setting();
    choose(&mut scene, "calls.dtmf");
    assert_eq!(commands(scene.key(Key::Enter)), []);
    // And the default again is a comment.
    choose(&mut scene, "calls.park");
    let write = settings::Wish::Write { name: "calls.park".into(), value: None, was: Some(Some("*68".into())) };
    assert_eq!(scene.keys("d"), [Effect::Settings(write)]);
}

#[test]
fn a_value_is_typed_and_checked() {
    let mut scene = Scene::registered(80, 24).setting();
    choose(&mut scene, "calls.ring_timeout");
    scene.key(Key::Enter);
    assert_eq!(scene.app.line().map(|line| line.input.value()), Some("120"));
    scene.keys("000000");
    assert_eq!(scene.key(Key::Enter), []);
    let error = scene.app.line().and_then(|line| line.error.clone());
    assert!(error.is_some_and(|error| error.starts_with("expected a whole number from 1 to 3600")));
    scene.key(Key::Ctrl('u'));
    scene.keys("30");
    let set = Command::Set { name: "calls.ring_timeout".into(), value: "30".into() };
    assert_eq!(commands(scene.key(Key::Enter)), [set]);
    assert_eq!(scene.app.context(), Context::Settings);
}

#[test]
fn a_device_among_the_settings_opens_the_picker() {
    let mut scene = Scene::registered(80, 24).setting();
    choose(&mut scene, "audio.ring");
    scene.key(Key::Enter);
    assert_eq!(scene.app.picker().map(|picker| picker.role), Some(DeviceRole::Ring));
}

#[test]
fn a_setting_is_found_by_its_name_its_value_and_what_it_is_for() {
    let mut scene = Scene::registered(80, 24).setting();
    let found = |scene: &Scene| -> Vec<String> {
        let panel = scene.app.settings_panel().unwrap();
        panel.visible().iter().map(|row| row.setting.name()).collect()
    };
    let usual = found(&scene);
    // Those that show only among all are found too.
    scene.keys("/KEEP_al");
    assert_eq!(found(&scene), ["sip.keep_alive"]);
    scene.key(Key::Ctrl('u'));
    scene.keys("*68");
    assert_eq!(found(&scene), ["calls.park"]);
    scene.key(Key::Ctrl('u'));
    scene.keys("mailbox");
    assert_eq!(found(&scene), ["account.voicemail"]);
    scene.keys("!");
    assert!(found(&scene).is_empty());
    scene.key(Key::Backspace);
    // What was found stays, and is changed.
    scene.key(Key::Enter);
    assert_eq!((scene.app.context(), chosen(&scene)), (Context::Settings, "account.voicemail".into()));
    scene.key(Key::Enter);
    scene.keys("sip:*97@pbx.example.com");
    let value = Some(Value::Text("sip:*97@pbx.example.com".into()));
    let write = settings::Wish::Write { name: "account.voicemail".into(), value, was: Some(None) };
    assert_eq!(scene.key(Key::Enter), [Effect::Settings(write)]);
    // Esc forgets what was looked for.
    scene.keys("/x");
    scene.key(Key::Esc);
    assert_eq!(found(&scene), usual);
}

#[test]
fn a_password_is_typed_anew_and_shows_nowhere() {
    let mut scene = Scene::registered(80, 24).setting();
    choose(&mut scene, "account.password");
    scene.key(Key::Enter);
    // What is there does not come into the line, and an empty one changes nothing.
    assert_eq!(scene.app.line().map(|line| line.input.value()), Some(""));
    assert_eq!(scene.key(Key::Enter), []);
    scene.key(Key::Enter);
    scene.keys("tiger");
    let was = Some(Some(crate::config::settings::HIDDEN.to_owned()));
    let value = Some(Value::Text("tiger".into()));
    let write = settings::Wish::Write { name: "account.password".into(), value, was };
    assert_eq!(scene.key(Key::Enter), [Effect::Settings(write)]);
    scene.send(Msg::Settings(settings::News::Written("account.password".into(), Ok(()))));
    assert!(scene.app.log.lines().all(|line| !line.text.contains("tiger")));
}

#[test]
fn push_to_talk_opens_and_closes() {
    let (mute, unmute) = (Command::Mute { call: None }, Command::Unmute { call: None });
    let mut scene = Scene::established(80, 24);
    // With an open microphone it begins by closing it.
    assert_eq!(commands(scene.keys(" ")), std::slice::from_ref(&mute));
    scene.phone(Kind::Muted);
    assert_eq!(commands(scene.keys(" ")), [unmute]);
    scene.phone(Kind::Unmuted);
    assert!(scene.app.talking);
    // Where the terminal tells, letting go closes; else the key does once more.
    assert_eq!(commands(scene.send(Msg::Released(Key::Char(' ')))), [mute]);
    scene.phone(Kind::Muted);
    assert!(!scene.app.talking && scene.app.tells_releases);
    assert_eq!(scene.send(Msg::Released(Key::Char(' '))), []);
    // Only on the main screen in a call the terminal is asked to tell.
    assert!(scene.app.wants_releases());
    scene.keys("c");
    assert!(!scene.app.wants_releases());
}

#[test]
fn quitting_by_its_word_asks_as_the_key_does() {
    let mut scene = Scene::established(80, 24);
    scene.keys(":quit");
    assert_eq!(scene.key(Key::Enter), []);
    assert_eq!(scene.app.context(), Context::Confirm);
}
