//! Silence on standard error while a library talks there: libasound prints eight lines for each device that can't be
//! opened, and JACK's client joins in, which would ruin a terminal UI.

use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::sync::{Mutex, PoisonError};

/// How many guards live, and the real standard error meanwhile.
static HUSHED: Mutex<(usize, Option<OwnedFd>)> = Mutex::new((0, None));

/// While one lives, file descriptor 2 leads to `/dev/null`, for the whole process. A guard on a thread that hangs holds
/// no lock.
pub struct Quiet(());

impl Quiet {
    /// Hushes. When that is not possible, everything stays as it is.
    pub fn new() -> Quiet {
        let mut state = HUSHED.lock().unwrap_or_else(PoisonError::into_inner);
        state.0 += 1;
        if state.0 == 1 {
            state.1 = redirect().ok();
        }
        Quiet(())
    }
}

impl Drop for Quiet {
    fn drop(&mut self) {
        let mut state = HUSHED.lock().unwrap_or_else(PoisonError::into_inner);
        state.0 -= 1;
        if state.0 == 0
            && let Some(real) = state.1.take()
        {
            // SAFETY: both descriptors are open; dup2 replaces 2 in one step.
            unsafe { libc::dup2(real.as_raw_fd(), 2) };
        }
    }
}

fn redirect() -> std::io::Result<OwnedFd> {
    let null = std::fs::OpenOptions::new().write(true).open("/dev/null")?;
    // SAFETY: F_DUPFD_CLOEXEC gives a new descriptor, which is ours alone, or -1.
    let real = match unsafe { libc::fcntl(2, libc::F_DUPFD_CLOEXEC, 3) } {
        -1 => return Err(std::io::Error::last_os_error()),
        fd => unsafe { OwnedFd::from_raw_fd(fd) },
    };
    // SAFETY: both descriptors are open.
    match unsafe { libc::dup2(null.as_raw_fd(), 2) } {
        -1 => Err(std::io::Error::last_os_error()),
        _ => Ok(real),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn target() -> std::path::PathBuf {
        std::fs::read_link("/proc/self/fd/2").unwrap()
    }

    #[test]
    fn standard_error_comes_back_with_the_last_guard() {
        let before = target();
        let outer = Quiet::new();
        let inner = Quiet::new();
        assert_eq!(target().to_str(), Some("/dev/null"));
        drop(outer);
        assert_eq!(target().to_str(), Some("/dev/null"));
        drop(inner);
        assert_eq!(target(), before);
    }
}
