use std::time::Duration;

use super::notes::{Sound, What};
use super::*;
use crate::app::fixture::{ended, established, reference};
use crate::phone::Event;
use crate::phone::event::{Direction, Kind};
use crate::sip::transport::Transport;
use crate::ua::event::EndedBy;

fn at(ms: u64) -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_millis(ms)
}

fn entry(summary: &str, call_id: &str) -> TraceEntry {
    TraceEntry {
        time: SystemTime::UNIX_EPOCH,
        sent: true,
        local: ([192, 0, 2, 7], 5060).into(),
        remote: ([192, 0, 2, 1], 5060).into(),
        transport: Transport::Udp,
        call: None,
        summary: summary.into(),
        call_id: call_id.into(),
        cseq: "1 INVITE".into(),
        text: summary.into(),
    }
}

fn trace(summaries: &[(&str, &str)]) -> Trace {
    let mut trace = Trace::default();
    for (summary, call_id) in summaries {
        trace.push(entry(summary, call_id));
    }
    trace
}

fn selected(trace: &Trace) -> String {
    trace.selected().map_or_else(String::new, |message| message.entry.summary.clone())
}

fn visible(trace: &Trace) -> Vec<String> {
    let ids = (0..trace.visible_len()).filter_map(|place| trace.visible(place));
    ids.filter_map(|id| match trace.rung(id)? {
        Rung::Message(message) => Some(message.entry.summary.clone()),
        Rung::Note(note) => Some(crate::app::text::note(note)),
    })
    .collect()
}

#[test]
fn the_latest_message_is_followed_until_one_is_chosen() {
    let mut trace = trace(&[("a", "1"), ("b", "1"), ("c", "1")]);
    assert_eq!(selected(&trace), "c");
    trace.step(Step::Up(1));
    trace.push(entry("d", "1"));
    assert_eq!(selected(&trace), "b");
    trace.step(Step::Down(10));
    trace.push(entry("e", "1"));
    assert_eq!(selected(&trace), "e");
    trace.step(Step::Up(100));
    assert_eq!(selected(&trace), "a");
}

#[test]
fn a_filter_shows_one_call_id() {
    let mut trace = trace(&[("a", "1"), ("b", "2"), ("c", "1")]);
    trace.toggle_filter();
    trace.push(entry("d", "2"));
    assert_eq!(visible(&trace), ["a", "c"]);
    trace.step(Step::Up(1));
    assert_eq!(selected(&trace), "a");
    trace.toggle_filter();
    assert_eq!((trace.visible_len(), selected(&trace)), (4, "a".into()));
}

#[test]
fn a_message_that_is_read_stays() {
    let mut trace = trace(&[("a", "1")]);
    trace.pin();
    trace.push(entry("b", "1"));
    assert_eq!(selected(&trace), "a");
    trace.unpin();
    assert_eq!(selected(&trace), "a");
    trace.step(Step::Down(1));
    trace.push(entry("c", "1"));
    assert_eq!(selected(&trace), "c");
}

#[test]
fn without_a_shelf_it_is_bounded_and_clean() {
    let mut trace = Trace::default();
    trace.step(Step::Up(1));
    trace.push(entry("first\u{1b}[2J", "1"));
    assert_eq!(selected(&trace), "first\u{fffd}[2J");
    trace.pin();
    for number in 0..3 * WITHOUT_SHELF {
        trace.push(entry(&format!("x{number}"), "1"));
    }
    assert_eq!((trace.len(), selected(&trace)), (WITHOUT_SHELF, "x4000".into()));
}

