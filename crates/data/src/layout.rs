//! The layouts that data sets come in, one file each: the Hub's first, then the originals'.

mod cifar_binary;
mod idx;
pub(crate) mod parquet_images;

use std::path::Path;

use crate::{Error, Name, Splits};

/// One way of keeping a data set in a folder.
pub(crate) struct Layout {
    /// Its files and where they are looked for, for error messages; nothing if the data set does not come in it.
    pub(crate) describe: fn(Name) -> Option<String>,
    /// The data set in a folder, or nothing if none of the files are there.
    pub(crate) load: fn(Name, &Path) -> Result<Option<Splits>, Error>,
}

/// Every layout, in the order they are looked for.
pub(crate) const ALL: [Layout; 3] = [
    Layout { describe: parquet_images::layout, load: parquet_images::load },
    Layout { describe: cifar_binary::layout, load: cifar_binary::load },
    Layout { describe: idx::layout, load: idx::load },
];
