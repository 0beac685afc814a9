//! The buffer between network and speaker.
//!
//! Every packet belongs somewhere on the sender's clock, by its timestamp, and came at some time on ours; the fastest
//! packets of late say how the two clocks go together. *Tolerance* is by how much a packet may come later than those and still
//! be in time. The buffer measures how far packets are apart (`spread`) and wants as much tolerance as all but a few of them
//! need. What is played tells how much there is: too little, and sound is stretched; too much, and it is squeezed
//! ([`JitterBuffer::pace`]). What comes late is played as far as its time is not over, so that a single late packet costs the
//! part that was missed and no delay.
//!
//! While packets come so evenly that the speaker's own slack covers it, nothing waits ([`JitterBuffer::ready`]) once what had to
//! wait before is squeezed.
//!
//! | file | what |
//! |---|---|
//! | `arrive` | a packet comes |
//! | `play` | the speaker takes sound |
//! | `pace` | longer, shorter, or at once |
//! | `slots` | the packets that wait |
//! | `timeline` | where a packet belongs |
//! | `spread` | how far packets are apart |
//! | `least` | how long they all wait at least |

mod arrive;
mod least;
mod pace;
mod play;
mod slots;
mod spread;
#[cfg(test)]
mod tests;
mod timeline;

use std::time::Instant;

use super::number::SeqExtender;
use super::{PayloadType, RtpTimestamp, SeqNo, Ssrc};
use least::Least;
use slots::Slots;
use spread::Spread;
use timeline::Timeline;

/// Milliseconds of sound that may wait; older is dropped.
const MAX_DEPTH_MS: usize = 400;
/// Tolerance that is wanted besides the spread, in milliseconds: our own thread is late at times.
const MARGIN_MS: i64 = 1;
/// Tolerance that is not worth a squeeze, in milliseconds.
const ENOUGH_MS: i64 = 5;

/// A packet for [`JitterBuffer::insert`].
#[derive(Debug, Clone, Copy)]
pub struct Arrival<'a> {
    /// When it came.
    pub now: Instant,
    /// Who sent it; another one starts afresh.
    pub ssrc: Ssrc,
    /// Its place in the order.
    pub seq: SeqNo,
    /// Its place in time.
    pub timestamp: RtpTimestamp,
    /// It begins a talkspurt (RFC 3551 section 4.1): what is missing before it was silence.
    pub marker: bool,
    /// What it holds.
    pub content: Content<'a>,
}

/// What a packet holds.
#[derive(Debug, Clone, Copy)]
pub enum Content<'a> {
    /// Encoded sound of so many samples; the clock of its timestamps in Hz.
    Voice { payload_type: PayloadType, payload: &'a [u8], samples: usize, clock_rate: u32 },
    /// Comfort noise (RFC 3389): it lasts until sound comes again.
    Noise { payload: &'a [u8], clock_rate: u32 },
    /// Something that is not played but has a sequence number: a telephone-event.
    Other,
}

/// What became of a packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Inserted {
    /// It waits for its turn.
    Waiting,
    /// Its turn is over: concealed or dropped.
    Late,
    /// It was there already.
    Duplicate,
    /// Its number or its time is far off; a second one in order is a restart.
    Unexpected,
}

/// What comes next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Frame<'a> {
    /// To be decoded and played, but for the first `skip` samples: their time is over. `after` says why sound was missing
    /// before, if it was.
    Voice { payload_type: PayloadType, payload: &'a [u8], skip: usize, after: Gap },
    /// Noise of this description, until something else comes.
    Noise { payload: &'a [u8] },
    /// Up to so many samples are to be made up ([`JitterBuffer::advance`]), then pull again.
    Missing { samples: usize, gap: Gap },
    /// Nothing is there: make up as much as must be ([`JitterBuffer::advance`]), then pull again.
    Empty,
}

/// Why samples are missing before a packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Gap {
    /// Packets did not come, or not in time.
    Lost,
    /// The sender was silent.
    Silence,
}

/// How what was pulled last is to be played.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pace {
    /// As it is.
    Right,
    /// By up to so many samples longer.
    Longer(usize),
    /// By up to so many samples shorter.
    Shorter(usize),
}

