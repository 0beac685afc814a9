//! G.711: 16-bit samples to and from bytes, in mu-law (PCMU) and A-law (PCMA).
//!
//! Bit-exact to the ITU's own software (G.191) for samples of 16 bits: negative numbers are complemented, not negated.

/// A sample as mu-law.
pub fn encode_pcmu(sample: i16) -> u8 {
    PCMU_CODES[usize::from(sample as u16 >> 2)]
}

/// A sample as A-law.
pub fn encode_pcma(sample: i16) -> u8 {
    PCMA_CODES[usize::from(sample as u16 >> 4)]
}

/// Mu-law bytes by the 14 bits of a sample that count.
static PCMU_CODES: [u8; 1 << 14] = {
    let mut table = [0; 1 << 14];
    let mut bits = 0;
    while bits < table.len() {
        let sample = (bits as u16) << 2;
        let sign = (sample as i16 >> 15) as u16;
        // With the bias of 33, at most 13 bits.
        let biased = ((sample ^ sign) >> 2) + 33;
        let biased = if biased > 0x1fff { 0x1fff } else { biased };
        let segment = 10 - biased.leading_zeros() as u16;
        table[bits] = !((sign as u8 & 0x80) | (segment << 4 | biased >> (segment + 1) & 0x0f) as u8);
        bits += 1;
    }
    table
};

/// A-law bytes by the 12 bits of a sample that count.
static PCMA_CODES: [u8; 1 << 12] = {
    let mut table = [0; 1 << 12];
    let mut bits = 0;
    while bits < table.len() {
        let sample = (bits as u16) << 4;
        let sign = (sample as i16 >> 15) as u16;
        let magnitude = (sample ^ sign) >> 4;
        // The first two segments have steps of one size.
        let segment = 12 - (magnitude | 0x0f).leading_zeros() as u16;
        let code = if segment == 0 { magnitude } else { segment << 4 | magnitude >> (segment - 1) & 0x0f };
        table[bits] = (!sign as u8 & 0x80 | code as u8) ^ 0x55;
        bits += 1;
    }
    table
};

/// Samples of mu-law bytes.
pub static PCMU: [i16; 256] = {
    let mut table = [0; 256];
    let mut byte = 0;
    while byte < 256 {
        let code = !(byte as u8);
        let magnitude = (((((code & 0x0f) as i16) << 3) + 0x84) << (code >> 4 & 7)) - 0x84;
        table[byte] = if code & 0x80 == 0 { magnitude } else { -magnitude };
        byte += 1;
    }
    table
};

/// Samples of A-law bytes.
pub static PCMA: [i16; 256] = {
    let mut table = [0; 256];
    let mut byte = 0;
    while byte < 256 {
        let code = byte as u8 ^ 0x55;
        let step = ((code & 0x0f) as i16) << 4 | 8;
        let segment = code >> 4 & 7;
        let magnitude = if segment == 0 { step } else { (step + 0x100) << (segment - 1) };
        table[byte] = if code & 0x80 == 0 { -magnitude } else { magnitude };
        byte += 1;
    }
    table
};

#[cfg(test)]
mod tests {
    use audio_codec_algorithms as oracle;

    use super::*;

    #[test]
    fn every_sample_is_encoded_as_g191_does() {
        for sample in i16::MIN..=i16::MAX {
            assert_eq!(encode_pcmu(sample), oracle::encode_ulaw(sample), "{sample}");
            assert_eq!(encode_pcma(sample), oracle::encode_alaw(sample), "{sample}");
        }
    }

    #[test]
    fn every_byte_is_decoded_as_g191_does() {
        for byte in 0..=255u8 {
            assert_eq!(PCMU[usize::from(byte)], oracle::decode_ulaw(byte), "{byte}");
            assert_eq!(PCMA[usize::from(byte)], oracle::decode_alaw(byte), "{byte}");
        }
    }

    #[test]
    fn silence_has_its_well_known_bytes() {
        assert_eq!((encode_pcmu(0), encode_pcma(0)), (0xff, 0xd5));
    }
}
