//! Packets that wait into sound for the speaker: decoded, or made up where they are missing, at the pace that the delay
//! needs.

use std::time::Instant;

use super::receive::codec_of;
use crate::media::codec::{self, Decoder};
use crate::media::comfort::Generator;
use crate::media::conceal::{Concealer, HISTORY_MS};
use crate::media::timescale::{LONGEST_MS, Need, TimeScale};
use crate::rtp::jitter::{Arrival, Frame, Gap, Inserted, JitterBuffer, Pace};
use crate::sdp::{Codec, Negotiated};

/// How fast the step between two codecs' sounds is smoothed: the time in which it falls to a third.
const SMOOTHING_MS: f32 = 5.0;
/// Sound is made longer or shorter at most once in so many milliseconds; twice as often when it is urgent.
const SCALE_EVERY_MS: usize = 60;
/// An error of the delay of so many milliseconds is urgent.
const URGENT_MS: usize = 60;
/// Milliseconds of sound in which a piece to cut is looked for.
const SQUEEZED_MS: usize = 20;
/// What a codec makes up at a time, in milliseconds.
const MADE_UP_MS: usize = 10;
/// An Opus payload of so many bytes holds no sound: the sender is silent (RFC 7587 section 3.1.3).
const SILENT_BYTES: usize = 2;
/// The loss is averaged over so many packets. Above the first of these shares it is worth a packet of delay to find lost
/// packets' copies in the next ones, below the second it is not.
const LOSS_OVER: f32 = 150.0;
const MOST_LOST: usize = 10;
const LOOK_AHEAD_FROM: f32 = 0.02;
const LOOK_AHEAD_UNTIL: f32 = 0.005;
/// Not every packet of who sends copies has one: silence needs none. One of so many will do.
const COPIES_WITHIN: u32 = 150;

/// Samples that were played, and what was done to them.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Counts {
    pub(super) played: u64,
    /// Made up for packets that did not come in time.
    pub(super) concealed: u64,
    /// Put in to make the delay longer, and cut out to make it shorter.
    pub(super) stretched: u64,
    pub(super) squeezed: u64,
}

/// What the other side does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Peer {
    Speaks,
    /// It said that it is silent, by comfort noise.
    Noise,
    /// It said that it is silent, by what its codec sent; the codec makes the noise.
    Quiet,
}

/// What is played.
#[derive(Debug)]
pub(super) struct Playout {
    sample_rate: u32,
    buffer: JitterBuffer,
    scale: TimeScale,
    concealer: Concealer,
    comfort: Generator,
    /// Of the codecs that came so far.
    decoders: Vec<Decoder>,
    /// The last one of them.
    codec: Option<Codec>,
    peer: Peer,
    /// What was played lately, and from `played` on what is next.
    sound: Vec<i16>,
    played: usize,
    /// Samples played since the last change of the pace.
    since_scaled: usize,
    /// The share of packets that did not come of late, and how many came since one that brought a copy of another.
    loss: f32,
    since_copy: u32,
    /// Samples that were made up although it is not known yet whether anything was missing.
    undecided: u64,
    counts: Counts,
    /// The last sample that was played, and what is left of the step to another codec's sound.
    last: i16,
    ramp: f32,
}

impl Playout {
    pub(super) fn new(sample_rate: u32) -> Playout {
        Playout {
            sample_rate,
            buffer: JitterBuffer::new(sample_rate),
            scale: TimeScale::new(sample_rate),
            concealer: Concealer::new(sample_rate),
            comfort: Generator::new(sample_rate),
            decoders: Vec::new(),
            codec: None,
            peer: Peer::Speaks,
            sound: Vec::new(),
            played: 0,
            since_scaled: 0,
            loss: 0.0,
            since_copy: COPIES_WITHIN,
            undecided: 0,
            counts: Counts::default(),
            last: 0,
            ramp: 0.0,
        }
    }

    /// Another sample rate: what waits is dropped, and the step to what comes next is smoothed.
    pub(super) fn set_rate(&mut self, sample_rate: u32) {
        if self.sample_rate == sample_rate {
            return;
        }
        let in_new = |samples: u64| samples * u64::from(sample_rate) / u64::from(self.sample_rate);
        let counts = Counts {
            played: in_new(self.counts.played),
            concealed: in_new(self.counts.concealed),
            stretched: in_new(self.counts.stretched),
            squeezed: in_new(self.counts.squeezed),
        };
        let (last, ramp) = (self.last, self.ramp + f32::from(self.last));
        *self = Playout { counts, last, ramp, ..Playout::new(sample_rate) };
    }

    pub(super) fn sample_rate(&self) -> u32 {
        self.sample_rate
    }

    pub(super) fn insert(&mut self, arrival: &Arrival<'_>) -> Inserted {
        self.buffer.insert(arrival)
    }

    /// Samples that can be played at once, without concealment: whole milliseconds, for what is played goes on through a
    /// resampler that takes no parts of one, and nothing is to be made up to fill it. What is left stays for the next packet.
    pub(super) fn ready(&self) -> usize {
        let rest = self.sound.len() - self.played;
        match self.buffer.ready() {
            0 => 0,
            more => (rest + more) / self.per_ms() * self.per_ms(),
        }
    }

