//! The history's file: appended to, a line a call, each brought to the disk. What a crash tore off is cut away when the file
//! is opened again; a file that has grown long is written anew and renamed into place. Several phones may share it.

use std::fs::{File, OpenOptions};
use std::io::{self, Read as _, Seek as _, SeekFrom, Write as _};
use std::os::fd::AsRawFd as _;
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use crate::services::history::{History, Record, read};

use super::files;

/// A file of more bytes than this is made short when it is opened.
const COMPACT_AT: u64 = 1024 * 1024;
/// Bytes that are read at most, the last of the file.
const BYTES: u64 = 16 * 1024 * 1024;

/// The open file.
#[derive(Debug)]
pub struct Journal {
    path: PathBuf,
}

impl Journal {
    /// Opens the file, mends its end, makes it short if it is long, and reads it.
    ///
    /// # Errors
    /// Whatever the system refuses.
    pub fn open(path: &Path, now: &str) -> io::Result<(Journal, History)> {
        if let Some(folder) = path.parent() {
            files::make_folder(folder)?;
        }
        let journal = Journal { path: path.to_owned() };
        let mut file = journal.locked()?;
        let length = file.metadata()?.len();
        let history = History::from_records(mend(&mut file)?);
        if length > COMPACT_AT {
            // Still locked: whoever waits to append sees that the file was replaced, and opens the new one.
            files::replace(path, &history.lines(now))?;
        }
        Ok((journal, history))
    }

    /// What a file holds, without changing it; nothing where there is none.
    ///
    /// # Errors
    /// It can't be read.
    pub fn peek(path: &Path) -> io::Result<History> {
        let mut file = match File::open(path) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(History::default()),
            Err(error) => return Err(error),
        };
        Ok(History::from_records(read(&tail(&mut file)?.1).records))
    }

    /// Appends records, and waits until they are on the disk.
    ///
    /// # Errors
    /// Whatever the system refuses; a part that was written is cut away by the next append.
    pub fn append(&self, records: &[Record]) -> io::Result<()> {
        let mut file = self.locked()?;
        end_whole(&mut file)?;
        let lines: String = records.iter().map(Record::line).collect();
        file.seek(SeekFrom::End(0))?;
        file.write_all(lines.as_bytes())?;
        file.sync_data()
    }

    /// The file of this name, locked until it is closed.
    fn locked(&self) -> io::Result<File> {
        loop {
            let file =
                OpenOptions::new().read(true).write(true).create(true).truncate(false).mode(0o600).open(&self.path)?;
            // SAFETY: the descriptor is open as long as `file` lives; flock touches no memory.
            if unsafe { libc::flock(file.as_raw_fd(), libc::LOCK_EX) } != 0 {
                return Err(io::Error::last_os_error());
            }
            // Another phone may have replaced it meanwhile.
            let same = std::fs::metadata(&self.path).is_ok_and(|named| {
                file.metadata().is_ok_and(|ours| (ours.dev(), ours.ino()) == (named.dev(), named.ino()))
            });
            if same {
                return Ok(file);
            }
        }
    }
}

/// The last bytes of a file, and where they begin.
fn tail(file: &mut File) -> io::Result<(u64, Vec<u8>)> {
    let start = file.metadata()?.len().saturating_sub(BYTES);
    file.seek(SeekFrom::Start(start))?;
    let mut bytes = Vec::new();
    file.take(BYTES).read_to_end(&mut bytes)?;
    Ok((start, bytes))
}

/// Reads the file's records and mends its end: a line that was torn goes, one that lacks its end gets it.
fn mend(file: &mut File) -> io::Result<Vec<Record>> {
    let (start, bytes) = tail(file)?;
    let found = read(&bytes);
    if found.whole < bytes.len() {
        tracing::warn!(bytes = bytes.len() - found.whole, "the history's last line was torn: it is cut away");
        file.set_len(start + found.whole as u64)?;
        file.sync_all()?;
    } else if found.unended {
        file.seek(SeekFrom::End(0))?;
        file.write_all(b"\n")?;
        file.sync_all()?;
    }
    Ok(found.records)
}

