//! Calls whose keys come by DTLS, with baresip's dtls_srtp module, which has an RSA certificate: who calls, by policy, and what
//! is heard at the far end.

use serde_json::Value;

use crate::encryption::{both, hear, with_streams};
use crate::rig::Rig;
use crate::rig::phone::Phone;
use crate::rig::sound::Card;

const TLS: &str = "proxies = [\"sip:127.0.0.1;transport=tls\"]\nsrtp_keying = \"dtls\"";
const TLS_REQUIRED: &str = "proxies = [\"sip:127.0.0.1;transport=tls\"]\nsrtp = \"required\"\nsrtp_keying = \"dtls\"";
/// What is offered plays no part for who is called: SDES and DTLS are taken as they come.
const TLS_SDES: &str = "proxies = [\"sip:127.0.0.1;transport=tls\"]";
const UDP: &str = "srtp_keying = \"dtls\"";

/// Who is called begins the handshake, and who calls chooses the suite.
const OURS: &str = "AEAD_AES_256_GCM";
const BARESIPS: &str = "AES_CM_128_HMAC_SHA1_80";

/// The handshake has ended well, and both hear each other.
fn talk(rig: &Rig, alice: &mut Phone, tls: bool, suite: &str) {
    let established = alice.expect("established");
    assert_eq!(established["keying"], "dtls", "{established}");
    let keyed = match established["srtp"] == Value::Bool(true) {
        true => established.clone(),
        false => alice.expect("security"),
    };
    assert_eq!(keyed["srtp"], true, "{keyed}");
    assert_eq!(keyed["keying"], "dtls", "{keyed}");
    assert_eq!(keyed["tls"], tls, "{keyed}");
    assert_eq!(keyed["suite"], suite, "{keyed}");
    hear(rig, &established);
}

#[test]
fn dtls_both_ways_by_tls_and_by_udp() {
    for (account, tls) in [(TLS, true), (TLS_REQUIRED, true), (UDP, false)] {
        let Some(rig) = with_streams() else { return };
        let (mut alice, mut bob) = both(&rig, account, "dtls_srtp");
        alice.tell("call sip:bob@127.0.0.1");
        bob.expect("CALL_ESTABLISHED");
        talk(&rig, &mut alice, tls, OURS);
        alice.tell("hangup");
        bob.expect("CALL_CLOSED");
        bob.tell("dial", "sip:alice@127.0.0.1");
        alice.expect("incoming");
        alice.tell("answer");
        talk(&rig, &mut alice, tls, BARESIPS);
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
    alice.tell("hold");
    alice.expect("held");
    alice.tell("resume");
    alice.expect("resumed");
    let bob_speaks = rig.speak(Card::B, 600.0);
    rig.assert_hears(Card::A, 600.0);
    drop(bob_speaks);
    assert_eq!(hellos(&rig), before, "the association goes on");
    alice.tell("hangup");
    bob.expect("CALL_CLOSED");
}
