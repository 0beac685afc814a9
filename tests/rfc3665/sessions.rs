//! RFC 3665 sections 3.1 to 3.7: sessions that come to stand.

use std::collections::BTreeMap;
use std::net::UdpSocket;

use offhook::exchange::{Config, Exchange, Service, Strangers};
use offhook::phone::command::Command;

use crate::gateway::Gateway;
use crate::peer::{Peer, contact, response, sdp};
use crate::phone::{Phone, account, caller, credentials, values};
use crate::proxies::{ALICE, BOB, atlanta, biloxi, hop};
use crate::run;

const CALLED: [&str; 4] = ["< INVITE", "> 180", "> 200", "< ACK"];
const RINGS_AND_STANDS: [&str; 4] = ["> INVITE", "< 180", "< 200", "> ACK"];
const CHALLENGED: [&str; 3] = ["> INVITE", "< 407", "> ACK"];

/// Bob, registered at Proxy 2.
async fn bob_at(proxy: &str, transport: &'static str) -> Phone {
    let mut bob = Phone::start(transport, Some(account(BOB, "zanzibar", proxy)));
    bob.ladder(&["> REGISTER", "< 401", "> REGISTER", "< 200"]).await;
    bob
}

/// Bob answers, both talk, Bob hangs up: the end of each of these flows.
async fn answered_and_hung_up(alice: &mut Phone, bob: &mut Phone) {
    bob.sees("incoming").await;
    bob.does(Command::Answer { call: None }).await;
    bob.ladder(&CALLED).await;
    alice.ladder(&RINGS_AND_STANDS).await;
    alice.sees("established").await;
    bob.sees("established").await;
    hung_up(alice, bob).await;
}

async fn hung_up(alice: &mut Phone, bob: &mut Phone) {
    bob.does(Command::Hangup { call: None }).await;
    bob.ladder(&["> BYE", "< 200"]).await;
    alice.ladder(&["< BYE", "> 200"]).await;
    assert_eq!(alice.sees("ended").await["by"], "remote");
    assert_eq!(bob.sees("ended").await["by"], "local");
}

#[test]
fn s3_1_successful_session_establishment() {
    run(async {
        let (mut alice, mut bob) = (Phone::start("TCP", None), Phone::start("TCP", None));
        alice.calls(&format!("{};transport=tcp", bob.address())).await;
        answered_and_hung_up(&mut alice, &mut bob).await;
        assert!(values(alice.message("INVITE"), "Contact")[0].contains(";transport=tcp"));
    });
}

#[test]
fn s3_2_session_establishment_through_two_proxies() {
    run(async {
        let proxy_2 = biloxi(Strangers::Allow);
        let proxy_1 = atlanta(&hop(&proxy_2, "TCP"));
        let mut bob = bob_at(&hop(&proxy_2, "TCP"), "TCP").await;
        let mut alice = Phone::start("TCP", Some(caller(ALICE, "first", &hop(&proxy_1, "TCP"))));
        alice.calls(BOB).await;
        alice.ladder(&CHALLENGED).await;
        answered_and_hung_up(&mut alice, &mut bob).await;

        let routes: Vec<String> = [&proxy_2, &proxy_1].map(|proxy| format!("<{};lr>", hop(proxy, "TCP"))).to_vec();
        let f14 = bob.message("INVITE");
        assert_eq!(values(f14, "Record-Route"), routes);
        assert_eq!(values(f14, "Via").len(), 3, "both proxies and Alice: {f14}");
        assert!(values(f14, "Proxy-Authorization").is_empty(), "the first proxy keeps what was meant for it: {f14}");
        let ack = alice.message("ACK");
        assert_eq!(values(ack, "Route"), [routes[1].as_str(), routes[0].as_str()]);
    });
}

#[test]
fn s3_3_session_with_multiple_proxy_authentication() {
    run(async {
        let proxy_2 = biloxi(Strangers::Challenge);
        let proxy_1 = atlanta(&hop(&proxy_2, "UDP"));
        let mut bob = bob_at(&hop(&proxy_2, "UDP"), "UDP").await;
        let mut account = caller(ALICE, "first", &hop(&proxy_1, "UDP"));
        account.credentials = vec![credentials("biloxi.example.com", "alice", "second")];
        let mut alice = Phone::start("", Some(account));
        alice.calls(BOB).await;
        alice.ladder(&CHALLENGED).await;
        alice.ladder(&CHALLENGED).await;
        assert!(alice.messages.iter().all(|message| message.contains("\nVia: SIP/2.0/UDP ")), "by UDP so far");
        answered_and_hung_up(&mut alice, &mut bob).await;

        // With both answers in it the INVITE may be too long for a datagram (RFC 3261 section 18.1.1).
        let shown = values(alice.message("INVITE"), "Proxy-Authorization").join(", ");
        for realm in ["atlanta.example.com", "biloxi.example.com"] {
            assert!(shown.contains(&format!("realm=\"{realm}\"")), "{shown}");
        }
    });
}

