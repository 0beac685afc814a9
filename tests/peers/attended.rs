//! Attended transfer (REFER with Replaces; RFC 5589 section 7) through Kamailio between this phone, Twinkle and linphone, in
//! every part: who transfers, who is transferred, and who is the target. Twinkle 1.10 is no target: it locks itself up for good
//! when a call of its own is to be replaced (it takes a lock for writing that it has for reading).

use std::net::SocketAddrV4;
use std::time::Instant;

use crate::rig::console::{Codec, Console, Kind};
use crate::rig::phone::{Phone, Setup};
use crate::rig::sound::Card;
use crate::rig::wire::Packet;
use crate::rig::{self, DEADLINE, Rig};

const FOLLOWS: &str = "auto_answer = true\ntransfers = \"follow\"";

fn ours(rig: &Rig, name: &'static str, calls: &'static str) -> Phone {
    let password = match name {
        "bob" => "bobpw",
        _ => "carolpw",
    };
    rig.registered(&Setup { name, password, card: None, calls, ..Setup::default() })
}

/// alice calls bob, asks carol, joins the two and leaves.
fn alice_joins_them(rig: &Rig) -> Phone {
    let mut alice = rig.alice();
    alice.tell("call bob");
    alice.expect("established");
    alice.tell("call carol");
    let established = alice.expect_with("established", |event| event["call"] == 2);
    speaks(rig, &established);
    alice.tell("transfer #1 #2");
    alice.expect_with("transfer", |event| event["stage"] == "accepted");
    alice.expect_with("ended", |event| event["call"] == 1);
    alice
}

/// Waits until the other side has sent some sound: then its call stands.
fn speaks(rig: &Rig, established: &serde_json::Value) {
    let at: SocketAddrV4 = established["remote_rtp"].as_str().unwrap_or_default().parse().expect("an address");
    let sound = |packet: &Packet| packet.from.port() == at.port() && packet.is_rtp();
    assert!(rig.wire().wait(25, DEADLINE, sound), "no sound from {at}");
}

/// The INVITE with which the transferee took our place reached the target, with our dialog's tags (RFC 3891 section 3).
fn replaced(rig: &Rig) {
    let invite = |packet: &Packet| {
        packet
            .sip()
            .is_some_and(|text| text.starts_with("INVITE ") && text.to_ascii_lowercase().contains("\nreplaces:"))
    };
    rig.wire().assert_has("INVITE with Replaces", invite);
}

fn says_goodbye(rig: &Rig, phone: &mut Console) {
    phone.sends(rig, "BYE", 1, |text| text.starts_with("BYE "));
}

/// Two real phones are joined by us, and talk without us.
fn we_join(bob: Kind, carol: Kind) {
    let Some(rig) = rig::take_with(&[bob, carol]) else { return };
    let mut carol = rig.console(carol, "carol", Card::B, Codec::Pcmu);
    let mut bob = rig.console(bob, "bob", Card::B, Codec::Pcmu);
    let mut alice = alice_joins_them(&rig);
    replaced(&rig);
    // The target ends the call that was replaced.
    says_goodbye(&rig, &mut carol);
    carol.answers(&rig, 2);
    // Alice has left, as soon as the target's goodbye has reached her.
    let end = Instant::now() + DEADLINE;
    while alice.state()["calls"] != serde_json::json!([]) {
        assert!(Instant::now() < end, "alice has not left\n{}", rig.wire().ladder());
    }
    bob.tell(bob.hang_up());
    bob.sends(&rig, "BYE to the new call", 1, |text| text.starts_with("BYE "));
}

#[test]
fn we_join_twinkle_and_linphone() {
    we_join(Kind::Twinkle, Kind::Linphone);
}

/// Twinkle is sent on to a phone of ours, which must find the call that is to be replaced.
fn is_the_target(kind: Kind) {
    let Some(rig) = rig::take_with(&[kind]) else { return };
    let mut carol = ours(&rig, "carol", FOLLOWS);
    let _bob = rig.console(kind, "bob", Card::B, Codec::Pcmu);
    let _alice = alice_joins_them(&rig);
    replaced(&rig);
    let by = carol.expect("replaced")["by"].clone();
    carol.expect_with("ended", |event| event["call"] == 1);
    carol.tell(&format!("hangup #{by}"));
    carol.expect_with("ended", |event| event["call"] == by);
}

#[test]
fn twinkle_takes_our_place_at_our_phone() {
    is_the_target(Kind::Twinkle);
}

#[test]
fn linphone_takes_our_place_at_our_phone() {
    is_the_target(Kind::Linphone);
}

/// We are sent on to a real phone, whose call our INVITE replaces.
fn is_transferred(kind: Kind) {
    let Some(rig) = rig::take_with(&[kind]) else { return };
    let mut carol = rig.console(kind, "carol", Card::B, Codec::Pcmu);
    let mut bob = ours(&rig, "bob", FOLLOWS);
    let _alice = alice_joins_them(&rig);
    replaced(&rig);
    bob.expect_with("established", |event| event["call"] == 2);
    bob.expect_with("ended", |event| event["call"] == 1);
    says_goodbye(&rig, &mut carol);
    bob.tell("hangup");
    bob.expect_with("ended", |event| event["call"] == 2);
}

#[test]
fn we_are_transferred_to_linphone() {
    is_transferred(Kind::Linphone);
}

/// A real phone joins two of ours: what it writes in Refer-To is understood.
fn transfers(kind: Kind) {
    let Some(rig) = rig::take_with(&[kind]) else { return };
    let mut alice = rig.registered(&Setup { calls: FOLLOWS, ..Setup::default() });
    let mut carol = ours(&rig, "carol", FOLLOWS);
    let mut bob = rig.console(kind, "bob", Card::B, Codec::Pcmu);
    match kind {
        Kind::Twinkle => {
            bob.tell("call alice@10.77.0.1");
            speaks(&rig, &alice.expect("established"));
            bob.tell("transfer -c carol@10.77.0.1");
            speaks(&rig, &carol.expect("established"));
            bob.tell("transfer -c");
        }
        Kind::Linphone => {
            bob.tell("call sip:alice@127.0.0.1");
            speaks(&rig, &alice.expect("established"));
            bob.tell("pause");
            alice.expect("remote_held");
            bob.tell("call sip:carol@127.0.0.1");
            speaks(&rig, &carol.expect("established"));
            bob.tell("transfer 1 --to-call 2");
        }
    }
    alice.expect_with("established", |event| event["call"] == 2);
    replaced(&rig);
    let by = carol.expect("replaced")["by"].clone();
    alice.expect_with("ended", |event| event["call"] == 1);
    carol.expect_with("ended", |event| event["call"] == 1);
    carol.tell(&format!("hangup #{by}"));
    alice.expect_with("ended", |event| event["call"] == 2);
}

#[test]
fn twinkle_joins_two_of_ours() {
    transfers(Kind::Twinkle);
}

#[test]
fn linphone_joins_two_of_ours() {
    transfers(Kind::Linphone);
}
