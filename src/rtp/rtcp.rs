//! Compound RTCP packets: SR or RR, SDES with CNAME, BYE (RFC 3550 section 6).

use rand_core::RngCore;
use rtcp_types::prelude::*;
use rtcp_types::{Bye, Compound, Packet, ReceiverReport, ReportBlock, SdesChunk, SdesItem, SenderReport};

use super::{Malformed, RtpTimestamp, Ssrc, xr};

/// Report blocks that are kept of one compound packet: one call has one or two sources.
const MAX_BLOCKS: usize = 31;

/// What a sender says of itself (section 6.4.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SenderInfo {
    /// The time in seconds, 32.32 fixed point. Ours is the time since the session began, as the RFC allows.
    pub ntp: u64,
    /// The same instant in the stream's timestamps.
    pub rtp_timestamp: RtpTimestamp,
    /// Packets sent.
    pub packets: u32,
    /// Bytes of payload sent.
    pub octets: u32,
}

impl SenderInfo {
    /// The middle 32 bits of the time, which a receiver sends back as LSR.
    pub fn middle_of_ntp(&self) -> u32 {
        (self.ntp >> 16) as u32
    }
}

/// What a receiver says of one source (section 6.4.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Block {
    /// The source.
    pub ssrc: Ssrc,
    /// Loss since the last report, in 256ths.
    pub fraction_lost: u8,
    /// Packets lost from the beginning, 24 bits signed: duplicates make it negative.
    pub cumulative_lost: i32,
    /// The highest sequence number, extended.
    pub highest_seq: u32,
    /// Interarrival jitter in timestamp units.
    pub jitter: u32,
    /// The middle of the NTP time of the last SR of the source, 0 when there was none.
    pub last_sr: u32,
    /// From that SR to this report in 1/65536 s.
    pub delay_since_last_sr: u32,
}

/// A compound packet, as read.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Incoming {
    /// Who reports.
    pub ssrc: Option<Ssrc>,
    /// Present in a sender report.
    pub sender: Option<SenderInfo>,
    /// Of the sources that the reporter receives.
    pub blocks: Vec<Block>,
    /// Whether a source says goodbye.
    pub bye: bool,
}

/// Whether a datagram at a port that RTP and RTCP share is RTCP: RFC 5761 section 4 keeps 192 to 223 free for its packet types.
pub fn is_rtcp(bytes: &[u8]) -> bool {
    matches!(bytes, [first, 192..=223, ..] if first >> 6 == 2)
}

/// Reads a datagram. What follows a broken part of it is left out.
pub fn read(bytes: &[u8]) -> Result<Incoming, Malformed> {
    let compound = Compound::parse(bytes).map_err(|_| Malformed("RTCP"))?;
    let mut incoming = Incoming::default();
    for packet in compound.map_while(Result::ok) {
        match packet {
            Packet::Sr(report) => {
                incoming.ssrc = Some(Ssrc(report.ssrc()));
                incoming.sender = Some(SenderInfo {
                    ntp: report.ntp_timestamp(),
                    rtp_timestamp: RtpTimestamp(report.rtp_timestamp()),
                    packets: report.packet_count(),
                    octets: report.octet_count(),
                });
                take_blocks(&mut incoming, report.report_blocks());
            }
            Packet::Rr(report) => {
                incoming.ssrc.get_or_insert(Ssrc(report.ssrc()));
                take_blocks(&mut incoming, report.report_blocks());
            }
            Packet::Bye(_) => incoming.bye = true,
            // The CNAME has no use with one peer, and the rest is not negotiated.
            Packet::Sdes(_)
            | Packet::App(_)
            | Packet::TransportFeedback(_)
            | Packet::PayloadFeedback(_)
            | Packet::Xr(_)
            | Packet::Unknown(_) => {}
        }
    }
    if incoming.ssrc.is_none() && !incoming.bye { Err(Malformed("RTCP")) } else { Ok(incoming) }
}

