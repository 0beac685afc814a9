//! One handshake, without a socket: datagrams come in and go out, and keys come of it (RFC 5764 section 4).

use std::collections::VecDeque;
use std::io::{self, Read, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use openssl::error::ErrorStack;
use openssl::hash::MessageDigest;
use openssl::srtp::SrtpProfileId;
use openssl::ssl::{ErrorCode, Ssl, SslStream, SslVerifyMode};
use openssl::x509::X509Ref;

use crate::media::dtls::Failure;
use crate::sdp::crypto::{MasterKey, Srtp, Suite};
use crate::sdp::dtls::{Fingerprint, Hash, Role};

use super::identity::Identity;
use super::raw;

/// Bytes of a datagram of ours: fits through every tunnel.
const MTU: usize = 1200;
/// The header of a record: its length stands in the last two bytes (RFC 6347 section 4.1).
const RECORD_HEADER: usize = 13;
/// A handshake that has not ended after this never will.
const PATIENCE: Duration = Duration::from_secs(20);
/// The label of RFC 5764 section 4.2.
const LABEL: &str = "EXTRACTOR-dtls_srtp";

/// How far it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    Running { until: Instant },
    Over,
}

/// One handshake.
pub struct Association {
    stream: SslStream<Wire>,
    role: Role,
    expected: Arc<[Fingerprint]>,
    stranger: Arc<AtomicBool>,
    stage: Stage,
    outcome: Option<Result<Srtp, Failure>>,
}

impl Association {
    /// Begins it; the peer's certificate must have one of these fingerprints.
    pub fn new(
        now: Instant,
        identity: &Identity,
        role: Role,
        fingerprints: &[Fingerprint],
    ) -> Result<Association, ErrorStack> {
        let mut ssl = Ssl::new(&identity.context)?;
        let expected: Arc<[Fingerprint]> = fingerprints.into();
        let stranger = Arc::new(AtomicBool::new(false));
        let (wanted, told) = (Arc::clone(&expected), Arc::clone(&stranger));
        // No authority vouches for anybody here: what OpenSSL thinks of the chain does not matter. A wrong certificate is refused
        // here already, so that the peer is told.
        ssl.set_verify_callback(SslVerifyMode::PEER | SslVerifyMode::FAIL_IF_NO_PEER_CERT, move |_, chain| {
            if chain.error_depth() != 0 {
                return true;
            }
            let fits = chain.current_cert().is_some_and(|certificate| is_expected(certificate, &wanted));
            if !fits {
                told.store(true, Ordering::Relaxed);
                // RFC 8122 section 6.2: the alert is bad_certificate.
                chain.set_error(raw::rejected());
            }
            fits
        });
        ssl.set_mtu(MTU as u32)?;
        raw::hasten(&mut ssl);
        match role {
            Role::Client => ssl.set_connect_state(),
            Role::Server => ssl.set_accept_state(),
        }
        let stream = SslStream::new(ssl, Wire::default())?;
        let mut association = Association {
            stream,
            role,
            expected,
            stranger,
            stage: Stage::Running { until: now + PATIENCE },
            outcome: None,
        };
        association.proceed();
        Ok(association)
    }

    /// A datagram of the peer's. After the end one that it sends once more is answered once more.
    pub fn handle(&mut self, bytes: &[u8]) {
        self.stream.get_mut().incoming.push_back(bytes.to_vec());
        self.proceed();
    }

    /// The time has come that [`Association::poll_timeout`] named.
    pub fn handle_timeout(&mut self, now: Instant) {
        match self.stage {
            Stage::Running { until } if until <= now => self.end(Err(Failure::Timeout)),
            Stage::Running { .. } => self.proceed(),
            Stage::Over => {}
        }
    }

    /// When it is to be looked after, which is by the system's clock.
    pub fn poll_timeout(&self, now: Instant) -> Option<Instant> {
        let Stage::Running { until } = self.stage else { return None };
        Some(raw::remaining(self.stream.ssl()).map_or(until, |remaining| until.min(now + remaining)))
    }

    /// The next datagram for the peer.
    pub fn poll_transmit(&mut self) -> Option<Vec<u8>> {
        self.stream.get_mut().outgoing()
    }

    /// The end, once.
    pub fn poll_outcome(&mut self) -> Option<Result<Srtp, Failure>> {
        self.outcome.take()
    }

    fn proceed(&mut self) {
        match self.stage {
            Stage::Running { .. } => match self.stream.do_handshake() {
                Ok(()) => {
                    let keys = self.keys();
                    self.end(keys);
                }
                Err(error) if matches!(error.code(), ErrorCode::WANT_READ | ErrorCode::WANT_WRITE) => {}
                Err(_) if self.stranger.load(Ordering::Relaxed) => self.end(Err(Failure::Fingerprint)),
                Err(error) => self.end(Err(Failure::Protocol(words(&error)))),
            },
            Stage::Over => {
                // What else DTLS could carry is of no use: it is read, so that its retransmissions are answered, and forgotten.
                let mut nothing = [0; MTU];
                while matches!(self.stream.ssl_read(&mut nothing), Ok(length) if length > 0) {}
            }
        }
        self.stream.get_mut().incoming.clear();
    }

