//! The shelf of older SIP messages: files without a name, which are gone with the process however it ends.

use std::fs::{DirBuilder, File, OpenOptions};
use std::io;
use std::os::unix::fs::{DirBuilderExt as _, FileExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use crate::app::trace::shelf::{Place, Shelf};

/// Bytes of a file; there are two at most.
const FILE: u64 = 64 << 20;

/// Puts records into a file, and into the next one when it is full; the one before that goes then.
#[derive(Debug)]
pub struct Spill {
    folder: PathBuf,
    /// The file that is written to, and its number.
    now: Option<(u64, File)>,
    /// The one before.
    before: Option<(u64, File)>,
    end: u64,
}

impl Spill {
    /// Nothing is written before the first record.
    pub fn new(folder: Option<&Path>) -> Spill {
        let folder = folder.map_or_else(std::env::temp_dir, Path::to_owned);
        Spill { folder, now: None, before: None, end: 0 }
    }

    fn file(&self, number: u64) -> Option<&File> {
        let files = [&self.now, &self.before];
        files.into_iter().flatten().find(|(known, _)| *known == number).map(|(_, file)| file)
    }

    fn write(&mut self, record: &[u8]) -> io::Result<Place> {
        let length = u32::try_from(record.len()).map_err(io::Error::other)?;
        // A record does not cross the end of its file.
        if self.end % FILE + u64::from(length) > FILE {
            self.end = self.end.next_multiple_of(FILE);
        }
        let (at, number) = (self.end, self.end / FILE);
        if self.file(number).is_none() {
            let file = nameless(&self.folder)?;
            self.before = self.now.replace((number, file));
        }
        let file = self.file(number).ok_or(io::ErrorKind::NotFound)?;
        file.write_all_at(record, at % FILE)?;
        self.end += u64::from(length);
        Ok(Place { at, length })
    }
}

impl Shelf for Spill {
    fn put(&mut self, record: &[u8]) -> Option<Place> {
        self.write(record).inspect_err(|error| tracing::warn!("older SIP messages are forgotten: {error}")).ok()
    }

    fn get(&self, place: Place) -> Option<Vec<u8>> {
        let file = self.file(place.at / FILE)?;
        let mut record = vec![0; usize::try_from(place.length).ok()?];
        file.read_exact_at(&mut record, place.at % FILE).ok()?;
        Some(record)
    }

    fn oldest(&self) -> u64 {
        let first = self.before.as_ref().or(self.now.as_ref());
        first.map_or(0, |(number, _)| number * FILE)
    }
}

/// A new file that only we can read, and that has no name any more.
fn nameless(folder: &Path) -> io::Result<File> {
    DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
    let mut number = 0;
    loop {
        let path = folder.join(format!("trace-{}-{number}.tmp", std::process::id()));
        let file = OpenOptions::new().read(true).write(true).create_new(true).mode(0o600).open(&path);
        match file {
            Ok(file) => return std::fs::remove_file(&path).map(|()| file),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists && number < 100 => number += 1,
            Err(error) => return Err(error),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_come_back_and_the_oldest_go() {
        let folder = tempfile::tempdir().unwrap();
        let mut spill = Spill::new(Some(folder.path()));
        let record = |number: u8| vec![number; 24 << 20];
        let places: Vec<Place> = (0..6).map(|number| spill.put(&record(number)).unwrap()).collect();
        // Two to a file, two files.
        assert_eq!(spill.oldest(), FILE);
        for (number, place) in places.iter().enumerate() {
            let expected = (number >= 2).then(|| record(number as u8));
            assert!(spill.get(*place) == expected, "record {number}");
        }
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0, "no file has a name");
    }

    #[test]
    fn a_folder_that_can_not_be_written_to_is_no_end() {
        let file = tempfile::NamedTempFile::new().unwrap();
        assert_eq!(Spill::new(Some(file.path())).put(b"x"), None);
    }
}
