//! The first start in a real terminal: `offhook` in tmux with an empty home, keys sent, screen read; and what changes the file
//! afterwards.
//!
//! Needs tmux (`./dev test` installs it). Where it is missing the tests say that they were skipped; with
//! `OFFHOOK_REQUIRE_PEERS=1` they fail.

#![allow(clippy::disallowed_methods, reason = "a real terminal runs by the real clock")]

use std::io::Write;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

/// How long the screen may take to show what it should.
const DEADLINE: Duration = Duration::from_secs(60);

/// A terminal of its own with a home of its own.
struct Terminal {
    /// Holds the socket of tmux, and is the phone's home.
    folder: tempfile::TempDir,
}

impl Terminal {
    /// Runs the phone with these arguments; `None` where there is no tmux, which was then said.
    fn run(term: &str, size: (&str, &str), arguments: &str) -> Option<Terminal> {
        Terminal::with_file(None, term, size, arguments)
    }

    /// The same, with this configuration.
    fn with_file(file: Option<&str>, term: &str, size: (&str, &str), arguments: &str) -> Option<Terminal> {
        if Command::new("tmux").arg("-V").output().is_err() {
            let required = std::env::var_os("OFFHOOK_REQUIRE_PEERS").is_some_and(|value| !value.is_empty());
            assert!(!required, "tmux is not installed (Debian package tmux)");
            // Past the test harness, which shows what a passed test printed to nobody.
            let _ = writeln!(std::io::stderr(), "skipped: tmux is not installed (Debian package tmux)");
            return None;
        }
        let folder = tempfile::Builder::new().prefix("offhook-tmux-").tempdir().expect("a folder");
        let terminal = Terminal { folder };
        if let Some(text) = file {
            std::fs::create_dir_all(terminal.file().parent().expect("a folder")).expect("a folder");
            std::fs::write(terminal.file(), text).expect("a file");
        }
        let phone = env!("CARGO_BIN_EXE_offhook");
        let script = format!("TERM={term} '{phone}' {arguments}; echo \"ended with $?\"; exec cat");
        let (columns, rows) = size;
        terminal.tmux(&["new-session", "-d", "-s", "first", "-x", columns, "-y", rows, &script]);
        Some(terminal)
    }

    fn file(&self) -> PathBuf {
        self.folder.path().join(".config/offhook/config.toml")
    }

    fn press(&self, keys: &[&str]) {
        self.tmux(&[&["send-keys", "-t", "first"], keys].concat());
    }

    fn type_text(&self, text: &str) {
        self.tmux(&["send-keys", "-t", "first", "-l", text]);
    }

