//! Where the socket is, and who may open it: its owner, and nobody else.

use std::fs::DirBuilder;
use std::io;
use std::os::unix::fs::{DirBuilderExt as _, FileTypeExt as _, PermissionsExt as _};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};

use etcetera::BaseStrategy as _;

/// Why no socket can be opened.
#[derive(Debug, thiserror::Error)]
pub enum BindError {
    /// A phone serves it already.
    #[error("another phone is served at {0}: `offhook attach` opens the UI onto it")]
    Served(PathBuf),
    /// Something else has that name.
    #[error("{0} is there and is not a socket; choose another path")]
    NotASocket(PathBuf),
    /// The system refuses.
    #[error("can't open a socket at {path}: {source}")]
    System {
        /// Where.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
}

/// The person's own: `offhook/phone.sock` in `XDG_RUNTIME_DIR`, else in `~/.local/state`. `None` without a home.
pub fn default_path() -> Option<PathBuf> {
    let strategy = etcetera::choose_base_strategy().ok()?;
    let folder = strategy.runtime_dir().or_else(|| strategy.state_dir()).unwrap_or_else(|| strategy.data_dir());
    Some(folder.join("offhook").join("phone.sock"))
}

/// Opens the socket for its owner alone. One that a phone left behind when it was killed is taken over.
pub(super) fn bind(path: &Path) -> Result<UnixListener, BindError> {
    let failed = |source| BindError::System { path: path.to_owned(), source };
    if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
        DirBuilder::new().recursive(true).mode(0o700).create(folder).map_err(failed)?;
    }
    match std::fs::symlink_metadata(path) {
        Ok(found) if !found.file_type().is_socket() => return Err(BindError::NotASocket(path.to_owned())),
        Ok(_) if UnixStream::connect(path).is_ok() => return Err(BindError::Served(path.to_owned())),
        Ok(_) => std::fs::remove_file(path).map_err(failed)?,
        Err(_) => {}
    }
    let listener = UnixListener::bind(path).map_err(failed)?;
    // Before anybody is let in: whoever was faster is asked who he is all the same.
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600)).map_err(failed)?;
    listener.set_nonblocking(true).map_err(failed)?;
    Ok(listener)
}

/// Whether the other end runs as the user that we run as, or as root.
pub(super) fn is_owner(stream: &tokio::net::UnixStream) -> bool {
    // SAFETY: takes nothing, gives a number, and can't fail.
    let ours = unsafe { libc::geteuid() };
    stream.peer_cred().is_ok_and(|peer| peer.uid() == ours || peer.uid() == 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_owner_may_open_it_and_what_was_left_behind_is_taken_over() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("deep").join("phone.sock");
        let listener = bind(&path).unwrap();
        let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!((mode(&path), mode(path.parent().unwrap())), (0o600, 0o700));
        assert!(matches!(bind(&path), Err(BindError::Served(_))));
        drop(listener);
        bind(&path).unwrap();
    }

    #[test]
    fn a_file_of_that_name_is_left_alone() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("phone.sock");
        std::fs::write(&path, "mine").unwrap();
        assert!(matches!(bind(&path), Err(BindError::NotASocket(_))));
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "mine");
        let long = folder.path().join("x".repeat(200));
        assert!(matches!(bind(&long), Err(BindError::System { .. })));
    }
}
