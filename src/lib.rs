//! offhook: a SIP phone for the terminal. This page is the map of the house: read it first.
//!
//! # One idea: a core that does no I/O
//!
//! All SIP state lives in [`ua::UserAgent`], which owns no socket, starts no task and reads no clock. Bytes, commands and
//! the time go in; messages, events, names to resolve and the next deadline come out. One mutation, then drain to empty:
//!
//! ```
//! use std::time::Instant;
//! use offhook::{config::{self, Config}, ua::{Command, UserAgent}};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let now = Instant::now(); // the clock is the caller's
//! let mut ua = UserAgent::new(now, config::user_agent(&Config::default())?, [7; 32]);
//! ua.command(now, Command::Shutdown)?;              // the person spoke
//! while let Some(out) = ua.poll_transmit() { let _ = out; } // messages to put on the wire
//! while let Some(event) = ua.poll_event() { let _ = event; } // what the person should know
//! let deadline = ua.poll_timeout();                 // when handle_timeout is due, and why
//! # let _ = deadline; Ok(()) }
//! ```
//!
//! Because time is an argument and randomness a seed, a call that rings for forty seconds is tested in microseconds, the
//! same way every time. The sound of a call, [`media::Session`], follows the same rule.
//!
//! # The rooms
//!
//! | room | what is in it | clock, sockets, devices |
//! |---|---|---|
//! | [`sip`] | what a message is; the only place that names the SIP library | no |
//! | [`sdp`] | session descriptions, offer and answer (RFC 3264) | no |
//! | [`transaction`] | client and server transactions in one map over the library's machines | no |
//! | [`ua`] | the core: calls, dialogs, registration, credentials, transfer | no |
//! | [`rtp`] | packets, sequence arithmetic, jitter buffer, telephone-event, RTCP (RFC 3550) | no |
//! | [`media`] | one call's sound: codecs, concealment, tones, levels | no |
//! | [`services`] | forwarding, screening, the dial plan, history, contacts: what they decide and remember | no |
//! | [`audio`] | sound cards, the clocked null device, tones and WAV files as devices; the rings between | yes |
//! | [`net`] | UDP sockets, names to addresses, address changes | yes |
//! | [`phone`] | joins `ua`, `media`, `audio` and `net`; [`phone::PhoneHandle`] is the one seam above | yes |
//! | [`remote`] | the same seam by a local socket: a phone that runs on while UIs come and go | yes |
//! | [`app`] | the terminal UI's state: messages in, effects out | no |
//! | [`tui`] | the terminal itself, one widget a file | yes |
//! | [`cli`] | arguments, one-shot commands, JSON lines, exit codes | yes |
//! | [`config`] | the file, the variables, the defaults | reads files |
//! | [`exchange`] | the embedded exchange of `demo` and of the tests: its core without I/O, its driver with | driver only |
//!
//! Imports point down: `tui`, `cli` -> `app`, `phone` -> `ua`, `media` -> `sdp`, `rtp`, `transaction` -> `sip`. A test over
//! the sources (`tests/house.rs`) and clippy's `disallowed-methods` hold the last column.
//!
//! # Threads
//!
//! 1. main: the terminal UI or a one-shot command;
//! 2. `sip`: a single-threaded runtime that alone owns the [`ua::UserAgent`], without locks;
//! 3. `media`: every call's RTP sockets, paced by absolute deadlines ([`phone::media_thread`]);
//! 4. the sound card's callbacks: they push to and pop from a ring, and never lock, allocate, log or free.
//!
//! A redraw or a slow name server can therefore never delay a packet.
//!
//! # Adding a feature
//!
//! A transfer with consultation, say, touches: a header field in `sip`, its file in [`ua::call`], [`ua::command`] and
//! [`ua::event`], the phone's policy, the UI's update and keymap, one widget, one word of the command line, tests and the
//! CHANGELOG. If it forces a change in `net`, `media` or `audio`, something is in the wrong room.

#![forbid(unsafe_op_in_unsafe_fn)]

// Rooms without a clock: what they may not call stands in clippy.toml. Their tests may ask for a first instant.
#[cfg_attr(test, allow(clippy::disallowed_methods))]
pub mod app;
#[cfg_attr(test, allow(clippy::disallowed_methods))]
pub mod media;
#[cfg_attr(test, allow(clippy::disallowed_methods))]
pub mod rtp;
#[cfg_attr(test, allow(clippy::disallowed_methods))]
pub mod sdp;
#[cfg_attr(test, allow(clippy::disallowed_methods))]
pub mod services;
#[cfg_attr(test, allow(clippy::disallowed_methods))]
pub mod sip;
#[cfg_attr(test, allow(clippy::disallowed_methods))]
pub mod transaction;
#[cfg_attr(test, allow(clippy::disallowed_methods))]
pub mod ua;

// Rooms that drive them.
#[allow(clippy::disallowed_methods)]
pub mod audio;
#[allow(clippy::disallowed_methods)]
pub mod cli;
pub mod config;
#[allow(clippy::disallowed_methods)]
pub mod exchange;
#[allow(clippy::disallowed_methods)]
pub mod net;
#[allow(clippy::disallowed_methods)]
pub mod phone;
#[allow(clippy::disallowed_methods)]
pub mod remote;
#[allow(clippy::disallowed_methods)]
pub mod tui;
