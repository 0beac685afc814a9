//! Reaching the server, asking it, and what it has. Everything here waits for answers, though not for ever: never on a thread
//! that others wait for.

use std::ffi::CString;
use std::io::{self, Write};
use std::os::unix::net::UnixStream;
use std::time::{Duration, Instant};

use pulseaudio::protocol::stream::{BufferAttr, StreamFlags};
use pulseaudio::protocol::{self as pulse, ChannelMap, Command, CommandReply, Prop, Props, SampleFormat, SampleSpec};

use super::frames::{Frame, Frames};
use super::{PulseError, RATE};
use crate::audio::cards::{DeviceInfo, Direction};
use crate::audio::name::HostName;

/// How long the server may take for an answer.
const PATIENCE: Duration = Duration::from_secs(2);
/// Bytes of a sample.
pub const SAMPLE: u32 = 2;

/// A connection, before it carries a stream.
pub struct Connection {
    pub(super) socket: UnixStream,
    pub(super) frames: Frames,
    pub(super) version: u16,
    asked: u32,
}

/// What is known of a stream that was made.
pub struct Made {
    /// Of the sound's frames.
    pub channel: u32,
    /// Bytes that an output wants at first.
    pub wanted: u32,
    /// The name of the device that it is on.
    pub device: String,
}

impl Connection {
    /// Reaches the server that the environment names, as libpulse would.
    pub fn open() -> Result<Connection, PulseError> {
        let path = pulseaudio::socket_path_from_env().ok_or(PulseError::NoServer)?;
        let socket = UnixStream::connect(path)?;
        socket.set_read_timeout(Some(PATIENCE))?;
        socket.set_write_timeout(Some(PATIENCE))?;
        let mut connection = Connection { socket, frames: Frames::empty(), version: pulse::MAX_VERSION, asked: 0 };
        let cookie = pulseaudio::cookie_path_from_env().and_then(|path| std::fs::read(path).ok()).unwrap_or_default();
        let auth =
            pulse::AuthParams { version: pulse::MAX_VERSION, supports_shm: false, supports_memfd: false, cookie };
        let agreed: pulse::AuthReply = connection.ask(&Command::Auth(auth))?;
        connection.version = agreed.version.min(pulse::MAX_VERSION);
        let mut props = Props::new();
        props.set(Prop::ApplicationName, c"offhook");
        props.set(Prop::ApplicationProcessBinary, c"offhook");
        let pid = CString::new(std::process::id().to_string()).map_err(|_| PulseError::BadName)?;
        props.set(Prop::ApplicationProcessId, pid);
        let _: pulse::SetClientNameReply = connection.ask(&Command::SetClientName(props))?;
        Ok(connection)
    }

