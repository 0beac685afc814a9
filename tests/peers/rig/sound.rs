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
            // linphone knows them by their descriptions.
            for (sink, description) in [("spk", "speaker"), ("micin", "micin")] {
                let sink = format!("module-null-sink sink_name={card}_{sink} rate=48000 channels=2");
                command.args(["-L", &format!("{sink} sink_properties=device.description={card}_{description}")]);
            }
            let source = format!(
                "module-remap-source source_name={card}_mic master={card}_micin.monitor \
                 source_properties=device.description={card}_mic"
            );
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

    /// Where the server's socket is.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// What a program needs to find the cards, and nothing of the person's own.
    pub fn environment(&self, command: &mut Command) {
        environment(command, &self.folder);
    }
}

impl Rig {
    /// Plays a tone into a card's microphone until dropped.
    pub fn speak(&self, card: Card, frequency: f64) -> Process {
        self.tone(card, frequency, 8000.0)
    }

    /// The same, far too loud: its tops are cut off.
    pub fn shout(&self, card: Card, frequency: f64) -> Process {
        self.tone(card, frequency, 60_000.0)
    }

    fn tone(&self, card: Card, frequency: f64, size: f64) -> Process {
        self.tone_into(&format!("{card:?}_micin"), frequency, size)
    }

    /// Plays a tone into any sink until dropped.
    pub fn speak_into(&self, sink: &str, frequency: f64) -> Process {
        self.tone_into(sink, frequency, 8000.0)
    }

    fn tone_into(&self, sink: &str, frequency: f64, size: f64) -> Process {
        // Longer than any test needs it, were each wait in it as long as it may be.
        const SECONDS: usize = 300;
        let sample = |n: usize| (size * (TAU * frequency * n as f64 / RATE as f64).sin()) as i16;
        let file = self.folder.join(format!("tone-{frequency}-{size}.raw"));
        if !file.exists() {
            // A second is a whole number of waves.
            let second: Vec<u8> = (0..RATE).flat_map(|n| sample(n).to_le_bytes()).collect();
            fs::write(&file, second.repeat(SECONDS)).expect("a file");
        }
        let mut command = Command::new("pacat");
        command.args(["--playback", "--raw", "--format=s16le", "--channels=1", "--latency-msec=20"]);
        command.args([format!("--rate={RATE}"), format!("--device={sink}")]).arg(file);
        environment(&mut command, &self.folder);
        Process::start(&self.namespace, command, &self.folder.join(format!("speak-{sink}.log")))
    }

    /// Asks the sound server something, or tells it.
    pub fn pactl(&self, arguments: &[&str]) -> String {
        pactl(&self.namespace, &self.folder, arguments)
    }

    /// A device more, until dropped: a module of the sound server, with its arguments.
    pub fn plug(&self, module: &[&str]) -> Plugged<'_> {
        let number = self.pactl(&[&["load-module"], module].concat());
        Plugged { rig: self, number: number.trim().to_owned() }
    }

    /// A sound server of its own, which can be killed.
    pub fn other_server(&self) -> Cards {
        let folder = self.folder.join("other");
        let _ = fs::remove_dir_all(&folder);
        fs::create_dir(&folder).expect("a folder");
        Cards::start(&self.namespace, &folder)
    }

    /// Starts to record what a sink plays.
    pub fn record(&self, sink: &str) -> Recording {
        Recording { heard: self.listen(sink), samples: Vec::new() }
    }

    /// Plays a file of `tests/data`, 16 kHz mono, into a card's microphone again and again until dropped.
    pub fn say(&self, card: Card, name: &str) -> Process {
        const TIMES: usize = 60;
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data").join(name);
        let mut reader = hound::WavReader::open(path).expect("a file");
        let rate = reader.spec().sample_rate;
        let samples: Vec<i16> = reader.samples().map(|sample| sample.expect("a sample")).collect();
        let once: Vec<u8> = samples.iter().flat_map(|sample| sample.to_le_bytes()).collect();
        let file = self.folder.join(format!("{name}.raw"));
        fs::write(&file, once.repeat(TIMES)).expect("a file");
        let mut command = Command::new("pacat");
        command.args(["--playback", "--raw", "--format=s16le", "--channels=1", "--latency-msec=20"]);
        command.args([format!("--rate={rate}"), format!("--device={card:?}_micin")]).arg(file);
        environment(&mut command, &self.folder);
        Process::start(&self.namespace, command, &self.folder.join(format!("say-{card:?}.log")))
    }

    /// Root mean square of what a card's speaker plays in the next seconds.
    pub fn loudness(&self, card: Card, seconds: usize) -> f64 {
        let heard = self.listen(&format!("{card:?}_spk"));
        let mut samples = Vec::new();
        while samples.len() < seconds * RATE {
            samples.extend(heard.recv_timeout(DEADLINE).expect("sound, or silence"));
        }
        rms(&samples)
    }

    /// Waits until a card's speaker has played this tone and nothing else for half a second, in pieces of a tenth: a machine that
    /// stands still breaks it here and there, also for the phones that then make up for it. Panics when it doesn't.
    pub fn assert_hears(&self, card: Card, frequency: f64) {
        self.assert_sink_plays(&format!("{card:?}_spk"), frequency);
    }

    /// The same of any sink.
    pub fn assert_sink_plays(&self, sink: &str, frequency: f64) {
        const WINDOW: usize = RATE / 10;
        const PURE: usize = 5;
        let heard = self.listen(sink);
        let end = Instant::now() + DEADLINE;
        let (mut samples, mut pure, mut seen) = (Vec::new(), 0, Vec::new());
        while pure < PURE {
            let left = end.saturating_duration_since(Instant::now());
            let Ok(more) = heard.recv_timeout(left) else {
                panic!("{sink} does not play {frequency} Hz; loudness and purity of what it plays: {seen:?}");
            };
            samples.extend(more);
            while samples.len() >= WINDOW {
                let window: Vec<f64> = samples.drain(..WINDOW).collect();
                let (loudness, purity) = (rms(&window), purity(&window, frequency));
                pure += usize::from(loudness > 500.0 && purity > 0.9);
                seen.push((loudness.round(), (purity * 100.0).round() / 100.0));
            }
        }
    }

    /// What a sink plays from now on.
    fn listen(&self, sink: &str) -> mpsc::Receiver<Vec<f64>> {
        let (send, heard) = mpsc::channel();
        let command = recording(&self.folder, sink);
        let log = self.folder.join(format!("listen-{sink}.log"));
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

/// A device that was plugged in.
pub struct Plugged<'a> {
    rig: &'a Rig,
    number: String,
}

