//! One offer with its answer: what both sides want of the one stream.

use std::net::SocketAddr;

use sipx_sdp::Direction;

use super::super::describe::{self, Audio};
use super::super::ice;
use super::super::numbers::Formats;
use super::{ComfortNoise, HoldStyle, Intent, LocalMedia, Negotiated, Protection, Refusal};

/// One offer with its answer, seen from our side.
pub(super) struct Exchange<'a> {
    pub(super) local: &'a LocalMedia,
    pub(super) intent: Intent,
    /// The peer's stream.
    pub(super) audio: &'a Audio,
    /// The formats in common under the peer's numbers, in its order.
    pub(super) send: &'a Formats,
    /// Both sides take RTCP at the RTP port.
    pub(super) rtcp_mux: bool,
    /// What both sides agree on about ICE.
    pub(super) ice: Option<ice::Agreed>,
}

impl Exchange<'_> {
    /// Our direction: what both want (RFC 3264 section 6.1).
    pub(super) fn direction(&self) -> Direction {
        let (ours, theirs) = (self.intent.direction(), self.audio.direction);
        describe::direction_of(ours.sends() && theirs.receives(), ours.receives() && theirs.sends())
    }

    /// What it comes to; `receive` has the formats under the numbers that we accept.
    pub(super) fn outcome(
        &self,
        receive: &Formats,
        known: Option<SocketAddr>,
        ptime_ms: u8,
    ) -> Result<Negotiated, Refusal> {
        let Some(&(send_payload_type, codec)) = self.send.codecs.first() else {
            return Err(Refusal::NoCommonCodec { offered: self.audio.names.clone() });
        };
        let (local, audio) = (self.local, self.audio);
        if audio.rtp.is_some_and(|rtp| rtp.is_ipv4() != local.address.is_ipv4()) {
            return Err(Refusal::NoAudio);
        }
        let nowhere = SocketAddr::new(local.address, local.rtp_port);
        let direction = self.direction();
        let talking = self.intent == Intent::Talk;
        let speaking = talking || self.intent == Intent::Hold(HoldStyle::Music);
        Ok(Negotiated {
            remote_rtp: audio.rtp.or(known).or(audio.origin).unwrap_or(nowhere),
            remote_rtcp: if self.rtcp_mux { audio.rtp } else { audio.rtcp },
            rtcp_mux: self.rtcp_mux,
            xr: audio.xr.unwrap_or_default(),
            ice: self.ice.clone(),
            codec,
            send_payload_type,
            receive: receive.codecs.clone(),
            send_telephone_event: self.send.telephone_event_for(codec),
            receive_telephone_events: receive.telephone_events.clone(),
            comfort_noise: ComfortNoise {
                send: self.send.comfort_noise_for(codec),
                receive: receive.comfort_noises.clone(),
            },
            opus: audio.opus,
            ptime_ms: audio.ptime_ms(ptime_ms),
            send: speaking && direction.sends(),
            receive_audio: talking && direction.receives(),
            held_by_peer: !audio.direction.receives(),
            protection: Protection::None,
        })
    }
}