fn take_blocks<'a>(incoming: &mut Incoming, blocks: impl Iterator<Item = ReportBlock<'a>>) {
    let room = MAX_BLOCKS.saturating_sub(incoming.blocks.len());
    incoming.blocks.extend(blocks.take(room).map(|block| Block {
        ssrc: Ssrc(block.ssrc()),
        fraction_lost: block.fraction_lost(),
        // 24 bits with sign.
        cumulative_lost: ((block.cumulative_lost() << 8) as i32) >> 8,
        highest_seq: block.extended_sequence_number(),
        jitter: block.interarrival_jitter(),
        last_sr: block.last_sender_report_timestamp(),
        delay_since_last_sr: block.delay_since_last_sender_report_timestamp(),
    }));
}

/// A compound packet to write.
#[derive(Debug, Clone, Copy)]
pub struct Outgoing<'a> {
    /// We.
    pub ssrc: Ssrc,
    /// Present when RTP was sent lately: an SR, else an RR.
    pub sender: Option<SenderInfo>,
    /// Of the source that we receive, if any.
    pub block: Option<Block>,
    /// See [`random_cname`].
    pub cname: &'a str,
    /// What goes with it where the peer asks for it (RFC 3611).
    pub extended: xr::Report,
    /// Whether we say goodbye.
    pub bye: bool,
}

impl Outgoing<'_> {
    /// The datagram to send.
    pub fn write(&self) -> Vec<u8> {
        let block = self.block.map(|block| {
            let lost = block.cumulative_lost.clamp(-0x80_0000, 0x7f_ffff);
            ReportBlock::builder(block.ssrc.0)
                .fraction_lost(block.fraction_lost)
                .cumulative_lost(lost as u32 & 0xff_ffff)
                .extended_sequence_number(block.highest_seq)
                .interarrival_jitter(block.jitter)
                .last_sender_report_timestamp(block.last_sr)
                .delay_since_last_sender_report_timestamp(block.delay_since_last_sr)
        });
        let mut compound = Compound::builder();
        compound = match &self.sender {
            Some(info) => {
                let report = SenderReport::builder(self.ssrc.0)
                    .ntp_timestamp(info.ntp)
                    .rtp_timestamp(info.rtp_timestamp.0)
                    .packet_count(info.packets)
                    .octet_count(info.octets);
                compound.add_packet(block.into_iter().fold(report, |report, block| report.add_report_block(block)))
            }
            None => {
                let report = ReceiverReport::builder(self.ssrc.0);
                compound.add_packet(block.into_iter().fold(report, |report, block| report.add_report_block(block)))
            }
        };
        let cname = SdesItem::builder(SdesItem::CNAME, self.cname);
        let chunk = SdesChunk::builder(self.ssrc.0).add_item(cname);
        compound = compound.add_packet(rtcp_types::Sdes::builder().add_chunk(chunk));
        // RFC 3550 section 6.1: the goodbye is the last.
        if self.bye && self.extended.is_empty() {
            compound = compound.add_packet(Bye::builder().add_source(self.ssrc.0));
        }
        // It can't be refused: one block, one chunk, a CNAME of 16 letters.
        let mut bytes = vec![0; compound.calculate_size().unwrap_or_default()];
        match compound.write_into(&mut bytes) {
            Ok(length) => bytes.truncate(length),
            Err(error) => {
                tracing::error!(%error, "RTCP can't be written");
                bytes.clear();
            }
        }
        if !self.extended.is_empty() {
            self.extended.write(self.ssrc, &mut bytes);
            if self.bye {
                bytes.extend([0x81, 203, 0, 1]);
                bytes.extend(self.ssrc.0.to_be_bytes());
            }
        }
        bytes
    }
}