impl Drop for Plugged<'_> {
    fn drop(&mut self) {
        self.rig.pactl(&["unload-module", &self.number]);
    }
}

/// What a sink plays, in its own time.
pub struct Recording {
    heard: mpsc::Receiver<Vec<f64>>,
    samples: Vec<f64>,
}

impl Recording {
    /// Waits until so many more milliseconds were heard that are as loud as a tone.
    pub fn wait_for_sound(&mut self, milliseconds: usize) {
        let end = Instant::now() + DEADLINE;
        let mut missing = milliseconds / WINDOW_MS;
        while missing > 0 {
            let left = end.saturating_duration_since(Instant::now());
            let more = self.heard.recv_timeout(left).expect("sound is heard in time");
            let from = self.samples.len() / WINDOW_SAMPLES;
            self.samples.extend(more);
            let loud = self.windows().skip(from).filter(|loud| *loud).count();
            missing = missing.saturating_sub(loud);
        }
    }

    /// Takes what has come and waits to be taken.
    pub fn catch_up(&mut self) {
        self.samples.extend(self.heard.try_iter().flatten());
    }

    /// Forgets what came until now.
    pub fn forget(&mut self) {
        self.catch_up();
        self.samples.clear();
    }

    fn windows(&self) -> impl Iterator<Item = bool> + '_ {
        self.samples.chunks_exact(WINDOW_SAMPLES).map(|window| rms(window) > 500.0)
    }

    /// Milliseconds of the longest silence between two sounds.
    pub fn longest_gap(&self) -> usize {
        let loud: Vec<usize> = self.windows().enumerate().filter_map(|(at, loud)| loud.then_some(at)).collect();
        loud.windows(2).map(|pair| (pair[1] - pair[0] - 1) * WINDOW_MS).max().expect("sound was heard")
    }
}

const WINDOW_MS: usize = 5;
const WINDOW_SAMPLES: usize = RATE * WINDOW_MS / 1000;

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
    pactl(namespace, folder, &["list", "short", "sources"]).contains("B_mic\t")
}

/// What pactl prints; nothing while there is no server.
fn pactl(namespace: &Namespace, folder: &Path, arguments: &[&str]) -> String {
    // One that hangs is ended.
    let mut command = Command::new("timeout");
    command.args([&DEADLINE.as_secs().to_string(), "pactl"]).args(arguments).stderr(Stdio::null());
    environment(&mut command, folder);
    let output = namespace.inside(move || command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn());
    let output = output.and_then(std::process::Child::wait_with_output).expect("pactl runs");
    String::from_utf8_lossy(&output.stdout).into_owned()
}

fn recording(folder: &Path, sink: &str) -> Command {
    let mut command = Command::new("parec");
    command.args(["--raw", "--format=s16le", "--channels=1", "--latency-msec=5"]);
    command.args([format!("--rate={RATE}"), format!("--device={sink}.monitor")]);
    environment(&mut command, folder);
    command
}

/// The person's own settings reach no program of the rig.
pub fn environment(command: &mut Command, folder: &Path) {
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
