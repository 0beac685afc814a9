//! Security descriptions (RFC 4568): the keys of SRTP in `a=crypto` lines, and when this phone offers or takes them, or those of
//! [`super::dtls`].

use std::fmt;

use base64::Engine as _;
use base64::alphabet::STANDARD;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use rand_chacha::ChaCha20Rng;
use rand_core::{RngCore as _, SeedableRng as _};
use serde::{Deserialize, Serialize};
use sipx_sdp::{Attribute, MediaDescription};

use super::{Protection, Refusal};

/// `=` at the end may be there or not (RFC 4568 section 6.1).
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// The longest master key and salt of a suite, in bytes.
const LONGEST: usize = 44;

/// The longest master key identifier that is taken; RFC 4568 allows 128 bytes, and phones use 1 or 4.
const LONGEST_MKI: u8 = 16;

/// Packets for which a key may be used: 2^48 (RFC 3711 section 9.2).
const LONGEST_LIFETIME: u64 = 1 << 48;

/// `a=crypto` lines of one stream that are looked at.
const MAX_LINES: usize = 16;

/// How SRTP packets are encrypted and authenticated.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Suite {
    /// AES-256 in Galois/Counter Mode (RFC 7714).
    #[serde(rename = "AEAD_AES_256_GCM")]
    AeadAes256Gcm,
    /// AES-128 in Galois/Counter Mode (RFC 7714).
    #[serde(rename = "AEAD_AES_128_GCM")]
    AeadAes128Gcm,
    /// AES-128 in counter mode, HMAC-SHA1 with a tag of 80 bits (RFC 4568 section 6.2.1): what everybody speaks.
    #[serde(rename = "AES_CM_128_HMAC_SHA1_80")]
    AesCm128HmacSha1Tag80,
    /// The same with a tag of 32 bits for RTP; RTCP keeps 80 (RFC 4568 section 6.2.2).
    #[serde(rename = "AES_CM_128_HMAC_SHA1_32")]
    AesCm128HmacSha1Tag32,
}

impl Suite {
    /// All of them in the order in which they are offered: the strongest first.
    pub const ALL: [Suite; 4] =
        [Suite::AeadAes256Gcm, Suite::AeadAes128Gcm, Suite::AesCm128HmacSha1Tag80, Suite::AesCm128HmacSha1Tag32];

    /// Its name in `a=crypto`.
    pub fn name(self) -> &'static str {
        match self {
            Suite::AeadAes256Gcm => "AEAD_AES_256_GCM",
            Suite::AeadAes128Gcm => "AEAD_AES_128_GCM",
            Suite::AesCm128HmacSha1Tag80 => "AES_CM_128_HMAC_SHA1_80",
            Suite::AesCm128HmacSha1Tag32 => "AES_CM_128_HMAC_SHA1_32",
        }
    }

    fn from_name(name: &str) -> Option<Suite> {
        Suite::ALL.into_iter().find(|suite| suite.name().eq_ignore_ascii_case(name))
    }

    /// Bytes of its master key.
    pub fn key_length(self) -> usize {
        match self {
            Suite::AeadAes256Gcm => 32,
            Suite::AeadAes128Gcm | Suite::AesCm128HmacSha1Tag80 | Suite::AesCm128HmacSha1Tag32 => 16,
        }
    }

    /// Bytes of its master salt.
    pub fn salt_length(self) -> usize {
        match self {
            Suite::AeadAes256Gcm | Suite::AeadAes128Gcm => 12,
            Suite::AesCm128HmacSha1Tag80 | Suite::AesCm128HmacSha1Tag32 => 14,
        }
    }

    /// Its place in [`Suite::ALL`], from 1: the tag of our offer's line.
    fn tag(self) -> u32 {
        match self {
            Suite::AeadAes256Gcm => 1,
            Suite::AeadAes128Gcm => 2,
            Suite::AesCm128HmacSha1Tag80 => 3,
            Suite::AesCm128HmacSha1Tag32 => 4,
        }
    }
}

/// The master key and salt of one direction. `Debug` hides them.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct MasterKey {
    suite: Suite,
    bytes: [u8; LONGEST],
}

impl MasterKey {
    /// Key and salt, one behind the other; `None`: they are not as long as the suite's.
    pub fn new(suite: Suite, key_and_salt: &[u8]) -> Option<MasterKey> {
        let mut bytes = [0; LONGEST];
        let length = suite.key_length() + suite.salt_length();
        bytes.get_mut(..length).filter(|_| key_and_salt.len() == length)?.copy_from_slice(key_and_salt);
        Some(MasterKey { suite, bytes })
    }

