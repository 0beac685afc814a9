//! A private PulseAudio with two virtual sound cards, A and B, tones played into their microphones, and what their
//! speakers play.
//!
//! A card is two null sinks: `A_spk` is its speaker, heard at `A_spk.monitor`; what is played into `A_micin` comes out of
//! its microphone, the source `A_mic`.

use std::f64::consts::TAU;
use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::Instant;

use super::namespace::Namespace;
use super::process::Process;
use super::{DEADLINE, Rig};

/// Samples a second of what is played and recorded here.
const RATE: usize = 8000;

/// One of the two.
#[derive(Clone, Copy, Debug)]
pub enum Card {
    A,
    B,
}

/// The sound server.
pub struct Cards {
    _server: Process,
    _keepers: Vec<Process>,
    folder: PathBuf,
}

impl Cards {
    /// Starts the server and waits until it answers.
    pub fn start(namespace: &Namespace, folder: &Path) -> Cards {
        fs::write(folder.join("asound.conf"), include_str!("../configs/asound.conf")).expect("a file");
        let mut command = Command::new("pulseaudio");
        command.args(["-n", "--daemonize=no", "--exit-idle-time=-1", "--use-pid-file=no", "--log-target=stderr"]);
        command.args(["--realtime=no", "--high-priority=no", "--disallow-exit"]);
        command.args([
            "-L",
            &format!("module-native-protocol-unix socket={}/pulse.socket auth-anonymous=1", folder.display()),
        ]);
        for card in ["A", "B"] {
            for sink in ["spk", "micin"] {
                command.args(["-L", &format!("module-null-sink sink_name={card}_{sink} rate=48000 channels=2")]);
            }
            let source = format!("module-remap-source source_name={card}_mic master={card}_micin.monitor");
            command.args(["-L", &source]);
        }
        environment(&mut command, folder);
        let mut server = Process::start(namespace, command, &folder.join("pulse.log"));
        let end = Instant::now() + DEADLINE;
        while !ready(namespace, folder) {
            assert!(Instant::now() < end, "PulseAudio does not answer; it is {}\n{}", server.state(), server.log());
        }
        // A null sink without a hurried client renders two seconds at a time.
        let keep = |sink: &str| Process::start(namespace, recording(folder, sink), Path::new("/dev/null"));
        let keepers = ["A_spk", "A_micin", "B_spk", "B_micin"].map(keep);
        Cards { _server: server, _keepers: keepers.into(), folder: folder.to_owned() }
    }

    /// What a program needs to find the cards, and nothing of the person's own.
    pub fn environment(&self, command: &mut Command) {
        environment(command, &self.folder);
    }
}

impl Rig {
    /// Plays a tone into a card's microphone until dropped.
    pub fn speak(&self, card: Card, frequency: f64) -> Process {
        const SECONDS: usize = 60;
        let sample = |n: usize| (8000.0 * (TAU * frequency * n as f64 / RATE as f64).sin()) as i16;
        let bytes: Vec<u8> = (0..SECONDS * RATE).flat_map(|n| sample(n).to_le_bytes()).collect();
        let file = self.folder.join(format!("tone-{frequency}.raw"));
        fs::write(&file, bytes).expect("a file");
        let mut command = Command::new("pacat");
        command.args(["--playback", "--raw", "--format=s16le", "--channels=1", "--latency-msec=20"]);
        command.args([format!("--rate={RATE}"), format!("--device={card:?}_micin")]).arg(file);
        environment(&mut command, &self.folder);
        Process::start(&self.namespace, command, &self.folder.join(format!("speak-{card:?}.log")))
    }

