//! The UI's side: a phone that is served elsewhere.

use std::collections::HashMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::UnixStream;
use tokio::net::unix::{OwnedReadHalf, OwnedWriteHalf};
use tokio::sync::{mpsc, oneshot};

use crate::phone::media_thread::Levels;
use crate::phone::{Command, Event, Phone, Refused, Reply, TraceEntry};

use super::protocol::{Ask, LONGEST_SAY, Say, VERSION, line};

/// Why there is no phone to attach to.
#[derive(Debug, thiserror::Error)]
pub enum ConnectError {
    /// Nobody serves one there.
    #[error("no phone is served at {path} ({source}); `offhook run --socket` serves one")]
    Nobody {
        /// Where.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// It hung up, or is no phone.
    #[error("what is served at {0} is not a phone, or lets nobody in")]
    NoPhone(PathBuf),
    /// It is another version's.
    #[error("the phone at {path} is offhook {theirs}, this is {VERSION}: use the same one")]
    Version {
        /// Where.
        path: PathBuf,
        /// Its version.
        theirs: String,
    },
}

/// Who waits for which answer.
type Waiting = Arc<Mutex<Option<Answers>>>;
/// By number; none once nobody answers any more.
type Answers = HashMap<u64, oneshot::Sender<Result<Reply, Refused>>>;

/// A phone that runs elsewhere. Dropping it leaves that phone as it is.
pub struct Remote {
    asks: mpsc::UnboundedSender<Ask>,
    waiting: Waiting,
    next: AtomicU64,
    levels: Arc<Mutex<Levels>>,
    listen: String,
    events: Option<mpsc::UnboundedReceiver<Event>>,
    trace: Option<mpsc::UnboundedReceiver<TraceEntry>>,
}

impl Remote {
    /// Attaches to the phone at a socket. Must be called within a tokio runtime.
    ///
    /// # Errors
    /// [`ConnectError`]: nobody is there, or not the same offhook.
    pub async fn connect(path: &Path) -> Result<Remote, ConnectError> {
        let nobody = |source| ConnectError::Nobody { path: path.to_owned(), source };
        let stream = UnixStream::connect(path).await.map_err(nobody)?;
        let (reader, writer) = stream.into_split();
        let mut lines = Lines { reader: BufReader::new(reader), text: Vec::new() };
        let (version, listen) = match lines.next().await {
            Some(Say::Hello { version, listen }) => (version, listen),
            Some(_) | None => return Err(ConnectError::NoPhone(path.to_owned())),
        };
        if version != VERSION {
            return Err(ConnectError::Version { path: path.to_owned(), theirs: version });
        }
        let (asks, asked) = mpsc::unbounded_channel();
        let (event_sender, events) = mpsc::unbounded_channel();
        let (trace_sender, trace) = mpsc::unbounded_channel();
        let waiting = Waiting::new(Mutex::new(Some(Answers::new())));
        let levels = Arc::new(Mutex::new(Levels { input: -100.0, output: -100.0 }));
        tokio::spawn(write(writer, asked));
        tokio::spawn(read(lines, event_sender, trace_sender, Arc::clone(&waiting), Arc::clone(&levels)));
        let next = AtomicU64::new(0);
        Ok(Remote { asks, waiting, next, levels, listen, events: Some(events), trace: Some(trace) })
    }

    /// The events; to be taken once. A second time gives a channel that is closed.
    pub fn events(&mut self) -> mpsc::UnboundedReceiver<Event> {
        self.events.take().unwrap_or_else(|| mpsc::unbounded_channel().1)
    }

    /// The SIP trace, beginning with what the phone remembers; to be taken once.
    pub fn trace(&mut self) -> mpsc::UnboundedReceiver<TraceEntry> {
        self.trace.take().unwrap_or_else(|| mpsc::unbounded_channel().1)
    }

    /// The address at which the phone listens.
    pub fn listen(&self) -> &str {
        &self.listen
    }
}

impl Phone for Remote {
    async fn command(&self, command: Command) -> Result<Reply, Refused> {
        let id = self.next.fetch_add(1, Ordering::Relaxed);
        let (answer, answered) = oneshot::channel();
        match held(&self.waiting).as_mut() {
            Some(answers) => drop(answers.insert(id, answer)),
            // At once, not at this function's end, which waits for it.
            None => drop(answer),
        }
        let _ = self.asks.send(Ask::Command { id, command });
        answered.await.unwrap_or_else(|_| Err(Refused { message: "the phone has gone".into() }))
    }

    /// What the phone said last; it is asked for the next time.
    fn levels(&self) -> Levels {
        let _ = self.asks.send(Ask::Levels);
        *held(&self.levels)
    }
}

fn held<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

async fn write(mut writer: OwnedWriteHalf, mut asked: mpsc::UnboundedReceiver<Ask>) {
    while let Some(ask) = asked.recv().await {
        let Some(line) = line(&ask) else { continue };
        if writer.write_all(line.as_bytes()).await.is_err() {
            return;
        }
    }
}

struct Lines {
    reader: BufReader<OwnedReadHalf>,
    text: Vec<u8>,
}

impl Lines {
    /// The next message; `None` at the end, and for what is none.
    async fn next(&mut self) -> Option<Say> {
        self.text.clear();
        let read = (&mut self.reader).take(LONGEST_SAY).read_until(b'\n', &mut self.text).await;
        if !read.is_ok_and(|count| count > 0) || self.text.last() != Some(&b'\n') {
            return None;
        }
        serde_json::from_slice(&self.text).inspect_err(|error| tracing::warn!(%error, "no message")).ok()
    }
}

async fn read(
    mut lines: Lines,
    events: mpsc::UnboundedSender<Event>,
    trace: mpsc::UnboundedSender<TraceEntry>,
    waiting: Waiting,
    levels: Arc<Mutex<Levels>>,
) {
    while let Some(say) = lines.next().await {
        // Whoever asked may have stopped listening.
        match say {
            Say::Hello { .. } => {}
            Say::Reply { id, result } => {
                let answer = held(&waiting).as_mut().and_then(|answers| answers.remove(&id));
                let _ = answer.map(|answer| answer.send(result));
            }
            Say::Event(event) => drop(events.send(event)),
            Say::Trace(entry) => drop(trace.send(entry)),
            Say::Levels(now) => *held(&levels) = now,
        }
    }
    // Nobody will answer any more.
    *held(&waiting) = None;
}
