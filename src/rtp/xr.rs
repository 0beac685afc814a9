//! Extended reports (RFC 3611): the receiver's reference time and its answer, and the metrics of a voice call.

use super::{Malformed, Ssrc};

/// The packet type (section 2).
pub const PACKET_TYPE: u8 = 207;
/// Packets lost that make a gap a burst need so many received between them (section 4.7.2).
const GMIN: u64 = 16;
/// A figure of one byte that is not known (section 4.7.4 and on).
const UNKNOWN: u8 = 127;

/// The answer to one participant's reference time (section 4.5).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Dlrr {
    /// Whose.
    pub ssrc: Ssrc,
    /// The middle 32 bits of its reference time.
    pub last_rr: u32,
    /// From that to this report, in 1/65536 s.
    pub delay_since_last_rr: u32,
}

/// The metrics of a stream as its receiver has them (section 4.7).
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct VoipMetrics {
    /// The stream.
    pub ssrc: Ssrc,
    /// Lost and discarded so far, 0 to 1.
    pub loss: f32,
    /// See `loss`.
    pub discard: f32,
    /// The share of bad packets in bursts and in the gaps between them, 0 to 1.
    pub burst_density: f32,
    /// See `burst_density`.
    pub gap_density: f32,
    /// The mean length of a burst and of a gap in milliseconds.
    pub burst_ms: u16,
    /// See `burst_ms`.
    pub gap_ms: u16,
    /// Round trip between the RTP interfaces, in milliseconds; 0: not known.
    pub round_trip_ms: u16,
    /// What the end itself adds in milliseconds, both ways together.
    pub end_system_ms: u16,
    /// The E-model's rating, 0 to 100; `None`: not known.
    pub rating: Option<u8>,
    /// Listening and conversational quality, 1 to 5.
    pub mos_lq: Option<f32>,
    /// See `mos_lq`.
    pub mos_cq: Option<f32>,
    /// The jitter buffer in milliseconds: as it is now, and the most it may be.
    pub buffer_ms: u16,
    /// See `buffer_ms`.
    pub buffer_max_ms: u16,
}

/// The blocks of an extended report that this phone knows.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Report {
    /// Who sent it.
    pub ssrc: Option<Ssrc>,
    /// Its reference time, 32.32 fixed point (section 4.4).
    pub reference_time: Option<u64>,
    /// Its answer to our reference time.
    pub dlrr: Option<Dlrr>,
    /// What it hears of us.
    pub voip: Option<VoipMetrics>,
}

impl Report {
    /// Whether there is nothing to say.
    pub fn is_empty(&self) -> bool {
        self.reference_time.is_none() && self.dlrr.is_none() && self.voip.is_none()
    }

    /// Appends the packet to a compound one (section 2).
    pub fn write(&self, ours: Ssrc, out: &mut Vec<u8>) {
        if self.is_empty() {
            return;
        }
        let start = out.len();
        out.extend([0x80, PACKET_TYPE, 0, 0]);
        out.extend(ours.0.to_be_bytes());
        if let Some(time) = self.reference_time {
            out.extend([4, 0, 0, 2]);
            out.extend(time.to_be_bytes());
        }
        if let Some(dlrr) = self.dlrr {
            out.extend([5, 0, 0, 3]);
            for word in [dlrr.ssrc.0, dlrr.last_rr, dlrr.delay_since_last_rr] {
                out.extend(word.to_be_bytes());
            }
        }
        if let Some(voip) = &self.voip {
            voip.write(out);
        }
        let words = ((out.len() - start) / 4 - 1) as u16;
        if let Some(length) = out.get_mut(start + 2..start + 4) {
            length.copy_from_slice(&words.to_be_bytes());
        }
    }

    /// Reads the extended reports of a compound packet; blocks that are not known, or broken, are read over. `ours` is whom
    /// a DLRR answers.
    pub fn read(compound: &[u8], ours: Ssrc) -> Result<Report, Malformed> {
        let mut report = Report::default();
        let mut rest = compound;
        while let [first, kind, high, low, ..] = rest {
            let length = 4 * (usize::from(u16::from_be_bytes([*high, *low])) + 1);
            let packet = rest.get(..length).filter(|_| first >> 6 == 2).ok_or(Malformed("RTCP"))?;
            if *kind == PACKET_TYPE {
                report.read_packet(packet, ours);
            }
            rest = rest.get(length..).unwrap_or_default();
        }
        Ok(report)
    }

