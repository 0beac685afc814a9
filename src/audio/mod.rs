//! Sound devices: a sound card, a null device, a tone, a WAV file; rings between them and the media thread.
//!
//! | file | what it holds |
//! |---|---|
//! | [`name`] | what a device's name means: `default`, `pulseaudio:NAME`, `null`, `tone:440`, `speech.wav` |
//! | [`device`] | the traits [`Input`] and [`Output`], and opening one by its name |
//! | [`pulse`] | sound cards of a PulseAudio or PipeWire server, without a thread of their own |
//! | [`cards`] | the list, the search; ALSA's cards through cpal |
//! | [`capture`], [`playback`] | an ALSA card's input and output, seen from the media thread: rings |
//! | `taps`, `slack`, `ahead` | what both have: one microphone at several rates; delay that is trimmed; how early sound is given |
//! | [`ringer`] | the ring tone, which needs no media thread |
//! | [`probe`] | a microphone and a speaker tried without a call |
//! | [`simple`] | devices without a clock of their own: null, tone, WAV file |
//! | [`ogg`] | Opus in Ogg, for recordings |
//! | [`wav`] | WAV files: loading and, on a thread of their own, writing |
//! | [`pace`] | when to send: absolute deadlines whose phase follows the capture callback |
//!
//! All samples are 16-bit mono. A device without a clock of its own gives and takes any amount at any time: the media
//! thread's 20 ms tick paces it, one tick for all calls.

mod ahead;
pub mod capture;
pub mod cards;
pub mod device;
pub mod name;
pub mod ogg;
pub mod pace;
pub mod playback;
pub mod probe;
pub mod pulse;
pub mod ringer;
pub mod simple;
pub mod wav;

mod slack;
mod stderr;
mod taps;

pub use cards::{DeviceInfo, list};
pub use device::{Input, OpenError, Output, Wake, Why};
pub use name::Selector;
