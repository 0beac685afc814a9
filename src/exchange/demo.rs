//! What `offhook demo` stands on: an exchange on loopback with a password that nobody sees.

use std::io;
use std::net::SocketAddr;

use super::{Config, Exchange, User};

/// The person's user name in the demo.
pub const USER: &str = "you";
/// A second user, for a second phone.
pub const SECOND_USER: &str = "demo";

/// Users [`USER`] and [`SECOND_USER`] with a random password, in the domain of the exchange's own address.
///
/// # Errors
/// The system has no randomness.
pub fn config(listen: SocketAddr) -> io::Result<(Config, String)> {
    let mut random = [0; 12];
    getrandom::fill(&mut random).map_err(|error| io::Error::other(error.to_string()))?;
    let password: String = random.iter().map(|byte| format!("{byte:02x}")).collect();
    let users = [USER, SECOND_USER].map(|name| User { name: name.into(), password: password.clone() }).to_vec();
    Ok((Config { listen, domain: "offhook.invalid".into(), users, ..Config::default() }, password))
}

/// An exchange on loopback, at any free port, and the password of its users.
///
/// # Errors
/// See [`Exchange::start`].
pub fn start() -> io::Result<(Exchange, String)> {
    let (config, password) = config(SocketAddr::from(([127, 0, 0, 1], 0)))?;
    Ok((Exchange::start(config)?, password))
}
