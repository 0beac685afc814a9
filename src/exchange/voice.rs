//! One extension call's sound: two sockets, a media session, and what it is fed with, 20 ms at a time: first everyone's
//! [`Voice::hear`], then everyone's [`Voice::speak`], between which a room is mixed.

use std::io;
use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::time::{Duration, Instant};

use crate::media::mixing;
use crate::media::session::{Event, Session, Transmit};
use crate::media::tones::{Digits, Generator, Pattern};
use crate::sdp::Negotiated;
use crate::ua::command::MediaPorts;

use super::extension::Act;
use super::music::Melody;

/// How often [`Voice::hear`] and [`Voice::speak`] are due.
pub(crate) const TICK: Duration = Duration::from_millis(20);

/// The tone of 601 and 604.
const TONE: Pattern =
    Pattern { frequencies: [440.0, 0.0], level_dbfs: -12.0, cadence: &[(3_600_000, 0)], repeats: true };
/// Datagrams that are read in a tick at most.
const MAX_READ: usize = 64;
/// Digits that 609 keeps to read back.
const MAX_DIGITS: usize = 64;
/// How long 609 waits for a further digit before it reads back.
const DIGITS_END: Duration = Duration::from_millis(1000);
/// Longer than any RTP packet that makes sense.
const MAX_PACKET: usize = 2048;
/// Attempts at a pair of ports that follow each other.
const PAIR_ATTEMPTS: usize = 16;

enum Source {
    /// What is heard.
    Echo,
    Tone(Generator),
    Music(Melody),
    /// All others in the room.
    Room,
    Readback(Readback),
}

/// What 609 was told.
struct Readback {
    heard: String,
    /// When the last digit came.
    last: Option<Instant>,
    tones: Digits,
}

impl Readback {
    fn new(rate: u32) -> Readback {
        Readback { heard: String::new(), last: None, tones: Digits::new(rate) }
    }

    fn digit(&mut self, now: Instant, digit: char) {
        if self.heard.len() < MAX_DIGITS {
            self.heard.push(digit);
        }
        self.last = Some(now);
    }

    /// The next samples: silence while somebody dials, then what he dialled.
    fn fill(&mut self, now: Instant, out: &mut [i16]) {
        if self.last.is_some_and(|last| now.saturating_duration_since(last) >= DIGITS_END) {
            self.last = None;
            self.tones.push(&std::mem::take(&mut self.heard));
        }
        self.tones.fill(out);
        while self.tones.poll_sent().is_some() {}
    }
}

/// One call's sound.
pub(crate) struct Voice {
    rtp: UdpSocket,
    rtcp: UdpSocket,
    session: Session,
    act: Act,
    /// Once it is known at how many samples a second.
    source: Option<Source>,
    samples: Vec<i16>,
}

impl Voice {
    /// Binds a pair of ports; nothing is sent before [`Voice::configure`].
    pub fn open(now: Instant, address: IpAddr, act: Act, seed: [u8; 32]) -> io::Result<(Voice, MediaPorts)> {
        let (rtp, rtcp) = bind_pair(address)?;
        let ports = MediaPorts::new(rtp.local_addr()?.port(), rtcp.local_addr()?.port());
        let session = Session::new(now, seed);
        Ok((Voice { rtp, rtcp, session, act, source: None, samples: Vec::new() }, ports))
    }

    /// What offer and answer agreed on.
    pub fn configure(&mut self, now: Instant, media: &Negotiated) {
        self.session.configure(now, media);
        self.session.set_microphone_open(true);
        let rate = self.session.sample_rate();
        self.samples.resize(rate as usize * TICK.as_millis() as usize / 1000, 0);
        self.source.get_or_insert_with(|| match self.act {
            Act::Tone | Act::EarlyMedia => Source::Tone(Generator::new(TONE, rate)),
            Act::Music => Source::Music(Melody::new(rate)),
            Act::Conference => Source::Room,
            Act::Digits => Source::Readback(Readback::new(rate)),
            Act::Echo | Act::Busy | Act::NoAnswer | Act::Redirect | Act::HangUp => Source::Echo,
        });
    }

    /// Twenty milliseconds, the first half: takes what came. A guest of the room adds what he says to `room`.
    pub fn hear(&mut self, now: Instant, room: &mut Vec<i32>) {
        self.receive(now);
        if self.session.poll_timeout().is_some_and(|at| at <= now) {
            self.session.handle_timeout(now);
        }
        while let Some(event) = self.session.poll_event() {
            if let Event::Digit { digit, .. } = event {
                self.digit(now, digit);
            }
        }
        if self.source.is_none() {
            return;
        }
        self.session.playout(now, &mut self.samples);
        if matches!(self.source, Some(Source::Room)) {
            room.resize(room.len().max(self.samples.len()), 0);
            mixing::accumulate(room, &self.samples);
        }
    }

