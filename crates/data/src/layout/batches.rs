//! Originals whose splits are a few files, any of which may be read by itself.

use std::path::{Path, PathBuf};

use crate::Error;

/// What the files are called.
pub(super) struct Batches {
    /// The folder that the original archive unpacks to.
    pub(super) folder: &'static str,
    /// The training split's, in order; any of them may be absent.
    pub(super) train: &'static [&'static str],
    pub(super) test: &'static str,
}

/// Those that are there.
pub(super) struct Found {
    pub(super) train: Vec<PathBuf>,
    pub(super) test: PathBuf,
}

/// An empty buffer with room for what `files` hold: one that grew would take twice that while it is moved.
pub(super) fn room(files: &[PathBuf]) -> Vec<u8> {
    let sizes = files.iter().filter_map(|path| path.metadata().ok()).map(|data| data.len());
    let mut room = Vec::new();
    // Without it the files are read all the same, or an error says why not.
    let _ = usize::try_from(sizes.sum::<u64>()).map(|size| room.try_reserve_exact(size));
    room
}

impl Batches {
    /// What is looked for, for error messages; `version` says which original.
    pub(super) fn describe(&self, version: &str) -> String {
        let Self { folder, train, test } = self;
        let train = if let [first, .., last] = train { format!("{first} .. {last}") } else { train.join("") };
        format!("the original {version}'s {train} and {test} in {folder}/ or in the folder itself")
    }

    /// The files in `dir` or in the original's folder inside it; none is not an error, one split is.
    pub(super) fn find(&self, dir: &Path) -> Result<Option<Found>, Error> {
        for dir in [dir.to_owned(), dir.join(self.folder)] {
            let train: Vec<PathBuf> =
                self.train.iter().map(|file| dir.join(file)).filter(|path| path.is_file()).collect();
            let test = dir.join(self.test);
            let (what, looked_for) = match (train.is_empty(), test.is_file()) {
                (true, false) => continue,
                (false, true) => return Ok(Some(Found { train, test })),
                (true, true) => ("train", self.train.join(", ")),
                (false, false) => ("test", self.test.to_owned()),
            };
            return Err(Error::Missing { path: dir, what: format!("the {what} split is missing"), looked_for });
        }
        Ok(None)
    }
}
