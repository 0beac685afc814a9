//! Opus as we speak it: how wide, at which rate, with which copies against loss.

use opus::{Application, Bandwidth, Bitrate, Channels, Error};

use super::highs::Highs;
use crate::sdp::{Codec, OpusWishes};

/// What Opus takes on the wire for speech of each bandwidth, in bit/s (RFC 7587 section 3.1.1); the same with copies of the
/// packets before, with which libopus 1.6 makes them at any loss (with fewer only above 5 %, and of a narrower sound); and the
/// least rate in Hz that plays it (section 6.1).
const BANDWIDTHS: [(u32, Bandwidth, u32, u32); 5] = [
    (48_000, Bandwidth::Fullband, 32_000, 36_000),
    (24_000, Bandwidth::Superwideband, 28_000, 32_000),
    (16_000, Bandwidth::Wideband, 20_000, 26_000),
    (12_000, Bandwidth::Mediumband, 16_000, 23_000),
    (0, Bandwidth::Narrowband, 12_000, 20_000),
];
/// The loss that is expected until the other side's first report says how much there is, 2 to 5 s after the call begins: enough
/// for copies, which take a tenth more of the wire. Phones and PBXs commonly begin with 10 %, browsers with none.
pub(super) const FIRST_LOSS: f32 = 0.01;
/// From here on libopus makes copies at the cost of the bandwidth.
const CROWDED_LOSS: f32 = 0.1;
/// libopus is told of no more: it would take more bits for copies from what is copied, and speech sounds worse at any loss.
const MOST_LOSS: f32 = 0.07;
/// Less than this is no loss to make copies for.
const LEAST_LOSS: f32 = 0.008;
/// Of 0 to 10: by PESQ speech gains 0.2 from 5 to 6, and 0.2 more up to 8, for a third of its processor time.
const COMPLEXITY: i32 = 6;
/// A sound in which nothing is above 8 kHz for so many samples (2 s) is sent without: what is there gets all the bits. By PESQ
/// (P.862.2) speech gains 0.4, and takes a sixth less of the processor and a seventh less of the wire.
const DULL_FOR: usize = 96_000;

/// An encoder for one channel at 48 kHz.
pub(super) struct Encoder {
    inner: opus::Encoder,
    /// The widest that the other side wants.
    widest: Bandwidth,
    highs: Highs,
    /// Samples since there was something above 8 kHz.
    dull: usize,
    width: Width,
}

/// How much of the spectrum is sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Width {
    /// All that is wanted.
    Full,
    /// Nothing above 8 kHz; before it was this.
    Wide { before: Bandwidth },
}

impl Encoder {
    pub(super) fn new() -> Result<Encoder, Error> {
        let mut inner = opus::Encoder::new(Codec::Opus.sample_rate(), Channels::Mono, Application::Voip)?;
        inner.set_complexity(COMPLEXITY)?;
        let widest = Bandwidth::Fullband;
        let mut encoder = Encoder { inner, widest, highs: Highs::default(), dull: 0, width: Width::Full };
        encoder.set_up(&OpusWishes::default(), false, FIRST_LOSS)?;
        Ok(encoder)
    }

    /// Does what the other side wishes, at a loss of this part of our packets.
    pub(super) fn set_up(&mut self, wishes: &OpusWishes, dtx: bool, loss: f32) -> Result<(), Error> {
        let plays = |least: u32| wishes.max_playback_rate >= least;
        let fits = BANDWIDTHS.iter().find(|(least, ..)| plays(*least));
        let (_, widest, plain, with_copies) = fits.unwrap_or(&BANDWIDTHS[BANDWIDTHS.len() - 1]);
        self.widest = *widest;
        self.limit()?;
        let encoder = &mut self.inner;
        // RFC 7587 section 6.1: without the parameter the other side can't use the copies: they would be for nothing.
        let copies = wishes.in_band_fec && loss >= LEAST_LOSS;
        let bitrate = if copies { *with_copies } else { *plain };
        let bitrate = bitrate.min(wishes.max_average_bitrate.unwrap_or(u32::MAX));
        if let Width::Wide { before } = &mut self.width
            && bitrate < *plain
        {
            // It was chosen when there were more bits.
            *before = Bandwidth::Wideband;
        }
        encoder.set_bitrate(Bitrate::Bits(i32::try_from(bitrate).unwrap_or(i32::MAX)))?;
        encoder.set_inband_fec(copies)?;
        // Where the other side leaves no room for copies, they are worth some of the sound's own bits once there is a loss.
        let least = if bitrate < *with_copies && loss > FIRST_LOSS { CROWDED_LOSS } else { 0.0 };
        encoder.set_packet_loss_perc(if copies {
            (loss.min(MOST_LOSS).max(least) * 100.0).ceil() as i32
        } else {
            0
        })?;
        encoder.set_dtx(dtx)?;
        encoder.set_vbr(!wishes.constant_bitrate)
    }

    /// The payload of 10, 20, 40 or 60 ms, into `out`; its length.
    pub(super) fn encode(&mut self, samples: &[i16], out: &mut [u8]) -> Result<usize, Error> {
        let widens = self.follow(samples)?;
        let length = self.inner.encode(samples, out);
        if widens {
            self.inner.set_bandwidth(Bandwidth::Auto)?;
        }
        length
    }

