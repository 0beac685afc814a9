//! Whole screens. To look at them: `src/tui/view/snapshots/`.

mod clicks;
mod screens;
mod sizes;
mod svg;

use proptest::prelude::*;
use ratatui::Terminal;
use ratatui::backend::TestBackend;
use ratatui::buffer::Buffer;
use ratatui::style::Color;

use super::*;
use crate::app::Msg;
use crate::app::devices::Heard;
use crate::app::fixture::{Scene, any_kind, bob, ended, reference};
use crate::app::keymap::Key;
use crate::app::picker::News;
use crate::app::settings;
use crate::media::session::Stats;
use crate::phone::audio_warning::AudioWarning;
use crate::phone::command::DeviceRole;
use crate::phone::event::{Direction, Kind};
use crate::phone::security::{Keying, Security};
use crate::sdp::crypto::Suite;
use crate::ua::CallNo;
use crate::ua::event::{EndedBy, TransferStage};

const PLAIN: Theme = Theme { depth: Depth::None, ..Theme::TERMINAL };

fn render(app: &App, (columns, rows): (u16, u16), theme: Theme) -> Terminal<TestBackend> {
    let mut terminal = Terminal::new(TestBackend::new(columns, rows)).unwrap();
    terminal.draw(|frame| drop(draw(frame, app, theme))).unwrap();
    terminal
}

fn screen(scene: &Scene) -> String {
    render(&scene.app, scene.app.size, Theme::TERMINAL).backend().to_string()
}

macro_rules! snapshot {
    ($name:ident, $scene:expr) => {
        #[test]
        fn $name() {
            insta::with_settings!({ omit_expression => true, prepend_module_to_snapshot => false }, {
                insta::assert_snapshot!(stringify!($name), screen(&$scene));
            });
        }
    };
}

fn with(mut scene: Scene, change: impl FnOnce(&mut Scene)) -> Scene {
    change(&mut scene);
    scene
}

fn reading(scene: Scene) -> Scene {
    with(scene.with_trace(), |scene| {
        scene.keys("i");
        scene.key(Key::Home);
        scene.key(Key::Enter);
    })
}

fn transfer_request(scene: Scene) -> Scene {
    with(scene, |scene| {
        let (to, by) = ("sip:eve@example.org".into(), Some("sip:bob@example.com".into()));
        scene.phone(Kind::TransferRequest { call: bob(), to, by });
    })
}

snapshot!(idle, Scene::new(80, 24));
snapshot!(registered, Scene::registered(80, 24));
snapshot!(
    dialling,
    with(Scene::registered(80, 24), |scene| {
        scene.keys("csip:bob@example.com");
        scene.key(Key::Tab);
    })
);
snapshot!(
    ringing,
    with(Scene::registered(80, 24), |scene| {
        scene.calling(1, "sip:bob@example.com");
        scene.phone(Kind::Ringing { call: bob(), code: 180 });
        scene.wait(7);
    })
);
snapshot!(
    early_media,
    with(Scene::registered(80, 24), |scene| {
        scene.calling(1, "sip:bob@example.com");
        scene.phone(Kind::Ringing { call: bob(), code: 183 });
        scene.phone(Kind::EarlyMedia { call: bob() });
        scene.app.levels.output = -22.0;
        scene.wait(3);
    })
);
snapshot!(in_call, Scene::established(80, 24));
snapshot!(demo, with(Scene::registered(60, 15), |scene| scene.app.settings.hint = Some(text::DEMO_NUMBERS)));
snapshot!(
    both_ways,
    with(Scene::established(80, 24), |scene| {
        let stats =
            Stats { mos_remote: Some(4.06), loss_remote: Some(0.013), target_ms: 60.0, ..crate::app::fixture::stats() };
        scene.phone(Kind::Stats { call: bob(), stats, processing: None });
    })
);
snapshot!(
    much_is_made_up,
    with(Scene::established(120, 30), |scene| {
        let stats = Stats {
            mos: Some(3.2),
            mos_remote: Some(4.4),
            loss: 0.06,
            loss_remote: Some(0.0),
            concealed: 0.064,
            target_ms: 80.0,
            buffer_ms: 72.0,
            ..crate::app::fixture::stats()
        };
        scene.phone(Kind::Stats { call: bob(), stats, processing: None });
    })
);
snapshot!(
    muted,
    with(Scene::established(80, 24), |scene| {
        scene.phone(Kind::Muted);
        scene.keys("++");
    })
);
snapshot!(
    warned,
    with(Scene::established(80, 24), |scene| {
        for (role, warning) in [
            (DeviceRole::Input, AudioWarning::SilentMicrophone),
            (DeviceRole::Output, AudioWarning::SpeakerDry),
            (DeviceRole::Input, AudioWarning::Clipping),
        ] {
            scene.phone(Kind::AudioWarning { role, warning, active: true });
        }
        // One of them is over.
        let (role, warning) = (DeviceRole::Input, AudioWarning::SilentMicrophone);
        scene.phone(Kind::AudioWarning { role, warning, active: false });
    })
);
snapshot!(
    held,
    with(Scene::established(80, 24), |scene| {
        scene.phone(Kind::Held { call: bob() });
    })
);
/// Two calls, the first encrypted with its keys sent by TLS, the second without.
fn encrypted(scene: Scene) -> Scene {
    with(scene, |scene| {
        for (call, tls) in [(bob(), true), (reference(2, "sip:carol@example.com"), false)] {
            let security = Security { srtp: true, suite: Some(Suite::AeadAes256Gcm), keying: Some(Keying::Sdes), tls };
            scene.phone(Kind::Security { call, security });
        }
    })
}

