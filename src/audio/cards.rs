//! The list of sound cards and the search by name; and, for machines without a sound server, ALSA's through cpal: streams
//! that carry mono 16-bit samples whatever the device's format is.
//!
//! What cpal and the libraries under it do, as seen by running them: the default device exists without any hardware, and
//! fails when opened; a stream can hang when it is dropped; callbacks bring any number of frames, whatever was asked for.

use std::time::Duration;

use cpal::traits::{DeviceTrait, HostTrait, StreamTrait};
use cpal::{Data, FromSample, SampleFormat, SizedSample, SupportedBufferSize, SupportedStreamConfigRange};

use super::device::OpenError;
use super::name::{HostName, best_match};
use super::pulse;
use super::stderr::Quiet;

/// How long a device may take to make a stream.
const OPEN_TIMEOUT: Duration = Duration::from_secs(2);
/// How long the list may take.
const LIST_TIMEOUT: Duration = Duration::from_secs(5);
/// Formats that we take, the best first.
const FORMATS: [SampleFormat; 5] =
    [SampleFormat::I16, SampleFormat::F32, SampleFormat::I32, SampleFormat::I24, SampleFormat::U8];
/// Samples that a callback converts at a time.
const CHUNK: usize = 1024;

/// Takes mono samples on the audio thread: it never waits, allocates or frees.
pub type Sink = Box<dyn FnMut(&[i16]) + Send>;
/// Fills mono samples on the audio thread: it never waits, allocates or frees.
pub type Source = Box<dyn FnMut(&mut [i16]) + Send>;

/// A device of the list.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct DeviceInfo {
    /// Which host has it.
    pub host: HostName,
    /// What names it for good: `host:id` in the configuration.
    pub id: String,
    /// What it is called; the id where it has no better name.
    pub name: String,
    /// What it is, for a person.
    pub description: String,
    /// It records.
    pub input: bool,
    /// It plays.
    pub output: bool,
    /// It is the host's default.
    pub default: bool,
    /// It records what an output plays.
    pub monitor: bool,
}

/// Which way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    /// From a microphone.
    Input,
    /// To a speaker.
    Output,
}

impl Direction {
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Direction::Input => "input",
            Direction::Output => "output",
        }
    }

    fn default(self, host: &cpal::Host) -> Option<cpal::Device> {
        match self {
            Direction::Input => host.default_input_device(),
            Direction::Output => host.default_output_device(),
        }
    }
}

/// Every device of every host that can be reached; empty when a sound server does not answer within 5 s.
pub fn list() -> Vec<DeviceInfo> {
    let (sender, receiver) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        for host in HostName::ALL {
            let devices = match host {
                HostName::PulseAudio => pulse::list(),
                HostName::Alsa => list_alsa(),
            };
            // Nobody may wait for it any more.
            let _ = sender.send(devices);
        }
    });
    let deadline = std::time::Instant::now() + LIST_TIMEOUT;
    let mut devices = Vec::new();
    while let Ok(more) = receiver.recv_timeout(deadline.saturating_duration_since(std::time::Instant::now())) {
        devices.extend(more);
    }
    devices
}

fn list_alsa() -> Vec<DeviceInfo> {
    let _quiet = Quiet::new();
    let Ok(host) = cpal::host_from_id(cpal::HostId::Alsa) else { return Vec::new() };
    describe_all(&host).map(|all| all.into_iter().map(|(_, info)| info).collect()).unwrap_or_default()
}

/// The devices of ALSA, and what is to be said of each.
fn describe_all(host: &cpal::Host) -> Result<Vec<(cpal::Device, DeviceInfo)>, cpal::Error> {
    let id = |device: &cpal::Device| device.id().ok().map(|id| id.id().to_owned());
    let default_input = host.default_input_device().as_ref().and_then(id);
    let default_output = host.default_output_device().as_ref().and_then(id);
    let describe = |device: cpal::Device| {
        let id = id(&device)?;
        let (input, output) = (device.supports_input(), device.supports_output());
        let info = DeviceInfo {
            host: HostName::Alsa,
            name: id.clone(),
            description: device.description().map(|text| text.name().to_owned()).unwrap_or_default(),
            input,
            output,
            default: input && default_input.as_ref() == Some(&id) || output && default_output.as_ref() == Some(&id),
            monitor: false,
            id,
        };
        Some((device, info))
    };
    Ok(host.devices()?.filter_map(describe).collect())
}

