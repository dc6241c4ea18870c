//! Answers to measurements as they are kept, each beside its run.

use super::trained::Answer;
use crate::{
    files,
    provenance::sha256,
    run::{Checkpoint, Run},
};
use anyhow::{Context, Result};
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use std::{
    fs,
    path::{Path, PathBuf},
};

/// Their files begin so.
const PREFIX: &str = "measured-";

/// An answer with what it is an answer to.
#[derive(Serialize, Deserialize)]
pub(super) struct Kept<T> {
    pub(super) settings: String,
    pub(super) seconds: f64,
    pub(super) answer: Answer<T>,
}

/// Where the first answer of table or figure `name` about the weights `checkpoint` of `run` is kept.
fn first(run: &Run, name: &str, checkpoint: Checkpoint) -> PathBuf {
    run.folder().join(format!("{PREFIX}{name}-{}.json", checkpoint.name()))
}

/// Where one is that the first is not the answer to.
fn other(run: &Run, name: &str, checkpoint: Checkpoint, settings: &str) -> PathBuf {
    first(run, &format!("{name}-{}", &sha256(settings.as_bytes())[..8]), checkpoint)
}

impl<T: Serialize + DeserializeOwned> Kept<T> {
    /// The answer of `name` about the weights `checkpoint` of `run` with these `settings`, if there is one.
    pub(super) fn find(run: &Run, name: &str, checkpoint: Checkpoint, settings: &str) -> Result<Option<Self>> {
        for path in [first(run, name, checkpoint), other(run, name, checkpoint, settings)] {
            if let Some(kept) = Self::read(&path)?.filter(|kept| kept.settings == settings) {
                return Ok(Some(kept));
            }
        }
        Ok(None)
    }

    /// Keeps it beside those with other settings.
    pub(super) fn keep(&self, run: &Run, name: &str, checkpoint: Checkpoint) -> Result<()> {
        let first = first(run, name, checkpoint);
        let free = !first.is_file();
        self.write(&if free { first } else { other(run, name, checkpoint, &self.settings) })
    }

    /// The answer at `path`, if there is one.
    fn read(path: &Path) -> Result<Option<Self>> {
        if !path.is_file() {
            return Ok(None);
        }
        let broken = || format!("{}: not a measurement; delete it to measure again", path.display());
        serde_json::from_slice(&fs::read(path)?).map(Some).with_context(broken)
    }

    fn write(&self, path: &Path) -> Result<()> {
        files::write(path, &serde_json::to_vec(self)?)
    }
}

/// An error if an answer in `folder` cannot be read.
pub(crate) fn check_kept(folder: &Path) -> Result<()> {
    answers(folder).try_for_each(|path| Kept::<serde_json::Value>::read(&path).map(drop))
}

fn answers(folder: &Path) -> impl Iterator<Item = PathBuf> {
    let files = fs::read_dir(folder).into_iter().flatten().flatten();
    files.filter(|file| file.file_name().to_string_lossy().starts_with(PREFIX)).map(|file| file.path())
}

/// Removes everything that was measured from the run in `folder`; with `id`, what was with the network of the run called
/// so.
///
/// # Errors
/// When a file cannot be removed.
pub(crate) fn forget(folder: &Path, id: Option<&str>) -> Result<()> {
    let mut doomed = answers(folder).filter(|path| id.is_none_or(|id| files::mentions(path, id)));
    doomed.try_for_each(|path| files::remove(&path))
}
