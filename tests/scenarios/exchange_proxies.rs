//! RFC 3665 sections 3.2, 3.3, 3.4 and 3.6 with our exchanges as the proxies.

use offhook::exchange::{Config, Route, Service, Strangers};
use offhook::sip::HeaderName;

use crate::harness::town::{Town, exchange_for};
use crate::harness::{ms, uri};

/// The exchange of atlanta.example.com, which knows the ways to biloxi.example.com.
fn atlanta(hops: &[u8]) -> Config {
    let hops = hops.iter().map(|place| uri(&format!("sip:10.0.1.{place}"))).collect();
    let routes = vec![Route { domain: "biloxi.example.com".into(), hops }];
    Config { routes, ..exchange_for("atlanta.example.com", 1, &["alice"]) }
}

fn biloxi(strangers: Strangers) -> Config {
    Config { strangers, ..exchange_for("biloxi.example.com", 2, &["bob", "alice"]) }
}

fn cities(strangers: Strangers, realms: &[&str]) -> Town {
    let mut town = Town::new(vec![("ss1", atlanta(&[2])), ("ss2", biloxi(strangers))]);
    town.phone_of("alice", "alice", "atlanta.example.com", 1, realms);
    town.phone_of("bob", "bob", "biloxi.example.com", 2, &[]);
    town
}

#[test]
fn section_3_2_session_establishment_through_two_proxies() {
    let mut town = cities(Strangers::Allow, &[]);
    town.dial("alice", "sip:bob@biloxi.example.com");
    let ringing = town.rings("bob");
    assert_eq!(
        town.header("bob", "INVITE", &HeaderName::RecordRoute),
        ["<sip:10.0.1.2:5060;lr>", "<sip:10.0.1.1:5060;lr>"]
    );
    town.advance(ms(100));
    town.answer("bob", ringing);
    town.established("alice");
    town.established("bob");
    town.hang_up("bob", ringing);
    town.ended("alice");
    let ladder = town.ladder();
    let from_challenge: Vec<&str> = ladder.iter().skip(3).map(String::as_str).collect();
    let expected = [
        "alice INVITE ss1",
        "ss1 INVITE ss2",
        "ss2 INVITE bob",
        "bob 180 ss2",
        "ss2 180 ss1",
        "ss1 180 alice",
        "bob 200 ss2",
        "ss2 200 ss1",
        "ss1 200 alice",
        "alice ACK ss1",
        "ss1 ACK ss2",
        "ss2 ACK bob",
        "bob BYE ss2",
        "ss2 BYE ss1",
        "ss1 BYE alice",
        "alice 200-BYE ss1",
    ];
    assert_eq!(from_challenge, expected);
    town.assert_quiescent();
}

#[test]
fn section_3_3_session_with_multiple_proxy_authentication() {
    let mut town = cities(Strangers::Challenge, &["biloxi.example.com"]);
    let call = town.dial("alice", "sip:bob@biloxi.example.com");
    let ringing = town.rings("bob");
    town.answer("bob", ringing);
    town.established("alice");
    town.established("bob");
    assert_eq!(town.count("alice", "407"), 2, "one for each realm");
    assert!(town.header("bob", "INVITE", &HeaderName::ProxyAuthorization).is_empty(), "each took off its own");
    town.hang_up("alice", call);
    town.ended("bob");
    town.assert_quiescent();
}

#[test]
fn section_3_3_without_the_second_password() {
    let mut town = cities(Strangers::Challenge, &[]);
    town.dial("alice", "sip:bob@biloxi.example.com");
    assert_eq!(town.ended("alice").0, Some(407));
    town.silent("bob");
    let mut closed = cities(Strangers::Refuse, &[]);
    closed.dial("alice", "sip:bob@biloxi.example.com");
    assert_eq!(closed.ended("alice").0, Some(403));
    closed.assert_quiescent();
}

#[test]
fn section_3_4_the_first_of_two_next_proxies_is_dead() {
    let mut town = Town::new(vec![("ss1", atlanta(&[3, 2])), ("ss2", biloxi(Strangers::Allow))]);
    town.phone_of("alice", "alice", "atlanta.example.com", 1, &[]);
    town.phone_of("bob", "bob", "biloxi.example.com", 2, &[]);
    let begun = town.now;
    let call = town.dial("alice", "sip:bob@biloxi.example.com");
    let ringing = town.rings("bob");
    assert!((town.now - begun).as_secs() <= 5, "{:?}", town.now - begun);
    assert!(town.count("10.0.1.3:5060", "INVITE") > 1, "it was repeated before");
    town.answer("bob", ringing);
    town.established("alice");
    town.hang_up("alice", call);
    town.ended("bob");
    town.assert_quiescent();
}

#[test]
fn section_3_4_all_next_proxies_are_dead() {
    let mut town = Town::new(vec![("ss1", atlanta(&[3, 4]))]);
    town.phone_of("alice", "alice", "atlanta.example.com", 1, &[]);
    town.dial("alice", "sip:bob@biloxi.example.com");
    let (code, _) = town.ended("alice");
    assert_eq!(code, Some(480));
    town.assert_quiescent();
}

#[test]
fn section_3_6_session_via_redirect() {
    let mut config = exchange_for("example.com", 1, &["alice", "bob", "carol"]);
    let service = Service { redirect: Some("carol".into()), ..Service::default() };
    config.services.insert("bob".into(), service);
    let mut town = Town::new(vec![("redirect", config)]);
    town.phone("alice", "alice");
    town.phone("carol", "carol");
    let call = town.dial("alice", "sip:bob@example.com");
    let ringing = town.rings("carol");
    assert_eq!(town.count("alice", "302"), 1);
    town.answer("carol", ringing);
    town.established("alice");
    town.hang_up("alice", call);
    town.ended("carol");
    town.assert_quiescent();
}
