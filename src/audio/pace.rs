//! When to send: absolute deadlines one period apart. With a sound card their phase follows the capture callback, so that
//! a packet leaves [`MARGIN`] after the callback that completes it, and the small jitter of callbacks is not seen on the
//! wire.

use std::time::{Duration, Instant};

/// How long after its callback a packet leaves, at best: what callbacks jitter by on a quiet machine.
pub const MARGIN: Duration = Duration::from_micros(700);
/// A deadline that was missed by more than this is not made up for: no burst after a suspended process.
const TOO_LATE: Duration = Duration::from_millis(60);
/// The largest shift of a deadline towards its callback.
const STEP: Duration = Duration::from_micros(100);

/// The send clock.
#[derive(Debug, Clone)]
pub struct Pacer {
    period: Duration,
    next: Instant,
    /// The shortest age that the newest samples had at a deadline lately, in seconds; it forgets slowly.
    youngest: f64,
}

impl Pacer {
    /// The first deadline is `now`.
    pub fn new(now: Instant, period: Duration) -> Pacer {
        Pacer { period, next: now, youngest: MARGIN.as_secs_f64() }
    }

    /// The next deadline.
    pub fn deadline(&self) -> Instant {
        self.next
    }

    /// Another period, from the next deadline on.
    pub fn set_period(&mut self, period: Duration) {
        self.period = period;
    }

    /// Sent in time, by the system's clock alone.
    pub fn sent(&mut self, now: Instant) {
        self.next += self.period;
        if now > self.next + TOO_LATE {
            self.next = now + self.period;
        }
    }

    /// Sent in time; the device's newest samples were `age` old then. The deadlines move until the youngest is
    /// [`MARGIN`] old.
    pub fn sent_with(&mut self, now: Instant, age: Duration) {
        let age = age.as_secs_f64();
        self.youngest = if age < self.youngest { age } else { self.youngest + (age - self.youngest) * 0.01 };
        let step = STEP.as_secs_f64();
        let shift = ((self.youngest - MARGIN.as_secs_f64()) * 0.05).clamp(-step, step);
        self.youngest -= shift;
        if shift >= 0.0 {
            self.next -= Duration::from_secs_f64(shift);
        } else {
            self.next += Duration::from_secs_f64(-shift);
        }
        self.sent(now);
    }

    /// The samples came only now, after their deadline, and were sent at once: the deadlines start anew from here.
    pub fn sent_late(&mut self, now: Instant) {
        self.next = now + self.period + MARGIN;
        self.youngest = MARGIN.as_secs_f64();
    }
}

/// The least of what was seen in the last few moments.
#[derive(Debug, Clone)]
pub struct WindowMin {
    span: Duration,
    began: Instant,
    /// Of the bucket that fills and of the one before it.
    now: Option<i64>,
    before: Option<i64>,
}

impl WindowMin {
    /// Remembers for `span` to twice `span`.
    pub fn new(now: Instant, span: Duration) -> WindowMin {
        WindowMin { span, began: now, now: None, before: None }
    }

    /// Another value. Whenever a span has passed, gives the least value of the last two.
    pub fn push(&mut self, now: Instant, value: i64) -> Option<i64> {
        self.now = Some(self.now.map_or(value, |least| least.min(value)));
        if now.saturating_duration_since(self.began) < self.span {
            return None;
        }
        let least = self.before.into_iter().chain(self.now).min();
        self.before = self.now.take();
        self.began = now;
        least
    }

