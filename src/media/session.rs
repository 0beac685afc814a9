//! One call's sound: microphone samples in, packets out; packets in, samples for the speaker out.
//!
//! | file | what |
//! |---|---|
//! | `send` | samples and digits into packets |
//! | `receive` | packets into the buffer, counted |
//! | `playout` | out of the buffer into samples |
//! | `source` | whose packets are taken, and where ours go |
//! | `way` | the same, where both sides speak ICE |
//! | `keep_alive` | what keeps the way open while nothing is sent |
//! | `track` | the bursts and gaps of losses |
//! | `report` | RTCP: what we report, what the peer reports |
//! | `quality` | the figures, and their meaning for a listener |
//! | `supervision` | whether RTP comes |
//! | `handshake` | the keys, and the DTLS handshakes that give them |

mod handshake;
mod keep_alive;
mod playout;
mod quality;
mod receive;
mod report;
mod send;
mod source;
mod supervision;
#[cfg(test)]
mod tests;
mod track;
mod way;

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::time::Instant;

use rand_chacha::ChaCha12Rng;
use rand_core::{RngCore, SeedableRng};

use crate::media::codec::Dtx;
use crate::media::dtls;
use crate::media::echo_delay::EchoDelay;
use crate::media::ice::{self, Component};
use crate::rtp::telephone_event::{self, Payload};
use crate::rtp::xr::VoipMetrics;
use crate::rtp::{Packet, PayloadType, RtpTimestamp, SeqNo, Ssrc, rtcp};
use crate::sdp::crypto::Suite;
use crate::sdp::{Codec, Negotiated};

use handshake::Keys;
use keep_alive::KeepAlive;
pub use quality::Stats;
use receive::{Heard, Receiver};
use report::{Extended, Reports};
use send::Sender;
use source::{Origin, Sources};
use supervision::Supervision;
use track::Track;
use way::{Verdict, Way};

/// Samples a second before anything is agreed on.
const DEFAULT_SAMPLE_RATE: u32 = 8000;
/// What waits to be polled is bounded: a caller that does not poll loses the oldest.
const MAX_TRANSMITS: usize = 1024;
const MAX_EVENTS: usize = 256;
/// Buffers that wait for another packet.
const SPARE: usize = 4;

/// A packet to send.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Transmit {
    /// From the RTP socket.
    Rtp { to: SocketAddr, bytes: Vec<u8> },
    /// From the RTCP socket.
    Rtcp { to: SocketAddr, bytes: Vec<u8> },
}

/// What happened in the sound.
#[derive(Debug, Clone, PartialEq)]
pub enum Event {
    /// A digit by telephone-event, once per key press.
    Digit { digit: char, duration_ms: u32 },
    /// A digit given to [`Session::send_digits`] has been sent to its end.
    DigitSent { digit: char },
    /// The first packet came, or the first after a loss of media.
    Flowing { from: SocketAddr },
    /// No RTP for this many seconds although the peer should send: 5, 10, 20...
    Lost { seconds: u32 },
    /// What we say comes back after so many milliseconds, where that is looked for ([`Session::look_for_echo`]).
    Echo { delay_ms: u32 },
    /// Every 5 s.
    Stats(Stats),
    /// What ICE has come to.
    Ice(ice::Event),
    /// A handshake has given the keys of RTP, and the peer is who the description says.
    Keyed { suite: Suite },
    /// It gives none: no sound comes or goes.
    KeysFailed(dtls::Failure),
}

/// What waits to be polled.
#[derive(Debug, Default)]
struct Outbox {
    transmits: VecDeque<Transmit>,
    events: VecDeque<Event>,
    /// Buffers of packets that were sent.
    spare: Vec<Vec<u8>>,
}

impl Outbox {
    /// A buffer for a packet: one that has served before, if there is.
    fn buffer(&mut self) -> Vec<u8> {
        self.spare.pop().unwrap_or_default()
    }

    /// Takes back a buffer that is not needed any more.
    fn take_back(&mut self, bytes: Vec<u8>) {
        if self.spare.len() < SPARE {
            self.spare.push(bytes);
        }
    }

    fn transmit(&mut self, transmit: Transmit) {
        if self.transmits.len() == MAX_TRANSMITS {
            self.transmits.pop_front();
        }
        self.transmits.push_back(transmit);
    }

    fn event(&mut self, event: Event) {
        if self.events.len() == MAX_EVENTS {
            self.events.pop_front();
        }
        self.events.push_back(event);
    }
}