#[test]
fn retransmissions_are_folded_and_their_waits_named() {
    let mut trace = Trace::default();
    let invite = entry("INVITE sip:b SIP/2.0", "1");
    for ms in [0, 500, 1_500, 3_500] {
        trace.push(TraceEntry { time: at(ms), ..invite.clone() });
        trace.push(TraceEntry { time: at(ms), cseq: "1 OPTIONS".into(), ..entry("OPTIONS sip:b SIP/2.0", "2") });
    }
    trace.push(TraceEntry { sent: false, ..invite });
    // No timer of a transaction sends these again.
    for ms in [4_000, 29_000] {
        trace.push(TraceEntry { time: at(ms), ..entry(crate::phone::trace::KEEP_ALIVE, "") });
    }
    assert_eq!(trace.len(), 4);
    let words = |place| match trace.rung(place) {
        Some(Rung::Message(message)) => crate::app::text::again(&message),
        other => panic!("{other:?}"),
    };
    assert_eq!(words(0), "×4 timer A 0.5 1 2 s");
    assert_eq!(words(1), "×4 timer E 0.5 1 2 s");
    assert_eq!(words(2), "");
    assert_eq!(words(3), "×2");
}

#[test]
fn a_search_looks_at_whole_messages_in_any_case() {
    let mut trace = trace(&[("INVITE sip:Bob", "1"), ("BYE", "1"), ("ACK sip:bob", "1")]);
    trace.step(Step::Up(1));
    trace.search("SIP:BOB");
    assert_eq!((trace.visible_len(), selected(&trace)), (2, "ACK sip:bob".into()));
    trace.push(entry("MESSAGE sip:bOb", "1"));
    assert_eq!(selected(&trace), "MESSAGE sip:bOb");
    trace.search("nothing");
    assert!(trace.selected().is_none());
    trace.search("");
    assert_eq!(trace.visible_len(), 4);
}

fn shelved(most: Option<u64>) -> (Trace, Arc<Mutex<shelf::InMemory>>) {
    let shelf = Arc::new(Mutex::new(shelf::InMemory::new(most)));
    let mut trace = Trace::default();
    trace.set_shelf(shelf.clone());
    (trace, shelf)
}

#[test]
fn older_messages_come_from_the_shelf_as_they_were() {
    let (mut trace, _shelf) = shelved(None);
    for number in 0..5_000 {
        trace.push(entry(&format!("x{number}"), &format!("call {}", number / 10)));
    }
    assert_eq!(trace.len(), 5_000);
    assert!(matches!(trace.row(3_999).unwrap().held, Held::Shelved(_)));
    assert!(matches!(trace.row(4_000).unwrap().held, Held::Here(_)));
    trace.step(Step::Up(usize::MAX / 2));
    assert_eq!(selected(&trace), "x0");
    trace.toggle_filter();
    assert_eq!((trace.visible_len(), trace.filter()), (10, Some("call 0")));
    trace.toggle_filter();
    assert_eq!(selected(&trace), "x0");
    // A search begins with what is in memory, and goes on to the rest.
    trace.search("x12");
    assert!(trace.is_searching());
    assert_eq!(trace.visible_len(), 0);
    while trace.is_searching() {
        trace.search_on();
    }
    assert_eq!(trace.visible_len(), 111);
    assert_eq!(selected(&trace), "x1299");
    // What comes meanwhile is found too.
    trace.push(entry("x12 again", "1"));
    assert_eq!(selected(&trace), "x12 again");
}

#[test]
fn a_hundred_thousand_are_kept_and_no_more() {
    let (mut trace, _shelf) = shelved(None);
    for number in 0..WITH_SHELF + 50 {
        trace.push(entry(&number.to_string(), &number.to_string()));
    }
    trace.step(Step::Up(usize::MAX / 2));
    assert_eq!((trace.len(), selected(&trace)), (WITH_SHELF, "50".into()));
}

#[test]
fn what_the_shelf_forgets_is_gone() {
    let (mut trace, _shelf) = shelved(Some(100_000));
    for number in 0..4_000 {
        trace.push(entry(&format!("x{number}"), "1"));
    }
    assert!((IN_MEMORY..4_000).contains(&trace.len()), "{}", trace.len());
    trace.step(Step::Up(usize::MAX / 2));
    assert!(selected(&trace).starts_with('x'));
}

#[derive(Debug)]
struct Full;

