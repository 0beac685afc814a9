//! What comes from the peer: into the buffer, and what is counted on the way.

use std::time::Instant;

use super::playout::{Counts, Playout};
use crate::media::codec;
use crate::rtp::jitter::{Arrival, Content, Inserted};
use crate::rtp::reception::{Mark, Reception};
use crate::rtp::{Packet, Ssrc};
use crate::sdp::{Codec, Negotiated};

/// What packets of the peer become.
#[derive(Debug)]
pub(super) struct Receiver {
    playout: Playout,
    source: Option<Source>,
    /// Of the sources before this one.
    lost_before: i64,
    received: u64,
    discarded: u64,
    /// Of those, the ones that were wanted.
    late: u64,
    strangers: u64,
    interval: Interval,
}

/// What a packet of the peer is played as.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Heard {
    Voice(Codec),
    /// Comfort noise, with its clock rate in Hz.
    Noise(u32),
    Nothing,
}

/// The peer's stream.
#[derive(Debug)]
pub(super) struct Source {
    pub(super) ssrc: Ssrc,
    pub(super) reception: Reception,
    /// Where the count was at our last RTCP report.
    pub(super) reported: Mark,
}

/// The figures of the time between two [`super::Event::Stats`].
#[derive(Debug, Default)]
struct Interval {
    mark: Mark,
    discarded: u64,
    late: u64,
    counts: Counts,
    /// Of the one before, once there was one.
    last: Option<(f32, f32)>,
    last_played: Option<Played>,
}

/// Shares of what was played, 0 to 1.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Played {
    pub(super) concealed: f32,
    pub(super) stretched: f32,
    pub(super) squeezed: f32,
}

impl Receiver {
    pub(super) fn new(sample_rate: u32) -> Receiver {
        Receiver {
            playout: Playout::new(sample_rate),
            source: None,
            lost_before: 0,
            received: 0,
            discarded: 0,
            late: 0,
            strangers: 0,
            interval: Interval::default(),
        }
    }

    /// The session's sample rate is another one from now on.
    pub(super) fn set_rate(&mut self, sample_rate: u32) {
        if self.playout.sample_rate() != sample_rate {
            self.playout.set_rate(sample_rate);
            self.interval.counts = self.playout.counts();
        }
    }

    pub(super) fn count_stranger(&mut self) {
        self.strangers += 1;
    }

    /// Counts a packet of the peer.
    pub(super) fn count(&mut self, now: Instant, packet: &Packet<'_>, voice: bool, clock_rate: u32) {
        self.received += 1;
        let source = match &mut self.source {
            Some(source) if source.ssrc == packet.ssrc => source,
            changed => {
                if let Some(before) = changed.take() {
                    self.lost_before += before.reception.lost();
                    self.interval.mark = Mark::default();
                }
                let reception = Reception::new(now, packet.seq, clock_rate);
                changed.insert(Source { ssrc: packet.ssrc, reception, reported: Mark::default() })
            }
        };
        // The timestamp of an event is that of its beginning.
        source.reception.update(now, packet.seq, voice.then_some(packet.timestamp));
    }

    /// Puts a packet of the peer in the buffer.
    pub(super) fn insert(&mut self, now: Instant, packet: &Packet<'_>, heard: Heard) {
        let payload = packet.payload;
        let content = match heard {
            Heard::Voice(codec) => Content::Voice {
                payload_type: packet.payload_type,
                payload,
                samples: codec::samples_in(codec, payload, self.playout.sample_rate()),
                clock_rate: codec.clock_rate(),
            },
            Heard::Noise(clock_rate) => Content::Noise { payload, clock_rate },
            Heard::Nothing => Content::Other,
        };
        let Packet { ssrc, seq, timestamp, marker, .. } = *packet;
        match self.playout.insert(&Arrival { now, ssrc, seq, timestamp, marker, content }) {
            Inserted::Waiting => {}
            Inserted::Late | Inserted::Unexpected => {
                self.late += 1;
                self.discarded += 1;
            }
            Inserted::Duplicate => self.discarded += 1,
        }
    }

    pub(super) fn playout(&mut self) -> &mut Playout {
        &mut self.playout
    }

    pub(super) fn ready(&self) -> usize {
        self.playout.ready()
    }

    pub(super) fn correction(&self) -> Option<f64> {
        self.playout.correction()
    }

    pub(super) fn source_mut(&mut self) -> Option<&mut Source> {
        self.source.as_mut()
    }

    pub(super) fn received(&self) -> u64 {
        self.received
    }

    pub(super) fn discarded(&self) -> u64 {
        self.discarded
    }

    pub(super) fn strangers(&self) -> u64 {
        self.strangers
    }

    pub(super) fn lost(&self) -> i64 {
        self.lost_before + self.source.as_ref().map_or(0, |source| source.reception.lost())
    }

    pub(super) fn jitter_ms(&self) -> f32 {
        self.source.as_ref().map_or(0.0, |source| source.reception.jitter_time().as_secs_f32() * 1000.0)
    }

    pub(super) fn waiting_ms(&self) -> f32 {
        self.playout.waiting() as f32 * 1000.0 / self.playout.sample_rate() as f32
    }

    pub(super) fn target_ms(&self) -> f32 {
        self.playout.target() as f32 * 1000.0 / self.playout.sample_rate() as f32
    }

    /// Shares of what was played in the last interval.
    pub(super) fn played(&self) -> Played {
        self.interval.last_played.unwrap_or_else(|| self.played_in_interval())
    }

    fn played_in_interval(&self) -> Played {
        let (now, before) = (self.playout.counts(), self.interval.counts);
        let share = |part: u64, part_before: u64| {
            let all = now.played.saturating_sub(before.played).max(1);
            (part.saturating_sub(part_before) as f32 / all as f32).min(1.0)
        };
        Played {
            concealed: share(now.concealed, before.concealed),
            stretched: share(now.stretched, before.stretched),
            squeezed: share(now.squeezed, before.squeezed),
        }
    }

    /// Shares of packets, 0 to 1, in the last interval: never came; never came or came too late. Duplicates make up for none.
    pub(super) fn loss(&self) -> (f32, f32) {
        self.interval.last.unwrap_or_else(|| self.loss_in_interval())
    }

    fn loss_in_interval(&self) -> (f32, f32) {
        let Some(source) = &self.source else { return (0.0, 0.0) };
        let discarded = self.discarded - self.interval.discarded;
        let twice = discarded - (self.late - self.interval.late);
        let loss = |useless| source.reception.loss_since_without(self.interval.mark, useless);
        (loss(twice), loss(discarded))
    }

    /// Begins the next interval of the figures.
    pub(super) fn end_interval(&mut self) {
        let last = Some(self.loss_in_interval());
        let mark = self.source.as_ref().map_or_else(Mark::default, |source| source.reception.mark());
        let last_played = Some(self.played_in_interval());
        let counts = self.playout.counts();
        self.interval = Interval { mark, discarded: self.discarded, late: self.late, counts, last, last_played };
    }
}

/// The codec of a payload type.
pub(super) fn codec_of(media: &Negotiated, payload_type: u8) -> Option<Codec> {
    media.receive.iter().find(|(number, _)| *number == payload_type).map(|&(_, codec)| codec)
}
