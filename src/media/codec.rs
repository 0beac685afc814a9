//! Sound into payloads and back, for each codec of [`Codec`].
//!
//! An [`Encoder`] takes samples at the codec's own rate, a [`Decoder`] gives them at the rate of its session: a peer may send
//! any of the codecs that were agreed on, whenever it likes.

mod highs;
mod opus;

use ::opus::{self as libopus, Channels};

use super::resample::Resampler;
use super::{g711, g722};
use crate::sdp::{Codec, OpusWishes};

/// A payload of Opus that is no longer need not be sent: nobody speaks (DTX).
const OPUS_SILENCE: usize = 2;
/// A payload of Opus is no longer (RFC 6716 section 3.4: 1275 bytes a frame).
const MAX_OPUS: usize = 1275;
/// A packet holds at most so much sound (RFC 6716 section 3.2.5).
const LONGEST_PACKET_MS: usize = 120;

/// Whether nothing is sent while nobody speaks (discontinuous transmission): by Opus itself, beside the other codecs by
/// [`comfort`](super::comfort) noise.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Dtx {
    /// If the other side asks for it (Opus), else not.
    #[default]
    WhenAsked,
    /// In any case; beside codecs other than Opus where the other side takes comfort noise.
    Always,
}

/// What became of a packet's samples.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Encoded {
    /// A payload.
    Payload,
    /// Silence that need not be sent: nothing was appended.
    Silence,
}

/// Samples at the codec's rate into payloads.
pub struct Encoder {
    codec: Codec,
    kind: EncoderKind,
    /// Of Opus, which must have the room before it knows the length.
    scratch: Vec<u8>,
    /// Payloads of [`OPUS_SILENCE`] bytes are kept back.
    keeps_silence: bool,
    wishes: OpusWishes,
    /// The part of our packets that is expected to be lost, 0 to 1.
    loss: f32,
}

enum EncoderKind {
    Pcmu,
    Pcma,
    L16,
    G722(Box<g722::Encoder>),
    Opus(Box<opus::Encoder>),
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
            Codec::Pcmu => EncoderKind::Pcmu,
            Codec::Pcma => EncoderKind::Pcma,
            Codec::L16 => EncoderKind::L16,
            Codec::G722 => EncoderKind::G722(Box::default()),
            Codec::Opus => EncoderKind::Opus(Box::new(opus::Encoder::new().ok()?)),
        };
        let scratch = match kind {
            EncoderKind::Pcmu | EncoderKind::Pcma | EncoderKind::L16 | EncoderKind::G722(_) => Vec::new(),
            EncoderKind::Opus(_) => vec![0; MAX_OPUS],
        };
        Some(Encoder {
            codec,
            kind,
            scratch,
            keeps_silence: false,
            wishes: OpusWishes::default(),
            loss: opus::FIRST_LOSS,
        })
    }

    /// The codec.
    pub fn codec(&self) -> Codec {
        self.codec
    }

    /// Appends the payload of a packet's samples to `out`. Opus takes 10, 20, 40 or 60 ms at a time; nothing is appended
    /// for any other length.
    pub fn encode(&mut self, samples: &[i16], out: &mut Vec<u8>) -> Encoded {
        match &mut self.kind {
            EncoderKind::Pcmu => out.extend(samples.iter().map(|&sample| g711::encode_pcmu(sample))),
            EncoderKind::Pcma => out.extend(samples.iter().map(|&sample| g711::encode_pcma(sample))),
            EncoderKind::L16 => out.extend(samples.iter().flat_map(|sample| sample.to_be_bytes())),
            EncoderKind::G722(encoder) => encoder.encode(samples, out),
            EncoderKind::Opus(encoder) => match encoder.encode(samples, &mut self.scratch) {
                Ok(count) if self.keeps_silence && count <= OPUS_SILENCE => return Encoded::Silence,
                Ok(count) => out.extend_from_slice(self.scratch.get(..count).unwrap_or_default()),
                Err(error) => tracing::debug!(%error, samples = samples.len(), "opus"),
            },
        }
        Encoded::Payload
    }

    /// Does what the other side asks of Opus; other codecs have nothing to ask for.
    pub fn heed(&mut self, wishes: &OpusWishes, dtx: Dtx) {
        self.keeps_silence = wishes.dtx || dtx == Dtx::Always;
        self.wishes = *wishes;
        self.apply();
    }

    /// The part of our packets that the peer reports as lost, 0 to 1: Opus repeats each in the next one (in-band FEC, RFC 6716
    /// section 2.1.7) as long as some are, and for some reports longer, for losses come in bursts.
    pub fn expect_loss(&mut self, loss: f32) {
        self.loss = loss.clamp(0.0, 1.0).max(self.loss / 2.0);
        self.apply();
    }

    fn apply(&mut self) {
        let EncoderKind::Opus(encoder) = &mut self.kind else { return };
        if let Err(error) = encoder.set_up(&self.wishes, self.keeps_silence, self.loss) {
            tracing::debug!(%error, "opus");
        }
    }
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
    G722(Box<g722::Decoder>),
    Opus(libopus::Decoder),
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
            Codec::G722 => DecoderKind::G722(Box::default()),
            Codec::Opus => DecoderKind::Opus(libopus::Decoder::new(own_rate, Channels::Mono).ok()?),
        };
        let resampler = if own_rate == rate { None } else { Some(Resampler::new(own_rate, rate)?) };
        let scratch = match kind {
            DecoderKind::Opus(_) => Vec::with_capacity(LONGEST_PACKET_MS * own_rate as usize / 1000),
            DecoderKind::Table(_) | DecoderKind::L16 | DecoderKind::G722(_) => Vec::new(),
        };
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
            DecoderKind::G722(decoder) => decoder.decode(payload, &mut self.scratch),
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

