//! Samples and digits into packets.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use rand_core::RngCore;

use super::{Event, Outbox, Transmit};
use crate::media::codec::{Dtx, Encoded, Encoder};
use crate::media::comfort::{MAX_PAYLOAD, Said, Suppressor};
use crate::media::srtp;
use crate::rtp::telephone_event::{self, Press};
use crate::rtp::{Packet, PayloadType, RtpTimestamp, SeqNo, Ssrc};
use crate::sdp::{Codec, Negotiated};

/// How long a digit sounds, and how long no other one begins after it.
const TONE_MS: u32 = 160;
const GAP_MS: u32 = 80;
/// How long `,` pauses.
const PAUSE_MS: u32 = 1000;
/// Digits that wait.
const MAX_DIGITS: usize = 256;
/// Samples that are missing for longer were a pause of the microphone: the timestamps leap over it.
const LONGEST_STALL: Duration = Duration::from_millis(200);

/// What is sent now.
#[derive(Debug)]
enum Saying {
    Sound,
    Digit(char, Press),
    /// Sound, but no digit before so many samples have passed.
    Gap(u32),
}

/// Our stream.
#[derive(Debug)]
pub(super) struct Sender {
    encoder: Option<Encoder>,
    /// Keeps silence back, where that was agreed on and the codec does not do it by itself; with the comfort noise's type.
    quiet: Option<(Box<Suppressor>, PayloadType)>,
    ssrc: Ssrc,
    seq: SeqNo,
    /// Of the first sample in `pending`.
    timestamp: RtpTimestamp,
    pending: Vec<i16>,
    /// When samples last came: the time of the end of `pending`.
    last: Instant,
    /// Nothing was sent just before: the next packet begins a talkspurt.
    begins: bool,
    /// Silence was not sent just before, though time was kept: the next packet begins a talkspurt too.
    kept_back: bool,
    packets: u64,
    octets: u64,
    digits: VecDeque<char>,
    saying: Saying,
}

impl Sender {
    pub(super) fn new(now: Instant, ssrc: Ssrc, seq: SeqNo, timestamp: RtpTimestamp) -> Sender {
        Sender {
            encoder: None,
            quiet: None,
            ssrc,
            seq,
            timestamp,
            pending: Vec::new(),
            last: now,
            begins: true,
            kept_back: false,
            packets: 0,
            octets: 0,
            digits: VecDeque::new(),
            saying: Saying::Sound,
        }
    }

    pub(super) fn ssrc(&self) -> Ssrc {
        self.ssrc
    }

    pub(super) fn packets(&self) -> u64 {
        self.packets
    }

    /// Bytes of payload sent.
    pub(super) fn octets(&self) -> u64 {
        self.octets
    }

    /// Speaks this codec from now on. What waits to be sent at another sample rate is dropped, and another clock begins a
    /// stream of its own (RFC 7160 section 4.1).
    pub(super) fn use_codec(&mut self, codec: Codec, random: &mut impl RngCore) {
        let before = self.encoder.as_ref().map(Encoder::codec);
        if before == Some(codec) {
            return;
        }
        let waiting = self.clock_units(self.pending.len());
        self.encoder = Encoder::new(codec);
        let Some(before) = before else { return };
        if before.sample_rate() != codec.sample_rate() {
            self.timestamp = self.timestamp.plus(waiting);
            self.pending.clear();
            self.begins = true;
        }
        if before.clock_rate() != codec.clock_rate() {
            self.ssrc = Ssrc(random.next_u32());
            self.seq = super::first_seq(random);
            self.timestamp = RtpTimestamp(random.next_u32());
        }
    }

    /// Does what the other side asks of Opus, and sends silence as comfort noise where both sides want that.
    pub(super) fn heed(&mut self, media: &Negotiated, dtx: Dtx) {
        if let Some(encoder) = &mut self.encoder {
            encoder.heed(&media.opus, dtx);
        }
        let wanted = media.comfort_noise.send.filter(|_| dtx == Dtx::Always).map(PayloadType);
        let rate = media.codec.sample_rate();
        self.quiet = match (self.quiet.take(), wanted) {
            (Some((suppressor, _)), Some(number)) if suppressor.sample_rate() == rate => Some((suppressor, number)),
            (_, wanted) => wanted.map(|number| (Box::new(Suppressor::new(rate)), number)),
        };
    }