    fn random(suite: Suite, random: &mut ChaCha20Rng) -> MasterKey {
        let mut bytes = [0; LONGEST];
        random.fill_bytes(&mut bytes[..suite.key_length() + suite.salt_length()]);
        MasterKey { suite, bytes }
    }

    /// The suite that it is for.
    pub fn suite(&self) -> Suite {
        self.suite
    }

    /// The key.
    pub fn key(&self) -> &[u8] {
        &self.bytes[..self.suite.key_length()]
    }

    /// The salt.
    pub fn salt(&self) -> &[u8] {
        &self.bytes[self.suite.key_length()..self.suite.key_length() + self.suite.salt_length()]
    }

    fn to_base64(self) -> String {
        BASE64.encode(&self.bytes[..self.suite.key_length() + self.suite.salt_length()])
    }
}

impl fmt::Debug for MasterKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MasterKey").field("suite", &self.suite).finish_non_exhaustive()
    }
}

/// SRTP as both sides have agreed on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Srtp {
    /// Protects what we send.
    pub send: MasterKey,
    /// Protects what the peer sends.
    pub receive: MasterKey,
    /// Bytes of the master key identifier in the peer's packets; 0: none (RFC 3711 section 3.1).
    pub mki_length: u8,
}

impl Srtp {
    /// The suite, the same both ways.
    pub fn suite(&self) -> Suite {
        self.send.suite()
    }
}

/// What this side does about SRTP in a dialog.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Keying {
    /// None: `srtp = "off"`.
    #[default]
    Off,
    /// None here, for keys would go where others can read them: `srtp = "optional"` and signalling without TLS.
    Unprotected,
    /// Offered, and taken where it is offered; without it the call is plain (RFC 8643: the profile stays RTP/AVP).
    Optional,
    /// RTP/SAVP or nothing.
    Required,
}

/// Why keys were not agreed on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SrtpRefusal {
    /// Asked for, and we don't do it.
    #[error("SRTP is asked for, and it is switched off here (srtp = \"off\")")]
    Unwanted,
    /// Asked for by a way on which keys can be read.
    #[error("SRTP is asked for without TLS: its keys could be read (srtp = \"required\" would take it)")]
    Unprotected,
    /// No line that we can take.
    #[error("SRTP is asked for with no a=crypto line that this phone can take")]
    NoSuite,
    /// We insist on it.
    #[error("there is no SRTP, and it is required here (srtp = \"required\")")]
    Missing,
    /// An answer whose key is not one of those that were offered.
    #[error("the a=crypto line of the answer does not fit the offer")]
    BadAnswer,
    /// DTLS where there is no certificate.
    #[error("SRTP is asked for by DTLS, which is not there")]
    NoDtls,
    /// DTLS, and the peer's certificate can't be told by anything.
    #[error("DTLS-SRTP is asked for with no a=fingerprint of SHA-256, SHA-384 or SHA-512")]
    NoFingerprint,
    /// DTLS, and nobody would begin.
    #[error("DTLS-SRTP is asked for with an a=setup that is not active, passive or actpass")]
    NoSetup,
}

/// A stream's transport protocol, as far as this phone speaks it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Profile {
    /// `RTP/AVP`, or `RTP/AVPF` (RFC 4585), whose feedback is never used.
    Plain,
    /// `RTP/SAVP` or `RTP/SAVPF` (RFC 5124).
    Secure,
    /// `UDP/TLS/RTP/SAVP` or `UDP/TLS/RTP/SAVPF` (RFC 5764 section 8).
    Dtls,
}

impl Profile {
    pub fn of(protocol: &str) -> Option<Profile> {
        let is = |name: &str| protocol.eq_ignore_ascii_case(name);
        if is("RTP/AVP") || is("RTP/AVPF") {
            Some(Profile::Plain)
        } else if is("RTP/SAVP") || is("RTP/SAVPF") {
            Some(Profile::Secure)
        } else if is("UDP/TLS/RTP/SAVP") || is("UDP/TLS/RTP/SAVPF") {
            Some(Profile::Dtls)
        } else {
            None
        }
    }
}

/// One `a=crypto` line that this phone can take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Line {
    pub tag: u32,
    pub key: MasterKey,
    pub mki_length: u8,
}

