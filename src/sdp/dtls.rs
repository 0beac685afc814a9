//! Keys of SRTP by a DTLS handshake in the media's own way (RFC 5763, RFC 8842): what `a=fingerprint`, `a=setup` and `a=tls-id`
//! say, and what two descriptions make of them.

use std::fmt;

use rand_chacha::ChaCha20Rng;
use rand_core::{RngCore as _, SeedableRng as _};
use sipx_sdp::{Attribute, MediaDescription, SessionDescription};

use super::crypto::SrtpRefusal;

/// Bytes of the longest digest.
const LONGEST: usize = 64;
/// Fingerprints of one side that are looked at.
const MAX_FINGERPRINTS: usize = 8;
/// Characters of `a=tls-id` of ours, of 6 bits each: at least 120 bits are asked for (RFC 8842 section 4).
const ID_LENGTH: usize = 24;

/// How a certificate is hashed. SHA-1 and older ones are not believed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Hash {
    /// What everybody has (RFC 8122 section 5).
    Sha256,
    /// Longer.
    Sha384,
    /// The longest.
    Sha512,
}

impl Hash {
    /// All of them.
    pub const ALL: [Hash; 3] = [Hash::Sha256, Hash::Sha384, Hash::Sha512];

    /// Its name in `a=fingerprint`.
    pub fn name(self) -> &'static str {
        match self {
            Hash::Sha256 => "sha-256",
            Hash::Sha384 => "sha-384",
            Hash::Sha512 => "sha-512",
        }
    }

    /// Bytes of its digest.
    pub fn length(self) -> usize {
        match self {
            Hash::Sha256 => 32,
            Hash::Sha384 => 48,
            Hash::Sha512 => LONGEST,
        }
    }
}

/// The digest of a certificate.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Fingerprint {
    hash: Hash,
    bytes: [u8; LONGEST],
}

impl Fingerprint {
    /// `None`: the digest is not as long as that hash's.
    pub fn new(hash: Hash, digest: &[u8]) -> Option<Fingerprint> {
        let mut bytes = [0; LONGEST];
        bytes.get_mut(..hash.length()).filter(|_| digest.len() == hash.length())?.copy_from_slice(digest);
        Some(Fingerprint { hash, bytes })
    }

    /// How it was made.
    pub fn hash(&self) -> Hash {
        self.hash
    }

    /// The digest.
    pub fn digest(&self) -> &[u8] {
        &self.bytes[..self.hash.length()]
    }

    /// `sha-256 4A:AD:...` (RFC 8122 section 5); the digits may be small ones, too.
    fn read(value: &str) -> Option<Fingerprint> {
        let (name, digits) = value.trim().split_once(' ')?;
        let hash = Hash::ALL.into_iter().find(|hash| hash.name().eq_ignore_ascii_case(name))?;
        let mut digest = Vec::with_capacity(hash.length());
        for pair in digits.trim().split(':').take(LONGEST + 1) {
            let is_hex = pair.len() == 2 && pair.bytes().all(|digit| digit.is_ascii_hexdigit());
            digest.push(u8::from_str_radix(pair, 16).ok().filter(|_| is_hex)?);
        }
        Fingerprint::new(hash, &digest)
    }
}

impl fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (place, byte) in self.digest().iter().enumerate() {
            let before = if place == 0 { "" } else { ":" };
            write!(f, "{before}{byte:02X}")?;
        }
        Ok(())
    }
}

impl fmt::Debug for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {self}", self.hash.name())
    }
}

/// Who speaks first in the handshake.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// We do: `a=setup:active`.
    Client,
    /// The peer does: `a=setup:passive`.
    Server,
}

/// When DTLS is used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Offers {
    /// Where the other side offers it.
    #[default]
    Answered,
    /// Offered, in place of keys in the description.
    Made,
}

/// What both sides have agreed on, from our side. Two that are equal mean one association (RFC 8842 section 3.1).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Agreed {
    /// Ours in the handshake.
    pub role: Role,
    /// The peer's certificate has one of these, which are all of one hash.
    pub remote: Vec<Fingerprint>,
    /// Our `a=tls-id`.
    pub local_id: Option<String>,
    /// The peer's.
    pub remote_id: Option<String>,
}

