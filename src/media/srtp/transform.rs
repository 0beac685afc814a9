//! One packet under one session key: encrypted and tagged, or checked and decrypted.

use aes::Aes128Enc;
use aes::cipher::{InnerIvInit as _, KeyInit as _, StreamCipher as _};
use hmac::{Hmac, Mac as _};
use ring::aead::{AES_128_GCM, AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use sha1::Sha1;

use crate::sdp::crypto::{MasterKey, Suite};

use super::keys::{Purpose, derive};
use super::{Kind, Rejected};

/// Bytes of GCM's tag (RFC 7714 section 13).
const GCM_TAG: usize = 16;
/// The flag and the index of an SRTCP packet.
const INDEX: usize = 4;
/// The first bytes of a compound RTCP packet, which stay readable.
const RTCP_HEADER: usize = 8;
/// The flag beside the index: the packet is encrypted.
const ENCRYPTED: u32 = 1 << 31;

/// Session keys of one direction, for RTP or for RTCP.
pub(super) enum Transform {
    CounterMode { cipher: Box<Aes128Enc>, salt: [u8; 14], mac: Box<Hmac<Sha1>>, tag: usize },
    Gcm { key: Box<LessSafeKey>, salt: [u8; 12] },
}

impl std::fmt::Debug for Transform {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Transform::CounterMode { .. } => "CounterMode",
            Transform::Gcm { .. } => "Gcm",
        })
    }
}

/// Whose packet it is, and which: what makes each keystream another one.
#[derive(Debug, Clone, Copy)]
pub(super) struct Place {
    pub ssrc: u32,
    /// Roll-over counter and sequence number, or the SRTCP index.
    pub index: u64,
}

impl Transform {
    pub fn new(master: &MasterKey, kind: Kind) -> Transform {
        let tag = match (master.suite(), kind) {
            (Suite::AeadAes128Gcm, _) => return Transform::gcm(master, kind, &AES_128_GCM, &mut [0; 16]),
            (Suite::AeadAes256Gcm, _) => return Transform::gcm(master, kind, &AES_256_GCM, &mut [0; 32]),
            (Suite::AesCm128HmacSha1Tag80, _) | (Suite::AesCm128HmacSha1Tag32, Kind::Rtcp) => 10,
            (Suite::AesCm128HmacSha1Tag32, Kind::Rtp) => 4,
        };
        let (mut key, mut salt, mut mac) = ([0; 16], [0; 14], [0; 20]);
        derive(master, kind, Purpose::Encryption, &mut key);
        derive(master, kind, Purpose::Salt, &mut salt);
        derive(master, kind, Purpose::Authentication, &mut mac);
        Transform::counter_mode(&key, salt, &mac, tag)
    }

    fn gcm(master: &MasterKey, kind: Kind, algorithm: &'static ring::aead::Algorithm, key: &mut [u8]) -> Transform {
        let mut salt = [0; 12];
        derive(master, kind, Purpose::Encryption, key);
        derive(master, kind, Purpose::Salt, &mut salt);
        Transform::gcm_of(algorithm, key, salt)
    }

    fn counter_mode(key: &[u8; 16], salt: [u8; 14], mac: &[u8; 20], tag: usize) -> Transform {
        let mac = Box::new(Hmac::new_from_slice(mac).expect("HMAC takes a key of any length"));
        Transform::CounterMode { cipher: Box::new(Aes128Enc::new(key.into())), salt, mac, tag }
    }

    pub(super) fn gcm_of(algorithm: &'static ring::aead::Algorithm, key: &[u8], salt: [u8; 12]) -> Transform {
        let key = UnboundKey::new(algorithm, key).expect("a key as long as its algorithm's");
        Transform::Gcm { key: Box::new(LessSafeKey::new(key)), salt }
    }

    /// RFC 3711 section 3.1, RFC 7714 section 8. False: it can't be done, and the packet must not leave.
    pub fn protect_rtp(&self, packet: &mut Vec<u8>, header: usize, place: Place) -> bool {
        match self {
            Transform::CounterMode { cipher, salt, mac, tag } => {
                let Some(payload) = packet.get_mut(header..) else { return false };
                keystream(cipher, salt, place, payload);
                let computed = tag_of(mac, packet, &roll_over(place.index));
                let Some(tag) = computed.get(..*tag) else { return false };
                packet.extend_from_slice(tag);
                true
            }
            Transform::Gcm { key, salt } => {
                let Some((clear, payload)) = packet.split_at_mut_checked(header) else { return false };
                let nonce = nonce(salt, place, Kind::Rtp);
                let Ok(tag) = key.seal_in_place_separate_tag(nonce, Aad::from(clear), payload) else { return false };
                packet.extend_from_slice(tag.as_ref());
                true
            }
        }
    }