impl Shelf for Full {
    fn put(&mut self, _: &[u8]) -> Option<Place> {
        None
    }

    fn get(&self, _: Place) -> Option<Vec<u8>> {
        None
    }

    fn oldest(&self) -> u64 {
        0
    }
}

#[test]
fn a_full_disk_leaves_what_is_in_memory() {
    let mut trace = Trace::default();
    trace.set_shelf(Arc::new(Mutex::new(Full)));
    for number in 0..4_000 {
        trace.push(entry(&format!("x{number}"), "1"));
    }
    assert_eq!((trace.len(), selected(&trace)), (IN_MEMORY, "x3999".into()));
}

fn of_call(ms: u64, summary: &str) -> TraceEntry {
    TraceEntry { time: at(ms), call: Some(CallNo(1)), text: format!("{summary} {ms}"), ..entry(summary, "c1") }
}

fn happens(trace: &mut Trace, ms: u64, kind: Kind) {
    trace.note(&Event { time: at(ms), kind });
}

#[test]
fn sound_and_digits_stand_between_the_messages_of_their_call() {
    let bob = || reference(1, "sip:bob@example.com");
    let mut trace = Trace::default();
    trace.push(of_call(0, "INVITE sip:b SIP/2.0"));
    // The event overtakes the message that made it.
    happens(&mut trace, 11, established(bob()));
    trace.push(of_call(10, "SIP/2.0 200 OK"));
    trace.push(of_call(12, "ACK sip:b SIP/2.0"));
    let dtmf = |digit| Kind::Dtmf { call: bob(), digit, direction: Direction::Sent };
    happens(&mut trace, 20, dtmf('1'));
    happens(&mut trace, 30, dtmf('2'));
    let stats = crate::app::fixture::stats();
    happens(&mut trace, 5_000, Kind::Stats { call: bob(), stats, processing: None });
    trace.push(of_call(6_000, "BYE sip:b SIP/2.0"));
    trace.push(entry("OPTIONS", "other"));
    happens(&mut trace, 6_010, ended(bob(), EndedBy::Local, None, "", 6.0));
    let expected = [
        "INVITE sip:b SIP/2.0",
        "SIP/2.0 200 OK",
        "RTP PCMU 00:05 MOS 4.4",
        "ACK sip:b SIP/2.0",
        "DTMF 2 digits sent",
        "BYE sip:b SIP/2.0",
        "OPTIONS",
    ];
    assert_eq!(visible(&trace), expected);
    assert!(!format!("{:?}", trace).contains("digit: '"), "which digits is a secret");
    // Its ladder is there when the call is over.
    assert!(trace.show_call(CallNo(1)));
    assert_eq!(visible(&trace), expected[..6]);
    let sound = trace.rung(2);
    assert!(
        matches!(sound, Some(Rung::Note(Note { what: What::Sound(Sound { ended: Some(_), .. }), .. }))),
        "{sound:?}"
    );
    assert!(!trace.show_call(CallNo(9)));
}

#[test]
fn a_wait_without_answer_is_named() {
    let mut trace = Trace::default();
    trace.push(of_call(0, "INVITE sip:b SIP/2.0"));
    happens(&mut trace, 32_000, ended(reference(1, "sip:b"), EndedBy::Timeout, Some(408), "", 0.0));
    assert_eq!(visible(&trace)[1], "gave up: no answer in time (timer B or F)");
}

#[test]
fn keys_go_past_notes_to_messages() {
    let mut trace = Trace::default();
    trace.push(of_call(0, "INVITE sip:b SIP/2.0"));
    happens(&mut trace, 1, established(reference(1, "sip:b")));
    trace.push(of_call(2, "BYE sip:b SIP/2.0"));
    trace.step_message(Step::Up(1));
    assert_eq!(selected(&trace), "INVITE sip:b SIP/2.0");
    trace.step_message(Step::Up(1));
    assert_eq!(selected(&trace), "INVITE sip:b SIP/2.0");
}
