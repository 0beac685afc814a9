//! Writes the file: whole or not at all, with the mode and the owner that it has, and never over what someone else wrote
//! meanwhile.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use super::edit::{self, EditError, Section, Value};
use super::{ConfigError, EXAMPLE, read};

/// A key and its new value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// Its section.
    pub section: Section<'static>,
    /// Its name.
    pub key: &'static str,
    /// `None`: the key is commented out.
    pub value: Option<Value>,
}

/// Why the file was not changed. It is as it was then.
#[derive(Debug, thiserror::Error)]
pub enum ChangeError {
    /// It can't be read.
    #[error("can't be read: {0}")]
    Read(io::Error),
    /// It can't be written.
    #[error("can't be written: {0}")]
    Write(io::Error),
    /// Its text can't be changed.
    #[error(transparent)]
    Edit(#[from] EditError),
    /// The result would not be read: the value is not one.
    #[error("{}", .0.problem)]
    Value(ConfigError),
    /// Someone else wrote it at the same moment.
    #[error("another program changed the file just now: look again")]
    Changed,
}

/// Who may read a file that is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Mode {
    /// As before; a new file is its owner's alone.
    Kept,
    /// Its owner alone.
    Private,
}

/// The text of the file; that of `config init` where there is none.
///
/// # Errors
/// It is there and can't be read.
pub fn text(path: &Path) -> io::Result<String> {
    match fs::read_to_string(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(EXAMPLE.to_owned()),
        other => other,
    }
}

/// Reads the file as it is now, changes these keys in it, checks the result as `config check` does, and writes it. Where
/// there is no file it begins with the text of `config init`.
///
/// # Errors
/// [`ChangeError`]: nothing was written.
pub fn change(path: &Path, changes: &[Change]) -> Result<(), ChangeError> {
    let before = match fs::read_to_string(path) {
        Ok(text) => Some(text),
        Err(error) if error.kind() == io::ErrorKind::NotFound => None,
        Err(error) => return Err(ChangeError::Read(error)),
    };
    let mut after = before.clone().unwrap_or_else(|| EXAMPLE.to_owned());
    for change in changes {
        after = edit::set(&after, change.section, change.key, change.value.as_ref())?;
    }
    read::read(path, &after).map_err(ChangeError::Value)?;
    let holds_password = changes.iter().any(|change| change.key == "password" && change.value.is_some());
    let mode = if holds_password { Mode::Private } else { Mode::Kept };
    write(path, before.as_deref(), &after, mode)
}

/// Puts a text in the place of the one that was read.
fn write(path: &Path, before: Option<&str>, after: &str, mode: Mode) -> Result<(), ChangeError> {
    // A link stays one: what it points to is written.
    let path = fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder).map_err(ChangeError::Write)?;
    }
    let draft = Draft::write(&path, after, mode).map_err(ChangeError::Write)?;
    match before {
        // A link can't take the place of a file that came meanwhile; a renamed one would.
        None => fs::hard_link(&draft.path, &path).map_err(|error| match error.kind() {
            io::ErrorKind::AlreadyExists => ChangeError::Changed,
            _ => ChangeError::Write(error),
        })?,
        Some(before) => {
            if fs::read_to_string(&path).map_err(ChangeError::Read)? != before {
                return Err(ChangeError::Changed);
            }
            fs::rename(&draft.path, &path).map_err(ChangeError::Write)?;
        }
    }
    // The name survives a power cut too.
    if let Some(folder) = path.parent().and_then(|folder| File::open(folder).ok()) {
        let _ = folder.sync_all();
    }
    Ok(())
}

/// A file beside the one that is to be written; gone when it goes.
struct Draft {
    path: PathBuf,
}

impl Draft {
    fn write(path: &Path, text: &str, mode: Mode) -> io::Result<Draft> {
        use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _, PermissionsExt as _};
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        let draft = Draft { path: path.with_file_name(format!(".{name}.{}.new", std::process::id())) };
        let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&draft.path)?;
        file.write_all(text.as_bytes())?;
        if let Ok(old) = fs::metadata(path) {
            // Where it is not allowed the owner is who writes.
            let _ = std::os::unix::fs::chown(&draft.path, Some(old.uid()), Some(old.gid()));
            let mask = match mode {
                Mode::Kept => 0o777,
                Mode::Private => 0o700,
            };
            file.set_permissions(fs::Permissions::from_mode(old.mode() & mask))?;
        }
        file.sync_all()?;
        Ok(draft)
    }
}

