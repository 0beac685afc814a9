//! The buffer between network and speaker.
//!
//! Every packet belongs somewhere on the sender's clock, by its timestamp, and came at some time on ours; the fastest
//! packets of late say how the two clocks go together. *Tolerance* is by how much a packet may come later than those and still
//! be in time. The buffer measures how far packets are apart (`spread`) and wants as much tolerance as all but a few of them
//! need. What is played tells how much there is: too little, and sound is stretched; too much, and it is squeezed
//! ([`JitterBuffer::pace`]). What comes late is played as far as its time is not over, so that a single late packet costs the
//! part that was missed and no delay.
//!
//! While packets come so evenly that the speaker's own slack covers it, nothing waits: [`JitterBuffer::ready`].
//!
//! | file | what |
//! |---|---|
//! | `slots` | the packets that wait |
//! | `timeline` | where a packet belongs |
//! | `spread` | how far packets are apart |
//! | `least` | how long they all wait at least |

mod least;
mod slots;
mod spread;
#[cfg(test)]
mod tests;
mod timeline;

use std::time::Instant;

use super::number::SeqExtender;
use super::reception::{MAX_DROPOUT, MAX_MISORDER};
use super::{PayloadType, RtpTimestamp, SeqNo, Ssrc};
use least::Least;
use slots::{Held, SLOTS, Slots};
use spread::Spread;
use timeline::{Stamp, Timeline};

