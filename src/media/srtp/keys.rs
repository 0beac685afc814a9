//! Session keys from a master key (RFC 3711 section 4.3), with a key derivation rate of 0: once, when the key is new.

use aes::cipher::{InnerIvInit as _, KeyInit as _, StreamCipher as _};
use aes::{Aes128Enc, Aes256Enc};

use crate::sdp::crypto::MasterKey;

use super::Kind;

/// What is derived, each under its own label (RFC 3711 section 4.3.1 and 4.3.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Purpose {
    Encryption,
    Authentication,
    Salt,
}

fn label(kind: Kind, purpose: Purpose) -> u8 {
    let first = match kind {
        Kind::Rtp => 0,
        Kind::Rtcp => 3,
    };
    let offset = match purpose {
        Purpose::Encryption => 0,
        Purpose::Authentication => 1,
        Purpose::Salt => 2,
    };
    first + offset
}

/// Fills `key` with the session key for a purpose.
pub(super) fn derive(master: &MasterKey, kind: Kind, purpose: Purpose, key: &mut [u8]) {
    prf(master.key(), master.salt(), label(kind, purpose), key);
}

/// The pseudo-random function: AES in counter mode by RFC 3711 section 4.3.3 for a key of 128 bits, RFC 6188 section 3 for one of
/// 256 bits.
fn prf(master: &[u8], salt: &[u8], label: u8, key: &mut [u8]) {
    // The salt with the label, times 2^16. A salt of 96 bits is made one of 112 by zeros at its end (RFC 7714 section 11).
    let mut block = [0; 16];
    for (byte, salt) in block.iter_mut().zip(salt) {
        *byte = *salt;
    }
    block[7] ^= label;
    key.fill(0);
    if let Ok(cipher) = Aes128Enc::new_from_slice(master) {
        ctr::Ctr128BE::from_core(ctr::CtrCore::inner_iv_init(cipher, &block.into())).apply_keystream(key);
    } else if let Ok(cipher) = Aes256Enc::new_from_slice(master) {
        ctr::Ctr128BE::from_core(ctr::CtrCore::inner_iv_init(cipher, &block.into())).apply_keystream(key);
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::hex;
    use super::*;

    const ENCRYPTION: u8 = 0;
    const AUTHENTICATION: u8 = 1;
    const SALT: u8 = 2;

    fn assert_derives(master: &str, salt: &str, label: u8, expected: &str) {
        let expected = hex(expected);
        let mut key = vec![0xff; expected.len()];
        prf(&hex(master), &hex(salt), label, &mut key);
        assert_eq!(key, expected, "label {label}");
    }

    #[test]
    fn rfc_3711_appendix_b_3() {
        let (master, salt) = ("E1F97A0D3E018BE0D64FA32C06DE4139", "0EC675AD498AFEEBB6960B3AABE6");
        assert_derives(master, salt, ENCRYPTION, "C61E7A93744F39EE10734AFE3FF7A087");
        assert_derives(master, salt, SALT, "30CBBC08863D8C85D49DB34A9AE1");
        let long = "CEBE321F6FF7716B6FD4AB49AF256A15 6D38BAA48F0A0ACF3C34E2359E6CDBCE E049646C43D9327AD175578EF7227098 \
                    6371C10C9A369AC2F94A8C5FBCDDDC25 6D6E919A48B610EF17C2041E47403576 6B68642C59BBFC2F34DB60DBDFB2";
        assert_derives(master, salt, AUTHENTICATION, long);
    }

    #[test]
    fn rfc_6188_section_7_2() {
        let master = "f0f04914b513f2763a1b1fa130f10e29 98f6f6e43e4309d1e622a0e332b9f1b6";
        let salt = "3b04803de51ee7c96423ab5b78d2";
        let key = "5ba1064e30ec51613cad926c5a28ef73 1ec7fb397f70a960653caf06554cd8c4";
        assert_derives(master, salt, ENCRYPTION, key);
        assert_derives(master, salt, SALT, "fa31791685ca444a9e07c6c64e93");
        assert_derives(master, salt, AUTHENTICATION, "fd9c32d39ed5fbb5a9dc96b30818454d 1313dc05");
    }
}
