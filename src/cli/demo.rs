//! `offhook demo --headless`: a call to the embedded exchange's echo, and whether the sound came back.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use tokio::time::{Instant, sleep_until};

use crate::config::{Account, Config, Events, Files, Secret};
use crate::media::goertzel;
use crate::phone::event::Kind;
use crate::phone::{Command, Reply};
use crate::ua::CallNo;
use crate::ua::config::TransferPolicy;

use super::exit::{Exit, Failure};
use super::session::Session;
use super::watch::{Step, Stop, Watch};

/// The echo's number.
const ECHO: &str = "600";

/// What is sent to it, in Hz.
const TONE: f32 = 440.0;

/// A frequency that must not come back, in Hz: a noise has both.
const OTHER: f32 = 620.0;

/// How long is listened, and how long everything may take.
const TALK: Duration = Duration::from_secs(3);
const LIMIT: Duration = Duration::from_secs(20);

/// A configuration that registers as `user` to an exchange at `exchange`; sound and calls as in `base`.
pub fn config(base: Config, exchange: SocketAddr, user: &str, password: &str) -> Config {
    let account = Account {
        name: "demo".into(),
        uri: format!("sip:{user}@{exchange}"),
        display_name: Some("Demo".into()),
        password: Secret::Plain(password.into()),
        auth_user: None,
        registrar: None,
        proxies: Vec::new(),
        expires: 600,
        register: true,
        credentials: Vec::new(),
        voicemail: None,
        rewrite_contact: true,
        gruu: false,
        events: Events::none(),
    };
    let mut config = Config { accounts: vec![account], files: Files::default(), ..base };
    // Nothing leaves this machine.
    config.sip.listen = SocketAddr::new(exchange.ip(), 0);
    config.sip.listen_is_configured = false;
    // 606 shows it.
    config.calls.redirects = TransferPolicy::Follow;
    config
}

/// The same without sound hardware: a tone speaks, nothing is played.
pub fn headless_config(base: Config, exchange: SocketAddr, user: &str, password: &str) -> Config {
    let mut config = config(base, exchange, user, password);
    config.audio.input = format!("tone:{TONE}");
    config.audio.output = "null".into();
    config.audio.ring = "null".into();
    config
}

/// Registers, calls the echo, listens, hangs up, and looks whether the tone came back.
pub async fn headless(mut session: Session) -> Result<(), Failure> {
    let path = std::env::temp_dir().join(format!("offhook-demo-{}.wav", std::process::id()));
    let json = session.out.is_json();
    let outcome = place(&mut session, &path).await;
    let recorded = outcome.is_ok();
    // The recording is complete when the phone has ended.
    session.quit().await;
    let heard = if recorded { heard(&path) } else { Err(String::new()) };
    let _ = std::fs::remove_file(&path);
    outcome?;
    match heard {
        Ok(level) => {
            if !json {
                let text =
                    format!("demo passed: a tone of {TONE} Hz went to the echo and came back at {level:.0} dBFS\n");
                super::out::print(&text);
            }
            Ok(())
        }
        Err(why) => Err(Failure::new(Exit::NoSound, format!("demo failed: {why}"))),
    }
}

async fn place(session: &mut Session, path: &Path) -> Result<(), Failure> {
    let limit = Instant::now() + LIMIT;
    let mut watch: Option<Watch> = None;
    let mut hang_up = None;
    loop {
        let event = tokio::select! {
            biased;
            () = session.signals.next() => return Err(Failure::new(Exit::Interrupted, "interrupted")),
            event = session.events.recv() => {
                event.ok_or_else(|| Failure::new(Exit::Internal, "the phone has ended by itself"))?
            }
            () = sleep_until(hang_up.unwrap_or(limit)) => {
                match (hang_up.take(), &mut watch) {
                    (Some(_), Some(watch)) => {
                        watch.stop(Stop::Planned);
                        let _ = session.phone.command(Command::Hangup { call: Some(watch.call()) }).await;
                    }
                    _ => return Err(Failure::new(Exit::Internal, "the demo took too long")),
                }
                continue;
            }
        };
        session.out.event(&event).await;
        match &event.kind {
            Kind::Registered { .. } if watch.is_none() => watch = Some(Watch::new(dial(session, path).await?)),
            Kind::RegistrationFailed { account, code, .. } => return Err(super::register::failed(account, *code)),
            _ => {}
        }
        match watch.as_mut().map_or(Step::Goes, |watch| watch.handle(&event.kind)) {
            Step::Goes => {}
            Step::Established => hang_up = Some(Instant::now() + TALK),
            Step::Ended(outcome) => return outcome,
        }
    }
}

async fn dial(session: &Session, path: &Path) -> Result<CallNo, Failure> {
    let refused = |error: crate::phone::Refused| Failure::new(Exit::Internal, error.message);
    let dial = Command::Call { account: None, target: ECHO.into() };
    let Reply::Call(call) = session.phone.command(dial).await.map_err(refused)? else {
        return Err(Failure::new(Exit::Internal, "the phone gave no call"));
    };
    session.phone.command(Command::Record { call, path: PathBuf::from(path) }).await.map_err(refused)?;
    Ok(call)
}

/// The level of the tone in what the other side said, in dBFS, or why it is not the tone.
fn heard(path: &Path) -> Result<f32, String> {
    let mut reader = hound::WavReader::open(path).map_err(|error| format!("the recording can't be read: {error}"))?;
    let spec = reader.spec();
    // Left is this side, right the other.
    let samples: Vec<i16> =
        reader.samples::<i16>().flatten().skip(1).step_by(usize::from(spec.channels.max(1))).collect();
    let tone = goertzel::level(&samples, TONE, spec.sample_rate);
    let other = goertzel::level(&samples, OTHER, spec.sample_rate);
    if tone > -40.0 && tone > other + 20.0 {
        return Ok(tone);
    }
    Err(format!("{TONE} Hz were sent and came back at {tone:.0} dBFS ({OTHER} Hz: {other:.0} dBFS)"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn recording(path: &Path, right: impl Fn(u32) -> i16) {
        let spec = hound::WavSpec {
            channels: 2,
            sample_rate: 8000,
            bits_per_sample: 16,
            sample_format: hound::SampleFormat::Int,
        };
        let mut writer = hound::WavWriter::create(path, spec).unwrap();
        for n in 0..16_000 {
            writer.write_sample(0_i16).unwrap();
            writer.write_sample(right(n)).unwrap();
        }
        writer.finalize().unwrap();
    }

    #[test]
    fn only_the_tone_counts() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("r.wav");
        let sine = |hz: f64| move |n: u32| (8000.0 * (std::f64::consts::TAU * hz * f64::from(n) / 8000.0).sin()) as i16;
        recording(&path, sine(440.0));
        assert!((heard(&path).unwrap() + 15.3).abs() < 1.0);
        recording(&path, sine(1000.0));
        assert!(heard(&path).is_err());
        recording(&path, |_| 0);
        assert!(heard(&path).is_err());
        assert!(heard(&folder.path().join("none.wav")).is_err());
    }

    #[test]
    fn the_demo_registers_on_loopback() {
        let config = headless_config(Config::default(), "127.0.0.1:5999".parse().unwrap(), "demo", "secret");
        let core = crate::config::user_agent(&config).unwrap();
        assert_eq!(core.accounts[0].registrar.to_string(), "sip:127.0.0.1:5999");
        assert_eq!(config.sip.listen.to_string(), "127.0.0.1:0");
    }
}