    fn read_packet(&mut self, packet: &[u8], ours: Ssrc) {
        let Some(ssrc) = word(packet, 1) else { return };
        self.ssrc = Some(Ssrc(ssrc));
        let mut rest = packet.get(8..).unwrap_or_default();
        while let [kind, _, high, low, ..] = rest {
            let length = 4 * (usize::from(u16::from_be_bytes([*high, *low])) + 1);
            let Some(block) = rest.get(..length) else { return };
            match (kind, length) {
                (4, 12) => {
                    let (high, low) = (word(block, 1).unwrap_or_default(), word(block, 2).unwrap_or_default());
                    self.reference_time = Some(u64::from(high) << 32 | u64::from(low));
                }
                (5, _) => {
                    for part in block.get(4..).unwrap_or_default().chunks_exact(12) {
                        if let [Some(ssrc), Some(last_rr), Some(delay)] = [word(part, 0), word(part, 1), word(part, 2)]
                            && Ssrc(ssrc) == ours
                        {
                            self.dlrr = Some(Dlrr { ssrc: ours, last_rr, delay_since_last_rr: delay });
                        }
                    }
                }
                (7, 36) => self.voip = VoipMetrics::read(block),
                _ => {}
            }
            rest = rest.get(length..).unwrap_or_default();
        }
    }
}

fn word(bytes: &[u8], index: usize) -> Option<u32> {
    let four = bytes.get(4 * index..4 * index + 4)?;
    Some(u32::from_be_bytes(four.try_into().ok()?))
}

/// Section 4.7.1: the binary point at the left edge.
fn fraction(share: f32) -> u8 {
    (share * 256.0).clamp(0.0, 255.0) as u8
}

impl VoipMetrics {
    fn write(&self, out: &mut Vec<u8>) {
        out.extend([7, 0, 0, 8]);
        out.extend(self.ssrc.0.to_be_bytes());
        out.extend([self.loss, self.discard, self.burst_density, self.gap_density].map(fraction));
        for milliseconds in [self.burst_ms, self.gap_ms, self.round_trip_ms, self.end_system_ms] {
            out.extend(milliseconds.to_be_bytes());
        }
        // Levels and echo are not measured here.
        out.extend([UNKNOWN, UNKNOWN, UNKNOWN, GMIN as u8]);
        let tenths = |mos: Option<f32>| mos.map_or(UNKNOWN, |mos| (mos * 10.0).round().clamp(10.0, 50.0) as u8);
        out.extend([self.rating.unwrap_or(UNKNOWN), UNKNOWN, tenths(self.mos_lq), tenths(self.mos_cq)]);
        // Section 4.7.6: enhanced concealment, an adaptive buffer, its rate not told.
        out.extend([0b1011_0000, 0]);
        for milliseconds in [self.buffer_ms, self.buffer_max_ms, self.buffer_max_ms] {
            out.extend(milliseconds.to_be_bytes());
        }
    }

    fn read(block: &[u8]) -> Option<VoipMetrics> {
        let share = |index: usize| block.get(index).map(|byte| f32::from(*byte) / 256.0);
        let number = |index: usize| Some(u16::from_be_bytes(block.get(index..index + 2)?.try_into().ok()?));
        // Section 4.7.5: what is out of range is ignored.
        let mos =
            |index: usize| block.get(index).filter(|mos| (10..=50).contains(*mos)).map(|mos| f32::from(*mos) / 10.0);
        Some(VoipMetrics {
            ssrc: Ssrc(word(block, 1)?),
            loss: share(8)?,
            discard: share(9)?,
            burst_density: share(10)?,
            gap_density: share(11)?,
            burst_ms: number(12)?,
            gap_ms: number(14)?,
            round_trip_ms: number(16)?,
            end_system_ms: number(18)?,
            rating: block.get(24).copied().filter(|rating| *rating <= 100),
            mos_lq: mos(26),
            mos_cq: mos(27),
            buffer_ms: number(30)?,
            buffer_max_ms: number(32)?,
        })
    }
}

/// What became of a packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fate {
    /// Played.
    Received,
    /// It never came.
    Lost,
    /// It came too late.
    Discarded,
}

/// Bursts and gaps of lost packets (section 4.7.2, counted as appendix A.2 does).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Bursts {
    /// Received since the last bad one.
    run: u64,
    /// Bad ones in the burst that may be going on.
    bad: u64,
    lost: u64,
    discarded: u64,
    c11: u64,
    c13: u64,
    c14: u64,
    c22: u64,
    c23: u64,
    c33: u64,
    /// How often a bad one came after a good one.
    runs: u64,
    any_bad: bool,
}

