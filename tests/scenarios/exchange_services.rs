//! The services that the draft of 1999 gives to the proxy, sections 2.5 to 2.7 and 2.9 to 2.12, through the exchange's core;
//! each with what may go wrong in it.

use offhook::exchange::{Order, Pattern, Service};
use offhook::sip::{HeaderName, Message};

use crate::harness::town::{Town, exchange_for, with_service};
use crate::harness::{ms, s};

fn some(text: &str) -> Option<String> {
    Some(text.to_owned())
}

/// A town with the phones of alice, bob and carol, and this service of bob's.
fn town(service: Service) -> Town {
    let mut town = Town::new(vec![("proxy", with_service(service))]);
    for name in ["alice", "bob", "carol"] {
        town.phone(name, name);
    }
    town
}

/// The calls of both are up; the caller hangs up, and nothing is left.
#[track_caller]
fn talk(town: &mut Town, caller: &str, call: offhook::ua::CallNo, callee: &str) {
    town.established(caller);
    town.established(callee);
    town.hang_up(caller, call);
    town.ended(callee);
    town.assert_quiescent();
}

// ---- 2.5 ----

#[test]
fn section_2_5_call_forwarding_unconditional() {
    let mut town = town(Service { forward: some("carol"), ..Service::default() });
    let call = town.dial("alice", "sip:bob@example.com");
    let (ringing, diverted_from) = town.rings_diverted("carol");
    assert!(diverted_from.is_some_and(|from| from.contains("bob@example.com")));
    town.advance(ms(100));
    town.answer("carol", ringing);
    town.established("alice");
    town.established("carol");
    town.silent("bob");
    assert_eq!(town.count("bob", "INVITE"), 0);
    let diversion = town.header("carol", "INVITE", &offhook::sip::other("Diversion"));
    let history = town.header("carol", "INVITE", &HeaderName::HistoryInfo);
    assert_eq!(diversion, ["<sip:bob@example.com>;reason=unconditional;counter=1"]);
    town.advance(ms(100));
    assert_eq!(history, ["<sip:bob@example.com>;index=1", "<sip:carol@example.com;cause=302>;index=1.1;mp=1"]);
    town.hang_up("alice", call);
    town.ended("carol");
    let ladder = town.ladder();
    let ladder: Vec<&str> = ladder.iter().map(String::as_str).collect();
    let expected = [
        "alice INVITE proxy",
        "proxy 407 alice",
        "alice ACK proxy",
        "alice INVITE proxy",
        "proxy INVITE carol",
        "carol 180 proxy",
        "proxy 180 alice",
        "carol 200 proxy",
        "proxy 200 alice",
        "alice ACK proxy",
        "proxy ACK carol",
        "alice BYE proxy",
        "proxy BYE carol",
        "carol 200-BYE proxy",
    ];
    assert_eq!(ladder, expected);
    town.assert_quiescent();
}

#[test]
fn section_2_5_the_target_is_busy_refuses_or_has_vanished() {
    for (code, seen) in [(486, 486), (603, 603)] {
        let mut town = town(Service { forward: some("carol"), ..Service::default() });
        town.dial("alice", "sip:bob@example.com");
        let ringing = town.rings("carol");
        town.reject("carol", ringing, code);
        assert_eq!(town.ended("alice").0, Some(seen));
        town.assert_quiescent();
    }
    let mut town = town(Service { forward: some("carol"), ..Service::default() });
    town.switch_off("carol");
    town.dial("alice", "sip:bob@example.com");
    assert_eq!(town.ended("alice").0, Some(408));
    town.assert_quiescent();
}

#[test]
fn section_2_5_forwarded_in_a_circle_or_to_nobody() {
    let mut config = with_service(Service { forward: some("carol"), ..Service::default() });
    config.services.insert("carol".into(), Service { forward: some("bob"), ..Service::default() });
    let mut town = Town::new(vec![("proxy", config)]);
    town.phone("alice", "alice");
    town.dial("alice", "sip:bob@example.com");
    assert_eq!(town.ended("alice").0, Some(482));
    town.dial("alice", "sip:dave@example.com");
    assert_eq!(town.ended("alice").0, Some(480));
    town.assert_quiescent();
}