/// What is known once offer and answer agreed.
#[derive(Debug)]
struct Agreed {
    media: Negotiated,
    sources: Sources,
}

/// One call's sound. All samples are 16-bit, mono, at [`Session::sample_rate`].
#[derive(Debug)]
pub struct Session {
    random: ChaCha12Rng,
    agreed: Option<Agreed>,
    microphone_open: bool,
    dtx: Dtx,
    echo: Option<Box<EchoDelay>>,
    closed: bool,
    sender: Sender,
    receiver: Receiver,
    digits: telephone_event::Receiver,
    /// The clock of the digits, in Hz.
    digit_rate: u32,
    reports: Reports,
    track: Track,
    supervision: Supervision,
    keys: Keys,
    way: Way,
    keep_alive: KeepAlive,
    out: Outbox,
}

impl Session {
    /// A session that is silent until [`Session::configure`]. `seed` gives SSRC, first sequence number and timestamp, CNAME.
    pub fn new(now: Instant, seed: [u8; 32]) -> Session {
        let mut random = ChaCha12Rng::from_seed(seed);
        let ssrc = Ssrc(random.next_u32());
        let seq = first_seq(&mut random);
        let timestamp = RtpTimestamp(random.next_u32());
        let cname = rtcp::random_cname(&mut random);
        let tie_breaker = random.next_u64();
        Session {
            random,
            agreed: None,
            microphone_open: false,
            dtx: Dtx::default(),
            echo: None,
            closed: false,
            sender: Sender::new(now, ssrc, seq, timestamp),
            receiver: Receiver::new(DEFAULT_SAMPLE_RATE),
            digits: telephone_event::Receiver::default(),
            digit_rate: DEFAULT_SAMPLE_RATE,
            reports: Reports::new(now, cname),
            track: Track::default(),
            supervision: Supervision::default(),
            keys: Keys::default(),
            way: Way::new(tie_breaker),
            keep_alive: KeepAlive::default(),
            out: Outbox::default(),
        }
    }

    /// Takes what offer and answer agreed on. Called again with the same values it changes nothing.
    pub fn configure(&mut self, now: Instant, media: &Negotiated) {
        if self.closed {
            return;
        }
        match &mut self.agreed {
            None => {
                self.agreed = Some(Agreed { media: media.clone(), sources: Sources::new(media.remote_rtp) });
                self.supervision.begin(now);
                self.supervision.expect(now, expects_sound(media));
            }
            Some(agreed) => {
                if agreed.media == *media {
                    return;
                }
                let before = std::mem::replace(&mut agreed.media, media.clone());
                let moved = agreed.sources.signal(media.remote_rtp);
                if moved || before.remote_rtcp != media.remote_rtcp {
                    self.reports.forget_address();
                }
                if moved || expects_sound(&before) != expects_sound(media) {
                    self.supervision.expect(now, expects_sound(media));
                }
                if before.send && !media.send {
                    self.sender.pause();
                }
                if !media.receive_audio {
                    self.receiver.playout().clear_sound();
                }
            }
        }
        self.way.configure(now, media.ice.as_ref(), &mut self.out);
        self.configure_keys(now, media);
        self.keep_alive.configure(now, media);
        self.sender.use_codec(media.codec, &mut self.random);
        self.sender.heed(media, self.dtx);
        self.receiver.set_rate(media.codec.sample_rate());
        if media.remote_rtcp.is_some() {
            self.reports.begin(now, &mut self.random);
        }
    }

    /// Whether silence is sent, from the next [`Session::configure`] on.
    pub fn set_dtx(&mut self, dtx: Dtx) {
        self.dtx = dtx;
    }

    /// From now on it is told when what is said comes back ([`Event::Echo`]): it costs some time of the processor.
    pub fn look_for_echo(&mut self, now: Instant) {
        self.echo = Some(Box::new(EchoDelay::new(now)));
    }

    /// Samples a second of what goes in and comes out, in Hz.
    pub fn sample_rate(&self) -> u32 {
        self.agreed.as_ref().map_or(DEFAULT_SAMPLE_RATE, |agreed| agreed.media.codec.sample_rate())
    }

    /// Whether microphone samples are wanted: configured, and the session sends.
    pub fn sends(&self) -> bool {
        self.agreed.as_ref().is_some_and(|agreed| agreed.media.send) && !self.keys.is_locked(Component::Rtp)
    }

