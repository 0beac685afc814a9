//! What the scenarios stand on: user agents on simulated time, and who they talk to. No socket, no clock, no sleep.
//!
//! [`Phone`] is one user agent with its clock; [`Peer`] is the other side, scripted line by line like the document's
//! ladder; [`network`] joins several user agents by links that lose, double and reorder.

pub mod calls;
pub mod config;
pub mod network;
pub mod peer;
pub mod phone;
pub mod sdp;
pub mod town;

pub use calls::*;
pub use config::*;
pub use peer::{Ask, Asked, Got, Leg, Peer};
pub use phone::{Phone, bracketed, show};

use std::time::Duration;

/// Seconds.
pub fn s(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

/// Milliseconds.
pub fn ms(milliseconds: u64) -> Duration {
    Duration::from_millis(milliseconds)
}

/// Takes the next event, which must match; gives what follows `=>`.
macro_rules! expect_event {
    ($phone:expr, $pattern:pat $(if $guard:expr)? => $value:expr) => {
        match $phone.next_event() {
            Some($pattern) $(if $guard)? => $value,
            other => panic!("expected {}, got {other:#?}", stringify!($pattern $(if $guard)?)),
        }
    };
    ($phone:expr, $pattern:pat $(if $guard:expr)?) => {
        expect_event!($phone, $pattern $(if $guard)? => ())
    };
}
pub(crate) use expect_event;
