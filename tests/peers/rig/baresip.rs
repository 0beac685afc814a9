//! baresip as the other phone, driven through its control port.

use std::fs;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::events::Events;
use super::process::Process;
use super::sound::Card;
use super::wire::Packet;
use super::{DEADLINE, Rig};

/// What a baresip does with a call.
#[derive(Clone, Copy)]
pub enum Answers {
    /// At once.
    Itself,
    /// When told to.
    WhenTold,
}

/// A baresip, registered at Kamailio.
pub struct Baresip {
    name: &'static str,
    process: Process,
    control: TcpStream,
    events: Events,
    replies: Events,
}

impl Rig {
    /// Starts `bob` or `carol` on a card, or on none, and waits for the registration.
    pub fn baresip(&self, name: &'static str, card: Option<Card>, answers: Answers) -> Baresip {
        self.baresip_with(name, card, answers, "audio_codecs=pcmu,pcma;ptime=20")
    }

    /// The same with its media encrypted: `srtp`, `srtp-mand`, `dtls_srtp`; empty: not.
    pub fn baresip_encrypting(
        &self,
        name: &'static str,
        card: Option<Card>,
        answers: Answers,
        encryption: &str,
    ) -> Baresip {
        let encryption = if encryption.is_empty() { String::new() } else { format!(";mediaenc={encryption}") };
        self.baresip_with(name, card, answers, &format!("audio_codecs=pcmu,pcma;ptime=20{encryption}"))
    }

    /// The same with these parameters of its account for the media.
    pub fn baresip_with(&self, name: &'static str, card: Option<Card>, answers: Answers, media: &str) -> Baresip {
        let folder = self.folder.join(name);
        let (sip_port, control_port) = configure(&folder, name, card, answers, media);
        let mut command = Command::new("baresip");
        command.arg("-f").arg(&folder);
        self.cards.environment(&mut command);
        let process = Process::start(&self.namespace, command, &folder.join("log"));
        let end = Instant::now() + DEADLINE;
        let control = loop {
            match self.namespace.inside(move || TcpStream::connect(("127.0.0.1", control_port))) {
                Ok(control) => break control,
                Err(_) if Instant::now() < end => thread::sleep(Duration::from_millis(5)),
                Err(error) => panic!("{name}: no control port: {error}\n{}", process.log()),
            }
        };
        let (events, replies) = (Events::default(), Events::default());
        let reading = control.try_clone().expect("a socket");
        let (all_events, all_replies) = (events.clone(), replies.clone());
        thread::spawn(move || read(reading, &all_events, &all_replies));
        let mut baresip = Baresip { name, process, control, events, replies };
        let registered = |packet: &Packet| {
            let ok = |text: &str| text.starts_with("SIP/2.0 200 ") && text.contains("REGISTER\r\n");
            packet.to.port() == sip_port && packet.sip().is_some_and(ok)
        };
        // The registration may be quicker than the control port.
        if !self.wire.wait(1, DEADLINE, registered) {
            baresip.fail("registration");
        }
        baresip
    }
}

impl Baresip {
    /// A command with its parameters, such as `dial sip:alice@127.0.0.1`; returns what it printed.
    pub fn tell(&mut self, command: &str, parameters: &str) -> String {
        let request = json!({ "command": command, "params": parameters }).to_string();
        write!(self.control, "{}:{request},", request.len()).expect("the control port is open");
        let Some(reply) = self.replies.next(DEADLINE, |_| true) else { self.fail(&format!("a reply to {command}")) };
        reply["data"].as_str().unwrap_or_default().to_owned()
    }

    /// Waits for an event, such as `CALL_ESTABLISHED`; returns its parameter.
    pub fn expect(&mut self, event: &str) -> String {
        self.expect_with(event, |_| true)
    }

    /// Waits for an event whose parameter fits.
    pub fn expect_with(&mut self, event: &str, fits: impl Fn(&str) -> bool) -> String {
        let text = |value: &Value| value["param"].as_str().unwrap_or_default().to_owned();
        let found = self.events.next(DEADLINE, |value| value["type"] == event && fits(&text(value)));
        let Some(found) = found else { self.fail(event) };
        text(&found)
    }