/// `a=setup` (RFC 4145 section 4).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Setup {
    Active,
    Passive,
    ActPass,
    /// Neither, or a word that nobody knows: never with DTLS (RFC 5763 section 5).
    HoldConn,
}

impl Setup {
    fn of(word: &str) -> Setup {
        match word.trim().to_ascii_lowercase().as_str() {
            "active" => Setup::Active,
            "passive" => Setup::Passive,
            "actpass" => Setup::ActPass,
            _ => Setup::HoldConn,
        }
    }
}

/// What a stream of the peer's says of DTLS.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Description {
    /// Those of the strongest hash; none: of no hash that is believed.
    fingerprints: Vec<Fingerprint>,
    setup: Option<Setup>,
    id: Option<String>,
}

impl Description {
    /// `None`: the author offers no DTLS. Fingerprint and setup may stand for the whole session.
    pub fn read(session: &SessionDescription, media: &MediaDescription) -> Option<Description> {
        let of_media: Vec<&str> = values(&media.attributes, "fingerprint").collect();
        let lines = match of_media.is_empty() {
            false => of_media,
            true => values(&session.attributes, "fingerprint").collect(),
        };
        if lines.is_empty() {
            return None;
        }
        let mut fingerprints: Vec<Fingerprint> =
            lines.into_iter().take(MAX_FINGERPRINTS).filter_map(Fingerprint::read).collect();
        // RFC 8122 section 5.1: those of the hash that is preferred, and the certificate has one of them.
        let strongest = fingerprints.iter().map(Fingerprint::hash).max();
        fingerprints.retain(|fingerprint| Some(fingerprint.hash) == strongest);
        let value = |name| values(&media.attributes, name).next().or_else(|| values(&session.attributes, name).next());
        let is_id = |id: &&str| {
            let is_char = |c: u8| c.is_ascii_alphanumeric() || b"+/-_".contains(&c);
            (20..=255).contains(&id.len()) && id.bytes().all(is_char)
        };
        Some(Description {
            fingerprints,
            setup: value("setup").map(Setup::of),
            id: value("tls-id").map(str::trim).filter(is_id).map(str::to_owned),
        })
    }

    /// RFC 4145 section 4: without the word an offer is active.
    fn setup_of_offer(&self) -> Setup {
        self.setup.unwrap_or(Setup::Active)
    }
}

fn values<'a>(attributes: &'a [Attribute], name: &'a str) -> impl Iterator<Item = &'a str> {
    let named = attributes.iter().filter(move |attribute| attribute.name.eq_ignore_ascii_case(name));
    named.filter_map(|attribute| attribute.value.as_deref())
}

/// What an offer of ours says of DTLS: our `a=tls-id`, if any.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Offered {
    pub id: Option<String>,
}

impl Offered {
    /// As a line of ours says; `None`: nothing, or not what an offer says (an answer names one role).
    pub fn of(line: &MediaDescription) -> Option<Offered> {
        let setup = values(&line.attributes, "setup").next().map(Setup::of);
        let id = values(&line.attributes, "tls-id").next().map(str::to_owned);
        (setup == Some(Setup::ActPass)).then_some(Offered { id })
    }
}

/// Whether a line of ours says anything of DTLS.
pub(super) fn is_in(line: &MediaDescription) -> bool {
    values(&line.attributes, "fingerprint").next().is_some()
}

/// Our side: the certificate, and what names the associations of one dialog.
#[derive(Clone)]
pub(super) struct Ours {
    fingerprint: Fingerprint,
    pub offers: Offers,
    random: ChaCha20Rng,
    /// The id of our offers until something is agreed on.
    id: Option<String>,
}

impl fmt::Debug for Ours {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Ours").field("fingerprint", &self.fingerprint).finish_non_exhaustive()
    }
}

