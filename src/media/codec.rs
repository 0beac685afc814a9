//! Sound into payloads and back, for each codec of [`Codec`].
//!
//! An [`Encoder`] takes samples at the codec's own rate, a [`Decoder`] gives them at the rate of its session: a peer may send
//! any of the codecs that were agreed on, whenever it likes.

use audio_codec::g722::{G722Decoder, G722Encoder};
use audio_codec::{Decoder as _, Encoder as _};
use opus::{Application, Bitrate, Channels};

use super::g711;
use super::resample::Resampler;
use crate::sdp::Codec;

/// What Opus may take on the wire, in bit/s: full band speech, transparent to most ears.
const OPUS_BITRATE: i32 = 32_000;
/// Of 0 to 10: from here on a processor's time brings little for speech.
const OPUS_COMPLEXITY: i32 = 5;
/// A payload of Opus is no longer (RFC 6716 section 3.4: 1275 bytes a frame).
const MAX_OPUS: usize = 1275;
/// A packet holds at most so much sound (RFC 6716 section 3.2.5).
const LONGEST_PACKET_MS: usize = 120;

/// Samples at the codec's rate into payloads.
pub struct Encoder {
    codec: Codec,
    kind: EncoderKind,
    scratch: Vec<u8>,
}

enum EncoderKind {
    Table(fn(i16) -> u8),
    L16,
    G722(Box<G722Encoder>),
    Opus(opus::Encoder),
}

impl std::fmt::Debug for Encoder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Encoder").field("codec", &self.codec).finish_non_exhaustive()
    }
}

impl Encoder {
    /// `None`: the library has no memory for it.
    pub fn new(codec: Codec) -> Option<Encoder> {
        let kind = match codec {
            Codec::Pcmu => EncoderKind::Table(g711::encode_pcmu),
            Codec::Pcma => EncoderKind::Table(g711::encode_pcma),
            Codec::L16 => EncoderKind::L16,
            Codec::G722 => EncoderKind::G722(Box::new(G722Encoder::new())),
            Codec::Opus => EncoderKind::Opus(opus_encoder().ok()?),
        };
        Some(Encoder { codec, kind, scratch: vec![0; MAX_OPUS] })
    }

    /// The codec.
    pub fn codec(&self) -> Codec {
        self.codec
    }

    /// Appends the payload of a packet's samples to `out`. Opus takes 10, 20, 40 or 60 ms at a time; nothing is appended
    /// for any other length.
    pub fn encode(&mut self, samples: &[i16], out: &mut Vec<u8>) {
        match &mut self.kind {
            EncoderKind::Table(encode) => out.extend(samples.iter().map(|&sample| encode(sample))),
            EncoderKind::L16 => out.extend(samples.iter().flat_map(|sample| sample.to_be_bytes())),
            EncoderKind::G722(encoder) => {
                self.scratch.resize(encoder.max_encode_bytes(samples.len()).max(MAX_OPUS), 0);
                if let Ok(count) = encoder.encode_into(samples, &mut self.scratch) {
                    out.extend_from_slice(self.scratch.get(..count).unwrap_or_default());
                }
            }
            EncoderKind::Opus(encoder) => match encoder.encode(samples, &mut self.scratch) {
                Ok(count) => out.extend_from_slice(self.scratch.get(..count).unwrap_or_default()),
                Err(error) => tracing::debug!(%error, samples = samples.len(), "opus"),
            },
        }
    }

    /// The part of our packets that the peer reports as lost, 0 to 1: Opus repeats more of each in the next one (in-band
    /// FEC, RFC 6716 section 2.1.7).
    pub fn expect_loss(&mut self, loss: f32) {
        if let EncoderKind::Opus(encoder) = &mut self.kind {
            let percent = (loss.clamp(0.0, 1.0) * 100.0).ceil() as i32;
            // Settings of an encoder that lives can't fail.
            let _ = encoder.set_packet_loss_perc(percent);
        }
    }
}

fn opus_encoder() -> Result<opus::Encoder, opus::Error> {
    let mut encoder = opus::Encoder::new(Codec::Opus.sample_rate(), Channels::Mono, Application::Voip)?;
    encoder.set_bitrate(Bitrate::Bits(OPUS_BITRATE))?;
    encoder.set_complexity(OPUS_COMPLEXITY)?;
    encoder.set_inband_fec(true)?;
    Ok(encoder)
}

/// Payloads into samples at the session's rate.
pub struct Decoder {
    codec: Codec,
    kind: DecoderKind,
    /// From what the codec gives to what the session takes.
    resampler: Option<Resampler>,
    rate: u32,
    own_rate: u32,
    scratch: Vec<i16>,
}

