use serde_json::Value;

use crate::media::session::Stats;
use crate::phone::lines::Hold;
use crate::phone::media_thread::{Order, Report};
use crate::sdp::{Codec, Negotiated};
use crate::ua::event::{EndedBy, Party};

use super::ending::advice_for;
use super::*;

const CALL: CallNo = CallNo(1);

fn desk() -> Desk {
    Desk::new(&Config::default())
}

fn party(uri: &str) -> Party {
    Party { uri: uri.into(), name: None }
}

fn incoming(call: CallNo) -> ua::Event {
    ua::Event::Incoming {
        call,
        account: None,
        from: party("sip:bob@example.com"),
        called: "sip:alice@example.com".into(),
        diverted_from: None,
        forwarded: Vec::new(),
        referred_by: None,
    }
}

fn media() -> Negotiated {
    Negotiated {
        remote_rtp: "192.0.2.1:4000".parse().unwrap(),
        remote_rtcp: None,
        rtcp_mux: false,
        xr: Default::default(),
        ice: None,
        codec: Codec::Pcma,
        send_payload_type: 8,
        receive: vec![(8, Codec::Pcma)],
        send_telephone_event: None,
        receive_telephone_events: Vec::new(),
        comfort_noise: Default::default(),
        opus: crate::sdp::OpusWishes::default(),
        ptime_ms: 20,
        send: true,
        receive_audio: true,
        held_by_peer: false,
        protection: Default::default(),
    }
}

fn ended(by: EndedBy, code: u16) -> ua::Event {
    ua::Event::Ended { call: CALL, by, code: Some(code), reason: "because".into(), answered_for: None }
}

/// What follows from events that come together: the orders and the names of what is told, in their order.
fn follows(desk: &mut Desk, events: impl IntoIterator<Item = ua::Event>) -> Vec<String> {
    for event in events {
        desk.handle_core(Instant::now(), event, None);
    }
    desk.settle();
    drain(desk)
}

fn drain(desk: &mut Desk) -> Vec<String> {
    std::iter::from_fn(|| desk.poll_effect())
        .map(|effect| match effect {
            Effect::Tell(kind) => name(&serde_json::to_value(kind).unwrap()),
            Effect::Order(Order::Tone { tone, .. }) => format!("{tone:?}"),
            Effect::Order(order) => format!("{order:?}").split([' ', '{']).next().unwrap_or_default().to_string(),
            Effect::OfferEarly(call) => format!("OfferEarly {call}"),
            Effect::Answer(call) => format!("Answer {call}"),
            Effect::MoveSound(call, address, _) => format!("Move {call} {address}"),
            Effect::FollowTransfer(call) => format!("Follow {call}"),
            Effect::Hold(call) => format!("Hold {call}"),
            Effect::Way(call, event) => format!("Way {call} {event:?}"),
            Effect::GiveUp(call, failure) => format!("GiveUp {call} {failure}"),
        })
        .collect()
}

#[test]
fn advice_is_for_who_called() {
    assert!(advice_for(false, EndedBy::Remote, Some(486)).is_some());
    assert!(advice_for(true, EndedBy::Local, Some(488)).is_some_and(|advice| advice.contains("codec")));
    assert_eq!(advice_for(true, EndedBy::Remote, Some(487)), None);
    assert_eq!(advice_for(true, EndedBy::Local, Some(486)), None);
}

fn name(kind: &Value) -> String {
    kind["event"].as_str().unwrap().to_string()
}

#[test]
fn a_call_that_comes_in_rings_until_it_is_answered() {
    let mut desk = desk();
    assert_eq!(follows(&mut desk, [incoming(CALL)]), ["incoming", "Prepare", "Ring(true)"]);
    desk.answered(CALL, false);
    let answered = [ua::Event::Media { call: CALL, media: Box::new(media()) }, ua::Event::Established { call: CALL }];
    assert_eq!(follows(&mut desk, answered), ["Configure", "OpenMicrophone", "established", "Prepare", "Ring(false)"]);
}

#[test]
fn a_call_that_rings_with_an_offer_of_ours_is_not_heard_before_it_is_answered() {
    let mut desk = desk();
    let due = follows(&mut desk, [incoming(CALL), ua::Event::OfferDue { call: CALL }]);
    assert!(due.contains(&"OfferEarly #1".to_owned()), "{due:?}");
    desk.offered(CALL, MediaPorts::new(4000, 4001));
    assert!(follows(&mut desk, [ua::Event::Media { call: CALL, media: Box::new(media()) }]).is_empty());
    desk.answered(CALL, false);
    let established = follows(&mut desk, [ua::Event::Established { call: CALL }]);
    assert_eq!(&established[..3], ["Configure", "OpenMicrophone", "established"]);
}

#[test]
fn a_caller_who_gives_up_stops_the_ringing_and_is_told_at_once() {
    let mut desk = desk();
    follows(&mut desk, [incoming(CALL)]);
    assert_eq!(follows(&mut desk, [ended(EndedBy::Remote, 487)]), ["ended", "Ring(false)"]);
}

