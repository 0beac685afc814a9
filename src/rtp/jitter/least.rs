//! How long all packets of late waited at least: what could be spared.

/// It is that of so many packets, or up to twice as many.
const PACKETS: u32 = 25;

/// The least delay of the last packets, in samples.
#[derive(Debug, Clone, Copy)]
pub(super) struct Least {
    now: i64,
    count: u32,
    before: Option<i64>,
}

impl Default for Least {
    fn default() -> Least {
        Least { now: i64::MAX, count: 0, before: None }
    }
}

impl Least {
    pub(super) fn push(&mut self, delay: i64) {
        self.now = self.now.min(delay);
        self.count += 1;
        if self.count == PACKETS {
            *self = Least { before: Some(self.now), ..Least::default() };
        }
    }

    /// `None` before there were enough.
    pub(super) fn get(&self) -> Option<i64> {
        self.before.map(|before| before.min(self.now))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_of_the_last_packets_and_none_before_there_were_enough() {
        let mut least = Least::default();
        (0..24).for_each(|_| least.push(50));
        assert_eq!(least.get(), None);
        least.push(40);
        assert_eq!(least.get(), Some(40));
        least.push(30);
        assert_eq!(least.get(), Some(30));
        (0..24).for_each(|_| least.push(60));
        assert_eq!(least.get(), Some(30));
        (0..25).for_each(|_| least.push(60));
        assert_eq!(least.get(), Some(60));
    }
}