/// Finds the ALSA device that `name` means, `default` included.
fn find(name: &str, direction: Direction) -> Result<cpal::Device, OpenError> {
    let missing = || OpenError::NotFound { direction: direction.as_str(), name: name.to_owned() };
    let host = cpal::host_from_id(cpal::HostId::Alsa).map_err(|source| refused(name, direction, source))?;
    if name.eq_ignore_ascii_case("default") {
        return direction.default(&host).ok_or(OpenError::NoDevice(direction.as_str()));
    }
    let (mut devices, infos): (Vec<_>, Vec<_>) =
        describe_all(&host).map_err(|source| refused(name, direction, source))?.into_iter().unzip();
    let id = search(&infos, name, direction).ok_or_else(missing)?;
    let at = infos.iter().position(|info| info.id == id).ok_or_else(missing)?;
    Ok(devices.swap_remove(at))
}

/// Why a device does not open. Where there is no sound hardware at all, cpal still names a default device.
fn refused(name: &str, direction: Direction, source: cpal::Error) -> OpenError {
    let is_default = name.eq_ignore_ascii_case("default");
    match source.kind() {
        cpal::ErrorKind::DeviceNotAvailable if is_default => OpenError::NoDevice(direction.as_str()),
        _ => OpenError::Card { name: name.to_owned(), source },
    }
}

/// The id of the device that a person means by `name`.
pub(super) fn search(devices: &[DeviceInfo], name: &str, direction: Direction) -> Option<String> {
    let fits = |device: &&DeviceInfo| match direction {
        Direction::Input => device.input,
        Direction::Output => device.output,
    };
    let fitting: Vec<&DeviceInfo> = devices.iter().filter(fits).collect();
    // A monitor is taken only when its id is asked for: its description holds that of its sink.
    let real = |device: &&DeviceInfo| {
        (device.id.clone(), if device.monitor { String::new() } else { device.description.clone() })
    };
    let all = |device: &&DeviceInfo| (device.id.clone(), device.description.clone());
    let found = best_match(name, &fitting.iter().map(real).collect::<Vec<_>>())
        .or_else(|| best_match(name, &fitting.iter().map(all).collect::<Vec<_>>()))?;
    fitting.get(found).map(|device| device.id.clone())
}

/// A stream that runs until it is dropped; the drop itself happens on a thread that may hang.
pub struct CardStream(Option<cpal::Stream>);

impl Drop for CardStream {
    fn drop(&mut self) {
        let Some(stream) = self.0.take() else { return };
        // Should no thread be had, the stream is leaked rather than dropped here, where it may hang.
        let stream = std::mem::ManuallyDrop::new(stream);
        let _ = std::thread::Builder::new().name("audio-close".into()).spawn(move || {
            let _quiet = Quiet::new();
            drop(std::mem::ManuallyDrop::into_inner(stream));
        });
    }
}

/// What a device agreed to.
#[derive(Debug, Clone, Copy)]
struct Format {
    config: cpal::StreamConfig,
    sample: SampleFormat,
}

/// Chooses mono, 16 bits and 48 kHz, or what is next to it, with a period as near to `period_us` as the device takes.
fn choose(ranges: impl Iterator<Item = SupportedStreamConfigRange>, period_us: u32) -> Option<Format> {
    let rate_in = |range: &SupportedStreamConfigRange| 48_000.clamp(range.min_sample_rate(), range.max_sample_rate());
    let rank = |range: &SupportedStreamConfigRange| {
        let format = FORMATS.iter().position(|format| *format == range.sample_format())?;
        Some((rate_in(range).abs_diff(48_000), range.channels().abs_diff(1), format))
    };
    let (_, best) = ranges.filter_map(|range| Some((rank(&range)?, range))).min_by_key(|(rank, _)| *rank)?;
    let rate = rate_in(&best);
    let wanted = (u64::from(rate) * u64::from(period_us) / 1_000_000) as u32;
    let period = match *best.buffer_size() {
        SupportedBufferSize::Range { min, max } if min <= max => wanted.clamp(min, max),
        SupportedBufferSize::Range { .. } | SupportedBufferSize::Unknown => wanted,
    };
    // Never the default buffer: Pulse's is 2 s.
    let config = cpal::StreamConfig {
        channels: best.channels(),
        sample_rate: rate,
        buffer_size: cpal::BufferSize::Fixed(period),
    };
    Some(Format { config, sample: best.sample_format() })
}