    /// The part of our packets that the peer has lost, 0 to 1.
    pub(super) fn expect_loss(&mut self, loss: f32) {
        if let Some(encoder) = &mut self.encoder {
            encoder.expect_loss(loss);
        }
    }

    /// The timestamp of a sample that is taken now.
    pub(super) fn timestamp_at(&self, now: Instant, clock_rate: u32) -> RtpTimestamp {
        let since = units(now.saturating_duration_since(self.last), clock_rate);
        self.timestamp.plus(self.clock_units(self.pending.len())).plus(since)
    }

    /// Samples in units of the stream's timestamps.
    fn clock_units(&self, samples: usize) -> u32 {
        let rates = self.encoder.as_ref().map(|encoder| (encoder.codec().clock_rate(), encoder.codec().sample_rate()));
        let (clock, sample) = rates.unwrap_or((1, 1));
        (samples as u64 * u64::from(clock) / u64::from(sample)) as u32
    }

    /// Nothing is sent from now on; time goes on.
    pub(super) fn pause(&mut self) {
        self.timestamp = self.timestamp.plus(self.clock_units(self.pending.len()));
        self.pending.clear();
        self.begins = true;
        self.digits.clear();
        self.saying = Saying::Sound;
    }

    pub(super) fn queue_digits(&mut self, digits: &str) {
        let valid = digits.chars().filter(|&each| each == ',' || telephone_event::code(each).is_some());
        let room = MAX_DIGITS.saturating_sub(self.digits.len());
        self.digits.extend(valid.take(room));
    }

    pub(super) fn capture(
        &mut self,
        now: Instant,
        samples: &[i16],
        open: bool,
        media: &Negotiated,
        to: SocketAddr,
        out: &mut Outbox,
    ) {
        self.keep_time(now, samples.len(), media.codec);
        let per_packet = samples_per_packet(media);
        // After a change of ptime more may wait than a packet holds.
        while self.pending.len() >= per_packet {
            self.packet(per_packet, media, to, out);
        }
        let mut rest = samples;
        while !rest.is_empty() {
            let (taken, after) = rest.split_at(rest.len().min(per_packet - self.pending.len()));
            rest = after;
            if open {
                self.pending.extend_from_slice(taken);
            } else {
                self.pending.resize(self.pending.len() + taken.len(), 0);
            }
            if self.pending.len() == per_packet {
                self.packet(per_packet, media, to, out);
            }
        }
    }

    /// Leaps over the time in which no samples were taken.
    fn keep_time(&mut self, now: Instant, samples: usize, codec: Codec) {
        let taken = Duration::from_secs_f64(samples as f64 / f64::from(codec.sample_rate()));
        let missing = now.saturating_duration_since(self.last).saturating_sub(taken);
        self.last = now;
        if missing > LONGEST_STALL {
            self.timestamp = self.timestamp.plus(self.clock_units(self.pending.len()));
            self.pending.clear();
            self.begins = true;
        }
        if self.begins && self.pending.is_empty() {
            self.timestamp = self.timestamp.plus(units(missing, codec.clock_rate()));
        }
    }

    /// Sends the first samples that wait, or what is sent in their place.
    fn packet(&mut self, samples: usize, media: &Negotiated, to: SocketAddr, out: &mut Outbox) {
        if let Some(bytes) =
            self.next_digit_packet(samples, media, out).or_else(|| self.sound_packet(samples, media, out))
        {
            out.transmit(Transmit::Rtp { to, bytes });
        }
        self.timestamp = self.timestamp.plus(self.clock_units(samples));
        self.pending.drain(..samples);
    }

    fn sound_packet(&mut self, samples: usize, media: &Negotiated, out: &mut Outbox) -> Option<Vec<u8>> {
        let sound = self.pending.get(..samples)?;
        if let Some((suppressor, number)) = &mut self.quiet {
            let mut noise = [0; MAX_PAYLOAD];
            match suppressor.take(sound, &mut noise) {
                Said::Sound => {}
                Said::Noise(length) => {
                    let number = *number;
                    return Some(self.noise_packet(number, noise.get(..length)?, out));
                }
                Said::Nothing => {
                    self.kept_back = true;
                    return None;
                }
            }
        }
        let encoder = self.encoder.as_mut()?;
        let header = Packet {
            payload_type: PayloadType(media.send_payload_type),
            marker: self.begins | self.kept_back,
            seq: self.seq,
            timestamp: self.timestamp,
            ssrc: self.ssrc,
            payload: &[],
        };
        let mut bytes = out.buffer();
        header.write_into(samples + srtp::MAX_GROWTH, &mut bytes);
        let without_payload = bytes.len();
        if encoder.encode(sound, &mut bytes) == Encoded::Silence {
            // RFC 7587 section 4.2: the timestamp goes on, the sequence number does not; what comes next begins a talkspurt.
            self.kept_back = true;
            out.take_back(bytes);
            return None;
        }
        (self.begins, self.kept_back) = (false, false);
        self.count(bytes.len() - without_payload);
        Some(bytes)
    }

