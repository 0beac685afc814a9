//! What the log says, and what it leaves out.

use crate::app::fixture::{Scene, bob, ended, established, reference};
use crate::app::log::Level;
use crate::app::{Msg, RECENT, text};
use crate::phone::event::{Direction, Kind};
use crate::ua::CallNo;
use crate::ua::event::EndedBy;

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
