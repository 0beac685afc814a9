//! Both ends of a call, and who stands between them.

use proptest::prelude::*;

use super::*;
use crate::sdp::crypto::{MasterKey, Suite};

/// Bytes from their hexadecimal form.
pub(super) fn hex(text: &str) -> Vec<u8> {
    let digits: Vec<u32> = text.chars().filter_map(|c| c.to_digit(16)).collect();
    digits.chunks(2).map(|pair| (pair[0] << 4 | pair[1]) as u8).collect()
}

fn key(suite: Suite, fill: u8) -> MasterKey {
    MasterKey::new(suite, &vec![fill; suite.key_length() + suite.salt_length()]).unwrap()
}

fn guard(suite: Suite, send: u8, receive: u8) -> Guard {
    let mut guard = Guard::default();
    rekey(&mut guard, suite, send, receive);
    guard
}

fn rekey(guard: &mut Guard, suite: Suite, send: u8, receive: u8) {
    let srtp = Srtp { send: key(suite, send), receive: key(suite, receive), mki_length: 0 };
    guard.configure(&srtp.into());
}

/// An RTP packet with a header extension and a source.
fn rtp(ssrc: u32, seq: u16) -> Vec<u8> {
    let mut packet = vec![0x91, 0, 0, 0, 0, 0, 0, 9, 0, 0, 0, 0, 7, 7, 7, 7, 0xbe, 0xde, 0, 1, 1, 2, 3, 4];
    packet[2..4].copy_from_slice(&seq.to_be_bytes());
    packet[8..12].copy_from_slice(&ssrc.to_be_bytes());
    packet.extend([0xd5; 160]);
    packet
}

fn rtcp(ssrc: u32) -> Vec<u8> {
    let mut packet = vec![0x80, 201, 0, 1];
    packet.extend(ssrc.to_be_bytes());
    packet.extend([0x81, 202, 0, 2, 0, 0, 0, 1, 1, 2, b'a', b'b']);
    packet
}

fn protected(guard: &mut Guard, mut packet: Vec<u8>) -> Vec<u8> {
    assert!(guard.protect(&mut packet));
    packet
}

#[test]
fn what_one_protects_the_other_reads_and_nobody_else() {
    for suite in Suite::ALL {
        let (mut alice, mut bob, mut eve) = (guard(suite, 1, 2), guard(suite, 2, 1), guard(suite, 2, 3));
        for plain in [rtp(5, 100), rtp(5, 101), rtcp(5), rtp(6, 7), rtcp(6)] {
            let sent = protected(&mut alice, plain.clone());
            assert!(sent.len() > plain.len() && sent.len() <= plain.len() + MAX_GROWTH, "{suite:?}");
            assert!(!sent.windows(8).any(|window| window == &plain[plain.len() - 8..]), "{suite:?}");
            assert_eq!(eve.unprotect(&sent), None);
            assert_eq!(bob.unprotect(&sent), Some(&plain[..]), "{suite:?}");
            assert_eq!(bob.unprotect(&sent), None, "{suite:?}: again");
        }
        assert_eq!((bob.rejected(), eve.rejected()), (5, 5));
        // To its sender it is somebody else's.
        let sent = protected(&mut alice, rtp(5, 102));
        assert_eq!(alice.unprotect(&sent), None);
    }
}

#[test]
fn a_bit_that_changes_anywhere_is_noticed() {
    for suite in Suite::ALL {
        let (mut alice, mut bob) = (guard(suite, 1, 2), guard(suite, 2, 1));
        for sent in [protected(&mut alice, rtp(5, 100)), protected(&mut alice, rtcp(5))] {
            for bit in 0..sent.len() * 8 {
                let mut changed = sent.clone();
                changed[bit / 8] ^= 1 << (bit % 8);
                // The first two bits say whether it is RTP at all: others share the socket.
                if bit != 6 && bit != 7 {
                    assert_eq!(bob.unprotect(&changed), None, "{suite:?} bit {bit}");
                }
            }
            for length in 2..sent.len() {
                assert_eq!(bob.unprotect(&sent[..length]), None, "{suite:?} {length} bytes");
            }
            // None of them has spoilt the place of the real one.
            assert!(bob.unprotect(&sent).is_some());
        }
    }
}

#[test]
fn the_sequence_numbers_wrap_and_nothing_is_lost() {
    let suite = Suite::AeadAes256Gcm;
    let (mut alice, mut bob) = (guard(suite, 1, 2), guard(suite, 2, 1));
    let mut late = Vec::new();
    // Twice round, with losses, and with packets that come after a wrap from before it.
    for n in 0x7000..0x2_0100u32 {
        let seq = (n & 0xffff) as u16;
        let sent = protected(&mut alice, rtp(5, seq));
        match seq {
            0xfff0..=0xfff3 => late.push(sent),
            0x0008 => {
                assert!(bob.unprotect(&sent).is_some(), "{n:#x}");
                for before in late.drain(..) {
                    assert!(bob.unprotect(&before).is_some(), "before the wrap at {n:#x}");
                }
            }
            _ if n % 7 == 0 => {}
            _ => assert!(bob.unprotect(&sent).is_some(), "{n:#x}"),
        }
    }
}

#[test]
fn a_number_is_never_used_twice() {
    let mut alice = guard(Suite::AesCm128HmacSha1Tag80, 1, 2);
    assert!(alice.protect(&mut rtp(5, 100)));
    assert!(!alice.protect(&mut rtp(5, 100)));
    assert!(!alice.protect(&mut rtp(5, 99)));
    assert!(alice.protect(&mut rtp(5, 101)));
    // Another SSRC is another stream.
    assert!(alice.protect(&mut rtp(6, 100)));
}

