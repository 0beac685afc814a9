//! Sound files: WAV loaded whole; WAV, or Opus in Ogg ([`super::ogg`]), written by a thread of their own so that a slow disk delays no packet.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, TrySendError, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use super::ogg;

/// The longest sound that is loaded: 46 minutes at 24 kHz, 128 MB.
const MAX_SAMPLES: usize = 64 << 20;
/// Blocks that may wait for the disk: 20 s of packets.
const MAX_WAITING: usize = 1000;
/// Blocks that are kept for the next ones.
const MAX_SPARE: usize = 8;
/// WAV counts bytes with 32 bits.
const MAX_BYTES: u64 = 4_000_000_000;
/// How often the header is brought up to date.
pub(super) const FLUSH: Duration = Duration::from_secs(1);
/// How long a writer that is dropped waits for its disk.
const DROP_PATIENCE: Duration = Duration::from_secs(1);

/// Why a WAV file can't be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum WavError {
    /// It can't be read.
    #[error("can't read {path}: {reason}")]
    Read {
        /// Which.
        path: String,
        /// Why, in words.
        reason: String,
    },
    /// It is too long.
    #[error("can't play {0}: it is longer than 64 million samples")]
    TooLong(String),
}

/// A mono sound in memory.
#[derive(Debug, Clone, PartialEq)]
pub struct Clip {
    /// Hz.
    pub rate: u32,
    /// The samples, shared.
    pub samples: Arc<[i16]>,
}

/// Loads a WAV file of any rate, number of channels and bit depth; channels are averaged. A file that was cut off is
/// taken as far as it goes.
pub fn load(path: &Path) -> Result<Clip, WavError> {
    let name = || path.display().to_string();
    let failed = |reason: String| WavError::Read { path: name(), reason };
    let mut reader = hound::WavReader::open(path).map_err(|error| failed(error.to_string()))?;
    let spec = reader.spec();
    if !(1000..=768_000).contains(&spec.sample_rate) || spec.channels == 0 {
        return Err(failed(format!("{} channels at {} Hz", spec.channels, spec.sample_rate)));
    }
    let frames = reader.len() as usize / usize::from(spec.channels);
    if frames > MAX_SAMPLES {
        return Err(WavError::TooLong(name()));
    }
    let full_scale = 2f32.powi(i32::from(spec.bits_per_sample.clamp(1, 32)) - 1);
    let mut mixer = Mixer::new(spec.channels);
    match spec.sample_format {
        hound::SampleFormat::Int => {
            reader.samples::<i32>().map_while(Result::ok).for_each(|sample| mixer.push(sample as f32 / full_scale));
        }
        hound::SampleFormat::Float => {
            reader.samples::<f32>().map_while(Result::ok).for_each(|sample| mixer.push(sample));
        }
    }
    Ok(Clip { rate: spec.sample_rate, samples: mixer.mono.into() })
}

/// Averages the channels of each frame.
struct Mixer {
    channels: u16,
    have: u16,
    sum: f32,
    mono: Vec<i16>,
}

impl Mixer {
    fn new(channels: u16) -> Mixer {
        Mixer { channels, have: 0, sum: 0.0, mono: Vec::new() }
    }

    fn push(&mut self, sample: f32) {
        self.sum += sample;
        self.have += 1;
        if self.have == self.channels {
            self.mono.push((self.sum / f32::from(self.channels) * 32_768.0).round() as i16);
            (self.have, self.sum) = (0, 0.0);
        }
    }
}

/// Writes a 16-bit WAV file, or Opus in Ogg where the file's name ends so. The header is brought up to date every second: after a crash all but the last second is
/// there.
pub struct Writer {
    blocks: Option<SyncSender<Vec<i16>>>,
    /// Blocks that were written, for others: nothing is allocated once there are enough.
    written: Receiver<Vec<i16>>,
    failure: Arc<Failure>,
    thread: Option<JoinHandle<()>>,
}

