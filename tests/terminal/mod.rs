//! A program in a real terminal: tmux runs it at 80x24, keys are sent, the screen is read.
//!
//! Needs tmux (`./dev test` installs it). Where it is missing the tests say that they were skipped; with
//! `OFFHOOK_REQUIRE_PEERS=1` they fail.

#![allow(clippy::disallowed_methods, reason = "a real terminal runs by the real clock")]
// Each test program uses a part of it.
#![allow(dead_code)]

use std::io::Write;
use std::path::Path;
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

/// How long the screen may take to show what it should.
const DEADLINE: Duration = Duration::from_secs(20);

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
        self.tmux(&["new-session", "-d", "-s", "demo", "-x", "80", "-y", "24", script]);
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
    let mut command = Command::new("tmux");
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
