//! The thread that writes. It begins with the first thing that is to be written.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use crate::services::history::Record;

use super::{files, journal::Journal};

/// How long the end waits for what is not written yet, where nobody says for how long.
const FINISH: Duration = Duration::from_millis(150);

/// What is to be kept.
pub(in crate::phone) enum Keep {
    /// One more line of the history.
    Record(Record),
    /// The switches, as JSON.
    Switches(String),
}

/// The files, and the thread once there is something to write.
pub(in crate::phone) struct Keeper {
    journal: Option<Journal>,
    switches: Option<PathBuf>,
    /// Nothing can be kept, or there is no place for it.
    idle: bool,
    thread: Option<Started>,
    /// Switches that are not written yet.
    waiting: Arc<AtomicUsize>,
}

type Started = (Sender<Keep>, JoinHandle<()>, Receiver<()>);

impl Keeper {
    /// Keeps the history and the switches; what has no file is not kept.
    pub(in crate::phone) fn new(journal: Option<Journal>, switches: Option<PathBuf>) -> Keeper {
        let idle = journal.is_none() && switches.is_none();
        Keeper { journal, switches, idle, thread: None, waiting: Arc::default() }
    }

    /// Keeps something: it is written soon.
    pub(in crate::phone) fn keep(&mut self, what: Keep) {
        if self.thread.is_none() && !self.idle {
            match start(self.journal.take(), self.switches.take(), Arc::clone(&self.waiting)) {
                Ok(thread) => self.thread = Some(thread),
                Err(error) => {
                    self.idle = true;
                    tracing::warn!(%error, "nothing can be kept");
                }
            }
        }
        if let Some((sender, ..)) = &self.thread {
            if matches!(what, Keep::Switches(_)) {
                self.waiting.fetch_add(1, Ordering::Relaxed);
            }
            // It ends with this keeper only.
            let _ = sender.send(what);
        }
    }

    /// Whether switches wait to be written: the file is not what it will be.
    pub(in crate::phone) fn is_writing(&self) -> bool {
        self.waiting.load(Ordering::Acquire) > 0
    }

    /// Waits until all is written, but no longer than until then: a disk may be slow.
    pub(in crate::phone) fn finish(&mut self, until: Instant) {
        let Some((sender, thread, done)) = self.thread.take() else { return };
        drop(sender);
        // The channel ends when all is written.
        let left = until.saturating_duration_since(Instant::now());
        if done.recv_timeout(left) == Err(RecvTimeoutError::Timeout) {
            tracing::warn!("the disk is too slow: not all is written yet");
        }
        if thread.is_finished() {
            let _ = thread.join();
        }
    }
}

impl Drop for Keeper {
    fn drop(&mut self) {
        self.finish(Instant::now() + FINISH);
    }
}

fn start(journal: Option<Journal>, switches: Option<PathBuf>, waiting: Arc<AtomicUsize>) -> io::Result<Started> {
    let (sender, things) = channel();
    let (still_writing, done) = channel();
    let thread = thread::Builder::new().name("keeper".into()).spawn(move || {
        let _still_writing: Sender<()> = still_writing;
        write_all(journal.as_ref(), switches.as_deref(), &things, &waiting);
    })?;
    Ok((sender, thread, done))
}

/// Writes until nothing comes any more; what has come meanwhile is written at once.
fn write_all(journal: Option<&Journal>, path: Option<&Path>, things: &Receiver<Keep>, waiting: &AtomicUsize) {
    while let Ok(first) = things.recv() {
        let (mut records, mut switches, mut taken) = (Vec::new(), None, 0);
        for thing in std::iter::once(first).chain(things.try_iter()) {
            match thing {
                Keep::Record(record) => records.push(record),
                Keep::Switches(text) => {
                    switches = Some(text);
                    taken += 1;
                }
            }
        }
        if let Some(journal) = journal.filter(|_| !records.is_empty())
            && let Err(error) = journal.append(&records)
        {
            tracing::warn!(%error, calls = records.len(), "the history can't be written");
        }
        if let (Some(text), Some(path)) = (switches, path)
            && let Err(error) = files::replace(path, &text)
        {
            tracing::warn!(%error, "the switches can't be written");
        }
        waiting.fetch_sub(taken, Ordering::Release);
    }
}

#[cfg(test)]
mod tests {
    use std::fs::File;
    use std::os::fd::AsRawFd as _;

    use super::*;

    const PATIENCE: Duration = Duration::from_secs(60);

    #[test]
    fn the_end_waits_for_what_is_not_written_but_not_for_ever() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("history.jsonl");
        let seen = |time: &str| Keep::Record(Record::Seen(time.into()));
        let written = |time: &str| std::fs::read_to_string(&path).unwrap().contains(time);

        let mut keeper = Keeper::new(Some(Journal::open(&path, "now").unwrap().0), None);
        keeper.keep(seen("one"));
        keeper.finish(Instant::now() + PATIENCE);
        assert!(written("one"));

        // As long as somebody else has the file nothing can be written.
        let mut keeper = Keeper::new(Some(Journal::open(&path, "now").unwrap().0), None);
        let other = File::open(&path).unwrap();
        // SAFETY: the descriptor is open as long as `other` lives; flock touches no memory.
        assert_eq!(unsafe { libc::flock(other.as_raw_fd(), libc::LOCK_EX) }, 0);
        keeper.keep(seen("two"));
        keeper.finish(Instant::now());
        assert!(!written("two"));
        drop(other);
        let end = Instant::now() + PATIENCE;
        while !written("two") {
            assert!(Instant::now() < end, "it is never written");
            thread::sleep(Duration::from_millis(5));
        }
    }
}
