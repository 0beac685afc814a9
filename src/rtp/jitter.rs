//! The buffer between network and speaker.
//!
//! A packet is played as soon as it is there. When one is late, what is played meanwhile is concealment, and from then on
//! everything is played later by as much: the delay becomes what the network needs, and no more. When packets have waited
//! longer than needed for a while, a frame is shed. Time is counted in samples played ([`JitterBuffer::advance`]), so the
//! clock is the speaker's.

use super::number::SeqExtender;
use super::reception::{MAX_DROPOUT, MAX_MISORDER};
use super::{PayloadType, SeqNo, Ssrc};

/// Packets that can wait.
const SLOTS: usize = 32;
/// Milliseconds of sound that may wait; older is dropped.
const MAX_DEPTH_MS: usize = 120;
/// Seconds without a late packet before a frame is shed; less when several frames are too many.
const SHED_AFTER_S: usize = 10;
/// Milliseconds within which a second packet that came too late makes the buffer deeper.
const TWICE_LATE_MS: usize = 10_000;

/// A packet for [`JitterBuffer::insert`].
#[derive(Debug, Clone, Copy)]
pub struct Arrival<'a> {
    /// Who sent it; another one starts afresh.
    pub ssrc: Ssrc,
    /// Its place.
    pub seq: SeqNo,
    /// What it holds.
    pub content: Content<'a>,
}

/// What a packet holds.
#[derive(Debug, Clone, Copy)]
pub enum Content<'a> {
    /// Encoded sound of so many samples.
    Voice { payload_type: PayloadType, payload: &'a [u8], samples: usize },
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
    /// Its number is far off; a second one in order is a restart.
    Unexpected,
}

