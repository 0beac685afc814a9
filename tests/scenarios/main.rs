//! The user agent on simulated time, against a scripted other side: each scenario reads like the ladder in its document.

#[path = "../harness/mod.rs"]
mod harness;

mod draft_2_services;
mod rfc3665_2_registration;
mod rfc3665_3_sessions;