#[test]
fn an_auto_answered_call_never_rings() {
    let mut desk = desk();
    let now = Instant::now();
    desk.handle_core(now, incoming(CALL), Some([127, 0, 0, 1].into()));
    desk.handle_core(now, ua::Event::AnswerDue { call: CALL, replaces: None }, None);
    assert_eq!(drain(&mut desk), ["Answer #1", "incoming"]);
    assert_eq!(desk.lines.get(CALL).unwrap().arrived_at, Some([127, 0, 0, 1].into()));
    desk.answered(CALL, true);
    desk.settle();
    assert_eq!(drain(&mut desk), ["AutoAnswerBeep", "Prepare"]);
}

#[test]
fn a_second_call_beeps_and_rings_when_the_first_is_over() {
    let mut desk = desk();
    desk.dialled(CALL, None, "sip:x@example.com".into());
    follows(
        &mut desk,
        [ua::Event::Media { call: CALL, media: Box::new(media()) }, ua::Event::Established { call: CALL }],
    );
    assert_eq!(follows(&mut desk, [incoming(CallNo(2))]), ["incoming", "Prepare", "CallWaitingBeep"]);
    assert_eq!(follows(&mut desk, [ended(EndedBy::Remote, 200)]), ["Close", "Ring(true)"]);
}

#[test]
fn ringback_is_ordered_once_and_ends_with_the_answer() {
    let mut desk = desk();
    desk.dialled(CALL, None, "sip:x@example.com".into());
    let ringing = |code, early_media| ua::Event::Ringing { call: CALL, code, early_media };
    assert_eq!(follows(&mut desk, [ringing(180, false)]), ["Ringback", "ringing", "Prepare"]);
    assert_eq!(follows(&mut desk, [ringing(180, false)]), ["ringing"]);
    let answered = [ua::Event::Media { call: CALL, media: Box::new(media()) }, ua::Event::Established { call: CALL }];
    assert_eq!(follows(&mut desk, answered), ["Configure", "Silence", "OpenMicrophone", "established"]);
}

#[test]
fn early_media_is_told_once_and_has_no_ringback() {
    let mut desk = desk();
    desk.dialled(CALL, None, "sip:x@example.com".into());
    let ringing = |code| ua::Event::Ringing { call: CALL, code, early_media: true };
    assert_eq!(follows(&mut desk, [ringing(183)]), ["early_media", "Prepare"]);
    assert_eq!(desk.lines.get(CALL).unwrap().stage, CallStage::Early);
    assert_eq!(follows(&mut desk, [ringing(180)]), ["ringing"]);
    // Should its RTP not come, the media thread sounds the ringback that is ordered a second later.
    let due = desk.poll_timeout().unwrap();
    desk.handle_timeout(due);
    assert_eq!(drain(&mut desk), ["Ringback"]);
    assert_eq!(desk.poll_timeout(), None);
}

#[test]
fn failures_have_their_tones() {
    for (by, code, expected) in [
        (EndedBy::Remote, 486, vec!["Busy", "Close"]),
        (EndedBy::Remote, 404, vec!["Congestion", "Close"]),
        (EndedBy::Transport, 503, vec!["Congestion", "Close"]),
        (EndedBy::Local, 503, vec!["Congestion", "Close"]),
        (EndedBy::Local, 487, vec!["Close"]),
    ] {
        let mut desk = desk();
        desk.dialled(CALL, None, "sip:x@example.com".into());
        follows(&mut desk, []);
        assert_eq!(follows(&mut desk, [ended(by, code)]), expected, "{by:?} {code}");
    }
}

#[test]
fn the_end_waits_for_the_figures_of_the_sound_but_not_for_ever() {
    let mut desk = desk();
    desk.dialled(CALL, None, "sip:x@example.com".into());
    follows(&mut desk, [ended(EndedBy::Remote, 200)]);
    let stats = Stats { sent: 7, received: 5, lost: 2, ..Stats::default() };
    desk.handle_report(Report::Closed { call: CALL, stats });
    match desk.poll_effect() {
        Some(Effect::Tell(Kind::Ended { rtp, .. })) => assert_eq!((rtp.sent, rtp.received, rtp.lost), (7, 5, 2)),
        other => panic!("{other:?}"),
    }

    desk.dialled(CALL, None, "sip:x@example.com".into());
    follows(&mut desk, [ended(EndedBy::Remote, 200)]);
    let due = desk.poll_timeout().unwrap();
    desk.handle_timeout(due);
    assert_eq!(drain(&mut desk), ["ended"]);
    assert_eq!(desk.poll_timeout(), None);
}

#[test]
fn a_call_without_an_offer_is_told_when_its_codec_is_known() {
    let mut desk = desk();
    follows(&mut desk, [incoming(CALL)]);
    desk.answered(CALL, false);
    follows(&mut desk, []);
    assert_eq!(follows(&mut desk, [ua::Event::Established { call: CALL }]), ["OpenMicrophone"]);
    let media = || ua::Event::Media { call: CALL, media: Box::new(media()) };
    assert_eq!(follows(&mut desk, [media()]), ["Configure", "established"]);
    assert_eq!(follows(&mut desk, [media()]), ["Configure"]);
}

