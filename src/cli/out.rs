//! Standard output, on a thread of its own: a reader that stalls can't keep the phone from hanging up.

use std::io::{self, Write};
use std::time::{Duration, SystemTime};

use tokio::sync::mpsc;

use crate::phone::Event;
use crate::phone::event::Kind;

use super::text;

/// Lines that may wait for a reader who is slow.
const WAITING: usize = 1024;

/// How long the last lines may take to leave.
const LAST_LINES: Duration = Duration::from_millis(300);

/// What the lines look like.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Style {
    /// For a person.
    Text,
    /// One JSON object a line.
    Json,
}

/// Standard output.
pub struct Out {
    style: Style,
    lines: mpsc::Sender<String>,
    done: std::sync::mpsc::Receiver<()>,
}

impl Out {
    /// Standard output of this process.
    pub fn stdout(style: Style) -> io::Result<Out> {
        Out::new(style, io::stdout())
    }

    /// Lines to `writer`. When it can't be written to any more, [`Out::closed`] resolves.
    pub fn new(style: Style, mut writer: impl Write + Send + 'static) -> io::Result<Out> {
        let (lines, mut waiting) = mpsc::channel::<String>(WAITING);
        let (ended, done) = std::sync::mpsc::channel();
        std::thread::Builder::new().name("stdout".into()).spawn(move || {
            while let Some(line) = waiting.blocking_recv() {
                if writer.write_all(line.as_bytes()).and_then(|()| writer.flush()).is_err() {
                    break;
                }
            }
            drop(ended);
        })?;
        Ok(Out { style, lines, done })
    }

    /// Whether the lines are JSON.
    pub fn is_json(&self) -> bool {
        self.style == Style::Json
    }

    /// Writes an event. Waits while the reader is slow; writes nothing once it has gone.
    pub async fn event(&self, event: &Event) {
        let line = match self.style {
            Style::Text => text::line(&event.kind),
            Style::Json => match serde_json::to_string(event) {
                Ok(line) => line,
                Err(error) => {
                    tracing::error!(%error, "an event can't be written as JSON");
                    return;
                }
            },
        };
        self.line(line).await;
    }

    /// Writes an event of our own, with the time of now.
    pub async fn say(&self, kind: Kind) {
        self.event(&Event { time: SystemTime::now(), kind }).await;
    }

    /// Writes a line for a person; nothing with JSON.
    pub async fn note(&self, text: impl Into<String>) {
        if !self.is_json() {
            self.line(text.into()).await;
        }
    }

    /// Resolves when nobody reads any more.
    pub async fn closed(&self) {
        self.lines.closed().await;
    }

    /// Waits a moment for the last lines to leave.
    pub fn finish(self) {
        drop(self.lines);
        let _ = self.done.recv_timeout(LAST_LINES);
    }

    async fn line(&self, mut line: String) {
        line.push('\n');
        // An error says that the reader has gone: `closed` tells.
        let _ = self.lines.send(line).await;
    }
}

/// Writes text to standard output at once, for commands without a phone. A reader that has gone is no error.
pub fn print(text: &str) {
    let mut stdout = io::stdout().lock();
    let _ = stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush());
}

/// Writes a line to standard error, with the program's name.
pub fn complain(message: &str) {
    let _ = writeln!(io::stderr().lock(), "offhook: {message}");
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use super::*;

    #[derive(Clone, Default)]
    struct Memory(Arc<Mutex<Vec<u8>>>);

    impl Write for Memory {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().write(bytes)
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    struct Gone;

    impl Write for Gone {
        fn write(&mut self, _: &[u8]) -> io::Result<usize> {
            Err(io::ErrorKind::BrokenPipe.into())
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn block_on(future: impl Future<Output = ()>) {
        tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(future);
    }

    #[test]
    fn one_object_a_line() {
        let memory = Memory::default();
        let out = Out::new(Style::Json, memory.clone()).unwrap();
        block_on(async {
            let time = SystemTime::UNIX_EPOCH;
            out.event(&Event { time, kind: Kind::Ok { command: "swap".into() } }).await;
            out.note("for people").await;
            out.event(&Event { time, kind: Kind::Error { command: None, message: "a\nb".into() } }).await;
        });
        out.finish();
        let written = String::from_utf8(memory.0.lock().unwrap().clone()).unwrap();
        assert_eq!(
            written,
            "{\"time\":\"1970-01-01T00:00:00.000Z\",\"event\":\"ok\",\"command\":\"swap\"}\n\
             {\"time\":\"1970-01-01T00:00:00.000Z\",\"event\":\"error\",\"message\":\"a\\nb\"}\n"
        );
    }

    #[test]
    fn a_reader_that_has_gone_is_noticed() {
        let out = Out::new(Style::Text, Gone).unwrap();
        block_on(async {
            out.say(Kind::Muted).await;
            out.closed().await;
            out.say(Kind::Unmuted).await;
        });
        out.finish();
    }
}
