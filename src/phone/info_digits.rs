//! DTMF digits that leave by INFO, one after the other.

use std::collections::{BTreeMap, VecDeque};
use std::time::{Duration, Instant};

use crate::ua::CallNo;

/// How long a digit is said to be pressed, in milliseconds.
pub(super) const LENGTH_MS: u16 = 160;
/// From the beginning of one digit to the next: PBXs play each for its length.
const SPACING: Duration = Duration::from_millis(260);
/// What a comma stands for.
const PAUSE: Duration = Duration::from_secs(1);
/// Digits that may wait in a call.
pub(super) const MAX_WAITING: usize = 256;

/// The digits that wait, call by call.
#[derive(Debug, Default)]
pub(super) struct InfoDigits {
    calls: BTreeMap<CallNo, Waiting>,
}

#[derive(Debug)]
struct Waiting {
    digits: VecDeque<char>,
    next: Instant,
}

impl InfoDigits {
    /// Takes digits; `,` pauses. False: too many wait already.
    #[must_use]
    pub(super) fn push(&mut self, now: Instant, call: CallNo, digits: &str) -> bool {
        let waiting = self.calls.entry(call).or_insert_with(|| Waiting { digits: VecDeque::new(), next: now });
        if waiting.digits.len() + digits.chars().count() > MAX_WAITING {
            return false;
        }
        waiting.next = waiting.next.max(now);
        waiting.digits.extend(digits.chars());
        true
    }

    /// The next digit that is due.
    pub(super) fn pop_due(&mut self, now: Instant) -> Option<(CallNo, char)> {
        for (call, waiting) in &mut self.calls {
            while waiting.next <= now {
                match waiting.digits.pop_front() {
                    Some(',') => waiting.next += PAUSE,
                    Some(digit) => {
                        waiting.next += SPACING;
                        return Some((*call, digit));
                    }
                    None => break,
                }
            }
        }
        // A queue stays until its last digit has had its length: the next one keeps its distance.
        self.calls.retain(|_, waiting| !waiting.digits.is_empty() || waiting.next > now);
        None
    }

    /// When [`InfoDigits::pop_due`] has something again.
    pub(super) fn poll_timeout(&self) -> Option<Instant> {
        self.calls.values().map(|waiting| waiting.next).min()
    }

    /// The call is over.
    pub(super) fn forget(&mut self, call: CallNo) {
        self.calls.remove(&call);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digits_leave_one_after_the_other_and_a_comma_pauses() {
        let start = Instant::now();
        let mut info = InfoDigits::default();
        let call = CallNo(1);
        assert!(info.push(start, call, "1,2"));
        assert_eq!(info.pop_due(start), Some((call, '1')));
        assert_eq!(info.pop_due(start), None);

        let due = info.poll_timeout().unwrap();
        assert_eq!(due, start + SPACING);
        assert_eq!(info.pop_due(due), None);
        assert_eq!(info.poll_timeout(), Some(due + PAUSE));
        assert_eq!(info.pop_due(due + PAUSE), Some((call, '2')));
        info.pop_due(due + PAUSE + SPACING);
        assert_eq!(info.poll_timeout(), None);
    }

    #[test]
    fn the_queue_is_bounded_and_ends_with_the_call() {
        let start = Instant::now();
        let mut info = InfoDigits::default();
        assert!(info.push(start, CallNo(1), &"5".repeat(MAX_WAITING)));
        assert!(!info.push(start, CallNo(1), "5"));
        info.forget(CallNo(1));
        assert_eq!(info.poll_timeout(), None);
    }
}