    /// Before the answer, and while muted, the samples given to [`Session::capture`] are replaced by silence.
    pub fn set_microphone_open(&mut self, open: bool) {
        self.microphone_open = open;
    }

    /// Microphone samples, any number of them; a packet leaves with the sample that completes it.
    pub fn capture(&mut self, now: Instant, samples: &[i16]) {
        let Some(agreed) = self.agreed.as_ref().filter(|agreed| agreed.media.send) else { return };
        if self.keys.is_locked(Component::Rtp) {
            return;
        }
        // RFC 8445 section 12.1: nothing is sent before a way has been found.
        let Some(to) = self.way.destination(Component::Rtp, agreed.sources.destination()) else { return };
        if let Some(echo) = self.echo.as_mut().filter(|_| self.microphone_open) {
            echo.sent(now, samples, agreed.media.codec.sample_rate());
        }
        self.sender.capture(now, samples, self.microphone_open, &agreed.media, to, &mut self.out);
    }

    /// When RTP of the peer last came (from the address that is taken), played or not.
    pub fn last_received(&self) -> Option<Instant> {
        self.supervision.last_received()
    }

    /// Samples that can be played at once, without concealment: whole milliseconds.
    pub fn ready(&self) -> usize {
        if self.plays() { self.receiver.ready() } else { 0 }
    }

    /// Fills `out` for the speaker: decoded sound, then concealment, then silence. Never waits.
    pub fn playout(&mut self, now: Instant, out: &mut [i16]) {
        match &self.agreed {
            Some(agreed) if agreed.media.receive_audio => self.receiver.playout().fill(now, &agreed.media, out),
            Some(_) | None => out.fill(0),
        }
        let rate = self.sample_rate();
        if let Some(echo) = &mut self.echo {
            echo.heard(now, out, rate);
            if let Some(delay_ms) = echo.poll(now) {
                self.out.event(Event::Echo { delay_ms });
            }
        }
    }

    /// By which part the sound should be longer ([`crate::media::resample::Resampler::adjust`]) for the clocks of the peer and
    /// the speaker to stay together. `None`: packets are played the moment they come, and the speaker's slack says it.
    pub fn correction(&self) -> Option<f64> {
        if self.plays() { self.receiver.correction() } else { None }
    }

    fn plays(&self) -> bool {
        self.agreed.as_ref().is_some_and(|agreed| agreed.media.receive_audio)
    }

    /// A datagram on the RTP socket; with RFC 5761 it may be RTCP.
    pub fn handle_rtp(&mut self, now: Instant, from: SocketAddr, bytes: &[u8]) {
        // RFC 7983 section 7: the first byte tells them apart.
        if ice::is_stun(bytes) {
            return self.handle_stun(now, Component::Rtp, from, bytes);
        }
        if dtls::is_dtls(bytes) {
            return self.handle_dtls(now, Component::Rtp, from, bytes);
        }
        let Some(agreed) = &mut self.agreed else { return };
        if agreed.media.rtcp_mux && rtcp::is_rtcp(bytes) {
            return self.handle_rtcp(now, from, bytes);
        }
        // With SRTP a stranger's packets end here, and none of them opens the latch.
        let Some(bytes) = self.keys.guard(Component::Rtp).unprotect(bytes) else { return };
        let Ok(packet) = Packet::read(bytes) else { return };
        let kind = Kind::of(packet.payload_type, &agreed.media);
        let origin = match self.way.judge(Component::Rtp, from) {
            Verdict::Undecided => agreed.sources.check(now, from, packet.ssrc, packet.seq, kind != Kind::Unknown),
            Verdict::Peer => Origin::Peer,
            Verdict::Stranger => Origin::Stranger,
        };
        match origin {
            Origin::Peer => {}
            Origin::Stranger => {
                self.receiver.count_stranger();
                return;
            }
        }
        if self.supervision.received(now) {
            self.out.event(Event::Flowing { from });
        }
        let clock_rate = agreed.media.codec.clock_rate();
        let (codec, heard) = match kind {
            Kind::Voice(codec) => (Some(codec), Heard::Voice(codec)),
            Kind::Noise(rate) => (None, Heard::Noise(rate)),
            Kind::Digit(_) | Kind::Unknown => (None, Heard::Nothing),
        };
        self.track.count(packet.ssrc, packet.seq);
        self.receiver.count(now, &packet, codec.is_some_and(|codec| codec.clock_rate() == clock_rate), clock_rate);
        if agreed.media.receive_audio {
            self.receiver.insert(now, &packet, heard);
        }
        if let Kind::Digit(rate) = kind
            && let Ok(payload) = Payload::read(packet.payload)
        {
            self.digits.handle(now, packet.timestamp, packet.marker, payload);
            self.digit_rate = rate;
            self.take_digits();
        }
    }

