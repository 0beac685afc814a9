//! RFC 3665 sections 3.8 to 3.11: sessions that do not come to stand. Alice calls by both proxies, over UDP.

use std::collections::BTreeMap;
use std::time::Duration;

use offhook::exchange::service::Order;
use offhook::exchange::{Config, Exchange, Service, Strangers};
use offhook::phone::command::Command;

use crate::peer::Peer;
use crate::phone::{Phone, account, caller};
use crate::proxies::{ALICE, BOB, atlanta, biloxi, hop};
use crate::run;

const CHALLENGED: [&str; 3] = ["> INVITE", "< 407", "> ACK"];

/// Alice has called Bob, and Proxy 1 has asked who she is.
async fn alice_calls(proxy_2: &Exchange) -> (Phone, Exchange) {
    let proxy_1 = atlanta(&hop(proxy_2, "UDP"));
    let mut alice = Phone::start("UDP", Some(caller(ALICE, "first", &hop(&proxy_1, "UDP"))));
    alice.calls(BOB).await;
    alice.ladder(&CHALLENGED).await;
    (alice, proxy_1)
}

async fn bob_at(proxy_2: &Exchange) -> Phone {
    let mut bob = Phone::start("UDP", Some(account(BOB, "zanzibar", &hop(proxy_2, "UDP"))));
    bob.ladder(&["> REGISTER", "< 401", "> REGISTER", "< 200"]).await;
    bob
}

#[test]
fn s3_8_unsuccessful_no_answer() {
    run(async {
        let proxy_2 = biloxi(Strangers::Allow);
        let mut bob = bob_at(&proxy_2).await;
        let (mut alice, _proxy_1) = alice_calls(&proxy_2).await;
        alice.ladder(&["> INVITE", "< 180"]).await;
        alice.does(Command::Hangup { call: None }).await;
        alice.ladder(&["> CANCEL", "< 200", "< 487", "> ACK"]).await;
        bob.ladder(&["< INVITE", "> 180", "< CANCEL", "> 200", "> 487", "< ACK"]).await;
        let ended = alice.sees("ended").await;
        assert_eq!((&ended["by"], &ended["code"]), (&"local".into(), &487.into()));
        assert_eq!(bob.sees("ended").await["by"], "remote");
    });
}

#[test]
fn s3_9_unsuccessful_busy() {
    run(async {
        let proxy_2 = biloxi(Strangers::Allow);
        let mut bob = bob_at(&proxy_2).await;
        // He is not to be disturbed, and looks busy.
        bob.does(Command::Dnd { account: None, on: Some(true) }).await;
        let (mut alice, _proxy_1) = alice_calls(&proxy_2).await;
        alice.ladder(&["> INVITE", "< 486", "> ACK"]).await;
        bob.ladder(&["< INVITE", "> 486", "< ACK"]).await;
        let ended = alice.sees("ended").await;
        assert_eq!((&ended["by"], &ended["code"]), (&"remote".into(), &486.into()));
    });
}

/// Bob's phone has registered and says nothing any more: Proxy 2 gives up for Alice after 32 s (Timer B).
#[test]
fn s3_10_unsuccessful_no_response_from_user_agent() {
    run(async {
        let rung = Service { order: Order::InTurn, ring_time: Duration::from_secs(5), ..Service::default() };
        let services = BTreeMap::from([("bob".to_owned(), rung)]);
        let config = Config { domain: "biloxi.example.com".into(), services, ..Config::default() };
        let proxy_2 = Exchange::start(config).unwrap();
        let mut bob = Peer::udp("127.0.0.1").await;
        let at = bob.address();
        let register = format!(
            "REGISTER sip:biloxi.example.com SIP/2.0\r\nVia: SIP/2.0/UDP {at};branch=z9hG4bKnashds7\r\n\
             Max-Forwards: 70\r\nFrom: <{BOB}>;tag=a73kszlfl\r\nTo: <{BOB}>\r\nCall-ID: 1j9FpLxk3uxtm8tn@{at}\r\n\
             CSeq: 1 REGISTER\r\nContact: <sip:bob@{at}>\r\n"
        );
        bob.sends(proxy_2.address(), &register, "").await;
        bob.gets("SIP/2.0 200").await;
        let (mut alice, _proxy_1) = alice_calls(&proxy_2).await;
        alice.ladder(&["> INVITE", "< 480", "> ACK"]).await;
        bob.gets("INVITE ").await;
        let ended = alice.sees("ended").await;
        assert_eq!((&ended["by"], &ended["code"]), (&"remote".into(), &480.into()));
    });
}

#[test]
fn s3_11_unsuccessful_temporarily_unavailable() {
    run(async {
        let proxy_2 = biloxi(Strangers::Allow);
        let mut bob = bob_at(&proxy_2).await;
        let (mut alice, _proxy_1) = alice_calls(&proxy_2).await;
        bob.sees("incoming").await;
        bob.does(Command::Reject { call: None, code: Some(480) }).await;
        alice.ladder(&["> INVITE", "< 180", "< 480", "> ACK"]).await;
        bob.ladder(&["< INVITE", "> 180", "> 480", "< ACK"]).await;
        let ended = alice.sees("ended").await;
        assert_eq!((&ended["by"], &ended["code"]), (&"remote".into(), &480.into()));
    });
}