snapshot!(
    encrypted_in_call,
    with(Scene::established(80, 24), |scene| {
        let security =
            Security { srtp: true, suite: Some(Suite::AesCm128HmacSha1Tag80), keying: Some(Keying::Sdes), tls: true };
        scene.phone(Kind::Security { call: bob(), security });
    })
);
snapshot!(encrypted_calls, encrypted(Scene::two_calls(80, 24)));
snapshot!(two_calls, Scene::two_calls(80, 24));
snapshot!(
    in_conference,
    with(Scene::two_calls(80, 24), |scene| {
        for call in [bob(), reference(2, "sip:carol@example.com")] {
            scene.phone(Kind::Resumed { call: call.clone() });
            scene.phone(Kind::Conference { call, calls: vec![CallNo(1), CallNo(2)] });
        }
        scene.phone(Kind::MemberMuted { call: bob(), muted: true });
    })
);
snapshot!(
    recorded,
    with(Scene::established(80, 24), |scene| {
        scene.phone(Kind::Recording { call: bob(), file: Some("/home/alice/talk.wav".into()) });
    })
);
snapshot!(
    transferring,
    with(Scene::established(80, 24), |scene| {
        scene.phone(Kind::Held { call: bob() });
        scene.phone(Kind::Transfer { call: bob(), stage: TransferStage::Ringing, code: Some(180) });
    })
);
snapshot!(
    sound_lost,
    with(Scene::established(80, 24), |scene| {
        scene.phone(Kind::MediaLost { call: bob(), seconds: 5 });
    })
);
snapshot!(
    incoming,
    with(Scene::registered(80, 24), |scene| {
        scene.incoming(1);
    })
);
snapshot!(
    incoming_in_call,
    with(Scene::established(80, 24), |scene| {
        scene.incoming(2);
    })
);
snapshot!(
    incoming_while_typing,
    with(Scene::registered(80, 24), |scene| {
        scene.keys("cbo");
        scene.incoming(1);
    })
);
snapshot!(
    transfer_prompt,
    with(Scene::established(80, 24), |scene| {
        scene.keys("t601");
    })
);
snapshot!(asked_to_transfer, transfer_request(Scene::established(80, 24)));
snapshot!(
    trace_pane,
    with(Scene::established(80, 24).with_trace(), |scene| {
        scene.keys("ik");
    })
);
snapshot!(message_in_full, reading(Scene::established(80, 24)));
snapshot!(
    log_in_full,
    with(Scene::two_calls(80, 24), |scene| {
        scene.keys("l");
    })
);
snapshot!(
    help_80,
    with(Scene::registered(80, 24), |scene| {
        scene.keys("?");
    })
);
snapshot!(
    keypad,
    with(Scene::established(80, 24), |scene| {
        scene.keys("p");
        for digit in "1234#".chars() {
            scene.phone(Kind::Dtmf { call: bob(), digit, direction: Direction::Sent });
        }
        scene.phone(Kind::Dtmf { call: bob(), digit: '9', direction: Direction::Received });
    })
);
snapshot!(
    call_failed,
    with(Scene::registered(80, 24), |scene| {
        scene.calling(1, "sip:bob@example.com");
        scene.phone(ended(bob(), EndedBy::Remote, Some(486), "Busy Here", 0.0));
        scene.calling(2, "sip:carol@example.com");
        scene.phone(ended(reference(2, "sip:carol@example.com"), EndedBy::Local, None, "", 192.0));
        scene.send(Msg::Replied(Err(
            "can't call 'bob': no account gives it a domain - write bob@example.com, or set account.uri".into(),
        )));
    })
);
snapshot!(
    command_refused,
    with(Scene::registered(80, 24), |scene| {
        scene.keys(":hodl");
        scene.key(Key::Enter);
    })
);
snapshot!(
    quit_question,
    with(Scene::two_calls(80, 24), |scene| {
        scene.key(Key::Ctrl('c'));
    })
);
snapshot!(
    quitting,
    with(Scene::established(80, 24), |scene| {
        scene.send(Msg::Terminate);
    })
);
snapshot!(small_in_call, Scene::two_calls(60, 15));
snapshot!(
    small_incoming,
    with(Scene::established(60, 15), |scene| {
        scene.incoming(2);
    })
);
snapshot!(
    small_trace,
    with(Scene::established(60, 15).with_trace(), |scene| {
        scene.keys("i");
    })
);
snapshot!(smallest, Scene::two_calls(40, 10));
snapshot!(too_small_to_draw, Scene::established(30, 8));
snapshot!(wide_in_call, Scene::two_calls(200, 60));
snapshot!(
    wide_trace,
    with(Scene::established(200, 60).with_trace(), |scene| {
        scene.keys("ik");
    })
);