#[test]
fn plain_packets_are_not_taken_and_other_protocols_pass_by() {
    let mut bob = guard(Suite::AeadAes128Gcm, 1, 2);
    assert_eq!(bob.unprotect(&rtp(5, 1)), None);
    assert_eq!(bob.unprotect(&rtcp(5)), None);
    let stun = [0, 1, 0, 0, 0x21, 0x12, 0xa4, 0x42];
    assert_eq!(bob.unprotect(&stun), Some(&stun[..]));
    assert_eq!(protected(&mut bob, stun.to_vec()), stun);
    let mut open = Guard::default();
    assert_eq!(open.unprotect(&rtp(5, 1)), Some(&rtp(5, 1)[..]));
    assert_eq!(protected(&mut open, rtp(5, 1)), rtp(5, 1));
}

#[test]
fn a_new_key_goes_on_where_the_old_one_was() {
    let suite = Suite::AesCm128HmacSha1Tag80;
    let (mut alice, mut bob) = (guard(suite, 1, 2), guard(suite, 2, 1));
    // One step in 64 is enough to find the way round.
    for n in (0..0x1_0010u32).step_by(16) {
        let sent = protected(&mut alice, rtp(5, (n & 0xffff) as u16));
        assert!(bob.unprotect(&sent).is_some());
    }
    let old = protected(&mut alice, rtp(5, 0x10));
    rekey(&mut alice, suite, 3, 2);
    rekey(&mut bob, suite, 2, 3);
    // On its way when the key changed; then the first under the new one, with the roll-over counter as it was.
    assert!(bob.unprotect(&old).is_some());
    let new = protected(&mut alice, rtp(5, 0x11));
    assert!(bob.unprotect(&new).is_some());
    // From then on the old one is worth nothing.
    let mut old_alice = guard(suite, 1, 2);
    assert_eq!(bob.unprotect(&protected(&mut old_alice, rtp(5, 0x12))), None);

    // Others begin at 0 again.
    rekey(&mut bob, suite, 2, 4);
    let mut beginner = guard(suite, 4, 2);
    assert!(bob.unprotect(&protected(&mut beginner, rtp(5, 0x12))).is_some());
    assert!(bob.unprotect(&protected(&mut beginner, rtp(5, 0x13))).is_some());
}

#[test]
fn the_same_keys_again_keep_the_windows() {
    let suite = Suite::AeadAes128Gcm;
    let (mut alice, mut bob) = (guard(suite, 1, 2), guard(suite, 2, 1));
    let sent = protected(&mut alice, rtp(5, 1));
    assert!(bob.unprotect(&sent).is_some());
    rekey(&mut bob, suite, 2, 1);
    assert_eq!(bob.unprotect(&sent), None);
    // Two early dialogs that take turns.
    rekey(&mut bob, suite, 2, 9);
    rekey(&mut bob, suite, 2, 1);
    assert_eq!(bob.unprotect(&sent), None);
    // Ours goes on as well: the same number would be the same keystream.
    rekey(&mut alice, suite, 1, 9);
    assert!(!alice.protect(&mut rtp(5, 1)));
}

#[test]
fn a_master_key_identifier_is_read_over() {
    for suite in Suite::ALL {
        let mut alice = guard(suite, 1, 2);
        let mut bob = Guard::default();
        bob.configure(&Srtp { send: key(suite, 2), receive: key(suite, 1), mki_length: 4 }.into());
        for plain in [rtp(5, 100), rtcp(5)] {
            let kind = Kind::of(&plain).unwrap();
            let mut sent = protected(&mut alice, plain.clone());
            let tag = match (suite, kind) {
                (Suite::AeadAes256Gcm | Suite::AeadAes128Gcm, _) => 0,
                (Suite::AesCm128HmacSha1Tag32, Kind::Rtp) => 4,
                (Suite::AesCm128HmacSha1Tag80 | Suite::AesCm128HmacSha1Tag32, _) => 10,
            };
            let at = sent.len() - tag;
            sent.splice(at..at, [0, 0, 0, 1]);
            assert_eq!(bob.unprotect(&sent), Some(&plain[..]), "{suite:?} {kind:?}");
        }
    }
}

#[test]
fn many_streams_do_not_grow_it() {
    let suite = Suite::AesCm128HmacSha1Tag80;
    let (mut alice, mut bob) = (guard(suite, 1, 2), guard(suite, 2, 1));
    for ssrc in 0..1000 {
        assert!(bob.unprotect(&protected(&mut alice, rtp(ssrc, 1))).is_some());
    }
    let State::Keyed(keyed) = &bob.state else { panic!("no keys") };
    assert_eq!(keyed.incoming.streams(), 64);
}

proptest! {
    #[test]
    fn no_bytes_panic(
        bytes in prop::collection::vec(any::<u8>(), 0..120),
        suite in 0usize..4,
        rtp_like in any::<bool>(),
        mki_length in 0u8..17,
    ) {
        let mut bytes = bytes;
        if let (true, Some(first)) = (rtp_like, bytes.first_mut()) {
            *first = *first & 0x3f | 0x80;
        }
        let suite = Suite::ALL[suite];
        let mut guard = Guard::default();
        guard.configure(&Srtp { send: key(suite, 1), receive: key(suite, 2), mki_length }.into());
        let is_media = Kind::of(&bytes).is_some();
        prop_assert_eq!(guard.unprotect(&bytes).is_none(), is_media);
        let mut sent = bytes.clone();
        if guard.protect(&mut sent) && is_media {
            prop_assert!(sent.len() <= bytes.len() + MAX_GROWTH);
        }
    }
}