    /// Waits until a card's speaker plays this tone and nothing else for half a second; panics when it doesn't.
    pub fn assert_hears(&self, card: Card, frequency: f64) {
        const WINDOW: usize = RATE / 10;
        const IN_A_ROW: usize = 5;
        let heard = self.listen(card);
        let end = Instant::now() + DEADLINE;
        let (mut samples, mut row, mut seen) = (Vec::new(), 0, Vec::new());
        while row < IN_A_ROW {
            let left = end.saturating_duration_since(Instant::now());
            let Ok(more) = heard.recv_timeout(left) else {
                panic!(
                    "{card:?}'s speaker does not play {frequency} Hz; loudness and purity of what it plays: {seen:?}"
                );
            };
            samples.extend(more);
            while samples.len() >= WINDOW {
                let window: Vec<f64> = samples.drain(..WINDOW).collect();
                let (loudness, purity) = (rms(&window), purity(&window, frequency));
                row = if loudness > 500.0 && purity > 0.9 { row + 1 } else { 0 };
                seen.push((loudness.round(), (purity * 100.0).round() / 100.0));
            }
        }
    }

    /// What a card's speaker plays from now on.
    fn listen(&self, card: Card) -> mpsc::Receiver<Vec<f64>> {
        let (send, heard) = mpsc::channel();
        let command = recording(&self.folder, &format!("{card:?}_spk"));
        let log = self.folder.join(format!("listen-{card:?}.log"));
        let (process, _, mut stdout) = Process::piped(&self.namespace, command, &log);
        thread::spawn(move || {
            let _process = process;
            let mut buffer = [0; 800];
            while stdout.read_exact(&mut buffer).is_ok() {
                let samples = buffer.chunks_exact(2).map(|pair| f64::from(i16::from_le_bytes([pair[0], pair[1]])));
                if send.send(samples.collect()).is_err() {
                    return;
                }
            }
        });
        heard
    }
}

/// Root mean square.
fn rms(samples: &[f64]) -> f64 {
    (samples.iter().map(|x| x * x).sum::<f64>() / samples.len() as f64).sqrt()
}

/// The share of the power that lies at one frequency: 1 for a pure tone.
fn purity(samples: &[f64], frequency: f64) -> f64 {
    let turn = TAU * frequency / RATE as f64;
    let part =
        |wave: fn(f64) -> f64| samples.iter().zip(0u32..).map(|(x, n)| x * wave(turn * f64::from(n))).sum::<f64>();
    let (cos, sin) = (part(f64::cos), part(f64::sin));
    let total: f64 = samples.iter().map(|x| x * x).sum();
    if total == 0.0 { 0.0 } else { 2.0 * (cos * cos + sin * sin) / (samples.len() as f64 * total) }
}

fn ready(namespace: &Namespace, folder: &Path) -> bool {
    let mut command = Command::new("pactl");
    command.args(["list", "short", "sources"]).stderr(Stdio::null());
    environment(&mut command, folder);
    let output = namespace.inside(move || command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn());
    let output = output.and_then(std::process::Child::wait_with_output).expect("pactl runs");
    String::from_utf8_lossy(&output.stdout).contains("B_mic\t")
}

fn recording(folder: &Path, sink: &str) -> Command {
    let mut command = Command::new("parec");
    command.args(["--raw", "--format=s16le", "--channels=1", "--latency-msec=5"]);
    command.args([format!("--rate={RATE}"), format!("--device={sink}.monitor")]);
    environment(&mut command, folder);
    command
}

/// The person's own settings reach no program of the rig.
fn environment(command: &mut Command, folder: &Path) {
    let own = |name: &str| name.starts_with("XDG_") || name.starts_with("PULSE_") || name.starts_with("OFFHOOK_");
    for (name, _) in std::env::vars_os() {
        if name.to_str().is_some_and(own) {
            command.env_remove(name);
        }
    }
    command.env("HOME", folder).env("TERM", "dumb");
    command.env("PULSE_RUNTIME_PATH", folder);
    command.env("PULSE_SERVER", format!("unix:{}/pulse.socket", folder.display()));
    command.env("ALSA_CONFIG_PATH", folder.join("asound.conf"));
}
