//! Every screen and state at the three sizes for which the UI is made. `snapshots/sizes/` has them, trailing blanks left out.

use super::*;
use crate::phone::security::{Keying, Security};

/// A small one, the usual one, a large one.
const SIZES: [(u16, u16); 3] = [(60, 15), (80, 24), (200, 60)];

/// A state: its name, and how to get there in a terminal of a size.
type State = (&'static str, fn(u16, u16) -> Scene);

fn keys(mut scene: Scene, keys: &str) -> Scene {
    for key in keys.chars() {
        scene.key(match key {
            '\n' => Key::Enter,
            '\t' => Key::Tab,
            '\u{1}' => Key::Down,
            '\u{2}' => Key::Up,
            other => Key::Char(other),
        });
    }
    scene
}

const STATES: &[State] = &[
    ("idle", Scene::new),
    ("registered", Scene::registered),
    ("day", Scene::of_a_day),
    ("calling", |c, r| with(Scene::registered(c, r), |scene| scene.calling(1, "sip:bob@example.com"))),
    ("in_call", |c, r| Scene::established(c, r).with_weather()),
    ("in_call_encrypted", |c, r| {
        with(Scene::established(c, r).with_weather(), |scene| {
            let (codec, remote_rtp) = ("opus".into(), "198.51.100.4:16384".into());
            let security = Security { srtp: true, suite: None, keying: Some(Keying::Sdes), tls: true };
            scene.phone(Kind::Established { call: bob(), codec, security, remote_rtp });
        })
    }),
    ("graph_of_jitter", |c, r| keys(Scene::established(c, r).with_weather(), "gg")),
    ("held", |c, r| with(Scene::established(c, r), |scene| drop(scene.phone(Kind::Held { call: bob() })))),
    ("they_hold", |c, r| with(Scene::established(c, r), |scene| drop(scene.phone(Kind::RemoteHeld { call: bob() })))),
    ("muted", |c, r| with(Scene::established(c, r), |scene| drop(scene.phone(Kind::Muted)))),
    ("two_calls", Scene::two_calls),
    ("incoming", |c, r| with(Scene::registered(c, r), |scene| drop(scene.incoming(1)))),
    ("incoming_in_call", |c, r| with(Scene::established(c, r), |scene| drop(scene.incoming(2)))),
    ("asked_to_transfer", |c, r| transfer_request(Scene::established(c, r))),
    ("dialling", |c, r| keys(Scene::registered(c, r).with_people(), "cda\u{1}")),
    ("command", |c, r| keys(Scene::registered(c, r), ":hodl\n")),
    ("keypad", |c, r| keys(Scene::established(c, r), "p12")),
    ("people", |c, r| keys(Scene::registered(c, r).with_people(), "b")),
    ("past_calls", |c, r| keys(Scene::registered(c, r).with_people(), "b\t")),
    ("services", |c, r| keys(Scene::registered(c, r).forwarding(), "fj")),
    ("ladder", |c, r| keys(Scene::established(c, r).with_trace(), "i\u{2}")),
    ("ladder_of_a_call", |c, r| keys(Scene::of_a_day(c, r), "I")),
    ("ladder_of_a_past_call", |c, r| keys(Scene::established(c, r).with_past_ladder(), "bi")),
    ("ladder_searched", |c, r| keys(Scene::of_a_day(c, r), "i/ack\n")),
    ("message", |c, r| reading(Scene::established(c, r))),
    ("compare", |c, r| keys(Scene::established(c, r).with_answer(), "id")),
    ("log", |c, r| keys(Scene::two_calls(c, r), "l")),
    ("help", |c, r| keys(Scene::registered(c, r), "?")),
    ("quit_question", |c, r| with(Scene::two_calls(c, r), |scene| drop(scene.key(Key::Ctrl('c'))))),
    ("quitting", |c, r| with(Scene::established(c, r), |scene| drop(scene.send(Msg::Terminate)))),
    ("wide_names", |c, r| {
        with(Scene::registered(c, r), |scene| {
            scene.calling(1, "sip:bob@example.com");
            let name = "山田太郎 👩‍👩‍👧 שלום Zoë ".repeat(3);
            scene.phone(Kind::PeerChanged { call: bob(), from: "sip:bob@example.com".into(), name: Some(name) });
        })
    }),
];

fn text(scene: &Scene) -> String {
    let terminal = render(&scene.app, scene.app.size, Theme::TERMINAL);
    let buffer = terminal.backend().buffer();
    let rows = (0..buffer.area.height).map(|y| {
        // What a wide character covers has no sign of its own.
        let mut covered = 0;
        let mut row = String::new();
        for x in 0..buffer.area.width {
            let symbol = buffer[(x, y)].symbol();
            if covered == 0 {
                row.push_str(symbol);
                covered = unicode_width::UnicodeWidthStr::width(symbol).saturating_sub(1);
            } else {
                covered -= 1;
            }
        }
        row.trim_end().to_owned()
    });
    rows.collect::<Vec<_>>().join("\n")
}

#[test]
fn every_state_at_every_size() {
    for (name, state) in STATES {
        for (columns, rows) in SIZES {
            let scene = state(columns, rows);
            insta::with_settings!({
                omit_expression => true,
                prepend_module_to_snapshot => false,
                snapshot_path => "../snapshots/sizes",
            }, {
                insta::assert_snapshot!(format!("{name}_{columns}x{rows}"), text(&scene));
            });
        }
    }
}
