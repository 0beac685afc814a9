//! RTCP: what we report, and what the peer's reports tell us.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use rand_core::RngCore;

use super::receive::Receiver;
use super::send::Sender;
use super::source::same_host;
use crate::rtp::interval::ReportTimer;
use crate::rtp::rtcp::{self, Block, Outgoing, SenderInfo};
use crate::rtp::xr::{self, Dlrr, VoipMetrics};
use crate::rtp::{Ssrc, reception};
use crate::sdp::ExtendedReports;

/// A round trip of more is nonsense.
const LONGEST_ROUND_TRIP: Duration = Duration::from_secs(30);
/// As much is taken for none: the fixed point is not finer, and clocks may differ a little in speed. In 1/65536 s.
const FASTER_THAN_LIGHT: u32 = 66;

/// The last SR of the peer.
#[derive(Debug, Clone, Copy)]
struct PeerReport {
    ssrc: Ssrc,
    middle_of_ntp: u32,
    came: Instant,
}

/// What the peer says of our stream.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Heard {
    /// The share of our packets that it lost since the report before, 0 to 1.
    pub loss: Option<f32>,
    /// Jitter in timestamp units.
    pub jitter: u32,
    /// Its extended report.
    pub voip: Option<VoipMetrics>,
}

/// What is said beyond RFC 3550.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Extended {
    pub wanted: ExtendedReports,
    pub voip: Option<VoipMetrics>,
}

/// Reports of one session.
#[derive(Debug)]
pub(super) struct Reports {
    start: Instant,
    cname: String,
    timer: Option<ReportTimer>,
    sent: u64,
    /// RTP packets sent when the last report, and the one before, were made.
    packets_then: [u64; 2],
    peer: Option<PeerReport>,
    /// Its last reference time (RFC 3611 section 4.4).
    reference: Option<PeerReport>,
    heard: Heard,
    round_trip: Option<Duration>,
    /// Where the peer's RTCP really comes from.
    learnt: Option<SocketAddr>,
}

impl Reports {
    pub(super) fn new(start: Instant, cname: String) -> Reports {
        Reports {
            start,
            cname,
            timer: None,
            sent: 0,
            packets_then: [0; 2],
            peer: None,
            reference: None,
            heard: Heard::default(),
            round_trip: None,
            learnt: None,
        }
    }

    /// The peer takes RTCP; if this is new, the first report is due in a while.
    pub(super) fn begin(&mut self, now: Instant, random: &mut impl RngCore) {
        self.timer.get_or_insert_with(|| ReportTimer::new(now, random));
    }

    /// The peer has moved.
    pub(super) fn forget_address(&mut self) {
        self.learnt = None;
    }

    /// Where RTCP goes: to where it comes from; else, when RTP comes from another host, to the port beside it; else as
    /// signalled.
    pub(super) fn destination(&self, signalled: SocketAddr, latched: Option<SocketAddr>) -> SocketAddr {
        let elsewhere = latched.filter(|&address| !same_host(address, signalled));
        let beside = elsewhere.and_then(|mut address| {
            address.set_port(address.port().checked_add(1)?);
            Some(address)
        });
        self.learnt.or(beside).unwrap_or(signalled)
    }

    pub(super) fn poll_timeout(&self) -> Option<Instant> {
        self.timer.as_ref().map(ReportTimer::next)
    }

    pub(super) fn is_due(&mut self, now: Instant, random: &mut impl RngCore) -> bool {
        self.timer.as_mut().is_some_and(|timer| timer.is_due(now, random))
    }

    pub(super) fn has_sent(&self) -> bool {
        self.sent > 0
    }

    pub(super) fn round_trip(&self) -> Option<Duration> {
        self.round_trip
    }

    /// A datagram of the peer's host; `ours` is who we are in it. The part of our packets that it lost since its last report,
    /// 0 to 1, if it says so.
    pub(super) fn handle(&mut self, now: Instant, from: SocketAddr, bytes: &[u8], ours: Ssrc) -> Option<f32> {
        let report = rtcp::read(bytes).ok()?;
        if let Some(timer) = &mut self.timer {
            timer.saw_report(bytes.len());
        }
        self.learnt = Some(from);
        if let (Some(ssrc), Some(info)) = (report.ssrc, report.sender) {
            self.peer = Some(PeerReport { ssrc, middle_of_ntp: info.middle_of_ntp(), came: now });
        }
        for block in report.blocks.iter().filter(|block| block.ssrc == ours && block.last_sr != 0) {
            self.measure(now, block.last_sr, block.delay_since_last_sr);
        }
        if let Ok(extended) = xr::Report::read(bytes, ours) {
            self.take_extended(now, &extended, ours);
        }
        let block = report.blocks.iter().find(|block| block.ssrc == ours)?;
        let loss = f32::from(block.fraction_lost) / 256.0;
        (self.heard.loss, self.heard.jitter) = (Some(loss), block.jitter);
        Some(loss)
    }

