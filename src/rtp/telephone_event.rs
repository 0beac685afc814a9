//! Digits as telephone-events (RFC 4733): made into packets, and read back as one key press each.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use super::{Malformed, RtpTimestamp};

/// RFC 4733 section 3.2: the event codes 0 to 15.
const DIGITS: [char; 16] = ['0', '1', '2', '3', '4', '5', '6', '7', '8', '9', '*', '#', 'A', 'B', 'C', 'D'];
/// Section 2.5.1.4: the last packet is sent three times.
const END_PACKETS: u8 = 3;
/// Section 2.5.1.3: a longer event goes on as another one that begins where this one ends.
const MAX_DURATION: u32 = 0xffff;
/// Without an update for so long a press has ended, though its end was lost.
const LOST_END: Duration = Duration::from_millis(200);
/// Timestamps so far back are another timeline, not packets that come late: 10 s at 8 kHz.
const REORDERED: i32 = 80_000;
/// Section 2.3.3: power in -dBm0.
const VOLUME: u8 = 10;
/// Presses that wait to be polled.
const MAX_WAITING: usize = 64;

/// The event code of a digit of `0123456789*#ABCD` (any case).
pub fn code(digit: char) -> Option<u8> {
    let digit = digit.to_ascii_uppercase();
    DIGITS.iter().position(|&known| known == digit).map(|code| code as u8)
}

/// The digit of an event code.
pub fn digit(code: u8) -> Option<char> {
    DIGITS.get(usize::from(code)).copied()
}

/// The payload of a packet (section 2.3).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Payload {
    /// Which event.
    pub event: u8,
    /// Whether the event has ended.
    pub end: bool,
    /// Power of the tone in -dBm0, 0 to 63.
    pub volume: u8,
    /// How long it lasts so far, in timestamp units.
    pub duration: u16,
}

impl Payload {
    /// Reads the first event of a payload.
    pub fn read(bytes: &[u8]) -> Result<Payload, Malformed> {
        let &[event, flags, high, low, ..] = bytes else { return Err(Malformed("telephone-event")) };
        Ok(Payload { event, end: flags & 0x80 != 0, volume: flags & 0x3f, duration: u16::from_be_bytes([high, low]) })
    }

    /// The four bytes to send.
    pub fn write(&self) -> [u8; 4] {
        let [high, low] = self.duration.to_be_bytes();
        [self.event, u8::from(self.end) << 7 | self.volume & 0x3f, high, low]
    }
}

/// What a packet of an event says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Update {
    /// The payload.
    pub payload: Payload,
    /// On the first packet of the event only.
    pub marker: bool,
    /// When the event began: the same in all its packets.
    pub timestamp: RtpTimestamp,
}

/// One key press that is being sent.
#[derive(Debug, Clone)]
pub struct Press {
    event: u8,
    timestamp: RtpTimestamp,
    duration: u32,
    left: u32,
    first: bool,
    ends: u8,
}

impl Press {
    /// A press that begins at `start` and lasts `units` of the timestamp clock.
    pub fn new(event: u8, start: RtpTimestamp, units: u32) -> Press {
        Press { event, timestamp: start, duration: 0, left: units.max(1), first: true, ends: 0 }
    }

    /// The next packet, `step` units after the one before; `None` when the end was sent three times.
    pub fn next_update(&mut self, step: u32) -> Option<Update> {
        if self.ends == END_PACKETS {
            return None;
        }
        if self.ends == 0 {
            let step = step.min(self.left);
            self.left -= step;
            self.duration += step;
        }
        if self.duration > MAX_DURATION {
            let update = self.update(MAX_DURATION, false);
            self.timestamp = self.timestamp.plus(MAX_DURATION);
            self.duration -= MAX_DURATION;
            return Some(update);
        }
        let end = self.left == 0;
        self.ends += u8::from(end);
        Some(self.update(self.duration, end))
    }

