//! Packet indexes: which roll-over counter a sequence number belongs to, and whether a packet came before.

/// Packets that may come out of order; RFC 3711 section 3.3.2 asks for 64 at least.
pub(super) const SIZE: u64 = 128;

/// The index that a packet with this sequence number has, next to the highest index so far (RFC 3711 section 3.3.1 and appendix
/// A); `None`: it would be before the beginning.
pub(super) fn index(highest: u64, seq: u16) -> Option<u64> {
    let (roc, last) = (highest >> 16, (highest & 0xffff) as u16);
    // The shorter way round.
    let roc = match (seq > last, seq.abs_diff(last) > 0x8000) {
        (true, true) => roc.checked_sub(1)?,
        (false, true) => roc + 1,
        (true | false, false) => roc,
    };
    Some(roc << 16 | u64::from(seq))
}

/// The highest authentic index, and which of those before it came (RFC 3711 section 3.3.2).
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Window {
    highest: Option<u64>,
    /// The highest is the lowest bit.
    seen: u128,
}

impl Window {
    pub fn highest(&self) -> Option<u64> {
        self.highest
    }

    /// Whether a packet with this index is new. It changes nothing: the packet may be forged.
    pub fn is_new(&self, index: u64) -> bool {
        match self.highest {
            None => true,
            Some(highest) if index > highest => true,
            Some(highest) => highest - index < SIZE && self.seen >> (highest - index) & 1 == 0,
        }
    }

    /// A packet with this index was authentic.
    pub fn accept(&mut self, index: u64) {
        match self.highest {
            Some(highest) if index <= highest => {
                if highest - index < SIZE {
                    self.seen |= 1 << (highest - index);
                }
            }
            Some(highest) => {
                let ahead = index - highest;
                self.seen = if ahead < SIZE { self.seen << ahead | 1 } else { 1 };
                self.highest = Some(index);
            }
            None => {
                self.seen = 1;
                self.highest = Some(index);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_roll_over_counter_follows_the_shorter_way_round() {
        let table = [
            (0, 0, Some(0)),
            (0, 0x8000, Some(0x8000)),
            (0, 0x8001, None),
            (0xffff, 0, Some(0x1_0000)),
            (0x1_0000, 0xffff, Some(0xffff)),
            (0x1_8000, 0x7fff, Some(0x1_7fff)),
            (0x1_9000, 0x0fff, Some(0x2_0fff)),
            (0x1_9000, 0x1000, Some(0x1_1000)),
            (0x5_0005, 0xfffe, Some(0x4_fffe)),
        ];
        for (highest, seq, expected) in table {
            assert_eq!(index(highest, seq), expected, "{highest:#x} {seq:#x}");
        }
    }

    #[test]
    fn the_windows_edges() {
        let mut window = Window::default();
        assert!(window.is_new(0));
        window.accept(1000);
        for (index, new) in
            [(1000, false), (1001, true), (999, true), (1001 - SIZE, true), (1000 - SIZE, false), (0, false)]
        {
            assert_eq!(window.is_new(index), new, "{index}");
        }
        window.accept(1001 - SIZE);
        assert!(!window.is_new(1001 - SIZE));
        // One step on, and the oldest falls out of it, seen or not.
        window.accept(1001);
        assert!(!window.is_new(1000) && !window.is_new(1001 - SIZE) && window.is_new(1002 - SIZE));
        window.accept(1001 + SIZE);
        assert!(!window.is_new(1001) && window.is_new(1002));
        window.accept(1 << 40);
        assert!(window.is_new((1 << 40) - 1) && !window.is_new(1 << 40));
    }

    proptest! {
        #[test]
        fn nothing_is_taken_twice(indexes in prop::collection::vec(0u64..400, 1..300)) {
            let (mut window, mut taken) = (Window::default(), std::collections::HashSet::new());
            for index in indexes {
                if window.is_new(index) {
                    prop_assert!(taken.insert(index), "{index} again");
                    window.accept(index);
                }
            }
        }

        #[test]
        fn what_is_in_order_or_nearly_so_is_taken(start in 0u16.., order in prop::collection::vec(-60i64..60, 100)) {
            let start = u64::from(start) + 0x1_0000;
            let mut window = Window::default();
            window.accept(start);
            for (n, shift) in order.into_iter().enumerate() {
                let sent = start + 100 + n as u64 - shift.unsigned_abs();
                let found = index(window.highest().unwrap(), (sent & 0xffff) as u16);
                prop_assert_eq!(found, Some(sent));
                window.accept(sent);
            }
        }
    }
}