    fn take_extended(&mut self, now: Instant, report: &xr::Report, ours: Ssrc) {
        if let (Some(ssrc), Some(time)) = (report.ssrc, report.reference_time) {
            self.reference = Some(PeerReport { ssrc, middle_of_ntp: (time >> 16) as u32, came: now });
        }
        if let Some(dlrr) = report.dlrr.filter(|dlrr| dlrr.last_rr != 0) {
            self.measure(now, dlrr.last_rr, dlrr.delay_since_last_rr);
        }
        self.heard.voip = report.voip.filter(|voip| voip.ssrc == ours).or(self.heard.voip);
    }

    /// What the peer says of our stream.
    pub(super) fn heard(&self) -> Heard {
        self.heard
    }

    /// RFC 3550 6.4.1: now, less when our SR left (or our reference time, RFC 3611 4.5), less how long the peer kept it.
    fn measure(&mut self, now: Instant, sent: u32, kept: u32) {
        let arrived = (self.ntp(now) >> 16) as u32;
        let trip = arrived.wrapping_sub(sent).wrapping_sub(kept);
        let trip = if trip.wrapping_neg() <= FASTER_THAN_LIGHT { 0 } else { trip };
        let trip = Duration::from_secs_f64(f64::from(trip) / 65536.0);
        if trip <= LONGEST_ROUND_TRIP {
            self.round_trip = Some(trip);
        }
    }

    /// RFC 3550 4: without a clock of the day, the time since the session began, 32.32 fixed point. The first second is
    /// left out: a time of 0 would read as none.
    fn ntp(&self, now: Instant) -> u64 {
        let since = now.saturating_duration_since(self.start) + Duration::from_secs(1);
        (since.as_secs() << 32) | ((u64::from(since.subsec_nanos()) << 32) / 1_000_000_000)
    }

    /// The report to send now.
    pub(super) fn write(
        &mut self,
        now: Instant,
        sender: &Sender,
        clock_rate: u32,
        receiver: &mut Receiver,
        extended: Extended,
        bye: bool,
    ) -> Vec<u8> {
        // RFC 3550 6.4: an SR from who sent since the last report but one.
        let packets = sender.packets();
        let sends = packets > self.packets_then[1];
        self.packets_then = [packets, self.packets_then[0]];
        let info = SenderInfo {
            ntp: self.ntp(now),
            rtp_timestamp: sender.timestamp_at(now, clock_rate),
            packets: packets as u32,
            octets: sender.octets() as u32,
        };
        let bytes = Outgoing {
            ssrc: sender.ssrc(),
            sender: sends.then_some(info),
            block: self.block(now, receiver),
            cname: &self.cname,
            extended: self.extended(now, sends, extended),
            bye,
        }
        .write();
        self.sent += 1;
        if let Some(timer) = &mut self.timer {
            timer.saw_report(bytes.len());
        }
        bytes
    }

    fn extended(&self, now: Instant, sends: bool, extended: Extended) -> xr::Report {
        let delay = |came: Instant| (now.saturating_duration_since(came).as_secs_f64() * 65536.0) as u32;
        xr::Report {
            ssrc: None,
            // Who sends has the round trip from its sender reports.
            reference_time: (extended.wanted.receiver_rtt && !sends).then(|| self.ntp(now)),
            dlrr: self.reference.filter(|_| extended.wanted.receiver_rtt).map(|peer| Dlrr {
                ssrc: peer.ssrc,
                last_rr: peer.middle_of_ntp,
                delay_since_last_rr: delay(peer.came),
            }),
            voip: extended.voip.filter(|_| extended.wanted.voip_metrics),
        }
    }

    fn block(&self, now: Instant, receiver: &mut Receiver) -> Option<Block> {
        let source = receiver.source_mut()?;
        let reception = &source.reception;
        let mark: reception::Mark = reception.mark();
        // RFC 3550 6.4.1: a block only of sources heard since the last report.
        if !reception.is_valid() || mark == source.reported {
            return None;
        }
        let loss = reception.loss_since(source.reported);
        let heard = self.peer.filter(|peer| peer.ssrc == source.ssrc);
        let block = Block {
            ssrc: source.ssrc,
            fraction_lost: (loss * 256.0).min(255.0) as u8,
            cumulative_lost: reception.lost().clamp(-0x80_0000, 0x7f_ffff) as i32,
            highest_seq: reception.highest_seq(),
            jitter: reception.jitter(),
            last_sr: heard.map_or(0, |peer| peer.middle_of_ntp),
            delay_since_last_sr: heard
                .map_or(0, |peer| (now.saturating_duration_since(peer.came).as_secs_f64() * 65536.0) as u32),
        };
        source.reported = mark;
        Some(block)
    }
}
