//! A packet comes: where it belongs, what it tells about the network, whether it is of use.

use std::time::Instant;

use super::slots::{Held, SLOTS, Slots};
use super::timeline::Stamp;
use super::{Arrival, Content, Inserted, JitterBuffer};
use crate::rtp::number::SeqExtender;
use crate::rtp::reception::{MAX_DROPOUT, MAX_MISORDER};
use crate::rtp::{PayloadType, SeqNo};

/// From a spread of so many milliseconds on packets wait; below this they do not, once what has waited is squeezed.
const WAIT_FROM_MS: usize = 5;
const WAIT_UNTIL_MS: usize = 3;
/// So much is played away by the speaker.
const LITTLE_MS: i64 = 8;
/// A transit that changes by more milliseconds from one packet to the next is another timeline.
const MAX_JUMP_MS: i64 = 1000;

impl JitterBuffer {
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

    pub(super) fn set_time(&mut self, now: Instant) {
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
        // What has waited is squeezed first: given to the speaker at once, it would have to be cut there. What is not worth a
        // squeeze the speaker plays away; and what is left of a block waits in any case, where its blocks and the packets stay in
        // step.
        let spare = self.least.get().unwrap_or(self.delay) - self.wanted();
        let unavoidable = self.in_samples(LITTLE_MS).max(self.block as i64);
        self.waits = covered >= WAIT_FROM_MS || self.waits && (covered >= WAIT_UNTIL_MS || spare > unavoidable);
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
}
