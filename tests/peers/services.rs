//! The services of the draft of 1999 with real peers: music while held, forwarding, do not disturb, screening, and a proxy that
//! forks, forwards and follows.

use serde_json::Value;

use crate::rig::baresip::{Answers, Baresip};
use crate::rig::phone::{Phone, Setup};
use crate::rig::sound::Card;
use crate::rig::wire::Packet;
use crate::rig::{self, DEADLINE};

/// How the last call is remembered.
fn remembered(phone: &mut Phone) -> Value {
    phone.tell("history 1");
    phone.expect("history")["calls"][0].clone()
}

/// The proxy cancels at a port, and says with which cause.
fn cancelled(cause: &'static str) -> impl Fn(&Packet) -> bool {
    move |packet| {
        let fits = |text: &str| text.starts_with("CANCEL ") && text.contains(cause);
        packet.from.port() == 5060 && packet.sip().is_some_and(fits)
    }
}

fn closed_with(phone: &mut Baresip, code: &'static str) {
    phone.expect_with("CALL_CLOSED", move |reason| reason.starts_with(code));
}

// ---- 2.1 ----

#[test]
fn section_2_1_the_held_side_hears_our_music() {
    let Some(rig) = rig::take() else { return };
    let music = rig.tone_file(700.0);
    let calls: &'static str = format!("hold_music = \"{}\"", music.display()).leak();
    let mut bob = rig.baresip("bob", Some(Card::B), Answers::Itself);
    let mut alice = rig.registered(&Setup { calls, ..Setup::default() });
    alice.tell("call bob");
    let established = alice.expect("established");
    bob.expect("CALL_ESTABLISHED");
    let _alice_speaks = rig.speak(Card::A, 440.0);
    rig.assert_hears(Card::B, 440.0);

    alice.tell("hold");
    alice.expect("held");

    let bob_at: std::net::SocketAddrV4 =
        established["remote_rtp"].as_str().unwrap_or_default().parse().expect("an address");
    let to_bob = |packet: &Packet| packet.to == bob_at && packet.is_rtp();
    let before = rig.wire().count(to_bob);
    assert!(rig.wire().wait(before + 50, DEADLINE, to_bob), "the music is sent\n{}", rig.wire().ladder());
    // Only the music: nothing of what is said here.
    rig.assert_hears(Card::B, 700.0);
    alice.tell("resume");
    alice.expect("resumed");
    rig.assert_hears(Card::B, 440.0);
}

// ---- 2.5 ----

#[test]
fn section_2_5_our_302_leads_the_caller_to_a_third_party() {
    let Some(rig) = rig::take() else { return };
    let mut carol = rig.baresip("carol", None, Answers::Itself);
    let mut alice = rig.alice();
    let calls = "redirects = \"follow\"";
    let mut bob = rig.registered(&Setup { name: "bob", password: "bobpw", card: None, calls, ..Setup::default() });
    alice.tell("forward always carol");
    alice.expect_with("forwarding", |event| event["to"].as_str().is_some_and(|to| to.contains("carol")));

    bob.tell("call alice");

    bob.expect_with("established", |event| event["peer"].as_str().is_some_and(|peer| peer.contains("carol")));
    carol.expect("CALL_ESTABLISHED");
    let diverted = alice.expect("diverted");
    assert!(diverted["to"].as_str().is_some_and(|to| to.contains("carol")), "{diverted}");
    assert_eq!(remembered(&mut alice)["result"], "diverted");
    let moved = |packet: &Packet| packet.sip().is_some_and(|text| text.starts_with("SIP/2.0 302 "));
    assert_eq!(rig.wire().count_distinct(moved), 2, "to Kamailio, and on to the caller\n{}", rig.wire().ladder());
}

#[test]
fn section_2_5_the_proxy_follows_our_302_itself() {
    let Some(rig) = rig::take() else { return };
    let mut carol = rig.baresip("carol", None, Answers::Itself);
    let mut bob = rig.baresip("bob", None, Answers::WhenTold);
    let mut alice = rig.alice();
    alice.tell("forward always carol");
    alice.expect("forwarding");

    bob.tell("dial", "sip:reception@127.0.0.1");

    bob.expect("CALL_ESTABLISHED");
    carol.expect("CALL_ESTABLISHED");
    alice.expect("diverted");
    let moved = |packet: &Packet| packet.sip().is_some_and(|text| text.starts_with("SIP/2.0 302 "));
    assert_eq!(rig.wire().count_distinct(moved), 1, "to Kamailio alone\n{}", rig.wire().ladder());
}

// ---- 2.6 ----

#[test]
fn section_2_6_the_proxy_forwards_when_we_are_busy() {
    let Some(rig) = rig::take() else { return };
    let mut carol = rig.baresip("carol", None, Answers::Itself);
    let mut bob = rig.baresip("bob", None, Answers::WhenTold);
    let mut alice = rig.alice();
    bob.tell("dial", "sip:frontdesk@127.0.0.1");
    alice.expect("incoming");

    alice.tell("reject");

    alice.expect("ended");
    carol.expect("CALL_ESTABLISHED");
    bob.expect("CALL_ESTABLISHED");
    assert_eq!(remembered(&mut alice)["result"], "refused");
}

