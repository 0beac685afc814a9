//! One RTP packet (RFC 3550 section 5.1).

use rtp_rs::{RtpPacketBuilder, RtpReader, Seq};

use super::{Malformed, PayloadType, RtpTimestamp, SeqNo, Ssrc};

/// Bytes of a header without contributing sources and extension: what we send.
pub const HEADER_LEN: usize = 12;

/// A packet, as read. Contributing sources, header extension and padding are read over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Packet<'a> {
    /// What the payload is.
    pub payload_type: PayloadType,
    /// The first of a talkspurt, or of an event.
    pub marker: bool,
    /// One up for each packet.
    pub seq: SeqNo,
    /// When its first sample was taken.
    pub timestamp: RtpTimestamp,
    /// Who sent it.
    pub ssrc: Ssrc,
    /// Without padding.
    pub payload: &'a [u8],
}

impl<'a> Packet<'a> {
    /// Reads a datagram.
    pub fn read(bytes: &'a [u8]) -> Result<Packet<'a>, Malformed> {
        let reader = RtpReader::new(bytes).map_err(|_| Malformed("RTP"))?;
        Ok(Packet {
            payload_type: PayloadType(reader.payload_type()),
            marker: reader.mark(),
            seq: SeqNo(reader.sequence_number().into()),
            timestamp: RtpTimestamp(reader.timestamp()),
            ssrc: Ssrc(reader.ssrc()),
            payload: reader.payload(),
        })
    }

    /// The datagram to send; `spare` bytes may be appended to it without another allocation.
    pub fn write(&self, spare: usize) -> Vec<u8> {
        let mut bytes = Vec::new();
        self.write_into(spare, &mut bytes);
        bytes
    }

    /// As [`Packet::write`], into a buffer that has served before; what is in it is forgotten.
    pub fn write_into(&self, spare: usize, bytes: &mut Vec<u8>) {
        let length = HEADER_LEN + self.payload.len();
        bytes.clear();
        bytes.reserve(length + spare);
        bytes.resize(length, 0);
        RtpPacketBuilder::new()
            // The highest bit would be the marker.
            .payload_type(self.payload_type.0 & 0x7f)
            .marked(self.marker)
            .sequence(Seq::from(self.seq.0))
            .timestamp(self.timestamp.0)
            .ssrc(self.ssrc.0)
            .payload(self.payload)
            .build_into_unchecked(bytes);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_is_written_is_read() {
        let packet = Packet {
            payload_type: PayloadType(101),
            marker: true,
            seq: SeqNo(65_535),
            timestamp: RtpTimestamp(0x0102_0304),
            ssrc: Ssrc(0xdead_beef),
            payload: &[1, 2, 3],
        };
        let bytes = packet.write(0);
        assert_eq!(bytes[..12], [0x80, 0x80 | 101, 0xff, 0xff, 1, 2, 3, 4, 0xde, 0xad, 0xbe, 0xef]);
        assert_eq!(Packet::read(&bytes), Ok(packet));
    }

    #[test]
    fn sources_extension_and_padding_are_read_over() {
        let mut bytes = vec![0xb1, 0, 0, 1, 0, 0, 0, 2, 0, 0, 0, 3];
        bytes.extend([9, 9, 9, 9]);
        bytes.extend([0xbe, 0xde, 0, 1, 7, 7, 7, 7]);
        bytes.extend([42, 43, 0, 2]);
        assert_eq!(Packet::read(&bytes).unwrap().payload, [42, 43]);
    }

    #[test]
    fn what_is_no_rtp_is_refused() {
        for bytes in [&[][..], &[0x80; 11], &[0x40; 20], &[0xa0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 9]] {
            assert_eq!(Packet::read(bytes), Err(Malformed("RTP")));
        }
    }

    proptest! {
        #[test]
        fn no_bytes_panic(mut bytes in prop::collection::vec(any::<u8>(), 0..80), version in any::<bool>()) {
            if let (true, Some(first)) = (version, bytes.first_mut()) {
                *first = *first & 0x3f | 0x80;
            }
            let _ = Packet::read(&bytes);
        }
    }
}
