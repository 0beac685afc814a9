//! One extension call's sound: two sockets, a media session, and what it is fed with, 20 ms at a time.

use std::io;
use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::time::{Duration, Instant};

use crate::media::session::{Event, Session, Transmit};
use crate::media::tones::{Generator, Pattern};
use crate::sdp::Negotiated;
use crate::ua::command::MediaPorts;

use super::extension::Act;
use super::music::Melody;

/// How often [`Voice::tick`] is due.
pub(crate) const TICK: Duration = Duration::from_millis(20);

/// The tone of 601 and 604.
const TONE: Pattern =
    Pattern { frequencies: [440.0, 0.0], level_dbfs: -12.0, cadence: &[(3_600_000, 0)], repeats: true };
/// Datagrams that are read in a tick at most.
const MAX_READ: usize = 64;
/// Longer than any RTP packet that makes sense.
const MAX_PACKET: usize = 2048;
/// Attempts at a pair of ports that follow each other.
const PAIR_ATTEMPTS: usize = 16;

enum Source {
    /// What is heard.
    Echo,
    Tone(Generator),
    Music(Melody),
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
        let ports = MediaPorts { rtp: rtp.local_addr()?.port(), rtcp: rtcp.local_addr()?.port() };
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
            Act::Echo | Act::Busy | Act::NoAnswer | Act::Redirect => Source::Echo,
        });
    }

    /// Twenty milliseconds: takes what came, says the next samples.
    pub fn tick(&mut self, now: Instant) {
        self.receive(now);
        if self.session.poll_timeout().is_some_and(|at| at <= now) {
            self.session.handle_timeout(now);
        }
        if let Some(source) = &mut self.source {
            self.session.playout(now, &mut self.samples);
            match source {
                Source::Echo => {}
                Source::Tone(tone) => tone.fill(&mut self.samples),
                Source::Music(music) => music.fill(&mut self.samples),
            }
            self.session.capture(now, &self.samples);
        }
        while let Some(event) = self.session.poll_event() {
            if let (Event::Digit { digit, .. }, Act::Echo) = (event, self.act) {
                let _ = self.session.send_digits(now, digit.encode_utf8(&mut [0; 4]));
            }
        }
        self.transmit();
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