/// A CNAME that tells nothing of us: 96 random bits in base64 (RFC 7022 section 4.2).
pub fn random_cname(random: &mut impl RngCore) -> String {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    (0..16).map(|_| char::from(ALPHABET[(random.next_u32() & 63) as usize])).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rand_core::SeedableRng;

    use super::*;

    const INFO: SenderInfo =
        SenderInfo { ntp: 0x0000_0001_8000_0000, rtp_timestamp: RtpTimestamp(99), packets: 7, octets: 1120 };

    fn block() -> Block {
        Block {
            ssrc: Ssrc(5),
            fraction_lost: 64,
            cumulative_lost: -3,
            highest_seq: 0x1_0007,
            jitter: 12,
            last_sr: 0x1_8000,
            delay_since_last_sr: 0x8000,
        }
    }

    fn outgoing(sender: Option<SenderInfo>, block: Option<Block>, bye: bool) -> Outgoing<'static> {
        let extended = xr::Report::default();
        Outgoing { ssrc: Ssrc(77), sender, block, cname: "abcdefghijklmnop", extended, bye }
    }

    #[test]
    fn reports_are_read_as_written() {
        for sender in [None, Some(INFO)] {
            for block in [None, Some(block())] {
                for bye in [false, true] {
                    let bytes = outgoing(sender, block, bye).write();
                    let blocks = block.into_iter().collect();
                    assert_eq!(read(&bytes), Ok(Incoming { ssrc: Some(Ssrc(77)), sender, blocks, bye }));
                    // RFC 3550 6.1: a report first, and the CNAME in every compound packet.
                    assert_eq!(bytes[1], if sender.is_some() { 200 } else { 201 });
                    assert!(bytes.windows(16).any(|window| window == b"abcdefghijklmnop"));
                    assert_eq!(bytes.len() % 4, 0);
                }
            }
        }
        assert_eq!(INFO.middle_of_ntp(), 0x1_8000);
    }

    #[test]
    fn an_extended_report_stands_before_the_goodbye() {
        let extended = xr::Report { reference_time: Some(7 << 32), ..xr::Report::default() };
        let bytes = Outgoing { extended, ..outgoing(None, Some(block()), true) }.write();
        let incoming = read(&bytes).unwrap();
        assert!(incoming.bye && incoming.blocks.len() == 1);
        assert_eq!(xr::Report::read(&bytes, Ssrc(1)), Ok(xr::Report { ssrc: Some(Ssrc(77)), ..extended }));
        assert_eq!(bytes[bytes.len() - 8..], [0x81, 203, 0, 1, 0, 0, 0, 77]);
    }

    #[test]
    fn what_follows_a_broken_part_is_left_out() {
        let mut bytes = outgoing(Some(INFO), None, false).write();
        bytes.extend([0x9f, 203, 0, 0]); // A BYE that promises 31 sources.
        let incoming = read(&bytes).unwrap();
        assert!(incoming.sender.is_some() && !incoming.bye);
        assert_eq!(read(&[0x80, 0xcb]), Err(Malformed("RTCP")));
        assert_eq!(read(&[]), Err(Malformed("RTCP")));
    }

    #[test]
    fn the_cname_is_96_random_bits() {
        let mut random = rand_chacha::ChaCha12Rng::from_seed([1; 32]);
        let (one, other) = (random_cname(&mut random), random_cname(&mut random));
        assert_eq!((one.len(), other.len()), (16, 16));
        assert_ne!(one, other);
    }

    proptest! {
        #[test]
        fn no_bytes_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let _ = read(&bytes);
        }

        #[test]
        fn no_change_of_a_real_packet_panics(
            changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..6),
            cut in 0usize..120,
            bye in any::<bool>(),
        ) {
            let mut bytes = outgoing(Some(INFO), Some(block()), bye).write();
            for (index, value) in changes {
                let at = index.index(bytes.len());
                bytes[at] = value;
            }
            bytes.truncate(bytes.len().max(cut) - cut.min(bytes.len()));
            let _ = read(&bytes);
        }

        #[test]
        fn no_list_of_small_packets_panics(
            packets in prop::collection::vec((0u8..64, 192u8..210, prop::collection::vec(any::<u32>(), 0..9)), 1..5),
        ) {
            let mut bytes = Vec::new();
            for (count, kind, words) in packets {
                bytes.extend([0x80 | count, kind, 0, words.len() as u8]);
                bytes.extend(words.iter().flat_map(|word| word.to_be_bytes()));
            }
            let _ = read(&bytes);
        }
    }
}