enum DecoderKind {
    Table(&'static [i16; 256]),
    L16,
    G722(Box<G722Decoder>),
    Opus(opus::Decoder),
}

impl std::fmt::Debug for Decoder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Decoder").field("codec", &self.codec).field("rate", &self.rate).finish_non_exhaustive()
    }
}

impl Decoder {
    /// A decoder for a session at `rate` Hz. `None`: the library has no memory for it, or the rate is absurd.
    pub fn new(codec: Codec, rate: u32) -> Option<Decoder> {
        // Opus decodes to any of its rates by itself.
        let own_rate = match codec {
            Codec::Opus if matches!(rate, 8000 | 12_000 | 16_000 | 24_000) => rate,
            Codec::Opus | Codec::G722 | Codec::Pcmu | Codec::Pcma | Codec::L16 => codec.sample_rate(),
        };
        let kind = match codec {
            Codec::Pcmu => DecoderKind::Table(&g711::PCMU),
            Codec::Pcma => DecoderKind::Table(&g711::PCMA),
            Codec::L16 => DecoderKind::L16,
            Codec::G722 => DecoderKind::G722(Box::new(G722Decoder::new())),
            Codec::Opus => DecoderKind::Opus(opus::Decoder::new(own_rate, Channels::Mono).ok()?),
        };
        let resampler = if own_rate == rate { None } else { Some(Resampler::new(own_rate, rate)?) };
        let scratch = Vec::with_capacity(LONGEST_PACKET_MS * own_rate as usize / 1000);
        Some(Decoder { codec, kind, resampler, rate, own_rate, scratch })
    }

    /// The codec.
    pub fn codec(&self) -> Codec {
        self.codec
    }

    /// Whether it makes up for packets that never came by itself, from what it knows: [`Decoder::conceal`].
    pub fn conceals(&self) -> bool {
        matches!(self.kind, DecoderKind::Opus(_))
    }

    /// Appends the samples of a payload. One that can't be decoded gives silence of a packet's usual length.
    pub fn decode(&mut self, payload: &[u8], out: &mut Vec<i16>) {
        self.scratch.clear();
        let most = LONGEST_PACKET_MS * self.own_rate as usize / 1000;
        match &mut self.kind {
            DecoderKind::Table(table) => {
                self.scratch.extend(payload.iter().map(|&byte| table[usize::from(byte)]));
            }
            DecoderKind::L16 => {
                self.scratch.extend(payload.chunks_exact(2).map(|two| i16::from_be_bytes([two[0], two[1]])));
            }
            DecoderKind::G722(decoder) => {
                self.scratch.resize(decoder.max_decode_samples(payload.len()), 0);
                let count = decoder.decode_into(payload, &mut self.scratch).unwrap_or(0);
                self.scratch.truncate(count);
            }
            DecoderKind::Opus(decoder) => {
                self.scratch.resize(most, 0);
                let count = decoder.decode(payload, &mut self.scratch, false).unwrap_or(0);
                self.scratch.truncate(count);
            }
        }
        if self.scratch.is_empty() {
            self.scratch.resize(self.own_rate as usize / 50, 0);
        }
        self.hand_over(out);
    }

    /// Appends `samples` samples in place of a packet that never came: from the copy that the next packet has of it, if
    /// `next` is given (in-band FEC), else made up. False: this codec can't, and nothing was appended.
    pub fn conceal(&mut self, next: Option<&[u8]>, samples: usize, out: &mut Vec<i16>) -> bool {
        let DecoderKind::Opus(decoder) = &mut self.kind else { return false };
        // In steps of 2.5 ms, as the codec counts.
        let step = self.own_rate as usize / 400;
        let count = (samples * self.own_rate as usize / self.rate as usize).div_ceil(step) * step;
        self.scratch.clear();
        self.scratch.resize(count.min(LONGEST_PACKET_MS * self.own_rate as usize / 1000), 0);
        let (payload, is_copy) = next.map_or((&[] as &[u8], false), |payload| (payload, true));
        let Ok(count) = decoder.decode(payload, &mut self.scratch, is_copy) else { return false };
        self.scratch.truncate(count);
        let begin = out.len();
        self.hand_over(out);
        out.resize(begin + samples, 0);
        true
    }

    fn hand_over(&mut self, out: &mut Vec<i16>) {
        match &mut self.resampler {
            Some(resampler) => resampler.process(&self.scratch, out),
            None => out.extend_from_slice(&self.scratch),
        }
    }
}

