//! Registering at Kamailio.

use crate::rig::phone::Setup;
use crate::rig::wire::Packet;
use crate::rig::{self, DEADLINE};

const REGISTRAR: u16 = 5060;

fn register(packet: &Packet) -> bool {
    packet.to.port() == REGISTRAR && packet.sip().is_some_and(|text| text.starts_with("REGISTER "))
}

#[test]
fn registers_with_digest_and_unregisters_at_the_end() {
    let Some(rig) = rig::take() else { return };
    let mut alice = rig.phone(&Setup::default());

    let registered = alice.expect("registered");

    assert!(registered["expires"].as_u64().is_some_and(|seconds| seconds > 0), "{registered}");
    assert_eq!(registered["contacts"].as_array().map(Vec::len), Some(1), "{registered}");
    assert_eq!(rig.wire().count_distinct(register), 2, "one without credentials, one with\n{}", rig.wire().ladder());

    alice.tell("quit");

    alice.expect("unregistered");
    assert_eq!(alice.wait(DEADLINE).and_then(|status| status.code()), Some(0));
}

#[test]
fn a_wrong_password_ends_after_one_try() {
    let Some(rig) = rig::take() else { return };
    let mut alice = rig.phone(&Setup { password: "wrong", ..Setup::default() });

    let failed = alice.expect("registration_failed");

    assert_eq!(failed["code"], 401, "{failed}");
    assert!(failed["retry_in"].is_null(), "{failed}");
    alice.tell("quit");
    alice.wait(DEADLINE).expect("it ends");
    assert_eq!(rig.wire().count_distinct(register), 2, "one without credentials, one with\n{}", rig.wire().ladder());
}
