//! The embedded exchange: registrar, proxy and extensions, for `offhook demo`, `offhook exchange` and tests.
//!
//! - [`core`]: everything between a datagram in and a datagram out, without I/O. Around it `auth` and `nonce` (digest, RFC
//!   3261 section 22), [`location`] and `registrar` (section 10), `place` (what is ours, where others are), `proxy` (response
//!   contexts, section 16), `answer` (responses of our own).
//! - `extension`: the numbers 600 to 606, each a user agent of our own, or, where that has no command for it, a `script`.
//! - [`server`]: all of it on real sockets, with the extensions' `voice` and `music`; [`demo`]: the one for `offhook demo`.

use std::net::SocketAddr;
use std::time::Duration;

use crate::sip::digest::Algorithm;

mod answer;
mod auth;
pub mod core;
pub mod demo;
mod extension;
pub mod location;
mod music;
mod nonce;
mod place;
mod proxy;
mod registrar;
mod script;
pub mod server;
#[cfg(test)]
mod tests;
mod voice;

pub use self::core::Core;
pub use extension::{Act, EXTENSIONS};
pub use server::Exchange;

/// What an exchange is.
#[derive(Debug, Clone)]
pub struct Config {
    /// Where it listens; port 0: any free one.
    pub listen: SocketAddr,
    /// The domain of its users, and their realm.
    pub domain: String,
    /// Who may register and call. Nobody: everyone may, under any name; that is for loopback only.
    pub users: Vec<User>,
    /// The digest algorithms offered, the preferred one first (RFC 8760).
    pub algorithms: Vec<Algorithm>,
    /// How long a nonce serves.
    pub nonce_lifetime: Duration,
    /// Shorter registrations get 423.
    pub min_expires: Duration,
    /// For TLS: with a certificate and its key it listens at the next port too.
    pub tls: crate::net::TlsOptions,
}

/// Someone with a password. `Debug` hides it.
#[derive(Clone)]
pub struct User {
    /// The user part of his address, and his digest user name.
    pub name: String,
    /// His password.
    pub password: String,
}

impl std::fmt::Debug for User {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("User").field("name", &self.name).field("password", &"***").finish()
    }
}

impl Default for Config {
    fn default() -> Self {
        Config {
            listen: SocketAddr::from(([127, 0, 0, 1], 0)),
            domain: "demo.invalid".into(),
            users: Vec::new(),
            algorithms: vec![Algorithm::Sha256, Algorithm::Md5],
            nonce_lifetime: Duration::from_secs(300),
            min_expires: Duration::from_secs(60),
            tls: crate::net::TlsOptions::default(),
        }
    }
}
