//! The test call: an exchange on loopback, a phone that registers to it and calls its echo with the person's devices, and
//! what came back.

use std::path::{Path, PathBuf};
use std::time::Duration;

use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender};
use tokio::sync::oneshot;
use tokio::time::{Instant, interval, sleep_until};

use crate::app::wizard::outcome::Called;
use crate::app::wizard::{CallStage, Msg};
use crate::config::{Account, Audio, Config, Files, Secret};
use crate::exchange;
use crate::media::echo::{self, Echo, Sound};
use crate::phone::command::DeviceRole;
use crate::phone::event::{DeviceState, Kind};
use crate::phone::{Command, Event, PhoneHandle, Reply};
use crate::ua::CallNo;

use super::TELL;
use super::files;
use super::job::{Job, Teller};

/// The echo's number.
const ECHO: &str = "600";
/// What is sent where there is no microphone.
const TONE: &str = "tone:440";
/// How long the call may take until it stands.
const PATIENCE: Duration = Duration::from_secs(10);
/// How long is listened: with a tone, and with a voice if nobody ends it before.
const TONE_TALK: Duration = Duration::from_secs(2);
const TALK: Duration = Duration::from_secs(15);

/// Calls the echo with these devices.
pub(super) fn start(audio: Audio, sender: UnboundedSender<Msg>) -> Job {
    let failed = |why| Msg::Call(CallStage::Over(Called::Failed(why)));
    Job::start(sender, move |teller, stop| run(audio, teller, stop), failed)
}

async fn run(audio: Audio, teller: Teller, stop: oneshot::Receiver<()>) {
    let called = match call(audio, &teller, stop).await {
        Ok(called) => called,
        Err(why) => Called::Failed(why),
    };
    teller.tell(Msg::Call(CallStage::Over(called)));
}

async fn call(mut audio: Audio, teller: &Teller, mut stop: oneshot::Receiver<()>) -> Result<Called, String> {
    let (exchange, password) =
        exchange::demo::start().map_err(|error| format!("the exchange does not start: {error}"))?;
    let mut source = if audio.input == "null" { Source::Tone } else { Source::Microphone };
    if source == Source::Tone {
        audio.input = TONE.into();
    }
    let folder = Folder::new().map_err(|error| format!("no place for the recording: {error}"))?;
    let recording = folder.0.join("call.wav");
    let mut phone =
        PhoneHandle::start(config(audio, exchange.address(), &password)).map_err(|error| error.to_string())?;
    let mut events = phone.events();
    let stood = talk(&phone, &mut events, &recording, (&mut source, teller, &mut stop)).await;
    // The recording is complete when the phone has ended.
    let _ = phone.command(Command::Quit).await;
    drop(phone);
    drop(exchange);
    stood?;
    heard(&recording, source)
}

/// What is sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Source {
    Microphone,
    Tone,
}

/// From the registration to the end of the call.
async fn talk(
    phone: &PhoneHandle,
    events: &mut UnboundedReceiver<Event>,
    recording: &Path,
    (source, teller, stop): (&mut Source, &Teller, &mut oneshot::Receiver<()>),
) -> Result<(), String> {
    let begun = Instant::now();
    let mut answered: Option<Instant> = None;
    let mut ticks = interval(TELL);
    loop {
        let end = match (answered, *source) {
            (None, _) => begun + PATIENCE,
            (Some(at), Source::Tone) => at + TONE_TALK,
            (Some(at), Source::Microphone) => at + TALK,
        };
        let event = tokio::select! {
            event = events.recv() => event.ok_or("the phone stopped by itself")?,
            _ = ticks.tick() => {
                if let Some(at) = answered {
                    let levels = phone.levels();
                    let (input, output) = (levels.input, levels.output);
                    let stage = CallStage::Talking { input, output, seconds: at.elapsed().as_secs() };
                    teller.tell(Msg::Call(stage));
                }
                continue;
            }
            () = sleep_until(end) => return if answered.is_some() { Ok(()) } else { Err("the echo did not answer".into()) },
            _ = &mut *stop => return if answered.is_some() { Ok(()) } else { Err("you ended it".into()) },
        };
        match event.kind {
            Kind::Registered { .. } => drop(dial(phone, recording).await?),
            Kind::RegistrationFailed { code, reason, .. } => return Err(format!("{code} {reason}")),
            Kind::Established { .. } => answered = Some(Instant::now()),
            Kind::Ended { code, reason, .. } => {
                return if answered.is_some() { Ok(()) } else { Err(format!("{} {reason}", code.unwrap_or_default())) };
            }
            // Without a card the way is tried all the same.
            Kind::Device { role: DeviceRole::Input, state: DeviceState::Lost, .. } => {
                *source = Source::Tone;
                answered = answered.map(|_| Instant::now());
                let _ = phone.command(Command::Device { role: DeviceRole::Input, name: TONE.into() }).await;
            }
            _ => {}
        }
    }
}

async fn dial(phone: &PhoneHandle, recording: &Path) -> Result<CallNo, String> {
    let dial = Command::Call { account: None, target: ECHO.into() };
    let Reply::Call(call) = phone.command(dial).await.map_err(|refused| refused.message)? else {
        return Err("the phone gave no call".into());
    };
    let record = Command::Record { call: Some(call), path: Some(recording.to_owned()) };
    phone.command(record).await.map_err(|refused| refused.message)?;
    Ok(call)
}

/// A phone that registers to the exchange and remembers nothing.
fn config(audio: Audio, exchange: std::net::SocketAddr, password: &str) -> Config {
    let account = files::account(&format!("sip:{}@{exchange}", exchange::demo::USER));
    let password = Secret::Plain(password.to_owned());
    let accounts = account.map(|account| Account { password, ..account }).into_iter().collect();
    let mut config = Config { accounts, audio, files: Files::default(), ..Config::default() };
    // Nothing leaves this machine.
    config.sip.listen = std::net::SocketAddr::new(exchange.ip(), 0);
    config
}

/// What came back, by the recording: left is this side, right the other.
fn heard(recording: &Path, source: Source) -> Result<Called, String> {
    let mut reader = hound::WavReader::open(recording).map_err(|error| format!("no recording: {error}"))?;
    let spec = reader.spec();
    let samples: Vec<i16> = reader.samples::<i16>().flatten().collect();
    let side = |first: usize| -> Vec<i16> {
        samples.iter().skip(first).step_by(usize::from(spec.channels.max(1))).copied().collect()
    };
    let sound = match source {
        Source::Microphone => Sound::Voice,
        Source::Tone => Sound::Tone,
    };
    Ok(match (echo::find(&side(0), &side(1), spec.sample_rate, sound), source) {
        (Echo::After(ms), Source::Microphone) => Called::Voice(ms),
        (Echo::After(ms), Source::Tone) => Called::Tone(ms),
        (Echo::Silence, _) => Called::Silent,
        (Echo::Lost, _) => Called::Lost,
    })
}

/// A folder that only its owner can enter, for a recording of a voice; gone when it goes.
struct Folder(PathBuf);

impl Folder {
    fn new() -> std::io::Result<Folder> {
        use std::os::unix::fs::DirBuilderExt as _;
        let mut random = [0; 8];
        getrandom::fill(&mut random).map_err(std::io::Error::other)?;
        let name = format!("offhook-{:016x}", u64::from_ne_bytes(random));
        let path = std::env::temp_dir().join(name);
        std::fs::DirBuilder::new().mode(0o700).create(&path)?;
        Ok(Folder(path))
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}
