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

/// Three of our phones, all by way of Kamailio: who transfers, who is transferred, and the target.
#[test]
fn we_join_bob_and_carol_and_leave() {
    let Some(rig) = rig::take() else { return };
    let quiet = Setup { card: None, calls: "auto_answer = true", ..Setup::default() };
    let mut carol = rig.registered(&Setup { name: "carol", password: "carolpw", ..quiet.clone() });
    let follows = "auto_answer = true\ntransfers = \"follow\"";
    let mut bob = rig.registered(&Setup { name: "bob", password: "bobpw", calls: follows, ..quiet });
    let mut alice = rig.alice();
    alice.tell("call bob");
    alice.expect("established");
    bob.expect("established");
    alice.tell("call carol");
    alice.expect_with("established", |event| event["call"] == 2);
    carol.expect("established");

    alice.tell("transfer #1 #2");

    alice.expect_with("transfer", |event| event["stage"] == "accepted" && event["code"] == 200);
    let replaced = carol.expect("replaced");
    let by = replaced["by"].clone();
    carol.expect_with("ended", |event| event["call"] == 1);
    bob.expect_with("established", |event| event["call"] == 2);
    bob.expect_with("ended", |event| event["call"] == 1);
    // Carol's end of the second call may have come before the report that the transfer went well.
    alice.expect_with("ended", |event| event["call"] == 1);
    carol.tell(&format!("hangup #{by}"));
    bob.expect_with("ended", |event| event["call"] == 2 && event["by"] == "remote");
}

/// A target that does not know Replaces (baresip 1.0 ignores it) is simply called.
#[test]
fn a_target_without_replaces_is_called_and_our_call_ends() {
    let Some(rig) = rig::take() else { return };
    let mut carol = rig.baresip("carol", None, Answers::Itself);
    let calls = "auto_answer = true\ntransfers = \"follow\"";
    let mut bob = rig.registered(&Setup { name: "bob", password: "bobpw", card: None, calls, ..Setup::default() });
    let mut alice = rig.alice();
    alice.tell("call bob");
    alice.expect("established");
    bob.expect("established");
    alice.tell("call carol");
    alice.expect_with("established", |event| event["call"] == 2);
    carol.expect("CALL_ESTABLISHED");

    alice.tell("transfer #1 #2");

    alice.expect_with("transfer", |event| event["stage"] == "accepted");
    bob.expect_with("established", |event| event["call"] == 2);
    carol.expect("CALL_ESTABLISHED");
    carol.expect("CALL_CLOSED");
}