    /// The second half: says the next samples.
    pub fn speak(&mut self, now: Instant, room: &[i32]) {
        match &mut self.source {
            None => {}
            Some(source) => {
                match source {
                    Source::Echo => {}
                    Source::Tone(tone) => tone.fill(&mut self.samples),
                    Source::Music(music) => music.fill(&mut self.samples),
                    Source::Readback(readback) => readback.fill(now, &mut self.samples),
                    // Everyone but himself.
                    Source::Room => {
                        for (sample, &all) in self.samples.iter_mut().zip(room) {
                            *sample = mixing::soft_clip(all - i32::from(*sample));
                        }
                    }
                }
                self.session.capture(now, &self.samples);
            }
        }
        self.transmit();
    }

    /// The caller pressed a key.
    pub fn digit(&mut self, now: Instant, digit: char) {
        match &mut self.source {
            Some(Source::Echo) => {
                let _ = self.session.send_digits(now, digit.encode_utf8(&mut [0; 4]));
            }
            Some(Source::Readback(readback)) => readback.digit(now, digit),
            Some(Source::Tone(_) | Source::Music(_) | Source::Room) | None => {}
        }
    }

    /// Says goodbye.
    pub fn close(mut self, now: Instant) {
        self.session.close(now);
        self.transmit();
    }

    fn receive(&mut self, now: Instant) {
        let mut buffer = [0; MAX_PACKET];
        for _ in 0..MAX_READ {
            let Some((length, from)) = next(&self.rtp, &mut buffer) else { break };
            self.session.handle_rtp(now, from, buffer.get(..length).unwrap_or_default());
        }
        for _ in 0..MAX_READ {
            let Some((length, from)) = next(&self.rtcp, &mut buffer) else { break };
            self.session.handle_rtcp(now, from, buffer.get(..length).unwrap_or_default());
        }
    }

    fn transmit(&mut self) {
        while let Some(transmit) = self.session.poll_transmit() {
            // A packet that can't leave is a packet lost.
            let _ = match transmit {
                Transmit::Rtp { to, bytes } => self.rtp.send_to(&bytes, to),
                Transmit::Rtcp { to, bytes } => self.rtcp.send_to(&bytes, to),
            };
        }
    }
}

/// The next datagram; an ICMP error that waited is passed over.
fn next(socket: &UdpSocket, buffer: &mut [u8]) -> Option<(usize, SocketAddr)> {
    for _ in 0..4 {
        match socket.recv_from(buffer) {
            Ok(received) => return Some(received),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return None,
            Err(_) => {}
        }
    }
    None
}

/// An even port for RTP and the next one for RTCP (RFC 3550 section 11), or any two when no such pair is found.
fn bind_pair(address: IpAddr) -> io::Result<(UdpSocket, UdpSocket)> {
    let bind = |port| {
        let socket = UdpSocket::bind(SocketAddr::new(address, port))?;
        socket.set_nonblocking(true)?;
        io::Result::Ok(socket)
    };
    for _ in 0..PAIR_ATTEMPTS {
        let rtp = bind(0)?;
        let port = rtp.local_addr()?.port();
        if port % 2 == 0
            && let Ok(rtcp) = bind(port + 1)
        {
            return Ok((rtp, rtcp));
        }
    }
    Ok((bind(0)?, bind(0)?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::media::goertzel;

    #[test]
    fn digits_are_read_back_when_no_more_come() {
        let (mut readback, start) = (Readback::new(8000), Instant::now());
        readback.digit(start, '5');
        readback.digit(start + Duration::from_millis(400), '#');
        let mut out = [0; 160];
        readback.fill(start + Duration::from_millis(1300), &mut out);
        assert!(out.iter().all(|sample| *sample == 0), "another digit may come");
        let mut said = vec![0; 8000];
        readback.fill(start + Duration::from_millis(1400), &mut said);
        // 5 is 770 and 1336 Hz, # is 941 and 1477 Hz.
        for hz in [770.0, 1336.0, 941.0, 1477.0] {
            assert!(goertzel::level(&said, hz, 8000) > -35.0, "{hz} Hz");
        }
        assert!(goertzel::level(&said, 697.0, 8000) < -40.0);
        readback.fill(start + Duration::from_secs(9), &mut said);
        assert!(said.iter().all(|sample| *sample == 0), "once");
    }
}