/// Mends the end if it is not one.
fn end_whole(file: &mut File) -> io::Result<()> {
    let length = file.metadata()?.len();
    if length == 0 {
        return Ok(());
    }
    file.seek(SeekFrom::Start(length - 1))?;
    let mut last = [0];
    file.read_exact(&mut last)?;
    if last != *b"\n" {
        mend(file)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::io::{BufRead as _, BufReader};
    use std::os::unix::fs::PermissionsExt as _;
    use std::process::{Command, Stdio};
    use std::sync::mpsc::channel;
    use std::time::Duration;

    use crate::services::history::{Direction, Entry, KEPT, Outcome};

    use super::*;

    fn record(number: usize) -> Record {
        Record::Call(Entry {
            time: "2026-01-02T03:04:05.678Z".into(),
            direction: Direction::In,
            account: None,
            peer: format!("sip:{number}@example.com"),
            name: Some("Zoë".into()),
            result: Outcome::Missed,
            code: Some(487),
            reason: String::new(),
            duration_s: 0.0,
            mos: None,
            to: None,
        })
    }

    fn peers(history: &History) -> Vec<usize> {
        let number = |peer: &str| peer.trim_start_matches("sip:").split('@').next().unwrap().parse().unwrap();
        history.entries().map(|entry| number(&entry.peer)).collect()
    }

    #[test]
    fn a_file_cut_at_every_byte_keeps_all_lines_before_and_takes_new_ones() {
        // In memory where there is such a folder: what is brought to the disk a thousand times takes minutes on a slow one.
        let folder = tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir()).unwrap();
        let path = folder.path().join("state/history.jsonl");
        let (journal, _) = Journal::open(&path, "now").unwrap();
        journal.append(&[record(0), record(1)]).unwrap();
        journal.append(&[record(2)]).unwrap();
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        let whole = fs::read(&path).unwrap();
        let line = record(0).line().len();
        assert_eq!(whole.len(), 3 * line);
        for cut in 0..whole.len() {
            fs::write(&path, &whole[..cut]).unwrap();
            // A line that lacks only its end is whole.
            let expected: Vec<usize> = (0..(cut + 1) / line).collect();
            if cut % 2 == 0 {
                let (_, history) = Journal::open(&path, "now").unwrap();
                assert_eq!(peers(&history), expected, "cut at {cut}");
            }
            journal.append(&[record(7)]).unwrap();
            let history = Journal::peek(&path).unwrap();
            assert_eq!(peers(&history), [expected, vec![7]].concat(), "cut at {cut}");
        }
    }

    #[test]
    fn a_long_file_is_made_short_and_keeps_the_latest() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("history.jsonl");
        let (journal, _) = Journal::open(&path, "now").unwrap();
        let many: Vec<Record> = (0..8000).map(record).chain([Record::Seen("now".into()), record(9999)]).collect();
        journal.append(&many).unwrap();
        assert!(fs::metadata(&path).unwrap().len() > COMPACT_AT);
        let (again, history) = Journal::open(&path, "now").unwrap();
        assert!(fs::metadata(&path).unwrap().len() < COMPACT_AT / 4);
        assert_eq!((history.entries().count(), history.missed()), (KEPT, 1));
        assert_eq!(Journal::peek(&path).unwrap(), history);
        // One that was opened before the file was replaced writes into the new one.
        journal.append(&[record(1)]).unwrap();
        again.append(&[record(2)]).unwrap();
        assert_eq!(peers(&Journal::peek(&path).unwrap())[KEPT - 2..], [1, 2]);
    }

    /// Not a test of its own: the process that the next one kills.
    #[test]
    fn writer_to_be_killed() {
        let Some(path) = std::env::var_os("OFFHOOK_TEST_JOURNAL") else { return };
        let (journal, history) = Journal::open(Path::new(&path), "now").unwrap();
        for number in history.entries().count().. {
            journal.append(&[record(number)]).unwrap();
            println!("\nwrote {number}");
        }
    }

    #[test]
    fn a_process_killed_while_it_writes_loses_nothing_that_it_had_written() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("history.jsonl");
        let mut next = 0;
        for round in 0..5 {
            let mut writer = Command::new(std::env::current_exe().unwrap())
                .args(["--exact", "phone::keeping::journal::tests::writer_to_be_killed", "--nocapture"])
                .env("OFFHOOK_TEST_JOURNAL", &path)
                .stdout(Stdio::piped())
                .stderr(Stdio::null())
                .spawn()
                .unwrap();
            let said = BufReader::new(writer.stdout.take().unwrap()).lines().map_while(Result::ok);
            let wrote =
                said.filter_map(|line| line.strip_prefix("wrote ").map(|number| number.parse::<usize>().unwrap()));
            let (sender, numbers) = channel();
            std::thread::spawn(move || wrote.for_each(|number| sender.send(number).unwrap()));
            // Each of them is on the disk, which may be slow.
            let next_number = || numbers.recv_timeout(Duration::from_secs(60));
            let first: Result<Vec<usize>, _> = (0..4 + round).map(|_| next_number()).collect();
            writer.kill().unwrap();
            writer.wait().unwrap();
            let last = std::iter::from_fn(|| next_number().ok()).last();
            let last = last.or(first.expect("it writes").last().copied()).unwrap();
            let kept = peers(&Journal::open(&path, "now").unwrap().1);
            assert!(kept.len() > last && last >= next, "{} kept, {last} told", kept.len());
            assert_eq!(kept, (0..kept.len()).collect::<Vec<_>>());
            next = kept.len();
        }
    }
}