    fn per_ms(&self) -> usize {
        (self.sample_rate as usize / 1000).max(1)
    }

    /// Samples that wait.
    pub(super) fn waiting(&self) -> usize {
        self.sound.len() - self.played + self.buffer.depth()
    }

    /// Samples that are wanted to wait.
    pub(super) fn target(&self) -> usize {
        self.buffer.target()
    }

    /// Milliseconds that the last packet waited, or could have waited, longer than the fastest ones have to.
    #[cfg(test)]
    pub(super) fn delay_ms(&self) -> f32 {
        self.buffer.delay() as f32 * 1000.0 / self.sample_rate as f32
    }

    /// Samples that were made up, as far as is known by now.
    #[cfg(test)]
    pub(super) fn made_up(&self) -> u64 {
        self.counts.concealed + self.undecided
    }

    /// By which part the sound should be longer; see [`JitterBuffer::correction`].
    pub(super) fn correction(&self) -> Option<f64> {
        self.buffer.correction()
    }

    pub(super) fn counts(&self) -> Counts {
        self.counts
    }

    /// Forgets what waits to be played.
    pub(super) fn clear_sound(&mut self) {
        self.buffer.clear();
        self.concealer.end();
        self.sound.clear();
        self.played = 0;
        self.undecided = 0;
        self.peer = Peer::Speaks;
        self.codec = None;
    }

    /// Fills `out` for the speaker.
    pub(super) fn fill(&mut self, now: Instant, media: &Negotiated, out: &mut [i16]) {
        self.buffer.begin(now, out.len());
        while self.sound.len() - self.played < out.len() {
            let missing = out.len() - (self.sound.len() - self.played);
            self.make(media, missing);
        }
        out.copy_from_slice(&self.sound[self.played..self.played + out.len()]);
        self.played += out.len();
        self.counts.played += out.len() as u64;
        self.since_scaled = self.since_scaled.saturating_add(out.len());
        self.forget();
        self.smooth(out);
    }

    /// Makes the next sound, `missing` samples if it can be any number.
    fn make(&mut self, media: &Negotiated, missing: usize) {
        let from = self.sound.len();
        self.buffer.set_queued(from - self.played);
        match self.buffer.pull() {
            Frame::Voice { payload_type, payload, skip, after } => {
                let codec = codec_of(media, payload_type.0);
                decode(&mut self.decoders, codec, payload, self.sample_rate, &mut self.sound);
                let silent = codec == Some(Codec::Opus) && payload.len() <= SILENT_BYTES;
                self.peer = if silent { Peer::Quiet } else { Peer::Speaks };
                let has_copy = codec.is_some_and(|codec| codec::has_copy(codec, payload));
                self.since_copy = if has_copy { 0 } else { self.since_copy.saturating_add(1) };
                self.codec = codec;
                let pace = self.buffer.pace();
                self.decided(after);
                self.average_loss();
                self.look_for_room(media, from, pace);
                self.join(from, skip, pace);
            }
            Frame::Noise { payload } => {
                self.comfort.describe(payload);
                self.peer = Peer::Noise;
                self.undecided = 0;
            }
            Frame::Missing { samples, gap: Gap::Silence } => self.make_up(samples.min(missing)),
            Frame::Missing { samples, gap: Gap::Lost } => self.recover(media, samples, missing),
            Frame::Empty => self.make_up(missing),
        }
    }

    /// Short packets leave no room to cut a whole pitch period out of one: the next ones are taken too.
    fn look_for_room(&mut self, media: &Negotiated, from: usize, pace: Pace) {
        let room = SQUEEZED_MS * self.sample_rate as usize / 1000;
        while matches!(pace, Pace::Shorter(_)) && self.sound.len() - from < room && self.buffer.goes_on() {
            let Frame::Voice { payload_type, payload, .. } = self.buffer.pull() else { return };
            decode(&mut self.decoders, codec_of(media, payload_type.0), payload, self.sample_rate, &mut self.sound);
        }
    }

    /// Fits sound that was decoded to what was played before it, and to the delay that is wanted.
    fn join(&mut self, from: usize, skip: usize, pace: Pace) {
        let skip = skip.min(self.sound.len() - from);
        self.sound.copy_within(from + skip.., from);
        self.sound.truncate(self.sound.len() - skip);
        if skip > 0 && !self.concealer.is_concealing() && self.peer == Peer::Speaks {
            // What the codec made up does not lead into the middle of a packet.
            self.concealer.prepare(&self.sound[..from]);
        }
        if self.concealer.is_concealing() {
            self.concealer.merge(&mut self.sound, from);
        } else {
            self.scale(from, pace);
        }
    }

