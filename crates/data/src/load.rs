//! Finding a data set and recognising its layout.

use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

#[cfg(feature = "hub")]
use ::hub::Hub;

use crate::layout::{self, Reading};
use crate::{Dataset, Error, Name, synthetic};

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
    /// A local copy in the Hub's layout (Parquet files of PNG or JPEG images) or the original's (CIFAR
    /// pickles or binary batches, SVHN's MATLAB files, MNIST's idx files, Tiny-ImageNet's folders), or the
    /// folder around it; which one is detected. Without it the Hugging Face cache is searched, then the Hub
    /// asked.
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
            (_, None) => from_folder(name, &self.fetch(name)?),
            #[cfg(not(feature = "hub"))]
            (_, None) => Err(Error::NoHub { name }),
        }
    }

    /// The folder of the Hub's cache with the files of `name`, downloaded first unless they are there.
    ///
    /// # Errors
    /// [`Error::Hub`] when they are not to be had, [`Error::NotOnHub`] when there is no repository of them,
    /// [`Error::Interrupted`] when the download was stopped.
    #[cfg(feature = "hub")]
    pub fn fetch(&self, name: Name) -> Result<PathBuf, Error> {
        let hub = Hub::from_env(self.offline).map_err(|cause| Error::hub(name, cause))?;
        crate::hub::fetch(name, &hub.until(self.stop))
    }
}

/// The folder of the Hub's cache with the files of `name`, or nothing if they are not there.
///
/// # Errors
/// [`Error::Hub`] when they are not what they were.
#[cfg(feature = "hub")]
pub fn cached(name: Name) -> Result<Option<PathBuf>, Error> {
    let hub = Hub::from_env(true).map_err(|cause| Error::hub(name, cause))?;
    crate::hub::cached(name, &hub)
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

/// Whether `dir` holds `name` in a layout that [`load`] reads. Nothing is decoded, so files may still be damaged.
pub fn holds(name: Name, dir: &Path) -> bool {
    find(name, dir).is_ok_and(|reading| reading.is_some())
}

/// Loads `name` from `dir` in whichever layout is there.
pub(crate) fn from_folder(name: Name, dir: &Path) -> Result<Splits, Error> {
    let missing = |what: String| Error::Missing {
        path: dir.into(),
        what,
        looked_for: layout::ALL.iter().filter_map(|layout| (layout.describe)(name)).collect::<Vec<_>>().join("; or "),
    };
    match std::fs::metadata(dir) {
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Err(missing("no such folder".into())),
        Err(e) => return Err(Error::io(dir, e)),
        Ok(data) if !data.is_dir() => return Err(missing("not a folder".into())),
        Ok(_) => {}
    }
    let reading = find(name, dir)?.ok_or_else(|| missing(format!("no {name} data in this folder")))?;
    let Splits { train, test } = reading()?;
    Ok(match name {
        // Its files stand class by class, so that the first ten thousand images would be of twenty classes.
        Name::TinyImagenet => Splits { train: train.dealt(), test: test.dealt() },
        _ => Splits { train, test },
    })
}

/// The first layout of `name` that is in `dir`, or in the folder of that name there.
fn find(name: Name, dir: &Path) -> Result<Option<Reading>, Error> {
    let within = |dir: &Path| layout::ALL.iter().map(|layout| (layout.find)(name, dir)).find_map(Result::transpose);
    within(dir).or_else(|| within(&dir.join(name.to_string()))).transpose()
}