    fn take_digits(&mut self) {
        while let Some(pressed) = self.digits.poll() {
            let duration_ms = (u64::from(pressed.duration) * 1000 / u64::from(self.digit_rate.max(1))) as u32;
            self.out.event(Event::Digit { digit: pressed.digit, duration_ms });
        }
    }

    /// A datagram on the RTCP socket.
    pub fn handle_rtcp(&mut self, now: Instant, from: SocketAddr, bytes: &[u8]) {
        if ice::is_stun(bytes) {
            return self.handle_stun(now, Component::Rtcp, from, bytes);
        }
        if dtls::is_dtls(bytes) {
            return self.handle_dtls(now, Component::Rtcp, from, bytes);
        }
        let Some(agreed) = &self.agreed else { return };
        let Some(signalled) = agreed.media.remote_rtcp else { return };
        let component = if agreed.media.rtcp_mux { Component::Rtp } else { Component::Rtcp };
        let is_peer = match self.way.judge(component, from) {
            Verdict::Undecided => agreed.sources.is_host_of_peer(from) || source::same_host(from, signalled),
            Verdict::Peer => true,
            Verdict::Stranger => false,
        };
        if !is_peer {
            return;
        }
        let Some(bytes) = self.keys.guard(component).unprotect(bytes) else { return };
        if let Some(loss) = self.reports.handle(now, from, bytes, self.sender.ssrc()) {
            self.sender.expect_loss(loss);
        }
    }

    fn handle_stun(&mut self, now: Instant, component: Component, from: SocketAddr, bytes: &[u8]) {
        if !self.closed && !self.answer_check(component, from, bytes) {
            self.way.handle(now, component, from, bytes, &mut self.out);
            self.begin_handshakes(now);
        }
    }

    /// Sends digits by telephone-event (RFC 4733), one after the other; `,` pauses 1 s. False: the peer takes none.
    #[must_use]
    pub fn send_digits(&mut self, _now: Instant, digits: &str) -> bool {
        let takes = self.agreed.as_ref().is_some_and(|agreed| {
            let media = &agreed.media;
            media.send && media.send_telephone_event.is_some()
        });
        if takes {
            self.sender.queue_digits(digits);
        }
        takes
    }

    /// The time has come that [`Session::poll_timeout`] named.
    pub fn handle_timeout(&mut self, now: Instant) {
        if self.agreed.is_none() {
            return;
        }
        if self.reports.is_due(now, &mut self.random) {
            self.report(now, false);
        }
        if let Some(seconds) = self.supervision.check_loss(now) {
            self.out.event(Event::Lost { seconds });
        }
        if self.supervision.check_stats(now) {
            self.receiver.end_interval();
            let stats = self.stats();
            self.out.event(Event::Stats(stats));
        }
        self.digits.handle_timeout(now);
        self.take_digits();
        self.way.handle_timeout(now, &mut self.out);
        self.begin_handshakes(now);
        if self.keep_alive.is_due(now)
            && !self.keys.is_locked(Component::Rtp)
            && let Some(agreed) = &self.agreed
        {
            self.sender.keep_alive(now, &agreed.media, agreed.sources.destination(), &mut self.out);
        }
    }

    /// When RTCP, a supervision or a digit is due.
    pub fn poll_timeout(&self) -> Option<Instant> {
        self.agreed.as_ref()?;
        let others = [self.digits.poll_timeout(), self.way.poll_timeout(), self.keep_alive.poll_timeout()];
        [self.reports.poll_timeout(), self.supervision.poll_timeout()].into_iter().chain(others).flatten().min()
    }