/// Why a file can't be written, if so; whoever only wants to know whether takes no lock.
#[derive(Default)]
struct Failure {
    is_there: AtomicBool,
    why: Mutex<Option<String>>,
}

impl Failure {
    fn set(&self, why: String) {
        self.why.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(why);
        self.is_there.store(true, Ordering::Release);
    }

    fn get(&self) -> Option<String> {
        let is_there = self.is_there.load(Ordering::Acquire);
        is_there.then(|| self.why.lock().unwrap_or_else(PoisonError::into_inner).clone()).flatten()
    }
}

/// What a writing thread is given.
pub(super) struct Blocks {
    come: Receiver<Vec<i16>>,
    written: SyncSender<Vec<i16>>,
}

/// Whether more may come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum More {
    Perhaps,
    Never,
}

impl Blocks {
    #[cfg(test)]
    pub(super) fn none() -> Blocks {
        let ((_, come), (written, _)) = (sync_channel(1), sync_channel(1));
        Blocks { come, written }
    }

    /// Waits some time for a block, and writes it.
    pub(super) fn next<E>(&self, write: impl FnOnce(&[i16]) -> Result<(), E>) -> Result<More, E> {
        match self.come.recv_timeout(FLUSH) {
            Ok(mut block) => {
                write(&block)?;
                block.clear();
                // One too many is let go.
                let _ = self.written.try_send(block);
                Ok(More::Perhaps)
            }
            Err(RecvTimeoutError::Timeout) => Ok(More::Perhaps),
            Err(RecvTimeoutError::Disconnected) => Ok(More::Never),
        }
    }
}

impl Writer {
    /// Creates the file, on the writer's own thread; errors show in [`Writer::failure`].
    pub fn create(path: PathBuf, channels: u16, rate: u32) -> Writer {
        let ((sender, come), (back, written)) = (sync_channel(MAX_WAITING), sync_channel(MAX_SPARE));
        let failure = Arc::new(Failure::default());
        let told = Arc::clone(&failure);
        let blocks = Blocks { come, written: back };
        let run = move || {
            let written = match ogg::is_meant(&path) {
                true => ogg::write_all(&path, channels, rate, &blocks).map_err(|error| error.to_string()),
                false => write_all(&path, channels, rate, &blocks).map_err(|error| error.to_string()),
            };
            if let Err(error) = written {
                told.set(format!("can't write {}: {error}", path.display()));
            }
        };
        match std::thread::Builder::new().name("wav".into()).spawn(run) {
            Ok(thread) => Writer { blocks: Some(sender), written, failure, thread: Some(thread) },
            Err(error) => {
                failure.set(error.to_string());
                Writer { blocks: None, written, failure, thread: None }
            }
        }
    }

    /// Appends interleaved samples; never waits.
    pub fn write(&mut self, samples: &[i16]) {
        let Some(blocks) = &self.blocks else { return };
        let mut block = self.written.try_recv().unwrap_or_default();
        block.extend_from_slice(samples);
        match blocks.try_send(block) {
            Ok(()) => (),
            Err(TrySendError::Full(_)) => self.fail("the disk is too slow"),
            Err(TrySendError::Disconnected(_)) => self.blocks = None,
        }
    }

    fn fail(&mut self, why: &str) {
        self.failure.set(why.to_owned());
        self.blocks = None;
    }

    /// Why the file can't be written any more.
    pub fn failure(&self) -> Option<String> {
        self.failure.get()
    }

    /// Begins to finish the file; [`Writer::wait`] waits for it.
    pub fn close(&mut self) {
        self.blocks = None;
    }

    /// Whether the file is finished, or given up.
    pub fn is_done(&self) -> bool {
        self.thread.as_ref().is_none_or(JoinHandle::is_finished)
    }

    /// Waits until the file is finished, or the deadline has come.
    pub fn wait(mut self, deadline: Instant) {
        self.wait_until(deadline);
        self.thread = None;
    }

    fn wait_until(&mut self, deadline: Instant) {
        self.close();
        while !self.is_done() && Instant::now() < deadline {
            std::thread::sleep(Duration::from_millis(1));
        }
    }
}