    fn screen(&self) -> String {
        self.tmux(&["capture-pane", "-p", "-t", "first"])
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

    /// Waits until a line is another one, and returns the screen.
    fn changes(&self, line: &str) -> String {
        self.wait(&format!("something else than '{line}'"), |screen| !screen.lines().any(|other| other == line))
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

const SCREEN: &str = "screen";

#[test]
fn the_first_start_asks_tries_and_writes() {
    let (exchange, password) = offhook::exchange::demo::start().expect("an exchange");
    let arguments = "--input null --output null --listen 127.0.0.1:0";
    let Some(terminal) = Terminal::run(SCREEN, ("60", "15"), arguments) else { return };
    terminal.shows("What is your SIP address?");
    terminal.type_text(&format!("you@{}", exchange.address()));
    terminal.shows("you registers at 127.0.0.1");
    terminal.press(&["Enter"]);

    // A wrong password is told as one, and there is a way back.
    terminal.shows("What is the password of you@");
    terminal.type_text("wrong");
    let masked = terminal.shows("•••••");
    assert!(!masked.contains("wrong"), "{masked}");
    terminal.press(&["Enter"]);
    terminal.shows("Which devices?");
    terminal.shows("none: silence is sent");
    terminal.press(&["Enter"]);
    terminal.shows("Hear yourself");
    terminal.press(&["Enter"]);
    terminal.shows("a test tone came back after");
    terminal.press(&["Enter"]);
    terminal.shows("Does the PBX take it?");
    terminal.press(&["Enter"]);
    terminal.shows("the password was refused");
    terminal.press(&["Escape"]);
    terminal.shows("Hear yourself");
    terminal.press(&["Escape"]);
    terminal.shows("Which devices?");
    terminal.press(&["Escape"]);
    terminal.shows("What is the password of you@");
    terminal.press(&["C-u"]);
    terminal.type_text(&password);
    terminal.press(&["Enter"]);
    terminal.shows("Which devices?");
    terminal.press(&["s"]);
    terminal.shows("Hear yourself");
    terminal.press(&["s"]);
    terminal.shows("Does the PBX take it?");
    terminal.press(&["Enter"]);
    terminal.shows("registered, after");
    terminal.press(&["Enter"]);

    let last = terminal.shows("Nothing has been written so far.");
    assert!(!last.contains(&password) && last.contains("took the account"), "{last}");
    assert!(!terminal.file().exists());
    terminal.press(&["Enter"]);
    // The phone is there, registered.
    terminal.shows("No call");
    terminal.shows("● you");
    let text = std::fs::read_to_string(terminal.file()).expect("the file");
    assert!(text.contains(&format!("\n[[account]]\nuri = \"sip:you@{}\"\n", exchange.address())), "{text}");
    assert!(text.contains(&format!("\npassword = \"{password}\"\n")) && text.contains("\n#codecs = ["));
    let mode = std::fs::metadata(terminal.file()).expect("the file").permissions().mode() & 0o777;
    assert_eq!(mode, 0o600);
    terminal.press(&["q"]);
    terminal.shows("ended with 0");
}

#[test]
fn nobody_is_held_in_it_and_nothing_is_written_before_its_end() {
    let Some(terminal) = Terminal::run(SCREEN, ("80", "24"), "--listen 127.0.0.1:0") else { return };
    terminal.shows("What is your SIP address?");
    terminal.type_text("alice@pbx.example.com");
    terminal.press(&["Enter"]);
    terminal.shows("What is the password");
    terminal.press(&["Escape"]);
    terminal.shows("What is your SIP address?");
    terminal.press(&["Escape"]);
    // The phone, without an account.
    terminal.shows("No call");
    terminal.press(&["q"]);
    terminal.shows("ended with 0");
    assert!(!terminal.file().exists());

    let Some(terminal) = Terminal::run(SCREEN, ("80", "24"), "setup") else { return };
    terminal.shows("What is your SIP address?");
    terminal.press(&["C-n"]);
    terminal.shows("Which devices?");
    terminal.press(&["C-c"]);
    terminal.shows("ended with 0");
    assert!(!terminal.file().exists());
}

#[test]
fn a_dumb_terminal_gets_lines() {
    let Some(terminal) = Terminal::run("dumb", ("80", "24"), "--listen 127.0.0.1:0") else { return };
    terminal.type_text("hodl\n");
    terminal.shows("unknown command 'hodl' (did you mean 'hold'?)");
    terminal.type_text("quit\n");
    terminal.shows("ended with 0");
}

#[test]
fn settings_and_devices_change_the_file_and_keep_all_else_in_it() {
    let before = "# mine\n[audio]\ninput = \"null\"   # quiet\noutput = 'null'\nring = \"null\"\n\n\
                  [calls]\n# what the PBX knows\nhold = \"zero\" # so\n";
    let size = ("80", "24");
    let Some(terminal) = Terminal::with_file(Some(before), SCREEN, size, "--listen 127.0.0.1:0") else { return };
    let file = || std::fs::read_to_string(terminal.file()).expect("the file");
    terminal.shows("No call");

    // To the setting, row by row.
    terminal.press(&["S"]);
    let mut screen = terminal.shows("▸ input");
    while !screen.contains("▸ hold ") {
        let chosen = screen.lines().find(|line| line.contains("▸ ")).expect("a chosen row").to_owned();
        terminal.press(&["j"]);
        screen = terminal.changes(&chosen);
    }
    terminal.press(&["Enter"]);
    terminal.shows("calls.hold: written, and in effect");
    assert_eq!(file(), before.replace("\"zero\"", "\"sendonly\""));
    // Someone else writes meanwhile.
    std::fs::write(terminal.file(), file() + "max_calls = 3 # theirs\n").expect("the file");
    terminal.press(&["Enter"]);
    terminal.shows("● inactive");
    terminal.press(&["Escape"]);
    terminal.shows("No call");

    // Another speaker for good: the system's default is there everywhere.
    terminal.press(&["A"]);
    terminal.shows("● none: silence is sent");
    terminal.press(&["Tab"]);
    terminal.shows("▸ ● none: nothing is played");
    let mut screen = terminal.screen();
    while !screen.contains("▸ ○ the system's default") {
        let chosen = screen.lines().rfind(|line| line.contains("  ▸ ")).expect("a chosen row").to_owned();
        terminal.press(&["k"]);
        screen = terminal.changes(&chosen);
    }
    terminal.press(&["w"]);
    terminal.shows("audio.output: written, and in effect");
    let after = before.replace("\"zero\"", "\"inactive\"").replace("'null'", "\"default\"");
    assert_eq!(file(), after + "max_calls = 3 # theirs\n");
    terminal.press(&["Escape"]);
    terminal.press(&["q"]);
    terminal.shows("ended with 0");
}
