//! The figures of a call, and what a listener would say to them.

use std::time::Duration;

use super::receive::Receiver;
use super::report::Heard;
use crate::media::emodel::{self, Delay, Quality};
use crate::rtp::Ssrc;
use crate::rtp::xr::{BurstMetrics, VoipMetrics};
use crate::sdp::Codec;

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
    /// Estimated quality of what we hear, 1 to 4.5 (ITU-T G.107); `None` until something came.
    pub mos: Option<f32>,
    /// The same of what the peer hears, as it reports it.
    #[serde(default)]
    pub mos_remote: Option<f32>,
    /// The share of our packets that the peer lost lately, 0 to 1.
    #[serde(default)]
    pub loss_remote: Option<f32>,
    /// Jitter of our packets at the peer, in milliseconds.
    #[serde(default)]
    pub jitter_remote_ms: Option<f32>,
}

/// What the figures are made of beside the receiver's.
pub(super) struct Ends {
    pub codec: Codec,
    pub ptime_ms: u8,
    pub round_trip: Option<Duration>,
    pub bursts: BurstMetrics,
    /// What the peer says of our stream.
    pub heard: Heard,
}

impl Ends {
    fn rtt_ms(&self) -> Option<f32> {
        self.round_trip.map(|trip| trip.as_secs_f32() * 1000.0)
    }

    /// How well we hear the peer: from its mouth to our ear.
    fn here(&self, receiver: &Receiver) -> Quality {
        let (_, unplayed) = receiver.loss();
        let delay = self.rtt_ms().unwrap_or(0.0) / 2.0 + receiver.waiting_ms() + f32::from(self.ptime_ms);
        // G.107 clause 7.5: how much longer the runs of losses are than at random.
        let burst_ratio = self.bursts.mean_loss_run * (1.0 - self.bursts.loss);
        emodel::quality(self.codec, Delay(delay), unplayed, burst_ratio)
    }

    /// How well the peer hears us: as it says itself, else from what it reports. Its buffer is taken for twice the jitter.
    fn there(&self) -> Option<f32> {
        let said = self.heard.voip.and_then(|voip| voip.mos_cq.or(voip.mos_lq));
        said.or_else(|| {
            let delay = self.rtt_ms().unwrap_or(0.0) / 2.0 + 2.0 * self.jitter_there_ms() + f32::from(self.ptime_ms);
            Some(emodel::quality(self.codec, Delay(delay), self.heard.loss?, 1.0).mos)
        })
    }

    fn jitter_there_ms(&self) -> f32 {
        self.heard.jitter as f32 * 1000.0 / self.codec.clock_rate() as f32
    }
}

pub(super) fn stats(ends: &Ends, sent: u64, receiver: &Receiver) -> Stats {
    let (loss, _) = receiver.loss();
    let played = receiver.played();
    Stats {
        sent,
        received: receiver.received(),
        lost: receiver.lost(),
        discarded: receiver.discarded(),
        strangers: receiver.strangers(),
        rtt_ms: ends.rtt_ms(),
        jitter_ms: receiver.jitter_ms(),
        loss,
        buffer_ms: receiver.waiting_ms(),
        target_ms: receiver.target_ms(),
        concealed: played.concealed,
        stretched: played.stretched,
        squeezed: played.squeezed,
        mos: (receiver.received() > 0).then(|| ends.here(receiver).mos),
        mos_remote: ends.there(),
        loss_remote: ends.heard.loss,
        jitter_remote_ms: ends.heard.loss.map(|_| ends.jitter_there_ms()),
    }
}

/// The same for the peer (RFC 3611 section 4.7).
pub(super) fn voip_metrics(source: Ssrc, ends: &Ends, receiver: &Receiver) -> VoipMetrics {
    let quality = ends.here(receiver);
    let packets = |count: f32| (count * f32::from(ends.ptime_ms)).min(65_535.0) as u16;
    let expected = (receiver.received() as f32).max(1.0);
    let whole = |milliseconds: f32| milliseconds.clamp(0.0, 65_535.0) as u16;
    VoipMetrics {
        ssrc: source,
        loss: ends.bursts.loss,
        discard: (receiver.discarded() as f32 / expected).min(1.0),
        burst_density: ends.bursts.burst_density,
        gap_density: ends.bursts.gap_density,
        burst_ms: packets(ends.bursts.burst_packets),
        gap_ms: packets(ends.bursts.gap_packets),
        round_trip_ms: whole(ends.rtt_ms().unwrap_or(0.0)),
        end_system_ms: whole(receiver.waiting_ms() + f32::from(ends.ptime_ms)),
        rating: Some(quality.rating.round() as u8),
        mos_lq: Some(quality.listening),
        mos_cq: Some(quality.mos),
        buffer_ms: whole(receiver.waiting_ms()),
        buffer_max_ms: whole(receiver.waiting_ms().max(200.0)),
    }
}
