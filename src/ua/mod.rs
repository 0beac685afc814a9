//! The core: a SIP user agent without I/O.

pub mod auth;
mod bindings;
pub mod command;
pub mod config;
pub mod event;
pub mod registration;

pub use command::{Command, CommandError};
pub use config::Config;
pub use event::Event;

/// A call's number: from 1, never reused. A person writes it `#1`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, serde::Serialize)]
#[serde(transparent)]
pub struct CallNo(pub u32);

impl std::fmt::Display for CallNo {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "#{}", self.0)
    }
}

/// An account's place in [`Config::accounts`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct AccountId(pub usize);