    /// Puts the packet as it was before [`Transform::protect_rtp`] in `plain`. `mki` bytes of a master key identifier are
    /// read over.
    pub fn unprotect_rtp(
        &self,
        packet: &[u8],
        header: usize,
        mki: usize,
        place: Place,
        plain: &mut Vec<u8>,
    ) -> Result<(), Rejected> {
        match self {
            Transform::CounterMode { cipher, salt, mac, tag } => {
                // The identifier stands before the tag.
                let (rest, received) = split_end(packet, *tag)?;
                let (body, _) = split_end(rest, mki)?;
                let computed = tag_of(mac, body, &roll_over(place.index));
                if !equal(computed.get(..*tag), received) {
                    return Err(Rejected::Forged);
                }
                plain.clear();
                plain.extend_from_slice(body);
                keystream(cipher, salt, place, plain.get_mut(header..).ok_or(Rejected::Malformed)?);
                Ok(())
            }
            Transform::Gcm { key, salt } => {
                // It stands behind it (RFC 7714 section 8).
                let (body, _) = split_end(packet, mki)?;
                plain.clear();
                plain.extend_from_slice(body);
                let (clear, sealed) = plain.split_at_mut_checked(header).ok_or(Rejected::Malformed)?;
                let nonce = nonce(salt, place, Kind::Rtp);
                let opened = key.open_in_place(nonce, Aad::from(clear), sealed).map_err(|_| Rejected::Forged)?.len();
                plain.truncate(header + opened);
                Ok(())
            }
        }
    }

    /// RFC 3711 section 3.4, RFC 7714 section 9.
    pub fn protect_rtcp(&self, packet: &mut Vec<u8>, place: Place) -> bool {
        let flagged = (ENCRYPTED | place.index as u32).to_be_bytes();
        let Some((clear, rest)) = packet.split_at_mut_checked(RTCP_HEADER) else { return false };
        match self {
            Transform::CounterMode { cipher, salt, mac, tag } => {
                keystream(cipher, salt, place, rest);
                packet.extend_from_slice(&flagged);
                let computed = tag_of(mac, packet, &[]);
                let Some(tag) = computed.get(..*tag) else { return false };
                packet.extend_from_slice(tag);
            }
            Transform::Gcm { key, salt } => {
                let nonce = nonce(salt, place, Kind::Rtcp);
                let aad = aad_rtcp(clear, flagged);
                let Ok(tag) = key.seal_in_place_separate_tag(nonce, Aad::from(aad), rest) else { return false };
                packet.extend_from_slice(tag.as_ref());
                packet.extend_from_slice(&flagged);
            }
        }
        true
    }

    /// Where the index of an SRTCP packet stands, from its end, with the index itself. A packet that is not encrypted is not
    /// taken: nobody agreed on that (RFC 4568 section 6.3.2).
    pub fn rtcp_index(&self, packet: &[u8], mki: usize) -> Result<u64, Rejected> {
        let (rest, _) = split_end(packet, self.after_index(mki))?;
        let (rest, flagged) = split_end(rest, INDEX)?;
        let flagged = u32::from_be_bytes(flagged.try_into().map_err(|_| Rejected::Malformed)?);
        if rest.len() < RTCP_HEADER {
            return Err(Rejected::Malformed);
        }
        if flagged & ENCRYPTED == 0 {
            return Err(Rejected::Forged);
        }
        Ok(u64::from(flagged & !ENCRYPTED))
    }

    /// Bytes behind the index of an SRTCP packet.
    fn after_index(&self, mki: usize) -> usize {
        match self {
            Transform::CounterMode { tag, .. } => mki + tag,
            Transform::Gcm { .. } => mki,
        }
    }

    /// Puts the packet as it was before [`Transform::protect_rtcp`] in `plain`.
    pub fn unprotect_rtcp(&self, packet: &[u8], mki: usize, place: Place, plain: &mut Vec<u8>) -> Result<(), Rejected> {
        let (indexed, end) = split_end(packet, self.after_index(mki))?;
        let (body, flagged) = split_end(indexed, INDEX)?;
        let flagged: [u8; INDEX] = flagged.try_into().map_err(|_| Rejected::Malformed)?;
        plain.clear();
        match self {
            Transform::CounterMode { cipher, salt, mac, tag: _ } => {
                let received = end.get(mki..).ok_or(Rejected::Malformed)?;
                if !equal(tag_of(mac, indexed, &[]).get(..received.len()), received) {
                    return Err(Rejected::Forged);
                }
                plain.extend_from_slice(body);
                keystream(cipher, salt, place, plain.get_mut(RTCP_HEADER..).ok_or(Rejected::Malformed)?);
            }
            Transform::Gcm { key, salt } => {
                plain.extend_from_slice(body);
                let (clear, sealed) = plain.split_at_mut_checked(RTCP_HEADER).ok_or(Rejected::Malformed)?;
                let nonce = nonce(salt, place, Kind::Rtcp);
                let aad = Aad::from(aad_rtcp(clear, flagged));
                let opened = key.open_in_place(nonce, aad, sealed).map_err(|_| Rejected::Forged)?.len();
                plain.truncate(RTCP_HEADER + opened);
            }
        }
        Ok(())
    }

