use proptest::prelude::*;

use super::*;
use crate::app::fixture::all_keys;

fn wizard() -> Wizard {
    let hints = Hints { user: Some("alice".into()), domains: vec!["corp.lan".into()] };
    let devices = ["default", "default", "default"].map(String::from);
    let before = Before { path: "~/.config/offhook/config.toml".into(), devices, hints, ..Before::default() };
    Wizard::new(before, (80, 24))
}

fn keys(wizard: &mut Wizard, keys: &str) -> Vec<Effect> {
    let key = |c| match c {
        '\n' => Key::Enter,
        '\t' => Key::Tab,
        '\u{1b}' => Key::Esc,
        '\u{e}' => Key::Ctrl('n'),
        c => Key::Char(c),
    };
    keys.chars().flat_map(|c| wizard.update(Msg::Key(key(c)))).collect()
}

#[test]
fn from_the_address_to_the_file() {
    let mut wizard = wizard();
    keys(&mut wizard, "\t\ntiger\n");
    assert_eq!(wizard.step, Step::Sound);
    wizard.update(Msg::Devices(Vec::new()));
    keys(&mut wizard, "j");
    // The speaker and the ring stay; the microphone is none.
    let effects = keys(&mut wizard, "\n");
    assert!(effects.contains(&Effect::Listen(None)));
    let devices = ["null", "default", "default"].map(String::from);
    assert_eq!(keys(&mut wizard, "\n"), [Effect::Call(devices.clone())]);
    wizard.update(Msg::Call(CallStage::Talking { input: -20.0, output: -20.0, seconds: 1 }));
    assert_eq!(keys(&mut wizard, "\n"), [Effect::HangUp]);
    wizard.update(Msg::Call(CallStage::Over(Called::Voice(51))));
    keys(&mut wizard, "\n");
    let secret = Some(Secret::Plain("tiger".into()));
    let draft = Draft { uri: Some("sip:alice@pbx.corp.lan".into()), secret, devices };
    assert_eq!(keys(&mut wizard, "\n"), [Effect::Register(draft.clone())]);
    wizard.update(Msg::Trial(Trial::Over(Tried::Registered(80))));
    assert_eq!(keys(&mut wizard, "\n"), []);
    assert_eq!(wizard.step, Step::Finish);
    assert_eq!(keys(&mut wizard, "\n"), [Effect::Write(draft)]);
    // Twice writes once.
    assert_eq!(keys(&mut wizard, "\n"), []);
    assert_eq!(wizard.update(Msg::Written(Ok(()))), [Effect::Leave(Leave::Written)]);
}

#[test]
fn every_step_can_be_skipped_and_leads_back() {
    let mut wizard = wizard();
    let mut seen = vec![wizard.step];
    for _ in 0..3 {
        keys(&mut wizard, "\u{e}");
        seen.push(wizard.step);
    }
    // Without an account there is neither a password nor a registration.
    assert_eq!(seen, [Step::Address, Step::Sound, Step::Call, Step::Finish]);
    assert_eq!(wizard.draft().uri, None);
    keys(&mut wizard, "\u{1b}\u{1b}\u{1b}");
    assert_eq!(wizard.step, Step::Address);
    assert_eq!(keys(&mut wizard, "\u{1b}"), [Effect::Leave(Leave::Unwritten)]);
    assert_eq!(wizard.update(Msg::Key(Key::Ctrl('c'))), [Effect::Leave(Leave::Quit)]);
}

#[test]
fn what_is_no_address_does_not_go_on() {
    let mut wizard = wizard();
    keys(&mut wizard, "alice\n");
    assert_eq!(wizard.step, Step::Address);
    assert!(wizard.notice.as_deref().is_some_and(|notice| notice.starts_with("not yet an address")));
    keys(&mut wizard, "@pbx,lan\n");
    assert_eq!(wizard.notice.as_deref(), Some("',' can't stand in the PBX's name"));
    keys(&mut wizard, "\t\n");
    assert_eq!(wizard.step, Step::Password);
}

#[test]
fn a_second_time_keeps_what_is_not_asked() {
    let mut before = wizard().before;
    before.uri = Some("sip:bob@pbx.lan".into());
    before.has_password = true;
    let mut wizard = Wizard::new(before, (80, 24));
    keys(&mut wizard, "\n");
    assert_eq!((wizard.way, wizard.draft().secret), (Way::Kept, None));
    keys(&mut wizard, "\tx");
    assert_eq!(wizard.draft().secret, Some(Secret::Plain("x".into())));
    keys(&mut wizard, "\tpass show x");
    assert_eq!(wizard.draft().secret, Some(Secret::Command("pass show x".into())));
    keys(&mut wizard, "\t");
    assert_eq!(wizard.draft().secret, None);
}

#[test]
fn what_is_over_tells_nothing_any_more() {
    let mut wizard = wizard();
    keys(&mut wizard, "bob@pbx.lan\n\n\n\n");
    assert_eq!(wizard.call, CallStage::Starting);
    assert_eq!(keys(&mut wizard, "\u{1b}"), [Effect::DropCall, Effect::List, Effect::Listen(Some("default".into()))]);
    wizard.update(Msg::Call(CallStage::Over(Called::Voice(1))));
    assert_eq!(wizard.call, CallStage::None);
    // Another address has to be tried anew.
    keys(&mut wizard, "\ns\n");
    wizard.update(Msg::Trial(Trial::Over(Tried::Registered(1))));
    keys(&mut wizard, "\u{1b}\u{1b}\u{1b}\u{1b}2");
    assert_eq!(wizard.trial, Trial::None);
}

