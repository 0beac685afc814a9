//! Files that are replaced as a whole: whoever reads one sees the old text or the new, never a part of either.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::Path;
use std::sync::{Mutex, PoisonError};

use crate::services::contacts::Contacts;
use crate::services::forwarding::Switches;

/// Bytes of a file that is read as a whole.
const BYTES: u64 = 16 * 1024 * 1024;

/// Replaces a file's text: written beside it, brought to the disk, then renamed over it. Only its owner may read it.
///
/// # Errors
/// Whatever the system refuses; the old text is still there.
pub fn replace(path: &Path, text: &str) -> io::Result<()> {
    // A link stays one: what it points to is replaced.
    let path = &fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    make_folder(folder)?;
    let name = path.file_name().ok_or(io::ErrorKind::InvalidInput)?.to_string_lossy();
    // One at a time here; other programs write beside it under another name.
    static WRITING: Mutex<()> = Mutex::new(());
    let _writing = WRITING.lock().unwrap_or_else(PoisonError::into_inner);
    let beside = folder.join(format!(".{name}.{}.new", std::process::id()));
    let written = write_through(&beside, text).and_then(|()| fs::rename(&beside, path));
    if written.is_err() {
        let _ = fs::remove_file(&beside);
    }
    written?;
    sync_folder(folder);
    Ok(())
}

fn write_through(path: &Path, text: &str) -> io::Result<()> {
    let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(path)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()
}

/// The rename itself is brought to the disk; not every file system can.
fn sync_folder(folder: &Path) {
    if let Err(error) = File::open(folder).and_then(|folder| folder.sync_all()) {
        tracing::debug!(folder = %folder.display(), %error, "not synced");
    }
}

/// A folder that only its owner may look into, if there is none yet.
pub(in crate::phone) fn make_folder(folder: &Path) -> io::Result<()> {
    fs::DirBuilder::new().recursive(true).mode(0o700).create(folder)
}

/// A file's text, up to a bound; `None`: there is no file.
///
/// # Errors
/// It can't be read, is too long, or is no text.
pub fn read(path: &Path) -> io::Result<Option<String>> {
    let file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
    };
    let mut text = String::new();
    if file.take(BYTES + 1).read_to_string(&mut text)? as u64 > BYTES {
        return Err(io::Error::new(io::ErrorKind::InvalidData, "it is too long"));
    }
    Ok(Some(text))
}

/// The contacts in a file; none where there is no file.
///
/// # Errors
/// Why they can't be read, for a person.
pub fn contacts(path: &Path) -> Result<Contacts, String> {
    let text = read(path).map_err(|error| format!("{}: can't be read: {error}", path.display()))?.unwrap_or_default();
    Contacts::parse(&text).map_err(|error| format!("{}: {error}", path.display()))
}

/// The switches in a file; none are on where there is no file.
///
/// # Errors
/// Why they can't be read, for a person.
pub fn switches(path: &Path) -> Result<Switches, String> {
    let text = read(path).map_err(|error| format!("{}: can't be read: {error}", path.display()))?.unwrap_or_default();
    match text.trim() {
        "" => Ok(Switches::default()),
        text => serde_json::from_str(text).map_err(|error| format!("{}: {error}", path.display())),
    }
}

/// The same for a phone that starts: one that can't be read switches nothing on, and the person is told by what shows.
pub(in crate::phone) fn switches_or_none(path: &Path) -> Switches {
    switches(path).unwrap_or_else(|error| {
        tracing::warn!(error, "the switches can't be read");
        Switches::default()
    })
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn a_file_is_replaced_as_a_whole_and_for_its_owner_only() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("deep/er/file");
        assert_eq!(read(&path).unwrap(), None);
        for text in ["one", "another", ""] {
            replace(&path, text).unwrap();
            assert_eq!(read(&path).unwrap().as_deref(), Some(text));
        }
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!((mode(&path), mode(path.parent().unwrap())), (0o600, 0o700));
        assert_eq!(fs::read_dir(path.parent().unwrap()).unwrap().count(), 1, "nothing is left beside it");
    }

    #[test]
    fn a_write_that_fails_leaves_the_old_text() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        replace(&path, "old").unwrap();
        // A folder stands where the new text is to be written.
        fs::create_dir(folder.path().join(format!(".file.{}.new", std::process::id()))).unwrap();
        assert!(replace(&path, "new").is_err());
        assert_eq!(read(&path).unwrap().as_deref(), Some("old"));
    }

    #[test]
    fn switches_that_are_broken_switch_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("switches.json");
        assert_eq!(switches(&path), Ok(Switches::default()));
        let mut on = Switches::default();
        on.set_dnd(Some("work"), true);
        replace(&path, &serde_json::to_string(&on).unwrap()).unwrap();
        assert_eq!(switches(&path), Ok(on));
        fs::write(&path, "{\"dnd\": [").unwrap();
        assert!(switches(&path).is_err());
        assert_eq!(switches_or_none(&path), Switches::default());
    }

    /// Not a test of its own: the process of the next one, which the system kills when a file of it grows too long.
    #[test]
    fn replacer_to_be_killed() {
        let Some(path) = std::env::var_os("OFFHOOK_TEST_REPLACE") else { return };
        replace(Path::new(&path), NEW).unwrap();
    }

    const OLD: &str = "[[contact]]\nname = \"Bob\"\naddresses = [\"600\"]\n";
    const NEW: &str = "[[contact]]\nname = \"Carol Miller\"\naddresses = [\"601\"]\n";

    /// Contacts and switches are written so. The kernel kills the process (SIGXFSZ) in the middle of its write, after each
    /// of these numbers of bytes.
    #[test]
    fn a_process_killed_while_it_replaces_a_file_leaves_the_old_one_or_the_new_one() {
        use std::os::unix::process::{CommandExt as _, ExitStatusExt as _};
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("contacts.toml");
        for bytes in (0..=NEW.len()).step_by(6).chain([NEW.len() - 1, NEW.len()]) {
            fs::write(&path, OLD).unwrap();
            let mut writer = std::process::Command::new(std::env::current_exe().unwrap());
            writer.args(["--exact", "phone::keeping::files::tests::replacer_to_be_killed"]);
            writer.env("OFFHOOK_TEST_REPLACE", &path).stdout(std::process::Stdio::piped());
            let limit = libc::rlimit { rlim_cur: bytes as _, rlim_max: bytes as _ };
            // Nothing between fork and exec but one system call.
            unsafe {
                writer.pre_exec(move || match libc::setrlimit(libc::RLIMIT_FSIZE, &raw const limit) {
                    0 => Ok(()),
                    _ => Err(io::Error::last_os_error()),
                });
            }
            let status = writer.output().unwrap().status;
            let there = fs::read_to_string(&path).unwrap();
            match bytes < NEW.len() {
                true => {
                    assert_eq!(status.signal(), Some(libc::SIGXFSZ), "{bytes}");
                    assert_eq!(there, OLD, "killed after {bytes} bytes");
                }
                false => assert_eq!((status.success(), there.as_str()), (true, NEW)),
            }
            assert!(contacts(&path).is_ok());
        }
        // What the killed ones left beside it is in nobody's way, and nobody's contacts.
        replace(&path, NEW).unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), NEW);
    }
}
