//! Encrypted calls with baresip's srtp module: each suite, by policy, and what is heard at the far end.

use std::sync::MutexGuard;

use crate::rig::baresip::{Answers, Baresip};
use crate::rig::console::{Codec, Kind};
use crate::rig::kamailio::Role;
use crate::rig::phone::{Phone, Setup};
use crate::rig::sound::Card;
use crate::rig::wire::Packet;
use crate::rig::{self, DEADLINE, Rig};

const TLS_OPTIONAL: &str = "proxies = [\"sip:127.0.0.1;transport=tls\"]\nsrtp = \"optional\"";
const TLS_REQUIRED: &str = "proxies = [\"sip:127.0.0.1;transport=tls\"]\nsrtp = \"required\"";
const UDP_REQUIRED: &str = "srtp = \"required\"";
const LINPHONES: &str = "AES_CM_128_HMAC_SHA1_80";

pub fn with_streams() -> Option<MutexGuard<'static, Rig>> {
    let mut rig = rig::take()?;
    rig.restart_registrar(Role::RegistrarWithStreams);
    Some(rig)
}

/// alice on card A and bob on card B, whose media are encrypted as told.
pub fn both(rig: &Rig, account: &'static str, bobs: &'static str) -> (Phone, Baresip) {
    let bob = rig.baresip_encrypting("bob", Some(Card::B), Answers::Itself, bobs);
    let alice = rig.registered(&Setup { account, ..Setup::default() });
    (alice, bob)
}

/// Whether the payload of RTP on the wire is what PCMU makes of a tone: nearly all of it is noise once it is encrypted.
fn looks_encrypted(packet: &Packet) -> bool {
    let payload = packet.payload.get(12..172).unwrap_or_default();
    let mut kinds = [false; 256];
    payload.iter().for_each(|byte| kinds[usize::from(*byte)] = true);
    // A tone of 440 or 1000 Hz at 8 kHz has few different samples; 160 random bytes have about 119.
    kinds.iter().filter(|seen| **seen).count() > 90
}

/// Both hear each other, and nobody else does.
fn talk(rig: &Rig, alice: &mut Phone, suite: &str, tls: bool) {
    let established = alice.expect("established");
    assert_eq!(established["srtp"], true, "{established}");
    assert_eq!(established["suite"], suite, "{established}");
    assert_eq!(established["keying"], "sdes", "{established}");
    assert_eq!(established["tls"], tls, "{established}");
    hear(rig, &established);
}

/// Each hears the other's tone.
pub fn tones(rig: &Rig) {
    let _alice_speaks = rig.speak(Card::A, 440.0);
    let _bob_speaks = rig.speak(Card::B, 1000.0);
    rig.assert_hears(Card::B, 440.0);
    rig.assert_hears(Card::A, 1000.0);
}

/// The same, once the call is encrypted.
pub fn hear(rig: &Rig, established: &serde_json::Value) {
    tones(rig);
    let bob: std::net::SocketAddrV4 =
        established["remote_rtp"].as_str().unwrap_or_default().parse().expect("an address");
    for direction in [|packet: &Packet, bob| packet.from == bob, |packet: &Packet, bob| packet.to == bob] {
        let encrypted = |packet: &Packet| direction(packet, bob) && packet.is_rtp() && looks_encrypted(packet);
        assert!(rig.wire().wait(11, DEADLINE, encrypted), "{} encrypted packets", rig.wire().count(encrypted));
    }
}

#[test]
fn optional_both_ways_by_tls_is_srtp() {
    let Some(rig) = with_streams() else { return };
    let (mut alice, mut bob) = both(&rig, TLS_OPTIONAL, "srtp");
    alice.tell("call sip:bob@127.0.0.1");
    bob.expect("CALL_ESTABLISHED");
    talk(&rig, &mut alice, "AEAD_AES_256_GCM", true);
    alice.tell("hold");
    alice.expect("held");
    alice.tell("resume");
    alice.expect("resumed");
    let bob_speaks = rig.speak(Card::B, 600.0);
    rig.assert_hears(Card::A, 600.0);
    drop(bob_speaks);
    alice.tell("hangup");
    bob.expect("CALL_CLOSED");

    // The other way: baresip offers this one alone.
    bob.tell("dial", "sip:alice@127.0.0.1");
    alice.expect("incoming");
    alice.tell("answer");
    talk(&rig, &mut alice, "AES_CM_128_HMAC_SHA1_80", true);
}

#[test]
fn required_meets_mandatory_by_tls_and_by_udp() {
    for (account, tls) in [(TLS_REQUIRED, true), (UDP_REQUIRED, false)] {
        let Some(rig) = with_streams() else { return };
        let (mut alice, mut bob) = both(&rig, account, "srtp-mand");
        alice.tell("call sip:bob@127.0.0.1");
        bob.expect("CALL_ESTABLISHED");
        talk(&rig, &mut alice, "AEAD_AES_256_GCM", tls);
        alice.tell("hangup");
        bob.expect("CALL_CLOSED");
        bob.tell("dial", "sip:alice@127.0.0.1");
        alice.expect("incoming");
        alice.tell("answer");
        talk(&rig, &mut alice, "AES_CM_128_HMAC_SHA1_80", tls);
    }
}

#[test]
fn who_knows_no_srtp_is_called_without_or_not_at_all() {
    let Some(rig) = with_streams() else { return };
    let (mut alice, mut bob) = both(&rig, TLS_OPTIONAL, "");
    alice.tell("call sip:bob@127.0.0.1");
    bob.expect("CALL_ESTABLISHED");
    assert_eq!(alice.expect("established")["srtp"], false);
    alice.tell("hangup");
    bob.expect("CALL_CLOSED");
    // It takes its registration with it, or the registrar would try the first alice as well.
    alice.tell("quit");
    alice.wait(DEADLINE).expect("an end");

    let mut alice = rig.registered(&Setup { account: TLS_REQUIRED, ..Setup::default() });
    bob.tell("dial", "sip:alice@127.0.0.1");
    let closed = bob.expect("CALL_CLOSED");
    assert!(closed.contains("488"), "{closed}");
    alice.tell("call sip:bob@127.0.0.1");
    let ended = alice.expect("ended");
    assert_eq!(ended["code"], 488, "{ended}");
}

#[test]
fn linphone_by_sdes_both_ways() {
    let Some(rig) = rig::take_with(&[Kind::Linphone]) else { return };
    let mut bob = rig.console_encrypting(Kind::Linphone, "bob", Card::B, Codec::Pcmu, "srtp");
    let mut alice = rig.registered(&Setup { account: UDP_REQUIRED, ..Setup::default() });
    bob.tell("call sip:alice@127.0.0.1");
    alice.expect("incoming");
    alice.tell("answer");
    talk(&rig, &mut alice, LINPHONES, false);
    alice.tell("hangup");
    alice.expect("ended");
    alice.tell("call sip:bob@127.0.0.1");
    talk(&rig, &mut alice, LINPHONES, false);
}