impl Ours {
    pub fn new(fingerprint: Fingerprint, offers: Offers, seed: [u8; 32]) -> Ours {
        Ours { fingerprint, offers, random: ChaCha20Rng::from_seed(seed), id: None }
    }

    /// What the next offer says; an association that is there goes on (RFC 8842 section 5.5).
    pub fn offer(&mut self, in_use: Option<&Agreed>) -> Offered {
        if let Some(agreed) = in_use {
            return Offered { id: agreed.local_id.clone() };
        }
        if self.id.is_none() {
            self.id = Some(self.new_id());
        }
        Offered { id: self.id.clone() }
    }

    /// Writes an offer: always `actpass` (RFC 8842 sections 5.2 and 5.5).
    pub fn write_offer(&self, offered: &Offered, line: &mut MediaDescription) {
        self.write("actpass", offered.id.as_deref(), line);
    }

    /// What an answer to `offered` makes of it.
    pub fn of_answer(offered: &Offered, answer: &Description) -> Result<Agreed, SrtpRefusal> {
        let role = match answer.setup {
            // RFC 4145 section 4: without the word an answer is passive. `actpass` is no answer, but whoever gives it takes both.
            None | Some(Setup::Passive | Setup::ActPass) => Role::Client,
            Some(Setup::Active) => Role::Server,
            Some(Setup::HoldConn) => return Err(SrtpRefusal::NoSetup),
        };
        let agreed = Agreed {
            role,
            remote: answer.fingerprints.clone(),
            local_id: offered.id.clone(),
            remote_id: answer.id.clone(),
        };
        if agreed.remote.is_empty() { Err(SrtpRefusal::NoFingerprint) } else { Ok(agreed) }
    }

    /// What comes of the peer's offer. An association that it asks to go on with keeps its roles and ids (RFC 8842 section 5.3).
    pub fn of_offer(&mut self, offer: &Description, in_use: Option<&Agreed>) -> Result<Agreed, SrtpRefusal> {
        if offer.fingerprints.is_empty() {
            return Err(SrtpRefusal::NoFingerprint);
        }
        let goes_on = in_use.filter(|agreed| {
            let same_role = match offer.setup_of_offer() {
                Setup::ActPass => true,
                Setup::Active => agreed.role == Role::Server,
                Setup::Passive => agreed.role == Role::Client,
                Setup::HoldConn => false,
            };
            same_role && agreed.remote == offer.fingerprints && agreed.remote_id == offer.id
        });
        if let Some(agreed) = goes_on {
            return Ok(agreed.clone());
        }
        let role = match offer.setup_of_offer() {
            // RFC 5763 section 5: active is recommended, for then the handshake begins with the answer.
            Setup::ActPass | Setup::Passive => Role::Client,
            Setup::Active => Role::Server,
            Setup::HoldConn => return Err(SrtpRefusal::NoSetup),
        };
        // RFC 8842 section 5.3: no id to who sent none.
        let local_id = offer.id.is_some().then(|| self.new_id());
        Ok(Agreed { role, remote: offer.fingerprints.clone(), local_id, remote_id: offer.id.clone() })
    }

    /// Writes our answer.
    pub fn write_answer(&self, agreed: &Agreed, line: &mut MediaDescription) {
        let setup = match agreed.role {
            Role::Client => "active",
            Role::Server => "passive",
        };
        let id = agreed.local_id.as_deref().filter(|_| agreed.remote_id.is_some());
        self.write(setup, id, line);
    }

    fn write(&self, setup: &str, id: Option<&str>, line: &mut MediaDescription) {
        let attributes = &mut line.attributes;
        let fingerprint = format!("{} {}", self.fingerprint.hash.name(), self.fingerprint);
        attributes.push(Attribute::valued("setup", setup));
        attributes.push(Attribute::valued("fingerprint", fingerprint));
        attributes.extend(id.map(|id| Attribute::valued("tls-id", id)));
    }

    fn new_id(&mut self) -> String {
        const CHARS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
        (0..ID_LENGTH).map(|_| char::from(CHARS[(self.random.next_u32() & 63) as usize])).collect()
    }
}

#[cfg(test)]
mod tests;