    /// The shortest SRTP packet has this many bytes behind its header.
    pub fn tag_length(&self) -> usize {
        match self {
            Transform::CounterMode { tag, .. } => *tag,
            Transform::Gcm { .. } => GCM_TAG,
        }
    }
}

/// RFC 3711 section 4.1.1: the salt, the SSRC and the index make the first counter block.
fn keystream(cipher: &Aes128Enc, salt: &[u8; 14], place: Place, bytes: &mut [u8]) {
    let mut block = [0; 16];
    block[4..8].copy_from_slice(&place.ssrc.to_be_bytes());
    block[8..14].copy_from_slice(&place.index.to_be_bytes()[2..]);
    for (byte, salt) in block.iter_mut().zip(salt) {
        *byte ^= salt;
    }
    ctr::Ctr128BE::from_core(ctr::CtrCore::inner_iv_init(cipher, &block.into())).apply_keystream(bytes);
}

/// RFC 7714 sections 8.1 and 9.1.
fn nonce(salt: &[u8; 12], place: Place, kind: Kind) -> Nonce {
    let mut nonce = [0; 12];
    nonce[2..6].copy_from_slice(&place.ssrc.to_be_bytes());
    match kind {
        Kind::Rtp => nonce[6..12].copy_from_slice(&place.index.to_be_bytes()[2..]),
        Kind::Rtcp => nonce[8..12].copy_from_slice(&(place.index as u32).to_be_bytes()),
    }
    for (byte, salt) in nonce.iter_mut().zip(salt) {
        *byte ^= salt;
    }
    Nonce::assume_unique_for_key(nonce)
}

/// RFC 7714 section 9.2: the readable header, and the index with its flag.
fn aad_rtcp(header: &[u8], flagged: [u8; INDEX]) -> [u8; RTCP_HEADER + INDEX] {
    let mut aad = [0; RTCP_HEADER + INDEX];
    for (byte, from) in aad.iter_mut().zip(header.iter().chain(&flagged)) {
        *byte = *from;
    }
    aad
}

/// RFC 3711 section 4.2: the tag is over the packet and, for RTP, the roll-over counter.
fn tag_of(key: &Hmac<Sha1>, packet: &[u8], roll_over: &[u8]) -> [u8; 20] {
    let mut mac = key.clone();
    mac.update(packet);
    mac.update(roll_over);
    mac.finalize().into_bytes().into()
}

fn roll_over(index: u64) -> [u8; 4] {
    ((index >> 16) as u32).to_be_bytes()
}

/// Takes as long whatever the tags are.
fn equal(computed: Option<&[u8]>, received: &[u8]) -> bool {
    let Some(computed) = computed.filter(|computed| computed.len() == received.len()) else { return false };
    computed.iter().zip(received).fold(0, |different, (one, other)| different | (one ^ other)) == 0
}

/// A packet without its last bytes, and these.
fn split_end(packet: &[u8], length: usize) -> Result<(&[u8], &[u8]), Rejected> {
    packet.len().checked_sub(length).and_then(|at| packet.split_at_checked(at)).ok_or(Rejected::Malformed)
}

#[cfg(test)]
mod tests {
    use super::super::tests::hex;
    use super::*;

    const RTP: &str = "8040f17b 8041f8d3 5501a0b2 47616c6c 69612065 7374206f 6d6e6973 20646976 69736120 696e2070 \
                       61727465 73207472 6573";
    const RTCP: &str = "81c8000d 4d617273 4e545031 4e545032 52545020 0000042a 0000e930 4c756e61 deadbeef deadbeef \
                        deadbeef deadbeef deadbeef";
    const SALT: &[u8; 12] = b"Quid pro quo";

    /// RFC 7714 section 16: the key is 00 01 02...
    fn gcm(algorithm: &'static ring::aead::Algorithm) -> Transform {
        let key: Vec<u8> = (0..algorithm.key_len() as u8).collect();
        Transform::gcm_of(algorithm, &key, *SALT)
    }