impl Drop for Draft {
    fn drop(&mut self) {
        // A renamed one is not there any more.
        let _ = fs::remove_file(&self.path);
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    fn ring(value: &str) -> Change {
        Change { section: Section::Named("audio"), key: "ring", value: Some(Value::Text(value.into())) }
    }

    fn mode(path: &Path) -> u32 {
        fs::metadata(path).unwrap().permissions().mode() & 0o777
    }

    fn names(folder: &Path) -> Vec<String> {
        fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
    }

    #[test]
    fn a_new_file_is_the_commented_one_for_the_owner_alone() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("offhook").join("config.toml");
        change(&path, &[ring("null")]).unwrap();
        let text = fs::read_to_string(&path).unwrap();
        assert_eq!(text.lines().count(), EXAMPLE.lines().count());
        assert_eq!(read::read(&path, &text).unwrap().audio.ring, "null");
        assert_eq!(mode(&path), 0o600);
        assert_eq!(names(path.parent().unwrap()), ["config.toml"]);
    }

    #[test]
    fn mode_link_and_the_edits_of_others_stay() {
        let folder = tempfile::tempdir().unwrap();
        let (real, path) = (folder.path().join("real.toml"), folder.path().join("config.toml"));
        fs::write(&real, "[audio]\nring = \"a\" # mine\n").unwrap();
        fs::set_permissions(&real, fs::Permissions::from_mode(0o640)).unwrap();
        std::os::unix::fs::symlink(&real, &path).unwrap();
        change(&path, &[ring("b")]).unwrap();
        fs::write(&real, fs::read_to_string(&real).unwrap() + "[calls]\nmax_calls = 3\n").unwrap();
        change(&path, &[ring("c")]).unwrap();
        assert_eq!(fs::read_to_string(&real).unwrap(), "[audio]\nring = \"c\" # mine\n[calls]\nmax_calls = 3\n");
        assert!(fs::symlink_metadata(&path).unwrap().is_symlink());
        assert_eq!(mode(&real), 0o640);
        // A password makes it private.
        let account =
            |key, value: &str| Change { section: Section::Account(0), key, value: Some(Value::Text(value.into())) };
        change(&path, &[account("uri", "sip:a@b"), account("password", "x")]).unwrap();
        assert_eq!(mode(&real), 0o600);
    }

    #[test]
    fn a_value_that_is_none_changes_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("config.toml");
        fs::write(&path, "[calls]\n").unwrap();
        let bad = Change { section: Section::Named("calls"), key: "hold", value: Some(Value::Text("one".into())) };
        let error = change(&path, &[bad]).unwrap_err();
        assert_eq!(error.to_string(), "calls.hold: expected \"zero\", \"sendonly\" or \"inactive\", found \"one\"");
        assert_eq!(fs::read_to_string(&path).unwrap(), "[calls]\n");
        assert_eq!(names(folder.path()), ["config.toml"]);
    }

    #[test]
    fn what_another_wrote_meanwhile_is_not_overwritten() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("config.toml");
        fs::write(&path, "[calls]\nmax_calls = 3\n").unwrap();
        for before in [Some("[calls]\n"), None] {
            let error = write(&path, before, "[audio]\n", Mode::Kept).unwrap_err();
            assert!(matches!(error, ChangeError::Changed), "{error}");
        }
        assert_eq!(fs::read_to_string(&path).unwrap(), "[calls]\nmax_calls = 3\n");
        assert_eq!(names(folder.path()), ["config.toml"]);
    }

    #[test]
    fn a_folder_that_can_not_be_written_says_so() {
        let error = change(Path::new("/proc/offhook/config.toml"), &[ring("null")]).unwrap_err();
        assert!(error.to_string().starts_with("can't be written: "), "{error}");
    }
}
