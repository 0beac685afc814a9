//! Whatever happens, in any order: nothing panics, and Esc leads back.

use proptest::prelude::*;

use super::*;
use crate::app::fixture::all_keys;
use crate::app::mouse::{Mouse, Target, Turn};
use crate::app::people::List;
use crate::sip::transport::Transport;

fn target() -> impl Strategy<Value = Target> {
    let list = prop::sample::select(vec![List::Contacts, List::Calls]);
    prop_oneof![
        prop::sample::select(all_keys()).prop_map(Target::Key),
        (0u32..4).prop_map(|no| Target::Call(CallNo(no))),
        (list.clone(), 0usize..9).prop_map(|(list, row)| Target::Person(list, row)),
        list.prop_map(Target::People),
        (0u64..40).prop_map(Target::Rung),
        (0usize..9).prop_map(Target::Suggestion),
        prop::sample::select(vec![Target::Ladder, Target::Log]),
    ]
}

fn mouse() -> impl Strategy<Value = Mouse> {
    let turn = prop::sample::select(vec![Turn::Up, Turn::Down]);
    prop_oneof![
        target().prop_map(Mouse::Click),
        (turn, prop::option::of(target())).prop_map(|(turn, target)| Mouse::Wheel(turn, target)),
    ]
}

/// One thing that may happen.
fn happening() -> impl Strategy<Value = Msg> {
    let keys = all_keys();
    prop_oneof![
        8 => prop::sample::select(keys).prop_map(Msg::Key),
        3 => mouse().prop_map(Msg::Mouse),
        4 => (any::<usize>(), any::<u32>()).prop_map(|(which, no)| {
            Msg::Phone(Event { time: SystemTime::UNIX_EPOCH, kind: any_kind(which, no % 3) })
        }),
        1 => ".{0,40}".prop_map(Msg::Paste),
        1 => (1u16..200, 1u16..200).prop_map(|(columns, rows)| Msg::Resized(columns, rows)),
        1 => (any::<f32>(), any::<f32>()).prop_map(|(input, output)| Msg::Tick(Levels { input, output })),
        1 => ".{0,40}".prop_map(|text| Msg::Replied(Err(text))),
        1 => Just(Msg::Idle),
        1 => Just(Msg::Released(Key::Char(' '))),
        1 => Just(Msg::Devices(picker::News::Found(Vec::new()))),
        1 => Just(Msg::Settings(settings::News::Read(Ok(all_settings())))),
        1 => Just(Msg::Settings(settings::News::Written("calls.dtmf".into(), Err("full".into())))),
        1 => ("[A-Z]{0,9}.{0,40}", 0u64..100, 0u32..3).prop_map(|(text, ms, call)| Msg::Trace(TraceEntry {
            time: SystemTime::UNIX_EPOCH + Duration::from_millis(ms),
            sent: true,
            local: ([192, 0, 2, 7], 5060).into(),
            remote: ([192, 0, 2, 1], 5060).into(),
            transport: Transport::Udp,
            call: (call > 0).then_some(CallNo(call)),
            summary: text.clone(),
            call_id: call.to_string(),
            cseq: text.clone(),
            text,
        })),
    ]
}

fn all_settings() -> Vec<settings::Row> {
    let row = |setting| settings::Row { setting, value: None, overridden: None };
    crate::config::settings::all().into_iter().map(row).collect()
}

/// Presses Esc until the main screen is there.
fn escape(app: &mut App, now: SystemTime) -> bool {
    for _ in 0..20 {
        if app.quitting || app.context() == Context::Main && app.screens.is_empty() {
            return true;
        }
        app.update(now, Msg::Key(Key::Esc));
    }
    false
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 10, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn whatever_happens_esc_leads_back(happenings in prop::collection::vec(happening(), 1_000)) {
        let mut scene = Scene::established(80, 24).with_trace().with_people().with_mailbox();
        for (step, msg) in happenings.into_iter().enumerate() {
            // Once it ends, it has ended: it begins anew.
            if scene.app.quitting {
                scene = Scene::two_calls(80, 24).with_trace().with_people();
            }
            scene.send(msg);
            prop_assert!(scene.app.screens.len() < 9);
            if step % 20 == 0 {
                prop_assert!(escape(&mut scene.app.clone(), scene.now), "stuck in {:?}", scene.app.screens);
            }
        }
    }
}
