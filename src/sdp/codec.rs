//! The codecs that this build speaks, as a table.

/// An audio codec that this build can send and receive.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Codec {
    /// Opus (RFC 7587), 48 kHz.
    Opus,
    /// G.722 at 64 kbit/s, static payload type 9 (RFC 3551 section 4.5.2).
    G722,
    /// G.711 mu-law, static payload type 0 (RFC 3551 section 4.5.14).
    Pcmu,
    /// G.711 A-law, static payload type 8 (RFC 3551 section 4.5.14).
    Pcma,
    /// Linear 16-bit samples at 16 kHz, mono (RFC 3551 section 4.5.11).
    L16,
}

/// What the wire says of a codec.
struct Row {
    codec: Codec,
    name: &'static str,
    payload_type: u8,
    clock_rate: u32,
    channels: u8,
    sample_rate: u32,
    parameters: Option<&'static str>,
}

const fn row(codec: Codec, name: &'static str, payload_type: u8, clock_rate: u32, sample_rate: u32) -> Row {
    Row { codec, name, payload_type, clock_rate, channels: 1, sample_rate, parameters: None }
}

const TABLE: [Row; 5] = [
    // RFC 7587 section 7: always 48000 and two channels in the rtpmap, whatever is sent.
    Row { channels: 2, parameters: Some("useinbandfec=1"), ..row(Codec::Opus, "opus", 96, 48_000, 48_000) },
    // RFC 3551 section 4.5.2: the clock of 8000 is an old mistake that is kept.
    row(Codec::G722, "G722", 9, 8000, 16_000),
    row(Codec::Pcmu, "PCMU", 0, 8000, 8000),
    row(Codec::Pcma, "PCMA", 8, 8000, 8000),
    row(Codec::L16, "L16", 97, 16_000, 16_000),
];

impl Codec {
    /// All of them, in our order of preference.
    pub const ALL: [Codec; 5] = [Codec::Opus, Codec::G722, Codec::Pcmu, Codec::Pcma, Codec::L16];

    fn row(self) -> &'static Row {
        match self {
            Codec::Opus => &TABLE[0],
            Codec::G722 => &TABLE[1],
            Codec::Pcmu => &TABLE[2],
            Codec::Pcma => &TABLE[3],
            Codec::L16 => &TABLE[4],
        }
    }

    /// The encoding name of `a=rtpmap`.
    pub fn name(self) -> &'static str {
        self.row().name
    }

    /// The codec of an encoding name, in any case.
    pub fn from_name(name: &str) -> Option<Codec> {
        TABLE.iter().find(|row| row.name.eq_ignore_ascii_case(name)).map(|row| row.codec)
    }

    /// The codec that RFC 3551 table 4 binds to a payload type for good.
    pub fn of_static_type(number: u8) -> Option<Codec> {
        TABLE.iter().find(|row| row.payload_type == number && number < 96).map(|row| row.codec)
    }

    /// The payload type that we offer; below 96 it is bound for good (RFC 3551 table 4).
    pub fn payload_type(self) -> u8 {
        self.row().payload_type
    }

    /// RTP clock rate in Hz.
    pub fn clock_rate(self) -> u32 {
        self.row().clock_rate
    }

    /// Channels in `a=rtpmap`; 1 is left out there.
    pub fn channels(self) -> u8 {
        self.row().channels
    }

    /// Samples a second of the sound that goes in and comes out, in Hz; always mono.
    pub fn sample_rate(self) -> u32 {
        self.row().sample_rate
    }

    /// What `a=fmtp` says of our side.
    pub fn parameters(self) -> Option<&'static str> {
        self.row().parameters
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_in_the_order_of_the_codecs() {
        for codec in Codec::ALL {
            assert_eq!(codec.row().codec, codec);
            assert_eq!(Codec::from_name(&codec.name().to_lowercase()), Some(codec));
        }
        assert_eq!(Codec::of_static_type(9), Some(Codec::G722));
        assert_eq!(Codec::of_static_type(96), None);
    }
}
