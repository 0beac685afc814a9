//! The name of this phone among all phones (RFC 5626 section 4.1): a random urn, kept over restarts.
//!
//! It lies in `offhook/instance` of the state directory, readable by its owner only, for it makes a phone known again. Two
//! phones that run at a time must not have the same: the first one holds the file locked, the second gets a new name.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Seek, Write};
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use etcetera::BaseStrategy;

/// `~/.local/state/offhook/instance`, or where `XDG_STATE_HOME` says.
pub fn default_path() -> Option<PathBuf> {
    let strategy = etcetera::choose_base_strategy().ok()?;
    let folder = strategy.state_dir().unwrap_or_else(|| strategy.data_dir());
    Some(folder.join("offhook").join("instance"))
}

/// The urn of this phone, `urn:uuid:...`; `None`: the system has no random numbers.
pub fn of_this_phone() -> Option<String> {
    /// Open as long as the process runs: its lock is what tells others.
    static HELD: OnceLock<File> = OnceLock::new();
    match default_path().map(|path| open(&path)) {
        Some(Ok((file, urn))) => match HELD.set(file) {
            Ok(()) => Some(urn),
            // A second phone in this process.
            Err(_) => new_urn(),
        },
        Some(Err(error)) => {
            tracing::debug!(%error, "this phone has a name for this run only");
            new_urn()
        }
        None => new_urn(),
    }
}

/// Opens and locks the file, and reads or writes the urn in it.
fn open(path: &Path) -> io::Result<(File, String)> {
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder)?;
    }
    let mut options = OpenOptions::new();
    options.read(true).write(true).create(true).truncate(false);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(path)?;
    lock(&file)?;
    let mut text = String::new();
    Read::by_ref(&mut file).take(100).read_to_string(&mut text)?;
    if is_urn(text.trim()) {
        return Ok((file, text.trim().to_owned()));
    }
    let urn = new_urn().ok_or_else(|| io::Error::other("no random numbers"))?;
    file.set_len(0)?;
    file.rewind()?;
    writeln!(file, "{urn}")?;
    Ok((file, urn))
}

#[cfg(unix)]
fn lock(file: &File) -> io::Result<()> {
    use std::os::fd::AsRawFd;
    // SAFETY: a system call with the descriptor of a file that is open.
    match unsafe { libc::flock(file.as_raw_fd(), libc::LOCK_EX | libc::LOCK_NB) } {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}

#[cfg(not(unix))]
fn lock(_: &File) -> io::Result<()> {
    Ok(())
}

/// `urn:uuid:` and a UUID as RFC 4122 section 3 writes it.
fn is_urn(text: &str) -> bool {
    let Some(uuid) = text.strip_prefix("urn:uuid:") else { return false };
    let lengths = [8, 4, 4, 4, 12];
    let parts: Vec<&str> = uuid.split('-').collect();
    parts.len() == lengths.len()
        && parts.iter().zip(lengths).all(|(part, length)| {
            part.len() == length && part.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
        })
}

/// A random UUID, version 4 (RFC 4122 section 4.4).
fn new_urn() -> Option<String> {
    let mut bytes = [0u8; 16];
    getrandom::fill(&mut bytes).ok()?;
    let number = u128::from_be_bytes(bytes) & !(0xf << 76) | 4 << 76;
    let number = number & !(0b11 << 62) | 0b10 << 62;
    let hex = format!("{number:032x}");
    Some(format!("urn:uuid:{}-{}-{}-{}-{}", &hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_new_name_is_a_random_uuid() {
        let (one, two) = (new_urn().unwrap(), new_urn().unwrap());
        assert_ne!(one, two);
        assert!(is_urn(&one), "{one}");
        assert_eq!(&one[23..24], "4");
        assert!(matches!(&one[28..29], "8" | "9" | "a" | "b"), "{one}");
        for bad in
            ["", "urn:uuid:", "urn:uuid:f81d4fae-7dec-11d0-a765-00a0c91e6bfz", "f81d4fae-7dec-11d0-a765-00a0c91e6bf6"]
        {
            assert!(!is_urn(bad), "{bad}");
        }
    }

    #[test]
    fn it_is_kept_for_oneself_and_has_one_holder_at_a_time() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("offhook").join("instance");
        let (file, urn) = open(&path).unwrap();
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
            assert!(open(&path).is_err(), "another phone holds it");
        }
        drop(file);
        assert_eq!(open(&path).unwrap().1, urn);
        fs::write(&path, "nonsense").unwrap();
        let (_, new) = open(&path).unwrap();
        assert!(is_urn(&new) && new != urn);
        assert_eq!(fs::read_to_string(&path).unwrap(), format!("{new}\n"));
    }
}
