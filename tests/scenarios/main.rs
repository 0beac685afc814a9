//! The user agent on simulated time, against a scripted other side: each scenario reads like the ladder in its document.

// The clock that is simulated begins at some real instant.
#![allow(clippy::disallowed_methods)]

#[path = "../harness/mod.rs"]
mod harness;

mod answering;
mod attended;
mod cancelling;
mod credentials;
mod digits;
mod draft_2_forwarding;
mod draft_2_services;
mod exchange_find_me;
mod exchange_proxies;
mod exchange_services;
mod exchange_transfers;
mod failing_over;
mod far_side;
mod finding_ways;
mod flood;
mod handshakes;
mod holding;
mod interleaving;
mod lamps;
mod lossy;
mod malformed;
mod manners;
mod network_change;
mod overlapping;
mod protecting;
mod quiet;
mod redirected;
mod referrals;
mod registrar_gives;
mod reliable;
mod rfc3665_2_registration;
mod rfc3665_3_sessions;
mod rfc4475_torture;
mod rfc5118_torture;
mod session_timers;
mod shutdown;
mod subscribing;
mod texting;
mod torture;
mod transaction_figures;
mod transferee;
mod transferring;