/// A stream and the Hz of its samples.
pub struct Opened {
    /// The stream.
    pub stream: CardStream,
    /// Hz.
    pub rate: u32,
}

/// Opens an input. `sink` gets mono samples, on the audio thread; `on_error` is called once when the stream is lost.
pub fn open_input(
    name: &str,
    period_us: u32,
    make_sink: impl FnOnce(u32) -> Sink,
    on_error: impl FnMut(String) + Send + 'static,
) -> Result<Opened, OpenError> {
    let _quiet = Quiet::new();
    let device = find(name, Direction::Input)?;
    let card_error = |source| refused(name, Direction::Input, source);
    let format = choose(device.supported_input_configs().map_err(card_error)?, period_us)
        .ok_or_else(|| OpenError::NoFormat(name.to_owned()))?;
    let rate = format.config.sample_rate;
    let mut sink = make_sink(rate);
    let channels = usize::from(format.config.channels);
    let mut mono = vec![0i16; CHUNK];
    let callback = move |data: &Data, _: &cpal::InputCallbackInfo| match data.sample_format() {
        SampleFormat::I16 => take::<i16>(data, channels, &mut mono, &mut sink),
        SampleFormat::F32 => take::<f32>(data, channels, &mut mono, &mut sink),
        SampleFormat::I32 => take::<i32>(data, channels, &mut mono, &mut sink),
        SampleFormat::I24 => take::<cpal::I24>(data, channels, &mut mono, &mut sink),
        SampleFormat::U8 => take::<u8>(data, channels, &mut mono, &mut sink),
        _ => (),
    };
    let stream = device
        .build_input_stream_raw(format.config, format.sample, callback, fatal(on_error), Some(OPEN_TIMEOUT))
        .map_err(card_error)?;
    let stream = CardStream(Some(stream));
    start(&stream).map_err(card_error)?;
    Ok(Opened { stream, rate })
}

/// Opens an output. `source` fills mono samples, on the audio thread; `on_error` is called once when the stream is lost.
pub fn open_output(
    name: &str,
    period_us: u32,
    make_source: impl FnOnce(u32) -> Source,
    on_error: impl FnMut(String) + Send + 'static,
) -> Result<Opened, OpenError> {
    let _quiet = Quiet::new();
    let device = find(name, Direction::Output)?;
    let card_error = |source| refused(name, Direction::Output, source);
    let format = choose(device.supported_output_configs().map_err(card_error)?, period_us)
        .ok_or_else(|| OpenError::NoFormat(name.to_owned()))?;
    let rate = format.config.sample_rate;
    let mut source = make_source(rate);
    let channels = usize::from(format.config.channels);
    let mut mono = vec![0i16; 4 * CHUNK];
    let callback = move |data: &mut Data, _: &cpal::OutputCallbackInfo| match data.sample_format() {
        SampleFormat::I16 => give::<i16>(data, channels, &mut mono, &mut source),
        SampleFormat::F32 => give::<f32>(data, channels, &mut mono, &mut source),
        SampleFormat::I32 => give::<i32>(data, channels, &mut mono, &mut source),
        SampleFormat::I24 => give::<cpal::I24>(data, channels, &mut mono, &mut source),
        SampleFormat::U8 => give::<u8>(data, channels, &mut mono, &mut source),
        _ => (),
    };
    let stream = device
        .build_output_stream_raw(format.config, format.sample, callback, fatal(on_error), Some(OPEN_TIMEOUT))
        .map_err(card_error)?;
    let stream = CardStream(Some(stream));
    start(&stream).map_err(card_error)?;
    Ok(Opened { stream, rate })
}

fn start(stream: &CardStream) -> Result<(), cpal::Error> {
    stream.0.as_ref().map_or(Ok(()), StreamTrait::play)
}

