//! The exchange among scripted peers, on simulated time.

mod call;
mod extensions;
mod net;
mod registration;
mod server;
