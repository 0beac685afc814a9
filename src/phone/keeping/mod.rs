//! What is remembered over restarts: the history, the switches and the contacts. Writing never keeps the SIP thread waiting.
//!
//! - [`files`]: where they are; writing that survives a crash in its middle
//! - [`journal`]: the history's file
//! - `keeper`: the thread that writes

pub mod files;
pub mod journal;
mod keeper;

pub(super) use keeper::{Keep, Keeper};