// ---- 2.6 ----

#[test]
fn section_2_6_call_forwarding_busy() {
    let mut town = town(Service { forward_busy: some("carol"), ..Service::default() });
    let call = town.dial("alice", "sip:bob@example.com");
    let at_bob = town.rings("bob");
    town.reject("bob", at_bob, 486);
    let ringing = town.rings("carol");
    let diversion = town.header("carol", "INVITE", &offhook::sip::other("Diversion"));
    assert_eq!(diversion, ["<sip:bob@example.com>;reason=user-busy;counter=1"]);
    assert_eq!(town.count("alice", "486"), 0);
    town.answer("carol", ringing);
    talk(&mut town, "alice", call, "carol");
}

#[test]
fn section_2_6_not_busy_is_not_forwarded() {
    for code in [404, 480, 603] {
        let mut town = town(Service { forward_busy: some("carol"), ..Service::default() });
        town.dial("alice", "sip:bob@example.com");
        let at_bob = town.rings("bob");
        town.reject("bob", at_bob, code);
        assert_eq!(town.ended("alice").0, Some(code));
        assert_eq!(town.count("carol", "INVITE"), 0);
        town.assert_quiescent();
    }
}

#[test]
fn section_2_6_both_are_busy() {
    let mut town = town(Service { forward_busy: some("carol"), ..Service::default() });
    town.dial("alice", "sip:bob@example.com");
    for name in ["bob", "carol"] {
        let ringing = town.rings(name);
        town.reject(name, ringing, 486);
    }
    assert_eq!(town.ended("alice").0, Some(486));
    town.assert_quiescent();
}

// ---- 2.7 ----

fn no_answer() -> Service {
    Service { forward_no_answer: some("carol"), no_answer_after: s(15), ..Service::default() }
}

#[test]
fn section_2_7_call_forwarding_no_answer() {
    let mut town = town(no_answer());
    let call = town.dial("alice", "sip:bob@example.com");
    town.rings("bob");
    let begun = town.now;
    let ringing = town.rings("carol");
    assert!((14_900..15_200).contains(&(town.now - begun).as_millis()), "{:?}", town.now - begun);
    assert_eq!(town.ended("bob").0, Some(487));
    let cancels: Vec<String> = town.header("bob", "CANCEL", &HeaderName::Reason);
    assert!(cancels.is_empty(), "a missed call for bob: {cancels:?}");
    town.answer("carol", ringing);
    town.established("alice");
    let rung = town.ladder();
    let place = |line: &str| rung.iter().position(|other| other == line);
    assert!(place("proxy CANCEL bob") < place("proxy INVITE carol"));
    talk_on(&mut town, call);
}

/// Alice's call to carol is up.
#[track_caller]
fn talk_on(town: &mut Town, call: offhook::ua::CallNo) {
    town.established("carol");
    town.hang_up("alice", call);
    town.ended("carol");
    town.assert_quiescent();
}

#[test]
fn section_2_7_answered_in_time() {
    let mut town = town(no_answer());
    let call = town.dial("alice", "sip:bob@example.com");
    let ringing = town.rings("bob");
    town.advance(s(14));
    town.answer("bob", ringing);
    talk(&mut town, "alice", call, "bob");
    assert_eq!(town.count("carol", "INVITE"), 0);
}

#[test]
fn section_2_7_answered_late_while_the_cancel_is_under_way() {
    let mut town = town(no_answer());
    let call = town.dial("alice", "sip:bob@example.com");
    let ringing = town.rings("bob");
    while town.count("bob", "CANCEL") == 0 {
        town.advance(ms(1));
    }
    town.answer("bob", ringing);
    town.established("alice");
    town.rings("carol");
    assert_eq!(town.ended("carol").0, Some(487), "the call was answered elsewhere");
    assert!(town.header("carol", "CANCEL", &HeaderName::Reason)[0].contains("cause=200"));
    talk_up(&mut town, call);
}