    /// Asks, and waits for the answer; what else comes meanwhile is passed by.
    fn ask<R: CommandReply>(&mut self, command: &Command) -> Result<R, PulseError> {
        self.asked += 1;
        let mut message = Vec::new();
        pulse::encode_command_message(&mut message, self.asked, command, self.version)?;
        self.socket.write_all(&message)?;
        let deadline = Instant::now() + PATIENCE;
        loop {
            while let Some(frame) = self.frames.poll() {
                let Frame::Message(mut bytes) = frame else { continue };
                let answer = Command::read_tag_prefixed(&mut bytes, self.version);
                match answer {
                    Ok((number, Command::Reply)) if number == self.asked => {
                        return Ok(pulse::TagStructReader::new(&mut bytes, self.version).read()?);
                    }
                    Ok((number, Command::Error(why))) if number == self.asked => return Err(PulseError::Refused(why)),
                    Ok(_) | Err(_) => (),
                }
            }
            if Instant::now() >= deadline {
                return Err(io::Error::from(io::ErrorKind::TimedOut).into());
            }
            match self.frames.fill(&mut self.socket) {
                Ok(0) => return Err(io::Error::from(io::ErrorKind::UnexpectedEof).into()),
                Ok(_) => (),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => (),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    return Err(io::Error::from(io::ErrorKind::TimedOut).into());
                }
                Err(error) => return Err(error.into()),
            }
        }
    }

    /// Every device, those that record what an output plays included.
    pub fn list(&mut self) -> Result<Vec<DeviceInfo>, PulseError> {
        let server: pulse::ServerInfo = self.ask(&Command::GetServerInfo)?;
        let sinks: pulse::SinkInfoList = self.ask(&Command::GetSinkInfoList)?;
        let sources: pulse::SourceInfoList = self.ask(&Command::GetSourceInfoList)?;
        let sinks = sinks.into_iter().map(|sink| {
            let default = server.default_sink_name.as_ref() == Some(&sink.name);
            device(&sink.name, sink.description.as_ref(), Direction::Output, default, false)
        });
        let sources = sources.into_iter().map(|source| {
            let default = server.default_source_name.as_ref() == Some(&source.name);
            let monitor = source.monitor_of_sink_index.is_some();
            device(&source.name, source.description.as_ref(), Direction::Input, default, monitor)
        });
        Ok(sinks.chain(sources).collect())
    }

    /// A stream from a source, in fragments of `period_us`. Without a name: from the default one, wherever that moves.
    pub fn record(&mut self, device: Option<&str>, period_us: u32) -> Result<Made, PulseError> {
        let reply: pulse::CreateRecordStreamReply =
            self.ask(&Command::CreateRecordStream(pulse::RecordStreamParams {
                sample_spec: spec(),
                channel_map: ChannelMap::mono(),
                source_name: named(device)?,
                buffer_attr: BufferAttr { fragment_size: bytes(period_us), ..BufferAttr::default() },
                flags: StreamFlags { adjust_latency: true, no_move: device.is_some(), ..StreamFlags::default() },
                props: stream_props(c"microphone"),
                ..pulse::RecordStreamParams::default()
            }))?;
        let device = reply.sink_name.map(text).unwrap_or_default();
        Ok(Made { channel: reply.channel, wanted: 0, device })
    }

    /// A stream to a sink that is asked to play in blocks of `period_us`. Without a name: to the default one, wherever that
    /// moves.
    pub fn play(&mut self, device: Option<&str>, period_us: u32) -> Result<Made, PulseError> {
        let buffer_attr = BufferAttr {
            // The server subtracts two requests, and gives half of the rest to the device.
            target_length: 4 * bytes(period_us),
            minimum_request_length: bytes(period_us),
            // It pauses when it has nothing and goes on by itself: nothing that comes late is skipped.
            pre_buffering: SAMPLE,
            max_length: bytes(1_000_000),
            ..BufferAttr::default()
        };
        let reply: pulse::CreatePlaybackStreamReply =
            self.ask(&Command::CreatePlaybackStream(pulse::PlaybackStreamParams {
                sample_spec: spec(),
                channel_map: ChannelMap::mono(),
                sink_name: named(device)?,
                buffer_attr,
                flags: StreamFlags { adjust_latency: true, no_move: device.is_some(), ..StreamFlags::default() },
                props: stream_props(c"speaker"),
                ..pulse::PlaybackStreamParams::default()
            }))?;
        let device = reply.sink_name.map(text).unwrap_or_default();
        Ok(Made { channel: reply.channel, wanted: reply.requested_bytes, device })
    }
}

fn spec() -> SampleSpec {
    SampleSpec { format: SampleFormat::S16Le, channels: 1, sample_rate: RATE }
}

/// Bytes of a time.
fn bytes(us: u32) -> u32 {
    (u64::from(RATE) * u64::from(us) / 1_000_000) as u32 * SAMPLE
}

fn named(device: Option<&str>) -> Result<Option<CString>, PulseError> {
    device.map(CString::new).transpose().map_err(|_| PulseError::BadName)
}

fn stream_props(name: &std::ffi::CStr) -> Props {
    let mut props = Props::new();
    props.set(Prop::MediaName, name);
    props.set(Prop::MediaRole, c"phone");
    props
}

fn text(text: CString) -> String {
    text.to_string_lossy().into_owned()
}

fn device(
    id: &CString,
    description: Option<&CString>,
    direction: Direction,
    default: bool,
    monitor: bool,
) -> DeviceInfo {
    let id = id.to_string_lossy().into_owned();
    DeviceInfo {
        host: HostName::PulseAudio,
        name: id.clone(),
        description: description.map_or_else(|| id.clone(), |text| text.to_string_lossy().into_owned()),
        input: direction == Direction::Input,
        output: direction == Direction::Output,
        default,
        monitor,
        id,
    }
}