/// Whether a payload brings a copy of the packet before it (in-band FEC, RFC 6716 section 2.1.7).
pub fn has_copy(codec: Codec, payload: &[u8]) -> bool {
    let (Codec::Opus, [toc, first, ..]) = (codec, payload) else { return false };
    // RFC 6716 section 3.1: configurations below 16 have a SILK layer, in frames of 10, 20, 40 or 60 ms (hybrid: 10 or 20),
    // of which the lowest two bits say whether there is more than one.
    let (configuration, single) = (toc >> 3, toc & 3 == 0);
    let frames = match configuration {
        0..12 => [1, 1, 2, 3][usize::from(configuration % 4)],
        12..16 => 1,
        _ => return false,
    };
    // Section 4.2.3: a bit for each frame, then the one for the copies.
    single && first >> (7 - frames) & 1 == 1
}

/// How many samples at `rate` Hz a payload holds; none: it is no payload of this codec.
pub fn samples_in(codec: Codec, payload: &[u8], rate: u32) -> usize {
    let own = match codec {
        Codec::Pcmu | Codec::Pcma => payload.len(),
        Codec::L16 => payload.len() / 2,
        Codec::G722 => payload.len() * 2,
        Codec::Opus => libopus::packet::get_nb_samples(payload, codec.sample_rate()).unwrap_or(0),
    };
    own * rate as usize / codec.sample_rate() as usize
}

#[cfg(test)]
mod tests {
    use ::opus::{Application, Bandwidth};

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

    /// Packets of 20 ms of noise, then of silence, by an encoder that heeds these wishes.
    fn opus_packets(wishes: &OpusWishes, dtx: Dtx, silent: bool) -> Vec<Option<Vec<u8>>> {
        let mut encoder = Encoder::new(Codec::Opus).unwrap();
        encoder.heed(wishes, dtx);
        let mut state = 1u32;
        let mut sample = || {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            if silent { 0 } else { (state >> 18) as i16 }
        };
        (0..100)
            .map(|_| {
                let samples: Vec<i16> = (0..960).map(|_| sample()).collect();
                let mut payload = Vec::new();
                (encoder.encode(&samples, &mut payload) == Encoded::Payload).then_some(payload)
            })
            .collect()
    }

    #[test]
    fn opus_is_sent_as_the_other_side_asks() {
        let usual = OpusWishes::default();
        let table = [
            (48_000, Bandwidth::Fullband, None, 32_000),
            (24_000, Bandwidth::Superwideband, None, 28_000),
            (16_000, Bandwidth::Wideband, None, 20_000),
            (12_000, Bandwidth::Mediumband, None, 16_000),
            (8000, Bandwidth::Narrowband, None, 12_000),
            (48_000, Bandwidth::Fullband, Some(16_000), 16_000),
        ];
        for (max_playback_rate, bandwidth, max_average_bitrate, bitrate) in table {
            let wishes = OpusWishes { max_playback_rate, max_average_bitrate, ..usual };
            let packets: Vec<Vec<u8>> = opus_packets(&wishes, Dtx::WhenAsked, false).into_iter().flatten().collect();
            let widest = packets.iter().map(|packet| libopus::packet::get_bandwidth(packet).unwrap() as i32).max();
            assert!(widest <= Some(bandwidth as i32), "{wishes:?}: {widest:?}");
            let bits = packets.iter().map(|packet| packet.len() * 8).sum::<usize>() * 50 / packets.len();
            assert!(bits <= bitrate * 11 / 10, "{wishes:?}: {bits} bit/s");
        }
        let constant = OpusWishes { constant_bitrate: true, ..usual };
        let sizes: std::collections::BTreeSet<usize> =
            opus_packets(&constant, Dtx::WhenAsked, false).into_iter().flatten().map(|packet| packet.len()).collect();
        assert_eq!(sizes.len(), 1, "{sizes:?}");
    }

    #[test]
    fn in_silence_opus_sends_little_if_that_is_wanted() {
        let sent = |wishes: &OpusWishes, dtx| opus_packets(wishes, dtx, true).into_iter().flatten().count();
        let usual = OpusWishes::default();
        assert_eq!(sent(&usual, Dtx::WhenAsked), 100);
        for count in [sent(&OpusWishes { dtx: true, ..usual }, Dtx::WhenAsked), sent(&usual, Dtx::Always)] {
            // Some at the beginning, and one now and then that says how the silence sounds.
            assert!((2..40).contains(&count), "{count} of 100");
        }
    }

