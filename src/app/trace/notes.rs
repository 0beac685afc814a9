//! What stands in the ladder between SIP messages: the sound of a call, digits, and waits that ended.

use std::net::SocketAddr;
use std::time::SystemTime;

use crate::media::session::Stats;
use crate::phone::event::{Direction, Event, Kind};
use crate::ua::CallNo;
use crate::ua::event::EndedBy;

use super::{Held, Row, Trace, hash};
use crate::app::layout::clean;

/// Something that belongs to a call and is no SIP message.
#[derive(Debug, Clone, PartialEq)]
pub struct Note {
    /// When it began.
    pub time: SystemTime,
    /// Of which call.
    pub call: CallNo,
    /// What it is.
    pub what: What,
}

/// What a note is about.
#[derive(Debug, Clone, PartialEq)]
pub enum What {
    /// RTP in both directions, folded into one row.
    Sound(Sound),
    /// Digits of one direction, one after the other; which ones is a secret.
    Digits(Direction, u32),
    /// Nobody answered in time (RFC 3261: timer B or F, or our own limit).
    TimedOut,
}

/// The sound of a call as long as one codec carried it.
#[derive(Debug, Clone, PartialEq)]
pub struct Sound {
    /// The codec's name; empty before the answer.
    pub codec: String,
    /// It is encrypted.
    pub srtp: bool,
    /// Where it goes, where that is known.
    pub remote: Option<SocketAddr>,
    /// Packets sent, received and lost.
    pub packets: (u64, u64, i64),
    /// The last estimate of its quality.
    pub mos: Option<f32>,
    /// When it ended.
    pub ended: Option<SystemTime>,
}

impl Sound {
    fn count(&mut self, stats: &Stats) {
        self.packets = (stats.sent, stats.received, stats.lost);
        self.mos = stats.mos.or(self.mos);
    }
}

impl Note {
    /// What a search looks at, in lower case.
    pub(super) fn key(&self) -> String {
        match &self.what {
            What::Sound(sound) => format!("rtp {}", sound.codec).to_lowercase(),
            What::Digits(..) => "dtmf".into(),
            What::TimedOut => "timeout timer".into(),
        }
    }
}

impl Trace {
    /// Takes what an event tells of a call's sound.
    pub fn note(&mut self, event: &Event) {
        let time = event.time;
        match &event.kind {
            Kind::EarlyMedia { call } => self.sound(time, call.call, "", false, None),
            Kind::Established { call, codec, security, remote_rtp } => {
                self.sound(time, call.call, codec, security.srtp, remote_rtp.parse().ok());
            }
            Kind::Security { call, security } => {
                if let Some(sound) = self.sound_of(call.call) {
                    sound.srtp = security.srtp;
                }
            }
            Kind::Stats { call, stats, .. } => {
                if let Some(sound) = self.sound_of(call.call) {
                    sound.count(stats);
                }
            }
            Kind::Dtmf { call, direction, .. } => self.digit(time, call.call, *direction),
            Kind::Ended { call, by, rtp, .. } => {
                if let Some(sound) = self.sound_of(call.call) {
                    sound.ended = Some(time);
                    sound.packets = (rtp.sent, rtp.received, rtp.lost);
                }
                if *by == EndedBy::Timeout {
                    self.push_note(Note { time, call: call.call, what: What::TimedOut });
                }
                if let Some(known) = self.calls.get_mut(&call.call) {
                    known.sound = None;
                }
            }
            _ => {}
        }
    }

    /// The sound of a call begins, or goes on by another codec.
    fn sound(&mut self, time: SystemTime, call: CallNo, codec: &str, srtp: bool, remote: Option<SocketAddr>) {
        let codec = clean(codec);
        if let Some(sound) = self.sound_of(call) {
            // What came before the answer goes on; a session refresh says the same again.
            if sound.codec.is_empty() || sound.codec == codec {
                (sound.codec, sound.srtp, sound.remote) = (codec, srtp, remote.or(sound.remote));
                return;
            }
            sound.ended = Some(time);
        }
        let sound = Sound { codec, srtp, remote, packets: (0, 0, 0), mos: None, ended: None };
        let id = self.push_note(Note { time, call, what: What::Sound(sound) });
        self.calls.entry(call).or_default().sound = Some(id);
    }

    /// The row of a call's sound that goes on.
    fn sound_of(&mut self, call: CallNo) -> Option<&mut Sound> {
        let id = self.calls.get(&call)?.sound?;
        match self.row_mut(id)?.held {
            Held::Note(ref mut note) => match &mut note.what {
                What::Sound(sound) => Some(sound),
                What::Digits(..) | What::TimedOut => None,
            },
            Held::Here(_) | Held::Shelved(_) => None,
        }
    }

    /// A digit is counted to those right before it.
    fn digit(&mut self, time: SystemTime, call: CallNo, direction: Direction) {
        if let Some(Row { held: Held::Note(last), .. }) = self.rows.back_mut()
            && last.call == call
            && let What::Digits(towards, count) = &mut last.what
            && *towards == direction
        {
            *count += 1;
            return;
        }
        self.push_note(Note { time, call, what: What::Digits(direction, 1) });
    }

    fn push_note(&mut self, note: Note) -> u64 {
        let known = self.calls.entry(note.call).or_default();
        let call = hash(&known.call_id);
        let row = Row { time: note.time, call, lane: known.lane, held: Held::Note(Box::new(note)) };
        self.push_row(row)
    }
}