    #[test]
    fn rfc_3711_appendix_b_2() {
        let cipher = Aes128Enc::new_from_slice(&hex("2B7E151628AED2A6ABF7158809CF4F3C")).unwrap();
        let salt = hex("F0F1F2F3F4F5F6F7F8F9FAFBFCFD").try_into().unwrap();
        let mut stream = vec![0; 65_282 * 16];
        keystream(&cipher, &salt, Place { ssrc: 0, index: 0 }, &mut stream);
        let first =
            "E03EAD0935C95E80E166B16DD92B4EB4 D23513162B02D0F72A43A2FE4A5F97AB 41E95B3BB0A2E8DD477901E4FCA894C0";
        let last = "EC8CDF7398607CB0F2D21675EA9EA1E4 362B7C3C6773516318A077D7FC5073AE 6A2CC3787889374FBEB4C81B17BA6C44";
        assert_eq!(stream[..48], hex(first));
        assert_eq!(stream[stream.len() - 48..], hex(last));
    }

    #[test]
    fn rfc_7714_section_16() {
        let table = [
            (
                &AES_128_GCM,
                "8040f17b 8041f8d3 5501a0b2 f24de3a3 fb34de6c acba861c 9d7e4bca be633bd5 0d294e6f 42a5f47a 51c7d19b \
                 36de3adf 8833899d 7f27beb1 6a9152cf 765ee439 0cce",
            ),
            (
                &AES_256_GCM,
                "8040f17b 8041f8d3 5501a0b2 32b1de78 a822fe12 ef9f78fa 332e33aa b1801238 9a58e2f3 b50b2a02 76ffae0f \
                 1ba63799 b87b7aa3 db36dfff d6b0f9bb 7878d7a7 6c13",
            ),
        ];
        let place = Place { ssrc: 0x5501_a0b2, index: 0xf17b };
        for (algorithm, protected) in table {
            let transform = gcm(algorithm);
            let mut packet = hex(RTP);
            assert!(transform.protect_rtp(&mut packet, 12, place));
            assert_eq!(packet, hex(protected));
            let mut plain = Vec::new();
            assert_eq!(transform.unprotect_rtp(&packet, 12, 0, place, &mut plain), Ok(()));
            assert_eq!(plain, hex(RTP));
        }
    }

    #[test]
    fn rfc_7714_section_17() {
        let table = [
            (
                &AES_128_GCM,
                "81c8000d 4d617273 63e94885 dcdab67c a727d766 2f6b7e99 7ff5c0f7 6c06f32d c676a5f1 730d6fda 4ce09b46 \
                 86303ded 0bb9275b c84aa458 96cf4d2f c5abf872 45d9eade 800005d4",
            ),
            (
                &AES_256_GCM,
                "81c8000d 4d617273 d50ae4d1 f5ce5d30 4ba297e4 7d470c28 2c3ece5d bffe0a50 a2eaa5c1 110555be 8415f658 \
                 c61de047 6f1b6fad 1d1eb30c 4446839f 57ff6f6c b26ac3be 800005d4",
            ),
        ];
        let place = Place { ssrc: 0x4d61_7273, index: 0x5d4 };
        for (algorithm, protected) in table {
            let transform = gcm(algorithm);
            let mut packet = hex(RTCP);
            assert!(transform.protect_rtcp(&mut packet, place));
            assert_eq!(packet, hex(protected));
            assert_eq!(transform.rtcp_index(&packet, 0), Ok(0x5d4));
            let mut plain = Vec::new();
            assert_eq!(transform.unprotect_rtcp(&packet, 0, place, &mut plain), Ok(()));
            assert_eq!(plain, hex(RTCP));
        }
    }

    /// What libsrtp's own test has for the master key of RFC 3711 appendix B.3.
    #[test]
    fn a_packet_as_libsrtp_writes_it() {
        let master = hex("E1F97A0D3E018BE0D64FA32C06DE4139 0EC675AD498AFEEBB6960B3AABE6");
        let master = MasterKey::new(Suite::AesCm128HmacSha1Tag80, &master).unwrap();
        let mut rtp = hex("800f1234 decafbad cafebabe abababab abababab abababab abababab");
        let place = |index| Place { ssrc: 0xcafe_babe, index };
        assert!(Transform::new(&master, Kind::Rtp).protect_rtp(&mut rtp, 12, place(0x1234)));
        let protected = "800f1234 decafbad cafebabe 4e55dc4c e79978d8 8ca4d215 949d2402 b78d6acc 99ea179b 8dbb";
        assert_eq!(rtp, hex(protected));
        let mut rtcp = hex("81c8000b cafebabe abababab abababab abababab abababab");
        assert!(Transform::new(&master, Kind::Rtcp).protect_rtcp(&mut rtcp, place(1)));
        let protected = "81c8000b cafebabe 7128035b e487b9bd bef89041 f977a5a8 80000001 993e08cd 54d6c123 0798";
        assert_eq!(rtcp, hex(protected));
    }
}
