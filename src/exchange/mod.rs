//! The embedded exchange: registrar, proxy and extensions, for `offhook demo`, `offhook exchange` and tests.
//!
//! - [`core`]: everything between a datagram in and a datagram out, without I/O. Around it `auth` and `nonce` (digest, RFC
//!   3261 section 22), [`location`] and `registrar` (section 10), `place` (what is ours, where others are), `proxy` and `branch`
//!   (response contexts, section 16), `answer` (responses of our own).
//! - [`service`]: what is provisioned for a user: forwarding, several places, screening; `journey`: what that makes of a call.
//! - `extension`: the numbers 600 to 609, each a user agent of our own, or, where that has no command for it, a `script`.
//! - [`server`]: all of it on real sockets, with the extensions' `hall`, `voice` and `music`; [`demo`]: the one for `offhook demo`.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Duration;

use crate::sip::Uri;
use crate::sip::digest::Algorithm;

mod answer;
mod auth;
mod branch;
pub mod core;
pub mod demo;
mod extension;
mod hall;
mod journey;
pub mod location;
mod music;
mod nonce;
mod place;
mod proxy;
mod registrar;
mod script;
pub mod server;
pub mod service;
#[cfg(test)]
mod tests;
mod voice;

pub use self::core::Core;
pub use extension::{Act, EXTENSIONS};
pub use server::Exchange;
pub use service::{Order, Pattern, Service};

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
    /// What is provisioned for users, by their name. A user in here need not be among `users`: a group has no password.
    pub services: BTreeMap<String, Service>,
    /// The ways to other domains; those of other domains than these are reached where their address says.
    pub routes: Vec<Route>,
    /// What becomes of calls from other domains to users of this one.
    pub strangers: Strangers,
    /// Numbers that neither screening nor forwarding touches.
    pub emergency: Vec<String>,
}

/// The way to another domain.
#[derive(Debug, Clone)]
pub struct Route {
    /// The domain as it stands in addresses; `*`: every one that names no IP address.
    pub domain: String,
    /// Its proxies' addresses: the next one has its turn when one is dead.
    pub hops: Vec<Uri>,
}

/// What becomes of calls from other domains to users of this one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Strangers {
    /// They are let in.
    Allow,
    /// They must show a password of this domain (RFC 3665 section 3.3).
    Challenge,
    /// 403.
    Refuse,
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
            services: BTreeMap::new(),
            routes: Vec::new(),
            strangers: Strangers::Allow,
            emergency: ["112", "911"].map(String::from).to_vec(),
            tls: crate::net::TlsOptions::default(),
        }
    }
}
