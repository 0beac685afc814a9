//! One call's sound: microphone samples in, packets out; packets in, samples for the speaker out.

use std::net::SocketAddr;
use std::time::Instant;

use crate::sdp::Negotiated;

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
    /// Every 5 s.
    Stats(Stats),
}

/// Figures of a call.
#[derive(Debug, Clone, Copy, PartialEq, Default, serde::Serialize)]
pub struct Stats {
    /// Packets sent.
    pub sent: u64,
    /// Packets received and accepted.
    pub received: u64,
    /// Packets that never came (RFC 3550 appendix A.3).
    pub lost: i64,
    /// Packets that came too late or twice.
    pub discarded: u64,
    /// Packets from an address that is not the peer's.
    pub strangers: u64,
    /// Round trip by RTCP in milliseconds, once known.
    pub rtt_ms: Option<f32>,
    /// Interarrival jitter in milliseconds (RFC 3550 section 6.4.1).
    pub jitter_ms: f32,
    /// Loss in the last interval, 0 to 1.
    pub loss: f32,
    /// Sound waiting in the jitter buffer, in milliseconds.
    pub buffer_ms: f32,
    /// Estimated listening quality, 1 to 4.5 (ITU-T G.107, simplified); `None` until something came.
    pub mos: Option<f32>,
}

/// One call's sound. All samples are 16-bit, mono, at [`Session::sample_rate`].
pub struct Session {}

impl Session {
    /// A session that is silent until [`Session::configure`]. `seed` gives SSRC, first sequence number and timestamp, CNAME.
    pub fn new(now: Instant, seed: [u8; 32]) -> Session {
        let _ = (now, seed);
        todo!()
    }

    /// Takes what offer and answer agreed on. Called again with the same values it changes nothing.
    pub fn configure(&mut self, now: Instant, media: &Negotiated) {
        let _ = (now, media);
        todo!()
    }

    /// Samples a second of what goes in and comes out, in Hz.
    pub fn sample_rate(&self) -> u32 {
        todo!()
    }

    /// Whether microphone samples are wanted: configured, and the session sends.
    pub fn sends(&self) -> bool {
        todo!()
    }

    /// Before the answer, and while muted, the samples given to [`Session::capture`] are replaced by silence.
    pub fn set_microphone_open(&mut self, open: bool) {
        let _ = open;
        todo!()
    }

    /// Microphone samples, any number of them; a packet leaves with the sample that completes it.
    pub fn capture(&mut self, now: Instant, samples: &[i16]) {
        let _ = (now, samples);
        todo!()
    }

    /// When RTP of the peer last came (audio or telephone-event, from the accepted address).
    pub fn last_received(&self) -> Option<Instant> {
        todo!()
    }

    /// Samples that can be played at once, without concealment.
    pub fn ready(&self) -> usize {
        todo!()
    }

    /// Fills `out` for the speaker: decoded sound, then concealment, then silence. Never waits.
    pub fn playout(&mut self, now: Instant, out: &mut [i16]) {
        let _ = (now, out);
        todo!()
    }

    /// A datagram on the RTP socket.
    pub fn handle_rtp(&mut self, now: Instant, from: SocketAddr, bytes: &[u8]) {
        let _ = (now, from, bytes);
        todo!()
    }

    /// A datagram on the RTCP socket.
    pub fn handle_rtcp(&mut self, now: Instant, from: SocketAddr, bytes: &[u8]) {
        let _ = (now, from, bytes);
        todo!()
    }

    /// Sends digits by telephone-event (RFC 4733), one after the other; `,` pauses 1 s. False: the peer takes none.
    #[must_use]
    pub fn send_digits(&mut self, now: Instant, digits: &str) -> bool {
        let _ = (now, digits);
        todo!()
    }

    /// The time has come that [`Session::poll_timeout`] named.
    pub fn handle_timeout(&mut self, now: Instant) {
        let _ = now;
        todo!()
    }

    /// When RTCP, a supervision or a digit is due.
    pub fn poll_timeout(&self) -> Option<Instant> {
        todo!()
    }

    /// The next packet to send.
    pub fn poll_transmit(&mut self) -> Option<Transmit> {
        todo!()
    }

    /// What happened.
    pub fn poll_event(&mut self) -> Option<Event> {
        todo!()
    }

    /// The figures so far.
    pub fn stats(&self) -> Stats {
        todo!()
    }

    /// Says goodbye by RTCP BYE; poll the transmits once more.
    pub fn close(&mut self, now: Instant) {
        let _ = now;
        todo!()
    }
}