impl Line {
    /// `1 AES_CM_128_HMAC_SHA1_80 inline:KEY|2^20|1:4 WSH=64`; `None`: unknown, invalid, or asks for what we lack.
    fn read(value: &str) -> Option<Line> {
        let mut parts = value.split_ascii_whitespace();
        // RFC 4568 section 9.1: up to nine digits.
        let tag = parts.next().filter(|tag| tag.len() <= 9)?.parse().ok()?;
        let suite = Suite::from_name(parts.next()?)?;
        let (key, mki_length) = read_key(suite, parts.next()?)?;
        parts.all(is_harmless).then_some(Line { tag, key, mki_length })
    }

    /// The attribute.
    pub fn write(&self) -> Attribute {
        let (tag, suite) = (self.tag, self.key.suite.name());
        Attribute::valued("crypto", format!("{tag} {suite} inline:{}", self.key.to_base64()))
    }
}

/// `inline:KEY|LIFETIME|MKI:LENGTH`, the last two optional. Several keys in one line are not taken: nobody sends them.
fn read_key(suite: Suite, text: &str) -> Option<(MasterKey, u8)> {
    let (method, rest) = text.split_once(':')?;
    if !method.eq_ignore_ascii_case("inline") {
        return None;
    }
    let mut fields = rest.split('|');
    let key = MasterKey::new(suite, &BASE64.decode(fields.next()?).ok()?)?;
    let mut next = fields.next();
    if let Some(lifetime) = next.filter(|field| !field.contains(':')) {
        is_lifetime(lifetime).then_some(())?;
        next = fields.next();
    }
    let mki_length = match next {
        None => 0,
        Some(mki) => {
            let (number, length) = mki.split_once(':')?;
            number.parse::<u64>().ok()?;
            length.parse().ok().filter(|length| (1..=LONGEST_MKI).contains(length))?
        }
    };
    fields.next().is_none().then_some((key, mki_length))
}

/// RFC 4568 section 6.1: a number of packets, or a power of two; what is too large makes the line invalid. No call lasts for
/// 2^20 packets of 20 ms (6 hours) often enough to count them: who wants a new key offers it.
fn is_lifetime(text: &str) -> bool {
    let packets = match text.strip_prefix("2^") {
        Some(power) => power.parse().ok().and_then(|power| 1u64.checked_shl(power)),
        None => text.parse().ok(),
    };
    packets.is_some_and(|packets| (1..=LONGEST_LIFETIME).contains(&packets))
}

/// Whether a session parameter changes nothing: RFC 4568 section 6.3. Those with a dash may be ignored; `UNENCRYPTED_SRTP` and
/// the like are not taken.
fn is_harmless(parameter: &str) -> bool {
    let parameter = parameter.to_ascii_uppercase();
    parameter.starts_with('-') || parameter.starts_with("WSH=") || parameter == "KDR=0"
}

/// The lines of a stream that this phone can take, in their order.
pub(super) fn lines(media: &MediaDescription) -> Vec<Line> {
    values(media).filter_map(Line::read).collect()
}

/// Whether a stream has any `a=crypto` line, even one that we can't take.
pub(super) fn has_lines(media: &MediaDescription) -> bool {
    values(media).next().is_some()
}

/// The text of a stream's `a=crypto` lines.
pub(super) fn values(media: &MediaDescription) -> impl Iterator<Item = &str> {
    let lines = media.attributes.iter().filter(|attribute| attribute.name.eq_ignore_ascii_case("crypto"));
    lines.filter_map(|attribute| attribute.value.as_deref()).take(MAX_LINES)
}

/// The line of an offered stream that we take; `None`: the stream is taken without SRTP.
pub(super) fn of_offer(
    keying: Keying,
    profile: Profile,
    offered: &MediaDescription,
) -> Result<Option<Line>, SrtpRefusal> {
    match (keying, profile) {
        (Keying::Off | Keying::Unprotected, Profile::Plain) => Ok(None),
        (Keying::Off, Profile::Secure | Profile::Dtls) => Err(SrtpRefusal::Unwanted),
        (Keying::Unprotected, Profile::Secure) => Err(SrtpRefusal::Unprotected),
        // Whatever else stands in it: this profile means DTLS.
        (Keying::Unprotected | Keying::Optional | Keying::Required, Profile::Dtls) => Err(SrtpRefusal::NoFingerprint),
        (Keying::Optional, Profile::Plain) => Ok(lines(offered).first().copied()),
        (Keying::Optional | Keying::Required, Profile::Plain | Profile::Secure) => match lines(offered).first() {
            Some(line) => Ok(Some(*line)),
            None if profile == Profile::Plain && !has_lines(offered) => Err(SrtpRefusal::Missing),
            None => Err(SrtpRefusal::NoSuite),
        },
    }
}

