//! Opus in Ogg (RFC 7845), for recordings: a tenth of a WAV file's length.

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::Path;
use std::time::Instant;

use ogg::{PacketWriteEndInfo, PacketWriter};
use opus::{Application, Bitrate, Channels};

use super::wav::{Blocks, FLUSH, More};

/// RFC 7845 section 4: granule positions count at this rate, whatever went in.
const CLOCK: u32 = 48_000;
/// Milliseconds of a packet.
const PACKET_MS: u32 = 20;
/// Of both sides together.
const BITS_A_SECOND: i32 = 64_000;
/// The longest packet of 20 ms that Opus makes (RFC 6716 section 3.2.1: 1,275 octets a frame), with room.
const PACKET_BYTES: usize = 1500;
/// One stream in the file.
const SERIAL: u32 = 1;

/// Why a file can't be written.
#[derive(Debug, thiserror::Error)]
pub enum OggError {
    /// The disk.
    #[error("{0}")]
    Write(#[from] io::Error),
    /// The encoder takes another rate or number of channels.
    #[error("{0}")]
    Opus(#[from] opus::Error),
    /// One or two are possible.
    #[error("{0} channels can't be written")]
    Channels(u16),
}

/// Whether a file of this name is to hold Opus in Ogg.
pub fn is_meant(path: &Path) -> bool {
    path.extension()
        .is_some_and(|extension| extension.eq_ignore_ascii_case("opus") || extension.eq_ignore_ascii_case("ogg"))
}

/// Writes what comes, interleaved samples at 8, 12, 16, 24 or 48 kHz, until nothing can come any more. Every second a page is
/// ended: after a crash all but the last second is there.
///
/// # Errors
/// The file can't be made or written, or Opus does not take the rate.
pub(super) fn write_all(path: &Path, channels: u16, rate: u32, blocks: &Blocks) -> Result<(), OggError> {
    let mut file = Stream::begin(File::create(path)?, channels, rate)?;
    let mut flushed = Instant::now();
    loop {
        match blocks.next(|block| file.take(block))? {
            More::Perhaps => (),
            More::Never => return file.end(),
        }
        if flushed.elapsed() >= FLUSH {
            file.flush()?;
            flushed = Instant::now();
        }
    }
}

/// One logical stream.
struct Stream {
    pages: PacketWriter<'static, BufWriter<File>>,
    encoder: opus::Encoder,
    channels: usize,
    /// Samples of one side in a packet, and ticks of the clock.
    packet: usize,
    ticks: u64,
    waiting: Vec<i16>,
    /// The packet before: whether it ends a page, or the stream, is known when the next one comes.
    held: Option<Vec<u8>>,
    /// Ticks until the end of the packet that is held.
    granule: u64,
    pre_skip: u16,
    /// Samples of one side that came.
    came: u64,
    rate: u32,
    end_page: bool,
}

impl Stream {
    fn begin(file: File, channels: u16, rate: u32) -> Result<Stream, OggError> {
        let layout = match channels {
            1 => Channels::Mono,
            2 => Channels::Stereo,
            other => return Err(OggError::Channels(other)),
        };
        let mut encoder = opus::Encoder::new(rate, layout, Application::Audio)?;
        encoder.set_bitrate(Bitrate::Bits(BITS_A_SECOND))?;
        let lookahead = u32::try_from(encoder.get_lookahead()?).unwrap_or(0);
        let pre_skip = (lookahead * (CLOCK / rate)) as u16;
        let mut pages = PacketWriter::new(BufWriter::new(file));
        // RFC 7845 section 5: both headers end a page, at granule position 0.
        pages.write_packet(head(channels, pre_skip, rate), SERIAL, PacketWriteEndInfo::EndPage, 0)?;
        pages.write_packet(tags(), SERIAL, PacketWriteEndInfo::EndPage, 0)?;
        Ok(Stream {
            pages,
            encoder,
            channels: usize::from(channels),
            packet: (rate * PACKET_MS / 1000) as usize,
            ticks: u64::from(CLOCK * PACKET_MS / 1000),
            waiting: Vec::new(),
            held: None,
            granule: 0,
            pre_skip,
            came: 0,
            rate,
            end_page: false,
        })
    }

    fn take(&mut self, samples: &[i16]) -> Result<(), OggError> {
        self.came += (samples.len() / self.channels) as u64;
        self.waiting.extend_from_slice(samples);
        let length = self.packet * self.channels;
        while self.waiting.len() >= length {
            let rest = self.waiting.split_off(length);
            let piece = std::mem::replace(&mut self.waiting, rest);
            self.encode(&piece)?;
        }
        Ok(())
    }

    fn encode(&mut self, piece: &[i16]) -> Result<(), OggError> {
        let packet = self.encoder.encode_vec(piece, PACKET_BYTES)?;
        let end = if std::mem::take(&mut self.end_page) {
            PacketWriteEndInfo::EndPage
        } else {
            PacketWriteEndInfo::NormalPacket
        };
        if let Some(before) = self.held.replace(packet) {
            self.pages.write_packet(before, SERIAL, end, self.granule)?;
        }
        self.granule += self.ticks;
        Ok(())
    }

    /// Ends the page with the next packet; what is on ended pages goes to the disk.
    fn flush(&mut self) -> Result<(), OggError> {
        self.end_page = true;
        self.pages.inner_mut().flush()?;
        Ok(())
    }

    fn end(mut self) -> Result<(), OggError> {
        // RFC 7845 section 4.4: what the last packet has beyond the end is cut off by its granule position.
        let end = u64::from(self.pre_skip) + self.came * u64::from(CLOCK / self.rate);
        while self.granule < end {
            let mut piece = std::mem::take(&mut self.waiting);
            piece.resize(self.packet * self.channels, 0);
            self.encode(&piece)?;
        }
        if let Some(last) = self.held.take() {
            self.pages.write_packet(last, SERIAL, PacketWriteEndInfo::EndStream, end)?;
        }
        self.pages.inner_mut().flush()?;
        Ok(())
    }
}

/// RFC 7845 section 5.1: mapping family 0, no gain.
fn head(channels: u16, pre_skip: u16, rate: u32) -> Vec<u8> {
    let mut head = b"OpusHead\x01".to_vec();
    head.push(channels as u8);
    head.extend_from_slice(&pre_skip.to_le_bytes());
    head.extend_from_slice(&rate.to_le_bytes());
    head.extend_from_slice(&[0, 0, 0]);
    head
}

/// RFC 7845 section 5.2: who wrote it, and no comments.
fn tags() -> Vec<u8> {
    let vendor = concat!("offhook ", env!("CARGO_PKG_VERSION"));
    let mut tags = b"OpusTags".to_vec();
    tags.extend_from_slice(&(vendor.len() as u32).to_le_bytes());
    tags.extend_from_slice(vendor.as_bytes());
    tags.extend_from_slice(&0u32.to_le_bytes());
    tags
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::audio::wav::Writer;
    use crate::media::goertzel;
    use std::time::Duration;

    /// The samples of a file of ours: left and right, as a player gives them.
    fn decode(path: &Path, rate: u32) -> [Vec<i16>; 2] {
        let mut pages = ogg::PacketReader::new(File::open(path).unwrap());
        let head = pages.read_packet().unwrap().unwrap();
        assert_eq!(&head.data[..10], b"OpusHead\x01\x02");
        let pre_skip = usize::from(u16::from_le_bytes([head.data[10], head.data[11]]));
        let tags = pages.read_packet().unwrap().unwrap();
        assert!(tags.data.starts_with(b"OpusTags") && tags.last_in_page());
        let mut decoder = opus::Decoder::new(rate, Channels::Stereo).unwrap();
        let (mut sides, mut end, mut ended) = ([Vec::new(), Vec::new()], 0, false);
        while let Some(packet) = pages.read_packet().unwrap() {
            let mut out = vec![0; 2 * 5760];
            let count = decoder.decode(&packet.data, &mut out, false).unwrap();
            for frame in out[..2 * count].chunks_exact(2) {
                sides[0].push(frame[0]);
                sides[1].push(frame[1]);
            }
            end = packet.absgp_page() as usize;
            ended = packet.last_in_stream();
        }
        assert!(ended, "the stream is marked as ended");
        let times = (CLOCK / rate) as usize;
        sides.map(|side| side[pre_skip / times..end / times].to_vec())
    }

    fn tone(hertz: f64, rate: u32, count: usize) -> Vec<i16> {
        (0..count)
            .map(|n| (8000.0 * (std::f64::consts::TAU * hertz * n as f64 / f64::from(rate)).sin()) as i16)
            .collect()
    }

    #[test]
    fn what_was_written_is_heard_on_its_side_and_as_long_as_it_was() {
        let folder = tempfile::tempdir().unwrap();
        for (name, rate) in [("a.opus", 16_000), ("b.OGG", 48_000)] {
            let path = folder.path().join(name);
            // No whole number of packets.
            let count = rate as usize * 5 / 2 + 37;
            let (us, them) = (tone(440.0, rate, count), tone(1000.0, rate, count));
            let mut writer = Writer::create(path.clone(), 2, rate);
            let frames: Vec<i16> = us.iter().zip(&them).flat_map(|(&us, &them)| [us, them]).collect();
            for block in frames.chunks(2 * 333) {
                writer.write(block);
            }
            writer.wait(Instant::now() + Duration::from_secs(20));
            let [left, right] = decode(&path, rate);
            assert_eq!((left.len(), right.len()), (count, count), "{name}");
            let middle = |side: &[i16], hertz| goertzel::level(&side[rate as usize..2 * rate as usize], hertz, rate);
            let was = goertzel::level(&us[..rate as usize], 440.0, rate);
            assert!((middle(&left, 440.0) - was).abs() < 1.5, "{name}: {}", middle(&left, 440.0));
            assert!((middle(&right, 1000.0) - was).abs() < 1.5);
            assert!(middle(&left, 1000.0) < was - 25.0 && middle(&right, 440.0) < was - 25.0);
            let bytes = std::fs::metadata(&path).unwrap().len();
            assert!(bytes < 30_000, "{bytes} bytes for 2.5 s");
        }
    }

    #[test]
    fn players_that_are_installed_play_it() {
        let folder = tempfile::tempdir().unwrap();
        let (path, decoded) = (folder.path().join("a.opus"), folder.path().join("a.wav"));
        let mut writer = Writer::create(path.clone(), 2, 16_000);
        writer.write(&tone(440.0, 16_000, 32_000));
        writer.wait(Instant::now() + Duration::from_secs(20));
        let mut opusdec = std::process::Command::new("opusdec");
        let Ok(output) = opusdec.arg("--quiet").arg(&path).arg(&decoded).output() else {
            eprintln!("not run: opusdec is not installed");
            return;
        };
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let clip = crate::audio::wav::load(&decoded).unwrap();
        assert_eq!(clip.samples.len() * 16_000 / clip.rate as usize, 16_000);
    }

    #[test]
    fn what_can_not_be_written_is_told() {
        let folder = tempfile::tempdir().unwrap();
        let receiver = crate::audio::wav::Blocks::none();
        assert!(matches!(write_all(&folder.path().join("no/a.ogg"), 2, 16_000, &receiver), Err(OggError::Write(_))));
        assert!(matches!(write_all(&folder.path().join("a.ogg"), 3, 16_000, &receiver), Err(OggError::Channels(3))));
        assert!(matches!(write_all(&folder.path().join("a.ogg"), 2, 44_100, &receiver), Err(OggError::Opus(_))));
        assert!(is_meant(Path::new("a.opus")) && !is_meant(Path::new("a.wav")) && !is_meant(Path::new("ogg")));
    }
}
