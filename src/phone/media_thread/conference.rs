//! A conference mixed here: each member hears the person and all other members, and never himself.
//!
//! What a member says arrives at the pace of his packets and leaves to the others at the pace of our ticks. Between the two
//! stands a short queue for each sample rate in use; when the paces differ, the queue is stretched or squeezed a little, so
//! that it neither grows nor runs dry.

use crate::media::mixing;
use crate::media::resample::Resampler;

/// What a queue holds after a tick took its share, when all is well (ms): packets are not quite even.
const TARGET_MS: u32 = 15;
/// More than this (ms) is a stall that is over: the oldest goes.
const MOST_MS: u32 = 120;
/// How strongly the length of a queue is held: this part longer or shorter for each ms off the target.
const PULL: f64 = 0.0002;

/// A member's place in the conference.
pub struct Member {
    /// Nobody hears him.
    pub muted: bool,
    queues: Vec<Queue>,
}

impl Member {
    pub fn new() -> Member {
        Member { muted: false, queues: Vec::new() }
    }

    /// He said this, at `from` Hz; it will be taken at each of `rates`.
    pub fn said(&mut self, samples: &[i16], from: u32, rates: &[u32]) {
        self.queues.retain(|queue| rates.contains(&queue.to) && queue.from == from);
        for &to in rates {
            if !self.queues.iter().any(|queue| queue.to == to) {
                self.queues.extend(Queue::new(from, to));
            }
        }
        if self.muted {
            return;
        }
        for queue in &mut self.queues {
            queue.push(samples);
        }
    }

    /// Adds his share of this tick, at `rate` Hz, to `sum`.
    pub fn add_to(&self, rate: u32, sum: &mut [i32]) {
        if let Some(queue) = self.queues.iter().find(|queue| queue.to == rate) {
            mixing::accumulate(sum, queue.share(sum.len()));
        }
    }

    /// Ends the tick: what was heard is gone. `milliseconds`: its length.
    pub fn end_tick(&mut self, milliseconds: u32) {
        for queue in &mut self.queues {
            queue.end_tick((queue.to * milliseconds / 1000) as usize);
        }
    }
}

/// One member's sound on its way to those whose calls have one sample rate.
struct Queue {
    from: u32,
    to: u32,
    resampler: Resampler,
    waiting: Vec<i16>,
    /// It has been filled since it last ran dry.
    flows: bool,
    /// Samples that waited after a tick, smoothed.
    level: f64,
}

impl Queue {
    fn new(from: u32, to: u32) -> Option<Queue> {
        let resampler = Resampler::adjustable(from, to)?;
        Some(Queue { from, to, resampler, waiting: Vec::new(), flows: false, level: 0.0 })
    }

    fn target(&self) -> usize {
        (self.to * TARGET_MS / 1000) as usize
    }

    fn push(&mut self, samples: &[i16]) {
        self.resampler.process(samples, &mut self.waiting);
        let most = (self.to * MOST_MS / 1000) as usize;
        if self.waiting.len() > most {
            let keep = self.target() * 2;
            self.waiting.drain(..self.waiting.len() - keep);
        }
    }

    /// The samples of a tick that takes `count`: none until enough for this one and the next delay has gathered.
    fn share(&self, count: usize) -> &[i16] {
        let needed = if self.flows { count } else { count + self.target() };
        if self.waiting.len() < needed { &[] } else { self.waiting.get(..count).unwrap_or_default() }
    }

    fn end_tick(&mut self, count: usize) {
        let taken = self.share(count).len();
        let begins = taken > 0 && !self.flows;
        self.flows = taken > 0;
        self.waiting.drain(..taken);
        if !self.flows {
            return;
        }
        let left = self.waiting.len() as f64;
        self.level = if begins { left } else { self.level + (left - self.level) / 64.0 };
        let surplus_ms = (self.level - self.target() as f64) * 1000.0 / f64::from(self.to);
        self.resampler.adjust(-PULL * surplus_ms);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::media::goertzel;

    const TICK_MS: u32 = 20;

    fn sine(hertz: f64, rate: u32, begin: usize, count: usize) -> Vec<i16> {
        let step = std::f64::consts::TAU * hertz / f64::from(rate);
        (begin..begin + count).map(|n| (8000.0 * (step * n as f64).sin()) as i16).collect()
    }

    /// What comes out at `to` Hz in so many ticks when a packet of `packet` samples at 8 kHz comes before each.
    fn through(to: u32, ticks: usize, packet: usize) -> (Vec<i16>, Member) {
        let mut member = Member::new();
        let count = (to * TICK_MS / 1000) as usize;
        let mut heard = Vec::new();
        for tick in 0..ticks {
            member.said(&sine(440.0, 8000, tick * packet, packet), 8000, &[to]);
            let mut sum = vec![0; count];
            member.add_to(to, &mut sum);
            member.end_tick(TICK_MS);
            heard.extend(sum.into_iter().map(mixing::soft_clip));
        }
        (heard, member)
    }

    #[test]
    fn a_voice_comes_through_at_the_same_and_at_another_rate() {
        for to in [8000, 16_000, 48_000] {
            let (heard, _) = through(to, 100, 160);
            // A tenth of a second: the queue may be off its target, and so the pitch by a hair.
            let piece = &heard[to as usize..][..to as usize / 10];
            let (there, was) =
                (goertzel::level(piece, 440.0, to), goertzel::level(&sine(440.0, to, 0, to as usize / 10), 440.0, to));
            assert!((there - was).abs() < 0.5, "{to}: {was} became {there}");
        }
    }

    #[test]
    fn paces_that_differ_by_200_ppm_neither_fill_nor_empty_the_queue_and_are_not_heard() {
        // A sample too many, or too few, in each 4,960.
        for off in [-1_i64, 1] {
            let mut member = Member::new();
            let (mut said, mut last, mut longest_step) = (0, 0_i16, 0);
            for tick in 0..20_000_usize {
                let extra = if tick % 31 == 0 { off } else { 0 };
                let packet = (160 + extra) as usize;
                member.said(&sine(440.0, 8000, said, packet), 8000, &[8000]);
                said += packet;
                let mut sum = [0; 160];
                member.add_to(8000, &mut sum);
                member.end_tick(TICK_MS);
                if tick > 10 {
                    for sample in sum {
                        let sample = mixing::soft_clip(sample);
                        longest_step = longest_step.max((i32::from(sample) - i32::from(last)).abs());
                        last = sample;
                    }
                    let left = member.queues[0].waiting.len();
                    assert!((40..400).contains(&left), "{left} samples wait after tick {tick}");
                } else {
                    last = mixing::soft_clip(sum[159]);
                }
            }
            // A sine of this level and frequency makes steps of up to 2,760.
            assert!(longest_step < 3000, "a click of {longest_step}");
        }
    }

    #[test]
    fn a_muted_member_is_not_heard_and_a_burst_does_not_stay() {
        let (_, mut member) = through(8000, 20, 160);
        member.said(&vec![1000; 8000], 8000, &[8000]);
        assert!(member.queues[0].waiting.len() <= 960);
        member.muted = true;
        for _ in 0..10 {
            member.said(&[1000; 160], 8000, &[8000]);
            member.end_tick(TICK_MS);
        }
        let mut sum = [0; 160];
        member.add_to(8000, &mut sum);
        assert_eq!(sum, [0; 160]);
    }
}
