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

/// Above it a sample belongs to the tone and not to silence; a codec's noise stays below.
const AUDIBLE: i16 = 1000;

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
        srtp: None,
        srtp_keying: None,
        register: true,
        credentials: Vec::new(),
        voicemail: None,
        rewrite_contact: true,
        gruu: false,
        events: Events::none(),
    };
    // Nothing of it is remembered, but a recording is the person's.
    let files = Files { recordings: Files::of_person().recordings, ..Files::default() };
    let mut config = Config { accounts: vec![account], files, ..base };
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
        Ok(echo) => {
            super::out::print(&if json { echo.json() } else { echo.text() });
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
    session
        .phone
        .command(Command::Record { call: Some(call), path: Some(PathBuf::from(path)) })
        .await
        .map_err(refused)?;
    Ok(call)
}

/// The tone as it came back.
#[derive(Debug)]
struct Echo {
    /// In dBFS.
    level: f32,
    /// From the first sample that went to the first that came: both sides' packets and jitter buffers. In ms.
    delay: u32,
}

impl Echo {
    fn text(&self) -> String {
        let Echo { level, delay } = self;
        format!("demo passed: a tone of {TONE} Hz went to the echo and came back after {delay} ms at {level:.0} dBFS\n")
    }

    fn json(&self) -> String {
        let line = serde_json::json!({
            "time": humantime::format_rfc3339_millis(std::time::SystemTime::now()).to_string(),
            "event": "echo", "delay_ms": self.delay, "level_dbfs": self.level.round(),
        });
        format!("{line}\n")
    }
}

/// The tone in what the other side said, or why it is not the tone.
fn heard(path: &Path) -> Result<Echo, String> {
    let mut reader = hound::WavReader::open(path).map_err(|error| format!("the recording can't be read: {error}"))?;
    let spec = reader.spec();
    let samples: Vec<i16> = reader.samples::<i16>().flatten().collect();
    // Left is this side, right the other.
    let side = |first| -> Vec<i16> {
        samples.iter().skip(first).step_by(usize::from(spec.channels.max(1))).copied().collect()
    };
    let (said, heard) = (side(0), side(1));
    let tone = goertzel::level(&heard, TONE, spec.sample_rate);
    let other = goertzel::level(&heard, OTHER, spec.sample_rate);
    if tone <= -40.0 || tone <= other + 20.0 {
        return Err(format!("{TONE} Hz were sent and came back at {tone:.0} dBFS ({OTHER} Hz: {other:.0} dBFS)"));
    }
    let begins = |side: &[i16]| side.iter().position(|sample| sample.saturating_abs() > AUDIBLE);
    let (Some(sent), Some(came)) = (begins(&said), begins(&heard)) else {
        return Err("the recording does not say when the tone was sent".into());
    };
    let samples = came.checked_sub(sent).ok_or("the tone came back before it was sent")?;
    Ok(Echo { level: tone, delay: (samples as u64 * 1000 / u64::from(spec.sample_rate.max(1))) as u32 })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Two seconds; the left side has the tone from the first half second on.
    fn recording(path: &Path, right: impl Fn(u32) -> i16) {
        let spec = hound::WavSpec {
            channels: 2,
            sample_rate: 8000,
            bits_per_sample: 16,
            sample_format: hound::SampleFormat::Int,
        };
        let mut writer = hound::WavWriter::create(path, spec).unwrap();
        for n in 0..16_000 {
            writer.write_sample(if n < 4000 { 0 } else { sine(440.0)(n - 4000) }).unwrap();
            writer.write_sample(right(n)).unwrap();
        }
        writer.finalize().unwrap();
    }

    fn sine(hz: f64) -> impl Fn(u32) -> i16 {
        move |n| (8000.0 * (std::f64::consts::TAU * hz * f64::from(n) / 8000.0).sin()) as i16
    }

    #[test]
    fn only_the_tone_counts() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("r.wav");
        // 43 ms later than the left side.
        let late = |from: u32| move |n: u32| if n < from { 0 } else { sine(440.0)(n - from) };
        recording(&path, late(4344));
        let echo = heard(&path).unwrap();
        // Three quarters of it: 2.5 dB less.
        assert!((echo.level + 15.3 + 2.8).abs() < 1.0, "{echo:?}");
        assert_eq!(echo.delay, 43);
        assert!(echo.text().ends_with("came back after 43 ms at -18 dBFS\n"), "{}", echo.text());
        recording(&path, late(3999));
        assert!(heard(&path).unwrap_err().contains("before"), "nobody says it before us");
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
