//! The layouts that data sets come in, one file each: the Hub's first, then the originals'.

mod batches;
mod cifar_binary;
mod cifar_pickle;
mod idx;
pub(crate) mod parquet_images;
mod svhn_mat;
mod wnid_folders;

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
pub(crate) const ALL: [Layout; 6] = [
    Layout { describe: parquet_images::layout, load: parquet_images::load },
    Layout { describe: cifar_binary::layout, load: cifar_binary::load },
    Layout { describe: cifar_pickle::layout, load: cifar_pickle::load },
    Layout { describe: svhn_mat::layout, load: svhn_mat::load },
    Layout { describe: idx::layout, load: idx::load },
    Layout { describe: wnid_folders::layout, load: wnid_folders::load },
];