    /// Whether the tone has ended, and only repeated ends may be left.
    pub fn has_ended(&self) -> bool {
        self.ends > 0
    }

    fn update(&mut self, duration: u32, end: bool) -> Update {
        let payload = Payload { event: self.event, end, volume: VOLUME, duration: duration as u16 };
        Update { payload, marker: std::mem::take(&mut self.first), timestamp: self.timestamp }
    }
}

/// A key press that was received.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pressed {
    /// Which key.
    pub digit: char,
    /// How long, in timestamp units, as far as it was heard of.
    pub duration: u32,
}

#[derive(Debug, Clone)]
struct Current {
    event: u8,
    digit: char,
    /// Of the part under way: a long event has several.
    timestamp: RtpTimestamp,
    duration: u16,
    /// Of the parts before.
    before: u32,
    last: Instant,
}

/// Makes one [`Pressed`] of each press, whichever of its packets are lost, repeated or out of order.
#[derive(Debug, Clone, Default)]
pub struct Receiver {
    current: Option<Current>,
    /// When the last press that is over began: its packets may still come.
    over: Option<RtpTimestamp>,
    pressed: VecDeque<Pressed>,
}

impl Receiver {
    /// Takes a packet.
    pub fn handle(&mut self, now: Instant, timestamp: RtpTimestamp, marker: bool, payload: Payload) {
        let Some(digit) = digit(payload.event) else { return };
        if self.over.is_some_and(|over| is_repeat(timestamp, over)) {
            return;
        }
        if let Some(current) = &mut self.current {
            let distance = timestamp.distance_from(current.timestamp);
            if distance != 0 && is_repeat(timestamp, current.timestamp) {
                return;
            }
            let goes_on = distance == MAX_DURATION as i32 && current.event == payload.event && !marker;
            if goes_on {
                current.before = current.before.saturating_add(MAX_DURATION);
                current.timestamp = timestamp;
                current.duration = payload.duration;
            } else if distance != 0 {
                self.finish();
            }
        }
        let current = self.current.get_or_insert(Current {
            event: payload.event,
            digit,
            timestamp,
            duration: 0,
            before: 0,
            last: now,
        });
        current.last = now;
        current.duration = current.duration.max(payload.duration);
        if payload.end {
            self.finish();
        }
    }

    /// When [`Receiver::handle_timeout`] is due.
    pub fn poll_timeout(&self) -> Option<Instant> {
        self.current.as_ref().map(|current| current.last + LOST_END)
    }

    /// Ends a press whose end was lost.
    pub fn handle_timeout(&mut self, now: Instant) {
        if self.poll_timeout().is_some_and(|due| due <= now) {
            self.finish();
        }
    }

    /// The next press, when it is over.
    pub fn poll(&mut self) -> Option<Pressed> {
        self.pressed.pop_front()
    }

    fn finish(&mut self) {
        let Some(current) = self.current.take() else { return };
        self.over = Some(current.timestamp);
        if self.pressed.len() < MAX_WAITING {
            let duration = current.before.saturating_add(u32::from(current.duration));
            self.pressed.push_back(Pressed { digit: current.digit, duration });
        }
    }
}