    fn report(&mut self, now: Instant, bye: bool) {
        let Some(agreed) = &self.agreed else { return };
        let Some(signalled) = agreed.media.remote_rtcp else { return };
        let rtcp_mux = agreed.media.rtcp_mux;
        let plain = match rtcp_mux {
            true => agreed.sources.destination(),
            false => self.reports.destination(signalled, agreed.sources.latched()),
        };
        let component = if rtcp_mux { Component::Rtp } else { Component::Rtcp };
        if self.keys.is_locked(component) {
            return;
        }
        let Some(to) = self.way.destination(component, plain) else { return };
        let clock_rate = agreed.media.codec.clock_rate();
        let wanted = agreed.media.xr;
        let voip = if wanted.voip_metrics { self.voip_metrics() } else { None };
        let extended = Extended { wanted, voip };
        let bytes = self.reports.write(now, &self.sender, clock_rate, &mut self.receiver, extended, bye);
        if !bytes.is_empty() {
            self.out.transmit(match rtcp_mux {
                true => Transmit::Rtp { to, bytes },
                false => Transmit::Rtcp { to, bytes },
            });
        }
    }

    /// The next packet to send. This is the only way out of here, so that none leaves unprotected, but for checks of ICE and
    /// handshakes, which have a protection of their own.
    pub fn poll_transmit(&mut self) -> Option<Transmit> {
        loop {
            let mut transmit = self.out.transmits.pop_front()?;
            let (component, bytes) = match &mut transmit {
                Transmit::Rtp { bytes, .. } => (Component::Rtp, bytes),
                Transmit::Rtcp { bytes, .. } => (Component::Rtcp, bytes),
            };
            if ice::is_stun(bytes) || dtls::is_dtls(bytes) || self.keys.guard(component).protect(bytes) {
                return Some(transmit);
            }
        }
    }

    /// Takes back the buffer of a packet that was sent, for another one.
    pub fn recycle(&mut self, bytes: Vec<u8>) {
        self.out.take_back(bytes);
    }

    /// What happened.
    pub fn poll_event(&mut self) -> Option<Event> {
        self.out.events.pop_front()
    }

    /// The figures so far.
    pub fn stats(&self) -> Stats {
        let stats = quality::stats(&self.ends(), self.sender.packets(), &self.receiver);
        Stats { strangers: stats.strangers + self.keys.rejected(), ..stats }
    }

    /// What the figures are made of beside the receiver's.
    fn ends(&self) -> quality::Ends {
        let media = self.agreed.as_ref().map(|agreed| &agreed.media);
        quality::Ends {
            codec: media.map_or(Codec::Pcmu, |media| media.codec),
            ptime_ms: media.map_or(20, |media| media.ptime_ms),
            round_trip: self.reports.round_trip(),
            bursts: self.track.metrics(),
            heard: self.reports.heard(),
        }
    }

    fn voip_metrics(&mut self) -> Option<VoipMetrics> {
        let ends = self.ends();
        let source = self.receiver.source_mut().filter(|source| source.reception.is_valid())?.ssrc;
        Some(quality::voip_metrics(source, &ends, &self.receiver))
    }

    /// Says goodbye by RTCP BYE; poll the transmits once more.
    pub fn close(&mut self, now: Instant) {
        // RFC 3550 6.3.7: who never sent anything says no goodbye.
        if self.sender.packets() > 0 || self.reports.has_sent() {
            self.report(now, true);
        }
        self.agreed = None;
        self.keys.end();
        self.way.close();
        self.closed = true;
    }
}

/// Where a stream begins: RFC 3711 section 3.3.1 and RFC 4568 section 6.4 want the lower half, that a lost first packet leaves no
/// doubt of the roll-over counter.
fn first_seq(random: &mut impl RngCore) -> SeqNo {
    SeqNo((random.next_u32() & 0x7fff) as u16)
}

/// What a packet is, by its payload type.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Voice(Codec),
    /// Comfort noise, at this clock rate in Hz.
    Noise(u32),
    /// At this clock rate in Hz.
    Digit(u32),
    Unknown,
}

impl Kind {
    fn of(payload_type: PayloadType, media: &Negotiated) -> Kind {
        if let Some(codec) = receive::codec_of(media, payload_type.0) {
            return Kind::Voice(codec);
        }
        if let Some((_, rate)) = media.receive_telephone_events.iter().find(|(number, _)| *number == payload_type.0) {
            return Kind::Digit(*rate);
        }
        let noises = &media.comfort_noise.receive;
        if let Some((_, rate)) = noises.iter().find(|(number, _)| *number == payload_type.0) {
            return Kind::Noise(*rate);
        }
        // Gateways send it without having agreed on it.
        if payload_type == PayloadType::COMFORT_NOISE { Kind::Noise(DEFAULT_SAMPLE_RATE) } else { Kind::Unknown }
    }
}

/// Whether silence on the wire is a fault.
fn expects_sound(media: &Negotiated) -> bool {
    media.receive_audio && !media.held_by_peer
}
