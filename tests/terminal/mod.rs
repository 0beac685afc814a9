//! A program in a real terminal: tmux runs it, keys are sent, the screen is read.
//!
//! Needs tmux (`./dev test` installs it). Where it is missing the tests say that they were skipped; with
//! `OFFHOOK_REQUIRE_PEERS=1` they fail.

#![allow(clippy::disallowed_methods, reason = "a real terminal runs by the real clock")]
// Each test program uses a part of it.
#![allow(dead_code)]

use std::fs;
use std::io::Write;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

/// How long the screen may take to show what it should.
const DEADLINE: Duration = Duration::from_secs(60);
/// How long tmux itself may take, in seconds: a command that hangs fails its test.
const TMUX_DEADLINE: &str = "60";

/// The program under test.
pub const PHONE: &str = env!("CARGO_BIN_EXE_offhook");

/// A terminal of its own, and a home for what runs in it.
pub struct Terminal {
    /// Holds the socket of tmux, and is the phone's home.
    folder: tempfile::TempDir,
}

impl Terminal {
    /// Opens the demo at 80x24; `None` where there is no tmux, which was then said.
    pub fn demo() -> Option<Terminal> {
        let terminal = Terminal::new()?;
        // What stays on the screen afterwards shows how the phone left the terminal.
        terminal.run(&format!("'{PHONE}' demo --input null --output null; echo \"ended with $?\"; exec cat"));
        Some(terminal)
    }

    /// A terminal in which nothing runs yet; `None` where there is no tmux, which was then said.
    pub fn new() -> Option<Terminal> {
        if Command::new("tmux").arg("-V").output().is_err() {
            let required = std::env::var_os("OFFHOOK_REQUIRE_PEERS").is_some_and(|value| !value.is_empty());
            assert!(!required, "tmux is not installed (Debian package tmux)");
            // Past the test harness, which shows what a passed test printed to nobody.
            let _ = writeln!(std::io::stderr(), "skipped: tmux is not installed (Debian package tmux)");
            return None;
        }
        let folder = tempfile::Builder::new().prefix("offhook-tmux-").tempdir().expect("a folder");
        Some(Terminal { folder })
    }

    /// Runs a script of the shell at 80x24. Its home is [`Terminal::folder`].
    pub fn run(&self, script: &str) {
        self.run_at((80, 24), script);
    }

    /// The same at so many columns and rows.
    pub fn run_at(&self, (columns, rows): (u16, u16), script: &str) {
        let (columns, rows) = (columns.to_string(), rows.to_string());
        self.tmux(&["new-session", "-d", "-s", "demo", "-x", &columns, "-y", &rows, script]);
    }

    /// Runs the phone at this size with these arguments; at its end the screen says how it ended.
    pub fn run_phone(&self, size: (u16, u16), arguments: &str) {
        self.run_at(size, &format!("'{PHONE}' {arguments}; echo \"ended with $?\"; exec cat"));
    }

    /// The configuration that the phone finds in its home.
    pub fn file(&self) -> PathBuf {
        self.folder().join(".config/offhook/config.toml")
    }

    /// Writes it, for its owner alone as the phone does.
    pub fn write_file(&self, text: &str) {
        let file = self.file();
        fs::create_dir_all(file.parent().expect("a folder")).expect("a folder");
        fs::write(&file, text).expect("a file");
        fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).expect("its mode");
    }

    /// Where what runs here is at home.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Presses keys, as tmux names them.
    pub fn press(&self, keys: &[&str]) {
        self.tmux(&[&["send-keys", "-t", "demo"], keys].concat());
    }

    /// Types text.
    pub fn type_text(&self, text: &str) {
        self.tmux(&["send-keys", "-t", "demo", "-l", text]);
    }

    /// Presses the key that the screen shows with this label in its last two rows, as a person would find it.
    pub fn press_shown(&self, label: &str) {
        let key = |screen: &str| {
            let rows: Vec<&str> = screen.lines().rev().take(2).collect();
            // Two blanks lie between one label and the next key, one between a key and its label.
            rows.into_iter().flat_map(|row| row.split("  ")).find_map(|shown| {
                let (key, said) = shown.trim().split_once(' ')?;
                (said == label).then(|| key.to_owned())
            })
        };
        let screen = self.wait(&format!("a key for '{label}'"), |screen| key(screen).is_some());
        let key = key(&screen).expect("it shows");
        let named = match key.as_str() {
            "Esc" => "Escape",
            "Space" => "Space",
            key => key,
        };
        self.press(&[named]);
    }

    /// Waits until a line is another one, and returns the screen.
    pub fn changes(&self, line: &str) -> String {
        self.wait(&format!("something else than '{line}'"), |screen| !screen.lines().any(|other| other == line))
    }

    /// What it shows.
    pub fn screen(&self) -> String {
        self.tmux(&["capture-pane", "-p", "-t", "demo"])
    }

    /// Waits until the screen fits, and returns it.
    pub fn wait(&self, what: &str, fits: impl Fn(&str) -> bool) -> String {
        let end = Instant::now() + DEADLINE;
        loop {
            let screen = self.screen();
            if fits(&screen) {
                return screen;
            }
            assert!(Instant::now() < end, "the screen does not show {what}:\n{screen}");
            thread::sleep(Duration::from_millis(20));
        }
    }

    /// Waits until the screen shows a text, and returns it.
    pub fn shows(&self, text: &str) -> String {
        self.wait(&format!("'{text}'"), |screen| screen.contains(text))
    }

    /// Gives tmux a command, and returns what it prints.
    pub fn tmux(&self, arguments: &[&str]) -> String {
        let output = tmux(self.folder.path()).args(arguments).output().expect("tmux runs");
        let error = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "tmux {arguments:?}: {error}");
        String::from_utf8_lossy(&output.stdout).into_owned()
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        // The server of this socket, and with it what runs in it.
        let _ = tmux(self.folder.path()).arg("kill-server").output();
    }
}

/// A tmux of our own, without the person's settings; UTF-8 whatever the locale.
fn tmux(folder: &Path) -> Command {
    let mut command = Command::new("timeout");
    command.args([TMUX_DEADLINE, "tmux"]);
    let own = |name: &str| name == "TMUX" || name.starts_with("XDG_") || name.starts_with("OFFHOOK_");
    for (name, _) in std::env::vars_os() {
        if name.to_str().is_some_and(own) {
            command.env_remove(name);
        }
    }
    command
        .arg("-u")
        .arg("-S")
        .arg(folder.join("socket"))
        .args(["-f", "/dev/null"])
        .env("HOME", folder)
        .env("LC_ALL", "C.UTF-8");
    command
}