#[test]
fn a_password_never_stands_in_debug() {
    let mut wizard = wizard();
    keys(&mut wizard, "bob@pbx.lan\ntiger");
    assert!(!format!("{wizard:?} {:?}", wizard.draft()).contains("tiger"));
}

/// Wizards at every step, and at every stage of what is tried there.
pub(crate) fn scenes() -> Vec<Wizard> {
    let mut scenes = vec![wizard()];
    let mut on = |change: &dyn Fn(&mut Wizard)| {
        let mut wizard = wizard();
        change(&mut wizard);
        scenes.push(wizard);
    };
    for typed in ["al", "alice@pbx.lan", "alice@pbx,lan", "alice@pbx.lan\n", "alice@pbx.lan\nx", "alice@pbx.lan\n\tx"] {
        on(&|wizard| drop(keys(wizard, typed)));
    }
    for typed in ["", "j", "\t", "\tj", "\t\t"] {
        on(&|wizard| {
            keys(wizard, "\u{e}");
            let device = |name: &str, input| Device {
                name: format!("pulseaudio:{name}"),
                label: format!("{name}, a device"),
                input,
                output: !input,
                default: true,
            };
            wizard.update(Msg::Devices(vec![device("mic", true), device("speaker", false)]));
            wizard.update(Msg::Heard(Heard::Level(-31.0)));
            keys(wizard, typed);
        });
    }
    let stages = [
        CallStage::Starting,
        CallStage::Talking { input: -20.0, output: -26.0, seconds: 3 },
        CallStage::Over(Called::Voice(51)),
        CallStage::Over(Called::Silent),
    ];
    on(&|wizard| drop(keys(wizard, "\u{e}\u{e}")));
    for stage in stages {
        on(&|wizard| {
            keys(wizard, "\u{e}\u{e}\n");
            wizard.update(Msg::Call(stage.clone()));
        });
    }
    on(&|wizard| drop(keys(wizard, "bob@pbx.lan\nx\n\ns")));
    for trial in [
        Trial::Running(2),
        Trial::Over(Tried::Registered(80)),
        Trial::Over(Tried::Refused { code: 401, host: "pbx.lan".into(), reason: "Unauthorized".into() }),
        Trial::Over(Tried::Silent { host: "pbx.lan".into(), seconds: 12 }),
    ] {
        on(&|wizard| {
            keys(wizard, "bob@pbx.lan\nx\n\ns\n");
            wizard.update(Msg::Trial(trial.clone()));
        });
    }
    on(&|wizard| drop(keys(wizard, "bob@pbx.lan\nx\n\nss")));
    on(&|wizard| drop(keys(wizard, "\u{e}\u{e}s")));
    scenes
}

#[test]
fn every_shown_key_works_and_every_working_key_is_in_the_table() {
    let mut worked = std::collections::HashSet::new();
    for scene in scenes() {
        let before = format!("{scene:?}");
        for key in all_keys() {
            let mut after = scene.clone();
            let effects = after.update(Msg::Key(key));
            let works = !effects.is_empty() || format!("{after:?}") != before;
            let binding = keys::find(&scene, key);
            assert!(binding.is_some() || !works, "{key:?} works at {:?} and is not in the table", scene.step);
            if let (Some(binding), true) = (binding, works) {
                worked.insert(std::ptr::from_ref(binding));
            }
        }
        let footer = keys::footer(&scene);
        for (key, label) in &footer {
            assert_eq!(footer.iter().filter(|(other, _)| other == key).count(), 1, "{key} {label} at {:?}", scene.step);
        }
    }
    for binding in keys::TABLE {
        assert!(worked.contains(&std::ptr::from_ref(binding)), "never did anything: {binding:?}");
    }
}

/// One thing that may happen.
fn happening() -> impl Strategy<Value = Msg> {
    prop_oneof![
        12 => prop::sample::select(all_keys()).prop_map(Msg::Key),
        1 => ".*".prop_map(Msg::Paste),
        1 => (1u16..200, 1u16..200).prop_map(|(columns, rows)| Msg::Resized(columns, rows)),
        1 => any::<f32>().prop_map(|db| Msg::Heard(Heard::Level(db))),
        1 => any::<u32>().prop_map(|ms| Msg::Call(CallStage::Over(Called::Voice(ms)))),
        1 => (300u16..700).prop_map(|code| Msg::Trial(Trial::Over(Tried::Refused {
            code, host: "pbx".into(), reason: "so".into(),
        }))),
        1 => Just(Msg::Devices(Vec::new())),
        1 => Just(Msg::Written(Err("full".into()))),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 60, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn whatever_happens_esc_leads_out(happenings in prop::collection::vec(happening(), 0..1000)) {
        let mut wizard = wizard();
        for msg in happenings {
            wizard.update(msg);
        }
        // A file that is being written comes to an end by itself.
        wizard.update(Msg::Written(Err("full".into())));
        let mut effects = Vec::new();
        for _ in 0..Step::ALL.len() {
            effects = wizard.update(Msg::Key(Key::Esc));
            if !effects.is_empty() && effects.iter().any(|effect| matches!(effect, Effect::Leave(_))) {
                break;
            }
        }
        prop_assert!(effects.contains(&Effect::Leave(Leave::Unwritten)), "{wizard:?}");
    }
}