impl Drop for Writer {
    /// Waits a moment for the file: what is dropped last of all would be lost with the process.
    fn drop(&mut self) {
        self.wait_until(Instant::now() + DROP_PATIENCE);
    }
}

fn write_all(path: &Path, channels: u16, rate: u32, blocks: &Blocks) -> Result<(), hound::Error> {
    let spec =
        hound::WavSpec { channels, sample_rate: rate, bits_per_sample: 16, sample_format: hound::SampleFormat::Int };
    let mut file = hound::WavWriter::create(path, spec)?;
    file.flush()?;
    let mut flushed = Instant::now();
    loop {
        match blocks.next(|block| block.iter().try_for_each(|&sample| file.write_sample(sample)))? {
            More::Perhaps => (),
            More::Never => return file.finalize(),
        }
        if u64::from(file.len()) * 2 > MAX_BYTES {
            file.finalize()?;
            return Err(hound::Error::IoError(std::io::Error::other("a WAV file can't be longer than 4 GB")));
        }
        if flushed.elapsed() >= FLUSH {
            file.flush()?;
            flushed = Instant::now();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn deadline() -> Instant {
        Instant::now() + Duration::from_secs(10)
    }

    #[test]
    fn what_was_written_is_read() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.wav");
        let mut writer = Writer::create(path.clone(), 2, 16_000);
        writer.write(&[100, 300, -1000, -3000]);
        writer.write(&[0, 0]);
        writer.wait(deadline());
        let clip = load(&path).unwrap();
        assert_eq!((clip.rate, &clip.samples[..]), (16_000, &[200i16, -2000, 0][..]));
    }

    #[test]
    fn any_bit_depth_is_read() {
        let folder = tempfile::tempdir().unwrap();
        for (bits, format) in
            [(8, hound::SampleFormat::Int), (24, hound::SampleFormat::Int), (32, hound::SampleFormat::Float)]
        {
            let path = folder.path().join(format!("{bits}.wav"));
            let spec =
                hound::WavSpec { channels: 1, sample_rate: 44_100, bits_per_sample: bits, sample_format: format };
            let mut file = hound::WavWriter::create(&path, spec).unwrap();
            for half in [0.5f32, -0.5] {
                match format {
                    hound::SampleFormat::Float => file.write_sample(half).unwrap(),
                    hound::SampleFormat::Int => {
                        file.write_sample((half * f32::from(2u16).powi(bits as i32 - 1)) as i32).unwrap()
                    }
                }
            }
            file.finalize().unwrap();
            let clip = load(&path).unwrap();
            assert_eq!((clip.rate, &clip.samples[..]), (44_100, &[16_384i16, -16_384][..]), "{bits} bits");
        }
    }

    #[test]
    fn a_file_that_is_none_says_so() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("b.wav");
        std::fs::write(&path, b"RIFF....").unwrap();
        assert!(matches!(load(&path), Err(WavError::Read { .. })));
        let message = load(&folder.path().join("none.wav")).unwrap_err().to_string();
        assert!(message.contains("none.wav"), "{message}");
    }

    #[test]
    fn a_file_that_was_cut_off_is_taken_as_far_as_it_goes() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("c.wav");
        let mut writer = Writer::create(path.clone(), 1, 8000);
        writer.write(&[7; 100]);
        writer.wait(deadline());
        let bytes = std::fs::read(&path).unwrap();
        std::fs::write(&path, &bytes[..bytes.len() - 50]).unwrap();
        assert_eq!(load(&path).unwrap().samples.len(), 75);
    }

    #[test]
    fn a_path_that_can_not_be_written_is_told() {
        let folder = tempfile::tempdir().unwrap();
        let mut writer = Writer::create(folder.path().join("no/such/folder.wav"), 1, 8000);
        let thread = writer.thread.take().unwrap();
        thread.join().unwrap();
        writer.write(&[1]);
        assert!(writer.failure().unwrap().contains("folder.wav"));
    }
}
