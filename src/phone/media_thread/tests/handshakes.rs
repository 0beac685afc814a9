//! Keys by real handshakes over loopback: with both ports and with one, and with another certificate than the one named.

use super::*;
use crate::media::dtls::Failure;
use crate::sdp::Protection;
use crate::sdp::crypto::Suite;
use crate::sdp::dtls::{Agreed, Role};

fn identity() -> Arc<Identity> {
    Arc::new(Identity::new().unwrap())
}

/// `phone` talks to `other`, who is expected to show the certificate of `expected`.
fn talk(phone: &Phone, other: &Phone, role: Role, expected: &Identity, rtcp_mux: bool) {
    let agreed = Agreed { role, remote: vec![expected.fingerprint()], local_id: None, remote_id: None };
    let media = Phone::media(other, 20);
    let remote_rtcp = if rtcp_mux { Some(media.remote_rtp) } else { media.remote_rtcp };
    let media = Negotiated { rtcp_mux, remote_rtcp, protection: Protection::Dtls(Box::new(agreed)), ..media };
    phone.thread.order(Order::Configure { call: CALL, media: Box::new(media) });
    phone.thread.order(Order::OpenMicrophone { call: CALL });
}

/// How it ends.
fn ends(phone: &Phone) -> Result<Suite, Failure> {
    phone.expect("an end of the handshake", |report| match report {
        Report::Session { event: session::Event::Keyed { suite }, .. } => Some(Ok(*suite)),
        Report::Session { event: session::Event::KeysFailed(failure), .. } => Some(Err(failure.clone())),
        _ => None,
    })
}

#[test]
fn two_phones_agree_on_keys_and_hear_each_other() {
    for rtcp_mux in [true, false] {
        let (alices, bobs) = (identity(), identity());
        let alice = Phone::with("tone:440", "null", Some(Arc::clone(&alices)));
        let bob = Phone::with("tone:1000", "null", Some(Arc::clone(&bobs)));
        talk(&alice, &bob, Role::Server, &bobs, rtcp_mux);
        talk(&bob, &alice, Role::Client, &alices, rtcp_mux);
        assert_eq!(ends(&alice), Ok(Suite::AeadAes256Gcm));
        assert_eq!(ends(&bob), Ok(Suite::AeadAes256Gcm));
        alice.expect_flowing();
        bob.expect_flowing();
        let with_reports = |report: &Report| match report {
            // The round trip is known by a report of the peer's, under the keys of RTCP.
            Report::Session { event: session::Event::Stats(stats), .. } => {
                (stats.rtt_ms.is_some() && stats.received > 100).then_some(())
            }
            _ => None,
        };
        alice.expect("figures with a round trip and sound", with_reports);
        let stats = alice.close();
        assert!(stats.received > 100 && stats.strangers < 5, "{stats:?}");
        bob.close();
    }
}

#[test]
fn somebody_else_gets_no_keys_and_no_sound() {
    let (alices, bobs) = (identity(), identity());
    let alice = Phone::with("tone:440", "null", Some(Arc::clone(&alices)));
    let bob = Phone::with("tone:1000", "null", Some(bobs));
    talk(&alice, &bob, Role::Server, &identity(), true);
    talk(&bob, &alice, Role::Client, &alices, true);
    assert_eq!(ends(&alice), Err(Failure::Fingerprint));
    assert!(matches!(ends(&bob), Err(Failure::Protocol(_))));
    for phone in [alice, bob] {
        let stats = phone.close();
        assert_eq!((stats.sent, stats.received), (0, 0));
    }
}
