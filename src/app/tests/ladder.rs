//! The ladder of one call, the mouse, and the panes beside the calls.

use super::*;
use crate::app::mouse::{Mouse, Panes, Target, Turn};
use crate::app::people::List;

#[test]
fn the_ladder_of_one_call_opens_while_it_is_up_and_from_the_history() {
    let mut scene = Scene::established(80, 24).with_trace();
    scene.keys("I");
    assert_eq!((scene.app.context(), scene.app.trace.filter()), (Context::Trace, Some("b2@x")));
    let mut scene = Scene::established(80, 24).with_past_ladder();
    scene.keys("bi");
    assert_eq!((scene.app.context(), scene.app.trace.filter()), (Context::Trace, Some("b2@x")));
    // One key back to the list, and one to the main screen.
    scene.key(Key::Esc);
    assert_eq!(scene.app.context(), Context::People);
    scene.key(Key::Esc);
    // The ladder as such shows everything again.
    scene.keys("i");
    assert_eq!(scene.app.trace.filter(), None);
}

#[test]
fn the_ladder_of_an_earlier_run_is_not_kept_and_that_is_said() {
    let mut scene = Scene::registered(80, 24).with_people();
    scene.keys("b");
    scene.key(Key::Tab);
    assert!(scene.app.chosen_call().is_some() && scene.app.chosen_past().is_none());
    scene.keys("i");
    assert_eq!(scene.app.context(), Context::People);
    assert!(scene.app.notice.as_ref().is_some_and(|(_, said)| said == text::NOT_KEPT));
}

#[test]
fn a_click_selects_and_another_one_acts() {
    let mut scene = Scene::two_calls(60, 15).with_trace();
    let click = |scene: &mut Scene, target| scene.send(Msg::Mouse(Mouse::Click(target)));
    click(&mut scene, Target::Call(CallNo(1)));
    assert_eq!(scene.app.selected, Some(CallNo(1)));
    click(&mut scene, Target::Key(Key::Char('i')));
    assert_eq!(scene.app.context(), Context::Trace);
    click(&mut scene, Target::Rung(4));
    assert_eq!((scene.app.context(), scene.app.trace.selected_id()), (Context::Trace, Some(4)));
    click(&mut scene, Target::Rung(4));
    assert_eq!(scene.app.context(), Context::Message);
    scene.send(Msg::Mouse(Mouse::Wheel(Turn::Down, None)));
    assert!(matches!(scene.app.screens.last(), Some(Screen::Message(reader)) if reader.top == 3));
}

#[test]
fn people_and_suggestions_are_clicked() {
    let mut scene = Scene::registered(80, 24).with_people();
    let click = |scene: &mut Scene, target| commands(scene.send(Msg::Mouse(Mouse::Click(target))));
    scene.keys("b");
    assert_eq!(click(&mut scene, Target::Person(List::Contacts, 2)), []);
    let carol = Command::Call { account: None, target: "sip:carol@example.com".into() };
    assert_eq!(click(&mut scene, Target::Person(List::Contacts, 2)), [carol]);
    scene.keys("cda");
    assert_eq!(click(&mut scene, Target::Suggestion(0)), []);
    let dave = Command::Call { account: None, target: "sip:dave@example.net".into() };
    assert_eq!(click(&mut scene, Target::Suggestion(0)), [dave]);
}

#[test]
fn what_lies_under_a_pop_up_is_not_hit() {
    let mut scene = Scene::two_calls(80, 24);
    scene.incoming(3);
    scene.send(Msg::Mouse(Mouse::Click(Target::Call(CallNo(1)))));
    assert_eq!(scene.app.selected, Some(CallNo(2)));
    let effects = scene.send(Msg::Mouse(Mouse::Click(Target::Key(Key::Char('a')))));
    assert_eq!(commands(effects), [Command::Answer { call: Some(CallNo(3)) }]);
}

#[test]
fn panes_are_chosen_and_resized_where_there_is_room() {
    let mut scene = Scene::two_calls(80, 24);
    scene.keys("w>");
    assert_eq!((scene.app.beside.panes, scene.app.beside.more), (Panes::All, 0));
    let mut scene = Scene::two_calls(200, 60);
    scene.keys("w>>");
    assert_eq!((scene.app.beside.panes, scene.app.beside.more), (Panes::Ladder, 8));
    scene.keys("wwww<");
    assert_eq!((scene.app.beside.panes, scene.app.beside.more), (Panes::All, 4));
}

#[test]
fn a_key_shows_another_figure_over_time() {
    let mut scene = Scene::established(80, 24).with_weather();
    assert_eq!(scene.app.shown_call().map(|call| call.past_stats.len()), Some(61));
    let first = scene.app.graph;
    scene.keys("gggg");
    assert_ne!(scene.app.graph, first);
    scene.keys("g");
    assert_eq!(scene.app.graph, first);
}
