//! Every key of every context, against the table, the footer and the help.

use std::collections::HashSet;

use crate::app::fixture::{Scene, all_keys, bob};
use crate::app::keymap::{self, Context, HelpRow, table};
use crate::app::{Key, Msg, Whose};
use crate::phone::event::Kind;
use crate::ua::CallNo;

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