/// Alice's call to bob is up.
#[track_caller]
fn talk_up(town: &mut Town, call: offhook::ua::CallNo) {
    town.established("bob");
    town.hang_up("alice", call);
    town.ended("bob");
    town.assert_quiescent();
}

#[test]
fn section_2_7_the_phone_has_vanished_or_never_registered() {
    let mut away = town(no_answer());
    away.switch_off("bob");
    let call = away.dial("alice", "sip:bob@example.com");
    let ringing = away.rings("carol");
    away.answer("carol", ringing);
    away.established("alice");
    talk_on(&mut away, call);

    let mut config = with_service(no_answer());
    config.users.push(offhook::exchange::User { name: "erin".into(), password: "secret".into() });
    let mut town = Town::new(vec![("proxy", config)]);
    town.phone("alice", "alice");
    town.phone("carol", "carol");
    let call = town.dial("alice", "sip:bob@example.com");
    let ringing = town.rings("carol");
    town.answer("carol", ringing);
    town.established("alice");
    talk_on(&mut town, call);
}

#[test]
fn section_2_7_the_caller_gives_up_or_nobody_answers_at_all() {
    let mut town = town(no_answer());
    let call = town.dial("alice", "sip:bob@example.com");
    town.rings("bob");
    town.advance(s(5));
    town.hang_up("alice", call);
    assert_eq!(town.ended("bob").0, Some(487));
    town.advance(s(60));
    assert_eq!(town.count("carol", "INVITE"), 0);

    town.dial("alice", "sip:bob@example.com");
    town.rings("carol");
    town.hang_up("alice", offhook::ua::CallNo(2));
    town.ended("carol");
    town.assert_quiescent();
}

#[test]
fn section_2_7_refused_for_all_is_refused() {
    let mut town = town(no_answer());
    town.dial("alice", "sip:bob@example.com");
    let ringing = town.rings("bob");
    town.reject("bob", ringing, 603);
    assert_eq!(town.ended("alice").0, Some(603));
    assert_eq!(town.count("carol", "INVITE"), 0);
    town.assert_quiescent();
}

// ---- 2.9 ----

/// Bob has a phone on each floor, one line.
fn one_line() -> Town {
    let mut town = Town::new(vec![("proxy", with_service(Service::default()))]);
    for (name, user) in [("alice", "alice"), ("cellar", "bob"), ("kitchen", "bob"), ("attic", "bob")] {
        town.phone(name, user);
    }
    town
}

#[test]
fn section_2_9_single_line_extension() {
    let mut town = one_line();
    let call = town.dial("alice", "sip:bob@example.com");
    town.rings("cellar");
    let ringing = town.rings("kitchen");
    town.rings("attic");
    town.answer("kitchen", ringing);
    for other in ["cellar", "attic"] {
        assert_eq!(town.ended(other).0, Some(487), "no other set may join");
        assert!(town.header(other, "CANCEL", &HeaderName::Reason)[0].contains("cause=200"), "no missed call");
    }
    talk(&mut town, "alice", call, "kitchen");
}

#[test]
fn section_2_9_one_set_is_busy_one_has_vanished() {
    let mut town = one_line();
    town.switch_off("cellar");
    let call = town.dial("alice", "sip:bob@example.com");
    let at_kitchen = town.rings("kitchen");
    town.reject("kitchen", at_kitchen, 486);
    let ringing = town.rings("attic");
    town.answer("attic", ringing);
    talk(&mut town, "alice", call, "attic");
}

#[test]
fn section_2_9_two_answer_at_once() {
    let mut town = one_line();
    let call = town.dial("alice", "sip:bob@example.com");
    let (first, second) = (town.rings("kitchen"), town.rings("attic"));
    town.answer("kitchen", first);
    town.answer("attic", second);
    town.established("alice");
    town.established("kitchen");
    // RFC 3261 section 13.2.2.4: the caller ends the one that came second.
    town.ended("attic");
    town.hang_up("alice", call);
    town.ended("kitchen");
    town.assert_quiescent();
}

