//! A session whose packets are protected: sound over a bad network, strangers, another key in mid-call.

use super::*;
use crate::sdp::crypto::{MasterKey, Srtp, Suite};

fn srtp(suite: Suite, send: u8, receive: u8) -> Srtp {
    let key = |fill| MasterKey::new(suite, &vec![fill; suite.key_length() + suite.salt_length()]).unwrap();
    Srtp { send: key(send), receive: key(receive), mki_length: 0 }
}

fn protected(remote: &str, srtp: Srtp) -> Negotiated {
    Negotiated { protection: srtp.into(), ..media(remote) }
}

/// Both ends of `pair` get these keys.
fn rekey(pair: &mut Pair, suite: Suite, [one, other]: [u8; 2]) {
    let now = pair.now;
    pair.sessions[0].configure(now, &protected(ADDRESSES[1], srtp(suite, one, other)));
    pair.sessions[1].configure(now, &protected(ADDRESSES[0], srtp(suite, other, one)));
}

fn loudest(samples: &[i16]) -> f32 {
    samples.chunks(800).map(rms_dbfs).fold(f32::MIN, f32::max)
}

#[test]
fn sound_digits_and_reports_come_through_a_bad_network() {
    for suite in Suite::ALL {
        let mut pair = Pair::new(3, Weather { loss: 0.05, twice: 0.05, delay_ms: 20, jitter_ms: 40 });
        rekey(&mut pair, suite, [1, 2]);
        pair.tone = [Some(440.0), Some(1000.0)];
        pair.run(ms(3000));
        assert!(pair.sessions[0].send_digits(pair.now, "5"));
        pair.run(ms(8000));
        for n in 0..2 {
            let stats = pair.sessions[n].stats();
            assert!(stats.received > 400 && stats.rtt_ms.is_some(), "{suite:?} {stats:?}");
            assert!(loudest(&pair.heard[n]) > -30.0);
            // What came twice is refused before it is counted as a packet.
            assert!(stats.strangers > 5 && stats.discarded < 200, "{suite:?} {stats:?}");
        }
        assert!(pair.events[1].iter().any(|event| matches!(event, Event::Digit { digit: '5', .. })), "{suite:?}");
    }
}

#[test]
fn with_another_key_nothing_is_heard_and_no_stranger_is_believed() {
    let mut pair = Pair::new(4, Weather::default());
    let now = pair.now;
    let suite = Suite::AesCm128HmacSha1Tag80;
    pair.sessions[0].configure(now, &protected(ADDRESSES[1], srtp(suite, 1, 2)));
    pair.sessions[1].configure(now, &protected(ADDRESSES[0], srtp(suite, 2, 9)));
    pair.tone = [Some(440.0), Some(1000.0)];
    pair.run(ms(2000));
    assert_eq!(pair.sessions[1].stats().received, 0);
    assert!(pair.sessions[0].stats().received > 90);
    assert!(loudest(&pair.heard[1]) < -90.0);

    // Plain packets in order from elsewhere would be latched without SRTP.
    let mut plain = Session::new(now, [9; 32]);
    plain.configure(now, &media("192.0.2.9:4000"));
    for n in 0..50 {
        plain.capture(now + ms(n * 20), &[1000; 160]);
        while let Some(Transmit::Rtp { bytes, .. }) = plain.poll_transmit() {
            pair.sessions[1].handle_rtp(pair.now, address("198.51.100.9:9"), &bytes);
        }
    }
    pair.sessions[1].capture(pair.now, &[0; 160]);
    let to = std::iter::from_fn(|| pair.sessions[1].poll_transmit()).find_map(|transmit| match transmit {
        Transmit::Rtp { to, .. } => Some(to),
        Transmit::Rtcp { .. } => None,
    });
    assert_eq!(to, Some(address(ADDRESSES[0])));
    assert_eq!(pair.sessions[1].stats().received, 0);
}

#[test]
fn a_new_key_in_mid_call_loses_nothing_that_is_on_its_way() {
    let mut pair = Pair::new(5, Weather { delay_ms: 60, ..Weather::default() });
    rekey(&mut pair, Suite::AeadAes128Gcm, [1, 2]);
    pair.tone = [Some(440.0), Some(440.0)];
    pair.run(ms(1000));
    rekey(&mut pair, Suite::AeadAes128Gcm, [3, 4]);
    pair.run(ms(1000));
    for session in &pair.sessions {
        let stats = session.stats();
        assert_eq!((stats.lost, stats.strangers), (0, 0), "{stats:?}");
    }
}

#[test]
fn nothing_leaves_readable_even_the_goodbye() {
    let mut pair = Pair::new(6, Weather::default());
    rekey(&mut pair, Suite::AeadAes256Gcm, [1, 2]);
    pair.run(ms(6000));
    let now = pair.now;
    let session = &mut pair.sessions[0];
    session.close(now);
    let goodbye = std::iter::from_fn(|| session.poll_transmit()).last();
    let Some(Transmit::Rtcp { bytes, .. }) = goodbye else { panic!("{goodbye:?}") };
    let readable = rtcp::read(&bytes).is_ok_and(|report| report.sender.is_some());
    assert!(!readable, "{bytes:?}");
}
