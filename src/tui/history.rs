//! The targets that were dialled, a line each, from one run to the next. Losing them is no error.

use std::fs::{self, OpenOptions};
use std::io::{Read as _, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

use crate::app::layout::clean;
use crate::app::line::History;

/// Bytes that are read at most.
const BYTES: u64 = 256 * 1024;

/// Reads them.
pub fn read(path: Option<&Path>) -> History {
    let mut text = Vec::new();
    if let Some(file) = path.and_then(|path| fs::File::open(path).ok()) {
        let _ = file.take(BYTES).read_to_end(&mut text);
    }
    let lines: Vec<String> = String::from_utf8_lossy(&text).lines().map(clean).collect();
    History::from_lines(lines.iter().map(String::as_str))
}

/// Writes them, for the person's eyes only.
pub fn write(path: Option<&Path>, history: &History) {
    let Some(path) = path.filter(|_| !history.is_empty()) else { return };
    if let Err(error) = try_write(path, history) {
        tracing::warn!("can't keep the dialled targets in {}: {error}", path.display());
    }
}

fn try_write(path: &Path, history: &History) -> std::io::Result<()> {
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder)?;
    }
    let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(path)?;
    let mut text = String::new();
    for line in history.lines() {
        text.push_str(line);
        text.push('\n');
    }
    file.write_all(text.as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("state/history");
        let mut history = History::default();
        history.push("alice");
        history.push("sip:bob@example.com");
        write(Some(&path), &history);
        assert_eq!(read(Some(&path)), history);
    }

    #[test]
    fn what_is_not_there_or_broken_is_forgotten() {
        let folder = tempfile::tempdir().unwrap();
        assert!(read(None).is_empty());
        assert!(read(Some(&folder.path().join("none"))).is_empty());
        let path = folder.path().join("broken");
        fs::write(&path, b"\xff\xfe\x1b[2J\n").unwrap();
        assert!(read(Some(&path)).lines().all(|line| !line.contains('\u{1b}')));
    }
}