#[test]
fn section_2_6_we_see_for_whom_a_call_was() {
    let Some(rig) = rig::take() else { return };
    let mut bob = rig.baresip("bob", None, Answers::WhenTold);
    let mut alice = rig.registered(&Setup { calls: "max_calls = 1", ..Setup::default() });
    let mut carol = rig.registered(&Setup { name: "carol", password: "carolpw", card: None, ..Setup::default() });
    alice.tell("call sip:carol@127.0.0.1");
    carol.expect("incoming");
    carol.tell("answer");
    alice.expect("established");

    // alice can take no second call.
    bob.tell("dial", "sip:frontdesk@127.0.0.1");

    let incoming = carol.expect("incoming");
    assert!(incoming["diverted_from"].as_str().is_some_and(|from| from.contains("frontdesk")), "{incoming}");
    carol.tell("answer #2");
    bob.expect("CALL_ESTABLISHED");
}

// ---- 2.9: one line, several phones ----

#[test]
fn section_2_9_the_other_phone_answers_and_we_missed_nothing() {
    let Some(rig) = rig::take() else { return };
    let mut bob = rig.baresip("bob", None, Answers::WhenTold);
    let mut carol = rig.baresip("carol", None, Answers::WhenTold);
    let mut alice = rig.alice();
    carol.tell("dial", "sip:team@127.0.0.1");
    alice.expect("incoming");
    bob.expect("CALL_INCOMING");

    bob.tell("accept", "");

    carol.expect("CALL_ESTABLISHED");
    let ended = alice.expect("ended");
    assert_eq!(ended["by"], "remote", "{ended}");
    rig.wire().assert_has("CANCEL with cause 200", cancelled("cause=200"));
    assert_eq!(remembered(&mut alice)["result"], "elsewhere");
    alice.tell("state");
    assert_eq!(alice.expect("state")["missed"], 0);
}

#[test]
fn section_2_9_we_answer_and_the_other_phone_stops() {
    let Some(rig) = rig::take() else { return };
    let mut bob = rig.baresip("bob", None, Answers::WhenTold);
    let mut carol = rig.baresip("carol", None, Answers::WhenTold);
    let mut alice = rig.alice();
    carol.tell("dial", "sip:team@127.0.0.1");
    alice.expect("incoming");
    bob.expect("CALL_INCOMING");

    alice.tell("answer");

    alice.expect("established");
    carol.expect("CALL_ESTABLISHED");
    bob.expect("CALL_CLOSED");
    alice.tell("hangup");
    alice.expect("ended");
    carol.expect("CALL_CLOSED");
}

#[test]
fn section_2_9_the_caller_gives_up_and_we_missed_it() {
    let Some(rig) = rig::take() else { return };
    let _bob = rig.baresip("bob", None, Answers::WhenTold);
    let mut carol = rig.baresip("carol", None, Answers::WhenTold);
    let mut alice = rig.alice();
    carol.tell("dial", "sip:team@127.0.0.1");
    alice.expect("incoming");
    carol.expect("CALL_RINGING");

    carol.tell("hangup", "");

    alice.expect("ended");
    assert_eq!(alice.expect("missed")["count"], 1);
}

// ---- 2.11 and 2.12 ----

#[test]
fn section_2_11_do_not_disturb() {
    let Some(rig) = rig::take() else { return };
    let mut bob = rig.baresip("bob", None, Answers::WhenTold);
    let mut alice = rig.alice();
    alice.tell("dnd on");
    alice.expect("dnd");

    bob.tell("dial", "sip:alice@127.0.0.1");

    closed_with(&mut bob, "480");
    assert_eq!(alice.expect("screened")["code"], 480);
    alice.tell("dnd off");
    alice.expect("dnd");
    bob.tell("dial", "sip:alice@127.0.0.1");
    alice.expect("incoming");
}

#[test]
fn section_2_11_callers_are_screened() {
    let Some(rig) = rig::take() else { return };
    let mut bob = rig.baresip("bob", None, Answers::WhenTold);
    let mut carol = rig.baresip("carol", None, Answers::WhenTold);
    let calls = "[[screening]]\nname = \"no bob\"\ncalls = \"incoming\"\naction = \"forbid\"\nmatch = [\"bob\"]\n\
                 [[screening]]\nname = \"no carol\"\ncalls = \"incoming\"\naction = \"decline\"\nmatch = [\"carol@127.0.0.1\"]";
    let mut alice = rig.registered(&Setup { calls, ..Setup::default() });

    bob.tell("dial", "sip:alice@127.0.0.1");
    closed_with(&mut bob, "403");
    assert_eq!(alice.expect("screened")["rule"], "no bob");
    carol.tell("dial", "sip:alice@127.0.0.1");
    closed_with(&mut carol, "603");
    assert_eq!(alice.expect("screened")["rule"], "no carol");

    let last = remembered(&mut alice);
    assert_eq!((&last["result"], &last["reason"]), (&"screened".into(), &"no carol".into()), "{last}");
    let rang = |packet: &Packet| packet.sip().is_some_and(|text| text.starts_with("SIP/2.0 180 "));
    assert_eq!(rig.wire().count(rang), 0, "{}", rig.wire().ladder());
}

#[test]
fn section_2_12_what_we_must_not_call_leaves_nothing_on_the_wire() {
    let Some(rig) = rig::take() else { return };
    let calls = "[[screening]]\nname = \"no bob\"\ncalls = \"outgoing\"\naction = \"forbid\"\nmatch = [\"bob\"]";
    let mut alice = rig.registered(&Setup { calls, ..Setup::default() });

    let refused = alice.ask("call bob");

    assert_eq!(refused["event"], "error", "{refused}");
    assert!(refused["message"].as_str().is_some_and(|why| why.contains("no bob")), "{refused}");
    let invite = |packet: &Packet| packet.sip().is_some_and(|text| text.starts_with("INVITE "));
    assert_eq!(rig.wire().count(invite), 0, "{}", rig.wire().ladder());
}