/// Whether a timestamp is of an event that began at `known`, or of an earlier one.
fn is_repeat(timestamp: RtpTimestamp, known: RtpTimestamp) -> bool {
    let distance = timestamp.distance_from(known);
    distance <= 0 && distance > -REORDERED
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn packets(event: u8, start: u32, units: u32) -> Vec<Update> {
        let mut press = Press::new(event, RtpTimestamp(start), units);
        std::iter::from_fn(|| press.next_update(160)).collect()
    }

    fn receive(updates: &[Update]) -> Vec<Pressed> {
        let mut receiver = Receiver::default();
        let mut now = Instant::now();
        for update in updates {
            receiver.handle(now, update.timestamp, update.marker, update.payload);
            now += Duration::from_millis(20);
        }
        receiver.handle_timeout(now + LOST_END);
        std::iter::from_fn(|| receiver.poll()).collect()
    }

    #[test]
    fn digits_have_the_codes_of_the_rfc() {
        for (digit, expected) in [('0', 0), ('9', 9), ('*', 10), ('#', 11), ('a', 12), ('D', 15)] {
            assert_eq!(code(digit), Some(expected));
        }
        assert_eq!((code('x'), digit(16)), (None, None));
        let payload = Payload { event: 11, end: true, volume: 10, duration: 0x1234 };
        assert_eq!(payload.write(), [11, 0x8a, 0x12, 0x34]);
        assert_eq!(Payload::read(&payload.write()), Ok(payload));
        assert!(Payload::read(&[1, 2, 3]).is_err());
    }

    #[test]
    fn a_press_grows_then_ends_three_times() {
        let updates = packets(5, 1000, 480);
        let seen: Vec<_> = updates.iter().map(|u| (u.marker, u.payload.end, u.payload.duration)).collect();
        assert_eq!(
            seen,
            [(true, false, 160), (false, false, 320), (false, true, 480), (false, true, 480), (false, true, 480)]
        );
        assert!(updates.iter().all(|update| update.timestamp == RtpTimestamp(1000)));
        assert_eq!(receive(&updates), [Pressed { digit: '5', duration: 480 }]);
    }

    #[test]
    fn a_long_press_goes_on_in_parts_and_stays_one() {
        let updates = packets(1, u32::MAX - 10, 150_000);
        let mut starts: Vec<u32> = updates.iter().map(|update| update.timestamp.0).collect();
        starts.dedup();
        assert_eq!(starts, [u32::MAX - 10, 0xffff - 11, 2 * 0xffff - 11]);
        assert_eq!(updates.iter().filter(|update| update.marker).count(), 1);
        assert_eq!(updates.iter().filter(|update| update.payload.end).count(), 3);
        assert_eq!(receive(&updates), [Pressed { digit: '1', duration: 150_000 }]);
    }

    #[test]
    fn lost_begins_and_lost_ends_still_make_one_press() {
        let updates = packets(7, 0, 1280);
        assert_eq!(receive(&updates[6..]), [Pressed { digit: '7', duration: 1280 }]);
        assert_eq!(receive(&updates[9..]), [Pressed { digit: '7', duration: 1280 }]);
        assert_eq!(receive(&updates[..5]), [Pressed { digit: '7', duration: 800 }]);
    }

    #[test]
    fn the_next_press_ends_one_whose_end_was_lost_and_late_packets_are_nothing_new() {
        let one = packets(1, 0, 480);
        let two = packets(1, 2000, 480);
        let mut order = one[..2].to_vec();
        order.extend(&two[..2]);
        order.extend(&one[2..]);
        order.extend(&two[2..]);
        let expected = [Pressed { digit: '1', duration: 320 }, Pressed { digit: '1', duration: 480 }];
        assert_eq!(receive(&order), expected);
    }

    proptest! {
        #[test]
        fn any_part_of_a_press_in_any_order_is_one_press(
            keep in prop::collection::vec(prop::sample::select((0usize..10).collect::<Vec<_>>()), 1..30),
        ) {
            let updates = packets(3, u32::MAX - 100, 1280);
            let received: Vec<Update> = keep.iter().map(|&index| updates[index]).collect();
            prop_assert_eq!(receive(&received).len(), 1);
        }

        #[test]
        fn no_payload_panics(
            packets in prop::collection::vec((any::<u32>(), any::<bool>(), any::<[u8; 4]>()), 0..100),
        ) {
            let mut receiver = Receiver::default();
            for (timestamp, marker, bytes) in packets {
                let payload = Payload::read(&bytes).unwrap();
                receiver.handle(Instant::now(), RtpTimestamp(timestamp), marker, payload);
            }
            prop_assert!(receiver.pressed.len() <= MAX_WAITING);
        }
    }
}
