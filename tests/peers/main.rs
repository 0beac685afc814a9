//! The phone against real software: Kamailio, baresip and SIPp, with PulseAudio's virtual sound cards.
//!
//! The phone is the real binary, driven as a script drives it: one command a line on stdin, one JSON event a line on
//! stdout. Everything runs in a network and process namespace of this test process (see [`rig`]), so ports are free,
//! nothing reaches the machine's own network or sound, and nothing outlives the tests.
//!
//! This needs root (`unshare -r` will do) and the Debian packages in [`rig::PROGRAMS`]; `./dev test` installs them.
//! Where something is missing each test says that it was skipped and why; with `OFFHOOK_REQUIRE_PEERS=1` it fails.

#![allow(clippy::disallowed_methods, reason = "real software runs by the real clock")]

mod attended;
mod calls;
mod codecs;
mod dtls;
mod echo;
mod encryption;
mod failover;
mod ice;
mod load;
mod malformed;
mod marks;
mod protected;
mod quiet;
mod registration;
mod rig;
mod ringing;
mod services;
mod soak;
mod sound;
mod transfer;
mod transports;
mod warnings;
mod weather;
