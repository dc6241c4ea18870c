//! Finding a data set and recognising its layout.

use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

use crate::{Dataset, Error, Name, cifar_binary, idx, parquet_images, synthetic};

/// A data set's two parts.
#[derive(Debug, Clone)]
pub struct Splits {
    /// Examples to train on, and to hold out a validation split from.
    pub train: Dataset,
    /// Examples that only final figures are taken from.
    pub test: Dataset,
}

/// Where a data set may come from.
#[derive(Debug, Clone)]
pub struct Source {
    /// A local copy in the Hub's layout (Parquet files with PNG images) or the original's (CIFAR binary
    /// batches, MNIST idx files, compressed or not); which one is detected. Without it the Hugging Face
    /// cache is searched, then the Hub asked.
    pub dir: Option<PathBuf>,
    /// Forbids downloads, as a set `HF_HUB_OFFLINE` does.
    pub offline: bool,
    /// Asked between two pieces of a download whether to stop; what has arrived is kept.
    pub stop: fn() -> ControlFlow<()>,
}

impl Source {
    /// Loads a data set. The synthetic one is drawn from `seed` and comes from nowhere; the others ignore `seed`.
    ///
    /// While files are downloaded and images decoded, a bar is shown on stderr if that is a terminal.
    ///
    /// # Errors
    /// Everything in [`Error`] that names a file, folder or the Hub.
    pub fn load(&self, name: Name, seed: u64) -> Result<Splits, Error> {
        match (name, &self.dir) {
            (Name::Synthetic, _) => Ok(synthetic::splits(seed)),
            (_, Some(dir)) => from_folder(name, dir),
            #[cfg(feature = "hub")]
            (_, None) => {
                let hub = ::hub::Hub::from_env(self.offline).map_err(|cause| Error::hub(name, cause))?;
                crate::hub::load(name, &hub.until(self.stop))
            }
            #[cfg(not(feature = "hub"))]
            (_, None) => Err(Error::NoHub { name }),
        }
    }
}

/// Loads a data set from `dir`, or else from the Hub's cache or the Hub: [`Source::load`] of someone who
/// waits for downloads.
///
/// # Errors
/// Those of [`Source::load`].
pub fn load(name: Name, dir: Option<&Path>, seed: u64) -> Result<Splits, Error> {
    let stop = || ControlFlow::Continue(());
    Source { dir: dir.map(Path::to_path_buf), offline: false, stop }.load(name, seed)
}

/// Loads `name` from `dir` in whichever layout is there.
pub(crate) fn from_folder(name: Name, dir: &Path) -> Result<Splits, Error> {
    let missing = |what: String| Error::Missing {
        path: dir.into(),
        what,
        looked_for: [parquet_images::layout(name), cifar_binary::layout(name), idx::layout(name)]
            .into_iter()
            .flatten()
            .collect::<Vec<_>>()
            .join("; or "),
    };
    match std::fs::metadata(dir) {
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => {
            return Err(missing("no such folder".into()));
        }
        Err(e) => return Err(Error::io(dir, e)),
        Ok(data) if !data.is_dir() => return Err(missing("not a folder".into())),
        Ok(_) => {}
    }
    for read in [parquet_images::load, cifar_binary::load, idx::load] {
        if let Some(splits) = read(name, dir)? {
            return Ok(splits);
        }
    }
    Err(missing(format!("no {name} data in this folder")))
}