/// How many samples at `rate` Hz a payload holds; none: it is no payload of this codec.
pub fn samples_in(codec: Codec, payload: &[u8], rate: u32) -> usize {
    let own = match codec {
        Codec::Pcmu | Codec::Pcma => payload.len(),
        Codec::L16 => payload.len() / 2,
        Codec::G722 => payload.len() * 2,
        Codec::Opus => opus::packet::get_nb_samples(payload, codec.sample_rate()).unwrap_or(0),
    };
    own * rate as usize / codec.sample_rate() as usize
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::media::goertzel;

    fn sine(hertz: f64, rate: u32, count: usize) -> Vec<i16> {
        let step = std::f64::consts::TAU * hertz / f64::from(rate);
        (0..count).map(|n| (10_000.0 * (step * n as f64).sin()) as i16).collect()
    }

    fn packets(codec: Codec, hertz: f64, count: usize) -> Vec<Vec<u8>> {
        let mut encoder = Encoder::new(codec).unwrap();
        let length = codec.sample_rate() as usize / 50;
        let sound = sine(hertz, codec.sample_rate(), length * count);
        sound
            .chunks(length)
            .map(|samples| {
                let mut payload = Vec::new();
                encoder.encode(samples, &mut payload);
                payload
            })
            .collect()
    }

    #[test]
    fn a_tone_comes_through_every_codec_at_every_session_rate() {
        for codec in Codec::ALL {
            for rate in [8000, 16_000, 48_000] {
                let mut decoder = Decoder::new(codec, rate).unwrap();
                let mut heard = Vec::new();
                for payload in packets(codec, 1000.0, 50) {
                    assert_eq!(samples_in(codec, &payload, rate), rate as usize / 50, "{codec:?} at {rate}");
                    decoder.decode(&payload, &mut heard);
                }
                assert!(heard.len().abs_diff(rate as usize) <= rate as usize / 250, "{codec:?}: {}", heard.len());
                let level = goertzel::level(&heard[heard.len() / 2..][..rate as usize / 4], 1000.0, rate);
                let was = goertzel::level(&sine(1000.0, rate, rate as usize / 4), 1000.0, rate);
                assert!((level - was).abs() < 1.5, "{codec:?} at {rate}: {was} became {level}");
            }
        }
    }

    #[test]
    fn opus_recovers_a_lost_packet_from_the_next_one_and_conceals_without() {
        let mut encoder = Encoder::new(Codec::Opus).unwrap();
        encoder.expect_loss(0.2);
        let sound = sine(300.0, 48_000, 960 * 50);
        let packets: Vec<Vec<u8>> = sound
            .chunks(960)
            .map(|samples| {
                let mut payload = Vec::new();
                encoder.encode(samples, &mut payload);
                payload
            })
            .collect();
        for fec in [true, false] {
            let mut decoder = Decoder::new(Codec::Opus, 48_000).unwrap();
            let mut heard = Vec::new();
            for (n, payload) in packets.iter().enumerate() {
                if n % 10 == 9 && n + 1 < packets.len() {
                    assert!(decoder.conceal(packets.get(n + 1).filter(|_| fec).map(Vec::as_slice), 960, &mut heard));
                } else {
                    decoder.decode(payload, &mut heard);
                }
            }
            assert_eq!(heard.len(), 960 * 50);
            let lost = &heard[960 * 29..960 * 30];
            assert!(goertzel::level(lost, 300.0, 48_000) > -22.0, "fec {fec}");
        }
    }

    #[test]
    fn g722_decodes_as_another_implementation_does() {
        // The first 40 samples that ffmpeg 5.1 gives for these bytes.
        let payload: Vec<u8> = (0..20_u32).map(|n| (n.wrapping_mul(2_654_435_761) >> 24) as u8).collect();
        let mut heard = Vec::new();
        Decoder::new(Codec::G722, 16_000).unwrap().decode(&payload, &mut heard);
        // They differ in how the last bits are rounded.
        for (ours, theirs) in heard.iter().zip(G722_REFERENCE) {
            assert!(ours.abs_diff(theirs) < 12, "{ours} for {theirs}");
        }
        assert_eq!(heard.len(), G722_REFERENCE.len());
    }

    const G722_REFERENCE: [i16; 40] = [
        0, 0, -1, -1, 0, 0, -1, -1, -1, 1, 0, -6, -1, -3, -4, -8, 8, -12, -8, -1, 9, -27, -12, 8, 4, -39, -8, 5, 1,
        -36, -28, 7, 32, -76, -50, 63, 41, -173, -55, 196,
    ];

    #[test]
    fn rubbish_is_survived() {
        for codec in Codec::ALL {
            let mut decoder = Decoder::new(codec, 48_000).unwrap();
            let mut heard = Vec::new();
            for length in 0..300_usize {
                let payload: Vec<u8> = (0..length).map(|n| (n * 37 + length * 11) as u8).collect();
                heard.clear();
                decoder.decode(&payload, &mut heard);
                decoder.conceal(Some(&payload), 960, &mut heard);
                assert!(heard.len() < 48_000, "{codec:?}");
            }
        }
    }
}