/// Of bursts and gaps.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct BurstMetrics {
    /// Shares of packets, 0 to 1.
    pub loss: f32,
    /// See `loss`.
    pub discard: f32,
    /// Shares of bad packets.
    pub burst_density: f32,
    /// See `burst_density`.
    pub gap_density: f32,
    /// Mean lengths in packets.
    pub burst_packets: f32,
    /// See `burst_packets`.
    pub gap_packets: f32,
    /// The mean number of bad packets side by side.
    pub mean_loss_run: f32,
}

impl Bursts {
    /// Counts the next packet in order.
    pub fn count(&mut self, fate: Fate) {
        match fate {
            Fate::Received => {
                self.run += 1;
                return;
            }
            Fate::Lost => self.lost += 1,
            Fate::Discarded => self.discarded += 1,
        }
        if self.run > 0 || !self.any_bad {
            self.runs += 1;
        }
        // The session is preceded by packets that were received, as it were.
        if self.run >= GMIN || !self.any_bad {
            if self.any_bad {
                self.end_burst();
            }
            self.bad = 1;
            self.c11 += self.run;
        } else {
            self.bad += 1;
            if self.run == 0 {
                self.c33 += 1;
            } else {
                self.c23 += 1;
                self.c22 += self.run - 1;
            }
        }
        self.any_bad = true;
        self.run = 0;
    }

    fn end_burst(&mut self) {
        if self.bad == 1 { self.c14 += 1 } else { self.c13 += 1 }
    }

