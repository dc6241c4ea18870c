//! Finding a data set and recognising its layout.

use std::path::Path;

use crate::{Dataset, Error, Name, layout, synthetic};

/// A data set's two parts.
#[derive(Debug, Clone)]
pub struct Splits {
    /// Examples to train on, and to hold out a validation split from.
    pub train: Dataset,
    /// Examples that only final figures are taken from.
    pub test: Dataset,
}

/// Loads a data set.
///
/// `dir` is a local copy in the Hub's layout (Parquet files with PNG images) or the original's
/// (CIFAR binary batches, MNIST idx files, compressed or not); which one is detected. Without it the
/// Hugging Face cache is searched, then the Hub asked. The synthetic set is drawn from `seed` and
/// ignores `dir`; the others ignore `seed`.
///
/// While images are decoded, a bar is shown on stderr if that is a terminal.
///
/// # Errors
/// Everything in [`Error`] that names a file, folder or the Hub.
pub fn load(name: Name, dir: Option<&Path>, seed: u64) -> Result<Splits, Error> {
    match (name, dir) {
        (Name::Synthetic, _) => Ok(synthetic::splits(seed)),
        (_, Some(dir)) => from_folder(name, dir),
        #[cfg(feature = "hub")]
        (_, None) => crate::hub::load(name),
        #[cfg(not(feature = "hub"))]
        (_, None) => Err(Error::NoHub { name }),
    }
}

/// Loads `name` from `dir` in whichever layout is there.
pub(crate) fn from_folder(name: Name, dir: &Path) -> Result<Splits, Error> {
    let missing = |what: String| Error::Missing {
        path: dir.into(),
        what,
        looked_for: layout::ALL.iter().filter_map(|layout| (layout.describe)(name)).collect::<Vec<_>>().join("; or "),
    };
    match std::fs::metadata(dir) {
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => {
            return Err(missing("no such folder".into()));
        }
        Err(e) => return Err(Error::io(dir, e)),
        Ok(data) if !data.is_dir() => return Err(missing("not a folder".into())),
        Ok(_) => {}
    }
    for layout in layout::ALL {
        if let Some(splits) = (layout.load)(name, dir)? {
            return Ok(splits);
        }
    }
    Err(missing(format!("no {name} data in this folder")))
}
