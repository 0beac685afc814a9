//! Who we are in a handshake: a certificate that says nothing but its key (RFC 5763 section 5: the fingerprint in the SIP message
//! tells whose it is).

use std::fmt;

use openssl::asn1::Asn1Time;
use openssl::bn::{BigNum, MsbOption};
use openssl::ec::{EcGroup, EcKey};
use openssl::error::ErrorStack;
use openssl::hash::MessageDigest;
use openssl::nid::Nid;
use openssl::pkey::PKey;
use openssl::ssl::{SslContext, SslMethod, SslOptions, SslSessionCacheMode, SslVersion};
use openssl::x509::{X509, X509NameBuilder};

use crate::sdp::dtls::{Fingerprint, Hash};

/// Days for which it is valid: nobody looks, but a clock may be wrong.
const DAYS: u32 = 30;

/// What RFC 5764 and RFC 7714 call the suites, the strongest first.
const PROFILES: &str = "SRTP_AEAD_AES_256_GCM:SRTP_AEAD_AES_128_GCM:SRTP_AES128_CM_SHA1_80:SRTP_AES128_CM_SHA1_32";

/// What encrypts the handshake: with forward secrecy, for the keys of the sound come from it. The last is for the oldest peers.
const CIPHERS: &str = "ECDHE+AESGCM:ECDHE+CHACHA20:DHE+AESGCM:ECDHE+AES";

/// Our certificate and what all handshakes have in common.
pub struct Identity {
    pub(super) context: SslContext,
    fingerprint: Fingerprint,
}

impl Identity {
    /// Makes a key on P-256 and a certificate for it.
    pub fn new() -> Result<Identity, ErrorStack> {
        let group = EcGroup::from_curve_name(Nid::X9_62_PRIME256V1)?;
        let key = PKey::from_ec_key(EcKey::generate(&group)?)?;
        let mut serial = BigNum::new()?;
        serial.rand(64, MsbOption::ONE, false)?;
        // RFC 8827 section 6.5 and common sense: the same name for everybody.
        let mut name = X509NameBuilder::new()?;
        name.append_entry_by_nid(Nid::COMMONNAME, "offhook")?;
        let name = name.build();
        let mut builder = X509::builder()?;
        builder.set_version(2)?;
        builder.set_serial_number(serial.to_asn1_integer()?.as_ref())?;
        builder.set_subject_name(&name)?;
        builder.set_issuer_name(&name)?;
        let yesterday = Asn1Time::days_from_now(0)?;
        builder.set_not_before(&yesterday)?;
        builder.set_not_after(Asn1Time::days_from_now(DAYS)?.as_ref())?;
        builder.set_pubkey(&key)?;
        builder.sign(&key, MessageDigest::sha256())?;
        let certificate = builder.build();
        let digest = certificate.digest(MessageDigest::sha256())?;
        let fingerprint = Fingerprint::new(Hash::Sha256, &digest).ok_or_else(ErrorStack::get)?;

        let mut context = SslContext::builder(SslMethod::dtls())?;
        context.set_min_proto_version(Some(SslVersion::DTLS1_2))?;
        context.set_cipher_list(CIPHERS)?;
        // The fingerprint says whose a key is, however short it is: old phones have RSA keys of 1024 bits.
        context.set_security_level(1);
        context.set_certificate(&certificate)?;
        context.set_private_key(&key)?;
        context.set_tlsext_use_srtp(PROFILES)?;
        context.set_options(SslOptions::NO_QUERY_MTU | SslOptions::NO_RENEGOTIATION | SslOptions::NO_TICKET);
        context.set_session_cache_mode(SslSessionCacheMode::OFF);
        Ok(Identity { context: context.build(), fingerprint })
    }

    /// What SIP messages say of it.
    pub fn fingerprint(&self) -> Fingerprint {
        self.fingerprint
    }
}

impl fmt::Debug for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Identity").field("fingerprint", &self.fingerprint).finish_non_exhaustive()
    }
}
