//! The figures of a call, and what a listener would say to them.

use std::time::Duration;

use super::receive::Receiver;

/// Figures of a call.
#[derive(Debug, Clone, Copy, PartialEq, Default, serde::Serialize, serde::Deserialize)]
pub struct Stats {
    /// Packets sent.
    pub sent: u64,
    /// Packets received and accepted.
    pub received: u64,
    /// Packets that never came (RFC 3550 appendix A.3).
    pub lost: i64,
    /// Packets that came too late or twice.
    pub discarded: u64,
    /// Packets from an address that is not the peer's; with SRTP also those that are not authentic, or came before.
    pub strangers: u64,
    /// Round trip by RTCP in milliseconds, once known.
    pub rtt_ms: Option<f32>,
    /// Interarrival jitter in milliseconds (RFC 3550 section 6.4.1).
    pub jitter_ms: f32,
    /// Loss in the last interval, 0 to 1; duplicates do not make up for it.
    pub loss: f32,
    /// Sound waiting in the jitter buffer, in milliseconds.
    pub buffer_ms: f32,
    /// Delay that the jitter buffer wants beyond that of the fastest packets, in milliseconds; 0: packets need not wait.
    pub target_ms: f32,
    /// Shares of what was played in the last interval, 0 to 1: made up for packets that did not come in time; put in to make
    /// the delay longer; cut out to make it shorter.
    pub concealed: f32,
    pub stretched: f32,
    pub squeezed: f32,
    /// Estimated listening quality, 1 to 4.5 (ITU-T G.107, simplified); `None` until something came.
    pub mos: Option<f32>,
}

pub(super) fn stats(sent: u64, receiver: &Receiver, round_trip: Option<Duration>, ptime_ms: u8) -> Stats {
    let rtt_ms = round_trip.map(|trip| trip.as_secs_f32() * 1000.0);
    let buffer_ms = receiver.waiting_ms();
    let (loss, unplayed) = receiver.loss();
    let played = receiver.played();
    let delay_ms = rtt_ms.unwrap_or(0.0) / 2.0 + buffer_ms + f32::from(ptime_ms);
    Stats {
        sent,
        received: receiver.received(),
        lost: receiver.lost(),
        discarded: receiver.discarded(),
        strangers: receiver.strangers(),
        rtt_ms,
        jitter_ms: receiver.jitter_ms(),
        loss,
        buffer_ms,
        target_ms: receiver.target_ms(),
        concealed: played.concealed,
        stretched: played.stretched,
        squeezed: played.squeezed,
        mos: (receiver.received() > 0).then(|| mos(delay_ms, unplayed)),
    }
}

/// ITU-T G.107 with everything but delay and loss at its default, for G.711 with concealment (G.113: Ie 0, Bpl 25.1).
fn mos(delay_ms: f32, loss: f32) -> f32 {
    let too_late = (delay_ms - 177.3).max(0.0);
    let percent = loss * 100.0;
    let rating = 93.2 - 0.024 * delay_ms - 0.11 * too_late - 95.0 * percent / (percent + 25.1);
    let rating = rating.clamp(0.0, 100.0);
    (1.0 + 0.035 * rating + rating * (rating - 60.0) * (100.0 - rating) * 7e-6).clamp(1.0, 4.5)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_listener_minds_loss_and_delay() {
        assert!((mos(20.0, 0.0) - 4.4).abs() < 0.02);
        assert!((mos(100.0, 0.02) - 4.15).abs() < 0.15);
        let mut last = 5.0;
        for loss in [0.0, 0.01, 0.05, 0.1, 0.3, 1.0] {
            let now = mos(50.0, loss);
            assert!(now < last && now >= 1.0, "{now} at {loss}");
            last = now;
        }
        assert!(mos(400.0, 0.0) < 3.7);
    }
}
