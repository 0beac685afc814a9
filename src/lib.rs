//! offhook: a SIP phone for the terminal.

#![forbid(unsafe_op_in_unsafe_fn)]

pub mod app;
pub mod audio;
pub mod cli;
pub mod config;
pub mod exchange;
pub mod media;
pub mod net;
pub mod phone;
pub mod rtp;
pub mod sdp;
pub mod sip;
pub mod transaction;
pub mod tui;
pub mod ua;