    /// The figures so far; the report is followed by packets that are received, as it were.
    pub fn metrics(&self) -> BurstMetrics {
        let mut end = *self;
        if end.any_bad {
            end.end_burst();
        }
        end.c11 += end.run;
        // Each burst begins with a bad packet that the counts of transitions leave out, and has a good one where it pauses.
        let in_bursts = end.c13 + end.c33 + 2 * end.c23 + end.c22;
        let bad_in_bursts = end.c13 + end.c33 + end.c23;
        let in_gaps = end.c11 + end.c14;
        let all = (in_bursts + in_gaps).max(1) as f32;
        let share = |part: u64, of: u64| if of == 0 { 0.0 } else { part as f32 / of as f32 };
        // A burst lies between two gaps, at the ends of the session too.
        BurstMetrics {
            loss: end.lost as f32 / all,
            discard: end.discarded as f32 / all,
            burst_density: share(bad_in_bursts, in_bursts),
            gap_density: share(end.c14, in_gaps),
            burst_packets: share(in_bursts, end.c13),
            gap_packets: share(in_gaps, end.c13 + 1),
            mean_loss_run: share(end.lost + end.discarded, end.runs),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn metrics() -> VoipMetrics {
        VoipMetrics {
            ssrc: Ssrc(0x0102_0304),
            loss: 0.25,
            discard: 0.125,
            burst_density: 0.5,
            gap_density: 0.0625,
            burst_ms: 120,
            gap_ms: 520,
            round_trip_ms: 80,
            end_system_ms: 65,
            rating: Some(89),
            mos_lq: Some(4.3),
            mos_cq: Some(4.2),
            buffer_ms: 40,
            buffer_max_ms: 140,
        }
    }

    #[test]
    fn a_report_is_laid_out_as_the_rfc_has_it() {
        let report = Report {
            ssrc: None,
            reference_time: Some(0x1111_2222_3333_4444),
            dlrr: Some(Dlrr { ssrc: Ssrc(9), last_rr: 0x2222_3333, delay_since_last_rr: 0x8000 }),
            voip: Some(metrics()),
        };
        let mut bytes = Vec::new();
        report.write(Ssrc(7), &mut bytes);
        let expected: [&[u8]; 6] = [
            &[0x80, 207, 0, 17, 0, 0, 0, 7],
            &[4, 0, 0, 2, 0x11, 0x11, 0x22, 0x22, 0x33, 0x33, 0x44, 0x44],
            &[5, 0, 0, 3, 0, 0, 0, 9, 0x22, 0x22, 0x33, 0x33, 0, 0, 0x80, 0],
            &[7, 0, 0, 8, 1, 2, 3, 4, 64, 32, 128, 16, 0, 120, 2, 8, 0, 80, 0, 65],
            &[127, 127, 127, 16, 89, 127, 43, 42],
            &[0xb0, 0, 0, 40, 0, 140, 0, 140],
        ];
        assert_eq!(bytes, expected.concat());
        // A whole one is read back, of a compound packet, too.
        let mut compound = vec![0x80, 201, 0, 1, 0, 0, 0, 7];
        compound.extend(&bytes);
        assert_eq!(Report::read(&compound, Ssrc(9)), Ok(Report { ssrc: Some(Ssrc(7)), ..report }));
        // An answer to somebody else is none.
        assert_eq!(Report::read(&bytes, Ssrc(8)).unwrap().dlrr, None);
        let mut nothing = Vec::new();
        Report::default().write(Ssrc(7), &mut nothing);
        assert!(nothing.is_empty());
    }

    #[test]
    fn what_is_out_of_range_is_ignored_and_unknown_blocks_are_read_over() {
        let mut voip = metrics();
        voip.rating = None;
        (voip.mos_lq, voip.mos_cq) = (None, None);
        let mut bytes = vec![0x80, 207, 0, 0, 0, 0, 0, 7];
        bytes.extend([99, 0, 0, 1, 1, 2, 3, 4]);
        voip.write(&mut bytes);
        let words = (bytes.len() / 4 - 1) as u8;
        bytes[3] = words;
        assert_eq!(Report::read(&bytes, Ssrc(1)).unwrap().voip, Some(voip));
    }

    /// The example of section 4.7.2: 64 packets, four of them bad within twelve, two alone.
    #[test]
    fn bursts_and_gaps_are_those_of_the_example() {
        let mut bursts = Bursts::default();
        for packet in "11110111111111111111111X111X1011110111111111111111111X111111111".chars() {
            bursts.count(match packet {
                '1' => Fate::Received,
                '0' => Fate::Lost,
                _ => Fate::Discarded,
            });
        }
        let metrics = bursts.metrics();
        assert_eq!(fraction(metrics.loss), 12);
        assert_eq!(fraction(metrics.discard), 12);
        // Four bad ones of twelve: 85 by the definition; the RFC's own example has 84.
        assert!((84..=85).contains(&fraction(metrics.burst_density)), "{metrics:?}");
        assert_eq!(fraction(metrics.gap_density), 10);
        // 10 ms a packet: the burst 120 ms, and the two gaps 230 and 280 ms of the pattern as it is printed.
        assert_eq!(metrics.burst_packets, 12.0);
        assert_eq!(metrics.gap_packets, 25.5);
    }

    #[test]
    fn without_loss_there_is_one_gap() {
        let mut bursts = Bursts::default();
        assert_eq!(bursts.metrics(), BurstMetrics::default());
        (0..50).for_each(|_| bursts.count(Fate::Received));
        assert_eq!(bursts.metrics(), BurstMetrics { gap_packets: 50.0, ..BurstMetrics::default() });
        // Two lost side by side are a burst.
        bursts.count(Fate::Lost);
        bursts.count(Fate::Lost);
        let metrics = bursts.metrics();
        assert_eq!((metrics.burst_packets, metrics.burst_density), (2.0, 1.0));
    }

    proptest! {
        #[test]
        fn no_bytes_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let _ = Report::read(&bytes, Ssrc(1));
        }

        #[test]
        fn no_blocks_panic(blocks in prop::collection::vec((0u8..9, 0u8..12, prop::collection::vec(any::<u32>(), 0..12)), 0..4)) {
            let mut bytes = vec![0x80, 207, 0, 0, 0, 0, 0, 7];
            for (kind, length, words) in blocks {
                bytes.extend([kind, 0, 0, length]);
                bytes.extend(words.iter().flat_map(|word| word.to_be_bytes()));
            }
            bytes[3] = (bytes.len() / 4 - 1) as u8;
            let _ = Report::read(&bytes, Ssrc(1));
        }

        #[test]
        fn every_packet_is_in_a_burst_or_a_gap(fates in prop::collection::vec(0u8..8, 0..400)) {
            let mut bursts = Bursts::default();
            for fate in &fates {
                bursts.count(match fate { 0 => Fate::Lost, 1 => Fate::Discarded, _ => Fate::Received });
            }
            let metrics = bursts.metrics();
            for share in [metrics.loss, metrics.discard, metrics.burst_density, metrics.gap_density] {
                prop_assert!((0.0..=1.0).contains(&share), "{:?}", metrics);
            }
            let bad = fates.iter().filter(|fate| **fate < 2).count() as f32;
            let share = (metrics.loss + metrics.discard) * fates.len() as f32;
            prop_assert!((share - bad).abs() < 0.01, "{share} {bad}");
        }
    }
}
