//! Texts that the person saves, beside what the phone remembers.

use std::fs::{DirBuilder, OpenOptions};
use std::io::{self, BufWriter, Write};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

/// Files of one second at most.
const FILES: u32 = 100;

/// Writes a trace to a new file that only its owner may read, and says where.
pub fn save_trace(
    folder: Option<&Path>,
    now: SystemTime,
    extension: &str,
    write: impl FnOnce(&mut dyn Write) -> io::Result<()>,
) -> Result<PathBuf, String> {
    let folder = folder.ok_or("there is no folder for files: HOME is not set")?;
    let failed = |error: io::Error| format!("{}: {error}", folder.display());
    DirBuilder::new().recursive(true).mode(0o700).create(folder).map_err(failed)?;
    let time = humantime::format_rfc3339_seconds(now).to_string().replace(':', "-");
    for number in 1..=FILES {
        let more = if number == 1 { String::new() } else { format!("-{number}") };
        let path = folder.join(format!("trace-{time}{more}.{extension}"));
        match OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path) {
            Ok(file) => {
                let mut file = BufWriter::new(file);
                return write(&mut file).and_then(|()| file.flush()).map(|()| path).map_err(failed);
            }
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            Err(error) => return Err(failed(error)),
        }
    }
    Err(failed(io::ErrorKind::AlreadyExists.into()))
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn each_trace_has_a_file_of_its_own() {
        let folder = tempfile::tempdir().unwrap();
        let state = folder.path().join("deep/state");
        let now = SystemTime::UNIX_EPOCH;
        let save = |folder, text: &str| save_trace(folder, now, "txt", |out| out.write_all(text.as_bytes()));
        let first = save(Some(&state), "one").unwrap();
        let second = save(Some(&state), "two").unwrap();
        assert_eq!(first, state.join("trace-1970-01-01T00-00-00Z.txt"));
        assert_eq!(
            (fs::read_to_string(&first).unwrap(), fs::read_to_string(&second).unwrap()),
            ("one".into(), "two".into())
        );
        assert_eq!(fs::metadata(&first).unwrap().permissions().mode() & 0o777, 0o600);
        assert!(save(None, "").is_err());
        assert!(save(Some(&first), "").is_err());
    }
}
