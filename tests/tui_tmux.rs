//! The terminal UI in a real terminal: `offhook demo` in tmux at 80x24, keys sent, screen read.
//!
//! Needs tmux (`./dev test` installs it). Where it is missing the tests say that they were skipped; with
//! `OFFHOOK_REQUIRE_PEERS=1` they fail.

#![allow(clippy::disallowed_methods, reason = "a real terminal runs by the real clock")]

use std::io::Write;
use std::path::Path;
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

/// How long the screen may take to show what it should.
const DEADLINE: Duration = Duration::from_secs(20);

/// The demo in a terminal of its own.
struct Terminal {
    /// Holds the socket of tmux, and is the phone's home.
    folder: tempfile::TempDir,
}

impl Terminal {
    /// Opens the demo at 80x24; `None` where there is no tmux, which was then said.
    fn demo() -> Option<Terminal> {
        if Command::new("tmux").arg("-V").output().is_err() {
            let required = std::env::var_os("OFFHOOK_REQUIRE_PEERS").is_some_and(|value| !value.is_empty());
            assert!(!required, "tmux is not installed (Debian package tmux)");
            // Past the test harness, which shows what a passed test printed to nobody.
            let _ = writeln!(std::io::stderr(), "skipped: tmux is not installed (Debian package tmux)");
            return None;
        }
        let folder = tempfile::Builder::new().prefix("offhook-tmux-").tempdir().expect("a folder");
        let terminal = Terminal { folder };
        let phone = env!("CARGO_BIN_EXE_offhook");
        // What stays on the screen afterwards shows how the phone left the terminal.
        let script = format!("'{phone}' demo --input null --output null; echo \"ended with $?\"; exec cat");
        terminal.tmux(&["new-session", "-d", "-s", "demo", "-x", "80", "-y", "24", &script]);
        Some(terminal)
    }

    /// Presses keys, as tmux names them.
    fn press(&self, keys: &[&str]) {
        self.tmux(&[&["send-keys", "-t", "demo"], keys].concat());
    }

    /// Types text.
    fn type_text(&self, text: &str) {
        self.tmux(&["send-keys", "-t", "demo", "-l", text]);
    }

    fn screen(&self) -> String {
        self.tmux(&["capture-pane", "-p", "-t", "demo"])
    }

    /// Waits until the screen fits, and returns it.
    fn wait(&self, what: &str, fits: impl Fn(&str) -> bool) -> String {
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
    fn shows(&self, text: &str) -> String {
        self.wait(&format!("'{text}'"), |screen| screen.contains(text))
    }

    fn tmux(&self, arguments: &[&str]) -> String {
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
    command.arg("-u").arg("-S").arg(folder.join("socket")).args(["-f", "/dev/null"]).env("HOME", folder);
    command
}

/// The line of the big box of the active call: its number and what it does.
fn active(screen: &str) -> &str {
    screen.lines().find(|line| line.contains("╭ #")).unwrap_or_default()
}

#[test]
fn a_call_from_the_first_key_to_the_last() {
    let Some(terminal) = Terminal::demo() else { return };
    terminal.shows("registered");

    terminal.press(&["c"]);
    terminal.shows("Call ›");
    terminal.type_text("600");
    terminal.press(&["Enter"]);
    terminal.wait("call 1 talking", |screen| active(screen).contains("#1") && active(screen).contains("talking"));

    terminal.press(&["h"]);
    terminal.wait("call 1 held", |screen| active(screen).contains("held"));
    terminal.press(&["h"]);
    terminal.wait("call 1 talking", |screen| active(screen).contains("talking"));

    terminal.press(&["x"]);
    terminal.shows("you hung up");
    terminal.shows("No call");

    // The next one by its number alone.
    terminal.type_text("600");
    terminal.press(&["Enter"]);
    terminal.wait("call 2 talking", |screen| active(screen).contains("#2") && active(screen).contains("talking"));

    terminal.press(&["t"]);
    terminal.shows("Transfer #2");
    terminal.type_text("601");
    terminal.press(&["Enter"]);
    terminal.shows("transfer: answered (200)");
    terminal.shows("No call");

    terminal.press(&["q"]);
    let left = terminal.shows("ended with 0");
    assert!(!left.contains("offhook"), "the UI is gone from the screen:\n{left}");
}

#[test]
fn services_people_and_completion_by_keys() {
    let Some(terminal) = Terminal::demo() else { return };
    terminal.shows("registered");

    // Do not disturb shows until it is off.
    terminal.press(&["D"]);
    terminal.shows("demo: do not disturb");
    terminal.press(&["D"]);
    terminal.wait("no do not disturb", |screen| !screen.lines().take(4).any(|line| line.contains("do not disturb")));

    // A forwarding asks where to.
    terminal.press(&["f", "j", "Enter"]);
    terminal.shows("Forward all calls to ›");
    terminal.type_text("605");
    terminal.press(&["Enter"]);
    terminal.shows("all calls forwarded to 605");
    terminal.press(&["Enter", "Escape"]);
    terminal.wait("no forwarding", |screen| !screen.contains("all calls forwarded"));

    // A command and its target by Tab; the call is in the list then, and is called again from there.
    terminal.type_text(":cal");
    terminal.press(&["Tab"]);
    terminal.type_text(" 602");
    terminal.press(&["Enter"]);
    terminal.shows("486");
    terminal.press(&["b"]);
    terminal.shows("Past calls");
    terminal.shows("failed: 486");
    terminal.press(&["Enter"]);
    terminal.wait("602 called again", |screen| screen.contains("#2 602 486"));
    terminal.press(&["q"]);
    terminal.shows("ended with 0");
}

#[test]
fn the_screen_follows_the_size_of_the_terminal() {
    let Some(terminal) = Terminal::demo() else { return };
    terminal.shows("registered");
    for (columns, rows) in [(132, 43), (60, 16), (80, 24)] {
        terminal.tmux(&["resize-window", "-t", "demo", "-x", &columns.to_string(), "-y", &rows.to_string()]);
        let fills = |screen: &str| {
            let width = screen.lines().next().map_or(0, |line| line.chars().count());
            width == columns && screen.lines().count() == rows && screen.contains("? help")
        };
        terminal.wait(&format!("{columns}x{rows}"), fills);
    }
    // Ctrl-C without a call ends it at once.
    terminal.press(&["C-c"]);
    terminal.shows("ended with");
}