    #[test]
    fn opus_in_stereo_is_heard_in_one_channel() {
        let mut encoder = libopus::Encoder::new(48_000, Channels::Stereo, Application::Audio).unwrap();
        let mut decoder = Decoder::new(Codec::Opus, 48_000).unwrap();
        let (left, right) = (sine(500.0, 48_000, 48_000), sine(1500.0, 48_000, 48_000));
        let both: Vec<i16> = left.iter().zip(&right).flat_map(|(left, right)| [*left, *right]).collect();
        let mut heard = Vec::new();
        for samples in both.chunks(1920) {
            let payload = encoder.encode_vec(samples, MAX_OPUS).unwrap();
            assert_eq!(samples_in(Codec::Opus, &payload, 48_000), 960);
            decoder.decode(&payload, &mut heard);
        }
        let piece = &heard[24_000..36_000];
        // Each is half of the mixture.
        for hertz in [500.0, 1500.0] {
            let level = goertzel::level(piece, hertz, 48_000);
            assert!((level + 19.3).abs() < 2.0, "{hertz} Hz at {level}");
        }
    }

    #[test]
    fn opus_recovers_a_lost_packet_from_the_next_one_and_conceals_without() {
        let mut encoder = Encoder::new(Codec::Opus).unwrap();
        encoder.heed(&OpusWishes { in_band_fec: true, ..OpusWishes::default() }, Dtx::WhenAsked);
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

    fn speech() -> Vec<i16> {
        let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/speech-near.wav");
        let mut reader = hound::WavReader::open(path).unwrap();
        let samples: Vec<i16> = reader.samples().map(Result::unwrap).collect();
        let mut wide = Vec::new();
        Resampler::new(reader.spec().sample_rate, 48_000).unwrap().process(&samples, &mut wide);
        wide
    }

    /// The part of the packets of speech that bring a copy of the one before, and bits a second.
    fn copies(encoder: &mut Encoder, speech: &[i16]) -> (f32, usize) {
        let (mut packets, mut with, mut bytes) = (0, 0, 0);
        for samples in speech.chunks_exact(960) {
            let mut payload = Vec::new();
            encoder.encode(samples, &mut payload);
            packets += 1;
            with += usize::from(has_copy(Codec::Opus, &payload));
            bytes += payload.len();
        }
        (with as f32 / packets as f32, bytes * 8 * 50 / packets)
    }

    #[test]
    fn a_call_begins_with_copies_and_the_reports_decide_about_them() {
        let speech = speech();
        let mut encoder = Encoder::new(Codec::Opus).unwrap();
        encoder.heed(&OpusWishes { in_band_fec: true, ..OpusWishes::default() }, Dtx::WhenAsked);
        let (first, bits_then) = copies(&mut encoder, &speech);
        // The first report says that nothing is lost.
        encoder.expect_loss(0.0);
        let (none, bits) = copies(&mut encoder, &speech);
        println!("begin: {first:.2} with copies, {bits_then} bit/s; without loss {none:.2}, {bits} bit/s");
        assert!(first > 0.7 && none < 0.02, "{first}, then {none}");
        assert!(bits_then < bits * 6 / 5, "{bits_then} bit/s, then {bits}");
        // Ten in a hundred are, then no more.
        encoder.expect_loss(0.1);
        for _ in 0..3 {
            encoder.expect_loss(0.0);
        }
        assert!(copies(&mut encoder, &speech).0 > 0.7);
        encoder.expect_loss(0.0);
        assert!(copies(&mut encoder, &speech).0 < 0.02);
        // One that could not use them gets none.
        encoder.heed(&OpusWishes::default(), Dtx::WhenAsked);
        encoder.expect_loss(0.1);
        assert_eq!(copies(&mut encoder, &speech).0, 0.0);
    }

    #[test]
    fn a_small_loss_is_enough_for_copies_at_any_bandwidth() {
        let speech = speech();
        for max_playback_rate in [48_000, 24_000, 16_000, 12_000, 8000] {
            let mut encoder = Encoder::new(Codec::Opus).unwrap();
            let wishes = OpusWishes { in_band_fec: true, max_playback_rate, ..OpusWishes::default() };
            encoder.heed(&wishes, Dtx::WhenAsked);
            encoder.expect_loss(0.02);
            let (share, bits) = copies(&mut encoder, &speech);
            println!("{max_playback_rate} Hz: {share:.2} with copies, {bits} bit/s");
            assert!(share > 0.7, "{max_playback_rate}: {share}");
        }
        let mut encoder = Encoder::new(Codec::Opus).unwrap();
        let wishes = OpusWishes { in_band_fec: true, max_average_bitrate: Some(28_000), ..OpusWishes::default() };
        encoder.heed(&wishes, Dtx::WhenAsked);
        encoder.expect_loss(0.02);
        let (share, bits) = copies(&mut encoder, &speech);
        assert!(share > 0.7 && bits < 28_500, "{share} at {bits} bit/s");
    }
}