/// Proxy 1 is dead: it takes what comes and says nothing.
#[test]
fn s3_4_session_with_proxy_failure() {
    run(async {
        let proxy_2 = biloxi(Strangers::Challenge);
        let mut bob = bob_at(&hop(&proxy_2, "UDP"), "UDP").await;
        let proxy_1 = UdpSocket::bind("127.0.0.1:0").unwrap();
        let mut account = caller(ALICE, "", &format!("sip:{}", proxy_1.local_addr().unwrap()));
        account.proxies.push(vec![hop(&proxy_2, "UDP")]);
        account.credentials = vec![credentials("biloxi.example.com", "alice", "second")];
        let mut alice = Phone::start("UDP", Some(account));
        alice.calls(BOB).await;
        // F1, which is repeated for 32 s (Timer B), then F2 to the other proxy.
        alice.ladder(&["> INVITE"]).await;
        alice.ladder(&CHALLENGED).await;
        answered_and_hung_up(&mut alice, &mut bob).await;

        let mut sent = 0;
        let mut buffer = [0; 4096];
        proxy_1.set_nonblocking(true).unwrap();
        while proxy_1.recv(&mut buffer).is_ok_and(|length| buffer[..length].starts_with(b"INVITE ")) {
            sent += 1;
        }
        assert_eq!(sent, 7, "at 0, 0.5, 1.5, 3.5, 7.5, 15.5 and 31.5 s (RFC 3261 section 17.1.1.2)");
    });
}

#[test]
fn s3_5_session_through_a_sip_alg() {
    run(async {
        let proxy_2 = biloxi(Strangers::Allow);
        let mut bob = bob_at(&hop(&proxy_2, "UDP"), "UDP").await;
        let gateway = Gateway::start(proxy_2.address()).await;
        let mut alice = Phone::start("UDP", Some(caller(ALICE, "", &format!("sip:{}", gateway.address))));
        alice.calls(BOB).await;
        bob.sees("incoming").await;
        bob.does(Command::Answer { call: None }).await;
        alice.ladder(&RINGS_AND_STANDS).await;
        bob.ladder(&CALLED).await;
        // Each hears the gateway, which carries the sound from one side to the other.
        assert_eq!(alice.sees("established").await["remote_rtp"], gateway.sound[0].to_string());
        assert_eq!(bob.sees("established").await["remote_rtp"], gateway.sound[1].to_string());
        for phone in [&mut alice, &mut bob] {
            phone.sees_fitting("stats", |heard| heard["received"].as_u64().unwrap() > 100).await;
        }
        hung_up(&mut alice, &mut bob).await;
        assert_eq!(values(bob.message("INVITE"), "Record-Route").len(), 2, "the gateway and Proxy 2");
    });
}

/// The redirect server, and Proxy 3, where Bob is now.
fn redirecting() -> (Exchange, Exchange) {
    let proxy_3 = Exchange::start(Config { domain: "chicago.example.com".into(), ..Config::default() }).unwrap();
    let to = format!("sip:bob@{};transport=tcp", proxy_3.address());
    let services = BTreeMap::from([("bob".to_owned(), Service { redirect: Some(to), ..Service::default() })]);
    let config = Config { domain: "biloxi.example.com".into(), services, ..Config::default() };
    (Exchange::start(config).unwrap(), proxy_3)
}

async fn bob_in_chicago(proxy_3: &Exchange) -> Phone {
    let account = account("sip:bob@chicago.example.com", "", &hop(proxy_3, "TCP"));
    let mut bob = Phone::start("TCP", Some(account));
    bob.ladder(&["> REGISTER", "< 200"]).await;
    bob
}

/// Alice is our phone here: her INVITE has the description at once.
#[test]
fn s3_6_session_via_redirect_and_proxy_servers() {
    run(async {
        let (server, proxy_3) = redirecting();
        let mut bob = bob_in_chicago(&proxy_3).await;
        let mut alice = Phone::start("TCP", None);
        alice.calls(&format!("sip:bob@{};transport=tcp", server.address())).await;
        alice.ladder(&["> INVITE", "< 302", "> ACK"]).await;
        answered_and_hung_up(&mut alice, &mut bob).await;
        let (f1, f4) = (&alice.messages[0], alice.message("INVITE"));
        assert_eq!((values(f1, "Call-ID"), values(f1, "From")), (values(f4, "Call-ID"), values(f4, "From")));
    });
}

