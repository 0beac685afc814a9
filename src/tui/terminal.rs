//! Takes the terminal, and gives it back as it was: at the end, after a panic, around a suspension.
//!
//! While the UI has the terminal, stderr goes nowhere: sound libraries write to it as they please.

use std::fs::File;
use std::io::{self, IsTerminal as _, Write as _};
use std::os::fd::{AsRawFd as _, FromRawFd as _, OwnedFd, RawFd};
use std::sync::atomic::{AtomicBool, AtomicI32, Ordering};

use crossterm::event::{
    DisableBracketedPaste, DisableMouseCapture, EnableBracketedPaste, KeyboardEnhancementFlags,
    PopKeyboardEnhancementFlags, PushKeyboardEnhancementFlags,
};
use crossterm::execute;
use crossterm::terminal::{EnterAlternateScreen, LeaveAlternateScreen, SetTitle};
use ratatui::Frame;
use ratatui::backend::CrosstermBackend;
use tokio::sync::Notify;

use crate::app::text::NAME;

/// Pushes the title on the terminal's stack, and pops it (xterm control sequences, `CSI 22 ; 0 t`).
const SAVE_TITLE: &[u8] = b"\x1b[22;0t";
const RESTORE_TITLE: &[u8] = b"\x1b[23;0t";
/// Asks for clicks and the wheel, without every movement, in columns and rows of any number (xterm control sequences).
const TAKE_MOUSE: &[u8] = b"\x1b[?1000h\x1b[?1006h";

/// Whether the UI has the terminal.
static TAKEN: AtomicBool = AtomicBool::new(false);
/// Whether the terminal was asked to tell of keys that are let go.
static TELLS: AtomicBool = AtomicBool::new(false);
/// Whether some thread panicked since.
static CRASHED: AtomicBool = AtomicBool::new(false);
/// Wakes the UI then.
static CRASH: Notify = Notify::const_new();
/// Where stderr went before, while the UI has the terminal; -1: it has not.
static STDERR: AtomicI32 = AtomicI32::new(-1);

/// Whether stdin and stdout are a terminal.
pub fn is_there() -> bool {
    io::stdin().is_terminal() && io::stdout().is_terminal()
}

/// Whether a thread panicked while the UI had the terminal: it has been given back then.
pub fn has_crashed() -> bool {
    CRASHED.load(Ordering::SeqCst)
}

/// Waits for a panic in another thread.
pub async fn crash() {
    CRASH.notified().await;
}

/// What is added to UTC to get the time of day here, in seconds.
pub fn utc_offset() -> i32 {
    // SAFETY: both calls take no more than valid pointers to what lives here; a null time means none.
    unsafe {
        let now = libc::time(std::ptr::null_mut());
        let mut local: libc::tm = std::mem::zeroed();
        if libc::localtime_r(&now, &mut local).is_null() { 0 } else { i32::try_from(local.tm_gmtoff).unwrap_or(0) }
    }
}

/// The terminal, as long as the UI has it.
pub struct Terminal {
    inner: ratatui::Terminal<CrosstermBackend<io::Stdout>>,
    title: String,
    mouse: bool,
}

impl Terminal {
    /// Takes it, with the mouse or without. From now on a panic gives it back before it says what happened.
    pub fn take(mouse: bool) -> io::Result<Terminal> {
        restore_on_panic();
        enter(mouse)?;
        let inner = ratatui::Terminal::new(CrosstermBackend::new(io::stdout())).inspect_err(|_| leave())?;
        Ok(Terminal { inner, title: String::new(), mouse })
    }

    /// Columns and rows.
    pub fn size(&self) -> io::Result<(u16, u16)> {
        self.inner.size().map(|size| (size.width, size.height))
    }

    /// Draws a frame, and the title if it changed. After a panic the terminal is no longer the UI's: nothing is drawn.
    pub fn draw(&mut self, title: &str, draw: impl FnOnce(&mut Frame)) -> io::Result<()> {
        if has_crashed() {
            return Ok(());
        }
        if self.title != title {
            execute!(io::stdout(), SetTitle(title))?;
            self.title = title.to_owned();
        }
        self.inner.draw(draw)?;
        Ok(())
    }

    /// Asks the terminal to tell when keys are let go, or not any more (the kitty keyboard protocol). It is not asked whether it
    /// can: that costs a way there and back, and one that can't leaves the question out. The Linux console may not.
    pub fn tell_releases(&mut self, wanted: bool) {
        if TELLS.load(Ordering::SeqCst) == wanted || std::env::var_os("TERM").is_some_and(|term| term == "linux") {
            return;
        }
        TELLS.store(wanted, Ordering::SeqCst);
        let flags = KeyboardEnhancementFlags::DISAMBIGUATE_ESCAPE_CODES
            | KeyboardEnhancementFlags::REPORT_EVENT_TYPES
            | KeyboardEnhancementFlags::REPORT_ALTERNATE_KEYS
            | KeyboardEnhancementFlags::REPORT_ALL_KEYS_AS_ESCAPE_CODES;
        let _ = match wanted {
            true => execute!(io::stdout(), PushKeyboardEnhancementFlags(flags)),
            false => execute!(io::stdout(), PopKeyboardEnhancementFlags),
        };
    }

    /// The next frame draws everything.
    pub fn clear(&mut self) -> io::Result<()> {
        self.inner.clear()
    }

    /// Rings the bell.
    pub fn bell(&mut self) {
        let mut stdout = io::stdout();
        let _ = stdout.write_all(b"\x07").and_then(|()| stdout.flush());
    }

