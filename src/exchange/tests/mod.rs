//! The exchange among scripted peers, on simulated time.

mod call;
mod extensions;
mod net;
mod registrar;
mod registration;
mod server;
