//! What shows in the ladder, as a text or for Wireshark.

use std::io::{self, Write};

use super::pcapng::Pcapng;
use super::{Rung, Trace};
use crate::app::text;

/// How it is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// As it can be read.
    Text,
    /// As packets.
    Pcapng,
}

impl Format {
    /// The end of a file's name.
    pub fn extension(self) -> &'static str {
        match self {
            Format::Text => "txt",
            Format::Pcapng => "pcapng",
        }
    }
}

impl Trace {
    /// Writes the rows that show, the oldest first, without ever having them all in memory.
    ///
    /// # Errors
    ///
    /// Those of `out`.
    pub fn write(&self, format: Format, utc_offset: i32, out: &mut dyn Write) -> io::Result<()> {
        let mut packets = match format {
            Format::Pcapng => Some(Pcapng::begin(&mut *out)?),
            Format::Text => None,
        };
        for place in 0..self.visible_len() {
            let Some(id) = self.visible(place) else { continue };
            match (self.rung(id), &mut packets) {
                (Some(Rung::Message(message)), Some(packets)) => packets.message(&mut *out, &message)?,
                (Some(Rung::Note(_)), Some(_)) | (None, _) => {}
                (Some(Rung::Message(message)), None) => {
                    let entry = &message.entry;
                    let time = text::clock_ms(entry.time, utc_offset);
                    let line = text::trace_line(&time, entry.sent, &entry.remote.to_string(), message.times);
                    write!(out, "{line}\n{}\n\n", entry.text)?;
                }
                (Some(Rung::Note(note)), None) => {
                    let time = text::clock_ms(note.time, utc_offset);
                    let call = note.call;
                    write!(out, "{time} {call} {}\n\n", text::note(note))?;
                }
            }
        }
        Ok(())
    }
}
