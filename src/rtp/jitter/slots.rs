//! The packets that wait, by number. Payloads are kept in buffers that are used again, so that a call in progress allocates
//! nothing.

use crate::rtp::PayloadType;

/// Packets that can wait.
pub(super) const SLOTS: usize = 64;
/// What a payload's buffer holds at first, in bytes.
const PAYLOAD: usize = 256;

/// What a slot holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Held {
    Nothing,
    Voice,
    /// Comfort noise.
    Noise,
    /// A number that is not played.
    Other,
}

/// A packet that waits.
#[derive(Debug, Clone)]
pub(super) struct Slot {
    pub(super) held: Held,
    pub(super) seq: u64,
    pub(super) payload_type: PayloadType,
    pub(super) payload: Vec<u8>,
    /// Samples that it holds; none of noise.
    pub(super) samples: usize,
    /// Where its first sample belongs.
    pub(super) position: i64,
    /// It begins a talkspurt.
    pub(super) marker: bool,
}

const FREE: Slot = Slot {
    held: Held::Nothing,
    seq: 0,
    payload_type: PayloadType(0),
    payload: Vec::new(),
    samples: 0,
    position: 0,
    marker: false,
};

/// Packets by number, within [`SLOTS`] of each other.
#[derive(Debug, Clone)]
pub(super) struct Slots {
    slots: Box<[Slot]>,
    spare: Vec<Vec<u8>>,
    /// Samples that wait.
    depth: usize,
    /// The slot that was released last.
    released: usize,
}

impl Slots {
    pub(super) fn new() -> Slots {
        let slots = vec![FREE; SLOTS].into_boxed_slice();
        Slots { slots, spare: Vec::new(), depth: 0, released: 0 }
    }

    /// Samples that wait.
    pub(super) fn depth(&self) -> usize {
        self.depth
    }

    pub(super) fn held(&self, seq: u64) -> Held {
        self.get(seq).map_or(Held::Nothing, |slot| slot.held)
    }

    pub(super) fn get(&self, seq: u64) -> Option<&Slot> {
        self.slots.get(seq as usize % SLOTS).filter(|slot| slot.seq == seq && slot.held != Held::Nothing)
    }

    /// Puts a packet into a slot that is free.
    pub(super) fn put(&mut self, packet: &Slot, payload: &[u8]) {
        self.reclaim(self.released);
        self.free(packet.seq);
        let mut buffer = self.spare.pop().unwrap_or_else(|| Vec::with_capacity(PAYLOAD));
        buffer.clear();
        buffer.extend_from_slice(payload);
        let slot = &mut self.slots[packet.seq as usize % SLOTS];
        *slot = Slot { payload: buffer, ..*packet };
        self.depth += slot.samples;
    }

    /// Frees a slot; its payload stays readable until the next packet is put anywhere.
    pub(super) fn release(&mut self, seq: u64) -> Option<&Slot> {
        let slot = self.slots.get_mut(seq as usize % SLOTS).filter(|slot| slot.seq == seq)?;
        if slot.held == Held::Nothing {
            return None;
        }
        self.depth -= slot.samples;
        slot.held = Held::Nothing;
        self.released = seq as usize % SLOTS;
        Some(slot)
    }

    /// Takes back the payload of a slot that is free.
    fn reclaim(&mut self, index: usize) {
        let slot = &mut self.slots[index];
        if slot.held == Held::Nothing && slot.payload.capacity() > 0 {
            self.spare.push(std::mem::take(&mut slot.payload));
        }
    }

    /// Frees whatever is in the slot of a number.
    fn free(&mut self, seq: u64) {
        let slot = &mut self.slots[seq as usize % SLOTS];
        if slot.held != Held::Nothing {
            self.depth -= slot.samples;
            slot.held = Held::Nothing;
        }
        self.reclaim(seq as usize % SLOTS);
    }

    /// Frees every number below.
    pub(super) fn free_before(&mut self, seq: u64) {
        for index in 0..SLOTS {
            if self.slots[index].seq < seq {
                self.free(index as u64);
            }
        }
    }

    pub(super) fn free_all(&mut self) {
        self.free_before(u64::MAX);
    }

    /// Whether a slot holds another number.
    pub(super) fn is_taken(&self, seq: u64) -> bool {
        self.slots[seq as usize % SLOTS].held != Held::Nothing
    }

    /// The lowest number with sound.
    pub(super) fn oldest_voice(&self) -> Option<u64> {
        self.slots.iter().filter(|slot| slot.held == Held::Voice).map(|slot| slot.seq).min()
    }

    /// A free slot, to be filled in and given to [`Slots::put`].
    pub(super) fn blank(seq: u64) -> Slot {
        Slot { seq, ..FREE }
    }
}