#[test]
fn a_refused_hold_leaves_the_call_as_it_was() {
    let mut desk = desk();
    desk.dialled(CALL, None, "sip:x@example.com".into());
    desk.lines.set_held(CALL, Hold::Asked);
    let refused = |held| ua::Event::HoldRefused { call: CALL, held, message: "no".into() };
    follows(&mut desk, [refused(false)]);
    assert_eq!(desk.lines.get(CALL).unwrap().hold, Hold::No);
    follows(&mut desk, [ua::Event::Held { call: CALL }]);
    desk.lines.set_held(CALL, Hold::ResumeAsked);
    // A digit that was refused meanwhile is another matter.
    let digit = ua::Event::CallError { call: CALL, message: "the digit was refused".into() };
    assert_eq!(follows(&mut desk, [digit]), ["error"]);
    assert_eq!(desk.lines.get(CALL).unwrap().hold, Hold::ResumeAsked);
    follows(&mut desk, [refused(true)]);
    assert_eq!(desk.lines.get(CALL).unwrap().hold, Hold::Held);
    // The hold was refused after the person had changed their mind: there is nothing to resume.
    desk.lines.set_held(CALL, Hold::ResumeAsked);
    follows(&mut desk, [refused(false)]);
    assert_eq!(desk.lines.get(CALL).unwrap().hold, Hold::No);
}

/// Both calls of ours are answered, one after the other: one is in the ear.
#[test]
fn s2_2_when_a_second_call_is_answered_the_one_not_in_front_is_held() {
    let mut desk = desk();
    let second = CallNo(2);
    desk.dialled(CALL, None, "sip:x@example.com".into());
    desk.dialled(second, None, "sip:y@example.com".into());
    follows(&mut desk, [ua::Event::Established { call: CALL }]);
    assert_eq!(follows(&mut desk, [ua::Event::Established { call: second }]), ["OpenMicrophone", "Hold #1"]);
    assert_eq!(follows(&mut desk, [ua::Event::Held { call: CALL }]), ["Held", "held"]);
    assert_eq!(desk.lines.active(), Some(second));
}

/// A swap whose hold is refused: who was to be taken back goes on hold again.
#[test]
fn s2_2_a_swap_whose_hold_is_refused_leaves_both_calls_as_they_were() {
    let mut desk = desk();
    let second = CallNo(2);
    desk.dialled(CALL, None, "sip:x@example.com".into());
    desk.dialled(second, None, "sip:y@example.com".into());
    let established = [CALL, second].map(|call| ua::Event::Established { call });
    follows(&mut desk, established);
    follows(&mut desk, [ua::Event::Held { call: CALL }]);
    // `swap`: the second is asked to be held, the first to come back.
    desk.lines.set_held(second, Hold::Asked);
    desk.lines.set_held(CALL, Hold::ResumeAsked);
    desk.lines.get_mut(CALL).unwrap().swapped_from = Some(second);
    desk.lines.bring_to_front(CALL);
    follows(&mut desk, [ua::Event::Resumed { call: CALL }]);
    let refused = ua::Event::HoldRefused { call: second, held: false, message: "no".into() };
    assert_eq!(follows(&mut desk, [refused]), ["error", "Hold #1"]);
    assert_eq!((desk.lines.active(), desk.lines.get(CALL).unwrap().swapped_from), (Some(second), None));
}

#[test]
fn a_transfer_request_that_has_expired_is_asked_no_more() {
    let mut desk = desk();
    desk.dialled(CALL, None, "sip:x@example.com".into());
    follows(
        &mut desk,
        [ua::Event::TransferRequest {
            call: CALL,
            account: None,
            peer: party("sip:bob@example.com"),
            to: "sip:y@example.com".into(),
            by: None,
        }],
    );
    assert_eq!(desk.lines.asked_to_transfer(), Ok(CALL));
    assert_eq!(follows(&mut desk, [ua::Event::TransferExpired { call: CALL }]), ["transfer_expired", "error"]);
    assert!(desk.lines.asked_to_transfer().is_err());
}

#[test]
fn muting_twice_is_told_once() {
    let mut desk = desk();
    desk.set_muted(true);
    desk.set_muted(true);
    assert_eq!(drain(&mut desk), ["Mute(true)", "muted", "Mute(true)"]);
}

#[test]
fn what_a_peer_writes_can_not_harm_a_screen() {
    let mut desk = desk();
    let from = Party { uri: "sip:\u{1b}[2J@x".into(), name: Some("\u{202e}evil\u{7}".into()) };
    let mut event = incoming(CALL);
    if let ua::Event::Incoming { from: caller, called, .. } = &mut event {
        *caller = from;
        *called = "sip:\r\nx".into();
    }
    desk.handle_core(Instant::now(), event, None);
    let Some(Effect::Tell(kind)) = desk.poll_effect() else { panic!("nothing told") };
    let text = serde_json::to_value(kind).unwrap().to_string();
    assert!(
        !text.contains(['\u{1b}', '\u{202e}', '\u{7}']) && !text.contains("\\u001b") && !text.contains("\\r"),
        "{text}"
    );
}