    /// Sends as much of the spectrum as there is. True: this packet is the first that is wider.
    fn follow(&mut self, samples: &[i16]) -> Result<bool, Error> {
        if is_wider(Bandwidth::Wideband, self.widest) && self.highs.are_in(samples) {
            self.dull = 0;
            let Width::Wide { before } = self.width else { return Ok(false) };
            self.width = Width::Full;
            self.limit()?;
            let at_once = is_wider(Bandwidth::Wideband, before);
            if at_once {
                // Left to itself it would wait for a pause in the speech.
                self.inner.set_bandwidth(narrower(before, self.widest))?;
            }
            return Ok(at_once);
        }
        self.dull += samples.len();
        if self.width == Width::Full && self.dull >= DULL_FOR {
            self.width = Width::Wide { before: self.inner.get_bandwidth()? };
            self.limit()?;
        }
        Ok(false)
    }

    fn limit(&mut self) -> Result<(), Error> {
        self.inner.set_max_bandwidth(match self.width {
            Width::Full => self.widest,
            Width::Wide { .. } => narrower(Bandwidth::Wideband, self.widest),
        })
    }
}

/// Whether the other one is.
fn is_wider(one: Bandwidth, other: Bandwidth) -> bool {
    other as i32 > one as i32
}

fn narrower(one: Bandwidth, other: Bandwidth) -> Bandwidth {
    if is_wider(one, other) { one } else { other }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PACKET: usize = 960;

    /// A voice of some harmonics below 4 kHz, with a hiss above 8 kHz from some packet on.
    fn sound(packets: usize, hiss_from: usize) -> Vec<i16> {
        let mut state = 1u32;
        (0..packets * PACKET)
            .map(|n| {
                state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                let at = |hertz: f32| (n as f32 * hertz * std::f32::consts::TAU / 48_000.0).sin();
                let voice = 3_000.0 * (at(200.0) + 0.6 * at(600.0) + 0.4 * at(1_800.0) + 0.2 * at(3_400.0));
                let hiss = if n / PACKET >= hiss_from { 800.0 * at(9_500.0) + (state >> 23) as f32 } else { 0.0 };
                (voice + hiss) as i16
            })
            .collect()
    }

    /// The bandwidth of each packet, and what is heard.
    fn sent(encoder: &mut Encoder, sound: &[i16]) -> (Vec<Bandwidth>, Vec<i16>) {
        let mut decoder = opus::Decoder::new(48_000, Channels::Mono).unwrap();
        let (mut widths, mut heard) = (Vec::new(), Vec::new());
        for samples in sound.chunks_exact(PACKET) {
            let mut payload = [0; 1275];
            let length = encoder.encode(samples, &mut payload).unwrap();
            widths.push(opus::packet::get_bandwidth(&payload[..length]).unwrap());
            let mut samples = [0; PACKET];
            decoder.decode(&payload[..length], &mut samples, false).unwrap();
            heard.extend(samples);
        }
        (widths, heard)
    }

    #[test]
    fn a_dull_sound_is_sent_in_wide_band_and_a_bright_one_at_once_in_full_band() {
        let mut encoder = Encoder::new().unwrap();
        let sound = sound(300, 200);
        let (widths, heard) = sent(&mut encoder, &sound);
        assert!(widths[10..95].iter().all(|&width| width == Bandwidth::Fullband), "{:?}", &widths[..95]);
        assert!(widths[101..200].iter().all(|&width| width == Bandwidth::Wideband), "{:?}", &widths[101..200]);
        assert!(widths[200..].iter().all(|&width| width == Bandwidth::Fullband), "{:?}", &widths[200..]);
        // It changes without a click: no larger step than there is anyway.
        let step = |sound: &[i16]| sound.windows(2).map(|two| (i32::from(two[1]) - i32::from(two[0])).abs()).max();
        for (around, usual) in [(100, 150), (200, 250)] {
            let change = &heard[(around - 2) * PACKET..(around + 5) * PACKET];
            let usual = &heard[usual * PACKET..(usual + 20) * PACKET];
            println!("packet {around}: largest step {:?}, usually {:?}", step(change), step(usual));
            assert!(step(change) < step(usual).map(|usual| usual * 5 / 4), "packet {around}");
        }
    }

    #[test]
    fn what_the_other_side_wants_narrower_stays_so() {
        let none_is_wider = |widths: &[Bandwidth], than: Bandwidth| widths.iter().all(|&one| one as i32 <= than as i32);
        let wishes = |max_playback_rate| OpusWishes { max_playback_rate, ..OpusWishes::default() };
        for (rate, width) in [(8_000, Bandwidth::Narrowband), (24_000, Bandwidth::Superwideband)] {
            let mut encoder = Encoder::new().unwrap();
            encoder.set_up(&wishes(rate), false, 0.0).unwrap();
            let (widths, _) = sent(&mut encoder, &sound(200, 150));
            assert!(none_is_wider(&widths, width), "{rate}: {widths:?}");
        }
        // A wish that comes while the sound is dull counts too.
        let mut encoder = Encoder::new().unwrap();
        sent(&mut encoder, &sound(120, 120));
        encoder.set_up(&wishes(24_000), false, 0.0).unwrap();
        let (widths, _) = sent(&mut encoder, &sound(50, 10));
        assert!(none_is_wider(&widths[..10], Bandwidth::Wideband), "{widths:?}");
        assert!(widths[10..].iter().all(|&width| width == Bandwidth::Superwideband), "{widths:?}");
        // With few bits libopus chooses something narrower, and that is not undone.
        let mut encoder = Encoder::new().unwrap();
        sent(&mut encoder, &sound(120, 120));
        let few = OpusWishes { max_average_bitrate: Some(12_000), ..OpusWishes::default() };
        encoder.set_up(&few, false, 0.0).unwrap();
        let (widths, _) = sent(&mut encoder, &sound(50, 10));
        assert!(none_is_wider(&widths, Bandwidth::Wideband), "{widths:?}");
    }
}