fn people(columns: u16, rows: u16) -> Scene {
    with(Scene::registered(columns, rows).with_people(), |scene| drop(scene.keys("b")))
}

snapshot!(people_80, people(80, 24));
snapshot!(
    people_calls,
    with(people(80, 24), |scene| {
        scene.key(Key::Tab);
        scene.keys("j");
    })
);
snapshot!(small_people, people(60, 15));
snapshot!(
    small_people_calls,
    with(people(60, 15), |scene| {
        scene.key(Key::Tab);
    })
);
snapshot!(wide_people, with(Scene::two_calls(200, 60).with_people(), |scene| drop(scene.keys("b"))));
snapshot!(people_searched, with(people(80, 24), |scene| drop(scene.keys("/da"))));
snapshot!(people_message, with(people(80, 24), |scene| drop(scene.keys("mLunch at one?"))));
snapshot!(
    suggestions,
    with(Scene::registered(80, 24).with_people(), |scene| {
        scene.keys("cda");
        scene.key(Key::Down);
    })
);
snapshot!(small_suggestions, with(Scene::established(60, 15).with_people(), |scene| drop(scene.keys("co"))));
snapshot!(
    completion,
    with(Scene::registered(80, 24).with_people(), |scene| {
        scene.keys(":re");
        scene.key(Key::Tab);
    })
);
snapshot!(
    services_panel,
    with(Scene::registered(80, 24).forwarding(), |scene| {
        scene.phone(Kind::Dnd { account: Some("home".into()), on: true });
        scene.keys("fj");
    })
);
snapshot!(small_services, with(Scene::registered(60, 15), |scene| drop(scene.keys("f"))));
snapshot!(
    switched_on,
    with(Scene::registered(80, 24).forwarding().with_mailbox(), |scene| {
        scene.phone(Kind::Dnd { account: Some("work".into()), on: true });
        scene.phone(Kind::Missed { count: 2 });
    })
);

snapshot!(trace_folded, with(Scene::established(80, 24).with_trace().with_answer(), |scene| drop(scene.keys("i/bob"))));
snapshot!(offer_and_answer, with(Scene::established(80, 24).with_answer(), |scene| drop(scene.keys("id"))));
snapshot!(small_offer_and_answer, with(Scene::established(60, 15).with_answer(), |scene| drop(scene.keys("id"))));
snapshot!(
    trace_saved,
    with(Scene::established(80, 24).with_answer(), |scene| {
        scene.keys("i");
        scene.send(Msg::Saved(Ok("/home/alice/.local/state/offhook/trace-2026-11-21T05-54-39Z.txt".into())));
    })
);

