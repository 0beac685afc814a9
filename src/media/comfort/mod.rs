//! Comfort noise (RFC 3389): while nobody speaks nothing is sent but, now and then, how the silence sounds.
//!
//! | file | what |
//! |---|---|
//! | `generator` | the noise that the other side describes |
//! | `activity` | whether our side speaks, and how its silence sounds |
//! | `suppress` | what is sent in the place of a packet |
//! | `prediction` | the spectrum of a sound as an all-pole model |

mod activity;
mod generator;
mod prediction;
mod suppress;
#[cfg(test)]
mod tests;

pub use activity::{Activity, Detector};
pub use generator::Generator;
pub use suppress::{MAX_PAYLOAD, Said, Suppressor};