    /// Makes the sound from `from` on longer or shorter, if the delay is to change.
    fn scale(&mut self, from: usize, pace: Pace) {
        let ms = self.sample_rate as usize / 1000;
        let (Pace::Longer(error) | Pace::Shorter(error)) = pace else { return };
        let (need, every) = match error >= URGENT_MS * ms {
            true => (Need::Urgent, SCALE_EVERY_MS / 2 * ms),
            false => (Need::Gentle, SCALE_EVERY_MS * ms),
        };
        if self.since_scaled < every {
            return;
        }
        let changed = match pace {
            Pace::Right => 0,
            Pace::Longer(_) => {
                let longer = self.scale.stretch(&mut self.sound, from, LONGEST_MS * ms, need);
                self.counts.stretched += longer as u64;
                longer
            }
            Pace::Shorter(_) => {
                let shorter = self.scale.squeeze(&mut self.sound, from, error, need);
                self.counts.squeezed += shorter as u64;
                shorter
            }
        };
        if changed > 0 {
            self.buffer.scaled();
            self.since_scaled = 0;
        }
    }

    /// Makes up `count` samples, or somewhat more.
    fn make_up(&mut self, count: usize) {
        let from = self.sound.len();
        match self.peer {
            Peer::Noise => self.comfort.fill(&mut self.sound, count),
            Peer::Speaks | Peer::Quiet => {
                if !self.make_up_by_codec(count.next_multiple_of(MADE_UP_MS * self.sample_rate as usize / 1000)) {
                    self.concealer.conceal(&mut self.sound, count);
                }
            }
        }
        let made = self.sound.len() - from;
        self.buffer.advance(made);
        if self.peer == Peer::Speaks {
            self.undecided += made as u64;
        }
    }

    /// Makes up for packets that never came: `samples` before the next one, of which `missing` are wanted now.
    fn recover(&mut self, media: &Negotiated, samples: usize, missing: usize) {
        let Some((payload_type, payload, length)) = self.buffer.peek() else {
            return self.make_up(samples.min(missing));
        };
        let codec = codec_of(media, payload_type.0).filter(|codec| Some(*codec) == self.codec);
        if codec.is_none_or(|codec| !codec::has_copy(codec, payload)) {
            return self.make_up(samples.min(missing));
        }
        // The next packet has a copy of the one before it; of others before there is none.
        if samples > length {
            return self.make_up((samples - length).min(missing));
        }
        let from = self.sound.len();
        let decoder = self.decoders.iter_mut().find(|one| Some(one.codec()) == codec);
        if !decoder.is_some_and(|decoder| decoder.conceal(Some(payload), length, &mut self.sound)) {
            return self.make_up(samples.min(missing));
        }
        self.buffer.advance(samples);
        self.concealer.end();
        // A part of its time was made up already, before the packet with the copy came.
        self.join(from, length - samples, Pace::Right);
    }

    fn make_up_by_codec(&mut self, count: usize) -> bool {
        let codec = self.codec;
        let decoder = self.decoders.iter_mut().find(|one| Some(one.codec()) == codec && one.conceals());
        decoder.is_some_and(|decoder| decoder.conceal(None, count, &mut self.sound))
    }

    /// What was made up is known to have been missing, or not.
    fn decided(&mut self, after: Gap) {
        let made_up = std::mem::take(&mut self.undecided);
        match after {
            Gap::Lost => self.counts.concealed += made_up,
            Gap::Silence => {}
        }
    }

    /// Learns from how many packets did not come before the one that did.
    fn average_loss(&mut self) {
        for _ in 0..self.buffer.lost().min(MOST_LOST) {
            self.loss += (1.0 - self.loss) / LOSS_OVER;
        }
        self.loss -= self.loss / LOSS_OVER;
        let wanted = if self.buffer.is_looking_ahead() { LOOK_AHEAD_UNTIL } else { LOOK_AHEAD_FROM };
        let look_ahead = self.since_copy < COPIES_WITHIN && self.loss >= wanted;
        self.buffer.look_ahead(look_ahead);
    }

    /// Drops what was played too long ago to be of use.
    fn forget(&mut self) {
        let history = HISTORY_MS * self.sample_rate as usize / 1000;
        if self.played > 2 * history {
            self.sound.copy_within(self.played - history.., 0);
            self.sound.truncate(self.sound.len() - (self.played - history));
            self.played = history;
        }
    }

    fn smooth(&mut self, out: &mut [i16]) {
        if self.ramp.abs() >= 1.0 {
            let decay = (-1000.0 / (SMOOTHING_MS * self.sample_rate as f32)).exp();
            for sample in out.iter_mut() {
                *sample = (f32::from(*sample) + self.ramp) as i16;
                self.ramp *= decay;
            }
        }
        self.last = out.last().copied().unwrap_or(self.last);
    }
}

/// Appends the samples of a payload; silence if its codec is not agreed on any more.
fn decode(decoders: &mut Vec<Decoder>, codec: Option<Codec>, payload: &[u8], rate: u32, samples: &mut Vec<i16>) {
    let silence = rate as usize / 50;
    let Some(codec) = codec else { return samples.resize(samples.len() + silence, 0) };
    if !decoders.iter().any(|decoder| decoder.codec() == codec) {
        decoders.extend(Decoder::new(codec, rate));
    }
    match decoders.iter_mut().find(|decoder| decoder.codec() == codec) {
        Some(decoder) => decoder.decode(payload, samples),
        None => samples.resize(samples.len() + silence, 0),
    }
}
