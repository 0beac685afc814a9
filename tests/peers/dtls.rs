//! Calls whose keys come by DTLS, with baresip's dtls_srtp module, which has an RSA certificate: who calls, by policy, and what
//! is heard at the far end.

use serde_json::Value;

use crate::protected::{
    BARESIPS, OURS, both, both_ways, hear, hold_and_resume, linphone_both_ways, tones, with_streams,
};
use crate::rig::baresip::Answers;
use crate::rig::console::{Codec, Kind};
use crate::rig::phone::{Phone, Setup};
use crate::rig::sound::Card;
use crate::rig::{self, Rig};

const TLS: &str = "proxies = [\"sip:127.0.0.1;transport=tls\"]\nsrtp_keying = \"dtls\"";
const TLS_REQUIRED: &str = "proxies = [\"sip:127.0.0.1;transport=tls\"]\nsrtp = \"required\"\nsrtp_keying = \"dtls\"";
/// What is offered plays no part for who is called: SDES and DTLS are taken as they come.
const TLS_SDES: &str = "proxies = [\"sip:127.0.0.1;transport=tls\"]";
const UDP: &str = "srtp_keying = \"dtls\"";

/// The handshake has ended well, and both hear each other.
fn talk(rig: &Rig, alice: &mut Phone, tls: bool, suite: &str) {
    let established = alice.expect("established");
    keyed(alice, &established, tls, suite);
    hear(rig, &established);
}

fn keyed(alice: &mut Phone, established: &Value, tls: bool, suite: &str) {
    assert_eq!(established["keying"], "dtls", "{established}");
    let keyed = match established["srtp"] == Value::Bool(true) {
        true => established.clone(),
        false => alice.expect("security"),
    };
    assert_eq!(keyed["srtp"], true, "{keyed}");
    assert_eq!(keyed["keying"], "dtls", "{keyed}");
    assert_eq!(keyed["tls"], tls, "{keyed}");
    assert_eq!(keyed["suite"], suite, "{keyed}");
}

#[test]
fn dtls_both_ways_by_tls_and_by_udp() {
    for (account, tls) in [(TLS, true), (TLS_REQUIRED, true), (UDP, false)] {
        let Some(rig) = with_streams() else { return };
        both_ways(&rig, account, "dtls_srtp", |alice, suite| talk(&rig, alice, tls, suite));
    }
}

#[test]
fn who_offers_sdes_answers_dtls_and_hold_keeps_the_keys() {
    let Some(rig) = with_streams() else { return };
    let (mut alice, mut bob) = both(&rig, TLS_SDES, "dtls_srtp");
    bob.tell("dial", "sip:alice@127.0.0.1");
    alice.expect("incoming");
    alice.tell("answer");
    talk(&rig, &mut alice, true, BARESIPS);
    let hellos = |rig: &Rig| rig.wire().count(|packet| packet.payload.first() == Some(&22));
    let before = hellos(&rig);
    assert!(before > 0, "no handshake on the wire");
    hold_and_resume(&rig, &mut alice);
    assert_eq!(hellos(&rig), before, "the association goes on");
    alice.tell("hangup");
    bob.expect("CALL_CLOSED");
}

#[test]
fn who_knows_no_dtls_is_called_once_more_without_it_or_not_at_all() {
    let Some(rig) = with_streams() else { return };
    let (mut alice, mut bob) = both(&rig, UDP, "");
    alice.tell("call sip:bob@127.0.0.1");
    bob.expect("CALL_ESTABLISHED");
    let established = alice.expect("established");
    assert_eq!((&established["srtp"], &established["keying"]), (&Value::Bool(false), &Value::Null), "{established}");
    tones(&rig);
    drop(alice);
    let mut alice = rig.registered(&Setup { account: TLS_REQUIRED, ..Setup::default() });
    alice.tell("call sip:bob@127.0.0.1");
    let ended = alice.expect("ended");
    assert_eq!(ended["code"], 488, "{ended}");
}

#[test]
fn with_ice_the_handshake_takes_the_way_that_was_found() {
    let Some(rig) = rig::take() else { return };
    let media = "audio_codecs=pcmu,pcma;ptime=20;medianat=ice;mediaenc=dtls_srtp";
    let mut bob = rig.baresip_with("bob", Some(Card::B), Answers::Itself, media);
    let mut alice = rig.registered(&Setup { account: UDP, network: "ice = \"always\"", ..Setup::default() });
    alice.tell("call sip:bob@127.0.0.1");
    bob.expect("CALL_ESTABLISHED");
    let established = alice.expect("established");
    alice.expect_with("ice", |event| event["state"] == "connected");
    keyed(&mut alice, &established, false, OURS);
    tones(&rig);
    alice.tell("hangup");
    bob.expect("CALL_CLOSED");
    bob.tell("dial", "sip:alice@127.0.0.1");
    alice.expect("incoming");
    alice.tell("answer");
    let established = alice.expect("established");
    keyed(&mut alice, &established, false, BARESIPS);
    tones(&rig);
}

#[test]
fn linphone_by_dtls_both_ways() {
    linphone_both_ways(UDP, "dtls", |rig, alice, suite| talk(rig, alice, false, suite));
}

/// It finds such a description invalid (400).
#[test]
fn twinkle_that_knows_no_dtls_is_called_once_more() {
    let Some(rig) = rig::take_with(&[Kind::Twinkle]) else { return };
    let _bob = rig.console(Kind::Twinkle, "bob", Card::B, Codec::Pcmu);
    let mut alice = rig.registered(&Setup { account: UDP, ..Setup::default() });
    alice.tell("call bob");
    let established = alice.expect("established");
    assert_eq!((&established["srtp"], &established["keying"]), (&Value::Bool(false), &Value::Null), "{established}");
    tones(&rig);
}