/// Milliseconds of sound that may wait; older is dropped.
const MAX_DEPTH_MS: usize = 400;
/// Tolerance beyond the wanted, in milliseconds, from which sound is dropped: squeezing it away would take seconds.
const FAR_TOO_MUCH_MS: i64 = 150;
/// From a spread of so many milliseconds on packets wait, and below this they do not.
const WAIT_FROM_MS: usize = 5;
const WAIT_UNTIL_MS: usize = 3;
/// Tolerance that is wanted besides the spread, in milliseconds: our own thread is late at times.
const MARGIN_MS: i64 = 1;
/// Tolerance that is not worth a squeeze, in milliseconds.
const ENOUGH_MS: i64 = 5;
/// A transit that changes by more milliseconds from one packet to the next is another timeline.
const MAX_JUMP_MS: i64 = 1000;
/// In which time a small error of the delay is played away, in seconds, and the part of the rate that this may take.
const PLAYED_AWAY_S: f64 = 4.0;
const MAX_CORRECTION: f64 = 0.001;

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

    /// Takes a packet.
    pub fn insert(&mut self, arrival: &Arrival<'_>) -> Inserted {
        self.set_time(arrival.now);
        if self.ssrc.replace(arrival.ssrc).is_some_and(|before| before != arrival.ssrc) {
            self.clear();
        }
        let Some(seq) = self.place(arrival.seq) else { return Inserted::Unexpected };
        if self.slots.held(seq) != Held::Nothing {
            return Inserted::Duplicate;
        }
        let (held, samples, clock_rate, payload_type, payload) = match arrival.content {
            Content::Voice { payload_type, payload, samples, clock_rate } if samples > 0 => {
                (Held::Voice, samples.min(self.max_depth()), clock_rate, payload_type, payload)
            }
            Content::Noise { payload, clock_rate } => (Held::Noise, 0, clock_rate, PayloadType::COMFORT_NOISE, payload),
            Content::Voice { .. } | Content::Other => (Held::Other, 0, 0, PayloadType(0), &[][..]),
        };
        let behind = self.next.and_then(|next| next.checked_sub(seq)).filter(|behind| *behind > 0);
        if behind.is_some_and(|behind| self.has_come(behind)) {
            return Inserted::Duplicate;
        }
        let mut position = 0;
        if clock_rate > 0 {
            let stamp = Stamp { seq: arrival.seq, timestamp: arrival.timestamp, samples, clock_rate, now: self.now };
            position = self.timeline.place(stamp);
            if !self.learn(position) {
                return Inserted::Unexpected;
            }
        }
        if let Some(behind) = behind {
            return self.came_late(behind);
        }
        if self.slots.is_taken(seq) || self.numbers.is_some_and(|numbers| seq + SLOTS as u64 <= numbers.highest()) {
            return Inserted::Late;
        }
        let mut packet = Slots::blank(seq);
        packet.held = held;
        packet.payload_type = payload_type;
        packet.samples = samples;
        packet.position = position;
        packet.marker = arrival.marker;
        self.slots.put(&packet, payload);
        if samples > 0 {
            self.frame = samples;
            self.limit();
        }
        Inserted::Waiting
    }

    fn set_time(&mut self, now: Instant) {
        let start = *self.start.get_or_insert(now);
        let nanos = now.saturating_duration_since(start).as_nanos();
        let samples = (nanos * u128::from(self.sample_rate) / 1_000_000_000) as i64;
        self.now = self.now.max(samples);
    }

    /// The extended number of a packet; makes room for it. `None` if it is far off.
    fn place(&mut self, seq: SeqNo) -> Option<u64> {
        let Some(numbers) = &mut self.numbers else {
            let numbers = self.numbers.insert(SeqExtender::new(seq));
            return Some(numbers.highest());
        };
        let ahead = i32::from(seq.distance_from(SeqNo(numbers.highest() as u16)));
        if !(-MAX_MISORDER..=MAX_DROPOUT).contains(&ahead) {
            if self.restart != Some(seq) {
                self.restart = Some(seq.next());
                return None;
            }
            self.clear();
            let numbers = self.numbers.insert(SeqExtender::new(seq));
            return Some(numbers.highest());
        }
        self.restart = None;
        let extended = numbers.extend(seq);
        let oldest = self.next.unwrap_or(numbers.highest().saturating_sub(SLOTS as u64 - 1));
        if extended >= oldest + SLOTS as u64 {
            // So many are lost that nothing before can be of use.
            self.slots.free_all();
            self.next = self.next.map(|_| extended);
            self.came = 0;
        } else if self.next.is_none() {
            self.slots.free_before(oldest);
        }
        Some(extended)
    }

    /// Learns from when a packet came. False: it is far off.
    fn learn(&mut self, position: i64) -> bool {
        let transit = self.now - position;
        let far = self.in_samples(MAX_JUMP_MS);
        if self.transit.is_some_and(|last| (transit - last).abs() > far) {
            let confirmed = self.far_transit.is_some_and(|last| (transit - last).abs() <= far);
            self.far_transit = Some(transit);
            if !confirmed {
                return false;
            }
            // Another timeline: what waits belongs to the one before.
            self.slots.free_all();
            self.spread.forget_base();
            self.expected = position;
            self.short = None;
        }
        self.far_transit = None;
        self.transit = Some(transit);
        self.spread.add(self.now, transit);
        let covered = self.spread.covered_ms();
        self.waits = covered >= if self.waits { WAIT_UNTIL_MS } else { WAIT_FROM_MS };
        true
    }

    fn has_come(&self, behind: u64) -> bool {
        behind <= 64 && self.came >> (behind - 1) & 1 == 1
    }

    fn came_late(&mut self, behind: u64) -> Inserted {
        if behind <= 64 {
            self.came |= 1 << (behind - 1);
        }
        Inserted::Late
    }

    /// Tells when the speaker takes sound, and how much at a time; call it before [`JitterBuffer::pull`].
    pub fn begin(&mut self, now: Instant, block: usize) {
        self.set_time(now);
        self.block = block;
        self.catch_up();
    }

    /// Tells how many samples will be played before those that are pulled next.
    pub fn set_queued(&mut self, samples: usize) {
        self.queued = samples;
    }

    /// What is to be played now.
    pub fn pull(&mut self) -> Frame<'_> {
        while let Some((seq, lost)) = self.first() {
            let Some(slot) = self.slots.get(seq) else { break };
            let (position, samples, held) = (slot.position, slot.samples, slot.held);
            let silent = slot.marker || lost == 0 && position > self.end + self.frame as i64 / 2;
            let gap_is = if silent { Gap::Silence } else { Gap::Lost };
            if self.next.is_none() {
                // What waited before the speaker ran is old.
                self.slots.free_before(seq);
                self.next = Some(seq);
                self.expected = position;
            }
            let gap = self.fit(position - self.expected, gap_is);
            if gap > 0 {
                return Frame::Missing { samples: gap as usize, gap: gap_is };
            }
            self.skip_to(seq);
            if held == Held::Noise {
                return self.take_noise(seq);
            }
            let skip = self.time_that_is_over(position);
            if skip < samples {
                self.lost = lost;
                return self.take_voice(seq, skip, gap_is);
            }
            self.skip_to(seq + 1);
        }
        Frame::Empty
    }

    /// The first packet to be played, and how many before it did not come.
    fn first(&self) -> Option<(u64, usize)> {
        let newest = self.numbers.as_ref()?.highest();
        let Some(next) = self.next else {
            let numbers = (0..SLOTS as u64).map_while(|back| newest.checked_sub(back));
            return numbers.into_iter().find(|&seq| self.slots.held(seq) == Held::Voice).map(|seq| (seq, 0));
        };
        let mut lost = 0;
        for seq in next..=newest {
            match self.slots.held(seq) {
                Held::Voice | Held::Noise => return Some((seq, lost)),
                Held::Other => {}
                Held::Nothing => lost += 1,
            }
        }
        None
    }

    /// Makes a gap longer or shorter for the sake of the delay, if there is one.
    fn fit(&mut self, gap: i64, gap_is: Gap) -> i64 {
        if gap <= 0 {
            return gap;
        }
        let surplus = self.tolerance_now() - self.wanted();
        let spare = self.block as i64 + self.in_samples(if gap_is == Gap::Silence { 1 } else { ENOUGH_MS });
        let by = if surplus > spare {
            surplus.min(gap)
        } else if gap_is == Gap::Silence && self.waits() {
            surplus.min(0)
        } else {
            0
        };
        self.expected += by;
        gap - by
    }

    /// Samples of a packet that belongs to `position` whose time is over. Some of them are played all the same, later,
    /// where packets need more time than this one had.
    fn time_that_is_over(&mut self, position: i64) -> usize {
        let over = (self.expected - position).max(0);
        let had = self.short.unwrap_or_else(|| self.tolerance_now());
        let later = (self.wanted() - had).clamp(0, over);
        self.expected -= later;
        self.short = self.short.map(|short| short + later);
        (over - later) as usize
    }

    fn take_voice(&mut self, seq: u64, skip: usize, after: Gap) -> Frame<'_> {
        self.tolerance = self.tolerance_now();
        self.delay = self.tolerance + self.queued as i64;
        self.least.push(self.delay);
        self.correct();
        self.short = None;
        self.next = Some(seq + 1);
        self.came = self.came << 1 | 1;
        match self.slots.release(seq) {
            Some(slot) => {
                self.end = slot.position + slot.samples as i64;
                self.expected = self.end;
                Frame::Voice { payload_type: slot.payload_type, payload: &slot.payload, skip, after }
            }
            None => Frame::Empty,
        }
    }

    fn take_noise(&mut self, seq: u64) -> Frame<'_> {
        self.next = Some(seq + 1);
        self.came = self.came << 1 | 1;
        self.slots.release(seq).map_or(Frame::Empty, |slot| Frame::Noise { payload: &slot.payload })
    }

    /// Leaps over sound when the delay has become absurd, after a standstill of the speaker say.
    fn catch_up(&mut self) {
        let surplus = self.tolerance_now() - self.wanted();
        if self.next.is_some() && surplus - self.block as i64 > self.in_samples(FAR_TOO_MUCH_MS) && self.depth() > 0 {
            self.expected += surplus;
            self.short = None;
        }
    }

    /// Tells that so many samples were made up in place of those that [`JitterBuffer::pull`] did not give.
    pub fn advance(&mut self, samples: usize) {
        if self.next.is_none() {
            return;
        }
        if self.short.is_none() {
            self.short = Some(self.tolerance_now());
        }
        self.expected = self.expected.saturating_add(samples as i64);
    }

    /// The next packet with sound that waits, and its length in samples.
    pub fn peek(&self) -> Option<(PayloadType, &[u8], usize)> {
        let (seq, _) = self.first()?;
        let slot = self.slots.get(seq).filter(|slot| slot.held == Held::Voice)?;
        Some((slot.payload_type, &slot.payload, slot.samples))
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

    /// Whether the next packet with sound waits, and follows the last one without a gap.
    pub fn goes_on(&self) -> bool {
        let first = self.first().filter(|(_, lost)| *lost == 0).and_then(|(seq, _)| self.slots.get(seq));
        first.is_some_and(|slot| slot.held == Held::Voice && slot.position == self.expected)
    }

    /// How the sound that [`JitterBuffer::pull`] gave last is to be played, that the delay may become what is wanted.
    pub fn pace(&self) -> Pace {
        let wanted = self.wanted();
        // A part of a block may wait to be played before it: that takes from the tolerance, not from the delay.
        let (least, most) = (self.delay - wanted, self.tolerance - wanted);
        // The next packet's copy comes exactly then, or too late.
        let allowed = if self.look_ahead > 0 { 0 } else { self.in_samples(MARGIN_MS) };
        if self.waits() && least < -allowed {
            Pace::Longer(-least as usize)
        } else if most > self.block as i64 + self.in_samples(ENOUGH_MS) {
            Pace::Shorter(most as usize)
        } else {
            // Where the speaker's blocks and the packets stay in step, all of them wait for what is left of a block.
            let surplus = self.least.get().filter(|_| self.waits()).map_or(0, |least| least - wanted);
            if surplus > self.in_samples(2 * ENOUGH_MS) { Pace::Shorter(surplus as usize) } else { Pace::Right }
        }
    }

    /// Tells that the sound was made longer or shorter.
    pub fn scaled(&mut self) {
        self.least = Least::default();
    }

    /// By which part the sound should be longer, to be played away slowly: what is left by [`JitterBuffer::pace`], and the
    /// drift of the clocks. `None` while packets do not wait: then the speaker's slack says it.
    pub fn correction(&self) -> Option<f64> {
        (self.waits() && self.next.is_some()).then_some(self.correction)
    }

    fn correct(&mut self) {
        let Some(least) = self.least.get() else { return };
        // In the middle of what needs neither a stretch nor a squeeze.
        let error = least - self.wanted() - self.in_samples(ENOUGH_MS - MARGIN_MS);
        let seconds = error as f64 / f64::from(self.sample_rate.max(1));
        self.correction = (-seconds / PLAYED_AWAY_S).clamp(-MAX_CORRECTION, MAX_CORRECTION);
    }

    /// Samples that are to be played at once, the moment they came, because packets need not wait. None where they do: the
    /// speaker takes what it needs when it needs it.
    pub fn ready(&self) -> usize {
        let Some(newest) = self.numbers.as_ref().map(SeqExtender::highest).filter(|_| !self.waits()) else { return 0 };
        let Some((first, _)) = self.first() else { return 0 };
        let Some(slot) = self.slots.get(first).filter(|slot| slot.held == Held::Voice) else { return 0 };
        if self.next.is_none() {
            return slot.samples;
        }
        let over = self.expected - slot.position;
        if over < 0 {
            return 0;
        }
        let had = self.short.unwrap_or_else(|| self.tolerance_now());
        let begin = self.expected - (self.wanted() - had).clamp(0, over);
        let mut end = begin;
        for seq in first..=newest {
            match self.slots.get(seq) {
                Some(slot) if slot.held == Held::Voice && slot.position <= end => {
                    end = end.max(slot.position + slot.samples as i64);
                }
                Some(slot) if slot.held == Held::Other => {}
                Some(_) | None => break,
            }
        }
        (end - begin) as usize
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

    /// Drops the oldest until the depth is allowed.
    fn limit(&mut self) {
        while self.depth() > self.max_depth() {
            let Some(oldest) = self.slots.oldest_voice() else { return };
            let end = self.slots.get(oldest).map_or(i64::MIN, |slot| slot.position + slot.samples as i64);
            match self.next {
                Some(_) => {
                    self.skip_to(oldest + 1);
                    self.expected = self.expected.max(end);
                }
                None => self.slots.free_before(oldest + 1),
            }
        }
    }

    /// Gives up everything before a number.
    fn skip_to(&mut self, seq: u64) {
        let Some(next) = self.next.filter(|next| *next < seq) else { return };
        for skipped in next..seq {
            let came = self.slots.held(skipped) != Held::Nothing;
            self.came = self.came << 1 | u64::from(came);
        }
        self.slots.free_before(seq);
        self.next = Some(seq);
    }
}
