//! How long before a device takes sound it is given some, where none has come: as late as it can be, and earlier where that was too
//! late.

use std::time::Duration;

/// Sound is made this long before the moment at which none would be found, as long as that is enough.
pub(super) const AHEAD: Duration = Duration::from_micros(1000);
/// When it ran dry although it was given what it was about to need, it is given sound so much earlier from then on, up to the
/// most, and so much more; which wears off slowly.
const EARLIER: Duration = Duration::from_millis(1);
pub(super) const EARLIEST: Duration = Duration::from_millis(15);
const WEARS_OFF: u32 = 256;

/// What was learnt of one device.
#[derive(Debug)]
pub(super) struct Ahead(Duration);

impl Ahead {
    pub(super) fn new() -> Ahead {
        Ahead(AHEAD)
    }

    /// How long before.
    pub(super) fn time(&self) -> Duration {
        self.0
    }

    /// That was too late.
    pub(super) fn was_late(&mut self) {
        self.0 = (self.0 + EARLIER).min(EARLIEST);
    }

    /// It was in time, now and then.
    pub(super) fn was_in_time(&mut self) {
        self.0 -= self.0.saturating_sub(AHEAD) / WEARS_OFF;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_learnt_quickly_up_to_the_most_and_forgotten_slowly() {
        let mut ahead = Ahead::new();
        ahead.was_in_time();
        assert_eq!(ahead.time(), AHEAD);
        ahead.was_late();
        assert_eq!(ahead.time(), AHEAD + EARLIER);
        (0..100).for_each(|_| ahead.was_late());
        assert_eq!(ahead.time(), EARLIEST);
        (0..256).for_each(|_| ahead.was_in_time());
        assert!((Duration::from_millis(5)..Duration::from_millis(8)).contains(&ahead.time()), "{ahead:?}");
        (0..10_000).for_each(|_| ahead.was_in_time());
        assert!(ahead.time() < AHEAD + EARLIER / 100, "{ahead:?}");
    }
}
