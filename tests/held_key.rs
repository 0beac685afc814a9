//! Push to talk in a terminal that tells when a key is let go (the kitty keyboard protocol): a pseudo-terminal in which this
//! test plays that terminal.

#![allow(clippy::disallowed_methods, reason = "a real terminal runs by the real clock")]

use std::fs::File;
use std::io::{Read as _, Write as _};
use std::os::fd::{AsRawFd as _, FromRawFd as _, OwnedFd};
use std::os::unix::process::CommandExt as _;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use offhook::config::{Audio, Calls, Config, Sip};
use offhook::phone::PhoneHandle;
use offhook::ua::config::AutoAnswer;

/// Whatever is waited for takes milliseconds; a machine that is busy may take longer.
const PATIENCE: Duration = Duration::from_secs(60);

/// The program in a terminal of 80 columns and 24 rows.
struct Terminal {
    child: Child,
    master: File,
    /// What was written and not yet looked at.
    written: Vec<u8>,
    /// Nothing of this is anybody's settings.
    _home: tempfile::TempDir,
}

impl Terminal {
    fn start(arguments: &[&str]) -> Terminal {
        let (mut master, mut slave) = (-1, -1);
        let size = libc::winsize { ws_row: 24, ws_col: 80, ws_xpixel: 0, ws_ypixel: 0 };
        // SAFETY: pointers to what lives here; a name and settings are not asked for.
        let opened = unsafe {
            libc::openpty(
                &mut master,
                &mut slave,
                std::ptr::null_mut(),
                std::ptr::null_mut(),
                &raw const size as *mut _,
            )
        };
        assert_eq!(opened, 0, "a pseudo-terminal");
        // SAFETY: both were opened just now, and are nobody else's.
        let (master, slave) = unsafe { (OwnedFd::from_raw_fd(master), OwnedFd::from_raw_fd(slave)) };
        let home = tempfile::tempdir().expect("a folder");
        let config = home.path().join("phone.toml");
        std::fs::write(&config, "").expect("an empty configuration");
        let stdio = || Stdio::from(slave.try_clone().expect("one more"));
        let mut command = Command::new(env!("CARGO_BIN_EXE_offhook"));
        command.arg("--config").arg(&config).args(arguments).stdin(stdio()).stdout(stdio()).stderr(stdio());
        command.env_clear().env("HOME", home.path()).env("TERM", "xterm-kitty").env("LC_ALL", "C.UTF-8");
        // SAFETY: between fork and exec only calls that are safe there: it gets a session and this terminal.
        unsafe {
            command.pre_exec(|| {
                if libc::setsid() < 0 || libc::ioctl(0, libc::TIOCSCTTY, 0) < 0 {
                    return Err(std::io::Error::last_os_error());
                }
                Ok(())
            });
        }
        let child = command.spawn().expect("it starts");
        Terminal { child, master: File::from(master), written: Vec::new(), _home: home }
    }

    fn send(&mut self, keys: &str) {
        self.master.write_all(keys.as_bytes()).expect("it takes keys");
    }

    /// Reads until a text was written, and forgets what came up to there.
    fn shows(&mut self, text: &str) {
        let end = Instant::now() + PATIENCE;
        loop {
            let found = self.written.windows(text.len()).position(|window| window == text.as_bytes());
            if let Some(at) = found {
                self.written.drain(..at + text.len());
                return;
            }
            let seen = || String::from_utf8_lossy(&self.written).into_owned();
            assert!(Instant::now() < end, "it never wrote {text:?}; but {:?}", seen());
            let mut ready = libc::pollfd { fd: self.master.as_raw_fd(), events: libc::POLLIN, revents: 0 };
            // SAFETY: one descriptor, which lives here.
            if unsafe { libc::poll(&mut ready, 1, 100) } > 0 {
                let mut bytes = [0; 4096];
                let read = self.master.read(&mut bytes).unwrap_or(0);
                assert!(read > 0, "it ended without {text:?}; it wrote {:?}", seen());
                self.written.extend(&bytes[..read]);
            }
        }
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn the_microphone_is_open_as_long_as_the_key_is_held() {
    let other = PhoneHandle::start(Config {
        sip: Sip { listen: "127.0.0.1:0".parse().expect("an address"), listen_is_configured: true, ..Sip::default() },
        audio: Audio { input: "null".into(), output: "null".into(), ring: "null".into(), ..Audio::default() },
        calls: Calls { auto_answer: AutoAnswer::Always, direct_calls: Some(true), ..Calls::default() },
        ..Config::default()
    })
    .expect("a phone");
    let mut terminal = Terminal::start(&["--listen", "127.0.0.1:0", "--input", "null", "--output", "null"]);
    terminal.shows("No call");
    terminal.send(&format!(":call sip:bob@{}\r", other.listen()));
    // It asks the terminal to tell of keys that are let go: flags 1, 2, 4 and 8.
    terminal.shows("\x1b[>15u");
    terminal.shows("talking");

    // From now on keys come as numbers: m, pressed and let go.
    terminal.send("\x1b[109;1:1u\x1b[109;1:3u");
    terminal.shows("muted");
    // Space, pressed, held so that it repeats, and let go.
    for held in ["on air: Space ends it", "on air while Space is held"] {
        terminal.send("\x1b[32;1:1u");
        terminal.shows(held);
        terminal.send("\x1b[32;1:2u\x1b[32;1:2u\x1b[32;1:3u");
        terminal.shows("muted");
    }

    // In a line text is typed as ever: there the terminal is asked to tell no more.
    terminal.send("\x1b[99;1:1u\x1b[99;1:3u");
    terminal.shows("\x1b[<1u");
    terminal.send("\x1b");
    terminal.shows("\x1b[>15u");
    // And the terminal is given back as it was.
    terminal.send("\x1b[113;1:1u\x1b[121;1:1u");
    terminal.shows("\x1b[<1u");
    terminal.shows("\x1b[?1049l");
}
