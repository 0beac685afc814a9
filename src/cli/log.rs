//! The log: to the file of `--log`, never to the screen, never larger than twice 16 MiB.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use tracing_appender::non_blocking::WorkerGuard;

/// Bytes after which the file is renamed to `FILE.1`, whose predecessor goes.
const LIMIT: u64 = 16 * 1024 * 1024;

/// Opens the log. It is written on a thread of its own until the guard is dropped.
pub fn start(path: &Path, level: tracing::Level) -> io::Result<WorkerGuard> {
    let (writer, guard) = tracing_appender::non_blocking(Bounded::open(path, LIMIT)?);
    tracing_subscriber::fmt().with_writer(writer).with_max_level(level).with_ansi(false).init();
    Ok(guard)
}

/// A file that is renamed when it is full.
struct Bounded {
    path: PathBuf,
    file: File,
    size: u64,
    limit: u64,
}

impl Bounded {
    fn open(path: &Path, limit: u64) -> io::Result<Bounded> {
        let file = append(path)?;
        let size = file.metadata()?.len();
        Ok(Bounded { path: path.into(), file, size, limit })
    }

    fn turn(&mut self) -> io::Result<()> {
        let mut old = self.path.clone().into_os_string();
        old.push(".1");
        std::fs::rename(&self.path, old)?;
        self.file = append(&self.path)?;
        self.size = 0;
        Ok(())
    }
}

#[cfg(unix)]
fn append(path: &Path) -> io::Result<File> {
    use std::os::unix::fs::OpenOptionsExt;
    // Numbers and names of who talked to whom: for the owner only.
    OpenOptions::new().append(true).create(true).mode(0o600).open(path)
}

#[cfg(not(unix))]
fn append(path: &Path) -> io::Result<File> {
    OpenOptions::new().append(true).create(true).open(path)
}

impl Write for Bounded {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.size > 0 && self.size + bytes.len() as u64 > self.limit {
            self.turn()?;
        }
        let written = self.file.write(bytes)?;
        self.size += written as u64;
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_file_is_bounded() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("log");
        let mut log = Bounded::open(&path, 10).unwrap();
        for line in ["one\n", "two\n", "three\n", "four\n", "a line that is longer than all\n"] {
            log.write_all(line.as_bytes()).unwrap();
        }
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "a line that is longer than all\n");
        assert_eq!(std::fs::read_to_string(folder.path().join("log.1")).unwrap(), "four\n");
        drop(log);
        assert!(Bounded::open(&path, 10).unwrap().size > 10);
    }
}