/// What comes next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Frame<'a> {
    /// To be decoded and played.
    Voice { payload_type: PayloadType, payload: &'a [u8] },
    /// So many samples are to be concealed, then pull again. `lost`: packets never came, and the next one is there; else
    /// what comes next is to be played later.
    Missing { samples: usize, lost: bool },
    /// Nothing is there: conceal as long as must be, then pull again.
    Empty,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Held {
    Nothing,
    Voice,
    Other,
}

#[derive(Debug, Clone)]
struct Slot {
    held: Held,
    seq: u64,
    payload_type: PayloadType,
    payload: Vec<u8>,
    samples: usize,
    /// The clock when it came.
    arrived: u64,
}

const FREE: Slot =
    Slot { held: Held::Nothing, seq: 0, payload_type: PayloadType(0), payload: Vec::new(), samples: 0, arrived: 0 };

/// Puts packets in order and in time. Bounded: 32 packets, 120 ms (or two packets, if these are longer).
#[derive(Debug, Clone)]
pub struct JitterBuffer {
    samples_per_ms: usize,
    slots: Vec<Slot>,
    ssrc: Option<Ssrc>,
    numbers: Option<SeqExtender>,
    /// The next to play; none before the first was pulled.
    next: Option<u64>,
    /// Of the 64 numbers before `next`, lowest bit latest: whether it came.
    came: u64,
    /// The number after an unexpected one.
    restart: Option<SeqNo>,
    /// Samples in a packet, as last seen.
    frame: usize,
    /// Samples that wait.
    depth: usize,
    /// Samples played so far.
    clock: u64,
    /// Whether the last pull found nothing.
    starving: bool,
    /// Samples concealed since then.
    debt: usize,
    /// Samples to conceal before the next packet, to play later from then on.
    hold: usize,
    last_late: Option<u64>,
    window_start: u64,
    /// The shortest time that a packet waited since then.
    shortest_wait: u64,
}

impl JitterBuffer {
    /// An empty buffer for sound of `sample_rate` Hz.
    pub fn new(sample_rate: u32) -> JitterBuffer {
        JitterBuffer {
            samples_per_ms: (sample_rate as usize / 1000).max(1),
            slots: vec![FREE; SLOTS],
            ssrc: None,
            numbers: None,
            next: None,
            came: 0,
            restart: None,
            frame: sample_rate as usize / 50,
            depth: 0,
            clock: 0,
            starving: false,
            debt: 0,
            hold: 0,
            last_late: None,
            window_start: 0,
            shortest_wait: u64::MAX,
        }
    }

    /// Takes a packet.
    pub fn insert(&mut self, arrival: &Arrival<'_>) -> Inserted {
        if self.ssrc.replace(arrival.ssrc).is_some_and(|before| before != arrival.ssrc) {
            self.clear();
        }
        let Some(seq) = self.place(arrival.seq) else { return Inserted::Unexpected };
        if let Some(next) = self.next.filter(|&next| seq < next) {
            return self.came_late(next - seq);
        }
        if self.numbers.is_some_and(|numbers| seq + SLOTS as u64 <= numbers.highest()) {
            return Inserted::Late;
        }
        let slot = &mut self.slots[seq as usize % SLOTS];
        if slot.held != Held::Nothing {
            return if slot.seq == seq { Inserted::Duplicate } else { Inserted::Late };
        }
        slot.seq = seq;
        slot.arrived = self.clock;
        match arrival.content {
            Content::Voice { payload_type, payload, samples } if samples > 0 => {
                slot.held = Held::Voice;
                slot.payload_type = payload_type;
                slot.payload.clear();
                slot.payload.extend_from_slice(payload);
                slot.samples = samples;
                self.frame = samples;
                self.depth += samples;
                self.limit();
            }
            Content::Voice { .. } | Content::Other => slot.held = Held::Other,
        }
        Inserted::Waiting
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
            self.free_all();
            self.next = self.next.map(|_| extended);
            self.came = 0;
        } else if self.next.is_none() {
            self.free_before(oldest);
        }
        Some(extended)
    }

    fn came_late(&mut self, behind: u64) -> Inserted {
        if behind > 64 || self.came >> (behind - 1) & 1 == 1 {
            return if behind > 64 { Inserted::Late } else { Inserted::Duplicate };
        }
        self.came |= 1 << (behind - 1);
        self.restart_window();
        let twice = self.samples_per_ms * TWICE_LATE_MS;
        if self.last_late.replace(self.clock).is_some_and(|last| self.clock - last < twice as u64) {
            self.last_late = None;
            if self.depth + self.hold + self.frame <= self.max_depth() {
                self.hold += self.frame;
            }
        }
        Inserted::Late
    }

    /// What is to be played now.
    pub fn pull(&mut self) -> Frame<'_> {
        self.starving = false;
        if self.hold > 0 {
            return Frame::Missing { samples: std::mem::take(&mut self.hold), lost: false };
        }
        let Some((voice, missing)) = self.next_voice() else {
            self.starving = true;
            return Frame::Empty;
        };
        let gap = missing * self.frame;
        self.skip_to(voice);
        if gap > self.debt {
            let samples = gap - std::mem::take(&mut self.debt);
            return Frame::Missing { samples, lost: true };
        }
        if std::mem::take(&mut self.debt) > gap {
            self.restart_window();
        }
        self.take(voice)
    }

    /// The next packet with sound that waits, and its length in samples.
    pub fn peek(&self) -> Option<(PayloadType, &[u8], usize)> {
        let (next, newest) = (self.next?, self.numbers.as_ref()?.highest());
        let (seq, _) = self.first_voice(next, newest)?;
        let slot = self.slots.get(seq as usize % SLOTS)?;
        Some((slot.payload_type, &slot.payload, slot.samples))
    }

    /// The first packet with sound that waits, and how many before it never came.
    fn next_voice(&mut self) -> Option<(u64, usize)> {
        if self.depth == 0 {
            return None;
        }
        let newest = self.numbers.as_ref()?.highest();
        let Some(next) = self.next else {
            // The first one: what waited before the speaker ran is old.
            let first = (0..SLOTS as u64).map_while(|back| newest.checked_sub(back));
            let first = first.into_iter().find(|&seq| self.held(seq) == Held::Voice)?;
            self.free_before(first);
            self.next = Some(first);
            return Some((first, 0));
        };
        self.first_voice(next, newest)
    }

    fn first_voice(&self, next: u64, newest: u64) -> Option<(u64, usize)> {
        let mut missing = 0;
        for seq in next..=newest {
            match self.held(seq) {
                Held::Voice => return Some((seq, missing)),
                Held::Other => {}
                Held::Nothing => missing += 1,
            }
        }
        None
    }

    fn take(&mut self, seq: u64) -> Frame<'_> {
        let slot = &mut self.slots[seq as usize % SLOTS];
        slot.held = Held::Nothing;
        self.depth -= slot.samples;
        self.shortest_wait = self.shortest_wait.min(self.clock - slot.arrived);
        self.next = Some(seq + 1);
        self.came = self.came << 1 | 1;
        Frame::Voice { payload_type: slot.payload_type, payload: &slot.payload }
    }

    /// Tells that so many samples were played, concealed ones included.
    pub fn advance(&mut self, samples: usize) {
        self.clock += samples as u64;
        if self.starving && self.next.is_some() {
            self.debt = self.debt.saturating_add(samples);
        }
    }

    /// Samples that [`JitterBuffer::pull`] would give now, one frame after the other, before it gives anything but sound.
    pub fn ready(&self) -> usize {
        if self.hold > 0 || self.depth == 0 {
            return 0;
        }
        let Some(newest) = self.numbers.as_ref().map(SeqExtender::highest) else { return 0 };
        let Some(next) = self.next else { return self.frame.min(self.depth) };
        let Some((first, missing)) = self.first_voice(next, newest) else { return 0 };
        if missing * self.frame > self.debt {
            return 0;
        }
        let mut samples = 0;
        for seq in first..=newest {
            match self.held(seq) {
                Held::Voice => samples += self.slots[seq as usize % SLOTS].samples,
                Held::Other => {}
                Held::Nothing => break,
            }
        }
        samples
    }

    /// Samples that wait.
    pub fn depth(&self) -> usize {
        self.depth
    }

    /// True when a frame that waits is one too many: pull two and play them as one. Asking resets it.
    pub fn take_surplus(&mut self) -> bool {
        let spare = usize::try_from(self.shortest_wait).unwrap_or(0);
        let window = (self.clock - self.window_start) as usize;
        if spare < self.frame + self.frame / 4 || self.depth < 2 * self.frame {
            if window >= SHED_AFTER_S * 1000 * self.samples_per_ms {
                self.restart_window();
            }
            return false;
        }
        if window < SHED_AFTER_S * 1000 * self.samples_per_ms / (spare / self.frame).max(1) {
            return false;
        }
        self.restart_window();
        true
    }

    /// Empties it.
    pub fn clear(&mut self) {
        self.free_all();
        self.numbers = None;
        self.next = None;
        self.came = 0;
        self.restart = None;
        self.starving = false;
        self.debt = 0;
        self.hold = 0;
        self.last_late = None;
        self.restart_window();
    }

    fn held(&self, seq: u64) -> Held {
        let slot = &self.slots[seq as usize % SLOTS];
        if slot.seq == seq { slot.held } else { Held::Nothing }
    }

    fn max_depth(&self) -> usize {
        (MAX_DEPTH_MS * self.samples_per_ms).max(2 * self.frame)
    }

    /// Drops the oldest until the depth is allowed.
    fn limit(&mut self) {
        while self.depth > self.max_depth() {
            let Some(oldest) = self.slots.iter().filter(|slot| slot.held == Held::Voice).map(|slot| slot.seq).min()
            else {
                return;
            };
            match self.next {
                Some(_) => self.skip_to(oldest + 1),
                None => self.free_before(oldest + 1),
            }
            self.debt = 0;
        }
    }

    /// Gives up everything before a number.
    fn skip_to(&mut self, seq: u64) {
        let Some(next) = self.next else { return };
        for skipped in next..seq {
            let came = self.held(skipped) != Held::Nothing;
            self.free(skipped);
            self.came = self.came << 1 | u64::from(came);
        }
        self.next = Some(next.max(seq));
    }

    fn free_before(&mut self, seq: u64) {
        for index in 0..self.slots.len() {
            if self.slots[index].seq < seq {
                self.free(self.slots[index].seq);
            }
        }
    }

    fn free_all(&mut self) {
        self.free_before(u64::MAX);
    }

    fn free(&mut self, seq: u64) {
        let slot = &mut self.slots[seq as usize % SLOTS];
        if slot.seq == seq {
            if slot.held == Held::Voice {
                self.depth -= slot.samples;
            }
            slot.held = Held::Nothing;
        }
    }

    fn restart_window(&mut self) {
        self.window_start = self.clock;
        self.shortest_wait = u64::MAX;
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const FRAME: usize = 160;

    struct Bench {
        buffer: JitterBuffer,
    }

    impl Bench {
        fn new() -> Bench {
            Bench { buffer: JitterBuffer::new(8000) }
        }

        fn insert_from(&mut self, ssrc: u32, seq: u16) -> Inserted {
            let payload = [seq as u8; FRAME];
            let payload_type = PayloadType(0);
            let content = Content::Voice { payload_type, payload: &payload, samples: FRAME };
            self.buffer.insert(&Arrival { ssrc: Ssrc(ssrc), seq: SeqNo(seq), content })
        }

        fn insert(&mut self, seq: u16) -> Inserted {
            self.insert_from(1, seq)
        }

        fn insert_other(&mut self, seq: u16) {
            self.buffer.insert(&Arrival { ssrc: Ssrc(1), seq: SeqNo(seq), content: Content::Other });
        }

        /// Pulls, and plays all of it; of nothing, `starve` samples.
        fn play(&mut self, starve: usize) -> Option<u8> {
            let (samples, heard) = match self.buffer.pull() {
                Frame::Voice { payload, .. } => (payload.len(), Some(payload[0])),
                Frame::Missing { samples, .. } => (samples, None),
                Frame::Empty => (starve, None),
            };
            self.buffer.advance(samples);
            heard
        }
    }

    #[test]
    fn a_clean_stream_is_played_at_once() {
        let mut bench = Bench::new();
        assert_eq!(bench.play(80), None);
        for seq in 65_530..66_100u32 {
            assert_eq!(bench.insert(seq as u16), Inserted::Waiting);
            assert_eq!(bench.buffer.ready(), FRAME);
            assert_eq!(bench.play(0), Some(seq as u8));
            assert_eq!(bench.buffer.depth(), 0);
        }
    }

    #[test]
    fn a_lost_packet_is_concealed_and_adds_no_delay() {
        let mut bench = Bench::new();
        bench.insert(1);
        assert_eq!(bench.play(0), Some(1));
        assert_eq!(bench.play(FRAME), None);
        bench.insert(3);
        assert_eq!(bench.buffer.ready(), FRAME);
        assert_eq!(bench.play(0), Some(3));
    }

    #[test]
    fn a_lost_packet_among_waiting_ones_is_missing_for_its_time() {
        let mut bench = Bench::new();
        bench.insert(1);
        assert_eq!(bench.play(0), Some(1));
        bench.insert(3);
        bench.insert(5);
        assert_eq!(bench.buffer.ready(), 0);
        assert_eq!(bench.buffer.pull(), Frame::Missing { samples: FRAME, lost: true });
        bench.buffer.advance(FRAME);
        assert_eq!(bench.play(0), Some(3));
        assert_eq!(bench.buffer.pull(), Frame::Missing { samples: FRAME, lost: true });
        assert_eq!(bench.insert(4), Inserted::Late);
        assert_eq!(bench.play(0), Some(5));
    }

    #[test]
    fn a_late_packet_is_played_and_the_delay_grows_by_its_lateness() {
        let mut bench = Bench::new();
        bench.insert(1);
        bench.play(0);
        assert_eq!(bench.play(40), None);
        bench.insert(2);
        assert_eq!(bench.buffer.ready(), FRAME);
        assert!(matches!(bench.buffer.pull(), Frame::Voice { payload: [2, ..], .. }));
        // The next one comes in time, and waits for as long.
        bench.buffer.advance(FRAME - 40);
        bench.insert(3);
        bench.buffer.advance(40);
        assert_eq!(bench.play(0), Some(3));
        assert_eq!(bench.buffer.debt, 0);
    }

    #[test]
    fn packets_that_come_too_late_twice_add_a_frame() {
        let mut bench = Bench::new();
        bench.insert(0);
        bench.play(0);
        let mut seq = 1;
        let mut concealed = 0;
        for _ in 0..40 {
            concealed += usize::from(bench.play(FRAME).is_none());
            bench.insert(seq + 1);
            while bench.play(FRAME).is_none() {
                concealed += 1;
            }
            assert_eq!(bench.insert(seq), Inserted::Late);
            assert_eq!(bench.insert(seq), Inserted::Duplicate);
            seq += 2;
        }
        // One for each that was late, one more after each second.
        assert!((58..=60).contains(&concealed), "{concealed}");
    }

    #[test]
    fn what_waits_longer_than_needed_is_shed_slowly() {
        let mut bench = Bench::new();
        bench.insert(0);
        bench.play(0);
        // 60 ms late, then steady: 60 ms always wait.
        bench.play(3 * FRAME);
        for seq in 1..4 {
            bench.insert(seq);
        }
        let mut shed = Vec::new();
        for seq in 4..3000u16 {
            bench.insert(seq);
            bench.play(0).unwrap();
            if bench.buffer.take_surplus() {
                bench.buffer.pull();
                shed.push(seq / 50);
            }
        }
        assert_eq!(shed.len(), 2, "at {shed:?} s");
        assert_eq!(bench.buffer.depth(), FRAME);
    }

    #[test]
    fn duplicates_and_reordering_within_the_buffer_are_put_right() {
        let mut bench = Bench::new();
        bench.insert(10);
        bench.play(0);
        for seq in [13, 12, 11, 12] {
            bench.insert(seq);
        }
        assert_eq!(bench.insert(13), Inserted::Duplicate);
        assert_eq!(bench.insert(10), Inserted::Duplicate);
        assert_eq!(bench.buffer.ready(), 3 * FRAME);
        assert_eq!([bench.play(0), bench.play(0), bench.play(0)], [Some(11), Some(12), Some(13)]);
    }

    #[test]
    fn numbers_of_events_take_no_time() {
        let mut bench = Bench::new();
        bench.insert(1);
        bench.play(0);
        for seq in 2..13 {
            bench.play(FRAME);
            bench.insert_other(seq);
        }
        bench.insert(13);
        assert_eq!(bench.play(0), Some(13));
        for seq in 14..16 {
            bench.insert_other(seq);
        }
        bench.insert(16);
        assert_eq!(bench.play(0), Some(16));
    }

    #[test]
    fn another_source_and_a_restart_start_afresh() {
        let mut bench = Bench::new();
        bench.insert(1);
        bench.insert(2);
        bench.play(0);
        bench.insert_from(2, 40_000);
        assert_eq!(bench.play(0), Some(40_000u16 as u8));
        assert_eq!(bench.insert_from(2, 7), Inserted::Unexpected);
        assert_eq!(bench.insert_from(2, 8), Inserted::Waiting);
        assert_eq!(bench.play(0), Some(8));
    }

    #[test]
    fn after_an_outage_it_goes_on_with_what_comes() {
        let mut bench = Bench::new();
        bench.insert(1);
        bench.play(0);
        bench.play(8000 * 10);
        bench.insert(501);
        assert_eq!(bench.play(0), Some(501u16 as u8));
    }

    #[test]
    fn what_came_before_the_speaker_ran_is_old() {
        let mut bench = Bench::new();
        for seq in 0..100 {
            bench.insert(seq);
        }
        assert!(bench.buffer.depth() <= 960);
        assert_eq!(bench.play(0), Some(99));
        assert_eq!(bench.play(FRAME), None);
        bench.insert(100);
        assert_eq!(bench.play(0), Some(100));
    }

    #[test]
    fn a_burst_after_a_stall_is_bounded() {
        let mut bench = Bench::new();
        bench.insert(0);
        bench.play(0);
        bench.play(8000);
        for seq in 1..=50 {
            bench.insert(seq);
        }
        assert_eq!(bench.buffer.depth(), 960);
        assert_eq!(bench.play(0), Some(45));
    }

    proptest! {
        #[test]
        fn nothing_makes_it_panic_or_grow(
            steps in prop::collection::vec((0u8..8, any::<u16>(), 0usize..2000), 0..400),
        ) {
            let mut buffer = JitterBuffer::new(8000);
            let mut seq = 65_500u16;
            for (kind, number, samples) in steps {
                let (at, content) = match kind {
                    0 => (number, Content::Other),
                    1..=4 => {
                        seq = seq.wrapping_add(number % 4);
                        let payload = &[0u8; 2000][..samples];
                        let at = seq.wrapping_sub(number >> 8 & 7);
                        (at, Content::Voice { payload_type: PayloadType(0), payload, samples })
                    }
                    5 => {
                        buffer.pull();
                        buffer.advance(samples);
                        continue;
                    }
                    6 => {
                        let ready = buffer.ready();
                        prop_assert!(ready <= buffer.depth());
                        prop_assert_eq!(ready > 0, matches!(buffer.pull(), Frame::Voice { .. }));
                        continue;
                    }
                    _ => {
                        buffer.take_surplus();
                        continue;
                    }
                };
                let ssrc = Ssrc(u32::from(number == 7));
                buffer.insert(&Arrival { ssrc, seq: SeqNo(at), content });
                let waiting: usize =
                    buffer.slots.iter().filter(|slot| slot.held == Held::Voice).map(|slot| slot.samples).sum();
                prop_assert_eq!(waiting, buffer.depth());
                prop_assert!(waiting <= buffer.max_depth());
            }
        }
    }
}
