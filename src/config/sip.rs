//! `[sip]`: where we listen, and whom we believe.

use std::net::SocketAddr;

use super::keys::{Key, Kind, file};
use crate::net::TlsOptions;
use crate::ua::config::{SrtpKeying, SrtpPolicy};

/// `[sip]`.
#[derive(Debug, Clone, PartialEq)]
pub struct Sip {
    /// The address to listen at; port 0: any free one.
    pub listen: SocketAddr,
    /// Whether the file, a variable or a flag gave it: then a port in use is an error (exit code 6).
    pub listen_is_configured: bool,
    /// Seconds between the datagrams that keep a way through a translator open; 0: none.
    pub keep_alive: u32,
    /// The urn of this phone (see [`super::instance`]); no key of the file.
    pub instance: Option<String>,
    /// Whether calls are encrypted; an account may say otherwise.
    pub srtp: SrtpPolicy,
    /// Where the keys for that come from in our offers; an account may say otherwise.
    pub srtp_keying: SrtpKeying,
    /// TLS: whom to believe, who we are.
    pub tls: TlsOptions,
}

impl Default for Sip {
    fn default() -> Self {
        Sip {
            listen: SocketAddr::from(([0, 0, 0, 0], 5060)),
            listen_is_configured: false,
            tls: TlsOptions::default(),
            keep_alive: 30,
            srtp: Default::default(),
            srtp_keying: Default::default(),
            instance: None,
        }
    }
}

const PEM: &str = "a file in PEM, such as \"/etc/ssl/pbx.pem\"";

/// Whether calls are encrypted, here and in an account.
pub(super) const SRTP: &[&str] = &["off", "optional", "required"];
/// The words of [`SRTP`].
pub(super) const SRTP_POLICIES: [SrtpPolicy; 3] = [SrtpPolicy::Off, SrtpPolicy::Optional, SrtpPolicy::Required];
/// Where the keys for that come from.
pub(super) const KEYINGS: &[&str] = &["sdes", "dtls"];
/// The words of [`KEYINGS`].
pub(super) const SRTP_KEYINGS: [SrtpKeying; 2] = [SrtpKeying::Sdes, SrtpKeying::Dtls];

/// `[sip]`.
pub const KEYS: &[Key<Sip>] = &[
    Key {
        name: "listen",
        kind: Kind::Text { expected: "an address and port such as \"0.0.0.0:5060\" or \"[::]:5060\"", set: set_listen },
    },
    Key { name: "keep_alive", kind: Kind::Number { min: 0, max: 3_600, set: |sip, n| sip.keep_alive = n } },
    Key { name: "srtp", kind: Kind::Choice { words: SRTP, set: |sip, i| sip.srtp = SRTP_POLICIES[i] } },
    Key { name: "srtp_keying", kind: Kind::Choice { words: KEYINGS, set: |sip, i| sip.srtp_keying = SRTP_KEYINGS[i] } },
    Key { name: "ca_file", kind: Kind::Text { expected: PEM, set: |sip, text| file(&mut sip.tls.ca_file, text) } },
    Key { name: "tls_cert", kind: Kind::Text { expected: PEM, set: |sip, text| file(&mut sip.tls.certificate, text) } },
    Key { name: "tls_key", kind: Kind::Text { expected: PEM, set: |sip, text| file(&mut sip.tls.key, text) } },
    Key { name: "tls_verify", kind: Kind::Flag { set: |sip, on| sip.tls.verify = on } },
];

fn set_listen(sip: &mut Sip, text: &str) -> Result<(), String> {
    sip.listen = text.trim().parse::<SocketAddr>().map_err(|_| String::new())?;
    sip.listen_is_configured = true;
    Ok(())
}
