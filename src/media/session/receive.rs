//! Packets into samples for the speaker, and what is counted on the way.

use std::time::Instant;

use crate::media::codec::{self, Decoder};
use crate::media::conceal::Concealer;
use crate::rtp::jitter::{Arrival, Content, Frame, Inserted, JitterBuffer};
use crate::rtp::reception::{Mark, Reception};
use crate::rtp::{Packet, PayloadType, Ssrc};
use crate::sdp::{Codec, Negotiated};

/// How fast the step between two codecs' sounds is smoothed: the time in which it falls to a third.
const SMOOTHING_MS: f32 = 5.0;

/// What packets of the peer become.
#[derive(Debug)]
pub(super) struct Receiver {
    sample_rate: u32,
    buffer: JitterBuffer,
    concealer: Concealer,
    /// Of the codecs that came so far.
    decoders: Vec<Decoder>,
    /// The last sample that was played, and what is left of the step to another codec's sound.
    last: i16,
    ramp: f32,
    /// The frame that is being played, and how much of it was.
    frame: Vec<i16>,
    played: usize,
    /// Samples to conceal before the next frame.
    missing: usize,
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
    /// Of the one before, once there was one.
    last: Option<(f32, f32)>,
}

impl Receiver {
    pub(super) fn new(sample_rate: u32) -> Receiver {
        Receiver {
            sample_rate,
            buffer: JitterBuffer::new(sample_rate),
            concealer: Concealer::new(sample_rate),
            decoders: Vec::new(),
            last: 0,
            ramp: 0.0,
            frame: Vec::new(),
            played: 0,
            missing: 0,
            source: None,
            lost_before: 0,
            received: 0,
            discarded: 0,
            late: 0,
            strangers: 0,
            interval: Interval::default(),
        }
    }