    /// A packet that says how our silence sounds; what comes next begins a talkspurt (RFC 3389 sections 4 and 5.1).
    fn noise_packet(&mut self, payload_type: PayloadType, payload: &[u8], out: &mut Outbox) -> Vec<u8> {
        let Sender { seq, timestamp, ssrc, .. } = *self;
        let packet = Packet { payload_type, marker: false, seq, timestamp, ssrc, payload };
        let mut bytes = out.buffer();
        packet.write_into(srtp::MAX_GROWTH, &mut bytes);
        self.kept_back = true;
        self.count(payload.len());
        bytes
    }

    /// A packet of the digit that is being sent, if one is.
    fn next_digit_packet(&mut self, samples: usize, media: &Negotiated, out: &mut Outbox) -> Option<Vec<u8>> {
        let (payload_type, rate) = media.send_telephone_event?;
        let payload_type = PayloadType(payload_type);
        let per_ms = rate / 1000;
        let step = (samples as u64 * u64::from(rate) / u64::from(media.codec.sample_rate())) as u32;
        if let Saying::Gap(left) = self.saying {
            self.saying = if left > step { Saying::Gap(left - step) } else { Saying::Sound };
        }
        if matches!(self.saying, Saying::Sound) {
            match self.digits.pop_front()? {
                ',' => self.saying = Saying::Gap(PAUSE_MS * per_ms),
                digit => {
                    let code = telephone_event::code(digit)?;
                    self.saying = Saying::Digit(digit, Press::new(code, self.timestamp, TONE_MS * per_ms));
                }
            }
        }
        let Saying::Digit(digit, press) = &mut self.saying else { return None };
        let ended_before = press.has_ended();
        let Some(update) = press.next_update(step) else {
            // The repeated ends were the beginning of the gap, and this packet is too.
            self.saying = Saying::Gap((GAP_MS * per_ms).saturating_sub(3 * step).max(1));
            return None;
        };
        if press.has_ended() && !ended_before {
            out.event(Event::DigitSent { digit: *digit });
        }
        self.begins = false;
        let payload = update.payload.write();
        let bytes = Packet {
            payload_type,
            marker: update.marker,
            seq: self.seq,
            timestamp: update.timestamp,
            ssrc: self.ssrc,
            payload: &payload,
        }
        .write(srtp::MAX_GROWTH);
        self.count(payload.len());
        Some(bytes)
    }

    /// A packet without meaning, in the place of the sound that is not sent (RFC 6263 section 4.6). It is not counted: nobody
    /// reports on it.
    pub(super) fn keep_alive(&mut self, now: Instant, media: &Negotiated, to: SocketAddr, out: &mut Outbox) {
        let packet = Packet {
            payload_type: super::keep_alive::meaningless_type(media),
            marker: false,
            seq: self.seq,
            timestamp: self.timestamp_at(now, media.codec.clock_rate()),
            ssrc: self.ssrc,
            payload: &[],
        };
        out.transmit(Transmit::Rtp { to, bytes: packet.write(0) });
        self.seq = self.seq.next();
    }

    fn count(&mut self, octets: usize) {
        self.seq = self.seq.next();
        self.packets += 1;
        self.octets += octets as u64;
    }
}

fn samples_per_packet(media: &Negotiated) -> usize {
    let wanted = usize::from(media.ptime_ms.clamp(10, 200));
    let milliseconds = match media.codec {
        // RFC 6716 section 2.1.4: the lengths of a frame, of those that we send.
        Codec::Opus => [60, 40, 20].into_iter().find(|length| *length <= wanted).unwrap_or(10),
        Codec::G722 | Codec::Pcmu | Codec::Pcma | Codec::L16 => wanted,
    };
    milliseconds * media.codec.sample_rate() as usize / 1000
}

fn units(time: Duration, clock_rate: u32) -> u32 {
    (time.as_nanos() * u128::from(clock_rate) / 1_000_000_000) as u32
}