#[test]
fn section_2_9_a_group_rings_together() {
    let mut config = exchange_for("example.com", 1, &["alice", "carol", "dave"]);
    let places = vec!["carol".to_owned(), "dave".to_owned()];
    config.services.insert("sales".into(), Service { places, ..Service::default() });
    let mut town = Town::new(vec![("proxy", config)]);
    for name in ["alice", "carol", "dave"] {
        town.phone(name, name);
    }
    let call = town.dial("alice", "sip:sales@example.com");
    town.rings("carol");
    let ringing = town.rings("dave");
    town.answer("dave", ringing);
    assert_eq!(town.ended("carol").0, Some(487));
    talk(&mut town, "alice", call, "dave");
}

// ---- 2.10 ----

/// Bob is looked for at his desk, then at B2, B3 and B4, 10 s each.
fn find_me() -> Town {
    let places = ["b2", "b3", "b4"].map(String::from).to_vec();
    let service = Service { places, order: Order::InTurn, ring_time: s(10), ..Service::default() };
    let mut config = exchange_for("example.com", 1, &["alice", "bob", "b2", "b3", "b4"]);
    config.services.insert("bob".into(), service);
    let mut town = Town::new(vec![("proxy", config)]);
    for (name, user) in [("alice", "alice"), ("desk", "bob"), ("b2", "b2"), ("b3", "b3"), ("b4", "b4")] {
        town.phone(name, user);
    }
    town
}

#[test]
fn section_2_10_find_me() {
    let mut town = find_me();
    let call = town.dial("alice", "sip:bob@example.com");
    town.rings("desk");
    town.silent("b2");
    let at_b2 = town.rings("b2");
    assert_eq!(town.ended("desk").0, Some(487));
    town.reject("b2", at_b2, 480);
    let at_b3 = town.rings("b3");
    town.reject("b3", at_b3, 486);
    let ringing = town.rings("b4");
    town.answer("b4", ringing);
    town.established("alice");
    town.established("b4");
    town.advance(ms(100));
    let requests = town
        .log
        .iter()
        .filter(|(from, to, message)| from == "proxy" && to != "alice" && matches!(message, Message::Request(_)));
    let requests: Vec<String> = requests
        .map(|(_, to, message)| match message {
            Message::Request(request) => format!("{} {to}", request.method),
            Message::Response(_) => String::new(),
        })
        .collect();
    let expected =
        ["INVITE desk", "CANCEL desk", "INVITE b2", "ACK desk", "ACK b2", "INVITE b3", "ACK b3", "INVITE b4", "ACK b4"];
    assert_eq!(requests, expected);
    town.hang_up("alice", call);
    town.ended("b4");
    town.assert_quiescent();
}

#[test]
fn section_2_10_phones_by_q() {
    let mut config = with_service(Service { order: Order::InTurn, ring_time: s(10), ..Service::default() });
    config.users.retain(|user| user.name != "dave");
    let mut town = Town::new(vec![("proxy", config)]);
    town.phone("alice", "alice");
    town.phone("first", "bob");
    town.phone("second", "bob");
    // Both have the same q: they ring at once, and then nobody is left.
    town.dial("alice", "sip:bob@example.com");
    town.rings("first");
    town.rings("second");
    let begun = town.now;
    assert_eq!(town.ended("alice").0, Some(480));
    assert!((9_800..11_000).contains(&(town.now - begun).as_millis()), "{:?}", town.now - begun);
    town.assert_quiescent();
}

#[test]
fn section_2_10_nobody_is_found() {
    let mut town = find_me();
    let begun = town.now;
    town.dial("alice", "sip:bob@example.com");
    for name in ["desk", "b2", "b3", "b4"] {
        town.rings(name);
    }
    assert_eq!(town.ended("alice").0, Some(480));
    assert!((40_000..41_000).contains(&(town.now - begun).as_millis()), "{:?}", town.now - begun);
    town.assert_quiescent();
}

#[test]
fn section_2_10_a_place_has_vanished_and_another_refuses_for_all() {
    let mut town = find_me();
    town.switch_off("desk");
    town.dial("alice", "sip:bob@example.com");
    let at_b2 = town.rings("b2");
    town.reject("b2", at_b2, 603);
    assert_eq!(town.ended("alice").0, Some(603));
    assert_eq!(town.count("b3", "INVITE"), 0);
    town.assert_quiescent();
}