/// Alice is a peer here, for the phone always has something to offer.
#[test]
fn s3_6_session_via_redirect_and_proxy_servers_with_sdp_in_ack() {
    run(async {
        let (server, proxy_3) = redirecting();
        let mut bob = bob_in_chicago(&proxy_3).await;
        let mut first = Peer::tcp(server.address()).await;
        let common = |peer: &Peer, method: &str, seq: u32, branch: &str, to: &str| {
            let at = peer.address();
            format!(
                "Via: SIP/2.0/TCP {at};branch=z9hG4bK{branch}\r\nMax-Forwards: 70\r\n\
                 From: Alice <{ALICE}>;tag=9fxced76sl\r\nTo: Bob <{BOB}>{to}\r\n\
                 Call-ID: 2xTb9vxSit55XU7p8@atlanta.example.com\r\nCSeq: {seq} {method}\r\n\
                 Contact: <sip:alice@{at};transport=tcp>\r\n"
            )
        };
        let head = common(&first, "INVITE", 1, "bf9f44", "");
        first.sends(server.address(), &format!("INVITE {BOB} SIP/2.0\r\n{head}"), "").await;
        let (f2, _) = first.gets("SIP/2.0 302").await;
        let to = format!(";tag={}", values(&f2, "To")[0].rsplit("tag=").next().unwrap());
        let head = common(&first, "ACK", 1, "bf9f44", &to);
        first.sends(server.address(), &format!("ACK {BOB} SIP/2.0\r\n{head}"), "").await;

        let mut alice = Peer::tcp(proxy_3.address()).await;
        let head = common(&alice, "INVITE", 2, "74bf9", "");
        alice.sends(proxy_3.address(), &format!("INVITE {} SIP/2.0\r\n{head}", contact(&f2)), "").await;
        alice.gets("SIP/2.0 180").await;
        bob.sees("incoming").await;
        bob.does(Command::Answer { call: None }).await;
        let (ok, _) = alice.gets("SIP/2.0 200").await;
        assert!(ok.contains("\r\nm=audio "), "Bob offers: {ok}");
        let to = format!(";tag={}", values(&ok, "To")[0].rsplit("tag=").next().unwrap());
        let head = common(&alice, "ACK", 2, "74b76", &to);
        let head =
            format!("ACK {} SIP/2.0\r\nRoute: {}\r\n{head}", contact(&ok), values(&ok, "Record-Route").join(", "));
        let sound = UdpSocket::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        alice.sends(proxy_3.address(), &head, &sdp(sound)).await;
        bob.ladder(&CALLED).await;
        assert_eq!(bob.sees("established").await["remote_rtp"], sound.to_string());

        bob.does(Command::Hangup { call: None }).await;
        let (bye, from) = alice.gets("BYE ").await;
        alice.sends(from, &response(&bye, "200 OK", "", ""), "").await;
        bob.ladder(&["> BYE", "< 200"]).await;
    });
}

/// Bob, a peer, moves from 127.0.0.1 to another address in the call.
#[test]
fn s3_7_session_with_re_invite_after_ip_address_change() {
    run(async {
        let mut alice = Phone::start("UDP", None);
        let (mut bob, sound) = (Peer::udp("127.0.0.1").await, UdpSocket::bind("127.0.0.1:0").unwrap());
        alice.calls(&format!("sip:bob@{}", bob.address())).await;
        let (f1, from) = bob.gets("INVITE ").await;
        let at = format!("Contact: <sip:bob@{}>\r\n", bob.address());
        bob.sends(from, &response(&f1, "180 Ringing", "314159", &at), "").await;
        bob.sends(from, &response(&f1, "200 OK", "314159", &at), &sdp(sound.local_addr().unwrap())).await;
        bob.gets("ACK ").await;
        alice.ladder(&RINGS_AND_STANDS).await;
        alice.sees("established").await;

        // Every address of 127/8 is Linux's own; elsewhere another port has to do.
        let elsewhere = if cfg!(target_os = "linux") { "127.0.0.2" } else { "127.0.0.1" };
        let (mut moved, sound) = (Peer::udp(elsewhere).await, UdpSocket::bind((elsewhere, 0)).unwrap());
        let at = moved.address();
        let dialog = format!(
            "From: {};tag=314159\r\nTo: {}\r\nCall-ID: {}\r\nMax-Forwards: 70\r\nContact: <sip:bob@{at}>\r\n",
            values(&f1, "To")[0],
            values(&f1, "From")[0],
            values(&f1, "Call-ID")[0],
        );
        let request = |method: &str, branch: &str| {
            let via = format!("SIP/2.0/UDP {at};branch=z9hG4bK{branch}");
            format!("{method} {} SIP/2.0\r\nVia: {via}\r\nCSeq: 14 {method}\r\n{dialog}", contact(&f1))
        };
        let description = sdp(sound.local_addr().unwrap()).replace("o=- 1 1", "o=- 1 2");
        moved.sends(from, &request("INVITE", "lkld51"), &description).await;
        moved.gets("SIP/2.0 200").await;
        moved.sends(from, &request("ACK", "lkld52"), "").await;
        alice.ladder(&["< INVITE", "> 200", "< ACK"]).await;
        // Her sound goes there now.
        tokio::task::spawn_blocking(move || {
            sound.set_read_timeout(Some(crate::PATIENCE)).unwrap();
            sound.recv(&mut [0; 2048]).expect("no sound came");
        })
        .await
        .unwrap();

        alice.does(Command::Hangup { call: None }).await;
        let (bye, from) = moved.gets(&format!("BYE sip:bob@{at} ")).await;
        moved.sends(from, &response(&bye, "200 OK", "", ""), "").await;
        alice.ladder(&["> BYE", "< 200"]).await;
    });
}