/// Puts packets in order and in time. Bounded: 64 packets, 400 ms.
#[derive(Debug, Clone)]
pub struct JitterBuffer {
    sample_rate: u32,
    samples_per_ms: usize,
    slots: Slots,
    timeline: Timeline,
    spread: Spread,
    /// Times are counted in samples from here.
    start: Option<Instant>,
    now: i64,
    /// Samples that the speaker takes at a time.
    block: usize,
    ssrc: Option<Ssrc>,
    numbers: Option<SeqExtender>,
    /// The next number to play; none before the first was pulled.
    next: Option<u64>,
    /// Of the 64 numbers before `next`, lowest bit latest: whether it came.
    came: u64,
    /// The number after an unexpected one.
    restart: Option<SeqNo>,
    /// The transit of the last packet, and of one that was far off.
    transit: Option<i64>,
    far_transit: Option<i64>,
    /// Samples in a packet, as last seen.
    frame: usize,
    /// Where the next sample to be made belongs, and where the last packet ended.
    expected: i64,
    end: i64,
    /// The tolerance when sound began to be missing.
    short: Option<i64>,
    /// The tolerance of the last packet that was pulled, and how many before it did not come.
    tolerance: i64,
    lost: usize,
    /// Samples that were pulled and are not played yet, and how long after the fastest one could have been that packet is
    /// played.
    queued: usize,
    delay: i64,
    least: Least,
    /// By which part the sound should be longer.
    correction: f64,
    /// Samples of tolerance that the codec wants besides, to find the next packet's copy of a lost one.
    look_ahead: usize,
    /// Packets wait.
    waits: bool,
}

impl JitterBuffer {
    /// An empty buffer for sound of `sample_rate` Hz.
    pub fn new(sample_rate: u32) -> JitterBuffer {
        let samples_per_ms = (sample_rate as usize / 1000).max(1);
        JitterBuffer {
            sample_rate,
            samples_per_ms,
            slots: Slots::new(),
            timeline: Timeline::new(sample_rate),
            spread: Spread::new(samples_per_ms),
            start: None,
            now: 0,
            block: 0,
            ssrc: None,
            numbers: None,
            next: None,
            came: 0,
            restart: None,
            transit: None,
            far_transit: None,
            frame: sample_rate as usize / 50,
            expected: 0,
            end: 0,
            short: None,
            tolerance: 0,
            lost: 0,
            queued: 0,
            delay: 0,
            least: Least::default(),
            correction: 0.0,
            look_ahead: 0,
            waits: false,
        }
    }

    /// How many samples later than the fastest one could have been the packet that was pulled last is played: the delay that
    /// this buffer adds.
    pub fn delay(&self) -> i64 {
        self.delay
    }

    /// How many packets before the one that was pulled last did not come.
    pub fn lost(&self) -> usize {
        self.lost
    }

    /// Samples that wait.
    pub fn depth(&self) -> usize {
        self.slots.depth()
    }

    /// The delay that is wanted besides that of the fastest packets, in samples; none while packets need not wait.
    pub fn target(&self) -> usize {
        if self.waits() { self.wanted().max(0) as usize } else { 0 }
    }

    /// Asks for a packet's time of delay besides, or not any more: a codec that finds a copy of a lost packet in the next one
    /// wants that to be there.
    pub fn look_ahead(&mut self, wanted: bool) {
        // What has waited for that is squeezed before the next is played at once.
        self.waits |= self.look_ahead > 0 && !wanted;
        self.look_ahead = if wanted { self.frame } else { 0 };
    }

    /// Whether a packet's time of delay was asked for.
    pub fn is_looking_ahead(&self) -> bool {
        self.look_ahead > 0
    }

    /// Empties it. How far packets were apart is remembered: the network is the same.
    pub fn clear(&mut self) {
        self.slots.free_all();
        self.timeline.clear();
        self.spread.forget_base();
        self.numbers = None;
        self.next = None;
        self.came = 0;
        self.restart = None;
        self.transit = None;
        self.far_transit = None;
        self.short = None;
        self.delay = 0;
        self.least = Least::default();
        self.correction = 0.0;
    }

    fn waits(&self) -> bool {
        self.waits || self.look_ahead > 0
    }

    /// The tolerance that is wanted, in samples.
    fn wanted(&self) -> i64 {
        let covered = if self.waits { self.spread.covered_ms() as i64 } else { 0 };
        self.in_samples(covered + MARGIN_MS) + self.look_ahead as i64
    }

    /// By how much a packet that is needed now may be later than the fastest.
    fn tolerance_now(&self) -> i64 {
        self.spread.base().map_or(0, |base| self.now - self.expected - base)
    }

    fn in_samples(&self, milliseconds: i64) -> i64 {
        milliseconds * self.samples_per_ms as i64
    }

    fn max_depth(&self) -> usize {
        MAX_DEPTH_MS * self.samples_per_ms
    }
}