    /// Everything seen was taken down by `amount`.
    pub fn lowered(&mut self, amount: i64) {
        self.now = self.now.map(|value| value - amount);
        self.before = self.before.map(|value| value - amount);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PERIOD: Duration = Duration::from_millis(20);

    /// Runs against a device whose callbacks come every 10 ms, the nth one `jitter(n)` late, and gives when it sent.
    fn run(offset: Duration, count: u32, jitter: impl Fn(u32) -> Duration) -> (Vec<Instant>, Instant) {
        let start = Instant::now();
        let callback = |n: u32| start + offset + Duration::from_millis(10) * n + jitter(n);
        let mut pacer = Pacer::new(start, PERIOD);
        let mut sent = Vec::new();
        for packet in 1..=count {
            let complete = callback(2 * packet);
            let deadline = pacer.deadline();
            if complete > deadline {
                pacer.sent_late(complete);
                sent.push(complete);
            } else {
                let newest = (2 * packet..).map(callback).take_while(|&at| at <= deadline).last().unwrap();
                pacer.sent_with(deadline, deadline - newest);
                sent.push(deadline);
            }
        }
        (sent, start + offset)
    }

    fn deviation(sent: &[Instant]) -> f64 {
        let gaps: Vec<f64> = sent.windows(2).map(|pair| (pair[1] - pair[0]).as_secs_f64()).collect();
        let mean = gaps.iter().sum::<f64>() / gaps.len() as f64;
        (gaps.iter().map(|gap| (gap - mean).powi(2)).sum::<f64>() / gaps.len() as f64).sqrt()
    }

    #[test]
    fn packets_leave_a_margin_after_the_callback() {
        let (sent, origin) = run(Duration::from_millis(7), 500, |_| Duration::ZERO);
        let phase = (sent[499] - origin).as_secs_f64() % 0.010;
        assert!((phase - 0.0007).abs() < 0.0003, "{phase}");
        assert!(deviation(&sent[100..]) < 0.00005);
    }

    #[test]
    fn jittering_callbacks_are_smoothed() {
        let jitter = |n: u32| Duration::from_micros(u64::from(n.wrapping_mul(2_654_435_761) >> 22) / 2);
        let (sent, _) = run(Duration::from_millis(3), 2000, jitter);
        assert!(deviation(&sent[200..]) < 0.0001, "{}", deviation(&sent[200..]));
    }

    #[test]
    fn one_late_callback_moves_the_deadlines_and_they_come_back() {
        let jitter = |n| if n == 1000 { Duration::from_millis(5) } else { Duration::ZERO };
        let (sent, origin) = run(Duration::ZERO, 2000, jitter);
        let phase = |packet: usize| (sent[packet - 1] - origin).as_secs_f64() - 0.020 * packet as f64;
        assert!((phase(499) - 0.0007).abs() < 0.0003, "{}", phase(499));
        assert!(phase(500) >= 0.005 && phase(501) >= 0.005, "sent at once, and not early again");
        assert!((phase(1900) - 0.0007).abs() < 0.0005, "{}", phase(1900));
    }

    /// Two hours with a microphone whose clock is off: how many packets had to wait for their samples after the first second,
    /// and how long a packet's last samples waited for it at most. Only every 16th packet's fragment is timed.
    fn drifts(ppm: f64) -> (u32, Duration) {
        let start = Instant::now();
        let complete = |fragment: u32| start + Duration::from_secs_f64(f64::from(fragment) * 0.010 * (1.0 + ppm / 1e6));
        let (mut pacer, mut late, mut longest, mut timed) = (Pacer::new(start, PERIOD), 0, Duration::ZERO, 1);
        for packet in 1..=360_000u32 {
            let (last, deadline) = (2 * packet, pacer.deadline());
            if packet % 16 == 1 {
                timed = last;
            }
            if complete(last) > deadline {
                late += u32::from(packet > 50);
                pacer.sent_late(complete(last));
                continue;
            }
            let newest = if complete(last + 1) <= deadline { last + 1 } else { last };
            let extrapolated = complete(timed) + Duration::from_millis(10) * (newest - timed);
            pacer.sent_with(deadline, deadline.saturating_duration_since(extrapolated));
            if packet > 500 {
                longest = longest.max(deadline - complete(last));
            }
        }
        (late, longest)
    }

    #[test]
    fn a_microphone_whose_clock_drifts_is_followed_without_a_sample_lost() {
        for ppm in [-200.0, -20.0, 20.0, 200.0] {
            let (late, longest) = drifts(ppm);
            assert_eq!(late, 0, "{ppm} ppm: every packet is complete when it is due");
            assert!(longest < Duration::from_millis(2), "{ppm} ppm: the last samples wait {longest:?}");
        }
    }

    #[test]
    fn without_a_device_the_period_is_exact_and_a_pause_makes_no_burst() {
        let start = Instant::now();
        let mut pacer = Pacer::new(start, PERIOD);
        for n in 1..100 {
            pacer.sent(pacer.deadline() + Duration::from_millis(1));
            assert_eq!(pacer.deadline(), start + PERIOD * n);
        }
        let woken = start + Duration::from_secs(3600);
        pacer.sent(woken);
        assert_eq!(pacer.deadline(), woken + PERIOD);
    }

    #[test]
    fn the_window_gives_its_least_and_forgets() {
        let start = Instant::now();
        let at = |ms| start + Duration::from_millis(ms);
        let mut window = WindowMin::new(start, Duration::from_millis(100));
        assert_eq!(window.push(at(0), 5), None);
        assert_eq!(window.push(at(50), 3), None);
        assert_eq!(window.push(at(100), 9), Some(3));
        assert_eq!(window.push(at(200), 8), Some(3));
        assert_eq!(window.push(at(300), 7), Some(7));
        window.lowered(2);
        assert_eq!(window.push(at(400), 9), Some(5));
    }
}
