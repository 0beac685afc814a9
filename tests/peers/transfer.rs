//! Blind transfer between three phones.

use crate::rig;
use crate::rig::baresip::Answers;
use crate::rig::phone::Setup;

#[test]
fn we_transfer_bob_to_carol() {
    let Some(rig) = rig::take() else { return };
    let mut carol = rig.baresip("carol", None, Answers::Itself);
    let mut bob = rig.baresip("bob", None, Answers::Itself);
    let mut alice = rig.alice();
    alice.tell("call bob");
    alice.expect("established");
    bob.expect("CALL_ESTABLISHED");

    alice.tell("transfer carol");

    alice.expect_with("transfer", |event| event["stage"] == "accepted");
    alice.expect("ended");
    carol.expect("CALL_ESTABLISHED");
    bob.expect("CALL_ESTABLISHED");
}

#[test]
fn a_transfer_that_fails_brings_the_call_back() {
    let Some(rig) = rig::take() else { return };
    let mut bob = rig.baresip("bob", None, Answers::Itself);
    let mut alice = rig.alice();
    alice.tell("call bob");
    alice.expect("established");
    bob.expect("CALL_ESTABLISHED");

    alice.tell("transfer nobody");

    let failed = alice.expect_with("transfer", |event| event["stage"] == "failed");
    assert_eq!(failed["code"], 404, "{failed}");
    alice.expect("resumed");
    alice.tell("hangup");
    alice.expect("ended");
}

#[test]
fn bob_transfers_us_to_carol() {
    let Some(rig) = rig::take() else { return };
    let mut carol = rig.baresip("carol", None, Answers::Itself);
    let mut bob = rig.baresip("bob", None, Answers::Itself);
    let mut alice = rig.registered(&Setup { calls: "transfers = \"ask\"", ..Setup::default() });
    alice.tell("call bob");
    alice.expect("established");
    bob.expect("CALL_ESTABLISHED");

    bob.tell("transfer", "sip:carol@127.0.0.1");
    let request = alice.expect("transfer_request");
    assert!(request["to"].as_str().is_some_and(|to| to.contains("carol@127.0.0.1")), "{request}");
    alice.tell("accept-transfer");

    alice.expect_with("established", |event| event["peer"].as_str().is_some_and(|peer| peer.contains("carol")));
    carol.expect("CALL_ESTABLISHED");
    bob.expect("CALL_CLOSED");
}