snapshot!(picker_80, Scene::registered(80, 24).choosing());
snapshot!(
    picker_in_call,
    with(Scene::established(80, 24).choosing(), |scene| {
        scene.key(Key::Tab);
        scene.keys("jt");
    })
);
snapshot!(small_picker, with(Scene::established(60, 15).choosing(), |scene| drop(scene.keys("j"))));
snapshot!(wide_picker, Scene::two_calls(200, 60).choosing());
snapshot!(
    picker_without_devices,
    with(Scene::registered(80, 24), |scene| {
        scene.keys("A");
        scene.send(Msg::Devices(News::Found(Vec::new())));
        scene.send(Msg::Devices(News::Heard(Heard::Failed("there is no input device, and no sound server".into()))));
    })
);
snapshot!(settings_80, Scene::registered(80, 24).setting());
snapshot!(small_settings, with(Scene::registered(60, 15).setting(), |scene| drop(scene.keys("jjj"))));
snapshot!(
    wide_settings,
    with(Scene::registered(200, 60).setting(), |scene| {
        scene.key(Key::Tab);
    })
);
snapshot!(
    settings_overridden,
    with(Scene::registered(80, 24).setting(), |scene| {
        let dtmf = |scene: &Scene| scene.app.settings_panel().unwrap().chosen().unwrap().setting.key == "dtmf";
        while !dtmf(scene) {
            scene.key(Key::Down);
        }
    })
);
snapshot!(
    settings_value_refused,
    with(Scene::registered(80, 24).setting(), |scene| {
        let codecs = |scene: &Scene| scene.app.settings_panel().unwrap().chosen().unwrap().setting.key == "codecs";
        while !codecs(scene) {
            scene.key(Key::Down);
        }
        scene.key(Key::Enter);
        scene.key(Key::Ctrl('u'));
        scene.keys("speex");
        scene.key(Key::Enter);
    })
);
snapshot!(settings_found, with(Scene::registered(80, 24).setting(), |scene| drop(scene.keys("/auto"))));
snapshot!(
    settings_password,
    with(Scene::registered(80, 24).setting(), |scene| {
        scene.keys("/password");
        scene.key(Key::Enter);
        scene.key(Key::Enter);
        scene.keys("geheim");
    })
);
snapshot!(
    settings_of_a_faulty_file,
    with(Scene::registered(80, 24), |scene| {
        scene.keys("S");
        let fault =
            "~/.config/offhook/config.toml:7: calls.hold: expected \"zero\", \"sendonly\" or \"inactive\", found 3";
        scene.send(Msg::Settings(settings::News::Read(Err(fault.into()))));
    })
);
snapshot!(
    on_air,
    with(Scene::established(80, 24), |scene| {
        scene.phone(Kind::Muted);
        scene.keys(" ");
        scene.phone(Kind::Unmuted);
    })
);

fn colours(buffer: &Buffer) -> usize {
    buffer.content().iter().filter(|cell| cell.fg != Color::Reset || cell.bg != Color::Reset).count()
}

#[test]
fn without_colours_there_are_none() {
    for scene in [
        reading(Scene::two_calls(80, 24)),
        transfer_request(Scene::two_calls(80, 24)),
        Scene::registered(80, 24),
        people(80, 24),
    ] {
        let plain = render(&scene.app, (80, 24), PLAIN);
        assert_eq!(colours(plain.backend().buffer()), 0);
        let coloured = render(&scene.app, (80, 24), Theme::TERMINAL);
        assert_ne!(colours(coloured.backend().buffer()), 0);
        // The words are the same: no colour is the only signal.
        assert_eq!(plain.backend().to_string(), coloured.backend().to_string());
    }
}

/// Every kind of screen.
fn scenes() -> Vec<Scene> {
    let mut scenes = vec![
        Scene::new(80, 24),
        Scene::registered(80, 24),
        with(Scene::established(80, 24), |scene| drop(scene.incoming(2))),
        with(Scene::two_calls(80, 24), |scene| drop(scene.key(Key::Ctrl('c')))),
        transfer_request(Scene::two_calls(80, 24)),
        reading(Scene::two_calls(80, 24)),
        people(80, 24),
        Scene::two_calls(80, 24).choosing(),
        Scene::registered(80, 24).setting(),
        with(Scene::established(80, 24).with_answer(), |scene| drop(scene.keys("id"))),
        with(people(80, 24), |scene| drop(scene.keys("/d"))),
        with(Scene::registered(80, 24).forwarding(), |scene| drop(scene.keys("f"))),
        with(Scene::registered(80, 24).with_people(), |scene| drop(scene.keys("cd"))),
    ];
    for keys in ["c", "cbob", ":x", "tx", "p", "i", "l", "?"] {
        scenes.push(with(Scene::two_calls(80, 24).with_trace(), |scene| drop(scene.keys(keys))));
    }
    scenes
}

#[test]
fn every_screen_draws_at_every_size() {
    let widths = (1..=200).step_by(7).map(|columns| (columns, 24));
    let heights = (1..=60).step_by(3).map(|rows| (80, rows));
    let sizes: Vec<(u16, u16)> = widths.chain(heights).chain((1..=48).map(|size| (size, size))).collect();
    for mut scene in scenes() {
        for (columns, rows) in &sizes {
            scene.send(Msg::Resized(*columns, *rows));
            render(&scene.app, (*columns, *rows), Theme::TERMINAL);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 100, failure_persistence: None, ..ProptestConfig::default() })]

    /// The terminal may be resized before the app hears of it.
    #[test]
    fn sizes_that_the_app_does_not_know_draw(which in 0usize..27, columns in 1u16..200, rows in 1u16..200) {
        let mut scene = Scene::two_calls(80, 24).with_trace().with_people();
        for no in 0..3 {
            scene.phone(any_kind(which, no));
        }
        for keys in ["", "i", "l", "?", "b", "f", "cd"] {
            scene.keys(keys);
            render(&scene.app, (columns, rows), Theme::TERMINAL);
            scene.key(Key::Esc);
        }
    }
}