#[test]
fn section_2_10_the_first_place_answers_late() {
    let mut town = find_me();
    let call = town.dial("alice", "sip:bob@example.com");
    let ringing = town.rings("desk");
    while town.count("desk", "CANCEL") == 0 {
        town.advance(ms(1));
    }
    town.answer("desk", ringing);
    town.rings("b2");
    assert_eq!(town.ended("b2").0, Some(487));
    talk(&mut town, "alice", call, "desk");
}

#[test]
fn section_2_10_the_caller_gives_up() {
    let mut town = find_me();
    let call = town.dial("alice", "sip:bob@example.com");
    town.rings("b2");
    town.hang_up("alice", call);
    assert_eq!(town.ended("b2").0, Some(487));
    assert_eq!(town.ended("alice").0, Some(487));
    town.advance(s(60));
    assert_eq!(town.count("b3", "INVITE"), 0);
    town.assert_quiescent();
}

// ---- 2.11 ----

#[test]
fn section_2_11_incoming_call_screening() {
    let block = vec![Pattern::new("al*@example.com").unwrap()];
    let mut town = town(Service { block, ..Service::default() });
    town.dial("alice", "sip:bob@example.com");
    let (code, reason) = town.ended("alice");
    assert_eq!(code, Some(403));
    assert!(reason.contains("Screening Failure (Terminating)"), "{reason}");
    assert_eq!(
        town.ladder(),
        [
            "alice INVITE proxy",
            "proxy 407 alice",
            "alice ACK proxy",
            "alice INVITE proxy",
            "proxy 403 alice",
            "alice ACK proxy"
        ]
    );
    let call = town.dial("carol", "sip:bob@example.com");
    let ringing = town.rings("bob");
    town.answer("bob", ringing);
    talk(&mut town, "carol", call, "bob");
}

#[test]
fn section_2_11_only_those_on_the_list_and_no_way_around_by_forwarding() {
    let allow = vec![Pattern::new("carol").unwrap()];
    let mut config = with_service(Service { allow, ..Service::default() });
    config.services.insert("dave".into(), Service { forward: some("bob"), ..Service::default() });
    let mut town = Town::new(vec![("proxy", config)]);
    for name in ["alice", "bob", "carol"] {
        town.phone(name, name);
    }
    for target in ["sip:bob@example.com", "sip:dave@example.com"] {
        town.dial("alice", target);
        assert_eq!(town.ended("alice").0, Some(403));
    }
    let call = town.dial("carol", "sip:bob@example.com");
    let ringing = town.rings("bob");
    town.answer("bob", ringing);
    talk(&mut town, "carol", call, "bob");
}

// ---- 2.12 ----

#[test]
fn section_2_12_outgoing_call_screening() {
    let block_outgoing = vec![Pattern::new("car*").unwrap(), Pattern::new("11*").unwrap()];
    let mut town = town(Service { block_outgoing, ..Service::default() });
    town.dial("bob", "sip:carol@example.com");
    let (code, reason) = town.ended("bob");
    assert_eq!(code, Some(403));
    assert!(reason.contains("Screening Failure (Originating)"), "{reason}");
    assert_eq!(town.count("carol", "INVITE"), 0);
    // An emergency number is never screened: there is nobody behind it here.
    town.dial("bob", "sip:112@example.com");
    assert_eq!(town.ended("bob").0, Some(404));
    let call = town.dial("bob", "sip:alice@example.com");
    let ringing = town.rings("alice");
    town.answer("alice", ringing);
    talk(&mut town, "bob", call, "alice");
}

#[test]
fn section_2_12_forwarding_is_no_way_around() {
    let block_outgoing = vec![Pattern::new("carol").unwrap()];
    let mut town = town(Service { block_outgoing, forward: some("carol"), ..Service::default() });
    town.dial("alice", "sip:bob@example.com");
    assert_eq!(town.ended("alice").0, Some(403));
    town.assert_quiescent();
}