/// Passes on the errors that end a stream.
fn fatal(mut on_error: impl FnMut(String) + Send + 'static) -> impl FnMut(cpal::Error) + Send + 'static {
    move |error| match error.kind() {
        cpal::ErrorKind::Xrun | cpal::ErrorKind::RealtimeDenied | cpal::ErrorKind::DeviceChanged => (),
        _ => on_error(error.to_string()),
    }
}

/// Mixes the first two channels to one: a card with more has its microphones there.
fn take<T: SizedSample>(data: &Data, channels: usize, mono: &mut [i16], sink: &mut dyn FnMut(&[i16]))
where
    i16: FromSample<T>,
{
    let Some(samples) = data.as_slice::<T>() else { return };
    for part in samples.chunks(mono.len() * channels) {
        let mut count = 0;
        for (frame, sample) in part.chunks_exact(channels).zip(mono.iter_mut()) {
            *sample = match frame {
                [only] => i16::from_sample_(*only),
                [left, right, ..] => {
                    ((i32::from(i16::from_sample_(*left)) + i32::from(i16::from_sample_(*right))) / 2) as i16
                }
                [] => 0,
            };
            count += 1;
        }
        sink(&mono[..count]);
    }
}

/// Gives every channel the same.
fn give<T: SizedSample + FromSample<i16>>(
    data: &mut Data,
    channels: usize,
    mono: &mut [i16],
    source: &mut dyn FnMut(&mut [i16]),
) {
    let Some(samples) = data.as_slice_mut::<T>() else { return };
    for part in samples.chunks_mut(mono.len() * channels) {
        let frames = part.len() / channels;
        let mono = &mut mono[..frames];
        source(mono);
        for (frame, sample) in part.chunks_exact_mut(channels).zip(mono) {
            frame.fill(T::from_sample_(*sample));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn range(
        channels: u16,
        rates: (u32, u32),
        periods: (u32, u32),
        format: SampleFormat,
    ) -> SupportedStreamConfigRange {
        let size = SupportedBufferSize::Range { min: periods.0, max: periods.1 };
        SupportedStreamConfigRange::new(channels, rates.0, rates.1, size, format)
    }

    #[test]
    fn mono_16_bits_48_khz_is_chosen_where_there_is() {
        let all = [
            range(2, (8000, 192_000), (1, 9999), SampleFormat::I16),
            range(1, (8000, 192_000), (1, 9999), SampleFormat::F32),
            range(1, (8000, 192_000), (1, 9999), SampleFormat::I16),
        ];
        let format = choose(all.into_iter(), 10_000).unwrap();
        assert_eq!((format.config.channels, format.config.sample_rate), (1, 48_000));
        assert_eq!((format.config.buffer_size, format.sample), (cpal::BufferSize::Fixed(480), SampleFormat::I16));
    }

    #[test]
    fn a_stubborn_device_gets_what_it_has() {
        let all = [
            range(4, (44_100, 44_100), (1024, 4096), SampleFormat::I32),
            range(1, (8000, 8000), (1, 9999), SampleFormat::I16),
            range(1, (48_000, 48_000), (1, 9999), SampleFormat::F64),
        ];
        let format = choose(all.into_iter(), 5_000).unwrap();
        assert_eq!((format.config.channels, format.config.sample_rate), (4, 44_100));
        assert_eq!(format.config.buffer_size, cpal::BufferSize::Fixed(1024));
        assert!(choose(std::iter::empty(), 5_000).is_none());
    }

    #[test]
    fn two_channels_become_one_and_one_becomes_all() {
        let mut frames = [1000i16, 3000, -32_768, -32_768, 0, 1];
        // SAFETY: the slice is as long as said, of the format said, and outlives the data.
        let mut data = unsafe { Data::from_parts(frames.as_mut_ptr().cast(), 6, SampleFormat::I16) };
        let mut heard = Vec::new();
        take::<i16>(&data, 2, &mut [0; 2], &mut |samples| heard.extend_from_slice(samples));
        assert_eq!(heard, [2000, -32_768, 0]);
        let mut next = 0;
        give::<i16>(&mut data, 3, &mut [0; 1], &mut |samples| {
            next += 7;
            samples.fill(next);
        });
        assert_eq!(frames, [7, 7, 7, 14, 14, 14]);
    }
}