    fn fail(&mut self, what: &str) -> ! {
        let (name, state) = (self.name, self.process.state());
        panic!("{name} (baresip, {state}) gave no {what}; it gave:\n{}\n{}", self.events.dump(), self.process.log());
    }
}

/// Writes the configuration; returns the ports for SIP and for control.
fn configure(folder: &Path, name: &str, card: Option<Card>, answers: Answers, media: &str) -> (u16, u16) {
    // The namespace is ours: any port is free. Each name has its own hundred, RTP its own thousand.
    let n = match name {
        "bob" => 1,
        "carol" => 2,
        other => panic!("no ports are set aside for {other}"),
    };
    let (sip_port, control_port, rtp_first) = (5100 + n * 10, 4400 + n, 10_000 + n * 1000);
    fs::create_dir_all(folder).expect("a folder");
    let silence = folder.join("silence.wav");
    let (player, source) = match card {
        Some(card) => (format!("alsa,card{card:?}"), format!("alsa,card{card:?}")),
        None => {
            write_silence(&silence);
            ("aubridge,nil".to_owned(), format!("aufile,{}", silence.display()))
        }
    };
    let config = [
        ("{SIP_PORT}", sip_port.to_string()),
        ("{CONTROL_PORT}", control_port.to_string()),
        ("{RTP_FIRST}", rtp_first.to_string()),
        ("{RTP_LAST}", (rtp_first + 999).to_string()),
        ("{PLAYER}", player),
        ("{SOURCE}", source),
        // No parameter of an account's, but written as one here.
        ("{RTCP_MUX}", if media.contains("rtcp_mux=yes") { "yes" } else { "no" }.to_owned()),
        ("{MODULES}", modules().display().to_string()),
    ]
    .iter()
    .fold(include_str!("../configs/baresip.conf").to_owned(), |text, (name, value)| text.replace(name, value));
    let answers = match answers {
        Answers::Itself => "auto",
        Answers::WhenTold => "manual",
    };
    let account = format!(
        "<sip:{name}@127.0.0.1>;auth_user={name};auth_pass={name}pw;outbound=\"sip:127.0.0.1:5060\";\
         answermode={answers};{media};regint=600\n"
    );
    fs::write(folder.join("config"), config).expect("a file");
    fs::write(folder.join("accounts"), account).expect("a file");
    fs::write(folder.join("contacts"), "").expect("a file");
    (sip_port, control_port)
}

fn modules() -> PathBuf {
    let multiarch = format!("/usr/lib/{}-linux-gnu/baresip/modules", std::env::consts::ARCH);
    [PathBuf::from("/usr/lib/baresip/modules"), PathBuf::from(multiarch)]
        .into_iter()
        .find(|folder| folder.is_dir())
        .expect("baresip's modules")
}

fn write_silence(path: &Path) {
    let spec =
        hound::WavSpec { channels: 1, sample_rate: 8000, bits_per_sample: 16, sample_format: hound::SampleFormat::Int };
    let mut file = hound::WavWriter::create(path, spec).expect("a file");
    (0..8000 * 300).for_each(|_| file.write_sample(0i16).expect("a file"));
    file.finalize().expect("a file");
}

/// Netstrings with a JSON object each: events, and replies to commands.
fn read(mut control: TcpStream, events: &Events, replies: &Events) {
    let mut bytes = Vec::new();
    let mut buffer = [0; 4096];
    while let Ok(read @ 1..) = control.read(&mut buffer) {
        bytes.extend_from_slice(&buffer[..read]);
        while let Some((value, length)) = netstring(&bytes) {
            bytes.drain(..length);
            let list = if value["event"] == true { events } else { replies };
            list.push(value);
        }
    }
    events.end();
    replies.end();
}

/// The first whole netstring and its length.
fn netstring(bytes: &[u8]) -> Option<(Value, usize)> {
    let colon = bytes.iter().position(|byte| *byte == b':')?;
    let length: usize = std::str::from_utf8(&bytes[..colon]).ok()?.parse().ok()?;
    let end = colon + 1 + length;
    (bytes.len() > end).then(|| (serde_json::from_slice(&bytes[colon + 1..end]).unwrap_or_default(), end + 1))
}
