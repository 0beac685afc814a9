//! When the screen is drawn: at once after a pause, at most thirty times a second while much happens, never for nothing. A key
//! does not wait for what happens by itself, such as fifty calls whose figures come.

use std::time::Duration;

use tokio::time::Instant;

/// Between two frames.
const FRAME: Duration = Duration::from_millis(33);

/// What is known of the last frame.
#[derive(Debug, Default)]
pub struct Frames {
    last: Option<Instant>,
    /// When the next one is to be drawn.
    next: Option<Instant>,
    /// The last one that answered a key.
    answered: Option<Instant>,
    /// A key waits for its frame.
    pressed: bool,
}

impl Frames {
    /// Something changed: a frame is due as soon as one may be.
    pub fn changed(&mut self, now: Instant) {
        let soonest = self.last.map_or(now, |last| (last + FRAME).max(now));
        self.next.get_or_insert(soonest);
    }

    /// A key was pressed: only frames that answer others hold its own up.
    pub fn pressed(&mut self, now: Instant) {
        let soonest = self.answered.map_or(now, |answered| (answered + FRAME).max(now));
        self.next = Some(self.next.map_or(soonest, |next| next.min(soonest)));
        self.pressed = true;
    }

    /// Whether it is time for a frame: the first one always is.
    pub fn is_due(&self, now: Instant) -> bool {
        self.last.is_none() || self.next.is_some_and(|next| next <= now)
    }

    /// A frame was drawn.
    pub fn drawn(&mut self, now: Instant) {
        (self.last, self.next) = (Some(now), None);
        if std::mem::take(&mut self.pressed) {
            self.answered = Some(now);
        }
    }

    /// When to wake for a frame; `None`: nothing changed.
    pub fn next(&self) -> Option<Instant> {
        self.next
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_after_a_pause_shows_at_once_and_a_hundred_share_frames() {
        let start = Instant::now();
        let at = |ms| start + Duration::from_millis(ms);
        let mut frames = Frames::default();
        assert!(frames.is_due(at(0)));
        frames.drawn(at(0));
        assert!(!frames.is_due(at(1000)) && frames.next().is_none(), "nothing changed");
        frames.changed(at(1000));
        assert!(frames.is_due(at(1000)));
        frames.drawn(at(1000));
        let mut drawn = 0;
        for ms in 1000..2000 {
            frames.changed(at(ms));
            if frames.is_due(at(ms)) {
                frames.drawn(at(ms));
                drawn += 1;
            }
        }
        assert!((28..=31).contains(&drawn), "{drawn} frames in a second");
    }

    #[test]
    fn a_key_does_not_wait_for_what_happens_by_itself() {
        let start = Instant::now();
        let at = |ms| start + Duration::from_millis(ms);
        let mut frames = Frames::default();
        frames.drawn(at(0));
        // Something happened and was drawn: the next such frame waits, a key's does not.
        frames.changed(at(1000));
        frames.drawn(at(1000));
        frames.changed(at(1001));
        assert!(!frames.is_due(at(1001)));
        frames.pressed(at(1002));
        assert!(frames.is_due(at(1002)));
        frames.drawn(at(1002));
        // A text that is pasted as keys does not draw for each.
        let mut drawn = 0;
        for ms in 1002..2002 {
            frames.pressed(at(ms));
            if frames.is_due(at(ms)) {
                frames.drawn(at(ms));
                drawn += 1;
            }
        }
        assert!((28..=31).contains(&drawn), "{drawn} frames in a second");
    }
}
