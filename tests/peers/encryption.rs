//! Encrypted calls with baresip's srtp module: each suite, by policy, and what is heard at the far end.

use crate::protected::{BARESIPS, OURS, both, both_ways, hear, hold_and_resume, linphone_both_ways, with_streams};
use crate::rig::phone::{Phone, Setup};
use crate::rig::{DEADLINE, Rig};

const TLS_OPTIONAL: &str = "proxies = [\"sip:127.0.0.1;transport=tls\"]\nsrtp = \"optional\"";
const TLS_REQUIRED: &str = "proxies = [\"sip:127.0.0.1;transport=tls\"]\nsrtp = \"required\"";
const UDP_REQUIRED: &str = "srtp = \"required\"";

/// Both hear each other, and nobody else does.
fn talk(rig: &Rig, alice: &mut Phone, suite: &str, tls: bool) {
    let established = alice.expect("established");
    assert_eq!(established["srtp"], true, "{established}");
    assert_eq!(established["suite"], suite, "{established}");
    assert_eq!(established["keying"], "sdes", "{established}");
    assert_eq!(established["tls"], tls, "{established}");
    hear(rig, &established);
}

#[test]
fn optional_both_ways_by_tls_is_srtp() {
    let Some(rig) = with_streams() else { return };
    let (mut alice, mut bob) = both(&rig, TLS_OPTIONAL, "srtp");
    alice.tell("call sip:bob@127.0.0.1");
    bob.expect("CALL_ESTABLISHED");
    talk(&rig, &mut alice, OURS, true);
    hold_and_resume(&rig, &mut alice);
    alice.tell("hangup");
    bob.expect("CALL_CLOSED");

    // The other way: baresip offers this one alone.
    bob.tell("dial", "sip:alice@127.0.0.1");
    alice.expect("incoming");
    alice.tell("answer");
    talk(&rig, &mut alice, BARESIPS, true);
}

#[test]
fn required_meets_mandatory_by_tls_and_by_udp() {
    for (account, tls) in [(TLS_REQUIRED, true), (UDP_REQUIRED, false)] {
        let Some(rig) = with_streams() else { return };
        both_ways(&rig, account, "srtp-mand", |alice, suite| talk(&rig, alice, suite, tls));
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
    linphone_both_ways(UDP_REQUIRED, "srtp", |rig, alice, suite| talk(rig, alice, suite, false));
}
