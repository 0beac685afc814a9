//! The phone's side. Everybody sees every event and every SIP message; each gets the answers to what they asked. Whoever does
//! not read is let go: the phone waits for nobody.

use std::collections::{BTreeMap, VecDeque};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::unix::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::mpsc;
use tokio::sync::mpsc::error::TrySendError;
use tokio::task::JoinHandle;
use tokio::time::{Instant, timeout_at};

use crate::phone::handle::Commander;
use crate::phone::{Command, Event, Phone as _, Refused, Reply, TraceEntry};

use super::place::{self, BindError};
use super::protocol::{Ask, LONGEST_ASK, Say, VERSION, line};

/// How long the last lines may take to leave.
const LAST_LINES: Duration = Duration::from_millis(300);
/// UIs at a time.
const MOST: usize = 16;
/// Lines that may wait for a UI.
const WAITING: usize = 8192;
/// What a UI that comes later still sees of the SIP messages: so many, and so many bytes of text.
const REMEMBERED: usize = 2000;
const REMEMBERED_BYTES: usize = 4 * 1024 * 1024;

/// How the phone ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ended {
    /// A UI asked it to.
    Asked,
    /// Otherwise.
    Otherwise,
}

/// A socket at which a phone is served. The file goes with it.
pub struct Server {
    listener: UnixListener,
    file: File,
}

/// Removes the socket's name when nobody is served any more.
struct File(PathBuf);

impl Drop for File {
    fn drop(&mut self) {
        // Somebody may have removed it already.
        let _ = std::fs::remove_file(&self.0);
    }
}

/// What comes from the UIs.
enum Said {
    Asked(Ask),
    Gone,
}

/// A line for many.
type Line = Arc<str>;

/// One who looks at the phone.
struct Guest {
    lines: mpsc::Sender<Line>,
    reading: JoinHandle<()>,
    /// Writes what waits, then ends.
    writing: JoinHandle<()>,
}

impl Drop for Guest {
    fn drop(&mut self) {
        self.reading.abort();
    }
}

/// The answer to a command of a guest.
type Answer = (u64, u64, Result<Reply, Refused>);

impl Server {
    /// Opens the socket. Must be called within a tokio runtime.
    ///
    /// # Errors
    /// [`BindError`]: a phone is served there, the name is taken, or the system refuses.
    pub fn bind(path: &Path) -> Result<Server, BindError> {
        let listener = place::bind(path)?;
        let file = File(path.to_owned());
        let listener =
            UnixListener::from_std(listener).map_err(|source| BindError::System { path: path.to_owned(), source })?;
        Ok(Server { listener, file })
    }

    /// Serves a phone until it ends. Its events go on to `own`, too.
    pub async fn serve(
        self,
        phone: Commander,
        listen: String,
        mut events: mpsc::UnboundedReceiver<Event>,
        mut trace: mpsc::UnboundedReceiver<TraceEntry>,
        own: mpsc::UnboundedSender<Event>,
    ) -> Ended {
        let (asks, mut asked) = mpsc::channel(64);
        let (replies, mut replied) = mpsc::unbounded_channel::<Answer>();
        let mut hall = Hall { phone, listen, guests: BTreeMap::new(), next: 0, asks, replies, past: Past::default() };
        let mut ended = Ended::Otherwise;
        let mut unanswered = 0_usize;
        let mut events_are_open = true;
        let mut trace_is_open = true;
        while events_are_open || unanswered > 0 {
            tokio::select! {
                // What a command brought about is told before its answer.
                biased;
                event = events.recv(), if events_are_open => match event {
                    Some(event) => {
                        hall.tell(&Say::Event(event.clone()));
                        // The output may have gone.
                        let _ = own.send(event);
                    }
                    None => events_are_open = false,
                },
                entry = trace.recv(), if trace_is_open => match entry {
                    Some(entry) => {
                        hall.tell(&Say::Trace(entry.clone()));
                        hall.past.push(entry);
                    }
                    None => trace_is_open = false,
                },
                Some((guest, id, result)) = replied.recv() => {
                    unanswered -= 1;
                    hall.answer(guest, &Say::Reply { id, result });
                }
                Some((guest, said)) = asked.recv() => match said {
                    Said::Asked(Ask::Command { id, command }) => {
                        if command == Command::Quit {
                            ended = Ended::Asked;
                        }
                        unanswered += 1;
                        hall.command(guest, id, command);
                    }
                    Said::Asked(Ask::Levels) => hall.answer(guest, &Say::Levels(hall.phone.levels())),
                    Said::Gone => hall.leave(guest),
                },
                Ok((stream, _)) = self.listener.accept() => hall.welcome(stream),
            }
        }
        drop(self.file);
        hall.farewell().await;
        ended
    }
}