    fn end(&mut self, outcome: Result<Srtp, Failure>) {
        self.stage = Stage::Over;
        self.outcome = Some(outcome);
    }

    /// The keys: of the client, of the server, salt of the client, of the server (RFC 5764 section 4.2).
    fn keys(&self) -> Result<Srtp, Failure> {
        let ssl = self.stream.ssl();
        // The callback has seen it; this decides.
        let certificate = ssl.peer_certificate().ok_or(Failure::Fingerprint)?;
        if !is_expected(&certificate, &self.expected) {
            return Err(Failure::Fingerprint);
        }
        let suite = ssl.selected_srtp_profile().and_then(|profile| suite_of(profile.id())).ok_or(Failure::NoSuite)?;
        let (key, salt) = (suite.key_length(), suite.salt_length());
        let mut material = vec![0; 2 * (key + salt)];
        ssl.export_keying_material(&mut material, LABEL, None)
            .map_err(|error| Failure::Protocol(printable(&error.to_string())))?;
        let (keys, salts) = material.split_at(2 * key);
        let one = |place: usize| {
            let key = keys.get(place * key..(place + 1) * key)?;
            let salt = salts.get(place * salt..(place + 1) * salt)?;
            MasterKey::new(suite, &[key, salt].concat())
        };
        let (client, server) = one(0).zip(one(1)).ok_or(Failure::NoSuite)?;
        let (send, receive) = match self.role {
            Role::Client => (client, server),
            Role::Server => (server, client),
        };
        Ok(Srtp { send, receive, mki_length: 0 })
    }
}

fn is_expected(certificate: &X509Ref, expected: &[Fingerprint]) -> bool {
    expected.iter().any(|fingerprint| {
        let digest = match fingerprint.hash() {
            Hash::Sha256 => MessageDigest::sha256(),
            Hash::Sha384 => MessageDigest::sha384(),
            Hash::Sha512 => MessageDigest::sha512(),
        };
        certificate.digest(digest).is_ok_and(|digest| *digest == *fingerprint.digest())
    })
}

fn suite_of(profile: SrtpProfileId) -> Option<Suite> {
    match profile {
        SrtpProfileId::SRTP_AEAD_AES_256_GCM => Some(Suite::AeadAes256Gcm),
        SrtpProfileId::SRTP_AEAD_AES_128_GCM => Some(Suite::AeadAes128Gcm),
        SrtpProfileId::SRTP_AES128_CM_SHA1_80 => Some(Suite::AesCm128HmacSha1Tag80),
        SrtpProfileId::SRTP_AES128_CM_SHA1_32 => Some(Suite::AesCm128HmacSha1Tag32),
        _ => None,
    }
}

/// The library's reason alone: not its files and lines.
fn words(error: &openssl::ssl::Error) -> String {
    let reason = error.ssl_error().and_then(|stack| stack.errors().last()).and_then(|error| error.reason());
    printable(reason.unwrap_or("the peer has broken it off"))
}

fn printable(text: &str) -> String {
    text.chars().map(|c| if c.is_ascii_graphic() || c == ' ' { c } else { '?' }).take(120).collect()
}

/// Datagrams in memory, in place of a socket.
#[derive(Debug, Default)]
struct Wire {
    incoming: VecDeque<Vec<u8>>,
    /// Records, one behind the other: OpenSSL writes a flight as it likes.
    written: VecDeque<u8>,
}

impl Wire {
    /// The next datagram: as many whole records as go into one.
    fn outgoing(&mut self) -> Option<Vec<u8>> {
        let mut length = 0;
        while let Some(record) = self.record_at(length) {
            if length > 0 && length + record > MTU {
                break;
            }
            length += record;
        }
        (length > 0).then(|| self.written.drain(..length).collect())
    }

    /// How long the record is that begins there, if it is whole.
    fn record_at(&self, place: usize) -> Option<usize> {
        let byte = |offset: usize| self.written.get(place + offset).map(|byte| usize::from(*byte));
        let length = RECORD_HEADER + (byte(RECORD_HEADER - 2)? << 8 | byte(RECORD_HEADER - 1)?);
        (self.written.len() >= place + length).then_some(length)
    }
}

impl Read for Wire {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let datagram = self.incoming.pop_front().ok_or(io::ErrorKind::WouldBlock)?;
        let length = datagram.len().min(buffer.len());
        buffer[..length].copy_from_slice(&datagram[..length]);
        Ok(length)
    }
}

impl Write for Wire {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.written.extend(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests;