    /// Shows a notification: by OSC 9 where the terminal is known to take it, else by OSC 777; one that takes neither shows
    /// nothing.
    pub fn notify(&mut self, text: &str) {
        let variable = |name| std::env::var(name).unwrap_or_default();
        let takes_9 = matches!(variable("TERM_PROGRAM").as_str(), "iTerm.app" | "WezTerm" | "ghostty")
            || variable("TERM") == "xterm-kitty";
        let mut stdout = io::stdout();
        let _ = stdout.write_all(notification(text, takes_9).as_bytes()).and_then(|()| stdout.flush());
    }

    /// Gives a text to the clipboard (xterm control sequences, `OSC 52`); terminals may refuse, and do not say so.
    pub fn copy(&mut self, text: &str) {
        let mut stdout = io::stdout();
        let sequence = format!("\x1b]52;c;{}\x07", base64(text.as_bytes()));
        let _ = stdout.write_all(sequence.as_bytes()).and_then(|()| stdout.flush());
    }

    /// Gives the terminal back, stops the process as Ctrl-Z does, and takes it again afterwards.
    pub fn suspend(&mut self) -> io::Result<()> {
        leave();
        // SAFETY: raises a signal; its default action stops the process until SIGCONT.
        unsafe { libc::raise(libc::SIGTSTP) };
        enter(self.mouse)?;
        self.title.clear();
        self.inner.clear()
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        leave();
    }
}

/// The control sequence of a notification. What could end it, or begin another one, is left out.
fn notification(text: &str, takes_9: bool) -> String {
    let text: String = text.chars().map(|c| if c.is_control() || c == ';' { ' ' } else { c }).take(200).collect();
    match takes_9 {
        true => format!("\x1b]9;{NAME}: {text}\x07"),
        false => format!("\x1b]777;notify;{NAME};{text}\x07"),
    }
}

/// RFC 4648 section 4.
fn base64(bytes: &[u8]) -> String {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for chunk in bytes.chunks(3) {
        let byte = |place: usize| u32::from(chunk.get(place).copied().unwrap_or(0));
        let bits = byte(0) << 16 | byte(1) << 8 | byte(2);
        for place in 0..4 {
            let letter = ALPHABET[(bits >> (18 - 6 * place) & 63) as usize];
            text.push(if place <= chunk.len() { char::from(letter) } else { '=' });
        }
    }
    text
}

fn enter(mouse: bool) -> io::Result<()> {
    silence_stderr();
    TAKEN.store(true, Ordering::SeqCst);
    let mut stdout = io::stdout();
    let taken = crossterm::terminal::enable_raw_mode()
        .and_then(|()| stdout.write_all(SAVE_TITLE))
        .and_then(|()| execute!(stdout, EnterAlternateScreen, EnableBracketedPaste))
        .and_then(|()| stdout.write_all(if mouse { TAKE_MOUSE } else { b"" }))
        .and_then(|()| stdout.flush());
    taken.inspect_err(|_| leave())
}

/// Does what can be done: a terminal that is gone needs nothing.
fn leave() {
    if !TAKEN.swap(false, Ordering::SeqCst) {
        return;
    }
    let mut stdout = io::stdout();
    if TELLS.swap(false, Ordering::SeqCst) {
        let _ = execute!(stdout, PopKeyboardEnhancementFlags);
    }
    let _ = execute!(stdout, DisableMouseCapture, DisableBracketedPaste, LeaveAlternateScreen, crossterm::cursor::Show);
    let _ = stdout.write_all(RESTORE_TITLE).and_then(|()| stdout.flush());
    let _ = crossterm::terminal::disable_raw_mode();
    restore_stderr();
}

fn restore_on_panic() {
    static ONCE: std::sync::Once = std::sync::Once::new();
    ONCE.call_once(|| {
        let before = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |panic| {
            if TAKEN.load(Ordering::SeqCst) {
                CRASHED.store(true, Ordering::SeqCst);
                leave();
                CRASH.notify_one();
            }
            before(panic);
        }));
    });
}

fn silence_stderr() {
    let Ok(nowhere) = File::options().write(true).open("/dev/null") else { return };
    // SAFETY: duplicates a descriptor; -1 says that it could not.
    let before = unsafe { libc::fcntl(libc::STDERR_FILENO, libc::F_DUPFD_CLOEXEC, 3) };
    if before < 0 {
        return;
    }
    redirect_stderr(nowhere.as_raw_fd());
    STDERR.store(before, Ordering::SeqCst);
}

fn restore_stderr() {
    let before = STDERR.swap(-1, Ordering::SeqCst);
    if before >= 0 {
        redirect_stderr(before);
        // SAFETY: the descriptor is ours alone: the swap gave it to nobody else.
        drop(unsafe { OwnedFd::from_raw_fd(before) });
    }
}

fn redirect_stderr(to: RawFd) {
    // SAFETY: makes descriptor 2 name the same file as `to`, which is open.
    unsafe { libc::dup2(to, libc::STDERR_FILENO) };
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_ends_a_notification_early() {
        let text = "Bob\x07\x1b]0;x calls; 4";
        assert_eq!(notification(text, true), "\x1b]9;offhook: Bob  ]0 x calls  4\x07");
        assert_eq!(notification(text, false), "\x1b]777;notify;offhook;Bob  ]0 x calls  4\x07");
    }

    /// RFC 4648 section 10.
    #[test]
    fn vectors() {
        for (text, expected) in
            [("", ""), ("f", "Zg=="), ("fo", "Zm8="), ("foo", "Zm9v"), ("foob", "Zm9vYg=="), ("fooba", "Zm9vYmE=")]
        {
            assert_eq!(base64(text.as_bytes()), expected);
        }
    }
}