/// Where the guests are.
struct Hall {
    phone: Commander,
    listen: String,
    guests: BTreeMap<u64, Guest>,
    next: u64,
    asks: mpsc::Sender<(u64, Said)>,
    replies: mpsc::UnboundedSender<Answer>,
    past: Past,
}

impl Hall {
    fn welcome(&mut self, stream: UnixStream) {
        if !place::is_owner(&stream) {
            tracing::warn!("somebody else knocked at the socket");
            return;
        }
        if self.guests.len() >= MOST {
            tracing::warn!(MOST, "too many UIs are attached");
            return;
        }
        let number = self.next;
        self.next += 1;
        let (reader, writer) = stream.into_split();
        let (lines, waiting) = mpsc::channel(WAITING);
        let writing = tokio::spawn(write(writer, waiting));
        let reading = tokio::spawn(read(number, reader, self.asks.clone()));
        self.guests.insert(number, Guest { lines, reading, writing });
        self.answer(number, &Say::Hello { version: VERSION.into(), listen: self.listen.clone() });
        let past: Vec<Say> = self.past.entries.iter().cloned().map(Say::Trace).collect();
        for entry in &past {
            self.answer(number, entry);
        }
        tracing::info!(guest = number, "attached");
    }

    fn command(&self, guest: u64, id: u64, command: Command) {
        let (phone, replies) = (self.phone.clone(), self.replies.clone());
        tokio::spawn(async move {
            let result = phone.command(command).await;
            let _ = replies.send((guest, id, result));
        });
    }

    fn tell(&mut self, say: &Say) {
        if self.guests.is_empty() {
            return;
        }
        let Some(line) = line(say).map(Line::from) else { return };
        let numbers: Vec<u64> = self.guests.keys().copied().collect();
        for number in numbers {
            self.give(number, Line::clone(&line));
        }
    }

    fn answer(&mut self, guest: u64, say: &Say) {
        if let Some(line) = line(say) {
            self.give(guest, line.into());
        }
    }

    fn give(&mut self, number: u64, line: Line) {
        let Some(guest) = self.guests.get(&number) else { return };
        match guest.lines.try_send(line) {
            Ok(()) => {}
            Err(TrySendError::Full(_)) => {
                tracing::warn!(guest = number, "a UI that does not read is let go");
                if let Some(guest) = self.guests.remove(&number) {
                    guest.writing.abort();
                }
            }
            Err(TrySendError::Closed(_)) => self.leave(number),
        }
    }

    fn leave(&mut self, number: u64) {
        if self.guests.remove(&number).is_some() {
            tracing::info!(guest = number, "detached");
        }
    }

    /// Lets the last lines leave.
    async fn farewell(self) {
        let patience = Instant::now() + LAST_LINES;
        for mut guest in self.guests.into_values() {
            guest.lines = mpsc::channel(1).0;
            let _ = timeout_at(patience, &mut guest.writing).await;
        }
    }
}

/// The last SIP messages.
#[derive(Default)]
struct Past {
    entries: VecDeque<TraceEntry>,
    bytes: usize,
}

impl Past {
    fn push(&mut self, entry: TraceEntry) {
        self.bytes += entry.text.len();
        self.entries.push_back(entry);
        while self.entries.len() > REMEMBERED || self.bytes > REMEMBERED_BYTES {
            let Some(oldest) = self.entries.pop_front() else { return };
            self.bytes -= oldest.text.len();
        }
    }
}

async fn write(mut writer: OwnedWriteHalf, mut lines: mpsc::Receiver<Line>) {
    while let Some(line) = lines.recv().await {
        if writer.write_all(line.as_bytes()).await.is_err() {
            return;
        }
    }
}

/// Reads what a UI asks, until it goes or writes what is no question.
async fn read(number: u64, reader: OwnedReadHalf, asks: mpsc::Sender<(u64, Said)>) {
    let mut reader = BufReader::new(reader);
    let mut text = Vec::new();
    loop {
        text.clear();
        let read = (&mut reader).take(LONGEST_ASK).read_until(b'\n', &mut text).await;
        if !read.is_ok_and(|count| count > 0) || text.last() != Some(&b'\n') {
            break;
        }
        let ask = match serde_json::from_slice(&text) {
            Ok(ask) => ask,
            Err(error) => {
                tracing::warn!(guest = number, %error, "a UI of another version?");
                break;
            }
        };
        if asks.send((number, Said::Asked(ask))).await.is_err() {
            return;
        }
    }
    let _ = asks.send((number, Said::Gone)).await;
}