    /// The session's sample rate is another one from now on: what waits to be played is dropped, and the step to what comes
    /// next is smoothed.
    pub(super) fn set_rate(&mut self, sample_rate: u32) {
        if self.sample_rate == sample_rate {
            return;
        }
        self.sample_rate = sample_rate;
        self.buffer = JitterBuffer::new(sample_rate);
        self.concealer = Concealer::new(sample_rate);
        self.decoders.clear();
        self.clear_sound();
        self.ramp += f32::from(self.last);
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
    pub(super) fn insert(&mut self, packet: &Packet<'_>, codec: Option<Codec>) {
        let content = match codec {
            Some(codec) => {
                let samples = codec::samples_in(codec, packet.payload, self.sample_rate);
                Content::Voice { payload_type: packet.payload_type, payload: packet.payload, samples }
            }
            None => Content::Other,
        };
        match self.buffer.insert(&Arrival { ssrc: packet.ssrc, seq: packet.seq, content }) {
            Inserted::Waiting => {}
            Inserted::Late | Inserted::Unexpected => {
                self.late += 1;
                self.discarded += 1;
            }
            Inserted::Duplicate => self.discarded += 1,
        }
    }

    pub(super) fn ready(&self) -> usize {
        let rest = self.frame.len() - self.played;
        if self.missing > 0 { rest } else { rest + self.buffer.ready() }
    }

    /// Samples that wait, the frame that is being played included.
    pub(super) fn waiting(&self) -> usize {
        self.frame.len() - self.played + self.buffer.depth()
    }

    /// Forgets what waits to be played.
    pub(super) fn clear_sound(&mut self) {
        self.buffer.clear();
        self.concealer.clear();
        self.frame.clear();
        self.played = 0;
        self.missing = 0;
    }

    pub(super) fn playout(&mut self, media: &Negotiated, out: &mut [i16]) {
        self.fill(media, out);
        if self.ramp.abs() >= 1.0 {
            let decay = (-1000.0 / (SMOOTHING_MS * self.sample_rate as f32)).exp();
            for sample in out.iter_mut() {
                *sample = (f32::from(*sample) + self.ramp) as i16;
                self.ramp *= decay;
            }
        }
        self.last = out.last().copied().unwrap_or(self.last);
    }

    fn fill(&mut self, media: &Negotiated, out: &mut [i16]) {
        let mut rest = out;
        while !rest.is_empty() {
            let sound = &self.frame[self.played..];
            let count = if !sound.is_empty() {
                let count = sound.len().min(rest.len());
                rest[..count].copy_from_slice(&sound[..count]);
                self.played += count;
                count
            } else if self.missing > 0 {
                let count = self.missing.min(rest.len());
                self.concealer.conceal(&mut rest[..count]);
                self.missing -= count;
                count
            } else if self.next_frame(media) {
                continue;
            } else {
                self.concealer.conceal(rest);
                rest.len()
            };
            self.buffer.advance(count);
            rest = &mut rest[count..];
        }
    }

    /// Makes sound, or a known stretch of concealment, ready. False: nothing is there.
    fn next_frame(&mut self, media: &Negotiated) -> bool {
        self.frame.clear();
        self.played = 0;
        let shed = self.buffer.take_surplus();
        match self.buffer.pull() {
            Frame::Voice { payload_type, payload } => {
                decode(&mut self.decoders, media, payload_type, payload, self.sample_rate, &mut self.frame);
            }
            Frame::Missing { samples, lost } => {
                if !(lost && self.recover(media, samples)) {
                    self.missing = samples;
                }
                return true;
            }
            Frame::Empty => return false,
        }
        if shed {
            self.merge_next(media);
        }
        self.concealer.pass(&mut self.frame);
        true
    }

    /// Puts what the codec knows of packets that never came in the frame; false: it knows nothing.
    fn recover(&mut self, media: &Negotiated, samples: usize) -> bool {
        let Some((payload_type, payload, length)) = self.buffer.peek() else { return false };
        let codec = codec_of(media, payload_type.0);
        let Some(decoder) = self.decoders.iter_mut().find(|one| Some(one.codec()) == codec && one.conceals()) else {
            return false;
        };
        // The next packet has a copy of the one before it; of others before there is none.
        let earlier = samples.saturating_sub(length);
        let made_up = earlier == 0 || decoder.conceal(None, earlier, &mut self.frame);
        if !made_up || !decoder.conceal(Some(payload), samples - earlier, &mut self.frame) {
            self.frame.clear();
            return false;
        }
        self.concealer.pass(&mut self.frame);
        true
    }

    /// Plays two frames in the time of one: the first turns into the second.
    fn merge_next(&mut self, media: &Negotiated) {
        let length = self.frame.len();
        match self.buffer.pull() {
            Frame::Voice { payload_type, payload } => {
                decode(&mut self.decoders, media, payload_type, payload, self.sample_rate, &mut self.frame);
            }
            Frame::Missing { samples, lost: _ } => {
                self.missing = samples;
                return;
            }
            Frame::Empty => return,
        }
        let (first, second) = self.frame.split_at_mut(length);
        let blend = first.len().min(second.len());
        for (n, (from, to)) in first.iter().zip(second).take(blend).enumerate() {
            let (n, all) = (n as i32, blend as i32);
            *to = ((i32::from(*from) * (all - n) + i32::from(*to) * n) / all) as i16;
        }
        self.frame.drain(..length);
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
        self.waiting() as f32 * 1000.0 / self.sample_rate as f32
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
        self.interval = Interval { mark, discarded: self.discarded, late: self.late, last };
    }
}

/// The codec of a payload type.
pub(super) fn codec_of(media: &Negotiated, payload_type: u8) -> Option<Codec> {
    media.receive.iter().find(|(number, _)| *number == payload_type).map(|&(_, codec)| codec)
}

/// Appends the samples of a payload; silence if its codec is not agreed on any more.
fn decode(
    decoders: &mut Vec<Decoder>,
    media: &Negotiated,
    payload_type: PayloadType,
    payload: &[u8],
    rate: u32,
    samples: &mut Vec<i16>,
) {
    let silence = rate as usize / 50;
    let Some(codec) = codec_of(media, payload_type.0) else { return samples.resize(samples.len() + silence, 0) };
    if !decoders.iter().any(|decoder| decoder.codec() == codec) {
        decoders.extend(Decoder::new(codec, rate));
    }
    match decoders.iter_mut().find(|decoder| decoder.codec() == codec) {
        Some(decoder) => decoder.decode(payload, samples),
        None => samples.resize(samples.len() + silence, 0),
    }
}
