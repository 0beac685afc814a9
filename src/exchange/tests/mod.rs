//! The exchange among scripted peers, on simulated time.

mod call;
mod net;
mod registration;
