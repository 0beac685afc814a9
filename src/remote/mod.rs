//! A phone that runs elsewhere on this machine, reached by a local socket: `offhook run --socket` serves it, `offhook attach`
//! opens the UI onto it. Calls live on when a UI goes away, and several may look at the same phone.
//!
//! | file | what it holds |
//! |---|---|
//! | [`protocol`] | what the two sides say: one JSON object a line |
//! | [`place`] | where the socket is, and who may open it |
//! | [`server`] | the phone's side: everybody sees every event, each gets the answers to what they asked |
//! | [`client`] | the UI's side: a [`Phone`](crate::phone::Phone) like the one of this process |

pub mod client;
pub mod place;
pub mod protocol;
pub mod server;

pub use client::{ConnectError, Remote};
pub use place::{BindError, default_path};
pub use server::{Ended, Server};
