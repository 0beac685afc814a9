//! What calls with SRTP share, whatever gives the keys: who calls whom, what is heard, what is on the wire.

use std::sync::MutexGuard;

use crate::rig::baresip::{Answers, Baresip};
use crate::rig::console::{Codec, Kind};
use crate::rig::kamailio::Role;
use crate::rig::phone::{Phone, Setup};
use crate::rig::sound::Card;
use crate::rig::wire::Packet;
use crate::rig::{self, DEADLINE, Rig};

/// The suites: baresip offers its own alone, and takes ours where we choose. With DTLS who is called begins the handshake, and
/// who calls chooses.
pub const OURS: &str = "AEAD_AES_256_GCM";
pub const BARESIPS: &str = "AES_CM_128_HMAC_SHA1_80";
/// Linphone knows no other one.
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

/// alice calls bob, then bob alice; `talk` looks at each call, which should have this suite.
pub fn both_ways(rig: &Rig, account: &'static str, bobs: &'static str, mut talk: impl FnMut(&mut Phone, &str)) {
    let (mut alice, mut bob) = both(rig, account, bobs);
    alice.tell("call sip:bob@127.0.0.1");
    bob.expect("CALL_ESTABLISHED");
    talk(&mut alice, OURS);
    alice.tell("hangup");
    bob.expect("CALL_CLOSED");
    bob.tell("dial", "sip:alice@127.0.0.1");
    alice.expect("incoming");
    alice.tell("answer");
    talk(&mut alice, BARESIPS);
}

/// Linphone, encrypting as told, calls alice, then alice Linphone.
pub fn linphone_both_ways(
    account: &'static str,
    encryption: &'static str,
    mut talk: impl FnMut(&Rig, &mut Phone, &str),
) {
    let Some(rig) = rig::take_with(&[Kind::Linphone]) else { return };
    let mut bob = rig.console_encrypting(Kind::Linphone, "bob", Card::B, Codec::Pcmu, encryption);
    let mut alice = rig.registered(&Setup { account, ..Setup::default() });
    bob.tell("call sip:alice@127.0.0.1");
    alice.expect("incoming");
    alice.tell("answer");
    talk(&rig, &mut alice, LINPHONES);
    alice.tell("hangup");
    alice.expect("ended");
    alice.tell("call sip:bob@127.0.0.1");
    talk(&rig, &mut alice, LINPHONES);
}

/// After a hold alice hears bob as before.
pub fn hold_and_resume(rig: &Rig, alice: &mut Phone) {
    alice.tell("hold");
    alice.expect("held");
    alice.tell("resume");
    alice.expect("resumed");
    let _bob_speaks = rig.speak(Card::B, 600.0);
    rig.assert_hears(Card::A, 600.0);
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

/// Whether the payload of RTP on the wire is what PCMU makes of a tone: nearly all of it is noise once it is encrypted.
fn looks_encrypted(packet: &Packet) -> bool {
    let payload = packet.payload.get(12..172).unwrap_or_default();
    let mut kinds = [false; 256];
    payload.iter().for_each(|byte| kinds[usize::from(*byte)] = true);
    // A tone of 440 or 1000 Hz at 8 kHz has few different samples; 160 random bytes have about 119.
    kinds.iter().filter(|seen| **seen).count() > 90
}