/// What an answer makes of the keys that we offered. RFC 4568 section 5.1.3: it has one line, with the tag and the suite of one
/// of ours. Only an answer without any, in a plain profile, means that the peer wants none (RFC 8643 section 3.2).
pub(super) fn of_answer(keying: Keying, offered: &[Line], answer: &MediaDescription) -> Result<Protection, Refusal> {
    let profile = Profile::of(&answer.protocol);
    let profile = profile.ok_or(Refusal::BadAnswer("it has another transport protocol"))?;
    if offered.is_empty() {
        return match profile {
            Profile::Plain => Ok(Protection::None),
            Profile::Secure | Profile::Dtls => Err(Refusal::BadAnswer("it has another transport protocol")),
        };
    }
    let chosen = lines(answer).into_iter().find_map(|line| {
        let ours = offered.iter().find(|ours| ours.tag == line.tag && ours.key.suite == line.key.suite)?;
        // Each side has its own key (RFC 4568 section 6.4): ours sent back would encrypt two streams alike.
        (ours.key != line.key).then_some(Srtp { send: ours.key, receive: line.key, mki_length: line.mki_length })
    });
    match (chosen, profile, keying) {
        (_, Profile::Dtls, _) => Err(Refusal::BadAnswer("it has another transport protocol")),
        (Some(srtp), Profile::Plain | Profile::Secure, _) => Ok(srtp.into()),
        (None, Profile::Plain | Profile::Secure, _) if has_lines(answer) => Err(SrtpRefusal::BadAnswer.into()),
        (None, Profile::Secure, _) | (None, Profile::Plain, Keying::Required) => Err(SrtpRefusal::Missing.into()),
        (None, Profile::Plain, Keying::Off | Keying::Unprotected | Keying::Optional) => Ok(Protection::None),
    }
}

/// A description without the `a=crypto` lines of its RTP/AVP streams, which are an offer of SRTP and no demand; `None`: it has none.
pub fn without_optional_keys(description: &str) -> Option<String> {
    let mut optional = false;
    let mut found = false;
    let mut kept = String::with_capacity(description.len());
    for line in description.split_inclusive('\n') {
        if let Some(stream) = line.strip_prefix("m=") {
            let protocol = stream.split_whitespace().nth(2).unwrap_or_default();
            optional = Profile::of(protocol) == Some(Profile::Plain);
        }
        if optional && line.get(..9).is_some_and(|start| start.eq_ignore_ascii_case("a=crypto:")) {
            found = true;
        } else {
            kept.push_str(line);
        }
    }
    found.then_some(kept)
}

/// Makes our keys and remembers them for as long as they are offered.
#[derive(Clone, Default)]
pub(super) struct Keys {
    random: Option<ChaCha20Rng>,
    /// One for each suite.
    ours: Vec<MasterKey>,
}

impl Keys {
    pub fn new(seed: [u8; 32]) -> Keys {
        Keys { random: Some(ChaCha20Rng::from_seed(seed)), ours: Vec::new() }
    }

    /// The lines of an offer: each with its own key (RFC 4568 section 6.1), the one in use first.
    pub fn offer(&mut self, in_use: Option<&Srtp>) -> Vec<Line> {
        let mut suites = Suite::ALL;
        if let Some(srtp) = in_use {
            suites.sort_by_key(|suite| *suite != srtp.suite());
        }
        let lines = suites.into_iter().filter_map(|suite| {
            let key = in_use.map(|srtp| srtp.send).filter(|key| key.suite == suite).or_else(|| self.key(suite))?;
            Some(Line { tag: suite.tag(), key, mki_length: 0 })
        });
        lines.collect()
    }

    /// Our key for a suite, until [`Keys::forget`].
    fn key(&mut self, suite: Suite) -> Option<MasterKey> {
        if let Some(key) = self.ours.iter().find(|key| key.suite == suite) {
            return Some(*key);
        }
        let key = MasterKey::random(suite, self.random.as_mut()?);
        self.ours.push(key);
        Some(key)
    }

    /// A key of ours that was never used before; `None` without a seed.
    pub fn fresh(&mut self, suite: Suite) -> Option<MasterKey> {
        self.random.as_mut().map(|random| MasterKey::random(suite, random))
    }

    /// Keys that were offered and not used are not offered again once others are in use: nothing is encrypted twice under one.
    pub fn forget(&mut self) {
        self.ours.clear();
    }
}

impl fmt::Debug for Keys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Keys").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
