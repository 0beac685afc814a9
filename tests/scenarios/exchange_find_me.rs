//! Section 2.10 of the draft where one user has phones of unequal preference: they ring one after the other by q.

use offhook::exchange::{Config, Order, Service};

use crate::harness::s;
use crate::harness::town::{Town, with_service};

/// Bob prefers his desk, then either of two phones at home, then the hut; each has 10 s.
fn by_preference() -> Town {
    let service = Service { order: Order::InTurn, ring_time: s(10), ..Service::default() };
    let mut town = Town::new(vec![("proxy", Config { users: Vec::new(), ..with_service(service) })]);
    town.phone("alice", "alice");
    // Not registered in their order of preference.
    for (name, q) in [("hut", "0.1"), ("kitchen", "0.5"), ("desk", "1.0"), ("attic", "0.5")] {
        town.phone(name, "bob");
        town.prefer(name, "bob", q);
    }
    town
}

#[test]
fn section_2_10_phones_ring_by_their_q() {
    let mut town = by_preference();
    let begun = town.now;
    let call = town.dial("alice", "sip:bob@example.com");
    town.rings("desk");
    for later in ["kitchen", "attic", "hut"] {
        town.silent(later);
    }
    assert_eq!(town.ended("desk").0, Some(487));
    // Those of the same q ring together.
    let at_kitchen = town.rings("kitchen");
    let at_attic = town.rings("attic");
    assert!((10_000..10_500).contains(&(town.now - begun).as_millis()), "{:?}", town.now - begun);
    town.silent("hut");
    town.reject("kitchen", at_kitchen, 486);
    town.reject("attic", at_attic, 480);
    // Nobody is left there: no need to wait for the rest of the 10 s.
    let at_hut = town.rings("hut");
    assert!((town.now - begun).as_millis() < 11_000, "{:?}", town.now - begun);
    town.answer("hut", at_hut);
    town.established("alice");
    town.established("hut");
    assert_eq!(town.count("desk", "INVITE"), 1);
    town.hang_up("alice", call);
    town.ended("hut");
    town.assert_quiescent();
}

#[test]
fn section_2_10_the_first_of_a_pair_answers_and_the_last_is_spared() {
    let mut town = by_preference();
    town.dial("alice", "sip:bob@example.com");
    let at_desk = town.rings("desk");
    town.reject("desk", at_desk, 486);
    town.rings("kitchen");
    let at_attic = town.rings("attic");
    town.answer("attic", at_attic);
    town.established("alice");
    assert_eq!(town.ended("kitchen").0, Some(487));
    town.hang_up("attic", at_attic);
    town.ended("alice");
    assert_eq!(town.count("hut", "INVITE"), 0);
    town.assert_quiescent();
}

#[test]
fn section_2_10_a_preference_that_changes_counts_for_the_next_call() {
    let mut town = by_preference();
    town.prefer("hut", "bob", "0.9");
    town.prefer("desk", "bob", "0.2");
    town.dial("alice", "sip:bob@example.com");
    let at_hut = town.rings("hut");
    town.silent("desk");
    town.reject("hut", at_hut, 603);
    assert_eq!(town.ended("alice").0, Some(603));
    town.assert_quiescent();
}
